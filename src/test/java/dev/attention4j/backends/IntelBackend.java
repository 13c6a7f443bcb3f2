package dev.attention4j.backends;

import dev.attention4j.opencl.runtime.OfflineDevices;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Intel's devices: the driver's own compiler, as a program. */
final class IntelBackend extends Backend {
    private static final Optional<Path> OCLOC = find("ocloc");
    private static final Pattern BUFFER =
            Pattern.compile("usage: +\\w+\\s+size: +(\\d+)(?:\\s+is_simt_thread: +(true))?");

    private final String compilersName;

    IntelBackend(String name, String compilersName) {
        super(name, OfflineDevices.intel(name));
        this.compilersName = compilersName;
    }

    @Override
    String vendor() {
        return "Intel";
    }

    @Override
    Optional<String> missing() {
        return OCLOC.isPresent() ? Optional.empty() : Optional.of("ocloc; apt-get install intel-opencl-icd");
    }

    @Override
    Usage compile(KernelBuild build, Path source, Path directory) throws IOException, InterruptedException {
        run(
                directory,
                List.of(
                        OCLOC.orElseThrow().toString(),
                        "compile",
                        "-file",
                        source.toString(),
                        "-device",
                        compilersName,
                        "-options",
                        String.join(" ", options(build)),
                        "-internal_options",
                        // A format whose notes can be read.
                        "-cl-intel-enable-zebin -cl-intel-allow-zebin",
                        "-out_dir",
                        directory.toString(),
                        "-output",
                        "kernel"));
        Path binary;
        try (var files = Files.list(directory)) {
            binary = files.filter(file -> file.toString().endsWith(".bin"))
                    .findFirst()
                    .orElseThrow(() -> new IOException("ocloc wrote no binary"));
        }
        return usage(build.kernel(), new String(Files.readAllBytes(binary), StandardCharsets.ISO_8859_1));
    }

    private static Usage usage(String kernel, String binary) {
        String notes = binary.substring(binary.indexOf("---\nversion"));
        notes = notes.substring(0, notes.indexOf('\0')).split("kernels_misc_info", 2)[0];
        int begin = Pattern.compile("- name: +" + kernel + "\n")
                .matcher(notes)
                .results()
                .findFirst()
                .orElseThrow()
                .start();
        int end = notes.indexOf("\n  - name:", begin);
        String text = notes.substring(begin, end < 0 ? notes.length() : end);
        int lanes = Math.max(1, number("\\bsimd_size: +(\\d+)", text));
        int ofItem = 0;
        int ofThread = 0;
        for (Matcher buffer = BUFFER.matcher(text); buffer.find(); ) {
            int size = Integer.parseInt(buffer.group(1));
            if (buffer.group(2) != null) {
                ofItem += size;
            } else {
                ofThread += size;
            }
        }
        return new Usage(
                number("\\bgrf_count: +(\\d+)", text),
                (ofThread + lanes - 1) / lanes,
                ofItem + (ofThread + lanes - 1) / lanes,
                number("\\bslm_size: +(\\d+)", text),
                "SIMD" + lanes);
    }
}
