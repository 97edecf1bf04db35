//! Which figures a study can draw, and how.

use risk::units::{Dollars, Quantity, Raw, Share};

use super::plot::{self, Axis, Bar, Cell, Format, Mark, Plot, short};
use super::{Figure, LeftOut, Table};
use crate::adversary;
use crate::spec::thousands;
use crate::stats::{Estimate, len_f64};
use crate::summary::{Fan, PointSummary, PolicyStats, Summary};

/// A figure, or why there is none.
type Drawn = Result<Figure, String>;

type Maker = fn(&Summary) -> Drawn;

pub(super) fn all(summary: &Summary) -> (Vec<Figure>, Vec<LeftOut>) {
    let makers: [(&'static str, Maker); 13] = [
        ("league table", league),
        ("paired differences", differences),
        ("fill probability against premium", fill),
        ("time to recovery", recovery),
        ("cost density", cost),
        ("efficient frontier", frontier),
        ("panel curve", panel),
        ("run-off by information regime", run_off),
        ("discount path", discount),
        ("failure heat map", heat),
        ("leakage", leakage),
        ("what drives the answer", drivers),
        ("rare events", rare),
    ];
    let (mut drawn, mut left_out) = (Vec::new(), Vec::new());
    for (figure, make) in makers {
        match make(summary) {
            Ok(figure) => drawn.push(figure),
            Err(reason) => left_out.push(LeftOut { figure, reason }),
        }
    }
    // A sweep over anything else still has its curve.
    if let Ok(figure) = curve(summary) {
        let at = drawn.len().min(2);
        drawn.insert(at, figure);
    }
    (drawn, left_out)
}

/// `12.3 [11.0, 13.6]`.
fn ranged(estimate: Estimate, factor: f64) -> String {
    let e = estimate.scaled(factor);
    format!("{} [{}, {}]", short(e.value), short(e.low), short(e.high))
}

/// The same, or a dash.
fn or_none(estimate: Option<Estimate>, factor: f64) -> String {
    estimate.map_or_else(|| "–".to_owned(), |e| ranged(e, factor))
}

/// Most points in the league table, and in that of differences.
const LEAGUE_MAX: usize = 60;
const DIFFERENCES_MAX: usize = 30;
/// Most policies whose bars are drawn side by side.
const BARS_MAX: usize = 4;

/// What a figure leaves out, in words; empty for nothing.
fn first_of(what: &str, shown: usize, all: usize) -> String {
    if all <= shown {
        return String::new();
    }
    format!(" Here are the first {shown} of {} {what}.", thousands(all as u64))
}

fn metric_words(metric: &str) -> (&'static str, f64) {
    match metric {
        "recovered" => ("Recovered within the horizon, %", 100.0),
        "failed" => ("Failed, %", 100.0),
        "delay_h" => ("Hours to recovery (horizon counted where none)", 1.0),
        "cost_bp" => ("Cost, bp of supply", 1.0),
        "redeemed_72h" => ("Run-off in 72 h, % of supply", 100.0),
        "discount_hours" => ("Discount × time, %·h", 100.0),
        "holder_loss_usd" => ("Holders' loss, $M", 1e-6),
        "cost" => ("Cost, coins", 1.0),
        "redeemed" => ("Redeemed, % of supply", 100.0),
        "leaked" => ("A maker talked, %", 100.0),
        _ => ("", 1.0),
    }
}

/// Where the figure was drawn, when the sweep has other points.
fn where_drawn(summary: &Summary, point: usize) -> String {
    if summary.axes.is_empty() {
        return String::new();
    }
    let words: Vec<String> = summary
        .axes
        .iter()
        .zip(&summary.points[point].values)
        .map(|(axis, value)| format!("{} = {value}", axis.key))
        .collect();
    format!(
        " Drawn at {}, point {} of {}.",
        words.join(", "),
        point + 1,
        thousands(summary.points.len() as u64)
    )
}

fn is_recovery(summary: &Summary) -> bool {
    summary
        .points
        .iter()
        .all(|point| point.policies.iter().all(|stats| stats.metrics.contains_key("cost_bp")))
}

fn needs_detail(summary: &Summary) -> Result<(), String> {
    let has_detail = summary.points.iter().any(|point| {
        point
            .policies
            .iter()
            .any(|stats| !stats.survival.is_empty() || !stats.cost_quantiles.is_empty())
    });
    if has_detail {
        Ok(())
    } else {
        Err(format!("a study of more than {} points keeps means only", crate::summary::DETAIL_MAX))
    }
}

fn league(summary: &Summary) -> Drawn {
    needs_detail(summary)?;
    let is_recovery = is_recovery(summary);
    let mut columns: Vec<String> = summary.axes.iter().map(|axis| axis.key.clone()).collect();
    columns.push("Policy".into());
    if is_recovery {
        columns.extend(["Mechanism".into(), "Public is told".into()]);
    }
    columns.extend(
        [
            "Recovered, %",
            "Hours to recovery: half / 90 % of runs",
            "Mean cost, bp of supply",
            "Cost VaR 95 %",
            "Cost ES 95 %",
        ]
        .map(str::to_owned),
    );
    if is_recovery {
        columns.extend(
            ["Run-off 72 h, %", "Failed, %", "Largest discount, %", "Holders' loss, $M"]
                .map(str::to_owned),
        );
    } else {
        columns.push("Redeemed, %".into());
    }
    let mut rows = Vec::new();
    for point in summary.points.iter().take(LEAGUE_MAX) {
        for (stats, words) in point.policies.iter().zip(&summary.policies) {
            let mut row = point.values.clone();
            row.push(stats.policy.clone());
            if is_recovery {
                row.extend([words.mechanism.clone(), words.disclosure.clone()]);
            }
            let hours = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), short);
            row.extend([
                ranged(stats.metric("recovered"), 100.0),
                format!("{} / {}", hours(stats.ttr_quantiles[0]), hours(stats.ttr_quantiles[1])),
                ranged(stats.metric(if is_recovery { "cost_bp" } else { "cost" }), 1.0),
                or_none(stats.cost_var95, 1.0),
                or_none(stats.cost_es95, 1.0),
            ]);
            if is_recovery {
                row.extend([
                    ranged(stats.metric("redeemed_72h"), 100.0),
                    ranged(stats.metric("failed"), 100.0),
                    ranged(stats.metric("discount_max"), 100.0),
                    ranged(stats.metric("holder_loss_usd"), 1e-6),
                ]);
            } else {
                row.push(ranged(stats.metric("redeemed"), 100.0));
            }
            rows.push(row);
        }
    }
    let n = summary.points[0].policies[0].n;
    Ok(Figure {
        id: "league",
        title: "Policies side by side".into(),
        caption: format!("Brackets hold 95 % intervals. {} runs a policy{}; where a study has runs without a hole, only those with one count here. A dash: fewer runs than that recovered.{}", thousands(n), if summary.points.len() > 1 { " and point" } else { "" }, first_of("points", LEAGUE_MAX, summary.points.len())),
        method: "Shares: Wilson score interval. Means: Student's t. Hours: Kaplan–Meier quantiles, so runs that did not recover count as longer than they were watched. Value at risk and expected shortfall: empirical (Acerbi–Tasche), BCa bootstrap interval of 999 resamples.".into(),
        svg: None,
        table: Table { columns, rows },
    })
}

fn differences(summary: &Summary) -> Drawn {
    let compared = || summary.points.iter().filter(|point| !point.league.is_empty());
    let points: Vec<&PointSummary> = compared().take(DIFFERENCES_MAX).collect();
    if points.is_empty() {
        return Err(
            "it compares policies, and the study has one (or too many points to keep)".into()
        );
    }
    let mut columns: Vec<String> = summary.axes.iter().map(|axis| axis.key.clone()).collect();
    columns.extend(
        ["Policy", "Metric", "Difference to the baseline", "p, Holm", "Variance reduction"]
            .map(str::to_owned),
    );
    let mut rows: Vec<Vec<String>> = Vec::new();
    for point in points {
        for row in &point.league {
            let (words, factor) = metric_words(&row.metric);
            let d = &row.difference;
            let mut cells = point.values.clone();
            let is_new = rows.last().is_none_or(|_| row.metric == point.league[0].metric);
            cells.extend([
                if is_new { row.policy.clone() } else { String::new() },
                words.to_owned(),
                ranged(d.estimate, factor),
                if row.p_corrected < 1e-4 { "< 0.0001".into() } else { short(row.p_corrected) },
                if d.reduction.is_finite() {
                    format!("{}×", short(d.reduction))
                } else {
                    "–".into()
                },
            ]);
            rows.push(cells);
        }
    }
    Ok(Figure {
        id: "differences",
        title: format!("Paired differences to “{}”", summary.baseline),
        caption: format!("Negative is less than the baseline. An interval that excludes zero and a small p after correction are what a claim needs.{}", first_of("points", DIFFERENCES_MAX, compared().count())),
        method: "Every policy met the same shocks, holders and makers in the same replication (common random numbers), so differences are taken run by run; Student's t on them. Variance reduction: how many times more runs independent samples would take for the same precision. P-values are corrected over the whole table of a point (Holm 1979).".into(),
        svg: None,
        table: Table { columns, rows },
    })
}

/// Points along one axis, the other axes at their first value.
fn along(summary: &Summary, axis: usize) -> Vec<(f64, &PointSummary)> {
    let Some(first) = summary.points.first() else {
        return Vec::new();
    };
    let mut found: Vec<(f64, &PointSummary)> = summary
        .points
        .iter()
        .filter(|point| {
            (0..summary.axes.len())
                .all(|other| other == axis || point.values[other] == first.values[other])
        })
        .filter_map(|point| Some((point.numbers[axis]?, point)))
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found
}

fn others_fixed(summary: &Summary, axis: usize) -> String {
    let fixed: Vec<String> = summary
        .axes
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != axis)
        .map(|(other, words)| format!("{} = {}", words.key, summary.points[0].values[other]))
        .collect();
    if fixed.is_empty() {
        String::new()
    } else {
        format!(" Other keys stand at their first value: {}.", fixed.join(", "))
    }
}

fn axis_label(summary: &Summary, axis: usize) -> String {
    let words = &summary.axes[axis];
    if words.unit.is_empty() { words.key.clone() } else { format!("{}, {}", words.key, words.unit) }
}

fn is_grid(summary: &Summary) -> bool {
    summary.design == "grid"
}

fn axis_of(summary: &Summary, wanted: impl Fn(&str) -> bool) -> Option<usize> {
    if !is_grid(summary) {
        return None;
    }
    (0..summary.axes.len())
        .find(|axis| wanted(&summary.axes[*axis].key) && along(summary, *axis).len() >= 2)
}

fn is_premium(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    key.starts_with("policy.") && ["premium", "start", "bonus", "cap", "slippage"].contains(&last)
}

/// A policy's curve with its interval.
fn curve_marks(series: usize, name: &str, points: &[(f64, Estimate)]) -> [Mark; 2] {
    let band = points.iter().map(|(x, e)| (*x, e.low, e.high)).collect();
    let line = points.iter().map(|(x, e)| (*x, e.value)).collect();
    [
        Mark::Band { series, points: band, opacity: 0.16 },
        Mark::Line { series, points: line, name: name.to_owned() },
    ]
}

/// Curves of a metric along an axis, one a policy, with intervals.
fn share_curves(points: &[(f64, &PointSummary)], metric: &str) -> Vec<Mark> {
    let first = &points[0].1.policies;
    let of = |policy: usize| -> Vec<(f64, Estimate)> {
        points.iter().map(|(x, point)| (*x, point.policies[policy].metric(metric))).collect()
    };
    (0..first.len())
        .flat_map(|policy| curve_marks(policy, &first[policy].policy, &of(policy)))
        .collect()
}

fn curve_table(
    summary: &Summary,
    axis: usize,
    points: &[(f64, &PointSummary)],
    metrics: &[&str],
) -> Table {
    let mut columns = vec![axis_label(summary, axis), "Policy".into()];
    columns.extend(metrics.iter().map(|metric| metric_words(metric).0.to_owned()));
    let mut rows = Vec::new();
    for (_, point) in points {
        for stats in &point.policies {
            let mut row = vec![point.values[axis].clone(), stats.policy.clone()];
            row.extend(
                metrics.iter().map(|metric| ranged(stats.metric(metric), metric_words(metric).1)),
            );
            rows.push(row);
        }
    }
    Table { columns, rows }
}

fn fill(summary: &Summary) -> Drawn {
    let axis = axis_of(summary, is_premium)
        .ok_or("the sweep varies no premium (\"policy.NAME.mechanism.premium\" = [\"0.5%\", …])")?;
    let points = along(summary, axis);
    let mut marks = share_curves(&points, "recovered");
    let unit = if summary.axes[axis].unit == "bp" { 1e4 } else { 100.0 };
    let (low, high) = (points[0].0, points[points.len() - 1].0);
    let theory = closed_fill(summary);
    let theory_points: Vec<(f64, f64)> = (0..=60)
        .map(|step| low + (high - low) * f64::from(step) / 60.0)
        .filter_map(|x| Some((x, theory(x / unit)?)))
        .collect();
    let has_theory = !theory_points.is_empty();
    if has_theory {
        marks.push(Mark::Theory { points: theory_points, name: "closed form (3)".into() });
    }
    let plot = Plot {
        title: "Fill probability against premium".into(),
        width: Plot::WIDTH,
        height: 380.0,
        x: Axis::over(
            &axis_label(summary, axis),
            Format::Plain,
            points.iter().map(|(x, _)| *x),
            true,
        ),
        y: Axis::share("Runs that recover within the horizon"),
        marks,
    };
    Ok(Figure {
        id: "fill",
        title: "Fill probability against premium".into(),
        caption: format!("Bands are 95 % intervals; the dotted curve is theory.{}", others_fixed(summary, axis)),
        method: "Simulated: share of runs, Wilson interval. Closed form (3): makers willing at the premium are Poisson with mean invited × P(cost + charge for failure ≤ premium), each brings an exponential amount of the same mean capacity. The model has log-normal capacities, supply that rises with premium, latency and a run beside it, so the two agree in shape, not to the digit; the exact agreement under (3)'s own assumptions is a test of the model.".into(),
        svg: Some(plot.svg()),
        table: curve_table(summary, axis, &points, &["recovered", "cost_bp", "delay_h"]),
    })
}

/// Equation (3) with the moments of this study's makers, against premium; none when a number is missing.
fn closed_fill(summary: &Summary) -> impl Fn(f64) -> Option<f64> {
    let share = |key: &str| world::<Share>(summary, key).map(|share| share.0);
    let dollars = |key: &str| world::<Dollars>(summary, key).map(Dollars::to_f64);
    let number = |key: &str| written(summary, key)?.parse::<f64>().ok();
    let inputs = (|| {
        let gap = share("shock.gap")? * dollars("issuer.supply")?;
        let sd = number("makers.capacity_sd")?;
        let size = dollars("makers.capacity")? * (sd * sd / 2.0).exp();
        let fail = share("makers.fail")?;
        let charge = fail * share("makers.loss")? / (1.0 - fail);
        let (invited, cost) = (number("makers.invited")?, share("makers.cost")?);
        Some((invited, gap, size, cost, number("makers.cost_sd")?, charge))
    })();
    move |premium: f64| {
        let (invited, gap, size, cost, cost_sd, charge) = inputs?;
        let willing = risk::closed_form::log_normal_cdf((premium - charge).max(0.0), cost, cost_sd);
        Some(risk::closed_form::fill_probability(invited * willing, gap, size))
    }
}

/// Any one numeric axis that no other figure takes.
fn curve(summary: &Summary) -> Drawn {
    let taken = |key: &str| {
        is_premium(key) || key.ends_with("makers.invited") || key.ends_with("adversary.cover")
    };
    let axis = axis_of(summary, |key| !taken(key)).ok_or("no other axis")?;
    let points = along(summary, axis);
    let x = |label: &str| Axis::over(label, Format::Plain, points.iter().map(|(x, _)| *x), false);
    let cost_metric = if is_recovery(summary) { "cost_bp" } else { "cost" };
    let mut svg = plot::open(Plot::WIDTH, 640.0, "Recovery and cost along the sweep");
    let label = axis_label(summary, axis);
    Plot {
        title: String::new(),
        width: Plot::WIDTH,
        height: 320.0,
        x: x(&label),
        y: Axis::share("Runs that recover within the horizon"),
        marks: share_curves(&points, "recovered"),
    }
    .draw(&mut svg, 0.0, 0.0);
    let values = points
        .iter()
        .flat_map(|(_, point)| point.policies.iter().map(|stats| stats.metric(cost_metric).high));
    Plot {
        title: String::new(),
        width: Plot::WIDTH,
        height: 320.0,
        x: x(&label),
        y: Axis::over(metric_words(cost_metric).0, Format::Plain, values, true),
        marks: share_curves(&points, cost_metric),
    }
    .draw(&mut svg, 0.0, 320.0);
    svg.push_str("</svg>");
    let meaning = &summary.axes[axis].meaning;
    Ok(Figure {
        id: "sweep",
        title: format!("Along {}", summary.axes[axis].key),
        caption: format!("{meaning} Bands are 95 % intervals.{}", others_fixed(summary, axis)),
        method: "Shares: Wilson interval. Means: Student's t. The same shocks at every point."
            .into(),
        svg: Some(svg),
        table: curve_table(summary, axis, &points, &["recovered", cost_metric, "delay_h"]),
    })
}

fn recovery(summary: &Summary) -> Drawn {
    needs_detail(summary)?;
    let point = &summary.points[0];
    let last = point
        .policies
        .iter()
        .flat_map(|stats| stats.survival.iter())
        .map(|step| step.time)
        .fold(0.0, f64::max);
    if last <= 0.0 {
        return Err("no run recovered".into());
    }
    let to = (last * 1.08).min(summary.horizon_h);
    let first = point
        .policies
        .iter()
        .filter_map(|stats| stats.survival.first())
        .map(|step| step.time)
        .fold(f64::INFINITY, f64::min);
    // Minutes and days on one axis: logarithmic where a policy takes ten times another's time.
    let is_log = to > 10.0 * first && first > 0.0;
    let from = if is_log { first * 0.8 } else { 0.0 };
    let mut marks = Vec::new();
    let mut rows = Vec::new();
    for (series, stats) in point.policies.iter().enumerate() {
        let (mut line, mut band) = (vec![(from, 0.0)], vec![(from, 0.0, 0.0)]);
        let mut before = (0.0, 0.0, 0.0);
        for step in &stats.survival {
            // A step function: level until the event, then down.
            line.push((step.time, before.0));
            band.push((step.time, before.1, before.2));
            before = (1.0 - step.survival, 1.0 - step.high, 1.0 - step.low);
            line.push((step.time, before.0));
            band.push((step.time, before.1, before.2));
        }
        line.push((to, before.0));
        band.push((to, before.1, before.2));
        marks.push(Mark::Band { series, points: band, opacity: 0.16 });
        marks.push(Mark::Line { series, points: line, name: stats.policy.clone() });
        let hours = |share: Option<f64>| share.map_or_else(|| "not reached".to_owned(), short);
        rows.push(vec![
            stats.policy.clone(),
            ranged(stats.metric("recovered"), 100.0),
            hours(stats.ttr_quantiles[0]),
            hours(stats.ttr_quantiles[1]),
            hours(stats.ttr_quantiles[2]),
            ranged(stats.metric("delay_h"), 1.0),
        ]);
    }
    let plot = Plot {
        title: "Time to recovery".into(),
        width: Plot::WIDTH,
        height: 390.0,
        x: Axis { is_log, ..Axis::linear("Hours since the shock", from, to, Format::Plain) },
        y: Axis::share("Runs recovered by then"),
        marks,
    };
    Ok(Figure {
        id: "recovery",
        title: "Time to recovery".into(),
        caption: format!(
            "A curve that levels off below 100 % is a policy that does not always recover.{}",
            where_drawn(summary, 0)
        ),
        method: format!(
            "One minus the Kaplan–Meier estimate; runs without recovery are censored at the horizon ({} h). Bands: 95 % pointwise, Greenwood's variance on the log–log scale. Mean hours count the horizon where there was no recovery, so that failing is not rewarded.",
            short(summary.horizon_h)
        ),
        svg: Some(plot.svg()),
        table: Table {
            columns: [
                "Policy",
                "Recovered, %",
                "Half by, h",
                "90 % by, h",
                "99 % by, h",
                "Mean hours",
            ]
            .map(str::to_owned)
            .to_vec(),
            rows,
        },
    })
}

fn cost(summary: &Summary) -> Drawn {
    needs_detail(summary)?;
    let point = &summary.points[0];
    let with_cost: Vec<(usize, &PolicyStats)> = point
        .policies
        .iter()
        .enumerate()
        .filter(|(_, stats)| stats.cost_quantiles.last().is_some_and(|last| *last > 0.0))
        .collect();
    if with_cost.is_empty() {
        return Err("no policy of this study pays anything".into());
    }
    let unit = if is_recovery(summary) { "Cost, bp of supply" } else { "Cost, coins" };
    // Shortfalls are drawn, so the axis holds them; a very long tail is cut at thrice the median tail.
    let mut tops: Vec<f64> =
        with_cost.iter().filter_map(|(_, stats)| stats.cost_es95).map(|es| es.value).collect();
    tops.sort_by(f64::total_cmp);
    let to = tops[tops.len() - 1].min(tops[tops.len() / 2] * 3.0) * 1.12;
    let (left, right, row_height, top) = (150.0, 24.0, 74.0, 14.0);
    let height = top + row_height * len_f64(with_cost.len()) + 46.0;
    let px = |x: f64| left + x.min(to) / to * (Plot::WIDTH - left - right);
    let mut svg =
        plot::open(Plot::WIDTH, height, "Cost density with value at risk and expected shortfall");
    use std::fmt::Write as _;
    let axis = Axis::linear(unit, 0.0, to, Format::Plain);
    for value in axis.ticks(8) {
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{0:.1}" x2="{0:.1}" y1="{top}" y2="{1:.1}"/><text x="{0:.1}" y="{2:.1}" text-anchor="middle">{3}</text>"#,
            px(value),
            height - 46.0,
            height - 29.0,
            axis.format.write(value)
        );
    }
    let mut rows = Vec::new();
    for (line, (series, stats)) in with_cost.iter().enumerate() {
        let base = top + row_height * (len_f64(line) + 1.0) - 12.0;
        let bins = 48;
        let mut counts = vec![0.0_f64; bins];
        for value in &stats.cost_quantiles {
            let bin = crate::stats::index_floor(value / to * len_f64(bins));
            counts[bin.min(bins - 1)] += 1.0;
        }
        let tallest = counts.iter().fold(1.0_f64, |a, b| a.max(*b));
        let mut path = format!("M{:.1} {base:.1}", px(0.0));
        for (bin, count) in counts.iter().enumerate() {
            let (a, b) = (len_f64(bin) / len_f64(bins) * to, len_f64(bin + 1) / len_f64(bins) * to);
            let y = base - count / tallest * (row_height - 30.0);
            let _ = write!(path, "L{:.1} {y:.1}L{:.1} {y:.1}", px(a), px(b));
        }
        let _ = write!(path, "L{:.1} {base:.1}Z", px(to));
        let colour = plot::colour(*series);
        let _ = write!(
            svg,
            r#"<path d="{path}" fill="{colour}" opacity=".3"/><path d="{path}" fill="none" stroke="{colour}" stroke-width="1.2"/><line class="axis" x1="{:.1}" x2="{:.1}" y1="{base:.1}" y2="{base:.1}"/>"#,
            px(0.0),
            px(to)
        );
        plot::marker(&mut svg, *series, 12.0, base - 12.0, 4.6);
        let _ = write!(
            svg,
            r#"<text class="name" x="24" y="{:.1}">{}</text>"#,
            base - 8.0,
            plot::escape(&stats.policy)
        );
        let mean = stats.metric(if is_recovery(summary) { "cost_bp" } else { "cost" });
        let marks = [
            (mean.value, "mean"),
            (stats.cost_var95.map_or(f64::NAN, |e| e.value), "VaR"),
            (stats.cost_es95.map_or(f64::NAN, |e| e.value), "ES"),
        ];
        // Words that would touch are set one below the other.
        let (mut last_x, mut level) = (f64::NEG_INFINITY, 0.0);
        for (value, word) in marks.into_iter().filter(|(value, _)| value.is_finite()) {
            let x = px(value);
            level = if x - last_x < 34.0 { level + 11.0 } else { 0.0 };
            last_x = x;
            let words_y = base - row_height + 24.0 + level;
            let _ = write!(
                svg,
                r#"<line x1="{x:.1}" x2="{x:.1}" y1="{:.1}" y2="{base:.1}" stroke="var(--ink)" stroke-width="1.2"/><text class="strong" x="{:.1}" y="{:.1}" style="font-size:11px">{word}</text>"#,
                words_y - 8.0,
                x + 3.0,
                words_y
            );
        }
        rows.push(vec![
            stats.policy.clone(),
            ranged(mean, 1.0),
            or_none(stats.cost_var95, 1.0),
            or_none(stats.cost_es95, 1.0),
        ]);
    }
    let _ = write!(
        svg,
        r#"<text class="strong" x="{:.1}" y="{:.1}" text-anchor="end">{unit}</text></svg>"#,
        Plot::WIDTH - right,
        height - 8.0
    );
    Ok(Figure {
        id: "cost",
        title: "What it costs, and what it costs when it costs most".into(),
        caption: format!("Each row is one policy; its height is the share of runs, each row to its own scale. Policies that pay nothing are left out; what lies beyond the axis is gathered in its last bin.{}", where_drawn(summary, 0)),
        method: "Density: histogram of a hundred quantiles of the runs. Value at risk: the cost exceeded in 5 % of runs; expected shortfall: the mean of the worst 5 % (Acerbi–Tasche), both with BCa bootstrap intervals of 999 resamples. Cost is premiums and standby fees; what holders lose is counted apart.".into(),
        svg: Some(svg),
        table: Table { columns: vec!["Policy".into(), format!("Mean {}", unit.to_lowercase()), "VaR 95 %".into(), "ES 95 %".into()], rows },
    })
}

fn frontier(summary: &Summary) -> Drawn {
    let metric = if is_recovery(summary) {
        "cost_bp"
    } else {
        return Err("the benchmark has one policy".into());
    };
    let count = summary.points.len() * summary.policies.len();
    if count < 3 {
        return Err("it takes at least three policies or points".into());
    }
    if count > 400 {
        return Err("more than 400 policies and points would cover the picture".into());
    }
    let mut all: Vec<(f64, f64)> = Vec::new();
    let mut marks = Vec::new();
    for (series, words) in summary.policies.iter().enumerate() {
        let points: Vec<(f64, f64, f64, f64)> = summary
            .points
            .iter()
            .map(|point| {
                let stats = &point.policies[series];
                let share = stats.metric("recovered");
                (stats.metric(metric).value, share.value, share.low, share.high)
            })
            .collect();
        all.extend(points.iter().map(|(x, y, _, _)| (*x, *y)));
        marks.push(Mark::Points { series, points, name: words.name.clone() });
    }
    let efficient = efficient(&all);
    marks.insert(0, Mark::Theory { points: efficient, name: String::new() });
    let plot = Plot {
        title: "Efficient frontier".into(),
        width: Plot::WIDTH,
        height: 400.0,
        x: Axis::over("Mean cost, bp of supply", Format::Plain, all.iter().map(|(x, _)| *x), true),
        y: Axis::linear("Runs that recover within the horizon", -0.02, 1.06, Format::Percent),
        marks,
    };
    let rows = summary
        .points
        .iter()
        .flat_map(|point| {
            point.policies.iter().map(|stats| {
                let mut row = point.values.clone();
                row.extend([
                    stats.policy.clone(),
                    ranged(stats.metric(metric), 1.0),
                    ranged(stats.metric("recovered"), 100.0),
                ]);
                row
            })
        })
        .collect();
    let mut columns: Vec<String> = summary.axes.iter().map(|axis| axis.key.clone()).collect();
    columns.extend(["Policy", "Mean cost, bp", "Recovered, %"].map(str::to_owned));
    Ok(Figure {
        id: "frontier",
        title: "Cost against the chance of recovery".into(),
        caption: "Up and to the left is better; the dotted line joins what nothing else beats on both. Cost alone says little where a policy fails: a failed run pays no premium.".into(),
        method: "Means and shares as in the league table; whiskers are Wilson intervals of the share. The frontier is that of the point estimates.".into(),
        svg: Some(plot.svg()),
        table: Table { columns, rows },
    })
}

/// The upper left edge as a staircase.
fn efficient(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let mut edge: Vec<(f64, f64)> = Vec::new();
    for (x, y) in sorted {
        match edge.last().copied() {
            Some((_, best)) if y <= best => {}
            Some((_, best)) => edge.extend([(x, best), (x, y)]),
            None => edge.push((x, y)),
        }
    }
    edge
}

fn panel(summary: &Summary) -> Drawn {
    let axis = axis_of(summary, |key| key.ends_with("makers.invited"))
        .ok_or("the sweep does not vary \"makers.invited\"")?;
    let points = along(summary, axis);
    let supply = world::<Dollars>(summary, "issuer.supply").ok_or("the supply is not known")?;
    let supply = supply.to_f64();
    let burden = |stats: &PolicyStats| {
        let (cost, loss) = (stats.metric("cost_bp"), stats.metric("holder_loss_usd"));
        cost.value + loss.value / supply * 1e4
    };
    let x = || Axis::over("Makers invited", Format::Plain, points.iter().map(|(x, _)| *x), true);
    let mut marks = share_curves(&points, "recovered");
    for (series, words) in summary.policies.iter().enumerate() {
        let talked: Vec<(f64, f64)> = points
            .iter()
            .map(|(x, point)| (*x, point.policies[series].metric("leaked").value))
            .collect();
        marks.push(Mark::Theory {
            points: talked,
            name: if summary.policies.len() == 1 {
                "a maker talked".into()
            } else {
                format!("talked, {}", words.name)
            },
        });
    }
    let mut svg = plot::open(Plot::WIDTH, 680.0, "Panel curve");
    Plot {
        title: String::new(),
        width: Plot::WIDTH,
        height: 330.0,
        x: x(),
        y: Axis::share("Share of runs: recovered, and (dotted) leaked"),
        marks,
    }
    .draw(&mut svg, 0.0, 0.0);
    let (mut marks, mut best_words, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (series, words) in summary.policies.iter().enumerate() {
        let line: Vec<(f64, f64)> =
            points.iter().map(|(x, point)| (*x, burden(&point.policies[series]))).collect();
        values.extend(line.iter().map(|(_, y)| *y));
        if let Some((best, _)) = line.iter().min_by(|a, b| a.1.total_cmp(&b.1)) {
            let is_inside = *best > points[0].0 && *best < points[points.len() - 1].0;
            best_words.push(format!(
                "{}: M* = {}{}",
                words.name,
                short(*best),
                if is_inside {
                    ""
                } else {
                    " (at the edge of the sweep: the optimum may lie beyond)"
                }
            ));
            marks.push(Mark::Upright { x: *best, words: format!("M* = {}", short(*best)) });
        }
        marks.push(Mark::Line { series, points: line, name: words.name.clone() });
    }
    Plot {
        title: String::new(),
        width: Plot::WIDTH,
        height: 340.0,
        x: x(),
        y: Axis::over(
            "Premiums and holders' loss together, bp of supply",
            Format::Plain,
            values.into_iter(),
            true,
        ),
        marks,
    }
    .draw(&mut svg, 0.0, 340.0);
    svg.push_str("</svg>");
    Ok(Figure {
        id: "panel",
        title: "How many makers to invite".into(),
        caption: format!("More makers fill more and talk more. {}.{}", best_words.join("; "), others_fixed(summary, axis)),
        method: "M* is the panel with the least mean of premiums plus holders' loss among those run, by point estimate: neighbours within each other's intervals are not told apart. Recovered: Wilson interval. A panel of M leaks within t hours with probability 1 − (1 − ℓ)^(M·t); the dotted curve is what the runs show, which ends when recovery does.".into(),
        svg: Some(svg),
        table: curve_table(summary, axis, &points, &["recovered", "leaked", "cost_bp", "redeemed_72h", "holder_loss_usd"]),
    })
}

/// A key of the world as the spec would write it.
fn written<'a>(summary: &'a Summary, key: &str) -> Option<&'a str> {
    let found = summary.world.iter().find(|assumption| assumption.key == key)?;
    Some(&found.value)
}

/// The same, read as the model reads it.
fn world<Q: Quantity>(summary: &Summary, key: &str) -> Option<Q> {
    Q::read(&Raw::Text(written(summary, key)?.to_owned())).ok()
}

fn fan_plot(
    fan: &Fan,
    series: usize,
    width: f64,
    height: f64,
    y: Axis,
    x_to: f64,
    name: &str,
) -> Plot {
    let band = |low: usize, high: usize| {
        fan.hours
            .iter()
            .enumerate()
            .map(|(at, hour)| (*hour, fan.quantiles[low][at], fan.quantiles[high][at]))
            .collect::<Vec<_>>()
    };
    let line =
        |values: &[f64]| fan.hours.iter().copied().zip(values.iter().copied()).collect::<Vec<_>>();
    Plot {
        title: name.to_owned(),
        width,
        height,
        x: Axis::linear("Hours since the shock", 0.0, x_to, Format::Plain),
        y,
        marks: vec![
            Mark::Band { series, points: band(0, 4), opacity: 0.16 },
            Mark::Band { series, points: band(1, 3), opacity: 0.26 },
            Mark::Line { series, points: line(&fan.quantiles[2]), name: String::new() },
            Mark::Theory { points: line(&fan.mean), name: String::new() },
        ],
    }
}

fn fans<'a>(summary: &'a Summary, variable: &str) -> Vec<(usize, &'a Fan)> {
    let of = |fan: &Fan| summary.policies.iter().position(|policy| policy.name == fan.policy);
    summary
        .fans
        .iter()
        .filter(|fan| fan.variable == variable && fan.hours.len() > 1)
        .filter_map(|fan| Some((of(fan)?, fan)))
        .collect()
}

fn run_off(summary: &Summary) -> Drawn {
    let fans = fans(summary, "redeemed");
    if fans.is_empty() {
        return Err("no paths were kept ([paths] replications = 200)".into());
    }
    let top =
        fans.iter().flat_map(|(_, fan)| fan.quantiles[4].iter()).fold(0.01_f64, |a, b| a.max(*b));
    let to = fans.iter().map(|(_, fan)| fan.hours[fan.hours.len() - 1]).fold(1.0, f64::max);
    let columns = if fans.len() == 1 { 1 } else { 2 };
    let (width, height) =
        (Plot::WIDTH / len_f64(columns), if columns == 1 { 340.0 } else { 250.0 });
    let rows = fans.len().div_ceil(columns);
    let mut svg =
        plot::open(Plot::WIDTH, (height + 18.0) * len_f64(rows), "Run-off by information regime");
    let mut table = Vec::new();
    for (place, (series, fan)) in fans.iter().enumerate() {
        let (dx, dy) =
            (width * len_f64(place % columns), (height + 18.0) * len_f64(place / columns));
        let told = &summary.policies[*series].disclosure;
        let y = Axis::linear("Redeemed, of supply", 0.0, top * 1.05, Format::Percent);
        plot::marker(&mut svg, *series, dx + 10.0, dy + 9.0, 4.6);
        use std::fmt::Write as _;
        let _ = write!(
            svg,
            r#"<text class="name" x="{:.1}" y="{:.1}">{} · public is told: {}</text>"#,
            dx + 22.0,
            dy + 13.0,
            plot::escape(&fan.policy),
            plot::escape(told)
        );
        fan_plot(fan, *series, width, height, y, to, &fan.policy).draw(&mut svg, dx, dy + 18.0);
        let last = fan.hours.len() - 1;
        let mut hours = [6, 24, 72, last].map(|hour: usize| hour.min(last)).to_vec();
        hours.dedup();
        for hour in hours {
            table.push(vec![
                fan.policy.clone(),
                told.clone(),
                short(fan.hours[hour]),
                short(fan.mean[hour] * 100.0),
                short(fan.quantiles[2][hour] * 100.0),
                format!(
                    "{} – {}",
                    short(fan.quantiles[0][hour] * 100.0),
                    short(fan.quantiles[4][hour] * 100.0)
                ),
            ]);
        }
    }
    svg.push_str("</svg>");
    Ok(Figure {
        id: "run-off",
        title: "Run-off by information regime".into(),
        caption: format!("Curve: median; dotted: mean; dark band: half of the runs; light band: nine in ten.{}", where_drawn(summary, 0)),
        method: "Coins redeemed since the shock, hour by hour, over the same replications for every policy; bands are quantiles of runs, not intervals of a mean.".into(),
        svg: Some(svg),
        table: Table { columns: ["Policy", "Public is told", "Hour", "Mean, %", "Median, %", "5 – 95 %"].map(str::to_owned).to_vec(), rows: table },
    })
}

fn discount(summary: &Summary) -> Drawn {
    let fans = fans(summary, "discount");
    if fans.is_empty() {
        return Err("no paths were kept ([paths] replications = 200)".into());
    }
    let series_top = summary
        .series
        .iter()
        .flat_map(|series| series.discounts.iter().map(|(_, d)| *d))
        .fold(0.0, f64::max);
    let top = fans
        .iter()
        .flat_map(|(_, fan)| fan.quantiles[4].iter())
        .fold(0.001_f64, |a, b| a.max(*b))
        .max(series_top);
    let to = match &summary.series {
        Some(series) => series.discounts.last().map_or(1.0, |(hour, _)| *hour),
        None => fans.iter().map(|(_, fan)| fan.hours[fan.hours.len() - 1]).fold(1.0, f64::max),
    };
    let columns = if fans.len() == 1 { 1 } else { 2 };
    let (width, height) =
        (Plot::WIDTH / len_f64(columns), if columns == 1 { 360.0 } else { 250.0 });
    let rows = fans.len().div_ceil(columns);
    let mut svg = plot::open(Plot::WIDTH, (height + 18.0) * len_f64(rows), "Discount path");
    let mut table = Vec::new();
    for (place, (index, fan)) in fans.iter().enumerate() {
        let (dx, dy) =
            (width * len_f64(place % columns), (height + 18.0) * len_f64(place / columns));
        let y = Axis::linear("Discount to par", 0.0, top * 1.05, Format::Percent);
        let mut plot = fan_plot(fan, *index, width, height, y, to, &fan.policy);
        let mut error = None;
        if let Some(series) = &summary.series {
            let real: Vec<(f64, f64)> =
                series.discounts.iter().copied().filter(|(hour, _)| *hour >= 0.0).collect();
            error = rmse(fan, &real);
            plot.marks.retain(|mark| !matches!(mark, Mark::Theory { .. }));
            plot.marks.push(Mark::Line { series: 7, points: real, name: "measured".into() });
        }
        plot::marker(&mut svg, *index, dx + 10.0, dy + 9.0, 4.6);
        use std::fmt::Write as _;
        let _ = write!(
            svg,
            r#"<text class="name" x="{:.1}" y="{:.1}">{}</text>"#,
            dx + 22.0,
            dy + 13.0,
            plot::escape(&fan.policy)
        );
        plot.draw(&mut svg, dx, dy + 18.0);
        let largest = fan.quantiles[2].iter().copied().fold(0.0, f64::max);
        table.push(vec![
            fan.policy.clone(),
            short(largest * 100.0),
            error.map_or_else(|| "–".into(), |error| short(error * 1e4)),
        ]);
    }
    svg.push_str("</svg>");
    let real = match &summary.series {
        Some(series) => format!("The grey curve is {}, shock at its hour 0.", series.name),
        None => "The measured path is left out: the study was given no series.".to_owned(),
    };
    Ok(Figure {
        id: "discount",
        title: "Discount path".into(),
        caption: format!("{real}{}", where_drawn(summary, 0)),
        method: "Median and quantiles of simulated runs, hour by hour. Root mean square error: of the mean simulated path against the measured one, hour by hour. One event, and the price equation was fitted to it: a small error is a description, not a prediction.".into(),
        svg: Some(svg),
        table: Table { columns: ["Policy", "Largest median discount, %", "RMSE to the measured path, bp"].map(str::to_owned).to_vec(), rows: table },
    })
}

/// Root mean square error of the mean path at the measured hours.
fn rmse(fan: &Fan, real: &[(f64, f64)]) -> Option<f64> {
    let errors: Vec<f64> = real
        .iter()
        .filter_map(|(hour, discount)| {
            let at = fan.hours.iter().position(|h| (h - hour).abs() < 0.5)?;
            Some((fan.mean[at] - discount).powi(2))
        })
        .collect();
    if errors.is_empty() {
        None
    } else {
        Some((errors.iter().sum::<f64>() / len_f64(errors.len())).sqrt())
    }
}

fn heat(summary: &Summary) -> Drawn {
    let numeric: Vec<usize> = (0..summary.axes.len())
        .filter(|axis| is_grid(summary) && along(summary, *axis).len() >= 2)
        .collect();
    let [x, y, ..] = numeric.as_slice() else {
        return Err("it takes a grid over two keys (\"shock.gap\" and \"issuer.liquid\")".into());
    };
    let (x, y) = (*x, *y);
    let labels = |axis: usize| {
        let mut values: Vec<(f64, String)> = summary
            .points
            .iter()
            .filter_map(|point| Some((point.numbers[axis]?, point.values[axis].clone())))
            .collect();
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        values.dedup_by(|a, b| a.1 == b.1);
        values.into_iter().map(|(_, label)| label).collect::<Vec<_>>()
    };
    let (columns, rows) = (labels(x), labels(y));
    let fails = |stats: &PolicyStats| 1.0 - stats.metric("recovered").value;
    let count = summary.policies.len();
    let across = if count == 1 { 1 } else { 2 };
    let width = Plot::WIDTH / len_f64(across);
    let height = 100.0 + len_f64(rows.len()) * if across == 1 { 40.0 } else { 32.0 };
    let mut svg =
        plot::open(Plot::WIDTH, height * len_f64(count.div_ceil(across)) + 8.0, "Failure heat map");
    let mut table = Vec::new();
    for (index, policy) in summary.policies.iter().enumerate() {
        let mut cells = Vec::new();
        for point in &summary.points {
            let fixed = (0..summary.axes.len()).all(|other| {
                other == x || other == y || point.values[other] == summary.points[0].values[other]
            });
            let column = columns.iter().position(|label| *label == point.values[x]);
            let row = rows.iter().position(|label| *label == point.values[y]);
            if let (true, Some(column), Some(row)) = (fixed, column, row) {
                let stats = &point.policies[index];
                cells.push(Cell { column, row, value: fails(stats) });
                let e = stats.metric("recovered");
                let turned =
                    Estimate { value: 1.0 - e.value, low: 1.0 - e.high, high: 1.0 - e.low, ..e };
                table.push(vec![
                    policy.name.clone(),
                    point.values[x].clone(),
                    point.values[y].clone(),
                    ranged(turned, 100.0),
                ]);
            }
        }
        let at = (width * len_f64(index % across), height * len_f64(index / across), width, height);
        plot::heat(
            &mut svg,
            at,
            &policy.name,
            (&summary.axes[x].key, &columns),
            (&summary.axes[y].key, &rows),
            &cells,
        );
    }
    svg.push_str("</svg>");
    Ok(Figure {
        id: "heat",
        title: "Where it fails".into(),
        caption: "Share of runs that do not recover within the horizon; the number stands in every cell.".into(),
        method: "One minus the share recovered; Wilson intervals in the table. The same shocks in every cell.".into(),
        svg: Some(svg),
        table: Table { columns: vec!["Policy".into(), summary.axes[x].key.clone(), summary.axes[y].key.clone(), "Not recovered, %".into()], rows: table },
    })
}

fn leakage(summary: &Summary) -> Drawn {
    let has = |point: &PointSummary| point.policies.iter().any(|stats| stats.leakage.is_some());
    if !summary.points.iter().any(has) {
        return Err("it takes runs with and without a hole (shock.probability = \"50%\")".into());
    }
    let cover = axis_of(summary, |key| key.ends_with("adversary.cover"));
    let points: Vec<(f64, &PointSummary)> = match cover {
        Some(axis) => along(summary, axis),
        None => vec![(0.0, &summary.points[0])],
    };
    let mut columns = vec![
        cover.map_or_else(|| "Point".to_owned(), |axis| axis_label(summary, axis)),
        "Policy".into(),
        "AUC".into(),
        "Log-loss, bits (blind)".into(),
        "Min-entropy leakage, bits: hole / size".into(),
        "Drills cost, $k a quiet epoch".into(),
    ];
    let channel_names: Vec<String> = adversary::channels()
        .map(|(_, column)| column.name.trim_start_matches("seen_").to_owned())
        .collect();
    columns.extend(channel_names.iter().map(|name| format!("{name}, bits")));
    let mut rows = Vec::new();
    for (_, point) in &points {
        for stats in &point.policies {
            let Some(leakage) = &stats.leakage else { continue };
            let mut row = vec![
                cover.map_or_else(String::new, |axis| point.values[axis].clone()),
                stats.policy.clone(),
                ranged(leakage.auc, 1.0),
                format!("{} ({})", ranged(leakage.log_loss, 1.0), short(leakage.log_loss_blind)),
                format!(
                    "{} / {}",
                    ranged(leakage.min_entropy, 1.0),
                    ranged(leakage.min_entropy_gap, 1.0)
                ),
                or_none(stats.quiet_cover_cost, 1e-3),
            ];
            row.extend(channel_names.iter().map(|name| {
                leakage
                    .channels
                    .iter()
                    .find(|channel| channel.name == *name)
                    .map_or_else(|| "–".into(), |channel| ranged(channel.deficit, 1.0))
            }));
            rows.push(row);
        }
    }
    let watched = points[0].1.policies.iter().filter(|stats| stats.leakage.is_some()).count();
    let svg = if cover.is_some() {
        leakage_curves(summary, &points, &axis_label(summary, cover.unwrap_or(0)))
    } else {
        leakage_bars(summary, points[0].1)
    };
    Ok(Figure {
        id: "leakage",
        title: "What a stranger learns".into(),
        caption: format!(
            "The stranger sees {} channels of chain and market for the scenario's window and guesses whether there is a hole. AUC ½ is blind, 1 is certain. Targets: {}.{}",
            channel_names.len(),
            adversary::TARGETS,
            if cover.is_some() {
                String::new()
            } else {
                first_of("policies as bars", BARS_MAX, watched)
            }
        ),
        method: format!(
            "Guess: logistic model over binned channels, cross-validated in five folds on at most {} runs; AUC with DeLong's interval; log-loss in bits. Min-entropy leakage: log₂ of how many times better the best single guess gets, held out, Wilson interval. Channels: mutual information with “there is a hole”, Miller–Madow corrected, percentile bootstrap. All of it bounds leakage from below: a cleverer stranger may learn more.",
            thousands(adversary::RUNS_MAX as u64)
        ),
        svg: Some(svg),
        table: Table { columns, rows },
    })
}

fn leakage_curves(summary: &Summary, points: &[(f64, &PointSummary)], label: &str) -> String {
    let x = || Axis::over(label, Format::Plain, points.iter().map(|(x, _)| *x), true);
    let of =
        |policy: usize, get: &dyn Fn(&adversary::Leakage) -> Estimate| -> Vec<(f64, Estimate)> {
            points
                .iter()
                .filter_map(|(x, point)| Some((*x, get(point.policies[policy].leakage.as_ref()?))))
                .collect()
        };
    let mut svg = plot::open(Plot::WIDTH, 990.0, "Leakage against cover rate");
    let curves = |get: &dyn Fn(&adversary::Leakage) -> Estimate| {
        let mut marks = Vec::new();
        for (series, words) in summary.policies.iter().enumerate() {
            let found = of(series, get);
            if found.is_empty() {
                continue;
            }
            marks.extend(curve_marks(series, &words.name, &found));
        }
        marks
    };
    let mut marks = curves(&|leakage| leakage.auc);
    marks.push(Mark::Level { y: 0.6, words: "target: at most 0.60".into() });
    Plot {
        title: String::new(),
        width: Plot::WIDTH,
        height: 330.0,
        x: x(),
        y: Axis::linear("AUC of “there is a hole”", 0.4, 1.02, Format::Plain),
        marks,
    }
    .draw(&mut svg, 0.0, 0.0);
    // The loudest channels of the first policy that has any.
    let loudest: Vec<String> = summary
        .policies
        .iter()
        .enumerate()
        .find_map(|(policy, _)| {
            let leakage = points[0].1.policies[policy].leakage.as_ref()?;
            Some(leakage.channels.iter().take(5).map(|channel| channel.name.clone()).collect())
        })
        .unwrap_or_default();
    let first = summary
        .policies
        .iter()
        .enumerate()
        .position(|(policy, _)| points[0].1.policies[policy].leakage.is_some())
        .unwrap_or(0);
    let mut marks: Vec<Mark> =
        loudest
            .iter()
            .enumerate()
            .map(|(series, name)| {
                let line =
                    of(first, &|leakage| {
                        leakage.channels.iter().find(|channel| channel.name == *name).map_or(
                            Estimate::missing(crate::stats::Method::Percentile),
                            |channel| channel.deficit,
                        )
                    });
                Mark::Line {
                    series,
                    points: line.into_iter().map(|(x, e)| (x, e.value)).collect(),
                    name: name.clone(),
                }
            })
            .collect();
    marks.push(Mark::Level { y: 0.5, words: "target: no channel above 0.5 bit".into() });
    Plot {
        title: String::new(),
        width: Plot::WIDTH,
        height: 330.0,
        x: x(),
        y: Axis::linear(
            &format!("Bits a channel, “{}”", summary.policies[first].name),
            0.0,
            1.04,
            Format::Plain,
        ),
        marks,
    }
    .draw(&mut svg, 0.0, 330.0);
    let mut marks = Vec::new();
    let mut values = Vec::new();
    for (series, words) in summary.policies.iter().enumerate() {
        let found: Vec<(f64, Estimate)> = points
            .iter()
            .filter_map(|(x, point)| {
                Some((*x, point.policies[series].quiet_cover_cost?.scaled(1e-3)))
            })
            .collect();
        values.extend(found.iter().map(|(_, e)| e.high));
        marks.extend(curve_marks(series, &words.name, &found));
    }
    Plot {
        title: String::new(),
        width: Plot::WIDTH,
        height: 330.0,
        x: x(),
        y: Axis::over(
            "What drills cost, $k an epoch without a hole",
            Format::Plain,
            values.into_iter(),
            true,
        ),
        marks,
    }
    .draw(&mut svg, 0.0, 660.0);
    svg.push_str("</svg>");
    svg
}

fn leakage_bars(summary: &Summary, point: &PointSummary) -> String {
    let with: Vec<(usize, &PolicyStats)> = point
        .policies
        .iter()
        .enumerate()
        .filter(|(_, stats)| stats.leakage.is_some())
        .take(BARS_MAX)
        .collect();
    let names: Vec<&str> = summary.policies.iter().map(|policy| policy.name.as_str()).collect();
    let mut bars: Vec<Bar> = Vec::new();
    if let Some((_, first)) = with.first() {
        for channel in first.leakage.iter().flat_map(|leakage| &leakage.channels) {
            let values = with
                .iter()
                .filter_map(|(series, stats)| {
                    let found = stats
                        .leakage
                        .as_ref()?
                        .channels
                        .iter()
                        .find(|other| other.name == channel.name)?;
                    Some((*series, found.deficit.value, found.deficit.low, found.deficit.high))
                })
                .collect();
            bars.push(Bar { name: channel.name.replace('_', " "), values });
        }
    }
    let shown: Vec<&str> = with.iter().map(|(series, _)| names[*series]).collect();
    plot::bars(
        "Leakage by channel",
        "Information on “there is a hole”, bits",
        Format::Plain,
        &shown,
        &bars,
    )
}

fn drivers(summary: &Summary) -> Drawn {
    if summary.sensitivity.is_empty() {
        return Err(
            "it takes design = \"saltelli\" or \"morris\", and an output that varies".into()
        );
    }
    let keys: Vec<&str> = summary.axes.iter().map(|axis| axis.key.as_str()).collect();
    let wanted =
        |metric: &'static str| summary.sensitivity.iter().filter(move |s| s.metric == metric);
    let is_sobol = summary.sensitivity.iter().any(|s| !s.indices.is_empty());
    // One policy's plot, of the metric that decides: recovered if it varies, else delay, else cost.
    let shown = ["recovered", "delay_h", "cost_bp"]
        .iter()
        .find_map(|metric| wanted(metric).next())
        .unwrap_or(&summary.sensitivity[0]);
    let mut rows = Vec::new();
    for s in &summary.sensitivity {
        for (axis, key) in keys.iter().enumerate() {
            let numbers = match (s.indices.get(axis), s.effects.get(axis)) {
                (Some(index), _) => [ranged(index.first, 1.0), ranged(index.total, 1.0)],
                (None, Some(effect)) => [
                    format!("{} ± {}", short(effect.mean_absolute), short(effect.half_width)),
                    short(effect.deviation),
                ],
                (None, None) => continue,
            };
            let mut row =
                vec![s.policy.clone(), metric_words(&s.metric).0.to_owned(), (*key).to_owned()];
            row.extend(numbers);
            rows.push(row);
        }
    }
    let (svg, columns, caption, method) = if is_sobol {
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_by(|a, b| {
            shown.indices[*b].total.value.total_cmp(&shown.indices[*a].total.value)
        });
        let bars: Vec<Bar> = order
            .into_iter()
            .map(|axis| {
                let index = &shown.indices[axis];
                let line = |series, e: Estimate| (series, e.value, e.low, e.high);
                Bar {
                    name: keys[axis].to_owned(),
                    values: vec![line(0, index.first), line(1, index.total)],
                }
            })
            .collect();
        let svg = plot::bars(
            "Sobol' indices",
            &format!(
                "Share of variance of: {} · {}",
                shown.policy,
                metric_words(&shown.metric).0.to_lowercase()
            ),
            Format::Percent,
            &["first order", "total"],
            &bars,
        );
        (
            svg,
            ["First order S₁", "Total S_T"],
            "First order: what fixing this input alone would remove. Total: what would be left if everything else were fixed. Where they differ, inputs act together.",
            "Saltelli's design of N(2d + 2) points on a scrambled Sobol sequence; first order by Saltelli (2010), total by Jansen; intervals by percentile bootstrap over base points. The output is the mean over replications on common random numbers; what is left of its noise is in the intervals, and small negative values are that noise.",
        )
    } else {
        let most = shown.effects.iter().map(|effect| effect.mean_absolute + effect.half_width);
        let marks = shown
            .effects
            .iter()
            .enumerate()
            .map(|(axis, effect)| Mark::Points {
                series: axis,
                points: vec![(
                    effect.mean_absolute,
                    effect.deviation,
                    effect.deviation,
                    effect.deviation,
                )],
                name: keys[axis].to_owned(),
            })
            .collect();
        let plot = Plot {
            title: "Elementary effects".into(),
            width: Plot::WIDTH,
            height: 400.0,
            x: Axis::over(
                &format!(
                    "μ*: mean absolute effect on {} · {}",
                    shown.policy,
                    metric_words(&shown.metric).0.to_lowercase()
                ),
                Format::Plain,
                most,
                true,
            ),
            y: Axis::over(
                "σ: how much it depends on the others",
                Format::Plain,
                shown.effects.iter().map(|effect| effect.deviation),
                true,
            ),
            marks,
        };
        (
            plot.svg(),
            ["μ* ± 95 %", "σ"],
            "Far right: it matters. High up: it matters differently depending on the rest. Near the corner: it can be fixed before a full analysis.",
            "Morris's trajectories; effect per full range of the input, in the metric's own unit; μ* after Campolongo (2007).",
        )
    };
    let mut heads: Vec<String> = ["Policy", "Metric", "Input"].map(str::to_owned).to_vec();
    heads.extend(columns.map(str::to_owned));
    let impossible = summary.warnings();
    let caption = if impossible.is_empty() {
        caption.to_owned()
    } else {
        format!("{caption} Warning: {}.", impossible.join("; "))
    };
    Ok(Figure {
        id: "drivers",
        title: "What drives the answer".into(),
        caption,
        method: method.into(),
        svg: Some(svg),
        table: Table { columns: heads, rows },
    })
}

fn rare(summary: &Summary) -> Drawn {
    if summary.rare.is_empty() {
        return Err("not asked for ([rare] gap = \"9%\")".into());
    }
    let per = |e: Estimate| format!("{:.2e} [{:.2e}, {:.2e}]", e.value, e.low, e.high);
    let rows = summary
        .rare
        .iter()
        .map(|event| {
            vec![
                event.policy.clone(),
                event.event.clone(),
                per(event.estimate),
                short(event.effective),
                per(event.plain),
            ]
        })
        .collect();
    Ok(Figure {
        id: "rare",
        title: "Rare events".into(),
        caption: format!("Probabilities too small for plain replication.{}", where_drawn(summary, 0)),
        method: "Importance sampling: the size of the hole is drawn around a larger median and each run weighted by the likelihood ratio of the two log-normals; nothing else in the world moves. The interval is Wilson's for as many plain runs as would be as uncertain. Effective events are (Σw)²/Σw² over the runs that were events: below a few dozen, do not trust the interval. Beside it, plain replication of as many runs with Wilson's interval.".into(),
        svg: None,
        table: Table { columns: ["Policy", "Event", "Probability", "Effective events", "Plain replication"].map(str::to_owned).to_vec(), rows },
    })
}
