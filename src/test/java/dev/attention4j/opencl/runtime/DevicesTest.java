package dev.attention4j.opencl.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** A driver that fails takes away what it has, never what others have, nor the search. */
class DevicesTest {
    @Test
    void whateverCallFailsIsSaidAndNotThrown() {
        List<String> all = names(Devices.find());
        assertThat(all).as("OpenCL devices of this machine").isNotEmpty();
        int failures = 0;
        while (true) {
            Devices.Search search;
            try (FailingCalls failing = FailingCalls.nth(failures + 1, call -> true)) {
                search = Devices.find();
                if (failing.struck().isEmpty()) {
                    break;
                }
                assertThat(search.devices()).as(failing.struck()).hasSizeLessThanOrEqualTo(all.size());
                if (search.devices().size() < all.size() && !failing.struck().startsWith("clGetDeviceIDs")) {
                    assertThat(search.found()).as(failing.struck()).contains(FailingCalls.CODE);
                }
            }
            for (int n = 0; n < search.devices().size(); n++) {
                assertThat(search.devices().get(n).index()).isEqualTo(n);
            }
            failures++;
        }
        assertThat(failures).as("calls that were made to fail").isGreaterThan(10);
        assertThat(names(Devices.find())).isEqualTo(all);
    }

    @Test
    void withoutAnyThatAnswersTheReasonIsGiven() {
        Devices.Search search;
        Calls.inject(call -> call.startsWith("clGetDeviceInfo") ? -33 : 0);
        try {
            search = Devices.find();
        } finally {
            Calls.injectNothing();
        }
        assertThat(search.status()).isEqualTo(Devices.Status.NO_DEVICE);
        assertThat(search.found()).contains("none has a device that works").contains("CL_INVALID_DEVICE");
    }

    private static List<String> names(Devices.Search search) {
        return search.devices().stream().map(ClDevice::name).toList();
    }
}
