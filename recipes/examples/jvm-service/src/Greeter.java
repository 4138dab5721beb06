import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;

/** An HTTP service that greets whoever asks. */
public final class Greeter {
    private final Properties settings;
    private final AtomicLong greeted = new AtomicLong();

    private Greeter(Properties settings) {
        this.settings = settings;
    }

    public static void main(String[] args) throws IOException {
        if (args.length != 1) {
            System.err.println("usage: greeter PROPERTIES");
            System.exit(2);
        }
        Properties settings = new Properties();
        try (InputStream file = Files.newInputStream(Path.of(args[0]))) {
            settings.load(file);
        }
        new Greeter(settings).serve();
    }

    private void serve() throws IOException {
        String host = settings.getProperty("host", "127.0.0.1");
        int port = Integer.parseInt(settings.getProperty("port", "8080"));
        HttpServer server = HttpServer.create(new InetSocketAddress(host, port), 0);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.createContext("/greet", this::greet);
        server.createContext("/health", exchange -> answer(exchange, 200, "ok, " + greeted + " greeted\n"));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> server.stop(1)));
        server.start();
        System.out.println("listening on " + host + ":" + server.getAddress().getPort());
    }

    private void greet(HttpExchange exchange) throws IOException {
        String query = exchange.getRequestURI().getRawQuery();
        if (query == null || !query.startsWith("name=")) {
            answer(exchange, 400, "expected ?name=\n");
            return;
        }
        String name = URLDecoder.decode(query.substring("name=".length()), StandardCharsets.UTF_8);
        greeted.incrementAndGet();
        answer(exchange, 200, settings.getProperty("greeting", "Hello") + ", " + name + "!\n");
    }

    private static void answer(HttpExchange exchange, int status, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "text/plain; charset=utf-8");
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }
}
