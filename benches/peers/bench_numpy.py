"""CDPR-Bench-1 in NumPy, many runs side by side. RUNS SEED VARIANT; prints one line of JSON.

Variants: "plain" draws every holder in every step; "trick" draws who might leave if all were as nervous as the most
nervous one of their band, and then asks whether they are (Lewis and Shedler, 1979).
"""

import numpy as np

import bench

BANDS = 8
# Runs side by side: the fastest of a few tried. Plain is bound by cache, the trick by the cost of a call.
SIDE_BY_SIDE = {"plain": 32, "trick": 1024}
LIMITS = np.array(bench.LIMITS)[:, None]


def plain(stream, n):
    """Leaving in `n` runs when every holder is drawn."""
    nerve = stream.random((n, bench.HOLDERS))
    # Zero for who has left.
    calm = np.full((n, bench.HOLDERS), bench.CALM)
    draws = np.empty((n, bench.HOLDERS))
    hazard = np.empty((n, bench.HOLDERS))

    def leave(fear):
        stream.random(out=draws)
        np.multiply(nerve, fear[:, None], out=hazard)
        np.exp(hazard, out=hazard)
        np.multiply(hazard, calm, out=hazard)
        # The probability is never above the hazard, so its exponential is rarely needed.
        run, holder = np.nonzero(draws < hazard)
        gone = draws[run, holder] < -np.expm1(-hazard[run, holder])
        run, holder = run[gone], holder[gone]
        calm[run, holder] = 0.0
        return np.bincount(run, minlength=n)

    return leave


def trick(stream, n):
    """The same law. Marks fall on a band at the rate of its most nervous place, as a Poisson process; one counts with
    the probability that its holder's rate is of that rate, if the holder is still there. Then no mark counts with
    probability exp(−hazard), holder by holder.
    """
    nerve = stream.random((n, bench.HOLDERS))
    nerve.sort(axis=1)
    # Where each band of each run begins, and how many places it has, gone or not.
    edges = np.arange(BANDS + 1) / BANDS
    begins = np.stack([(nerve < edge).sum(axis=1) for edge in edges], axis=1)
    sizes = np.diff(begins, axis=1)
    base = (begins[:, :-1] + np.arange(n)[:, None] * bench.HOLDERS).ravel()
    nerve = nerve.ravel()
    is_active = np.ones(n * bench.HOLDERS, dtype=bool)
    tops = edges[1:]

    def leave(fear):
        rates = sizes * (bench.CALM * np.exp(fear[:, None] * tops))
        marks = stream.poisson(rates).ravel()
        bands = np.repeat(np.arange(n * BANDS), marks)
        place = base[bands] + (stream.random(len(bands)) * sizes.ravel()[bands]).astype(np.int64)
        run = bands // BANDS
        odds = np.exp(fear[run] * (nerve[place] - tops[bands % BANDS]))
        counts = (stream.random(len(bands)) < odds) & is_active[place]
        # A holder marked twice leaves once.
        gone = np.unique(place[counts])
        is_active[gone] = False
        return np.bincount(gone // bench.HOLDERS, minlength=n)

    return leave


def batch(stream, n, variant):
    leave = (plain if variant == "plain" else trick)(stream, n)
    supply = np.full(n, float(bench.HOLDERS))
    reserves = 0.97 * supply
    filled = np.zeros((bench.MAKERS, n))
    outflow, cost = np.zeros(n), np.zeros(n)
    ttr_steps = np.full(n, bench.STEPS)
    for step in range(bench.STEPS):
        gap = np.maximum(0.0, 1 - reserves / supply)
        price = np.maximum(0.5, 1 - 2 * outflow)
        left = leave(5 * np.minimum(gap / 0.03, 1.0) + 10 * (1 - price))
        outflow = left / supply
        supply -= left
        reserves -= 1.05 * left

        open_runs = np.flatnonzero(supply - reserves > 0)
        need = (supply - reserves)[open_runs]
        have = filled.take(open_runs, axis=1)
        paid = bench.premium(step)
        offers = np.clip((paid - LIMITS) / 0.002 - have, 0.0, bench.CAPACITY - have)
        # Along the first axis of rows NumPy adds one maker after another, see bench.fill; `filled[:, open_runs]`
        # would be columns in memory, and added otherwise.
        offered = offers.sum(axis=0)
        is_closed = offered >= need
        share = need / np.maximum(offered, need)
        filled[:, open_runs] = have + offers * share
        raised = np.minimum(offered, need)
        reserves[open_runs] += raised
        cost[open_runs] += paid * raised
        closed = open_runs[is_closed]
        ttr_steps[closed] = np.minimum(ttr_steps[closed], step)
    return np.stack([ttr_steps * bench.STEP_H, cost, 1 - supply / bench.HOLDERS], axis=1)


def simulate(runs, seed, variant):
    stream = np.random.Generator(np.random.SFC64(seed))
    most = SIDE_BY_SIDE[variant]
    parts = [batch(stream, min(most, runs - at), variant) for at in range(0, runs, most)]
    return [tuple(run) for run in np.concatenate(parts).tolist()]


if __name__ == "__main__":
    bench.main("NumPy", np.__version__, simulate, tuple(SIDE_BY_SIDE))
