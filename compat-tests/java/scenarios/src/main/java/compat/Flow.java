package compat;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;

import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.impl.consumer.ProcessQueue;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** Consumers that stop pulling for a while: their own limits, and suspended by hand; and shared out while they work. */
final class Flow {
    private Flow() {
    }

    /** A consumer that may hold few messages stops pulling when it has them, and goes on: nothing is lost, nothing twice. */
    static void ownLimits(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 2);
        Set<String> seen = new ConcurrentSkipListSet<>();
        AtomicInteger times = new AtomicInteger();
        Semaphore gate = new Semaphore(0);
        DefaultMQPushConsumer consumer = scene.push("one", topic, settings -> {
            settings.setPullThresholdForQueue(10);
            settings.setPullBatchSize(4);
            settings.registerMessageListener((MessageListenerConcurrently) (batch, context) -> {
                gate.acquireUninterruptibly();
                batch.forEach(message -> seen.add(message.getKeys()));
                times.addAndGet(batch.size());
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
        });
        List<String> keys = scene.send(topic, "T", "k", 200);
        // It looks at its limit before a pull, so a pull's worth may lie above it.
        scene.await("a full consumer", () -> held(consumer) >= 20);
        Thread.sleep(500);
        Check.that(held(consumer) <= 2 * (10 + 4), "holds " + held(consumer) + " messages, its limit is 10 a queue");
        gate.release(1_000);
        scene.await("all messages", () -> seen.containsAll(keys));
        Check.equal(200, times.get(), "messages consumed");
        Check.equal(new TreeSet<>(keys), new TreeSet<>(seen), "keys");
    }

    /** {@code suspend} and {@code resume} of a push consumer. */
    static void suspended(Scene scene) throws Exception {
        String topic = scene.topic();
        List<MessageQueue> queues = scene.createTopic(topic, 2);
        Inbox inbox = scene.consume("one", topic, "*");
        inbox.awaitQueues(2, 30_000);
        List<String> keys = new ArrayList<>(scene.send(topic, "T", "before", 10));
        inbox.awaitExactly(keys);
        inbox.consumer.suspend();
        // A pull that is under way ends with the next messages of its queue; from the one after it is suspended.
        keys.addAll(scene.send(topic, "T", "while", 20));
        inbox.awaitAtLeast(keys.subList(0, 10), 1_000);
        int under = inbox.messages().size();
        Thread.sleep(1_500);
        scene.note(under + " messages at once, " + inbox.messages().size() + " after 1.5 s of " + keys.size());
        Check.that(inbox.messages().size() < keys.size(), "a suspended consumer gets everything");
        inbox.consumer.resume();
        inbox.awaitExactly(keys);
        inbox.storeOffsets();
        scene.awaitStored(scene.group("one"), queues, 30);
    }

    /** Members join and leave while messages come and are consumed slowly: everything is consumed at least once. */
    static void rebalancing(Scene scene) throws Exception {
        String topic = scene.topic();
        List<MessageQueue> queues = scene.createTopic(topic, 8);
        Set<String> seen = new ConcurrentSkipListSet<>();
        List<String> keys = new ArrayList<>();
        Thread sending = new Thread(() -> {
            for (int i = 0; i < 600 && !Thread.currentThread().isInterrupted(); i++) {
                try {
                    Message message = Scene.message(topic, "T", "k" + i);
                    scene.producer().send(message, queues.get(i % 8));
                    synchronized (keys) {
                        keys.add("k" + i);
                    }
                    Thread.sleep(5);
                } catch (Exception over) {
                    return;
                }
            }
        });
        scene.producer();
        sending.start();
        scene.closing(sending::interrupt);
        List<DefaultMQPushConsumer> members = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            members.add(member(scene, topic, seen));
            int goal = (i + 1) * 60;
            scene.await(goal + " consumed", () -> seen.size() >= goal);
        }
        for (int i = 0; i < 2; i++) {
            members.get(i).shutdown();
            int goal = Math.min(seen.size() + 60, 500);
            scene.await(goal + " consumed", () -> seen.size() >= goal);
        }
        sending.join();
        Check.equal(600, keys.size(), "messages sent");
        scene.await("all messages", () -> seen.containsAll(keys));
        members.get(2).getDefaultMQPushConsumerImpl().persistConsumerOffset();
        scene.awaitRebalanced(List.of(members.get(2)), "all offsets at the end", () -> {
            long stored = 0;
            for (MessageQueue queue : queues) {
                stored += Math.max(0, scene.storedOffset(scene.group("all"), queue));
            }
            return stored == 600;
        });
    }

    private static DefaultMQPushConsumer member(Scene scene, String topic, Set<String> seen) throws Exception {
        return scene.push("all", topic, settings -> {
            settings.setPullThresholdForQueue(20);
            settings.registerMessageListener((MessageListenerConcurrently) (batch, context) -> {
                try {
                    Thread.sleep(2);
                } catch (InterruptedException interrupted) {
                    return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                }
                batch.forEach(message -> seen.add(message.getKeys()));
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
        });
    }

    private static long held(DefaultMQPushConsumer consumer) {
        long held = 0;
        for (ProcessQueue queue : consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().values()) {
            held += queue.getMsgCount().get();
        }
        return held;
    }
}
