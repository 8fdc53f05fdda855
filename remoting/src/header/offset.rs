//! Offsets of queues: stored ones (14, 15), and where a queue begins, ends or was at a time (29–32).
//!
//! Java 4.7.0 `common/protocol/header/{Query,Update}ConsumerOffsetRequestHeader.java`,
//! `SearchOffsetRequestHeader.java`, `GetMaxOffset…`, `GetMinOffset…`, `GetEarliestMsgStoretime…`.

header! {
    /// 14: the stored offset of a group on a queue. Answered with [`OffsetReply`] or code 22.
    pub struct QueryConsumerOffsetRequest {
        /// Consumer group.
        pub consumer_group: String = "consumerGroup",
        /// Topic.
        pub topic: String = "topic",
        /// Queue.
        pub queue_id: i32 = "queueId",
    }
}

header! {
    /// 15: store a group's offset on a queue.
    pub struct UpdateConsumerOffsetRequest {
        /// Consumer group.
        pub consumer_group: String = "consumerGroup",
        /// Topic.
        pub topic: String = "topic",
        /// Queue.
        pub queue_id: i32 = "queueId",
        /// The next message to consume.
        pub commit_offset: i64 = "commitOffset",
    }
}

header! {
    /// 29: the offset of the first message stored at a time or later.
    pub struct SearchOffsetRequest {
        /// Topic.
        pub topic: String = "topic",
        /// Queue.
        pub queue_id: i32 = "queueId",
        /// Store time, ms since 1970.
        pub timestamp: i64 = "timestamp",
    }
}

header! {
    /// 30: the offset behind the last message of a queue.
    pub struct GetMaxOffsetRequest {
        /// Topic.
        pub topic: String = "topic",
        /// Queue.
        pub queue_id: i32 = "queueId",
    }
}

header! {
    /// 31: the first offset that a queue still has.
    pub struct GetMinOffsetRequest {
        /// Topic.
        pub topic: String = "topic",
        /// Queue.
        pub queue_id: i32 = "queueId",
    }
}

header! {
    /// 32: when the oldest message of a queue was stored.
    pub struct GetEarliestMsgStoretimeRequest {
        /// Topic.
        pub topic: String = "topic",
        /// Queue.
        pub queue_id: i32 = "queueId",
    }
}

header! {
    /// The answer to 14, 29, 30 and 31.
    pub struct OffsetReply {
        /// The offset, in messages.
        pub offset: i64 = "offset",
    }
}

header! {
    /// The answer to 32.
    pub struct GetEarliestMsgStoretimeReply {
        /// Store time, ms since 1970; −1 for an empty queue.
        pub timestamp: i64 = "timestamp",
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_header;
    use super::*;

    #[test]
    fn stored_offsets_are_asked_for_and_set() {
        let query = QueryConsumerOffsetRequest {
            consumer_group: "G".into(),
            topic: "T".into(),
            queue_id: 3,
        };
        assert_header(
            &query,
            &[("consumerGroup", "G"), ("topic", "T"), ("queueId", "3")],
            &[],
        );
        let update = UpdateConsumerOffsetRequest {
            consumer_group: "G".into(),
            topic: "T".into(),
            queue_id: 3,
            commit_offset: i64::MAX,
        };
        let fields = [
            ("consumerGroup", "G"),
            ("topic", "T"),
            ("queueId", "3"),
            ("commitOffset", "9223372036854775807"),
        ];
        assert_header(&update, &fields, &[]);
    }

    #[test]
    fn a_queues_ends_and_times_are_asked_for() {
        let (topic, queue_id) = (String::from("T"), 3);
        let queue = [("topic", "T"), ("queueId", "3")];
        assert_header(
            &GetMaxOffsetRequest {
                topic: topic.clone(),
                queue_id,
            },
            &queue,
            &[],
        );
        assert_header(
            &GetMinOffsetRequest {
                topic: topic.clone(),
                queue_id,
            },
            &queue,
            &[],
        );
        assert_header(
            &GetEarliestMsgStoretimeRequest {
                topic: topic.clone(),
                queue_id,
            },
            &queue,
            &[],
        );
        let [topic_field, queue_field] = queue;
        let search = SearchOffsetRequest {
            topic,
            queue_id,
            timestamp: -1,
        };
        assert_header(
            &search,
            &[topic_field, queue_field, ("timestamp", "-1")],
            &[],
        );
    }

    #[test]
    fn replies_have_one_number() {
        assert_header(&OffsetReply { offset: 7 }, &[("offset", "7")], &[]);
        assert_header(
            &GetEarliestMsgStoretimeReply { timestamp: -1 },
            &[("timestamp", "-1")],
            &[],
        );
    }
}
