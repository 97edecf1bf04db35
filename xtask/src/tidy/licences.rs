//! Licences of everything that is compiled, against the allow-list in `xtask/licences.txt`.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::Finding;
use super::crates::Metadata;
use crate::guests;

/// Every package's SPDX expression can be met with the licences that `rules` allow.
///
/// `read` gives the file of a package that has one instead of an expression.
///
/// # Errors
/// When `rules` has a line of no form.
pub(super) fn check(
    metadata: &Metadata,
    rules: &str,
    read: impl Fn(&str) -> Option<Vec<u8>>,
) -> Result<Vec<Finding>> {
    const RULE: &str = "licences";
    let rules = Rules::parse(rules)?;
    let mut findings = Vec::new();
    let mut unused = rules.exceptions.clone();
    for package in &metadata.packages {
        let known = || {
            let hash = guests::hash(&read(&package.licence_file()?)?);
            rules.texts.iter().find(|(text, _)| *text == hash).map(|(_, id)| (*id).to_owned())
        };
        let Some(expression) = &package.license.clone().or_else(known) else {
            let what = format!("{} {} names no licence", package.name, package.version);
            findings.push(Finding::new(RULE, what, "without one nobody may copy it: leave it out"));
            continue;
        };
        // First without exceptions, so that one which is no longer needed shows.
        let allowed = satisfied(expression, &|id| rules.allowed.contains(id));
        let excepted = || {
            let is_excepted = |id: &str| rules.exceptions.contains(&(package.name.as_str(), id));
            satisfied(expression, &|id| rules.allowed.contains(id) || is_excepted(id))
        };
        if allowed == Some(true) {
            continue;
        }
        if excepted() == Some(true) {
            unused.retain(|(name, _)| *name != package.name);
            continue;
        }
        let what = format!("{} {} is under `{expression}`", package.name, package.version);
        let hint = "leave it out, or argue a line in xtask/licences.txt";
        findings.push(Finding::new(RULE, what, hint));
    }
    findings.extend(unused.iter().map(|(name, id)| {
        Finding::new(
            RULE,
            format!("nothing needs the exception of {name} for {id}"),
            "remove it from xtask/licences.txt",
        )
    }));
    Ok(findings)
}

struct Rules<'a> {
    allowed: BTreeSet<&'a str>,
    /// (crate, licence).
    exceptions: BTreeSet<(&'a str, &'a str)>,
    /// (SHA-256 of a licence's text, licence).
    texts: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Rules<'a> {
    fn parse(rules: &'a str) -> Result<Self> {
        let mut parsed =
            Self { allowed: BTreeSet::new(), exceptions: BTreeSet::new(), texts: BTreeSet::new() };
        for line in rules.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["allow", id] => parsed.allowed.insert(id),
                ["except", name, id] => parsed.exceptions.insert((name, id)),
                ["text", hash, id] => parsed.texts.insert((hash, id)),
                _ => bail!(
                    "xtask/licences.txt has a line that is none of `allow ID`, `except CRATE ID` and `text SHA256 ID`: `{line}`"
                ),
            };
        }
        Ok(parsed)
    }
}

/// Whether an SPDX expression holds when `allows` says which licences do; nothing if it isn't one.
///
/// `AND` binds tighter than `OR`; `/`, the old way to write `OR`, is read as such. `X WITH Y` is `X`: an exception
/// clause only adds permissions.
fn satisfied(expression: &str, allows: &dyn Fn(&str) -> bool) -> Option<bool> {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let (holds, rest) = either(&tokens, allows)?;
    rest.is_empty().then_some(holds)
}

type Parsed<'a, 'b> = Option<(bool, &'a [&'b str])>;

fn either<'a, 'b>(tokens: &'a [&'b str], allows: &dyn Fn(&str) -> bool) -> Parsed<'a, 'b> {
    let (mut holds, mut rest) = both(tokens, allows)?;
    while let ["OR", after @ ..] = rest {
        let (next, after) = both(after, allows)?;
        (holds, rest) = (holds | next, after);
    }
    Some((holds, rest))
}

fn both<'a, 'b>(tokens: &'a [&'b str], allows: &dyn Fn(&str) -> bool) -> Parsed<'a, 'b> {
    let (mut holds, mut rest) = one(tokens, allows)?;
    while let ["AND", after @ ..] = rest {
        let (next, after) = one(after, allows)?;
        (holds, rest) = (holds & next, after);
    }
    Some((holds, rest))
}

fn one<'a, 'b>(tokens: &'a [&'b str], allows: &dyn Fn(&str) -> bool) -> Parsed<'a, 'b> {
    match tokens {
        ["(", inner @ ..] => {
            let (holds, rest) = either(inner, allows)?;
            Some((holds, rest.strip_prefix(&[")"])?))
        }
        [")" | "OR" | "AND" | "WITH", ..] | [] => None,
        [id, "WITH", _exception, rest @ ..] => Some((allows(id), rest)),
        [id, rest @ ..] => Some((allows(id), rest)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::crates::tests::{metadata, parse, whats};
    use super::*;

    const RULES: &str = "# A comment.\nallow MIT\nallow Apache-2.0\n";

    fn findings(license: Option<&str>, rules: &str) -> Vec<String> {
        let mut metadata = metadata(&[("pool", "serde")]);
        for package in metadata["packages"].as_array_mut().unwrap() {
            if package["name"] == "serde" {
                package["license"] = json!(license);
                package["license_file"] = json!("LICENCE");
                package["manifest_path"] = json!("/r/serde/Cargo.toml");
            }
        }
        let read = |path: &str| (path == "/r/serde/LICENCE").then(|| b"be free".to_vec());
        let findings = check(&parse(&metadata), rules, read).unwrap();
        whats(&findings).into_iter().map(String::from).collect()
    }

    #[test]
    fn expressions_that_can_be_met_pass() {
        for license in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "Apache-2.0 WITH LLVM-exception",
            "(GPL-3.0 OR MIT) AND Apache-2.0",
            "GPL-3.0 AND ISC OR MIT",
        ] {
            assert_eq!(findings(Some(license), RULES), [""; 0], "{license}");
        }
    }

    #[test]
    fn other_missing_and_malformed_licences_are_named() {
        for license in ["GPL-3.0", "MIT AND GPL-3.0", "MIT OR", "(MIT", "MIT MIT", ""] {
            assert_eq!(
                findings(Some(license), RULES),
                [format!("serde 0.1.0 is under `{license}`")]
            );
        }
        assert_eq!(findings(None, RULES), ["serde 0.1.0 names no licence"]);
    }

    #[test]
    fn an_exception_is_for_one_crate_and_only_while_needed() {
        let rules = format!("{RULES}except serde MPL-2.0\n");
        assert_eq!(findings(Some("MPL-2.0"), &rules), [""; 0]);
        assert_eq!(
            findings(Some("MIT"), &rules),
            ["nothing needs the exception of serde for MPL-2.0"]
        );
        let other = format!("{RULES}except toml MPL-2.0\n");
        assert_eq!(findings(Some("MPL-2.0"), &other).len(), 2);
    }

    #[test]
    fn a_licence_that_is_only_a_text_is_known_by_its_hash() {
        let rules = format!("{RULES}text {} MIT\n", guests::hash(b"be free"));
        assert_eq!(findings(None, &rules), [""; 0]);
        assert_eq!(findings(Some("GPL-3.0"), &rules), ["serde 0.1.0 is under `GPL-3.0`"]);
        let other = format!("{RULES}text {} MIT\n", guests::hash(b"be mine"));
        assert_eq!(findings(None, &other), ["serde 0.1.0 names no licence"]);
    }

    #[test]
    fn a_line_of_no_form_is_an_error() {
        assert!(check(&parse(&metadata(&[])), "permit MIT", |_| None).is_err());
    }
}
