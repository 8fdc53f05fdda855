package compat;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;

import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.impl.consumer.ProcessQueue;
import org.apache.rocketmq.common.MixAll;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** A push consumer and everything it was given, in the order it came. */
final class Inbox implements MessageListenerConcurrently {
    final DefaultMQPushConsumer consumer;
    private final Scene scene;
    private final List<MessageExt> messages = new ArrayList<>();
    private boolean stopped;

    Inbox(Scene scene, DefaultMQPushConsumer consumer) {
        this.scene = scene;
        this.consumer = consumer;
    }

    @Override
    public ConsumeConcurrentlyStatus consumeMessage(List<MessageExt> batch, ConsumeConcurrentlyContext context) {
        synchronized (messages) {
            messages.addAll(batch);
            messages.notifyAll();
        }
        return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
    }

    List<MessageExt> messages() {
        synchronized (messages) {
            return new ArrayList<>(messages);
        }
    }

    List<String> keys() {
        List<String> keys = new ArrayList<>();
        for (MessageExt message : messages()) {
            keys.add(message.getKeys());
        }
        return keys;
    }

    /** Waits for the first {@code count} messages; wakes up with the message, not with a timer. */
    List<MessageExt> await(int count, long limitMs) throws InterruptedException {
        long end = System.nanoTime() + limitMs * 1_000_000;
        synchronized (messages) {
            while (messages.size() < count) {
                long left = (end - System.nanoTime()) / 1_000_000;
                if (left <= 0) {
                    throw new AssertionError("waited " + limitMs + " ms for " + count + " messages, got "
                        + messages.size() + ": " + keys() + "; queues " + queues());
                }
                messages.wait(left);
            }
            return new ArrayList<>(messages);
        }
    }

    /** Waits until each key of {@code expected} has come, and holds that nothing came twice and nothing else came. */
    List<MessageExt> awaitExactly(Collection<String> expected) throws Exception {
        return awaitExactly(List.of(this), expected);
    }

    /** The same for a group: each message to one of {@code inboxes}, once. */
    static List<MessageExt> awaitExactly(List<Inbox> inboxes, Collection<String> expected) throws Exception {
        Scene scene = inboxes.get(0).scene;
        Set<String> wanted = new TreeSet<>(expected);
        try {
            scene.await(wanted.size() + " messages, nothing left in the clients", () -> {
                int seen = 0;
                for (Inbox inbox : inboxes) {
                    seen += inbox.messages().size();
                }
                return seen >= wanted.size() && inboxes.stream().allMatch(Inbox::idle);
            });
        } catch (AssertionError late) {
            throw new AssertionError(late.getMessage() + "; " + difference(inboxes, wanted));
        }
        String difference = difference(inboxes, wanted);
        Check.that(difference.isEmpty(), difference);
        List<MessageExt> all = new ArrayList<>();
        inboxes.forEach(inbox -> all.addAll(inbox.messages()));
        return all;
    }

    /** Waits until each key of {@code expected} has come at least once: all that holds across a broker's restart. */
    void awaitAtLeast(Collection<String> expected, long limitMs) throws Exception {
        Set<String> wanted = new TreeSet<>(expected);
        try {
            scene.await(wanted.size() + " messages", limitMs, () -> new HashSet<>(keys()).containsAll(wanted));
        } catch (AssertionError late) {
            throw new AssertionError(late.getMessage() + "; " + difference(List.of(this), wanted));
        }
    }

    private static String difference(List<Inbox> inboxes, Set<String> wanted) {
        Set<String> missing = new TreeSet<>(wanted);
        List<String> surplus = new ArrayList<>();
        Set<String> seen = new HashSet<>();
        for (Inbox inbox : inboxes) {
            for (String key : inbox.keys()) {
                missing.remove(key);
                if (!wanted.contains(key) || !seen.add(key)) {
                    surplus.add(key);
                }
            }
        }
        return (missing.isEmpty() ? "" : "missing " + missing + " ") + (surplus.isEmpty() ? "" : "twice or not wanted " + surplus);
    }

    /** Whether nothing that was pulled still waits to be consumed. */
    private boolean idle() {
        for (ProcessQueue queue : consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().values()) {
            if (queue.getMsgCount().get() > 0) {
                return false;
            }
        }
        return true;
    }

    /** The queues this consumer holds now, without its retry topic. */
    Set<MessageQueue> queues() {
        return queues(consumer);
    }

    static Set<MessageQueue> queues(DefaultMQPushConsumer consumer) {
        return held(consumer, false);
    }

    /** The queues of its retry topic that a consumer holds now. */
    static Set<MessageQueue> retryQueues(DefaultMQPushConsumer consumer) {
        return held(consumer, true);
    }

    private static Set<MessageQueue> held(DefaultMQPushConsumer consumer, boolean retry) {
        Set<MessageQueue> queues = new TreeSet<>();
        for (MessageQueue queue : consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet()) {
            if (queue.getTopic().startsWith(MixAll.RETRY_GROUP_TOPIC_PREFIX) == retry) {
                queues.add(queue);
            }
        }
        return queues;
    }

    /** Waits until the consumer holds {@code count} queues: from then on its first offsets are settled. */
    Set<MessageQueue> awaitQueues(int count, long limitMs) throws Exception {
        scene.await(consumer.getInstanceName() + " holds " + count + " queues", limitMs, () -> {
            Check.equal(count, queues().size(), "queues " + queues());
            return true;
        });
        return queues();
    }

    /** Stores its offsets at the broker now; by itself a client begins with that 10 s after its start. */
    void storeOffsets() {
        consumer.getDefaultMQPushConsumerImpl().persistConsumerOffset();
    }

    /** Stops the consumer, which stores its offsets at the broker; a second call does nothing. */
    void stop() {
        if (!stopped) {
            stopped = true;
            consumer.shutdown();
        }
    }

    static Consumer<DefaultMQPushConsumer> broadcasting() {
        return Api::setBroadcasting;
    }
}
