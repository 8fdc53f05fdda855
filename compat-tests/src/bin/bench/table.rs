//! The table of PERFORMANCE.md: Java, the limit, ours, their ratio, and whether the goal is met.

use std::fmt::Write as _;

use crate::Options;
use crate::samples::{Samples, Spread};
use crate::sides::Side;

/// A line of the table.
struct Row {
    case: &'static str,
    what: &'static str,
    says: &'static str,
    goal: Goal,
}

/// What ours is to reach.
enum Goal {
    /// So many times Java's.
    TimesJava(f64),
    /// No more than this.
    AtMost(f64),
    /// No more than so many times the limit's.
    TimesLimit(f64),
    /// Told for what it is worth.
    None,
}

const fn row(case: &'static str, what: &'static str, says: &'static str, goal: Goal) -> Row {
    Row {
        case,
        what,
        says,
        goal,
    }
}

const ROWS: &[Row] = &[
    row(
        "start",
        "broker_ms",
        "broker start, empty store, ms",
        Goal::AtMost(50.0),
    ),
    row("start", "namesrv_ms", "name server start, ms", Goal::None),
    row(
        "start",
        "broker_idle_mib",
        "broker idle, anonymous MiB",
        Goal::AtMost(15.0),
    ),
    row(
        "start",
        "namesrv_idle_mib",
        "name server idle, anonymous MiB",
        Goal::AtMost(15.0),
    ),
    row(
        "send 4x64",
        "rate",
        "send, 4 × 64, 128 B: messages/s",
        Goal::TimesJava(10.0),
    ),
    row(
        "send 4x64",
        "cpu_us",
        "… broker's CPU, µs a message",
        Goal::AtMost(2.0),
    ),
    row("send 4x64", "p99_us", "… p99, µs", Goal::None),
    row("send 4x64", "p99_9_us", "… p99.9, µs", Goal::AtMost(2000.0)),
    row(
        "send 4x64",
        "memory_mib",
        "… anonymous MiB after it",
        Goal::AtMost(64.0),
    ),
    row(
        "send 4x64 1 KiB",
        "rate",
        "send, 4 × 64, 1 KiB: messages/s",
        Goal::TimesJava(6.0),
    ),
    row(
        "send 1x1",
        "p50_us",
        "send, 1 × 1: p50, µs",
        Goal::TimesLimit(2.0),
    ),
    row(
        "sync send 4x64",
        "rate",
        "SYNC_FLUSH, 4 × 64: messages/s",
        Goal::TimesJava(6.0),
    ),
    row(
        "sync send 1x1",
        "p50_us",
        "SYNC_FLUSH, 1 × 1: p50, µs (limit: one fdatasync)",
        Goal::TimesLimit(1.2),
    ),
    row(
        "pull 4x32",
        "rate",
        "pull, 4 connections, 32 a request: messages/s",
        Goal::TimesJava(5.0),
    ),
    row(
        "pull 4x32",
        "cpu_us",
        "… broker's CPU, µs a message",
        Goal::None,
    ),
    row(
        "half of peak",
        "rate",
        "at half of its peak (limit: of ours): messages/s",
        Goal::None,
    ),
    row(
        "half of peak",
        "p99_9_us",
        "… p99.9, µs",
        Goal::AtMost(2000.0),
    ),
    row(
        "half of peak",
        "max_us",
        "… max, µs",
        Goal::AtMost(20_000.0),
    ),
    row(
        "half of peak",
        "stolen_ms",
        "… both processors' time that the host took meanwhile, ms",
        Goal::None,
    ),
    row(
        "half of Java's peak",
        "rate",
        "ours at half of Java's peak: messages/s",
        Goal::None,
    ),
    row(
        "half of Java's peak",
        "p99_9_us",
        "… p99.9, µs",
        Goal::AtMost(2000.0),
    ),
    row(
        "half of Java's peak",
        "max_us",
        "… max, µs",
        Goal::AtMost(20_000.0),
    ),
    row(
        "half of Java's peak",
        "stolen_ms",
        "… both processors' time that the host took meanwhile, ms",
        Goal::None,
    ),
    row(
        "arrive at 10k/s",
        "p50_us",
        "10,000/s, send to arrival at a held pull: p50, µs",
        Goal::None,
    ),
    row("arrive at 10k/s", "p99_us", "… p99, µs", Goal::None),
    row(
        "cold reader",
        "alone_p99_us",
        "5,000 sends/s: p99, µs",
        Goal::None,
    ),
    row(
        "cold reader",
        "beside_p99_us",
        "… beside a reader of a cold log: p99, µs",
        Goal::None,
    ),
    row(
        "java producer",
        "rate",
        "Java's Producer beside its Consumer: sent/s",
        Goal::None,
    ),
    row("java producer", "consumed_rate", "… consumed/s", Goal::None),
    row(
        "java producer",
        "arrive_ms",
        "… store to listener, mean ms",
        Goal::None,
    ),
    row(
        "java producer",
        "cpu_us",
        "… broker's CPU, µs a message sent and consumed",
        Goal::None,
    ),
    row(
        "route",
        "rate",
        "route queries, 4 × 64: replies/s",
        Goal::TimesJava(5.0),
    ),
    row(
        "route",
        "memory_mib",
        "… name server's anonymous MiB after it",
        Goal::AtMost(15.0),
    ),
    row(
        "10,000 connections",
        "kib_each",
        "9,000 connections: anonymous KiB each",
        Goal::AtMost(16.0),
    ),
    row(
        "10,000 topics",
        "kib_each",
        "10,000 topics × 8 queues: anonymous KiB a queue",
        Goal::AtMost(8.0),
    ),
    row(
        "10,000 topics",
        "few_rate",
        "… send, 4 × 64, before they are made: messages/s",
        Goal::None,
    ),
    row(
        "10,000 topics",
        "many_rate",
        "… after: messages/s",
        Goal::None,
    ),
];

/// The table as Markdown, medians with the least and the most; rows without samples are left out.
pub(crate) fn table(samples: &Samples, options: &Options) -> String {
    let mut text = format!(
        "\nMedians of {} rounds, in brackets the least and the most; {} s a load.\n\n\
         | | Java 4.7.0 | limit | ours | ours ÷ Java | goal | |\n|---|---:|---:|---:|---:|---|---|\n",
        options.rounds, options.seconds
    );
    for row in ROWS {
        let of = |side| samples.spread(side, row.case, row.what);
        let (java, limit, ours) = (of(Side::Java), of(Side::Limit), of(Side::Ours));
        if let Some(mine) = ours {
            let java_median = java.map(|java| java.median).filter(|median| *median > 0.0);
            let ratio = java_median.map(|median| format!("{:.3}", mine.median / median));
            let (goal, verdict) = row.goal.judge(mine, java, limit);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {goal} | {verdict} |",
                row.says,
                told(java),
                told(limit),
                told(ours),
                ratio.unwrap_or_default()
            );
        }
    }
    refusals(samples, &mut text);
    text
}

/// A side that refused requests did less than its rate says.
fn refusals(samples: &Samples, text: &mut String) {
    let mut cases: Vec<&str> = ROWS.iter().map(|row| row.case).collect();
    cases.dedup();
    for case in cases {
        for side in [Side::Java, Side::Ours] {
            for what in ["refused", "send_refused", "alone_refused", "beside_refused"] {
                let spread = samples.spread(side, case, what);
                if let Some(most) = spread.map(|spread| spread.most).filter(|most| *most > 0.0) {
                    let _ = writeln!(text, "\n{side}, {case}: up to {most:.0} requests refused");
                }
            }
        }
    }
}

impl Goal {
    fn judge(
        &self,
        ours: Spread,
        java: Option<Spread>,
        limit: Option<Spread>,
    ) -> (String, &'static str) {
        let verdict = |met: Option<bool>| match met {
            Some(true) => "met",
            Some(false) => "**not met**",
            None => "",
        };
        match *self {
            Goal::TimesJava(times) => {
                let met = java.map(|java| ours.median >= times * java.median);
                (format!("≥ {times} × Java"), verdict(met))
            }
            Goal::TimesLimit(times) => {
                let met = limit.map(|limit| ours.median <= times * limit.median);
                (format!("≤ {times} × limit"), verdict(met))
            }
            Goal::AtMost(most) => (format!("≤ {most}"), verdict(Some(ours.median <= most))),
            Goal::None => (String::new(), ""),
        }
    }
}

fn told(spread: Option<Spread>) -> String {
    let Some(spread) = spread else {
        return String::new();
    };
    let number = |value: f64| match value {
        value if value >= 10_000.0 => format!("{:.1}k", value / 1e3),
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    };
    let Spread {
        least,
        median,
        most,
    } = spread;
    if least == most {
        return number(median);
    }
    format!("{} ({}–{})", number(median), number(least), number(most))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn a_goal_that_is_missed_is_said_to_be() {
        let mut samples = Samples::default();
        samples.add(Side::Java, "send 4x64", "rate", 50_000.0);
        samples.add(Side::Ours, "send 4x64", "rate", 400_000.0);
        samples.add(Side::Ours, "send 4x64", "cpu_us", 1.5);
        let text = table(&samples, &Options::parse_from(["bench"]));
        let line = |start: &str| text.lines().find(|line| line.starts_with(start));
        let rate = line("| send, 4 × 64, 128 B").expect("there");
        assert!(
            rate.contains("| 8.000 | ≥ 10 × Java | **not met** |"),
            "{rate}"
        );
        assert!(
            line("| … broker's CPU")
                .expect("there")
                .ends_with("≤ 2 | met |")
        );
    }
}
