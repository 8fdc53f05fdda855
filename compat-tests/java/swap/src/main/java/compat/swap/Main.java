package compat.swap;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Writes to brokers and finds again what was written, for the harness (compat-tests/tests/in_place/program.rs), which
 * drives it over lines on stdin and stdout. A "world" is one store directory and whichever broker has it open now.
 *
 * <pre>
 * in   id WORLD     world namesrv broker ours|java   where its servers listen, and whose broker it is now
 *      id WRITE     world round            every kind of message; groups consume half of it
 *      id KEEP      world file             remembers all that clients can see, and writes it to the file
 *      id COMPARE   world file last|middle the same again: nothing that was kept may be missing or different
 *      id GO_ON     world stage            groups go on where they were; late commits arrive
 *      id PERSISTED world folder           waits until the offsets are in the broker's config folder
 *      id DELIVER   world                  all that is pending arrives, each once
 * out  READY
 *      id ok|failed text
 * </pre>
 *
 * Fields are parted by tabs; line breaks inside one are escaped. Commands of different worlds run beside each other.
 */
public final class Main {
    private static final Map<String, World> WORLDS = new ConcurrentHashMap<>();

    private Main() {
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = System.out;
        System.setOut(new PrintStream(System.err, true, StandardCharsets.UTF_8));
        out.println("READY");
        out.flush();
        ExecutorService threads = Executors.newCachedThreadPool();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] fields = line.split("\t", -1);
            threads.execute(() -> {
                String verdict = "ok";
                String text;
                try {
                    text = run(fields);
                } catch (Throwable failure) {
                    verdict = "failed";
                    text = trace(failure);
                }
                synchronized (out) {
                    out.println(fields[0] + "\t" + verdict + "\t"
                        + text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n"));
                    out.flush();
                }
            });
        }
        System.exit(0);
    }

    private static String run(String[] fields) throws Exception {
        String name = fields[2];
        if (fields[1].equals("WORLD")) {
            if (!WORLDS.containsKey(name)) {
                WORLDS.put(name, new World(name, fields[3], fields[4]));
            }
            WORLDS.get(name).servedByJava = fields[5].equals("java");
            return "";
        }
        World world = WORLDS.get(name);
        switch (fields[1]) {
            case "WRITE":
                Workload.write(world, Integer.parseInt(fields[3]));
                return "";
            case "KEEP":
                return Snapshot.keep(world, fields[3]);
            case "COMPARE":
                return Snapshot.compare(world, fields[3], fields[4].equals("last"));
            case "GO_ON":
                Groups.goOn(world, Integer.parseInt(fields[3]));
                Pending.commitLate(world);
                return "";
            case "PERSISTED":
                Pending.awaitPersisted(world, fields[3]);
                return "";
            case "DELIVER":
                Pending.deliver(world);
                return "";
            default:
                throw new IllegalArgumentException(fields[1]);
        }
    }

    /** A difference that was looked for needs no stack; anything else does. */
    private static String trace(Throwable failure) {
        if (failure instanceof Difference) {
            return failure.getMessage();
        }
        if (failure instanceof ExecutionException) {
            return trace(failure.getCause());
        }
        StringWriter text = new StringWriter();
        failure.printStackTrace(new PrintWriter(text));
        return text.toString();
    }
}
