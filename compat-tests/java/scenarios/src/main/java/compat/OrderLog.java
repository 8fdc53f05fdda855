package compat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * What the orderly consumers of one group did. Messages carry their number in their queue, from 0. Held at every message:
 * no queue is worked on by two consumers at once, none is left out, and it only goes back where a queue has changed hands
 * (what was under way may come again then).
 */
final class OrderLog {
    private static final String NUMBER = "number";
    /** Queue → the highest number seen. */
    private final Map<Integer, Integer> last = new TreeMap<>();
    private final Map<Integer, String> holder = new HashMap<>();
    private final Map<Integer, String> busy = new HashMap<>();
    private final List<String> wrong = new ArrayList<>();

    static Message numbered(String topic, int queue, int number) {
        Message message = Scene.message(topic, "T", "q" + queue + "n" + number);
        message.putUserProperty(NUMBER, Integer.toString(number));
        return message;
    }

    MessageListenerOrderly listener(String who) {
        return (messages, context) -> {
            for (MessageExt message : messages) {
                begin(who, message.getQueueId(), Integer.parseInt(message.getUserProperty(NUMBER)));
                Thread.yield();
                end(message.getQueueId());
            }
            return ConsumeOrderlyStatus.SUCCESS;
        };
    }

    private synchronized void begin(String who, int queue, int number) {
        String other = busy.put(queue, who);
        int seen = last.getOrDefault(queue, -1);
        if (other != null) {
            wrong.add(who + " works on queue " + queue + " beside " + other);
        }
        if (number > seen + 1) {
            wrong.add(who + " got " + number + " of queue " + queue + " after " + seen);
        }
        if (number <= seen && who.equals(holder.get(queue))) {
            wrong.add(who + " got " + number + " of queue " + queue + " again, after " + seen);
        }
        last.put(queue, Math.max(seen, number));
        // A new holder may begin with what the old one had under way; from its first new message on it is the holder.
        if (number > seen) {
            holder.put(queue, who);
        }
    }

    private synchronized void end(int queue) {
        busy.remove(queue);
    }

    /** The highest number seen of each queue. */
    synchronized Map<Integer, Integer> seen() {
        return new TreeMap<>(last);
    }

    synchronized void check() {
        Check.that(wrong.isEmpty(), "order: " + wrong);
    }
}
