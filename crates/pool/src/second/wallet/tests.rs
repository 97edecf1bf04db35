use ark_ff::MontFp;

use super::*;
use crate::{hash::poseidon, hash::tag, second::note::leaf};

fn seed() -> [u8; 32] {
    core::array::from_fn(|at| u8::try_from(at).expect("below 32"))
}

fn keys() -> Keys {
    Keys::new(&seed()).expect("long enough")
}

fn asset() -> Asset {
    Asset { address: Fr::from(0xa55e7), decimals: 6 }
}

fn wallet() -> Wallet {
    Wallet::new(keys(), vec![asset()], 5)
}

fn queued(position: u64, number: u64, amount: u128, order_hash: Fr) -> Event {
    let words = keys().words(number, amount, order_hash);
    let leaf = leaf(asset().address, Fr::from(amount), words.inner);
    Event::Queued { position, leaf, hint: words.hint, memo: words.memo }
}

fn at(block: u64) -> Cursor {
    Cursor { block, log: 0 }
}

fn bytes(hex: &str) -> Fr {
    let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex");
    field::from_bytes(&core::array::from_fn(byte)).expect("reduced")
}

/// Computed by another HKDF (Python's hmac and hashlib) and another big integer, from the path alone. If
/// these change, every seed opens another wallet: then the path's version does too.
#[test]
fn secrets_are_those_of_the_path() {
    let keys = keys();
    let (zero, seven, payout) = (keys.line(0), keys.line(7), keys.payout(7));
    for (found, expect) in [
        (
            zero.spend_secret.expose(),
            "076f8fff2b00f5684b92bd516f84588318f3712237a4cbeb7914c2f7064e549d",
        ),
        (
            zero.nullifier_secret.expose(),
            "1710406ee8a569a8f37199c14a0de2b2aff7f733554c4ee3fc153318ee6dac08",
        ),
        (
            seven.spend_secret.expose(),
            "1f10244e42dcc71f1c7ada86c8156442b21522d614566818d72a939f83a5f8cd",
        ),
        (
            payout.spend_secret.expose(),
            "2efa9a07f92c15fc26b48e259f6ba2980fe686f5bcc6bead85baefa6d6cbb78c",
        ),
        (
            payout.nullifier_secret.expose(),
            "0fc27ea2eb606f82cf5fd4fbbb8f838e5f60472409017d21667f67332cb1d8db",
        ),
        (&keys.rho(7), "1f87faac3087dd0836199ad4e82aa8cd7c6ac346cd10120332a2c3e2ea998349"),
    ] {
        assert_eq!(*found, bytes(expect));
    }
    let hint_key = bytes("1d313feb1f1271a7c20337286227c8273502bce3b7facd195ec807489e25dbfa");
    assert_eq!(keys.hint(3), poseidon(&[tag("hint"), hint_key, Fr::from(3)]));
}

#[test]
fn words_are_the_pinned_ones() {
    let words = keys().words(7, 1_000_000, Fr::from(99));
    let expect = Words {
        inner: MontFp!(
            "5091568901690371413312925268804811412053202267892912363442223214031397483020"
        ),
        hint: MontFp!(
            "10588117007916812314340819708577747656918323934523280874179250689348231826745"
        ),
        memo: MontFp!(
            "7764572710239043561249893699118036638367397196886344920530704848965820628863"
        ),
    };
    assert_eq!(words, expect);
    // By their definition.
    let line = keys().line(7);
    let secret = line.nullifier_secret.expose();
    assert_eq!(words.hint, keys().hint(7) + Fr::from(1_000_000));
    assert_eq!(words.memo, Fr::from(99) + poseidon(&[tag("memo"), *secret]));
    assert_eq!(words.inner, crate::note::inner(line.owner(), Fr::from(99), keys().rho(7)));
}

#[test]
fn a_short_seed_is_refused_and_other_seeds_are_other_wallets() {
    assert_eq!(Keys::new(&[1; 31]).err(), Some(Error::Seed { len: 31 }));
    let other = Keys::new(&[1; 64]).expect("long enough");
    assert_ne!(other.hint(0), keys().hint(0));
    assert_ne!(other.line(0).owner(), keys().line(0).owner());
    assert_ne!(keys().line(0).owner(), keys().payout(0).owner());
    assert_ne!(keys().line(0).owner(), keys().line(1).owner());
}

#[test]
fn nothing_is_printed() {
    let keys = keys();
    let opening = keys.line(0);
    assert_eq!(format!("{keys:?} {opening:?}"), "Keys Opening");
    let mut wallet = wallet();
    wallet.scan(at(5), &queued(0, 0, 424_242, Fr::from(0))).expect("in order");
    assert_eq!(format!("{wallet:?}"), "Wallet { n_held: 1, .. }");
}

#[test]
fn notes_are_found_within_the_window_and_move_it() {
    let mut wallet = wallet();
    wallet.scan(at(5), &queued(0, WINDOW, 1, Fr::from(0))).expect("in order");
    assert_eq!((wallet.held().len(), wallet.next()), (0, 0), "beyond the window");
    wallet.scan(at(6), &queued(1, WINDOW - 1, 1, Fr::from(0))).expect("in order");
    assert_eq!((wallet.held().len(), wallet.next()), (1, WINDOW));
    wallet.scan(at(7), &queued(2, 2 * WINDOW - 1, AMOUNT_END - 1, Fr::from(9))).expect("in order");
    assert_eq!((wallet.held().len(), wallet.next()), (2, 2 * WINDOW));
    assert_eq!(wallet.held()[1].note.order_hash, Fr::from(9));
    // A number that was used before: somebody has copied the words, which is a gift.
    wallet.scan(at(8), &queued(3, 5, 2, Fr::from(0))).expect("in order");
    assert_eq!((wallet.held().len(), wallet.next()), (3, 2 * WINDOW));
}

#[test]
fn a_number_that_was_given_out_is_not_given_to_what_a_spend_makes() {
    let mut wallet = wallet();
    wallet.scan(at(5), &queued(0, 0, 70, Fr::from(0))).unwrap();
    let mut trees = Trees::default();
    trees.apply(&queued(0, 0, 70, Fr::from(0))).unwrap();
    let mut entry = crate::second::tree::Tree::new(crate::second::tree::NOTE_DEPTH);
    let Event::Queued { leaf, .. } = queued(0, 0, 70, Fr::from(0)) else { unreachable!() };
    entry.append(&[leaf], 2).unwrap();
    let absorbed = Event::Absorbed { position: 0, count: 1, index: 0, root: entry.root() };
    trees.apply(&absorbed).unwrap();
    wallet.scan(at(6), &absorbed).unwrap();
    // One that was deposited to number 1, and of which nothing was seen yet.
    wallet.reserve(2);
    wallet.reserve(1);
    assert_eq!(wallet.next(), 2);
    let wanted = Wanted { asset: asset().address, amount: 50, outputs: Vec::new() };
    let plan = wallet.spend(&trees, &wanted, 0, 600).unwrap();
    assert_eq!(plan.outputs[0], (20, keys().words(2, 20, Fr::from(0))));
    // Which is found all the same.
    wallet.scan(at(7), &queued(1, 1, 5, Fr::from(0))).unwrap();
    assert_eq!((wallet.balance(asset().address), wallet.next()), (75, 2));
}

#[test]
fn what_only_looks_like_the_wallets_is_not_held() {
    let honest = keys().words(0, 10, Fr::from(4));
    let one = Fr::from(1);
    let leaf_of = |asset: Fr, amount: u128, inner| leaf(asset, Fr::from(amount), inner);
    let good = leaf_of(asset().address, 10, honest.inner);
    let rows = [
        (good + one, honest.hint, honest.memo),
        (good, honest.hint + one, honest.memo),
        (good, honest.hint - one, honest.memo),
        (good, honest.hint, honest.memo + one),
        (good, Fr::from(0), honest.memo),
        (good, -one, honest.memo),
        (leaf_of(one, 10, honest.inner), honest.hint, honest.memo),
        (leaf_of(asset().address, 11, honest.inner), honest.hint, honest.memo),
        (leaf_of(asset().address, 10, honest.inner + one), honest.hint, honest.memo),
    ];
    let mut wallet = wallet();
    for (position, (leaf, hint, memo)) in (0..).zip(rows) {
        let event = Event::Queued { position, leaf, hint, memo };
        wallet.scan(at(5 + position), &event).expect("in order");
    }
    assert_eq!((wallet.held().len(), wallet.next()), (0, 0));
    let event = Event::Queued { position: 9, leaf: good, hint: honest.hint, memo: honest.memo };
    wallet.scan(at(20), &event).expect("in order");
    assert_eq!(wallet.balance(asset().address), 10);
}

#[test]
fn events_before_the_birthday_are_passed_over_and_later_ones_come_in_order() {
    let mut wallet = wallet();
    wallet.scan(at(4), &queued(0, 0, 1, Fr::from(0))).expect("in order");
    assert!(wallet.held().is_empty());
    wallet.scan(at(5), &queued(1, 1, 1, Fr::from(0))).expect("in order");
    assert_eq!(wallet.held().len(), 1);
    for cursor in [at(5), at(4)] {
        let refused = wallet.scan(cursor, &queued(2, 2, 1, Fr::from(0)));
        assert_eq!(refused, Err(Error::OutOfOrder { at: cursor, cursor: at(5) }));
    }
    let next = Cursor { block: 5, log: 1 };
    wallet.scan(next, &queued(2, 2, 1, Fr::from(0))).expect("in order");
    assert_eq!(wallet.cursor(), Some(next));
}

#[test]
fn one_commitment_queued_twice_is_two_notes_where_each_went() {
    let mut wallet = wallet();
    wallet.scan(at(5), &queued(40, 0, 1, Fr::from(0))).expect("in order");
    wallet.scan(at(6), &queued(41, 0, 1, Fr::from(0))).expect("in order");
    let absorbed = |position, count, index| {
        let root = Fr::from(0);
        Event::Absorbed { position, count, index, root }
    };
    wallet.scan(at(7), &absorbed(25, 16, 32)).expect("in order");
    let places: Vec<_> = wallet.held().iter().map(|held| held.at).collect();
    let venue = Fr::from(0);
    assert_eq!(places, [At::Tree { venue, index: 47 }, At::Queue(41)]);
    wallet.scan(at(8), &absorbed(41, 1, 48)).expect("in order");
    let [one, other] = wallet.held() else { panic!("two") };
    assert_eq!(other.at, At::Tree { venue, index: 48 });
    assert_eq!(one.note.commitment(), other.note.commitment());
    assert_ne!(one.nullifier, other.nullifier);
    let (one, other) = (one.nullifier, other.nullifier);
    wallet.scan(at(9), &Event::Spent { nullifiers: [Fr::from(3), one] }).expect("in order");
    assert_eq!(wallet.held().iter().map(|held| held.nullifier).collect::<Vec<_>>(), [other]);
}

#[test]
fn a_saved_state_is_read_under_its_seed_only_and_whole() {
    let mut wallet = wallet();
    wallet.scan(at(5), &queued(0, 3, 10, Fr::from(4))).expect("in order");
    let root = Fr::from(0);
    let absorbed = Event::Absorbed { position: 0, count: 1, index: 0, root };
    wallet.scan(at(6), &absorbed).expect("in order");
    wallet.scan(at(7), &queued(1, 4, 10, Fr::from(0))).expect("in order");
    let saved = wallet.to_bytes();
    let load = |bytes: &[u8]| Wallet::from_bytes(keys(), vec![asset()], bytes);
    let again = load(&saved).expect("just saved");
    assert_eq!(again.held(), wallet.held());
    assert_eq!((again.next(), again.cursor()), (5, Some(at(7))));
    assert_eq!(again.to_bytes(), saved);

    let other = Keys::new(&[9; 32]).expect("long enough");
    let refused = Wallet::from_bytes(other, vec![asset()], &saved).err();
    assert_eq!(refused, Some(Error::OtherSeed));
    for at in 0..saved.len() {
        let mut damaged = saved.clone();
        damaged[at] ^= 0x10;
        assert!(load(&damaged).is_err(), "byte {at}");
        assert!(load(&saved[..at]).is_err(), "{at} bytes");
    }
    let mut newer = saved.clone();
    newer[0] = 2;
    let refused = load(&newer).err();
    let expect = codec::Error::Version { record: "wallet state", found: 2, expected: 1 };
    assert_eq!(refused, Some(Error::State(expect)));
    // With a checksum of its own, but not canonical.
    let mut forged = saved[..saved.len() - 32].to_vec();
    forged[41] = 2;
    forged.extend(primitives::sha256(&[&forged]));
    let refused = load(&forged).err();
    assert!(matches!(refused, Some(Error::State(codec::Error::Range { .. }))), "{refused:?}");
}

/// If this changes, saved states of older programs are another version's.
#[test]
fn a_saved_state_is_the_pinned_one() {
    let mut wallet = wallet();
    wallet.scan(at(5), &queued(0, 3, 10, Fr::from(4))).expect("in order");
    let found = primitives::hex(&primitives::sha256(&[&wallet.to_bytes()]));
    assert_eq!(found, "3c0d5675ef064e860263051ad0ebd697908e51cf40094e9d402f24ac07ed3826");
}

#[test]
fn trees_follow_the_pool_and_nothing_else() {
    let mut trees = Trees::default();
    let leaf = |n: u64| Event::Queued {
        position: n,
        leaf: Fr::from(n + 1),
        hint: Fr::from(0),
        memo: Fr::from(0),
    };
    assert_eq!(trees.apply(&leaf(1)), Err(TreeError::Position { found: 1, expected: 0 }));
    trees.apply(&leaf(0)).expect("the first");
    trees.apply(&leaf(1)).expect("the next");
    let mut tree = super::super::tree::Tree::new(super::super::tree::NOTE_DEPTH);
    tree.append(&[1, 2].map(Fr::from), 2).expect("room");
    let absorbed = |position, count, index, root| Event::Absorbed { position, count, index, root };
    let root = tree.root();
    let wrong = TreeError::Absorbed { position: 0, count: 3, head: 0, waiting: 2 };
    assert_eq!(trees.apply(&absorbed(0, 3, 0, root)), Err(wrong));
    let wrong = TreeError::Absorbed { position: 1, count: 1, head: 0, waiting: 2 };
    assert_eq!(trees.apply(&absorbed(1, 1, 0, root)), Err(wrong));
    let wrong = TreeError::Absorbed { position: 0, count: 0, head: 0, waiting: 2 };
    assert_eq!(trees.apply(&absorbed(0, 0, 0, root)), Err(wrong));
    let wrong = TreeError::Index { found: 16, expected: 0 };
    assert_eq!(trees.apply(&absorbed(0, 2, 16, root)), Err(wrong));
    let wrong = TreeError::Root { index: 0 };
    assert_eq!(trees.apply(&absorbed(0, 2, 0, root + Fr::from(1))), Err(wrong));
    assert_eq!(trees.waiting(), (0, &[1, 2].map(Fr::from)[..]));
    trees.apply(&absorbed(0, 2, 0, root)).expect("what the pool says");
    assert_eq!((trees.entry().root(), trees.waiting()), (root, (2, &[][..])));
}
