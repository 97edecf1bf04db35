//! Numbers that a person gives: each has an end on both sides, and whoever goes beyond is told both.

use std::num::IntErrorKind;

use primitives::Timestamp;
use study::spec::thousands;

/// Threads that make sense on a machine of few cores: what is slower than one is no harm, and what is the same everywhere
/// can be scripted.
const JOBS: usize = 64;

/// Most threads, or chunks at once: four a core, and never fewer than 64.
pub(crate) fn jobs_max() -> u64 {
    (cores() * 4).max(JOBS) as u64
}

/// What the machine has; one if it does not say.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// Reads a whole number from `least` to `most`, both included.
pub(crate) fn from_to<T: TryFrom<u64>>(
    least: u64,
    most: u64,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync {
    move |text| {
        let outside = || format!("it is outside {} to {}", thousands(least), thousands(most));
        let number: u64 = text.parse().map_err(|error: std::num::ParseIntError| {
            let is_number =
                text.strip_prefix('-').unwrap_or(text).bytes().all(|b| b.is_ascii_digit());
            if *error.kind() == IntErrorKind::Empty {
                "it is empty".to_owned()
            } else if is_number {
                outside()
            } else {
                format!("it is not a whole number from {} to {}", thousands(least), thousands(most))
            }
        })?;
        if !(least..=most).contains(&number) {
            return Err(outside());
        }
        T::try_from(number).map_err(|_| outside())
    }
}

/// The last instant of the year 9999.
const LATEST: Timestamp = Timestamp(253_402_300_799);

/// Unix seconds, or ISO 8601 to the second in UTC.
pub(crate) fn instant(text: &str) -> Result<Timestamp, String> {
    let seconds = text.parse().ok().map(Timestamp).filter(|instant| *instant <= LATEST);
    seconds.or_else(|| text.parse().ok()).ok_or_else(|| {
        format!(
            "it is neither an instant such as 2026-01-31T12:00:00Z nor Unix seconds, 0 to {}",
            thousands(LATEST.0)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_told_whatever_was_written() {
        let read = from_to::<usize>(1, 2_000);
        assert_eq!(read("1"), Ok(1));
        assert_eq!(read("2000"), Ok(2_000));
        for bad in ["0", "2001", "-1", "99999999999999999999999"] {
            assert_eq!(read(bad).unwrap_err(), "it is outside 1 to 2,000", "{bad}");
        }
        for bad in ["x", "1.5", "1e3", "0x10", "1_000", " 1"] {
            assert!(read(bad).unwrap_err().contains("whole number from 1 to 2,000"), "{bad}");
        }
        assert_eq!(from_to::<u64>(0, u64::MAX)("18446744073709551615"), Ok(u64::MAX));
    }

    #[test]
    fn instant_is_seconds_or_iso_8601_of_years_that_print() {
        assert_eq!(instant("86400"), Ok(Timestamp(86_400)));
        assert_eq!(instant("1970-01-02T00:00:00Z"), Ok(Timestamp(86_400)));
        assert_eq!(instant("2023-03-10T15:55:00Z"), Ok(Timestamp(1_678_463_700)));
        assert_eq!(instant("9999-12-31T23:59:59Z"), Ok(LATEST));
        for bad in ["2023-02-30T00:00:00Z", "yesterday", "-1", "253402300800", ""] {
            assert!(instant(bad).is_err(), "{bad}");
        }
    }
}
