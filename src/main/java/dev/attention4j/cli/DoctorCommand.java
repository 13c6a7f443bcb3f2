package dev.attention4j.cli;

import dev.attention4j.opencl.Doctor;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code doctor}: why OpenCL does not work here. */
@Command(
        name = "doctor",
        description = "Finds out why OpenCL does not work here and says how to fix it.",
        footer = {"", "Exits 0 if at least one OpenCL device computes right, else 1."})
final class DoctorCommand implements Callable<Integer> {
    @Mixin
    private JsonOption json;

    @Override
    public Integer call() throws IOException {
        json.check();
        Doctor.Examination examination = Doctor.examine();
        int exitCode = report(examination, json.screen());
        Map<String, Object> found = JsonOption.fields(
                "works", exitCode == Main.OK,
                "machine", checks(examination.machine()),
                "devices", checks(examination.devices()));
        json.write(found);
        return exitCode;
    }

    private static List<Object> checks(List<Doctor.Check> checks) {
        List<Object> list = new ArrayList<>();
        checks.forEach(check -> list.add(
                JsonOption.fields("what", check.what(), "ok", check.ok(), "found", check.found(), "fix", check.fix())));
        return list;
    }

    /** Prints the checks and the verdict; gives the exit code. */
    static int report(Doctor.Examination examination, PrintWriter out) {
        print(examination.machine(), out);
        print(examination.devices(), out);
        int devices = examination.devices().size();
        long right = examination.devices().stream().filter(Doctor.Check::ok).count();
        out.println();
        if (right == 0) {
            out.println(
                    devices == 0
                            ? "OpenCL does not work here; attention4j computes on the CPU until it does."
                            : "OpenCL does not work here; --device cpu computes on the CPU until it does.");
            return Main.CHECK_FAILED;
        }
        out.println("OpenCL works here: " + right + " of " + devices
                + (devices == 1 ? " device computes" : " devices compute") + " right.");
        return Main.OK;
    }

    private static void print(List<Doctor.Check> checks, PrintWriter out) {
        for (Doctor.Check check : checks) {
            String label = !check.ok() ? "FAIL" : check.fix().isBlank() ? "  ok" : "note";
            out.println(Text.labelled(label, 6, check.what() + ": " + check.found()));
            if (!check.fix().isBlank()) {
                out.println(Text.labelled("      fix", 11, check.fix()));
            }
        }
    }
}
