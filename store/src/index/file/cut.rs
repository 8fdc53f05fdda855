//! What a crash or a bad disk did to an index file: found, and cut back to what the log vouches for.
//!
//! ```text
//!   entries │ below the cut: kept │ at it and behind: gone │   slots that led there lead to the last kept one
//! ```
//!
//! Nothing of an index is synced in order, so the header can be ahead of its entries and a slot ahead of both. The rule
//! that is easy to break: an entry is believed only if the log has a message of its hash where it points.
//! Java 4.7.0 believes the header and deletes whole files (`store/index/IndexService.java`: `load`).

use std::mem;

use super::IndexFile;

impl IndexFile {
    /// Why this cannot be what was written, if it cannot. `clean`: no crash can have come between two of its words.
    /// The slots are looked at in the last file only: that is 20 MB by default.
    pub(in crate::index) fn flaw(&self, is_last: bool, clean: bool) -> Option<&'static str> {
        let header = self.header();
        let next = header.next_entry();
        let offset = |number| self.words.u64(self.shape.entry_at(number) + 4);
        if next > self.shape.entries {
            return Some("its header counts more entries than it has room for");
        }
        if next == 1 && (!is_last || offset(2) != 0) {
            return Some("its header counts no entries and there are some");
        }
        if next > 1 && header.begin_log_offset() != offset(1) {
            return Some("its header does not begin with its first entry");
        }
        if header.end_log_offset() < header.begin_log_offset() {
            return Some("its header ends before it begins");
        }
        let settled = clean || !is_last; // otherwise recovery cuts it back and links it anew
        if settled && next > 1 && header.end_log_offset() != offset(next - 1) {
            return Some("its header does not end with its last entry");
        }
        let mut slots = 0..self.shape.slots;
        let astray = |slot| self.words.u32(self.shape.slot_at(slot)) >= next;
        (clean && is_last && slots.any(astray)).then_some("a slot leads to no entry")
    }

    /// Whether it begins or ends with the message at `log_offset`.
    pub(in crate::index) fn meets(&self, log_offset: u64) -> bool {
        [self.begin_log_offset(), self.end_log_offset()].contains(&log_offset)
    }

    /// Whether it has the message at `log_offset` under this hash.
    pub(in crate::index) fn has(&self, hash: u32, log_offset: u64) -> bool {
        let mut found = Vec::new();
        self.collect(hash, i64::MIN, i64::MAX, usize::MAX, &mut found);
        found.contains(&log_offset)
    }

    /// Whether the message at `log_offset` has been put in, or one behind it.
    pub(in crate::index) fn ends_behind(&self, log_offset: u64) -> bool {
        let end = self.end_log_offset();
        log_offset < end || log_offset == end && (end > 0 || !self.is_empty())
    }

    /// Whether its first entry is that of a message in front of `log_offset`. What was synced for such a
    /// message is whole; for a later one any part of it can be missing.
    pub(in crate::index) fn begins_before(
        &self,
        log_offset: u64,
        has: &dyn Fn(u64, u32) -> bool,
    ) -> bool {
        let at = self.shape.entry_at(1);
        let (hash, offset) = (self.words.u32(at), self.words.u64(at + 4));
        !self.is_empty()
            && offset < log_offset
            && offset == self.begin_log_offset()
            && has(offset, hash)
    }

    /// Whether a crash came between two of its words, or between the writes of its parts: its header does
    /// not end with its last entry, that is none (what was never written says that the message lies at 0,
    /// where one may lie), or a slot leads behind it. Looks at every slot, 20 MB by default.
    /// `has` says whether the record at an offset of the log has a key of this hash.
    pub(in crate::index) fn is_torn(&self, has: &dyn Fn(u64, u32) -> bool) -> bool {
        let next = self.header().next_entry();
        let at = self.shape.entry_at(next - 1);
        let (hash, last) = (self.words.u32(at), self.words.u64(at + 4));
        let mut slots = 0..self.shape.slots;
        next > 1 && (last != self.end_log_offset() || !has(last, hash))
            || slots.any(|slot| self.words.u32(self.shape.slot_at(slot)) >= next)
    }

    /// Forgets the messages at `log_offset` and later, and everything behind the first entry that
    /// cannot be one; then links the slots anew, since they may point anywhere. Reads the whole file.
    /// No slot is 0 meanwhile: if that came to disk and the rest did not, nobody would notice.
    /// `has` says whether the record at an offset of the log has a key of this hash.
    pub(in crate::index) fn cut(&self, log_offset: u64, has: &dyn Fn(u64, u32) -> bool) {
        let header = self.header();
        let known = header.next_entry().min(self.shape.entries);
        let mut newest = vec![0; self.shape.slots as usize];
        let (mut last_offset, mut last_seconds, mut number) = (header.begin_log_offset(), 0, 1);
        while number < known {
            let at = self.shape.entry_at(number);
            let (hash, offset, seconds) = (
                self.words.u32(at),
                self.words.u64(at + 4),
                self.words.u32(at + 12),
            );
            // What was never written looks like an entry of the first message of all, half an offset like
            // one of the message at a multiple of 4 GiB.
            let half = offset as u32 == 0 && !has(offset, hash);
            if offset < last_offset || offset >= log_offset || half {
                break;
            }
            if let Some(newest) = newest.get_mut((hash % self.shape.slots) as usize) {
                self.words.put_u32(at + 16, mem::replace(newest, number));
            }
            (last_offset, last_seconds) = (offset, seconds);
            number += 1;
        }
        for (slot, newest) in (0..).zip(newest) {
            let at = self.shape.slot_at(slot);
            if self.words.u32(at) != newest {
                self.words.put_u32(at, newest);
            }
        }
        header.set_next_entry(number);
        // The exact time is not in the entry: the last millisecond of its second misses nothing.
        header.set_end(
            last_offset,
            header
                .begin_timestamp_ms()
                .saturating_add(i64::from(last_seconds) * 1000 + 999),
        );
    }
}
