package golden;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.SerializeType;

/** Collects whole frames in both header forms, with what Java's decoder reads out of each. */
final class Frames {
    private static final class Frame {
        Map<String, Object> facts;
        byte[] json;
        byte[] binary;
    }

    private final Map<String, Frame> frames = new LinkedHashMap<>();

    /** A command built here, encoded by 4.7.0. */
    Map<String, Object> codec(String name, RemotingCommand command) {
        return add(name, "RemotingCommand", encode(command, SerializeType.JSON), encode(command, SerializeType.ROCKETMQ));
    }

    /** A frame read off the socket of a 4.7.0 server; its binary form is the decoded command encoded again. */
    Map<String, Object> recorded(String name, String server, byte[] frame) {
        return add(name, server, frame, encode(decode(frame), SerializeType.ROCKETMQ));
    }

    static byte[] encode(RemotingCommand command, SerializeType form) {
        command.setSerializeTypeCurrentRPC(form);
        ByteBuffer encoded = command.encode();
        byte[] bytes = new byte[encoded.remaining()];
        encoded.get(bytes);
        return bytes;
    }

    static RemotingCommand decode(byte[] frame) {
        return RemotingCommand.decode(ByteBuffer.wrap(frame, 4, frame.length - 4).slice());
    }

    private Map<String, Object> add(String name, String origin, byte[] json, byte[] binary) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("name", name);
        facts.put("origin", origin);
        RemotingCommand fromJson = decode(json);
        facts.putAll(headerFacts(fromJson));
        byte[] body = fromJson.getBody() == null ? new byte[0] : fromJson.getBody();
        facts.put("bodyLength", body.length);
        String text = Text.jsonText(body);
        facts.put(text == null ? "bodyHex" : "bodyText", text == null ? Text.hex(body) : text);

        // What the binary form cannot tell apart: an empty remark or map from none, null values.
        Map<String, Object> other = new LinkedHashMap<>();
        Map<String, Object> binaryFacts = headerFacts(decode(binary));
        for (Map.Entry<String, Object> fact : headerFacts(fromJson).entrySet()) {
            Object value = binaryFacts.get(fact.getKey());
            if (value == null ? fact.getValue() != null : !value.equals(fact.getValue())) {
                other.put(fact.getKey(), value);
            }
        }
        if (!other.isEmpty()) {
            facts.put("binaryDiffers", other);
        }

        Frame frame = new Frame();
        frame.facts = facts;
        frame.json = json;
        frame.binary = binary;
        if (frames.put(name, frame) != null) {
            throw new IllegalStateException("two frames named " + name);
        }
        return facts;
    }

    private static Map<String, Object> headerFacts(RemotingCommand command) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("code", command.getCode());
        facts.put("language", command.getLanguage().name());
        facts.put("version", command.getVersion());
        facts.put("opaque", command.getOpaque());
        facts.put("flag", command.getFlag());
        facts.put("remark", command.getRemark());
        facts.put("extFields", command.getExtFields() == null ? null : new TreeMap<>(command.getExtFields()));
        return facts;
    }

    void write(Path folder) throws IOException {
        List<Object> manifest = new ArrayList<>();
        for (Map.Entry<String, Frame> entry : frames.entrySet()) {
            manifest.add(entry.getValue().facts);
            Text.writeHex(folder.resolve("json").resolve(entry.getKey() + ".hex"), entry.getValue().json);
            Text.writeHex(folder.resolve("binary").resolve(entry.getKey() + ".hex"), entry.getValue().binary);
        }
        Text.writeJson(folder.resolve("manifest.json"), manifest);
    }
}
