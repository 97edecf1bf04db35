use protocol::RequestStatus;

use super::*;
use crate::program::tests::configuration;

/// A maker's locked note of `amount`, its terms, and the place it claims.
fn locked(maker: u8, amount: u128, index: u64) -> (Order, Fr) {
    let terms = Terms {
        issuer: field::from_address(&configuration().issuer.0),
        instrument: Fr::from(1u8),
        consideration_asset: field::from_address(&configuration().consideration.0),
        payout_owner: Fr::from(maker),
        pool_id: pool_id(&configuration()),
        premium_bps_min: 0,
        price_min: 0,
        price_max: u64::MAX,
        fill_min: 0,
        gap_band_max: 9,
        expiry: 1 << 39,
    };
    let nsk = NullifierSecret::from_entropy(&[maker; 32]);
    let ak = Fr::from(3u8);
    let rho = Fr::from(u16::from(maker) + 500);
    let note = Note {
        asset: field::from_address(&configuration().collateral.0),
        amount,
        owner: keys::owner(ak, nsk.nullifier_key()),
        order_hash: terms.hash(),
        rho,
    };
    let note_opening = LockedNote {
        amount: Amount::new(amount).unwrap(),
        ak: field::to_bytes(&ak),
        nsk: *nsk.to_bytes(),
        rho: field::to_bytes(&rho),
        index,
    };
    let order =
        Order { note: note_opening, terms: terms.to_bytes().to_vec(), viewing_key: [maker; 32] };
    (order, note.commitment())
}

fn sealed(state: &State, order: &Order, ephemeral: u8) -> Vec<u8> {
    let padded = seal::pad(&encode(order), ENVELOPE_LEN - seal::OVERHEAD).unwrap();
    seal::seal(&state.hpke.public_key(), wire::ORDER_INFO, &[], &padded, [ephemeral; 32]).unwrap()
}

fn leaves(start: u64, leaves: &[Fr]) -> Command {
    let leaves = leaves.iter().map(field::to_bytes).collect();
    Command::Inform(vec![Fact::LeavesInserted { start, leaves }])
}

/// Settles a round that fills these lines, as if it had been proved: changes are leaves 4 to 7.
fn settle(state: &mut State, fills: &[(Fr, u128)]) {
    let id = RequestId([9; 32]);
    let scalar = Fr::from(1u8);
    let mandate = Mandate {
        issuer: scalar,
        instrument: scalar,
        collateral_asset: scalar,
        consideration_asset: scalar,
        pool_id: scalar,
        amount_max: 100,
        premium_bps_max: 1,
        price_min: 1,
        price_max: 2,
        expiry: 1,
        salt: scalar,
    };
    let request = pool::request::Request {
        requested: 100,
        remaining: 100,
        instrument: scalar,
        mandate: scalar,
        gap_band: 0,
        salt: scalar,
    };
    let fills: Vec<(Line, Amount)> = fills
        .iter()
        .map(|(commitment, amount)| {
            let line = &state.book[&CommitmentHash(field::to_bytes(commitment))];
            (line.clone(), Amount::new(*amount).unwrap())
        })
        .collect();
    let mut consideration = fills[0].0.held.clone();
    consideration.note.amount = 1_000;
    let position = Position { issuer: scalar, amount: 0, salt: scalar };
    state.issuer = Some(Issuer { mandate, position, consideration, viewing_key: [0; 32] });
    state.request =
        Some(Live { id, premium: Premium::default(), rounds: 0, request, status: None });
    let context = context(&state.configuration, id, 1);
    let mut outputs = [Fr::from(0u8); pool::notice::LEAVES];
    for (slot, (line, amount)) in fills.iter().enumerate() {
        let mut change = line.held.note;
        change.amount -= amount.units();
        change.rho = pool::note::change_rho(line.held.nsk.expose(), context, slot);
        outputs[pool::SLOTS + slot] = change.commitment();
    }
    state.round = Some(Round {
        id,
        number: 1,
        closed_at: Timestamp(0),
        price: Price(primitives::PRICE_ONE),
        premium_cap: Premium::default(),
        premium: Premium::default(),
        request,
        fills,
    });
    let start = state.tree.len().next_multiple_of(pool::tree::BATCH_LEAVES as u64);
    let settled = Fact::RoundSettled {
        id,
        round: 1,
        status: RequestStatus::PartiallyFilled,
        position: CommitmentHash([0; 32]),
    };
    assert_eq!(state.apply(&leaves(start, &outputs)), Ok(true));
    assert_eq!(state.apply(&Command::Inform(vec![settled])), Ok(true));
}

/// What the parent sees of an envelope: whether it was taken, and whether an entry is sealed for it.
fn answers(state: &mut State, envelopes: &[Vec<u8>]) -> Vec<Result<bool, Error>> {
    envelopes.iter().map(|it| state.apply(&Command::Order(it.clone()))).collect()
}

/// E8: who replays the published envelopes learns nothing of what became of their notes.
#[test]
fn an_envelope_is_answered_alike_whatever_became_of_its_note() {
    let mut state = State::new(configuration(), Entropy::new([1; 32]));
    let (unspent, a) = locked(1, 50, 0);
    let (filled, b) = locked(2, 50, 1);
    let (spent, c) = locked(3, 50, 2);
    let (unknown, _) = locked(4, 50, 90);
    let (never, _) = locked(5, 50, 0);
    let (altered, _) = locked(1, 51, 0);
    assert_eq!(state.apply(&leaves(0, &[a, b, c])), Ok(true));
    let orders = [&unspent, &filled, &spent, &unknown, &never, &altered];
    let first: Vec<Vec<u8>> = orders.iter().map(|order| sealed(&state, order, 1)).collect();
    assert_eq!(answers(&mut state, &first), vec![Ok(true); 6], "heard for the first time");
    assert_eq!(state.book.len(), 3, "what is in the tree stands");
    assert_eq!(answers(&mut state, &first), vec![Ok(false); 6], "heard again");

    settle(&mut state, &[(b, 20), (c, 50)]);
    let change =
        |commitment| !state.book.contains_key(&CommitmentHash(field::to_bytes(commitment)));
    assert!(change(&b) && change(&c) && !change(&a));
    assert_eq!(state.book.len(), 2, "one untouched, one line's change");
    assert_eq!(answers(&mut state, &first), vec![Ok(false); 6], "replayed after a settlement");
    // The same orders sealed anew, as only their makers can.
    let anew: Vec<Vec<u8>> = orders.iter().map(|order| sealed(&state, order, 2)).collect();
    assert_eq!(answers(&mut state, &anew), vec![Ok(true); 6], "sealed anew after a settlement");
    assert_eq!(answers(&mut state, &anew), vec![Ok(false); 6]);
    assert_eq!(state.book.len(), 2, "a spent note stands no more");
}

#[test]
fn a_line_stands_from_when_its_note_is_in_the_tree() {
    let mut state = State::new(configuration(), Entropy::new([1; 32]));
    let (early, a) = locked(1, 50, 1);
    let (misplaced, b) = locked(2, 50, 0);
    let envelopes = [sealed(&state, &early, 1), sealed(&state, &misplaced, 1)];
    assert_eq!(answers(&mut state, &envelopes), vec![Ok(true); 2]);
    assert!(state.book.is_empty());
    state.apply(&leaves(0, &[a])).unwrap();
    assert!(state.book.is_empty(), "another place than it claims, and not yet the one");
    state.apply(&leaves(1, &[a])).unwrap();
    assert!(state.book.contains_key(&CommitmentHash(field::to_bytes(&a))));
    assert!(!state.book.contains_key(&CommitmentHash(field::to_bytes(&b))));
    assert!(state.waiting.is_empty());
}

#[test]
fn lines_that_wait_are_bounded_and_the_oldest_goes_first() {
    let mut state = State::new(configuration(), Entropy::new([1; 32]));
    let (order, _) = locked(1, 50, 7);
    let line = |index| {
        let asset = field::from_address(&configuration().collateral.0);
        let terms = Terms::from_bytes(&order.terms).unwrap();
        let held =
            held(&LockedNote { index, ..order.note.clone() }, asset, terms.hash(), "").unwrap();
        Line { held, terms, viewing_key: [0; 32] }
    };
    state.waiting = (0..WAITING_MAX as u64).map(|index| line(100 + index)).collect();
    let envelope = sealed(&state, &order, 1);
    assert_eq!(state.apply(&Command::Order(envelope)), Ok(true));
    assert_eq!(state.waiting.len(), WAITING_MAX);
    assert_eq!(state.waiting.front().map(|line| line.held.index), Some(101));
    assert_eq!(state.waiting.back().map(|line| line.held.index), Some(7));
}
