//! What the README's first command prints, as a picture: one SVG with no font, script or reference in it, in the
//! colours of the terminal, readable on light and on dark. It is drawn from what the command prints, and the gate
//! draws it again to compare.
//!
//! It ends where the chain's own counts begin: those are of a build (its measurement is in every signature), and the
//! picture is of a seed.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result, bail, ensure};

use crate::shell::{self, Call};

/// Where it is kept.
const PATH: &str = "book/src/mission/transcript.svg";
/// What the README tells a reader to type first.
const COMMAND: &str = "cargo run -- run";
/// Where the picture ends.
const END: &str = "On chain";

/// A letter's width and a line's height at [`FONT`] pixels. Fonts differ, so every piece of text is told its length.
const LETTER: f64 = 8.4;
const LINE: f64 = 19.0;
const FONT: u32 = 14;
const PAD: f64 = 18.0;

/// By ANSI code: class, on light, on dark.
const COLOURS: [(&str, &str, &str, &str); 5] = [
    ("2", "d", "#59636e", "#9198a1"),
    ("31", "r", "#c5221f", "#ff7b72"),
    ("32", "g", "#1a7f37", "#56d364"),
    ("35", "m", "#8250df", "#d2a8ff"),
    ("36", "c", "#0b7285", "#56d4dd"),
];

/// Draws it anew; with `check`, compares and changes nothing.
///
/// # Errors
/// When the command fails, or `check` finds a difference.
pub(crate) fn run(check: bool) -> Result<()> {
    let printed =
        coloured(&Call::new(&format!("cargo run --quiet --locked -- {}", arguments()))).read()?;
    if check {
        return compare(&printed);
    }
    let path = shell::root().join(PATH);
    fs::write(&path, svg(&printed)?).with_context(|| format!("writing {}", path.display()))
}

fn arguments() -> &'static str {
    COMMAND.rsplit("-- ").next().unwrap_or_default()
}

/// The call, made to print colours to whoever reads it.
pub(crate) fn coloured(call: &Call) -> Call {
    call.clone().env("CLICOLOR_FORCE", "1").env("NO_COLOR", "")
}

/// Whether the picture is of what was printed.
///
/// # Errors
/// When it isn't, with the first line that differs.
pub(crate) fn compare(printed: &str) -> Result<()> {
    let path = shell::root().join(PATH);
    let kept = fs::read_to_string(&path).with_context(|| format!("reading {PATH}"))?;
    let drawn = svg(printed)?;
    if kept == drawn {
        return Ok(());
    }
    let differs = kept.lines().zip(drawn.lines()).find(|(kept, drawn)| kept != drawn);
    let (kept, drawn) = differs.unwrap_or(("one is longer", "than the other"));
    bail!(
        "{PATH} is not what `{COMMAND}` prints:\n  kept  {kept}\n  drawn {drawn}\nhint: `cargo xtask picture`"
    )
}

/// A terminal's text as an SVG.
fn svg(printed: &str) -> Result<String> {
    ensure!(printed.contains('\u{1b}'), "nothing of it is coloured");
    let lines: Vec<Vec<Piece>> = printed
        .lines()
        .map(pieces)
        .take_while(|line| line.first().is_none_or(|piece| !piece.text.starts_with(END)))
        .collect();
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let prompt = [Piece { column: 0, style: "2".to_owned(), text: format!("$ {COMMAND}") }];
    let lines = [&prompt[..], &[]].into_iter().chain(lines[..end].iter().map(Vec::as_slice));
    let lines: Vec<&[Piece]> = lines.collect();
    let columns = lines.iter().flat_map(|line| line.last()).map(Piece::end).max().unwrap_or(0);
    let (width, height) = (2.0 * PAD + size(columns), 2.0 * PAD + LINE * float(lines.len()));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\">\n<title>What {COMMAND} prints</title>\n<style>\n"
    );
    let _ = writeln!(
        out,
        "text{{font:{FONT}px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328}}\n\
         rect{{fill:#f6f8fa;stroke:#d1d9e0}}\n.b{{font-weight:700}}"
    );
    let classes = |dark: bool| -> String {
        let one = |(_, class, light, on_dark): &(&str, &str, &str, &str)| {
            format!(".{class}{{fill:{}}}", if dark { on_dark } else { light })
        };
        COLOURS.iter().map(one).collect()
    };
    let _ = writeln!(out, "{}", classes(false));
    let _ = writeln!(
        out,
        "@media(prefers-color-scheme:dark){{text{{fill:#e6edf3}}rect{{fill:#0d1117;stroke:#3d444d}}{}}}",
        classes(true)
    );
    let _ = writeln!(
        out,
        "</style>\n<rect x=\".5\" y=\".5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"8\"/>",
        width - 1.0,
        height - 1.0
    );
    for (row, line) in lines.iter().enumerate() {
        let y = PAD + LINE * float(row) + 14.0;
        for piece in *line {
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{y:.0}\" textLength=\"{:.1}\"{}>{}</text>",
                PAD + size(piece.column),
                size(piece.text.chars().count()),
                classes_of(&piece.style)?,
                escaped(&piece.text)
            );
        }
    }
    out.push_str("</svg>\n");
    Ok(out)
}

fn size(columns: usize) -> f64 {
    LETTER * float(columns)
}

#[expect(clippy::cast_precision_loss, reason = "rows and columns of a screen")]
const fn float(n: usize) -> f64 {
    n as f64
}

/// A piece of one line in one style, with single spaces in it.
#[derive(Debug, PartialEq)]
struct Piece {
    /// From 0.
    column: usize,
    /// ANSI codes, joined by `;`; empty for none.
    style: String,
    text: String,
}

impl Piece {
    /// The column after it.
    fn end(&self) -> usize {
        self.column + self.text.chars().count()
    }
}

/// Takes a line apart at its escape codes, and at gaps, which SVG would close.
fn pieces(line: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut style, mut column) = (String::new(), 0);
    for (index, part) in line.split("\u{1b}[").enumerate() {
        let text = match part.split_once('m') {
            Some((codes, text)) if index > 0 => {
                style = if codes == "0" { String::new() } else { codes.to_owned() };
                text
            }
            _ => part,
        };
        for gapped in text.split_inclusive("  ") {
            let word = gapped.trim();
            if !word.is_empty() {
                let before = gapped.chars().take_while(|letter| *letter == ' ').count();
                let (column, style) = (column + before, style.clone());
                pieces.push(Piece { column, style, text: word.to_owned() });
            }
            column += gapped.chars().count();
        }
    }
    pieces
}

fn classes_of(style: &str) -> Result<String> {
    let mut classes = Vec::new();
    for code in style.split(';').filter(|code| !code.is_empty()) {
        match COLOURS.iter().find(|(known, ..)| *known == code) {
            Some((_, class, ..)) => classes.push(*class),
            None if code == "1" => classes.push("b"),
            None => bail!("the picture has no colour for ANSI code {code}"),
        }
    }
    let joined = classes.join(" ");
    Ok(if joined.is_empty() { joined } else { format!(" class=\"{joined}\"") })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_apart_at_codes_and_gaps() {
        let piece = |column, style: &str, text: &str| Piece {
            column,
            style: style.to_owned(),
            text: text.to_owned(),
        };
        assert_eq!(
            pieces("\u{1b}[2m16:00\u{1b}[0m  \u{1b}[36mdetect \u{1b}[0m  back in time   <now>"),
            [
                piece(0, "2", "16:00"),
                piece(7, "36", "detect"),
                piece(16, "", "back in time"),
                piece(31, "", "<now>"),
            ]
        );
        assert!(pieces("").is_empty());
    }

    #[test]
    fn a_picture_ends_before_the_chains_counts_and_stands_alone() {
        let printed =
            "\u{1b}[1;32mrecovered\u{1b}[0m\n16:00  a < b\n\n\u{1b}[1mOn chain\u{1b}[0m: 134,001\n";
        let drawn = svg(printed).unwrap();
        assert!(drawn.contains(">recovered</text>") && drawn.contains(" class=\"b g\""), "{drawn}");
        assert!(drawn.contains(">a &lt; b</text>") && drawn.contains(">$ cargo run -- run</text>"));
        assert!(!drawn.contains("134,001") && !drawn.contains("On chain"));
        let references = drawn.matches("http").count();
        assert_eq!(references, 1, "the namespace alone");
        assert!(svg("no colour").is_err());
        assert!(svg("\u{1b}[34mblue\u{1b}[0m").is_err(), "a colour that it does not know");
        assert_ne!(svg(&printed.replace("16:00", "16:05")).unwrap(), drawn);
    }
}
