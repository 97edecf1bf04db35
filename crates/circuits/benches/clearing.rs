//! What a clearing costs: synthesis, proof, verification.
//! `cargo bench -p circuits`, on two idle cores, says what the book quotes.

use circuits::{
    clearing,
    keys::{DEVELOPMENT_CHAIN, Keys},
    prove::{Prover, verify},
    testing::{Shape, witness_of},
};
use pool::status::Disclosure;

const SHAPE: Shape = Shape { n_fills: 4, filled: false, disclosure: Disclosure::Sealed };

#[expect(clippy::print_stdout, reason = "it is a program")]
fn main() {
    let r1cs = clearing::r1cs();
    println!("{} constraints, {} terms", r1cs.n_constraints(), r1cs.n_terms());
    divan::main();
}

fn keys() -> Keys {
    Keys::development(DEVELOPMENT_CHAIN, |_| ()).expect("this is the development chain")
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn synthesise() -> circuits::r1cs::R1cs {
    clearing::r1cs()
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn check_natively(bencher: divan::Bencher<'_, '_>) {
    let witness = witness_of(1, SHAPE);
    bencher.bench(|| witness.statement().expect("satisfiable"));
}

#[divan::bench(sample_count = 1, sample_size = 1)]
fn make_keys() -> Keys {
    keys()
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn load_keys(bencher: divan::Bencher<'_, '_>) {
    let bytes = keys().to_bytes();
    let pin = circuits::keys::Pinned::of(&keys()).keys_sha256;
    bencher.bench(|| Keys::from_bytes(&bytes, &pin, DEVELOPMENT_CHAIN).expect("pinned"));
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn make_prover(bencher: divan::Bencher<'_, '_>) {
    let keys = keys();
    bencher.with_inputs(|| keys.clone()).bench_values(|keys| Prover::new(keys).expect("they fit"));
}

#[divan::bench(sample_count = 8, sample_size = 1)]
fn prove(bencher: divan::Bencher<'_, '_>) {
    let prover = Prover::new(keys()).expect("they fit");
    let witness = witness_of(1, SHAPE);
    bencher.bench(|| prover.prove(&witness, [1; 32]).expect("satisfiable"));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn verify_proof(bencher: divan::Bencher<'_, '_>) {
    let prover = Prover::new(keys()).expect("they fit");
    let (statement, proof) = prover.prove(&witness_of(1, SHAPE), [1; 32]).expect("satisfiable");
    bencher.bench(|| verify(prover.keys().verifying_key(), &statement, &proof));
}
