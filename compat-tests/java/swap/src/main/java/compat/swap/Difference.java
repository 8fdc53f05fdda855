package compat.swap;

/** Something is not as it was written; the message says what, for whoever reads the test's output. */
final class Difference extends RuntimeException {
    private static final long serialVersionUID = 1;

    Difference(String message) {
        super(message);
    }

    static void unless(boolean holds, String message) {
        if (!holds) {
            throw new Difference(message);
        }
    }
}
