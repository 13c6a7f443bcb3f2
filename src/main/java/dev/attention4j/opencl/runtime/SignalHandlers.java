package dev.attention4j.opencl.runtime;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.helpers.NOPLoggerFactory;

/**
 * Keeps the JVM's signal handlers in force beside an OpenCL compiler in the same process, on Linux.
 *
 * <p>HotSpot lives on faults: null checks and safepoints are reads that may fault, integer division by zero is SIGFPE,
 * and its handlers make of them what Java says; SIGINT and SIGTERM run shutdown hooks. LLVM, which PoCL compiles with,
 * replaces the handlers when it first writes a file, and PoCL's own handler for SIGFPE makes 7 / 0 a 7. Rusticl and
 * Oclgrind compile with LLVM too, and leave the handlers alone.
 *
 * <p>So the handlers are read before a driver is called and put back after it. LLVM does not notice, and never replaces
 * them again: it remembers that it has. Its one turn is brought about by a function of its own, which takes microseconds,
 * as soon as a driver has loaded it. What is left is SIGFPE while PoCL looks for its devices for the first time, some
 * milliseconds, and a compiler linked into a driver, until its first build is done; in these another thread may meet
 * the wrong handler.
 */
public final class SignalHandlers {
    private static final Logger LOG = LoggerFactory.getLogger(SignalHandlers.class);
    private static final AtomicBoolean WARNED = new AtomicBoolean();
    private static final Path MAPS = Path.of("/proc/self/maps");

    /** Those that LLVM and PoCL replace: SIGHUP to SIGFPE, SIGUSR1 to SIGPIPE, SIGTERM, SIGXCPU, SIGXFSZ, SIGSYS. */
    private static final int[] SIGNALS = {1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 15, 24, 25, 31};

    /** The handler's address, and the first signals of its mask. */
    private static final int COMPARED_BYTES = 16;

    /** LLVM's function that has its signal handlers installed, part of its C interface. */
    private static final String INSTALLS_HANDLERS = "LLVMEnablePrettyStackTrace";

    /** One for all class loaders of this JVM: none may take for the JVM's what a driver has just put there for another. */
    private static final Object LOCK = "dev.attention4j: a driver may replace signal handlers".intern();

    private static int underWay;
    private static Map<Integer, ByteBuffer> saved = Map.of();
    private static boolean settled;

    private SignalHandlers() {}

    /**
     * Calls what may load drivers, with the signal handlers put back afterwards.
     *
     * @param call is run alone, in this JVM
     * @return the call's result
     */
    static <T> T keepWhileLoading(Supplier<T> call) {
        synchronized (LOCK) {
            return keep(call);
        }
    }

    /**
     * Calls a driver, with the signal handlers put back afterwards.
     *
     * @param call may be one of several at a time
     * @return the call's result
     */
    static <T> T keep(Supplier<T> call) {
        Optional<CLibrary> library = CLibrary.load();
        if (library.isEmpty()) {
            return call.get();
        }
        synchronized (LOCK) {
            if (underWay++ == 0) {
                saved = read(library.get());
            }
        }
        try {
            return call.get();
        } finally {
            synchronized (LOCK) {
                restore(library.get());
                underWay--;
            }
        }
    }

    /** Has each LLVM in this process replace the handlers now, and puts them back at once. */
    static void settleCompilers() {
        Optional<CLibrary> library = CLibrary.load();
        if (library.isEmpty() || settled) {
            return;
        }
        settled = true;
        Set<String> compilers = loaded("libLLVM");
        // LLVM gives the calling thread a stack for its handlers: one that ends now.
        Thread thread = new Thread(
                () -> compilers.forEach(file -> library.get().run(file, INSTALLS_HANDLERS)), "attention4j compilers");
        thread.setDaemon(true);
        keep(() -> {
            try {
                thread.start();
            } catch (OutOfMemoryError e) {
                // No thread can be started: the handlers are put back after the call that compiles first.
                return null;
            }
            boolean interrupted = false;
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            return null;
        });
    }

    private static Map<Integer, ByteBuffer> read(CLibrary library) {
        Map<Integer, ByteBuffer> actions = new TreeMap<>();
        for (int signal : SIGNALS) {
            library.action(signal).ifPresent(action -> actions.put(signal, action));
        }
        return actions;
    }

    private static void restore(CLibrary library) {
        saved.forEach((signal, action) -> {
            Optional<ByteBuffer> now = library.action(signal);
            // What the program itself has set meanwhile, in another thread, is a handler in the JVM.
            if (now.isPresent()
                    && !compared(now.get()).equals(compared(action))
                    && !isOfTheJvm(library, now.get().getLong(0))) {
                library.setAction(signal, action);
            }
        });
    }

    private static ByteBuffer compared(ByteBuffer action) {
        return action.duplicate().limit(COMPARED_BYTES);
    }

    private static boolean isOfTheJvm(CLibrary library, long handler) {
        return library.libraryOf(handler).matches(".*/lib(jvm|jsig|j9\\w*)\\.so");
    }

    /** Signal → library of its handler, for signals whose handler is in a driver or its compiler. */
    static Map<Integer, String> replaced() {
        Map<Integer, String> replaced = new TreeMap<>();
        CLibrary.load().ifPresent(library -> read(library).forEach((signal, action) -> {
            String owner = library.libraryOf(action.getLong(0));
            if (owner.matches("(?i).*/lib[^/]*(llvm|pocl|opencl)[^/]*")) {
                replaced.put(signal, owner);
            }
        }));
        return replaced;
    }

    /**
     * Returns whether a driver is registered whose compiler replaces them.
     *
     * @return true if PoCL is
     */
    public static boolean areAtRisk() {
        return Files.isReadable(MAPS) && RegisteredDrivers.find().stream().anyMatch(RegisteredDrivers.Driver::isPocl);
    }

    /**
     * The reason for which handlers are not, or were not, put back.
     *
     * @return one clause; empty if they are
     */
    public static Optional<String> whyNotKept() {
        if (!areAtRisk() || !loaded("libjsig").isEmpty()) {
            return Optional.empty();
        }
        if (CLibrary.load().isEmpty()) {
            return Optional.of(CLibrary.whyNot());
        }
        Map<Integer, String> replaced = replaced();
        return replaced.isEmpty()
                ? Optional.empty()
                : Optional.of("they were replaced before attention4j was used: " + replaced);
    }

    /** What helps where the handlers cannot be kept. */
    public static String fix() {
        return "have JNA (net.java.dev.jna:jna) on the class path and let it load its native library"
                + " (--enable-native-access=ALL-UNNAMED on Java 24 and later), or start Java with LD_PRELOAD="
                + Path.of(System.getProperty("java.home"), "lib", "libjsig.so");
    }

    /** Says once in this process what may happen, and what helps: a program that divides by zero would not be told. */
    static void warnOnce() {
        if (!WARNED.compareAndSet(false, true)) {
            return;
        }
        whyNotKept().ifPresent(reason -> {
            String text =
                    "PoCL, one of the OpenCL drivers here, replaces this JVM's signal handlers, and they cannot be put"
                            + " back (" + reason
                            + "): 7 / 0 may be 7 instead of an ArithmeticException, Ctrl-C may not run shutdown"
                            + " hooks, and very rarely the JVM crashes. Fix: " + fix();
            LOG.warn("{}", text);
            if (LoggerFactory.getILoggerFactory() instanceof NOPLoggerFactory) {
                // Of a danger to the whole process also a program without a logger is told.
                System.err.println("attention4j: " + text);
            }
        });
    }

    /** The files of the libraries in this process whose names begin so; empty where that cannot be seen. */
    static Set<String> loaded(String name) {
        try {
            if (!Files.isReadable(MAPS)) {
                return Set.of();
            }
            return new String(Files.readAllBytes(MAPS), StandardCharsets.ISO_8859_1)
                    .lines()
                    .filter(line -> line.contains("/" + name))
                    .map(line -> line.substring(line.indexOf('/')))
                    .collect(Collectors.toCollection(TreeSet::new));
        } catch (IOException e) {
            return Set.of();
        }
    }
}
