package compat;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageClientExt;
import org.apache.rocketmq.common.message.MessageClientIDSetter;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Messages that are marked in some way: compressed, of units, in batches of any size. */
final class Kinds {
    private static final int VIEW_MESSAGE_BY_ID = 33;
    /** Behind size, magic code, CRC, queue, flag and both offsets. */
    private static final int SYS_FLAG_AT = 36;
    private static final int GET_ALL_TOPIC_CONFIG = 21;
    private static final int COMPRESSED = 1;
    private static final String UNIQ_KEY = "UNIQ_KEY";

    private Kinds() {
    }

    /** Clients compress what is longer than 4 KiB; 5.x in three ways. The broker keeps bytes and bits as they come. */
    static void compressed(Scene scene) throws Exception {
        String topic = scene.topic();
        MessageQueue queue = scene.createTopic(topic, 1).get(0);
        Inbox inbox = scene.consume("one", topic, "*");
        byte[] body = "many letters, few of them new. ".repeat(1_000).getBytes(StandardCharsets.UTF_8);
        List<String> ways = Api.compressionTypes();
        List<String> keys = new ArrayList<>();
        for (String way : ways) {
            DefaultMQProducer producer = scene.producer(settings -> Api.setCompressionType(settings, way));
            Message message = new Message(topic, "T", way, body);
            Check.equal(SendStatus.SEND_OK, producer.send(message).getSendStatus(), "status");
            keys.add(way);
        }
        List<MessageExt> all = inbox.awaitExactly(keys);
        all.sort(Comparator.comparing(MessageExt::getQueueOffset));
        for (MessageExt got : all) {
            Check.equalBytes(body, got.getBody(), "body of " + got.getKeys());
            Check.that(got.getStoreSize() < body.length / 2, got.getKeys() + " takes " + got.getStoreSize() + " bytes");
            int sysFlag = storedSysFlag(scene, got);
            Check.equal(COMPRESSED, sysFlag & COMPRESSED, "bit of a compressed message");
            scene.observe("sysFlag of " + got.getKeys(), sysFlag);
        }
        DefaultMQPullConsumer puller = scene.puller("pull");
        for (MessageExt got : puller.pull(queue, "*", 0, 32).getMsgFoundList()) {
            Check.equalBytes(body, got.getBody(), "pulled body of " + got.getKeys());
        }
    }

    /** As it lies in the log: 5.x clears the bits of what it has unpacked. */
    private static int storedSysFlag(Scene scene, MessageExt message) throws Exception {
        Map<String, String> fields = Map.of("offset", Long.toString(message.getCommitLogOffset()));
        byte[] record = Api.call(scene.producer(), scene.cluster.broker, VIEW_MESSAGE_BY_ID, fields, null).getBody();
        return ByteBuffer.wrap(record).getInt(SYS_FLAG_AT);
    }

    /** Producers and consumers of a unit: what they have the broker make is marked. */
    static void units(Scene scene) throws Exception {
        String made = scene.topic("made");
        DefaultMQProducer producer = scene.producer(settings -> {
            settings.setUnitName("unit1");
            settings.setUnitMode(true);
        });
        scene.await("the topic is made by a send", () -> producer.send(Scene.message(made, "T", "k0")).getSendStatus() == SendStatus.SEND_OK);
        Inbox inbox = scene.consume("one", made, "*", consumer -> {
            consumer.setUnitName("unit1");
            consumer.setUnitMode(true);
        });
        inbox.await(1, 45_000);
        Check.that(inbox.consumer.buildMQClientId().endsWith("@unit1"), "id " + inbox.consumer.buildMQClientId());
        scene.observe("topic of a unit's producer", sysFlag(scene, made));
        String retry = "%RETRY%" + scene.group("one");
        scene.observe("retry topic of a unit's consumer", scene.await("the retry topic", () -> sysFlag(scene, retry)));
        String plain = scene.topic("plain");
        scene.createTopic(plain, 1);
        scene.observe("a plain topic", sysFlag(scene, plain));
    }

    /** Batches of one and of many, ids that lead to the messages, and what is refused by the client and by the broker. */
    static void batches(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        Inbox inbox = scene.consume("one", topic, "*");
        List<String> keys = new ArrayList<>();
        for (int count : new int[] {1, 2, 500}) {
            List<Message> batch = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                keys.add(count + "_" + i);
                batch.add(Scene.message(topic, "T", count + "_" + i));
            }
            SendResult result = scene.producer().send(batch);
            Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
            String[] offsetIds = result.getOffsetMsgId().split(",");
            String[] ids = result.getMsgId().split(",");
            Check.equal(count, new HashSet<>(List.of(offsetIds)).size(), "distinct offset ids");
            Check.equal(count, new HashSet<>(List.of(ids)).size(), "distinct ids");
            for (int i = 0; i < count; i += 99) {
                String key = count + "_" + i;
                Check.equal(key, scene.producer().viewMessage(topic, offsetIds[i]).getKeys(), "message of an offset id");
                String id = ids[i];
                Check.equal(key, scene.await(id, () -> scene.producer().viewMessage(topic, id)).getKeys(), "message of an id");
            }
        }
        inbox.awaitExactly(keys);

        DefaultMQProducer producer = scene.producer();
        Message plain = Scene.message(topic, "T", "k");
        scene.observe("two topics", Check.refused("two topics", () -> producer.send(List.of(plain, Scene.message(scene.topic("b"), "T", "k")))));
        scene.observe("nothing", Check.refused("nothing", () -> producer.send(Collections.<Message>emptyList())));
        Message delayed = Scene.message(topic, "T", "k");
        delayed.setDelayTimeLevel(1);
        scene.observe("delayed", Check.refused("delayed", () -> producer.send(List.of(delayed, plain))));
        Message retry = Scene.message("%RETRY%" + scene.group("one"), "T", "k");
        scene.observe("to a retry topic", Check.refused("retry topic", () -> producer.send(List.of(retry, retry))));
        // What no client sends: as if its checks had been passed by.
        scene.observe("raw: delayed", RawSend.answer(scene, RawSend.BATCH, topic, "DELAY\u00011\u0002"));
        scene.observe("raw: to a long topic", RawSend.answer(scene, RawSend.BATCH, "t".repeat(300), ""));
        scene.observe("raw: to a queue that is not there", RawSend.answer(scene, RawSend.BATCH, topic, 9, ""));
    }

    /** The key that a client gives each message, or its user before it: kept through all, the id of the message, and found by. */
    static void uniqueKeys(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        DefaultMQProducer producer = scene.producer();
        Inbox inbox = scene.consume("one", topic, "*");
        Message own = keyed(topic, "own", 0);
        Message delayed = keyed(topic, "delayed", 1);
        Message given = Scene.message(topic, "T", "given");
        RawSend.answer(scene, RawSend.MESSAGE, topic, "KEYS\u0001none\u0002");
        for (Message message : List.of(own, own, given, delayed)) {
            SendResult result = producer.send(message);
            Check.that(result.getMsgId() != null, "no id in the answer");
            Check.equal(message.getProperty(UNIQ_KEY), result.getMsgId(), "id in the answer");
            long sent = System.currentTimeMillis();
            scene.await("another millisecond", () -> System.currentTimeMillis() > sent);
        }

        Map<String, String> keys = Map.of("own", own.getProperty(UNIQ_KEY), "delayed", delayed.getProperty(UNIQ_KEY),
            "given", given.getProperty(UNIQ_KEY));
        for (MessageExt got : inbox.await(5, 45_000)) {
            Check.equal(keys.get(got.getKeys()), got.getProperty(UNIQ_KEY), "key of " + got.getKeys());
            String offsetId = ((MessageClientExt) got).getOffsetMsgId();
            Check.equal(keys.getOrDefault(got.getKeys(), offsetId), got.getMsgId(), "id of " + got.getKeys());
            Check.equal(got.getKeys(), producer.viewMessage(topic, offsetId).getKeys(), "message of the offset id");
        }
        for (Map.Entry<String, String> entry : new TreeMap<>(keys).entrySet()) {
            MessageExt found = scene.await(entry.getKey(), () -> producer.viewMessage(topic, entry.getValue()));
            scene.observe("found by the key of " + entry.getKey(), found.getKeys() + " at " + found.getQueueOffset());
        }
    }

    private static Message keyed(String topic, String key, int delayLevel) {
        Message message = Scene.message(topic, "T", key);
        MessageAccessor.putProperty(message, UNIQ_KEY, MessageClientIDSetter.createUniqID());
        if (delayLevel > 0) {
            message.setDelayTimeLevel(delayLevel);
        }
        return message;
    }

    /** {@code topicSysFlag} as the broker has it; null while there is no such topic. */
    private static Integer sysFlag(Scene scene, String topic) throws Exception {
        byte[] body = Api.call(scene.producer(), scene.cluster.broker, GET_ALL_TOPIC_CONFIG, Map.of(), null).getBody();
        String name = "\"topicName\":\"" + Pattern.quote(topic) + "\"";
        Matcher found = Pattern.compile("\\{[^{}]*" + name + "[^{}]*\\}").matcher(new String(body, StandardCharsets.UTF_8));
        if (!found.find()) {
            return null;
        }
        Matcher flag = Pattern.compile("\"topicSysFlag\":(\\d+)").matcher(found.group());
        return flag.find() ? Integer.valueOf(flag.group(1)) : null;
    }
}
