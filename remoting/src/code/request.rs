//! Request codes: what a client, a broker or a tool asks for.
//!
//! Only codes that are served here or called back to clients; Java's enum has many more that nobody
//! uses. A server answers a code that it has no handler for with `REQUEST_CODE_NOT_SUPPORTED`.
//!
//! Java 4.7.0 `common/protocol/RequestCode.java`, later codes from 4.9.4, 4.9.8 and 5.3.3.

super::codes! {
    /// Broker, 4.4.0. Store one message; header in full names.
    SEND_MESSAGE = 10,
    /// Broker, 4.4.0. Read messages of one queue, waiting for them if asked to. Main port only.
    PULL_MESSAGE = 11,
    /// Broker, 4.4.0. Messages of a topic by key.
    QUERY_MESSAGE = 12,
    /// Broker, 4.4.0. The stored offset of a group on a queue.
    QUERY_CONSUMER_OFFSET = 14,
    /// Broker, 4.4.0. Store the offset of a group on a queue; usually one-way.
    UPDATE_CONSUMER_OFFSET = 15,
    /// Broker, 4.4.0. Make or change a topic.
    UPDATE_AND_CREATE_TOPIC = 17,
    /// Broker, 4.4.0. All topics with their DataVersion; slaves ask for it.
    GET_ALL_TOPIC_CONFIG = 21,
    /// Broker, 4.4.0. Change configuration keys at run time.
    UPDATE_BROKER_CONFIG = 25,
    /// Broker, 4.4.0. The configuration as properties text.
    GET_BROKER_CONFIG = 26,
    /// Broker, 4.4.0. Runtime figures as a KVTable.
    GET_BROKER_RUNTIME_INFO = 28,
    /// Broker, 4.4.0. Offset of the first message stored at or after a time.
    SEARCH_OFFSET_BY_TIMESTAMP = 29,
    /// Broker, 4.4.0. The offset after the last message of a queue.
    GET_MAX_OFFSET = 30,
    /// Broker, 4.4.0. The smallest offset a queue still has.
    GET_MIN_OFFSET = 31,
    /// Broker, 4.4.0. Store time of the oldest message of a queue.
    GET_EARLIEST_MSG_STORETIME = 32,
    /// Broker, 4.4.0. One message by its log offset.
    VIEW_MESSAGE_BY_ID = 33,
    /// Broker, 4.4.0. A client says which groups it has.
    HEART_BEAT = 34,
    /// Broker, 4.4.0. A client leaves its groups.
    UNREGISTER_CLIENT = 35,
    /// Broker, 4.4.0. A consumer hands a message back for a later retry.
    CONSUMER_SEND_MSG_BACK = 36,
    /// Broker, 4.4.0. Commit or roll back a half message; one-way.
    END_TRANSACTION = 37,
    /// Broker, 4.4.0. Ids of the clients of a consumer group.
    GET_CONSUMER_LIST_BY_GROUP = 38,
    /// To a client, 4.4.0. Ask a producer what became of a half message; one-way.
    CHECK_TRANSACTION_STATE = 39,
    /// To a client, 4.4.0. Tell a consumer that its group changed; one-way.
    NOTIFY_CONSUMER_IDS_CHANGED = 40,
    /// Broker, 4.4.0. Lock queues for orderly consumption.
    LOCK_BATCH_MQ = 41,
    /// Broker, 4.4.0. Give up such locks.
    UNLOCK_BATCH_MQ = 42,
    /// Broker, 4.4.0. All stored offsets; slaves ask for it.
    GET_ALL_CONSUMER_OFFSET = 43,
    /// Broker, 4.4.0. Offsets of the delay levels; slaves ask for it.
    GET_ALL_DELAY_OFFSET = 45,
    /// Broker, 4.4.0. Check a subscription's filter expression.
    CHECK_CLIENT_CONFIG = 46,
    /// Broker, 4.7.0. Make or change an ACL account.
    UPDATE_AND_CREATE_ACL_CONFIG = 50,
    /// Broker, 4.7.0. Delete an ACL account.
    DELETE_ACL_CONFIG = 51,
    /// Broker, 4.7.0. DataVersion of the ACL file.
    GET_BROKER_CLUSTER_ACL_INFO = 52,
    /// Broker, 4.7.0. Change the global white list of the ACL.
    UPDATE_GLOBAL_WHITE_ADDRS_CONFIG = 53,
    /// Broker, 4.7.0. The ACL accounts.
    GET_BROKER_CLUSTER_ACL_CONFIG = 54,
    /// Name server, 4.4.0. Set a key of a namespace.
    PUT_KV_CONFIG = 100,
    /// Name server, 4.4.0. Get a key of a namespace.
    GET_KV_CONFIG = 101,
    /// Name server, 4.4.0. Delete a key of a namespace.
    DELETE_KV_CONFIG = 102,
    /// Name server, 4.4.0. A broker registers itself and its topics.
    REGISTER_BROKER = 103,
    /// Name server, 4.4.0. A broker takes its leave.
    UNREGISTER_BROKER = 104,
    /// Name server, 4.4.0. Queues and brokers of a topic. (4.7.0 spells it GET_ROUTEINTO_BY_TOPIC.)
    GET_ROUTEINFO_BY_TOPIC = 105,
    /// Name server, 4.4.0. All clusters and their brokers.
    GET_BROKER_CLUSTER_INFO = 106,
    /// Broker, 4.4.0. Make or change a subscription group.
    UPDATE_AND_CREATE_SUBSCRIPTIONGROUP = 200,
    /// Broker, 4.4.0. All subscription groups; slaves and the console ask for it.
    GET_ALL_SUBSCRIPTIONGROUP_CONFIG = 201,
    /// Broker, 4.4.0. Smallest and largest offset of each queue of a topic.
    GET_TOPIC_STATS_INFO = 202,
    /// Broker, 4.4.0. Connections and subscriptions of a consumer group.
    GET_CONSUMER_CONNECTION_LIST = 203,
    /// Broker, 4.4.0. Connections of a producer group.
    GET_PRODUCER_CONNECTION_LIST = 204,
    /// Name server, 4.4.0. Take the write permission from all topics of a broker.
    WIPE_WRITE_PERM_OF_BROKER = 205,
    /// Name server, 4.4.0. Names of all topics.
    GET_ALL_TOPIC_LIST_FROM_NAMESERVER = 206,
    /// Broker, 4.4.0. Delete a subscription group.
    DELETE_SUBSCRIPTIONGROUP = 207,
    /// Broker, 4.4.0. Offsets and lag of a group.
    GET_CONSUME_STATS = 208,
    /// Broker, 4.4.0. Delete a topic from a broker.
    DELETE_TOPIC_IN_BROKER = 215,
    /// Name server, 4.4.0. Forget a topic on the name server.
    DELETE_TOPIC_IN_NAMESRV = 216,
    /// Name server, 4.4.0. All keys of a namespace.
    GET_KVLIST_BY_NAMESPACE = 219,
    /// To a client, 4.4.0. Set a consumer's offsets; one-way.
    RESET_CONSUMER_CLIENT_OFFSET = 220,
    /// To a client, 4.4.0. A consumer's own view of its offsets.
    GET_CONSUMER_STATUS_FROM_CLIENT = 221,
    /// Broker, 4.4.0. Reset a group's offsets to a time, through its clients.
    INVOKE_BROKER_TO_RESET_OFFSET = 222,
    /// Broker, 4.4.0. Ask all clients of a group for 221.
    INVOKE_BROKER_TO_GET_CONSUMER_STATUS = 223,
    /// Name server, 4.4.0. Names of the topics of a cluster.
    GET_TOPICS_BY_CLUSTER = 224,
    /// Broker, 4.4.0. Groups that consume a topic.
    QUERY_TOPIC_CONSUME_BY_WHO = 300,
    /// Broker, 4.4.0. A filter server announces itself.
    REGISTER_FILTER_SERVER = 301,
    /// Broker, 4.4.0. Time span of what is left to consume.
    QUERY_CONSUME_TIME_SPAN = 303,
    /// Name server, 4.4.0. Names of system topics: clusters and brokers.
    GET_SYSTEM_TOPIC_LIST_FROM_NS = 304,
    /// Broker, 4.4.0. Names of the broker's own system topics.
    GET_SYSTEM_TOPIC_LIST_FROM_BROKER = 305,
    /// Broker, 4.4.0. Delete consume queue files that are behind the log.
    CLEAN_EXPIRED_CONSUMEQUEUE = 306,
    /// Broker, 4.4.0. A consumer's running state; the broker passes it on to the client under the same code.
    GET_CONSUMER_RUNNING_INFO = 307,
    /// Broker, 4.4.0. Offsets of a group corrected by those of others.
    QUERY_CORRECTION_OFFSET = 308,
    /// Broker, 4.4.0. Have a client consume one message now; passed on under the same code.
    CONSUME_MESSAGE_DIRECTLY = 309,
    /// Broker, 4.4.0. Store one message; header in one-letter names. What Java clients send.
    SEND_MESSAGE_V2 = 310,
    /// Name server, 4.4.0. Topics with the unit bit.
    GET_UNIT_TOPIC_LIST = 311,
    /// Name server, 4.4.0. Topics with the unit subscription bit.
    GET_HAS_UNIT_SUB_TOPIC_LIST = 312,
    /// Name server, 4.4.0. Topics with the unit subscription bit alone.
    GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST = 313,
    /// Broker, 4.4.0. Copy one group's offsets to another.
    CLONE_GROUP_OFFSET = 314,
    /// Broker, 4.4.0. Sums of one broker statistic.
    VIEW_BROKER_STATS_DATA = 315,
    /// Broker, 4.4.0. Delete queues of topics that no longer exist.
    CLEAN_UNUSED_TOPIC = 316,
    /// Broker, 4.4.0. Consume statistics of all groups of a broker.
    GET_BROKER_CONSUME_STATS = 317,
    /// Name server, 4.4.0. Change the name server's configuration.
    UPDATE_NAMESRV_CONFIG = 318,
    /// Name server, 4.4.0. The name server's configuration as properties text.
    GET_NAMESRV_CONFIG = 319,
    /// Broker, 4.4.0. Store a batch of messages; header in one-letter names.
    SEND_BATCH_MESSAGE = 320,
    /// Broker, 4.4.0. Entries of a consume queue.
    QUERY_CONSUME_QUEUE = 321,
    /// Name server, 4.4.0. Has a broker's topic table changed? Also a sign of life.
    QUERY_DATA_VERSION = 322,
    /// Broker, 4.7.0. Check a half message again that was given up.
    RESUME_CHECK_HALF_MESSAGE = 323,
    /// Broker, 4.7.0. A consumer's reply to a request message; header in full names.
    SEND_REPLY_MESSAGE = 324,
    /// Broker, 4.7.0. The same; header in one-letter names.
    SEND_REPLY_MESSAGE_V2 = 325,
    /// To a client, 4.7.0. Hand a reply to the producer that asked.
    PUSH_REPLY_MESSAGE_TO_CLIENT = 326,
    /// Name server, 4.9.8. Give the write permission back to all topics of a broker.
    ADD_WRITE_PERM_OF_BROKER = 327,
    /// Broker, 4.9.8. All producers and their connections.
    GET_ALL_PRODUCER_INFO = 328,
    /// Broker, 4.9.8. Delete expired log files now.
    DELETE_EXPIRED_COMMITLOG = 329,
    /// Broker, 5.3.3. What 5.x lite consumers send in place of 11.
    LITE_PULL_MESSAGE = 361,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_code_has_javas_name_and_an_unknown_one_none() {
        assert_eq!(name(310), Some("SEND_MESSAGE_V2"));
        assert_eq!(name(GET_ROUTEINFO_BY_TOPIC), Some("GET_ROUTEINFO_BY_TOPIC"));
        assert_eq!(name(-1), None);
        assert_eq!(name(200_050), None);
    }
}
