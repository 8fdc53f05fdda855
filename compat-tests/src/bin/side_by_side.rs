//! Java 4.7.0's servers and ours on this machine, in turn: start time, idle memory, and messages per second from Java's
//! own `benchmark.Producer` (64 threads, 128-byte bodies).
//!
//! ```sh
//! cargo run --release -p compat-tests --bin side_by_side -- --rounds 3 --seconds 20
//! ```
//!
//! Each round starts fresh clusters of one kind and then of the other, so that a machine that changes its pace meets
//! both. The client and the servers share the machine: compare ratios, not figures of other machines.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use compat_tests::cluster::{Cluster, Mode, Spec};
use compat_tests::process::Process;
use compat_tests::servers::{CONTROL, Servers};
use compat_tests::trouble::{Doing, Trouble};
use compat_tests::{java, logs, orphans};

const THREADS: &str = "64";
const BODY_BYTES: &str = "128";
const PRODUCER_HEAP_MIB: u32 = 1024;
/// The producer prints the rate of the last 10 s every 10 s; the first of these is its warming up.
const WINDOW: Duration = Duration::from_secs(10);
/// Memory counts as settled when it has not grown by more than this for three seconds.
const SETTLED_KIB: u64 = 256;
const SETTLE_LIMIT_SECONDS: u32 = 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let run = || {
        let rounds = option(&arguments, "--rounds")?.unwrap_or(3).max(1);
        let windows = (option(&arguments, "--seconds")?.unwrap_or(20) / WINDOW.as_secs()).max(1);
        measure(rounds, windows)
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("side_by_side: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn option(arguments: &[String], name: &str) -> Result<Option<u64>, Trouble> {
    let Some(at) = arguments.iter().position(|argument| argument == name) else {
        return Ok(None);
    };
    let value = arguments.get(at + 1).and_then(|value| value.parse().ok());
    value
        .map(Some)
        .ok_or_else(|| Trouble(format!("{name} needs a number")))
}

/// What one round found of one kind of servers. Memory in KiB.
struct Round {
    namesrv_start: Duration,
    broker_start: Duration,
    namesrv_idle: Memory,
    broker_idle: Memory,
    broker_after: Memory,
    per_second: f64,
    cpu_per_message: Duration,
    failed: u64,
}

#[derive(Clone, Copy)]
struct Memory {
    anonymous_kib: u64,
    resident_kib: u64,
}

fn measure(rounds: u64, windows: u64) -> Result<(), Trouble> {
    let kinds = [CONTROL, Servers::Ours];
    if !logs::profile_folder()?.ends_with("release") {
        eprintln!("side_by_side: not a release build; our figures will be those of a debug build");
    }
    for servers in kinds {
        servers.prepare()?;
    }
    let mut results: [Vec<Round>; 2] = [Vec::new(), Vec::new()];
    for round in 1..=rounds {
        for (servers, results) in kinds.into_iter().zip(&mut results) {
            let result = one_round(servers, windows)?;
            eprintln!(
                "side_by_side: round {round} of {rounds}, {servers}: broker up in {} ms, {} KiB anonymous, {:.0} messages/s",
                result.broker_start.as_millis(),
                result.broker_idle.anonymous_kib,
                result.per_second
            );
            results.push(result);
        }
    }
    let [java, ours] = &results;
    print!("{}", table(java, ours));
    Ok(())
}

fn one_round(servers: Servers, windows: u64) -> Result<Round, Trouble> {
    let logs = logs::fresh_folder(&format!("side_by_side-{servers}"))?;
    let cluster = Cluster::start(
        Spec {
            servers,
            namesrvs: 1,
            mode: Mode::Service,
        },
        &logs,
    )?;
    let (Some(namesrv), Some(broker)) = (cluster.namesrv(), cluster.broker()) else {
        return Err(Trouble("a cluster without processes".to_owned()));
    };
    let (namesrv_idle, broker_idle) = (settled(namesrv)?, settled(broker)?);
    let load = Producer::start(&cluster.namesrv_addr())?.run(broker, windows)?;
    Ok(Round {
        namesrv_start: namesrv.started_in,
        broker_start: broker.started_in,
        namesrv_idle,
        broker_idle,
        broker_after: memory(broker)?,
        per_second: load.per_second,
        cpu_per_message: load.cpu_per_message,
        failed: load.failed,
    })
}

fn memory(process: &Process) -> Result<Memory, Trouble> {
    Ok(Memory {
        anonymous_kib: process.memory_kib("RssAnon")?,
        resident_kib: process.memory_kib("VmRSS")?,
    })
}

/// Memory once it no longer grows: a JVM goes on loading classes after its success line.
fn settled(process: &Process) -> Result<Memory, Trouble> {
    let mut last = memory(process)?;
    let mut quiet = 0;
    for _ in 0..SETTLE_LIMIT_SECONDS {
        thread::sleep(Duration::from_secs(1));
        let now = memory(process)?;
        quiet = if now.resident_kib > last.resident_kib + SETTLED_KIB {
            0
        } else {
            quiet + 1
        };
        last = now;
        if quiet == 3 {
            break;
        }
    }
    Ok(last)
}

/// Java's benchmark producer; killed when dropped, since it has no end of its own.
struct Producer {
    child: Child,
    _home: tempfile::TempDir,
}

struct Load {
    per_second: f64,
    cpu_per_message: Duration,
    failed: u64,
}

impl Producer {
    fn start(namesrv_addr: &str) -> Result<Producer, Trouble> {
        let classpath = java::BENCHMARK.classpath("4.7.0")?;
        let home = tempfile::tempdir().doing(|| "make a folder".to_owned())?;
        let log = logs::target_folder()?.join("compat-logs/side_by_side-producer.log");
        let errors = fs::File::create(&log).doing(|| format!("make {}", log.display()))?;
        let child = java::jvm(&classpath, PRODUCER_HEAP_MIB, home.path())
            .arg("org.apache.rocketmq.example.benchmark.Producer")
            .args(["-n", namesrv_addr, "-w", THREADS, "-s", BODY_BYTES])
            .env("HOME", home.path())
            .env("ROCKETMQ_HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .doing(|| "start the benchmark producer".to_owned())?;
        orphans::started(child.id());
        Ok(Producer { child, _home: home })
    }

    /// Lets it warm up for one window, and then measures `windows` of 10 s each.
    fn run(mut self, broker: &Process, windows: u64) -> Result<Load, Trouble> {
        let stdout = self
            .child
            .stdout
            .take()
            .ok_or_else(|| Trouble("a producer without stdout".to_owned()))?;
        let mut rates = Vec::new();
        let mut cpu = Duration::ZERO;
        let reports = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| Report::read(&line));
        for report in reports {
            rates.push(report.per_second);
            if rates.len() == 1 {
                cpu = broker.cpu_time()?;
            }
            if rates.len() as u64 == windows + 1 {
                let measured = rates.get(1..).unwrap_or_default();
                let per_second = measured.iter().sum::<f64>() / measured.len() as f64;
                let seconds = WINDOW.as_secs_f64() * windows as f64;
                let cpu_per_message =
                    (broker.cpu_time()? - cpu).div_f64((per_second * seconds).max(1.0));
                return Ok(Load {
                    per_second,
                    cpu_per_message,
                    failed: report.failed,
                });
            }
        }
        Err(Trouble(
            "the benchmark producer ended early; see compat-logs/side_by_side-producer.log"
                .to_owned(),
        ))
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        orphans::gone(self.child.id());
    }
}

/// One line of the producer: `Send TPS: 1234 Max RT: 5 Average RT:  0.123 Send Failed: 0 Response Failed: 0`.
struct Report {
    per_second: f64,
    failed: u64,
}

impl Report {
    fn read(line: &str) -> Option<Report> {
        let after = |name: &str| line.split_once(name)?.1.split_whitespace().next();
        let failures = after("Send Failed:")?.parse::<u64>().ok()?
            + after("Response Failed:")?.parse::<u64>().ok()?;
        Some(Report {
            per_second: after("Send TPS:")?.parse().ok()?,
            failed: failures,
        })
    }
}

/// One figure of a round.
type Figure = fn(&Round) -> f64;

/// Medians of the rounds, and what ours is of Java's.
fn table(java: &[Round], ours: &[Round]) -> String {
    let lines: [(&str, Figure); 9] = [
        ("name server start, ms", |round| {
            round.namesrv_start.as_secs_f64() * 1e3
        }),
        ("broker start, empty store, ms", |round| {
            round.broker_start.as_secs_f64() * 1e3
        }),
        ("name server idle, anonymous MiB", |round| {
            mebibytes(round.namesrv_idle.anonymous_kib)
        }),
        ("name server idle, resident MiB", |round| {
            mebibytes(round.namesrv_idle.resident_kib)
        }),
        ("broker idle, anonymous MiB", |round| {
            mebibytes(round.broker_idle.anonymous_kib)
        }),
        ("broker idle, resident MiB", |round| {
            mebibytes(round.broker_idle.resident_kib)
        }),
        ("broker after the load, anonymous MiB", |round| {
            mebibytes(round.broker_after.anonymous_kib)
        }),
        ("messages/s, 64 threads, 128 bytes", |round| {
            round.per_second
        }),
        ("broker CPU, µs a message", |round| {
            round.cpu_per_message.as_secs_f64() * 1e6
        }),
    ];
    let mut text = "| | Java 4.7.0 | ours | ours ÷ Java |\n|---|---:|---:|---:|\n".to_owned();
    for (name, value) in lines {
        let (java, ours) = (median(java, value), median(ours, value));
        text.push_str(&format!(
            "| {name} | {java:.1} | {ours:.1} | {:.3} |\n",
            ours / java
        ));
    }
    for (name, rounds) in [("Java 4.7.0", java), ("ours", ours)] {
        let rates: Vec<String> = rounds
            .iter()
            .map(|round| format!("{:.0}", round.per_second))
            .collect();
        let failed: u64 = rounds.iter().map(|round| round.failed).sum();
        text.push_str(&format!(
            "\n{name}: {} messages/s by round, {failed} failed sends",
            rates.join(", ")
        ));
    }
    text.push('\n');
    text
}

fn mebibytes(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

fn median(rounds: &[Round], value: Figure) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 {
        upper
    } else {
        values
            .get(middle.wrapping_sub(1))
            .map_or(upper, |lower| (lower + upper) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_producer_is_read() {
        let line =
            "Send TPS: 51234 Max RT: 201 Average RT:   1.243 Send Failed: 1 Response Failed: 2";
        let report = Report::read(line).unwrap();
        assert_eq!((report.per_second, report.failed), (51234.0, 3));
        assert!(
            Report::read("topic BenchmarkTest threadCount 64 messageSize 128 keyEnable false")
                .is_none()
        );
    }
}
