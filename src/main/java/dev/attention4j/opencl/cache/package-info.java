/** Caches of keys and values on the device. */
package dev.attention4j.opencl.cache;
