//! CDPR-Bench-1 in krABMaga: each holder is an agent on the schedule, the market acts after them.
//!
//! Usage: bench-krabmaga RUNS SEED. Prints one line of JSON.

use std::any::Any;

use cpu_time::ProcessTime;
use krabmaga::engine::{agent::Agent, schedule::Schedule, state::State};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

const HOLDERS: usize = 1000;
const MAKERS: usize = 10;
const CAPACITY: f64 = 6.0;
const STEPS: u64 = 240;
const STEP_H: f64 = 1.0 / 12.0;
/// Hazard of a calm holder, per step.
const CALM: f64 = 0.002 * STEP_H;

#[derive(Clone)]
struct Holder {
    nerve: f64,
    has_left: bool,
}

impl Agent for Holder {
    fn step(&mut self, state: &mut dyn State) {
        let market = market(state);
        let hazard = CALM * (self.nerve * market.fear).exp();
        let u: f64 = market.rng.random();
        // The probability is never above the hazard, so its exponential is rarely needed.
        if u < hazard && u < -(-hazard).exp_m1() {
            self.has_left = true;
            market.left += 1;
        }
    }

    fn is_stopped(&mut self, _: &mut dyn State) -> bool {
        self.has_left
    }
}

fn market(state: &mut dyn State) -> &mut Market {
    state.as_any_mut().downcast_mut().expect("the only state of this program")
}

struct Market {
    rng: SmallRng,
    supply: f64,
    reserves: f64,
    filled: [f64; MAKERS],
    fear: f64,
    outflow: f64,
    left: u32,
    cost: f64,
    ttr_steps: Option<u64>,
}

impl Market {
    fn new(rng: SmallRng) -> Self {
        Self {
            rng,
            supply: HOLDERS as f64,
            reserves: 0.97 * HOLDERS as f64,
            filled: [0.0; MAKERS],
            fear: 0.0,
            outflow: 0.0,
            left: 0,
            cost: 0.0,
            ttr_steps: None,
        }
    }

    fn redeemed(&self) -> f64 {
        1.0 - self.supply / HOLDERS as f64
    }

    fn ttr_h(&self) -> f64 {
        self.ttr_steps.unwrap_or(STEPS) as f64 * STEP_H
    }

    /// Makers close what they will of the gap, pro rata if they offer too much.
    fn fill(&mut self, step: u64) {
        let need = self.supply - self.reserves;
        if need <= 0.0 {
            return;
        }
        let premium = (0.005 + 0.005 * step as f64 * STEP_H).min(0.05);
        let mut offers = [0.0; MAKERS];
        for (maker, (offer, have)) in offers.iter_mut().zip(&self.filled).enumerate() {
            let limit = 0.004 + 0.002 * maker as f64;
            *offer = ((premium - limit) / 0.002 - have).clamp(0.0, CAPACITY - have);
        }
        let offered: f64 = offers.iter().sum();
        let share = if offered > need { need / offered } else { 1.0 };
        for (have, offer) in self.filled.iter_mut().zip(offers) {
            *have += offer * share;
        }
        let raised = if offered >= need { need } else { offered };
        self.reserves += raised;
        self.cost += premium * raised;
        if offered >= need && self.ttr_steps.is_none() {
            self.ttr_steps = Some(step);
        }
    }
}

impl State for Market {
    fn init(&mut self, schedule: &mut Schedule) {
        for _ in 0..HOLDERS {
            let nerve = self.rng.random();
            schedule.schedule_repeating(Box::new(Holder { nerve, has_left: false }), 0.0, 0);
        }
    }

    fn before_step(&mut self, _: &mut Schedule) {
        let gap = (1.0 - self.reserves / self.supply).max(0.0);
        let price = (1.0 - 2.0 * self.outflow).max(0.5);
        self.fear = 5.0 * (gap / 0.03).min(1.0) + 10.0 * (1.0 - price);
        self.left = 0;
    }

    fn after_step(&mut self, schedule: &mut Schedule) {
        let left = f64::from(self.left);
        self.outflow = left / self.supply;
        self.supply -= left;
        self.reserves -= 1.05 * left;
        self.fill(schedule.step);
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_state_mut(&mut self) -> &mut dyn State {
        self
    }
    fn as_state(&self) -> &dyn State {
        self
    }
    fn reset(&mut self) {}
    fn update(&mut self, _: u64) {}
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|word| word.parse().expect("a number"));
    let runs: u64 = arguments.next().expect("RUNS");
    let seed: u64 = arguments.next().expect("SEED");

    let mut rng = SmallRng::seed_from_u64(seed);
    let mut results = Vec::new();
    let start = ProcessTime::now();
    for _ in 0..runs {
        let mut state = Market::new(SmallRng::from_rng(&mut rng));
        // What `simulate!` does for each repetition, less its screen.
        let mut schedule = Schedule::new();
        state.init(&mut schedule);
        for _ in 0..STEPS {
            schedule.step(&mut state);
        }
        results.push([state.ttr_h(), state.cost, state.redeemed()]);
    }
    let cpu_s = start.elapsed().as_secs_f64();

    let [ttr, cost, redeemed] = [0, 1, 2].map(|at| moments(&results, at));
    println!(
        "{{\"peer\": \"krABMaga\", \"version\": \"0.6.2\", \"trick\": false, \"runs\": {runs}, \"cpu_s\": {cpu_s}, \
         \"runs_per_cpu_s\": {}, \"ttr_h_mean\": {}, \"ttr_h_se\": {}, \"cost_mean\": {}, \"cost_se\": {}, \
         \"redeemed_mean\": {}, \"redeemed_se\": {}}}",
        runs as f64 / cpu_s, ttr.0, ttr.1, cost.0, cost.1, redeemed.0, redeemed.1
    );
}

/// Mean and its standard error.
fn moments(results: &[[f64; 3]], at: usize) -> (f64, f64) {
    let n = results.len() as f64;
    let mean = results.iter().map(|result| result[at]).sum::<f64>() / n;
    let square = results.iter().map(|result| (result[at] - mean).powi(2)).sum::<f64>();
    (mean, (square / (n - 1.0) / n).sqrt())
}
