//! A CI job of ten lines goes red for each way in which a receiver can be wrong. The annotation, the `JUnit`
//! report and the HTML page each name the step, what was expected, what came and the likely cause.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::CertificateParams;

use crate::support::tls::{TlsReceiver, self_signed};
use crate::support::{Connection, Hostile, Receiver, Reply, code, path, stderr, stdout};

const STORY: &str = "name = 'hello'\n\n[[step]]\nopen = { assignee = 'bot' }\n\n[[step]]\n\
                     say = { by = 'visitor', text = 'Where is my order?' }\n\n[[step]]\n\
                     close = { by = 'bot' }\n";

/// A way to be wrong.
struct Case<'a> {
    name: &'a str,
    vendor: &'a str,
    /// Keys at the top of the scenario. `steps` follow at its end.
    keys: &'a str,
    /// Requirement of the second step.
    want: &'a str,
    steps: &'a str,
    url: String,
    options: &'a [&'a str],
    exit: i32,
    /// The step at fault.
    step: &'a str,
    /// What was expected, and what came.
    why: &'a str,
    /// The likely cause.
    cause: &'a str,
}

impl Default for Case<'_> {
    fn default() -> Self {
        Self {
            name: "",
            vendor: "ebbot",
            keys: "",
            want: "",
            steps: "",
            url: String::new(),
            options: &[],
            exit: 1,
            step: "step 1: open",
            why: "",
            cause: "",
        }
    }
}

/// Runs the command of the job in the README, with the HTML report in addition.
fn job(folder: &Path, case: &Case<'_>) -> Output {
    let said = "order?' }\n";
    let story = STORY.replace(said, &format!("{said}{}", case.want));
    let story = format!("{}\n{story}{}", case.keys, case.steps);
    fs::write(folder.join("story.toml"), story).unwrap();
    let fixed = ["run", "story.toml", "--vendor", case.vendor, "--to", &case.url];
    let reports = ["--report", "junit=out.xml", "--report", "html=out.html"];
    Command::new(env!("CARGO_BIN_EXE_standin"))
        .args([&fixed[..], &reports, case.options].concat())
        .current_dir(folder)
        .env_clear()
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", folder.join("summary.md"))
        .output()
        .unwrap()
}

/// A text without tags and entities, with single spaces.
fn plain(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<').skip(1) {
        text += part.split_once('>').map_or("", |(_, text)| text);
    }
    let text = text
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
        .replace("&lt;", "<")
        .replace("&gt;", ">");
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "")
}

fn check(case: &Case<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let output = job(folder.path(), case);
    let told = stdout(&output) + &stderr(&output);
    assert_eq!(code(&output), case.exit, "{}: {told}", case.name);
    let annotations = stderr(&output);
    let annotation = annotations.lines().find(|line| line.starts_with("::error "));
    let annotation = annotation.unwrap_or_else(|| panic!("{}: no annotation in {told}", case.name));
    let annotation = annotation.replace("%3A", ":").replace("%0A", "\n").replace("%2C", ",");
    let junit = fs::read_to_string(folder.path().join("out.xml")).unwrap();
    let document = roxmltree::Document::parse(&junit).unwrap();
    let is_failure =
        |node: &roxmltree::Node<'_, '_>| node.has_tag_name("failure") || node.has_tag_name("error");
    let failure = document.descendants().find(is_failure).unwrap();
    let test = failure.parent().unwrap().attribute("name").unwrap();
    let text = failure.text().unwrap_or_default();
    let junit = format!("{test}\n{}\n{text}", failure.attribute("message").unwrap());
    let html = plain(&fs::read_to_string(folder.path().join("out.html")).unwrap());
    for (place, text) in [("annotation", annotation), ("junit", junit), ("html", html)] {
        let text = text.replace('`', "");
        for part in [case.step, case.why, case.cause] {
            assert!(
                text.contains(&part.replace('`', "")),
                "{}: no `{part}` in the {place}:\n{text}",
                case.name
            );
        }
    }
}

fn status(status: u16, body: &'static str) -> String {
    keep(Receiver::responding(move |_, _| Reply::Status(status, body.into())))
}

/// Returns the URL of a receiver that stays until the end of the tests.
fn keep(receiver: Receiver) -> String {
    let url = receiver.url();
    std::mem::forget(receiver);
    url
}

fn hostile(behavior: fn(&mut Connection)) -> String {
    let receiver = Hostile::new(behavior);
    let url = receiver.url("http");
    std::mem::forget(receiver);
    url
}

#[test]
fn a_receiver_with_a_wrong_status_is_explained() {
    let needs = Receiver::responding(|_, request| match request.header("X-Tenant") {
        Some(_) => Reply::good(),
        None => Reply::Status(400, "{\"error\": \"missing header X-Tenant\"}".into()),
    });
    let redirect =
        "HTTP/1.1 301 Moved Permanently\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n";
    let redirecting = Receiver::responding(move |_, _| Reply::Raw(redirect.into()));
    for case in [
        Case {
            name: "status",
            url: status(500, "boom"),
            why: "status 500, expected 2xx",
            cause: "an error in the code of the receiver",
            ..Case::default()
        },
        Case {
            name: "path",
            url: status(404, "Cannot POST"),
            why: "status 404, expected 2xx",
            cause: "the path of the URL is wrong",
            ..Case::default()
        },
        Case {
            name: "signature",
            vendor: "liveperson",
            url: status(401, "bad signature"),
            why: "status 401, expected 200, 201",
            cause: "computes another signature",
            ..Case::default()
        },
        Case {
            name: "header",
            url: keep(needs),
            why: "status 400, expected 2xx",
            cause: "missing header X-Tenant",
            ..Case::default()
        },
        Case {
            name: "redirect",
            url: keep(redirecting),
            why: "status 301 with a redirect to /other, expected 2xx",
            cause: "the URL is not the final one",
            ..Case::default()
        },
    ] {
        check(&case);
    }
}

#[test]
fn a_receiver_that_does_the_wrong_thing_is_explained() {
    let some = Receiver::responding(|_, request| {
        let fails = request.body.contains("chat.user.message");
        Reply::Status(if fails { 500 } else { 200 }, "{\"error\": \"no handler\"}".into())
    });
    for case in [
        Case {
            name: "some types",
            url: keep(some),
            step: "step 2: say",
            why: "chat.user.message: status 500, expected 2xx",
            cause: "an error in the code of the receiver",
            ..Case::default()
        },
        Case {
            name: "content",
            want: "want = { body = { \"/ok\" = true } }\n",
            url: status(200, "{\"ok\": false}"),
            step: "step 2: say",
            why: "body /ok: expected true, found false",
            ..Case::default()
        },
        Case {
            name: "handshake",
            vendor: "wotnot",
            url: status(200, "hello"),
            step: "handshake",
            why: "the response is not the token: hello",
            cause: "return the token as text",
            ..Case::default()
        },
        Case {
            name: "probe",
            vendor: "liveperson",
            keys: "verify.signature = 'probe'",
            url: status(200, "{}"),
            step: "signature probe wrong_token",
            why: "status 200; a correct receiver rejects it with 400, 401, 403 or 422",
            cause: "rejects it",
            ..Case::default()
        },
        Case {
            name: "expectation",
            steps: "\n[[step]]\neventually = { get = '/orders/1', status = ['201'], within = '300ms' }\n",
            url: status(200, "{}"),
            step: "step 4: eventually",
            why: "status: expected 201, found 200",
            cause: "/orders/1",
            ..Case::default()
        },
    ] {
        check(&case);
    }
}

#[test]
fn a_receiver_that_does_not_respond_is_explained() {
    static HEARD: AtomicUsize = AtomicUsize::new(0);
    let slow = Receiver::responding(|_, _| Reply::good().after(Duration::from_secs(3)));
    let crashing = Receiver::responding(|_, _| match HEARD.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::good(),
        _ => Reply::Close,
    });
    let nobody = || {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        format!("http://127.0.0.1:{port}/hooks")
    };
    for case in [
        Case {
            name: "slow",
            url: keep(slow),
            options: &["--timeout", "300ms"],
            why: "no response within 0.3 s",
            cause: "Let it respond first",
            ..Case::default()
        },
        Case {
            name: "closes",
            url: hostile(|connection| {
                connection.read_request();
            }),
            why: "the connection was closed before a response",
            cause: "the receiver crashed, or an exception ended the request",
            ..Case::default()
        },
        Case {
            name: "crash",
            url: keep(crashing),
            step: "step 2: say",
            why: "the connection was closed before a response",
            cause: "the receiver crashed",
            ..Case::default()
        },
        Case {
            name: "nobody",
            url: nobody(),
            why: "no server listens there",
            cause: "the receiver is not running",
            ..Case::default()
        },
        Case {
            name: "never ready",
            url: nobody(),
            options: &["--wait-ready", "300ms"],
            exit: 3,
            step: "no server",
            why: "no server is listening on",
            cause: "Start your receiver",
            ..Case::default()
        },
    ] {
        check(&case);
    }
}

#[test]
fn a_receiver_that_speaks_another_protocol_is_explained() {
    let (tls, _) =
        TlsReceiver::new(self_signed(&CertificateParams::new(vec!["localhost".into()]).unwrap()))
            .start();
    let http2 = |connection: &mut Connection| {
        connection.write(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64");
        connection.wait();
    };
    let ssh = |connection: &mut Connection| {
        connection.write(b"SSH-2.0-OpenSSH_9.6\r\n");
        connection.wait();
    };
    for case in [
        Case {
            name: "certificate",
            url: tls.clone(),
            why: "the certificate of the receiver is self-signed",
            cause: "pass its PEM file with --ca",
            ..Case::default()
        },
        Case {
            name: "scheme",
            url: tls.replace("https", "http"),
            why: "the server speaks TLS on this port",
            cause: "write https:// in the URL",
            ..Case::default()
        },
        Case {
            name: "http2",
            url: hostile(http2),
            why: "the receiver speaks only HTTP/2 on this port",
            cause: "enable HTTP/1.1",
            ..Case::default()
        },
        Case {
            name: "other program",
            url: hostile(ssh),
            why: "the response is not valid HTTP/1.1",
            cause: "another program listens on this port",
            ..Case::default()
        },
    ] {
        check(&case);
    }
}

#[test]
fn a_command_that_plays_nothing_is_annotated() {
    let folder = tempfile::tempdir().unwrap();
    let url = status(200, "{}");
    let none = Case { url: url.clone(), options: &["--tag", "none"], ..Case::default() };
    let output = job(folder.path(), &none);
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).contains("::error title=standin::no run matches `--tag`"),
        "{}",
        stderr(&output)
    );
    let invalid = Case { url, steps: "\n[[step]]\nopne = {}\n", ..Case::default() };
    let output = job(folder.path(), &invalid);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("::error file=story.toml,line=14,title=standin::"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_job_in_the_readme_is_that_of_these_tests() {
    let readme = fs::read_to_string(path("README.md")).unwrap();
    let job = readme.split("## In CI").nth(1).unwrap().split("A failure is shown").next().unwrap();
    let lines = job.lines().filter(|line| !line.trim().is_empty());
    assert!(lines.clone().count() <= 10, "{job}");
    assert!(job.contains("--wait-ready 30s") && job.contains("--report junit=out.xml"), "{job}");
}
