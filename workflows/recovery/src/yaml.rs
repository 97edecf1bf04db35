//! YAML to [`Node`]s: one document, no anchors, aliases or tags, bounded in depth. Scalars are typed
//! by the YAML 1.2 core schema (§10.3.2) but kept as written.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use crate::SOURCE_LEN_MAX;
use crate::diagnostic::{Complaint, Position};
use crate::tree::{Entry, Node, ScalarKind, Value};

/// The seed nests 9 deep. Bounds what dropping and walking a tree recurse.
const DEPTH_MAX: usize = 32;

/// A collection whose end has not come yet.
enum Open {
    Sequence { at: Position, items: Vec<Node> },
    Mapping { at: Position, entries: Vec<Entry>, key: Option<(Position, String)> },
}

/// Reads the one document in `source`.
pub(crate) fn parse(source: &str) -> Result<Node, (Position, Complaint)> {
    if source.len() > SOURCE_LEN_MAX {
        let reason = format!("the file has {} bytes, the limit is {SOURCE_LEN_MAX}", source.len());
        return Err((
            Position::START,
            Complaint::new(reason, "a workflow is a page of text; is this the right file?"),
        ));
    }
    let mut open: Vec<Open> = Vec::new();
    let mut root: Option<Node> = None;
    let mut parser = Parser::new_from_str(source);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let hint = if source.contains('\t') {
                "indent with spaces, never with tabs"
            } else {
                "check indentation, quotes and colons"
            };
            (
                position(*error.marker()),
                Complaint::new(format!("this is not YAML: {}", error.info()), hint),
            )
        })?;
        let at = position(span.start);
        let refuse = |reason: &str, hint: &str| Err((at, Complaint::new(reason, hint)));
        let (anchor, tagged) = match &event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            Event::Alias(_) => (1, false),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => (0, false),
        };
        if anchor != 0 {
            return refuse(
                "anchors and aliases (& and *) are not supported in a workflow",
                "write the value out",
            );
        }
        if tagged {
            return refuse(
                "tags (!) are not supported in a workflow",
                "write the value without it",
            );
        }
        let node = match event {
            Event::DocumentStart(_) if root.is_some() => {
                return refuse(
                    "a second document begins here",
                    "a file holds one workflow; remove the ---",
                );
            }
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() == DEPTH_MAX => {
                return refuse(
                    "this is nested too deep",
                    "a workflow needs no more than 32 levels",
                );
            }
            Event::SequenceStart(..) | Event::MappingStart(..) if expects_key(&open) => {
                return refuse(
                    "a key has to be one word, not a list or a mapping",
                    "check the indentation and the question marks",
                );
            }
            Event::SequenceStart(..) => {
                open.push(Open::Sequence { at, items: Vec::new() });
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Mapping { at, entries: Vec::new(), key: None });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::Sequence { at, items }) => Node { at, value: Value::Sequence(items) },
                Some(Open::Mapping { at, entries, key: _ }) => {
                    Node { at, value: Value::Mapping(entries) }
                }
                None => continue,
            },
            Event::Scalar(text, style, ..) => {
                let kind =
                    if style == ScalarStyle::Plain { core_schema(&text) } else { ScalarKind::Text };
                Node { at, value: Value::Scalar { kind, text: text.into_owned() } }
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::Alias(_) => continue,
        };
        match open.last_mut() {
            None => root = Some(node),
            Some(Open::Sequence { items, .. }) => items.push(node),
            Some(Open::Mapping { entries, key, .. }) => match (key.take(), node.value) {
                (None, Value::Scalar { text, .. }) => *key = Some((node.at, text)),
                // Refused above: a collection never opens where a key is due.
                (None, Value::Sequence(_) | Value::Mapping(_)) => {}
                (Some((at, key)), value) => {
                    entries.push(Entry { at, key, node: Node { at: node.at, value } })
                }
            },
        }
    }
    root.ok_or_else(|| {
        (
            Position::START,
            Complaint::new("the file is empty", "a workflow begins with \"workflow:\""),
        )
    })
}

fn position(marker: Marker) -> Position {
    // The scanner counts columns from 0, and lines from 1.
    Position::new(marker.line().max(1), marker.col() + 1)
}

fn expects_key(open: &[Open]) -> bool {
    matches!(open.last(), Some(Open::Mapping { key: None, .. }))
}

fn core_schema(text: &str) -> ScalarKind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => ScalarKind::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => ScalarKind::Boolean,
        _ if is_number(text) => ScalarKind::Number,
        _ => ScalarKind::Text,
    }
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return !digits.is_empty() && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    }
    let (mantissa, exponent) =
        unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_ok = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['-', '+']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    !(whole.is_empty() && fraction.is_empty()) && digits(whole) && digits(fraction) && exponent_ok
}
