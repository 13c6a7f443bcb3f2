package dev.attention4j.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code help}: what {@code --help} shows. Not picocli's own, whose {@code -h} collides with the inherited one. */
@Command(name = "help", description = "Shows the help of a command, or the list of them.")
final class HelpCommand implements Callable<Integer> {
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
            throw new IllegalArgumentException(Main.noCommand(spec.parent().commandLine(), command));
        }
        shown.usage(spec.commandLine().getOut());
        return Main.OK;
    }
}
