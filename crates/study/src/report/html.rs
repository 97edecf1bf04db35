//! The page around the figures. No script, no network, no font but what the reader has.

use std::fmt::Write as _;

use super::plot::{self, escape};
use super::{Figure, Table};
use crate::claims::Judged;
use crate::spec::thousands;
use crate::summary::Summary;

const STYLE: &str = "
*{box-sizing:border-box}html{scroll-behavior:smooth}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.6 Inter,system-ui,-apple-system,'Segoe UI','Helvetica Neue',Arial,sans-serif;font-variant-numeric:tabular-nums}
main,header,footer{max-width:1060px;margin:0 auto;padding:0 32px}
header{padding-top:64px}h1{font-size:34px;line-height:1.2;letter-spacing:-.02em;font-weight:680;margin:0 0 8px;text-wrap:balance}
h2{font-size:25px;line-height:1.25;letter-spacing:-.012em;font-weight:660;margin:72px 0 8px;padding-top:28px;border-top:2px solid var(--ink);text-wrap:balance}
h3{font-size:18px;font-weight:650;margin:48px 0 4px}
p{margin:8px 0 12px;max-width:70ch}.lead{font-size:19px;color:var(--soft)}.soft{color:var(--soft)}
.conclusion{border-left:3px solid var(--s0);padding:4px 0 4px 18px;margin:20px 0}.conclusion p{margin:4px 0}.conclusion.failing{border-left-color:#b3261e}.claims{list-style:none;margin:8px 0 0;padding:0}.claims li{margin:3px 0;overflow-wrap:anywhere}.claims .fails b{color:#b3261e}
.label{font-size:12px;letter-spacing:.06em;text-transform:uppercase;color:var(--soft);font-weight:600}
.facts{display:flex;flex-wrap:wrap;gap:8px 36px;margin:20px 0;padding:0;list-style:none}.facts b{display:block;font-size:21px;font-weight:640;letter-spacing:-.01em}
figure{margin:12px 0 8px;max-width:880px}figure svg{width:100%;height:auto;display:block}
figcaption,.method{font-size:14px;color:var(--soft);max-width:78ch}.method b{color:var(--ink);font-weight:600}
.scroll{overflow-x:auto;margin:12px 0;max-height:520px;overflow-y:auto}
table{border-collapse:collapse;font-size:13px;line-height:1.4;width:100%}
th{position:sticky;top:0;background:var(--ground);text-align:left;font-weight:600;vertical-align:bottom;padding:6px 14px 6px 0;border-bottom:1.5px solid var(--ink)}
td{padding:5px 14px 5px 0;border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}td.words{white-space:normal;min-width:20ch}
details{margin:8px 0}summary{cursor:pointer;font-size:14px;color:var(--soft)}summary:hover{color:var(--ink)}
code{font:13px/1.5 ui-monospace,'SF Mono',Menlo,Consolas,monospace;overflow-wrap:anywhere}
nav ol{padding-left:20px;margin:8px 0}nav a,p a,li a{color:var(--s0);text-decoration:none}nav a:hover{text-decoration:underline}
.changed td{font-weight:600}footer{padding:48px 32px 80px;font-size:14px;color:var(--soft)}
@media(max-width:640px){main,header,footer{padding-left:18px;padding-right:18px}h1{font-size:27px}}
@media print{body{font-size:11px}.scroll{max-height:none;overflow:visible}td{white-space:normal}h2{break-before:page}figure,table{break-inside:avoid}}
";

pub(super) fn page(studies: &[Summary]) -> String {
    let title = match studies {
        [one] if !one.question.is_empty() => one.question.clone(),
        [one] => one.card.study.clone(),
        _ => "Recovery studies".to_owned(),
    };
    let mut page = String::new();
    let _ = write!(
        page,
        "<!doctype html>\n{}\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{}</title>\n<style>{}{STYLE}</style>\n</head>\n<body>\n",
        crate::folder::MADE_BY,
        escape(&title),
        plot::style()
    );
    let _ = write!(
        page,
        "<header>\n<p class=\"label\">CDPR · recovery simulation</p>\n<h1>{}</h1>\n",
        escape(&title)
    );
    if let [_, _, ..] = studies {
        page.push_str("<nav><ol>");
        for (id, study) in super::ids(studies).iter().zip(studies) {
            let words = if study.question.is_empty() { &study.card.study } else { &study.question };
            let _ = write!(page, "<li><a href=\"#{0}\">{1}</a></li>", escape(id), escape(words));
        }
        page.push_str("</ol></nav>");
    }
    page.push_str("</header>\n<main>\n");
    for (id, summary) in super::ids(studies).iter().zip(studies) {
        study(&mut page, &escape(id), summary, studies.len() == 1);
    }
    page.push_str("</main>\n<footer><p>Simulated, not observed: every number above follows from the assumptions listed with it. Two runs of one spec by one version give the same bytes; the run card says which.</p></footer>\n</body>\n</html>\n");
    page
}

fn study(page: &mut String, id: &str, summary: &Summary, is_only: bool) {
    let card = &summary.card;
    if is_only {
        let _ = writeln!(page, "<section id=\"{id}\">");
    } else {
        let words = if summary.question.is_empty() { &card.study } else { &summary.question };
        let _ = writeln!(page, "<section id=\"{id}\">\n<h2>{}</h2>", escape(words));
    }
    if !summary.conclusion.is_empty() || !summary.claims.is_empty() {
        let failing = summary.claims.iter().filter(|claim| !claim.holds).count();
        let of = summary.claims.len();
        let label = match (of, failing) {
            (0, _) => {
                "Conclusion, written by the study's author; the figures below are of this run"
                    .to_owned()
            }
            (_, 0) => format!(
                "Conclusion, written by the study's author; the {of} claims that it rests on hold in this run"
            ),
            _ => format!(
                "Conclusion, written by the study's author; {failing} of the {of} claims that it rests on FAIL in this run"
            ),
        };
        let class = if failing > 0 { "conclusion failing" } else { "conclusion" };
        let _ = write!(page, "<div class=\"{class}\"><span class=\"label\">{label}</span>");
        for paragraph in summary.conclusion.split("\n\n") {
            let _ = write!(page, "<p>{}</p>", escape(paragraph.trim()));
        }
        if of > 0 {
            page.push_str("<ul class=\"claims\">");
            for Judged { claim, holds, figures } in &summary.claims {
                let word = if *holds { "holds" } else { "fails" };
                let (claim, figures) = (escape(claim), escape(figures));
                let _ = write!(
                    page,
                    "<li class=\"{word}\"><b>{word}</b> <code>{claim}</code> <span class=\"soft\">{figures}</span></li>"
                );
            }
            page.push_str("</ul>");
        }
        page.push_str("</div>\n");
    }
    let facts = [
        (thousands(card.runs), "runs, all policies and points together"),
        (thousands(card.policies.len() as u64), "policies"),
        (thousands(card.points), "points"),
        (card.seed.to_string(), "seed"),
        (card.results_sha256.chars().take(12).collect(), "results, SHA-256"),
    ];
    page.push_str("<ul class=\"facts\">");
    for (value, words) in facts {
        let _ =
            write!(page, "<li><b>{}</b><span class=\"soft\">{words}</span></li>", escape(&value));
    }
    page.push_str("</ul>\n");
    let (figures, left_out) = super::figures(summary);
    for (index, one) in figures.iter().enumerate() {
        figure(page, index + 1, id, one);
    }
    if !left_out.is_empty() {
        page.push_str("<h3>Left out</h3>\n<ul class=\"soft\">");
        for one in &left_out {
            let _ = write!(page, "<li>{}: {}.</li>", escape(one.figure), escape(&one.reason));
        }
        page.push_str("</ul>\n");
    }
    assumptions(page, summary);
    run_card(page, summary);
    page.push_str("</section>\n");
}

fn figure(page: &mut String, number: usize, study: &str, figure: &Figure) {
    let _ =
        writeln!(page, "<h3 id=\"{study}-{}\">{number}. {}</h3>", figure.id, escape(&figure.title));
    if let Some(svg) = &figure.svg {
        let _ = writeln!(
            page,
            "<figure>{svg}<figcaption>{}</figcaption></figure>",
            escape(&figure.caption)
        );
        let _ = writeln!(page, "<details><summary>The numbers</summary>");
        table(page, &figure.table);
        page.push_str("</details>\n");
    } else {
        let _ = writeln!(page, "<p class=\"soft\">{}</p>", escape(&figure.caption));
        table(page, &figure.table);
    }
    let _ = writeln!(page, "<p class=\"method\"><b>Method.</b> {}</p>", escape(&figure.method));
}

fn table(page: &mut String, table: &Table) {
    page.push_str("<div class=\"scroll\"><table><thead><tr>");
    for column in &table.columns {
        let _ = write!(page, "<th>{}</th>", escape(column));
    }
    page.push_str("</tr></thead><tbody>");
    for row in &table.rows {
        page.push_str("<tr>");
        for cell in row {
            let _ = write!(page, "<td>{}</td>", escape(cell));
        }
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table></div>\n");
}

fn assumptions(page: &mut String, summary: &Summary) {
    if summary.world.is_empty() {
        return;
    }
    let row = |page: &mut String, key: &str, value: &str, meaning: &str, source: &str| {
        let _ = write!(
            page,
            "<tr><td><code>{}</code></td><td>{}</td><td class=\"words\">{}</td><td class=\"words\">{}</td></tr>",
            escape(key),
            escape(value),
            escape(meaning),
            escape(source)
        );
    };
    let head = "<div class=\"scroll\"><table><thead><tr><th>Key</th><th>Value</th><th>Meaning</th><th>Source of the default</th></tr></thead><tbody>";
    page.push_str("<h3>What is assumed</h3>\n");
    let changed: Vec<_> = summary.world.iter().filter(|assumption| assumption.is_changed).collect();
    if changed.is_empty() {
        page.push_str("<p class=\"soft\">The world is the model's default.</p>\n");
    } else {
        page.push_str(
            "<p class=\"soft\">What this study sets itself; the rest is the model's default.</p>\n",
        );
        page.push_str(head);
        for one in changed {
            row(page, &one.key, &one.value, &one.meaning, &one.source);
        }
        page.push_str("</tbody></table></div>\n");
    }
    for axis in &summary.axes {
        let _ = writeln!(
            page,
            "<p class=\"soft\">Varies: <code>{}</code>. {}</p>",
            escape(&axis.key),
            escape(&axis.meaning)
        );
    }
    let _ = writeln!(
        page,
        "<details><summary>Every key of the world, {}</summary>{head}",
        summary.world.len()
    );
    for one in &summary.world {
        row(page, &one.key, &one.value, &one.meaning, &one.source);
    }
    page.push_str("</tbody></table></div></details>\n");
}

fn run_card(page: &mut String, summary: &Summary) {
    let card = &summary.card;
    let none = || "none given".to_owned();
    let rows = [
        ("Study", card.study.clone()),
        ("Config, SHA-256", card.config_sha256.clone()),
        ("Results, SHA-256", card.results_sha256.clone()),
        ("Data, SHA-256", card.data_sha256.clone().unwrap_or_else(none)),
        (
            "Code",
            format!(
                "cdpr {}{}",
                card.code_version,
                card.code_commit.as_ref().map_or_else(String::new, |commit| format!(", {commit}"))
            ),
        ),
        ("Level", card.level.clone()),
        ("Seed", card.seed.to_string()),
        ("Design", format!("{}, {} points", summary.design, thousands(card.points))),
        ("Runs", thousands(card.runs)),
        ("Policies", card.policies.join(", ")),
        ("Randomness", card.randomness.clone()),
    ];
    page.push_str("<h3>Run card</h3>\n<div class=\"scroll\"><table><tbody>");
    for (name, value) in rows {
        let _ = write!(
            page,
            "<tr><td>{name}</td><td class=\"words\"><code>{}</code></td></tr>",
            escape(&value)
        );
    }
    page.push_str("</tbody></table></div>\n");
}
