//! What a recovery workflow says, once it has been read: the shape the interpreter walks.
//!
//! The `recovery` crate turns the YAML into this and refuses what does not make sense, so whoever
//! holds a [`Workflow`] may rely on the following; tests quote the numbers.
//!
//! - **W1** Step ids are unique over the whole tree, not only among siblings.
//! - **W2** A [`Reference`] names an output of a step that has run by then: one that stands earlier
//!   in the file, and not inside a conditional that has ended.
//! - **W3** There is at most one [`StepKind::DarkPool`], so `dark_pool.…` means one request. A
//!   [`StepKind::Wait`] stands after it and an [`OnchainCall::Settle`] after the wait.
//! - **W4** The cron fires at least once.
//! - **W5** Every [`StepKind::ConfidentialCompute`] names the image and the feed of the first, and a
//!   threshold only if the first has the same: a tick asks the enclave once, and all of them read
//!   that answer.
//! - **W6** A call is one its contract offers a workflow, with all of its arguments.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use primitives::{Duration, Premium, Ratio, Timestamp};

/// A workflow: one clock and the steps each tick walks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workflow {
    /// What the author calls it.
    pub name: String,
    /// When a tick happens.
    pub cron: Cron,
    /// In file order, at least one.
    pub steps: Vec<Step>,
}

/// One step, named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Unique over the workflow (W1).
    pub id: String,
    /// What to do.
    pub kind: StepKind,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepKind {
    /// Ask the enclave about the reserves.
    ConfidentialCompute(Compute),
    /// Walk `steps` if the condition holds.
    Conditional {
        /// A comparison with a boolean of an earlier step.
        condition: Condition,
        /// In file order, at least one.
        steps: Vec<Step>,
    },
    /// Ask the pool for collateral. Its one output is `id`, the request's.
    DarkPool(DarkPool),
    /// Stop the tick here until something happened. A later tick takes it up again.
    Wait {
        /// What to wait for.
        event: FillEvent,
        /// How long, [`TIMEOUT_MIN`] to [`TIMEOUT_MAX`].
        timeout: Duration,
    },
    /// Call a contract, through the forwarder.
    OnchainTx {
        /// The call.
        call: OnchainCall,
        /// The contract, resolved by the deployment to one that offers the call.
        contract: String,
    },
}

/// What the enclave is asked about the reserves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compute {
    /// The program to ask, resolved by the deployment.
    pub image: String,
    /// The reserve feed, resolved by the deployment.
    pub feed: String,
    /// Backed means reserves of at least this much of liabilities, above 0 and at most 10; none:
    /// the deployment's target.
    pub threshold: Option<Ratio>,
    /// In file order, at least one, names unique within the step.
    pub outputs: Vec<Output>,
}

/// What the pool is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DarkPool {
    /// The pool, resolved by the deployment.
    pub pool: String,
    /// The collateral, resolved by the deployment.
    pub asset: String,
    /// How much: an encrypted output.
    pub amount: Reference,
    /// The most the request offers at first. The deployment's guard may escalate it.
    pub premium: Premium,
    /// How long the request lives, [`TIMEOUT_MIN`] to [`TIMEOUT_MAX`].
    pub timeout: Duration,
}

/// A call that a workflow may write down. What goes into it is the mission's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnchainCall {
    /// `confidentialFill`, of the pool: settles the round that is ready, by its proof.
    Settle,
    /// `attestRecovery`, of the feed: the status of the tick. Sealed, `reportStatus` stands in for it
    /// until the epoch opens.
    Attest,
}

impl OnchainCall {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Settle, Self::Attest];

    /// The Solidity function's name, as a workflow writes it.
    pub const fn function(self) -> &'static str {
        match self {
            Self::Settle => "confidentialFill",
            Self::Attest => "attestRecovery",
        }
    }
}

/// A named result of a [`Compute`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Unique within the step.
    pub name: String,
    /// Who may read it.
    pub kind: OutputKind,
}

/// Who may read an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// One public bit.
    Boolean,
    /// Nobody outside the enclave.
    Encrypted,
}

/// An output of an earlier step, `step.output`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The step's id.
    pub step: String,
    /// The output's name.
    pub output: String,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.step, self.output)
    }
}

/// `step.output == equals`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The step's id.
    pub step: String,
    /// Its boolean output.
    pub output: String,
    /// What it has to be.
    pub equals: bool,
}

/// What a [`StepKind::Wait`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillEvent {
    /// `dark_pool.fill_event`: the enclave has a cleared round ready to settle.
    ClearingReady,
}

/// The shortest timeout the contracts accept.
pub const TIMEOUT_MIN: Duration = Duration(5 * 60);

/// The longest timeout the contracts accept.
pub const TIMEOUT_MAX: Duration = Duration(7 * 24 * 60 * 60);

/// The output of a [`StepKind::DarkPool`] that holds its request's id.
pub const REQUEST_ID_OUTPUT: &str = "id";

impl Workflow {
    /// Every step, outer before inner, in file order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().flat_map(Step::walk)
    }

    /// The step of that id, at any depth.
    #[must_use]
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps().find(|step| step.id == id)
    }

    /// What the enclave is asked: the first of the compute steps, which agree (W5).
    #[must_use]
    pub fn compute(&self) -> Option<&Compute> {
        self.steps().find_map(|step| match &step.kind {
            StepKind::ConfidentialCompute(compute) => Some(compute),
            StepKind::Conditional { .. }
            | StepKind::DarkPool(_)
            | StepKind::Wait { .. }
            | StepKind::OnchainTx { .. } => None,
        })
    }

    /// What the pool is asked for: the one step that asks it (W3).
    #[must_use]
    pub fn dark_pool(&self) -> Option<&DarkPool> {
        self.steps().find_map(|step| match &step.kind {
            StepKind::DarkPool(ask) => Some(ask),
            StepKind::ConfidentialCompute(_)
            | StepKind::Conditional { .. }
            | StepKind::Wait { .. }
            | StepKind::OnchainTx { .. } => None,
        })
    }
}

impl Step {
    /// This step and those inside it, in file order.
    pub fn walk(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        Box::new(core::iter::once(self).chain(self.inner().iter().flat_map(Self::walk)))
    }

    fn inner(&self) -> &[Self] {
        match &self.kind {
            StepKind::Conditional { steps, .. } => steps,
            StepKind::ConfidentialCompute(_)
            | StepKind::DarkPool(_)
            | StepKind::Wait { .. }
            | StepKind::OnchainTx { .. } => &[],
        }
    }
}

/// A five-field cron schedule in UTC: minute, hour, day of month, month, day of week.
///
/// A field is `*` or a list of numbers, ranges `a-b` and steps `*/n`, `a-b/n`. Months and weekdays
/// have English names of three letters; 7 is Sunday, like 0. Where both days are restricted, either
/// suffices; `*` and `*/1` do not restrict, `*/2` does.
///
/// Source: POSIX.1-2024, `crontab`; steps, names and what counts as restricted as in robfig/cron v3,
/// which schedules Chainlink's cron capability. Our own code, because the kept crates want a calendar
/// library, read more dialects than a CRE node does, or cannot say which field is wrong; tests compare
/// with one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    /// The fields as written, one space apart.
    text: String,
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

/// A field of a cron schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CronField {
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to 31.
    DayOfMonth,
    /// 1 to 12, or JAN to DEC.
    Month,
    /// 0 to 7, or SUN to SAT; 0 and 7 are both Sunday.
    DayOfWeek,
}

/// Why a cron schedule was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not five fields.
    #[error(
        "a schedule has 5 fields (minute, hour, day of month, month, day of week), this one has {found}"
    )]
    FieldCount {
        /// How many there are.
        found: usize,
    },
    /// An item that is nothing the field knows.
    #[error("{item:?} in the {field} field is not a number{}, a range a-b or *", if field.names().is_empty() { "" } else { ", a name" })]
    Item {
        /// Which field.
        field: CronField,
        /// The item, at most 32 characters of it.
        item: String,
    },
    /// A number the field does not have.
    #[error("{item:?} is outside the {field} field, which is {} to {}", field.range().0, field.range().1)]
    OutOfRange {
        /// Which field.
        field: CronField,
        /// The number as written, at most 32 characters of it.
        item: String,
    },
    /// A range that runs backwards.
    #[error(
        "{item:?} in the {field} field runs backwards: write two ranges, or one that ends after it starts"
    )]
    Inverted {
        /// Which field.
        field: CronField,
        /// The range as written, at most 32 characters of it.
        item: String,
    },
    /// A step of nothing, beyond the field, or of a single number.
    #[error("{item:?} in the {field} field needs a step of 1 to {} after * or a range", field.range().1)]
    Step {
        /// Which field.
        field: CronField,
        /// The item as written, at most 32 characters of it.
        item: String,
    },
    /// No date fits.
    #[error("{text:?} never fires: none of its months has any of its days")]
    NeverFires {
        /// The whole schedule.
        text: String,
    },
}

/// The values of one field, bit `n` for value `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    bits: u64,
    restricted: bool,
}

/// 31 December 9999, in days since 1 January 1970: the last day a schedule is asked about.
const DAY_MAX: u64 = 2_932_896;

/// The longest a schedule can be silent: 29 February 2096 to 29 February 2104, and the day itself.
const SILENT_DAYS_MAX: u64 = 2_922;

const MINUTES_PER_DAY: u64 = 24 * 60;

impl FromStr for Cron {
    type Err = CronError;

    /// Reads a schedule.
    ///
    /// # Errors
    /// The first field that is wrong, or [`CronError::NeverFires`].
    fn from_str(text: &str) -> Result<Self, CronError> {
        // Anything longer than five fields of every number there is would only cost time.
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let &[minute, hour, day_of_month, month, day_of_week] = fields.as_slice() else {
            return Err(CronError::FieldCount { found: fields.len() });
        };
        let cron = Self {
            text: fields.join(" "),
            minutes: Field::parse(CronField::Minute, minute)?,
            hours: Field::parse(CronField::Hour, hour)?,
            days: Field::parse(CronField::DayOfMonth, day_of_month)?,
            months: Field::parse(CronField::Month, month)?,
            weekdays: Field::parse(CronField::DayOfWeek, day_of_week)?.with_sunday_as_zero(),
        };
        if cron.fires() { Ok(cron) } else { Err(CronError::NeverFires { text: cron.text }) }
    }
}

/// The five fields as written, one space apart.
impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Cron {
    /// The first whole minute strictly after `instant` at which the schedule fires; none after the
    /// year 9999.
    #[must_use]
    pub fn next_after(&self, instant: Timestamp) -> Option<Timestamp> {
        let minute = instant.0 / 60 + 1;
        let today = minute / MINUTES_PER_DAY;
        let mut from = minute % MINUTES_PER_DAY;
        for day in today..=today + SILENT_DAYS_MAX {
            if day > DAY_MAX {
                return None;
            }
            if self.fires_on(day)
                && let Some(minute_of_day) = self.minute_of_day_from(from)
            {
                return Some(Timestamp((day * MINUTES_PER_DAY + minute_of_day) * 60));
            }
            from = 0;
        }
        None
    }

    /// Whether any date fits. Only a day of month can fail to: every month has every weekday.
    fn fires(&self) -> bool {
        self.weekdays.restricted
            || (1..=12u8).any(|month| {
                let days = match month {
                    2 => 29,
                    4 | 6 | 9 | 11 => 30,
                    _ => 31,
                };
                self.months.has(month.into()) && (1..=days).any(|day| self.days.has(day))
            })
    }

    /// `day` counts from 1 January 1970.
    fn fires_on(&self, day: u64) -> bool {
        let (month, day_of_month) = month_and_day(day);
        // 1 January 1970 was a Thursday.
        let weekday = (day + 4) % 7;
        let (by_date, by_weekday) = (self.days.has(day_of_month), self.weekdays.has(weekday));
        self.months.has(month)
            && if self.days.restricted && self.weekdays.restricted {
                by_date || by_weekday
            } else {
                by_date && by_weekday
            }
    }

    fn minute_of_day_from(&self, from: u64) -> Option<u64> {
        (from..MINUTES_PER_DAY)
            .find(|minute| self.hours.has(minute / 60) && self.minutes.has(minute % 60))
    }
}

impl Field {
    fn parse(field: CronField, text: &str) -> Result<Self, CronError> {
        let mut parsed = Self { bits: 0, restricted: true };
        for item in text.split(',') {
            let (first, last, step) = parse_item(field, item)?;
            // A list with a bare star in it restricts nothing.
            parsed.restricted &= !(item.starts_with('*') && step == 1);
            let mut value = first;
            while value <= last {
                parsed.bits |= 1 << value;
                value += step;
            }
        }
        Ok(parsed)
    }

    fn with_sunday_as_zero(self) -> Self {
        Self { bits: (self.bits | self.bits >> 7) & 0x7f, ..self }
    }

    const fn has(self, value: u64) -> bool {
        self.bits >> value & 1 == 1
    }
}

/// First, last and step of `*`, `*/n`, `a`, `a-b` or `a-b/n`; the step is at least 1.
fn parse_item(field: CronField, item: &str) -> Result<(u64, u64, u64), CronError> {
    let shown = || item.chars().take(32).collect::<String>();
    let (min, max) = field.range();
    let (range, step) = match item.split_once('/') {
        None => (item, None),
        Some((range, step)) => match number(step) {
            Some(step) if (1..=max).contains(&step) => (range, Some(step)),
            _ => return Err(CronError::Step { field, item: shown() }),
        },
    };
    if range == "*" {
        // For the day of week 7 is Sunday again, and `*/n` must not count it twice.
        let last = if matches!(field, CronField::DayOfWeek) { 6 } else { max };
        return Ok((min, last, step.unwrap_or(1)));
    }
    let value = |text: &str| {
        let named = (min..)
            .zip(field.names())
            .find(|(_, name)| name.eq_ignore_ascii_case(text))
            .map(|(value, _)| value);
        let value = named
            .or_else(|| number(text))
            .ok_or_else(|| CronError::Item { field, item: shown() })?;
        if (min..=max).contains(&value) {
            Ok(value)
        } else {
            Err(CronError::OutOfRange { field, item: shown() })
        }
    };
    match (range.split_once('-'), step) {
        (Some((first, last)), step) => {
            let (first, last) = (value(first)?, value(last)?);
            if first > last {
                Err(CronError::Inverted { field, item: shown() })
            } else {
                Ok((first, last, step.unwrap_or(1)))
            }
        }
        (None, None) => value(range).map(|only| (only, only, 1)),
        // `5/10` means 5 to some crons and 5-59/10 to others.
        (None, Some(_)) => Err(CronError::Step { field, item: shown() }),
    }
}

/// Digits only, so no sign; a number too large for 64 bits is as large as can be.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

impl CronField {
    /// Smallest and largest value.
    #[must_use]
    pub const fn range(self) -> (u64, u64) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 7),
        }
    }

    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Minute | Self::Hour | Self::DayOfMonth => &[],
            Self::Month => &[
                "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
            ],
            Self::DayOfWeek => &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
        }
    }
}

impl fmt::Display for CronField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day-of-month",
            Self::Month => "month",
            Self::DayOfWeek => "day-of-week",
        })
    }
}

/// Month, 1 to 12, and day of month of a day counted from 1 January 1970.
///
/// Source: Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
const fn month_and_day(day: u64) -> (u64, u64) {
    let day_of_era = (day + 719_468) % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    (if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 }, day_of_month)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    /// Checks what follows 10 March 2023, 00:00:00 UTC, a Friday; the list ends where the schedule does.
    fn check(schedule: &str, expected: &[&str]) {
        let cron: Cron = schedule.parse().expect("a schedule");
        let mut instant = Timestamp(1_678_406_400);
        for expected in expected {
            instant = cron.next_after(instant).expect("fires again");
            assert_eq!(&instant.to_string(), expected, "{schedule}");
        }
    }

    fn refuse(schedule: &str) -> CronError {
        schedule.parse::<Cron>().expect_err(schedule)
    }

    #[test]
    fn schedules_fire_when_they_say() {
        check("*/5 * * * *", &["2023-03-10T00:05:00Z", "2023-03-10T00:10:00Z"]);
        check("* * * * *", &["2023-03-10T00:01:00Z", "2023-03-10T00:02:00Z"]);
        check("0 0 * * *", &["2023-03-11T00:00:00Z", "2023-03-12T00:00:00Z"]);
        check("59 23 31 12 *", &["2023-12-31T23:59:00Z", "2024-12-31T23:59:00Z"]);
        check(
            "10-30/10,55 9 * * *",
            &[
                "2023-03-10T09:10:00Z",
                "2023-03-10T09:20:00Z",
                "2023-03-10T09:30:00Z",
                "2023-03-10T09:55:00Z",
            ],
        );
        check("  0  12 * mar SUN ", &["2023-03-12T12:00:00Z", "2023-03-19T12:00:00Z"]);
        check(
            "0 12 * * 5-7",
            &[
                "2023-03-10T12:00:00Z",
                "2023-03-11T12:00:00Z",
                "2023-03-12T12:00:00Z",
                "2023-03-17T12:00:00Z",
            ],
        );
        check(
            "0 0 31 * *",
            &["2023-03-31T00:00:00Z", "2023-05-31T00:00:00Z", "2023-07-31T00:00:00Z"],
        );
    }

    #[test]
    fn leap_days_are_found_across_a_century() {
        check("0 0 29 2 *", &["2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"]);
        let cron: Cron = "0 0 29 2 *".parse().expect("a schedule");
        let after_2096 = cron.next_after(Timestamp(3_981_312_000)).expect("2104 is a leap year");
        assert_eq!(after_2096.to_string(), "2104-02-29T00:00:00Z");
    }

    #[test]
    fn two_restricted_days_are_alternatives() {
        check("0 0 13 * FRI", &["2023-03-13T00:00:00Z", "2023-03-17T00:00:00Z"]);
        check("0 0 13 * *", &["2023-03-13T00:00:00Z", "2023-04-13T00:00:00Z"]);
        check("0 0 13 * */1", &["2023-03-13T00:00:00Z", "2023-04-13T00:00:00Z"]);
        // A step restricts: the 13th, or any Sunday, Tuesday, Thursday or Saturday.
        check(
            "0 0 13 * */2",
            &["2023-03-11T00:00:00Z", "2023-03-12T00:00:00Z", "2023-03-13T00:00:00Z"],
        );
        // A weekday rescues a date that does not exist.
        check("0 0 30 2 MON", &["2024-02-05T00:00:00Z", "2024-02-12T00:00:00Z"]);
    }

    #[test]
    fn a_fire_is_strictly_after_the_instant_asked_about() {
        let cron: Cron = "*/5 * * * *".parse().expect("a schedule");
        for (from, to) in [(0, 300), (299, 300), (300, 600), (301, 600), (359, 600)] {
            assert_eq!(cron.next_after(Timestamp(from)), Some(Timestamp(to)));
        }
        assert_eq!(cron.next_after(Timestamp(u64::MAX)), None);
    }

    #[test]
    fn a_schedule_without_a_date_never_fires() {
        for schedule in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "* * 30,31 FEB */1"] {
            let CronError::NeverFires { text } = refuse(schedule) else {
                panic!("{schedule} was refused otherwise")
            };
            assert_eq!(text, schedule);
        }
    }

    #[test]
    fn malformed_schedules_name_the_field() {
        for (schedule, message) in [
            (
                "",
                "a schedule has 5 fields (minute, hour, day of month, month, day of week), this one has 0",
            ),
            (
                "@daily",
                "a schedule has 5 fields (minute, hour, day of month, month, day of week), this one has 1",
            ),
            (
                "* * * * * *",
                "a schedule has 5 fields (minute, hour, day of month, month, day of week), this one has 6",
            ),
            ("x * * * *", r#""x" in the minute field is not a number, a range a-b or *"#),
            (
                "* * * * FRY",
                r#""FRY" in the day-of-week field is not a number, a name, a range a-b or *"#,
            ),
            ("-1 * * * *", r#""-1" in the minute field is not a number, a range a-b or *"#),
            ("+1 * * * *", r#""+1" in the minute field is not a number, a range a-b or *"#),
            ("1,,2 * * * *", r#""" in the minute field is not a number, a range a-b or *"#),
            ("60 * * * *", r#""60" is outside the minute field, which is 0 to 59"#),
            (
                "* 99999999999999999999 * * *",
                r#""99999999999999999999" is outside the hour field, which is 0 to 23"#,
            ),
            ("* * 0 * *", r#""0" is outside the day-of-month field, which is 1 to 31"#),
            (
                "* 22-2 * * *",
                r#""22-2" in the hour field runs backwards: write two ranges, or one that ends after it starts"#,
            ),
            (
                "*/0 * * * *",
                r#""*/0" in the minute field needs a step of 1 to 59 after * or a range"#,
            ),
            (
                "*/90 * * * *",
                r#""*/90" in the minute field needs a step of 1 to 59 after * or a range"#,
            ),
            (
                "*/+5 * * * *",
                r#""*/+5" in the minute field needs a step of 1 to 59 after * or a range"#,
            ),
            (
                "5/10 * * * *",
                r#""5/10" in the minute field needs a step of 1 to 59 after * or a range"#,
            ),
        ] {
            assert_eq!(refuse(schedule).to_string(), message);
        }
    }

    #[test]
    fn a_schedule_prints_as_it_was_written() {
        assert_eq!(
            " */5  * * *  *".parse::<Cron>().expect("a schedule").to_string(),
            "*/5 * * * *"
        );
    }

    #[test]
    fn steps_are_walked_in_file_order() {
        let wait = |id: &str| Step {
            id: id.into(),
            kind: StepKind::Wait { event: FillEvent::ClearingReady, timeout: TIMEOUT_MIN },
        };
        let condition = Condition { step: "a".into(), output: "x".into(), equals: false };
        let branch = Step {
            id: "b".into(),
            kind: StepKind::Conditional { condition, steps: vec![wait("c"), wait("d")] },
        };
        let cron = "* * * * *".parse().expect("a schedule");
        let workflow =
            Workflow { name: "w".into(), cron, steps: vec![wait("a"), branch, wait("e")] };

        let ids: Vec<&str> = workflow.steps().map(|step| step.id.as_str()).collect();

        assert_eq!(ids, ["a", "b", "c", "d", "e"]);
        assert_eq!(workflow.step("d").map(|step| step.id.as_str()), Some("d"));
        assert_eq!(workflow.step("f"), None);
    }

    #[test]
    fn the_enclave_and_the_pool_are_asked_by_the_first_step_at_any_depth() {
        let step = |id: &str, kind| Step { id: id.into(), kind };
        let compute = |feed: &str| {
            StepKind::ConfidentialCompute(Compute {
                image: "i".into(),
                feed: feed.into(),
                threshold: None,
                outputs: vec![],
            })
        };
        let ask = DarkPool {
            pool: "p".into(),
            asset: "a".into(),
            amount: Reference { step: "s".into(), output: "o".into() },
            premium: Premium::default(),
            timeout: TIMEOUT_MIN,
        };
        let condition = Condition { step: "s".into(), output: "o".into(), equals: false };
        let inner = vec![step("c", compute("first")), step("d", StepKind::DarkPool(ask.clone()))];
        let branch = step("b", StepKind::Conditional { condition, steps: inner });
        let cron: Cron = "* * * * *".parse().expect("a schedule");
        let steps = vec![branch, step("e", compute("second"))];
        let workflow = Workflow { name: "w".into(), cron: cron.clone(), steps };
        let empty = Workflow { name: "w".into(), cron, steps: vec![] };

        assert_eq!(workflow.compute().map(|compute| compute.feed.as_str()), Some("first"));
        assert_eq!(workflow.dark_pool(), Some(&ask));
        assert_eq!((empty.compute(), empty.dark_pool()), (None, None));
    }
}
