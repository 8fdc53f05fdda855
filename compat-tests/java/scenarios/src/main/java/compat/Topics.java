package compat;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

import org.apache.rocketmq.client.QueryResult;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** How topics come to be, and looking up single messages. */
final class Topics {
    private Topics() {
    }

    /** Code 17 from the client, with and without queues of its own count. */
    static void create(Scene scene) throws Exception {
        for (int count : new int[] {1, 3, 16}) {
            String topic = scene.topic("q" + count);
            Set<Integer> ids = new HashSet<>();
            for (MessageQueue queue : scene.createTopic(topic, count)) {
                Check.equal(Cluster.BROKER, queue.getBrokerName(), "broker of " + queue);
                ids.add(queue.getQueueId());
            }
            for (int i = 0; i < count; i++) {
                Check.that(ids.contains(i), "queue " + i + " of " + topic);
            }
            Inbox inbox = scene.consume("q" + count, topic, "*");
            inbox.awaitExactly(scene.send(topic, "T", "k", 20));
        }
        // The same name again with more queues: the topic is changed.
        scene.createTopic(scene.topic("q1"), 5);
    }

    /** The first send of an unknown topic makes it: the client's wish for queues, the template's count at most. */
    static void autoCreated(Scene scene) throws Exception {
        String usual = scene.topic("usual");
        SendResult result = scene.producer().send(Scene.message(usual, "T", "first"));
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
        scene.awaitRoute(scene.producer(), usual, 4);

        String few = scene.topic("few");
        DefaultMQProducer modest = scene.producer(settings -> settings.setDefaultTopicQueueNums(2));
        modest.send(Scene.message(few, "T", "first"));
        scene.awaitRoute(modest, few, 2);

        String many = scene.topic("many");
        DefaultMQProducer greedy = scene.producer(settings -> settings.setDefaultTopicQueueNums(64));
        greedy.send(Scene.message(many, "T", "first"));
        scene.awaitRoute(greedy, many, 8);

        // Several producers at once on a topic that nobody has seen: one topic, nothing lost.
        String raced = scene.topic("raced");
        List<Thread> threads = new ArrayList<>();
        List<String> keys = new ArrayList<>();
        List<Throwable> thrown = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            String key = "racer" + i;
            keys.add(key);
            DefaultMQProducer racer = scene.producer(settings -> { });
            Thread thread = new Thread(() -> {
                try {
                    racer.send(Scene.message(raced, "T", key));
                } catch (Throwable refused) {
                    synchronized (thrown) {
                        thrown.add(refused);
                    }
                }
            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        Check.that(thrown.isEmpty(), "racing sends threw " + thrown);
        scene.awaitRoute(scene.producer(), raced, 4);
        scene.consume("raced", raced, "*").awaitExactly(keys);
    }

    /** One message by the id that says its place in the log, and by the id that the client gave. */
    static void viewMessage(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 2);
        DefaultMQProducer producer = scene.producer();
        Message message = Scene.message(topic, "T", "wanted");
        message.putUserProperty("p", "значение");
        SendResult sent = producer.send(message);
        scene.send(topic, "T", "other", 5);
        for (String id : List.of(sent.getOffsetMsgId(), sent.getMsgId())) {
            MessageExt got = scene.await("message " + id, () -> producer.viewMessage(topic, id));
            Check.equal("wanted", got.getKeys(), "keys");
            Check.equal("значение", got.getProperty("p"), "property");
            Check.equalBytes(message.getBody(), got.getBody(), "body");
            Check.equal(sent.getQueueOffset(), got.getQueueOffset(), "queue offset");
            Check.equal(sent.getMessageQueue().getQueueId(), got.getQueueId(), "queue");
        }
    }

    /** Messages by key: each of several keys finds them, within the time that is asked for. */
    static void queryByKey(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 2);
        DefaultMQProducer producer = scene.producer();
        long before = System.currentTimeMillis() - 60_000;
        long after = System.currentTimeMillis() + 3_600_000;
        for (int i = 0; i < 5; i++) {
            Message message = Scene.message(topic, "T", "");
            message.setKeys(List.of("shared", "own" + i));
            producer.send(message);
        }
        // Another topic with the same key stays out.
        String other = scene.topic("other");
        scene.createTopic(other, 1);
        producer.send(Scene.message(other, "T", "shared"));

        for (int i = 0; i < 5; i++) {
            String key = "own" + i;
            QueryResult own = scene.await(key, () -> producer.queryMessage(topic, key, 32, before, after));
            Check.equal(1, own.getMessageList().size(), "messages of " + key);
            Check.equal("shared " + key, own.getMessageList().get(0).getKeys(), "keys");
        }
        QueryResult shared = producer.queryMessage(topic, "shared", 32, before, after);
        Check.equal(5, shared.getMessageList().size(), "messages of the shared key");
        Check.equal(2, producer.queryMessage(topic, "shared", 2, before, after).getMessageList().size(), "at most two");
        Throwable early = Check.refused("a query of a time before", () -> producer.queryMessage(topic, "shared", 32, 0, before));
        scene.observe("a time before the messages", early);
        scene.observe("a key that no message has", Check.refused("a query of no key", () -> producer.queryMessage(topic, "none", 32, before, after)));
    }
}
