//! The Java side: Maven resolves classpaths from Maven Central once, then the JVM is started directly.
//!
//! What Maven said is kept in `java/<project>/target/<version>/classpath`, with a digest of the project's files beside
//! it: Maven runs again only when one of those changed, or when a jar has gone from its repository.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::logs;
use crate::trouble::{Doing, Trouble};

/// What Java's servers need on JDK 17: they unmap files through inner classes.
const OPENED: [&str; 5] = [
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
];

/// A Maven project under `compat-tests/java`, and the property of its pom that chooses the version.
#[derive(Debug, Clone, Copy)]
pub struct Project {
    folder: &'static str,
    version_property: &'static str,
    compiles: bool,
}

/// The scenario program, over a version of rocketmq-client.
pub const SCENARIOS: Project = Project {
    folder: "scenarios",
    version_property: "rocketmq.client.version",
    compiles: true,
};
/// What the swap tests write and find again, over a version of rocketmq-client.
pub const SWAP: Project = Project {
    folder: "swap",
    version_property: "rocketmq.client.version",
    compiles: true,
};
/// Java's NameServer and Broker.
pub const SERVERS: Project = Project {
    folder: "servers",
    version_property: "rocketmq.server.version",
    compiles: false,
};
/// Java's SQL92 filter, asked line by line.
pub const FILTER: Project = Project {
    folder: "filter",
    version_property: "rocketmq.filter.version",
    compiles: true,
};
/// `mqadmin`, and a group for it to ask about.
pub const TOOLS: Project = Project {
    folder: "tools",
    version_property: "rocketmq.tools.version",
    compiles: true,
};
/// Java's benchmark client.
pub const BENCHMARK: Project = Project {
    folder: "benchmark",
    version_property: "rocketmq.example.version",
    compiles: false,
};

impl Project {
    /// The classpath of this project with `version`, its own classes included. Blocks while Maven downloads and
    /// compiles, if it has to.
    ///
    /// # Errors
    /// When Maven is missing or fails; the text has the end of its output.
    pub fn classpath(self, version: &str) -> Result<String, Trouble> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("java")
            .join(self.folder);
        let target = project.join("target").join(version);
        let digest = digest(&project, version)?;
        let kept = target.join("classpath");
        let kept_digest = target.join("classpath.digest");
        if fs::read_to_string(&kept_digest).is_ok_and(|old| old == digest)
            && let Ok(classpath) = fs::read_to_string(&kept)
            && classpath.split(':').all(|jar| Path::new(jar).exists())
        {
            return Ok(self.with_classes(&target, &classpath));
        }
        fs::create_dir_all(&target).doing(|| format!("make {}", target.display()))?;
        self.run_maven(&project, version, &kept)?;
        let classpath = fs::read_to_string(&kept).doing(|| format!("read {}", kept.display()))?;
        fs::write(&kept_digest, digest).doing(|| format!("write {}", kept_digest.display()))?;
        Ok(self.with_classes(&target, &classpath))
    }

    fn with_classes(self, target: &Path, classpath: &str) -> String {
        let classes = target.join("classes");
        let own = if self.compiles {
            format!("{}:", classes.display())
        } else {
            String::new()
        };
        format!("{own}{}", classpath.trim())
    }

    fn run_maven(self, project: &Path, version: &str, output: &Path) -> Result<(), Trouble> {
        eprintln!(
            "compat-tests: Maven resolves java/{} {version} (the first time it downloads)",
            self.folder
        );
        let log =
            logs::target_folder()?.join(format!("compat-maven-{}-{version}.log", self.folder));
        let file = fs::File::create(&log).doing(|| format!("make {}", log.display()))?;
        let errors = file
            .try_clone()
            .doing(|| format!("open {} twice", log.display()))?;
        let mut maven = Command::new("mvn");
        maven
            .args([
                "-B",
                "-ntp",
                &format!("-D{}={version}", self.version_property),
            ])
            .args(self.compiles.then_some("compile"))
            .arg("dependency:build-classpath")
            .arg(format!("-Dmdep.outputFile={}", output.display()))
            .current_dir(project)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors);
        let status = maven
            .status()
            .doing(|| "start mvn (Maven must be on the PATH)".to_owned())?;
        if status.success() {
            return Ok(());
        }
        Err(Trouble(format!(
            "Maven: {status}; last lines of {}:\n{}",
            log.display(),
            logs::tail(&log, 25)
        )))
    }
}

/// `java` for a test's JVM, which lives for a minute: `heap_mib` at most, a serial collector and the quick compiler.
#[must_use]
pub fn short_lived_jvm(classpath: &str, heap_mib: u32, home: &Path) -> Command {
    let mut java = bare_jvm(classpath, home);
    java.arg(format!("-Xmx{heap_mib}m"))
        .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    java
}

/// `java` with `heap_mib` from the start, and nothing that changes its speed.
#[must_use]
pub fn jvm(classpath: &str, heap_mib: u32, home: &Path) -> Command {
    let mut java = bare_jvm(classpath, home);
    java.arg(format!("-Xms{heap_mib}m"))
        .arg(format!("-Xmx{heap_mib}m"));
    java
}

fn bare_jvm(classpath: &str, home: &Path) -> Command {
    let mut java = Command::new(java_program());
    java.args(OPENED)
        .arg(format!("-Duser.home={}", home.display()))
        .arg("-cp")
        .arg(classpath);
    java
}

/// The JDK of `JAVA_HOME` where that is set, else the `java` of the PATH.
fn java_program() -> PathBuf {
    match std::env::var_os("JAVA_HOME") {
        Some(home) => Path::new(&home).join("bin/java"),
        None => PathBuf::from("java"),
    }
}

/// A digest of the pom and the sources. Not stable across Rust versions: at worst Maven runs once more.
fn digest(project: &Path, version: &str) -> Result<String, Trouble> {
    let mut files = vec![project.join("pom.xml")];
    let sources = project.join("src");
    if sources.exists() {
        collect(&sources, &mut files)?;
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    hasher.write(version.as_bytes());
    for file in files {
        let place = file.strip_prefix(project).unwrap_or(&file);
        hasher.write(place.as_os_str().as_encoded_bytes());
        hasher.write(&fs::read(&file).doing(|| format!("read {}", file.display()))?);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Trouble> {
    for entry in fs::read_dir(folder).doing(|| format!("list {}", folder.display()))? {
        let path = entry.doing(|| format!("list {}", folder.display()))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
