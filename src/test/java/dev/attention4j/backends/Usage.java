package dev.attention4j.backends;

/**
 * The registers and memory that a kernel needs, as its compiler reports them.
 *
 * @param registers of a work-item; on Intel 32-byte registers of a hardware thread
 * @param spilledBytes of a work-item; on NVIDIA bytes that its stores and loads move
 * @param privateBytes memory of a work-item: spilled registers, and arrays that are no registers
 * @param localBytes of a work-group
 * @param occupancy what runs at a time, in the vendor's terms
 */
record Usage(int registers, int spilledBytes, int privateBytes, int localBytes, String occupancy) {}
