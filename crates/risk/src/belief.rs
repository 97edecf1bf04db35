//! What holders believe of the reserves, and how many of them would leave. Book, simulator 7.3.
//!
//! A belief is a chance that there is a hole, kept as log-odds so that each observation is one addition, and the sizes it
//! may have. It moves by what is told and by what is paid, never by itself.

use crate::closed_form::{Leaving, log_normal_cdf, log_odds, survived, truth_of};
use crate::scenario::{Kind, Scenario};

/// What holders go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// What they always believed.
    Prior,
    /// A rumour.
    Rumour,
    /// A flag, which a drill may have fired.
    Flag,
    /// A range.
    Range,
    /// The figure.
    Public,
}

/// What stands behind the coin, in shares of what is outstanding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Books {
    /// R: all good reserves, as if nothing were missing.
    pub(crate) cover: f64,
    /// ℓ: what can be paid at once, likewise.
    pub(crate) liquid: f64,
    /// What is missing.
    pub(crate) missing: f64,
}

/// Sizes that stand for all where the size is not told.
const SIZES: usize = 8;

/// A scenario's holders, prepared once.
#[derive(Debug, Clone)]
pub(crate) struct Beliefs {
    leaving: Leaving,
    cost: f64,
    cost_sd: f64,
    /// Log-odds of a hole by what is known.
    doubt: f64,
    rumour: f64,
    flag: f64,
    feared: [f64; SIZES],
    rumoured: f64,
    range_width: f64,
    /// A hole takes from cover too; else it is only out of reach.
    is_loss: bool,
}

impl Beliefs {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let (holders, issuer, shock) = (&scenario.holders, &scenario.issuer, &scenario.shock);
        let doubt = log_odds(holders.doubt.0);
        let heard = if shock.rumour.0 > 0.0 { libm::log(holders.rumour_odds.0) } else { 0.0 };
        let mut size = -0.5;
        Self {
            leaving: Leaving::within(
                holders.attention.0,
                holders.settled.hours(),
                issuer.liquidation.0,
                issuer.fire_sale.0,
                holders.frozen.0,
            ),
            cost: holders.cost.0,
            cost_sd: holders.cost_sd.0,
            doubt,
            rumour: doubt + heard,
            // A flag fires on every hole, and by chance without one.
            flag: doubt + heard - libm::log(scenario.adversary.cover.0),
            feared: [(); SIZES].map(|()| {
                size += 1.0;
                -holders.feared_gap.0 * libm::log1p(-size / SIZES as f64)
            }),
            rumoured: shock.rumour.0,
            range_width: holders.range_width.0,
            is_loss: shock.kind == Kind::Solvency,
        }
    }

    /// A: share of holders who would leave, who go by `known` and have seen `paid` of supply paid out since the news.
    pub(crate) fn leaving(&self, known: Known, books: &Books, paid: f64) -> f64 {
        let mean = |sizes: &[f64; SIZES]| {
            sizes.iter().map(|size| self.gain(books, *size)).sum::<f64>() / SIZES as f64
        };
        let (odds, with_hole) = match known {
            Known::Public => return self.leaving_if_known(books),
            Known::Prior => (self.doubt, mean(&self.feared)),
            Known::Rumour => (self.rumour, self.gain(books, self.rumoured)),
            Known::Flag => (self.flag, mean(&self.feared)),
            Known::Range => {
                let low = libm::floor(books.missing / self.range_width + 1e-9) * self.range_width;
                let mut part = -0.5;
                let sizes = [(); SIZES].map(|()| {
                    part += 1.0;
                    low + self.range_width * part / SIZES as f64
                });
                (f64::INFINITY, mean(&sizes))
            }
        };
        let hole = truth_of(survived(odds, paid));
        let without = self.gain(books, 0.0);
        log_normal_cdf(hole * with_hole + (1.0 - hole) * without, self.cost, self.cost_sd)
    }

    /// The same where all know what is missing.
    pub(crate) fn leaving_if_known(&self, books: &Books) -> f64 {
        log_normal_cdf(self.gain(books, books.missing), self.cost, self.cost_sd)
    }

    /// Γ with a hole of that size.
    fn gain(&self, books: &Books, hole: f64) -> f64 {
        let cover = if self.is_loss { books.cover - hole } else { books.cover };
        self.leaving.gain(cover, books.liquid - hole)
    }

    /// How much of a hole the public reckons with in the price when it sees this: 1, or the posterior of a flag.
    pub(crate) fn weight(&self, known: Known) -> f64 {
        match known {
            Known::Prior | Known::Rumour => 0.0,
            Known::Flag => truth_of(self.flag),
            Known::Range | Known::Public => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Books = Books { cover: 1.0, liquid: 0.75, missing: 0.03 };

    fn beliefs(change: impl FnOnce(&mut Scenario)) -> Beliefs {
        let mut scenario = Scenario::default();
        change(&mut scenario);
        Beliefs::new(&scenario)
    }

    #[test]
    fn a_flag_without_drills_is_believed_and_one_with_them_by_their_odds() {
        assert_eq!(beliefs(|_| ()).weight(Known::Flag), 1.0);
        // Half a percent of doubt and a drill in twenty epochs: book, simulator 7.3.
        let drilled = beliefs(|scenario| scenario.adversary.cover.0 = 0.05);
        assert!((drilled.weight(Known::Flag) - 0.0913).abs() < 1e-4);
        let share = |beliefs: &Beliefs| beliefs.leaving(Known::Flag, &WHOLE, 0.0);
        assert!(share(&drilled) < share(&beliefs(|_| ())));
    }

    #[test]
    fn more_leave_the_worse_the_news_and_the_surer() {
        let beliefs = beliefs(|scenario| scenario.shock.rumour.0 = 0.2);
        let figure = |missing| beliefs.leaving_if_known(&Books { missing, ..WHOLE });
        let figures: Vec<f64> = [0.0, 0.001, 0.01, 0.03, 0.2].into_iter().map(figure).collect();
        assert!(figures.is_sorted() && figures[0] < 0.2 && figures[4] > 0.99, "{figures:?}");
        let [prior, rumour, range, flag] = [Known::Prior, Known::Rumour, Known::Range, Known::Flag]
            .map(|known| beliefs.leaving(known, &WHOLE, 0.0));
        assert!(
            prior < rumour && rumour < range && rumour < flag,
            "{prior} {rumour} {range} {flag}"
        );
    }

    #[test]
    fn a_coin_that_goes_on_paying_is_believed_more() {
        let beliefs = beliefs(|scenario| scenario.shock.rumour.0 = 0.2);
        let whole = Books { cover: 1.0, liquid: 1.0, missing: 0.0 };
        let shares: Vec<f64> = [0.0, 0.3, 0.6, 0.9, 1.0]
            .into_iter()
            .map(|paid| beliefs.leaving(Known::Rumour, &whole, paid))
            .collect();
        assert!(shares.is_sorted_by(|a, b| a > b), "{shares:?}");
        assert_eq!(shares[4], 0.0, "everything was paid");
        // A figure leaves nothing to learn.
        let short = Books { missing: 0.03, ..WHOLE };
        assert_eq!(
            beliefs.leaving(Known::Public, &short, 0.0),
            beliefs.leaving(Known::Public, &short, 0.9)
        );
    }

    #[test]
    fn a_hole_of_liquidity_takes_nothing_from_cover() {
        let [lost, stuck] = [Kind::Solvency, Kind::Liquidity].map(|kind| {
            beliefs(|scenario| scenario.shock.kind = kind)
                .leaving_if_known(&Books { missing: 0.2, ..WHOLE })
        });
        assert!(stuck < lost, "{stuck} {lost}");
    }
}
