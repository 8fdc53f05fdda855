//! The requests, by family.

mod admin;
pub(crate) use clients::live_member;

mod clients;
pub(crate) mod cut;
pub(crate) mod namesrv;
mod pulls;
mod sends;

use remoting::code::request;

use crate::case::Case;
use crate::server::Server;

/// A topic of four queues with ten messages in queue 0.
pub(crate) const TOPIC: &str = "A";
/// A topic of four queues that the sends go to.
pub(crate) const SENT: &str = "Sent";
/// A topic of one queue that nobody may read.
pub(crate) const UNREADABLE: &str = "Unreadable";
/// The group whose one client, on a connection of its own, subscribes to `A` with version 5.
pub(crate) const LIVE: &str = "G_live";
/// A group that may not consume.
pub(crate) const OFF: &str = "G_off";
const QUEUES: u32 = 4;
const MESSAGES: usize = 10;

/// Those of the first round.
pub(crate) fn all() -> Vec<Case> {
    let families = [
        sends::cases(),
        pulls::cases(),
        pulls::offsets(),
        clients::cases(),
        admin::cases(),
    ];
    families.into_iter().flatten().collect()
}

/// Those of the second round, where nothing is made by itself.
pub(crate) fn strict() -> Vec<Case> {
    [sends::strict(), pulls::strict()]
        .into_iter()
        .flatten()
        .collect()
}

/// Whether success of a case is a message more in `Sent`.
pub(crate) fn stores(case: &Case) -> bool {
    let to_topic =
        |(name, value): &(String, String)| matches!(&**name, "b" | "topic") && value == SENT;
    let sends = [
        request::SEND_MESSAGE,
        request::SEND_MESSAGE_V2,
        request::SEND_BATCH_MESSAGE,
    ];
    sends.contains(&case.code) && case.fields.iter().any(to_topic) && !sends::is_elsewhere(case)
}

/// Messages in a topic.
fn messages(server: &mut Server, topic: &str) -> i64 {
    (0..QUEUES)
        .map(|queue| server.max_offset(topic, queue))
        .sum()
}

/// Waits until a topic has so many messages; how many it has where that does not come true.
pub(crate) fn await_messages(server: &mut Server, topic: &str, expected: i64) -> i64 {
    let mut now = 0;
    for _ in 0..1_000 {
        now = messages(server, topic);
        if now >= expected {
            return now;
        }
        std::thread::sleep(std::time::Duration::from_millis(5)); // between two looks
    }
    now
}

/// Makes the topics, groups, messages and clients that the cases are about.
pub(crate) fn prepare(server: &mut Server) {
    for (topic, queues, perm) in [
        (TOPIC, "4", "6"),
        (SENT, "4", "6"),
        (UNREADABLE, "1", "2"),
        ("Deleted", "1", "6"),
    ] {
        server.sure(&admin::topic(topic, queues, perm));
        // Java answers before it has made the topic.
        let fields = [("topic", topic)];
        server.settled(
            &Case::new("made", request::GET_TOPIC_STATS_INFO, &fields),
            |_| true,
        );
    }
    for (group, enabled, broadcast) in [(OFF, false, true), (LIVE, true, false), ("G", true, true)]
    {
        server.sure(&admin::group(group, enabled, broadcast));
    }
    for i in 0..MESSAGES {
        let to_topic = sends::plain("prepare").with("topic", "b", TOPIC);
        let mut case = to_topic.with(
            "key",
            "i",
            &format!("KEYS\u{1}k{i}\u{2}TAGS\u{1}T{}", i % 2),
        );
        case.body = format!("body {i}").into_bytes();
        let reply = server.sure(&case);
        if i == 0 {
            server.learn_place(&reply);
        }
    }
    assert_eq!(
        await_messages(server, TOPIC, MESSAGES as i64),
        MESSAGES as i64
    );
    server.sure(&clients::live_member());
}
