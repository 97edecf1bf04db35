//! Where each key of a TOML file stands, so that what is wrong with it can be pointed at.

use std::collections::BTreeMap;
use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Line and column, from one; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From one.
    pub line: usize,
    /// From one.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Place {
    /// Of a byte of a file; of its end for what is not in it.
    pub fn of(source: &str, offset: usize) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self { line: before.matches('\n').count() + 1, column: before[start..].chars().count() + 1 }
    }
}

/// Keys of a file by their dotted path; those of a table in a list as `list[0].key` and, if the table has a name, also as
/// `list.NAME.key`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places(BTreeMap<String, Place>);

impl Places {
    /// Reads a file; one that is not TOML has no keys.
    pub fn of(source: &str) -> Self {
        let mut places = Self::default();
        if let Ok(top) = DeTable::parse(source) {
            places.table(source, &[String::new()], top.get_ref());
        }
        places
    }

    fn table(&mut self, source: &str, prefixes: &[String], table: &DeTable<'_>) {
        for (key, value) in table {
            let paths: Vec<String> =
                prefixes.iter().map(|prefix| format!("{prefix}{}", key.get_ref())).collect();
            self.put(source, &paths, key.span().start);
            match value.get_ref() {
                DeValue::Table(inner) => self.table(source, &deeper(&paths), inner),
                DeValue::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        let mut paths: Vec<String> =
                            paths.iter().map(|path| format!("{path}[{index}]")).collect();
                        let DeValue::Table(inner) = item.get_ref() else {
                            self.put(source, &paths, item.span().start);
                            continue;
                        };
                        if let Some(DeValue::String(name)) =
                            inner.get("name").map(|name| name.get_ref())
                        {
                            paths.push(format!("{}{}.{name}", prefixes[0], key.get_ref()));
                        }
                        self.put(source, &paths, item.span().start);
                        self.table(source, &deeper(&paths), inner);
                    }
                }
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_) => {}
            }
        }
    }

    fn put(&mut self, source: &str, paths: &[String], offset: usize) {
        let place = Place::of(source, offset);
        for path in paths {
            self.0.entry(path.clone()).or_insert(place);
        }
    }

    /// Whether the file has the key.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Where a key stands, or the nearest one around it when it is not there.
    pub fn find(&self, key: &str) -> Option<Place> {
        let mut key = key;
        loop {
            if let Some(place) = self.0.get(key) {
                return Some(*place);
            }
            key = &key[..key.rfind(['.', '['])?];
        }
    }
}

/// The same file with TOML's own dates as text: in UTC where they have a zone, for readers that take dates as text. Lines stay
/// where they are.
pub fn dates_as_text(source: &str) -> String {
    let mut dates = Vec::new();
    if let Ok(top) = DeTable::parse(source) {
        let mut left: Vec<&DeValue<'_>> =
            top.get_ref().values().map(|value| value.get_ref()).collect();
        let mut spans = |value: &Spanned<DeValue<'_>>| {
            if let DeValue::Datetime(date) = value.get_ref() {
                dates.push((value.span(), date.to_string()));
            }
        };
        top.get_ref().values().for_each(&mut spans);
        while let Some(value) = left.pop() {
            match value {
                DeValue::Table(table) => {
                    table.values().for_each(&mut spans);
                    left.extend(table.values().map(|value| value.get_ref()));
                }
                DeValue::Array(items) => {
                    items.iter().for_each(&mut spans);
                    left.extend(items.iter().map(|value| value.get_ref()));
                }
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_) => {}
            }
        }
    }
    dates.sort_by_key(|(span, _)| span.start);
    let mut text = source.to_owned();
    for (span, date) in dates.into_iter().rev() {
        let at = crate::data::epoch(&date).and_then(|at| u64::try_from(at).ok());
        let date = at.map_or(date, |at| primitives::Timestamp(at).to_string());
        text.replace_range(span, &format!("\"{date}\""));
    }
    text
}

fn deeper(paths: &[String]) -> Vec<String> {
    paths.iter().map(|path| format!("{path}.")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_however_it_is_written_and_a_lost_one_by_what_is_around_it() {
        let source = "[study]\nname = 'ü'; \n".replace("; ", "");
        let source = format!(
            "{source}seed.x = {{ y = 1 }}\n[[policy]]\nname = 'halt'\n  mechanism.kind = 'halt'\n[sweep]\n\"makers.invited\" = [1, 2]\n"
        );
        let places = Places::of(&source);
        let at = |key: &str| places.find(key).map(|place| place.to_string());
        for (key, expected) in [
            ("study.name", "2:1"),
            ("study.seed.x.y", "3:12"),
            ("policy[0].mechanism.kind", "6:13"),
            ("policy.halt.mechanism.kind", "6:13"),
            ("policy.halt.mechanism.slope", "6:3"),
            ("policy.halt", "4:1"),
            ("policy", "4:3"),
            ("sweep.makers.invited", "8:1"),
            ("sweep.makers.invited[1]", "8:24"),
            ("study.replications", "1:2"),
        ] {
            assert_eq!(at(key).as_deref(), Some(expected), "{key}");
        }
        assert_eq!(
            dates_as_text(
                "a = 2023-03-10 17:00:00+01:00 # 2023-03-10\nb = [{ c = 2023-03-10 }, 'x']\n"
            ),
            "a = \"2023-03-10T16:00:00Z\" # 2023-03-10\nb = [{ c = \"2023-03-10T00:00:00Z\" }, 'x']\n"
        );
        assert_eq!(at("scenario.shock"), None);
        assert_eq!(Places::of("[").find("a"), None);
    }
}
