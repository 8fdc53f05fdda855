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

/// Heap of a Java server: holds four clients' 4 MiB messages on their way.
const JAVA_HEAP_MIB: u32 = 512;

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

impl Program {
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
    pub fn command(self, program: Program, home: &Path) -> Result<Command, Trouble> {
        let mut command = match self {
            Servers::Ours => {
                let name = match program {
                    Program::NameServer => "mqnamesrv",
                    Program::Broker => "mqbroker",
                };
                Command::new(binary(name)?)
            }
            Servers::Java(version) => {
                let mut java =
                    java::short_lived_jvm(&java::SERVERS.classpath(version)?, JAVA_HEAP_MIB, home);
                java.arg(main_class(program));
                java
            }
        };
        set_environment(&mut command, home);
        Ok(command)
    }

    /// The command line with Java's own JVM settings, for figures: `heap_mib` from the start and no compiler held back.
    ///
    /// # Errors
    /// As [`Servers::command`].
    pub fn command_at_full_speed(
        self,
        program: Program,
        home: &Path,
        heap_mib: u32,
    ) -> Result<Command, Trouble> {
        let Servers::Java(version) = self else {
            return self.command(program, home);
        };
        let mut java = java::jvm(&java::SERVERS.classpath(version)?, home);
        java.arg(format!("-Xms{heap_mib}m"))
            .arg(format!("-Xmx{heap_mib}m"))
            .arg(main_class(program));
        set_environment(&mut java, home);
        Ok(java)
    }
}

fn main_class(program: Program) -> &'static str {
    match program {
        Program::NameServer => "org.apache.rocketmq.namesrv.NamesrvStartup",
        Program::Broker => "org.apache.rocketmq.broker.BrokerStartup",
    }
}

fn set_environment(command: &mut Command, home: &Path) {
    command
        .env("ROCKETMQ_HOME", home)
        .env("HOME", home)
        .env_remove("NAMESRV_ADDR")
        .current_dir(home);
}

fn binary(name: &str) -> Result<PathBuf, Trouble> {
    let path = logs::profile_folder()?.join(name);
    if path.exists() {
        Ok(path)
    } else {
        Err(Trouble(format!(
            "{} is not built: cargo build --workspace",
            path.display()
        )))
    }
}

/// Builds our binaries in the profile of this test, so that no test runs an old one; a no-op where they are new.
fn build_ours() -> Result<(), Trouble> {
    static BUILT: OnceLock<Result<(), Trouble>> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let release = logs::profile_folder()?.ends_with("release");
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let output = Command::new(cargo)
                .args([
                    "build", "--quiet", "-p", "namesrv", "-p", "broker", "--bins",
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
