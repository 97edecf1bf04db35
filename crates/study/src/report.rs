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

/// One self-contained HTML file over one or more studies. Needs no network, no script and no other file.
pub fn html(studies: &[Summary]) -> String {
    html::page(studies)
}

/// The same numbers for programs: one object a study.
pub fn json(studies: &[Summary]) -> serde_json::Value {
    let studies: Vec<serde_json::Value> = studies
        .iter()
        .map(|summary| {
            let (figures, left_out) = figures(summary);
            serde_json::json!({
                "study": summary.card.study,
                "question": summary.question,
                "conclusion": summary.conclusion,
                "card": summary.card,
                "figures": figures,
                "left_out": left_out,
                "points": summary.points,
            })
        })
        .collect();
    serde_json::json!({ "studies": studies })
}

/// Every plot as a file of its own: name and text.
pub fn svgs(studies: &[Summary]) -> Vec<(String, String)> {
    studies
        .iter()
        .flat_map(|summary| {
            let study = summary.card.study.clone();
            figures(summary).0.into_iter().filter_map(move |figure| {
                let svg = plot::standalone(&figure.svg?);
                Some((format!("{study}-{}.svg", figure.id), svg))
            })
        })
        .collect()
}
