//! A server as a process: when to stop, how many descriptors it may open, what it prints and how it ends.
//!
//! | signal           | meaning                                                                       |
//! |------------------|-------------------------------------------------------------------------------|
//! | SIGTERM, SIGINT  | stop in order                                                                 |
//! | SIGHUP           | the same: its terminal is gone; not under `nohup`, which has it ignored       |
//!
//! The rule that is easy to break: whoever waits for a signal no longer ignores it, so SIGHUP is only waited for where it
//! is not ignored when the process starts. The JVM does so too, and raises the limit of descriptors as here.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Descriptors for everything but connections: files of the store, listeners, the log.
const FOR_FILES: u64 = 512;

/// The signals that end a server.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Option<Signal>,
}

impl StopSignals {
    /// From now on they no longer kill the process. Within a tokio runtime.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen() -> io::Result<StopSignals> {
        let hang_up = (!hang_up_is_ignored()).then(|| signal(SignalKind::hangup()));
        Ok(StopSignals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: hang_up.transpose()?,
        })
    }

    /// Returns when one of them has come, since `listen`.
    pub async fn told(&mut self) {
        let StopSignals {
            terminate,
            interrupt,
            hang_up,
        } = self;
        let hung_up = async {
            match hang_up {
                Some(hang_up) => hang_up.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hung_up => {}
        }
    }
}

fn hang_up_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hang_up(&status))
}

/// Bit 0 of `SigIgn` stands for signal 1.
fn ignores_hang_up(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

/// Raises the soft limit of open descriptors to the hard one. The limit it is then, if there is one.
pub fn raise_descriptors() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current, // it goes on with what it has
    }
}

/// How many connections there may be without taking the descriptors that files need.
#[must_use]
pub fn connections_allowed() -> usize {
    allowed(getrlimit(Resource::Nofile).current)
}

fn allowed(descriptors: Option<u64>) -> usize {
    let Some(descriptors) = descriptors else {
        return usize::MAX;
    };
    let left = descriptors - FOR_FILES.min(descriptors / 2);
    usize::try_from(left).unwrap_or(usize::MAX)
}

/// Java's −1.
pub const FAILED: u8 = 255;

/// Why there is nothing to stop: the code to end with, and a sentence.
pub type NotStarted = (u8, String);

/// The exit code of a server that has stopped or could not start; why it could not is said on stderr. That is to be the
/// last line there, so the log must have gone out before.
#[must_use]
pub fn exit_code(program: &str, served: Result<ExitCode, NotStarted>) -> ExitCode {
    served.unwrap_or_else(|(code, reason)| {
        complain(program, &reason);
        ExitCode::from(code)
    })
}

/// Tells on stderr why the start ends, and ends it in order even if nobody reads.
pub fn complain(program: &str, reason: &dyn fmt::Display) {
    let _ = writeln!(io::stderr(), "{program}: {reason}");
}

/// Prints, and lives on if nobody reads.
pub fn say(text: &str) {
    let mut stdout = io::stdout();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nohup_ignores_stays_ignored() {
        let status = |mask| {
            format!("Name:\tmqbroker\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\nSigCgt:\t1\n")
        };
        assert!(ignores_hang_up(&status("0000000000001001")));
        assert!(!ignores_hang_up(&status("0000000000001000")));
        assert!(!ignores_hang_up("nothing of the kind"));
    }

    #[test]
    fn files_keep_their_descriptors_whatever_the_limit() {
        assert_eq!(allowed(Some(524_288)), 523_776);
        assert_eq!(allowed(Some(1_024)), 512);
        assert_eq!(allowed(Some(100)), 50);
        assert_eq!(allowed(None), usize::MAX);
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let raised = raise_descriptors();
        assert_eq!(raised, getrlimit(Resource::Nofile).maximum);
        assert_eq!(raised, getrlimit(Resource::Nofile).current);
    }
}
