package dev.attention4j.opencl.tuning;

import dev.attention4j.Tuning;
import dev.attention4j.opencl.machine.UserFile;
import dev.attention4j.opencl.machine.Warnings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The entries of this user, in a file. */
public final class UserTuning {
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
        file.change(() -> {
            TuningJson.Content before = readToChange();
            write(before, Stream.concat(without(before, entry), Stream.of(entry)));
        });
    }

    /** Removes the entry that another one would replace; returns true if there was one. */
    public boolean removeReplacedBy(TuningEntry entry) throws IOException {
        AtomicBoolean removed = new AtomicBoolean();
        file.change(() -> {
            TuningJson.Content before = readToChange();
            removed.set(before.entries().stream().anyMatch(entry::replaces));
            if (removed.get()) {
                write(before, without(before, entry));
            }
        });
        return removed.get();
    }

    private static Stream<TuningEntry> without(TuningJson.Content before, TuningEntry entry) {
        return before.entries().stream().filter(old -> !entry.replaces(old));
    }

    private List<TuningEntry> readOrThrow() throws IOException {
        Optional<byte[]> content = file.read();
        return content.isEmpty() ? List.of() : parse(content.get()).entries();
    }

    private TuningJson.Content readToChange() throws IOException {
        Optional<byte[]> content = file.read();
        if (content.isEmpty()) {
            return TuningJson.Content.NONE;
        }
        try {
            return parse(content.get());
        } catch (IOException e) {
            LOG.warn("{}; it is kept as {}", e.getMessage(), file.setAside());
            return TuningJson.Content.NONE;
        }
    }

    private TuningJson.Content parse(byte[] content) throws IOException {
        try {
            return TuningJson.read(content, file.path().toString());
        } catch (IOException e) {
            String cause = String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString());
            throw new IOException(file.path() + " is damaged: " + cause, e);
        }
    }

    /** Writes entries in an order that does not depend on when each was tuned. */
    private void write(TuningJson.Content before, Stream<TuningEntry> entries) throws IOException {
        List<TuningEntry> sorted = entries.sorted(Comparator.comparing(TuningEntry::device)
                        .thenComparing(TuningEntry::asked)
                        .thenComparing(entry -> entry.problems().toString()))
                .toList();
        file.write(TuningJson.write(new TuningJson.Content(sorted, before.others())));
    }
}
