package dev.attention4j.opencl.runtime;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The abilities of a device that were found by trying, not those that its driver reports.
 *
 * @param computesRight true if a kernel builds, runs and computes what it must
 * @param largestLocalKib the largest local array that works, in KiB, of the sizes that are tried
 */
public record Capabilities(
        boolean computesRight,
        boolean halfArithmetic,
        boolean doubleArithmetic,
        boolean subGroups,
        int largestLocalKib) {
    /** Returns the abilities by name, in the order to print. */
    public Map<String, Object> facts() {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("kernels compute right", computesRight);
        facts.put("half arithmetic", halfArithmetic);
        facts.put("double arithmetic", doubleArithmetic);
        facts.put("sub-groups", subGroups);
        facts.put("largest local array (KiB)", largestLocalKib);
        return facts;
    }
}
