package compat;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.common.MQVersion;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.RPCHook;
import org.apache.rocketmq.remoting.exception.RemotingTimeoutException;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/**
 * The lite pull consumer of 4.6 and later: pulls in the background, polled by its user. 5.x sends its pulls under a code of
 * its own (361). For what 4.4.0 has in its place see {@link Pulling}.
 */
final class LitePull {
    private static final String LITE = "org.apache.rocketmq.client.consumer.DefaultLitePullConsumer";
    private static final long POLL_MS = 200;
    private static final int PULL_MESSAGE = 11;
    private static final int LITE_PULL_MESSAGE = 361;

    private LitePull() {
    }

    /** What of it is used here. */
    interface Lite {
        void setAutoCommit(boolean autoCommit);

        void setConsumeFromWhere(ConsumeFromWhere where);

        void setPullThreadNums(int threads);

        void subscribe(String topic, String tags) throws Exception;

        void assign(Collection<MessageQueue> queues);

        void start() throws Exception;

        void shutdown();

        List<MessageExt> poll(long limitMs);

        void seek(MessageQueue queue, long offset) throws Exception;

        void seekToBegin(MessageQueue queue) throws Exception;

        void seekToEnd(MessageQueue queue) throws Exception;

        void pause(Collection<MessageQueue> queues);

        void resume(Collection<MessageQueue> queues);

        Collection<MessageQueue> fetchMessageQueues(String topic) throws Exception;

        void commitSync();

        Long committed(MessageQueue queue) throws Exception;

        Long offsetForTimestamp(MessageQueue queue, Long timestamp) throws Exception;
    }

    /** Two members of a group share the queues; what they commit a third goes on from. */
    static void subscribe(Scene scene) throws Exception {
        if (absent(scene)) {
            return;
        }
        RPCHook code = code(scene);
        String topic = scene.topic();
        List<MessageQueue> queues = scene.createTopic(topic, 4);
        Polled first = new Polled(scene, code, "pair", lite -> lite.subscribe(topic, "TagA || TagB"));
        Polled second = new Polled(scene, code, "pair", lite -> lite.subscribe(topic, "TagA || TagB"));
        scene.await("both have queues", () -> {
            // Until both are known to each other one of them may have them all; so there is always something to get.
            scene.send(topic, "TagA", "probe" + System.nanoTime() + "_", 4);
            return !first.keys().isEmpty() && !second.keys().isEmpty();
        });
        List<String> keys = new ArrayList<>(scene.send(topic, "TagA", "a", 20));
        scene.send(topic, "TagC", "other", 8);
        keys.addAll(scene.send(topic, "TagB", "b", 20));
        scene.await("all messages", () -> {
            Set<String> seen = new TreeSet<>(first.keys());
            seen.addAll(second.keys());
            return seen.containsAll(keys);
        });
        Check.that(first.keys().stream().noneMatch(key -> key.startsWith("other")), "a message of another tag");
        long sent = scene.await("the ends of the queues", () -> {
            long sum = 0;
            for (MessageQueue queue : queues) {
                sum += scene.producer().maxOffset(queue);
            }
            return sum;
        });
        // A queue that ends with messages nobody wants has its offset behind them with the next pull that finds something.
        List<String> last = new ArrayList<>();
        for (MessageQueue queue : queues) {
            scene.producer().send(Scene.message(topic, "TagA", "last" + queue.getQueueId()), queue);
            last.add("last" + queue.getQueueId());
        }
        scene.await("the last of each queue", () -> {
            Set<String> seen = new TreeSet<>(first.keys());
            seen.addAll(second.keys());
            return seen.containsAll(last);
        });
        first.commit();
        second.commit();
        scene.awaitStored(scene.group("pair"), queues, sent + 4);
        first.stop();
        second.stop();

        Polled third = new Polled(scene, code, "pair", lite -> lite.subscribe(topic, "*"));
        List<String> later = scene.send(topic, "TagC", "later", 8);
        scene.await("what came later", () -> third.keys().containsAll(later));
        Check.equal(new TreeSet<>(later), new TreeSet<>(third.keys()), "messages behind the committed offsets");
    }

    /** Queues by hand: offsets moved, queues that rest, offsets by time. */
    static void assign(Scene scene) throws Exception {
        if (absent(scene)) {
            return;
        }
        RPCHook code = code(scene);
        String topic = scene.topic();
        List<MessageQueue> queues = Scene.sorted(scene.createTopic(topic, 3));
        MessageQueue zero = queues.get(0);
        MessageQueue one = queues.get(1);
        long before = System.currentTimeMillis() - 1_000;
        for (MessageQueue queue : queues) {
            for (int i = 0; i < 10; i++) {
                send(scene, queue, i);
            }
        }
        Polled puller = new Polled(scene, code, "one", lite -> lite.assign(List.of(zero, one)));
        Check.equal(Set.copyOf(queues), Set.copyOf(puller.lite.fetchMessageQueues(topic)), "queues of the topic");
        puller.await(zero, 0, 10);
        puller.await(one, 0, 10);
        Check.that(puller.keys().stream().noneMatch(key -> key.startsWith("q2")), "a message of a queue that is not assigned");

        // A pull that is on hold ends with the next message; only then does the client go where it was told.
        puller.clear();
        puller.lite.seek(zero, 4);
        send(scene, zero, 10);
        puller.await(zero, 4, 11);
        puller.clear();
        puller.lite.seekToBegin(zero);
        send(scene, zero, 11);
        puller.await(zero, 0, 12);
        puller.lite.seekToEnd(one);
        puller.clear();
        send(scene, one, 10);
        puller.await(one, 10, 11);

        puller.commit();
        // Who asks the client before that makes it forget what it has not told the broker yet.
        scene.awaitStored(scene.group("one"), List.of(zero), 12);
        scene.awaitStored(scene.group("one"), List.of(one), 11);
        Check.equal(List.of(12L, 11L), List.of(puller.lite.committed(zero), puller.lite.committed(one)), "committed offsets");
        Check.equal(0L, puller.lite.offsetForTimestamp(zero, before), "offset of a time before the first");

        puller.clear();
        puller.lite.pause(List.of(zero));
        for (int i = 12; i < 17; i++) {
            send(scene, zero, i);
            send(scene, one, i - 1);
        }
        puller.await(one, 11, 16);
        // At most the one that the pull on hold brought; it was under way when the queue was sent to rest.
        Check.that(puller.count(zero) < 5, "messages of a queue that rests: " + puller.keys());
        puller.lite.resume(List.of(zero));
        puller.await(zero, 12, 17);
    }

    private static void send(Scene scene, MessageQueue queue, int number) throws Exception {
        scene.producer().send(Scene.message(queue.getTopic(), "T", "q" + queue.getQueueId() + "m" + number), queue);
    }

    private static boolean absent(Scene scene) {
        boolean absent = !Api.has(LITE);
        if (absent) {
            scene.observe("lite pull", "this client has none");
        }
        return absent;
    }

    /**
     * Under which code the consumers' pulls go out: under the client's own, or, where the broker leaves 5.x's code unanswered as
     * Java 4.7.0 does, under that of 4.x. All else of them is alike.
     */
    private static RPCHook code(Scene scene) throws Exception {
        if (MQVersion.getVersionDesc(MQVersion.CURRENT_VERSION).startsWith("V4")) {
            return null;
        }
        Map<String, String> fields = Map.of("consumerGroup", scene.group("probe"), "topic", "TBW102", "queueId", "0", "queueOffset", "0",
            "maxMsgNums", "1", "sysFlag", "20", "commitOffset", "0", "suspendTimeoutMillis", "0", "subVersion", "0", "subscription", "*");
        try {
            Api.call(scene.producer(), scene.cluster.broker, LITE_PULL_MESSAGE, fields, null, 2_000);
            scene.observe("pulls under 361", "answered");
            return null;
        } catch (RemotingTimeoutException unanswered) {
            scene.observe("pulls under 361", "no answer");
            return new Recoded();
        }
    }

    /** Has a client send its lite pulls under the code that 4.x knows. */
    private static final class Recoded implements RPCHook {
        @Override
        public void doBeforeRequest(String addr, RemotingCommand request) {
            if (request.getCode() == LITE_PULL_MESSAGE) {
                request.setCode(PULL_MESSAGE);
            }
        }

        @Override
        public void doAfterResponse(String addr, RemotingCommand request, RemotingCommand response) {
        }
    }

    /** What is to be done before the start. */
    private interface Settings {
        void of(Lite lite) throws Exception;
    }

    /** A lite pull consumer, polled by a thread of its own as long as it runs. */
    private static final class Polled {
        final Lite lite;
        private final Scene scene;
        private final Map<MessageQueue, List<MessageExt>> messages = new ConcurrentHashMap<>();
        private final Thread thread;
        private volatile boolean stopped;

        Polled(Scene scene, RPCHook hook, String which, Settings settings) throws Exception {
            this.scene = scene;
            Object consumer = Class.forName(LITE).getConstructor(String.class, RPCHook.class).newInstance(scene.group(which), hook);
            scene.instance((ClientConfig) consumer);
            lite = Api.as(Lite.class, consumer);
            lite.setAutoCommit(false);
            lite.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
            lite.setPullThreadNums(2);
            // 4.7.0 takes a subscription before the start, and queues after it.
            lite.start();
            scene.closing(this::stop);
            settings.of(lite);
            thread = new Thread(this::poll);
            thread.start();
        }

        private void poll() {
            while (!stopped) {
                for (MessageExt message : lite.poll(POLL_MS)) {
                    MessageQueue queue = new MessageQueue(message.getTopic(), Cluster.BROKER, message.getQueueId());
                    messages.computeIfAbsent(queue, none -> new CopyOnWriteArrayList<>()).add(message);
                }
            }
        }

        List<String> keys() {
            List<String> keys = new ArrayList<>();
            messages.values().forEach(of -> of.forEach(message -> keys.add(message.getKeys())));
            return keys;
        }

        int count(MessageQueue queue) {
            return messages.getOrDefault(queue, List.of()).size();
        }

        /** Forgets what has come. */
        void clear() {
            messages.clear();
        }

        /** Waits until the messages of a queue from one offset to another have come, in order. */
        void await(MessageQueue queue, long from, long to) throws Exception {
            scene.await("messages " + from + " to " + to + " of " + queue, () -> {
                List<MessageExt> got = messages.getOrDefault(queue, List.of());
                List<Long> offsets = new ArrayList<>();
                got.forEach(message -> offsets.add(message.getQueueOffset()));
                int start = offsets.lastIndexOf(from);
                Check.that(start >= 0 && offsets.size() - start == to - from, "offsets " + offsets);
                for (int i = 0; i < to - from; i++) {
                    Check.equal(from + i, offsets.get(start + i), "offset at place " + i);
                }
                return true;
            });
        }

        void commit() {
            lite.commitSync();
        }

        void stop() {
            if (!stopped) {
                stopped = true;
                try {
                    thread.join();
                } catch (InterruptedException interrupted) {
                    Thread.currentThread().interrupt();
                }
                lite.shutdown();
            }
        }
    }
}
