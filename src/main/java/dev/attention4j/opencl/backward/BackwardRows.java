package dev.attention4j.opencl.backward;

import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.TunableSpace;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The gradients of attention, for CPU-class devices: launches the kernels of {@code opencl/backward/}. One pass over the queries for
 * each tile of keys gives all of them, the bias's aside: five products where the forward pass has two.
 *
 * <p>A work-group has the queries of a key/value head to itself. Where there are few heads, the tiles of keys are split over several
 * work-groups, each with sums of its own for the queries, which are then added in order: the same bits each time.
 */
final class BackwardRows extends BackwardPlan {
    /** The name of this plan. */
    static final String NAME = "rows";

    /** Each split has a copy of the gradients of queries, in floats. */
    private static final int MOST_SPLITS = 16;

    BackwardRows(DeviceContext context) {
        super(context);
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public TunableSpace<BackwardTiling> tunableSpace() {
        return BackwardTiling.SPACE;
    }

    @Override
    public List<Tunables> defaults(Workload problem) {
        return BackwardTiling.of(context.device(), problem).stream()
                .map(BackwardTiling::tunables)
                .toList();
    }

    @Override
    public List<Tunables> candidates(Workload problem) {
        return BackwardTiling.candidates(context.device()).stream()
                .map(BackwardTiling::tunables)
                .toList();
    }

    @Override
    public Optional<String> whyNot(Workload problem, Tunables tunables) {
        return BackwardTiling.whyNot(context.device(), problem, tunables);
    }

    @Override
    public Optional<String> loopExcess(Workload problem, Tunables tunables) {
        double pairs = (double) problem.group() * (problem.queryLength() + 8) * (problem.keyLength() + 64);
        return limit.isNone()
                ? Optional.empty()
                : limit.whyNotIterations(pairs * (problem.headDim() + problem.valueDim() + 16) / 4);
    }

    @Override
    public String describe(Workload problem, Tunables tunables) {
        BackwardTiling tiling = BackwardTiling.SPACE.of(tunables);
        return "one pass for each tile of keys, " + tiling + ", keys split " + splits(problem, tiling) + " times, "
                + ((tiling.localBytes(problem) + 1023) >> 10) + " of "
                + (context.device().localMemoryBytes() >> 10) + " KiB of local memory";
    }

    /** Work-groups enough for every core twice, but none without a tile of keys. */
    private int splits(Workload problem, BackwardTiling tiling) {
        long units = (long) problem.batch() * problem.keyValueHeads();
        long wanted = (2L * context.device().computeUnits() + units - 1) / Math.max(1, units);
        long tiles = (problem.keyLength() + tiling.keys() - 1L) / tiling.keys();
        return (int) Math.max(1, Math.min(MOST_SPLITS, Math.min(wanted, tiles)));
    }

    @Override
    public void enqueue(BackwardCall call) {
        DeviceCall forward = call.forward();
        Workload problem = forward.workload();
        BackwardTiling tiling = BackwardTiling.SPACE.of(forward.tunables());
        int splits = splits(problem, tiling);
        long rows = problem.rows();
        Rows prepared = prepare(call, tiling.vectorWidth(), true);
        int padded = tiling.vectors(problem.headDim()) * tiling.vectorWidth();
        // The sum of one part is itself.
        boolean sums = splits > 1 || padded != problem.headDim();
        ClBuffer parts = sums ? forward.scratch().apply(4L * splits * rows * padded) : call.queryGradient();
        ClBuffer slopeParts =
                call.slopes() == null ? prepared.rests() : forward.scratch().apply(4L * splits * rows);
        if (problem.batch() > 0) {
            Map<String, Object> defines = Map.copyOf(tiling.tunables().values());
            ClKernel kernel = ofScores("backward_key_value", forward, defines, tiling.vectorWidth());
            prepared.addTo(prepared.forward().argumentsOfScores(kernel, 1))
                    .buffer(call.keyGradient())
                    .buffer(call.valueGradient())
                    .buffer(parts)
                    .buffer(slopeParts)
                    .integer(call.slopes() == null ? 0 : 1)
                    .local(tiling.keyValueBytes(problem));
            launch(kernel, splits, (long) problem.batch() * problem.keyValueHeads(), 1);
        }
        if (sums && rows > 0) {
            ClKernel kernel = context.kernel(
                    "backward/backward_query.cl", "backward_query", Map.of("VECTOR_WIDTH", tiling.vectorWidth()));
            kernel.arguments()
                    .buffer(parts)
                    .buffer(call.queryGradient())
                    .integer(splits)
                    .longInteger(rows)
                    .integer(problem.headDim())
                    .integer(ROWS_EACH);
            launch(kernel, runs(rows), 1, 1);
        }
        ofHeads(call, prepared, slopeParts, splits);
        bias(call, prepared, tiling);
    }
}
