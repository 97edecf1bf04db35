use primitives::frames::Flaw;
use protocol::RequestStatus;
use recovery::DisclosureMode::Immediate;
use sim::Faults;
use sim::audit::{Finding, audit, reveals};

use crate::{Disks, inputs, quick, run};

#[test]
fn same_seed_same_journal_and_the_audit_agrees_until_a_byte_flips() {
    let disks = Disks::default();
    let report = run(inputs(&quick(), Immediate, 1, Faults::default()), &disks).unwrap();
    assert!(report.is_success() && report.rounds >= 2, "{} rounds", report.rounds);
    assert_eq!(report.request.map(|request| request.status), Some(RequestStatus::Filled));
    assert!(report.lines.iter().any(|line| line.public.starts_with("PARTIALLY_FILLED")));
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
