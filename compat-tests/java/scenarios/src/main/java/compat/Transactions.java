package compat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/**
 * Transactions. On the third cluster a half message is asked about when it is 1 s old, every 1.5 s, 4 times at most. The
 * interval is long enough for an answer: what is asked about twice Java delivers twice.
 */
final class Transactions {
    private static final int CHECK_MAX = 4;
    private static final int END_TRANSACTION = 37;
    private static final String GIVEN_UP = "TRANS_CHECK_MAX_TIME_TOPIC";

    private Transactions() {
    }

    /** Nobody sees a message before its producer is done, and a rolled back one never. */
    static void commitAndRollback(Scene scene) throws Exception {
        String topic = scene.topic();
        List<MessageQueue> queues = scene.createTopic(topic, 2);
        Inbox inbox = scene.consume("one", topic, "*");
        Listener listener = new Listener(scene);
        listener.meanwhile = () -> {
            Check.equal(0L, stored(scene, queues), "messages in the topic before the end");
            return null;
        };
        TransactionMQProducer producer = listener.producer("P");
        listener.ends.put("rolled-back", LocalTransactionState.ROLLBACK_MESSAGE);
        Check.equal(LocalTransactionState.ROLLBACK_MESSAGE, send(producer, topic, "rolled-back").getLocalTransactionState(), "state");
        Message message = Scene.message(topic, "TagA", "committed");
        message.setFlag(7);
        message.putUserProperty("own", "value");
        TransactionSendResult result = producer.sendMessageInTransaction(message, "argument");
        listener.checkFailed();
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
        Check.equal(LocalTransactionState.COMMIT_MESSAGE, result.getLocalTransactionState(), "state");
        Check.that(queues.contains(result.getMessageQueue()), "queue of the result: " + result.getMessageQueue());

        MessageExt got = inbox.awaitExactly(List.of("committed")).get(0);
        Check.equal(result.getMsgId(), got.getMsgId(), "id");
        Check.equal(result.getMessageQueue().getQueueId(), got.getQueueId(), "queue");
        Check.equal("body of committed", new String(got.getBody()), "body");
        scene.observe("type and flag", (got.getSysFlag() & 0xC) + " " + got.getFlag());
        scene.observe("offset", got.getQueueOffset());
        scene.observe("half message before it", got.getPreparedTransactionOffset() < got.getCommitLogOffset());
        Map<String, String> properties = new TreeMap<>(got.getProperties());
        for (String name : new String[] {"CLUSTER", "MAX_OFFSET", "MIN_OFFSET", "UNIQ_KEY", "PGROUP", "REAL_TOPIC", "REAL_QID", "INSTANCE_ID", "CONSUME_START_TIME"}) {
            properties.remove(name);
        }
        scene.observe("properties", properties);
        Check.equal(topic, got.getProperties().get(MessageConst.PROPERTY_REAL_TOPIC), "real topic");
    }

    /** A producer that does not know at first is asked, and shown the message. */
    static void askedCommits(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        Inbox inbox = scene.consume("one", topic, "*");
        Listener listener = new Listener(scene);
        TransactionMQProducer producer = listener.producer("P");
        listener.ends.put("asked", LocalTransactionState.UNKNOW);
        listener.answers.put("asked", LocalTransactionState.COMMIT_MESSAGE);
        TransactionSendResult result = send(producer, topic, "asked");
        MessageExt got = inbox.awaitExactly(List.of("asked")).get(0);
        Check.equal(result.getMsgId(), got.getMsgId(), "id");
        Check.equal(1, listener.asked.size(), "questions");
        MessageExt shown = listener.asked.get(0);
        Check.equal(topic, shown.getTopic(), "topic of the question");
        Check.equal(result.getMsgId(), shown.getTransactionId(), "transaction id of the question");
        Check.equal("body of asked", new String(shown.getBody()), "body of the question");
        scene.observe("queue and type", shown.getQueueId() + " " + (shown.getSysFlag() & 0xC));
        scene.observe("times", shown.getProperties().get(MessageConst.PROPERTY_TRANSACTION_CHECK_TIMES) + " "
            + got.getProperties().get(MessageConst.PROPERTY_TRANSACTION_CHECK_TIMES));
    }

    /** Asked it rolls back; and it is not asked again. */
    static void askedRollsBack(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        Inbox inbox = scene.consume("one", topic, "*");
        Listener listener = new Listener(scene);
        TransactionMQProducer producer = listener.producer("P");
        listener.ends.put("rolled-back", LocalTransactionState.UNKNOW);
        listener.answers.put("rolled-back", LocalTransactionState.ROLLBACK_MESSAGE);
        send(producer, topic, "rolled-back");
        scene.await("the question", () -> listener.asked.size() == 1);
        // Asked about in a later round than the first one could be asked about again.
        listener.ends.put("later", LocalTransactionState.UNKNOW);
        listener.answers.put("later", LocalTransactionState.COMMIT_MESSAGE);
        send(producer, topic, "later");
        inbox.awaitExactly(List.of("later"));
        Check.equal(List.of("rolled-back", "later"), listener.askedKeys(), "questions");
    }

    /** The sender is gone; another member of its group answers. */
    static void anotherMemberAnswers(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        Inbox inbox = scene.consume("one", topic, "*");
        Listener sender = new Listener(scene);
        Listener other = new Listener(scene);
        other.answers.put("left-behind", LocalTransactionState.COMMIT_MESSAGE);
        TransactionMQProducer staying = other.producer("P");
        // A producer makes itself known to the brokers that it has sent to.
        Check.equal(SendStatus.SEND_OK, staying.send(Scene.message(topic, "T", "hello")).getSendStatus(), "status");
        staying.getDefaultMQProducerImpl().getmQClientFactory().sendHeartbeatToAllBrokerWithLock();
        TransactionMQProducer leaving = sender.producer("P");
        sender.ends.put("left-behind", LocalTransactionState.UNKNOW);
        send(leaving, topic, "left-behind");
        leaving.shutdown();
        inbox.awaitExactly(List.of("hello", "left-behind"));
        Check.equal(List.of(), sender.askedKeys(), "questions to who has left");
        Check.equal(List.of("left-behind"), other.askedKeys(), "questions to who stayed");
    }

    /** Nobody is asked about a message before its own time, and others do not wait for it. */
    static void immunity(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        Inbox inbox = scene.consume("one", topic, "*");
        Listener listener = new Listener(scene);
        TransactionMQProducer producer = listener.producer("P");
        for (String key : new String[] {"immune", "plain"}) {
            listener.ends.put(key, LocalTransactionState.UNKNOW);
            listener.answers.put(key, LocalTransactionState.COMMIT_MESSAGE);
        }
        Message immune = Scene.message(topic, "T", "immune");
        immune.putUserProperty(MessageConst.PROPERTY_CHECK_IMMUNITY_TIME_IN_SECONDS, "3");
        long sent = System.currentTimeMillis();
        producer.sendMessageInTransaction(immune, null);
        send(producer, topic, "plain");
        List<MessageExt> got = inbox.awaitExactly(List.of("plain", "immune"));
        Check.equal("plain", got.get(0).getKeys(), "first");
        long age = listener.askedAt.get("immune") - sent;
        Check.that(age >= 3_000, "asked about after " + age + " ms");
        Check.equal(List.of("plain", "immune"), listener.askedKeys(), "questions");
    }

    /** Who never knows is asked four times; then the message goes where an administrator finds it. */
    static void givenUp(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        Inbox inbox = scene.consume("one", topic, "*");
        Listener listener = new Listener(scene);
        TransactionMQProducer producer = listener.producer("P");
        String key = topic + "-never";
        listener.ends.put(key, LocalTransactionState.UNKNOW);
        TransactionSendResult result = send(producer, topic, key);
        Inbox found = scene.consume("found", GIVEN_UP, "*");
        MessageExt given = scene.await("the message in " + GIVEN_UP, () -> found.messages().stream()
            .filter(message -> key.equals(message.getKeys())).findAny().orElse(null));
        Check.equal(result.getMsgId(), given.getMsgId(), "id");
        scene.await("all questions", () -> listener.asked.size() == CHECK_MAX);
        scene.observe("times", given.getProperties().get(MessageConst.PROPERTY_TRANSACTION_CHECK_TIMES));
        scene.observe("real topic", topic.equals(given.getProperties().get(MessageConst.PROPERTY_REAL_TOPIC)));
        inbox.awaitExactly(scene.send(topic, "T", "plain", 1));
    }

    /** What no client sends: ends of messages that are no half messages, of other groups, of other places. */
    static void badEnds(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        Inbox inbox = scene.consume("one", topic, "*");
        Message message = Scene.message(topic, "T", "open");
        MessageAccessor.putProperty(message, MessageConst.PROPERTY_TRANSACTION_PREPARED, "true");
        MessageAccessor.putProperty(message, MessageConst.PROPERTY_PRODUCER_GROUP, "P");
        SendResult half = scene.producer().send(message);
        long place = Long.parseLong(half.getOffsetMsgId().substring(16), 16);
        long at = half.getQueueOffset();
        String group = "P";
        observeEnd(scene, "other group", "Q", at, place, 8);
        observeEnd(scene, "other place in the queue", group, at + 1, place, 8);
        observeEnd(scene, "beyond the log", group, at, 1L << 50, 12);
        Check.equal(1, end(scene, group, at, place, 5).getCode(), "code for no kind of end");
        observeEnd(scene, "commit", group, at, place, 8);
        inbox.awaitExactly(List.of("open"));
    }

    /** Stopped in order. */
    static void restart(Scene scene) throws Exception {
        endsAfter(scene, "restart-broker");
    }

    /** Killed with SIGKILL. */
    static void kill(Scene scene) throws Exception {
        endsAfter(scene, "restart-killed-broker");
    }

    /** The broker stops between the half message and its end. */
    private static void endsAfter(Scene scene, String verb) throws Exception {
        String topic = scene.topic();
        // Other clients may have the broker restarted before this one has asked for it.
        scene.await("a topic made", () -> scene.createTopic(topic, 1));
        Listener listener = new Listener(scene);
        listener.meanwhile = () -> {
            scene.ask(verb);
            // The end is one-way and not tried again: it must find a broker that is there.
            DefaultMQProducer fresh = scene.producer(settings -> { });
            scene.await("the broker", () -> fresh.maxOffset(new MessageQueue(topic, Cluster.BROKER, 0)) >= 0);
            return null;
        };
        TransactionMQProducer producer = listener.producer("P");
        TransactionSendResult result = send(producer, topic, "through");
        listener.checkFailed();
        Check.equal(LocalTransactionState.COMMIT_MESSAGE, result.getLocalTransactionState(), "state");
        MessageExt got = scene.await("a consumer's start", () -> scene.consume("one", topic, "*"))
            .awaitExactly(List.of("through")).get(0);
        Check.equal(result.getMsgId(), got.getMsgId(), "id");
    }

    private static TransactionSendResult send(TransactionMQProducer producer, String topic, String key) throws Exception {
        TransactionSendResult result = producer.sendMessageInTransaction(Scene.message(topic, "T", key), null);
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status of " + key);
        return result;
    }

    private static long stored(Scene scene, List<MessageQueue> queues) throws Exception {
        long sum = 0;
        for (MessageQueue queue : queues) {
            sum += scene.producer().maxOffset(queue);
        }
        return sum;
    }

    private static void observeEnd(Scene scene, String step, String group, long at, long place, int how)
        throws Exception {
        RemotingCommand answer = end(scene, group, at, place, how);
        scene.observe(step, "code=" + answer.getCode() + " " + answer.getRemark());
    }

    private static RemotingCommand end(Scene scene, String group, long at, long place, int how) throws Exception {
        Map<String, String> fields = Map.of("producerGroup", group, "tranStateTableOffset", Long.toString(at),
            "commitLogOffset", Long.toString(place), "commitOrRollback", Integer.toString(how), "msgId", "x");
        return Api.call(scene.producer(), scene.cluster.broker, END_TRANSACTION, fields, null);
    }

    /** Ends transactions as told by the message's key, COMMIT where nothing is told; does not know when asked. */
    private static final class Listener implements TransactionListener {
        final Map<String, LocalTransactionState> ends = new ConcurrentHashMap<>();
        final Map<String, LocalTransactionState> answers = new ConcurrentHashMap<>();
        final List<MessageExt> asked = new CopyOnWriteArrayList<>();
        final Map<String, Long> askedAt = new ConcurrentHashMap<>();
        volatile Callable<Void> meanwhile = () -> null;
        private volatile Throwable failed;
        private final Scene scene;

        Listener(Scene scene) {
            this.scene = scene;
        }

        TransactionMQProducer producer(String group) throws Exception {
            return scene.start(new TransactionMQProducer(scene.group(group)), settings -> settings.setTransactionListener(this));
        }

        @Override
        public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
            try {
                meanwhile.call();
            } catch (Throwable thrown) {
                failed = thrown; // the client would only log it
            }
            return ends.getOrDefault(message.getKeys(), LocalTransactionState.COMMIT_MESSAGE);
        }

        @Override
        public LocalTransactionState checkLocalTransaction(MessageExt message) {
            scene.note("asked about " + message.getKeys());
            asked.add(message);
            askedAt.putIfAbsent(message.getKeys(), System.currentTimeMillis());
            return answers.getOrDefault(message.getKeys(), LocalTransactionState.UNKNOW);
        }

        List<String> askedKeys() {
            List<String> keys = new ArrayList<>();
            asked.forEach(message -> keys.add(message.getKeys()));
            return keys;
        }

        void checkFailed() {
            if (failed != null) {
                throw new AssertionError("within the transaction: " + failed, failed);
            }
        }
    }
}
