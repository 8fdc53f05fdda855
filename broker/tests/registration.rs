//! What a name server hears from a broker, and how soon after it was away.

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use remoting::body::register::RegisterBrokerBody;
use remoting::code::request;
use remoting::header::route::{RegisterBrokerRequest, UnregisterBrokerRequest};
use remoting::{Answer, Command, Peer, Server, ServerConfig, Service};
use support::{Fixture, ask, message, send};
use tokio::sync::mpsc;

/// A second or two on a machine that has nothing else to do; the next registration would be due after 30 s, one that does
/// not come through is waited for 6 s.
const SOON: Duration = Duration::from_secs(5);

/// A name server that writes down what it hears.
struct NameServer {
    heard: mpsc::UnboundedSender<Command>,
}

impl Service for NameServer {
    fn call(self: &Arc<Self>, _: &Arc<Peer>, request: Command) -> Answer {
        let _ = self.heard.send(request);
        Command::success().into()
    }

    fn closed(&self, _: &Arc<Peer>) {}
}

struct Listening {
    server: Server,
    heard: mpsc::UnboundedReceiver<Command>,
}

async fn listen(addr: &str) -> Listening {
    let (sender, heard) = mpsc::unbounded_channel();
    let addr: SocketAddr = addr.parse().expect("an address");
    let server = Server::bind(
        addr,
        Arc::new(NameServer { heard: sender }),
        ServerConfig::default(),
    );
    Listening {
        server: server.await.expect("listens"),
        heard,
    }
}

impl Listening {
    fn addr(&self) -> String {
        self.server.local_addr().to_string()
    }

    async fn next(&mut self) -> Command {
        let next = tokio::time::timeout(support::PATIENCE, self.heard.recv());
        next.await.expect("heard in time").expect("listening")
    }

    /// The next registration and its topics.
    async fn registration(&mut self) -> (RegisterBrokerRequest, RegisterBrokerBody) {
        let request = self.next().await;
        assert_eq!(request.code, request::REGISTER_BROKER);
        let header: RegisterBrokerRequest = request.header().expect("a header");
        let body = request.body.into_bytes();
        assert_eq!(
            header.body_crc32,
            (crc32fast::hash(&body) & 0x7fff_ffff) as i32
        );
        let topics = RegisterBrokerBody::decode(&body, header.compressed).expect("topics");
        (header, topics)
    }
}

async fn broker_of(name_servers: String, compressed: bool) -> Fixture {
    Fixture::with(|config| {
        config.namesrv_addr = Some(name_servers);
        config.compressed_register = compressed;
    })
    .await
}

#[tokio::test]
async fn a_broker_is_registered_when_it_has_started_and_unregistered_when_it_stops() {
    for compressed in [false, true] {
        let mut name_server = listen("127.0.0.1:0").await;
        let fixture = broker_of(name_server.addr(), compressed).await;
        let heard = name_server.heard.try_recv().expect("before `run` returned");
        let header: RegisterBrokerRequest = heard.header().expect("a header");
        let address = format!("127.0.0.1:{}", fixture.running.port());
        assert_eq!(
            (&*header.broker_name, &*header.broker_addr, header.broker_id),
            ("broker-a", &*address, 0)
        );
        assert_eq!(
            (&*header.cluster_name, header.compressed),
            ("DefaultCluster", compressed)
        );
        let body =
            RegisterBrokerBody::decode(&heard.body.into_bytes(), compressed).expect("topics");
        let topics = body.topic_config_serialize_wrapper.topic_config_table;
        assert!(
            ["TBW102", "DefaultCluster", "broker-a"]
                .iter()
                .all(|topic| topics.contains_key(*topic))
        );

        fixture.running.stop().await;
        let heard = name_server.next().await;
        assert_eq!(heard.code, request::UNREGISTER_BROKER);
        let header: UnregisterBrokerRequest = heard.header().expect("a header");
        assert_eq!(header.broker_addr, address);
    }
}

#[tokio::test]
async fn a_new_topic_is_told_at_once_and_one_made_by_hand_alone() {
    let mut name_server = listen("127.0.0.1:0").await;
    let fixture = broker_of(name_server.addr(), false).await;
    let (_, first) = name_server.registration().await;
    let mut client = fixture.client().await;
    client.send(send(&message("T", ""), b"x")).await;
    let (_, second) = name_server.registration().await;
    let second = second.topic_config_serialize_wrapper;
    assert!(second.topic_config_table.len() > 5 && second.topic_config_table.contains_key("T"));
    assert_ne!(
        second.data_version,
        first.topic_config_serialize_wrapper.data_version
    );

    let fields = [
        ("topic", "U"),
        ("readQueueNums", "3"),
        ("writeQueueNums", "2"),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
    ];
    client
        .call(ask(request::UPDATE_AND_CREATE_TOPIC, &fields))
        .await;
    let (_, third) = name_server.registration().await;
    let third = third.topic_config_serialize_wrapper;
    assert_eq!(third.topic_config_table.keys().collect::<Vec<_>>(), ["U"]);
    assert_ne!(third.data_version, second.data_version);
    fixture.running.stop().await;
}

#[tokio::test]
async fn topics_made_at_the_same_time_all_reach_a_name_server_that_compares_versions() {
    const CLIENTS: usize = 8;
    let mut name_server = listen("127.0.0.1:0").await;
    let fixture = broker_of(name_server.addr(), false).await;
    let (_, first) = name_server.registration().await;
    let mut known = first.topic_config_serialize_wrapper;
    let mut clients = Vec::new();
    for at in 0..CLIENTS {
        let mut client = fixture.client().await;
        clients.push(tokio::spawn(async move {
            let by_hand = format!("hand{at}");
            let fields = [
                ("topic", &*by_hand),
                ("readQueueNums", "1"),
                ("writeQueueNums", "1"),
                ("perm", "6"),
                ("topicFilterType", "SINGLE_TAG"),
            ];
            client
                .call(ask(request::UPDATE_AND_CREATE_TOPIC, &fields))
                .await;
            client
                .send(send(&message(&format!("send{at}"), ""), b"x"))
                .await;
        }));
    }
    let all = |kind| (0..CLIENTS).map(move |at| format!("{kind}{at}"));
    let wanted: Vec<_> = all("hand").chain(all("send")).collect();
    while !wanted
        .iter()
        .all(|topic| known.topic_config_table.contains_key(topic))
    {
        let (_, next) = name_server.registration().await;
        let next = next.topic_config_serialize_wrapper;
        if next.data_version != known.data_version {
            known.data_version = next.data_version;
            known.topic_config_table.extend(next.topic_config_table);
        }
    }
    for client in clients {
        client.await.expect("ends");
    }
    fixture.running.stop().await;
}

#[tokio::test]
async fn a_name_server_that_comes_back_soon_knows_the_broker() {
    let mut name_server = listen("127.0.0.1:0").await;
    let addr = name_server.addr();
    let fixture = broker_of(addr.clone(), false).await;
    name_server.registration().await;
    name_server.server.stop().await;
    let mut name_server = listen(&addr).await;
    let back = Instant::now();
    let (header, body) = name_server.registration().await;
    assert!(back.elapsed() < SOON, "after {:?}", back.elapsed());
    assert_eq!(header.broker_name, "broker-a");
    assert!(body.topic_config_serialize_wrapper.topic_config_table.len() > 5);
    fixture.running.stop().await;
}

#[tokio::test]
async fn one_name_server_that_is_away_holds_up_neither_the_start_nor_the_others() {
    let mut name_server = listen("127.0.0.1:0").await;
    let away = listen("127.0.0.1:0").await;
    let servers = format!("{};{}", away.addr(), name_server.addr());
    away.server.stop().await;
    let began = Instant::now();
    let fixture = broker_of(servers, false).await;
    name_server.registration().await;
    assert!(began.elapsed() < SOON, "after {:?}", began.elapsed());
    fixture.running.stop().await;
}
