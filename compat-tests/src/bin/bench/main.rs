//! Java 4.7.0's servers, ours and the limit, one after the other on this machine under the same load: the table of
//! PERFORMANCE.md as ratios, with medians and spread of repeated, interleaved rounds.
//!
//! ```sh
//! cargo run --release -p compat-tests --bin bench                       # all of it: about 20 minutes
//! cargo run --release -p compat-tests --bin bench -- --only send --rounds 1 --seconds 3
//! cargo run --release -p compat-tests --bin bench -- --keep             # and keep it under compat-tests/results/
//! ```
//!
//! ```text
//! round ─▶ setting (async, sync, …) ─▶ side (Java, ours, limit) ─▶ servers started ─▶ its cases, by mqload ─▶ samples
//! samples of all rounds ─▶ medians ─▶ table, JSON, pictures of latency over time
//! ```
//!
//! A round meets all sides, so that a machine that changes its pace meets them all. The load shares the machine with
//! the server: compare ratios, not figures of other machines.

mod cases;
mod java_client;
mod keep;
mod memory;
mod samples;
mod scene;
mod sides;
mod steal;
mod table;

use std::process::ExitCode;

use clap::Parser;
use compat_tests::logs;
use compat_tests::trouble::Trouble;

use crate::cases::{Case, SETTINGS};
use crate::samples::Samples;
use crate::scene::Scene;
use crate::sides::Sides;

/// What to measure, and how often.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub(crate) struct Options {
    /// Rounds; medians are taken over them.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: u32,
    /// Seconds that count of each load.
    #[arg(long, default_value_t = 8)]
    pub(crate) seconds: u32,
    /// Seconds of the run at half of the peak rate, whose longest latency is told.
    #[arg(long, default_value_t = 20)]
    pub(crate) tail_seconds: u32,
    /// Free memory that is written to before each case, GiB, so that the host has it ready; 0 for none.
    #[arg(long, default_value_t = 6)]
    pub(crate) memory_gib: u32,
    /// Only cases whose name contains this.
    #[arg(long)]
    pub(crate) only: Option<String>,
    /// Without Java's servers.
    #[arg(long)]
    pub(crate) no_java: bool,
    /// Keep samples, table and pictures under compat-tests/results/.
    #[arg(long)]
    pub(crate) keep: bool,
}

impl Options {
    fn wants(&self, case: &Case) -> bool {
        let only = self.only.as_deref().unwrap_or_default();
        case.name.contains(only)
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match measure(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("bench: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<(), Trouble> {
    if !logs::profile_folder()?.ends_with("release") {
        eprintln!("bench: not a release build; our figures will be those of a debug build");
    }
    let sides = Sides::prepare(!options.no_java)?;
    let folder = logs::fresh_folder("bench")?;
    let mut samples = Samples::default();
    for round in 1..=options.rounds {
        for setting in SETTINGS {
            let cases: Vec<&Case> = setting
                .cases
                .iter()
                .filter(|case| options.wants(case))
                .collect();
            for side in sides.all() {
                let mine: Vec<&Case> = cases
                    .iter()
                    .copied()
                    .filter(|case| case.sides.contains(&side))
                    .collect();
                if mine.is_empty() {
                    continue;
                }
                let said = format!(
                    "round {round} of {}, {}, {side}",
                    options.rounds, setting.name
                );
                let mut scene = Scene::start(&folder, side, setting, round)?;
                for case in mine {
                    eprintln!("bench: {said}: {}", case.name);
                    case.run(&mut scene, options, &mut samples)?;
                }
            }
        }
    }
    let table = table::table(&samples, options);
    print!("{table}");
    if options.keep {
        let kept = keep::keep(&samples, &table, options, &folder)?;
        eprintln!("bench: kept in {}", kept.display());
    }
    Ok(())
}
