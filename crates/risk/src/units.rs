//! Quantities with their units, as a spec writes them: `"3%"`, `"$1bn"`, `"5 min"`, `"0.02 /h"`.
//!
//! A number without a unit is refused wherever a unit exists: `3` might be a share, a percentage or
//! basis points, and a risk team has lost money on less.

use core::fmt;

/// A part of a whole; 1 is all of it.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Share(pub f64);

/// Money in micro-dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Dollars(pub i64);

/// A length of time in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub u64);

/// Something per hour: a hazard, a share of supply per hour, a premium's slope.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Rate(pub f64);

/// A number that has no unit: a precision, a log-normal's standard deviation, an amplification.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Number(pub f64);

impl Share {
    /// Basis points, not rounded.
    pub fn bps(self) -> f64 {
        self.0 * 1e4
    }
}

impl Dollars {
    /// One dollar, in micro-dollars.
    pub const ONE: i64 = 1_000_000;

    /// Dollars, rounded to the nearest double.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::ONE as f64
    }
}

impl Span {
    /// Hours.
    pub fn hours(self) -> f64 {
        self.0 as f64 / 3600.0
    }
}

/// Why a quantity could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// A bare number where a unit is needed, or a string without one.
    #[error("{found} has no unit; write {expected}")]
    Missing {
        /// What was written.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// A unit of something else, or none that is known.
    #[error("{unit:?} in {found:?} is not a unit of {expected}")]
    Unknown {
        /// The whole text.
        found: String,
        /// The part read as a unit.
        unit: String,
        /// What would do.
        expected: &'static str,
    },
    /// Not a number, not the right kind of value, or one finer than what is counted.
    #[error("{found} is not {expected}")]
    NotA {
        /// What was written.
        found: String,
        /// What would do.
        expected: &'static str,
    },
}

/// A value as a file holds it, before its key says what it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a point.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// A list of values.
    List(Vec<Self>),
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number}"),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::List(_) => f.write_str("a list"),
        }
    }
}

/// A type a key of a spec can have.
pub trait Quantity: Sized {
    /// What to write, with an example, to end "write …".
    const EXPECTED: &'static str;

    /// Reads a file's value.
    ///
    /// # Errors
    /// [`UnitError`], which names what was written and what would do.
    fn read(raw: &Raw) -> Result<Self, UnitError>;

    /// The value a file would hold. Reading it gives the same quantity again, if it ever came from a file; a share
    /// that is no decimal in percent, such as 1/3, comes back within its last bit.
    fn write(&self) -> Raw;

    /// The number that ranges are stated in: a share, dollars, seconds, per hour. For a list, each.
    fn each(&self) -> Vec<f64>;
}

impl Quantity for Share {
    const EXPECTED: &'static str = "a share, such as \"3%\" or \"75 bp\"";

    fn read(raw: &Raw) -> Result<Self, UnitError> {
        let (number, unit) = split::<Self>(raw)?;
        let scale = share_scale(unit).ok_or_else(|| unknown::<Self>(raw, unit))?;
        Ok(Self(float::<Self>(raw, number)? / scale))
    }

    fn write(&self) -> Raw {
        Raw::Text(format!("{}%", decimal(self.0, 100.0)))
    }

    fn each(&self) -> Vec<f64> {
        vec![self.0]
    }
}

impl Quantity for Rate {
    const EXPECTED: &'static str = "a rate, such as \"0.02 /h\", \"1% /h\" or \"3.65% /d\"";

    fn read(raw: &Raw) -> Result<Self, UnitError> {
        let (number, unit) = split::<Self>(raw)?;
        let (share, time) = unit.split_once('/').ok_or_else(|| unknown::<Self>(raw, unit))?;
        let scale = match share.trim() {
            "" => Some(1.0),
            share => share_scale(share),
        };
        let (Some(scale), Some(seconds)) = (scale, time_unit(time.trim())) else {
            return Err(unknown::<Self>(raw, unit));
        };
        Ok(Self(float::<Self>(raw, number)? / scale * 3600.0 / seconds as f64))
    }

    fn write(&self) -> Raw {
        Raw::Text(format!("{} /h", decimal(self.0, 1.0)))
    }

    fn each(&self) -> Vec<f64> {
        vec![self.0]
    }
}

impl Quantity for Dollars {
    const EXPECTED: &'static str = "an amount of money, such as \"$1bn\", \"$4M\" or \"$50k\"";

    fn read(raw: &Raw) -> Result<Self, UnitError> {
        let Raw::Text(text) = raw else { return Err(bare::<Self>(raw)) };
        let Some(rest) = text.trim().strip_prefix('$') else { return Err(bare::<Self>(raw)) };
        let (number, unit) = split_text(rest);
        let scale = match unit {
            "" => 1,
            "k" => 1_000,
            "M" | "m" | "mn" => 1_000_000,
            "bn" | "B" => 1_000_000_000,
            "tn" => 1_000_000_000_000,
            _ => return Err(unknown::<Self>(raw, unit)),
        };
        scaled(number, scale * i128::from(Self::ONE))
            .and_then(|micros| i64::try_from(micros).ok())
            .map(Self)
            .ok_or_else(|| not_a::<Self>(raw))
    }

    fn write(&self) -> Raw {
        let units = [(1_000_000_000, "bn"), (1_000_000, "M"), (1_000, "k")];
        let found = units.into_iter().find(|(scale, _)| {
            self.0 != 0
                && self.0 % (scale * Self::ONE / 100) == 0
                && self.0.abs() >= scale * Self::ONE
        });
        let (scale, unit) = found.unwrap_or((1, ""));
        Raw::Text(format!("${}{unit}", decimal(self.to_f64(), 1.0 / scale as f64)))
    }

    fn each(&self) -> Vec<f64> {
        vec![self.to_f64()]
    }
}

impl Quantity for Span {
    const EXPECTED: &'static str =
        "a time in whole seconds, such as \"90 s\", \"5 min\", \"6 h\" or \"7 d\"";

    fn read(raw: &Raw) -> Result<Self, UnitError> {
        let (number, unit) = split::<Self>(raw)?;
        let seconds = time_unit(unit).ok_or_else(|| unknown::<Self>(raw, unit))?;
        scaled(number, i128::from(seconds))
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(Self)
            .ok_or_else(|| not_a::<Self>(raw))
    }

    fn write(&self) -> Raw {
        let (size, unit) = [(3600, "h"), (60, "min")]
            .into_iter()
            .find(|(size, _)| self.0 != 0 && self.0.is_multiple_of(*size))
            .unwrap_or((1, "s"));
        Raw::Text(format!("{} {unit}", self.0 / size))
    }

    fn each(&self) -> Vec<f64> {
        vec![self.0 as f64]
    }
}

impl Quantity for Number {
    const EXPECTED: &'static str = "a number";

    fn read(raw: &Raw) -> Result<Self, UnitError> {
        match raw {
            Raw::Integer(number) => Ok(Self(*number as f64)),
            Raw::Float(number) if number.is_finite() => Ok(Self(*number)),
            Raw::Float(_) | Raw::Text(_) | Raw::Bool(_) | Raw::List(_) => Err(not_a::<Self>(raw)),
        }
    }

    fn write(&self) -> Raw {
        Raw::Float(self.0)
    }

    fn each(&self) -> Vec<f64> {
        vec![self.0]
    }
}

impl Quantity for u32 {
    const EXPECTED: &'static str = "a whole number from 0 to 4294967295";

    fn read(raw: &Raw) -> Result<Self, UnitError> {
        let Raw::Integer(number) = raw else { return Err(not_a::<Self>(raw)) };
        Self::try_from(*number).map_err(|_| not_a::<Self>(raw))
    }

    fn write(&self) -> Raw {
        Raw::Integer(i64::from(*self))
    }

    fn each(&self) -> Vec<f64> {
        vec![f64::from(*self)]
    }
}

impl Quantity for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(raw: &Raw) -> Result<Self, UnitError> {
        let Raw::Bool(flag) = raw else { return Err(not_a::<Self>(raw)) };
        Ok(*flag)
    }

    fn write(&self) -> Raw {
        Raw::Bool(*self)
    }

    fn each(&self) -> Vec<f64> {
        vec![f64::from(u8::from(*self))]
    }
}

impl Quantity for Vec<Share> {
    const EXPECTED: &'static str = "a list of shares, such as [\"1%\", \"3%\", \"8%\"]";

    fn read(raw: &Raw) -> Result<Self, UnitError> {
        let Raw::List(items) = raw else { return Err(not_a::<Self>(raw)) };
        items.iter().map(Share::read).collect()
    }

    fn write(&self) -> Raw {
        Raw::List(self.iter().map(Share::write).collect())
    }

    fn each(&self) -> Vec<f64> {
        self.iter().map(|share| share.0).collect()
    }
}

fn share_scale(unit: &str) -> Option<f64> {
    match unit {
        "%" => Some(100.0),
        "bp" | "bps" => Some(10_000.0),
        _ => None,
    }
}

/// Seconds.
fn time_unit(unit: &str) -> Option<u64> {
    Some(match unit {
        "s" => 1,
        "min" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        "y" => 365 * 24 * 3600,
        _ => return None,
    })
}

/// The number and the unit of a string that has both.
fn split<T: Quantity>(raw: &Raw) -> Result<(&str, &str), UnitError> {
    let Raw::Text(text) = raw else { return Err(bare::<T>(raw)) };
    match split_text(text) {
        ("", _) => Err(not_a::<T>(raw)),
        (_, "") => Err(bare::<T>(raw)),
        parts => Ok(parts),
    }
}

/// The number that a text begins with, exponent and all, and what follows it, without blanks.
pub fn split_text(text: &str) -> (&str, &str) {
    let text = text.trim();
    let mut end = 0;
    let bytes = text.as_bytes();
    while end < bytes.len() {
        let is_exponent = matches!(bytes[end], b'e' | b'E')
            && bytes.get(end + 1).is_some_and(|next| next.is_ascii_digit() || *next == b'-');
        let is_sign = bytes[end] == b'-' && (end == 0 || matches!(bytes[end - 1], b'e' | b'E'));
        if !(bytes[end].is_ascii_digit() || bytes[end] == b'.' || is_exponent || is_sign) {
            break;
        }
        end += 1;
    }
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

fn float<T: Quantity>(raw: &Raw, number: &str) -> Result<f64, UnitError> {
    number.parse().ok().filter(|value: &f64| value.is_finite()).ok_or_else(|| not_a::<T>(raw))
}

/// `number × scale` exactly, or nothing if that is not whole.
fn scaled(number: &str, scale: i128) -> Option<i128> {
    let (sign, digits) = number.strip_prefix('-').map_or((1, number), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + fraction.len() > 18 || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let is_plain = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok().filter(|_| is_plain)?;
    let product = mantissa.checked_mul(scale)?;
    let divisor = 10i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    (product % divisor == 0).then_some(sign * product / divisor)
}

/// The shortest decimal of `value × scale` that reads back as `value`.
fn decimal(value: f64, scale: f64) -> String {
    let scaled = value * scale;
    // The product is rounded, so its neighbours may be what reads back.
    let near = [scaled, scaled.next_up(), scaled.next_down()];
    (0..=24)
        .flat_map(|digits| near.map(|number| format!("{number:.digits$}")))
        .find(|text| text.parse::<f64>().is_ok_and(|read| read / scale == value))
        .unwrap_or_else(|| format!("{scaled}"))
}

fn bare<T: Quantity>(raw: &Raw) -> UnitError {
    UnitError::Missing { found: raw.to_string(), expected: T::EXPECTED }
}

fn unknown<T: Quantity>(raw: &Raw, unit: &str) -> UnitError {
    let found = match raw {
        Raw::Text(text) => text.clone(),
        Raw::Integer(_) | Raw::Float(_) | Raw::Bool(_) | Raw::List(_) => raw.to_string(),
    };
    UnitError::Unknown { found, unit: unit.to_owned(), expected: T::EXPECTED }
}

fn not_a<T: Quantity>(raw: &Raw) -> UnitError {
    UnitError::NotA { found: raw.to_string(), expected: T::EXPECTED }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Raw {
        Raw::Text(text.into())
    }

    #[test]
    fn quantities_read_with_their_units() {
        assert_eq!(Share::read(&text("3%")), Ok(Share(0.03)));
        assert_eq!(Share::read(&text("75 bp")), Ok(Share(0.0075)));
        assert_eq!(Dollars::read(&text("$1bn")), Ok(Dollars(1_000_000_000_000_000)));
        assert_eq!(Dollars::read(&text("$2.5M")), Ok(Dollars(2_500_000_000_000)));
        assert_eq!(Dollars::read(&text("$0.000001")), Ok(Dollars(1)));
        assert_eq!(Span::read(&text("5 min")), Ok(Span(300)));
        assert_eq!(Span::read(&text("1.5h")), Ok(Span(5400)));
        assert_eq!(Rate::read(&text("0.02 /h")), Ok(Rate(0.02)));
        assert_eq!(Rate::read(&text("1%/h")), Ok(Rate(0.01)));
        assert_eq!(Rate::read(&text("24% /d")), Ok(Rate(0.01)));
        assert_eq!(Rate::read(&text("4e-5 /h")), Ok(Rate(4e-5)));
    }

    #[test]
    fn a_bare_number_is_refused_with_the_units_that_would_do() {
        let message = |raw: &Raw| Share::read(raw).unwrap_err().to_string();
        let hint = r#"has no unit; write a share, such as "3%" or "75 bp""#;
        assert_eq!(message(&Raw::Integer(3)), format!("3 {hint}"));
        assert_eq!(message(&text("0.03")), format!("\"0.03\" {hint}"));
        assert!(Dollars::read(&text("1bn")).is_err(), "no currency");
        assert!(Rate::read(&Raw::Float(0.02)).is_err());
    }

    #[test]
    fn a_unit_of_something_else_is_refused() {
        assert!(matches!(Share::read(&text("3 h")), Err(UnitError::Unknown { .. })));
        assert!(matches!(Span::read(&text("3%")), Err(UnitError::Unknown { .. })));
        assert!(matches!(Rate::read(&text("3%")), Err(UnitError::Unknown { .. })));
        assert!(matches!(Span::read(&text("0.5 s")), Err(UnitError::NotA { .. })), "not whole");
        assert!(matches!(Share::read(&text("%")), Err(UnitError::NotA { .. })));
        assert!(matches!(Share::read(&text("1..2%")), Err(UnitError::NotA { .. })));
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for share in [0.0, 0.03, 0.006, 0.07, 0.0075, 33.3 / 100.0, 1.0, 1e-9] {
            assert_eq!(Share::read(&Share(share).write()), Ok(Share(share)));
            assert_eq!(Rate::read(&Rate(share).write()), Ok(Rate(share)));
        }
        for micros in [
            0,
            1,
            999_999,
            50_000_000_000,
            2_500_000_000_000,
            1_000_000_000_000_000,
            1_234_567_891_234,
        ] {
            assert_eq!(Dollars::read(&Dollars(micros).write()), Ok(Dollars(micros)));
        }
        for seconds in [0, 1, 60, 90, 3600, 604_800] {
            assert_eq!(Span::read(&Span(seconds).write()), Ok(Span(seconds)));
        }
        assert_eq!(Dollars(1_000_000_000_000_000).write(), text("$1bn"));
        assert_eq!(Share(0.03).write(), text("3%"));
    }
}
