//! `cdpr simulate`: a study from its spec to its files.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use indicatif::{HumanDuration, ProgressBar};
use study::execute::{Makers, Threads};
use study::folder::Claim;
use study::plan::Plan;
use study::spec::{Model, REPLICATIONS_MAX, Spec, Stop, thousands};
use study::summary::Summary;
use temporal::{Cluster, Study};

use super::ended;
use crate::stack::Stack;
use crate::terminal::{self, Progress, note, say};
use crate::{Ending, Failure, counts};

/// Most bytes of a measured series.
const SERIES_MAX: u64 = 64 << 20;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    spec: Given,
    /// Where results go; runs/NAME by default. Running again goes on where it stopped.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where chunks are kept and looked for; OUT/chunks by default.
    #[arg(long, value_name = "DIR")]
    chunks: Option<PathBuf>,
    /// Where runs are played, whatever the spec says: in the model, or on the real contracts, enclave and workflow.
    #[arg(long, value_enum, conflicts_with = "workers")]
    level: Option<Level>,
    /// Replications of each policy at each point, whatever the spec says.
    #[arg(long, value_name = "N", conflicts_with = "workers", value_parser = counts::from_to::<u64>(1, REPLICATIONS_MAX))]
    runs: Option<u64>,
    /// Threads, at most four a core or 64; every core by default. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = counts::from_to::<usize>(1, counts::jobs_max()))]
    jobs: Option<usize>,
    /// Have chunks made by the workers of a Temporal cluster, `temporal://HOST:PORT[/NAMESPACE][?queue=QUEUE]`; the same
    /// bytes as here. Ctrl-C cancels; running again goes on.
    #[arg(long, value_name = "ADDRESS")]
    workers: Option<String>,
    /// Check the spec, say how much it is and how long it may take, write nothing.
    #[arg(long, conflicts_with_all = ["out", "chunks", "workers"])]
    dry_run: bool,
    /// List every key a spec may have; with a word, those whose name has it.
    #[arg(long, value_name = "WORD", num_args = 0..=1, default_missing_value = "", exclusive = true)]
    explain: Option<String>,
    /// One JSON object on stdout instead of the table, of --dry-run too.
    #[arg(long)]
    json: bool,
}

/// A study, by place or by name.
#[derive(Debug, Args)]
struct Given {
    /// The study.
    #[arg(value_name = "SPEC.toml", required_unless_present_any = ["named", "explain"])]
    spec: Option<PathBuf>,
    /// The same.
    #[arg(
        id = "named",
        long = "spec",
        value_name = "SPEC.toml",
        hide = true,
        conflicts_with = "spec"
    )]
    named: Option<PathBuf>,
}

impl Given {
    fn path(&self) -> Result<&Path, Failure> {
        let given = self.spec.as_deref().or(self.named.as_deref());
        Ok(given.context("clap asks for the spec")?)
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    /// The model, by the thousand.
    Model,
    /// The real stack in this process, some seconds a run.
    Stack,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compute one chunk and nothing else: what a batch system runs. Chunks depend on the spec and their index alone.
    Chunk(Chunk),
    /// Make chunks for whoever runs studies on a Temporal cluster, until interrupted.
    Worker(Worker),
}

#[derive(Debug, Args)]
struct Chunk {
    /// The study.
    #[arg(value_name = "SPEC.toml", required_unless_present = "named")]
    spec: Option<PathBuf>,
    /// The same.
    #[arg(
        id = "named",
        long = "spec",
        value_name = "SPEC.toml",
        hide = true,
        conflicts_with = "spec"
    )]
    named: Option<PathBuf>,
    /// Which chunk, from 0; `--dry-run` says how many there are.
    #[arg(long, value_name = "I", value_parser = counts::from_to::<u64>(0, study::spec::RUNS_MAX))]
    index: u64,
    /// Where the chunk goes: INDEX.chunk. `cdpr simulate --chunks DIR` merges what it finds there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct Worker {
    /// The cluster and the queue, as given to `simulate --workers`.
    #[arg(long, value_name = "ADDRESS")]
    workers: String,
    /// Chunks at once, at most four a core or 64; one a core by default.
    #[arg(long, value_name = "N", value_parser = counts::from_to::<usize>(1, counts::jobs_max()))]
    jobs: Option<usize>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    match &arguments.command {
        Some(Command::Chunk(chunk)) => return one_chunk(chunk),
        Some(Command::Worker(worker)) => return work(worker),
        None => {}
    }
    if let Some(word) = &arguments.explain {
        return explain(word);
    }
    let path = arguments.spec.path()?;
    let plan = plan_with(path, |spec| {
        let written = (spec.level, spec.stop.clone());
        match arguments.level {
            None => {}
            Some(Level::Model) => spec.level = study::spec::Level::Model,
            Some(Level::Stack) => spec.level = study::spec::Level::Stack,
        }
        if let Some(runs) = arguments.runs {
            spec.stop = Stop::After(runs);
        }
        if (spec.level, &spec.stop) != (written.0, &written.1) {
            // It was drawn from the spec's runs, and these are others.
            spec.conclusion.clear();
        }
    })?;
    let jobs = threads(arguments.jobs);
    if arguments.dry_run {
        terminal::on_interrupt("interrupted; nothing was written".to_owned(), || false);
        let working = Progress::working("a short sample of it");
        let estimate = Estimate::of(&plan, jobs)?;
        drop(working);
        say(if arguments.json { estimate.json(&plan, jobs) } else { estimate.words(&plan, jobs) })?;
        return Ok(Ending::Done);
    }
    let is_bench = plan.spec().model != Model::Recovery;
    let workers = arguments.workers.as_deref();
    if is_bench && workers.is_some() {
        return Err(bad(anyhow!(
            "--workers: a benchmark measures this machine\n  hint: leave it out"
        )));
    }
    if plan.spec().level == study::spec::Level::Stack && workers.is_some() {
        return Err(bad(anyhow!(
            "--workers: a cluster's workers play the model, not the stack\n  hint: leave it out, or say level = \"stack\" in the spec and run `simulate chunk`"
        )));
    }
    let cluster = workers.map(connect).transpose()?;
    let elsewhere = cluster.as_ref().map(|cluster| spread(cluster, &plan, path)).transpose()?;
    let folder = Folder::choose(arguments.out.as_deref(), &plan, is_bench)?;
    let chunks =
        arguments.chunks.clone().unwrap_or_else(|| study::study::chunk_folder(folder.path()));
    let stop = Arc::new(AtomicBool::new(false));
    if elsewhere.is_none() {
        stop_on_interrupt(&stop, is_bench);
    }
    let here = Threads { jobs, stop: &stop };
    let makers: &dyn Makers = elsewhere.as_ref().map_or(&here, |study| study);
    let progress = progress(&plan);
    let started = Instant::now();
    let tell = |told: study::execute::Progress| {
        progress.bar.set_length(told.total);
        progress.bar.set_position(told.done);
    };
    let timing = if is_bench {
        // Refuses a folder of somebody else's before anything is measured.
        drop(Claim::alone(folder.path()).map_err(|error| failure(error.into()))?);
        let together = Claim::together(&chunks).map_err(|error| failure(error.into()))?;
        let timing = study::bench::run(&plan, &chunks, jobs, &tell);
        drop(together);
        timing.map_err(|error| failure(error.into()))?
    } else {
        study::bench::Timing::default()
    };
    let summary = study::study::run_by(&plan, folder.path(), &chunks, makers, jobs, &tell);
    drop(progress);
    let summary = summary.map_err(|error| {
        if let study::study::Error::Chunk(study::chunk::Error::Interrupted) = error {
            let kept = chunks.display();
            let words = format!("finished chunks are in {kept}; run the same again to go on");
            return Failure::Interrupted(words);
        }
        failure(error)
    })?;
    say(if arguments.json {
        let json = if is_bench { bench_json(&summary, &timing) } else { json(&summary) };
        format!("{json}\n")
    } else {
        table(&summary, folder.kept(), started.elapsed(), &timing)
    })?;
    Ok(Ending::Done)
}

/// Ctrl-C ends a study after the chunks that are being made.
fn stop_on_interrupt(stop: &Arc<AtomicBool>, is_bench: bool) {
    if is_bench {
        return terminal::on_interrupt("interrupted; run it again".to_owned(), || false);
    }
    let stop = Arc::clone(stop);
    let words = "stopping once the chunks at work are done; Ctrl-C again stops at once".to_owned();
    terminal::on_interrupt(words, move || {
        stop.store(true, Ordering::Relaxed);
        true
    });
}

/// Reads and checks a spec and the data it names; nothing has been written when it fails.
pub(crate) fn plan(path: &Path) -> Result<Plan, Failure> {
    plan_with(path, |_| ())
}

/// The same with what the command line changes of the spec.
fn plan_with(path: &Path, change: impl FnOnce(&mut Spec)) -> Result<Plan, Failure> {
    let name = path.display().to_string();
    let source = super::text(path)?;
    let mut spec = Spec::parse(&source, &name).map_err(|error| bad(error.into()))?;
    change(&mut spec);
    let beside = path.parent().unwrap_or(Path::new("")).to_owned();
    let read = |file: &str| super::read_to(&beside.join(file), SERIES_MAX);
    let plan = Plan::new(spec, &name, read).map_err(|error| bad(error.into()))?;
    plan.on(Arc::new(Stack::default()), &name).map_err(|error| bad(error.into()))
}

/// How many threads, or chunks, at once.
fn threads(jobs: Option<usize>) -> usize {
    jobs.unwrap_or_else(counts::cores)
}

/// Where chunks are made when not here.
fn connect(workers: &str) -> Result<Cluster, Failure> {
    let address = workers.parse().map_err(|reason| {
        cluster_failure(temporal::Error::Address { address: workers.to_owned(), reason })
    })?;
    Cluster::connect(&address).map_err(cluster_failure)
}

/// A study whose chunks a cluster makes; Ctrl-C cancels it from now on.
fn spread<'a>(cluster: &'a Cluster, plan: &Plan, path: &Path) -> Result<Study<'a>, Failure> {
    let name = path.display().to_string();
    let study = cluster.study(plan, &super::text(path)?, &name).map_err(cluster_failure)?;
    cluster.cancel_on_interrupt();
    note(format_args!(
        "workflow {}; it waits until `cdpr simulate worker` runs somewhere",
        study.workflow()
    ));
    Ok(study)
}

fn work(arguments: &Worker) -> Result<Ending, Failure> {
    let jobs = threads(arguments.jobs);
    let cluster = connect(&arguments.workers)?;
    note(format_args!("working at {}, {jobs} chunks at once; Ctrl-C stops", arguments.workers));
    cluster
        .work(jobs, |study, index| note(format_args!("{study}: chunk {index}")))
        .map_err(cluster_failure)?;
    Ok(Ending::Done)
}

fn cluster_failure(error: temporal::Error) -> Failure {
    let (hint, is_input) = (error.hint(), error.is_input());
    ended("the cluster makes no chunks", hint, is_input, error.into())
}

fn bad(error: anyhow::Error) -> Failure {
    Failure::Input(error)
}

fn failure(error: study::study::Error) -> Failure {
    let study::study::Error::Chunk(study::chunk::Error::Elsewhere(cause)) = error else {
        let (hint, is_input) = (error.hint(), error.is_input());
        return ended("the study did not run", hint, is_input, error.into());
    };
    match cause.downcast::<temporal::Error>() {
        Ok(error) => cluster_failure(*error),
        Err(cause) => Failure::Internal(anyhow::Error::from_boxed(cause)),
    }
}

fn one_chunk(arguments: &Chunk) -> Result<Ending, Failure> {
    let given = arguments.spec.as_deref().or(arguments.named.as_deref());
    let plan = plan(given.context("clap asks for the spec")?)?;
    if plan.block(arguments.index).is_none() {
        return Err(bad(anyhow!(
            "--index is {}, but the study has {} chunks\n  hint: 0 to {}",
            arguments.index,
            plan.chunks(),
            plan.chunks() - 1
        )));
    }
    let words = "interrupted; a chunk is there whole or not at all: run the same again";
    terminal::on_interrupt(words.to_owned(), || false);
    let together = Claim::together(&arguments.out).map_err(|error| failure(error.into()))?;
    let working = Progress::working(format!("{}: chunk {}", plan.spec().name, arguments.index));
    let rows = study::chunk::make(&plan, arguments.index, &arguments.out)
        .map_err(|error| failure(study::study::Error::Chunk(error)))?;
    drop((working, together));
    let path = study::chunk::path(&arguments.out, arguments.index);
    say(format!("{}: {} runs\n", path.display(), rows.len()))?;
    Ok(Ending::Done)
}

/// Where results go: kept, or thrown away after the benchmark.
enum Folder {
    Kept(PathBuf),
    Scratch(tempfile::TempDir),
}

impl Folder {
    fn choose(out: Option<&Path>, plan: &Plan, is_bench: bool) -> Result<Self, Failure> {
        match out {
            Some(path) => Ok(Self::Kept(path.to_owned())),
            None if is_bench => {
                let scratch = tempfile::Builder::new().prefix("cdpr-bench-").tempdir();
                let scratch = scratch
                    .map_err(|error| bad(anyhow!("{error}\n  hint: set TMPDIR, or give --out")))?;
                terminal::remove_when_interrupted(scratch.path());
                Ok(Self::Scratch(scratch))
            }
            None => Ok(Self::Kept(Path::new("runs").join(&plan.spec().name))),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Scratch(folder) => folder.path(),
        }
    }

    fn kept(&self) -> Option<&Path> {
        match self {
            Self::Kept(path) => Some(path),
            Self::Scratch(_) => None,
        }
    }
}

fn progress(plan: &Plan) -> Progress {
    let name = plan.spec().name.clone();
    Progress::new(
        ProgressBar::new(plan.spec().runs_at_most()),
        "{spinner} {pos} of at most {len} runs {wide_bar} {per_sec}, {eta} left",
        move |bar| {
            let (done, total) = (bar.position(), bar.length().unwrap_or_default());
            let elapsed = HumanDuration(bar.elapsed());
            format!("{name}: {} of at most {} runs, {elapsed}", thousands(done), thousands(total))
        },
    )
}

/// How much a study is, and how long it takes by a short sample of itself, held in memory.
struct Estimate {
    seconds: f64,
    source: String,
}

impl Estimate {
    fn of(plan: &Plan, jobs: usize) -> Result<Self, Failure> {
        let (seconds, source) = match plan.seconds_on_stack() {
            Some(seconds) => (seconds, "on the stack, by rule of thumb".to_owned()),
            None => sampled(plan)?,
        };
        #[allow(clippy::cast_precision_loss, reason = "an estimate")]
        let seconds = seconds * plan.spec().runs_at_most() as f64 / jobs as f64;
        Ok(Self { seconds, source })
    }

    fn words(&self, plan: &Plan, jobs: usize) -> String {
        let spec = plan.spec();
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{}: {} points × {} policies × {} replications = {} runs{}",
            spec.name,
            thousands(plan.points() as u64),
            plan.policies().len(),
            thousands(spec.stop.at_most()),
            thousands(spec.runs_at_most()),
            if matches!(spec.stop, Stop::Until { .. }) { " at most" } else { "" }
        );
        let _ = writeln!(text, "{} chunks, 0 to {}", thousands(plan.chunks()), plan.chunks() - 1);
        let _ =
            writeln!(text, "about {} on {jobs} threads, {}", duration(self.seconds), self.source);
        for point in 0..plan.points().min(5) {
            let words = plan.describe(point);
            let _ = writeln!(
                text,
                "  point {point}: {}",
                if words.is_empty() { "as the spec stands" } else { &words }
            );
        }
        if plan.points() > 5 {
            let _ = writeln!(text, "  … and {} more", thousands(plan.points() as u64 - 5));
        }
        let _ = writeln!(text, "nothing written");
        text
    }

    fn json(&self, plan: &Plan, jobs: usize) -> String {
        let spec = plan.spec();
        let json = serde_json::json!({
            "study": spec.name,
            "config_sha256": plan.config(),
            "level": spec.level.name(),
            "points": plan.points(),
            "policies": plan.policies(),
            "replications_at_most": spec.stop.at_most(),
            "runs_at_most": spec.runs_at_most(),
            "chunks": plan.chunks(),
            "jobs": jobs,
            "seconds_estimated": self.seconds,
        });
        format!("{json}\n")
    }
}

/// Seconds a run, from a few of them.
fn sampled(plan: &Plan) -> Result<(f64, String), Failure> {
    let started = Instant::now();
    let mut sampled = 0;
    for sample in 0..8_u64 {
        let point = usize::try_from(sample * 7_919 % plan.points() as u64).unwrap_or(0);
        let block = study::plan::Block { point, from: sample, to: sample + 1 };
        let rows = plan.compute(block).map_err(|(key, reason)| bad(anyhow!("{key}: {reason}")))?;
        sampled += rows.len() as u64;
        if started.elapsed() > Duration::from_secs(3) {
            break;
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    let seconds = started.elapsed().as_secs_f64() / sampled as f64;
    Ok((seconds, format!("from {sampled} runs just now")))
}

fn duration(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else if seconds < 5_400.0 {
        format!("{:.0} min", seconds / 60.0)
    } else if seconds < 172_800.0 {
        format!("{:.1} h", seconds / 3_600.0)
    } else {
        format!("{:.0} days", seconds / 86_400.0)
    }
}

const STUDY_KEYS: &[(&str, &str)] = &[
    ("study.name", "Short name of a-z, 0-9 and -."),
    ("study.question", "What is asked, in words; the report prints it."),
    ("study.conclusion", "What is concluded, in words; changing it does not run anything again."),
    (
        "study.claims",
        "What the conclusion rests on, each such as \"recovered(silent) >= 0.99\" or \"cost_bp(a, key = value) < 0.5 * cost_bp(b)\": \
         evaluated on every run, and shown as holding or failing; changing them does not run anything again.",
    ),
    ("study.model", "\"recovery\" (default), \"bench-1\" or \"bench-1-naive\"."),
    (
        "study.level",
        "\"model\" (default) or \"stack\": real contracts, enclave and workflow, some seconds a run.",
    ),
    ("study.seed", "Everything random comes from it; 1 by default."),
    ("study.replications", "How many runs of each policy at each point; or:"),
    (
        "study.until",
        "{ metric = \"recovered\", half_width = 0.01, at_most = 100000 }: until every policy's 95 % interval is that narrow.",
    ),
    ("study.baseline", "The policy that others are compared with; the first by default."),
    (
        "[[policy]]",
        "name, mechanism = { kind = …, … }, disclosure = \"none\", \"flag\", \"range\" or \"public\".",
    ),
    (
        "sweep.design",
        "\"grid\" (default), \"sobol\", \"latin-hypercube\", \"saltelli\" (Sobol' indices), \"morris\" (screening).",
    ),
    ("sweep.points", "Points of a sample; base points of saltelli; trajectories of morris."),
    ("sweep.levels", "Levels of morris's grid, even; 4 by default."),
    (
        "sweep.\"KEY\"",
        "A key of the scenario, or policy.NAME.… (policy.*.… for all): a list, or { from, to, scale }.",
    ),
    ("paths.replications", "Runs whose every step is kept for the fan charts of the first point."),
    (
        "rare",
        "event, a column that is yes or no, gap, replications: importance sampling with holes drawn around a larger median.",
    ),
    (
        "data",
        "path, time, price, step, shock_at: a measured price series, drawn beside the simulated discount; fill = \"last\" or \"linear\" stands in for rows that are missing.",
    ),
];

fn explain(word: &str) -> Result<Ending, Failure> {
    let mut text = String::new();
    let matches = |path: &str| word.is_empty() || path.contains(word);
    let mut found = 0;
    for (key, meaning) in STUDY_KEYS.iter().filter(|(key, _)| matches(key)) {
        found += 1;
        let _ = writeln!(text, "{key}\n    {meaning}");
    }
    let mechanisms = risk::Mechanism::all();
    let fields =
        risk::schema().iter().map(|field| ("scenario", field)).chain(mechanisms.iter().flat_map(
            |mechanism| mechanism.fields().iter().map(|field| ("policy.mechanism", field)),
        ));
    for (group, field) in fields.filter(|(_, field)| matches(field.path)) {
        found += 1;
        let (low, high) = field.range;
        let range = if low < high { format!(", {low} to {high}") } else { String::new() };
        let _ = writeln!(
            text,
            "{group}: {}\n    {} Default {}; {}{range}. Source: {}",
            field.path,
            field.meaning,
            field.default,
            field.unit,
            field.source.trim_end_matches('.')
        );
    }
    if found == 0 {
        return Err(bad(anyhow!(
            "no key has {word:?} in its name\n  hint: `cdpr simulate --explain` lists them all"
        )));
    }
    say(text)?;
    Ok(Ending::Done)
}

fn bench_json(summary: &Summary, timing: &study::bench::Timing) -> serde_json::Value {
    let stats = &summary.points[0].policies[0];
    serde_json::json!({
        "ttr_h_mean": stats.metric("delay_h").value,
        "cost_mean": stats.metric("cost").value,
        "redeemed_mean": stats.metric("redeemed").value,
        "runs": summary.card.runs,
        "cpu_s": timing.cpu_s,
        "runs_per_cpu_s": timing.runs_per_cpu_s(),
        "reference_runs_per_cpu_s": timing.reference_runs_per_cpu_s(),
        "results_sha256": summary.card.results_sha256,
    })
}

fn json(summary: &Summary) -> serde_json::Value {
    serde_json::to_value(summary).unwrap_or(serde_json::Value::Null)
}

/// The league of a study on a terminal.
fn table(
    summary: &Summary,
    out: Option<&Path>,
    elapsed: Duration,
    timing: &study::bench::Timing,
) -> String {
    let mut text = String::new();
    let card = &summary.card;
    let _ = writeln!(
        text,
        "{}: {} runs, {} points, seed {}, {}",
        card.study,
        thousands(card.runs),
        thousands(card.points),
        card.seed,
        duration(elapsed.as_secs_f64())
    );
    let shown = summary.points.len().min(24);
    let width = summary.policies.iter().map(|policy| policy.name.len()).max().unwrap_or(6).max(6);
    for point in &summary.points[..shown] {
        let words: Vec<String> = summary
            .axes
            .iter()
            .zip(&point.values)
            .map(|(axis, value)| format!("{} = {value}", axis.key))
            .collect();
        if !words.is_empty() {
            let _ = writeln!(text, "\n{}", words.join(", "));
        }
        let _ = writeln!(
            text,
            "{:width$}  {:>22}  {:>16}  {:>18}  {:>12}  {:>10}",
            "policy", "recovered", "hours", "cost, bp", "redeemed 72h", "discount"
        );
        for stats in &point.policies {
            let recovered = stats.metric("recovered");
            let delay = stats.metric("delay_h");
            let cost = stats.metric(if stats.metrics.contains_key("cost_bp") {
                "cost_bp"
            } else {
                "cost"
            });
            let redeemed = stats.metric(if stats.metrics.contains_key("redeemed_72h") {
                "redeemed_72h"
            } else {
                "redeemed"
            });
            let _ = writeln!(
                text,
                "{:width$}  {:>6.1}% [{:>5.1}, {:>5.1}]  {:>8.2} ± {:>5.2}  {:>9.2} ± {:>6.2}  {:>11.2}%  {:>9.2}%",
                stats.policy,
                recovered.value * 100.0,
                recovered.low * 100.0,
                recovered.high * 100.0,
                delay.value,
                delay.half_width(),
                cost.value,
                cost.half_width(),
                redeemed.value * 100.0,
                stats.metric("discount_max").value * 100.0
            );
        }
    }
    if shown < summary.points.len() {
        let _ = writeln!(
            text,
            "\n… and {} more points",
            thousands((summary.points.len() - shown) as u64)
        );
    }
    let _ = writeln!(
        text,
        "\n95 % intervals; hours to recovery count the horizon where there was none."
    );
    for claim in &summary.claims {
        let _ = writeln!(text, "{claim}");
    }
    for warning in summary.warnings() {
        let _ = writeln!(text, "warning: {warning}");
    }
    if timing.runs > 0 {
        let _ = writeln!(
            text,
            "{:.0} runs per CPU second, {:.2} × a loop written by hand in the same run",
            timing.runs_per_cpu_s(),
            timing.runs_per_cpu_s() / timing.reference_runs_per_cpu_s()
        );
    }
    if let Some(out) = out {
        let _ = writeln!(
            text,
            "{0}/results.parquet, results.csv, run-card.json; `cdpr report {0}` makes the report",
            out.display()
        );
    }
    text
}
