use primitives::frames::Flaw;
use primitives::{Amount, PRICE_ONE, Premium, Price};
use protocol::RequestStatus;
use recovery::DisclosureMode::Immediate;
use sim::audit::{Finding, audit, reveals};
use sim::{Faults, Report, What};

use crate::{Disks, inputs, quick, run};

#[test]
fn same_seed_same_journal_and_the_audit_agrees_until_a_byte_flips() {
    let disks = Disks::default();
    let report = run(inputs(&quick(), Immediate, 1, Faults::default()), &disks).unwrap();
    assert!(report.is_success() && report.rounds >= 2, "{} rounds", report.rounds);
    assert_eq!(report.request.map(|request| request.status), Some(RequestStatus::Filled));
    the_record_holds(&report);
    assert!(report.mint_allowed);

    let again = run(inputs(&quick(), Immediate, 1, Faults::default()), &Disks::default()).unwrap();
    assert_eq!(report.journal_hash, again.journal_hash);
    let other = run(inputs(&quick(), Immediate, 2, Faults::default()), &Disks::default()).unwrap();
    assert_ne!(report.journal_hash, other.journal_hash);

    // A finished journal is only read.
    let reread = run(inputs(&quick(), Immediate, 1, Faults::default()), &disks).unwrap();
    assert_eq!(report.journal_hash, reread.journal_hash);

    let bytes = disks.journal.bytes();
    let audited = audit(&bytes).unwrap();
    assert_eq!(audited.journal_hash, report.journal_hash);
    assert!(reveals(&audited.opening, 1).unwrap());
    assert!(!reveals(&audited.opening, 2).unwrap());

    // Every byte is under the hash chain; a stride that is coprime to every field length visits all kinds.
    for position in (0..bytes.len()).step_by(997) {
        let mut changed = bytes.clone();
        changed[position] ^= 0x40;
        assert!(
            matches!(audit(&changed), Err(Finding::Flaw(Flaw::Damaged { .. }))),
            "byte {position}"
        );
    }
    let cut = audit(&bytes[..bytes.len() - 1]);
    assert!(matches!(cut, Err(Finding::Flaw(Flaw::Torn { .. }))));
}

/// Figures of the record, each against where else it can be had: makers' own notices against the issuer's, what is asked
/// against what the enclave committed to, sums against the position that the proofs carry.
fn the_record_holds(report: &Report) {
    let (mut asked, mut position, mut brought) = (Amount::ZERO, Amount::ZERO, 0);
    let mut statuses = Vec::new();
    for line in &report.lines {
        match &line.what {
            What::Requested { amount, .. } => asked = *amount,
            What::Settled { status, moved: Some(moved), .. } => {
                let filled = position.checked_add(moved.collateral).unwrap();
                assert_eq!(moved.position, filled, "makers' fills are the issuer's position");
                assert_eq!(
                    moved.remaining,
                    asked.checked_sub(filled).unwrap(),
                    "of what was asked"
                );
                (position, brought) = (moved.position, brought + usize::from(moved.makers));
                statuses.push(*status);
            }
            What::Reading { reserves, liabilities, gap, .. } => {
                let required = report.target.of_ceil(*liabilities).unwrap();
                assert_eq!(*gap, required.saturating_sub(*reserves));
            }
            _ => {}
        }
    }
    assert!(statuses.contains(&RequestStatus::PartiallyFilled));
    assert_eq!(report.raised(), position);
    let fills = report.settled().map(|clearing| clearing.fills.len()).sum::<usize>();
    assert_eq!(
        (fills, report.settled().count()),
        (brought, usize::try_from(report.rounds).unwrap())
    );
    // At a price of one, worth is the collateral, and each payout is at its premium.
    assert_eq!(report.worth(), report.raised());
    let priced = |premium: Premium| report.raised().payout_ceil(Price(PRICE_ONE), premium).unwrap();
    let (least, most) = report.premiums().unwrap();
    assert!(priced(least) <= report.paid() && report.paid() <= priced(most));
    assert!(report.lines.is_sorted_by_key(|line| line.at));
}
