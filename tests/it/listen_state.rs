//! What `standin listen` shows of the requests that it got: as JSON, and as a page.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use serde_json::{Value as Json, json};

use crate::support::{Background, standin, stderr};

/// A receiver for one vendor, or for every vendor.
struct Listening {
    process: Background,
    /// `127.0.0.1:PORT`.
    address: String,
}

struct Shown {
    status: u16,
    head: String,
    body: String,
}

impl Shown {
    fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map_or("", |h| h.1)
    }
}

impl Listening {
    fn start(arguments: &[&str]) -> Self {
        let arguments = [&["listen", "--port", "0"], arguments].concat();
        let mut process = Background::start(std::path::Path::new("/"), &arguments);
        let printed = process.read_stderr_until("Press Ctrl-C");
        let url = printed.split_whitespace().find_map(|word| word.strip_prefix("http://")).unwrap();
        let address = url.split('/').next().unwrap().to_owned();
        Self { process, address }
    }

    fn raw(&self, request: &str) -> Shown {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Shown { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn get_with(&self, path: &str, headers: &str) -> Shown {
        self.raw(&format!("GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n"))
    }

    fn get(&self, path: &str) -> Json {
        let shown = self.get_with(path, &format!("Host: {}\r\n", self.address));
        assert_eq!(shown.status, 200, "{path}: {}", shown.body);
        shown.json()
    }

    fn post(&self, path: &str, body: &str) -> Shown {
        let (host, length) = (&self.address, body.len());
        self.raw(&format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ))
    }

    /// Plays a scenario that sends to a path of the receiver.
    fn play(&self, scenario: &str, vendor: &str, options: &[&str]) {
        let url = format!("http://{}/{vendor}", self.address);
        let run = [&["run", scenario, "--vendor", vendor, "--to", &url], options].concat();
        let played = standin(&run);
        assert!(played.status.code().is_some_and(|code| code < 2), "{}", stderr(&played));
    }
}

#[test]
fn the_state_counts_requests_and_the_exit_code_so_far() {
    let listening = Listening::start(&["ebbot", "--exit-after", "3"]);
    let state = listening.get("/state");
    assert_eq!((&state["requests"], &state["exit_code"]), (&json!(0), &json!(1)), "{state}");
    // The first one is a webhook, although GET of this path returns the state.
    assert_eq!(listening.post("/state", "{}").status, 401);
    let url = format!("http://{}/hooks", listening.address);
    for text in ["Hello", "Bye"] {
        let text = format!("text={text}");
        let sent = ["send", "ebbot", "chat.user.message", "--set", &text, "--to", &url];
        let sent = standin(&sent);
        assert_eq!(sent.status.code(), Some(0), "{}", stderr(&sent));
        if text == "text=Hello" {
            let state = listening.get("/state");
            for (key, value) in [("requests", 2), ("passed", 1), ("failed", 1), ("events", 1)] {
                assert_eq!(state[key], json!(value), "{key} of {state}");
            }
            assert_eq!(state["types"], json!({"chat.user.message": 1}));
            assert_eq!(state["messages"], json!(["Hello"]));
            assert_eq!((&state["exit_after"], &state["exit_code"]), (&json!(3), &json!(1)));
            let later = listening.get("/requests?after=1");
            assert_eq!(later["requests"].as_array().unwrap().len(), 1, "{later}");
            assert_eq!(later["requests"][0]["number"], json!(2));
        }
    }
    let ended = listening.process.wait();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let good = Listening::start(&["ebbot"]);
    assert_eq!(good.get("/state")["exit_code"], json!(0));
    assert_eq!(good.process.terminate().code, Some(0));
}

#[test]
fn requests_show_vendor_event_verification_duplicates_and_order() {
    let listening = Listening::start(&[]);
    listening.play("handover", "wotnot", &["--seed", "7"]);
    let first = listening.get("/requests")["requests"].as_array().unwrap().clone();
    assert!(first.iter().all(|request| request["passed"] == json!(true)), "{first:?}");
    assert!(first.iter().all(|request| request["vendor"] == json!("wotnot")));
    assert!(first.iter().any(|request| request["event"] == json!("message")), "{first:?}");
    for key in ["duplicate_of", "overtaken_by"] {
        assert!(first.iter().all(|request| request[key].is_null()), "{key}: {first:?}");
    }
    // The same bytes, and then a conversation whose deliveries change places.
    listening.play("handover", "wotnot", &["--seed", "7"]);
    let again = listening.get(&format!("/requests?after={}", first.len()));
    let again = again["requests"].as_array().unwrap();
    assert_eq!(again.len(), first.len());
    for (earlier, later) in first.iter().zip(again) {
        let is_event = earlier["handshake"] == json!(false);
        let expected = if is_event { &earlier["number"] } else { &Json::Null };
        assert_eq!(&later["duplicate_of"], expected, "{later}");
    }
    let state = listening.get("/state");
    let events = first.len() - 1;
    assert_eq!((&state["duplicates"], &state["out_of_order"]), (&json!(events), &json!(0)));
    assert_eq!((&state["handshakes"], &state["events"]), (&json!(2), &json!(2 * events)));
    // Conversations are told apart, and so are vendors.
    listening.play("handover", "liveperson", &["--seed", "8", "--conversations", "5"]);
    assert_eq!(listening.get("/state")["out_of_order"], json!(0));
    let late = "name = 'late'\n[[step]]\nopen = {}\n[[step]]\nfault = 'reorder'\n\
                say = { by = 'visitor', text = 'one' }\n[[step]]\nafter = '5s'\nsay = { by = 'visitor', text = 'two' }\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("late.toml");
    std::fs::write(&file, late).unwrap();
    listening.play(file.to_str().unwrap(), "ebbot", &[]);
    let all = listening.get("/requests")["requests"].as_array().unwrap().clone();
    let text = |text: &str| all.iter().find(|request| request["text"] == json!(text)).unwrap();
    assert_eq!(text("one")["overtaken_by"], text("two")["number"], "{all:?}");
    assert_eq!(listening.get("/state")["out_of_order"], json!(1));
}

#[test]
fn failed_requests_and_injected_faults_are_shown_with_the_reason() {
    let listening = Listening::start(&["wotnot", "--wrong", "status:503"]);
    assert_eq!(listening.post("/hooks", "{not JSON").status, 503);
    let request = &listening.get("/requests")["requests"][0];
    assert_eq!((&request["passed"], &request["status"]), (&json!(false), &json!(503)));
    assert_eq!(request["faults"], json!(["status:503"]));
    let errors = request["errors"].to_string();
    assert!(errors.contains("body is not JSON"), "{errors}");
    assert_eq!(listening.get("/requests/1")["body"], json!("{not JSON"));
    assert_eq!(listening.get_with("/requests/2", "Host: localhost\r\n").status, 404);
    assert_eq!(listening.get_with("/requests/x", "Host: localhost\r\n").status, 404);
    assert_eq!(listening.get_with("/requests?after=x", "Host: localhost\r\n").status, 400);
    let ended = listening.process.terminate();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
}

#[test]
fn the_page_loads_nothing_and_contains_nothing_that_arrived() {
    let listening = Listening::start(&["ebbot"]);
    let markup = "<img src=x onerror=alert(1)></script><script>alert(2)</script>";
    let body = json!({"topic": markup, "data": {"value": markup, "chatId": markup}}).to_string();
    listening.post(&format!("/{}", "%3Cb%3E"), &body);
    let headers = format!("Host: {}\r\nAccept: text/html,*/*\r\n", listening.address);
    let page = listening.get_with("/", &headers);
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(!page.body.contains("onerror"), "{}", page.body);
    for from_elsewhere in ["src=", "http:", "https:", "@import", "url("] {
        assert!(!page.body.contains(from_elsewhere), "{from_elsewhere}");
    }
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    for (element, directive) in [("style", "style-src"), ("script", "script-src")] {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let text = page.body.split_once(&open).unwrap().1.split_once(&close).unwrap().0;
        let hash = STANDARD.encode(digest(&SHA256, text.as_bytes()));
        assert!(policy.contains(&format!("{directive} 'sha256-{hash}'")), "{directive}");
    }
    // The same page at every path; programs get JSON.
    assert_eq!(listening.get_with("/hooks", &headers).body, page.body);
    let shown = listening.get_with("/requests", &format!("Host: {}\r\n", listening.address));
    assert_eq!(shown.header("content-type"), "application/json");
    assert_eq!(shown.header("x-content-type-options"), "nosniff");
    assert_eq!(shown.header("access-control-allow-origin"), "");
    assert_eq!(shown.json()["requests"][0]["event"], json!(markup));
    assert_eq!(listening.get("/")["state"], json!("/state"));
}

#[test]
fn other_host_names_see_nothing_but_can_send() {
    let listening = Listening::start(&["ebbot", "--allow-host", "hooks.example.test"]);
    let port = listening.address.rsplit(':').next().unwrap().to_owned();
    let status = |path: &str, host: &str| {
        listening.get_with(path, &format!("Host: {host}\r\nAccept: text/html\r\n")).status
    };
    for path in ["/", "/state", "/requests", "/requests/1", "/events/1"] {
        for host in ["rebound.example.test", "localhost.example.test", "127.0.0.1.example.test"] {
            assert_eq!(status(path, host), 421, "{path} for {host}");
        }
        for host in ["localhost", &format!("127.0.0.1:{port}"), "[::1]:9", "HOOKS.example.test:80"]
        {
            assert_ne!(status(path, host), 421, "{path} for {host}");
        }
        assert_eq!(listening.get_with(path, "Host: localhost\r\nHost: other\r\n").status / 100, 4);
    }
    // A test whether a server listens, and webhooks through a tunnel.
    let head = "HEAD /hooks HTTP/1.1\r\nHost: tunnel.example.test\r\nConnection: close\r\n\r\n";
    assert_eq!(listening.raw(head).status, 200);
    let post = "POST /hooks HTTP/1.1\r\nHost: tunnel.example.test\r\nContent-Length: 2\r\n\
                Connection: close\r\n\r\n{}";
    assert_eq!(listening.raw(post).status, 401);
}
