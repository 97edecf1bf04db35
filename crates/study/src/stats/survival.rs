//! Time to recovery with censoring: a run that did not recover says only that it takes longer than it lasted.

use serde::{Deserialize, Serialize};

use super::{normal_quantile, to_f64};

/// What happened to one run, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spell {
    /// Hours.
    pub time: f64,
    /// Whether it ended there; otherwise it was only watched until there.
    pub is_event: bool,
}

/// One step down of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Hours.
    pub time: f64,
    /// Runs neither ended nor censored just before.
    pub at_risk: u64,
    /// Runs that ended here.
    pub events: u64,
    /// Share not yet ended just after.
    pub survival: f64,
    /// Greenwood's standard error of `survival`.
    pub error: f64,
    /// 95 % interval on the log–log scale.
    pub low: f64,
    /// 95 % interval on the log–log scale.
    pub high: f64,
}

/// The product-limit estimate, one step per time at which something ended, ascending.
///
/// Source: Kaplan and Meier (1958); Greenwood (1926) for the variance; Kalbfleisch and Prentice (1980), section 1.3,
/// for the log–log interval, which stays inside (0, 1).
pub fn kaplan_meier(spells: &[Spell]) -> Vec<Step> {
    let mut sorted = spells.to_vec();
    // Events before censorings at the same time: one watched until t was at risk at t.
    sorted.sort_by(|a, b| a.time.total_cmp(&b.time).then(b.is_event.cmp(&a.is_event)));
    let z = normal_quantile(f64::midpoint(1.0, super::CONFIDENCE));
    let (mut steps, mut survival, mut greenwood) = (Vec::new(), 1.0_f64, 0.0_f64);
    let mut index = 0;
    while let Some(first) = sorted.get(index) {
        let at_risk = (sorted.len() - index) as u64;
        let same = sorted[index..].iter().take_while(|spell| spell.time == first.time);
        let (mut count, mut events) = (0, 0);
        for spell in same {
            count += 1;
            events += u64::from(spell.is_event);
        }
        if events > 0 {
            let (d, n) = (to_f64(events), to_f64(at_risk));
            survival *= 1.0 - d / n;
            greenwood += d / (n * (n - d));
            let (low, high) = log_log(survival, greenwood, z);
            let error = if survival > 0.0 { survival * greenwood.sqrt() } else { 0.0 };
            steps.push(Step { time: first.time, at_risk, events, survival, error, low, high });
        }
        index += count;
    }
    steps
}

fn log_log(survival: f64, greenwood: f64, z: f64) -> (f64, f64) {
    if survival <= 0.0 || survival >= 1.0 {
        return (survival, survival);
    }
    let log = survival.ln();
    let width = z * greenwood.sqrt() / log.abs();
    (survival.powf(width.exp()), survival.powf((-width).exp()))
}

/// The first time at which at least `share` of the runs have ended; none when the curve does not get there.
pub fn time_by(steps: &[Step], share: f64) -> Option<f64> {
    steps.iter().find(|step| step.survival <= 1.0 - share + 1e-12).map(|step| step.time)
}

/// Mean time spent before the event, up to `horizon`: the area under the curve.
///
/// Unlike the mean of the recovered runs it does not improve when more runs fail.
pub fn restricted_mean(steps: &[Step], horizon: f64) -> f64 {
    let (mut area, mut from, mut height) = (0.0, 0.0, 1.0);
    for step in steps.iter().take_while(|step| step.time < horizon) {
        area += height * (step.time - from);
        (from, height) = (step.time, step.survival);
    }
    area + height * (horizon - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Freireich et al. (1963), weeks in remission under 6-mercaptopurine: the table every textbook prints.
    #[test]
    fn the_leukaemia_remissions_give_the_published_curve() {
        let ended = [6, 6, 6, 7, 10, 13, 16, 22, 23];
        let censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35];
        let spell = |is_event| move |week: &i32| Spell { time: f64::from(*week), is_event };
        let spells: Vec<Spell> =
            ended.iter().map(spell(true)).chain(censored.iter().map(spell(false))).collect();
        let steps = kaplan_meier(&spells);
        let published = [
            (6.0, 21, 0.857, 0.0764),
            (7.0, 17, 0.807, 0.0869),
            (10.0, 15, 0.753, 0.0963),
            (13.0, 12, 0.690, 0.1068),
            (16.0, 11, 0.627, 0.1141),
            (22.0, 7, 0.538, 0.1282),
            (23.0, 6, 0.448, 0.1346),
        ];
        assert_eq!(steps.len(), published.len());
        for (step, (time, at_risk, survival, error)) in steps.iter().zip(published) {
            assert_eq!((step.time, step.at_risk), (time, at_risk));
            assert!((step.survival - survival).abs() < 6e-4, "{step:?}");
            assert!((step.error - error).abs() < 1e-4, "{step:?}");
            assert!(step.low < step.survival && step.survival < step.high);
        }
        assert_eq!(time_by(&steps, 0.5), Some(23.0));
        assert_eq!(time_by(&steps, 0.9), None);
    }

    #[test]
    fn the_restricted_mean_is_the_mean_when_nothing_is_censored() {
        let spells: Vec<Spell> =
            [1.0, 2.0, 6.0].map(|time| Spell { time, is_event: true }).to_vec();
        assert!((restricted_mean(&kaplan_meier(&spells), 10.0) - 3.0).abs() < 1e-12);
    }
}
