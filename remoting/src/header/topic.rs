//! Topics and groups on a broker: make or change a topic (17), delete it (215), delete a group (207).
//!
//! Java 4.7.0 `common/protocol/header/{Create,Delete}TopicRequestHeader.java`,
//! `DeleteSubscriptionGroupRequestHeader.java`; `cleanOffset` came with 4.9.8.

header! {
    /// 17: make a topic, or change it to this.
    pub struct CreateTopicRequest {
        /// Name of the topic.
        pub topic: String = "topic",
        /// TBW102 from every client; nothing looks at it.
        pub default_topic: String = "defaultTopic" or String::new(),
        /// Queues that are read.
        pub read_queue_nums: i32 = "readQueueNums",
        /// Queues that are written.
        pub write_queue_nums: i32 = "writeQueueNums",
        /// Bits 4 read, 2 write, 1 inherit.
        pub perm: i32 = "perm",
        /// `SINGLE_TAG` or `MULTI_TAG`.
        pub topic_filter_type: String = "topicFilterType",
        /// Bits 1 unit, 2 unit subscription.
        pub topic_sys_flag: i32 = "topicSysFlag" or 0,
        /// Ordered; 4.7.0's broker does not look at it.
        pub order: bool = "order" or false,
    }
}

header! {
    /// 215: delete a topic.
    pub struct DeleteTopicRequest {
        /// Name of the topic.
        pub topic: String = "topic",
    }
}

header! {
    /// 207: delete a consumer group.
    pub struct DeleteSubscriptionGroupRequest {
        /// Name of the group.
        pub group_name: String = "groupName",
        /// Whether its committed offsets go too; clients before 4.9.8 do not say.
        pub clean_offset: Option<bool> = "cleanOffset",
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_header;
    use super::*;

    #[test]
    fn a_topic_is_made_and_deleted() {
        let create = CreateTopicRequest {
            topic: "T".into(),
            default_topic: "TBW102".into(),
            read_queue_nums: 8,
            write_queue_nums: 4,
            perm: 6,
            topic_filter_type: "SINGLE_TAG".into(),
            topic_sys_flag: 1,
            order: true,
        };
        let fields = [
            ("topic", "T"),
            ("defaultTopic", "TBW102"),
            ("readQueueNums", "8"),
            ("writeQueueNums", "4"),
            ("perm", "6"),
            ("topicFilterType", "SINGLE_TAG"),
            ("topicSysFlag", "1"),
            ("order", "true"),
        ];
        assert_header(&create, &fields, &["defaultTopic", "topicSysFlag", "order"]);
        assert_header(
            &DeleteTopicRequest { topic: "T".into() },
            &[("topic", "T")],
            &[],
        );
        let group = DeleteSubscriptionGroupRequest {
            group_name: "G".into(),
            clean_offset: Some(true),
        };
        let fields = [("groupName", "G"), ("cleanOffset", "true")];
        assert_header(&group, &fields, &["cleanOffset"]);
    }
}
