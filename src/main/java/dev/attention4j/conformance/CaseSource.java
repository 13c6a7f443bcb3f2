package dev.attention4j.conformance;

import java.io.IOException;

/** Where a case can be read from; reading is put off until it is run. */
public interface CaseSource {
    /**
     * What it is called before it is read.
     *
     * @return a file's path, or a resource's name
     */
    String name();

    /**
     * Reads it.
     *
     * @return the case
     * @throws IOException if it cannot be read, or is refused
     */
    ConformanceCase read() throws IOException;
}
