//! One consume-queue entry: where a message lies in the commit log.
//!
//! | bytes  | name          | meaning                                                    |
//! |--------|---------------|------------------------------------------------------------|
//! | 0..8   | `log_offset`  | first byte of the record, from the start of the log        |
//! | 8..12  | `record_bytes` | bytes of the whole record                                 |
//! | 12..20 | `tags_code`   | Java hash of the tag; for a delayed message its due time, ms |
//!
//! Big-endian, no checksum: recovery stops at a negative offset or a size below 1. A queue that
//! does not begin at entry 0 has blank entries `(0, 0x7fffffff, 0)` in front of its first one.
//! Java 4.7.0 `store/ConsumeQueue.java`: `putMessagePositionInfo`, `fillPreBlank`, `recover`.

use crate::api::QueueEntry;
use crate::offset::{LogOffset, QueueOffset};

/// Bytes of one entry.
pub const ENTRY_BYTES: u64 = 20;

/// One entry, as it is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// First byte of the record; negative in no entry that was ever written.
    pub log_offset: i64,
    /// Bytes of the whole record.
    pub record_bytes: i32,
    /// Java hash of the tag; for a delayed message its due time; below −2^31 an address in `consumequeue_ext`.
    pub tags_code: i64,
}

impl Entry {
    /// Stands in for an entry that was never there.
    pub const BLANK: Entry = Entry {
        log_offset: 0,
        record_bytes: i32::MAX,
        tags_code: 0,
    };

    /// Its bytes.
    #[must_use]
    pub fn encode(self) -> [u8; ENTRY_BYTES as usize] {
        let mut out = [0; ENTRY_BYTES as usize];
        let (offset, rest) = out.split_at_mut(8);
        let (size, tags) = rest.split_at_mut(4);
        offset.copy_from_slice(&self.log_offset.to_be_bytes());
        size.copy_from_slice(&self.record_bytes.to_be_bytes());
        tags.copy_from_slice(&self.tags_code.to_be_bytes());
        out
    }

    /// Reads its bytes, whatever they are.
    #[must_use]
    pub fn decode(bytes: &[u8; ENTRY_BYTES as usize]) -> Entry {
        let [a, b, c, d, e, f, g, h, i, j, k, l, tags @ ..] = *bytes;
        Entry {
            log_offset: i64::from_be_bytes([a, b, c, d, e, f, g, h]),
            record_bytes: i32::from_be_bytes([i, j, k, l]),
            tags_code: i64::from_be_bytes(tags),
        }
    }

    /// Whether recovery may go on behind this entry.
    #[must_use]
    pub fn is_valid(self) -> bool {
        self.log_offset >= 0 && self.record_bytes > 0
    }

    /// The entry as readers see it, with its number. An invalid one points behind every log.
    pub(crate) fn at(self, offset: QueueOffset) -> QueueEntry {
        QueueEntry {
            offset,
            log_offset: LogOffset::from_i64(self.log_offset).unwrap_or(LogOffset(u64::MAX)),
            record_bytes: u32::try_from(self.record_bytes).unwrap_or(0),
            tags_code: self.tags_code,
        }
    }

    /// Where the record ends in the log; 0 for a blank or an invalid entry.
    pub(crate) fn log_end(self) -> u64 {
        if !self.is_valid() || self == Entry::BLANK {
            return 0;
        }
        self.log_offset.unsigned_abs() + u64::from(self.record_bytes.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_20_big_endian_bytes() {
        let entry = Entry {
            log_offset: 0x0102_0304,
            record_bytes: 0x0506,
            tags_code: -2,
        };
        let bytes = entry.encode();
        assert_eq!(bytes[..12], [0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 5, 6]);
        assert_eq!(bytes[12..], (-2i64).to_be_bytes());
        assert_eq!(Entry::decode(&bytes), entry);
    }

    #[test]
    fn entries_that_cannot_be_end_the_recovery() {
        assert!(!Entry::decode(&[0; 20]).is_valid());
        assert!(
            !Entry {
                log_offset: -1,
                record_bytes: 1,
                tags_code: 0
            }
            .is_valid()
        );
        assert!(Entry::BLANK.is_valid());
        assert_eq!(Entry::BLANK.log_end(), 0);
    }
}
