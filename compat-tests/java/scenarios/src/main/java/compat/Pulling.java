package compat;

import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullCallback;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** The pull consumer: each result with its offsets, waiting pulls, offsets by time. */
final class Pulling {
    private Pulling() {
    }

    static void results(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        List<String> keys = scene.send(topic, "TagA", "k", 10);
        DefaultMQPullConsumer puller = scene.puller("one");
        Set<MessageQueue> queues = puller.fetchSubscribeMessageQueues(topic);
        MessageQueue queue = new MessageQueue(topic, Cluster.BROKER, 0);
        Check.equal(Set.of(queue), queues, "queues to subscribe");

        // The queue entry is made after the send was answered.
        PullResult all = scene.await("all ten", () -> {
            PullResult pulled = puller.pull(queue, "*", 0, 32);
            return pulled.getMsgFoundList() != null && pulled.getMsgFoundList().size() == 10 ? pulled : null;
        });
        Check.equal(PullStatus.FOUND, all.getPullStatus(), "status");
        for (int i = 0; i < 10; i++) {
            MessageExt message = all.getMsgFoundList().get(i);
            Check.equal(keys.get(i), message.getKeys(), "place " + i);
            Check.equal((long) i, message.getQueueOffset(), "offset of place " + i);
        }
        scene.observe("all", facts(all));
        PullResult four = puller.pull(queue, "*", 2, 4);
        Check.equal(6L, four.getNextBeginOffset(), "offset after four of the third on");
        scene.observe("four", facts(four));
        scene.observe("of another tag", facts(puller.pull(queue, "TagZ", 0, 32)));
        scene.observe("of tags with the first among them", facts(puller.pull(queue, "TagZ || TagA", 0, 32)));
        scene.observe("at the end", facts(puller.pull(queue, "*", 10, 32)));
        scene.observe("one past the end", facts(puller.pull(queue, "*", 11, 32)));
        scene.observe("far past the end", facts(puller.pull(queue, "*", 1_000_000, 32)));

        CompletableFuture<PullResult> later = new CompletableFuture<>();
        puller.pull(queue, "*", 5, 2, new PullCallback() {
            @Override
            public void onSuccess(PullResult result) {
                later.complete(result);
            }

            @Override
            public void onException(Throwable thrown) {
                later.completeExceptionally(thrown);
            }
        });
        scene.observe("with a callback", facts(later.get(30, TimeUnit.SECONDS)));
    }

    static void offsets(Scene scene) throws Exception {
        String topic = scene.topic();
        List<MessageQueue> queues = scene.createTopic(topic, 2);
        DefaultMQPullConsumer puller = scene.puller("one");
        MessageQueue empty = queues.get(0).getQueueId() == 0 ? queues.get(0) : queues.get(1);
        MessageQueue used = empty == queues.get(0) ? queues.get(1) : queues.get(0);
        long before = System.currentTimeMillis() - 1_000;
        for (int i = 0; i < 5; i++) {
            scene.producer().send(Scene.message(topic, "T", "k" + i), used);
        }
        scene.await("five messages", () -> puller.maxOffset(used) == 5);
        Check.equal(0L, puller.minOffset(used), "least offset");
        Check.equal(0L, puller.searchOffset(used, before), "offset of a time before the first");
        long earliest = puller.earliestMsgStoreTime(used);
        Check.that(earliest >= before && earliest <= System.currentTimeMillis() + 1_000, "store time of the first: " + earliest);
        scene.observe("offset of time 0", puller.searchOffset(used, 0));
        scene.observe("offset of a time after the last", puller.searchOffset(used, System.currentTimeMillis() + 3_600_000));
        scene.observe("empty: min", puller.minOffset(empty));
        scene.observe("empty: max", puller.maxOffset(empty));
        scene.observe("empty: by time", puller.searchOffset(empty, before));
        scene.observe("empty: store time of the first", puller.earliestMsgStoreTime(empty));
        MessageQueue none = new MessageQueue(topic, Cluster.BROKER, 77);
        scene.observe("no such queue: min", puller.minOffset(none));
        scene.observe("no such queue: max", puller.maxOffset(none));
        scene.observe("no such queue: by time", puller.searchOffset(none, before));
        scene.observe("no such queue: store time of the first", puller.earliestMsgStoreTime(none));
    }

    /** {@code pullBlockIfNotFound}: held until the message comes, five times. */
    static void block(Scene scene) throws Exception {
        String topic = scene.topic();
        MessageQueue queue = scene.createTopic(topic, 1).get(0);
        DefaultMQPullConsumer puller = scene.puller("one");
        long slowest = 0;
        for (int i = 0; i < 5; i++) {
            int offset = i;
            CompletableFuture<PullResult> pulled = new CompletableFuture<>();
            Thread waiting = new Thread(() -> {
                try {
                    pulled.complete(puller.pullBlockIfNotFound(queue, "*", offset, 32));
                } catch (Throwable thrown) {
                    pulled.completeExceptionally(thrown);
                }
            });
            waiting.start();
            // The pull is to be on hold by now; if it is not, this round proves less, and does not fail.
            Thread.sleep(100);
            Check.that(!pulled.isDone(), "a pull at the end of the queue was answered before there was a message");
            long sent = System.nanoTime();
            scene.producer().send(Scene.message(topic, "T", "k" + i), queue);
            PullResult result = pulled.get(40, TimeUnit.SECONDS);
            slowest = Math.max(slowest, (System.nanoTime() - sent) / 1_000_000);
            Check.equal(PullStatus.FOUND, result.getPullStatus(), "status of round " + i);
            Check.equal("k" + i, result.getMsgFoundList().get(0).getKeys(), "message of round " + i);
            Check.equal(i + 1L, result.getNextBeginOffset(), "next offset of round " + i);
        }
        scene.note("slowest answer " + slowest + " ms");
        Check.that(slowest < 4_000, "a held pull was answered " + slowest + " ms after the message was sent");
    }

    /** A held pull without a message ends with NO_NEW_MSG after the client's hold time (Java looks every 5 s). */
    static void blockTimeout(Scene scene) throws Exception {
        String topic = scene.topic();
        MessageQueue queue = scene.createTopic(topic, 1).get(0);
        scene.send(topic, "T", "k", 3);
        DefaultMQPullConsumer puller = scene.puller("one", settings -> settings.setBrokerSuspendMaxTimeMillis(1_000));
        scene.await("three messages", () -> puller.maxOffset(queue) == 3);
        long start = System.nanoTime();
        PullResult result = puller.pullBlockIfNotFound(queue, "*", 3, 32);
        long elapsed = (System.nanoTime() - start) / 1_000_000;
        Check.that(elapsed >= 950 && elapsed < 9_000, "held for " + elapsed + " ms, asked for 1000");
        scene.observe("after the hold", facts(result));
    }

    /** How many messages a pull brings at most, small ones and large ones: fewer where they count as on disk only. */
    static void portions(Scene scene) throws Exception {
        DefaultMQPullConsumer puller = scene.puller("one");
        for (int bytes : new int[] {10, 3_000, 20_000, 300_000}) {
            String topic = scene.topic(bytes + "b");
            MessageQueue queue = scene.createTopic(topic, 1).get(0);
            // What a client compresses would be of its own size.
            byte[] noise = new byte[bytes];
            new Random(bytes).nextBytes(noise);
            int count = Math.min(40, 1_000_000 / bytes);
            for (int i = 0; i < count; i++) {
                scene.producer().send(new Message(topic, noise));
            }
            scene.await(count + " messages", () -> puller.maxOffset(queue) == count);
            scene.observe("of " + bytes + " bytes", facts(puller.pull(queue, "*", 0, 100)));
        }
    }

    /** Status and offsets of a pull, and how many messages came. */
    static String facts(PullResult result) {
        return result.getPullStatus() + " next=" + result.getNextBeginOffset() + " min=" + result.getMinOffset()
            + " max=" + result.getMaxOffset() + " messages="
            + (result.getMsgFoundList() == null ? 0 : result.getMsgFoundList().size());
    }
}
