package dev.attention4j.cli;

import java.io.FileDescriptor;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
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
            Main.HelpCommand.class
        },
        versionProvider = Main.class,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:success",
            "1:what was checked failed",
            "2:bad usage or input",
            "74:standard output could not be written, a disk is full for instance"
        })
public final class Main implements Callable<Integer>, IVersionProvider {
    static final int OK = 0;
    static final int CHECK_FAILED = 1;
    static final int BAD_INPUT = 2;
    /** As sysexits.h has it. */
    static final int OUTPUT_LOST = 74;

    @Spec
    private CommandSpec spec;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            scope = ScopeType.INHERIT,
            description = "Shows this help and exits.")
    @SuppressWarnings("UnusedVariable") // picocli acts on it.
    private boolean help;

    @Option(
            names = {"-V", "--version"},
            versionHelp = true,
            description = "Shows the version and exits.")
    @SuppressWarnings("UnusedVariable") // picocli acts on it.
    private boolean version;

    @Option(
            names = "--debug",
            scope = ScopeType.INHERIT,
            description = "Shows where an error came from (so does ATTENTION4J_DEBUG=1).")
    private boolean debug;

    private Main() {}

    /** The version, as the jar's manifest has it; "(built from classes)" where no jar says one. */
    static String versionNumber() {
        String number = Main.class.getPackage().getImplementationVersion();
        return number == null ? "(built from classes)" : number;
    }

    @Override
    public String[] getVersion() {
        return new String[] {
            "attention4j " + versionNumber(),
            "Java " + Runtime.version() + ", " + System.getProperty("os.name") + " " + System.getProperty("os.arch")
        };
    }

    /** Runs a command and ends the JVM with its exit code. */
    public static void main(String[] args) {
        // Before anything below has a logger: the logger reads these once. What the user sets with -D stays.
        setUnlessSet("org.slf4j.simpleLogger.defaultLogLevel", "warn");
        setUnlessSet("org.slf4j.simpleLogger.showThreadName", "false");
        setUnlessSet("org.slf4j.simpleLogger.showShortLogName", "true");
        // The demo draws a picture, but never on a screen.
        System.setProperty("java.awt.headless", "true");
        System.setErr(PlainWriter.stream(FileDescriptor.err, Text.outputCharset()));
        PlainWriter out = PlainWriter.to(FileDescriptor.out, Text.outputCharset());
        PlainWriter err = PlainWriter.to(FileDescriptor.err, Text.outputCharset());
        CommandLine commandLine =
                commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
        System.exit(finished(run(commandLine, args), commandLine, out));
    }

    /** The exit code, which tells if what was printed is lost. */
    static int finished(int exitCode, CommandLine commandLine, PlainWriter out) {
        commandLine.getOut().flush();
        if (out.failure().isEmpty()) {
            return exitCode;
        }
        commandLine
                .getErr()
                .println("attention4j: standard output cannot be written: "
                        + out.failure().get().getMessage());
        return OUTPUT_LOST;
    }

    /** The commands, with errors turned into one line and an exit code. */
    static CommandLine commandLine() {
        CommandLine commandLine = new CommandLine(new Main())
                .setUsageHelpAutoWidth(false)
                .setUsageHelpWidth(Text.WIDTH)
                // No colours: an escape in what is printed is a file's, never ours.
                .setColorScheme(CommandLine.Help.defaultColorScheme(CommandLine.Help.Ansi.OFF))
                .setAbbreviatedOptionsAllowed(false)
                .registerConverter(int.class, Main::wholeNumber)
                .registerConverter(Integer.class, Main::wholeNumber)
                .registerConverter(Long.class, text -> Text.parsed(text, "is not a whole number", Long::valueOf))
                .registerConverter(Double.class, text -> Text.parsed(text, "is not a number", Double::valueOf))
                .setParameterExceptionHandler(Main::misused)
                .setExecutionExceptionHandler(Main::failed);
        AttentionOptions.register(commandLine);
        return commandLine;
    }

    private static Integer wholeNumber(String text) {
        return Text.parsed(text, "is not a whole number", Integer::valueOf);
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
        } catch (StackOverflowError e) {
            return report(commandLine, e, "a thread's stack is full; java -Xss8m gives more");
        } catch (LinkageError | InternalError | ServiceConfigurationError e) {
            return report(
                    commandLine,
                    e,
                    "a part of this program cannot be loaded (" + e.getMessage()
                            + "); is the file of the program whole, and as it was built? (--debug shows more)");
        }
    }

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getOut());
        return BAD_INPUT;
    }

    private static int misused(CommandLine.ParameterException e, String[] args) {
        CommandLine command = e.getCommandLine();
        List<String> unmatched = command.getUnmatchedArguments();
        Optional<String> unknown =
                unmatched.stream().filter(text -> text.startsWith("-")).findFirst();
        if (unknown.isPresent()) {
            // picocli names a missing argument before an option that is misspelt, which may be why it is missing.
            List<String> options = new ArrayList<>();
            command.getCommandSpec().options().forEach(option -> options.addAll(List.of(option.names())));
            return report(
                    command,
                    e,
                    "option: \"" + unknown.get() + "\" is not known" + Suggestion.question(unknown.get(), options)
                            + help(command));
        }
        if (e instanceof CommandLine.UnmatchedArgumentException && command.getParent() == null) {
            return report(command, e, noCommand(command, unmatched.get(0)));
        }
        if (e instanceof CommandLine.UnmatchedArgumentException) {
            return report(
                    command, e, "argument: \"" + String.join(" ", unmatched) + "\" is one too many" + help(command));
        }
        return report(command, e, e.getMessage().strip() + help(command));
    }

    private static String help(CommandLine command) {
        return " (" + command.getCommandSpec().qualifiedName() + " --help)";
    }

    static String noCommand(CommandLine all, String given) {
        return "command: \"" + given + "\", must be one of "
                + String.join(", ", all.getSubcommands().keySet())
                + Suggestion.question(given, all.getSubcommands().keySet());
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

    /** {@code help}: what {@code --help} shows. Not picocli's own, whose {@code -h} collides with the inherited one. */
    @Command(name = "help", description = "Shows the help of a command, or the list of them.")
    static final class HelpCommand implements Callable<Integer> {
        @Spec
        private CommandSpec spec;

        @Parameters(
                index = "0",
                arity = "0..1",
                paramLabel = "COMMAND",
                description = "The command; without one, lists all.")
        private String command;

        @Override
        public Integer call() {
            CommandLine shown = spec.parent().commandLine();
            if (command != null) {
                shown = shown.getSubcommands().get(command);
            }
            if (shown == null) {
                throw new IllegalArgumentException(noCommand(spec.parent().commandLine(), command));
            }
            shown.usage(spec.commandLine().getOut());
            return OK;
        }
    }
}
