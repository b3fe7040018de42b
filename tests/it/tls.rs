//! TLS: certificates are verified, and each kind of failure has a sentence and a hint.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, date_time_ymd,
};
use rustls::version::{TLS12, TLS13};
use standin::base::address::EgressPolicy;
use standin::delivery::{Connector, Http1Client, Request, Transport as _};
use standin::policy::WireFormat;
use standin::record::{AttemptOutcome, AttemptResult, Method};

use crate::support::tls::{TlsReceiver, issuer, self_signed, signed};
use crate::support::{Hostile, standin, stdout};

/// Runs a scenario with these CA certificates. Returns the output and whether the run passed.
fn run(url: &str, vendor: &str, roots: &Path) -> (String, bool) {
    let output = Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(["run", "handover", "--vendor", vendor, "--to", url])
        .env_clear()
        .env("SSL_CERT_FILE", roots)
        .output()
        .unwrap();
    (stdout(&output), output.status.success())
}

#[test]
fn certificates_are_verified_and_each_problem_is_named() {
    let (trusted, stranger) = (issuer("trusted"), issuer("a stranger"));
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, trusted.pem()).unwrap();
    let good = || CertificateParams::new(vec!["localhost".into()]).unwrap();
    let elsewhere = CertificateParams::new(vec!["elsewhere.example.test".into()]).unwrap();
    let (mut old, mut new, mut ca) = (good(), good(), good());
    (old.not_before, old.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 3, 4));
    (new.not_before, new.not_after) = (date_time_ymd(2301, 5, 6), date_time_ymd(2302, 1, 1));
    // What `openssl req -x509` writes.
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let tls_url = |identity| TlsReceiver::new(identity).start().0;
    let mtls = |version| {
        let receiver = TlsReceiver::new(signed(&good(), &trusted)).versions(&[version]);
        receiver.clients(&trusted).start().0
    };
    let (mut nameless, mut of_client) = (CertificateParams::new(Vec::new()).unwrap(), good());
    nameless.distinguished_name.push(DnType::CommonName, "localhost");
    of_client.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    let client = ["requires a client certificate", "help: pass one that it accepts with `--cert`"];
    let rows = [
        (
            tls_url(signed(&good(), &stranger)),
            ["signed by an unknown CA", "help: pass the PEM file of the CA with `--ca`"],
        ),
        (tls_url(self_signed(&good())), ["is self-signed", "`mkcert`"]),
        (tls_url(self_signed(&ca)), ["is self-signed", "`mkcert`"]),
        (
            tls_url(signed(&elsewhere, &trusted)),
            [
                "is for `elsewhere.example.test`, not for `localhost`",
                "help: use a certificate that contains the name `localhost`",
            ],
        ),
        (tls_url(signed(&old, &trusted)), ["expired on 2002-03-04", "help: renew"]),
        (
            tls_url(signed(&new, &trusted)),
            ["is not valid before 2301-05-06", "help: check the clock"],
        ),
        (
            tls_url(signed(&nameless, &trusted)),
            ["contains no host name", "help: add `subjectAltName=DNS:localhost` to it"],
        ),
        (
            tls_url(signed(&of_client, &trusted)),
            ["is not for servers", "help: its extended key usage must contain `serverAuth`"],
        ),
        (mtls(&TLS12), client),
        (mtls(&TLS13), client),
    ];
    let valid = tls_url(signed(&good(), &trusted));
    for vendor in ["ebbot", "erxes"] {
        let (told, passed) = run(&valid, vendor, &roots);
        assert!(passed && !told.contains("(tls)"), "{told}");
    }
    for (url, parts) in &rows {
        let (told, passed) = run(url, "erxes", &roots);
        assert!(!passed && told.contains("(tls)"), "{told}");
        assert!(parts.iter().all(|part| told.contains(part)), "{parts:?}: {told}");
        assert_eq!(told.matches("help: ").count(), 1, "each hint is printed once: {told}");
    }
    let (told, _) = run(&valid, "erxes", &folder.path().join("missing.pem"));
    assert!(told.contains("no CA certificate could be read from `SSL_CERT_FILE`"), "{told}");
}

#[test]
fn a_self_signed_certificate_is_accepted_if_it_is_trusted_itself() {
    let folder = tempfile::tempdir().unwrap();
    let good = || CertificateParams::new(vec!["localhost".into()]).unwrap();
    let (mut ca, mut old) = (good(), good());
    // What `openssl req -x509` writes.
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (old.not_before, old.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 3, 4));
    let elsewhere = CertificateParams::new(vec!["elsewhere.example.test".into()]).unwrap();
    for (params, problem) in [
        (good(), None),
        (ca, None),
        (old, Some("expired on 2002-03-04")),
        (elsewhere, Some("is for `elsewhere.example.test`, not for `localhost`")),
    ] {
        let identity = self_signed(&params);
        let file = folder.path().join("receiver.pem");
        std::fs::write(&file, identity.pem()).unwrap();
        let url = TlsReceiver::new(identity).start().0;
        let of_variable = run(&url, "erxes", &file).0;
        let of_flag = Command::new(env!("CARGO_BIN_EXE_standin"))
            .args(["run", "handover", "--vendor", "erxes", "--to", &url, "--ca"])
            .arg(&file)
            .env_clear()
            .output()
            .unwrap();
        for told in [of_variable, stdout(&of_flag)] {
            assert_eq!(told.contains("(tls)"), problem.is_some(), "{told}");
            assert!(problem.is_none_or(|problem| told.contains(problem)), "{told}");
        }
    }
}

#[test]
fn a_variable_that_gives_no_certificate_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let junk = root.join("junk.pem");
    std::fs::write(&junk, "no certificate").unwrap();
    // OpenSSL finds the certificates of a folder by such names.
    std::fs::create_dir(root.join("certs")).unwrap();
    std::fs::write(root.join("certs/0123abcd.0"), issuer("a stranger").pem()).unwrap();
    let receiver = CertificateParams::new(vec!["localhost".into()]).unwrap();
    let url = TlsReceiver::new(signed(&receiver, &issuer("trusted"))).start().0;
    let output = Command::new(env!("CARGO_BIN_EXE_standin"))
        .args(["run", "handover", "--vendor", "erxes", "--to", &url])
        .env_clear()
        .env("SSL_CERT_FILE", &junk)
        .env("SSL_CERT_DIR", root.join("certs"))
        .output()
        .unwrap();
    let told = stdout(&output);
    assert!(told.contains("is signed by an unknown CA"), "{told}");
    let help = format!("help: `SSL_CERT_FILE` is set to `{}`, which has no", junk.display());
    assert!(told.contains(&help), "{told}");
}

#[test]
fn an_empty_variable_for_ca_certificates_counts_as_not_set() {
    let receiver = CertificateParams::new(vec!["localhost".into()]).unwrap();
    let url = TlsReceiver::new(signed(&receiver, &issuer("trusted"))).start().0;
    let help = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_standin"));
        command.args(["run", "handover", "--vendor", "erxes", "--to", &url]).env_clear();
        let told = stdout(&command.envs(variables.iter().copied()).output().unwrap());
        told.lines().find(|line| line.trim_start().starts_with("help: ")).unwrap().to_owned()
    };
    let unset = help(&[]);
    assert_eq!(help(&[("SSL_CERT_FILE", "")]), unset);
    assert_eq!(help(&[("SSL_CERT_FILE", ""), ("SSL_CERT_DIR", "")]), unset);
}

/// Starts a relay to a server that turns each alert of the handshake into `handshake_failure`, which
/// OpenSSL sends with TLS 1.2 if it gets no client certificate. Returns its URL.
fn relay_like_openssl(to: &str) -> String {
    const HANDSHAKE_FAILURE: u8 = 40;
    let to = to.parse::<url::Url>().unwrap().port().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut server = TcpStream::connect(("localhost", to)).unwrap();
            let (mut requests, mut sink) =
                (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut requests, &mut sink));
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = server.read(&mut buffer) {
                // A record of type 21 with a level and a description.
                if buffer.starts_with(&[21, 3, 3, 0, 2]) {
                    buffer[6] = HANDSHAKE_FAILURE;
                }
                let _ = client.write_all(&buffer[..count]);
            }
        }
    });
    format!("https://localhost:{port}/")
}

#[test]
fn a_receiver_with_tls_1_2_that_asks_for_a_certificate_misses_it() {
    let trusted = issuer("trusted");
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, trusted.pem()).unwrap();
    let identity = || signed(&CertificateParams::new(vec!["localhost".into()]).unwrap(), &trusted);
    let asking = TlsReceiver::new(identity()).versions(&[&TLS12]).clients(&trusted).start().0;
    let (told, _) = run(&relay_like_openssl(&asking), "erxes", &roots);
    assert!(told.contains("the receiver requires a client certificate"), "{told}");
    assert!(!told.contains("handshake_failure"), "{told}");
}

#[test]
fn a_receiver_that_closes_every_connection_with_plain_http_may_speak_tls() {
    let run = |to: &str, of_vendor: &str| {
        stdout(&standin(&["run", "handover", "--vendor", of_vendor, "--to", to]))
    };
    let hint = "If it speaks TLS on this port, write `https://` in its URL";
    let closing = Hostile::new(|connection| {
        connection.read_request();
        connection.close();
    });
    let told = run(&closing.url("http"), "erxes");
    assert_eq!(told.matches(hint).count(), 1, "{told}");
    // It speaks HTTP, because it has responded.
    let crashing = Hostile::new(|connection| {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        connection.read_request();
        if COUNT.fetch_add(1, Ordering::Relaxed) == 0 {
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
        }
        connection.close();
    });
    let told = run(&crashing.url("http"), "erxes");
    assert!(told.contains("(reset)") && !told.contains(hint), "{told}");
}

#[test]
fn the_variables_for_ca_certificates_are_documented() {
    let help = stdout(&standin(&["run", "--help"]));
    let readme = std::fs::read_to_string(crate::support::path("README.md")).unwrap();
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        assert!(help.contains(name) && readme.contains(name), "{name}");
    }
}

fn send(url: &str) -> AttemptResult {
    let request = Request {
        method: Method::Post,
        url: url.parse().unwrap(),
        headers: Vec::new(),
        body: "{}".into(),
        connect: Duration::from_secs(1),
        total: Duration::from_secs(2),
        fault: None,
        options: std::sync::Arc::default(),
    };
    let net = Http1Client::new(Connector::new(EgressPolicy::default()), WireFormat::default());
    tokio::runtime::Runtime::new().unwrap().block_on(net.send(request))
}

fn assert_failure(result: &AttemptResult, outcome: AttemptOutcome, reason: &str, help: &str) {
    assert_eq!(result.outcome, outcome, "{result:?}");
    assert!(result.reason.as_ref().unwrap().contains(reason), "{result:?}");
    assert!(result.help.as_ref().unwrap().contains(help), "{result:?}");
}

#[test]
fn a_wrong_scheme_is_named() {
    let plain = Hostile::new(|connection| {
        connection.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        connection.wait();
    });
    let result = send(&plain.url("https"));
    assert_failure(&result, AttemptOutcome::Tls, "does not speak TLS", "write `http://`");
    let closing = Hostile::new(crate::support::Connection::close);
    let result = send(&closing.url("https"));
    assert_failure(&result, AttemptOutcome::Tls, "during the TLS handshake", "write `http://`");
    let hanging = Hostile::new(crate::support::Connection::wait);
    let result = send(&hanging.url("https"));
    let reason = "accepted the connection, but the TLS handshake did not finish within 1 s";
    assert_failure(&result, AttemptOutcome::TimeoutConnect, reason, "write `http://`");
    let identity = self_signed(&CertificateParams::new(Vec::new()).unwrap());
    let (url, _) = TlsReceiver::new(identity).versions(&[&TLS13]).start();
    let result = send(&url.replace("https://", "http://"));
    assert_failure(&result, AttemptOutcome::Protocol, "speaks TLS on this port", "`https://`");
    // Some servers respond with an HTTP error instead: Go, nginx, Apache.
    let server = |behavior| send(&Hostile::new(behavior).url("http")).help;
    let help = Some("write `https://` in the URL of the receiver".to_owned());
    assert_eq!(server(|c| respond_400(c, "Client sent an HTTP request to an HTTPS server.")), help);
    assert_eq!(server(|c| respond_400(c, "The plain HTTP request was sent to HTTPS port")), help);
    assert_eq!(server(|c| respond_400(c, "plain HTTP to an SSL-enabled server port.")), help);
    assert_eq!(server(|c| respond_400(c, "invalid JSON")), None);
}

fn respond_400(connection: &mut crate::support::Connection, body: &str) {
    connection.read_request();
    let head = format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n", body.len());
    connection.write(head + body);
    connection.wait();
}

#[test]
fn localhost_names_reach_this_machine_without_a_resolver() {
    let respond = |listener: TcpListener| {
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 16 * 1024]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
        });
        port
    };
    let mut ports = vec![respond(TcpListener::bind("127.0.0.1:0").unwrap())];
    // A machine without IPv6 has nothing to reach there.
    ports.extend(TcpListener::bind("[::1]:0").ok().map(respond));
    for port in ports {
        for host in ["localhost", "app.localhost", "a.b.localhost", "LOCALHOST", "localhost."] {
            let result = send(&format!("http://{host}:{port}/"));
            assert_eq!(result.status, Some(200), "{host}: {result:?}");
        }
    }
}

#[test]
#[ignore = "needs a resolver that responds; `.ci/run` runs it"]
fn a_name_that_does_not_resolve_has_the_reason_of_the_resolver() {
    for (host, help) in [
        ("nowhere.docker.internal", "--add-host nowhere.docker.internal:host-gateway"),
        ("nowhere-service", "Compose service"),
        ("nowhere.example.invalid", "check the spelling"),
    ] {
        let result = send(&format!("http://{host}/"));
        assert_failure(&result, AttemptOutcome::Dns, "cannot be resolved: ", help);
        assert!(!result.reason.unwrap().ends_with(": "));
    }
}
