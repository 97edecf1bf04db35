#!/usr/bin/env python3
"""CDPR-Bench-1 in `cdpr simulate` and in its peers: speed side by side, and whether they agree.

Prints a Markdown table; what is skipped and why goes to stderr. Exit status: 0 if every peer that ran agrees, 1 if one
does not, 2 if nothing could be compared.
"""

import argparse
import csv
import datetime
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

# Nothing is left behind in the repository.
sys.dont_write_bytecode = True
import bench  # noqa: E402

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SPEC = ROOT / "examples" / "bench-1.toml"
METRICS = ("ttr_h", "cost", "redeemed")
# Half-width of a 99.9 % interval, in standard errors, where samples are large.
WIDE = statistics.NormalDist().inv_cdf(1 - 0.001 / 2)

# (environment, arguments after RUNS SEED, runs in a round: some seconds each)
PYTHON_PEERS = (
    ("radcad", "bench_radcad.py", ["default"], 10),
    ("mesa", "bench_mesa.py", [], 20),
    ("radcad", "bench_radcad.py", ["no deepcopy"], 40),
    ("radcad", "bench_radcad.py", ["no deepcopy, NumPy state"], 200),
    ("numpy", "bench_numpy.py", ["plain"], 512),
    ("numpy", "bench_numpy.py", ["trick"], 16384),
)
KRABMAGA_RUNS = 100
OURS_RUNS = {"bench-1": 50_000, "bench-1-naive": 500}


def say(text):
    print(text, file=sys.stderr, flush=True)


def quiet(command, **options):
    """Runs what makes a peer; why it failed, in its last line, or nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, **options)
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return None
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1] if lines else f"status {done.returncode}"


def requirements(name):
    sections = re.split(r"^# \[(\w+)\]$", (HERE / "requirements.txt").read_text(), flags=re.M)
    return dict(zip(sections[1::2], sections[2::2]))[name]


def environment(name, folder):
    """The Python of an environment with what the peer needs, and why there is none."""
    python = folder / name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = requirements(name)
    stamp = folder / name / "installed.txt"
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python, None
    say(f"installing {name}")
    listing = folder / f"{name}.txt"
    listing.write_text(wanted)
    reason = quiet([sys.executable, "-m", "venv", "--clear", folder / name]) or quiet(
        # A wheel or nothing: compiling NumPy is not what anyone came for.
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        + ["--only-binary=numpy,pandas,scipy", "-r", listing]
    )
    if reason is None:
        stamp.write_text(wanted)
    return python, reason


def krabmaga(folder):
    say("building krabmaga")
    manifest = HERE / "krabmaga" / "Cargo.toml"
    target = folder / "krabmaga"
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--manifest-path", manifest]
    reason = quiet([*command, "--target-dir", target])
    return target / "release" / "bench-krabmaga", reason


def peers(folder, only):
    """(name, command before RUNS SEED, arguments after them, runs in a round) of those that can be had."""
    found, pythons = [], {}
    for name, script, arguments, runs in PYTHON_PEERS:
        if only and name not in only:
            continue
        if name not in pythons:
            pythons[name], reason = environment(name, folder)
            if reason:
                say(f"skipped {name}: it cannot be installed: {reason}")
                pythons[name] = None
        if pythons[name]:
            label = " ".join([name, *arguments])
            found.append((label, [pythons[name], HERE / script], arguments, runs))
    if not only or "krabmaga" in only:
        program, reason = krabmaga(folder)
        if reason:
            say(f"skipped krabmaga: it cannot be built: {reason}")
        else:
            found.append(("krabmaga", [program], [], KRABMAGA_RUNS))
    return found


def ours(cdpr, model, runs, seed):
    """One run of `cdpr simulate`; it tells means and speed, and its rows tell the standard errors."""
    spec = SPEC.read_text()
    for key, value in (("model", f'"{model}"'), ("seed", seed), ("replications", runs)):
        spec, n = re.subn(rf"^{key} = .*$", f"{key} = {value}", spec, flags=re.M)
        assert n == 1, f"{SPEC} has no {key}"
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "spec.toml"
        path.write_text(spec)
        out = Path(scratch) / "out"
        command = [cdpr, "simulate", "--spec", path, "--out", out, "--jobs", "1", "--json"]
        told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        with open(out / "results.csv", newline="") as file:
            rows = list(csv.DictReader(file))
    # A run that does not recover counts as the whole time, as in the peers.
    whole = bench.STEPS * bench.STEP_H
    results = [
        (
            float(row["ttr_h"]) if row["recovered"] == "true" else whole,
            float(row["cost"]),
            float(row["redeemed"]),
        )
        for row in rows
    ]
    result = bench.line(f"cdpr {model}", version(cdpr), model == "bench-1", results, told["cpu_s"])
    for metric in ("cost", "redeemed"):
        key = f"{metric}_mean"
        assert math.isclose(result[key], told[key], rel_tol=1e-9), f"{key} is not that of its rows"
    return result


def version(cdpr):
    told = subprocess.run([cdpr, "--version"], check=True, capture_output=True, text=True).stdout
    return told.split()[1]


def theirs(command, arguments, runs, seed):
    # One thread: CPU seconds are counted, and a second thread would only add to them.
    alone = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    done = subprocess.run(
        [*command, str(runs), str(seed), *arguments],
        capture_output=True,
        text=True,
        env=os.environ | alone | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout)


def pool(rounds):
    """Rounds of one peer as one sample: means weighted by runs, the median of speeds."""
    whole = rounds[0] | {
        "runs": sum(part["runs"] for part in rounds),
        "runs_per_cpu_s": statistics.median(part["runs_per_cpu_s"] for part in rounds),
        "slowest": min(part["runs_per_cpu_s"] for part in rounds),
        "fastest": max(part["runs_per_cpu_s"] for part in rounds),
    }
    for metric in METRICS:
        means = [part[metric + "_mean"] for part in rounds]
        ns = [part["runs"] for part in rounds]
        errors = [part[metric + "_se"] for part in rounds]
        whole[metric + "_mean"] = sum(n * mean for n, mean in zip(ns, means)) / whole["runs"]
        whole[metric + "_se"] = math.hypot(*(n * se for n, se in zip(ns, errors))) / whole["runs"]
    return whole


def differences(one, other):
    """In combined standard errors, metric by metric."""
    return [
        (one[metric + "_mean"] - other[metric + "_mean"])
        / math.hypot(one[metric + "_se"], other[metric + "_se"])
        for metric in METRICS
    ]


def cpu_model():
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def load():
    return " ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def ratio(value):
    return "1" if value == 1 else f"1/{number(1 / value)}" if value < 1 else number(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cdpr", type=Path, default=ROOT / "target" / "release" / "cdpr")
    parser.add_argument("--venv", type=Path, help="where peers are installed and kept; else a temporary folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="times the runs of each round")
    parser.add_argument("--only", nargs="+", choices=("numpy", "mesa", "radcad", "krabmaga"))
    parser.add_argument("--json", type=Path, help="writes every round there")
    arguments = parser.parse_args()
    cdpr = arguments.cdpr.resolve()
    if not cdpr.is_file():
        say(f"{cdpr} is not there\n  hint: cargo build --release -p cdpr, or --cdpr PATH")
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        folder = (arguments.venv or Path(scratch)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return compare(cdpr, peers(folder, arguments.only), arguments)


def compare(cdpr, found, arguments):
    before = load()
    tasks = [
        (model, lambda runs, seed, model=model: ours(cdpr, model, runs, seed), runs)
        for model, runs in OURS_RUNS.items()
    ]
    for label, command, extra, runs in found:
        tasks.append(
            (label, lambda runs, seed, c=command, e=extra: theirs(c, e, runs, seed), runs)
        )
    rounds = {label: [] for label, _, _ in tasks}
    for at in range(arguments.rounds):
        # There and back, so that a machine that slows down does not slow the same ones.
        for label, measure, runs in tasks if at % 2 == 0 else reversed(tasks):
            if label not in rounds:
                continue
            say(f"round {at + 1} of {arguments.rounds}: {label}")
            try:
                # At least two, for a standard error.
                result = measure(max(2, round(runs * arguments.scale)), at + 1)
            except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                if label in OURS_RUNS:
                    raise
                say(f"skipped {label}: it does not run: {error}")
                del rounds[label]
                continue
            rounds[label].append(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(rounds, indent=1) + "\n")

    pooled = {label: pool(parts) for label, parts in rounds.items()}
    fast, naive = pooled["bench-1"], pooled["bench-1-naive"]
    print(f"{datetime.date.today()}, {cpu_model()}, {platform.system()}, Python {platform.python_version()}, ", end="")
    print(f"{arguments.rounds} rounds, load average {before} before and {load()} after.\n")
    head = ("Peer", "Version", "Trick", "Runs", "Runs per CPU second", "To ours", "To ours, naive", "Agrees")
    print("| " + " | ".join(head) + " |")
    print("|---|---|---|---:|---:|---:|---:|---|")
    disagree = []
    for label, peer in sorted(pooled.items(), key=lambda item: -item[1]["runs_per_cpu_s"]):
        if label == "bench-1":
            verdict = "compared with"
        else:
            # Who draws every holder has our own runs that do as a second witness.
            witnesses = [fast] if peer["trick"] or peer is naive else [fast, naive]
            offs = [differences(peer, witness) for witness in witnesses]
            agrees = all(abs(value) <= WIDE for off in offs for value in off)
            verdict = "; ".join(" ".join(f"{value:+.1f}" for value in off) for off in offs)
            verdict = ("yes: " if agrees else "**no**: ") + verdict
            if not agrees:
                disagree.append(label)
        speed = peer["runs_per_cpu_s"]
        print(
            f"| {peer['peer']} | {peer['version']} | {'yes' if peer['trick'] else 'no'} | {peer['runs']:,} "
            f"| {number(speed)} ({number(peer['slowest'])} to {number(peer['fastest'])}) "
            f"| {ratio(speed / fast['runs_per_cpu_s'])} | {ratio(speed / naive['runs_per_cpu_s'])} | {verdict} |"
        )
    means = ", ".join(f"{m} {fast[m + '_mean']:.4f} ± {fast[m + '_se']:.4f}" for m in METRICS)
    print(
        "\nSpeeds are medians of rounds, with the least and the most. Differences from bench-1, and from bench-1-naive\n"
        "after the semicolon, are of hours, cost and share redeemed, in combined standard errors;\n"
        f"{WIDE:.2f} bounds the 99.9 % interval. bench-1: {means}."
    )
    if disagree:
        say(f"does not agree: {', '.join(disagree)}")
        return 1
    if len(pooled) == len(OURS_RUNS):
        say("no peer ran, so nothing was compared")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
