//! Numbers with units, read exactly: no value passes through floating point.

use primitives::{Amount, Duration, Premium, Price, Ratio};

use crate::diagnostic::{Complaint, quoted};

/// `1.02`, to millionths.
pub(crate) fn ratio(text: &str) -> Result<Ratio, Complaint> {
    const HINT: &str = "write a decimal such as 1.02, with at most 6 places";
    let millionths = decimal(text, 6).map_err(|error| error.complain(text, "a ratio", HINT))?;
    match u64::try_from(millionths) {
        Ok(0) => Err(Complaint::new(
            format!("{text} is not above 0"),
            "1.02 means reserves of 102% of liabilities",
        )),
        Ok(millionths) if millionths <= 10_000_000 => Ok(Ratio(millionths)),
        _ => Err(Complaint::new(
            format!("{} is absurd: reserves of more than 10 times the liabilities", quoted(text)),
            "1.02 means 102%; write the ratio, not the percentage",
        )),
    }
}

/// `0.5%`, to basis points, 0 to 100%.
pub(crate) fn percent(text: &str) -> Result<Premium, Complaint> {
    const HINT: &str = "write a percentage such as \"0.5%\", in steps of 0.01%";
    let Some(number) = text.strip_suffix('%') else {
        let hint = match decimal(text, 2) {
            Ok(_) => format!("write \"{text}%\" if percent is meant"),
            Err(_) => HINT.to_owned(),
        };
        return Err(Complaint::new(format!("{} has no percent sign", quoted(text)), hint));
    };
    let bps = decimal(number.trim_end(), 2)
        .map_err(|error| error.complain(text, "a percentage", HINT))?;
    match u16::try_from(bps).ok().filter(|bps| *bps <= 10_000).and_then(Premium::new) {
        Some(premium) => Ok(premium),
        None => Err(Complaint::new(format!("{} is more than 100%", quoted(text)), HINT)),
    }
}

/// `90s`, `30m`, `1h` or `2d`.
pub(crate) fn duration(text: &str) -> Result<Duration, Complaint> {
    const HINT: &str = "write a whole number and a unit: \"90s\", \"30m\", \"1h\" or \"2d\"";
    let garbage = || Complaint::new(format!("{} is not a span of time", quoted(text)), HINT);
    let (number, unit_s) = match text.char_indices().next_back() {
        Some((end, 's')) => (&text[..end], 1),
        Some((end, 'm')) => (&text[..end], 60),
        Some((end, 'h')) => (&text[..end], 60 * 60),
        Some((end, 'd')) => (&text[..end], 24 * 60 * 60),
        Some((_, '0'..='9')) if decimal(text, 0).is_ok() => {
            return Err(Complaint::new(
                format!("{} has no unit", quoted(text)),
                format!("write \"{text}s\" if seconds are meant"),
            ));
        }
        _ => return Err(garbage()),
    };
    match decimal(number, 0) {
        Ok(count) => u64::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(unit_s))
            .map(Duration)
            .ok_or_else(|| Complaint::new(format!("{} is absurdly long", quoted(text)), HINT)),
        Err(DecimalError::Negative) => {
            Err(Complaint::new(format!("{} is negative", quoted(text)), HINT))
        }
        Err(DecimalError::Places) => Err(Complaint::new(
            format!("{} is not a whole number", quoted(text)),
            "use a smaller unit: 90m for 1.5h",
        )),
        Err(DecimalError::Large) => {
            Err(Complaint::new(format!("{} is absurdly long", quoted(text)), HINT))
        }
        Err(DecimalError::Malformed) => Err(garbage()),
    }
}

/// Whole and decimal tokens of six decimals, `5_000_000_000` or `0.5`.
pub(crate) fn amount(text: &str) -> Result<Amount, Complaint> {
    const HINT: &str =
        "write tokens, not base units: \"5_000_000_000\" or \"0.5\", with at most 6 places";
    let units = decimal(text, 6).map_err(|error| error.complain(text, "an amount", HINT))?;
    Amount::new(units).map_err(|error| Complaint::new(error.to_string(), HINT))
}

/// `1.0`, to 8 decimals, above 0.
pub(crate) fn price(text: &str) -> Result<Price, Complaint> {
    const HINT: &str = "write a decimal such as \"1.0\", with at most 8 places";
    let units = decimal(text, 8).map_err(|error| error.complain(text, "a price", HINT))?;
    match u64::try_from(units) {
        Ok(0) => Err(Complaint::new("a price of 0 gives collateral away", HINT)),
        Ok(units) => Ok(Price(units)),
        Err(_) => Err(DecimalError::Large.complain(text, "a price", HINT)),
    }
}

/// A whole number, `0 ..= 2^32 - 1`.
pub(crate) fn count(text: &str) -> Result<u32, Complaint> {
    whole(text).and_then(|count| {
        u32::try_from(count).map_err(|_| DecimalError::Large.complain(text, "a count", COUNT_HINT))
    })
}

/// A whole number, `0 ..= 2^64 - 1`.
pub(crate) fn whole(text: &str) -> Result<u64, Complaint> {
    let value = decimal(text, 0).map_err(|error| error.complain(text, "a count", COUNT_HINT))?;
    u64::try_from(value).map_err(|_| DecimalError::Large.complain(text, "a count", COUNT_HINT))
}

const COUNT_HINT: &str = "write a whole number such as 4";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DecimalError {
    Malformed,
    Negative,
    Places,
    Large,
}

impl DecimalError {
    fn complain(self, text: &str, what: &str, hint: &str) -> Complaint {
        let text = quoted(text);
        let reason = match self {
            Self::Malformed => format!("{text} is not {what}"),
            Self::Negative => format!("{text} is negative"),
            Self::Places => format!("{text} has more decimal places than {what} can hold"),
            Self::Large => format!("{text} is too large for {what}"),
        };
        Complaint::new(reason, hint)
    }
}

/// `digits[.digits]`, single underscores between digits allowed, times `10^places`. Superfluous zeros
/// at the end are not places.
fn decimal(text: &str, places: usize) -> Result<u128, DecimalError> {
    let (unsigned, negative) = match text.strip_prefix('-') {
        Some(unsigned) => (unsigned, true),
        None => (text, false),
    };
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    let is_digits = |text: &str| {
        text.split('_')
            .all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if !is_digits(whole) || !fraction.is_none_or(is_digits) {
        return Err(DecimalError::Malformed);
    }
    let fraction: String =
        fraction.unwrap_or_default().trim_end_matches(['0', '_']).replace('_', "");
    if fraction.len() > places {
        return Err(DecimalError::Places);
    }
    let digits = whole
        .bytes()
        .filter(u8::is_ascii_digit)
        .chain(fraction.bytes())
        .chain(std::iter::repeat_n(b'0', places - fraction.len()));
    let mut value = 0u128;
    for digit in digits {
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(u128::from(digit - b'0')))
            .ok_or(DecimalError::Large)?;
    }
    if negative && value > 0 { Err(DecimalError::Negative) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_are_exact() {
        assert_eq!(ratio("1.02"), Ok(Ratio(1_020_000)));
        assert_eq!(ratio("1.0200000"), Ok(Ratio(1_020_000)));
        assert_eq!(ratio("10"), Ok(Ratio(10_000_000)));
        assert_eq!(percent("0.5%").map(Premium::bps), Ok(50));
        assert_eq!(percent("8 %").map(Premium::bps), Ok(800));
        assert_eq!(percent("100%").map(Premium::bps), Ok(10_000));
        assert_eq!(percent("0%").map(Premium::bps), Ok(0));
        assert_eq!(duration("90s"), Ok(Duration(90)));
        assert_eq!(duration("30m"), Ok(Duration(1_800)));
        assert_eq!(duration("1h"), Ok(Duration(3_600)));
        assert_eq!(duration("2d"), Ok(Duration(172_800)));
        assert_eq!(amount("5_000_000_000").map(Amount::units), Ok(5_000_000_000_000_000));
        assert_eq!(amount("0.000001").map(Amount::units), Ok(1));
        assert_eq!(price("1.0"), Ok(Price(100_000_000)));
        assert_eq!(count("4"), Ok(4));
    }

    #[test]
    fn quantities_that_are_none_say_why() {
        let reason = |complaint: Complaint| complaint.reason;
        for text in ["0", "-0", "0.0"] {
            assert_eq!(ratio(text).map_err(reason), Err(format!("{text} is not above 0")));
        }
        for (text, why) in [
            ("-1.02", r#""-1.02" is negative"#),
            (
                "10.000001",
                r#""10.000001" is absurd: reserves of more than 10 times the liabilities"#,
            ),
            ("102", r#""102" is absurd: reserves of more than 10 times the liabilities"#),
            ("1.0200001", r#""1.0200001" has more decimal places than a ratio can hold"#),
            ("1e3", r#""1e3" is not a ratio"#),
            (".nan", r#"".nan" is not a ratio"#),
            ("1.", r#""1." is not a ratio"#),
            ("٣", r#""٣" is not a ratio"#),
            (
                "99999999999999999999999999999999999999999",
                r#""99999999999999999999999999999999999999999" is too large for a ratio"#,
            ),
        ] {
            assert_eq!(ratio(text).map_err(reason), Err(why.into()));
        }
        for (text, why) in [
            ("0.5", r#""0.5" has no percent sign"#),
            ("lots", r#""lots" has no percent sign"#),
            ("lots%", r#""lots%" is not a percentage"#),
            ("%", r#""%" is not a percentage"#),
            ("-1%", r#""-1%" is negative"#),
            ("0.005%", r#""0.005%" has more decimal places than a percentage can hold"#),
            ("100.01%", r#""100.01%" is more than 100%"#),
        ] {
            assert_eq!(percent(text).map_err(reason), Err(why.into()));
        }
        for (text, why) in [
            ("", r#""" is not a span of time"#),
            ("h", r#""h" is not a span of time"#),
            ("1 h", r#""1 h" is not a span of time"#),
            ("1w", r#""1w" is not a span of time"#),
            ("3600", r#""3600" has no unit"#),
            ("1.5h", r#""1.5h" is not a whole number"#),
            ("-1h", r#""-1h" is negative"#),
            ("99999999999999999999d", r#""99999999999999999999d" is absurdly long"#),
            ("1é", r#""1é" is not a span of time"#),
        ] {
            assert_eq!(duration(text).map_err(reason), Err(why.into()));
        }
    }

    proptest! {
        #[test]
        fn what_a_decimal_prints_is_what_it_reads(units in 0u128..1 << 100, places in 0usize..9) {
            let scale = 10u128.pow(u32::try_from(places).expect("below 9"));
            let text = if places == 0 { units.to_string() } else { format!("{}.{:0places$}", units / scale, units % scale) };
            prop_assert_eq!(decimal(&text, places), Ok(units));
        }

        #[test]
        fn no_text_panics(text in ".{0,50}") {
            let _ = (ratio(&text), percent(&text), duration(&text), amount(&text), price(&text), count(&text));
        }
    }
}
