//! A wallet's state as bytes: a version, whose it is, what it holds, a checksum.
//!
//! No secret is in it, but what the wallet holds is: it is to be kept as private as the wallet. Owners and
//! nullifiers are not in it either, they are derived again.

use super::{Asset, At, Cursor, Error, Held, Keys, Source, Unread, Wallet};
use crate::{
    AMOUNT_BITS, Fr, PREMIUM_BITS, TIME_BITS,
    codec::{self, Reader},
    field,
    second::note::Note,
};

/// Of the encoding. Another version is not read: scanning again costs minutes.
pub(super) const VERSION: u8 = 1;

const RECORD: &str = "wallet state";
/// Version, fingerprint, birthday, whether there is a cursor, block, log, next, two counts.
const HEAD: usize = 1 + 32 + 8 + 1 + 8 + 4 + 8 + 4 + 4;
/// Asset, amount, order hash, rho, source, number, place, venue, index, announced.
const HELD: usize = 32 + 16 + 32 + 32 + 1 + 8 + 1 + 32 + 8 + 8;
/// Line, collateral, order hash, venue, index, leaf, rho, fill, premium, price.
const UNREAD: usize = 8 + 32 + 32 + 32 + 8 + 32 + 32 + 16 + 2 + 8;
const CHECKSUM: usize = 32;

impl Wallet {
    /// The state as bytes. It is a function of seed, birthday and events, so that two wallets of one seed that
    /// saw the same have the same. Assets are not in it.
    ///
    /// # Panics
    /// If it holds 2^32 notes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        let cursor = self.cursor.unwrap_or_default();
        let count = |n: usize| u32::try_from(n).expect("memory holds fewer").to_be_bytes();
        bytes.extend(field::to_bytes(&self.keys.fingerprint()));
        bytes.extend(self.birthday.to_be_bytes());
        bytes.push(self.cursor.is_some().into());
        bytes.extend(cursor.block.to_be_bytes());
        bytes.extend(cursor.log.to_be_bytes());
        bytes.extend(self.next.to_be_bytes());
        bytes.extend(count(self.held.len()));
        bytes.extend(count(self.unread.len()));
        for Held { note, source, at, announced, .. } in &self.held {
            let Note { asset, amount, order_hash, rho, .. } = note;
            bytes.extend(field::to_bytes(asset));
            bytes.extend(amount.to_be_bytes());
            bytes.extend(field::to_bytes(order_hash));
            bytes.extend(field::to_bytes(rho));
            let (kind, number) = match source {
                Source::Line(number) => (0, number),
                Source::Payout(number) => (1, number),
            };
            bytes.push(kind);
            bytes.extend(number.to_be_bytes());
            let (kind, venue, index) = match at {
                At::Queue(position) => (0, Fr::from(0), position),
                At::Tree { venue, index } => (1, *venue, index),
            };
            bytes.push(kind);
            bytes.extend(field::to_bytes(&venue));
            bytes.extend(index.to_be_bytes());
            bytes.extend(announced.to_be_bytes());
        }
        for unread in &self.unread {
            bytes.extend(unread.line.to_be_bytes());
            for element in [unread.collateral, unread.order_hash, unread.venue] {
                bytes.extend(field::to_bytes(&element));
            }
            bytes.extend(unread.index.to_be_bytes());
            for element in [unread.leaf, unread.rho] {
                bytes.extend(field::to_bytes(&element));
            }
            bytes.extend(unread.fill.to_be_bytes());
            bytes.extend(unread.premium_bps.to_be_bytes());
            bytes.extend(unread.price.to_be_bytes());
        }
        bytes.extend(primitives::sha256(&[&bytes]));
        bytes
    }

    /// The wallet that [`Self::to_bytes`] saved, under the same seed. `assets` as for [`Self::new`].
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`] or [`Error::OtherSeed`].
    pub fn from_bytes(keys: Keys, assets: Vec<Asset>, bytes: &[u8]) -> Result<Self, Error> {
        let length =
            |expected| codec::Error::Length { record: RECORD, found: bytes.len(), expected };
        let (&version, _) = bytes.split_first().ok_or(length(HEAD + CHECKSUM))?;
        if version != VERSION {
            let record = RECORD;
            return Err(codec::Error::Version { record, found: version, expected: VERSION }.into());
        }
        let short = length(HEAD + CHECKSUM);
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(short)?;
        let (_, counts) = body.get(..HEAD).and_then(<[u8]>::split_last_chunk::<8>).ok_or(short)?;
        let counts = u64::from_be_bytes(*counts);
        let [n_held, n_unread] = [counts >> 32, counts & 0xffff_ffff];
        let expected = HEAD as u64 + n_held * HELD as u64 + n_unread * UNREAD as u64;
        if body.len() as u64 != expected {
            let expected = usize::try_from(expected).unwrap_or(usize::MAX);
            return Err(length(expected.saturating_add(CHECKSUM)).into());
        }
        if primitives::sha256(&[body]) != *checksum {
            return Err(Error::Damaged);
        }
        let mut reader = Reader::new(RECORD, body, body.len(), VERSION)?;
        if reader.field()? != keys.fingerprint() {
            return Err(Error::OtherSeed);
        }
        let birthday = reader.u64("birthday", 64)?;
        let has_cursor = flag(&mut reader, "cursor's flag")?;
        let cursor = Cursor { block: reader.u64("block", 64)?, log: reader.u32() };
        let next = reader.u64("next number", 63)?;
        let _counts = reader.u64("counts", 64)?;
        let mut wallet = Self {
            cursor: has_cursor.then_some(cursor),
            next,
            ..Self::new(keys, assets, birthday)
        };
        wallet.look_out();
        for _ in 0..n_held {
            let held = wallet.read_held(&mut reader)?;
            wallet.held.push(held);
        }
        for _ in 0..n_unread {
            wallet.unread.push(read_unread(&mut reader)?);
        }
        Ok(wallet)
    }

    fn read_held(&self, reader: &mut Reader<'_>) -> Result<Held, codec::Error> {
        let asset = reader.field()?;
        let amount = reader.u128("amount", AMOUNT_BITS)?;
        let (order_hash, rho) = (reader.field()?, reader.field()?);
        let is_payout = flag(reader, "source")?;
        let number = reader.u64("number", 64)?;
        let source = if is_payout { Source::Payout(number) } else { Source::Line(number) };
        let is_in_tree = flag(reader, "place")?;
        let venue = reader.field()?;
        let index = reader.u64("index", 64)?;
        let announced = reader.u64("announcement", TIME_BITS)?;
        let owner = self.opening(source).owner();
        let note = Note { asset, amount, owner, order_hash, rho };
        let at = At::Queue(index);
        let held = Held { note, source, at, nullifier: Fr::from(0), announced };
        Ok(if is_in_tree { self.placed(held, venue, index) } else { held })
    }
}

fn read_unread(reader: &mut Reader<'_>) -> Result<Unread, codec::Error> {
    Ok(Unread {
        line: reader.u64("number", 64)?,
        collateral: reader.field()?,
        order_hash: reader.field()?,
        venue: reader.field()?,
        index: reader.u64("index", 64)?,
        leaf: reader.field()?,
        rho: reader.field()?,
        fill: reader.u128("fill", AMOUNT_BITS)?,
        premium_bps: reader.u16("premium", PREMIUM_BITS)?,
        price: reader.u64("price", 64)?,
    })
}

fn flag(reader: &mut Reader<'_>, name: &'static str) -> Result<bool, codec::Error> {
    match reader.u8() {
        0 => Ok(false),
        1 => Ok(true),
        found => {
            let found = found.into();
            Err(codec::Error::Range { record: RECORD, field: name, found, bits: 1 })
        }
    }
}
