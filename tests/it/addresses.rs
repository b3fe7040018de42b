//! Allowed addresses: the egress policy is checked on the address that is connected to.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use standin::base::address::EgressPolicy;
use standin::base::limits::MAX_PUBLIC_RATE;
use standin::delivery::{Connector, Http1Client, Request, Resolver, Transport as _};
use standin::policy::WireFormat;
use standin::record::{AttemptOutcome, AttemptResult, Method};

use crate::support::{Receiver, configured, standin, standin_in, stderr, stdout};

/// The error output of `standin run` for a receiver with this URL.
fn run_error(url: &str) -> String {
    let output = standin(&["run", "handover", "--vendor", "ebbot", "--to", url]);
    assert_eq!(output.status.code(), Some(2), "{url}: {}", stderr(&output));
    assert_eq!(stdout(&output), "", "{url}");
    stderr(&output)
}

#[test]
fn an_invalid_url_is_refused_before_sending() {
    for (url, told) in [
        ("", "the URL is empty, expected one such as `http://localhost:3000/`"),
        ("//x", "the URL `//x` has no scheme: write `http://x`"),
        ("localhost:3000", "the URL `localhost:3000` has no scheme: write `http://localhost:3000`"),
        ("7401", "`7401` is a port, not a URL: write `http://localhost:7401/`"),
        ("ebbot=7401", "`7401` is a port, not a URL: write `http://localhost:7401/`"),
        ("8080/hooks", "the URL `8080/hooks` has no scheme: write `http://localhost:8080/hooks`"),
        ("http://7401/", "`7401` is a port, not a URL: write `http://localhost:7401/`"),
        ("localhost", "the URL `localhost` has no scheme: write `http://localhost`"),
        ("http://", "invalid URL `http://`: empty host"),
        ("http://a b/", "invalid URL `http://a b/`: invalid international domain name"),
        ("http://x:99999/", "invalid URL `http://x:99999/`: the port must be between 1 and 65535"),
        ("http://[::1%25eth0]/", "invalid URL `http://[::1%25eth0]/`: invalid IPv6 address"),
        ("ftp://x/", "the URL scheme must be `http` or `https`, found `ftp`"),
        ("file:///etc/passwd", "the URL scheme must be `http` or `https`, found `file`"),
        ("javascript:alert(1)", "the URL scheme must be `http` or `https`, found `javascript`"),
        ("http://x:0/", "the port must be between 1 and 65535, found 0"),
    ] {
        let refusal = run_error(url);
        assert!(refusal.contains(&format!("error[E080]: {told}")), "{url}: {refusal}");
    }
}

#[test]
fn a_password_in_a_url_is_refused_and_not_printed() {
    for url in [
        "http://ada:hunter2@localhost/",
        "http://ada:hunter2@localhost:99999/",
        "http://ada:hunt/hunter2@localhost/",
        "ada:hunter2@localhost",
    ] {
        let refusal = run_error(url);
        assert!(!refusal.contains("hunter2"), "{refusal}");
        let folder = configured(&format!("[[endpoint]]\nvendor = 'ebbot'\nurl = '{url}'\n"));
        let output = standin_in(folder.path(), &["run", "handover", "--vendor", "ebbot"]);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("standin.toml:3:7") && !told.contains("hunter2"), "{told}");
    }
}

#[test]
fn a_public_address_requires_a_flag_that_the_error_names() {
    for url in ["http://8.8.8.8/", "https://[2606:4700::1111]/", "http://[64:ff9b::808:808]/"] {
        let refusal = run_error(url);
        assert!(refusal.contains("error[E086]"), "{refusal}");
        assert!(refusal.contains("is a public address"), "{refusal}");
        assert!(refusal.contains("add `--allow-public`"), "{refusal}");
    }
    let folder = configured("[[endpoint]]\nvendor = 'ebbot'\nurl = 'http://8.8.8.8/'\n");
    let output = standin_in(folder.path(), &["run", "handover", "--vendor", "ebbot"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("standin.toml:3:7"), "{}", stderr(&output));
}

#[test]
fn a_lookalike_host_name_is_printed_in_punycode() {
    let looks = "https://ex\u{430}mple.com/"; // the second letter is Cyrillic
    let run = ["run", "handover", "--vendor", "ebbot", "--dry-run", "--to", looks];
    let told = stdout(&standin(&run));
    assert!(told.contains(" to https://xn--exmple-4nf.com/\n"), "{told}");
    let receivers = configured(&format!("[[endpoint]]\nvendor = 'ebbot'\nurl = '{looks}'\n"));
    let told = stdout(&standin_in(receivers.path(), &run[..5]));
    assert!(told.contains(" to https://xn--exmple-4nf.com/\n"), "{told}");
}

#[test]
fn a_possibly_public_receiver_gets_the_standin_header() {
    let dry = |url: &str, more: &[&str]| {
        let run = ["run", "handover", "--vendor", "ebbot", "--dry-run", "--verbose", "--to", url];
        let told = stdout(&standin(&[&run[..], more].concat()));
        assert!(told.contains("nothing was sent"), "{told}");
        told.matches("X-Standin: not a real conversation\n").count()
    };
    let hooks = "https://hooks.example.test/";
    let all = dry(hooks, &["--allow-public"]);
    assert!(all > 5, "every request has it, not {all}");
    assert_eq!(dry(hooks, &[]), 0);
    assert_eq!(dry("http://localhost:3000/", &["--allow-public"]), 0);
}

#[test]
fn a_possibly_public_receiver_is_throttled() {
    let receiver = Receiver::accepting();
    let port = receiver.url().rsplit(':').next().unwrap().to_owned();
    let look: Resolver = Arc::new(|_| vec![ip("127.0.0.1")]);
    let url = format!("http://hooks.example.test:{port}");
    let connector = Connector::new(EgressPolicy { public: true }).with_names(look);
    // Several transports with one connector, as several runs have them, share its throttle.
    let nets = [
        Http1Client::new(connector.clone(), WireFormat::default()),
        Http1Client::new(connector, WireFormat::default()),
    ];
    let began = Instant::now();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for net in nets.iter().cycle().take(6) {
        assert_eq!(runtime.block_on(net.send(request(&url))).outcome, AttemptOutcome::Responded);
    }
    // Six requests have five pauses between them. Longer is slow, shorter is a bug.
    assert!(began.elapsed() >= Duration::from_secs(5) / MAX_PUBLIC_RATE);
}

#[test]
fn metadata_addresses_are_always_refused() {
    for url in [
        "http://169.254.169.254/",
        "http://2852039166/",
        "http://0xa9.0xfe.43518/",
        "http://[fe80::1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[::ffff:169.254.169.254]/",
        "http://100.100.100.200/",
    ] {
        let args = ["run", "handover", "--vendor", "ebbot", "--allow-public", "--to", url];
        let output = standin(&args);
        assert_eq!(output.status.code(), Some(2), "{url}: {}", stderr(&output));
        assert!(stderr(&output).contains("never sends requests to such addresses"), "{url}");
    }
}

#[test]
fn an_address_is_parsed_in_every_notation() {
    let receiver = Receiver::accepting();
    let port = receiver.url().rsplit(':').next().unwrap().to_owned();
    for host in ["2130706433", "0x7f.1", "①②⑦.⓪.⓪.①", "[::ffff:127.0.0.1]", "localhost"]
    {
        let url = format!("http://{host}:{port}");
        let output = standin(&["run", "handover", "--vendor", "ebbot", "--to", &url]);
        assert!(output.status.success(), "{url}: {}{}", stdout(&output), stderr(&output));
        let canonical = ["http://127.0.0.1:", "http://[::ffff:7f00:1]:", "http://localhost:"];
        assert!(canonical.iter().any(|url| stdout(&output).contains(url)), "{}", stdout(&output));
    }
}

/// The results of two attempts on separate connections, with host names resolved by `look`.
fn send_twice(url: &str, egress: EgressPolicy, look: &Resolver) -> Vec<AttemptResult> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let wire = WireFormat { keep_alive: false, ..WireFormat::default() };
    let net = Http1Client::new(Connector::new(egress).with_names(Arc::clone(look)), wire);
    (0..2).map(|_| runtime.block_on(net.send(request(url)))).collect()
}

fn request(url: &str) -> Request {
    let limit = Duration::from_secs(60);
    Request {
        method: Method::Post,
        url: url.parse().unwrap(),
        headers: Vec::new(),
        body: "{}".into(),
        connect: limit,
        total: limit,
        fault: None,
        options: std::sync::Arc::default(),
    }
}

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

#[test]
fn a_host_name_is_checked_by_its_addresses() {
    let receiver = Receiver::accepting();
    let port = receiver.url().rsplit(':').next().unwrap().to_owned();
    let url = format!("http://receiver.example.test:{port}");
    let result = |addresses: &[&str]| -> Vec<AttemptOutcome> {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| ip(address)).collect();
        let look: Resolver = Arc::new(move |_| addresses.clone());
        let result = send_twice(&url, EgressPolicy::default(), &look);
        result.into_iter().map(|result| result.outcome).collect()
    };
    assert_eq!(result(&["127.0.0.1"]), [AttemptOutcome::Responded; 2]);
    assert_eq!(result(&["169.254.169.254", "127.0.0.1"]), [AttemptOutcome::Responded; 2]);
    assert_eq!(result(&["8.8.8.8", "1.1.1.1"]), [AttemptOutcome::EgressBlocked; 2]);
    assert_eq!(result(&["169.254.169.254"]), [AttemptOutcome::EgressBlocked; 2]);
    assert_eq!(result(&[]), [AttemptOutcome::Dns; 2]);
    assert_eq!(receiver.requests().len(), 4);
}

#[test]
fn a_host_name_is_checked_on_every_connection() {
    let receiver = Receiver::accepting();
    let port = receiver.url().rsplit(':').next().unwrap().to_owned();
    let asked = AtomicUsize::new(0);
    let look: Resolver = Arc::new(move |_| {
        let first = asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        vec![ip(if first { "127.0.0.1" } else { "169.254.169.254" })]
    });
    let url = format!("http://rebinding.example.test:{port}");
    let result = send_twice(&url, EgressPolicy { public: true }, &look);
    let outcomes: Vec<AttemptOutcome> = result.iter().map(|result| result.outcome).collect();
    let (through, blocked) = (AttemptOutcome::Responded, AttemptOutcome::EgressBlocked);
    assert_eq!(outcomes, [through, blocked], "{result:?}");
    let reason = result[1].reason.as_ref().unwrap();
    assert!(reason.contains("169.254.169.254 is a link-local address"), "{reason}");
}

#[test]
fn a_literal_address_is_checked_on_connection_too() {
    let look: Resolver = Arc::new(|_| unreachable!("an address is no name"));
    for url in ["http://8.8.8.8/", "http://[::ffff:a9fe:a9fe]/", "https://169.254.169.254/"] {
        let result = send_twice(url, EgressPolicy::default(), &look);
        assert!(
            result.iter().all(|result| result.outcome == AttemptOutcome::EgressBlocked),
            "{result:?}"
        );
    }
}
