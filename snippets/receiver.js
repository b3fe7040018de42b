// Receives and verifies webhooks of {{vendor}}: node receiver.js
// {{#credential}}
// Credentials of the test account: standin secrets {{id}} --env
// {{/credential}}
const http = require("node:http");
// {{#credential}}
const crypto = require("node:crypto");

const secret = process.env.{{env}};
if (!secret) throw new Error("set {{env}}");

// Takes the same time wherever the texts differ.
function isEqual(received, expected) {
  const [a, b] = [Buffer.from(received ?? ""), Buffer.from(expected)];
  return a.length === b.length && crypto.timingSafeEqual(a, b);
}
// {{/credential}}
// {{#hmac}}

// The signature covers the bytes that arrived: never parse and re-serialize them first.
function isAuthentic(headers, body) {
  const signature = crypto.createHmac("{{hash}}", secret).update(body).digest(
    // {{#base64}}
    "base64",
    // {{/base64}}
    // {{#hex}}
    "hex",
    // {{/hex}}
  );
  return isEqual(headers["{{header_lower}}"], "{{prefix}}" + signature);
}
// {{/hmac}}
// {{#token}}

function isAuthentic(headers) {
  return isEqual(headers["{{header_lower}}"], "{{prefix}}" + secret);
}
// {{/token}}
// {{#echo}}

// Before the first event, the vendor sends its token and expects it back.
function isHandshake(json) {
  return Object.keys(json).every((key) => key === "{{key}}");
}
// {{/echo}}

function respond(response, status, body) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
}

function receive(request, body, response) {
  // {{#echo}}
  const json = parse(body);
  if (json && isHandshake(json)) {
    const known = isEqual(json["{{key}}"], secret) || isAuthentic(request.headers, body);
    return known ? respond(response, 200, { "{{key}}": secret }) : respond(response, 401, {});
  }
  // {{/echo}}
  // {{#verified}}
  if (!isAuthentic(request.headers, body)) return respond(response, 401, {});
  // {{/verified}}
  const event = parse(body);
  if (!event) return respond(response, 400, {});
  console.log(event);
  respond(response, 200, {});
}

function parse(body) {
  try {
    const json = JSON.parse(body);
    return json !== null && typeof json === "object" ? json : undefined;
  } catch {
    return undefined;
  }
}

http
  .createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => receive(request, Buffer.concat(chunks), response));
  })
  .listen(process.env.PORT ?? 3000);
