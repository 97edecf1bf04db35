use std::sync::OnceLock;

use ark_bn254::Bn254;
use ark_ec::{AffineRepr, CurveGroup};
use ark_groth16::Groth16;

use super::{Circuit as Folded, *};
use crate::{
    keys::{ArkRng, Circuit, DEVELOPMENT_CHAIN, Origin, Pinned, Unsound, costs},
    second::testing::{self, FIVE, Provers, SpendShape},
};

/// Keys take seconds: made once for all tests, and not read from anywhere, so that they are known to be
/// what the pins say.
fn provers() -> &'static Provers {
    static PROVERS: OnceLock<Provers> = OnceLock::new();
    PROVERS.get_or_init(|| {
        Provers::new(|circuit| {
            Keys::development_of(circuit, DEVELOPMENT_CHAIN, |_| ()).expect("the right chain")
        })
    })
}

fn keys_of(circuit: Circuit) -> &'static Keys {
    let provers = provers();
    match circuit {
        Circuit::Absorb => provers.absorb.keys(),
        Circuit::Spend => provers.spend.keys(),
        Circuit::Account => provers.account.keys(),
        Circuit::Clear => provers.clear.keys(),
        Circuit::Clearing => crate::prove::tests::prover().keys(),
    }
}

const ANNOUNCED: SpendShape = SpendShape { n_real: 1, announce: true, full: true };

/// One proof of each relation for all tests: its inputs, and the proof.
fn proven() -> &'static [(Circuit, [Fr; INPUTS], Proof); 4] {
    fn one<W: Provable>(prover: &Prover<W>, witness: &W) -> (Circuit, [Fr; INPUTS], Proof) {
        let (statement, proof) = prover.prove(witness, [2; 32]).expect("satisfiable");
        assert_eq!(verify(prover.keys().verifying_key(), &statement, &proof), Ok(()));
        (W::Statement::CIRCUIT, statement.inputs(), proof)
    }
    static PROVEN: OnceLock<[(Circuit, [Fr; INPUTS], Proof); 4]> = OnceLock::new();
    PROVEN.get_or_init(|| {
        let Provers { absorb, spend, account, clear } = provers();
        [
            one(absorb, &testing::absorb(0, 16, absorb::HEIGHT).1),
            one(spend, &testing::spend(ANNOUNCED)),
            one(account, &testing::account(account::Kind::Open)),
            one(clear, &testing::clear(4, FIVE)),
        ]
    })
}

#[test]
fn development_keys_are_the_pinned_ones() {
    let hint = "a circuit changed: run the example export_verifier and say why in the commit";
    for circuit in Circuit::SECOND {
        let keys = keys_of(circuit);
        assert_eq!(Pinned::of(keys), *circuit.pinned(), "{circuit:?}: {hint}");
        assert_eq!(keys.origin(), Origin::Development);
        let compiled_in = VerifyingKey::development_of(circuit, DEVELOPMENT_CHAIN);
        assert_eq!(compiled_in.as_ref(), Ok(keys.verifying_key()));
        let refused = keys::Error::DevelopmentKeys { chain_id: 1 };
        assert_eq!(VerifyingKey::development_of(circuit, 1), Err(refused));
        assert_eq!(Keys::development_of(circuit, 1, |_| ()).err(), Some(refused));
    }
    let Provers { absorb, spend, account, clear } = provers();
    let found = [
        absorb.n_constraints(),
        spend.n_constraints(),
        account.n_constraints(),
        clear.n_constraints(),
    ];
    let expect =
        [absorb::CONSTRAINTS[0], spend::CONSTRAINTS, account::CONSTRAINTS, clear::CONSTRAINTS[1]];
    assert_eq!(found, expect);
    let rows: Vec<_> = Circuit::SECOND
        .into_iter()
        .zip(found)
        .map(|(circuit, constraints)| (circuit, constraints, circuit.pinned()))
        .collect();
    let fresh: serde_json::Value = serde_json::from_str(&costs(&rows)).expect("JSON");
    let committed = include_str!("../../../../../snapshots/costs.json");
    let committed: serde_json::Value = serde_json::from_str(committed).expect("JSON");
    for circuit in Circuit::SECOND {
        let name = circuit.name();
        assert_eq!(committed["circuits"][name], fresh["circuits"][name], "{hint}");
    }
}

#[test]
fn the_contracts_vectors_are_these() {
    let committed = include_str!("../../../../../contracts/test/vectors/proofs.json");
    let hint = "a circuit changed: run the example export_verifier and say why in the commit";
    assert!(committed == provers().vectors(), "{hint}");
}

#[test]
fn a_proof_is_of_its_inputs_and_of_its_relation() {
    for (circuit, inputs, proof) in proven() {
        let key = keys_of(*circuit).verifying_key();
        assert!(holds(key, inputs, proof), "{circuit:?}");
        for at in 0..INPUTS {
            let mut other = *inputs;
            other[at] += Fr::from(1);
            assert!(!holds(key, &other, proof), "{circuit:?}, input {at}");
        }
        let swapped = [inputs[1], inputs[0], inputs[2]];
        assert!(!holds(key, &swapped, proof), "{circuit:?}");
        for another in Circuit::ALL.into_iter().filter(|another| another != circuit) {
            let key = keys_of(another).verifying_key();
            assert!(!holds(key, inputs, proof), "{circuit:?} under the key of {another:?}");
        }
    }
}

/// The same circuit set up another time: what an older deployment took, this one doesn't.
#[test]
fn a_proof_under_an_older_key_is_refused() {
    let mut rng = ArkRng(rand_chacha::rand_core::SeedableRng::seed_from_u64(1));
    let older =
        Groth16::<Bn254>::generate_random_parameters_with_reduction(account::blank(), &mut rng)
            .expect("our circuits can be synthesised");
    let witness = testing::account(account::Kind::Fund);
    let statement = witness.statement().expect("satisfiable");
    let circuit = Folded::new(account::Assignment::of(&witness), statement.to_values().to_vec());
    let proof = Groth16::<Bn254>::create_random_proof_with_reduction(circuit, &older, &mut rng)
        .expect("satisfied");
    let older = VerifyingKey::new(older.vk, INPUTS).expect("sound");
    assert_eq!(verify(&older, &statement, &Proof(proof.clone())), Ok(()));
    let ours = keys_of(Circuit::Account).verifying_key();
    assert_eq!(verify(ours, &statement, &Proof(proof)), Err(Error::Invalid));
}

/// Under a key with γ = δ, A = α, B = β, C = −vk_x proves anything. Not under ours.
#[test]
fn the_forgery_of_2026_fails() {
    for (circuit, inputs, _) in proven() {
        let forge = |key: &ark_groth16::VerifyingKey<Bn254>| {
            let points = key.gamma_abc_g1[1..].iter().zip(inputs);
            let sum = points
                .fold(key.gamma_abc_g1[0].into_group(), |sum, (point, input)| sum + *point * input);
            ark_groth16::Proof { a: key.alpha_g1, b: key.beta_g2, c: (-sum).into_affine() }
        };
        let ours = keys_of(*circuit).verifying_key();
        assert!(!holds(ours, inputs, &Proof(forge(&ours.prepared.vk))), "{circuit:?}");

        let mut broken = ours.prepared.vk.clone();
        broken.delta_g2 = broken.gamma_g2;
        let prepared = ark_groth16::prepare_verifying_key(&broken);
        let accepted = Groth16::<Bn254>::verify_proof(&prepared, &forge(&broken), inputs);
        assert!(accepted.expect("as many inputs as points"), "the forgery is understood");
        assert_eq!(VerifyingKey::new(broken, INPUTS).err(), Some(Unsound::GammaIsDelta));
    }
}

#[test]
fn a_witness_that_breaks_the_relation_is_not_proven() {
    let mut witness = testing::account(account::Kind::Release);
    witness.amount = 1_001;
    let violation = witness.statement().expect_err("there is less");
    let refused = provers().account.prove(&witness, [1; 32]);
    assert_eq!(refused.err(), Some(Error::Witness(violation)));
}

#[test]
fn keys_of_another_relation_make_no_prover() {
    let spend = keys_of(Circuit::Spend).clone();
    let refused = Prover::<account::Witness>::new(spend.clone()).err();
    assert!(
        matches!(refused, Some(keys::Error::Circuit { found, .. }) if found == *spend.r1cs_sha256())
    );
}

/// Equal arguments, equal proof; and `posted` is what `Fold.sol` takes.
#[test]
fn a_proof_is_a_function_of_witness_and_entropy() {
    let witness = testing::account(account::Kind::Open);
    let (statement, proof) = provers().account.prove(&witness, [2; 32]).expect("satisfiable");
    assert_eq!((statement.inputs(), &proof), (proven()[2].1, &proven()[2].2));
    let (same, other) = provers().account.prove(&witness, [3; 32]).expect("satisfiable");
    assert!(same == statement && other != proof);
    let posted = statement.posted();
    assert_eq!(posted.len(), 1 + account::VALUES);
    let [digest, challenge, sum] = statement.inputs();
    assert_eq!(field::from_bytes(&posted[0]), Ok(digest));
    let values: Vec<_> =
        posted[1..].iter().map(|word| field::from_bytes(word).expect("reduced")).collect();
    assert_eq!((fold::challenge(digest, &values), fold::sum(&values, challenge)), (challenge, sum));
}
