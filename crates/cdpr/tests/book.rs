//! What the book shows of commands is what they print.
//!
//! An output is a `text` block after a `console` block, and above it stands a comment: `printed`, and then it is compared, or
//! `printed with NAME: WHY`, and then it is compared where the environment has NAME: what takes minutes, or more than a
//! Rust toolchain. The gate's steps set both names. In what is shown, `…` stands for anything, alone on a line for any lines, and
//! there may be more before and after it.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A fenced block of a page.
struct Block<'a> {
    kind: &'a str,
    text: &'a str,
    /// The comment right above it.
    mark: Option<&'a str>,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let parts: Vec<&str> = page.split("```").collect();
    let pairs = parts.chunks_exact(2);
    pairs
        .map(|pair| {
            let (kind, text) = pair[1].split_once('\n').unwrap_or((pair[1], ""));
            let above = pair[0].trim_end().strip_suffix("-->");
            let mark =
                above.and_then(|above| above.rsplit_once("<!--")).map(|(_, mark)| mark.trim());
            Block { kind: kind.trim(), text, mark }
        })
        .collect()
}

/// What may be needed to compare an output.
const NEEDED: [&str; 2] = ["CDPR_BUILD_PROJECTS", "CDPR_MINUTES"];

/// An output that a page shows.
struct Shown<'a> {
    /// Those before it on the page, since the last output.
    commands: String,
    text: &'a str,
    /// What the environment has to have.
    needs: Option<&'a str>,
}

/// What a page shows, and what is wrong with marks.
fn shown(page: &str) -> (Vec<Shown<'_>>, Vec<String>) {
    let (mut commands, mut last) = (String::new(), "");
    let (mut outputs, mut wrong) = (Vec::new(), Vec::new());
    for block in blocks(page) {
        match (block.kind, last) {
            ("console", _) => {
                for line in block.text.lines() {
                    commands.push_str(line.strip_prefix("$ ").unwrap_or(line));
                    commands.push('\n');
                }
            }
            ("text", "console") => {
                let with = block.mark.and_then(|mark| mark.strip_prefix("printed with "));
                let needs = with.and_then(|with| Some(with.split_once(": ")?.0));
                if block.mark == Some("printed") || needs.is_some_and(|it| NEEDED.contains(&it)) {
                    let commands = std::mem::take(&mut commands);
                    outputs.push(Shown { commands, text: block.text, needs });
                } else {
                    wrong.push(format!("an output without a mark:\n{}", block.text));
                }
            }
            _ => {}
        }
        last = block.kind;
    }
    (outputs, wrong)
}

/// Whether a line is as shown.
fn is_like(line: &str, shown: &str) -> bool {
    let mut parts = shown.trim_end().split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.trim_end().strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((end, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(end)
}

fn is_in(printed: &str, shown: &str) -> bool {
    let (printed, shown): (Vec<_>, Vec<_>) = (printed.lines().collect(), shown.lines().collect());
    let mut rest = &printed[..];
    // A line of `…` alone is any number of lines.
    shown.split(|line| *line == "…").all(|part| {
        let is_here =
            |lines: &[&str]| lines.iter().zip(part).all(|(line, shown)| is_like(line, shown));
        let at = if part.is_empty() { Some(0) } else { rest.windows(part.len()).position(is_here) };
        if let Some(at) = at {
            rest = &rest[at + part.len()..];
        }
        at.is_some()
    })
}

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "md") {
            found.push(path);
        }
    }
}

#[test]
fn what_the_book_shows_is_what_is_printed() {
    let mut found = vec![Path::new(ROOT).join("README.md")];
    pages(&Path::new(ROOT).join("book/src"), &mut found);
    let mut n_compared = 0;
    for path in found {
        let page = fs::read_to_string(&path).unwrap();
        let (mut outputs, wrong) = shown(&page);
        assert!(wrong.is_empty(), "{}: {}", path.display(), wrong.join("\n"));
        outputs.retain(|output| {
            let lacking = output.needs.filter(|needs| std::env::var_os(needs).is_none());
            if let Some(needs) = lacking {
                println!("skipped: an output of {} is compared with {needs}=1", path.display());
            }
            lacking.is_none()
        });
        if outputs.is_empty() {
            continue;
        }
        // As in a clone, where nothing of it can be spoiled.
        let name = path.file_stem().unwrap();
        let within = Path::new(env!("CARGO_TARGET_TMPDIR")).join("book").join(name);
        let _ = fs::remove_dir_all(&within);
        fs::create_dir_all(&within).unwrap();
        for given in ["crates", "deployments", "examples", "scenarios", "workflows"] {
            std::os::unix::fs::symlink(Path::new(ROOT).join(given), within.join(given)).unwrap();
        }
        for Shown { commands, text, .. } in outputs {
            // Not a function: what runs in the background is then the program, and can be ended.
            let script = commands.replace("cargo run -- ", "cdpr ");
            let program = Path::new(env!("CARGO_BIN_EXE_cdpr")).parent().unwrap();
            let others = std::env::var("PATH").unwrap_or_default();
            let output = Command::new("sh")
                .args(["-c", &format!("{{ {script}}} 2>&1")])
                .current_dir(&within)
                .env("PATH", format!("{}:{others}", program.display()))
                .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
                .env("COLUMNS", "80")
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let printed = String::from_utf8(output.stdout).unwrap();
            let name = path.display();
            assert!(is_in(&printed, text), "{name}: shown is\n{text}\nprinted is\n{printed}");
            n_compared += 1;
        }
    }
    assert!(n_compared >= 3, "only {n_compared} outputs were compared: are they still marked?");
}

/// Lines of a text on a terminal of 80 columns.
fn lines(text: &str) -> usize {
    text.lines().map(|line| line.chars().count().div_ceil(80).max(1)).sum()
}

#[test]
fn the_readme_is_two_screens_and_sends_each_reader_to_a_page_that_ends_in_a_result() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    // Of fifty lines each.
    assert!(lines(&readme) <= 100, "{} lines", lines(&readme));
    let links = readme.split("](").filter_map(|rest| rest.split_once(')'));
    let links: Vec<&str> = links
        .map(|(link, _)| link)
        .filter(|link| link.contains("/readers/") && !link.contains('#'))
        .collect();
    let mut found = Vec::new();
    pages(&Path::new(ROOT).join("book/src/readers"), &mut found);
    assert_eq!(links.len(), found.len(), "{links:?}");
    for link in links {
        let page = fs::read_to_string(Path::new(ROOT).join(link)).unwrap();
        assert!(!shown(&page).0.is_empty(), "{link} shows no output of a command");
    }
}

#[test]
fn an_output_that_differs_and_one_without_a_mark_are_found() {
    let page = "```console\n$ a\n```\n<!-- printed -->\n\n```text\nx … z\n```\n```console\n$ b\n```\n```text\ny\n```\n\
                ```console\n$ c\n```\n<!-- printed with CDPR_MINUTES: it takes them -->\n```text\nw\n```\n```text\nno output\n```\n\
                ```console\n$ d\n```\n<!-- printed with LUCK: now and then -->\n```text\nv\n```\n";
    let (outputs, wrong) = shown(page);
    let commands: Vec<_> = outputs.iter().map(|it| (it.commands.as_str(), it.needs)).collect();
    assert_eq!(commands, [("a\n", None), ("b\nc\n", Some("CDPR_MINUTES"))]);
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    for (printed, is_printed) in [
        ("first\nx y z\nlast", true),
        ("x  z\n", true),
        ("x z\n", false),
        ("x y z.\n", false),
        (" x y z\n", false),
        ("", false),
    ] {
        assert_eq!(is_in(printed, outputs[0].text), is_printed, "{printed:?}");
    }
    assert!(is_in("a\nb\nc\nd", "a\n…\nd") && is_in("a\nb", "a\n…\nb"));
    assert!(!is_in("a\nb", "b\n…\na") && !is_in("a", "a\n…\na"));
    assert!(is_like("a b c d", "a … c …") && !is_like("a b d", "a … c …"));
}
