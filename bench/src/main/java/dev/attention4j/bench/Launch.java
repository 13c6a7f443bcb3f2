package dev.attention4j.bench;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** The start and the end of this package's commands. */
public final class Launch {
    /** The exit code for bad usage or input. */
    public static final int BAD_INPUT = 2;

    private Launch() {}

    /** Runs a command and ends the JVM with its exit code. */
    public static void main(Callable<Integer> command, String... args) {
        if (System.getProperty("org.slf4j.simpleLogger.defaultLogLevel") == null) {
            System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "warn");
        }
        // DJL says once for each look that there is no CUDA, which no user asked for.
        System.setProperty("org.slf4j.simpleLogger.log.ai.djl", "error");
        PrintWriter out = new PrintWriter(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        PrintWriter err = new PrintWriter(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);
        System.exit(run(command, out, err, args));
    }

    /** As {@link #main}, but gives the exit code; an error is one line. */
    public static int run(Callable<Integer> command, PrintWriter out, PrintWriter err, String... args) {
        CommandLine line = new CommandLine(command).setOut(out).setErr(err);
        line.getCommandSpec()
                .addOption(OptionSpec.builder("-h", "--help")
                        .usageHelp(true)
                        .description("Shows this help and exits.")
                        .build());
        return line.setParameterExceptionHandler((e, unused) -> report(line, e))
                .setExecutionExceptionHandler((e, unused, parsed) -> report(line, e))
                .execute(args);
    }

    private static int report(CommandLine line, Exception e) {
        String message = e.getMessage() == null ? e.toString() : e.getMessage().strip();
        line.getErr().println(line.getCommandName() + ": " + message.replaceAll("\\s*\\R\\s*", "; "));
        if (System.getenv("ATTENTION4J_DEBUG") != null) {
            e.printStackTrace(line.getErr());
        }
        line.getErr().flush();
        return BAD_INPUT;
    }
}
