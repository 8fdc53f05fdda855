//! The rows of Java 4.7.0's `BrokerConfig`, in its order.

use super::super::accepted::{EXECUTOR, EXECUTOR_QUEUE, UNREAD, no, nothing, number, yes};
use super::super::value::{JavaType, Slot};
use super::{Key, accepted, field, long_millis, millis};

pub(super) static KEYS: &[Key] = &[
    field("rocketmqHome", |c| Slot::MaybeText(&mut c.rocketmq_home)),
    field("namesrvAddr", |c| Slot::MaybeText(&mut c.namesrv_addr)).important(),
    field("brokerIP1", |c| Slot::MaybeText(&mut c.broker_ip1)).important(),
    field("brokerIP2", |c| Slot::MaybeText(&mut c.broker_ip2)),
    field("brokerName", |c| Slot::Text(&mut c.broker_name)).important(),
    field("brokerClusterName", |c| Slot::Text(&mut c.cluster_name)).important(),
    field("brokerId", |c| Slot::Long(&mut c.broker_id)).important(),
    field("brokerPermission", |c| Slot::Int(&mut c.broker_permission)),
    field("defaultTopicQueueNums", |c| {
        Slot::Int(&mut c.default_topic_queue_nums)
    }),
    field("autoCreateTopicEnable", |c| {
        Slot::Bool(&mut c.auto_create_topic)
    })
    .important(),
    field("clusterTopicEnable", |c| {
        Slot::Bool(&mut c.cluster_topic_enable)
    }),
    field("brokerTopicEnable", |c| {
        Slot::Bool(&mut c.broker_topic_enable)
    }),
    field("autoCreateSubscriptionGroup", |c| {
        Slot::Bool(&mut c.auto_create_subscription_group)
    })
    .important(),
    accepted(
        "messageStorePlugIn",
        JavaType::Text,
        nothing,
        "it names Java classes",
    ),
    field("msgTraceTopicName", |c| Slot::Text(&mut c.trace_topic_name)).important(),
    field("traceTopicEnable", |c| {
        Slot::Bool(&mut c.trace_topic_enable)
    })
    .important(),
    accepted(
        "sendMessageThreadPoolNums",
        JavaType::Int,
        number::<1>,
        EXECUTOR,
    ),
    accepted(
        "pullMessageThreadPoolNums",
        JavaType::Int,
        |cpus| (16 + 2 * cpus).to_string(),
        EXECUTOR,
    ),
    accepted(
        "processReplyMessageThreadPoolNums",
        JavaType::Int,
        |cpus| (16 + 2 * cpus).to_string(),
        EXECUTOR,
    ),
    accepted(
        "queryMessageThreadPoolNums",
        JavaType::Int,
        |cpus| (8 + cpus).to_string(),
        EXECUTOR,
    ),
    accepted(
        "adminBrokerThreadPoolNums",
        JavaType::Int,
        number::<16>,
        EXECUTOR,
    ),
    accepted(
        "clientManageThreadPoolNums",
        JavaType::Int,
        number::<32>,
        EXECUTOR,
    ),
    accepted(
        "consumerManageThreadPoolNums",
        JavaType::Int,
        number::<32>,
        EXECUTOR,
    ),
    accepted(
        "heartbeatThreadPoolNums",
        JavaType::Int,
        |cpus| cpus.min(32).to_string(),
        EXECUTOR,
    ),
    accepted(
        "endTransactionThreadPoolNums",
        JavaType::Int,
        |cpus| (8 + 2 * cpus).to_string(),
        EXECUTOR,
    ),
    field("flushConsumerOffsetInterval", |c| {
        millis(&mut c.flush_consumer_offset_interval)
    }),
    accepted(
        "flushConsumerOffsetHistoryInterval",
        JavaType::Int,
        number::<60_000>,
        UNREAD,
    ),
    field("rejectTransactionMessage", |c| {
        Slot::Bool(&mut c.reject_transaction_message)
    })
    .important(),
    field("fetchNamesrvAddrByAddressServer", |c| {
        Slot::Bool(&mut c.fetch_namesrv_addr)
    })
    .important(),
    field("sendThreadPoolQueueCapacity", |c| {
        Slot::Count32(&mut c.send_queue_capacity)
    }),
    accepted(
        "pullThreadPoolQueueCapacity",
        JavaType::Int,
        number::<100_000>,
        EXECUTOR_QUEUE,
    ),
    accepted(
        "replyThreadPoolQueueCapacity",
        JavaType::Int,
        number::<10_000>,
        EXECUTOR_QUEUE,
    ),
    accepted(
        "queryThreadPoolQueueCapacity",
        JavaType::Int,
        number::<20_000>,
        EXECUTOR_QUEUE,
    ),
    accepted(
        "clientManagerThreadPoolQueueCapacity",
        JavaType::Int,
        number::<1_000_000>,
        EXECUTOR_QUEUE,
    ),
    accepted(
        "consumerManagerThreadPoolQueueCapacity",
        JavaType::Int,
        number::<1_000_000>,
        EXECUTOR_QUEUE,
    ),
    accepted(
        "heartbeatThreadPoolQueueCapacity",
        JavaType::Int,
        number::<50_000>,
        EXECUTOR_QUEUE,
    ),
    accepted(
        "endTransactionPoolQueueCapacity",
        JavaType::Int,
        number::<100_000>,
        EXECUTOR_QUEUE,
    ),
    accepted(
        "filterServerNums",
        JavaType::Int,
        number::<0>,
        "a broker never starts a process here",
    ),
    field("longPollingEnable", |c| {
        Slot::Bool(&mut c.long_polling_enable)
    }),
    field("shortPollingTimeMills", |c| {
        long_millis(&mut c.short_polling)
    }),
    field("notifyConsumerIdsChangedEnable", |c| {
        Slot::Bool(&mut c.notify_consumer_ids_changed)
    }),
    accepted("highSpeedMode", JavaType::Bool, no, UNREAD),
    accepted("commercialEnable", JavaType::Bool, yes, UNREAD),
    accepted("commercialTimerCount", JavaType::Int, number::<1>, UNREAD),
    accepted("commercialTransCount", JavaType::Int, number::<1>, UNREAD),
    accepted("commercialBigCount", JavaType::Int, number::<1>, UNREAD),
    accepted(
        "commercialBaseCount",
        JavaType::Int,
        number::<1>,
        "there are no commercial statistics here",
    ),
    accepted(
        "transferMsgByHeap",
        JavaType::Bool,
        yes,
        "a pull is always answered from the mapped log",
    ),
    accepted("maxDelayTime", JavaType::Int, number::<40>, UNREAD),
    field("regionId", |c| Slot::Text(&mut c.region_id)),
    field("registerBrokerTimeoutMills", |c| {
        millis(&mut c.register_timeout)
    }),
    field("slaveReadEnable", |c| Slot::Bool(&mut c.slave_read_enable)),
    accepted(
        "disableConsumeIfConsumerReadSlowly",
        JavaType::Bool,
        no,
        "slow groups are not switched off yet",
    ),
    accepted(
        "consumerFallbehindThreshold",
        JavaType::Long,
        number::<17_179_869_184>,
        "slow groups are not switched off yet",
    ),
    field("brokerFastFailureEnable", |c| {
        Slot::Bool(&mut c.fast_failure_enable)
    }),
    field("waitTimeMillsInSendQueue", |c| {
        long_millis(&mut c.wait_in_send_queue)
    }),
    field("waitTimeMillsInPullQueue", |c| {
        long_millis(&mut c.wait_in_pull_queue)
    }),
    field("waitTimeMillsInHeartbeatQueue", |c| {
        long_millis(&mut c.wait_in_heartbeat_queue)
    }),
    field("waitTimeMillsInTransactionQueue", |c| {
        long_millis(&mut c.wait_in_transaction_queue)
    }),
    field("startAcceptSendRequestTimeStamp", |c| {
        Slot::Long(&mut c.accept_sends_from_ms)
    }),
    field("traceOn", |c| Slot::Bool(&mut c.trace_on)),
    field("enableCalcFilterBitMap", |c| {
        Slot::Bool(&mut c.calc_filter_bit_map)
    }),
    field("expectConsumerNumUseFilter", |c| {
        Slot::Int(&mut c.expect_consumers_with_filter)
    }),
    field("maxErrorRateOfBloomFilter", |c| {
        Slot::Int(&mut c.max_error_rate_of_bloom_filter)
    }),
    field("filterDataCleanTimeSpan", |c| {
        long_millis(&mut c.filter_data_clean_time_span)
    }),
    field("filterSupportRetry", |c| {
        Slot::Bool(&mut c.filter_support_retry)
    }),
    field("enablePropertyFilter", |c| {
        Slot::Bool(&mut c.enable_property_filter)
    }),
    field("compressedRegister", |c| {
        Slot::Bool(&mut c.compressed_register)
    }),
    field("forceRegister", |c| Slot::Bool(&mut c.force_register)),
    field("registerNameServerPeriod", |c| {
        millis(&mut c.register_period_wanted)
    }),
    field("transactionTimeOut", |c| {
        long_millis(&mut c.transaction_timeout)
    })
    .important(),
    field("transactionCheckMax", |c| {
        Slot::Int(&mut c.transaction_check_max)
    })
    .important(),
    field("transactionCheckInterval", |c| {
        long_millis(&mut c.transaction_check_interval)
    })
    .important(),
    field("aclEnable", |c| Slot::Bool(&mut c.acl_enable)).important(),
    field("storeReplyMessageEnable", |c| {
        Slot::Bool(&mut c.store_reply_message)
    }),
];
