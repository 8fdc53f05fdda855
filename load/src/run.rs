//! One run: all connections at once, the server watched meanwhile, the figures at the end.

use std::future::Future;
use std::io;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout_at;

use crate::measure::{Measure, Usage};
use crate::options::Load;
use crate::report::Report;
use crate::send::SendLoad;
use crate::{plot, pull, send};

/// The connections of a load, each with what it measured.
type Connections = JoinSet<io::Result<Measure>>;

/// A point of the series.
const INTERVAL: Duration = Duration::from_secs(1);

/// Sends and reports.
pub(crate) async fn send(load: &Load) -> io::Result<()> {
    let (started, until) = times(load);
    let tasks = asking(load, &load.send(), started, until);
    let case = format!(
        "send {} × {} in flight, {} bytes, {}",
        load.connections,
        load.in_flight,
        load.body_bytes,
        pace(load)
    );
    tell(load, &[finish(load, started, tasks, case).await?])
}

/// Asks for routes and reports.
pub(crate) async fn route(load: &Load) -> io::Result<()> {
    let (started, until) = times(load);
    let tasks = asking(load, &load.route(), started, until);
    let case = format!(
        "route {} × {} in flight, {}",
        load.connections,
        load.in_flight,
        pace(load)
    );
    tell(load, &[finish(load, started, tasks, case).await?])
}

/// Pulls and reports.
pub(crate) async fn pull(load: &Load) -> io::Result<()> {
    let (started, until) = times(load);
    let tasks = pulling(load, false, started, until);
    let case = format!(
        "pull {} connections, {} queues, {} a request",
        load.connections, load.queues, load.batch
    );
    tell(load, &[finish(load, started, tasks, case).await?])
}

/// Waits for what others send and reports.
pub(crate) async fn follow(load: &Load) -> io::Result<()> {
    let (started, until) = times(load);
    let tasks = pulling(load, true, started, until);
    let case = "follow: from send to arrival".to_owned();
    tell(load, &[finish(load, started, tasks, case).await?])
}

/// Sends and follows; reports both.
pub(crate) async fn both(load: &Load) -> io::Result<()> {
    let (started, until) = times(load);
    let arrivals = pulling(load, true, started, until);
    let sends = asking(load, &load.send(), started, until);
    // The server's processor time and memory are told once, with the arrivals.
    let quiet = Load {
        pid: None,
        ..load.clone()
    };
    let sending = finish(&quiet, started, sends, "both: the sends".to_owned());
    let arriving = finish(
        load,
        started,
        arrivals,
        "both: from send to arrival".to_owned(),
    );
    let (sending, arriving) = tokio::try_join!(sending, arriving)?;
    tell(load, &[sending, arriving])
}

fn pace(load: &Load) -> String {
    load.rate
        .map_or("closed loop".to_owned(), |rate| format!("{rate} a second"))
}

fn asking(load: &Load, asks: &SendLoad, started: Instant, until: Instant) -> Connections {
    spawn(load, started, |connection, measure| {
        send::run(asks.clone(), connection, measure, until)
    })
}

fn pulling(load: &Load, follow: bool, started: Instant, until: Instant) -> Connections {
    let pulls = load.pull(follow);
    spawn(load, started, |connection, measure| {
        pull::run(pulls.clone(), connection, measure, until)
    })
}

fn times(load: &Load) -> (Instant, Instant) {
    let started = Instant::now();
    (started, started + load.warm_up() + load.counted())
}

fn spawn<F>(load: &Load, started: Instant, run: impl Fn(u32, Measure) -> F) -> Connections
where
    F: Future<Output = io::Result<Measure>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for connection in 0..load.connections {
        tasks.spawn(run(
            connection,
            Measure::new(started, load.warm_up(), INTERVAL),
        ));
    }
    tasks
}

async fn finish(
    load: &Load,
    started: Instant,
    mut tasks: Connections,
    case: String,
) -> io::Result<Report> {
    if let Some(gone) = load.pid.filter(|pid| Usage::of(*pid).is_none()) {
        return Err(io::Error::other(format!("there is no process {gone}")));
    }
    let mut all = Measure::new(started, load.warm_up(), INTERVAL);
    let counted_from = started + load.warm_up();
    watch(&mut tasks, &mut all, counted_from).await?;
    let before = load.pid.and_then(Usage::of);
    watch(&mut tasks, &mut all, counted_from + load.counted()).await?;
    let after = load.pid.and_then(Usage::of);
    while let Some(done) = tasks.join_next().await {
        all.add(&done.map_err(io::Error::other)??);
    }
    let usage = before.zip(after);
    let whole = (load.warm_up() + load.counted()).as_secs_f64() / INTERVAL.as_secs_f64();
    let series = (INTERVAL, (whole as usize).max(1));
    Ok(Report::of(case, &all, load.counted(), series, usage))
}

/// Waits until a time, or for the first connection that fails: there is nothing to measure then.
async fn watch(tasks: &mut Connections, all: &mut Measure, until: Instant) -> io::Result<()> {
    while let Ok(Some(done)) = timeout_at(until.into(), tasks.join_next()).await {
        all.add(&done.map_err(io::Error::other)??);
    }
    tokio::time::sleep_until(until.into()).await;
    Ok(())
}

/// Prints what was found, and writes it as the options ask.
///
/// # Errors
/// A file cannot be written; the server has refused everything.
fn tell(load: &Load, reports: &[Report]) -> io::Result<()> {
    reports.iter().for_each(|report| print!("{report}"));
    if let Some(path) = &load.json {
        std::fs::write(path, serde_json::to_vec_pretty(reports)?)?;
    }
    if let Some(path) = &load.svg {
        let named: Vec<_> = reports.iter().map(|run| (run.case.as_str(), run)).collect();
        std::fs::write(path, plot::latencies(&named))?;
    }
    let nothing = |run: &&Report| run.messages == 0 && !run.refused.is_empty();
    reports.iter().find(nothing).map_or(Ok(()), |run| {
        let why = "every request was refused: is the topic there, and is this the right server?";
        Err(io::Error::other(format!("{}: {why}", run.case)))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::options::{Command, Options};

    #[tokio::test]
    async fn a_server_that_is_not_there_ends_the_run_at_once_by_its_name() {
        // A port that is taken and not listened on.
        let taken = tokio::net::TcpSocket::new_v4().expect("a socket");
        taken.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let addr = taken.local_addr().expect("bound").to_string();
        let options = ["mqload", "both", &addr, "--warm-up=3600"];
        let Command::Both(load) = Options::parse_from(options).command else {
            panic!("both");
        };
        let run = tokio::time::timeout(Duration::from_secs(60), both(&load));
        let error = run.await.expect("at once").expect_err("nobody is there");
        assert!(error.to_string().starts_with(&addr), "{error}");
    }
}
