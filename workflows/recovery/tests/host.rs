//! Whoever serves the enclave's answers serves them to every node at once: that they agree proves nothing.

use cre::messages::darkpool::{
    CheckReservesRequest, CheckReservesResponse, CollateralRequest, GetRequestStatusRequest,
    GetRequestStatusResponse,
};
use primitives::{Address, CommitmentHash, Timestamp, encode};
use protocol::abi::calldata;
use protocol::attest::{Observed, Status};
use recovery::DisclosureMode;
use recovery::guest::{Config, Error, Ports, Read, Recovery, tick};

const NOW: Timestamp = Timestamp(1_678_464_300);
const POR: Address = Address([0x22; 20]);

/// A host that says the coin is backed, and a chain that answers whether an enclave signed that.
struct Host {
    /// `ConfidentialPoR.isObserved`'s answer.
    is_observed: Vec<u8>,
    signature: Vec<u8>,
    asked: Vec<Read>,
    reported: Vec<Vec<u8>>,
}

impl Host {
    fn new(is_observed: Vec<u8>, signature: Vec<u8>) -> Self {
        Self { is_observed, signature, asked: Vec::new(), reported: Vec::new() }
    }

    fn observed() -> Observed {
        Observed {
            tick: 1,
            now: NOW,
            status: Status::Backed(true),
            deficit: CommitmentHash([1; 32]),
            position: CommitmentHash([0; 32]),
            notice: Vec::new(),
            opening: None,
        }
    }
}

impl Ports for Host {
    fn read(&mut self, calls: &[Read]) -> Result<Vec<Vec<u8>>, String> {
        self.asked.extend(calls.iter().cloned());
        // No request yet, no epoch, no position, no attempt, no halt.
        let is_question = |(to, _): &Read| calls.len() == 1 && *to == POR;
        Ok(calls
            .iter()
            .map(|call| if is_question(call) { self.is_observed.clone() } else { vec![0; 32] })
            .collect())
    }

    fn check_reserves(&mut self, _: CheckReservesRequest) -> Result<CheckReservesResponse, String> {
        let (observed, signature) = (encode(&Self::observed()), self.signature.clone());
        Ok(CheckReservesResponse { observed, signature })
    }

    fn request_status(
        &mut self,
        _: GetRequestStatusRequest,
    ) -> Result<GetRequestStatusResponse, String> {
        Err("there is no request".to_owned())
    }

    fn report(&mut self, payload: Vec<u8>) -> Result<cre::Report, String> {
        self.reported.push(payload);
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

fn recovery() -> Recovery {
    let config = Config {
        workflow: recovery::SEED.to_owned(),
        deployment: include_str!("../../../deployments/embedded.toml").to_owned(),
        disclosure: Some(DisclosureMode::Immediate),
        chain_selector: "7759470850252068959".to_owned(),
        started: 1_678_464_000,
        dark_pool: format!("0x{}", "11".repeat(20)),
        confidential_por: format!("0x{}", "22".repeat(20)),
        recovery_guard: format!("0x{}", "33".repeat(20)),
        endpoint: None,
    };
    Recovery::parse(&config.encode()).expect("a configuration")
}

fn word(value: u8) -> Vec<u8> {
    let mut word = vec![0; 32];
    word[31] = value;
    word
}

#[test]
fn the_workflow_signs_nothing_that_no_enclave_signed() {
    for signature in [vec![], vec![7; 65]] {
        let mut host = Host::new(word(0), signature);
        let ended = tick(&recovery(), NOW, &mut host);
        assert!(matches!(ended, Err(Error::Unsigned { tick: 1 })), "{ended:?}");
        assert!(host.reported.is_empty(), "an answer without a signature was put up for signature");
        // Nothing is asked on the strength of such an answer either.
        assert_eq!(host.asked.len(), 1);
    }
}

#[test]
fn an_answer_that_the_chain_does_not_vouch_for_in_so_many_words_is_none() {
    for answer in [vec![], vec![1], word(2), vec![0xff; 32], vec![0; 64]] {
        let mut host = Host::new(answer.clone(), vec![7; 65]);
        let ended = tick(&recovery(), NOW, &mut host);
        assert!(matches!(ended, Err(Error::Unreadable(_))), "{answer:?}: {ended:?}");
        assert!(host.reported.is_empty());
    }
}

#[test]
fn what_the_chain_is_asked_is_what_the_receiver_is_shown() {
    let signature = vec![7; 65];
    let mut host = Host::new(word(1), signature.clone());
    let ticked = tick(&recovery(), NOW, &mut host).unwrap();
    assert!(ticked.observed);
    let observation = Host::observed().signed(&signature);
    let (to, question) = &host.asked[0];
    assert_eq!(*to, POR);
    // Selector, offset, length, then the observation itself.
    assert_eq!(question[4 + 64..], observation);
    let [report] = host.reported.as_slice() else { panic!("one write on a healthy tick") };
    assert!(report.windows(observation.len()).any(|window| window == observation));
    let call = protocol::Call::AttestRecovery { recovered: true, timestamp: NOW };
    assert!(report.windows(68).any(|window| window == calldata(&call)));
}
