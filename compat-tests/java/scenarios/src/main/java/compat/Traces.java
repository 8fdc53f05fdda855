package compat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.MQVersion;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Message trace: clients report to a topic what became of a message, to be found by the message's id. */
final class Traces {
    /** Made by the broker with traceTopicEnable. */
    private static final String SYSTEM_TOPIC = "RMQ_SYS_TRACE_TOPIC";
    /** Between two reports of one trace message, and between the fields of one. */
    private static final char BETWEEN_REPORTS = 2;
    private static final char BETWEEN_FIELDS = 1;

    private Traces() {
    }

    static void systemTopic(Scene scene) throws Exception {
        traced(scene, SYSTEM_TOPIC, null);
    }

    static void namedTopic(Scene scene) throws Exception {
        if (MQVersion.getVersionDesc(MQVersion.CURRENT_VERSION).startsWith("V4_4")) {
            scene.observe("a named topic", "this client's reports do not come there, whosever the servers are");
            return;
        }
        String name = scene.topic("trace");
        scene.createTopic(name, 1);
        traced(scene, name, name);
    }

    private static void traced(Scene scene, String traceTopic, String named) throws Exception {
        String version = MQVersion.getVersionDesc(MQVersion.CURRENT_VERSION);
        String topic = scene.topic();
        scene.createTopic(topic, 2);
        DefaultMQProducer producer = scene.start(new DefaultMQProducer(scene.group("tracing"), true, named), settings -> { });
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(scene.group("one"), true, named);
        Inbox inbox = scene.consume(consumer, topic, "*");
        SendResult sent = producer.send(Scene.message(topic, "TagA", "key_" + topic));
        Check.that(sent.isTraceOn(), "the broker wants traces");
        inbox.await(1, 45_000);

        // Of consumers, those of 4.4.0 and 5.3.3 send no reports here, whosever the servers are.
        long kinds = version.startsWith("V4_4") || version.startsWith("V5") ? 1 : 3;
        // By the message's id, and by its key: a trace message has both as keys.
        for (String key : List.of(sent.getMsgId(), "key_" + topic)) {
            List<String[]> reports = scene.await("reports under " + key, () -> {
                List<String[]> found = reports(scene, traceTopic, key, sent.getMsgId());
                return found.stream().map(report -> report[0]).distinct().count() == kinds ? found : null;
            });
            for (String[] report : reports) {
                if (report[0].equals("Pub")) {
                    Check.equal("DefaultRegion", report[2], "region of the report");
                    Check.equal(topic, report[4], "topic of the report");
                    Check.equal(sent.getOffsetMsgId(), report[12], "offset id of the report");
                }
            }
        }
    }

    /** The broker has traceOn=false: clients send no traces, however they are set. */
    static void off(Scene scene) throws Exception {
        String topic = scene.topic();
        String named = scene.topic("trace");
        scene.createTopic(topic, 1);
        MessageQueue queue = scene.createTopic(named, 1).get(0);
        DefaultMQProducer producer = scene.start(new DefaultMQProducer(scene.group("tracing"), true, named), settings -> { });
        for (int i = 0; i < 5; i++) {
            Check.that(!producer.send(Scene.message(topic, "T", "k" + i)).isTraceOn(), "the broker wants traces");
        }
        // Its stop sends what is left to send.
        producer.shutdown();
        scene.observe("trace messages", scene.producer().maxOffset(queue));
    }

    /** The reports of one message in the trace messages of a key, each as its fields. */
    private static List<String[]> reports(Scene scene, String traceTopic, String key, String msgId) throws Exception {
        List<String[]> found = new ArrayList<>();
        long later = System.currentTimeMillis() + 60_000;
        for (MessageExt trace : scene.producer().queryMessage(traceTopic, key, 32, 0, later).getMessageList()) {
            String body = new String(trace.getBody(), StandardCharsets.UTF_8);
            for (String report : body.split(String.valueOf(BETWEEN_REPORTS))) {
                if (report.contains(msgId)) {
                    found.add(report.split(String.valueOf(BETWEEN_FIELDS)));
                }
            }
        }
        return found;
    }
}
