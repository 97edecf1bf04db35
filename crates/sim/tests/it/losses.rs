//! What happens to a run whose stores were tampered with while it was down: it says which file, and where, and
//! changes nothing, or it ends as it would have. It never ends otherwise.
//!
//! Bytes are sampled, because each opens a world: that every bit counts is shown where frames are read, and that every
//! byte does where each of the three logs is.

use primitives::{Timestamp, decode, encode, frames};
use protocol::Event;
use protocol::journal::Record;
use recovery::DisclosureMode::{self, Immediate, Sealed};
use sim::{Error, Faults, Inputs, NodeFault, Report, Stores};

use crate::{Disks, inputs, quick, run, run_until};

const NAMES: [&str; 3] = ["journal", "chain", "enclave"];
const JOURNAL: usize = 0;
const CHAIN: usize = 1;
const ENCLAVE: usize = 2;

type Held = [Vec<u8>; 3];

fn mission(mode: DisclosureMode, seed: u64) -> Inputs {
    inputs(&quick(), mode, seed, Faults::default())
}

/// What a mission leaves behind that is killed once the first event of a kind is durable.
fn killed_at(kind: &'static str, inputs: Inputs) -> Held {
    let disks = Disks::default();
    run_until(inputs, &disks, kind);
    disks.bytes()
}

/// What an immediate mission leaves behind that is killed once a round is cleared.
fn interrupted() -> Held {
    killed_at("cleared", mission(Immediate, 1))
}

/// The same stores, but for one.
fn with(held: &Held, store: usize, other: &Held) -> Held {
    let mut mixed = held.clone();
    mixed[store].clone_from(&other[store]);
    mixed
}

/// Runs over these bytes. A refusal has changed none of them.
fn resume(held: &Held) -> Result<Report, Error> {
    resume_as(mission(Immediate, 1), held)
}

fn resume_as(inputs: Inputs, held: &Held) -> Result<Report, Error> {
    let disks = Disks::holding(held.clone());
    let ended = run(inputs, &disks);
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
fn starts_of(store: usize, bytes: &[u8]) -> Vec<usize> {
    let (read, flaw) = frames::read(Stores::KINDS[store], bytes);
    assert_eq!(flaw, None, "whole frames");
    read.frames.iter().map(|frame| frame.offset).chain([read.end]).collect()
}

/// The same log with one record changed, and framed as if it had been written like that.
fn reframed(held: &Held, store: usize, index: usize, change: impl Fn(&mut Vec<u8>)) -> Held {
    let kind = Stores::KINDS[store];
    let mut writer = frames::Writer::new(kind);
    let mut bytes = kind.magic.to_vec();
    for (at, frame) in frames::read(kind, &held[store]).0.frames.iter().enumerate() {
        let mut record = frame.record.to_vec();
        if at == index {
            change(&mut record);
        }
        bytes.extend(writer.append(&record));
    }
    let mut changed = held.clone();
    changed[store] = bytes;
    changed
}

fn flip_last(record: &mut [u8]) {
    *record.last_mut().unwrap() ^= 1;
}

#[test]
fn a_flipped_bit_in_any_store_is_named() {
    for (mode, every) in [(Immediate, 5), (Sealed, 25)] {
        let held = killed_at("cleared", mission(mode, 1));
        flip(&held, every, |changed| resume_as(mission(mode, 1), changed));
    }
}

/// Flips bits in some frames, the last byte, the kind and what a stride finds in between.
fn flip(held: &Held, every: usize, resume: impl Fn(&Held) -> Result<Report, Error>) {
    for (store, name) in NAMES.into_iter().enumerate() {
        let starts = starts_of(store, &held[store]);
        let len = held[store].len();
        // A head, a length and a guard.
        let some = starts.iter().step_by(every).flat_map(|start| [start - 1, start + 3, start + 5]);
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
        let starts = starts_of(store, &held[store]);
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

/// What may go on with the last of its journal gone is shown by the immediate run.
#[test]
fn a_store_of_a_sealed_run_that_was_cut_is_named() {
    let held = killed_at("cleared", mission(Sealed, 1));
    for (store, name) in NAMES.into_iter().enumerate() {
        let starts = starts_of(store, &held[store]);
        let some = starts.iter().rev().skip(3).step_by(20);
        for len in [0].into_iter().chain(some.flat_map(|start| [*start, start + 11])) {
            let mut cut = held.clone();
            cut[store].truncate(len);
            let what = format!("the {name} cut at byte {len}");
            let error = kept(resume_as(mission(Sealed, 1), &cut), &what);
            let is_named = matches!(&error, store::Error::Lost { file, .. } if file == name);
            assert!(is_named, "{what}: {error:?}");
        }
    }
}

#[test]
fn another_runs_store_is_named() {
    let held = interrupted();
    let patient = quick().replace("ticks_after = 1", "ticks_after = 2");
    let others = [
        ("another seed's", mission(Immediate, 2)),
        ("another disclosure's", mission(Sealed, 1)),
        ("another scenario's", inputs(&patient, Immediate, 1, Faults::default())),
    ];
    for (whose, other) in others {
        let other = killed_at("observed", other);
        for (store, name) in NAMES.into_iter().enumerate() {
            let what = format!("{whose} {name}");
            let error = kept(resume(&with(&held, store, &other)), &what);
            let is_named =
                matches!(&error, store::Error::OtherRun { file, offset: 8 } if file == name);
            assert!(is_named, "{what}: {error:?}");
        }
        // One log in another's place.
        let error = kept(resume(&[held[1].clone(), held[0].clone(), held[2].clone()]), "swapped");
        assert!(matches!(error, store::Error::Damaged { offset: 0, .. }), "{error:?}");
    }
}

/// A run of the same arguments whose first node is down: another signs, so transactions are others.
#[test]
fn a_store_of_another_run_of_the_same_arguments_is_named() {
    let held = interrupted();
    let faults = Faults { nodes: vec![NodeFault::Absent], ..Faults::default() };
    let other = killed_at("cleared", inputs(&quick(), Immediate, 1, faults));
    assert_ne!(held[ENCLAVE], other[ENCLAVE], "another life");
    for store in [JOURNAL, CHAIN] {
        // Which of the two is the stranger, neither says: the chain has not what the journal has.
        let error = kept(resume(&with(&held, store, &other)), NAMES[store]);
        let is_named = matches!(&error, store::Error::Lost { file, .. } if file == "chain");
        assert!(is_named, "{}: {error:?}", NAMES[store]);
    }
    let error = kept(resume(&with(&held, ENCLAVE, &other)), "enclave");
    let starts = starts_of(ENCLAVE, &other[ENCLAVE]);
    let is_named = matches!(&error, store::Error::OtherRun { file, offset }
        if file == "enclave" && starts[1..].iter().any(|start| *start as u64 == *offset));
    assert!(is_named, "{error:?}");
}

/// What another build deploys under the same arguments differs, as it does where others are on the panel.
#[test]
fn a_store_of_another_build_is_named() {
    let held = interrupted();
    let other = Inputs { makers: Some(Vec::new()), ..mission(Immediate, 1) };
    let other = killed_at("observed", other);
    for store in [CHAIN, ENCLAVE] {
        let (name, mixed) = (NAMES[store], with(&held, store, &other));
        let error = kept(resume(&mixed), name);
        let is_named = matches!(&error, store::Error::OtherRun { file, offset: 8 } if file == name);
        assert!(is_named, "{name}: {error:?}");
    }
    // Its journal tells of transactions that are not on this chain, or of fewer than the others know.
    let error = kept(resume(&with(&held, JOURNAL, &other)), "journal");
    assert!(matches!(error, store::Error::Lost { .. }), "{error:?}");
    let error = kept(resume(&other), "all of them");
    assert!(matches!(error, store::Error::OtherRun { offset: 8, .. }), "{error:?}");
}

/// Whole records that nothing of this build wrote: anyone can make frames, which are hashed and not signed.
#[test]
fn a_whole_record_that_cannot_be_gone_through_again_is_named() {
    let held = interrupted();
    let named = |changed: &Held, store: usize, index: usize| {
        let what = format!("record {index} of the {}", NAMES[store]);
        let error = kept(resume(changed), &what);
        let start = starts_of(store, &held[store])[index] as u64;
        let is_named = matches!(&error, store::Error::Unreplayed { file, offset, .. }
            if file == NAMES[store] && *offset == start);
        assert!(is_named, "{what}: {error:?}");
    };
    // The hash of a block.
    let n_blocks = starts_of(CHAIN, &held[CHAIN]).len() - 1;
    for index in [1, n_blocks / 2, n_blocks - 1] {
        named(&reframed(&held, CHAIN, index, |record| flip_last(record)), CHAIN, index);
    }
    // What the enclave sealed: the first, one of many, the last.
    let records = frames::read(Stores::KINDS[ENCLAVE], &held[ENCLAVE]).0.frames;
    let sealed =
        |(index, frame): (usize, &frames::Frame<'_>)| (frame.record[0] == 1).then_some(index);
    let sealed: Vec<usize> = records.iter().enumerate().filter_map(sealed).collect();
    for index in [sealed[0], sealed[sealed.len() / 2], sealed[sealed.len() - 1]] {
        named(&reframed(&held, ENCLAVE, index, |record| flip_last(record)), ENCLAVE, index);
    }
    // The last event, of which the enclave's log knows no more than that it was about to be.
    let last = starts_of(JOURNAL, &held[JOURNAL]).len() - 2;
    let changed = reframed(&held, JOURNAL, last, |record| {
        let Record::Happened { now, .. } = decode(record).unwrap() else { panic!("an event") };
        *record = encode(&Record::Happened { now, event: Event::Ticked { tick: 77 } });
    });
    named(&changed, JOURNAL, last);
    // An earlier one: the enclave's log has heard the journal as it was.
    let records = frames::read(Stores::KINDS[JOURNAL], &held[JOURNAL]).0.frames;
    let happened = |frame: &frames::Frame<'_>| decode::<Record>(frame.record).unwrap();
    let is_event = |index: &usize| matches!(happened(&records[*index]), Record::Happened { .. });
    let earlier = (0..last).rev().find(is_event).unwrap();
    let changed = reframed(&held, JOURNAL, earlier, |record| {
        let Record::Happened { now, event } = decode(record).unwrap() else { panic!("an event") };
        *record = encode(&Record::Happened { now: Timestamp(now.0 - 1), event });
    });
    let error = kept(resume(&changed), "an earlier event");
    assert!(
        matches!(&error, store::Error::OtherRun { file, .. } if file == "enclave"),
        "{error:?}"
    );
}

/// Stores of the same run, of an hour ago: one, and two at once.
#[test]
fn an_older_copy_of_a_store_is_named() {
    let held = interrupted();
    let older = killed_at("observed", mission(Immediate, 1));
    for store in 0..3 {
        let name = NAMES[store];
        let error = kept(resume(&with(&held, store, &older)), name);
        let end = older[store].len() as u64;
        let is_named = matches!(&error, store::Error::Lost { file, offset, .. }
            if file == name && *offset == end);
        assert!(is_named, "{name}: {error:?}");
    }
    for (newer, named) in [(JOURNAL, "chain"), (CHAIN, "journal"), (ENCLAVE, "journal")] {
        let what = format!("all but the {} older", NAMES[newer]);
        let error = kept(resume(&with(&older, newer, &held)), &what);
        let is_named = matches!(&error, store::Error::Lost { file, .. } if file == named);
        assert!(is_named, "{what}: {error:?}");
    }
}

#[test]
fn of_two_stores_that_are_lost_or_damaged_one_is_named() {
    let held = interrupted();
    for (left, named) in [(JOURNAL, "chain"), (CHAIN, "journal"), (ENCLAVE, "journal")] {
        let what = format!("nothing left but the {}", NAMES[left]);
        let error = kept(resume(&with(&Held::default(), left, &held)), &what);
        let is_named = matches!(&error, store::Error::Lost { file, .. } if file == named);
        assert!(is_named, "{what}: {error:?}");
        let mut damaged = held.clone();
        for store in (0..3).filter(|store| *store != left) {
            let middle = damaged[store].len() / 2;
            damaged[store][middle] ^= 1;
        }
        let error = kept(resume(&damaged), "two flipped bits");
        let store::Error::Damaged { file, offset, .. } = error else { panic!("{error:?}") };
        let store = NAMES.iter().position(|name| *name == file).unwrap();
        assert!(store != left && offset <= held[store].len() as u64 / 2, "{file} at {offset}");
    }
}

/// The journal has its opening and one transaction of the setup; chain and enclave are through with it. Whatever of
/// these is gone is made again, byte for byte, so that whoever goes on cannot tell.
#[test]
fn a_run_killed_in_its_setup_sets_up_the_rest_or_names_what_is_lost() {
    let setup = killed_at("included", mission(Immediate, 1));
    let ready = killed_at("ticked", mission(Immediate, 1));
    flip(&setup, 12, resume);
    for (store, name) in NAMES.into_iter().enumerate() {
        let starts = starts_of(store, &setup[store]);
        let (middle, last) = (starts[starts.len() / 2], starts[starts.len() - 2]);
        for len in [0, 3, 8, middle, middle + 11, last + 11] {
            let mut cut = setup.clone();
            cut[store].truncate(len);
            let what = format!("the {name} cut at byte {len}");
            let disks = Disks::holding(cut.clone());
            // The journal holds the first transaction.
            if store == CHAIN && len < starts_of(CHAIN, &setup[CHAIN])[2] {
                let error = kept(run(mission(Immediate, 1), &disks), &what);
                let is_named = matches!(&error, store::Error::Lost { file, .. } if file == name);
                assert!(is_named, "{what}: {error:?}");
                assert_eq!(disks.bytes(), cut, "{what}");
            } else {
                run_until(mission(Immediate, 1), &disks, "ticked");
                assert!(disks.bytes() == ready, "{what}: not as it would have been");
            }
        }
    }
}

/// A finished journal is read: it tells how the run ended whatever became of the other two, if they are not damaged.
#[test]
fn a_finished_journal_tells_the_same_without_its_neighbours() {
    let disks = Disks::default();
    let whole = run(mission(Immediate, 1), &disks).unwrap();
    let held = disks.bytes();
    let older = killed_at("observed", mission(Immediate, 1));
    let journal_alone = with(&Held::default(), JOURNAL, &held);
    for (what, left) in [
        ("no chain", with(&held, CHAIN, &Held::default())),
        ("no enclave", with(&held, ENCLAVE, &Held::default())),
        ("neither", journal_alone),
        ("older ones", with(&older, JOURNAL, &held)),
    ] {
        let disks = Disks::holding(left);
        let told = run(mission(Immediate, 1), &disks).unwrap();
        assert_eq!(told.journal_hash, whole.journal_hash, "{what}");
        assert_eq!(told.transactions, whole.transactions, "{what}");
        assert_eq!(format!("{:?}", told.outcome), format!("{:?}", whole.outcome), "{what}");
        assert_eq!(disks.bytes()[JOURNAL], held[JOURNAL], "{what}: it is only read");
    }
    flip(&held, 40, resume);
    let other = killed_at("observed", mission(Immediate, 2));
    for (store, name) in NAMES.into_iter().enumerate() {
        let error = kept(resume(&with(&held, store, &other)), name);
        let is_named = matches!(&error, store::Error::OtherRun { file, offset: 8 } if file == name);
        assert!(is_named, "{error:?}");
    }
}
