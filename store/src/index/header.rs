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
pub(super) const HEADER_BYTES: usize = 40;

const BEGIN_TIMESTAMP_AT: usize = 0;
const END_TIMESTAMP_AT: usize = 8;
const BEGIN_LOG_OFFSET_AT: usize = 16;
const END_LOG_OFFSET_AT: usize = 24;
const PUTS_AT: usize = 32;
const NEXT_ENTRY_AT: usize = 36;

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
