use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use primitives::frames;
use study::plan::Plan;
use study::{chunk, study as run_study};
use tempfile::TempDir;

use super::{SMALL, plan};

const FILES: [&str; 4] = ["results.parquet", "results.csv", "summary.json", "run-card.json"];

fn run(plan: &Plan, out: &Path, jobs: usize) {
    let chunks = run_study::chunk_folder(out);
    run_study::run(plan, out, &chunks, jobs, &|_| {}).unwrap();
}

fn bytes(out: &Path) -> Vec<Vec<u8>> {
    FILES.iter().map(|name| fs::read(out.join(name)).unwrap()).collect()
}

fn until() -> String {
    SMALL.replace(
        "replications = 230",
        "until = { metric = \"redeemed\", half_width = 0.0005, at_most = 700 }",
    )
}

#[test]
fn one_two_and_eight_threads_write_the_same_bytes() {
    for source in [SMALL.to_owned(), until()] {
        let plan = plan(&source);
        let folders: Vec<TempDir> = (0..3).map(|_| TempDir::new().unwrap()).collect();
        for (folder, jobs) in folders.iter().zip([1, 2, 8]) {
            run(&plan, folder.path(), jobs);
        }
        let first = bytes(folders[0].path());
        assert!(first.iter().all(|file| !file.is_empty()));
        for folder in &folders[1..] {
            assert!(bytes(folder.path()) == first, "threads changed the bytes");
        }
    }
}

#[test]
fn a_study_that_was_killed_goes_on_and_ends_with_the_same_bytes() {
    let plan = plan(SMALL);
    let whole = TempDir::new().unwrap();
    run(&plan, whole.path(), 2);
    let killed = TempDir::new().unwrap();
    let chunks = run_study::chunk_folder(killed.path());
    fs::create_dir_all(&chunks).unwrap();
    // What a kill leaves: some chunks whole, one half written under its temporary name.
    for index in [0, 4] {
        chunk::make(&plan, index, &chunks).unwrap();
    }
    let half = chunks.join(format!(".00000001.chunk.0123456789abcdef{}", study::folder::PARTIAL));
    fs::write(&half, b"CDPRCHK2 half").unwrap();
    let found = AtomicU64::new(0);
    run_study::run(&plan, killed.path(), &chunks, 2, &|progress| {
        found.fetch_max(progress.found, Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!(found.into_inner(), 2 * (100 + 100), "two chunks of two policies were kept");
    assert!(bytes(killed.path()) == bytes(whole.path()));
    assert!(!chunks.exists(), "chunks and what the kill left are gone");
}

#[test]
fn chunks_computed_elsewhere_in_any_order_merge_to_the_same_bytes() {
    let plan = plan(SMALL);
    let whole = TempDir::new().unwrap();
    run(&plan, whole.path(), 1);
    let (merged, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for index in (0..plan.chunks()).rev() {
        chunk::make(&plan, index, elsewhere.path()).unwrap();
    }
    run_study::run(&plan, merged.path(), elsewhere.path(), 2, &|_| {}).unwrap();
    assert!(bytes(merged.path()) == bytes(whole.path()));
    assert!(chunk::make(&plan, plan.chunks(), elsewhere.path()).is_err());
}

#[test]
fn a_damaged_chunk_and_one_of_another_study_are_refused() {
    let plan = plan(SMALL);
    let folder = TempDir::new().unwrap();
    chunk::make(&plan, 0, folder.path()).unwrap();
    let path = chunk::path(folder.path(), 0);
    let good = fs::read(&path).unwrap();
    let starts: Vec<usize> =
        frames::read(&chunk::KIND, &good).0.frames.iter().map(|frame| frame.offset).collect();
    let named = |bad: &[u8], at: usize| {
        fs::write(&path, bad).unwrap();
        let error = chunk::read(&plan, 0, folder.path()).unwrap_err();
        let start = starts.iter().rfind(|start| **start <= at).copied().unwrap_or(0);
        let chunk::Error::Damaged { path: file, offset, .. } = &error else {
            panic!("byte {at}: {error}")
        };
        assert_eq!((file, *offset), (&path, start as u64), "byte {at}: {error}");
    };
    let edges = starts.iter().flat_map(|start| [start - 1, *start, start + 5, start + 9]);
    let some = edges.chain((0..good.len()).step_by(997)).chain([good.len() - 1]);
    for at in some {
        let mut bad = good.clone();
        bad[at] ^= 1;
        named(&bad, at);
        named(&good[..at], at);
    }
    // As versions before this one wrote them.
    fs::write(&path, b"CDPRCHK1 and so on").unwrap();
    let error = chunk::read(&plan, 0, folder.path()).unwrap_err();
    assert!(matches!(error, chunk::Error::Foreign { .. }), "{error}");
    fs::write(&path, &good).unwrap();
    let other = super::plan(&SMALL.replace("seed = 7", "seed = 8"));
    let error = chunk::read(&other, 0, folder.path()).unwrap_err();
    assert!(matches!(error, chunk::Error::Foreign { .. }), "{error}");
    fs::rename(&path, chunk::path(folder.path(), 3)).unwrap();
    assert!(chunk::read(&plan, 3, folder.path()).is_err(), "a chunk under another index");
}

#[test]
fn a_stop_rule_stops_early_and_only_as_far_as_it_must() {
    let source = r#"
        [study]
        name = "bench"
        model = "bench-1"
        until = { metric = "redeemed", half_width = 0.001, at_most = 200000 }
    "#;
    let plan = plan(source);
    let folder = TempDir::new().unwrap();
    let chunks = run_study::chunk_folder(folder.path());
    let summary = run_study::run(&plan, folder.path(), &chunks, 2, &|_| {}).unwrap();
    let redeemed = summary.points[0].policies[0].metric("redeemed");
    assert!(redeemed.half_width() <= 0.001);
    // Standard deviation of the share is about 0.025: some thousand runs, one chunk of 5,000.
    assert_eq!(summary.card.runs, 5_000);
}

#[test]
fn a_finished_study_is_not_run_again_but_takes_new_words() {
    let plan = plan(SMALL);
    let folder = TempDir::new().unwrap();
    run(&plan, folder.path(), 2);
    let before = fs::read(folder.path().join("results.parquet")).unwrap();
    let worded =
        super::plan(&SMALL.replace("seed = 7", "seed = 7\nconclusion = \"Twelve makers do.\""));
    let chunks = folder.path().join("nowhere");
    let summary = run_study::run(&worded, folder.path(), &chunks, 1, &|_| {}).unwrap();
    assert_eq!(summary.conclusion, "Twelve makers do.");
    assert!(!chunks.exists());
    assert_eq!(fs::read(folder.path().join("results.parquet")).unwrap(), before);
    let other = super::plan(&SMALL.replace("seed = 7", "seed = 8"));
    let error = run_study::run(&other, folder.path(), &chunks, 1, &|_| {}).unwrap_err();
    assert!(matches!(error, run_study::Error::Occupied { .. }));
}

/// Read back by the parquet crate's own reader: the file holds what the CSV holds.
#[test]
fn parquet_and_csv_hold_the_same_rows() {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    // A name that a table has to quote.
    let plan = plan(&SMALL.replace("\"clock\"", "\"the \\\"clock\\\", of\\r\\nten\""));
    let folder = TempDir::new().unwrap();
    run(&plan, folder.path(), 2);
    let file = fs::File::open(folder.path().join("results.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let mut csv = csv::Reader::from_path(folder.path().join("results.csv")).unwrap();
    let header = csv.headers().unwrap().clone();
    let columns = reader.metadata().file_metadata().schema_descr();
    let names: Vec<&str> = columns.columns().iter().map(|column| column.name()).collect();
    assert_eq!(names, header.iter().collect::<Vec<_>>());
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2 * 230 * 2);
    let lines: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    assert_eq!(lines.len(), rows.len());
    for (row, line) in rows.iter().zip(&lines) {
        for ((name, field), text) in row.get_column_iter().zip(line) {
            use parquet::record::Field;
            let same = match field {
                Field::Str(value) => value == text,
                Field::Bool(value) => value.to_string() == text,
                Field::Long(value) => value.to_string() == text,
                Field::Double(value) => text.parse() == Ok(*value),
                Field::Null => text.is_empty(),
                other => panic!("{name}: {other}"),
            };
            assert!(same, "{name}: {field} against {text}");
        }
    }
}

/// What makers who wait for a clock, and a drill, know of the hole is the world's median, not that of the draw. With all
/// makers waiting the estimate stood at 0.96 where plain runs had 0.89.
#[test]
fn a_hole_drawn_around_another_median_moves_nothing_but_itself() {
    let source = |chance: &str, event: &str| {
        format!(
            "[study]\nname = \"rare\"\nreplications = 2\nseed = 11\n[scenario]\nhorizon = \"4 h\"\n\
             [scenario.holders]\ncount = 500\n[scenario.shock]\ngap = \"3%\"\nspread = 0.5\nprobability = \"{chance}\"\n\
             [scenario.makers]\nwaiting = \"100%\"\n[scenario.adversary]\ncover = \"100%\"\n\
             [[policy]]\nname = \"clock\"\nmechanism = {{ kind = \"cdpr-clock\" }}\n\
             [rare]\nevent = \"{event}\"\ngap = \"4%\"\nreplications = 4000\n"
        )
    };
    for (chance, event) in [("100%", "recovered"), ("40%", "recovered"), ("40%", "drill")] {
        let plan = plan(&source(chance, event));
        let folder = TempDir::new().unwrap();
        let chunks = run_study::chunk_folder(folder.path());
        let summary = run_study::run(&plan, folder.path(), &chunks, 2, &|_| {}).unwrap();
        let rare = &summary.rare[0];
        let apart = (rare.estimate.value - rare.plain.value).abs();
        let error = rare.estimate.half_width().hypot(rare.plain.half_width());
        assert!(apart < 1.5 * error, "{chance} {event}: {rare:?}");
        assert!(error < 0.06, "and it can tell: {rare:?}");
    }
}
