//! Clients: heartbeat (34), leaving (35), "can you filter by this" (46), who is in my group (38).
//!
//! The rule that is easy to break: a heartbeat that changes a group is told to all its members before anything else
//! happens (code 40), the one that sent it included.
//!
//! Java 4.7.0 `broker/processor/ClientManageProcessor.java`, `ConsumerManageProcessor.java` (38).

use std::sync::Arc;

use remoting::body::client::CheckClientBody;
use remoting::body::groups::ConsumerListByGroup;
use remoting::body::heartbeat::{ConsumerData, HeartbeatData};
use remoting::code::response;
use remoting::header::client::{GetConsumerListByGroupRequest, UnregisterClientRequest};
use remoting::java::json;
use remoting::{Command, Peer, Refusal};
use tracing::{debug, warn};

use super::body;
use crate::broker::Broker;
use crate::client::{Client, notify};
use crate::filter::tag::is_tag_type;
use crate::retry;
use crate::topic::name;

/// Most that one heartbeat may say.
const MOST_BYTES: usize = 1 << 20;
const LONGEST_ID_BYTES: usize = 1024;
const LONGEST_TOPIC_BYTES: usize = 255;
const MOST_GROUPS: usize = 1024;
const MOST_SUBSCRIPTIONS: usize = 4096;

/// 34
pub(super) fn heartbeat(
    broker: &Broker,
    peer: &Arc<Peer>,
    request: Command,
) -> Result<Command, Refusal> {
    if request.body.len() > MOST_BYTES {
        let bytes = request.body.len();
        return Err(too_much(format!("{bytes} bytes"), MOST_BYTES));
    }
    let (language, version) = (request.language, request.version);
    let heartbeat: HeartbeatData = body(request)?;
    bounded(&heartbeat)?;
    let client = Client {
        peer: Arc::clone(peer),
        id: heartbeat.client_id.into(),
        language,
        version,
    };
    for data in heartbeat.consumer_data_set {
        consumer(broker, &client, data);
    }
    for data in heartbeat.producer_data_set {
        broker.producers.register(&client, &data.group_name);
    }
    Ok(Command::success())
}

/// Whether a heartbeat names no more, and nothing longer, than any client of Java's. It is kept as long as the client
/// is there, so what one may ask for is bounded; Java 4.7.0 keeps anything.
fn bounded(heartbeat: &HeartbeatData) -> Result<(), Refusal> {
    let HeartbeatData {
        client_id,
        consumer_data_set: consumers,
        producer_data_set: producers,
    } = heartbeat;
    if client_id.len() > LONGEST_ID_BYTES {
        let bytes = client_id.len();
        let (what, most) = (format!("a clientID of {bytes} bytes"), LONGEST_ID_BYTES);
        return Err(too_much(what, most));
    }
    let groups = consumers.len() + producers.len();
    if groups > MOST_GROUPS {
        return Err(too_much(format!("{groups} groups"), MOST_GROUPS));
    }
    let consuming = consumers.iter().map(|data| &data.group_name);
    let producing = producers.iter().map(|data| &data.group_name);
    if !consuming
        .chain(producing)
        .all(|group| name::may_be_kept(group))
    {
        return Err(Refusal::system_error(
            "the heartbeat names a group that is blank, longer than 255 or no name of a file",
        ));
    }
    let mut subscriptions = consumers
        .iter()
        .flat_map(|data| &data.subscription_data_set);
    if subscriptions.any(|data| data.topic.len() > LONGEST_TOPIC_BYTES) {
        let most = LONGEST_TOPIC_BYTES;
        return Err(too_much("a topic with a longer name".to_owned(), most));
    }
    let subscriptions = consumers
        .iter()
        .map(|data| data.subscription_data_set.len());
    let subscriptions: usize = subscriptions.sum();
    if subscriptions > MOST_SUBSCRIPTIONS {
        let what = format!("{subscriptions} subscriptions");
        return Err(too_much(what, MOST_SUBSCRIPTIONS));
    }
    Ok(())
}

fn too_much(what: String, most: usize) -> Refusal {
    Refusal::system_error(format!(
        "the heartbeat has {what}, at most {most} are taken"
    ))
}

fn consumer(broker: &Broker, client: &Client, data: ConsumerData) {
    let group = broker.groups.find(
        &data.group_name,
        broker.config.auto_create_subscription_group,
    );
    if let Some(group) = &group
        && let Err(error) = retry::retry_topic(broker, group, data.unit_mode)
    {
        warn!(group = group.group_name, %error, "group has no retry topic");
    }
    let told = group.is_none_or(|group| group.notify_consumer_ids_changed_enable);
    if let Some(change) = broker.consumers.register(client, data).filter(|_| told) {
        notify::consumers_changed(broker, change);
    }
}

/// 35
pub(super) fn unregister(
    broker: &Broker,
    peer: &Peer,
    request: &Command,
) -> Result<Command, Refusal> {
    let header: UnregisterClientRequest = request.header()?;
    if let Some(group) = header.producer_group {
        broker.producers.unregister(&group, peer);
    }
    if let Some(group) = header.consumer_group {
        let config = broker.groups.get(&group);
        let told = config.is_none_or(|config| config.notify_consumer_ids_changed_enable);
        if let Some(change) = broker.consumers.unregister(&group, peer).filter(|_| told) {
            notify::consumers_changed(broker, change);
        }
    }
    Ok(Command::success())
}

/// 46
pub(super) fn check(broker: &Broker, request: Command) -> Result<Command, Refusal> {
    let CheckClientBody {
        client_id,
        group,
        subscription_data,
    } = body(request)?;
    if is_tag_type(&subscription_data.expression_type) {
        return Ok(Command::success());
    }
    let expression = subscription_data.sub_string;
    let refusal = if broker.config.enable_property_filter {
        let compiled = broker
            .filters
            .compile(&subscription_data.expression_type, &expression);
        match compiled {
            Ok(_) => return Ok(Command::success()),
            Err(error) => Refusal::new(response::SUBSCRIPTION_PARSE_FAILED, error.to_string()),
        }
    } else {
        no_filter(&subscription_data.expression_type)
    };
    debug!(
        client_id,
        group,
        expression,
        reason = refusal.remark,
        "refuse a filter"
    );
    Err(refusal)
}

/// The refusal of an expression that is no tags.
pub(super) fn no_filter(expression_type: &str) -> Refusal {
    let remark =
        format!("The broker does not support consumer to filter message by {expression_type}");
    Refusal::system_error(remark)
}

/// 38
pub(super) fn consumer_list(broker: &Broker, request: &Command) -> Result<Command, Refusal> {
    let GetConsumerListByGroupRequest { consumer_group } = request.header()?;
    let consumer_id_list = broker.consumers.client_ids(&consumer_group);
    if consumer_id_list.is_empty() {
        return Err(Refusal::system_error(format!(
            "no consumer for this group, {consumer_group}"
        )));
    }
    Ok(Command::success().with_body(json::write(&ConsumerListByGroup { consumer_id_list })))
}
