//! A measured series of prices: read, checked for order and gaps, and turned into discounts against hours.

use primitives::Timestamp;

/// What is wrong with a series, and at which line.
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
    #[error("{file}: no column {column:?} in {header:?}")]
    NoColumn {
        /// Its name.
        file: String,
        /// What was asked for.
        column: String,
        /// What there is.
        header: String,
    },
    /// A field that cannot be read.
    #[error("{file}, line {line}: {found:?} is not {expected}")]
    NotA {
        /// Its name.
        file: String,
        /// From one.
        line: usize,
        /// As written.
        found: String,
        /// What would do.
        expected: &'static str,
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
    /// A row is missing.
    #[error("{file}, line {line}: {missing} rows are missing between {before} and {time}")]
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
    /// No row at the time of the shock.
    #[error("{file}: no row at {time}")]
    NoShock {
        /// Its name.
        file: String,
        /// The time given.
        time: String,
    },
}

impl Error {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "data.path is relative to the spec; leave [data] out to do without the series"
            }
            Self::NoColumn { .. } => "data.time and data.price name columns of the first line",
            Self::NotA { .. } => {
                "times are written 2023-03-10T16:00:00Z, prices as dollars per coin"
            }
            Self::Unordered { .. } => "sort the file by time, ascending, one row a time",
            Self::Gap { .. } => {
                "fill the rows from the source, or correct data.step; nothing is interpolated here"
            }
            Self::NoShock { .. } => "data.shock_at is a time of the series",
        }
    }
}

/// Discounts against hours since the shock, ascending; negative hours are before it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
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
/// [`Error`], with the line.
pub fn parse(source: &str, file: &str, spec: &crate::spec::DataSpec) -> Result<Series, Error> {
    let file = file.to_owned();
    let mut lines = source.lines().enumerate();
    let header = lines.next().map_or("", |(_, line)| line.trim());
    let column = |name: &str| {
        header.split(',').position(|column| column.trim() == name).ok_or_else(|| Error::NoColumn {
            file: file.clone(),
            column: name.to_owned(),
            header: header.to_owned(),
        })
    };
    let (time_column, price_column) = (column(&spec.time)?, column(&spec.price)?);
    let not_a = |line: usize, found: &str, expected| Error::NotA {
        file: file.clone(),
        line: line + 1,
        found: found.to_owned(),
        expected,
    };
    let mut rows: Vec<(i64, f64)> = Vec::new();
    let mut before = String::new();
    for (line, text) in lines {
        if text.trim().is_empty() {
            continue;
        }
        let fields: Vec<&str> = text.split(',').map(str::trim).collect();
        let field = |column: usize| fields.get(column).copied().unwrap_or_default();
        let time = field(time_column);
        let at = epoch(time).ok_or_else(|| not_a(line, time, "a time in UTC"))?;
        let price = field(price_column);
        let value: f64 = price
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite() && *value > 0.0)
            .ok_or_else(|| not_a(line, price, "a positive price"))?;
        if let Some((last, _)) = rows.last() {
            let (time, before) = (time.to_owned(), before.clone());
            let step = u64::try_from(at - last).unwrap_or(0);
            if step == 0 {
                return Err(Error::Unordered { file, line: line + 1, time, before });
            }
            if step > spec.step_s {
                let missing = (step / spec.step_s.max(1)).saturating_sub(1).max(1);
                return Err(Error::Gap { file, line: line + 1, time, before, missing });
            }
        }
        before = time.to_owned();
        rows.push((at, value));
    }
    let shock = epoch(&spec.shock_at).filter(|at| rows.iter().any(|(time, _)| time == at));
    let Some(shock) = shock else {
        return Err(Error::NoShock { file, time: spec.shock_at.clone() });
    };
    #[allow(clippy::cast_precision_loss, reason = "seconds of a few days")]
    let hours = |at: i64| (at - shock) as f64 / 3_600.0;
    let discounts = rows.into_iter().map(|(at, price)| (hours(at), 1.0 - price)).collect();
    Ok(Series { name: file, hash: crate::hash::hex(source.as_bytes()), discounts })
}

/// Seconds since 1970 of `2023-03-10T16:00:00Z`; nothing else is read.
fn epoch(text: &str) -> Option<i64> {
    text.parse().ok().and_then(|Timestamp(seconds)| i64::try_from(seconds).ok())
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
        assert_eq!(epoch("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(epoch("2023-03-10T16:00:00Z"), Some(1_678_464_000));
        assert_eq!(epoch("2023-02-29T16:00:00Z"), None);
    }

    #[test]
    fn gaps_disorder_and_nonsense_are_named_with_their_line() {
        let lines: Vec<&str> = GOOD.lines().collect();
        let gap = [lines[0], lines[1], lines[3]].join("\n");
        assert_eq!(
            error(&gap),
            "p.csv, line 3: 1 rows are missing between 2023-03-10T16:00:00Z and 2023-03-10T18:00:00Z"
        );
        let disorder = [lines[0], lines[2], lines[1]].join("\n");
        assert!(error(&disorder).contains("line 3: 2023-03-10T16:00:00Z does not come after"));
        assert!(
            error(&GOOD.replace("0.97", "-1")).contains("line 4: \"-1\" is not a positive price")
        );
        assert!(error(&GOOD.replace("vwap", "close")).contains("no column \"vwap\""));
        let late = DataSpec { shock_at: "2024-01-01T00:00:00Z".into(), ..spec() };
        assert!(parse(GOOD, "p.csv", &late).is_err());
    }
}
