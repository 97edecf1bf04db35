//! `cdpr workflow limits`: the profiles, and files of them, in this project's form or in Chainlink's.

mod chainlink;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use engine::Limits;
use serde_json::{Map, Value, json};
use study::spec::thousands;

use super::{known_words, refuse};
use crate::commands::{TEXT_MAX, read_to, write};
use crate::terminal::{note, say};
use crate::{Ending, Failure};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// One JSON object on stdout: profile to limit to number, null for none.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a profile as JSON, to edit and give to `simulate --limits`.
    Export {
        /// File to write, which must not exist; stdout by default.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// production, simulator or none.
        #[arg(long, default_value = "simulator", value_name = "PROFILE")]
        profile: String,
        /// Whose form. `simulate --limits` reads both.
        #[arg(long, value_enum, default_value = "cdpr")]
        format: Format,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// One name to a number: bytes, milliseconds, counts.
    Cdpr,
    /// That of Chainlink's `cre workflow limits export`; what has no effect here is left out.
    Chainlink,
}

const PROFILES: [(&str, Limits); 3] = [
    ("production", Limits::production()),
    ("simulator", Limits::simulator()),
    ("none", Limits::unlimited()),
];

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let text = match &arguments.command {
        Some(Command::Export { file, profile, format }) => {
            let Some((_, limits)) = PROFILES.iter().find(|(name, _)| name == profile) else {
                let known = PROFILES.map(|(name, _)| name);
                return Err(refuse(
                    format!("no profile {profile:?}"),
                    known_words(profile, &known),
                ));
            };
            let text = match format {
                Format::Cdpr => format!("{:#}\n", json(limits)),
                Format::Chainlink => format!("{:#}\n", as_chainlink_has_it(limits)),
            };
            let Some(file) = file else {
                say(text)?;
                return Ok(Ending::Done);
            };
            // Not `exists`, which a link to nothing does not.
            if file.symlink_metadata().is_ok() {
                let what = format!("{} is there already", file.display());
                return Err(refuse(what, "name a file that is not there yet"));
            }
            write(file, text.as_bytes())?;
            format!("{profile}'s limits are in {}\n", file.display())
        }
        None if arguments.json => {
            let profiles: Map<_, _> =
                PROFILES.iter().map(|(name, limits)| ((*name).to_owned(), json(limits))).collect();
            format!("{}\n", Value::Object(profiles))
        }
        None => table(),
    };
    say(text)?;
    Ok(Ending::Done)
}

/// `default` is the simulator's, `none` takes them away, anything else is a file.
pub(crate) fn read(choice: &str) -> Result<Limits, Failure> {
    match choice {
        "default" => return Ok(Limits::simulator()),
        "none" => return Ok(Limits::unlimited()),
        _ => {}
    }
    const HINT: &str = "`cdpr workflow limits export FILE` writes one to start from";
    let name = Path::new(choice).display();
    let bad = |what: String| refuse(format!("{name}: {what}"), HINT);
    let text = read_to(Path::new(choice), TEXT_MAX).map_err(|why| {
        if Path::new(choice).exists() {
            bad(why)
        } else {
            let hint = known_words(choice, &["default", "none"]);
            refuse(
                format!("--limits: there is no file {choice:?}"),
                format!("{hint}, or a file: {HINT}"),
            )
        }
    })?;
    let (limits, unknown) = parse(&text).map_err(|Refused { what, hint }| {
        refuse(format!("{name}: {what}"), hint.as_deref().unwrap_or(HINT))
    })?;
    if !unknown.is_empty() {
        note(format_args!("warning: {name}: without effect here: {}", unknown.join(", ")));
    }
    Ok(limits)
}

/// Why a file of limits is none.
#[derive(Debug)]
pub(crate) struct Refused {
    what: String,
    hint: Option<String>,
}

/// The simulator's limits with those that a file changes, and the names in Chainlink's form that nobody knows: its tool
/// reads them over. Names of ours begin with a small letter, Chainlink's with a capital.
pub(crate) fn parse(text: &str) -> Result<(Limits, Vec<String>), Refused> {
    let bad = |what: String| Refused { what, hint: None };
    let object: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
    let (mut limits, mut unknown) = (Limits::simulator(), Vec::new());
    for (key, value) in object {
        if key.starts_with(|first: char| first.is_ascii_uppercase()) {
            let mut set = |ours: &'static str, number| match field(ours) {
                Some(field) if (field.set)(&mut limits, Some(number)) => Ok(()),
                Some(_) | None => Err(format!("{key:?}: {value} is too large")),
            };
            chainlink::read(&key, &value, &mut set, &mut unknown).map_err(bad)?;
            continue;
        }
        let Some(field) = field(&key) else {
            let known: Vec<&str> = FIELDS.iter().map(|field| field.key).collect();
            let what = format!("{key:?} is not a limit");
            return Err(Refused { what, hint: Some(known_words(&key, &known)) });
        };
        let (least, most) = field.ends;
        let ends = format!("{} to {}", thousands(least), thousands(most));
        let number = match &value {
            Value::Null => None,
            Value::Number(number) => {
                let within = number.as_u64().filter(|number| (least..=most).contains(number));
                let outside =
                    || bad(format!("{key:?}: {number} is outside {ends}, in whole numbers"));
                Some(within.ok_or_else(outside)?)
            }
            other @ (Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
                let what = format!(
                    "{key:?}: {other} is not a whole number from {ends}, or null for no limit"
                );
                return Err(bad(what));
            }
        };
        if !(field.set)(&mut limits, number) {
            return Err(bad(format!("{key:?}: {value} is too large for this machine")));
        }
    }
    Ok((limits, unknown))
}

fn field(key: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.key == key)
}

pub(crate) fn as_chainlink_has_it(limits: &Limits) -> Value {
    chainlink::json(|ours| field(ours).and_then(|field| (field.get)(limits)))
}

/// A limit as a number. `None` is no limit; the largest value of the type stands for it.
trait Quantity: Sized {
    fn read(&self) -> Option<u64>;
    /// `None` if the type does not hold the number.
    fn written(number: Option<u64>) -> Option<Self>;
}

macro_rules! integers {
    ($($ty:ty)*) => {$(
        impl Quantity for $ty {
            fn read(&self) -> Option<u64> {
                if *self == Self::MAX { None } else { u64::try_from(*self).ok() }
            }

            fn written(number: Option<u64>) -> Option<Self> {
                number.map_or(Some(Self::MAX), |number| number.try_into().ok())
            }
        }
    )*};
}

integers! { u32 u64 usize }

/// In milliseconds.
impl Quantity for Duration {
    fn read(&self) -> Option<u64> {
        u64::try_from(self.as_millis()).ok()
    }

    fn written(number: Option<u64>) -> Option<Self> {
        Some(number.map_or(Self::MAX, Self::from_millis))
    }
}

impl<T: Quantity> Quantity for Option<T> {
    fn read(&self) -> Option<u64> {
        self.as_ref().and_then(T::read)
    }

    fn written(number: Option<u64>) -> Option<Self> {
        match number {
            None => Some(None),
            number => T::written(number).map(Some),
        }
    }
}

struct Field {
    key: &'static str,
    /// The smallest number that makes sense, and the largest; `null` is no limit.
    ends: (u64, u64),
    get: fn(&Limits) -> Option<u64>,
    set: fn(&mut Limits, Option<u64>) -> bool,
}

/// Bytes: up to what a module of 32 bits can address.
const SIZE: (u64, u64) = (1, 1 << 32);
/// Milliseconds: up to a day.
const TIME: (u64, u64) = (1, 86_400_000);
/// Milliseconds between two fires, which may be none.
const INTERVAL: (u64, u64) = (0, TIME.1);
/// Of one execution; none forbids it.
const COUNT: (u64, u64) = (0, 1_000_000);
/// Of what is there at once; with none nothing would go on.
const AT_ONCE: (u64, u64) = (1, 1_000_000);
/// Instructions: some hours of them.
const FUEL: (u64, u64) = (1, 1_000_000_000_000_000);
/// Gas: a transaction takes 21,000, and no chain's block has more than the most.
const GAS: (u64, u64) = (21_000, 1_000_000_000_000);
/// Blocks of a query.
const BLOCKS: (u64, u64) = (1, 1_000_000_000);

/// A key is a field's path; a time says in which unit.
macro_rules! fields {
    ($($key:literal = $($path:ident).+, $ends:ident;)*) => {
        const FIELDS: &[Field] = &[$(Field {
            key: $key,
            ends: $ends,
            get: |limits| limits.$($path).+.read(),
            set: |limits, number| {
                Quantity::written(number).map(|value| limits.$($path).+ = value).is_some()
            },
        }),*];
    };
}

fields! {
    "wasm_size_max" = wasm_size_max, SIZE;
    "wasm_compressed_size_max" = wasm_compressed_size_max, SIZE;
    "config_size_max" = config_size_max, SIZE;
    "memory_size_max" = memory_size_max, SIZE;
    "execution_time_max_ms" = execution_time_max, TIME;
    "pre_hook_time_max_ms" = pre_hook_time_max, TIME;
    "fuel_max" = fuel_max, FUEL;
    "response_size_max" = response_size_max, SIZE;
    "callback_ids_max" = callback_ids_max, AT_ONCE;
    "calls_in_flight_max" = calls_in_flight_max, AT_ONCE;
    "poll_subscriptions_max" = poll_subscriptions_max, AT_ONCE;
    "log_lines_max" = log_lines_max, COUNT;
    "log_line_size_max" = log_line_size_max, SIZE;
    "secrets_calls_max" = secrets_calls_max, COUNT;
    "secrets_per_call_max" = secrets_per_call_max, COUNT;
    "secrets_size_max" = secrets_size_max, SIZE;
    "call_time_max_ms" = call_time_max, TIME;
    "triggers_max" = triggers_max, COUNT;
    "cron_interval_min_ms" = cron_interval_min, INTERVAL;
    "log_trigger_addresses_max" = log_trigger_addresses_max, COUNT;
    "log_trigger_topics_per_slot_max" = log_trigger_topics_per_slot_max, COUNT;
    "log_trigger_event_size_max" = log_trigger_event_size_max, SIZE;
    "http.calls_max" = http.calls_max, COUNT;
    "http.request_size_max" = http.request_size_max, SIZE;
    "http.response_size_max" = http.response_size_max, SIZE;
    "http.connect_time_max_ms" = http.connect_time_max, TIME;
    "confidential_http.calls_max" = confidential_http.calls_max, COUNT;
    "confidential_http.request_size_max" = confidential_http.request_size_max, SIZE;
    "confidential_http.response_size_max" = confidential_http.response_size_max, SIZE;
    "confidential_http.connect_time_max_ms" = confidential_http.connect_time_max, TIME;
    "evm_reads_max" = evm_reads_max, COUNT;
    "evm_log_query_blocks_max" = evm_log_query_blocks_max, BLOCKS;
    "evm_read_size_max" = evm_read_size_max, SIZE;
    "evm_writes_max" = evm_writes_max, COUNT;
    "report_size_max" = report_size_max, SIZE;
    "evm_write_gas_max" = evm_write_gas_max, GAS;
    "consensus_calls_max" = consensus_calls_max, COUNT;
    "consensus_observation_size_max" = consensus_observation_size_max, SIZE;
}

pub(crate) fn json(limits: &Limits) -> Value {
    let fields = FIELDS.iter().map(|field| (field.key.to_owned(), json!((field.get)(limits))));
    Value::Object(fields.collect())
}

/// Sizes are bytes, times milliseconds; `-` is no limit.
fn table() -> String {
    let mut out = format!("{:<40}", "limit");
    for (name, _) in &PROFILES {
        out.push_str(&format!(" {name:>13}"));
    }
    out.push('\n');
    for field in FIELDS {
        out.push_str(&format!("{:<40}", field.key));
        for (_, limits) in &PROFILES {
            let number = (field.get)(limits).map_or_else(|| "-".to_owned(), |n| n.to_string());
            out.push_str(&format!(" {number:>13}"));
        }
        out.push('\n');
    }
    out.push_str(
        "\nSizes are bytes (1 KB = 1,000), times milliseconds. `simulate` applies the column \"simulator\" \
         unless --limits says otherwise.\n",
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_reads_back_as_it_was_written() {
        for (name, limits) in &PROFILES {
            let mut read = Limits::simulator();
            for field in FIELDS {
                assert!((field.set)(&mut read, (field.get)(limits)), "{}", field.key);
            }
            assert_eq!(json(&read), json(limits), "{name}");
            assert!(parse(&json(limits).to_string()).is_ok(), "{name} is within its ends");
        }
    }

    #[test]
    fn every_limit_has_two_ends_and_both_are_told() {
        for Field { key, ends: (least, most), .. } in FIELDS {
            let read = |number: &str| parse(&format!("{{\"{key}\": {number}}}"));
            for within in [least.to_string(), most.to_string(), "null".to_owned()] {
                assert!(read(&within).is_ok(), "{key}: {within}");
            }
            let ends = format!("{} to {}", thousands(*least), thousands(*most));
            let beyond =
                [format!("{}", most + 1), "-1".to_owned(), "1.5".to_owned(), "\"1\"".to_owned()];
            let below = least.checked_sub(1).map(|below| below.to_string());
            for bad in beyond.into_iter().chain(below) {
                let Refused { what, .. } = read(&bad).expect_err(key);
                assert!(what.contains(key) && what.contains(&ends), "{bad}: {what}");
            }
        }
    }

    #[test]
    fn chainlinks_form_reads_back_and_names_every_limit_once() {
        for (name, limits) in &PROFILES[..2] {
            let text = as_chainlink_has_it(limits).to_string();
            let (read, unknown) = parse(&text).unwrap();
            assert!(unknown.is_empty(), "{unknown:?}");
            let (mut read, mut expected) = (json(&read), json(limits));
            // Chainlink's file has none of these.
            for ours in
                ["pre_hook_time_max_ms", "fuel_max", "callback_ids_max", "poll_subscriptions_max"]
            {
                for json in [&mut read, &mut expected] {
                    json.as_object_mut().unwrap().remove(ours).unwrap();
                }
            }
            assert_eq!(read, expected, "{name}");
        }
        let written = as_chainlink_has_it(&Limits::simulator());
        assert_eq!(written["CapabilityCallTimeout"], "3m0s");
        assert_eq!(written["WASMBinarySizeLimit"], "100mb");
        assert_eq!(written["ChainWrite"]["EVM"]["GasLimit"]["Default"], "10000000");
        let none = as_chainlink_has_it(&Limits::unlimited());
        assert_eq!(none["HTTPAction"]["CallLimit"], "2147483647");
    }

    #[test]
    fn chainlinks_file_changes_what_it_names() {
        // The shape of `cre workflow limits export`, with what a simulation has no use for.
        let text = r#"{
          "TriggerEventQueueLimit": "50", "ExecutionTimeout": "1m30s", "LogLineLimit": "2kb",
          "ChainWrite": { "TargetsLimit": "3", "EVM": { "ReportSizeLimit": "50000", "GasLimit": { "Default": "7", "Values": {} } },
                          "Solana": { "ReportSizeLimit": "265b" } },
          "HTTPAction": { "CallLimit": "2", "Novel": "1" }, "log_lines_max": 9
        }"#;
        let (limits, unknown) = parse(text).unwrap();
        assert_eq!(limits.execution_time_max, Duration::from_secs(90));
        assert_eq!((limits.log_line_size_max, limits.log_lines_max), (2_000, 9));
        assert_eq!((limits.evm_writes_max, limits.report_size_max), (3, 50_000));
        assert_eq!((limits.evm_write_gas_max, limits.http.calls_max), (7, 2));
        assert_eq!(unknown, ["HTTPAction.Novel"]);
        for (text, want) in [
            (r#"{ "ExecutionTimeout": "soon" }"#, "a time, as \"3m0s\""),
            (r#"{ "LogLineLimit": "big" }"#, "a size, as \"100kb\""),
            (r#"{ "Consensus": { "CallLimit": [] } }"#, "a count, as \"10\""),
            (r#"{ "Consensus": { "CallLimit": "99999999999" } }"#, "too large"),
        ] {
            let Err(Refused { what, .. }) = parse(text) else { panic!("{text}") };
            assert!(what.contains(want), "{what}");
        }
    }
}
