//! Lists of topic names (206, 224, 304, 311, 312, 313), and 216, which makes the name server forget one.
//!
//! Java 4.7.0 `DefaultRequestProcessor`; the cluster of a 216 is 4.9's.

use std::sync::Arc;

use remoting::body::topics::TopicList;
use remoting::header::admin::{DeleteTopicInNamesrvRequest, GetTopicsByClusterRequest};
use remoting::java::json;
use remoting::{Command, Peer};
use tracing::info;

use super::Reply;
use crate::NameServer;
use crate::table::{UNIT, UNIT_SUB};

pub(super) fn all(server: &Arc<NameServer>) -> Reply {
    reply(server.table.read().topic_names())
}

/// An unknown cluster has no topics: Java swallows its `NullPointerException` and answers an empty list.
pub(super) fn of_cluster(server: &Arc<NameServer>, request: &Command) -> Reply {
    let header: GetTopicsByClusterRequest = request.header()?;
    reply(server.table.read().topics_of_cluster(&header.cluster))
}

/// Names of clusters and brokers, and a broker that the client then asks for its own system topics (305).
pub(super) fn system(server: &Arc<NameServer>) -> Reply {
    let (topic_list, broker_addr) = server.table.read().system_topics();
    let list = TopicList {
        broker_addr,
        topic_list,
    };
    Ok(Command::success().with_body(json::write(&list)))
}

pub(super) fn unit(server: &Arc<NameServer>) -> Reply {
    reply(
        server
            .table
            .read()
            .topics_by_flags(|flags| flags & UNIT != 0),
    )
}

pub(super) fn unit_sub(server: &Arc<NameServer>) -> Reply {
    reply(
        server
            .table
            .read()
            .topics_by_flags(|flags| flags & UNIT_SUB != 0),
    )
}

pub(super) fn unit_sub_only(server: &Arc<NameServer>) -> Reply {
    let only_sub = |flags| flags & (UNIT | UNIT_SUB) == UNIT_SUB;
    reply(server.table.read().topics_by_flags(only_sub))
}

pub(super) fn delete(server: &Arc<NameServer>, peer: &Peer, request: &Command) -> Reply {
    let header: DeleteTopicInNamesrvRequest = request.header()?;
    let cluster = header.cluster_name.filter(|cluster| !cluster.is_empty());
    let mut table = server.table.write();
    table.delete_topic(&header.topic, cluster.as_deref());
    drop(table);
    info!(topic = header.topic, cluster, remote = %peer.remote(), "forget topic");
    Ok(Command::success())
}

fn reply(names: Vec<String>) -> Reply {
    let list = TopicList {
        broker_addr: None,
        topic_list: names.into_iter().collect(),
    };
    Ok(Command::success().with_body(json::write(&list)))
}
