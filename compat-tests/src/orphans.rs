//! No server outlives the test that started it, even if the test is killed.
//!
//! One shell a test program is told every process id, and told again when that process is gone. Its stdin ends with
//! the test program, however that ends; what is still on its list then is killed with SIGKILL. (A parent-death signal
//! would do, but it belongs to the thread that started the process, and those come and go.)

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Signals that a terminal sends to the whole group must not end the watcher before its work.
const WATCH: &str = r#"
trap '' INT TERM HUP
pids=' '
while read -r word pid; do
  case $word in
    started) pids="$pids$pid " ;;
    gone) pids="${pids%% $pid *} ${pids#* $pid }" ;;
  esac
done
for pid in $pids; do kill -9 "$pid"; done 2>/dev/null
"#;

static WATCHER: Mutex<Option<Child>> = Mutex::new(None);

/// `pid` is to be killed when this program ends.
pub fn started(pid: u32) {
    tell("started", pid);
}

/// `pid` has ended, and may soon be another's.
pub fn gone(pid: u32) {
    tell("gone", pid);
}

/// Without a shell nobody watches: the tests work all the same, so this is no error.
fn tell(word: &str, pid: u32) {
    let mut watcher = WATCHER.lock().unwrap_or_else(PoisonError::into_inner);
    if watcher.is_none() {
        *watcher = Command::new("sh")
            .args(["-c", WATCH])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok();
    }
    if let Some(stdin) = watcher.as_mut().and_then(|child| child.stdin.as_mut()) {
        let _ = writeln!(stdin, "{word} {pid}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn what_is_not_gone_is_killed_at_the_end_of_the_watchers_input() {
        let sleeper = || Command::new("sleep").arg("100").spawn().unwrap();
        let (mut left, mut ended) = (sleeper(), sleeper());
        let mut watcher = Command::new("sh")
            .args(["-c", WATCH])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = watcher.stdin.take().unwrap();
        for pid in [1_999_999_999, ended.id(), left.id()] {
            writeln!(stdin, "started {pid}").unwrap();
        }
        writeln!(stdin, "gone {}", ended.id()).unwrap();
        drop(stdin);
        watcher.wait().unwrap();
        assert_eq!(left.wait().unwrap().signal(), Some(9));
        assert!(
            ended.try_wait().unwrap().is_none(),
            "one that was called gone was killed"
        );
        ended.kill().unwrap();
        ended.wait().unwrap();
    }
}
