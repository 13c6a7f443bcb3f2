package dev.attention4j.opencl.runtime;

import java.util.function.Consumer;

/** A native handle of an OpenCL object: counted while it is alive, given out until it is released, and released once. */
final class Handle<T> {
    private final Handles.Kind kind;
    private final String name;
    private final T handle;

    /** Volatile: it is read at each use of the handle, without the lock of {@link #release}. */
    private volatile boolean released;

    /** Takes over a handle; the name is that of the object in errors. */
    Handle(Handles.Kind kind, String name, T handle) {
        this.kind = kind;
        this.name = name;
        this.handle = handle;
        Handles.created(kind, this);
    }

    /** Returns the handle: a driver may crash on a released one. */
    T get() {
        if (released) {
            throw new IllegalStateException(name + " is closed");
        }
        return handle;
    }

    boolean isReleased() {
        return released;
    }

    /** Gives the handle to OpenCL's function that releases it, at the first call. */
    void release(Consumer<T> function) {
        synchronized (this) {
            if (released) {
                return;
            }
            released = true;
        }
        Handles.released(kind, this);
        function.accept(handle);
    }
}
