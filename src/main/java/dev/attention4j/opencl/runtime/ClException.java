package dev.attention4j.opencl.runtime;

import dev.attention4j.DeviceException;
import java.util.function.IntSupplier;
import org.jocl.CL;
import org.jocl.CLException;

/** An OpenCL call failed; says which call and the error code by its name in the standard. */
public final class ClException extends DeviceException {
    private static final long serialVersionUID = 1L;

    private final int code;

    ClException(String call, int code, String detail) {
        super(call + " failed: " + name(code) + " (" + code + ")" + (detail.isEmpty() ? "" : ": " + detail));
        this.code = code;
    }

    /**
     * The error code.
     *
     * @return negative, as in the standard's cl.h
     */
    public int code() {
        return code;
    }

    /**
     * Whether the device or the host ran out of memory.
     *
     * @return true for the codes that drivers say so by
     */
    public boolean isOutOfMemory() {
        return code == CL.CL_MEM_OBJECT_ALLOCATION_FAILURE
                || code == CL.CL_OUT_OF_RESOURCES
                || code == CL.CL_OUT_OF_HOST_MEMORY
                || code == CL.CL_INVALID_BUFFER_SIZE;
    }

    /** CL_PLATFORM_NOT_FOUND_KHR of cl_khr_icd, which JOCL does not name. */
    static final int PLATFORM_NOT_FOUND = -1001;

    static String name(int code) {
        return code == PLATFORM_NOT_FOUND ? "CL_PLATFORM_NOT_FOUND_KHR" : CL.stringFor_errorCode(code);
    }

    static void check(String call, int code) {
        if (code != CL.CL_SUCCESS) {
            throw new ClException(call, code, "");
        }
    }

    /**
     * The code that a call returns, even where another user of JOCL in this JVM has switched on its exceptions, which
     * is one switch for all.
     */
    static int codeOf(String call, IntSupplier body) {
        int fault = Faults.before(call);
        if (fault != CL.CL_SUCCESS) {
            return fault;
        }
        try {
            return body.getAsInt();
        } catch (CLException e) {
            return e.getStatus();
        }
    }

    /** Runs a call that returns a code. */
    static void run(String call, IntSupplier body) {
        check(call, codeOf(call, body));
    }

    /** A call that gives an object and an error code beside it. */
    interface Creation<T> {
        T create(int[] code);
    }

    static <T> T create(String call, Creation<T> body) {
        check(call, Faults.before(call));
        int[] code = new int[1];
        T created;
        try {
            created = body.create(code);
        } catch (CLException e) {
            throw new ClException(call, e.getStatus(), "");
        }
        check(call, code[0]);
        return created;
    }
}
