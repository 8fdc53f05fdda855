//! Brokers and their disks: one that fills up ([`full`]), and one whose old files have gone when another broker takes the
//! store over ([`expired`]).
//!
//! The program runs in a mount namespace of its own, which ends with it. Where no tmpfs can be mounted, neither as root
//! nor in a user namespace, the trials that need one are skipped.

mod expired;
mod full;
mod wire;

use std::os::unix::process::CommandExt;
use std::process::{Command as Program, ExitCode, Stdio};

use compat_tests::servers::{CONTROL, Servers};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// Set in the process that has a mount namespace of its own.
const INSIDE: &str = "COMPAT_DISK_INSIDE";

fn main() -> ExitCode {
    let inside = std::env::var_os(INSIDE).is_some();
    if !inside {
        for how in [&["--mount"][..], &["--user", "--map-root-user", "--mount"]] {
            if can_mount(how) {
                let this = std::env::current_exe().unwrap_or_default();
                let mut again = Program::new("unshare");
                again.args(how).arg(this).args(std::env::args_os().skip(1));
                let error = again.env(INSIDE, "1").exec();
                eprintln!("compat-tests: run in a mount namespace: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    let full = [CONTROL, Servers::Ours].map(|servers| {
        Trial::ignorable_test(format!("{servers}/disk_full"), move || {
            if !inside {
                let why = "no tmpfs can be mounted here, neither as root nor in a user namespace";
                return Ok(Completion::ignored_with(why));
            }
            let done = full::run(servers).map(|()| Completion::Completed);
            done.map_err(|trouble| Failed::from(trouble.0))
        })
    });
    let handed_on = [[CONTROL, Servers::Ours], [Servers::Ours, CONTROL]].map(|[first, second]| {
        let name = format!("{first}/expired_then_{second}");
        Trial::test(name, move || {
            expired::run(first, second).map_err(|trouble| Failed::from(trouble.0))
        })
    });
    let trials = full.into_iter().chain(handed_on).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn can_mount(how: &[&str]) -> bool {
    let mut probe = Program::new("unshare");
    probe
        .args(how)
        .args(["mount", "-t", "tmpfs", "none", "/tmp"]);
    let quiet = probe.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
