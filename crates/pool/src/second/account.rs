//! Accounts: what a venue's issuer has in the pool, as one commitment on chain.
//!
//! Collateral that settlements brought and consideration that they pay from, and how much of the current
//! epoch is used. The mandate is not in it, so that mandates and enclaves can be replaced; its salt is
//! derived from settlement to settlement and free when the issuer moves something, which shuts an old
//! enclave out.

use super::{context, pack, results};
use crate::{
    AMOUNT_BITS, AMOUNT_END, Fr, TIME_BITS,
    codec::{Error, Reader, Writer},
    hash::{poseidon, tag},
};

/// What is done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is made, empty, where none was.
    Open = 1,
    /// Consideration is added.
    Fund = 2,
    /// Consideration is taken.
    TakeBack = 3,
    /// Collateral is taken.
    Release = 4,
    /// Only the salt changes, to shut out whoever knew the old one.
    Resalt = 5,
}

impl Kind {
    /// All of them, in the order of their numbers, which begin at 1.
    pub const ALL: [Self; 5] =
        [Self::Open, Self::Fund, Self::TakeBack, Self::Release, Self::Resalt];

    /// The kind with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

impl From<Kind> for context::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Open => Self::Open,
            Kind::Fund => Self::Fund,
            Kind::TakeBack => Self::TakeBack,
            Kind::Release => Self::Release,
            Kind::Resalt => Self::Resalt,
        }
    }
}

/// A move of an account: all that a proof of it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// What is done.
    pub kind: Kind,
    /// See [`context::Deployment::venue_context`].
    pub context: Fr,
    /// Base units of the asset that `kind` moves, below 2^112; 0 if it moves none.
    pub amount: u128,
    /// The account before; the one that is made if there is none.
    pub before: Account,
    /// The account after.
    pub after: Account,
}

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

/// Bytes of [`Account::to_bytes`].
pub const ACCOUNT_LEN: usize = 1 + 4 * 32 + 3 * 16 + 8 + 32;

const VERSION: u8 = 1;

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

impl Account {
    /// The account after a move of `amount` base units, with another salt. `None` if a sum leaves its range, more is
    /// taken than there is, or the kind moves nothing and the amount is not 0; also for [`Kind::Open`], which has
    /// nothing before it, of anything but an account that was just opened.
    #[must_use]
    pub fn moved(&self, kind: Kind, amount: u128, salt: Fr) -> Option<Self> {
        let mut after = Self { salt, ..*self };
        match kind {
            Kind::Open if *self != Self::open(self.holder, self.salt) => return None,
            Kind::Open | Kind::Resalt if amount != 0 => return None,
            Kind::Open | Kind::Resalt => {}
            Kind::Fund => {
                let sum = self.consideration.checked_add(amount);
                after.consideration = sum.filter(|sum| *sum < AMOUNT_END)?;
            }
            Kind::TakeBack => after.consideration = self.consideration.checked_sub(amount)?,
            Kind::Release => after.position = self.position.checked_sub(amount)?,
        }
        Some(after)
    }

    /// The account after a settlement that names it, with what that brought; `epoch_seconds` are the mandate's.
    /// `None` if the settlement is of another account, or is not what the account's salt opens it to: no pool that
    /// checks proofs says that.
    #[must_use]
    pub fn settled(
        &self,
        settled: &results::Settled,
        epoch_seconds: u64,
    ) -> Option<(Self, results::Brought)> {
        let [before, after] = settled.account;
        if self.commitment() != before {
            return None;
        }
        let (filled, paid, premium_bps) =
            results::open_issuer(settled.result, self.salt, settled.context)?;
        let epoch = settled.closed_at.checked_div(epoch_seconds)?;
        let account = self.after(filled, paid, epoch, settled.context)?;
        let brought = results::Brought { filled, paid, premium_bps };
        (account.commitment() == after).then_some((account, brought))
    }

    /// Encodes as a version byte and the fields in order, big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; ACCOUNT_LEN] {
        let Holder { venue, issuer, collateral_asset, consideration_asset } = &self.holder;
        [venue, issuer, collateral_asset, consideration_asset]
            .into_iter()
            .fold(Writer::new(VERSION), Writer::field)
            .put(&self.position.to_be_bytes())
            .put(&self.consideration.to_be_bytes())
            .put(&self.epoch.to_be_bytes())
            .put(&self.spent.to_be_bytes())
            .field(&self.salt)
            .finish()
    }

    /// Decodes [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`Error`] if length or version is wrong or a field is out of range.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("account", bytes, ACCOUNT_LEN, VERSION)?;
        Ok(Self {
            holder: Holder {
                venue: reader.field()?,
                issuer: reader.field()?,
                collateral_asset: reader.field()?,
                consideration_asset: reader.field()?,
            },
            position: reader.u128("position", AMOUNT_BITS)?,
            consideration: reader.u128("consideration", AMOUNT_BITS)?,
            epoch: reader.u64("epoch", TIME_BITS)?,
            spent: reader.u128("epoch's sum", AMOUNT_BITS)?,
            salt: reader.field()?,
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
    pack(&[(spent, AMOUNT_BITS), (epoch, TIME_BITS)])
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
    fn every_field_changes_the_commitment_and_survives_its_encoding() {
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
            assert_eq!(Account::from_bytes(&other.to_bytes()), Ok(other));
        }
    }

    #[test]
    fn a_move_changes_one_sum_and_the_salt() {
        let (account, salt) = (example(), Fr::from(11));
        let moved = |kind, amount| account.moved(kind, amount, salt);
        let same = Account { salt, ..account };
        assert_eq!(moved(Kind::Fund, 4), Some(Account { consideration: 64, ..same }));
        assert_eq!(moved(Kind::TakeBack, 60), Some(Account { consideration: 0, ..same }));
        assert_eq!(moved(Kind::Release, 5), Some(Account { position: 0, ..same }));
        assert_eq!(moved(Kind::Resalt, 0), Some(same));
        let refused = [(Kind::Fund, AMOUNT_END - 60), (Kind::TakeBack, 61), (Kind::Release, 6)];
        for (kind, amount) in refused.into_iter().chain([(Kind::Resalt, 1), (Kind::Open, 0)]) {
            assert_eq!(moved(kind, amount), None, "{kind:?} of {amount}");
        }
        let open = Account::open(account.holder, account.salt);
        assert_eq!(open.moved(Kind::Open, 0, salt), Some(Account { salt, ..open }));
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(kind as u8), Some(kind));
            assert_eq!(context::Kind::from(kind) as u8, kind as u8);
        }
        assert_eq!(Kind::from_number(0), None);
    }

    #[test]
    fn a_settlement_is_followed_by_whoever_knows_the_salt() {
        let (before, context, closed_at) = (example(), Fr::from(10), 7 * 100 + 3);
        let after = before.after(2, 3, 7, context).expect("fits");
        let plain = results::issuer_result(Fr::from(2), Fr::from(3), Fr::from(40));
        let settled = results::Settled {
            context,
            venue: before.holder.venue,
            mandate: Fr::from(1),
            closed_at,
            request: [Fr::from(1); 2],
            account: [before.commitment(), after.commitment()],
            result: plain + results::issuer_mask(before.salt, context),
        };
        let brought = results::Brought { filled: 2, paid: 3, premium_bps: 40 };
        assert_eq!(before.settled(&settled, 100), Some((after, brought)));
        let stranger = Account { salt: Fr::from(1), ..before };
        assert_eq!(stranger.settled(&settled, 100), None, "another account");
        assert_eq!(before.settled(&settled, 200), None, "another mandate's epochs");
        assert_eq!(before.settled(&settled, 0), None);
        let garbage = results::Settled { result: settled.result + Fr::from(1), ..settled };
        assert_eq!(before.settled(&garbage, 100), None);
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
