//! A round as a witness, a proof and ciphertexts: one shape, whatever is inside.

use circuits::clearing::{self, Consideration, Slot, Statement, Witness};
use circuits::prove::Prover;
use pool::notice::{FillNotice, IssuerNotice, change_leaf, payout_leaf, seal_nothing};
use pool::{Fr, SLOTS, field, note, status};
use primitives::{encode, sha256};
use protocol::event::Ready;

use crate::program::Error;
use crate::state::{Held, Issuer, Line, Round, State};
use crate::{abi, context};

/// A proved round, still to be signed.
pub(crate) struct Proved {
    pub(crate) digest: [u8; 32],
    zk_proof: Vec<u8>,
    request: primitives::RequestId,
    number: u32,
}

impl Proved {
    pub(crate) fn ready(self, tee_attestation: Vec<u8>) -> Ready {
        Ready {
            request: self.request,
            round: self.number,
            zk_proof: self.zk_proof,
            tee_attestation,
        }
    }
}

/// Proves the state's round. The same state gives the same bytes.
pub(crate) fn prove(state: &State, prover: &mut Prover) -> Result<Proved, Error> {
    let round = state.round.as_ref().ok_or(Error::UnknownRound)?;
    let issuer = state.issuer()?;
    let context = context(&state.configuration, round.id, round.number);
    let witness = witness(state, round, issuer, context)?;
    // A violation's text may carry amounts, so only the fact of it leaves.
    let statement = witness.statement().map_err(|_| Error::Unprovable)?;
    let inputs = statement.to_words();
    let ciphertexts = ciphertexts(state, round, issuer, context, &statement)?;
    let bound = sha256(&[inputs.as_flattened(), &encode(&ciphertexts)]);
    let (_, proof) = prover
        .prove(&witness, state.entropy.derive("proof", &[&bound]))
        .map_err(|_| Error::Unprovable)?;
    let digest =
        abi::settlement_digest(&state.configuration, round.id, round.number, &inputs, &ciphertexts);
    let zk_proof = abi::zk_proof(&proof.to_words(), &inputs, &ciphertexts);
    Ok(Proved { digest, zk_proof, request: round.id, number: round.number })
}

fn witness(state: &State, round: &Round, issuer: &Issuer, context: Fr) -> Result<Witness, Error> {
    let path = |held: &Held| state.tree.path(held.index).ok_or(Error::Unprovable);
    // Dummies depend on everything the round is: a parent who runs it again with other orders or another
    // close cannot tell dummies by their repeating.
    let mut seen = field::to_bytes(&context).to_vec();
    seen.extend(encode(&(round.closed_at, round.price, round.premium)));
    for (line, amount) in &round.fills {
        seen.extend(field::to_bytes(&line.held.note.commitment()));
        seen.extend(encode(amount));
    }
    let mut slots = Vec::with_capacity(SLOTS);
    for slot in 0..SLOTS {
        slots.push(match round.fills.get(slot) {
            Some((line, amount)) => Slot {
                real: true,
                amount: line.held.note.amount,
                spend_key: line.held.ak,
                nullifier_secret: line.held.nsk.clone(),
                terms: line.terms,
                rho: line.held.note.rho,
                path: path(&line.held)?,
                fill: amount.units(),
            },
            None => Slot::dummy(&state.entropy.derive("dummy", &[&seen, &[slot_byte(slot)]])),
        });
    }
    let held = &issuer.consideration;
    Ok(Witness {
        round: clearing::Round {
            context,
            root: state.tree.root(),
            premium_cap_bps: round.premium_cap.bps(),
            price: round.price.0,
            closed_at: round.closed_at.0,
            disclosure: state.configuration.disclosure,
        },
        mandate: issuer.mandate,
        request: round.request,
        position: issuer.position,
        premium_bps: round.premium.bps(),
        slots: slots.try_into().unwrap_or_else(|_| unreachable!("exactly SLOTS were pushed")),
        consideration: Consideration {
            amount: held.note.amount,
            spend_key: held.ak,
            nullifier_secret: held.nsk.clone(),
            rho: held.note.rho,
            path: path(held)?,
        },
    })
}

/// Five ciphertexts of one length: a notice to each filled maker, nothing to nobody for the other
/// slots, and the issuer's.
fn ciphertexts(
    state: &State,
    round: &Round,
    issuer: &Issuer,
    context: Fr,
    statement: &Statement,
) -> Result<Vec<Vec<u8>>, Error> {
    // Ephemeral keys depend on the whole statement: two different messages never share one.
    let bound = sha256(&[statement.to_words().as_flattened()]);
    let ephemeral = |place: usize| state.entropy.derive("notice", &[&bound, &[slot_byte(place)]]);
    let mut out = Vec::with_capacity(SLOTS + 1);
    for slot in 0..SLOTS {
        out.push(match round.fills.get(slot) {
            Some((line, amount)) => fill_notice(line, amount.units(), round, context, slot)
                .and_then(|notice| notice.seal(&line.viewing_key, context, slot, ephemeral(slot)).ok())
                // A maker whose viewing key is no key finds its payout by search.
                .unwrap_or_else(|| seal_nothing(context, slot, ephemeral(slot))),
            None => seal_nothing(context, slot, ephemeral(slot)),
        });
    }
    let filled = round.filled();
    let payout = round.payout().ok_or(Error::Unprovable)?;
    let request = round.request.after(filled, context).ok_or(Error::Unprovable)?;
    let position = issuer.position.after(filled, context).ok_or(Error::Unprovable)?;
    let notice = IssuerNotice {
        requested: request.requested,
        remaining: request.remaining,
        position: position.amount,
        request_salt: request.salt,
        position_salt: position.salt,
        consideration: issuer.consideration.note.amount - payout,
        consideration_rho: note::consideration_rho(issuer.consideration.nsk.expose(), context),
        status: status::of(&request),
        n_fills: slot_byte(round.fills.len()),
        payout,
        premium_bps: round.premium.bps(),
    };
    out.push(
        notice
            .seal(&issuer.viewing_key, context, ephemeral(SLOTS))
            .map_err(|_| Error::Unprovable)?,
    );
    Ok(out)
}

fn fill_notice(
    line: &Line,
    fill: u128,
    round: &Round,
    context: Fr,
    slot: usize,
) -> Option<FillNotice> {
    let nsk = line.held.nsk.expose();
    let amount = primitives::Amount::new(fill).ok()?;
    Some(FillNotice {
        asset: line.held.note.asset,
        fill,
        payout: amount.payout_ceil(round.price, round.premium).ok()?.units(),
        change: line.held.note.amount - fill,
        payout_rho: note::payout_rho(nsk, context, slot),
        change_rho: note::change_rho(nsk, context, slot),
        payout_leaf: slot_byte(payout_leaf(slot)),
        change_leaf: slot_byte(change_leaf(slot)),
        premium_bps: round.premium.bps(),
    })
}

fn slot_byte(slot: usize) -> u8 {
    u8::try_from(slot).expect("a settlement has nine leaves")
}
