package compat.tools;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;

import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * A topic with six messages, a group that has consumed them, and {@code mqadmin}'s commands about both, one after the other.
 * For each the command line is printed behind {@code ## }, then what it printed. Argument: the name server's address.
 */
public final class Main {
    private static final String TOPIC = "ToolTopic";
    private static final String GROUP = "ToolGroup";
    private static final String PRODUCERS = "ToolProducers";
    private static final long LIMIT_MS = 60_000;
    private static final PrintStream OUT = System.out;

    private final String namesrv;
    private final AtomicInteger consumed = new AtomicInteger();

    private Main(String namesrv) {
        this.namesrv = namesrv;
    }

    public static void main(String[] arguments) throws Exception {
        new Main(arguments[0]).run();
        OUT.flush();
        System.exit(0); // the clients' threads
    }

    private void run() throws Exception {
        mqadmin("updateTopic", "-c", "DefaultCluster", "-t", TOPIC, "-r", "2", "-w", "2");
        mqadmin("updateSubGroup", "-c", "DefaultCluster", "-g", GROUP);
        DefaultMQProducer producer = new DefaultMQProducer(PRODUCERS);
        producer.setNamesrvAddr(namesrv);
        producer.setInstanceName("producer");
        producer.setHeartbeatBrokerInterval(500);
        producer.start();
        await("the topic's route", () -> producer.fetchPublishMessageQueues(TOPIC).size() == 2);
        SendResult first = null;
        for (int i = 0; i < 6; i++) {
            Message message = new Message(TOPIC, "TagA", "k" + i, ("body " + i).getBytes(StandardCharsets.UTF_8));
            SendResult result = producer.send(message, new MessageQueue(TOPIC, "broker-a", i % 2), 15_000);
            first = first == null ? result : first;
        }
        DefaultMQPushConsumer consumer = consumer();
        String client = consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getClientId();
        await("six messages", () -> consumed.get() >= 6);
        await("offsets, of the retry topic too", () -> {
            // By itself it looks for new topics every 20 s.
            consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().rebalanceImmediately();
            consumer.getDefaultMQPushConsumerImpl().persistConsumerOffset();
            String progress = text("consumerProgress", "-g", GROUP);
            return progress.contains("%RETRY%") && progress.contains("Diff Total: 0");
        });
        await("heartbeats", () -> text("producerConnection", "-g", PRODUCERS, "-t", TOPIC).contains("0001"));

        mqadmin("topicStatus", "-t", TOPIC);
        mqadmin("topicRoute", "-t", TOPIC);
        mqadmin("consumerProgress", "-g", GROUP);
        mqadmin("consumerProgress", "-g", GROUP, "-s", "true");
        mqadmin("consumerConnection", "-g", GROUP);
        mqadmin("producerConnection", "-g", PRODUCERS, "-t", TOPIC);
        mqadmin("consumerStatus", "-g", GROUP, "-i", client);
        mqadmin("getConsumerStatus", "-g", GROUP, "-t", TOPIC);
        mqadmin("queryMsgById", "-i", first.getOffsetMsgId());
        mqadmin("queryMsgById", "-i", first.getOffsetMsgId(), "-g", GROUP, "-d", client);
        mqadmin("queryMsgByKey", "-t", TOPIC, "-k", "k3");
        mqadmin("queryMsgByUniqueKey", "-t", TOPIC, "-i", first.getMsgId());
        mqadmin("queryMsgByUniqueKey", "-t", TOPIC, "-i", first.getMsgId(), "-g", GROUP, "-d", client);
        mqadmin("queryMsgByOffset", "-t", TOPIC, "-b", "broker-a", "-i", "0", "-o", "1");
        mqadmin("sendMsgStatus", "-b", "broker-a", "-s", "64", "-c", "2");
        mqadmin("sendMessage", "-t", TOPIC, "-p", "by hand", "-k", "hand", "-b", "broker-a", "-i", "1");
        mqadmin("resetOffsetByTime", "-g", GROUP, "-t", TOPIC, "-s", "0");
        mqadmin("resetOffsetByTime", "-g", GROUP, "-t", "NoTopic", "-s", "0");
        mqadmin("cloneGroupOffset", "-s", GROUP, "-d", "ToolClone", "-t", TOPIC, "-o", "true");
        consumer.shutdown();
        await("the end of the group", () -> text("consumerConnection", "-g", GROUP).contains("not online"));
        mqadmin("consumerConnection", "-g", GROUP);
        mqadmin("consumerStatus", "-g", GROUP);
        mqadmin("getConsumerStatus", "-g", GROUP, "-t", TOPIC);
        mqadmin("resetOffsetByTime", "-g", GROUP, "-t", TOPIC, "-s", "0");
        mqadmin("consumerProgress", "-g", GROUP);
        mqadmin("resetOffsetByTime", "-g", GROUP, "-t", TOPIC, "-s", "-1");
        mqadmin("consumerProgress", "-g", GROUP);
        mqadmin("consumeMessage", "-t", TOPIC, "-b", "broker-a", "-i", "0", "-o", "1", "-c", "1");
        mqadmin("printMsgByQueue", "-t", TOPIC, "-a", "broker-a", "-i", "1", "-p", "true", "-d", "true");
        mqadmin("queryMsgById", "-i", first.getOffsetMsgId(), "-s", "true");
        mqadmin("deleteSubGroup", "-c", "DefaultCluster", "-g", GROUP);
        mqadmin("deleteTopic", "-c", "DefaultCluster", "-t", TOPIC);
        producer.shutdown();
    }

    private DefaultMQPushConsumer consumer() throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(GROUP);
        consumer.setNamesrvAddr(namesrv);
        consumer.setInstanceName("consumer");
        consumer.setPollNameServerInterval(500);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(TOPIC, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            consumed.addAndGet(messages.size());
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        return consumer;
    }

    private void mqadmin(String... command) throws Exception {
        String text = text(command);
        OUT.println("## " + String.join(" ", command));
        OUT.println(text);
    }

    /** What a command prints, on both streams. */
    private String text(String... command) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        PrintStream stream = new PrintStream(bytes, true, StandardCharsets.UTF_8);
        PrintStream err = System.err;
        System.setOut(stream);
        System.setErr(stream);
        try {
            String[] all = Arrays.copyOf(command, command.length + 2);
            all[command.length] = "-n";
            all[command.length + 1] = namesrv;
            MQAdminStartup.main0(all, null);
        } finally {
            System.setOut(OUT);
            System.setErr(err);
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    private static void await(String what, Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + LIMIT_MS * 1_000_000;
        Exception last = null;
        while (System.nanoTime() < end) {
            try {
                if (condition.call()) {
                    return;
                }
            } catch (Exception notYet) {
                last = notYet;
            }
            Thread.sleep(20);
        }
        throw new IllegalStateException("waited " + LIMIT_MS + " ms for " + what, last);
    }
}
