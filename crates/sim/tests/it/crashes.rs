use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use recovery::DisclosureMode::{Immediate, Sealed};
use sim::{Error, Faults, Inputs, Moment, Plug, Point, Report};

use crate::{Disks, inputs, quick, run};

/// Moments of each kind that a run loses power at where it is not to do so at all of them, and of how many others one is.
const OF_EACH_KIND: usize = 2;
const OF_THE_REST: u64 = 9;

/// The first moments of each kind and some of the rest; with `CDPR_CRASHES=all`, as in `cargo xtask ci --full`, every one.
fn many() -> impl Fn(&Moment) -> bool + Send + 'static {
    let all = std::env::var_os("CDPR_CRASHES").is_some_and(|which| which == "all");
    let kinds: Mutex<BTreeMap<_, BTreeSet<u64>>> = Mutex::default();
    move |moment| {
        let mut kinds = kinds.lock().unwrap();
        let seen = kinds.entry((moment.kind, moment.point, moment.n_begun.min(2))).or_default();
        let is_early = seen.len() < OF_EACH_KIND || seen.contains(&moment.n_events);
        if is_early {
            seen.insert(moment.n_events);
        }
        all || is_early || moment.n_events % OF_THE_REST == 0
    }
}

/// One run that loses everything not durable at points of events, once each: before an effect, after it and before its
/// result is kept, and after that. Journal, chain and enclave forget on their own.
#[test]
fn a_run_that_crashes_everywhere_ends_as_one_that_never_did() {
    let undisturbed =
        run(inputs(&quick(), Immediate, 1, Faults::default()), &Disks::default()).unwrap();

    let disks = Disks::default();
    let (plug, crashed) = once_a_moment(many());
    let (mut restarts, mut torn_len) = (0, 0);
    let report = loop {
        let faults = Faults { plug: Some(plug.clone()), ..Faults::default() };
        match run(inputs(&quick(), Immediate, 1, faults), &disks) {
            Ok(report) => break report,
            Err(Error::Crashed(_)) => {
                // Now and then a few bytes of what was being written survive: a torn tail.
                torn_len = (torn_len + 7) % 23;
                disks.crash(torn_len);
                restarts += 1;
            }
            Err(error) => panic!("after {restarts} restarts: {error:?}"),
        }
        assert!(restarts < 1_000, "every restart makes progress");
    };
    assert_eq!(report.journal_hash, undisturbed.journal_hash);
    assert_eq!(
        report.transactions, undisturbed.transactions,
        "no effect happened twice, none was lost"
    );
    assert!(restarts >= 40, "{restarts} restarts");
    let crashed = crashed.lock().unwrap();
    assert!(crashed.iter().any(|(_, point, _)| *point == Point::BeforeAppend));
    let between = |(_, point, n_begun): &Moments| *point == Point::BeforeEffect && *n_begun > 0;
    assert!(crashed.iter().any(between), "also between two reports of one tick");
}

/// Events in the journal, the point, effects begun since.
type Moments = (u64, Point, u32);

/// A plug that is pulled once at each moment that `is_here` likes, and the moments at which it was.
fn once_a_moment(
    is_here: impl Fn(&Moment) -> bool + Send + 'static,
) -> (Plug, Arc<Mutex<BTreeSet<Moments>>>) {
    let crashed: Arc<Mutex<BTreeSet<Moments>>> = Arc::default();
    let seen = crashed.clone();
    let plug = Plug::new(move |moment| {
        let Moment { n_events, point, n_begun, .. } = *moment;
        is_here(moment) && seen.lock().unwrap().insert((n_events, point, n_begun))
    });
    (plug, crashed)
}

/// Runs to the end, losing what is not durable wherever `pull` says so, once a point.
fn disturbed(inputs: &dyn Fn() -> Inputs, pull: fn(u64) -> bool) -> (Report, u32) {
    let disks = Disks::default();
    let (plug, _) = once_a_moment(move |moment| pull(moment.n_events));
    let mut restarts = 0;
    loop {
        let mut inputs = inputs();
        inputs.faults.plug = Some(plug.clone());
        match run(inputs, &disks) {
            Ok(report) => return (report, restarts),
            Err(Error::Crashed(_)) => {
                disks.crash(0);
                restarts += 1;
            }
            Err(error) => panic!("after {restarts} restarts: {error:?}"),
        }
    }
}

/// The enclave hears the whole mission's facts again after each restart: requests that are over must not
/// come back to life, and a round in flight must survive.
#[test]
fn restarts_during_a_second_request_and_a_second_epoch_change_nothing() {
    // At the seed's 0.5 % nobody stands ready; the second request, at 1 %, fills in rounds.
    let escalating = sim::shipped()["usdc-2023-03"]
        .replace("start = \"2023-03-10T15:55:00Z\"", "start = \"2023-03-10T16:30:00Z\"")
        .replace("ticks_after = 12", "ticks_after = 1");
    let immediate = || inputs(&escalating, Immediate, 1, Faults::default());
    let undisturbed = run(immediate(), &Disks::default()).unwrap();
    let requests =
        undisturbed.transactions.iter().filter(|t| t.function == "requestCollateral").count();
    assert!(
        requests >= 2 && undisturbed.rounds >= 2,
        "{requests} requests, {} rounds",
        undisturbed.rounds
    );
    let (report, restarts) = disturbed(&immediate, |n| n > 60 && n % 4 == 0);
    assert!(restarts > 10, "{restarts}");
    assert_eq!(report.journal_hash, undisturbed.journal_hash);

    let two_epochs = quick().replace("ticks_after = 1", "ticks_after = 12");
    let sealed = || inputs(&two_epochs, Sealed, 1, Faults::default());
    let undisturbed = run(sealed(), &Disks::default()).unwrap();
    assert!(undisturbed.ticks > 24, "a second epoch runs and opens");
    let (report, restarts) = disturbed(&sealed, |n| n > 60 && n % 9 == 0);
    assert!(restarts > 5, "{restarts}");
    assert_eq!(report.journal_hash, undisturbed.journal_hash);
}
