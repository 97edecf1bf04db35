//! Account: what an issuer has in its venue's pool, moved by the venue.
//!
//! The statement, in one sentence: *the account behind `before` becomes the account behind `after` by
//! opening it empty, or by adding `amount` of `asset` to the consideration, or by taking it from the
//! consideration or from the position, or by nothing but another salt; whose account it is, its assets
//! and what its epoch has used stay.*
//!
//! Knowing what is behind `before` is no authority: an enclave knows it too. What the circuit leaves to
//! the pool: that the caller is the venue, that `before` is what is stored for it and `after` replaces it,
//! and that `amount` of `asset` comes from or goes to whom the venue says. What it leaves to the venue:
//! that only the issuer calls, that collateral goes to registered wallets, and that nothing moves
//! between a closing and its settlement.

use ark_r1cs_std::{eq::EqGadget, fields::FieldVar};
use ark_relations::gr1cs::ConstraintSystemRef;
use ark_std::{One, Zero};
use pool::{
    AMOUNT_BITS, AMOUNT_END, Fr,
    second::account::{self, Account, Holder, Move},
};

use super::{
    Circuit, Relation,
    gadgets::{hash, private, privates, rule},
};
use crate::{
    gadgets::{Result as Synthesis, Wire, linear, range},
    r1cs::R1cs,
};

/// What the circuit is called, where keys and verifiers are told apart.
pub const NAME: &str = "account";

/// Number of values published.
pub const VALUES: usize = 7;

/// Constraints of the circuit.
pub const CONSTRAINTS: usize = 2_403;

pub use pool::second::account::Kind;

// ---------------------------------------------------------------------------------------------------
// Statement
// ---------------------------------------------------------------------------------------------------

/// What becomes public, in the order of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<T = Fr> {
    /// Kind, chain, pool, venue and what the venue adds: no rule reads it, the folding binds it.
    pub context: T,
    /// The venue that calls.
    pub venue: T,
    /// A [`Kind`]'s number.
    pub kind: T,
    /// The token that moves, 0 if none does.
    pub asset: T,
    /// How much of it, in base units.
    pub amount: T,
    /// The account's commitment before, 0 if there is none.
    pub before: T,
    /// The account's commitment after.
    pub after: T,
}

impl<T: Clone> Statement<T> {
    /// The values, in order.
    #[must_use]
    pub fn to_values(&self) -> [T; VALUES] {
        let Self { context, venue, kind, asset, amount, before, after } = self.clone();
        [context, venue, kind, asset, amount, before, after]
    }

    /// The inverse of [`Self::to_values`].
    #[must_use]
    pub fn from_values([context, venue, kind, asset, amount, before, after]: [T; VALUES]) -> Self {
        Self { context, venue, kind, asset, amount, before, after }
    }
}

// ---------------------------------------------------------------------------------------------------
// Witness
// ---------------------------------------------------------------------------------------------------

/// An account and what is done to it.
#[derive(Clone, Debug)]
pub struct Witness {
    /// See [`Statement::context`].
    pub context: Fr,
    /// What is done.
    pub kind: Kind,
    /// How much moves, in base units of the asset that `kind` moves, below 2^112; 0 if it moves none.
    pub amount: u128,
    /// The account before; one that [`Account::open`] makes if there is none.
    pub account: Account,
    /// The salt after.
    pub salt: Fr,
}

// ---------------------------------------------------------------------------------------------------
// Relation, in plain Rust
// ---------------------------------------------------------------------------------------------------

/// Which rule a witness breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An integer is wider than the circuit has room for.
    #[error("{value} is out of range: it must be below 2^{bits}")]
    Range {
        /// What it is.
        value: &'static str,
        /// Bits it may have.
        bits: u32,
    },
    /// Opening and re-salting move nothing.
    #[error("{kind:?} moves {amount}, and must move nothing; hint: fund the account afterwards")]
    Moves {
        /// What is done.
        kind: Kind,
        /// How much.
        amount: u128,
    },
    /// An account opens empty.
    #[error(
        "account is opened with something in it; hint: it opens empty and is funded afterwards"
    )]
    OpenNotEmpty,
    /// More is taken than there is.
    #[error("{kind:?} takes {amount}, the account has {has} of it")]
    AboveAccount {
        /// What is done.
        kind: Kind,
        /// How much.
        amount: u128,
        /// What it has.
        has: u128,
    },
    /// The consideration would reach 2^112.
    #[error("consideration of {has} cannot take {amount} more: it must stay below 2^112")]
    TooLarge {
        /// What it has.
        has: u128,
        /// How much.
        amount: u128,
    },
}

impl Witness {
    /// What an issuer has planned.
    #[must_use]
    pub fn of(plan: &Move) -> Self {
        let Move { kind, context, amount, before, after } = *plan;
        Self { context, kind, amount, account: before, salt: after.salt }
    }

    /// What is proven about this witness.
    ///
    /// # Errors
    /// The first [`Violation`] if the relation does not hold.
    pub fn statement(&self) -> Result<Statement, Violation> {
        let Self { context, kind, amount, account, salt } = *self;
        let Account { holder, position, consideration, .. } = account;
        let integers =
            [("amount", amount), ("position", position), ("consideration", consideration)];
        for (value, integer) in integers {
            if integer >= AMOUNT_END {
                return Err(Violation::Range { value, bits: AMOUNT_BITS });
            }
        }
        let mut after = Account { salt, ..account };
        let take = |has: u128| {
            has.checked_sub(amount).ok_or(Violation::AboveAccount { kind, amount, has })
        };
        let asset = match kind {
            Kind::Open | Kind::Resalt if amount != 0 => {
                return Err(Violation::Moves { kind, amount });
            }
            Kind::Open if account != Account::open(holder, account.salt) => {
                return Err(Violation::OpenNotEmpty);
            }
            Kind::Open | Kind::Resalt => Fr::zero(),
            Kind::Fund => {
                after.consideration += amount;
                if after.consideration >= AMOUNT_END {
                    return Err(Violation::TooLarge { has: consideration, amount });
                }
                holder.consideration_asset
            }
            Kind::TakeBack => {
                after.consideration = take(consideration)?;
                holder.consideration_asset
            }
            Kind::Release => {
                after.position = take(position)?;
                holder.collateral_asset
            }
        };
        Ok(Statement {
            context,
            venue: holder.venue,
            kind: Fr::from(kind as u8),
            asset,
            amount: Fr::from(amount),
            before: if kind == Kind::Open { Fr::zero() } else { account.commitment() },
            after: after.commitment(),
        })
    }
}

/// A witness as field elements, which is all the constraints see of it. Unlike a [`Witness`] it can
/// hold what no honest type can, a negative amount for instance, and the constraints must refuse it.
#[derive(Clone)]
pub(crate) struct Assignment {
    pub(crate) context: Fr,
    pub(crate) amount: Fr,
    /// One of [`Kind::ALL`].
    pub(crate) flags: [Fr; 5],
    pub(crate) holder: Holder,
    pub(crate) position: Fr,
    pub(crate) consideration: Fr,
    pub(crate) used: Fr,
    pub(crate) salt: Fr,
    pub(crate) salt_after: Fr,
}

impl Assignment {
    /// The field elements of a witness, whether it satisfies the relation or not.
    pub(crate) fn of(witness: &Witness) -> Self {
        let Witness { context, kind, amount, account, salt } = *witness;
        Self {
            context,
            amount: Fr::from(amount),
            flags: Kind::ALL.map(|one| Fr::from(one == kind)),
            holder: account.holder,
            position: Fr::from(account.position),
            consideration: Fr::from(account.consideration),
            used: account.used(),
            salt: account.salt,
            salt_after: salt,
        }
    }

    /// What this assignment would publish. Sums wrap in the field, so that there is an answer for
    /// assignments the relation refuses.
    pub(crate) fn statement(&self) -> Statement {
        let Self { context, amount, holder, position, consideration, used, .. } = *self;
        let [open, fund, take_back, release, _] = self.flags;
        let a = holder.hash();
        let before = account::commitment([a, position, consideration, used, self.salt]);
        let asset =
            (fund + take_back) * holder.consideration_asset + release * holder.collateral_asset;
        Statement {
            context,
            venue: holder.venue,
            kind: (1_u64..).zip(self.flags).map(|(number, flag)| Fr::from(number) * flag).sum(),
            asset,
            amount,
            before: (Fr::one() - open) * before,
            after: account::commitment([
                a,
                position - release * amount,
                consideration + (fund - take_back) * amount,
                used,
                self.salt_after,
            ]),
        }
    }
}

// ---------------------------------------------------------------------------------------------------
// Relation, in constraints
// ---------------------------------------------------------------------------------------------------

/// The circuit's matrices.
#[must_use]
pub fn r1cs() -> R1cs {
    R1cs::of(blank())
}

/// The circuit without a witness.
pub(crate) fn blank() -> Circuit<Assignment> {
    let nobody = Holder {
        venue: Fr::zero(),
        issuer: Fr::zero(),
        collateral_asset: Fr::zero(),
        consideration_asset: Fr::zero(),
    };
    let blank = Witness {
        context: Fr::zero(),
        kind: Kind::Open,
        amount: 0,
        account: Account::open(nobody, Fr::zero()),
        salt: Fr::zero(),
    };
    circuit(&Assignment::of(&blank))
}

/// The circuit that publishes what the assignment makes.
pub(crate) fn circuit(assignment: &Assignment) -> Circuit<Assignment> {
    Circuit::new(assignment.clone(), assignment.statement().to_values().to_vec())
}

impl Relation for Assignment {
    fn enforce(&self, cs: &ConstraintSystemRef<Fr>, values: &[Wire]) -> Synthesis<()> {
        let values = values.to_vec().try_into().expect("as many as the statement has");
        let public = Statement::<Wire>::from_values(values);
        let amount = &public.amount;

        // Book: circuits/account.md#the-kind
        // Five flags of which one is 1 can say each kind in one way.
        rule(cs, "kind is one of five");
        let flags = privates(cs, &self.flags)?;
        for flag in &flags {
            flag.mul_equals(flag, flag)?;
        }
        let ones = flags.iter().map(|flag| (Fr::one(), flag));
        linear(ones, Fr::zero())?.enforce_equal(&Wire::one())?;
        let numbers = (1_u64..).map(Fr::from).zip(&flags);
        linear(numbers, Fr::zero())?.enforce_equal(&public.kind)?;
        let [open, fund, take_back, release, resalt] = &flags[..] else {
            unreachable!("five were allocated")
        };

        // The holder is hashed into both commitments, so its assets are those that the account had when
        // it was opened. The venue is the caller's, as the pool says.
        let issuer = &private(cs, &self.holder.issuer)?;
        let collateral_asset = &private(cs, &self.holder.collateral_asset)?;
        let consideration_asset = &private(cs, &self.holder.consideration_asset)?;
        let position = &private(cs, &self.position)?;
        let consideration = &private(cs, &self.consideration)?;
        // Carried as it is; only `clear` looks inside.
        let used = &private(cs, &self.used)?;
        let salt = &private(cs, &self.salt)?;
        let salt_after = &private(cs, &self.salt_after)?;

        // Book: circuits/account.md#before
        // An account that is there opens. One that is not is 0, which no opening has as its hash: a
        // prover cannot fund what was never opened, nor open what is there, since the pool knows
        // which of the two is stored.
        rule(cs, "account opens unless it is new");
        let holder =
            &hash("account.a", &[&public.venue, issuer, collateral_asset, consideration_asset])?;
        let before = hash("account", &[holder, position, consideration, used, salt])?;
        before.mul_equals(&(Wire::one() - open), &public.before)?;

        // Nothing is behind a new account, so nothing may be claimed to be.
        rule(cs, "new account has no position");
        open.mul_equals(position, &Wire::zero())?;
        rule(cs, "new account has no consideration");
        open.mul_equals(consideration, &Wire::zero())?;
        rule(cs, "new account has used nothing");
        open.mul_equals(used, &Wire::zero())?;

        // Book: circuits/account.md#what-moves
        // An amount of p − 1 taken would be 1 added, of what the pool pays out.
        rule(cs, "amount is in range");
        range(amount, AMOUNT_BITS)?;
        rule(cs, "position is in range");
        range(position, AMOUNT_BITS)?;
        rule(cs, "consideration is in range");
        range(consideration, AMOUNT_BITS)?;
        rule(cs, "opening and salting move nothing");
        (open + resalt).mul_equals(amount, &Wire::zero())?;

        // The asset that moves is the one of the sum that changes, never of the prover's choice.
        rule(cs, "asset is the one that moves");
        let asset = (fund + take_back) * consideration_asset + release * collateral_asset;
        asset.enforce_equal(&public.asset)?;

        // Of three integers below 2^112 neither sum nor difference wraps, so the range says all.
        rule(cs, "no more is released than there is");
        let position = &(position - release * amount);
        range(position, AMOUNT_BITS)?;
        rule(cs, "consideration stays in range");
        let consideration = &(consideration + (fund - take_back) * amount);
        range(consideration, AMOUNT_BITS)?;

        // Book: circuits/account.md#after
        rule(cs, "account becomes what it should");
        hash("account", &[holder, position, consideration, used, salt_after])?
            .enforce_equal(&public.after)
    }
}

// ---------------------------------------------------------------------------------------------------
// Tests
// ---------------------------------------------------------------------------------------------------

#[cfg(test)]
mod tests;
