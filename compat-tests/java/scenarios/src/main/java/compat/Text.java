package compat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.Method;

/** Exceptions as text: whole for a failure, class, code and sentence for an observation. */
final class Text {
    private Text() {
    }

    static String trace(Throwable failure) {
        StringWriter text = new StringWriter();
        failure.printStackTrace(new PrintWriter(text));
        return text.toString();
    }

    /**
     * Class, response code and message of what a client threw. The harness normalises addresses and ports; what differs
     * by the run alone (elapsed time, stack frame, Java's line numbers) is cut here.
     */
    static String observed(Throwable thrown) {
        String code = "";
        try {
            Method method = thrown.getClass().getMethod("getResponseCode");
            code = " code=" + method.invoke(thrown);
        } catch (ReflectiveOperationException none) {
            // An exception without a response code: class and text are all there is.
        }
        return thrown.getClass().getName() + code + " " + normalised(String.valueOf(thrown.getMessage()));
    }

    /** Cuts elapsed times and Java's stack frames, which no other server can have. */
    static String normalised(String text) {
        return text
            .replaceAll("cost \\[\\d+\\]ms", "cost [N]ms")
            .replace("\n", "\\n")
            .replaceAll("(, )?(java\\.base/)?(org\\.apache|java|sun|com|io)\\.[\\w.$]+\\([\\w]+\\.java(:\\d+)?\\)", "");
    }
}
