use recovery::DisclosureMode::Immediate;
use sim::{Error, Faults, NodeFault};

use crate::{Disks, inputs, quick, run};

fn with_nodes(nodes: &[NodeFault]) -> Faults {
    Faults { nodes: nodes.to_vec(), ..Faults::default() }
}

#[test]
fn one_lying_or_absent_node_does_not_stop_the_mission() {
    for fault in [NodeFault::Lying, NodeFault::Absent] {
        let faults = with_nodes(&[NodeFault::None, fault]);
        let report = run(inputs(&quick(), Immediate, 1, faults), &Disks::default()).unwrap();
        assert!(report.is_success() && report.rounds >= 2, "{fault:?}");
    }
}

#[test]
fn two_lying_or_absent_nodes_make_no_report() {
    let short = quick().replace("ticks_max = 40", "ticks_max = 6");
    for fault in [NodeFault::Lying, NodeFault::Absent] {
        let faults = with_nodes(&[fault, NodeFault::None, fault]);
        let report = run(inputs(&short, Immediate, 1, faults), &Disks::default()).unwrap();
        assert!(report.transactions.is_empty(), "{fault:?}");
        assert_eq!(report.request, None);
    }
}

#[test]
fn an_enclave_changed_by_one_byte_attests_and_is_refused_with_both_measurements() {
    let mut image = host::image::ENCLAVE.elf.to_vec();
    // The compiler's name in `.comment`, a section no loader loads.
    let at = image.windows(5).rposition(|window| window == b"rustc").expect("a .comment section");
    image[at] ^= 0x20;
    let faults = Faults { image: Some(image.clone()), ..Faults::default() };
    let refused = run(inputs(&quick(), Immediate, 1, faults), &Disks::default())
        .expect_err("another program");
    let Error::Evidence { who, source } = refused else {
        panic!("refused for its evidence: {refused}")
    };
    assert_eq!(who, "maker 0");
    let message = source.to_string();
    let built = host::image::ENCLAVE.pcr0.to_string();
    let ran = attestation::Measurement::of(&image).to_string();
    assert!(message.contains(&built) && message.contains(&ran), "{message}");
}

#[test]
fn a_panel_too_thin_expires_escalates_and_halts() {
    let scenario = sim::shipped()["thin-panel"];
    let disks = Disks::default();
    let report = run(inputs(scenario, Immediate, 1, Faults::default()), &disks).unwrap();
    assert_eq!(report.outcome, protocol::Outcome::Halted);
    assert!(!report.is_success() && !report.mint_allowed);
    // Told again from the journal alone, by a chain on which nothing of it happened.
    let journal_alone = Disks::holding([disks.journal.bytes(), Vec::new(), Vec::new()]);
    let again = run(inputs(scenario, Immediate, 1, Faults::default()), &journal_alone).unwrap();
    assert!(!again.mint_allowed);
    assert_eq!((again.request, again.lines), (report.request, report.lines.clone()));
    let requests = report.transactions.iter().filter(|t| t.function == "requestCollateral").count();
    let expiries = report.transactions.iter().filter(|t| t.function == "expireRequest").count();
    assert_eq!((requests, expiries), (4, 4), "one of each for each rung");
}

#[test]
fn no_planted_amount_crosses_the_enclaves_sockets_in_the_clear() {
    use std::sync::{Arc, Mutex};

    let wires: Arc<Mutex<std::collections::BTreeMap<String, Vec<u8>>>> = Arc::default();
    let sink = Arc::clone(&wires);
    let tap = host::launch::Tap::new(move |wire, direction, bytes| {
        let key = format!("{wire:?}/{direction:?}");
        sink.lock().expect("one writer").entry(key).or_default().extend_from_slice(bytes);
    });
    // Amounts nobody would produce by accident.
    let scenario = quick().replace("tokens = 3_300_000_000", "tokens = 3_141_592_653");
    let inputs = inputs(&scenario, Immediate, 1, Faults { tap: Some(tap), ..Faults::default() });
    let start = inputs.scenario.start;
    let cron = inputs.workflow.workflow.cron.clone();
    let mut planted = vec![primitives::Amount::from_tokens(3_141_592_653).units()];
    let mut now = start;
    for _ in 0..8 {
        now = cron.next_after(now).expect("a cron that fires");
        planted.push(inputs.scenario.supply_at(now).units());
        planted.extend(inputs.scenario.reserves_at(now).iter().map(|unit| unit.amount.units()));
    }
    let makers = sim::draw(
        &inputs.scenario.panel,
        &sim::entropy(1, "panel", 31_337).unwrap(),
        inputs.scenario.supply_at(start),
        inputs.deployment.request.lot,
    );
    planted.extend(makers.iter().map(|maker| maker.capacity.units()));
    let report = run(inputs, &Disks::default()).unwrap();
    assert!(report.is_success());

    let wires = wires.lock().expect("the run is over");
    assert!(
        wires.len() == 4 && wires.values().all(|bytes| !bytes.is_empty()),
        "all four directions were seen"
    );
    for amount in planted {
        // Little- and big-endian without leading zeros, and decimal: whatever an encoder would have used.
        let le = amount.to_le_bytes();
        let len = 16 - amount.leading_zeros() as usize / 8;
        let mut be = le[..len].to_vec();
        be.reverse();
        for needle in [le[..len].to_vec(), be, amount.to_string().into_bytes()] {
            for (wire, bytes) in &*wires {
                let found = bytes.windows(needle.len()).position(|window| window == needle);
                assert_eq!(found, None, "{amount} on {wire}");
            }
        }
    }
}
