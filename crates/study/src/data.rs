//! A measured series of prices: read, checked for order and gaps, and turned into discounts against hours.
//!
//! Fields, quotes and line ends are the `csv` crate's business. What a row means is decided here, and a row that could mean
//! two things is refused with its line and its column.

use primitives::Timestamp;
use serde::Serialize;

/// Prices in dollars per coin that a stablecoin has had: none has been a tenth of a mill, and what is above is in cents, or
/// of another coin.
pub const PRICES: (f64, f64) = (0.0001, 5.0);

/// Most rows, filled ones counted: two years of minutes.
pub const ROWS_MAX: usize = 1 << 20;

/// What is wrong with a series, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("{file}: {cause}")]
    Unreadable {
        /// Its name.
        file: String,
        /// The system's words.
        cause: String,
    },
    /// No such column in the first line.
    #[error("{file}, line {line}: no column {column:?} in {header:?}")]
    NoColumn {
        /// Its name.
        file: String,
        /// From one.
        line: usize,
        /// What was asked for.
        column: String,
        /// What there is.
        header: String,
    },
    /// Two columns of the name that was asked for.
    #[error("{file}, line {line}: columns {first} and {second} are both named {column:?}")]
    SameName {
        /// Its name.
        file: String,
        /// From one.
        line: usize,
        /// What was asked for.
        column: String,
        /// From one.
        first: usize,
        /// From one.
        second: usize,
    },
    /// A quote without its other half: what follows it would be one field.
    #[error("{file}, line {line}: a quote that is not closed")]
    Quote {
        /// Its name.
        file: String,
        /// From one.
        line: usize,
    },
    /// A row of another width than the first line.
    #[error("{file}, line {line}: {found} columns, and the first line has {expected}")]
    Width {
        /// Its name.
        file: String,
        /// From one.
        line: usize,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A field that cannot be read.
    #[error("{file}, line {line}, column {column} ({name}): {found:?} is not {expected}")]
    NotA {
        /// Its name.
        file: String,
        /// From one.
        line: usize,
        /// From one.
        column: usize,
        /// What the first line calls it.
        name: String,
        /// As written.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// A price that no stablecoin has.
    #[error("{file}, line {line}, column {column} ({name}): {found} is outside {} to {} dollars per coin", PRICES.0, PRICES.1)]
    Price {
        /// Its name.
        file: String,
        /// From one.
        line: usize,
        /// From one.
        column: usize,
        /// What the first line calls it.
        name: String,
        /// As written.
        found: String,
    },
    /// Time goes back, or stands still.
    #[error("{file}, line {line}: {time} does not come after {before}")]
    Unordered {
        /// Its name.
        file: String,
        /// From one.
        line: usize,
        /// The time there.
        time: String,
        /// The time before.
        before: String,
    },
    /// A row between two steps.
    #[error(
        "{file}, line {line}: {time} is {after_s} s after {before}, and the step is {step_s} s"
    )]
    OffGrid {
        /// Its name.
        file: String,
        /// From one.
        line: usize,
        /// The time there.
        time: String,
        /// The time before.
        before: String,
        /// Seconds between the two.
        after_s: u64,
        /// Seconds there should be.
        step_s: u64,
    },
    /// A row is missing.
    #[error("{file}, line {line}: {} missing between {before} and {time}", rows(*.missing))]
    Gap {
        /// Its name.
        file: String,
        /// From one.
        line: usize,
        /// The time there.
        time: String,
        /// The time before.
        before: String,
        /// How many.
        missing: u64,
    },
    /// More rows than anybody looks at.
    #[error("{file}: more than {ROWS_MAX} rows")]
    TooLong {
        /// Its name.
        file: String,
    },
    /// No row at the time of the shock.
    #[error("{file}: no row at {time}; {series}")]
    NoShock {
        /// Its name.
        file: String,
        /// The time given.
        time: String,
        /// From when to when the series goes.
        series: String,
    },
}

fn rows(count: u64) -> String {
    if count == 1 { "1 row is".to_owned() } else { format!("{count} rows are") }
}

impl Error {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "data.path is relative to the spec; leave [data] out to do without the series"
            }
            Self::NoColumn { .. } => {
                "data.time and data.price name columns of the first line, which commas separate"
            }
            Self::SameName { .. } => "rename one of the two",
            Self::Quote { .. } => "close it, or write it twice within a quoted field",
            Self::Width { .. } => {
                "a comma within a field, as between thousands, takes quotes around the field"
            }
            Self::NotA { .. } => {
                "times are written 2023-03-10T16:00:00Z or as Unix seconds, prices as dollars per coin with a point"
            }
            Self::Price { .. } => "prices in cents or of another coin are not converted here",
            Self::Unordered { .. } => "sort the file by time, ascending, one row a time",
            Self::OffGrid { .. } => "correct data.step, or leave out rows between two steps",
            Self::Gap { .. } => {
                "fill the rows from the source, or write data.fill = \"last\" or \"linear\""
            }
            Self::TooLong { .. } => "give the days around the shock only, or a longer step",
            Self::NoShock { .. } => "data.shock_at is a time of the series",
        }
    }
}

/// What stands for a row that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// Nothing: a gap is refused.
    #[default]
    No,
    /// The price before.
    Last,
    /// The line between the prices around.
    Linear,
}

impl Fill {
    /// Every value, as a file writes it.
    pub const ALL: [(&'static str, Self); 3] =
        [("no", Self::No), ("last", Self::Last), ("linear", Self::Linear)];

    pub(crate) fn is_no(&self) -> bool {
        *self == Self::No
    }
}

/// Discounts against hours since the shock, ascending; negative hours are before it.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
pub struct Series {
    /// The file's name.
    pub name: String,
    /// SHA-256 of the file, hexadecimal.
    pub hash: String,
    /// Hours since the shock and 1 − price.
    pub discounts: Vec<(f64, f64)>,
}

/// Reads a series.
///
/// # Errors
/// [`Error`], with line and column.
pub fn parse(source: &str, file: &str, spec: &crate::spec::DataSpec) -> Result<Series, Error> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(source.as_bytes());
    let mut lines = Lines { source: source.as_bytes(), at: 0, line: 1 };
    let name = || file.to_owned();
    let mut record = csv::StringRecord::new();
    let mut next = |record: &mut csv::StringRecord| -> Result<Option<usize>, Error> {
        loop {
            // The position before a record is that of the blank lines before it, too.
            let before = reader.position().byte();
            let is_there = reader
                .read_record(record)
                .map_err(|error| Error::Unreadable { file: name(), cause: error.to_string() })?;
            if !is_there {
                return Ok(None);
            }
            if record.len() > 1 || record.get(0).is_some_and(|field| !field.is_empty()) {
                return Ok(Some(lines.of(before)));
            }
        }
    };
    // Escaped ones come in pairs, too.
    if !source.matches('"').count().is_multiple_of(2) {
        let before = source.rfind('"').map_or(source, |last| &source[..last]);
        return Err(Error::Quote { file: name(), line: before.matches('\n').count() + 1 });
    }
    let line = next(&mut record)?.unwrap_or(1);
    let header = record.clone();
    let column = |wanted: &str| {
        let mut found = header.iter().enumerate().filter(|(_, name)| *name == wanted);
        let Some((first, _)) = found.next() else {
            let header = header.iter().collect::<Vec<_>>().join(",");
            return Err(Error::NoColumn { file: name(), line, column: wanted.to_owned(), header });
        };
        match found.next() {
            None => Ok(first),
            Some((second, _)) => Err(Error::SameName {
                file: name(),
                line,
                column: wanted.to_owned(),
                first: first + 1,
                second: second + 1,
            }),
        }
    };
    let (time_column, price_column) = (column(&spec.time)?, column(&spec.price)?);
    let mut rows: Vec<(i64, f64)> = Vec::new();
    let mut before = String::new();
    while let Some(line) = next(&mut record)? {
        if record.len() != header.len() {
            let (found, expected) = (record.len(), header.len());
            return Err(Error::Width { file: name(), line, found, expected });
        }
        let field = |column: usize| record.get(column).unwrap_or_default();
        let not_a = |column: usize, expected| Error::NotA {
            file: name(),
            line,
            column: column + 1,
            name: header.get(column).unwrap_or_default().to_owned(),
            found: field(column).to_owned(),
            expected,
        };
        let time = field(time_column);
        let at = epoch(time).ok_or_else(|| not_a(time_column, TIME))?;
        let price = plain(field(price_column))
            .ok_or_else(|| not_a(price_column, "a positive price, digits with a point"))?;
        if !(PRICES.0..=PRICES.1).contains(&price) {
            return Err(Error::Price {
                file: name(),
                line,
                column: price_column + 1,
                name: spec.price.clone(),
                found: field(price_column).to_owned(),
            });
        }
        if let Some((last_at, last)) = rows.last().copied() {
            let (time, before) = (time.to_owned(), before.clone());
            let after_s = u64::try_from(at - last_at).unwrap_or(0);
            let step_s = spec.step_s.max(1);
            if after_s == 0 {
                return Err(Error::Unordered { file: name(), line, time, before });
            }
            if !after_s.is_multiple_of(step_s) {
                return Err(Error::OffGrid { file: name(), line, time, before, after_s, step_s });
            }
            let missing = after_s / step_s - 1;
            if missing > 0 && spec.fill.is_no() {
                return Err(Error::Gap { file: name(), line, time, before, missing });
            }
            if missing > (ROWS_MAX - rows.len().min(ROWS_MAX)) as u64 {
                return Err(Error::TooLong { file: name() });
            }
            for step in 1..=missing {
                let at = last_at + i64::try_from(step * step_s).unwrap_or(0);
                let share = crate::stats::to_f64(step) / crate::stats::to_f64(missing + 1);
                let filled = match spec.fill {
                    Fill::No | Fill::Last => last,
                    Fill::Linear => last + (price - last) * share,
                };
                rows.push((at, filled));
            }
        }
        if rows.len() >= ROWS_MAX {
            return Err(Error::TooLong { file: name() });
        }
        time.clone_into(&mut before);
        rows.push((at, price));
    }
    let shock = epoch(&spec.shock_at).filter(|at| rows.iter().any(|(time, _)| time == at));
    let Some(shock) = shock else {
        let say = |row: Option<&(i64, f64)>| {
            row.and_then(|(at, _)| u64::try_from(*at).ok())
                .map_or_else(|| "nothing".to_owned(), |at| Timestamp(at).to_string())
        };
        let series = format!("the series goes from {} to {}", say(rows.first()), say(rows.last()));
        return Err(Error::NoShock { file: name(), time: spec.shock_at.clone(), series });
    };
    #[allow(clippy::cast_precision_loss, reason = "seconds of a few days")]
    let hours = |at: i64| (at - shock) as f64 / 3_600.0;
    let discounts = rows.into_iter().map(|(at, price)| (hours(at), 1.0 - price)).collect();
    Ok(Series { name: name(), hash: crate::hash::hex(source.as_bytes()), discounts })
}

/// Lines by byte, asked for in ascending order.
struct Lines<'a> {
    source: &'a [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of the first record at or after byte `before`.
    fn of(&mut self, before: u64) -> usize {
        let before = usize::try_from(before).unwrap_or(usize::MAX);
        while let Some(byte) = self.source.get(self.at) {
            let is_break = match byte {
                b'\n' => true,
                b'\r' => self.source.get(self.at + 1) != Some(&b'\n'),
                _ => false,
            };
            if self.at >= before && !matches!(byte, b'\n' | b'\r') {
                break;
            }
            self.line += usize::from(is_break);
            self.at += 1;
        }
        self.line
    }
}

/// Digits and a point, as every spreadsheet writes them; no thousands, no signs, no words.
fn plain(text: &str) -> Option<f64> {
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-' | '+');
    text.parse()
        .ok()
        .filter(|value: &f64| text.chars().all(is_number) && value.is_finite() && *value > 0.0)
}

/// What a time is, in an error.
pub(crate) const TIME: &str = "a time with its zone: 2023-03-10T16:00:00Z, 2023-03-10 17:00:00+01:00, or Unix seconds or milliseconds";

/// Seconds since 1970 of a time in one of the usual spellings. One without a zone, or finer than a second, is none.
pub(crate) fn epoch(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return unix(text);
    }
    let text = text.trim();
    let (date, rest) = text.split_at_checked(10)?;
    if rest.is_empty() {
        // A day is a row of a daily series, and begins at midnight.
        return seconds(date, "00:00:00");
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let end =
        rest.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(end);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    if fraction.is_empty() || fraction.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let time = if time.len() == 5 { format!("{time}:00") } else { time.to_owned() };
    Some(seconds(date, &time)? - offset(zone.trim_start())?)
}

fn seconds(date: &str, time: &str) -> Option<i64> {
    let Timestamp(seconds) = format!("{date}T{time}Z").parse().ok()?;
    i64::try_from(seconds).ok()
}

/// Seconds that a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z" | "UTC" | "GMT" | "utc") {
        return Some(0);
    }
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replacen(':', "", 1);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = match digits.len() {
        2 => (digits.as_str(), "0"),
        4 => digits.split_at(2),
        _ => return None,
    };
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Unix seconds or milliseconds, told apart by their size: both are of 1973 or later, and of no year beyond 5138.
fn unix(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || fraction.bytes().any(|byte| byte != b'0') {
        return None;
    }
    match whole.parse().ok()? {
        seconds @ 100_000_000..100_000_000_000 => Some(seconds),
        millis @ 100_000_000_000..100_000_000_000_000_i64 => {
            (millis % 1_000 == 0).then_some(millis / 1_000)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::DataSpec;

    fn spec() -> DataSpec {
        DataSpec {
            path: "p.csv".into(),
            time: "hour".into(),
            price: "vwap".into(),
            step_s: 3_600,
            shock_at: "2023-03-10T17:00:00Z".into(),
            fill: Fill::No,
        }
    }

    const GOOD: &str = "hour,low,vwap\n2023-03-10T16:00:00Z,1,1.0\n2023-03-10T17:00:00Z,1,0.99\n2023-03-10T18:00:00Z,1,0.97\n";

    fn error(source: &str) -> String {
        parse(source, "p.csv", &spec()).unwrap_err().to_string()
    }

    #[test]
    fn prices_become_discounts_since_the_shock() {
        let series = parse(GOOD, "p.csv", &spec()).unwrap();
        assert_eq!(series.discounts.len(), 3);
        assert_eq!(series.discounts[0].0, -1.0);
        assert!((series.discounts[2].1 - 0.03).abs() < 1e-12);
    }

    #[test]
    fn the_usual_spellings_of_a_table_are_the_same_series() {
        let expected = parse(GOOD, "p.csv", &spec()).unwrap().discounts;
        let seconds = |n: i64| (1_678_464_000 + n * 3_600).to_string();
        let written = |times: [String; 3]| {
            let [a, b, c] = times;
            format!("hour,low,vwap\n{a},1,1.0\n{b},1,0.99\n{c},1,0.97\n")
        };
        let each = |write: &dyn Fn(i64) -> String| written([write(0), write(1), write(2)]);
        for same in [
            GOOD.replace('\n', "\r\n"),
            format!("\u{feff}{GOOD}"),
            GOOD.replace('\n', "\n\n"),
            GOOD.trim_end().to_owned(),
            GOOD.replace("hour,low", "\"hour\",\"low, in $\"").replace(",1,", ",\"1,000\","),
            GOOD.replace("hour,low,vwap", " hour , low , vwap "),
            GOOD.replace('Z', "+00:00"),
            GOOD.replace('Z', ".000Z"),
            GOOD.replace(":00Z", "Z"),
            GOOD.replace('T', " ").replace('Z', " UTC"),
            each(&|n| format!("2023-03-10T{}:30:00+01:30", 17 + n)),
            each(&|n| format!("2023-03-10 {}:00:00-0500", 11 + n)),
            each(&|n| seconds(n)),
            each(&|n| seconds(n) + ".0"),
            each(&|n| seconds(n) + "000"),
            GOOD.replace("0.97", "9.7e-1"),
        ] {
            match parse(&same, "p.csv", &spec()) {
                Ok(series) => assert_eq!(series.discounts, expected, "{same}"),
                Err(error) => panic!("{error}\n{same}"),
            }
        }
    }

    #[test]
    fn what_could_be_misread_is_refused_with_line_and_column() {
        let line = "2023-03-10T18:00:00Z,1,0.97";
        let last = |instead: &str| GOOD.replace(line, instead);
        let price = "p.csv, line 4, column 3 (vwap): ";
        let time = "p.csv, line 4, column 1 (hour): ";
        for (source, expected) in [
            (last("2023-03-10T18:00:00Z,1,234.5"), format!("{price}234.5 is outside 0.0001 to 5")),
            (last("2023-03-10T18:00:00Z,1,97.1"), format!("{price}97.1 is outside")),
            (last("2023-03-10T18:00:00Z,1,0.00001"), format!("{price}0.00001 is outside")),
            (
                last("2023-03-10T18:00:00Z,1,1,234.5"),
                "line 4: 4 columns, and the first line has 3".into(),
            ),
            (last("2023-03-10T18:00:00Z,0.97"), "line 4: 2 columns".into()),
            (
                last("2023-03-10T18:00:00Z,1,\"1,234.5\""),
                format!("{price}\"1,234.5\" is not a positive"),
            ),
            (last("2023-03-10T18:00:00Z,1,\"0,97\""), format!("{price}\"0,97\"")),
            (last("2023-03-10T18:00:00Z,1,"), format!("{price}\"\" is not")),
            (last("2023-03-10T18:00:00Z,1,-1"), format!("{price}\"-1\"")),
            (last("2023-03-10T18:00:00Z,1,NaN"), format!("{price}\"NaN\"")),
            (last("2023-03-10T18:00:00Z,1,inf"), format!("{price}\"inf\"")),
            (last("2023-03-10T18:00:00Z,1,1e400"), format!("{price}\"1e400\"")),
            (last("2023-03-10T18:00:00Z,1,$0.97"), format!("{price}\"$0.97\"")),
            (last("2023-03-10T18:00:00Z,1,\"0.97"), "line 4: a quote that is not closed".into()),
            (
                last("2023-03-10T18:00:00,1,0.97"),
                format!("{time}\"2023-03-10T18:00:00\" is not a time with its zone"),
            ),
            (last("10/03/2023 18:00,1,0.97"), time.into()),
            (last("2023-02-30T18:00:00Z,1,0.97"), time.into()),
            (last("2023-03-10T18:00:00.5Z,1,0.97"), time.into()),
            (last("2023-03-10T18:00:00 CET,1,0.97"), time.into()),
            (last("45000.75,1,0.97"), time.into()),
            (last("1678471200500,1,0.97"), time.into()),
            (last(",1,0.97"), time.into()),
            (
                last("2023-03-10T17:59:00Z,1,0.97"),
                "line 4: 2023-03-10T17:59:00Z is 3540 s after".into(),
            ),
            (last("2023-03-10T17:00:00Z,1,0.97"), "does not come after".into()),
            (last("2023-03-10T19:00:00Z,1,0.97"), "line 4: 1 row is missing between".into()),
            (GOOD.replace("low", "vwap"), "line 1: columns 2 and 3 are both named \"vwap\"".into()),
            (GOOD.replace(',', ";"), "no column \"hour\" in \"hour;low;vwap\"".into()),
            (
                GOOD.replace("2023-03-10T16:00:00Z,1,1.0", "\n\n2023-03-10T16:00:00Z,1,1;0"),
                "line 4, column 3".into(),
            ),
            (GOOD.replace("low", "\"low\nest\"").replace("0.99", "?"), "line 4, column 3".into()),
            (String::new(), "no column".into()),
        ] {
            let found = error(&source);
            assert!(found.contains(&expected), "{found}\nexpected {expected}\n{source}");
        }
    }

    #[test]
    fn a_gap_is_filled_when_the_spec_says_how() {
        let gap = GOOD.replace("2023-03-10T17:00:00Z,1,0.99\n", "");
        let of = |fill| {
            let spec = DataSpec { shock_at: "2023-03-10T16:00:00Z".into(), fill, ..spec() };
            parse(&gap, "p.csv", &spec)
        };
        assert!(of(Fill::No).unwrap_err().hint().contains("data.fill"));
        let middle = |fill| of(fill).unwrap().discounts[1];
        assert_eq!(middle(Fill::Last), (1.0, 0.0));
        let (hour, discount) = middle(Fill::Linear);
        assert!(hour == 1.0 && (discount - 0.015).abs() < 1e-12);
        let far = GOOD.replace("2023-03-10T18", "9023-03-10T18");
        let spec = DataSpec { fill: Fill::Last, ..spec() };
        assert!(matches!(parse(&far, "p.csv", &spec), Err(Error::TooLong { .. })));
    }

    #[test]
    fn gaps_disorder_and_nonsense_are_named_with_their_line() {
        let lines: Vec<&str> = GOOD.lines().collect();
        let gap = [lines[0], lines[1], lines[3]].join("\n");
        assert_eq!(
            error(&gap),
            "p.csv, line 3: 1 row is missing between 2023-03-10T16:00:00Z and 2023-03-10T18:00:00Z"
        );
        let disorder = [lines[0], lines[2], lines[1]].join("\n");
        assert!(error(&disorder).contains("line 3: 2023-03-10T16:00:00Z does not come after"));
        assert!(error(&GOOD.replace("vwap", "close")).contains("no column \"vwap\""));
        let late = DataSpec { shock_at: "2024-01-01T00:00:00Z".into(), ..spec() };
        let error = parse(GOOD, "p.csv", &late).unwrap_err().to_string();
        assert!(error.contains("from 2023-03-10T16:00:00Z to 2023-03-10T18:00:00Z"), "{error}");
    }
}
