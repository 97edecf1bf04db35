//! A small world for tests of the service's own rules and of the transports: what it refuses, and how it
//! behaves when the world fails. The real chain and enclave are behind the suite in `sim`.

use cre::messages::darkpool::{CheckReservesRequest, CollateralRequest};
use cre::messages::sdk::{AttributedSignature, ReportResponse};
use evm::abi::DarkPool as Abi;
use evm::alloy::primitives::{B256, Bytes, U256};
use evm::alloy::sol_types::{SolCall as _, SolError as _};
use evm::report::{Payload, Reason, Report, SignedReport, Workflow};
use primitives::{Address, CommitmentHash, Premium, RequestId, Timestamp};
use protocol::attest::{Observed, Status};
use protocol::event::Ready;
use protocol::{Fact, RequestStatus};

use crate::testing::Case;
use crate::{Attested, Backend, Delivery, Failure, RequestState, Scope};

/// Takes one request, from a report with two signatures.
#[derive(Debug, Default)]
pub struct Scripted {
    /// The open request: its report's execution, its amount's commitment.
    pub open: Option<(B256, CommitmentHash)>,
    /// Proved rounds.
    pub rounds: Vec<Ready>,
    /// How many of them are settled.
    pub settled: u32,
    /// Deliveries taken.
    pub n_deliveries: usize,
    /// Times that the enclave heard of facts.
    pub n_told: usize,
    /// The enclave does not answer.
    pub enclave_is_silent: bool,
    /// The chain does not answer.
    pub chain_is_down: bool,
    /// A delivery leaves no event.
    pub opens_nothing: bool,
    /// Another node delivers between the question and our delivery.
    pub rival: bool,
}

/// The request that it opens.
pub const ID: RequestId = RequestId([5; 32]);

/// The names that it answers to.
pub fn scope() -> Scope {
    Scope {
        chain_id: 31_337,
        dark_pool: Address([3; 20]),
        image: "image".into(),
        oracle_feed: "feed".into(),
        asset: "asset".into(),
    }
}

/// A report by two development wallets.
pub fn report(sequence: u8, payload: Bytes) -> ReportResponse {
    let workflow = Workflow { id: B256::ZERO, name: [0; 10], owner: [4; 20].into() };
    let raw = Report {
        execution_id: B256::repeat_byte(sequence),
        timestamp: 5,
        don_id: 1,
        config_version: 1,
        workflow,
        report_id: [0, 1],
        payload,
    }
    .encode();
    let context = vec![0; 96];
    let digest = evm::report::digest(&raw, &context);
    let [first, second, ..] = evm::development_wallets(31_337);
    let sigs = [first, second].map(|wallet| {
        let mut signature = wallet.sign_hash(&digest).as_bytes().to_vec();
        signature[64] -= 27;
        AttributedSignature { signature, signer_id: 0 }
    });
    ReportResponse {
        config_digest: vec![0; 32],
        seq_nr: 1,
        report_context: context,
        raw_report: raw.to_vec(),
        sigs: sigs.to_vec(),
    }
}

/// A request whose report is signed; `sequence` tells two apart.
pub fn request(sequence: u8) -> CollateralRequest {
    let call = Abi::requestCollateralCall {
        encryptedAmount: B256::repeat_byte(sequence),
        premiumBps: U256::from(50),
        timeout: U256::from(3_600),
    };
    let payload = Payload {
        chain_id: 31_337,
        receiver: scope().dark_pool.0.into(),
        epoch: u64::from(sequence),
        expiry: 100,
        call: call.abi_encode().into(),
        observation: Default::default(),
    };
    CollateralRequest {
        dark_pool: scope().dark_pool.0.to_vec(),
        asset: "asset".into(),
        encrypted_amount: vec![sequence; 32],
        premium_bps: 50,
        timeout_s: 3_600,
        report: Some(report(sequence, payload.encode())),
    }
}

/// The suite's case in this world.
pub fn case() -> Case {
    let mut forged = request(1);
    forged.report.as_mut().expect("there is one").sigs.truncate(1);
    let (image, oracle_feed) = (scope().image, scope().oracle_feed);
    Case {
        check: CheckReservesRequest { image, oracle_feed, tick: 1, now: 5 },
        request: request(1),
        forged,
        second: request(2),
    }
}

impl Scripted {
    /// Has a round proved.
    pub fn prove(&mut self, round: u32) {
        let (zk_proof, tee_attestation) = (vec![1; 300], vec![2; 65]);
        self.rounds.push(Ready { request: ID, round, zk_proof, tee_attestation });
    }

    fn facts(&self) -> Vec<Fact> {
        let fact = |(_, commitment)| Fact::RequestOpened {
            id: ID,
            commitment,
            premium: Premium::new(50).expect("in range"),
            opened: Timestamp(5),
            expires: Timestamp(3_605),
        };
        if self.opens_nothing { vec![] } else { self.open.map(fact).into_iter().collect() }
    }

    fn execution(report: &SignedReport) -> (B256, CommitmentHash) {
        let report = Report::parse(&report.raw).expect("the service parsed it");
        let payload = Payload::decode(&report.payload).expect("the service decoded it");
        let call = Abi::requestCollateralCall::abi_decode(&payload.call).expect("it too");
        (report.execution_id, CommitmentHash(call.encryptedAmount.0))
    }
}

impl Backend for Scripted {
    fn now(&mut self) -> Timestamp {
        Timestamp(5)
    }

    fn observe(&mut self, tick: u32, now: Timestamp) -> Result<Option<Attested>, Failure> {
        let commitment = CommitmentHash([1; 32]);
        let observed = Observed {
            tick,
            now,
            status: Status::Backed(false),
            deficit: commitment,
            position: commitment,
            notice: vec![],
            opening: None,
        };
        Ok(Some(Attested { observed, signature: vec![0; 65] }))
    }

    fn delivered(&mut self, report: &SignedReport) -> Result<Option<Vec<Fact>>, Failure> {
        if self.chain_is_down {
            return Err(Failure::Chain("secret detail".into()));
        }
        let is_it = self.open.is_some_and(|(id, _)| id == Self::execution(report).0);
        Ok(is_it.then(|| self.facts()))
    }

    fn deliver(&mut self, report: &SignedReport) -> Result<Delivery, Failure> {
        if report.signatures.len() != 2 {
            return Ok(Delivery::Rejected);
        }
        if self.rival {
            self.open = Some(Self::execution(report));
            return Ok(Delivery::Rejected);
        }
        if self.open.is_some() {
            let reason = Abi::RequestOpen { requestId: ID.0.into() }.abi_encode();
            return Ok(Delivery::Refused(Reason(reason)));
        }
        self.n_deliveries += 1;
        self.open = Some(Self::execution(report));
        Ok(Delivery::Taken(self.facts()))
    }

    fn inform(&mut self, _facts: &[Fact]) -> Result<(), Failure> {
        if self.enclave_is_silent {
            return Err(Failure::Enclave("secret detail".into()));
        }
        self.n_told += 1;
        Ok(())
    }

    fn request(&mut self, id: RequestId) -> Result<Option<RequestState>, Failure> {
        let state = |(_, commitment)| RequestState {
            commitment,
            premium: Premium::new(50).expect("in range"),
            opened: Timestamp(5),
            expires: Timestamp(3_605),
            status: RequestStatus::Pending,
        };
        Ok(self.open.filter(|_| id == ID).map(state))
    }

    fn awaiting(&mut self, id: RequestId) -> Result<Option<Ready>, Failure> {
        let last = self.rounds.iter().rfind(|round| round.request == id);
        Ok(last.filter(|round| round.round > self.settled).cloned())
    }

    fn rounds(&mut self, from: usize) -> Result<Vec<Ready>, Failure> {
        Ok(self.rounds.get(from..).unwrap_or_default().to_vec())
    }
}
