package dev.attention4j.opencl.machine;

import java.lang.ref.Reference;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;

/**
 * Functions of the C library that Java does not offer, called through JNA, on Linux.
 *
 * <p>JNA is called by reflection, for two reasons. A program may leave it out. And JNA's public way to find a function
 * runs {@code ldconfig} in a child process and starts a thread that never ends, which keeps the class loader of a web
 * application in memory; the two methods that only call {@code dlopen} and {@code dlsym} are not public.
 */
public final class CLibrary {
    /** Larger than {@code struct sigaction} on any architecture. */
    private static final int ACTION_BYTES = 256;

    private static final int INFO_BYTES = 32;
    private static final int LAZY = 1;

    /** Names the directory to which JNA unpacks its native library. */
    private static final String DIRECTORY = "jna.tmpdir";

    private static CLibrary loaded;
    private static String whyNot;

    private final Method open;
    private final Method findSymbol;
    private final Method addressOf;
    private final Constructor<?> pointer;
    private final Method getString;
    private final Method getFunction;
    private final Method invokeInt;
    private final Object sigaction;
    private final Object dladdr;
    private final Object setenv;
    private final Object unsetenv;

    private CLibrary() throws ReflectiveOperationException {
        ClassLoader loader = CLibrary.class.getClassLoader();
        Class<?> natives = Class.forName("com.sun.jna.Native", true, loader);
        Class<?> pointers = Class.forName("com.sun.jna.Pointer", true, loader);
        Class<?> functions = Class.forName("com.sun.jna.Function", true, loader);
        open = natives.getDeclaredMethod("open", String.class, int.class);
        open.setAccessible(true);
        findSymbol = natives.getDeclaredMethod("findSymbol", long.class, String.class);
        findSymbol.setAccessible(true);
        addressOf = natives.getMethod("getDirectBufferPointer", Buffer.class);
        pointer = pointers.getConstructor(long.class);
        getString = pointers.getMethod("getString", long.class);
        getFunction = functions.getMethod("getFunction", pointers);
        invokeInt = functions.getMethod("invokeInt", Object[].class);
        sigaction = function(null, "sigaction");
        dladdr = function(null, "dladdr");
        setenv = function(null, "setenv");
        unsetenv = function(null, "unsetenv");
    }

    /** Returns the library; empty where it cannot be called, which {@link #whyNot} explains. */
    public static synchronized Optional<CLibrary> load() {
        if (loaded == null && whyNot == null) {
            whyNot = tryLoad();
        }
        return Optional.ofNullable(loaded);
    }

    /** Returns why {@link #load} gives none, one clause. */
    static String whyNot() {
        load();
        return whyNot;
    }

    private static String tryLoad() {
        if (!System.getProperty("os.name").toLowerCase(Locale.ROOT).contains("linux")) {
            return "this is not Linux";
        }
        boolean chosen = System.getProperty(DIRECTORY) != null;
        if (!chosen) {
            // Without it JNA makes a folder in the home that Java reports, even in one called "?".
            System.setProperty(
                    DIRECTORY,
                    UserDirectory.natives().map(Object::toString).orElse(System.getProperty("java.io.tmpdir")));
        }
        try {
            loaded = new CLibrary();
            return null;
        } catch (ClassNotFoundException e) {
            return "JNA (net.java.dev.jna:jna) is not on the class path";
        } catch (ReflectiveOperationException | LinkageError | RuntimeException e) {
            Throwable cause = e instanceof InvocationTargetException && e.getCause() != null ? e.getCause() : e;
            return "JNA does not load: "
                    + String.valueOf(cause.getMessage()).lines().findFirst().orElse("") + " ("
                    + cause.getClass().getSimpleName() + ")";
        } finally {
            if (!chosen) {
                System.clearProperty(DIRECTORY);
            }
        }
    }

    /** Returns the struct {@code sigaction} of a signal; empty if the signal cannot be handled. */
    public Optional<ByteBuffer> action(int signal) {
        ByteBuffer action = buffer(ACTION_BYTES);
        return call(sigaction, signal, null, action) == 0 ? Optional.of(action) : Optional.empty();
    }

    /** Sets the struct {@code sigaction} of a signal. */
    void setAction(int signal, ByteBuffer action) {
        call(sigaction, signal, action, null);
    }

    /** Returns the file of the library that holds a function; empty if none does. */
    public String libraryOf(long function) {
        ByteBuffer info = buffer(INFO_BYTES);
        if (call(dladdr, function, info) == 0 || info.getLong(0) == 0) {
            return "";
        }
        return (String) invoke(getString, create(info.getLong(0)), 0L);
    }

    /** Sets a variable of the process's environment; neither {@code System.getenv} nor child processes see it. */
    void setEnvironment(String name, String value) {
        call(setenv, name, value, 1);
    }

    /** Removes a variable of the process's environment. */
    void unsetEnvironment(String name) {
        call(unsetenv, name);
    }

    /** Calls a function without parameters or result of a loaded library; returns false if it has none of this name. */
    boolean run(String library, String function) {
        try {
            call(function(library, function));
            return true;
        } catch (UnsatisfiedLinkError e) {
            return false;
        }
    }

    private Object function(String library, String name) {
        long handle = (long) invoke(open, null, library, LAZY);
        long address = handle == 0 ? 0 : (long) invoke(findSymbol, null, handle, name);
        if (address == 0) {
            throw new UnsatisfiedLinkError((library == null ? "the process" : library) + " has no function " + name);
        }
        return invoke(getFunction, null, create(address));
    }

    private Object create(long address) {
        try {
            return pointer.newInstance(address);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * Calls a function that returns an {@code int}. Arguments are numbers, texts, buffers outside of the heap, or null.
     *
     * <p>JNA gets pointers only: for a number or a buffer it would call a method without checking for an exception,
     * which {@code -Xcheck:jni} reports, and for a text it would start a thread. Pointers are passed in registers as
     * numbers are.
     */
    private int call(Object function, Object... arguments) {
        Object[] kept = arguments.clone();
        Object[] passed = new Object[kept.length];
        for (int n = 0; n < passed.length; n++) {
            if (kept[n] instanceof String text) {
                byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
                kept[n] = buffer(bytes.length + 1).put(bytes);
            }
            if (kept[n] instanceof Number number) {
                passed[n] = create(number.longValue());
            } else if (kept[n] != null) {
                passed[n] = invoke(addressOf, null, kept[n]);
            }
        }
        try {
            return (int) invoke(invokeInt, function, (Object) passed);
        } finally {
            Reference.reachabilityFence(kept);
        }
    }

    private static Object invoke(Method method, Object target, Object... arguments) {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof Error error) {
                throw error;
            }
            throw new IllegalStateException(e.getCause());
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    private static ByteBuffer buffer(int bytes) {
        return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
    }
}
