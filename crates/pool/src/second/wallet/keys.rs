//! One seed, one path: every secret of a wallet.
//!
//! `HKDF-SHA256(ikm = seed, no salt, info = "cdpr/wallet/v1/PURPOSE/INDEX")` (RFC 5869), 48 bytes, read as a
//! big-endian integer and reduced modulo `p`: 16 bytes more than `p` has, so that no residue is likelier than
//! another by more than 2^-130. The path is ASCII, the index decimal without leading zeros. Another version
//! is another path.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::{Error, Words};
use crate::{
    Fr, field,
    hash::{poseidon, tag},
    keys::{NullifierSecret, SpendSecret, owner},
    second::note::inner,
};

/// What all paths begin with.
pub const PATH: &str = "cdpr/wallet/v1";

/// Least bytes of a seed. BIP 39's has 64, which is as good.
pub const SEED_LEN_MIN: usize = 32;

/// Whoever has these is the wallet. Nothing of them is printed; they are wiped when dropped.
pub struct Keys {
    prk: Zeroizing<[u8; 32]>,
    hint_key: Zeroizing<Fr>,
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Keys")
    }
}

/// What opens a note: both secrets of its owner.
pub struct Opening {
    /// Takes notes out; it never leaves the wallet.
    pub spend_secret: SpendSecret,
    /// Computes nullifiers; a line's goes to its venue's enclave.
    pub nullifier_secret: NullifierSecret,
}

impl core::fmt::Debug for Opening {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Opening")
    }
}

impl Opening {
    /// Who a note belongs to that this opens.
    #[must_use]
    pub fn owner(&self) -> Fr {
        owner(self.spend_secret.spend_key(), self.nullifier_secret.nullifier_key())
    }
}

impl Keys {
    /// The keys of a seed.
    ///
    /// # Errors
    /// [`Error::Seed`] if it is shorter than [`SEED_LEN_MIN`] bytes.
    pub fn new(seed: &[u8]) -> Result<Self, Error> {
        if seed.len() < SEED_LEN_MIN {
            return Err(Error::Seed { len: seed.len() });
        }
        let (mut extracted, _) = Hkdf::<Sha256>::extract(None, seed);
        let mut prk = Zeroizing::new([0; 32]);
        prk.copy_from_slice(&extracted);
        extracted.as_mut_slice().zeroize();
        let mut keys = Self { prk, hint_key: Zeroizing::new(Fr::from(0)) };
        keys.hint_key = keys.element("hint", 0);
        Ok(keys)
    }

    /// What opens the notes of `index`: what was deposited or spent to it, and the change of that.
    #[must_use]
    pub fn line(&self, index: u64) -> Opening {
        self.opening("line.spend", "line.nullifier", index)
    }

    /// What opens the payouts of the line `index`, whose terms name its owner. Secrets of their own: the
    /// line's nullifier secret is known to an enclave.
    #[must_use]
    pub fn payout(&self, index: u64) -> Opening {
        self.opening("payout.spend", "payout.nullifier", index)
    }

    /// The `rho` of what is deposited or spent to `index`.
    #[must_use]
    pub fn rho(&self, index: u64) -> Fr {
        *self.element("rho", index)
    }

    /// `H(tag hint, hint key, index)`.
    #[must_use]
    pub fn hint(&self, index: u64) -> Fr {
        poseidon(&[tag("hint"), *self.hint_key, Fr::from(index)])
    }

    /// What makes `amount` under `order_hash` a note of this wallet's, found again by its seed alone. For a
    /// deposit, an output of a spend, or for somebody else who pays in.
    #[must_use]
    pub fn words(&self, index: u64, amount: u128, order_hash: Fr) -> Words {
        let line = self.line(index);
        Words {
            inner: inner(line.owner(), order_hash, self.rho(index)),
            hint: self.hint(index) + Fr::from(amount),
            memo: order_hash + memo_mask(line.nullifier_secret.expose()),
        }
    }

    /// Names the seed without telling of it: a saved state is refused under another.
    pub(super) fn fingerprint(&self) -> Fr {
        poseidon(&[tag("wallet.seed"), *self.hint_key])
    }

    /// For the dummy beside the input with this nullifier: no other spend draws the same.
    pub(super) fn dummy(&self, nullifier: Fr) -> Zeroizing<[u8; 32]> {
        let mut entropy = Zeroizing::new([0; 32]);
        let place = primitives::hex(&field::to_bytes(&nullifier));
        self.expand(&format!("{PATH}/dummy/{place}"), entropy.as_mut_slice());
        entropy
    }

    /// Entropy to seal `message` to `recipient` with, as [`crate::seal::seal`] takes it: no other message or recipient
    /// draws the same.
    #[must_use]
    pub fn envelope(&self, recipient: &[u8; 32], message: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut entropy = Zeroizing::new([0; 32]);
        let of = primitives::hex(&primitives::sha256(&[recipient, message]));
        self.expand(&format!("{PATH}/envelope/{of}"), entropy.as_mut_slice());
        entropy
    }

    fn opening(&self, spend: &str, nullifier: &str, index: u64) -> Opening {
        Opening {
            spend_secret: SpendSecret::from_element(*self.element(spend, index)),
            nullifier_secret: NullifierSecret::from_element(*self.element(nullifier, index)),
        }
    }

    fn element(&self, purpose: &str, index: u64) -> Zeroizing<Fr> {
        let mut wide = Zeroizing::new([0; 48]);
        self.expand(&format!("{PATH}/{purpose}/{index}"), wide.as_mut_slice());
        Zeroizing::new(field::from_wide_entropy(&wide))
    }

    fn expand(&self, path: &str, out: &mut [u8]) {
        let hkdf = Hkdf::<Sha256>::from_prk(self.prk.as_slice()).expect("32 bytes are enough");
        hkdf.expand(path.as_bytes(), out).expect("48 bytes are not too many");
    }
}

/// `H(tag memo, nsk)`: covers an order hash.
pub(super) fn memo_mask(nullifier_secret: &Fr) -> Fr {
    poseidon(&[tag("memo"), *nullifier_secret])
}
