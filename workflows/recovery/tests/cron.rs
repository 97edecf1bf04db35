//! Our schedules against croner's: the same instants, or a documented difference.

use chrono::{DateTime, Utc};
use croner::parser::{CronParser, Seconds};
use primitives::Timestamp;
use proptest::prelude::*;
use protocol::workflow::{Cron, CronError};

proptest! {
    #[test]
    fn schedules_fire_when_croner_says(schedule in arb_schedule(), start in 0u64..4_102_444_800) {
        let ours = schedule.parse::<Cron>();
        let theirs = CronParser::builder().seconds(Seconds::Disallowed).build().parse(&schedule);
        let theirs = theirs.map_err(|error| TestCaseError::fail(format!("croner refuses {schedule}: {error}")))?;
        let from = DateTime::<Utc>::from_timestamp(i64::try_from(start).expect("before 2100"), 0).expect("a date");
        let expected = theirs.find_next_occurrence(&from, false).ok().map(|next| next.timestamp());
        match ours {
            Ok(cron) => {
                let next = cron.next_after(Timestamp(start)).map(|next| i64::try_from(next.0).expect("before 9999"));
                prop_assert_eq!(next, expected, "{} from {}", schedule, from);
            }
            Err(CronError::NeverFires { .. }) => prop_assert_eq!(expected, None),
            Err(error) => return Err(TestCaseError::fail(format!("we refuse {schedule}: {error}"))),
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,40}", fields in "[-*/,0-9A-Za-z ]{0,40}", start: u64) {
        for schedule in [text, fields] {
            if let Ok(cron) = schedule.parse::<Cron>() {
                let _ = cron.next_after(Timestamp(start));
            }
        }
    }

    #[test]
    fn a_fire_is_later_than_the_instant_and_nothing_fires_between(schedule in arb_schedule(), start in 0u64..4_102_444_800) {
        if let Ok(cron) = schedule.parse::<Cron>() {
            let next = cron.next_after(Timestamp(start)).expect("before 2100");
            prop_assert!(next > Timestamp(start) && next.0 % 60 == 0);
            let between = start + (next.0 - start) / 2;
            prop_assert_eq!(cron.next_after(Timestamp(between)), Some(next));
        }
    }
}

/// Schedules in the dialect both read. Where the days carry a step, the other one is a star: croner
/// and robfig/cron differ on whether `*/2` restricts.
fn arb_schedule() -> impl Strategy<Value = String> {
    let days = prop_oneof![
        (arb_field(1, 31), Just("*".to_owned())),
        (Just("*".to_owned()), arb_field(0, 6)),
        (arb_list(1, 31), arb_list(0, 6)),
    ];
    (arb_field(0, 59), arb_field(0, 23), days, arb_field(1, 12)).prop_map(
        |(minute, hour, (day, weekday), month)| format!("{minute} {hour} {day} {month} {weekday}"),
    )
}

fn arb_field(min: u32, max: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just("*".to_owned()),
        1 => (1..=max).prop_map(|step| format!("*/{step}")),
        3 => arb_list(min, max),
    ]
}

fn arb_list(min: u32, max: u32) -> impl Strategy<Value = String> {
    let range = (min..=max).prop_flat_map(move |first| (Just(first), first..=max));
    let item = prop_oneof![
        3 => (min..=max).prop_map(|value| value.to_string()),
        1 => range.clone().prop_map(|(first, last)| format!("{first}-{last}")),
        1 => (range, 1..=max).prop_map(|((first, last), step)| format!("{first}-{last}/{step}")),
    ];
    proptest::collection::vec(item, 1..4).prop_map(|items| items.join(","))
}
