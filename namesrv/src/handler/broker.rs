//! Brokers: 103 register, 104 unregister, 322 has the topic table changed, 205 and 327 the write permission.
//!
//! ```text
//! body of 103 ─▶ CRC, when the header has one ─▶ inflate, when it says so ─▶ names within bounds ─▶ table
//! ```
//!
//! Java 4.7.0 `DefaultRequestProcessor`; 327 is 4.9's.

use std::sync::Arc;

use remoting::body::DataVersion;
use remoting::body::register::RegisterBrokerBody;
use remoting::body::topic_config::TopicConfigSerializeWrapper;
use remoting::body::topics::KVTable;
use remoting::code::version;
use remoting::header::admin::{
    AddWritePermOfBrokerReply, AddWritePermOfBrokerRequest, WipeWritePermOfBrokerReply,
    WipeWritePermOfBrokerRequest,
};
use remoting::header::route::{
    QueryDataVersionReply, QueryDataVersionRequest, RegisterBrokerReply, RegisterBrokerRequest,
    UnregisterBrokerRequest,
};
use remoting::java::json;
use remoting::{Command, Peer, Refusal};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::Reply;
use crate::NameServer;
use crate::kv::ORDER_TOPIC_CONFIG;
use crate::register::{NewTopic, Registration, is_name};

/// Java's `UtilAll.crc32` drops the sign.
const CRC_MASK: u32 = 0x7fff_ffff;

pub(super) fn register(server: &Arc<NameServer>, peer: &Arc<Peer>, request: Command) -> Reply {
    let header: RegisterBrokerRequest = request.header()?;
    let names = [
        &header.cluster_name,
        &header.broker_name,
        &header.broker_addr,
    ];
    if let Some(name) = names.into_iter().find(|name| !is_name(name)) {
        return Err(Refusal::system_error(format!(
            "not a name or address: {name:.80?}"
        )));
    }
    let (version, body) = (request.version, request.body.into_bytes());
    let told = read_body(&header, version, &body)?;
    server.is_broker(peer);
    let new = Registration {
        cluster: header.cluster_name,
        broker: header.broker_name,
        id: header.broker_id,
        addr: header.broker_addr,
        ha_server_addr: header.ha_server_addr,
        version: told.topics.data_version,
        topics: new_topics(told.topics, peer),
        filter_servers: told.filter_servers,
        connection: peer.id(),
    };
    let (broker, id, addr) = (new.broker.clone(), new.id, new.addr.clone());
    let registered = server.table.write().register(new, Instant::now());
    let topics_changed = registered.topics_changed;
    if registered.new_broker {
        info!(broker, id, addr, topics_changed, "new broker");
    } else if topics_changed > 0 {
        info!(
            broker,
            id, addr, topics_changed, "broker has changed topics"
        );
    } else {
        debug!(broker, id, addr, "broker lives");
    }

    let (master_addr, ha_server_addr) = registered.master.unzip();
    let reply = Command::success_with(&RegisterBrokerReply {
        ha_server_addr,
        master_addr,
    });
    Ok(match server.kv.namespace(ORDER_TOPIC_CONFIG) {
        Some(table) => reply.with_body(json::write(&KVTable { table })),
        None => reply,
    })
}

/// What the body of a registration tells.
struct Told {
    topics: TopicConfigSerializeWrapper,
    filter_servers: Option<Vec<String>>,
}

fn read_body(header: &RegisterBrokerRequest, version: i32, body: &[u8]) -> Result<Told, Refusal> {
    let expected = header.body_crc32;
    if expected != 0 && (crc32fast::hash(body) & CRC_MASK) as i32 != expected {
        return Err(Refusal::system_error("crc32 not match"));
    }
    let knows_filter_servers = version >= version::REGISTER_BODY;
    if body.is_empty() {
        let topics = TopicConfigSerializeWrapper {
            data_version: DataVersion::NONE,
            ..TopicConfigSerializeWrapper::default()
        };
        let filter_servers = knows_filter_servers.then(Vec::new);
        return Ok(Told {
            topics,
            filter_servers,
        });
    }
    if !knows_filter_servers {
        let topics = json::read(body).map_err(|error| Refusal::system_error(error.to_string()))?;
        return Ok(Told {
            topics,
            filter_servers: None,
        });
    }
    let body = RegisterBrokerBody::decode(body, header.compressed)
        .map_err(|error| Refusal::system_error(error.to_string()))?;
    Ok(Told {
        topics: body.topic_config_serialize_wrapper,
        filter_servers: Some(body.filter_server_list),
    })
}

/// The topics of a body, less those whose names nobody could have.
fn new_topics(topics: TopicConfigSerializeWrapper, peer: &Peer) -> Vec<NewTopic> {
    let mut refused = 0;
    let table = topics.topic_config_table.into_iter();
    let new = table.filter_map(|(key, topic)| {
        let name = if topic.topic_name.is_empty() {
            key
        } else {
            topic.topic_name
        };
        if !is_name(&name) {
            refused += 1;
            return None;
        }
        Some(NewTopic {
            name,
            read: topic.read_queue_nums,
            write: topic.write_queue_nums,
            perm: topic.perm,
            flags: topic.topic_sys_flag,
        })
    });
    let new = new.collect();
    if refused > 0 {
        warn!(remote = %peer.remote(), topics = refused, "leave out topics whose names are too long or not printable");
    }
    new
}

pub(super) fn unregister(server: &Arc<NameServer>, peer: &Peer, request: &Command) -> Reply {
    let header: UnregisterBrokerRequest = request.header()?;
    let mut table = server.table.write();
    table.unregister(&header.broker_name, &header.broker_addr);
    drop(table);
    info!(
        broker = header.broker_name, id = header.broker_id, addr = header.broker_addr, remote = %peer.remote(),
        "broker says goodbye"
    );
    Ok(Command::success())
}

pub(super) fn query_data_version(
    server: &Arc<NameServer>,
    peer: &Arc<Peer>,
    request: Command,
) -> Reply {
    let header: QueryDataVersionRequest = request.header()?;
    let body = request.body.into_bytes();
    let asked: Option<DataVersion> = match body.is_empty() {
        true => None,
        false => Some(json::read(&body).map_err(|error| Refusal::system_error(error.to_string()))?),
    };
    let addr = header.broker_addr.as_str();
    let mut table = server.table.write();
    let same = asked.is_some_and(|version| table.same_version(addr, &version));
    if same {
        server.is_broker(peer);
        table.saw(addr, peer.id(), Instant::now());
    }
    let known = table.live.get(addr).map(|live| live.version);
    drop(table);
    let reply = Command::success_with(&QueryDataVersionReply { changed: !same });
    Ok(match known {
        Some(version) => reply.with_body(json::write(&version)),
        None => reply,
    })
}

pub(super) fn wipe_write_perm(server: &Arc<NameServer>, peer: &Peer, request: &Command) -> Reply {
    let header: WipeWritePermOfBrokerRequest = request.header()?;
    let wipe_topic_count = server
        .table
        .write()
        .set_writable(&header.broker_name, false);
    info!(broker = header.broker_name, remote = %peer.remote(), topics = wipe_topic_count, "wipe write permission");
    Ok(Command::success_with(&WipeWritePermOfBrokerReply {
        wipe_topic_count,
    }))
}

pub(super) fn add_write_perm(server: &Arc<NameServer>, peer: &Peer, request: &Command) -> Reply {
    let header: AddWritePermOfBrokerRequest = request.header()?;
    let add_topic_count = server.table.write().set_writable(&header.broker_name, true);
    info!(broker = header.broker_name, remote = %peer.remote(), topics = add_topic_count, "add write permission");
    Ok(Command::success_with(&AddWritePermOfBrokerReply {
        add_topic_count,
    }))
}
