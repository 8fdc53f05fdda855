package compat.swap;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageClientIDSetter;
import org.apache.rocketmq.common.message.MessageQueue;

/** Every kind of message that a client can send. A round is written in two halves; groups consume in between. */
final class Workload {
    static final String BROKER = "broker-a";
    static final String HALF = "RMQ_SYS_TRANS_HALF_TOPIC";
    static final String OP = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
    static final String SCHEDULE = "SCHEDULE_TOPIC_XXXX";
    /** Delay levels by what the harness makes of them: one second, and an hour until the last broker makes it a second. */
    private static final int SOON = 1;
    private static final int MUCH_LATER = 2;
    /** More than a queue file holds in two rounds' first halves. */
    private static final int SMALL_MESSAGES = 60;
    private static final String[] TAGS = {"A", "B", "тег", null};

    private Workload() {
    }

    static void write(World world, int round) throws Exception {
        if (world.topics.isEmpty()) {
            createTopics(world);
        }
        half(world, "r" + round + "a");
        delayed(world, "r" + round);
        transactions(world, "r" + round);
        for (String key : List.of("once0", "again", "once1", "dead")) {
            String topic = key.equals("dead") ? "dead" : "retry";
            send(world, message(topic, "A", "r" + round + key, body(round, 50)), 0);
        }
        Groups.consume(world, "r" + round);
        half(world, "r" + round + "b");
        world.await("messages of level " + SOON, () -> sumOfMax(world, "delayed", 2) >= world.delayedDelivered.size());
    }

    private static void createTopics(World world) throws Exception {
        create(world, "plain", 4);
        create(world, "one", 1);
        create(world, "batch", 2);
        create(world, "big", 2);
        create(world, "delayed", 2);
        create(world, "tx", 3);
        create(world, "retry", 1);
        create(world, "dead", 1);
    }

    private static void create(World world, String topic, int queues) throws Exception {
        world.producer.createTopic("DefaultCluster", topic, queues);
        world.await("route of " + topic, () -> world.producer.fetchPublishMessageQueues(topic).size() == queues);
        world.topics.put(topic, queues);
    }

    /** What needs no time of its own; keys begin with {@code name}. */
    static void half(World world, String name) throws Exception {
        for (int i = 0; i < 24; i++) {
            Message message = message("plain", TAGS[i % TAGS.length], name + "p" + i + " " + name + "shared", body(i, 1 + i * 97));
            message.setFlag(i * 1_000_003);
            message.putUserProperty("имя", "значение " + i + " 😀 \"quoted\"");
            message.setWaitStoreMsgOK(i % 5 != 0);
            send(world, message, i % 4);
        }
        for (int i = 0; i < SMALL_MESSAGES; i++) {
            send(world, message("one", null, i % 3 == 0 ? name + "o" + i : "", body(i, 20)), 0);
        }
        oneway(world, name);
        for (int queue = 0; queue < 2; queue++) {
            batch(world, name, queue);
        }
        int[] sizes = {4_095, 4_096, 100_000, 60_000, 200_000, 60_000};
        for (int i = 0; i < sizes.length; i++) {
            send(world, message("big", "A", name + "big" + i, body(i, sizes[i])), i % 2);
        }
        byte[] zeros = new byte[1_000_000];
        Arrays.fill(zeros, (byte) 'z');
        send(world, message("big", "A", name + "zeros", zeros), 0);
        auto(world, "auto-" + name);
        // A message is answered before it is in its queue; one that was sent one way may not even have been read.
        for (String topic : List.of("plain", "one", "batch", "big")) {
            long sent = world.sent.values().stream().filter(message -> message.getTopic().equals(topic)).count();
            world.await("the " + sent + " messages of " + topic, () -> sumOfMax(world, topic, world.topics.get(topic)) == sent);
        }
    }

    /** A topic that its first message makes. */
    private static void auto(World world, String topic) throws Exception {
        Message message = message(topic, "A", topic + "-first", body(1, 10));
        SendResult result = world.producer.send(message);
        sent(world, message, result);
        world.await("route of " + topic, () -> world.producer.fetchPublishMessageQueues(topic).size() == 4);
        world.topics.put(topic, 4);
    }

    private static void oneway(World world, String name) throws Exception {
        for (int i = 0; i < 5; i++) {
            Message message = message("one", "B", name + "w" + i, body(i, 30));
            world.producer.sendOneway(message, new MessageQueue("one", BROKER, 0));
            world.sent.put(MessageClientIDSetter.getUniqID(message), message);
        }
    }

    private static void batch(World world, String name, int queue) throws Exception {
        List<Message> messages = new ArrayList<>();
        for (int i = 0; i < 15; i++) {
            Message message = message("batch", TAGS[i % TAGS.length], name + "b" + queue + "-" + i, body(i, 100 + i));
            message.putUserProperty("n", "№" + i);
            messages.add(message);
        }
        SendResult result = world.producer.send(messages, new MessageQueue("batch", BROKER, queue));
        for (Message message : messages) {
            sent(world, message, result);
        }
    }

    private static void delayed(World world, String name) throws Exception {
        for (int i = 0; i < 3; i++) {
            Message message = message("delayed", "A", name + "soon" + i, body(i, 40));
            message.setDelayTimeLevel(SOON);
            send(world, message, i % 2);
            world.delayedDelivered.add(message.getKeys());
        }
        for (int i = 0; i < 5; i++) {
            Message message = message("delayed", TAGS[i % TAGS.length], name + "later" + i, body(i, 5_000));
            message.setDelayTimeLevel(MUCH_LATER);
            send(world, message, i % 2);
            world.delayedPending.add(message.getKeys());
            world.keys.add(SCHEDULE + "#" + message.getKeys());
        }
    }

    private static void transactions(World world, String name) throws Exception {
        for (int i = 0; i < 2; i++) {
            transaction(world, name + "rolledback" + i, LocalTransactionState.ROLLBACK_MESSAGE, LocalTransactionState.COMMIT_MESSAGE, world.rolledBack);
            transaction(world, name + "yes" + i, LocalTransactionState.UNKNOW, LocalTransactionState.COMMIT_MESSAGE, world.commitOnCheck);
            transaction(world, name + "no" + i, LocalTransactionState.UNKNOW, LocalTransactionState.ROLLBACK_MESSAGE, world.rollBackOnCheck);
            transaction(world, name + "committed" + i, LocalTransactionState.COMMIT_MESSAGE, LocalTransactionState.ROLLBACK_MESSAGE, world.committed);
        }
        if (name.equals("r0")) {
            // Only the second broker leaves time for it: the third asks at once.
            for (int i = 0; i < 2; i++) {
                transaction(world, name + "late" + i, LocalTransactionState.UNKNOW, LocalTransactionState.ROLLBACK_MESSAGE, world.commitLate);
            }
        }
        // The ends of transactions are sent one way.
        world.await("committed messages", () -> sumOfMax(world, "tx", 3) == world.committed.size());
        world.await("op messages", () -> world.wire.maxOffset(OP, 0) == world.committed.size() + world.rolledBack.size());
    }

    /** One transaction that ends as {@code state} says; whoever asks later is told {@code fate}. */
    private static void transaction(World world, String key, LocalTransactionState state, LocalTransactionState fate,
        List<String> list) throws Exception {
        Message message = message("tx", "A", key, body(list.size(), 300));
        message.putUserProperty(World.FATE, fate.name());
        SendResult result = world.producer.sendMessageInTransaction(message, state);
        Difference.unless(result.getSendStatus() == SendStatus.SEND_OK, "send of " + key + ": " + result);
        world.sent.put(MessageClientIDSetter.getUniqID(message), message);
        world.keys.add(HALF + "#" + key);
        if (state == LocalTransactionState.COMMIT_MESSAGE) {
            world.keys.add("tx#" + key);
        }
        list.add(key);
    }

    static long sumOfMax(World world, String topic, int queues) throws Exception {
        long sum = 0;
        for (int queue = 0; queue < queues; queue++) {
            sum += world.wire.maxOffset(topic, queue);
        }
        return sum;
    }

    static Message message(String topic, String tag, String keys, byte[] body) {
        return new Message(topic, tag, keys, body);
    }

    /** Bytes that don't compress, the same for the same arguments. */
    private static byte[] body(int seed, int bytes) {
        byte[] body = new byte[bytes];
        new Random(seed * 31L + bytes).nextBytes(body);
        byte[] words = "тело ".getBytes(StandardCharsets.UTF_8);
        System.arraycopy(words, 0, body, 0, Math.min(words.length, bytes));
        return body;
    }

    static void send(World world, Message message, int queue) throws Exception {
        SendResult result = world.producer.send(message, new MessageQueue(message.getTopic(), BROKER, queue));
        sent(world, message, result);
    }

    private static void sent(World world, Message message, SendResult result) {
        Difference.unless(result.getSendStatus() == SendStatus.SEND_OK, "send to " + message.getTopic() + ": " + result);
        String unique = MessageClientIDSetter.getUniqID(message);
        world.sent.put(unique, message);
        // A delayed message is found under its own topic only once it is delivered.
        if (message.getDelayTimeLevel() == MUCH_LATER) {
            return;
        }
        world.keys.add(message.getTopic() + "#" + unique);
        for (String key : String.valueOf(message.getKeys()).split(" ")) {
            if (!key.isEmpty() && message.getKeys() != null) {
                world.keys.add(message.getTopic() + "#" + key);
            }
        }
    }
}
