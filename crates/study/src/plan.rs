//! A study made ready: its points, its chunks and what each chunk computes.
//!
//! A chunk is a block of replications of one point, under every policy, and a function of the plan and its index alone.
//! Whoever computes it, in whatever order, on whatever machine, it is the same bytes.

use std::sync::Arc;

use risk::Trace;
use risk::units::{Quantity as _, Raw, Share};
use serde::Serialize;
use toml::{Table, Value};

use crate::level::{self, Stack};
use crate::spec::{Error, Level, Model, Reason, Spec, policy_name, set};
use crate::stats::{index_floor, len_f64};
use crate::{claims, data, hash, model};

/// Replications of a chunk of the recovery model: some seconds of work, so that a kill loses little.
pub const CHUNK: u64 = 100;

/// Replications of a chunk of the benchmark, whose runs take some ten microseconds.
pub const CHUNK_BENCH: u64 = 5_000;

/// Most points that are checked one by one before anything starts; of more, this many are checked, evenly spread.
const CHECKED_MAX: usize = 20_000;

/// A study made ready.
#[derive(Debug, Clone)]
pub struct Plan {
    spec: Spec,
    points: Vec<Vec<f64>>,
    config: String,
    data: Option<data::Series>,
    stack: Option<Arc<dyn Stack>>,
}

/// What a chunk covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Which point.
    pub point: usize,
    /// First replication.
    pub from: u64,
    /// One past the last.
    pub to: u64,
}

impl Plan {
    /// Checks everything that can be checked before running.
    ///
    /// `read` gives the text of a data file, by the name that the spec gives it.
    ///
    /// # Errors
    /// [`Error`], with the key.
    pub fn new(
        spec: Spec,
        file: &str,
        read: impl FnOnce(&str) -> Result<String, String>,
    ) -> Result<Self, Error> {
        let places = spec.clone();
        Self::prepare(spec, read).map_err(|wrong| places.error(file, wrong))
    }

    /// The same study on a stack, if its spec says so.
    ///
    /// # Errors
    /// [`Error`], with the key that the stack has no counterpart of, or with the time that so many runs would take.
    pub fn on(mut self, stack: Arc<dyn Stack>, file: &str) -> Result<Self, Error> {
        let spec = self.spec.clone();
        let refuse = |key: String, reason| spec.error(file, (key, reason));
        if self.spec.level == Level::Model {
            return Ok(self);
        }
        let model_only = [
            (self.spec.model != Model::Recovery, "study.model", "the stack plays recoveries only"),
            (self.spec.paths > 0, "paths", "the stack keeps no state of a market, step by step"),
            (
                self.spec.rare.is_some(),
                "rare",
                "rare events take more runs than the stack can play",
            ),
        ];
        if let Some((_, key, why)) = model_only.into_iter().find(|(is, ..)| *is) {
            return Err(refuse(key.to_owned(), Reason::ModelOnly { why }));
        }
        let mut seconds = 0.0_f64;
        for point in 0..self.points.len().min(CHECKED_MAX) {
            let (scenario, policies) =
                self.worlds(point).map_err(|(key, reason)| refuse(key, reason))?;
            seconds = seconds.max(mean_seconds(&*stack, &scenario, &policies));
            for policy in &policies {
                stack.check(&scenario, policy).map_err(|(key, reason)| refuse(key, reason))?;
            }
        }
        let runs = self.spec.stop.at_most().saturating_mul(self.spec.policies.len() as u64);
        let runs = runs.saturating_mul(self.points.len() as u64);
        if runs > level::RUNS_MAX {
            let minutes = level::minutes(runs, seconds);
            return Err(refuse("study.level".into(), Reason::TooManyRuns { runs, minutes }));
        }
        self.config = hash::hex(format!("{}/{}", self.config, stack.identity()).as_bytes());
        self.stack = Some(stack);
        Ok(self)
    }

    /// About how long a run takes on one core, if it is on a stack.
    pub fn seconds_on_stack(&self) -> Option<f64> {
        let (scenario, policies) = self.worlds(0).ok()?;
        Some(mean_seconds(&**self.stack.as_ref()?, &scenario, &policies))
    }

    fn prepare(
        spec: Spec,
        read: impl FnOnce(&str) -> Result<String, String>,
    ) -> Result<Self, (String, Reason)> {
        let runs = spec.runs_at_most();
        if runs > crate::spec::RUNS_MAX {
            let (points, policies) = (spec.sweep.points(), spec.policies.len() as u64);
            let replications = spec.stop.at_most();
            let reason = Reason::TooMuch { runs, points, policies, replications };
            return Err(("study".to_owned(), reason));
        }
        let data = match &spec.data {
            None => None,
            Some(wanted) => {
                let series = read(&wanted.path)
                    .map_err(|cause| data::Error::Unreadable { file: wanted.path.clone(), cause })
                    .and_then(|source| data::parse(&source, &wanted.path, wanted));
                Some(series.map_err(|error| ("data".to_owned(), Reason::Data(Box::new(error))))?)
            }
        };
        if let crate::spec::Stop::Until { metric, .. } = &spec.stop {
            let columns = model::columns(spec.model);
            if model::position(columns, metric).is_none() {
                let known = columns.iter().map(|column| column.name.to_owned()).collect();
                let reason = Reason::NotOneOf { found: metric.clone(), known };
                return Err(("study.until.metric".into(), reason));
            }
        }
        let points = spec.sweep.unit_points(spec.seed);
        let config = config(&spec, data.as_ref());
        let plan = Self { spec, points, config, data, stack: None };
        if plan.spec.model == Model::Recovery {
            plan.check_rare()?;
            let count = plan.points.len();
            let checked = count.min(CHECKED_MAX);
            for index in 0..checked {
                let point = if count == checked {
                    index
                } else {
                    index_floor(len_f64(index) / len_f64(checked) * len_f64(count))
                };
                plan.models(point)?;
            }
        } else if let Some(key) = plan.spec.unused_by_benchmark() {
            return Err((key.into(), Reason::not_of_a_benchmark()));
        }
        claims::check(&plan)?;
        Ok(plan)
    }

    fn check_rare(&self) -> Result<(), (String, Reason)> {
        let Some(rare) = &self.spec.rare else {
            return Ok(());
        };
        let columns = model::columns(self.spec.model);
        let is_flag = |column: &&model::Column| column.kind == model::Kind::Flag;
        if !columns.iter().filter(is_flag).any(|column| column.name == rare.event) {
            let known =
                columns.iter().filter(is_flag).map(|column| column.name.to_owned()).collect();
            let reason = Reason::NotOneOf { found: rare.event.clone(), known };
            return Err(("rare.event".into(), reason));
        }
        let (scenario, _) = self.models(0)?;
        if scenario.shock.spread.0 <= 0.0 || scenario.shock.gap.0 <= 0.0 {
            let message =
                "the size of the hole does not vary, so nothing can be drawn around another median"
                    .to_owned();
            let hint = Some("give shock.gap and shock.spread, for example 3% and 0.6".into());
            return Err(("rare".into(), Reason::Model { message, hint }));
        }
        self.rare_median().map(drop)
    }

    /// The median that holes are drawn around for importance sampling, a share of supply.
    pub(crate) fn rare_median(&self) -> Result<f64, (String, Reason)> {
        let gap = self.spec.rare.as_ref().map_or("", |rare| rare.gap.as_str());
        let read = Share::read(&Raw::Text(gap.to_owned()))
            .map_err(|_| Reason::NotA { found: format!("{gap:?}"), expected: Share::EXPECTED });
        let outside = || Reason::Outside {
            found: gap.to_owned(),
            least: "above 0%".into(),
            most: "100%".into(),
        };
        read.and_then(
            |Share(median)| {
                if median > 0.0 && median <= 1.0 { Ok(median) } else { Err(outside()) }
            },
        )
        .map_err(|reason| ("rare.gap".to_owned(), reason))
    }

    /// The spec.
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The measured series, if one was given.
    pub const fn data(&self) -> Option<&data::Series> {
        self.data.as_ref()
    }

    /// SHA-256 of everything that decides the results: spec without its prose, data, and this program's version.
    pub fn config(&self) -> &str {
        &self.config
    }

    /// Number of points.
    pub const fn points(&self) -> usize {
        self.points.len()
    }

    /// A point in the unit cube.
    pub fn unit_point(&self, point: usize) -> &[f64] {
        &self.points[point]
    }

    /// All points in the unit cube.
    pub fn unit_points(&self) -> &[Vec<f64>] {
        &self.points
    }

    /// The values of the sweep's keys at a point.
    pub fn values(&self, point: usize) -> Vec<Value> {
        let axes = &self.spec.sweep.axes;
        axes.iter().zip(&self.points[point]).map(|(axis, unit)| axis.at(*unit)).collect()
    }

    /// Names of the policies.
    pub fn policies(&self) -> Vec<String> {
        self.spec.policies.iter().map(policy_name).collect()
    }

    const fn chunk_size(&self) -> u64 {
        if matches!(self.spec.level, Level::Stack) {
            return 1;
        }
        match self.spec.model {
            Model::Recovery => CHUNK,
            Model::Bench1 | Model::Bench1Naive => CHUNK_BENCH,
        }
    }

    /// Blocks of one point, at most.
    pub const fn blocks(&self) -> u64 {
        self.spec.stop.at_most().div_ceil(self.chunk_size())
    }

    /// Chunks of the study, at most: a stop rule may leave the later blocks of each point out.
    pub const fn chunks(&self) -> u64 {
        self.blocks() * self.points.len() as u64
    }

    /// What a chunk covers; none beyond the last.
    pub fn block(&self, index: u64) -> Option<Block> {
        if index >= self.chunks() {
            return None;
        }
        let from = index % self.blocks() * self.chunk_size();
        let to = (from + self.chunk_size()).min(self.spec.stop.at_most());
        let point = usize::try_from(index / self.blocks()).ok()?;
        Some(Block { point, from, to })
    }

    /// The index of a point's block.
    pub const fn index(&self, point: usize, block: u64) -> u64 {
        point as u64 * self.blocks() + block
    }

    /// The tables of world and policies at a point.
    fn tables(&self, point: usize) -> Result<(Table, Vec<Table>), (String, Reason)> {
        let mut scenario = self.spec.scenario.clone();
        let mut policies = self.spec.policies.clone();
        for (axis, value) in self.spec.sweep.axes.iter().zip(self.values(point)) {
            let parts: Vec<&str> = axis.key.split('.').collect();
            let put = |table: &mut Table, path: &[&str], value: Value| {
                set(table, path, value).map_err(|part| {
                    let found = part;
                    (format!("sweep.{}", axis.key), Reason::NotA { found, expected: "a table" })
                })
            };
            if let ["policy", name, rest @ ..] = parts.as_slice() {
                for policy in &mut policies {
                    if *name == "*" || policy_name(policy) == *name {
                        put(policy, rest, value.clone())?;
                    }
                }
            } else {
                let path = parts.strip_prefix(&["scenario"]).unwrap_or(&parts);
                put(&mut scenario, path, value)?;
            }
        }
        Ok((scenario, policies))
    }

    /// World and policies of a point.
    fn worlds(
        &self,
        point: usize,
    ) -> Result<(risk::Scenario, Vec<risk::Policy>), (String, Reason)> {
        let (scenario, policies) = self.tables(point)?;
        let policies = policies.iter().map(model::policy).collect::<Result<_, _>>();
        Ok((model::scenario(&scenario)?, policies?))
    }

    /// The models of a point, one a policy, and their world.
    ///
    /// # Errors
    /// The key and the reason, with the point's values where there is a sweep.
    pub fn models(
        &self,
        point: usize,
    ) -> Result<(risk::Scenario, Vec<risk::Model>), (String, Reason)> {
        let (scenario, policies) = self.worlds(point)?;
        let models = policies
            .iter()
            .map(|policy| {
                risk::Model::new(&scenario, policy).map_err(|error| {
                    let mut message = error.to_string();
                    if !self.spec.sweep.axes.is_empty() {
                        message = format!("{message} (at {})", self.describe(point));
                    }
                    let key = self.key(policy, error.key());
                    (key, Reason::Model { message, hint: Some(error.hint()) })
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok((scenario, models))
    }

    /// Where a file says what the model calls `path`: in the sweep, in the policy or in the world.
    fn key(&self, policy: &risk::Policy, path: &str) -> String {
        let name = &policy.name;
        let ours = match path
            .strip_prefix(policy.mechanism.name())
            .and_then(|rest| rest.strip_prefix('.'))
        {
            Some(rest) => format!("policy.{name}.mechanism.{rest}"),
            None if matches!(path, "disclosure" | "mechanism" | "mechanism.instrument") => {
                format!("policy.{name}.{path}")
            }
            None => format!("scenario.{path}"),
        };
        let all = ours.replacen(&format!("policy.{name}."), "policy.*.", 1);
        let bare = ours.strip_prefix("scenario.").unwrap_or(&ours);
        let swept = [bare, ours.as_str(), all.as_str()].map(|key| format!("sweep.{key}"));
        let has = |key: &&String| self.spec.places.has(key);
        swept.iter().chain([&ours]).find(has).cloned().unwrap_or_else(|| format!("policy.{name}"))
    }

    /// A point in words: `makers.invited = 12, shock.gap = 3%`.
    pub fn describe(&self, point: usize) -> String {
        self.spec
            .sweep
            .axes
            .iter()
            .zip(self.values(point))
            .map(|(axis, value)| format!("{} = {}", axis.key, crate::quantity::join(&value)))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Computes a block: rows of [`model::columns`], replication by replication, policies in order within each.
    ///
    /// # Errors
    /// As [`Plan::models`], only for a point that was not among those checked; and why the stack stopped.
    pub fn compute(&self, block: Block) -> Result<Vec<Vec<f64>>, (String, Reason)> {
        if self.spec.model != Model::Recovery {
            let is_naive = self.spec.model == Model::Bench1Naive;
            return Ok((block.from..block.to)
                .map(|replication| crate::bench::row(self.spec.seed, replication, is_naive))
                .collect());
        }
        let mut rows = Vec::new();
        if self.spec.level == Level::Stack {
            let Some(stack) = &self.stack else {
                let why = "this program brings no stack";
                return Err(("study.level".into(), Reason::ModelOnly { why }));
            };
            let (scenario, policies) = self.worlds(block.point)?;
            for replication in block.from..block.to {
                for policy in &policies {
                    let outcome = stack
                        .play(&scenario, policy, self.spec.seed, replication)
                        .map_err(|message| {
                            let key = format!("policy.{}", policy.name);
                            (key, Reason::Model { message, hint: None })
                        })?;
                    rows.push(model::row(&outcome, &scenario));
                }
            }
            return Ok(rows);
        }
        let (scenario, models) = self.models(block.point)?;
        for replication in block.from..block.to {
            for model in &models {
                let outcome = model.run(self.spec.seed, replication, Trace::Off);
                rows.push(model::row(&outcome, &scenario));
            }
        }
        Ok(rows)
    }
}

/// Of a run under each policy in turn.
fn mean_seconds(stack: &dyn Stack, scenario: &risk::Scenario, policies: &[risk::Policy]) -> f64 {
    let sum: f64 = policies.iter().map(|policy| stack.seconds(scenario, policy)).sum();
    sum / len_f64(policies.len())
}

/// What decides the results, hashed.
fn config(spec: &Spec, data: Option<&data::Series>) -> String {
    #[derive(Serialize)]
    struct Config<'a> {
        spec: Spec,
        data: Option<&'a str>,
        version: &'static str,
        /// Builds of one version may differ in results.
        revision: u32,
    }
    let spec = Spec { question: String::new(), conclusion: String::new(), ..spec.clone() };
    let config = Config {
        spec,
        data: data.map(|series| series.hash.as_str()),
        version: crate::VERSION,
        revision: risk::REVISION,
    };
    let bytes = serde_json::to_vec(&config).expect("a spec has string keys only");
    hash::hex(&bytes)
}
