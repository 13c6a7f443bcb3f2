package dev.attention4j.backends;

import java.util.Map;
import java.util.Set;

/**
 * A kernel with its macros.
 *
 * @param label what it computes, and how
 * @param file under {@code opencl/}
 * @param kernel its function
 * @param groupItems work-items of a work-group
 * @param isDefault true if it is what a caller gets unless a tuned entry or the caller says otherwise
 */
public record KernelBuild(
        String label, String file, String kernel, int groupItems, Map<String, ?> defines, boolean isDefault) {
    /** Returns whether it is built by kernelWithMoreRegisters. */
    boolean moreRegisters() {
        return Set.of("forward_tiles", "backward_key_value_tiles", "backward_query_tiles")
                .contains(kernel);
    }
}
