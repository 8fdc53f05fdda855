package golden;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.store.DefaultMessageStore;

/** A store whose JVM gets SIGKILL: abort file, a log file made ahead, index and checkpoint as they were. */
final class KilledStore {
    private KilledStore() {
    }

    static void make(Path folder, Path work, Path target) throws Exception {
        Path ready = work.resolve("killed.ready");
        Path expected = target.resolve("killed.expected.json");
        List<String> command = new ArrayList<>();
        command.add(Golden.java());
        command.addAll(java.lang.management.ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.add("-classpath");
        command.add(System.getProperty("java.class.path"));
        command.add(Golden.class.getName());
        command.add(target.toString());
        command.add(work.toString());
        command.add(folder.toString());
        command.add(ready.toString());
        Process child = new ProcessBuilder(command).inheritIO().start();
        while (!Files.exists(ready)) {
            if (!child.isAlive()) {
                throw new IllegalStateException("the store to be killed ended by itself");
            }
            Thread.sleep(5);
        }
        child.destroyForcibly().waitFor();

        // What 4.7.0 makes of it when it starts again, on a copy.
        Path copy = work.resolve("killed-copy");
        Golden.copy(folder, copy);
        DefaultMessageStore store = SmallStore.open(copy);
        Map<String, Object> recovered = new StoreFacts(store, new HashMap<Long, String>()).limits();
        store.shutdown();

        Map<String, Object> facts = com.alibaba.fastjson.JSON.parseObject(
            new String(Files.readAllBytes(ready), java.nio.charset.StandardCharsets.UTF_8), com.alibaba.fastjson.parser.Feature.OrderedField);
        facts.put("checkpoint", CleanStore.checkpoint(folder));
        facts.put("indexFiles", CleanStore.indexFiles(folder));
        facts.put("afterRecoveryByJava", recovered);
        Text.writeJson(expected, facts);
    }

    /** Runs in the child. Half the messages are flushed, half only in the page cache, which outlives the process. */
    static void runUntilKilled(Path folder, Path ready) throws Exception {
        DefaultMessageStore store = SmallStore.open(folder);
        StoreWriter writer = new StoreWriter(store);
        writer.put("plain_record", Messages.text("GoldenTopic", 0, "plain body", "KEYS", "order-1", "TAGS", "TagA"));
        writer.fillUntilLeft(600);
        writer.put("first_of_second_file", Messages.message("GoldenTopic", 0, Messages.pattern(1, 2000), CodecFrames.properties("KEYS", "roll-1")));
        store.flush();
        writer.put("batch_of_three", Messages.batch("GoldenTopic", 1));
        writer.fill(10);
        SmallStore.awaitDispatched(store);
        Map<String, Object> facts = new StoreFacts(store, writer.names).all();
        Path unfinished = ready.resolveSibling("killed.unfinished");
        Text.writeJson(unfinished, facts);
        Files.move(unfinished, ready);
        Thread.sleep(60_000);
    }
}
