//! What the chain takes from an adversary who holds the enclave's key: P1's.
//!
//! Everything here is signed as the registered enclave signs, so that what refuses is the proof, the
//! verifier or a contract, and never a signature that no longer fits. Each forgery is asked for its
//! reason, sent, and must leave no trace.

use std::sync::OnceLock;

use alloy::primitives::uint;
use alloy::sol_types::SolValue as _;
use circuits::clearing::Witness;
use circuits::keys::Circuit;
use circuits::prove::Prover;
use circuits::testing::{Shape, consideration_note, maker_note, witness_of};
use evm::abi::{CashToken, ClearingVerifier, ShieldedPool};
use pool::note::Note;
use pool::status;
use pool::tree::Tree;
use pool::{Fr, field};

use super::*;

/// Of the scalar field, where public inputs are.
const P: U256 = uint!(0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001_U256);
/// Of the base field, where the coordinates of proofs are.
const Q: U256 = uint!(0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47_U256);
/// Public inputs that the contract compares with what it knows; the rest is the proof's.
const KNOWN: [usize; 7] = [0, 2, 3, 4, 6, 7, 9];
const ROOT: usize = 1;
const CLOSED_AT: usize = 5;

#[tokio::test]
async fn forged_settlements_signed_by_the_enclave_are_refused_and_the_genuine_one_is_not() {
    let mut round = Round::open().await;
    let genuine = round.genuine.clone();
    let (request, other) = (round.request, prove(&round.of_another_round()));
    let before = round.state().await;

    // Each public input, by itself.
    for input in 0..26 {
        let mut forged = genuine.clone();
        forged.public_inputs[input] += U256::from(1);
        let what = format!("input {input}, one more");
        if KNOWN.contains(&input) {
            let error: DarkPool::PublicInputMismatch = round.refused(&what, &forged).await;
            assert_eq!(error.index, U256::from(input), "{what}");
        } else {
            let _: ClearingVerifier::ProofInvalid = round.refused(&what, &forged).await;
        }

        let mut forged = genuine.clone();
        forged.public_inputs[input] += P;
        let what = format!("input {input}, plus p");
        let error: DarkPool::PublicInputNotInField = round.refused(&what, &forged).await;
        assert_eq!(error.index, U256::from(input), "{what}");
    }

    // Values in another order: nullifiers, leaves, a leaf for another kind of leaf, new commitments.
    for (one, two) in [(12, 13), (15, 16), (17, 18), (21, 22), (17, 21), (20, 25), (8, 10)] {
        let mut forged = genuine.clone();
        forged.public_inputs.swap(one, two);
        let what = format!("inputs {one} and {two} swapped");
        let _: ClearingVerifier::ProofInvalid = round.refused(&what, &forged).await;
    }
    for (from, to) in [(12, 13), (16, 12), (17, 18), (25, 17)] {
        let mut forged = genuine.clone();
        forged.public_inputs[to] = forged.public_inputs[from];
        let what = format!("input {from} twice, at {to} as well");
        let _: ClearingVerifier::ProofInvalid = round.refused(&what, &forged).await;
    }
    // Another root that the pool knows.
    let mut forged = genuine.clone();
    forged.public_inputs[ROOT] = round.empty_root;
    let _: ClearingVerifier::ProofInvalid = round.refused("an older root", &forged).await;
    // Other times.
    for (closed_at, what) in [(round.opened - 1, "before it opened"), (START + 100_000, "to come")]
    {
        let mut forged = genuine.clone();
        forged.public_inputs[CLOSED_AT] = U256::from(closed_at);
        let error: DarkPool::ClosedAtOutOfRange = round.refused(what, &forged).await;
        assert_eq!(error.closedAt, U256::from(closed_at), "{what}");
    }

    // The proof: each point negated, missing, or of another proof; A for C; coordinates beyond q.
    let points: [(&str, &[usize], &[usize]); 3] =
        [("A", &[0, 1], &[1]), ("B", &[2, 3, 4, 5], &[4, 5]), ("C", &[6, 7], &[7])];
    for (name, words, ordinates) in points {
        let mut negated = genuine.clone();
        let mut missing = genuine.clone();
        let mut replaced = genuine.clone();
        let mut unreduced = genuine.clone();
        ordinates.iter().for_each(|word| negated.proof[*word] = Q - negated.proof[*word]);
        words.iter().for_each(|word| missing.proof[*word] = U256::ZERO);
        words.iter().for_each(|word| replaced.proof[*word] = other.proof[*word]);
        unreduced.proof[words[0]] += Q;
        for (how, forged) in [
            ("negated", negated),
            ("missing", missing),
            ("of another proof", replaced),
            ("unreduced", unreduced),
        ] {
            let what = format!("{name} {how}");
            let _: ClearingVerifier::ProofInvalid = round.refused(&what, &forged).await;
        }
    }
    for word in 0..8 {
        let mut forged = genuine.clone();
        forged.proof[word] ^= U256::from(1);
        let what = format!("word {word} of the proof");
        let _: ClearingVerifier::ProofInvalid = round.refused(&what, &forged).await;
    }
    let mut forged = genuine.clone();
    (forged.proof[0], forged.proof[6]) = (forged.proof[6], forged.proof[0]);
    (forged.proof[1], forged.proof[7]) = (forged.proof[7], forged.proof[1]);
    let _: ClearingVerifier::ProofInvalid = round.refused("A and C swapped", &forged).await;
    let mut forged = genuine.clone();
    forged.proof = other.proof;
    let _: ClearingVerifier::ProofInvalid = round.refused("another round's proof", &forged).await;

    // Proofs that hold, of something else: another round, notes that no one deposited.
    let error: DarkPool::PublicInputMismatch = round.refused("another round", &other).await;
    assert_eq!(error.index, U256::ZERO);
    let invented = prove(&round.of_invented_notes());
    assert_eq!(round.attempt_verifier(&invented), Ok(()), "a proof that holds");
    let error: ShieldedPool::UnknownRoot = round.refused("invented notes", &invented).await;
    assert_eq!(error.root, invented.public_inputs[ROOT]);

    // Signed for elsewhere: another chain, contract, round.
    let dark_pool = round.system.at.dark_pool;
    for (chain_id, contract, of_round, what) in [
        (1, dark_pool, 1, "another chain"),
        (CHAIN_ID, round.system.at.pool, 1, "another contract"),
        (CHAIN_ID, dark_pool, 2, "the next round"),
    ] {
        let signature = sign(&genuine.digest(chain_id, contract, request, of_round));
        let call = fill(request, genuine.encode(), signature);
        let error: DarkPool::EnclaveNotActive = round.refused_call(what, call).await;
        assert_ne!(error.signer, wallet(7).address());
        // And its context would be another one.
        let context = settlement::context(chain_id, contract, request, of_round);
        assert_ne!(context, genuine.public_inputs[0]);
    }
    // Another request, signed for it: one that never was.
    let unknown = B256::repeat_byte(7);
    let signature = sign(&genuine.digest(CHAIN_ID, dark_pool, unknown, 1));
    let call = fill(unknown, genuine.encode(), signature);
    let _: DarkPool::RequestUnknown = round.refused_call("another request", call).await;

    // Ciphertexts: too few, too many, too long; another version.
    let ciphertext = genuine.ciphertexts[0].clone();
    let four = genuine.ciphertexts[..4].to_vec();
    let six = [&genuine.ciphertexts[..], &[ciphertext]].concat();
    for ciphertexts in [four, six] {
        let call = round.fill_of(1, &genuine, ciphertexts.clone());
        let error: DarkPool::CiphertextCountMismatch = round.refused_call("a count", call).await;
        assert_eq!(error.count, U256::from(ciphertexts.len()));
    }
    let mut longer = genuine.ciphertexts.to_vec();
    longer[3] = vec![1; CIPHERTEXT_LEN + 1].into();
    let call = round.fill_of(1, &genuine, longer);
    let error: DarkPool::CiphertextLengthMismatch = round.refused_call("a length", call).await;
    assert_eq!(error.index, U256::from(3));
    let call = round.fill_of(2, &genuine, genuine.ciphertexts.to_vec());
    let error: DarkPool::UnsupportedVersion = round.refused_call("a version", call).await;
    assert_eq!(error.version, U256::from(2));

    assert_eq!(round.state().await, before, "nothing that was refused has left a trace");

    // The control: as it is, signed the same way.
    let call = round.signed(&genuine);
    assert_eq!(round.attempt(&call), Ok(()));
    let receipt = round.system.send(dark_pool, call.clone()).await;
    assert!(receipt.status());
    let after = round.state().await;
    assert_eq!(after.position, genuine.public_inputs[10]);
    assert_eq!(after.request, (genuine.public_inputs[8], 1, status::PARTIALLY_FILLED));
    assert_eq!(after.spent, [true; 5]);
    assert_ne!(after.root, before.root);
    assert_eq!(after.balances, before.balances, "a settlement moves no tokens");

    // Again, as it was, and signed for the next round.
    let _: DarkPool::EnclaveNotActive = round.refused_call("again", call).await;
    round.n = 2;
    let error: DarkPool::PublicInputMismatch = round.refused("again, signed anew", &genuine).await;
    assert_eq!(error.index, U256::ZERO);
    // The next round, proven anew over notes that are spent: the old root is still known.
    let twice = prove(&round.of_spent_notes());
    assert_eq!(round.attempt_verifier(&twice), Ok(()), "a proof that holds");
    let error: ShieldedPool::NullifierAlreadySpent = round.refused("spent notes", &twice).await;
    assert_eq!(error.nullifier, twice.public_inputs[12 + round.first_real_slot()]);
    assert_eq!(round.state().await, after);
}

/// What the key's holder can do, and the threat model says so. The contract looks at the length of a
/// ciphertext and no more: nobody but its reader could tell. A maker that is sent garbage finds its
/// payout by what it knows, and its change if it guesses its fill.
#[tokio::test]
async fn ciphertexts_that_nobody_can_read_settle_if_the_enclave_signs_them() {
    let round = Round::open().await;
    let genuine = &round.genuine;
    let mut swapped = genuine.clone();
    swapped.ciphertexts.swap(0, 3);
    let mut garbage = genuine.clone();
    garbage.ciphertexts = std::array::from_fn(|_| vec![0; CIPHERTEXT_LEN].into());
    for forged in [swapped, garbage] {
        assert_eq!(round.attempt(&round.signed(&forged)), Ok(()));
        // By anyone else they are refused: the signature covers them.
        let honest = sign(&genuine.digest(CHAIN_ID, round.system.at.dark_pool, round.request, 1));
        let call = fill(round.request, forged.encode(), honest);
        decode::<DarkPool::EnclaveNotActive>(&round.attempt(&call).unwrap_err());
    }
}

/// Groth16 proofs are malleable: nothing may be keyed on their bytes, and nothing is.
#[tokio::test]
async fn a_proof_may_be_changed_into_another_of_the_same() {
    let round = Round::open().await;
    let mut changed = round.genuine.clone();
    for ordinate in [1, 4, 5] {
        changed.proof[ordinate] = Q - changed.proof[ordinate];
    }
    assert_eq!(round.attempt(&round.signed(&changed)), Ok(()), "A and B, both negated");
}

/// A round that a real proof settles, on a chain with the real verifier.
struct Round {
    system: System,
    witness: Witness,
    request: B256,
    /// When the request opened.
    opened: u64,
    /// Of rounds, the one whose turn it is.
    n: u64,
    /// Before anything was deposited.
    empty_root: U256,
    genuine: ZkProof,
}

/// All of the state that a settlement could touch.
#[derive(Debug, PartialEq, Eq)]
struct State {
    position: U256,
    /// Commitment, rounds and status.
    request: (U256, u64, u8),
    root: U256,
    next_index: U256,
    /// Of the genuine settlement's.
    spent: [bool; 5],
    /// Of the pool, by token: held and recorded.
    balances: [(U256, U256); 2],
}

impl Round {
    async fn open() -> Self {
        let mut config = config(Disclosure::Immediate);
        config.verifier = Verifier::Development(ClearingVerifier::BYTECODE.clone());
        let at = deploy::plan(&config).unwrap().deployment;

        // A witness of any values, made to be of this chain.
        let shape = Shape { n_fills: 3, filled: false, disclosure: Disclosure::Immediate };
        let mut witness = witness_of(1, shape);
        let [cash, claim] = [at.cash, at.claim].map(|token| field::from_address(&token.into()));
        let mandate = &mut witness.mandate;
        (mandate.collateral_asset, mandate.consideration_asset) = (cash, claim);
        mandate.pool_id = scalar(settlement::pool_id(CHAIN_ID, at.pool));
        mandate.expiry = START + 1_000_000;
        let mandate = witness.mandate;
        for slot in &mut witness.slots {
            slot.terms.consideration_asset = mandate.consideration_asset;
            slot.terms.pool_id = mandate.pool_id;
            slot.terms.expiry = mandate.expiry;
        }
        // Enough for a second round.
        let filled: u128 = witness.slots.iter().map(|slot| slot.fill).sum();
        witness.request.remaining = 3 * filled;
        witness.request.requested = 4 * filled;
        witness.request.mandate = mandate.commitment();

        config.mandate = word(mandate.commitment());
        config.position = word(witness.position.commitment());
        config.price = witness.round.price;
        config.guard.premium_cap_bps = 1_000;
        let notes = notes(&witness);
        let amount = notes.iter().map(|note| note.amount).sum();
        config.mints = [Token::Cash, Token::Claim]
            .map(|token| Mint { token, to: wallet(8).address(), amount })
            .to_vec();
        let mut system = System::deploy_with(config).await;
        assert_eq!(system.at, at);
        system.register().await;
        let pool = ShieldedPool::new(at.pool, &system.provider);
        let empty_root = pool.currentRoot().call().await.unwrap();

        for token in [at.cash, at.claim] {
            let approve = CashToken::approveCall { spender: at.pool, value: U256::MAX };
            assert!(system.send(token, approve.abi_encode().into()).await.status());
        }
        for note in &notes {
            let call = ShieldedPool::depositCall {
                asset: if note.asset == cash { at.cash } else { at.claim },
                amount: U256::from(note.amount),
                inner: word(note.inner()),
            };
            assert!(system.send(at.pool, call.abi_encode().into()).await.status());
        }
        plant(&mut witness, &notes);
        let root = ShieldedPool::new(at.pool, &system.provider).currentRoot().call().await.unwrap();
        assert_eq!(root, word(witness.round.root), "the tree is the pool's");

        let (commitment, cap) = (witness.request.commitment(), witness.round.premium_cap_bps);
        let request = system.request_for(word(commitment).into(), cap).await;
        let opened = system.chain.timestamp();
        // The round closes some time after the request opened, and a block later it is settled.
        system.chain.set_next_timestamp(opened + 60).unwrap();
        let nothing = CashToken::approveCall { spender: at.pool, value: U256::ZERO };
        assert!(system.send(at.cash, nothing.abi_encode().into()).await.status());
        witness.round.closed_at = opened + 30;
        witness.round.context = scalar(settlement::context(CHAIN_ID, at.dark_pool, request, 1));
        let genuine = prove(&witness);
        Self { system, witness, request, opened, n: 1, empty_root, genuine }
    }

    /// What would settle as the second round, were the first one never settled.
    fn of_another_round(&self) -> Witness {
        let mut witness = self.witness.clone();
        let dark_pool = self.system.at.dark_pool;
        witness.round.context = scalar(settlement::context(CHAIN_ID, dark_pool, self.request, 2));
        witness
    }

    /// The same deal over a tree of the forger's own, in which every note has a thousand times as much.
    fn of_invented_notes(&self) -> Witness {
        let mut witness = self.witness.clone();
        for slot in &mut witness.slots {
            slot.amount *= 1_000;
        }
        let notes = notes(&witness);
        plant(&mut witness, &notes);
        witness
    }

    /// The second round, as it has to be after the first, but for what it spends.
    fn of_spent_notes(&self) -> Witness {
        let mut witness = self.of_another_round();
        let filled = witness.slots.iter().map(|slot| slot.fill).sum();
        let context = self.witness.round.context;
        witness.request = witness.request.after(filled, context).unwrap();
        witness.position = witness.position.after(filled, context).unwrap();
        witness
    }

    fn first_real_slot(&self) -> usize {
        self.witness.slots.iter().position(|slot| slot.real).unwrap()
    }

    /// Calldata of a settlement that the enclave has signed for this round.
    fn signed(&self, proof: &ZkProof) -> Bytes {
        let digest = proof.digest(CHAIN_ID, self.system.at.dark_pool, self.request, self.n);
        fill(self.request, proof.encode(), sign(&digest))
    }

    /// The same, with a version and ciphertexts that [`ZkProof`] cannot hold.
    fn fill_of(&self, version: u16, proof: &ZkProof, ciphertexts: Vec<Bytes>) -> Bytes {
        let (dark_pool, inputs) = (self.system.at.dark_pool, proof.public_inputs);
        let digest =
            settlement::digest(CHAIN_ID, dark_pool, self.request, self.n, &inputs, &ciphertexts);
        let encoded = (version, proof.proof, inputs, ciphertexts).abi_encode_params();
        fill(self.request, encoded.into(), sign(&digest))
    }

    /// Nothing, or what the dark pool reverts with.
    fn attempt(&self, call: &Bytes) -> Result<(), Bytes> {
        self.call(self.system.at.dark_pool, call)
    }

    fn attempt_verifier(&self, proof: &ZkProof) -> Result<(), Bytes> {
        let ZkProof { proof, public_inputs: input, .. } = proof.clone();
        let call = ClearingVerifier::verifyProofCall { proof, input };
        self.call(self.system.at.verifier, &call.abi_encode().into())
    }

    fn call(&self, to: Address, data: &Bytes) -> Result<(), Bytes> {
        let params = serde_json::json!([{ "to": to, "data": data }, "latest"]);
        let Err(error) = self.system.chain.request("eth_call", params) else { return Ok(()) };
        let data = error.data.as_ref().and_then(|data| data.as_str());
        Err(data.expect("a revert has data").parse().unwrap())
    }

    async fn refused<E: SolError>(&mut self, what: &str, forged: &ZkProof) -> E {
        assert!(self.n > 1 || *forged != self.genuine, "{what}: nothing is forged");
        self.refused_call(what, self.signed(forged)).await
    }

    /// Asks for the reason, and sends it all the same.
    async fn refused_call<E: SolError>(&mut self, what: &str, call: Bytes) -> E {
        let data = self.attempt(&call).expect_err(what);
        let receipt = self.system.send(self.system.at.dark_pool, call).await;
        assert!(!receipt.status(), "{what}: sent, it settles");
        let Ok(error) = E::abi_decode(&data) else {
            panic!("{what}: refused with {data} and not with {}", E::SIGNATURE)
        };
        error
    }

    async fn state(&self) -> State {
        let System { at, provider, .. } = &self.system;
        let dark_pool = DarkPool::new(at.dark_pool, provider);
        let pool = ShieldedPool::new(at.pool, provider);
        let request = dark_pool.request(self.request).call().await.unwrap();
        let mut spent = [false; 5];
        for (spent, nullifier) in spent.iter_mut().zip(&self.genuine.public_inputs[12..]) {
            *spent = pool.isSpent(*nullifier).call().await.unwrap();
        }
        let mut balances = [(U256::ZERO, U256::ZERO); 2];
        for ((held, recorded), token) in balances.iter_mut().zip([at.cash, at.claim]) {
            *held = CashToken::new(token, provider).balanceOf(at.pool).call().await.unwrap();
            *recorded = pool.recorded(token).call().await.unwrap();
        }
        State {
            position: dark_pool.position().call().await.unwrap(),
            request: (request.commitment, request.rounds, request.status),
            root: pool.currentRoot().call().await.unwrap(),
            next_index: pool.nextIndex().call().await.unwrap(),
            spent,
            balances,
        }
    }
}

/// The notes that a witness spends, in the order they are deposited.
fn notes(witness: &Witness) -> Vec<Note> {
    let real = witness.slots.iter().filter(|slot| slot.real);
    let mut notes: Vec<_> = real.map(|slot| maker_note(&witness.mandate, slot)).collect();
    notes.push(consideration_note(&witness.mandate, &witness.consideration));
    notes
}

/// Points the witness at its notes in a tree that holds them and no others.
fn plant(witness: &mut Witness, notes: &[Note]) {
    let mut tree = Tree::new();
    for note in notes {
        tree.append(note.commitment()).unwrap();
    }
    witness.round.root = tree.root();
    let real = witness.slots.iter_mut().filter(|slot| slot.real).map(|slot| &mut slot.path);
    for (index, path) in (0..).zip(real.chain([&mut witness.consideration.path])) {
        *path = tree.path(index).unwrap();
    }
}

fn prove(witness: &Witness) -> ZkProof {
    static PROVER: OnceLock<Prover> = OnceLock::new();
    let prover = PROVER.get_or_init(|| Prover::new(development_keys(Circuit::Clearing)).unwrap());
    let (statement, proof) = prover.prove(witness, [1; 32]).unwrap();
    ZkProof {
        proof: proof.to_words().map(U256::from_be_bytes),
        public_inputs: statement.to_words().map(U256::from_be_bytes),
        ciphertexts: std::array::from_fn(|idx| {
            vec![u8::try_from(idx + 1).unwrap(); CIPHERTEXT_LEN].into()
        }),
    }
}

fn fill(request: B256, proof: Bytes, signature: Bytes) -> Bytes {
    let call = DarkPool::confidentialFillCall {
        requestId: request,
        zkProof: proof,
        teeAttestation: signature,
    };
    call.abi_encode().into()
}

/// By the registered enclave.
fn sign(digest: &B256) -> Bytes {
    wallet(7).sign_hash(digest).as_bytes().into()
}

fn word(value: Fr) -> U256 {
    U256::from_be_bytes(field::to_bytes(&value))
}

fn scalar(word: U256) -> Fr {
    field::from_bytes(&word.to_be_bytes()).unwrap()
}
