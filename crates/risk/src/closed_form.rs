//! What can be said without simulating: the formulas of the book's simulator page, each with its source. The
//! model uses them where it can, and tests compare it with them where it cannot.

use crate::maths::{bisect, normal_cdf};

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

/// What leaving gains a holder where all who can act might leave as well. Shares of what is outstanding.
///
/// With `n` others leaving, the coin pays P = ℓ + min(m·τ, (R − ℓ)/(1 + φ)) of them before the matter is settled. Up to P who
/// leaves has 1, and who stays what is left over, at most 1. Beyond it redemption is frozen: who was paid has 1, all others w,
/// what is left over less λ.
///
/// Source: the payoffs are those of a coin with a queue, after Goldstein and Pauzner (2005), "Demand-deposit contracts and
/// the probability of bank runs"; the belief about `n` is Laplacian, after Morris and Shin (2003), "Global games: theory
/// and applications", section 2; book, simulator 7.3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leaving {
    /// n̄: share of holders who can act before the matter is settled, in (0, 1].
    pub acting: f64,
    /// m·τ: what of slow reserves can be sold until then.
    pub sellable: f64,
    /// φ: what selling them costs, over what it raises.
    pub fire_sale: f64,
    /// λ: what being frozen costs, a share of what is due.
    pub frozen: f64,
}

impl Leaving {
    /// For holders who act with hazard `attention` and a matter settled after `settled_h`, with `liquidation` sold an hour:
    /// n̄ = 1 − exp(−ωτ), m·τ.
    pub fn within(
        attention: f64,
        settled_h: f64,
        liquidation: f64,
        fire_sale: f64,
        frozen: f64,
    ) -> Self {
        Self {
            // Where nobody acts, what one gains by being the first.
            acting: -libm::expm1(-(attention * settled_h).max(1e-9)),
            sellable: liquidation * settled_h,
            fire_sale,
            frozen,
        }
    }

    /// P at cover `cover` and liquid share `liquid`.
    pub fn paid(&self, cover: f64, liquid: f64) -> f64 {
        liquid + self.sellable.min((cover - liquid).max(0.0) / (1.0 + self.fire_sale))
    }

    /// Γ: what leaving gains over staying on average over n, uniform from 0 to n̄. Neither share below 0, liquid at most
    /// cover.
    ///
    /// The three stretches of n integrate to logarithms, so this is exact: `(1/n̄) ∫₀^n̄ (leave − stay) dn`.
    pub fn gain(&self, cover: f64, liquid: f64) -> f64 {
        let cover = cover.max(0.0);
        let liquid = liquid.clamp(0.0, cover);
        let paid = self.paid(cover, liquid);
        // ∫ 1/(1 − n) from a to b. Nobody is alone in staying.
        let stretch = |a: f64, b: f64| {
            let b = b.min(1.0 - 1e-12);
            if b > a { libm::log1p((b - a) / (1.0 - b)) } else { 0.0 }
        };
        let mut sum = 0.0;
        // Paid out of liquid reserves: who stays bears the hole.
        let easy = liquid.min(self.acting);
        if cover < 1.0 {
            sum += (1.0 - cover) * stretch(0.0, easy);
        }
        // Paid by selling: it bears what that costs, once it has eaten the surplus.
        let surplus = (cover - 1.0).max(0.0);
        let from = if surplus > 0.0 { liquid + surplus / self.fire_sale } else { easy };
        let to = paid.min(self.acting);
        if to > from {
            let cost = (1.0 - cover) + self.fire_sale * (1.0 - liquid);
            sum += cost * stretch(from, to) - self.fire_sale * (to - from);
        }
        // Frozen.
        if self.acting > paid && paid > 0.0 {
            let left = cover - paid - self.fire_sale * (paid - liquid);
            let kept = (1.0 - self.frozen) * (left / (1.0 - paid)).clamp(0.0, 1.0);
            sum += paid * (1.0 - kept) * libm::log(self.acting / paid);
        }
        (sum / self.acting).max(0.0)
    }
}

/// ln(p/(1 − p)), infinite at the ends.
pub fn log_odds(probability: f64) -> f64 {
    libm::log(probability) - libm::log1p(-probability)
}

/// The probability of those log-odds.
pub fn truth_of(log_odds: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-log_odds))
}

/// Log-odds of a hole once a share `paid` of supply has been paid out at par: under a hole the share that could be is
/// uniform in 0 to 1, so it lasts with probability 1 − `paid`. A certain hole stays certain.
///
/// Source: Bayes; that surviving teaches is Angeletos, Hellwig and Pavan (2007), "Dynamic global games of regime change".
pub fn survived(log_odds: f64, paid: f64) -> f64 {
    if log_odds == f64::INFINITY { log_odds } else { log_odds + libm::log1p(-paid.clamp(0.0, 1.0)) }
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

    /// Frictions of the note's table: ω = 0.02 over a week, 5 % sold, at 2 %, frozen at 0.5 %.
    fn frictions() -> Leaving {
        Leaving {
            sellable: 0.05,
            fire_sale: 0.02,
            frozen: 0.005,
            ..Leaving::within(0.02, 168.0, 0.0, 0.0, 0.0)
        }
    }

    fn frictionless(acting: f64) -> Leaving {
        Leaving { acting, sellable: 0.0, fire_sale: 0.0, frozen: 0.0 }
    }

    #[test]
    fn a_liquid_coins_hole_is_worth_its_size_times_how_many_may_act() {
        for (attention, settled_h, factor) in [
            (0.0015, 24.0, 1.018),
            (0.0015, 168.0, 1.131),
            (0.02, 24.0, 1.259),
            (0.02, 168.0, 3.481),
            (0.1, 24.0, 2.639),
        ] {
            let leaving = Leaving::within(attention, settled_h, 0.01, 0.0, 0.0);
            let all: f64 = attention * settled_h;
            near(all / -(-all).exp_m1(), factor, 5e-4);
            for gap in [1e-6, 0.001, 0.03] {
                near(leaving.gain(1.0 - gap, 1.0 - gap) / gap, factor, 5e-4);
            }
        }
        // Where all may act it is the entropy of the hole, in nats.
        let all = frictionless(1.0);
        for (gap, expected) in
            [(0.001, 0.00791), (0.01, 0.05600), (0.03, 0.13474), (0.08, 0.27877), (0.2, 0.50040)]
        {
            near(all.gain(1.0 - gap, 1.0 - gap), expected, 5e-6);
            let entropy = gap * (1.0 / gap).ln() + (1.0 - gap) * (1.0 / (1.0 - gap)).ln();
            near(all.gain(1.0 - gap, 1.0 - gap), entropy, 1e-9);
        }
    }

    #[test]
    fn what_leaving_gains_is_the_notes_table_in_basis_points() {
        for (cover, row) in [
            (1.5, [14.5, 18.4, 16.0, 7.8, 0.0]),
            (1.0, [18.0, 24.0, 24.0, 17.0, 0.0]),
            (0.99, [69.0, 125.0, 177.0, 261.0, 348.0]),
            (0.97, [170.0, 327.0, 484.0, 749.0, 1044.0]),
        ] {
            for (liquid, expected) in [0.1, 0.3, 0.5, 0.75, 1.0].into_iter().zip(row) {
                near(1e4 * frictions().gain(cover, liquid), expected, 0.6);
            }
        }
        for (liquid, expected) in [(0.1, 1032.0), (0.3, 2043.0), (0.5, 3096.0), (0.75, 4890.0)] {
            near(1e4 * frictions().gain(0.8, liquid), expected, 0.6);
        }
        // Who would leave while there is news, at a median cost of half a percent: the ranges of the note.
        let share = |cover, liquid| log_normal_cdf(frictions().gain(cover, liquid), 0.005, 1.0);
        near(share(1.5, 0.1), 0.11, 0.005);
        near(share(1.0, 0.3), 0.24, 0.005);
        near(share(0.99, 0.1), 0.63, 0.005);
        near(share(0.99, 1.0), 0.97, 0.005);
        assert!(share(0.9, 0.1) > 0.85 && share(0.9, 0.9) > 0.99);
        near(share(0.8, 0.1), 0.999, 5e-4);
    }

    /// The definition, others at the middle of each of many parts.
    fn by_hand(leaving: &Leaving, cover: f64, liquid: f64) -> f64 {
        let parts = 200_000;
        let paid = liquid + leaving.sellable.min((cover - liquid) / (1.0 + leaving.fire_sale));
        let sum: f64 = (0..parts)
            .map(|part| {
                let n = (f64::from(part) + 0.5) / f64::from(parts) * leaving.acting;
                let left =
                    |n: f64| (cover - n - leaving.fire_sale * (n - liquid).max(0.0)) / (1.0 - n);
                if n <= paid {
                    1.0 - left(n).min(1.0)
                } else {
                    let kept = (1.0 - leaving.frozen) * left(paid).min(1.0);
                    paid / n + (1.0 - paid / n) * kept - kept
                }
            })
            .sum();
        sum / f64::from(parts)
    }

    #[test]
    fn the_closed_form_of_the_gain_is_the_average_that_defines_it() {
        for acting in [0.05, 0.5, 0.95] {
            for (sellable, fire_sale, frozen) in
                [(0.0, 0.0, 0.0), (0.05, 0.02, 0.005), (0.7, 0.02, 0.0), (0.3, 0.2, 0.02)]
            {
                let leaving = Leaving { acting, sellable, fire_sale, frozen };
                for cover in [0.3_f64, 0.8, 0.97, 1.0, 1.01, 1.04, 1.5] {
                    for liquid in [0.0, 0.02, 0.3, 0.6, 0.9] {
                        let liquid = cover.min(liquid);
                        let (found, wanted) =
                            (leaving.gain(cover, liquid), by_hand(&leaving, cover, liquid));
                        near(found, wanted, 1e-4);
                    }
                }
            }
        }
    }

    #[test]
    fn a_coin_that_can_pay_gives_no_reason_to_leave() {
        // Cover that pays for selling all that can be sold in time, and no cost of waiting.
        let leaving = Leaving { frozen: 0.0, ..frictions() };
        for liquid in [0.0, 0.1, 0.3, 0.5, 0.75, 0.95] {
            let enough = 1.0 + leaving.fire_sale * leaving.sellable;
            near(leaving.gain(enough, liquid), 0.0, 1e-15);
            assert!(leaving.gain(0.999, liquid) > 0.0 || liquid == 0.0, "{liquid}");
        }
        for gap in [1e-3, 1e-6, 1e-9] {
            assert!(frictionless(0.9).gain(1.0 - gap, 1.0 - gap) < 10.0 * gap);
        }
        assert_eq!(log_normal_cdf(0.0, 0.005, 1.0), 0.0);
    }

    #[test]
    fn a_worse_hole_is_a_better_reason() {
        for liquid in [0.05, 0.3, 0.7] {
            let gains: Vec<f64> = [1.2, 1.0, 0.99, 0.97, 0.9, 0.8]
                .into_iter()
                .map(|cover| frictions().gain(cover, liquid))
                .collect();
            assert!(gains.is_sorted(), "{gains:?}");
        }
    }

    #[test]
    fn surviving_teaches_as_much_as_bayes_says() {
        for (paid, expected) in [(0.10, 0.278), (0.25, 0.243), (0.50, 0.176), (0.90, 0.041)] {
            near(truth_of(survived(log_odds(0.3), paid)), expected, 5e-4);
        }
        assert_eq!(truth_of(survived(log_odds(1.0), 0.9)), 1.0);
        assert_eq!(truth_of(survived(log_odds(0.3), 1.0)), 0.0);
        // A rumour so many times likelier where there is a hole, before and after.
        for (prior, factor, after) in
            [(0.005, 3.0, 0.015), (0.005, 50.0, 0.201), (0.2, 10.0, 0.714)]
        {
            near(truth_of(log_odds(prior) + libm::log(factor)), after, 1e-3);
        }
    }

    /// A second, older account of the same: thresholds of a global game that was survived once.
    ///
    /// Source: Angeletos, Hellwig and Pavan (2007), "Dynamic global games of regime change: learning, multiplicity, and the
    /// timing of attacks", proposition 2, in the terms of Morris and Shin (2003).
    mod dynamic_game {
        use super::near;
        use crate::maths::{bisect, normal_cdf, normal_quantile};

        const COST: f64 = 0.25;

        /// θ* of the static game: `θ* = Φ((α/√β)(θ* − z) − √((α+β)/β)·Φ⁻¹(κ))`, unique for these.
        fn first(alpha: f64, z: f64, beta: f64) -> f64 {
            let root = ((alpha + beta) / beta).sqrt();
            bisect(0.0, 1.0, |theta| {
                let argument = alpha / beta.sqrt() * (theta - z) - root * normal_quantile(COST);
                theta - normal_cdf(argument)
            })
        }

        /// All thresholds above the one survived, ascending; none: nobody attacks.
        fn next(alpha: f64, z: f64, beta: f64, survived: f64) -> Vec<f64> {
            let excess = |theta: f64| {
                let signal = theta + normal_quantile(theta) / beta.sqrt();
                let mean = (beta * signal + alpha * z) / (alpha + beta);
                let root = (alpha + beta).sqrt();
                let lower = normal_cdf(root * (survived - mean));
                (normal_cdf(root * (theta - mean)) - lower) / (1.0 - lower) - COST
            };
            let parts = 4_000;
            let at = |part: i32| survived + (1.0 - survived) * f64::from(part) / f64::from(parts);
            (1..parts - 1)
                .map(|part| (at(part), at(part + 1)))
                .filter(|(low, high)| (excess(*low) > 0.0) != (excess(*high) > 0.0))
                .map(|(low, high)| bisect(low, high, excess))
                .collect()
        }

        #[test]
        fn without_news_a_coin_that_survived_is_not_attacked_again() {
            let theta = first(25.0, 0.95, 400.0);
            near(theta, 0.6033, 1e-4);
            for beta in [400.0, 500.0, 600.0, 700.0, 800.0] {
                assert!(next(25.0, 0.95, beta, theta).is_empty(), "{beta}");
            }
            for (beta, expected) in [
                (900.0, [0.6497, 0.6718]),
                (1_000.0, [0.6423, 0.6798]),
                (2_000.0, [0.6234, 0.7062]),
                (20_000.0, [0.6080, 0.7381]),
            ] {
                let found = next(25.0, 0.95, beta, theta);
                assert_eq!(found.len(), 2, "{beta} {found:?}");
                found.iter().zip(expected).for_each(|(found, wanted)| near(*found, wanted, 2e-4));
            }
        }

        #[test]
        fn news_starts_what_waiting_does_not() {
            let theta = first(25.0, 0.95, 400.0);
            assert!(next(25.0, 0.90, 400.0, theta).is_empty());
            assert!(next(25.0, 0.85, 400.0, theta).is_empty());
            for (z, expected) in [(0.8, [0.6566, 0.7262]), (0.7, [0.6410, 0.7906])] {
                let found = next(25.0, z, 400.0, theta);
                assert_eq!(found.len(), 2, "{z} {found:?}");
                found.iter().zip(expected).for_each(|(found, wanted)| near(*found, wanted, 2e-4));
            }
        }
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
