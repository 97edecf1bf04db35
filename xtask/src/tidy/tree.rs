//! Claims about the files of the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::Finding;
use super::crates::PURE;
use crate::guests;

/// The mission's stages, in order. They meet in `mission.rs` and never import each other.
const STAGES: [&str; 5] = ["detect", "request", "matching", "settle", "attest"];

/// Byte-identical to what the project came from; SHA-256, hexadecimal. The seed's own folder is compared as well
/// where it is there, beside the repository.
const PINS: [(&str, &str, &str); 2] = [
    (
        "workflows/confidential-recovery-darkpool.yaml",
        "../shared/seed/confidential-recovery-darkpool.yaml",
        "7841ea4399df1d789144b91c40383153939c58b9adcb749491f3bae8d6741893",
    ),
    (
        "contracts/src/ICREDarkPool.sol",
        "../shared/seed/ICREDarkPool.sol",
        "5dfc6058b8e67e6fd90c0ace6943831c4669b1acd167570897a8448a7d6c8402",
    ),
];

/// What a clone costs everyone for ever is argued here: (path, why).
const LARGE_FILES: [(&str, &str); 0] = [];
const FILE_LEN_MAX: u64 = 2_000_000;

/// The book's pages.
const BOOK: &str = "book/src/";

/// Paths relative to the repository's root, and their lengths in bytes.
type Files = BTreeMap<String, u64>;

/// The files that `git ls-files -z` lists and that are there.
pub(super) fn files(root: &Path, listing: &str) -> Files {
    let paths = listing.split_terminator('\0');
    let sized =
        paths.filter_map(|path| Some((path.to_owned(), fs::metadata(root.join(path)).ok()?.len())));
    sized.collect()
}

/// The root's `clippy.toml` draws the purity line, and no pure crate replaces it by one of its own.
pub(super) fn check_purity_line(files: &Files) -> Vec<Finding> {
    const RULE: &str = "purity";
    let mut findings = Vec::new();
    if !files.contains_key("clippy.toml") {
        let hint =
            "bring it back: it forbids clocks, files and hash-ordered maps to the pure crates";
        findings.push(Finding::new(RULE, "clippy.toml is missing at the root", hint));
    }
    for path in files.keys() {
        let is_lint_file = path.ends_with("/clippy.toml") || path.ends_with("/.clippy.toml");
        let owner = path.split('/').rev().nth(1).unwrap_or_default();
        if is_lint_file && PURE.contains(&owner) {
            let hint = "remove it: a pure crate lives by the root's clippy.toml";
            findings.push(Finding::new(RULE, format!("{path} replaces the purity line"), hint));
        }
    }
    findings
}

/// The files of [`PINS`] are what they were; `read` gives a file's bytes by its path from the root.
pub(super) fn check_pins(read: impl Fn(&str) -> Option<Vec<u8>>) -> Vec<Finding> {
    const RULE: &str = "pins";
    const HINT: &str = "take the seed's file again; what must differ belongs beside it";
    let mut findings = Vec::new();
    for (path, seed, pin) in PINS {
        let Some(bytes) = read(path) else {
            findings.push(Finding::new(RULE, format!("{path} is missing"), HINT));
            continue;
        };
        let hash = guests::hash(&bytes);
        if hash != pin {
            findings.push(Finding::new(
                RULE,
                format!("{path} has SHA-256 {hash}, pinned is {pin}"),
                HINT,
            ));
        }
        if read(seed).is_some_and(|original| original != bytes) {
            findings.push(Finding::new(RULE, format!("{path} differs from {seed}"), HINT));
        }
    }
    findings
}

/// A committed module's sources are those it was built from: `list` has `sha256  path` a line.
pub(super) fn check_hashes(list: &str, read: impl Fn(&str) -> Option<Vec<u8>>) -> Vec<Finding> {
    const HINT: &str = "`cargo xtask guests` builds the workflow module again";
    let what = |line: &str| {
        let Some((hash, path)) = line.split_once("  ") else {
            return Some(format!("{line:?} is no hash and path"));
        };
        let is_same = read(path).is_some_and(|bytes| guests::hash(&bytes) == hash);
        (!is_same).then(|| format!("the workflow module was built from another {path}"))
    };
    let missing = list.is_empty().then(|| format!("{} is missing", guests::SOURCES));
    let findings = missing.into_iter().chain(list.lines().filter_map(what));
    findings.map(|what| Finding::new("guests", what, HINT)).collect()
}

/// No file is longer than [`FILE_LEN_MAX`] but those of [`LARGE_FILES`].
pub(super) fn check_sizes(files: &Files) -> Vec<Finding> {
    let is_allowed = |path: &str| LARGE_FILES.iter().any(|(allowed, _why)| *allowed == path);
    let large = files.iter().filter(|(path, len)| **len > FILE_LEN_MAX && !is_allowed(path));
    large
        .map(|(path, len)| {
            let hint = "generate it, cut it, or argue it in LARGE_FILES of xtask/src/tidy/tree.rs";
            Finding::new("sizes", format!("{path} is {len} bytes, limit {FILE_LEN_MAX}"), hint)
        })
        .collect()
}

/// A stage's module in `protocol` names no other stage, and doesn't glob-import what might be one.
///
/// What `lib.rs` re-exports under another path is not seen.
pub(super) fn check_stage(path: &str, source: &str) -> Vec<Finding> {
    let Some(module) = path.strip_prefix("crates/protocol/src/") else {
        return Vec::new();
    };
    let stage = module.split(['/', '.']).next().unwrap_or_default();
    if !STAGES.contains(&stage) {
        return Vec::new();
    }
    let code: String =
        source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code: String = code.split_whitespace().collect();
    let mut named: Vec<&str> = Vec::new();
    // `super` is the crate in `settle.rs`, and the stage itself in its `mod tests`, where it names no sibling.
    for (at, root) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let is_another_crate = code[..at].ends_with('_');
        if is_another_crate {
            continue;
        }
        for name in first_names(&code[at + root.len()..]) {
            let is_sibling = STAGES.contains(&name) && name != stage;
            if is_sibling || (name == "*" && root == "crate::") {
                named.push(name);
            }
        }
    }
    let findings = named.into_iter().map(|name| {
        let what = format!(
            "{path} names `{name}` of the crate's root, but stages never import each other"
        );
        Finding::new(
            "stages",
            what,
            "let them meet in mission.rs, or move what both need to a module of its own",
        )
    });
    findings.collect()
}

/// No unfinished code on a path someone may reach.
pub(super) fn check_unfinished(path: &str, source: &str) -> Vec<Finding> {
    if !path.ends_with(".rs") {
        return Vec::new();
    }
    let markers = ["todo", "unimplemented"].map(|name| format!("{name}!("));
    let lines = source.lines().enumerate();
    let unfinished = lines.filter(|(_, line)| markers.iter().any(|marker| line.contains(marker)));
    unfinished
        .map(|(idx, line)| {
            let what = format!("{path}:{} is unfinished: `{}`", idx + 1, line.trim());
            Finding::new("unfinished", what, "finish it, or leave it out")
        })
        .collect()
}

/// Relative links of a Markdown file lead to files, folders and headings that a clone has, and those of a page of the book
/// to what its summary lists, since nothing else is there once it is built. `read` gives a file's text by its path.
pub(super) fn check_links(
    path: &str,
    markdown: &str,
    files: &Files,
    read: impl Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    if !path.ends_with(".md") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line) in prose(markdown) {
        for target in link_targets(line) {
            if let Err((why, hint)) = follow(path, &target, files, &read) {
                let what = format!("{path}:{number} links to {target}, {why}");
                findings.push(Finding::new("links", what, hint));
            }
        }
    }
    findings
}

/// Lines outside of fenced code, numbered from 1.
fn prose(markdown: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    let lines = markdown.lines().enumerate();
    lines.filter_map(move |(idx, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        (!is_code && !is_fence).then_some((idx + 1, line))
    })
}

/// Names of the functions that a file declares, in Rust or Solidity.
pub(super) fn functions<'a>(path: &str, source: &'a str) -> impl Iterator<Item = &'a str> {
    let keyword = if path.ends_with(".sol") { "function " } else { "fn " };
    let is_code = path.ends_with(".rs") || path.ends_with(".sol");
    let after = source.split(keyword).skip(1).filter(move |_| is_code);
    after.map(|after| after.split(|c: char| !is_of_name(c)).next().unwrap_or_default())
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A test that a page of the book names to show something is there: a name in `code` of five words or more, or of forge.
pub(super) fn check_tests(
    path: &str,
    markdown: &str,
    functions: &BTreeSet<String>,
) -> Vec<Finding> {
    if !path.starts_with(BOOK) || !path.ends_with(".md") {
        return Vec::new();
    }
    let is_test = |code: &&str| {
        let of_forge = ["test_", "testFuzz_", "invariant_"].map(|kind| code.strip_prefix(kind));
        let of_forge = of_forge.into_iter().flatten().any(|rest| !rest.is_empty());
        let of_rust = code.matches('_').count() >= 4 && !code.contains(char::is_uppercase);
        code.chars().all(is_of_name) && (of_forge || of_rust)
    };
    let mut findings = Vec::new();
    for (number, line) in prose(markdown) {
        for name in line.split('`').skip(1).step_by(2).filter(is_test) {
            if !functions.contains(name) {
                let what = format!("{path}:{number} names `{name}`, which is no function here");
                findings.push(Finding::new("tests", what, "name the test that shows it now"));
            }
        }
    }
    findings
}

/// No text leans on a document that a clone doesn't have: a note, or a design that has numbers or says things.
pub(super) fn check_citations(path: &str, text: &str) -> Vec<Finding> {
    // A citation may break at the end of a line, behind which a comment goes on.
    let bare = |line: &str| {
        line.trim_start_matches(|c: char| c.is_whitespace() || "/!#*".contains(c)).to_lowercase()
    };
    let mut findings = Vec::new();
    let mut lines = text.lines().map(bare).peekable();
    let mut number = 0;
    while let Some(line) = lines.next() {
        number += 1;
        let both = format!("{line} {}", lines.peek().map_or("", String::as_str));
        if let Some(cited) = citation(&both).filter(|(at, _)| *at < line.len()).map(|(_, it)| it) {
            let what = format!("{path}:{number} cites \"{cited}\", which a clone doesn't have");
            let hint = "cite the book's page where it stands, and its public source";
            findings.push(Finding::new("citations", what, hint));
        }
    }
    findings
}

/// Where, in lower case, something is cited that isn't here, and its words.
fn citation(text: &str) -> Option<(usize, &str)> {
    let note = ["research", " note"].concat();
    if let Some(at) = text.find(&note) {
        return Some((at, &text[at..at + note.len()]));
    }
    // A design that says something is a document.
    let said = ["says", "has", "names"].map(|verb| ["the design", verb, ""].join(" "));
    if let Some((at, said)) = said.iter().find_map(|said| Some((text.find(said)?, said))) {
        return Some((at, text[at..at + said.len()].trim_end()));
    }
    let numbered = ["design d", "design's d"]
        .into_iter()
        .flat_map(|word| text.match_indices(word).map(move |(at, _)| (at, at + word.len())));
    numbered
        .filter(|(_, end)| text[*end..].starts_with(|c: char| c.is_ascii_digit()))
        .map(|(at, end)| (at, &text[at..=end]))
        .next()
}

/// The names that stand right behind a path's root: `a` of `a::b`, `a` and `b` of `{a::x,b}`. No white space in `code`.
fn first_names(code: &str) -> Vec<&str> {
    let name =
        |text| str::split(text, |c: char| !c.is_alphanumeric() && c != '_' && c != '*').next();
    let Some(group) = code.strip_prefix('{') else {
        return name(code).into_iter().collect();
    };
    let (mut depth, mut start, mut names) = (0_u32, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                names.extend(name(&group[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names
}

/// Targets of `[text](target "title")` and `[label]: target`, outside code spans.
fn link_targets(line: &str) -> Vec<String> {
    let prose: String = line.split('`').step_by(2).collect();
    let inline = prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let defined =
        prose.strip_prefix('[').and_then(|rest| rest.split_once("]: ")?.1.split(' ').next());
    let targets = inline.chain(defined).map(|target| target.trim_matches(['<', '>']));
    targets.filter(|target| !target.is_empty()).map(String::from).collect()
}

/// What is wrong with a link, and what to do.
fn follow(
    from: &str,
    target: &str,
    files: &Files,
    read: impl Fn(&str) -> Option<String>,
) -> Result<(), (&'static str, &'static str)> {
    const GONE: (&str, &str) =
        ("which a clone doesn't have", "mend the link; what is linked to is committed");
    const OUTSIDE: (&str, &str) = (
        "which is not in the book",
        "list the page in book/src/SUMMARY.md; what is elsewhere is named as code: `scenarios/healthy.toml`",
    );
    const NO_HEADING: (&str, &str) =
        ("where no such heading is", "take the heading in lower case, `-` for each space");
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(());
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let mut place: Vec<&str> = from.split('/').collect();
    if !file.is_empty() {
        place.pop();
    }
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(place.pop().ok_or(GONE)?),
            name => place.push(name),
        }
    }
    let place = place.join("/");
    let is_folder = || {
        files.keys().any(|path| path.strip_prefix(&place).is_some_and(|rest| rest.starts_with('/')))
    };
    if !(place.is_empty() || files.contains_key(&place) || is_folder()) {
        return Err(GONE);
    }
    let is_in_book = || {
        let listed = |page: &str| read(&format!("{BOOK}SUMMARY.md"))?.contains(page).then_some(());
        let page = place.strip_prefix(BOOK)?;
        if page.ends_with(".md") { listed(&format!("]({page})")) } else { Some(()) }
    };
    if from.starts_with(BOOK) && place != from && is_in_book().is_none() {
        return Err(OUTSIDE);
    }
    let has_heading = || read(&place).is_some_and(|text| anchors(&text).any(|it| it == heading));
    if !heading.is_empty() && !has_heading() {
        return Err(NO_HEADING);
    }
    Ok(())
}

/// What headings are called in links, by mdBook and by forges.
fn anchors(markdown: &str) -> impl Iterator<Item = String> {
    let headings = prose(markdown).filter_map(|(_, line)| {
        let words = line.trim_start_matches('#').strip_prefix(' ')?;
        line.starts_with('#').then_some(words.trim())
    });
    headings.map(|words| {
        let kept = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
        words.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
    })
}

#[cfg(test)]
mod tests {
    use super::super::crates::tests::whats;
    use super::*;

    fn tree(paths: &[&str]) -> Files {
        paths.iter().map(|path| ((*path).to_owned(), 1)).collect()
    }

    #[test]
    fn the_purity_line_is_at_the_root_and_no_pure_crate_replaces_it() {
        assert!(check_purity_line(&tree(&["clippy.toml", "crates/host/clippy.toml"])).is_empty());
        let findings = check_purity_line(&tree(&[
            "crates/pool/.clippy.toml",
            "workflows/recovery/clippy.toml",
        ]));
        assert_eq!(
            whats(&findings),
            [
                "clippy.toml is missing at the root",
                "crates/pool/.clippy.toml replaces the purity line",
                "workflows/recovery/clippy.toml replaces the purity line",
            ]
        );
    }

    #[test]
    fn an_edited_or_missing_pinned_file_is_named() {
        let findings = check_pins(|path| (!path.starts_with("contracts")).then(|| path.into()));
        let whats = whats(&findings);
        assert!(
            whats[0].starts_with("workflows/confidential-recovery-darkpool.yaml has SHA-256 "),
            "{whats:?}"
        );
        assert!(
            whats[1].ends_with("differs from ../shared/seed/confidential-recovery-darkpool.yaml"),
            "{whats:?}"
        );
        assert_eq!(whats[2], "contracts/src/ICREDarkPool.sol is missing");
    }

    #[test]
    fn a_module_built_from_other_sources_is_named() {
        let list = format!("{}  same\n{}  edited\n", guests::hash(b"same"), guests::hash(b"old"));
        let findings = check_hashes(&list, |path| Some(path.into()));
        assert_eq!(whats(&findings), ["the workflow module was built from another edited"]);
        assert_eq!(check_hashes("", |_| None).len(), 1);
    }

    #[test]
    fn a_large_file_is_named() {
        let files =
            Files::from([("small".into(), FILE_LEN_MAX), ("large".into(), FILE_LEN_MAX + 1)]);
        assert_eq!(whats(&check_sizes(&files)), ["large is 2000001 bytes, limit 2000000"]);
    }

    #[test]
    fn a_stage_that_names_a_sibling_is_refused() {
        let path = "crates/protocol/src/settle.rs";
        for source in [
            "use crate::matching::Clearing;",
            "use crate::{event::Event, matching::{self, Clearing}};",
            "use crate::{\n    event::{Event, x},\n    matching,\n};",
            "fn f() { super :: matching::clear() }",
        ] {
            let findings = check_stage(path, source);
            assert_eq!(findings.len(), 1, "{source}");
            assert!(findings[0].what.contains("names `matching`"), "{source}");
        }
        assert_eq!(check_stage("crates/protocol/src/settle/proof.rs", "use crate::*;").len(), 1);
    }

    #[test]
    fn a_stage_may_name_itself_and_the_shared_modules_and_the_mission_may_name_all() {
        let source = "//! After [`crate::matching`].\nuse crate::{settle::Round, event::matching_of};\nuse super::*;\n\
                      use other_crate::detect;";
        assert!(check_stage("crates/protocol/src/settle.rs", source).is_empty());
        assert!(
            check_stage("crates/protocol/src/mission.rs", "use crate::{settle, matching};")
                .is_empty()
        );
        assert!(check_stage("crates/sim/src/settle.rs", "use crate::matching;").is_empty());
    }

    #[test]
    fn unfinished_code_is_named_with_its_line() {
        let source = concat!("fn f() {\n    to", "do!()\n}");
        assert_eq!(
            whats(&check_unfinished("a.rs", source)),
            [concat!("a.rs:2 is unfinished: `to", "do!()`")]
        );
        assert!(check_unfinished("a.md", source).is_empty());
    }

    #[test]
    fn a_document_that_a_clone_does_not_have_is_not_cited() {
        let note = concat!("research", " note");
        let broken = concat!("/// As in the research\n", "/// note §2.");
        for (text, line) in [
            (format!("fn f() {{}}\n// {note} §7.1"), 2),
            (broken.to_owned(), 1),
            (concat!("// (design ", "D16).").to_owned(), 1),
            (concat!("the design's ", "D3 says").to_owned(), 1),
            (concat!("Against it: the design ", "says 0.85 M.").to_owned(), 1),
        ] {
            let findings = check_citations("a.rs", &text);
            assert_eq!(findings.len(), 1, "{text}");
            assert!(findings[0].what.starts_with(&format!("a.rs:{line} cites")), "{findings:?}");
        }
        let fine = "The design does. A design document. Research, and a note.";
        assert!(check_citations("a.md", fine).is_empty());
    }

    #[test]
    fn a_test_that_a_page_names_and_nobody_wrote_is_named() {
        let rust = "fn amounts_do_not_wrap_around() {}\nfn other<T>(x: T) {}";
        let forge = "    function test_spend_reverts() public {";
        let found = functions("a.rs", rust).chain(functions("a.sol", forge));
        let functions = found.map(str::to_owned).collect();
        let page = "`amounts_do_not_wrap_around`, `test_spend_reverts`, `test_`, `order_hash`, `a_b_c_d`\n\
                    `amounts_do_not_wrap_round` and `test_spend_pays`\n";
        assert_eq!(
            whats(&check_tests("book/src/a.md", page, &functions)),
            [
                "book/src/a.md:2 names `amounts_do_not_wrap_round`, which is no function here",
                "book/src/a.md:2 names `test_spend_pays`, which is no function here",
            ]
        );
        assert!(check_tests("CONTRIBUTING.md", page, &functions).is_empty());
        assert_eq!(super::functions("a.md", rust).count(), 0);
    }

    #[test]
    fn dead_relative_links_are_named_and_live_ones_pass() {
        let files =
            tree(&["README.md", "book/src/intro.md", "book/src/draft.md", "contracts/src/A.sol"]);
        let text = |path: &str| {
            let page = "# A *Top*: P5, `x_y`\n```\n# code\n```\n";
            Some(if path.ends_with("SUMMARY.md") { "[I](intro.md)" } else { page }.to_owned())
        };
        let dead = |path: &str, markdown: &str| {
            let findings = check_links(path, markdown, &files, text);
            whats(&findings).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let live = "[a](book/src/intro.md#a-top-p5-x_y) [b](contracts) ![c](./README.md \"t\") [d](https://x.y/z#w) \
                    [e](#a-top-p5-x_y)\n`[code](nowhere)`\n```\n[fenced](nowhere)\n```\n[g]: README.md";
        assert_eq!(dead("README.md", live), [""; 0]);
        assert_eq!(
            dead("README.md", "[a](book/none.md) [b](../outside.md)\n[c]: gone.md"),
            [
                "README.md:1 links to book/none.md, which a clone doesn't have",
                "README.md:1 links to ../outside.md, which a clone doesn't have",
                "README.md:2 links to gone.md, which a clone doesn't have",
            ]
        );
        assert_eq!(
            dead(
                "book/src/intro.md",
                "[up](../../README.md) [d](draft.md) [code](#code) [self](intro.md)"
            ),
            [
                "book/src/intro.md:1 links to ../../README.md, which is not in the book",
                "book/src/intro.md:1 links to draft.md, which is not in the book",
                "book/src/intro.md:1 links to #code, where no such heading is",
            ]
        );
    }
}
