package golden;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.rocketmq.broker.BrokerController;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.filter.FilterAPI;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.protocol.RequestCode;
import org.apache.rocketmq.common.protocol.header.CreateTopicRequestHeader;
import org.apache.rocketmq.common.protocol.header.GetConsumeStatsRequestHeader;
import org.apache.rocketmq.common.protocol.header.GetConsumerConnectionListRequestHeader;
import org.apache.rocketmq.common.protocol.header.GetConsumerListByGroupRequestHeader;
import org.apache.rocketmq.common.protocol.header.GetEarliestMsgStoretimeRequestHeader;
import org.apache.rocketmq.common.protocol.header.GetMaxOffsetRequestHeader;
import org.apache.rocketmq.common.protocol.header.GetMinOffsetRequestHeader;
import org.apache.rocketmq.common.protocol.header.GetProducerConnectionListRequestHeader;
import org.apache.rocketmq.common.protocol.header.GetTopicStatsInfoRequestHeader;
import org.apache.rocketmq.common.protocol.header.PullMessageRequestHeader;
import org.apache.rocketmq.common.protocol.header.QueryConsumerOffsetRequestHeader;
import org.apache.rocketmq.common.protocol.header.QueryMessageRequestHeader;
import org.apache.rocketmq.common.protocol.header.SearchOffsetRequestHeader;
import org.apache.rocketmq.common.protocol.header.SendMessageRequestHeader;
import org.apache.rocketmq.common.protocol.header.SendMessageResponseHeader;
import org.apache.rocketmq.common.protocol.header.UnregisterClientRequestHeader;
import org.apache.rocketmq.common.protocol.header.UpdateConsumerOffsetRequestHeader;
import org.apache.rocketmq.common.protocol.header.ViewMessageRequestHeader;
import org.apache.rocketmq.common.protocol.heartbeat.ConsumeType;
import org.apache.rocketmq.common.protocol.heartbeat.ConsumerData;
import org.apache.rocketmq.common.protocol.heartbeat.HeartbeatData;
import org.apache.rocketmq.common.protocol.heartbeat.MessageModel;
import org.apache.rocketmq.common.protocol.heartbeat.ProducerData;
import org.apache.rocketmq.common.protocol.heartbeat.SubscriptionData;
import org.apache.rocketmq.common.subscription.SubscriptionGroupConfig;
import org.apache.rocketmq.remoting.CommandCustomHeader;
import org.apache.rocketmq.remoting.netty.NettyClientConfig;
import org.apache.rocketmq.remoting.netty.NettyServerConfig;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.RemotingSerializable;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.config.MessageStoreConfig;

/** Talks to a running 4.7.0 broker, keeps what both sides said, and takes the config/*.json it leaves behind. */
final class BrokerFrames {
    private static final String TOPIC = "GoldenTopic";
    private static final String GROUP = "golden_consumer";
    private final Frames frames;
    private final Tcp tcp;

    private BrokerFrames(Frames frames, Tcp tcp) {
        this.frames = frames;
        this.tcp = tcp;
    }

    static void record(Frames frames, Path work, Path config) throws Exception {
        int port = Tcp.freePort();
        BrokerConfig broker = new BrokerConfig();
        broker.setBrokerClusterName("GoldenCluster");
        broker.setBrokerName("broker-a");
        broker.setBrokerIP1("127.0.0.1");
        broker.setBrokerIP2("127.0.0.1");
        broker.setEnablePropertyFilter(true);
        NettyServerConfig server = new NettyServerConfig();
        server.setListenPort(port);
        MessageStoreConfig store = new MessageStoreConfig();
        store.setStorePathRootDir(work.toString());
        store.setStorePathCommitLog(work.resolve("commitlog").toString());
        store.setMappedFileSizeCommitLog(1024 * 1024);
        store.setMappedFileSizeConsumeQueue(20 * 1000);
        store.setMaxHashSlotNum(100);
        store.setMaxIndexNum(400);
        store.setHaListenPort(port + 1);
        BrokerController controller = new BrokerController(broker, server, new NettyClientConfig(), store);
        if (!controller.initialize()) {
            throw new IllegalStateException("broker does not start");
        }
        controller.start();
        try (Tcp tcp = new Tcp(port); Tcp other = new Tcp(port)) {
            new BrokerFrames(frames, tcp).all(other);
            // Written every 10 s, and not at a stop.
            ((DefaultMessageStore) controller.getMessageStore()).getScheduleMessageService().persist();
        } finally {
            controller.shutdown();
        }
        for (String name : new String[] {"topics", "subscriptionGroup", "consumerOffset", "delayOffset", "consumerFilter"}) {
            Files.copy(work.resolve("config").resolve(name + ".json"), config.resolve(name + ".json"));
        }
    }

    private void all(Tcp other) throws Exception {
        setUp();
        heartbeats(other);
        sends();
        pulls();
        offsets();
        queries();
        consoles();
        refusals();
        UnregisterClientRequestHeader gone = new UnregisterClientRequestHeader();
        gone.setClientID("10.0.0.1@100");
        gone.setProducerGroup("golden_producer");
        gone.setConsumerGroup(GROUP);
        exchange("unregister_client", RequestCode.UNREGISTER_CLIENT, gone, null);
    }

    private RemotingCommand exchange(String name, int code, CommandCustomHeader header, byte[] body) throws Exception {
        RemotingCommand request = RemotingCommand.createRequestCommand(code, header);
        request.setBody(body);
        return exchange(name, request);
    }

    private RemotingCommand exchange(String name, RemotingCommand request) throws Exception {
        byte[] reply = tcp.call(request);
        frames.codec(name + "_request", request);
        Map<String, Object> facts = frames.recorded(name + "_reply", "broker", reply);
        RemotingCommand command = Frames.decode(reply);
        if (name.startsWith("pull_found") || name.startsWith("query_message") || name.startsWith("view_message")) {
            facts.put("messages", messages(command.getBody()));
        }
        return command;
    }

    private static List<Object> messages(byte[] body) {
        List<Object> all = new ArrayList<>();
        for (MessageExt message : MessageDecoder.decodes(ByteBuffer.wrap(body))) {
            Map<String, Object> fact = new LinkedHashMap<>();
            fact.put("topic", message.getTopic());
            fact.put("queueId", message.getQueueId());
            fact.put("queueOffset", message.getQueueOffset());
            fact.put("physicalOffset", message.getCommitLogOffset());
            fact.put("storeSize", message.getStoreSize());
            fact.put("flag", message.getFlag());
            fact.put("sysFlag", message.getSysFlag());
            fact.put("bodyHex", Text.hex(message.getBody()));
            fact.put("properties", new TreeMap<>(message.getProperties()));
            all.add(fact);
        }
        return all;
    }

    private void setUp() throws Exception {
        CreateTopicRequestHeader topic = new CreateTopicRequestHeader();
        topic.setTopic(TOPIC);
        topic.setDefaultTopic("TBW102");
        topic.setReadQueueNums(4);
        topic.setWriteQueueNums(4);
        topic.setPerm(6);
        topic.setTopicFilterType("SINGLE_TAG");
        topic.setTopicSysFlag(0);
        topic.setOrder(false);
        exchange("create_topic", RequestCode.UPDATE_AND_CREATE_TOPIC, topic, null);
        SubscriptionGroupConfig group = new SubscriptionGroupConfig();
        group.setGroupName(GROUP);
        group.setRetryQueueNums(2);
        group.setRetryMaxTimes(7);
        exchange("create_group", RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, null, RemotingSerializable.encode(group));
    }

    private static HeartbeatData heartbeat(String clientId) throws Exception {
        HeartbeatData data = new HeartbeatData();
        data.setClientID(clientId);
        for (String group : new String[] {"golden_producer", "CLIENT_INNER_PRODUCER"}) {
            ProducerData producer = new ProducerData();
            producer.setGroupName(group);
            data.getProducerDataSet().add(producer);
        }
        ConsumerData consumer = new ConsumerData();
        consumer.setGroupName(GROUP);
        consumer.setConsumeType(ConsumeType.CONSUME_PASSIVELY);
        consumer.setMessageModel(MessageModel.CLUSTERING);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        SubscriptionData tags = FilterAPI.buildSubscriptionData(GROUP, TOPIC, "TagA || TagB");
        tags.setSubVersion(CodecFrames.BORN_MS);
        SubscriptionData retry = FilterAPI.buildSubscriptionData(GROUP, "%RETRY%" + GROUP, "*");
        retry.setSubVersion(CodecFrames.BORN_MS);
        SubscriptionData sql = FilterAPI.build("GoldenSql", "a > 3 AND b = 'x'", "SQL92");
        sql.setSubVersion(CodecFrames.BORN_MS);
        consumer.getSubscriptionDataSet().add(tags);
        consumer.getSubscriptionDataSet().add(retry);
        consumer.getSubscriptionDataSet().add(sql);
        data.getConsumerDataSet().add(consumer);
        return data;
    }

    private void heartbeats(Tcp other) throws Exception {
        exchange("heartbeat", RequestCode.HEART_BEAT, null, heartbeat("10.0.0.1@100").encode());
        RemotingCommand second = RemotingCommand.createRequestCommand(RequestCode.HEART_BEAT, null);
        second.setBody(heartbeat("10.0.0.2@200").encode());
        other.call(second);
        frames.recorded("consumer_ids_changed_recorded_notice", "broker", tcp.awaitPush(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED));
        GetConsumerListByGroupRequestHeader list = new GetConsumerListByGroupRequestHeader();
        list.setConsumerGroup(GROUP);
        exchange("consumer_list", RequestCode.GET_CONSUMER_LIST_BY_GROUP, list, null);
        list.setConsumerGroup("nobody");
        exchange("consumer_list_missing", RequestCode.GET_CONSUMER_LIST_BY_GROUP, list, null);
    }

    private String sentId;

    private void sends() throws Exception {
        SendMessageRequestHeader header = CodecFrames.sendHeader(TOPIC, 0, CodecFrames.properties("KEYS", "order-1 " + CodecFrames.UNICODE,
            "UNIQ_KEY", "0A000001B0B018B4AAC2000000000011", "WAIT", "true", "TAGS", "TagA"));
        RemotingCommand reply = exchange("send_v2_recorded", CodecFrames.sendV2(header, "first".getBytes(StandardCharsets.UTF_8)));
        sentId = ((SendMessageResponseHeader) reply.decodeCommandCustomHeader(SendMessageResponseHeader.class)).getMsgId();
        header.setProperties(MessageDecoder.messageProperties2String(CodecFrames.properties("TAGS", "TagB",
            "UNIQ_KEY", "0A000001B0B018B4AAC2000000000012", "KEYS", "order-2")));
        header.setFlag(77);
        RemotingCommand v1 = RemotingCommand.createRequestCommand(RequestCode.SEND_MESSAGE, header);
        v1.setBody(CodecFrames.UNICODE.getBytes(StandardCharsets.UTF_8));
        exchange("send_v1_recorded", v1);
        exchange("send_batch_recorded", CodecFrames.batchRequest(TOPIC));
        SendMessageRequestHeader delayed = CodecFrames.sendHeader(TOPIC, 2, CodecFrames.properties("DELAY", "1", "TAGS", "TagA"));
        exchange("send_delayed", CodecFrames.sendV2(delayed, "later".getBytes(StandardCharsets.UTF_8)));
        SendMessageRequestHeader auto = CodecFrames.sendHeader("GoldenAuto", 0, CodecFrames.properties("TAGS", "TagA"));
        exchange("send_to_new_topic", CodecFrames.sendV2(auto, "auto".getBytes(StandardCharsets.UTF_8)));
        // The dispatcher has the queue entries ready well within this; the delayed message is due after 1 s.
        Thread.sleep(2500);
    }

    private static PullMessageRequestHeader pull(int queueId, long offset, String tags) {
        PullMessageRequestHeader header = new PullMessageRequestHeader();
        header.setConsumerGroup(GROUP);
        header.setTopic(TOPIC);
        header.setQueueId(queueId);
        header.setQueueOffset(offset);
        header.setMaxMsgNums(32);
        // 1 commit, 4 inline subscription; without 2 nothing is held.
        header.setSysFlag(1 | 4);
        header.setCommitOffset(offset);
        header.setSuspendTimeoutMillis(15000L);
        header.setSubscription(tags);
        header.setSubVersion(CodecFrames.BORN_MS);
        header.setExpressionType("TAG");
        return header;
    }

    private void pulls() throws Exception {
        exchange("pull_found", RequestCode.PULL_MESSAGE, pull(0, 0, "*"), null);
        exchange("pull_found_batch", RequestCode.PULL_MESSAGE, pull(1, 0, "*"), null);
        exchange("pull_found_delayed", RequestCode.PULL_MESSAGE, pull(2, 0, "TagA"), null);
        exchange("pull_not_found", RequestCode.PULL_MESSAGE, pull(0, 2, "*"), null);
        exchange("pull_retry_immediately", RequestCode.PULL_MESSAGE, pull(0, 0, "NoSuchTag"), null);
        exchange("pull_offset_moved", RequestCode.PULL_MESSAGE, pull(0, 1000, "*"), null);
    }

    private void offsets() throws Exception {
        UpdateConsumerOffsetRequestHeader update = new UpdateConsumerOffsetRequestHeader();
        update.setConsumerGroup(GROUP);
        update.setTopic(TOPIC);
        update.setQueueId(0);
        update.setCommitOffset(2L);
        exchange("update_consumer_offset", RequestCode.UPDATE_CONSUMER_OFFSET, update, null);
        update.setQueueId(1);
        update.setCommitOffset(1L);
        RemotingCommand oneWay = RemotingCommand.createRequestCommand(RequestCode.UPDATE_CONSUMER_OFFSET, update);
        oneWay.markOnewayRPC();
        oneWay.setOpaque(50);
        frames.codec("update_consumer_offset_one_way", oneWay);

        QueryConsumerOffsetRequestHeader query = new QueryConsumerOffsetRequestHeader();
        query.setConsumerGroup(GROUP);
        query.setTopic(TOPIC);
        query.setQueueId(0);
        exchange("query_consumer_offset", RequestCode.QUERY_CONSUMER_OFFSET, query, null);
        query.setQueueId(0);
        query.setConsumerGroup("group_without_offsets");
        exchange("query_consumer_offset_new_group", RequestCode.QUERY_CONSUMER_OFFSET, query, null);
        query.setTopic("NoSuchTopic");
        exchange("query_consumer_offset_missing", RequestCode.QUERY_CONSUMER_OFFSET, query, null);

        SearchOffsetRequestHeader search = new SearchOffsetRequestHeader();
        search.setTopic(TOPIC);
        search.setQueueId(0);
        search.setTimestamp(CodecFrames.BORN_MS);
        exchange("search_offset", RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, search, null);
        GetMaxOffsetRequestHeader max = new GetMaxOffsetRequestHeader();
        max.setTopic(TOPIC);
        max.setQueueId(0);
        exchange("max_offset", RequestCode.GET_MAX_OFFSET, max, null);
        GetMinOffsetRequestHeader min = new GetMinOffsetRequestHeader();
        min.setTopic(TOPIC);
        min.setQueueId(0);
        exchange("min_offset", RequestCode.GET_MIN_OFFSET, min, null);
        GetEarliestMsgStoretimeRequestHeader earliest = new GetEarliestMsgStoretimeRequestHeader();
        earliest.setTopic(TOPIC);
        earliest.setQueueId(0);
        exchange("earliest_store_time", RequestCode.GET_EARLIEST_MSG_STORETIME, earliest, null);
    }

    private void queries() throws Exception {
        QueryMessageRequestHeader query = new QueryMessageRequestHeader();
        query.setTopic(TOPIC);
        query.setKey("order-2");
        query.setMaxNum(32);
        query.setBeginTimestamp(0L);
        query.setEndTimestamp(Long.MAX_VALUE);
        exchange("query_message", RequestCode.QUERY_MESSAGE, query, null);
        ViewMessageRequestHeader view = new ViewMessageRequestHeader();
        view.setOffset(MessageDecoder.decodeMessageId(sentId).getOffset());
        exchange("view_message_by_id", RequestCode.VIEW_MESSAGE_BY_ID, view, null);
    }

    private void consoles() throws Exception {
        GetTopicStatsInfoRequestHeader stats = new GetTopicStatsInfoRequestHeader();
        stats.setTopic(TOPIC);
        exchange("topic_stats", RequestCode.GET_TOPIC_STATS_INFO, stats, null);
        GetConsumeStatsRequestHeader consume = new GetConsumeStatsRequestHeader();
        consume.setConsumerGroup(GROUP);
        exchange("consume_stats", RequestCode.GET_CONSUME_STATS, consume, null);
        GetConsumerConnectionListRequestHeader consumers = new GetConsumerConnectionListRequestHeader();
        consumers.setConsumerGroup(GROUP);
        exchange("consumer_connections", RequestCode.GET_CONSUMER_CONNECTION_LIST, consumers, null);
        GetProducerConnectionListRequestHeader producers = new GetProducerConnectionListRequestHeader();
        producers.setProducerGroup("golden_producer");
        exchange("producer_connections", RequestCode.GET_PRODUCER_CONNECTION_LIST, producers, null);
        exchange("all_consumer_offsets", RequestCode.GET_ALL_CONSUMER_OFFSET, null, null);
        exchange("all_delay_offsets", RequestCode.GET_ALL_DELAY_OFFSET, null, null);
        exchange("all_topic_configs", RequestCode.GET_ALL_TOPIC_CONFIG, null, null);
        exchange("all_groups", RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, null, null);
        exchange("broker_runtime", RequestCode.GET_BROKER_RUNTIME_INFO, null, null);
    }

    private void refusals() throws Exception {
        PullMessageRequestHeader pull = pull(0, 0, "*");
        pull.setTopic("NoSuchTopic");
        exchange("pull_from_missing_topic", RequestCode.PULL_MESSAGE, pull, null);
        pull = pull(99, 0, "*");
        exchange("pull_from_missing_queue", RequestCode.PULL_MESSAGE, pull, null);
        pull = pull(0, 0, "*");
        pull.setSysFlag(0);
        pull.setConsumerGroup("group_offline");
        exchange("pull_by_unknown_group", RequestCode.PULL_MESSAGE, pull, null);
        SendMessageRequestHeader bad = CodecFrames.sendHeader("bad topic \"" + CodecFrames.UNICODE, 0, CodecFrames.properties("TAGS", "TagA"));
        exchange("send_to_bad_topic", CodecFrames.sendV2(bad, new byte[] {1}));
        SendMessageRequestHeader missing = CodecFrames.sendHeader("NoSuchTopic", 0, CodecFrames.properties("TAGS", "TagA"));
        missing.setDefaultTopic("NoTemplate");
        exchange("send_to_missing_topic", CodecFrames.sendV2(missing, new byte[] {1}));
        // No ext fields at all where the processor needs them: the exception's text.
        exchange("send_without_fields", RequestCode.SEND_MESSAGE_V2, null, new byte[] {1});
        ViewMessageRequestHeader view = new ViewMessageRequestHeader();
        view.setOffset(999_999_999L);
        exchange("no_message_at_offset", RequestCode.VIEW_MESSAGE_BY_ID, view, null);
    }
}
