//! Commands from the view of a user: output and exit codes, started in an empty folder.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use serde_json::Value as Json;
use socket2::{Domain, Socket, Type};
use standin::base::clock::Clock;

use crate::support::{
    Background, ReceivedRequest, Receiver, Reply, accept, code, configured, path, standin,
    standin_in, stderr, stdout,
};

#[test]
fn demo_shows_both_sides() {
    let output = standin(&["demo", "--speed", "1000"]);
    let told = stdout(&output);
    assert_eq!(code(&output), 0, "{told}{}", stderr(&output));
    assert!(told.contains("receiver: ✓"), "{told}");
    assert!(told.contains("passed: 12 of 12 deliveries passed, 4 of 4 expectations met"), "{told}");
    assert!(told.contains("standin run connector --vendor"), "{told}");
}

#[test]
fn run_executes_a_bundled_scenario_in_an_empty_folder() {
    let receiver = Receiver::accepting();
    let output = standin(&["run", "handover", "--vendor", "wotnot", "--to", &receiver.url()]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(
        stdout(&output).contains("passed: 9 of 9 deliveries passed (1 handshake and 9 requests"),
        "{}",
        stdout(&output)
    );
    assert!(!receiver.requests().is_empty());
}

/// Executes the rerun command that a run prints. Returns the command and its output.
fn rerun(folder: &std::path::Path, told: &str) -> (String, String) {
    let command = told.lines().find_map(|line| line.strip_prefix("rerun: standin ")).unwrap();
    let binary = env!("CARGO_BIN_EXE_standin");
    let script = format!("'{binary}' {command}");
    let output =
        Command::new("sh").args(["-c", &script]).current_dir(folder).env_clear().output().unwrap();
    (command.to_owned(), stdout(&output) + &stderr(&output))
}

#[cfg(unix)]
#[test]
fn rerun_command_repeats_the_run_exactly() {
    let receiver = Receiver::responding(|_, _| Reply::Status(403, String::new()));
    let folder = tempfile::tempdir().unwrap();
    let vendor_folder = folder.path().join("own vendors/acme");
    fs::create_dir_all(&vendor_folder).unwrap();
    let vendor = "id = 'acme'\nname = 'Acme'\nextends = 'liveperson'\n";
    fs::write(vendor_folder.join("vendor.toml"), vendor).unwrap();
    let story = "[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor' }\n";
    fs::write(folder.path().join("it's a $(story).toml"), story).unwrap();
    let config = format!("seed = 5\n[[endpoint]]\nvendor = 'acme'\nurl = '{}'\n", receiver.url());
    fs::write(folder.path().join("my config.toml"), config).unwrap();
    let common = ["--config", "my config.toml", "--templates", "own vendors", "--allow-public"];
    let url = format!("{}/?a=1&b=2", receiver.url());
    let run = ["run", "it's a $(story).toml", "--vendor", "acme@2022"];
    let send =
        ["send", "acme@2022", "ms.MessagingEventNotification.ContentEvent", "--set", "text=it's"];
    let given = ["--to", &url, "--files-port", "4998", "--start", "2026-03-01T08:00:00Z"];
    for (words, more) in [
        (&run[..], &[][..]),
        (&run[..], &["--to", &url, "--events", "*Content*", "--seed", "9"][..]),
        (&send[..], &given[..]),
    ] {
        let first = stdout(&standin_in(folder.path(), &[words, &common, more].concat()));
        let before = receiver.requests();
        let (command, second) = rerun(folder.path(), &first);
        let received = receiver.requests();
        let bodies = |received: &[ReceivedRequest]| -> Vec<String> {
            received.iter().map(|received| format!("{} {}", received.head, received.body)).collect()
        };
        let count = received.len() - before.len();
        assert!(count > 0, "{command}: {first}{second}");
        assert_eq!(bodies(&received[before.len()..]), bodies(&before[before.len() - count..]));
        assert!(command.contains("--allow-public"), "{command}");
        assert_eq!(command.contains("--to"), more.contains(&"--to"), "{command}");
        assert!(first.contains("`standin secrets acme@2022`"), "{first}");
    }
}

#[test]
fn status_outside_2xx_that_the_vendor_accepts_is_marked_and_explained() {
    let receiver = Receiver::responding(|_, _| Reply::Status(403, String::new()));
    let (event, to) = ("inbox:customerMessages.create", receiver.url());
    let told = stdout(&standin(&["send", "erxes@2", event, "--to", &to]));
    assert!(told.contains("✗ inbox:customerMessages.create "), "{told}");
    let why = "status 403, expected 2xx (this vendor counts status 403 as delivered)";
    assert!(told.contains(&format!("  {why}\n")), "{told}");
    assert!(told.contains("1 of 1 delivery failed. First: `inbox:"), "{told}");
    assert!(told.contains("receiver uses the credentials of `standin secrets erxes@2`"));
}

#[test]
fn configured_files_port_in_use_is_reported_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let receiver = Receiver::accepting();
    let folder = configured(&format!("[files]\nport = {port}\n"));
    let to = receiver.url();
    let output = standin_in(folder.path(), &["run", "handover", "--vendor", "ebbot", "--to", &to]);
    assert_eq!(code(&output), 0);
    let told = format!("note: attachments cannot be fetched: port {port}: ");
    assert!(stderr(&output).starts_with(&told), "{}", stderr(&output));
}

#[test]
fn failing_receiver_exits_with_1_and_a_reason() {
    let receiver =
        Receiver::responding(|_, _| Reply::Status(500, "{\"error\":\"database\"}".into()));
    let output = standin(&["run", "handover", "--vendor", "ebbot", "--to", &receiver.url()]);
    let told = stdout(&output);
    assert_eq!(code(&output), 1);
    assert!(told.contains("`chat.create` (delivery 1-1): status 500, expected 2xx"), "{told}");
    assert!(told.contains("response body: {\"error\":\"database\"}"), "{told}");
}

#[test]
fn json_output_contains_only_records() {
    let receiver = Receiver::accepting();
    let output =
        standin(&["run", "handover", "--vendor", "erxes", "--to", &receiver.url(), "--json"]);
    let records: Vec<Json> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = records.iter().map(|record| record["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds[..3], ["run.started", "handshake.sent", "handshake.finished"]);
    assert_eq!(kinds.last(), Some(&"run.finished"));
    for kind in [
        "action.done",
        "action.implied",
        "action.silent",
        "delivery.planned",
        "attempt.started",
        "attempt.finished",
        "delivery.settled",
    ] {
        assert!(kinds.contains(&kind), "{kind}");
    }
    for (number, record) in (1..).zip(&records) {
        assert_eq!((&record["v"], &record["seq"]), (&Json::from(1), &Json::from(number)));
    }
}

#[test]
fn json_output_has_the_whole_text_of_a_message_and_the_role_of_its_sender() {
    let text = "a ".repeat(100);
    let folder = tempfile::tempdir().unwrap();
    let scenario = format!(
        "[[step]]\nopen = {{ by = \"visitor\" }}\n[[step]]\nsay = {{ by = \"visitor\", text = \"{text}\" }}\n"
    );
    std::fs::write(folder.path().join("long.toml"), scenario).unwrap();
    let (receiver, file) = (Receiver::accepting(), folder.path().join("long.toml"));
    let file = file.to_str().unwrap();
    let output = standin(&["run", file, "--vendor", "ebbot", "--to", &receiver.url(), "--json"]);
    let told = stdout(&output);
    let actions: Vec<Json> = told
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap())
        .filter(|record| record["kind"] == "action.done")
        .map(|record| record["data"].clone())
        .collect();
    assert_eq!(actions[0]["text"], Json::Null);
    assert_eq!(actions[1]["text"], text.as_str());
    assert_eq!(
        (&actions[1]["role"], &actions[1]["message_kind"]),
        (&"visitor".into(), &"text".into())
    );
}

#[test]
fn several_vendors_and_scenarios_run_in_order() {
    let (one, two) = (Receiver::accepting(), Receiver::accepting());
    let to = [format!("ebbot={}", one.url()), format!("erxes={}", two.url())];
    let output = standin(&[
        "run", "handover", "transfer", "--vendor", "ebbot", "--vendor", "erxes", "--to", &to[0],
        "--to", &to[1], "--quiet",
    ]);
    let told = stdout(&output);
    assert_eq!(code(&output), 0, "{told}");
    assert_eq!(told.matches("passed, ").count(), 4, "{told}");
    assert!(told.contains("total: 4 of 4 runs passed"), "{told}");
    let chats: std::collections::BTreeSet<String> = one
        .requests()
        .iter()
        .filter_map(|received| Some(received.json()["data"]["chatId"].as_str()?.to_owned()))
        .collect();
    assert_eq!(chats.len(), 2, "two runs never share a conversation");
}

#[test]
fn configuration_sets_receivers_credentials_and_options() {
    let receiver = Receiver::accepting();
    let config = format!(
        "seed = 5\n[vendor.wotnot]\naccount = {{ bot_id = 4711 }}\nsecret = {{ token = 'file:token' }}\n\
         option = {{ event_token_in = 'bearer' }}\n[[endpoint]]\nvendor = 'wotnot'\nurl = '{}'\n\
         events = ['message']\nheaders = {{ X-Env = 'ci' }}\n",
        receiver.url()
    );
    let folder = configured(&config);
    fs::write(folder.path().join("token"), "s3cret\n").unwrap();
    let output = standin_in(folder.path(), &["run", "handover", "--vendor", "wotnot", "--json"]);
    let told = stdout(&output);
    assert_eq!(code(&output), 0, "{told}{}", stderr(&output));
    assert!(told.contains("\"seed\":5"));
    assert!(!told.contains("s3cret") && told.contains("${secret.token}"), "{told}");
    assert_eq!(receiver.requests()[0].token().as_deref(), Some("s3cret"));
    for event in receiver.events() {
        let json = event.json();
        assert_eq!(json["events"][0]["event"]["type"], "message");
        assert_eq!(json["events"][0]["account"]["bot"]["id"], 4711);
        assert_eq!(event.header("authorization").as_deref(), Some("Bearer s3cret"));
        assert_eq!(event.header("x-env").as_deref(), Some("ci"));
    }
}

#[test]
fn secret_that_is_invalid_in_a_header_exits_with_2_and_sends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = |config: &str, secret: &str| {
        let receiver = Receiver::accepting();
        let config = config.replace("URL", &receiver.url());
        fs::write(folder.path().join("standin.toml"), config).unwrap();
        fs::write(folder.path().join("secret"), secret).unwrap();
        let output = standin_in(folder.path(), &["run", "handover", "--vendor", "wotnot"]);
        (code(&output), stderr(&output), receiver.requests().len())
    };
    let endpoint = "[[endpoint]]\nvendor = 'wotnot'\nurl = 'URL'\n";
    let header = format!("{endpoint}headers = {{ X-Key = 'file:secret' }}\n");
    let token = format!(
        "[vendor.wotnot]\nsecret = {{ token = 'file:secret' }}\n\
         option = {{ event_token_in = 'bearer' }}\n{endpoint}"
    );
    // Receivers remove spaces at the ends of a header, so that the secret would be another one.
    let spaces = ["canary  ", "canary\t"];
    let invalid = ["canary\r\nX: y", "canary\u{1b}[31m", &"canary".repeat(2_000)];
    for secret in spaces.into_iter().chain(invalid) {
        for config in [&header, &token] {
            let (code, told, received) = run(config, secret);
            assert_eq!((code, received), (2, 0), "{told}");
            assert!(told.contains("error[E087]") && !told.contains("canary"), "{told}");
        }
    }
}

#[test]
fn handshake_token_can_be_in_a_header() {
    let receiver = Receiver::responding(|_, received| {
        let token = received.header("authorization").unwrap();
        if received.body == "{}" { Reply::Status(200, token) } else { Reply::good() }
    });
    let folder = configured("[vendor.wotnot]\noption = { handshake_token_in = 'authorization' }\n");
    let arguments = ["run", "handover", "--vendor", "wotnot", "--to", &receiver.url()];
    let output = standin_in(folder.path(), &arguments);
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn event_token_can_be_in_the_body() {
    let receiver = Receiver::accepting();
    let folder = configured("[vendor.wotnot]\noption = { event_token_in = 'body' }\n");
    let output = standin_in(
        folder.path(),
        &["run", "handover", "--vendor", "wotnot", "--to", &receiver.url()],
    );
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let token = receiver.requests()[0].token();
    for event in receiver.events() {
        assert_eq!(
            (event.json()["token"].as_str(), event.header("authorization")),
            (token.as_deref(), None)
        );
    }
}

#[cfg(target_os = "linux")] // only there is a device that is always full
#[test]
fn full_output_device_exits_with_3_and_does_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let begin = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_standin"));
        command.args(arguments).current_dir(folder.path()).env_clear();
        command
    };
    for arguments in [
        &["vendors"][..],
        &["check"],
        &["check", "--explain", "E010"],
        &["schema", "scenario"],
        &["secrets", "ebbot"],
        &["completions", "bash"],
        &["init", "ebbot"],
        &["demo", "--speed", "1000"],
        &["run", "handover", "--vendor", "ebbot", "--dry-run"],
    ] {
        let output = begin(arguments).stdout(full()).output().unwrap();
        assert_eq!(code(&output), 3, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).starts_with("error: "), "{arguments:?}");
    }
    let output = begin(&["run", "nothing", "--vendor", "ebbot"]).stderr(full()).output().unwrap();
    assert_eq!(code(&output), 2);
}

#[test]
fn check_marks_every_problem_in_its_source_and_sends_nothing() {
    let receiver = Receiver::accepting();
    let folder = tempfile::tempdir().unwrap();
    let story = "[[step]]\nopen = { channel = 'web', asignee = 'bot' }\n[[step]]\n\
                 say = { by = 'gracee', text = 'Order ${fake.order_numer}' }\n[cast.grace]\nrole = 'agnet'\n";
    fs::write(folder.path().join("broken.toml"), story).unwrap();
    for arguments in [
        vec!["check", "broken.toml"],
        vec!["run", "broken.toml", "--vendor", "ebbot", "--to", &receiver.url()],
    ] {
        let output = standin_in(folder.path(), &arguments);
        let told = stderr(&output);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{told}");
        for part in [
            "did you mean `assignee`?",
            "found `agnet`",
            "did you mean `grace`?",
            "did you mean `order_number`?",
            "broken.toml:2:27",
            "help",
        ] {
            assert!(told.contains(part), "{part} is not in\n{told}");
        }
    }
    assert!(receiver.requests().is_empty());
}

#[test]
fn invalid_input_exits_with_2_and_prints_nothing_to_stdout() {
    for arguments in [
        vec!["run"],
        vec!["run", "handover", "--vendor", "ebot", "--to", "http://127.0.0.1:1/"],
        vec!["run", "handovr", "--vendor", "ebbot", "--to", "http://127.0.0.1:1/"],
        vec!["run", "handover", "--vendor", "ebbot"],
        vec!["run", "handover", "--vendor", "ebbot@2", "--to", "http://127.0.0.1:1/"],
        vec!["run", "handover", "--vendor", "ebbot", "--to", "ftp://127.0.0.1/"],
        vec![
            "run",
            "handover",
            "--vendor",
            "ebbot",
            "--to",
            "http://127.0.0.1:1/",
            "--events",
            "nothing",
        ],
        vec!["run", "handover", "--to", "http://127.0.0.1:1/"],
        vec!["run", "handover", "--seed", "abc"],
        vec!["secrets", "nobody"],
        vec!["check", "nowhere.toml"],
        vec!["check", "--explain", "E999"],
        vec!["nonsense"],
    ] {
        let output = standin(&arguments);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{arguments:?}");
        assert!(!stderr(&output).is_empty(), "{arguments:?}");
    }
}

#[test]
fn mistyped_name_suggests_the_nearest() {
    let to = "http://127.0.0.1:1/";
    let told = stderr(&standin(&["run", "handover", "--vendor", "ebot", "--to", to]));
    assert!(told.contains("did you mean `ebbot`?"), "{told}");
    let told = stderr(&standin(&["run", "handovr", "--vendor", "ebbot", "--to", to]));
    assert!(told.contains("did you mean `handover`?"), "{told}");
}

#[test]
fn secrets_describe_credentials_verification_and_handshake() {
    let told = stdout(&standin(&["secrets", "liveperson"]));
    for part in [
        "client_secret",
        "x-liveperson-signature: sha1=<signature>",
        "hmac-sha1 of the raw request body in base64",
        "no handshake",
    ] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    let told = stdout(&standin(&["secrets", "wotnot"]));
    assert!(told.contains("Respond with 200 and the token"), "{told}");
    assert!(told.contains("Connection: keep-alive, Content-Type: application/json\n"), "{told}");
    let told = stdout(&standin(&["secrets", "erxes@2"]));
    for part in ["and the headers of an event", "Respond with any status", "--vendor erxes@2 --to"]
    {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    assert!(
        told.contains("Respond to an event with 2xx;"),
        "whatever ends a delivery well: {told}"
    );
    let vendors = path("tests/vendors");
    let till = ["secrets", "till", "--templates", vendors.to_str().unwrap()];
    let told = stdout(&standin(&till));
    let signed = "`<sent_at | epoch_secs>.<body>`, where <body> is the raw request body, in hex";
    assert!(told.contains(signed), "{told}");
}

#[test]
fn listen_verifies_completes_handshakes_and_misbehaves_on_request() {
    for (wrong, exit, expected) in [
        (vec![], 0, "✓ message"),
        (vec!["--wrong", "status:500"], 1, "responded 500"),
        (vec!["--wrong", "token"], 1, "✓ handshake"),
        (vec!["--wrong", "slow:1ms"], 0, "✓ status"),
    ] {
        let arguments = [vec!["listen", "wotnot", "--port", "0"], wrong.clone()].concat();
        let listening = Listening::start(&arguments);
        let output = standin(&["run", "handover", "--vendor", "wotnot", "--to", &listening.url]);
        assert_eq!(code(&output), exit, "{wrong:?} {}", stdout(&output));
        let told = listening.stop();
        assert!(told.contains(expected), "{wrong:?}: {expected} is not in\n{told}");
    }
}

#[cfg(unix)]
#[test]
fn listen_prints_its_mode_injected_faults_and_counts() {
    for (wrong, mode, marked) in [
        (vec![], "verifying requests: 200 if valid, 401 if not", ""),
        (
            vec!["--wrong", "status:500"],
            "misbehaving on purpose: status:500",
            " · injected fault: status:500",
        ),
    ] {
        let arguments = [vec!["listen", "ebbot", "--port", "0"], wrong].concat();
        let listening = Listening::start(&arguments);
        assert!(listening.told.contains(mode), "{}", listening.told);
        let to = listening.url.clone();
        let output = standin(&["run", "handover", "--vendor", "ebbot", "--to", &to]);
        let sent = stdout(&output);
        assert_eq!(sent.contains("fault injected by --wrong"), !marked.is_empty());
        let ended = listening.background.interrupt();
        assert_eq!(ended.code, Some(0), "whatever came");
        assert!(ended.stdout.lines().all(|line| line.ends_with(marked)), "{}", ended.stdout);
        let count = ended.stdout.lines().count();
        assert!(count > 0);
        assert!(ended.stderr.contains(&format!("{count} requests: {count} passed, 0 failed")));
    }
}

#[test]
fn listen_and_run_recognize_a_common_mistake() {
    let listening = Listening::start(&["listen", "erxes", "--port", "0"]);
    let secrets = stdout(&standin(&["secrets", "erxes", "--env"]));
    let token = secrets.lines().find_map(|line| line.strip_prefix("ERXES_TOKEN=")).unwrap();
    let config = format!("[vendor.erxes]\nsecret = {{ token = 'Bearer {token}' }}\n");
    let folder = configured(&config);
    let output = standin_in(
        folder.path(),
        &["run", "handover", "--vendor", "erxes", "--to", &listening.url],
    );
    let told = stdout(&output);
    assert!(told.contains("Erxes-token: ${secret.token}  is correct"), "{told}");
    assert!(!told.contains(token), "{told}");
    let told = listening.stop();
    assert!(told.contains("for this body: it is computed with the prefix `Bearer `"), "{told}");
}

#[test]
fn a_similar_file_is_suggested_by_its_name_without_the_ending() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ok.toml"), "name = 'x'\n[[step]]\nopen = {}\n").unwrap();
    let told = |name: &str| stderr(&standin_in(folder.path(), &["check", name]));
    assert!(told("ok.tml").contains("did you mean `ok.toml`?"));
    assert!(!told("nope").contains("ok.toml"), "{}", told("nope"));
}

#[test]
fn the_likely_mistakes_come_first_and_the_others_with_verbose() {
    let listening = Listening::start(&["listen", "liveperson", "--port", "0"]);
    let folder = configured("[vendor.liveperson]\nsecret = { client_secret = 'another' }\n");
    let mistakes = |more: &[&str]| -> (usize, String) {
        let run = ["run", "form", "--vendor", "liveperson", "--to", &listening.url];
        let told = stdout(&standin_in(folder.path(), &[&run, more].concat()));
        (told.matches("  if computed ").count(), told)
    };
    let (short, told) = mistakes(&[]);
    assert_eq!(short, 12, "{told}");
    for likely in ["in hex instead", "json.dumps(parsed body)", "an empty secret", "the prefix"] {
        assert!(told.contains(likely), "{told}");
    }
    let more = told.lines().find_map(|line| line.trim().strip_prefix("--verbose prints ")).unwrap();
    let (all, told) = mistakes(&["-v"]);
    assert_eq!(more, format!("{} more", all - short), "{told}");
    assert!(!told.contains("--verbose prints"), "{told}");
}

#[test]
fn listen_names_the_invalid_header() {
    let listening = Listening::start(&["listen", "liveperson", "--port", "0"]);
    let folder = configured("[vendor.liveperson]\nsecret = { client_secret = 'another' }\n");
    let output = standin_in(
        folder.path(),
        &["run", "handover", "--vendor", "liveperson", "--to", &listening.url],
    );
    assert_eq!(code(&output), 1);
    let told = listening.stop();
    assert!(
        told.contains("x-liveperson-signature does not match the account's credentials"),
        "{told}"
    );
}

#[test]
fn listen_on_a_port_in_use_exits_with_3() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = standin(&["listen", "ebbot", "--port", &port]);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains(&format!("cannot listen on port {port}")));
}

/// `standin listen` in the background.
struct Listening {
    background: Background,
    url: String,
    told: String,
}

impl Listening {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut background = Background::start(folder.path(), arguments);
        let told = background.read_stderr_until("Press Ctrl-C to stop");
        let url = told.split_whitespace().nth(1).unwrap().to_owned();
        Self { background, url, told }
    }

    /// Kills it. Returns its standard output.
    fn stop(self) -> String {
        self.background.kill().stdout
    }
}

/// A socket that is bound but does not listen yet, and its URL.
fn bound_socket() -> (Socket, String) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    let url = format!("http://{}/", socket.local_addr().unwrap().as_socket().unwrap());
    (socket, url)
}

#[test]
fn receiver_that_is_down_is_named_with_a_command_to_start_one() {
    let (_socket, url) = bound_socket();
    let port = url.trim_end_matches('/').rsplit(':').next().unwrap();
    let start = format!("standin listen wotnot --port {port}");
    let output = standin(&["run", "handover", "--vendor", "wotnot", "--to", &url]);
    let told = stdout(&output);
    assert_eq!(code(&output), 1);
    assert!(told.contains(&format!("no server is listening on {url}")), "{told}");
    assert!(told.contains(&start), "{told}");
    let waiting = ["run", "handover", "--vendor", "wotnot", "--to", &url, "--wait-ready", "200ms"];
    let output = standin(&waiting);
    assert_eq!((code(&output), stdout(&output).as_str()), (3, ""));
    assert!(stderr(&output).contains("(waited 200ms). Start your receiver"));
    assert!(stderr(&output).contains(&start), "{}", stderr(&output));
}

#[test]
fn wait_ready_waits_for_a_starting_receiver() {
    let (socket, url) = bound_socket();
    let waiting = std::thread::spawn(move || {
        standin(&["run", "handover", "--vendor", "wotnot", "--to", &url, "--wait-ready", "60s"])
    });
    std::thread::sleep(std::time::Duration::from_millis(500));
    socket.listen(128).unwrap();
    let _receiver = Receiver::on(socket.into(), |_, received| accept(received));
    let output = waiting.join().unwrap();
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn vendor_that_cannot_run_a_scenario_is_skipped_there() {
    let receiver = Receiver::accepting();
    let to = receiver.url();
    let many = standin(&["run", "customer", "handover", "--vendor", "ebbot", "--to", &to]);
    assert_eq!(code(&many), 0, "{}", stderr(&many));
    let reason = "scenario `customer` cannot run at ebbot: its `vendors` lists only `erxes`";
    assert!(stderr(&many).contains(reason), "{}", stderr(&many));
    let alone = standin(&["run", "customer", "--vendor", "ebbot", "--to", &to]);
    assert_eq!(code(&alone), 2);
    assert!(stderr(&alone).contains(reason), "{}", stderr(&alone));
}

#[test]
fn each_action_has_a_summary() {
    let receiver = Receiver::accepting();
    let told = |scenario: &str, vendor: &str| {
        stdout(&standin(&["run", scenario, "--vendor", vendor, "--to", &receiver.url()]))
    };
    let backstage = told("backstage", "wotnot");
    for words in [
        "adds the label “sales”, “unread”",
        "removes the label “unread”",
        "sets seats to 30, Interest to gold plan",
        "emits message_status",
    ] {
        assert!(backstage.contains(words), "{words}: {backstage}");
    }
    let customer = told("customer", "erxes");
    for words in
        ["creates the company `mill`", "updates `buyer`: description, birthDate", "deletes `mill`"]
    {
        assert!(customer.contains(words), "{words}: {customer}");
    }
    assert!(told("menu", "ebbot").contains("starts the flow “Shop”"));
    assert!(told("rating", "ebbot").contains("rates 2 of 5, “I was sent away"));
}

#[test]
fn a_random_seed_differs_each_time_and_is_printed() {
    let receiver = Receiver::accepting();
    let to = receiver.url();
    let seed = || {
        let output =
            standin(&["run", "handover", "--vendor", "ebbot", "--to", &to, "--seed", "random"]);
        let printed = stdout(&output);
        let seed = printed.split(", seed ").nth(1).and_then(|rest| rest.split(',').next());
        seed.unwrap_or_else(|| panic!("{printed}")).parse::<u64>().unwrap()
    };
    assert_ne!(seed(), seed());
}

#[test]
fn a_run_can_start_now() {
    let receiver = Receiver::accepting();
    let before = Clock::System.now();
    let url = receiver.url();
    let run = ["run", "handover", "--vendor", "ebbot", "--to", &url, "--start", "now", "--json"];
    let output = standin(&run);
    assert!(output.status.success(), "{}", stderr(&output));
    let first = stdout(&output).lines().next().unwrap().to_owned();
    let first: serde_json::Value = serde_json::from_str(&first).unwrap();
    let at: jiff::Timestamp = first["run_time"].as_str().unwrap().parse().unwrap();
    assert!((before..=Clock::System.now()).contains(&at), "{at}");
}
