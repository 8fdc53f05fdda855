//! Latency over time as a picture: one panel, a logarithmic scale, three lines a run.
//!
//! ```text
//!   ms 100 ┤            ╷          ── max
//!       10 ┤   ╷        │   ╷      ── p99
//!        1 ┤───┴────────┴───┴──    ── p50
//!          └──────────────────────
//!            seconds
//! ```
//!
//! SVG is written by hand: a picture of lines and words needs no library.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use crate::report::{Percentiles, Point, Report};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
/// One for each run; told apart by the colour-blind too.
const COLOURS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
];

/// What a line shows, and how it is drawn.
type Line = (&'static str, fn(&Percentiles) -> f64, &'static str);

const LINES: [Line; 3] = [
    ("p50", |at| at.p50, "stroke-width=\"1.5\""),
    (
        "p99",
        |at| at.p99,
        "stroke-width=\"1.5\" stroke-dasharray=\"6 3\"",
    ),
    (
        "max",
        |at| at.max,
        "stroke-width=\"1\" stroke-dasharray=\"1.5 2.5\"",
    ),
];

/// Draws the runs in files that `--json` wrote, each `FILE` or `NAME=FILE`.
///
/// # Errors
/// A file is not there, or not what `--json` writes.
pub(crate) fn from_files(svg: &Path, runs: &[String]) -> io::Result<()> {
    let mut named = Vec::new();
    for run in runs {
        let (name, file) = run.split_once('=').unwrap_or(("", run));
        let text = std::fs::read(file)
            .map_err(|error| io::Error::new(error.kind(), format!("read {file}: {error}")))?;
        let reports: Vec<Report> = serde_json::from_slice(&text)
            .map_err(|error| io::Error::other(format!("{file} is not a run: {error}")))?;
        for report in reports {
            let name = if name.is_empty() {
                report.case.clone()
            } else {
                format!("{name}: {}", report.case)
            };
            named.push((name, report));
        }
    }
    let named: Vec<_> = named.iter().map(|(name, run)| (&**name, run)).collect();
    std::fs::write(svg, latencies(&named))
}

/// The picture of these runs, each with its name.
pub(crate) fn latencies(runs: &[(&str, &Report)]) -> String {
    let points = || runs.iter().flat_map(|(_, run)| &run.series);
    let seconds = points().map(|point| point.second).fold(1.0, f64::max);
    let scale = Scale {
        seconds,
        low_us: decade_below(
            points()
                .map(|point| point.latency_us.p50)
                .fold(f64::MAX, f64::min),
        ),
        high_us: decade_above(
            points()
                .map(|point| point.latency_us.max)
                .fold(1.0, f64::max),
        ),
    };
    let legend_height = 18.0 * runs.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {all}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"14\">latency over time; solid p50, dashed p99, dotted max of each second</text>\n",
        all = HEIGHT + legend_height
    );
    scale.draw_axes(&mut svg);
    for (index, (name, run)) in runs.iter().enumerate() {
        let colour = COLOURS
            .get(index % COLOURS.len())
            .copied()
            .unwrap_or("black");
        for (_, value, style) in LINES {
            let line = scale.line(&run.series, value);
            let _ = writeln!(
                svg,
                "<polyline points=\"{line}\" fill=\"none\" stroke=\"{colour}\" {style}/>"
            );
        }
        let y = HEIGHT + 18.0 * index as f64;
        let _ = writeln!(
            svg,
            "<rect x=\"{LEFT}\" y=\"{:.0}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{:.0}\" y=\"{y:.0}\">{}: p50 {}, p99 {}, p99.9 {}, max {}</text>",
            y - 11.0,
            LEFT + 18.0,
            escape(name),
            told(run.latency_us.p50),
            told(run.latency_us.p99),
            told(run.latency_us.p99_9),
            told(run.latency_us.max)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// From seconds and microseconds to places in the picture.
struct Scale {
    seconds: f64,
    low_us: f64,
    high_us: f64,
}

impl Scale {
    fn x(&self, second: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * second / self.seconds
    }

    fn y(&self, us: f64) -> f64 {
        let part = (us.max(self.low_us) / self.low_us).log10()
            / (self.high_us / self.low_us).log10().max(1.0);
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part
    }

    fn line(&self, series: &[Point], value: fn(&Percentiles) -> f64) -> String {
        let places = series.iter().map(|point| {
            format!(
                "{:.1},{:.1}",
                self.x(point.second),
                self.y(value(&point.latency_us))
            )
        });
        places.collect::<Vec<_>>().join(" ")
    }

    fn draw_axes(&self, svg: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let mut us = self.low_us;
        while us <= self.high_us * 1.01 {
            let y = self.y(us);
            let _ = writeln!(
                svg,
                "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                told(us)
            );
            us *= 10.0;
        }
        let step = step_of(self.seconds);
        let ticks = (0..).map(|tick| f64::from(tick) * step);
        for second in ticks.take_while(|second| *second <= self.seconds) {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{second:.0} s</text>",
                self.x(second),
                bottom + 18.0
            );
        }
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{right}\" y2=\"{bottom}\" stroke=\"black\"/>"
        );
    }
}

/// Whole seconds from one number of the axis to the next: 1, 2 or 5 and so many zeros, for ten numbers at most.
fn step_of(seconds: f64) -> f64 {
    let decades = (0..).map(|zeros| 10f64.powi(zeros));
    let mut steps = decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|digit| digit * decade));
    steps.find(|step| step * 10.0 >= seconds).unwrap_or(seconds)
}

fn decade_below(us: f64) -> f64 {
    10f64.powf(us.clamp(1.0, 1e8).log10().floor())
}

fn decade_above(us: f64) -> f64 {
    10f64.powf(us.clamp(10.0, 1e8).log10().ceil())
}

fn told(us: f64) -> String {
    if us >= 1e6 {
        format!("{:.1} s", us / 1e6)
    } else if us >= 1e3 {
        format!("{:.1} ms", us / 1e3)
    } else {
        format!("{us:.0} µs")
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::measure::Measure;

    #[test]
    fn the_axis_has_few_numbers_and_each_once() {
        for (seconds, step) in [
            (1.0, 1.0),
            (6.0, 1.0),
            (13.0, 2.0),
            (45.0, 5.0),
            (600.0, 100.0),
        ] {
            assert_eq!(step_of(seconds), step, "{seconds} s");
        }
    }

    #[test]
    fn slower_seconds_lie_higher_and_every_line_is_inside_the_picture() {
        let started = Instant::now();
        let mut measure = Measure::new(started, Duration::ZERO, Duration::from_secs(1));
        for (second, us) in [(0, 50), (1, 5_000), (2, 900_000)] {
            let now = started + Duration::from_secs(second) + Duration::from_micros(us);
            measure.record(now - Duration::from_micros(us), now, 1);
        }
        let second = Duration::from_secs(1);
        let run = Report::of("a < b".to_owned(), &measure, 3 * second, (second, 3), None);
        let svg = latencies(&[("a < b", &run)]);
        assert!(svg.contains("a &lt; b: p50"), "{svg}");
        let line = svg
            .split("<polyline points=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("a line");
        let ys: Vec<f64> = line
            .split(' ')
            .map(|place| place.split_once(',').expect("x,y").1)
            .map(|y| y.parse().expect("a number"))
            .collect();
        assert!(ys.is_sorted_by(|a, b| a > b) && ys.len() == 3, "{ys:?}");
        assert!(ys.iter().all(|y| (TOP..=HEIGHT - BOTTOM).contains(y)));
    }
}
