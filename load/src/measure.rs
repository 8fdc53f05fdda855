//! What is measured: latencies without coordinated omission, counts, and the server's processor time and memory.
//!
//! In the open loop a latency counts from when the request was due, not from when it could be sent: a server that stalls
//! is charged for all that waited. Each connection measures for itself; the sums are made at the end.

use std::fs;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Up to a minute; a longer one counts as a minute.
const LONGEST_NS: u64 = 60_000_000_000;

fn histogram(digits: u8) -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, digits).expect("one to five digits are allowed")
}

/// Latencies in nanoseconds and counts of one connection or of all.
#[derive(Clone, Debug)]
pub(crate) struct Measure {
    started: Instant,
    /// Before this nothing counts: the server warms up.
    counts_from: Instant,
    interval: Duration,
    /// All that counted.
    pub(crate) total: Histogram<u64>,
    /// What counted, by interval since the start.
    pub(crate) series: Vec<Histogram<u64>>,
    /// Messages sent or received while it counted.
    pub(crate) messages: u64,
    /// Requests that were answered with a code other than expected, by code.
    pub(crate) refused: std::collections::BTreeMap<i32, u64>,
}

impl Measure {
    /// Nothing yet.
    pub(crate) fn new(started: Instant, warm_up: Duration, interval: Duration) -> Measure {
        Measure {
            started,
            counts_from: started + warm_up,
            interval,
            total: histogram(3),
            series: Vec::new(),
            messages: 0,
            refused: Default::default(),
        }
    }

    /// A request that was due at `due` has been answered at `now` with so many messages.
    pub(crate) fn record(&mut self, due: Instant, now: Instant, messages: u64) {
        if now < self.counts_from {
            return;
        }
        let nanos = now.saturating_duration_since(due).as_nanos() as u64;
        self.messages += messages;
        self.total.saturating_record(nanos);
        let index = (now.duration_since(self.started).as_nanos() / self.interval.as_nanos().max(1))
            as usize;
        while self.series.len() <= index {
            self.series.push(histogram(2));
        }
        if let Some(part) = self.series.get_mut(index) {
            part.saturating_record(nanos);
        }
    }

    /// A request was answered with a code that says it was not done.
    pub(crate) fn refuse(&mut self, code: i32) {
        *self.refused.entry(code).or_default() += 1;
    }

    /// Adds what another connection measured.
    pub(crate) fn add(&mut self, other: &Measure) {
        let _ = self.total.add(&other.total); // cannot fail: both have the same bounds
        self.messages += other.messages;
        for (code, count) in &other.refused {
            *self.refused.entry(*code).or_default() += count;
        }
        while self.series.len() < other.series.len() {
            self.series.push(histogram(2));
        }
        for (mine, theirs) in self.series.iter_mut().zip(&other.series) {
            let _ = mine.add(theirs);
        }
    }
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// In user and kernel mode.
    pub(crate) cpu: Duration,
    /// Memory that belongs to it alone, not to files.
    pub(crate) anonymous_bytes: u64,
}

impl Usage {
    /// Of the process `pid`; `None` when it is gone.
    pub(crate) fn of(pid: u32) -> Option<Usage> {
        const TICKS_A_SECOND: u64 = 100; // USER_HZ, the same on every Linux
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, behind_name) = stat.rsplit_once(')')?;
        let mut words = behind_name.split_ascii_whitespace().skip(11);
        let ticks = words.next()?.parse::<u64>().ok()? + words.next()?.parse::<u64>().ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let anonymous = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"))?;
        let anonymous_kib: u64 = anonymous.split_ascii_whitespace().next()?.parse().ok()?;
        Some(Usage {
            cpu: Duration::from_millis(ticks * 1000 / TICKS_A_SECOND),
            anonymous_bytes: anonymous_kib * 1024,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_counts_from_when_it_was_due_and_not_while_warming_up() {
        let started = Instant::now();
        let mut measure = Measure::new(started, Duration::from_secs(1), Duration::from_secs(1));
        measure.record(started, started + Duration::from_millis(500), 1);
        measure.record(started, started + Duration::from_millis(2500), 3);
        assert_eq!(
            (measure.messages, measure.total.len(), measure.series.len()),
            (3, 1, 3)
        );
        assert!(measure.total.max() >= 2_490_000_000);
    }

    #[test]
    fn this_process_uses_something() {
        let usage = Usage::of(std::process::id()).expect("it runs");
        assert!(usage.anonymous_bytes > 0);
    }
}
