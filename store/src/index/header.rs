//! The head of an index file.
//!
//! | bytes  | name                   | meaning                                              |
//! |--------|------------------------|------------------------------------------------------|
//! | 0..8   | `begin_timestamp_ms`   | store time of the first message                      |
//! | 8..16  | `end_timestamp_ms`     | store time of the last message                       |
//! | 16..24 | `begin_log_offset`     | where the first message lies                         |
//! | 24..32 | `end_log_offset`       | where the last message lies                          |
//! | 32..36 | `puts`                 | 4.7.0 counts every put, though it is called hashSlotCount |
//! | 36..40 | `next_entry`           | number of the next entry; starts at 1                |
//!
//! Big-endian. Java 4.7.0 `store/index/IndexHeader.java`.

use crate::mapped::words::Words;

/// Bytes of it.
pub const INDEX_HEADER_BYTES: usize = 40;

const BEGIN_TIMESTAMP_AT: usize = 0;
const END_TIMESTAMP_AT: usize = 8;
const BEGIN_LOG_OFFSET_AT: usize = 16;
const END_LOG_OFFSET_AT: usize = 24;
const PUTS_AT: usize = 32;
const NEXT_ENTRY_AT: usize = 36;

/// The head as it is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexHeader {
    /// Store time of the first message. Milliseconds since 1970.
    pub begin_timestamp_ms: i64,
    /// Store time of the last message. Milliseconds since 1970.
    pub end_timestamp_ms: i64,
    /// Where the first message lies.
    pub begin_log_offset: u64,
    /// Where the last message lies.
    pub end_log_offset: u64,
    /// How often something was put in; 4.9.8 counts the slots used instead.
    pub puts: u32,
    /// Number of the next entry, as it stands there; entries begin at 1.
    pub next_entry: u32,
}

impl IndexHeader {
    /// Reads its bytes, whatever they are.
    #[must_use]
    pub fn decode(bytes: &[u8; INDEX_HEADER_BYTES]) -> IndexHeader {
        let u32_at = |at: usize| {
            let field = bytes.get(at..).and_then(<[u8]>::first_chunk);
            field.map_or(0, |field| u32::from_be_bytes(*field))
        };
        let u64_at = |at: usize| u64::from(u32_at(at)) << 32 | u64::from(u32_at(at + 4));
        IndexHeader {
            begin_timestamp_ms: u64_at(BEGIN_TIMESTAMP_AT) as i64,
            end_timestamp_ms: u64_at(END_TIMESTAMP_AT) as i64,
            begin_log_offset: u64_at(BEGIN_LOG_OFFSET_AT),
            end_log_offset: u64_at(END_LOG_OFFSET_AT),
            puts: u32_at(PUTS_AT),
            next_entry: u32_at(NEXT_ENTRY_AT),
        }
    }
}

/// The head of `0`, read and written in place.
pub(super) struct Header<'a>(pub(super) &'a Words);

impl Header<'_> {
    pub(super) fn begin_timestamp_ms(&self) -> i64 {
        self.0.u64(BEGIN_TIMESTAMP_AT) as i64
    }

    pub(super) fn end_timestamp_ms(&self) -> i64 {
        self.0.u64(END_TIMESTAMP_AT) as i64
    }

    pub(super) fn begin_log_offset(&self) -> u64 {
        self.0.u64(BEGIN_LOG_OFFSET_AT)
    }

    pub(super) fn end_log_offset(&self) -> u64 {
        self.0.u64(END_LOG_OFFSET_AT)
    }

    pub(super) fn next_entry(&self) -> u32 {
        self.0.u32(NEXT_ENTRY_AT).max(1)
    }

    pub(super) fn set_begin(&self, log_offset: u64, timestamp_ms: i64) {
        self.0.put_u64(BEGIN_LOG_OFFSET_AT, log_offset);
        self.0.put_u64(BEGIN_TIMESTAMP_AT, timestamp_ms as u64);
    }

    pub(super) fn set_end(&self, log_offset: u64, timestamp_ms: i64) {
        self.0.put_u64(END_LOG_OFFSET_AT, log_offset);
        self.0.put_u64(END_TIMESTAMP_AT, timestamp_ms as u64);
    }

    /// One more entry.
    pub(super) fn count_put(&self) {
        self.0.put_u32(PUTS_AT, self.0.u32(PUTS_AT).wrapping_add(1));
        self.0.put_u32(NEXT_ENTRY_AT, self.next_entry() + 1);
    }

    /// After a cut: the entries that are left.
    pub(super) fn set_next_entry(&self, next: u32) {
        self.0.put_u32(PUTS_AT, next - 1);
        self.0.put_u32(NEXT_ENTRY_AT, next);
    }
}
