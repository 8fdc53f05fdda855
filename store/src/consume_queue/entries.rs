//! Reading entries: out of the queue's tail, or its files, some at a time.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::queue::Queue;
use super::unit::{ENTRY_BYTES, Entry};
use crate::offset::QueueOffset;

/// Read at a time: 64 entries, a common pull and a bit.
const CHUNK_BYTES: usize = 64 * ENTRY_BYTES as usize;

/// Entries of one file, one after the other. Its file, if it needs one, is open as long as it is.
pub(crate) struct Entries<'a> {
    queue: &'a Queue,
    file: Option<Arc<File>>,
    /// The next byte of the queue to be read into `chunk`.
    at: u64,
    end: u64,
    chunk: [u8; CHUNK_BYTES],
    taken: usize,
    filled: usize,
}

impl Entries<'_> {
    /// Reads on; false at the end, and when a file cannot be read.
    fn fill(&mut self) -> bool {
        let most = (self.end - self.at).min(CHUNK_BYTES as u64) as usize;
        let out = match self.chunk.get_mut(..most) {
            Some(out) if most > 0 => out,
            _ => return false,
        };
        match self.queue.read(self.at, out, &mut self.file) {
            Ok(filled) => {
                (self.taken, self.filled) = (0, filled);
                self.at += filled as u64;
                filled > 0
            }
            Err(error) => {
                // A queue whose topic was deleted has no files.
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::error!(%error, queue = %self.queue.path().display(), "read queue entries");
                }
                false
            }
        }
    }
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        if self.taken == self.filled && !self.fill() {
            return None;
        }
        let entry = self.chunk.get(self.taken..self.filled)?.first_chunk()?;
        self.taken += ENTRY_BYTES as usize;
        Some(Entry::decode(entry))
    }
}

impl Queue {
    /// The entries from `offset` to the end of their file; `None` below the first or past the last.
    pub(crate) fn entries_from(&self, offset: QueueOffset) -> Option<Entries<'_>> {
        let at = u64::try_from(offset.0).ok()?.checked_mul(ENTRY_BYTES)?;
        let (min, max) = (self.min_byte(), self.max_byte());
        if at < min || at >= max {
            return None;
        }
        let file_end = self.files.base_of(at) + self.files.file_bytes();
        let mut entries = Entries {
            queue: self,
            file: None,
            at,
            end: file_end.min(max),
            chunk: [0; CHUNK_BYTES],
            taken: 0,
            filled: 0,
        };
        entries.fill().then_some(entries)
    }

    /// The entry at byte `at`, which need not be readable yet.
    pub(super) fn entry_at(&self, at: u64) -> Option<Entry> {
        let mut bytes = [0; ENTRY_BYTES as usize];
        let read = self.read(at, &mut bytes, &mut None).ok()?;
        (read == bytes.len()).then(|| Entry::decode(&bytes))
    }

    /// Copies whole entries from byte `at` on, all of one file, into `out`, as many as lie in one
    /// place. Returns how many bytes. `file` is opened if it is needed.
    fn read(&self, at: u64, out: &mut [u8], file: &mut Option<Arc<File>>) -> io::Result<usize> {
        let copied = self.tail.lock().copy(at, out);
        let in_files = match copied {
            Ok(()) => return Ok(out.len()),
            Err(in_files) => in_files.min(out.len() as u64) as usize,
        };
        let file = match file {
            Some(file) => file,
            None => file.insert(self.files.open_at(at)?),
        };
        let out = out.get_mut(..in_files).unwrap_or_default();
        self.files.read(file, at, out).map(|()| in_files)
    }
}
