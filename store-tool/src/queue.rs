//! One queue beside the log: each message's entry, and entries that no message claimed.
//!
//! ```text
//!   log     … m4 ─── m5 ─── m6 ────── m8 …          messages come in log order, so their numbers only grow
//!             │      │      ✗ no entry  │
//!   queue   [ 4 ]  [ 5 ]  [ 0 ]  [ 7 ] [ 8 ]        when 8 is claimed, 7 is looked at: whom does it point to?
//! ```
//!
//! So both directions take one pass over the log and one over each queue, with a window of entries a queue in memory.
//! What is legitimate: entries whose messages have expired, blank ones in front of a queue's first, messages of a
//! deleted topic that was made anew (the queue begins later in the log than they lie).
//! Java 4.7.0 `store/ConsumeQueue.java`.

use std::fs::File;
use std::path::PathBuf;

use store::inspect::{ENTRY_BYTES, Entry};

use crate::run::{Run, read_at};

/// Entries read at a time.
const WINDOW_ENTRIES: u64 = 128;

/// An entry that is not there: zeros, or no file.
pub(crate) const NONE: Entry = Entry {
    log_offset: 0,
    record_bytes: 0,
    tags_code: 0,
};

/// A queue on its way through the log.
pub(crate) struct Queue {
    pub(crate) dir: PathBuf,
    pub(crate) run: Run,
    file_bytes: u64,
    window: Vec<u8>,
    window_at: u64,
    /// Number behind the last entry that a message claimed.
    pub(crate) next: Option<i64>,
    /// Messages without an entry that follow each other: number, and place of the first; how many.
    pub(crate) missing: Option<Missing>,
    /// Numbers of the last such messages that were told of.
    pub(crate) told_missing: std::ops::Range<i64>,
    /// Messages in front of the queue's beginning.
    pub(crate) superseded: u64,
    /// The last message whose entry points elsewhere: number and place.
    pub(crate) unclaimed: Option<(i64, u64)>,
    pub(crate) claimed: u64,
    pub(crate) expired: u64,
    /// Why a file of it cannot be read.
    pub(crate) unreadable: Option<(PathBuf, String)>,
}

/// Messages that have no entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Missing {
    pub(crate) number: i64,
    pub(crate) log_offset: u64,
    pub(crate) count: u64,
}

/// What a message's entry turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It points to the message.
    Mine,
    /// It points to the message, with this size or code.
    Differs(Entry),
    /// There is none.
    None,
    /// It points to a message in front of this one, which has claimed it.
    Taken(Entry),
    /// It points elsewhere; whether that is wrong shows later.
    Elsewhere,
    /// The queue begins later in the log: its topic was deleted and made anew.
    Superseded,
}

impl Queue {
    pub(crate) fn new(dir: PathBuf, run: Run, file_bytes: u64) -> Queue {
        Queue {
            dir,
            run,
            file_bytes,
            window: Vec::new(),
            window_at: 0,
            next: None,
            missing: None,
            told_missing: 0..0,
            superseded: 0,
            unclaimed: None,
            claimed: 0,
            expired: 0,
            unreadable: None,
        }
    }

    /// Number of the first entry there is room for.
    pub(crate) fn first(&self) -> i64 {
        (self.run.first() / ENTRY_BYTES) as i64
    }

    /// Number behind the last entry there is room for.
    pub(crate) fn room(&self) -> i64 {
        let last = self.run.files.last();
        let end = last.map_or(0, |file| {
            file.base.saturating_add(file.bytes.min(self.file_bytes))
        });
        (end / ENTRY_BYTES) as i64
    }

    /// The file that holds an entry, and the entry's byte in it.
    pub(crate) fn place(&self, number: i64) -> (PathBuf, u64) {
        let at = u64::try_from(number)
            .unwrap_or(0)
            .saturating_mul(ENTRY_BYTES);
        let files = &self.run.files;
        let place = files.partition_point(|file| file.base <= at);
        let file = place.checked_sub(1).and_then(|place| files.get(place));
        file.map_or((self.dir.clone(), at), |file| {
            (file.path.clone(), at - file.base)
        })
    }

    /// The entry of this number; `NONE` where there is none.
    pub(crate) fn entry(&mut self, number: i64) -> Entry {
        let Some(at) = u64::try_from(number)
            .ok()
            .and_then(|number| number.checked_mul(ENTRY_BYTES))
        else {
            return NONE;
        };
        if let Some(entry) = self.in_window(at) {
            return entry;
        }
        let files = &self.run.files;
        let place = files.partition_point(|file| file.base <= at);
        let Some(numbered) = place.checked_sub(1).and_then(|place| files.get(place)) else {
            return NONE;
        };
        let end = numbered
            .base
            .saturating_add(numbered.bytes.min(self.file_bytes));
        let bytes = end.saturating_sub(at).min(WINDOW_ENTRIES * ENTRY_BYTES);
        let read = File::open(&numbered.path)
            .and_then(|file| read_at(&file, at - numbered.base, bytes as usize, &mut self.window));
        self.window_at = at;
        if let Err(error) = read {
            self.window.clear();
            self.unreadable
                .get_or_insert((numbered.path.clone(), error.to_string()));
        }
        self.in_window(at).unwrap_or(NONE)
    }

    fn in_window(&self, at: u64) -> Option<Entry> {
        let skip = usize::try_from(at.checked_sub(self.window_at)?).ok()?;
        self.window.get(skip..)?.first_chunk().map(Entry::decode)
    }

    /// The first number from this one on that there is room for.
    pub(crate) fn skip_gap(&self, number: i64) -> i64 {
        let at = u64::try_from(number)
            .unwrap_or(0)
            .saturating_mul(ENTRY_BYTES);
        let end =
            |file: &crate::run::Numbered| file.base.saturating_add(file.bytes.min(self.file_bytes));
        let place = self.run.files.partition_point(|file| end(file) <= at);
        let next = self
            .run
            .files
            .get(place)
            .map(|file| (file.base / ENTRY_BYTES) as i64);
        next.map_or(i64::MAX, |next| next.max(number))
    }

    /// A message comes by: what its entry is. `code` says whether a tags code can be its.
    pub(crate) fn claim(
        &mut self,
        number: i64,
        log_offset: u64,
        record_bytes: u32,
        code: impl FnOnce(i64) -> bool,
    ) -> Claim {
        let entry = self.entry(number);
        if u64::try_from(entry.log_offset) == Ok(log_offset)
            && entry != NONE
            && entry != Entry::BLANK
        {
            let size = u32::try_from(entry.record_bytes) == Ok(record_bytes);
            return if size && code(entry.tags_code) {
                Claim::Mine
            } else {
                Claim::Differs(entry)
            };
        }
        if self.next.is_none() && self.begins_behind(number, log_offset) {
            return Claim::Superseded;
        }
        if entry == NONE || entry == Entry::BLANK {
            return Claim::None;
        }
        match self.next {
            Some(next) if number < next && entry.log_offset.unsigned_abs() < log_offset => {
                Claim::Taken(entry)
            }
            _ => Claim::Elsewhere,
        }
    }

    /// Whether the queue's first entry is of a later message than this one, which could have had an entry in it.
    fn begins_behind(&mut self, number: i64, log_offset: u64) -> bool {
        let first = self.entry(self.first());
        number >= self.first()
            && first != NONE
            && first != Entry::BLANK
            && first.log_offset.unsigned_abs() > log_offset
    }
}
