//! Reading from the log: slices that keep their file alive, and single fields.

use bytes::Bytes;

use super::CommitLog;
use crate::mapped::file::MappedFile;
use crate::record::Record;
use crate::record::layout::{SYS_FLAG_AT, store_timestamp_at};
use std::sync::Arc;

impl CommitLog {
    /// What the log has from `from` on, as far as it lies in one file and below `upto`.
    pub(crate) fn run_from(&self, from: u64, upto: u64) -> Option<Bytes> {
        let file = self.files.find(from)?;
        let end = file.published().min(upto);
        file.bytes(from, end.checked_sub(from)?)
    }

    /// The file that holds all of `[offset, offset + len)`.
    pub(crate) fn file_with(&self, offset: u64, len: u64) -> Option<Arc<MappedFile>> {
        let file = self.files.find(offset)?;
        (offset.checked_add(len)? <= file.published()).then_some(file)
    }

    /// The record at `offset`, if one begins there and ends at `upto` or before.
    pub(crate) fn record_at(&self, offset: u64, upto: u64) -> Option<Bytes> {
        let run = self.run_from(offset, upto)?;
        let record = Record::decode(&run).ok()?;
        let bytes = record.record_bytes as usize;
        (record.log_offset.unsigned_abs() == offset).then(|| run.slice(..bytes))
    }

    /// Store time of the record at `offset`; `None` when that is not in the log.
    pub(crate) fn store_timestamp_ms(&self, offset: u64, record_bytes: u64) -> Option<i64> {
        let file = self.file_with(offset, record_bytes)?;
        let record = file.get(offset, record_bytes)?;
        let sys_flag = i32::from_be_bytes(*record.get(SYS_FLAG_AT..)?.first_chunk()?);
        Some(i64::from_be_bytes(
            *record.get(store_timestamp_at(sys_flag)..)?.first_chunk()?,
        ))
    }
}
