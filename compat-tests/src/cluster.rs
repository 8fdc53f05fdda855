//! A small cluster on 127.0.0.1: one or two name servers and one broker, with a fresh store and small files; and a slave
//! of that broker, where a scenario asks for one.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::ports;
use crate::process::Process;
use crate::servers::{Jvm, Program, Servers};
use crate::trouble::{Doing, Trouble};

/// The broker's name in routes; the Java program knows it too.
pub const BROKER_NAME: &str = "broker-a";

/// A Java broker starts in 2 to 3 s on an idle machine; here four clients start beside it.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Keys that every broker here gets.
const BROKER_KEYS: &[(&str, &str)] = &[
    ("brokerClusterName", "DefaultCluster"),
    ("brokerName", BROKER_NAME),
    ("brokerId", "0"),
    ("brokerIP1", "127.0.0.1"),
    ("brokerRole", "ASYNC_MASTER"),
    ("flushDiskType", "ASYNC_FLUSH"),
];

/// Keys for tests. Small files, because a fresh store is made for each; waits in queues are not cut short, because a
/// slow machine is no reason to refuse a send; registration is as frequent as Java allows.
const TEST_KEYS: &[(&str, &str)] = &[
    ("mappedFileSizeCommitLog", "33554432"),
    ("mappedFileSizeConsumeQueue", "600000"),
    ("maxHashSlotNum", "10000"),
    ("maxIndexNum", "40000"),
    ("diskMaxUsedSpaceRatio", "99"),
    ("waitTimeMillsInSendQueue", "20000"),
    ("registerNameServerPeriod", "10000"),
];

/// Keys of a slave, which win over its master's. Replication is not built in our servers, so a read past what it has is
/// answered after 1 s instead of 15 s, and the client goes to the master.
const SLAVE_KEYS: &[(&str, &str)] = &[
    ("brokerId", "1"),
    ("brokerRole", "SLAVE"),
    ("longPollingEnable", "false"),
];

/// What a cluster is made of.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Whose servers.
    pub servers: Servers,
    /// How many name servers.
    pub namesrvs: usize,
    /// How they run.
    pub mode: Mode,
}

/// How servers run.
#[derive(Debug, Clone, Copy)]
pub enum Mode {
    /// For a minute, beside others: small files and heaps; and these broker keys, which win.
    Test(&'static [(&'static str, &'static str)]),
    /// As in service: the default sizes, and a heap of 1 GiB for each Java server; and these broker keys, which win.
    Service(&'static [(&'static str, &'static str)]),
}

impl Mode {
    fn jvm(self) -> Jvm {
        match self {
            Mode::Test(_) => Jvm::ShortLived,
            Mode::Service(_) => Jvm::InService,
        }
    }

    fn broker_keys(self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        let (test, own) = match self {
            Mode::Test(own) => (TEST_KEYS, own),
            Mode::Service(own) => (&[][..], own),
        };
        let given = BROKER_KEYS.iter().chain(test);
        let given = given.filter(|(key, _)| own.iter().all(|(other, _)| other != key));
        given.chain(own)
    }
}

/// Running servers and where their files lie. Dropping it kills them and removes the store.
#[derive(Debug)]
pub struct Cluster {
    spec: Spec,
    /// Whose broker it is now, and its keys; at first as in `spec`.
    broker_spec: Spec,
    namesrvs: Vec<Member>,
    broker: Member,
    /// The broker's slave, once a scenario has asked for it.
    slave: Option<Member>,
    folder: TempDir,
}

/// One server of a cluster: its port and files stay while its process comes and goes.
#[derive(Debug)]
struct Member {
    name: String,
    program: Program,
    port: u16,
    config: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

impl Cluster {
    /// Makes the files and starts all servers; each has printed its success line on return. Logs go to `logs`.
    ///
    /// # Errors
    /// When a server does not start; those that did are killed.
    pub fn start(spec: Spec, logs: &Path) -> Result<Cluster, Trouble> {
        let mut cluster = Cluster::without_broker(spec, logs)?;
        cluster.start_broker()?;
        Ok(cluster)
    }

    /// As [`Cluster::start`], but the broker is still to be started.
    ///
    /// # Errors
    /// When a name server does not start; those that did are killed.
    pub fn without_broker(spec: Spec, logs: &Path) -> Result<Cluster, Trouble> {
        // Beside the logs: on a disk, which a system's folder for temporary files need not be.
        let folder = tempfile::Builder::new()
            .prefix("cluster-")
            .tempdir_in(logs)
            .doing(|| "make a folder".to_owned())?;
        let home = folder.path();
        write_logback(home)?;
        let mut namesrvs = Vec::new();
        for i in 0..spec.namesrvs {
            namesrvs.push(Member::namesrv(&format!("namesrv-{}", i + 1), home, logs)?);
        }
        let broker = Member::broker(home, logs, &spec)?;
        let mut cluster = Cluster {
            broker_spec: spec.clone(),
            spec,
            namesrvs,
            broker,
            slave: None,
            folder,
        };
        for i in 0..cluster.namesrvs.len() {
            cluster.start_namesrv(i)?;
        }
        Ok(cluster)
    }

    /// From its next start on the broker is `servers`', on the same ports and the same store, with these keys.
    ///
    /// # Errors
    /// When its `.properties` file can't be written.
    pub fn hand_broker_to(
        &mut self,
        servers: Servers,
        keys: &'static [(&'static str, &'static str)],
    ) -> Result<(), Trouble> {
        self.broker_spec.servers = servers;
        self.broker_spec.mode = Mode::Test(keys);
        let text = broker_text(self.broker.port, &self.store(), self.broker_spec.mode);
        let config = &self.broker.config;
        fs::write(config, text).doing(|| format!("write {}", config.display()))
    }

    /// The broker's store directory.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        store_folder(self.folder.path())
    }

    /// The servers' home folder.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    /// Name server addresses, parted by semicolons.
    #[must_use]
    pub fn namesrv_addr(&self) -> String {
        self.namesrvs
            .iter()
            .map(Member::addr)
            .collect::<Vec<_>>()
            .join(";")
    }

    /// The broker's main address.
    #[must_use]
    pub fn broker_addr(&self) -> String {
        self.broker.addr()
    }

    /// Starts name server `index`.
    ///
    /// # Errors
    /// When it does not start, or there is none of this index.
    pub fn start_namesrv(&mut self, index: usize) -> Result<(), Trouble> {
        let (spec, home) = (&self.spec, self.folder.path());
        let member = self
            .namesrvs
            .get_mut(index)
            .ok_or_else(|| Trouble(format!("no name server {index}")))?;
        member.start(spec, home, &[])
    }

    /// Stops name server `index` in order.
    ///
    /// # Errors
    /// When it does not stop, or does not run.
    pub fn stop_namesrv(&mut self, index: usize) -> Result<(), Trouble> {
        let member = self
            .namesrvs
            .get_mut(index)
            .ok_or_else(|| Trouble(format!("no name server {index}")))?;
        member.take()?.stop().map(drop)
    }

    /// Starts the broker on its store.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_broker(&mut self) -> Result<(), Trouble> {
        let addr = self.namesrv_addr();
        self.broker
            .start(&self.broker_spec, self.folder.path(), &["-n", &addr])
    }

    /// Stops the broker in order (SIGTERM).
    ///
    /// # Errors
    /// When it does not stop, or does not run.
    pub fn stop_broker(&mut self) -> Result<(), Trouble> {
        self.broker.take()?.stop().map(drop)
    }

    /// Kills the broker with SIGKILL.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_broker(&mut self) -> Result<(), Trouble> {
        self.broker.take()?.kill()
    }

    /// Gives the broker a slave: its store is a copy of what the broker has stopped with, and both start on theirs.
    fn add_slave(&mut self) -> Result<(), Trouble> {
        self.slave = None; // one that a scenario before this has left behind
        self.stop_broker()?;
        let store = self.folder.path().join("slave-store");
        if store.exists() {
            fs::remove_dir_all(&store).doing(|| format!("remove {}", store.display()))?;
        }
        copy_folder(&self.store(), &store)?;
        self.start_broker()?;
        let mut slave = Member::slave(
            &self.broker,
            self.folder.path(),
            &store,
            self.broker_spec.mode,
        )?;
        let addr = self.namesrv_addr();
        slave.start(&self.broker_spec, self.folder.path(), &["-n", &addr])?;
        self.slave = Some(slave);
        Ok(())
    }

    fn stop_slave(&mut self) -> Result<(), Trouble> {
        let slave = self.slave.as_mut();
        let slave = slave.ok_or_else(|| Trouble("there is no slave".to_owned()))?;
        slave.take()?.stop().map(drop)
    }

    /// The broker's process.
    #[must_use]
    pub fn broker(&self) -> Option<&Process> {
        self.broker.process.as_ref()
    }

    /// The process of the first name server.
    #[must_use]
    pub fn namesrv(&self) -> Option<&Process> {
        self.namesrvs.first()?.process.as_ref()
    }

    /// Carries out what a scenario asks for. Blocks until the servers run again (or are down, as asked).
    ///
    /// # Errors
    /// When a server does not start or stop, or the verb is not known.
    pub fn change(&mut self, verb: &str) -> Result<(), Trouble> {
        match verb {
            "restart-broker" => {
                self.stop_broker()?;
                self.start_broker()
            }
            "restart-killed-broker" => {
                self.kill_broker()?;
                self.start_broker()
            }
            "kill-broker" => self.kill_broker(),
            "stop-broker" => self.stop_broker(),
            "start-broker" => self.start_broker(),
            "add-slave" => self.add_slave(),
            "stop-slave" => self.stop_slave(),
            "stop-namesrvs" => (0..self.namesrvs.len()).try_for_each(|i| self.stop_namesrv(i)),
            "start-namesrvs" => (0..self.namesrvs.len()).try_for_each(|i| self.start_namesrv(i)),
            "stop-namesrv-2" => self.stop_namesrv(1),
            "start-namesrv-2" => self.start_namesrv(1),
            _ => Err(Trouble(format!("no change of a cluster is called {verb}"))),
        }
    }
}

impl Member {
    fn namesrv(name: &str, home: &Path, logs: &Path) -> Result<Member, Trouble> {
        let port = ports::free_port()?;
        let config = home.join(format!("{name}.properties"));
        let text = format!(
            "listenPort={port}\nkvConfigPath={kv}\nconfigStorePath={own}\n",
            kv = home.join(format!("{name}-kvConfig.json")).display(),
            own = config.display(),
        );
        Member::new(name, Program::NameServer, port, config, &text, logs)
    }

    fn broker(home: &Path, logs: &Path, spec: &Spec) -> Result<Member, Trouble> {
        let port = ports::free_broker_port()?;
        let text = broker_text(port, &store_folder(home), spec.mode);
        Member::new(
            "broker",
            Program::Broker,
            port,
            home.join("broker.properties"),
            &text,
            logs,
        )
    }

    /// The slave of `master`; its log lies beside its master's.
    fn slave(master: &Member, home: &Path, store: &Path, mode: Mode) -> Result<Member, Trouble> {
        let port = ports::free_broker_port()?;
        let mut text = broker_text(port, store, mode);
        for (key, value) in SLAVE_KEYS {
            let _ = writeln!(text, "{key}={value}"); // the last line of a key counts
        }
        Member::new(
            "slave",
            Program::Broker,
            port,
            home.join("slave.properties"),
            &text,
            master.log.parent().unwrap_or(home),
        )
    }

    fn new(
        name: &str,
        program: Program,
        port: u16,
        config: PathBuf,
        text: &str,
        logs: &Path,
    ) -> Result<Member, Trouble> {
        fs::write(&config, text).doing(|| format!("write {}", config.display()))?;
        Ok(Member {
            name: name.to_owned(),
            program,
            port,
            config,
            log: logs.join(format!("{name}.log")),
            process: None,
        })
    }

    fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn start(&mut self, spec: &Spec, home: &Path, arguments: &[&str]) -> Result<(), Trouble> {
        let servers = spec.servers;
        let mut command = servers.command(self.program, home, spec.mode.jvm())?;
        command.arg("-c").arg(&self.config).args(arguments);
        let name = format!("{servers} {}", self.name);
        self.process = Some(Process::start(
            &name,
            command,
            &self.log,
            self.program.success_line(),
            START_LIMIT,
        )?);
        Ok(())
    }

    fn take(&mut self) -> Result<Process, Trouble> {
        self.process
            .take()
            .ok_or_else(|| Trouble(format!("{} does not run", self.name)))
    }
}

fn store_folder(home: &Path) -> PathBuf {
    home.join("store")
}

/// Copies a store as it is; its files are mostly holes, and `cp` leaves them so.
fn copy_folder(from: &Path, to: &Path) -> Result<(), Trouble> {
    let copying = || format!("copy {} to {}", from.display(), to.display());
    let status = Command::new("cp").arg("-a").args([from, to]).status();
    let done = status.doing(copying)?.success();
    done.then_some(()).ok_or_else(|| Trouble(copying()))
}

fn broker_text(port: u16, store: &Path, mode: Mode) -> String {
    let mut text = format!(
        "listenPort={port}\nstorePathRootDir={}\nstorePathCommitLog={}\n",
        store.display(),
        store.join("commitlog").display()
    );
    for (key, value) in mode.broker_keys() {
        let _ = writeln!(text, "{key}={value}");
    }
    text
}

/// Java's servers don't start without these files; one console appender puts everything into the process's log.
fn write_logback(home: &Path) -> Result<(), Trouble> {
    let conf = home.join("conf");
    fs::create_dir_all(&conf).doing(|| format!("make {}", conf.display()))?;
    let text = r#"<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>%d{HH:mm:ss.SSS} %-5level [%thread] %logger{0} %msg%n</pattern></encoder>
  </appender>
  <logger name="RocketmqConsole" additivity="false"><level value="INFO"/></logger>
  <root><level value="INFO"/><appender-ref ref="out"/></root>
</configuration>
"#;
    for name in [
        "logback_namesrv.xml",
        "logback_broker.xml",
        "logback_tools.xml",
    ] {
        fs::write(conf.join(name), text).doing(|| format!("write conf/{name}"))?;
    }
    Ok(())
}
