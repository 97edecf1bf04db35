//! What YAML and TOML have in common, with positions: scalars as they were written, sequences and
//! mappings; and reading them strictly.

use crate::diagnostic::{Complaint, Language, Position, Report, is_near, quoted, suggestion};

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Scalar { kind: ScalarKind, text: String },
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScalarKind {
    Text,
    Number,
    Boolean,
    Date,
    Null,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) at: Position,
    pub(crate) key: String,
    pub(crate) node: Node,
}

/// A mapping whose keys have been checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mapping<'n> {
    at: Position,
    entries: &'n [Entry],
}

impl<'n> Mapping<'n> {
    /// The entry of a key that may be absent.
    pub(crate) fn get(self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The entry of a key that may not.
    pub(crate) fn require(self, report: &mut Report<'_>, key: &str) -> Option<&'n Entry> {
        let entry = self.get(key);
        if entry.is_none() && !self.refuse_misspelt(report, key) {
            report.add(
                self.at,
                Some(key),
                Complaint::new("is missing", format!("add \"{key}\" here")),
            );
        }
        entry
    }

    /// Whether a key that is missing stands there misspelt, and says so.
    pub(crate) fn refuse_misspelt(self, report: &mut Report<'_>, key: &str) -> bool {
        let misspelt = self.entries.iter().find(|entry| is_near(&entry.key, key));
        if let Some(entry) = misspelt {
            let hint = format!("did you mean {}?", quoted(key));
            report.add(
                entry.at,
                Some(&entry.key),
                Complaint::new("is not a key that belongs here", hint),
            );
        }
        misspelt.is_some()
    }

    /// The mapping under a key that may not be absent, and its own keys checked.
    pub(crate) fn require_mapping(
        self,
        report: &mut Report<'_>,
        key: &str,
        known: &[&str],
    ) -> Option<Self> {
        self.require(report, key)?.mapping(report, known)
    }
}

impl Entry {
    /// The value as a mapping with no key outside `known` and none twice.
    pub(crate) fn mapping(&self, report: &mut Report<'_>, known: &[&str]) -> Option<Mapping<'_>> {
        let mapping = self.any_mapping(report)?;
        mapping.refuse_unknown(report, known);
        Some(mapping)
    }

    /// The value as a mapping with names for keys, none twice.
    pub(crate) fn any_mapping(&self, report: &mut Report<'_>) -> Option<Mapping<'_>> {
        self.node.mapping(report, &self.key)
    }

    /// The value as a sequence with at least one item.
    pub(crate) fn sequence(&self, report: &mut Report<'_>, item: &str) -> Option<&[Node]> {
        match &self.node.value {
            Value::Sequence(items) if items.is_empty() => {
                self.refuse(report, "is empty", format!("give at least one {item}"))
            }
            Value::Sequence(items) => Some(items),
            Value::Scalar { .. } | Value::Mapping(_) => {
                let hint = match report.language {
                    Language::Yaml => format!("give each {item} its own dash"),
                    Language::Toml => format!("put each {item} between brackets, [ and ]"),
                };
                self.refuse(report, format!("expects a list, found {}", self.node.noun()), hint)
            }
        }
    }

    /// The value as a sequence of single `name: value` pairs, names unique; none for an item that is not.
    pub(crate) fn pairs(&self, report: &mut Report<'_>, item: &str) -> Option<Vec<Option<&Self>>> {
        let mut pairs: Vec<Option<&Self>> = Vec::new();
        for node in self.sequence(report, item)? {
            let pair = node.mapping(report, &self.key).and_then(|mapping| match mapping.entries {
                [pair] if pairs.iter().flatten().any(|earlier| earlier.key == pair.key) => {
                    report.add(
                        pair.at,
                        Some(&pair.key),
                        Complaint::new("is given twice", "keep one of them"),
                    );
                    None
                }
                [pair] => Some(pair),
                entries => {
                    let reason = format!("expects one {item} per dash, found {}", entries.len());
                    report.add(
                        node.at,
                        Some(&self.key),
                        Complaint::new(reason, format!("give each {item} its own dash")),
                    );
                    None
                }
            });
            pairs.push(pair);
        }
        Some(pairs)
    }

    /// The value as text.
    pub(crate) fn text(&self, report: &mut Report<'_>) -> Option<&str> {
        match &self.node.value {
            Value::Scalar { kind: ScalarKind::Text, text } if !text.trim().is_empty() => Some(text),
            Value::Scalar { kind: ScalarKind::Text, .. } => {
                self.refuse(report, "is empty", "write its value")
            }
            Value::Scalar {
                kind: ScalarKind::Number | ScalarKind::Boolean | ScalarKind::Date,
                text,
            } => {
                let hint = format!("put it in quotes: \"{text}\"");
                self.refuse(report, format!("expects text, found {}", self.node.noun()), hint)
            }
            Value::Scalar { kind: ScalarKind::Null, .. }
            | Value::Sequence(_)
            | Value::Mapping(_) => self.refuse(
                report,
                format!("expects text, found {}", self.node.noun()),
                "write one word or one quoted text",
            ),
        }
    }

    /// The value as it was written, if it is a number or text: decimals may be quoted or not.
    pub(crate) fn number(&self, report: &mut Report<'_>) -> Option<&str> {
        match &self.node.value {
            Value::Scalar { kind: ScalarKind::Number | ScalarKind::Text, text } => Some(text),
            Value::Scalar {
                kind: ScalarKind::Boolean | ScalarKind::Date | ScalarKind::Null,
                ..
            }
            | Value::Sequence(_)
            | Value::Mapping(_) => self.refuse(
                report,
                format!("expects a number, found {}", self.node.noun()),
                "write a number, such as 4 or 1.02",
            ),
        }
    }

    /// The value as a boolean.
    pub(crate) fn boolean(&self, report: &mut Report<'_>) -> Option<bool> {
        match &self.node.value {
            Value::Scalar { kind: ScalarKind::Boolean, text } => {
                Some(text.eq_ignore_ascii_case("true"))
            }
            Value::Scalar { .. } | Value::Sequence(_) | Value::Mapping(_) => self.refuse(
                report,
                format!("expects true or false, found {}", self.node.noun()),
                "write true or false without quotes",
            ),
        }
    }

    /// Adds a complaint about the value and yields nothing.
    pub(crate) fn refuse<T>(
        &self,
        report: &mut Report<'_>,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) -> Option<T> {
        report.add(self.node.at, Some(&self.key), Complaint::new(reason, hint));
        None
    }
}

impl Node {
    pub(crate) fn mapping(&self, report: &mut Report<'_>, key: &str) -> Option<Mapping<'_>> {
        let Value::Mapping(entries) = &self.value else {
            let hint = match report.language {
                Language::Yaml => "write `key: value` lines below it, indented",
                Language::Toml => "write `key = value` lines below its name in brackets",
            };
            report.add(
                self.at,
                Some(key),
                Complaint::new(format!("expects keys and values, found {}", self.noun()), hint),
            );
            return None;
        };
        for (idx, entry) in entries.iter().enumerate() {
            if let Some(earlier) = entries[..idx].iter().find(|earlier| earlier.key == entry.key) {
                let reason = format!("is given twice, first in line {}", earlier.at.line);
                report.add(entry.at, Some(&entry.key), Complaint::new(reason, "keep one of them"));
            }
        }
        Some(Mapping { at: self.at, entries })
    }

    /// What this is, for people.
    pub(crate) fn noun(&self) -> String {
        match &self.value {
            Value::Scalar { kind: ScalarKind::Text, text } => format!("the text {}", quoted(text)),
            Value::Scalar { kind: ScalarKind::Number, text } => format!("the number {text}"),
            Value::Scalar { kind: ScalarKind::Boolean, text } => format!("the boolean {text}"),
            Value::Scalar { kind: ScalarKind::Date, .. } => "a date".to_owned(),
            Value::Scalar { kind: ScalarKind::Null, .. } => "nothing".to_owned(),
            Value::Sequence(_) => "a list".to_owned(),
            Value::Mapping(_) => "keys and values".to_owned(),
        }
    }
}

impl<'n> Mapping<'n> {
    pub(crate) const fn entries(self) -> &'n [Entry] {
        self.entries
    }

    pub(crate) fn refuse_unknown(self, report: &mut Report<'_>, known: &[&str]) {
        for entry in self.entries {
            if !known.contains(&entry.key.as_str()) {
                let hint = suggestion(&entry.key, known.iter().copied());
                report.add(
                    entry.at,
                    Some(&entry.key),
                    Complaint::new("is not a key that belongs here", hint),
                );
            }
        }
    }
}
