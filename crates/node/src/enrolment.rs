//! Before the first tick: whether an enclave is the expected one, what it must be configured for, how its key is
//! registered, and how the workflow it serves is named on chain.

use attestation::{Anchors, KeyBundle, Measurements, Policy};
use don::{Don, NoQuorum, WorkflowIdentity};
use evm::alloy::primitives::{Address as EvmAddress, Bytes};
use evm::alloy::sol_types::SolCall as _;
use evm::report::{Payload, SignedReport};
use primitives::{Address, Bytes32, Timestamp, sha256};
use protocol::detect::Policy as DetectPolicy;
use protocol::wire::Configuration;
use protocol::{Call, Disclosure, Write};
use recovery::{Deployment, Document};

use crate::Error;

/// The workflow's module, as committed. `cargo xtask guests` builds it from this repository.
pub const MODULE: &[u8] = include_bytes!("../../../workflows/recovery/wasm/workflow.wasm");

/// Epoch of the registration's report; the mission's epochs belong to other receivers.
const REGISTRATION_EPOCH: u64 = 1;

/// What an enclave showed, and what was expected of it.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// COSE_Sign1 document.
    pub document: Vec<u8>,
    /// Key bundle, encoded.
    pub key_bundle_bytes: Vec<u8>,
    /// The same, decoded.
    pub key_bundle: KeyBundle,
    /// Configuration, as measured into PCR2.
    pub configuration: Vec<u8>,
    /// What the build says it measures.
    pub expected: Measurements,
    /// "development" or "hardware".
    pub trust: String,
}

impl Evidence {
    /// The settlement signer.
    pub const fn signer(&self) -> Address {
        Address(self.key_bundle.settlement_signer)
    }
}

/// What a node expects of an enclave.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The chain it settles on; decides which roots are believed.
    pub chain_id: u64,
    /// From the build, never from the file that ran.
    pub measurements: Measurements,
    /// What the document must answer.
    pub challenge: &'a [u8],
}

/// The challenge every relying party of a run uses: fresh by the seed's commitment.
#[must_use]
pub fn challenge(seed_commitment: Bytes32) -> [u8; 32] {
    sha256(&[b"cdpr/challenge/v1", &seed_commitment.0])
}

/// Checks evidence as a node does before it registers a key, and an auditor after it: the document under the
/// development root, which is believed on the development chain only. Gives the keys, and the root's kind.
///
/// # Errors
/// [`Error::Evidence`] in the name of `who`.
pub fn check_evidence(
    who: &str,
    document: &[u8],
    key_bundle: &[u8],
    expected: Expected<'_>,
    now: Timestamp,
) -> Result<(KeyBundle, String), Error> {
    let Expected { chain_id, measurements, challenge } = expected;
    let refused = |source| Error::Evidence { who: who.to_owned(), source };
    let anchors = Anchors::development(chain_id).map_err(refused)?;
    let policy = Policy::new(chain_id, vec![measurements]).map_err(refused)?.with_nonce(challenge);
    let now_ms = now.0 * 1_000;
    let attested = attestation::verify(document, &anchors, &policy, now_ms).map_err(refused)?;
    let bundle = attested.claims().key_bundle(key_bundle, now_ms).map_err(refused)?;
    Ok((bundle, attested.trust().to_string()))
}

/// The report that registers an enclave's key: every node of the DON has verified the document.
///
/// # Errors
/// The nodes do not agree.
pub fn registration(
    don: &Don,
    contracts: &Contracts,
    registry: EvmAddress,
    evidence: &Evidence,
    now: Timestamp,
) -> Result<SignedReport, NoQuorum> {
    let bundle = &evidence.key_bundle;
    let call = evm::abi::EnclaveRegistry::registerCall {
        signer: bundle.settlement_signer.into(),
        workloadId: evidence.expected.workload_id().into(),
        keyBundleHash: bundle.registry_hash().into(),
        expiry: bundle.not_after,
        trust: attestation::Trust::Development as u8,
    };
    let payload = Payload {
        chain_id: contracts.chain_id,
        receiver: registry,
        epoch: REGISTRATION_EPOCH,
        expiry: now.0,
        call: call.abi_encode().into(),
        observation: Bytes::new(),
    };
    let agreement = don.agree(&vec![Some(payload.encode().to_vec()); don.n()])?;
    let report = don.sign(&agreement, &don.stamp(0, now));
    Ok(don::chain::signed_report(&report.response()))
}

/// The receivers of a mission's reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contracts {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// `DarkPool`.
    pub dark_pool: EvmAddress,
    /// `ConfidentialPoR`.
    pub confidential_por: EvmAddress,
}

impl Contracts {
    /// The contract that has a call. The workflow's name for it was checked against the call when it was read.
    #[must_use]
    pub const fn receiver(&self, call: &Call) -> EvmAddress {
        match call {
            Call::RequestCollateral { .. }
            | Call::ConfidentialFill { .. }
            | Call::ExpireRequest { .. }
            | Call::OpenRequest { .. } => self.dark_pool,
            Call::AttestRecovery { .. } | Call::ReportStatus { .. } => self.confidential_por,
        }
    }

    /// A write's receiver, and the payload that the DON is to sign for it.
    #[must_use]
    pub fn addressed(&self, write: &Write) -> (EvmAddress, Vec<u8>) {
        let receiver = self.receiver(&write.call);
        let payload = Payload {
            chain_id: self.chain_id,
            receiver,
            epoch: write.epoch,
            expiry: write.expiry.0,
            call: evm::mission::calldata(&write.call),
            observation: write.observation.clone().into(),
        };
        (receiver, payload.encode().to_vec())
    }
}

/// What CRE gives the workflow.
#[derive(Debug, Clone, Copy)]
pub struct WorkflowConfig<'a> {
    /// The workflow's source.
    pub workflow: &'a str,
    /// The deployment file's.
    pub deployment: &'a str,
    /// Disclosure of this run.
    pub disclosure: Disclosure,
    /// Just before the first tick.
    pub started: Timestamp,
    /// Chainlink's selector of the chain.
    pub chain_selector: u64,
    /// `DarkPool`.
    pub dark_pool: EvmAddress,
    /// `ConfidentialPoR`.
    pub confidential_por: EvmAddress,
    /// `RecoveryGuard`.
    pub recovery_guard: EvmAddress,
    /// Where the dark pool is asked by a DON that has not registered it.
    pub endpoint: Option<&'a str>,
}

impl WorkflowConfig<'_> {
    /// As the module is given it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let config = recovery::guest::Config {
            workflow: self.workflow.to_owned(),
            deployment: self.deployment.to_owned(),
            disclosure: Some(self.disclosure),
            chain_selector: self.chain_selector.to_string(),
            started: self.started.0,
            dark_pool: format!("{:#x}", self.dark_pool),
            confidential_por: format!("{:#x}", self.confidential_por),
            recovery_guard: format!("{:#x}", self.recovery_guard),
            endpoint: self.endpoint.map(str::to_owned),
        };
        config.encode()
    }
}

/// A workflow's identity as receivers store it.
#[must_use]
pub fn workflow_of(identity: &WorkflowIdentity) -> evm::report::Workflow {
    evm::report::Workflow {
        id: identity.id.into(),
        name: identity.name,
        owner: identity.owner.0.into(),
    }
}

/// SHA-256 of the development proving key this build accepts.
#[must_use]
pub fn proving_key_pin() -> [u8; 32] {
    circuits::keys::pinned().keys_sha256
}

/// What workflow and deployment file decide of an enclave's configuration; addresses and keys are blank. Whoever
/// configures one fills them in, and an auditor compares the rest with what was measured.
#[must_use]
pub fn policy(workflow: &Document, file: &Deployment) -> Configuration {
    let setup = recovery::guest::setup(workflow, file);
    let threshold = setup.workflow.compute().and_then(|compute| compute.threshold);
    let premium = setup.workflow.dark_pool().map(|ask| ask.premium);
    let target = file.detect.target;
    let age_max = file.feeds.values().map(|feed| feed.age_max).min();
    Configuration {
        chain_id: file.chain_id,
        dark_pool: Address::default(),
        shielded_pool: Address::default(),
        registry: Address::default(),
        issuer: Address::default(),
        collateral: Address::default(),
        consideration: Address::default(),
        disclosure: setup.disclosure,
        policy: DetectPolicy {
            threshold: threshold.unwrap_or(target),
            target,
            quorum: u8::try_from(file.detect.quorum).unwrap_or(u8::MAX),
            age_max: age_max.unwrap_or_default(),
            readings: u8::try_from(file.detect.readings).unwrap_or(u8::MAX),
        },
        premium: premium.unwrap_or_default(),
        escalation: setup.escalation,
        schedule: setup.schedule,
        lot: file.request.lot,
        aggregate_min: file.request.fill_min,
        share_max: file.request.maker_share_max,
        custodian: Vec::new(),
        don: Vec::new(),
        proving_key: Bytes32(proving_key_pin()),
        not_after: Timestamp::default(),
    }
}
