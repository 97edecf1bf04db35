//! Amounts of tokens as people write them, exactly: no float comes near one.

use primitives::Amount;

use super::refuse;
use crate::Failure;

/// Reads tokens, such as `1000` or `12.5`, as base units of a token with so many decimals.
pub(crate) fn parse(text: &str, decimals: u8) -> Result<Amount, Failure> {
    let wrong = |what: &str| {
        refuse(
            format!("amount {text:?} {what}"),
            format!("digits, and at most {decimals} after a point: 1000 or 12.5"),
        )
    };
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(rest) || text.ends_with('.') {
        return Err(wrong("is no number of tokens"));
    }
    if rest.len() > usize::from(decimals) {
        return Err(wrong("is finer than the token"));
    }
    let units = format!("{whole}{rest:0<width$}", width = usize::from(decimals));
    let amount = units.parse().ok().and_then(|units| Amount::new(units).ok());
    let amount = amount.filter(|amount| amount.units() < pool::AMOUNT_END);
    match amount.ok_or_else(|| wrong("is more than a note holds"))? {
        amount if amount.units() == 0 => Err(wrong("is nothing")),
        amount => Ok(amount),
    }
}

/// Base units in tokens, without zeros at the end.
pub(crate) fn words(units: u128, decimals: u8) -> String {
    let one = 10_u128.pow(u32::from(decimals));
    let (whole, rest) = (units / one, units % one);
    if rest == 0 {
        return whole.to_string();
    }
    let rest = format!("{rest:0width$}", width = usize::from(decimals));
    format!("{whole}.{}", rest.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_to_the_last_digit_or_refused() {
        for (text, decimals, units) in [
            ("1000", 6, 1_000_000_000),
            ("12.5", 6, 12_500_000),
            ("0.000001", 6, 1),
            ("007", 0, 7),
            ("5192296858534827.628530496329220095", 18, pool::AMOUNT_END - 1),
        ] {
            let read = parse(text, decimals).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            assert_eq!(read.units(), units);
            assert_eq!(words(units, decimals), text.trim_start_matches("00"));
        }
        for (text, decimals) in [
            ("", 6),
            (".5", 6),
            ("5.", 6),
            ("-1", 6),
            ("1e3", 6),
            ("1,000", 6),
            ("1.0000001", 6),
            ("1.5", 0),
            ("0", 6),
            ("0.0", 6),
            ("5192296858534827.628530496329220096", 18),
            ("340282366920938463463374607431768211456", 0),
        ] {
            assert!(parse(text, decimals).is_err(), "{text:?}");
        }
    }
}
