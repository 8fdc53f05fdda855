//! One child process: started, awaited by a line of its output, stopped in order or killed, never left behind.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::logs;
use crate::orphans;
use crate::trouble::{Doing, Trouble};

/// A Java server stops in 4 to 5 s when the machine is idle.
const STOP_LIMIT: Duration = Duration::from_secs(45);
const EXIT_POLL: Duration = Duration::from_millis(5);

/// A running server. Dropping it kills it with SIGKILL and waits for its end.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
    /// From the start to the line that said "ready".
    pub started_in: Duration,
}

impl Process {
    /// Starts `command` and waits for a line of its stdout that contains `ready`. Stdout and stderr go to `log`, behind
    /// what it holds.
    ///
    /// # Errors
    /// When it can't be started, ends before that line, or has not printed it after `limit`; it is killed then.
    pub fn start(
        name: &str,
        mut command: Command,
        log: &Path,
        ready: &str,
        limit: Duration,
    ) -> Result<Process, Trouble> {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .doing(|| format!("open {}", log.display()))?;
        let stderr = file
            .try_clone()
            .doing(|| format!("open {} twice", log.display()))?;
        let _ = writeln!(file, "--- {name}: {command:?}");
        let start = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .doing(|| format!("start {name} ({})", command.get_program().to_string_lossy()))?;
        orphans::started(child.id());
        let stdout = child.stdout.take();
        let mut process = Process {
            child,
            name: name.to_owned(),
            log: log.to_owned(),
            started_in: Duration::ZERO,
        };
        let lines = stdout.ok_or_else(|| Trouble(format!("{name} has no stdout")))?;
        match watch(lines, file, ready).recv_timeout(limit) {
            Ok(at) => process.started_in = at.duration_since(start),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                return Err(process.trouble(&format!("has not printed `{ready}` after {limit:?}")));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let end = process
                    .child
                    .wait()
                    .map_or_else(|e| e.to_string(), |status| status.to_string());
                return Err(process.trouble(&format!("ended before it printed `{ready}`: {end}")));
            }
        }
        Ok(process)
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    ///
    /// # Errors
    /// When it is still there after 45 s; it is killed then.
    pub fn stop(mut self) -> Result<Duration, Trouble> {
        let start = Instant::now();
        self.signal(Signal::TERM)?;
        while start.elapsed() < STOP_LIMIT {
            match self.child.try_wait() {
                Ok(Some(_)) => return Ok(start.elapsed()),
                Ok(None) => thread::sleep(EXIT_POLL),
                Err(error) => return Err(self.trouble(&format!("can't be waited for: {error}"))),
            }
        }
        Err(self.trouble(&format!("still runs {STOP_LIMIT:?} after SIGTERM")))
    }

    /// Kills it with SIGKILL, as a crash would, and waits for its end.
    ///
    /// # Errors
    /// When it had ended by itself before.
    pub fn kill(mut self) -> Result<(), Trouble> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Err(self.trouble(&format!("had already ended: {status}")));
        }
        drop(self);
        Ok(())
    }

    /// A line of `/proc/<pid>/status` in KiB, for example `VmRSS`.
    ///
    /// # Errors
    /// When the process is gone or the kernel does not say.
    pub fn memory_kib(&self, key: &str) -> Result<u64, Trouble> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&path).doing(|| format!("read {path} of {}", self.name))?;
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| *name == key)
            .and_then(|(_, value)| value.split_whitespace().next()?.parse().ok())
            .ok_or_else(|| Trouble(format!("{path} has no {key}")))
    }

    /// Processor time it has used, in user and kernel mode. The kernel counts in steps of 10 ms.
    ///
    /// # Errors
    /// When the process is gone or the kernel does not say.
    pub fn cpu_time(&self) -> Result<Duration, Trouble> {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = fs::read_to_string(&path).doing(|| format!("read {path} of {}", self.name))?;
        // The second field is the program's name in brackets; utime and stime are the 14th and the 15th.
        let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks: Vec<u64> = rest
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse().ok())
            .collect();
        match ticks.as_slice() {
            [user, kernel] => Ok(Duration::from_millis((user + kernel) * 10)),
            _ => Err(Trouble(format!("{path} has no times"))),
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), Trouble> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| self.trouble("has no process id"))?;
        kill_process(pid, signal)
            .map_err(|error| self.trouble(&format!("can't be sent {signal:?}: {error}")))
    }

    fn trouble(&self, what: &str) -> Trouble {
        Trouble(format!(
            "{} {what}; last lines of {}:\n{}",
            self.name,
            self.log.display(),
            logs::tail(&self.log, 30)
        ))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only for a process that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        orphans::gone(self.child.id());
    }
}

/// Copies stdout to the log to its end; sends the time at which `ready` was first seen.
fn watch(stdout: ChildStdout, mut log: File, ready: &str) -> mpsc::Receiver<Instant> {
    let (sender, receiver) = mpsc::channel();
    let ready = ready.to_owned();
    thread::spawn(move || {
        let mut sender = Some(sender);
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        while lines
            .read_until(b'\n', &mut line)
            .is_ok_and(|bytes| bytes > 0)
        {
            if String::from_utf8_lossy(&line).contains(&ready)
                && let Some(sender) = sender.take()
            {
                let _ = sender.send(Instant::now());
            }
            let _ = log.write_all(&line);
            line.clear();
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_process_is_ready_at_its_line_and_stops_on_sigterm() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let script = "echo one; echo the server boot success; exec sleep 60";
        let process = Process::start(
            "sleeper",
            shell(script),
            &log,
            "boot success",
            Duration::from_secs(20),
        )
        .unwrap();
        assert!(process.memory_kib("VmRSS").unwrap() > 0);
        process.stop().unwrap();
        assert!(fs::read_to_string(&log).unwrap().contains("one\n"));
    }

    #[test]
    fn an_early_end_is_reported_with_the_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let trouble = Process::start(
            "broken",
            shell("echo no such file >&2; exit 3"),
            &log,
            "ready",
            Duration::from_secs(20),
        )
        .unwrap_err();
        assert!(trouble.0.contains("no such file"), "{trouble}");
        assert!(
            trouble.0.contains("ended before it printed `ready`"),
            "{trouble}"
        );
    }
}
