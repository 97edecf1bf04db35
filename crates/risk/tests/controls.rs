//! Negative and positive controls: a coin that can pay is not run without news, and one that cannot is run with it.
//! Hourly steps, a month, and what lies between in the direction that the closed form has.

mod common;

use common::{mean, policy, runs, scenario, share};
use risk::closed_form::{Leaving, log_normal_cdf};
use risk::{Outcome, Scenario};

const RUNS: u64 = 25;

/// A coin with `liquid` of supply payable at once, `cover` in all before the shock, and no maker to help it.
fn coin(liquid: f64, cover: f64, shock: &str) -> Scenario {
    scenario(&format!(
        "horizon = \"720 h\"\nstep = \"1 h\"\n[issuer]\nliquid = \"{:.4}%\"\nilliquid = \"{:.4}%\"\n[shock]\n{shock}\n\
         [holders]\ncount = 2000",
        liquid * 100.0,
        (cover - liquid) * 100.0
    ))
}

fn alone(world: &Scenario, disclosure: &str) -> Vec<Outcome> {
    runs(world, &policy("kind = \"nothing\"", disclosure), RUNS)
}

#[test]
fn without_news_no_coin_that_can_pay_fails_in_a_month() {
    let (mut failed, mut all) = (0, 0);
    for liquid in 1..=10 {
        for cover in 10..=15 {
            let world = coin(f64::from(liquid) / 10.0, f64::from(cover) / 10.0, "gap = \"0%\"");
            for outcome in alone(&world, "none") {
                failed += u32::from(outcome.failed);
                all += 1;
                // Calm alone: 4·10⁻⁵ an hour for a month.
                assert!(outcome.redeemed < 0.06, "{}", outcome.redeemed);
            }
        }
    }
    assert!(failed * 100 < all, "{failed} of {all}");
}

#[test]
fn a_hole_of_a_fifth_that_is_published_with_a_tenth_liquid_fails() {
    let world = coin(0.3, 1.0, "gap = \"20%\"");
    let outcomes = runs(&world, &policy("kind = \"nothing\"", "public"), 200);
    assert!(share(&outcomes, |o| o.failed) > 0.95);
}

#[test]
fn the_same_hole_of_which_nobody_knows_is_no_reason_to_run() {
    let outcomes = alone(&coin(0.3, 1.0, "gap = \"20%\""), "none");
    assert!(outcomes.iter().all(|o| !o.failed && o.redeemed < 0.06));
}

#[test]
fn cover_beyond_what_selling_costs_holds_under_a_rumour_that_is_answered() {
    // The answer shows that nothing is missing. What is left is what selling slow reserves would cost who stays.
    for liquid in [0.1, 0.3, 0.6] {
        let redeemed = |cover: f64| {
            let world = coin(liquid, cover, "gap = \"0%\"\nrumour = \"20%\"");
            let outcomes = alone(&world, "public");
            assert!(outcomes.iter().all(|o| !o.failed), "{liquid} {cover}");
            mean(&outcomes, |o| o.redeemed_72h).0
        };
        let (just, more) = (redeemed(1.0), redeemed(1.1));
        assert!(more < 0.006 && more <= just, "{liquid}: {just} {more}");
    }
}

#[test]
fn a_rumour_moves_more_the_less_cover_and_the_more_it_tells() {
    let redeemed = |cover: f64, rumour: u32| {
        let world = coin(0.4, cover, &format!("gap = \"0%\"\nrumour = \"{rumour}%\""));
        mean(&alone(&world, "none"), |o| o.redeemed_72h).0
    };
    let by_cover = [1.0, 1.1, 1.3].map(|cover| redeemed(cover, 20));
    assert!(by_cover.is_sorted_by(|a, b| a > b), "{by_cover:?}");
    let by_size = [0, 5, 20, 60].map(|rumour| redeemed(1.0, rumour));
    assert!(by_size.is_sorted_by(|a, b| a < b), "{by_size:?}");
}

#[test]
fn what_a_published_hole_moves_in_three_days_is_the_closed_forms() {
    // All liquid, so that cover is all that counts: it falls by what leaves, and more leave for that.
    let holders = Scenario::default().holders;
    let mut before = 0.0;
    for gap in [0.0005, 0.001, 0.003, 0.01] {
        let shock = format!("gap = \"{:.4}%\"", gap * 100.0);
        let left = mean(&alone(&coin(1.0, 1.0, &shock), "public"), |o| o.redeemed_72h).0;
        let leaving = Leaving::within(0.02, 72.0, 0.01, 0.02, 0.005);
        let at_first =
            log_normal_cdf(leaving.gain(1.0 - gap, 1.0 - gap), holders.cost.0, holders.cost_sd.0);
        // Two readings, an hour apart, before anything is told.
        let told_h = 71.0;
        let least = 1.0 - (-(holders.calm.0 + holders.attention.0 * at_first) * told_h).exp();
        let most = 1.0 - (-(holders.calm.0 + holders.attention.0) * told_h).exp();
        assert!(left > least - 0.02 && left < most + 0.01, "{gap}: {least} {left} {most}");
        assert!(left > before, "{gap}");
        before = left;
    }
}
