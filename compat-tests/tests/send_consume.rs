//! Java clients of four versions send to and consume from our servers, and Java's own servers as the control.
//!
//! `cargo test -p compat-tests --test send_consume -- ours/4.7.0` runs a part; only the servers and clients of that part
//! are started. `COMPAT_RECORD=1` writes what clients saw of the control to `observations.txt`.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use compat_tests::board::{Board, Case};
use compat_tests::gaps::Gaps;
use compat_tests::observations::{self, Differences, Observations};
use compat_tests::scenarios::{CLIENTS, SCENARIOS};
use compat_tests::servers::{CONTROL, Servers};
use compat_tests::trouble::Trouble;
use compat_tests::{report, run};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// In this order, one after the other: two kinds of servers at once would only slow each other down.
const SERVERS: [Servers; 2] = [CONTROL, Servers::Ours];

fn main() -> ExitCode {
    judged().unwrap_or_else(|trouble| {
        eprintln!("compat-tests: {trouble}");
        ExitCode::FAILURE
    })
}

/// What a result is held against.
struct Rules {
    gaps: Gaps,
    observations: Observations,
    differences: Differences,
    /// The control's observations are to be written, not compared.
    recording: bool,
}

fn judged() -> Result<ExitCode, Trouble> {
    let mut arguments = Arguments::from_args();
    let rules = Arc::new(Rules {
        gaps: Gaps::read()?,
        observations: Observations::read()?,
        differences: Differences::read()?,
        recording: std::env::var_os("COMPAT_RECORD").is_some(),
    });
    let board = Arc::new(Board::default());
    let wanted: Arc<[Case]> = all_cases()
        .filter(|case| !arguments.is_filtered_out(&Trial::test(case.name(), || Ok(()))))
        .collect();
    let begin = Arc::new(OnceLock::new());
    let mut trials = Vec::new();
    for case in all_cases() {
        let (board, rules) = (Arc::clone(&board), Arc::clone(&rules));
        let (begin, wanted) = (Arc::clone(&begin), Arc::clone(&wanted));
        trials.push(Trial::ignorable_test(case.name(), move || {
            // Started by the first trial that is really run, so not for `--list`.
            begin.get_or_init(|| start(wanted, Arc::clone(&board)));
            verdict(&case, &board, &rules)
        }));
    }
    // Each trial is a thread that only waits for its result, and prints it when it is there.
    arguments.test_threads = Some(wanted.len().max(2));
    let conclusion = libtest_mimic::run(&arguments, trials);
    // The last result is there before the last server is gone.
    if let Some(runs) = Arc::into_inner(begin).and_then(OnceLock::into_inner) {
        let _ = runs.join();
    }
    if !board.all().is_empty() {
        eprintln!("compat-tests: table of times in {}", report::write(&board)?);
        if rules.recording {
            observations::record(&board)?;
        }
    }
    Ok(conclusion.exit_code())
}

fn all_cases() -> impl Iterator<Item = Case> {
    SERVERS.into_iter().flat_map(|servers| {
        CLIENTS.into_iter().flat_map(move |client| {
            SCENARIOS.iter().map(move |scenario| Case {
                servers,
                client,
                scenario: scenario.name,
            })
        })
    })
}

/// Runs all that is wanted on a thread of its own.
fn start(wanted: Arc<[Case]>, board: Arc<Board>) -> JoinHandle<()> {
    thread::spawn(move || {
        for servers in SERVERS {
            let cases: Vec<Case> = wanted
                .iter()
                .filter(|case| case.servers == servers)
                .copied()
                .collect();
            if !cases.is_empty() {
                run::run(servers, &cases, &board);
            }
        }
    })
}

fn verdict(case: &Case, board: &Board, rules: &Rules) -> Result<Completion, Failed> {
    let outcome = board.wait(*case);
    let mut wrong = (!outcome.ok).then_some(outcome.text.clone());
    if outcome.ok && !(rules.recording && case.servers == CONTROL) {
        wrong = rules
            .observations
            .difference(case, &outcome.text, &rules.differences);
    }
    match (wrong, rules.gaps.reason(case)) {
        (None, None) => Ok(Completion::Completed),
        (Some(wrong), None) => Err(Failed::from(wrong)),
        (Some(_), Some(reason)) => Ok(Completion::ignored_with(format!("known gap: {reason}"))),
        (None, Some(_)) => Err(Failed::from(
            "passes, so its line must be taken out of known_gaps.txt",
        )),
    }
}
