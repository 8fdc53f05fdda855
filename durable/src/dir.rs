//! Folders whose names outlive a power cut.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::calls::{Call, watched};

/// Makes a folder and those above it, as far as they are missing, their names on disk too. Blocks.
///
/// # Errors
/// What the file system says.
pub fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() || dir.as_os_str().is_empty() {
        return Ok(());
    }
    let parent = dir.parent().unwrap_or(Path::new("/"));
    make_dir(parent)?;
    match watched(|| Call::MakeDir(dir.into()), || fs::create_dir(dir)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_dir(if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    })
}

/// Writes the names in a folder to disk: a new file survives a power cut only after this. Blocks.
///
/// # Errors
/// What the file system says.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    let sync = || File::open(dir)?.sync_all();
    watched(|| Call::SyncDir(dir.into()), sync)
}
