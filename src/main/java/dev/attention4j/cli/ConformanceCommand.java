package dev.attention4j.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** {@code conformance}. */
@Command(name = "conformance")
final class ConformanceCommand implements Callable<Integer> {
    static final String ALL = "all";

    @Override
    public Integer call() {
        return Main.OK;
    }
}
