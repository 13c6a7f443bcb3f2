package dev.attention4j.conformance.suite;

import dev.attention4j.DType;
import dev.attention4j.EngineInfo;
import dev.attention4j.conformance.AttentionCase;
import dev.attention4j.conformance.CaseFile;
import dev.attention4j.conformance.ConformanceCase;
import dev.attention4j.conformance.FileCases;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.conformance.problems.Covering;
import dev.attention4j.conformance.problems.GridCase;
import dev.attention4j.conformance.problems.PeerGrids;
import dev.attention4j.measure.Inputs;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The cases of the suite, in the order in which they are run: the simplest first. */
final class BuiltInSuite {
    private static final String RANDOM = "random/";
    private static final int RANDOM_CASES = 1000;
    private static final int QUICK_RANDOM_CASES = 24;

    /** Seeds of random problems are this many apart, so that no two selections share one. */
    private static final long SEEDS = 100_000;

    /** Operations that pairs of axes of each grid may take. */
    private static final double GRID_EFFORT = 1e10;

    /** The largest problem of a grid that is quick. */
    private static final double QUICK_FLOPS = 2e7;

    /** The largest problem for an emulator. */
    static final double EMULATOR_FLOPS = 2e6;

    /** The largest problem for the oracle, which is right by definition and slow. */
    static final double ORACLE_FLOPS = 5e7;

    /** Files of gradients by PyTorch, of the ONNX standard's own cases of its operators around a cache, and of ONNX Runtime's. */
    static final List<String> FILES = List.of(
            "autograd/plain",
            "autograd/causal",
            "autograd/mask",
            "autograd/bias",
            "autograd/bias_of_heads",
            "autograd/grouped",
            "autograd/wide_values",
            "onnx/rotary_embedding",
            "onnx/rotary_embedding_3d_input",
            "onnx/rotary_embedding_interleaved",
            "onnx/rotary_embedding_with_rotary_dim",
            "onnx/rotary_embedding_with_interleaved_rotary_dim",
            "onnx/rotary_embedding_no_position_ids",
            "onnx/rotary_embedding_no_position_ids_interleaved",
            "onnx/rotary_embedding_no_position_ids_rotary_dim",
            "onnx/tensorscatter",
            "onnx/tensorscatter_circular",
            "onnx/tensorscatter_3d",
            "onnx/group_query_attention_prompt",
            "onnx/group_query_attention_step",
            "onnx/group_query_attention_packed_window",
            "onnx/group_query_attention_softcap_sink",
            "onnx/group_query_attention_bias_smooth");

    private BuiltInSuite() {}

    /**
     * Selects cases, at least one.
     *
     * @param kind of the engine: emulators are given what is small and quick
     */
    static List<ConformanceCase> cases(Selection selection, EngineInfo.Kind kind) {
        if (selection.only() != null) {
            return List.of(find(selection.only()));
        }
        boolean emulated = kind == EngineInfo.Kind.EMULATOR;
        boolean quick = selection.quick() || emulated;
        double mostFlops =
                emulated ? EMULATOR_FLOPS : kind == EngineInfo.Kind.ORACLE ? ORACLE_FLOPS : Double.POSITIVE_INFINITY;
        List<ConformanceCase> cases = new ArrayList<>(named());
        for (int n = 0; n < (quick ? QUICK_RANDOM_CASES : RANDOM_CASES); n++) {
            cases.add(ProblemCases.random(selection.seed() * SEEDS + n));
        }
        double most = quick ? Math.min(mostFlops, QUICK_FLOPS) : mostFlops;
        for (List<GridCase> grid : PeerGrids.all()) {
            List<GridCase> small =
                    grid.stream().filter(one -> one.flops() <= most).toList();
            Covering.select(small, selection.seed(), quick ? 0 : GRID_EFFORT)
                    .forEach(one -> cases.add(ProblemCases.grid(one)));
        }
        return cases.stream()
                .filter(one -> one.flops() <= mostFlops)
                .filter(one -> !emulated
                        || !Outcome.feature(one.name()).matches("gradients|autograd")
                        || one.name().equals(GradientCases.FIRST))
                .toList();
    }

    /** The case of a name, in whatever selection it is. */
    static ConformanceCase find(String name) {
        if (name.matches(RANDOM + "-?\\d{1,18}")) {
            return ProblemCases.random(Long.parseLong(name.substring(RANDOM.length())));
        }
        Optional<ConformanceCase> found = named().stream()
                .filter(one -> one.name().equals(name))
                .findFirst()
                .or(() -> PeerGrids.find(name).map(ProblemCases::grid));
        return found.orElseThrow(() -> new IllegalArgumentException("case: \"" + name
                + "\", must be the name of a case as a report has it, such as causal/top-left-2x5 or random/100000"));
    }

    /** All that is neither random nor of a grid. */
    static List<ConformanceCase> named() {
        List<ConformanceCase> cases = new ArrayList<>();
        cases.add(real());
        FILES.forEach(name -> cases.add(file(name)));
        cases.addAll(ScoreCases.all());
        cases.addAll(PositionCases.all());
        cases.addAll(ShapeCases.all());
        cases.addAll(PromiseCases.all());
        cases.addAll(GradientCases.all());
        return cases;
    }

    /** A case from a file that comes with the library. */
    private static ConformanceCase file(String name) {
        return new ConformanceCase(
                name, 0, 0, DType.FLOAT32, () -> FileCases.check(CaseFile.builtIn(name + ".safetensors")));
    }

    /** A real model's attention, against its own runtime and the oracle. */
    private static ConformanceCase real() {
        return new ConformanceCase("real/sentences", 1e6, 32, DType.FLOAT32, () -> {
            CaseFile file = CaseFile.sentences();
            ConformanceCase.Check recorded = FileCases.check(file);
            AttentionCase attention = AttentionCase.of(file);
            ConformanceCase.Check measured = ProblemCases.check(
                    new Inputs(attention.query(), attention.key(), attention.value(), attention.attention()));
            return engine -> measured.on(engine).and(recorded.on(engine));
        });
    }
}
