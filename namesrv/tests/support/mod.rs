//! A name server on a free port of 127.0.0.1, with files of its own, and brokers and clients to talk to it.

#![allow(
    dead_code,
    reason = "each test file is a program of its own and uses some of this"
)]

use std::net::IpAddr;
use std::time::Duration;

use namesrv::{NamesrvConfig, Running};
use remoting::body::DataVersion;
use remoting::body::register::RegisterBrokerBody;
use remoting::body::route::{ClusterInfo, TopicRouteData};
use remoting::body::topic_config::{TopicConfig, TopicConfigSerializeWrapper};
use remoting::body::topics::TopicList;
use remoting::code::request;
use remoting::header::route::{
    GetRouteInfoRequest, RegisterBrokerRequest, UnregisterBrokerRequest,
};
use remoting::java::json;
use remoting::{Client, ClientConfig, Command};
use tempfile::TempDir;

pub(crate) const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct NameServer {
    pub(crate) running: Running,
    pub(crate) addr: String,
    pub(crate) folder: TempDir,
    /// One connection, shared by the functions below that do not ask for one.
    pub(crate) client: Client,
}

pub(crate) async fn start() -> NameServer {
    start_with(tempfile::tempdir().expect("a folder"), "").await
}

/// With these lines in its file, in a folder that may hold files of an earlier run.
pub(crate) async fn start_with(folder: TempDir, properties: &str) -> NameServer {
    let file = folder.path().join("namesrv.properties");
    let kv = folder.path().join("kvConfig.json");
    let text = format!("kvConfigPath={}\n{properties}", kv.display());
    std::fs::write(&file, text).expect("written");
    let (mut config, _) = NamesrvConfig::load(&file).expect("readable");
    config.bind_address = Some(IpAddr::from([127, 0, 0, 1]));
    config.listen_port = 0;
    let running = namesrv::run(config).await.expect("a free port");
    NameServer {
        addr: running.addr().to_string(),
        running,
        folder,
        client: client(),
    }
}

pub(crate) fn client() -> Client {
    Client::new(ClientConfig::default())
}

impl NameServer {
    pub(crate) async fn call(&self, request: Command) -> Command {
        self.call_on(&self.client, request).await
    }

    pub(crate) async fn call_on(&self, client: &Client, request: Command) -> Command {
        client
            .call(&self.addr, request, LIMIT)
            .await
            .expect("an answer")
    }

    pub(crate) async fn route(&self, topic: &str) -> Option<TopicRouteData> {
        let reply = self.call(route_request(topic)).await;
        (reply.code == 0).then(|| read(reply))
    }

    pub(crate) async fn topics(&self, code: i32) -> Vec<String> {
        let list: TopicList = read(self.call(Command::request(code)).await);
        list.topic_list.into_iter().collect()
    }

    pub(crate) async fn clusters(&self) -> ClusterInfo {
        read(
            self.call(Command::request(request::GET_BROKER_CLUSTER_INFO))
                .await,
        )
    }

    /// Asks until the topic has no route any more.
    pub(crate) async fn gone(&self, topic: &str) {
        let asking = async { while self.route(topic).await.is_some() {} };
        let gone = tokio::time::timeout(LIMIT, asking).await;
        gone.expect("the topic goes");
    }
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(reply: Command) -> T {
    assert_eq!(reply.code, 0, "{:?}", reply.remark);
    json::read(&reply.body.into_bytes()).expect("a body")
}

pub(crate) fn route_request(topic: &str) -> Command {
    let header = GetRouteInfoRequest {
        topic: topic.to_owned(),
        ..GetRouteInfoRequest::default()
    };
    Command::request_with(request::GET_ROUTEINFO_BY_TOPIC, &header)
}

/// A broker as it would tell of itself.
#[derive(Clone)]
pub(crate) struct Broker {
    pub(crate) cluster: &'static str,
    pub(crate) name: &'static str,
    pub(crate) id: i64,
    pub(crate) addr: &'static str,
    pub(crate) counter: i64,
    pub(crate) topics: Vec<TopicConfig>,
}

pub(crate) fn broker(name: &'static str, id: i64, addr: &'static str, topics: &[&str]) -> Broker {
    let topics = topics.iter().map(|topic| TopicConfig::new(*topic, 8, 4, 6));
    Broker {
        cluster: "c",
        name,
        id,
        addr,
        counter: 1,
        topics: topics.collect(),
    }
}

impl Broker {
    pub(crate) fn header(&self) -> RegisterBrokerRequest {
        RegisterBrokerRequest {
            broker_name: self.name.to_owned(),
            broker_addr: self.addr.to_owned(),
            cluster_name: self.cluster.to_owned(),
            ha_server_addr: format!("{}2", self.addr),
            broker_id: self.id,
            ..RegisterBrokerRequest::default()
        }
    }

    pub(crate) fn version(&self) -> DataVersion {
        DataVersion {
            counter: self.counter,
            timestamp: 1_600_000_000_000,
        }
    }

    pub(crate) fn body(&self) -> RegisterBrokerBody {
        let topics = self.topics.iter();
        RegisterBrokerBody {
            filter_server_list: Vec::new(),
            topic_config_serialize_wrapper: TopicConfigSerializeWrapper {
                data_version: self.version(),
                topic_config_table: topics.map(|t| (t.topic_name.clone(), t.clone())).collect(),
            },
        }
    }

    pub(crate) fn register(&self) -> Command {
        let request = Command::request_with(request::REGISTER_BROKER, &self.header());
        request.with_body(self.body().encode(false))
    }

    pub(crate) fn unregister(&self) -> Command {
        let header = UnregisterBrokerRequest {
            broker_name: self.name.to_owned(),
            broker_addr: self.addr.to_owned(),
            cluster_name: self.cluster.to_owned(),
            broker_id: self.id,
        };
        Command::request_with(request::UNREGISTER_BROKER, &header)
    }
}
