//! A file that is replaced as a whole, with the version before it beside it as `.bak`.
//!
//! ```text
//! replace  content → x.tmp, fsync   x ⇒ x.bak (hard link, renamed into place)
//!          x.tmp → x (rename)       fsync of the folder
//! load     x, else x.bak with a WARN, else nothing; only empty or unreadable ones: no start
//! ```
//!
//! The rule that is easy to break: at every moment, and after a power cut at any moment, `x` is whole, the old version or
//! the new one. And a `.bak` that was just read in the place of a broken file is not replaced by that file. Java deletes
//! the file before it renames the new one, and syncs nothing: a departure, see COMPATIBILITY.md.
//! Java 4.7.0 `common/MixAll.java` (`string2File`).

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::calls::{Call, watched};
use crate::dir::{make_dir, sync_dir};

/// A file and its `.bak`. One writer at a time.
#[derive(Debug)]
pub struct WholeFile {
    path: PathBuf,
    /// Whether the file may become the next `.bak`: it was read whole, or written by us.
    whole: bool,
}

/// Why a table cannot be loaded. The start ends: an empty table in its place would reset what people rely on.
#[derive(Debug)]
pub struct LoadError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
    /// What is wrong with its `.bak`.
    pub backup_problem: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, backup) = (self.path.display(), backup_path(&self.path));
        write!(
            f,
            "{path} cannot be loaded ({}), nor can {} ({}). Put a good copy in place, or move both away to start \
             without what they hold.",
            self.problem,
            backup.display(),
            self.backup_problem
        )
    }
}

impl std::error::Error for LoadError {}

/// One look at a file.
enum Found<T> {
    Nothing,
    Whole(T),
    Broken(String),
}

impl WholeFile {
    /// The file at `path`, of which nothing is known until it is loaded. Touches nothing.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> WholeFile {
        WholeFile {
            path: path.into(),
            whole: false,
        }
    }

    /// A file that is known to be whole, or not there. Touches nothing.
    #[must_use]
    pub fn sound(path: impl Into<PathBuf>) -> WholeFile {
        WholeFile {
            path: path.into(),
            whole: true,
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether what lies there was read whole, or written by us: not its `.bak`.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// What `read` makes of the file, or of its `.bak`; `None` when there is neither. Blocks on the disk.
    ///
    /// # Errors
    /// [`LoadError`] when there is a file, empty or unreadable, and no `.bak` that can be read.
    pub fn load<T>(
        &mut self,
        read: impl Fn(Vec<u8>) -> Result<T, String>,
    ) -> Result<Option<T>, LoadError> {
        let backup = backup_path(&self.path);
        let problem = match look(&self.path, &read) {
            Found::Whole(value) => {
                self.whole = true;
                return Ok(Some(value));
            }
            Found::Nothing => None,
            Found::Broken(problem) => Some(problem),
        };
        let (file, bak) = (self.path.display(), backup.display());
        let told = problem.as_deref().unwrap_or("it is missing");
        match look(&backup, &read) {
            Found::Whole(value) => {
                warn!("{file} cannot be used ({told}): loaded {bak}, the version before it");
                Ok(Some(value))
            }
            Found::Nothing if problem.is_none() => Ok(None),
            Found::Nothing => Err(self.broken(told, "it is missing")),
            Found::Broken(backup_problem) => Err(self.broken(told, &backup_problem)),
        }
    }

    /// As [`load`](Self::load), where nothing is lost without it: files of which nothing is left but their names, without
    /// bytes, are none.
    ///
    /// # Errors
    /// [`LoadError`] when there is a file that is not empty and cannot be read, and no `.bak` that can.
    pub fn load_unless_empty<T>(
        &mut self,
        read: impl Fn(Vec<u8>) -> Result<T, String>,
    ) -> Result<Option<T>, LoadError> {
        match self.load(read) {
            Err(error) if is_empty(&self.path) && is_empty(&backup_path(&self.path)) => {
                warn!("start without what the file held: {error}");
                Ok(None)
            }
            loaded => loaded,
        }
    }

    fn broken(&self, problem: &str, backup_problem: &str) -> LoadError {
        LoadError {
            path: self.path.clone(),
            problem: problem.to_owned(),
            backup_problem: backup_problem.to_owned(),
        }
    }

    /// Replaces what the file holds, and keeps what it held as `.bak`. Makes the folder if need be. Blocks for two syncs.
    ///
    /// # Errors
    /// What the file system says. The file is then as it was.
    pub fn replace(&mut self, content: &[u8]) -> io::Result<()> {
        let folder = self
            .path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        make_dir(folder)?;
        let temporary = beside(&self.path, ".tmp");
        let create = || File::create(&temporary);
        let mut file = watched(|| Call::Create(temporary.clone()), create)?;
        watched(
            || Call::Write(temporary.clone()),
            || file.write_all(content),
        )?;
        watched(|| Call::sync_all(&temporary), || file.sync_all())?;
        if self.whole {
            self.keep_as_backup()?;
        }
        rename(&temporary, &self.path)?;
        self.whole = true;
        sync_dir(folder)
    }

    /// Makes `.bak` a second name of the file, or a copy where the file system has no links.
    fn keep_as_backup(&self) -> io::Result<()> {
        let temporary = beside(&self.path, ".bak.tmp");
        let remove = || fs::remove_file(&temporary);
        match watched(|| Call::Remove(temporary.clone()), remove) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let call = || Call::Link(self.path.clone(), temporary.clone());
        if let Err(error) = watched(call, || fs::hard_link(&self.path, &temporary)) {
            if error.kind() == io::ErrorKind::NotFound {
                return Ok(()); // Somebody took the file away: there is no version before this one.
            }
            fs::copy(&self.path, &temporary)?;
            File::open(&temporary)?.sync_all()?;
        }
        rename(&temporary, &backup_path(&self.path))
    }
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let call = || Call::Rename(from.to_owned(), to.to_owned());
    watched(call, || fs::rename(from, to))
}

fn look<T>(path: &Path, read: impl Fn(Vec<u8>) -> Result<T, String>) -> Found<T> {
    match read_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Nothing,
        Err(error) => Found::Broken(error.to_string()),
        Ok(bytes) if bytes.trim_ascii().is_empty() => Found::Broken("it is empty".to_owned()),
        Ok(bytes) => read(bytes).map_or_else(Found::Broken, Found::Whole),
    }
}

/// Whether there is nothing in it, or no such file.
fn is_empty(path: &Path) -> bool {
    match read_file(path) {
        Ok(bytes) => bytes.trim_ascii().is_empty(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Reads a file; what is none is refused, since to open a pipe would wait for ever.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    fs::read(path)
}

fn backup_path(path: &Path) -> PathBuf {
    beside(path, ".bak")
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    PathBuf::from(name)
}
