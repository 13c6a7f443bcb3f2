/**
 * The machine that this process runs on: installed drivers, JOCL's native library, PoCL's demands, signal handlers, the user's
 * cache directory, the container's memory. Nothing here opens a device.
 */
package dev.attention4j.opencl.machine;
