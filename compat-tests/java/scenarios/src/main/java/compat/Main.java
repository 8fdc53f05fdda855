package compat;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

import org.apache.rocketmq.common.MQVersion;

/**
 * Runs named scenarios for the harness (compat-tests/src/client.rs), which drives it over lines on stdin and stdout.
 *
 * <pre>
 * in   CLUSTER name namesrv-addresses broker-address     a cluster that scenarios may be told to use
 *      RUN scenario cluster                              starts it on a thread of its own
 *      ANSWER id ok|failed text                          the answer to an ASK
 *      EXIT                                              also: end of input
 * out  READY version-of-the-client scenario,scenario,…   once, first
 *      ASK id scenario verb                              the cluster must be changed; the scenario waits
 *      RESULT scenario ok|failed milliseconds text       text: the observation, or what went wrong
 * </pre>
 *
 * Fields are parted by tabs and escaped ({@link Lines}). The clients' own prints go to stderr, never to stdout.
 * How many scenarios run at once is the harness's choice: each RUN gets a thread.
 */
public final class Main {
    private static final Map<String, Cluster> CLUSTERS = new ConcurrentHashMap<>();

    private Main() {
    }

    /** @param args the prefix of every topic and group of this process, so that several may share a cluster */
    public static void main(String[] args) throws Exception {
        Lines lines = new Lines(System.out);
        System.setOut(new PrintStream(System.err, true, StandardCharsets.UTF_8));
        String prefix = args[0];
        lines.write("READY", MQVersion.getVersionDesc(MQVersion.CURRENT_VERSION), String.join(",", Catalogue.names()));

        ExecutorService threads = Executors.newCachedThreadPool();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] fields = Lines.split(line);
            switch (fields[0]) {
                case "CLUSTER":
                    CLUSTERS.put(fields[1], new Cluster(fields[2], fields[3]));
                    break;
                case "RUN":
                    threads.execute(() -> run(lines, fields[1], CLUSTERS.get(fields[2]), prefix));
                    break;
                case "ANSWER":
                    lines.answered(fields[1], fields[2].equals("ok"), fields[3]);
                    break;
                case "EXIT":
                    System.exit(0);
                    break;
                default:
                    System.err.println("unknown command: " + line);
            }
        }
        System.exit(0);
    }

    private static void run(Lines lines, String name, Cluster cluster, String prefix) {
        Thread.currentThread().setName("scenario-" + name);
        long start = System.nanoTime();
        String verdict = "ok";
        String text;
        Scene scene = new Scene(name, cluster, prefix, lines);
        try {
            Catalogue.get(name).run(scene);
            text = scene.observation();
        } catch (Throwable failure) {
            verdict = "failed";
            text = Text.trace(failure) + scene.log();
        }
        long milliseconds = (System.nanoTime() - start) / 1_000_000;
        // Closed first: a scenario that is done has no client left that could disturb the next one.
        scene.close();
        lines.write("RESULT", name, verdict, Long.toString(milliseconds), text);
    }
}
