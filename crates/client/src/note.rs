//! A locked note with the secrets of its owner.

use pool::keys::{NullifierSecret, SpendSecret, owner};
use pool::note::Note;
use pool::{Fr, field};
use primitives::Amount;
use protocol::wire::LockedNote;

use crate::Secrets;

pub(crate) struct Locked {
    ak: Fr,
    nsk: NullifierSecret,
    note: Note,
}

impl Locked {
    pub(crate) fn new(secrets: &Secrets, asset: Fr, amount: Amount, order_hash: Fr) -> Self {
        let ak = SpendSecret::from_entropy(&secrets.draw("ask", 0)).spend_key();
        let nsk = NullifierSecret::from_entropy(&secrets.draw("nsk", 0));
        let owner = owner(ak, nsk.nullifier_key());
        let rho = field::from_entropy(&secrets.draw("rho", 0));
        Self { ak, nsk, note: Note { asset, amount: amount.units(), owner, order_hash, rho } }
    }

    /// The blinded half of the note's commitment, big-endian: what a deposit shows.
    pub(crate) fn inner(&self) -> [u8; 32] {
        field::to_bytes(&self.note.inner())
    }

    /// What an enclave needs to spend the note that stands at leaf `index`.
    pub(crate) fn reveal(&self, index: u64) -> LockedNote {
        LockedNote {
            amount: Amount::new(self.note.amount).expect("made from an amount"),
            ak: field::to_bytes(&self.ak),
            nsk: *self.nsk.to_bytes(),
            rho: field::to_bytes(&self.note.rho),
            index,
        }
    }
}
