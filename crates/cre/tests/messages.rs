//! `messages.txt` is the wire as a table, one line a field, taken from what the derives are told. It is what
//! `conformance/npm` compares with the official SDK's descriptors.
//!
//! Two tests hold it to the code: it is what the sources say, and some of its lines are what prost writes.

#![allow(
    clippy::unwrap_used,
    reason = "a source that isn't as expected fails the test where it is read"
)]

use std::collections::BTreeMap;
use std::path::Path;

use cre::messages::{evm, sdk, values};
use prost::Message as _;

/// Scalars of protobuf that the messages use.
const SCALARS: [&str; 8] =
    ["bool", "bytes", "double", "int32", "int64", "string", "uint32", "uint64"];

#[test]
fn the_table_is_what_the_sources_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = BTreeMap::new();
    for entry in std::fs::read_dir(root.join("src/messages")).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        sources.insert(module, std::fs::read_to_string(&path).unwrap());
    }
    let table = table(&sources);
    let checked_in = root.join("messages.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&checked_in, &table).unwrap();
    }
    let expected = std::fs::read_to_string(&checked_in).unwrap();
    for (got, expected) in table.lines().zip(expected.lines()) {
        assert_eq!(got, expected, "rerun with BLESS=1 if it is meant");
    }
    assert_eq!(table, expected, "rerun with BLESS=1 if it is meant");
}

#[test]
fn prost_writes_what_the_table_says() {
    // Tag (number << 3 | wire type), then the value: protobuf's encoding, by hand.
    let restriction = sdk::MethodRestriction { max_calls: 3, ..Default::default() };
    assert_eq!(restriction.encode_to_vec(), [3 << 3, 3]);
    let tee = sdk::TeeTypeAndRegions { r#type: 1, regions: vec!["a".into(), "b".into()] };
    assert_eq!(tee.encode_to_vec(), [1 << 3, 1, 3 << 3 | 2, 1, b'a', 3 << 3 | 2, 1, b'b']);
    let list = values::List { fields: vec![true.into()] };
    assert_eq!(list.encode_to_vec(), [2 << 3 | 2, 2, 2 << 3, 1]);
    let value = values::Value::from(1.0);
    assert_eq!(value.encode_to_vec(), [11 << 3 | 1, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    let reply = evm::WriteReportReply { tx_hash: Some(vec![]), ..Default::default() };
    assert_eq!(reply.encode_to_vec(), [3 << 3 | 2, 0], "optional: present though empty");
    let fields = [("b".to_owned(), 1i64.into()), ("a".to_owned(), 2i64.into())].into();
    let map = values::Map { fields };
    let entry = |key, value| [1 << 3 | 2, 7, 1 << 3 | 2, 1, key, 2 << 3 | 2, 2, 7 << 3, value];
    assert_eq!(
        map.encode_to_vec(),
        [entry(b'a', 2), entry(b'b', 1)].concat(),
        "maps go out by key"
    );
    let awaited = sdk::AwaitCapabilitiesRequest { ids: vec![-1] };
    let minus_one = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    assert_eq!(awaited.encode_to_vec(), [&[1 << 3 | 2, 10][..], &minus_one].concat(), "packed");
}

/// One message, enum or set of choices, as the sources declare it.
#[derive(Default)]
struct Item {
    module: String,
    is_enum: bool,
    /// (name, attribute, type); of an enum, (name, number, nothing).
    fields: Vec<(String, String, String)>,
}

fn table(sources: &BTreeMap<String, String>) -> String {
    let mut items: Vec<(String, Item)> = Vec::new();
    // (module, Rust name) to full name.
    let mut names: BTreeMap<(String, String), String> = BTreeMap::new();
    for (module, source) in sources {
        let package = between(source.split("named! {").nth(1).unwrap(), "\"", "\"").to_owned();
        for pair in source.split("named! {").nth(1).unwrap().split(',') {
            if let Some((name, full)) = pair.rsplit_once(" = \"") {
                let name = name.rsplit([' ', ':', '\n']).next().unwrap();
                let full = format!("{package}.{}", full.split('"').next().unwrap());
                names.insert((module.clone(), name.to_owned()), full);
            }
        }
        for (name, item) in declared(module, source) {
            if item.is_enum {
                names.insert((module.clone(), name.clone()), format!("{package}.{name}"));
            }
            items.push((name, item));
        }
    }
    let choices: BTreeMap<(String, String), &Item> =
        items.iter().map(|(name, item)| ((item.module.clone(), name.clone()), item)).collect();
    let mut lines = Vec::new();
    for (name, item) in &items {
        let Some(full) = names.get(&(item.module.clone(), name.clone())) else {
            continue; // The choices of a message: with the message.
        };
        for (field, attribute, type_) in &item.fields {
            if item.is_enum {
                let prefix = snake(name).to_uppercase();
                lines.push(format!(
                    "enum {full} {attribute} {prefix}_{}",
                    snake(field).to_uppercase()
                ));
            } else if attribute.contains("oneof = ") {
                let choice = between(attribute, "oneof = \"", "\"").rsplit("::").next().unwrap();
                let owner = between(attribute, "oneof = \"", "\"").split("::").next().unwrap();
                let choice = choices[&(item.module.clone(), format!("{owner}::{choice}"))];
                for (one, attribute, type_) in &choice.fields {
                    let (number, type_, _) = field_of(attribute, type_, &item.module, &names);
                    lines.push(format!(
                        "message {full} {number} {} {type_} oneof:{field}",
                        snake(one)
                    ));
                }
            } else {
                let (number, type_, label) = field_of(attribute, type_, &item.module, &names);
                lines.push(format!("message {full} {number} {field} {type_} {label}"));
            }
        }
        if item.fields.is_empty() {
            lines.push(format!("message {full}"));
        }
    }
    lines.sort_by_key(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let number = words.get(2).map_or(0, |number| number.parse::<u32>().unwrap());
        (words[1].to_owned(), number)
    });
    lines.join("\n") + "\n"
}

/// Number, protobuf type and label of a field.
fn field_of(
    attribute: &str,
    rust_type: &str,
    module: &str,
    names: &BTreeMap<(String, String), String>,
) -> (u32, String, &'static str) {
    let number = between(attribute, "tag = \"", "\"").parse().unwrap();
    let kind = attribute.trim_start_matches("#[prost(").split([',', '=', ' ']).next().unwrap();
    let named = |path: &str| {
        let path = path.trim_end_matches(['>', ')', ',']);
        let mut segments = path.rsplit("::");
        let last = segments.next().unwrap();
        let owner =
            segments.next().filter(|owner| !["super", "self"].contains(owner)).unwrap_or(module);
        match (owner, last) {
            (_, "(") => "google.protobuf.Empty".to_owned(),
            ("prost_types", known) => format!("google.protobuf.{known}"),
            _ => names[&(owner.to_owned(), last.to_owned())].clone(),
        }
    };
    let inner = rust_type.rsplit(['<', ' ']).next().unwrap();
    if kind == "btree_map" {
        let mut pair = between(attribute, "btree_map = \"", "\"").split(", ");
        let (key, value) = (pair.next().unwrap(), pair.next().unwrap());
        let value = if value == "message" { named(inner) } else { value.to_owned() };
        return (number, format!("map<{key},{value}>"), "repeated");
    }
    let type_ = match kind {
        "message" => named(inner),
        "enumeration" => named(between(attribute, "enumeration = \"", "\"")),
        scalar if SCALARS.contains(&scalar) => scalar.to_owned(),
        other => panic!("{other} in {attribute}"),
    };
    let is_message = kind == "message";
    let label = if attribute.contains(", repeated") {
        "repeated"
    } else if attribute.contains(", optional") && !is_message {
        "optional"
    } else {
        "singular"
    };
    (number, type_, label)
}

/// The items of a formatted source file; choices under the name `module::Choice`.
fn declared(module: &str, source: &str) -> Vec<(String, Item)> {
    let mut items: Vec<(String, Item)> = Vec::new();
    let (mut inside, mut attribute, mut is_open) = (None::<String>, String::new(), false);
    for line in source.lines().map(str::trim) {
        let mut words = line.trim_end_matches([',', '{']).split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("pub"), Some("mod"), Some(name)) => inside = Some(name.to_owned()),
            (Some("pub"), Some(kind @ ("struct" | "enum")), Some(name)) => {
                let name =
                    inside.as_ref().map_or(name.to_owned(), |owner| format!("{owner}::{name}"));
                let item = Item {
                    module: module.to_owned(),
                    is_enum: kind == "enum" && inside.is_none(),
                    fields: vec![],
                };
                items.push((name, item));
                is_open = !line.ends_with("{}");
            }
            (Some("}"), None, None) if is_open => is_open = false,
            (Some("}"), None, None) => inside = None,
            _ if line.starts_with("#[prost(") => attribute = line.to_owned(),
            _ if is_open && !line.starts_with("//") && !line.is_empty() => {
                let item = &mut items.last_mut().unwrap().1;
                let line = line.trim_end_matches(',');
                let field = if item.is_enum {
                    let (name, number) = line.split_once(" = ").unwrap();
                    (name.to_owned(), number.to_owned(), String::new())
                } else if let Some(field) = line.strip_prefix("pub ") {
                    let (name, type_) = field.split_once(": ").unwrap();
                    (name.trim_start_matches("r#").to_owned(), attribute.clone(), type_.to_owned())
                } else {
                    let (name, type_) = line.split_once('(').unwrap();
                    // The choice's type, an empty one included, ends with the parenthesis that closes it.
                    (
                        name.to_owned(),
                        attribute.clone(),
                        type_.strip_suffix(')').unwrap().to_owned(),
                    )
                };
                item.fields.push(field);
            }
            _ => {}
        }
    }
    items
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split_once(start).unwrap().1.split_once(end).unwrap().0
}

fn snake(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(character.to_lowercase());
    }
    text
}
