//! A broker that is stopped and started again, or cannot start.

mod support;

use broker::StartError;
use remoting::code::request;
use support::{Wire, ask, bodies, config, message, pull, pulling, send};

#[tokio::test]
async fn messages_topics_groups_and_offsets_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = broker::run(config(&folder)).await.expect("starts");
    let mut client = Wire::open(([127, 0, 0, 1], running.port()).into()).await;
    for body in ["one", "two"] {
        client.send(send(&message("T", ""), body.as_bytes())).await;
    }
    let commit = [
        ("consumerGroup", "G"),
        ("topic", "T"),
        ("queueId", "0"),
        ("commitOffset", "1"),
    ];
    assert_eq!(
        client
            .call(ask(request::UPDATE_CONSUMER_OFFSET, &commit))
            .await
            .code,
        0
    );
    running.stop().await;
    assert!(client.read().await.is_none(), "the connection is closed");

    let running = broker::run(config(&folder)).await.expect("starts again");
    let mut client = Wire::open(([127, 0, 0, 1], running.port()).into()).await;
    let offset = client
        .call(ask(request::QUERY_CONSUMER_OFFSET, &commit[..3]))
        .await;
    assert_eq!(offset.fields.get("offset").as_deref(), Some("1"));
    let reply = client.call(pulling(&pull("T", "G", 0))).await;
    assert_eq!(
        (reply.code, bodies(&reply)),
        (0, vec!["one".to_owned(), "two".to_owned()])
    );
    assert_eq!(
        client
            .send(send(&message("T", ""), b"three"))
            .await
            .queue_offset,
        2
    );
    running.stop().await;
}

#[tokio::test]
async fn a_store_in_use_and_a_port_in_use_end_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = broker::run(config(&folder)).await.expect("starts");
    let error = broker::run(config(&folder))
        .await
        .expect_err("the store is locked");
    assert!(matches!(error, StartError::Store(_)), "{error}");
    let other = tempfile::tempdir().expect("a folder");
    let mut same_port = config(&other);
    same_port.server.listen_port = running.port();
    let error = broker::run(same_port).await.expect_err("the port is taken");
    assert!(matches!(error, StartError::Listen { .. }), "{error}");
    running.stop().await;
}

#[tokio::test]
async fn the_vip_port_serves_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = loop {
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .expect("a port")
            .local_addr()
            .expect("its number")
            .port();
        let mut config = config(&folder);
        config.server.listen_port = free;
        match broker::run(config).await {
            Ok(running) => break running,
            Err(StartError::Listen { .. }) => continue, // the one two below is taken
            Err(error) => panic!("{error}"),
        }
    };
    let mut vip = Wire::open(([127, 0, 0, 1], running.port() - 2).into()).await;
    vip.send(send(&message("T", ""), b"vip")).await;
    running.stop().await;
}
