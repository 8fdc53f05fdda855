package compat;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
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
    private static final long PATIENT_MS = 20_000;
    private static final long HASTY_MS = 1_000;
    /** Above the 4 KiB from which on clients compress. */
    private static final int LARGE_BYTES = 6_000;

    private RequestReply() {
    }

    /** What a producer of 4.6 and later offers. Without a queue, 4.9.4 takes the end of the send for the answer. */
    interface Requests {
        Message request(Message message, MessageQueue queue, long timeoutMs) throws Exception;
    }

    /** What a scenario does with a requester; it has an answerer where it asks for one. */
    interface Talk {
        void with(Requester requester) throws Exception;
    }

    /** A scenario for the clients that have requests. */
    static Scenario between(Talk talk) {
        return scene -> {
            if (!Api.has(CALLBACK)) {
                scene.observe("requests", "this client has none");
                return;
            }
            scene.createTopic(scene.topic(), 1);
            talk.with(new Requester(scene));
        };
    }

    static void answered(Requester requester) throws Exception {
        Scene scene = requester.scene;
        Answerer answerer = new Answerer(scene);
        for (int i = 0; i < 5; i++) {
            byte[] body = ("answer " + i).getBytes(StandardCharsets.UTF_8);
            answerer.next(body);
            Message reply = requester.request(aided(scene, "k" + i), PATIENT_MS);
            Check.equalBytes(body, reply.getBody(), "body of reply " + i);
            Check.equal(REPLY_TOPIC, reply.getTopic(), "topic of reply " + i);
            Check.equal("reply", reply.getProperty("MSG_TYPE"), "type of reply " + i);
            Check.that(Long.parseLong(reply.getProperty("PUSH_REPLY_TIME")) > 0, "time of the push");
            Check.equalBytes(body, kept(scene, answerer.told()).getBody(), "the stored reply");
        }
        byte[] large = new byte[LARGE_BYTES];
        answerer.next(large);
        Check.equalBytes(large, requester.request(aided(scene, "large"), PATIENT_MS).getBody(), "a compressed reply");
        MessageExt kept = kept(scene, answerer.told());
        scene.observe("stored, a compressed reply has its", kept.getBody().length == LARGE_BYTES ? "text" : "compressed bytes");
        if (waits()) {
            byte[] body = "to one who waits".getBytes(StandardCharsets.UTF_8);
            answerer.next(body);
            Check.equalBytes(body, requester.await(aided(scene, "sync"), PATIENT_MS).getBody(), "body for one who waits");
        }
    }

    /** Without CLUSTER given by hand. */
    static void unaided(Requester requester) throws Exception {
        Scene scene = requester.scene;
        Answerer answerer = new Answerer(scene);
        answerer.next("answer".getBytes(StandardCharsets.UTF_8));
        try {
            Message reply = requester.request(Scene.message(scene.topic(), "T", "k"), 5_000);
            scene.observe("request", new String(reply.getBody(), StandardCharsets.UTF_8));
        } catch (Exception unanswered) {
            MQClientException why = (MQClientException) answerer.failures.poll(PATIENT_MS, TimeUnit.MILLISECONDS);
            scene.observe("request", "no answer, the answerer failed with " + why.getResponseCode());
        }
    }

    static void timeout(Requester requester) throws Exception {
        Scene scene = requester.scene;
        scene.observe("nobody answers, the callback gets", Check.refused("a request that nobody answers",
            () -> requester.request(aided(scene, "k"), HASTY_MS)));
        if (waits()) {
            scene.observe("nobody answers, the caller gets", Check.refused("a request that nobody answers",
                () -> requester.await(aided(scene, "k"), HASTY_MS)));
        }
    }

    /** The requester has lost its connection, and comes back on another one under the same id. */
    static void reconnects(Requester requester) throws Exception {
        Answerer answerer = new Answerer(requester.scene);
        for (int round = 0; round < 3; round++) {
            byte[] body = ("round " + round).getBytes(StandardCharsets.UTF_8);
            answerer.next(body);
            Message reply = requester.request(aided(requester.scene, "k" + round), PATIENT_MS);
            Check.equalBytes(body, reply.getBody(), "body of reply " + round);
            // Cut before it could say that it has the reply, the answerer would try for ever.
            answerer.told();
            Api.cutConnections(requester.producer);
        }
    }

    /** storeReplyMessageEnable is off on this cluster. */
    static void notStored(Requester requester) throws Exception {
        Scene scene = requester.scene;
        byte[] body = "answer".getBytes(StandardCharsets.UTF_8);
        Answerer answerer = new Answerer(scene);
        answerer.next(body);
        Check.equalBytes(body, requester.request(aided(scene, "k"), PATIENT_MS).getBody(), "body of the reply");
        SendResult result = answerer.told();
        scene.observe("the answerer is told", result.getSendStatus() + " " + result.getOffsetMsgId() + " " + result.getQueueOffset());
        scene.observe("stored", scene.puller("look").maxOffset(result.getMessageQueue()));
    }

    /** What the broker says of replies that it cannot hand over; requests of its own, so with every client. */
    static void refused(Scene scene) throws Exception {
        scene.createTopic(scene.topic(), 1);
        for (int code : new int[] {RawSend.REPLY, RawSend.REPLY_V2}) {
            scene.observe(code + " to nobody", RawSend.answer(scene, code, REPLY_TOPIC, ""));
            scene.observe(code + " to an unknown client", RawSend.answer(scene, code, REPLY_TOPIC, to("127.0.0.9@nobody")));
        }
        String key = scene.topic() + "_key";
        RawSend.answer(scene, RawSend.REPLY, REPLY_TOPIC, to("127.0.0.9@nobody") + "KEYS\u0001" + key + "\u0002");
        QueryResult found = scene.await("the reply by its key", () ->
            scene.producer().queryMessage(REPLY_TOPIC, key, 8, 0, System.currentTimeMillis() + 60_000));
        scene.observe("stored, though not handed over", found.getMessageList().size());

        DefaultMQProducer gone = scene.producer(settings -> { });
        gone.send(Scene.message(scene.topic(), "T", "k"));
        String client = gone.getDefaultMQProducerImpl().getmQClientFactory().getClientId();
        // A client that is there takes no reply it has not asked for, or does not know the code (4.4.0).
        scene.observe("to a client without a request", scene.await("the requester's heartbeat", () -> {
            String answer = RawSend.answer(scene, RawSend.REPLY, REPLY_TOPIC, to(client));
            return answer.contains("not found") ? null : answer.replace(client, "CLIENT");
        }));
        gone.shutdown();
        scene.observe("to a client that has gone", scene.await("the requester has gone", () -> {
            String answer = RawSend.answer(scene, RawSend.REPLY, REPLY_TOPIC, to(client));
            return answer.contains("not found") ? answer.replace(client, "CLIENT") : null;
        }));
        scene.observe("to a queue that is not there", RawSend.answer(scene, RawSend.REPLY, REPLY_TOPIC, 99, ""));
    }

    /** The properties of a reply to a client. */
    private static String to(String client) {
        return "REPLY_TO_CLIENT\u0001" + client + "\u0002";
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

    /** A producer that asks, on a connection of its own. */
    static final class Requester {
        final Scene scene;
        final DefaultMQProducer producer;

        Requester(Scene scene) throws MQClientException {
            this.scene = scene;
            this.producer = scene.producer(settings -> { });
        }

        /** The answer to a request with a callback; throws what the callback gets. */
        Message request(Message message, long timeoutMs) throws Exception {
            CompletableFuture<Message> answer = new CompletableFuture<>();
            Class<?> callback = Class.forName(CALLBACK);
            Object listener = Api.listener(callback, (name, args) -> name.equals("onSuccess")
                ? answer.complete((Message) args[0])
                : answer.completeExceptionally((Throwable) args[0]));
            DefaultMQProducer.class.getMethod("request", Message.class, MessageQueue.class, callback, long.class)
                .invoke(producer, message, queue(message), listener, timeoutMs);
            try {
                return answer.get(PATIENT_MS + 10_000, TimeUnit.MILLISECONDS);
            } catch (ExecutionException refused) {
                throw (Exception) refused.getCause();
            }
        }

        /** The answer to a request whose caller waits for it. */
        Message await(Message message, long timeoutMs) throws Exception {
            return Api.as(Requests.class, producer).request(message, queue(message), timeoutMs);
        }

        private static MessageQueue queue(Message message) {
            return new MessageQueue(message.getTopic(), Cluster.BROKER, 0);
        }
    }

    /** A consumer that answers what it gets, with what it was told beforehand, by a producer on a connection of its own. */
    private static final class Answerer {
        final BlockingQueue<Throwable> failures = new LinkedBlockingQueue<>();
        private final BlockingQueue<byte[]> answers = new LinkedBlockingQueue<>();
        private final BlockingQueue<SendResult> results = new LinkedBlockingQueue<>();
        private final Scene scene;
        private final DefaultMQProducer producer;

        Answerer(Scene scene) throws Exception {
            this.scene = scene;
            this.producer = scene.producer(settings -> { });
            Inbox inbox = scene.consume("answerer", scene.topic(), "*");
            Thread thread = new Thread(() -> answerAll(inbox));
            thread.start();
            scene.closing(thread::interrupt);
        }

        void next(byte[] body) {
            answers.add(body);
        }

        /** What it was told of its last answer. */
        SendResult told() throws InterruptedException {
            SendResult result = results.poll(PATIENT_MS, TimeUnit.MILLISECONDS);
            Check.that(result != null, "the answerer has no answer");
            return result;
        }

        private void answerAll(Inbox inbox) {
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
        }

        /** Until it is taken: a requester that has just come back is known to the broker with its next heartbeat. */
        private void answer(MessageExt asked, byte[] body) throws Exception {
            Message reply = (Message) Api.callStatic("org.apache.rocketmq.client.utils.MessageUtil", "createReplyMessage",
                new Class<?>[] {Message.class, byte[].class}, asked, body);
            results.add(scene.await("the reply is taken", () -> producer.send(reply)));
        }
    }
}
