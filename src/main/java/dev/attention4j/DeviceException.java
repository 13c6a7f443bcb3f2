package dev.attention4j;

/** A device or its driver failed: out of memory, a kernel that does not build, a lost device. */
public class DeviceException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /**
     * Makes an exception whose cause is the device.
     *
     * @param message what failed, with the driver's error by name, and the fix if one is known
     */
    public DeviceException(String message) {
        super(message);
    }

    /**
     * Makes an exception with another cause.
     *
     * @param message what failed, with the driver's error by name, and the fix if one is known
     * @param cause the exception below
     */
    public DeviceException(String message, Throwable cause) {
        super(message, cause);
    }
}
