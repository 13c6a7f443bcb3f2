package dev.attention4j.cli;

import dev.attention4j.opencl.Doctor;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code doctor}: why OpenCL does not work here. */
@Command(
        name = "doctor",
        description = "Finds out why OpenCL does not work here and says how to mend it.",
        footer = {"", "Exits 0 if at least one OpenCL device computes right, else 1."})
final class DoctorCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        return report(Doctor.examine(), spec.commandLine().getOut());
    }

    /** Prints the checks and the verdict; gives the exit code. */
    static int report(Doctor.Examination examination, PrintWriter out) {
        print(examination.machine(), out);
        print(examination.devices(), out);
        int devices = examination.devices().size();
        long right = examination.devices().stream().filter(Doctor.Check::ok).count();
        out.println();
        if (right == 0) {
            out.println("OpenCL does not work here; attention4j computes on the CPU until it does.");
            return Main.CHECK_FAILED;
        }
        out.println("OpenCL works here: " + right + " of " + devices
                + (devices == 1 ? " device computes" : " devices compute") + " right.");
        return Main.OK;
    }

    private static void print(List<Doctor.Check> checks, PrintWriter out) {
        for (Doctor.Check check : checks) {
            out.println(Text.labelled(check.ok() ? "  ok" : "FAIL", 6, check.what() + ": " + check.found()));
            if (!check.fix().isBlank()) {
                out.println(Text.labelled("      fix", 11, check.fix()));
            }
        }
    }
}
