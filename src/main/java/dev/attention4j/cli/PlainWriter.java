package dev.attention4j.cli;

import dev.attention4j.io.FileFormatException;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintStream;
import java.io.Writer;
import java.nio.charset.Charset;
import java.util.Optional;

/**
 * Writes to a terminal what can do no harm there: names in files and texts of drivers may hold characters that move the
 * cursor, ring the bell or set the title. Remembers the first failure, which a {@link java.io.PrintWriter} hides.
 */
final class PlainWriter extends Writer {
    private final Writer out;
    private IOException failure;

    PlainWriter(Writer out) {
        this.out = out;
    }

    /** Writes to standard output or standard error. */
    static PlainWriter to(FileDescriptor descriptor, Charset charset) {
        return new PlainWriter(new OutputStreamWriter(new FileOutputStream(descriptor), charset));
    }

    /** A stream for what libraries log, which is harmless as well. */
    static PrintStream stream(FileDescriptor descriptor, Charset charset) {
        return new PrintStream(new FileOutputStream(descriptor), true, charset) {
            @Override
            public void print(String text) {
                super.print(plain(String.valueOf(text)));
            }
        };
    }

    /** A break that is Windows' own stays. */
    private static String plain(String text) {
        String lines = text.replace("\r\n", "\n");
        String plain = FileFormatException.printableLines(lines);
        return lines.length() == text.length() ? plain : plain.replace("\n", "\r\n");
    }

    /** The first write that failed. */
    Optional<IOException> failure() {
        return Optional.ofNullable(failure);
    }

    @Override
    public void write(char[] text, int from, int length) throws IOException {
        try {
            out.write(plain(new String(text, from, length)));
        } catch (IOException e) {
            throw remembered(e);
        }
    }

    @Override
    public void flush() throws IOException {
        try {
            out.flush();
        } catch (IOException e) {
            throw remembered(e);
        }
    }

    @Override
    public void close() throws IOException {
        out.close();
    }

    private IOException remembered(IOException e) {
        failure = failure == null ? e : failure;
        return e;
    }
}
