//! What a run is told as: lines for people, JSON for programs.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::measure::{Measure, Usage};

/// One run's figures. Times in microseconds unless named otherwise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// What was done, as the command line said it.
    pub(crate) case: String,
    /// Seconds that counted.
    pub(crate) seconds: f64,
    /// Messages in them.
    pub(crate) messages: u64,
    /// Per second.
    pub(crate) messages_per_second: f64,
    /// From when it was due to the answer.
    pub(crate) latency_us: Percentiles,
    /// The server's processor time a message, if its process is known.
    pub(crate) server_cpu_us_per_message: Option<f64>,
    /// The server's own memory after the run, bytes.
    pub(crate) server_anonymous_bytes: Option<u64>,
    /// Requests refused, by code.
    pub(crate) refused: Vec<(i32, u64)>,
    /// A point an interval, from the start of the run.
    pub(crate) series: Vec<Point>,
}

/// Latencies in microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    /// Half were faster.
    pub(crate) p50: f64,
    /// 99 %.
    pub(crate) p99: f64,
    /// 99.9 %.
    pub(crate) p99_9: f64,
    /// 99.99 %.
    pub(crate) p99_99: f64,
    /// The slowest.
    pub(crate) max: f64,
}

/// One interval of a run.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Point {
    /// End of the interval, seconds since the start of the run.
    pub(crate) second: f64,
    /// Answers in the interval, per second.
    pub(crate) answers_per_second: f64,
    /// Latencies in it.
    pub(crate) latency_us: Percentiles,
}

impl Percentiles {
    fn of(histogram: &Histogram<u64>) -> Percentiles {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Percentiles {
            p50: at(0.5),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            max: histogram.max() as f64 / 1e3,
        }
    }
}

impl Report {
    /// Sums a run up, whose series has so many whole intervals: what comes behind them are the last answers only. `usage`: the
    /// server's before and after what counted.
    pub(crate) fn of(
        case: String,
        measure: &Measure,
        counted: Duration,
        (interval, intervals): (Duration, usize),
        usage: Option<(Usage, Usage)>,
    ) -> Report {
        let messages = measure.messages;
        let cpu =
            usage.map(|(before, after)| after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6);
        let series = measure
            .series
            .iter()
            .enumerate()
            .take(intervals)
            .filter(|(_, part)| !part.is_empty());
        Report {
            case,
            seconds: counted.as_secs_f64(),
            messages,
            messages_per_second: messages as f64 / counted.as_secs_f64(),
            latency_us: Percentiles::of(&measure.total),
            server_cpu_us_per_message: cpu
                .filter(|_| messages > 0)
                .map(|cpu| cpu / messages as f64),
            server_anonymous_bytes: usage.map(|(_, after)| after.anonymous_bytes),
            refused: measure
                .refused
                .iter()
                .map(|(code, count)| (*code, *count))
                .collect(),
            series: series
                .map(|(index, part)| Point {
                    second: (index + 1) as f64 * interval.as_secs_f64(),
                    answers_per_second: part.len() as f64 / interval.as_secs_f64(),
                    latency_us: Percentiles::of(part),
                })
                .collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let latency = &self.latency_us;
        writeln!(f, "{}", self.case)?;
        writeln!(
            f,
            "  {:>12.0} messages/s   ({} in {:.1} s)",
            self.messages_per_second, self.messages, self.seconds
        )?;
        writeln!(
            f,
            "  {:>12.1} µs p50   {:.1} p99   {:.1} p99.9   {:.1} p99.99   {:.1} max",
            latency.p50, latency.p99, latency.p99_9, latency.p99_99, latency.max
        )?;
        if let (Some(cpu), Some(bytes)) =
            (self.server_cpu_us_per_message, self.server_anonymous_bytes)
        {
            let mib = bytes as f64 / f64::from(1 << 20);
            writeln!(
                f,
                "  {cpu:>12.2} µs of the server's processor a message, {mib:.1} MiB anonymous memory after it"
            )?;
        }
        for (code, count) in &self.refused {
            writeln!(f, "  {count:>12} requests refused with code {code}")?;
        }
        Ok(())
    }
}
