package compat.swap;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;

import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.consumer.store.OffsetStore;
import org.apache.rocketmq.client.consumer.store.ReadOffsetType;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Consumer groups that come back after a swap and must get what they have not had, each message once. */
final class Groups {
    /** A group of push consumers, and what it listens to. {@code tags} of {@code null} are all. */
    record Group(String name, List<String> topics, Set<String> tags, boolean orderly) {
    }

    static final String RETRY = "g_retry";
    static final String DEAD = "g_dead";
    /** Groups that consume in every round. */
    static final List<Group> ALL = List.of(
        new Group("g_plain", List.of("plain", "batch", "big"), null, false),
        new Group("g_tags", List.of("plain"), Set.of("A", "тег"), false),
        new Group("g_order", List.of("one"), null, true));

    private Groups() {
    }

    /** All known groups go on; and a new one begins at the first message. */
    static void goOn(World world, int stage) throws Exception {
        List<Callable<Void>> all = all(world);
        all.add(goingOn(world, new Group("g_new_" + stage, List.of("plain", "one"), null, false)));
        besideEachOther(all);
    }

    /** All groups have what there is; one gives a message back, one gives one up. */
    static void consume(World world, String round) throws Exception {
        List<Callable<Void>> all = all(world);
        all.add(() -> giveBack(world, round + "again"));
        all.add(() -> giveUp(world, round + "dead"));
        besideEachOther(all);
    }

    private static List<Callable<Void>> all(World world) {
        List<Callable<Void>> all = new ArrayList<>();
        for (Group group : ALL) {
            all.add(goingOn(world, group));
        }
        return all;
    }

    private static Callable<Void> goingOn(World world, Group group) {
        return () -> {
            goOn(world, group);
            return null;
        };
    }

    /** A consumer mostly waits for its own timers. */
    private static void besideEachOther(List<Callable<Void>> all) throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool();
        try {
            for (Future<Void> one : threads.invokeAll(all)) {
                one.get();
            }
        } finally {
            threads.shutdown();
        }
    }

    /** Starts a consumer, waits until it has had all that is there for its group, and stops it. */
    private static void goOn(World world, Group group) throws Exception {
        Map<String, Long> next = world.consumed.computeIfAbsent(group.name, name -> new TreeMap<>());
        Set<String> expected = new TreeSet<>();
        Map<String, Long> after = new TreeMap<>();
        for (String topic : group.topics) {
            for (int queue = 0; queue < world.topics.get(topic); queue++) {
                String place = topic + "/" + queue;
                long from = next.getOrDefault(place, 0L);
                after.put(place, from);
                for (Wire.Stored stored : world.wire.pull(topic, queue, from)) {
                    if (group.tags == null || group.tags.contains(String.valueOf(stored.message.getTags()))) {
                        expected.add(place + "/" + stored.message.getQueueOffset());
                        after.put(place, stored.message.getQueueOffset() + 1);
                    }
                }
            }
        }
        List<String> got = listen(world, group, expected, after);
        Difference.unless(new HashSet<>(got).size() == got.size(), group.name + " got messages twice: " + got);
        Set<String> extra = new TreeSet<>(got);
        extra.removeAll(expected);
        Difference.unless(extra.isEmpty(), group.name + " got messages that it had had before: " + extra + ", it stood at " + next);
        next.putAll(after);
        awaitStored(world, group.name, after);
    }

    /**
     * Where the group stands is at the broker. Behind the last message that matches there may be others that count as
     * had. A pull that was under way when the consumer stopped commits an older offset, and on a busy machine a Java
     * broker may see to it last: then the consumer's word is said again.
     */
    private static void awaitStored(World world, String group, Map<String, Long> offsets) throws Exception {
        world.await("stored offsets of " + group, () -> {
            for (Map.Entry<String, Long> place : offsets.entrySet()) {
                String[] queue = place.getKey().split("/");
                int id = Integer.parseInt(queue[1]);
                long stored = world.wire.consumerOffset(group, queue[0], id);
                if (stored < place.getValue()) {
                    world.wire.storeConsumerOffset(group, queue[0], id, place.getValue());
                    throw new Difference(place + " is stored as " + stored);
                }
            }
            return true;
        });
    }

    /** What a listener has had is stored when its consumer stops, but only once the client has counted it. */
    private static boolean counted(DefaultMQPushConsumer consumer, Map<String, Long> offsets) {
        OffsetStore store = consumer.getDefaultMQPushConsumerImpl().getOffsetStore();
        return offsets.entrySet().stream().allMatch(place -> {
            String[] queue = place.getKey().split("/");
            MessageQueue at = new MessageQueue(queue[0], Workload.BROKER, Integer.parseInt(queue[1]));
            return store.readOffset(at, ReadOffsetType.READ_FROM_MEMORY) >= place.getValue();
        });
    }

    private static List<String> listen(World world, Group group, Set<String> expected, Map<String, Long> after) throws Exception {
        List<String> got = new ArrayList<>();
        DefaultMQPushConsumer consumer = consumer(world, group.name);
        for (String topic : group.topics) {
            consumer.subscribe(topic, group.tags == null ? "*" : String.join(" || ", group.tags));
        }
        if (group.orderly) {
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                note(got, messages);
                return ConsumeOrderlyStatus.SUCCESS;
            });
        } else {
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                note(got, messages);
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
        }
        consumer.start();
        try {
            world.await("messages of " + group.name, () -> {
                synchronized (got) {
                    Set<String> missing = new TreeSet<>(expected);
                    missing.removeAll(got);
                    if (!missing.isEmpty()) {
                        throw new Difference(missing.size() + " of " + expected.size() + " are missing, the first is " + missing.iterator().next());
                    }
                }
                return counted(consumer, after);
            });
        } finally {
            consumer.shutdown();
        }
        synchronized (got) {
            if (group.orderly) {
                for (int i = 1; i < got.size(); i++) {
                    long before = Long.parseLong(got.get(i - 1).substring(got.get(i - 1).lastIndexOf('/') + 1));
                    long here = Long.parseLong(got.get(i).substring(got.get(i).lastIndexOf('/') + 1));
                    Difference.unless(here == before + 1, group.name + ": " + got.get(i) + " came after " + got.get(i - 1));
                }
            }
            return new ArrayList<>(got);
        }
    }

    private static void note(List<String> got, List<MessageExt> messages) {
        synchronized (got) {
            for (MessageExt message : messages) {
                got.add(message.getTopic() + "/" + message.getQueueId() + "/" + message.getQueueOffset());
            }
        }
    }

    static DefaultMQPushConsumer consumer(World world, String group) {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        world.instance(consumer);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setConsumeThreadMin(2);
        consumer.setConsumeThreadMax(2);
        return consumer;
    }

    /** A consumer of {@code retry} takes all messages but {@code key}, which it gives back for later. */
    private static Void giveBack(World world, String key) throws Exception {
        refuse(world, RETRY, "retry", key, consumer -> { });
        world.givenBack.add(key);
        world.keys.add(Workload.SCHEDULE + "#" + key);
        return null;
    }

    /** A consumer that tries nothing twice: its message goes to the dead letters. */
    private static Void giveUp(World world, String key) throws Exception {
        refuse(world, DEAD, "dead", key, consumer -> consumer.setMaxReconsumeTimes(0));
        String letters = "%DLQ%" + DEAD;
        long count = world.wire.maxOffset("dead", 0);
        world.await("dead letter " + key, () -> world.wire.maxOffset(letters, 0) == count);
        world.keys.add(letters + "#" + key);
        return null;
    }

    private static void refuse(World world, String group, String topic, String key,
        Consumer<DefaultMQPushConsumer> settings) throws Exception {
        Map<String, Long> after = Map.of(topic + "/0", world.sent.values().stream()
            .filter(message -> message.getTopic().equals(topic)).count());
        Set<String> seen = ConcurrentHashMap.newKeySet();
        DefaultMQPushConsumer consumer = consumer(world, group);
        settings.accept(consumer);
        consumer.subscribe(topic, "*");
        refusing(consumer, Set.of(key), seen);
        consumer.start();
        try {
            world.await("messages of " + group, () -> seen.contains(key) && counted(consumer, after));
        } finally {
            consumer.shutdown();
        }
        awaitStored(world, group, after);
        world.consumed.put(group, new TreeMap<>(after));
    }

    private static void refusing(DefaultMQPushConsumer consumer, Set<String> refused, Set<String> seen) {
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            boolean refuse = false;
            for (MessageExt message : messages) {
                refuse |= refused.contains(message.getKeys());
                seen.add(message.getKeys());
            }
            return refuse ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
    }
}
