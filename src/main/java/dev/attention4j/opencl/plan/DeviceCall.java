package dev.attention4j.opencl.plan;

import dev.attention4j.Attention;
import dev.attention4j.AttentionProblem;
import dev.attention4j.expression.Expressions;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.StructLayout;
import java.util.List;
import java.util.function.LongFunction;

/**
 * One call on the device: the problem, its tensors there, and where to get memory in between.
 *
 * @param workload of the problem, which is all that a plan decides by
 * @param tunables of the plan, that fit the problem
 * @param division of the work, as the plan gave it for the whole of which this may be a slice
 * @param query [batch, queryHeads, queryLength, headDim], last stride 1
 * @param key [batch, keyValueHeads, keyLength, headDim], last stride 1; with a page table [pages, keyValueHeads, pageSize,
 *     headDim]
 * @param value [batch, keyValueHeads, keyLength, valueDim], last stride 1, or likewise
 * @param pageTable [batch, pages of a batch row] ints, last stride 1; null if keys do not lie in pages
 * @param pages of the pool
 * @param mask bytes, broadcast to the scores by strides; null for none
 * @param bias floats, broadcast to the scores by strides; null for none
 * @param keyRanges which keys each query may see, see {@link KeyRanges#table}; null where all batch rows are alike
 * @param alibiSlopes [queryHeads] or [sequences, queryHeads] floats; null for none
 * @param sinks [queryHeads] floats; null for none
 * @param numbers that expressions and dropout read; null without any
 * @param output row-major
 * @param weights row-major floats; null if not wanted
 * @param logSumExp row-major floats; null if not wanted
 * @param maxScratchBytes the most that the caller lets the plan ask of scratch at a time; 0 to leave it to the plan
 * @param scratchRoom what of the device's memory is left for scratch
 * @param scratch gives memory of that many bytes for the length of the call
 */
public record DeviceCall(
        AttentionProblem problem,
        Workload workload,
        Tunables tunables,
        AttentionPlan.Division division,
        Operand query,
        Operand key,
        Operand value,
        Operand pageTable,
        int pages,
        Operand mask,
        Operand bias,
        ClBuffer keyRanges,
        ClBuffer alibiSlopes,
        ClBuffer sinks,
        ClBuffer numbers,
        ClBuffer output,
        ClBuffer weights,
        ClBuffer logSumExp,
        long maxScratchBytes,
        long scratchRoom,
        LongFunction<ClBuffer> scratch) {
    /**
     * Returns the most scratch that the plan may ask for at a time: the usual, or what the caller says, if there is
     * room.
     */
    public long scratchBudget(long usual) {
        return Math.min(scratchRoom, maxScratchBytes > 0 ? maxScratchBytes : usual);
    }

    private static final StructLayout LAYOUT = StructLayout.of("common/forward_call.clh", "ForwardCall");

    private static final List<String> QUERY = Operand.rows("query");
    private static final List<String> KEY = Operand.rows("key");
    private static final List<String> VALUE = Operand.rows("value");
    private static final List<String> MASK = scores("mask");
    private static final List<String> BIAS = scores("bias");

    private static List<String> scores(String name) {
        return List.of(
                name + ".offset",
                name + ".batchStride",
                name + ".headStride",
                name + ".queryStride",
                name + ".keyStride");
    }

    // The options of forward_call.clh.
    private static final int HAS_SOFTCAP = 1;
    private static final int HAS_MASK = 2;
    private static final int HAS_BIAS = 4;
    private static final int HAS_LOG_SUM_EXP = 8;
    private static final int HAS_KEY_RANGES = 16;
    private static final int HAS_ALIBI = 32;
    private static final int HAS_SINKS = 64;
    private static final int LIMITS_KEYS = 128;
    private static final int HAS_SCORE_EXPRESSION = 256;
    private static final int HAS_MASK_EXPRESSION = 512;

    /**
     * Sets FORWARD_PARAMETERS of {@code opencl/common/forward_call.clh}, the kernel's first parameters.
     *
     * @param unitHeads heads whose rows are computed together; a divisor of the heads that share a key/value head
     */
    public ClKernel.Arguments arguments(ClKernel kernel, int unitHeads) {
        return arguments(kernel, unitHeads, key, value);
    }

    /** Sets them for keys and values that a plan has copied elsewhere. */
    public ClKernel.Arguments arguments(ClKernel kernel, int unitHeads, Operand keys, Operand values) {
        Attention attention = problem.attention();
        int heads = problem.queryHeads();
        StructLayout.Values numbers = LAYOUT.values()
                .put("options", options())
                .put("queryHeads", heads)
                .put("group", heads / problem.keyValueHeads())
                .put("unitHeads", unitHeads)
                .put("queries", problem.queryLength())
                .put("keys", problem.keyLength())
                .put("headDim", problem.headDim())
                .put("valueDim", problem.valueDim())
                .put("offset", keyRanges == null && problem.batch() > 0 ? problem.offset(0) : 0)
                .put("left", attention.windowLeft())
                .put("right", attention.isCausal() ? 0 : attention.windowRight())
                .put("slopeStride", attention.alibiSlopes().length > heads ? heads : 0)
                .put("scale", (float) problem.scale())
                .put("softcap", (float) attention.softcap().orElse(0))
                .put("tableOffset", pageTable == null ? 0 : pageTable.offset())
                .put("tableStride", pageTable == null ? 0 : pageTable.strides()[0])
                .put("lastPage", pages - 1)
                .put("pageShift", Integer.numberOfTrailingZeros(Math.max(1, problem.pageSize())))
                .put("keyScales", keys.scales())
                .put("valueScales", values.scales());
        Operand.put(numbers, QUERY, query);
        Operand.put(numbers, KEY, keys);
        Operand.put(numbers, VALUE, values);
        Operand.put(numbers, MASK, mask);
        Operand.put(numbers, BIAS, bias);
        return kernel.arguments()
                .buffer(query.buffer())
                .buffer(keys.buffer())
                .buffer(values.buffer())
                .buffer(output)
                .buffer(orUnused(logSumExp))
                .buffer(orUnused(keyRanges))
                .buffer(orUnused(alibiSlopes))
                .buffer(orUnused(sinks))
                .buffer(orUnused(mask == null ? null : mask.buffer()))
                .buffer(orUnused(bias == null ? null : bias.buffer()))
                .buffer(orUnused(pageTable == null ? null : pageTable.buffer()))
                .struct(numbers);
    }

    /** Sets FORWARD_PARAMETERS of a kernel that is built with the call's expressions or dropout. */
    public ClKernel.Arguments argumentsOfScores(ClKernel kernel, int unitHeads) {
        return argumentsOfScores(kernel, unitHeads, key, value);
    }

    /** Sets them for keys and values that a plan has copied elsewhere. */
    public ClKernel.Arguments argumentsOfScores(ClKernel kernel, int unitHeads, Operand keys, Operand values) {
        ClKernel.Arguments arguments = arguments(kernel, unitHeads, keys, values);
        return numbers == null ? arguments : arguments.buffer(numbers);
    }

    /** Returns this call with a query that a plan has copied elsewhere: floats, row-major. */
    public DeviceCall withQuery(ClBuffer copy) {
        long row = problem.headDim();
        long head = row * problem.queryLength();
        return new DeviceCall(
                problem,
                workload,
                tunables,
                division,
                new Operand(copy, 0, head * problem.queryHeads(), head, row, 1),
                key,
                value,
                pageTable,
                pages,
                mask,
                bias,
                keyRanges,
                alibiSlopes,
                sinks,
                numbers,
                output,
                weights,
                logSumExp,
                maxScratchBytes,
                scratchRoom,
                scratch);
    }

    /** Returns the call's expressions and dropout. */
    public Expressions expressions() {
        return problem.attention().expressions();
    }

    private ClBuffer orUnused(ClBuffer buffer) {
        return buffer == null ? output : buffer;
    }

    private int options() {
        Attention attention = problem.attention();
        return (attention.softcap().isPresent() ? HAS_SOFTCAP : 0)
                | (mask != null ? HAS_MASK : 0)
                | (bias != null ? HAS_BIAS : 0)
                | (logSumExp != null ? HAS_LOG_SUM_EXP : 0)
                | (keyRanges != null ? HAS_KEY_RANGES : 0)
                | (alibiSlopes != null ? HAS_ALIBI : 0)
                | (sinks != null ? HAS_SINKS : 0)
                | (attention.limitsKeys() ? LIMITS_KEYS : 0)
                | (expressions().changeScores() ? HAS_SCORE_EXPRESSION : 0)
                | (expressions().mask() ? HAS_MASK_EXPRESSION : 0);
    }

    /** Returns the bits of the options that change or mask scores. */
    public int scoreOptions() {
        return options() & ~(HAS_LOG_SUM_EXP | HAS_SINKS);
    }

    /** Returns whether anything masks a score. */
    public boolean masksScores() {
        return (options() & (HAS_MASK | HAS_BIAS | LIMITS_KEYS | HAS_SCORE_EXPRESSION | HAS_MASK_EXPRESSION)) != 0;
    }

    /** Returns whether a score is changed or masked by more than its key's position, or weights are dropped. */
    public boolean hasOptions() {
        return (scoreOptions() & ~(HAS_KEY_RANGES | LIMITS_KEYS)) != 0
                || expressions().dropout().isPresent();
    }
}
