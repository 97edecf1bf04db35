//! The capability over the real thing, chain, enclave and DON of a world, by each of its transports.

use cre::messages::darkpool::{
    CheckReservesRequest, CollateralRequest, FillTriggerConfig, GetRequestStatusRequest,
};
use cre::messages::{Any, evm as wire, pack, unpack};
use darkpool::testing::{Case, Post, reactor, suite};
use darkpool::{Client, Fallback, Fault, Service};
use don::chain::Transmitter;
use don::{Caller, Capability as _};
use evm::alloy::primitives::{Address, B256};
use evm::alloy::rpc::types::TransactionReceipt;
use evm::alloy::transports::TransportErrorKind;
use evm::report::SignedReport;
use primitives::{CommitmentHash, Duration, Premium, RequestId, Timestamp, decode};
use protocol::attest::{Observed, Status};
use protocol::{Call, Write};
use recovery::DisclosureMode;
use server::{Shared, grpc, http};
use sim::{Faults, PoolHost, World};
use store::MemoryStorage;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Handle;

use crate::{inputs, quick};

/// The seed's schedule.
const TICK: Duration = Duration(300);

/// A world whose reserves are short, with what the suite asks of it.
fn short() -> (Shared<PoolHost>, Case) {
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
    let (deficit, word) = loop {
        now = now + TICK;
        (check.tick, check.now) = (check.tick + 1, now.0);
        service.backend().advance_to(now);
        let answer = service.check_reserves(&check).unwrap();
        let observed: Observed = decode(&answer.observed).unwrap();
        if observed.status == Status::Backed(false) {
            break (observed.deficit, observed.signed(&answer.signature));
        }
        assert!(check.tick < 40, "the scenario has a shock");
    };
    let request = request(service.backend(), deficit, &word, 1, now);
    let mut forged = request.clone();
    forged.report.as_mut().unwrap().sigs.truncate(1);
    let second = self::request(service.backend(), deficit, &word, 2, now);
    (Shared::new(service), Case { check, request, forged, second })
}

#[test]
fn grpc_over_the_real_world_passes_the_suite() {
    let (shared, case) = short();
    let socket = format!("darkpool-world-{}", std::process::id());
    let (handle, path) = (reactor(), std::env::temp_dir().join(socket));
    let _ = std::fs::remove_file(&path);
    let (server, caller) = handle.block_on(async {
        let server = grpc::Server::unix(shared.clone(), UnixListener::bind(&path).unwrap());
        (server, grpc::Caller::unix(&path).await.unwrap())
    });
    let call = |method: &str, payload: Any| handle.block_on(caller.execute(method, payload));
    suite(&mut Client(call), &case);
    drop((caller, server));
    settle(&handle);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn the_fallback_over_the_real_world_passes_the_suite() {
    let (shared, case) = short();
    let handle = reactor();
    let server = handle.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        http::Server::start(shared.clone(), listener, "token").unwrap()
    });
    let provider = shared.with(|service| service.backend().provider());
    let limits = engine::Limits::production();
    let chain = don::chain::Chain::new(provider, Delivers(shared.clone()), limits).unwrap();
    let host = Post { address: server.address(), token: "token" };
    suite(&mut Fallback { host, chain: Evm(chain) }, &case);
    drop(server);
    settle(&handle);
}

/// Lets the reactor drop what it was told to: a world, which has an event loop of its own, must not be dropped in it last.
fn settle(handle: &Handle) {
    let turns = async {
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
    };
    handle.block_on(handle.spawn(turns)).unwrap();
}

/// The EVM capability of a DON.
struct Evm(don::chain::Chain<Delivers>);

impl Evm {
    fn ask<A: prost::Message + prost::Name + Default>(
        &mut self,
        method: &str,
        payload: &Any,
    ) -> Result<A, Fault> {
        let caller = Caller::Don(&[0, 1, 2]);
        let call =
            don::Call { id: "evm", method, payload, caller, execution_id: &[1; 32], now_ns: 0 };
        let answer = self.0.call(&call).map_err(|error| {
            let don::CapabilityError { visibility, origin, code, message } = error;
            Fault { visibility, origin, code, message }
        })?;
        Ok(unpack(&answer).unwrap())
    }
}

impl darkpool::Chain for Evm {
    fn write_report(
        &mut self,
        request: wire::WriteReportRequest,
    ) -> Result<wire::WriteReportReply, Fault> {
        self.ask("WriteReport", &pack(&request))
    }

    fn receipt(
        &mut self,
        request: wire::GetTransactionReceiptRequest,
    ) -> Result<wire::GetTransactionReceiptReply, Fault> {
        self.ask("GetTransactionReceipt", &pack(&request))
    }
}

/// The world's own transmitter, which does not tell the enclave. As a Chainlink node's, it takes a report that
/// is on chain already for delivered.
struct Delivers(Shared<PoolHost>);

impl Transmitter for Delivers {
    fn deliver(
        &mut self,
        receiver: Address,
        report: &SignedReport,
        _gas_limit: u64,
    ) -> Result<TransactionReceipt, evm::SendError> {
        let sent = self.0.with(|service| {
            let host = service.backend();
            host.delivery(report)?.map_or_else(|| host.transmit(receiver, report), Ok)
        });
        sent.map_err(|error| evm::SendError::Unreachable {
            hash: B256::ZERO,
            source: TransportErrorKind::custom(error),
        })
    }
}

#[test]
fn the_capability_over_the_real_world_passes_the_suite_and_fills() {
    let (shared, case) = short();
    let now = Timestamp(case.check.now);
    let dark_pool = case.request.dark_pool.clone();
    let call = |method: &str, payload: Any| {
        shared.with(|service| service.call(method, &payload)).map_err(|error| Fault::from(&error))
    };
    let outcome = suite(&mut Client(call), &case);

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
        let settlement = write(CommitmentHash::default(), &[], 3, now + TICK);
        service.backend().settle(ready, settlement, 3).unwrap()
    });
    assert!(settled, "the chain takes the proof");
    let (fills, after) = shared.with(|service| {
        (service.fills(&config, 0).unwrap().0, service.get_request_status(&asked).unwrap())
    });
    assert_eq!((fills.len(), after.fill), (0, None), "settled");
    assert_ne!(after.status, status.status, "makers are cheap enough here to fill something");
}

fn write(
    encrypted_amount: CommitmentHash,
    observation: &[u8],
    epoch: u64,
    now: Timestamp,
) -> Write {
    let (premium, timeout) = (Premium::new(50).unwrap(), Duration(3_600));
    let call = Call::RequestCollateral { encrypted_amount, premium, timeout };
    let contract = "CRE_COLLATERAL_DARKPOOL".to_owned();
    let observation = observation.to_vec();
    Write { tick: 1, contract, call, observation, epoch, expiry: now + timeout }
}

fn request(
    host: &mut PoolHost,
    commitment: CommitmentHash,
    observation: &[u8],
    epoch: u64,
    now: Timestamp,
) -> CollateralRequest {
    let report = host.sign(&write(commitment, observation, epoch, now), epoch).unwrap();
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
