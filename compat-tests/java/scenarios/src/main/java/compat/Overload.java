package compat;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** More sends at once than a broker serves whose sends may not wait at all: some are refused, and nothing else happens. */
final class Overload {
    /** Sends under way at once. With thousands a heartbeat can wait so long that the client closes its connection itself. */
    private static final int AT_ONCE = 200;
    /** A broker that has refused nothing by then never will. */
    private static final int SENDS_LIMIT = 500_000;
    private static final int ONE_WAY_SENDS = 1_000;
    private static final byte[] BODY = "b".repeat(1_000).getBytes(StandardCharsets.UTF_8);

    private Overload() {
    }

    /** What a refused send looks like; what was not refused is stored, what was is not, and the next send goes well. */
    static void async(Scene scene) throws Exception {
        List<MessageQueue> queues = scene.createTopic(scene.topic(), 1);
        DefaultMQProducer producer = producer(scene);
        Object connection = connected(scene, producer, queues.get(0));
        Semaphore room = new Semaphore(AT_ONCE);
        AtomicInteger stored = new AtomicInteger(1);
        Set<String> refused = new ConcurrentSkipListSet<>();
        for (int i = 0; i < SENDS_LIMIT && refused.isEmpty(); i++) {
            room.acquire();
            producer.send(new Message(scene.topic(), "T", "k" + i, BODY), queues.get(0), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    stored.incrementAndGet();
                    room.release();
                }

                @Override
                public void onException(Throwable thrown) {
                    refused.add(Text.observed(thrown).replaceAll("(period in queue|size of queue): \\d+", "$1: N"));
                    room.release();
                }
            });
        }
        Check.that(room.tryAcquire(AT_ONCE, 30, TimeUnit.SECONDS), "no answer to " + (AT_ONCE - room.availablePermits()) + " sends");
        scene.observe("refused", refused);
        stored.addAndGet(goesWell(scene, producer, queues.get(0)));
        Check.that(connection == Api.connection(producer, scene.cluster.broker), "the connection is another");
        // A queue's end follows the log's.
        scene.await("the stored messages", () -> {
            Check.equal((long) stored.get(), producer.maxOffset(queues.get(0)), "stored messages");
            return true;
        });
    }

    /** One-way sends that are refused are gone; the connection lives. */
    static void oneway(Scene scene) throws Exception {
        List<MessageQueue> queues = scene.createTopic(scene.topic(), 1);
        DefaultMQProducer producer = producer(scene);
        Object connection = connected(scene, producer, queues.get(0));
        for (int i = 0; i < ONE_WAY_SENDS; i++) {
            producer.sendOneway(new Message(scene.topic(), "T", "k" + i, BODY), queues.get(0));
        }
        goesWell(scene, producer, queues.get(0));
        Check.that(connection == Api.connection(producer, scene.cluster.broker), "the connection is another");
        long stored = producer.maxOffset(queues.get(0));
        Check.that(stored > 1 && stored <= ONE_WAY_SENDS + 2, stored + " stored messages");
    }

    /** All goes through one connection: 4.4.0 would send through the VIP channel. */
    private static DefaultMQProducer producer(Scene scene) throws Exception {
        return scene.producer(settings -> settings.setVipChannelEnabled(false));
    }

    /** The producer's connection to the broker, after a message has gone through it. */
    private static Object connected(Scene scene, DefaultMQProducer producer, MessageQueue queue) throws Exception {
        goesWell(scene, producer, queue);
        return Api.connection(producer, scene.cluster.broker);
    }

    /** Sends one message: other clients flood the same broker, so perhaps not at the first attempt. Returns 1. */
    private static int goesWell(Scene scene, DefaultMQProducer producer, MessageQueue queue) throws Exception {
        Message message = Scene.message(queue.getTopic(), "T", "one");
        SendResult result = scene.await("a send that is not refused", () -> producer.send(message, queue));
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
        return 1;
    }
}
