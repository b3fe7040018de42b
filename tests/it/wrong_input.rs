//! Commands with invalid input: nothing is sent, the message helps,
//! and the exit code is documented.

use std::fs;
use std::path::Path;

use crate::support::{Receiver, Reply, configured, path, standin, standin_in, stderr, stdout};

const OPEN: &str = "[[step]]\nopen = {}\n";

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

#[test]
fn several_receivers_of_a_vendor_are_endpoints_of_one_run() {
    let (one, two, other) = (Receiver::accepting(), Receiver::accepting(), Receiver::accepting());
    let to = [format!("ebbot={}", one.url()), format!("ebbot={}", two.url())];
    let arguments =
        ["run", "handover", "--vendor", "ebbot", "--to", &to[0], "--to", &to[1], "--quiet"];
    let output = standin(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("24 of 24 deliveries passed"), "{}", stdout(&output));
    assert_eq!(one.requests().len(), two.requests().len());
    assert!(!one.requests().is_empty());
    let generic = other.url();
    let unused = [&arguments[..], &["--to", &generic]].concat();
    assert_eq!(standin(&unused).status.code(), Some(2), "nothing would be sent to it");
    let open = ["run", "handover", "--vendor", "ebbot", "--to", &other.url(), "--to", &two.url()];
    assert_eq!(standin(&open).status.code(), Some(0));
    assert!(!other.requests().is_empty(), "an address without a vendor is for every vendor");
}

#[test]
fn only_the_vendors_that_a_scenario_names_are_checked() {
    let receiver = Receiver::accepting();
    let folder = tempfile::tempdir().unwrap();
    let story =
        format!("vendors = ['ebbot', 'erxes']\n{OPEN}only = ['erxes']\n{OPEN}only = ['ebbot']\n");
    write(folder.path(), "story.toml", &story);
    let run = |story: &str| {
        write(folder.path(), "story.toml", story);
        let to = receiver.url();
        standin_in(folder.path(), &["run", "story.toml", "--vendor", "ebbot", "--to", &to])
    };
    assert_eq!(run(&story).status.code(), Some(0));
    let output = run(&story.replace("vendors = ['ebbot', 'erxes']", "vendors = ['ebot']"));
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        told.contains("did you mean `ebbot`?") && told.contains("does not run at `erxes`"),
        "{told}"
    );
}

#[test]
fn check_continues_after_an_unreadable_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), b"\xff").unwrap();
    write(folder.path(), "b.toml", "nmae = 'b'\n[[step]]\nopen = {}\n");
    fs::create_dir(folder.path().join("inside")).unwrap();
    write(&folder.path().join("inside"), "c.toml", "[[endpoint]]\nvendor = 'ebot'\nurl = 'x'\n");
    let output = standin_in(folder.path(), &["check", "."]);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2));
    for part in ["E001", "did you mean `name`?", "has no scheme", "3 problems"] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
}

#[test]
fn check_recognizes_configurations_by_content_and_vendors_by_any_file() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "ci.toml", "[vendor.wotnot]\noption = { event_token_in = 'bearer' }\n");
    fs::create_dir(folder.path().join("own")).unwrap();
    write(
        &folder.path().join("own"),
        "vendor.toml",
        "id = 'own'\nname = 'Own'\nextends = 'ebbot'\n",
    );
    for arguments in
        [["check", "ci.toml"], ["check", "own"], ["check", "own/vendor.toml"], ["check", "."]]
    {
        let output = standin_in(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    }
    assert!(stdout(&standin_in(folder.path(), &["check", "."])).contains("2 files checked"));
    let nothing = tempfile::tempdir().unwrap();
    let output = standin_in(nothing.path(), &["check", "."]);
    assert_eq!(output.status.code(), Some(2), "nothing checked is nothing passed");
}

#[cfg(unix)]
#[test]
fn symbolic_link_cycles_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.toml", OPEN);
    for link in ["b", "c", "d"] {
        std::os::unix::fs::symlink(folder.path(), folder.path().join(link)).unwrap();
    }
    let output = standin_in(folder.path(), &["check", "."]);
    assert!(stdout(&output).contains("1 file checked"), "{}", stderr(&output));
}

#[test]
fn an_unaccepted_status_lists_the_accepted_ones() {
    let receiver = Receiver::responding(|_, _| Reply::Status(202, String::new()));
    let run = |story: &[&str]| {
        let to = receiver.url();
        stdout(&standin(&[&["run"], story, &["--vendor", "liveperson", "--to", &to]].concat()))
    };
    let told = run(&["handover"]);
    assert!(told.contains("status 202, expected 200, 201"), "{told}");
}

#[test]
fn a_skipped_step_is_reported_in_order_with_its_time() {
    let receiver = Receiver::accepting();
    let folder = tempfile::tempdir().unwrap();
    let story = format!(
        "{OPEN}[[step]]\nafter = '5s'\nsay = {{ by = 'visitor', text = 'x' }}\n\
         [step.for.ebbot]\nskip = 'not there'\n[[step]]\nclose = {{ by = 'visitor' }}\n"
    );
    write(folder.path(), "story.toml", &story);
    let arguments = ["run", "story.toml", "--vendor", "ebbot", "--to", &receiver.url()];
    let told = stdout(&standin_in(folder.path(), &arguments));
    let position =
        |part: &str| told.find(part).unwrap_or_else(|| panic!("{part} is not in\n{told}"));
    let skipped = told.lines().find(|line| line.contains("skipped: not there")).unwrap();
    assert!(skipped.trim_start().starts_with("5.0"), "{skipped}");
    assert!(position("chat.create ") < position("` skipped: "));
    assert!(position("` skipped: ") < position("closes the conversation"));
}

#[test]
fn help_mentions_the_exit_code_of_listen_and_the_watch_flag() {
    let told = stdout(&standin(&["listen", "--help"]));
    assert!(told.contains("exit code is 0"), "{told}");
    let told = stdout(&standin(&["run", "--help"]));
    assert!(told.contains("--watch"), "{told}");
}

#[test]
fn every_code_is_explained_with_an_example() {
    for explained in standin::diag::code::CODES {
        let output = standin(&["check", "--explain", &explained.code.to_string()]);
        let told = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{told}");
        assert!(told.contains("\n\ninvalid:\n") && told.contains("\n\nvalid:\n"), "{told}");
    }
}

#[test]
fn untrusted_text_starts_no_line_and_moves_no_cursor() {
    let evil = "\u{1b}[2J\r\n::error::\u{202e}\u{9b}31m\u{200b}";
    let receiver = Receiver::responding(move |_, _| Reply::Status(500, evil.into()));
    let folder = tempfile::tempdir().unwrap();
    let vendor_folder = folder.path().join("own");
    fs::create_dir(&vendor_folder).unwrap();
    let quoted =
        evil.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect::<Vec<_>>().concat();
    let vendor = format!(
        "id = 'own'\nname = \"{quoted}\"\nextends = 'plain'\nrevision = {{ differs = \"{quoted}\" }}\n\
         [[event]]\non = 'conversation.closed'\ntype = \"{quoted}\"\ntemplate = 'room.json'\n\
         [cannot]\n\"note.added\" = \"{quoted}\"\n[silent]\n\"typing.changed\" = \"{quoted}\"\n"
    );
    write(&vendor_folder, "vendor.toml", &vendor);
    let broken = folder.path().join("broken");
    fs::create_dir(&broken).unwrap();
    write(&broken, "vendor.toml", "id = 'broken'\n"); // a vendor that is not played is not checked
    fs::create_dir(folder.path().join("plain")).unwrap();
    for file in ["vendor.toml", "room.json", "line.json", "lamp.json"] {
        let from = path("tests/minimal/plain").join(file);
        fs::copy(from, folder.path().join("plain").join(file)).unwrap();
    }
    let story = format!(
        "name = \"{quoted}\"\n[cast.grace]\nrole = 'agent'\nname = \"{quoted}\"\n[[step]]\nopen = {{}}\n\
         [[step]]\nsay = {{ by = 'grace', text = \"{quoted}\" }}\n[[step]]\ntyping = {{ by = 'grace' }}\n\
         [[step]]\nnote = {{ by = 'grace', text = \"{quoted}\" }}\n[[step]]\nsay = {{ by = 'bot' }}\n\
         [step.for.own]\nskip = \"{quoted}\"\n[[step]]\nclose = {{ by = 'grace' }}\n"
    );
    write(folder.path(), "story.toml", &story);
    let to = receiver.url();
    let run = ["run", "story.toml", "--vendor", "own", "--to", &to, "--templates", "."];
    for more in [&[][..], &["--verbose"], &["--quiet"], &["--json"], &["--events", "line.said"]] {
        let output = standin_in(folder.path(), &[&run[..], more].concat());
        let told = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        // JSON output escapes the characters too.
        let moves = told.contains(['\u{1b}', '\r', '\u{202e}', '\u{9b}', '\u{200b}']);
        assert!(!moves && !told.lines().any(|line| line.starts_with("::")), "{more:?}: {told:?}");
    }
    assert!(receiver.requests().len() > 3);
}

#[test]
fn secrets_env_omits_the_users_secrets() {
    let folder = configured("[vendor.wotnot]\nsecret = { token = 'canary' }\n");
    let told = stdout(&standin_in(folder.path(), &["secrets", "wotnot", "--env"]));
    assert!(told.contains("\n# WOTNOT_TOKEN: (secret from your configuration)\n"), "{told}");
    assert!(!told.contains("canary"), "{told}");
    let told = stdout(&standin_in(folder.path(), &["secrets", "wotnot"]));
    assert!(!told.contains("canary") && told.contains("${secret.token}"), "{told}");
}

#[test]
fn spaces_around_patterns_of_events_do_not_change_their_meaning() {
    let receiver = Receiver::accepting();
    let to = receiver.url();
    let run = |events: &str| {
        standin(&["run", "handover", "--vendor", "ebbot", "--to", &to, "--events", events])
    };
    assert_eq!(run("chat.*, !chat.close, ! chat.update").status.code(), Some(0));
    let topics: Vec<String> =
        receiver.events().iter().map(|event| event.json()["topic"].to_string()).collect();
    assert!(topics.len() > 3, "{topics:?}");
    assert!(!topics.iter().any(|topic| topic.contains("close") || topic.contains("update")));
    let told = stderr(&run("chat.*, !chat.clsoe"));
    assert!(told.contains("did you mean `!chat.close`?"), "{told}");
}

#[test]
fn a_part_of_an_event_type_is_completed() {
    for arguments in [["send", "ebbot", "user.message"], ["vendors", "ebbot", "user.message"]] {
        let told = stderr(&standin(&arguments));
        assert!(told.contains("did you mean `chat.user.message`?"), "{told}");
    }
    let told = stderr(&standin(&["vendors", "liveperson", "contentevent"]));
    assert!(told.contains("did you mean `ms.MessagingEventNotification.ContentEvent`?"), "{told}");
}

#[test]
fn vendors_are_listed_with_commas_and_all_plays_every_vendor_that_can() {
    let receiver = Receiver::accepting();
    let to = receiver.url();
    let run = |vendor: &str| {
        let output = standin(&["run", "handover", "--vendor", vendor, "--to", &to, "--quiet"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    assert!(run("ebbot,erxes").contains("2 of 2 runs passed"));
    assert!(run("ebbot, wotnot").contains("2 of 2 runs passed"));
    let vendors = standin::platform::Catalog::bundled().ids().count();
    assert!(run("all").contains(&format!("{vendors} of {vendors} runs passed")), "{}", run("all"));
    let told = stderr(&standin(&["run", "handover", "--vendor", "ebbot,erxse", "--to", &to]));
    assert!(told.contains("did you mean `erxes`?"), "{told}");
    let told = stderr(&standin(&["run", "handover", "--to", &to]));
    assert!(told.contains("or `all`"), "{told}");
}

#[test]
fn a_receiver_that_stopped_is_not_reported_as_missing() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        // Responds three times and closes the port, as a receiver that crashes.
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 16 * 1024]);
            let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
            let _ = std::io::Write::write_all(&mut stream, reply);
        }
    });
    let told = stdout(&standin(&["run", "handover", "--vendor", "erxes", "--to", &to]));
    assert!(told.contains("had responded before it stopped listening"), "{told}");
    assert!(!told.contains("no server is listening"), "{told}");
}

#[test]
fn run_with_a_folder_skips_what_is_not_a_scenario_and_reports_it() {
    let receiver = Receiver::accepting();
    let to = receiver.url();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join("all/own")).unwrap();
    write(root, "all/story.toml", OPEN);
    write(root, "all/standin.toml", "seed = 3\n");
    write(root, "all/ci.toml", "[[endpoint]]\nvendor = 'ebbot'\nurl = 'http://localhost:1/'\n");
    write(root, "all/pyproject.toml", "[project]\nname = 'x'\n[tool.x]\ny = 1\n");
    write(root, "all/own/vendor.toml", "id = 'own'\nname = 'Own'\nextends = 'ebbot'\n");
    let run = |path: &str| standin_in(root, &["run", path, "--vendor", "ebbot", "--to", &to]);
    let output = run("all");
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    for (file, kind) in [
        ("standin.toml", "a configuration"),
        ("ci.toml", "a configuration"),
        ("pyproject.toml", "not a scenario"),
        ("own/vendor.toml", "part of a vendor folder"),
    ] {
        assert!(told.contains(&format!("all/{file} ({kind})")), "{told}");
    }
    let output = standin_in(root, &["check", "all"]);
    assert!(stderr(&output).contains("skipped all/pyproject.toml"), "{}", stderr(&output));
    assert!(stdout(&output).contains("4 files checked"), "{}", stdout(&output));
    for (path, help) in [
        ("all/standin.toml", "--config"),
        ("all/own/vendor.toml", "--templates"),
        ("all/own", "found only all/own/vendor.toml"),
    ] {
        let told = stderr(&run(path));
        assert!(told.contains("E083") && told.contains(help), "{path}: {told}");
    }
    // A typo or an empty file is not skipped: its problems would be hidden.
    for text in ["", "[[setp]]\nopen = {}\n", "name = \"x\n"] {
        write(root, "all/story.toml", text);
        assert_eq!(run("all").status.code(), Some(2), "{text}");
    }
}

#[test]
fn a_second_visitor_is_refused_in_every_action() {
    let folder = tempfile::tempdir().unwrap();
    for action in [
        "set = { by = 'bob', variables = { tier = 'gold' } }",
        "emit = { by = 'bob', type = 'message_status' }",
        "label = { by = 'bob', add = ['vip'] }",
    ] {
        let people = "[cast]\nada.role = 'visitor'\nbob.role = 'visitor'\n";
        let text = format!("{people}[[step]]\nopen = {{ by = 'ada' }}\n[[step]]\n{action}\n");
        write(folder.path(), "story.toml", &text);
        let told = stderr(&standin_in(folder.path(), &["check", "story.toml"]));
        assert!(told.contains("`bob` is not the visitor of this conversation"), "{action}: {told}");
    }
}

#[test]
fn a_stray_vendor_file_does_not_hide_the_scenarios_beside_it() {
    let receiver = Receiver::accepting();
    let to = receiver.url();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "vendor.toml", "id = 'own'\nname = 'Own'\nextends = 'ebbot'\n");
    write(root, "story.toml", OPEN);
    let output = standin_in(root, &["run", ".", "--vendor", "ebbot", "--to", &to]);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("vendor.toml (part of a vendor folder)"), "{told}");
    assert_eq!(receiver.count(), 1);
    // `check` reports the problems of the scenario too.
    write(root, "story.toml", "[[step]]\nopne = {}\n");
    for path in [".", "story.toml"] {
        let told = stderr(&standin_in(root, &["check", path]));
        assert!(told.contains("unknown key `opne`"), "{path}: {told}");
    }
    let output = standin_in(root, &["check", "vendor.toml"]);
    assert!(stdout(&output).contains("1 file checked"), "{}", stderr(&output));
}

#[test]
fn a_header_of_the_vendor_is_refused_before_anything_is_sent() {
    let receiver = Receiver::accepting();
    let config = format!(
        "[[endpoint]]\nvendor = 'ebbot'\nurl = '{}'\nheaders = {{ content-type = 'text/plain' }}\n",
        receiver.url()
    );
    let output = standin_in(configured(&config).path(), &["run", "handover", "--vendor", "ebbot"]);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("standin.toml:4:13") && told.contains("E087"), "{told}");
    assert_eq!(receiver.count(), 0);
}
