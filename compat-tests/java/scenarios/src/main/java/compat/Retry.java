package compat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiFunction;
import java.util.function.Consumer;

import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/** Messages that a consumer could not work on: they come back later, and end as dead letters. */
final class Retry {
    private static final int UPDATE_AND_CREATE_TOPIC = 17;
    private static final int GET_MAX_OFFSET = 30;
    private static final int CONSUMER_SEND_MSG_BACK = 36;
    private static final int UPDATE_AND_CREATE_SUBSCRIPTIONGROUP = 200;

    private Retry() {
    }

    /** One time that a consumer was given a message. Its facts are those of that time: a client changes what it sends back. */
    static final class Try {
        final MessageExt message;
        final int times;
        final String facts;
        final long atMs = System.nanoTime() / 1_000_000;

        Try(MessageExt message) {
            this.message = message;
            this.times = message.getReconsumeTimes();
            this.facts = facts(message);
        }

        @Override
        public String toString() {
            return message.getKeys() + " after " + times;
        }
    }

    /** Every time that a consumer was given a message, and what it is to say to it. */
    static final class Tries implements MessageListenerConcurrently {
        private final BiFunction<MessageExt, ConsumeConcurrentlyContext, Boolean> works;
        private final List<Try> tries = new ArrayList<>();

        Tries(BiFunction<MessageExt, ConsumeConcurrentlyContext, Boolean> works) {
            this.works = works;
        }

        @Override
        public ConsumeConcurrentlyStatus consumeMessage(List<MessageExt> messages, ConsumeConcurrentlyContext context) {
            MessageExt message = messages.get(0);
            synchronized (tries) {
                tries.add(new Try(message));
            }
            return works.apply(message, context) ? ConsumeConcurrentlyStatus.CONSUME_SUCCESS : ConsumeConcurrentlyStatus.RECONSUME_LATER;
        }

        List<Try> all() {
            synchronized (tries) {
                return new ArrayList<>(tries);
            }
        }

        List<Try> await(Scene scene, String... expected) throws Exception {
            scene.await("tries " + List.of(expected), () -> {
                Check.equal(List.of(expected), texts(all()), "tries");
                return true;
            });
            return all();
        }

        private static List<String> texts(List<Try> tries) {
            List<String> texts = new ArrayList<>();
            tries.forEach(one -> texts.add(one.toString()));
            return texts;
        }
    }

    private static DefaultMQPushConsumer start(Scene scene, Tries tries, Consumer<DefaultMQPushConsumer> settings) throws Exception {
        DefaultMQPushConsumer consumer = scene.push("one", scene.topic(), started -> {
            settings.accept(started);
            started.registerMessageListener(tries);
        });
        scene.awaitRetryQueue(consumer);
        return consumer;
    }

    /** Fails twice, then works: the same message each time, with growing times, saying what it was at first. */
    static void untilItWorks(Scene scene) throws Exception {
        scene.createTopic(scene.topic(), 1);
        Tries tries = new Tries((message, context) -> message.getReconsumeTimes() == 2);
        start(scene, tries, consumer -> { });
        SendResult sent = scene.producer().send(Scene.message(scene.topic(), "TagA", "k"));
        List<Try> seen = tries.await(scene, "k after 0", "k after 1", "k after 2");
        for (Try one : seen) {
            Check.equal(scene.topic(), one.message.getTopic(), "topic as the consumer sees it");
            Check.equal("body of k", new String(one.message.getBody(), StandardCharsets.UTF_8), "body");
            Check.equal("TagA", one.message.getTags(), "tag");
            Check.equal(sent.getMsgId(), one.message.getProperty("UNIQ_KEY"), "unique key");
            if (one.times > 0) {
                Check.equal(sent.getOffsetMsgId(), one.message.getProperty("ORIGIN_MESSAGE_ID"), "id of the first");
            }
            scene.observe("after " + one.times, one.facts);
        }
        // Java counts levels from the moment the message is given back.
        Check.that(seen.get(1).atMs - seen.get(0).atMs >= 900, "came back too early");
        scene.observe("dead letters", end(scene, "%DLQ%" + scene.group("one")));
    }

    /** A consumer names the level at which it wants the message again, or that it does not want it at all. */
    static void levelOfTheConsumer(Scene scene) throws Exception {
        scene.createTopic(scene.topic(), 1);
        Tries tries = new Tries((message, context) -> {
            context.setDelayLevelWhenNextConsume(message.getReconsumeTimes() == 0 ? 2 : -1);
            return false;
        });
        start(scene, tries, consumer -> { });
        scene.send(scene.topic(), "T", "k", 1);
        List<Try> seen = tries.await(scene, "k0 after 0", "k0 after 1");
        Check.that(seen.get(1).atMs - seen.get(0).atMs >= 1_900, "level 2 came back too early");
        scene.observe("dead letter", dead(deadLetters(scene, scene.group("one"), 1).get(0)));
    }

    /** After maxReconsumeTimes it is a dead letter: written, not readable, until an administrator makes it so. */
    static void deadLetterAfterMax(Scene scene) throws Exception {
        scene.createTopic(scene.topic(), 1);
        Tries tries = new Tries((message, context) -> false);
        start(scene, tries, consumer -> consumer.setMaxReconsumeTimes(2));
        SendResult sent = scene.producer().send(Scene.message(scene.topic(), "TagA", "k"));
        tries.await(scene, "k after 0", "k after 1", "k after 2");
        String topic = "%DLQ%" + scene.group("one");
        scene.await("a dead letter", () -> end(scene, topic).equals("1"));
        DefaultMQPullConsumer puller = scene.puller("reader");
        MessageQueue queue = new MessageQueue(topic, Cluster.BROKER, 0);
        scene.observe("pull of the dead letters", Check.refused("pull", () -> puller.pull(queue, "*", 0, 32)));
        MessageExt dead = deadLetters(scene, scene.group("one"), 1).get(0);
        Check.equal(sent.getOffsetMsgId(), dead.getProperty("ORIGIN_MESSAGE_ID"), "id of the first");
        scene.observe("dead letter", dead(dead));
        Check.equal(3, tries.all().size(), "tries");
    }

    /** A consumer that has said "consumed" gives a message back all the same. */
    static void givenBackByHand(Scene scene) throws Exception {
        scene.createTopic(scene.topic(), 1);
        Tries tries = new Tries((message, context) -> true);
        DefaultMQPushConsumer consumer = start(scene, tries, settings -> { });
        scene.send(scene.topic(), "T", "k", 1);
        List<Try> first = tries.await(scene, "k0 after 0");
        consumer.sendMessageBack(first.get(0).message, 1);
        List<Try> second = tries.await(scene, "k0 after 0", "k0 after 1");
        scene.observe("after 1", second.get(1).facts);
        consumer.sendMessageBack(second.get(1).message, -1);
        scene.observe("dead letter", dead(deadLetters(scene, scene.group("one"), 1).get(0)));
        Check.equal(2, tries.all().size(), "tries");
    }

    /** The broker does not find the message that is given back, so the client sends it to the retry topic itself. */
    static void sentByTheClient(Scene scene) throws Exception {
        scene.createTopic(scene.topic(), 1);
        Tries tries = new Tries((message, context) -> {
            message.setCommitLogOffset(1L << 40);
            return false;
        });
        start(scene, tries, consumer -> consumer.setMaxReconsumeTimes(2));
        scene.send(scene.topic(), "T", "k", 1);
        // It counts this time too before it compares, so there is one try less than through the broker.
        List<Try> seen = tries.await(scene, "k0 after 0", "k0 after 1");
        scene.observe("after 1", seen.get(1).facts);
        scene.observe("dead letter", dead(deadLetters(scene, scene.group("one"), 1).get(0)));
    }

    /** What an administrator sets for a group: queues of its retry topic, times, whether it may consume. */
    static void groupSettings(Scene scene) throws Exception {
        scene.createTopic(scene.topic(), 1);
        String group = scene.group("one");
        setGroup(scene, group, true, 3, 16);
        Tries tries = new Tries((message, context) -> message.getReconsumeTimes() > 0);
        DefaultMQPushConsumer consumer = start(scene, tries, settings -> { });
        scene.awaitRoute(scene.producer(), "%RETRY%" + group, 3);
        scene.awaitRebalanced(List.of(consumer), "three retry queues", () -> Inbox.retryQueues(consumer).size() == 3);
        scene.send(scene.topic(), "T", "k", 6);
        scene.await("all again", () -> tries.all().size() == 12);

        // A group that keeps nothing: given back, and gone.
        setGroup(scene, group, true, 0, 16);
        scene.observe("given back to a group without retry queues", giveBack(scene, group, tries.all().get(0).message.getCommitLogOffset(), 0, "16"));
        // A client that names no limit is older than V3_4_9; what it gives back follows the group's.
        setGroup(scene, group, true, 3, 0);
        long offset = tries.all().get(0).message.getCommitLogOffset();
        scene.observe("given back with the limit 0", giveBack(scene, group, offset, 0, "0"));
        Check.equal(1, deadLetters(scene, group, 1).size(), "dead letters");

        setGroup(scene, group, false, 3, 16);
        DefaultMQPullConsumer puller = scene.puller("one");
        MessageQueue queue = new MessageQueue(scene.topic(), Cluster.BROKER, 0);
        scene.observe("pull of a group that may not consume", Check.refused("pull", () -> puller.pull(queue, "*", 0, 32)));
    }

    /** Requests that make no sense: refused in Java's words, and the connection lives. */
    static void badRequests(Scene scene) throws Exception {
        scene.createTopic(scene.topic(), 1);
        String group = scene.group("one");
        for (long offset : new long[] {-1, 1L << 40, Long.MAX_VALUE}) {
            scene.observe("offset " + offset, giveBack(scene, group, offset, 0, "16"));
        }
        Map<String, String> whole = fields(group, 0, 0, "16");
        for (String missing : List.of("offset", "group", "delayLevel")) {
            Map<String, String> fields = new HashMap<>(whole);
            fields.remove(missing);
            RemotingCommand answer = Api.call(scene.producer(), scene.cluster.broker, CONSUMER_SEND_MSG_BACK, fields, null);
            scene.observe("without " + missing, "code " + answer.getCode());
        }
        updateTopic(scene, "%RETRY%" + group, 4);
        scene.observe("retry topic that may not be written", giveBack(scene, group, 0, 0, "16"));
        scene.send(scene.topic(), "T", "k", 1);
    }

    /** The messages of a group's dead-letter topic, made readable for it. */
    static List<MessageExt> deadLetters(Scene scene, String group, int count) throws Exception {
        String topic = "%DLQ%" + group;
        scene.await(count + " dead letters", () -> end(scene, topic).equals(Integer.toString(count)));
        updateTopic(scene, topic, 6);
        DefaultMQPullConsumer puller = scene.puller("dead");
        MessageQueue queue = new MessageQueue(topic, Cluster.BROKER, 0);
        return scene.await("the dead letters", () -> {
            PullResult pulled = puller.pull(queue, "*", 0, 32);
            List<MessageExt> found = pulled.getMsgFoundList();
            return found != null && found.size() == count ? found : null;
        });
    }

    /** Times and properties of a message but for those that differ by the run. */
    static String facts(MessageExt message) {
        Map<String, String> properties = new TreeMap<>(message.getProperties());
        // Ids and times; and what our broker stores and Java 4.7.0's loses.
        for (String varies : List.of("UNIQ_KEY", "ORIGIN_MESSAGE_ID", "CONSUME_START_TIME", "CLUSTER")) {
            if (properties.containsKey(varies)) {
                properties.put(varies, "…");
            }
        }
        properties.remove("CLUSTER");
        return message.getTopic() + "/" + message.getQueueId() + " times=" + message.getReconsumeTimes() + " flag=" + message.getFlag()
            + " sysFlag=" + message.getSysFlag() + " " + properties;
    }

    /**
     * The same of a dead letter. Java 4.7.0 makes it wait once more, as long as the last time, and 4.9.4 does not: what
     * tells of that is left out.
     */
    static String dead(MessageExt message) {
        for (String property : List.of("DELAY", "REAL_TOPIC", "REAL_QID")) {
            message.getProperties().remove(property);
        }
        return facts(message);
    }

    /** Where a topic's queue 0 ends. */
    private static String end(Scene scene, String topic) throws Exception {
        Map<String, String> fields = Map.of("topic", topic, "queueId", "0");
        return Api.call(scene.producer(), scene.cluster.broker, GET_MAX_OFFSET, fields, null).getExtFields().get("offset");
    }

    private static Map<String, String> fields(String group, long offset, int level, String most) {
        Map<String, String> fields = new HashMap<>();
        fields.put("offset", Long.toString(offset));
        fields.put("group", group);
        fields.put("delayLevel", Integer.toString(level));
        fields.put("originMsgId", "");
        fields.put("originTopic", "T");
        fields.put("unitMode", "false");
        fields.put("maxReconsumeTimes", most);
        return fields;
    }

    private static String giveBack(Scene scene, String group, long offset, int level, String most) throws Exception {
        RemotingCommand answer = Api.call(scene.producer(), scene.cluster.broker, CONSUMER_SEND_MSG_BACK, fields(group, offset, level, most), null);
        return "code " + answer.getCode() + " " + answer.getRemark();
    }

    private static void setGroup(Scene scene, String group, boolean mayConsume, int queues, int times) throws Exception {
        setGroup(scene, group, mayConsume, true, queues, times);
    }

    static void setGroup(Scene scene, String group, boolean mayConsume, boolean mayBroadcast, int queues, int times) throws Exception {
        String body = "{\"brokerId\":0,\"consumeBroadcastEnable\":" + mayBroadcast + ",\"consumeEnable\":" + mayConsume + ",\"consumeFromMinEnable\":true,"
            + "\"groupName\":\"" + group + "\",\"notifyConsumerIdsChangedEnable\":true,\"retryMaxTimes\":" + times + ",\"retryQueueNums\":"
            + queues + ",\"whichBrokerWhenConsumeSlowly\":1}";
        RemotingCommand answer = Api.call(scene.producer(), scene.cluster.broker, UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, Map.of(),
            body.getBytes(StandardCharsets.UTF_8));
        Check.equal(0, answer.getCode(), "setting of the group: " + answer.getRemark());
    }

    /** Gives a topic of one queue other permissions. */
    static void updateTopic(Scene scene, String topic, int perm) throws Exception {
        Map<String, String> fields = new HashMap<>();
        fields.put("topic", topic);
        fields.put("defaultTopic", "TBW102");
        fields.put("readQueueNums", "1");
        fields.put("writeQueueNums", "1");
        fields.put("perm", Integer.toString(perm));
        fields.put("topicFilterType", "SINGLE_TAG");
        fields.put("topicSysFlag", "0");
        fields.put("order", "false");
        RemotingCommand answer = Api.call(scene.producer(), scene.cluster.broker, UPDATE_AND_CREATE_TOPIC, fields, null);
        Check.equal(0, answer.getCode(), "update of " + topic + ": " + answer.getRemark());
        // Java answers before it changes the topic, and tells the name servers after that.
        scene.await(topic + " as it is to be", () -> scene.route(topic).contains("\"perm\":" + perm));
    }
}
