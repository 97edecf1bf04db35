//! The workflow's module against what it must agree with.

use cre::messages::darkpool::{
    CheckReservesRequest, CheckReservesResponse, CollateralRequest, GetRequestStatusRequest,
    GetRequestStatusResponse,
};
use evm::alloy::primitives::{Address as EvmAddress, Bytes};
use k256::ecdsa::SigningKey;
use primitives::{Address, Timestamp};
use protocol::attest::{Observed, Status};
use protocol::event::Event;
use protocol::journal::{Journal, Record};
use recovery::DisclosureMode::Immediate;
use recovery::guest::{Config, Error, Read, Recovery, tick};
use sim::{Faults, World};

use crate::{Disks, inputs, quick, run, run_until};

/// CRE as the module meets it: the real contracts to read, and a host with an answer of its choice.
struct Ports<'a> {
    world: &'a World,
    served: (Observed, Vec<u8>),
    reported: usize,
}

impl recovery::guest::Ports for Ports<'_> {
    fn read(&mut self, calls: &[Read]) -> Result<Vec<Vec<u8>>, String> {
        let one = |(to, data): &Read| {
            let data = Bytes::from(data.clone());
            let params =
                serde_json::json!([{ "to": EvmAddress::from(to.0), "data": data }, "latest"]);
            let answer = self.world.chain.request("eth_call", params);
            let answer = answer.map_err(|error| error.to_string())?;
            let bytes: Bytes = serde_json::from_value(answer).map_err(|error| error.to_string())?;
            Ok(bytes.to_vec())
        };
        calls.iter().map(one).collect()
    }

    fn check_reserves(&mut self, _: CheckReservesRequest) -> Result<CheckReservesResponse, String> {
        let (observed, signature) = self.served.clone();
        Ok(CheckReservesResponse { observed: primitives::encode(&observed), signature })
    }

    fn request_status(
        &mut self,
        _: GetRequestStatusRequest,
    ) -> Result<GetRequestStatusResponse, String> {
        Err("there is no request yet".to_owned())
    }

    fn report(&mut self, _: Vec<u8>) -> Result<cre::Report, String> {
        self.reported += 1;
        Err("enough is seen".to_owned())
    }

    fn request_collateral(&mut self, _: CollateralRequest) -> Result<(), String> {
        Ok(())
    }

    fn write(&mut self, _: Address, _: cre::Report) -> Result<(), String> {
        Ok(())
    }

    fn log(&mut self, _: &str) {}
}

#[test]
fn the_module_takes_an_active_enclaves_word_and_nobody_elses() {
    let scenario = || inputs(&quick(), Immediate, 1, Faults::default());
    let disks = Disks::default();
    run_until(scenario(), &disks, "observed");
    let mut answers = Journal::read(&disks.journal.bytes()).0.records.into_iter().filter_map(
        |record| match record {
            Record::Happened { event: Event::Observed { observed, signature }, .. } => {
                Some((observed, signature))
            }
            _ => None,
        },
    );
    let (observed, signature) = answers.next_back().unwrap();
    let stores = disks.stores();
    let world = World::open(scenario(), stores.chain, stores.enclave).unwrap();
    let at = world.contracts;
    let config = Config {
        workflow: recovery::SEED.to_owned(),
        deployment: world.inputs.deployment_source.clone(),
        disclosure: Some(Immediate),
        chain_selector: "7759470850252068959".to_owned(),
        started: scenario().scenario.start.0,
        dark_pool: at.dark_pool.to_string(),
        confidential_por: at.por.to_string(),
        recovery_guard: at.guard.to_string(),
        endpoint: None,
    };
    let recovery = Recovery::parse(&config.encode()).unwrap();
    let hears = |now: Timestamp, observed: &Observed, signature: &[u8]| {
        let served = (observed.clone(), signature.to_vec());
        let mut ports = Ports { world: &world, served, reported: 0 };
        let ended = tick(&recovery, now, &mut ports);
        (ended.map(|ticked| ticked.writes), ports.reported)
    };
    let unsigned = |heard: (Result<u32, Error>, usize), what: &str| {
        assert!(matches!(heard, (Err(Error::Unsigned { .. }), 0)), "{what}: {heard:?}");
    };
    let now = observed.now;

    // The control: the enclave's own word.
    assert!(matches!(hears(now, &observed, &signature), (Ok(1), 1)));

    // Anything else under its signature, and its word under any other.
    let altered: [fn(&mut Observed); 6] = [
        |it| it.status = Status::Backed(it.status != Status::Backed(true)),
        |it| it.tick += 1,
        |it| it.now = Timestamp(it.now.0 + 300),
        |it| it.deficit.0[31] ^= 1,
        |it| it.position.0[31] ^= 1,
        |it| it.notice[0] ^= 1,
    ];
    for (idx, alter) in altered.into_iter().enumerate() {
        let mut other = observed.clone();
        alter(&mut other);
        unsigned(hears(now, &other, &signature), &format!("alteration {idx}"));
    }
    unsigned(hears(now, &observed, &[]), "no signature");
    unsigned(hears(now, &observed, &[0; 65]), "zeros");
    let stranger = SigningKey::from_slice(&[3; 32]).unwrap();
    let digest = observed.digest(at.chain_id, &Address(at.dark_pool.into()));
    let (other, recovery_id) = stranger.sign_prehash_recoverable(&digest);
    let other = [&other.to_bytes()[..], &[27 + recovery_id.to_byte()]].concat();
    unsigned(hears(now, &observed, &other), "another key");

    // A genuine answer on the tick after its own.
    let later = Timestamp(now.0 + 300);
    let replayed = hears(later, &observed, &signature);
    assert!(matches!(replayed, (Err(Error::Refused { .. }), 0)), "{replayed:?}");

    // The key's registration has run out.
    world.chain.set_next_timestamp(world.evidence.key_bundle.not_after + 1).unwrap();
    unsigned(hears(now, &observed, &signature), "an expired key");
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
