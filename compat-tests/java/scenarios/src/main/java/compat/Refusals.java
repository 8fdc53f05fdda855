package compat;

import java.util.List;
import java.util.Random;

import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** What must be refused: class, code and text are observed, and compared with what Java's broker made of it. */
final class Refusals {
    private static final int MEBIBYTE = 1 << 20;

    private Refusals() {
    }

    /** Over the client's own limit, over the broker's, and properties that do not fit their 16-bit length. */
    static void tooBig(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        byte[] noise = new byte[5 * MEBIBYTE];
        new Random(1).nextBytes(noise);
        scene.observe("over the client's limit", Check.refused("5 MiB", () -> scene.producer().send(new Message(topic, noise))));
        DefaultMQProducer lenient = scene.producer(settings -> settings.setMaxMessageSize(8 * MEBIBYTE));
        scene.observe("over the broker's limit", Check.refused("5 MiB", () -> lenient.send(new Message(topic, noise))));
        Message wordy = Scene.message(topic, "T", "wordy");
        wordy.putUserProperty("long", "v".repeat(33_000));
        scene.observe("properties over 32767 bytes", Check.refused("long properties", () -> scene.producer().send(wordy)));
        scene.observe("no body", Check.refused("no body", () -> scene.producer().send(new Message(topic, new byte[0]))));
        // The connection took no harm.
        scene.send(topic, "T", "k", 3);
    }

    /** Names that the client refuses, and the same past the client's check. */
    static void illegalTopic(Scene scene) throws Exception {
        List<String> names = List.of("with blank", "with/slash", "../../escape", "punkt.", "名字", "TBW102", "x".repeat(256));
        for (String name : names) {
            String shown = name.length() > 40 ? name.length() + " characters" : name;
            scene.observe(shown, Check.refused(shown, () -> scene.producer().send(Scene.message(name, "T", "k"))));
        }
        scene.createTopic(scene.topic(), 1);
        for (String name : List.of("with blank", "../../escape", "TBW102")) {
            scene.observe("raw send to " + name, RawSend.answer(scene, RawSend.MESSAGE, name, ""));
        }
        scene.observe("creating a topic with a blank", Check.refused("createTopic", () -> {
            Api.createTopic(scene.producer(), Cluster.NAME, "with blank", 1);
            return "done";
        }));
    }

    /** Queues that a topic does not have. */
    static void noSuchQueue(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 2);
        scene.send(topic, "T", "k", 1);
        MessageQueue none = new MessageQueue(topic, Cluster.BROKER, 9);
        scene.observe("send", Check.refused("send", () -> scene.producer().send(Scene.message(topic, "T", "k"), none)));
        DefaultMQPullConsumer puller = scene.puller("one");
        scene.observe("pull", Check.refused("pull", () -> puller.pull(none, "*", 0, 32)));
        MessageQueue elsewhere = new MessageQueue(topic, "broker-z", 0);
        scene.observe("send to a broker that is not there",
            Check.refused("send", () -> scene.producer().send(Scene.message(topic, "T", "k"), elsewhere)));
    }

    /** Topics that nobody made, where the broker makes none by itself. */
    static void noSuchTopic(Scene scene) throws Exception {
        String known = scene.topic();
        scene.createTopic(known, 1);
        scene.send(known, "T", "k", 1);
        String unknown = scene.topic("none");
        MessageQueue queue = new MessageQueue(unknown, Cluster.BROKER, 0);
        scene.observe("send", Check.refused("send", () -> scene.producer().send(Scene.message(unknown, "T", "k"))));
        scene.observe("send past the client's route", RawSend.answer(scene, RawSend.MESSAGE, unknown, ""));
        scene.observe("queues to publish", Check.refused("queues", () -> scene.producer().fetchPublishMessageQueues(unknown)));
        DefaultMQPullConsumer puller = scene.puller("one");
        scene.observe("queues to subscribe", Check.refused("queues", () -> puller.fetchSubscribeMessageQueues(unknown)));
        // Knows the broker by the other topic's route.
        puller.fetchSubscribeMessageQueues(known);
        puller.pull(new MessageQueue(known, Cluster.BROKER, 0), "*", 0, 1);
        scene.observe("pull", Check.refused("pull", () -> puller.pull(queue, "*", 0, 32)));
    }

    /** The broker makes topics by itself or it does not: here it does not. */
    static void autoCreationOff(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.observe("sync", Check.refused("send", () -> scene.producer().send(Scene.message(topic, "T", "k"))));
        scene.observe("batch", Check.refused("batch", () -> scene.producer().send(List.of(Scene.message(topic, "T", "a"), Scene.message(topic, "T", "b")))));
        scene.observe("one-way", Check.refused("one-way", () -> {
            scene.producer().sendOneway(Scene.message(topic, "T", "k"));
            return "sent";
        }));
        // Made by hand it works, also for the producer that was refused.
        scene.createTopic(topic, 4);
        scene.consume("one", topic, "*").awaitExactly(scene.send(topic, "T", "k", 20));
    }

    /** Ids that lead nowhere. */
    static void noSuchMessage(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        DefaultMQProducer producer = scene.producer();
        String id = producer.send(Scene.message(topic, "T", "k")).getOffsetMsgId();
        String far = id.substring(0, 16) + "00000FFFFFFFFFFF";
        scene.observe("past the end of the log", Check.refused("view", () -> producer.viewMessage(topic, far)));
        scene.observe("an id that no client gave", Check.refused("view", () -> producer.viewMessage(topic, "AC1100010000000000000000000000FF")));
    }

    /** A filter expression, where the broker has filters switched off (Java's default). */
    static void sqlFilterOff(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        scene.observe("start of a consumer with an expression", Check.refused("start", () -> scene.consume("one", topic, "*", consumer -> {
            try {
                consumer.subscribe(topic, MessageSelector.bySql("a > 3"));
            } catch (Exception refused) {
                throw new IllegalStateException(refused);
            }
        }).queues()));
    }
}
