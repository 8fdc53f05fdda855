//! What this broker serves: request code → function.
//!
//! ```text
//! remoting ─ call ─▶ match on the code ─▶ one function ─▶ Command | Refusal | an answer that waits
//! ```
//!
//! A handler checks, asks the tables and the store, and answers. It sees no socket. The rule that is easy to break: it
//! runs in the task of its connection and holds up every request behind it, so whatever may block (a query by key,
//! messages that are no longer in memory, a table written to disk by an administrator) goes through [`blocking`]. What it
//! makes on the way, topics and groups, it makes in memory; its answer waits for the disk ([`made`]).
//!
//! A code that is not in the table gets code 3; Java 4.7.0 leaves such a caller without an answer. Java 4.7.0
//! `broker/BrokerController.java` (`registerProcessor`), `broker/processor/AdminBrokerProcessor.java`.

mod admin;
mod client;
mod delay;
mod end_transaction;
mod lock;
mod offset;
mod pull;
mod query;
mod send;
mod send_back;

pub(crate) use send::queue::SendQueue;

use std::sync::Arc;
use std::time::Duration;

use remoting::code::request;
use remoting::java::json::{self, JsonError};
use remoting::router::LaterAnswer;
use remoting::{Answer, Command, Held, Peer, Refusal, Service};
use serde::de::DeserializeOwned;
use tracing::error;

use crate::broker::Broker;
use crate::busy;
use crate::client::notify;
use crate::made;

/// What Java puts behind remarks that people ask about.
pub(crate) const FAQ: &str = "\nSee http://rocketmq.apache.org/docs/faq/ for further details.";

impl Service for Broker {
    fn call(self: &Arc<Self>, peer: &Arc<Peer>, request: Command) -> Answer {
        let answer = serve(self, peer, request);
        made::saved_first(self, answer)
    }

    fn overdue(
        &self,
        code: i32,
        waited: Duration,
        behind: impl FnOnce() -> usize,
    ) -> Option<Refusal> {
        let limit = busy::limit(&self.config, code)?;
        (waited >= limit).then(|| {
            self.busy.turn.kept(waited);
            busy::timed_out(waited, behind())
        })
    }

    fn lets_go(&self, mark: u64) -> bool {
        mark <= self.store.flushed_log_offset().0
    }

    fn wait_for(self: &Arc<Self>, held: Held) -> LaterAnswer {
        Box::pin(send::on_disk(Arc::clone(self), held))
    }

    fn closed(&self, peer: &Arc<Peer>) {
        self.producers.closed(peer);
        for change in self.consumers.closed(peer) {
            notify::consumers_changed(self, change);
        }
    }
}

/// The table: code → function.
fn serve(broker: &Arc<Broker>, peer: &Arc<Peer>, request: Command) -> Answer {
    match request.code {
        request::SEND_MESSAGE | request::SEND_MESSAGE_V2 | request::SEND_BATCH_MESSAGE => {
            send::send(broker, peer, request)
        }
        request::SEND_REPLY_MESSAGE | request::SEND_REPLY_MESSAGE_V2 => {
            send::reply::reply(broker, peer, request)
        }
        request::CONSUMER_SEND_MSG_BACK => send_back::send_back(broker, request),
        request::PULL_MESSAGE | request::LITE_PULL_MESSAGE => pull::pull(broker, peer, &request),
        request::UPDATE_CONSUMER_OFFSET => offset::update(broker, peer, &request).into(),
        request::QUERY_CONSUMER_OFFSET => offset::query(broker, &request).into(),
        request::GET_MAX_OFFSET => offset::max(broker, &request).into(),
        request::GET_MIN_OFFSET => offset::min(broker, &request).into(),
        request::SEARCH_OFFSET_BY_TIMESTAMP => offset::by_time(broker, request),
        request::GET_EARLIEST_MSG_STORETIME => offset::earliest(broker, request),
        request::END_TRANSACTION => end_transaction::end(broker, peer, request),
        request::RESUME_CHECK_HALF_MESSAGE => end_transaction::resume_check(broker, request),
        request::HEART_BEAT => client::heartbeat(broker, peer, request).into(),
        request::UNREGISTER_CLIENT => client::unregister(broker, peer, &request).into(),
        request::CHECK_CLIENT_CONFIG => client::check(broker, request).into(),
        request::GET_CONSUMER_LIST_BY_GROUP => client::consumer_list(broker, &request).into(),
        request::LOCK_BATCH_MQ => lock::lock(broker, request).into(),
        request::UNLOCK_BATCH_MQ => lock::unlock(broker, request).into(),
        request::QUERY_MESSAGE => query::by_key(broker, request),
        request::VIEW_MESSAGE_BY_ID => query::by_offset(broker, request),
        request::GET_ALL_DELAY_OFFSET => delay::all_offsets(broker).into(),
        _ => serve_admin(broker, request),
    }
}

/// The rest of it: what tools ask.
fn serve_admin(broker: &Arc<Broker>, request: Command) -> Answer {
    use admin::{clean, consumer, group, offset, stats, topic};
    match request.code {
        request::UPDATE_AND_CREATE_TOPIC => topic::update(broker, request),
        request::DELETE_TOPIC_IN_BROKER => topic::delete(broker, request),
        request::GET_ALL_TOPIC_CONFIG => topic::all(broker).into(),
        request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP => group::update(broker, request),
        request::DELETE_SUBSCRIPTIONGROUP => group::delete(broker, request),
        request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG => group::all(broker).into(),
        request::GET_TOPIC_STATS_INFO => stats::topic(broker, request),
        request::GET_CONSUME_STATS => stats::group(broker, request),
        request::QUERY_TOPIC_CONSUME_BY_WHO => stats::consumed_by(broker, &request).into(),
        request::QUERY_CONSUME_TIME_SPAN => stats::time_span(broker, request),
        request::GET_CONSUMER_CONNECTION_LIST => consumer::consumers(broker, &request).into(),
        request::GET_PRODUCER_CONNECTION_LIST => consumer::producers(broker, &request).into(),
        request::INVOKE_BROKER_TO_GET_CONSUMER_STATUS => {
            answered(consumer::status(broker, &request))
        }
        request::GET_CONSUMER_RUNNING_INFO => answered(consumer::running_info(broker, request)),
        request::CONSUME_MESSAGE_DIRECTLY => answered(consumer::consume_directly(broker, request)),
        request::INVOKE_BROKER_TO_RESET_OFFSET => offset::reset(broker, request),
        request::CLEAN_EXPIRED_CONSUMEQUEUE => clean::expired_queues(broker),
        request::CLEAN_UNUSED_TOPIC => clean::unused_topics(broker),
        request::DELETE_EXPIRED_COMMITLOG => clean::expired_log(broker).into(),
        request::CLONE_GROUP_OFFSET => offset::clone(broker, &request).into(),
        code => Err(Refusal::not_supported(code)).into(),
    }
}

/// The answer that is under way, or why there is none.
fn answered(answer: Result<Answer, Refusal>) -> Answer {
    answer.unwrap_or_else(|refusal| Err(refusal).into())
}

/// An answer worked out on a thread that may block.
fn blocking(work: impl FnOnce() -> Result<Command, Refusal> + Send + 'static) -> Answer {
    Answer::later(on_a_thread(work))
}

/// Part of an answer, worked out on a thread that may block.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| {
            error!(%panic, "handler panicked, its request fails");
            Err(Refusal::system_error("internal error"))
        })
}

/// The JSON body of a request.
fn body<T: DeserializeOwned>(request: Command) -> Result<T, Refusal> {
    let refuse =
        |error: JsonError| Refusal::system_error(format!("the body cannot be read: {error}"));
    json::read(&request.body.into_bytes()).map_err(refuse)
}
