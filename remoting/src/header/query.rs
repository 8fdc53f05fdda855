//! Finding messages: by key (12) and by log offset (33). Both answer with records in the body.
//!
//! Java 4.7.0 `common/protocol/header/QueryMessage{Request,Response}Header.java`,
//! `ViewMessageRequestHeader.java`; `_UNIQUE_KEY_QUERY` from `common/MixAll.java`.

header! {
    /// 12: messages of a topic that have a key.
    pub struct QueryMessageRequest {
        /// Topic.
        pub topic: String = "topic",
        /// The key, or the client's id of a message (UNIQ_KEY).
        pub key: String = "key",
        /// Messages at most; not for `unique_key_query`, which has the broker's `defaultQueryMaxNum`.
        pub max_num: i32 = "maxNum",
        /// Store time from, ms since 1970.
        pub begin_timestamp: i64 = "beginTimestamp",
        /// Store time to, ms since 1970.
        pub end_timestamp: i64 = "endTimestamp",
        /// `key` is a UNIQ_KEY.
        pub unique_key_query: bool = "_UNIQUE_KEY_QUERY" or false,
    }
}

header! {
    /// The answer to 12: how far the index is.
    pub struct QueryMessageReply {
        /// Store time of the last message in the index, ms since 1970.
        pub index_last_update_timestamp: i64 = "indexLastUpdateTimestamp",
        /// Log offset of the last message in the index.
        pub index_last_update_phyoffset: i64 = "indexLastUpdatePhyoffset",
    }
}

header! {
    /// 33: one message.
    pub struct ViewMessageRequest {
        /// Its log offset.
        pub offset: i64 = "offset",
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_header;
    use super::*;

    #[test]
    fn a_key_is_asked_for_in_a_span_of_time() {
        let query = QueryMessageRequest {
            topic: "T".into(),
            key: "k 1".into(),
            max_num: 64,
            begin_timestamp: 0,
            end_timestamp: i64::MAX,
            unique_key_query: true,
        };
        let fields = [
            ("topic", "T"),
            ("key", "k 1"),
            ("maxNum", "64"),
            ("beginTimestamp", "0"),
            ("endTimestamp", "9223372036854775807"),
            ("_UNIQUE_KEY_QUERY", "true"),
        ];
        assert_header(&query, &fields, &["_UNIQUE_KEY_QUERY"]);
        let reply = QueryMessageReply {
            index_last_update_timestamp: 1,
            index_last_update_phyoffset: 2,
        };
        assert_header(
            &reply,
            &[
                ("indexLastUpdateTimestamp", "1"),
                ("indexLastUpdatePhyoffset", "2"),
            ],
            &[],
        );
    }

    #[test]
    fn a_message_is_asked_for_by_its_log_offset() {
        assert_header(
            &ViewMessageRequest { offset: 1 << 40 },
            &[("offset", "1099511627776")],
            &[],
        );
    }
}
