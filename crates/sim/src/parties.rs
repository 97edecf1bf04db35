//! Issuer, makers and custodian: what each holds, locks, seals and can read again.

use evm::Wallet;
use host::nsm::Entropy;
use k256::ecdsa::signature::Signer as _;
use k256::ecdsa::{Signature, SigningKey};
use pool::keys::{NullifierSecret, SpendSecret, owner};
use pool::mandate::Mandate;
use pool::note::Note;
use pool::notice::{FillNotice, IssuerNotice};
use pool::position::Position;
use pool::seal::SecretKey;
use pool::terms::Terms;
use pool::{Fr, field, seal};
use primitives::{Amount, decode, encode};
use protocol::detect::Observation;
use protocol::wire::{
    self, Brief, ENVELOPE_LEN, LockedNote, Order, SignedBrief, Statement, TickNotice,
};

use crate::Error;
use crate::panel::Maker;

/// What all terms and the mandate have in common.
#[derive(Debug, Clone, Copy)]
pub struct Market {
    /// The issuer's address as a scalar.
    pub issuer: Fr,
    /// Instrument number.
    pub instrument: u8,
    /// Collateral token as a scalar.
    pub collateral: Fr,
    /// Consideration token as a scalar.
    pub consideration: Fr,
    /// Chain and pool, as a scalar.
    pub pool_id: Fr,
    /// Price band everyone signs.
    pub price: [u64; 2],
    /// Good until, Unix seconds.
    pub expiry: u64,
}

/// A note with the secrets of its owner.
struct Locked {
    ak: Fr,
    nsk: NullifierSecret,
    note: Note,
}

impl Locked {
    fn new(entropy: &Entropy, asset: Fr, amount: Amount, order_hash: Fr) -> Self {
        let ak = SpendSecret::from_entropy(&entropy.draw("ask", 0)).spend_key();
        let nsk = NullifierSecret::from_entropy(&entropy.draw("nsk", 0));
        let owner = owner(ak, nsk.nullifier_key());
        let rho = field::from_entropy(&entropy.draw("rho", 0));
        Self { ak, nsk, note: Note { asset, amount: amount.units(), owner, order_hash, rho } }
    }

    fn reveal(&self, index: u64) -> LockedNote {
        LockedNote {
            amount: Amount::new(self.note.amount).expect("made from an amount"),
            ak: field::to_bytes(&self.ak),
            nsk: *self.nsk.to_bytes(),
            rho: field::to_bytes(&self.note.rho),
            index,
        }
    }
}

/// A maker with its locked note.
pub struct MakerAgent {
    /// Its draw.
    pub maker: Maker,
    entropy: Entropy,
    locked: Locked,
    terms: Terms,
    viewing: SecretKey,
}

impl core::fmt::Debug for MakerAgent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "MakerAgent({})", self.maker.index)
    }
}

impl MakerAgent {
    /// Writes terms, and locks a note under them.
    pub fn new(maker: Maker, market: &Market, entropy: Entropy, fill_min: Amount) -> Self {
        let payout_nsk = NullifierSecret::from_entropy(&entropy.draw("payout.nsk", 0));
        let payout_ak = SpendSecret::from_entropy(&entropy.draw("payout.ask", 0)).spend_key();
        let terms = Terms {
            issuer: market.issuer,
            instrument: Fr::from(market.instrument),
            consideration_asset: market.consideration,
            payout_owner: owner(payout_ak, payout_nsk.nullifier_key()),
            pool_id: market.pool_id,
            premium_bps_min: maker.premium_min.bps(),
            price_min: market.price[0],
            price_max: market.price[1],
            fill_min: fill_min.min(maker.capacity).units(),
            gap_band_max: maker.gap_band_max,
            expiry: market.expiry,
        };
        let locked = Locked::new(&entropy, market.collateral, maker.capacity, terms.hash());
        let viewing = SecretKey::from_ikm(&entropy.draw("viewing", 0));
        Self { maker, entropy, locked, terms, viewing }
    }

    /// What the deposit shows: the blinded half of the commitment, as the contract's `inner`.
    pub fn inner(&self) -> [u8; 32] {
        field::to_bytes(&self.locked.note.inner())
    }

    /// The order for an enclave this maker has verified. `index` is where its deposit stands.
    ///
    /// # Errors
    /// [`Error::Seal`] if the key is no key.
    pub fn envelope(&self, enclave: &[u8; 32], index: u64) -> Result<Vec<u8>, Error> {
        self.envelope_with(enclave, index, self.terms)
    }

    /// The same under other terms than the note was locked with: for whoever tries.
    ///
    /// # Errors
    /// [`Error::Seal`] if the key is no key.
    pub fn envelope_with(
        &self,
        enclave: &[u8; 32],
        index: u64,
        terms: Terms,
    ) -> Result<Vec<u8>, Error> {
        let order = Order {
            note: self.locked.reveal(index),
            terms: terms.to_bytes().to_vec(),
            viewing_key: self.viewing.public_key(),
        };
        let padded =
            seal::pad(&encode(&order), ENVELOPE_LEN - seal::OVERHEAD).map_err(Error::Seal)?;
        // Other terms are another message, which must not share an ephemeral key with this one.
        let counter =
            terms.to_bytes().iter().fold(0u64, |sum, byte| sum.rotate_left(5) ^ u64::from(*byte));
        seal::seal(enclave, wire::ORDER_INFO, &[], &padded, self.entropy.draw("order", counter))
            .map_err(Error::Seal)
    }

    /// The terms it locked.
    pub const fn terms(&self) -> Terms {
        self.terms
    }

    /// Its fill in `slot` of a settlement, if that slot is its own.
    pub fn read(&self, context: Fr, slot: usize, ciphertext: &[u8]) -> Option<FillNotice> {
        FillNotice::open(&self.viewing, context, slot, ciphertext).ok()
    }
}

/// The issuer's treasury.
pub struct Issuer {
    entropy: Entropy,
    mandate: Mandate,
    position: Position,
    consideration: Locked,
    viewing: SecretKey,
}

impl core::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Issuer")
    }
}

impl Issuer {
    /// Signs a mandate and shields the consideration under it.
    pub fn new(
        market: &Market,
        amount_max: Amount,
        premium_bps_max: u16,
        standing: Amount,
        entropy: Entropy,
    ) -> Self {
        let scalar = |label| field::from_entropy(&entropy.draw(label, 0));
        let mandate = Mandate {
            issuer: market.issuer,
            instrument: Fr::from(market.instrument),
            collateral_asset: market.collateral,
            consideration_asset: market.consideration,
            pool_id: market.pool_id,
            amount_max: amount_max.units(),
            premium_bps_max,
            price_min: market.price[0],
            price_max: market.price[1],
            expiry: market.expiry,
            salt: scalar("mandate.salt"),
        };
        let position = Position { issuer: market.issuer, amount: 0, salt: scalar("position.salt") };
        let consideration =
            Locked::new(&entropy, market.consideration, standing, mandate.commitment());
        let viewing = SecretKey::from_ikm(&entropy.draw("viewing", 0));
        Self { entropy, mandate, position, consideration, viewing }
    }

    /// Mandate and initial position, as `registerMandate` takes them.
    pub fn commitments(&self) -> [[u8; 32]; 2] {
        [field::to_bytes(&self.mandate.commitment()), field::to_bytes(&self.position.commitment())]
    }

    /// The blinded half of the consideration note's commitment.
    pub fn inner(&self) -> [u8; 32] {
        field::to_bytes(&self.consideration.note.inner())
    }

    /// The brief for an enclave the issuer has verified, signed by its account.
    ///
    /// # Errors
    /// [`Error::Seal`] if the key is no key.
    pub fn brief(
        &self,
        enclave: &[u8; 32],
        index: u64,
        account: &Wallet,
    ) -> Result<Vec<u8>, Error> {
        let brief = Brief {
            mandate: self.mandate.to_bytes().to_vec(),
            position: self.position.to_bytes().to_vec(),
            consideration: self.consideration.reveal(index),
            viewing_key: self.viewing.public_key(),
        };
        let signature = account.sign_hash(&brief.digest(enclave).into()).as_bytes().to_vec();
        let message = encode(&SignedBrief { brief, signature });
        seal::seal(enclave, wire::BRIEF_INFO, &[], &message, self.entropy.draw("brief", 0))
            .map_err(Error::Seal)
    }

    /// What a tick looked like from inside.
    pub fn read_tick(&self, tick: u32, notice: &[u8]) -> Option<TickNotice> {
        let plain =
            seal::open(&self.viewing, wire::TICK_NOTICE_INFO, &tick.to_be_bytes(), notice).ok()?;
        decode(&plain).ok()
    }

    /// What a settlement did, from its last ciphertext.
    pub fn read_settlement(&self, context: Fr, ciphertext: &[u8]) -> Option<IssuerNotice> {
        IssuerNotice::open(&self.viewing, context, ciphertext).ok()
    }
}

/// The scripted custodian: signs statements, and seals one to the enclave for each node that asks.
pub struct Custodian {
    signer: SigningKey,
    entropy: Entropy,
    n_nodes: u64,
}

impl core::fmt::Debug for Custodian {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Custodian")
    }
}

impl Custodian {
    /// A custodian that serves `n_nodes` nodes.
    ///
    /// # Panics
    /// Once in 2^128 seeds, when the key's scalar is out of range.
    pub fn new(entropy: Entropy, n_nodes: usize) -> Self {
        let signer = SigningKey::from_slice(&entropy.draw("signer", 0))
            .expect("an in-range scalar, but for one seed in 2^128");
        Self { signer, entropy, n_nodes: n_nodes as u64 }
    }

    /// SEC1 compressed public key, for the enclave's configuration.
    pub fn public_key(&self) -> Vec<u8> {
        self.signer.verifying_key().to_sec1_point(true).as_bytes().to_vec()
    }

    /// One node's statement.
    ///
    /// # Errors
    /// [`Error::Seal`] if the enclave's key is no key.
    pub fn statement(
        &self,
        observation: &Observation,
        node_idx: u32,
        enclave: &[u8; 32],
    ) -> Result<Vec<u8>, Error> {
        let message = encode(observation);
        let signature: Signature = self.signer.sign(&message);
        let statement =
            Statement { observation: message, signature: signature.to_bytes().to_vec() };
        let aad = wire::statement_aad(observation.tick, node_idx);
        let counter = u64::from(observation.tick) * self.n_nodes + u64::from(node_idx);
        let ephemeral = self.entropy.draw("statement", counter);
        seal::seal(enclave, wire::STATEMENT_INFO, &aad, &encode(&statement), ephemeral)
            .map_err(Error::Seal)
    }
}
