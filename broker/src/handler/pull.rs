//! Pulls: 11, and 361, under which 5.x clients send the same.
//!
//! ```text
//! may this group read this queue, and what does it want (`allowed`)
//!   ▶ read ▶ commit the offset that came along ─┬─ messages, or a reason to go on elsewhere ▶ answer
//!                                               ├─ messages that may be on disk only ▶ read on a thread that may wait ▶ answer
//!                                               └─ nothing yet, and it may wait ▶ hold ▶ look once more ▶ answer
//! ```
//!
//! The rules that are easy to break: the four header fields are there with every code the client goes on from; a pull
//! that has waited is answered whatever the second look finds, without waiting again and without a second commit; and
//! what waits keeps its own strings only, since a slice of its frame would keep the whole read buffer alive.
//!
//! Java 4.7.0 `broker/processor/PullMessageProcessor.java`, `broker/longpolling/PullRequestHoldService.java`.

use std::sync::Arc;
use std::time::Duration;

use remoting::body::groups::SubscriptionGroupConfig;
use remoting::body::heartbeat::MessageModel;
use remoting::code::response;
use remoting::header::pull::{PullReply, PullRequest};
use remoting::{Answer, Command, Peer, Refusal};
use store::{BrokerRole, QueueOffset, QueueRead, ReadStatus};
use tracing::debug;

use super::FAQ;
use super::client::no_filter;
use super::offset;
use crate::broker::Broker;
use crate::filter::data::Filters;
use crate::filter::tag::{TagFilter, is_tag_type};
use crate::pull::moved;
use crate::pull::wanted::Wanted;
use crate::topic::perm;

/// Bits of a pull's `sysFlag`. Java 4.7.0 `common/sysflag/PullSysFlag.java`.
const COMMIT: i32 = 1;
const MAY_WAIT: i32 = 2;
const HAS_SUBSCRIPTION: i32 = 4;

/// A pull that waits keeps its expression. Java 4.7.0 has no limit.
const LONGEST_EXPRESSION_BYTES: usize = 64 * 1024;

pub(super) fn pull(broker: &Arc<Broker>, peer: &Arc<Peer>, request: &Command) -> Answer {
    match first_look(broker, peer, request) {
        Ok(First::Done(reply)) => reply.into(),
        Ok(First::Cold(cold)) => Answer::later(cold.read()),
        Ok(First::Waits(waiting)) => Answer::later(waiting.second_look()),
        Err(refusal) => Err(refusal).into(),
    }
}

enum First {
    Done(Command),
    Cold(Cold),
    Waits(Waiting),
}

/// What a look into the queue has brought.
struct Found {
    reply: Command,
    max_offset: QueueOffset,
}

/// A pull of messages that may be on disk only.
struct Cold {
    broker: Arc<Broker>,
    request: PullRequest<'static>,
    allowed: Allowed,
}

/// A pull that found nothing and waits.
struct Waiting {
    broker: Arc<Broker>,
    peer: Arc<Peer>,
    request: PullRequest<'static>,
    queue_id: u32,
    /// Where the queue ended when it was looked into.
    max_offset: QueueOffset,
    wanted: Wanted,
}

fn first_look(broker: &Arc<Broker>, peer: &Arc<Peer>, request: &Command) -> Result<First, Refusal> {
    let request: PullRequest<'_> = request.header()?;
    let allowed = allowed(broker, peer, &request)?;
    let found = look(broker, &request, &allowed);
    if request.sys_flag & COMMIT != 0 && broker.config.store.broker_role != BrokerRole::Slave {
        let (group, topic) = (&request.consumer_group, &request.topic);
        offset::commit(
            broker,
            peer,
            group,
            topic,
            request.queue_id,
            request.commit_offset,
        );
    }
    let Some(Found { reply, max_offset }) = found else {
        return Ok(First::Cold(Cold {
            broker: Arc::clone(broker),
            request: request.into_owned(),
            allowed,
        }));
    };
    if reply.code != response::PULL_NOT_FOUND || request.sys_flag & MAY_WAIT == 0 {
        return Ok(First::Done(reply));
    }
    Ok(First::Waits(Waiting {
        broker: Arc::clone(broker),
        peer: Arc::clone(peer),
        request: request.into_owned(),
        queue_id: allowed.queue_id,
        max_offset,
        wanted: allowed.wanted,
    }))
}

impl Cold {
    async fn read(self) -> Result<Command, Refusal> {
        let broker = Arc::clone(&self.broker);
        let read = move || {
            let (broker, allowed) = (&self.broker, &self.allowed);
            let read = broker.store.read_queue_from_disk(
                &self.request.topic,
                allowed.queue_id,
                QueueOffset(self.request.queue_offset),
                most(&self.request),
                &mut &allowed.wanted,
            );
            answer(broker, &self.request, &allowed.group, read).reply
        };
        broker.cold_reads.read(read).await
    }
}

impl Waiting {
    async fn second_look(self) -> Result<Command, Refusal> {
        let Waiting {
            broker,
            peer,
            request,
            queue_id,
            max_offset,
            wanted,
        } = self;
        let config = &broker.config;
        let from = QueueOffset(request.queue_offset);
        if config.long_polling_enable {
            let ticket = broker.holds.enter(&request.topic, queue_id, from, wanted);
            if broker.store.max_offset(&request.topic, queue_id) <= max_offset {
                let asked_ms = u64::try_from(request.suspend_timeout_millis).unwrap_or(0);
                ticket.woken(Duration::from_millis(asked_ms)).await;
            }
        } else {
            let no_arrival = TagFilter::OneOf([].into());
            let ticket = broker
                .holds
                .enter(&request.topic, queue_id, from, no_arrival);
            ticket.woken(config.short_polling).await;
        }
        let allowed = allowed(&broker, &peer, &request)?;
        match look(&broker, &request, &allowed) {
            Some(found) => Ok(found.reply),
            None => {
                let cold = Cold {
                    broker,
                    request,
                    allowed,
                };
                cold.read().await
            }
        }
    }
}

/// What a pull may read.
struct Allowed {
    group: Arc<SubscriptionGroupConfig>,
    queue_id: u32,
    wanted: Wanted,
}

/// Whether this group may read this queue now. Makes the group if that is allowed.
fn allowed(broker: &Broker, peer: &Peer, request: &PullRequest<'_>) -> Result<Allowed, Refusal> {
    let (group_name, topic_name) = (&*request.consumer_group, &*request.topic);
    let forbidden = |remark: String| Err(Refusal::new(response::NO_PERMISSION, remark));
    if !perm::has(broker.config.broker_permission, perm::READ) {
        return forbidden(format!(
            "the broker[{}] pulling message is forbidden",
            broker.ip()
        ));
    }
    let Some(group) = broker
        .groups
        .find(group_name, broker.config.auto_create_subscription_group)
    else {
        let remark = format!("subscription group [{group_name}] does not exist, {FAQ}");
        return Err(Refusal::new(response::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
    };
    if !group.consume_enable {
        return forbidden(format!("subscription group no permission, {group_name}"));
    }
    let Some(topic) = broker.topics.get(topic_name) else {
        let remark = format!("topic[{topic_name}] not exist, apply first please! {FAQ}");
        return Err(Refusal::new(response::TOPIC_NOT_EXIST, remark));
    };
    if !perm::has(topic.perm, perm::READ) {
        return forbidden(format!(
            "the topic[{topic_name}] pulling message is forbidden"
        ));
    }
    let queue_id = u32::try_from(request.queue_id).ok();
    let Some(queue_id) = queue_id.filter(|_| request.queue_id < topic.read_queue_nums) else {
        return Err(Refusal::system_error(format!(
            "queueId[{}] is illegal, topic:[{topic_name}] topicConfig.readQueueNums:[{}] consumer:[/{}]",
            request.queue_id,
            topic.read_queue_nums,
            peer.remote()
        )));
    };
    let mut wanted = match request.sys_flag & HAS_SUBSCRIPTION != 0 {
        true => inline(
            &broker.filters,
            broker.config.enable_property_filter,
            request,
        )?,
        false => registered(broker, request, &group)?,
    };
    if broker.config.filter_support_retry {
        wanted = wanted.through_retry(topic_name, &broker.filters);
    }
    Ok(Allowed {
        group,
        queue_id,
        wanted,
    })
}

/// The subscription that came with the pull. Java 4.7.0 delivers everything for an expression that is none: its `assert`
/// does nothing in service.
fn inline(filters: &Filters, sql: bool, request: &PullRequest<'_>) -> Result<Wanted, Refusal> {
    let expression_type = request.expression_type.as_deref().unwrap_or_default();
    let expression = request.subscription.as_deref();
    let unreadable = || {
        Refusal::new(
            response::SUBSCRIPTION_PARSE_FAILED,
            "parse the consumer's subscription failed",
        )
    };
    if expression.map_or(0, str::len) > LONGEST_EXPRESSION_BYTES {
        return Err(Refusal::new(
            response::SUBSCRIPTION_PARSE_FAILED,
            format!("the subscription is longer than {LONGEST_EXPRESSION_BYTES} bytes"),
        ));
    }
    if is_tag_type(expression_type) {
        return TagFilter::parse(expression)
            .map(Wanted::from)
            .map_err(|_| unreadable());
    }
    let expression = expression
        .filter(|text| !text.is_empty())
        .ok_or_else(unreadable)?;
    if !sql {
        return Err(no_filter(expression_type));
    }
    let compiled = filters.compile(expression_type, expression);
    compiled.map(Wanted::from).map_err(|error| {
        debug!(group = &*request.consumer_group, %error, "refuse a pull");
        unreadable()
    })
}

/// The subscription that a heartbeat of the group has brought.
fn registered(
    broker: &Broker,
    request: &PullRequest<'_>,
    group: &SubscriptionGroupConfig,
) -> Result<Wanted, Refusal> {
    let (group_name, topic) = (&*request.consumer_group, &*request.topic);
    let unknown = |what| {
        debug!(group = group_name, topic, "refuse a pull: {what}");
        Refusal::new(response::SUBSCRIPTION_NOT_EXIST, format!("{what}{FAQ}"))
    };
    let subscribed = broker.consumers.subscribed(group_name, topic);
    let subscribed = subscribed.ok_or_else(|| unknown("the consumer's group info not exist"))?;
    if !group.consume_broadcast_enable && subscribed.message_model == MessageModel::Broadcasting {
        let remark = format!("the consumer group[{group_name}] can not consume by broadcast way");
        return Err(Refusal::new(response::NO_PERMISSION, remark));
    }
    let subscription = subscribed.subscription;
    let subscription =
        subscription.ok_or_else(|| unknown("the consumer's subscription not exist"))?;
    if subscription.data.sub_version < request.sub_version {
        let remark = "the consumer's subscription not latest";
        return Err(Refusal::new(response::SUBSCRIPTION_NOT_LATEST, remark));
    }
    if is_tag_type(&subscription.data.expression_type) {
        return Ok(subscription.into());
    }
    let filter = broker.filters.get(group_name, topic).ok_or_else(|| {
        let remark = "The broker's consumer filter data is not exist!Your expression may be wrong!";
        Refusal::new(response::FILTER_DATA_NOT_EXIST, remark)
    })?;
    if filter.version < request.sub_version {
        let remark = "the consumer's consumer filter data not latest";
        return Err(Refusal::new(response::FILTER_DATA_NOT_LATEST, remark));
    }
    if !broker.config.enable_property_filter {
        return Err(no_filter(&subscription.data.expression_type));
    }
    Ok(filter.into())
}

/// Reads the queue and makes the answer; `None` if that must wait for the disk.
fn look(broker: &Broker, request: &PullRequest<'_>, allowed: &Allowed) -> Option<Found> {
    let read = broker.store.read_queue_in_memory(
        &request.topic,
        allowed.queue_id,
        QueueOffset(request.queue_offset),
        most(request),
        &mut &allowed.wanted,
    )?;
    Some(answer(broker, request, &allowed.group, read))
}

fn most(request: &PullRequest<'_>) -> u32 {
    u32::try_from(request.max_msg_nums).unwrap_or(0)
}

fn answer(
    broker: &Broker,
    request: &PullRequest<'_>,
    group: &SubscriptionGroupConfig,
    read: QueueRead,
) -> Found {
    let (mut code, status) = outcome(read.status, QueueOffset(request.queue_offset));
    let mut next = PullReply {
        suggest_which_broker_id: suggested_broker(broker, group, &read),
        next_begin_offset: read.next_begin.0,
        min_offset: read.min_offset.0,
        max_offset: read.max_offset.0,
    };
    if code == response::PULL_OFFSET_MOVED {
        let store = &broker.config.store;
        if store.broker_role == BrokerRole::Slave && !store.offset_check_in_slave {
            next.suggest_which_broker_id = group.broker_id;
            code = response::PULL_RETRY_IMMEDIATELY;
        } else {
            moved::announce(broker, request, read.next_begin);
        }
    }
    let mut reply = Command::success_with(&next).with_remark(status);
    reply.code = code;
    if code == response::SUCCESS {
        reply = reply.with_body(read.records);
    }
    Found {
        reply,
        max_offset: read.max_offset,
    }
}

/// The broker to pull from next: another than the master only with `slaveReadEnable`.
fn suggested_broker(broker: &Broker, group: &SubscriptionGroupConfig, read: &QueueRead) -> i64 {
    const MASTER: i64 = 0;
    match (broker.config.slave_read_enable, read.suggest_slave) {
        (false, _) => MASTER,
        (true, true) => group.which_broker_when_consume_slowly,
        (true, false) => group.broker_id,
    }
}

/// Code and remark of a read that ended so. An offset other than 0 in a queue without messages is put right.
fn outcome(status: ReadStatus, from: QueueOffset) -> (i32, &'static str) {
    match status {
        ReadStatus::Found => (response::SUCCESS, "FOUND"),
        ReadStatus::NoMatchedMessage => (response::PULL_RETRY_IMMEDIATELY, "NO_MATCHED_MESSAGE"),
        ReadStatus::MessageWasRemoving => {
            (response::PULL_RETRY_IMMEDIATELY, "MESSAGE_WAS_REMOVING")
        }
        ReadStatus::OffsetFoundNull => (response::PULL_NOT_FOUND, "OFFSET_FOUND_NULL"),
        ReadStatus::OffsetOverflowBadly => (response::PULL_OFFSET_MOVED, "OFFSET_OVERFLOW_BADLY"),
        ReadStatus::OffsetOverflowOne => (response::PULL_NOT_FOUND, "OFFSET_OVERFLOW_ONE"),
        ReadStatus::OffsetTooSmall => (response::PULL_OFFSET_MOVED, "OFFSET_TOO_SMALL"),
        ReadStatus::NoMessageInQueue if from == QueueOffset(0) => {
            (response::PULL_NOT_FOUND, "NO_MESSAGE_IN_QUEUE")
        }
        ReadStatus::NoMessageInQueue => (response::PULL_OFFSET_MOVED, "NO_MESSAGE_IN_QUEUE"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_of_a_read_has_javas_code() {
        let code = |status, from| outcome(status, QueueOffset(from)).0;
        assert_eq!(code(ReadStatus::Found, 5), 0);
        assert_eq!(code(ReadStatus::NoMatchedMessage, 5), 20);
        assert_eq!(code(ReadStatus::MessageWasRemoving, 5), 20);
        assert_eq!(code(ReadStatus::OffsetFoundNull, 5), 19);
        assert_eq!(code(ReadStatus::OffsetOverflowOne, 5), 19);
        assert_eq!(code(ReadStatus::OffsetOverflowBadly, 5), 21);
        assert_eq!(code(ReadStatus::OffsetTooSmall, 5), 21);
        assert_eq!(code(ReadStatus::NoMessageInQueue, 5), 21);
        assert_eq!(code(ReadStatus::NoMessageInQueue, 0), 19);
    }

    #[test]
    fn an_inline_subscription_of_any_length_is_not_kept() {
        let length = |bytes: usize| {
            let request = PullRequest {
                subscription: Some("t".repeat(bytes).into()),
                ..PullRequest::default()
            };
            inline(&Filters::default(), true, &request)
                .err()
                .map(|refusal| refusal.code)
        };
        assert_eq!(length(LONGEST_EXPRESSION_BYTES), None);
        assert_eq!(length(LONGEST_EXPRESSION_BYTES + 1), Some(23));
    }

    #[test]
    fn an_inline_subscription_that_cannot_be_read_is_refused_with_23() {
        let filters = Filters::default();
        let pull = |kind: Option<&'static str>, expression: &'static str, sql| {
            let request = PullRequest {
                expression_type: kind.map(Into::into),
                subscription: Some(expression.into()),
                ..PullRequest::default()
            };
            inline(&filters, sql, &request)
                .err()
                .map(|refusal| (refusal.code, refusal.remark))
        };
        assert_eq!(pull(None, "TagA || TagB", false), None);
        assert_eq!(pull(Some("TAG"), "*", false), None);
        assert_eq!(pull(None, "||", false).map(|refusal| refusal.0), Some(23));
        for (kind, expression) in [("SQL92", ""), ("SQL92", "a >"), ("SQL99", "a > 1")] {
            let refusal = pull(Some(kind), expression, true);
            assert_eq!(refusal.map(|refusal| refusal.0), Some(23), "{expression}");
        }
        assert_eq!(pull(Some("SQL92"), "a > 1", true), None);
        let refusal = pull(Some("SQL92"), "a > 1", false).expect("refused");
        assert_eq!(refusal.0, 1);
        assert_eq!(
            refusal.1,
            "The broker does not support consumer to filter message by SQL92"
        );
    }
}
