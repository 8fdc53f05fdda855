//! What is said to a name server: 103, 322 and 104.
//!
//! Java 4.7.0 `broker/out/BrokerOuterAPI.java`, `broker/BrokerController.java`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use remoting::body::DataVersion;
use remoting::body::register::RegisterBrokerBody;
use remoting::body::topic_config::{TopicConfig, TopicConfigSerializeWrapper};
use remoting::body::topics::KVTable;
use remoting::code::{request, response};
use remoting::header::route::{
    QueryDataVersionReply, QueryDataVersionRequest, RegisterBrokerRequest, UnregisterBrokerRequest,
};
use remoting::java::json;
use remoting::{Command, Refusal};
use tracing::warn;

use super::{Failure, Line, Topics, UNREGISTER_LIMIT, Wanted};
use crate::broker::Broker;
use crate::made;

/// Permission bits that leave the topics' own permissions in place.
const READ_AND_WRITE: i32 = 6;

/// One registration. `told` is what this name server knows, and holds all topics afterwards.
pub(super) async fn register(
    broker: &Arc<Broker>,
    line: &Line,
    wanted: &Wanted,
    told: &mut Option<Topics>,
) -> Result<(), Failure> {
    let TopicConfigSerializeWrapper {
        data_version,
        topic_config_table: all,
    } = broker.topics.wrapper();
    // Without the old connection it may be another name server, one that has been told nothing.
    let connected = broker.registration.client.is_open(&line.addr);
    let topics = match (wanted, told.take()) {
        (Wanted::Topics(named), Some(told)) if connected => news(&all, &told, named),
        _ => all.clone(),
    };
    if *wanted == (Wanted::All { force: false }) && !is_outdated(broker, line, data_version).await {
        *told = Some(all);
        return Ok(());
    }
    let topics = TopicConfigSerializeWrapper {
        data_version,
        topic_config_table: topics,
    };
    let body = RegisterBrokerBody {
        filter_server_list: Vec::new(),
        topic_config_serialize_wrapper: with_permission(topics, broker.config.broker_permission),
    };
    let body = body.encode(broker.config.compressed_register);
    let header = RegisterBrokerRequest {
        broker_name: broker.config.broker_name.clone(),
        broker_addr: broker.address.clone(),
        cluster_name: broker.config.cluster_name.clone(),
        ha_server_addr: broker.ha_address.clone(),
        broker_id: broker.config.broker_id,
        compressed: broker.config.compressed_register,
        body_crc32: (crc32fast::hash(&body) & 0x7fff_ffff) as i32,
    };
    let request = Command::request_with(request::REGISTER_BROKER, &header).with_body(body);
    let reply = call(broker, line, request, broker.config.register_timeout).await?;
    *told = Some(all);
    if !reply.body.is_empty() && broker.registration.decides(line) {
        match json::read::<KVTable>(&reply.body.into_bytes()) {
            Ok(ordered) if broker.topics.set_ordered(&ordered.table) => {
                made::save(Arc::clone(broker)).await;
            }
            Ok(_) => {}
            Err(error) => {
                warn!(namesrv = line.addr, %error, "read the ordered topics of a registration's answer")
            }
        }
    }
    Ok(())
}

/// Whether the name server has another version than ours. One that cannot tell has.
async fn is_outdated(broker: &Broker, line: &Line, version: DataVersion) -> bool {
    let header = QueryDataVersionRequest {
        broker_name: broker.config.broker_name.clone(),
        broker_addr: broker.address.clone(),
        cluster_name: broker.config.cluster_name.clone(),
        broker_id: broker.config.broker_id,
    };
    let request = Command::request_with(request::QUERY_DATA_VERSION, &header)
        .with_body(json::write(&version));
    let Ok(reply) = call(broker, line, request, broker.config.register_timeout).await else {
        return true;
    };
    let unchanged = reply
        .header::<QueryDataVersionReply>()
        .is_ok_and(|header| !header.changed);
    let theirs = json::read::<DataVersion>(&reply.body.into_bytes());
    !unchanged || theirs.is_ok_and(|theirs| theirs != version)
}

/// Takes this broker out.
pub(super) async fn unregister(broker: &Broker, line: &Line) -> Result<(), Failure> {
    let header = UnregisterBrokerRequest {
        broker_name: broker.config.broker_name.clone(),
        broker_addr: broker.address.clone(),
        cluster_name: broker.config.cluster_name.clone(),
        broker_id: broker.config.broker_id,
    };
    let request = Command::request_with(request::UNREGISTER_BROKER, &header);
    call(broker, line, request, UNREGISTER_LIMIT)
        .await
        .map(|_| ())
}

async fn call(
    broker: &Broker,
    line: &Line,
    request: Command,
    limit: Duration,
) -> Result<Command, Failure> {
    let reply = broker
        .registration
        .client
        .call(&line.addr, request, limit)
        .await?;
    if reply.code == response::SUCCESS {
        return Ok(reply);
    }
    Err(Failure::Refused(Refusal::new(
        reply.code,
        reply.remark.unwrap_or_default(),
    )))
}

/// The topics named, and those that are not as they were told.
fn news(all: &Topics, told: &Topics, named: &BTreeSet<String>) -> Topics {
    let is_news = |(name, topic): &(&String, &TopicConfig)| {
        named.contains(*name) || told.get(*name) != Some(*topic)
    };
    let news = all.iter().filter(is_news);
    news.map(|(name, topic)| (name.clone(), topic.clone()))
        .collect()
}

/// The topics as a broker with this permission shows them: unless it is read and write, it stands in the place of
/// every topic's own, and what else a topic has goes back to its default, as in Java.
fn with_permission(
    mut topics: TopicConfigSerializeWrapper,
    permission: i32,
) -> TopicConfigSerializeWrapper {
    if permission & READ_AND_WRITE != READ_AND_WRITE {
        for topic in topics.topic_config_table.values_mut() {
            let name = std::mem::take(&mut topic.topic_name);
            *topic = TopicConfig::new(
                name,
                topic.read_queue_nums,
                topic.write_queue_nums,
                permission,
            );
        }
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(of: &[(&str, i32)]) -> Topics {
        let topic = |(name, queues): &(&str, i32)| {
            (
                (*name).to_owned(),
                TopicConfig::new(*name, *queues, *queues, 6),
            )
        };
        of.iter().map(topic).collect()
    }

    #[test]
    fn what_goes_out_under_a_version_has_everything_that_is_new_in_it() {
        let told = topics(&[("old", 4), ("same", 4)]);
        let all = topics(&[("old", 8), ("same", 4), ("new", 4)]);
        let named = |name: &str| BTreeSet::from([name.to_owned()]);
        assert_eq!(
            news(&all, &told, &named("new")),
            topics(&[("old", 8), ("new", 4)])
        );
        assert_eq!(
            news(&all, &all, &named("same")),
            topics(&[("same", 4)]),
            "made again by hand"
        );
        assert_eq!(news(&all, &all, &named("deleted meanwhile")), topics(&[]));
    }

    #[test]
    fn a_broker_that_may_not_write_shows_no_topic_as_writable() {
        let mut topics = TopicConfigSerializeWrapper::default();
        let topic = TopicConfig {
            order: true,
            ..TopicConfig::new("T", 8, 4, 7)
        };
        topics.topic_config_table.insert("T".to_owned(), topic);
        assert_eq!(with_permission(topics.clone(), 6), topics);
        let shown = with_permission(topics, 4);
        assert_eq!(
            shown.topic_config_table["T"],
            TopicConfig::new("T", 8, 4, 4)
        );
    }
}
