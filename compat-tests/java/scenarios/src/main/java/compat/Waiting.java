package compat;

import java.util.ArrayList;
import java.util.List;

import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Whether a sender waits for the disk and the slave ({@code WAIT}). The broker here syncs each message and is the master of a
 * slave that is not there: who waits is told so, and the message is stored all the same.
 */
final class Waiting {
    private Waiting() {
    }

    static void orNot(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        DefaultMQProducer producer = scene.producer();
        Inbox inbox = scene.consume("one", topic, "*");
        List<String> keys = new ArrayList<>();
        for (boolean wait : new boolean[] {true, false}) {
            String which = wait ? "waits" : "does not wait";
            scene.observe(which, producer.send(message(topic, "plain " + which, wait, keys)).getSendStatus());
            List<Message> batch = List.of(message(topic, "first " + which, wait, keys), message(topic, "second " + which, wait, keys));
            scene.observe(which + ", a batch", producer.send(batch).getSendStatus());
            Message delayed = message(topic, "delayed " + which, wait, keys);
            delayed.setDelayTimeLevel(1);
            scene.observe(which + ", delayed", producer.send(delayed).getSendStatus());
            producer.sendOneway(message(topic, "one-way " + which, wait, keys));
        }
        List<MessageExt> all = inbox.awaitExactly(keys);
        all.sort((a, b) -> a.getKeys().compareTo(b.getKeys()));
        for (MessageExt got : all) {
            scene.observe("WAIT of " + got.getKeys(), got.getProperty("WAIT"));
        }
    }

    private static Message message(String topic, String key, boolean wait, List<String> keys) {
        Message message = Scene.message(topic, "T", key.replace(' ', '-'));
        message.setWaitStoreMsgOK(wait);
        keys.add(message.getKeys());
        return message;
    }
}
