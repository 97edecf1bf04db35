//! What the chain refuses, tried with a real proof that it would otherwise take.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use darkpool::Attested;
use devchain::LocalChain;
use evm::abi::DarkPool;
use evm::alloy::primitives::{Address, B256, Bytes, U256};
use evm::alloy::sol_types::{SolCall, SolError};
use evm::settlement::ZkProof;
use k256::ecdsa::SigningKey;
use protocol::attest::Status;
use protocol::event::{Event, Fact, Ready};
use protocol::journal::{Journal, Record};
use recovery::DisclosureMode::Immediate;
use sim::{Faults, Host, World};

use crate::{Disks, inputs, quick, run, run_until};

/// A world that stops with its first round ready, and that round.
fn ready() -> (World, Ready) {
    let disks = Disks::default();
    run_until(inputs(&quick(), Immediate, 1, Faults::default()), &disks, "cleared");
    let journal = Journal::read(&disks.journal.bytes()).0;
    let ready = journal.records.iter().rev().find_map(|record| match record {
        Record::Happened { event: Event::Cleared { ready }, .. } => ready.clone(),
        _ => None,
    });
    let stores = disks.stores();
    let world = World::open(
        inputs(&quick(), Immediate, 1, Faults::default()),
        stores.chain,
        stores.enclave,
    )
    .unwrap();
    (world, ready.expect("the first call of this scenario fills"))
}

/// What `confidentialFill` would do now, called by nobody in particular: nothing, or the revert data.
fn attempt(world: &World, request: B256, zk_proof: &Bytes, signature: &[u8]) -> Result<(), Bytes> {
    let call = DarkPool::confidentialFillCall {
        requestId: request,
        zkProof: zk_proof.clone(),
        teeAttestation: signature.to_vec().into(),
    };
    eth_call(&world.chain, world.contracts.dark_pool, &call.abi_encode())
}

fn eth_call(chain: &LocalChain, to: Address, data: &[u8]) -> Result<(), Bytes> {
    let params = serde_json::json!([{ "to": to, "data": Bytes::from(data.to_vec()) }, "latest"]);
    match chain.request("eth_call", params) {
        Ok(_) => Ok(()),
        Err(error) => {
            let text = error
                .data
                .as_ref()
                .and_then(|data| data.as_str().map(str::to_owned))
                .unwrap_or_default();
            Err(text.parse().unwrap_or_default())
        }
    }
}

fn sign(key: &SigningKey, digest: B256) -> Vec<u8> {
    let (signature, recovery) = key.sign_prehash_recoverable(&digest.0);
    let mut bytes = signature.to_bytes().to_vec();
    bytes.push(27 + recovery.to_byte());
    bytes
}

fn refused<E: SolError>(result: Result<(), Bytes>, what: &str) {
    let data = result.expect_err(what);
    assert!(E::abi_decode(&data).is_ok(), "{what}: expected {}, got {data}", E::SIGNATURE);
}

#[test]
fn the_chain_refuses_every_altered_settlement_and_takes_the_real_one() {
    let (world, ready) = ready();
    let request = B256::from(ready.request.0);
    let zk_proof = Bytes::from(ready.zk_proof.clone());
    let proof = ZkProof::decode(&zk_proof).unwrap();
    let attest = &ready.tee_attestation;

    // The control: as it is, anyone may settle it.
    assert_eq!(attempt(&world, request, &zk_proof, attest), Ok(()));

    // One bit of the proof. The attestation does not cover proof bytes, so the verifier must refuse.
    for word in 0..8 {
        let mut altered = proof.clone();
        altered.proof[word] ^= U256::from(1);
        assert!(attempt(&world, request, &altered.encode(), attest).is_err(), "proof word {word}");
    }

    // Another request.
    refused::<DarkPool::RequestUnknown>(
        attempt(&world, B256::repeat_byte(7), &zk_proof, attest),
        "another request",
    );

    // Any public input, with a signature of the attested key's domain that no longer covers it.
    for input in 0..proof.public_inputs.len() {
        let mut altered = proof.clone();
        altered.public_inputs[input] ^= U256::from(1);
        assert!(
            attempt(&world, request, &altered.encode(), attest).is_err(),
            "public input {input}"
        );
    }

    // A ciphertext swapped by whoever delivers.
    let mut altered = proof.clone();
    altered.ciphertexts.swap(0, 4);
    refused::<DarkPool::EnclaveNotActive>(
        attempt(&world, request, &altered.encode(), attest),
        "swapped ciphertexts",
    );

    // An enclave key nobody registered.
    let stranger = SigningKey::from_slice(&[3; 32]).unwrap();
    let round = u64::from(ready.round);
    let chain_id = world.contracts.chain_id;
    let digest = proof.digest(chain_id, world.contracts.dark_pool, request, round);
    refused::<DarkPool::EnclaveNotActive>(
        attempt(&world, request, &zk_proof, &sign(&stranger, digest)),
        "a stranger's key",
    );

    // Another chain, another contract, another round: signed for elsewhere, it is a stranger's here.
    for (chain, pool, round) in [
        (1, world.contracts.dark_pool, round),
        (chain_id, world.contracts.pool, round),
        (chain_id, world.contracts.dark_pool, round + 1),
    ] {
        let elsewhere = sign(&stranger, proof.digest(chain, pool, request, round));
        refused::<DarkPool::EnclaveNotActive>(
            attempt(&world, request, &zk_proof, &elsewhere),
            "signed for elsewhere",
        );
        // And the proof itself is bound there too: its context is another.
        let context = evm::settlement::context(chain, pool, request, round);
        assert_ne!(context, proof.public_inputs[0]);
    }

    // An expired enclave: a day past its key bundle nobody settles with it. The request has expired by
    // then as well, so the registry is asked.
    let registry =
        evm::abi::EnclaveRegistry::isActiveCall { signer: world.evidence.signer().0.into() };
    let active = |chain: &LocalChain| {
        let params = serde_json::json!([{ "to": world.contracts.registry, "data": Bytes::from(registry.abi_encode()) }, "latest"]);
        chain.request("eth_call", params).unwrap().as_str().unwrap().ends_with('1')
    };
    assert!(active(&world.chain));
    world.chain.set_next_timestamp(world.evidence.key_bundle.not_after + 86_400).unwrap();
    assert!(!active(&world.chain), "expired");
}

#[test]
fn a_settlement_cannot_be_replayed() {
    let (world, ready) = ready();
    let disks = Disks::default();
    let report = run(inputs(&quick(), Immediate, 1, Faults::default()), &disks).unwrap();
    assert!(report.is_success());
    let stores = disks.stores();
    let after = World::open(
        inputs(&quick(), Immediate, 1, Faults::default()),
        stores.chain,
        stores.enclave,
    )
    .unwrap();
    assert_eq!(world.contracts, after.contracts);
    let (request, zk_proof) = (B256::from(ready.request.0), Bytes::from(ready.zk_proof.clone()));
    refused::<DarkPool::RequestNotOpen>(
        attempt(&after, request, &zk_proof, &ready.tee_attestation),
        "after FILLED",
    );
}

/// E8: the published envelopes, sent again when all is over.
#[test]
fn a_replayed_envelope_does_not_tell_who_was_filled() {
    let scenario = || inputs(&quick(), Immediate, 1, Faults::default());
    let disks = Disks::default();
    assert!(run(scenario(), &disks).unwrap().rounds >= 2, "somebody was filled");
    let stores = disks.stores();
    let mut world = World::open(scenario(), stores.chain, stores.enclave).unwrap();
    let sealed = disks.enclave.bytes();
    let (mut n_envelopes, records) = (0, Journal::read(&disks.journal.bytes()).0.records);
    for record in records {
        if let Record::Happened { event: Event::Ordered { envelope, receipt }, .. } = record {
            assert_eq!(world.order(envelope).unwrap(), receipt, "envelope {n_envelopes}");
            n_envelopes += 1;
        }
    }
    assert!(n_envelopes > 1);
    assert_eq!(disks.enclave.bytes(), sealed, "and what the host keeps does not grow");
}

/// E4: one host serves the enclave's answers to all nodes, and makes them say what it likes.
#[test]
fn a_host_that_answers_every_node_falsely_gets_nothing_attested() {
    let lies: [fn(&mut Attested, &Attested); 4] = [
        |_, _| (),
        |told, _| told.signature.clear(),
        |told, _| {
            let stranger = SigningKey::from_slice(&[3; 32]).unwrap();
            // The chain id and pool of nobody: a stranger's key is one under any digest.
            let digest = told.observed.digest(31_337, &primitives::Address::default());
            told.signature = sign(&stranger, B256::from(digest));
        },
        // What the enclave did say, when it was true.
        |told, first| *told = first.clone(),
    ];
    for (idx, lie) in lies.into_iter().enumerate() {
        let first: Arc<Mutex<Option<Attested>>> = Arc::default();
        let n_short = Arc::new(AtomicU32::new(0));
        let host = Host::new(move |answer| {
            let mut first = first.lock().unwrap();
            let first = &*first.get_or_insert_with(|| answer.clone());
            if answer.observed.status != Status::Backed(false) {
                return answer;
            }
            // The world hears of the shortfall once, and would next hear that it is over.
            if n_short.fetch_add(1, Ordering::Relaxed) == 0 {
                return answer;
            }
            let mut told = answer;
            told.observed.status = Status::Backed(true);
            lie(&mut told, first);
            told
        });
        let disks = Disks::default();
        let faults = Faults { host: Some(host), ..Faults::default() };
        let ended = run(inputs(&quick(), Immediate, 1, faults), &disks).expect_err("it is noticed");
        let said = ended.to_string();
        let expected =
            if idx == 3 { "is refused" } else { "no active enclave signed the answer of tick" };
        assert!(said.contains(expected), "lie {idx}: {said}");
        let attested: Vec<bool> = attestations(&disks);
        assert_eq!(attested.iter().filter(|recovered| !**recovered).count(), 1, "lie {idx}");
        assert_eq!(attested.last(), Some(&false), "lie {idx}");
        // Once it stops, the mission goes on from there.
        let report = run(inputs(&quick(), Immediate, 1, Faults::default()), &disks).unwrap();
        assert!(report.is_success(), "lie {idx}");
    }
}

/// The bits that went into the chain, in order.
fn attestations(disks: &Disks) -> Vec<bool> {
    let facts =
        Journal::read(&disks.journal.bytes()).0.records.into_iter().flat_map(
            |record| match record {
                Record::Happened { event: Event::Written { facts, .. }, .. } => facts,
                _ => Vec::new(),
            },
        );
    facts
        .filter_map(|fact| match fact {
            Fact::RecoveryAttested { recovered } => Some(recovered),
            _ => None,
        })
        .collect()
}

#[test]
fn terms_altered_after_locking_are_answered_and_never_filled() {
    let (world, _) = ready();
    let (agent, index) = &world.makers[0];
    let mut cheaper = agent.terms();
    cheaper.premium_bps_min = 0;
    let key = &world.evidence.key_bundle.hpke_public_key;
    let forged = agent.envelope_with(key, *index, cheaper).unwrap();
    // Its commitment is not in the tree, so it never stands; what it is answered with does not say so.
    let mut world = world;
    assert!(world.order(forged).is_ok());
    let honest = world.makers[0].0.envelope(&world.evidence.key_bundle.hpke_public_key, 1).unwrap();
    assert!(world.order(honest).is_ok());
}
