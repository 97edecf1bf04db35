use std::collections::BTreeSet;

use study::stats::Estimate;
use study::summary::PolicyStats;
use study::{report, study as run_study};
use tempfile::TempDir;

use super::{SMALL, plan};

#[test]
fn the_page_is_self_contained_and_says_how_and_what_was_left_out() {
    let plan = plan(SMALL);
    let folder = TempDir::new().unwrap();
    let chunks = run_study::chunk_folder(folder.path());
    let summary = run_study::run(&plan, folder.path(), &chunks, 2, &|_| {}).unwrap();
    let page = report::html(std::slice::from_ref(&summary));
    for foreign in ["<script", "http://", "https://", "@import", "url(", "<link", "<img"] {
        let found = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!found.contains(foreign), "the page holds {foreign}");
    }
    assert!(page.contains("Wilson") && page.contains("BCa") && page.contains("Kaplan–Meier"));
    assert!(page.contains("Left out"));
    assert!(page.contains("The measured path is left out: the study was given no series."));
    assert!(page.contains(&summary.card.results_sha256));
    // Every opened element that matters is closed.
    for tag in ["svg", "table", "details", "section", "figure"] {
        let opened = page.matches(&format!("<{tag}")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    let svgs = report::svgs(std::slice::from_ref(&summary));
    assert!(
        svgs.iter().any(|(name, _)| name == "small-panel.svg"),
        "{:?}",
        svgs.iter().map(|(name, _)| name).collect::<Vec<_>>()
    );
    let json = report::json(&[summary]);
    assert_eq!(json["studies"][0]["card"]["seed"], 7);
}

#[test]
fn an_index_above_one_warns() {
    let source = SMALL
        .replace("replications = 230", "replications = 20")
        .replace("[sweep]", "[sweep]\ndesign = \"saltelli\"\npoints = 8")
        .replace("[4, 16]", "{ from = 4, to = 16 }");
    let plan = plan(&source);
    let folder = TempDir::new().unwrap();
    let chunks = run_study::chunk_folder(folder.path());
    let mut summary = run_study::run(&plan, folder.path(), &chunks, 2, &|_| {}).unwrap();
    let caption = |summary: &study::summary::Summary| {
        let (figures, _) = report::figures(summary);
        figures.into_iter().find(|figure| figure.id == "drivers").unwrap().caption
    };
    for one in &mut summary.sensitivity {
        for index in &mut one.indices {
            (index.first.value, index.total.value) = (0.4, 0.9);
        }
    }
    assert!(summary.warnings().is_empty() && !caption(&summary).contains("Warning"));
    summary.sensitivity[0].indices[0].total.value = 1.08;
    let words = summary.warnings().join(" ");
    assert!(words.contains("total index of makers.invited") && words.contains("1.08"), "{words}");
    assert!(caption(&summary).contains("Warning: the total index"), "{}", caption(&summary));
}

#[test]
fn a_summary_reads_back_as_it_was_written() {
    let plan = plan(SMALL);
    let folder = TempDir::new().unwrap();
    let chunks = run_study::chunk_folder(folder.path());
    let summary = run_study::run(&plan, folder.path(), &chunks, 2, &|_| {}).unwrap();
    let read = run_study::read(folder.path()).unwrap();
    // Missing numbers are not equal to themselves, so the text is compared.
    assert_eq!(serde_json::to_string(&read).unwrap(), serde_json::to_string(&summary).unwrap());
}

/// A study on the stack and the same in the model have one name, and are told apart.
#[test]
fn studies_of_one_name_keep_their_anchors_and_files_apart() {
    let plan = plan(SMALL);
    let folder = TempDir::new().unwrap();
    let chunks = run_study::chunk_folder(folder.path());
    let one = run_study::run(&plan, folder.path(), &chunks, 2, &|_| {}).unwrap();
    let named = |name: &str| {
        let mut summary = one.clone();
        summary.card.study = name.to_owned();
        summary
    };
    let studies = ["small", "small", "small-2", "small"].map(named);
    let json = report::json(&studies);
    let ids: Vec<&str> =
        json["studies"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["small", "small-3", "small-2", "small-4"]);
    let svgs = report::svgs(&studies);
    let names: BTreeSet<&String> = svgs.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), svgs.len(), "{names:?}");
    assert_eq!(svgs.len(), 4 * report::svgs(&studies[..1]).len());
    let page = report::html(&studies);
    for id in ids {
        assert_eq!(page.matches(&format!("<section id=\"{id}\">")).count(), 1, "{id}");
        assert_eq!(page.matches(&format!("href=\"#{id}\"")).count(), 1, "{id}");
        assert_eq!(page.matches(&format!("<h3 id=\"{id}-league\">")).count(), 1, "{id}");
    }
}

#[test]
fn a_table_that_leaves_points_out_says_so() {
    let plan = plan(SMALL);
    let folder = TempDir::new().unwrap();
    let chunks = run_study::chunk_folder(folder.path());
    let mut summary = run_study::run(&plan, folder.path(), &chunks, 2, &|_| {}).unwrap();
    let captions = |summary: &study::summary::Summary| {
        let (figures, _) = report::figures(summary);
        figures.into_iter().map(|figure| (figure.id, figure.caption)).collect::<Vec<_>>()
    };
    let cut = |summary: &study::summary::Summary| {
        let cut =
            |(id, caption): (&'static str, String)| caption.contains("the first").then_some(id);
        captions(summary).into_iter().filter_map(cut).collect::<Vec<_>>()
    };
    assert!(cut(&summary).is_empty(), "{:?}", captions(&summary));
    let point = summary.points[0].clone();
    assert!(!point.league.is_empty());
    summary.points = vec![point; 61];
    assert_eq!(cut(&summary), ["league", "differences"]);
    let channels = captions(&summary).into_iter().find(|(id, _)| *id == "leakage");
    if let Some((_, caption)) = channels {
        assert!(caption.contains(" 13 channels"), "{caption}");
    }
}

/// What a cell may differ by: half of the last place that it is printed with.
fn half_a_place(value: f64) -> f64 {
    match value.abs() {
        size if size >= 100_000.0 => 0.5,
        size if size >= 1_000.0 => 0.5,
        size if size >= 100.0 => 0.05,
        size if size >= 1.0 => 0.005,
        size if size >= 0.01 => 0.000_5,
        size if size >= 0.000_1 => 0.000_005,
        size => size * 0.05,
    }
}

fn numbers(cell: &str) -> Vec<f64> {
    // A comma within a number groups its digits.
    let cell = cell.replace(", ", " ").replace(',', "").replace(['[', ']', '/'], " ");
    let cell = cell.replace('−', "-");
    cell.split_whitespace().map(|word| word.parse().unwrap_or(f64::NAN)).collect()
}

/// A cell says these, in this order; a dash says that there is none.
fn says(cell: &str, expected: &[f64]) -> bool {
    let found = numbers(cell);
    let is_said = |(found, expected): (&f64, &f64)| {
        (found.is_nan() && !expected.is_finite())
            || (found - expected).abs() <= half_a_place(*expected) * 1.000_001
    };
    found.len() == expected.len() && found.iter().zip(expected).all(is_said)
}

/// Every number of the league, of the times to recovery and of the curves along a sweep is the summary's, in its unit; the
/// page has the cells that the JSON has.
#[test]
fn figures_hold_the_numbers_of_the_summary() {
    let plan = plan(&SMALL.replace("[4, 16]", "[4, 16, 30]"));
    let folder = TempDir::new().unwrap();
    let chunks = run_study::chunk_folder(folder.path());
    run_study::run(&plan, folder.path(), &chunks, 2, &|_| {}).unwrap();
    // As it is read from the file, which is what a report is made of.
    let summary = run_study::read(folder.path()).unwrap();
    let (figures, _) = report::figures(&summary);
    let estimate =
        |e: Estimate, factor: f64| vec![e.value * factor, e.low * factor, e.high * factor];
    let metric = |stats: &PolicyStats, name: &str, factor: f64| {
        assert!(stats.metrics.contains_key(name), "{name}");
        estimate(stats.metric(name), factor)
    };
    let hours = |hours: Option<f64>| hours.unwrap_or(f64::NAN);
    let mut n_compared = 0;
    for figure in &figures {
        for row in &figure.table.rows {
            let cell = |column: &str| {
                let place = figure.table.columns.iter().position(|name| name == column)?;
                Some(row[place].as_str())
            };
            // Tables of one point are of the first.
            let value = cell("makers.invited").or(cell("scenario.makers.invited"));
            let point = summary
                .points
                .iter()
                .find(|point| value.is_none_or(|value| point.values[0] == value));
            let Some(policy) = cell("Policy") else { continue };
            let stats = point.unwrap().policies.iter().find(|stats| stats.policy == policy);
            // Of paired differences only the first of a policy's rows names it.
            let (Some(stats), true) =
                (stats, ["league", "recovery", "panel", "sweep"].contains(&figure.id))
            else {
                continue;
            };
            let [half, most, nearly] = stats.ttr_quantiles.map(hours);
            let es = |e: Option<Estimate>| e.map_or(vec![f64::NAN], |e| estimate(e, 1.0));
            let columns: [(&str, Vec<f64>); 16] = [
                ("Recovered, %", metric(stats, "recovered", 100.0)),
                ("Recovered within the horizon, %", metric(stats, "recovered", 100.0)),
                ("Hours to recovery: half / 90 % of runs", vec![half, most]),
                ("Hours to recovery (horizon counted where none)", metric(stats, "delay_h", 1.0)),
                ("Half by, h", vec![half]),
                ("90 % by, h", vec![most]),
                ("99 % by, h", vec![nearly]),
                ("Mean hours", metric(stats, "delay_h", 1.0)),
                ("Mean cost, bp of supply", metric(stats, "cost_bp", 1.0)),
                ("Cost, bp of supply", metric(stats, "cost_bp", 1.0)),
                ("Cost VaR 95 %", es(stats.cost_var95)),
                ("Cost ES 95 %", es(stats.cost_es95)),
                ("Run-off 72 h, %", metric(stats, "redeemed_72h", 100.0)),
                ("Failed, %", metric(stats, "failed", 100.0)),
                ("Largest discount, %", metric(stats, "discount_max", 100.0)),
                ("Holders' loss, $M", metric(stats, "holder_loss_usd", 1e-6)),
            ];
            for (column, expected) in columns {
                let Some(cell) = cell(column) else { continue };
                let cell = cell.replace("not reached", "–");
                assert!(
                    says(&cell, &expected),
                    "{} {column}: {cell} is not {expected:?}",
                    figure.id
                );
                n_compared += 1;
            }
        }
    }
    assert!(n_compared >= 60, "{n_compared}");
    assert!(!says("12.3 [11, 13]", &[12.4, 11.0, 13.0]) && !says("12.3", &[12.3, 11.0]));

    // The page has each cell of each figure's table, in its order.
    let page = report::html(std::slice::from_ref(&summary));
    let mut rest = page.as_str();
    for cell in figures.iter().flat_map(|figure| figure.table.rows.iter().flatten()) {
        let cell = format!(
            "<td>{}</td>",
            cell.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
        );
        let at =
            rest.find(&cell).unwrap_or_else(|| panic!("the page has no {cell} where it belongs"));
        rest = &rest[at + cell.len()..];
    }
}

/// The means of the summary are those of the rows that everybody can read.
#[test]
fn the_summary_holds_the_means_of_the_rows_in_the_csv() {
    let plan = plan(SMALL);
    let folder = TempDir::new().unwrap();
    let chunks = run_study::chunk_folder(folder.path());
    let summary = run_study::run(&plan, folder.path(), &chunks, 2, &|_| {}).unwrap();
    let mut reader = csv::Reader::from_path(folder.path().join("results.csv")).unwrap();
    let names = reader.headers().unwrap().clone();
    let at = |name: &str| names.iter().position(|known| known == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    for (index, point) in summary.points.iter().enumerate() {
        for stats in &point.policies {
            let with_a_hole = rows.iter().filter(|row| {
                row[at("point")] == *index.to_string()
                    && row[at("policy")] == *stats.policy
                    && ["1", "true"].contains(&&row[at("deficit")])
            });
            let with_a_hole: Vec<_> = with_a_hole.collect();
            assert_eq!(with_a_hole.len() as u64, stats.n);
            for name in ["cost_bp", "redeemed_72h", "discount_max", "holder_loss_usd"] {
                let values = with_a_hole.iter().map(|row| row[at(name)].parse::<f64>().unwrap());
                let mean = values.sum::<f64>() / with_a_hole.len() as f64;
                let told = stats.metric(name).value;
                assert!((mean - told).abs() <= 1e-9 * mean.abs().max(1.0), "{name}: {mean} {told}");
            }
        }
    }
}
