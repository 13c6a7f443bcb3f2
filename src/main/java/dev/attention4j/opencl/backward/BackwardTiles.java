package dev.attention4j.opencl.backward;

import dev.attention4j.DeviceException;
import dev.attention4j.opencl.plan.DeviceCall;
import dev.attention4j.opencl.plan.Plan;
import dev.attention4j.opencl.plan.TunableSpace;
import dev.attention4j.opencl.plan.Tunables;
import dev.attention4j.opencl.plan.Workload;
import dev.attention4j.opencl.runtime.ClBuffer;
import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.ClKernel;
import dev.attention4j.opencl.runtime.DeviceContext;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The gradients of attention, for GPU-class devices: one kernel for those of keys and values, one for those of queries, both by tiles
 * in local memory and registers. Seven products where the forward pass has two.
 */
final class BackwardTiles extends BackwardPlan {
    /** The name of this plan. */
    static final String NAME = "tiles";

    /** SIDE of {@code opencl/backward/backward_tile.clh}: work-items along queries, and along keys. */
    static final TunableSpace<Integer> SPACE = new TunableSpace<>(numbers -> numbers[0]).oneOf("SIDE", 4, 8, 16);

    private static final int SLICE = 16;

    /** The most that EACH_TILE of {@code backward_tile.clh} writes out along a head dim. */
    private static final int MOST_WRITTEN_OUT = 8;

    /** The smallest, for the gradient of a bias, whose kernel has work-groups of one work-item. */
    private static final BackwardTiling OF_BIAS = new BackwardTiling(4, 1, 2, 2, 2);

    /** The two kernels of a call. */
    private record Kernels(int side, ClKernel keyValue, ClKernel query) {}

    BackwardTiles(DeviceContext context) {
        super(context);
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public TunableSpace<Integer> tunableSpace() {
        return SPACE;
    }

    @Override
    public List<Tunables> defaults(Workload problem) {
        // Compilers for CPUs take a minute for large tiles, and llvmpipe no work-group of more than 32.
        return !writesOut(context.device())
                ? List.of(SPACE.tunables(4))
                : List.of(SPACE.tunables(16), SPACE.tunables(8), SPACE.tunables(4));
    }

    @Override
    public Optional<String> whyNot(Workload problem, Tunables tunables) {
        return SPACE.whyNot(tunables).or(() -> whyNot(problem, SPACE.of(tunables)));
    }

    private Optional<String> whyNot(Workload problem, int side) {
        int most = Math.max(tiles(problem.headDim(), side), tiles(problem.valueDim(), side));
        return writesOut(context.device()) && most > MOST_WRITTEN_OUT
                ? Optional.of("head dims " + problem.headDim() + " and " + problem.valueDim() + " take " + most
                        + " tiles, at most " + MOST_WRITTEN_OUT)
                : Plan.whyNotGroup(
                        context.device(), side * side, Math.max(localBytes(side), OF_BIAS.biasBytes(problem)));
    }

    /** Returns whether the kernels are for a GPU's compiler. */
    private static boolean writesOut(ClDevice device) {
        return !device.isCpuClass() && !device.isEmulator();
    }

    /** The tiles along some dims, rows or keys. */
    private static int tiles(long count, int side) {
        return (int) ((count + 4L * side - 1) / (4L * side));
    }

    private static long localBytes(int side) {
        long pitch = 16L * (side + 1);
        return pitch * (2 * SLICE + 4L * side) + 6L * 4 * 4 * side + 8;
    }

    @Override
    public Optional<String> loopExcess(Workload problem, Tunables tunables) {
        int side = SPACE.of(tunables);
        double visits = Math.max(
                (double) problem.group() * tiles(problem.queryLength(), side), tiles(problem.keyLength(), side));
        double ofVisit = 4.0 * (problem.headDim() + problem.valueDim() + 8 * side);
        return limit.isNone() ? Optional.empty() : limit.whyNotIterations(visits * ofVisit);
    }

    @Override
    public String describe(Workload problem, Tunables tunables) {
        int side = SPACE.of(tunables);
        return "tiles of " + 4 * side + " queries and keys, " + side * side + " work-items, "
                + ((localBytes(side) + 1023) >> 10) + " of " + (context.device().localMemoryBytes() >> 10)
                + " KiB of local memory";
    }

    @Override
    public void enqueue(BackwardCall call) {
        DeviceCall forward = call.forward();
        Workload problem = forward.workload();
        Kernels kernels = kernels(forward);
        int side = kernels.side;
        Rows prepared = prepare(call, OF_BIAS.vectorWidth(), call.bias() != null);
        ClBuffer slopeParts =
                call.slopes() == null ? prepared.rests() : forward.scratch().apply(4L * problem.rows());
        if (problem.batch() > 0 && problem.keyLength() > 0) {
            prepared.addTo(forward.argumentsOfScores(kernels.keyValue, 1))
                    .buffer(call.keyGradient())
                    .buffer(call.valueGradient());
            launch(kernels.keyValue, side, problem.keyLength(), (long) problem.batch() * problem.keyValueHeads());
        }
        if (problem.rows() > 0) {
            prepared.addTo(forward.argumentsOfScores(kernels.query, 1))
                    .buffer(call.queryGradient())
                    .buffer(slopeParts)
                    .integer(call.slopes() == null ? 0 : 1);
            launch(kernels.query, side, problem.queryLength(), (long) problem.batch() * problem.queryHeads());
        }
        ofHeads(call, prepared, slopeParts, 1);
        bias(call, prepared, OF_BIAS);
    }

    /** The larger kernels, of the side asked for or of the next that fits the device's registers. */
    private Kernels kernels(DeviceCall forward) {
        for (int side = SPACE.of(forward.tunables()); side >= 4; side /= 2) {
            Workload problem = forward.workload();
            if (whyNot(problem, side).isEmpty()) {
                Map<String, Object> tiling = tiling(context.device(), problem.headDim(), problem.valueDim(), side);
                ClKernel keyValue = ofScores("backward_key_value_tiles", forward, tiling, 1);
                ClKernel query = ofScores("backward_query_tiles", forward, tiling, 1);
                if (side * side <= Math.min(keyValue.largestGroup(), query.largestGroup())) {
                    return new Kernels(side, keyValue, query);
                }
            }
        }
        throw new DeviceException("no tiles of gradients fit " + context.device());
    }

    /** Returns the macros of the kernels for some widths. */
    static Map<String, Object> tiling(ClDevice device, int headDim, int valueDim, int side) {
        return Map.of(
                "SIDE", side,
                "HEAD_TILES", tiles(headDim, side),
                "VALUE_TILES", tiles(valueDim, side),
                "SUB_GROUP_ITEMS", device.leastSubGroupItems(),
                "WRITTEN_OUT", writesOut(device) ? 1 : 0);
    }

    private void launch(ClKernel kernel, int side, int length, long heads) {
        long items = (long) side * side;
        context.queue().launch(kernel, new long[] {tiles(length, side) * heads * items}, new long[] {items});
    }
}
