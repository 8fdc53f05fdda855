//! Messages that are delivered later.
//!
//! ```text
//! levels     a message with DELAY becomes one of the schedule topic      append: every append comes through it
//! progress   how far each level is delivered, delayOffset.json
//! deliver    what is due goes where it belongs                           timer: when
//! ```
//!
//! The store keeps the schedule topic as any other, and the due times in its queue entries (`store::DelayLevels`).

mod deliver;
pub(crate) mod levels;
mod progress;
#[cfg(test)]
mod testing;
pub mod timer;

use std::time::Duration;

use store::{AppendError, Appended, NewMessage, Store};

/// Stores a message, now or for later as its properties say. Not for half messages: those go to the store.
///
/// # Errors
/// As [`Store::append`] says; nothing was stored then.
pub(crate) fn append(store: &Store, message: &NewMessage<'_>) -> Result<Appended, AppendError> {
    let patience = store.config().page_cache_busy_timeout;
    append_at(store, patience, levels::asked(message.properties), message)
}

/// The same for who knows the level that the properties ask for, 0 is none, and has only so much time.
///
/// # Errors
/// As [`Store::append`] says; nothing was stored then.
pub(crate) fn append_at(
    store: &Store,
    patience: Duration,
    level: i32,
    message: &NewMessage<'_>,
) -> Result<Appended, AppendError> {
    match levels::schedule(store.delay_levels(), message, level) {
        None => store.append_within(patience, message),
        Some(scheduled) => store.append_within(patience, &scheduled.of(message)),
    }
}
