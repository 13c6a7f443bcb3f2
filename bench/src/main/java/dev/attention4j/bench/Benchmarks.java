package dev.attention4j.bench;

import java.io.IOException;
import org.openjdk.jmh.Main;

/** JMH's command line, whose forks keep the JVM's signal handlers beside an OpenCL compiler. */
public final class Benchmarks {
    private Benchmarks() {}

    /** Runs JMH. */
    public static void main(String[] args) throws IOException {
        Main.main(args);
    }
}
