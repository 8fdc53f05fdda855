//! One store directory handed from broker to broker, on the same ports.
//!
//! ```text
//!            write a round, consume half of it      write another            deliver all that is pending
//! first  ────────────────────────────────── second ────────────────── third ────────────────────────────
//!                                           compare, go on            compare, go on
//! ```
//!
//! Between two brokers stands a stop in order or a `kill -9`. What clients could see before it they must see after it,
//! byte for byte and offset for offset.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use compat_tests::cluster::{Cluster, Mode, Spec};
use compat_tests::logs;
use compat_tests::servers::{Servers, binary};
use compat_tests::trouble::{Doing, Trouble};

use crate::program::Program;

/// How a broker goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// SIGTERM: the store is closed in order.
    Stopped,
    /// SIGKILL: the store is recovered by the next one.
    Killed,
}

/// Who has the store, one after the other, and how each but the last goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    pub(crate) brokers: [Servers; 3],
    pub(crate) end: End,
    pub(crate) ext: Ext,
}

/// When queues have an extension (`enableConsumeQueueExt`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ext {
    /// Never: Java's default.
    Off,
    On,
    /// On, and off for the last of the three, who finds addresses in the entries that it cannot look up.
    OffAtLast,
}

/// Small files, so that a round rolls all of them; offsets are persisted often, so that a kill need not wait for it.
///
/// With `messageIndexSafe` off, its default, a Java broker that recovers from a kill throws away the index file in use and
/// makes only the entries since the last checkpoint again: messages before that are no longer found by key.
const FILES: [(&str, &str); 9] = [
    ("mappedFileSizeCommitLog", "262144"),
    ("mappedFileSizeConsumeQueue", "2000"),
    ("maxHashSlotNum", "200"),
    ("maxIndexNum", "800"),
    ("flushConsumerOffsetInterval", "500"),
    ("flushDelayOffsetInterval", "500"),
    ("messageIndexSafe", "true"),
    ("transactionTimeOut", "1000"),
    ("registerNameServerPeriod", "10000"),
];
/// Level 1 is a second, every other an hour, and nobody is asked about a transaction: what is pending stays so.
const MIDDLE: [Key; 2] = [
    (
        "messageDelayLevel",
        "1s 1h 1h 1h 1h 1h 1h 1h 1h 1h 1h 1h 1h 1h 1h 1h 1h 1h",
    ),
    ("transactionCheckInterval", "3600000"),
];
/// What is due later than its level's delay from now counts as due: all that is pending is delivered at once.
const LAST: [Key; 2] = [
    (
        "messageDelayLevel",
        "1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s",
    ),
    ("transactionCheckInterval", "1000"),
];

type Key = (&'static str, &'static str);

/// All keys of a broker: `own`, and whether queues have an extension, its files small too.
const fn with(own: [Key; 2], ext: bool) -> [Key; 13] {
    let [a, b, c, d, e, f, g, h, i] = FILES;
    let [j, k] = own;
    let on = if ext { "true" } else { "false" };
    let (l, m) = (
        ("enableConsumeQueueExt", on),
        ("mappedFileSizeConsumeQueueExt", "4096"),
    );
    [a, b, c, d, e, f, g, h, i, j, k, l, m]
}

/// Without an extension, and with it.
static MIDDLE_KEYS: [[Key; 13]; 2] = [with(MIDDLE, false), with(MIDDLE, true)];
static LAST_KEYS: [[Key; 13]; 2] = [with(LAST, false), with(LAST, true)];

impl Chain {
    /// For example `java-4.7.0_ours_java-4.7.0/killed`.
    pub(crate) fn name(&self) -> String {
        let brokers = self.brokers.map(|servers| servers.to_string()).join("_");
        let end = match self.end {
            End::Stopped => "stopped",
            End::Killed => "killed",
        };
        let ext = match self.ext {
            Ext::Off => "",
            Ext::On => "_ext",
            Ext::OffAtLast => "_ext_off",
        };
        format!("{brokers}/{end}{ext}")
    }

    fn middle(&self) -> &'static [Key] {
        let [without, with] = &MIDDLE_KEYS;
        if self.ext == Ext::Off { without } else { with }
    }

    fn last(&self) -> &'static [Key] {
        let [without, with] = &LAST_KEYS;
        if self.ext == Ext::On { with } else { without }
    }

    /// Runs it. All servers are gone on return.
    ///
    /// # Errors
    /// All that was not as it had been, broker by broker.
    pub(crate) fn run(&self, program: &Program) -> Result<(), Trouble> {
        for servers in self.brokers.iter().chain([&Servers::Ours]) {
            servers.prepare()?;
        }
        let logs = logs::fresh_folder(&format!("in_place/{}", self.name()))?;
        let spec = Spec {
            servers: Servers::Ours,
            namesrvs: 1,
            mode: Mode::Test(self.middle()),
        };
        let mut run = Run {
            name: self.name(),
            cluster: Cluster::without_broker(spec, &logs)?,
            program,
            logs: &logs,
            wrong: Vec::new(),
            start: Instant::now(),
        };
        let done = self.hand_on(&mut run);
        if let Err(trouble) = done {
            run.wrong.push(trouble.0);
        }
        if run.wrong.is_empty() {
            return Ok(());
        }
        let wrong = run.wrong.join("\n");
        Err(Trouble(format!("{wrong}\nlogs: {}", logs.display())))
    }

    fn hand_on(&self, run: &mut Run<'_>) -> Result<(), Trouble> {
        let [first, second, third] = self.brokers;
        run.take_over(first, self.middle())?;
        run.ask("WRITE", &["0"])?;
        run.keep("first")?;
        run.end(self.end)?;

        run.take_over(second, self.middle())?;
        run.compare("second", "middle");
        run.ask("GO_ON", &["1"])?;
        run.ask("WRITE", &["1"])?;
        run.keep("second-end")?;
        run.end(self.end)?;

        run.take_over(third, self.last())?;
        run.compare("third", "last");
        run.ask("GO_ON", &["2"])?;
        run.ask("DELIVER", &[])
    }
}

struct Run<'a> {
    name: String,
    cluster: Cluster,
    program: &'a Program,
    logs: &'a Path,
    /// Differences so far: one broker's do not hide the next one's.
    wrong: Vec<String>,
    start: Instant,
}

impl Run<'_> {
    fn take_over(
        &mut self,
        servers: Servers,
        keys: &'static [(&'static str, &'static str)],
    ) -> Result<(), Trouble> {
        self.cluster.hand_broker_to(servers, keys)?;
        self.cluster
            .start_broker()
            .map_err(|trouble| Trouble(format!("{servers} takes over: {trouble}")))?;
        self.note(&format!("{servers} runs"));
        let whose = match servers {
            Servers::Ours => "ours",
            Servers::Java(_) => "java",
        };
        let addresses = [self.cluster.namesrv_addr(), self.cluster.broker_addr()];
        // The same addresses again: the program knows the world by its name.
        self.ask("WORLD", &[&addresses[0], &addresses[1], whose])
    }

    fn ask(&self, command: &str, fields: &[&str]) -> Result<(), Trouble> {
        let mut all = vec![self.name.as_str()];
        all.extend(fields);
        let answer = self.program.ask(command, &all);
        self.note(&format!(
            "{command} {}",
            if answer.is_ok() { "ok" } else { "FAILED" }
        ));
        answer
            .map(drop)
            .map_err(|trouble| Trouble(format!("{command} {}: {trouble}", fields.join(" "))))
    }

    fn keep(&self, file: &str) -> Result<(), Trouble> {
        self.ask("KEEP", &[&self.file(file)])
    }

    fn compare(&mut self, file: &str, which: &str) {
        if let Err(trouble) = self.ask("COMPARE", &[&self.file(file), which]) {
            self.wrong.push(trouble.0);
        }
    }

    /// The list of what clients saw; it stays for whoever looks into a difference.
    fn file(&self, name: &str) -> String {
        self.logs.join(format!("{name}.txt")).display().to_string()
    }

    fn end(&mut self, end: End) -> Result<(), Trouble> {
        let store = self.cluster.store();
        // Before a stop too: Java 4.7.0 does not write its delay offsets then, and delivers again what came last.
        let config = store.join("config").display().to_string();
        self.ask("PERSISTED", &[&config])?;
        match end {
            End::Stopped => self.cluster.stop_broker()?,
            End::Killed => self.cluster.kill_broker()?,
        }
        self.note("gone");
        let files = fs::read_dir(store.join("commitlog")).doing(|| "list the log".to_owned())?;
        if files.count() < 4 {
            return Err(Trouble("the log has not rolled three times".to_owned()));
        }
        if store.join("abort").exists() != (end == End::Killed) {
            return Err(Trouble(format!("the file `abort` is wrong after: {end:?}")));
        }
        check(&store)
    }

    /// Times, for whoever wonders where they go: `times.txt` in the chain's logs.
    fn note(&self, what: &str) {
        use std::io::Write as _;
        let path = self.logs.join("times.txt");
        if let Ok(mut file) = fs::OpenOptions::new().create(true).append(true).open(path) {
            let _ = writeln!(file, "{:>6} ms {what}", self.start.elapsed().as_millis());
        }
    }
}

/// What is on the disk is whole, whoever left it and however: `mqstore check`.
fn check(store: &Path) -> Result<(), Trouble> {
    let mut mqstore = Command::new(binary("mqstore")?);
    let checked = mqstore.arg("check").arg(store).output();
    let checked = checked.doing(|| "run mqstore".to_owned())?;
    if checked.status.success() {
        return Ok(());
    }
    let said = [checked.stdout, checked.stderr].concat();
    Err(Trouble(format!(
        "mqstore check: {}",
        String::from_utf8_lossy(&said)
    )))
}
