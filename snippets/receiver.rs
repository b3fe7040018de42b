// Receives and verifies webhooks of {{vendor}}. Dependencies in Cargo.toml:
//   serde_json = "1"
//   tiny_http = "0.12"
// {{#hmac}}
//   hmac = "0.12"
// {{#base64}}
//   base64 = "0.22"
// {{/base64}}
// {{#hex}}
//   hex = "0.4"
// {{/hex}}
//   sha1 = "0.10"
//   sha2 = "0.10"
// {{/hmac}}
// {{#credential}}
//   subtle = "2"
// Credentials of the test account: standin secrets {{id}} --env
// {{/credential}}
use std::env;

// {{#base64}}
use base64::Engine as _;
// {{/base64}}
// {{#hmac}}
use hmac::{Hmac, Mac as _};
// {{/hmac}}
use serde_json::{Map, Value, json};
// {{#credential}}
use subtle::ConstantTimeEq as _;
// {{/credential}}
use tiny_http::{Request, Response, Server};
// {{#credential}}

/// Takes the same time wherever the texts differ.
fn is_equal(received: &str, expected: &str) -> bool {
    received.as_bytes().ct_eq(expected.as_bytes()).into()
}
// {{/credential}}
// {{#hmac}}

/// The signature covers the bytes that arrived: never parse and re-serialize them first.
fn is_authentic(request: &Request, body: &[u8], secret: &str) -> bool {
    let mut mac = Hmac::<{{hash_crate}}::{{Hash}}>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    // {{#base64}}
    let signature = base64::engine::general_purpose::STANDARD.encode(digest);
    // {{/base64}}
    // {{#hex}}
    let signature = hex::encode(digest);
    // {{/hex}}
    is_equal(header(request), &format!("{{prefix}}{signature}"))
}
// {{/hmac}}
// {{#token}}

fn is_authentic(request: &Request, _body: &[u8], secret: &str) -> bool {
    is_equal(header(request), &format!("{{prefix}}{secret}"))
}
// {{/token}}
// {{#verified}}

fn header(request: &Request) -> &str {
    let mut headers = request.headers().iter();
    let found = headers.find(|header| header.field.equiv("{{header}}"));
    found.map_or("", |header| header.value.as_str())
}
// {{/verified}}

fn receive(
    request: &Request,
    body: &[u8],
    // {{#credential}}
    secret: &str,
    // {{/credential}}
) -> (u16, Value) {
    let event: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
    // {{#echo}}
    // Before the first event, the vendor sends its token and expects it back.
    if let Some(event) = event.as_ref().filter(|event| event.keys().all(|key| key == "{{key}}")) {
        let token = event.get("{{key}}").and_then(Value::as_str).unwrap_or_default();
        let is_known = is_equal(token, secret) || is_authentic(request, body, secret);
        return if is_known { (200, json!({"{{key}}": secret})) } else { (401, json!({})) };
    }
    // {{/echo}}
    // {{#verified}}
    if !is_authentic(request, body, secret) {
        return (401, json!({}));
    }
    // {{/verified}}
    // {{#unverified}}
    let _ = request;
    // {{/unverified}}
    let Some(event) = event else { return (400, json!({})) };
    println!("{}", Value::Object(event));
    (200, json!({}))
}

fn main() {
    // {{#credential}}
    let secret = env::var("{{env}}").expect("set {{env}}");
    // {{/credential}}
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let server = Server::http(format!("0.0.0.0:{port}")).unwrap();
    for mut request in server.incoming_requests() {
        let mut body = Vec::new();
        if request.as_reader().read_to_end(&mut body).is_err() {
            continue;
        }
        let (status, json) = receive(
            &request,
            &body,
            // {{#credential}}
            &secret,
            // {{/credential}}
        );
        let _ = request.respond(Response::from_string(json.to_string()).with_status_code(status));
    }
}
