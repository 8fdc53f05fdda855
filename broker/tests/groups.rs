//! Groups deleted by administrators (207).

mod support;

use remoting::Command;
use remoting::code::request;
use support::{Fixture, Wire, ask, heartbeat, message, send, subscription};

async fn done(wire: &mut Wire, request: Command) {
    let reply = wire.call(request).await;
    assert_eq!(reply.code, 0, "{:?}", reply.remark);
}

#[tokio::test]
async fn a_group_is_deleted_with_its_offsets_unless_it_consumes_or_is_the_brokers() {
    let fixture = Fixture::new().await;
    let mut tool = fixture.client().await;
    let mut member = fixture.client().await;
    done(&mut member, send(&message("T", ""), b"x")).await;
    let joins = heartbeat("c", "Live", vec![subscription("T", &[], 1)]);
    done(&mut member, joins).await;
    let offset = async |tool: &mut Wire, group: &str| {
        let fields = [("consumerGroup", group), ("topic", "T"), ("queueId", "1")];
        tool.call(ask(request::QUERY_CONSUMER_OFFSET, &fields))
            .await
            .fields
            .get("offset")
            .map(|offset| offset.into_owned())
    };
    let (system, kept) = ("CID_RMQ_SYS_TRANS", Some("7".to_owned()));
    for group in ["Live", "Gone", "Kept", system] {
        let commit = [
            ("consumerGroup", group),
            ("topic", "T"),
            ("queueId", "1"),
            ("commitOffset", "7"),
        ];
        done(&mut tool, ask(request::UPDATE_CONSUMER_OFFSET, &commit)).await;
    }
    let delete = |group, clean: Option<&'static str>| {
        let clean = clean.map(|clean| ("cleanOffset", clean));
        let fields: Vec<_> = [("groupName", group)].into_iter().chain(clean).collect();
        ask(request::DELETE_SUBSCRIPTIONGROUP, &fields)
    };
    for (group, clean, code) in [
        ("Live", Some("true"), 0),
        ("Gone", None, 0),
        ("Kept", Some("false"), 0),
        ("Unknown", None, 0),
        (system, Some("true"), 1),
        ("TOOLS_CONSUMER", None, 1),
    ] {
        let reply = tool.call(delete(group, clean)).await;
        assert_eq!(reply.code, code, "{group}: {:?}", reply.remark);
    }
    let groups = tool
        .call(Command::request(request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG))
        .await;
    let groups = String::from_utf8_lossy(&groups.body.into_bytes()).into_owned();
    assert!(!groups.contains("Live") && groups.contains("TOOLS_CONSUMER"));
    assert_eq!(offset(&mut tool, "Live").await, kept);
    assert_eq!(offset(&mut tool, "Kept").await, kept);
    assert_eq!(offset(&mut tool, system).await, kept);
    assert_ne!(offset(&mut tool, "Gone").await, kept);
}
