//! The two kinds of offset, kept apart by type.
//!
//! `LogOffset` counts bytes from the start of the commit log, `QueueOffset` counts entries of one
//! queue. Neither turns into the other except through a queue entry.

use std::fmt;

/// A place in the commit log: bytes from its very first byte, files already deleted counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogOffset(pub u64);

impl LogOffset {
    /// The place `bytes` further on.
    #[must_use]
    pub fn plus(self, bytes: u64) -> LogOffset {
        LogOffset(self.0.saturating_add(bytes))
    }

    /// Bytes from `earlier` to here; 0 when `earlier` is not earlier.
    #[must_use]
    pub fn since(self, earlier: LogOffset) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// As Java's `long`, for headers on the wire.
    #[must_use]
    pub fn as_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// From a `long` off the wire or a file; `None` when it is negative.
    #[must_use]
    pub fn from_i64(offset: i64) -> Option<LogOffset> {
        u64::try_from(offset).ok().map(LogOffset)
    }
}

impl fmt::Display for LogOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in one queue: entries from its very first one. Signed, because clients ask for negative
/// ones and Java answers them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueOffset(pub i64);

impl QueueOffset {
    /// The place `entries` further on.
    #[must_use]
    pub fn plus(self, entries: i64) -> QueueOffset {
        QueueOffset(self.0.saturating_add(entries))
    }
}

impl fmt::Display for QueueOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
