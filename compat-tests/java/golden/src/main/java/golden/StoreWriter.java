package golden;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.rocketmq.common.message.MessageExtBatch;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.MessageExtBrokerInner;
import org.apache.rocketmq.store.PutMessageResult;
import org.apache.rocketmq.store.PutMessageStatus;

/** Puts messages and remembers the names of those a test asks for by name. */
final class StoreWriter {
    final Map<Long, String> names = new HashMap<>();
    final Map<String, long[]> spans = new LinkedHashMap<>();
    private final DefaultMessageStore store;
    private int filled;

    StoreWriter(DefaultMessageStore store) {
        this.store = store;
    }

    long put(String name, MessageExtBrokerInner message) throws InterruptedException {
        PutMessageResult result = store.putMessage(message);
        return stored(name, result);
    }

    long put(String name, MessageExtBatch batch) throws InterruptedException {
        return stored(name, store.putMessages(batch));
    }

    private long stored(String name, PutMessageResult result) throws InterruptedException {
        if (result.getPutMessageStatus() != PutMessageStatus.PUT_OK) {
            throw new IllegalStateException(name + ": " + result);
        }
        long offset = result.getAppendMessageResult().getWroteOffset();
        if (name != null) {
            names.put(offset, name);
            spans.put(name, new long[] {offset, result.getAppendMessageResult().getWroteBytes()});
        }
        // store times that differ, for the search by time
        Thread.sleep(2);
        return offset;
    }

    long bytesLeftInFile() {
        return SmallStore.LOG_FILE_BYTES - store.getMaxPhyOffset() % SmallStore.LOG_FILE_BYTES;
    }

    private MessageExtBrokerInner filler(int bodyBytes) {
        int number = filled++;
        String[] tags = {"TagA", "TagB", "TagC"};
        return Messages.message("GoldenFill", number % 3 == 2 ? 1 : 0, Messages.pattern(number, bodyBytes), CodecFrames.properties(
            "KEYS", "fill fill-" + number, "UNIQ_KEY", Messages.uniqueKey(1000 + number), "WAIT", "true", "TAGS", tags[number % 3]));
    }

    /** Fills the current file until fewer than this many bytes are left, without leaving it. */
    void fillUntilLeft(long bytes) throws InterruptedException {
        while (bytesLeftInFile() > bytes + 600) {
            put(null, filler(400));
        }
    }

    /** One record that leaves exactly this many bytes of the file. */
    void fillToLeave(String name, int bytes) throws InterruptedException {
        long record = bytesLeftInFile() - bytes;
        MessageExtBrokerInner probe = filler(0);
        int fixed = 91 + probe.getTopic().length() + probe.getPropertiesString().length();
        probe.setBody(Messages.pattern(filled, (int) record - fixed));
        put(name, probe);
        if (bytesLeftInFile() != bytes) {
            throw new IllegalStateException("left " + bytesLeftInFile() + " instead of " + bytes);
        }
    }

    void fill(int count) throws InterruptedException {
        for (int i = 0; i < count; i++) {
            put(null, filler(400));
        }
    }
}
