//! A soak: our name server and broker under a steady load, with clients, groups and topics that come and go beside it.
//! Memory, descriptors, threads and mappings must stay flat (R16).
//!
//! ```sh
//! cargo run --release -p compat-tests --bin soak -- --minutes 30
//! ```
//!
//! ```text
//! mqload both ─ 2,000 messages/s ─▶ broker ◀─ churn: topics and groups made, used, left, deleted
//!                                     │  └─ name server ◀─ routes asked for, topics deleted
//!                  every 10 s, both: anonymous memory, descriptors, threads, mappings, processor time
//!                                     └─▶ a line each ─▶ medians of the second and the last quarter ─▶ flat or growing
//! ```
//!
//! It fails when one of them grows. Samples and a picture lie in `target/compat-logs/soak/`.

mod churn;
mod picture;
mod samples;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use compat_tests::cluster::{Cluster, Mode, Spec};
use compat_tests::logs;
use compat_tests::servers::{self, Servers};
use compat_tests::trouble::{Doing, Trouble};

use crate::churn::{Churn, Done};
use crate::samples::Samples;

const PERIOD: Duration = Duration::from_secs(10);

#[derive(Debug, Parser)]
#[command(name = "soak")]
struct Options {
    /// How long.
    #[arg(long, default_value_t = 30)]
    minutes: u32,
    /// Messages a second, sent and followed.
    #[arg(long, default_value_t = 2_000)]
    rate: u32,
}

fn main() -> ExitCode {
    match soak(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("soak: {trouble}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything has stayed flat.
fn soak(options: &Options) -> Result<bool, Trouble> {
    Servers::Ours.prepare()?;
    let logs = logs::fresh_folder("soak")?;
    let spec = Spec {
        servers: Servers::Ours,
        namesrvs: 1,
        mode: Mode::Service(&[("enablePropertyFilter", "true")]),
    };
    let cluster = Cluster::start(spec, &logs)?;
    let (broker, namesrv) = (cluster.broker_addr(), cluster.namesrv_addr());
    let lasts = Duration::from_secs(60 * u64::from(options.minutes));
    let mut load = Load::start(&broker, options, &logs)?;
    let over = AtomicBool::new(false);
    let (samples, done) = thread::scope(|scope| {
        let churn = scope.spawn(|| Churn::new(&broker, &namesrv).run(&over));
        let watched = watch(&cluster, lasts, || !churn.is_finished());
        over.store(true, Ordering::Relaxed);
        let done = churn.join();
        (
            watched,
            done.unwrap_or_else(|_| Err(Trouble("the churn has panicked".to_owned()))),
        )
    });
    let Done {
        connections,
        groups,
        topics,
    } = done?;
    let samples = samples?;
    load.ended()?;
    println!(
        "{connections} connections, {groups} groups and {topics} topics came and went; {} messages/s for {} minutes",
        options.rate, options.minutes
    );
    let verdict = samples.verdict();
    print!("{}", verdict.text);
    write(&logs.join("soak.json"), &samples.json())?;
    write(&logs.join("soak.svg"), &picture::draw(&samples))?;
    Ok(verdict.flat)
}

/// Takes samples until the time is up, or the churn has ended by a failure.
fn watch(
    cluster: &Cluster,
    lasts: Duration,
    goes_on: impl Fn() -> bool,
) -> Result<Samples, Trouble> {
    let began = Instant::now();
    let mut samples = Samples::default();
    println!("{}", samples::HEADING);
    while began.elapsed() < lasts && goes_on() {
        let next = began + PERIOD * (samples.rounds() + 1);
        thread::sleep(next.saturating_duration_since(Instant::now()));
        let missing = || Trouble("a server does not run".to_owned());
        let namesrv = cluster.namesrv().ok_or_else(missing)?;
        let broker = cluster.broker().ok_or_else(missing)?;
        for line in samples.take(began.elapsed(), namesrv, broker)? {
            println!("{line}");
        }
    }
    Ok(samples)
}

fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    fs::write(path, text).doing(|| format!("write {}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}

/// `mqload`, killed if the soak ends before it.
struct Load(Child);

impl Load {
    fn start(broker: &str, options: &Options, logs: &Path) -> Result<Load, Trouble> {
        let seconds = 60 * options.minutes;
        let child = Command::new(servers::binary("mqload")?)
            .args(["both", broker, "--rate", &options.rate.to_string()])
            .args(["--warm-up", "0", "--seconds", &seconds.to_string()])
            .arg("--json")
            .arg(logs.join("load.json"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        child.map(Load).doing(|| "start mqload".to_owned())
    }

    fn ended(&mut self) -> Result<(), Trouble> {
        let status = self.0.wait().doing(|| "wait for mqload".to_owned())?;
        if status.success() {
            return Ok(());
        }
        Err(Trouble(format!("mqload: {status}")))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Fails only for one that has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
