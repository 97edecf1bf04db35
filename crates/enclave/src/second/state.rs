//! Everything an enclave knows, as a function of the commands it has heard.

use std::collections::{BTreeMap, VecDeque};

use pool::keys::NullifierSecret;
use pool::request::Request;
use pool::seal::SecretKey;
use pool::second::account::{Account, Kind, next_salt};
use pool::second::context::Deployment;
use pool::second::mandate::Mandate;
use pool::second::note::{self, Note};
use pool::second::results::{self, Settled};
use pool::second::terms::Terms;
use pool::second::tree::{NOTE_DEPTH, Tree};
use pool::second::wallet::{Cleared, cleared_leaves, enter};
use pool::{Fr, field, keys, seal, status};
use primitives::{
    Address, Amount, CommitmentHash, Disclosure, Premium, Price, RequestId, Timestamp, decode,
    encode, keccak256, secp256k1, sha256,
};
use protocol::abi::address;
use protocol::second::{
    self as wire, Block, Command, Configuration, Fact, LockedNote, Order, SignedBrief,
};
use protocol::wire::ENVELOPE_LEN;

use super::round::{self, Round};
use crate::entropy::Entropy;
use crate::program::Error;
use crate::watch::{self, Client, Rules, Watch};

/// Lines whose notes are still to come, of 0.6 kB each. A deposit takes minutes to be seen; whoever floods this
/// with notes that never come shuts out those that wait, and no line that stands.
pub(super) const WAITING_MAX: usize = 4_096;

/// The word of a nullifier that was spent; others that are not 0 are the time of an announcement.
const SPENT: u64 = 1;

pub(super) struct State {
    pub(super) configuration: Configuration,
    pub(super) entropy: Entropy,
    pub(super) hpke: SecretKey,
    pub(super) watch: Watch,
    /// The round that awaits its settlement.
    pub(super) round: Option<Round>,
    pub(super) entry: Tree,
    /// The venue's tree.
    pub(super) changes: Tree,
    pub(super) deployment: Deployment,
    venue: Fr,
    /// The newest block shown.
    block: Option<Block>,
    /// Words that are not 0.
    words: BTreeMap<Fr, u64>,
    /// What the chain holds.
    mandate: Option<Fr>,
    /// What the chain holds.
    account: Option<Fr>,
    issuer: Option<Issuer>,
    request: Option<Live>,
    /// By nullifier.
    book: BTreeMap<CommitmentHash, Line>,
    /// Lines whose place in a tree does not exist yet, as they came.
    pub(super) waiting: VecDeque<Line>,
    /// SHA-256 of every envelope taken in, with what its receipt says.
    pub(super) envelopes: BTreeMap<[u8; 32], (u64, Timestamp)>,
}

/// What the issuer entrusted.
pub(super) struct Issuer {
    pub(super) mandate: Mandate,
    pub(super) account: Account,
    viewing_key: [u8; 32],
}

/// A maker's standing line.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) note: Note,
    pub(super) ak: Fr,
    pub(super) nsk: NullifierSecret,
    pub(super) terms: Terms,
    pub(super) in_venue: bool,
    pub(super) index: u64,
    pub(super) receipt: u64,
    /// When it was heard of first, by the chain's clock.
    pub(super) since: Timestamp,
}

/// The open request.
struct Live {
    id: RequestId,
    premium: Premium,
    rounds: u32,
    /// What the chain holds of it.
    commitment: Fr,
    /// What is behind it, as far as that is known.
    request: Option<Request>,
    /// Plain status of the last settled round, and what opens its commitment.
    status: Option<(u8, Fr)>,
}

impl Line {
    /// `nf`, in the place that the line names.
    pub(super) fn nullifier(&self, venue: Fr) -> Fr {
        let tree = if self.in_venue { venue } else { Fr::from(0u8) };
        let place = note::place(tree, self.index);
        note::nullifier(self.nsk.expose(), self.note.commitment(), place)
    }
}

impl State {
    pub(super) fn new(configuration: Configuration, entropy: Entropy) -> Self {
        let hpke = SecretKey::from_ikm(&entropy.derive("hpke", &[]));
        let deployment =
            Deployment { chain_id: configuration.chain_id, pool: configuration.shielded_pool.0 };
        Self {
            venue: deployment.venue(&configuration.dark_pool.0),
            configuration,
            entropy,
            hpke,
            watch: Watch::default(),
            round: None,
            entry: Tree::new(NOTE_DEPTH),
            changes: Tree::new(NOTE_DEPTH),
            deployment,
            block: None,
            words: BTreeMap::new(),
            mandate: None,
            account: None,
            issuer: None,
            request: None,
            book: BTreeMap::new(),
            waiting: VecDeque::new(),
            envelopes: BTreeMap::new(),
        }
    }

    /// Takes a command in. True if it changed anything; a repetition does not.
    pub(super) fn apply(&mut self, command: &Command) -> Result<bool, Error> {
        match command {
            Command::Brief(sealed) => self.brief(sealed),
            Command::Order(envelope) => self.order(envelope),
            Command::Observe { tick, now, statements } => self.observe(*tick, *now, statements),
            Command::Inform { block, facts } => Ok(self.inform(*block, facts)),
            Command::Clear { request, round, closed_at, price, price_round, entry_slot } => {
                let closing = Closing {
                    id: *request,
                    number: *round,
                    closed_at: *closed_at,
                    price: *price,
                    price_round: *price_round,
                    entry_slot: *entry_slot,
                };
                self.clear(closing)
            }
            Command::Configure(_)
            | Command::ProvingKey(_)
            | Command::Restore(_)
            | Command::Attest { .. } => Err(Error::Malformed),
        }
    }

    /// The issuer, if its account and mandate are what the chain holds.
    pub(super) fn issuer(&self) -> Result<&Issuer, Error> {
        let issuer = self.issuer.as_ref().ok_or(Error::TooEarly { what: "the issuer's brief" })?;
        let held = |what, held: Option<Fr>, known: Fr| {
            if held == Some(known) { Ok(()) } else { Err(Error::Outdated { what }) }
        };
        held("mandate", self.mandate, issuer.mandate.commitment())?;
        held("account", self.account, issuer.account.commitment())?;
        Ok(issuer)
    }

    /// The chain's clock, as far as it was shown.
    pub(super) fn now(&self) -> Timestamp {
        self.block.map_or(Timestamp(0), |block| block.time)
    }

    // Brief

    fn brief(&mut self, sealed: &[u8]) -> Result<bool, Error> {
        const WHAT: &str = "issuer's brief";
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
        let account =
            Account::from_bytes(&brief.account).map_err(|_| unusable("not an account"))?;
        let request = brief.request.as_deref().map(Request::from_bytes).transpose();
        let request = request.map_err(|_| unusable("not a request"))?;
        let scalar = |address: &Address| field::from_address(&address.0);
        let (configuration, deal, holder) = (&self.configuration, &mandate.deal, &account.holder);
        let is_ours = deal.venue == self.venue
            && deal.issuer == scalar(&configuration.issuer)
            && deal.consideration_asset == scalar(&configuration.consideration)
            && mandate.collateral_asset == scalar(&configuration.collateral)
            && holder.venue == self.venue
            && holder.issuer == deal.issuer
            && holder.collateral_asset == mandate.collateral_asset
            && holder.consideration_asset == deal.consideration_asset;
        if !is_ours {
            return Err(unusable(
                "the mandate or the account is of another venue, issuer or asset",
            ));
        }
        if !deal.scale.fits() || mandate.epoch_seconds == 0 || mandate.lot == 0 {
            return Err(unusable(
                "no round can be inside the mandate: its scale, epoch or lot is 0",
            ));
        }
        if self.mandate != Some(mandate.commitment()) {
            return Err(unusable("the chain, as far as it was shown, holds another mandate"));
        }
        if self.account != Some(account.commitment()) {
            return Err(unusable("the chain, as far as it was shown, holds another account"));
        }
        let live = self.request.as_mut().filter(|live| live.request.is_none());
        let told = request.filter(|request| request.mandate == mandate.commitment());
        let is_told = live.is_some_and(|live| {
            live.request = told.filter(|request| request.commitment() == live.commitment);
            live.request.is_some()
        });
        let issuer = Issuer { mandate, account, viewing_key: brief.viewing_key };
        let is_known = self.issuer.as_ref().is_some_and(|known| {
            known.mandate == mandate
                && known.account == account
                && known.viewing_key == brief.viewing_key
        });
        if is_known {
            return Ok(is_told);
        }
        self.issuer = Some(issuer);
        self.round = None;
        Ok(true)
    }

    // Orders

    /// Takes an envelope in. Whoever holds a published journal can send every envelope of it again, and looks
    /// at what comes back and at whether an entry is sealed. So both depend on the envelope's bytes and on what anyone
    /// can count, and on nothing that its note went through: not there yet, standing, filled, spent or never to come,
    /// of this venue or another.
    fn order(&mut self, envelope: &[u8]) -> Result<bool, Error> {
        const WHAT: &str = "order";
        let unusable = |reason| Error::Unusable { what: WHAT, reason };
        if envelope.len() != ENVELOPE_LEN {
            return Err(unusable("an envelope is 4096 bytes"));
        }
        let plain = seal::open(&self.hpke, wire::ORDER_INFO, &[], envelope)
            .map_err(|_| Error::Unreadable { what: WHAT })?;
        let message = seal::unpad(&plain).map_err(|_| unusable("bad padding"))?;
        let Order { note, terms } = decode(message).map_err(|_| unusable("not an order"))?;
        let terms = Terms::from_bytes(&terms).map_err(|_| unusable("not terms"))?;
        let hash = sha256(&[envelope]);
        let asset = field::from_address(&self.configuration.collateral.0);
        let (receipt, since) = (self.envelopes.len() as u64, self.now());
        let line = line(&note, asset, terms, receipt, since)
            .ok_or(unusable("a number is not a scalar"))?;
        if line.index >> 32 != 0 {
            return Err(unusable("a tree has 2^32 leaves"));
        }
        if self.envelopes.contains_key(&hash) {
            return Ok(false);
        }
        self.envelopes.insert(hash, (receipt, since));
        if self.is_there(&line) {
            self.stand(line);
        } else {
            self.waiting.push_back(line);
            if self.waiting.len() > WAITING_MAX {
                self.waiting.pop_front();
            }
        }
        Ok(true)
    }

    /// What the receipt of an envelope that was taken in says.
    pub(super) fn numbered(&self, envelope: &[u8]) -> (u64, Timestamp) {
        *self.envelopes.get(&sha256(&[envelope])).expect("it was taken in before it is answered")
    }

    /// Whether the leaf that a line names was shown.
    fn is_there(&self, line: &Line) -> bool {
        line.index < self.tree(line).len()
    }

    pub(super) fn tree(&self, line: &Line) -> &Tree {
        if line.in_venue { &self.changes } else { &self.entry }
    }

    /// Puts a line into the book if its note is in its tree and unspent. Whoever altered its terms after
    /// locking it has another commitment, which is not there. Of a note that was sent twice the newer order counts.
    fn stand(&mut self, line: Line) {
        let nullifier = line.nullifier(self.venue);
        let leaf = self.tree(&line).leaf(line.index);
        if leaf == line.note.commitment() && self.words.get(&nullifier) != Some(&SPENT) {
            self.book.insert(id(nullifier), line);
        }
    }

    /// Those whose place exists now stand, or never will.
    fn stand_those_that_waited(&mut self) {
        for line in core::mem::take(&mut self.waiting) {
            if self.is_there(&line) { self.stand(line) } else { self.waiting.push_back(line) }
        }
    }

    // Ticks

    fn observe(
        &mut self,
        tick: u32,
        now: Timestamp,
        statements: &[Option<Vec<u8>>],
    ) -> Result<bool, Error> {
        if self.watch.is_judged(tick)? {
            return Ok(false);
        }
        let Issuer { mandate, account, viewing_key } = self.issuer()?;
        let amount = |units| Amount::new(units).expect("it was decoded or proved in range");
        let client = Client {
            position: amount(account.position),
            committed: account.commitment(),
            mandate: mandate.commitment(),
            instrument: mandate.deal.instrument,
            ask_max: amount(mandate.amount_max),
            lot: amount(mandate.lot),
            viewing_key: *viewing_key,
            opening: self.request.as_ref().and_then(|live| watch::opening(live.status?)),
            info: wire::TICK_NOTICE_INFO,
            notice: |reading, request| {
                let request = request.to_bytes().to_vec();
                encode(&wire::TickNotice { reading, request })
            },
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

    // The chain

    /// Takes the chain up to `block` in; nothing of it if a block as new was shown before.
    fn inform(&mut self, block: Block, facts: &[Fact]) -> bool {
        if self.block.is_some_and(|shown| block.number <= shown.number) {
            return false;
        }
        self.block = Some(block);
        for fact in facts {
            self.learn(fact);
        }
        true
    }

    /// What is not the chain's, or was left out before, makes nothing true: no proof of it settles.
    fn learn(&mut self, fact: &Fact) {
        match fact {
            Fact::RequestOpened { id, commitment, premium, .. } => {
                let Ok(opened) = field::from_bytes(&commitment.0) else { return };
                self.request = Some(Live {
                    id: *id,
                    premium: *premium,
                    rounds: 0,
                    commitment: opened,
                    request: self.watch.request(commitment),
                    status: None,
                });
                self.round = None;
            }
            Fact::RoundSettled { id, round, posted, .. } => self.settled(*id, *round, posted),
            Fact::RequestExpired { id, .. } | Fact::RequestCancelled { id } => {
                if self.request.as_ref().is_some_and(|live| live.id == *id) {
                    self.request = None;
                    self.round = None;
                }
            }
            Fact::MandateRegistered { mandate } => {
                self.mandate = field::from_bytes(&mandate.0).ok();
                self.round = None;
            }
            Fact::AccountMoved { kind, amount, recipient, account } => {
                self.moved(*kind, *amount, *recipient, field::from_bytes(&account.0).ok());
            }
            Fact::Absorbed { index, leaves, root } => self.absorbed(*index, leaves, root),
            Fact::Spent { nullifiers } => {
                nullifiers.iter().filter_map(|word| field::from_bytes(word).ok()).for_each(
                    |spent| {
                        self.words.insert(spent, SPENT);
                        self.book.remove(&id(spent));
                    },
                );
            }
            Fact::Announced { nullifier, time } => {
                if let Ok(nullifier) = field::from_bytes(nullifier) {
                    self.words.entry(nullifier).or_insert(time.0);
                }
            }
            Fact::RequestRevealed { .. }
            | Fact::RecoveryAttested { .. }
            | Fact::StatusReported { .. }
            | Fact::ReportExecuted { .. }
            | Fact::Halted => {}
        }
    }

    fn absorbed(&mut self, index: u64, leaves: &[[u8; 32]], root: &[u8; 32]) {
        let Some(leaves) = scalars(leaves).filter(|leaves| (1..=64).contains(&leaves.len())) else {
            return;
        };
        let Ok(root) = field::from_bytes(root) else { return };
        let height = if leaves.len() > 16 { 3 } else { 2 };
        if enter(&mut self.entry, &leaves, height, index, root).is_ok() {
            self.stand_those_that_waited();
        }
    }

    /// The issuer moved its account. What is done and how much is public; the salt follows from the old one and the
    /// context, unless the issuer chose another to shut out whoever knew it.
    fn moved(&mut self, kind: u8, amount: Amount, recipient: Address, account: Option<Fr>) {
        let before = self.account;
        self.account = account;
        self.round = None;
        let (Some(kind), Some(issuer)) = (Kind::from_number(kind), self.issuer.as_mut()) else {
            return;
        };
        if before != Some(issuer.account.commitment()) {
            return;
        }
        let context = self.deployment.venue_context(
            kind.into(),
            &self.configuration.dark_pool.0,
            self.changes.len(),
            &keccak256(&[&address(recipient)]),
        );
        let salt = next_salt(issuer.account.salt, context);
        let after = issuer.account.moved(kind, amount.units(), salt);
        if let Some(after) = after.filter(|after| account == Some(after.commitment())) {
            issuer.account = after;
        }
    }

    /// A round of the venue is final on chain, whoever cleared it.
    fn settled(&mut self, request: RequestId, number: u32, posted: &[[u8; 32]]) {
        let Some(posted) = scalars(posted) else { return };
        let (Some(settled), Some(cleared)) =
            (Settled::from_posted(&posted), Cleared::from_posted(&posted))
        else {
            return;
        };
        if settled.venue != self.venue || cleared.slots.len() != wire::SLOTS {
            return;
        }
        let (leaves, height) = cleared_leaves(&cleared.slots);
        let Cleared { index, root, .. } = cleared;
        if enter(&mut self.changes, &leaves, height, index, root).is_err() {
            return;
        }
        self.round = None;
        self.credit(request, number, &settled);
        self.account = Some(settled.account[1]);
        for (slot, published) in (0..).zip(&cleared.slots) {
            self.words.insert(published.nullifier, SPENT);
            let Some(line) = self.book.remove(&id(published.nullifier)) else { continue };
            let change = index + wire::SLOTS as u64 + slot;
            if let Some(line) = after_fill(line, published, settled.context, change) {
                self.stand(line);
            }
        }
        self.stand_those_that_waited();
    }

    /// Account and request after a settlement, as far as it says so to whoever was briefed.
    fn credit(&mut self, id: RequestId, number: u32, settled: &Settled) {
        let issuer = self.issuer.as_mut();
        let issuer = issuer.filter(|issuer| issuer.mandate.commitment() == settled.mandate);
        let brought = issuer.and_then(|issuer| {
            let epoch_seconds = issuer.mandate.epoch_seconds;
            let (account, brought) = issuer.account.settled(settled, epoch_seconds)?;
            issuer.account = account;
            Some(brought)
        });
        let Some(live) = self.request.as_mut().filter(|live| live.id == id) else { return };
        live.rounds = number;
        live.commitment = settled.request[1];
        let before = live.request.take();
        let after = before.zip(brought).and_then(|(before, brought)| {
            let after = before.after(brought.filled, settled.context)?;
            let is_it = [before.commitment(), after.commitment()] == settled.request;
            is_it.then(|| (after, status::salt(before.salt, settled.context)))
        });
        live.status = after.map(|(after, salt)| (status::of(&after), salt));
        live.request = after.map(|(after, _)| after);
    }

    // Rounds

    fn clear(&mut self, closing: Closing) -> Result<bool, Error> {
        let live = self.request.as_ref().ok_or(Error::UnknownRound)?;
        if live.id != closing.id || closing.number != live.rounds + 1 {
            return Err(Error::UnknownRound);
        }
        // Whoever announced before the closing must be known.
        if self.now() <= closing.closed_at {
            let (closed_at, shown) = (closing.closed_at.0, self.now().0);
            return Err(Error::NotClosed { closed_at, shown });
        }
        let issuer = self.issuer()?;
        let request = live.request.ok_or(Error::Outdated { what: "request" })?;
        if self.round.as_ref().is_some_and(|round| round.closing == closing) {
            return Ok(false);
        }
        let cap = match self.configuration.disclosure {
            Disclosure::Immediate => live.premium,
            // The private ladder: one rung a round, under the public cap.
            Disclosure::Sealed => {
                let rung = u8::try_from(closing.number - 1).unwrap_or(u8::MAX);
                let rung = self.configuration.escalation.premium(self.configuration.premium, rung);
                rung.min(live.premium)
            }
        };
        let book = self.book.iter().filter(|(_, line)| self.stands_at(line, closing.closed_at));
        let limits = round::Limits {
            premium: cap,
            premium_public: live.premium,
            aggregate_min: self.configuration.aggregate_min,
            share_max: self.configuration.share_max,
        };
        let round = round::call(issuer, &request, closing, &limits, book).filter(|round| {
            !round.fills.is_empty() || self.configuration.disclosure == Disclosure::Sealed
        });
        // The earlier attempt at this round never settled, and is void: its fills stand again.
        let is_news = round.is_some() || self.round.is_some();
        self.round = round;
        Ok(is_news)
    }

    /// Whether a line may be filled by a round that closed then: it was there before, and nobody said before that it
    /// leaves.
    fn stands_at(&self, line: &Line, closed_at: Timestamp) -> bool {
        let word = self.words.get(&line.nullifier(self.venue)).copied().unwrap_or(0);
        line.since <= closed_at && (word == 0 || word >= closed_at.0 && word != SPENT)
    }
}

/// What is asked of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) id: RequestId,
    pub(super) number: u32,
    pub(super) closed_at: Timestamp,
    pub(super) price: Price,
    pub(super) price_round: u128,
    pub(super) entry_slot: u8,
}

/// How the book knows what a nullifier spends.
pub(super) fn id(nullifier: Fr) -> CommitmentHash {
    CommitmentHash(field::to_bytes(&nullifier))
}

fn scalars(words: &[[u8; 32]]) -> Option<Vec<Fr>> {
    words.iter().map(|word| field::from_bytes(word).ok()).collect()
}

/// Rebuilds a line from its opening.
fn line(
    locked: &LockedNote,
    asset: Fr,
    terms: Terms,
    receipt: u64,
    since: Timestamp,
) -> Option<Line> {
    let nsk = NullifierSecret::from_bytes(&locked.nsk).ok()?;
    let ak = field::from_bytes(&locked.ak).ok()?;
    let rho = field::from_bytes(&locked.rho).ok()?;
    let owner = keys::owner(ak, nsk.nullifier_key());
    let note = Note { asset, amount: locked.amount.units(), owner, order_hash: terms.hash(), rho };
    let LockedNote { in_venue, index, .. } = *locked;
    Some(Line { note, ak, nsk, terms, in_venue, index, receipt, since })
}

/// What stands of a line after a settlement spent its note; None if nothing does, or if what is published is not of
/// the note. `change` is its leaf's index.
fn after_fill(
    mut line: Line,
    published: &pool::second::wallet::Slot,
    context: Fr,
    change: u64,
) -> Option<Line> {
    let secret = line.nsk.expose();
    let (fill, _) = results::open(published.result, secret, published.nullifier, context)?;
    line.note.amount = line.note.amount.checked_sub(fill).filter(|amount| *amount > 0)?;
    line.note.rho = note::change_rho(secret, published.nullifier);
    (line.in_venue, line.index) = (true, change);
    Some(line)
}
