//! Everything an enclave knows, as a function of the commands it has heard.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pool::keys::NullifierSecret;
use pool::mandate::Mandate;
use pool::note::Note;
use pool::position::Position;
use pool::seal::SecretKey;
use pool::terms::Terms;
use pool::tree::Tree;
use pool::{Fr, field, keys, seal, status};
use primitives::{
    Address, Amount, CommitmentHash, Disclosure, Premium, Price, RequestId, Timestamp, decode,
    encode, secp256k1, sha256,
};
use protocol::event::Fact;
use protocol::matching::{self, Demand, Fill, Offer};
use protocol::settle::Queue;
use protocol::wire::{self, Command, Configuration, ENVELOPE_LEN, LockedNote, Order, SignedBrief};

use crate::entropy::Entropy;
use crate::program::Error;
use crate::watch::{self, Client, Rules, Watch};
use crate::{context, pool_id};

/// Lines whose notes are still to come, of 0.6 kB each. A deposit takes minutes to be seen; whoever floods this
/// with notes that never come shuts out those that wait, and no line that stands.
const WAITING_MAX: usize = 4_096;

pub(crate) struct State {
    pub(crate) configuration: Configuration,
    pub(crate) entropy: Entropy,
    pub(crate) hpke: SecretKey,
    pub(crate) tree: Tree,
    pub(crate) watch: Watch,
    /// The round that awaits its settlement.
    pub(crate) round: Option<Round>,
    issuer: Option<Issuer>,
    request: Option<Live>,
    /// Requests seen to open: hearing of one again, after a restart, changes nothing.
    known: BTreeSet<RequestId>,
    /// Commitments of lines that a settlement spent: their envelopes are worth nothing any more.
    spent: BTreeSet<CommitmentHash>,
    book: BTreeMap<CommitmentHash, Line>,
    /// Lines whose place in the tree does not exist yet, as they came.
    waiting: VecDeque<Line>,
    /// SHA-256 of every envelope taken in: hearing one again changes nothing, and is answered the same.
    envelopes: BTreeSet<[u8; 32]>,
    queue: Option<Queue<Fill>>,
    places: BTreeMap<CommitmentHash, u64>,
}

/// What the issuer entrusted.
pub(crate) struct Issuer {
    pub(crate) mandate: Mandate,
    pub(crate) position: Position,
    pub(crate) consideration: Held,
    pub(crate) viewing_key: [u8; 32],
}

/// A note the enclave may put into a settlement.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) ak: Fr,
    pub(crate) nsk: NullifierSecret,
    pub(crate) note: Note,
    pub(crate) index: u64,
}

/// A maker's standing line.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) held: Held,
    pub(crate) terms: Terms,
    pub(crate) viewing_key: [u8; 32],
}

struct Live {
    id: RequestId,
    premium: Premium,
    rounds: u32,
    request: pool::request::Request,
    /// Plain status of the last settled round, and what opens its commitment.
    status: Option<(u8, Fr)>,
}

/// A round with its fills, before its settlement is final.
pub(crate) struct Round {
    pub(crate) id: RequestId,
    pub(crate) number: u32,
    pub(crate) closed_at: Timestamp,
    pub(crate) price: Price,
    pub(crate) premium_cap: Premium,
    pub(crate) premium: Premium,
    pub(crate) request: pool::request::Request,
    pub(crate) fills: Vec<(Line, Amount)>,
}

impl Round {
    pub(crate) fn filled(&self) -> u128 {
        self.fills.iter().map(|(_, amount)| amount.units()).sum()
    }

    pub(crate) fn payout(&self) -> Option<u128> {
        self.fills
            .iter()
            .map(|(_, amount)| amount.payout_ceil(self.price, self.premium).ok().map(Amount::units))
            .sum()
    }
}

impl State {
    pub(crate) fn new(configuration: Configuration, entropy: Entropy) -> Self {
        let hpke = SecretKey::from_ikm(&entropy.derive("hpke", &[]));
        Self {
            configuration,
            entropy,
            hpke,
            tree: Tree::new(),
            watch: Watch::default(),
            round: None,
            issuer: None,
            request: None,
            known: BTreeSet::new(),
            spent: BTreeSet::new(),
            book: BTreeMap::new(),
            waiting: VecDeque::new(),
            envelopes: BTreeSet::new(),
            queue: None,
            places: BTreeMap::new(),
        }
    }

    /// Takes a command in. True if it changed anything; a repetition does not.
    pub(crate) fn apply(&mut self, command: &Command) -> Result<bool, Error> {
        match command {
            Command::Brief(sealed) => self.brief(sealed),
            Command::Order(envelope) => self.order(envelope),
            Command::Observe { tick, now, statements } => self.observe(*tick, *now, statements),
            // Leaves first: a settlement's event comes before the insertion it causes, and needs its places.
            Command::Inform(facts) => {
                let is_leaves = |fact: &&Fact| matches!(fact, Fact::LeavesInserted { .. });
                let (leaves, rest): (Vec<&Fact>, Vec<&Fact>) = facts.iter().partition(is_leaves);
                Ok(leaves.into_iter().chain(rest).fold(false, |news, fact| self.learn(fact) | news))
            }
            Command::Clear { request, round, closed_at, price } => {
                self.clear(*request, *round, *closed_at, *price)
            }
            Command::Configure(_)
            | Command::ProvingKey(_)
            | Command::Restore(_)
            | Command::Attest { .. } => Err(Error::Malformed),
        }
    }

    pub(crate) fn issuer(&self) -> Result<&Issuer, Error> {
        self.issuer.as_ref().ok_or(Error::TooEarly { what: "the issuer's brief" })
    }

    fn brief(&mut self, sealed: &[u8]) -> Result<bool, Error> {
        const WHAT: &str = "issuer's brief";
        if self.issuer.is_some() {
            return Ok(false);
        }
        let unusable = |reason| Error::Unusable { what: WHAT, reason };
        let plain = seal::open(&self.hpke, wire::BRIEF_INFO, &[], sealed)
            .map_err(|_| Error::Unreadable { what: WHAT })?;
        let SignedBrief { brief, signature } =
            decode(&plain).map_err(|_| unusable("not a signed brief"))?;
        let signer = secp256k1::recover(&brief.digest(&self.hpke.public_key()), &signature);
        if signer != Some(self.configuration.issuer) {
            return Err(unusable("it is not signed by the configured issuer"));
        }
        let mandate = Mandate::from_bytes(&brief.mandate).map_err(|_| unusable("not a mandate"))?;
        let position =
            Position::from_bytes(&brief.position).map_err(|_| unusable("not a position"))?;
        let scalar = |address: &Address| field::from_address(&address.0);
        let configuration = &self.configuration;
        let is_ours = mandate.pool_id == pool_id(configuration)
            && mandate.issuer == scalar(&configuration.issuer)
            && mandate.collateral_asset == scalar(&configuration.collateral)
            && mandate.consideration_asset == scalar(&configuration.consideration)
            && position.issuer == mandate.issuer;
        if !is_ours {
            return Err(unusable("the mandate is for another pool, issuer or asset"));
        }
        if position.amount != 0 {
            return Err(unusable("a position starts empty: collateral comes by settlements"));
        }
        let asset = mandate.consideration_asset;
        let consideration = held(&brief.consideration, asset, mandate.commitment(), WHAT)?;
        if !self.is_in_tree(&consideration) {
            return Err(unusable("the note is not in the tree under these terms"));
        }
        self.issuer =
            Some(Issuer { mandate, position, consideration, viewing_key: brief.viewing_key });
        Ok(true)
    }

    /// Takes an envelope in. Whoever holds a published journal can send every envelope of it again, and looks
    /// at what comes back and at whether an entry is sealed. So both depend on the envelope's bytes alone, and
    /// on nothing that its note went through: not there yet, standing, filled, spent or never to come.
    fn order(&mut self, envelope: &[u8]) -> Result<bool, Error> {
        const WHAT: &str = "order";
        let unusable = |reason| Error::Unusable { what: WHAT, reason };
        if envelope.len() != ENVELOPE_LEN {
            return Err(unusable("an envelope is 4096 bytes"));
        }
        let plain = seal::open(&self.hpke, wire::ORDER_INFO, &[], envelope)
            .map_err(|_| Error::Unreadable { what: WHAT })?;
        let message = seal::unpad(&plain).map_err(|_| unusable("bad padding"))?;
        let order: Order = decode(message).map_err(|_| unusable("not an order"))?;
        let terms = Terms::from_bytes(&order.terms).map_err(|_| unusable("not terms"))?;
        let asset = field::from_address(&self.configuration.collateral.0);
        let held = held(&order.note, asset, terms.hash(), WHAT)?;
        let line = Line { held, terms, viewing_key: order.viewing_key };
        let is_news = self.envelopes.insert(sha256(&[envelope]));
        if is_news {
            if line.held.index < self.tree.len() {
                self.stand(line);
            } else {
                self.waiting.push_back(line);
                if self.waiting.len() > WAITING_MAX {
                    self.waiting.pop_front();
                }
            }
        }
        Ok(is_news)
    }

    /// Puts a line into the book if its note is in the tree and unspent. Whoever altered its terms after
    /// locking it has another commitment, which is not there.
    fn stand(&mut self, line: Line) {
        let id = CommitmentHash(field::to_bytes(&line.held.note.commitment()));
        if self.is_in_tree(&line.held) && !self.spent.contains(&id) {
            self.book.entry(id).or_insert(line);
        }
    }

    fn is_in_tree(&self, held: &Held) -> bool {
        held.index < self.tree.len() && self.tree.leaf(held.index) == held.note.commitment()
    }

    fn observe(
        &mut self,
        tick: u32,
        now: Timestamp,
        statements: &[Option<Vec<u8>>],
    ) -> Result<bool, Error> {
        if self.watch.is_judged(tick)? {
            return Ok(false);
        }
        let issuer = self.issuer()?;
        let client = Client {
            position: Amount::new(issuer.position.amount)
                .expect("a position is the sum of proved fills, range-checked"),
            committed: issuer.position.commitment(),
            mandate: issuer.mandate.commitment(),
            instrument: issuer.mandate.instrument,
            ask_max: Amount::new(issuer.mandate.amount_max).unwrap_or(Amount::MAX),
            lot: self.configuration.lot,
            viewing_key: issuer.viewing_key,
            opening: self.request.as_ref().and_then(|live| watch::opening(live.status?)),
            info: wire::TICK_NOTICE_INFO,
            notice: |notice, _| encode(&notice),
        };
        let rules = Rules {
            entropy: &self.entropy,
            hpke: &self.hpke,
            custodian: &self.configuration.custodian,
            disclosure: self.configuration.disclosure,
            policy: &self.configuration.policy,
            schedule: &self.configuration.schedule,
        };
        self.watch.observe(&rules, &client, tick, now, statements)
    }

    fn learn(&mut self, fact: &Fact) -> bool {
        match fact {
            Fact::LeavesInserted { start, leaves } => self.insert(*start, leaves),
            Fact::RequestOpened { id, commitment, premium, .. } => {
                if self.known.contains(id) {
                    return false;
                }
                let Some(request) = self.watch.request(commitment) else { return false };
                self.known.insert(*id);
                let live = Live { id: *id, premium: *premium, rounds: 0, request, status: None };
                self.request = Some(live);
                self.queue = None;
                self.round = None;
                true
            }
            Fact::RoundSettled { id, round, .. } => self.settled(*id, *round),
            Fact::RequestExpired { id, .. } => {
                let is_live = self.request.as_ref().is_some_and(|live| live.id == *id);
                if is_live {
                    self.request = None;
                    self.queue = None;
                    self.round = None;
                }
                is_live
            }
            Fact::RequestRevealed { .. }
            | Fact::RecoveryAttested { .. }
            | Fact::StatusReported { .. }
            | Fact::ReportExecuted { .. }
            | Fact::Halted => false,
        }
    }

    /// Leaves arrive as the chain inserted them: a deposit's one by one, a settlement's as an aligned
    /// batch. A range that does not continue the tree is not the chain's, and is ignored.
    fn insert(&mut self, start: u64, leaves: &[[u8; 32]]) -> bool {
        let Ok(leaves) = leaves.iter().map(field::from_bytes).collect::<Result<Vec<Fr>, _>>()
        else {
            return false;
        };
        let is_settlement = leaves.len() == pool::notice::LEAVES;
        let expected = if is_settlement {
            self.tree.len().next_multiple_of(pool::tree::BATCH_LEAVES as u64)
        } else {
            self.tree.len()
        };
        if start != expected || leaves.is_empty() {
            return false;
        }
        for (leaf, index) in leaves.iter().zip(start..) {
            self.places.insert(CommitmentHash(field::to_bytes(leaf)), index);
        }
        let is_appended = if is_settlement {
            self.tree.append_batch(&leaves).is_ok()
        } else {
            leaves.iter().all(|leaf| self.tree.append(*leaf).is_ok())
        };
        // Those whose place exists now stand, or never will.
        let len = self.tree.len();
        let (due, waiting) = self.waiting.drain(..).partition(|line| line.held.index < len);
        self.waiting = waiting;
        let due: VecDeque<Line> = due;
        due.into_iter().for_each(|line| self.stand(line));
        is_appended
    }

    /// The round is final on chain: what it spent is gone, what it made is held.
    fn settled(&mut self, id: RequestId, number: u32) -> bool {
        let Some(round) = self.round.take_if(|round| round.id == id && round.number == number)
        else {
            return false;
        };
        let context = context(&self.configuration, id, number);
        let (Some(live), Some(issuer)) = (self.request.as_mut(), self.issuer.as_mut()) else {
            return false;
        };
        let filled = round.filled();
        let payout = round.payout().expect("a proved round's payouts are amounts");
        live.status = Some((
            status::of(
                &live
                    .request
                    .after(filled, context)
                    .expect("a proved round fills no more than remains"),
            ),
            status::salt(live.request.salt, context),
        ));
        live.request =
            live.request.after(filled, context).expect("a proved round fills no more than remains");
        live.rounds = number;
        issuer.position = issuer
            .position
            .after(filled, context)
            .expect("a proved round keeps the position in range");
        let consideration = &mut issuer.consideration;
        consideration.note.amount -= payout;
        consideration.note.rho = pool::note::consideration_rho(consideration.nsk.expose(), context);
        let place = |note: &Note, places: &BTreeMap<CommitmentHash, u64>| {
            places.get(&CommitmentHash(field::to_bytes(&note.commitment()))).copied()
        };
        consideration.index = place(&consideration.note, &self.places).unwrap_or(u64::MAX);
        for (slot, (mut line, amount)) in round.fills.into_iter().enumerate() {
            let old = CommitmentHash(field::to_bytes(&line.held.note.commitment()));
            self.book.remove(&old);
            self.spent.insert(old);
            line.held.note.amount -= amount.units();
            line.held.note.rho = pool::note::change_rho(line.held.nsk.expose(), context, slot);
            let id = CommitmentHash(field::to_bytes(&line.held.note.commitment()));
            if let Some(index) =
                place(&line.held.note, &self.places).filter(|_| line.held.note.amount > 0)
            {
                line.held.index = index;
                self.book.insert(id, line);
            }
        }
        true
    }

    fn clear(
        &mut self,
        id: RequestId,
        number: u32,
        closed_at: Timestamp,
        price: Price,
    ) -> Result<bool, Error> {
        let live = self.request.as_ref().ok_or(Error::UnknownRound)?;
        let issuer = self.issuer.as_ref().ok_or(Error::TooEarly { what: "the issuer's brief" })?;
        if live.id != id || number != live.rounds + 1 {
            return Err(Error::UnknownRound);
        }
        if let Some(round) = &self.round {
            if round.number == number && round.closed_at == closed_at && round.price == price {
                return Ok(false);
            }
            // The earlier attempt at this round never settled, and is void: its fills stand again.
            self.round = None;
            self.queue = None;
        }
        let premium_cap = match self.configuration.disclosure {
            Disclosure::Immediate => live.premium,
            // The private ladder: one rung a round, under the public cap.
            Disclosure::Sealed => {
                let rung = u8::try_from(number - 1).unwrap_or(u8::MAX);
                self.configuration.escalation.premium(self.configuration.premium, rung)
            }
        };
        if self.queue.as_ref().is_none_or(Queue::is_empty) {
            self.queue = Some(self.call(live, premium_cap, closed_at, price)?);
        }
        let queue = self.queue.as_mut().ok_or(Error::UnknownRound)?;
        let premium = queue.premium;
        let fills: Vec<(Line, Amount)> = queue
            .next_round()
            .into_iter()
            .filter_map(|fill| Some((self.book.get(&fill.id)?.clone(), fill.amount)))
            // A line may have run out, or the price moved, since the call that filled it.
            .filter(|(line, _)| matches(line, issuer, &live.request, closed_at, price))
            .collect();
        if fills.is_empty() && self.configuration.disclosure == Disclosure::Immediate {
            self.queue = None;
            return Ok(false);
        }
        let request = live.request;
        self.round = Some(Round {
            id,
            number,
            closed_at,
            price,
            premium_cap: live.premium,
            premium,
            request,
            fills,
        });
        Ok(true)
    }

    /// Forgets a round that could not be proved.
    pub(crate) fn void_round(&mut self) {
        self.round = None;
        self.queue = None;
    }

    /// One call over the whole book, at most as much as remains and as the consideration can pay for.
    fn call(
        &self,
        live: &Live,
        premium_cap: Premium,
        closed_at: Timestamp,
        price: Price,
    ) -> Result<Queue<Fill>, Error> {
        let configuration = &self.configuration;
        let issuer = self.issuer()?;
        let mandate_holds = closed_at.0 <= issuer.mandate.expiry
            && (issuer.mandate.price_min..=issuer.mandate.price_max).contains(&price.0);
        let offers: Vec<Offer> = self
            .book
            .iter()
            .filter(|(_, line)| {
                mandate_holds && matches(line, issuer, &live.request, closed_at, price)
            })
            .map(|(id, line)| Offer {
                id: *id,
                capacity: Amount::new(line.held.note.amount).unwrap_or(Amount::ZERO),
                premium_min: Premium::new(line.terms.premium_bps_min).unwrap_or(Premium::MAX),
                fill_min: Amount::new(line.terms.fill_min).unwrap_or(Amount::MAX),
            })
            .collect();
        let remaining = Amount::new(live.request.remaining).unwrap_or(Amount::ZERO);
        let demand = Demand {
            amount: remaining.min(affordable(issuer.consideration.note.amount, price, premium_cap)),
            requested: Amount::new(live.request.requested).unwrap_or(Amount::ZERO),
            premium_cap,
            lot: configuration.lot,
            aggregate_min: configuration.aggregate_min.min(remaining),
            share_max: configuration.share_max,
        };
        let clearing = matching::clear(&offers, &demand);
        Ok(Queue::new(clearing.premium, clearing.fills))
    }
}

/// Rebuilds a note from its opening.
fn held(locked: &LockedNote, asset: Fr, order_hash: Fr, what: &'static str) -> Result<Held, Error> {
    let unusable = |_| Error::Unusable { what, reason: "a number is not a scalar" };
    let nsk = NullifierSecret::from_bytes(&locked.nsk).map_err(unusable)?;
    let ak = field::from_bytes(&locked.ak).map_err(unusable)?;
    let rho = field::from_bytes(&locked.rho).map_err(unusable)?;
    let owner = keys::owner(ak, nsk.nullifier_key());
    let note = Note { asset, amount: locked.amount.units(), owner, order_hash, rho };
    Ok(Held { ak, nsk, note, index: locked.index })
}

/// Whether a line's terms admit this request now: the circuit will ask the same.
fn matches(
    line: &Line,
    issuer: &Issuer,
    request: &pool::request::Request,
    closed_at: Timestamp,
    price: Price,
) -> bool {
    let (terms, mandate) = (&line.terms, &issuer.mandate);
    terms.issuer == mandate.issuer
        && terms.instrument == mandate.instrument
        && terms.consideration_asset == mandate.consideration_asset
        && terms.pool_id == mandate.pool_id
        && (terms.price_min..=terms.price_max).contains(&price.0)
        && request.gap_band <= terms.gap_band_max
        && closed_at.0 <= terms.expiry
}

/// Collateral that this much consideration pays for at the highest premium, rounded **down**, less one
/// unit a slot for the ceilings of payouts.
fn affordable(consideration: u128, price: Price, premium: Premium) -> Amount {
    let rate = u128::from(price.0) * (u128::from(primitives::BPS_ONE) + u128::from(premium.bps()));
    let scale = u128::from(primitives::PRICE_ONE) * u128::from(primitives::BPS_ONE);
    if rate == 0 {
        return Amount::ZERO;
    }
    // Split at the divisor: a remainder is below 2^79, so its product with 10^12 fits.
    let whole = (consideration / rate).checked_mul(scale);
    let units = whole.and_then(|whole| whole.checked_add(consideration % rate * scale / rate));
    Amount::new(units.unwrap_or(u128::MAX).saturating_sub(pool::SLOTS as u128))
        .unwrap_or(Amount::MAX)
}

#[cfg(test)]
mod tests;
