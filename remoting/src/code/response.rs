//! Response codes: how a request went. 0 is success, everything else is for the client to judge.
//!
//! Only codes that our servers answer, or that clients name in their retry rules.
//!
//! Java 4.7.0 `common/protocol/ResponseCode.java` and `remoting/protocol/RemotingSysResponseCode.java`.

super::codes! {
    /// 4.4.0. Done; for a pull, messages are in the body.
    SUCCESS = 0,
    /// 4.4.0. Anything that went wrong; the remark says what.
    SYSTEM_ERROR = 1,
    /// 4.4.0. Flow control. 4.x clients do not try another broker.
    SYSTEM_BUSY = 2,
    /// 4.4.0. No handler for this request code.
    REQUEST_CODE_NOT_SUPPORTED = 3,
    /// 4.4.0. Stored, not yet on disk. The reply header is complete.
    FLUSH_DISK_TIMEOUT = 10,
    /// 4.4.0. Stored, no slave to copy to. The reply header is complete.
    SLAVE_NOT_AVAILABLE = 11,
    /// 4.4.0. Stored, the slave has not confirmed in time. The reply header is complete.
    FLUSH_SLAVE_TIMEOUT = 12,
    /// 4.4.0. Topic, properties or record too long.
    MESSAGE_ILLEGAL = 13,
    /// 4.4.0. The store takes no messages: shut down, a slave, the disk full.
    SERVICE_NOT_AVAILABLE = 14,
    /// 4.4.0. Not allowed by broker, topic, group or key.
    NO_PERMISSION = 16,
    /// 4.4.0. Unknown topic; a producer then asks for its template topic's route.
    TOPIC_NOT_EXIST = 17,
    /// 4.4.0. Nothing new in the queue.
    PULL_NOT_FOUND = 19,
    /// 4.4.0. Nothing in what was scanned; the client pulls again at once.
    PULL_RETRY_IMMEDIATELY = 20,
    /// 4.4.0. The offset asked for is outside the queue; the reply names the right one.
    PULL_OFFSET_MOVED = 21,
    /// 4.4.0. No such message, offset or key.
    QUERY_NOT_FOUND = 22,
    /// 4.4.0. The subscription's expression does not parse.
    SUBSCRIPTION_PARSE_FAILED = 23,
    /// 4.4.0. The broker has no subscription of this group for the topic.
    SUBSCRIPTION_NOT_EXIST = 24,
    /// 4.4.0. The broker's subscription is older than the pull's.
    SUBSCRIPTION_NOT_LATEST = 25,
    /// 4.4.0. No such group, and groups are not made by themselves.
    SUBSCRIPTION_GROUP_NOT_EXIST = 26,
    /// 4.4.0. No compiled filter for the group.
    FILTER_DATA_NOT_EXIST = 27,
    /// 4.4.0. The compiled filter is older than the pull's.
    FILTER_DATA_NOT_LATEST = 28,
    /// 4.4.0. Never answered by these servers; producers treat it as worth a retry.
    NO_BUYER_ID = 204,
    /// 4.4.0. Never answered by these servers; producers treat it as worth a retry.
    NOT_IN_CURRENT_UNIT = 205,
    /// 4.4.0. No client of the group is connected.
    CONSUMER_NOT_ONLINE = 206,
    /// 4.4.0. The client did not answer a passed-on call in time.
    CONSUME_MSG_TIMEOUT = 207,
    /// 4.7.0. An ACL account could not be written.
    UPDATE_AND_CREATE_ACL_CONFIG_FAILED = 209,
    /// 4.7.0. An ACL account could not be deleted.
    DELETE_ACL_CONFIG_FAILED = 210,
    /// 4.7.0. The ACL white list could not be written.
    UPDATE_GLOBAL_WHITE_ADDRS_CONFIG_FAILED = 211,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_code_has_javas_name_and_an_unknown_one_none() {
        assert_eq!(name(0), Some("SUCCESS"));
        assert_eq!(name(17), Some("TOPIC_NOT_EXIST"));
        assert_eq!(name(9999), None);
    }
}
