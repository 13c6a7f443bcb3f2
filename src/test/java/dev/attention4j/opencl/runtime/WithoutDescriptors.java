package dev.attention4j.opencl.runtime;

import java.io.FileInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reads a kept build while this process can open no file. */
final class WithoutDescriptors {
    private WithoutDescriptors() {}

    /**
     * The program.
     *
     * @param arguments the directory of built programs
     */
    public static void main(String[] arguments) throws IOException {
        Path directory = Path.of(arguments[0]);
        ProgramCache cache = ProgramCache.open(directory);
        String key = ProgramCache.key("source", "options", "device");
        // Loads all classes, those that log as well.
        Files.createDirectory(directory.resolve(key + ".program"));
        cache.load(key);
        cache.store(key, new byte[] {1, 2, 3});
        cache.load(key);
        List<FileInputStream> open = new ArrayList<>();
        boolean more = true;
        while (more) {
            try {
                open.add(new FileInputStream("/dev/null"));
            } catch (IOException e) {
                more = false;
            }
        }
        boolean read = cache.load(key).isPresent();
        for (FileInputStream one : open) {
            one.close();
        }
        System.out.println("while none can be opened " + read + ", afterwards "
                + cache.load(key).isPresent());
    }
}
