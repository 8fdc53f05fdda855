//! Java's own `benchmark.Producer` (64 threads, 128-byte bodies) and `benchmark.Consumer` as the load.
//!
//! Both print what the last 10 s brought every 10 s and have no end of their own. Java 4.7.0 `example/benchmark`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use compat_tests::process::Process;
use compat_tests::trouble::{Doing, Trouble};
use compat_tests::{java, orphans};

const THREADS: &str = "64";
const BODY_BYTES: &str = "128";
/// Made by the first send, so that a consumer finds nothing older there.
const TOPIC: &str = "JavaBenchmark";
const HEAP_MIB: u32 = 1024;
/// The first window is for warming up.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);

/// What the clients told, and the broker's processor time meanwhile.
pub(crate) struct Load {
    pub(crate) sent_per_second: f64,
    pub(crate) consumed_per_second: f64,
    /// From the store time to the listener, on average.
    pub(crate) store_to_consumer_ms: f64,
    /// For a message sent and consumed.
    pub(crate) cpu_per_message: Duration,
    pub(crate) failed: u64,
}

/// Sends and consumes for `windows` of 10 s after one to warm up.
pub(crate) fn run(
    namesrv_addr: &str,
    broker: &Process,
    windows: u64,
    folder: &Path,
) -> Result<Load, Trouble> {
    let common = ["-n", namesrv_addr, "-t", TOPIC];
    let consumer = Client::start("Consumer", &common, folder)?;
    let arguments = [&common[..], &["-w", THREADS, "-s", BODY_BYTES]].concat();
    let mut producer = Client::start("Producer", &arguments, folder)?;
    let mut sent = Vec::new();
    let (mut failed, mut cpu) = (0, Duration::ZERO);
    let lines = producer.lines()?;
    for line in lines.map_while(Result::ok) {
        let Some(report) = Sent::read(&line) else {
            continue;
        };
        failed = report.failed;
        sent.push(report.per_second);
        if sent.len() == 1 {
            cpu = broker.cpu_time()?;
        }
        if sent.len() as u64 > windows {
            break;
        }
    }
    if sent.len() as u64 <= windows {
        return Err(Trouble(format!(
            "Java's benchmark producer ended early; see {}",
            folder.display()
        )));
    }
    let cpu = broker.cpu_time()?.saturating_sub(cpu);
    let consumed = consumer.windows(windows + 1)?;
    drop(producer);
    let sent_per_second = mean(sent.get(1..).unwrap_or_default());
    let messages = sent_per_second * WINDOW.as_secs_f64() * windows as f64;
    let measured = consumed.get(1..).unwrap_or_default();
    Ok(Load {
        sent_per_second,
        consumed_per_second: mean(
            &measured
                .iter()
                .map(|one| one.per_second)
                .collect::<Vec<_>>(),
        ),
        store_to_consumer_ms: mean(&measured.iter().map(|one| one.delay_ms).collect::<Vec<_>>()),
        cpu_per_message: cpu.div_f64(messages.max(1.0)),
        failed,
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// One of Java's benchmark programs; killed when dropped.
struct Client {
    child: Child,
    out: std::path::PathBuf,
    _home: tempfile::TempDir,
}

impl Client {
    fn start(program: &str, arguments: &[&str], folder: &Path) -> Result<Client, Trouble> {
        let classpath = java::BENCHMARK.classpath("4.7.0")?;
        let home = tempfile::tempdir().doing(|| "make a folder".to_owned())?;
        let file = |name: String| {
            let path = folder.join(name);
            let made = fs::File::create(&path).doing(|| format!("make {}", path.display()))?;
            Ok::<_, Trouble>((path, made))
        };
        let (_, errors) = file(format!("{program}.err"))?;
        let (out, told) = file(format!("{program}.out"))?;
        let stdout = if program == "Producer" {
            Stdio::piped()
        } else {
            told.into()
        };
        let child = java::jvm(&classpath, HEAP_MIB, home.path())
            .arg(format!("org.apache.rocketmq.example.benchmark.{program}"))
            .args(arguments)
            .env("HOME", home.path())
            .env("ROCKETMQ_HOME", home.path())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(errors)
            .spawn()
            .doing(|| format!("start the benchmark {program}"))?;
        orphans::started(child.id());
        Ok(Client {
            child,
            out,
            _home: home,
        })
    }

    fn lines(&mut self) -> Result<std::io::Lines<BufReader<ChildStdout>>, Trouble> {
        let stdout = self.child.stdout.take();
        let stdout = stdout.ok_or_else(|| Trouble("a client without stdout".to_owned()))?;
        Ok(BufReader::new(stdout).lines())
    }

    /// What a consumer printed, once that is so many lines. Its first line comes after 10 s or after 20, as its two timers
    /// happen to meet.
    fn windows(&self, count: u64) -> Result<Vec<Consumed>, Trouble> {
        let patience = Instant::now() + 2 * WINDOW;
        loop {
            let told = fs::read_to_string(&self.out);
            let told = told.doing(|| format!("read {}", self.out.display()))?;
            let lines: Vec<Consumed> = told.lines().filter_map(Consumed::read).collect();
            if lines.len() as u64 >= count || Instant::now() > patience {
                return Ok(lines);
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        orphans::gone(self.child.id());
    }
}

fn word_after<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once(name)?.1.split_whitespace().next()
}

/// A producer's line: `Send TPS: 1234 Max RT: 5 Average RT:  0.123 Send Failed: 0 Response Failed: 0`.
struct Sent {
    per_second: f64,
    failed: u64,
}

impl Sent {
    fn read(line: &str) -> Option<Sent> {
        let count = |name| word_after(line, name)?.parse::<u64>().ok();
        Some(Sent {
            per_second: word_after(line, "Send TPS:")?.parse().ok()?,
            failed: count("Send Failed:")? + count("Response Failed:")?,
        })
    }
}

/// A consumer's line: `TPS: 1234 FAIL: 0 AVG(B2C) RT: 1.234 AVG(S2C) RT: 1.000 MAX(B2C) RT: 5 MAX(S2C) RT: 4`.
struct Consumed {
    per_second: f64,
    delay_ms: f64,
}

impl Consumed {
    fn read(line: &str) -> Option<Consumed> {
        Some(Consumed {
            per_second: word_after(line, "TPS:")?.parse().ok()?,
            delay_ms: word_after(line, "AVG(S2C) RT:")?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_programs_are_read() {
        let line =
            "Send TPS: 51234 Max RT: 201 Average RT:   1.243 Send Failed: 1 Response Failed: 2";
        let sent = Sent::read(line).unwrap();
        assert_eq!((sent.per_second, sent.failed), (51234.0, 3));
        let line = "TPS: 31000 FAIL: 0 AVG(B2C) RT:   3.100 AVG(S2C) RT:   2.500 MAX(B2C) RT: 9 MAX(S2C) RT: 8";
        let consumed = Consumed::read(line).unwrap();
        assert_eq!((consumed.per_second, consumed.delay_ms), (31000.0, 2.5));
        assert!(Sent::read("topic BenchmarkTest threadCount 64").is_none());
    }
}
