//! How clients get to the APIs of vendors: http and https on one port, the CA, and the proxy.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use standin::base::clock::Clock;
use standin::server::CertificateAuthority;

use crate::support::{Background, Receiver, code, configured, path, standin_in, stderr, stdout};

/// A run that serves the API of a vendor and the proxy to it.
struct Ports {
    _run: Background,
    _receiver: Receiver,
    _folder: tempfile::TempDir,
    api: String,
    https: String,
    proxy: String,
    ca: PathBuf,
}

impl Ports {
    fn start() -> Self {
        Self::of("wotnot", "WotNot")
    }

    fn of(vendor: &str, name: &str) -> Self {
        let folder = configured("");
        let receiver = Receiver::accepting();
        let story = "name = 'waits'\n[[step]]\nopen = {}\n\
                     [[step]]\nsay = { by = 'visitor', text = 'Hi' }\nafter = '100s'\n";
        fs::write(folder.path().join("story.toml"), story).unwrap();
        let url = receiver.url();
        let arguments = ["run", "story.toml", "--vendor", vendor, "--to", &url, "--clock", "real"];
        let options = ["--listen", "--serve-proxy"];
        let arguments = [&arguments[..], &options[..]].concat();
        let mut run = Background::start(folder.path(), &arguments);
        let told = run.read_stderr_until("CA file: ");
        let value = |start: &str| -> String {
            let line = told.lines().find_map(|line| line.strip_prefix(start));
            line.unwrap_or_else(|| panic!("no {start} in {told}")).to_owned()
        };
        Self {
            api: value(&format!("{name} API: http://")),
            https: value(&format!("{name} API: https://")),
            proxy: value("proxy: http://"),
            ca: value("CA file: ").into(),
            _run: run,
            _receiver: receiver,
            _folder: folder,
        }
    }

    fn api(&self) -> TcpStream {
        connect(&self.api)
    }

    fn proxy(&self) -> TcpStream {
        connect(&self.proxy)
    }
}

fn now() -> Timestamp {
    Clock::System.now()
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Wraps a connection in TLS, as a client that trusts one CA and expects this name.
fn secure(stream: TcpStream, name: &str, ca: &Path) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream)
}

/// Sends the head of a request, and returns the status and the body of the response.
fn ask(stream: &mut (impl Read + Write), head: &str) -> (u16, String) {
    write!(stream, "{head}\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = Vec::new();
    // A server may close a TLS connection without a farewell.
    let _ = stream.read_to_end(&mut response);
    let response = String::from_utf8(response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{response:?}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The path of the API that needs no credentials to be refused.
const PATH: &str = "/nothing/here";

#[test]
fn one_port_takes_http_and_https_for_every_name_of_the_vendor() {
    let ports = Ports::start();
    assert_eq!(ports.https, ports.api, "one port");
    let get = format!("GET {PATH} HTTP/1.1");
    let plain = ask(&mut ports.api(), &get);
    assert_eq!(plain.0, 404, "{plain:?}");
    for name in ["localhost", "127.0.0.1", "::1", "api.wotnot.io", "app.wotnot.io"] {
        let response = ask(&mut secure(ports.api(), name, &ports.ca), &get);
        assert_eq!(response, plain, "{name}");
    }
    let absolute = format!("GET http://api.wotnot.io{PATH} HTTP/1.1");
    assert_eq!(ask(&mut ports.proxy(), &absolute), plain, "through the proxy");
}

#[test]
fn the_proxy_opens_tunnels_to_the_hosts_of_the_vendors_and_to_no_other() {
    let ports = Ports::start();
    for (target, speaks_tls) in
        [("api.wotnot.io:443", true), ("App.WotNot.io:443", true), ("api.wotnot.io:80", false)]
    {
        let mut stream = ports.proxy();
        write!(stream, "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").unwrap();
        let mut opened = [0; 39];
        stream.read_exact(&mut opened).unwrap();
        assert_eq!(&opened, b"HTTP/1.1 200 Connection established\r\n\r\n");
        let get = format!("GET {PATH} HTTP/1.1");
        let (status, body) = if speaks_tls {
            ask(&mut secure(stream, "api.wotnot.io", &ports.ca), &get)
        } else {
            ask(&mut stream, &get)
        };
        assert_eq!(status, 404, "{target}: {body}");
        assert!(body.contains("NOT_FOUND"), "the error of the vendor: {body}");
    }
    for target in ["example.test:443", "api.wotnot.io:22", "127.0.0.1:443", "x"] {
        let (status, body) = ask(&mut ports.proxy(), &format!("CONNECT {target} HTTP/1.1"));
        assert_eq!(status, 403, "{target}: {body}");
        assert!(!body.is_empty());
    }
    for head in ["GET http://example.test/a HTTP/1.1", "GET /a HTTP/1.1", "CONNECTION /a HTTP/1.1"]
    {
        let (status, body) = ask(&mut ports.proxy(), head);
        assert_eq!(status, 403, "{head}: {body}");
        assert!(body.contains("serves only") && body.contains("api.wotnot.io, app.wotnot.io"));
    }
    let (status, _) = ask(&mut ports.api(), "CONNECT api.wotnot.io:443 HTTP/1.1");
    assert_ne!(status, 200, "the port of a vendor is no proxy");
}

#[test]
fn the_proxy_serves_the_regions_of_a_vendor() {
    let ports = Ports::of("liveperson", "LivePerson");
    for host in ["va.sentinel.liveperson.net", "lo.idp.liveperson.net", "api.liveperson.net"] {
        let mut stream = ports.proxy();
        write!(stream, "CONNECT {host}:443 HTTP/1.1\r\n\r\n").unwrap();
        let mut opened = [0; 39];
        stream.read_exact(&mut opened).unwrap();
        let get = "GET /api/account/1/service/idp/baseURI.json?version=1.0 HTTP/1.1";
        // The certificate must be valid for the name.
        let (status, body) = ask(&mut secure(stream, host, &ports.ca), get);
        assert_eq!(status, 400, "another account: {host}: {body}");
    }
}

#[test]
fn slow_clients_are_disconnected_and_do_not_disturb_others() {
    let ports = Ports::start();
    let start = Instant::now();
    let beginnings: [&[u8]; 4] = [b"", b"\x16\x03", b"CONN", b"\x16\x03\x01\x00\x05hello"];
    let mut waiting: Vec<TcpStream> = Vec::new();
    for beginning in beginnings {
        for mut stream in [ports.api(), ports.proxy()] {
            stream.write_all(beginning).unwrap();
            waiting.push(stream);
        }
    }
    assert_eq!(ask(&mut ports.api(), &format!("GET {PATH} HTTP/1.1")).0, 404);
    for mut stream in waiting {
        let mut rest = Vec::new();
        // Closed, or closed with unread bytes.
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.len() < 200, "an alert or a short response");
    }
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[test]
fn a_ca_is_made_once_even_by_many_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let made: BTreeSet<String> = thread::scope(|scope| {
        let open = || {
            let authority = CertificateAuthority::open_or_create(&data, now()).unwrap();
            fs::read_to_string(authority.file).unwrap()
        };
        let all: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(made.len(), 1, "one certificate");
    let files: Vec<_> = fs::read_dir(&data).unwrap().collect();
    assert_eq!(files.len(), 1, "nothing is left over: {files:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |file: &str| {
            fs::metadata(data.join("ca").join(file)).unwrap().permissions().mode() & 0o777
        };
        assert_eq!((mode("ca-key.pem"), mode("ca.pem")), (0o600, 0o644));
    }
}

#[test]
fn a_ca_that_cannot_be_used_is_reported_with_the_fix() {
    let error = |change: &dyn Fn(&Path), time: Timestamp| {
        let folder = tempfile::tempdir().unwrap();
        CertificateAuthority::open_or_create(folder.path(), now()).unwrap();
        let own = folder.path().join("ca");
        change(&own);
        let error = CertificateAuthority::open_or_create(folder.path(), time).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(&*own.to_string_lossy()), "{message}");
        assert!(message.ends_with("delete this folder, and a new CA is made"), "{message}");
        message
    };
    let unchanged = |_: &Path| {};
    let later = now() + SignedDuration::from_hours(24 * 4000);
    assert!(error(&unchanged, later).contains("`ca.pem` expired on "));
    let missing = |own: &Path| fs::remove_file(own.join("ca-key.pem")).unwrap();
    assert!(error(&missing, now()).contains("`ca-key.pem`: "));
    let damaged = |own: &Path| fs::write(own.join("ca.pem"), "-----BEGIN").unwrap();
    assert!(error(&damaged, now()).contains("`ca.pem` does not contain a certificate"));
    let emptied = |own: &Path| fs::write(own.join("ca-key.pem"), "").unwrap();
    assert!(error(&emptied, now()).contains("does not contain a private key"));
    let exchanged = |own: &Path| {
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        fs::write(own.join("ca-key.pem"), key).unwrap();
    };
    assert!(error(&exchanged, now()).contains("do not belong together"));
}

#[test]
fn secrets_prints_the_addresses_and_the_ca_file_for_a_shell() {
    let folder = configured("[vendor.wotnot]\nport = 8099\n");
    let data = folder.path().join("it's a folder");
    let standin = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_standin"))
            .args(arguments)
            .current_dir(folder.path())
            .env_clear()
            .env("XDG_DATA_HOME", &data)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let env = standin(&["secrets", "wotnot", "--env"]);
    let script =
        format!("set -a\n{env}\nprintenv WOTNOT_API_URL WOTNOT_API_HTTPS_URL WOTNOT_API_CA");
    let shell = Command::new("sh").args(["-c", &script]).output().unwrap();
    let ca = data.join("standin/ca/ca.pem");
    let expected = format!("http://127.0.0.1:8099\nhttps://127.0.0.1:8099\n{}\n", ca.display());
    assert_eq!(stdout(&shell), expected, "{env}");
    assert!(!ca.exists(), "printing makes no CA");
    let text = standin(&["secrets", "wotnot"]);
    assert!(text.contains("https://127.0.0.1:8099") && text.contains(&*ca.to_string_lossy()));
    let text = standin(&["secrets", "replycx", "--env"]);
    assert!(text.starts_with("REPLYCX_API_CA=") && !text.contains("API_URL"), "{text}");
    assert!(standin(&["secrets", "replycx"]).contains("`port` in [vendor.replycx]"));
    let others = path("tests/vendors");
    let without_api = ["secrets", "till", "--templates", others.to_str().unwrap()];
    assert!(!standin(&without_api).contains("CA file"), "it has no API");
    // A damaged CA does not matter to a command that only names it.
    fs::create_dir_all(ca.parent().unwrap()).unwrap();
    fs::write(&ca, "").unwrap();
    assert!(standin(&["secrets", "wotnot"]).contains("CA file"));
}

/// Subscribes a URL at an API, as a receiver does when it starts.
fn subscribe(address: &str, folder: &Path, url: &str) -> (u16, String) {
    let env = stdout(&standin_in(folder, &["secrets", "wotnot", "--env"]));
    let value = |name: &str| {
        let line = env.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches('=').to_owned()
    };
    let (token, account) = (value("WOTNOT_API_TOKEN"), value("WOTNOT_ACCOUNT_ID"));
    let body = format!(r#"{{"webhook_url": "{url}", "is_enabled": true}}"#);
    let mut stream = connect(address);
    let path = format!("/v1/accounts/{account}/webhook");
    let head = format!("POST {path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\nHost: x");
    let length = body.len();
    write!(stream, "{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    (response.split(' ').nth(1).unwrap().parse().unwrap(), response)
}

#[test]
fn runs_without_a_receiver_wait_for_a_call_that_subscribes_one() {
    for jobs in ["1", "3"] {
        let folder = configured("");
        let receiver = Receiver::accepting();
        let scenarios = ["handover", "booking", "attachments"];
        let options = ["--vendor", "wotnot", "--listen", "--jobs", jobs];
        let arguments = [&["run"], &scenarios[..], &options[..]].concat();
        let mut run = Background::start(folder.path(), &arguments);
        let told = run.read_stderr_until("WotNot API: http://");
        let address = told.trim().rsplit_once("http://").unwrap().1.to_owned();
        let (status, response) = subscribe(&address, folder.path(), &receiver.url());
        assert_eq!(status, 200, "{response}");
        let ended = run.wait();
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains("3 of 3 runs passed"), "{}", ended.stdout);
        let keys: BTreeSet<String> = receiver
            .events()
            .iter()
            .filter_map(|event| event.json().pointer("/events/0/conversation/key").cloned())
            .map(|key| key.to_string())
            .collect();
        assert_eq!(keys.len(), 3, "the events of all runs, with --jobs {jobs}");
    }
}

#[test]
fn a_run_fails_if_no_call_subscribes_a_receiver_in_time() {
    let folder = configured("");
    let run = |vendor: &str, options: &[&str]| {
        let arguments = [&["run", "handover", "--vendor", vendor, "--listen"], options].concat();
        let output = standin_in(folder.path(), &arguments);
        (code(&output), stdout(&output) + &stderr(&output))
    };
    let (exit, told) = run("wotnot", &["--wait-ready", "300ms"]);
    assert_eq!(exit, 1, "{told}");
    assert!(told.contains("no call has subscribed a URL within 300ms"), "{told}");
    let (exit, told) = run("ebbot", &[]);
    assert_eq!(exit, 2, "{told}");
    assert!(told.contains("no receiver is configured for ebbot"), "{told}");
}

#[test]
fn a_port_that_is_in_use_is_named_with_the_flag_that_sets_another() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = configured("");
    let fixed = format!("wotnot={port}");
    let arguments = ["run", "handover", "--vendor", "wotnot", "--to", "http://127.0.0.1:1/"];
    let arguments = [&arguments[..], &["--listen", "--port", &fixed]].concat();
    let output = standin_in(folder.path(), &arguments);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    for part in [format!("127.0.0.1:{port}"), "--port wotnot=PORT".to_owned()] {
        assert!(stderr(&output).contains(&part), "{}", stderr(&output));
    }
}
