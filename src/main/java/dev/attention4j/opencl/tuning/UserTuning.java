package dev.attention4j.opencl.tuning;

import com.fasterxml.jackson.jr.ob.JSON;
import dev.attention4j.Tuning;
import dev.attention4j.opencl.machine.UserFile;
import dev.attention4j.opencl.machine.Warnings;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The entries of this user, in a file of JSON, which shipped entries are too. */
public final class UserTuning {
    private static final String FORMAT = "attention4j tuning 1";
    private static final Logger LOG = LoggerFactory.getLogger(UserTuning.class);

    private final UserFile file;

    private UserTuning(UserFile file) {
        this.file = file;
    }

    /** Returns the entries that engines with this tuning read, of {@link Tuning.Source#USER}; nothing is read yet. */
    public static UserTuning of(Tuning tuning) {
        if (tuning.source() != Tuning.Source.USER) {
            throw new IllegalArgumentException("tuning: " + tuning + ", must be of the user");
        }
        return new UserTuning(tuning.file() == null ? UserFile.inCache("tuning.json") : UserFile.at(tuning.file()));
    }

    /** The file, which need not exist. */
    public Path file() {
        return file.path();
    }

    /**
     * Checks that entries can be kept.
     *
     * @throws IOException if the directory cannot be made or written, or is not this user's alone
     */
    public void prepare() throws IOException {
        file.prepare();
    }

    /** Reads the entries; none, with a warning that names the file, if it is damaged or other users can write it. */
    public List<TuningEntry> read() {
        try {
            return readOrThrow();
        } catch (IOException e) {
            Warnings.once(LOG, "This user's tuning is ignored: " + e.getMessage());
            return List.of();
        }
    }

    /** Keeps an entry instead of the one that it replaces. */
    public void put(TuningEntry entry) throws IOException {
        replace(entry, Stream.of(entry));
    }

    /** Removes the entry that another one would replace; returns true if there was one. */
    public boolean removeReplacedBy(TuningEntry entry) throws IOException {
        return replace(entry, Stream.empty());
    }

    /** Writes entries in an order that does not depend on when each was tuned. Returns whether one was replaced. */
    private boolean replace(TuningEntry entry, Stream<TuningEntry> by) throws IOException {
        AtomicBoolean replaced = new AtomicBoolean();
        file.change(() -> {
            Content before = readToChange();
            List<TuningEntry> others = before.entries().stream()
                    .filter(old -> !entry.replaces(old))
                    .toList();
            replaced.set(others.size() < before.entries().size());
            List<TuningEntry> after = Stream.concat(others.stream(), by)
                    .sorted(Comparator.comparing(TuningEntry::device)
                            .thenComparing(TuningEntry::asked)
                            .thenComparing(one -> one.problems().toString()))
                    .toList();
            if (!after.equals(before.entries())) {
                file.write(toJson(new Content(after, before.others())));
            }
        });
        return replaced.get();
    }

    private List<TuningEntry> readOrThrow() throws IOException {
        Optional<byte[]> content = file.read();
        return content.isEmpty() ? List.of() : parse(content.get()).entries();
    }

    private Content readToChange() throws IOException {
        Optional<byte[]> content = file.read();
        if (content.isEmpty()) {
            return Content.NONE;
        }
        try {
            return parse(content.get());
        } catch (IOException e) {
            LOG.warn("{}; it is kept as {}", e.getMessage(), file.setAside());
            return Content.NONE;
        }
    }

    private Content parse(byte[] content) throws IOException {
        try {
            return read(content, file.path().toString());
        } catch (IOException e) {
            String cause = String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString());
            throw new IOException(file.path() + " is damaged: " + cause, e);
        }
    }

    /**
     * The content of a file.
     *
     * @param entries the usable ones
     * @param others the others, unchanged: another version of this library may have written them
     */
    record Content(List<TuningEntry> entries, List<?> others) {
        static final Content NONE = new Content(List.of(), List.of());
    }

    /**
     * Reads entries. An unusable one is left out with a warning that names the file, because the others may be usable.
     *
     * @throws IOException if it is no JSON, or JSON of another format
     */
    static Content read(byte[] content, String where) throws IOException {
        Map<String, Object> all = json(content);
        if (!FORMAT.equals(all.get("format"))) {
            throw new IOException("its format is " + all.get("format") + ", must be \"" + FORMAT + "\"");
        }
        if (!(all.get("entries") instanceof Collection<?> list)) {
            throw new IOException("it has no list of entries");
        }
        List<TuningEntry> entries = new ArrayList<>();
        List<Object> others = new ArrayList<>();
        int number = 0;
        for (Object element : list) {
            number++;
            try {
                if (!(element instanceof Map<?, ?> map)) {
                    throw new IllegalArgumentException("must be an object");
                }
                entries.add(TuningEntry.of(map));
            } catch (IllegalArgumentException e) {
                Warnings.once(LOG, where + ": entry " + number + " is ignored: " + e.getMessage());
                others.add(element);
            }
        }
        return new Content(entries, others);
    }

    private static Map<String, Object> json(byte[] content) throws IOException {
        Map<String, Object> all;
        try {
            all = JSON.std.mapFrom(new String(content, StandardCharsets.UTF_8));
        } catch (RuntimeException e) {
            throw new IOException("it is no JSON object: " + e, e);
        }
        if (all == null) {
            throw new IOException("it is null, must be a JSON object");
        }
        return all;
    }

    /** Returns entries as JSON. */
    static byte[] toJson(Content content) {
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("format", FORMAT);
        List<Object> entries = new ArrayList<>();
        content.entries().forEach(entry -> entries.add(entry.toMap()));
        entries.addAll(content.others());
        all.put("entries", entries);
        try {
            return (JSON.std.with(JSON.Feature.PRETTY_PRINT_OUTPUT).asString(all) + "\n")
                    .getBytes(StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
