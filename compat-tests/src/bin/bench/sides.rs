//! Who is measured: Java's servers, ours, and the limit.

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use compat_tests::cluster::{Cluster, Mode, Spec};
use compat_tests::ports;
use compat_tests::process::Process;
use compat_tests::servers::{self, CONTROL, Servers};
use compat_tests::trouble::Trouble;

/// Memory counts as settled when it has not grown by more than this for three seconds.
const SETTLED_KIB: u64 = 256;
const SETTLE_LIMIT_SECONDS: u32 = 20;

/// One of the programs compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// Java 4.7.0's NameServer and Broker, with 1 GiB of heap each.
    Java,
    /// This repository's.
    Ours,
    /// `mqload limit`: answers at once and stores nothing.
    Limit,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Side::Java => "java",
            Side::Ours => "ours",
            Side::Limit => "limit",
        })
    }
}

/// The sides of this run, ready to be started.
pub(crate) struct Sides {
    with_java: bool,
}

impl Sides {
    /// Builds and resolves what will be started.
    pub(crate) fn prepare(with_java: bool) -> Result<Sides, Trouble> {
        Servers::Ours.prepare()?;
        if with_java {
            CONTROL.prepare()?;
        }
        Ok(Sides { with_java })
    }

    /// In the order in which they run.
    pub(crate) fn all(&self) -> impl Iterator<Item = Side> + use<> {
        let with_java = self.with_java;
        [Side::Java, Side::Ours, Side::Limit]
            .into_iter()
            .filter(move |side| *side != Side::Java || with_java)
    }
}

/// A side that runs.
pub(crate) enum Running {
    Cluster(Box<Cluster>),
    Limit { process: Process, addr: String },
}

impl Running {
    pub(crate) fn start(
        side: Side,
        keys: &'static [(&'static str, &'static str)],
        logs: &Path,
    ) -> Result<Running, Trouble> {
        let servers = match side {
            Side::Java => CONTROL,
            Side::Ours => Servers::Ours,
            Side::Limit => return Running::limit(logs),
        };
        let spec = Spec {
            servers,
            namesrvs: 1,
            mode: Mode::Service(keys),
        };
        Ok(Running::Cluster(Box::new(Cluster::start(spec, logs)?)))
    }

    fn limit(logs: &Path) -> Result<Running, Trouble> {
        let addr = format!("127.0.0.1:{}", ports::free_port()?);
        let mut command = Command::new(servers::binary("mqload")?);
        command.args(["limit", &addr]);
        let log = logs.join("limit.log");
        let limit = Duration::from_secs(10);
        let process = Process::start("limit", command, &log, "limit listens on", limit)?;
        Ok(Running::Limit { process, addr })
    }

    /// Where sends and pulls go.
    pub(crate) fn broker_addr(&self) -> String {
        match self {
            Running::Cluster(cluster) => cluster.broker_addr(),
            Running::Limit { addr, .. } => addr.clone(),
        }
    }

    /// Where route queries go.
    pub(crate) fn namesrv_addr(&self) -> String {
        match self {
            Running::Cluster(cluster) => cluster.namesrv_addr(),
            Running::Limit { addr, .. } => addr.clone(),
        }
    }

    pub(crate) fn broker(&self) -> Result<&Process, Trouble> {
        match self {
            Running::Cluster(cluster) => cluster.broker(),
            Running::Limit { process, .. } => Some(process),
        }
        .ok_or_else(|| Trouble("the broker does not run".to_owned()))
    }

    pub(crate) fn namesrv(&self) -> Result<&Process, Trouble> {
        match self {
            Running::Cluster(cluster) => cluster.namesrv(),
            Running::Limit { process, .. } => Some(process),
        }
        .ok_or_else(|| Trouble("the name server does not run".to_owned()))
    }

    /// The cluster, where it is one.
    ///
    /// # Errors
    /// For the limit, which has no store and no name server.
    pub(crate) fn cluster(&mut self) -> Result<&mut Cluster, Trouble> {
        match self {
            Running::Cluster(cluster) => Ok(cluster),
            Running::Limit { .. } => Err(Trouble("the limit is no cluster".to_owned())),
        }
    }
}

/// Anonymous memory in MiB once it no longer grows: a JVM goes on loading classes after its success line.
pub(crate) fn settled_mib(process: &Process) -> Result<f64, Trouble> {
    let mut last = process.memory_kib("VmRSS")?;
    let mut quiet = 0;
    for _ in 0..SETTLE_LIMIT_SECONDS {
        thread::sleep(Duration::from_secs(1));
        let now = process.memory_kib("VmRSS")?;
        quiet = if now > last + SETTLED_KIB {
            0
        } else {
            quiet + 1
        };
        last = now;
        if quiet == 3 {
            break;
        }
    }
    anonymous_mib(process)
}

/// Anonymous memory in MiB, now.
pub(crate) fn anonymous_mib(process: &Process) -> Result<f64, Trouble> {
    Ok(process.memory_kib("RssAnon")? as f64 / 1024.0)
}
