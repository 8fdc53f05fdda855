package compat;

import java.io.PrintStream;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** The lines to and from the harness. Tab, line break and backslash inside a field are escaped with a backslash. */
final class Lines {
    /** Longer than the slowest change of a cluster: four clients wait for one another, then a Java broker restarts. */
    private static final long ANSWER_LIMIT_SECONDS = 150;

    private final PrintStream out;
    private final AtomicLong nextId = new AtomicLong();
    private final Map<String, CompletableFuture<String>> waiting = new ConcurrentHashMap<>();

    Lines(PrintStream out) {
        this.out = out;
    }

    synchronized void write(String... fields) {
        StringBuilder line = new StringBuilder();
        for (String field : fields) {
            if (line.length() > 0) {
                line.append('\t');
            }
            line.append(escape(field));
        }
        out.println(line);
        out.flush();
    }

    /** Asks the harness to change the cluster and waits until it is done. */
    String ask(String scenario, String verb) throws Exception {
        String id = Long.toString(nextId.incrementAndGet());
        CompletableFuture<String> answer = new CompletableFuture<>();
        waiting.put(id, answer);
        write("ASK", id, scenario, verb);
        return answer.get(ANSWER_LIMIT_SECONDS, TimeUnit.SECONDS);
    }

    void answered(String id, boolean ok, String text) {
        CompletableFuture<String> answer = waiting.remove(id);
        if (answer == null) {
            return;
        }
        if (ok) {
            answer.complete(text);
        } else {
            answer.completeExceptionally(new IllegalStateException("the harness could not: " + text));
        }
    }

    static String[] split(String line) {
        String[] fields = line.split("\t", -1);
        for (int i = 0; i < fields.length; i++) {
            fields[i] = unescape(fields[i]);
        }
        return fields;
    }

    private static String escape(String field) {
        return field.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r");
    }

    private static String unescape(String field) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < field.length(); i++) {
            char c = field.charAt(i);
            if (c != '\\' || i + 1 == field.length()) {
                text.append(c);
                continue;
            }
            char next = field.charAt(++i);
            text.append(next == 't' ? '\t' : next == 'n' ? '\n' : next == 'r' ? '\r' : next);
        }
        return text.toString();
    }
}
