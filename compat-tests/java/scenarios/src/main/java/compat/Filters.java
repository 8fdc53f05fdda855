package compat;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Filters by properties, in SQL92, where the broker has them switched on. */
final class Filters {
    private static final int PULL_MESSAGE = 11;

    private Filters() {
    }

    /** Sends one message for each key with its properties, {@code name=value} parted by blanks. */
    private static void send(Scene scene, Map<String, String> messages) throws Exception {
        for (Map.Entry<String, String> entry : messages.entrySet()) {
            Message message = Scene.message(scene.topic(), "Tag", entry.getKey());
            for (String property : entry.getValue().isEmpty() ? new String[0] : entry.getValue().split(" ")) {
                String[] parts = property.split("=", 2);
                message.putUserProperty(parts[0], parts[1]);
            }
            scene.producer().send(message);
        }
    }

    private static Inbox consume(Scene scene, String which, String expression) throws Exception {
        return scene.consume(which, scene.topic(), "*", consumer -> subscribe(scene, consumer, expression));
    }

    private static void subscribe(Scene scene, DefaultMQPushConsumer consumer, String expression) {
        try {
            consumer.subscribe(scene.topic(), MessageSelector.bySql(expression));
        } catch (MQClientException refused) {
            throw new IllegalStateException(refused);
        }
    }

    private static Map<String, String> messages() {
        Map<String, String> messages = new LinkedHashMap<>();
        messages.put("none", "");
        messages.put("one", "a=1 name=x");
        messages.put("three", "a=3 name=y ok=true");
        messages.put("five", "a=5 name=it's ok=TRUE price=5.5");
        messages.put("broken", "a=3.5 name=标签 ok=no price=1e1");
        messages.put("big", "a=99999999999 name=x");
        return messages;
    }

    /** Each kind of expression, pushed: what each group gets is seen, and is the same as Java gives. */
    static void pushed(Scene scene) throws Exception {
        scene.createTopic(scene.topic(), 2);
        send(scene, messages());
        Map<String, List<String>> wanted = new LinkedHashMap<>();
        wanted.put("a > 1 AND a <= 5", List.of("three", "five"));
        wanted.put("a BETWEEN 2 AND 3 OR name IN ('x', 'it''s')", List.of("one", "three", "five"));
        wanted.put("a IS NULL", List.of("none"));
        wanted.put("name <> 'x'", List.of("three", "five", "broken"));
        wanted.put("ok = TRUE", List.of("three", "five"));
        wanted.put("price > 5.0", List.of("five", "broken"));
        Map<String, Inbox> inboxes = new LinkedHashMap<>();
        for (String expression : wanted.keySet()) {
            inboxes.put(expression, consume(scene, "g" + inboxes.size(), expression));
        }
        for (Map.Entry<String, Inbox> entry : inboxes.entrySet()) {
            scene.note("expression " + entry.getKey());
            entry.getValue().awaitExactly(wanted.get(entry.getKey()));
        }
        // Consumers that wait are woken by what they want; what they do not want stays away.
        Map<String, String> late = new LinkedHashMap<>();
        late.put("late one", "a=1");
        late.put("late two", "a=2");
        send(scene, late);
        List<String> first = new ArrayList<>(wanted.get("a > 1 AND a <= 5"));
        first.add("late two");
        inboxes.get("a > 1 AND a <= 5").awaitExactly(first);
        inboxes.get("a IS NULL").awaitExactly(wanted.get("a IS NULL"));
    }

    /** Expressions that come with the pull: status and keys of each, as Java's broker answers. */
    static void pulled(Scene scene) throws Exception {
        MessageQueue queue = scene.createTopic(scene.topic(), 1).get(0);
        send(scene, messages());
        DefaultMQPullConsumer puller = scene.puller("one");
        scene.await("six messages", () -> puller.maxOffset(queue) == 6);
        // The client learns from its first heartbeat that the broker knows expressions.
        scene.await("a first answer", () -> puller.pull(queue, MessageSelector.bySql("TRUE"), 0, 32));
        for (String expression : List.of("a = 3", "a >= 3 AND NOT (ok = TRUE)", "a > 1", "a > 1.0", "a = 99999999999",
            "name = '标签'", "name NOT IN ('x', 'y')", "ok", "NOT (a > 0)", "a = b", "ok = FALSE", "a NOT BETWEEN 2 AND 9",
            "-a = 3", "a > -1", "TRUE", "a IS NOT NULL", "a > price", "KEYS = 'five'", "TAGS = 'Tag'")) {
            PullResult pulled = puller.pull(queue, MessageSelector.bySql(expression), 0, 32);
            scene.observe(expression, Pulling.facts(pulled) + " " + keys(pulled));
        }
    }

    private static List<String> keys(PullResult pulled) {
        List<String> keys = new ArrayList<>();
        if (pulled.getMsgFoundList() != null) {
            for (MessageExt message : pulled.getMsgFoundList()) {
                keys.add(message.getKeys());
            }
        }
        return keys;
    }

    /** What is no expression: the consumer's start is refused with the parser's words. */
    static void refused(Scene scene) throws Exception {
        scene.createTopic(scene.topic(), 1);
        int times = 0;
        for (String expression : List.of("a >", "a = 'open", "a # 1", "a BETWEEN 5 AND 1", "a > 'x'", "(a = 1) > 2",
            "NULL = a", "a = 1 OR", "a IN (1, 2)", "1 IN ('x')", "3", "a NOT 3", "a = 99999999999999999999",
            "((a = 1) AND (b = 2)", "a IS 3", "a = 1\nAND\n\tb = ?")) {
            String which = "g" + times++;
            scene.observe(Text.normalised(expression), Check.refused(expression, () -> consume(scene, which, expression).queues()));
        }
        // What follows a whole expression is not looked at.
        consume(scene, "trailing", "a LIKE 'x%'").stop();
    }

    /** A group that subscribes anew gets what the new expression wants, at once. */
    static void changed(Scene scene) throws Exception {
        scene.createTopic(scene.topic(), 1);
        Inbox inbox = consume(scene, "one", "a > 1");
        inbox.awaitQueues(1, 45_000);
        send(scene, Map.of("first", "a=2"));
        inbox.awaitExactly(List.of("first"));
        subscribe(scene, inbox.consumer, "a < 1");
        // The heartbeat brings the new one within a second; messages sent before that are judged by the old one.
        scene.await("the new expression", () -> {
            send(scene, Map.of("probe" + System.nanoTime(), "a=0"));
            Thread.sleep(100);
            return inbox.keys().stream().anyMatch(key -> key.startsWith("probe"));
        });
        send(scene, Map.of("old", "a=2"));
        send(scene, Map.of("new", "a=0"));
        scene.await("the last message", () -> inbox.keys().contains("new"));
        Check.that(!inbox.keys().contains("old"), "the old expression still counts");
    }

    /** A message that is given back comes back, whatever the expression says of it by then. */
    static void retried(Scene scene) throws Exception {
        scene.createTopic(scene.topic(), 1);
        List<String> tries = new ArrayList<>();
        DefaultMQPushConsumer consumer = scene.push("one", scene.topic(), started -> {
            subscribe(scene, started, "a > 1");
            started.registerMessageListener((MessageListenerConcurrently) (batch, context) -> {
                MessageExt message = batch.get(0);
                synchronized (tries) {
                    tries.add(message.getKeys() + " after " + message.getReconsumeTimes());
                }
                return message.getReconsumeTimes() == 0
                    ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
        });
        scene.awaitRetryQueue(consumer);
        Map<String, String> messages = new TreeMap<>();
        messages.put("k", "a=2");
        messages.put("unwanted", "a=1");
        send(scene, messages);
        scene.await("the message once more", () -> {
            synchronized (tries) {
                Check.equal(List.of("k after 0", "k after 1"), tries, "tries");
            }
            return true;
        });
    }

    /** Pulls of groups whose filter the broker does not know, or not that new. */
    static void unknown(Scene scene) throws Exception {
        scene.createTopic(scene.topic(), 1);
        Inbox inbox = consume(scene, "one", "a > 1");
        inbox.awaitQueues(1, 45_000);
        Map<String, String> fields = new TreeMap<>(Map.of("consumerGroup", scene.group("one"), "topic", scene.topic(),
            "queueId", "0", "queueOffset", "0", "maxMsgNums", "32", "sysFlag", "0", "commitOffset", "0",
            "suspendTimeoutMillis", "0"));
        fields.put("subVersion", "0");
        scene.observe("its filter", pull(scene, fields));
        fields.put("subVersion", Long.toString(Long.MAX_VALUE));
        scene.observe("of a version to come", pull(scene, fields));
        fields.put("sysFlag", "4");
        fields.put("expressionType", "SQL92");
        fields.put("subscription", "");
        scene.observe("with an empty expression", pull(scene, fields));
        fields.put("subscription", "name > 'w'");
        scene.observe("with a mistaken expression", pull(scene, fields));
    }

    private static String pull(Scene scene, Map<String, String> fields) throws Exception {
        return RawSend.text(Api.call(scene.producer(), scene.cluster.broker, PULL_MESSAGE, fields, null));
    }
}
