//! 105: where a topic is. The one request that every client sends all the time.
//!
//! ```text
//! topic ─▶ kept encoded, of this generation? ─yes─▶ reply
//!                      │no
//!                      ▼
//!          route out of the table ─▶ encode, without the lock ─▶ keep ─▶ reply
//! ```
//!
//! Clients of 4.x read only fastjson's form (`{0:"host:port"}`); newer ones say that they want standard JSON.
//!
//! Java 4.7.0 `DefaultRequestProcessor.getRouteInfoByTopic`, 4.9.4 for the standard form.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use remoting::body::route::{BrokerData, QueueData, TopicRouteData};
use remoting::code::{response, version};
use remoting::header::route::GetRouteInfoRequest;
use remoting::java::json;
use remoting::{Command, Refusal};

use super::Reply;
use crate::NameServer;
use crate::kv::ORDER_TOPIC_CONFIG;
use crate::table::{Route, RouteForm};

pub(super) fn route(server: &Arc<NameServer>, request: &Command) -> Reply {
    let header: GetRouteInfoRequest = request.header()?;
    let standard = header.accept_standard_json_only;
    let form = match standard || request.version >= version::STANDARD_JSON_ROUTE {
        true => RouteForm::Standard,
        false => RouteForm::Fastjson,
    };
    let topic = header.topic.as_str();
    let order = match server.tells_order.load(Ordering::Relaxed) {
        true => server.kv.get(ORDER_TOPIC_CONFIG, topic),
        false => None,
    };
    let body = match order {
        None => encoded(server, topic, form),
        Some(order) => {
            let route = server.table.read().route(topic);
            route.map(|route| encode(route, Some(order), form))
        }
    };
    match body {
        Some(body) => Ok(Command::success().with_body(body)),
        // Clients make the topic, by its template's route, when they see this code.
        None => Err(Refusal::new(
            response::TOPIC_NOT_EXIST,
            format!(
                "No topic route info in name server for the topic: {topic}\n\
                 See http://rocketmq.apache.org/docs/faq/ for further details."
            ),
        )),
    }
}

fn encoded(server: &NameServer, topic: &str, form: RouteForm) -> Option<Bytes> {
    let (route, generation) = {
        let table = server.table.read();
        if let Some(body) = table.encoded_route(topic, form) {
            return Some(body);
        }
        (table.route(topic)?, table.generation())
    };
    let body = encode(route, None, form);
    let table = server.table.read();
    table.keep_encoded_route(topic, form, generation, body.clone());
    Some(body)
}

fn encode(route: Route, order_topic_conf: Option<String>, form: RouteForm) -> Bytes {
    let brokers = route.brokers.into_iter();
    let queues = route.queues.into_iter();
    let body = TopicRouteData {
        broker_datas: brokers
            .map(|(name, set)| BrokerData {
                broker_addrs: set.addrs,
                broker_name: name.to_string(),
                cluster: set.cluster,
            })
            .collect(),
        filter_server_table: route.filter_servers,
        order_topic_conf,
        queue_datas: queues
            .map(|queues| QueueData {
                broker_name: queues.broker.to_string(),
                perm: queues.perm,
                read_queue_nums: queues.read,
                topic_sys_flag: queues.flags,
                write_queue_nums: queues.write,
            })
            .collect(),
    };
    match form {
        RouteForm::Fastjson => json::write(&body).into(),
        RouteForm::Standard => json::write_standard(&body).into(),
    }
}
