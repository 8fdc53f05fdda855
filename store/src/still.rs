//! A store without threads: whoever has it does their work, step by step and in the order he likes.
//!
//! For tests that crash it, or let a call fail, between any two steps, and do so again from the same
//! seed. The rule that is easy to break: a step is what a thread does between two waits, nothing else.

use std::sync::Arc;
use std::time::Duration;

use crate::config::StoreConfig;
use crate::error::{FlushError, StoreError};
use crate::store::Store;

/// What a thread of the store does at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// "flush-group" and "flush-timed": the log to disk.
    FlushLog,
    /// "dispatch": queue and index entries of everything that may be dispatched.
    Dispatch,
    /// "flush-queues", every second: queues with so many new pages to disk.
    FlushQueues(u32),
    /// "flush-queues", every minute: queues, index and checkpoint to disk.
    FlushAll,
    /// "allocate": the next log file, if it was asked for.
    Allocate,
    /// "touch": what lies ahead of the log's end, if that was asked for.
    Touch,
}

impl Store {
    /// As [`Store::open`], but nothing is flushed, dispatched or prepared unless [`Store::step`] is
    /// called. Dispatch everything before a `close` that is to be in order.
    ///
    /// # Errors
    /// As of `open`.
    pub fn open_still(config: StoreConfig) -> Result<Arc<Store>, StoreError> {
        Store::assemble(config, &()).map(|(store, _)| Arc::new(store))
    }

    /// Does one step. One thread at a time. What cannot be written for want of room is tried again
    /// without a pause.
    ///
    /// # Errors
    /// When the log could not be written to disk.
    pub fn step(&self, step: Step) -> Result<(), FlushError> {
        match step {
            Step::FlushLog => {
                self.flush.flush()?;
            }
            Step::Dispatch => {
                self.dispatcher(Arc::new(()), Duration::ZERO).catch_up();
            }
            Step::FlushQueues(least_pages) => {
                self.queue_flush.flush_queues(least_pages);
            }
            Step::FlushAll => {
                self.queue_flush.flush_all();
            }
            Step::Allocate => self.log.allocator().make_asked(),
            Step::Touch => {
                let failed = |error| self.flush.sync_failed(&error);
                self.log.toucher().prepare_asked(failed);
            }
        }
        Ok(())
    }
}
