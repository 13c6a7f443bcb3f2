package dev.attention4j.opencl.runtime;

import org.jocl.CL;
import org.jocl.cl_event;

/** Tells when an enqueued command is complete, and how long the device took for it. */
public final class ClEvent implements AutoCloseable {
    private final Handle<cl_event> event;
    private final String command;

    ClEvent(cl_event event, String command) {
        this.event = new Handle<>(Handle.Kind.EVENT, "the event", event);
        this.command = command;
    }

    /** The command: a kernel's name, or words. */
    public String command() {
        return command;
    }

    /**
     * Waits until the command is complete.
     *
     * @throws ClException if it failed on the device
     */
    public void await() {
        cl_event handle = event.get();
        int code = Calls.codeOf("clWaitForEvents", () -> CL.clWaitForEvents(1, new cl_event[] {handle}));
        if (code == CL.CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST) {
            long status = Calls.number(
                    "clGetEventInfo",
                    4,
                    (bytes, answer, size) ->
                            CL.clGetEventInfo(handle, CL.CL_EVENT_COMMAND_EXECUTION_STATUS, bytes, answer, size));
            throw new ClException(command, (int) status, "");
        }
        Calls.check("clWaitForEvents", code);
    }

    /**
     * The device's time for the command by its own clock, after {@link #await()} has returned. (Apple's clock is off by 125/3
     * on Apple silicon.)
     */
    public long nanoseconds() {
        return profile(CL.CL_PROFILING_COMMAND_END) - profile(CL.CL_PROFILING_COMMAND_START);
    }

    private long profile(int parameter) {
        cl_event handle = event.get();
        return Calls.number(
                "clGetEventProfilingInfo",
                8,
                (bytes, answer, size) -> CL.clGetEventProfilingInfo(handle, parameter, bytes, answer, size));
    }

    @Override
    public void close() {
        event.release(CL::clReleaseEvent);
    }
}
