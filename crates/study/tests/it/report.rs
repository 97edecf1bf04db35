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
