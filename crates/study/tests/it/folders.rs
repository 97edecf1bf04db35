//! Nothing of somebody else's is removed or written over, and two processes do not meet in one folder.

use std::fs;
use std::path::Path;

use study::folder::{Claim, Error as Place};
use study::study as run_study;
use study::study::Error;
use tempfile::TempDir;

use super::{SMALL, plan};

fn run(out: &Path) -> Result<(), Error> {
    let chunks = run_study::chunk_folder(out);
    run_study::run(&plan(SMALL), out, &chunks, 2, &|_| {}).map(drop)
}

#[test]
fn a_thesis_among_the_chunks_and_a_foreign_table_are_left_alone() {
    for (file, text) in
        [("chunks/thesis.txt", "years of work"), ("results.csv", "date,price\n1,2\n")]
    {
        let out = TempDir::new().unwrap();
        fs::create_dir(out.path().join("chunks")).unwrap();
        fs::write(out.path().join(file), text).unwrap();
        let error = run(out.path()).unwrap_err();
        assert!(matches!(error, Error::Place(Place::Shared { .. })), "{error}");
        assert!(error.is_input() && error.hint().is_some());
        assert_eq!(fs::read_to_string(out.path().join(file)).unwrap(), text);
        assert!(!out.path().join("summary.json").exists());
    }
}

#[test]
fn a_file_put_among_ours_later_stays_when_ours_go() {
    let out = TempDir::new().unwrap();
    let chunks = run_study::chunk_folder(out.path());
    let small = plan(SMALL);
    drop(Claim::together(&chunks).unwrap());
    fs::create_dir_all(&chunks).unwrap();
    drop(Claim::alone(out.path()).unwrap());
    study::chunk::make(&small, 0, &chunks).unwrap();
    let claim = Claim::together(&chunks).unwrap();
    fs::write(chunks.join("thesis.txt"), "years of work").unwrap();
    drop(claim);
    fs::write(out.path().join("notes.md"), "mine").unwrap();
    run(out.path()).unwrap();
    assert_eq!(fs::read_to_string(chunks.join("thesis.txt")).unwrap(), "years of work");
    assert!(!study::chunk::path(&chunks, 0).exists());
    assert_eq!(fs::read_to_string(out.path().join("notes.md")).unwrap(), "mine");
    // And a foreign table in a folder of ours.
    fs::remove_file(out.path().join("run-card.json")).unwrap();
    fs::write(out.path().join("results.csv"), "date,price\n").unwrap();
    assert!(matches!(run(out.path()), Err(Error::Place(Place::Foreign { .. }))));
    assert_eq!(fs::read_to_string(out.path().join("results.csv")).unwrap(), "date,price\n");
}

#[test]
fn whoever_comes_second_is_told_and_loses_nothing_of_the_firsts() {
    let out = TempDir::new().unwrap();
    let first = Claim::alone(out.path()).unwrap();
    let error = run(out.path()).unwrap_err();
    assert!(matches!(error, Error::Place(Place::Busy { .. })), "{error}");
    drop(first);
    run(out.path()).unwrap();
}

#[test]
fn what_came_to_nothing_leaves_nothing() {
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("file"), "").unwrap();
    let out = root.path().join("new");
    let below = root.path().join("file/chunks");
    let error = run_study::run(&plan(SMALL), &out, &below, 1, &|_| {}).unwrap_err();
    assert!(error.is_input(), "{error}");
    assert!(!out.exists());
}
