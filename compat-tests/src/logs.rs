//! Where the logs of a run lie, and their last lines for a report.

use std::fs;
use std::path::{Path, PathBuf};

use crate::trouble::{Doing, Trouble};

/// The cargo profile folder that this test program lies in: `target/debug` or `target/release`.
///
/// # Errors
/// When the program's own path can't be read, or it does not lie in a cargo target folder.
pub fn profile_folder() -> Result<PathBuf, Trouble> {
    let exe = std::env::current_exe().doing(|| "path of the test program".to_owned())?;
    let folder = exe
        .parent()
        .ok_or_else(|| Trouble(format!("{} has no folder", exe.display())))?;
    // Tests and benches lie in `deps`, programs one higher.
    let folder = if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    Ok(folder.to_owned())
}

/// Cargo's target folder.
///
/// # Errors
/// As [`profile_folder`].
pub fn target_folder() -> Result<PathBuf, Trouble> {
    let profile = profile_folder()?;
    Ok(profile.parent().unwrap_or(&profile).to_owned())
}

/// An empty folder `target/compat-logs/<name>`; the logs of the run before are gone.
///
/// # Errors
/// When the folder can't be emptied or made.
pub fn fresh_folder(name: &str) -> Result<PathBuf, Trouble> {
    let folder = target_folder()?.join("compat-logs").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).doing(|| format!("empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).doing(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

/// The last `count` lines of a log, or a sentence saying that there are none.
#[must_use]
pub fn tail(log: &Path, count: usize) -> String {
    let Ok(bytes) = fs::read(log) else {
        return format!("({} can't be read)", log.display());
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return format!("({} is empty)", log.display());
    }
    lines
        .into_iter()
        .rev()
        .take(count)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect::<Vec<_>>()
        .join("\n")
}
