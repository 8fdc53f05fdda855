package compat;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

import org.apache.rocketmq.common.message.MessageClientExt;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Going back: groups moved in time by an administrator, live and offline, and what clients tell when they are asked. */
final class Seeking {
    private static final int UPDATE_CONSUMER_OFFSET = 15;
    /** Far more than lies between two sends: the offset for a time is that of the message stored nearest to it. */
    private static final long GAP_MS = 1_000;

    private Seeking() {
    }

    /** Both clients of a running group go back to a time. A client takes 10 s for it. */
    static void live(Scene scene) throws Exception {
        String topic = scene.topic();
        String group = scene.group("one");
        List<MessageQueue> queues = Scene.sorted(scene.createTopic(topic, 2));
        Inbox first = scene.consume("one", topic, "*");
        Inbox second = scene.consume("one", topic, "*");
        List<Inbox> both = List.of(first, second);
        scene.awaitRebalanced(List.of(first.consumer, second.consumer), "a queue each",
            () -> first.queues().size() == 1 && second.queues().size() == 1);
        List<String> early = send(scene, queues, "early", 10);
        long sent = System.currentTimeMillis();
        scene.await("some time", () -> System.currentTimeMillis() > sent + GAP_MS);
        List<String> late = send(scene, queues, "late", 10);
        List<String> all = new ArrayList<>(early);
        all.addAll(late);
        List<MessageExt> seen = Inbox.awaitExactly(both, all);
        both.forEach(Inbox::storeOffsets);
        scene.awaitStored(group, queues, 20);

        long from = Long.MAX_VALUE;
        for (MessageExt message : seen) {
            from = message.getKeys().startsWith("late") ? Math.min(from, message.getStoreTimestamp()) : from;
        }
        Admin admin = new Admin(scene);
        scene.observe("back to the time of the late ones", text(admin.reset(topic, group, from, true)));
        scene.await("the late ones a second time", () -> {
            Map<String, Integer> times = times(both);
            return late.stream().allMatch(key -> times.get(key) == 2);
        });
        Map<String, Integer> times = times(both);
        Check.that(early.stream().allMatch(key -> times.get(key) == 1), "the early ones once: " + times);
        both.forEach(Inbox::storeOffsets);
        scene.awaitStored(group, queues, 20);
        scene.observe("to the end, where they are", text(admin.reset(topic, group, -1, false)));
    }

    /** A group without clients is told so, and is moved queue by queue, as {@code mqadmin} does then. */
    static void offline(Scene scene) throws Exception {
        String topic = scene.topic();
        String group = scene.group("one");
        List<MessageQueue> queues = Scene.sorted(scene.createTopic(topic, 2));
        List<String> keys = send(scene, queues, "k", 10);
        Inbox before = scene.consume("one", topic, "*");
        List<MessageExt> seen = before.awaitExactly(keys);
        before.stop();
        scene.awaitStored(group, queues, 10);
        Admin admin = new Admin(scene);
        Throwable offline = scene.await("a group without clients", () -> {
            Throwable refused = Check.refused("reset", () -> admin.reset(topic, group, 0, true));
            return Text.observed(refused).contains("code=206") ? refused : null;
        });
        scene.observe("reset of a group that is not there", offline);

        MessageQueue one = queues.get(0);
        List<MessageExt> again = new ArrayList<>();
        for (MessageExt message : seen) {
            if (message.getQueueId() == one.getQueueId() && message.getQueueOffset() >= 2) {
                again.add(message);
            }
        }
        again.sort((a, b) -> Long.compare(a.getQueueOffset(), b.getQueueOffset()));
        long offset = scene.producer().searchOffset(one, again.get(0).getStoreTimestamp());
        // Messages of one millisecond are one to a search by time.
        Check.that(offset >= 1 && offset <= 3, "offset of the third message's time: " + offset);
        Api.call(scene.producer(), scene.cluster.broker, UPDATE_CONSUMER_OFFSET, Map.of("consumerGroup", group,
            "topic", topic, "queueId", Integer.toString(one.getQueueId()), "commitOffset", "2"), null);
        Check.equal(2L, scene.storedOffset(group, one), "offset set by hand");
        List<String> wanted = new ArrayList<>();
        again.forEach(message -> wanted.add(message.getKeys()));
        scene.consume("one", topic, "*").awaitExactly(wanted);
    }

    /** What the broker knows of a running group, and what its client says when it is asked. */
    static void clientsAsked(Scene scene) throws Exception {
        String topic = scene.topic();
        String group = scene.group("one");
        List<MessageQueue> queues = Scene.sorted(scene.createTopic(topic, 2));
        List<String> keys = send(scene, queues, "k", 6);
        Inbox inbox = scene.consume("one", topic, "*");
        List<MessageExt> seen = inbox.awaitExactly(keys);
        inbox.storeOffsets();
        scene.awaitStored(group, queues, 6);
        String client = inbox.consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getClientId();
        Admin admin = new Admin(scene);

        Object consumers = admin.consumers(group);
        members(scene, "203", consumers, client);
        scene.observe("203 group", Admin.get(consumers, "getConsumeType") + " " + Admin.get(consumers, "getMessageModel") + " "
            + Admin.get(consumers, "getConsumeFromWhere"));
        Map<?, ?> subscriptions = (Map<?, ?>) Admin.get(consumers, "getSubscriptionTable");
        for (Object subscribed : new TreeSet<Object>(subscriptions.keySet())) {
            Object data = subscriptions.get(subscribed);
            scene.observe("203 subscription", subscribed + " " + Admin.get(data, "getTopic") + " "
                + Admin.get(data, "getSubString") + " " + Admin.get(data, "getExpressionType"));
        }
        String producer = scene.producer().getDefaultMQProducerImpl().getmQClientFactory().getClientId();
        Object producers = scene.await("the producer's heartbeat", () -> admin.producers(scene.producer().getProducerGroup()));
        members(scene, "204", producers, producer);

        Map<MessageQueue, String> expected = new TreeMap<>();
        Map<MessageQueue, String> stands = new TreeMap<>();
        for (MessageExt message : seen) {
            if (message.getQueueOffset() == 2) {
                MessageQueue queue = new MessageQueue(topic, Cluster.BROKER, message.getQueueId());
                expected.put(queue, "3 3 " + message.getStoreTimestamp());
                stands.put(queue, "0 3 " + message.getStoreTimestamp());
            }
        }
        Map<MessageQueue, String> consumed = admin.consumed(group);
        consumed.keySet().removeIf(queue -> !queue.getTopic().equals(topic));
        Check.equal(expected, consumed, "208");
        Check.equal(stands, admin.topic(topic), "202");
        String times = admin.timeSpans(topic, group).get(queues.get(0));
        String[] time = times.split(" ");
        Check.that(time.length == 4 && time[1].equals(time[2]) && time[3].equals("0"), "303: " + times);
        Check.that(((Collection<?>) admin.groups(topic)).contains(group), "300 names the group");

        Map<MessageQueue, Long> here = Map.of(queues.get(0), 3L, queues.get(1), 3L);
        Check.equal(Map.of(client, here), admin.status(topic, group, ""), "223 of all");
        Check.equal(Map.of(client, here), admin.status(topic, group, client), "223 of one");
        Check.equal(Map.of(), admin.status(topic, group, "nobody"), "223 of nobody");

        Object info = admin.runningInfo(group, client);
        Collection<?> held = ((Map<?, ?>) Admin.get(info, "getMqTable")).keySet();
        Check.that(held.containsAll(queues), "307 queues: " + held);
        Check.that(String.valueOf(Admin.get(info, "getJstack")).contains("compat.Main"), "307 has the client's threads");

        MessageExt wanted = seen.get(0);
        String id = ((MessageClientExt) wanted).getOffsetMsgId();
        Object result = admin.consumeDirectly(group, client, topic, id);
        scene.observe("309", Admin.get(result, "getConsumeResult") + " order " + Admin.get(result, "isOrder"));
        MessageExt again = inbox.await(7, 30_000).get(6);
        Check.equal(wanted.getKeys(), again.getKeys(), "the message consumed directly");
        Check.equal(wanted.getQueueOffset(), again.getQueueOffset(), "its offset");
        Check.equalBytes(wanted.getBody(), again.getBody(), "its body");

        String other = scene.group("other");
        admin.cloneOffsets(group, other, topic);
        scene.awaitStored(other, queues, 6);
    }

    /** Groups, topics, clients and messages that are not there. */
    static void refused(Scene scene) throws Exception {
        String topic = scene.topic();
        String group = scene.group("none");
        scene.createTopic(topic, 1);
        String none = topic + "_none";
        Admin admin = new Admin(scene);
        scene.observe("222 of no topic", Check.refused("222", () -> admin.reset(none, group, 0, true)));
        scene.observe("222 of no group", Check.refused("222", () -> admin.reset(topic, group, 0, true)));
        scene.observe("223 of no group", code(Check.refused("223", () -> admin.status(topic, group, ""))));
        scene.observe("203 of no group", Check.refused("203", () -> admin.consumers(group)));
        scene.observe("204 of no group", Check.refused("204", () -> admin.producers(group)));
        scene.observe("202 of no topic", Check.refused("202", () -> admin.topic(none)));
        scene.observe("303 of no topic", Check.refused("303", () -> admin.timeSpans(none, group)));
        scene.observe("307 of no client", Check.refused("307", () -> admin.runningInfo(group, "nobody")));
        String id = scene.producer().send(Scene.message(topic, "T", "k")).getOffsetMsgId();
        scene.observe("309 of no client", Check.refused("309", () -> admin.consumeDirectly(group, "nobody", topic, id)));
        scene.observe("208 of no group", admin.consumed(group));
        scene.observe("300 of no topic", admin.groups(none));
        admin.cloneOffsets(group, scene.group("other"), topic);
        scene.observe("314 of no group", scene.storedOffset(scene.group("other"), new MessageQueue(topic, Cluster.BROKER, 0)));
        Inbox inbox = scene.consume("one", topic, "*");
        inbox.await(1, 30_000);
        String client = inbox.consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getClientId();
        String far = id.substring(0, 16) + "00000FFFFFFFFFFF";
        scene.observe("309 of no message",
            code(Check.refused("309", () -> admin.consumeDirectly(scene.group("one"), client, topic, far))));
    }

    private static void members(Scene scene, String step, Object connections, String client) throws Exception {
        Collection<?> members = (Collection<?>) Admin.get(connections, "getConnectionSet");
        Check.equal(1, members.size(), step + ": members");
        Object member = members.iterator().next();
        Check.equal(client, Admin.get(member, "getClientId"), step + ": client id");
        Check.that(String.valueOf(Admin.get(member, "getClientAddr")).startsWith("127.0.0.1:"), step + ": address");
        scene.observe(step + " member", Admin.get(member, "getLanguage") + " version " + Admin.get(member, "getVersion"));
    }

    private static List<String> send(Scene scene, List<MessageQueue> queues, String prefix, int count) throws Exception {
        List<String> keys = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            MessageQueue queue = queues.get(i % queues.size());
            scene.producer().send(Scene.message(queue.getTopic(), "T", prefix + i), queue);
            keys.add(prefix + i);
        }
        return keys;
    }

    private static Map<String, Integer> times(List<Inbox> inboxes) {
        Map<String, Integer> times = new TreeMap<>();
        inboxes.forEach(inbox -> inbox.keys().forEach(key -> times.merge(key, 1, Integer::sum)));
        return times;
    }

    private static String text(Map<MessageQueue, Long> offsets) {
        List<String> texts = new ArrayList<>();
        new TreeMap<>(offsets).forEach((queue, offset) -> texts.add(queue.getQueueId() + "=" + offset));
        Collections.sort(texts);
        return String.join(" ", texts);
    }

    /** Where Java stumbles over a null, its text is of no use to anybody. */
    private static String code(Throwable refused) {
        return Text.observed(refused).split(" ")[1];
    }
}
