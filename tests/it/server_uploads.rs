//! Files that people upload to a server, for messages that link to them.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::support::{Receiver, Server, ServerResponse, fetch, free_port};

/// Uploads a file of this name.
fn upload(server: &Server, name: &str, content: &str) -> ServerResponse {
    let headers = format!(
        "Authorization: Bearer {}\r\nContent-Type: application/octet-stream\r\n",
        server.token
    );
    server.request(&format!("POST /api/v1/files?name={name}"), &headers, content)
}

/// Every string in a JSON document that is the URL of a file.
fn link_of(body: &Json) -> Option<&str> {
    match body {
        Json::String(text) => text.contains("/files/").then_some(text),
        Json::Array(items) => items.iter().find_map(link_of),
        Json::Object(table) => table.values().find_map(link_of),
        _ => None,
    }
}

#[test]
fn an_uploaded_file_is_linked_to_and_served_again_after_a_restart() {
    let (folder, receiver) = (TempDir::new().unwrap(), Receiver::accepting());
    let port = free_port().to_string();
    let to = format!("ebbot={}", receiver.url());
    let arguments = ["--vendor", "ebbot", "--to", &to, "--files-port", &port];
    let server = Server::start_in(folder.path(), &arguments);
    let uploaded = upload(&server, "the%20parcel.PNG", "a picture");
    assert_eq!(uploaded.status, 201, "{}", uploaded.body);
    let file = uploaded.json();
    assert_eq!(
        (&file["file_name"], &file["mime_type"], &file["size"]),
        (&json!("the parcel.PNG"), &json!("image/png"), &json!(9))
    );
    let link = file["link"].as_str().unwrap();
    // Equal contents have one URL.
    assert_eq!(upload(&server, "other.png", "a picture").json()["link"], link);

    let source = "[[step]]\nopen = { by = \"visitor\" }\n";
    let run = server.run(&json!({"vendor": "ebbot", "source": source}));
    server.ended(run);
    let mut say = file.clone();
    say["by"] = "visitor".into();
    say["kind"] = "image".into();
    let path = format!("POST /api/v1/conversations/{run}-1/actions");
    let acted = server.call(&path, &json!({ "say": say }).to_string());
    assert_eq!(acted.status, 200, "{}", acted.body);
    let began = Instant::now();
    let sent = || receiver.requests().iter().any(|one| link_of(&one.json()) == Some(link));
    while !sent() {
        assert!(began.elapsed() < Duration::from_secs(10), "the message was not sent");
        thread::sleep(Duration::from_millis(10));
    }

    server.process.kill();
    let server = Server::start_in(folder.path(), &arguments);
    let (head, body) = fetch("GET", link);
    assert!(head.contains("content-type: image/png"), "{head}");
    assert_eq!(body, b"a picture");
    drop(server);
}

#[test]
fn uploads_that_are_not_a_file_are_refused() {
    // Another server of this machine may serve files at the default port.
    let port = free_port().to_string();
    let server = Server::start(&["--vendor", "ebbot", "--files-port", &port]);
    for name in ["", "a%2Fb.png", "..", "a%00.png", "a%0A.png", "%5Ca.png", &"x".repeat(256)] {
        let response = upload(&server, name, "x");
        assert_eq!(response.status, 422, "{name}: {}", response.body);
    }
    assert_eq!(upload(&server, "x&other=1", "x").status, 400);
    let large = "x".repeat(8 * 1024 * 1024 + 1);
    assert_eq!(upload(&server, "x.png", &large).status, 413);
    let keyed = |content: &str| {
        let token = &server.token;
        let headers = format!(
            "Authorization: Bearer {token}\r\nContent-Type: application/octet-stream\r\n\
             Idempotency-Key: a\r\n"
        );
        server.request("POST /api/v1/files?name=x.png", &headers, content)
    };
    assert_eq!(keyed(&large).status, 413);
    let fits = &large[1..];
    let (first, again) = (keyed(fits), keyed(fits));
    assert_eq!((first.status, again.status), (201, 201), "{}", first.body);
    assert!(again.head.contains("idempotency-replayed") && again.body == first.body);
    assert_eq!(keyed("x").status, 409);
    assert_eq!(server.call("POST /api/v1/files?name=x.png", "{}").status, 415);
    assert_eq!(server.request("POST /api/v1/files?name=x.png", "", "x").status, 401);
}
