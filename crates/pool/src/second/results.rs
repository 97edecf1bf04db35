//! Results: what a round gave to each maker and to the issuer, published as masked numbers.
//!
//! There is no ciphertext that could be garbage: the proof says that the mask covers the result. A
//! mask is used for one plaintext only. A maker's has its note's nullifier inside, which is unique on
//! chain, and a context that covers everything its fill depends on; so if a round is proven again, either
//! the context differs or the fill does not.

use crate::{
    AMOUNT_BITS, Fr, PREMIUM_BITS, field,
    hash::{poseidon, tag},
};

use super::pack;

/// `H(tag enc, nsk, nf, context)`: covers a slot's result.
#[must_use]
pub fn mask(nullifier_secret: &Fr, nullifier: Fr, context: Fr) -> Fr {
    poseidon(&[tag("enc"), *nullifier_secret, nullifier, context])
}

/// `fill + 2^112 · premium_bps`, in the clear. `fill` is in base units of the collateral.
#[must_use]
pub fn result(fill: Fr, premium_bps: Fr) -> Fr {
    pack(&[(fill, AMOUNT_BITS), (premium_bps, PREMIUM_BITS)])
}

/// Fill and premium of a published slot, to whoever knows the spent note's secret. `None` if they are
/// out of range: then it was another's.
#[must_use]
pub fn open(
    published: Fr,
    nullifier_secret: &Fr,
    nullifier: Fr,
    context: Fr,
) -> Option<(u128, u16)> {
    let [fill, premium_bps] =
        split(published - mask(nullifier_secret, nullifier, context), [AMOUNT_BITS, PREMIUM_BITS])?;
    Some((fill, u16::try_from(premium_bps).ok()?))
}

/// `H(tag enc.issuer, salt, context)`: covers the issuer's result. `salt` is the account's *before*.
#[must_use]
pub fn issuer_mask(salt: Fr, context: Fr) -> Fr {
    poseidon(&[tag("enc.issuer"), salt, context])
}

/// `filled + 2^112 · paid + 2^224 · premium_bps`, in the clear.
#[must_use]
pub fn issuer_result(filled: Fr, paid: Fr, premium_bps: Fr) -> Fr {
    pack(&[(filled, AMOUNT_BITS), (paid, AMOUNT_BITS), (premium_bps, PREMIUM_BITS)])
}

/// What was filled, what was paid and the premium, to whoever knows the account's salt before.
#[must_use]
pub fn open_issuer(published: Fr, salt: Fr, context: Fr) -> Option<(u128, u128, u16)> {
    let widths = [AMOUNT_BITS, AMOUNT_BITS, PREMIUM_BITS];
    let [filled, paid, premium_bps] = split(published - issuer_mask(salt, context), widths)?;
    Some((filled, paid, u16::try_from(premium_bps).ok()?))
}

/// What a settlement brought, to whoever knows the account's salt before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brought {
    /// Base units of the collateral.
    pub filled: u128,
    /// Base units of the consideration.
    pub paid: u128,
    /// The premium of every fill, in basis points.
    pub premium_bps: u16,
}

/// What a settlement says of account and request, from what the pool emits. What it says to makers is
/// [`super::wallet::Cleared`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// See [`super::context`].
    pub context: Fr,
    /// Where.
    pub venue: Fr,
    /// The mandate it was under.
    pub mandate: Fr,
    /// When the round closed, Unix seconds.
    pub closed_at: u64,
    /// The request's commitment before and after.
    pub request: [Fr; 2],
    /// The account's commitment before and after.
    pub account: [Fr; 2],
    /// What [`open_issuer`] opens.
    pub result: Fr,
}

impl Settled {
    /// From what the pool emits: the digest, and the values in the order of the relation `clear`. `None` if
    /// they are fewer than it has beside those of slots, or the time is out of range.
    #[must_use]
    pub fn from_posted(posted: &[Fr]) -> Option<Self> {
        let values = posted.get(1..19)?;
        Some(Self {
            context: values[0],
            venue: values[1],
            mandate: values[2],
            closed_at: u64::try_from(field::to_u128(&values[5])?).ok()?,
            request: [values[7], values[8]],
            account: [values[9], values[10]],
            result: values[17],
        })
    }
}

/// The inverse of [`pack`], if nothing is left over.
fn split<const N: usize>(packed: Fr, widths: [u32; N]) -> Option<[u128; N]> {
    let bytes = field::to_bytes(&packed);
    let mut at = 0;
    let parts = widths.map(|width| {
        let part = (at..at + width).rev().fold(0, |part, bit| {
            let byte = bytes[31 - bit as usize / 8];
            part << 1 | u128::from(byte >> (bit % 8) & 1)
        });
        at += width;
        part
    });
    field::fits(&packed, at).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_read_by_who_knows_the_secret_and_by_nobody_else() {
        let [nsk, nf, context] = [1, 2, 3].map(Fr::from);
        let (fill, bps) = ((1 << 112) - 7, 16_383);
        let published = result(Fr::from(fill), Fr::from(bps)) + mask(&nsk, nf, context);
        assert_eq!(open(published, &nsk, nf, context), Some((fill, bps)));
        assert_eq!(open(published, &(nsk + Fr::from(1)), nf, context), None);
        assert_eq!(open(published, &nsk, nf + Fr::from(1), context), None);
        assert_eq!(open(published, &nsk, nf, context + Fr::from(1)), None);
    }

    #[test]
    fn an_issuer_reads_the_sums() {
        let [salt, context] = [4, 5].map(Fr::from);
        let (filled, paid, bps) = ((1 << 112) - 1, (1 << 111) + 3, 9);
        let published = issuer_result(Fr::from(filled), Fr::from(paid), Fr::from(bps))
            + issuer_mask(salt, context);
        assert_eq!(open_issuer(published, salt, context), Some((filled, paid, bps)));
        assert_eq!(open_issuer(published, salt + Fr::from(1), context), None);
    }
}
