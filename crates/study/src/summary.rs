//! From rows to the numbers of the report: estimates with intervals, curves, differences, indices.
//!
//! Rows arrive point by point and are not kept, but for what exact quantiles need: eight bytes a run for cost, sixteen
//! for time, of one point at a time.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::adversary::{self, Leakage};
use crate::claims::Judged;
use crate::data::Series;
use crate::model::{self, Column, Kind};
use crate::output::RunCard;
use crate::plan::Plan;
use crate::spec::{Design, Model};
use crate::stats::mean::Moments;
use crate::stats::paired::{Difference, Pair, holm};
use crate::stats::proportion::wilson;
use crate::stats::sensitivity::{self, Effect, Index};
use crate::stats::survival::{self, Spell, Step, kaplan_meier};
use crate::stats::{Estimate, Method, tail};

/// Most points whose quantiles, curves and tables are kept; of more, means only.
pub const DETAIL_MAX: usize = 200;

/// Most steps of a survival curve in a report.
const STEPS_MAX: usize = 250;

/// Metrics that a league table compares, and sensitivity explains; smaller is better but for the first.
pub const COMPARED: [&str; 7] = [
    "recovered",
    "failed",
    "delay_h",
    "cost_bp",
    "redeemed_72h",
    "discount_hours",
    "holder_loss_usd",
];

/// Everything that a report prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How it was made.
    pub card: RunCard,
    /// The question, in the author's words.
    pub question: String,
    /// The conclusion, in the author's words.
    pub conclusion: String,
    /// What became of each claim that it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Judged>,
    /// The policy that others are compared with.
    pub baseline: String,
    /// Policies, in order.
    pub policies: Vec<PolicyWords>,
    /// Keys of the sweep.
    pub axes: Vec<AxisWords>,
    /// The design, in a word.
    pub design: String,
    /// What the world was, key by key, before the sweep.
    pub world: Vec<Assumption>,
    /// Hours to the horizon.
    pub horizon_h: f64,
    /// Points, in order.
    pub points: Vec<PointSummary>,
    /// What drives the answer, by policy and metric; empty without such a design.
    pub sensitivity: Vec<Sensitivity>,
    /// Paths of the first point; empty unless asked for.
    pub fans: Vec<Fan>,
    /// Rare events; empty unless asked for.
    pub rare: Vec<RareEvent>,
    /// The measured series.
    pub series: Option<Series>,
}

/// A policy in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyWords {
    /// Its name.
    pub name: String,
    /// Its mechanism.
    pub mechanism: String,
    /// What the public is told.
    pub disclosure: String,
}

/// A key of the sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AxisWords {
    /// The key.
    pub key: String,
    /// The unit its values are written in.
    pub unit: String,
    /// What it means.
    pub meaning: String,
}

/// A key of the world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assumption {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Whether the spec changed it.
    pub is_changed: bool,
    /// What it means.
    pub meaning: String,
    /// Where the default comes from.
    pub source: String,
}

/// One point of the sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointSummary {
    /// Values of the axes, as written.
    pub values: Vec<String>,
    /// The same as numbers of the axis's unit; none where a value is a word.
    pub numbers: Vec<Option<f64>>,
    /// By policy.
    pub policies: Vec<PolicyStats>,
    /// Against the baseline; empty for a single policy or many points.
    pub league: Vec<LeagueRow>,
}

/// One policy at one point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyStats {
    /// Its name.
    pub policy: String,
    /// Runs with a hole, on which everything but leakage rests; all runs where none has one.
    pub n: u64,
    /// By column, and `delay_h`: hours to recovery, the horizon counted where there was none.
    pub metrics: BTreeMap<String, Estimate>,
    /// Value at risk of cost at 95 %, basis points.
    pub cost_var95: Option<Estimate>,
    /// Expected shortfall of cost at 95 %, basis points.
    pub cost_es95: Option<Estimate>,
    /// Quantiles of cost at 0.5 %, 1.5 %, …, 99.5 %, basis points.
    pub cost_quantiles: Vec<f64>,
    /// Kaplan–Meier, at most 250 steps.
    pub survival: Vec<Step>,
    /// Hours by which half, 90 % and 99 % have recovered.
    pub ttr_quantiles: [Option<f64>; 3],
    /// What a stranger learns.
    pub leakage: Option<Leakage>,
    /// What drills cost in a run without a hole, dollars; none where every run has one.
    pub quiet_cover_cost: Option<Estimate>,
}

/// A policy against the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeagueRow {
    /// The policy.
    pub policy: String,
    /// The metric.
    pub metric: String,
    /// Policy less baseline.
    pub difference: Difference,
    /// P-value after Holm's correction over the whole table.
    #[serde(with = "crate::stats::missing")]
    pub p_corrected: f64,
}

/// What drives a metric under a policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sensitivity {
    /// The policy.
    pub policy: String,
    /// The metric.
    pub metric: String,
    /// Sobol' indices by axis; empty for other designs.
    pub indices: Vec<Index>,
    /// Elementary effects by axis; empty for other designs.
    pub effects: Vec<Effect>,
}

/// A variable over time, under one policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fan {
    /// The policy.
    pub policy: String,
    /// `discount`, `redeemed` or `posterior`.
    pub variable: String,
    /// Hours since the shock.
    pub hours: Vec<f64>,
    /// Mean.
    pub mean: Vec<f64>,
    /// 5, 25, 50, 75 and 95 % quantiles.
    pub quantiles: [Vec<f64>; 5],
}

/// A rare event under one policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RareEvent {
    /// The policy.
    pub policy: String,
    /// The column.
    pub event: String,
    /// Its probability by importance sampling.
    pub estimate: Estimate,
    /// How many events of one weight say as much as those it rests on.
    pub effective: f64,
    /// The same by plain replication of as many runs.
    pub plain: Estimate,
}

/// One policy's running sums at one point.
#[derive(Debug, Default)]
struct Sums {
    moments: Vec<Moments>,
    delay: Moments,
    costs: Vec<f64>,
    spells: Vec<Spell>,
    seen: Vec<Vec<f64>>,
    deficit: Vec<bool>,
    gap: Vec<f64>,
}

/// Takes the rows of one point and gives its summary.
#[derive(Debug)]
pub(crate) struct PointSums {
    columns: &'static [Column],
    /// Runs with a hole, and the others.
    holes: Vec<Sums>,
    quiet: Vec<Sums>,
    pairs: Vec<[Pair; COMPARED.len()]>,
    baseline: usize,
    is_detailed: bool,
    places: Places,
}

#[derive(Debug, Clone, Copy)]
struct Places {
    deficit: Option<usize>,
    gap: Option<usize>,
    ttr: Option<usize>,
    watched: Option<usize>,
    cost: Option<usize>,
    compared: [Option<usize>; COMPARED.len()],
}

impl PointSums {
    pub(crate) fn new(plan: &Plan) -> Self {
        let columns = model::columns(plan.spec().model);
        let policies = plan.policies();
        let sums = || {
            policies
                .iter()
                .map(|_| Sums {
                    moments: vec![Moments::default(); columns.len()],
                    ..Sums::default()
                })
                .collect()
        };
        let at = |name: &str| model::position(columns, name);
        let baseline = policies.iter().position(|name| *name == plan.spec().baseline).unwrap_or(0);
        Self {
            columns,
            holes: sums(),
            quiet: sums(),
            pairs: policies.iter().map(|_| <[Pair; COMPARED.len()]>::default()).collect(),
            baseline,
            is_detailed: plan.points() <= DETAIL_MAX,
            places: Places {
                deficit: at("deficit"),
                gap: at("gap"),
                ttr: at("ttr_h"),
                watched: at("watched_h"),
                cost: at("cost_bp").or_else(|| at("cost")),
                compared: COMPARED.map(at),
            },
        }
    }

    /// Rows as [`Plan::compute`] gives them.
    pub(crate) fn add(&mut self, rows: &[Vec<f64>]) {
        let width = self.holes.len();
        for replication in rows.chunks_exact(width) {
            for (policy, row) in replication.iter().enumerate() {
                self.add_row(policy, row);
            }
            let is_hole = self.places.deficit.is_none_or(|place| replication[0][place] != 0.0);
            if is_hole {
                let base = &replication[self.baseline];
                for (policy, row) in replication.iter().enumerate() {
                    if policy == self.baseline {
                        continue;
                    }
                    for (metric, pair) in self.pairs[policy].iter_mut().enumerate() {
                        let value = |row: &[f64]| self.places.compared_value(metric, row);
                        if let (Some(a), Some(b)) = (value(row), value(base)) {
                            pair.add(a, b);
                        }
                    }
                }
            }
        }
    }

    fn add_row(&mut self, policy: usize, row: &[f64]) {
        let places = self.places;
        let is_hole = places.deficit.is_none_or(|place| row[place] != 0.0);
        let sums = if is_hole { &mut self.holes[policy] } else { &mut self.quiet[policy] };
        for (moments, value) in sums.moments.iter_mut().zip(row) {
            if value.is_finite() {
                moments.add(*value);
            }
        }
        if let Some(spell) = places.spell(row) {
            sums.delay.add(spell.time);
            if self.is_detailed {
                sums.spells.push(spell);
            }
        }
        if !self.is_detailed {
            return;
        }
        if let Some(place) = places.cost {
            sums.costs.push(row[place]);
        }
        // The adversary sees both kinds of run, so both are kept with the first of the two.
        let watched = &mut self.holes[policy];
        if let (Some(deficit), Some(gap)) = (places.deficit, places.gap)
            && watched.deficit.len() < adversary::RUNS_MAX
        {
            watched.deficit.push(row[deficit] != 0.0);
            watched.gap.push(row[gap]);
            watched.seen.resize(adversary::channels().count(), Vec::new());
            for (channel, (place, _)) in watched.seen.iter_mut().zip(adversary::channels()) {
                channel.push(row[place]);
            }
        }
    }

    pub(crate) fn finish(self, plan: &Plan, point: usize) -> PointSummary {
        let names = plan.policies();
        let league = if self.is_detailed { self.league(&names) } else { Vec::new() };
        let seed = plan.spec().seed ^ point as u64;
        let policies = self
            .holes
            .into_par_iter()
            .zip(self.quiet)
            .zip(names)
            .map(|((holes, quiet), name)| {
                let cover = model::position(self.columns, "cover_cost_usd");
                let quiet_cover_cost = cover
                    .map(|place| quiet.moments[place])
                    .filter(|moments| moments.n > 0)
                    .map(|moments| moments.estimate());
                let leakage = adversary::guess(&holes.deficit, &holes.gap, &holes.seen, seed);
                let sums = if holes.delay.n > 0 { holes } else { quiet };
                PolicyStats { quiet_cover_cost, ..stats(sums, name, leakage, self.columns, seed) }
            })
            .collect();
        let values = plan.values(point);
        PointSummary {
            numbers: values
                .iter()
                .map(|value| crate::quantity::number_and_unit(value).map(|(number, _)| number))
                .collect(),
            values: values.iter().map(crate::quantity::join).collect(),
            policies,
            league,
        }
    }

    fn league(&self, names: &[String]) -> Vec<LeagueRow> {
        let mut rows = Vec::new();
        for (policy, pairs) in self.pairs.iter().enumerate() {
            if policy == self.baseline {
                continue;
            }
            for (metric, pair) in COMPARED.iter().zip(pairs) {
                let is_share = model::position(self.columns, metric)
                    .is_some_and(|place| self.columns[place].kind == Kind::Flag);
                let difference =
                    if is_share { pair.difference_of_shares() } else { pair.difference() };
                if difference.estimate.n > 0 {
                    let (policy, metric) = (names[policy].clone(), (*metric).to_owned());
                    rows.push(LeagueRow { policy, metric, difference, p_corrected: f64::NAN });
                }
            }
        }
        let p_values: Vec<f64> = rows.iter().map(|row| row.difference.p_value).collect();
        for (row, corrected) in rows.iter_mut().zip(holm(&p_values)) {
            row.p_corrected = corrected;
        }
        rows
    }
}

impl Places {
    fn spell(&self, row: &[f64]) -> Option<Spell> {
        let time = row[self.ttr?];
        if time.is_finite() {
            return Some(Spell { time, is_event: true });
        }
        // The benchmark lasts twenty hours.
        let time = self.watched.map_or(20.0, |place| row[place]);
        Some(Spell { time, is_event: false })
    }

    fn compared_value(&self, metric: usize, row: &[f64]) -> Option<f64> {
        if COMPARED[metric] == "delay_h" {
            return self.spell(row).map(|spell| spell.time);
        }
        self.compared[metric].map(|place| row[place])
    }
}

fn stats(
    mut sums: Sums,
    policy: String,
    leakage: Option<Leakage>,
    columns: &[Column],
    seed: u64,
) -> PolicyStats {
    let mut metrics = BTreeMap::new();
    for (column, moments) in columns.iter().zip(&sums.moments) {
        if column.name.starts_with("seen_") || moments.n == 0 {
            continue;
        }
        let estimate = match column.kind {
            Kind::Flag => {
                let hits = moments.mean * crate::stats::to_f64(moments.n);
                wilson(crate::stats::index_floor(hits + 0.5) as u64, moments.n)
            }
            Kind::Count | Kind::Real => moments.estimate(),
        };
        metrics.insert(column.name.to_owned(), estimate);
    }
    metrics.insert("delay_h".to_owned(), sums.delay.estimate());
    sums.costs.sort_by(f64::total_cmp);
    let costs = &sums.costs;
    let has_costs = !costs.is_empty();
    let steps = kaplan_meier(&sums.spells);
    PolicyStats {
        policy,
        n: sums.delay.n,
        metrics,
        cost_var95: has_costs.then(|| tail::value_at_risk(costs, 0.95, seed)),
        cost_es95: has_costs.then(|| tail::expected_shortfall(costs, 0.95, seed ^ 1)),
        cost_quantiles: if has_costs {
            (0..100).map(|i| tail::quantile_of(costs, (f64::from(i) + 0.5) / 100.0)).collect()
        } else {
            Vec::new()
        },
        ttr_quantiles: [0.5, 0.9, 0.99].map(|share| survival::time_by(&steps, share)),
        survival: thinned(steps),
        leakage,
        quiet_cover_cost: None,
    }
}

/// Every so many steps, and the last.
fn thinned(steps: Vec<Step>) -> Vec<Step> {
    let stride = steps.len().div_ceil(STEPS_MAX).max(1);
    let last = steps.len().saturating_sub(1);
    let kept = |index: usize| index.is_multiple_of(stride) || index == last;
    steps.into_iter().enumerate().filter(|(index, _)| kept(*index)).map(|(_, step)| step).collect()
}

/// Indices or effects of every policy and metric, from the points' means.
pub(crate) fn sensitivity(plan: &Plan, points: &[PointSummary]) -> Vec<Sensitivity> {
    let d = plan.spec().sweep.axes.len();
    let seed = plan.spec().seed;
    let wants = match plan.spec().sweep.design {
        Design::Saltelli { .. } | Design::Morris { .. } => true,
        Design::Grid | Design::Sobol { .. } | Design::LatinHypercube { .. } => false,
    };
    if !wants {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (index, policy) in plan.policies().into_iter().enumerate() {
        for metric in COMPARED {
            let outputs: Vec<f64> = points
                .iter()
                .map(|point| {
                    point.policies[index].metrics.get(metric).map_or(f64::NAN, |e| e.value)
                })
                .collect();
            if outputs.iter().any(|output| !output.is_finite()) {
                continue;
            }
            let (indices, effects) = match plan.spec().sweep.design {
                Design::Saltelli { .. } => (sensitivity::sobol(&outputs, d, seed), Vec::new()),
                Design::Morris { .. } => {
                    (Vec::new(), sensitivity::morris(plan.unit_points(), &outputs, d))
                }
                Design::Grid | Design::Sobol { .. } | Design::LatinHypercube { .. } => continue,
            };
            if indices.is_empty() && effects.iter().all(|effect| effect.mean_absolute == 0.0) {
                continue;
            }
            let (policy, metric) = (policy.clone(), metric.to_owned());
            found.push(Sensitivity { policy, metric, indices, effects });
        }
    }
    found
}

/// Policies, axes and world in words.
pub(crate) fn words(plan: &Plan) -> (Vec<PolicyWords>, Vec<AxisWords>, Vec<Assumption>, f64) {
    let spec = plan.spec();
    if spec.model != Model::Recovery {
        let mechanism = "pro-rata fills under a rising premium (CDPR-Bench-1)".to_owned();
        let policy = PolicyWords { name: "clock".into(), mechanism, disclosure: "none".into() };
        return (vec![policy], Vec::new(), Vec::new(), 20.0);
    }
    let policies = spec
        .policies
        .iter()
        .filter_map(|table| model::policy(table).ok())
        .map(|policy| PolicyWords {
            name: policy.name.clone(),
            mechanism: policy.mechanism.name().to_owned(),
            disclosure: policy.disclosure.name().to_owned(),
        })
        .collect();
    let axes = spec
        .sweep
        .axes
        .iter()
        .map(|axis| AxisWords {
            key: axis.key.clone(),
            unit: crate::quantity::number_and_unit(&axis.at(0.0))
                .map_or_else(String::new, |(_, unit)| unit),
            meaning: meaning(&axis.key),
        })
        .collect();
    let scenario = model::scenario(&spec.scenario).unwrap_or_default();
    let (now, default) = (written(&scenario), written(&risk::Scenario::default()));
    let world = risk::schema()
        .iter()
        .map(|field| {
            let value = now.get(field.path).cloned().unwrap_or_default();
            Assumption {
                key: field.path.to_owned(),
                is_changed: default.get(field.path) != Some(&value),
                value,
                meaning: field.meaning.to_owned(),
                source: field.source.to_owned(),
            }
        })
        .collect();
    (policies, axes, world, scenario.horizon.hours())
}

/// What a key means, by the model's own schema.
fn meaning(key: &str) -> String {
    if let Some(rest) = key.strip_prefix("policy.") {
        let last = rest.rsplit('.').next().unwrap_or(rest);
        let all = risk::Mechanism::all();
        let fields = all.iter().flat_map(|mechanism| mechanism.fields());
        let found = fields.clone().find(|field| field.path.rsplit('.').next() == Some(last));
        return found.map_or_else(String::new, |field| field.meaning.to_owned());
    }
    let path = key.strip_prefix("scenario.").unwrap_or(key);
    let found = risk::schema().iter().find(|field| field.path == path);
    found.map_or_else(String::new, |field| field.meaning.to_owned())
}

/// A world as a file would write it, key by key.
fn written(scenario: &risk::Scenario) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let Ok(toml::Value::Table(table)) = toml::Value::try_from(scenario) else {
        return found;
    };
    for (group, value) in table {
        match value {
            toml::Value::Table(keys) => {
                for (key, value) in keys {
                    found.insert(format!("{group}.{key}"), crate::quantity::join(&value));
                }
            }
            other @ (toml::Value::String(_)
            | toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)) => {
                found.insert(group, crate::quantity::join(&other));
            }
        }
    }
    found
}

/// Paths of the first point, every policy.
pub(crate) fn fans(plan: &Plan) -> Vec<Fan> {
    let count = plan.spec().paths;
    if count == 0 || plan.spec().model != Model::Recovery {
        return Vec::new();
    }
    let Ok((scenario, models)) = plan.models(0) else {
        return Vec::new();
    };
    let per_hour = (1.0 / scenario.step.hours()).max(1.0);
    let mut found = Vec::new();
    for (model, policy) in models.iter().zip(plan.policies()) {
        // Hourly, from the shock.
        let paths: Vec<Vec<[f64; 3]>> = (0..count)
            .into_par_iter()
            .map(|replication| {
                let outcome = model.run(plan.spec().seed, replication, risk::Trace::Steps);
                let shock = outcome.truth.shock_step as usize;
                (0..)
                    .map(|hour| shock + crate::stats::index_floor(f64::from(hour) * per_hour))
                    .map_while(|step| outcome.steps.get(step))
                    .map(|state| [state.discount, state.redeemed, state.posterior])
                    .collect()
            })
            .collect();
        let hours = paths.iter().map(Vec::len).min().unwrap_or(0);
        for (place, variable) in ["discount", "redeemed", "posterior"].into_iter().enumerate() {
            let mut fan = Fan {
                policy: policy.clone(),
                variable: variable.to_owned(),
                hours: Vec::new(),
                mean: Vec::new(),
                quantiles: Default::default(),
            };
            for hour in 0..hours {
                let mut values: Vec<f64> = paths.iter().map(|path| path[hour][place]).collect();
                values.sort_by(f64::total_cmp);
                fan.hours.push(crate::stats::len_f64(hour));
                fan.mean.push(Moments::of(values.iter().copied()).mean);
                for (quantiles, level) in
                    fan.quantiles.iter_mut().zip([0.05, 0.25, 0.5, 0.75, 0.95])
                {
                    quantiles.push(tail::quantile_of(&values, level));
                }
            }
            found.push(fan);
        }
    }
    found
}

/// Rare events of the first point, every policy: holes drawn around a larger median and weighted back.
///
/// The median is that of the draw alone: what the world reads of `shock.gap` stays, so the likelihood ratio is the whole
/// difference.
pub(crate) fn rare(plan: &Plan) -> Result<Vec<RareEvent>, (String, crate::spec::Reason)> {
    let Some(rare) = &plan.spec().rare else {
        return Ok(Vec::new());
    };
    let columns = model::columns(plan.spec().model);
    let event = model::position(columns, &rare.event).expect("the plan was checked");
    let (scenario, models) = plan.models(0)?;
    let median = plan.rare_median()?;
    let seed = plan.spec().seed;
    let is_event = |outcome| model::row(&outcome, &scenario)[event] != 0.0;
    let found = plan.policies().into_iter().zip(&models).map(|(policy, model)| {
        let drawn: Vec<(bool, f64)> = (0..rare.replications)
            .into_par_iter()
            .map(|replication| {
                let (outcome, weight) = model.run_around(median, seed, replication);
                (is_event(outcome), weight)
            })
            .collect();
        let hits = (0..rare.replications)
            .into_par_iter()
            .filter(|replication| is_event(model.run(seed, *replication, risk::Trace::Off)))
            .count();
        let weighted = crate::stats::rare::importance(&drawn);
        RareEvent {
            policy,
            event: rare.event.clone(),
            estimate: weighted.estimate,
            effective: weighted.effective,
            plain: wilson(hits as u64, rare.replications),
        }
    });
    Ok(found.collect())
}

impl Summary {
    /// Reads a study's summary, and checks that its parts fit each other: a report takes that for granted.
    ///
    /// # Errors
    /// With what does not fit, or the parser's words with line and column.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let summary: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match summary.misfit() {
            None => Ok(summary),
            Some(what) => Err(format!("not a whole summary: {what}")),
        }
    }

    fn misfit(&self) -> Option<String> {
        let (axes, policies) = (self.axes.len(), self.policies.len());
        let is_known = |name: &str| self.policies.iter().any(|policy| policy.name == name);
        if self.points.is_empty() || policies == 0 {
            return Some("it has no point or no policy".into());
        }
        for (index, point) in self.points.iter().enumerate() {
            let names = point.policies.iter().map(|stats| &stats.policy);
            let is_whole = point.values.len() == axes
                && point.numbers.len() == axes
                && names.eq(self.policies.iter().map(|policy| &policy.name));
            if !is_whole {
                return Some(format!("point {index} has other keys or policies"));
            }
        }
        for fan in &self.fans {
            let hours = fan.hours.len();
            let is_whole = hours > 0
                && fan.mean.len() == hours
                && fan.quantiles.iter().all(|quantile| quantile.len() == hours);
            if !is_whole || !is_known(&fan.policy) {
                return Some(format!("the paths of {:?} under {:?}", fan.variable, fan.policy));
            }
        }
        let fits = |len: usize| len == 0 || len == axes;
        let odd = self.sensitivity.iter().find(|one| {
            !fits(one.indices.len()) || !fits(one.effects.len()) || !is_known(&one.policy)
        });
        odd.map(|one| format!("what drives {:?} under {:?}", one.metric, one.policy))
    }
}

/// Most indices that a warning names.
const NAMED_MAX: usize = 3;

impl Summary {
    /// What a reader must know before the numbers: indices above 1, which no input can have. Empty for nothing.
    pub fn warnings(&self) -> Vec<String> {
        let mut above = Vec::new();
        for one in &self.sensitivity {
            for (axis, index) in self.axes.iter().zip(&one.indices) {
                for (order, share) in [("first-order", index.first), ("total", index.total)] {
                    if share.value > 1.0 {
                        above.push(format!(
                            "the {order} index of {} for {} under {} is {:.2}",
                            axis.key, one.metric, one.policy, share.value
                        ));
                    }
                }
            }
        }
        if above.is_empty() {
            return above;
        }
        let more = above.len().saturating_sub(NAMED_MAX);
        let mut words = above[..above.len().min(NAMED_MAX)].join(", ");
        if more > 0 {
            words.push_str(&format!(", and {more} more are above 1"));
        }
        vec![format!(
            "{words}: no share is above 1, so the sample is too small for these; raise sweep.points or study.replications"
        )]
    }
}

impl PolicyStats {
    /// A metric; missing when the model has none of that name.
    pub fn metric(&self, name: &str) -> Estimate {
        self.metrics.get(name).copied().unwrap_or(Estimate::missing(Method::MeanT))
    }
}
