package dev.attention4j.cli;

import dev.attention4j.AttentionEngine;
import dev.attention4j.DeviceException;
import dev.attention4j.EngineInfo;
import dev.attention4j.EngineProvider;
import dev.attention4j.Engines;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code devices}: what can compute here. */
@Command(
        name = "devices",
        description = "Lists the engines here: OpenCL devices with their probed capabilities, and the CPU.")
final class DevicesCommand implements Callable<Integer> {
    private static final int LONGEST_LIST = 8;
    private static final int LONGEST_FACT = 320;

    @Mixin
    private JsonOption json;

    @Override
    public Integer call() throws IOException {
        PrintWriter out = json.screen();
        json.check();
        List<EngineInfo> engines =
                Engines.list().stream().map(DevicesCommand::probed).toList();
        List<EngineProvider.Absence> absences = Engines.absences();
        out.println(table(engines));
        if (!absences.isEmpty()) {
            out.println();
            out.println("Not available here:");
            DeviceOption.explain(absences, out);
        }
        json.write(all(engines, absences));
        return Main.OK;
    }

    /** Adds what small kernels find out to what the driver reports. */
    private static EngineInfo probed(EngineInfo info) {
        Map<String, Object> facts = new LinkedHashMap<>(info.facts());
        try (AttentionEngine engine = AttentionEngine.open(info.id())) {
            engine.probe().forEach((name, value) -> facts.put("probed: " + name, value));
        } catch (DeviceException e) {
            facts.put("probed", "failed: " + e.getMessage().lines().findFirst().orElse(""));
        }
        return new EngineInfo(info.id(), info.kind(), info.name(), info.vendor(), info.driver(), facts);
    }

    /** The engines as a table, their facts under each. */
    static String table(List<EngineInfo> engines) {
        Table table = new Table("#", "id", "kind", "name", "vendor", "driver");
        for (int n = 0; n < engines.size(); n++) {
            EngineInfo engine = engines.get(n);
            table.row(
                    Integer.toString(n),
                    engine.id(),
                    kind(engine),
                    engine.name(),
                    Objects.toString(engine.vendor(), ""),
                    Objects.toString(engine.driver(), ""));
            int label = 2
                    + engine.facts().keySet().stream()
                            .mapToInt(String::length)
                            .max()
                            .orElse(0);
            engine.facts()
                    .forEach((name, value) -> table.note("     "
                            + Text.labelled(name, label, text(value), Text.WIDTH - 5)
                                    .replace("\n", "\n     ")));
            if (n < engines.size() - 1) {
                table.note("");
            }
        }
        return table.text(Text.WIDTH);
    }

    /** The name of a kind on screen. */
    static String kind(EngineInfo engine) {
        return switch (engine.kind()) {
            case GPU -> "GPU";
            case ACCELERATOR -> "accelerator";
            case OPENCL_CPU -> "CPU (OpenCL)";
            case CPU -> "CPU (Java)";
            case EMULATOR -> "emulator";
            case ORACLE -> "reference";
        };
    }

    /** A fact as text; a list too long for a screen is counted. */
    private static String text(Object value) {
        if (value instanceof Collection<?> list) {
            return list.size() > LONGEST_LIST
                    ? list.size() + " entries (--json FILE has them)"
                    : list.stream().map(String::valueOf).collect(Collectors.joining(", "));
        }
        String text = String.valueOf(value);
        return text.length() > LONGEST_FACT
                ? text.strip().split("\\s+", -1).length + " words (--json FILE has them)"
                : text;
    }

    private static Map<String, Object> all(List<EngineInfo> engines, List<EngineProvider.Absence> absences) {
        List<Object> list = new ArrayList<>();
        for (EngineInfo engine : engines) {
            Map<String, Object> entry = JsonOption.fields("index", list.size());
            entry.putAll(JsonOption.fields(engine));
            entry.put("kind", engine.kind().name().toLowerCase(Locale.ROOT));
            entry.put("facts", engine.facts());
            list.add(entry);
        }
        List<Object> missing = new ArrayList<>();
        absences.forEach(absence -> missing.add(JsonOption.fields("cause", absence.cause(), "fix", absence.fix())));
        return JsonOption.fields("engines", list, "absences", missing);
    }
}
