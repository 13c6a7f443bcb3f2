package dev.attention4j.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.util.List;
import java.util.OptionalInt;
import java.util.ServiceConfigurationError;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** {@code java -jar attention4j-cli.jar COMMAND}. */
@Command(
        name = "attention4j",
        description = "Scaled dot-product attention on any OpenCL device.",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            DemoCommand.class,
            DevicesCommand.class,
            DoctorCommand.class,
            AttendCommand.class,
            ConformanceCommand.class,
            TuneCommand.class,
            HelpCommand.class
        },
        versionProvider = Version.class,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:success", "1:what was checked failed", "2:bad usage or input"})
public final class Main implements Callable<Integer> {
    static final int OK = 0;
    static final int CHECK_FAILED = 1;
    static final int BAD_INPUT = 2;

    private static final Set<String> HELP = Set.of("-h", "--help", "-V", "--version");

    @Spec
    private CommandSpec spec;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            scope = ScopeType.INHERIT,
            description = "Show this help and exit.")
    @SuppressWarnings("UnusedVariable") // picocli acts on it.
    private boolean help;

    @Option(
            names = {"-V", "--version"},
            versionHelp = true,
            description = "Show the version and exit.")
    @SuppressWarnings("UnusedVariable") // picocli acts on it.
    private boolean version;

    @Option(
            names = "--debug",
            scope = ScopeType.INHERIT,
            description = "Show where an error came from (so does ATTENTION4J_DEBUG=1).")
    private boolean debug;

    private Main() {}

    /**
     * Runs a command and ends the JVM with its exit code.
     *
     * @param args the command and its options
     */
    public static void main(String[] args) {
        // Before anything below has a logger: the logger reads these once. What the user sets with -D stays.
        setUnlessSet("org.slf4j.simpleLogger.defaultLogLevel", "warn");
        setUnlessSet("org.slf4j.simpleLogger.showThreadName", "false");
        setUnlessSet("org.slf4j.simpleLogger.showShortLogName", "true");
        if (compiles(args)) {
            OptionalInt code = SignalChaining.runAgain();
            if (code.isPresent()) {
                System.exit(code.getAsInt());
            }
        }
        // The demo draws a picture, but never on a screen.
        System.setProperty("java.awt.headless", "true");
        CommandLine commandLine = commandLine()
                .setOut(writer(FileDescriptor.out, Text.outputCharset()))
                .setErr(writer(FileDescriptor.err, Text.outputCharset()));
        System.exit(run(commandLine, args));
    }

    /** Whether an OpenCL compiler may run: who asks for help waits for one JVM, not for two. */
    private static boolean compiles(String[] args) {
        return args.length > 0 && List.of(args).stream().noneMatch(HELP::contains);
    }

    /** The commands, with errors turned into one line and an exit code. */
    static CommandLine commandLine() {
        return new CommandLine(new Main())
                .setUsageHelpAutoWidth(false)
                .setUsageHelpWidth(Text.WIDTH)
                .setAbbreviatedOptionsAllowed(false)
                .setParameterExceptionHandler(Main::misused)
                .setExecutionExceptionHandler(Main::failed);
    }

    /** As {@link CommandLine#execute}, with errors of the JVM (memory, native libraries) turned into one line too. */
    static int run(CommandLine commandLine, String... args) {
        try {
            return commandLine.execute(args);
        } catch (OutOfMemoryError e) {
            return report(
                    commandLine,
                    e,
                    "out of memory (" + e.getMessage() + "); java -Xmx8g -XX:MaxDirectMemorySize=8g gives more");
        } catch (StackOverflowError | LinkageError | InternalError | ServiceConfigurationError e) {
            return report(commandLine, e, e.toString());
        }
    }

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getOut());
        return BAD_INPUT;
    }

    private static int misused(CommandLine.ParameterException e, String[] args) {
        CommandLine command = e.getCommandLine();
        if (e instanceof CommandLine.UnmatchedArgumentException unmatched
                && command.getParent() == null
                && !unmatched.isUnknownOption()) {
            return report(
                    command, e, noCommand(command, unmatched.getUnmatched().get(0)));
        }
        return report(
                command,
                e,
                e.getMessage().strip() + " (" + command.getCommandSpec().qualifiedName() + " --help)");
    }

    static String noCommand(CommandLine all, String given) {
        return "command: \"" + given + "\", must be one of "
                + String.join(", ", all.getSubcommands().keySet());
    }

    private static int failed(Exception e, CommandLine command, ParseResult parsed) {
        return report(command, e, Text.message(e));
    }

    private static int report(CommandLine command, Throwable e, String message) {
        command.getErr().println("attention4j: " + message);
        Main main = (Main) command.getCommandSpec().root().userObject();
        if (main.debug || "1".equals(System.getenv("ATTENTION4J_DEBUG"))) {
            e.printStackTrace(command.getErr());
        }
        command.getErr().flush();
        return BAD_INPUT;
    }

    private static void setUnlessSet(String property, String value) {
        if (System.getProperty(property) == null) {
            System.setProperty(property, value);
        }
    }

    private static PrintWriter writer(FileDescriptor descriptor, Charset charset) {
        return new PrintWriter(new FileOutputStream(descriptor), true, charset);
    }
}
