"""What the Python peers share: CDPR-Bench-1's numbers, its market, and the line that they print."""

import argparse
import json
import math
import time

HOLDERS = 1000
MAKERS = 10
CAPACITY = 6.0  # Coins of one maker.
STEPS = 240
STEP_H = 1 / 12
CALM = 0.002 * STEP_H  # Hazard of a calm holder, per step.
LIMITS = [0.004 + 0.002 * maker for maker in range(MAKERS)]


def fear(supply, reserves, outflow):
    """How much holders fear; outflow is the share of supply redeemed in the step before."""
    gap = max(0.0, 1 - reserves / supply)
    price = max(0.5, 1 - 2 * outflow)
    return 5 * min(gap / 0.03, 1.0) + 10 * (1 - price)


def premium(step):
    return min(0.005 + 0.005 * step * STEP_H, 0.05)


def fill(filled, paid, need):
    """What makers have given once offered the premium `paid`, what they gave now, and whether that closed the gap.

    Offers often come to the need but for rounding, and then rounding decides when the gap counts as closed: whoever
    ports this adds in the same order, one maker after another. `sum` would not, from Python 3.12.
    """
    offers = []
    offered = 0.0
    for limit, have in zip(LIMITS, filled):
        offer = min(max((paid - limit) / 0.002 - have, 0.0), CAPACITY - have)
        offers.append(offer)
        offered += offer
    share = need / offered if offered > need else 1.0
    filled = [have + offer * share for have, offer in zip(filled, offers)]
    return filled, min(offered, need), offered >= need


def moments(values):
    """Mean and its standard error."""
    n = len(values)
    mean = math.fsum(values) / n
    square = math.fsum((value - mean) ** 2 for value in values)
    return mean, math.sqrt(square / (n - 1) / n)


def line(peer, version, trick, runs, cpu_s):
    """`runs` is a list of (hours to recovery, cost, share redeemed)."""
    result = {"peer": peer, "version": version, "trick": trick, "runs": len(runs)}
    result |= {"cpu_s": cpu_s, "runs_per_cpu_s": len(runs) / cpu_s}
    for name, values in zip(("ttr_h", "cost", "redeemed"), zip(*runs)):
        result[name + "_mean"], result[name + "_se"] = moments(values)
    return result


def main(peer, version, simulate, variants=()):
    """Times `simulate(runs, seed, variant)`; imports are done by now and are not counted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=int)
    parser.add_argument("seed", type=int)
    if variants:
        parser.add_argument("variant", choices=variants)
    arguments = parser.parse_args()
    variant = arguments.variant if variants else None
    start = time.process_time()
    runs = simulate(arguments.runs, arguments.seed, variant)
    cpu_s = time.process_time() - start
    name = f"{peer}, {variant}" if variant not in (None, "trick", "plain") else peer
    print(json.dumps(line(name, version, variant == "trick", runs, cpu_s)))
