//! The recovery workflow, request to result, here and in Chainlink's own host: cold instances, in turns.
//!
//! `cd conformance/go && go build -o <binary> ./bench`, then `CDPR_GO_HOST=<binary> cargo bench -p engine --bench
//! chainlink`. Both get the recorded answers of `conformance/go/testdata/recovery.json` from memory, and their results
//! are held to the recorded ones. What is timed is the host's call alone; compiling is apart, without that host's
//! cache on disk.
#![allow(clippy::print_stdout, reason = "a benchmark's result")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cre::messages::sdk;
use engine::{Limits, Mode, Module, World};
use prost::Message;
use serde_json::Value;

/// Executions of each kind that are measured, after the first [`WARM_UP`].
const ROUNDS: usize = 500;
const WARM_UP: usize = 20;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn main() {
    let Some(program) = std::env::var_os("CDPR_GO_HOST") else {
        println!("skipped: CDPR_GO_HOST names no program built from conformance/go/bench");
        return;
    };
    let read = |path: &str| std::fs::read(format!("{ROOT}/{path}")).expect("is committed");
    let wasm = read("workflows/recovery/wasm/workflow.wasm");
    let config = read("workflows/recovery/config.staging.json");
    let recording = read("conformance/go/testdata/recovery.json");
    let recording: Vec<Value> = serde_json::from_slice(&recording).expect("is JSON");

    let mut theirs = Chainlink::start(program.into());
    let begun = Instant::now();
    let module = Module::compile(&wasm, &Limits::production()).expect("compiles");
    row("compile, once", begun.elapsed(), theirs.compiled, "");

    println!("{:<16} {:>10} {:>10} {:>8}  µs, medians of {ROUNDS}", "", "ours", "theirs", "ratio");
    for one in &recording {
        let execution = Execution::read(one, &config);
        let times: Vec<(Duration, Duration)> = (0..WARM_UP + ROUNDS)
            .map(|_| (execution.run(&module), theirs.run(&execution.name)))
            .skip(WARM_UP)
            .collect();
        let (ours, theirs): (Vec<_>, Vec<_>) = times.into_iter().unzip();
        let (ours, theirs) = (Quantiles::of(ours), Quantiles::of(theirs));
        let spread = format!("  10 % to 90 %: {} against {}", ours.spread(), theirs.spread());
        row(&execution.name, ours.median, theirs.median, &spread);
    }
}

fn row(name: &str, ours: Duration, theirs: Duration, rest: &str) {
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("{name:<16} {:>10.1} {:>10.1} {ratio:>8.3}{rest}", micros(ours), micros(theirs));
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

struct Quantiles {
    low: Duration,
    median: Duration,
    high: Duration,
}

impl Quantiles {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        Self { low: at(10), median: at(50), high: at(90) }
    }

    fn spread(&self) -> String {
        format!("{:.0} to {:.0}", micros(self.low), micros(self.high))
    }
}

/// One recorded execution.
struct Execution {
    name: String,
    request: sdk::ExecuteRequest,
    world: Replay,
    result: sdk::ExecutionResult,
}

impl Execution {
    fn read(recorded: &Value, config: &[u8]) -> Self {
        let mut request: sdk::ExecuteRequest = message(&recorded["request"]);
        // Hosts give a pre-hook no configuration.
        if !matches!(request.request, Some(sdk::execute_request::Request::PreHook(_))) {
            request.config = config.to_vec();
        }
        let calls = recorded["calls"].as_array().expect("a list");
        let answers = calls.iter().map(|call| {
            let asked: sdk::CapabilityRequest = message(&call["request"]);
            (asked.callback_id, message(&call["response"]))
        });
        let world = Replay {
            execution_id: text(&recorded["execution_id"]).to_owned(),
            now_ns: recorded["now_ns"].as_u64().expect("a number"),
            asked: Vec::new(),
            answers: answers.collect(),
        };
        let (name, result) = (text(&recorded["name"]).to_owned(), message(&recorded["result"]));
        Self { name, request, world, result }
    }

    fn run(&self, module: &Module) -> Duration {
        let mut world = self.world.clone();
        let begun = Instant::now();
        let result = module.execute(&self.request, &mut world);
        let took = begun.elapsed();
        assert_eq!(result.expect("a result"), self.result, "{}", self.name);
        took
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn message<M: Message + Default>(value: &Value) -> M {
    let bytes = STANDARD.decode(text(value)).expect("is base64");
    M::decode(&bytes[..]).expect("is a message")
}

/// Gives recorded answers, as the other side does: kept by id, decoded beforehand.
#[derive(Clone)]
struct Replay {
    execution_id: String,
    now_ns: u64,
    asked: Vec<sdk::CapabilityRequest>,
    answers: BTreeMap<i32, sdk::CapabilityResponse>,
}

impl World for Replay {
    fn call(&mut self, _: Mode, request: sdk::CapabilityRequest) -> Result<(), String> {
        self.asked.push(request);
        Ok(())
    }

    fn answer(&mut self, callback_id: i32) -> Result<sdk::CapabilityResponse, String> {
        self.answers.remove(&callback_id).ok_or_else(|| format!("no call {callback_id}"))
    }

    fn secrets(&mut self, _: sdk::GetSecretsRequest) -> Result<sdk::SecretResponses, String> {
        Err("no secret".to_owned())
    }

    fn now(&mut self, _: Mode) -> Result<u64, String> {
        Ok(self.now_ns)
    }

    fn execution_id(&self) -> &str {
        &self.execution_id
    }

    fn node_seed(&mut self) -> u64 {
        7
    }

    fn log(&mut self, _: Mode, _: &str) {}
}

/// Chainlink's host, in a process of its own.
struct Chainlink {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    compiled: Duration,
    cache: PathBuf,
}

impl Chainlink {
    fn start(program: PathBuf) -> Self {
        // That host keeps compiled modules on disk; an empty place has it compile.
        let cache = std::env::temp_dir().join(format!("cdpr-bench-{}", std::process::id()));
        let mut process = Command::new(&program)
            .arg(ROOT)
            .env("XDG_CACHE_HOME", &cache)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let requests = process.stdin.take().expect("is piped");
        let answers = BufReader::new(process.stdout.take().expect("is piped"));
        let mut it = Self { process, requests, answers, compiled: Duration::ZERO, cache };
        it.compiled = it.read();
        it
    }

    fn run(&mut self, name: &str) -> Duration {
        writeln!(self.requests, "{name}").expect("it reads");
        self.read()
    }

    fn read(&mut self) -> Duration {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("it writes");
        Duration::from_nanos(line.trim().parse().expect("it says how long it took"))
    }
}

impl Drop for Chainlink {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.cache);
    }
}
