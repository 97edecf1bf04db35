//! Schedules as CRE's cron trigger takes them: five fields, or six with seconds first; UTC.

use std::str::FromStr;

use primitives::Timestamp;
use protocol::workflow::Cron;

/// When a cron trigger fires.
#[derive(Debug)]
pub(crate) struct Schedule {
    minutes: Cron,
    /// Of a minute, ascending; at least one.
    seconds: Vec<u64>,
}

impl Schedule {
    /// Reads a schedule; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut text = text.trim();
        for zone in ["TZ=UTC ", "CRON_TZ=UTC ", "TZ=Etc/UTC ", "CRON_TZ=Etc/UTC "] {
            text = text.strip_prefix(zone).unwrap_or(text).trim_start();
        }
        if text.contains("TZ=") {
            return Err("a time zone other than UTC".to_owned());
        }
        let (seconds, minutes) = match text.split_ascii_whitespace().count() {
            6 => text.split_once(char::is_whitespace).unwrap_or(("0", text)),
            _ => ("0", text),
        };
        let minutes = Cron::from_str(minutes).map_err(|error| error.to_string())?;
        // Seconds of a minute are written as minutes of an hour are.
        let as_minutes =
            Cron::from_str(&format!("{seconds} * * * *")).map_err(|error| error.to_string())?;
        let fires = |second: &u64| {
            as_minutes.next_after(Timestamp(second * 60 + 3_599))
                == Some(Timestamp(second * 60 + 3_600))
        };
        Ok(Self { minutes, seconds: (0..60).filter(fires).collect() })
    }

    /// The first second strictly after `instant` at which it fires; none after the year 9999.
    pub(crate) fn next_after(&self, instant: Timestamp) -> Option<Timestamp> {
        let minute = instant.0 - instant.0 % 60;
        // The minute of `instant` itself, if it is one: asked for from just before it.
        let this = self.minutes.next_after(Timestamp(minute.saturating_sub(1)));
        if this == Some(Timestamp(minute))
            && let Some(second) = self.seconds.iter().find(|second| minute + **second > instant.0)
        {
            return Some(Timestamp(minute + second));
        }
        let next = self.minutes.next_after(instant)?;
        Some(Timestamp(next.0 + self.seconds.first()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fires(text: &str, from: u64, n: usize) -> Vec<u64> {
        let schedule = Schedule::parse(text).expect("a schedule");
        let mut at = Timestamp(from);
        (0..n)
            .map(|_| {
                at = schedule.next_after(at).expect("fires again");
                at.0
            })
            .collect()
    }

    #[test]
    fn seconds_are_a_field_of_their_own() {
        assert_eq!(fires("*/30 * * * * *", 86_405, 3), [86_430, 86_460, 86_490]);
        assert_eq!(fires("15 */5 * * * *", 86_400, 2), [86_415, 86_715]);
        assert_eq!(fires("TZ=UTC */5 * * * *", 86_400, 2), [86_700, 87_000]);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in ["", "* * *", "60 * * * * *", "CRON_TZ=Europe/Paris * * * * *", "@hourly"] {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
    }
}
