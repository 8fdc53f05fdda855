//! Replies to request messages: the push to the client that asked (326).
//!
//! A reply comes as a send of codes 324 and 325, with the headers of 10 and 310 (`send`).
//!
//! Java 4.7.0 `common/protocol/header/ReplyMessageRequestHeader.java`.

use std::borrow::Cow;

header! {
    /// 326, to the client that sent the request: the reply's header as it came, and where it comes from. Its body is the
    /// body.
    pub struct PushReplyRequest<'a> {
        /// Group of the replying producer.
        pub producer_group: Cow<'a, str> = "producerGroup",
        /// `<cluster>_REPLY_TOPIC`.
        pub topic: Cow<'a, str> = "topic",
        /// As in the send.
        pub default_topic: Cow<'a, str> = "defaultTopic",
        /// As in the send.
        pub default_topic_queue_nums: i32 = "defaultTopicQueueNums",
        /// As in the send.
        pub queue_id: i32 = "queueId",
        /// Bit 1: the body is compressed.
        pub sys_flag: i32 = "sysFlag",
        /// Clock of the replying client, ms since 1970.
        pub born_timestamp: i64 = "bornTimestamp",
        /// The user's own number.
        pub flag: i32 = "flag",
        /// Properties of the reply; `CORRELATION_ID` names the request.
        pub properties: Option<Cow<'a, str>> = "properties",
        /// As in the send.
        pub reconsume_times: Option<i32> = "reconsumeTimes",
        /// As in the send.
        pub unit_mode: bool = "unitMode" or false,
        /// The replying client as Java prints socket addresses: `/ip:port`.
        pub born_host: Cow<'a, str> = "bornHost",
        /// The broker, in the same form.
        pub store_host: Cow<'a, str> = "storeHost",
        /// When the reply came to the broker, ms since 1970.
        pub store_timestamp: i64 = "storeTimestamp",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ext_fields::ExtFields;
    use crate::header::Header;

    #[test]
    fn a_push_carries_the_header_of_the_reply_and_both_hosts() {
        let push = PushReplyRequest {
            producer_group: "P".into(),
            topic: "c_REPLY_TOPIC".into(),
            default_topic: "TBW102".into(),
            default_topic_queue_nums: 4,
            queue_id: 1,
            sys_flag: 1,
            born_timestamp: 123,
            flag: 9,
            properties: Some("CORRELATION_ID\u{1}1\u{2}".into()),
            reconsume_times: Some(0),
            unit_mode: true,
            born_host: "/10.0.0.2:4000".into(),
            store_host: "/10.0.0.1:10911".into(),
            store_timestamp: 124,
        };
        let java: ExtFields = [
            ("producerGroup", "P"),
            ("topic", "c_REPLY_TOPIC"),
            ("defaultTopic", "TBW102"),
            ("defaultTopicQueueNums", "4"),
            ("queueId", "1"),
            ("sysFlag", "1"),
            ("bornTimestamp", "123"),
            ("flag", "9"),
            ("properties", "CORRELATION_ID\u{1}1\u{2}"),
            ("reconsumeTimes", "0"),
            ("unitMode", "true"),
            ("bornHost", "/10.0.0.2:4000"),
            ("storeHost", "/10.0.0.1:10911"),
            ("storeTimestamp", "124"),
        ]
        .into_iter()
        .collect();
        let mut written = ExtFields::default();
        push.write(&mut written);
        assert_eq!(written, java);
        assert_eq!(PushReplyRequest::read(&java), Ok(push));
    }
}
