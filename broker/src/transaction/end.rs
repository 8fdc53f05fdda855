//! How a transaction ends: the message in its own topic and an op message, or the op message alone.
//!
//! ```text
//! half ─▶ ledger: not ended yet? ─▶ commit: final message ─▶ op message(s) ─▶ ledger: done
//! ```
//!
//! The rule that is easy to break is the order: the final message comes first. A crash between the two costs a second
//! delivery (the half message is asked about and ended again), the other order would cost the message. Under SYNC_FLUSH
//! nobody waits for the disk here, as in Java: both lie behind each other in the log, and the request is one-way.
//!
//! Java 4.7.0 `broker/processor/EndTransactionProcessor.java` (`endMessageTransaction`, `sendFinalMessage`).

use parking_lot::Mutex;
use remoting::header::transaction::COMMIT;
use store::{AppendError, NewMessage};
use tracing::{debug, warn};

use super::half::Half;
use super::ledger::Ledger;
use super::{TRANSACTION_BITS, Transactions, op};
use crate::broker::Broker;
use crate::delay;

/// How its producer says that a transaction has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its message is to be delivered.
    Commit,
    /// Its message is to be forgotten.
    Rollback,
}

impl Transactions {
    /// Ends the transaction of a half message, unless it has ended: the first end counts.
    ///
    /// # Errors
    /// The final message cannot be stored; the transaction goes on.
    pub(crate) fn end(
        &self,
        broker: &Broker,
        half: &Half<'_>,
        end: End,
    ) -> Result<(), AppendError> {
        let named = half.queue_offset();
        let Some(now) = self.ledger.lock().begin(named) else {
            debug!(half = named, ?end, "transaction has ended before");
            return Ok(());
        };
        let mut ending = Ending {
            ledger: &self.ledger,
            now,
            done: false,
        };
        if end == End::Commit {
            deliver(broker, half)?;
        }
        ending.done = true;
        // Every place that it had as well: after a crash the check may begin before any of them, and would ask about it there.
        let places = self.ledger.lock().places_of(now);
        places
            .into_iter()
            .for_each(|place| self.note(broker, place));
        Ok(())
    }

    /// Writes that a half message is done. If that fails the check tries again before it looks at any.
    pub(super) fn note(&self, broker: &Broker, half: i64) {
        if let Err(error) = op::append(&broker.store, broker.store_host, half) {
            warn!(half, %error, "write op message; the check tries again");
            self.ledger.lock().owe(half);
        }
    }
}

/// The message of a transaction into its own topic, now or, if its properties say so, later.
fn deliver(broker: &Broker, half: &Half<'_>) -> Result<(), AppendError> {
    let message = NewMessage {
        topic: half.topic,
        queue_id: half.queue_id,
        sys_flag: half.message.sys_flag & !TRANSACTION_BITS | COMMIT,
        prepared_transaction_offset: half.log_offset(),
        ..half.message
    };
    delay::append(&broker.store, &message).map(|_| ())
}

/// Takes the end out of the ledger however it goes.
struct Ending<'a> {
    ledger: &'a Mutex<Ledger>,
    now: i64,
    done: bool,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut ledger = self.ledger.lock();
        if self.done {
            ledger.done(self.now);
        } else {
            ledger.failed(self.now);
        }
    }
}
