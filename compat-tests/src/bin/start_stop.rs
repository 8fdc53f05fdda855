//! How long Java 4.7.0's broker and ours take to start and to stop, each on copies of the same stores.
//!
//! ```sh
//! cargo run --release -p compat-tests --bin start_stop -- --rounds 3
//! ```
//!
//! ```text
//!   our broker ◄─ batches      filled once: 1 GB in 2M records, 1 GB in 4 KiB bodies, 10,000 queues
//!       │ killed or stopped
//!   prepared store ─ copy, sync ─► Java's broker: start, stop     every round, a copy for each
//!                  └ copy, sync ─► ours:          start, stop
//! ```
//!
//! A start is timed from the process's start to its success line, a stop from SIGTERM to its end. The copies lie in the
//! page cache and on disk. A killed store has no checkpoint: nothing vouches for any part of it, which is the worst that
//! a crash can leave. Takes 9 GB of disk under `target/` meanwhile, and some minutes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use compat_tests::batches::{BatchSender, Bodies};
use compat_tests::cluster::{Cluster, Mode, Spec};
use compat_tests::logs;
use compat_tests::servers::{CONTROL, Servers};
use compat_tests::trouble::{Doing, Trouble};

/// 2M records of 130 bytes and 1 KiB make 1 GB with what a record has besides its body.
const SMALL: Fill = Fill {
    batches: 20_000,
    bodies: &[(77, 130), (23, 1024)],
    topics: 1,
};
const LARGE: Fill = Fill {
    batches: 12_000,
    bodies: &[(20, 4096)],
    topics: 1,
};
const MANY_QUEUES: Fill = Fill {
    batches: 20_000,
    bodies: &[(4, 130)],
    topics: 10_000 / QUEUES,
};
/// What a broker gets before it is stopped under load.
const LOAD: Fill = Fill {
    batches: 4_000,
    ..SMALL
};
const QUEUES: u32 = 8;

const SYNC: &[(&str, &str)] = &[("flushDiskType", "SYNC_FLUSH")];

/// Messages for a store: each batch goes to the next queue of all topics.
struct Fill {
    batches: u32,
    bodies: Bodies<'static>,
    topics: u32,
}

/// What is done to a copy of a store, and what the figures of it are called.
struct Case {
    store: &'static str,
    load: bool,
    mode: Mode,
    start: Option<&'static str>,
    stop: Option<&'static str>,
}

const CASES: [Case; 5] = [
    Case {
        store: "small-killed",
        load: false,
        mode: Mode::Service(&[]),
        start: Some("start after kill -9, 1 GB of 130 B and 1 KiB, 2M records"),
        stop: None,
    },
    Case {
        store: "large-killed",
        load: false,
        mode: Mode::Service(&[]),
        start: Some("start after kill -9, 1 GB of 4 KiB"),
        stop: None,
    },
    Case {
        store: "small-stopped",
        load: true,
        mode: Mode::Service(&[]),
        start: Some("start after a stop, 1 GB, 2M records"),
        stop: Some("stop right after 400,000 messages, ASYNC_FLUSH"),
    },
    Case {
        store: "small-stopped",
        load: true,
        mode: Mode::Service(SYNC),
        start: None,
        stop: Some("stop right after 400,000 messages, SYNC_FLUSH"),
    },
    Case {
        store: "queues-stopped",
        load: false,
        mode: Mode::Service(&[]),
        start: Some("start after a stop, 10,000 queues"),
        stop: Some("stop, 10,000 queues"),
    },
];

fn main() -> ExitCode {
    match rounds_asked_for().and_then(measure) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("start_stop: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn rounds_asked_for() -> Result<usize, Trouble> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = match arguments.as_slice() {
        [] => Some(3),
        [name, rounds] if name == "--rounds" => rounds.parse().ok().filter(|rounds| *rounds > 0),
        _ => None,
    };
    asked.ok_or_else(|| Trouble("usage: start_stop [--rounds <number>]".to_owned()))
}

/// Milliseconds of one kind of servers, by case and round.
type Figures = [Vec<(f64, f64)>; CASES.len()];

fn measure(rounds: usize) -> Result<(), Trouble> {
    let kinds = [CONTROL, Servers::Ours];
    if !logs::profile_folder()?.ends_with("release") {
        eprintln!("start_stop: not a release build; our figures will be those of a debug build");
    }
    for servers in kinds {
        servers.prepare()?;
    }
    let folder = tempfile::Builder::new()
        .prefix("start_stop-")
        .tempdir_in(logs::target_folder()?)
        .doing(|| "make a folder".to_owned())?;
    let stores = Stores(folder.path());
    stores.prepare()?;
    let mut figures: [Figures; 2] = Default::default();
    for round in 1..=rounds {
        for (at, case) in CASES.iter().enumerate() {
            for (servers, figures) in kinds.into_iter().zip(&mut figures) {
                let (start, stop) = stores.time(servers, case)?;
                eprintln!(
                    "start_stop: round {round} of {rounds}, {}, {servers}: start {start:.0} ms, stop {stop:.0} ms",
                    case.store
                );
                if let Some(figures) = figures.get_mut(at) {
                    figures.push((start, stop));
                }
            }
        }
    }
    let [java, ours] = &figures;
    print!("{}", table(java, ours));
    Ok(())
}

/// The folder where the prepared stores lie.
struct Stores<'a>(&'a Path);

impl Stores<'_> {
    fn prepare(&self) -> Result<(), Trouble> {
        let filled = self.filled("small", &SMALL)?;
        self.keep(filled, "small-killed", Cluster::kill_broker)?;
        let recovered = self.cluster(Servers::Ours, Mode::Service(&[]), "small-killed")?;
        self.keep(recovered, "small-stopped", Cluster::stop_broker)?;
        let filled = self.filled("large", &LARGE)?;
        self.keep(filled, "large-killed", Cluster::kill_broker)?;
        let filled = self.filled("queues", &MANY_QUEUES)?;
        self.keep(filled, "queues-stopped", Cluster::stop_broker)
    }

    /// Our broker, running, on a new store with these messages.
    fn filled(&self, name: &str, fill: &Fill) -> Result<Cluster, Trouble> {
        let began = Instant::now();
        let cluster = cluster(Servers::Ours, Mode::Service(&[]), true)?;
        if put(fill, &cluster)? > 0 {
            return Err(Trouble(format!(
                "messages for the store {name} were refused"
            )));
        }
        eprintln!(
            "start_stop: {name} filled in {:.1} s",
            began.elapsed().as_secs_f64()
        );
        Ok(cluster)
    }

    /// A broker, running, on a copy of a prepared store.
    fn cluster(&self, servers: Servers, mode: Mode, store: &str) -> Result<Cluster, Trouble> {
        let mut cluster = cluster(servers, mode, false)?;
        copy(&self.0.join(store), &cluster.store())?;
        cluster.start_broker()?;
        Ok(cluster)
    }

    /// Ends the broker and keeps its store under `name`.
    fn keep(
        &self,
        mut cluster: Cluster,
        name: &str,
        end: impl FnOnce(&mut Cluster) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        end(&mut cluster)?;
        let store = self.0.join(name);
        fs::rename(cluster.store(), &store).doing(|| format!("keep the store {name}"))?;
        if store.join("abort").exists() {
            let checkpoint = store.join("checkpoint");
            fs::remove_file(&checkpoint).doing(|| format!("remove {}", checkpoint.display()))?;
        }
        Ok(())
    }

    /// Milliseconds of one start and one stop.
    fn time(&self, servers: Servers, case: &Case) -> Result<(f64, f64), Trouble> {
        let mut cluster = self.cluster(servers, case.mode, case.store)?;
        let started = cluster.broker().map(|broker| broker.started_in);
        if case.load && put(&LOAD, &cluster)? > 0 {
            eprintln!("start_stop: {servers} refused some of the load");
        }
        let began = Instant::now();
        cluster.stop_broker()?;
        Ok((
            milliseconds(started.unwrap_or_default()),
            milliseconds(began.elapsed()),
        ))
    }
}

/// A name server and, if asked for, a broker on an empty store.
fn cluster(servers: Servers, mode: Mode, with_broker: bool) -> Result<Cluster, Trouble> {
    let logs = logs::fresh_folder("start_stop")?;
    let spec = Spec {
        servers,
        namesrvs: 1,
        mode,
    };
    if with_broker {
        Cluster::start(spec, &logs)
    } else {
        Cluster::without_broker(spec, &logs)
    }
}

/// Sends the messages; returns how many batches were refused.
fn put(fill: &Fill, cluster: &Cluster) -> Result<u64, Trouble> {
    let mut sender = BatchSender::connect(&cluster.broker_addr())?;
    for batch in 0..fill.batches {
        let topic = format!("Filled{}", batch / QUEUES % fill.topics);
        sender.send(&topic, batch % QUEUES, fill.bodies)?;
    }
    sender.wait()
}

/// Copies a store, on disk too, so that nobody's start has to write what the copy left. What was never written is a
/// hole afterwards, not gigabytes of zeros in the page cache.
fn copy(from: &Path, to: &PathBuf) -> Result<(), Trouble> {
    let copied = Command::new("cp")
        .args(["-r", "--sparse=always"])
        .arg(from)
        .arg(to)
        .status();
    let copied = copied.doing(|| "start cp".to_owned())?;
    if !copied.success() {
        return Err(Trouble(format!("cp of {}: {copied}", from.display())));
    }
    let synced = File::open(to).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
    synced.doing(|| format!("sync {}", to.display()))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Medians of the rounds, and what ours is of Java's.
fn table(java: &Figures, ours: &Figures) -> String {
    let mut text = "| ms | Java 4.7.0 | ours | ours ÷ Java |\n|---|---:|---:|---:|\n".to_owned();
    for ((case, java), ours) in CASES.iter().zip(java).zip(ours) {
        let start = |figures: &(f64, f64)| figures.0;
        let stop = |figures: &(f64, f64)| figures.1;
        let mut line = |name: Option<&str>, value: fn(&(f64, f64)) -> f64| {
            if let Some(name) = name {
                let (java, ours) = (median(java, value), median(ours, value));
                text.push_str(&format!(
                    "| {name} | {java:.0} | {ours:.0} | {:.3} |\n",
                    ours / java
                ));
            }
        };
        line(case.start, start);
        line(case.stop, stop);
    }
    text
}

fn median(rounds: &[(f64, f64)], value: fn(&(f64, f64)) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
    let lower = values
        .len()
        .checked_sub(1)
        .and_then(|last| values.get(last / 2));
    lower.map_or(upper, |lower| (lower + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_median_is_the_middle_round_or_between_the_two_middle_ones() {
        let median = |starts: &[f64]| {
            let rounds: Vec<_> = starts.iter().map(|start| (*start, 0.0)).collect();
            super::median(&rounds, |round| round.0)
        };
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
    }
}
