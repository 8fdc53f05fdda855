//! The commit log from its first byte to its last, a window at a time: records, fillers, and what is neither.
//!
//! ```text
//!   record │ record │ ✗ bad │ record │ filler ┃ record │ 0000        each place is told to the visitor once, in order
//!                      └ the next record is found by its magic, and believed if it says that it lies there
//! ```
//!
//! The rule that is easy to break: a size that does not hold water must neither end the walk nor be allocated. A record
//! longer than the window is only read when its head says that it lies where it lies.
//! Java 4.7.0 `store/CommitLog.java`: `checkMessageAndReturnSize`.

use std::fs::File;
use std::io;

use memchr::memmem;
use store::inspect::{BLANK_BYTES, Frame, MESSAGE_MAGIC, frame};
use store::{DecodeError, Record};

use crate::run::{Numbered, Run, next_data, read_at};

/// Bytes read at a time.
const WINDOW_BYTES: usize = 1024 * 1024;
/// Bytes that tell where a record says it lies.
const HEAD_BYTES: usize = 36;

/// What lies between two places and is no record.
#[derive(Clone, Debug)]
pub(crate) struct Bad {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) why: Why,
}

/// Why it is none.
#[derive(Clone, Debug)]
pub(crate) enum Why {
    /// Zeros: nothing was ever written there.
    Nothing,
    Bytes(DecodeError),
    /// The disk does not give it.
    Unreadable(String),
}

/// Told of what is in the log, in order.
pub(crate) trait Visitor {
    /// A whole record at `at`; its own idea of its place may be another.
    fn record(&mut self, at: u64, record: &Record<'_>);
    /// A filler at `at` that says how long it is, and how long it should be.
    fn filler(&mut self, at: u64, says_bytes: u64, bytes: u64);
    /// Something with records behind it.
    fn bad(&mut self, bad: &Bad);
    /// The log has been gone through up to this place, a window at a time.
    fn passed(&mut self, upto: u64);
    /// Whether nothing more is wanted.
    fn is_done(&self) -> bool {
        false
    }
}

/// What is behind the last record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    /// Behind the last record, or the filler after it.
    pub(crate) end: u64,
    /// What lies there, if anything does.
    pub(crate) bad: Option<Bad>,
}

/// Goes through the files of `run`, of which none counts for more than `file_bytes`.
pub(crate) fn walk(run: &Run, file_bytes: u64, visitor: &mut impl Visitor) -> Tail {
    let mut walk = Walk {
        window: Vec::new(),
        window_at: 0,
        pending: Vec::new(),
        end: run.first(),
        visitor,
    };
    for file in &run.files {
        if walk.visitor.is_done() {
            break;
        }
        let bytes = file.bytes.min(file_bytes);
        if let Err(error) = walk.file(file, bytes) {
            let (from, to) = (walk.end.max(file.base), file.base + bytes);
            let why = Why::Unreadable(error.to_string());
            walk.pending.push(Bad { from, to, why });
        }
        walk.visitor.passed(file.base + bytes);
    }
    let written = |bad: &Bad| !matches!(bad.why, Why::Nothing);
    Tail {
        end: walk.pending.first().map_or(walk.end, |bad| bad.from),
        bad: walk.pending.into_iter().find(written),
    }
}

struct Walk<'a, V> {
    window: Vec<u8>,
    /// Byte of the file the window begins at.
    window_at: u64,
    /// Bad places with no record behind them yet.
    pending: Vec<Bad>,
    end: u64,
    visitor: &'a mut V,
}

/// What the place at hand turned out to be.
enum Step {
    /// Go on so many bytes later.
    On(u64),
    EndOfFile,
    Bad(Why),
}

impl<V: Visitor> Walk<'_, V> {
    fn file(&mut self, numbered: &Numbered, bytes: u64) -> io::Result<()> {
        let file = File::open(&numbered.path)?;
        self.window.clear();
        self.window_at = 0;
        let mut at = 0;
        while at + BLANK_BYTES <= bytes && !self.visitor.is_done() {
            let window_at = self.window_at;
            let step = self.step(&file, numbered.base, at, bytes)?;
            if self.window_at != window_at {
                self.visitor.passed(numbered.base + at);
            }
            match step {
                Step::On(record_bytes) => at += record_bytes,
                Step::EndOfFile => return Ok(()),
                Step::Bad(why) => {
                    let next = self.find(&file, numbered.base, at + 1, bytes)?;
                    let to = next.unwrap_or(bytes);
                    let why = match why {
                        Why::Nothing if next.is_none() && self.is_written(&file, at, bytes)? => {
                            Why::Bytes(DecodeError::Magic(0))
                        }
                        why => why,
                    };
                    let (from, to) = (numbered.base + at, numbered.base + to);
                    self.pending.push(Bad { from, to, why });
                    let Some(next) = next else { return Ok(()) };
                    at = next;
                }
            }
        }
        Ok(())
    }

    fn step(&mut self, file: &File, base: u64, at: u64, bytes: u64) -> io::Result<Step> {
        self.have(file, at, HEAD_BYTES as u64, bytes)?;
        let wanted = wanted_bytes(self.rest(at), base + at, bytes - at);
        self.have(file, at, wanted, bytes)?;
        let place = base + at;
        let skipped = (at - self.window_at) as usize;
        let rest = self.window.get(skipped..).unwrap_or_default();
        Ok(match frame(rest) {
            Ok(Frame::Message(record)) => {
                for bad in self.pending.drain(..) {
                    self.visitor.bad(&bad);
                }
                self.visitor.record(place, &record);
                self.end = place + u64::from(record.record_bytes);
                Step::On(u64::from(record.record_bytes))
            }
            Ok(Frame::Blank) => {
                let says = rest
                    .first_chunk()
                    .map_or(0, |size| u32::from_be_bytes(*size));
                if self.pending.is_empty() {
                    self.end = base + bytes;
                }
                self.visitor.filler(place, u64::from(says), bytes - at);
                Step::EndOfFile
            }
            Err(DecodeError::Magic(0)) if rest.starts_with(&[0; 4]) => Step::Bad(Why::Nothing),
            Err(error) => Step::Bad(Why::Bytes(error)),
        })
    }

    /// The bytes in the window from `at` on.
    fn rest(&self, at: u64) -> &[u8] {
        let skipped = at
            .checked_sub(self.window_at)
            .map(|skipped| skipped as usize);
        skipped
            .and_then(|skipped| self.window.get(skipped..))
            .unwrap_or_default()
    }

    /// Fills the window so that it has `count` bytes from `at` on, as far as there are so many in front of `bytes`.
    fn have(&mut self, file: &File, at: u64, count: u64, bytes: u64) -> io::Result<()> {
        let count = count.min(bytes - at);
        if self.rest(at).len() as u64 >= count {
            return Ok(());
        }
        let most = count.max(WINDOW_BYTES as u64).min(bytes - at);
        self.window_at = at;
        read_at(file, at, most as usize, &mut self.window)
    }

    /// The first place from `at` on where a whole record lies that says it lies there.
    fn find(&mut self, file: &File, base: u64, at: u64, bytes: u64) -> io::Result<Option<u64>> {
        let magic = MESSAGE_MAGIC.to_be_bytes();
        let mut at = at;
        while let Some(data) = next_data(file, at) {
            at = at.max(data.saturating_sub(3)); // the length of a record begins with zeros, and may lie in the hole
            if at + BLANK_BYTES > bytes {
                break;
            }
            self.have(file, at, WINDOW_BYTES as u64 / 2, bytes)?;
            let rest = self.rest(at);
            let Some(found) = memmem::find(rest.get(4..).unwrap_or_default(), &magic) else {
                at += (rest.len() as u64).saturating_sub(7).max(1);
                continue;
            };
            at += found as u64;
            self.have(file, at, HEAD_BYTES as u64, bytes)?;
            let wanted = wanted_bytes(self.rest(at), base + at, bytes - at);
            self.have(file, at, wanted, bytes)?;
            match frame(self.rest(at)) {
                Ok(Frame::Message(record)) if u64::try_from(record.log_offset) == Ok(base + at) => {
                    return Ok(Some(at));
                }
                _ => at += 1,
            }
        }
        Ok(None)
    }

    /// Whether anything but zeros lies from `at` on.
    fn is_written(&mut self, file: &File, at: u64, bytes: u64) -> io::Result<bool> {
        let mut at = at;
        while let Some(data) = next_data(file, at).filter(|data| *data < bytes) {
            at = at.max(data);
            self.have(file, at, 1, bytes)?;
            let rest = self.rest(at);
            if rest.is_empty() || rest.iter().any(|byte| *byte != 0) {
                return Ok(!rest.is_empty());
            }
            at += rest.len() as u64;
        }
        Ok(false)
    }
}

/// Bytes to have before the record is judged that begins with `head` at `place`: all of it, if it says that it lies
/// there; otherwise no more than are read at a time.
fn wanted_bytes(head: &[u8], place: u64, left: u64) -> u64 {
    let says = head
        .first_chunk()
        .map_or(0, |size| u32::from_be_bytes(*size));
    let offset = head.get(28..).and_then(<[u8]>::first_chunk);
    let at_home = offset.is_some_and(|offset| u64::from_be_bytes(*offset) == place);
    let most = if at_home { left } else { WINDOW_BYTES as u64 };
    u64::from(says).min(most)
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Why::Nothing => f.write_str("nothing was ever written here"),
            Why::Bytes(error) => error.fmt(f),
            Why::Unreadable(error) => f.write_str(error),
        }
    }
}
