//! What the two servers take, every 10 s, and whether it grows.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use compat_tests::process::Process;
use compat_tests::trouble::{Doing, Trouble};
use serde_json::json;

pub(crate) const HEADING: &str =
    "   s  server    anonymous KiB  descriptors  threads  mappings  processor s";

/// A figure, its part of itself that it may grow by, and what it may grow by besides.
pub(crate) const FIGURES: [(&str, f64, f64); 4] = [
    ("anonymous KiB", 0.1, 2048.0),
    ("descriptors", 0.0, 8.0),
    ("threads", 0.0, 4.0),
    ("mappings", 0.0, 16.0),
];

/// The servers, in the order of their samples.
pub(crate) const SERVERS: [&str; 2] = ["namesrv", "broker"];

/// One look at one server: the figures in their order.
#[derive(Clone, Copy, Debug)]
struct Sample {
    figures: [f64; FIGURES.len()],
    processor_s: f64,
}

impl Sample {
    fn of(process: &Process) -> Result<Sample, Trouble> {
        let folder = format!("/proc/{}", process.id());
        let descriptors =
            fs::read_dir(format!("{folder}/fd")).doing(|| format!("list {folder}"))?;
        let maps =
            fs::read_to_string(format!("{folder}/maps")).doing(|| format!("read {folder}"))?;
        Ok(Sample {
            figures: [
                process.memory_kib("RssAnon")? as f64,
                descriptors.count() as f64,
                process.memory_kib("Threads")? as f64, // no KiB, but a line like the others
                maps.lines().count() as f64,
            ],
            processor_s: process.cpu_time()?.as_secs_f64(),
        })
    }
}

/// All samples.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    seconds: Vec<f64>,
    of: [Vec<Sample>; SERVERS.len()],
}

/// The end of it.
pub(crate) struct Verdict {
    pub(crate) text: String,
    pub(crate) flat: bool,
}

impl Samples {
    pub(crate) fn rounds(&self) -> u32 {
        self.seconds.len() as u32
    }

    /// Looks at both servers. A line for each.
    pub(crate) fn take(
        &mut self,
        at: Duration,
        namesrv: &Process,
        broker: &Process,
    ) -> Result<Vec<String>, Trouble> {
        let mut lines = Vec::new();
        for ((name, process), samples) in SERVERS.iter().zip([namesrv, broker]).zip(&mut self.of) {
            let sample = Sample::of(process)?;
            samples.push(sample);
            let ([memory, descriptors, threads, mappings], second) = (sample.figures, at.as_secs());
            lines.push(format!(
                "{second:4}  {name:8}{memory:15}{descriptors:13}{threads:9}{mappings:10}{:13.2}",
                sample.processor_s
            ));
        }
        self.seconds.push(at.as_secs_f64());
        Ok(lines)
    }

    /// The course of a figure.
    pub(crate) fn course(&self, server: usize, figure: usize) -> Vec<f64> {
        let samples = self.of.get(server).into_iter().flatten();
        samples
            .filter_map(|sample| sample.figures.get(figure).copied())
            .collect()
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let mut verdict = Verdict {
            text: String::new(),
            flat: true,
        };
        for (server, name) in SERVERS.iter().enumerate() {
            for (figure, (what, part, more)) in FIGURES.iter().enumerate() {
                let (early, late) = quarters(&self.course(server, figure));
                let flat = late <= early * (1.0 + part) + more;
                verdict.flat &= flat;
                let word = if flat { "flat" } else { "GROWING" };
                let _ = writeln!(
                    verdict.text,
                    "{word}: {name} {what}, median of the second quarter {early}, of the last {late}"
                );
            }
        }
        verdict
    }

    pub(crate) fn json(&self) -> String {
        let mut servers = serde_json::Map::new();
        for (server, name) in SERVERS.iter().enumerate() {
            let mut courses = serde_json::Map::new();
            for (figure, (what, ..)) in FIGURES.iter().enumerate() {
                courses.insert((*what).to_owned(), json!(self.course(server, figure)));
            }
            let samples = self.of.get(server).into_iter().flatten();
            let processor: Vec<f64> = samples.map(|sample| sample.processor_s).collect();
            courses.insert("processor s".to_owned(), json!(processor));
            servers.insert((*name).to_owned(), courses.into());
        }
        json!({"seconds": self.seconds, "servers": servers}).to_string()
    }
}

/// The medians of the second and of the last quarter.
fn quarters(course: &[f64]) -> (f64, f64) {
    let quarter = course.len().div_ceil(4).max(1);
    let mut quarters = course.chunks(quarter);
    let (second, last) = (quarters.nth(1), quarters.last());
    let second = second.unwrap_or(course);
    (median(second), median(last.unwrap_or(second)))
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(memory: impl Fn(u32) -> f64) -> Samples {
        let mut samples = Samples::default();
        for round in 0..40 {
            samples.seconds.push(f64::from(round));
            for of in &mut samples.of {
                let figures = [memory(round), 20.0, 8.0, 50.0];
                of.push(Sample {
                    figures,
                    processor_s: 0.0,
                });
            }
        }
        samples
    }

    #[test]
    fn what_rises_at_first_is_flat_and_what_goes_on_rising_is_growing() {
        let settled = samples(|round| 10_000.0 + 1_000.0 * f64::from(round.min(8)));
        assert!(settled.verdict().flat);
        let leak = samples(|round| 10_000.0 + 200.0 * f64::from(round)).verdict();
        assert!(!leak.flat && leak.text.contains("GROWING: broker anonymous KiB"));
    }
}
