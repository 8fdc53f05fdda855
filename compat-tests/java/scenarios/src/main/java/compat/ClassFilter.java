package compat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.remoting.exception.RemotingTimeoutException;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/**
 * Filters that are Java classes. A filter server makes itself known to the broker (301), the broker to the name servers, and
 * they to the clients, which hand it their source (302) and pull through it. Our broker takes none: what starts them in Java
 * is the hole of CVE-2023-33246.
 */
final class ClassFilter {
    private static final int REGISTER_FILTER_SERVER = 301;
    private static final int REGISTER_MESSAGE_FILTER_CLASS = 302;
    private static final String SOURCE = "package compat; public class Wanted { }";

    private ClassFilter() {
    }

    /** A consumer with a class goes where the route says, and that is nowhere; who has no class is not touched by it. */
    static void refused(Scene scene) throws Exception {
        String topic = scene.topic();
        scene.createTopic(topic, 1);
        List<String> keys = scene.send(topic, "T", "k", 5);
        try (ServerSocket filterServer = new ServerSocket(0, 50, InetAddress.getByName("127.0.0.1"))) {
            CountDownLatch asked = new CountDownLatch(1);
            new Thread(() -> hangUp(filterServer, asked)).start();
            String addr = "127.0.0.1:" + filterServer.getLocalPort();
            RemotingCommand answer = call(scene, REGISTER_FILTER_SERVER, Map.of("filterServerAddr", addr));
            Object connection = Api.connection(scene.producer(), scene.cluster.broker);
            boolean taken = answer.getCode() == 0;
            scene.observe("301", RawSend.text(answer));
            // The broker tells the name servers of a topic, and with it of filter servers.
            String told = scene.topic("told");
            scene.createTopic(told, 1);
            scene.await("the route as it is to be", () -> scene.route(told).contains(addr) == taken);
            scene.observe("the route has the filter server", taken);
            Inbox filtered = scene.consume("filtered", topic, "*", consumer -> {
                try {
                    consumer.subscribe(topic, "compat.Wanted", SOURCE);
                } catch (MQClientException refused) {
                    throw new IllegalStateException(refused);
                }
            });
            filtered.awaitQueues(1, 45_000);
            scene.consume("plain", topic, "*").awaitExactly(keys);
            scene.observe("the consumer goes to the filter server", taken ? goesThere(scene, addr, asked) : asked.getCount() == 0);
            Check.equal(List.of(), filtered.keys(), "messages without a filter server that works");
            Check.that(connection == Api.connection(scene.producer(), scene.cluster.broker), "the connection is another one");
        }
        // A client closes a connection on which it has waited in vain.
        try {
            scene.observe("302", RawSend.text(call(scene, REGISTER_MESSAGE_FILTER_CLASS, Map.of("consumerGroup", scene.group("filtered"),
                "topic", topic, "className", "compat.Wanted", "classCRC", "0"))));
        } catch (RemotingTimeoutException unanswered) {
            scene.observe("302", "no answer");
        }
    }

    /**
     * Waits for the consumer. It goes to any one of the filter servers in the route, those of other clients too, and tries
     * again after some seconds; the broker forgets one, and closes its connection, 30 s after it last made itself known.
     */
    private static boolean goesThere(Scene scene, String addr, CountDownLatch asked) throws Exception {
        for (int i = 0; i < 15; i++) {
            if (asked.await(5, TimeUnit.SECONDS)) {
                return true;
            }
            call(scene, REGISTER_FILTER_SERVER, Map.of("filterServerAddr", addr));
        }
        return false;
    }

    private static RemotingCommand call(Scene scene, int code, Map<String, String> fields) throws Exception {
        return Api.call(scene.producer(), scene.cluster.broker, code, fields, SOURCE.getBytes(StandardCharsets.UTF_8), 5_000);
    }

    /** A filter server that ends every connection, so that nobody waits for it. */
    private static void hangUp(ServerSocket server, CountDownLatch asked) {
        try {
            while (true) {
                server.accept().close();
                asked.countDown();
            }
        } catch (IOException over) {
            // The scenario has closed it.
        }
    }
}
