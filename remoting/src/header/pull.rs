//! Pulling: PULL_MESSAGE (11) and LITE_PULL_MESSAGE (361), which 5.x clients send in its place.
//!
//! Java 4.7.0 `common/protocol/header/PullMessage{Request,Response}Header.java`.

use std::borrow::Cow;

header! {
    /// Asks for messages of one queue.
    pub struct PullRequest<'a> {
        /// Consumer group.
        pub consumer_group: Cow<'a, str> = "consumerGroup",
        /// Topic.
        pub topic: Cow<'a, str> = "topic",
        /// Queue.
        pub queue_id: i32 = "queueId",
        /// Position of the first message wanted.
        pub queue_offset: i64 = "queueOffset",
        /// Messages at most.
        pub max_msg_nums: i32 = "maxMsgNums",
        /// Bits: 1 commit `commit_offset`, 2 may wait, 4 `subscription` counts, 8 class filter, 16 lite.
        pub sys_flag: i32 = "sysFlag",
        /// Position to store for the group, with bit 1.
        pub commit_offset: i64 = "commitOffset",
        /// How long it may wait with bit 2, ms; Java clients say 15000.
        pub suspend_timeout_millis: i64 = "suspendTimeoutMillis",
        /// Filter expression, with bit 4.
        pub subscription: Option<Cow<'a, str>> = "subscription",
        /// Version of the group's subscription that the client goes by, ms since 1970.
        pub sub_version: i64 = "subVersion",
        /// `TAG` or `SQL92`; none means `TAG`.
        pub expression_type: Option<Cow<'a, str>> = "expressionType",
    }
}

impl PullRequest<'_> {
    /// The same, free of the command it was read from: for a pull that waits.
    #[must_use]
    pub fn into_owned(self) -> PullRequest<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        PullRequest {
            consumer_group: owned(self.consumer_group),
            topic: owned(self.topic),
            subscription: self.subscription.map(owned),
            expression_type: self.expression_type.map(owned),
            queue_id: self.queue_id,
            queue_offset: self.queue_offset,
            max_msg_nums: self.max_msg_nums,
            sys_flag: self.sys_flag,
            commit_offset: self.commit_offset,
            suspend_timeout_millis: self.suspend_timeout_millis,
            sub_version: self.sub_version,
        }
    }
}

header! {
    /// Goes with codes 0, 19, 20 and 21, always whole: without one of them the client throws.
    pub struct PullReply {
        /// Broker id to pull from next; 0 is the master.
        pub suggest_which_broker_id: i64 = "suggestWhichBrokerId",
        /// Position to pull from next.
        pub next_begin_offset: i64 = "nextBeginOffset",
        /// The queue's first position.
        pub min_offset: i64 = "minOffset",
        /// The position behind the queue's last message.
        pub max_offset: i64 = "maxOffset",
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Header, assert_header};
    use super::*;
    use crate::ext_fields::ExtFields;

    #[test]
    fn javas_pull_is_read_without_a_copy() {
        let fields: ExtFields = [
            ("consumerGroup", "G"),
            ("topic", "T"),
            ("queueId", "3"),
            ("queueOffset", "100"),
            ("maxMsgNums", "32"),
            ("sysFlag", "6"),
            ("commitOffset", "99"),
            ("suspendTimeoutMillis", "15000"),
            ("subscription", "*"),
            ("subVersion", "1700000000001"),
            ("expressionType", "TAG"),
            ("maxMsgBytes", "1048576"),
            ("bname", "b"),
        ]
        .into_iter()
        .collect();
        let pull = PullRequest::read(&fields).unwrap();
        let expected = PullRequest {
            consumer_group: "G".into(),
            topic: "T".into(),
            queue_id: 3,
            queue_offset: 100,
            max_msg_nums: 32,
            sys_flag: 6,
            commit_offset: 99,
            suspend_timeout_millis: 15_000,
            subscription: Some("*".into()),
            sub_version: 1_700_000_000_001,
            expression_type: Some("TAG".into()),
        };
        assert_eq!(pull, expected);
        assert!(matches!(pull.topic, Cow::Borrowed(_)));
        let mut written = ExtFields::default();
        pull.write(&mut written);
        assert_eq!(PullRequest::read(&written), Ok(pull.clone()));
    }

    #[test]
    fn a_reply_has_all_four_fields() {
        let reply = PullReply {
            suggest_which_broker_id: 0,
            next_begin_offset: 132,
            min_offset: 5,
            max_offset: 200,
        };
        let fields = [
            ("suggestWhichBrokerId", "0"),
            ("nextBeginOffset", "132"),
            ("minOffset", "5"),
            ("maxOffset", "200"),
        ];
        assert_header(&reply, &fields, &[]);
    }
}
