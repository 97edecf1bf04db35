//! Plots as SVG, small and self-contained: units on axes, words beside curves, a shape for every colour.
//!
//! Our own rather than a library's, because the text must sit in the page's type, follow its light and dark, and stay
//! text; what is needed of plotting itself is an affine map and round ticks.

use std::fmt::Write as _;

/// Colours of series, on light and on dark ground. Okabe and Ito's order, darkened or lightened to a contrast of 3:1;
/// dashes and markers differ too, so that none is needed to tell two series apart.
const COLOURS: [(&str, &str); 8] = [
    ("#0b5fa5", "#6cb6f5"),
    ("#b8500b", "#f0935a"),
    ("#0a7a5a", "#4cc9a3"),
    ("#8f3f86", "#d994d0"),
    ("#8a6d00", "#e0c04c"),
    ("#1b8299", "#6fd0e6"),
    ("#a32a3a", "#f08a95"),
    ("#5a5f66", "#b4bac2"),
];

const DASHES: [&str; 4] = ["", "7 4", "2 3", "9 3 2 3"];

/// Rules that every plot needs, for the page or for a file of its own.
pub(crate) fn style() -> String {
    let vars = |pick: fn(&(&'static str, &'static str)) -> &'static str| {
        COLOURS.iter().enumerate().fold(String::new(), |mut text, (index, pair)| {
            let _ = write!(text, "--s{index}:{};", pick(pair));
            text
        })
    };
    let light = format!(
        "--ink:#1c2126;--soft:#5b646d;--line:#d5dae0;--ground:#ffffff;{}",
        vars(|pair| pair.0)
    );
    let dark = format!(
        "--ink:#e8ebee;--soft:#a3acb5;--line:#3a424a;--ground:#14181c;{}",
        vars(|pair| pair.1)
    );
    format!(
        ":root{{color-scheme:light dark;{light}}}\
         @media (prefers-color-scheme:dark){{:root{{{dark}}}}}\
         .plot{{font:12px Inter,system-ui,-apple-system,'Segoe UI','Helvetica Neue',Arial,sans-serif;font-variant-numeric:tabular-nums}}\
         .plot text{{fill:var(--soft)}}.plot .name{{fill:var(--ink);font-weight:600}}.plot .strong{{fill:var(--ink)}}\
         .plot .grid{{stroke:var(--line);stroke-width:1}}.plot .axis{{stroke:var(--soft);stroke-width:1}}\
         .plot .rule{{stroke:var(--soft);stroke-width:1;stroke-dasharray:3 3}}\
         .plot .curve{{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}}"
    )
}

/// How numbers of an axis are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A share, as a percentage.
    Percent,
    /// As it is.
    Plain,
}

impl Format {
    pub(crate) fn write(self, value: f64) -> String {
        match self {
            Self::Percent => format!("{}%", short(value * 100.0)),
            Self::Plain => short(value),
        }
    }
}

/// At most four significant digits and no trailing zeros.
pub(crate) fn short(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs();
    let text = if size >= 100_000.0 {
        return grouped(value);
    } else if size >= 1_000.0 {
        format!("{value:.0}")
    } else if size >= 100.0 {
        format!("{value:.1}")
    } else if size >= 1.0 {
        format!("{value:.2}")
    } else if size >= 0.01 {
        format!("{value:.3}")
    } else if size >= 0.000_1 {
        format!("{value:.5}")
    } else {
        return format!("{value:.1e}");
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn grouped(value: f64) -> String {
    let sign = if value < 0.0 { "−" } else { "" };
    format!("{sign}{}", crate::spec::thousands(crate::stats::index_floor(value.abs() + 0.5) as u64))
}

/// One axis.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) format: Format,
    /// Logarithmic; both ends positive.
    pub(crate) is_log: bool,
}

impl Axis {
    pub(crate) fn linear(label: &str, from: f64, to: f64, format: Format) -> Self {
        Self { label: label.to_owned(), from, to, format, is_log: false }
    }

    /// Where a value stands between the ends, 0 to 1.
    fn part(&self, value: f64) -> f64 {
        if self.is_log {
            (value.max(1e-300) / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        }
    }

    /// An axis that spans `values`, from zero when `zero`, with a little air.
    pub(crate) fn over(
        label: &str,
        format: Format,
        values: impl Iterator<Item = f64>,
        zero: bool,
    ) -> Self {
        let (mut from, mut to) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            from = from.min(value);
            to = to.max(value);
        }
        if !from.is_finite() {
            (from, to) = (0.0, 1.0);
        }
        if zero {
            from = from.min(0.0);
            to = to.max(0.0);
        }
        let air = (to - from) * 0.05;
        if air == 0.0 {
            // A single value still deserves an axis with something on it.
            (from, to) = if from == 0.0 {
                (0.0, 1.0)
            } else {
                (from - from.abs() * 0.5, to + to.abs() * 0.5)
            };
        } else {
            to += air;
            if !zero || from < 0.0 {
                from -= air;
            }
        }
        Self::linear(label, from, to, format)
    }

    pub(crate) fn share(label: &str) -> Self {
        Self::linear(label, 0.0, 1.0, Format::Percent)
    }

    pub(crate) fn ticks(&self, most: usize) -> Vec<f64> {
        if self.is_log {
            let first = self.from.log10().floor();
            return (0..12)
                .flat_map(|decade| {
                    let power = 10.0_f64.powf(first + f64::from(decade));
                    [1.0, 2.0, 5.0].map(|digit| digit * power)
                })
                .filter(|tick| self.from <= *tick && *tick <= self.to * 1.0001)
                .collect();
        }
        let span = self.to - self.from;
        let rough = span / crate::stats::len_f64(most);
        let power = 10.0_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power)
            .find(|step| *step >= rough)
            .unwrap_or(10.0 * power);
        let first = (self.from / step - 1e-9).ceil();
        (0..32)
            .map(|index| (first + f64::from(index)) * step)
            .take_while(|tick| *tick <= self.to + step * 1e-9)
            .map(|tick| if tick.abs() < step * 1e-9 { 0.0 } else { tick })
            .collect()
    }
}

/// What is drawn.
#[derive(Debug, Clone)]
pub(crate) enum Mark {
    /// A curve with its name at its right end; empty for none.
    Line { series: usize, points: Vec<(f64, f64)>, name: String },
    /// A curve that is theory or another's: thin, dashed, in ink.
    Theory { points: Vec<(f64, f64)>, name: String },
    /// Between two curves: (x, low, high), the stronger the likelier.
    Band { series: usize, points: Vec<(f64, f64, f64)>, opacity: f64 },
    /// Points with vertical whiskers: (x, y, low, high).
    Points { series: usize, points: Vec<(f64, f64, f64, f64)>, name: String },
    /// A vertical line with words at its top.
    Upright { x: f64, words: String },
    /// A horizontal line with words at its left end.
    Level { y: f64, words: String },
}

/// A plot of two axes.
#[derive(Debug, Clone)]
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) marks: Vec<Mark>,
}

const TOP: f64 = 26.0;
const BOTTOM: f64 = 46.0;
const LEFT: f64 = 62.0;

impl Plot {
    pub(crate) const WIDTH: f64 = 760.0;

    fn right(&self) -> f64 {
        let longest = self
            .marks
            .iter()
            .map(|mark| match mark {
                Mark::Line { name, .. } | Mark::Theory { name, .. } => name.chars().count(),
                Mark::Points { .. }
                | Mark::Band { .. }
                | Mark::Upright { .. }
                | Mark::Level { .. } => 0,
            })
            .max()
            .unwrap_or(0);
        (crate::stats::len_f64(longest) * 7.0 + 22.0).clamp(22.0, 230.0)
    }

    /// The plot as one SVG element.
    pub(crate) fn svg(&self) -> String {
        let mut svg = open(self.width, self.height, &self.title);
        self.draw(&mut svg, 0.0, 0.0);
        svg.push_str("</svg>");
        svg
    }

    /// Draws at an offset: how several plots share one figure.
    pub(crate) fn draw(&self, svg: &mut String, dx: f64, dy: f64) {
        let right = self.right();
        let (x0, x1) = (dx + LEFT, dx + self.width - right);
        let (y0, y1) = (dy + self.height - BOTTOM, dy + TOP);
        let px = |x: f64| x0 + self.x.part(x) * (x1 - x0);
        let py = |y: f64| y0 + self.y.part(y) * (y1 - y0);
        let inside =
            |x: f64, y: f64| (px(x).clamp(x0 - 1.0, x1 + 1.0), py(y).clamp(y1 - 1.0, y0 + 1.0));
        for tick in self.y.ticks(5) {
            let y = py(tick);
            let _ = write!(
                svg,
                r#"<line class="grid" x1="{x0:.1}" x2="{x1:.1}" y1="{y:.1}" y2="{y:.1}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                x0 - 8.0,
                y + 4.0,
                self.y.format.write(tick)
            );
        }
        let _ = write!(
            svg,
            r#"<line class="axis" x1="{x0:.1}" x2="{x1:.1}" y1="{y0:.1}" y2="{y0:.1}"/>"#
        );
        let room = crate::stats::index_floor((x1 - x0) / 70.0).max(2);
        for tick in self.x.ticks(room) {
            let x = px(tick);
            let _ = write!(
                svg,
                r#"<line class="axis" x1="{x:.1}" x2="{x:.1}" y1="{y0:.1}" y2="{:.1}"/><text x="{x:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                y0 + 4.0,
                y0 + 18.0,
                self.x.format.write(tick)
            );
        }
        let _ = write!(
            svg,
            r#"<text class="strong" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            x1,
            y0 + 38.0,
            escape(&self.x.label)
        );
        let _ = write!(
            svg,
            r#"<text class="strong" x="{:.1}" y="{:.1}">{}</text>"#,
            dx + 4.0,
            dy + 12.0,
            escape(&self.y.label)
        );

        let mut names: Vec<(f64, f64, usize, &str)> = Vec::new();
        let mut beside: Vec<(f64, f64, &str)> = Vec::new();
        for mark in &self.marks {
            match mark {
                Mark::Band { series, points, opacity } => {
                    let path = area(
                        points.iter().map(|(x, low, high)| (inside(*x, *low), inside(*x, *high))),
                    );
                    let _ = write!(
                        svg,
                        r#"<path d="{path}" fill="{}" opacity="{opacity}"/>"#,
                        colour(*series)
                    );
                }
                Mark::Line { series, points, name } => {
                    let path = polyline(points.iter().map(|(x, y)| inside(*x, *y)));
                    let _ = write!(
                        svg,
                        r#"<path class="curve" d="{path}" stroke="{}" stroke-dasharray="{}"/>"#,
                        colour(*series),
                        dash(*series)
                    );
                    // Markers, sparse: they carry what colour carries.
                    let stride = points.len().div_ceil(9).max(1);
                    for (x, y) in points.iter().skip(stride / 2).step_by(stride) {
                        let (x, y) = inside(*x, *y);
                        marker(svg, *series, x, y, 3.6);
                    }
                    if let (Some((x, y)), false) = (points.last(), name.is_empty()) {
                        let (x, y) = inside(*x, *y);
                        names.push((x, y, *series, name));
                    }
                }
                Mark::Theory { points, name } => {
                    let path = polyline(points.iter().map(|(x, y)| inside(*x, *y)));
                    let _ = write!(
                        svg,
                        r#"<path class="curve" d="{path}" stroke="var(--ink)" style="stroke-width:1.4" stroke-dasharray="2 4"/>"#
                    );
                    if let (Some((x, y)), false) = (points.last(), name.is_empty()) {
                        let (x, y) = inside(*x, *y);
                        names.push((x, y, usize::MAX, name));
                    }
                }
                Mark::Points { series, points, name } => {
                    for (x, y, low, high) in points {
                        let (cx, cy) = inside(*x, *y);
                        if low < high {
                            let ((_, a), (_, b)) = (inside(*x, *low), inside(*x, *high));
                            let _ = write!(
                                svg,
                                r#"<line x1="{cx:.1}" x2="{cx:.1}" y1="{a:.1}" y2="{b:.1}" stroke="{}" stroke-width="1.4"/>"#,
                                colour(*series)
                            );
                        }
                        marker(svg, *series, cx, cy, 4.6);
                    }
                    if let (Some((x, y, _, _)), false) = (points.last(), name.is_empty()) {
                        let (x, y) = inside(*x, *y);
                        beside.push((x, y, name));
                    }
                }
                Mark::Upright { x, words } => {
                    let (x, _) = inside(*x, self.y.from);
                    let near_end = x > x1 - 110.0;
                    let (tx, anchor) = if near_end { (x - 5.0, "end") } else { (x + 5.0, "start") };
                    let _ = write!(
                        svg,
                        r#"<line class="rule" x1="{x:.1}" x2="{x:.1}" y1="{y1:.1}" y2="{y0:.1}"/><text class="strong" x="{tx:.1}" y="{:.1}" text-anchor="{anchor}">{}</text>"#,
                        y1 + 11.0,
                        escape(words)
                    );
                }
                Mark::Level { y, words } => {
                    let (_, y) = inside(self.x.from, *y);
                    let _ = write!(
                        svg,
                        r#"<line class="rule" x1="{x0:.1}" x2="{x1:.1}" y1="{y:.1}" y2="{y:.1}"/><text class="strong" x="{:.1}" y="{:.1}">{}</text>"#,
                        x0 + 4.0,
                        y - 5.0,
                        escape(words)
                    );
                }
            }
        }
        place_beside(svg, &beside, x1 + right - 6.0, y1, y0);
        for (y, (x, from, series, name)) in apart(&mut names, y1 + 4.0, y0).into_iter().zip(&names)
        {
            let tx = x1 + 18.0;
            let fill =
                if *series == usize::MAX { "var(--ink)".to_owned() } else { colour(*series) };
            let _ = write!(
                svg,
                r#"<path d="M{:.1} {from:.1}L{:.1} {y:.1}" stroke="{fill}" fill="none" opacity=".6"/><text class="name" x="{:.1}" y="{:.1}" style="fill:{fill}">{}</text>"#,
                x + 5.0,
                tx - 3.0,
                tx,
                y + 4.0,
                escape(name)
            );
        }
    }
}

/// Names of points: above, below, further above, …, wherever no other name stands yet.
fn place_beside(svg: &mut String, names: &[(f64, f64, &str)], right: f64, top: f64, bottom: f64) {
    let mut taken: Vec<(f64, f64, f64)> = Vec::new();
    for (x, y, name) in names {
        let len = crate::stats::len_f64(name.chars().count()) * 6.9;
        let is_left = x + 9.0 + len > right;
        let from = if is_left { x - 9.0 - len } else { x + 9.0 };
        let is_free = |height: f64| {
            taken
                .iter()
                .all(|(a, b, other)| (height - other).abs() >= 13.0 || from > *b || from + len < *a)
        };
        let height = [-7.0, 16.0, 30.0, -21.0, 44.0, -35.0, 58.0, 72.0]
            .map(|shift| y + shift)
            .into_iter()
            .find(|height| top - 4.0 < *height && *height < bottom && is_free(*height))
            .unwrap_or(y - 7.0);
        taken.push((from, from + len, height));
        let _ = write!(
            svg,
            r#"<text class="name" x="{from:.1}" y="{height:.1}">{}</text>"#,
            escape(name)
        );
    }
}

/// Heights of labels, at least a line apart, in the order of `names`, which it sorts by height.
fn apart(names: &mut [(f64, f64, usize, &str)], top: f64, bottom: f64) -> Vec<f64> {
    const LINE: f64 = 15.0;
    names.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut heights: Vec<f64> = names.iter().map(|name| name.1).collect();
    for index in 1..heights.len() {
        heights[index] = heights[index].max(heights[index - 1] + LINE);
    }
    // What runs over the bottom is pushed back up, as one block.
    let mut limit = bottom;
    for height in heights.iter_mut().rev() {
        *height = height.min(limit).max(top);
        limit = *height - LINE;
    }
    heights
}

pub(crate) fn open(width: f64, height: f64, title: &str) -> String {
    format!(
        r#"<svg class="plot" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{0}"><title>{0}</title>"#,
        escape(title)
    )
}

/// The same plot as a file: with its style, and a ground of its own.
pub(crate) fn standalone(svg: &str) -> String {
    let end = svg.find('>').map_or(0, |end| end + 1);
    let (head, rest) = svg.split_at(end);
    format!(
        "{}\n{head}<style>{}</style><rect width=\"100%\" height=\"100%\" fill=\"var(--ground)\"/>{rest}\n",
        crate::folder::MADE_BY,
        style()
    )
}

pub(crate) fn colour(series: usize) -> String {
    format!("var(--s{})", series % COLOURS.len())
}

fn dash(series: usize) -> &'static str {
    DASHES[series % DASHES.len()]
}

/// A shape a series: disc, square, triangle, diamond, and the same hollow.
pub(crate) fn marker(svg: &mut String, series: usize, x: f64, y: f64, r: f64) {
    let fill = if series % 8 < 4 { colour(series) } else { "var(--ground)".to_owned() };
    let stroke = colour(series);
    let paint = format!(r#"fill="{fill}" stroke="{stroke}" stroke-width="1.6""#);
    let _ = match series % 4 {
        0 => write!(svg, r#"<circle cx="{x:.1}" cy="{y:.1}" r="{r}" {paint}/>"#),
        1 => write!(
            svg,
            r#"<rect x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" {paint}/>"#,
            x - r * 0.9,
            y - r * 0.9,
            r * 1.8,
            r * 1.8
        ),
        2 => write!(
            svg,
            r#"<path d="M{x:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}Z" {paint}/>"#,
            y - r * 1.15,
            x + r * 1.1,
            y + r * 0.85,
            x - r * 1.1,
            y + r * 0.85
        ),
        _ => write!(
            svg,
            r#"<path d="M{x:.1} {:.1}L{:.1} {y:.1}L{x:.1} {:.1}L{:.1} {y:.1}Z" {paint}/>"#,
            y - r * 1.25,
            x + r * 1.25,
            y + r * 1.25,
            x - r * 1.25
        ),
    };
}

fn polyline(points: impl Iterator<Item = (f64, f64)>) -> String {
    points.enumerate().fold(String::new(), |mut path, (index, (x, y))| {
        let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" });
        path
    })
}

fn area(points: impl Iterator<Item = ((f64, f64), (f64, f64))>) -> String {
    let (low, high): (Vec<_>, Vec<_>) = points.unzip();
    let mut path = polyline(low.into_iter().chain(high.into_iter().rev()));
    path.push('Z');
    path
}

/// A cell of a heat map.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) column: usize,
    pub(crate) row: usize,
    pub(crate) value: f64,
}

/// A heat map of shares: the number stands in every cell, its ground only helps.
pub(crate) fn heat(
    svg: &mut String,
    (dx, dy, width, height): (f64, f64, f64, f64),
    title: &str,
    (x_label, columns): (&str, &[String]),
    (y_label, rows): (&str, &[String]),
    cells: &[Cell],
) {
    let (left, top, bottom) = (LEFT + 8.0, 46.0, 44.0);
    let w = (width - left - 12.0) / crate::stats::len_f64(columns.len().max(1));
    let h = (height - top - bottom) / crate::stats::len_f64(rows.len().max(1));
    let _ = write!(
        svg,
        r#"<text class="name" x="{:.1}" y="{:.1}">{}</text><text class="strong" x="{:.1}" y="{:.1}">{}</text>"#,
        dx + 4.0,
        dy + 14.0,
        escape(title),
        dx + 4.0,
        dy + 34.0,
        escape(y_label)
    );
    for (row, label) in rows.iter().enumerate() {
        // Rows ascend from the bottom, as an axis does.
        let y = dy + top + h * (crate::stats::len_f64(rows.len() - 1 - row) + 0.5);
        let _ = write!(
            svg,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            dx + left - 8.0,
            y + 4.0,
            escape(label)
        );
    }
    for (column, label) in columns.iter().enumerate() {
        let x = dx + left + w * (crate::stats::len_f64(column) + 0.5);
        let _ = write!(
            svg,
            r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
            dy + height - bottom + 18.0,
            escape(label)
        );
    }
    let _ = write!(
        svg,
        r#"<text class="strong" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
        dx + width - 12.0,
        dy + height - 8.0,
        escape(x_label)
    );
    for cell in cells {
        let x = dx + left + w * crate::stats::len_f64(cell.column);
        let y = dy + top + h * crate::stats::len_f64(rows.len() - 1 - cell.row);
        let share = cell.value.clamp(0.0, 1.0);
        let ink = if share > 0.55 { "var(--ground)" } else { "var(--ink)" };
        let _ = write!(
            svg,
            r#"<rect x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" fill="var(--s1)" fill-opacity="{:.2}" stroke="var(--line)"/><text x="{:.1}" y="{:.1}" text-anchor="middle" style="fill:{ink}">{}</text>"#,
            x + 1.0,
            y + 1.0,
            w - 2.0,
            h - 2.0,
            0.04 + share * 0.92,
            x + w / 2.0,
            y + h / 2.0 + 4.0,
            Format::Percent.write((cell.value * 1000.0).round() / 1000.0)
        );
    }
}

/// A horizontal bar with a whisker.
#[derive(Debug, Clone)]
pub(crate) struct Bar {
    pub(crate) name: String,
    /// Series, value, low, high; one line each.
    pub(crate) values: Vec<(usize, f64, f64, f64)>,
}

/// Horizontal bars, grouped by name, from zero.
pub(crate) fn bars(
    title: &str,
    label: &str,
    format: Format,
    series: &[&str],
    bars: &[Bar],
) -> String {
    let longest = bars.iter().map(|bar| bar.name.chars().count()).max().unwrap_or(0);
    let left = (crate::stats::len_f64(longest) * 6.8 + 20.0).clamp(90.0, 260.0);
    let thick = 13.0;
    let per = bars.iter().map(|bar| bar.values.len()).max().unwrap_or(1);
    let group = crate::stats::len_f64(per) * (thick + 3.0) + 12.0;
    let (top, bottom) = (30.0, 44.0);
    let height = top + bottom + group * crate::stats::len_f64(bars.len());
    let width = Plot::WIDTH;
    let values = bars
        .iter()
        .flat_map(|bar| &bar.values)
        .flat_map(|(_, value, low, high)| [*value, *low, *high]);
    let axis = Axis::over(label, format, values, true);
    let (x0, x1) = (left, width - 24.0);
    let px =
        |x: f64| x0 + (x.clamp(axis.from, axis.to) - axis.from) / (axis.to - axis.from) * (x1 - x0);
    let mut svg = open(width, height, title);
    for tick in axis.ticks(7) {
        let x = px(tick);
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{x:.1}" x2="{x:.1}" y1="{top}" y2="{:.1}"/><text x="{x:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
            height - bottom,
            height - bottom + 17.0,
            format.write(tick)
        );
    }
    let mut at = left;
    for (index, name) in series.iter().enumerate() {
        marker(&mut svg, index, at + 5.0, 11.0, 4.6);
        let _ = write!(
            svg,
            r#"<text class="name" x="{:.1}" y="15">{}</text>"#,
            at + 15.0,
            escape(name)
        );
        at += crate::stats::len_f64(name.chars().count()) * 7.0 + 40.0;
    }
    for (index, bar) in bars.iter().enumerate() {
        let y = top + group * crate::stats::len_f64(index) + 6.0;
        let middle = y + crate::stats::len_f64(bar.values.len()) * (thick + 3.0) / 2.0;
        let _ = write!(
            svg,
            r#"<text class="strong" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            left - 10.0,
            middle + 3.0,
            escape(&bar.name)
        );
        for (line, (series, value, low, high)) in bar.values.iter().enumerate() {
            let y = y + crate::stats::len_f64(line) * (thick + 3.0);
            let (a, b) = (px(0.0).min(px(*value)), px(0.0).max(px(*value)));
            let _ = write!(
                svg,
                r#"<rect x="{a:.1}" y="{y:.1}" width="{:.1}" height="{thick}" fill="{}" opacity=".85"/>"#,
                (b - a).max(0.5),
                colour(*series)
            );
            if low < high {
                let mid = y + thick / 2.0;
                let _ = write!(
                    svg,
                    r#"<line x1="{:.1}" x2="{:.1}" y1="{mid:.1}" y2="{mid:.1}" stroke="var(--ink)" stroke-width="1.4"/>"#,
                    px(*low),
                    px(*high)
                );
            }
            marker(&mut svg, *series, px(*value), y + thick / 2.0, 4.0);
        }
    }
    let _ = write!(
        svg,
        r#"<line class="axis" x1="{0:.1}" x2="{0:.1}" y1="{top}" y2="{1:.1}"/><text class="strong" x="{x1:.1}" y="{2:.1}" text-anchor="end">{3}</text></svg>"#,
        px(0.0),
        height - bottom,
        height - 8.0,
        escape(label)
    );
    svg
}

/// Text for HTML and SVG.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = Axis::linear("", 0.0, 0.97, Format::Percent);
        let written: Vec<String> =
            axis.ticks(5).into_iter().map(|t| axis.format.write(t)).collect();
        assert_eq!(written, ["0%", "20%", "40%", "60%", "80%"]);
    }

    #[test]
    fn labels_never_overlap_and_stay_in_the_frame() {
        let mut names = [
            (0.0, 100.0, 0, "a"),
            (0.0, 101.0, 1, "b"),
            (0.0, 198.0, 2, "c"),
            (0.0, 199.0, 3, "d"),
        ];
        let heights = apart(&mut names, 0.0, 200.0);
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= 15.0), "{heights:?}");
        assert!(heights.iter().all(|height| (0.0..=200.0).contains(height)));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(1_234_567.0), "1,234,567");
        assert_eq!(short(0.5), "0.5");
        assert_eq!(short(12.345), "12.35");
        assert_eq!(short(f64::NAN), "–");
    }

    #[test]
    fn words_cannot_break_out_of_the_picture() {
        let plot = Plot {
            title: "<script>".into(),
            width: 300.0,
            height: 200.0,
            x: Axis::share("x & y"),
            y: Axis::share("\"y\""),
            marks: vec![Mark::Line {
                series: 0,
                points: vec![(0.0, 0.0), (1.0, 2.0)],
                name: "<b>".into(),
            }],
        };
        let svg = plot.svg();
        assert!(!svg.contains("<script>") && !svg.contains("<b>") && svg.contains("x &amp; y"));
        assert!(standalone(&svg).contains("<style>"));
    }
}
