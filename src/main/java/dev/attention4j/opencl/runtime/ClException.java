package dev.attention4j.opencl.runtime;

import dev.attention4j.DeviceException;
import org.jocl.CL;

/** A failed OpenCL call: names the call, and the error code as the standard does. */
public final class ClException extends DeviceException {
    private static final long serialVersionUID = 1L;

    /** CL_PLATFORM_NOT_FOUND_KHR of cl_khr_icd, which JOCL does not name. */
    static final int PLATFORM_NOT_FOUND = -1001;

    private final int code;

    ClException(String call, int code, String detail) {
        super(call + " failed: " + name(code) + " (" + code + ")" + (detail.isEmpty() ? "" : ": " + detail));
        this.code = code;
    }

    /** The error code: negative, as in the standard's cl.h. */
    public int code() {
        return code;
    }

    /** Returns whether the device or the host ran out of memory. */
    public boolean isOutOfMemory() {
        return code == CL.CL_MEM_OBJECT_ALLOCATION_FAILURE
                || code == CL.CL_OUT_OF_RESOURCES
                || code == CL.CL_OUT_OF_HOST_MEMORY
                || code == CL.CL_INVALID_BUFFER_SIZE;
    }

    static String name(int code) {
        return code == PLATFORM_NOT_FOUND ? "CL_PLATFORM_NOT_FOUND_KHR" : CL.stringFor_errorCode(code);
    }
}
