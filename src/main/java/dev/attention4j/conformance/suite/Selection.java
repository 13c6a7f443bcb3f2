package dev.attention4j.conformance.suite;

import dev.attention4j.EngineInfo;
import dev.attention4j.conformance.ConformanceCase;
import dev.attention4j.conformance.FileCases;
import dev.attention4j.conformance.Finding;
import dev.attention4j.conformance.Outcome;
import dev.attention4j.conformance.Outcome.Status;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * The cases that are run, and the command that runs each alone.
 *
 * @param quick fewer random problems, and of the peers' grids the small problems
 * @param seed draws random problems and the part of each grid; the same seed selects the same cases
 * @param only the name of the one case of the built-in suite to run, whatever it builds; null for all
 * @param files the folder or file to read cases from; null for the built-in suite
 */
public record Selection(boolean quick, long seed, String only, String files) {
    /** The seed unless another is given. */
    public static final long DEFAULT_SEED = 1;

    /** Selects from the built-in suite. */
    public static Selection builtIn(boolean quick, long seed) {
        return new Selection(quick, seed, null, null);
    }

    /** Selects one case of the built-in suite. */
    public static Selection one(String name) {
        return new Selection(false, DEFAULT_SEED, name, null);
    }

    /** Selects all cases of a folder. */
    public static Selection files(Path folder) {
        return new Selection(false, DEFAULT_SEED, null, folder.toString());
    }

    /** True if these are all cases of the built-in suite that are run, and none the user asked for by name. */
    public boolean isSuite() {
        return only == null && files == null;
    }

    /** The cases for a kind of engine, at least one. */
    public List<ConformanceCase> cases(EngineInfo.Kind kind) throws IOException {
        return files == null ? BuiltInSuite.cases(this, kind) : FileCases.find(Path.of(files));
    }

    /** The outcome of a case, which a report shows by its own name if its file has one. */
    Outcome outcome(
            String caseName,
            String ownName,
            String engine,
            String plan,
            Status status,
            Finding finding,
            double seconds) {
        String detail = finding.detail();
        // A file that cannot be read is its own name.
        String file = ownName + ": ";
        return new Outcome(
                files == null ? Outcome.feature(caseName) : ownName,
                ownName,
                engine,
                finding.plans(plan),
                status,
                finding.error(),
                finding.units(),
                detail.startsWith(file) ? detail.substring(file.length()) : detail,
                seconds,
                "conformance " + (files == null ? "--case " : "--cases ") + Outcome.word(caseName) + " --device "
                        + engine + " --plan " + plan);
    }

    /** The command that runs all of it on an engine. */
    String reproduce(String engine, String plan) {
        return "conformance" + (files == null ? "" : " --cases " + Outcome.word(files)) + " --device " + engine
                + " --plan " + plan;
    }
}
