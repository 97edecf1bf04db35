//! The spec of a study: read, checked, and explained when it is wrong, before anything is written.
//!
//! Sweeps work on the table before the model reads it, so a study may vary any key the model knows.

use std::fmt;

use serde::Serialize;
use toml::{Table, Value};

use crate::claims::Claim;
use crate::data::Fill;
use crate::design;
use crate::places::{Place, Places};
use crate::quantity::{Range, join};

/// Most points of a sweep. A hundred thousand points of a thousand runs is a day on two cores; beyond it the answer is another
/// design, not a longer wait.
pub const POINTS_MAX: u64 = 100_000;

/// Most replications of one point: an interval of a share is then a hundredth of a percent wide, and no metric of the model
/// means anything finer.
pub const REPLICATIONS_MAX: u64 = 100_000_000;

/// Most runs of a study: a month of a hundred cores, at ten thousand runs a second and core.
pub const RUNS_MAX: u64 = 1_000_000_000_000;

/// Largest seed that a file can hold: TOML's integers have a sign.
const SEED_MAX: u64 = i64::MAX as u64;

/// Seconds between two rows of a measured series: one to a year.
const STEP_S: (u64, u64) = (1, 366 * 86_400);

/// Half the width of an interval: what ends a study must be within reach of a double.
const HALF_WIDTH: (f64, f64) = (1e-12, 1e15);

/// What is wrong with a spec, where, and what would do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// The file's name, as the caller gave it.
    pub file: String,
    /// Where the key stands, or what is around it.
    pub place: Option<Place>,
    /// The key; empty when the file as a whole is wrong.
    pub key: String,
    /// What is wrong.
    pub reason: Box<Reason>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(place) = self.place {
            write!(f, ":{place}")?;
        }
        f.write_str(": ")?;
        if !self.key.is_empty() {
            write!(f, "key \"{}\": ", self.key)?;
        }
        write!(f, "{}", self.reason)?;
        match self.reason.hint() {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The file could not be read.
    #[error("{cause}")]
    Unreadable {
        /// The system's words.
        cause: String,
    },
    /// Not TOML.
    #[error("not TOML: {message}")]
    Syntax {
        /// The parser's words.
        message: String,
    },
    /// A key nobody reads.
    #[error("no such key")]
    Unknown {
        /// The nearest one that exists.
        nearest: Option<String>,
    },
    /// A key that has to be there.
    #[error("missing")]
    Missing {
        /// What to write.
        example: &'static str,
    },
    /// A number that is too small or too large.
    #[error("{found} is outside {least} to {most}")]
    Outside {
        /// As written.
        found: String,
        /// The smallest that makes sense.
        least: String,
        /// The largest.
        most: String,
    },
    /// More runs than anyone can wait for.
    #[error("{} runs ({points} points × {policies} policies × {replications} replications), limit {}", thousands(*.runs), thousands(RUNS_MAX))]
    TooMuch {
        /// The product.
        runs: u64,
        /// Of the sweep.
        points: u64,
        /// Of the panel.
        policies: u64,
        /// Of each, at most.
        replications: u64,
    },
    /// The wrong kind of value.
    #[error("{found} is not {expected}")]
    NotA {
        /// As written.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// One of a few words, and not this one.
    #[error("{found:?} is not one of {}", .known.join(", "))]
    NotOneOf {
        /// As written.
        found: String,
        /// The words.
        known: Vec<String>,
    },
    /// Two keys that exclude each other.
    #[error("given together with {other:?}, which says the same in another way")]
    Both {
        /// The other.
        other: &'static str,
    },
    /// No policy at all.
    #[error("the panel of policies is empty")]
    NoPolicy,
    /// Two of one name.
    #[error("two policies are named {name:?}")]
    SameName {
        /// The name.
        name: String,
    },
    /// More points than anyone can wait for.
    #[error("the sweep has {} points ({sizes}), limit {}: {} runs", thousands(*.points), thousands(POINTS_MAX), thousands(*.runs))]
    TooManyPoints {
        /// Product of the sizes.
        points: u64,
        /// Each key's count.
        sizes: String,
        /// Points × policies × replications, at most.
        runs: u64,
    },
    /// More runs on the stack than anyone can wait for.
    #[error("{} runs on the stack, limit {}: about {} min on one core", thousands(*.runs), thousands(crate::level::RUNS_MAX), thousands(*.minutes))]
    TooManyRuns {
        /// Points × policies × replications, at most.
        runs: u64,
        /// How long they would take.
        minutes: u64,
    },
    /// Only the model has it.
    #[error("{why}")]
    ModelOnly {
        /// What the stack lacks.
        why: &'static str,
    },
    /// A range that cannot be interpolated.
    #[error("the range from {from} to {to} {why}")]
    Range {
        /// As written.
        from: String,
        /// As written.
        to: String,
        /// Why not.
        why: &'static str,
    },
    /// What the model says of the world or the policy.
    #[error("{message}")]
    Model {
        /// The model's words.
        message: String,
        /// The model's hint.
        hint: Option<String>,
    },
    /// The series given as data.
    #[error(transparent)]
    Data(Box<crate::data::Error>),
}

impl Reason {
    /// A key of a world or a policy where the benchmark brings its own.
    pub(crate) fn not_of_a_benchmark() -> Self {
        Self::Model {
            message: "the benchmark has one world and one policy: the book, simulator 12".into(),
            hint: Some("leave it out, or use model = \"recovery\"".into()),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { .. } => "give a readable UTF-8 file".into(),
            Self::Syntax { .. } => SYNTAX_HINT.into(),
            Self::NotA { .. } | Self::Outside { .. } => return None,
            Self::TooMuch { .. } => "fewer points, or fewer replications: an interval narrows with their root".into(),
            Self::Unknown { nearest: Some(nearest) } => format!("did you mean \"{nearest}\"?"),
            Self::Unknown { nearest: None } => {
                "`cdpr simulate --explain` lists every key".into()
            }
            Self::Missing { example } => format!("write {example}"),
            Self::NotOneOf { found, known } => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                format!("did you mean {:?}?", nearest(found, &known)?)
            }
            Self::Both { .. } => "keep one of the two".into(),
            Self::NoPolicy => "add [[policy]] with name, mechanism and disclosure".into(),
            Self::SameName { .. } => "tables and plots tell policies apart by name".into(),
            Self::TooManyPoints { .. } => {
                "give fewer values, or sample: design = \"sobol\" (or \"latin-hypercube\") with points = 256 and \
                 ranges { from = …, to = … }"
                    .into()
            }
            Self::TooManyRuns { .. } => {
                "lower study.replications, or --runs N; the model plays them by the thousand: level = \"model\"".into()
            }
            Self::ModelOnly { .. } => "leave it out, or use level = \"model\"".into(),
            Self::Range { .. } => {
                "both ends take the same unit; scale = \"log\" takes positive ends".into()
            }
            Self::Model { hint, .. } => return hint.clone(),
            Self::Data(error) => return Some(error.hint().into()),
        })
    }
}

/// A spec as checked: everything but what the model itself will check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spec {
    /// Short name, for titles and files.
    pub name: String,
    /// The question it answers, in words.
    pub question: String,
    /// What is concluded, in words; the report prints it and says it is the author's.
    pub conclusion: String,
    /// What it rests on, evaluated on every run.
    #[serde(skip)]
    pub claims: Vec<Claim>,
    /// Which model runs.
    pub model: Model,
    /// Where it runs.
    #[serde(skip_serializing_if = "Level::is_model")]
    pub level: Level,
    /// Everything random comes from it.
    pub seed: u64,
    /// When to stop.
    pub stop: Stop,
    /// The policy that others are compared with; the first by default.
    pub baseline: String,
    /// The world before policy, as the model's keys.
    pub scenario: Table,
    /// One table a policy, each with its name.
    pub policies: Vec<Table>,
    /// What varies.
    pub sweep: Sweep,
    /// Replications whose every step is kept for the fan charts; none by default.
    pub paths: u64,
    /// How a rare failure is looked for; not at all by default.
    pub rare: Option<Rare>,
    /// A measured series to draw beside the simulated one.
    pub data: Option<DataSpec>,
    /// Where its keys stand in the file.
    #[serde(skip)]
    pub places: Places,
}

/// Which model a study runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// The model of §7: world, policies, common random numbers.
    Recovery,
    /// CDPR-Bench-1, with thinning.
    #[serde(rename = "bench-1")]
    Bench1,
    /// CDPR-Bench-1, every holder drawn in every step.
    #[serde(rename = "bench-1-naive")]
    Bench1Naive,
}

/// Where a replication is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// In the model.
    Model,
    /// On the real contracts, enclave, DON and workflow, in this process.
    Stack,
}

impl Level {
    /// As a file writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Stack => "stack",
        }
    }

    fn is_model(&self) -> bool {
        *self == Self::Model
    }
}

/// When a point has been run often enough.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Stop {
    /// After this many replications.
    After(u64),
    /// When the interval of a metric is narrow enough for every policy.
    Until {
        /// A column of the results.
        metric: String,
        /// Half the width of its 95 % interval, in the column's unit.
        half_width: f64,
        /// Replications after which it stops in any case.
        at_most: u64,
    },
}

impl Stop {
    /// Most replications of one point.
    pub const fn at_most(&self) -> u64 {
        match self {
            Self::After(n) | Self::Until { at_most: n, .. } => *n,
        }
    }
}

/// Which points are run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sweep {
    /// How they are chosen.
    pub design: Design,
    /// What varies; empty for a single point.
    pub axes: Vec<Axis>,
}

/// How the points of a sweep are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Design {
    /// Every combination.
    Grid,
    /// A scrambled Sobol sequence.
    Sobol {
        /// How many.
        points: usize,
    },
    /// A Latin hypercube.
    LatinHypercube {
        /// How many.
        points: usize,
    },
    /// Saltelli's design, for Sobol' indices.
    Saltelli {
        /// Base points; 2d + 2 times as many are run.
        points: usize,
    },
    /// Morris's trajectories, for elementary effects.
    Morris {
        /// Trajectories of d + 1 points.
        points: usize,
        /// Levels of the grid, even.
        levels: usize,
    },
}

/// One key that varies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Axis {
    /// `makers.invited`, or `policy.NAME.…` (`policy.*.…` for all).
    pub key: String,
    /// What it takes.
    pub values: Values,
}

/// What a key takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Values {
    /// One of these.
    List(Vec<Value>),
    /// Anything between.
    Range(Range),
}

/// An importance sample over the size of the hole: drawn around a larger median, weighted back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rare {
    /// A column that holds zero or one.
    pub event: String,
    /// The median to draw around, as the scenario would write it.
    pub gap: String,
    /// How many draws.
    pub replications: u64,
}

/// A series to draw beside the simulated one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataSpec {
    /// CSV, relative to the spec.
    pub path: String,
    /// Its column of times.
    pub time: String,
    /// Its column of prices, dollars per coin.
    pub price: String,
    /// Seconds between rows.
    pub step_s: u64,
    /// The row at which the simulated shock happens.
    pub shock_at: String,
    /// What stands for rows that are missing.
    #[serde(skip_serializing_if = "Fill::is_no")]
    pub fill: Fill,
}

const TOP: &[&str] = &["study", "scenario", "policy", "sweep", "paths", "rare", "data"];
const STUDY: &[&str] = &[
    "name",
    "question",
    "conclusion",
    "claims",
    "model",
    "level",
    "seed",
    "replications",
    "until",
    "baseline",
];

impl Spec {
    /// Reads a spec; `file` is the name that errors give.
    ///
    /// # Errors
    /// [`Error`] with the first thing that is wrong. What only the model can judge is judged by [`crate::plan::Plan`].
    pub fn parse(source: &str, file: &str) -> Result<Self, Error> {
        let places = Places::of(source);
        let top = source.parse::<Table>().map_err(|error| Error {
            file: file.to_owned(),
            place: error.span().map(|span| Place::of(source, span.start)),
            key: String::new(),
            reason: Box::new(Reason::Syntax { message: one_line(error.message()) }),
        })?;
        Self::read(top, &places).map_err(|wrong| places.error(file, wrong))
    }

    /// The first key that says something of what the benchmark does not have.
    pub(crate) fn unused_by_benchmark(&self) -> Option<&'static str> {
        let keys = [
            ("scenario", !self.scenario.is_empty()),
            ("sweep", !self.sweep.axes.is_empty()),
            ("paths", self.paths > 0),
            ("rare", self.rare.is_some()),
            ("data", self.data.is_some()),
        ];
        keys.into_iter().find_map(|(key, is_given)| is_given.then_some(key))
    }

    /// What is wrong with a key of this spec.
    pub(crate) fn error(&self, file: &str, wrong: (String, Reason)) -> Error {
        self.places.error(file, wrong)
    }

    fn read(mut top: Table, places: &Places) -> Result<Self, (String, Reason)> {
        known(&top, TOP, "")?;
        let mut study = table(&mut top, "study")?.ok_or_else(|| {
            ("study".to_owned(), Reason::Missing { example: "[study] with name and replications" })
        })?;
        known(&study, STUDY, "study.")?;
        let name = text(&mut study, "study.name")?
            .ok_or_else(|| missing("study.name", "name = \"panel\""))?;
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(not_a("study.name", &Value::String(name), "a name of a-z, 0-9 and -"));
        }
        let model = match text(&mut study, "study.model")?.as_deref() {
            None | Some("recovery") => Model::Recovery,
            Some("bench-1") => Model::Bench1,
            Some("bench-1-naive") => Model::Bench1Naive,
            Some(other) => {
                let known = ["recovery", "bench-1", "bench-1-naive"].map(str::to_owned).to_vec();
                let reason = Reason::NotOneOf { found: other.to_owned(), known };
                return Err(("study.model".into(), reason));
            }
        };
        let level = match text(&mut study, "study.level")?.as_deref() {
            None | Some("model") => Level::Model,
            Some("stack") => Level::Stack,
            Some(other) => {
                let known = ["model", "stack"].map(str::to_owned).to_vec();
                let reason = Reason::NotOneOf { found: other.to_owned(), known };
                return Err(("study.level".into(), reason));
            }
        };
        let seed = whole(&mut study, "study.seed", 0, SEED_MAX)?.unwrap_or(1);
        let stop = stop(&mut study)?;
        let scenario = table(&mut top, "scenario")?.unwrap_or_default();
        let policies = policies(&mut top, model)?;
        let names: Vec<String> = policies.iter().map(policy_name).collect();
        let baseline = match text(&mut study, "study.baseline")? {
            None => names[0].clone(),
            Some(baseline) if names.contains(&baseline) => baseline,
            Some(found) => {
                return Err(("study.baseline".into(), Reason::NotOneOf { found, known: names }));
            }
        };
        let paths = match table(&mut top, "paths")? {
            None => 0,
            Some(mut paths) => {
                known(&paths, &["replications"], "paths.")?;
                whole(&mut paths, "paths.replications", 1, 10_000)?
                    .ok_or_else(|| missing("paths.replications", "replications = 200"))?
            }
        };
        let rare = table(&mut top, "rare")?.map(rare).transpose()?;
        let data = table(&mut top, "data")?.map(data).transpose()?;
        let runs_per_point = stop.at_most() * policies.len() as u64;
        let sweep = sweep(table(&mut top, "sweep")?.unwrap_or_default(), &names, runs_per_point)?;
        let question = text(&mut study, "study.question")?.unwrap_or_default();
        let conclusion = text(&mut study, "study.conclusion")?.unwrap_or_default();
        let claims = claims(&mut study)?;
        Ok(Self {
            name,
            question,
            conclusion,
            claims,
            model,
            level,
            seed,
            stop,
            baseline,
            scenario,
            policies,
            sweep,
            paths,
            rare,
            data,
            places: places.clone(),
        })
    }

    /// Runs of the whole study, at most; saturates.
    pub fn runs_at_most(&self) -> u64 {
        let runs = self.stop.at_most().saturating_mul(self.policies.len() as u64);
        runs.saturating_mul(self.sweep.points())
    }
}

impl Places {
    fn error(&self, file: &str, (key, reason): (String, Reason)) -> Error {
        let (place, reason) = (self.find(&key), Box::new(reason));
        Error { file: file.to_owned(), place, key, reason }
    }
}

/// The name a policy goes by in tables.
pub fn policy_name(policy: &Table) -> String {
    policy.get("name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn claims(study: &mut Table) -> Result<Vec<Claim>, (String, Reason)> {
    let written = match study.remove("claims") {
        None => return Ok(Vec::new()),
        Some(Value::Array(written)) => written,
        Some(other) => return Err(not_a("study.claims", &other, "a list of claims")),
    };
    let claim = |(index, written): (usize, Value)| {
        let key = format!("study.claims[{index}]");
        match written.as_str() {
            Some(text) => Claim::parse(text).map_err(|reason| (key, reason)),
            None => Err(not_a(&key, &written, "a claim in quotes")),
        }
    };
    written.into_iter().enumerate().map(claim).collect()
}

fn stop(study: &mut Table) -> Result<Stop, (String, Reason)> {
    let replications = whole(study, "study.replications", 1, REPLICATIONS_MAX)?;
    let until = table_at(study, "until", "study.until")?;
    match (replications, until) {
        (Some(_), Some(_)) => {
            Err(("study.replications".into(), Reason::Both { other: "study.until" }))
        }
        (Some(n), None) => Ok(Stop::After(n)),
        (None, None) => Err(missing(
            "study.replications",
            "replications = 1000, or until = { metric = \"recovered\", half_width = 0.01 }",
        )),
        (None, Some(mut until)) => {
            known(&until, &["metric", "half_width", "at_most"], "study.until.")?;
            let metric = text(&mut until, "study.until.metric")?
                .ok_or_else(|| missing("study.until.metric", "metric = \"recovered\""))?;
            let half_width = match until.remove("half_width") {
                Some(Value::Float(width)) if (HALF_WIDTH.0..=HALF_WIDTH.1).contains(&width) => {
                    width
                }
                #[allow(clippy::cast_precision_loss, reason = "a width, not a count")]
                Some(Value::Integer(width)) if (1..1 << 50).contains(&width) => width as f64,
                Some(other @ (Value::Float(_) | Value::Integer(_))) => {
                    let (least, most) =
                        (format!("{:e}", HALF_WIDTH.0), format!("{:e}", HALF_WIDTH.1));
                    let reason = Reason::Outside { found: other.to_string(), least, most };
                    return Err(("study.until.half_width".into(), reason));
                }
                Some(other) => {
                    return Err(not_a(
                        "study.until.half_width",
                        &other,
                        "a positive number, in the metric's unit",
                    ));
                }
                None => return Err(missing("study.until.half_width", "half_width = 0.01")),
            };
            let at_most =
                whole(&mut until, "study.until.at_most", 1, REPLICATIONS_MAX)?.unwrap_or(1_000_000);
            Ok(Stop::Until { metric, half_width, at_most })
        }
    }
}

fn policies(top: &mut Table, model: Model) -> Result<Vec<Table>, (String, Reason)> {
    let listed = match top.remove("policy") {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(other) => return Err(not_a("policy", &other, "a list: write [[policy]]")),
    };
    if model != Model::Recovery {
        // The benchmark is its own policy.
        let name = Table::from_iter([("name".to_owned(), Value::String("clock".into()))]);
        return if listed.is_empty() {
            Ok(vec![name])
        } else {
            Err(("policy".into(), Reason::not_of_a_benchmark()))
        };
    }
    let mut policies = Vec::new();
    for (index, policy) in listed.into_iter().enumerate() {
        let key = format!("policy[{index}]");
        let Value::Table(policy) = policy else {
            return Err(not_a(&key, &policy, "a table"));
        };
        let name = policy_name(&policy);
        if name.is_empty() {
            return Err(missing(&format!("{key}.name"), "name = \"clock\""));
        }
        if name.contains('.') {
            let expected = "a name without a point, which the keys of a sweep need";
            return Err(not_a(&format!("{key}.name"), &Value::String(name), expected));
        }
        if policies.iter().any(|other| policy_name(other) == name) {
            return Err((format!("{key}.name"), Reason::SameName { name }));
        }
        policies.push(policy);
    }
    if policies.is_empty() { Err(("policy".into(), Reason::NoPolicy)) } else { Ok(policies) }
}

fn data(mut table: Table) -> Result<DataSpec, (String, Reason)> {
    known(&table, &["path", "time", "price", "step", "shock_at", "fill"], "data.")?;
    if let Some(Value::Datetime(at)) = table.get("shock_at") {
        let at = Value::String(at.to_string());
        table.insert("shock_at".to_owned(), at);
    }
    let fill = match text(&mut table, "data.fill")? {
        None => Fill::No,
        Some(found) => match Fill::ALL.into_iter().find(|(name, _)| *name == found) {
            Some((_, fill)) => fill,
            None => {
                let known = Fill::ALL.map(|(name, _)| name.to_owned()).to_vec();
                return Err(("data.fill".into(), Reason::NotOneOf { found, known }));
            }
        },
    };
    let mut required =
        |key: &str, example| text(&mut table, key)?.ok_or_else(|| missing(key, example));
    let path = required("data.path", "path = \"prices.csv\"")?;
    let time = required("data.time", "time = \"hour_utc\", the column of times")?;
    let price = required("data.price", "price = \"vwap\", the column of prices")?;
    let shock_at = required("data.shock_at", "shock_at = \"2023-03-10T16:00:00Z\"")?;
    if crate::data::epoch(&shock_at).is_none() {
        return Err(not_a("data.shock_at", &Value::String(shock_at), crate::data::TIME));
    }
    let step = required("data.step", "step = \"1 h\"")?;
    let step_s = crate::quantity::seconds(&step).ok_or_else(|| {
        not_a("data.step", &Value::String(step.clone()), "a time in whole seconds, such as \"1 h\"")
    })?;
    if !(STEP_S.0..=STEP_S.1).contains(&step_s) {
        let reason = Reason::Outside { found: step, least: "1 s".into(), most: "366 d".into() };
        return Err(("data.step".into(), reason));
    }
    Ok(DataSpec { path, time, price, step_s, shock_at, fill })
}

fn rare(mut table: Table) -> Result<Rare, (String, Reason)> {
    known(&table, &["event", "gap", "replications"], "rare.")?;
    let event = text(&mut table, "rare.event")?.unwrap_or_else(|| "failed".to_owned());
    let gap = text(&mut table, "rare.gap")?
        .ok_or_else(|| missing("rare.gap", "gap = \"9%\", the median to draw around"))?;
    let replications = whole(&mut table, "rare.replications", 1, 1 << 20)?.unwrap_or(2_000);
    Ok(Rare { event, gap, replications })
}

fn sweep(
    mut table: Table,
    policies: &[String],
    runs_per_point: u64,
) -> Result<Sweep, (String, Reason)> {
    let word = text(&mut table, "sweep.design")?.unwrap_or_else(|| "grid".to_owned());
    let points = whole(&mut table, "sweep.points", 1, 1 << 20)?;
    let levels = whole(&mut table, "sweep.levels", 2, 64)?;
    let mut axes = Vec::new();
    for (key, value) in table {
        if !key.contains('.') {
            let nearest = nearest(&key, &["design", "points", "levels"]);
            return Err((format!("sweep.{key}"), Reason::Unknown { nearest }));
        }
        if let Some(rest) = key.strip_prefix("policy.") {
            let name = rest.split('.').next().unwrap_or_default();
            if name != "*" && !policies.iter().any(|policy| policy == name) {
                let reason = Reason::NotOneOf { found: name.to_owned(), known: policies.to_vec() };
                return Err((format!("sweep.{key}"), reason));
            }
        }
        let values = values(&format!("sweep.{key}"), value)?;
        axes.push(Axis { key, values });
    }
    let points_of = |example| {
        points.map_or_else(|| Err(missing("sweep.points", example)), |points| Ok(to_usize(points)))
    };
    let design = match word.as_str() {
        "grid" => Design::Grid,
        "sobol" => Design::Sobol { points: points_of("points = 256")? },
        "latin-hypercube" => Design::LatinHypercube { points: points_of("points = 100")? },
        "saltelli" => Design::Saltelli { points: points_of("points = 256, the base")? },
        "morris" => Design::Morris {
            points: points_of("points = 20, the trajectories")?,
            levels: to_usize(levels.unwrap_or(4)),
        },
        other => {
            let known = ["grid", "sobol", "latin-hypercube", "saltelli", "morris"];
            let reason = Reason::NotOneOf {
                found: other.to_owned(),
                known: known.map(str::to_owned).to_vec(),
            };
            return Err(("sweep.design".into(), reason));
        }
    };
    let sweep = Sweep { design, axes };
    sweep.check(runs_per_point)?;
    Ok(sweep)
}

impl Sweep {
    /// How many points there are; saturates.
    pub fn points(&self) -> u64 {
        let d = self.axes.len() as u64;
        match self.design {
            Design::Grid => self
                .sizes()
                .iter()
                .fold(1_u64, |product, size| product.saturating_mul(*size as u64)),
            Design::Sobol { points } | Design::LatinHypercube { points } => points as u64,
            Design::Saltelli { points } => points as u64 * (2 * d + 2),
            Design::Morris { points, .. } => points as u64 * (d + 1),
        }
    }

    fn sizes(&self) -> Vec<usize> {
        self.axes
            .iter()
            .map(|axis| match &axis.values {
                Values::List(values) => values.len(),
                Values::Range(_) => 1,
            })
            .collect()
    }

    fn check(&self, runs_per_point: u64) -> Result<(), (String, Reason)> {
        let is_grid = self.design == Design::Grid;
        if !is_grid && self.axes.is_empty() {
            return Err(missing(
                "sweep",
                "at least one key to vary, \"makers.invited\" = { from = 6, to = 40 }",
            ));
        }
        if let (true, Some(axis)) =
            (is_grid, self.axes.iter().find(|axis| matches!(axis.values, Values::Range(_))))
        {
            let found = Value::String("a range".into());
            return Err(not_a(
                &format!("sweep.{}", axis.key),
                &found,
                "a list of values, which a grid takes; ranges go with design = \"sobol\", \"latin-hypercube\", \"saltelli\" or \"morris\"",
            ));
        }
        let points = self.points();
        if points > POINTS_MAX {
            let sizes =
                self.sizes().iter().map(ToString::to_string).collect::<Vec<_>>().join(" × ");
            let sizes = if is_grid { sizes } else { "design".to_owned() };
            let runs = points.saturating_mul(runs_per_point);
            return Err(("sweep".into(), Reason::TooManyPoints { points, sizes, runs }));
        }
        let (sequence, dimensions) = match self.design {
            Design::Sobol { points } => (points, self.axes.len()),
            Design::Saltelli { points } => (points, 2 * self.axes.len()),
            Design::Grid | Design::LatinHypercube { .. } => return Ok(()),
            Design::Morris { levels, .. } if levels % 2 == 1 => {
                let found = Value::Integer(i64::try_from(levels).unwrap_or(i64::MAX));
                return Err(not_a("sweep.levels", &found, "an even number"));
            }
            Design::Morris { .. } => return Ok(()),
        };
        if sequence > design::SOBOL_POINTS_MAX {
            let most = format!("{}, where the Sobol sequence ends", design::SOBOL_POINTS_MAX);
            let reason = Reason::Outside { found: sequence.to_string(), least: "1".into(), most };
            return Err(("sweep.points".into(), reason));
        }
        if dimensions > design::SOBOL_DIMENSIONS_MAX {
            let found = Value::Integer(i64::try_from(self.axes.len()).unwrap_or(i64::MAX));
            return Err(not_a(
                "sweep",
                &found,
                "at most 256 keys (128 for Saltelli's design): screen with design = \"morris\" first",
            ));
        }
        Ok(())
    }

    /// Every point, in the unit cube; for a grid, the index of the value of each axis over its count.
    pub fn unit_points(&self, seed: u64) -> Vec<Vec<f64>> {
        let d = self.axes.len();
        match self.design {
            Design::Grid => {
                let sizes = self.sizes();
                (0..to_usize(self.points()))
                    .map(|index| {
                        design::grid_cell(index, &sizes)
                            .into_iter()
                            .zip(&sizes)
                            .map(|(cell, size)| {
                                (crate::stats::len_f64(cell) + 0.5) / crate::stats::len_f64(*size)
                            })
                            .collect()
                    })
                    .collect()
            }
            Design::Sobol { points } => design::sobol(points, d, seed),
            Design::LatinHypercube { points } => design::latin_hypercube(points, d, seed),
            Design::Saltelli { points } => design::saltelli(points, d, seed),
            Design::Morris { points, levels } => design::morris(points, d, levels, seed),
        }
    }
}

impl Axis {
    /// The value at `unit` in [0, 1].
    pub fn at(&self, unit: f64) -> Value {
        match &self.values {
            Values::List(values) => {
                let index = crate::stats::index_floor(unit * crate::stats::len_f64(values.len()));
                values[index.min(values.len() - 1)].clone()
            }
            Values::Range(range) => range.at(unit),
        }
    }
}

fn values(key: &str, value: Value) -> Result<Values, (String, Reason)> {
    match value {
        Value::Array(values) if !values.is_empty() => Ok(Values::List(values)),
        Value::Table(mut table) => {
            known(&table, &["from", "to", "scale"], &format!("{key}."))?;
            let scale_key = format!("{key}.scale");
            let is_log = match text(&mut table, &scale_key)?.as_deref() {
                None | Some("linear") => false,
                Some("log") => true,
                Some(other) => {
                    let known = vec!["linear".to_owned(), "log".to_owned()];
                    let reason = Reason::NotOneOf { found: other.to_owned(), known };
                    return Err((scale_key, reason));
                }
            };
            let mut end = |name: &str| {
                table.remove(name).ok_or_else(|| {
                    missing(&format!("{key}.{name}"), "{ from = \"1%\", to = \"5%\" }")
                })
            };
            let (from, to) = (end("from")?, end("to")?);
            Range::between(&from, &to, is_log).map(Values::Range).map_err(|why| {
                let reason = Reason::Range { from: from.to_string(), to: to.to_string(), why };
                (key.to_owned(), reason)
            })
        }
        other @ (Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)) => Err(not_a(key, &other, "a list of values, or { from = …, to = … }")),
    }
}

/// Puts `value` at `path` of a table, making tables on the way.
///
/// # Errors
/// With the part of the path that holds something else than a table.
pub fn set(table: &mut Table, path: &[&str], value: Value) -> Result<(), String> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(());
    };
    if rest.is_empty() {
        table.insert((*first).to_owned(), value);
        return Ok(());
    }
    let entry = table.entry((*first).to_owned()).or_insert_with(|| Value::Table(Table::new()));
    match entry {
        Value::Table(inner) => set(inner, rest, value),
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_) => Err((*first).to_owned()),
    }
}

/// What to do about a file that is not TOML.
pub const SYNTAX_HINT: &str =
    "write key = value under [table]; text stands in quotes, lists in brackets";

/// A parser's words, which may be several lines, in one.
pub fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join(", ")
}

/// The known word nearest to `word`, if it is near enough to be a slip.
pub fn nearest(word: &str, known: &[&str]) -> Option<String> {
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 2)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

fn known(table: &Table, names: &[&str], prefix: &str) -> Result<(), (String, Reason)> {
    match table.keys().find(|key| !names.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let nearest = nearest(key, names).map(|name| format!("{prefix}{name}"));
            Err((format!("{prefix}{key}"), Reason::Unknown { nearest }))
        }
    }
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn table(top: &mut Table, key: &str) -> Result<Option<Table>, (String, Reason)> {
    table_at(top, key, key)
}

fn table_at(top: &mut Table, name: &str, key: &str) -> Result<Option<Table>, (String, Reason)> {
    match top.remove(name) {
        None => Ok(None),
        Some(Value::Table(table)) => Ok(Some(table)),
        Some(other) => Err(not_a(key, &other, "a table")),
    }
}

fn text(table: &mut Table, key: &str) -> Result<Option<String>, (String, Reason)> {
    match table.remove(last(key)) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(not_a(key, &other, "a string")),
    }
}

fn whole(
    table: &mut Table,
    key: &str,
    least: u64,
    most: u64,
) -> Result<Option<u64>, (String, Reason)> {
    match table.remove(last(key)) {
        None => Ok(None),
        Some(Value::Integer(number)) => match u64::try_from(number) {
            Ok(number) if least <= number && number <= most => Ok(Some(number)),
            _ => {
                let (least, most) = (least.to_string(), thousands(most));
                let reason = Reason::Outside { found: number.to_string(), least, most };
                Err((key.to_owned(), reason))
            }
        },
        Some(other) => Err(not_a(key, &other, "a whole number")),
    }
}

fn missing(key: &str, example: &'static str) -> (String, Reason) {
    (key.to_owned(), Reason::Missing { example })
}

fn not_a(key: &str, found: &Value, expected: &'static str) -> (String, Reason) {
    (key.to_owned(), Reason::NotA { found: join(found), expected })
}

#[allow(clippy::cast_possible_truncation, reason = "64-bit targets; counts are bounded above")]
const fn to_usize(count: u64) -> usize {
    count as usize
}

/// A count with its thousands apart.
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [study]
        name = "panel"
        replications = 100
        [scenario.shock]
        gap = "3%"
        [[policy]]
        name = "clock"
        mechanism = { kind = "cdpr-clock" }
        [sweep]
        "makers.invited" = [6, 12, 24]
        "shock.gap" = ["1%", "3%"]
    "#;

    fn error(source: &str) -> String {
        Spec::parse(source, "s.toml").unwrap_err().to_string()
    }

    #[test]
    fn a_grid_has_every_combination_and_the_last_key_turns_fastest() {
        let spec = Spec::parse(GOOD, "s.toml").unwrap();
        assert_eq!(spec.sweep.points(), 6);
        let points = spec.sweep.unit_points(1);
        let at = |point: usize, axis: usize| spec.sweep.axes[axis].at(points[point][axis]);
        let keys: Vec<&str> = spec.sweep.axes.iter().map(|axis| axis.key.as_str()).collect();
        assert_eq!(keys, ["makers.invited", "shock.gap"]);
        assert_eq!(at(0, 0), Value::Integer(6));
        assert_eq!(at(1, 1), Value::String("3%".into()));
        assert_eq!(at(5, 0), Value::Integer(24));
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_one() {
        let text = GOOD.replace("replications", "replicatons");
        assert_eq!(
            error(&text),
            "s.toml:4:9: key \"study.replicatons\": no such key\n  hint: did you mean \"study.replications\"?"
        );
        assert!(error(&GOOD.replace("[sweep]", "[sweeep]")).contains("did you mean \"sweep\"?"));
    }

    #[test]
    fn a_sweep_of_a_billion_points_is_refused_with_its_count_and_a_way_out() {
        let thousand = (0..1000).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
        let text = GOOD
            .replace("[6, 12, 24]", &format!("[{thousand}]"))
            .replace(r#"["1%", "3%"]"#, &format!("[{thousand}]\n\"makers.leak\" = [{thousand}]"));
        assert_eq!(
            error(&text),
            "s.toml:10:10: key \"sweep\": the sweep has 1,000,000,000 points (1000 × 1000 × 1000), limit 100,000: \
             100,000,000,000 runs\n  hint: give fewer values, or sample: design = \"sobol\" (or \"latin-hypercube\") \
             with points = 256 and ranges { from = …, to = … }"
        );
    }

    #[test]
    fn an_empty_panel_a_lost_stop_and_two_stops_are_refused() {
        let none = GOOD.split("[[policy]]").next().unwrap();
        assert!(error(none).contains("the panel of policies is empty"));
        assert!(error(&GOOD.replace("replications = 100", "")).contains("missing"));
        let both = GOOD.replace(
            "replications = 100",
            "replications = 100\nuntil = { metric = \"recovered\", half_width = 0.01 }",
        );
        assert!(error(&both).contains("says the same in another way"));
    }

    #[test]
    fn ranges_go_with_samples_and_lists_with_grids() {
        let range = r#"{ from = "1%", to = "5%" }"#;
        let text = GOOD.replace(r#"["1%", "3%"]"#, range);
        assert!(error(&text).contains("a list of values, which a grid takes"));
        let sampled = text.replace("[sweep]", "[sweep]\ndesign = \"saltelli\"\npoints = 8");
        assert_eq!(Spec::parse(&sampled, "s").unwrap().sweep.points(), 8 * 6);
        let mixed = sampled.replace("\"5%\"", "\"5 h\"");
        assert!(error(&mixed).contains("does not have one unit"));
    }

    #[test]
    fn a_policy_that_a_sweep_names_must_exist() {
        let text = GOOD.replace("\"shock.gap\" =", "\"policy.clok.mechanism.start\" =");
        assert!(error(&text).contains("did you mean \"clock\"?"), "{}", error(&text));
    }

    #[test]
    fn broken_toml_says_where() {
        assert!(error("[study\nname = 1").starts_with("s.toml:1:7: not TOML: "));
    }
}
