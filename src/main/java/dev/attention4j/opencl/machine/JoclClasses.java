package dev.attention4j.opencl.machine;

import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandles;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jocl.cl_platform_id;

/**
 * Makes JOCL load its native library from a directory of this library's choice.
 *
 * <p>JOCL looks for the library in {@code java.library.path}, then unpacks it to a predictable name in {@code
 * java.io.tmpdir} and loads the file of that name. Changing that property while JOCL loads would affect every other thread
 * that makes a temporary file. So JOCL's class {@code LibUtils} is defined with two of its constants changed: it reads a
 * property of this library instead, and its first attempt, with the library's bare name, calls {@code System.load}, which
 * refuses such a name, instead of {@code System.loadLibrary}.
 */
final class JoclClasses {
    private static final String LOADING_CLASS = "/org/jocl/LibUtils.class";
    private static final String TEMPORARY_DIRECTORY = "java.io.tmpdir";
    private static final String LOAD = "load";
    private static final String LOAD_LIBRARY = "loadLibrary";
    private static final String OF_ONE_TEXT = "(Ljava/lang/String;)V";

    /** Tags of constants in a class file. */
    private static final int UTF8 = 1;

    private static final int LONG = 5;
    private static final int DOUBLE = 6;
    private static final int NAME_AND_TYPE = 12;

    private JoclClasses() {}

    /**
     * Defines the class that loads the library from the directory that a system property names. Returns false if JOCL
     * has loaded that class already, because another part of the program uses JOCL.
     */
    static boolean define(String property) throws IOException {
        byte[] original;
        // Naming the class itself would load it.
        try (InputStream resource = cl_platform_id.class.getResourceAsStream(LOADING_CLASS)) {
            if (resource == null) {
                throw new IOException("JOCL's jar has no " + LOADING_CLASS);
            }
            original = resource.readAllBytes();
        }
        try {
            MethodHandles.privateLookupIn(cl_platform_id.class, MethodHandles.lookup())
                    .defineClass(changed(original, property));
            return true;
        } catch (LinkageError | IllegalAccessException e) {
            return false;
        }
    }

    /** Returns JOCL's class with the two changes. */
    private static byte[] changed(byte[] original, String property) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(original.clone());
        // Text → number of its constant, and position of its length.
        Map<String, Integer> numbers = new HashMap<>();
        Map<String, Integer> positions = new HashMap<>();
        List<Integer> namesAndTypes = new ArrayList<>();
        int count = Short.toUnsignedInt(bytes.getShort(8));
        bytes.position(10);
        for (int n = 1; n < count; n++) {
            int tag = bytes.get();
            int at = bytes.position();
            int size = tag == UTF8 ? 2 + Short.toUnsignedInt(bytes.getShort(at)) : bytesOf(tag);
            if (tag == UTF8) {
                String text = new String(original, at + 2, size - 2, StandardCharsets.UTF_8);
                numbers.put(text, n);
                positions.put(text, at);
            } else if (tag == NAME_AND_TYPE) {
                namesAndTypes.add(at);
            }
            bytes.position(at + size);
            n += tag == LONG || tag == DOUBLE ? 1 : 0; // Each takes two numbers.
        }
        for (String text : new String[] {TEMPORARY_DIRECTORY, LOAD, LOAD_LIBRARY, OF_ONE_TEXT}) {
            if (!numbers.containsKey(text)) {
                throw new IOException("JOCL's LibUtils is not that of 2.0.6: it has no constant " + text);
            }
        }
        for (int at : namesAndTypes) {
            // LibUtils.loadLibrary has a different type.
            if (bytes.getShort(at) == numbers.get(LOAD_LIBRARY) && bytes.getShort(at + 2) == numbers.get(OF_ONE_TEXT)) {
                bytes.putShort(at, numbers.get(LOAD).shortValue());
            }
        }
        int begin = positions.get(TEMPORARY_DIRECTORY);
        int end = begin + 2 + TEMPORARY_DIRECTORY.length();
        byte[] name = property.getBytes(StandardCharsets.US_ASCII);
        return ByteBuffer.allocate(original.length + name.length - TEMPORARY_DIRECTORY.length())
                .put(bytes.array(), 0, begin)
                .putShort((short) name.length)
                .put(name)
                .put(bytes.array(), end, original.length - end)
                .array();
    }

    /** The size of a constant other than a text, without its tag: JVM specification, table 4.4-A. */
    private static int bytesOf(int tag) throws IOException {
        return switch (tag) {
            case 3, 4, 9, 10, 11, 12, 17, 18 -> 4;
            case LONG, DOUBLE -> 8;
            case 7, 8, 16, 19, 20 -> 2;
            case 15 -> 3;
            default -> throw new IOException("JOCL's LibUtils has a constant of unknown kind " + tag);
        };
    }
}
