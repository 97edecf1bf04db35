//! The deployment: what a workflow's names are here, and the numbers it leaves open.

use std::collections::BTreeMap;

use primitives::{Amount, Duration, Premium, Price, Ratio};
use protocol::workflow::{TIMEOUT_MAX, TIMEOUT_MIN};
use toml::de::{DeInteger, DeTable, DeValue};

use crate::diagnostic::{Complaint, Diagnostic, Language, Position, Report, quoted, suggestion};
use crate::quantity;
use crate::tree::{Entry, Mapping, Node, ScalarKind, Value};
use crate::{DisclosureMode, SOURCE_LEN_MAX};

/// A deployment that makes sense in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// EIP-155 chain id, not 0.
    pub chain_id: u64,
    /// Reserve feeds by name, at least one.
    pub feeds: BTreeMap<String, Feed>,
    /// Pools by name, at least one.
    pub pools: BTreeMap<String, PoolRole>,
    /// Contracts by name, at least one.
    pub contracts: BTreeMap<String, ContractRole>,
    /// Assets by name, at least one.
    pub assets: BTreeMap<String, AssetRole>,
    /// Images by name, at least one.
    pub images: BTreeMap<String, ImageRole>,
    /// When the world learns what happened.
    pub disclosure: Disclosure,
    /// What a shortfall is.
    pub detect: Detect,
    /// How far recovery may go.
    pub guard: Guard,
    /// Bounds of a request and of its rounds.
    pub request: RequestLimits,
    /// Who runs the workflow.
    pub don: Don,
    /// What makers are paid with.
    pub instrument: Instrument,
    pub(crate) file: String,
    mode_at: Position,
}

/// A source of reserve observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feed {
    /// Decimals of the reported amounts, 0 to 18.
    pub decimals: u8,
    /// Independent reporters, 1 to 1000.
    pub observers: u32,
    /// Fresh reports that make a reading, `1 ..= observers`.
    pub quorum: u32,
    /// The oldest a report may be, above 0 and at most 7 days.
    pub age_max: Duration,
    /// Whether anyone can read the sources.
    pub public: bool,
}

/// Which contract a pool's name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolRole {
    /// `DarkPool`.
    DarkPool,
}

/// Which contract a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContractRole {
    /// `DarkPool`, called by `confidentialFill(request_id, proof)`.
    DarkPool,
    /// `ConfidentialPoR`, called by `attestRecovery(recovered, timestamp)`.
    ConfidentialPor,
}

/// Which token a name stands for. All have 6 decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssetRole {
    /// The collateral makers deliver.
    Cash,
    /// The consideration makers are paid in.
    Claim,
}

/// Which program an image stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageRole {
    /// The measured enclave: outputs `status` (boolean) and `deficit` (encrypted).
    Enclave,
}

/// When the world learns what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disclosure {
    /// Which of the two.
    pub mode: DisclosureMode,
    /// Ticks in a sealed epoch, up to 100 000, at least twice [`Self::rounds_per_epoch`].
    pub epoch_ticks: u32,
    /// Rounds in a sealed epoch, at least 1.
    pub rounds_per_epoch: u32,
    /// Ticks from one call for offers to the next under immediate disclosure, 1 to 100 000.
    pub call_ticks: u32,
}

/// What a shortfall is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detect {
    /// A shortfall is filled up to here, 1 to 10. At least every workflow's threshold.
    pub target: Ratio,
    /// Consecutive readings below the threshold that make a shortfall, 1 to 100.
    pub readings: u32,
    /// DON nodes that must agree, `f + 1 ..= nodes`.
    pub quorum: u32,
}

/// How far recovery may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// Attempts before minting halts, 1 to 1000.
    pub attempts_max: u32,
    /// Premium by attempt, strictly ascending, none above the cap, `1 ..= attempts_max` of them.
    pub escalation: Vec<Premium>,
    /// No request offers more.
    pub premium_cap: Premium,
}

/// Bounds of a request and of its rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// The shortest timeout, at least what the contracts accept.
    pub timeout_min: Duration,
    /// The longest timeout, at most what the contracts accept.
    pub timeout_max: Duration,
    /// What fills are multiples of, above 0.
    pub lot: Amount,
    /// The least a round fills in all: whole lots, at least one.
    pub fill_min: Amount,
    /// The most of a round one maker may fill, above 0 and at most 100%.
    pub maker_share_max: Premium,
}

/// Who runs the workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Don {
    /// Nodes, `3f + 1 ..= 31`.
    pub nodes: u32,
    /// `f`: nodes that may lie or be absent, at least 1.
    pub faults_max: u32,
}

/// What makers are paid with, and the mandate's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instrument {
    /// Which kind.
    pub kind: InstrumentKind,
    /// The token that represents it, never the collateral.
    pub consideration: AssetRole,
    /// Consideration per collateral at first, within the band.
    pub price: Price,
    /// Lower end of the mandate's band.
    pub price_min: Price,
    /// Upper end of the mandate's band.
    pub price_max: Price,
    /// The most collateral an epoch may take: whole lots, above 0.
    pub amount_max: Amount,
    /// Consideration shielded in advance; pays for `amount_max` at the worst price and premium.
    pub standing: Amount,
    /// How long the mandate lasts, [`RequestLimits::timeout_max`] to ten years.
    pub expiry: Duration,
}

/// What a maker gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstrumentKind {
    /// A claim on deposits that are stuck, not lost.
    SecuredClaim,
}

/// The most oracles the forwarder admits (`MAX_ORACLES` in `KeystoneForwarder`).
const NODES_MAX: u32 = 31;

/// The oldest that a report may ever be.
const AGE_MAX: Duration = Duration(7 * 24 * 60 * 60);

/// The longest mandate: ten years, leap days aside.
const EXPIRY_MAX: Duration = Duration(3_650 * 24 * 60 * 60);

impl Deployment {
    /// Reads a deployment. `file` is only for messages.
    ///
    /// # Errors
    /// The first mistake in the file.
    pub fn parse(source: &str, file: &str) -> Result<Self, Diagnostic> {
        let mut report = Report::new(file, Language::Toml);
        let root = match toml_tree(source) {
            Ok(node) => Entry { at: Position::START, key: "deployment".to_owned(), node },
            Err((at, complaint)) => {
                report.add(at, None, complaint);
                return Err(report.into_result().expect_err("a complaint was just added"));
            }
        };
        let deployment = read(&mut report, &root, file);
        report.into_result()?;
        deployment.expect("what could not be read was reported").with_own_disclosure()
    }

    /// The same deployment under another disclosure mode, as the command line may ask for.
    ///
    /// # Errors
    /// Sealed is refused where every feed is public: there is nothing to hide.
    pub fn with_disclosure(mut self, mode: DisclosureMode) -> Result<Self, Diagnostic> {
        self.disclosure.mode = mode;
        self.with_own_disclosure()
    }

    fn with_own_disclosure(self) -> Result<Self, Diagnostic> {
        if self.disclosure.mode == DisclosureMode::Sealed
            && self.feeds.values().all(|feed| feed.public)
        {
            return Err(Diagnostic {
                file: self.file.into(),
                line: self.mode_at.line,
                column: self.mode_at.column,
                step: None,
                key: Some("disclosure.mode".to_owned()),
                reason: "sealed disclosure hides nothing here: every feed is public".to_owned(),
                hint: "use \"immediate\", or add a feed with public = false".to_owned(),
            });
        }
        Ok(self)
    }
}

impl Disclosure {
    /// The ticks of a sealed epoch at which its rounds settle, counted from the request's, ascending,
    /// evenly spread, the last one on the epoch's last tick.
    #[must_use]
    pub fn round_ticks(&self) -> Vec<u32> {
        let (ticks, rounds) = (u64::from(self.epoch_ticks), u64::from(self.rounds_per_epoch));
        (1..=rounds).filter_map(|round| u32::try_from(round * ticks / rounds - 1).ok()).collect()
    }
}

impl Guard {
    /// What the guard offers at an attempt, counted from 0; none once minting has halted.
    #[must_use]
    pub fn premium(&self, attempt: u32) -> Option<Premium> {
        let idx = usize::try_from(attempt).ok().filter(|_| attempt < self.attempts_max)?;
        self.escalation.get(idx).or_else(|| self.escalation.last()).copied()
    }
}

const SECTIONS: [&str; 12] = [
    "chain",
    "feeds",
    "pools",
    "contracts",
    "assets",
    "images",
    "disclosure",
    "detect",
    "guard",
    "request",
    "don",
    "instrument",
];

fn read(report: &mut Report<'_>, root: &Entry, file: &str) -> Option<Deployment> {
    let top = root.mapping(report, &SECTIONS)?;
    let chain_id = chain_id(report, top);
    let feeds = names(report, top, "feeds", feed);
    let pools = names(report, top, "pools", |report, entry| {
        role(report, entry, &[("dark-pool", PoolRole::DarkPool)])
    });
    let contracts = names(report, top, "contracts", |report, entry| {
        role(
            report,
            entry,
            &[
                ("dark-pool", ContractRole::DarkPool),
                ("confidential-por", ContractRole::ConfidentialPor),
            ],
        )
    });
    let assets = names(report, top, "assets", |report, entry| {
        role(report, entry, &[("cash", AssetRole::Cash), ("claim", AssetRole::Claim)])
    });
    let images = names(report, top, "images", |report, entry| {
        role(report, entry, &[("enclave", ImageRole::Enclave)])
    });
    let disclosure = disclosure(report, top);
    let don = don(report, top);
    let detect = detect(report, top, don);
    let guard = guard(report, top);
    let request = request(report, top);
    let instrument = instrument(report, top, assets.as_ref(), guard.as_ref(), request);
    let (disclosure, mode_at) = disclosure?;
    Some(Deployment {
        chain_id: chain_id?,
        feeds: feeds?,
        pools: pools?,
        contracts: contracts?,
        assets: assets?,
        images: images?,
        disclosure,
        detect: detect?,
        guard: guard?,
        request: request?,
        don: don?,
        instrument: instrument?,
        file: file.to_owned(),
        mode_at,
    })
}

/// The mapping of a section, and its keys named after it from here on.
fn section<'n>(
    report: &mut Report<'_>,
    top: Mapping<'n>,
    name: &str,
    known: &[&str],
) -> Option<Mapping<'n>> {
    report.table = None;
    let entry = top.require(report, name)?;
    let section = entry.any_mapping(report)?;
    report.table = Some(name.to_owned());
    section.refuse_unknown(report, known);
    Some(section)
}

fn chain_id(report: &mut Report<'_>, top: Mapping<'_>) -> Option<u64> {
    let section = section(report, top, "chain", &["id"])?;
    let (entry, id) = quantity(report, section, "id", quantity::whole)?;
    if id == 0 {
        entry.refuse(report, "no chain has the id 0", "the embedded chain is 31337")
    } else {
        Some(id)
    }
}

fn feed(report: &mut Report<'_>, entry: &Entry) -> Option<Feed> {
    let feed = entry.any_mapping(report)?;
    report.table = Some(format!("feeds.{}", entry.key));
    feed.refuse_unknown(report, &["decimals", "observers", "quorum", "age_max", "public"]);
    let decimals = bounded(
        report,
        feed,
        "decimals",
        0,
        18,
        "the decimals its reports carry; 6 for most dollars",
    );
    let observers = bounded(report, feed, "observers", 1, 1_000, "how many report independently");
    let quorum = bounded(
        report,
        feed,
        "quorum",
        1,
        observers.unwrap_or(1_000),
        "a reading needs one report, and no more than there are observers",
    );
    let age_max = quantity(report, feed, "age_max", quantity::duration).and_then(|(entry, age)| {
        if age == Duration(0) {
            entry.refuse(report, "every report would be too old", "allow at least one tick")
        } else if age > AGE_MAX {
            entry.refuse(report, "is outside 1s to 7d", "an older report says nothing of today")
        } else {
            Some(age)
        }
    });
    let public = feed.require(report, "public").and_then(|entry| entry.boolean(report));
    Some(Feed {
        decimals: u8::try_from(decimals?).ok()?,
        observers: observers?,
        quorum: quorum?,
        age_max: age_max?,
        public: public?,
    })
}

fn disclosure(report: &mut Report<'_>, top: Mapping<'_>) -> Option<(Disclosure, Position)> {
    let known = ["mode", "epoch_ticks", "rounds_per_epoch", "call_ticks"];
    let section = section(report, top, "disclosure", &known)?;
    let mode = section.require(report, "mode").and_then(|entry| {
        let mode = role(report, entry, &DisclosureMode::ALL.map(|mode| (mode.name(), mode)))?;
        Some((mode, entry.node.at))
    });
    let epoch_ticks = bounded(
        report,
        section,
        "epoch_ticks",
        2,
        100_000,
        "an epoch holds at least one round, which takes two ticks",
    );
    let rounds_per_epoch = bounded(
        report,
        section,
        "rounds_per_epoch",
        1,
        50_000,
        "an epoch holds at least one round",
    );
    let call_ticks =
        bounded(report, section, "call_ticks", 1, 100_000, "a call needs a tick to close");
    if let (Some(ticks), Some(rounds), Some(entry)) =
        (epoch_ticks, rounds_per_epoch, section.get("rounds_per_epoch"))
        && ticks < 2 * rounds
    {
        let reason = format!("{rounds} rounds do not fit an epoch of {ticks} ticks");
        return entry.refuse(
            report,
            reason,
            "a round takes two ticks: one to close, one to settle",
        );
    }
    let (mode, mode_at) = mode?;
    let disclosure = Disclosure {
        mode,
        epoch_ticks: epoch_ticks?,
        rounds_per_epoch: rounds_per_epoch?,
        call_ticks: call_ticks?,
    };
    Some((disclosure, mode_at))
}

fn don(report: &mut Report<'_>, top: Mapping<'_>) -> Option<Don> {
    let section = section(report, top, "don", &["nodes", "f"])?;
    let nodes = bounded(
        report,
        section,
        "nodes",
        1,
        NODES_MAX,
        "the forwarder admits no more; 3f + 1 is the least",
    );
    let faults_max = bounded(
        report,
        section,
        "f",
        1,
        NODES_MAX,
        "the forwarder wants f + 1 signatures and refuses f = 0",
    );
    let (nodes, faults_max) = (nodes?, faults_max?);
    if nodes <= 3 * faults_max {
        let reason = format!("{nodes} nodes cannot agree when {faults_max} may lie");
        return section.get("nodes")?.refuse(
            report,
            reason,
            format!("f = {faults_max} needs at least 3f + 1 = {}", 3 * faults_max + 1),
        );
    }
    Some(Don { nodes, faults_max })
}

fn detect(report: &mut Report<'_>, top: Mapping<'_>, don: Option<Don>) -> Option<Detect> {
    let section = section(report, top, "detect", &["target", "readings", "quorum"])?;
    let target =
        quantity(report, section, "target", quantity::ratio).and_then(|(entry, target)| {
            if target < Ratio(1_000_000) {
                let hint =
                    "reserves below liabilities are no recovery: 1 or more, such as \"1.022\"";
                return entry.refuse(report, "is below 1", hint);
            }
            Some(target)
        });
    let readings = bounded(
        report,
        section,
        "readings",
        1,
        100,
        "one reading changes the status at once, two ignore a blip",
    );
    let (least, most) = don.map_or((1, NODES_MAX), |don| (don.faults_max + 1, don.nodes));
    let quorum = bounded(
        report,
        section,
        "quorum",
        least,
        most,
        "f liars must not suffice, and no more than all can agree",
    );
    Some(Detect { target: target?, readings: readings?, quorum: quorum? })
}

fn guard(report: &mut Report<'_>, top: Mapping<'_>) -> Option<Guard> {
    let section = section(report, top, "guard", &["attempts_max", "escalation", "premium_cap"])?;
    let attempts_max =
        bounded(report, section, "attempts_max", 1, 1_000, "minting halts after the last");
    let premium_cap =
        quantity(report, section, "premium_cap", quantity::percent).map(|(_, cap)| cap);
    let escalation = section.require(report, "escalation").and_then(|entry| {
        let mut escalation: Vec<Premium> = Vec::new();
        for node in entry.sequence(report, "premium")? {
            let item = Entry { at: node.at, key: "escalation".to_owned(), node: node.clone() };
            let text = item.number(report)?;
            let premium = report.take(node.at, "escalation", quantity::percent(text))?;
            if escalation.last().is_some_and(|last| premium <= *last) {
                return item.refuse(
                    report,
                    format!("{text} does not rise"),
                    "each attempt offers more than the one before",
                );
            }
            if let Some(cap) = premium_cap.filter(|cap| premium > *cap) {
                return item.refuse(
                    report,
                    format!("{text} is above the cap of {}", percent(cap)),
                    "lower it, or raise premium_cap",
                );
            }
            escalation.push(premium);
        }
        if let Some(attempts) = attempts_max
            .filter(|attempts| u32::try_from(escalation.len()).map_or(true, |len| len > *attempts))
        {
            let reason = format!("has {} premiums for {attempts} attempts", escalation.len());
            return entry.refuse(
                report,
                reason,
                "raise attempts_max, or drop the premiums nobody would see",
            );
        }
        Some(escalation)
    });
    Some(Guard { attempts_max: attempts_max?, escalation: escalation?, premium_cap: premium_cap? })
}

fn request(report: &mut Report<'_>, top: Mapping<'_>) -> Option<RequestLimits> {
    let known = ["timeout_min", "timeout_max", "lot", "fill_min", "maker_share_max"];
    let section = section(report, top, "request", &known)?;
    let mut timeout = |key| {
        let (entry, timeout) = quantity(report, section, key, quantity::duration)?;
        if timeout < TIMEOUT_MIN || timeout > TIMEOUT_MAX {
            return entry.refuse(report, "is outside what the contracts accept", "5m to 7d");
        }
        Some((entry, timeout))
    };
    let (timeout_min, timeout_max) = (timeout("timeout_min"), timeout("timeout_max"));
    if let (Some((_, min)), Some((entry, max))) = (timeout_min, timeout_max)
        && max < min
    {
        entry.refuse::<()>(report, "is shorter than timeout_min", "swap them");
    }
    let lot = quantity(report, section, "lot", quantity::amount).and_then(|(entry, lot)| {
        if lot.is_zero() {
            entry.refuse(
                report,
                "a lot of nothing divides nothing",
                "for example \"1_000_000\" tokens",
            )
        } else {
            Some(lot)
        }
    });
    let fill_min = whole_lots(report, section, "fill_min", lot);
    let maker_share_max = quantity(report, section, "maker_share_max", quantity::percent).and_then(
        |(entry, share)| {
            if share.bps() == 0 {
                entry.refuse(report, "nobody could fill anything", "for example \"35%\"")
            } else {
                Some(share)
            }
        },
    );
    Some(RequestLimits {
        timeout_min: timeout_min?.1,
        timeout_max: timeout_max?.1,
        lot: lot?,
        fill_min: fill_min?,
        maker_share_max: maker_share_max?,
    })
}

fn instrument(
    report: &mut Report<'_>,
    top: Mapping<'_>,
    assets: Option<&BTreeMap<String, AssetRole>>,
    guard: Option<&Guard>,
    request: Option<RequestLimits>,
) -> Option<Instrument> {
    let known = [
        "kind",
        "consideration",
        "price",
        "price_min",
        "price_max",
        "amount_max",
        "standing",
        "expiry",
    ];
    let section = section(report, top, "instrument", &known)?;
    let kind = section
        .require(report, "kind")
        .and_then(|entry| role(report, entry, &[("secured-claim", InstrumentKind::SecuredClaim)]));
    let consideration = section.require(report, "consideration").and_then(|entry| {
        let name = entry.text(report)?;
        match assets?.get(name) {
            Some(AssetRole::Claim) => Some(AssetRole::Claim),
            Some(AssetRole::Cash) => {
                let hint = "makers would be paid in what they bring; name an asset with the role \"claim\"";
                entry.refuse(report, format!("{} is the collateral", quoted(name)), hint)
            }
            None => {
                let hint = suggestion(name, assets?.keys().map(String::as_str));
                entry.refuse(report, format!("there is no asset {}", quoted(name)), hint)
            }
        }
    });
    let price = quantity(report, section, "price", quantity::price);
    let price_min = quantity(report, section, "price_min", quantity::price);
    let price_max = quantity(report, section, "price_max", quantity::price);
    if let (Some((entry, price)), Some((_, min)), Some((_, max))) = (price, price_min, price_max)
        && (price < min || price > max)
    {
        entry.refuse::<()>(
            report,
            "is outside price_min to price_max",
            "the band has to hold the price it starts from",
        );
    }
    let amount_max = whole_lots(report, section, "amount_max", request.map(|request| request.lot));
    let standing = quantity(report, section, "standing", quantity::amount);
    if let (Some((entry, standing)), Some(amount), Some((_, price)), Some(guard)) =
        (standing, amount_max, price_max, guard)
    {
        match amount.payout_ceil(price, guard.premium_cap) {
            Ok(owed) if owed <= standing => {}
            Ok(owed) => {
                let reason = format!(
                    "cannot pay for amount_max: {owed} tokens at price_max and a premium of {}",
                    percent(guard.premium_cap)
                );
                entry.refuse::<()>(report, reason, "raise standing, or lower amount_max");
            }
            Err(error) => {
                entry.refuse::<()>(report, error.to_string(), "lower amount_max or price_max");
            }
        }
    }
    let expiry = quantity(report, section, "expiry", quantity::duration);
    if let (Some((entry, expiry)), Some(request)) = (expiry, request)
        && expiry < request.timeout_max
    {
        entry.refuse::<()>(
            report,
            "is shorter than a request may live",
            "at least request.timeout_max",
        );
    }
    if let Some((entry, _)) = expiry.filter(|(_, expiry)| *expiry > EXPIRY_MAX) {
        entry.refuse::<()>(
            report,
            "is longer than ten years",
            "request.timeout_max to 3650d; a mandate is renewed",
        );
    }
    Some(Instrument {
        kind: kind?,
        consideration: consideration?,
        price: price?.1,
        price_min: price_min?.1,
        price_max: price_max?.1,
        amount_max: amount_max?,
        standing: standing?.1,
        expiry: expiry?.1,
    })
}

/// A percentage for people: `9.5%`.
pub(crate) fn percent(premium: Premium) -> String {
    let (whole, hundredths) = (premium.bps() / 100, premium.bps() % 100);
    match (hundredths % 10, hundredths) {
        (_, 0) => format!("{whole}%"),
        (0, tens) => format!("{whole}.{}%", tens / 10),
        _ => format!("{whole}.{hundredths:02}%"),
    }
}

/// A section of the author's own names, at least one.
fn names<T>(
    report: &mut Report<'_>,
    top: Mapping<'_>,
    key: &str,
    mut read: impl FnMut(&mut Report<'_>, &Entry) -> Option<T>,
) -> Option<BTreeMap<String, T>> {
    report.table = None;
    let section = top.require(report, key)?;
    let entries = section.any_mapping(report)?.entries();
    if entries.is_empty() {
        return section.refuse(report, "is empty", "name at least one");
    }
    // Every entry is read, because a mistake reported later may stand earlier.
    let mut read_entries = Vec::new();
    for entry in entries {
        report.table = Some(key.to_owned());
        read_entries.push(read(report, entry).map(|value| (entry.key.clone(), value)));
    }
    read_entries.into_iter().collect()
}

/// One of a few words.
fn role<T: Copy>(report: &mut Report<'_>, entry: &Entry, roles: &[(&str, T)]) -> Option<T> {
    let text = entry.text(report)?;
    match roles.iter().find(|(word, _)| *word == text) {
        Some((_, role)) => Some(*role),
        None => {
            let hint = suggestion(text, roles.iter().map(|(word, _)| *word));
            entry.refuse(report, format!("there is no {}", quoted(text)), hint)
        }
    }
}

fn quantity<'n, T>(
    report: &mut Report<'_>,
    section: Mapping<'n>,
    key: &str,
    read: fn(&str) -> Result<T, Complaint>,
) -> Option<(&'n Entry, T)> {
    let entry = section.require(report, key)?;
    let text = entry.number(report)?;
    Some((entry, report.take(entry.node.at, key, read(text))?))
}

fn bounded(
    report: &mut Report<'_>,
    section: Mapping<'_>,
    key: &str,
    min: u32,
    max: u32,
    why: &str,
) -> Option<u32> {
    let (entry, count) = quantity(report, section, key, quantity::count)?;
    if count < min || count > max {
        return entry.refuse(report, format!("{count} is not {min} to {max}"), why);
    }
    Some(count)
}

fn whole_lots(
    report: &mut Report<'_>,
    section: Mapping<'_>,
    key: &str,
    lot: Option<Amount>,
) -> Option<Amount> {
    let (entry, amount) = quantity(report, section, key, quantity::amount)?;
    if amount.is_zero() || lot.is_some_and(|lot| amount.lots_floor(lot) != amount) {
        return entry.refuse(
            report,
            "is not a number of whole lots",
            "a multiple of request.lot, above 0",
        );
    }
    Some(amount)
}

/// TOML to [`Node`]s, numbers as they were written.
fn toml_tree(source: &str) -> Result<Node, (Position, Complaint)> {
    if source.len() > SOURCE_LEN_MAX {
        let reason = format!("the file has {} bytes, the limit is {SOURCE_LEN_MAX}", source.len());
        return Err((
            Position::START,
            Complaint::new(reason, "a deployment is a page of text; is this the right file?"),
        ));
    }
    let table = DeTable::parse(source).map_err(|error| {
        let at = error.span().map_or(Position::START, |span| position(source, span.start));
        let reason =
            format!("this is not TOML: {}", error.message().lines().next().unwrap_or_default());
        let hint = if reason.ends_with("duplicate key") {
            "keep one of them"
        } else {
            "text goes in double quotes, and so do percentages and spans of time"
        };
        (at, Complaint::new(reason, hint))
    })?;
    Ok(Node { at: Position::START, value: table_value(source, table.get_ref()) })
}

fn table_value(source: &str, table: &DeTable<'_>) -> Value {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| {
            let at = position(source, key.span().start);
            // The span of a table is its header's, which says less than its name does.
            let value_at =
                if value.get_ref().is_table() { at } else { position(source, value.span().start) };
            Entry {
                at,
                key: key.get_ref().to_string(),
                node: Node { at: value_at, value: toml_value(source, value.get_ref()) },
            }
        })
        .collect();
    entries.sort_by_key(|entry| entry.at);
    Value::Mapping(entries)
}

fn toml_value(source: &str, value: &DeValue<'_>) -> Value {
    let scalar = |kind, text: String| Value::Scalar { kind, text };
    match value {
        DeValue::String(text) => scalar(ScalarKind::Text, text.to_string()),
        DeValue::Integer(number) => scalar(ScalarKind::Number, in_decimal(number)),
        DeValue::Float(number) => scalar(ScalarKind::Number, number.to_string()),
        DeValue::Boolean(value) => scalar(ScalarKind::Boolean, value.to_string()),
        DeValue::Datetime(date) => scalar(ScalarKind::Date, date.to_string()),
        DeValue::Array(items) => Value::Sequence(
            items
                .iter()
                .map(|item| Node {
                    at: position(source, item.span().start),
                    value: toml_value(source, item.get_ref()),
                })
                .collect(),
        ),
        DeValue::Table(table) => table_value(source, table),
    }
}

/// `0x1f` as `31`; a number that no key could hold, and every decimal one, as it was written.
fn in_decimal(number: &DeInteger<'_>) -> String {
    match (number.radix(), u64::from_str_radix(number.as_str(), number.radix())) {
        (2 | 8 | 16, Ok(value)) => value.to_string(),
        _ => number.to_string(),
    }
}

fn position(source: &str, offset: usize) -> Position {
    let before = source.get(..offset).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position::new(
        before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}
