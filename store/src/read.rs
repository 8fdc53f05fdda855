//! Reading a queue: from an offset to slices of the log, and copies of what is too short for a slice of its own.
//!
//! A read stays within one queue file, skips what is not wanted, stops at the limits, and says where
//! to go on. The rule that is easy to break: the next offset is behind everything looked at, wanted
//! or not. Java 4.7.0 `store/DefaultMessageStore.java`: `getMessage`, `isTheBatchFull`.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::api::{QueueRead, ReadStatus, Select};
use crate::commit_log::CommitLog;
use crate::config::{BrokerRole, StoreConfig};
use crate::consume_queue::entries::Entries;
use crate::consume_queue::ext::Units;
use crate::consume_queue::queue::Queue;
use crate::consume_queue::unit::{ENTRY_BYTES, Entry};
use crate::java_hash::tags_code;
use crate::mapped::file::MappedFile;
use crate::offset::QueueOffset;
use crate::record::Record;

/// A filter looks at no more entries in one read than fit in so many bytes, Java's 16,000.
const LEAST_SCAN_BYTES: u64 = 16_000;

/// Read ahead of a record that lies far behind the log's end: as Linux does by itself where it is not told better.
const AHEAD_BYTES: u64 = 128 * 1024;

/// Records that lie one behind the other and are fewer bytes than this are cheaper to copy than to hand out on their own.
const SHORT_BYTES: usize = 2048;

/// Room for the runs of a common pull.
const RUNS: u32 = 32;

/// The limits of reads, worked out once.
pub(crate) struct Reader {
    /// What lies further behind the log's end is taken to be on disk only.
    memory_bytes: u64,
    in_memory: Limits,
    on_disk: Limits,
    corrects_offsets: bool,
}

/// What becomes of records that may be on disk only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cold {
    /// They are handed out as they are. Who looks at them, and that is this read for a filter or for short ones, waits for
    /// the disk.
    HandOut,
    /// The read ends in front of them.
    EndInFront,
    /// They are read from the disk.
    WaitFor,
}

#[derive(Clone, Copy)]
struct Limits {
    bytes: u64,
    count: u32,
}

impl Reader {
    pub(crate) fn new(config: &StoreConfig) -> Reader {
        let system = rustix::system::sysinfo();
        let total = system.totalram as u64 * u64::from(system.mem_unit);
        Reader {
            memory_bytes: total / 100 * u64::from(config.access_in_memory_max_ratio),
            in_memory: Limits {
                bytes: config.max_transfer_bytes_in_memory.into(),
                count: config.max_transfer_count_in_memory,
            },
            on_disk: Limits {
                bytes: config.max_transfer_bytes_in_disk.into(),
                count: config.max_transfer_count_in_disk,
            },
            corrects_offsets: config.broker_role != BrokerRole::Slave
                || config.offset_check_in_slave,
        }
    }

    /// Reads up to `max_messages` of `queue` from `from` on, those that `select` wants.
    pub(crate) fn read(
        &self,
        log: &CommitLog,
        queue: Option<&Queue>,
        (from, max_messages): (QueueOffset, u32),
        select: &mut dyn Select,
        cold: Cold,
    ) -> QueueRead {
        let min = queue.map_or(QueueOffset(0), Queue::min_offset);
        let max = queue.map_or(QueueOffset(0), Queue::max_offset);
        let mut read = QueueRead {
            status: ReadStatus::NoMessageInQueue,
            next_begin: from,
            min_offset: min,
            max_offset: max,
            records: Vec::new(),
            message_count: 0,
            bytes: 0,
            behind_bytes: 0,
            suggest_slave: false,
            cold: false,
        };
        if let Some((status, corrected)) = outside(from, min, max) {
            read.status = status;
            read.next_begin = self.correct(from, corrected);
            return read;
        }
        match queue.and_then(|queue| queue.entries_from(from)) {
            None => {
                read.status = ReadStatus::OffsetFoundNull;
                read.next_begin =
                    self.correct(from, queue.map_or(max, |queue| queue.next_file(from)));
            }
            Some(entries) => {
                let wanted = Wanted {
                    queue,
                    units: Units::default(),
                    select,
                    cold,
                };
                self.collect(log, entries, from, max_messages, wanted, &mut read);
            }
        }
        read
    }

    /// A slave leaves offsets to its master, unless told otherwise.
    fn correct(&self, from: QueueOffset, corrected: QueueOffset) -> QueueOffset {
        if self.corrects_offsets {
            corrected
        } else {
            from
        }
    }

    fn collect(
        &self,
        log: &CommitLog,
        entries: Entries<'_>,
        from: QueueOffset,
        max_messages: u32,
        mut wanted: Wanted<'_>,
        read: &mut QueueRead,
    ) {
        let log_end = log.end();
        let most = LEAST_SCAN_BYTES
            .max(u64::from(max_messages) * ENTRY_BYTES)
            .div_ceil(ENTRY_BYTES);
        let mut run = Runs::of_up_to(max_messages);
        let mut skip_below = 0;
        let mut looked_at = 0;
        read.status = ReadStatus::NoMatchedMessage;
        for entry in entries.take(most as usize) {
            let offset = entry.log_offset.unsigned_abs();
            if entry != Entry::BLANK {
                read.behind_bytes = log_end.saturating_sub(offset);
            }
            if offset < skip_below {
                looked_at += 1;
                continue;
            }
            let bytes = u64::from(entry.record_bytes.unsigned_abs());
            if self.is_full(
                read,
                bytes,
                max_messages,
                read.behind_bytes > self.memory_bytes,
            ) {
                break;
            }
            looked_at += 1;
            match self.take(log, entry, &mut wanted, &mut run, read) {
                Taken::Cold => {
                    looked_at -= 1;
                    read.cold = true; // all of it is read anew: a batch is as long as Java's
                    break;
                }
                Taken::Yes => {
                    read.status = ReadStatus::Found;
                    read.message_count += 1;
                    read.bytes += bytes;
                    skip_below = 0;
                }
                Taken::No(status) => {
                    if read.bytes == 0 {
                        read.status = status;
                    }
                    if status == ReadStatus::MessageWasRemoving && entry != Entry::BLANK {
                        skip_below = log.next_file(offset);
                    }
                }
            }
        }
        run.end(&mut read.records);
        read.next_begin = from.plus(looked_at);
        read.suggest_slave = read.behind_bytes > self.memory_bytes;
    }

    /// Adds the entry's record to `run` if it is wanted and there.
    fn take(
        &self,
        log: &CommitLog,
        entry: Entry,
        wanted: &mut Wanted<'_>,
        run: &mut Runs,
        read: &mut QueueRead,
    ) -> Taken {
        let by_entry = wanted.by_entry(entry);
        if by_entry == Some(false) {
            return Taken::No(ReadStatus::NoMatchedMessage);
        }
        let (offset, bytes) = (
            entry.log_offset.unsigned_abs(),
            u64::from(entry.record_bytes.unsigned_abs()),
        );
        if run.record(offset, bytes).is_none() {
            run.end(&mut read.records);
            let file = log.file_with(offset, bytes);
            run.file = file.and_then(|file| file.all().map(|all| (file, all)));
        }
        let far = read.behind_bytes > self.memory_bytes;
        if far && wanted.cold == Cold::WaitFor {
            run.read_ahead(offset, bytes);
        }
        let (Some(record), Some((file, _))) = (run.record(offset, bytes), &run.file) else {
            return Taken::No(ReadStatus::MessageWasRemoving);
        };
        if !is_at_hand(file, offset, bytes, far, wanted.cold) {
            return Taken::Cold;
        }
        if !wanted.by_record(record, by_entry.is_none()) {
            return Taken::No(ReadStatus::NoMatchedMessage);
        }
        run.add(offset, bytes);
        Taken::Yes
    }

    fn is_full(&self, read: &QueueRead, bytes: u64, max_messages: u32, on_disk: bool) -> bool {
        if read.message_count == 0 {
            return false; // the first always fits
        }
        let limits = if on_disk {
            self.on_disk
        } else {
            self.in_memory
        };
        read.message_count >= max_messages.min(limits.count) || read.bytes + bytes > limits.bytes
    }
}

/// Whether a record may be looked at. What may not be in memory is read from the disk if `cold` wants that. A record `far`
/// behind the log's end was perhaps dropped from memory since it was last read.
fn is_at_hand(file: &MappedFile, offset: u64, bytes: u64, far: bool, cold: Cold) -> bool {
    match cold {
        Cold::HandOut => true,
        Cold::EndInFront => !far && file.is_warm(offset, bytes),
        Cold::WaitFor => {
            file.warm_up(offset, bytes);
            if far {
                file.fault_in(offset, bytes);
            }
            true
        }
    }
}

/// What became of an entry's record.
enum Taken {
    Yes,
    No(ReadStatus),
    /// It may be on disk only, and the reader does not wait for that.
    Cold,
}

/// What a reader wants of a queue.
struct Wanted<'a> {
    queue: Option<&'a Queue>,
    units: Units,
    select: &'a mut dyn Select,
    cold: Cold,
}

impl Wanted<'_> {
    /// Whether it is, by the entry and its unit; `None` when only the record tells: the unit that the entry has is not
    /// there, because the extension was switched off or lost. Java leaves it to the client then.
    fn by_entry(&mut self, entry: Entry) -> Option<bool> {
        let queue = self.queue?;
        match queue.unit(entry, &mut self.units) {
            None => Some(self.select.entry(entry.tags_code)),
            Some(unit) => {
                unit.map(|unit| self.select.entry(unit.tags_code) && self.select.unit(&unit))
            }
        }
    }

    fn by_record(&mut self, record: &[u8], without_entry: bool) -> bool {
        let code = |record: Record<'_>| record.handles().tags.map_or(0, tags_code);
        let by_tag = !without_entry
            || Record::decode(record).is_ok_and(|record| self.select.entry(code(record)));
        by_tag && self.select.record(record)
    }
}

/// The answer to an offset that has no entry: what it is, and where to go on. Past the end that is the end: whoever is there
/// has seen what there is, before a crash took the rest. Java 4.7.0 goes back to the first message of a queue that still
/// has it, and consumes everything again (its issue 4215); 4.9.4 as we.
fn outside(
    from: QueueOffset,
    min: QueueOffset,
    max: QueueOffset,
) -> Option<(ReadStatus, QueueOffset)> {
    if max.0 == 0 {
        return Some((ReadStatus::NoMessageInQueue, QueueOffset(0)));
    }
    if from < min {
        return Some((ReadStatus::OffsetTooSmall, min));
    }
    if from == max {
        return Some((ReadStatus::OffsetOverflowOne, from));
    }
    (from > max).then_some((ReadStatus::OffsetOverflowBadly, max))
}

/// Records of one file, until they become slices. Those that lie one behind the other are one run. All slices of a file share
/// one owner, and short runs one copy: neither costs an allocation each.
struct Runs {
    /// The file, and all that could be read of it.
    file: Option<(Arc<MappedFile>, Bytes)>,
    /// Where in the file each begins and ends.
    runs: Vec<Range<usize>>,
    /// Up to here the kernel was asked to read ahead. It does not by itself where this process has written.
    ahead: u64,
}

impl Runs {
    fn of_up_to(max_messages: u32) -> Runs {
        Runs {
            file: None,
            runs: Vec::with_capacity(max_messages.min(RUNS) as usize),
            ahead: 0,
        }
    }

    /// The bytes at `offset`, if they are in the file.
    fn record(&self, offset: u64, bytes: u64) -> Option<&[u8]> {
        let (file, all) = self.file.as_ref()?;
        let at = usize::try_from(offset.checked_sub(file.base())?).ok()?;
        all.get(at..at.checked_add(usize::try_from(bytes).ok()?)?)
    }

    /// Has the kernel begin to read a record and what lies behind it, unless it was asked to.
    fn read_ahead(&mut self, offset: u64, bytes: u64) {
        if let Some((file, _)) = &self.file
            && offset + bytes > self.ahead
        {
            self.ahead = offset + bytes.max(AHEAD_BYTES);
            file.read_ahead(offset, self.ahead - offset);
        }
    }

    /// Adds a record that is in the file.
    fn add(&mut self, offset: u64, bytes: u64) {
        let base = self.file.as_ref().map_or(0, |(file, _)| file.base());
        let (from, bytes) = ((offset - base) as usize, bytes as usize);
        match self.runs.last_mut() {
            Some(last) if last.end == from => last.end += bytes,
            _ => self.runs.push(from..from + bytes),
        }
    }

    /// Makes them slices.
    fn end(&mut self, slices: &mut Vec<Bytes>) {
        let Some((_, all)) = &self.file else {
            return;
        };
        let bytes_of = |run: &Range<usize>| all.get(run.clone()).unwrap_or_default();
        let is_short = |run: &Range<usize>| run.len() < SHORT_BYTES;
        for runs in self
            .runs
            .chunk_by(|run, next| is_short(run) && is_short(next))
        {
            slices.push(match runs {
                [run] => all.slice_ref(bytes_of(run)), // not touched: it may be on disk only, and its reader may not wait
                short => {
                    let mut copy = Vec::with_capacity(short.iter().map(Range::len).sum());
                    short
                        .iter()
                        .for_each(|run| copy.extend_from_slice(bytes_of(run)));
                    copy.into()
                }
            });
        }
        self.runs.clear();
    }
}
