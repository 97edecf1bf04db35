//! Instants and spans. Nobody here asks what time it is; everybody is told.

use core::fmt;
use core::ops::Add;
use core::str::FromStr;

use crate::{Decode, Encode};

/// Unix seconds, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
pub struct Timestamp(pub u64);

/// Seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
pub struct Duration(pub u64);

impl Timestamp {
    /// How long after `earlier` this is; nothing if it is not after.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the end of time, which is the safe end for a deadline.
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

/// ISO 8601 to the second, `2023-03-11T03:10:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days to a civil date: Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
        let (days, second) = (self.0 / 86_400, self.0 % 86_400);
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let (hour, minute) = (second / 3_600, second / 60 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
    }
}

/// Why a text is no [`Timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an instant from 1970 to 9999 such as 2023-03-11T03:10:00Z")]
pub struct NotAnInstant;

/// What `Display` writes, and nothing else.
impl FromStr for Timestamp {
    type Err = NotAnInstant;

    fn from_str(text: &str) -> Result<Self, NotAnInstant> {
        let shape = b"0000-00-00T00:00:00Z";
        let has_shape = text.len() == shape.len()
            && text.bytes().zip(shape).all(|(byte, mark)| match mark {
                b'0' => byte.is_ascii_digit(),
                _ => byte == *mark,
            });
        if !has_shape {
            return Err(NotAnInstant);
        }
        let number = |from: usize, to: usize| text[from..to].parse().map_err(|_| NotAnInstant);
        let (year, month, day): (u64, u64, u64) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last_day = match month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u64::from(is_leap),
            _ => 31,
        };
        let is_date = year >= 1970 && (1..=12).contains(&month) && (1..=last_day).contains(&day);
        if !is_date || hour > 23 || minute > 59 || second > 59 {
            return Err(NotAnInstant);
        }
        // A civil date to days, by the same source as `Display`: days_from_civil.
        let year_from_march = year - u64::from(month <= 2);
        let (era, year_of_era) = (year_from_march / 400, year_from_march % 400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        Ok(Self(days * 86_400 + hour * 3_600 + minute * 60 + second))
    }
}

/// The largest whole unit and the rest: `2 h 5 min`, `45 s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 3_600, self.0 / 60 % 60, self.0 % 60) {
            (0, 0, s) => write!(f, "{s} s"),
            (0, m, 0) => write!(f, "{m} min"),
            (0, m, s) => write!(f, "{m} min {s} s"),
            (h, 0, _) => write!(f, "{h} h"),
            (h, m, _) => write!(f, "{h} h {m} min"),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn instants_print_as_utc() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_678_504_200, "2023-03-11T03:10:00Z"),
            (1_678_659_300, "2023-03-12T22:15:00Z"),
        ] {
            assert_eq!(format!("{}", Timestamp(seconds)), text);
        }
    }

    #[test]
    fn what_is_written_reads_back_and_nothing_else_does() {
        // Every day to the year 2400, at a time of day that moves along, and the last second there is.
        for instant in (0..157_000).map(|day| day * 86_400 + day % 86_400).chain([253_402_300_799])
        {
            assert_eq!(format!("{}", Timestamp(instant)).parse(), Ok(Timestamp(instant)));
        }
        for text in [
            "",
            "1969-12-31T23:59:59Z",
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-00-01T00:00:00Z",
            "2023-04-31T00:00:00Z",
            "2023-04-00T00:00:00Z",
            "2023-04-01T24:00:00Z",
            "2023-04-01T00:60:00Z",
            "2023-04-01T00:00:60Z",
            "2023-04-01 00:00:00Z",
            "2023-04-01T00:00:00",
            "+023-04-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(NotAnInstant), "{text}");
        }
    }

    #[test]
    fn a_deadline_never_wraps() {
        assert_eq!(Timestamp(u64::MAX) + Duration(1), Timestamp(u64::MAX));
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration(0));
    }
}
