package compat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Servers that stop and come back while clients use them. The harness changes the cluster once for all clients. */
final class Restarts {
    private Restarts() {
    }

    /** Stopped in order between send and consume: nothing lost, and nothing consumed again. */
    static void brokerClean(Scene scene) throws Exception {
        String topic = scene.topic();
        List<MessageQueue> queues = scene.createTopic(topic, 4);
        Inbox steady = scene.consume("steady", topic, "*");
        List<String> first = scene.send(topic, "T", "first", 40);
        steady.awaitExactly(first);
        steady.stop();
        scene.awaitStored(scene.group("steady"), queues, 40);
        List<String> second = scene.send(topic, "T", "second", 40);

        scene.ask("restart-broker");

        Inbox again = scene.consume("steady", topic, "*");
        again.awaitExactly(second);
        checkQueues(scene, topic, queues, 20);
        List<String> rest = new ArrayList<>(second);
        rest.addAll(sendThrough(scene, topic, "third", 20));
        again.awaitExactly(rest);
    }

    /**
     * A consumer that was there before the broker stopped goes on afterwards. A Java client notices only when the pull
     * that it had out is 30 s old; the harness lets other scenarios disturb the broker meanwhile.
     */
    static void consumerLivesOn(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 4);
        Inbox live = scene.consume("live", topic, "*");
        List<String> keys = new ArrayList<>(scene.send(topic, "T", "before", 20));
        live.awaitExactly(keys);

        scene.ask("restart-broker");

        keys.addAll(sendThrough(scene, topic, "after", 20));
        live.awaitAtLeast(keys, 100_000);
    }

    /** Killed with SIGKILL between send and consume: what was answered with SEND_OK is there, once. */
    static void brokerKilled(Scene scene) throws Exception {
        String topic = scene.topic();
        List<MessageQueue> queues = scene.createTopic(topic, 4);
        List<String> keys = new ArrayList<>(scene.send(topic, "T", "before", 80));

        scene.ask("restart-killed-broker");

        List<MessageExt> got = scene.consume("after", topic, "*").awaitExactly(keys);
        checkOffsetsDistinct(got);
        checkQueues(scene, topic, queues, 20);
        Inbox later = scene.consume("later", topic, "*");
        keys.addAll(sendThrough(scene, topic, "after", 20));
        checkOffsetsDistinct(later.awaitExactly(keys));
    }

    /** No name server for a while: who has the route goes on; afterwards the broker registers again by itself. */
    static void namesrv(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 4);
        Inbox inbox = scene.consume("one", topic, "*");
        List<String> keys = new ArrayList<>(scene.send(topic, "T", "before", 20));

        scene.ask("stop-namesrvs");

        keys.addAll(scene.send(topic, "T", "without", 20));
        inbox.awaitExactly(keys);

        scene.ask("start-namesrvs");

        DefaultMQProducer fresh = scene.producer(settings -> { });
        scene.awaitRoute(fresh, topic, 4);
        Check.equal(SendStatus.SEND_OK, fresh.send(Scene.message(topic, "T", "fresh")).getSendStatus(), "status");
        keys.add("fresh");
        scene.consume("two", topic, "*").awaitExactly(keys);
        inbox.awaitExactly(keys);
    }

    /** One of two name servers is down: new clients find the other, whichever they try first. */
    static void oneNamesrvDown(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 4);

        scene.ask("stop-namesrv-2");

        List<String> keys = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            String key = "k" + i;
            DefaultMQProducer fresh = scene.producer(settings -> { });
            // Up to 4.9.4 one send tries both; 5.3.3 throws what the first one did, and the next send tries the other.
            SendResult result = scene.await("send of " + key, () -> fresh.send(Scene.message(topic, "T", key)));
            Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status " + i);
            keys.add(key);
        }
        scene.await("a consumer's start", () -> scene.consume("one", topic, "*")).awaitExactly(keys);
        // A topic made meanwhile is known to the one that is left.
        String made = scene.topic("made");
        scene.await("a topic made", () -> scene.createTopic(made, 2));
        scene.await("a consumer's start", () -> scene.consume("two", made, "*"))
            .awaitExactly(sendThrough(scene, made, "m", 10));

        scene.ask("start-namesrv-2");

        // Registered again, with the topic that was made meanwhile.
        String second = scene.cluster.namesrv.split(";")[1];
        DefaultMQProducer asking = scene.producer(settings -> settings.setNamesrvAddr(second));
        scene.awaitRoute(asking, made, 2);
    }

    /** Each message sent until it is taken: the first try may meet the closed connection. */
    private static List<String> sendThrough(Scene scene, String topic, String prefix, int count) throws Exception {
        List<String> keys = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            String key = prefix + i;
            SendResult result = scene.await("send of " + key, () -> scene.producer().send(Scene.message(topic, "T", key)));
            Check.equal(SendStatus.SEND_OK, result.getSendStatus(), key);
            keys.add(key);
        }
        return keys;
    }

    private static void checkQueues(Scene scene, String topic, List<MessageQueue> queues, long each) throws Exception {
        DefaultMQPullConsumer asking = scene.puller("asking");
        Check.equal(new HashSet<>(queues), scene.await("queues", () -> asking.fetchSubscribeMessageQueues(topic)), "queues");
        for (MessageQueue queue : queues) {
            Check.equal(0L, asking.minOffset(queue), "least offset of " + queue);
            Check.equal(each, asking.maxOffset(queue), "end of " + queue);
        }
    }

    /** No two messages of a queue have one offset, and none is left out. */
    private static void checkOffsetsDistinct(List<MessageExt> messages) {
        Map<Integer, Set<Long>> seen = new HashMap<>();
        for (MessageExt message : messages) {
            Check.that(seen.computeIfAbsent(message.getQueueId(), id -> new HashSet<>()).add(message.getQueueOffset()),
                "two messages at offset " + message.getQueueOffset() + " of queue " + message.getQueueId());
        }
        seen.forEach((queue, offsets) -> {
            for (long i = 0; i < offsets.size(); i++) {
                Check.that(offsets.contains(i), "no message at offset " + i + " of queue " + queue);
            }
        });
    }
}
