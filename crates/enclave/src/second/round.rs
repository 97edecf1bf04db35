//! A round: whom it fills, the order set it is cleared over, and its proof. One shape, whatever is inside.

use std::collections::BTreeMap;

use circuits::second::clear::{self, Slot, Statement, Witness};
use circuits::second::prove::{Prover, Published as _};
use pool::request::Request;
use pool::second::account::Account;
use pool::second::context::Kind;
use pool::second::deal::payout_ceil;
use pool::second::mandate::Mandate;
use pool::second::orders;
use pool::second::tree::{ORDER_DEPTH, Tree};
use pool::{AMOUNT_END, Fr, field};
use primitives::{Address, Amount, CommitmentHash, Premium, RequestId, keccak256};
use protocol::abi::{WORD, Word, uint};
use protocol::event::Ready;
use protocol::matching::{self, Demand, Offer};
use protocol::second::{PLACES, SLOTS};

use super::state::{Closing, Issuer, Line, State};
use crate::abi::typed_digest;
use crate::life::Signer;
use crate::program::Error;

/// Version of a settlement's encoding.
const VERSION: u16 = 2;

/// A round with its fills, before its settlement is final.
pub(super) struct Round {
    pub(super) closing: Closing,
    pub(super) fills: Vec<(Line, Amount)>,
    premium: Premium,
    premium_cap: Premium,
    mandate: Mandate,
    account: Account,
    request: Request,
    /// The order set.
    orders: Tree,
}

/// What bounds a call besides mandate and request.
pub(super) struct Limits {
    /// The most this round pays.
    pub(super) premium: Premium,
    /// The request's public cap.
    pub(super) premium_public: Premium,
    pub(super) aggregate_min: Amount,
    pub(super) share_max: Premium,
}

/// One call over the lines that stand at the closing, at most as much as remains, as the epoch has room for and as the
/// account can pay. None if the mandate does not admit the round at all.
pub(super) fn call<'a>(
    issuer: &Issuer,
    request: &Request,
    closing: Closing,
    limits: &Limits,
    book: impl Iterator<Item = (&'a CommitmentHash, &'a Line)>,
) -> Option<Round> {
    let Issuer { mandate, account, .. } = issuer;
    let (price, closed_at) = (closing.price.0, closing.closed_at.0);
    let is_inside = closed_at <= mandate.expiry
        && (mandate.price_min..=mandate.price_max).contains(&price)
        && request.mandate == mandate.commitment()
        && request.instrument == mandate.deal.instrument;
    if !is_inside {
        return None;
    }
    // Lines of dust would take slots and places; what is left at the end may be as small as it is.
    let slot_min = mandate.slot_min.min(request.remaining);
    let set = placed(
        book.filter(|(_, line)| line.terms.deal == mandate.deal && line.note.amount >= slot_min),
    );
    let premium_cap = Premium::new(mandate.premium_bps_max).unwrap_or(Premium::MAX);
    let premium_cap = premium_cap.min(limits.premium);
    let offers: Vec<Offer> = set
        .values()
        .filter(|(_, line)| {
            (line.terms.price_min..=line.terms.price_max).contains(&price)
                && request.gap_band <= line.terms.gap_band_max
                && closed_at <= line.terms.expiry
        })
        .map(|(id, line)| Offer {
            id: *id,
            capacity: amount(line.note.amount),
            premium_min: Premium::new(line.terms.premium_bps_min).unwrap_or(Premium::MAX),
            fill_min: amount(line.terms.fill_min.max(slot_min)),
        })
        .collect();
    let spent = if account.epoch == closed_at / mandate.epoch_seconds { account.spent } else { 0 };
    let room = mandate.amount_max.saturating_sub(spent).min(AMOUNT_END - 1 - account.position);
    let affordable = affordable(account, mandate, price, premium_cap, offers.len());
    let demand = Demand {
        amount: amount(request.remaining.min(room).min(affordable)),
        requested: amount(request.requested),
        premium_cap,
        lot: amount(mandate.lot),
        aggregate_min: limits.aggregate_min.min(amount(request.remaining)),
        share_max: limits.share_max,
    };
    let clearing = matching::clear_at_most(offers, &demand, SLOTS);
    let fills = clearing.fills.iter().filter_map(|fill| {
        let (_, line) = set.values().find(|(id, _)| *id == fill.id)?;
        Some(((*line).clone(), fill.amount))
    });
    Some(Round {
        closing,
        fills: fills.collect(),
        premium: clearing.premium,
        premium_cap: limits.premium_public,
        mandate: *mandate,
        account: *account,
        request: *request,
        orders: order_set(&set, mandate, account, request, limits.premium_public),
    })
}

/// Lines by their places in the order set: of two at one place the larger note, of equal ones the older receipt.
fn placed<'a>(
    lines: impl Iterator<Item = (&'a CommitmentHash, &'a Line)>,
) -> BTreeMap<u64, (CommitmentHash, &'a Line)> {
    let mut set = BTreeMap::<u64, (CommitmentHash, &Line)>::new();
    for (id, line) in lines {
        let rank = |line: &Line| (line.note.amount, core::cmp::Reverse(line.receipt));
        let place = set.entry(line.receipt % PLACES).or_insert((*id, line));
        if rank(line) > rank(place.1) {
            *place = (*id, line);
        }
    }
    set
}

fn order_set(
    set: &BTreeMap<u64, (CommitmentHash, &Line)>,
    mandate: &Mandate,
    account: &Account,
    request: &Request,
    premium_cap: Premium,
) -> Tree {
    let mut leaves: Vec<Fr> = (0..PLACES)
        .map(|place| match set.get(&place) {
            Some((_, line)) => orders::leaf(
                line.note.commitment(),
                Fr::from(line.receipt),
                Fr::from(place),
                line.nsk.expose(),
            ),
            None => Fr::from(0u8),
        })
        .collect();
    leaves.push(orders::round_leaf([
        mandate.commitment(),
        request.commitment(),
        account.commitment(),
        Fr::from(premium_cap.bps()),
        account.salt,
    ]));
    let mut tree = Tree::new(ORDER_DEPTH);
    tree.append(&leaves, ORDER_DEPTH).expect("as many leaves as the tree has");
    tree
}

fn amount(units: u128) -> Amount {
    Amount::new(units).unwrap_or(Amount::MAX)
}

/// The most collateral whose payouts the account covers at the highest premium, whoever of `n_offers` shares in it:
/// each may be rounded up by one unit.
fn affordable(
    account: &Account,
    mandate: &Mandate,
    price: u64,
    premium: Premium,
    n_offers: usize,
) -> u128 {
    let Some(budget) = account.consideration.checked_sub(n_offers as u128) else { return 0 };
    let costs = |fill| payout_ceil(fill, price, premium.bps(), mandate.deal.scale);
    let is_covered = |fill| costs(fill).is_some_and(|paid| paid <= budget);
    // Costs only grow with the fill.
    (0..pool::AMOUNT_BITS).rev().fold(0, |most, bit| {
        let more = most | 1 << bit;
        if is_covered(more) { more } else { most }
    })
}

/// A proved round, still to be signed.
pub(super) struct Proved {
    digest: Word,
    zk_proof: Vec<u8>,
    closing: Closing,
}

impl Proved {
    pub(super) fn ready(self, signer: &Signer) -> Ready {
        Ready {
            request: self.closing.id,
            round: self.closing.number,
            zk_proof: self.zk_proof,
            tee_attestation: signer.sign(&self.digest),
        }
    }
}

/// Proves a round of the state's. The same state gives the same bytes.
pub(super) fn prove(
    state: &State,
    round: &Round,
    prover: &Prover<Witness>,
) -> Result<Proved, Error> {
    let witness = witness(state, round);
    // A violation's text may carry amounts, so only the fact of it leaves.
    let statement: Statement = witness.statement().map_err(|_| Error::Unprovable)?;
    let posted = statement.posted();
    let entropy = state.entropy.derive("proof", &[posted.as_flattened()]);
    let (_, proof) = prover.prove(&witness, entropy).map_err(|_| Error::Unprovable)?;
    let Closing { id, number, price_round, entry_slot, .. } = round.closing;
    let (chain_id, dark_pool) = (state.configuration.chain_id, state.configuration.dark_pool);
    Ok(Proved {
        digest: settlement_digest(chain_id, dark_pool, id, number, &posted),
        zk_proof: zk_proof(price_round, entry_slot, &proof.to_words(), &posted),
        closing: round.closing,
    })
}

pub(super) fn witness(state: &State, round: &Round) -> Witness {
    let Round { closing, premium, premium_cap, mandate, account, request, orders, .. } = round;
    let index = state.changes.len();
    let order_root = orders.root();
    let data = keccak256(&[
        &closing.id.0,
        &uint(closing.number),
        &uint(closing.closed_at.0),
        &uint(closing.price.0),
        &field::to_bytes(&order_root),
    ]);
    let dark_pool = &state.configuration.dark_pool.0;
    let context = state.deployment.venue_context(Kind::Clear, dark_pool, index, &data);
    let slots: [Slot; SLOTS] = core::array::from_fn(|slot| match round.fills.get(slot) {
        Some((line, fill)) => Slot {
            amount: line.note.amount,
            spend_key: line.ak,
            nullifier_secret: line.nsk.clone(),
            terms: line.terms,
            rho: line.note.rho,
            in_venue: line.in_venue,
            path: state.tree(line).path(line.index, 0),
            receipt: line.receipt,
            place: orders.path(line.receipt % PLACES, 0),
            fill: fill.units(),
        },
        // The context covers everything the round is: a parent who runs it again with other orders or another close
        // cannot tell dummies by their repeating.
        None => {
            let slot = u8::try_from(slot).expect("there are eight");
            Slot::dummy(&state.entropy.derive("dummy", &[&field::to_bytes(&context), &[slot]]))
        }
    });
    Witness {
        round: clear::Round {
            context,
            entry_root: state.entry.root(),
            venue_root: state.changes.root(),
            order_root,
            premium_cap_bps: premium_cap.bps(),
            price: closing.price.0,
            closed_at: closing.closed_at.0,
            disclosure: state.configuration.disclosure,
        },
        mandate: *mandate,
        request: *request,
        account: *account,
        premium_bps: premium.bps(),
        slots,
        path: state.changes.path(index, clear::height(SLOTS)),
    }
}

/// `abi.encode(uint16 2, uint80 priceRound, uint256 entrySlot, uint256[8] proof, uint256[] posted)`: what version 2 of
/// `DarkPool.confidentialFill` decodes.
pub fn zk_proof(price_round: u128, entry_slot: u8, proof: &[Word; 8], posted: &[Word]) -> Vec<u8> {
    let mut round = [0; WORD];
    round[WORD - 16..].copy_from_slice(&price_round.to_be_bytes());
    let mut out = [uint(VERSION), round, uint(entry_slot)].concat();
    out.extend(proof.as_flattened());
    out.extend(uint((out.len() + WORD) as u64));
    out.extend(uint(posted.len() as u64));
    out.extend(posted.as_flattened());
    out
}

/// The EIP-712 digest of a settlement: what `teeAttestation` signs. It covers digest and values as the proof has them,
/// never the proof, whose bytes anyone can re-randomise; so neither feed round nor slot, which the chain checks.
pub fn settlement_digest(
    chain_id: u64,
    dark_pool: Address,
    request: RequestId,
    round: u32,
    posted: &[Word],
) -> Word {
    let settlement = keccak256(&[
        &keccak256(&[b"Settlement(bytes32 requestId,uint64 round,bytes32 postedHash)"]),
        &request.0,
        &uint(round),
        &keccak256(&[posted.as_flattened()]),
    ]);
    typed_digest(chain_id, dark_pool, &settlement)
}
