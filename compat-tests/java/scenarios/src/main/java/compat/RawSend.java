package compat;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/** Sends past the client's own checks, on its own connection, and the broker's answers as text. */
final class RawSend {
    static final int MESSAGE = 10;
    static final int BATCH = 320;
    static final int REPLY = 324;
    static final int REPLY_V2 = 325;
    /** In the order of their one-letter names, which all codes but 10 and 324 take. */
    private static final List<String> NAMES = List.of("producerGroup", "topic", "defaultTopic", "defaultTopicQueueNums", "queueId",
        "sysFlag", "bornTimestamp", "flag", "properties", "reconsumeTimes", "unitMode", "maxReconsumeTimes", "batch");

    private RawSend() {
    }

    /** To the first queue. */
    static String answer(Scene scene, int code, String topic, String properties) throws Exception {
        return answer(scene, code, topic, 0, properties);
    }

    static String answer(Scene scene, int code, String topic, int queue, String properties) throws Exception {
        Map<String, String> fields = new HashMap<>(Map.of("producerGroup", scene.group("raw"), "topic", topic, "defaultTopic", "TBW102",
            "defaultTopicQueueNums", "4", "queueId", Integer.toString(queue), "sysFlag", "0", "properties", properties));
        fields.putAll(Map.of("bornTimestamp", Long.toString(System.currentTimeMillis()), "flag", "0", "reconsumeTimes", "0",
            "unitMode", "false", "batch", Boolean.toString(code == BATCH)));
        byte[] body = code == BATCH ? oneOfABatch() : "raw".getBytes(StandardCharsets.UTF_8);
        boolean inWords = code == MESSAGE || code == REPLY;
        return text(Api.call(scene.producer(), scene.cluster.broker, code, inWords ? fields : inLetters(fields), body));
    }

    static String text(RemotingCommand answer) {
        return "code=" + answer.getCode() + " " + answer.getRemark();
    }

    private static Map<String, String> inLetters(Map<String, String> fields) {
        Map<String, String> letters = new HashMap<>();
        fields.forEach((name, value) -> letters.put(String.valueOf((char) ('a' + NAMES.indexOf(name))), value));
        return letters;
    }

    /** Total, magic, CRC, flag, body and properties with their lengths. */
    private static byte[] oneOfABatch() {
        return ByteBuffer.allocate(23).putInt(23).putInt(0).putInt(0).putInt(0).putInt(1).put((byte) 'x').putShort((short) 0).array();
    }
}
