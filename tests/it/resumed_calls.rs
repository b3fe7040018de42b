//! `run --resume` after a receiver has called the vendor's API: what the calls did is performed again.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};
use standin::platform::Account;
use tempfile::TempDir;

use crate::support::{Receiver, accept, free_port, request, revisions, standin_in, stderr, stdout};

/// A question, an answer by a call, a quote of it, and a farewell by a call.
const TALK: &str = "name = 'talk'
[[step]]
open = { assignee = 'bot' }
[[step]]
say = { by = 'visitor', text = 'Where is it?' }
[[step]]
expect  = { call = 'send_message', match = { text = { contains = '44295' } }, within = '20s' }
capture = { reply = 'text' }
example = { reply = 'It is on its way' }
[[step]]
say = { by = 'visitor', text = 'You say: ${captured.reply}' }
[[step]]
expect = { call = 'send_message', match = { text = 'Good bye' }, within = '20s' }
[[step]]
say = { by = 'visitor', text = 'Thanks' }
[[step]]
close = { by = 'visitor' }
";

fn account(vendor: &str) -> Account {
    let platform = revisions().into_iter().find(|known| known.full_id() == vendor).unwrap();
    Account::test(&platform)
}

/// The command that runs a scenario with a journal.
struct Fixture {
    folder: TempDir,
    arguments: Vec<String>,
}

impl Fixture {
    fn new(scenario: &str, vendor: &str, port: u16, receiver: &Receiver) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("talk.toml"), scenario).unwrap();
        let name = vendor.split('@').next().unwrap();
        let port = format!("{name}={port}");
        let to = receiver.url();
        let arguments = ["run", "talk.toml", "--vendor", vendor, "--to", &to, "--listen"];
        let more = ["--port", &port, "--journal", "j.db", "--resume"];
        let arguments = arguments.iter().chain(&more).map(|&text| text.to_owned()).collect();
        Self { folder, arguments }
    }

    /// Runs the command until it aborts at a fail point.
    fn crash(&self, point: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_standin"))
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .env("STANDIN_CRASH_AT", point)
            .output()
            .unwrap()
    }

    fn run(&self) -> Output {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        standin_in(self.folder.path(), &arguments)
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join(name)).unwrap()).into_owned()
    }
}

/// A bot that replies once to each text, and again only if its call got no response.
fn bot(port: u16) -> Receiver {
    let token = account("wotnot").secrets["api_token"].expose().to_owned();
    let replied = Mutex::new(BTreeSet::new());
    Receiver::responding(move |_, received| {
        let body: Json = serde_json::from_str(&received.body).unwrap_or_default();
        let at = |pointer: &str| body.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
        let text = at("/events/0/event/payload/message/text");
        let reply = match text {
            "Where is it?" => "Order 44295 is on its way",
            text if text.starts_with("You say: Order 44295") => "Good bye",
            _ => return accept(received),
        };
        let mut replied = replied.lock().unwrap();
        if !replied.contains(text) {
            let conversation = at("/events/0/conversation/key");
            let head = format!(
                "POST /api/v1/conversation/{conversation}/messages HTTP/1.1\r\nAuthorization: Bearer {token}"
            );
            let body = json!({"message": {"text": reply}, "user": {"by": "grace@example.test"}});
            let address = format!("127.0.0.1:{port}");
            let status = std::panic::catch_unwind(|| request(&address, &head, &body.to_string()));
            if status.is_ok_and(|response| response.status == 200) {
                replied.insert(text.to_owned());
            }
        }
        drop(replied);
        accept(received)
    })
}

#[test]
fn a_run_with_calls_is_resumed_wherever_it_was_interrupted() {
    for point in ["intent:2", "met:3", "intent:4", "met:5", "finishing"] {
        let port = free_port();
        let receiver = bot(port);
        let fixture = Fixture::new(TALK, "wotnot", port, &receiver);
        let crash = fixture.crash(point);
        assert!(!crash.status.success(), "{point}: {}", stdout(&crash));
        let output = fixture.run();
        let told = format!("{point}:\n{}{}", stdout(&output), stderr(&output));
        assert!(output.status.success(), "{told}");
        // The report has the whole run, with what was received before.
        assert_eq!(told.matches("✓ expect send_message").count(), 2, "{told}");
        let events = receiver.requests().into_iter().filter(|one| one.body.contains("Thanks"));
        assert!((1..=2).contains(&events.count()), "{told}");
        let again = fixture.run();
        assert!(again.status.success(), "{point}: {}{}", stdout(&again), stderr(&again));
    }
}

#[test]
fn a_run_that_was_interrupted_twice_is_resumed() {
    let port = free_port();
    let receiver = bot(port);
    let fixture = Fixture::new(TALK, "wotnot", port, &receiver);
    assert!(!fixture.crash("met:3").status.success());
    assert!(!fixture.crash("intent:1").status.success());
    let output = fixture.run();
    let told = format!("{}{}", stdout(&output), stderr(&output));
    assert!(output.status.success(), "{told}");
    assert_eq!(told.matches("✓ expect send_message").count(), 2, "{told}");
}

/// A conversation that a call opens.
const OPENED: &str = "name = 'talk'
[[step]]
expect = { call = 'send_message', match = { text = 'one' }, within = '20s' }
[[step]]
expect = { call = 'send_message', match = { text = 'two' }, within = '20s' }
[[step]]
say = { by = 'bot', text = 'three' }
";

#[test]
fn a_run_whose_conversation_a_call_has_opened_is_resumed() {
    for point in ["intent:1", "met:1"] {
        let (port, receiver) = (free_port(), Receiver::accepting());
        let webhook = account("ebbot").secrets["webhook_id"].expose().to_owned();
        // The process may end before the response.
        let send = move |text: &str, chat: Json| {
            let head = format!("POST /api/webhooks/{webhook} HTTP/1.1");
            let body = json!({"type": "text", "sandbox": false, "value": text, "chatId": chat});
            let (address, body) = (format!("127.0.0.1:{port}"), body.to_string());
            let listens = || TcpStream::connect(&address).is_ok();
            let mut pauses = (0..1000).map(|_| std::thread::sleep(Duration::from_millis(10)));
            assert!(pauses.any(|()| listens()), "the API does not listen");
            let _ = std::panic::catch_unwind(|| request(&address, &head, &body));
        };
        let fixture = Fixture::new(OPENED, "ebbot", port, &receiver);
        std::thread::scope(|scope| {
            scope.spawn(|| send("one", Json::Null));
            let crash = fixture.crash(point);
            assert!(!crash.status.success(), "{point}: {}", stdout(&crash));
        });
        let opened: Json = serde_json::from_str(&receiver.requests()[0].body).unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(|| send("two", opened["data"]["id"].clone()));
            fixture.run()
        });
        let told = format!("{point}:\n{}{}", stdout(&output), stderr(&output));
        assert!(output.status.success(), "{told}");
        assert_eq!(told.matches("✓ expect send_message").count(), 2, "{told}");
    }
}

/// Three messages. The client logs in at the first, and uses its token at each later one.
const LETTERS: &str = "name = 'letters'
[[step]]
open = {}
[[step]]
say = { by = 'visitor', text = 'one' }
[[step]]
expect = { call = 'log_in', within = '20s' }
[[step]]
say = { by = 'visitor', text = 'two' }
[[step]]
say = { by = 'visitor', text = 'three' }
[[step]]
expect = { call = 'read_subscriptions', within = '20s' }
";

#[test]
fn a_token_stays_valid_and_is_in_no_journal() {
    let port = free_port();
    let own = account("liveperson@2022");
    let id = own.values["id"].as_str().unwrap().to_owned();
    let login = json!({"username": own.values["user_name"], "password": own.secrets["user_password"].expose()});
    let (token, statuses) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(Vec::new())));
    let (kept, seen) = (Arc::clone(&token), Arc::clone(&statuses));
    let receiver = Receiver::responding(move |_, received| {
        let address = format!("127.0.0.1:{port}");
        let (mut token, is_message) =
            (kept.lock().unwrap(), received.body.contains("ContentEvent"));
        if is_message && token.is_empty() {
            let head = format!("POST /api/account/{id}/login HTTP/1.1");
            let response = request(&address, &head, &login.to_string()).json();
            *token = response["bearer"].as_str().unwrap_or_default().to_owned();
        } else if is_message {
            let path = format!("/api/account/{id}/configuration/app-install/installations?v=1.0");
            let head = format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {token}");
            seen.lock().unwrap().push(request(&address, &head, "").status);
        }
        drop(token);
        accept(received)
    });
    let fixture = Fixture::new(LETTERS, "liveperson@2022", port, &receiver);
    assert!(!fixture.crash("met:2").status.success());
    let token = token.lock().unwrap().clone();
    assert!(token.len() > 10, "the client has logged in: {token}");
    let kept = fixture.folder.path().join("j.db.accounts");
    assert!(fixture.text("j.db.accounts").contains(&token), "it is kept for the resumed run");
    assert_private(&kept);
    let output = fixture.run();
    let told = format!("{}{}", stdout(&output), stderr(&output));
    assert!(output.status.success(), "{told}");
    assert_eq!(statuses.lock().unwrap().last(), Some(&200), "{told}");
    let export = standin_in(fixture.folder.path(), &["journal", "export", "j.db"]);
    for text in [told, fixture.text("j.db"), stdout(&export)] {
        assert!(!text.contains(&token), "the token is in an output");
    }
    // The run has ended: nobody needs it any more.
    assert!(!fixture.text("j.db.accounts").contains(&token));
}

/// Three messages. The client subscribes a URL at the first.
const SUBSCRIBING: &str = "name = 'talk'
[[step]]
open = {}
[[step]]
say = { by = 'visitor', text = 'one' }
[[step]]
expect = { call = 'subscribe', within = '20s' }
[[step]]
say = { by = 'visitor', text = 'two' }
[[step]]
say = { by = 'visitor', text = 'three' }
";

#[test]
fn a_later_run_sends_to_the_url_that_a_call_of_the_resumed_run_subscribed() {
    let port = free_port();
    let own = account("wotnot");
    let (id, token) = (own.values["id"].clone(), own.secrets["api_token"].expose().to_owned());
    let subscribed = Receiver::accepting();
    let url = subscribed.url();
    let is_done = Mutex::new(false);
    let receiver = Receiver::responding(move |_, received| {
        let mut is_done = is_done.lock().unwrap();
        if received.body.contains("\"one\"") && !*is_done {
            let head =
                format!("POST /v1/accounts/{id}/webhook HTTP/1.1\r\nAuthorization: Bearer {token}");
            let body = json!({"webhook_url": url, "token": "of-the-call", "is_enabled": true});
            let response = request(&format!("127.0.0.1:{port}"), &head, &body.to_string());
            assert_eq!(response.status, 200, "{}", response.body);
            *is_done = true;
        }
        accept(received)
    });
    let mut fixture = Fixture::new(SUBSCRIBING, "wotnot", port, &receiver);
    fs::write(fixture.folder.path().join("later.toml"), "[[step]]\nopen = {}\n").unwrap();
    fixture.arguments.insert(2, "later.toml".to_owned());
    assert!(!fixture.crash("met:4").status.success());
    let created = || {
        let events = subscribed.events();
        events.iter().filter(|event| event.body.contains("conversation_create")).count()
    };
    assert_eq!(created(), 0, "the call came after the conversation was opened");
    let output = fixture.run();
    let told = format!("{}{}", stdout(&output), stderr(&output));
    assert!(output.status.success(), "{told}");
    assert_eq!(created(), 1, "{told}");
}

#[cfg(unix)]
fn assert_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
}

#[cfg(not(unix))]
fn assert_private(_: &Path) {}
