package compat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Push consumers: groups, filters, waiting pulls, offsets. */
final class Consuming {
    /** A push from the broker makes clients share queues anew at once; their own timer does it only every 20 s. */
    private static final long CHANGE_NOTICE_LIMIT_MS = 12_000;

    private Consuming() {
    }

    /** A waiting consumer alone in its group. */
    static void groupOfOne(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 4);
        Inbox inbox = scene.consume("one", topic, "*");
        inbox.awaitQueues(4, 30_000);
        inbox.awaitExactly(scene.send(topic, "T", "k", 200));
    }

    /** Three consumers: Java's averaging shares the queues, and each message goes to the holder of its queue, once. */
    static void groupOfThree(Scene scene) throws Exception {
        String topic = scene.topic();
        List<MessageQueue> queues = Scene.sorted(scene.createTopic(topic, 8));
        List<Inbox> inboxes = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            inboxes.add(scene.consume("three", topic, "*"));
        }
        Map<Inbox, Set<MessageQueue>> shares = averaged(inboxes, queues);
        for (Inbox inbox : inboxes) {
            scene.await("the share of " + inbox.consumer.getInstanceName(), CHANGE_NOTICE_LIMIT_MS, () -> {
                Check.equal(shares.get(inbox), inbox.queues(), "queues");
                return true;
            });
        }
        List<String> keys = scene.send(topic, "T", "k", 240);
        Inbox.awaitExactly(inboxes, keys);
        for (Inbox inbox : inboxes) {
            Check.equal(shares.get(inbox).size() * 30, inbox.messages().size(), "messages of " + shares.get(inbox).size() + " queues");
            for (MessageExt message : inbox.messages()) {
                MessageQueue queue = new MessageQueue(topic, Cluster.BROKER, message.getQueueId());
                Check.that(shares.get(inbox).contains(queue), "a message of " + queue + " came to the holder of " + shares.get(inbox));
            }
        }
    }

    /** What {@code AllocateMessageQueueAveragely} gives each: neighbours, the first of the sorted clients one more. */
    private static Map<Inbox, Set<MessageQueue>> averaged(List<Inbox> inboxes, List<MessageQueue> queues) {
        List<Inbox> clients = new ArrayList<>(inboxes);
        clients.sort((a, b) -> a.consumer.buildMQClientId().compareTo(b.consumer.buildMQClientId()));
        Map<Inbox, Set<MessageQueue>> shares = new HashMap<>();
        int next = 0;
        for (int i = 0; i < clients.size(); i++) {
            int share = queues.size() / clients.size() + (i < queues.size() % clients.size() ? 1 : 0);
            shares.put(clients.get(i), new TreeSet<>(queues.subList(next, next + share)));
            next += share;
        }
        return shares;
    }

    /** A consumer that joins takes half the queues at once, and gives them back when it leaves. */
    static void joinAndLeave(Scene scene) throws Exception {
        String topic = scene.topic();
        List<MessageQueue> queues = scene.createTopic(topic, 8);
        Inbox first = scene.consume("pair", topic, "*");
        first.awaitQueues(8, 30_000);
        List<String> keys = new ArrayList<>(scene.send(topic, "T", "alone", 40));
        first.awaitExactly(keys);

        // Who takes a queue over begins at the stored offset, so what is not stored yet would come twice.
        first.storeOffsets();
        scene.awaitStored(scene.group("pair"), queues, 40);

        long joined = System.nanoTime();
        Inbox second = scene.consume("pair", topic, "*");
        second.awaitQueues(4, CHANGE_NOTICE_LIMIT_MS);
        first.awaitQueues(4, CHANGE_NOTICE_LIMIT_MS);
        scene.note("shared " + (System.nanoTime() - joined) / 1_000_000 + " ms after the second consumer's start");
        keys.addAll(scene.send(topic, "T", "both", 40));
        Inbox.awaitExactly(List.of(first, second), keys);
        Check.equal(20, second.messages().size(), "messages of the second");
        first.storeOffsets();
        second.storeOffsets();
        scene.awaitStored(scene.group("pair"), queues, 80);

        second.stop();
        first.awaitQueues(8, CHANGE_NOTICE_LIMIT_MS);
        keys.addAll(scene.send(topic, "T", "left", 40));
        Inbox.awaitExactly(List.of(first, second), keys);
    }

    /** The broker's list of a group follows its members; the last one's leaving ends the group. */
    static void unregisterAtShutdown(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 2);
        String group = scene.group("members");
        Inbox first = scene.consume("members", topic, "*");
        Inbox second = scene.consume("members", topic, "*");
        DefaultMQProducer asking = scene.producer();
        scene.await("two members", () -> members(scene, asking, group).size() == 2);
        Check.equal(Set.of(first.consumer.buildMQClientId(), second.consumer.buildMQClientId()), members(scene, asking, group), "members");
        second.stop();
        scene.await("one member", () -> members(scene, asking, group).size() == 1);
        Check.equal(Set.of(first.consumer.buildMQClientId()), members(scene, asking, group), "members");
        first.stop();
        Throwable gone = scene.await("no member", () -> {
            try {
                members(scene, asking, group);
                return null;
            } catch (MQBrokerException refused) {
                return refused;
            }
        });
        scene.observe("members of a group without members", gone);
    }

    private static Set<String> members(Scene scene, DefaultMQProducer asking, String group) throws Exception {
        return new HashSet<>(Api.calls(asking).getConsumerIdListByGroup(scene.cluster.broker, group, 10_000));
    }

    /** Each broadcasting consumer gets everything. */
    static void broadcasting(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 4);
        List<Inbox> inboxes = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            Inbox inbox = scene.consume("all", topic, "*", Inbox.broadcasting());
            inbox.awaitQueues(4, 30_000);
            inboxes.add(inbox);
        }
        List<String> keys = scene.send(topic, "T", "k", 60);
        for (Inbox inbox : inboxes) {
            inbox.awaitExactly(keys);
        }
    }

    /** Tags, lists of tags, and two tags with the same hash ("Aa" and "BB"), of which the client sorts out one. */
    static void tagFilter(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 4);
        Map<String, List<String>> byTag = new HashMap<>();
        List<String> all = new ArrayList<>();
        for (String tag : Arrays.asList("Aa", "BB", "A", "B", "标签")) {
            byTag.put(tag, scene.send(topic, tag, "of" + tag + "-", 8));
            all.addAll(byTag.get(tag));
        }
        byTag.put(null, scene.send(topic, null, "untagged", 4));
        all.addAll(byTag.get(null));

        Check.equal("Aa".hashCode(), "BB".hashCode(), "hash of the pair");
        Map<String, List<String>> wanted = new HashMap<>();
        wanted.put("Aa", byTag.get("Aa"));
        wanted.put("BB", byTag.get("BB"));
        wanted.put("A || B", joined(byTag.get("A"), byTag.get("B")));
        wanted.put(" A|| 标签 ||none", joined(byTag.get("A"), byTag.get("标签")));
        wanted.put("*", all);
        wanted.put(null, all);
        Map<String, Inbox> inboxes = new HashMap<>();
        for (String expression : wanted.keySet()) {
            inboxes.put(expression, scene.consume("g" + inboxes.size(), topic, expression));
        }
        Inbox none = scene.consume("nothing", topic, "none");
        for (Map.Entry<String, Inbox> entry : inboxes.entrySet()) {
            scene.note("expression " + entry.getKey());
            entry.getValue().awaitExactly(wanted.get(entry.getKey()));
        }
        // New messages reach consumers that wait; what does not match stays away.
        List<String> late = scene.send(topic, "Aa", "late", 4);
        inboxes.get("Aa").awaitExactly(joined(byTag.get("Aa"), late));
        inboxes.get("*").awaitExactly(joined(all, late));
        inboxes.get("BB").awaitExactly(byTag.get("BB"));
        none.awaitExactly(List.of());
    }

    private static List<String> joined(List<String> one, List<String> other) {
        List<String> both = new ArrayList<>(one);
        both.addAll(other);
        return both;
    }

    /** A held pull is answered by the message, not by the end of its 15 s: median of 7 from send to listener. */
    static void longPolling(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        Inbox inbox = scene.consume("waiting", topic, "*");
        inbox.awaitQueues(1, 30_000);
        List<Long> latencies = new ArrayList<>();
        for (int i = 0; i < 7; i++) {
            // The next pull is to be on hold again; if it is not yet, this round proves less, and does not fail.
            Thread.sleep(100);
            long sent = System.nanoTime();
            scene.producer().send(Scene.message(topic, "T", "k" + i));
            inbox.await(i + 1, 30_000);
            latencies.add((System.nanoTime() - sent) / 1_000_000);
        }
        scene.note("milliseconds from send to listener: " + latencies);
        latencies.sort(null);
        Check.that(latencies.get(3) < 1_000, "median of " + latencies + " ms is not below 1 s");
    }

    /** What a group has consumed is stored when it stops, and the next consumer of the group goes on there. */
    static void offsetsCommitted(Scene scene) throws Exception {
        String topic = scene.topic();
        List<MessageQueue> queues = scene.createTopic(topic, 4);
        List<String> first = scene.send(topic, "T", "first", 40);
        Inbox before = scene.consume("steady", topic, "*");
        before.awaitExactly(first);
        before.stop();

        // 15 is one-way, so the stored offset may come a moment after the consumer's end.
        scene.awaitStored(scene.group("steady"), queues, 40);
        List<String> second = scene.send(topic, "T", "second", 20);
        scene.consume("steady", topic, "*").awaitExactly(second);
        // Another group has offsets of its own.
        scene.consume("other", topic, "*").awaitExactly(joined(first, second));
    }

    /** Offsets set by hand, through the pull consumer's store. */
    static void offsetsSet(Scene scene) throws Exception {
        String topic = scene.topic();
        MessageQueue queue = scene.createTopic(topic, 1).get(0);
        List<String> keys = scene.send(topic, "T", "k", 10);
        DefaultMQPullConsumer setting = scene.puller("set");
        DefaultMQPullConsumer asking = scene.puller("set");
        for (long offset : new long[] {7, 3}) {
            setting.updateConsumeOffset(queue, offset);
            setting.getOffsetStore().persistAll(new HashSet<>(Set.of(queue)));
            scene.await("offset " + offset, () -> asking.fetchConsumeOffset(queue, true) == offset);
        }
        scene.observe("offset of a new group on a young queue", scene.puller("new").fetchConsumeOffset(queue, true));
        // A pull consumer counts as a member of its group: the push consumer would leave it its share.
        setting.shutdown();
        asking.shutdown();
        scene.consume("set", topic, "*").awaitExactly(keys.subList(3, 10));
    }
}
