//! What consoles ask of topics and groups: 202, 203, 204, 208, 300, 303. All are answered in the body.
//!
//! Java 4.7.0 `common/protocol/header/{GetTopicStatsInfo,GetConsumerConnectionList,GetProducerConnectionList,
//! GetConsumeStats,QueryTopicConsumeByWho,QueryConsumeTimeSpan}RequestHeader.java`.

header! {
    /// 202: where the queues of a topic begin and end.
    pub struct GetTopicStatsInfoRequest {
        /// Topic.
        pub topic: String = "topic",
    }
}

header! {
    /// 203: who is in a consumer group.
    pub struct GetConsumerConnectionListRequest {
        /// Consumer group.
        pub consumer_group: String = "consumerGroup",
    }
}

header! {
    /// 204: who is in a producer group.
    pub struct GetProducerConnectionListRequest {
        /// Producer group.
        pub producer_group: String = "producerGroup",
    }
}

header! {
    /// 208: how far a group is.
    pub struct GetConsumeStatsRequest {
        /// Consumer group.
        pub consumer_group: String = "consumerGroup",
        /// This topic only; blank or missing for all that the group has offsets in.
        pub topic: Option<String> = "topic",
    }
}

header! {
    /// 300: which groups consume a topic.
    pub struct QueryTopicConsumeByWhoRequest {
        /// Topic.
        pub topic: String = "topic",
    }
}

header! {
    /// 303: how far a group is in a topic, in time.
    pub struct QueryConsumeTimeSpanRequest {
        /// Topic.
        pub topic: String = "topic",
        /// Consumer group.
        pub group: String = "group",
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_header;
    use super::*;

    #[test]
    fn topics_and_groups_are_asked_for_by_name() {
        let topic = || String::from("T");
        let fields = [("topic", "T")];
        assert_header(&GetTopicStatsInfoRequest { topic: topic() }, &fields, &[]);
        assert_header(
            &QueryTopicConsumeByWhoRequest { topic: topic() },
            &fields,
            &[],
        );
        let group = || String::from("G");
        let consumers = GetConsumerConnectionListRequest {
            consumer_group: group(),
        };
        assert_header(&consumers, &[("consumerGroup", "G")], &[]);
        let producers = GetProducerConnectionListRequest {
            producer_group: group(),
        };
        assert_header(&producers, &[("producerGroup", "G")], &[]);
        let stats = GetConsumeStatsRequest {
            consumer_group: group(),
            topic: Some(topic()),
        };
        assert_header(
            &stats,
            &[("consumerGroup", "G"), ("topic", "T")],
            &["topic"],
        );
        let span = QueryConsumeTimeSpanRequest {
            topic: topic(),
            group: group(),
        };
        assert_header(&span, &[("topic", "T"), ("group", "G")], &[]);
    }
}
