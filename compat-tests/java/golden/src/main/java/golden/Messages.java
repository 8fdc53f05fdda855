package golden;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExtBatch;
import org.apache.rocketmq.store.MessageExtBrokerInner;

/** Messages as the broker's send processor hands them to the store. */
final class Messages {
    static final InetSocketAddress BORN = host("10.0.0.9", 50123);
    static final InetSocketAddress STORE = host("10.0.0.1", 10911);
    static final InetSocketAddress BORN_V6 = host("2001:db8::9", 50123);
    static final InetSocketAddress STORE_V6 = host("2001:db8::1", 10911);

    private Messages() {
    }

    static InetSocketAddress host(String address, int port) {
        try {
            return new InetSocketAddress(InetAddress.getByName(address), port);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException(e);
        }
    }

    static MessageExtBrokerInner message(String topic, int queueId, byte[] body, Map<String, String> properties) {
        MessageExtBrokerInner message = new MessageExtBrokerInner();
        message.setTopic(topic);
        message.setQueueId(queueId);
        message.setBody(body);
        MessageAccessor.setProperties(message, properties);
        message.setPropertiesString(MessageDecoder.messageProperties2String(properties));
        message.setTagsCode(MessageExtBrokerInner.tagsString2tagsCode(message.getTags()));
        message.setBornTimestamp(CodecFrames.BORN_MS);
        message.setBornHost(BORN);
        message.setStoreHost(STORE);
        return message;
    }

    static MessageExtBrokerInner text(String topic, int queueId, String body, String... properties) {
        return message(topic, queueId, body.getBytes(StandardCharsets.UTF_8), CodecFrames.properties(properties));
    }

    static MessageExtBatch batch(String topic, int queueId) {
        MessageExtBatch batch = new MessageExtBatch();
        batch.setTopic(topic);
        batch.setQueueId(queueId);
        batch.setBody(MessageDecoder.encodeMessages(CodecFrames.batchOfThree(topic)));
        batch.setBornTimestamp(CodecFrames.BORN_MS);
        batch.setBornHost(BORN);
        batch.setStoreHost(STORE);
        return batch;
    }

    static String uniqueKey(int number) {
        return String.format("0A000009B0B018B4AAC2%012X", number);
    }

    /** Every byte value, over and over, from a start that depends on the number. */
    static byte[] pattern(int number, int length) {
        byte[] body = new byte[length];
        for (int i = 0; i < length; i++) {
            body[i] = (byte) (number + i);
        }
        return body;
    }
}
