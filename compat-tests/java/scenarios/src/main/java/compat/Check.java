package compat;

import java.util.Arrays;
import java.util.Objects;

/** Assertions that say what was expected and what came. */
final class Check {
    private Check() {
    }

    static void that(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object expected, Object actual, String what) {
        if (!Objects.equals(expected, actual)) {
            throw new AssertionError(what + ": expected " + expected + ", got " + actual);
        }
    }

    static void equalBytes(byte[] expected, byte[] actual, String what) {
        if (!Arrays.equals(expected, actual)) {
            throw new AssertionError(what + ": " + expected.length + " bytes expected, got "
                + (actual == null ? "null" : actual.length + " bytes, first difference at " + Arrays.mismatch(expected, actual)));
        }
    }

    /** Runs a step that must be refused and returns what it threw. */
    static Throwable refused(String what, Step step) {
        Object result;
        try {
            result = step.run();
        } catch (Throwable thrown) {
            return thrown;
        }
        throw new AssertionError(what + " was not refused, the answer was " + result);
    }

    /** A step whose exception is of interest. */
    interface Step {
        Object run() throws Exception;
    }
}
