//! `bin/mqbroker`, `bin/mqnamesrv`, `bin/mqshutdown`: they start our program with all arguments and stop no other.
//!
//! Run in a copy of `bin/`, with `sleep` in the place of the programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One test at a time: a program that is being copied while another test forks cannot be run ("text file busy").
static TURN: Mutex<()> = Mutex::new(());

struct Installation {
    folder: tempfile::TempDir,
}

impl Installation {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("bin")).expect("made");
        for script in ["mqbroker", "mqnamesrv", "mqshutdown"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../bin")
                .join(script);
            fs::copy(from, folder.path().join("bin").join(script)).expect("copied");
        }
        Installation { folder }
    }

    /// Puts a program where the script looks for it.
    fn install(&self, place: &str, program: &str) -> PathBuf {
        let path = self.folder.path().join(place);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::copy(program, &path).expect("copied");
        path
    }

    fn sh(&self, script: &str, args: &[&str]) -> Output {
        let script = self.folder.path().join("bin").join(script);
        Command::new("sh")
            .arg(script)
            .args(args)
            .output()
            .expect("runs")
    }

    fn start(&self, script: &str) -> Process {
        let script = self.folder.path().join("bin").join(script);
        let child = Command::new("sh")
            .arg(script)
            .arg("60")
            .stdout(Stdio::null())
            .spawn()
            .expect("runs");
        let process = Process(child);
        process.wait_until_it_runs("sh", false);
        process
    }
}

/// Ends with the test.
struct Process(Child);

impl Process {
    fn id(&self) -> String {
        self.0.id().to_string()
    }

    /// Waits until the process runs, or no longer runs, the program of that name.
    fn wait_until_it_runs(&self, name: &str, wanted: bool) {
        let exe = Path::new("/proc").join(self.id()).join("exe");
        let resolved = |name: &str| fs::canonicalize(Path::new("/bin").join(name)).ok();
        let end = Instant::now() + Duration::from_secs(30);
        while (fs::read_link(&exe).ok() == resolved(name)) != wanted {
            assert!(Instant::now() < end, "{name} never came or went");
            std::thread::yield_now();
        }
    }

    fn signal_that_ended_it(&mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;
        self.0.wait().expect("ends").signal()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn all_arguments_reach_the_program_and_its_exit_code_comes_back() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let installation = Installation::new();
    let path = installation.install("target/debug/mqbroker", "/bin/sh");
    assert!(fs::metadata(path).expect("there").permissions().mode() & 0o111 != 0);
    let output = installation.sh(
        "mqbroker",
        &["-c", "printf '%s|' \"$@\"; exit 7", "x", "-n", "a b;c", ""],
    );
    assert_eq!(text(&output.stdout), "-n|a b;c||");
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn a_release_is_preferred_and_an_installed_program_to_both() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let installation = Installation::new();
    installation.install("target/debug/mqnamesrv", "/bin/false");
    installation.install("target/release/mqnamesrv", "/bin/true");
    assert!(installation.sh("mqnamesrv", &[]).status.success());
    installation.install("libexec/mqnamesrv", "/bin/false");
    assert!(!installation.sh("mqnamesrv", &[]).status.success());
}

#[test]
fn a_missing_program_is_told_with_the_command_that_makes_it() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let output = Installation::new().sh("mqbroker", &[]);
    assert_eq!(output.status.code(), Some(127));
    assert!(text(&output.stderr).contains("cargo build --release"));
}

#[test]
fn a_link_to_a_script_finds_the_program() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let installation = Installation::new();
    installation.install("libexec/mqbroker", "/bin/true");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let link = elsewhere.path().join("mqbroker");
    std::os::unix::fs::symlink(installation.folder.path().join("bin/mqbroker"), &link)
        .expect("linked");
    assert!(
        Command::new("sh")
            .arg(link)
            .status()
            .expect("runs")
            .success()
    );
}

#[test]
fn shutdown_asks_our_processes_and_no_others() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (ours, theirs) = (Installation::new(), Installation::new());
    for installation in [&ours, &theirs] {
        installation.install("libexec/mqbroker", "/bin/sleep");
        installation.install("libexec/mqnamesrv", "/bin/sleep");
    }
    let (mut first, mut second) = (ours.start("mqbroker"), ours.start("mqbroker"));
    let (name_server, other) = (ours.start("mqnamesrv"), theirs.start("mqbroker"));
    let output = ours.sh("mqshutdown", &["broker"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains(&first.id()) && said.contains(&second.id()),
        "{said}"
    );
    assert!(
        !said.contains(&name_server.id()) && !said.contains(&other.id()),
        "{said}"
    );
    for process in [&mut first, &mut second] {
        assert_eq!(process.signal_that_ended_it(), Some(15));
    }
    let again = ours.sh("mqshutdown", &["broker"]);
    assert_eq!(text(&again.stdout), "No mqbroker running.\n");
    assert_eq!(again.status.code(), Some(255));
}

#[test]
fn shutdown_of_something_else_is_refused() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let output = Installation::new().sh("mqshutdown", &["everything"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "Usage: mqshutdown broker | namesrv\n");
}
