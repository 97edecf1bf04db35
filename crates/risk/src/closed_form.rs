//! What can be said without simulating: the formulas of the book's simulator page, each with its source. The
//! model uses them where it can, and tests compare it with them where it cannot.

use crate::maths::{bisect, normal_cdf, normal_pdf, normal_quantile};

/// The premium that a maker breaks even at, equation (1): `(r τ + ς + q·LGD) / (1 − q)`.
///
/// `funding` is r τ, `effort` is ς, both shares; `fail` is q, below 1; `loss` is LGD.
///
/// Source: expected value with repayment 1 + π or 1 − LGD; book, simulator 7.6.
pub fn break_even(funding: f64, effort: f64, fail: f64, loss: f64) -> f64 {
    (funding + effort + fail * loss) / (1.0 - fail)
}

/// What a maker offers at premium `premium`, equation (2): `clip((π − c) / s, 0, Q)`.
pub fn supply(premium: f64, cost: f64, slope: f64, capacity: f64) -> f64 {
    if premium < cost {
        0.0
    } else if slope <= 0.0 {
        capacity
    } else {
        ((premium - cost) / slope).min(capacity)
    }
}

/// Probability that makers fill at least `gap`, equation (3): they arrive Poisson with mean `arrivals`, and each
/// brings an exponential amount of mean `size`.
///
/// `1 − e^{−μ}(1 + Σ_n μⁿ/n!·P(n, G/q̄))` with P the regularised lower incomplete gamma function, here the tail
/// of a Poisson. Exact to 1e-14 for means up to some hundreds.
///
/// Source: compound Poisson distribution with exponential jumps, Feller (1971) II.4; book, simulator 7.6.
pub fn fill_probability(arrivals: f64, gap: f64, size: f64) -> f64 {
    if gap <= 0.0 {
        return 1.0;
    }
    if arrivals <= 0.0 || size <= 0.0 {
        return 0.0;
    }
    let ratio = gap / size;
    // n arrivals do not reach the gap with probability P(Poisson(ratio) ≥ n).
    let (mut weight, mut term) = (libm::exp(-arrivals), libm::exp(-ratio));
    let (mut short, mut below) = (weight, 0.0);
    let n_max = 200.0 + 4.0 * (arrivals + ratio);
    let mut n = 0.0;
    while n < n_max {
        below += term;
        n += 1.0;
        weight *= arrivals / n;
        term *= ratio / n;
        short += weight * (1.0 - below).max(0.0);
    }
    (1.0 - short).clamp(0.0, 1.0)
}

/// The premium at which [`fill_probability`] reaches `probability`, makers' costs being log-normal with that median
/// and standard deviation of the logarithm; none if no premium does.
///
/// Source: the inverse of Feller (1971) II.4; book, simulator 7.6.
pub fn fill_premium(
    probability: f64,
    arrivals: f64,
    gap: f64,
    size: f64,
    cost: (f64, f64),
) -> Option<f64> {
    if fill_probability(arrivals, gap, size) < probability {
        return None;
    }
    let at = |premium: f64| {
        fill_probability(arrivals * log_normal_cdf(premium, cost.0, cost.1), gap, size)
    };
    Some(bisect(0.0, 1.0, |premium| at(premium) - probability))
}

/// Probability that a log-normal with this median and standard deviation of its logarithm is at most `x`.
pub fn log_normal_cdf(x: f64, median: f64, sd: f64) -> f64 {
    if x <= 0.0 {
        0.0
    } else if sd <= 0.0 {
        f64::from(u8::from(x >= median))
    } else {
        normal_cdf(libm::log(x / median) / sd)
    }
}

/// The holders' game. Source: Morris and Shin (2003), (2004); book, simulator 7.3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Game {
    /// α: precision of what all holders know.
    pub public_precision: f64,
    /// y: what they know of the liquid share.
    pub public_mean: f64,
    /// β: precision of what each sees for itself.
    pub private_precision: f64,
    /// κ: cost of leaving over loss if staying.
    pub kappa: f64,
}

/// One equilibrium: holders leave below `signal`, the issuer fails below `state`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Equilibrium {
    /// θ*.
    pub state: f64,
    /// x*.
    pub signal: f64,
}

impl Game {
    /// Every solution of (4) with its signal (5), ascending; one to three.
    ///
    /// `θ* = Φ((α/√β)(θ* − y) − √((α+β)/β)·Φ⁻¹(κ))`. The difference of the two sides turns where the density
    /// is √β/α, so each root lies alone between turning points and bisection finds it.
    ///
    /// Source: Morris and Shin (2003), "Global games: theory and applications", §3; unique iff α/√β ≤ √(2π).
    pub fn equilibria(&self) -> Vec<Equilibrium> {
        let (alpha, beta) = (self.public_precision, self.private_precision);
        let steepness = alpha / libm::sqrt(beta);
        let quantile = normal_quantile(self.kappa);
        let shift = libm::sqrt((alpha + beta) / beta) * quantile;
        let excess =
            |theta: f64| theta - normal_cdf(steepness * (theta - self.public_mean) - shift);
        let mut edges = vec![0.0];
        let peak = steepness / libm::sqrt(2.0 * core::f64::consts::PI);
        if peak > 1.0 {
            let reach = libm::sqrt(2.0 * libm::log(peak));
            for argument in [-reach, reach] {
                let theta = self.public_mean + (argument + shift) / steepness;
                if theta > 0.0 && theta < 1.0 {
                    edges.push(theta);
                }
            }
        }
        edges.push(1.0);
        let last = edges.len() - 1;
        // Φ lies strictly between 0 and 1, so the ends have known signs even where it rounds to one of them.
        let signs: Vec<bool> =
            (0..=last).map(|at| at > 0 && (at == last || excess(edges[at]) > 0.0)).collect();
        edges
            .windows(2)
            .zip(signs.windows(2))
            .filter(|(_, sign)| sign[0] != sign[1])
            .map(|(edge, _)| edge)
            .map(|edge| {
                let state = bisect(edge[0], edge[1], excess);
                let signal = ((alpha + beta) * state
                    - libm::sqrt(alpha + beta) * quantile
                    - alpha * self.public_mean)
                    / beta;
                Equilibrium { state, signal }
            })
            .collect()
    }

    /// Share of holders who withdraw at liquid share `theta`, equation (6): `A(θ) = Φ(√β(x* − θ))`.
    pub fn withdrawing(&self, equilibrium: Equilibrium, theta: f64) -> f64 {
        normal_cdf(libm::sqrt(self.private_precision) * (equilibrium.signal - theta))
    }
}

/// Mean and standard deviation of a normal cut to `low ..= high`. An end may be infinite.
///
/// Source: Johnson, Kotz and Balakrishnan (1994), §13.10.
pub fn truncated_normal(mean: f64, sd: f64, low: f64, high: f64) -> (f64, f64) {
    let (a, b) = ((low - mean) / sd, (high - mean) / sd);
    let mass = normal_cdf(b) - normal_cdf(a);
    if mass < 1e-12 {
        // Out in a tail the cut normal crowds at its near end.
        let near = if mean < low { low } else { high };
        return (near, (high - low).abs().min(sd) * 1e-3);
    }
    let at = |z: f64| if z.is_finite() { normal_pdf(z) } else { 0.0 };
    let times = |z: f64| if z.is_finite() { z * normal_pdf(z) } else { 0.0 };
    let drift = (at(a) - at(b)) / mass;
    let variance = 1.0 + (times(a) - times(b)) / mass - drift * drift;
    (mean + sd * drift, sd * libm::sqrt(variance.max(0.0)))
}

/// Stationary standard deviation of an Ornstein–Uhlenbeck process: σ/√(2κ).
///
/// Source: Uhlenbeck and Ornstein (1930); book, simulator 7.5.
pub fn ou_sd(volatility: f64, reversion: f64) -> f64 {
    volatility / libm::sqrt(2.0 * reversion)
}

/// Liquity's base rate. Source: liquity/dev@39f1f7f `TroveManager`; book, simulator 7.7.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BaseRate(pub f64);

impl BaseRate {
    /// The rate after `minutes`, decayed by halves, and after `redeemed` of supply, at most 1.
    ///
    /// Source: liquity/dev@39f1f7f `TroveManager._updateBaseRateFromRedemption`.
    #[must_use]
    pub fn after(self, minutes: f64, half_life_minutes: f64, redeemed: f64, beta: f64) -> Self {
        Self((self.0 * libm::exp2(-minutes / half_life_minutes) + redeemed / beta).min(1.0))
    }

    /// What redeeming costs: `floor + b`, at most 1.
    pub fn fee(self, floor: f64) -> f64 {
        (floor + self.0).min(1.0)
    }
}

/// Reserve's Dutch price at progress `u` in [0, 1], in units of the sell price `best` and the floor `worst`.
///
/// Source: reserve-protocol@9cd3a9a `DutchTrade._price`; book, simulator 7.7.
pub fn reserve_price(u: f64, best: f64, worst: f64) -> f64 {
    if u < 0.2 {
        best * 1000.0 * libm::pow(1.5 / 1000.0, u / 0.2)
    } else if u < 0.45 {
        best * (1.5 - 0.5 * (u - 0.2) / 0.25)
    } else if u < 0.95 {
        best + (worst - best) * (u - 0.45) / 0.5
    } else {
        worst
    }
}

/// A flop auction's lot after `rounds` without bids: `lot · pad^k`.
///
/// Source: dss@fa4f663 `flop.sol` `tick`.
pub fn flop_lot(lot: f64, pad: f64, rounds: u32) -> f64 {
    lot * libm::pow(pad, f64::from(rounds))
}

/// Frax v1's `fxs_out`: `min(C, S·GCR − V)·(1 + bonus − fee) / P`.
///
/// Source: frax-solidity@30532c8 `FraxPoolLibrary.calcRecollateralizeFRAXInner`.
pub fn frax_out(offered: f64, missing: f64, bonus: f64, fee: f64, price: f64) -> f64 {
    offered.min(missing).max(0.0) * (1.0 + bonus - fee) / price
}

/// Umbrella's yield at `x` = staked / target over the yield at the target: e(x)/x with e(x) = (2−x)x to 1, then
/// falling linearly to 0.8 at 1.2, then flat. `x` is above 0.
///
/// Source: aave-umbrella@d34359f `EmissionMath`; book, simulator 7.7.
pub fn umbrella(x: f64) -> f64 {
    if x <= 1.0 {
        2.0 - x
    } else if x <= 1.2 {
        (1.0 - (x - 1.0)) / x
    } else {
        0.8 / x
    }
}

/// Gyroscope's marginal redemption price after `x` of supply has been redeemed: 1 to `at_par`, then falling with
/// `decay`, never below `floor`.
///
/// The anchored form of gyd-core@69a19a0 `PrimaryAMMV1`: there x_U, x_L and the flat part are solved from the reserve so
/// that it is used up exactly; here they are parameters and the floor is the reserve ratio's own bound.
pub fn gyro_price(x: f64, decay: f64, at_par: f64, floor: f64) -> f64 {
    (1.0 - decay * (x - at_par).max(0.0)).max(floor)
}

/// Where Gyroscope's price starts to fall: `x_U = y − √(2Δ/α)` with Δ = y − b, `y` outstanding and `b` in reserve, or,
/// where that price would fall below θ̄, `y − Δ/θ − θ/2α` with θ = 1 − θ̄. And where it turns flat,
/// `x_L = y − √((y − x_U)² − 2Δ/α)`.
///
/// Source: gyd-core@69a19a0; book, simulator 7.7.
pub fn gyro_knees(outstanding: f64, reserve: f64, decay: f64, floor: f64) -> (f64, f64) {
    let missing = (outstanding - reserve).max(0.0);
    let theta = 1.0 - floor;
    let steep = libm::sqrt(2.0 * missing / decay);
    let upper = if decay * steep <= theta || theta <= 0.0 {
        outstanding - steep
    } else {
        outstanding - missing / theta - theta / (2.0 * decay)
    };
    let rest = (outstanding - upper) * (outstanding - upper) - 2.0 * missing / decay;
    (upper, outstanding - libm::sqrt(rest.max(0.0)))
}

/// Probability that somebody of `makers` talks, each with probability `leak`: 1 − (1 − ℓ)^M.
///
/// Source: independence; book, simulator 1.
pub fn panel_leak(leak: f64, makers: u32) -> f64 {
    1.0 - libm::pow(1.0 - leak, f64::from(makers))
}

/// A flag that always fires on a deficit, and by chance `cover` without one.
///
/// Source: Warner (1965), one-sided; book, simulator 7.3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flag {
    /// p₀: probability of a deficit in an epoch.
    pub prior: f64,
    /// f: probability of a drill without one.
    pub cover: f64,
}

impl Flag {
    /// P(deficit | flag); 0 where no flag is possible.
    pub fn posterior(self) -> f64 {
        let shown = self.prior + (1.0 - self.prior) * self.cover;
        if shown > 0.0 { self.prior / shown } else { 0.0 }
    }

    /// ε of differential privacy: ln(1/f), infinite without drills.
    pub fn epsilon(self) -> f64 {
        -libm::log(self.cover)
    }

    /// I(D; flag) in bits.
    pub fn information_bits(self) -> f64 {
        let shown = self.prior + (1.0 - self.prior) * self.cover;
        // A quiet epoch proves that there is no deficit.
        entropy_bits(self.prior) - shown * entropy_bits(self.posterior())
    }

    /// I(D; flag) / H(D).
    pub fn information_share(self) -> f64 {
        self.information_bits() / entropy_bits(self.prior)
    }
}

/// Entropy of a coin of probability `p`, in bits.
pub fn entropy_bits(p: f64) -> f64 {
    let term = |p: f64| if p > 0.0 { -p * libm::log2(p) } else { 0.0 };
    term(p) + term(1.0 - p)
}

/// Bits that a count of fills tells of a gap of at most `gap_max` in lots of `lot`, and what is left of them when the
/// count is padded to a power of two: log₂(G/L) and its log₂.
///
/// Source: elementary, Hartley (1928); book, simulator 7.9.
pub fn fill_bits(gap_max: f64, lot: f64) -> (f64, f64) {
    let bits = libm::log2(gap_max / lot);
    (bits, libm::log2(bits))
}

/// Mean of an exponential of mean `mean` that is known to be at most `bound`, over its mean.
///
/// `1 − (b/m)/(e^{b/m} − 1)`. Source: elementary; used as `E[loss | G ≤ g_max] / E[loss]` of book, simulator 7.6.
pub fn truncated_fear(mean: f64, bound: f64) -> f64 {
    let ratio = bound / mean;
    1.0 - ratio / libm::expm1(ratio)
}

/// A StableSwap pool of two coins, balanced at 1 and 1: how many coins it has taken in where its marginal price is
/// `price` in (0, 1].
///
/// Source: Egorov (2019), "StableSwap", with the factor A·n of deployed pools where the paper has A·nⁿ:
/// 2A(x+y) + D = 2AD + D³/(4xy), D = 2. Curve's `get_D`, `Ann = amp * N_COINS`.
pub fn pool_absorbs(price: f64, amplification: f64) -> f64 {
    // Beyond a thousand times its balance the pool is empty of dollars for every purpose here.
    bisect(1.0, 1000.0, |x| price - pool_price(x, amplification)) - 1.0
}

/// Marginal price of the coin, in dollars, in that pool when it holds `x` of it.
pub fn pool_price(x: f64, amplification: f64) -> f64 {
    let (d, ann) = (2.0, 2.0 * amplification);
    let linear = d - x - d / ann;
    let constant = d * d * d / (4.0 * ann * x);
    let y = 0.5 * (linear + libm::sqrt(linear * linear + 4.0 * constant));
    let curve = d * d * d / 4.0;
    (ann + curve / (x * x * y)) / (ann + curve / (x * y * y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Name, Purpose};

    fn near(value: f64, expected: f64, within: f64) {
        assert!((value - expected).abs() <= within, "{value} is not within {within} of {expected}");
    }

    #[test]
    fn break_even_premiums_are_those_of_the_note() {
        let yearly = |rate: f64, days: f64| rate * days / 365.0;
        near(break_even(yearly(0.10, 7.0), 0.002, 0.01, 0.10), 0.0050, 5e-5);
        near(break_even(yearly(0.10, 7.0), 0.003, 0.05, 0.10), 0.0104, 5e-5);
        near(break_even(yearly(0.15, 30.0), 0.005, 0.01, 1.0), 0.028, 5e-4);
        near(break_even(yearly(0.15, 30.0), 0.01, 0.05, 1.0), 0.076, 5e-4);
        near(break_even(yearly(0.15, 30.0), 0.01, 0.10, 1.0), 0.136, 5e-4);
        near(break_even(yearly(0.10, 2.5), 0.024, 0.15, 0.08), 0.043, 5e-4);
    }

    #[test]
    fn fill_probability_is_that_of_the_note_and_of_monte_carlo() {
        let willing = |arrivals: f64, premium: f64| arrivals * log_normal_cdf(premium, 0.012, 0.6);
        near(fill_probability(willing(12.0, 0.03), 30.0, 6.0), 0.9264, 5e-5);
        for (arrivals, size, row) in [
            (12.0, 6.0, [0.018, 0.380, 0.863, 0.926]),
            (20.0, 6.0, [0.046, 0.724, 0.992, 0.998]),
            (20.0, 10.0, [0.158, 0.901, 0.999, 1.000]),
            (40.0, 6.0, [0.173, 0.987, 1.000, 1.000]),
        ] {
            for (premium, expected) in [0.005, 0.01, 0.02, 0.03].into_iter().zip(row) {
                near(fill_probability(willing(arrivals, premium), 30.0, size), expected, 6e-4);
            }
        }

        let mut stream =
            Name { seed: 1, replication: 0, agent: 0, purpose: Purpose::Bench }.stream();
        let (mean, n) = (willing(12.0, 0.03), 100_000);
        let mut filled = 0;
        for _ in 0..n {
            let (mut at, mut sum) = (stream.exponential(), 0.0);
            while at < mean {
                sum += 6.0 * stream.exponential();
                at += stream.exponential();
            }
            filled += u32::from(sum >= 30.0);
        }
        let p = fill_probability(mean, 30.0, 6.0);
        near(f64::from(filled) / f64::from(n), p, 4.0 * (p * (1.0 - p) / f64::from(n)).sqrt());
    }

    #[test]
    fn the_premium_for_a_fill_probability_is_that_of_the_note() {
        let premium = |p, arrivals, size| fill_premium(p, arrivals, 30.0, size, (0.012, 0.6));
        assert_eq!(premium(0.99, 12.0, 6.0), None);
        near(fill_probability(12.0, 30.0, 6.0), 0.946, 5e-4);
        for (p, arrivals, size, expected) in [
            (0.5, 12.0, 6.0, 0.0113),
            (0.9, 12.0, 6.0, 0.0238),
            (0.5, 20.0, 6.0, 0.0084),
            (0.9, 20.0, 6.0, 0.0124),
            (0.99, 20.0, 6.0, 0.0193),
            (0.99, 20.0, 10.0, 0.0141),
            (0.99, 40.0, 6.0, 0.0102),
        ] {
            near(premium(p, arrivals, size).unwrap(), expected, 6e-5);
        }
    }

    fn game(alpha: f64, y: f64) -> Game {
        Game { public_precision: alpha, public_mean: y, private_precision: 400.0, kappa: 0.25 }
    }

    #[test]
    fn global_game_thresholds_are_those_of_the_note_to_a_ten_thousandth() {
        for (alpha, y, expected) in [
            (0.01, 0.95, &[0.7500][..]),
            (25.0, 0.95, &[0.6033]),
            (25.0, 0.75, &[0.7607]),
            (25.0, 0.55, &[0.8607]),
            (49.0, 0.95, &[0.0773]),
            (49.0, 0.75, &[0.7959]),
            (49.0, 0.55, &[0.9564]),
            (100.0, 0.75, &[0.0014, 0.7097, 0.9671]),
        ] {
            let found = game(alpha, y).equilibria();
            assert_eq!(found.len(), expected.len(), "alpha {alpha}, y {y}: {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                near(found.state, *expected, 1e-4);
            }
        }
    }

    #[test]
    fn the_information_regimes_of_the_note_give_its_thresholds() {
        near(game(49.0, 0.72).equilibria()[0].state, 0.848, 5e-4);
        let (mean, sd) = truncated_normal(0.95, 0.2, f64::NEG_INFINITY, 0.8);
        near(mean, 0.684, 5e-4);
        near(sd, 0.096, 5e-4);
        near(game(49.0, mean).equilibria()[0].state, 0.887, 5e-4);
    }

    #[test]
    fn every_root_solves_the_equation_and_signal_and_state_agree() {
        for alpha in [0.0, 10.0, 49.0, 60.0, 100.0, 400.0] {
            for y in [0.2, 0.5, 0.7, 0.75, 0.9, 1.2] {
                let game = game(alpha, y);
                let roots = game.equilibria();
                assert!(roots.len() == 1 || roots.len() == 3, "{alpha} {y} {roots:?}");
                for root in roots {
                    // At the threshold state exactly that share withdraws.
                    near(game.withdrawing(root, root.state), root.state, 1e-9);
                }
            }
        }
    }

    #[test]
    fn perfect_private_information_leaves_one_minus_kappa() {
        let sharp = Game { private_precision: 1e12, ..game(25.0, 0.95) };
        near(sharp.equilibria()[0].state, 0.75, 1e-4);
    }

    #[test]
    fn the_mechanisms_own_numbers_come_out() {
        near(ou_sd(0.01137, 0.109), 0.0243, 1e-4);

        let v1 = BaseRate(0.0).after(0.0, 720.0, 0.03, 2.0);
        near(v1.fee(0.005), 0.020, 1e-12);
        near(BaseRate(0.0).after(0.0, 360.0, 0.03, 1.0).fee(0.005), 0.035, 1e-12);
        near(v1.after(720.0, 720.0, 0.0, 2.0).0, 0.0075, 1e-12);
        near(BaseRate(1.0).after(360.0, 360.0, 0.0, 1.0).0, 0.5, 1e-12);
        // The constants of the code: what a minute leaves.
        near(BaseRate(1.0).after(1.0, 720.0, 0.0, 2.0).0, 0.999_037_758_833_783, 1e-15);
        near(BaseRate(1.0).after(1.0, 360.0, 0.0, 1.0).0, 0.998_076_443_575_628_8, 1e-15);

        near(reserve_price(0.0, 1.0, 0.98), 1000.0, 1e-9);
        near(reserve_price(0.1, 1.0, 0.98), 38.73, 5e-3);
        near(reserve_price(0.2, 1.0, 0.98), 1.5, 1e-12);
        near(reserve_price(0.45, 1.0, 0.98), 1.0, 1e-12);
        near(reserve_price(0.7, 1.0, 0.98), 0.99, 1e-12);
        near(reserve_price(1.0, 1.0, 0.98), 0.98, 1e-12);

        near(flop_lot(250.0, 1.5, 3), 250.0 * 3.375, 1e-9);
        near(frax_out(20.0, 10.0, 0.0075, 0.0, 2.0), 5.0375, 1e-12);
        for (x, expected) in [(0.25, 1.75), (0.5, 1.5), (1.0, 1.0), (1.2, 0.667), (2.0, 0.4)] {
            near(umbrella(x), expected, 5e-4);
        }
    }

    #[test]
    fn gyroscopes_curve_uses_up_the_reserve_exactly() {
        for (reserve, decay, floor) in [(0.97, 0.3, 0.7), (0.95, 2.0, 0.9), (0.99, 5.0, 0.95)] {
            let (upper, lower) = gyro_knees(1.0, reserve, decay, floor);
            assert!(upper > 0.0 && upper <= lower && lower <= 1.0, "{upper} {lower}");
            // Par to x_U, a slope to x_L, flat from there: what everybody together is paid.
            let flat = 1.0 - decay * (lower - upper);
            let paid = upper + (lower - upper) * (1.0 + flat) / 2.0 + (1.0 - lower) * flat;
            near(paid, reserve, 1e-9);
            assert!(flat >= floor - 1e-9, "{flat}");
        }
        near(gyro_price(0.05, 0.3, 0.1, 0.8), 1.0, 0.0);
        near(gyro_price(0.3, 0.3, 0.1, 0.8), 0.94, 1e-12);
        near(gyro_price(0.9, 0.3, 0.1, 0.8), 0.8, 1e-12);
    }

    #[test]
    fn panels_leak_and_flags_say_what_the_note_says() {
        for (leak, row) in [
            (0.005, [0.058, 0.095, 0.182]),
            (0.01, [0.114, 0.182, 0.331]),
            (0.02, [0.215, 0.332, 0.554]),
        ] {
            for (makers, expected) in [12, 20, 40].into_iter().zip(row) {
                near(panel_leak(leak, makers), expected, 6e-4);
            }
        }
        for (prior, cover, posterior, share, epsilon) in [
            (0.005, 0.0, 1.0, 1.0, f64::INFINITY),
            (0.005, 0.01, 0.334, 0.70, 4.6),
            (0.005, 0.05, 0.091, 0.47, 3.0),
            (0.005, 0.20, 0.025, 0.25, 1.6),
            (0.02, 0.05, 0.290, 0.58, 3.0),
            (0.02, 0.20, 0.093, 0.32, 1.6),
        ] {
            let flag = Flag { prior, cover };
            near(flag.posterior(), posterior, 6e-4);
            near(flag.information_share(), share, 6e-3);
            assert!(flag.epsilon() == epsilon || (flag.epsilon() - epsilon).abs() < 0.05);
        }
        let (bits, padded) = fill_bits(64.0, 1.0);
        near(bits, 6.0, 1e-12);
        near(padded, 2.6, 0.02);
    }

    #[test]
    fn a_bound_halves_the_fear_it_cuts_and_a_wide_one_changes_nothing() {
        near(truncated_fear(0.05, 10.0), 1.0, 1e-9);
        near(truncated_fear(0.05, 0.0005), 0.005, 1e-4);
    }

    /// Curve's own steps for any number of coins: D by Newton, as `get_D` has it, then the marginal price of coin `i` in
    /// coin `j`.
    fn deployed_price(balances: &[f64], amplification: f64, i: usize, j: usize) -> f64 {
        let n = balances.len() as f64;
        let (sum, ann) = (balances.iter().sum::<f64>(), amplification * n);
        let mut d = sum;
        for _ in 0..100 {
            let product = balances.iter().fold(d, |product, balance| product * d / (n * balance));
            d = (ann * sum + product * n) * d / ((ann - 1.0) * d + (n + 1.0) * product);
        }
        let product = balances.iter().fold(d, |product, balance| product * d / (n * balance));
        (ann + product / balances[i]) / (ann + product / balances[j])
    }

    #[test]
    fn a_pool_prices_as_those_deployed_do() {
        // 3pool on 15 June 2023, A = 2000: 57, 56 and 267 million of DAI, USDC and USDT; reported at 0.996 to 0.997.
        // With the paper's A·nⁿ it would have stood at 0.9998.
        let usdt = deployed_price(&[57.0, 56.0, 267.0], 2000.0, 2, 1);
        near(usdt, 0.99788, 5e-6);
        // Marginal discount in percent after selling that share of one side of a balanced pool of two.
        for (amplification, row) in [
            (50.0, [0.40, 1.39, 3.27, 8.52, 29.32]),
            (100.0, [0.20, 0.71, 1.70, 4.75, 22.02]),
            (200.0, [0.10, 0.36, 0.87, 2.52, 15.04]),
            (500.0, [0.04, 0.14, 0.35, 1.05, 7.84]),
            (2000.0, [0.01, 0.04, 0.09, 0.27, 2.33]),
        ] {
            for (sold, discount) in [0.1, 0.3, 0.5, 0.7, 0.9].into_iter().zip(row) {
                let x = 1.0 + sold;
                let price = pool_price(x, amplification);
                near(100.0 * (1.0 - price), discount, 0.006);
                // What is left of dollars in it, from its invariant.
                let y = dollars_left(x, amplification);
                near(price, deployed_price(&[x, y], amplification, 0, 1), 1e-9);
            }
        }
    }

    fn dollars_left(x: f64, amplification: f64) -> f64 {
        let (d, ann): (f64, f64) = (2.0, 2.0 * amplification);
        bisect(1e-9, 1.0, |y| ann * (x + y) + d - ann * d - d.powi(3) / (4.0 * x * y))
    }

    #[test]
    fn a_pool_is_worth_par_in_balance_and_takes_in_more_the_lower_the_price() {
        near(pool_price(1.0, 200.0), 1.0, 1e-12);
        let absorbed: Vec<f64> =
            [1.0, 0.999, 0.99, 0.9].iter().map(|price| pool_absorbs(*price, 200.0)).collect();
        assert!(absorbed.windows(2).all(|pair| pair[0] < pair[1]), "{absorbed:?}");
        near(pool_price(1.0 + absorbed[2], 200.0), 0.99, 1e-9);
    }
}
