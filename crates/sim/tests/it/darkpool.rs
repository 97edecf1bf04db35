//! The capability over the real thing: chain, enclave and DON of a world.

use cre::messages::darkpool::{
    CheckReservesRequest, CollateralRequest, FillTriggerConfig, GetRequestStatusRequest,
};
use darkpool::testing::{Case, suite};
use darkpool::{Client, Fault, Service, Shared};
use evm::local::MemoryStorage;
use primitives::{CommitmentHash, Duration, Premium, RequestId, Timestamp, decode};
use protocol::attest::{Observed, Status};
use protocol::{Call, Write};
use recovery::DisclosureMode;
use sim::{Faults, PoolHost, World};

use crate::{inputs, quick};

/// The seed's schedule.
const TICK: Duration = Duration(300);

#[test]
fn the_capability_over_the_real_world_passes_the_suite_and_fills() {
    let inputs = inputs(&quick(), DisclosureMode::Immediate, 1, Faults::default());
    let mut now = inputs.scenario.start;
    let world =
        World::open(inputs, Box::new(MemoryStorage::default()), Box::new(MemoryStorage::default()));
    let host = PoolHost::new(world.unwrap(), now);
    let mut service = Service::new(host.scope(), host);

    // Ticks until the reserves are short: the deficit is what a request commits to.
    let scope = service.scope().clone();
    let mut check = CheckReservesRequest {
        image: scope.image.clone(),
        oracle_feed: scope.oracle_feed.clone(),
        tick: 0,
        now: 0,
    };
    let deficit = loop {
        now = now + TICK;
        (check.tick, check.now) = (check.tick + 1, now.0);
        let answer = service.check_reserves(&check).unwrap();
        let observed: Observed = decode(&answer.observed).unwrap();
        if observed.status == Status::Backed(false) {
            break observed.deficit;
        }
        assert!(check.tick < 40, "the scenario has a shock");
    };

    let request = request(service.backend(), deficit, 1, now);
    let mut forged = request.clone();
    forged.report.as_mut().unwrap().sigs.truncate(1);
    let second = self::request(service.backend(), CommitmentHash([7; 32]), 2, now);
    let shared = Shared::new(service);
    let call = |method: &str, payload| {
        shared.with(|service| service.call(method, &payload)).map_err(|error| Fault::from(&error))
    };
    let dark_pool = request.dark_pool.clone();
    let outcome = suite(&mut Client(call), &Case { check, request, forged, second });

    // A round: orders come, the enclave proves, the pool settles.
    let request_id = outcome.response.request_id;
    let id = RequestId(request_id[..].try_into().unwrap());
    shared.with(|service| {
        let world = service.backend().world();
        let key = world.evidence.key_bundle.hpke_public_key;
        let envelopes: Vec<Vec<u8>> = world
            .makers
            .iter()
            .map(|(agent, index)| agent.envelope(&key, *index).unwrap())
            .collect();
        for envelope in envelopes {
            world.order(envelope).unwrap();
        }
        service.backend().advance_to(now + TICK);
        assert!(service.backend().clear(id, 1).unwrap(), "there is a round to clear");
    });
    let config = FillTriggerConfig { dark_pool: dark_pool.clone() };
    let asked = GetRequestStatusRequest { dark_pool, request_id };
    let (fills, status) = shared.with(|service| {
        (service.fills(&config, 0).unwrap().0, service.get_request_status(&asked).unwrap())
    });
    assert_eq!((fills.len(), Some(&fills[0])), (1, status.fill.as_ref()));
    let ready = protocol::event::Ready {
        request: id,
        round: 1,
        zk_proof: fills[0].zk_proof.clone(),
        tee_attestation: fills[0].tee_attestation.clone(),
    };
    let settled = shared.with(|service| {
        let settlement = write(CommitmentHash::default(), 3, now + TICK);
        service.backend().settle(ready, settlement, 3).unwrap()
    });
    assert!(settled, "the chain takes the proof");
    let (fills, after) = shared.with(|service| {
        (service.fills(&config, 0).unwrap().0, service.get_request_status(&asked).unwrap())
    });
    assert_eq!((fills.len(), after.fill), (0, None), "settled");
    assert_ne!(after.status, status.status, "makers are cheap enough here to fill something");
}

fn write(encrypted_amount: CommitmentHash, epoch: u64, now: Timestamp) -> Write {
    let (premium, timeout) = (Premium::new(50).unwrap(), Duration(3_600));
    let call = Call::RequestCollateral { encrypted_amount, premium, timeout };
    let contract = "CRE_COLLATERAL_DARKPOOL".to_owned();
    Write { tick: 1, contract, call, epoch, expiry: now + timeout }
}

fn request(
    host: &mut PoolHost,
    commitment: CommitmentHash,
    epoch: u64,
    now: Timestamp,
) -> CollateralRequest {
    let report = host.sign(&write(commitment, epoch, now), epoch).unwrap();
    let scope = host.scope();
    CollateralRequest {
        dark_pool: scope.dark_pool.0.to_vec(),
        asset: scope.asset,
        encrypted_amount: commitment.0.to_vec(),
        premium_bps: 50,
        timeout_s: 3_600,
        report: Some(report),
    }
}
