//! A maker: terms, a note locked under them, and the order that shows both to an enclave.

use core::fmt;

use pool::Fr;
use pool::keys::{NullifierSecret, SpendSecret, owner};
use pool::notice::FillNotice;
use pool::seal::{self, SecretKey};
use pool::terms::Terms;
use primitives::{Amount, Premium, encode};
use protocol::wire::{ENVELOPE_LEN, ORDER_INFO, Order, Word};

use crate::note::Locked;
use crate::{Error, Market, Secrets};

/// What a maker offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Collateral that it locks.
    pub capacity: Amount,
    /// The least premium that it accepts.
    pub premium_min: Premium,
    /// The least that it is filled for at all; its capacity if that is less.
    pub fill_min: Amount,
    /// The largest hole it stays for, hundredths of the coin.
    pub gap_band_max: u8,
}

/// A maker's keys, terms and locked note.
pub struct Maker {
    secrets: Secrets,
    locked: Locked,
    terms: Terms,
    viewing: SecretKey,
}

impl fmt::Debug for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Maker")
    }
}

impl Maker {
    /// Writes terms, and a note to lock under them.
    pub fn new(line: Line, market: &Market, secrets: Secrets) -> Self {
        let payout_nsk = NullifierSecret::from_entropy(&secrets.draw("payout.nsk", 0));
        let payout_ak = SpendSecret::from_entropy(&secrets.draw("payout.ask", 0)).spend_key();
        let terms = Terms {
            issuer: market.issuer(),
            instrument: Fr::from(market.instrument),
            consideration_asset: market.consideration(),
            payout_owner: owner(payout_ak, payout_nsk.nullifier_key()),
            pool_id: market.pool_id(),
            premium_bps_min: line.premium_min.bps(),
            price_min: market.price[0].0,
            price_max: market.price[1].0,
            fill_min: line.fill_min.min(line.capacity).units(),
            gap_band_max: line.gap_band_max,
            expiry: market.expiry.0,
        };
        let locked = Locked::new(&secrets, market.collateral(), line.capacity, terms.hash());
        let viewing = SecretKey::from_ikm(&secrets.draw("viewing", 0));
        Self { secrets, locked, terms, viewing }
    }

    /// The terms it locked.
    pub const fn terms(&self) -> Terms {
        self.terms
    }

    /// What the deposit shows: the blinded half of the commitment, as the contract's `inner`.
    pub fn inner(&self) -> [u8; 32] {
        self.locked.inner()
    }

    /// The order, for an enclave that is trusted with it. `index` is where the deposit stands.
    pub fn order(&self, index: u64) -> Order {
        Order {
            note: self.locked.reveal(index),
            terms: self.terms.to_bytes().to_vec(),
            viewing_key: self.viewing.public_key(),
        }
    }

    /// The order, sealed to an enclave whose evidence this maker has checked: the same bytes however often it
    /// is sent. `index` is where the deposit stands.
    ///
    /// # Errors
    /// [`Error::Seal`] if the key is no key.
    pub fn envelope(&self, enclave: &Word, index: u64) -> Result<Vec<u8>, Error> {
        self.seal(enclave, &self.order(index))
    }

    /// Any order, sealed as this maker seals.
    ///
    /// # Errors
    /// [`Error::Seal`] if the key is no key, or the order is longer than an envelope.
    pub fn seal(&self, enclave: &Word, order: &Order) -> Result<Vec<u8>, Error> {
        let failed = |source| Error::Seal { what: "an order", source };
        let padded = seal::pad(&encode(order), ENVELOPE_LEN - seal::OVERHEAD).map_err(failed)?;
        // Other terms are another message, which must not share an ephemeral key with this one.
        let counter =
            order.terms.iter().fold(0u64, |sum, byte| sum.rotate_left(5) ^ u64::from(*byte));
        let ephemeral = self.secrets.draw("order", counter);
        seal::seal(enclave, ORDER_INFO, &[], &padded, ephemeral).map_err(failed)
    }

    /// Its fill in `slot` of a settlement, if that slot is its own. `context` is the settlement's first public
    /// input.
    pub fn read(&self, context: Fr, slot: usize, ciphertext: &[u8]) -> Option<FillNotice> {
        FillNotice::open(&self.viewing, context, slot, ciphertext).ok()
    }
}
