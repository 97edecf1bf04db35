//! What the second pool and its venue take from an adversary who holds the enclave's key, every secret of every maker
//! and of the issuer, and any account it likes: nothing but what a relation says.
//!
//! Everything here is signed as the registered enclave signs, so that what refuses is a proof, the verifier or a rule
//! of a contract, and never a signature that no longer fits. Each forgery is asked for its reason, sent, and must leave
//! no trace. What only a forged *witness* could do has no proof that could be sent: those are in `circuits`, beside
//! each relation, where a rule is dropped for each.

use circuits::second::account::Kind as Move;
use circuits::second::clear;
use pool::second::account::Account;
use pool::second::note::Note;
use pool::second::tree::{NOTE_DEPTH, Tree};
use pool::{Fr, field};

use super::stage::{
    ANYONE, Held, ISSUER, Leaving, MAKER, P, Pool, Proven, Q, Stage, TICK, UNIT, Venue, WINDOW,
    element, prove, provers, word,
};
use super::*;
use abi::ClearingVerifier::ProofInvalid;

// Where values of a settlement stand in what is posted.
const CONTEXT: usize = 1;
const CLOSED_AT: usize = 6;
const ACCOUNT_OLD: usize = 10;
const ENTRY_ROOT: usize = 13;
const ORDER_ROOT: usize = 17;
const NULLIFIERS: usize = 19;
const PAYOUTS: usize = 27;
const CHANGES: usize = 35;
const RESULTS: usize = 43;
const POSTED: usize = 51;
/// Values that venue and pool compare with what they know.
const KNOWN: [usize; 11] = [1, 2, 3, 4, 5, 7, 8, 10, 13, 14, 16];

/// Nobody is registered under it.
const STRANGER: u8 = 9;

#[tokio::test]
async fn forged_rounds_signed_by_the_enclave_are_refused_and_the_genuine_one_is_not() {
    let mut forger = Forger::with_lines(6).await;
    forger.stage.open_request(86_400);
    let closed_at = forger.stage.close();
    let lines = forger.stage.lines();
    let witness = forger.stage.round(closed_at, &lines[..3]);
    let genuine = prove(&provers().clear, &witness);
    assert_eq!(genuine.posted.len(), POSTED);
    let other = {
        let mut next = witness.clone();
        next.round.context += Fr::from(1);
        prove(&provers().clear, &next)
    };
    let before = forger.state(&genuine);

    // Each value by itself: another one, and the same one unreduced.
    for index in 0..POSTED {
        let mut forged = genuine.clone();
        forged.posted[index] += U256::from(1);
        let what = format!("value {index}, one more");
        if index == CLOSED_AT {
            let _: Venue::ClosedOffGrid = forger.round(&what, &forged);
        } else if index == ORDER_ROOT {
            // It is in the context.
            let error: Pool::ValueMismatch = forger.round(&what, &forged);
            assert_eq!(error.index, U256::from(CONTEXT), "{what}");
        } else if KNOWN.contains(&index) {
            let error: Pool::ValueMismatch = forger.round(&what, &forged);
            assert_eq!(error.index, U256::from(index), "{what}");
        } else {
            let _: ProofInvalid = forger.round(&what, &forged);
        }
        if KNOWN.contains(&index) || [CLOSED_AT, ORDER_ROOT].contains(&index) {
            continue;
        }
        let mut forged = genuine.clone();
        forged.posted[index] += P;
        let error: Pool::WordNotInField = forger.round(&format!("value {index}, plus p"), &forged);
        assert_eq!(error.index, U256::from(index));
    }
    // In another order, twice, and one kind of leaf for another: what would move, redirect, burn or mint.
    for (one, two) in [
        (NULLIFIERS, NULLIFIERS + 1),
        (PAYOUTS, PAYOUTS + 1),
        (CHANGES, CHANGES + 1),
        (PAYOUTS, CHANGES),
        (RESULTS, RESULTS + 1),
        (11, 12),
        (15, 18),
    ] {
        let mut forged = genuine.clone();
        forged.posted.swap(one, two);
        let _: ProofInvalid = forger.round(&format!("values {one} and {two} swapped"), &forged);
        let mut forged = genuine.clone();
        forged.posted[two] = forged.posted[one];
        let _: ProofInvalid = forger.round(&format!("value {one} at {two} as well"), &forged);
    }
    for at in [NULLIFIERS, PAYOUTS, CHANGES, RESULTS, 11] {
        let mut forged = genuine.clone();
        forged.posted[at] = U256::ZERO;
        let _: ProofInvalid = forger.round(&format!("value {at} is 0"), &forged);
    }
    // One value changed and the one below it made up for, at the challenge that the genuine values have: the sum is
    // the same, and the challenge no longer.
    let scalars: Vec<_> = genuine.posted.iter().map(|word| scalar(*word)).collect();
    let challenge = pool::second::fold::challenge(scalars[0], &scalars[1..]);
    for at in [PAYOUTS + 1, NULLIFIERS + 3, CHANGES + 1] {
        let mut forged = genuine.clone();
        forged.posted[at] = word(scalars[at] + Fr::from(1));
        forged.posted[at - 1] = word(scalars[at - 1] - challenge);
        let _: ProofInvalid = forger.round(&format!("value {at} made up for"), &forged);
    }
    // Values that are not as many.
    for posted in [&genuine.posted[..POSTED - 1], &[&genuine.posted[..], &[U256::ZERO]].concat()] {
        let forged = Proven { posted: posted.to_vec(), ..genuine };
        let _: Venue::LengthMismatch = forger.round("another number of values", &forged);
    }

    // The proof: points negated, missing, exchanged, of another proof, off their curve, unreduced.
    let points: [(&str, &[usize], &[usize]); 3] =
        [("A", &[0, 1], &[1]), ("B", &[2, 3, 4, 5], &[4, 5]), ("C", &[6, 7], &[7])];
    for (name, coordinates, ordinates) in points {
        let bent = |bend: &dyn Fn(&mut [U256; 8])| {
            let mut forged = genuine.clone();
            bend(&mut forged.proof);
            forged
        };
        for (how, forged) in [
            ("negated", bent(&|it| ordinates.iter().for_each(|at| it[*at] = Q - it[*at]))),
            ("missing", bent(&|it| coordinates.iter().for_each(|at| it[*at] = U256::ZERO))),
            ("another's", bent(&|it| coordinates.iter().for_each(|at| it[*at] = other.proof[*at]))),
            ("unreduced", bent(&|it| it[coordinates[0]] += Q)),
        ] {
            let _: ProofInvalid = forger.round(&format!("{name} {how}"), &forged);
        }
    }
    for at in 0..8 {
        let mut forged = genuine.clone();
        forged.proof[at] ^= U256::from(1);
        let _: ProofInvalid = forger.round(&format!("word {at} of the proof"), &forged);
    }
    let mut forged = genuine.clone();
    forged.proof.swap(0, 6);
    forged.proof.swap(1, 7);
    let _: ProofInvalid = forger.round("A and C exchanged", &forged);
    let forged = Proven { proof: other.proof, ..genuine.clone() };
    let _: ProofInvalid = forger.round("another round's proof", &forged);

    // Closings: before the first, between two, to come, of a tick that is over. The context is made to fit.
    let opened = forger.stage.opened;
    for closing in [opened, opened - TICK, opened + 1, opened + TICK / 2, 1, 0] {
        let forged = forger.closing(&genuine, closing);
        let error: Venue::ClosedOffGrid = forger.round("off the grid", &forged);
        assert_eq!(error.closedAt, U256::from(closing));
    }
    for ticks in [2, 3] {
        let forged = forger.closing(&genuine, opened + ticks * TICK);
        let _: Pool::ClosedInFuture = forger.round("a closing to come", &forged);
    }

    // A signature for another round, by another key, of a length that is none; another request; another encoding.
    let encoded = |forger: &Forger, version, price_round, slot: u64| {
        forger.stage.encoded(version, price_round, U256::from(slot), &genuine)
    };
    let (id, slot) = (forger.stage.id, forger.stage.entry_slot().to::<u64>());
    let fits = encoded(&forger, 2, 1, slot);
    let signed = forger.stage.signature(1, &genuine.posted);
    for (what, signature) in [
        ("signed for the next round", forger.stage.signature(2, &genuine.posted)),
        ("signed for other values", forger.stage.signature(1, &other.posted)),
        ("signed by a stranger", wallet(STRANGER).sign_hash(&B256::ZERO).as_bytes().into()),
    ] {
        let call = forger.stage.fill_call(id, fits.clone(), signature);
        let error: Venue::EnclaveNotActive = forger.venue(what, &call);
        assert_ne!(error.signer, wallet(7).address(), "{what}");
    }
    let call = forger.stage.fill_call(id, fits.clone(), signed[..64].to_vec().into());
    let _: Venue::ECDSAInvalidSignatureLength = forger.venue("a short signature", &call);
    let unknown = B256::repeat_byte(7);
    let call = forger.stage.fill_call(unknown, fits, signed.clone());
    let _: Venue::RequestUnknown = forger.venue("another request", &call);
    let call = forger.stage.fill_call(id, encoded(&forger, 1, 1, slot), signed.clone());
    let _: Venue::UnsupportedVersion = forger.venue("another version", &call);
    for price_round in [0, 2, (1 << 80) - 1] {
        let call =
            forger.stage.fill_call(id, encoded(&forger, 2, price_round, slot), signed.clone());
        let _: Venue::PriceNotOfClosing = forger.venue("another price round", &call);
    }
    // Roots: none, none kept, an older one.
    let call = forger.stage.fill_call(id, encoded(&forger, 2, 1, 64), signed.clone());
    let _: Pool::SlotOutOfRange = forger.venue("a slot past the ring", &call);
    let call = forger.stage.fill_call(id, encoded(&forger, 2, 1, 63), signed.clone());
    let _: Pool::SlotEmpty = forger.venue("root 0", &call);
    let call = forger.stage.fill_call(id, encoded(&forger, 2, 1, 0), signed.clone());
    let error: Pool::ValueMismatch = forger.venue("an older root", &call);
    assert_eq!(error.index, U256::from(ENTRY_ROOT));

    // Proofs that hold, of something else.
    assert_eq!(forger.verifies(&other), Ok(()));
    let error: Pool::ValueMismatch = forger.round("another round", &other);
    assert_eq!(error.index, U256::from(CONTEXT));
    let invented = prove(&provers().clear, &forger.of_invented_notes(&witness, &lines[..3]));
    assert_eq!(forger.verifies(&invented), Ok(()));
    let error: Pool::ValueMismatch = forger.round("notes that nobody deposited", &invented);
    assert_eq!(error.index, U256::from(ENTRY_ROOT));
    let mut richer = witness.clone();
    richer.account.consideration *= 1_000;
    let richer = prove(&provers().clear, &richer);
    assert_eq!(forger.verifies(&richer), Ok(()));
    let error: Pool::ValueMismatch = forger.round("an account that has more", &richer);
    assert_eq!(error.index, U256::from(ACCOUNT_OLD));

    // The pool itself: a caller is its own venue, which has no account.
    let data = B256::ZERO;
    let direct = Pool::clearCall {
        entrySlot: U256::from(slot),
        venueData: data,
        proof: genuine.proof,
        posted: genuine.posted.clone(),
    };
    let _: Pool::AccountNotOpen =
        forger.pool("a round past its venue", STRANGER, &direct.abi_encode());

    assert_eq!(forger.state(&genuine), before, "nothing that was refused has left a trace");

    // The control: as it is, signed the same way, sent by anyone.
    let call = forger.stage.settlement(&genuine);
    assert_eq!(forger.stage.attempt(ANYONE, forger.stage.venue, &call), Ok(()));
    forger.stage.transact(ANYONE, forger.stage.venue, call.clone());
    forger.stage.settled(&witness, &lines[..3]);
    let after = forger.state(&genuine);
    assert_eq!(after.words, [U256::from(1); 8]);
    assert_ne!(after.account, before.account);
    assert_eq!(after.balances, before.balances, "a round moves no tokens");

    // Settled twice: as it was, signed anew, and proven anew over the notes that are spent.
    let _: Venue::EnclaveNotActive = forger.venue("again", &call);
    let error: Venue::ValueMismatch = forger.round("again, signed anew", &genuine);
    assert_eq!(error.index, U256::from(8), "the request is another one since");
    let mut twice = forger.stage.round(closed_at, &[]);
    twice.slots = witness.slots.clone();
    twice.round.order_root = witness.round.order_root;
    let twice = forger.again(&twice, closed_at);
    let _: Pool::ClosedNotAfterLast = forger.round("another round of one closing", &twice);
    let closed_at = forger.stage.close();
    let mut twice = forger.stage.round(closed_at, &[]);
    twice.slots = witness.slots.clone();
    twice.round.order_root = witness.round.order_root;
    let twice = forger.again(&twice, closed_at);
    assert_eq!(forger.verifies(&twice), Ok(()));
    let error: Pool::NullifierAlreadySpent = forger.round("notes that are spent", &twice);
    assert!(twice.posted[NULLIFIERS..PAYOUTS].contains(&error.nullifier));
    // A closing whose window is over, on the grid and after the last one.
    forger.stage.wait_until(closed_at + WINDOW + 1);
    let _: Pool::ClosedTooLongAgo = forger.round("a window that is over", &twice);
    assert_eq!(forger.state(&genuine), after);
    println!("{} forgeries of rounds", forger.n);
    assert!(forger.n >= 150, "only {}", forger.n);
}

/// Whoever was filled can leave before the next closing, and whoever announced cannot be filled: no order of rounds,
/// announcements and spends lets a note be in two of them.
#[tokio::test]
async fn a_line_leaves_between_two_closings_and_is_in_one_thing_only() {
    let mut forger = Forger::with_lines(4).await;
    forger.stage.open_request(86_400);
    let closed_at = forger.stage.close();
    let lines = forger.stage.lines();
    let first = forger.stage.round(closed_at, &lines[..1]);
    let call = forger.stage.settlement(&prove(&provers().clear, &first));
    forger.stage.transact(ANYONE, forger.stage.venue, call);
    forger.stage.settled(&first, &lines[..1]);

    // It fills every round that it may, to outrun announcements: what it leaves is announced at once, in the grace.
    let change = *forger.stage.lines().iter().find(|line| line.in_venue).unwrap();
    let announcement = leaving(&change, true, 0);
    forger.stage.spend("announced within the grace", &announcement);
    let announced_at = forger.stage.now();
    let closed_at = forger.stage.close();
    assert!(announced_at < closed_at);
    let second = prove(&provers().clear, &forger.stage.round(closed_at, &[change]));
    assert_eq!(forger.verifies(&second), Ok(()));
    let error: Pool::AnnouncedBeforeClosing = forger.round("a line that was announced", &second);
    assert_eq!(error.announcedAt, U256::from(announced_at));

    // Not twice, and not taken back by another announcement.
    let (again, _) = forger.stage.spend_call(&announcement);
    let _: Pool::NullifierAlreadyAnnounced =
        forger.pool("announced again", ANYONE, &again.abi_encode());
    // Its window has passed before the closing that comes after: now it leaves, and once only.
    assert!(forger.stage.now() > announced_at + WINDOW);
    let out = leaving(&change, false, change.note.amount);
    let (call, _) = forger.stage.spend_call(&out);
    forger.stage.spend("a line", &out);
    let _: Pool::NullifierAlreadySpent = forger.pool("twice", ANYONE, &call.abi_encode());
    let _: Pool::NullifierAlreadySpent = forger.round("a line that left", &second);

    // A payout leaves at once, and then a copy of it that somebody deposits is a note of its own: it burns nothing.
    let claim = forger.stage.system.at.claim;
    let payout = forger.held(|held| held.note.asset == element(claim));
    let copy = Pool::depositCall {
        asset_: claim,
        amount: U256::from(payout.note.amount),
        inner: word(payout.note.inner()),
        hint: U256::ZERO,
        memo: U256::ZERO,
    };
    let approve = abi::ClaimToken::approveCall { spender: forger.stage.pool, value: U256::MAX };
    forger.stage.transact(ISSUER, claim, approve.abi_encode());
    forger.stage.transact(ISSUER, forger.stage.pool, copy.abi_encode());
    forger.stage.waiting.push(Held { in_venue: false, ..payout });
    forger.stage.absorb("");
    let copied = forger.held(|held| !held.in_venue && held.note == payout.note);
    for note in [copied, payout] {
        forger.stage.spend("", &leaving(&note, false, note.note.amount));
    }
}

#[tokio::test]
async fn forged_spends_absorptions_and_moves_of_accounts_are_refused() {
    let mut forger = Forger::with_lines(3).await;
    let free = forger.held(|held| held.terms.is_none());
    let line = forger.stage.lines()[0];

    // A spend of a free note with change, to a recipient, by a relayer.
    let part = free.note.amount / 2;
    let (genuine, _) = forger.stage.spend_call(&Leaving {
        relayer: Address::repeat_byte(0xed),
        fee: 5,
        change: free.note.amount - part,
        ..leaving(&free, false, part)
    });
    // Known to the pool: context, roots, asset, amount.
    let known = [1, 3, 5, 6, 7];
    for index in 0..genuine.posted.len() {
        let mut forged = genuine.clone();
        forged.posted[index] += U256::from(1);
        let (what, data) = (format!("value {index} of a spend"), forged.abi_encode());
        match index {
            // An announcement has another context.
            2 => {
                let error: Pool::ValueMismatch = forger.pool(&what, ANYONE, &data);
                assert_eq!(error.index, U256::from(1));
            }
            // A venue that never was has no roots.
            4 => {
                let _: Pool::SlotEmpty = forger.pool(&what, ANYONE, &data);
            }
            _ if known.contains(&index) => {
                let error: Pool::ValueMismatch = forger.pool(&what, ANYONE, &data);
                assert_eq!(error.index, U256::from(index), "{what}");
            }
            _ => {
                let _: ProofInvalid = forger.pool(&what, ANYONE, &data);
            }
        }
        if ![1, 2, 3, 4, 5, 6, 7].contains(&index) {
            let mut forged = genuine.clone();
            forged.posted[index] += P;
            let what = format!("value {index} of a spend, plus p");
            let _: Pool::WordNotInField = forger.pool(&what, ANYONE, &forged.abi_encode());
        }
    }
    let mut forged = genuine.clone();
    forged.posted[2] = U256::from(2);
    let _: Pool::FlagNotBoolean = forger.pool("a flag of 2", ANYONE, &forged.abi_encode());
    // What happens outside, each word of it: it would redirect, or take more.
    type Bend = fn(&mut Pool::Exit);
    let bends: [(&str, Bend); 8] = [
        ("recipient", |exit| exit.recipient = Address::repeat_byte(0xbb)),
        ("relayer", |exit| exit.relayer = Address::repeat_byte(0xbb)),
        ("fee", |exit| exit.fee += U256::from(1)),
        ("deadline", |exit| exit.deadline += U256::from(1)),
        ("hint", |exit| exit.hints[0] += U256::from(1)),
        ("second hint", |exit| exit.hints[1] += U256::from(1)),
        ("memo", |exit| exit.memos[0] += U256::from(1)),
        ("amount", |exit| exit.amount += U256::from(1)),
    ];
    for (what, bend) in bends {
        let mut forged = genuine.clone();
        bend(&mut forged.exit);
        let what = format!("another {what}");
        let error: Pool::ValueMismatch = forger.pool(&what, ANYONE, &forged.abi_encode());
        let index = if what.ends_with("amount") { 7 } else { 1 };
        assert_eq!(error.index, U256::from(index), "{what}");
    }
    let mut forged = genuine.clone();
    forged.exit.asset = forger.stage.system.at.claim;
    let error: Pool::ValueMismatch = forger.pool("another asset", ANYONE, &forged.abi_encode());
    assert_eq!(error.index, U256::from(6));
    for at in 0..8 {
        let mut forged = genuine.clone();
        forged.proof[at] ^= U256::from(1);
        let _: ProofInvalid = forger.pool("a word of the proof", ANYONE, &forged.abi_encode());
    }
    // Roots: an older one, none kept, past the ring.
    let mut forged = genuine.clone();
    forged.entrySlot = U256::ZERO;
    let error: Pool::ValueMismatch = forger.pool("an older root", ANYONE, &forged.abi_encode());
    assert_eq!(error.index, U256::from(3));
    forged.entrySlot = U256::from(63);
    let _: Pool::SlotEmpty = forger.pool("root 0", ANYONE, &forged.abi_encode());
    forged.entrySlot = U256::from(64);
    let _: Pool::SlotOutOfRange = forger.pool("past the ring", ANYONE, &forged.abi_encode());
    // A line that nobody announced; a free note announced; an announcement that names a recipient.
    let (call, _) = forger.stage.spend_call(&leaving(&line, false, line.note.amount));
    let _: Pool::NullifierNotAnnounced =
        forger.pool("a line that was not announced", ANYONE, &call.abi_encode());
    let (call, _) = forger.stage.spend_call(&leaving(&free, true, 0));
    let _: Pool::NothingLocked = forger.pool("a free note announced", ANYONE, &call.abi_encode());
    let recipient = Address::repeat_byte(0xbb);
    let (call, _) = forger.stage.spend_call(&Leaving { recipient, ..leaving(&line, true, 0) });
    let _: Pool::RecipientUnasked =
        forger.pool("announced with a recipient", ANYONE, &call.abi_encode());
    let (call, _) = forger.stage.spend_call(&Leaving {
        recipient: Address::ZERO,
        ..leaving(&free, false, free.note.amount)
    });
    let _: Pool::ZeroAddress = forger.pool("to nobody", ANYONE, &call.abi_encode());
    let (call, _) = forger.stage.spend_call(&Leaving {
        fee: free.note.amount + 1,
        relayer: recipient,
        ..leaving(&free, false, free.note.amount)
    });
    let _: Pool::FeeAboveAmount = forger.pool("a fee above all", ANYONE, &call.abi_encode());
    // As it is it goes through, once.
    forger.stage.transact(ANYONE, forger.stage.pool, genuine.abi_encode());
    let _: Pool::NullifierAlreadySpent = forger.pool("twice", ANYONE, &genuine.abi_encode());
    forger.stage.wait_until(genuine.exit.deadline.to::<u64>() + 1);
    let _: Pool::DeadlinePassed = forger.pool("too late", ANYONE, &genuine.abi_encode());

    // Absorptions. The change of the spend waits, and a deposit after it.
    let queued = forger.stage.entry_state();
    assert_eq!(queued.tail.to::<u64>() - queued.head.to::<u64>(), 1);
    let leaf = scalar(genuine.posted[12]);
    let genuine = forger.absorption_of(&[leaf]);
    for (what, forged) in [
        (
            "another root after",
            Pool::absorbCall { rootAfter: genuine.rootAfter + U256::from(1), ..genuine.clone() },
        ),
        (
            "another digest",
            Pool::absorbCall { digest: genuine.digest + U256::from(1), ..genuine.clone() },
        ),
    ] {
        let _: ProofInvalid = forger.pool(what, ANYONE, &forged.abi_encode());
    }
    for at in 0..8 {
        let mut forged = genuine.clone();
        forged.proof[at] ^= U256::from(1);
        let _: ProofInvalid = forger.pool("a word of the proof", ANYONE, &forged.abi_encode());
    }
    let forged = Pool::absorbCall { rootAfter: genuine.rootAfter + P, ..genuine.clone() };
    let _: Pool::WordNotInField = forger.pool("root after, plus p", ANYONE, &forged.abi_encode());
    let others = forger.absorption_of(&[leaf + Fr::from(1)]);
    let _: ProofInvalid = forger.pool("a leaf nobody queued", ANYONE, &others.abi_encode());
    for count in [0, 2, 16, 17] {
        let forged = Pool::absorbCall { count: U256::from(count), ..genuine.clone() };
        let _: Pool::CountOutOfRange = forger.pool("another count", ANYONE, &forged.abi_encode());
    }
    let forged = Pool::absorbCall { position: genuine.position + U256::from(1), ..genuine.clone() };
    let _: Pool::QueueMoved = forger.pool("another position", ANYONE, &forged.abi_encode());
    forger.stage.transact(ANYONE, forger.stage.pool, genuine.abi_encode());
    let _: Pool::QueueMoved = forger.pool("absorbed twice", ANYONE, &genuine.abi_encode());

    // Deposits.
    let (_, genuine) = forger.stage.deposit_call(UNIT, false);
    let forged = |bend: fn(&mut Pool::depositCall)| {
        let mut forged = genuine.clone();
        bend(&mut forged);
        forged.abi_encode()
    };
    let nothing = forged(|call| call.amount = U256::ZERO);
    let _: Pool::AmountOutOfRange = forger.pool("nothing", MAKER, &nothing);
    let too_much = forged(|call| call.amount = U256::from(1_u128 << 112));
    let _: Pool::AmountOutOfRange = forger.pool("2^112", MAKER, &too_much);
    let above = forged(|call| call.amount = U256::from((1_u128 << 100) + 1));
    let _: Pool::CapExceeded = forger.pool("above the cap", MAKER, &above);
    let unreduced = forged(|call| call.inner = P);
    let _: Pool::NotInField = forger.pool("p", MAKER, &unreduced);
    let unlisted = forged(|call| call.asset_ = Address::repeat_byte(0xaa));
    let _: Pool::AssetNotListed = forger.pool("another token", MAKER, &unlisted);

    // Accounts. Whoever knows the opening is nobody, whoever is the issuer moves what its kind says.
    let account = forger.stage.account;
    let after = Account { consideration: account.consideration + 7, ..account };
    let genuine = forger.stage.account_call(Move::Fund, 7, Address::ZERO, after);
    let _: Venue::CallerNotIssuer =
        forger.venue_from("funded by a stranger", STRANGER, &genuine.abi_encode());
    let direct = Pool::accountCall {
        r#move: Pool::Move {
            kind: 4,
            asset: forger.stage.system.at.cash,
            amount: U256::from(7),
            recipient,
        },
        venueData: B256::ZERO,
        proof: genuine.proof,
        posted: genuine.posted.clone(),
    };
    let _: Pool::AccountNotOpen =
        forger.pool("released past the venue", STRANGER, &direct.abi_encode());
    let mut forged = direct.clone();
    forged.r#move.kind = 0;
    let _: Pool::KindNotOfAccount = forger.pool("of no kind", STRANGER, &forged.abi_encode());
    for index in 0..genuine.posted.len() {
        let mut forged = genuine.clone();
        forged.posted[index] += U256::from(1);
        let (what, data) = (format!("value {index} of a move"), forged.abi_encode());
        if [0, 7].contains(&index) {
            let _: ProofInvalid = forger.venue_from(&what, ISSUER, &data);
        } else {
            let error: Pool::ValueMismatch = forger.venue_from(&what, ISSUER, &data);
            assert_eq!(error.index, U256::from(index), "{what}");
        }
    }
    let mut forged = genuine.clone();
    forged.r#move.asset = forger.stage.system.at.cash;
    // The issuer has none, so that the token itself refuses first; with some, the value would.
    forger.venue_data("the other asset", ISSUER, &forged.abi_encode());
    let salted = Account { salt: Fr::from(77), ..account };
    let mut open = forger.stage.account_call(Move::Resalt, 0, Address::ZERO, salted);
    open.r#move.kind = 1;
    let _: Pool::AccountAlreadyOpen = forger.venue_from("opened again", ISSUER, &open.abi_encode());
    let after = Account { consideration: account.consideration - 7, ..account };
    let mut taken = forger.stage.account_call(Move::TakeBack, 7, wallet(ISSUER).address(), after);
    // Minus seven is an element too, and taking it back would add.
    let mut forged = taken.clone();
    forged.r#move.amount = P - U256::from(7);
    forged.posted[5] = P - U256::from(7);
    let _: ProofInvalid = forger.venue_from("minus seven", ISSUER, &forged.abi_encode());
    taken.r#move.recipient = recipient;
    let _: Venue::RecipientNotIssuer =
        forger.venue_from("taken back by another", ISSUER, &taken.abi_encode());
    let mut released = taken;
    released.r#move.kind = 4;
    let _: Venue::WalletNotRegistered =
        forger.venue_from("released to a stranger", ISSUER, &released.abi_encode());
    // As it is it goes through, once: an account is not credited twice.
    forger.stage.transact(ISSUER, forger.stage.venue, genuine.abi_encode());
    let error: Pool::ValueMismatch =
        forger.venue_from("credited twice", ISSUER, &genuine.abi_encode());
    assert_eq!(error.index, U256::from(6));
    println!("{} forgeries of spends, absorptions, deposits and accounts", forger.n);
    assert!(forger.n >= 80, "only {}", forger.n);
}

fn leaving(held: &Held, announce: bool, amount: u128) -> Leaving {
    let nobody = announce || amount == 0;
    Leaving {
        inputs: vec![*held],
        announce,
        amount,
        recipient: if nobody { Address::ZERO } else { Address::repeat_byte(0xee) },
        relayer: Address::ZERO,
        fee: 0,
        change: 0,
    }
}

struct Forger {
    stage: Stage,
    /// Forgeries that were refused.
    n: usize,
}

/// All of the state that a round could touch.
#[derive(Debug, PartialEq, Eq)]
struct State {
    account: U256,
    tree: (u64, u8, U256),
    queue: (u64, u64),
    request: (U256, U256, u64),
    words: [U256; 8],
    balances: [(U256, U256); 2],
}

impl Forger {
    /// So many lines and as many free notes, in the entry tree.
    async fn with_lines(n: u128) -> Self {
        let mut stage = Stage::set().await;
        for number in 0..2 * n {
            stage.deposit("", (100 + number) * UNIT, number % 2 == 0);
        }
        stage.absorb("");
        Self { stage, n: 0 }
    }

    fn held(&self, is_it: impl Fn(&Held) -> bool) -> Held {
        *self.stage.held.iter().find(|held| is_it(held)).unwrap()
    }

    /// A round as the enclave signs it for the one whose turn it is.
    fn round<E: SolError>(&mut self, what: &str, forged: &Proven) -> E {
        let call = self.stage.settlement(forged);
        self.venue(what, &call)
    }

    fn venue<E: SolError>(&mut self, what: &str, call: &Bytes) -> E {
        self.venue_from(what, ANYONE, call)
    }

    fn venue_from<E: SolError>(&mut self, what: &str, from: u8, call: &[u8]) -> E {
        let data = self.venue_data(what, from, call);
        decoded(what, &data)
    }

    fn venue_data(&mut self, what: &str, from: u8, call: &[u8]) -> Bytes {
        self.refused(what, from, self.stage.venue, call)
    }

    fn pool<E: SolError>(&mut self, what: &str, from: u8, call: &[u8]) -> E {
        let data = self.refused(what, from, self.stage.pool, call);
        decoded(what, &data)
    }

    /// Asks for the reason, and sends it all the same.
    fn refused(&mut self, what: &str, from: u8, to: Address, call: &[u8]) -> Bytes {
        let call = Bytes::copy_from_slice(call);
        let Err(data) = self.stage.attempt(from, to, &call) else {
            panic!("{what}: it goes through")
        };
        let raw = self.stage.raw(from, Call::new(to, call, 8_000_000));
        assert!(!self.stage.include(&raw).status(), "{what}: sent, it goes through");
        self.n += 1;
        data
    }

    /// What the verifier alone says of a settlement's proof.
    fn verifies(&self, proven: &Proven) -> Result<(), Bytes> {
        let values: Vec<_> = proven.posted[1..].iter().map(|word| scalar(*word)).collect();
        let input = pool::second::fold::inputs(&values).map(word);
        let verifiers = self.stage.ask(self.stage.pool, &Pool::verifiersCall {});
        let call = verifyProofCall { proof: proven.proof, input };
        self.stage.attempt(ANYONE, verifiers.clear, &call.abi_encode().into())
    }

    /// The same values of another closing, in the context that goes with it.
    fn closing(&self, genuine: &Proven, closing: u64) -> Proven {
        let mut forged = genuine.clone();
        forged.posted[CLOSED_AT] = U256::from(closing);
        forged.posted[CONTEXT] = self.stage.ask(
            self.stage.venue,
            &Venue::contextCall {
                requestId: self.stage.id,
                round: self.stage.rounds + 1,
                closedAt: U256::from(closing),
                price: genuine.posted[5],
                orderRoot: genuine.posted[ORDER_ROOT],
            },
        );
        forged
    }

    /// Proven in the context that goes with its order set.
    fn again(&self, witness: &clear::Witness, closed_at: u64) -> Proven {
        let mut witness = witness.clone();
        let context = self.stage.ask(
            self.stage.venue,
            &Venue::contextCall {
                requestId: self.stage.id,
                round: self.stage.rounds + 1,
                closedAt: U256::from(closed_at),
                price: U256::from(witness.round.price),
                orderRoot: word(witness.round.order_root),
            },
        );
        witness.round.context = scalar(context);
        prove(&provers().clear, &witness)
    }

    /// The same round over a tree of the forger's own, in which every note has a thousand times as much.
    fn of_invented_notes(&self, witness: &clear::Witness, lines: &[Held]) -> clear::Witness {
        let mut witness = witness.clone();
        let mut tree = Tree::new(NOTE_DEPTH);
        let mut set = Vec::new();
        for (slot, line) in witness.slots.iter_mut().zip(lines) {
            slot.amount *= 1_000;
            let note = Note { amount: slot.amount, ..line.note };
            slot.path.index = tree.append(&[note.commitment()], 0).unwrap();
            let place = Fr::from(slot.place.index);
            let secret = line.secret();
            let leaf = pool::second::orders::leaf(
                note.commitment(),
                Fr::from(slot.receipt),
                place,
                secret.expose(),
            );
            set.push(leaf);
        }
        let mut orders = Tree::new(pool::second::tree::ORDER_DEPTH);
        orders.append(&set, pool::second::tree::ORDER_DEPTH).unwrap();
        for slot in witness.slots.iter_mut().take(lines.len()) {
            slot.path = tree.path(slot.path.index, 0);
            slot.place = orders.path(slot.place.index, 0);
        }
        witness.round.entry_root = tree.root();
        witness.round.order_root = orders.root();
        let data = Venue::contextCall {
            requestId: self.stage.id,
            round: self.stage.rounds + 1,
            closedAt: U256::from(witness.round.closed_at),
            price: U256::from(witness.round.price),
            orderRoot: word(orders.root()),
        };
        witness.round.context = scalar(self.stage.ask(self.stage.venue, &data));
        witness
    }

    /// What absorbs these leaves where the entry tree goes on.
    fn absorption_of(&self, leaves: &[Fr]) -> Pool::absorbCall {
        use circuits::second::absorb;
        let mut all = leaves.to_vec();
        all.resize(16, Fr::from(0));
        let index = self.stage.entry.len().next_multiple_of(16);
        let path = self.stage.entry.path(index, absorb::HEIGHT);
        let witness = absorb::Witness { leaves: all, path };
        let Proven { posted, proof } = prove(&provers().absorb, &witness);
        Pool::absorbCall {
            position: U256::from(self.stage.entry_state().head),
            count: U256::from(leaves.len()),
            rootAfter: posted[2],
            digest: posted[0],
            proof,
        }
    }

    fn state(&self, genuine: &Proven) -> State {
        let stage = &self.stage;
        let (entry, venue) = (stage.entry_state(), stage.venue_state());
        let root = Pool::venueRootCall {
            venue_: word(stage.mandate.deal.venue),
            slot: U256::from(venue.cursor),
        };
        let request = stage.ask(stage.venue, &Venue::requestCall { requestId: stage.id });
        let word_of = |at: usize| {
            let nullifier_ = genuine.posted[NULLIFIERS + at];
            stage.ask(stage.pool, &Pool::nullifierCall { nullifier_ })
        };
        let balances = [stage.system.at.cash, stage.system.at.claim].map(|token| {
            let recorded = stage.ask(stage.pool, &Pool::assetCall { asset_: token }).recorded;
            let held = abi::CashToken::balanceOfCall { account: stage.pool };
            (recorded, stage.ask(token, &held))
        });
        State {
            account: venue.account,
            tree: (venue.nextIndex.to(), venue.cursor, stage.ask(stage.pool, &root)),
            queue: (entry.head.to(), entry.tail.to()),
            request: (request.commitment, request.statusCommitment, request.rounds),
            words: std::array::from_fn(word_of),
            balances,
        }
    }
}

alloy::sol! {
    function verifyProof(uint256[8] proof, uint256[3] input) external view;
}

fn decoded<E: SolError>(what: &str, data: &Bytes) -> E {
    let Ok(error) = E::abi_decode(data) else {
        panic!("{what}: refused with {data} and not with {}", E::SIGNATURE)
    };
    error
}

fn scalar(word: U256) -> Fr {
    field::from_bytes(&word.to_be_bytes()).unwrap()
}
