package golden;

import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.serializer.SerializerFeature;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Hex dumps and standard JSON files. */
final class Text {
    private Text() {
    }

    static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder(bytes.length * 2);
        for (byte b : bytes) {
            text.append(String.format("%02x", b));
        }
        return text.toString();
    }

    /** 32 bytes a line. */
    static void writeHex(Path file, byte[] bytes) throws IOException {
        String hex = hex(bytes);
        StringBuilder text = new StringBuilder();
        for (int at = 0; at < hex.length(); at += 64) {
            text.append(hex, at, Math.min(at + 64, hex.length())).append('\n');
        }
        Files.createDirectories(file.getParent());
        Files.write(file, text.toString().getBytes(StandardCharsets.US_ASCII));
    }

    /** Standard JSON, an element of a list to a line, so that a difference can be read. */
    static void writeJson(Path file, Object value) throws IOException {
        StringBuilder text = new StringBuilder();
        if (value instanceof Map) {
            text.append("{\n");
            String comma = "";
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                text.append(comma).append(json(entry.getKey())).append(": ");
                comma = ",\n";
                if (entry.getValue() instanceof List) {
                    appendLines(text, (List<?>) entry.getValue());
                } else {
                    text.append(json(entry.getValue()));
                }
            }
            text.append("\n}\n");
        } else {
            appendLines(text, (List<?>) value);
            text.append('\n');
        }
        Files.createDirectories(file.getParent());
        Files.write(file, text.toString().getBytes(StandardCharsets.UTF_8));
    }

    private static void appendLines(StringBuilder text, List<?> list) {
        text.append('[');
        String comma = "\n";
        for (Object element : list) {
            text.append(comma).append(json(element));
            comma = ",\n";
        }
        text.append("\n]");
    }

    private static String json(Object value) {
        return JSON.toJSONString(value, SerializerFeature.WriteMapNullValue, SerializerFeature.DisableCircularReferenceDetect);
    }

    /** The bytes as text when they are a JSON document's, else null. */
    static String jsonText(byte[] bytes) {
        if (bytes.length == 0 || (bytes[0] != '{' && bytes[0] != '[')) {
            return null;
        }
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException notText) {
            return null;
        }
    }
}
