//! Op messages: which half messages are done.
//!
//! | part  | content                                     |
//! |-------|---------------------------------------------|
//! | topic | RMQ_SYS_TRANS_OP_HALF_TOPIC, queue 0          |
//! | tag   | `d`                                         |
//! | body  | the half message's place in its queue, decimal |
//!
//! They come in the order in which transactions end, so those needed for one stretch of the half queue are found by
//! reading on. What was read is one bit for a half message, in a window over the half queue: Java's map of all op
//! messages read grows with them. The rule that is easy to break: the offset kept for the op queue may not pass an op
//! message whose half message has not been passed.
//!
//! Java 4.7.0 `TransactionalMessageBridge.java` (`makeOpMessageInner`), `TransactionalMessageServiceImpl.java`
//! (`fillOpRemoveMap`, `calculateOpOffset`). Java stays for ever at an op message that it cannot read; it is passed here.

use std::collections::HashSet;
use std::net::SocketAddr;

use bytes::Bytes;
use store::{
    AppendError, Appended, Everything, NewMessage, QueueOffset, ReadStatus, Record, Store,
};
use tracing::warn;

use super::{OP_TOPIC, QUEUE};
use crate::now_ms;

/// Half messages in one window. 128 KiB of bits.
const WINDOW: i64 = 1 << 20;
const WORDS: usize = (WINDOW / 64) as usize;

/// Op messages of one read. Java 4.7.0 `fillOpRemoveMap`.
const MOST_A_READ: u32 = 32;

/// Ends that came after their half message was passed: so many are remembered of one pass.
const MOST_LATE: usize = 100_000;

/// The properties of an op message, as Java writes them.
const PROPERTIES: &str = "WAIT\u{1}true\u{2}TAGS\u{1}d\u{2}";

/// Writes that a half message is done.
///
/// # Errors
/// As [`Store::append`] says; nothing was stored then.
pub(super) fn append(
    store: &Store,
    store_host: SocketAddr,
    half: i64,
) -> Result<Appended, AppendError> {
    store.append(&NewMessage {
        topic: OP_TOPIC,
        queue_id: QUEUE,
        flag: 0,
        sys_flag: 0,
        born_timestamp_ms: now_ms(),
        born_host: store_host,
        store_host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: half.to_string().as_bytes(),
        properties: PROPERTIES,
    })
}

/// The half message that an op message means.
fn half_of(record: &Record<'_>) -> Option<i64> {
    let is_done = record.property(b"TAGS") == Some(b"d");
    let text = std::str::from_utf8(record.body).ok().filter(|_| is_done)?;
    text.parse().ok()
}

/// Reads the op queue on, and knows which half messages of one window are done.
pub(super) struct Done<'a> {
    store: &'a Store,
    /// The first op message that may still be needed.
    from: i64,
    /// The next one to read.
    next: i64,
    /// First half message of the window.
    base: i64,
    bits: Box<[u64]>,
    late: HashSet<i64>,
}

impl<'a> Done<'a> {
    /// Begins at an op message and a half message.
    pub(super) fn new(store: &'a Store, from: i64, half: i64) -> Done<'a> {
        Done {
            store,
            from,
            next: from,
            base: half,
            bits: vec![0; WORDS].into(),
            late: HashSet::new(),
        }
    }

    /// Whether a half message is known to be done, or becomes known by reading all that can be read. Half messages are
    /// asked for in their order.
    pub(super) fn has(&mut self, half: i64) -> bool {
        if half >= self.base + WINDOW {
            self.base = half;
            self.bits.fill(0);
            self.next = self.from; // what was beyond the window is read again
        }
        self.is_set(half) || {
            self.read_on();
            self.is_set(half)
        }
    }

    /// Whether an end came for a half message that had been passed already.
    pub(super) fn has_late(&self, half: i64) -> bool {
        self.late.contains(&half)
    }

    /// The first op message that is still needed when all half messages before `half` are dealt with.
    pub(super) fn needed_from(&self, half: i64) -> i64 {
        let mut needed = self.from;
        walk(self.store, self.from, |offset, op| {
            let passed = half_of(op).is_none_or(|done| done < half);
            if passed {
                needed = offset + 1;
            }
            passed
        });
        needed
    }

    fn read_on(&mut self) {
        let (base, bits, late) = (self.base, &mut self.bits, &mut self.late);
        self.next = walk(self.store, self.next, |offset, op| {
            match half_of(op) {
                Some(half) if half < base => {
                    if late.len() < MOST_LATE {
                        late.insert(half);
                    }
                }
                Some(half) => {
                    if let Some((word, bit)) = place(half - base)
                        && let Some(word) = bits.get_mut(word)
                    {
                        *word |= bit;
                    }
                }
                None => warn!(offset, "op message says nothing, it is passed over"),
            }
            true
        });
    }

    fn is_set(&self, half: i64) -> bool {
        let found =
            place(half - self.base).and_then(|(word, bit)| Some((self.bits.get(word)?, bit)));
        found.is_some_and(|(word, bit)| word & bit != 0)
    }
}

/// Word and bit of a place in the window.
fn place(at: i64) -> Option<(usize, u64)> {
    let at = usize::try_from(at).ok()?;
    Some((at / 64, 1 << (at % 64)))
}

/// Shows op messages from `from` on until there is none or `go_on` says no; the place after the last one shown.
fn walk(store: &Store, from: i64, mut go_on: impl FnMut(i64, &Record<'_>) -> bool) -> i64 {
    let mut next = from;
    loop {
        let at = QueueOffset(next);
        let read = store.read_queue(OP_TOPIC, QUEUE, at, MOST_A_READ, &mut Everything);
        if read.status != ReadStatus::Found {
            if read.next_begin.0 <= next {
                return next;
            }
            next = read.next_begin.0; // expired
            continue;
        }
        let mut stopped = None;
        each_record(&read.records, |record| {
            if stopped.is_none() && !go_on(record.queue_offset, record) {
                stopped = Some(record.queue_offset);
            }
        });
        if let Some(stopped) = stopped {
            return stopped;
        }
        next = read.next_begin.0;
    }
}

/// Shows every record of a read.
pub(super) fn each_record(slices: &[Bytes], mut show: impl FnMut(&Record<'_>)) {
    for slice in slices {
        let mut rest: &[u8] = slice;
        while let Ok(record) = Record::decode(rest) {
            show(&record);
            rest = rest.get(record.record_bytes as usize..).unwrap_or(&[]);
        }
    }
}
