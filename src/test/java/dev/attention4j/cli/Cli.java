package dev.attention4j.cli;

import java.io.PrintWriter;
import java.io.StringWriter;
import picocli.CommandLine;

/** What a command did: its exit code and what it wrote. */
record Cli(int exitCode, String out, String err) {
    /** Runs a command as {@link Main#main} does, without ending the JVM. */
    static Cli run(Object... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine commandLine =
                Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
        String[] texts = new String[args.length];
        for (int n = 0; n < args.length; n++) {
            texts[n] = args[n].toString();
        }
        return new Cli(Main.run(commandLine, texts), out.toString(), err.toString());
    }

    /** The last line of standard output. */
    String lastLine() {
        return out.stripTrailing().lines().reduce("", (before, line) -> line);
    }
}
