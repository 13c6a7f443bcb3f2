package dev.attention4j.opencl.machine;

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
 * Keeps the JVM's signal handlers in force when an OpenCL compiler runs in the same process, on Linux.
 *
 * <p>HotSpot relies on faults: null checks and safepoints are reads that may fault, and integer division by zero is SIGFPE; its
 * handlers turn them into exceptions. SIGINT and SIGTERM run shutdown hooks. LLVM, with which PoCL compiles, replaces the
 * handlers when it first writes a file, and PoCL's handler for SIGFPE makes 7 / 0 a 7. Rusticl and Oclgrind also compile with
 * LLVM, but leave the handlers alone.
 *
 * <p>So the handlers are read before a driver is called and put back afterwards. LLVM replaces them only once; one of its own
 * functions makes it do so, in microseconds, as soon as a driver has loaded it. Two gaps remain in which another thread may
 * meet the wrong handler: SIGFPE while PoCL first looks for its devices, for some milliseconds, and any signal during the
 * first build of a compiler that is linked into a driver.
 */
public final class SignalHandlers {
    private static final Logger LOG = LoggerFactory.getLogger(SignalHandlers.class);
    private static final AtomicBoolean WARNED = new AtomicBoolean();
    private static final Path MAPS = Path.of("/proc/self/maps");

    /** The signals that LLVM and PoCL replace: SIGHUP to SIGFPE, SIGUSR1 to SIGPIPE, SIGTERM, SIGXCPU, SIGXFSZ, SIGSYS. */
    private static final int[] SIGNALS = {1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 15, 24, 25, 31};

    /** The handler's address, and the first signals of its mask. */
    private static final int COMPARED_BYTES = 16;

    /** The function of LLVM's C interface that installs its signal handlers. */
    private static final String INSTALLS_HANDLERS = "LLVMEnablePrettyStackTrace";

    /** One lock for all class loaders of this JVM: none may save handlers that a driver has just installed for another. */
    private static final Object LOCK = "dev.attention4j: a driver may replace signal handlers".intern();

    private static int underWay;
    private static Map<Integer, ByteBuffer> saved = Map.of();
    private static boolean settled;

    private SignalHandlers() {}

    /** Runs a call that may load drivers, alone in this JVM, and puts the signal handlers back. */
    public static <T> T keepWhileLoading(Supplier<T> call) {
        synchronized (LOCK) {
            return keep(call);
        }
    }

    /** Runs a call to a driver and puts the signal handlers back; several calls may run at a time. */
    public static <T> T keep(Supplier<T> call) {
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

    /** Makes each LLVM in this process replace the handlers now, and puts them back at once. */
    public static void settleCompilers() {
        Optional<CLibrary> library = CLibrary.load();
        if (library.isEmpty() || settled) {
            return;
        }
        settled = true;
        Set<String> compilers = loaded("libLLVM");
        // LLVM gives the calling thread a stack for its handlers, so the calling thread is one that ends now.
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
            // A handler in the JVM was set by the program itself meanwhile, in another thread.
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

    /** Returns the signals whose handler is in a driver or its compiler, and the library of each. */
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

    /** Returns whether a driver is registered whose compiler replaces them, that is, PoCL. */
    public static boolean areAtRisk() {
        return Files.isReadable(MAPS) && RegisteredDrivers.find().stream().anyMatch(RegisteredDrivers.Driver::isPocl);
    }

    /** Returns why handlers are not put back, one clause; empty if they are. */
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

    /** Returns the fix where the handlers cannot be kept. */
    public static String fix() {
        return "have JNA (net.java.dev.jna:jna) on the class path and let it load its native library"
                + " (--enable-native-access=ALL-UNNAMED on Java 24 and later), or start Java with LD_PRELOAD="
                + Path.of(System.getProperty("java.home"), "lib", "libjsig.so");
    }

    /** Warns, once in this process, if handlers are not put back: nothing else tells a program that divides by zero. */
    public static void warnOnce() {
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
                // A danger to the whole process is told to programs without a logger too.
                System.err.println("attention4j: " + text);
            }
        });
    }

    /** Returns the files of loaded libraries whose names begin so; empty where that cannot be read. */
    public static Set<String> loaded(String name) {
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
