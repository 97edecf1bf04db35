//! The report: figures and tables with their method in words, as one HTML file, JSON, or one SVG a plot.

mod figures;
mod html;
mod plot;

use serde::Serialize;

use crate::summary::Summary;

/// A figure or table of the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Short name: file name and anchor.
    pub id: &'static str,
    /// What it shows, as a heading.
    pub title: String,
    /// What to see in it.
    pub caption: String,
    /// How the numbers were made.
    pub method: String,
    /// The plot; a table alone has none.
    #[serde(skip)]
    pub svg: Option<String>,
    /// The numbers.
    pub table: Table,
}

/// Numbers as text, with units in the headings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Headings.
    pub columns: Vec<String>,
    /// Rows, as long as the headings.
    pub rows: Vec<Vec<String>>,
}

/// A figure that this study cannot draw, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Which.
    pub figure: &'static str,
    /// Why.
    pub reason: String,
}

/// The figures of a study, in reading order, and those left out.
pub fn figures(summary: &Summary) -> (Vec<Figure>, Vec<LeftOut>) {
    figures::all(summary)
}

/// What tells studies apart in anchors and file names: their names, with a number from the second of a name on.
fn ids(studies: &[Summary]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::with_capacity(studies.len());
    for summary in studies {
        let name = &summary.card.study;
        let is_taken = |id: &String| {
            // Nor one that a later study has by itself.
            ids.contains(id) || id != name && studies.iter().any(|other| other.card.study == *id)
        };
        let numbered = (2_u64..).map(|number| format!("{name}-{number}"));
        let id = std::iter::once(name.clone()).chain(numbered).find(|id| !is_taken(id));
        ids.push(id.expect("numbers do not end"));
    }
    ids
}

/// One self-contained HTML file over one or more studies. Needs no network, no script and no other file.
pub fn html(studies: &[Summary]) -> String {
    html::page(studies)
}

/// The same numbers for programs: one object a study.
pub fn json(studies: &[Summary]) -> serde_json::Value {
    let studies: Vec<serde_json::Value> = ids(studies)
        .into_iter()
        .zip(studies)
        .map(|(id, summary)| {
            let (figures, left_out) = figures(summary);
            serde_json::json!({
                "study": summary.card.study,
                "id": id,
                "question": summary.question,
                "conclusion": summary.conclusion,
                "claims": summary.claims,
                "card": summary.card,
                "figures": figures,
                "left_out": left_out,
                "points": summary.points,
            })
        })
        .collect();
    serde_json::json!({ "studies": studies })
}

/// Every plot as a file of its own: name, which no other has, and text.
pub fn svgs(studies: &[Summary]) -> Vec<(String, String)> {
    ids(studies)
        .into_iter()
        .zip(studies)
        .flat_map(|(id, summary)| {
            figures(summary).0.into_iter().filter_map(move |figure| {
                let svg = plot::standalone(&figure.svg?);
                Some((format!("{id}-{}.svg", figure.id), svg))
            })
        })
        .collect()
}
