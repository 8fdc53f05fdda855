package compat;

import java.text.SimpleDateFormat;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;

import org.apache.rocketmq.common.consumer.ConsumeFromWhere;

/**
 * A group that comes after the messages. On a queue that still begins at 0 in memory Java tells every new group "offset
 * 0", whatever it asked for; where the messages are on disk only, the group's own wish counts. The harness's second
 * cluster counts everything as on disk (accessMessageInMemoryMaxRatio=0).
 */
final class Late {
    private Late() {
    }

    static void first(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 2);
        List<String> keys = new ArrayList<>(scene.send(topic, "T", "before", 20));
        Inbox inbox = late(scene, ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET, null);
        inbox.awaitExactly(keys);
        keys.addAll(scene.send(topic, "T", "after", 20));
        inbox.awaitExactly(keys);
    }

    static void last(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 2);
        settled(scene, 20);
        Inbox inbox = late(scene, ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET, null);
        inbox.awaitQueues(2, 30_000);
        inbox.awaitExactly(scene.send(topic, "T", "after", 20));
    }

    /** From a second that lies between two lots of messages, nearer to the second one. */
    static void timestamp(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 2);
        settled(scene, 20);
        // Java goes to the message whose store time is nearest, and the client can only say whole seconds.
        long second = (System.currentTimeMillis() / 1000 + 3) * 1000;
        scene.await("the clock to pass " + second, () -> System.currentTimeMillis() > second + 50);
        List<String> keys = scene.send(topic, "T", "between", 20);
        String time = new SimpleDateFormat("yyyyMMddHHmmss").format(new Date(second));
        Inbox inbox = late(scene, ConsumeFromWhere.CONSUME_FROM_TIMESTAMP, time);
        inbox.awaitExactly(keys);
        keys.addAll(scene.send(topic, "T", "after", 20));
        inbox.awaitExactly(keys);
    }

    /** On a young queue in memory the wish does not count: everything comes. */
    static void lastOnYoungQueue(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 2);
        List<String> keys = new ArrayList<>(settled(scene, 20));
        Inbox inbox = late(scene, ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET, null);
        inbox.awaitQueues(2, 30_000);
        keys.addAll(scene.send(topic, "T", "after", 20));
        inbox.awaitExactly(keys);
    }

    /** Sends and waits until the queues show it: the end that a late group is told is the end of these messages. */
    private static List<String> settled(Scene scene, int count) throws Exception {
        List<String> keys = scene.send(scene.topic(), "T", "before", count);
        var asking = scene.puller("asking");
        scene.await("queue entries of " + count + " messages", () -> {
            long sum = 0;
            for (var queue : asking.fetchSubscribeMessageQueues(scene.topic())) {
                sum += asking.maxOffset(queue);
            }
            return sum == count;
        });
        return keys;
    }

    private static Inbox late(Scene scene, ConsumeFromWhere where, String time) throws Exception {
        return scene.consume("late", scene.topic(), "*", consumer -> {
            consumer.setConsumeFromWhere(where);
            if (time != null) {
                consumer.setConsumeTimestamp(time);
            }
        });
    }
}
