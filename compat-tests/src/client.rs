//! One JVM with one version of rocketmq-client, running scenarios on demand.
//!
//! It is driven over lines on its stdin and stdout; `java/scenarios/…/Main.java` has the list of them. Fields are parted
//! by tabs and escaped with a backslash. A line that is not of the protocol (a JVM's own words) goes to the log.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::java;
use crate::logs;
use crate::trouble::{Doing, Trouble};

/// Heap of a client JVM: a dozen consumers with prefetched 4 MiB messages.
const HEAP_MIB: u32 = 512;

/// What a client JVM says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It takes commands.
    Ready {
        /// Version as `MQVersion` has it, for example `V4_7_0`.
        version: String,
        /// Names of all its scenarios.
        scenarios: Vec<String>,
    },
    /// A scenario waits for a change of its cluster.
    Ask {
        /// To be given back with the answer.
        id: String,
        /// Who asks.
        scenario: String,
        /// The change, for example `restart-broker`.
        verb: String,
    },
    /// A scenario is over.
    Result {
        /// Which.
        scenario: String,
        /// Whether it held.
        ok: bool,
        /// From its start to its end, without the stopping of its clients.
        took: Duration,
        /// What it observed, or what went wrong.
        text: String,
    },
    /// The JVM ended.
    Gone,
}

/// A running client JVM. Dropping it kills it.
#[derive(Debug)]
pub struct Client {
    child: Child,
    stdin: ChildStdin,
    /// What its clients and the JVM print.
    pub log: PathBuf,
    _home: TempDir,
}

impl Client {
    /// Starts a JVM with rocketmq-client `version`; what it says is sent as `wrap(said)`, `Ready` first and `Gone` last.
    /// Its topics and groups begin with `prefix`.
    ///
    /// # Errors
    /// When the classpath can't be resolved or the JVM not started.
    pub fn start<E: Send + 'static>(
        version: &str,
        prefix: &str,
        logs: &Path,
        events: Sender<E>,
        wrap: impl Fn(Said) -> E + Send + 'static,
    ) -> Result<Client, Trouble> {
        let classpath = java::SCENARIOS.classpath(version)?;
        let home = tempfile::Builder::new()
            .prefix("compat-client-")
            .tempdir()
            .doing(|| "make a folder".to_owned())?;
        let log = logs.join(format!("client-{version}.log"));
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .doing(|| format!("open {}", log.display()))?;
        let stderr = file
            .try_clone()
            .doing(|| format!("open {} twice", log.display()))?;
        let client_log = logs.join(format!("client-{version}-rocketmq"));
        let mut child = java::short_lived_jvm(&classpath, HEAP_MIB, home.path())
            .arg(format!(
                "-Drocketmq.client.logRoot={}",
                client_log.display()
            ))
            .arg(format!("-Drocketmq.log.root={}", client_log.display())) // the same in 5.x
            // An orderly client keeps the lock of a queue that it gives up while it has messages of it, 20 s by default,
            // and begins with a queue at its next renewal of locks, every 20 s.
            .arg("-Drocketmq.client.unlockDelayTimeMills=1000")
            .arg("-Drocketmq.client.rebalance.lockInterval=500")
            .arg("-Dfile.encoding=UTF-8")
            .args(["compat.Main", prefix])
            .env("HOME", home.path())
            .env_remove("NAMESRV_ADDR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .doing(|| format!("start a JVM with client {version}"))?;
        let stdin = child
            .stdin
            .take()
            .ok_or_else(|| Trouble("a JVM without stdin".to_owned()))?;
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || listen(stdout, file, &events, wrap));
        }
        Ok(Client {
            child,
            stdin,
            log,
            _home: home,
        })
    }

    /// Tells it where a cluster listens.
    ///
    /// # Errors
    /// When the JVM has ended.
    pub fn tell_cluster(
        &mut self,
        name: &str,
        namesrv_addr: &str,
        broker_addr: &str,
    ) -> Result<(), Trouble> {
        self.write(&["CLUSTER", name, namesrv_addr, broker_addr])
    }

    /// Starts a scenario; its end is a [`Said::Result`].
    ///
    /// # Errors
    /// When the JVM has ended.
    pub fn run(&mut self, scenario: &str, cluster: &str) -> Result<(), Trouble> {
        self.write(&["RUN", scenario, cluster])
    }

    /// Answers [`Said::Ask`].
    ///
    /// # Errors
    /// When the JVM has ended.
    pub fn answer(&mut self, id: &str, done: &Result<(), Trouble>) -> Result<(), Trouble> {
        match done {
            Ok(()) => self.write(&["ANSWER", id, "ok", ""]),
            Err(trouble) => self.write(&["ANSWER", id, "failed", &trouble.0]),
        }
    }

    /// The end of its log, for a report of its sudden end.
    #[must_use]
    pub fn last_words(&self) -> String {
        format!(
            "last lines of {}:\n{}",
            self.log.display(),
            logs::tail(&self.log, 20)
        )
    }

    fn write(&mut self, fields: &[&str]) -> Result<(), Trouble> {
        let line = fields
            .iter()
            .map(|field| escape(field))
            .collect::<Vec<_>>()
            .join("\t");
        writeln!(self.stdin, "{line}").doing(|| "write to a client JVM".to_owned())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen<E>(stdout: ChildStdout, mut log: File, events: &Sender<E>, wrap: impl Fn(Said) -> E) {
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { break };
        match parse(&line) {
            Some(said) => {
                // Nobody listens any more: the run is over.
                if events.send(wrap(said)).is_err() {
                    return;
                }
            }
            None => {
                let _ = writeln!(log, "{line}");
            }
        }
    }
    let _ = events.send(wrap(Said::Gone));
}

fn parse(line: &str) -> Option<Said> {
    let fields: Vec<String> = line.split('\t').map(unescape).collect();
    match fields.as_slice() {
        [word, version, scenarios] if word == "READY" => Some(Said::Ready {
            version: version.clone(),
            scenarios: scenarios.split(',').map(str::to_owned).collect(),
        }),
        [word, id, scenario, verb] if word == "ASK" => Some(Said::Ask {
            id: id.clone(),
            scenario: scenario.clone(),
            verb: verb.clone(),
        }),
        [word, scenario, verdict, milliseconds, text] if word == "RESULT" => Some(Said::Result {
            scenario: scenario.clone(),
            ok: verdict == "ok",
            took: Duration::from_millis(milliseconds.parse().ok()?),
            text: text.clone(),
        }),
        _ => None,
    }
}

fn escape(field: &str) -> String {
    field
        .replace('\\', "\\\\")
        .replace('\t', "\\t")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
}

fn unescape(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, false) => text.push(c),
            (_, true) => match chars.next() {
                Some('t') => text.push('\t'),
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_fields_come_back() {
        for text in ["", "plain", "tab\tline\nback\\slash\\n", "ends with \\"] {
            let escaped = escape(text);
            assert!(!escaped.contains(['\t', '\n']), "{escaped}");
            assert_eq!(unescape(&escaped), text);
        }
    }

    #[test]
    fn a_result_is_read_and_other_lines_are_not() {
        assert_eq!(
            parse("RESULT\tsync_send\tfailed\t12\tfirst\\nsecond"),
            Some(Said::Result {
                scenario: "sync_send".to_owned(),
                ok: false,
                took: Duration::from_millis(12),
                text: "first\nsecond".to_owned(),
            })
        );
        assert_eq!(parse("RocketMQLog:WARN No appenders could be found"), None);
    }
}
