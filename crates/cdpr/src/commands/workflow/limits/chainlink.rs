//! The file of limits that Chainlink's `cre workflow limits export` writes: groups of names, with counts, sizes and times as
//! text (`"100kb"`, `"3m0s"`).
//!
//! Source: `smartcontractkit/cre-cli` at 7853c3b of 23 July 2026, `cmd/workflow/simulate/limits.json` and `limits.go`.

use serde_json::{Map, Value, json};

/// How a limit is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Count,
    /// Bytes, with decimal multiples.
    Size,
    /// As Go writes durations.
    Time,
}

/// A limit's path in the file, how it is written, and what it is called here.
const ROWS: &[(&str, Unit, &str)] = &[
    ("TriggerSubscriptionLimit", Unit::Count, "triggers_max"),
    ("CapabilityConcurrencyLimit", Unit::Count, "calls_in_flight_max"),
    ("CapabilityCallTimeout", Unit::Time, "call_time_max_ms"),
    ("ExecutionTimeout", Unit::Time, "execution_time_max_ms"),
    ("ExecutionResponseLimit", Unit::Size, "response_size_max"),
    ("WASMMemoryLimit", Unit::Size, "memory_size_max"),
    ("WASMBinarySizeLimit", Unit::Size, "wasm_size_max"),
    ("WASMCompressedBinarySizeLimit", Unit::Size, "wasm_compressed_size_max"),
    ("WASMConfigSizeLimit", Unit::Size, "config_size_max"),
    ("WASMSecretsSizeLimit", Unit::Size, "secrets_size_max"),
    ("LogLineLimit", Unit::Size, "log_line_size_max"),
    ("LogEventLimit", Unit::Count, "log_lines_max"),
    ("CRONTrigger.FastestScheduleInterval", Unit::Time, "cron_interval_min_ms"),
    ("LogTrigger.EventSizeLimit", Unit::Size, "log_trigger_event_size_max"),
    ("LogTrigger.FilterAddressLimit", Unit::Count, "log_trigger_addresses_max"),
    ("LogTrigger.FilterTopicsPerSlotLimit", Unit::Count, "log_trigger_topics_per_slot_max"),
    ("ChainWrite.TargetsLimit", Unit::Count, "evm_writes_max"),
    ("ChainWrite.EVM.ReportSizeLimit", Unit::Size, "report_size_max"),
    ("ChainWrite.EVM.GasLimit.Default", Unit::Count, "evm_write_gas_max"),
    ("ChainRead.CallLimit", Unit::Count, "evm_reads_max"),
    ("ChainRead.LogQueryBlockLimit", Unit::Count, "evm_log_query_blocks_max"),
    ("ChainRead.PayloadSizeLimit", Unit::Size, "evm_read_size_max"),
    ("Consensus.ObservationSizeLimit", Unit::Size, "consensus_observation_size_max"),
    ("Consensus.CallLimit", Unit::Count, "consensus_calls_max"),
    ("HTTPAction.CallLimit", Unit::Count, "http.calls_max"),
    ("HTTPAction.ConnectionTimeout", Unit::Time, "http.connect_time_max_ms"),
    ("HTTPAction.RequestSizeLimit", Unit::Size, "http.request_size_max"),
    ("HTTPAction.ResponseSizeLimit", Unit::Size, "http.response_size_max"),
    ("ConfidentialHTTP.CallLimit", Unit::Count, "confidential_http.calls_max"),
    ("ConfidentialHTTP.ConnectionTimeout", Unit::Time, "confidential_http.connect_time_max_ms"),
    ("ConfidentialHTTP.RequestSizeLimit", Unit::Size, "confidential_http.request_size_max"),
    ("ConfidentialHTTP.ResponseSizeLimit", Unit::Size, "confidential_http.response_size_max"),
    ("Secrets.CallLimit", Unit::Count, "secrets_calls_max"),
];

/// What the file has besides, and a simulation of one execution at a time on EVM chains does not: queues, rates, how
/// long nodes take to register a trigger, Solana; and two that Chainlink's tool reads over as well.
const WITHOUT_EFFECT: [&str; 14] = [
    "TriggerRegistrationsTimeout",
    "TriggerSubscriptionTimeout",
    "TriggerEventQueueLimit",
    "TriggerEventQueueTimeout",
    "SecretsConcurrencyLimit",
    "ExecutionConcurrencyLimit",
    "ExecutionTimestampsEnabled",
    "HTTPTrigger.RateLimit",
    "LogTrigger.EventRateLimit",
    "ChainWrite.ReportSizeLimit",
    "ChainWrite.EVM.TransactionGasLimit",
    "ChainWrite.EVM.GasLimit.Values",
    "ChainWrite.Solana",
    "HTTPAction.CacheAgeLimit",
];

/// What stands for no limit. Source: `disableEngineLimits` of the same tool.
const COUNT_UNLIMITED: u64 = i32::MAX as u64;
const GAS_UNLIMITED: u64 = u64::MAX;
const TIME_UNLIMITED_MS: u64 = 24 * 3_600_000;

/// A top-level entry of a file of limits: each limit in it by our name and in our unit, and names of those that nobody
/// knows.
///
/// # Errors
/// What is wrong with a value.
pub(super) fn read(
    name: &str,
    value: &Value,
    set: &mut impl FnMut(&'static str, u64) -> Result<(), String>,
    unknown: &mut Vec<String>,
) -> Result<(), String> {
    if WITHOUT_EFFECT.contains(&name) {
        return Ok(());
    }
    if let Some((_, unit, ours)) = ROWS.iter().find(|(path, ..)| *path == name) {
        let written = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
        };
        let (number, example) = match unit {
            Unit::Count => (written.parse().ok(), "a count, as \"10\""),
            Unit::Size => (size(&written), "a size, as \"100kb\""),
            Unit::Time => (time_ms(&written), "a time, as \"3m0s\""),
        };
        let number = number.ok_or_else(|| format!("{name:?}: {value} is not {example}"))?;
        return set(ours, number);
    }
    match value {
        Value::Object(group) => {
            for (inner, value) in group {
                read(&format!("{name}.{inner}"), value, set, unknown)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            unknown.push(name.to_owned());
        }
    }
    Ok(())
}

/// The same limits as Chainlink's file has them; `get` is by our name and in our unit. What it has and we do not is
/// left out, and stays what it is for whoever reads the file.
pub(super) fn json(get: impl Fn(&str) -> Option<u64>) -> Value {
    let mut out = Value::Object(Map::new());
    for (path, unit, ours) in ROWS {
        let number = get(ours);
        let text = match unit {
            Unit::Count if *ours == "evm_write_gas_max" => {
                number.unwrap_or(GAS_UNLIMITED).to_string()
            }
            Unit::Count => number.unwrap_or(COUNT_UNLIMITED).to_string(),
            Unit::Size => size_text(number.unwrap_or(COUNT_UNLIMITED)),
            Unit::Time => time_text(number.unwrap_or(TIME_UNLIMITED_MS)),
        };
        let place = path.split('.').fold(&mut out, |at, name| &mut at[name]);
        *place = json!(text);
    }
    out
}

const MULTIPLES: [(&str, u64); 5] =
    [("tb", 1_000_000_000_000), ("gb", 1_000_000_000), ("mb", 1_000_000), ("kb", 1_000), ("b", 1)];

/// Bytes of `100kb`, of `1.5mb`, of `50000`.
fn size(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let (number, multiple) = MULTIPLES
        .iter()
        .find_map(|(unit, multiple)| Some((text.strip_suffix(unit)?, *multiple)))
        .unwrap_or((&text, 1));
    scaled(number.trim_end(), multiple)
}

fn size_text(bytes: u64) -> String {
    let (unit, multiple) = MULTIPLES
        .iter()
        .find(|(_, multiple)| bytes.is_multiple_of(*multiple) && bytes >= *multiple)
        .unwrap_or(&("b", 1));
    format!("{}{unit}", bytes / multiple)
}

/// Milliseconds of Go's `1h2m3.5s`, down to whole ones.
fn time_ms(text: &str) -> Option<u64> {
    /// Nanoseconds; of two units where one ends as the other does, the longer first.
    const UNITS: [(&str, u64); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    if text == "0" {
        return Some(0);
    }
    let (mut rest, mut sum) = (text, 0_u64);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let (unit, ns) = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
        sum = sum.checked_add(scaled(number, *ns)?)?;
        rest = &after[unit.len()..];
    }
    (!text.is_empty()).then_some(sum / 1_000_000)
}

fn time_text(ms: u64) -> String {
    let (hours, minutes, ms) = (ms / 3_600_000, ms / 60_000 % 60, ms % 60_000);
    let seconds = match ms % 1_000 {
        0 => format!("{}s", ms / 1_000),
        part => format!("{}.{}s", ms / 1_000, format!("{part:03}").trim_end_matches('0')),
    };
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, _) => format!("{minutes}m{seconds}"),
        _ => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// A decimal number times a multiple, down to a whole one.
fn scaled(number: &str, multiple: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(part) || part.len() > 9 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let of_part = match part {
        "" => 0,
        part => {
            let scale = 10_u128.pow(u32::try_from(part.len()).ok()?);
            u64::try_from(part.parse::<u128>().ok()? * u128::from(multiple) / scale).ok()?
        }
    };
    whole.checked_mul(multiple)?.checked_add(of_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_and_written_as_go_does() {
        for (text, bytes) in [("100kb", 100_000), ("1MB", 1_000_000), ("265b", 265), ("7", 7)] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        assert_eq!(
            (size("1.5kb"), size("kb"), size("-1b"), size("1kib")),
            (Some(1_500), None, None, None)
        );
        assert_eq!([1, 1_500, 100_000, 0].map(size_text), ["1b", "1500b", "100kb", "0b"]);
        for (text, ms) in [
            ("10s", 10_000),
            ("10m0s", 600_000),
            ("1h30m", 5_400_000),
            ("1.5s", 1_500),
            ("250ms", 250),
            ("1500us", 1),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(time_ms(text), Some(ms), "{text}");
        }
        for text in ["", "10", "s", "1d", "-1s", "1.2.3s", "99999999999999999999s"] {
            assert_eq!(time_ms(text), None, "{text}");
        }
        for (ms, text) in [
            (0, "0s"),
            (30_000, "30s"),
            (180_000, "3m0s"),
            (1_500, "1.5s"),
            (86_400_000, "24h0m0s"),
        ] {
            assert_eq!(time_text(ms), text);
            assert_eq!(time_ms(text), Some(ms));
        }
    }
}
