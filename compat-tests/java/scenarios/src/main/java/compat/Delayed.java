package compat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Messages that come later. The time of a delivery is the broker's: the store time of what is delivered, held against the
 * client's time of the send and the delay. Both run on one machine.
 */
final class Delayed {
    /** Java's timer comes up to a second late when it has just started, and this machine may be busy. */
    private static final long LATENESS_LIMIT_MS = 5_000;

    private Delayed() {
    }

    /** Java's own levels 1 and 2, 1 s and 5 s: in the order of their times and not before. Level 0 is none. */
    static void defaultLevels(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        Inbox inbox = scene.consume("one", topic, "*");
        inbox.awaitQueues(1, 30_000);
        send(scene, topic, "T", "five", 2);
        send(scene, topic, "T", "one", 1);
        send(scene, topic, "T", "now", 0);
        inbox.awaitExactly(List.of("now", "one", "five"));
        Check.equal(List.of("now", "one", "five"), inbox.keys(), "order");
        checkTime(scene, inbox.messages().get(1), 1_000);
        checkTime(scene, inbox.messages().get(2), 5_000);
    }

    /** Levels as configured (1 s, 2 s, 3 s for the last): within a level the order of the sends is kept. */
    static void configuredLevels(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        Inbox inbox = scene.consume("one", topic, "*");
        inbox.awaitQueues(1, 30_000);
        List<String> expected = new ArrayList<>();
        Map<Integer, Long> delays = Map.of(1, 1_000L, 2, 2_000L, 18, 3_000L);
        for (int level : new int[] {18, 2, 1}) {
            List<String> keys = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                keys.add(send(scene, topic, "T", "level" + level + "-" + i, level));
            }
            expected.addAll(0, keys);
        }
        for (MessageExt message : inbox.awaitExactly(expected)) {
            checkTime(scene, message, delays.get(message.getDelayTimeLevel()));
        }
        for (int level : delays.keySet()) {
            List<String> came = new ArrayList<>();
            for (MessageExt message : inQueueOrder(inbox)) {
                if (message.getDelayTimeLevel() == level) {
                    came.add(message.getKeys());
                }
            }
            List<String> sent = new ArrayList<>(expected);
            sent.removeIf(key -> !key.startsWith("level" + level + "-"));
            Check.equal(sent, came, "order within level " + level);
        }
    }

    /** A level that there is not is the last one. */
    static void aboveTheLast(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        Inbox inbox = scene.consume("one", topic, "*");
        send(scene, topic, "T", "k", 99);
        MessageExt got = inbox.awaitExactly(List.of("k")).get(0);
        Check.equal(18, got.getDelayTimeLevel(), "level");
        checkTime(scene, got, 3_000);
    }

    /** What the consumer sees is what was sent, in the queue it was sent to; and how the broker's way back shows. */
    static void properties(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 4);
        Inbox inbox = scene.consume("one", topic, "*");
        Message message = Scene.message(topic, "TagA", "k");
        message.setDelayTimeLevel(1);
        message.setFlag(7);
        message.putUserProperty("own", "value");
        // Above 4 KiB the client compresses; the broker must deliver the body as it lies there.
        byte[] body = "later ".repeat(2_000).getBytes(StandardCharsets.UTF_8);
        message.setBody(body);
        SendResult result = scene.producer().send(message);
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
        MessageExt got = inbox.awaitExactly(List.of("k")).get(0);
        Check.equal(topic, got.getTopic(), "topic");
        Check.equal(result.getMessageQueue().getQueueId(), got.getQueueId(), "queue");
        Check.equal(result.getMsgId(), got.getMsgId(), "id");
        Check.equalBytes(body, got.getBody(), "body");
        Check.equal("/" + scene.cluster.broker, got.getStoreHost().toString(), "store host");
        for (String name : new String[] {"DELAY", "KEYS", "TAGS", "REAL_TOPIC", "WAIT", "own", "RECONSUME_TIME"}) {
            String value = got.getProperty(name);
            scene.observe(name, topic.equals(value) ? "its topic" : value);
        }
        Check.equal(Integer.toString(got.getQueueId()), got.getProperty("REAL_QID"), "REAL_QID");
        scene.observe("flag, times consumed, offset", Arrays.asList(got.getFlag(), got.getReconsumeTimes(), got.getQueueOffset()));
        scene.observe("offset in the reply", result.getQueueOffset() >= 0);
        checkTime(scene, got, 1_000);
    }

    /** Tags are filtered as for any other message, though the entry that waits has a time in their place. */
    static void tagFilter(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 2);
        Inbox some = scene.consume("some", topic, "TagA || TagC");
        Inbox all = scene.consume("all", topic, "*");
        List<String> wanted = new ArrayList<>();
        List<String> sent = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            String tag = "Tag" + "ABC".charAt(i % 3);
            String key = send(scene, topic, tag, "k" + i, 1);
            sent.add(key);
            if (!tag.equals("TagB")) {
                wanted.add(key);
            }
        }
        all.awaitExactly(sent);
        some.awaitExactly(wanted);
    }

    /**
     * Stopped in order while messages wait: all come, and not before their time. Java 4.7.0 does not write down at its
     * end how far it is, and delivers again what came in the last 10 s.
     */
    static void restart(Scene scene) throws Exception {
        acrossA(scene, "restart-broker");
    }

    /** Killed while messages wait: all come, perhaps one twice, and none before its time. */
    static void kill(Scene scene) throws Exception {
        acrossA(scene, "restart-killed-broker");
    }

    private static void acrossA(Scene scene, String change) throws Exception {
        String topic = scene.topic();
        // The stage before this one may have closed the connection.
        scene.await("a topic made", () -> scene.createTopic(topic, 2));
        List<String> keys = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            keys.add(send(scene, topic, "T", "one" + i, 1));
            keys.add(send(scene, topic, "T", "five" + i, 2));
        }

        scene.ask(change);

        Inbox inbox = scene.consume("after", topic, "*");
        inbox.awaitAtLeast(keys, 60_000);
        for (MessageExt message : inbox.messages()) {
            checkNotBefore(message, message.getKeys().startsWith("one") ? 1_000 : 5_000);
        }
    }

    /** What cannot wait: a batch, and a level that is no number. */
    static void refusals(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        Message first = Scene.message(topic, "T", "k1");
        Message second = Scene.message(topic, "T", "k2");
        first.setDelayTimeLevel(1);
        second.setDelayTimeLevel(1);
        scene.observe("batch", Check.refused("batch", () -> scene.producer().send(Arrays.asList(first, second))));
        scene.observe("raw batch", RawSend.answer(scene, RawSend.BATCH, topic, "DELAY\u00011\u0002"));
        scene.observe("no number", RawSend.answer(scene, RawSend.MESSAGE, topic, "DELAY\u0001x\u0002"));
        scene.observe("no int", RawSend.answer(scene, RawSend.MESSAGE, topic, "DELAY\u00012147483648\u0002"));
        scene.observe("below 0", RawSend.answer(scene, RawSend.MESSAGE, topic, "DELAY\u0001-1\u0002"));
        // The connection took no harm, and nothing was stored but the one that waits for nothing.
        Check.equal(1L, scene.producer().send(Scene.message(topic, "T", "k")).getQueueOffset(), "offset");
    }

    private static String send(Scene scene, String topic, String tag, String key, int level) throws Exception {
        Message message = Scene.message(topic, tag, key);
        message.setDelayTimeLevel(level);
        Check.equal(SendStatus.SEND_OK, scene.producer().send(message).getSendStatus(), "status of " + key);
        return key;
    }

    private static List<MessageExt> inQueueOrder(Inbox inbox) {
        List<MessageExt> messages = inbox.messages();
        messages.sort((a, b) -> Long.compare(a.getQueueOffset(), b.getQueueOffset()));
        return messages;
    }

    private static void checkNotBefore(MessageExt message, long delayMs) {
        long early = message.getBornTimestamp() + delayMs - message.getStoreTimestamp();
        Check.that(early <= 0, message.getKeys() + " came " + early + " ms before its time");
    }

    private static void checkTime(Scene scene, MessageExt message, long delayMs) {
        checkNotBefore(message, delayMs);
        long late = message.getStoreTimestamp() - message.getBornTimestamp() - delayMs;
        scene.note(message.getKeys() + " came " + late + " ms late");
        Check.that(late <= LATENESS_LIMIT_MS, message.getKeys() + " came " + late + " ms late");
    }
}
