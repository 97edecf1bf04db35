//! What happens to a run whose stores were tampered with while it was down: it says which file, and where, and
//! changes nothing, or it ends as it would have. It never ends otherwise.

use recovery::DisclosureMode::{self, Immediate, Sealed};
use sim::{Error, Faults, Inputs, Report};

use crate::{Disks, inputs, quick, run, run_until};

const NAMES: [&str; 3] = ["journal", "chain", "enclave"];

fn mission(mode: DisclosureMode, seed: u64) -> Inputs {
    inputs(&quick(), mode, seed, Faults::default())
}

/// What an immediate mission leaves behind that is killed once a round is cleared.
fn interrupted() -> [Vec<u8>; 3] {
    let disks = Disks::default();
    run_until(mission(Immediate, 1), &disks, "cleared");
    disks.bytes()
}

/// Runs over these bytes. A refusal has changed none of them.
fn resume(held: &[Vec<u8>; 3]) -> Result<Report, Error> {
    let disks = Disks::holding(held.clone());
    let ended = run(mission(Immediate, 1), &disks);
    if ended.is_err() {
        assert_eq!(disks.bytes(), *held, "a run that is refused leaves everything as it was");
    }
    ended
}

fn kept(ended: Result<Report, Error>, what: &str) -> store::Error {
    match ended {
        Err(Error::Kept(error)) => error,
        Err(error) => panic!("{what}: {error:?}"),
        Ok(report) => panic!("{what}: it ended in {:?}", report.outcome),
    }
}

/// Where the frames of a log start, and where the last one ends.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let mut starts = vec![8];
    while let Some(len) = bytes.get(starts[starts.len() - 1]..).and_then(|rest| rest.get(..4)) {
        let len = u32::from_be_bytes(len.try_into().unwrap()) as usize;
        starts.push(starts[starts.len() - 1] + 8 + len + 32);
    }
    assert_eq!(starts.last(), Some(&bytes.len()), "whole frames");
    starts
}

#[test]
fn a_flipped_bit_in_any_store_is_named() {
    let held = interrupted();
    for (store, name) in NAMES.into_iter().enumerate() {
        let starts = frames(&held[store]);
        let len = held[store].len();
        // Lengths, guards and heads of some frames, the kind, the last byte, and what a stride finds in between;
        // that every bit counts is shown where frames are read.
        let some = starts.iter().step_by(5).flat_map(|start| [start - 1, start + 3, start + 5]);
        let positions = some.chain([0, len - 1]).chain((0..len).step_by(29_989));
        let positions = positions.filter(|position| *position < len);
        for position in positions {
            let mut changed = held.clone();
            changed[store][position] ^= 1 << (position % 8);
            let what = format!("byte {position} of the {name}");
            let store::Error::Damaged { file, offset, .. } = kept(resume(&changed), &what) else {
                panic!("{what}");
            };
            let start = starts.iter().rfind(|start| **start <= position).copied().unwrap_or(0);
            assert_eq!((file.as_str(), offset), (name, start as u64), "{what}");
        }
    }
}

#[test]
fn a_store_that_was_cut_is_named_or_the_mission_ends_as_it_would_have() {
    let held = interrupted();
    let undisturbed = run(mission(Immediate, 1), &Disks::default()).unwrap();
    for (store, name) in NAMES.into_iter().enumerate() {
        let starts = frames(&held[store]);
        let mut n_resumed = 0;
        // Missing, cut in the kind, between two frames and within the later of them; all of the last ones.
        let last = starts.len().saturating_sub(6);
        let some = starts.iter().enumerate().filter(|(index, _)| index % 5 == 0 || *index >= last);
        let cuts = [0, 3].into_iter().chain(some.flat_map(|(_, start)| [*start, start + 11]));
        for len in cuts.filter(|len| *len < held[store].len()) {
            let mut cut = held.clone();
            cut[store].truncate(len);
            let what = format!("the {name} cut at byte {len}");
            match resume(&cut) {
                Ok(report) => {
                    assert_eq!(report.journal_hash, undisturbed.journal_hash, "{what}");
                    n_resumed += 1;
                }
                ended => {
                    let store::Error::Lost { file, offset, .. } = kept(ended, &what) else {
                        panic!("{what}");
                    };
                    // A journal's transaction goes with its event.
                    let ends = starts.iter().rev().filter(|start| **start <= len).take(2);
                    let mut ends = ends.map(|end| *end as u64).chain([0]);
                    assert!(file == name && ends.any(|end| end == offset), "{what}: {offset}");
                }
            }
        }
        // Only the last event of the journal may be gone: it was never told of, as far as anyone knows.
        assert!(n_resumed <= if name == "journal" { 2 } else { 0 }, "{name}: {n_resumed} resumed");
    }
}

#[test]
fn another_runs_store_is_named() {
    let held = interrupted();
    let elsewhere = |inputs: Inputs| {
        let disks = Disks::default();
        run_until(inputs, &disks, "observed");
        disks.bytes()
    };
    let patient = quick().replace("ticks_after = 1", "ticks_after = 2");
    let others = [
        ("another seed's", elsewhere(mission(Immediate, 2))),
        ("another disclosure's", elsewhere(mission(Sealed, 1))),
        ("another scenario's", elsewhere(inputs(&patient, Immediate, 1, Faults::default()))),
    ];
    for (whose, other) in others {
        for (store, name) in NAMES.into_iter().enumerate() {
            let mut mixed = held.clone();
            mixed[store].clone_from(&other[store]);
            let what = format!("{whose} {name}");
            let error = kept(resume(&mixed), &what);
            let is_named =
                matches!(&error, store::Error::OtherRun { file, offset: 8 } if file == name);
            assert!(is_named, "{what}: {error:?}");
        }
        // One log in another's place.
        let error = kept(resume(&[held[1].clone(), held[0].clone(), held[2].clone()]), "swapped");
        assert!(matches!(error, store::Error::Damaged { offset: 0, .. }), "{error:?}");
    }
}

/// A store of the same run, of an hour ago.
#[test]
fn an_older_copy_of_a_store_is_named() {
    let held = interrupted();
    let disks = Disks::default();
    run_until(mission(Immediate, 1), &disks, "observed");
    let older = disks.bytes();
    for (store, name) in NAMES.into_iter().enumerate() {
        let mut mixed = held.clone();
        mixed[store].clone_from(&older[store]);
        let error = kept(resume(&mixed), name);
        let end = older[store].len() as u64;
        let is_named = matches!(&error, store::Error::Lost { file, offset, .. }
            if file == name && *offset == end);
        assert!(is_named, "{name}: {error:?}");
    }
}
