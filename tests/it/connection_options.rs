//! Connections to receivers: `header`, `timeout`, `ca`, `insecure`, `cert`, `key`, `resolve` and `proxy`, as
//! flags and as keys of `[[endpoint]]`.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::version::{TLS12, TLS13};

use crate::support::tls::{TlsReceiver, issuer, self_signed, signed};
use crate::support::{ForwardingProxy, Receiver, Reply, code, standin_in, stderr, stdout};

fn certificate(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.into()]).unwrap()
}

/// Sends a webhook with these arguments.
fn send(folder: &Path, arguments: &[&str]) -> Output {
    standin_in(folder, &[&["send", "ebbot", "chat.close"], arguments].concat())
}

fn told(output: &Output) -> String {
    stdout(output) + &stderr(output)
}

/// Sends a webhook to a receiver of the configuration with these keys.
fn send_configured(folder: &Path, url: &str, keys: &str) -> Output {
    let config = format!("[[endpoint]]\nvendor = 'ebbot'\nurl = '{url}'\n{keys}\n");
    fs::write(folder.join("standin.toml"), config).unwrap();
    let output = send(folder, &[]);
    fs::remove_file(folder.join("standin.toml")).unwrap();
    output
}

#[test]
fn a_ca_is_trusted_and_insecure_trusts_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let own = issuer("own");
    fs::write(folder.path().join("ca.pem"), own.pem()).unwrap();
    let (url, requests) = TlsReceiver::new(signed(&certificate("localhost"), &own)).start();
    let refused = send(folder.path(), &["--to", &url]);
    assert_eq!(code(&refused), 1);
    assert!(
        told(&refused).contains("pass the PEM file of the CA with `--ca`"),
        "{}",
        told(&refused)
    );
    let waits = ["--to", &url, "--ca", "ca.pem", "--wait-ready", "5s"];
    for output in [
        send(folder.path(), &waits),
        send(folder.path(), &["--to", &url, "--insecure"]),
        send_configured(folder.path(), &url, "ca = 'ca.pem'"),
        send_configured(folder.path(), &url, "insecure = true"),
    ] {
        assert_eq!(code(&output), 0, "{}", told(&output));
    }
    let requests = requests.lock().unwrap();
    let posts = requests.iter().filter(|request| request.starts_with("POST / HTTP/1.1"));
    assert_eq!(posts.count(), 4);
    // Another name, and no CA at all.
    let (other, _) = TlsReceiver::new(self_signed(&certificate("other.example.test"))).start();
    assert_eq!(code(&send(folder.path(), &["--to", &other, "--ca", "ca.pem"])), 1);
    assert_eq!(code(&send(folder.path(), &["--to", &other, "--insecure"])), 0);
}

#[test]
fn a_client_certificate_is_sent_to_receivers_that_require_one() {
    let folder = tempfile::tempdir().unwrap();
    let (own, stranger) = (issuer("own"), issuer("a stranger"));
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    write("ca.pem", own.pem());
    for (name, issuer) in [("good", &own), ("bad", &stranger)] {
        let key = KeyPair::generate().unwrap();
        let client = certificate("standin").signed_by(&key, issuer).unwrap();
        write(&format!("{name}.pem"), client.pem());
        write(&format!("{name}.key"), key.serialize_pem());
        write(&format!("{name}-both.pem"), client.pem() + &key.serialize_pem());
    }
    for version in [&TLS12, &TLS13] {
        let receiver = TlsReceiver::new(signed(&certificate("localhost"), &own));
        let (url, _) = receiver.versions(&[version]).clients(&own).start();
        let without = send(folder.path(), &["--to", &url, "--ca", "ca.pem"]);
        assert_eq!(code(&without), 1);
        let hint = "help: pass one that it accepts with `--cert` and `--key`";
        assert!(told(&without).contains(hint), "{}", told(&without));
        let fixed = ["--to", &url, "--ca", "ca.pem", "--cert"];
        let with = |cert: &[&str]| send(folder.path(), &[&fixed[..], cert].concat());
        let keys = "ca = 'ca.pem'\ncert = 'good.pem'\nkey = 'good.key'";
        for output in [
            with(&["good.pem", "--key", "good.key"]),
            with(&["good-both.pem"]),
            with(&["good.pem", "--key", "good.key", "--wait-ready", "5s"]),
            send_configured(folder.path(), &url, keys),
        ] {
            assert_eq!(code(&output), 0, "{}", told(&output));
        }
        let rejected = with(&["bad.pem", "--key", "bad.key"]);
        assert_eq!(code(&rejected), 1);
        assert!(told(&rejected).contains("rejects the client certificate"), "{}", told(&rejected));
    }
    let mixed = ["--to", "https://localhost:9/", "--cert", "good.pem", "--key", "bad.key"];
    let mixed = send(folder.path(), &mixed);
    assert_eq!(code(&mixed), 2);
    assert!(
        stderr(&mixed).contains("the key does not belong to the client certificate"),
        "{}",
        stderr(&mixed)
    );
}

#[test]
fn a_timeout_replaces_that_of_the_vendor() {
    let folder = tempfile::tempdir().unwrap();
    let late = || Receiver::responding(|_, _| Reply::good().after(Duration::from_millis(1500)));
    let (first, second, patient) = (late(), late(), late());
    for output in [
        send(folder.path(), &["--to", &first.url(), "--timeout", "300ms"]),
        send_configured(folder.path(), &second.url(), "timeout = '300ms'"),
    ] {
        assert_eq!(code(&output), 1, "{}", told(&output));
        assert!(told(&output).contains("no response within 0.3 s"), "{}", told(&output));
    }
    let passed = send(folder.path(), &["--to", &patient.url(), "--timeout", "20s"]);
    assert_eq!(code(&passed), 0, "{}", told(&passed));
    // A flag overrides the key.
    let config =
        format!("[[endpoint]]\nvendor = 'ebbot'\nurl = '{}'\ntimeout = '1ms'\n", patient.url());
    fs::write(folder.path().join("standin.toml"), config).unwrap();
    assert_eq!(code(&send(folder.path(), &["--timeout", "20s"])), 0);
}

#[test]
fn names_are_resolved_as_rules_say_within_the_policy() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::accepting();
    let url = receiver.url().parse::<url::Url>().unwrap();
    let port = url.port().unwrap();
    let url = format!("http://hooks.example.test:{port}/in");
    let rule = format!("hooks.example.test:{port}:127.0.0.1");
    for output in [
        send(folder.path(), &["--to", &url, "--resolve", &rule, "--wait-ready", "5s"]),
        send_configured(folder.path(), &url, &format!("resolve = ['{rule}']")),
    ] {
        assert_eq!(code(&output), 0, "{}", told(&output));
    }
    let host = format!("hooks.example.test:{port}");
    let events = receiver.events();
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.header("Host").as_deref() == Some(&host)));
    // The certificate is checked for the name.
    let own = issuer("own");
    fs::write(folder.path().join("ca.pem"), own.pem()).unwrap();
    let (tls, _) = TlsReceiver::new(signed(&certificate("hooks.example.test"), &own)).start();
    let tls_port = tls.rsplit(':').next().unwrap().trim_matches('/');
    let (url, rule) = (
        format!("https://hooks.example.test:{tls_port}/"),
        format!("hooks.example.test:{tls_port}:127.0.0.1"),
    );
    let output = send(folder.path(), &["--to", &url, "--resolve", &rule, "--ca", "ca.pem"]);
    assert_eq!(code(&output), 0, "{}", told(&output));
    for (address, more, help) in [
        ("93.184.216.34", &[][..], "--allow-public"),
        ("169.254.169.254", &["--allow-public"], "never sends"),
    ] {
        let rule = format!("hooks.example.test:80:{address}");
        let fixed = ["--to", "http://hooks.example.test/", "--resolve", &rule];
        let output = send(folder.path(), &[&fixed[..], more].concat());
        assert_eq!(code(&output), 2, "{}", told(&output));
        assert!(stderr(&output).contains(help), "{}", stderr(&output));
    }
}

#[test]
fn a_proxy_forwards_requests_and_opens_tunnels() {
    let folder = tempfile::tempdir().unwrap();
    let (proxy, receiver) = (ForwardingProxy::start(None), Receiver::accepting());
    let address = format!("http://{}", proxy.address);
    let url = receiver.url().replace("127.0.0.1", "localhost");
    for output in [
        send(folder.path(), &["--to", &url, "--proxy", &address, "--wait-ready", "5s"]),
        send_configured(folder.path(), &url, &format!("proxy = '{address}'")),
    ] {
        assert_eq!(code(&output), 0, "{}", told(&output));
    }
    assert_eq!(receiver.events().len(), 2);
    let heads = proxy.heads();
    let posts = heads.iter().filter(|head| head.starts_with(&format!("POST {url}")));
    assert_eq!(posts.count(), 2, "{heads:?}");
    let own = issuer("own");
    fs::write(folder.path().join("ca.pem"), own.pem()).unwrap();
    let (tls, requests) = TlsReceiver::new(signed(&certificate("localhost"), &own)).start();
    let fixed = ["--to", &tls, "--proxy", &address, "--ca", "ca.pem", "--wait-ready", "5s"];
    let output = send(folder.path(), &fixed);
    assert_eq!(code(&output), 0, "{}", told(&output));
    let authority = tls.trim_start_matches("https://").trim_end_matches('/');
    let heads = proxy.heads();
    let tunnels = heads.iter().filter(|head| head.starts_with(&format!("CONNECT {authority} ")));
    assert!(tunnels.count() >= 1, "{heads:?}");
    let requests = requests.lock().unwrap();
    assert!(requests.iter().any(|request| request.starts_with("POST / HTTP/1.1")), "{requests:?}");
}

#[test]
fn the_password_of_a_proxy_is_sent_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let proxy = ForwardingProxy::start(Some("Basic bWU6Y2FuYXJ5LXBhc3M="));
    let (receiver, own) = (Receiver::accepting(), issuer("own"));
    fs::write(folder.path().join("ca.pem"), own.pem()).unwrap();
    let (tls, _) = TlsReceiver::new(signed(&certificate("localhost"), &own)).start();
    let with = format!("http://me:canary-pass@{}", proxy.address);
    fs::write(folder.path().join("proxy.txt"), &with).unwrap();
    let without = format!("http://{}", proxy.address);
    for url in [&receiver.url(), &tls] {
        let send = |proxy: &str, more: &[&str]| {
            let fixed = ["--to", url, "--ca", "ca.pem", "-v", "--proxy", proxy];
            send(folder.path(), &[&fixed[..], more].concat())
        };
        for proxy in [with.as_str(), "file:proxy.txt"] {
            let output = send(proxy, &["--json=all.jsonl", "--journal", "all.db"]);
            assert_eq!(code(&output), 0, "{}", told(&output));
            let records = fs::read_to_string(folder.path().join("all.jsonl")).unwrap();
            assert!(!(records + &told(&output)).contains("canary"), "{}", told(&output));
        }
        let output = send(&without, &[]);
        assert_eq!(code(&output), 1, "{}", told(&output));
        assert!(told(&output).contains("407"), "{}", told(&output));
        assert!(!told(&output).contains("canary"), "{}", told(&output));
    }
    let journal = fs::read(folder.path().join("all.db")).unwrap();
    assert!(!journal.windows(6).any(|part| part == b"canary"));
}

#[test]
fn a_proxy_does_not_lead_to_addresses_that_are_not_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let proxy = ForwardingProxy::start(None);
    let address = format!("http://{}", proxy.address);
    let refused = |url: &str, more: &[&str], part: &str, exit: i32| {
        let fixed = ["--to", url, "--proxy", &address];
        let output = send(folder.path(), &[&fixed[..], more].concat());
        assert_eq!(code(&output), exit, "{}", told(&output));
        assert!(told(&output).contains(part), "no `{part}` in {}", told(&output));
    };
    refused("http://93.184.216.34/", &[], "is a public address", 2);
    refused("https://169.254.169.254/", &["--allow-public"], "cloud metadata", 2);
    refused("http://unknown.example.invalid/", &[], "`unknown.example.invalid`", 1);
    assert_eq!(proxy.heads(), Vec::<String>::new());
    for (proxy, part) in [
        ("http://93.184.216.34:3128", "the proxy `93.184.216.34:3128` is not allowed"),
        ("https://127.0.0.1:3128", "found the scheme `https`"),
        ("http://me:canary-pass@127.0.0.1:3128/path", "must be a URL such as"),
    ] {
        let output = send(folder.path(), &["--to", "http://localhost:9/", "--proxy", proxy]);
        assert_eq!(code(&output), 2, "{}", told(&output));
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
        assert!(!stderr(&output).contains("canary"), "{}", stderr(&output));
    }
    let absent =
        send(folder.path(), &["--to", "http://localhost:9/", "--proxy", "http://127.0.0.1:1"]);
    assert!(told(&absent).contains("no connection to the proxy 127.0.0.1:1"), "{}", told(&absent));
}

#[test]
fn headers_are_added_and_their_secrets_are_not_shown() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::accepting());
    fs::write(folder.path().join("key.txt"), "canary-file\n").unwrap();
    let url = receiver.url();
    let headers = [
        "--header",
        "X-Env: ci",
        "--header",
        "X-Key: file:key.txt",
        "--header",
        "X-Token: canary-plain",
    ];
    let output = send(folder.path(), &[&["--to", &url, "-v"], &headers[..]].concat());
    assert_eq!(code(&output), 0, "{}", told(&output));
    let event = &receiver.events()[0];
    for (name, value) in [("X-Env", "ci"), ("X-Key", "canary-file"), ("X-Token", "canary-plain")] {
        assert_eq!(event.header(name).as_deref(), Some(value));
    }
    assert!(!told(&output).contains("canary"), "{}", told(&output));
    assert!(told(&output).contains("X-Env: ci"), "{}", told(&output));
    let failing = Receiver::responding(|_, _| Reply::Status(500, String::new()));
    let output = send(folder.path(), &[&["--to", &failing.url()], &headers[..]].concat());
    let rerun =
        "--header 'X-Env: ci' --header 'X-Key: file:key.txt' --header 'X-Token: env:VARIABLE'";
    assert!(told(&output).contains(rerun), "{}", told(&output));
    for (header, part) in [
        ("X Env: ci", "invalid header name `X Env`"),
        ("canary", "expected NAME: VALUE"),
        ("Content-Type: text/plain", "requests already have a header `Content-Type`"),
        ("X-Key: env:NOT_SET_ANYWHERE", "`NOT_SET_ANYWHERE` is not set"),
    ] {
        let output = send(folder.path(), &["--to", &url, "--header", header]);
        assert_eq!(code(&output), 2, "{}", told(&output));
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
        assert!(!stderr(&output).contains("canary"), "{}", stderr(&output));
    }
}

#[test]
fn a_redelivery_uses_the_options_too() {
    let folder = tempfile::tempdir().unwrap();
    let own = issuer("own");
    fs::write(folder.path().join("ca.pem"), own.pem()).unwrap();
    let (url, requests) = TlsReceiver::new(signed(&certificate("localhost"), &own)).start();
    let sent = send(folder.path(), &["--to", &url, "--ca", "ca.pem", "--journal", "runs.db"]);
    assert_eq!(code(&sent), 0, "{}", told(&sent));
    let redeliver = ["journal", "redeliver", "runs.db", "1-1"];
    let without = standin_in(folder.path(), &redeliver);
    assert_eq!(code(&without), 1, "{}", told(&without));
    let with = standin_in(folder.path(), &[&redeliver[..], &["--ca", "ca.pem"]].concat());
    assert_eq!(code(&with), 0, "{}", told(&with));
    assert_eq!(requests.lock().unwrap().len(), 2);
}
