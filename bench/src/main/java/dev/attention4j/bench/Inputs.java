package dev.attention4j.bench;

import dev.attention4j.AttentionProblem;
import dev.attention4j.DType;
import dev.attention4j.KeyRange;
import dev.attention4j.Tensor;
import dev.attention4j.expression.Expressions;
import dev.attention4j.expression.Variable;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.spi.ScoreTerms;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * A problem and the tensors that every contender gets: normally distributed, the same for the same shape. Keys and values
 * of a cache are numbers that its type holds, in the type of the query.
 *
 * @param problem the same with its operation; a mask lies in host memory; with a cache, its types are the storage of key and
 *     value
 * @param query [batch, queryHeads, queryLength, headDim] in host memory
 * @param key [batch, keyValueHeads, keyLength, headDim] in host memory
 * @param value [batch, keyValueHeads, keyLength, valueDim] in host memory
 */
public record Inputs(AttentionShape shape, AttentionProblem problem, Tensor query, Tensor key, Tensor value)
        implements Workload {
    private static final int CHUNK = 1 << 16;
    private static final double MASKED_SHARE = 0.25;

    /** Makes the tensors. */
    public static Inputs of(AttentionShape shape, DType dtype) {
        Tensor mask = shape.isMasked() ? mask(shape) : null;
        AttentionShape sizes = shape;
        int groups = sizes.keyValueHeads();
        return new Inputs(
                shape,
                shape.problem(dtype, shape.attention(mask)),
                normal(1, sizes.batch(), sizes.queryHeads(), sizes.queryLength(), sizes.headDim())
                        .to(dtype),
                held(normal(2, sizes.batch(), groups, sizes.keyLength(), sizes.headDim()), shape)
                        .to(dtype),
                held(normal(3, sizes.batch(), groups, sizes.keyLength(), sizes.valueDim()), shape)
                        .to(dtype));
    }

    /** The numbers that a cache holds of a tensor. */
    private static Tensor held(Tensor tensor, AttentionShape shape) {
        return shape.isCached() ? tensor.to(shape.cache().type()).to(DType.FLOAT32) : tensor;
    }

    @Override
    public DType dtype() {
        return problem.dtype();
    }

    /** The tensors and the operation. */
    dev.attention4j.measure.Inputs tensors() {
        return new dev.attention4j.measure.Inputs(query, key, value, problem.attention());
    }

    /**
     * Returns what peers without expressions get: the boolean mask, the values of a mask expression, or what a score expression
     * adds to scores; of one batch row or head where all have the same. Empty if neither masks nor adds anything.
     */
    public Optional<Tensor> maskTensor() {
        return shape.option().isExpression()
                ? Optional.of(values())
                : problem.attention().mask();
    }

    private Tensor values() {
        Expressions expressions = problem.attention().expressions();
        int batch = expressions.reads(Variable.BATCH) ? problem.batch() : 1;
        int heads = expressions.reads(Variable.HEAD) ? problem.queryHeads() : 1;
        int queries = problem.queryLength();
        int keys = problem.keyLength();
        ScoreTerms terms = new ScoreTerms(problem);
        Tensor values = Tensor.zeros(expressions.mask() ? DType.BOOL : DType.FLOAT32, batch, heads, queries, keys);
        ByteBuffer bytes = values.bytes();
        IntStream.range(0, batch * heads * queries).parallel().forEach(n -> {
            int row = n / queries / heads;
            KeyRange range = problem.keyRange(row, n % queries);
            float[] numbers = new float[keys];
            if (expressions.mask()) {
                terms.read(row, n / queries % heads, n % queries, range, 0, keys, numbers, new float[keys]);
            } else {
                terms.change(row, n / queries % heads, n % queries, range, 0, keys, numbers);
            }
            for (int key = 0; key < keys; key++) {
                if (expressions.mask()) {
                    bytes.put(n * keys + key, (byte) (numbers[key] == 0 ? 1 : 0));
                } else {
                    bytes.putFloat(Float.BYTES * (n * keys + key), numbers[key]);
                }
            }
        });
        return values;
    }

    @Override
    public ExpectedResult expected() {
        return shape.hasGradients() ? ExpectedResult.ofGradients(this) : ExpectedResult.of(this);
    }

    /** The gradient of the output that everyone gets, drawn as the tensors are. */
    public Tensor outputGradient() {
        return normal(5, problem.outputShape());
    }

    /** As {@link Tensor#random} is, but by all cores: the largest shapes have 10⁸ elements. */
    static Tensor normal(long seed, long... shape) {
        Tensor tensor = Tensor.zeros(DType.FLOAT32, shape);
        FloatBuffer floats = tensor.floats();
        int chunks = (floats.capacity() + CHUNK - 1) / CHUNK;
        IntStream.range(0, chunks).parallel().forEach(chunk -> {
            SplittableRandom random = new SplittableRandom((seed << 32) | chunk);
            int end = Math.min(floats.capacity(), (chunk + 1) * CHUNK);
            for (int n = chunk * CHUNK; n < end; n++) {
                floats.put(n, (float) random.nextGaussian());
            }
        });
        return tensor;
    }

    /** Every query may attend to key 0: peers differ in what they give for a query that may attend to none. */
    private static Tensor mask(AttentionShape sizes) {
        int keys = sizes.keyLength();
        boolean[] attend = new boolean[sizes.batch() * sizes.queryLength() * keys];
        SplittableRandom random = new SplittableRandom(4);
        for (int n = 0; n < attend.length; n++) {
            attend[n] = random.nextDouble() >= MASKED_SHARE || n % keys == 0;
        }
        return Tensor.of(attend, sizes.batch(), 1, sizes.queryLength(), keys);
    }
}
