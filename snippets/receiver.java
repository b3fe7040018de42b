// Receives and verifies webhooks of {{vendor}}: java Receiver.java
// {{#credential}}
// Credentials of the test account: standin secrets {{id}} --env
// {{/credential}}
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Receiver {
    // {{#credential}}
    static final String SECRET = java.util.Objects.requireNonNull(System.getenv("{{env}}"), "set {{env}}");

    // Takes the same time wherever the texts differ.
    static boolean isEqual(String received, String expected) {
        byte[] bytes = received == null ? new byte[0] : received.getBytes(StandardCharsets.UTF_8);
        return MessageDigest.isEqual(bytes, expected.getBytes(StandardCharsets.UTF_8));
    }
    // {{/credential}}
    // {{#hmac}}

    // The signature covers the bytes that arrived: never parse and re-serialize them first.
    static boolean isAuthentic(Headers headers, byte[] body) throws Exception {
        Mac mac = Mac.getInstance("Hmac{{HASH}}");
        mac.init(new SecretKeySpec(SECRET.getBytes(StandardCharsets.UTF_8), "Hmac{{HASH}}"));
        byte[] digest = mac.doFinal(body);
        // {{#base64}}
        String signature = Base64.getEncoder().encodeToString(digest);
        // {{/base64}}
        // {{#hex}}
        String signature = HexFormat.of().formatHex(digest);
        // {{/hex}}
        return isEqual(headers.getFirst("{{header}}"), "{{prefix}}" + signature);
    }
    // {{/hmac}}
    // {{#token}}

    static boolean isAuthentic(Headers headers, byte[] body) {
        return isEqual(headers.getFirst("{{header}}"), "{{prefix}}" + SECRET);
    }
    // {{/token}}
    // {{#echo}}

    // Before the first event, the vendor sends its token, alone, and expects it back.
    static final Pattern HANDSHAKE = Pattern.compile("\\s*\\{\\s*(?:\"{{key}}\"\\s*:\\s*\"([^\"]*)\"\\s*)?\\}\\s*");
    // {{/echo}}

    static void receive(HttpExchange exchange) throws Exception {
        if (!exchange.getRequestMethod().equals("POST")) {
            exchange.sendResponseHeaders(405, -1);
            exchange.close();
            return;
        }
        byte[] body = exchange.getRequestBody().readAllBytes();
        String text = new String(body, StandardCharsets.UTF_8);
        // {{#echo}}
        Matcher handshake = HANDSHAKE.matcher(text);
        if (handshake.matches()) {
            boolean known = isEqual(handshake.group(1), SECRET) || isAuthentic(exchange.getRequestHeaders(), body);
            respond(exchange, known ? 200 : 401, known ? "{\"{{key}}\":\"" + SECRET + "\"}" : "{}");
            return;
        }
        // {{/echo}}
        // {{#verified}}
        if (!isAuthentic(exchange.getRequestHeaders(), body)) {
            respond(exchange, 401, "{}");
            return;
        }
        // {{/verified}}
        System.out.println(text);
        respond(exchange, 200, "{}");
    }

    static void respond(HttpExchange exchange, int status, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    public static void main(String[] arguments) throws IOException {
        String port = System.getenv().getOrDefault("PORT", "3000");
        HttpServer server = HttpServer.create(new InetSocketAddress(Integer.parseInt(port)), 0);
        server.createContext("/", exchange -> {
            try {
                receive(exchange);
            } catch (Exception error) {
                error.printStackTrace();
                respond(exchange, 500, "{}");
            }
        });
        server.start();
    }
}
