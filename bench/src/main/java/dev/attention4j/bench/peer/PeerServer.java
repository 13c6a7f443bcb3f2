package dev.attention4j.bench.peer;

import dev.attention4j.DType;
import dev.attention4j.bench.Contender;
import dev.attention4j.bench.Grid;
import dev.attention4j.bench.Inputs;
import dev.attention4j.bench.LayerInputs;
import dev.attention4j.bench.ProjectionInputs;
import dev.attention4j.bench.Workload;
import dev.attention4j.measure.AttentionShape;
import dev.attention4j.measure.LayerShape;
import dev.attention4j.measure.ProjectionShape;
import dev.attention4j.measure.Shape;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Serves a contender in a JVM of its own to a {@link ChildPeer}, over standard input and output: PyTorch 2.10, beside
 * which no other PyTorch can be in a process.
 *
 * <p>A request is a byte and what belongs to it; an answer is {@link #DONE} and what belongs to it, or {@link #FAILED}
 * and a text. The first answer comes without a request: the contender's plan and what it was built with. Inputs are not
 * sent: they are made anew from the shape, the same in every JVM.
 */
final class PeerServer {
    /** Prepares calls of a shape, sent as text; ends those of the shape before. */
    static final byte PREPARE = 1;

    /** Computes for some milliseconds, a double; the answer is how many calls, and the milliseconds of each. */
    static final byte TIMES = 2;

    /** Sends the last output: how many floats, and those. */
    static final byte OUTPUT = 3;

    /** Ends the calls of a shape. */
    static final byte CLOSE = 4;

    static final byte DONE = 0;
    static final byte FAILED = 1;

    private final DataInputStream in;
    private final DataOutputStream out;

    private PeerServer(DataInputStream in, DataOutputStream out) {
        this.in = in;
        this.out = out;
    }

    /**
     * Serves until its input ends.
     *
     * @param args the kind of workload, which of its contenders, and how many threads
     */
    public static void main(String[] args) throws IOException {
        DataOutputStream out =
                new DataOutputStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16));
        // Whatever a library prints must not be taken for an answer.
        System.setOut(System.err);
        new PeerServer(new DataInputStream(new BufferedInputStream(System.in)), out).serve(args);
    }

    private void serve(String... args) throws IOException {
        Kind kind = Kind.valueOf(args[0]);
        int index = Integer.parseInt(args[1]);
        int threads = Integer.parseInt(args[2]);
        try (Contender<? extends Workload> contender = kind.open(index, threads)) {
            out.writeByte(DONE);
            out.writeUTF(contender.plan());
            out.writeUTF(contender.builtWith());
            out.flush();
            answerAll(contender);
        } catch (RuntimeException | LinkageError e) {
            fail(e);
        }
    }

    private <W extends Workload> void answerAll(Contender<W> contender) throws IOException {
        Contender.Call call = null;
        try {
            while (true) {
                byte request = in.readByte();
                try {
                    switch (request) {
                        case PREPARE -> {
                            Shape shape = Grid.parseList(in.readUTF()).get(0);
                            @SuppressWarnings("unchecked") // The parent sends shapes of the contender's kind alone.
                            W inputs = (W) inputs(shape);
                            call = contender.prepare(inputs);
                            out.writeByte(DONE);
                        }
                        case TIMES -> {
                            double[] times = call.times(in.readDouble());
                            out.writeByte(DONE);
                            out.writeInt(times.length);
                            for (double time : times) {
                                out.writeDouble(time);
                            }
                        }
                        case OUTPUT -> {
                            float[] output = call.output();
                            ByteBuffer bytes = ByteBuffer.allocate(4 * output.length);
                            bytes.asFloatBuffer().put(output);
                            out.writeByte(DONE);
                            out.writeInt(output.length);
                            out.write(bytes.array());
                        }
                        default -> {
                            call.close();
                            call = null;
                            out.writeByte(DONE);
                        }
                    }
                } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
                    fail(e);
                }
                out.flush();
            }
        } catch (EOFException e) {
            // The parent is done with this peer, or has ended.
        } finally {
            if (call != null) {
                call.close();
            }
        }
    }

    private void fail(Throwable e) throws IOException {
        out.writeByte(FAILED);
        out.writeUTF(Peers.cause(e));
        out.flush();
    }

    private static Workload inputs(Shape shape) {
        if (shape instanceof LayerShape layer) {
            return LayerInputs.of(layer, DType.FLOAT32);
        }
        return shape instanceof ProjectionShape gemm
                ? ProjectionInputs.of(gemm, DType.FLOAT32)
                : Inputs.of((AttentionShape) shape, DType.FLOAT32);
    }

    /** The kinds of workloads. */
    enum Kind {
        ATTENTION,
        LAYER,
        GEMM;

        private Contender<? extends Workload> open(int index, int threads) {
            return switch (this) {
                case ATTENTION -> new PyTorchPeer(new JavaCppTorch(threads, 1));
                case LAYER -> PyTorchLayer.of(index, new JavaCppTorch(threads, threads));
                case GEMM -> new PyTorchGemm(new JavaCppTorch(threads, threads));
            };
        }
    }
}
