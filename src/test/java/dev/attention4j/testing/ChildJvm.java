package dev.attention4j.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Runs a program of the tests in a JVM of its own: what a driver reads from the environment it reads once. */
public final class ChildJvm {
    private final Class<?> program;
    private final List<String> options = new ArrayList<>();
    private final Map<String, String> environment;
    private final ProcessBuilder builder = new ProcessBuilder();
    private String limits = "";

    /**
     * A program that has not started yet.
     *
     * @param program has a {@code main}
     */
    public ChildJvm(Class<?> program) {
        this.program = program;
        environment = builder.environment();
    }

    /**
     * Adds options of the JVM.
     *
     * @param more such as {@code -Dname=value}
     * @return this
     */
    public ChildJvm options(String... more) {
        options.addAll(List.of(more));
        return this;
    }

    /**
     * Sets a variable of the environment.
     *
     * @param name the variable
     * @param value its value
     * @return this
     */
    public ChildJvm environment(String name, String value) {
        environment.put(name, value);
        return this;
    }

    /**
     * Sets limits of the process.
     *
     * @param options of the shell's {@code ulimit}, such as {@code -n 80}
     * @return this
     */
    public ChildJvm limits(String options) {
        limits = options;
        return this;
    }

    /**
     * Runs it to its end, which must be a good one.
     *
     * @param directory where the log of its standard error goes
     * @param arguments of {@code main}
     * @return what it printed
     */
    public String run(Path directory, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        if (!limits.isEmpty()) {
            command.addAll(List.of("/bin/sh", "-c", "ulimit " + limits + " && exec \"$0\" \"$@\""));
        }
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        command.add("-cp");
        command.add(System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
        command.add(program.getName());
        command.addAll(List.of(arguments));
        Path output = Files.createTempFile(directory, "child", ".out");
        Path errors = Files.createTempFile(directory, "child", ".err");
        Process process = builder.command(command)
                .redirectOutput(output.toFile())
                .redirectError(errors.toFile())
                .start();
        try {
            assertThat(process.waitFor(20, TimeUnit.MINUTES))
                    .as("ends within 20 minutes")
                    .isTrue();
        } finally {
            process.destroyForcibly();
        }
        String printed = Files.readString(output, StandardCharsets.UTF_8);
        assertThat(process.exitValue())
                .as(printed + Files.readString(errors, StandardCharsets.UTF_8))
                .isZero();
        return printed;
    }
}
