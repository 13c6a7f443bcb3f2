package dev.attention4j.backends;

import dev.attention4j.opencl.runtime.ClDevice;
import dev.attention4j.opencl.runtime.OfflineDevices;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** A vendor's compiler for one of its devices, which need not be there. */
abstract class Backend {
    private static final int LIMIT_SECONDS = 300;

    private final String name;
    private final ClDevice device;

    Backend(String name, ClDevice device) {
        this.name = name;
        this.device = device;
    }

    /** All devices that kernels are compiled for, whether their compilers are installed or not. */
    static List<Backend> all() {
        List<Backend> all = new ArrayList<>();
        Stream.of("gfx906", "gfx90a", "gfx1030", "gfx1100").map(AmdBackend::new).forEach(all::add);
        all.add(new IntelBackend("dg2", "acm-g10"));
        all.add(new IntelBackend("pvc", "pvc"));
        all.add(new IntelBackend("tgl", "tgllp"));
        Stream.of("sm_80", "sm_89", "sm_90").map(NvidiaBackend::new).forEach(all::add);
        return all;
    }

    /** The compiler's name of the device. */
    final String name() {
        return name;
    }

    /** The device as its driver would describe it. */
    final ClDevice device() {
        return device;
    }

    abstract String vendor();

    /** Returns what is not installed that {@link #compile} needs, and how to get it; empty if nothing is missing. */
    abstract Optional<String> missing();

    /**
     * Compiles a kernel.
     *
     * @param source the kernel file with its includes
     * @param directory for the compiler's files; empty
     * @throws IOException with the compiler's messages if it does not compile
     */
    abstract Usage compile(KernelBuild build, Path source, Path directory) throws IOException, InterruptedException;

    /** The options that the plans give to clBuildProgram. */
    final List<String> options(KernelBuild build) {
        return Arrays.asList(OfflineDevices.options(device, build.defines(), build.moreRegisters())
                .split(" "));
    }

    @Override
    public final String toString() {
        return name;
    }

    /** Returns what a command prints, both outputs together; it must end well. */
    static String run(Path directory, List<String> command) throws IOException, InterruptedException {
        Path output = directory.resolve("output.txt");
        Process process = new ProcessBuilder(command)
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new IOException("not ready after " + LIMIT_SECONDS + " s: " + command);
        }
        String printed = Files.readString(output);
        if (process.exitValue() != 0) {
            throw new IOException(command + "\n" + printed.substring(0, Math.min(4000, printed.length())));
        }
        return printed;
    }

    /** Returns the first of these programs that there is: names to look for in PATH, or paths. */
    static Optional<Path> find(String... programs) {
        List<String> directories = List.of(System.getenv("PATH").split(":"));
        return Stream.of(programs)
                .flatMap(program -> program.startsWith("/")
                        ? Stream.of(Path.of(program))
                        : directories.stream().map(directory -> Path.of(directory, program)))
                .filter(Files::isReadable)
                .findFirst();
    }

    /** Returns the number that a group of a pattern matches first, or 0. */
    static int number(String pattern, String text) {
        Matcher matcher = Pattern.compile(pattern, Pattern.MULTILINE).matcher(text);
        return matcher.find() ? Integer.parseInt(matcher.group(1)) : 0;
    }
}
