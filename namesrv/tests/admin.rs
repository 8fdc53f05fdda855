//! Stored keys and the server's own configuration, as mqadmin sees them, and what is left of them after a restart.

mod support;

use remoting::body::topics::KVTable;
use remoting::code::{request, response};
use remoting::header::kv::{
    DeleteKVConfigRequest, GetKVConfigReply, GetKVConfigRequest, GetKVListByNamespaceRequest,
    PutKVConfigRequest,
};
use remoting::java::config_file;
use remoting::{Client, Command};
use support::{NameServer, broker, read, start, start_with};

async fn put(ns: &NameServer, namespace: &str, key: &str, value: &str) {
    let header = PutKVConfigRequest {
        namespace: namespace.to_owned(),
        key: key.to_owned(),
        value: value.to_owned(),
    };
    assert_eq!(
        ns.call(Command::request_with(request::PUT_KV_CONFIG, &header))
            .await
            .code,
        0
    );
}

async fn get(ns: &NameServer, namespace: &str, key: &str) -> Command {
    let header = GetKVConfigRequest {
        namespace: namespace.to_owned(),
        key: key.to_owned(),
    };
    ns.call(Command::request_with(request::GET_KV_CONFIG, &header))
        .await
}

async fn update(ns: &NameServer, text: &str) -> Command {
    let request = Command::request(request::UPDATE_NAMESRV_CONFIG);
    ns.call(request.with_body(text.as_bytes().to_vec())).await
}

async fn listed(ns: &NameServer, key: &str) -> Option<String> {
    let reply = ns.call(Command::request(request::GET_NAMESRV_CONFIG)).await;
    let pairs = config_file::read(&reply.body.into_bytes()).expect("properties");
    pairs
        .into_iter()
        .find(|(name, _)| name == key)
        .map(|(_, value)| value)
}

/// Stops it, lets go of its connections, and starts another on its folder.
async fn restart(ns: NameServer) -> NameServer {
    let NameServer {
        running,
        folder,
        client,
        ..
    } = ns;
    drop::<Client>(client);
    running.stop().await;
    start_with(folder, "").await
}

#[tokio::test]
async fn keys_are_put_got_listed_deleted_and_outlive_the_server() {
    let ns = start().await;
    let reply = get(&ns, "ns", "k").await;
    assert_eq!(reply.code, response::QUERY_NOT_FOUND);
    assert_eq!(
        reply.remark.as_deref(),
        Some("No config item, Namespace: ns Key: k")
    );
    put(&ns, "ns", "k", "v").await;
    put(&ns, "ns", "k2", "v2").await;
    let header = DeleteKVConfigRequest {
        namespace: "ns".to_owned(),
        key: "k2".to_owned(),
    };
    let reply = ns
        .call(Command::request_with(request::DELETE_KV_CONFIG, &header))
        .await;
    assert_eq!(reply.code, 0);

    let ns = restart(ns).await;
    let reply = get(&ns, "ns", "k").await;
    assert_eq!(
        reply.header::<GetKVConfigReply>().unwrap().value.as_deref(),
        Some("v")
    );
    assert_eq!(get(&ns, "ns", "k2").await.code, response::QUERY_NOT_FOUND);
    let list = async |namespace: &str| {
        let header = GetKVListByNamespaceRequest {
            namespace: namespace.to_owned(),
        };
        ns.call(Command::request_with(
            request::GET_KVLIST_BY_NAMESPACE,
            &header,
        ))
        .await
    };
    let table = read::<KVTable>(list("ns").await).table;
    assert_eq!(Vec::from_iter(table), [("k".to_owned(), "v".to_owned())]);
    let reply = list("other").await;
    assert_eq!(reply.code, response::QUERY_NOT_FOUND);
    assert_eq!(
        reply.remark.as_deref(),
        Some("No config item, Namespace: other")
    );
}

#[tokio::test]
async fn a_key_that_cannot_be_saved_is_not_answered_with_success() {
    let ns = start().await;
    std::fs::create_dir(ns.folder.path().join("kvConfig.json.tmp")).unwrap();
    let header = PutKVConfigRequest {
        namespace: "ns".to_owned(),
        key: "k".to_owned(),
        value: "v".to_owned(),
    };
    let reply = ns
        .call(Command::request_with(request::PUT_KV_CONFIG, &header))
        .await;
    assert_eq!(reply.code, response::SYSTEM_ERROR);
}

#[tokio::test]
async fn order_configuration_is_in_the_route_when_it_is_switched_on() {
    let ns = start().await;
    ns.call(broker("a", 0, "10.0.0.1:10911", &["t"]).register())
        .await;
    put(&ns, "ORDER_TOPIC_CONFIG", "t", "a:8").await;
    let order = async || ns.route("t").await.expect("registered").order_topic_conf;
    assert_eq!(order().await, None);
    assert_eq!(update(&ns, "orderMessageEnable=true").await.code, 0);
    assert_eq!(order().await.as_deref(), Some("a:8"));
    put(&ns, "ORDER_TOPIC_CONFIG", "t", "a:4").await;
    assert_eq!(order().await.as_deref(), Some("a:4"));
    assert_eq!(update(&ns, "orderMessageEnable=false").await.code, 0);
    assert_eq!(order().await, None);
}

#[tokio::test]
async fn a_change_of_configuration_is_listed_and_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let ns = start_with(folder, "unknownKey=kept\n").await;
    assert_eq!(
        listed(&ns, "serverWorkerThreads").await.as_deref(),
        Some("8")
    );
    assert_eq!(listed(&ns, "unknownKey").await.as_deref(), Some("kept"));
    let reply = update(
        &ns,
        "serverWorkerThreads=4\nproductEnvName=x y\nnobodyKnows=1\n",
    )
    .await;
    assert_eq!(reply.code, 0);
    assert_eq!(
        listed(&ns, "serverWorkerThreads").await.as_deref(),
        Some("4")
    );
    assert_eq!(listed(&ns, "nobodyKnows").await, None);
    let file = std::fs::read(ns.folder.path().join("namesrv.properties")).unwrap();
    let pairs = config_file::read(&file).unwrap();
    let find = |key: &str| {
        pairs
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(find("serverWorkerThreads"), Some("4"));
    assert_eq!(find("productEnvName"), Some("x y"));
    assert_eq!(find("unknownKey"), Some("kept"));
    assert!(find("kvConfigPath").is_some());
    assert_eq!(find("nobodyKnows"), None);
}

/// CVE-2023-37582.
#[tokio::test]
async fn paths_and_ports_cannot_be_changed_by_a_request() {
    let ns = start().await;
    let file = ns.folder.path().join("namesrv.properties");
    let before = std::fs::read(&file).unwrap();
    let target = ns.folder.path().join("evil");
    for key in [
        "configStorePath",
        "kvConfigPath",
        "rocketmqHome",
        "configBlackList",
        "listenPort",
    ] {
        let text = format!("orderMessageEnable=true\n{key}={}\n", target.display());
        let reply = update(&ns, &text).await;
        assert_eq!(reply.code, response::NO_PERMISSION, "{key}");
        assert_eq!(
            reply.remark.as_deref(),
            Some("Can not update config in black list.")
        );
    }
    assert_eq!(
        listed(&ns, "orderMessageEnable").await.as_deref(),
        Some("false")
    );
    assert_eq!(std::fs::read(&file).unwrap(), before);
    assert!(!target.exists());
}

#[tokio::test]
async fn text_that_is_no_configuration_is_refused_and_none_at_all_is_fine() {
    let ns = start().await;
    let reply = update(&ns, "productEnvName=C:\\users\n").await;
    assert_eq!(reply.code, response::SYSTEM_ERROR);
    assert_eq!(reply.remark.as_deref(), Some("string2Properties error"));
    assert_eq!(update(&ns, "").await.code, 0);
}
