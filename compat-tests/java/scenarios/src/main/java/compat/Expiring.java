package compat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * Consumers of messages whose files are deleted meanwhile. The cluster deletes every file of its log but the last, once a
 * second, from a minute after its start on (Java's first look cannot be made earlier).
 */
final class Expiring {
    private static final long FIRST_LOOK_LIMIT_MS = 150_000;
    /** Ten messages a second, two KiB each: a log file of all scenarios lasts about a second. */
    private static final long SEND_PAUSE_MS = 90;
    /** So few, and small, that a log file lasts a minute: a client that was put right waits 10 s before its next pull. */
    private static final long SLOW_SEND_PAUSE_MS = 2_000;
    private static final String PADDING = "p".repeat(2_000);

    private Expiring() {
    }

    /** A group whose next message has expired goes on with the first there is. */
    static void behind(Scene scene) throws Exception {
        MessageQueue queue = scene.createTopic(scene.topic(), 1).get(0);
        DefaultMQPullConsumer puller = scene.puller("one");
        puller.updateConsumeOffset(queue, 2);
        puller.getOffsetStore().persistAll(new HashSet<>(Set.of(queue)));
        scene.await("offset 2", () -> puller.fetchConsumeOffset(queue, true) == 2);
        try (Sender sender = new Sender(scene, queue)) {
            scene.await("the first messages have expired", FIRST_LOOK_LIMIT_MS, () -> puller.minOffset(queue) > 5);
            PullResult pulled = puller.pull(queue, "*", 2, 32);
            scene.observe("a pull in front of the first message", pulled.getPullStatus() + ", next is the least offset: "
                + (pulled.getNextBeginOffset() == pulled.getMinOffset()));
            sender.slowDown();
            // A pull consumer counts as a member of its group.
            puller.shutdown();
            Inbox inbox = scene.consume("one", scene.topic(), "*");
            scene.awaitRebalanced(List.of(inbox.consumer), "messages", () -> !inbox.messages().isEmpty());
            sender.close();
            scene.await("the last message", () -> offsets(inbox.messages()).contains(sender.last()));
            inbox.messages().forEach(Expiring::checkWhole);
            TreeSet<Long> got = offsets(inbox.messages());
            Check.that(got.first() >= pulled.getMinOffset(), "began at " + got.first() + ", pull said " + pulled);
            checkGapsExpired(scene, queue, got);
        }
        scene.observe("consumed to the end", "every message whole, every gap expired");
    }

    /** A reader where files are being deleted gets whole messages, and passes over expired ones only. */
    static void read(Scene scene) throws Exception {
        MessageQueue queue = scene.createTopic(scene.topic(), 1).get(0);
        DefaultMQPullConsumer puller = scene.puller("one");
        TreeSet<Long> got = new TreeSet<>();
        try (Sender sender = new Sender(scene, queue)) {
            AtomicLong offset = new AtomicLong();
            AtomicLong jumps = new AtomicLong();
            // A message a pull: about as fast as they are sent, so that it stays where files go.
            scene.await("five jumps", FIRST_LOOK_LIMIT_MS, () -> {
                PullResult pulled = puller.pull(queue, "*", offset.get(), 1);
                if (pulled.getPullStatus() == PullStatus.FOUND) {
                    MessageExt message = pulled.getMsgFoundList().get(0);
                    checkWhole(message);
                    Check.equal(offset.get(), message.getQueueOffset(), "offset of what was pulled");
                    got.add(message.getQueueOffset());
                    Thread.sleep(jumps.get() == 0 ? 2 * SEND_PAUSE_MS : SEND_PAUSE_MS);
                } else if (pulled.getNextBeginOffset() > offset.get()) {
                    scene.note("jump from " + offset + ": " + pulled);
                    jumps.incrementAndGet();
                }
                offset.set(pulled.getNextBeginOffset());
                return jumps.get() >= 5;
            });
        }
        checkGapsExpired(scene, queue, got);
        scene.observe("read to the fifth jump", "every message whole, every gap expired");
    }

    private static TreeSet<Long> offsets(Iterable<MessageExt> messages) {
        TreeSet<Long> offsets = new TreeSet<>();
        messages.forEach(message -> offsets.add(message.getQueueOffset()));
        return offsets;
    }

    private static void checkWhole(MessageExt message) {
        String body = new String(message.getBody(), StandardCharsets.UTF_8);
        Check.that(body.equals(message.getKeys()) || body.equals(message.getKeys() + PADDING), "body " + body);
    }

    /** What lies between the first and the last message and did not come must be in front of the least offset. */
    private static void checkGapsExpired(Scene scene, MessageQueue queue, TreeSet<Long> got) throws Exception {
        List<Long> missing = new ArrayList<>();
        for (long offset = got.first(); offset < got.last(); offset++) {
            if (!got.contains(offset)) {
                missing.add(offset);
            }
        }
        // A queue learns some time after the log what has expired.
        scene.await("gaps are in front of the least offset", () -> {
            long least = scene.producer().minOffset(queue);
            Check.that(missing.stream().allMatch(offset -> offset < least), "missing " + missing + ", least " + least);
            return true;
        });
    }

    /** Sends to one queue until it is closed. */
    private static final class Sender implements AutoCloseable {
        private final AtomicBoolean stop = new AtomicBoolean();
        private final AtomicBoolean slow = new AtomicBoolean();
        private final AtomicLong last = new AtomicLong(-1);
        private final Thread thread;

        Sender(Scene scene, MessageQueue queue) throws Exception {
            scene.producer();
            thread = new Thread(() -> {
                for (int i = 0; !stop.get(); i++) {
                    try {
                        String key = "k" + i;
                        String body = slow.get() ? key : key + PADDING;
                        Message message = new Message(queue.getTopic(), "T", key, body.getBytes(StandardCharsets.UTF_8));
                        last.set(scene.producer().send(message, queue).getQueueOffset());
                        Thread.sleep(slow.get() ? SLOW_SEND_PAUSE_MS : SEND_PAUSE_MS);
                    } catch (Exception refused) {
                        scene.note("send " + i + ": " + refused);
                    }
                }
            });
            thread.start();
        }

        void slowDown() {
            slow.set(true);
        }

        /** Offset of the last message sent; final once it is closed. */
        long last() {
            return last.get();
        }

        @Override
        public void close() throws InterruptedException {
            stop.set(true);
            thread.join();
        }
    }
}
