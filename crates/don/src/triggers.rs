//! What a workflow subscribes to: a schedule, HTTP requests, a chain's logs, a dark pool's rounds. A
//! subscription is read and held to its limits once; after that it says when it fires and with which payload. Nothing here waits or listens:
//! whoever runs the DON brings the time, the requests and the logs, and counts how often they come.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cre::messages::evm::{ConfidenceLevel, FilterLogTriggerRequest, Log};
use cre::messages::http::{AuthorizedKey, Config as HttpConfig, KeyType, Payload};
use cre::messages::sdk::TriggerSubscription;
use cre::messages::{Any, UnpackError, cron, darkpool, pack, unpack};
use engine::Limits;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use primitives::Timestamp;
use prost::{Message as _, Name};
use protocol::workflow::{Cron, CronError};

/// Id of the schedule trigger.
pub const CRON_ID: &str = "cron-trigger@1.0.0";

/// Id of the HTTP trigger.
pub const HTTP_ID: &str = "http-trigger@1.0.0-alpha";

/// Topics of a log.
const TOPICS_MAX: usize = 4;

/// Firings looked at to find a schedule's shortest period: a week of every second minute, and the same days
/// in the years that have a 29 February among them.
const FIRINGS_LOOKED_AT: usize = 10_000;

/// Changes of a zone's clock across which firings are looked at: a hundred years of daylight saving, from when
/// Chainlink's own check of a schedule begins, 1 January 2026.
const CHANGES_LOOKED_AT: usize = 200;
const CHANGES_LOOKED_AT_SINCE: i64 = 1_767_225_600;

/// A subscription that can fire.
#[derive(Debug, Clone, PartialEq)]
pub enum Subscription {
    /// At certain times.
    Cron(Schedule),
    /// When somebody asks.
    Http(HttpTrigger),
    /// When a contract logs something.
    Log {
        /// The chain's selector, Chainlink's number for it.
        chain_selector: u64,
        /// Which logs.
        trigger: LogTrigger,
    },
    /// When a round of this dark pool is proved, and awaits settlement.
    Fill {
        /// Its address.
        dark_pool: [u8; 20],
    },
}

impl Subscription {
    /// Reads one of a workflow's subscriptions.
    ///
    /// # Errors
    /// [`TriggerError`]: it is unknown, malformed or over a limit.
    pub fn parse(
        subscription: &TriggerSubscription,
        limits: &Limits,
    ) -> Result<Self, TriggerError> {
        let TriggerSubscription { id, method, .. } = subscription;
        let selector = id
            .strip_prefix("evm:ChainSelector:")
            .and_then(|rest| rest.strip_suffix("@1.0.0"))
            .and_then(|selector| selector.parse().ok());
        match (id.as_str(), method.as_str(), selector) {
            (CRON_ID, "Trigger", _) => {
                Ok(Self::Cron(Schedule::parse(&config(subscription)?, limits)?))
            }
            (HTTP_ID, "Trigger", _) => Ok(Self::Http(HttpTrigger::parse(config(subscription)?)?)),
            (_, "LogTrigger", Some(chain_selector)) => {
                let trigger = LogTrigger::parse(&config(subscription)?, limits)?;
                Ok(Self::Log { chain_selector, trigger })
            }
            (darkpool::ID, darkpool::FILL, _) => {
                let asked: darkpool::FillTriggerConfig = config(subscription)?;
                Ok(Self::Fill { dark_pool: exactly(&asked.dark_pool, "a dark pool's address")? })
            }
            _ => Err(TriggerError::Unknown { id: id.clone(), method: method.clone() }),
        }
    }
}

/// Why a subscription was refused, or does not fire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    /// There is no such trigger.
    #[error("there is no trigger {id} with method {method:?}")]
    Unknown {
        /// As the workflow named it.
        id: String,
        /// Likewise.
        method: String,
    },
    /// Its configuration is another message, or none.
    #[error("the configuration of trigger {id} does not decode")]
    Config {
        /// The trigger.
        id: String,
        /// Why.
        #[source]
        source: UnpackError,
    },
    /// A schedule has neither five fields nor six.
    #[error(
        "a schedule has 5 fields (minute, hour, day of month, month, day of week) or, with seconds \
         first, 6; this one has {found}"
    )]
    FieldCount {
        /// How many there are.
        found: usize,
    },
    /// A schedule is in a time zone that there is not.
    #[error("there is no time zone {zone:?}")]
    TimeZone {
        /// As written.
        zone: String,
    },
    /// The seconds of a schedule are wrong.
    #[error("the seconds {field:?} of a schedule are not read as minutes would be")]
    Seconds {
        /// As written.
        field: String,
        /// What would be wrong with minutes written so.
        #[source]
        source: CronError,
    },
    /// Another field of a schedule is wrong.
    #[error("the schedule does not parse")]
    Schedule(#[source] CronError),
    /// A schedule fires too often.
    #[error("a schedule that fires after {period_s} s, the limit is once in {period_min_s} s")]
    TooFast {
        /// Its shortest period found, seconds.
        period_s: u64,
        /// The limit, seconds.
        period_min_s: u64,
    },
    /// A key that may ask is of a kind that is not known.
    #[error("authorized key {idx} is of kind {kind}, only 1, ECDSA_EVM, is known")]
    KeyType {
        /// Its index.
        idx: usize,
        /// Its kind, as encoded.
        kind: i32,
    },
    /// A key that may ask is not an address.
    #[error("authorized key {idx} is not 0x and 40 hexadecimal digits")]
    Key {
        /// Its index.
        idx: usize,
    },
    /// A request is of a key that may not ask.
    #[error(
        "key {} is not among the {n_keys} that may trigger the workflow",
        key.as_deref().unwrap_or("none")
    )]
    Unauthorized {
        /// The key, if there was one.
        key: Option<String>,
        /// How many may.
        n_keys: usize,
    },
    /// A request's input is not JSON.
    #[error("the input of an HTTP trigger is not JSON: line {line}, column {column}")]
    NotJson {
        /// Where, from 1.
        line: usize,
        /// Where, from 1; 0 if the input is empty.
        column: usize,
    },
    /// A log trigger watches no contract, or too many.
    #[error("a log trigger of {found} addresses, it has at least 1 and the limit is {most}")]
    Addresses {
        /// How many.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// An address, or a topic, of the wrong length.
    #[error("{what} of {found} bytes, it has {expected}")]
    Length {
        /// Which.
        what: &'static str,
        /// Its length, bytes.
        found: usize,
        /// What it should be, bytes.
        expected: usize,
    },
    /// Bytes that are text, or text taken for base64, where an address or a topic is due.
    #[error(
        "{what} is {written:?}{}: {expected} bytes are due, in base64 where the configuration is JSON",
        if *is_hex { ", which is hexadecimal" } else { "" }
    )]
    Text {
        /// Which.
        what: &'static str,
        /// As its author may have written it.
        written: String,
        /// Whether that is hexadecimal.
        is_hex: bool,
        /// How many bytes it should be.
        expected: usize,
    },
    /// More topics than logs have.
    #[error("a log trigger of {found} topics, a log has at most 4")]
    Topics {
        /// How many.
        found: usize,
    },
    /// Too many values for one topic.
    #[error("topic {idx} of a log trigger has {found} values, the limit is {most}")]
    TopicValues {
        /// Its index, 0 to 3.
        idx: usize,
        /// How many.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// A confidence that is not known.
    #[error("confidence {found} of a log trigger is not known")]
    Confidence {
        /// As encoded.
        found: i32,
    },
    /// A log too long to trigger anything.
    #[error("a log of {len} bytes, the limit is {len_max}")]
    LogTooLong {
        /// Its length encoded, bytes.
        len: usize,
        /// The limit, bytes.
        len_max: usize,
    },
}

/// When a workflow is due: a [`Cron`], whose dialect is that of Chainlink's nodes, the seconds of its minutes, and the
/// zone whose clock it reads.
///
/// It is due at every instant at which that clock shows a time that fits. So a time that daylight saving skips is not
/// due that day, and one that it repeats is due twice. Source: `robfig/cron` v3, by which `gocron` and so Chainlink's
/// cron capability goes (`smartcontractkit/capabilities`, `cron/trigger/trigger.go`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    minutes: Cron,
    /// Bit `n` for second `n`; at least one of 60.
    seconds: u64,
    /// `None` is UTC.
    zone: Option<TimeZone>,
}

impl Schedule {
    /// Reads five fields, due when the minute begins, or six, the seconds first. `TZ=` or `CRON_TZ=` and a name of the
    /// IANA's time zone database may stand before them; without, it is UTC. The database is this program's own, the same
    /// on every machine.
    ///
    /// # Errors
    /// [`TriggerError`] of the fields, or if two firings are less than `limits.cron_interval_min` apart.
    pub fn parse(config: &cron::Config, limits: &Limits) -> Result<Self, TriggerError> {
        let mut fields: Vec<&str> = config.schedule.split_ascii_whitespace().collect();
        let named = fields
            .first()
            .and_then(|first| first.strip_prefix("CRON_TZ=").or_else(|| first.strip_prefix("TZ=")));
        let zone = match named {
            None => None,
            Some(name) => {
                fields.remove(0);
                zone(name)?
            }
        };
        let (seconds, minutes) = match fields.as_slice() {
            [_, _, _, _, _] => (1, fields.as_slice()),
            [first, rest @ ..] if rest.len() == 5 => (seconds(first)?, rest),
            _ => return Err(TriggerError::FieldCount { found: fields.len() }),
        };
        let minutes: Cron = minutes.join(" ").parse().map_err(TriggerError::Schedule)?;
        let schedule = Self { minutes, seconds, zone };
        let period_min_s = limits.cron_interval_min.as_secs();
        let below = schedule.period_below(period_min_s);
        match below.or_else(|| schedule.period_across_changes_below(period_min_s)) {
            Some(period_s) => Err(TriggerError::TooFast { period_s, period_min_s }),
            None => Ok(schedule),
        }
    }

    /// When it is due next, later than `instant`; `None` if not before the year 10000, or before its last two days in a
    /// zone.
    #[must_use]
    pub fn next_after(&self, instant: Timestamp) -> Option<Timestamp> {
        let Some(zone) = &self.zone else { return self.shown_after(instant) };
        let mut from = i64::try_from(instant.0).ok()?.checked_add(1)?;
        loop {
            // Until the zone's next change its clock is that of UTC, moved.
            let at = jiff::Timestamp::from_second(from).ok()?;
            let offset = i64::from(zone.to_offset(at).seconds());
            let before = u64::try_from(from + offset - 1).unwrap_or_default();
            let Timestamp(shown) = self.shown_after(Timestamp(before))?;
            let due = i64::try_from(shown).ok()? - offset;
            match zone.following(at).next().map(|change| change.timestamp().as_second()) {
                Some(change) if due >= change => from = change,
                _ => return u64::try_from(due).ok().map(Timestamp),
            }
        }
    }

    /// What its clock shows when it is due next, later than when it shows `instant`, on a clock that is never changed.
    fn shown_after(&self, instant: Timestamp) -> Option<Timestamp> {
        let Timestamp(instant_s) = instant;
        let minute = instant_s - instant_s % 60;
        let before = minute.checked_sub(1).map(Timestamp);
        if before.and_then(|before| self.minutes.next_after(before)) == Some(Timestamp(minute)) {
            let later = (instant_s % 60 + 1..60).find(|second| self.seconds >> second & 1 == 1);
            if let Some(second) = later {
                return Some(Timestamp(minute + second));
            }
        }
        let Timestamp(next) = self.minutes.next_after(Timestamp(minute))?;
        next.checked_add(self.seconds.trailing_zeros().into()).map(Timestamp)
    }

    /// What it fires with. `due` is when it was due, which is not when it is run.
    #[must_use]
    pub fn payload(due: Timestamp) -> Any {
        let seconds = i64::try_from(due.0).unwrap_or(i64::MAX);
        let due = cre::messages::Timestamp { seconds, nanos: 0 };
        pack(&cron::Payload { scheduled_execution_time: Some(due) })
    }

    /// A period shorter than `period_min_s` across a change of the clock, which brings times together that were apart.
    fn period_across_changes_below(&self, period_min_s: u64) -> Option<u64> {
        let zone = self.zone.as_ref()?;
        let since = jiff::Timestamp::from_second(CHANGES_LOOKED_AT_SINCE).ok()?;
        let periods = zone.following(since).take(CHANGES_LOOKED_AT).filter_map(|change| {
            let change = u64::try_from(change.timestamp().as_second()).ok()?;
            let (mut before, mut next) = (None, Timestamp(change.saturating_sub(period_min_s + 1)));
            while next.0 < change {
                next = self.next_after(next)?;
                if next.0 < change {
                    before = Some(next);
                }
            }
            Some(next.0 - before?.0)
        });
        periods.min().filter(|period| *period < period_min_s)
    }

    /// A period shorter than `period_min_s`, if there is one among the firings looked at, on a clock that is never
    /// changed.
    fn period_below(&self, period_min_s: u64) -> Option<u64> {
        let seconds: Vec<u64> = (0..60).filter(|second| self.seconds >> second & 1 == 1).collect();
        let inside = seconds.windows(2).map(|pair| pair[1] - pair[0]).min();
        let span = seconds.last()? - seconds.first()?;
        // Between two minutes that fire, `apart` seconds, this much is left.
        let mut shortest = inside;
        // Two minutes are at least 60 s apart, so often nothing further can be too short.
        if 60 - span < period_min_s {
            let mut last = None;
            let firings = std::iter::successors(self.minutes.next_after(Timestamp(0)), |at| {
                self.minutes.next_after(*at)
            });
            for Timestamp(at) in firings.take(FIRINGS_LOOKED_AT) {
                if let Some(last) = last.replace(at) {
                    let gap = at - last - span;
                    shortest = Some(shortest.map_or(gap, |shortest| shortest.min(gap)));
                    if gap == 60 - span {
                        break;
                    }
                }
            }
        }
        shortest.filter(|period| *period < period_min_s)
    }
}

/// A zone of the database; `None` is UTC.
fn zone(name: &str) -> Result<Option<TimeZone>, TriggerError> {
    if matches!(name, "UTC" | "Etc/UTC") {
        return Ok(None);
    }
    // Nodes look names up as files, and so as they are written.
    let is_named = |zone: &TimeZone| zone.iana_name() == Some(name) && !zone.is_unknown();
    let zone = TimeZoneDatabase::bundled().get(name).ok().filter(is_named);
    zone.map(Some).ok_or_else(|| TriggerError::TimeZone { zone: name.to_owned() })
}

/// Seconds are written as minutes are, so they are read as the minutes of a schedule.
fn seconds(field: &str) -> Result<u64, TriggerError> {
    let read: Cron = format!("{field} * * * *")
        .parse()
        .map_err(|source| TriggerError::Seconds { field: field.to_owned(), source })?;
    let hour_s = 3_600;
    let mut bits = 0;
    let mut at = Timestamp(hour_s - 1);
    while let Some(Timestamp(next)) = read.next_after(at).filter(|next| next.0 < 2 * hour_s) {
        bits |= 1 << ((next - hour_s) / 60);
        at = Timestamp(next);
    }
    Ok(bits)
}

/// Who may trigger a workflow by HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpTrigger {
    keys: Vec<AuthorizedKey>,
}

impl HttpTrigger {
    /// Reads the keys.
    ///
    /// # Errors
    /// [`TriggerError::KeyType`], [`TriggerError::Key`].
    pub fn parse(config: HttpConfig) -> Result<Self, TriggerError> {
        for (idx, key) in config.authorized_keys.iter().enumerate() {
            if key.r#type != KeyType::EcdsaEvm as i32 {
                return Err(TriggerError::KeyType { idx, kind: key.r#type });
            }
            let digits = key.public_key.strip_prefix("0x").ok_or(TriggerError::Key { idx })?;
            if digits.len() != 40 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(TriggerError::Key { idx });
            }
        }
        Ok(Self { keys: config.authorized_keys })
    }

    /// The keys that may trigger it, as the workflow named them: addresses. None is for simulation, where
    /// nobody signs.
    #[must_use]
    pub fn keys(&self) -> &[AuthorizedKey] {
        &self.keys
    }

    /// What it fires with: `input`, JSON of any kind, as the bytes it came in. `sender` is the address whose
    /// key signed the request, for which the caller vouches: checking signatures is a gateway's work. Nobody
    /// may send only where the workflow authorises no key, as in a simulation.
    ///
    /// # Errors
    /// [`TriggerError::NotJson`], [`TriggerError::Unauthorized`].
    pub fn payload(&self, input: &[u8], sender: Option<&str>) -> Result<Payload, TriggerError> {
        let found = |address: &str| {
            self.keys.iter().find(|key| key.public_key.eq_ignore_ascii_case(address)).cloned()
        };
        let key = sender.and_then(found);
        if key.is_none() && !(sender.is_none() && self.keys.is_empty()) {
            let (key, n_keys) = (sender.map(str::to_owned), self.keys.len());
            return Err(TriggerError::Unauthorized { key, n_keys });
        }
        serde_json::from_slice::<serde_json::Value>(input).map_err(|error| {
            TriggerError::NotJson { line: error.line(), column: error.column() }
        })?;
        Ok(Payload { input: input.to_vec(), key })
    }
}

/// Which logs of a chain trigger a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTrigger {
    addresses: Vec<[u8; 20]>,
    /// Per topic, its values; none is any.
    topics: Vec<Vec<[u8; 32]>>,
    confidence: ConfidenceLevel,
    len_max: usize,
}

impl LogTrigger {
    /// Reads a filter: 1 address or more, up to 4 topics.
    ///
    /// # Errors
    /// [`TriggerError`] of the filter.
    pub fn parse(asked: &FilterLogTriggerRequest, limits: &Limits) -> Result<Self, TriggerError> {
        let (found, most) = (asked.addresses.len(), limits.log_trigger_addresses_max);
        if found == 0 || found > most {
            return Err(TriggerError::Addresses { found, most });
        }
        if asked.topics.len() > TOPICS_MAX {
            return Err(TriggerError::Topics { found: asked.topics.len() });
        }
        let most = limits.log_trigger_topics_per_slot_max;
        for (idx, topic) in asked.topics.iter().enumerate() {
            let found = topic.values.len();
            if found > most {
                return Err(TriggerError::TopicValues { idx, found, most });
            }
        }
        let addresses = asked.addresses.iter().map(|address| exactly(address, "an address"));
        let topics = asked
            .topics
            .iter()
            .map(|topic| topic.values.iter().map(|value| exactly(value, "a topic")).collect());
        let confidence = ConfidenceLevel::try_from(asked.confidence)
            .map_err(|_| TriggerError::Confidence { found: asked.confidence })?;
        Ok(Self {
            addresses: addresses.collect::<Result<_, _>>()?,
            topics: topics.collect::<Result<_, _>>()?,
            confidence,
            len_max: limits.log_trigger_event_size_max,
        })
    }

    /// How settled a log's block must be before the log is shown to [`LogTrigger::matches`], which does not
    /// know.
    #[must_use]
    pub const fn confidence(&self) -> ConfidenceLevel {
        self.confidence
    }

    /// Whether a log triggers the workflow: it is of one of the addresses, each topic with values has one of
    /// them, and no reorganisation removed it.
    ///
    /// # Errors
    /// [`TriggerError::LogTooLong`] if it would but for its length.
    pub fn matches(&self, log: &Log) -> Result<bool, TriggerError> {
        let is_watched = self.addresses.iter().any(|address| log.address == address);
        let has_topics = self.topics.iter().enumerate().all(|(idx, values)| {
            let has = |topic: &Vec<u8>| values.iter().any(|value| topic == value);
            values.is_empty() || log.topics.get(idx).is_some_and(has)
        });
        if log.removed || !is_watched || !has_topics {
            return Ok(false);
        }
        let (len, len_max) = (log.encoded_len(), self.len_max);
        if len > len_max {
            return Err(TriggerError::LogTooLong { len, len_max });
        }
        Ok(true)
    }
}

fn config<M: prost::Message + Name + Default>(
    subscription: &TriggerSubscription,
) -> Result<M, TriggerError> {
    let any = subscription.payload.clone().unwrap_or_default();
    unpack(&any).map_err(|source| TriggerError::Config { id: subscription.id.clone(), source })
}

fn exactly<const LEN: usize>(bytes: &[u8], what: &'static str) -> Result<[u8; LEN], TriggerError> {
    let found = bytes.len();
    bytes.try_into().map_err(|_| match written(bytes) {
        Some((written, is_hex)) => TriggerError::Text { what, written, is_hex, expected: LEN },
        None => TriggerError::Length { what, found, expected: LEN },
    })
}

/// The text that somebody wrote where these bytes came out, if it is plain that it was text: hexadecimal digits or a
/// placeholder, as bytes of their own or taken for base64. Whether it is hexadecimal.
fn written(bytes: &[u8]) -> Option<(String, bool)> {
    /// Longest text that is repeated: hexadecimal digits of a word, and room.
    const TEXT_MAX: usize = 80;
    let is_hex = |text: &str| {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        // Of the last digit base64 may have lost some bits.
        let digits = digits.or_else(|| matches!(text.len(), 40 | 64).then_some(text))?;
        let known = digits.get(..digits.len().checked_sub(1)?)?;
        known.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())
    };
    let is_text = bytes.len() >= 4 && bytes.iter().all(u8::is_ascii_graphic);
    if let (true, Ok(text)) = (is_text && bytes.len() <= TEXT_MAX, std::str::from_utf8(bytes)) {
        return Some((text.to_owned(), is_hex(text).is_some()));
    }
    // The alphabet of URLs has the underscores of placeholders.
    let text = URL_SAFE_NO_PAD.encode(bytes);
    if text.len() > TEXT_MAX {
        return None;
    }
    if is_hex(&text).is_some() {
        return Some((text, true));
    }
    let lower = text.to_ascii_lowercase();
    let is_placeholder = ["address", "your", "contract", "replace", "placeholder", "todo"];
    is_placeholder.iter().any(|word| lower.contains(word)).then_some((text, false))
}
