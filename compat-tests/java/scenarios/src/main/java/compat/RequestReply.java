package compat;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

import org.apache.rocketmq.client.QueryResult;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/**
 * Requests and their replies: a consumer answers a message, and the broker pushes the answer (326) to the client that sent
 * it, whose connection is another one than the answerer's.
 *
 * <p>Java 4.7.0's broker loses the property CLUSTER, without which its own client cannot make a reply; where a scenario is
 * about something else it gives the property by hand.
 */
final class RequestReply {
    private static final String CALLBACK = "org.apache.rocketmq.client.producer.RequestCallback";
    private static final String REPLY_TOPIC = Cluster.NAME + "_REPLY_TOPIC";
    private static final int SEND_REPLY_MESSAGE = 324;
    private static final int SEND_REPLY_MESSAGE_V2 = 325;
    private static final long PATIENT_MS = 20_000;
    /** Above the 4 KiB from which on clients compress. */
    private static final int LARGE_BYTES = 6_000;

    private RequestReply() {
    }

    /** What a producer of 4.6 and later offers. Without a queue, 4.9.4 takes the end of the send for the answer. */
    interface Requests {
        Message request(Message message, MessageQueue queue, long timeoutMs) throws Exception;
    }

    static void answered(Scene scene) throws Exception {
        if (absent(scene)) {
            return;
        }
        scene.createTopic(scene.topic(), 4);
        DefaultMQProducer requester = scene.producer(settings -> { });
        Answerer answerer = new Answerer(scene);
        for (int i = 0; i < 5; i++) {
            String body = "answer " + i;
            answerer.next(body.getBytes(StandardCharsets.UTF_8));
            Message reply = request(requester, aided(scene, "k" + i), PATIENT_MS);
            Check.equal(body, new String(reply.getBody(), StandardCharsets.UTF_8), "body of reply " + i);
            Check.equal(REPLY_TOPIC, reply.getTopic(), "topic of reply " + i);
            Check.equal("reply", reply.getProperty("MSG_TYPE"), "type of reply " + i);
            Check.that(Long.parseLong(reply.getProperty("PUSH_REPLY_TIME")) > 0, "time of the push");
            stored(scene, answerer, body.getBytes(StandardCharsets.UTF_8));
        }
        byte[] large = new byte[LARGE_BYTES];
        answerer.next(large);
        Check.equalBytes(large, request(requester, aided(scene, "large"), PATIENT_MS).getBody(), "a compressed reply");
        MessageExt kept = kept(scene, answerer.results.poll(PATIENT_MS, TimeUnit.MILLISECONDS));
        scene.observe("stored, a compressed reply has its", kept.getBody().length == LARGE_BYTES ? "text" : "compressed bytes");

        answerer.next("to one who waits".getBytes(StandardCharsets.UTF_8));
        Message waited = waits() ? sync(requester, aided(scene, "sync"), PATIENT_MS) : request(requester, aided(scene, "sync"), PATIENT_MS);
        Check.equal("to one who waits", new String(waited.getBody(), StandardCharsets.UTF_8), "body for one who waits");
    }

    /** Without CLUSTER given by hand. */
    static void unaided(Scene scene) throws Exception {
        if (absent(scene)) {
            return;
        }
        scene.createTopic(scene.topic(), 1);
        DefaultMQProducer requester = scene.producer(settings -> { });
        Answerer answerer = new Answerer(scene);
        answerer.next("answer".getBytes(StandardCharsets.UTF_8));
        try {
            Message reply = request(requester, Scene.message(scene.topic(), "T", "k"), 5_000);
            scene.observe("request", new String(reply.getBody(), StandardCharsets.UTF_8));
        } catch (Exception unanswered) {
            MQClientException why = (MQClientException) answerer.failures.poll(PATIENT_MS, TimeUnit.MILLISECONDS);
            scene.observe("request", "no answer, the answerer failed with " + why.getResponseCode());
        }
    }

    static void timeout(Scene scene) throws Exception {
        if (absent(scene)) {
            return;
        }
        scene.createTopic(scene.topic(), 1);
        DefaultMQProducer requester = scene.producer(settings -> { });
        scene.observe("nobody answers, the callback gets", Check.refused("a request that nobody answers",
            () -> request(requester, aided(scene, "k"), 1_000)));
        if (waits()) {
            scene.observe("nobody answers, the caller gets", Check.refused("a request that nobody answers",
                () -> sync(requester, aided(scene, "k"), 1_000)));
        }
    }

    /** The requester has lost its connection, and comes back on another one under the same id. */
    static void reconnects(Scene scene) throws Exception {
        if (absent(scene)) {
            return;
        }
        scene.createTopic(scene.topic(), 1);
        DefaultMQProducer requester = scene.producer(settings -> { });
        Answerer answerer = new Answerer(scene);
        for (int round = 0; round < 3; round++) {
            String body = "round " + round;
            answerer.next(body.getBytes(StandardCharsets.UTF_8));
            Message reply = request(requester, aided(scene, "k" + round), PATIENT_MS);
            Check.equal(body, new String(reply.getBody(), StandardCharsets.UTF_8), "body of reply " + round);
            // Cut before it could say that it has the reply, the answerer would try for ever.
            Check.that(answerer.results.poll(PATIENT_MS, TimeUnit.MILLISECONDS) != null, "the answerer has no answer");
            Api.cutConnections(requester);
        }
    }

    /** What the broker says of replies that it cannot hand over; requests of its own, so with every client. */
    static void refused(Scene scene) throws Exception {
        DefaultMQProducer replier = scene.producer();
        scene.createTopic(scene.topic(), 1);
        for (int code : new int[] {SEND_REPLY_MESSAGE, SEND_REPLY_MESSAGE_V2}) {
            scene.observe(code + " to nobody", raw(scene, code, ""));
            scene.observe(code + " to an unknown client", raw(scene, code, "REPLY_TO_CLIENT\u0001127.0.0.9@nobody\u0002"));
        }
        String key = scene.topic() + "_key";
        raw(scene, SEND_REPLY_MESSAGE, "REPLY_TO_CLIENT\u0001127.0.0.9@nobody\u0002KEYS\u0001" + key + "\u0002");
        QueryResult found = scene.await("the reply by its key", () ->
            replier.queryMessage(REPLY_TOPIC, key, 8, 0, System.currentTimeMillis() + 60_000));
        scene.observe("stored, though not handed over", found.getMessageList().size());

        DefaultMQProducer gone = scene.producer(settings -> { });
        gone.send(Scene.message(scene.topic(), "T", "k"));
        String client = gone.getDefaultMQProducerImpl().getmQClientFactory().getClientId();
        String toIt = "REPLY_TO_CLIENT\u0001" + client + "\u0002";
        // A client that is there takes no reply it has not asked for, or does not know the code (4.4.0).
        scene.observe("to a client without a request", scene.await("the requester's heartbeat", () -> {
            String answer = raw(scene, SEND_REPLY_MESSAGE, toIt);
            return answer.contains("not found") ? null : answer.replace(client, "CLIENT");
        }));
        gone.shutdown();
        scene.await("the requester has gone", () -> raw(scene, SEND_REPLY_MESSAGE, toIt).contains("not found"));
        scene.observe("to a client that has gone", raw(scene, SEND_REPLY_MESSAGE, toIt).replace(client, "CLIENT"));
        scene.observe("to a queue that is not there", raw(scene, SEND_REPLY_MESSAGE, "", 99));
    }

    /** storeReplyMessageEnable is off on this cluster. */
    static void notStored(Scene scene) throws Exception {
        if (absent(scene)) {
            return;
        }
        scene.createTopic(scene.topic(), 1);
        DefaultMQProducer requester = scene.producer(settings -> { });
        Answerer answerer = new Answerer(scene);
        answerer.next("answer".getBytes(StandardCharsets.UTF_8));
        Message reply = request(requester, aided(scene, "k"), PATIENT_MS);
        Check.equal("answer", new String(reply.getBody(), StandardCharsets.UTF_8), "body of the reply");
        SendResult result = answerer.results.poll(PATIENT_MS, TimeUnit.MILLISECONDS);
        scene.observe("the answerer is told", result.getSendStatus() + " " + result.getOffsetMsgId() + " " + result.getQueueOffset());
        scene.observe("stored", scene.puller("look").maxOffset(result.getMessageQueue()));
    }

    private static boolean absent(Scene scene) {
        boolean absent = !Api.has(CALLBACK);
        if (absent) {
            scene.observe("requests", "this client has none");
        }
        return absent;
    }

    /** A request with the property that Java 4.7.0's broker would lose. */
    private static Message aided(Scene scene, String key) {
        Message message = Scene.message(scene.topic(), "T", key);
        MessageAccessor.putProperty(message, "CLUSTER", Cluster.NAME);
        return message;
    }

    /** Whether a producer waits for the answer itself: 5.3.3 stops waiting when its request is sent. */
    private static boolean waits() throws ClassNotFoundException {
        return Arrays.stream(Class.forName("org.apache.rocketmq.client.producer.RequestResponseFuture").getMethods())
            .noneMatch(method -> method.getName().equals("acquireCountDownLatch"));
    }

    private static Message sync(DefaultMQProducer requester, Message message, long timeoutMs) throws Exception {
        return Api.as(Requests.class, requester).request(message, queue(message), timeoutMs);
    }

    /** A request with a callback, and its answer; throws what the callback gets. */
    private static Message request(DefaultMQProducer requester, Message message, long timeoutMs) throws Exception {
        CompletableFuture<Message> answer = new CompletableFuture<>();
        Class<?> callback = Class.forName(CALLBACK);
        Object listener = Api.listener(callback, (name, args) -> name.equals("onSuccess")
            ? answer.complete((Message) args[0])
            : answer.completeExceptionally((Throwable) args[0]));
        DefaultMQProducer.class.getMethod("request", Message.class, MessageQueue.class, callback, long.class)
            .invoke(requester, message, queue(message), listener, timeoutMs);
        try {
            return answer.get(PATIENT_MS + 10_000, TimeUnit.MILLISECONDS);
        } catch (ExecutionException refused) {
            throw (Exception) refused.getCause();
        }
    }

    private static MessageQueue queue(Message message) {
        return new MessageQueue(message.getTopic(), Cluster.BROKER, 0);
    }

    private static String raw(Scene scene, int code, String properties) throws Exception {
        return raw(scene, code, properties, 0);
    }

    private static String raw(Scene scene, int code, String properties, int queue) throws Exception {
        String[] values = {"P_raw", REPLY_TOPIC, "TBW102", "4", Integer.toString(queue), "0", "1700000000000", "0", properties, "0", "false"};
        String[] names = code == SEND_REPLY_MESSAGE
            ? new String[] {"producerGroup", "topic", "defaultTopic", "defaultTopicQueueNums", "queueId", "sysFlag", "bornTimestamp",
                "flag", "properties", "reconsumeTimes", "unitMode"}
            : new String[] {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"};
        Map<String, String> fields = new HashMap<>();
        for (int i = 0; i < names.length; i++) {
            fields.put(names[i], values[i]);
        }
        RemotingCommand answer = Api.call(scene.producer(), scene.cluster.broker, code, fields, "reply".getBytes(StandardCharsets.UTF_8));
        return "code=" + answer.getCode() + " " + answer.getRemark();
    }

    private static void stored(Scene scene, Answerer answerer, byte[] body) throws Exception {
        Check.equalBytes(body, kept(scene, answerer.results.poll(PATIENT_MS, TimeUnit.MILLISECONDS)).getBody(), "the stored reply");
    }

    /** The reply as it lies in its topic. */
    private static MessageExt kept(Scene scene, SendResult result) throws Exception {
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status of the reply's send");
        MessageQueue queue = result.getMessageQueue();
        DefaultMQPullConsumer puller = scene.puller("look");
        try {
            return scene.await("the reply in its topic", () -> {
                PullResult pulled = puller.pull(queue, "*", result.getQueueOffset(), 1);
                return pulled.getMsgFoundList() == null ? null : pulled.getMsgFoundList().get(0);
            });
        } finally {
            puller.shutdown();
        }
    }

    /** A consumer that answers what it gets, with what it was told beforehand, by a producer on a connection of its own. */
    private static final class Answerer {
        final BlockingQueue<byte[]> answers = new LinkedBlockingQueue<>();
        final BlockingQueue<SendResult> results = new LinkedBlockingQueue<>();
        final BlockingQueue<Throwable> failures = new LinkedBlockingQueue<>();
        private final Scene scene;
        private final DefaultMQProducer producer;

        Answerer(Scene scene) throws Exception {
            this.scene = scene;
            this.producer = scene.producer(settings -> { });
            Inbox inbox = scene.consume("answerer", scene.topic(), "*", consumer -> { });
            Thread thread = new Thread(() -> {
                try {
                    for (int at = 1;; at++) {
                        List<MessageExt> asked = inbox.await(at, 600_000);
                        answer(asked.get(at - 1), answers.take());
                    }
                } catch (InterruptedException over) {
                    // The scenario is done.
                } catch (Throwable thrown) {
                    failures.add(thrown);
                }
            });
            thread.start();
            scene.closing(thread::interrupt);
        }

        void next(byte[] body) {
            answers.add(body);
        }

        /** Until it is taken: a requester that has just come back is known to the broker with its next heartbeat. */
        private void answer(MessageExt asked, byte[] body) throws Exception {
            Message reply = (Message) Api.callStatic("org.apache.rocketmq.client.utils.MessageUtil", "createReplyMessage",
                new Class<?>[] {Message.class, byte[].class}, asked, body);
            results.add(scene.await("the reply is taken", () -> producer.send(reply)));
        }
    }
}
