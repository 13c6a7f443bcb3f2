package dev.attention4j.conformance;

import dev.attention4j.DeviceException;
import java.io.IOException;

/** What a case threw, in words for its report. */
public final class Thrown {
    private Thrown() {}

    /**
     * Describes an error.
     *
     * @param e whatever was thrown
     * @return its message alone if it is one that this library makes for its callers, else with its type
     */
    public static String text(Throwable e) {
        String message = e.getMessage();
        if (e instanceof OutOfMemoryError) {
            return "out of memory" + (message == null ? "" : ": " + message);
        }
        boolean isForCallers = e instanceof DeviceException
                || e instanceof IllegalArgumentException
                || e instanceof IllegalStateException
                || e instanceof UnsupportedOperationException
                || e instanceof IOException;
        if (isForCallers && message != null) {
            return message;
        }
        return "internal error " + e.getClass().getSimpleName() + (message == null ? "" : ": " + message);
    }
}
