//! The index files beside the log: their entries come in log order, as the messages do.
//!
//! ```text
//!   entry n: hash, place, …, previous      `latest[hash % slots]` is what `previous` must be, then n is the latest
//! ```
//!
//! So chains are checked without going along them, and what is left in `latest` at the end must be the slots. How many
//! slots a file has does not stand in it: it is told, Java's 5,000,000, or what makes the first entries fit.
//! Java 4.7.0 `store/index/IndexFile.java`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use store::inspect::{INDEX_ENTRY_BYTES, INDEX_HEADER_BYTES, IndexEntry, IndexHeader};

use crate::run::{entries, read_at};

const SLOT_BYTES: u64 = 4;
const ENTRY_BYTES: u64 = INDEX_ENTRY_BYTES as u64;
const HEADER_BYTES: u64 = INDEX_HEADER_BYTES as u64;
/// Java's default, `maxHashSlotNum`.
const USUAL_SLOTS: u32 = 5_000_000;
/// Java's default, `maxIndexNum`.
const USUAL_ENTRIES: u64 = 20_000_000;
/// Entries that must fit before a number of slots is believed.
const TRIED: u32 = 16;
/// Bytes read at a time.
const WINDOW_BYTES: usize = 64 * 1024;

/// An open index file.
pub(crate) struct IndexFile {
    pub(crate) path: PathBuf,
    pub(crate) header: IndexHeader,
    pub(crate) bytes: u64,
    file: File,
}

impl IndexFile {
    pub(crate) fn open(path: &Path) -> io::Result<IndexFile> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let mut header = [0; INDEX_HEADER_BYTES];
        if bytes >= HEADER_BYTES {
            file.read_exact_at(&mut header, 0)?;
        }
        let header = IndexHeader::decode(&header);
        let path = path.to_owned();
        Ok(IndexFile {
            path,
            header,
            bytes,
            file,
        })
    }

    /// Number behind the last entry, 1 in a file that was being made.
    pub(crate) fn next(&self) -> u32 {
        self.header.next_entry.max(1)
    }

    /// How many entries it has room for, with so many slots.
    pub(crate) fn room(&self, slots: u32) -> u64 {
        self.bytes.saturating_sub(entry_at(slots, 0)) / ENTRY_BYTES
    }

    pub(crate) fn entry(&self, slots: u32, number: u32) -> io::Result<IndexEntry> {
        let mut bytes = [0; INDEX_ENTRY_BYTES];
        self.file
            .read_exact_at(&mut bytes, entry_at(slots, number))?;
        Ok(IndexEntry::decode(&bytes))
    }

    fn slot(&self, slot: u32) -> io::Result<u32> {
        let mut bytes = [0; 4];
        self.file
            .read_exact_at(&mut bytes, HEADER_BYTES + u64::from(slot) * SLOT_BYTES)?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// Slots that do not hold what `latest` says: how many, the first, what it holds.
    pub(crate) fn slots_astray(&self, latest: &[u32]) -> io::Result<Option<(u64, u32, u32)>> {
        let (mut window, mut at, mut astray) = (Vec::new(), HEADER_BYTES, None);
        let mut numbers = 0..;
        for latest in latest.chunks(WINDOW_BYTES / SLOT_BYTES as usize) {
            read_at(
                &self.file,
                at,
                latest.len() * SLOT_BYTES as usize,
                &mut window,
            )?;
            let (slots, _) = window.as_chunks::<4>();
            for ((slot, latest), number) in slots.iter().zip(latest).zip(numbers.by_ref()) {
                let holds = u32::from_be_bytes(*slot);
                if holds != *latest {
                    let (count, first, held) = astray.unwrap_or((0, number, holds));
                    astray = Some((count + 1, first, held));
                }
            }
            at += (latest.len() as u64) * SLOT_BYTES;
        }
        Ok(astray)
    }

    /// How many of a few things are as they would be with so many slots, of how many; `None` if many are not.
    fn fits(&self, slots: u32) -> io::Result<Option<(u32, u32)>> {
        let last = self.next() - 1;
        if slots == 0 || u64::from(last) >= self.room(slots) {
            return Ok(None);
        }
        let ends = [
            (1, self.header.begin_log_offset),
            (last, self.header.end_log_offset),
        ];
        let (mut right, mut tried) = (0, 0);
        for (number, log_offset) in ends {
            tried += 1;
            right += u32::from(self.entry(slots, number)?.log_offset == log_offset);
        }
        let few = TRIED.min(last);
        for number in (1..=few).chain(last - few + 1..=last) {
            tried += 1;
            right += u32::from(self.is_linked(slots, number)?);
            if tried - right > 4 {
                return Ok(None);
            }
        }
        Ok(Some((right, tried)))
    }

    /// Whether an entry's slot can lead to it, and it to one of the same slot.
    fn is_linked(&self, slots: u32, number: u32) -> io::Result<bool> {
        let entry = self.entry(slots, number)?;
        let slot = entry.hash % slots;
        let newest = self.slot(slot)?;
        if newest < number || newest >= self.next() || entry.previous >= number {
            return Ok(false);
        }
        Ok(entry.previous == 0 || self.entry(slots, entry.previous)?.hash % slots == slot)
    }
}

/// Byte of an entry.
pub(crate) fn entry_at(slots: u32, number: u32) -> u64 {
    HEADER_BYTES + u64::from(slots) * SLOT_BYTES + u64::from(number) * ENTRY_BYTES
}

/// The index files of a store, in order, and what else is in their folder.
pub(crate) fn index_paths(dir: &Path) -> io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let is_index = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        // To open a pipe would wait for ever.
        name.is_some_and(|name| name.len() == 17 && name.bytes().all(|byte| byte.is_ascii_digit()))
            && path.is_file()
    };
    Ok(entries(dir)?.into_iter().partition(is_index))
}

/// How many slots these files have; `None` if nothing fits.
pub(crate) fn find_slots(files: &[IndexFile]) -> io::Result<Option<u32>> {
    for file in files {
        if file.bytes == entry_at(USUAL_SLOTS, 0) + USUAL_ENTRIES * ENTRY_BYTES {
            return Ok(Some(USUAL_SLOTS));
        }
    }
    let mut best = (0, None);
    for file in files.iter().filter(|file| file.next() > 1) {
        let words = file.bytes.saturating_sub(HEADER_BYTES) / SLOT_BYTES;
        // Whole entries of five words each stand behind the slots.
        for slots in (words % 5..words.saturating_sub(9)).step_by(5) {
            let Ok(slots) = u32::try_from(slots) else {
                break;
            };
            let Some((right, tried)) = file.fits(slots)? else {
                continue;
            };
            if right > best.0 {
                best = (right, Some(slots));
            }
            if right == tried && tried > TRIED {
                return Ok(Some(slots));
            }
        }
    }
    Ok(best.1)
}

/// Goes through the entries of all files, in order.
pub(crate) struct Cursor {
    pub(crate) files: Vec<IndexFile>,
    pub(crate) slots: u32,
    /// Of `files`.
    at_file: usize,
    number: u32,
    window: Vec<u8>,
    window_from: u32,
}

impl Cursor {
    pub(crate) fn new(files: Vec<IndexFile>, slots: u32) -> Cursor {
        Cursor {
            files,
            slots,
            at_file: 0,
            number: 1,
            window: Vec::new(),
            window_from: 0,
        }
    }

    /// The file at hand.
    pub(crate) fn file(&self) -> Option<&IndexFile> {
        self.files.get(self.at_file)
    }

    /// Whether the file at hand is the last.
    pub(crate) fn is_last_file(&self) -> bool {
        self.at_file + 1 >= self.files.len()
    }

    /// Behind the entry at hand in this file, if there is one.
    pub(crate) fn peek(&mut self, ahead: u32) -> io::Result<Option<(u32, IndexEntry)>> {
        let number = self.number.saturating_add(ahead);
        let Some(file) = self.files.get(self.at_file) else {
            return Ok(None);
        };
        let end = u64::from(file.next()).min(file.room(self.slots));
        if u64::from(number) >= end {
            return Ok(None);
        }
        if let Some(entry) = self.in_window(number) {
            return Ok(Some((number, entry)));
        }
        read_at(
            &file.file,
            entry_at(self.slots, number),
            WINDOW_BYTES,
            &mut self.window,
        )?;
        self.window_from = number;
        Ok(self.in_window(number).map(|entry| (number, entry)))
    }

    fn in_window(&self, number: u32) -> Option<IndexEntry> {
        let skip = number.checked_sub(self.window_from)? as usize * INDEX_ENTRY_BYTES;
        self.window
            .get(skip..)?
            .first_chunk()
            .map(IndexEntry::decode)
    }

    pub(crate) fn advance(&mut self) {
        self.number = self.number.saturating_add(1);
    }

    /// Leaves the file at hand for the next one.
    pub(crate) fn next_file(&mut self) {
        self.at_file += 1;
        self.number = 1;
        self.window.clear();
    }
}
