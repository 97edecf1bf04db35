//! What is wrong, where, why, and what to do about it.

use std::fmt;

/// One mistake in a file, told to the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as the caller named it.
    pub file: Box<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The step it is in; none outside steps, and for a step without an id.
    pub step: Option<String>,
    /// The key whose value, presence or absence is wrong; none where a file has no keys to name.
    pub key: Option<String>,
    /// Why this is refused.
    pub reason: String,
    /// What would be accepted.
    pub hint: String,
}

/// `file:line: step "…", key "…": reason`, and the hint on a line of its own.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        match (&self.step, &self.key) {
            (Some(step), Some(key)) => write!(f, "step {}, key {}: ", quoted(step), quoted(key))?,
            (Some(step), None) => write!(f, "step {}: ", quoted(step))?,
            (None, Some(key)) => write!(f, "key {}: ", quoted(key))?,
            (None, None) => {}
        }
        write!(f, "{}\n  hint: {}", self.reason, self.hint)
    }
}

impl std::error::Error for Diagnostic {}

/// Where something stands; earlier is less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// From 1.
    pub(crate) line: u32,
    /// From 1, in characters.
    pub(crate) column: u32,
}

impl Position {
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    /// From counts that start at 1 and are bounded by the longest source.
    pub(crate) fn new(line: usize, column: usize) -> Self {
        let narrow = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Self { line: narrow(line), column: narrow(column) }
    }
}

/// A reason and a hint, before anyone knows where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) reason: String,
    pub(crate) hint: String,
}

impl Complaint {
    pub(crate) fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: hint.into() }
    }
}

/// Keeps the mistake that stands first in the file: readers may look at keys in any order, and what
/// one mistake makes of the lines below it is nobody's business.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    file: &'a str,
    first: Option<Diagnostic>,
    /// The language of the file, for hints.
    pub(crate) language: Language,
    /// The step now being read.
    pub(crate) step: Option<String>,
    /// The table now being read, put before its keys' names.
    pub(crate) table: Option<String>,
}

/// What hints show how to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Yaml,
    Toml,
}

impl<'a> Report<'a> {
    pub(crate) const fn new(file: &'a str, language: Language) -> Self {
        Self { file, first: None, language, step: None, table: None }
    }

    pub(crate) fn add(&mut self, at: Position, key: Option<&str>, complaint: Complaint) {
        let is_first = self
            .first
            .as_ref()
            .is_none_or(|first| (at.line, at.column) < (first.line, first.column));
        if is_first {
            self.first = Some(Diagnostic {
                file: self.file.into(),
                line: at.line,
                column: at.column,
                step: self.step.clone(),
                key: key.map(|key| {
                    self.table.iter().map(String::as_str).chain([key]).collect::<Vec<_>>().join(".")
                }),
                reason: complaint.reason,
                hint: complaint.hint,
            });
        }
    }

    /// The value of a result, its complaint added.
    pub(crate) fn take<T>(
        &mut self,
        at: Position,
        key: &str,
        result: Result<T, Complaint>,
    ) -> Option<T> {
        result.map_err(|complaint| self.add(at, Some(key), complaint)).ok()
    }

    /// The first mistake, if there was one.
    pub(crate) fn into_result(self) -> Result<(), Diagnostic> {
        self.first.map_or(Ok(()), Err)
    }
}

/// A word of the author's as it may be printed: escaped, in quotes, at most 60 characters.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("\"{}…\"", text[..end].escape_debug()),
        None => format!("\"{}\"", text.escape_debug()),
    }
}

/// A hint that names the nearest of `known`, or all of them.
pub(crate) fn suggestion<'k>(found: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match known.iter().min_by_key(|known| distance(found, known)) {
        None => "there is none to choose from".to_owned(),
        Some(nearest) if is_near(found, nearest) => format!("did you mean {}?", quoted(nearest)),
        Some(_) => format!("known here: {}", known.join(", ")),
    }
}

/// Whether `found` looks like a slip of the pen for `meant`: one edit in three letters.
pub(crate) fn is_near(found: &str, meant: &str) -> bool {
    distance(found, meant) <= 1.max(meant.chars().count() / 3)
}

/// Edits between two words, whatever their case. Long words are cut: comparing is quadratic.
fn distance(found: &str, meant: &str) -> usize {
    let found: String = found.chars().take(64).collect();
    strsim::osa_distance(&found.to_lowercase(), &meant.to_lowercase())
}
