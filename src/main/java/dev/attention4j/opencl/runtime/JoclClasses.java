package dev.attention4j.opencl.runtime;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandles;
import org.jocl.cl_platform_id;

/**
 * Has JOCL load its native library from a directory of ours.
 *
 * <p>JOCL looks for the library in {@code java.library.path}, then unpacks it to a predictable name in {@code
 * java.io.tmpdir} and loads whatever lies there. To lead it elsewhere that property would have to be changed while it
 * loads, and each other thread that makes a temporary file just then would see it. So its class {@code LibUtils} is
 * defined with two changes in its constants: it reads a property of ours instead, and what it first does with the
 * library's bare name is {@code System.load}, which refuses one, instead of {@code System.loadLibrary}.
 */
final class JoclClasses {
    private static final String LOADING_CLASS = "/org/jocl/LibUtils.class";
    private static final String TEMPORARY_DIRECTORY = "java.io.tmpdir";

    /** Tags of constants in a class file. */
    private static final int UTF8 = 1;

    private static final int LONG = 5;
    private static final int DOUBLE = 6;
    private static final int NAME_AND_TYPE = 12;

    private JoclClasses() {}

    /**
     * Defines the class that loads the library.
     *
     * @param property names the directory when JOCL's class {@code CL} is initialised
     * @return false if JOCL has loaded that class by itself already, as another part of the program uses it
     */
    static boolean define(String property) throws IOException {
        byte[] original;
        // The class itself is not to be mentioned: that would load it.
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

    /** JOCL's class with the two changes. */
    private static byte[] changed(byte[] original, String property) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(original.length + property.length());
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(original));
                DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeInt(in.readInt()); // the magic number
            out.writeInt(in.readInt()); // the version
            int count = in.readUnsignedShort();
            out.writeShort(count);
            String[] texts = texts(original, count);
            int load = index(texts, "load");
            int loadLibrary = index(texts, "loadLibrary");
            int ofOneText = index(texts, "(Ljava/lang/String;)V");
            for (int n = 1; n < count; n++) {
                int tag = in.readUnsignedByte();
                out.writeByte(tag);
                if (tag == UTF8) {
                    String text = in.readUTF();
                    out.writeUTF(text.equals(TEMPORARY_DIRECTORY) ? property : text);
                } else if (tag == NAME_AND_TYPE) {
                    int name = in.readUnsignedShort();
                    int type = in.readUnsignedShort();
                    // LibUtils.loadLibrary has another type.
                    out.writeShort(name == loadLibrary && type == ofOneText ? load : name);
                    out.writeShort(type);
                } else {
                    out.write(in.readNBytes(bytesOf(tag)));
                    n += tag == LONG || tag == DOUBLE ? 1 : 0; // They take two numbers.
                }
            }
            out.write(in.readAllBytes());
        }
        return bytes.toByteArray();
    }

    /** Number of a constant → text. */
    private static String[] texts(byte[] original, int count) throws IOException {
        String[] texts = new String[count];
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(original))) {
            in.skipNBytes(10);
            for (int n = 1; n < count; n++) {
                int tag = in.readUnsignedByte();
                if (tag == UTF8) {
                    texts[n] = in.readUTF();
                } else {
                    in.skipNBytes(bytesOf(tag));
                    n += tag == LONG || tag == DOUBLE ? 1 : 0;
                }
            }
        }
        return texts;
    }

    private static int index(String[] texts, String text) throws IOException {
        for (int n = 1; n < texts.length; n++) {
            if (text.equals(texts[n])) {
                return n;
            }
        }
        throw new IOException("JOCL's LibUtils is another than that of 2.0.6: it has no constant " + text);
    }

    /** The size of a constant other than a text, behind its tag: JVM specification, table 4.4-A. */
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
