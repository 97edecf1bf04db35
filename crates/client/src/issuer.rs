//! The issuer's treasury: mandate, position, the consideration it shields, and its brief.

use core::fmt;

use pool::mandate::Mandate;
use pool::notice::IssuerNotice;
use pool::position::Position;
use pool::seal::{self, SecretKey};
use pool::{Fr, field};
use primitives::{Amount, Premium, decode, encode};
use protocol::wire::{BRIEF_INFO, Brief, SignedBrief, TICK_NOTICE_INFO, TickNotice, Word};

use crate::note::Locked;
use crate::{Error, Market, Secrets};

/// What an issuer allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mandated {
    /// The most that is raised in all.
    pub amount_max: Amount,
    /// The most that is paid for it.
    pub premium_max: Premium,
    /// Consideration that it shields, to pay with.
    pub standing: Amount,
}

/// An issuer's keys, mandate, position and consideration.
pub struct Issuer {
    secrets: Secrets,
    mandate: Mandate,
    position: Position,
    consideration: Locked,
    viewing: SecretKey,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Issuer")
    }
}

impl Issuer {
    /// Writes a mandate, and a consideration note to shield under it.
    pub fn new(mandated: Mandated, market: &Market, secrets: Secrets) -> Self {
        let scalar = |label| field::from_entropy(&secrets.draw(label, 0));
        let mandate = Mandate {
            issuer: market.issuer(),
            instrument: Fr::from(market.instrument),
            collateral_asset: market.collateral(),
            consideration_asset: market.consideration(),
            pool_id: market.pool_id(),
            amount_max: mandated.amount_max.units(),
            premium_bps_max: mandated.premium_max.bps(),
            price_min: market.price[0].0,
            price_max: market.price[1].0,
            expiry: market.expiry.0,
            salt: scalar("mandate.salt"),
        };
        let position =
            Position { issuer: market.issuer(), amount: 0, salt: scalar("position.salt") };
        let consideration =
            Locked::new(&secrets, market.consideration(), mandated.standing, mandate.commitment());
        let viewing = SecretKey::from_ikm(&secrets.draw("viewing", 0));
        Self { secrets, mandate, position, consideration, viewing }
    }

    /// Mandate and initial position, as `registerMandate` takes them.
    pub fn commitments(&self) -> [[u8; 32]; 2] {
        [field::to_bytes(&self.mandate.commitment()), field::to_bytes(&self.position.commitment())]
    }

    /// The blinded half of the consideration note's commitment.
    pub fn inner(&self) -> [u8; 32] {
        self.consideration.inner()
    }

    /// The brief for an enclave whose evidence the issuer has checked. `index` is where the consideration
    /// stands; `sign` is the issuer's account, wherever its key lives: r ‖ s ‖ v over the digest it is given.
    ///
    /// # Errors
    /// [`Error::Seal`] if the key is no key.
    pub fn brief(
        &self,
        enclave: &Word,
        index: u64,
        sign: impl FnOnce(&[u8; 32]) -> [u8; 65],
    ) -> Result<Vec<u8>, Error> {
        let brief = Brief {
            mandate: self.mandate.to_bytes().to_vec(),
            position: self.position.to_bytes().to_vec(),
            consideration: self.consideration.reveal(index),
            viewing_key: self.viewing.public_key(),
        };
        let signature = sign(&brief.digest(enclave)).to_vec();
        let message = encode(&SignedBrief { brief, signature });
        seal::seal(enclave, BRIEF_INFO, &[], &message, self.secrets.draw("brief", 0))
            .map_err(|source| Error::Seal { what: "the brief", source })
    }

    /// What a tick looked like from inside.
    pub fn read_tick(&self, tick: u32, notice: &[u8]) -> Option<TickNotice> {
        let plain =
            seal::open(&self.viewing, TICK_NOTICE_INFO, &tick.to_be_bytes(), notice).ok()?;
        decode(&plain).ok()
    }

    /// What a settlement did, from its last ciphertext. `context` is the settlement's first public input.
    pub fn read_settlement(&self, context: Fr, ciphertext: &[u8]) -> Option<IssuerNotice> {
        IssuerNotice::open(&self.viewing, context, ciphertext).ok()
    }
}
