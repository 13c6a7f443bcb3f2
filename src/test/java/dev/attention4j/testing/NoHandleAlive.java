package dev.attention4j.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.opencl.runtime.Handle;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** After each test, whatever it is, no native handle is alive. Found by its service file. */
public final class NoHandleAlive implements AfterEachCallback {
    @Override
    public void afterEach(ExtensionContext context) {
        assertThat(Handle.live())
                .as(() -> "handles alive after " + context.getDisplayName() + "\n" + Handle.report())
                .isZero();
    }
}
