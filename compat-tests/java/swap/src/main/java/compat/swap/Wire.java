package compat.swap;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;

import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.RemotingClient;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/** Single requests on the client's connection, past its checks: answers are raw records, which can be compared. */
final class Wire {
    static final int PULL = 11;
    private static final int QUERY = 12;
    private static final int CONSUMER_OFFSET = 14;
    private static final int UPDATE_CONSUMER_OFFSET = 15;
    static final int ALL_TOPICS = 21;
    private static final int OFFSET_BY_TIME = 29;
    private static final int MAX_OFFSET = 30;
    private static final int MIN_OFFSET = 31;
    private static final int VIEW = 33;
    private static final int END_TRANSACTION = 37;
    static final int ALL_GROUPS = 201;

    private static final int FOUND = 0;
    private static final int QUERY_NOT_FOUND = 22;
    private static final long TIMEOUT_MS = 10_000;
    /** The request carries its subscription; nothing is committed, nothing waits. */
    private static final String INLINE_SUBSCRIPTION = "4";
    private static final String COMMIT = "8";

    private final RemotingClient client;
    private final String broker;

    Wire(DefaultMQProducer producer, String broker) {
        this.client = producer.getDefaultMQProducerImpl().getmQClientFactory().getMQClientAPIImpl().getRemotingClient();
        this.broker = broker;
    }

    /** One message as stored. */
    static final class Stored {
        final byte[] bytes;
        final MessageExt message;

        Stored(byte[] bytes) {
            this.bytes = bytes;
            this.message = MessageDecoder.decode(ByteBuffer.wrap(bytes), true, false);
            Difference.unless(message != null, "a record that the client can't decode, " + bytes.length + " bytes");
        }

        /** All its bytes in one number, and enough of its fields to recognise it. */
        String text() {
            CRC32 crc = new CRC32();
            crc.update(bytes);
            return String.format("%d bytes, crc %08x, at %d, %s tags %s keys %s times %d", bytes.length, crc.getValue(),
                message.getCommitLogOffset(), message.getTopic(), message.getTags(), message.getKeys(),
                message.getReconsumeTimes());
        }

        /** Sent body, inflated where it was compressed. */
        byte[] body() {
            return MessageDecoder.decode(ByteBuffer.wrap(bytes), true, true).getBody();
        }
    }

    RemotingCommand call(int code, Map<String, String> fields) throws Exception {
        RemotingCommand request = RemotingCommand.createRequestCommand(code, null);
        request.setExtFields(new HashMap<>(fields));
        return client.invokeSync(broker, request, TIMEOUT_MS);
    }

    private long number(int code, Map<String, String> fields) throws Exception {
        RemotingCommand answer = call(code, fields);
        Difference.unless(answer.getCode() == FOUND, code + " " + fields + ": " + answer.getCode() + " " + answer.getRemark());
        return Long.parseLong(answer.getExtFields().get("offset"));
    }

    private static Map<String, String> queue(String topic, int queue) {
        return Map.of("topic", topic, "queueId", Integer.toString(queue));
    }

    long maxOffset(String topic, int queue) throws Exception {
        return number(MAX_OFFSET, queue(topic, queue));
    }

    long minOffset(String topic, int queue) throws Exception {
        return number(MIN_OFFSET, queue(topic, queue));
    }

    long offsetByTime(String topic, int queue, long milliseconds) throws Exception {
        return number(OFFSET_BY_TIME, Map.of("topic", topic, "queueId", Integer.toString(queue),
            "timestamp", Long.toString(milliseconds)));
    }

    /** The offset that is stored for a group; -1 for none. */
    long consumerOffset(String group, String topic, int queue) throws Exception {
        RemotingCommand answer = call(CONSUMER_OFFSET, Map.of("consumerGroup", group, "topic", topic,
            "queueId", Integer.toString(queue)));
        return answer.getCode() == FOUND ? Long.parseLong(answer.getExtFields().get("offset")) : -1;
    }

    /** What a consumer sends when it stops. */
    void storeConsumerOffset(String group, String topic, int queue, long offset) throws Exception {
        call(UPDATE_CONSUMER_OFFSET, Map.of("consumerGroup", group, "topic", topic, "queueId", Integer.toString(queue),
            "commitOffset", Long.toString(offset)));
    }

    /** All messages of a queue from {@code from} on. */
    List<Stored> pull(String topic, int queue, long from) throws Exception {
        List<Stored> all = new ArrayList<>();
        long next = from;
        long max = maxOffset(topic, queue);
        while (next < max) {
            Map<String, String> fields = new HashMap<>(queue(topic, queue));
            fields.putAll(Map.of("consumerGroup", "TOOLS_CONSUMER", "queueOffset", Long.toString(next), "maxMsgNums", "32",
                "sysFlag", INLINE_SUBSCRIPTION, "commitOffset", "0", "suspendTimeoutMillis", "0", "subscription", "*",
                "subVersion", "0"));
            fields.put("expressionType", "TAG");
            RemotingCommand answer = call(PULL, fields);
            Difference.unless(answer.getCode() == FOUND, "pull " + topic + "/" + queue + " at " + next + " of " + max + ": code "
                + answer.getCode() + " " + answer.getRemark() + " " + answer.getExtFields());
            for (Stored stored : records(answer.getBody())) {
                Difference.unless(stored.message.getQueueOffset() == next,
                    topic + "/" + queue + ": wanted offset " + next + ", got " + stored.message.getQueueOffset());
                all.add(stored);
                next++;
            }
        }
        return all;
    }

    /** The message at an offset of the log; {@code null} when the broker has none there. */
    Stored view(long logOffset) throws Exception {
        RemotingCommand answer = call(VIEW, Map.of("offset", Long.toString(logOffset)));
        return answer.getCode() == FOUND ? new Stored(answer.getBody()) : null;
    }

    List<Stored> query(String topic, String key, long begin, long end) throws Exception {
        RemotingCommand answer = call(QUERY, Map.of("topic", topic, "key", key, "maxNum", "64",
            "beginTimestamp", Long.toString(begin), "endTimestamp", Long.toString(end)));
        if (answer.getCode() == QUERY_NOT_FOUND) {
            return List.of();
        }
        Difference.unless(answer.getCode() == FOUND, "query " + topic + "#" + key + ": " + answer.getCode() + " " + answer.getRemark());
        return records(answer.getBody());
    }

    /** What a producer sends when its local transaction is done. */
    void commit(String group, Stored half) throws Exception {
        String id = half.message.getProperty("UNIQ_KEY");
        RemotingCommand answer = call(END_TRANSACTION, Map.of("producerGroup", group,
            "tranStateTableOffset", Long.toString(half.message.getQueueOffset()),
            "commitLogOffset", Long.toString(half.message.getCommitLogOffset()),
            "commitOrRollback", COMMIT, "fromTransactionCheck", "false", "msgId", id, "transactionId", id));
        Difference.unless(answer.getCode() == FOUND, "commit of " + half.text() + ": " + answer.getCode() + " " + answer.getRemark());
    }

    private static List<Stored> records(byte[] body) {
        List<Stored> all = new ArrayList<>();
        ByteBuffer rest = ByteBuffer.wrap(body);
        while (rest.hasRemaining()) {
            byte[] record = new byte[rest.getInt(rest.position())];
            rest.get(record);
            all.add(new Stored(record));
        }
        return all;
    }
}
