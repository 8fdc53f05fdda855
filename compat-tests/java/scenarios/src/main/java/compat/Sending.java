package compat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageId;
import org.apache.rocketmq.common.message.MessageQueue;

/** Ways to send, and that what arrives is what was sent. */
final class Sending {
    private static final int MEBIBYTE = 1 << 20;

    private Sending() {
    }

    static void sync(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 4);
        Map<String, Message> sent = new LinkedHashMap<>();
        Map<String, SendResult> results = new HashMap<>();
        for (int i = 0; i < 40; i++) {
            Message message = decorated(topic, i);
            SendResult result = scene.producer().send(message);
            checkResult(scene, result, message);
            sent.put(message.getKeys(), message);
            results.put(message.getKeys(), result);
        }
        checkOffsetsFromZero(results.values(), 4);
        Inbox inbox = scene.consume("one", topic, "*");
        for (MessageExt got : inbox.awaitExactly(sent.keySet())) {
            checkRoundTrip(scene, sent.get(got.getKeys()), results.get(got.getKeys()), got);
        }
    }

    static void async(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 4);
        Map<String, Message> sent = new LinkedHashMap<>();
        Map<String, CompletableFuture<SendResult>> pending = new LinkedHashMap<>();
        for (int i = 0; i < 40; i++) {
            Message message = decorated(topic, i);
            CompletableFuture<SendResult> future = new CompletableFuture<>();
            sent.put(message.getKeys(), message);
            pending.put(message.getKeys(), future);
            scene.producer().send(message, new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    future.complete(result);
                }

                @Override
                public void onException(Throwable thrown) {
                    future.completeExceptionally(thrown);
                }
            });
        }
        Map<String, SendResult> results = new HashMap<>();
        for (Map.Entry<String, CompletableFuture<SendResult>> entry : pending.entrySet()) {
            SendResult result = entry.getValue().get(30, TimeUnit.SECONDS);
            checkResult(scene, result, sent.get(entry.getKey()));
            results.put(entry.getKey(), result);
        }
        checkOffsetsFromZero(results.values(), 4);
        for (MessageExt got : scene.consume("one", topic, "*").awaitExactly(sent.keySet())) {
            checkRoundTrip(scene, sent.get(got.getKeys()), results.get(got.getKeys()), got);
        }
    }

    static void oneway(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 4);
        Map<String, Message> sent = new LinkedHashMap<>();
        for (int i = 0; i < 40; i++) {
            Message message = decorated(topic, i);
            sent.put(message.getKeys(), message);
            scene.producer().sendOneway(message);
        }
        for (MessageExt got : scene.consume("one", topic, "*").awaitExactly(sent.keySet())) {
            checkRoundTrip(scene, sent.get(got.getKeys()), null, got);
        }
    }

    /** From one byte to just under the 4 MiB that Java's broker takes by default; over 4 KiB the client compresses. */
    static void bodies(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        // The limit holds for the whole record, and what can't be compressed grows by 1286 bytes here.
        int most = 4 * MEBIBYTE - 4096;
        Map<String, byte[]> sent = new LinkedHashMap<>();
        Random random = new Random(4711);
        for (int bytes : new int[] {1, 2, 255, 4095, 4096, 4097, 65_536, MEBIBYTE, most}) {
            byte[] noise = new byte[bytes];
            random.nextBytes(noise);
            sent.put("noise" + bytes, noise);
            byte[] same = new byte[bytes];
            Arrays.fill(same, (byte) 'x');
            sent.put("same" + bytes, same);
        }
        for (Map.Entry<String, byte[]> entry : sent.entrySet()) {
            SendResult result = scene.producer().send(new Message(topic, "T", entry.getKey(), entry.getValue()));
            Check.equal(SendStatus.SEND_OK, result.getSendStatus(), entry.getKey());
        }
        for (MessageExt got : scene.consume("one", topic, "*").awaitExactly(sent.keySet())) {
            byte[] body = sent.get(got.getKeys());
            Check.equalBytes(body, got.getBody(), got.getKeys());
            boolean compressed = got.getKeys().startsWith("same") && body.length >= 4096;
            Check.that(!compressed || got.getStoreSize() < body.length, got.getKeys() + " was to be stored compressed, in "
                + got.getStoreSize() + " bytes");
        }
    }

    /** Keys, tags, flag and properties in every script, with what Java's separators leave free. */
    static void properties(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        Map<String, Message> sent = new LinkedHashMap<>();
        for (String text : List.of("ascii", "Grüße", "消息队列", "🚀🚀", "a=b&c;d|e", "\"quoted\"\\", "{\"k\":1}", "  blanks  ")) {
            Message message = new Message(topic, "T" + sent.size(), text, sent.size() * 7, text.getBytes(StandardCharsets.UTF_8), true);
            message.putUserProperty("text", text);
            message.putUserProperty("ключ", "значение " + text);
            message.putUserProperty("long", "v".repeat(3000));
            sent.put(text, message);
        }
        Message many = new Message(topic, null, "", "many".getBytes(StandardCharsets.UTF_8));
        many.setKeys(List.of("many", "keys", "here"));
        many.setWaitStoreMsgOK(false);
        sent.put("many keys here", many);
        Map<String, SendResult> results = new HashMap<>();
        for (Map.Entry<String, Message> entry : sent.entrySet()) {
            results.put(entry.getKey(), scene.producer().send(entry.getValue()));
        }
        for (MessageExt got : scene.consume("one", topic, "*").awaitExactly(sent.keySet())) {
            checkRoundTrip(scene, sent.get(got.getKeys()), results.get(got.getKeys()), got);
        }
    }

    static void batch(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 4);
        int count = 50;
        int before = 3;
        MessageQueue queue = new MessageQueue(topic, Cluster.BROKER, 2);
        for (int i = 0; i < before; i++) {
            scene.producer().send(Scene.message(topic, "T", "before" + i), queue);
        }
        List<Message> batch = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            batch.add(decorated(topic, i));
        }
        SendResult result = scene.producer().send(batch, queue);
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
        Check.equal(queue, result.getMessageQueue(), "queue");
        Check.equal((long) before, result.getQueueOffset(), "offset of the first");
        Check.equal(count, new HashSet<>(Arrays.asList(result.getMsgId().split(","))).size(), "distinct ids " + result.getMsgId());
        List<String> offsetIds = Arrays.asList(result.getOffsetMsgId().split(","));
        Check.equal(count, offsetIds.size(), "offset ids");
        Check.equal(count, new HashSet<>(offsetIds).size(), "distinct offset ids");

        Inbox inbox = scene.consume("one", topic, "*");
        List<MessageExt> got = inbox.await(before + count, 45_000);
        got.sort((a, b) -> Long.compare(a.getQueueOffset(), b.getQueueOffset()));
        String[] ids = result.getMsgId().split(",");
        for (int i = 0; i < count; i++) {
            MessageExt message = got.get(before + i);
            Check.equal(batch.get(i).getKeys(), message.getKeys(), "order in the batch, place " + i);
            Check.equal((long) before + i, message.getQueueOffset(), "offset of " + message.getKeys());
            Check.equal(ids[i], message.getMsgId(), "id of " + message.getKeys());
            Check.equal(MessageDecoder.decodeMessageId(offsetIds.get(i)).getOffset(), message.getCommitLogOffset(), "log offset of " + message.getKeys());
            checkRoundTrip(scene, batch.get(i), null, message);
        }
        // A batch without a named queue goes to one queue as a whole.
        List<Message> second = List.of(decorated(topic, 100), decorated(topic, 101));
        SendResult whole = scene.producer().send(second);
        Check.equal(SendStatus.SEND_OK, whole.getSendStatus(), "status of the second batch");
        inbox.await(before + count + 2, 45_000);
        Check.equal(before + count + 2, new HashSet<>(inbox.keys()).size(), "distinct keys");
    }

    /** One producer, one queue: consumed in the order of the sends. */
    static void order(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 4);
        List<String> keys = new ArrayList<>();
        Inbox inbox = scene.consume("one", topic, "*", consumer -> {
            consumer.setConsumeThreadMin(1);
            consumer.setConsumeThreadMax(1);
        });
        for (int i = 0; i < 200; i++) {
            SendResult result = scene.producer().send(Scene.message(topic, "T", "k" + i), (queues, message, wanted) -> {
                Collections.sort(queues);
                return queues.get((Integer) wanted);
            }, 3);
            Check.equal(3, result.getMessageQueue().getQueueId(), "queue of the selector");
            Check.equal((long) i, result.getQueueOffset(), "offset");
            keys.add("k" + i);
        }
        List<MessageExt> got = inbox.awaitExactly(keys);
        for (int i = 0; i < keys.size(); i++) {
            Check.equal(keys.get(i), got.get(i).getKeys(), "place " + i);
            Check.equal((long) i, got.get(i).getQueueOffset(), "offset at place " + i);
        }
    }

    /** Many client instances, each with its own connection, and two producers that share one. */
    static void manyConnections(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 8);
        Inbox inbox = scene.consume("one", topic, "*");
        List<String> keys = new ArrayList<>();
        List<DefaultMQProducer> producers = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            producers.add(scene.producer(settings -> { }));
        }
        DefaultMQProducer first = producers.get(0);
        producers.add(scene.producer(settings -> {
            settings.setProducerGroup(settings.getProducerGroup() + "_shared");
            settings.setInstanceName(first.getInstanceName());
        }));
        for (int round = 0; round < 10; round++) {
            for (int i = 0; i < producers.size(); i++) {
                String key = "p" + i + "r" + round;
                keys.add(key);
                Check.equal(SendStatus.SEND_OK, producers.get(i).send(Scene.message(topic, "T", key)).getSendStatus(), key);
            }
        }
        inbox.awaitExactly(keys);
    }

    /** Sends and consumes with the VIP channel on: sends go to listenPort − 2, pulls to listenPort. */
    static void vipChannel(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 4);
        DefaultMQProducer producer = scene.producer(settings -> settings.setVipChannelEnabled(true));
        Inbox inbox = scene.consume("one", topic, "*", consumer -> consumer.setVipChannelEnabled(true));
        List<String> keys = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            keys.add("k" + i);
            Check.equal(SendStatus.SEND_OK, producer.send(Scene.message(topic, "T", "k" + i)).getSendStatus(), "k" + i);
        }
        inbox.awaitExactly(keys);
        Set<String> connections = Api.connections(producer);
        Check.that(connections.contains(scene.cluster.vip()), "no connection to " + scene.cluster.vip() + " in " + connections);
    }

    static void plainChannel(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 4);
        DefaultMQProducer producer = scene.producer(settings -> settings.setVipChannelEnabled(false));
        for (int i = 0; i < 20; i++) {
            Check.equal(SendStatus.SEND_OK, producer.send(Scene.message(topic, "T", "k" + i)).getSendStatus(), "k" + i);
        }
        Set<String> connections = Api.connections(producer);
        Check.that(connections.contains(scene.cluster.broker), "no connection to " + scene.cluster.broker + " in " + connections);
    }

    /** A message with everything set that a sender may set. */
    private static Message decorated(String topic, int i) {
        Message message = new Message(topic, "Tag" + i % 3, "key" + i, i, ("body " + i + " äöü 漢字").getBytes(StandardCharsets.UTF_8), true);
        message.putUserProperty("number", Integer.toString(i));
        message.putUserProperty("unicode", "значение-" + i);
        return message;
    }

    private static void checkResult(Scene scene, SendResult result, Message message) {
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status of " + message.getKeys());
        Check.equal(message.getTopic(), result.getMessageQueue().getTopic(), "topic of the result");
        Check.equal(Cluster.BROKER, result.getMessageQueue().getBrokerName(), "broker of the result");
        Check.equal(message.getProperty("UNIQ_KEY"), result.getMsgId(), "id that the client gave");
        Check.that(result.getQueueOffset() >= 0, "queue offset " + result.getQueueOffset());
        Check.that(result.isTraceOn(), "trace is on by default");
        Check.equal("DefaultRegion", result.getRegionId(), "region");
        checkStoreHost(scene, result.getOffsetMsgId());
    }

    private static MessageId checkStoreHost(Scene scene, String offsetMsgId) {
        try {
            MessageId id = MessageDecoder.decodeMessageId(offsetMsgId);
            Check.equal("/" + scene.cluster.broker, id.getAddress().toString(), "address in " + offsetMsgId);
            return id;
        } catch (java.net.UnknownHostException impossible) {
            throw new AssertionError("not an offset message id: " + offsetMsgId, impossible);
        }
    }

    /** In each queue the offsets of the results are 0, 1, 2, … and all queues were used. */
    private static void checkOffsetsFromZero(Iterable<SendResult> results, int queues) {
        Map<Integer, List<Long>> byQueue = new HashMap<>();
        for (SendResult result : results) {
            byQueue.computeIfAbsent(result.getMessageQueue().getQueueId(), id -> new ArrayList<>()).add(result.getQueueOffset());
        }
        Check.equal(queues, byQueue.size(), "queues used");
        for (Map.Entry<Integer, List<Long>> entry : byQueue.entrySet()) {
            Collections.sort(entry.getValue());
            for (int i = 0; i < entry.getValue().size(); i++) {
                Check.equal((long) i, entry.getValue().get(i), "offset in queue " + entry.getKey());
            }
        }
    }

    /** Holds that the consumer got the message that was sent, in the place that the sender was told. */
    private static void checkRoundTrip(Scene scene, Message sent, SendResult result, MessageExt got) {
        String key = sent.getKeys();
        Check.equal(sent.getTopic(), got.getTopic(), "topic of " + key);
        Check.equal(sent.getKeys(), got.getKeys(), "keys of " + key);
        Check.equal(sent.getTags(), got.getTags(), "tags of " + key);
        Check.equal(sent.getFlag(), got.getFlag(), "flag of " + key);
        Check.equalBytes(sent.getBody(), got.getBody(), "body of " + key);
        for (Map.Entry<String, String> property : sent.getProperties().entrySet()) {
            // WAIT is the sender's wish to the broker; the client's binary form of a batch may leave it out.
            if (!property.getKey().equals("WAIT")) {
                Check.equal(property.getValue(), got.getProperty(property.getKey()), "property " + property.getKey() + " of " + key);
            }
        }
        Check.equal(0, got.getReconsumeTimes(), "times consumed before " + key);
        Check.equal("/" + scene.cluster.broker, got.getStoreHost().toString(), "store host of " + key);
        Check.that(got.getBornHost().toString().startsWith("/127.0.0.1:"), "born host of " + key + " " + got.getBornHost());
        Check.that(got.getStoreTimestamp() >= got.getBornTimestamp() - 1000 && got.getStoreTimestamp() < got.getBornTimestamp() + 60_000,
            "stored " + got.getStoreTimestamp() + ", born " + got.getBornTimestamp());
        if (result != null) {
            Check.equal(result.getMsgId(), got.getMsgId(), "id of " + key);
            Check.equal(result.getMessageQueue().getQueueId(), got.getQueueId(), "queue of " + key);
            Check.equal(result.getQueueOffset(), got.getQueueOffset(), "queue offset of " + key);
            Check.equal(checkStoreHost(scene, result.getOffsetMsgId()).getOffset(), got.getCommitLogOffset(), "log offset of " + key);
        }
    }
}
