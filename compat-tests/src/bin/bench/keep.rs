//! Results that are worth keeping: samples, table and pictures in a folder of their own under `compat-tests/results/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use compat_tests::servers;
use compat_tests::trouble::{Doing, Trouble};
use serde_json::json;

use crate::Options;
use crate::samples::Samples;

/// Cases of which a picture is drawn: file name of the load's figures, and of the picture.
const PICTURES: [(&str, &str); 2] = [
    ("half_of_peak.json", "half_of_peak.svg"),
    ("arrive_at_10k_s.json", "arrive.svg"),
];

/// Writes all of it and returns the folder.
pub(crate) fn keep(
    samples: &Samples,
    table: &str,
    options: &Options,
    logs: &Path,
) -> Result<PathBuf, Trouble> {
    let (commit, date) = (
        said("git", &["rev-parse", "--short", "HEAD"]),
        said("date", &["+%F"]),
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("results")
        .join(format!("{date}-{commit}"));
    fs::create_dir_all(&folder).doing(|| format!("make {}", folder.display()))?;
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).doing(|| format!("write {}", path.display()))
    };
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let samples = json!({
        "commit": commit,
        "date": date,
        "machine": {
            "processors": std::thread::available_parallelism().map_or(0, usize::from),
            "model": model.unwrap_or_default().trim_start_matches([' ', '\t', ':']),
            "kernel": said("uname", &["-r"]),
            "java": said("java", &["--version"]).lines().next().unwrap_or_default(),
        },
        "rounds": options.rounds,
        "seconds": options.seconds,
        "tail_seconds": options.tail_seconds,
        "memory_gib": options.memory_gib,
        "java_heap_mib": 1024,
        "samples": samples.json(),
    });
    let text = serde_json::to_string_pretty(&samples)
        .map_err(|error| Trouble(format!("write the samples: {error}")))?;
    write("samples.json", text)?;
    write("table.md", table.trim_start().to_owned())?;
    for (figures, picture) in PICTURES {
        draw(logs, figures, &folder.join(picture))?;
    }
    Ok(folder)
}

/// Draws the last round of each side that has these figures over each other.
fn draw(logs: &Path, figures: &str, picture: &Path) -> Result<(), Trouble> {
    let last = |side: &str| {
        let rounds = (1..).map(|round| logs.join(format!("{side}-async-{round}")));
        let there = rounds.take_while(|folder| folder.exists());
        there
            .map(|folder| folder.join(figures))
            .filter(|file| file.exists())
            .last()
    };
    let runs: Vec<String> = ["java", "ours", "limit"]
        .into_iter()
        .filter_map(|side| Some(format!("{side}={}", last(side)?.display())))
        .collect();
    if runs.is_empty() {
        return Ok(());
    }
    let output = Command::new(servers::binary("mqload")?)
        .arg("plot")
        .arg(picture)
        .args(runs)
        .output()
        .doing(|| "start mqload plot".to_owned())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Trouble(format!("mqload plot: {}", said.trim())))
}

/// What a program prints, or nothing where it can't be run.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
