package compat.swap;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;

import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.protocol.body.SubscriptionGroupWrapper;
import org.apache.rocketmq.common.protocol.body.TopicConfigSerializeWrapper;

/**
 * All that clients can see of a broker's store, as lines {@code place → what is there}: offsets, every record by queue
 * offset, by place in the log, by key, by time; topics, groups, and where the groups stand.
 */
final class Snapshot {
    private static final int SHOWN = 25;
    /** Messages of neighbouring queue files are a round apart at most. */
    private static final long JAVA_MISSES_BY_MS = 30_000;
    private static final long AN_HOUR_MS = 3_600_000;
    /** What goes on by itself on the last broker, which delivers and checks all that is pending. */
    private static final List<String> MOVING = List.of("delayed", "tx", "%RETRY%", Workload.HALF, Workload.OP, Workload.SCHEDULE);

    private final World world;
    private final Map<String, String> lines = new TreeMap<>();

    private Snapshot(World world) {
        this.world = world;
    }

    static String keep(World world, String file) throws Exception {
        world.kept = take(world, file);
        return world.kept.size() + " lines";
    }

    /** @param last whether pending messages may be delivered, and checked, meanwhile */
    static String compare(World world, String file, boolean last) throws Exception {
        Map<String, String> now = take(world, file);
        List<String> wrong = new ArrayList<>();
        world.kept.forEach((place, before) -> {
            String after = now.get(place);
            if (!Objects.equals(before, after) && !(last && isCount(place) && moves(place))) {
                wrong.add(place + "\n    before: " + before + "\n    now:    " + (after == null ? "nothing" : after));
            }
        });
        now.forEach((place, after) -> {
            boolean table = place.startsWith("topic ") || place.startsWith("group ");
            if (!world.kept.containsKey(place) && !table && !(last && moves(place))) {
                wrong.add(place + "\n    before: nothing\n    now:    " + after);
            }
        });
        Difference.unless(wrong.isEmpty(), wrong.size() + " of " + world.kept.size() + " are not as they were:\n  "
            + String.join("\n  ", wrong.subList(0, Math.min(SHOWN, wrong.size()))));
        return now.size() + " lines";
    }

    private static boolean moves(String place) {
        return MOVING.stream().anyMatch(place.split(" ")[1]::startsWith);
    }

    /** What an additional message changes: an offset, not a message. */
    private static boolean isCount(String place) {
        return place.startsWith("offsets ") || place.startsWith("time ");
    }

    private static Map<String, String> take(World world, String file) throws Exception {
        Snapshot snapshot = new Snapshot(world);
        snapshot.tables();
        snapshot.queues();
        snapshot.keys();
        snapshot.groups();
        List<String> text = new ArrayList<>();
        snapshot.lines.forEach((place, what) -> text.add(place + " → " + what));
        Files.write(Path.of(file), text, StandardCharsets.UTF_8);
        return snapshot.lines;
    }

    private void tables() throws Exception {
        TopicConfigSerializeWrapper topics = TopicConfigSerializeWrapper.decode(
            world.wire.call(Wire.ALL_TOPICS, Map.of()).getBody(), TopicConfigSerializeWrapper.class);
        topics.getTopicConfigTable().forEach((name, config) -> lines.put("topic " + name, config.toString()));
        SubscriptionGroupWrapper groups = SubscriptionGroupWrapper.decode(
            world.wire.call(Wire.ALL_GROUPS, Map.of()).getBody(), SubscriptionGroupWrapper.class);
        groups.getSubscriptionGroupTable().forEach((name, config) -> lines.put("group " + name, config.toString()));
    }

    private void queues() throws Exception {
        Map<String, Integer> queues = new TreeMap<>(world.topics);
        queues.put("%RETRY%" + Groups.RETRY, 1);
        for (Map.Entry<String, Integer> topic : queues.entrySet()) {
            for (int queue = 0; queue < topic.getValue(); queue++) {
                offsets(topic.getKey(), queue);
                messages(topic.getKey(), queue);
            }
        }
        // No client may read these: the broker alone does.
        offsets(Workload.SCHEDULE, 0);
        offsets(Workload.SCHEDULE, 1);
        offsets(Workload.SCHEDULE, 2);
        offsets(Workload.HALF, 0);
        offsets(Workload.OP, 0);
        offsets("%DLQ%" + Groups.DEAD, 0);
    }

    private void offsets(String topic, int queue) throws Exception {
        lines.put("offsets " + topic + " " + queue,
            world.wire.minOffset(topic, queue) + ".." + world.wire.maxOffset(topic, queue));
    }

    private void messages(String topic, int queue) throws Exception {
        List<Wire.Stored> all = world.wire.pull(topic, queue, 0);
        for (Wire.Stored stored : all) {
            lines.put(String.format("message %s %d %06d", topic, queue, stored.message.getQueueOffset()), stored.text());
            checkSent(stored);
            Wire.Stored viewed = world.wire.view(stored.message.getCommitLogOffset());
            Difference.unless(viewed != null && Arrays.equals(stored.bytes, viewed.bytes),
                "by id it is another message than by queue offset: " + stored.text());
        }
        times(topic, queue, all);
    }

    /**
     * The message of a given time. Java first chooses a queue file by its time of modification, and so may land in the
     * neighbour of the right one; ours finds the very millisecond.
     */
    private void times(String topic, int queue, List<Wire.Stored> all) throws Exception {
        for (int i = 0; i < all.size(); i += 7) {
            long wanted = all.get(i).message.getStoreTimestamp();
            long found = all.get((int) world.wire.offsetByTime(topic, queue, wanted)).message.getStoreTimestamp();
            Difference.unless(Math.abs(found - wanted) <= (world.servedByJava ? JAVA_MISSES_BY_MS : 0),
                topic + "/" + queue + " at " + wanted + ": found a message of " + found);
        }
        if (!all.isEmpty()) {
            time(topic, queue, all.get(0).message.getStoreTimestamp() - AN_HOUR_MS);
            time(topic, queue, all.get(all.size() - 1).message.getStoreTimestamp() + AN_HOUR_MS);
        }
    }

    private void time(String topic, int queue, long milliseconds) throws Exception {
        lines.put("time " + topic + " " + queue + " " + milliseconds,
            Long.toString(world.wire.offsetByTime(topic, queue, milliseconds)));
    }

    /** What is stored is what was sent: body, keys, tags and the sender's own properties. */
    private void checkSent(Wire.Stored stored) {
        Message sent = world.sent.get(stored.message.getProperty("UNIQ_KEY"));
        Difference.unless(sent != null, "nobody sent this: " + stored.text());
        Difference.unless(Arrays.equals(sent.getBody(), stored.body()), "another body than was sent: " + stored.text());
        for (String name : List.of("KEYS", "TAGS", "имя", "n", World.FATE)) {
            Difference.unless(Objects.equals(sent.getProperty(name), stored.message.getProperty(name)),
                "property " + name + " was " + sent.getProperty(name) + ": " + stored.text());
        }
    }

    private void keys() throws Exception {
        for (String place : world.keys) {
            String topic = place.substring(0, place.indexOf('#'));
            String key = place.substring(place.indexOf('#') + 1);
            // The index comes after the queue.
            world.await("a message by key " + place, () -> !world.wire.query(topic, key, 0, Long.MAX_VALUE).isEmpty());
            List<Wire.Stored> found = world.wire.query(topic, key, 0, Long.MAX_VALUE);
            for (Wire.Stored stored : found) {
                lines.merge("key " + topic + " " + key + " " + stored.message.getCommitLogOffset(), stored.text(),
                    (one, more) -> one + " and again");
            }
            between(topic, key, found.get(0));
        }
    }

    /** The time that is asked for counts; the index keeps whole seconds. */
    private void between(String topic, String key, Wire.Stored wanted) throws Exception {
        long at = wanted.message.getStoreTimestamp();
        boolean there = false;
        for (Wire.Stored stored : world.wire.query(topic, key, at - 2_000, at + 2_000)) {
            there |= Arrays.equals(stored.bytes, wanted.bytes);
        }
        Difference.unless(there, "not found by key and time: " + wanted.text());
        Difference.unless(world.wire.query(topic, key, at - 2 * AN_HOUR_MS, at - AN_HOUR_MS).isEmpty(),
            "found by key an hour before it was there: " + wanted.text());
    }

    private void groups() throws Exception {
        for (Map.Entry<String, Map<String, Long>> group : world.consumed.entrySet()) {
            for (String place : group.getValue().keySet()) {
                String[] queue = place.split("/");
                long offset = world.wire.consumerOffset(group.getKey(), queue[0], Integer.parseInt(queue[1]));
                lines.put("group-offset " + group.getKey() + " " + place, Long.toString(offset));
            }
        }
        Set<String> names = world.consumed.keySet();
        Difference.unless(names.stream().allMatch(name -> lines.containsKey("group " + name)), "a group is missing of " + names);
    }
}
