package compat;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

import org.apache.rocketmq.client.impl.MQClientAPIImpl;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * What {@code mqadmin} asks of brokers, through the client's own calls. The classes of the answers moved to other packages
 * in 5.x, so the answers are read by the names of their getters.
 */
final class Admin {
    private static final long LIMIT_MS = 15_000;

    private final Scene scene;

    Admin(Scene scene) {
        this.scene = scene;
    }

    /** 222 */
    Map<MessageQueue, Long> reset(String topic, String group, long timestamp, boolean force) throws Exception {
        return cast(call("invokeBrokerToResetOffset", broker(), topic, group, timestamp, force, LIMIT_MS));
    }

    /** 223: offset by queue, by client. */
    Map<String, Map<MessageQueue, Long>> status(String topic, String group, String client) throws Exception {
        return cast(call("invokeBrokerToGetConsumerStatus", broker(), topic, group, client, LIMIT_MS));
    }

    /** 208: the fields of each queue. */
    Map<MessageQueue, String> consumed(String group) throws Exception {
        Object stats = call("getConsumeStats", broker(), group, LIMIT_MS);
        return byQueue(get(stats, "getOffsetTable"), "getBrokerOffset", "getConsumerOffset", "getLastTimestamp");
    }

    /** 202: the fields of each queue. */
    Map<MessageQueue, String> topic(String topic) throws Exception {
        Object stats = call("getTopicStatsInfo", broker(), topic, LIMIT_MS);
        return byQueue(get(stats, "getOffsetTable"), "getMinOffset", "getMaxOffset", "getLastUpdateTimestamp");
    }

    /** 203 */
    Object consumers(String group) throws Exception {
        return call("getConsumerConnectionList", broker(), group, LIMIT_MS);
    }

    /** 204 */
    Object producers(String group) throws Exception {
        return call("getProducerConnectionList", broker(), group, LIMIT_MS);
    }

    /** 307 */
    Object runningInfo(String group, String client) throws Exception {
        return call("getConsumerRunningInfo", broker(), group, client, true, LIMIT_MS);
    }

    /** 309; 5.x names the topic too. */
    Object consumeDirectly(String group, String client, String topic, String msgId) throws Exception {
        String name = "consumeMessageDirectly";
        return find(name, 5) == null ? call(name, broker(), group, client, topic, msgId, LIMIT_MS)
            : call(name, broker(), group, client, msgId, LIMIT_MS);
    }

    /** 300 */
    Object groups(String topic) throws Exception {
        return get(call("queryTopicConsumeByWho", broker(), topic, LIMIT_MS), "getGroupList");
    }

    /** 303: the fields of each queue. */
    Map<MessageQueue, String> timeSpans(String topic, String group) throws Exception {
        Map<MessageQueue, Object> spans = new HashMap<>();
        for (Object span : (Iterable<?>) call("queryConsumeTimeSpan", broker(), topic, group, LIMIT_MS)) {
            spans.put((MessageQueue) get(span, "getMessageQueue"), span);
        }
        return byQueue(spans, "getMinTimeStamp", "getMaxTimeStamp", "getConsumeTimeStamp", "getDelayTime");
    }

    /** 314 */
    void cloneOffsets(String from, String to, String topic) throws Exception {
        call("cloneGroupOffset", broker(), from, to, topic, true, LIMIT_MS);
    }

    /** One property of an answer. */
    static Object get(Object bean, String getter) throws Exception {
        return bean.getClass().getMethod(getter).invoke(bean);
    }

    private static Map<MessageQueue, String> byQueue(Object table, String... getters) throws Exception {
        Map<MessageQueue, String> texts = new TreeMap<>();
        for (Map.Entry<?, ?> entry : ((Map<?, ?>) table).entrySet()) {
            StringBuilder text = new StringBuilder();
            for (String getter : getters) {
                text.append(text.length() == 0 ? "" : " ").append(get(entry.getValue(), getter));
            }
            texts.put((MessageQueue) entry.getKey(), text.toString());
        }
        return texts;
    }

    private String broker() {
        return scene.cluster.broker;
    }

    private Object call(String name, Object... arguments) throws Exception {
        DefaultMQProducer asking = scene.producer();
        Method method = find(name, arguments.length);
        Check.that(method != null, "this client has no " + name + " that is known here");
        try {
            return method.invoke(Api.calls(asking), arguments);
        } catch (InvocationTargetException thrown) {
            if (thrown.getCause() instanceof Exception) {
                throw (Exception) thrown.getCause();
            }
            throw thrown;
        }
    }

    /** The method of that name that takes so many values, strings among them where there is a choice. */
    private static Method find(String name, int arguments) {
        Method found = null;
        for (Method method : MQClientAPIImpl.class.getMethods()) {
            boolean fits = method.getName().equals(name) && method.getParameterCount() == arguments;
            if (fits && method.getParameterTypes()[0] == String.class) {
                found = method;
            }
        }
        return found;
    }

    @SuppressWarnings("unchecked")
    private static <T> T cast(Object answer) {
        return (T) answer;
    }
}
