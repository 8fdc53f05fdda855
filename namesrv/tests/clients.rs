//! What clients ask for, in the forms in which they read it.

mod support;

use std::net::SocketAddr;

use remoting::body::topic_config::TopicConfig;
use remoting::body::topics::TopicList;
use remoting::code::{request, response};
use remoting::header::admin::{DeleteTopicInNamesrvRequest, GetTopicsByClusterRequest};
use remoting::header::route::GetRouteInfoRequest;
use remoting::{Command, HeaderForm};
use support::{NameServer, broker, client, read, route_request, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn with_topics(topics: &[&str]) -> NameServer {
    let ns = start().await;
    assert_eq!(
        ns.call(broker("a", 0, "10.0.0.1:10911", topics).register())
            .await
            .code,
        0
    );
    ns
}

fn text(reply: Command) -> String {
    assert_eq!(reply.code, 0, "{:?}", reply.remark);
    String::from_utf8(reply.body.into_bytes().to_vec()).expect("text")
}

const BROKERS: &str =
    r#"{"brokerDatas":[{"brokerAddrs":{0:"10.0.0.1:10911"},"brokerName":"a","cluster":"c"}],"#;
const QUEUES: &str = r#""filterServerTable":{},"queueDatas":[{"brokerName":"a","perm":6,"readQueueNums":8,"topicSynFlag":0,"topicSysFlag":0,"writeQueueNums":4}]}"#;

#[tokio::test]
async fn old_clients_get_fastjsons_route_and_new_ones_standard_json() {
    let ns = with_topics(&["t"]).await;
    let fastjson = format!("{BROKERS}{QUEUES}");
    let standard = fastjson.replace("{0:", "{\"0\":");
    for (version, expected) in [
        (293, &fastjson),
        (353, &fastjson),
        (400, &fastjson),
        (401, &standard),
        (479, &standard),
    ] {
        for _ in 0..2 {
            let mut request = route_request("t");
            request.version = version;
            assert_eq!(&text(ns.call(request).await), expected, "version {version}");
        }
    }
    let header = GetRouteInfoRequest {
        topic: "t".to_owned(),
        accept_standard_json_only: true,
    };
    let request = Command::request_with(request::GET_ROUTEINFO_BY_TOPIC, &header);
    let body = text(ns.call(request).await);
    assert_eq!(body, standard);
    serde_json::from_str::<serde_json::Value>(&body).expect("JSON for everyone");
}

#[tokio::test]
async fn an_unknown_topic_is_answered_in_words_that_clients_know() {
    let ns = start().await;
    let reply = ns.call(route_request("nowhere")).await;
    assert_eq!(reply.code, response::TOPIC_NOT_EXIST);
    let words = "No topic route info in name server for the topic: nowhere\n\
                 See http://rocketmq.apache.org/docs/faq/ for further details.";
    assert_eq!(reply.remark.as_deref(), Some(words));
}

#[tokio::test]
async fn a_route_follows_every_change_at_once() {
    let ns = with_topics(&["t"]).await;
    assert_eq!(
        ns.route("t").await.expect("registered").broker_datas.len(),
        1
    );
    let b = broker("b", 0, "10.0.0.2:10911", &["t"]);
    ns.call(b.register()).await;
    assert_eq!(
        ns.route("t").await.expect("registered").broker_datas.len(),
        2
    );
    ns.call(broker("b", 1, "10.0.0.3:10911", &[]).register())
        .await;
    let brokers = ns.route("t").await.expect("registered").broker_datas;
    assert_eq!(brokers[1].broker_addrs.len(), 2);
    ns.call(b.unregister()).await;
    let brokers = ns.route("t").await.expect("registered").broker_datas;
    assert_eq!(brokers[1].broker_addrs.keys().collect::<Vec<_>>(), [&1]);
}

#[tokio::test]
async fn topics_are_listed_by_kind() {
    let ns = start().await;
    let mut a = broker("a", 0, "10.0.0.1:10911", &["plain"]);
    for (name, topic_sys_flag) in [("unit", 1), ("sub", 2), ("both", 3)] {
        let topic = TopicConfig::new(name, 8, 8, 6);
        a.topics.push(TopicConfig {
            topic_sys_flag,
            ..topic
        });
    }
    ns.call(a.register()).await;
    let mut other = broker("x", 0, "10.0.0.2:10911", &["elsewhere"]);
    other.cluster = "other";
    ns.call(other.register()).await;

    let all = ns.topics(request::GET_ALL_TOPIC_LIST_FROM_NAMESERVER).await;
    assert_eq!(all, ["both", "elsewhere", "plain", "sub", "unit"]);
    assert_eq!(
        ns.topics(request::GET_UNIT_TOPIC_LIST).await,
        ["both", "unit"]
    );
    assert_eq!(
        ns.topics(request::GET_HAS_UNIT_SUB_TOPIC_LIST).await,
        ["both", "sub"]
    );
    assert_eq!(
        ns.topics(request::GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST).await,
        ["sub"]
    );
    let system = ns
        .call(Command::request(request::GET_SYSTEM_TOPIC_LIST_FROM_NS))
        .await;
    let system: TopicList = read(system);
    assert_eq!(Vec::from_iter(&system.topic_list), ["a", "c", "other", "x"]);
    assert_eq!(system.broker_addr.as_deref(), Some("10.0.0.1:10911"));
    for (cluster, expected) in [("other", vec!["elsewhere"]), ("unknown", vec![])] {
        let header = GetTopicsByClusterRequest {
            cluster: cluster.to_owned(),
        };
        let reply = ns
            .call(Command::request_with(
                request::GET_TOPICS_BY_CLUSTER,
                &header,
            ))
            .await;
        assert_eq!(
            Vec::from_iter(read::<TopicList>(reply).topic_list),
            expected
        );
    }
}

#[tokio::test]
async fn a_deleted_topic_is_gone_everywhere_or_in_one_cluster() {
    let ns = with_topics(&["t", "u"]).await;
    let mut other = broker("x", 0, "10.0.0.2:10911", &["t"]);
    other.cluster = "other";
    ns.call(other.register()).await;
    let delete = async |topic: &str, cluster: Option<&str>| {
        let header = DeleteTopicInNamesrvRequest {
            topic: topic.to_owned(),
            cluster_name: cluster.map(str::to_owned),
        };
        let request = Command::request_with(request::DELETE_TOPIC_IN_NAMESRV, &header);
        assert_eq!(ns.call(request).await.code, 0);
    };
    delete("t", Some("c")).await;
    assert_eq!(
        ns.route("t").await.expect("the other has it").queue_datas[0].broker_name,
        "x"
    );
    delete("t", None).await;
    assert_eq!(ns.route("t").await, None);
    assert!(ns.route("u").await.is_some());
    delete("never_was", None).await;
}

#[tokio::test]
async fn a_code_that_nobody_serves_is_answered_with_3() {
    let ns = start().await;
    for form in [HeaderForm::Json, HeaderForm::Binary] {
        let mut request = Command::request(9999);
        request.form = form;
        let reply = ns.call(request).await;
        assert_eq!(reply.code, response::REQUEST_CODE_NOT_SUPPORTED);
        assert_eq!(
            reply.remark.as_deref(),
            Some(" request type 9999 not supported")
        );
    }
}

#[tokio::test]
async fn a_request_without_its_fields_is_refused_by_the_name_of_the_field() {
    let ns = start().await;
    for (code, field) in [
        (request::GET_ROUTEINFO_BY_TOPIC, "topic"),
        (request::REGISTER_BROKER, "brokerName"),
        (request::UNREGISTER_BROKER, "brokerName"),
        (request::QUERY_DATA_VERSION, "brokerName"),
        (request::WIPE_WRITE_PERM_OF_BROKER, "brokerName"),
        (request::DELETE_TOPIC_IN_NAMESRV, "topic"),
        (request::GET_TOPICS_BY_CLUSTER, "cluster"),
        (request::PUT_KV_CONFIG, "namespace"),
        (request::GET_KV_CONFIG, "namespace"),
        (request::DELETE_KV_CONFIG, "namespace"),
        (request::GET_KVLIST_BY_NAMESPACE, "namespace"),
    ] {
        let reply = ns.call(Command::request(code)).await;
        assert_eq!(reply.code, response::SYSTEM_ERROR, "code {code}");
        let remark = reply.remark.unwrap_or_default();
        assert_eq!(
            remark,
            format!("the custom field <{field}> is null"),
            "code {code}"
        );
    }
}

#[tokio::test]
async fn junk_is_answered_and_never_breaks_a_handler() {
    let ns = with_topics(&["t"]).await;
    let names = [
        "topic",
        "cluster",
        "clusterName",
        "brokerName",
        "brokerAddr",
        "haServerAddr",
        "namespace",
        "key",
        "value",
    ];
    let bodies: [&[u8]; 6] = [
        b"",
        b"\0\xff\xfe",
        b"{\"topicConfigSerializeWrapper\":{\"topicConfigTable\":{\"x\":{\"perm\":-1,\"readQueueNums\":-9}}}}",
        b"[[[[[[[[",
        b"{\"counter\":99999999999999999999}",
        b"\\u12",
    ];
    for code in (100..=110).chain(200..=230).chain(300..=330) {
        for (body, number) in
            bodies
                .into_iter()
                .zip(["0", "-1", "", "x", "9223372036854775807", "\u{1F980}"])
        {
            for compressed in ["true", "false"] {
                let mut request = Command::request(code).with_body(body.to_vec());
                names
                    .iter()
                    .for_each(|name| request.fields.push(name, number));
                request.fields.push("brokerId", number);
                request.fields.push("compressed", compressed);
                let reply = ns.call(request).await;
                let remark = reply.remark.unwrap_or_default();
                assert!(
                    !remark.contains("internal error"),
                    "code {code}, body {body:?}: {remark}"
                );
            }
        }
    }
    assert!(ns.route("t").await.is_some());
}

#[tokio::test]
async fn bytes_that_are_no_command_close_their_own_connection_only() {
    let ns = with_topics(&["t"]).await;
    let addr: SocketAddr = ns.addr.parse().unwrap();
    let bystander = client();
    ns.call_on(&bystander, route_request("t")).await;
    let bad: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0x16, 3, 1, 2, 0, 1, 0, 1],
        &[0, 0, 0, 8, 0, 0, 0, 100, 0, 0, 0, 0],
        &[0, 0, 0, 6, 9, 0, 0, 2, b'{', b'}'],
    ];
    for bytes in bad {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(support::LIMIT, stream.read_to_end(&mut answer)).await;
        ended.expect("closed by the server").ok();
        assert!(answer.is_empty(), "{bytes:?}");
    }
    assert!(bystander.is_open(&ns.addr));
    assert_eq!(ns.call_on(&bystander, route_request("t")).await.code, 0);
}
