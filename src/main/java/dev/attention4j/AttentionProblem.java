package dev.attention4j;

import java.util.Arrays;
import java.util.Objects;

/**
 * One attention call as shapes and operation, checked once. Plans are chosen for it, tests check it and benchmarks time it.
 *
 * @param batch the number of independent problems; 0 is legal
 * @param queryHeads heads of query and output
 * @param keyValueHeads heads of key and value; query head h reads key/value head h ÷ (queryHeads ÷ keyValueHeads)
 * @param queryLength rows of query; 0 is legal
 * @param keyLength rows of key and value; 0 is legal and gives zeros
 * @param headDim width of a query or key row
 * @param valueDim width of a value or output row
 * @param storage how query, key, value and output are stored
 * @param attention the operation
 */
public record AttentionProblem(
        int batch,
        int queryHeads,
        int keyValueHeads,
        int queryLength,
        int keyLength,
        int headDim,
        int valueDim,
        StorageTypes storage,
        Attention attention) {
    /** The largest length, so that positions, offsets and windows add up within an int. */
    public static final int MAX_LENGTH = 1 << 29;

    /** The axes of query, key, value and output, as errors name them. */
    private static final String LAYOUT = "[batch, heads, length, headDim]";

    private static final String READ_AS = "; tensors are read as [batch, heads, length, width],"
            + " permute(0, 2, 1, 3) reads [batch, length, heads, width] so";

    /**
     * Checks each number on its own and the operation's mask, bias, positions, slopes and sinks against them.
     *
     * @throws IllegalArgumentException naming what does not fit, what it was and what it must be
     */
    public AttentionProblem {
        Objects.requireNonNull(storage, "storage");
        Objects.requireNonNull(attention, "attention");
        checkSize("batch", batch, 0);
        checkSize("query heads", queryHeads, 1);
        checkSize("key/value heads", keyValueHeads, 1);
        checkSize("query length", queryLength, 0);
        checkSize("key length", keyLength, 0);
        checkSize("head dim", headDim, 1);
        checkSize("value dim", valueDim, 1);
        if (queryHeads % keyValueHeads != 0) {
            throw new IllegalArgumentException("query: " + queryHeads + " heads, must be a multiple of the "
                    + keyValueHeads + " heads of key and value" + READ_AS);
        }
        attention.check(batch, queryHeads, queryLength, keyLength);
        attention.expressions().check(batch, queryHeads, keyValueHeads, queryLength, keyLength);
        long[] scores = {batch, queryHeads, queryLength, keyLength};
        attention.mask().ifPresent(mask -> checkBroadcast("mask", mask, scores));
        attention.bias().ifPresent(bias -> checkBroadcast("bias", bias, scores));
    }

    /**
     * Checks a problem whose tensors all have one type.
     *
     * @param dtype how query, key, value and output are stored
     * @throws IllegalArgumentException naming what does not fit, what it was and what it must be
     */
    public AttentionProblem(
            int batch,
            int queryHeads,
            int keyValueHeads,
            int queryLength,
            int keyLength,
            int headDim,
            int valueDim,
            DType dtype,
            Attention attention) {
        this(
                batch,
                queryHeads,
                keyValueHeads,
                queryLength,
                keyLength,
                headDim,
                valueDim,
                StorageTypes.of(Objects.requireNonNull(dtype, "dtype")),
                attention);
    }

    /**
     * Checks three tensors and an operation against each other.
     *
     * @param query [batch, queryHeads, queryLength, headDim]
     * @param key [batch, keyValueHeads, keyLength, headDim]
     * @param value [batch, keyValueHeads, keyLength, valueDim]
     * @param attention the operation
     * @return the problem
     * @throws IllegalArgumentException naming the argument that does not fit, what it was and what it must be
     * @throws IllegalStateException if a tensor is closed
     */
    public static AttentionProblem of(Tensor query, Tensor key, Tensor value, Attention attention) {
        checkTensor("query", query);
        checkTensor("key", key);
        checkTensor("value", value);
        Objects.requireNonNull(attention, "attention");
        attention.mask().ifPresent(mask -> checkOpen("mask", mask));
        attention.bias().ifPresent(bias -> checkOpen("bias", bias));
        Tensor table = attention.pageTable().orElse(null);
        StorageTypes storage = new StorageTypes(query.dtype(), key.dtype(), value.dtype());
        if (table == null) {
            sameSize("key", "batch", 0, key.size(0), query.size(0), "query", key);
            sameSize("value", "batch", 0, value.size(0), query.size(0), "query", value);
        } else {
            checkOpen("pageTable", table);
            sameSize("value", "pages", 0, value.size(0), key.size(0), "key", value);
        }
        sameSize("value", "heads", 1, value.size(1), key.size(1), "key", value);
        sameSize("value", "length", 2, value.size(2), key.size(2), "key", value);
        sameSize("key", "headDim", 3, key.size(3), query.size(3), "query", key);
        if (key.size(1) > 0 && query.size(1) % key.size(1) != 0) {
            throw new IllegalArgumentException("query: " + query.size(1) + " heads, must be a multiple of the "
                    + key.size(1) + " heads of key and value; axis 1 of query's shape " + Arrays.toString(query.shape())
                    + " and of key's " + Arrays.toString(key.shape()) + READ_AS);
        }
        if (table != null && Long.bitCount(key.size(2)) != 1) {
            throw new IllegalArgumentException("key: page size " + key.size(2)
                    + ", must be a power of two; it is axis 2 of"
                    + " key's shape " + Arrays.toString(key.shape()) + ", with a page table read as [pages, heads,"
                    + " pageSize, headDim]");
        }
        AttentionProblem problem = new AttentionProblem(
                toInt("batch", query.size(0)),
                toInt("query heads", query.size(1)),
                toInt("key/value heads", key.size(1)),
                toInt("query length", query.size(2)),
                toInt("key length", table == null ? key.size(2) : Math.multiplyExact(table.size(1), key.size(2))),
                toInt("head dim", query.size(3)),
                toInt("value dim", value.size(3)),
                storage,
                attention);
        if (table != null && table.isOnHost()) {
            PageTables.checkPages(problem, table, key.size(0));
        }
        return problem;
    }

    /** {@return the keys of a page of {@link Attention#pageTable()}; 0 if keys and values do not lie in pages} */
    public int pageSize() {
        long width = attention.pageTable().map(table -> table.size(1)).orElse(0L);
        return width == 0 ? 0 : (int) (keyLength / width);
    }

    /** {@return the type of query and output} */
    public DType dtype() {
        return storage.query();
    }

    /** {@return the factor on query · key: the operation's, or 1/√headDim} */
    public double scale() {
        return attention.scale().orElse(1 / Math.sqrt(headDim));
    }

    /**
     * Returns the key/value head that a query head reads: queryHead ÷ group.
     *
     * @param queryHead from 0
     */
    public int keyValueHead(int queryHead) {
        return queryHead / (queryHeads / keyValueHeads);
    }

    /** {@return the shape of the output, [batch, queryHeads, queryLength, valueDim]} */
    public long[] outputShape() {
        return new long[] {batch, queryHeads, queryLength, valueDim};
    }

    /** {@return the shape of the weights, to which mask and bias broadcast, [batch, queryHeads, queryLength, keyLength]} */
    public long[] weightsShape() {
        return new long[] {batch, queryHeads, queryLength, keyLength};
    }

    /** {@return the shape of the log-sum-exp, [batch, queryHeads, queryLength]} */
    public long[] logSumExpShape() {
        return new long[] {batch, queryHeads, queryLength};
    }

    /** {@return the number of sequences: packed ones, or one for each batch row} */
    public int sequences() {
        return attention.isPacked() ? attention.options.cumulativeQueryLengths.length - 1 : batch;
    }

    /**
     * Returns the position of query 0 of a sequence, counted within the sequence; that of query i is i more.
     *
     * @param sequence a batch row, or a packed sequence
     * @return may be negative or after the keys
     */
    public int offset(int sequence) {
        return KeyRange.offset(this, sequence);
    }

    /**
     * Returns the keys that a query may attend to by causal, window, key lengths, packing and the query mask.
     *
     * @param batchRow from 0
     * @param query from 0
     * @return empty if there are none
     */
    public KeyRange keyRange(int batchRow, int query) {
        return KeyRange.of(this, batchRow, query);
    }

    /**
     * Returns the ALiBi slope of a head.
     *
     * @param sequence a batch row, or a packed sequence
     * @param queryHead from 0
     * @return 0 without ALiBi
     */
    public float alibiSlope(int sequence, int queryHead) {
        float[] slopes = attention.options.alibiSlopes;
        if (slopes.length == 0) {
            return 0;
        }
        return slopes[(slopes.length == queryHeads ? 0 : sequence * queryHeads) + queryHead];
    }

    /**
     * Returns the logit of a head's attention sink.
     *
     * @param queryHead from 0
     * @return −∞ without one
     */
    public float sink(int queryHead) {
        float[] logits = attention.options.sinks;
        return logits.length == 0 ? Float.NEGATIVE_INFINITY : logits[queryHead];
    }

    /**
     * Returns the useful floating-point operations: 2 for each multiply-add of the two products, over the pairs of query and key
     * that causal, window, key lengths and packing leave; a square causal problem counts as half the full one, as
     * FlashAttention's authors count.
     */
    public double flops() {
        return 2.0 * queryHeads * attendedPairs() * ((double) headDim + valueDim);
    }

    /**
     * Returns the least bytes that move between memory and processor: each input is read once, except keys and values that
     * are padding, and each output is written once.
     */
    public double bytes() {
        double rows = (double) batch * queryHeads * queryLength;
        double keys = 0;
        for (int sequence = 0; sequence < sequences(); sequence++) {
            keys += KeyRange.keyLength(this, sequence);
        }
        double keyRow = storage.key().byteSize(storage.key().paddedWidth(headDim));
        double valueRow = storage.value().byteSize(storage.value().paddedWidth(valueDim));
        double bytes =
                rows * ((double) headDim + valueDim) * dtype().bytes() + keyValueHeads * keys * (keyRow + valueRow);
        bytes += attention.mask().map(Tensor::byteSize).orElse(0L);
        bytes += attention.bias().map(Tensor::byteSize).orElse(0L);
        bytes += attention.wantsWeights() ? 4 * rows * keyLength : 0;
        return bytes + (attention.wantsLogSumExp() ? 4 * rows : 0);
    }

    private double attendedPairs() {
        double all = (double) batch * queryLength * keyLength;
        if (!attention.limitsKeys()) {
            return all;
        }
        boolean square = queryLength == keyLength && attention.options.offsets.length == 0;
        boolean whole = attention.options.keyLengths.length == 0
                && !attention.isPacked()
                && attention.queryMask().isEmpty();
        if (square && whole && attention.isCausal() && attention.windowLeft() < 0) {
            return all / 2;
        }
        double pairs = 0;
        for (int batchRow = 0; batchRow < batch; batchRow++) {
            for (int query = 0; query < queryLength; query++) {
                pairs += keyRange(batchRow, query).count();
            }
        }
        return pairs;
    }

    private static void checkTensor(String name, Tensor tensor) {
        Objects.requireNonNull(tensor, name);
        if (tensor.rank() != 4) {
            throw new IllegalArgumentException(
                    name + ": shape " + Arrays.toString(tensor.shape()) + ", must have 4 axes " + LAYOUT);
        }
        checkOpen(name, tensor);
    }

    private static void checkOpen(String name, Tensor tensor) {
        if (tensor.isClosed()) {
            throw new IllegalStateException(name + ": the tensor is closed, must be open");
        }
    }

    private static void sameSize(String name, String what, int axis, long was, long mustBe, String of, Tensor tensor) {
        if (was != mustBe) {
            throw new IllegalArgumentException(name + ": " + what + " " + was + ", must be " + mustBe + " as " + of
                    + " has; it is axis " + axis + " of " + name + "'s shape " + Arrays.toString(tensor.shape())
                    + ", read as " + LAYOUT);
        }
    }

    private static void checkSize(String name, int was, int least) {
        if (was < least) {
            throw new IllegalArgumentException(name + ": " + was + ", must be " + least + " or more");
        }
        if (was > MAX_LENGTH) {
            throw new IllegalArgumentException(name + ": " + was + ", must be " + MAX_LENGTH + " or less");
        }
    }

    private static int toInt(String name, long size) {
        if (size > MAX_LENGTH) {
            throw new IllegalArgumentException(name + ": " + size + ", must be " + MAX_LENGTH + " or less");
        }
        return (int) size;
    }

    private static void checkBroadcast(String name, Tensor tensor, long... target) {
        for (int axis = 1; axis <= tensor.rank(); axis++) {
            long size = tensor.size(-axis);
            if (size != 1 && size != target[target.length - axis]) {
                throw new IllegalArgumentException(name + ": shape " + Arrays.toString(tensor.shape())
                        + ", must broadcast, right-aligned, to [batch, heads, queryLength, keyLength] = "
                        + Arrays.toString(target) + ", but axis " + (tensor.rank() - axis) + " is " + size
                        + reshaped(tensor, target));
            }
        }
    }

    /** Gives advice for the two shapes of other libraries. */
    private static String reshaped(Tensor tensor, long... target) {
        long[] shape = tensor.shape();
        if (shape.length == 2 && shape[0] == target[0] && shape[1] == target[3]) {
            return "; [batch, keyLength] broadcasts as reshape(" + shape[0] + ", 1, 1, " + shape[1] + ")";
        }
        if (shape.length == 3 && shape[0] == target[0] && shape[1] == target[2] && shape[2] == target[3]) {
            return "; [batch, queryLength, keyLength] broadcasts as reshape(" + shape[0] + ", 1, " + shape[1] + ", "
                    + shape[2] + ")";
        }
        return "";
    }
}
