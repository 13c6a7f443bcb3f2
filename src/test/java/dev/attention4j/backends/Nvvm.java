package dev.attention4j.backends;

import com.sun.jna.Function;
import com.sun.jna.Memory;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A program that compiles LLVM 15's text to PTX by NVIDIA's libnvvm: its arguments are library, text and PTX. */
final class Nvvm {
    private static final String[] OPTIONS = {
        "-arch=compute_80", "-ftz=1", "-prec-div=0", "-prec-sqrt=0", "-fma=1", "-opt=3"
    };

    /** Attributes that LLVM 7 does not know. */
    private static final Pattern NEWER_WORDS =
            Pattern.compile("\\b(immarg|noundef|mustprogress|willreturn|nofree|nosync|nocallback|dso_local)\\b ?");

    private static final Pattern NEGATION =
            Pattern.compile("fneg ((?:(?:nnan|ninf|nsz|arcp|contract|afn|reassoc|fast) )*)(<\\d+ x \\w+>|\\w+) (\\S+)");

    private static final String LAYOUT =
            "target datalayout = \"e-p:64:64:64-i1:8:8-i8:8:8-i16:16:16-i32:32:32-i64:64:64-i128:128:128-f32:32:32"
                    + "-f64:64:64-v16:16:16-v32:32:32-v64:64:64-v128:128:128-n16:32:64\"";

    private final NativeLibrary library;
    private Pointer program;

    private Nvvm(String library) {
        this.library = NativeLibrary.getInstance(library);
    }

    public static void main(String[] arguments) throws Exception {
        String text = forLlvm7(Files.readString(Path.of(arguments[1])));
        Files.writeString(Path.of(arguments[2]), new Nvvm(arguments[0]).compile(text));
    }

    private String compile(String text) {
        PointerByReference created = new PointerByReference();
        call("nvvmCreateProgram", created);
        program = created.getValue();
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        call("nvvmAddModuleToProgram", program, bytes, (long) bytes.length, "kernel");
        call("nvvmCompileProgram", program, OPTIONS.length, OPTIONS);
        return result("nvvmGetCompiledResultSize", "nvvmGetCompiledResult");
    }

    private String result(String sizeOf, String get) {
        LongByReference size = new LongByReference();
        function(sizeOf).invokeInt(new Object[] {program, size});
        try (Memory memory = new Memory(Math.max(1, size.getValue()))) {
            function(get).invokeInt(new Object[] {program, memory});
            return memory.getString(0);
        }
    }

    private Function function(String name) {
        return library.getFunction(name);
    }

    private void call(String name, Object... arguments) {
        int code = function(name).invokeInt(arguments);
        if (code != 0) {
            throw new IllegalStateException(name + " returned " + code + ": "
                    + (program == null ? "" : result("nvvmGetProgramLogSize", "nvvmGetProgramLog")));
        }
    }

    /** Returns the text in LLVM 7's dialect, which libnvvm reads. */
    private static String forLlvm7(String text) {
        String older = NEWER_WORDS.matcher(text).replaceAll("");
        older = NEGATION.matcher(older)
                .replaceAll(negation -> Matcher.quoteReplacement("fsub " + negation.group(1) + negation.group(2) + " "
                        + zero(negation.group(2)) + ", " + negation.group(3)));
        older = older.replaceAll("\\bpoison\\b", "undef")
                .replaceAll("(?m)= freeze (.*?) (%\\S+|\\d+)$", "= select i1 true, $1 $2, $1 $2")
                .replaceAll("memory\\([^)]*\\)", "")
                .replaceAll("\\b(byval|sret)\\([^)]*\\)", "$1")
                .replaceAll("(?m)^!(llvm\\.module\\.flags|opencl).*$", "")
                .replaceAll("(?m)^target triple.*$", "target triple = \"nvptx64-nvidia-cuda\"")
                .replaceAll("(?m)^target datalayout.*$", Matcher.quoteReplacement(LAYOUT))
                .replaceAll(", !srcloc !\\d+", "");
        return older + "\n!nvvmir.version = !{!99999}\n!99999 = !{i32 2, i32 0, i32 3, i32 1}\n";
    }

    /** The negative zero of a type, a scalar or a vector. */
    private static String zero(String type) {
        Matcher vector = Pattern.compile("<(\\d+) x (\\w+)>").matcher(type);
        if (!vector.matches()) {
            return "-0.000000e+00";
        }
        int lanes = Integer.parseInt(vector.group(1));
        String lane = vector.group(2) + " -0.000000e+00";
        return "<" + String.join(", ", java.util.Collections.nCopies(lanes, lane)) + ">";
    }
}
