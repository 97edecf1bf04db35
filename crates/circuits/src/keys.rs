//! Keys of a circuit: made, marked, carried and distrusted.
//!
//! Groth16 keys come from a secret that must be forgotten. Development keys come from one that anyone
//! can recompute, ChaCha20(SHA-256(tag ‖ circuit ‖ R1CS hash)): whoever reads this page can forge
//! proofs under them. So they carry a mark, and nothing here makes or loads them for any chain but
//! [`DEVELOPMENT_CHAIN`].
//!
//! Keys with a broken setup look like any others: two pools were drained in 2026 under keys whose γ and
//! δ were both the generator, because nobody ran the second phase. [`VerifyingKey`] therefore cannot
//! be had without passing [`Unsound`]'s list.

use std::sync::OnceLock;

use ark_bn254::{Bn254, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_groth16::{Groth16, PreparedVerifyingKey, ProvingKey, prepare_verifying_key};
use ark_relations::gr1cs::ConstraintSynthesizer;
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use pool::Fr;
use primitives::Hex;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};
use sha2::{Digest, Sha256};

use crate::{
    clearing::{self, Clearing},
    r1cs::R1cs,
    second::{absorb, account, clear, spend},
};

/// The only chain on which development keys are good: everyone's local one.
pub const DEVELOPMENT_CHAIN: u64 = 31_337;

const DEVELOPMENT_TAG: &[u8] = b"cdpr/development-keys/v1";
const MAGIC: [u8; 10] = *b"cdpr.keys\x01";
const HEADER_LEN: usize = MAGIC.len() + 1 + 32;

/// A circuit that keys are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// The first design's one.
    Clearing,
    /// [`absorb`], for 16 leaves.
    Absorb,
    /// [`spend`].
    Spend,
    /// [`account`].
    Account,
    /// [`mod@clear`], with eight slots.
    Clear,
}

impl Circuit {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Clearing, Self::Absorb, Self::Spend, Self::Account, Self::Clear];

    /// The four of the second design.
    pub const SECOND: [Self; 4] = [Self::Absorb, Self::Spend, Self::Account, Self::Clear];

    /// What it is called where keys, verifiers and costs are told apart.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clearing => clearing::NAME,
            Self::Absorb => absorb::NAME,
            Self::Spend => spend::NAME,
            Self::Account => account::NAME,
            Self::Clear => clear::NAME,
        }
    }

    /// Public inputs it has.
    #[must_use]
    pub fn n_inputs(self) -> usize {
        match self {
            Self::Clearing => clearing::INPUTS,
            Self::Absorb | Self::Spend | Self::Account | Self::Clear => pool::second::fold::INPUTS,
        }
    }

    /// Its matrices.
    #[must_use]
    pub fn r1cs(self) -> R1cs {
        match self {
            Self::Clearing => clearing::r1cs(),
            Self::Absorb => absorb::r1cs(absorb::HEIGHT),
            Self::Spend => spend::r1cs(),
            Self::Account => account::r1cs(),
            Self::Clear => clear::r1cs::<{ clear::SLOTS }>(),
        }
    }

    /// Its pinned development keys.
    #[must_use]
    pub fn pinned(self) -> &'static Pinned {
        static PINNED: [OnceLock<Pinned>; Circuit::ALL.len()] =
            [const { OnceLock::new() }; Circuit::ALL.len()];
        PINNED[self as usize].get_or_init(|| {
            let text = match self {
                Self::Clearing => include_str!("../keys/clearing.txt"),
                Self::Absorb => include_str!("../keys/absorb.txt"),
                Self::Spend => include_str!("../keys/spend.txt"),
                Self::Account => include_str!("../keys/account.txt"),
                Self::Clear => include_str!("../keys/clear.txt"),
            };
            Pinned::parse(text).expect("a test reads the pinned keys")
        })
    }

    fn set_up(self, rng: &mut ArkRng) -> ProvingKey<Bn254> {
        fn keys(circuit: impl ConstraintSynthesizer<Fr>, rng: &mut ArkRng) -> ProvingKey<Bn254> {
            Groth16::<Bn254>::generate_random_parameters_with_reduction(circuit, rng)
                .expect("our circuits can be synthesised")
        }
        match self {
            Self::Clearing => keys(Clearing::blank(), rng),
            Self::Absorb => keys(absorb::blank(absorb::HEIGHT), rng),
            Self::Spend => keys(spend::blank(), rng),
            Self::Account => keys(account::blank(), rng),
            Self::Clear => keys(clear::blank::<{ clear::SLOTS }>(), rng),
        }
    }
}

/// Why keys are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Development keys, off their chain.
    #[error(
        "development keys are refused on chain {chain_id}, they are for chain {DEVELOPMENT_CHAIN} \
         only: anyone can forge proofs under them; hint: production needs keys from a ceremony"
    )]
    DevelopmentKeys {
        /// The chain they were wanted for.
        chain_id: u64,
    },
    /// Not the bytes expected: an old cache, or a tampered one.
    #[error(
        "keys have SHA-256 {}, expected {}; hint: remove the cached file, it is made again",
        Hex(.found), Hex(.expected)
    )]
    Pin {
        /// Of these bytes.
        found: [u8; 32],
        /// Of the right ones.
        expected: [u8; 32],
    },
    /// Keys of another circuit, or of another version of this one.
    #[error("keys are for the circuit {}, this one is {}", Hex(.found), Hex(.expected))]
    Circuit {
        /// R1CS hash the keys are for.
        found: [u8; 32],
        /// R1CS hash of the circuit.
        expected: [u8; 32],
    },
    /// Bytes that are no keys.
    #[error("bytes are not a {what} of this program")]
    Malformed {
        /// What they should be.
        what: &'static str,
    },
    /// Keys under which proofs mean nothing.
    #[error("verifying key is unsound")]
    Unsound(#[from] Unsound),
}

/// What is wrong with a verifying key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    /// Then `A = α, B = β, C = −vk_x` proves anything.
    #[error("gamma equals delta: the second phase of the setup was never run")]
    GammaIsDelta,
    /// A point whose discrete logarithm anyone knows.
    #[error("{point} is the identity or the group's generator")]
    Trivial {
        /// Which.
        point: &'static str,
    },
    /// A point off the curve or outside the prime-order subgroup.
    #[error("{point} is not in the group")]
    NotInGroup {
        /// Which.
        point: &'static str,
    },
    /// Made for another number of public inputs.
    #[error("key is for {found} public inputs, the circuit has {expected}")]
    Inputs {
        /// Inputs it is for.
        found: usize,
        /// Inputs there are.
        expected: usize,
    },
}

/// Who knows the secret behind keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Everybody: development keys.
    Development,
    /// Nobody, if one contributor was honest.
    Ceremony,
}

/// How far making keys has come, to be shown while one waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The circuit is being synthesised: a tenth of the time.
    Circuit,
    /// Keys are being computed: nearly all of it.
    Keys,
    /// Keys are being checked.
    Check,
}

/// A circuit's keys: both of them, and where they come from.
#[derive(Clone)]
pub struct Keys {
    pub(crate) proving: ProvingKey<Bn254>,
    verifying: VerifyingKey,
    origin: Origin,
    r1cs_sha256: [u8; 32],
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Keys").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Keys {
    /// [`Self::development_of`] the first design's circuit.
    ///
    /// # Errors
    /// [`Error::DevelopmentKeys`] if `chain_id` is not [`DEVELOPMENT_CHAIN`].
    pub fn development(chain_id: u64, progress: impl FnMut(Step)) -> Result<Self, Error> {
        Self::development_of(Circuit::Clearing, chain_id, progress)
    }

    /// Makes a circuit's development keys, always the same. Takes seconds; `progress` is told each
    /// [`Step`] as it begins.
    ///
    /// # Errors
    /// [`Error::DevelopmentKeys`] if `chain_id` is not [`DEVELOPMENT_CHAIN`].
    ///
    /// # Panics
    /// If the circuit cannot be synthesised: a bug of ours.
    pub fn development_of(
        circuit: Circuit,
        chain_id: u64,
        mut progress: impl FnMut(Step),
    ) -> Result<Self, Error> {
        refuse_off_development(Origin::Development, chain_id)?;
        progress(Step::Circuit);
        let r1cs_sha256 = circuit.r1cs().sha256();
        progress(Step::Keys);
        let mut hasher = Sha256::new();
        hasher.update(DEVELOPMENT_TAG);
        hasher.update(circuit.name());
        hasher.update(r1cs_sha256);
        let mut rng = ArkRng(ChaCha20Rng::from_seed(hasher.finalize().into()));
        let proving = circuit.set_up(&mut rng);
        progress(Step::Check);
        Self::assemble(circuit, proving, Origin::Development, r1cs_sha256)
    }

    /// Encodes both keys, their origin and the circuit's hash. Some 25 MB of the first design's.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "writing to a vector does not fail")]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(match self.origin {
            Origin::Development => 0,
            Origin::Ceremony => 1,
        });
        bytes.extend(self.r1cs_sha256);
        self.proving.serialize_uncompressed(&mut bytes).expect("a vector takes everything");
        bytes
    }

    /// [`Self::from_bytes_of`] the first design's circuit.
    ///
    /// # Errors
    /// As there.
    pub fn from_bytes(bytes: &[u8], pin: &[u8; 32], chain_id: u64) -> Result<Self, Error> {
        Self::from_bytes_of(Circuit::Clearing, bytes, pin, chain_id)
    }

    /// Decodes [`Self::to_bytes`] of a circuit's keys if its SHA-256 is `pin`. The proving key's points are
    /// not checked one by one, which would take half a minute: the pin vouches for them.
    ///
    /// # Errors
    /// [`Error::Pin`] first of all; then [`Error::Malformed`], [`Error::DevelopmentKeys`] if they are
    /// and `chain_id` is not [`DEVELOPMENT_CHAIN`], and [`Error::Unsound`].
    pub fn from_bytes_of(
        circuit: Circuit,
        bytes: &[u8],
        pin: &[u8; 32],
        chain_id: u64,
    ) -> Result<Self, Error> {
        let found = Sha256::digest(bytes).into();
        if found != *pin {
            return Err(Error::Pin { found, expected: *pin });
        }
        let malformed = Error::Malformed { what: "key file" };
        let (header, proving) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(malformed)?;
        let (magic, header) = header.split_at(MAGIC.len());
        let origin = match header[0] {
            0 => Origin::Development,
            1 => Origin::Ceremony,
            _ => return Err(malformed),
        };
        if magic != MAGIC {
            return Err(malformed);
        }
        refuse_off_development(origin, chain_id)?;
        let r1cs_sha256 = header[1..].try_into().expect("what is left of the header");
        let proving =
            ProvingKey::deserialize_uncompressed_unchecked(proving).map_err(|_| malformed)?;
        Self::assemble(circuit, proving, origin, r1cs_sha256)
    }

    /// The key that everyone else needs.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// Who knows the secret behind them.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Hash of the circuit they are for, see [`R1cs::sha256`].
    #[must_use]
    pub fn r1cs_sha256(&self) -> &[u8; 32] {
        &self.r1cs_sha256
    }

    /// Whether they are for the circuit of this hash, see [`R1cs::sha256`].
    ///
    /// # Errors
    /// [`Error::Circuit`] if they are not.
    pub fn check_circuit(&self, expected: &[u8; 32]) -> Result<(), Error> {
        if self.r1cs_sha256 != *expected {
            return Err(Error::Circuit { found: self.r1cs_sha256, expected: *expected });
        }
        Ok(())
    }

    fn assemble(
        circuit: Circuit,
        proving: ProvingKey<Bn254>,
        origin: Origin,
        r1cs_sha256: [u8; 32],
    ) -> Result<Self, Error> {
        let verifying = VerifyingKey::new(proving.vk.clone(), circuit.n_inputs())?;
        Ok(Self { proving, verifying, origin, r1cs_sha256 })
    }
}

/// A verifying key that passed [`Unsound`]'s list, ready to verify.
#[derive(Clone)]
pub struct VerifyingKey {
    pub(crate) prepared: PreparedVerifyingKey<Bn254>,
}

impl core::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "VerifyingKey({})", Hex(&self.sha256()))
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.prepared.vk == other.prepared.vk
    }
}

impl Eq for VerifyingKey {}

impl VerifyingKey {
    /// Takes a key if it is sound.
    ///
    /// # Errors
    /// The first of [`Unsound`]'s list that applies.
    pub(crate) fn new(
        key: ark_groth16::VerifyingKey<Bn254>,
        n_inputs: usize,
    ) -> Result<Self, Unsound> {
        let found = key.gamma_abc_g1.len().saturating_sub(1);
        if found != n_inputs {
            return Err(Unsound::Inputs { found, expected: n_inputs });
        }
        check_g1("alpha", &key.alpha_g1)?;
        check_g2("beta", &key.beta_g2)?;
        check_g2("gamma", &key.gamma_g2)?;
        check_g2("delta", &key.delta_g2)?;
        for point in &key.gamma_abc_g1 {
            check_g1("a public input's point", point)?;
        }
        if key.gamma_g2 == key.delta_g2 {
            return Err(Unsound::GammaIsDelta);
        }
        Ok(Self { prepared: prepare_verifying_key(&key) })
    }

    /// [`Self::development_of`] the first design's circuit.
    ///
    /// # Errors
    /// As there.
    pub fn development(chain_id: u64) -> Result<Self, Error> {
        Self::development_of(Circuit::Clearing, chain_id)
    }

    /// A circuit's development key, compiled in.
    ///
    /// # Errors
    /// [`Error::DevelopmentKeys`] if `chain_id` is not [`DEVELOPMENT_CHAIN`].
    ///
    /// # Panics
    /// If the compiled-in key is not sound: a bug of ours.
    pub fn development_of(circuit: Circuit, chain_id: u64) -> Result<Self, Error> {
        refuse_off_development(Origin::Development, chain_id)?;
        let pinned = &circuit.pinned().verifying_key;
        Ok(Self::from_bytes_of(circuit, pinned).expect("a test reads the pinned key"))
    }

    /// [`Self::from_bytes_of`] the first design's circuit.
    ///
    /// # Errors
    /// As there.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::from_bytes_of(Circuit::Clearing, bytes)
    }

    /// Decodes [`Self::to_bytes`] of a circuit's key.
    ///
    /// # Errors
    /// [`Error::Malformed`] or [`Error::Unsound`].
    pub fn from_bytes_of(circuit: Circuit, bytes: &[u8]) -> Result<Self, Error> {
        let mut rest = bytes;
        let key = ark_groth16::VerifyingKey::deserialize_compressed(&mut rest)
            .ok()
            .filter(|_| rest.is_empty())
            .ok_or(Error::Malformed { what: "verifying key" })?;
        Ok(Self::new(key, circuit.n_inputs())?)
    }

    /// Encodes the key: α, β, γ, δ and a point a public input, compressed as arkworks does.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "writing to a vector does not fail")]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.prepared.vk.serialize_compressed(&mut bytes).expect("a vector takes everything");
        bytes
    }

    /// SHA-256 of [`Self::to_bytes`].
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.to_bytes()).into()
    }
}

/// What the development keys must be, so that a cached or a derived key is checked against the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// Of the circuit, see [`R1cs::sha256`].
    pub r1cs_sha256: [u8; 32],
    /// Of [`Keys::to_bytes`].
    pub keys_sha256: [u8; 32],
    /// See [`VerifyingKey::to_bytes`].
    pub verifying_key: Vec<u8>,
}

/// [`Circuit::pinned`] of the first design's circuit.
#[must_use]
pub fn pinned() -> &'static Pinned {
    Circuit::Clearing.pinned()
}

/// Constraints, inputs and pinned hashes of circuits, as `snapshots/costs.json` has them.
#[must_use]
pub fn costs(circuits: &[(Circuit, usize, &Pinned)]) -> String {
    let one = |(circuit, constraints, pinned): &(Circuit, usize, &Pinned)| {
        format!(
            "    \"{}\": {{\n      \"constraints\": {constraints},\n      \"public_inputs\": {},\n      \
             \"r1cs_sha256\": \"{}\",\n      \"vk_sha256\": \"{}\",\n      \"pk_sha256\": \"{}\"\n    }}",
            circuit.name(),
            circuit.n_inputs(),
            Hex(&pinned.r1cs_sha256),
            Hex(&Sha256::digest(&pinned.verifying_key)),
            Hex(&pinned.keys_sha256),
        )
    };
    let circuits: Vec<_> = circuits.iter().map(one).collect();
    format!("{{\n  \"circuits\": {{\n{}\n  }}\n}}\n", circuits.join(",\n"))
}

impl Pinned {
    /// What to pin of `keys`.
    #[must_use]
    pub fn of(keys: &Keys) -> Self {
        Self {
            r1cs_sha256: keys.r1cs_sha256,
            keys_sha256: Sha256::digest(keys.to_bytes()).into(),
            verifying_key: keys.verifying.to_bytes(),
        }
    }

    /// Three lines, `name hex`. What [`Circuit::pinned`] reads.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!(
            "r1cs_sha256 {}\nkeys_sha256 {}\nverifying_key {}\n",
            Hex(&self.r1cs_sha256),
            Hex(&self.keys_sha256),
            Hex(&self.verifying_key),
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut field = |name| {
            let hex = lines.next()?.strip_prefix(name)?.strip_prefix(' ')?;
            (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok())
                .collect::<Option<Vec<_>>>()
        };
        Some(Self {
            r1cs_sha256: field("r1cs_sha256")?.try_into().ok()?,
            keys_sha256: field("keys_sha256")?.try_into().ok()?,
            verifying_key: field("verifying_key")?,
        })
    }
}

fn refuse_off_development(origin: Origin, chain_id: u64) -> Result<(), Error> {
    if origin == Origin::Development && chain_id != DEVELOPMENT_CHAIN {
        return Err(Error::DevelopmentKeys { chain_id });
    }
    Ok(())
}

fn check_g1(name: &'static str, point: &G1Affine) -> Result<(), Unsound> {
    // G1 has prime order, so on the curve is in the group; said twice, it costs nothing.
    if !point.is_on_curve() || !point.is_in_correct_subgroup_assuming_on_curve() {
        return Err(Unsound::NotInGroup { point: name });
    }
    if point.is_zero() || *point == G1Affine::generator() {
        return Err(Unsound::Trivial { point: name });
    }
    Ok(())
}

fn check_g2(name: &'static str, point: &G2Affine) -> Result<(), Unsound> {
    if !point.is_on_curve() || !point.is_in_correct_subgroup_assuming_on_curve() {
        return Err(Unsound::NotInGroup { point: name });
    }
    if point.is_zero() || *point == G2Affine::generator() {
        return Err(Unsound::Trivial { point: name });
    }
    Ok(())
}

/// ChaCha20 as arkworks takes its randomness, which is an older trait.
pub(crate) struct ArkRng(pub(crate) ChaCha20Rng);

impl ark_std::rand::RngCore for ArkRng {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), ark_std::rand::Error> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl ark_std::rand::CryptoRng for ArkRng {}

#[cfg(test)]
mod tests {
    use ark_ec::CurveGroup;
    use ark_ff::{AdditiveGroup, Field};

    use super::*;
    use crate::{clearing::INPUTS, prove::tests::prover};

    fn keys() -> &'static Keys {
        prover().keys()
    }

    fn sound() -> ark_groth16::VerifyingKey<Bn254> {
        keys().verifying_key().prepared.vk.clone()
    }

    #[test]
    fn development_keys_are_the_pinned_ones() {
        assert_eq!(
            Pinned::of(keys()),
            *pinned(),
            "the circuit changed: run the example export_verifier and say why in the commit",
        );
        assert_eq!(
            VerifyingKey::development(DEVELOPMENT_CHAIN).as_ref(),
            Ok(keys().verifying_key())
        );
        assert_eq!(Pinned::parse(&pinned().to_text()).as_ref(), Some(pinned()));
    }

    #[test]
    fn development_keys_are_refused_off_their_chain() {
        for chain_id in [0, 1, 1337, 31_338] {
            let refused = Error::DevelopmentKeys { chain_id };
            assert_eq!(Keys::development(chain_id, |_| ()).err(), Some(refused));
            assert_eq!(VerifyingKey::development(chain_id).err(), Some(refused));
            let bytes = keys().to_bytes();
            let loaded = Keys::from_bytes(&bytes, &pinned().keys_sha256, chain_id);
            assert_eq!(loaded.err(), Some(refused));
        }
    }

    #[test]
    fn keys_survive_their_encoding_under_their_pin_only() {
        let bytes = keys().to_bytes();
        let pin = pinned().keys_sha256;
        let loaded = Keys::from_bytes(&bytes, &pin, DEVELOPMENT_CHAIN).expect("pinned");
        assert_eq!(loaded.proving, keys().proving);
        assert_eq!(loaded.origin(), Origin::Development);
        assert_eq!(loaded.r1cs_sha256(), keys().r1cs_sha256());

        let mut altered = bytes.clone();
        *altered.last_mut().expect("not empty") ^= 1;
        let refused = Keys::from_bytes(&altered, &pin, DEVELOPMENT_CHAIN);
        assert!(matches!(refused, Err(Error::Pin { expected, .. }) if expected == pin));

        for (bytes, what) in [
            (b"".as_slice(), "nothing"),
            (&bytes[..bytes.len() - 1], "a torn file"),
            (&[b"dcpr.keys\x01".as_slice(), &bytes[10..]].concat(), "another magic"),
            (&[&bytes[..10], &[7], &bytes[11..]].concat(), "another origin"),
        ] {
            let pin = Sha256::digest(bytes).into();
            let refused = Keys::from_bytes(bytes, &pin, DEVELOPMENT_CHAIN).err();
            assert_eq!(refused, Some(Error::Malformed { what: "key file" }), "{what}");
        }
    }

    #[test]
    fn keys_of_another_circuit_are_refused() {
        let mut r1cs = clearing::r1cs();
        assert_eq!(keys().check_circuit(&r1cs.sha256()), Ok(()));
        r1cs.a[7][0].0 += Fr::ONE;
        assert!(matches!(keys().check_circuit(&r1cs.sha256()), Err(Error::Circuit { .. })));
    }

    #[test]
    fn unsound_keys_are_refused() {
        type Break = fn(&mut ark_groth16::VerifyingKey<Bn254>);
        let off_curve = G1Affine::new_unchecked(ark_bn254::Fq::ONE, ark_bn254::Fq::ONE);
        assert!(!off_curve.is_on_curve());
        let rows: [(Break, Unsound); 8] = [
            (|key| key.delta_g2 = key.gamma_g2, Unsound::GammaIsDelta),
            (|key| key.delta_g2 = G2Affine::generator(), Unsound::Trivial { point: "delta" }),
            (|key| key.gamma_g2 = G2Affine::generator(), Unsound::Trivial { point: "gamma" }),
            (|key| key.beta_g2 = G2Affine::identity(), Unsound::Trivial { point: "beta" }),
            (|key| key.alpha_g1 = G1Affine::generator(), Unsound::Trivial { point: "alpha" }),
            (
                // An input that the proof would not depend on.
                |key| key.gamma_abc_g1[5] = G1Affine::identity(),
                Unsound::Trivial { point: "a public input's point" },
            ),
            (
                |key| key.alpha_g1 = G1Affine::new_unchecked(Field::ONE, Field::ONE),
                Unsound::NotInGroup { point: "alpha" },
            ),
            (
                |key| {
                    key.gamma_abc_g1.pop();
                },
                Unsound::Inputs { found: INPUTS - 1, expected: INPUTS },
            ),
        ];
        assert!(VerifyingKey::new(sound(), INPUTS).is_ok());
        for (tamper, unsound) in rows {
            let mut key = sound();
            tamper(&mut key);
            assert_eq!(VerifyingKey::new(key, INPUTS).err(), Some(unsound));
        }
    }

    /// Keys of one design are none of the other's, by the number of their inputs already.
    #[test]
    fn a_key_of_another_circuit_has_other_inputs() {
        let bytes = keys().verifying_key().to_bytes();
        let refused = Error::Unsound(Unsound::Inputs { found: 26, expected: 3 });
        for circuit in Circuit::SECOND {
            assert_eq!(VerifyingKey::from_bytes_of(circuit, &bytes), Err(refused));
        }
    }

    /// On the twist, but not in the subgroup that pairings are about.
    #[test]
    fn a_point_outside_the_subgroup_is_refused() {
        let outside = (1_u64..)
            .find_map(|x| {
                let x = ark_bn254::Fq2::new(x.into(), ark_bn254::Fq::ZERO);
                G2Affine::get_point_from_x_unchecked(x, false)
            })
            .expect("half of all x are on the curve");
        assert!(outside.is_on_curve());
        assert!(!outside.is_in_correct_subgroup_assuming_on_curve());
        let mut key = sound();
        key.delta_g2 = outside;
        assert_eq!(
            VerifyingKey::new(key, INPUTS).err(),
            Some(Unsound::NotInGroup { point: "delta" })
        );
        // Nor does clearing the cofactor change what is said of a good point.
        let good = outside.clear_cofactor().into_group().into_affine();
        let mut key = sound();
        key.delta_g2 = good;
        assert!(VerifyingKey::new(key, INPUTS).is_ok());
    }

    #[test]
    fn a_verifying_key_survives_its_encoding() {
        let key = keys().verifying_key();
        let mut bytes = key.to_bytes();
        assert_eq!(VerifyingKey::from_bytes(&bytes).as_ref(), Ok(key));
        bytes.push(0);
        let malformed = Error::Malformed { what: "verifying key" };
        assert_eq!(VerifyingKey::from_bytes(&bytes), Err(malformed));
        assert_eq!(VerifyingKey::from_bytes(&[]), Err(malformed));
    }

    #[test]
    fn messages_say_what_to_do() {
        let message = Error::DevelopmentKeys { chain_id: 1 }.to_string();
        assert!(message.contains("chain 1,") && message.contains("hint:"), "{message}");
        let message = Error::Pin { found: [1; 32], expected: [2; 32] }.to_string();
        assert!(message.contains(&"01".repeat(32)) && message.contains("hint:"), "{message}");
    }
}
