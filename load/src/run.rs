//! One run: all connections at once, the server watched meanwhile, the figures at the end.

use std::future::Future;
use std::io;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::measure::{Measure, Usage};
use crate::options::Load;
use crate::report::Report;
use crate::{pull, send};

/// A point of the series.
const INTERVAL: Duration = Duration::from_secs(1);

/// Sends and reports.
pub(crate) async fn send(load: &Load) -> io::Result<()> {
    let (started, until) = times(load);
    let (mut tasks, sends) = (JoinSet::new(), load.send());
    spawn(&mut tasks, load, started, |connection, measure| {
        send::run(sends.clone(), connection, measure, until)
    });
    let pace = load
        .rate
        .map_or("closed loop".to_owned(), |rate| format!("{rate} a second"));
    let case = format!(
        "send {} × {} in flight, {} bytes, {pace}",
        load.connections, load.in_flight, load.body_bytes
    );
    finish(load, started, tasks, case).await
}

/// Pulls and reports.
pub(crate) async fn pull(load: &Load) -> io::Result<()> {
    let (started, until) = times(load);
    let (mut tasks, pulls) = (JoinSet::new(), load.pull(false));
    spawn(&mut tasks, load, started, |connection, measure| {
        pull::run(pulls.clone(), connection, measure, until)
    });
    let case = format!(
        "pull {} connections, {} queues, {} a request",
        load.connections, load.queues, load.batch
    );
    finish(load, started, tasks, case).await
}

/// Sends and follows; reports both.
pub(crate) async fn both(load: &Load) -> io::Result<()> {
    let (started, until) = times(load);
    let (mut tasks, pulls) = (JoinSet::new(), load.pull(true));
    spawn(&mut tasks, load, started, |connection, measure| {
        pull::run(pulls.clone(), connection, measure, until)
    });
    let (mut senders, sends) = (JoinSet::new(), load.send());
    spawn(&mut senders, load, started, |connection, measure| {
        send::run(sends.clone(), connection, measure, until)
    });
    let quiet = Load {
        pid: None,
        json: None,
        ..load.clone()
    };
    let sending = finish(&quiet, started, senders, "both: the sends".to_owned());
    let arriving = finish(
        load,
        started,
        tasks,
        "both: from send to arrival".to_owned(),
    );
    tokio::try_join!(sending, arriving).map(|_| ())
}

fn times(load: &Load) -> (Instant, Instant) {
    let started = Instant::now();
    (started, started + load.warm_up() + load.counted())
}

fn spawn<F>(
    tasks: &mut JoinSet<io::Result<Measure>>,
    load: &Load,
    started: Instant,
    run: impl Fn(u32, Measure) -> F,
) where
    F: Future<Output = io::Result<Measure>> + Send + 'static,
{
    for connection in 0..load.connections {
        tasks.spawn(run(
            connection,
            Measure::new(started, load.warm_up(), INTERVAL),
        ));
    }
}

async fn finish(
    load: &Load,
    started: Instant,
    mut tasks: JoinSet<io::Result<Measure>>,
    case: String,
) -> io::Result<()> {
    tokio::time::sleep_until((started + load.warm_up()).into()).await;
    let before = load.pid.and_then(Usage::of);
    tokio::time::sleep_until((started + load.warm_up() + load.counted()).into()).await;
    let after = load.pid.and_then(Usage::of);
    let mut all = Measure::new(started, load.warm_up(), INTERVAL);
    while let Some(done) = tasks.join_next().await {
        all.add(&done.map_err(io::Error::other)??);
    }
    let report = Report::of(case, &all, load.counted(), INTERVAL, before.zip(after));
    print!("{report}");
    if let Some(path) = &load.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(())
}
