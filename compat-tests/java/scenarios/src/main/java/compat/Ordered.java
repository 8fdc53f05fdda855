package compat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/** Orderly consumers: one consumer a queue at a time, in the queue's order, whoever comes and goes. */
final class Ordered {
    private static final long LOCK_LIMIT_MS = 75_000;
    private static final int LOCK_BATCH_MQ = 41;
    private static final int UNLOCK_BATCH_MQ = 42;
    private static final int QUEUES = 6;

    private Ordered() {
    }

    /** One consumer: every queue from its first message to its last, in order, each once. */
    static void oneConsumer(Scene scene) throws Exception {
        String topic = scene.topic();
        List<MessageQueue> queues = scene.createTopic(topic, 4);
        OrderLog log = new OrderLog();
        scene.push("one", topic, consumer -> consumer.registerMessageListener(log.listener("the only one")));
        for (int n = 0; n < 50; n++) {
            for (MessageQueue queue : queues) {
                send(scene, queue, n);
            }
        }
        awaitSeen(scene, log, 4, 49);
        log.check();
    }

    /** Messages flow all the time; a second and a third consumer join, the first leaves, then the second. */
    static void threeComeAndGo(Scene scene) throws Exception {
        String topic = scene.topic();
        List<MessageQueue> queues = scene.createTopic(topic, QUEUES);
        OrderLog log = new OrderLog();
        Map<Integer, Integer> sent = new TreeMap<>();
        AtomicBoolean enough = new AtomicBoolean();
        List<Throwable> failed = new ArrayList<>();
        scene.producer();
        Thread sender = new Thread(() -> {
            try {
                for (int n = 0; !enough.get(); n++) {
                    for (MessageQueue queue : queues) {
                        send(scene, queue, n);
                        sent.put(queue.getQueueId(), n);
                    }
                    Thread.sleep(20);
                }
            } catch (Exception | AssertionError thrown) {
                failed.add(thrown);
            }
        });
        scene.closing(() -> enough.set(true));
        List<DefaultMQPushConsumer> living = new ArrayList<>();
        living.add(join(scene, log, "first"));
        sender.start();
        shared(scene, log, living);
        living.add(join(scene, log, "second"));
        shared(scene, log, living);
        living.add(join(scene, log, "third"));
        shared(scene, log, living);
        living.remove(0).shutdown();
        shared(scene, log, living);
        living.remove(0).shutdown();
        shared(scene, log, living);
        enough.set(true);
        sender.join();
        Check.that(failed.isEmpty(), "sending: " + failed);
        scene.await("the last messages", () -> {
            Check.equal(sent, log.seen(), "highest number of each queue");
            return true;
        });
        log.check();
    }

    private static DefaultMQPushConsumer join(Scene scene, OrderLog log, String who) throws Exception {
        return scene.push("three", scene.topic(), consumer -> consumer.registerMessageListener(log.listener(who)));
    }

    /** Waits until the consumers share the queues evenly and every queue has gone on since then. */
    private static void shared(Scene scene, OrderLog log, List<DefaultMQPushConsumer> living) throws Exception {
        long begin = System.nanoTime();
        scene.awaitRebalanced(living, "an even share of the queues", () -> {
            for (DefaultMQPushConsumer consumer : living) {
                Check.equal(QUEUES / living.size(), Inbox.queues(consumer).size(), "queues of " + consumer.getInstanceName());
            }
            return true;
        });
        scene.note(living.size() + " share the queues after " + (System.nanoTime() - begin) / 1_000_000 + " ms");
        Map<Integer, Integer> before = log.seen();
        scene.await("progress in every queue", () -> {
            Map<Integer, Integer> now = log.seen();
            for (int queue = 0; queue < QUEUES; queue++) {
                Check.that(now.getOrDefault(queue, -1) >= before.getOrDefault(queue, -1) + 5, "queue " + queue + ": " + now + " after " + before);
            }
            return true;
        });
        log.check();
    }

    /** The broker forgets all locks when it stops: order is kept by the one that goes on, and nobody is locked out. */
    static void livesThroughRestart(Scene scene) throws Exception {
        String topic = scene.topic();
        List<MessageQueue> queues = scene.createTopic(topic, 4);
        OrderLog log = new OrderLog();
        scene.push("one", topic, consumer -> consumer.registerMessageListener(log.listener("the only one")));
        for (int n = 0; n < 10; n++) {
            for (MessageQueue queue : queues) {
                send(scene, queue, n);
            }
        }
        awaitSeen(scene, log, 4, 9);

        scene.ask("restart-broker");

        for (int n = 10; n < 20; n++) {
            int number = n;
            for (MessageQueue queue : queues) {
                scene.await("send of " + n, () -> {
                    send(scene, queue, number);
                    return true;
                });
            }
        }
        // A Java client notices the restart when the pull that it had out is 30 s old.
        scene.await("the rest", 100_000, () -> {
            Check.equal(Map.of(0, 19, 1, 19, 2, 19, 3, 19), log.seen(), "highest number of each queue");
            return true;
        });
        log.check();
    }

    /** A listener that asks for a moment gets the same message again, and nothing of its queue overtakes it. */
    static void suspends(Scene scene) throws Exception {
        String topic = scene.topic();
        MessageQueue queue = scene.createTopic(topic, 1).get(0);
        List<String> tries = new ArrayList<>();
        MessageListenerOrderly listener = (messages, context) -> {
            MessageExt message = messages.get(0);
            context.setSuspendCurrentQueueTimeMillis(50);
            synchronized (tries) {
                tries.add(message.getKeys() + " after " + message.getReconsumeTimes());
            }
            boolean again = message.getKeys().equals("q0n1") && message.getReconsumeTimes() < 3;
            return again ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : ConsumeOrderlyStatus.SUCCESS;
        };
        scene.push("one", topic, consumer -> consumer.registerMessageListener(listener));
        for (int n = 0; n < 3; n++) {
            send(scene, queue, n);
        }
        List<String> expected = List.of("q0n0 after 0", "q0n1 after 0", "q0n1 after 1", "q0n1 after 2", "q0n1 after 3", "q0n2 after 0");
        scene.await("all tries", () -> {
            synchronized (tries) {
                Check.equal(expected, tries, "tries");
            }
            return true;
        });
    }

    /** After maxReconsumeTimes the client puts the message into the retry topic, which makes it a dead letter; the queue goes on. */
    static void deadLetter(Scene scene) throws Exception {
        String topic = scene.topic();
        MessageQueue queue = scene.createTopic(topic, 1).get(0);
        List<String> tries = new ArrayList<>();
        MessageListenerOrderly listener = (messages, context) -> {
            MessageExt message = messages.get(0);
            context.setSuspendCurrentQueueTimeMillis(50);
            synchronized (tries) {
                tries.add(message.getKeys() + " after " + message.getReconsumeTimes());
            }
            boolean bad = message.getKeys().equals("q0n0");
            return bad ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : ConsumeOrderlyStatus.SUCCESS;
        };
        scene.push("one", topic, consumer -> {
            consumer.setMaxReconsumeTimes(2);
            consumer.registerMessageListener(listener);
        });
        send(scene, queue, 0);
        send(scene, queue, 1);
        List<String> expected = List.of("q0n0 after 0", "q0n0 after 1", "q0n0 after 2", "q0n1 after 0");
        scene.await("all tries", () -> {
            synchronized (tries) {
                Check.equal(expected, tries, "tries");
            }
            return true;
        });
        MessageExt dead = Retry.deadLetters(scene, scene.group("one"), 1).get(0);
        Check.equal("q0n0", dead.getKeys(), "dead letter");
        scene.observe("dead letter", Retry.dead(dead));
    }

    /** Locks by hand: who holds what, to each group its own, and questions that make no sense. */
    static void locksByHand(Scene scene) throws Exception {
        String group = scene.group("g");
        scene.observe("a locks 0 1 2", lock(scene, group, "a", 0, 1, 2));
        scene.observe("b locks 1 2 3", lock(scene, group, "b", 1, 2, 3));
        scene.observe("a locks 0 1 2 3 again", lock(scene, group, "a", 0, 1, 2, 3));
        scene.observe("b of another group locks 0", lock(scene, scene.group("h"), "b", 0));
        scene.observe("b unlocks 0, which a holds", code(unlock(scene, group, "b", 0)));
        scene.observe("b locks 0", lock(scene, group, "b", 0));
        scene.observe("a unlocks 0 1 and 9, which nobody holds", code(unlock(scene, group, "a", 0, 1, 9)));
        scene.observe("b locks 0 1 2", lock(scene, group, "b", 0, 1, 2));
        scene.observe("a locks nothing", lock(scene, group, "a"));
        scene.observe("a unlocks in a group of nobody", code(unlock(scene, scene.group("nobody"), "a", 0)));
        for (int code : new int[] {LOCK_BATCH_MQ, UNLOCK_BATCH_MQ}) {
            scene.observe(code + " without a body", code(raw(scene, code, null)));
            scene.observe(code + " with half a body", code(raw(scene, code, "{\"clientId\":\"a\"")));
        }
        scene.observe("lock without a group", code(raw(scene, LOCK_BATCH_MQ, "{\"clientId\":\"a\",\"mqSet\":[" + queues(0) + "]}")));
        scene.observe("b still locks 0", lock(scene, group, "b", 0));
        Api.oneway(scene.producer(), scene.cluster.broker, UNLOCK_BATCH_MQ, body(group, "b", 0).getBytes(StandardCharsets.UTF_8));
        scene.await("a gets 0, which b has given back one-way", () -> lock(scene, group, "a", 0).endsWith("[0]"));
    }

    /** A lock that nobody renews is another's after a minute, and not before; one that is renewed is not. */
    static void lockExpires(Scene scene) throws Exception {
        String group = scene.group("g");
        long locked = System.nanoTime();
        lock(scene, group, "a", 0, 1);
        scene.await("a minute", LOCK_LIMIT_MS, () -> {
            Thread.sleep(500);
            lock(scene, group, "a", 1);
            return lock(scene, group, "b", 0).endsWith("[0]");
        });
        long heldMs = (System.nanoTime() - locked) / 1_000_000;
        // The broker goes by a clock that counts whole milliseconds.
        Check.that(heldMs > 59_900, "a lock was held for " + heldMs + " ms");
        scene.observe("b locks the one that was renewed", lock(scene, group, "b", 1));
    }

    private static String lock(Scene scene, String group, String client, int... ids) throws Exception {
        RemotingCommand answer = raw(scene, LOCK_BATCH_MQ, body(group, client, ids));
        String text = answer.getBody() == null ? "" : new String(answer.getBody(), StandardCharsets.UTF_8);
        TreeSet<String> held = new TreeSet<>();
        Matcher matcher = Pattern.compile("\"queueId\":(\\d+)").matcher(text);
        while (matcher.find()) {
            held.add(matcher.group(1));
        }
        return code(answer) + " holds " + held;
    }

    private static RemotingCommand unlock(Scene scene, String group, String client, int... ids) throws Exception {
        return raw(scene, UNLOCK_BATCH_MQ, body(group, client, ids));
    }

    private static String code(RemotingCommand answer) {
        return "code " + answer.getCode();
    }

    private static RemotingCommand raw(Scene scene, int code, String body) throws Exception {
        byte[] bytes = body == null ? null : body.getBytes(StandardCharsets.UTF_8);
        return Api.call(scene.producer(), scene.cluster.broker, code, Map.of(), bytes);
    }

    private static String body(String group, String client, int... ids) {
        return "{\"clientId\":\"" + client + "\",\"consumerGroup\":\"" + group + "\",\"mqSet\":[" + queues(ids) + "]}";
    }

    private static String queues(int... ids) {
        List<String> queues = new ArrayList<>();
        for (int id : ids) {
            queues.add("{\"brokerName\":\"" + Cluster.BROKER + "\",\"queueId\":" + id + ",\"topic\":\"T\"}");
        }
        return String.join(",", queues);
    }

    private static void send(Scene scene, MessageQueue queue, int number) throws Exception {
        var result = scene.producer().send(OrderLog.numbered(queue.getTopic(), queue.getQueueId(), number), queue);
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
    }

    private static void awaitSeen(Scene scene, OrderLog log, int queues, int number) throws Exception {
        scene.await("number " + number + " of every queue", () -> {
            Map<Integer, Integer> seen = log.seen();
            for (int queue = 0; queue < queues; queue++) {
                Check.equal(number, seen.get(queue), "queue " + queue);
            }
            return true;
        });
    }
}
