//! The weekend of March 2023 beside the series itself, where it is at hand.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may read a file that somebody put there"
)]

mod common;

use common::{policy, runs, share};
use risk::usdc;

/// Of Kraken's public trades; where it is from stands with the moments that are computed from it.
const SERIES: &str = "kraken_usdcusd_1h_2023-03-10_2023-03-14.csv";

/// Hourly discounts of Kraken's volume-weighted price, if the series is beside the repository.
fn kraken() -> Option<Vec<f64>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    // Beside the clone, or one further up for a worktree.
    let text = ["../shared/data", "../../shared/data", "../data"]
        .iter()
        .find_map(|folder| std::fs::read_to_string(format!("{root}/{folder}/{SERIES}")).ok())?;
    let discounts = text.lines().skip(1).map(|line| {
        let vwap: f64 = line.split(',').nth(5).unwrap().parse().unwrap();
        1.0 - vwap
    });
    Some(discounts.collect())
}

#[test]
fn the_path_is_within_a_percent_of_the_series() {
    let Some(series) = kraken() else {
        println!("skipped: {SERIES} is not beside the repository; its moments are usdc::PUBLISHED");
        return;
    };
    assert_eq!(series.len(), usdc::HOURS);
    let published = usdc::moments(&series);
    assert!((published.max - usdc::PUBLISHED.max).abs() < 5e-5);
    assert_eq!(published.hours_below, usdc::PUBLISHED.hours_below);
    for (found, noted) in published.means.iter().zip(usdc::PUBLISHED.means) {
        assert!((found - noted).abs() < 1e-4, "{found} {noted}");
    }
    let note = usdc::rmse(&usdc::NOTE.path(), &series);
    let moments_only = usdc::rmse(&usdc::fit(&usdc::PUBLISHED).path(), &series);
    println!(
        "RMSE {:.1} bp with the note's fit, {:.1} bp fitted to moments alone",
        note * 1e4,
        moments_only * 1e4
    );
    assert!(note < 0.0100, "{note}");
    assert!(moments_only < 0.0115, "{moments_only}");
}

#[test]
fn in_the_weekends_world_a_sealed_call_fills_before_the_disclosure_and_doing_nothing_does_not() {
    let world = usdc::scenario();
    let nothing = runs(&world, &policy("kind = \"nothing\"", "none"), 40);
    let call = runs(&world, &policy("kind = \"cdpr-uniform\"", "none"), 40);
    assert!(nothing.iter().all(|o| !o.recovered));
    let in_time = u32::try_from(usdc::DISCLOSED - usdc::RECEIVERSHIP).unwrap() * 12;
    assert!(share(&call, |o| o.ttr_steps.is_some_and(|steps| steps < in_time)) > 0.9);
}
