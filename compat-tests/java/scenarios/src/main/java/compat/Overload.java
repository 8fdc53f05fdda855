package compat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** More sends at once than a broker serves: some are refused, and nothing else happens. */
final class Overload {
    /** Sends under way at once. With thousands a heartbeat can wait so long that the client closes its connection itself. */
    private static final int AT_ONCE = 200;
    /** A broker that has refused nothing by then never will. */
    private static final int SENDS_LIMIT = 500_000;
    private static final int ONE_WAY_SENDS = 1_000;
    private static final byte[] BODY = "b".repeat(1_000).getBytes(StandardCharsets.UTF_8);
    /** An append of so much takes a broker some milliseconds. */
    private static final byte[] LARGE_BODY = new byte[8 << 20];
    private static final int LARGE_AT_ONCE = 2;
    /** So many of them stored, 4 GB, and no client fills a disk further. */
    private static final int LARGE_LIMIT = 500;
    /** A broker that has refused nothing for the third reason by then never will. */
    private static final long STORM_LIMIT_NS = TimeUnit.SECONDS.toNanos(60);
    /** Sends of the flood under way at once: with those of three other clients beside it less than the queue of a broker takes. */
    private static final int FLOOD_AT_ONCE = 1_000;
    private static final int CALLS = 50;
    /** What a flood may store during so many calls: ten times what is under way, for a caller that waits for its processor, too. */
    private static final int FLOOD_LIMIT = 10 * CALLS * FLOOD_AT_ONCE;
    /** A large send that a full disk holds up is still answered by then: who gives up does not know what is stored. */
    private static final int SEND_TIMEOUT_MS = 60_000;

    private Overload() {
    }

    /** What a refused send looks like; what was not refused is stored, what was is not, and the next send goes well. */
    static void async(Scene scene) throws Exception {
        MessageQueue queue = scene.createTopic(scene.topic(), 1).get(0);
        DefaultMQProducer producer = producer(scene);
        Object connection = connected(scene, producer, queue);
        Set<String> refused = new ConcurrentSkipListSet<>();
        Sends sends = new Sends(producer, queue, BODY, AT_ONCE, refused);
        for (int i = 0; i < SENDS_LIMIT && refused.isEmpty(); i++) {
            sends.send();
        }
        sends.awaitAnswers();
        scene.observe("refused", refused);
        goesWell(scene, producer, queue);
        Check.that(connection == Api.connection(producer, scene.cluster.broker), "the connection is another");
        awaitStored(scene, queue, sends.stored.get() + 2);
    }

    /** One-way sends that are refused are gone; the connection lives. */
    static void oneway(Scene scene) throws Exception {
        MessageQueue queue = scene.createTopic(scene.topic(), 1).get(0);
        DefaultMQProducer producer = producer(scene);
        Object connection = connected(scene, producer, queue);
        for (int i = 0; i < ONE_WAY_SENDS; i++) {
            producer.sendOneway(new Message(scene.topic(), "T", "k" + i, BODY), queue);
        }
        goesWell(scene, producer, queue);
        Check.that(connection == Api.connection(producer, scene.cluster.broker), "the connection is another");
        long stored = producer.maxOffset(queue);
        Check.that(stored > 1 && stored <= ONE_WAY_SENDS + 2, stored + " stored messages");
    }

    /**
     * Large messages hold the log, and small ones come meanwhile, to a broker that counts as busy after a millisecond of
     * that and lets few sends wait: there are three reasons to refuse one. Otherwise as {@link #async}.
     */
    static void logHeld(Scene scene) throws Exception {
        MessageQueue queue = scene.createTopic(scene.topic(), 1).get(0);
        MessageQueue untold = scene.createTopic(scene.topic("oneway"), 1).get(0);
        DefaultMQProducer small = producer(scene);
        DefaultMQProducer large = producer(scene);
        large.setMaxMessageSize(2 * LARGE_BODY.length);
        large.setCompressMsgBodyOverHowmuch(2 * LARGE_BODY.length);
        Object connection = connected(scene, small, queue);
        Object other = connected(scene, large, queue);
        Set<String> refused = new ConcurrentSkipListSet<>();
        Sends smallSends = new Sends(small, queue, BODY, AT_ONCE, refused);
        Sends largeSends = new Sends(large, queue, LARGE_BODY, LARGE_AT_ONCE, refused);
        AtomicBoolean over = inBackground(scene, largeSends);
        long begin = System.nanoTime();
        while (refused.size() < 3 && largeSends.stored.get() < LARGE_LIMIT && System.nanoTime() - begin < STORM_LIMIT_NS) {
            for (int i = 0; i < 10; i++) {
                smallSends.send();
            }
            small.sendOneway(new Message(untold.getTopic(), "T", "k", BODY), untold);
        }
        over.set(true);
        smallSends.awaitAnswers();
        largeSends.awaitAnswers();
        scene.note(smallSends.stored + " small messages stored, " + largeSends.stored + " large");
        for (String text : refused) {
            scene.observe("refused", text);
        }
        goesWell(scene, small, queue);
        Check.that(connection == Api.connection(small, scene.cluster.broker), "the connection is another");
        Check.that(other == Api.connection(large, scene.cluster.broker), "the other connection is another");
        awaitStored(scene, queue, smallSends.stored.get() + largeSends.stored.get() + 3);
    }

    /**
     * One client sends as fast as it is served, with many sends under way. Others send, consume and pull meanwhile, and
     * none of them waits for more of it than what is under way when they come. Counted in messages: time is the machine's.
     */
    static void flood(Scene scene) throws Exception {
        MessageQueue flooded = scene.createTopic(scene.topic("flood"), 1).get(0);
        MessageQueue queue = scene.createTopic(scene.topic(), 1).get(0);
        Inbox inbox = scene.consume("one", scene.topic(), "*");
        DefaultMQPullConsumer puller = scene.puller("two");
        Set<String> refused = new ConcurrentSkipListSet<>();
        DefaultMQProducer flooding = producer(scene);
        connected(scene, flooding, flooded);
        Sends flood = new Sends(flooding, flooded, BODY, FLOOD_AT_ONCE, refused);
        AtomicBoolean over = inBackground(scene, flood);
        scene.await("a flood", () -> flood.stored.get() > FLOOD_AT_ONCE);
        List<String> keys = new ArrayList<>();
        int before = flood.stored.get();
        for (int i = 0; i < CALLS; i++) {
            keys.addAll(scene.send(scene.topic(), "T", "k" + i + "-", 1));
        }
        int sent = flood.stored.get();
        inbox.awaitExactly(keys);
        int consumed = flood.stored.get();
        for (int i = 0; i < CALLS; i++) {
            Check.equal(PullStatus.FOUND, puller.pull(queue, "*", i, 1).getPullStatus(), "pull " + i);
        }
        int pulled = flood.stored.get();
        over.set(true);
        flood.awaitAnswers();
        String meanwhile = (sent - before) + " messages of the flood were stored during " + CALLS + " sends, "
            + (consumed - sent) + " until they were consumed, " + (pulled - consumed) + " during as many pulls";
        scene.note(meanwhile);
        Check.that(sent > before, "there was no flood");
        Check.that(sent - before <= FLOOD_LIMIT && pulled - consumed <= FLOOD_LIMIT, meanwhile);
        Check.equal(Set.of(), refused, "refusals");
        awaitStored(scene, flooded, flood.stored.get() + 1);
    }

    /** The same send again and again, so many at once. */
    private static final class Sends {
        final AtomicInteger stored = new AtomicInteger();
        private final DefaultMQProducer producer;
        private final MessageQueue queue;
        private final byte[] body;
        private final int atOnce;
        private final Semaphore room;
        private final Set<String> refused;

        Sends(DefaultMQProducer producer, MessageQueue queue, byte[] body, int atOnce, Set<String> refused) {
            this.producer = producer;
            this.queue = queue;
            this.body = body;
            this.atOnce = atOnce;
            this.room = new Semaphore(atOnce);
            this.refused = refused;
        }

        /** Sends once more, as soon as there is room. Its answer is counted, or kept with its figures masked. */
        void send() throws Exception {
            room.acquire();
            producer.send(new Message(queue.getTopic(), "T", "k", body), queue, new SendCallback() {
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

        /** Waits for the answers to all of them. No other send may begin meanwhile. */
        void awaitAnswers() throws InterruptedException {
            Check.that(room.tryAcquire(atOnce, 2L * SEND_TIMEOUT_MS, TimeUnit.MILLISECONDS), "no answer to " + (atOnce - room.availablePermits()) + " sends");
        }
    }

    /** Sends until what is returned is set, or the scene is over. */
    private static AtomicBoolean inBackground(Scene scene, Sends sends) {
        AtomicBoolean over = new AtomicBoolean();
        Thread sending = new Thread(() -> {
            try {
                while (!over.get()) {
                    sends.send();
                }
            } catch (Exception stopped) {
                scene.note("sending in the background ends: " + stopped);
            }
        });
        sending.start();
        scene.closing(sending::interrupt);
        return over;
    }

    /** All goes through one connection: 4.4.0 would send through the VIP channel. An answer is the answer to the first try. */
    private static DefaultMQProducer producer(Scene scene) throws Exception {
        return scene.producer(settings -> {
            settings.setVipChannelEnabled(false);
            settings.setRetryTimesWhenSendAsyncFailed(0);
            settings.setSendMsgTimeout(SEND_TIMEOUT_MS);
        });
    }

    /** The producer's connection to the broker, after a message has gone through it. */
    private static Object connected(Scene scene, DefaultMQProducer producer, MessageQueue queue) throws Exception {
        goesWell(scene, producer, queue);
        return Api.connection(producer, scene.cluster.broker);
    }

    /** Sends one message: other clients flood the same broker, so perhaps not at the first attempt. */
    private static void goesWell(Scene scene, DefaultMQProducer producer, MessageQueue queue) throws Exception {
        Message message = Scene.message(queue.getTopic(), "T", "one");
        SendResult result = scene.await("a send that is not refused", () -> producer.send(message, queue));
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
    }

    /** A queue's end follows the log's. */
    private static void awaitStored(Scene scene, MessageQueue queue, long messages) throws Exception {
        scene.await("the stored messages", () -> {
            Check.equal(messages, scene.producer().maxOffset(queue), "stored messages");
            return true;
        });
    }
}
