//! What parties seal, an enclave opens; and nobody else's message shares its bytes.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

use client::{Custodian, Issuer, Line, Maker, Mandated, Market, Secrets};
use pool::seal::{self, SecretKey};
use primitives::{Address, Amount, Premium, Price, Timestamp, decode, encode, sha256};
use protocol::detect::Observation;
use protocol::wire::{
    BRIEF_INFO, ENVELOPE_LEN, ORDER_INFO, Order, STATEMENT_INFO, SignedBrief, Statement,
    statement_aad,
};

fn secrets(party: &'static str) -> Secrets {
    Secrets::new(move |label, counter| {
        sha256(&[party.as_bytes(), label.as_bytes(), &counter.to_be_bytes()])
    })
}

fn market() -> Market {
    Market {
        chain_id: 31_337,
        pool: Address([1; 20]),
        issuer: Address([2; 20]),
        instrument: 1,
        collateral: Address([3; 20]),
        consideration: Address([4; 20]),
        price: [Price(900_000), Price(1_100_000)],
        expiry: Timestamp(1_700_000_000),
    }
}

fn maker(party: &'static str) -> Maker {
    let line = Line {
        capacity: Amount::from_tokens(5),
        premium_min: Premium::new(40).unwrap(),
        fill_min: Amount::from_tokens(9),
        gap_band_max: 15,
    };
    Maker::new(line, &market(), secrets(party))
}

fn enclave() -> SecretKey {
    SecretKey::from_ikm(&[7; 32])
}

fn opened(envelope: &[u8]) -> Order {
    let padded = seal::open(&enclave(), ORDER_INFO, &[], envelope).unwrap();
    decode(seal::unpad(&padded).unwrap()).unwrap()
}

#[test]
fn an_envelope_is_of_one_length_the_same_bytes_each_time_and_opens_to_the_order() {
    let (maker, key) = (maker("a"), enclave().public_key());
    let envelope = maker.envelope(&key, 3).unwrap();
    assert_eq!(envelope.len(), ENVELOPE_LEN);
    assert_eq!(envelope, maker.envelope(&key, 3).unwrap());
    let order = opened(&envelope);
    assert_eq!((order.note.index, order.note.amount), (3, Amount::from_tokens(5)));
    assert_eq!(order.terms, maker.terms().to_bytes());
    // Nobody is asked to fill more than it has.
    assert_eq!(maker.terms().fill_min, Amount::from_tokens(5).units());
}

#[test]
fn an_order_under_other_terms_has_an_ephemeral_key_of_its_own() {
    let (maker, key) = (maker("a"), enclave().public_key());
    let mut order = maker.order(3);
    order.terms[0] ^= 1;
    let ephemeral = |envelope: &[u8]| envelope[..32].to_vec();
    let (mine, other) = (maker.envelope(&key, 3).unwrap(), maker.seal(&key, &order).unwrap());
    assert_ne!(ephemeral(&mine), ephemeral(&other));
    assert_ne!(ephemeral(&mine), ephemeral(&self::maker("b").envelope(&key, 3).unwrap()));
}

#[test]
fn a_brief_is_signed_by_whoever_is_asked_over_the_digest_for_this_enclave() {
    let mandated = Mandated {
        amount_max: Amount::from_tokens(100),
        premium_max: Premium::new(800).unwrap(),
        standing: Amount::from_tokens(200),
    };
    let (issuer, key) =
        (Issuer::new(mandated, &market(), secrets("issuer")), enclave().public_key());
    let mut asked = None;
    let sealed = issuer
        .brief(&key, 0, |digest| {
            asked = Some(*digest);
            [0x55; 65]
        })
        .unwrap();
    let plain = seal::open(&enclave(), BRIEF_INFO, &[], &sealed).unwrap();
    let SignedBrief { brief, signature } = decode(&plain).unwrap();
    assert_eq!(asked, Some(brief.digest(&key)));
    assert_eq!(signature, [0x55; 65]);
    assert_eq!(brief.consideration.amount, Amount::from_tokens(200));
}

#[test]
fn a_statement_is_for_one_node_and_one_tick() {
    let (custodian, key) = (Custodian::new(secrets("c"), 4).unwrap(), enclave().public_key());
    let observation = Observation {
        tick: 9,
        observed_at: Timestamp(5),
        liabilities: Amount::from_tokens(1),
        reserves: Vec::new(),
    };
    let sealed = custodian.statement(&observation, 2, &key).unwrap();
    let open = |tick, node| {
        seal::open(&enclave(), STATEMENT_INFO, &statement_aad(tick, node), &sealed).ok()
    };
    let statement: Statement = decode(&open(9, 2).expect("its own")).unwrap();
    assert_eq!(statement.observation, encode(&observation));
    assert!(open(9, 1).is_none() && open(8, 2).is_none());
}
