package compat;

import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Semaphore;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.impl.consumer.DefaultMQPushConsumerImpl;
import org.apache.rocketmq.client.impl.consumer.ProcessQueue;
import org.apache.rocketmq.client.impl.consumer.PullAPIWrapper;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * A broker with a slave, whose store is a copy of the master's. The second cluster's master counts every read as one of old
 * messages and sends the group to the slave; and the slave to itself, until it has nothing left.
 */
final class Slaves {
    private static final Pattern SLAVE = Pattern.compile("[{,]\"?1\"?:\"([^\"]+)\"");
    private static final int SENT = 120;

    private Slaves() {
    }

    /**
     * A group reads to the end from both; one goes on reading when the master stops, and when it is back its offsets there
     * only grow; one goes back to the master when the slave stops. Nothing is lost, and nothing comes twice.
     */
    static void reads(Scene scene) throws Exception {
        String topic = scene.topic();
        List<MessageQueue> queues = scene.createTopic(topic, 2);
        List<String> keys = new ArrayList<>(scene.send(topic, "T", "before", SENT));
        String slave = addSlave(scene, topic);
        Inbox all = scene.consume("all", topic, "*");
        all.awaitExactly(keys);
        all.stop();
        Held outlives = new Held(scene, "outlives", topic);
        Held returns = new Held(scene, "returns", topic);
        outlives.awaitSentToSlave(queues);
        returns.awaitSentToSlave(queues);
        outlives.gate.release(10);
        scene.await("10 messages", () -> outlives.seen.size() >= 10);
        scene.await("stored offsets", () -> outlives.stored(scene.cluster.broker, queues).sum() == 10);
        Stored before = outlives.stored(scene.cluster.broker, queues);

        scene.ask("stop-broker");

        outlives.gate.release(10_000);
        outlives.awaitExactly(keys);
        scene.await("offsets stored at the slave", () -> outlives.stored(slave, queues).sum() == SENT);

        scene.ask("start-broker");

        List<String> backwards = new ArrayList<>();
        scene.await("offsets stored at the master", () -> {
            Stored now = outlives.stored(scene.cluster.broker, queues);
            if (now.isBehind(before)) {
                backwards.add(before + " became " + now);
            }
            return now.sum() == SENT;
        });
        Check.that(backwards.isEmpty(), backwards.toString());
        scene.awaitRoute(scene.producer(), topic, 2);
        keys.addAll(scene.send(topic, "T", "after", 10));
        outlives.awaitExactly(keys);
        returns.awaitSentToSlave(queues);
        Check.equal(0, returns.seen.size(), "messages consumed by the group that is held");

        scene.ask("stop-slave");

        returns.gate.release(10_000);
        returns.awaitExactly(keys);
        scene.await("offsets stored at the master", () ->
            returns.stored(scene.cluster.broker, queues).sum() == SENT + 10);
    }

    /** The master is killed: a group that was reading goes on at the slave, and one that comes now has all from it. */
    static void masterKilled(Scene scene) throws Exception {
        String topic = scene.topic();
        List<MessageQueue> queues = scene.createTopic(topic, 2);
        List<String> keys = new ArrayList<>(scene.send(topic, "T", "before", SENT));
        String slave = addSlave(scene, topic);
        Held outlives = new Held(scene, "outlives", topic);
        outlives.awaitSentToSlave(queues);
        outlives.gate.release(10);
        scene.await("10 messages", () -> outlives.seen.size() >= 10);

        scene.ask("kill-broker");

        outlives.gate.release(10_000);
        outlives.awaitExactly(keys);
        scene.await("offsets stored at the slave", () -> outlives.stored(slave, queues).sum() == SENT);
        Inbox born = scene.await("a consumer's start", () -> scene.consume("born", topic, "*"));
        scene.awaitRebalanced(List.of(born.consumer), "both queues", () -> born.queues().size() == 2);
        born.awaitExactly(keys);

        scene.ask("start-broker");

        scene.await("offsets stored at the master", () -> outlives.stored(scene.cluster.broker, queues).sum() == SENT);
        scene.awaitRoute(scene.producer(), topic, 2);
        keys.addAll(scene.send(topic, "T", "after", 10));
        outlives.awaitExactly(keys);
        born.awaitExactly(keys);
        scene.ask("stop-slave");
    }

    /** Has the broker get a slave; the slave's address. */
    private static String addSlave(Scene scene, String topic) throws Exception {
        scene.ask("add-slave");
        return scene.await("a slave in the route", () -> {
            Matcher broker1 = SLAVE.matcher(scene.route(topic));
            return broker1.find() ? broker1.group(1) : null;
        });
    }

    /** A group's offsets at one broker, by queue. */
    private static final class Stored {
        private final List<Long> offsets;

        Stored(List<Long> offsets) {
            this.offsets = offsets;
        }

        long sum() {
            return offsets.stream().mapToLong(Long::longValue).sum();
        }

        boolean isBehind(Stored other) {
            for (int i = 0; i < offsets.size(); i++) {
                if (offsets.get(i) < other.offsets.get(i)) {
                    return true;
                }
            }
            return false;
        }

        @Override
        public String toString() {
            return offsets.toString();
        }
    }

    /**
     * A consumer whose listener waits, and which pulls little ahead: most messages are still at the brokers. One thread, so
     * that what it has consumed has no gaps.
     */
    private static final class Held {
        final Semaphore gate = new Semaphore(0);
        final List<String> seen = new CopyOnWriteArrayList<>();
        private final Scene scene;
        private final String group;
        private final DefaultMQPushConsumer consumer;

        Held(Scene scene, String which, String topic) throws Exception {
            this.scene = scene;
            group = scene.group(which);
            consumer = scene.push(which, topic, settings -> {
                settings.setConsumeThreadMin(1);
                settings.setConsumeThreadMax(1);
                settings.setPullThresholdForQueue(10);
                settings.setPullBatchSize(4);
                settings.registerMessageListener((MessageListenerConcurrently) (batch, context) -> {
                    gate.acquireUninterruptibly();
                    batch.forEach(message -> seen.add(message.getKeys()));
                    return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
                });
            });
            scene.closing(() -> gate.release(10_000));
        }

        /** Waits until it holds more of each queue than one pull brings, and its next pull goes to the slave. */
        void awaitSentToSlave(List<MessageQueue> queues) throws Exception {
            scene.awaitRebalanced(List.of(consumer), "a full consumer that reads from the slave", () -> {
                for (MessageQueue queue : queues) {
                    ProcessQueue held = impl().getRebalanceImpl().getProcessQueueTable().get(queue);
                    if (held == null || held.getMsgCount().get() < 10 || wrapper().recalculatePullFromWhichNode(queue) != 1) {
                        return false;
                    }
                }
                return true;
            });
        }

        /** What a broker has stored for the group, after the client has told its own broker. */
        Stored stored(String broker, List<MessageQueue> queues) throws Exception {
            impl().persistConsumerOffset();
            List<Long> offsets = new ArrayList<>();
            for (MessageQueue queue : queues) {
                offsets.add(Math.max(0, scene.storedOffset(broker, group, queue)));
            }
            return new Stored(offsets);
        }

        void awaitExactly(List<String> keys) throws Exception {
            scene.await(keys.size() + " messages", () -> {
                Check.that(seen.containsAll(keys), "has " + seen.size());
                return true;
            });
            Check.equal(keys.size(), seen.size(), "messages consumed");
            Check.equal(new TreeSet<>(keys), new TreeSet<>(seen), "keys");
        }

        private DefaultMQPushConsumerImpl impl() {
            return consumer.getDefaultMQPushConsumerImpl();
        }

        private PullAPIWrapper wrapper() throws ReflectiveOperationException {
            Field field = DefaultMQPushConsumerImpl.class.getDeclaredField("pullAPIWrapper");
            field.setAccessible(true);
            return (PullAPIWrapper) field.get(impl());
        }
    }
}
