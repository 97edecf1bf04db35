use protocol::Outcome;
use recovery::DisclosureMode::Sealed;
use sim::{Faults, Report, Transaction};

use crate::{Disks, inputs_with, quick, run};

/// What an observer can compare of a transaction. Zero bytes of calldata cost 4 gas instead of 16; nothing
/// else may differ.
fn seen(transaction: &Transaction) -> (u32, &str, &str, usize, u64, bool) {
    let gas = transaction.gas_used + 12 * transaction.calldata_zeros as u64;
    (
        transaction.tick,
        &transaction.contract,
        transaction.function,
        transaction.calldata_len,
        gas,
        transaction.success,
    )
}

fn before_opening(report: &Report, opens: u32) -> Vec<&Transaction> {
    report.transactions.iter().filter(|transaction| transaction.tick < opens).collect()
}

#[test]
fn sealed_ticks_of_a_healthy_and_of_an_emergency_run_are_alike_until_the_opening() {
    // Epochs short enough for a test: the shock strikes in the first, the second fills it.
    let deployment = include_str!("../../../../deployments/embedded.toml")
        .replace("rounds_per_epoch = 4", "rounds_per_epoch = 2");
    let emergency = quick()
        .replace("ticks_max = 40", "ticks_max = 26")
        .replace("ticks_after = 1", "ticks_after = 12");
    let begin = emergency.find("[[shock]]").unwrap();
    let end = emergency.find("# ---- Assumptions").unwrap();
    let healthy = format!("{}{}", &emergency[..begin], &emergency[end..]);
    let go = |scenario: &str| {
        let inputs = inputs_with(scenario, &deployment, Sealed, 1, Faults::default());
        run(inputs, &Disks::default()).unwrap()
    };
    let (healthy, emergency) = (go(&healthy), go(&emergency));
    // The first epoch opens on tick 13 and says how its own request ended; the shock struck during it, and
    // the second epoch's rounds fill what it took. Up to the second opening nothing differs, nor at the first.
    let (left, right) = (before_opening(&healthy, 25), before_opening(&emergency, 25));
    assert!(
        left.iter().any(|t| t.function == "confidentialFill"),
        "rounds settle in a healthy epoch too"
    );
    assert!(left.iter().any(|t| t.function == "attestRecovery" && t.tick == 13));
    assert_eq!(left.iter().filter(|t| t.function == "reportStatus").count(), 24);
    assert_eq!(left.len(), right.len());
    for (healthy, emergency) in left.iter().zip(&right) {
        assert_eq!(seen(healthy), seen(emergency));
    }
    // And yet one of them raised billions.
    assert!(!emergency.raised().is_zero() && healthy.raised().is_zero());
    // The public bit is the same in both at the first opening, when only one of them was whole.
    assert_eq!(healthy.outcome, Outcome::Healthy);
    assert_eq!(emergency.outcome, Outcome::Recovered);
}
