//! A consumer gives a message back (36): it could not work on it and wants it again later.
//!
//! The message is named by its place in the broker's log and comes from there; the request has no body.
//!
//! Java 4.7.0 `common/protocol/header/ConsumerSendMsgBackRequestHeader.java`.

header! {
    /// 36: which message comes again, to whom, and when.
    pub struct SendBackRequest {
        /// Place of the message in the log.
        pub offset: i64 = "offset",
        /// Consumer group.
        pub group: String = "group",
        /// Delay level, from 1. 0: the broker's choice, growing with every time. Below 0: to the dead letters at once.
        pub delay_level: i32 = "delayLevel",
        /// Id of the message, for traces.
        pub origin_msg_id: Option<String> = "originMsgId",
        /// Its topic, for traces.
        pub origin_topic: Option<String> = "originTopic",
        /// The group belongs to a unit.
        pub unit_mode: bool = "unitMode" or false,
        /// Times after which it goes to the dead letters; clients before V3_4_9 leave that to the group's setting.
        pub max_reconsume_times: Option<i32> = "maxReconsumeTimes",
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_header;
    use super::*;

    #[test]
    fn a_message_given_back_is_named_by_its_place() {
        let back = SendBackRequest {
            offset: 4242,
            group: "G".into(),
            delay_level: 3,
            origin_msg_id: Some("7F".into()),
            origin_topic: Some("T".into()),
            unit_mode: true,
            max_reconsume_times: Some(16),
        };
        let fields = [
            ("offset", "4242"),
            ("group", "G"),
            ("delayLevel", "3"),
            ("originMsgId", "7F"),
            ("originTopic", "T"),
            ("unitMode", "true"),
            ("maxReconsumeTimes", "16"),
        ];
        let optional = [
            "originMsgId",
            "originTopic",
            "unitMode",
            "maxReconsumeTimes",
        ];
        assert_header(&back, &fields, &optional);
    }
}
