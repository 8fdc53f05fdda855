package golden;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.broker.BrokerController;
import org.apache.rocketmq.broker.filter.CommitLogDispatcherCalcBitMap;
import org.apache.rocketmq.broker.filter.ConsumerFilterManager;
import org.apache.rocketmq.broker.filter.ExpressionMessageFilter;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.filter.ExpressionType;
import org.apache.rocketmq.common.protocol.heartbeat.SubscriptionData;
import org.apache.rocketmq.remoting.netty.NettyClientConfig;
import org.apache.rocketmq.remoting.netty.NettyServerConfig;
import org.apache.rocketmq.store.ConsumeQueue;
import org.apache.rocketmq.store.ConsumeQueueExt;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.GetMessageResult;
import org.apache.rocketmq.store.SelectMappedBufferResult;
import org.apache.rocketmq.store.config.MessageStoreConfig;

/** A store whose queues have an extension, with the bits of three groups' filters in it. */
final class ExtStore {
    private static final String TOPIC = "GoldenExt";
    private static final int EXT_FILE_BYTES = 4096;
    private static final int MESSAGES = 300;
    /** In a record and in a queue entry. */
    private static final int QUEUE_OFFSET_AT = 20;
    private static final int TAGS_CODE_AT = 12;
    private static final String[][] FILTERS = {
        {"golden_small", "n < 30"}, {"golden_third", "third = 'yes' OR n IS NULL"}, {"golden_tagged", "TAGS IN ('TagB', '标签😀')"},
    };

    private ExtStore() {
    }

    static void make(Path folder, Path target) throws Exception {
        MessageStoreConfig config = SmallStore.config(folder);
        config.setEnableConsumeQueueExt(true);
        config.setMappedFileSizeConsumeQueueExt(EXT_FILE_BYTES);
        BrokerConfig broker = new BrokerConfig();
        broker.setBrokerIP1("10.0.0.1");
        broker.setEnableCalcFilterBitMap(true);
        // Is asked for its filters only: it never starts.
        BrokerController controller = new BrokerController(broker, new NettyServerConfig(), new NettyClientConfig(), config);
        ConsumerFilterManager filters = controller.getConsumerFilterManager();
        for (String[] filter : FILTERS) {
            filters.register(TOPIC, filter[0], filter[1], ExpressionType.SQL92, 1_600_000_000_123L);
        }
        filters.persist();
        Thread.sleep(5);

        DefaultMessageStore store = SmallStore.load(config);
        store.getDispatcherList().addFirst(new CommitLogDispatcherCalcBitMap(broker, filters));
        store.start();
        StoreWriter writer = new StoreWriter(store);
        String[] tags = {"TagA", "TagB", "polygenelubricants", "标签😀"};
        for (int n = 0; n < MESSAGES; n++) {
            String[] properties = n % 7 == 6
                ? new String[] {"UNIQ_KEY", Messages.uniqueKey(n)}
                : new String[] {"UNIQ_KEY", Messages.uniqueKey(n), "n", Integer.toString(n), "third", n % 3 == 0 ? "yes" : "no", "TAGS",
                    tags[n % 4]};
            writer.put(null, Messages.text(TOPIC, n % 2, "ext " + n, properties));
            if (n % 10 == 0) {
                writer.put(null, Messages.text("GoldenUnfiltered", 0, "no filter " + n, "TAGS", "TagA"));
            }
        }
        writer.put(null, Messages.text("SCHEDULE_TOPIC_XXXX", 4, "later", "DELAY", "5", "REAL_TOPIC", TOPIC, "REAL_QID", "0"));
        SmallStore.awaitDispatched(store);
        Map<String, Object> facts = new LinkedHashMap<>();
        Map<String, Object> sizes = SmallStore.sizes();
        sizes.put("mappedFileSizeConsumeQueueExt", EXT_FILE_BYTES);
        facts.put("config", sizes);
        facts.put("maxPhysicalOffset", store.getMaxPhyOffset());
        List<Object> groups = new ArrayList<>();
        for (String[] filter : FILTERS) {
            groups.add(group(store, filters, filter));
        }
        facts.put("groups", groups);
        store.shutdown();
        Text.writeJson(target.resolve("ext.expected.json"), facts);
        // The tests of "clean" are about that.
        Golden.delete(folder.resolve("index"));
    }

    /** Queue offsets that the group's bits let through, and those whose messages it gets. */
    private static Map<String, Object> group(DefaultMessageStore store, ConsumerFilterManager filters, String[] filter) {
        SubscriptionData subscription = new SubscriptionData(TOPIC, filter[1]);
        subscription.setExpressionType(ExpressionType.SQL92);
        ExpressionMessageFilter wanted = new ExpressionMessageFilter(subscription, filters.get(TOPIC, filter[0]), filters);
        List<List<Long>> mayWant = new ArrayList<>();
        List<List<Long>> wants = new ArrayList<>();
        for (int queue = 0; queue < 2; queue++) {
            mayWant.add(throughBits(store.findConsumeQueue(TOPIC, queue), wanted));
            List<Long> gets = new ArrayList<>();
            for (long at = 0; at < store.getMaxOffsetInQueue(TOPIC, queue); ) {
                GetMessageResult result = store.getMessage(filter[0], TOPIC, queue, at, 32, wanted);
                for (SelectMappedBufferResult found : result.getMessageMapedList()) {
                    gets.add(found.getByteBuffer().getLong(QUEUE_OFFSET_AT));
                }
                at = result.getNextBeginOffset();
                result.release();
            }
            wants.add(gets);
        }
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("group", filter[0]);
        facts.put("mayWant", mayWant);
        facts.put("wants", wants);
        return facts;
    }

    private static List<Long> throughBits(ConsumeQueue queue, ExpressionMessageFilter wanted) {
        List<Long> all = new ArrayList<>();
        for (long at = 0; at < queue.getMaxOffsetInQueue(); at++) {
            SelectMappedBufferResult entry = queue.getIndexBuffer(at);
            ConsumeQueueExt.CqExtUnit unit = queue.getExt(entry.getByteBuffer().getLong(TAGS_CODE_AT));
            entry.release();
            if (wanted.isMatchedByConsumeQueue(unit.getTagsCode(), unit)) {
                all.add(at);
            }
        }
        return all;
    }
}
