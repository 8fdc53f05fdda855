//! A run of numbered files: the log, or one queue. Which are there, how long they should be, which are not.
//!
//! ```text
//!   00000000000000000000 │ 00000000000000032768 │ ✗ │ 00000000000000098304      named after their first byte
//! ```
//!
//! Files are only ever read with `pread`: a bad sector is an error with a place, never a signal.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

/// One file of a run.
#[derive(Clone, Debug)]
pub(crate) struct Numbered {
    /// Its first byte's offset in the run.
    pub(crate) base: u64,
    /// How long it is.
    pub(crate) bytes: u64,
    pub(crate) path: PathBuf,
}

/// The numbered files of a folder, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) files: Vec<Numbered>,
    /// What else is there.
    pub(crate) strange: Vec<PathBuf>,
}

impl Run {
    /// Lists a folder; one that is not there has none.
    pub(crate) fn list(dir: &Path) -> io::Result<Run> {
        let mut run = Run::default();
        for path in entries(dir)? {
            let name = path.file_name().and_then(|name| name.to_str());
            match name.and_then(offset_of) {
                Some(base) => {
                    let meta = fs::metadata(&path)?;
                    if meta.is_file() {
                        let bytes = meta.len();
                        run.files.push(Numbered { base, bytes, path });
                    } else {
                        run.strange.push(path); // to open a pipe would wait for ever
                    }
                }
                None => run.strange.push(path),
            }
        }
        run.files.sort_unstable_by_key(|file| file.base);
        Ok(run)
    }

    /// Byte the first file begins at.
    pub(crate) fn first(&self) -> u64 {
        self.files.first().map_or(0, |file| file.base)
    }
}

/// The paths in a folder, by name; none if it is not there.
pub(crate) fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let listed = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let mut paths = Vec::new();
    for entry in listed {
        paths.push(entry?.path());
    }
    paths.sort_unstable();
    Ok(paths)
}

fn offset_of(name: &str) -> Option<u64> {
    let digits = name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit());
    // What Java's `long` holds: no sum of an offset and a length is too great then.
    let offset: u64 = name.parse().ok().filter(|_| digits)?;
    (offset <= i64::MAX as u64).then_some(offset)
}

/// How long the files of these runs were meant to be: the length that most have, among those that fit all the names.
/// `None` without a file that has a length.
pub(crate) fn usual_bytes<'a>(runs: impl Iterator<Item = &'a Run> + Clone) -> Option<u64> {
    let mut lengths = BTreeMap::<u64, u64>::new();
    for file in runs.clone().flat_map(|run| &run.files) {
        *lengths.entry(file.bytes).or_default() += 1;
    }
    lengths.remove(&0);
    let misfits = |bytes: u64| {
        let files = runs.clone().flat_map(|run| &run.files);
        files
            .filter(|file| !file.base.is_multiple_of(bytes))
            .count()
    };
    let best = lengths
        .into_iter()
        .max_by_key(|(bytes, files)| (std::cmp::Reverse(misfits(*bytes)), *files, *bytes));
    best.map(|(bytes, _)| bytes)
}

/// Reads what there is from `at` on, `bytes` at most, into `buffer`.
pub(crate) fn read_at(file: &File, at: u64, bytes: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.resize(bytes, 0);
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(filled);
    Ok(())
}

/// The first place from `at` on that is no hole; what was never written is one. `None` without any.
pub(crate) fn next_data(file: &File, at: u64) -> Option<u64> {
    match seek(file, SeekFrom::Data(at)) {
        Ok(data) => Some(data),
        Err(Errno::NXIO) => None,
        Err(_) => Some(at), // a file system that cannot tell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(files: &[(u64, u64)]) -> Run {
        let numbered = |(base, bytes): &(u64, u64)| Numbered {
            base: *base,
            bytes: *bytes,
            path: PathBuf::new(),
        };
        Run {
            files: files.iter().map(numbered).collect(),
            strange: Vec::new(),
        }
    }

    #[test]
    fn the_usual_length_is_that_of_most_files_and_fits_the_names() {
        for (files, usual) in [
            (&[(0, 100)][..], Some(100)),
            (&[(0, 100), (100, 100), (200, 60)], Some(100)),
            (&[(0, 130), (100, 100)], Some(100)),
            (&[(0, 100), (100, 60)], Some(100)),
            (&[(200, 100), (400, 100)], Some(100)),
            (&[(0, 0)], None),
            (&[], None),
        ] {
            assert_eq!(usual_bytes([run(files)].iter()), usual, "{files:?}");
        }
    }
}
