//! Store directories that go from Java's broker to ours and back, as real processes.
//!
//! `cargo test -p compat-tests --test in_place -- killed` runs a part. Needs a JDK and Maven, as `send_consume` does.

mod chain;
mod program;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use chain::{Chain, End, Ext};
use compat_tests::board::Case;
use compat_tests::gaps::Gaps;
use compat_tests::logs;
use compat_tests::servers::Servers::{self, Java, Ours};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use program::Program;

/// The reference, and the last of its line that we hold ourselves to.
const OLD: Servers = Java("4.7.0");
const NEW: Servers = Java("4.9.4");
/// Each chain has one broker and mostly waits for it; the JVM that writes is shared.
const BESIDE_EACH_OTHER: usize = 4;

type Shared = Arc<OnceLock<Result<Program, String>>>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(BESIDE_EACH_OTHER);
    let gaps = match Gaps::read() {
        Ok(gaps) => gaps,
        Err(trouble) => {
            eprintln!("compat-tests: {trouble}");
            return ExitCode::FAILURE;
        }
    };
    let program = Shared::default();
    let mut trials = Vec::new();
    for chain in chains() {
        let gap = gaps.reason(&case(&chain)).map(str::to_owned);
        let program = Arc::clone(&program);
        trials.push(Trial::ignorable_test(chain.name(), move || {
            judged(run(chain, &program), gap)
        }));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Its destructor ends the JVM: the one behind `exit` would not.
    drop(program);
    conclusion.exit_code()
}

fn chains() -> Vec<Chain> {
    let mut chains = Vec::new();
    for brokers in [
        [OLD, Ours, OLD],
        [Ours, OLD, Ours],
        [NEW, Ours, NEW],
        [Ours, NEW, Ours],
    ] {
        for end in [End::Killed, End::Stopped] {
            let ext = Ext::Off;
            chains.push(Chain { brokers, end, ext });
        }
    }
    let with_ext = [
        ([OLD, Ours, OLD], End::Killed, Ext::On),
        ([Ours, OLD, Ours], End::Killed, Ext::OffAtLast),
        ([Ours, OLD, Ours], End::Stopped, Ext::On),
        ([OLD, Ours, OLD], End::Stopped, Ext::OffAtLast),
    ];
    chains.extend(with_ext.map(|(brokers, end, ext)| Chain { brokers, end, ext }));
    chains
}

/// A chain as `known_gaps.txt` names it: `ours 4.7.0 in_place/<chain>`.
fn case(chain: &Chain) -> Case {
    Case {
        servers: Ours,
        client: program::CLIENT,
        scenario: format!("in_place/{}", chain.name()).leak(),
    }
}

fn judged(result: Result<(), Failed>, gap: Option<String>) -> Result<Completion, Failed> {
    match (result, gap) {
        (Ok(()), None) => Ok(Completion::Completed),
        (Err(wrong), None) => Err(wrong),
        (Err(_), Some(reason)) => Ok(Completion::ignored_with(format!("known gap: {reason}"))),
        (Ok(()), Some(_)) => Err(Failed::from(
            "passes, so its line must be taken out of known_gaps.txt",
        )),
    }
}

fn run(chain: Chain, program: &Shared) -> Result<(), Failed> {
    let start = || {
        let logs = logs::fresh_folder("in_place").map_err(|trouble| trouble.0)?;
        Program::start(&logs).map_err(|trouble| trouble.0)
    };
    match program.get_or_init(start) {
        Ok(program) => chain.run(program).map_err(Failed::from),
        Err(trouble) => Err(Failed::from(trouble.clone())),
    }
}
