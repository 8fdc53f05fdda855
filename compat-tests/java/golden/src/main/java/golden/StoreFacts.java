package golden;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentMap;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.store.ConsumeQueue;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.GetMessageResult;
import org.apache.rocketmq.store.QueryMessageResult;
import org.apache.rocketmq.store.SelectMappedBufferResult;

/** What 4.7.0 itself reads out of a store: the contents of expected.json. */
final class StoreFacts {
    private static final int BLANK_MAGIC = 0xCBD43194;
    private final DefaultMessageStore store;
    private final Map<Long, String> names;
    private final List<Map<String, Object>> messages = new ArrayList<>();
    private final List<Object> blanks = new ArrayList<>();

    StoreFacts(DefaultMessageStore store, Map<Long, String> names) {
        this.store = store;
        this.names = names;
    }

    Map<String, Object> all() {
        walkLog();
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("config", SmallStore.sizes());
        facts.put("minPhysicalOffset", store.getMinPhyOffset());
        facts.put("maxPhysicalOffset", store.getMaxPhyOffset());
        facts.put("queues", queues());
        facts.put("reads", reads());
        facts.put("byTime", byTime());
        facts.put("byKey", byKey());
        facts.put("blanks", blanks);
        facts.put("messages", messages);
        return facts;
    }

    Map<String, Object> limits() {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("minPhysicalOffset", store.getMinPhyOffset());
        facts.put("maxPhysicalOffset", store.getMaxPhyOffset());
        facts.put("queues", queues());
        return facts;
    }

    byte[] record(long offset) {
        SelectMappedBufferResult found = store.selectOneMessageByOffset(offset);
        try {
            byte[] bytes = new byte[found.getSize()];
            found.getByteBuffer().get(bytes);
            return bytes;
        } finally {
            found.release();
        }
    }

    private void walkLog() {
        long offset = store.getMinPhyOffset();
        while (offset < store.getMaxPhyOffset()) {
            SelectMappedBufferResult data = store.getCommitLogData(offset);
            int size = data.getByteBuffer().getInt(0);
            int magic = data.getByteBuffer().getInt(4);
            data.release();
            if (magic == BLANK_MAGIC) {
                Map<String, Object> blank = new LinkedHashMap<>();
                blank.put("physicalOffset", offset);
                blank.put("size", size);
                blanks.add(blank);
            } else {
                messages.add(message(record(offset)));
            }
            offset += size;
        }
    }

    private Map<String, Object> message(byte[] record) {
        MessageExt message = MessageDecoder.decode(ByteBuffer.wrap(record), true, false);
        int propertiesLength = propertiesLength(record, message);
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("name", names.get(message.getCommitLogOffset()));
        facts.put("physicalOffset", message.getCommitLogOffset());
        facts.put("size", message.getStoreSize());
        facts.put("topic", message.getTopic());
        facts.put("queueId", message.getQueueId());
        facts.put("queueOffset", message.getQueueOffset());
        facts.put("sysFlag", message.getSysFlag());
        facts.put("storeTimestamp", message.getStoreTimestamp());
        facts.put("bodyCrc", message.getBodyCRC());
        // as stored: the decoder was told not to inflate
        byte[] body = message.getBody() == null ? new byte[0] : message.getBody();
        facts.put("bodyLength", body.length);
        facts.put("propertiesString", new String(record, record.length - propertiesLength, propertiesLength, StandardCharsets.UTF_8));
        if (names.containsKey(message.getCommitLogOffset())) {
            addRest(facts, message, body);
        }
        facts.put("queueEntry", queueEntry(message));
        return facts;
    }

    /** What a test needs to write the same record again; the others are all alike in it. */
    private static void addRest(Map<String, Object> facts, MessageExt message, byte[] body) {
        facts.put("flag", message.getFlag());
        facts.put("bornTimestamp", message.getBornTimestamp());
        facts.put("bornHost", address(message.getBornHost()));
        facts.put("storeHost", address(message.getStoreHost()));
        facts.put("reconsumeTimes", message.getReconsumeTimes());
        facts.put("preparedTransactionOffset", message.getPreparedTransactionOffset());
        facts.put("bodyHex", Text.hex(body));
        facts.put("msgId", message.getMsgId());
        facts.put("properties", message.getProperties() == null ? new TreeMap<>() : new TreeMap<>(message.getProperties()));
        facts.put("tags", message.getTags());
        facts.put("keys", message.getKeys());
    }

    private static int propertiesLength(byte[] record, MessageExt message) {
        int hosts = ((message.getSysFlag() & 0x10) == 0 ? 8 : 20) + ((message.getSysFlag() & 0x20) == 0 ? 8 : 20);
        int beforeBody = 4 + 4 + 4 + 4 + 4 + 8 + 8 + 4 + 8 + 8 + 4 + 8 + hosts;
        int body = ByteBuffer.wrap(record).getInt(beforeBody);
        int topicAt = beforeBody + 4 + body;
        int propertiesAt = topicAt + 1 + record[topicAt];
        return ByteBuffer.wrap(record).getShort(propertiesAt);
    }

    private static String address(java.net.SocketAddress address) {
        java.net.InetSocketAddress inet = (java.net.InetSocketAddress) address;
        String host = inet.getAddress().getHostAddress();
        return (inet.getAddress() instanceof java.net.Inet6Address ? "[" + host + "]" : host) + ":" + inet.getPort();
    }

    /** Null when the consume queue has no entry for this record, as for prepared and rolled back ones. */
    private Map<String, Object> queueEntry(MessageExt message) {
        ConsumeQueue queue = store.getConsumeQueue(message.getTopic(), message.getQueueId());
        if (queue == null) {
            return null;
        }
        SelectMappedBufferResult entries = queue.getIndexBuffer(message.getQueueOffset());
        if (entries == null) {
            return null;
        }
        try {
            ByteBuffer entry = entries.getByteBuffer();
            if (entry.getLong() != message.getCommitLogOffset()) {
                return null;
            }
            Map<String, Object> facts = new LinkedHashMap<>();
            facts.put("size", entry.getInt());
            facts.put("tagsCode", entry.getLong());
            return facts;
        } finally {
            entries.release();
        }
    }

    private List<Object> queues() {
        List<Object> all = new ArrayList<>();
        for (Map.Entry<String, ConcurrentMap<Integer, ConsumeQueue>> topic : new TreeMap<>(store.getConsumeQueueTable()).entrySet()) {
            for (Map.Entry<Integer, ConsumeQueue> queue : new TreeMap<>(topic.getValue()).entrySet()) {
                if (queue.getValue().getMaxOffsetInQueue() == 0) {
                    // made in memory by a lookup; nothing was ever stored in it
                    continue;
                }
                Map<String, Object> facts = new LinkedHashMap<>();
                facts.put("topic", topic.getKey());
                facts.put("queueId", queue.getKey());
                facts.put("minOffset", queue.getValue().getMinOffsetInQueue());
                facts.put("maxOffset", queue.getValue().getMaxOffsetInQueue());
                facts.put("earliestStoreTime", store.getEarliestMessageTime(topic.getKey(), queue.getKey()));
                all.add(facts);
            }
        }
        return all;
    }

    private List<Object> reads() {
        List<Object> all = new ArrayList<>();
        long fill = store.getMaxOffsetInQueue("GoldenFill", 0);
        all.add(read("GoldenTopic", 0, 0, 32));
        all.add(read("GoldenTopic", 0, 1, 2));
        all.add(read("GoldenTopic", 0, -1, 32));
        all.add(read("GoldenTopic", 0, store.getMaxOffsetInQueue("GoldenTopic", 0), 32));
        all.add(read("GoldenTopic", 0, store.getMaxOffsetInQueue("GoldenTopic", 0) + 1, 32));
        all.add(read("GoldenTopic", 777, 0, 32));
        all.add(read("GoldenTopic", 777, 5, 32));
        all.add(read("NoSuchTopic", 0, 5, 32));
        all.add(read("GoldenFill", 0, 0, 32));
        all.add(read("GoldenFill", 0, fill - 1, 32));
        // Stops at the end of a queue file: entries 95 to 99.
        all.add(read("GoldenFill", 0, 95, 32));
        return all;
    }

    private Map<String, Object> read(String topic, int queueId, long offset, int max) {
        GetMessageResult result = store.getMessage("golden_consumer", topic, queueId, offset, max, null);
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("topic", topic);
        facts.put("queueId", queueId);
        facts.put("offset", offset);
        facts.put("maxMessages", max);
        facts.put("status", result.getStatus().name());
        facts.put("nextBeginOffset", result.getNextBeginOffset());
        facts.put("minOffset", result.getMinOffset());
        facts.put("maxOffset", result.getMaxOffset());
        facts.put("count", result.getMessageCount());
        facts.put("bytes", result.getBufferTotalSize());
        result.release();
        return facts;
    }

    private List<Object> byTime() {
        List<Object> all = new ArrayList<>();
        for (String topic : new String[] {"GoldenTopic", "GoldenFill"}) {
            List<Long> times = new ArrayList<>();
            for (Map<String, Object> message : messages) {
                if (message.get("topic").equals(topic) && message.get("queueId").equals(0) && message.get("queueEntry") != null) {
                    times.add((Long) message.get("storeTimestamp"));
                }
            }
            long first = times.get(0);
            long last = times.get(times.size() - 1);
            long middle = times.get(times.size() / 2);
            for (long time : new long[] {0, first - 1, first, first + 1, middle - 1, middle, middle + 1, last - 1, last, last + 1, Long.MAX_VALUE}) {
                Map<String, Object> facts = new LinkedHashMap<>();
                facts.put("topic", topic);
                facts.put("queueId", 0);
                facts.put("timestamp", time);
                facts.put("offset", store.getOffsetInQueueByTime(topic, 0, time));
                all.add(facts);
            }
        }
        return all;
    }

    private List<Object> byKey() {
        List<Object> all = new ArrayList<>();
        long end = Long.MAX_VALUE;
        for (Map<String, Object> message : messages) {
            if (message.get("name") == null || message.get("keys") == null) {
                continue;
            }
            for (String key : ((String) message.get("keys")).split(" ")) {
                if (!key.isEmpty()) {
                    all.add(query((String) message.get("topic"), key, 32, 0, end));
                }
            }
        }
        for (Map<String, Object> message : messages) {
            Map<?, ?> properties = (Map<?, ?>) message.get("properties");
            if (properties != null && properties.get("UNIQ_KEY") != null) {
                all.add(query((String) message.get("topic"), (String) properties.get("UNIQ_KEY"), 32, 0, end));
            }
        }
        all.add(query("GoldenFill", "fill", 32, 0, end));
        all.add(query("GoldenFill", "fill", 5, 0, end));
        all.add(query("GoldenFill", "fill", 1000, 0, end));
        all.add(query("GoldenFill", "fill-7", 32, 0, end));
        all.add(query("GoldenTopic", "no-such-key", 32, 0, end));
        return all;
    }

    private Map<String, Object> query(String topic, String key, int max, long begin, long end) {
        QueryMessageResult result = store.queryMessage(topic, key, max, begin, end);
        List<Long> offsets = new ArrayList<>();
        for (ByteBuffer buffer : result.getMessageBufferList()) {
            offsets.add(buffer.getLong(MessageDecoder.PHY_POS_POSITION));
        }
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("topic", topic);
        facts.put("key", key);
        facts.put("maxNum", max);
        facts.put("begin", begin);
        facts.put("end", end);
        facts.put("physicalOffsets", offsets);
        facts.put("indexLastUpdatePhysicalOffset", result.getIndexLastUpdatePhyoffset());
        facts.put("indexLastUpdateTimestamp", result.getIndexLastUpdateTimestamp());
        result.release();
        return facts;
    }
}
