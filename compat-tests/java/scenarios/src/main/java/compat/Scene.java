package compat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/**
 * The stage of one scenario: names of its own for topics, groups and client instances, the clients it started (stopped
 * by {@link #close}), waiting for conditions, and what it observed.
 */
final class Scene implements AutoCloseable {
    /** A condition that has not come true after this long never will: far above what a busy machine needs. */
    private static final long WAIT_LIMIT_MS = 45_000;
    /** How long a broker keeps a queue's lock that nobody renews. Java 4.7.0 {@code RebalanceLockManager}. */
    private static final long LOCK_LIFE_MS = 60_000;
    private static final long POLL_MS = 10;
    private static final int QUERY_CONSUMER_OFFSET = 14;
    private static final int GET_ROUTEINFO_BY_TOPIC = 105;
    /** No send may fail for a slow machine's sake; the default is 3 s. */
    private static final int SEND_TIMEOUT_MS = 15_000;
    private static final AtomicInteger INSTANCES = new AtomicInteger();

    final Cluster cluster;
    private final String name;
    private final String base;
    private final Lines lines;
    private final Deque<Runnable> closers = new ArrayDeque<>();
    private final StringBuffer observation = new StringBuffer();
    private final StringBuffer log = new StringBuffer();
    private final long start = System.nanoTime();
    private DefaultMQProducer producer;

    Scene(String name, Cluster cluster, String prefix, Lines lines) {
        this.name = name;
        this.cluster = cluster;
        this.base = prefix + "_" + name;
        this.lines = lines;
    }

    String topic() {
        return base;
    }

    String topic(String which) {
        return base + "_" + which;
    }

    String group(String which) {
        return "G_" + base + "_" + which;
    }

    /** The scene's plain producer, started at the first call. */
    DefaultMQProducer producer() throws MQClientException {
        if (producer == null) {
            producer = producer(settings -> { });
        }
        return producer;
    }

    /** A further producer, started after {@code settings}, with a client instance and a connection of its own. */
    DefaultMQProducer producer(Consumer<DefaultMQProducer> settings) throws MQClientException {
        return start(new DefaultMQProducer("P_" + base), settings);
    }

    /** The same for a producer of any kind. */
    <T extends DefaultMQProducer> T start(T producer, Consumer<? super T> settings) throws MQClientException {
        instance(producer);
        producer.setSendMsgTimeout(SEND_TIMEOUT_MS);
        settings.accept(producer);
        producer.start();
        closing(producer::shutdown);
        return producer;
    }

    /** A started pull consumer. */
    DefaultMQPullConsumer puller(String which) throws MQClientException {
        return puller(which, settings -> { });
    }

    DefaultMQPullConsumer puller(String which, Consumer<DefaultMQPullConsumer> settings) throws MQClientException {
        DefaultMQPullConsumer puller = new DefaultMQPullConsumer(group(which));
        instance(puller);
        settings.accept(puller);
        puller.start();
        closing(puller::shutdown);
        return puller;
    }

    /** A started push consumer of {@code topic} that keeps what it gets; a new group begins at the first message. */
    Inbox consume(String which, String topic, String tags) throws MQClientException {
        return consume(which, topic, tags, settings -> { });
    }

    Inbox consume(String which, String topic, String tags, Consumer<DefaultMQPushConsumer> settings)
        throws MQClientException {
        DefaultMQPushConsumer consumer = pushConsumer(which, topic, tags);
        settings.accept(consumer);
        return started(consumer);
    }

    /** The same for a push consumer of any make. */
    Inbox consume(DefaultMQPushConsumer consumer, String topic, String tags) throws MQClientException {
        return started(set(consumer, topic, tags));
    }

    private Inbox started(DefaultMQPushConsumer consumer) throws MQClientException {
        Inbox inbox = new Inbox(this, consumer);
        consumer.registerMessageListener(inbox);
        closing(inbox::stop);
        try {
            consumer.start();
        } catch (MQClientException | RuntimeException refused) {
            // Half started it could join its group later and take a share of the queues. Stopping 5.3.3 takes 3 s.
            new Thread(inbox::stop).start();
            throw refused;
        }
        return inbox;
    }

    /** A started push consumer of {@code topic} with a listener of its own, which {@code settings} registers. */
    DefaultMQPushConsumer push(String which, String topic, Consumer<DefaultMQPushConsumer> settings) throws MQClientException {
        DefaultMQPushConsumer consumer = pushConsumer(which, topic, "*");
        settings.accept(consumer);
        closing(consumer::shutdown);
        consumer.start();
        return consumer;
    }

    private DefaultMQPushConsumer pushConsumer(String which, String topic, String tags) throws MQClientException {
        return set(new DefaultMQPushConsumer(group(which)), topic, tags);
    }

    private DefaultMQPushConsumer set(DefaultMQPushConsumer consumer, String topic, String tags) throws MQClientException {
        instance(consumer);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        // A pool of 20 threads a consumer, 4.x's least by default, would only cost memory here.
        consumer.setConsumeThreadMin(2);
        consumer.setConsumeThreadMax(2);
        consumer.subscribe(topic, tags);
        return consumer;
    }

    /** Settings of every client here; the intervals are short so that nothing waits for a timer of 5 to 30 s. */
    void instance(ClientConfig client) {
        client.setNamesrvAddr(cluster.namesrv);
        client.setInstanceName(base + "-" + INSTANCES.incrementAndGet());
        client.setPollNameServerInterval(1_000);
        client.setHeartbeatBrokerInterval(1_000);
        client.setPersistConsumerOffsetInterval(1_000);
    }

    /** Makes a topic through the broker (code 17) and waits until the name servers' route shows all its queues. */
    List<MessageQueue> createTopic(String topic, int queues) throws Exception {
        DefaultMQProducer asking = producer();
        // 4.9.4 can fail at its very first request on a busy machine: it writes before its connection is there.
        await("creation of " + topic, () -> {
            Api.createTopic(asking, Cluster.NAME, topic, queues);
            return true;
        });
        return awaitRoute(producer(), topic, queues);
    }

    List<MessageQueue> awaitRoute(DefaultMQProducer asking, String topic, int queues) throws Exception {
        return await("route of " + topic + " with " + queues + " queues", () -> {
            List<MessageQueue> found = asking.fetchPublishMessageQueues(topic);
            return found.size() == queues ? found : null;
        });
    }

    /** A topic's route as the first name server tells it, in JSON: the classes moved in 5.x. */
    String route(String topic) throws Exception {
        RemotingCommand answer = Api.call(producer(), cluster.namesrv.split(";")[0], GET_ROUTEINFO_BY_TOPIC, Map.of("topic", topic), null);
        return new String(answer.getBody(), StandardCharsets.UTF_8);
    }

    /** The offset that the broker has stored for a group (code 14), without joining the group by asking; -1 for none. */
    long storedOffset(String group, MessageQueue queue) throws Exception {
        return storedOffset(cluster.broker, group, queue);
    }

    /** The same of another broker. */
    long storedOffset(String broker, String group, MessageQueue queue) throws Exception {
        Map<String, String> fields = Map.of("consumerGroup", group, "topic", queue.getTopic(),
            "queueId", Integer.toString(queue.getQueueId()));
        RemotingCommand answer = Api.call(producer(), broker, QUERY_CONSUMER_OFFSET, fields, null);
        return answer.getCode() == 0 ? Long.parseLong(answer.getExtFields().get("offset")) : -1;
    }

    /** Waits until the stored offsets of a group add up to {@code sum}: only then does a successor begin behind them. */
    void awaitStored(String group, Collection<MessageQueue> queues, long sum) throws Exception {
        await("stored offsets of " + group, () -> {
            long stored = 0;
            for (MessageQueue queue : queues) {
                stored += Math.max(0, storedOffset(group, queue));
            }
            Check.equal(sum, stored, "sum of the stored offsets");
            return true;
        });
    }

    /** A message whose key tells it from all others of the topic; its body says the key. */
    static Message message(String topic, String tag, String key) {
        return new Message(topic, tag, key, ("body of " + key).getBytes(StandardCharsets.UTF_8));
    }

    /** Sends messages {@code prefix0}, {@code prefix1}, … one after the other and returns their keys. */
    List<String> send(String topic, String tag, String prefix, int count) throws Exception {
        List<String> keys = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            SendResult result = producer().send(message(topic, tag, prefix + i));
            Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status of message " + i);
            keys.add(prefix + i);
        }
        return keys;
    }

    /**
     * Waits until {@code condition} gives a value (neither null, false nor an exception) and returns it. Exceptions mean
     * "not yet": the last one is in the report when the time is up.
     */
    <T> T await(String what, Callable<T> condition) throws Exception {
        return await(what, WAIT_LIMIT_MS, condition);
    }

    <T> T await(String what, long limitMs, Callable<T> condition) throws Exception {
        long end = System.nanoTime() + limitMs * 1_000_000;
        Throwable last = null;
        T value = null;
        do {
            try {
                value = condition.call();
                last = null;
                if (value != null && !Boolean.FALSE.equals(value)) {
                    return value;
                }
            } catch (Exception | AssertionError notYet) {
                last = notYet;
            }
            Thread.sleep(POLL_MS);
        } while (System.nanoTime() < end);
        throw new AssertionError("waited " + limitMs + " ms for: " + what + "; last seen: " + value, last);
    }

    /**
     * Waits for what only comes of sharing out the queues, and has the clients do that twice a second: by itself a client
     * tries again after 20 s when it came before a route, or before another had given a lock back. A lock that a leaving
     * client did not give back (it tries once, one-way) is another's only when it has expired on the broker.
     */
    void awaitRebalanced(List<DefaultMQPushConsumer> consumers, String what, Callable<Boolean> condition) throws Exception {
        AtomicLong asked = new AtomicLong(System.nanoTime());
        await(what, LOCK_LIFE_MS + WAIT_LIMIT_MS, () -> {
            if (System.nanoTime() - asked.get() > 500_000_000) {
                asked.set(System.nanoTime());
                consumers.forEach(consumer -> consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().rebalanceImmediately());
            }
            return condition.call();
        });
    }

    /** Waits until a consumer reads its retry topic: the broker makes that with the group's first heartbeat. */
    void awaitRetryQueue(DefaultMQPushConsumer consumer) throws Exception {
        awaitRebalanced(List.of(consumer), "the retry queue", () -> !Inbox.retryQueues(consumer).isEmpty());
    }

    /** Asks the harness to change the cluster under all clients at once, and waits until that is done. */
    void ask(String verb) throws Exception {
        note("ask: " + verb);
        lines.ask(name, verb);
        note("done: " + verb);
    }

    /** Part of what this scenario saw; the harness compares it between our servers and Java's. */
    void observe(String step, Object seen) {
        String text = seen instanceof Throwable ? Text.observed((Throwable) seen) : Text.normalised(String.valueOf(seen));
        observation.append(step).append(": ").append(text).append('\n');
    }

    String observation() {
        return observation.toString();
    }

    /** A line that is printed only when the scenario fails. */
    void note(String line) {
        log.append("  ").append((System.nanoTime() - start) / 1_000_000).append(" ms ").append(line).append('\n');
    }

    String log() {
        return (log.length() == 0 ? "" : "what happened:\n" + log) + (observation.length() == 0 ? "" : "observed:\n" + observation);
    }

    void closing(Runnable closer) {
        closers.push(closer);
    }

    /** Stops the clients, the last first. A client that will not stop is no reason to call the scenario failed. */
    @Override
    public void close() {
        while (!closers.isEmpty()) {
            try {
                closers.pop().run();
            } catch (RuntimeException refused) {
                System.err.println(name + ": closing: " + refused);
            }
        }
    }

    static <T> List<T> sorted(Collection<T> items) {
        List<T> list = new ArrayList<>(items);
        list.sort(null);
        return list;
    }
}
