package dev.attention4j.opencl.runtime;

import dev.attention4j.DeviceException;
import dev.attention4j.opencl.machine.SignalHandlers;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.cl_device_id;
import org.jocl.cl_program;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A kernel file, built with its options for one device. */
final class ClProgram implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ClProgram.class);
    private static final AtomicLong COMPILED = new AtomicLong();

    private final Handle<cl_program> program;

    private ClProgram(cl_program program) {
        this.program = new Handle<>(Handle.Kind.PROGRAM, "the program", program);
    }

    /** The number of programs that this JVM has compiled because they were not in the cache. */
    static long compiledFromSource() {
        return COMPILED.get();
    }

    /** Builds a source, which is that of a kernel file, or loads what was built of it. */
    static ClProgram build(DeviceContext context, String file, String source, String options) {
        ClDevice device = context.device();
        String key = ProgramCache.key(source, options, device.fingerprint());
        // Asked for only if it is kept: drivers may compile for it.
        boolean binaries = !device.quirks().has(Quirks.Quirk.NO_BINARIES)
                && context.programCache().isOpen();
        if (binaries) {
            Optional<byte[]> binary = context.programCache().load(key);
            if (binary.isPresent()) {
                try {
                    return fromBinary(context, file, options, binary.get());
                } catch (DeviceException e) {
                    // Only the driver can tell whether it still accepts an earlier driver's binary.
                    LOG.warn(
                            "A kept build of {} is refused by the driver and is built again: {}", file, e.getMessage());
                    context.programCache().drop(key);
                }
            }
        }
        cl_program handle = Calls.create(
                "clCreateProgramWithSource",
                code -> CL.clCreateProgramWithSource(context.handle(), 1, new String[] {source}, null, code));
        ClProgram program = new ClProgram(handle);
        program.build(device, file, options);
        COMPILED.incrementAndGet();
        if (binaries) {
            program.binary().ifPresent(bytes -> context.programCache().store(key, bytes));
        }
        return program;
    }

    private static ClProgram fromBinary(DeviceContext context, String file, String options, byte[] binary) {
        int[] status = new int[1];
        cl_program handle = Calls.create(
                "clCreateProgramWithBinary",
                code -> CL.clCreateProgramWithBinary(
                        context.handle(),
                        1,
                        new cl_device_id[] {context.device().id()},
                        new long[] {binary.length},
                        new byte[][] {binary},
                        status,
                        code));
        ClProgram program = new ClProgram(handle);
        program.build(context.device(), file, options);
        return program;
    }

    /** Builds the program, also one from a binary: Apple's driver finds no kernel in it otherwise. */
    private void build(ClDevice device, String file, String options) {
        cl_device_id[] ids = {device.id()};
        int code = Calls.codeOf(
                "clBuildProgram",
                () -> SignalHandlers.keep(() -> CL.clBuildProgram(handle(), 1, ids, options, null, null)));
        if (code != CL.CL_SUCCESS) {
            try {
                throw new ClException(
                        "clBuildProgram",
                        code,
                        "opencl/" + file + " on " + device + " with " + options + "\n" + buildLog(device));
            } finally {
                close();
            }
        }
    }

    private String buildLog(ClDevice device) {
        byte[] log;
        try {
            log = Calls.bytes(
                    "clGetProgramBuildInfo",
                    (bytes, answer, size) -> CL.clGetProgramBuildInfo(
                            handle(), device.id(), CL.CL_PROGRAM_BUILD_LOG, bytes, answer, size));
        } catch (ClException e) {
            log = new byte[0];
        }
        return log.length == 0
                ? "(no build log)"
                : new String(log, StandardCharsets.UTF_8).replace("\0", "").trim();
    }

    private Optional<byte[]> binary() {
        try {
            long size = Calls.number(
                    "clGetProgramInfo",
                    8,
                    (bytes, answer, unused) ->
                            CL.clGetProgramInfo(handle(), CL.CL_PROGRAM_BINARY_SIZES, bytes, answer, null));
            if (size <= 0 || size > Integer.MAX_VALUE) {
                return Optional.empty();
            }
            ByteBuffer binary = ByteBuffer.allocateDirect((int) size);
            Pointer answers = Pointer.to(Pointer.to(binary));
            Calls.run(
                    "clGetProgramInfo", () -> CL.clGetProgramInfo(handle(), CL.CL_PROGRAM_BINARIES, 8, answers, null));
            return Optional.of(Calls.array(binary));
        } catch (ClException e) {
            return Optional.empty();
        }
    }

    cl_program handle() {
        return program.get();
    }

    @Override
    public void close() {
        program.release(CL::clReleaseProgram);
    }
}
