package dev.attention4j.opencl.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import dev.attention4j.testing.ChildJvm;
import dev.attention4j.testing.PublicMethods;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** No handle that was released is given to a driver: most crash. */
class ClosedHandlesTest {
    /** What is known without the device, and arguments, which are only compared if they are as they were. */
    private static final Pattern ANSWERS = Pattern.compile(
            ".*\\.(close|toString|device|queue|pool|sharesHostMemory|builds|writes|reads|byteSize|isShared|name"
                    + "|largestGroup|arguments|command|advice|allocatedBytes|largestAllocation|capacity|bytesInUse"
                    + "|mostBytes|onShortage|reclaim|release|keeps|keep|kept|privateBytes|outOfRegisters)\\(.*");

    @TempDir
    Path directory;

    @Test
    void everyMethodOfWhatIsClosedRefusesOrAnswers() throws IOException, InterruptedException {
        List<String> lines = new ChildJvm(ClosedHandles.class)
                .options("-XX:-CreateCoredumpOnCrash", "-XX:TieredStopAtLevel=1")
                .run(directory, directory.toString())
                .lines()
                .toList();
        assertThat(lines).hasSizeGreaterThan(40).endsWith("0 handles");
        assertThat(lines.subList(0, lines.size() - 1)).allSatisfy(line -> assertThat(line)
                .matches(text -> text.endsWith(": " + PublicMethods.CLOSED)
                        || (text.endsWith(": " + PublicMethods.ANSWERED)
                                && ANSWERS.matcher(text).matches())));
    }

    /** Closes a device with all that it made, and calls all that is public of them. */
    static final class ClosedHandles {
        private ClosedHandles() {}

        /**
         * The program.
         *
         * @param arguments a directory for built programs
         */
        public static void main(String[] arguments) {
            ClDevice device = Devices.find().devices().get(0);
            ByteBuffer memory = ByteBuffer.allocateDirect(1024).order(ByteOrder.nativeOrder());
            DeviceContext context = DeviceContext.open(device, Path.of(arguments[0], "programs"));
            List<ClEvent> events = new ArrayList<>();
            Map<String, Integer> defines = Map.of("PROBE", 0, "GROUP_ITEMS", 16, "LOCAL_BYTES", 1024);
            ClKernel kernel = context.kernel("probe/device_probe.cl", "device_probe", defines);
            ClBuffer buffer = context.pool().acquire(1024);
            kernel.arguments().buffer(buffer);
            context.queue().profileInto(events);
            context.queue().launch(kernel, new long[] {16}, new long[] {16});
            context.queue().finish();
            events.forEach(ClEvent::close);
            context.pool().release(buffer);
            ClBuffer shared = context.share(memory);
            shared.close();
            ClProgram program =
                    ClProgram.build(context, "probe/device_probe.cl", KernelSource.read("probe/device_probe.cl"), "");
            program.close();
            ClKernel.Arguments half = kernel.arguments();
            context.close();

            PublicMethods methods = new PublicMethods()
                    .with(List.class, ArrayList::new)
                    .with(BooleanSupplier.class, () -> () -> false)
                    .with(Function.class, () -> anything -> new Capabilities(true, true, true, true, 16))
                    .with(ByteBuffer.class, () -> memory)
                    .with(ClBuffer.class, () -> buffer)
                    .with(ClKernel.class, () -> kernel)
                    .with(Map.class, () -> defines)
                    .with(StructLayout.Values.class, () -> StructLayout.of("common/key_range.clh", "KeyRange")
                            .values()
                            .put("begin", 0)
                            .put("end", 1)
                            .put("position", 0)
                            .put("sequence", 0))
                    .with(long[].class, () -> new long[] {16})
                    .with(long.class, () -> 0L)
                    .with(int.class, () -> 7)
                    .with(float.class, () -> 7f)
                    .with(Object.class, () -> "a key of what is kept")
                    .with(String.class, () -> "probe/device_probe.cl");
            methods.call("context", context);
            methods.call("queue", context.queue());
            methods.call("pool", context.pool());
            methods.call("kernel", kernel);
            methods.call("arguments", half);
            methods.call("event", events.get(0));
            methods.call("program", program);
            methods.with(long.class, () -> 1L << 20).call("pool", context.pool());
            methods.call("buffer", buffer);
            methods.call("shared", shared);
            System.out.println(Handle.live() + " handles");
        }
    }
}
