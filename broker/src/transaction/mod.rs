//! Transactions: messages that wait until their producer says how its own business has ended.
//!
//! ```text
//! send, TRAN_MSG=true  ─▶ half   RMQ_SYS_TRANS_HALF_TOPIC, queue 0, with the way back in its properties
//! 37 commit            ─▶ end    the message in its own topic, then an op message: this half is done
//! 37 rollback          ─▶ end    the op message alone
//! neither, for too long ─▶ check  put back at the end of its queue, and its producer is asked (39)
//!                         op     which halves are done, read from RMQ_SYS_TRANS_OP_HALF_TOPIC
//!                         ledger what of this is under way or has just happened
//! ```
//!
//! How far the check has come in both topics are the consumer offsets of CID_RMQ_SYS_TRANS, so that Java goes on where
//! this broker stopped and the other way round. The rule that is easy to break: a half message is passed by only when
//! its op message can be read, or a copy of it lies further on in the queue. Everything else is a message lost.
//!
//! Java 4.7.0 `broker/transaction/queue/TransactionalMessageServiceImpl.java`, `TransactionalMessageBridge.java`,
//! `broker/processor/EndTransactionProcessor.java`.

pub(crate) mod check;
mod end;
pub(crate) mod half;
mod ledger;
mod op;
mod pass;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use store::LogOffset;

pub(crate) use self::end::End;
use self::ledger::Ledger;
use crate::broker::Broker;

/// Where half messages wait. Java 4.7.0 `MixAll.java`, as all names here.
pub(crate) const HALF_TOPIC: &str = "RMQ_SYS_TRANS_HALF_TOPIC";
/// Where it is written which of them are done.
pub(crate) const OP_TOPIC: &str = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
/// Where those go that nobody would answer for.
pub(crate) const GIVEN_UP_TOPIC: &str = "TRANS_CHECK_MAX_TIME_TOPIC";
/// The group whose offsets say how far the check has come.
pub(crate) const GROUP: &str = "CID_RMQ_SYS_TRANS";
/// The queue of all three topics.
pub(crate) const QUEUE: u32 = 0;

/// Bits of `sysFlag`: which part of a transaction a message is.
const TRANSACTION_BITS: i32 = 0xC;

/// The state of transactions that is not in the store.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    ledger: Mutex<Ledger>,
    /// Held by the check while it runs.
    turn: Mutex<()>,
    /// How far the check has come, once it has run.
    position: Mutex<Option<Position>>,
    /// The pass whose position is in the table of offsets.
    kept: Mutex<u64>,
    stopping: AtomicBool,
}

/// How far the check has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    /// Which pass came so far.
    pass: u64,
    /// The first half message that is not dealt with.
    half: i64,
    /// The first op message that is still needed.
    op: i64,
    /// Once the log is on disk up to here this may be kept for the next start.
    safe_at: LogOffset,
}

impl Transactions {
    /// Ends the check: a pass under way stops where it is, none begins. Blocks until then. What it has done is in the
    /// table of offsets afterwards.
    pub(crate) fn stop(&self, broker: &Broker) {
        self.stopping.store(true, Ordering::Release);
        let _ended = self.turn.lock();
        let position = *self.position.lock();
        if let Some(position) = position {
            self.keep(broker, position);
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Puts a position into the table of offsets, unless that of a later pass is there.
    fn keep(&self, broker: &Broker, position: Position) {
        let mut kept = self.kept.lock();
        if position.pass <= *kept {
            return;
        }
        *kept = position.pass;
        for (topic, offset) in [(HALF_TOPIC, position.half), (OP_TOPIC, position.op)] {
            let by = "transaction check";
            broker
                .offsets
                .commit(by, GROUP, topic, QUEUE as i32, offset);
        }
    }
}
