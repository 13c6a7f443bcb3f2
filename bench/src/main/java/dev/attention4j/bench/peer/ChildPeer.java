package dev.attention4j.bench.peer;

import dev.attention4j.bench.Contender;
import dev.attention4j.bench.Workload;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * PyTorch 2.10 in a JVM of its own, which a {@link PeerServer} runs. It takes its turns as all others do; times are the
 * child's own, so the way there and back is not timed.
 */
final class ChildPeer<W extends Workload> implements Contender<W> {
    private static final long END_SECONDS = 10;

    private final Process process;
    private final DataOutputStream requests;
    private final DataInputStream answers;
    private final String plan;
    private final String builtWith;

    /**
     * Starts the child.
     *
     * @throws IllegalStateException if the peer does not load there
     */
    ChildPeer(PeerServer.Kind kind, int index, int threads) {
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                PeerServer.class.getName(),
                kind.name(),
                Integer.toString(index),
                Integer.toString(threads));
        Map<String, String> environment = builder.environment();
        // It needs no help against OpenCL drivers; and OpenBLAS is to take the kernels of this processor.
        environment.remove("LD_PRELOAD");
        environment.remove("OPENBLAS_CORETYPE");
        try {
            process = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        requests = new DataOutputStream(new BufferedOutputStream(process.getOutputStream()));
        answers = new DataInputStream(process.getInputStream());
        try {
            check(answers.readByte());
            plan = answers.readUTF();
            builtWith = answers.readUTF();
        } catch (IOException e) {
            throw ended(e);
        }
    }

    @Override
    public String name() {
        return Peers.PYTORCH_2_10;
    }

    @Override
    public String plan() {
        return plan;
    }

    @Override
    public String builtWith() {
        return builtWith;
    }

    @Override
    public boolean isPeer() {
        return true;
    }

    @Override
    public Optional<String> refusal(W inputs) {
        return Peers.refusal(name(), inputs);
    }

    @Override
    public Call prepare(W inputs) {
        ask(PeerServer.PREPARE, () -> requests.writeUTF(inputs.shape().toString()), () -> null);
        return new ChildCall();
    }

    @Override
    public void close() {
        try {
            // Without requests it ends by itself.
            requests.close();
            if (!process.waitFor(END_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (IOException e) {
            process.destroyForcibly();
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }

    private interface Sending {
        void send() throws IOException;
    }

    private interface Receiving<T> {
        T receive() throws IOException;
    }

    private <T> T ask(byte request, Sending details, Receiving<T> answer) {
        try {
            requests.writeByte(request);
            details.send();
            requests.flush();
            check(answers.readByte());
            return answer.receive();
        } catch (IOException e) {
            throw ended(e);
        }
    }

    private void check(byte answer) throws IOException {
        if (answer != PeerServer.DONE) {
            throw new IllegalStateException(answers.readUTF());
        }
    }

    private IllegalStateException ended(IOException e) {
        process.destroyForcibly();
        String how = e instanceof EOFException ? "ended" : e.getMessage();
        return new IllegalStateException("the JVM of " + name() + ": " + how, e);
    }

    private final class ChildCall implements Call {
        @Override
        public void run() {
            times(0);
        }

        @Override
        public double[] times(double leastMs) {
            return ask(PeerServer.TIMES, () -> requests.writeDouble(leastMs), () -> {
                double[] times = new double[answers.readInt()];
                for (int n = 0; n < times.length; n++) {
                    times[n] = answers.readDouble();
                }
                return times;
            });
        }

        @Override
        public float[] output() {
            return ask(PeerServer.OUTPUT, () -> {}, () -> {
                float[] output = new float[answers.readInt()];
                ByteBuffer bytes = ByteBuffer.allocate(4 * output.length);
                answers.readFully(bytes.array());
                bytes.asFloatBuffer().get(output);
                return output;
            });
        }

        @Override
        public void close() {
            ask(PeerServer.CLOSE, () -> {}, () -> null);
        }
    }
}
