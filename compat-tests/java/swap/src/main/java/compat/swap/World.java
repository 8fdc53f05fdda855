package compat.swap;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.atomic.AtomicInteger;

import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * One store directory, seen from its clients: where its broker listens, what was sent, what each group has had. The
 * producer lives on while brokers come and go; it is also asked for the fate of its transactions.
 */
final class World {
    /** A condition that has not come true after this long never will. */
    private static final long WAIT_LIMIT_MS = 45_000;
    private static final long POLL_MS = 10;
    private static final long WORTH_A_NOTE_MS = 500;
    private static final AtomicInteger INSTANCES = new AtomicInteger();
    /** User property of a half message: what the producer answers when it is asked. */
    static final String FATE = "fate";

    final String name;
    final String namesrv;
    final String broker;
    final TransactionMQProducer producer;
    final Wire wire;

    /** Topics with their number of queues, in the order they were made. */
    final Map<String, Integer> topics = new TreeMap<>();
    /** What was sent, by UNIQ_KEY. */
    final Map<String, Message> sent = new ConcurrentHashMap<>();
    /** Lookups by key: {@code topic#key}. */
    final Set<String> keys = new ConcurrentSkipListSet<>();
    /** Per group, the next offset of each {@code topic/queue}. */
    final Map<String, Map<String, Long>> consumed = new ConcurrentSkipListMap<>();
    /** Keys of delayed messages: on their way, and delivered before a swap. */
    final List<String> delayedPending = new ArrayList<>();
    final List<String> delayedDelivered = new ArrayList<>();
    /** Keys of messages that a consumer gave back. */
    final List<String> givenBack = new ArrayList<>();
    /** Keys of transactions, by what becomes of them. */
    final List<String> committed = new ArrayList<>();
    final List<String> rolledBack = new ArrayList<>();
    final List<String> commitOnCheck = new ArrayList<>();
    final List<String> rollBackOnCheck = new ArrayList<>();
    final List<String> commitLate = new ArrayList<>();
    /** Keys that a broker asked about. */
    final Set<String> checked = ConcurrentHashMap.newKeySet();
    /** Whose broker has the store. */
    boolean servedByJava;
    /** What clients saw last. */
    Map<String, String> kept = new TreeMap<>();

    World(String name, String namesrv, String broker) throws Exception {
        this.name = name;
        this.namesrv = namesrv;
        this.broker = broker;
        producer = new TransactionMQProducer("P_swap");
        instance(producer);
        producer.setSendMsgTimeout(15_000);
        producer.setTransactionListener(new Fates());
        producer.start();
        wire = new Wire(producer, broker);
    }

    void instance(ClientConfig client) {
        client.setNamesrvAddr(namesrv);
        client.setInstanceName(name + "-" + INSTANCES.incrementAndGet());
        client.setPollNameServerInterval(1_000);
        client.setHeartbeatBrokerInterval(1_000);
        client.setPersistConsumerOffsetInterval(1_000);
    }

    /** Waits until {@code condition} gives true; an exception means "not yet" and is in the report when time is up. */
    void await(String what, Callable<Boolean> condition) throws Exception {
        long start = System.nanoTime();
        awaitUntil(start + WAIT_LIMIT_MS * 1_000_000, what, condition);
        long milliseconds = (System.nanoTime() - start) / 1_000_000;
        if (milliseconds > WORTH_A_NOTE_MS) {
            System.err.println(name + ": waited " + milliseconds + " ms for " + what);
        }
    }

    private void awaitUntil(long end, String what, Callable<Boolean> condition) throws Exception {
        Exception last = null;
        do {
            try {
                if (condition.call()) {
                    return;
                }
                last = null;
            } catch (Exception notYet) {
                last = notYet;
            }
            Thread.sleep(POLL_MS);
        } while (System.nanoTime() < end);
        throw new Difference("waited " + WAIT_LIMIT_MS + " ms for: " + what + (last == null ? "" : "; last seen: " + last));
    }

    /** The producer's side of its transactions: the fate is written on the message. */
    private final class Fates implements TransactionListener {
        @Override
        public LocalTransactionState executeLocalTransaction(Message message, Object state) {
            return (LocalTransactionState) state;
        }

        @Override
        public LocalTransactionState checkLocalTransaction(MessageExt message) {
            checked.add(message.getKeys());
            return LocalTransactionState.valueOf(message.getUserProperty(FATE));
        }
    }
}
