package dev.attention4j;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The engines of this machine: lists them and finds one by name. */
public final class Engines {
    /** Names the engine that {@link AttentionEngine#open()} opens. */
    public static final String BEST = "best";

    /** Names the first OpenCL GPU, and nothing else: without one, opening it fails. */
    public static final String GPU = "gpu";

    private static final Logger LOG = LoggerFactory.getLogger(Engines.class);

    private Engines() {}

    /**
     * {@return every engine that can be opened, OpenCL devices first, then the CPU, then the oracle; an engine's
     * place here is its index for {@code --device}}
     */
    public static List<EngineInfo> list() {
        return infos(find(providers()));
    }

    /** {@return the reasons why a family of engines (OpenCL) cannot be used here, each with the fix; empty if all can} */
    public static List<EngineProvider.Absence> absences() {
        List<EngineProvider.Absence> absences = new ArrayList<>();
        for (EngineProvider provider : providers()) {
            provider.absence().ifPresent(absences::add);
        }
        return absences;
    }

    /**
     * Returns the description of the engine that a text names.
     *
     * @param device as for {@link AttentionEngine#open(String)}
     * @throws IllegalArgumentException if nothing, or more than one device, is named by it
     */
    public static EngineInfo resolve(String device) {
        return find(device).info;
    }

    private static Found find(String device) {
        Objects.requireNonNull(device, "device");
        List<EngineProvider> providers = providers();
        return byId(device, providers).orElseGet(() -> {
            List<Found> found = find(providers);
            EngineInfo info = resolve(device, infos(found));
            return found.stream()
                    .filter(one -> one.info.id().equals(info.id()))
                    .findFirst()
                    .orElseThrow();
        });
    }

    /**
     * Opens the engine that a text names.
     *
     * @param device as for {@link AttentionEngine#open(String)}
     * @throws IllegalArgumentException if nothing, or more than one device, is named, or the engine has no such plan
     */
    public static AttentionEngine open(String device, EngineOptions options) {
        Objects.requireNonNull(device, "device");
        Objects.requireNonNull(options, "options");
        Found found = find(device);
        if (device.equalsIgnoreCase(BEST) && !found.info.isOpenCl()) {
            for (EngineProvider.Absence absence : absences()) {
                LOG.warn("Computing on the {}: {} Fix: {}", found.info.id(), absence.cause(), absence.fix());
            }
        }
        return found.provider.open(found.info, options);
    }

    static EngineInfo resolve(String device, List<EngineInfo> engines) {
        if (device.equalsIgnoreCase(BEST)) {
            return engines.stream().min(Comparator.comparing(EngineInfo::kind)).orElseThrow();
        }
        if (device.equalsIgnoreCase(GPU)) {
            return engines.stream()
                    .filter(info -> info.kind() == EngineInfo.Kind.GPU)
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("device: \"" + device + "\" names no engine: OpenCL"
                            + " shows no GPU here. Its maker's driver brings it: NVIDIA's (libnvidia-opencl, in a"
                            + " container with NVIDIA_DRIVER_CAPABILITIES=compute,utility), AMD's"
                            + " (rocm-opencl-runtime) or Intel's (intel-opencl-icd); the command doctor says what is"
                            + " missing. There are:\n" + table(engines)));
        }
        for (EngineInfo info : engines) {
            if (info.id().equalsIgnoreCase(device)) {
                return info;
            }
        }
        if (device.matches("\\d{1,9}")) {
            int index = Integer.parseInt(device);
            if (index < engines.size()) {
                return engines.get(index);
            }
            // Or the number in a name: "4090".
        }
        String part = device.toLowerCase(Locale.ROOT);
        List<EngineInfo> matches = engines.stream()
                .filter(info ->
                        !part.isBlank() && info.name().toLowerCase(Locale.ROOT).contains(part))
                .toList();
        if (matches.size() == 1) {
            return matches.get(0);
        }
        throw new IllegalArgumentException("device: \"" + device + "\" names "
                + (matches.isEmpty() ? "no engine" : matches.size() + " engines")
                + ", must be " + BEST + ", " + GPU + ", an index, an id or a part of one name of\n" + table(engines));
    }

    /** Lists the engines, and the reasons for missing ones. */
    private static String table(List<EngineInfo> engines) {
        StringBuilder text = new StringBuilder();
        for (int n = 0; n < engines.size(); n++) {
            text.append(String.format(
                    Locale.ROOT,
                    "  %d  %-10s %s%n",
                    n,
                    engines.get(n).id(),
                    engines.get(n).name()));
        }
        // An error about a missing device says why it is missing.
        for (EngineProvider.Absence absence : absences()) {
            text.append(absence.cause()).append(" Fix: ").append(absence.fix()).append('\n');
        }
        return text.toString().stripTrailing();
    }

    /** An engine and its family. Not a map entry: generating a record's hash code takes a tenth of the time of opening an engine. */
    private record Found(EngineInfo info, EngineProvider provider) {}

    private static List<Found> find(List<EngineProvider> providers) {
        List<Found> found = new ArrayList<>();
        for (EngineProvider provider : providers) {
            for (EngineInfo info : provider.engines()) {
                found.add(new Found(info, provider));
            }
        }
        return found;
    }

    /**
     * Finds the engine of an id. The families are asked from the last to the first, which is OpenCL, until one has it: an
     * engine in plain Java is opened without loading a driver.
     */
    private static Optional<Found> byId(String device, List<EngineProvider> providers) {
        for (int n = providers.size() - 1; n >= 0; n--) {
            for (EngineInfo info : providers.get(n).engines()) {
                if (info.id().equalsIgnoreCase(device)) {
                    return Optional.of(new Found(info, providers.get(n)));
                }
            }
        }
        return Optional.empty();
    }

    private static List<EngineInfo> infos(List<Found> found) {
        return found.stream().map(Found::info).collect(Collectors.toCollection(ArrayList::new));
    }

    /** Returns the families in the order of the service file. */
    private static List<EngineProvider> providers() {
        List<EngineProvider> providers = new ArrayList<>();
        ServiceLoader.load(EngineProvider.class, EngineProvider.class.getClassLoader())
                .forEach(providers::add);
        if (providers.isEmpty()) {
            throw new IllegalStateException("engines: there are none, as META-INF/services/"
                    + EngineProvider.class.getName()
                    + " was lost when jars were merged; Maven's shade plugin keeps it with"
                    + " <transformer implementation=\"org.apache.maven.plugins.shade.resource.ServicesResourceTransformer\"/>,"
                    + " Gradle's shadow plugin with mergeServiceFiles()");
        }
        return providers;
    }
}
