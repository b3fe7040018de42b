# Receives and verifies webhooks of {{vendor}}: python3 receiver.py
# {{#credential}}
# Credentials of the test account: standin secrets {{id}} --env
# {{/credential}}
# {{#hmac}}
# {{#base64}}
import base64
# {{/base64}}
import hashlib
# {{/hmac}}
# {{#credential}}
import hmac
# {{/credential}}
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
# {{#credential}}

SECRET = os.environ["{{env}}"].encode()
# {{/credential}}
# {{#hmac}}


# The signature covers the bytes that arrived: never parse and re-serialize them first.
def is_authentic(headers, body):
    digest = hmac.new(SECRET, body, hashlib.{{hash}})
    # {{#base64}}
    signature = base64.b64encode(digest.digest())
    # {{/base64}}
    # {{#hex}}
    signature = digest.hexdigest().encode()
    # {{/hex}}
    received = headers.get("{{header}}", "").encode()
    return hmac.compare_digest(received, b"{{prefix}}" + signature)
# {{/hmac}}
# {{#token}}


def is_authentic(headers, body):
    received = headers.get("{{header}}", "").encode()
    return hmac.compare_digest(received, b"{{prefix}}" + SECRET)
# {{/token}}


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        # {{#echo}}
        event = parse(body)
        # Before the first event, the vendor sends its token and expects it back.
        if event is not None and set(event) <= {"{{key}}"}:
            token = str(event.get("{{key}}", "")).encode()
            if hmac.compare_digest(token, SECRET) or is_authentic(self.headers, body):
                return self.respond(200, {"{{key}}": SECRET.decode()})
            return self.respond(401, {})
        # {{/echo}}
        # {{#verified}}
        if not is_authentic(self.headers, body):
            return self.respond(401, {})
        # {{/verified}}
        event = parse(body)
        if event is None:
            return self.respond(400, {})
        print(event, flush=True)
        self.respond(200, {})

    def respond(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def parse(body):
    try:
        event = json.loads(body)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


ThreadingHTTPServer(("", int(os.environ.get("PORT", "3000"))), Receiver).serve_forever()
