"""CDPR-Bench-1 in Mesa: each holder is an agent, the market is the model. RUNS SEED; prints one line of JSON."""

import math

import mesa

import bench


class Holder(mesa.Agent):
    def __init__(self, model):
        super().__init__(model)
        self.nerve = model.random.random()

    def step(self):
        model = self.model
        hazard = bench.CALM * math.exp(self.nerve * model.fear)
        u = model.random.random()
        # The probability is never above the hazard, so its exponential is rarely needed.
        if u < hazard and u < -math.expm1(-hazard):
            model.left += 1
            self.remove()


class Market(mesa.Model):
    def __init__(self, seed):
        super().__init__(seed=seed)
        self.supply, self.reserves = float(bench.HOLDERS), 0.97 * bench.HOLDERS
        self.filled = [0.0] * bench.MAKERS
        self.outflow, self.cost, self.ttr_steps = 0.0, 0.0, None
        Holder.create_agents(self, bench.HOLDERS)

    def step(self):
        self.fear = bench.fear(self.supply, self.reserves, self.outflow)
        self.left = 0
        self.agents.do("step")
        self.outflow = self.left / self.supply
        self.supply -= self.left
        self.reserves -= 1.05 * self.left
        need = self.supply - self.reserves
        if need > 0:
            step = self.steps - 1  # Mesa has counted this step already.
            paid = bench.premium(step)
            self.filled, raised, is_closed = bench.fill(self.filled, paid, need)
            self.reserves += raised
            self.cost += paid * raised
            if is_closed and self.ttr_steps is None:
                self.ttr_steps = step


def one(seed):
    market = Market(seed)
    for _ in range(bench.STEPS):
        market.step()
    steps = bench.STEPS if market.ttr_steps is None else market.ttr_steps
    return steps * bench.STEP_H, market.cost, 1 - market.supply / bench.HOLDERS


def simulate(runs, seed, _):
    return [one(seed * 1_000_003 + run) for run in range(runs)]


if __name__ == "__main__":
    bench.main("Mesa", mesa.__version__, simulate)
