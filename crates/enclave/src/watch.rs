//! The reserve monitor: one tick's statements in, a verdict out, with the commitment to a request for what is missing.

use std::collections::BTreeMap;

use k256::ecdsa::signature::Verifier as _;
use k256::ecdsa::{Signature, VerifyingKey};
use pool::request::Request;
use pool::seal::SecretKey;
use pool::{Fr, field, seal, status};
use primitives::{Amount, CommitmentHash, Timestamp, decode, encode, sha256};
use protocol::attest::{Observed, Opening, Status};
use protocol::detect::{self, Detector, Observation, Policy, Reading};
use protocol::mission::Schedule;
use protocol::wire::{self, Reply, Statement, TickNotice};
use protocol::{Disclosure, RequestStatus, request};

use crate::entropy::Entropy;
use crate::program::Error;

/// Requests that could still be made from recent ticks' commitments: a day of the seed's cron.
const DEFICITS_MAX: usize = 288;

/// What was judged so far.
#[derive(Default)]
pub(crate) struct Watch {
    /// Answer to the last tick that had a quorum.
    pub(crate) observed: Option<Observed>,
    detector: Detector,
    deficits: BTreeMap<(u32, CommitmentHash), Request>,
}

/// Who watches, by what rules.
pub(crate) struct Rules<'a> {
    pub(crate) entropy: &'a Entropy,
    pub(crate) hpke: &'a SecretKey,
    pub(crate) custodian: &'a [u8],
    pub(crate) disclosure: Disclosure,
    pub(crate) policy: &'a Policy,
    pub(crate) schedule: &'a Schedule,
}

/// For whom: what may be asked for, and what it has.
pub(crate) struct Client {
    /// Collateral that settlements brought.
    pub(crate) position: Amount,
    /// What the chain holds of it.
    pub(crate) committed: Fr,
    /// The mandate's commitment.
    pub(crate) mandate: Fr,
    pub(crate) instrument: Fr,
    /// The most of one request.
    pub(crate) ask_max: Amount,
    /// Asks are whole lots.
    pub(crate) lot: Amount,
    pub(crate) viewing_key: [u8; 32],
    /// The last request's, if its epoch is to be opened.
    pub(crate) opening: Option<Opening>,
    /// How a notice is sealed, and its encoding.
    pub(crate) info: &'static [u8],
    pub(crate) notice: fn(TickNotice, &Request) -> Vec<u8>,
}

/// An epoch's opening says how the epoch's request ended, and nothing of what happened since: a shortfall found during
/// an epoch is the next one's to ask for, and to tell of.
pub(crate) fn opening((plain, salt): (u8, Fr)) -> Option<Opening> {
    let status = RequestStatus::from_number(plain)?;
    Some(Opening {
        status,
        salt: field::to_bytes(&salt),
        recovered: status == RequestStatus::Filled,
    })
}

impl Watch {
    /// Whether the tick is the last that was judged.
    ///
    /// # Errors
    /// [`Error::TickOver`] if it is an earlier one.
    pub(crate) fn is_judged(&self, tick: u32) -> Result<bool, Error> {
        let judged = self.observed.as_ref().map_or(0, |observed| observed.tick);
        if tick < judged { Err(Error::TickOver { tick, judged }) } else { Ok(tick == judged) }
    }

    /// The answer to a tick, if it is the last that was judged.
    pub(crate) fn reply(&self, tick: u32, sign: impl FnOnce(&Observed) -> Vec<u8>) -> Reply {
        match &self.observed {
            Some(observed) if observed.tick == tick => {
                Reply::Observed { signature: sign(observed), observed: observed.clone() }
            }
            Some(_) | None => Reply::Unobserved,
        }
    }

    /// The request behind a recent tick's deficit.
    pub(crate) fn request(&self, deficit: &CommitmentHash) -> Option<Request> {
        self.deficits.iter().find(|((_, known), _)| known == deficit).map(|(_, request)| *request)
    }

    /// Judges a tick that was not judged yet; false if nobody spoke of it. It stays open then: else whoever names a
    /// far tick, of which nobody spoke, would end all before it.
    pub(crate) fn observe(
        &mut self,
        rules: &Rules<'_>,
        client: &Client,
        tick: u32,
        now: Timestamp,
        statements: &[Option<Vec<u8>>],
    ) -> Result<bool, Error> {
        let observations: Vec<Option<Observation>> = statements
            .iter()
            .enumerate()
            .map(|(node_idx, sealed)| statement(rules, tick, node_idx, sealed.as_deref()?))
            .collect();
        let reading = detect::read(&observations, client.position, rules.policy, tick, now);
        let Ok(reading) = reading else { return Ok(false) };
        self.observed = Some(self.judge(rules, client, tick, now, &reading)?);
        Ok(true)
    }

    fn judge(
        &mut self,
        rules: &Rules<'_>,
        client: &Client,
        tick: u32,
        now: Timestamp,
        reading: &Reading,
    ) -> Result<Observed, Error> {
        let sealed = rules.disclosure == Disclosure::Sealed;
        let backed = self.detector.observe(reading, rules.policy.readings);
        let wanted = if backed { Amount::ZERO } else { reading.gap };
        let ask = request::ask(wanted, client.lot).unwrap_or(Amount::MAX);
        let ask = ask.min(client.ask_max).units();

        // Everything below is derived from what was read as well as from the tick, so that a parent who
        // replays a tick with other statements gets other salts.
        let notice = TickNotice {
            liabilities: reading.liabilities,
            reserves: reading.reserves,
            position: client.position,
            gap: reading.gap,
            backed,
        };
        let seen = sha256(&[&tick.to_be_bytes(), &now.0.to_be_bytes(), &encode(&notice)]);
        let salt = |label| field::from_entropy(&rules.entropy.derive(label, &[&seen]));
        let request = Request {
            requested: ask,
            remaining: ask,
            instrument: client.instrument,
            mandate: client.mandate,
            gap_band: request::gap_band(wanted, reading.liabilities),
            salt: salt("request.salt"),
        };
        let deficit = CommitmentHash(field::to_bytes(&request.commitment()));
        let status = if sealed {
            let commitment = status::commitment(u8::from(backed), salt("status.salt"));
            Status::Sealed(CommitmentHash(field::to_bytes(&commitment)))
        } else if backed && reading.below_threshold {
            Status::Undecided
        } else {
            Status::Backed(backed)
        };
        let opening = client.opening.filter(|_| sealed && rules.schedule.opens_on(tick));
        let notice = seal::seal(
            &client.viewing_key,
            client.info,
            &tick.to_be_bytes(),
            &(client.notice)(notice, &request),
            rules.entropy.derive("tick-notice", &[&seen]),
        )
        .map_err(|_| Error::Unusable {
            what: "issuer's brief",
            reason: "its viewing key is not a point",
        })?;
        let position = CommitmentHash(field::to_bytes(&client.committed));
        self.deficits.insert((tick, deficit), request);
        while self.deficits.len() > DEFICITS_MAX {
            self.deficits.pop_first();
        }
        Ok(Observed { tick, now, status, deficit, position, notice, opening })
    }
}

/// A node's statement, if it opens and the custodian signed it. A node that relays anything else has said nothing.
fn statement(rules: &Rules<'_>, tick: u32, node_idx: usize, sealed: &[u8]) -> Option<Observation> {
    let aad = wire::statement_aad(tick, u32::try_from(node_idx).ok()?);
    let plain = seal::open(rules.hpke, wire::STATEMENT_INFO, &aad, sealed).ok()?;
    let statement: Statement = decode(&plain).ok()?;
    let custodian = VerifyingKey::from_sec1_bytes(rules.custodian).ok()?;
    let signature = Signature::from_slice(&statement.signature).ok()?;
    custodian.verify(&statement.observation, &signature).ok()?;
    decode(&statement.observation).ok()
}
