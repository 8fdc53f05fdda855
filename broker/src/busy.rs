//! A broker that has too much to do: which requests it refuses, in Java's words, and what it says of it in its log.
//!
//! | a request waits                     | for longer than               | it gets, code 2                                  |
//! |-------------------------------------|-------------------------------|--------------------------------------------------|
//! | for its turn among the connections  | `waitTimeMillsIn…Queue`       | `[TIMEOUT_CLEAN_QUEUE]broker busy`               |
//! | for the log, in the send queue      | `waitTimeMillsInSendQueue`    | the same                                         |
//! | there, while the page cache is busy |                               | `[PCBUSY_CLEAN_QUEUE]broker busy`                |
//! | not at all: the queue is full       |                               | `[OVERLOAD]system busy`                          |
//! | not at all: the page cache is busy  | `osPageCacheBusyTimeOutMills` | `[REJECTREQUEST]system busy`, even a one-way send |
//!
//! A send that is in the log and waits for the disk gets code 10 after `syncFlushTimeout`. The log has a line a second at
//! most for each of these stages. Java 4.7.0 `broker/latency/BrokerFastFailure.java`, `NettyRemotingAbstract.java`
//! (`processRequestCommand`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use remoting::Refusal;
use remoting::code::{request, response};
use store::AppendError;
use tracing::warn;

use crate::config::BrokerConfig;

/// How long a thread of the runtime waits for the log: every connection that it serves waits with it.
pub(crate) const PATIENCE: Duration = Duration::from_millis(5);

/// Pause between two lines about the same stage.
const PAUSE: Duration = Duration::from_secs(1);

/// What took the time.
#[derive(Debug, Default)]
pub(crate) struct Busy {
    /// Other requests, of this connection and of others.
    pub(crate) turn: Stage,
    /// Whoever appends and does not get on.
    pub(crate) log: Stage,
    /// A flush.
    pub(crate) disk: Stage,
    /// Nothing: the store takes no messages.
    pub(crate) refused: Refused,
}

/// One stage of a request's way, and the requests it has kept too long since the last line about it.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    requests: AtomicU64,
    longest_ms: AtomicU64,
    said: Mutex<Option<Instant>>,
}

impl Stage {
    /// Counts a request that waited so long, and says so now and then.
    pub(crate) fn kept(&self, waited: Duration, stage: &'static str) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.longest_ms
            .fetch_max(waited.as_millis() as u64, Ordering::Relaxed);
        let Some(mut said) = self.said.try_lock() else {
            return; // another says it
        };
        if said.is_some_and(|said| said.elapsed() < PAUSE) {
            return;
        }
        *said = Some(Instant::now());
        drop(said);
        let requests = self.requests.swap(0, Ordering::Relaxed);
        let longest_ms = self.longest_ms.swap(0, Ordering::Relaxed);
        warn!(
            requests,
            longest_ms, stage, "requests were not served in time"
        );
    }
}

/// Messages that the store did not take since the last line about it, and what was then in use of the disks of the log
/// and of the root.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    messages: AtomicU64,
    looked: Mutex<Option<(Instant, [f64; 2])>>,
}

impl Refused {
    /// Counts a message, and says so now and then. What is in use of the disks, as of a second ago at most.
    pub(crate) fn count(&self, error: &AppendError, look: impl FnOnce() -> [f64; 2]) -> [f64; 2] {
        self.messages.fetch_add(1, Ordering::Relaxed);
        let mut looked = self.looked.lock();
        if let Some((_, used)) = looked.filter(|(at, _)| at.elapsed() < PAUSE) {
            return used;
        }
        let used = look();
        *looked = Some((Instant::now(), used));
        drop(looked);
        let messages = self.messages.swap(0, Ordering::Relaxed);
        warn!(messages, %error, "refuse messages");
        used
    }
}

/// How long a request may wait before it is served; `None` for ever.
pub(crate) fn limit(config: &BrokerConfig, code: i32) -> Option<Duration> {
    if !config.fast_failure_enable {
        return None;
    }
    match code {
        request::SEND_MESSAGE
        | request::SEND_MESSAGE_V2
        | request::SEND_BATCH_MESSAGE
        | request::CONSUMER_SEND_MSG_BACK => Some(config.wait_in_send_queue),
        request::PULL_MESSAGE | request::LITE_PULL_MESSAGE => Some(config.wait_in_pull_queue),
        request::HEART_BEAT => Some(config.wait_in_heartbeat_queue),
        request::END_TRANSACTION => Some(config.wait_in_transaction_queue),
        _ => None,
    }
}

/// A request that waited too long while `behind` others waited too.
pub(crate) fn timed_out(waited: Duration, behind: usize) -> Refusal {
    cleaned("TIMEOUT", waited, behind)
}

/// A send that waited for a log that does not get on.
pub(crate) fn page_cache_busy(waited: Duration, behind: usize) -> Refusal {
    cleaned("PCBUSY", waited, behind)
}

fn cleaned(why: &str, waited: Duration, behind: usize) -> Refusal {
    let waited_ms = waited.as_millis();
    let remark = format!(
        "[{why}_CLEAN_QUEUE]broker busy, start flow control for a while, \
         period in queue: {waited_ms}ms, size of queue: {behind}"
    );
    Refusal::new(response::SYSTEM_BUSY, remark)
}

/// A send for which there is no place in the queue.
pub(crate) fn overloaded() -> Refusal {
    let remark = "[OVERLOAD]system busy, start flow control for a while";
    Refusal::new(response::SYSTEM_BUSY, remark)
}

/// A send that comes while the log does not get on.
pub(crate) fn rejected() -> Refusal {
    let remark = "[REJECTREQUEST]system busy, start flow control for a while";
    Refusal::new(response::SYSTEM_BUSY, remark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disks_are_looked_at_once_for_many_refused_messages() {
        let (refused, error) = (Refused::default(), AppendError::CreateMappedFileFailed);
        assert_eq!(refused.count(&error, || [0.9, 0.1]), [0.9, 0.1]);
        assert_eq!(refused.count(&error, || panic!("looked at")), [0.9, 0.1]);
    }
}
