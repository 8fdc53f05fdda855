//! Moving groups about and asking their clients: 220 to 223, 307, 309, 314.
//!
//! 307 and 309 travel twice with the same fields: to the broker, and from there to the client.
//!
//! Java 4.7.0 `common/protocol/header/{ResetOffset,GetConsumerStatus,GetConsumerRunningInfo,
//! ConsumeMessageDirectlyResult,CloneGroupOffset}RequestHeader.java`.

header! {
    /// 222, and 220 to clients: a group goes on at a time.
    pub struct ResetOffsetRequest {
        /// Topic.
        pub topic: String = "topic",
        /// Consumer group.
        pub group: String = "group",
        /// Store time, ms since 1970; −1 for the end.
        pub timestamp: i64 = "timestamp",
        /// Forwards too, not only back.
        pub is_force: bool = "isForce" or false,
        /// From 5.0: this queue only; −1 or missing for all.
        pub queue_id: Option<i32> = "queueId",
        /// From 5.0, with a queue: to this offset and not to a time.
        pub offset: Option<i64> = "offset",
    }
}

header! {
    /// 223, and 221 to clients: how far clients are in their queues, as they know it.
    pub struct GetConsumerStatusRequest {
        /// Topic.
        pub topic: String = "topic",
        /// Consumer group.
        pub group: String = "group",
        /// To the broker only: the id of the one client to ask; blank or missing for all.
        pub client_addr: Option<String> = "clientAddr",
    }
}

header! {
    /// 307: what a client can tell of itself.
    pub struct GetConsumerRunningInfoRequest {
        /// Consumer group.
        pub consumer_group: String = "consumerGroup",
        /// Client id.
        pub client_id: String = "clientId",
    }
}

header! {
    /// 309: a client is to consume one message, and say how that went.
    pub struct ConsumeMessageDirectlyRequest {
        /// Consumer group.
        pub consumer_group: String = "consumerGroup",
        /// Client id.
        pub client_id: Option<String> = "clientId",
        /// The id that says where the message lies.
        pub msg_id: Option<String> = "msgId",
    }
}

header! {
    /// 314: a group takes over the offsets of another.
    pub struct CloneGroupOffsetRequest {
        /// Whose offsets.
        pub src_group: String = "srcGroup",
        /// Who takes them.
        pub dest_group: String = "destGroup",
        /// This topic only; blank or missing for all that the group has offsets in.
        pub topic: Option<String> = "topic",
        /// Also topics that the group has offsets in and no longer subscribes to.
        pub offline: bool = "offline" or false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_header;
    use super::*;

    #[test]
    fn groups_are_moved() {
        let reset = ResetOffsetRequest {
            topic: "T".into(),
            group: "G".into(),
            timestamp: -1,
            is_force: true,
            queue_id: Some(3),
            offset: Some(7),
        };
        let fields = [
            ("topic", "T"),
            ("group", "G"),
            ("timestamp", "-1"),
            ("isForce", "true"),
            ("queueId", "3"),
            ("offset", "7"),
        ];
        assert_header(&reset, &fields, &["isForce", "queueId", "offset"]);
        let clone = CloneGroupOffsetRequest {
            src_group: "G".into(),
            dest_group: "H".into(),
            topic: Some("T".into()),
            offline: true,
        };
        let fields = [
            ("srcGroup", "G"),
            ("destGroup", "H"),
            ("topic", "T"),
            ("offline", "true"),
        ];
        assert_header(&clone, &fields, &["topic", "offline"]);
    }

    #[test]
    fn clients_are_asked() {
        let status = GetConsumerStatusRequest {
            topic: "T".into(),
            group: "G".into(),
            client_addr: Some("c".into()),
        };
        assert_header(
            &status,
            &[("topic", "T"), ("group", "G"), ("clientAddr", "c")],
            &["clientAddr"],
        );
        let info = GetConsumerRunningInfoRequest {
            consumer_group: "G".into(),
            client_id: "c".into(),
        };
        let client = [("consumerGroup", "G"), ("clientId", "c")];
        assert_header(&info, &client, &[]);
        let directly = ConsumeMessageDirectlyRequest {
            consumer_group: "G".into(),
            client_id: Some("c".into()),
            msg_id: Some("7F".into()),
        };
        let [group, id] = client;
        assert_header(
            &directly,
            &[group, id, ("msgId", "7F")],
            &["clientId", "msgId"],
        );
    }
}
