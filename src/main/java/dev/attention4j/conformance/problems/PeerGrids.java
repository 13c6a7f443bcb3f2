package dev.attention4j.conformance.problems;

import dev.attention4j.DType;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.ScoreOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The grids on which the peers test their attention, whole. Each list says which of their tests it follows. */
public final class PeerGrids {
    private static final List<DType> DTYPES = List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16);

    private PeerGrids() {}

    private static Set<GridOption> set(List<GridOption> options) {
        EnumSet<GridOption> set = EnumSet.noneOf(GridOption.class);
        set.addAll(options);
        return Collections.unmodifiableSet(set);
    }

    private static Set<GridOption> set(GridOption... options) {
        return set(List.of(options));
    }

    private static AttentionShape shape(
            int batch, int heads, int keyValueHeads, int queries, int keys, int headDim, int valueDim) {
        return new AttentionShape(batch, heads, keyValueHeads, queries, keys, headDim, valueDim, ScoreOption.NONE);
    }

    /** Every grid. */
    public static List<List<GridCase>> all() {
        return List.of(flashAttention(), pyTorch(), xFormers(), ggml());
    }

    /** One problem by its name; empty if no grid has it. */
    public static Optional<GridCase> find(String name) {
        return all().stream()
                .flatMap(List::stream)
                .filter(one -> one.toString().equals(name))
                .findFirst();
    }

    /** flash-attn, {@code tests/test_flash_attn.py}: lengths next to powers of two, widths next to multiples of 8. */
    public static List<GridCase> flashAttention() {
        int[] widths = {32, 40, 59, 64, 80, 96, 111, 128, 160, 192, 224, 256};
        int[][] lengths = {
            {113, 203},
            {128, 217},
            {113, 211},
            {108, 256},
            {256, 512},
            {512, 256},
            {1024, 1024},
            {1023, 1024},
            {1024, 1023},
            {2048, 2048}
        };
        int[][] causalLengths = {{1, 239}, {3, 799}, {127, 512}, {127, 513}};
        int[][] heads = {{4, 4}, {4, 1}, {4, 2}};
        List<Set<GridOption>> options = List.of(
                set(), set(GridOption.CAUSAL), set(GridOption.LOCAL), set(GridOption.ALIBI), set(GridOption.SOFTCAP));
        List<GridCase> cases = new ArrayList<>();
        for (Set<GridOption> option : options) {
            boolean causal = option.contains(GridOption.CAUSAL);
            for (int n = 0; n < lengths.length + (causal ? causalLengths.length : 0); n++) {
                int[] pair = n < lengths.length ? lengths[n] : causalLengths[n - lengths.length];
                int batch = pair[0] < 1000 ? 2 : 1;
                for (int[] head : heads) {
                    for (int width : widths) {
                        for (DType dtype : DTYPES) {
                            cases.add(new GridCase(
                                    "flash-attn",
                                    shape(batch, head[0], head[1], pair[0], pair[1], width, width),
                                    dtype,
                                    option,
                                    true));
                        }
                    }
                }
            }
        }
        return cases;
    }

    /** PyTorch, {@code test/test_transformers.py}: every length with every other, and both scales. */
    public static List<GridCase> pyTorch() {
        int[] queries = {4, 8, 64, 143, 256, 512, 1024, 2048};
        int[] keys = {4, 8, 64, 128, 256, 587, 1024, 2048};
        int[] widths = {8, 16, 21, 32, 64, 72, 96, 128, 160, 192, 203, 256};
        List<Set<GridOption>> options = List.of(
                set(), set(GridOption.SCALE), set(GridOption.TOP_LEFT), set(GridOption.TOP_LEFT, GridOption.SCALE));
        List<GridCase> cases = new ArrayList<>();
        for (int query : queries) {
            for (int key : keys) {
                for (int width : widths) {
                    for (Set<GridOption> option : options) {
                        for (DType dtype : DTYPES) {
                            // One head and three, one batch row and more, in turns.
                            int turn = cases.size() % 4;
                            int heads = turn < 2 ? 1 : 3;
                            int batch = turn % 2 == 0 ? 1 : 2;
                            cases.add(new GridCase(
                                    "pytorch",
                                    shape(batch, heads, heads, query, key, width, width),
                                    dtype,
                                    option,
                                    false));
                        }
                    }
                }
            }
        }
        return cases;
    }

    /**
     * xFormers, {@code tests/test_mem_eff_attention.py}: odd lengths and widths, nothing at all, NaN in the padding.
     */
    public static List<GridCase> xFormers() {
        int[] lengths = {2, 3, 15, 31, 32, 34, 68, 72, 90, 132, 136};
        int[] widths = {1, 2, 3, 31, 34, 36, 38, 40, 64, 80, 160, 258, 264, 512};
        List<Set<GridOption>> options = List.of(
                set(),
                set(GridOption.PADDING),
                set(GridOption.CAUSAL),
                set(GridOption.CAUSAL, GridOption.PADDING),
                set(GridOption.TOP_LEFT, GridOption.PERMUTED),
                set(GridOption.MASK),
                set(GridOption.LOCAL, GridOption.PADDING));
        List<GridCase> cases = new ArrayList<>();
        for (int query : lengths) {
            for (int key : lengths) {
                for (int width : widths) {
                    int n = cases.size();
                    int valueDim = n % 2 == 0 ? width : widths[n / 2 % widths.length];
                    cases.add(new GridCase(
                            "xformers",
                            shape(1 + n % 3, 2, 1 + n % 2, query, key, width, valueDim),
                            DTYPES.get(n % DTYPES.size()),
                            options.get(n % options.size()),
                            n % 4 == 0));
                }
            }
        }
        for (DType dtype : DTYPES) {
            for (Set<GridOption> option : List.of(set(), set(GridOption.CAUSAL), set(GridOption.MASK))) {
                cases.add(new GridCase("xformers", shape(2, 2, 1, 0, 31, 34, 36), dtype, option, true));
                cases.add(new GridCase("xformers", shape(2, 2, 1, 31, 0, 34, 36), dtype, option, true));
                cases.add(new GridCase("xformers", shape(0, 2, 1, 31, 32, 34, 36), dtype, option, true));
                cases.add(new GridCase("xformers", shape(2, 2, 1, 0, 0, 34, 36), dtype, option, true));
            }
        }
        return cases;
    }

    /**
     * ggml, {@code tests/test-backend-ops.cpp}: few queries, grouped heads, masks, sinks and ALiBi in all combinations.
     */
    public static List<GridCase> ggml() {
        int[][] widths = {
            {40, 40}, {64, 64}, {72, 72}, {80, 80}, {96, 96}, {128, 128}, {256, 256}, {512, 512}, {192, 128}, {576, 512}
        };
        int[] keys = {113, 512, 1024};
        int[] queries = {1, 3, 32, 75};
        GridOption[] choices = {
            GridOption.MASK, GridOption.SINKS, GridOption.MAX_BIAS, GridOption.LOGIT_SOFTCAP, GridOption.PERMUTED
        };
        List<GridCase> cases = new ArrayList<>();
        for (int[] width : widths) {
            for (int key : keys) {
                for (int query : queries) {
                    for (int chosen = 0; chosen < 1 << choices.length; chosen++) {
                        List<GridOption> options = new ArrayList<>();
                        for (int n = 0; n < choices.length; n++) {
                            if ((chosen >> n & 1) == 1) {
                                options.add(choices[n]);
                            }
                        }
                        for (DType dtype : DTYPES) {
                            int group = cases.size() % 2 == 0 ? 1 : 4;
                            cases.add(new GridCase(
                                    "ggml",
                                    shape(1, 4, 4 / group, query, key, width[0], width[1]),
                                    dtype,
                                    set(options),
                                    false));
                        }
                    }
                }
            }
        }
        return cases;
    }
}
