//! Secrets in texts that are cut, of other vendors, in URLs, and in files.

use std::fs;
use std::path::Path;

use crate::support::{ReceivedRequest, Receiver, Reply, configured, standin_in, stderr, stdout};

const TOKEN: &str = "canary-token-4711-of-mine";

/// Asserts that a text contains no part of a secret that is longer than a few characters.
fn assert_no_part(secret: &str, text: &str) {
    let parts = (0..secret.len() - 5).map(|at| &secret[at..at + 6]);
    parts.for_each(|part| assert!(!text.contains(part), "`{part}` is in\n{text}"));
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = standin_in(folder, arguments);
    stdout(&output) + &stderr(&output)
}

fn wotnot(token: &str) -> String {
    format!("[vendor.wotnot]\nsecret.token = '{token}'\n")
}

/// Responds to the handshake with the token, and to everything else with `answer`.
fn responding(answer: impl Fn() -> String + Send + Sync + 'static) -> Receiver {
    Receiver::responding(move |_, received: &ReceivedRequest| match received.token() {
        Some(token) => Reply::Status(200, token),
        None => Reply::Status(200, answer()),
    })
}

#[test]
fn a_secret_at_the_end_of_a_cut_response_is_removed() {
    for kept in [3, 8, TOKEN.len() - 1] {
        let receiver = responding(move || "x".repeat(64 * 1024 - kept) + TOKEN);
        let folder = configured(&wotnot(TOKEN));
        let url = receiver.url();
        let arguments = ["run", "handover", "--vendor", "wotnot", "--to", &url, "--json"];
        assert_no_part(TOKEN, &run(folder.path(), &arguments));
    }
}

#[test]
fn a_secret_in_an_excerpt_is_removed() {
    let folder = configured(&wotnot(TOKEN));
    for length in 1..120 {
        if length % 7 != 0 {
            continue;
        }
        let before = "y".repeat(length);
        let text = format!(
            "{before}{TOKEN} and more, so that the text is longer than an excerpt {before}"
        );
        let answer = text.clone();
        let receiver = Receiver::responding(move |_, _| Reply::Status(200, answer.clone()));
        let url = receiver.url();
        let arguments = ["run", "handover", "--vendor", "wotnot", "--to", &url, "--json"];
        assert_no_part(TOKEN, &run(folder.path(), &arguments));
        let story = format!(
            "[[step]]\nopen = {{}}\n[[step]]\nsay = {{ by = 'visitor', text = '{text}' }}\n"
        );
        fs::write(folder.path().join("story.toml"), story).unwrap();
        let receiver = responding(String::new);
        let url = receiver.url();
        for format in ["--json", "-v"] {
            let arguments = ["run", "story.toml", "--vendor", "wotnot", "--to", &url, format];
            assert_no_part(TOKEN, &run(folder.path(), &arguments));
        }
    }
}

#[test]
fn secrets_of_other_vendors_are_removed_in_html_too() {
    let other = "other<canary>&\"secret'";
    let folder = configured(&format!("[vendor.erxes]\nsecret.token = '''{other}'''\n"));
    let html = "other&lt;canary&gt;&amp;&quot;secret&#39;";
    let receiver = responding(move || format!("<p>{html}</p> {other}"));
    let url = receiver.url();
    let told =
        run(folder.path(), &["run", "handover", "--vendor", "wotnot", "--to", &url, "--json"]);
    assert!(told.contains("${erxes.secret.token}"), "{told}");
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn a_text_like_a_reference_is_sent_again_as_it_is() {
    let story = "[[step]]\nopen = {}\n[[step]]\n\
                 say = { by = 'visitor', text = \"My $${secret.token} and $${'secret.token'}\" }\n";
    // The first run knows no secret, the second one does.
    for token in [None, Some(TOKEN)] {
        let folder = configured(&token.map(wotnot).unwrap_or_default());
        fs::write(folder.path().join("story.toml"), story).unwrap();
        let receiver = responding(String::new);
        let url = receiver.url();
        let to = ["--vendor", "wotnot", "--to", &url, "--journal", "j.db"];
        run(folder.path(), &[&["run", "story.toml"][..], &to].concat());
        let text = "My ${secret.token} and ${'secret.token'}";
        let with_text = |receiver: &Receiver| -> Vec<String> {
            let bodies = receiver.requests().into_iter().map(|received| received.body);
            bodies.filter(|body| body.contains("My ")).collect()
        };
        let sent = with_text(&receiver);
        assert!(sent.len() == 1 && sent[0].contains(text), "{sent:?}");
        fs::write(folder.path().join("standin.toml"), wotnot(TOKEN)).unwrap();
        for delivery in ["1-1", "1-2", "1-3"] {
            run(folder.path(), &["journal", "redeliver", "j.db", delivery]);
        }
        let sent = with_text(&receiver);
        assert_eq!(sent.len(), 2, "{sent:?}");
        assert_eq!(sent[0], sent[1]);
    }
}

#[test]
fn a_token_in_a_url_is_neither_printed_nor_stored() {
    let receiver = responding(String::new);
    let folder = configured("");
    let url = format!("{}?key={TOKEN}&v=1", receiver.url());
    let arguments = ["run", "handover", "--vendor", "ebbot", "--to", &url, "--journal", "j.db"];
    for more in [&[][..], &["--json", "--resume"], &["-v"], &["--dry-run"], &["--dry-run", "-v"]] {
        let told = run(folder.path(), &[&arguments[..], more].concat());
        assert_no_part(TOKEN, &told);
    }
    let sent = receiver.requests();
    let has_token =
        |received: &ReceivedRequest| received.head.contains(&format!("key={TOKEN}&v=1"));
    assert!(!sent.is_empty() && sent.iter().all(has_token));
    let bytes = fs::read(folder.path().join("j.db")).unwrap();
    assert_no_part(TOKEN, &String::from_utf8_lossy(&bytes));
    // Without the token nothing can be sent again.
    let told = run(folder.path(), &["journal", "redeliver", "j.db", "1-1"]);
    assert!(told.contains("add `--to URL`"), "{told}");
    let told = run(folder.path(), &["journal", "redeliver", "j.db", "1-1", "--to", &url]);
    assert!(told.contains("passed"), "{told}");
    let unreachable = format!("http://127.0.0.1:1/?key={TOKEN}");
    for more in [&[][..], &["--wait-ready", "100ms"]] {
        let to = ["run", "handover", "--vendor", "ebbot", "--to", &unreachable];
        assert_no_part(TOKEN, &run(folder.path(), &[&to[..], more].concat()));
    }
    let public = format!("http://192.0.2.1/?key={TOKEN}");
    assert_no_part(
        TOKEN,
        &run(folder.path(), &["run", "handover", "--vendor", "ebbot", "--to", &public]),
    );
}

#[test]
fn a_password_in_a_redirect_is_not_printed() {
    let head = "HTTP/1.1 301 Moved\r\nContent-Length: 0\r\nConnection: close\r\n";
    let response = format!("{head}Location: http://me:{TOKEN}@127.0.0.1:1/\r\n\r\n");
    let receiver = Receiver::responding(move |_, _| Reply::Raw(response.clone().into_bytes()));
    let folder = configured("");
    let url = receiver.url();
    for format in ["--json", "-v"] {
        let arguments = ["run", "handover", "--vendor", "ebbot", "--to", &url, format];
        assert_no_part(TOKEN, &run(folder.path(), &arguments));
    }
}

#[cfg(unix)]
#[test]
fn journals_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let receiver = responding(String::new);
    let folder = configured("");
    let url = receiver.url();
    run(
        folder.path(),
        &["run", "handover", "--vendor", "ebbot", "--to", &url, "--journal", "j.db"],
    );
    for file in ["j.db", "j.db.lock"] {
        let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}
