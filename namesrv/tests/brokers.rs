//! Brokers come, change, stay and go, over real connections.

mod support;

use remoting::body::DataVersion;
use remoting::body::topics::KVTable;
use remoting::code::{request, response};
use remoting::header::admin::{
    AddWritePermOfBrokerReply, AddWritePermOfBrokerRequest, WipeWritePermOfBrokerReply,
    WipeWritePermOfBrokerRequest,
};
use remoting::header::kv::PutKVConfigRequest;
use remoting::header::route::{
    QueryDataVersionReply, QueryDataVersionRequest, RegisterBrokerReply,
};
use remoting::java::json;
use remoting::{Command, HeaderForm};
use support::{broker, client, read, route_request, start};

#[tokio::test]
async fn a_broker_registers_is_found_and_says_goodbye() {
    let ns = start().await;
    let a = broker("a", 0, "10.0.0.1:10911", &["t"]);
    let reply = ns.call(a.register()).await;
    assert_eq!((reply.code, reply.remark), (0, None));
    assert!(
        reply.fields.is_empty() && reply.body.is_empty(),
        "a master is told nothing"
    );

    let route = ns.route("t").await.expect("registered");
    assert_eq!(route.queue_datas.len(), 1);
    let queues = &route.queue_datas[0];
    assert_eq!(
        (queues.read_queue_nums, queues.write_queue_nums, queues.perm),
        (8, 4, 6)
    );
    assert_eq!(route.broker_datas[0].broker_addrs[&0], "10.0.0.1:10911");
    let clusters = ns.clusters().await;
    assert!(clusters.cluster_addr_table["c"].contains("a"));
    assert_eq!(clusters.broker_addr_table["a"].cluster, "c");

    assert_eq!(ns.call(a.unregister()).await.code, 0);
    assert_eq!(ns.route("t").await, None);
    let clusters = ns.clusters().await;
    assert!(clusters.cluster_addr_table.is_empty() && clusters.broker_addr_table.is_empty());
    ns.running.stop().await;
}

#[tokio::test]
async fn several_brokers_share_a_topic_and_go_one_by_one() {
    let ns = start().await;
    let brokers = [
        broker("a", 0, "10.0.0.1:10911", &["t"]),
        broker("b", 0, "10.0.0.2:10911", &["t", "only_b"]),
        broker("b", 1, "10.0.0.3:10911", &["t", "only_b"]),
    ];
    for broker in &brokers {
        assert_eq!(ns.call(broker.register()).await.code, 0);
    }
    let route = ns.route("t").await.expect("registered");
    assert_eq!((route.queue_datas.len(), route.broker_datas.len()), (2, 2));
    ns.call(brokers[0].unregister()).await;
    let route = ns.route("t").await.expect("b has it");
    assert_eq!(route.broker_datas[0].broker_addrs.len(), 2);
    ns.call(brokers[1].unregister()).await;
    assert!(ns.route("only_b").await.is_some(), "the slave serves it");
    ns.call(brokers[2].unregister()).await;
    assert_eq!(ns.route("only_b").await, None);
}

#[tokio::test]
async fn a_slave_learns_its_master_and_the_order_configuration() {
    let ns = start().await;
    let put = PutKVConfigRequest {
        namespace: "ORDER_TOPIC_CONFIG".to_owned(),
        key: "t".to_owned(),
        value: "a:4".to_owned(),
    };
    assert_eq!(
        ns.call(Command::request_with(request::PUT_KV_CONFIG, &put))
            .await
            .code,
        0
    );
    let slave = broker("a", 1, "10.0.0.2:10911", &["t"]);
    let told = |reply: &Command| reply.header::<RegisterBrokerReply>().unwrap();
    let alone = ns.call(slave.register()).await;
    assert_eq!(told(&alone), RegisterBrokerReply::default());
    ns.call(broker("a", 0, "10.0.0.1:10911", &["t"]).register())
        .await;
    let reply = ns.call(slave.register()).await;
    let expected = RegisterBrokerReply {
        ha_server_addr: Some("10.0.0.1:109112".to_owned()),
        master_addr: Some("10.0.0.1:10911".to_owned()),
    };
    assert_eq!(told(&reply), expected);
    assert_eq!(read::<KVTable>(reply).table["t"], "a:4");
}

#[tokio::test]
async fn a_broker_goes_when_its_connection_closes_and_clients_do_not_take_it_along() {
    let ns = start().await;
    let (broker_side, other) = (client(), client());
    ns.call_on(
        &broker_side,
        broker("a", 0, "10.0.0.1:10911", &["t"]).register(),
    )
    .await;
    ns.call_on(&other, route_request("t")).await;
    other.close(&ns.addr).await;
    assert!(ns.route("t").await.is_some());
    broker_side.close(&ns.addr).await;
    ns.gone("t").await;
    assert!(ns.clusters().await.broker_addr_table.is_empty());
}

#[tokio::test]
async fn the_end_of_an_old_connection_does_not_take_a_broker_that_came_back_on_a_new_one() {
    let ns = start().await;
    let (old, new) = (client(), client());
    let a = broker("a", 0, "10.0.0.1:10911", &["t"]);
    ns.call_on(&old, a.register()).await;
    ns.call_on(
        &old,
        broker("b", 0, "10.0.0.2:10911", &["witness"]).register(),
    )
    .await;
    ns.call_on(&new, a.register()).await;
    old.close(&ns.addr).await;
    ns.gone("witness").await;
    assert!(ns.route("t").await.is_some());
}

#[tokio::test]
async fn a_changed_version_brings_new_topics_and_permissions_and_the_same_one_nothing() {
    let ns = start().await;
    let mut a = broker("a", 0, "10.0.0.1:10911", &["t"]);
    ns.call(a.register()).await;
    let header = WipeWritePermOfBrokerRequest {
        broker_name: "a".to_owned(),
    };
    let reply = ns
        .call(Command::request_with(
            request::WIPE_WRITE_PERM_OF_BROKER,
            &header,
        ))
        .await;
    assert_eq!(
        reply
            .header::<WipeWritePermOfBrokerReply>()
            .unwrap()
            .wipe_topic_count,
        1
    );
    let perm = async || ns.route("t").await.expect("registered").queue_datas[0].perm;
    assert_eq!(perm().await, 4);
    ns.call(a.register()).await;
    assert_eq!(perm().await, 4, "the same version says nothing new");
    let header = AddWritePermOfBrokerRequest {
        broker_name: "a".to_owned(),
    };
    let reply = ns
        .call(Command::request_with(
            request::ADD_WRITE_PERM_OF_BROKER,
            &header,
        ))
        .await;
    assert_eq!(
        reply
            .header::<AddWritePermOfBrokerReply>()
            .unwrap()
            .add_topic_count,
        1
    );
    assert_eq!(perm().await, 6);
    a.counter = 2;
    a.topics[0].perm = 2;
    ns.call(a.register()).await;
    assert_eq!(perm().await, 2);
}

#[tokio::test]
async fn a_version_query_says_what_is_known_and_counts_as_a_sign_of_life() {
    let ns = start().await;
    let (old, new) = (client(), client());
    let a = broker("a", 0, "10.0.0.1:10911", &["t"]);
    let query = |version: &DataVersion| {
        let header = QueryDataVersionRequest {
            broker_name: a.name.to_owned(),
            broker_addr: a.addr.to_owned(),
            cluster_name: a.cluster.to_owned(),
            broker_id: a.id,
        };
        let request = Command::request_with(request::QUERY_DATA_VERSION, &header);
        request.with_body(json::write(version))
    };
    let changed = |reply: &Command| reply.header::<QueryDataVersionReply>().unwrap().changed;
    let reply = ns.call(query(&a.version())).await;
    assert!(
        changed(&reply) && reply.body.is_empty(),
        "the broker is unknown"
    );
    ns.call_on(&old, a.register()).await;
    ns.call_on(
        &old,
        broker("b", 0, "10.0.0.2:10911", &["witness"]).register(),
    )
    .await;
    let other = DataVersion {
        counter: 9,
        ..a.version()
    };
    let reply = ns.call(query(&other)).await;
    assert!(changed(&reply));
    assert_eq!(read::<DataVersion>(reply), a.version());
    let reply = ns.call_on(&new, query(&a.version())).await;
    assert!(!changed(&reply));
    old.close(&ns.addr).await;
    ns.gone("witness").await;
    assert!(
        ns.route("t").await.is_some(),
        "it was heard of on the new connection"
    );
}

#[tokio::test]
async fn bodies_come_compressed_checked_old_or_not_at_all() {
    let ns = start().await;
    let a = broker("a", 0, "10.0.0.1:10911", &["t"]);
    let body = a.body().encode(true);
    let mut header = a.header();
    header.compressed = true;
    header.body_crc32 = (crc32fast::hash(&body) & 0x7fff_ffff) as i32;
    let request = Command::request_with(request::REGISTER_BROKER, &header);
    assert_eq!(ns.call(request.with_body(body.clone())).await.code, 0);
    assert!(ns.route("t").await.is_some());

    header.body_crc32 ^= 1;
    let request = Command::request_with(request::REGISTER_BROKER, &header);
    let reply = ns.call(request.with_body(body.clone())).await;
    assert_eq!(reply.code, response::SYSTEM_ERROR);
    assert_eq!(reply.remark.as_deref(), Some("crc32 not match"));

    header.body_crc32 = 0;
    for cut in [0, 1, 10, body.len() / 2] {
        let request = Command::request_with(request::REGISTER_BROKER, &header);
        let reply = ns.call(request.with_body(body[..cut].to_vec())).await;
        assert_eq!(reply.code == 0, cut == 0, "a body cut at byte {cut}");
    }

    let old = broker("old", 0, "10.0.0.9:10911", &["of_old"]);
    let mut request = Command::request_with(request::REGISTER_BROKER, &old.header());
    request.version = 36;
    let body = json::write(&old.body().topic_config_serialize_wrapper);
    assert_eq!(ns.call(request.with_body(body)).await.code, 0);
    assert!(ns.route("of_old").await.is_some());
}

#[tokio::test]
async fn a_registration_may_be_oneway_and_in_either_header_form() {
    let ns = start().await;
    let mut register = broker("a", 0, "10.0.0.1:10911", &["t"]).register();
    register.form = HeaderForm::Binary;
    ns.client.push(&ns.addr, register).await.unwrap();
    let mut request = route_request("t"); // behind it on the same connection
    request.form = HeaderForm::Binary;
    let reply = ns.call(request).await;
    assert_eq!((reply.code, reply.form), (0, HeaderForm::Binary));
    let reply = ns.call(route_request("t")).await;
    assert_eq!((reply.code, reply.form), (0, HeaderForm::Json));
}

#[tokio::test]
async fn names_out_of_bounds_are_refused_and_such_topics_left_out() {
    let ns = start().await;
    let long: &'static str = Box::leak("x".repeat(2000).into_boxed_str());
    assert_eq!(
        ns.call(broker("a", 0, long, &["t"]).register()).await.code,
        1
    );
    assert_eq!(
        ns.call(broker("", 0, "10.0.0.1:10911", &["t"]).register())
            .await
            .code,
        1
    );
    assert!(ns.clusters().await.broker_addr_table.is_empty());
    let a = broker("a", 0, "10.0.0.1:10911", &["t", long, "a\nb", "../../x"]);
    assert_eq!(ns.call(a.register()).await.code, 0);
    let topics = ns.topics(request::GET_ALL_TOPIC_LIST_FROM_NAMESERVER).await;
    assert_eq!(
        topics,
        ["../../x", "t"],
        "a name is a key here and never a path"
    );
}
