//! What a cut of the log gives up, found and set aside before it is gone.
//!
//! ```text
//!   … record │ ✗ torn or rotten │ record │ record │ 0000
//!            end                 └ messages ──────┘ upto
//! ```
//!
//! A crash leaves one record that was not written to its end, and nothing behind it. Whole messages
//! behind the end are another matter: something in the middle went bad. The rule that is easy to
//! break: nothing strange may be put into the log's own folder, or Java refuses to load it.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::CommitLog;
use super::recover::{Checks, checked};
use crate::error::StoreError;
use crate::mapped::disk::{self, PAGE_BYTES};
use crate::mapped::file::MappedFile;
use crate::paths;
use crate::record::decode::{DecodeError, Frame};
use crate::record::layout::MESSAGE_MAGIC;
use durable::calls::{Call, watched};

/// More copies of one place than this are not kept.
const COPIES: u32 = 100;

/// Why the log ends where something lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Untrusted {
    /// It is no whole record.
    Bytes(DecodeError),
    /// A part of its topic or its properties was never written.
    Torn,
    /// It is one, of another place.
    Elsewhere {
        /// Where it says it lies.
        says: i64,
    },
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Untrusted::Bytes(error) => error.fmt(f),
            Untrusted::Torn => write!(f, "record lacks a part of its topic or properties"),
            Untrusted::Elsewhere { says } => write!(f, "record says it lies at {says}"),
        }
    }
}

/// What lies behind the end of the log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Why what lies at the end does not count; `None` if nothing does.
    pub(crate) reason: Option<Untrusted>,
    /// Behind the last byte that is not zero.
    pub(crate) upto: u64,
    /// Whole messages.
    pub(crate) messages: u64,
}

impl CommitLog {
    /// What is given up if the log ends at `end`; `None` if nothing was ever written there or later.
    /// Reads what is not a hole.
    pub(crate) fn lost_behind(&self, end: u64, checks: Checks) -> Option<Lost> {
        let mut lost = Lost::default();
        for file in self.files_behind(end) {
            let Some((from, bytes)) = written_behind(&file, end) else {
                continue;
            };
            lost.upto = from + bytes.len() as u64;
            lost.messages += whole_messages(&file, from, lost.upto, checks);
        }
        let file = self.files.find(end);
        let at_end = file
            .as_deref()
            .and_then(|file| file.get(end, file.end() - end))
            .map(|bytes| checked(bytes, end, checks));
        if matches!(at_end, Some(Ok(Frame::Blank))) && lost.messages == 0 {
            return None; // a filler, and no file behind it yet
        }
        lost.reason = at_end.and_then(Result::err);
        (lost.upto > 0).then_some(lost)
    }

    /// Says what goes if the log ends at `end`, and where a copy of it is put if that is more than one
    /// torn record. `promised`: what ends there or before was on disk, as the files say. Returns whether
    /// there is anything behind `end`.
    pub(crate) fn tell_cut(&self, end: u64, promised: u64, checks: Checks, aside: &Path) -> bool {
        let lost = self.lost_behind(end, checks);
        let broken = promised > end || lost.as_ref().is_some_and(|lost| lost.messages > 0);
        let Lost {
            reason,
            upto,
            messages,
        } = lost.unwrap_or_default();
        let reason = reason.map_or_else(|| "nothing is there".to_owned(), |why| why.to_string());
        let bytes = upto.max(promised).saturating_sub(end);
        if broken {
            tracing::error!(
                end,
                reason,
                bytes,
                messages,
                "the log is damaged: it ends here, the messages behind are given up"
            );
            match self.set_aside(end, aside) {
                Ok(copies) => tracing::error!(?copies, "what is given up is kept here"),
                Err(error) => tracing::error!(%error, "what is given up is not kept"),
            }
        } else if bytes > 0 {
            tracing::warn!(
                end,
                reason,
                bytes,
                "the log ends in a record that was not written to its end, which is given up"
            );
        }
        upto > end
    }

    /// The files that have bytes behind `end`.
    fn files_behind(&self, end: u64) -> impl Iterator<Item = Arc<MappedFile>> {
        let files = self.files.files().into_iter();
        files.filter(move |file| file.end() > end)
    }

    /// Copies what lies behind `end` to files of `dir`, each named after where it lay.
    ///
    /// # Errors
    /// ENOSPC most likely; the log is as it was.
    pub(crate) fn set_aside(&self, end: u64, dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
        let mut copies = Vec::new();
        for file in self.files_behind(end) {
            if let Some((from, bytes)) = written_behind(&file, end) {
                let copy = write_copy(dir, from, bytes);
                copies.push(copy.map_err(StoreError::io("set aside a part of the log in", dir))?);
            }
        }
        Ok(copies)
    }
}

/// Where in `file` the bytes behind `end` begin, and those bytes up to the last that is not zero.
fn written_behind(file: &MappedFile, end: u64) -> Option<(u64, &[u8])> {
    let from = end.clamp(file.base(), file.end());
    let opened = File::open(file.path()).ok()?;
    // What was never written is left alone: to read it would fill memory with its zeros.
    let data_end = disk::data_end(&opened, from - file.base())?;
    let bytes = file.get(from, (file.base() + data_end).checked_sub(from)?)?;
    let count = written(bytes);
    (count > 0).then(|| bytes.get(..count).map(|bytes| (from, bytes)))?
}

/// How many bytes there are up to the last that is not zero.
fn written(bytes: &[u8]) -> usize {
    const ZEROS: [u8; PAGE_BYTES as usize] = [0; PAGE_BYTES as usize];
    let mut end = bytes.len();
    for chunk in bytes.rchunks(ZEROS.len()) {
        end -= chunk.len();
        if !ZEROS.starts_with(chunk) {
            let last = chunk.iter().rposition(|byte| *byte != 0);
            return end + last.map_or(0, |last| last + 1);
        }
    }
    0
}

/// Whole messages of `[from, upto)`, found by their magic, whatever lies between them.
fn whole_messages(file: &MappedFile, from: u64, upto: u64, checks: Checks) -> u64 {
    let magic = MESSAGE_MAGIC.to_be_bytes();
    let (mut at, mut count) = (from, 0);
    while let Some(bytes) = file.get(at, file.end() - at) {
        let next = match checked(bytes, at, checks) {
            Ok(Frame::Message(record)) => {
                count += 1;
                u64::from(record.record_bytes)
            }
            _ => {
                // The next record has its magic behind its length.
                let behind = bytes.get(5..).unwrap_or_default();
                match behind.windows(4).position(|four| four == magic) {
                    Some(place) => place as u64 + 1,
                    None => return count,
                }
            }
        };
        at += next;
        if at >= upto {
            return count;
        }
    }
    count
}

fn write_copy(dir: &Path, from: u64, bytes: &[u8]) -> io::Result<PathBuf> {
    durable::make_dir(dir)?;
    for copy in 0..COPIES {
        let mut path = paths::numbered(dir, from);
        if copy > 0 {
            path.add_extension(copy.to_string());
        }
        match watched(|| Call::Create(path.clone()), || File::create_new(&path)) {
            Ok(mut file) => {
                watched(|| Call::Write(path.clone()), || file.write_all(bytes))?;
                disk::sync_all(&file, &path)?;
                durable::sync_dir(dir)?;
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_ends_with_its_last_byte_that_is_not_zero() {
        for (len, last) in [
            (0, None),
            (10_000, None),
            (10_000, Some(0)),
            (10_000, Some(9_999)),
            (4096, Some(4095)),
            (8192, Some(4096)),
            (5, Some(2)),
        ] {
            let mut bytes = vec![0; len];
            if let Some(last) = last {
                bytes[last] = 1;
            }
            assert_eq!(
                written(&bytes),
                last.map_or(0, |last| last + 1),
                "{len} {last:?}"
            );
        }
    }

    #[test]
    fn a_copy_never_takes_the_place_of_an_earlier_one() {
        let dir = tempfile::tempdir().expect("folder");
        let dir = dir.path().join("cut");
        let copies =
            ["first", "second"].map(|text| write_copy(&dir, 77, text.as_bytes()).expect("written"));
        assert_eq!(
            copies.map(|path| std::fs::read_to_string(path).expect("there")),
            ["first", "second"]
        );
    }
}
