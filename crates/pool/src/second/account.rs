//! Accounts: what a venue's issuer has in the pool, as one commitment on chain.
//!
//! Collateral that settlements brought and consideration that they pay from, and how much of the current
//! epoch is used. The mandate is not in it, so that mandates and enclaves can be replaced; its salt is
//! derived from settlement to settlement and free when the issuer moves something, which shuts an old
//! enclave out.

use super::pack;
use crate::{
    AMOUNT_BITS, AMOUNT_END, Fr,
    hash::{poseidon, tag},
};

/// What an account is of: it never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The venue, [`super::venue`].
    pub venue: Fr,
    /// The issuer: its EVM address as an integer.
    pub issuer: Fr,
    /// Token that settlements bring: its address as an integer.
    pub collateral_asset: Fr,
    /// Token that settlements pay in: its address as an integer.
    pub consideration_asset: Fr,
}

impl Holder {
    /// `a = H(tag account.a, venue, issuer, collateral_asset, consideration_asset)`.
    #[must_use]
    pub fn hash(&self) -> Fr {
        let Self { venue, issuer, collateral_asset, consideration_asset } = *self;
        poseidon(&[tag("account.a"), venue, issuer, collateral_asset, consideration_asset])
    }
}

/// What a holder has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Whose.
    pub holder: Holder,
    /// Base units of the collateral, below 2^112.
    pub position: u128,
    /// Base units of the consideration, below 2^112.
    pub consideration: u128,
    /// The epoch of the last settlement: its closing time over the mandate's epoch, below 2^40.
    pub epoch: u64,
    /// Base units of the collateral that settlements of that epoch brought, below 2^112.
    pub spent: u128,
    /// Hides the commitment.
    pub salt: Fr,
}

impl Account {
    /// An account that was just opened: everything is zero.
    #[must_use]
    pub fn open(holder: Holder, salt: Fr) -> Self {
        Self { holder, position: 0, consideration: 0, epoch: 0, spent: 0, salt }
    }

    /// `H(tag account, a, position, consideration, epoch · 2^112 + spent, salt)`.
    #[must_use]
    pub fn commitment(&self) -> Fr {
        commitment([
            self.holder.hash(),
            Fr::from(self.position),
            Fr::from(self.consideration),
            self.used(),
            self.salt,
        ])
    }

    /// `epoch · 2^112 + spent`.
    #[must_use]
    pub fn used(&self) -> Fr {
        used(Fr::from(self.epoch), Fr::from(self.spent))
    }

    /// The account after a settlement under `context` and in `epoch` that brought `filled` and cost
    /// `paid` base units. The next salt is `H(tag salt.account, salt, context)`. `None` if a sum leaves
    /// its range or more is paid than there is.
    #[must_use]
    pub fn after(&self, filled: u128, paid: u128, epoch: u64, context: Fr) -> Option<Self> {
        let add = |sum: u128| sum.checked_add(filled).filter(|sum| *sum < AMOUNT_END);
        Some(Self {
            holder: self.holder,
            position: add(self.position)?,
            consideration: self.consideration.checked_sub(paid)?,
            epoch,
            spent: add(if epoch == self.epoch { self.spent } else { 0 })?,
            salt: next_salt(self.salt, context),
        })
    }
}

/// [`Account::commitment`] of its parts: holder, position, consideration, used, salt.
#[must_use]
pub fn commitment([holder, position, consideration, used, salt]: [Fr; 5]) -> Fr {
    poseidon(&[tag("account"), holder, position, consideration, used, salt])
}

/// `epoch · 2^112 + spent`. Only of integers in range is it one element each.
#[must_use]
pub fn used(epoch: Fr, spent: Fr) -> Fr {
    pack(&[(spent, AMOUNT_BITS), (epoch, crate::TIME_BITS)])
}

/// `H(tag salt.account, salt, context)`.
#[must_use]
pub fn next_salt(salt: Fr, context: Fr) -> Fr {
    poseidon(&[tag("salt.account"), salt, context])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Account {
        Account {
            holder: Holder {
                venue: Fr::from(1),
                issuer: Fr::from(2),
                collateral_asset: Fr::from(3),
                consideration_asset: Fr::from(4),
            },
            position: 5,
            consideration: 60,
            epoch: 7,
            spent: 8,
            salt: Fr::from(9),
        }
    }

    #[test]
    fn every_field_changes_the_commitment() {
        let account = example();
        let one = Fr::from(1);
        let holder = account.holder;
        let others = [
            Account { holder: Holder { venue: holder.venue + one, ..holder }, ..account },
            Account { holder: Holder { issuer: holder.issuer + one, ..holder }, ..account },
            Account {
                holder: Holder { collateral_asset: holder.collateral_asset + one, ..holder },
                ..account
            },
            Account {
                holder: Holder { consideration_asset: holder.consideration_asset + one, ..holder },
                ..account
            },
            Account { position: 50, ..account },
            Account { consideration: 6, ..account },
            Account { epoch: 70, ..account },
            Account { spent: 80, ..account },
            Account { salt: account.salt + one, ..account },
        ];
        for other in others {
            assert_ne!(other.commitment(), account.commitment());
        }
    }

    #[test]
    fn a_settlement_adds_up_within_an_epoch_and_begins_anew_in_the_next() {
        let context = Fr::from(10);
        let same = example().after(2, 3, 7, context).expect("fits");
        assert_eq!((same.position, same.consideration, same.epoch, same.spent), (7, 57, 7, 10));
        let next = example().after(2, 3, 8, context).expect("fits");
        assert_eq!((next.epoch, next.spent), (8, 2));
        assert_ne!(same.salt, example().salt);
        assert_eq!(example().after(0, 61, 7, context), None);
        assert_eq!(example().after(AMOUNT_END - 5, 0, 8, context), None);
    }
}
