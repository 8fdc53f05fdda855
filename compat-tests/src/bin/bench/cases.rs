//! What is measured, and how: each case is one load on servers that run, or one look at them.
//!
//! The rule that is easy to break: cases of one setting share their servers and run in the order of their list. The
//! pulls read what the sends before them stored.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use compat_tests::trouble::{Doing, Trouble};
use rustix::fs::{Advice, fadvise, fdatasync};
use serde_json::Value;

use crate::Options;
use crate::java_client;
use crate::memory;
use crate::samples::Samples;
use crate::scene::Scene;
use crate::sides::{Side, anonymous_mib, settled_mib};
use crate::steal;

/// Servers started alike, and the cases that share them.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) keys: &'static [(&'static str, &'static str)],
    pub(crate) cases: &'static [Case],
}

/// One thing that is measured.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) sides: &'static [Side],
    how: fn(&mut Scene, &Case, &Options, &mut Samples) -> Result<(), Trouble>,
}

const ALL: &[Side] = &[Side::Java, Side::Ours, Side::Limit];
const BROKERS: &[Side] = &[Side::Java, Side::Ours];
const OURS: &[Side] = &[Side::Ours];

const fn case(
    name: &'static str,
    sides: &'static [Side],
    how: fn(&mut Scene, &Case, &Options, &mut Samples) -> Result<(), Trouble>,
) -> Case {
    Case { name, sides, how }
}

/// All of them, in the order in which they run.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        name: "async",
        keys: &[],
        cases: &[
            case("start", BROKERS, start),
            case("send 4x64", ALL, |scene, case, options, samples| {
                scene.load(case, options, samples, "send", &SEND_4X64)?;
                scene.memory_after(case, samples)
            }),
            case("pull 4x32", BROKERS, |scene, case, options, samples| {
                let arguments = ["--connections", "4", "--batch", "32"];
                scene.load(case, options, samples, "pull", &arguments)
            }),
            case("send 4x64 1 KiB", ALL, |scene, case, options, samples| {
                let arguments = [&SEND_4X64[..], &["--body-bytes", "1024"]].concat();
                scene.load(case, options, samples, "send", &arguments)
            }),
            case("send 1x1", ALL, |scene, case, options, samples| {
                scene.load(case, options, samples, "send", &SEND_1X1)
            }),
            case("half of peak", ALL, |scene, case, options, samples| {
                let whose = match scene.side {
                    Side::Limit => Side::Ours, // what stands in ours' way at that rate
                    own => own,
                };
                half_of_peak(whose, scene, case, options, samples)
            }),
            case(
                "half of Java's peak",
                OURS,
                |scene, case, options, samples| {
                    half_of_peak(Side::Java, scene, case, options, samples)
                },
            ),
            case(
                "arrive at 10k/s",
                BROKERS,
                |scene, case, options, samples| {
                    scene.load(case, options, samples, "both", &["--rate", "10000"])
                },
            ),
            case("java producer", BROKERS, java_producer),
            case("route", ALL, |scene, case, options, samples| {
                scene.route(case, options, samples)
            }),
        ],
    },
    Setting {
        name: "sync",
        keys: &[("flushDiskType", "SYNC_FLUSH")],
        cases: &[
            case(
                "sync send 4x64",
                BROKERS,
                |scene, case, options, samples| {
                    scene.load(case, options, samples, "send", &SEND_4X64)
                },
            ),
            case("sync send 1x1", BROKERS, |scene, case, options, samples| {
                scene.load(case, options, samples, "send", &SEND_1X1)?;
                bare_fdatasync(&scene.folder, case, samples)
            }),
        ],
    },
    Setting {
        name: "cold",
        keys: &[],
        cases: &[case("cold reader", BROKERS, cold_reader)],
    },
    Setting {
        name: "many",
        keys: &[],
        cases: &[
            case("10,000 connections", BROKERS, many_connections),
            case("10,000 topics", OURS, many_topics),
        ],
    },
];

pub(crate) const SEND_4X64: [&str; 4] = ["--connections", "4", "--in-flight", "64"];
const SEND_1X1: [&str; 4] = ["--connections", "1", "--in-flight", "1"];

impl Case {
    pub(crate) fn run(
        &self,
        scene: &mut Scene,
        options: &Options,
        samples: &mut Samples,
    ) -> Result<(), Trouble> {
        memory::back(options.memory_gib);
        let stolen_ms = steal::so_far_ms();
        (self.how)(scene, self, options, samples)
            .map_err(|Trouble(why)| Trouble(format!("{}, {}: {why}", self.name, scene.side)))?;
        let stolen_ms = steal::so_far_ms() - stolen_ms;
        samples.add(scene.side, self.name, "stolen_ms", stolen_ms);
        Ok(())
    }
}

fn start(
    scene: &mut Scene,
    case: &Case,
    _: &Options,
    samples: &mut Samples,
) -> Result<(), Trouble> {
    let (broker, namesrv) = (scene.running.broker()?, scene.running.namesrv()?);
    let mut add = |what, value| samples.add(scene.side, case.name, what, value);
    add("broker_ms", broker.started_in.as_secs_f64() * 1e3);
    add("namesrv_ms", namesrv.started_in.as_secs_f64() * 1e3);
    add("broker_idle_mib", settled_mib(broker)?);
    add("namesrv_idle_mib", settled_mib(namesrv)?);
    Ok(())
}

/// An open loop at half of what the closed loop reached with the servers of `whose`, in this very process.
fn half_of_peak(
    whose: Side,
    scene: &mut Scene,
    case: &Case,
    options: &Options,
    samples: &mut Samples,
) -> Result<(), Trouble> {
    let Some(peak) = samples.spread(whose, "send 4x64", "rate") else {
        eprintln!("bench: left out: needs the case `send 4x64` of {whose} before it");
        return Ok(());
    };
    let rate = format!("{:.0}", peak.median / 2.0);
    let seconds = options.tail_seconds.to_string();
    let arguments = [
        &["--connections", "4", "--in-flight", "4096", "--rate", &rate],
        &["--seconds", &seconds][..],
    ]
    .concat();
    let (addr, pid) = (scene.running.broker_addr(), scene.running.broker()?.id());
    for run in scene.mqload(case.name, "send", &addr, pid, &arguments)? {
        scene.take_down(case, samples, "", &run)?;
    }
    Ok(())
}

fn java_producer(
    scene: &mut Scene,
    case: &Case,
    options: &Options,
    samples: &mut Samples,
) -> Result<(), Trouble> {
    let windows = u64::from(options.seconds).div_ceil(java_client::WINDOW.as_secs());
    let namesrv = scene.running.namesrv_addr();
    let load = java_client::run(&namesrv, scene.running.broker()?, windows, &scene.folder)?;
    let mut add = |what, value| samples.add(scene.side, case.name, what, value);
    add("rate", load.sent_per_second);
    if load.consumed_per_second > 0.0 {
        add("consumed_rate", load.consumed_per_second);
        add("arrive_ms", load.store_to_consumer_ms);
    }
    add("cpu_us", load.cpu_per_message.as_secs_f64() * 1e6);
    add("refused", load.failed as f64);
    Ok(())
}

/// What one `fdatasync` costs here: the least that a send under SYNC_FLUSH can take.
fn bare_fdatasync(folder: &Path, case: &Case, samples: &mut Samples) -> Result<(), Trouble> {
    const WRITES: usize = 500;
    const RECORD_BYTES: u64 = 256;
    let path = folder.join("fdatasync");
    let file = File::create(&path).doing(|| format!("make {}", path.display()))?;
    let doing = || format!("write {}", path.display());
    let bytes = WRITES as u64 * RECORD_BYTES;
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes)
        .map_err(std::io::Error::from)
        .doing(doing)?;
    let mut took = Vec::with_capacity(WRITES);
    for write in 0..WRITES as u64 {
        let start = Instant::now();
        let record = [7; RECORD_BYTES as usize];
        std::os::unix::fs::FileExt::write_all_at(&file, &record, write * RECORD_BYTES)
            .doing(doing)?;
        fdatasync(&file)
            .map_err(std::io::Error::from)
            .doing(doing)?;
        took.push(start.elapsed());
    }
    took.sort_unstable();
    let middle = took.get(WRITES / 2).copied().unwrap_or_default();
    samples.add(Side::Limit, case.name, "p50_us", middle.as_secs_f64() * 1e6);
    Ok(())
}

/// Senders at a steady rate alone, then the same beside a reader of a log that is on disk only.
fn cold_reader(
    scene: &mut Scene,
    case: &Case,
    options: &Options,
    samples: &mut Samples,
) -> Result<(), Trouble> {
    let fill = [&SEND_4X64[..], &["--body-bytes", "4096", "--seconds", "6"]].concat();
    let addr = scene.running.broker_addr();
    scene.mqload("fill", "send", &addr, scene.running.broker()?.id(), &fill)?;
    let cluster = scene.running.cluster()?;
    cluster.stop_broker()?;
    let evicted = evict(&cluster.store().join("commitlog"))?;
    cluster.start_broker()?;
    samples.add(
        scene.side,
        case.name,
        "evicted_mib",
        evicted as f64 / f64::from(1 << 20),
    );
    let seconds = options.seconds.to_string();
    let steady = [
        "--connections",
        "2",
        "--in-flight",
        "4096",
        "--rate",
        "5000",
    ];
    let steady = [&steady[..], &["--seconds", &seconds, "--topic", "Steady"]].concat();
    let pid = scene.running.broker()?.id();
    for run in scene.mqload("steady alone", "send", &addr, pid, &steady)? {
        scene.take_down(case, samples, "alone_", &run)?;
    }
    let mut reader = scene.mqload_command("pull", &addr, &["--seconds", &seconds])?;
    let mut reader = reader
        .stdout(Stdio::null())
        .spawn()
        .doing(|| "start mqload".to_owned())?;
    let beside = scene.mqload("steady beside", "send", &addr, pid, &steady);
    let _ = reader.kill(); // it may have ended by itself
    let _ = reader.wait();
    for run in beside? {
        scene.take_down(case, samples, "beside_", &run)?;
    }
    Ok(())
}

/// Takes a stopped broker's log out of the page cache. Returns its bytes.
fn evict(folder: &Path) -> Result<u64, Trouble> {
    let mut bytes = 0;
    let entries = fs::read_dir(folder).doing(|| format!("read {}", folder.display()))?;
    for entry in entries {
        let path = entry.doing(|| format!("read {}", folder.display()))?.path();
        let file = File::open(&path).doing(|| format!("open {}", path.display()))?;
        let done = fdatasync(&file).and_then(|()| fadvise(&file, 0, None, Advice::DontNeed));
        done.map_err(std::io::Error::from)
            .doing(|| format!("evict {}", path.display()))?;
        bytes += file.metadata().map_or(0, |meta| meta.len());
    }
    Ok(bytes)
}

/// How much a connection costs that does next to nothing.
fn many_connections(
    scene: &mut Scene,
    case: &Case,
    options: &Options,
    samples: &mut Samples,
) -> Result<(), Trouble> {
    const CONNECTIONS: u32 = 9_000; // both ends' descriptors are those of one machine
    let broker = scene.running.broker()?;
    let before = settled_mib(broker)?;
    let (count, seconds) = (CONNECTIONS.to_string(), options.seconds.to_string());
    let arguments = [
        "--connections",
        &count,
        "--in-flight",
        "1",
        "--rate",
        "2000",
    ];
    let arguments = [&arguments[..], &["--seconds", &seconds]].concat();
    let addr = scene.running.broker_addr();
    let file = scene.json_of(case.name);
    let mut command = scene.mqload_command("send", &addr, &arguments)?;
    let mut load = command
        .arg("--json")
        .arg(&file)
        .stdout(Stdio::null())
        .spawn()
        .doing(|| "start mqload".to_owned())?;
    let mut most = before;
    while load
        .try_wait()
        .doing(|| "wait for mqload".to_owned())?
        .is_none()
    {
        most = most.max(anonymous_mib(broker)?);
        std::thread::sleep(Duration::from_millis(100));
    }
    let text = fs::read(&file).doing(|| format!("read {}", file.display()))?;
    let runs: Vec<Value> = serde_json::from_slice(&text)
        .map_err(|error| Trouble(format!("{}: {error}", file.display())))?;
    for run in &runs {
        scene.take_down(case, samples, "", run)?;
    }
    let kib = (most - before).max(0.0) * 1024.0 / f64::from(CONNECTIONS);
    samples.add(scene.side, case.name, "kib_each", kib);
    Ok(())
}

/// Whether sends get slower, and what a queue costs, when there are 80,000 queues. Java is left out: it registers all
/// topics anew for each that is made, which takes it the better part of an hour.
fn many_topics(
    scene: &mut Scene,
    case: &Case,
    options: &Options,
    samples: &mut Samples,
) -> Result<(), Trouble> {
    const TOPICS: u32 = 10_000;
    const QUEUES: u32 = 8;
    let seconds = options.seconds.to_string();
    let plain = [&SEND_4X64[..], &["--seconds", &seconds]].concat();
    let (addr, pid) = (scene.running.broker_addr(), scene.running.broker()?.id());
    for run in scene.mqload("few topics", "send", &addr, pid, &plain)? {
        scene.take_down(case, samples, "few_", &run)?;
    }
    let before = anonymous_mib(scene.running.broker()?)?;
    let topics = TOPICS.to_string();
    let fill = [
        "--topics",
        &topics,
        "--connections",
        "1",
        "--in-flight",
        "64",
    ];
    let fill = [&fill[..], &["--seconds", "20", "--warm-up", "0"]].concat();
    scene.mqload("make topics", "send", &addr, pid, &fill)?;
    let after = settled_mib(scene.running.broker()?)?;
    for run in scene.mqload("many topics", "send", &addr, pid, &plain)? {
        scene.take_down(case, samples, "many_", &run)?;
    }
    let kib = (after - before).max(0.0) * 1024.0 / f64::from(TOPICS * QUEUES);
    samples.add(scene.side, case.name, "kib_each", kib);
    let round = scene.round;
    eprintln!(
        "bench: round {round}: {TOPICS} topics cost {:.1} MiB",
        after - before
    );
    Ok(())
}
