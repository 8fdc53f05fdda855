package filter;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;

import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.filter.SqlFilter;
import org.apache.rocketmq.filter.expression.EvaluationContext;
import org.apache.rocketmq.filter.expression.Expression;

/**
 * What Java's own SQL92 filter says, case by case.
 *
 * <pre>
 * in   expression TAB properties TAB properties …     escaped: \\ \t \n \r
 * out  T, F, N (null) or X (it throws), one for each properties; or ! and the message of the refusal
 * </pre>
 */
public final class Answers {
    private Answers() {
    }

    public static void main(String[] args) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.write(answer(line.split("\t", -1)));
            out.write('\n');
        }
        out.flush();
    }

    private static String answer(String[] fields) {
        Expression expression;
        try {
            expression = new SqlFilter().compile(unescaped(fields[0]));
        } catch (Exception refused) {
            return "!" + escaped(String.valueOf(refused.getMessage()));
        }
        StringBuilder verdicts = new StringBuilder();
        for (int i = 1; i < fields.length; i++) {
            verdicts.append(verdict(expression, MessageDecoder.string2messageProperties(unescaped(fields[i]))));
        }
        return verdicts.toString();
    }

    private static char verdict(Expression expression, Map<String, String> properties) {
        try {
            Object value = expression.evaluate(new Properties(properties));
            return value == null ? 'N' : Boolean.TRUE.equals(value) ? 'T' : 'F';
        } catch (Throwable thrown) {
            return 'X';
        }
    }

    private static String unescaped(String text) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\\') {
                char sign = text.charAt(++i);
                c = sign == 't' ? '\t' : sign == 'n' ? '\n' : sign == 'r' ? '\r' : sign;
            }
            out.append(c);
        }
        return out.toString();
    }

    private static String escaped(String text) {
        return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r");
    }

    /** A message's properties as the expression looks them up. */
    private static final class Properties implements EvaluationContext {
        private final Map<String, String> properties;

        Properties(Map<String, String> properties) {
            this.properties = properties;
        }

        @Override
        public Object get(String name) {
            return properties.get(name);
        }

        @Override
        public Map<String, Object> keyValues() {
            throw new UnsupportedOperationException();
        }
    }
}
