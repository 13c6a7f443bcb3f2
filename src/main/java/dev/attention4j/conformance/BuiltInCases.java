package dev.attention4j.conformance;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;

/** The cases that come with the library, so that a machine can be checked with nothing but the jar. */
public final class BuiltInCases {
    /**
     * Real attention: queries, keys and values inside the sentence encoder all-MiniLM-L6-v2 (layer 0, 12 heads of width
     * 32), on two English sentences padded to 22 tokens, with its mask, weights and output. The metadata's {@code
     * tokens} names each position.
     */
    public static final CaseSource SENTENCES = new Resource("minilm_layer0.safetensors");

    private BuiltInCases() {}

    /**
     * Every case.
     *
     * @return at least one
     */
    public static List<CaseSource> all() {
        return List.of(SENTENCES);
    }

    private record Resource(String name) implements CaseSource {
        @Override
        public ConformanceCase read() throws IOException {
            try (InputStream in = BuiltInCases.class.getResourceAsStream(name)) {
                if (in == null) {
                    throw new FileNotFoundException(name + ": is not in the jar, which must hold it");
                }
                return ConformanceCase.read(in, name);
            }
        }
    }
}
