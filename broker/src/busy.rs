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
//! A send that is in the log and waits for the disk gets code 10 after `syncFlushTimeout`. While clients get any of these
//! answers the log has a line a second for it: how many got it, how long they waited at most, and for what.
//!
//! Java 4.7.0 `broker/latency/BrokerFastFailure.java`, `NettyRemotingAbstract.java` (`processRequestCommand`).

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

/// Pause between two lines about the same.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

/// What clients are told instead of being served in time, and what took the time.
#[derive(Debug)]
pub(crate) struct Busy {
    /// Before it was its turn.
    pub(crate) turn: Stage,
    /// In the send queue.
    pub(crate) queued: Stage,
    /// There, while the page cache is busy.
    pub(crate) page_cache: Stage,
    /// The same with `brokerFastFailureEnable=false`.
    pub(crate) synchronized: Stage,
    /// Without a wait of its own, while the page cache is busy.
    pub(crate) rejected: Stage,
    /// The same, while the send queue is full.
    pub(crate) overloaded: Stage,
    /// In the log, and perhaps not on disk.
    pub(crate) disk: Stage,
    /// Nothing took time: the store takes no messages.
    pub(crate) refused: Refused,
}

impl Default for Busy {
    fn default() -> Busy {
        const LOG: &str = "another append holds the log";
        Busy {
            turn: Stage::new("[TIMEOUT_CLEAN_QUEUE]", "other requests were served"),
            queued: Stage::new("[TIMEOUT_CLEAN_QUEUE]", LOG),
            page_cache: Stage::new("[PCBUSY_CLEAN_QUEUE]", LOG),
            synchronized: Stage::new("[PC_SYNCHRONIZED]", LOG),
            rejected: Stage::new("[REJECTREQUEST]", LOG),
            overloaded: Stage::new(
                "[OVERLOAD]",
                "another append holds the log, and sendThreadPoolQueueCapacity sends wait for it",
            ),
            disk: Stage::new("FLUSH_DISK_TIMEOUT", "a flush takes its time"),
            refused: Refused::default(),
        }
    }
}

impl Busy {
    /// Says in the log what clients were told since the last call.
    pub(crate) fn say(&self) {
        let stages = [
            &self.turn,
            &self.queued,
            &self.page_cache,
            &self.synchronized,
            &self.rejected,
            &self.overloaded,
            &self.disk,
        ];
        for stage in stages {
            if let Some((requests, longest_ms)) = stage.take() {
                warn!(
                    answer = stage.answer,
                    requests,
                    longest_ms,
                    stage = stage.name,
                    "requests were not served in time"
                );
            }
        }
    }
}

/// One answer, the stage of a request's way that is the reason for it, and who got it since the log's last line.
#[derive(Debug)]
pub(crate) struct Stage {
    answer: &'static str,
    name: &'static str,
    requests: AtomicU64,
    longest_ms: AtomicU64,
}

impl Stage {
    fn new(answer: &'static str, name: &'static str) -> Stage {
        Stage {
            answer,
            name,
            requests: AtomicU64::new(0),
            longest_ms: AtomicU64::new(0),
        }
    }

    /// Counts a request that waited so long.
    pub(crate) fn kept(&self, waited: Duration) {
        self.longest_ms
            .fetch_max(waited.as_millis() as u64, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were, and the longest wait of them, unless there were none.
    fn take(&self) -> Option<(u64, u64)> {
        let requests = self.requests.swap(0, Ordering::Relaxed);
        (requests > 0).then(|| (requests, self.longest_ms.swap(0, Ordering::Relaxed)))
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
    fn every_request_is_told_of_once_with_the_longest_wait() {
        let busy = Busy::default();
        assert_eq!(busy.rejected.take(), None);
        busy.rejected.kept(Duration::from_millis(7));
        busy.rejected.kept(Duration::from_millis(5));
        assert_eq!(busy.rejected.take(), Some((2, 7)));
        busy.rejected.kept(Duration::ZERO);
        assert_eq!(busy.rejected.take(), Some((1, 0)));
        assert_eq!(busy.queued.take(), None);
    }

    #[test]
    fn the_disks_are_looked_at_once_for_many_refused_messages() {
        let (refused, error) = (Refused::default(), AppendError::CreateMappedFileFailed);
        assert_eq!(refused.count(&error, || [0.9, 0.1]), [0.9, 0.1]);
        assert_eq!(refused.count(&error, || panic!("looked at")), [0.9, 0.1]);
    }
}
