package dev.attention4j.bench;

import dev.attention4j.cli.SignalChaining;
import java.io.IOException;
import java.util.OptionalInt;
import org.openjdk.jmh.Main;

/** JMH's command line, whose forks keep the JVM's signal handlers beside an OpenCL compiler. */
public final class Benchmarks {
    private Benchmarks() {}

    /**
     * Runs JMH.
     *
     * @param args as JMH takes them
     * @throws IOException if JMH cannot write its results
     */
    public static void main(String[] args) throws IOException {
        OptionalInt code = SignalChaining.runAgain();
        if (code.isPresent()) {
            System.exit(code.getAsInt());
        }
        Main.main(args);
    }
}
