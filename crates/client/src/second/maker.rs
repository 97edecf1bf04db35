//! A maker: a seed, the lines it locked, and the orders that show them to an enclave.

use core::fmt;
use std::collections::BTreeMap;

use pool::second::results;
use pool::second::terms::Terms;
use pool::second::wallet::{self, At, Cleared, Cursor, Event, Held, Keys, Source, Wallet};
use pool::{Fr, field, seal};
use primitives::{Address, Amount, Premium, decode, encode, secp256k1, sha256};
use protocol::second::{LockedNote, ORDER_INFO, Order, Receipt};
use protocol::wire::{ENVELOPE_LEN, Word};

use super::{Error, Market};

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

/// What `ShieldedPool.deposit` takes. Words are 32 bytes, big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deposit {
    /// The token.
    pub asset: Address,
    /// Base units of it.
    pub amount: Amount,
    /// The blinded half of the note's commitment.
    pub inner: Word,
    /// For the wallet, which finds the note by it.
    pub hint: Word,
    /// For the wallet, which learns by it what locks the note.
    pub memo: Word,
}

/// A maker's wallet and terms. What it holds it learns from the pool's events and its seed alone; of terms it keeps
/// those it offered, and derives them again from the lines' figures ([`Maker::recall`]).
pub struct Maker {
    market: Market,
    wallet: Wallet,
    terms: BTreeMap<Fr, Terms>,
}

impl fmt::Debug for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Maker")
    }
}

impl Maker {
    /// A maker that has seen nothing yet. Nothing before the block `birthday` is looked at.
    ///
    /// # Errors
    /// [`Error::Keys`] if the seed is too short.
    pub fn new(seed: &[u8], market: Market, birthday: u64) -> Result<Self, Error> {
        let wallet = Wallet::new(Keys::new(seed)?, market.assets(), birthday);
        Ok(Self { market, wallet, terms: BTreeMap::new() })
    }

    /// The wallet: balances, exits, announcements.
    pub const fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// Takes the next event of the pool.
    ///
    /// # Errors
    /// The wallet's; nothing has changed then.
    pub fn scan(&mut self, at: Cursor, event: &Event) -> Result<(), wallet::Error> {
        self.wallet.scan(at, event)
    }

    /// The number of the next deposit: above all that were seen on chain and all that were given out.
    pub fn number(&self) -> u64 {
        self.wallet.next()
    }

    /// Numbers below this one were given out in an earlier life, and perhaps not seen on chain yet.
    pub fn resume(&mut self, number: u64) {
        self.wallet.reserve(number);
    }

    /// The deposit that locks a new line under its terms.
    ///
    /// # Errors
    /// [`Error::Decimals`].
    pub fn offer(&mut self, line: &Line) -> Result<Deposit, Error> {
        let number = self.number();
        self.recall(number, line)?;
        let terms = self.terms_of(number, line)?;
        Ok(self.deposit(self.market.collateral, line.capacity, terms.hash()))
    }

    /// The deposit that nothing locks: it can leave as soon as it is in the tree.
    pub fn hold(&mut self, asset: Address, amount: Amount) -> Deposit {
        self.deposit(asset, amount, Fr::from(0u8))
    }

    fn deposit(&mut self, asset: Address, amount: Amount, order_hash: Fr) -> Deposit {
        let number = self.number();
        self.wallet.reserve(number + 1);
        let words = self.wallet.keys().words(number, amount.units(), order_hash);
        let [inner, hint, memo] =
            [words.inner, words.hint, words.memo].map(|word| field::to_bytes(&word));
        Deposit { asset, amount, inner, hint, memo }
    }

    /// Knows again what terms the line of this number was locked under, for whoever has a seed and nothing else.
    ///
    /// # Errors
    /// [`Error::Decimals`].
    pub fn recall(&mut self, number: u64, line: &Line) -> Result<(), Error> {
        let terms = self.terms_of(number, line)?;
        self.terms.insert(terms.hash(), terms);
        Ok(())
    }

    fn terms_of(&self, number: u64, line: &Line) -> Result<Terms, Error> {
        Ok(Terms {
            deal: self.market.deal()?,
            payout_owner: self.wallet.keys().payout(number).owner(),
            premium_bps_min: line.premium_min.bps(),
            price_min: self.market.price[0].0,
            price_max: self.market.price[1].0,
            fill_min: line.fill_min.min(line.capacity).units(),
            gap_band_max: line.gap_band_max,
            expiry: self.market.expiry.0,
        })
    }

    /// Lines that can be offered: locked, in a tree, not announced.
    pub fn lines(&self) -> impl Iterator<Item = &Held> {
        let is_there = |held: &&Held| matches!(held.at, At::Tree { .. });
        let is_standing = |held: &&Held| held.is_locked() && held.announced == 0;
        self.wallet.held().iter().filter(is_there).filter(is_standing)
    }

    /// The order over a line, for an enclave that is trusted with it.
    ///
    /// # Errors
    /// [`Error::NotOffered`].
    pub fn order(&self, held: &Held) -> Result<Order, Error> {
        let not = |what, hint| Error::NotOffered { what, hint };
        let terms = self.terms.get(&held.note.order_hash);
        let terms = terms.ok_or(not("locked under terms that are not known", "recall its line"))?;
        let At::Tree { venue, index } = held.at else {
            return Err(not("not in a tree yet", "wait until it is absorbed"));
        };
        let Source::Line(number) = held.source else {
            return Err(not("a payout", "lock it again under another number"));
        };
        let opening = self.wallet.keys().line(number);
        Ok(Order {
            note: LockedNote {
                amount: Amount::new(held.note.amount).unwrap_or(Amount::MAX),
                ak: field::to_bytes(&opening.spend_secret.spend_key()),
                nsk: *opening.nullifier_secret.to_bytes(),
                rho: field::to_bytes(&held.note.rho),
                in_venue: venue != Fr::from(0u8),
                index,
            },
            terms: terms.to_bytes().to_vec(),
        })
    }

    /// The order, sealed to an enclave whose evidence this maker has checked: the same bytes however often it
    /// is sent.
    ///
    /// # Errors
    /// [`Error::NotOffered`]; [`Error::Seal`] if the key is no key.
    pub fn envelope(&self, enclave: &Word, held: &Held) -> Result<Vec<u8>, Error> {
        self.seal(enclave, &self.order(held)?)
    }

    /// The order in an envelope of other bytes, `again` from 1 on: for whoever finds its place in the order set taken. The
    /// enclave knows an envelope by its bytes, and gives these a receipt, and a place, of their own.
    ///
    /// # Errors
    /// [`Error::NotOffered`]; [`Error::Seal`] if the key is no key.
    pub fn envelope_again(
        &self,
        enclave: &Word,
        held: &Held,
        again: u64,
    ) -> Result<Vec<u8>, Error> {
        self.seal_again(enclave, &self.order(held)?, again)
    }

    /// Any order, sealed as this maker seals.
    ///
    /// # Errors
    /// [`Error::Seal`] if the key is no key, or the order is longer than an envelope.
    pub fn seal(&self, enclave: &Word, order: &Order) -> Result<Vec<u8>, Error> {
        self.seal_again(enclave, order, 0)
    }

    fn seal_again(&self, enclave: &Word, order: &Order, again: u64) -> Result<Vec<u8>, Error> {
        let failed = |source| Error::Seal { what: "an order", source };
        let padded = seal::pad(&encode(order), ENVELOPE_LEN - seal::OVERHEAD).map_err(failed)?;
        let entropy = match again {
            0 => self.wallet.keys().envelope(enclave, &padded),
            // Padded orders are longer than a digest, so that none has the entropy of another sent again.
            _ => {
                let of = sha256(&[&padded, &again.to_be_bytes()]);
                self.wallet.keys().envelope(enclave, &of)
            }
        };
        seal::seal(enclave, ORDER_INFO, &[], &padded, *entropy).map_err(failed)
    }

    /// What came back for an envelope, if the enclave whose settlement key is `signer` signed it.
    ///
    /// # Errors
    /// [`Error::Receipt`].
    pub fn receipt(
        &self,
        bytes: &[u8],
        envelope: &[u8],
        signer: Address,
    ) -> Result<Receipt, Error> {
        let wrong = |what| Error::Receipt { what };
        let receipt: Receipt = decode(bytes).map_err(|_| wrong("no receipt"))?;
        let Receipt { number, since, signature } = &receipt;
        let Market { chain_id, venue, .. } = self.market;
        let digest = Receipt::digest(chain_id, venue, envelope, *number, *since);
        if secp256k1::recover(&digest, signature) != Some(signer) {
            return Err(wrong("not the enclave's, or of another envelope or venue"));
        }
        Ok(receipt)
    }

    /// What a settlement filled of the maker's, slot by slot; empty for nothing. To be asked before the settlement is
    /// scanned, after which the wallet holds payout and change instead.
    pub fn fills(&self, cleared: &Cleared) -> Vec<(usize, Amount)> {
        let own = cleared.slots.iter().enumerate().filter_map(|(slot, published)| {
            let is_it = |held: &&Held| {
                held.nullifier == published.nullifier && matches!(held.at, At::Tree { .. })
            };
            let Source::Line(number) = self.wallet.held().iter().find(is_it)?.source else {
                return None;
            };
            let secret = self.wallet.keys().line(number).nullifier_secret;
            let (fill, _) = results::open(
                published.result,
                secret.expose(),
                published.nullifier,
                cleared.context,
            )?;
            Some((slot, Amount::new(fill).unwrap_or(Amount::MAX)))
        });
        own.collect()
    }
}
