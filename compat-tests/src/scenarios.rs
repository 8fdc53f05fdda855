//! The scenarios by name, and the cluster that each needs.
//!
//! `java/scenarios/…/Catalogue.java` holds the same names; a client that offers others is refused at its start.

/// Client versions, all of rocketmq-client from Maven Central.
pub const CLIENTS: [&str; 4] = ["4.4.0", "4.7.0", "4.9.4", "5.3.3"];

/// Broker keys of the first cluster: Java's defaults, but that there is a topic for traces.
pub const FIRST_CLUSTER_KEYS: &[(&str, &str)] = &[("traceTopicEnable", "true")];

/// Broker keys of the second cluster: no topic is made by a send, and every message counts as "on disk only", so that a
/// late group is told "no offset yet" instead of 0 (Java 4.7.0 `ConsumerManageProcessor.queryConsumerOffset`), and every
/// read is sent on to the slave, where there is one.
pub const SECOND_CLUSTER_KEYS: &[(&str, &str)] = &[
    ("autoCreateTopicEnable", "false"),
    ("accessMessageInMemoryMaxRatio", "0"),
    ("slaveReadEnable", "true"),
    ("brokerIP2", "127.0.0.1"),
];

/// Broker keys of the third cluster: what Java waits for takes seconds here and not minutes. Delay level 1 is 1 s, 2 is 2 s,
/// 3 to 17 are 1 s again (messages come back through 3 and above), 18 is 3 s. Filters by properties are on, their verdicts
/// kept as bits in the queues' extension.
/// Half messages are asked about when they are 1 s old, every 1.5 s, 4 times. Replies are not stored, traces not wanted.
pub const THIRD_CLUSTER_KEYS: &[(&str, &str)] = &[
    (
        "messageDelayLevel",
        "1s 2s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 3s",
    ),
    ("enablePropertyFilter", "true"),
    ("enableConsumeQueueExt", "true"),
    ("mappedFileSizeConsumeQueueExt", "65536"),
    ("enableCalcFilterBitMap", "true"),
    ("transactionTimeOut", "1000"),
    ("transactionCheckInterval", "1500"),
    ("transactionCheckMax", "4"),
    ("storeReplyMessageEnable", "false"),
    ("traceOn", "false"),
];

/// Broker keys of the expiring cluster: every log file but the last is deleted, once a second, and files are small. The
/// first look comes a minute after the start, in Java too.
pub const EXPIRING_CLUSTER_KEYS: &[(&str, &str)] = &[
    ("mappedFileSizeCommitLog", "65536"),
    ("mappedFileSizeConsumeQueue", "400"),
    ("maxHashSlotNum", "100"),
    ("maxIndexNum", "100"),
    ("fileReservedTime", "0"),
    (
        "deleteWhen",
        "00;01;02;03;04;05;06;07;08;09;10;11;12;13;14;15;16;17;18;19;20;21;22;23",
    ),
    ("cleanResourceInterval", "1000"),
    ("deleteCommitLogFilesInterval", "10"),
    ("deleteConsumeQueueFilesInterval", "10"),
];

/// Broker keys of the overloaded cluster: a send that must wait for its turn is refused.
pub const OVERLOADED_CLUSTER_KEYS: &[(&str, &str)] = &[("waitTimeMillsInSendQueue", "0")];

/// Broker keys of the busy cluster: messages may be large, an append that takes a millisecond makes the page cache count
/// as busy, and few sends may wait.
pub const BUSY_CLUSTER_KEYS: &[(&str, &str)] = &[
    ("maxMessageSize", "12582912"),
    ("osPageCacheBusyTimeOutMills", "0"),
    ("sendThreadPoolQueueCapacity", "5"),
];

/// Broker keys of the syncing cluster: every message is on disk before it is answered, and its sender told that there is no
/// slave.
pub const SYNCING_CLUSTER_KEYS: &[(&str, &str)] = &[
    ("brokerRole", "SYNC_MASTER"),
    ("flushDiskType", "SYNC_FLUSH"),
];

/// Where a scenario runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The first cluster: one name server, [`FIRST_CLUSTER_KEYS`]. Nothing disturbs it, so these run beside each other.
    First,
    /// The second cluster: two name servers, [`SECOND_CLUSTER_KEYS`]. These run before anything is restarted.
    Second,
    /// The third cluster: one name server, [`THIRD_CLUSTER_KEYS`]. Nothing disturbs it.
    Third,
    /// The expiring cluster: one name server, [`EXPIRING_CLUSTER_KEYS`]. Its scenarios mostly wait, so they begin at once.
    Expiring,
    /// The overloaded cluster: one name server, [`OVERLOADED_CLUSTER_KEYS`]. Nothing disturbs it.
    Overloaded,
    /// The busy cluster: one name server, [`BUSY_CLUSTER_KEYS`]. Nothing disturbs it.
    Busy,
    /// The syncing cluster: one name server, [`SYNCING_CLUSTER_KEYS`]. Nothing disturbs it.
    Syncing,
    /// The second cluster, whose servers are stopped meanwhile: one scenario after the other, all clients at once, so
    /// that each change is made once for all of them.
    Disturbed,
    /// As [`Place::Disturbed`], in the first such stage; later stages do not wait for its end, only for its change.
    LivesOn,
}

/// One scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// Its stable name, as in test names and `known_gaps.txt`.
    pub name: &'static str,
    /// The cluster it runs on.
    pub place: Place,
}

const fn first(name: &'static str) -> Scenario {
    Scenario {
        name,
        place: Place::First,
    }
}

const fn second(name: &'static str) -> Scenario {
    Scenario {
        name,
        place: Place::Second,
    }
}

const fn third(name: &'static str) -> Scenario {
    Scenario {
        name,
        place: Place::Third,
    }
}

const fn expiring(name: &'static str) -> Scenario {
    Scenario {
        name,
        place: Place::Expiring,
    }
}

const fn overloaded(name: &'static str) -> Scenario {
    Scenario {
        name,
        place: Place::Overloaded,
    }
}

const fn busy(name: &'static str) -> Scenario {
    Scenario {
        name,
        place: Place::Busy,
    }
}

const fn syncing(name: &'static str) -> Scenario {
    Scenario {
        name,
        place: Place::Syncing,
    }
}

const fn disturbed(name: &'static str) -> Scenario {
    Scenario {
        name,
        place: Place::Disturbed,
    }
}

/// All scenarios, the slow ones of each place first: the last to start is not the last to end.
pub const SCENARIOS: &[Scenario] = &[
    expiring("expired_offset_moves"),
    expiring("expired_while_read"),
    expiring("lock_expires"),
    overloaded("overload_async"),
    overloaded("overload_oneway"),
    busy("overload_log_held"),
    syncing("wait_or_not"),
    third("class_filter"),
    third("sql_changed"),
    third("sql_retried"),
    third("sql_pushed"),
    third("sql_refused"),
    third("sql_pulled"),
    third("sql_unknown"),
    first("seek_live"),
    first("pull_blocks_until_timeout"),
    first("tag_filter"),
    first("body_sizes"),
    first("topic_auto_created"),
    first("many_connections"),
    first("consumer_joins_and_leaves"),
    first("push_group_of_three"),
    first("long_polling_latency"),
    first("overload_flood"),
    first("sync_send"),
    first("async_send"),
    first("oneway_send"),
    first("properties_round_trip"),
    first("batch_send"),
    first("order_in_queue"),
    first("vip_channel_on"),
    first("vip_channel_off"),
    first("push_group_of_one"),
    first("unregister_at_shutdown"),
    first("broadcasting"),
    first("offsets_committed"),
    first("offsets_set_by_hand"),
    first("pull_refused"),
    first("pull_may_not_broadcast"),
    first("pull_offset_moved"),
    first("seek_offline"),
    first("seek_clients_asked"),
    first("seek_refused"),
    first("pull_results"),
    first("pull_portions"),
    first("pull_offsets"),
    first("pull_blocks_until_message"),
    first("topic_created_by_client"),
    first("view_message_by_id"),
    first("query_message_by_key"),
    first("late_consumer_from_last_young_queue"),
    first("refuse_too_big"),
    first("refuse_illegal_topic"),
    first("refuse_no_such_queue"),
    first("refuse_no_such_message"),
    first("refuse_sql_filter_off"),
    first("delayed_default_levels"),
    first("delayed_refusals"),
    third("delayed_configured_levels"),
    third("delayed_above_the_last_level"),
    third("delayed_properties"),
    third("delayed_tag_filter"),
    first("orderly_three_come_and_go"),
    first("orderly_one_consumer"),
    first("orderly_suspends"),
    first("locks_by_hand"),
    first("refuse_give_back"),
    third("retry_level_of_the_consumer"),
    third("retry_dead_letter"),
    third("retry_sent_by_the_client"),
    third("retry_until_it_works"),
    third("retry_given_back_by_hand"),
    third("retry_group_settings"),
    third("orderly_dead_letter"),
    first("request_reply"),
    first("request_unaided"),
    first("request_timeout"),
    first("request_reconnects"),
    first("request_refused"),
    first("flow_rebalancing"),
    first("flow_own_limits"),
    first("flow_suspended"),
    first("lite_pull_subscribe"),
    first("lite_pull_assign"),
    first("trace_system_topic"),
    first("trace_named_topic"),
    third("trace_off"),
    first("kind_compressed"),
    first("kind_units"),
    first("kind_batches"),
    first("kind_unique_keys"),
    third("request_not_stored"),
    second("late_consumer_from_timestamp"),
    second("late_consumer_from_first"),
    second("late_consumer_from_last"),
    second("pull_portions_on_disk"),
    second("refuse_no_such_topic"),
    second("refuse_auto_creation_off"),
    third("transaction_given_up"),
    third("transaction_immunity"),
    third("transaction_asked_rolls_back"),
    third("transaction_asked_commits"),
    third("transaction_another_member"),
    third("transaction_bad_ends"),
    third("transaction_committed"),
    Scenario {
        name: "consumer_lives_through_restart",
        place: Place::LivesOn,
    },
    Scenario {
        name: "orderly_lives_through_restart",
        place: Place::LivesOn,
    },
    disturbed("broker_restarted"),
    disturbed("broker_killed"),
    disturbed("transaction_through_restart"),
    disturbed("transaction_through_kill"),
    disturbed("delayed_broker_restarted"),
    disturbed("delayed_broker_killed"),
    disturbed("one_of_two_namesrvs_down"),
    disturbed("namesrv_restarted"),
    disturbed("slave_reads"),
    disturbed("slave_reads_master_killed"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SCENARIOS.len());
    }
}
