package compat;

import java.nio.charset.StandardCharsets;
import java.util.List;

import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Pulls that a broker must not serve, and what it tells of offsets that it moved. */
final class Corners {
    private static final String EVENTS = "OFFSET_MOVED_EVENT";
    private static final int WRITE = 2;
    private static final int READ_AND_WRITE = 6;

    private Corners() {
    }

    /** Topics and queues that are not there or may not be read, expressions that are none. */
    static void refused(Scene scene) throws Exception {
        String topic = scene.topic();
        MessageQueue queue = scene.createTopic(topic, 1).get(0);
        scene.send(topic, "T", "k", 3);
        DefaultMQPullConsumer puller = scene.puller("one");
        scene.await("three messages", () -> puller.maxOffset(queue) == 3);
        Retry.updateTopic(scene, topic, WRITE);
        scene.observe("of a topic that may only be written", scene.await("the new permission",
            () -> Check.refused("pull", () -> puller.pull(queue, "*", 0, 32))));
        Retry.updateTopic(scene, topic, READ_AND_WRITE);
        scene.await("the old permission", () -> puller.pull(queue, "*", 0, 32).getMsgFoundList().size() == 3);
        MessageQueue beyond = new MessageQueue(topic, Cluster.BROKER, 1);
        scene.observe("of a queue past the last", Check.refused("pull", () -> puller.pull(beyond, "*", 0, 32)));
        Retry.setGroup(scene, scene.group("one"), false, true, 1, 16);
        scene.observe("of a group that may not consume", Check.refused("pull", () -> puller.pull(queue, "*", 0, 32)));
        Retry.setGroup(scene, scene.group("one"), true, true, 1, 16);
        scene.observe("of a group that may again", Pulling.facts(puller.pull(queue, "*", 0, 32)));
    }

    /** A broadcasting consumer of a group that may not broadcast gets nothing, until it may. */
    static void mayNotBroadcast(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        String group = scene.group("one");
        Retry.setGroup(scene, group, true, false, 1, 16);
        Inbox inbox = scene.consume("one", topic, "*", Inbox.broadcasting());
        inbox.awaitQueues(1, 30_000);
        List<String> keys = scene.send(topic, "T", "k", 3);
        // A push consumer hides what it is told: it tries again, and is served from the moment that the group may.
        Thread.sleep(500);
        Check.equal(0, inbox.messages().size(), "messages before the group may broadcast");
        Retry.setGroup(scene, group, true, true, 1, 16);
        inbox.awaitExactly(keys);
    }

    /** An offset past the end is corrected, and told of in a topic that anybody may read. */
    static void offsetMoved(Scene scene) throws Exception {
        String topic = scene.topic();
        MessageQueue queue = scene.createTopic(topic, 1).get(0);
        scene.send(topic, "T", "k", 3);
        DefaultMQPullConsumer puller = scene.puller("one");
        scene.await("three messages", () -> puller.maxOffset(queue) == 3);
        scene.observe("past the end", Pulling.facts(puller.pull(queue, "*", 4_711, 32)).replaceAll("next=\\d+", "next=?"));
        MessageQueue events = new MessageQueue(EVENTS, Cluster.BROKER, 0);
        String event = scene.await("the event", () -> {
            puller.fetchSubscribeMessageQueues(EVENTS);
            long from = puller.minOffset(events);
            while (from < puller.maxOffset(events)) {
                PullResult pulled = puller.pull(events, "*", from, 32);
                for (MessageExt message : pulled.getMsgFoundList()) {
                    String body = new String(message.getBody(), StandardCharsets.UTF_8);
                    if (body.contains("\"" + topic + "\"")) {
                        return body;
                    }
                }
                from = pulled.getNextBeginOffset();
            }
            return null;
        });
        scene.observe("event", event.replaceAll("\"offsetNew\":\\d+", "\"offsetNew\":?"));
    }
}
