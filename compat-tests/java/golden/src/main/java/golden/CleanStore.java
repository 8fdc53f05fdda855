package golden;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.broker.BrokerController;
import org.apache.rocketmq.broker.transaction.queue.TransactionalMessageBridge;
import org.apache.rocketmq.broker.transaction.queue.TransactionalMessageUtil;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.UtilAll;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.sysflag.MessageSysFlag;
import org.apache.rocketmq.remoting.netty.NettyClientConfig;
import org.apache.rocketmq.remoting.netty.NettyServerConfig;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.MessageExtBrokerInner;
import org.apache.rocketmq.store.PutMessageResult;
import org.apache.rocketmq.store.config.MessageStoreConfig;

/** A store with every kind of record, four log files, stopped in good order. */
final class CleanStore {
    private static final String TOPIC = "GoldenTopic";
    private final DefaultMessageStore store;
    private final StoreWriter writer;

    private CleanStore(DefaultMessageStore store) {
        this.store = store;
        this.writer = new StoreWriter(store);
    }

    static void make(Path folder, Path target) throws Exception {
        DefaultMessageStore store = SmallStore.open(folder);
        CleanStore clean = new CleanStore(store);
        clean.named();
        clean.hosts();
        clean.transactions();
        clean.delayed();
        clean.rolls();
        SmallStore.awaitDispatched(store);
        StoreFacts reader = new StoreFacts(store, clean.writer.names);
        Map<String, Object> facts = reader.all();
        for (Map.Entry<String, long[]> span : clean.writer.spans.entrySet()) {
            Text.writeHex(target.resolve("records").resolve(span.getKey() + ".hex"), bytes(reader, span.getValue()));
        }
        store.shutdown();
        facts.put("checkpoint", checkpoint(folder));
        facts.put("indexFiles", indexFiles(folder));
        Text.writeJson(target.resolve("clean.expected.json"), facts);
    }

    /** A batch lies in the log as one record after the other. */
    private static byte[] bytes(StoreFacts reader, long[] span) {
        ByteBuffer all = ByteBuffer.allocate((int) span[1]);
        long at = span[0];
        while (all.hasRemaining()) {
            byte[] record = reader.record(at);
            all.put(record);
            at += record.length;
        }
        return all.array();
    }

    private void named() throws Exception {
        MessageExtBrokerInner plain = Messages.text(TOPIC, 0, "plain body", "KEYS", "order-1", "UNIQ_KEY", Messages.uniqueKey(1),
            "WAIT", "true", "TAGS", "TagA");
        plain.setFlag(7);
        writer.put("plain_record", plain);
        writer.put("empty_body", Messages.text(TOPIC, 0, "", "KEYS", "order-2", "UNIQ_KEY", Messages.uniqueKey(2), "TAGS", "TagB"));
        writer.put("one_byte_body", Messages.message(TOPIC, 0, new byte[] {(byte) 0x80}, CodecFrames.properties("UNIQ_KEY",
            Messages.uniqueKey(3))));
        writer.put("thousand_byte_body", Messages.message(TOPIC, 0, Messages.pattern(0, 1000), CodecFrames.properties("TAGS", "TagA",
            "UNIQ_KEY", Messages.uniqueKey(4))));
        writer.put("no_properties", Messages.text(TOPIC, 0, "bare"));
        writer.put("several_keys", Messages.text(TOPIC, 0, "keys", "KEYS", "alpha beta  gamma alpha", "UNIQ_KEY", Messages.uniqueKey(5)));
        MessageExtBrokerInner unicode = Messages.text(TOPIC, 0, CodecFrames.UNICODE, "KEYS", "ключ 键 😀", "UNIQ_KEY",
            Messages.uniqueKey(6), "TAGS", "标签😀", CodecFrames.UNICODE, CodecFrames.UNICODE);
        unicode.setFlag(-1);
        writer.put("unicode", unicode);
        // "GoldenTopic#hcbhahje" and this tag both hash to Integer.MIN_VALUE.
        if (("GoldenTopic#hcbhahje").hashCode() != Integer.MIN_VALUE || "polygenelubricants".hashCode() != Integer.MIN_VALUE) {
            throw new IllegalStateException("hashes");
        }
        writer.put("smallest_hashes", Messages.text(TOPIC, 0, "hash", "KEYS", "hcbhahje", "TAGS", "polygenelubricants"));
        byte[] big = Messages.pattern(3, 5000);
        MessageExtBrokerInner compressed = Messages.message(TOPIC, 1, UtilAll.compress(big, 5), CodecFrames.properties("KEYS", "zip",
            "UNIQ_KEY", Messages.uniqueKey(7), "TAGS", "TagA"));
        compressed.setSysFlag(MessageSysFlag.COMPRESSED_FLAG);
        writer.put("compressed", compressed);
        MessageExtBrokerInner multi = Messages.text(TOPIC, 1, "multi tags", "TAGS", "TagA||TagB");
        multi.setSysFlag(MessageSysFlag.MULTI_TAGS_FLAG);
        writer.put("multi_tags", multi);
        writer.put("batch_of_three", Messages.batch(TOPIC, 1));
        MessageExtBrokerInner retry = Messages.text("%RETRY%golden_consumer", 0, "again", "RETRY_TOPIC", TOPIC, "ORIGIN_MESSAGE_ID",
            "0A000001000029FF0000000000000000", "REAL_TOPIC", "%RETRY%golden_consumer", "KEYS", "order-1", "TAGS", "TagA");
        retry.setReconsumeTimes(3);
        writer.put("retried", retry);
    }

    private void hosts() throws Exception {
        MessageExtBrokerInner both = Messages.text(TOPIC, 2, "both hosts IPv6", "KEYS", "v6", "UNIQ_KEY", Messages.uniqueKey(8), "TAGS", "TagA");
        both.setBornHost(Messages.BORN_V6);
        both.setStoreHost(Messages.STORE_V6);
        writer.put("ipv6_hosts", both);
        MessageExtBrokerInner born = Messages.text(TOPIC, 2, "born on IPv6", "TAGS", "TagB");
        born.setBornHost(Messages.BORN_V6);
        writer.put("ipv6_born_host", born);
        MessageExtBrokerInner stored = Messages.text(TOPIC, 2, "stored on IPv6", "TAGS", "TagB");
        stored.setStoreHost(Messages.STORE_V6);
        writer.put("ipv6_store_host", stored);
        // The asynchronous put sets no IPv6 flag: 4.7.0 then overruns its 8 byte host buffer and stores nothing.
        MessageExtBrokerInner async = Messages.text(TOPIC, 2, "not stored");
        async.setBornHost(Messages.BORN_V6);
        try {
            store.asyncPutMessage(async).get();
            throw new IllegalStateException("4.7.0 stored an IPv6 host through asyncPutMessage");
        } catch (java.nio.BufferOverflowException expected) {
            // as described above
        }
    }

    private void transactions() throws Exception {
        BrokerConfig config = new BrokerConfig();
        config.setBrokerIP1("10.0.0.1");
        config.setBrokerName("broker-a");
        NettyServerConfig server = new NettyServerConfig();
        server.setListenPort(10911);
        BrokerController controller = new BrokerController(config, server, new NettyClientConfig(), new MessageStoreConfig());
        TransactionalMessageBridge bridge = new TransactionalMessageBridge(controller, store);

        MessageExt committed = half(bridge, "half_to_commit", 9);
        MessageExtBrokerInner real = Messages.message(TOPIC, 3, committed.getBody(), committed.getProperties());
        MessageAccessor.clearProperty(real, "TRAN_MSG");
        MessageAccessor.clearProperty(real, "REAL_TOPIC");
        MessageAccessor.clearProperty(real, "REAL_QID");
        real.setSysFlag(MessageSysFlag.TRANSACTION_COMMIT_TYPE);
        real.setPreparedTransactionOffset(committed.getCommitLogOffset());
        writer.put("committed", real);
        operation(bridge, "operation_for_commit", committed);

        MessageExt rolledBack = half(bridge, "half_to_roll_back", 10);
        operation(bridge, "operation_for_roll_back", rolledBack);
        half(bridge, "half_left_open", 11);

        // Records of the transaction types that only very old producers' brokers wrote: no queue entry.
        MessageExtBrokerInner prepared = Messages.text(TOPIC, 3, "prepared", "KEYS", "tx-old", "TAGS", "TagA");
        prepared.setSysFlag(MessageSysFlag.TRANSACTION_PREPARED_TYPE);
        writer.put("prepared_type", prepared);
        MessageExtBrokerInner rollback = Messages.text(TOPIC, 3, "rolled back", "KEYS", "tx-old-rollback", "TAGS", "TagA");
        rollback.setSysFlag(MessageSysFlag.TRANSACTION_ROLLBACK_TYPE);
        writer.put("rollback_type", rollback);
    }

    private MessageExt half(TransactionalMessageBridge bridge, String name, int number) throws Exception {
        MessageExtBrokerInner half = Messages.text(TOPIC, 3, name, "KEYS", "tx-" + number, "UNIQ_KEY", Messages.uniqueKey(number),
            "TRAN_MSG", "true", "PGROUP", "golden_producer", "TAGS", "TagA");
        half.setSysFlag(MessageSysFlag.TRANSACTION_PREPARED_TYPE);
        PutMessageResult result = bridge.putHalfMessage(half);
        long offset = result.getAppendMessageResult().getWroteOffset();
        remember(name, offset);
        return store.lookMessageByOffset(offset);
    }

    private void operation(TransactionalMessageBridge bridge, String name, MessageExt half) throws Exception {
        long offset = store.getMaxPhyOffset();
        if (!bridge.putOpMessage(half, TransactionalMessageUtil.REMOVETAG)) {
            throw new IllegalStateException("op message not stored");
        }
        remember(name, offset);
    }

    private void remember(String name, long offset) {
        writer.names.put(offset, name);
        writer.spans.put(name, new long[] {offset, store.getMaxPhyOffset() - offset});
    }

    private void delayed() throws Exception {
        writer.put("delayed_two_hours", delayed(18));
        writer.put("delayed_past_last_level", delayed(99));
        writer.put("delayed_one_second", delayed(1));
        long from = store.getMaxPhyOffset();
        while (store.getMaxPhyOffset() == from) {
            Thread.sleep(20);
        }
        writer.names.put(from, "delivered_after_one_second");
        writer.spans.put("delivered_after_one_second", new long[] {from, store.getMaxPhyOffset() - from});
    }

    private MessageExtBrokerInner delayed(int level) {
        return Messages.text("GoldenDelay", 0, "level " + level, "KEYS", "delay-" + level, "DELAY", String.valueOf(level), "TAGS", "TagA");
    }

    /** Three ways into the next file: a single message, one that fits to the last byte, a batch. */
    private void rolls() throws Exception {
        writer.fillUntilLeft(600);
        writer.put("first_of_second_file", Messages.message(TOPIC, 0, Messages.pattern(1, 2000), CodecFrames.properties("KEYS", "roll-1")));
        writer.fillUntilLeft(900);
        writer.fillToLeave("leaves_eight_bytes", 8);
        writer.put("first_of_third_file", Messages.text(TOPIC, 0, "after the smallest blank", "KEYS", "roll-2"));
        writer.fillUntilLeft(300);
        writer.fillToLeave("leaves_300_bytes", 300);
        writer.put("batch_rolls_over", Messages.batch(TOPIC, 0));
        writer.fill(20);
        writer.put("last", Messages.text(TOPIC, 0, "last", "KEYS", "last", "TAGS", "TagA"));
    }

    static Map<String, Object> checkpoint(Path folder) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(folder.resolve("checkpoint")));
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("physicMsgTimestamp", bytes.getLong());
        facts.put("logicsMsgTimestamp", bytes.getLong());
        facts.put("indexMsgTimestamp", bytes.getLong());
        return facts;
    }

    static List<Object> indexFiles(Path folder) throws IOException {
        List<Path> files = new ArrayList<>();
        try (java.nio.file.DirectoryStream<Path> all = Files.newDirectoryStream(folder.resolve("index"))) {
            all.forEach(files::add);
        }
        java.util.Collections.sort(files);
        List<Object> facts = new ArrayList<>();
        for (Path file : files) {
            ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file));
            Map<String, Object> fact = new LinkedHashMap<>();
            fact.put("name", file.getFileName().toString());
            fact.put("beginTimestamp", bytes.getLong());
            fact.put("endTimestamp", bytes.getLong());
            fact.put("beginPhysicalOffset", bytes.getLong());
            fact.put("endPhysicalOffset", bytes.getLong());
            fact.put("hashSlotCount", bytes.getInt());
            fact.put("indexCount", bytes.getInt());
            facts.add(fact);
        }
        return facts;
    }
}
