import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.attention4j.AttentionEngine;
import dev.attention4j.DType;
import dev.attention4j.Tensor;
import dev.attention4j.layers.MultiHeadAttention;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Self-attention as a service: POST /attend with the tokens' features as little-endian floats gives as many back.
 *
 * <p>One engine and one layer serve all threads. With the argument --warm-up it ends once it could serve: for the build of
 * an image, whose caches then hold the built kernels.
 */
public final class Server implements Closeable {
    private static final int FEATURES = 64;

    private final AttentionEngine engine = AttentionEngine.open();
    private final MultiHeadAttention layer =
            MultiHeadAttention.builder().heads(4).keyDim(16).seed(1).build(engine);
    private final ExecutorService threads = Executors.newFixedThreadPool(8);
    private final HttpServer http;

    /** Serves on a port; 0 for any that is free. */
    public Server(int port) throws IOException {
        // Builds the kernels, so that the first request is not the slow one.
        layer.call(Tensor.zeros(DType.FLOAT32, 1, 32, FEATURES)).close();
        http = HttpServer.create(new InetSocketAddress(port), 0);
        http.setExecutor(threads);
        http.createContext("/attend", this::attend);
        http.start();
    }

    public int port() {
        return http.getAddress().getPort();
    }

    private void attend(HttpExchange exchange) throws IOException {
        try (exchange) {
            ByteBuffer body = ByteBuffer.wrap(exchange.getRequestBody().readAllBytes())
                    .order(ByteOrder.LITTLE_ENDIAN);
            float[] tokens = new float[body.remaining() / Float.BYTES];
            body.asFloatBuffer().get(tokens);
            try (Tensor output = layer.call(Tensor.of(tokens, 1, tokens.length / FEATURES, FEATURES))) {
                float[] floats = output.toFloatArray();
                ByteBuffer answer = ByteBuffer.allocate(floats.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
                answer.asFloatBuffer().put(floats);
                respond(exchange, 200, answer.array());
            } catch (IllegalArgumentException e) {
                respond(exchange, 400, e.getMessage().getBytes(StandardCharsets.UTF_8));
            }
        }
    }

    private static void respond(HttpExchange exchange, int status, byte[] body) throws IOException {
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body);
    }

    /** Waits a second for requests under way; the layer is closed before its engine. */
    @Override
    public void close() {
        http.stop(1);
        threads.shutdown();
        layer.close();
        engine.close();
    }

    public static void main(String[] arguments) throws IOException {
        if (arguments.length > 0 && arguments[0].equals("--warm-up")) {
            new Server(0).close();
            return;
        }
        Server server = new Server(8080);
        System.out.println("port " + server.port() + " on " + server.engine);
        Runtime.getRuntime().addShutdownHook(new Thread(server::close));
    }
}
