use std::collections::BTreeSet;

use recovery::DisclosureMode::Immediate;
use sim::{Error, Faults, Point};

use crate::{Disks, inputs, quick, run};

/// One run that loses everything not durable at every point of every event, once each: before an effect,
/// after it and before its result is kept, and after that. Journal, chain and enclave forget on their own.
#[test]
fn a_run_that_crashes_everywhere_ends_as_one_that_never_did() {
    let undisturbed =
        run(inputs(&quick(), Immediate, 1, Faults::default()), &Disks::default()).unwrap();

    let disks = Disks::default();
    let mut crashed: BTreeSet<(u64, u8)> = BTreeSet::new();
    let (mut restarts, mut torn_len) = (0, 0);
    let report = loop {
        let ended = sim::run(
            inputs(&quick(), Immediate, 1, Faults::default()),
            disks.stores(),
            &mut |_, _| (),
            &mut |point, n_events, _| crashed.insert((n_events, point as u8)),
        );
        match ended {
            Ok(report) => break report,
            Err(Error::Crashed(_)) => {
                // Now and then a few bytes of what was being written survive: a torn tail.
                torn_len = (torn_len + 7) % 23;
                disks.crash(torn_len);
                restarts += 1;
            }
            Err(error) => panic!("after {restarts} restarts: {error}"),
        }
        assert!(restarts < 1_000, "every restart makes progress");
    };
    assert_eq!(report.journal_hash, undisturbed.journal_hash);
    assert_eq!(
        report.transactions, undisturbed.transactions,
        "no effect happened twice, none was lost"
    );
    assert!(restarts >= 100, "{restarts} restarts");
    assert!(crashed.iter().any(|(_, point)| *point == Point::BeforeAppend as u8));
}
