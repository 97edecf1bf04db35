//! The parties of the second pool: what they send is theirs to make again, and what they cannot do is said.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

use client::Secrets;
use client::second::{Error, Issuer, Line, Maker, Mandated, Market};
use pool::field;
use pool::seal::{self, SecretKey};
use pool::second::account::Kind;
use pool::second::wallet::{Cursor, Event};
use primitives::{
    Address, Amount, CommitmentHash, Duration, Premium, Price, Timestamp, decode, sha256,
};
use protocol::second::{Fact, ORDER_INFO, Order};
use protocol::wire::ENVELOPE_LEN;

fn market() -> Market {
    Market {
        chain_id: 31_337,
        pool: Address([1; 20]),
        venue: Address([2; 20]),
        issuer: Address([3; 20]),
        instrument: 1,
        collateral: Address([4; 20]),
        collateral_decimals: 6,
        consideration: Address([5; 20]),
        consideration_decimals: 18,
        price: [Price(90_000_000), Price(110_000_000)],
        expiry: Timestamp(1 << 39),
    }
}

fn line() -> Line {
    Line {
        capacity: Amount::from_tokens(50),
        premium_min: Premium::new(20).unwrap(),
        fill_min: Amount::from_tokens(90),
        gap_band_max: 9,
    }
}

fn issuer() -> Issuer {
    let mandated = Mandated {
        amount_max: Amount::from_tokens(100),
        epoch: Duration(86_400),
        premium_max: Premium::new(500).unwrap(),
        lot: Amount::from_tokens(1),
        slot_min: Amount::from_tokens(2),
    };
    let secrets =
        Secrets::new(|label, counter| sha256(&[label.as_bytes(), &counter.to_be_bytes()]));
    Issuer::new(&mandated, market(), secrets).unwrap()
}

fn enclave() -> SecretKey {
    SecretKey::from_ikm(&[7; 32])
}

/// A deposit as the pool's log has it, still in the queue.
fn queued(maker: &mut Maker) -> Event {
    let deposit = maker.offer(&line()).unwrap();
    let scalar = |word| field::from_bytes(&word).unwrap();
    let leaf = pool::second::note::leaf(
        field::from_address(&deposit.asset.0),
        deposit.amount.units().into(),
        scalar(deposit.inner),
    );
    Event::Queued { position: 0, leaf, hint: scalar(deposit.hint), memo: scalar(deposit.memo) }
}

fn absorbed() -> Event {
    Event::Absorbed { position: 0, count: 1, index: 32, root: 1_u8.into() }
}

#[test]
fn a_seed_and_the_lines_make_the_same_envelope_again() {
    let mut maker = Maker::new(&[6; 32], market(), 0).unwrap();
    let queued = queued(&mut maker);
    maker.scan(Cursor { block: 1, log: 0 }, &queued).unwrap();
    let waiting = maker.wallet().held()[0];
    assert!(maker.lines().next().is_none());
    assert!(matches!(maker.order(&waiting), Err(Error::NotOffered { .. })));
    maker.scan(Cursor { block: 2, log: 0 }, &absorbed()).unwrap();
    let held = *maker.lines().next().unwrap();
    let key = enclave().public_key();
    let envelope = maker.envelope(&key, &held).unwrap();
    assert_eq!(envelope.len(), ENVELOPE_LEN);

    let padded = seal::open(&enclave(), ORDER_INFO, &[], &envelope).unwrap();
    let order: Order = decode(seal::unpad(&padded).unwrap()).unwrap();
    assert_eq!((order.note.index, order.note.in_venue), (32, false));
    let terms = pool::second::terms::Terms::from_bytes(&order.terms).unwrap();
    assert_eq!(terms.hash(), held.note.order_hash);
    // Nobody is asked to fill more than it has; and a unit is worth 10^12 of the other's.
    assert_eq!(terms.fill_min, Amount::from_tokens(50).units());
    assert_eq!(terms.deal.scale.up, 1_000_000_000_000);

    let mut again = Maker::new(&[6; 32], market(), 0).unwrap();
    again.scan(Cursor { block: 1, log: 0 }, &queued).unwrap();
    again.scan(Cursor { block: 2, log: 0 }, &absorbed()).unwrap();
    let refused = again.envelope(&key, &held).unwrap_err().to_string();
    assert!(refused.contains("terms that are not known; hint: recall its line"), "{refused}");
    again.recall(0, &line()).unwrap();
    assert_eq!(again.envelope(&key, &held).unwrap(), envelope);
    let other = SecretKey::from_ikm(&[8; 32]).public_key();
    assert_ne!(again.envelope(&other, &held).unwrap()[..32], envelope[..32], "another ephemeral");
}

#[test]
fn lines_that_are_offered_before_one_is_seen_have_numbers_of_their_own() {
    let mut maker = Maker::new(&[6; 32], market(), 0).unwrap();
    let [one, other] = [(); 2].map(|()| maker.offer(&line()).unwrap());
    assert_ne!(one.inner, other.inner);
    assert_ne!(one.hint, other.hint);
}

#[test]
fn an_account_is_opened_once_and_moves_within_what_it_has() {
    let mut issuer = issuer();
    let amount = Amount::from_tokens(3);
    let unopened = issuer.fund(amount).unwrap_err().to_string();
    assert!(unopened.starts_with("the account is not open"), "{unopened}");
    assert!(issuer.brief(&enclave().public_key(), |_| [0; 65]).is_err());
    let opened = issuer.open().unwrap();
    let fact = |kind: Kind, account| Fact::AccountMoved {
        kind: kind as u8,
        amount: Amount::ZERO,
        recipient: Address([0; 20]),
        account: CommitmentHash(account),
    };
    let after = field::to_bytes(&opened.plan.after.commitment());
    issuer.hear(&fact(Kind::Open, after));
    assert_eq!(issuer.account(), Some(&opened.plan.after));
    assert!(issuer.open().is_err());
    let too_much = issuer.take_back(amount).unwrap_err().to_string();
    assert_eq!(too_much, "TakeBack of 3000000 base units is more than the account has or can hold");
    // What the chain says it does not know how to open.
    issuer.hear(&fact(Kind::Resalt, [1; 32]));
    assert_eq!(issuer.account(), None);
}

#[test]
fn decimals_too_far_apart_and_short_seeds_are_refused() {
    let market = Market { consideration_decimals: 30, ..market() };
    let error = market.deal().unwrap_err();
    assert_eq!(error.to_string(), "tokens of 6 and 30 decimals cannot be priced in each other");
    assert!(matches!(Maker::new(&[1; 31], market, 0), Err(Error::Keys(_))));
}
