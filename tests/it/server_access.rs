//! Who gets access to the control API, and what every response has.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::support::{Server, configured};

const SCENARIOS: &str = "/api/v1/scenarios";

/// Every path of the `OpenAPI` document with its methods, parameters filled in.
fn paths(server: &Server) -> Vec<(String, String)> {
    let document = server.get("/api/openapi.json");
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
        let path = path.collect::<Vec<_>>().join("/");
        let methods = methods.as_object().unwrap().keys();
        found.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

#[test]
fn every_path_of_the_api_needs_the_token() {
    let server = Server::start(&["--vendor", "ebbot"]);
    let token = &server.token;
    assert!(token.len() >= 32);
    let wrong = [
        String::new(),
        "Authorization: Bearer wrong\r\n".into(),
        format!("Authorization: Bearer {}\r\n", &token[1..]),
        format!("Authorization: Bearer {token}x\r\n"),
        format!("Authorization: bearer {token}\r\n"),
        format!("Authorization: Basic {token}\r\n"),
        format!("Cookie: token={token}\r\n"),
    ];
    for (method, path) in paths(&server) {
        for headers in &wrong {
            let response = server.request(&format!("{method} {path}"), headers, "");
            assert_eq!(response.status, 401, "{method} {path} with {headers}");
            assert!(response.head.to_lowercase().contains("www-authenticate: bearer"));
        }
    }
    for path in [
        &format!("{SCENARIOS}?token={token}"),
        "//api/v1/scenarios",
        "/api/../api/v1/scenarios",
        "/%61pi/v1/scenarios",
        "/apifoo",
        "/api",
        "/api/v1/scenarios/",
        "/healthz/../api/v1/scenarios",
        "/index.html/api/v1/scenarios",
    ] {
        let response = server.request(&format!("GET {path}"), "", "");
        assert!([401, 404].contains(&response.status), "{path}: {}", response.status);
    }
    for path in ["/", "/healthz", "/readyz", "/metrics"] {
        assert_eq!(server.request(&format!("GET {path}"), "", "").status, 200, "{path}");
    }
    assert_eq!(server.request("HEAD /healthz", "", "").status, 200);
    assert_eq!(server.request("POST /healthz", "", "").status, 401);
}

#[test]
fn requests_for_another_host_are_refused() {
    let server = Server::start(&["--vendor", "ebbot", "--allow-host", "standin.example.test"]);
    let port = server.address.rsplit(':').next().unwrap();
    let token = &server.token;
    let status = |target: &str, hosts: &[&str]| {
        let hosts: Vec<String> = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
        let hosts = hosts.concat();
        server
            .raw(&format!(
                "GET {target} HTTP/1.1\r\n{hosts}Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
            ))
            .status
    };
    let own = format!("127.0.0.1:{port}");
    for host in [
        &own,
        "localhost",
        "LocalHost:1",
        &format!("[::1]:{port}"),
        "standin.example.test",
        "standin.example.test:8080",
    ] {
        assert_eq!(status(SCENARIOS, &[host]), 200, "{host}");
    }
    for host in [
        "evil.example.test",
        &format!("evil.example.test:{port}"),
        "localhost.evil.example.test",
        "localhost.",
        "0.0.0.0",
        "8.8.8.8",
        "",
        "[::1",
        "localhost:port",
        "localhost/evil",
        "user@localhost",
        "localhost evil.example.test",
        "%6cocalhost",
        "\u{fe0f}localhost",
        &"a".repeat(4_000),
    ] {
        assert_eq!(status(SCENARIOS, &[host]), 421, "{host}");
        assert_eq!(status("/", &[host]), 421, "{host}");
    }
    assert!([400, 421].contains(&status(SCENARIOS, &[&own, "evil.example.test"])));
    assert!([400, 421].contains(&status(SCENARIOS, &[])));
    for garbage in ["local\0host", "\0", "localhost\0", "localhost\rX: y", "local\u{7f}host"] {
        let found = status("/", &[garbage]);
        assert!([400, 421].contains(&found), "{garbage:?}: {found}");
    }
    let spoofed = format!("http://evil.example.test{SCENARIOS}");
    assert_eq!(status(&spoofed, &[&own]), 421);
    let forwarded = "X-Forwarded-Host: localhost\r\nForwarded: host=localhost\r\n";
    let request = format!(
        "GET / HTTP/1.1\r\nHost: evil.example.test\r\n{forwarded}Connection: close\r\n\r\n"
    );
    assert_eq!(server.raw(&request).status, 421);
}

#[test]
fn pages_of_other_sites_cannot_change_anything() {
    let server = Server::start(&["--vendor", "ebbot"]);
    let (address, token) = (&server.address, &server.token);
    let authorized = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
    let status = |headers: &str| {
        let run = r#"{"vendor":"ebbot","scenario":"handover"}"#;
        server.request("POST /api/v1/runs", &format!("{authorized}{headers}"), run).status
    };
    for refused in [
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Origin: http://evil.example.test\r\n",
        "Origin: null\r\n",
        "Origin: http://localhost:1\r\n",
    ] {
        assert_eq!(status(refused), 403, "{refused}");
    }
    assert_eq!(server.get("/api/v1/runs")["items"].as_array().unwrap().len(), 0);
    for accepted in [
        "",
        "Sec-Fetch-Site: same-origin\r\n",
        "Sec-Fetch-Site: none\r\n",
        &format!("Origin: http://{address}\r\n"),
    ] {
        assert_eq!(status(accepted), 201, "{accepted}");
    }
    for media_type in
        ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"]
    {
        let headers = format!("Authorization: Bearer {token}\r\nContent-Type: {media_type}\r\n");
        let body = r#"{"vendor":"ebbot","scenario":"handover"}"#;
        let response = server.request("POST /api/v1/runs", &headers, body);
        assert_eq!((response.status, response.code()), (415, "unsupported_media_type".into()));
    }
    let response = server.request(
        "OPTIONS /api/v1/runs",
        "Origin: http://evil.example.test\r\nAccess-Control-Request-Method: POST\r\n",
        "",
    );
    assert!(!response.head.to_lowercase().contains("access-control-allow"), "{}", response.head);
}

#[test]
fn every_response_has_the_security_headers() {
    let server = Server::start(&["--vendor", "ebbot"]);
    for (line, host) in [
        ("GET /", "localhost"),
        ("GET /nothing", "localhost"),
        ("GET /api/v1/runs", "localhost"),
        ("GET /", "evil.example.test"),
        ("POST /api/v1/runs", "localhost"),
    ] {
        let request = format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let head = server.raw(&request).head.to_lowercase();
        for header in [
            "content-security-policy: default-src 'none';",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-resource-policy: same-origin",
            "cache-control: no-store",
        ] {
            assert!(head.contains(header), "{line} at {host} lacks {header}:\n{head}");
        }
    }
}

#[test]
fn requests_that_are_too_large_or_not_valid_are_refused() {
    let server = Server::start(&["--vendor", "ebbot"]);
    let large = format!(r#"{{"source":"{}"}}"#, "x".repeat(1024 * 1024));
    let check = "POST /api/v1/scenarios/check";
    assert_eq!(server.call(check, &large).status, 413);
    let zipped = format!(
        "Authorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n",
        server.token
    );
    assert_eq!(server.request(check, &zipped, "\u{1f}\u{8b}").status, 415);
    let deep = format!(r#"{{"source":{}}}"#, "[".repeat(100_000));
    for (invalid, pointer) in [
        ("{", Json::from("")),
        (&deep, "/source".into()),
        (r#"{"source":1}"#, "/source".into()),
        (r#"{"source":"","extra":1}"#, "/extra".into()),
        (r#"{"source":""} x"#, Json::Null),
        (r#"{"source":"\ud800"}"#, "/source".into()),
        ("null", "".into()),
    ] {
        let response = server.call(check, invalid);
        assert_eq!(
            response.status,
            400,
            "{}: {}",
            &invalid[..invalid.len().min(40)],
            response.body
        );
        assert_eq!(response.json()["error"]["pointer"], pointer, "{}", response.body);
    }
    for path in ["/api/v1/runs/x", "/api/v1/deliveries?limit=x", "/api/v1/deliveries?unknown=1"] {
        let response = server.call(&format!("GET {path}"), "");
        assert!([400, 404].contains(&response.status), "{path}: {}", response.status);
        assert!(!response.code().is_empty(), "{path}: {}", response.body);
    }
}

/// Memory of the process of a server, in KiB.
#[cfg(target_os = "linux")]
fn memory(server: &Server) -> u64 {
    let path = format!("/proc/{}/status", server.process.id());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn compressed_and_unfinished_bodies_cost_neither_memory_nor_the_time_of_others() {
    let server = Server::start(&["--vendor", "ebbot"]);
    let head = |path: &str, more: &str| {
        let (address, token) = (&server.address, &server.token);
        format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Connection: close\r\n{more}\r\n"
        )
    };
    let before = memory(&server);
    // What a gigabyte of zeros becomes is about as long as this.
    let zipped = "\0".repeat(1_000_000);
    let paths = ["/api/v1/runs", "/api/v1/scenarios/check", "/api/v1/files?name=x.png"];
    for (path, key) in
        paths.map(|path| (path, "")).into_iter().chain([(paths[0], "Idempotency-Key: a\r\n")])
    {
        let length = zipped.len();
        let more = format!(
            "{key}Content-Encoding: gzip\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
        );
        let response = server.raw(&(head(path, &more) + &zipped));
        assert_eq!(
            (response.status, response.code()),
            (415, "unsupported_media_type".into()),
            "{path}"
        );
    }
    // Bodies that never end, with a valid token.
    let unfinished: Vec<TcpStream> = (0..200)
        .map(|number| {
            let mut stream = TcpStream::connect(&server.address).unwrap();
            let more = "Content-Type: application/json\r\nContent-Length: 1000000\r\n";
            write!(stream, "{}{{\"source\": \"{number}", head(paths[1], more)).unwrap();
            stream
        })
        .collect();
    for _ in 0..20 {
        let began = Instant::now();
        assert_eq!(server.request("GET /healthz", "", "").status, 200);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
    drop(unfinished);
    let grown = memory(&server).saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB");
}

#[test]
fn secrets_of_the_configuration_are_not_in_the_api() {
    let folder = configured("[vendor.wotnot]\nsecret = { token = \"file:token\" }\n");
    let secret = "a-private-token-of-the-user";
    std::fs::write(folder.path().join("token"), secret).unwrap();
    let receiver = crate::support::Receiver::accepting();
    let to = format!("wotnot={}", receiver.url());
    let server = Server::start_in(folder.path(), &["--to", &to]);
    let request =
        serde_json::json!({"vendor": "wotnot", "scenario": "handover", "clock": "virtual"});
    let run = server.run(&request);
    server.ended(run);
    assert!(receiver.requests().iter().any(|request| format!("{request:?}").contains(secret)));
    let delivery = server.get("/api/v1/deliveries")["items"][0]["id"].as_str().unwrap().to_owned();
    for path in [
        "/api/v1/records".to_owned(),
        format!("/api/v1/deliveries/{delivery}"),
        format!("/api/v1/deliveries/{delivery}/verification"),
        "/api/v1/vendors/wotnot".to_owned(),
        format!("/api/v1/conversations/{run}-1"),
    ] {
        let response = server.call(&format!("GET {path}"), "");
        assert_eq!(response.status, 200, "{path}");
        assert!(!response.body.contains(secret), "{path}");
    }
    let verification = server.get(&format!("/api/v1/deliveries/{delivery}/verification"));
    assert_eq!(verification["passed"], true, "{verification}");
}
