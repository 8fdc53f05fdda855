package compat.swap;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONObject;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.message.MessageExt;

/** What was written and not yet delivered when a broker went away: delayed, given back, and half messages. */
final class Pending {
    private Pending() {
    }

    /** A broker persists offsets every so often; one that is killed sooner delivers again what it had delivered. */
    static void awaitPersisted(World world, String folder) throws Exception {
        world.await("consumer offsets in " + folder, () -> {
            JSONObject table = read(folder, "consumerOffset.json").getJSONObject("offsetTable");
            for (Map.Entry<String, Map<String, Long>> group : world.consumed.entrySet()) {
                for (String place : group.getValue().keySet()) {
                    String[] queue = place.split("/");
                    long now = world.wire.consumerOffset(group.getKey(), queue[0], Integer.parseInt(queue[1]));
                    Long stored = table.getJSONObject(queue[0] + "@" + group.getKey()).getLong(queue[1]);
                    if (stored == null || stored != now) {
                        throw new Difference(group.getKey() + " on " + place + " is at " + now + ", in the file at " + stored);
                    }
                }
            }
            return true;
        });
        world.await("delay offsets in " + folder, () -> {
            Long level = read(folder, "delayOffset.json").getJSONObject("offsetTable").getLong("1");
            if (level == null || level != world.delayedDelivered.size()) {
                throw new Difference("level 1 is at " + level + " of " + world.delayedDelivered.size());
            }
            return true;
        });
    }

    private static JSONObject read(String folder, String file) throws Exception {
        return JSON.parseObject(Files.readString(Path.of(folder, file), StandardCharsets.UTF_8));
    }

    /** Transactions whose sender took so long that another broker has the store when they end. */
    static void commitLate(World world) throws Exception {
        long before = Workload.sumOfMax(world, "tx", 3);
        for (String key : world.commitLate) {
            List<Wire.Stored> halves = world.wire.query(Workload.HALF, key, 0, Long.MAX_VALUE);
            Difference.unless(halves.size() == 1, halves.size() + " half messages " + key);
            world.wire.commit("P_swap", halves.get(0));
        }
        int count = world.commitLate.size();
        world.await("late commits", () -> Workload.sumOfMax(world, "tx", 3) >= before + count);
        world.committed.addAll(world.commitLate);
        world.commitLate.clear();
    }

    /** On a broker that makes every delay a second and checks transactions every second. */
    static void deliver(World world) throws Exception {
        List<String> delayed = new ArrayList<>(world.delayedDelivered);
        delayed.addAll(world.delayedPending);
        arrive(world, "delayed", 2, delayed);
        List<String> committed = new ArrayList<>(world.committed);
        committed.addAll(world.commitOnCheck);
        world.await("checks of " + world.rollBackOnCheck, () -> world.checked.containsAll(world.rollBackOnCheck));
        arrive(world, "tx", 3, committed);
        for (List<String> done : List.of(world.committed, world.rolledBack)) {
            Difference.unless(done.stream().noneMatch(world.checked::contains),
                "a check of a transaction that had ended: checked " + world.checked + ", ended " + done);
        }
        retry(world);
    }

    /** Waits until the topic holds as many messages, and holds that these are the keys, each once. */
    private static void arrive(World world, String topic, int queues, List<String> keys) throws Exception {
        world.await(keys.size() + " messages in " + topic, () -> {
            long there = Workload.sumOfMax(world, topic, queues);
            if (there < keys.size()) {
                throw new Difference("there are " + there);
            }
            return true;
        });
        List<String> there = new ArrayList<>();
        for (int queue = 0; queue < queues; queue++) {
            for (Wire.Stored stored : world.wire.pull(topic, queue, 0)) {
                there.add(stored.message.getKeys());
            }
        }
        there.sort(null);
        List<String> wanted = new ArrayList<>(keys);
        wanted.sort(null);
        Difference.unless(wanted.equals(there), "in " + topic + " there should be " + wanted + "\nand there are " + there);
    }

    /** The messages that were given back come to their group again, once. */
    private static void retry(World world) throws Exception {
        List<String> got = new ArrayList<>();
        Set<String> early = ConcurrentHashMap.newKeySet();
        DefaultMQPushConsumer consumer = Groups.consumer(world, Groups.RETRY);
        consumer.subscribe("retry", "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                if (message.getReconsumeTimes() != 1) {
                    early.add(message.getKeys());
                }
                synchronized (got) {
                    got.add(message.getKeys());
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        try {
            world.await("messages given back " + world.givenBack, () -> {
                synchronized (got) {
                    return got.containsAll(world.givenBack);
                }
            });
        } finally {
            consumer.shutdown();
        }
        Difference.unless(early.isEmpty(), "consumed again, or with other counts: " + early);
        Difference.unless(got.size() == world.givenBack.size(), "given back " + world.givenBack + ", came " + new TreeSet<>(got) + " in " + got.size());
    }
}
