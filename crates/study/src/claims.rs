//! A conclusion as claims: expressions over the results, evaluated each time, so that words which no longer hold are seen
//! beside the figures that say so.
//!
//! ```text
//! claim = term ("<" | "<=" | ">" | ">=") term
//! term  = number | [number "*"] metric "(" policy ("," key "=" value)* ")"
//! ```
//!
//! A number is in the metric's unit, or a percentage. A metric is a column's mean over the runs with a hole (over all runs
//! where none has one), or `delay_h`. A key is one of the sweep's and picks its points; a claim is about every point that
//! its terms do not pick, and a term that picks some keys is looked up where the other keys are as on the other side. It
//! holds if it holds at all of them, by the means: what an interval says stands in the tables.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::spec::{Reason, Spec};
use crate::summary::{AxisWords, PointSummary};
use crate::{model, quantity};

/// What a claim looks like.
const EXPECTED: &str = "a claim, such as \"recovered(silent) >= 0.99\" or \"cost_bp(a, makers.invited = 4) < 0.5 * cost_bp(b)\"";

/// A claim as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    text: String,
    left: Term,
    by: Comparison,
    right: Term,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
}

#[derive(Debug, Clone, PartialEq)]
enum Term {
    Number(f64),
    Metric {
        factor: f64,
        metric: String,
        policy: String,
        /// Keys of the sweep with their values, as written.
        at: Vec<(String, String)>,
    },
}

/// What became of a claim in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// As written.
    pub claim: String,
    /// Whether it holds.
    pub holds: bool,
    /// The figures at the point where it is nearest to failing, or fails by most.
    pub figures: String,
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.holds { "holds" } else { "FAILS" };
        write!(f, "{word}  {}\n       {}", self.claim, self.figures)
    }
}

impl Claim {
    /// Reads a claim.
    ///
    /// # Errors
    /// [`Reason::NotA`].
    pub fn parse(text: &str) -> Result<Self, Reason> {
        let wrong = || Reason::NotA { found: format!("{text:?}"), expected: EXPECTED };
        let mut depth = 0_i32;
        let is_outside = |c: char| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0 && matches!(c, '<' | '>')
        };
        let at = text.find(is_outside).ok_or_else(wrong)?;
        let (left, rest) = text.split_at(at);
        let (by, right) = if let Some(right) = rest.strip_prefix("<=") {
            (Comparison::AtMost, right)
        } else if let Some(right) = rest.strip_prefix(">=") {
            (Comparison::AtLeast, right)
        } else if let Some(right) = rest.strip_prefix('<') {
            (Comparison::Less, right)
        } else {
            (Comparison::More, &rest[1..])
        };
        let [left, right] = [left, right].map(|side| Term::parse(side).ok_or_else(wrong));
        let (left, right) = (left?, right?);
        if matches!((&left, &right), (Term::Number(_), Term::Number(_))) {
            return Err(wrong());
        }
        Ok(Self { text: text.trim().to_owned(), left, by, right })
    }

    fn terms(&self) -> [&Term; 2] {
        [&self.left, &self.right]
    }

    /// How far the claim is from failing; below 0, or not above, it fails.
    fn margin(&self, left: f64, right: f64) -> (f64, bool) {
        match self.by {
            Comparison::Less => (right - left, left < right),
            Comparison::AtMost => (right - left, left <= right),
            Comparison::More => (left - right, left > right),
            Comparison::AtLeast => (left - right, left >= right),
        }
    }
}

impl Term {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let Some((head, rest)) = text.split_once('(') else {
            return Some(Self::Number(number(text)?));
        };
        let inner = rest.strip_suffix(')')?;
        let (factor, metric) = match head.split_once('*') {
            Some((factor, metric)) => (number(factor.trim())?, metric),
            None => (1.0, head),
        };
        let mut parts = inner.split(',').map(str::trim);
        let policy = parts.next().filter(|policy| !policy.is_empty())?.to_owned();
        let at = parts.map(|part| {
            let (key, value) = part.split_once('=')?;
            Some((key.trim().to_owned(), value.trim().to_owned()))
        });
        let metric = metric.trim().to_owned();
        Some(Self::Metric { factor, metric, policy, at: at.collect::<Option<_>>()? })
    }

    fn at(&self) -> &[(String, String)] {
        match self {
            Self::Number(_) => &[],
            Self::Metric { at, .. } => at,
        }
    }

    /// Its value where the sweep's keys are as at a point, but for those that it picks. Not a number where there is none.
    fn value(&self, axes: &[AxisWords], points: &[PointSummary], point: &PointSummary) -> f64 {
        let Self::Metric { factor, metric, policy, at } = self else {
            let Self::Number(number) = self else { unreachable!("there are two kinds") };
            return *number;
        };
        let wanted = |axis: &AxisWords, there: &String| {
            let picked = at.iter().find(|(key, _)| *key == axis.key);
            picked.map_or_else(|| there.clone(), |(_, value)| value.clone())
        };
        let values: Vec<String> =
            axes.iter().zip(&point.values).map(|(axis, there)| wanted(axis, there)).collect();
        let found = points.iter().find(|point| point.values == values);
        let stats =
            found.and_then(|point| point.policies.iter().find(|stats| stats.policy == *policy));
        stats.map_or(f64::NAN, |stats| stats.metric(metric).value * factor)
    }
}

fn number(text: &str) -> Option<f64> {
    let (digits, unit) = match text.strip_suffix('%') {
        Some(digits) => (digits.trim(), 0.01),
        None => (text, 1.0),
    };
    let number: f64 = digits.parse().ok()?;
    // `inf` and `nan` are numbers to Rust and nothing to compare with.
    number.is_finite().then_some(number * unit)
}

/// Refuses what names a metric, a policy, a key or a value that the study does not have.
pub(crate) fn check(plan: &Plan) -> Result<(), (String, Reason)> {
    let Spec { claims, sweep, model, .. } = plan.spec();
    let mut metrics: Vec<String> =
        model::columns(*model).iter().map(|column| column.name.to_owned()).collect();
    metrics.push("delay_h".to_owned());
    let keys: Vec<String> = sweep.axes.iter().map(|axis| axis.key.clone()).collect();
    for (index, claim) in claims.iter().enumerate() {
        let one_of = |found: &String, known: &[String]| {
            if known.contains(found) {
                return Ok(());
            }
            let reason = Reason::NotOneOf { found: found.clone(), known: known.to_vec() };
            Err((format!("study.claims[{index}]"), reason))
        };
        for term in claim.terms() {
            let Term::Metric { metric, policy, at, .. } = term else { continue };
            one_of(metric, &metrics)?;
            one_of(policy, &plan.policies())?;
            for (key, value) in at {
                one_of(key, &keys)?;
                let axis = keys.iter().position(|known| known == key).unwrap_or_default();
                let values = (0..plan.points())
                    .filter_map(|point| plan.values(point).get(axis).map(quantity::join));
                let mut values: Vec<String> = values.collect();
                values.dedup();
                one_of(value, &values)?;
            }
        }
    }
    Ok(())
}

/// Evaluates claims over a study's points.
pub fn judge(claims: &[Claim], axes: &[AxisWords], points: &[PointSummary]) -> Vec<Judged> {
    claims.iter().map(|claim| judge_one(claim, axes, points)).collect()
}

fn judge_one(claim: &Claim, axes: &[AxisWords], points: &[PointSummary]) -> Judged {
    // What both sides pick, or the only metric does, makes no difference to them: one point stands for those.
    let is_picked = |axis: &AxisWords| {
        claim.terms().iter().all(|term| {
            matches!(term, Term::Number(_)) || term.at().iter().any(|(key, _)| *key == axis.key)
        })
    };
    let free: Vec<bool> = axes.iter().map(|axis| !is_picked(axis)).collect();
    let mut worst: Option<(f64, bool, String)> = None;
    let mut n = 0;
    let mut seen: Vec<Vec<&String>> = Vec::new();
    for point in points {
        let place: Vec<&String> =
            point.values.iter().zip(&free).filter(|(_, free)| **free).map(|(it, _)| it).collect();
        if free.contains(&false) {
            if seen.contains(&place) {
                continue;
            }
            seen.push(place.clone());
        }
        n += 1;
        let [left, right] = claim.terms().map(|term| term.value(axes, points, point));
        let (margin, holds) = claim.margin(left, right);
        let margin = if margin.is_nan() { f64::NEG_INFINITY } else { margin };
        if worst.as_ref().is_some_and(|(least, ..)| *least <= margin) {
            continue;
        }
        let there: Vec<String> = axes
            .iter()
            .zip(&point.values)
            .zip(&free)
            .filter(|(_, free)| **free)
            .map(|((axis, value), _)| format!("{} = {value}", axis.key))
            .collect();
        let there =
            if there.is_empty() { String::new() } else { format!(" at {}", there.join(", ")) };
        worst = Some((margin, holds, format!("{} against {}{there}", shown(left), shown(right))));
    }
    let (holds, figures) = match worst {
        None => (false, "there is no point to look at".to_owned()),
        Some((_, holds, figures)) if n > 1 => {
            (holds, format!("{figures}, the nearest of {n} points"))
        }
        Some((_, holds, figures)) => (holds, figures),
    };
    Judged { claim: claim.text.clone(), holds, figures }
}

/// Four digits that matter.
fn shown(value: f64) -> String {
    if !value.is_finite() {
        return "no figure".to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = 3.0 - value.abs().log10().floor();
    let places = crate::stats::index_floor(digits.clamp(0.0, 9.0));
    let text = format!("{value:.places$}");
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::stats::{Estimate, Method};
    use crate::summary::PolicyStats;

    fn stats(policy: &str, cost: f64) -> PolicyStats {
        let estimate = Estimate { value: cost, ..Estimate::missing(Method::MeanT) };
        PolicyStats {
            policy: policy.to_owned(),
            n: 1,
            metrics: BTreeMap::from([("cost_bp".to_owned(), estimate)]),
            cost_var95: None,
            cost_es95: None,
            cost_quantiles: Vec::new(),
            survival: Vec::new(),
            ttr_quantiles: [None; 3],
            leakage: None,
            quiet_cover_cost: None,
        }
    }

    /// Two keys of two values; under `a` the cost is 1 to 4, under `b` it is 2.5 everywhere.
    fn grid() -> (Vec<AxisWords>, Vec<PointSummary>) {
        let axis = |key: &str| AxisWords {
            key: key.to_owned(),
            unit: String::new(),
            meaning: String::new(),
        };
        let point = |x: &str, y: &str, cost| PointSummary {
            values: vec![x.to_owned(), y.to_owned()],
            numbers: vec![None; 2],
            policies: vec![stats("a", cost), stats("b", 2.5)],
            league: Vec::new(),
        };
        let points = vec![
            point("0%", "4", 1.0),
            point("0%", "8", 2.0),
            point("25%", "4", 3.0),
            point("25%", "8", 4.0),
        ];
        (vec![axis("x"), axis("y")], points)
    }

    fn judged(text: &str) -> (bool, String) {
        let (axes, points) = grid();
        let claim = Claim::parse(text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
        let judged = judge(&[claim], &axes, &points).remove(0);
        assert_eq!(judged.claim, text);
        (judged.holds, judged.figures)
    }

    #[test]
    fn a_claim_holds_where_it_holds_at_every_point_that_it_does_not_pick() {
        for (text, holds, figures) in [
            ("cost_bp(a) <= 4", true, "4 against 4 at x = 25%, y = 8, the nearest of 4 points"),
            ("cost_bp(a) < 4", false, "4 against 4 at x = 25%, y = 8, the nearest of 4 points"),
            ("cost_bp(a) >= 100%", true, "1 against 1 at x = 0%, y = 4, the nearest of 4 points"),
            (
                "cost_bp(a, x = 0%) < cost_bp(b)",
                true,
                "2 against 2.5 at x = 0%, y = 8, the nearest of 4 points",
            ),
            (
                "cost_bp(a, x = 25%, y = 8) > 1.5 * cost_bp(b, x = 0%, y = 4)",
                true,
                "4 against 3.75",
            ),
            (
                "cost_bp(a, x = 0%) < cost_bp(a, x = 25%)",
                true,
                "1 against 3 at y = 4, the nearest of 2 points",
            ),
            ("3 > cost_bp(a)", false, "3 against 4 at x = 25%, y = 8, the nearest of 4 points"),
            (
                "cost_bp(nobody) > 0",
                false,
                "no figure against 0 at x = 0%, y = 4, the nearest of 4 points",
            ),
        ] {
            assert_eq!(judged(text), (holds, figures.to_owned()), "{text}");
        }
        let claim = Claim::parse("cost_bp(a) > 0").unwrap();
        assert!(!judge(&[claim], &[], &[])[0].holds, "nothing to look at is no proof");
    }

    proptest::proptest! {
        #[test]
        fn whatever_stands_there_is_read_or_refused(text in "[a-z_]{0,4}[ *0-9.%]{0,4}[(,=) ]{0,6}[<>=]{0,3}.{0,12}") {
            if let Ok(claim) = Claim::parse(&text) {
                let (axes, points) = grid();
                proptest::prop_assert!(!judge(&[claim], &axes, &points)[0].figures.is_empty());
            }
        }
    }

    #[test]
    fn what_is_no_claim_is_refused() {
        for text in [
            "",
            "recovered(silent)",
            "recovered(silent) = 1",
            "recovered(silent) >",
            "recovered() > 1",
            "recovered(silent > 1",
            "recovered(silent, x) > 1",
            "x * recovered(silent) > 1",
            "recovered(silent) > inf",
            "recovered(silent) > 1 or so",
            "2 > 1",
            "recovered(silent) => 1",
        ] {
            assert!(Claim::parse(text).is_err(), "{text:?} was read");
        }
    }
}
