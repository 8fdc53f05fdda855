//! The two kinds of servers under test, as command lines: our binaries, and Java's from Maven Central.
//!
//! Both get the same `.properties` files, the same arguments and the same environment.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::java;
use crate::logs;
use crate::trouble::{Doing, Trouble};

/// Heap of a Java server in a test: holds four clients' 4 MiB messages on their way.
const TEST_HEAP_MIB: u32 = 512;
/// Heap of a Java server in service.
const SERVICE_HEAP_MIB: u32 = 1024;

/// Environment variable: a folder with our binaries that are to be used as they are, without a build before.
const BINARIES: &str = "COMPAT_BINARIES";

/// Whose NameServer and Broker run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Servers {
    /// `mqnamesrv` and `mqbroker` of this repository.
    Ours,
    /// Java's, of this version.
    Java(&'static str),
}

/// The reference.
pub const CONTROL: Servers = Servers::Java("4.7.0");

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Servers::Ours => f.write_str("ours"),
            Servers::Java(version) => write!(f, "java-{version}"),
        }
    }
}

/// Which of the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `mqnamesrv`.
    NameServer,
    /// `mqbroker`.
    Broker,
}

/// How a Java server's JVM is set; ours have no such choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jvm {
    /// For a minute beside others: a serial collector, and only the quick compiler.
    ShortLived,
    /// As in service: nothing that changes its speed, and a whole heap from the start.
    InService,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Program::NameServer => "mqnamesrv",
            Program::Broker => "mqbroker",
        }
    }

    fn main_class(self) -> &'static str {
        match self {
            Program::NameServer => "org.apache.rocketmq.namesrv.NamesrvStartup",
            Program::Broker => "org.apache.rocketmq.broker.BrokerStartup",
        }
    }

    /// Part of the line that the program prints once it serves; Java's words, which ours must print too.
    #[must_use]
    pub fn success_line(self) -> &'static str {
        match self {
            Program::NameServer => "The Name Server boot success. serializeType=",
            Program::Broker => "boot success. serializeType=",
        }
    }
}

impl Servers {
    /// Resolves what [`Servers::command`] needs, before anything is started or timed: Java's classpath, or our built
    /// binaries.
    ///
    /// # Errors
    /// When Maven or cargo fails.
    pub fn prepare(self) -> Result<(), Trouble> {
        match self {
            Servers::Ours => build_ours(),
            Servers::Java(version) => java::SERVERS.classpath(version).map(drop),
        }
    }

    /// The command line without `-c` and what follows. `home` is both ROCKETMQ_HOME and the user's home folder.
    ///
    /// # Errors
    /// When Java's classpath can't be resolved, or our binary isn't built.
    pub fn command(self, program: Program, home: &Path, jvm: Jvm) -> Result<Command, Trouble> {
        let mut command = match self {
            Servers::Ours => Command::new(binary(program.name())?),
            Servers::Java(version) => {
                let classpath = java::SERVERS.classpath(version)?;
                let mut java = match jvm {
                    Jvm::ShortLived => java::short_lived_jvm(&classpath, TEST_HEAP_MIB, home),
                    Jvm::InService => java::jvm(&classpath, SERVICE_HEAP_MIB, home),
                };
                java.arg(program.main_class());
                java
            }
        };
        command
            .env("ROCKETMQ_HOME", home)
            .env("HOME", home)
            .env_remove("NAMESRV_ADDR")
            .current_dir(home);
        Ok(command)
    }
}

/// The folder of our binaries: what `COMPAT_BINARIES` names, taken as it is, else the profile folder of this test.
fn binaries() -> Result<PathBuf, Trouble> {
    std::env::var_os(BINARIES).map_or_else(logs::profile_folder, |folder| Ok(PathBuf::from(folder)))
}

/// One of our programs, as built.
///
/// # Errors
/// When it isn't.
pub fn binary(name: &str) -> Result<PathBuf, Trouble> {
    let path = binaries()?.join(name);
    if path.exists() {
        Ok(path)
    } else {
        Err(Trouble(format!("{} is not there", path.display())))
    }
}

/// Builds our binaries in the profile of this test, so that no test runs an old one; a no-op where they are new.
fn build_ours() -> Result<(), Trouble> {
    static BUILT: OnceLock<Result<(), Trouble>> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            if std::env::var_os(BINARIES).is_some() {
                return Ok(());
            }
            let release = logs::profile_folder()?.ends_with("release");
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let output = Command::new(cargo)
                .args([
                    "build",
                    "--quiet",
                    "-p",
                    "namesrv",
                    "-p",
                    "broker",
                    "-p",
                    "load",
                    "-p",
                    "store-tool",
                    "--bins",
                ])
                .args(release.then_some("--release"))
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .output()
                .doing(|| "start cargo build".to_owned())?;
            if output.status.success() {
                return Ok(());
            }
            Err(Trouble(format!(
                "cargo build of our servers:\n{}",
                String::from_utf8_lossy(&output.stderr)
            )))
        })
        .clone()
}
