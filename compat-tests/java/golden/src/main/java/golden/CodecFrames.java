package golden;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.protocol.RequestCode;
import org.apache.rocketmq.common.protocol.ResponseCode;
import org.apache.rocketmq.common.protocol.body.LockBatchRequestBody;
import org.apache.rocketmq.common.protocol.body.ResetOffsetBody;
import org.apache.rocketmq.common.protocol.header.CheckTransactionStateRequestHeader;
import org.apache.rocketmq.common.protocol.header.ConsumerSendMsgBackRequestHeader;
import org.apache.rocketmq.common.protocol.header.EndTransactionRequestHeader;
import org.apache.rocketmq.common.protocol.header.NotifyConsumerIdsChangedRequestHeader;
import org.apache.rocketmq.common.protocol.header.ReplyMessageRequestHeader;
import org.apache.rocketmq.common.protocol.header.ResetOffsetRequestHeader;
import org.apache.rocketmq.common.protocol.header.SendMessageRequestHeader;
import org.apache.rocketmq.common.protocol.header.SendMessageRequestHeaderV2;
import org.apache.rocketmq.remoting.CommandCustomHeader;
import org.apache.rocketmq.remoting.protocol.LanguageCode;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/** Frames that need no server: the header's corners, and requests as the client builds them. */
final class CodecFrames {
    static final long BORN_MS = 1_600_000_000_123L;
    static final String UNICODE = "größe 消息 ключ 😀";

    private CodecFrames() {
    }

    static void addAll(Frames frames) {
        headerCorners(frames);
        sends(frames);
        fromBrokerToClient(frames);
        oneWays(frames);
    }

    static RemotingCommand request(int code, int opaque, CommandCustomHeader header) {
        RemotingCommand command = RemotingCommand.createRequestCommand(code, header);
        command.setOpaque(opaque);
        return command;
    }

    private static RemotingCommand reply(int code, String remark, int opaque) {
        RemotingCommand command = RemotingCommand.createResponseCommand(code, remark);
        command.setOpaque(opaque);
        return command;
    }

    private static void headerCorners(Frames frames) {
        frames.codec("bare_request", request(106, 0, null));
        frames.codec("bare_reply", reply(0, null, 0));
        frames.codec("reply_with_plain_remark", reply(1, "broker busy", 7));
        frames.codec("reply_with_quotes_newline_tab_backslash_in_remark",
            reply(1, "he said \"no\"\nline 2\r\n\tC:\\path / \u0001\u0002\u001f\u007f", 8));
        frames.codec("reply_with_unicode_remark", reply(ResponseCode.TOPIC_NOT_EXIST, "topic[" + UNICODE + "] not exist", 9));
        frames.codec("reply_with_line_separator_remark", reply(1, "a\u2028b\u2029c\u0085d\ufeffe", 10));
        frames.codec("reply_with_empty_remark", reply(0, "", 11));
        frames.codec("opaque_max", request(106, Integer.MAX_VALUE, null));
        frames.codec("opaque_negative", request(106, Integer.MIN_VALUE, null));
        frames.codec("code_unknown", request(32767, 12, null));

        RemotingCommand emptyMap = request(106, 13, null);
        emptyMap.setExtFields(new HashMap<String, String>());
        frames.codec("ext_fields_empty_map", emptyMap);

        RemotingCommand oddMap = request(106, 14, null);
        oddMap.addExtField("", "empty key");
        oddMap.addExtField("empty value", "");
        oddMap.addExtField("nothing", null);
        oddMap.addExtField("quotes\"\n\\", "\u0000\u0001\u0002 \"x\" \\ / \b\f\n\r\t");
        oddMap.addExtField(UNICODE, UNICODE);
        frames.codec("ext_fields_odd", oddMap);

        for (LanguageCode language : LanguageCode.values()) {
            RemotingCommand command = request(34, 20 + language.getCode(), null);
            command.setLanguage(language);
            command.setVersion(language.getCode());
            frames.codec("language_" + language.name().toLowerCase(), command);
        }

        RemotingCommand oneWay = request(106, 15, null);
        oneWay.markOnewayRPC();
        frames.codec("one_way_flag", oneWay);
        RemotingCommand both = reply(0, null, 16);
        both.markOnewayRPC();
        frames.codec("reply_and_one_way_flags", both);
        RemotingCommand body = request(106, 17, null);
        body.setBody(new byte[] {0});
        frames.codec("one_byte_body", body);
        RemotingCommand noBody = request(106, 18, null);
        noBody.setBody(new byte[0]);
        frames.codec("zero_byte_body", noBody);
    }

    /** What DefaultMQProducerImpl and MQClientAPIImpl fill in before they send. */
    static SendMessageRequestHeader sendHeader(String topic, int queueId, Map<String, String> properties) {
        SendMessageRequestHeader header = new SendMessageRequestHeader();
        header.setProducerGroup("golden_producer");
        header.setTopic(topic);
        header.setDefaultTopic("TBW102");
        header.setDefaultTopicQueueNums(4);
        header.setQueueId(queueId);
        header.setSysFlag(0);
        header.setBornTimestamp(BORN_MS);
        header.setFlag(0);
        header.setProperties(MessageDecoder.messageProperties2String(properties));
        header.setReconsumeTimes(0);
        header.setUnitMode(false);
        header.setBatch(false);
        return header;
    }

    static RemotingCommand sendV2(SendMessageRequestHeader header, byte[] body) {
        RemotingCommand command = request(RequestCode.SEND_MESSAGE_V2, 0,
            SendMessageRequestHeaderV2.createSendMessageRequestHeaderV2(header));
        command.setBody(body);
        return command;
    }

    static Map<String, String> properties(String... pairs) {
        Map<String, String> map = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            map.put(pairs[i], pairs[i + 1]);
        }
        return map;
    }

    static List<Message> batchOfThree(String topic) {
        List<Message> messages = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Message message = new Message(topic, i == 1 ? null : "TagB", "batch-" + i, ("batch body " + i + (i == 2 ? UNICODE : ""))
                .getBytes(StandardCharsets.UTF_8));
            message.setFlag(i);
            message.setWaitStoreMsgOK(true);
            MessageAccessor.putProperty(message, "UNIQ_KEY", "0A000001B0B018B4AAC20000000000" + "1" + i);
            messages.add(message);
        }
        return messages;
    }

    static List<Object> batchFacts(List<Message> messages) {
        List<Object> facts = new ArrayList<>();
        for (Message message : messages) {
            Map<String, Object> fact = new LinkedHashMap<>();
            fact.put("flag", message.getFlag());
            fact.put("bodyHex", Text.hex(message.getBody()));
            fact.put("properties", new TreeMap<>(message.getProperties()));
            facts.add(fact);
        }
        return facts;
    }

    static RemotingCommand batchRequest(String topic) {
        SendMessageRequestHeader header = sendHeader(topic, 1, properties("WAIT", "true"));
        header.setBatch(true);
        RemotingCommand command = request(RequestCode.SEND_BATCH_MESSAGE, 0,
            SendMessageRequestHeaderV2.createSendMessageRequestHeaderV2(header));
        command.setBody(MessageDecoder.encodeMessages(batchOfThree(topic)));
        return command;
    }

    private static void sends(Frames frames) {
        SendMessageRequestHeader plain = sendHeader("GoldenTopic", 2, properties("KEYS", "order-1", "UNIQ_KEY",
            "0A000001B0B018B4AAC2000000000001", "WAIT", "true", "TAGS", "TagA"));
        RemotingCommand v1 = request(RequestCode.SEND_MESSAGE, 30, plain);
        v1.setBody("hello".getBytes(StandardCharsets.UTF_8));
        frames.codec("send_v1_request", v1);

        SendMessageRequestHeader rich = sendHeader("GoldenTopic", 0, properties("KEYS", "alpha beta " + UNICODE, "UNIQ_KEY",
            "0A000001B0B018B4AAC2000000000002", "WAIT", "false", "TAGS", "标签", "quote", "a \"quoted\" \\ value", "DELAY", "3"));
        rich.setFlag(-1);
        rich.setMaxReconsumeTimes(5);
        RemotingCommand v2 = sendV2(rich, UNICODE.getBytes(StandardCharsets.UTF_8));
        v2.setOpaque(31);
        frames.codec("send_v2_request", v2);

        SendMessageRequestHeader none = sendHeader("GoldenTopic", -1, new HashMap<String, String>());
        none.setProperties(null);
        none.setReconsumeTimes(null);
        RemotingCommand bare = sendV2(none, new byte[] {(byte) 0xff});
        bare.setOpaque(32);
        frames.codec("send_v2_request_without_properties", bare);

        RemotingCommand batch = batchRequest("GoldenTopic");
        batch.setOpaque(33);
        frames.codec("send_batch_request", batch).put("batch", batchFacts(batchOfThree("GoldenTopic")));

        ConsumerSendMsgBackRequestHeader back = new ConsumerSendMsgBackRequestHeader();
        back.setGroup("golden_consumer");
        back.setOriginTopic("GoldenTopic");
        back.setOffset(4242L);
        back.setDelayLevel(3);
        back.setOriginMsgId("7F00000100002A9F0000000000000000");
        back.setMaxReconsumeTimes(16);
        frames.codec("send_back_request", request(RequestCode.CONSUMER_SEND_MSG_BACK, 34, back));

        EndTransactionRequestHeader end = new EndTransactionRequestHeader();
        end.setProducerGroup("golden_producer");
        end.setTranStateTableOffset(5L);
        end.setCommitLogOffset(1234L);
        end.setCommitOrRollback(8);
        end.setFromTransactionCheck(true);
        end.setMsgId("7F00000100002A9F00000000000004D2");
        end.setTransactionId("0A000001B0B018B4AAC2000000000003");
        RemotingCommand endCommand = request(RequestCode.END_TRANSACTION, 35, end);
        endCommand.markOnewayRPC();
        frames.codec("end_transaction_request", endCommand);

        LockBatchRequestBody lock = new LockBatchRequestBody();
        lock.setConsumerGroup("golden_consumer");
        lock.setClientId("10.0.0.1@1");
        lock.getMqSet().add(new MessageQueue("GoldenTopic", "broker-a", 0));
        lock.getMqSet().add(new MessageQueue("GoldenTopic", "broker-a", 1));
        RemotingCommand lockCommand = request(RequestCode.LOCK_BATCH_MQ, 36, null);
        lockCommand.setBody(lock.encode());
        frames.codec("lock_batch_request", lockCommand);
    }

    /** Calls a broker makes on a client's connection. */
    private static void fromBrokerToClient(Frames frames) {
        CheckTransactionStateRequestHeader check = new CheckTransactionStateRequestHeader();
        check.setCommitLogOffset(1234L);
        check.setTranStateTableOffset(5L);
        check.setMsgId("0A000001B0B018B4AAC2000000000003");
        check.setTransactionId("0A000001B0B018B4AAC2000000000003");
        check.setOffsetMsgId("7F00000100002A9F00000000000004D2");
        RemotingCommand checkCommand = request(RequestCode.CHECK_TRANSACTION_STATE, 40, check);
        checkCommand.markOnewayRPC();
        frames.codec("check_transaction_state_request", checkCommand);

        ResetOffsetRequestHeader reset = new ResetOffsetRequestHeader();
        reset.setTopic("GoldenTopic");
        reset.setGroup("golden_consumer");
        reset.setTimestamp(BORN_MS);
        reset.setForce(true);
        ResetOffsetBody offsets = new ResetOffsetBody();
        Map<MessageQueue, Long> table = new LinkedHashMap<>();
        table.put(new MessageQueue("GoldenTopic", "broker-a", 0), 11L);
        table.put(new MessageQueue("GoldenTopic", "broker-a", 1), Long.MAX_VALUE);
        offsets.setOffsetTable(table);
        RemotingCommand resetCommand = request(RequestCode.RESET_CONSUMER_CLIENT_OFFSET, 41, reset);
        resetCommand.setBody(offsets.encode());
        frames.codec("reset_client_offset_request", resetCommand);

        ReplyMessageRequestHeader push = new ReplyMessageRequestHeader();
        push.setProducerGroup("golden_producer");
        push.setTopic("GoldenCluster_REPLY_TOPIC");
        push.setDefaultTopic("TBW102");
        push.setDefaultTopicQueueNums(1);
        push.setQueueId(0);
        push.setSysFlag(0);
        push.setBornTimestamp(BORN_MS);
        push.setFlag(0);
        push.setProperties(MessageDecoder.messageProperties2String(properties("CORRELATION_ID", "c-1", "REPLY_TO_CLIENT", "10.0.0.1@1")));
        push.setReconsumeTimes(0);
        push.setUnitMode(false);
        push.setBornHost("/10.0.0.2:4000");
        push.setStoreHost("/10.0.0.1:10911");
        push.setStoreTimestamp(BORN_MS + 1);
        RemotingCommand pushCommand = request(RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT, 42, push);
        pushCommand.setBody("reply".getBytes(StandardCharsets.UTF_8));
        frames.codec("push_reply_request", pushCommand);
    }

    private static void oneWays(Frames frames) {
        NotifyConsumerIdsChangedRequestHeader notice = new NotifyConsumerIdsChangedRequestHeader();
        notice.setConsumerGroup(UNICODE);
        RemotingCommand command = request(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, 43, notice);
        command.markOnewayRPC();
        frames.codec("consumer_ids_changed_notice", command);
        RemotingCommand longBody = request(RequestCode.SEND_MESSAGE_V2, 44, null);
        byte[] pattern = new byte[300];
        for (int i = 0; i < pattern.length; i++) {
            pattern[i] = (byte) i;
        }
        longBody.setBody(Arrays.copyOf(pattern, pattern.length));
        frames.codec("binary_body_of_300_bytes", longBody);
    }
}
