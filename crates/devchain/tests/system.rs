//! The deployed contracts: reports through the real forwarder, identifiers and digests against the
//! contracts' own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
#![allow(clippy::print_stdout, reason = "what a step costs is what some are run for")]

use alloy::primitives::{Address, B256, Bytes, U256, address, b256, bytes, keccak256};
use alloy::providers::{DynProvider, Provider as _};
use alloy::rpc::types::TransactionReceipt;
use alloy::sol_types::{SolCall as _, SolError};
use circuits::keys::{Circuit, Keys};
use devchain::{Genesis, LocalChain};
use evm::abi::{ConfidentialPoR, DarkPool, EnclaveRegistry, KeystoneForwarder};
use evm::deploy::{
    self, DeployConfig, DeployError, Deployment, Don, GuardParameters, Mint, Timelock, Token,
    Verifier,
};
use evm::mission::{self, Delivery, Emitters};
use evm::report::{self, Outcome, Payload, Report, ReportError, SignedReport, Workflow};
use evm::settlement::{self, Settled, ZkProof, ZkProofError};
use evm::{Call, Fees, RawTransaction, Wallet, abi, alloy, send};
use primitives::{CommitmentHash, Disclosure, Timestamp};
use protocol::RequestStatus;
use protocol::attest::{Observed, Opening, Status};
use store::MemoryStorage;

#[path = "system/forged.rs"]
mod forged;
#[path = "system/second.rs"]
mod second;
// The second pool's costs, forgeries of it, and what takes over from what.
#[path = "system/figures.rs"]
mod figures;
#[path = "system/forged_second.rs"]
mod forged_second;
#[path = "system/rotation.rs"]
mod rotation;
#[path = "system/secret.rs"]
mod secret;
#[path = "system/stage.rs"]
mod stage;

const START: u64 = 1_678_492_800;
const CHAIN_ID: u64 = 31337;
const CIPHERTEXT_LEN: usize = 64;
const WORKLOAD: B256 = B256::repeat_byte(0x77);

#[tokio::test]
async fn whole_system_deploys_and_the_timelock_owns_it() {
    let system = System::deploy(Disclosure::Immediate).await;
    let Deployment { dark_pool, por, guard, registry, timelock, pool, .. } = system.at;
    let provider = &system.provider;

    assert_eq!(DarkPool::new(dark_pool, provider).owner().call().await.unwrap(), timelock);
    assert_eq!(ConfidentialPoR::new(por, provider).owner().call().await.unwrap(), timelock);
    assert_eq!(EnclaveRegistry::new(registry, provider).owner().call().await.unwrap(), timelock);
    assert_eq!(abi::RecoveryGuard::new(guard, provider).owner().call().await.unwrap(), timelock);
    assert_eq!(abi::ShieldedPool::new(pool, provider).darkPool().call().await.unwrap(), dark_pool);
    let registry = EnclaveRegistry::new(registry, provider);
    assert!(registry.isWorkloadAllowed(WORKLOAD).call().await.unwrap());
    let dark_pool = DarkPool::new(dark_pool, provider);
    assert_eq!(dark_pool.mandate().call().await.unwrap(), U256::from(11));
    assert_eq!(dark_pool.disclosure().call().await.unwrap(), 0);
    let cash = abi::CashToken::new(system.at.cash, provider);
    assert_eq!(cash.balanceOf(wallet(9).address()).call().await.unwrap(), U256::from(1_000_000));
}

#[tokio::test]
async fn deployment_is_a_function_of_its_configuration_and_can_be_resumed() {
    let config = config(Disclosure::Sealed);
    let plan = deploy::plan(&config).unwrap();
    assert_eq!(deploy::plan(&config).unwrap(), plan);
    let storage = MemoryStorage::new();
    let (chain, _) = LocalChain::open(genesis(), storage.clone()).unwrap();
    for step in &plan.steps[..7] {
        send(&chain.connect(), &step.transaction.bytes).await.unwrap();
    }
    drop(chain);
    storage.crash(0);

    let (chain, _) = LocalChain::open(genesis(), storage).unwrap();
    let (again, receipts) = deploy::deploy(&chain.connect(), &config).await.unwrap();

    assert_eq!(again, plan);
    assert_eq!(chain.height(), plan.steps.len() as u64);
    for (step, receipt) in plan.steps.iter().zip(&receipts) {
        assert_eq!(receipt.transaction_hash, step.transaction.hash);
        assert!(receipt.contract_address.is_none_or(|address| address == step.address));
        // Limits are constants, so they must leave room for contracts to grow.
        let limit = if receipt.contract_address.is_some() { 8_000_000 } else { 4_000_000 };
        assert!(
            receipt.gas_used * 4 < limit * 3,
            "{}.{}: {}",
            step.contract,
            step.function,
            receipt.gas_used
        );
        println!("{:>9} {}.{}", receipt.gas_used, step.contract, step.function);
    }
}

#[test]
fn development_verifier_and_keys_are_refused_off_the_development_chain() {
    let off = |edit: &dyn Fn(&mut DeployConfig)| {
        let mut config = DeployConfig {
            deployer: Wallet::new(&B256::repeat_byte(0x51), 1).unwrap(),
            issuer: Wallet::new(&B256::repeat_byte(0x52), 1).unwrap(),
            verifier: Verifier::Ceremony(accepting_verifier()),
            ..config(Disclosure::Sealed)
        };
        edit(&mut config);
        deploy::plan(&config).map(|_| ()).map_err(|error| error.to_string())
    };
    let [public, other, ..] = evm::development_wallets(1);

    assert_eq!(off(&|_| ()), Ok(()));
    assert_eq!(
        off(&|config| config.verifier = Verifier::Development(accepting_verifier())).unwrap_err(),
        "a development verifier is refused on chain 1; only 31337 takes one"
    );
    let refused = |role, address: Address| {
        Err(format!("the {role} {address} is a public development account, refused on chain 1"))
    };
    assert_eq!(
        off(&|config| config.deployer = public.clone()),
        refused("deployer", public.address())
    );
    assert_eq!(off(&|config| config.issuer = public.clone()), refused("issuer", public.address()));
    assert_eq!(
        off(&|config| config.guardian = other.address()),
        refused("guardian", other.address())
    );
    assert_eq!(
        off(&|config| config.don.signers[2] = other.address()),
        refused("DON node", other.address())
    );
}

#[tokio::test]
async fn deployment_to_another_chain_is_refused_before_anything_is_sent() {
    let chain = LocalChain::new(Genesis { chain_id: 5, ..genesis() });
    let error = deploy::deploy(&chain.connect(), &config(Disclosure::Sealed)).await.unwrap_err();
    assert!(matches!(error, DeployError::ChainId { expected: 31337, found: 5 }), "{error}");
    assert_eq!(chain.height(), 0);
}

#[tokio::test]
async fn report_with_f_plus_one_signatures_is_carried_out_once() {
    let mut system = System::deploy(Disclosure::Immediate).await;
    let por = system.at.por;
    let signed = system.report(por, attest(false), 1, 2);

    let receipt = system.send(system.at.forwarder, signed.calldata(por)).await;

    let execution_id = Report::parse(&signed.raw).unwrap().execution_id;
    let expected = Outcome { receiver: por, execution_id, report_id: [0, 1], delivered: true };
    assert_eq!(system.outcome(&receipt), Some(expected));
    let last = ConfidentialPoR::new(por, &system.provider).lastAttestation().call().await.unwrap();
    assert!(!last.recovered);
    assert_eq!(last.timestamp, U256::from(START));

    let replayed = system.send(system.at.forwarder, signed.calldata(por)).await;
    assert!(!replayed.status());
    assert_eq!(system.outcome(&replayed), None);
}

/// The digest and the encoding that the enclave, the module and the core write out by hand.
#[tokio::test]
async fn an_observations_encoding_is_alloys_and_its_digest_the_contracts() {
    let system = System::deploy(Disclosure::Sealed).await;
    let por = ConfidentialPoR::new(system.at.por, &system.provider);
    let sealed = |opening| Observed {
        status: Status::Sealed(CommitmentHash([9; 32])),
        opening,
        ..observed(true)
    };
    let opening =
        |recovered| Some(Opening { status: RequestStatus::Filled, salt: [1; 32], recovered });
    let cases = [
        (observed(false), 1),
        (observed(true), 2),
        (sealed(None), 0),
        (sealed(opening(false)), 1),
        (sealed(opening(true)), 2),
    ];
    for (observed, attested) in cases {
        let word = system.observation(&observed);
        let (head, signature) =
            <ObservationAbi as alloy::sol_types::SolType>::abi_decode_params_validate(&word)
                .map(|(tick, timestamp, attested, status, deficit, answer, signature)| {
                    ((tick, timestamp, attested, status, deficit, answer), signature)
                })
                .unwrap();
        let (tick, timestamp, said, status, deficit, _) = head;
        assert_eq!((tick, timestamp, said), (observed.tick, observed.now.0, attested));
        assert_eq!(deficit, B256::from(observed.deficit.0));
        assert_eq!(status.is_zero(), matches!(observed.status, Status::Backed(_)));
        assert_eq!(signature.len(), 65);
        assert!(por.isObserved(word.clone()).call().await.unwrap(), "{observed:?}");
        // Any bit of it, the signature's last included.
        for byte in [31, 63, 95, 127, 159, 191, word.len() - 32] {
            let mut altered = word.to_vec();
            altered[byte] ^= 1;
            let taken = por.isObserved(altered.into()).call().await;
            assert!(!taken.unwrap_or(false), "byte {byte} of {observed:?}");
        }
    }
}

/// Anyone may deploy a contract that logs what ours log, and have it run within the same transaction.
#[tokio::test]
async fn logs_of_other_contracts_are_no_facts() {
    let mut system = System::deploy(Disclosure::Immediate).await;
    let (_, _, settled) = system.settle().await;
    let por = system.at.por;
    let attest = system.report(por, attest(true), 1, 2);
    let attested = system.send(system.at.forwarder, attest.calldata(por)).await;
    let emitters = Emitters::from(&system.at);
    for (receipt, n_facts) in [(&settled, 2), (&attested, 2)] {
        assert_eq!(mission::facts(receipt, &emitters).len(), n_facts);
        // The same logs, each emitter in turn a stranger's.
        let elsewhere = Address::repeat_byte(0xee);
        for log in receipt.logs() {
            let mut copied = receipt.clone();
            let logs = &mut copied.inner.as_receipt_with_bloom_mut().unwrap().receipt.logs;
            let copy = logs.iter_mut().find(|it| it.log_index == log.log_index).unwrap();
            copy.inner.address = elsewhere;
            let facts = mission::facts(&copied, &emitters);
            let lost = mission::facts(receipt, &emitters).len() - facts.len();
            let is_fact =
                mission::facts(receipt, &emitters).iter().any(|fact| !facts.contains(fact));
            assert_eq!(lost, usize::from(is_fact));
        }
        let mut copied = receipt.clone();
        for log in &mut copied.inner.as_receipt_with_bloom_mut().unwrap().receipt.logs {
            log.inner.address = elsewhere;
        }
        assert_eq!(mission::facts(&copied, &emitters), []);
        assert_eq!(
            mission::delivery(&copied, &emitters),
            Delivery { delivered: false, facts: Vec::new() }
        );
    }
    assert!(mission::delivery(&attested, &emitters).delivered);
}

#[tokio::test]
async fn report_with_f_signatures_is_refused_by_the_forwarder() {
    let mut system = System::deploy(Disclosure::Immediate).await;
    let por = system.at.por;
    let signed = system.report(por, attest(false), 1, 1);

    let receipt = system.send(system.at.forwarder, signed.calldata(por)).await;

    assert!(!receipt.status());
    let error = KeystoneForwarder::new(system.at.forwarder, &system.provider)
        .report(por, signed.raw, signed.context, signed.signatures)
        .call()
        .await
        .err()
        .unwrap();
    let count = error.as_decoded_error::<KeystoneForwarder::InvalidSignatureCount>().unwrap();
    assert_eq!((count.expected, count.received), (U256::from(2), U256::from(1)));
}

#[tokio::test]
async fn receiver_refuses_a_report_that_is_not_for_it() {
    let mut system = System::deploy(Disclosure::Immediate).await;
    let Deployment { por, registry, .. } = system.at;

    // For the registry, delivered to the proof of reserve.
    let elsewhere = system.report(registry, attest(false), 1, 2);
    let refused = system.refused(&elsewhere, por).await;
    let error = decode::<ConfidentialPoR::ReportForAnotherReceiver>(&refused);
    assert_eq!((error.receiver, error.expected), (registry, por));

    let mut payload = system.payload(por, attest(false), 1);
    payload.chain_id = 1;
    let other_chain = system.sign(payload.encode(), 2);
    let refused = system.refused(&other_chain, por).await;
    assert_eq!(decode::<ConfidentialPoR::ReportForAnotherChain>(&refused).chainId, U256::from(1));

    let mut payload = system.payload(por, attest(false), 1);
    payload.expiry = START - 1;
    let late = system.sign(payload.encode(), 2);
    let refused = system.refused(&late, por).await;
    assert_eq!(decode::<ConfidentialPoR::ReportExpired>(&refused).expiry, START - 1);

    let call = ConfidentialPoR::transferOwnershipCall { newOwner: por };
    let forbidden = system.report(por, call.abi_encode().into(), 1, 2);
    let refused = system.refused(&forbidden, por).await;
    decode::<ConfidentialPoR::SelectorNotAllowed>(&refused);

    let good = system.report(por, attest(false), 1, 2);
    let asked =
        report::refusal(&system.provider, system.at.forwarder, por, &good.raw).await.unwrap();
    assert_eq!(asked, None);
}

#[tokio::test]
async fn production_report_is_accepted_and_a_tampered_copy_refused() {
    let Some(vector) = production_report() else {
        println!(
            "skipped: no recorded production report found beside the repository or in CDPR_SHARED"
        );
        return;
    };
    let hex = |value: &serde_json::Value| -> Bytes { value.as_str().unwrap().parse().unwrap() };
    let addresses = |value: &serde_json::Value| -> Vec<Address> {
        value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().parse().unwrap()).collect()
    };
    let signed = SignedReport {
        raw: hex(&vector["rawReport"]),
        context: hex(&vector["reportContext"]),
        signatures: vector["signatures"].as_array().unwrap().iter().map(hex).collect(),
    };
    let parsed = Report::parse(&signed.raw).unwrap();
    assert_eq!(parsed.encode(), signed.raw);
    assert_eq!(u64::from(parsed.timestamp), vector["fields"]["timestamp"].as_u64().unwrap());
    assert_eq!((parsed.don_id, parsed.config_version, parsed.report_id), (1, 1, [0, 1]));
    assert_eq!(&parsed.workflow.name[..], vector["fields"]["name"].as_str().unwrap().as_bytes());
    assert_eq!(
        vec![parsed.workflow.owner],
        addresses(&serde_json::json!([vector["fields"]["owner"]]))
    );
    assert_eq!(&parsed.payload[..], b"Hello, World!");
    assert_eq!(&signed.digest()[..], &hex(&vector["digest"])[..]);
    assert_eq!(signed.signers().unwrap(), addresses(&vector["signers"]));

    let mut config = config(Disclosure::Immediate);
    config.don =
        Don { id: 1, config_version: 1, f: 3, signers: addresses(&vector["don"]["signers"]) };
    let mut system = System::deploy_with(config).await;
    let receiver = system.logging_receiver().await;
    let mut tampered = signed.clone();
    tampered.raw = [&signed.raw[..signed.raw.len() - 1], b"?"].concat().into();

    let refused = system.send(system.at.forwarder, tampered.calldata(receiver)).await;
    let error = KeystoneForwarder::new(system.at.forwarder, &system.provider)
        .report(receiver, tampered.raw, tampered.context, tampered.signatures)
        .call()
        .await
        .err()
        .unwrap();
    let accepted = system.send(system.at.forwarder, signed.calldata(receiver)).await;

    assert!(!refused.status());
    assert!(error.as_decoded_error::<KeystoneForwarder::InvalidSigner>().is_some(), "{error}");
    assert!(system.outcome(&accepted).unwrap().delivered);
    // The receiver logs its calldata: metadata and payload are the report's.
    let call =
        report::IReceiver::onReportCall::abi_decode(&accepted.logs()[0].data().data).unwrap();
    assert_eq!(&call.metadata[..], &signed.raw[45..109]);
    assert_eq!(&call.report[..], b"Hello, World!");
}

#[test]
fn report_survives_calldata_and_names_its_malformations() {
    let signed = SignedReport {
        raw: bytes!("0102"),
        context: bytes!("03"),
        signatures: vec![bytes!("04"), Bytes::from(vec![0; 65])],
    };
    let receiver = Address::repeat_byte(1);
    let calldata = signed.calldata(receiver);

    assert_eq!(SignedReport::decode(&calldata).unwrap(), (receiver, signed.clone()));
    assert!(matches!(SignedReport::decode(&calldata[1..]), Err(ReportError::Abi { .. })));
    assert!(matches!(signed.signers(), Err(ReportError::Signature { idx: 0 })));
    assert!(matches!(Report::parse(&[1; 108]), Err(ReportError::Short { len: 108 })));
    assert!(matches!(Report::parse(&[2; 109]), Err(ReportError::Version { version: 2 })));
    assert!(matches!(Payload::decode(&[0; 31]), Err(ReportError::Abi { .. })));
}

#[test]
fn payload_has_the_layout_of_abi_encode() {
    let payload = Payload {
        chain_id: 31337,
        receiver: address!("5FbDB2315678afecb367f032d93F642f64180aa3"),
        epoch: 7,
        expiry: 1_678_493_100,
        call: bytes!("deadbeef"),
        observation: bytes!("0102"),
    };
    let expected = bytes!(
        "0000000000000000000000000000000000000000000000000000000000007a69"
        "0000000000000000000000005fbdb2315678afecb367f032d93f642f64180aa3"
        "0000000000000000000000000000000000000000000000000000000000000007"
        "00000000000000000000000000000000000000000000000000000000640bc5ac"
        "00000000000000000000000000000000000000000000000000000000000000c0"
        "0000000000000000000000000000000000000000000000000000000000000100"
        "0000000000000000000000000000000000000000000000000000000000000004"
        "deadbeef00000000000000000000000000000000000000000000000000000000"
        "0000000000000000000000000000000000000000000000000000000000000002"
        "0102000000000000000000000000000000000000000000000000000000000000"
    );
    assert_eq!(payload.encode(), expected);
    assert_eq!(Payload::decode(&expected).unwrap(), payload);
}

#[test]
fn identifiers_and_digest_are_pinned() {
    let pool = address!("5FbDB2315678afecb367f032d93F642f64180aa3");
    let issuer = address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");
    let request = settlement::request_id(31337, pool, issuer, 3);
    let context = settlement::context(31337, pool, request, 2);
    let pool_id = settlement::pool_id(31337, pool);
    let digest = zk_proof(U256::from(9)).digest(31337, pool, request, 2);
    assert_eq!(
        [request, context.into(), pool_id.into(), digest],
        [
            b256!("5eecbdc92492c3b416274056a51c7591f604a84dd16da6b9b7e0f8b20be1c7bf"),
            b256!("00299f4b06026c01f5201f2a92640a853a866252fd98fed7fa994a58716e78fa"),
            b256!("004eff3c5b1f35f65d2bda0ccda908c188864ba7e5ec40a4fd1eb5969fe8758c"),
            b256!("456dadf4971bd2c5e2ea54cd633b7240576687e72eda2568a0007ab3430a7767"),
        ]
    );
}

#[test]
fn zk_proof_survives_encoding_and_names_its_malformations() {
    let proof = zk_proof(U256::from(9));
    let encoded = proof.encode();
    assert_eq!(ZkProof::decode(&encoded).unwrap(), proof);

    let mut version = encoded.to_vec();
    version[31] = 2;
    assert!(matches!(ZkProof::decode(&version), Err(ZkProofError::Version { version: 2 })));
    assert!(matches!(ZkProof::decode(&encoded[..encoded.len() - 1]), Err(ZkProofError::Abi(_))));
    assert!(matches!(ZkProof::decode(&[]), Err(ZkProofError::Abi(_))));
}

#[tokio::test]
async fn identifiers_and_digest_are_the_contracts_own() {
    let mut system = System::deploy(Disclosure::Immediate).await;
    let dark_pool = system.at.dark_pool;
    let request = system.request().await;
    let contract = DarkPool::new(dark_pool, &system.provider);

    assert_eq!(request, settlement::request_id(CHAIN_ID, dark_pool, wallet(2).address(), 0));
    assert_eq!(contract.currentRequestId().call().await.unwrap(), request);
    for round in [1, 2, u64::MAX] {
        let context = contract.context(request, round).call().await.unwrap();
        assert_eq!(context, settlement::context(CHAIN_ID, dark_pool, request, round));
    }
    let proof = zk_proof(U256::from(9));
    let hashes = (
        keccak256(proof.public_inputs.map(|input| input.to_be_bytes::<32>()).as_flattened()),
        keccak256(alloy::sol_types::SolValue::abi_encode(&proof.ciphertexts.to_vec())),
    );
    let digest = contract.settlementDigest(request, 2, hashes.0, hashes.1).call().await.unwrap();
    assert_eq!(digest, proof.digest(CHAIN_ID, dark_pool, request, 2));
}

#[tokio::test]
async fn settlement_reaches_the_contract_as_it_was_encoded() {
    let mut system = System::deploy(Disclosure::Immediate).await;
    let (request, proof, receipt) = system.settle().await;

    assert!(receipt.status());
    let dark_pool = system.at.dark_pool;
    let expected = Settled {
        dark_pool,
        request,
        round: 1,
        public_inputs: proof.public_inputs,
        ciphertexts: proof.ciphertexts.to_vec(),
    };
    assert_eq!(settlement::settled(&receipt), [expected]);
    let contract = DarkPool::new(dark_pool, &system.provider);
    let status = contract.getRequestStatus(request).call().await.unwrap();
    assert_eq!(status, 1, "partially filled, as public input 11 says");
}

#[tokio::test]
async fn committed_verifier_refuses_an_invented_proof() {
    let mut config = config(Disclosure::Immediate);
    config.verifier = Verifier::Development(abi::ClearingVerifier::BYTECODE.clone());
    let mut system = System::deploy_with(config).await;
    system.register().await;

    let (_, proof, receipt) = system.settle().await;

    assert!(!receipt.status());
    let error = abi::ClearingVerifier::new(system.at.verifier, &system.provider)
        .verifyProof(proof.proof, proof.public_inputs)
        .call()
        .await
        .err()
        .unwrap();
    assert!(error.as_decoded_error::<abi::ClearingVerifier::ProofInvalid>().is_some(), "{error}");
}

#[test]
fn artifacts_are_compiled_from_the_sources_beside_them() {
    let contracts = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
    let mut stale = Vec::new();
    let mut checked = 0;
    let mut names: Vec<_> = std::fs::read_dir(contracts.join("artifacts"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    names.sort();
    for name in names {
        let text = std::fs::read_to_string(contracts.join("artifacts").join(&name)).unwrap();
        checked += evm::artifacts::sources(&text).unwrap().len();
        let read = |path: &str| std::fs::read(contracts.join(path)).ok();
        stale.extend(evm::artifacts::stale((&name, &text), read).unwrap());
    }
    let stale: Vec<_> = stale.iter().map(ToString::to_string).collect();
    assert!(stale.is_empty(), "{}", stale.join("\n"));
    assert!(checked > 10, "only {checked} sources were compared");
}

#[test]
fn edited_or_missing_source_is_named() {
    let hash = keccak256("contract A {}");
    let text = format!(r#"{{"sources": {{"src/A.sol": "{hash}", "npm/B.sol": "{hash}"}}}}"#);
    let check = |source: Option<&str>| {
        let read = |_: &str| source.map(|source| source.as_bytes().to_vec());
        let stale = evm::artifacts::stale(("A.json", &text), read).unwrap();
        stale.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let message = "A.json was compiled from another src/A.sol; run `cargo xtask artifacts`";
    assert_eq!(check(Some("contract A {}")), [""; 0]);
    assert_eq!(check(Some("contract A { }")), [message]);
    assert_eq!(check(None), [message]);
}

/// A deployed system, and the nonce of whoever relays.
struct System {
    chain: LocalChain,
    provider: DynProvider,
    at: Deployment,
    relayer_nonce: u64,
    executions: u8,
}

impl System {
    async fn deploy(disclosure: Disclosure) -> Self {
        let mut system = Self::deploy_with(config(disclosure)).await;
        system.register().await;
        system
    }

    async fn deploy_with(config: DeployConfig) -> Self {
        let chain = LocalChain::new(genesis());
        let provider = chain.connect();
        let (plan, _) = deploy::deploy(&provider, &config).await.unwrap();
        Self { chain, provider, at: plan.deployment, relayer_nonce: 0, executions: 0 }
    }

    async fn send(&mut self, to: Address, input: Bytes) -> TransactionReceipt {
        let raw =
            wallet(8).sign(self.relayer_nonce, Fees::default(), Call::new(to, input, 5_000_000));
        self.relayer_nonce += 1;
        self.include(&raw).await
    }

    async fn include(&self, raw: &RawTransaction) -> TransactionReceipt {
        send(&self.provider, &raw.bytes).await.unwrap()
    }

    fn payload(&self, receiver: Address, call: Bytes, epoch: u64) -> Payload {
        let expiry = self.chain.timestamp() + 300;
        let rests_on_observation = [
            ConfidentialPoR::attestRecoveryCall::SELECTOR,
            DarkPool::requestCollateralCall::SELECTOR,
        ];
        let observation = if rests_on_observation.iter().any(|it| call.starts_with(it)) {
            let mut word = observed(call[35] == 1);
            if call.starts_with(&DarkPool::requestCollateralCall::SELECTOR) {
                // What is asked for is what was observed to be short.
                word.deficit = CommitmentHash(call[4..36].try_into().unwrap());
            }
            self.observation(&word)
        } else {
            Bytes::new()
        };
        Payload { chain_id: CHAIN_ID, receiver, epoch, expiry, call, observation }
    }

    /// An answer under the enclave's signature, as receivers are shown it.
    fn observation(&self, observed: &Observed) -> Bytes {
        let dark_pool = primitives::Address(self.at.dark_pool.into());
        let digest = observed.digest(CHAIN_ID, &dark_pool);
        observed.signed(&wallet(7).sign_hash(&digest.into()).as_bytes()).into()
    }

    fn report(
        &mut self,
        receiver: Address,
        call: Bytes,
        epoch: u64,
        signatures: usize,
    ) -> SignedReport {
        self.sign(self.payload(receiver, call, epoch).encode(), signatures)
    }

    fn sign(&mut self, payload: Bytes, signatures: usize) -> SignedReport {
        self.executions += 1;
        let raw = Report {
            execution_id: B256::repeat_byte(self.executions),
            timestamp: 1_678_492_800,
            don_id: 1,
            config_version: 1,
            workflow: workflow(),
            report_id: [0, 1],
            payload,
        }
        .encode();
        let context = Bytes::from(vec![0x0e; 96]);
        let digest = report::digest(&raw, &context);
        let sign = |node: &Wallet| -> Bytes {
            let signature = node.sign_hash(&digest);
            let mut bytes = signature.as_bytes();
            bytes[64] -= 27;
            bytes.into()
        };
        let signatures = don().iter().take(signatures).map(sign).collect();
        SignedReport { raw, context, signatures }
    }

    /// Delivers a report that the receiver has to refuse, and returns what with.
    async fn refused(&mut self, signed: &SignedReport, receiver: Address) -> Bytes {
        let receipt = self.send(self.at.forwarder, signed.calldata(receiver)).await;
        assert!(receipt.status());
        assert!(!self.outcome(&receipt).unwrap().delivered);
        let forwarder = self.at.forwarder;
        report::refusal(&self.provider, forwarder, receiver, &signed.raw).await.unwrap().unwrap()
    }

    /// Opens a request by a report.
    async fn request(&mut self) -> B256 {
        self.request_for(B256::with_last_byte(7), 50).await
    }

    async fn request_for(&mut self, commitment: B256, premium_cap_bps: u16) -> B256 {
        let dark_pool = self.at.dark_pool;
        let call = DarkPool::requestCollateralCall {
            encryptedAmount: commitment,
            premiumBps: U256::from(premium_cap_bps),
            timeout: U256::from(3600),
        };
        let signed = self.report(dark_pool, call.abi_encode().into(), 1, 2);
        let receipt = self.send(self.at.forwarder, signed.calldata(dark_pool)).await;
        assert!(self.outcome(&receipt).unwrap().delivered);
        let logs = receipt.logs().iter();
        let mut opened =
            logs.filter_map(|log| log.log_decode::<DarkPool::CollateralRequested>().ok());
        opened.next().unwrap().inner.data.requestId
    }

    /// Registers the enclave.
    async fn register(&mut self) {
        let registry = self.at.registry;
        let register = EnclaveRegistry::registerCall {
            signer: wallet(7).address(),
            workloadId: WORKLOAD,
            keyBundleHash: B256::repeat_byte(1),
            expiry: START + 3600,
            trust: 1,
        };
        let registered = self.report(registry, register.abi_encode().into(), 1, 2);
        let receipt = self.send(self.at.forwarder, registered.calldata(registry)).await;
        assert!(self.outcome(&receipt).unwrap().delivered);
    }

    fn outcome(&self, receipt: &TransactionReceipt) -> Option<Outcome> {
        report::outcome(receipt, self.at.forwarder)
    }

    /// Opens a request and settles its first round with a made-up proof.
    async fn settle(&mut self) -> (B256, ZkProof, TransactionReceipt) {
        let Deployment { dark_pool, pool, .. } = self.at;
        let request = self.request().await;

        let root = abi::ShieldedPool::new(pool, &self.provider).currentRoot().call().await.unwrap();
        let mut proof = zk_proof(settlement::context(CHAIN_ID, dark_pool, request, 1));
        proof.public_inputs[1] = root;
        let signature = wallet(7).sign_hash(&proof.digest(CHAIN_ID, dark_pool, request, 1));
        let fill = DarkPool::confidentialFillCall {
            requestId: request,
            zkProof: proof.encode(),
            teeAttestation: signature.as_bytes().into(),
        };
        let receipt = self.send(dark_pool, fill.abi_encode().into()).await;
        (request, proof, receipt)
    }

    /// A receiver that supports every interface but the invalid one, and logs its calldata.
    async fn logging_receiver(&self) -> Address {
        let address = Address::repeat_byte(0x5e);
        let code = bytes!(
            "5f3560e01c63805f213214601e57"   // onReport? jump
            "60043560e01c63ffffffff14155f5260205ff3" // return the interface id is not 0xffffffff
        );
        let (head, tail) = (code.to_vec(), bytes!("5b365f5f37365fa000").to_vec());
        let target = u8::try_from(head.len()).unwrap();
        let mut code = [head, tail].concat();
        code[12] = target;
        let params = serde_json::json!([address, Bytes::from(code)]);
        self.chain.request("anvil_setCode", params).unwrap();
        assert!(!self.provider.get_code_at(address).await.unwrap().is_empty());
        address
    }
}

fn genesis() -> Genesis {
    Genesis::development(START).fund((1..=9).map(|idx| wallet(idx).address()))
}

/// A circuit's keys: derived once, and read from where an earlier test left them.
fn development_keys(circuit: Circuit) -> Keys {
    let name = format!("{}-development.keys", circuit.name());
    let cached = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let pin = circuit.pinned().keys_sha256;
    let load = |bytes: Vec<u8>| Keys::from_bytes_of(circuit, &bytes, &pin, CHAIN_ID).ok();
    std::fs::read(&cached).ok().and_then(load).unwrap_or_else(|| {
        let keys = Keys::development_of(circuit, CHAIN_ID, |_| ()).unwrap();
        std::fs::write(&cached, keys.to_bytes()).expect("a target directory can be written");
        keys
    })
}

/// 1 deploys, 2 issues, 7 is an enclave, 8 relays, 9 makes markets.
fn wallet(idx: u8) -> Wallet {
    Wallet::new(&B256::repeat_byte(idx), CHAIN_ID).unwrap()
}

fn don() -> [Wallet; 4] {
    [0xd0, 0xd1, 0xd2, 0xd3].map(|byte| Wallet::new(&B256::repeat_byte(byte), CHAIN_ID).unwrap())
}

fn workflow() -> Workflow {
    Workflow {
        id: B256::repeat_byte(0x1d),
        name: *b"6a2c982ddd",
        owner: Address::repeat_byte(0x0a),
    }
}

fn config(disclosure: Disclosure) -> DeployConfig {
    DeployConfig {
        deployer: wallet(1),
        deployer_nonce: 0,
        issuer: wallet(2),
        issuer_nonce: 0,
        fees: Fees::default(),
        don: Don {
            id: 1,
            config_version: 1,
            f: 1,
            signers: don().map(|node| node.address()).to_vec(),
        },
        workflow: workflow(),
        timelock: Timelock {
            delay_min: 86_400,
            proposers: vec![wallet(3).address()],
            executors: vec![wallet(3).address()],
        },
        guardian: wallet(4).address(),
        guard: GuardParameters {
            attempts_max: 3,
            premium_cap_bps: 200,
            escalation_bps: vec![50, 100, 200],
        },
        price: 100_000_000,
        price_age_max: 86_400,
        workloads: vec![WORKLOAD],
        disclosure,
        ciphertext_len: CIPHERTEXT_LEN as u64,
        mandate: U256::from(11),
        position: U256::from(12),
        verifier: Verifier::Development(accepting_verifier()),
        mints: vec![Mint { token: Token::Cash, to: wallet(9).address(), amount: 1_000_000 }],
    }
}

/// Creation code of a contract that stops at once, and so accepts every proof: these tests are
/// about encodings.
fn accepting_verifier() -> Bytes {
    bytes!("60018060095f395ff300")
}

/// Public inputs that the contract takes for its first round, on an empty pool, with a verifier
/// that takes anything.
fn zk_proof(context: U256) -> ZkProof {
    let mut public_inputs: [U256; 26] = std::array::from_fn(|idx| U256::from(1000 + idx));
    public_inputs[0] = context;
    let known = [(2, 11), (3, 50), (4, 100_000_000), (5, START), (6, 0), (7, 7), (9, 12), (11, 1)];
    for (idx, value) in known {
        public_inputs[idx] = U256::from(value);
    }
    ZkProof {
        proof: std::array::from_fn(|idx| U256::from(idx + 1)),
        public_inputs,
        ciphertexts: std::array::from_fn(|idx| {
            vec![u8::try_from(idx).unwrap(); CIPHERTEXT_LEN].into()
        }),
    }
}

type ObservationAbi = alloy::sol! { (uint32, uint64, uint8, bytes32, bytes32, bytes32, bytes) };

/// What the enclave says of the tick at [`START`].
fn observed(backed: bool) -> Observed {
    Observed {
        tick: 1,
        now: Timestamp(START),
        status: Status::Backed(backed),
        deficit: CommitmentHash(B256::with_last_byte(7).0),
        position: CommitmentHash([2; 32]),
        notice: vec![3; 113],
        opening: None,
    }
}

fn attest(recovered: bool) -> Bytes {
    let call = ConfidentialPoR::attestRecoveryCall { recovered, timestamp: U256::from(START) };
    call.abi_encode().into()
}

fn decode<E: SolError>(data: &[u8]) -> E {
    E::abi_decode(data).unwrap_or_else(|error| panic!("{}: {error}", alloy::hex::encode(data)))
}

/// A recorded mainnet report, kept beside the repository.
fn production_report() -> Option<serde_json::Value> {
    let shared = match std::env::var_os("CDPR_SHARED") {
        Some(path) => path.into(),
        None => std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    };
    let text = std::fs::read_to_string(shared.join("vectors/cre/production-report.json")).ok()?;
    Some(serde_json::from_str(&text).expect("the recorded report is JSON"))
}
