//! Java's `BrokerConfig` as plain data: who the broker is, what it allows, how it waits.
//!
//! Every field names its Java key, its unit and its default of 4.7.0. Keys that Java reads and that have nothing to
//! act on here are kept in [`Accepted`], so that they are still read and shown.
//! Java 4.7.0 `common/BrokerConfig.java`.

use std::path::PathBuf;
use std::time::Duration;

use super::accepted::Accepted;
use super::environment::Environment;
use super::sockets::{ClientSettings, ServerSettings};

/// Everything a broker is told before it starts. [`super::load`] fills it from a file and the command line.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// `rocketmqHome`: installation directory, `ROCKETMQ_HOME` by default. Nothing here depends on it.
    pub rocketmq_home: Option<String>,
    /// `namesrvAddr`: name servers, `host:port` separated by `;`. Default: `NAMESRV_ADDR`, else none.
    pub namesrv_addr: Option<String>,
    /// `brokerIP1`: address that is registered and stored as store host. `None`: chosen by [`crate::address`].
    pub broker_ip1: Option<String>,
    /// `brokerIP2`: address registered for replication. `None`: chosen by [`crate::address`].
    pub broker_ip2: Option<String>,
    /// `brokerName`: name of the set of one master and its slaves. Default: the host name.
    pub broker_name: String,
    /// `brokerClusterName`. Default `DefaultCluster`.
    pub cluster_name: String,
    /// `brokerId`: 0 is the master, above 0 a slave. Default 0; forced to 0 for both master roles.
    pub broker_id: i64,
    /// `brokerPermission`: 4 read, 2 write; other than 6 it covers every topic's permission in the registration. Default 6.
    pub broker_permission: i32,
    /// `defaultTopicQueueNums`: queues of the template topic `TBW102`. Default 8.
    pub default_topic_queue_nums: i32,
    /// `autoCreateTopicEnable`: sends may create topics. Default true.
    pub auto_create_topic: bool,
    /// `clusterTopicEnable`: the topic named like the cluster is readable and writable. Default true.
    pub cluster_topic_enable: bool,
    /// `brokerTopicEnable`: the topic named like the broker is readable and writable. Default true.
    pub broker_topic_enable: bool,
    /// `autoCreateSubscriptionGroup`: an unknown consumer group is made on first use. Default true.
    pub auto_create_subscription_group: bool,
    /// `msgTraceTopicName`: topic that traces are sent to. Default `RMQ_SYS_TRACE_TOPIC`.
    pub trace_topic_name: String,
    /// `traceTopicEnable`: make the trace topic at the start. Default false.
    pub trace_topic_enable: bool,
    /// `flushConsumerOffsetInterval`: pause between writes of consumerOffset.json. Milliseconds; default 5000.
    pub flush_consumer_offset_interval: Duration,
    /// `flushDelayOffsetInterval`: pause between savings of how far delayed messages are delivered. Milliseconds; default 10000.
    pub flush_delay_offset_interval: Duration,
    /// `rejectTransactionMessage`: refuse half messages with code 16. Default false.
    pub reject_transaction_message: bool,
    /// `fetchNamesrvAddrByAddressServer`: ask the address server while `namesrvAddr` is unset. Default false.
    pub fetch_namesrv_addr: bool,
    /// `longPollingEnable`: hold an empty pull as long as its client asks. Default true.
    pub long_polling_enable: bool,
    /// `shortPollingTimeMills`: how long an empty pull is held when long polling is off. Milliseconds; default 1000.
    pub short_polling: Duration,
    /// `notifyConsumerIdsChangedEnable`: tell the members of a group when it changes (code 40). Default true.
    pub notify_consumer_ids_changed: bool,
    /// `regionId`: property `MSG_REGION` of stored messages and field of the send reply. Default `DefaultRegion`.
    pub region_id: String,
    /// `registerBrokerTimeoutMills`: how long a name server may take to answer a registration. Milliseconds; default 6000.
    pub register_timeout: Duration,
    /// `slaveReadEnable`: a consumer far behind may be sent to a slave. Default false.
    pub slave_read_enable: bool,
    /// `brokerFastFailureEnable`: answer requests that waited too long with "broker busy". Default true.
    pub fast_failure_enable: bool,
    /// `waitTimeMillsInSendQueue`: too long for a send. Milliseconds; default 200.
    pub wait_in_send_queue: Duration,
    /// `waitTimeMillsInPullQueue`: too long for a pull. Milliseconds; default 5000.
    pub wait_in_pull_queue: Duration,
    /// `waitTimeMillsInHeartbeatQueue`: too long for a heartbeat. Milliseconds; default 31000.
    pub wait_in_heartbeat_queue: Duration,
    /// `waitTimeMillsInTransactionQueue`: too long for the end of a transaction. Milliseconds; default 3000.
    pub wait_in_transaction_queue: Duration,
    /// `sendThreadPoolQueueCapacity`: how many sends may wait for the log. Default 10000.
    pub send_queue_capacity: u32,
    /// `startAcceptSendRequestTimeStamp`: sends before this moment are refused. Milliseconds since 1970; default 0.
    pub accept_sends_from_ms: i64,
    /// `traceOn`: property and reply field `TRACE_ON`. Default true.
    pub trace_on: bool,
    /// `compressedRegister`: zlib body of the registration. Default false.
    pub compressed_register: bool,
    /// `forceRegister`: register every time, without asking the name server whether anything changed. Default true.
    pub force_register: bool,
    /// `registerNameServerPeriod`: pause between registrations, as written. Milliseconds; default 30000.
    /// What is used is [`BrokerConfig::register_period`].
    pub register_period_wanted: Duration,
    /// `syncFlushTimeout`: how long a send waits for its flush, or for the slave. Milliseconds; default 5000.
    pub sync_flush_timeout: Duration,
    /// `defaultQueryMaxNum`: most hits of a query by unique key. Default 32.
    pub query_unique_max_hits: u32,
    /// `enablePropertyFilter`: allow SQL92 subscriptions. Default false.
    pub enable_property_filter: bool,
    /// `filterSupportRetry`: hold messages that come back against the group's filter again. Default false.
    pub filter_support_retry: bool,
    /// `enableCalcFilterBitMap`: work out beside each queue entry which groups want its message. Default false.
    pub calc_filter_bit_map: bool,
    /// `expectConsumerNumUseFilter`: groups the bloom filter is made for. Default 32.
    pub expect_consumers_with_filter: i32,
    /// `maxErrorRateOfBloomFilter`: percent of groups it may mistake. Default 20.
    pub max_error_rate_of_bloom_filter: i32,
    /// `filterDataCleanTimeSpan`: how long the filter of a group that is gone is kept. Milliseconds; default 86400000.
    pub filter_data_clean_time_span: Duration,
    /// `transactionTimeOut`: age at which a half message is first asked about. Milliseconds; default 6000.
    pub transaction_timeout: Duration,
    /// `transactionCheckMax`: a half message that was asked about so often is given up. Default 15.
    pub transaction_check_max: i32,
    /// `transactionCheckInterval`: pause between checks of half messages. Milliseconds; default 60000.
    pub transaction_check_interval: Duration,
    /// `storeReplyMessageEnable`: replies to request messages are stored in their topic, too. Default true.
    pub store_reply_message: bool,
    /// `aclEnable`: check access keys. Default false.
    pub acl_enable: bool,
    /// `enableDLegerCommitLog`: keep the log by Raft. Default false; not done here, see [`super::settle`].
    pub dledger_enable: bool,
    /// `rmqAddressServerDomain`: address server asked for name servers, `host[:port]`. Default `jmenv.tbsite.net`.
    pub address_server_domain: String,
    /// `rmqAddressServerSubGroup`: last part of its path. Default `nsaddr`.
    pub address_server_sub_group: String,

    /// Listening side, Java's `NettyServerConfig`.
    pub server: ServerSettings,
    /// Calling side, Java's `NettyClientConfig`.
    pub client: ClientSettings,
    /// The store, Java's `MessageStoreConfig`.
    pub store: store::StoreConfig,
    /// Keys of all four Java objects that are read and shown, and act on nothing.
    pub accepted: Accepted,
}

impl Default for BrokerConfig {
    /// Java's defaults on this machine, with no environment variable looked at.
    fn default() -> Self {
        BrokerConfig::new(&Environment::of_this_host())
    }
}

impl BrokerConfig {
    /// Java's defaults as `BrokerStartup` prepares them: port 10911, socket buffers of 131072 bytes.
    #[must_use]
    pub fn new(environment: &Environment) -> Self {
        let ms = Duration::from_millis;
        BrokerConfig {
            rocketmq_home: environment.rocketmq_home.clone(),
            namesrv_addr: environment.namesrv_addr.clone(),
            broker_ip1: None,
            broker_ip2: None,
            broker_name: environment.host_name.clone(),
            cluster_name: "DefaultCluster".to_owned(),
            broker_id: 0,
            broker_permission: 6,
            default_topic_queue_nums: 8,
            auto_create_topic: true,
            cluster_topic_enable: true,
            broker_topic_enable: true,
            auto_create_subscription_group: true,
            trace_topic_name: "RMQ_SYS_TRACE_TOPIC".to_owned(),
            trace_topic_enable: false,
            flush_consumer_offset_interval: ms(5_000),
            flush_delay_offset_interval: ms(10_000),
            reject_transaction_message: false,
            fetch_namesrv_addr: false,
            long_polling_enable: true,
            short_polling: ms(1_000),
            notify_consumer_ids_changed: true,
            region_id: "DefaultRegion".to_owned(),
            register_timeout: ms(6_000),
            slave_read_enable: false,
            fast_failure_enable: true,
            wait_in_send_queue: ms(200),
            wait_in_pull_queue: ms(5_000),
            wait_in_heartbeat_queue: ms(31_000),
            wait_in_transaction_queue: ms(3_000),
            send_queue_capacity: 10_000,
            accept_sends_from_ms: 0,
            trace_on: true,
            compressed_register: false,
            force_register: true,
            register_period_wanted: ms(30_000),
            sync_flush_timeout: ms(5_000),
            query_unique_max_hits: 32,
            enable_property_filter: false,
            filter_support_retry: false,
            calc_filter_bit_map: false,
            expect_consumers_with_filter: 32,
            max_error_rate_of_bloom_filter: 20,
            filter_data_clean_time_span: ms(86_400_000),
            transaction_timeout: ms(6_000),
            transaction_check_max: 15,
            transaction_check_interval: ms(60_000),
            store_reply_message: true,
            acl_enable: false,
            dledger_enable: false,
            address_server_domain: "jmenv.tbsite.net".to_owned(),
            address_server_sub_group: "nsaddr".to_owned(),
            server: ServerSettings::default(),
            client: ClientSettings::default(),
            store: store_defaults(environment),
            accepted: Accepted::new(environment.cpus),
        }
    }

    /// Pause between registrations: `registerNameServerPeriod`, held between 10 s and 60 s.
    /// Java 4.7.0 `broker/BrokerController.java`, `start`.
    #[must_use]
    pub fn register_period(&self) -> Duration {
        self.register_period_wanted
            .clamp(Duration::from_secs(10), Duration::from_secs(60))
    }

    /// Where a table is kept: `name` in the folder config below the store's root.
    /// Java 4.7.0 `broker/BrokerPathConfigHelper.java`.
    #[must_use]
    pub fn table_file(&self, name: &str) -> PathBuf {
        self.store.root_dir.join("config").join(name)
    }

    /// The name servers one by one, blanks and empty places left out.
    pub fn name_servers(&self) -> impl Iterator<Item = &str> {
        let list = self.namesrv_addr.as_deref().unwrap_or_default();
        list.split(';')
            .map(str::trim)
            .filter(|addr| !addr.is_empty())
    }
}

/// The store's defaults below Java's `user.home` of `environment`.
pub(super) fn store_defaults(environment: &Environment) -> store::StoreConfig {
    store::StoreConfig::at(environment.user_home.join("store"))
}
