//! The workflow's module against what it must agree with.

use evm::report::Payload;
use primitives::{Address, CommitmentHash, Duration, Premium, RequestId, Timestamp};
use protocol::{Call, RequestStatus};
use recovery::DisclosureMode::Immediate;
use sim::Faults;

use crate::{Disks, inputs, quick, run};

/// Every call, with byte strings around the word boundary.
fn calls() -> Vec<Call> {
    let request = RequestId([0x11; 32]);
    let fill = |proof_len: usize, signature_len: usize| Call::ConfidentialFill {
        request,
        zk_proof: (0..proof_len).map(|i| u8::try_from(i % 251).expect("below 251")).collect(),
        tee_attestation: vec![0x77; signature_len],
    };
    vec![
        Call::RequestCollateral {
            encrypted_amount: CommitmentHash([0x22; 32]),
            premium: Premium::new(800).expect("8 %"),
            timeout: Duration(3_600),
        },
        fill(0, 0),
        fill(31, 65),
        fill(32, 64),
        fill(33, 1),
        fill(3_000, 65),
        Call::ExpireRequest { request },
        Call::OpenRequest { request, status: RequestStatus::Filled, salt: [0x33; 32] },
        Call::AttestRecovery { recovered: true, timestamp: Timestamp(1_678_464_000) },
        Call::AttestRecovery { recovered: false, timestamp: Timestamp(0) },
        Call::ReportStatus { commitment: CommitmentHash([0x44; 32]) },
    ]
}

#[test]
fn the_modules_encoding_is_alloys() {
    for call in calls() {
        let expected = evm::mission::calldata(&call);
        let encoded = recovery::guest::calldata(&call);
        assert_eq!(encoded, expected.to_vec(), "{}", call.function());
        let (receiver, epoch, expiry) = (Address([0x55; 20]), 7, Timestamp(1_678_464_600));
        let payload = Payload {
            chain_id: 31_337,
            receiver: receiver.0.into(),
            epoch,
            expiry: expiry.0,
            call: expected,
        };
        let encoded = recovery::guest::payload(31_337, receiver, epoch, expiry, &encoded);
        assert_eq!(encoded, payload.encode().to_vec(), "{}", call.function());
    }
}

#[test]
fn the_committed_module_is_small_and_speaks_cre() {
    let module = sim::MODULE;
    assert!(module.len() <= 600_000, "{} bytes", module.len());
    let compiled = engine::Module::compile(module, &engine::Limits::production()).unwrap();
    assert_eq!(compiled.sdk_label(), "rust");
}

#[test]
fn a_don_that_has_not_registered_the_dark_pool_ends_the_mission_from_a_tee() {
    let ended = |unregistered: bool| {
        let faults = Faults { unregistered, ..Faults::default() };
        run(inputs(&quick(), Immediate, 1, faults), &Disks::default()).unwrap()
    };
    let (by_endpoint, by_capability) = (ended(true), ended(false));
    assert!(by_endpoint.is_success() && by_endpoint.rounds >= 2);
    assert_eq!(
        (by_endpoint.ticks, by_endpoint.rounds),
        (by_capability.ticks, by_capability.rounds)
    );
    // The same calls in the same ticks; their bytes differ, as the workflow's id does.
    let calls = |report: &sim::Report| -> Vec<(u32, String)> {
        report.transactions.iter().map(|sent| (sent.tick, sent.function.to_string())).collect()
    };
    assert_eq!(calls(&by_endpoint), calls(&by_capability));
}
