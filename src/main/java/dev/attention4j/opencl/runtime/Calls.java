package dev.attention4j.opencl.runtime;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.IntSupplier;
import java.util.function.ToIntFunction;
import org.jocl.CL;
import org.jocl.CLException;
import org.jocl.Pointer;

/**
 * Makes calls to OpenCL: turns error codes into exceptions, and takes the answers of {@code clGet…Info}. Tests inject
 * failures here.
 */
final class Calls {
    /** A larger answer is damage: PoCL 3.1 gives any size for a program whose build never began. */
    private static final long MOST_BYTES = 64L << 20;

    /** Outside of the heap: under {@code -Xcheck:jni} JOCL loses what a driver writes to an array. */
    private static final ThreadLocal<ByteBuffer> NUMBER =
            ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder()));

    /** Gives the code with which a call fails without being made, or CL_SUCCESS. Null outside of tests. */
    private static volatile ToIntFunction<String> faults;

    private Calls() {}

    /** Fails each call for which a function of its name gives a code other than CL_SUCCESS. For tests, which run alone. */
    static void inject(ToIntFunction<String> injector) {
        faults = injector;
    }

    /** Lets all calls pass again. */
    static void injectNothing() {
        faults = null;
    }

    /** Returns a call's code, even where another user of JOCL has turned its exceptions on, a switch for the whole JVM. */
    static int codeOf(String call, IntSupplier body) {
        ToIntFunction<String> injector = faults;
        int fault = injector == null ? CL.CL_SUCCESS : injector.applyAsInt(call);
        if (fault != CL.CL_SUCCESS) {
            return fault;
        }
        try {
            return body.getAsInt();
        } catch (CLException e) {
            return e.getStatus();
        }
    }

    /** Makes a call that returns a code. */
    static void run(String call, IntSupplier body) {
        check(call, codeOf(call, body));
    }

    static void check(String call, int code) {
        if (code != CL.CL_SUCCESS) {
            throw new ClException(call, code, "");
        }
    }

    /** A call that returns an object and writes a code. */
    interface Creation<T> {
        T create(int[] code);
    }

    /** Makes a call that returns an object. */
    static <T> T create(String call, Creation<T> body) {
        Object[] created = new Object[1];
        run(call, () -> {
            int[] code = new int[1];
            created[0] = body.create(code);
            return code[0];
        });
        @SuppressWarnings("unchecked")
        T result = (T) created[0];
        return result;
    }

    /** A {@code clGet…Info} of an object and a parameter. */
    interface Question {
        /** Writes at most these bytes of the answer, and its size, unless they are null; returns the code. */
        int ask(long bytes, Pointer answer, long[] size);
    }

    /** Asks for a number of 8 bytes, or of 4 without a sign. */
    static long number(String call, int bytes, Question question) {
        ByteBuffer number = NUMBER.get();
        number.putLong(0, 0);
        run(call, () -> question.ask(bytes, Pointer.to(number), null));
        return bytes == 4 ? Integer.toUnsignedLong(number.getInt(0)) : number.getLong(0);
    }

    /** Asks for bytes; none if the driver gives an impossible size. */
    static byte[] bytes(String call, Question question) {
        long[] size = new long[1];
        run(call, () -> question.ask(0, null, size));
        if (size[0] <= 0 || size[0] > MOST_BYTES) {
            return new byte[0];
        }
        ByteBuffer answer = ByteBuffer.allocateDirect((int) size[0]);
        run(call, () -> question.ask(answer.capacity(), Pointer.to(answer), null));
        return array(answer);
    }

    static byte[] array(ByteBuffer bytes) {
        byte[] copy = new byte[bytes.capacity()];
        bytes.duplicate().clear().get(copy);
        return copy;
    }
}
