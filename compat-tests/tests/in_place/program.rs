//! The Java program that writes and finds again: one JVM for all chains, driven by lines.
//!
//! ```text
//! chain ─ id COMMAND world … ─▶ JVM      chain ◀─ id ok|failed text ─ JVM
//! ```
//!
//! `java/swap/…/Main.java` has the list of commands. Chains ask at the same time; each gets its own answer.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use compat_tests::trouble::{Doing, Trouble};
use compat_tests::{java, logs, orphans};
use tempfile::TempDir;

/// The client that writes and reads; every broker here serves it.
pub(crate) const CLIENT: &str = "4.7.0";
const HEAP_MIB: u32 = 512;
/// Longer than any command: its own waits end after 45 s each.
const ANSWER_LIMIT: Duration = Duration::from_secs(200);

type Answer = Result<String, String>;
type Waiting = Arc<Mutex<BTreeMap<u64, Sender<Answer>>>>;

/// The running JVM. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    input: Mutex<(ChildStdin, u64)>,
    waiting: Waiting,
    log: PathBuf,
    _home: TempDir,
}

impl Program {
    /// Starts the JVM. Its log lies in `logs`.
    pub(crate) fn start(logs: &Path) -> Result<Program, Trouble> {
        let classpath = java::SWAP.classpath(CLIENT)?;
        let home = tempfile::Builder::new()
            .prefix("compat-swap-")
            .tempdir()
            .doing(|| "make a folder".to_owned())?;
        let log = logs.join("program.log");
        let file = File::create(&log).doing(|| format!("make {}", log.display()))?;
        let mut child = java::short_lived_jvm(&classpath, HEAP_MIB, home.path())
            .arg(format!(
                "-Drocketmq.client.logRoot={}",
                logs.join("program-rocketmq").display()
            ))
            .args(["-Dfile.encoding=UTF-8", "compat.swap.Main"])
            .env("HOME", home.path())
            .env_remove("NAMESRV_ADDR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .doing(|| "start the JVM that writes".to_owned())?;
        orphans::started(child.id());
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Trouble("a JVM without stdin or stdout".to_owned()));
        };
        let waiting = Waiting::default();
        let answers = Arc::clone(&waiting);
        thread::spawn(move || listen(stdout, &answers));
        Ok(Program {
            child,
            input: Mutex::new((stdin, 0)),
            waiting,
            log,
            _home: home,
        })
    }

    /// Has a command carried out; `fields` are the world and what follows. Blocks until it is done.
    ///
    /// # Errors
    /// What the program found to be wrong, or that it is gone.
    pub(crate) fn ask(&self, command: &str, fields: &[&str]) -> Result<String, Trouble> {
        let answer = self.send(command, fields)?;
        match answer.recv_timeout(ANSWER_LIMIT) {
            Ok(answer) => answer.map_err(Trouble),
            Err(RecvTimeoutError::Timeout) => {
                Err(Trouble(format!("no answer after {ANSWER_LIMIT:?}")))
            }
            Err(RecvTimeoutError::Disconnected) => Err(Trouble(format!(
                "the JVM that writes has ended; last lines of {}:\n{}",
                self.log.display(),
                logs::tail(&self.log, 20)
            ))),
        }
    }

    fn send(&self, command: &str, fields: &[&str]) -> Result<Receiver<Answer>, Trouble> {
        let (sender, receiver) = mpsc::channel();
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        input.1 += 1;
        let id = input.1;
        lock(&self.waiting).insert(id, sender);
        writeln!(input.0, "{id}\t{command}\t{}", fields.join("\t"))
            .doing(|| "write to the JVM that writes".to_owned())?;
        Ok(receiver)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        orphans::gone(self.child.id());
    }
}

fn lock(
    waiting: &Mutex<BTreeMap<u64, Sender<Answer>>>,
) -> std::sync::MutexGuard<'_, BTreeMap<u64, Sender<Answer>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(stdout: ChildStdout, waiting: &Mutex<BTreeMap<u64, Sender<Answer>>>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let mut fields = line.splitn(3, '\t');
        let (id, verdict, text) = (fields.next(), fields.next(), fields.next());
        let id = id.and_then(|id| id.parse().ok());
        if let (Some(id), Some(verdict), Some(text)) = (id, verdict, text)
            && let Some(sender) = lock(waiting).remove(&id)
        {
            let text = text.replace("\\n", "\n").replace("\\t", "\t");
            // A chain that no longer waits has given up.
            let _ = sender.send(if verdict == "ok" { Ok(text) } else { Err(text) });
        }
    }
    // Whoever still waits learns that nothing comes.
    lock(waiting).clear();
}
