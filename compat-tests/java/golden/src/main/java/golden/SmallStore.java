package golden;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.stats.BrokerStatsManager;

/** 4.7.0's DefaultMessageStore with files small enough to keep in a repository. */
final class SmallStore {
    static final int LOG_FILE_BYTES = 32 * 1024;
    private static final int QUEUE_FILE_BYTES = 100 * 20;
    private static final int HASH_SLOTS = 100;
    private static final int INDEX_ENTRIES = 400;

    private SmallStore() {
    }

    static DefaultMessageStore open(Path folder) throws Exception {
        DefaultMessageStore store = load(config(folder));
        store.start();
        return store;
    }

    static MessageStoreConfig config(Path folder) {
        MessageStoreConfig config = new MessageStoreConfig();
        config.setStorePathRootDir(folder.toString());
        config.setStorePathCommitLog(folder.resolve("commitlog").toString());
        config.setMappedFileSizeCommitLog(LOG_FILE_BYTES);
        config.setMappedFileSizeConsumeQueue(QUEUE_FILE_BYTES);
        config.setMaxHashSlotNum(HASH_SLOTS);
        config.setMaxIndexNum(INDEX_ENTRIES);
        // an ephemeral port: nobody connects
        config.setHaListenPort(0);
        return config;
    }

    /** Loaded, not started. */
    static DefaultMessageStore load(MessageStoreConfig config) throws Exception {
        DefaultMessageStore store = new DefaultMessageStore(config, new BrokerStatsManager("GoldenCluster"),
            (topic, queueId, logicOffset, tagsCode, storeTime, bitMap, properties) -> {
            }, new BrokerConfig());
        if (!store.load()) {
            throw new IllegalStateException("store does not load: " + config.getStorePathRootDir());
        }
        return store;
    }

    /** The keys of MessageStoreConfig that these files need. */
    static Map<String, Object> sizes() {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("mappedFileSizeCommitLog", LOG_FILE_BYTES);
        facts.put("mappedFileSizeConsumeQueue", QUEUE_FILE_BYTES);
        facts.put("maxHashSlotNum", HASH_SLOTS);
        facts.put("maxIndexNum", INDEX_ENTRIES);
        return facts;
    }

    static void awaitDispatched(DefaultMessageStore store) throws InterruptedException {
        while (store.dispatchBehindBytes() > 0) {
            Thread.sleep(5);
        }
    }
}
