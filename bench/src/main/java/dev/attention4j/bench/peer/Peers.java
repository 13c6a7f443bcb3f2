package dev.attention4j.bench.peer;

import dev.attention4j.bench.Contender;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;

/** The peers by name. Their libraries may be missing: then only the peer concerned cannot be opened. */
public final class Peers {
    private static final Map<String, IntFunction<Contender>> OPENERS = openers();

    private Peers() {}

    /**
     * The names of all peers.
     *
     * @return in the order of the tables
     */
    public static List<String> names() {
        return List.copyOf(OPENERS.keySet());
    }

    /**
     * Opens a peer.
     *
     * @param name one of {@link #names()}
     * @param threads how many it may use
     * @return to be closed by the caller
     * @throws IllegalArgumentException if there is no peer of that name
     * @throws IllegalStateException if its library is not there or does not load; one line
     */
    public static Contender open(String name, int threads) {
        IntFunction<Contender> opener = OPENERS.get(name);
        if (opener == null) {
            throw new IllegalArgumentException("peer: \"" + name + "\", must be one of " + String.join(", ", names()));
        }
        try {
            return opener.apply(threads);
        } catch (RuntimeException | LinkageError e) {
            throw new IllegalStateException("peer " + name + " cannot load: " + cause(e), e);
        }
    }

    private static String cause(Throwable e) {
        Throwable root = e;
        while (root.getCause() != null && root.getCause() != root) {
            root = root.getCause();
        }
        String text = root instanceof NoClassDefFoundError || root instanceof ClassNotFoundException
                ? "its library is not on the class path (" + root.getMessage() + ")"
                : root.getMessage() == null ? root.toString() : root.getMessage();
        return text.lines().findFirst().orElse(root.toString());
    }

    private static Map<String, IntFunction<Contender>> openers() {
        Map<String, IntFunction<Contender>> openers = new LinkedHashMap<>();
        // Lambdas, not constructor references: a peer's class, and so its library, is touched when it is opened.
        openers.put("pytorch", threads -> new PyTorchPeer(threads));
        openers.put("onnxruntime", threads -> new OnnxRuntimePeer(threads));
        openers.put("plain-java", threads -> new PlainJavaPeer(threads));
        return openers;
    }
}
