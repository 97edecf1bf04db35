"""CDPR-Bench-1 in radCAD. RUNS SEED VARIANT; prints one line of JSON.

Variants: "default", as radCAD comes; "no deepcopy", an option of its engine that saves the copies of each step; "no
deepcopy, NumPy state", with holders as an array, which a user in a hurry would write next.
"""

import importlib.metadata
import math
import random

import numpy
from radcad import Backend, Engine, Model, Simulation

import bench

VARIANTS = ("default", "no deepcopy", "no deepcopy, NumPy state")


def redeem(params, substep, history, state):
    """Policy: who stays."""
    fear = bench.fear(state["supply"], state["reserves"], state["outflow"])
    chance = params["random"].random
    stay = []
    for nerve in state["nerves"]:
        hazard = bench.CALM * math.exp(nerve * fear)
        u = chance()
        # The probability is never above the hazard, so its exponential is rarely needed.
        if not (u < hazard and u < -math.expm1(-hazard)):
            stay.append(nerve)
    return market(state, stay)


def redeem_array(params, substep, history, state):
    fear = bench.fear(state["supply"], state["reserves"], state["outflow"])
    nerves = state["nerves"]
    # An exponential is below the hazard with probability 1 − exp(−hazard).
    draws = params["random"].standard_exponential(len(nerves))
    return market(state, nerves[draws >= bench.CALM * numpy.exp(nerves * fear)])


def market(state, stay):
    left = len(state["nerves"]) - len(stay)
    supply = state["supply"] - left
    reserves = state["reserves"] - 1.05 * left
    filled, cost, ttr_steps = state["filled"], state["cost"], state["ttr_steps"]
    need = supply - reserves
    if need > 0:
        paid = bench.premium(state["timestep"])
        filled, raised, is_closed = bench.fill(filled, paid, need)
        reserves += raised
        cost += paid * raised
        if is_closed and ttr_steps < 0:
            ttr_steps = state["timestep"]
    return {
        "nerves": stay,
        "supply": supply,
        "reserves": reserves,
        "outflow": left / state["supply"],
        "filled": filled,
        "cost": cost,
        "ttr_steps": ttr_steps,
    }


def take(name):
    return lambda params, substep, history, state, signals: (name, signals[name])


def one(seed, variant):
    is_array = variant == VARIANTS[2]
    stream = numpy.random.default_rng(seed) if is_array else random.Random(seed)
    nerves = (
        stream.random(bench.HOLDERS) if is_array else [stream.random() for _ in range(bench.HOLDERS)]
    )
    state = {
        "nerves": nerves,
        "supply": float(bench.HOLDERS),
        "reserves": 0.97 * bench.HOLDERS,
        "outflow": 0.0,
        "filled": [0.0] * bench.MAKERS,
        "cost": 0.0,
        "ttr_steps": -1,
    }
    blocks = [
        {
            "policies": {"redeem": redeem_array if is_array else redeem},
            "variables": {name: take(name) for name in state},
        }
    ]
    # A simulation for each run, since radCAD starts all runs of one from the same nerves.
    simulation = Simulation(
        model=Model(initial_state=state, state_update_blocks=blocks, params={"random": [stream]}),
        timesteps=bench.STEPS,
    )
    simulation.engine = Engine(
        backend=Backend.SINGLE_PROCESS, deepcopy=variant == VARIANTS[0]
    )
    last = simulation.run()[-1]
    steps = bench.STEPS if last["ttr_steps"] < 0 else last["ttr_steps"]
    return steps * bench.STEP_H, last["cost"], 1 - last["supply"] / bench.HOLDERS


def simulate(runs, seed, variant):
    return [one(seed * 1_000_003 + run, variant) for run in range(runs)]


if __name__ == "__main__":
    bench.main("radCAD", importlib.metadata.version("radcad"), simulate, VARIANTS)
