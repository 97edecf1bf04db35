//! Quantities as a spec writes them, between two ends: `"1%"` to `"5%"`, `6` to `40`, `"$1M"` to `"$9M"`.
//!
//! What a unit means is the model's business; here it is only kept.

use risk::units::{Quantity as _, Raw, Span};
use serde::Serialize;
use toml::Value;

/// Everything between two quantities of one unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Range {
    before: String,
    from: f64,
    to: f64,
    after: String,
    kind: Kind,
    is_log: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Kind {
    Whole,
    Real,
    Text,
    /// Given in any unit of time, written in whole seconds, which is all the model counts.
    Time,
}

impl Range {
    /// The range between two values of a file.
    ///
    /// # Errors
    /// With the reason why there is nothing between them.
    pub fn between(from: &Value, to: &Value, is_log: bool) -> Result<Self, &'static str> {
        let (mut a, mut b) = (part(from)?, part(to)?);
        if a.kind == Kind::Text
            && let (Some(low), Some(high)) = (seconds(&join(from)), seconds(&join(to)))
        {
            a = Part {
                number: crate::stats::to_f64(low),
                after: " s".into(),
                kind: Kind::Time,
                ..a
            };
            b = Part {
                number: crate::stats::to_f64(high),
                after: " s".into(),
                kind: Kind::Time,
                ..b
            };
        }
        if (a.kind, &a.before, &a.after) != (b.kind, &b.before, &b.after) {
            return Err("does not have one unit");
        }
        if a.number >= b.number {
            return Err("does not ascend");
        }
        if is_log && a.number <= 0.0 {
            return Err("has no logarithm");
        }
        Ok(Self {
            before: a.before,
            from: a.number,
            to: b.number,
            after: a.after,
            kind: a.kind,
            is_log,
        })
    }

    /// The value at `unit` in [0, 1], rounded to whole numbers and whole seconds where the ends are such.
    pub fn at(&self, unit: f64) -> Value {
        let number = if self.is_log {
            self.from * (self.to / self.from).powf(unit)
        } else {
            self.from + (self.to - self.from) * unit
        };
        #[allow(clippy::cast_possible_truncation, reason = "between two whole numbers of the file")]
        let whole = number.round() as i64;
        match self.kind {
            Kind::Whole => Value::Integer(whole),
            Kind::Real => Value::Float(number),
            Kind::Time => Value::String(format!("{whole} s")),
            // Nine decimals: finer than any quantity's meaning, and short enough for exact money.
            Kind::Text => {
                let text = format!("{number:.9}");
                let text = text.trim_end_matches('0').trim_end_matches('.');
                Value::String(format!("{}{text}{}", self.before, self.after))
            }
        }
    }
}

struct Part {
    before: String,
    number: f64,
    after: String,
    kind: Kind,
}

fn part(value: &Value) -> Result<Part, &'static str> {
    let bare =
        |number, kind| Ok(Part { before: String::new(), number, after: String::new(), kind });
    match value {
        #[allow(clippy::cast_precision_loss, reason = "counts, far below 2^53")]
        Value::Integer(number) => bare(*number as f64, Kind::Whole),
        Value::Float(number) if number.is_finite() => bare(*number, Kind::Real),
        Value::String(text) => split(text)
            .map(|(before, number, after)| Part {
                before: before.to_owned(),
                number,
                after: after.to_owned(),
                kind: Kind::Text,
            })
            .ok_or("has no number"),
        Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => Err("has no number"),
    }
}

/// What stands before the number, the number, and what stands after.
fn split(text: &str) -> Option<(&str, f64, &str)> {
    let start = text.find(|c: char| c.is_ascii_digit() || c == '-' || c == '.')?;
    let rest = &text[start..];
    let (number, _) = risk::units::split_text(rest);
    Some((&text[..start], number.parse().ok()?, &rest[number.len()..]))
}

/// The first number of a quantity in the unit it is written in, and the unit; for axes of plots.
pub fn number_and_unit(value: &Value) -> Option<(f64, String)> {
    let part = part(value).ok()?;
    let unit = format!("{}{}", part.before, part.after.trim());
    Some((part.number, unit))
}

/// Whole seconds of `"90 s"`, `"5 min"`, `"1.5 h"`, `"7 d"` or `"1 y"`, as the model reads them.
pub fn seconds(text: &str) -> Option<u64> {
    Span::read(&Raw::Text(text.to_owned())).ok().map(|span| span.0)
}

/// A value as one would say it: strings without quotes.
pub fn join(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(from: &str, to: &str, is_log: bool, unit: f64) -> String {
        let value = |text: &str| {
            text.parse::<i64>().map_or_else(|_| Value::String(text.into()), Value::Integer)
        };
        join(&Range::between(&value(from), &value(to), is_log).unwrap().at(unit))
    }

    #[test]
    fn between_two_quantities_the_unit_is_kept() {
        assert_eq!(at("1%", "5%", false, 0.5), "3%");
        assert_eq!(at("$1M", "$100M", true, 0.5), "$10M");
        assert_eq!(at("0.01 /h", "0.03 /h", false, 0.25), "0.015 /h");
        assert_eq!(at("6", "40", false, 0.26), "15");
        assert_eq!(at("30 min", "2 h", false, 0.5), "4500 s");
        assert_eq!(at("364 d", "1 y", false, 0.5), "31492800 s");
        assert_eq!(at("4e-5 /h", "8e-5 /h", false, 0.5), "0.00006 /h");
    }

    #[test]
    fn a_time_is_what_the_model_calls_one() {
        for (text, expected) in [
            ("90 s", Some(90)),
            ("1.5 h", Some(5_400)),
            ("1 y", Some(31_536_000)),
            ("0.5 s", None),
            ("-1 h", None),
            ("1e3 s", None),
            ("$1 h", None),
            ("h", None),
            ("1 week", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn nothing_is_between_two_units() {
        let text = |text: &str| Value::String(text.into());
        assert!(Range::between(&text("1%"), &text("50 bp"), false).is_err());
        assert!(Range::between(&text("5%"), &text("1%"), false).is_err());
        assert!(Range::between(&text("0%"), &text("1%"), true).is_err());
        assert!(Range::between(&text("none"), &text("flag"), false).is_err());
    }
}
