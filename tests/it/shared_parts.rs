//! `include` and `use`: cast, variables and groups of steps that scenarios share.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::support::{Background, Receiver, standin_in, stderr, stdout};

const STORY: &str = r#"
name = "shared"
include = ["shared/people.toml", "shared/groups.toml"]

[[step]]
open = {}

[[step]]
use = "greeting"

[[step]]
id = "again"
use = "greeting"
after = "90s"
repeat = { times = 2 }

[[step]]
read = { by = "ada", upto = "greeting.reply.answer" }
"#;

const PEOPLE: &str = r#"
[vars]
shop = "Lund"

[cast.ada]
role = "visitor"
name = "Ada ${vars.shop}"
"#;

const GROUPS: &str = r#"
include = "people.toml"

[[group.greeting]]
id = "question"
say = { by = "ada", text = "Is ${vars.shop} open? ${fake.order_number} ${round}" }

[[group.greeting]]
use = "reply"

[[group.reply]]
read = { by = "bot", upto = "question" }

[[group.reply]]
id = "answer"
after = "1s..9s"
say = { by = "bot", text = "Yes, ${cast.ada.first_name}." }
"#;

/// A folder with the story and its shared files.
fn folder(story: &str) -> TempDir {
    folder_in(&std::env::temp_dir(), story)
}

fn folder_in(parent: &Path, story: &str) -> TempDir {
    let folder = tempfile::tempdir_in(parent).unwrap();
    fs::create_dir(folder.path().join("shared")).unwrap();
    fs::write(folder.path().join("story.toml"), story).unwrap();
    fs::write(folder.path().join("shared/people.toml"), PEOPLE).unwrap();
    fs::write(folder.path().join("shared/groups.toml"), GROUPS).unwrap();
    folder
}

/// Plays the story at a receiver. Returns its bodies.
fn run(folder: &Path, arguments: &[&str]) -> Vec<String> {
    let receiver = Receiver::accepting();
    let to = receiver.url();
    let run = ["run", "story.toml", "--vendor", "ebbot", "--to", &to];
    let output = standin_in(folder, &[&run, arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    receiver.events().into_iter().map(|received| received.body).collect()
}

/// The texts of the messages in bodies.
fn texts(bodies: &[String]) -> Vec<String> {
    let text = |body: &String| {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        body["data"]["value"].as_str().map(str::to_owned)
    };
    bodies.iter().filter_map(text).collect()
}

#[test]
fn included_people_variables_and_groups_are_used() {
    let folder = folder(STORY);
    let said = texts(&run(folder.path(), &["--set", "shop=Kivik"]));
    assert_eq!(said.len(), 6, "{said:?}");
    for (index, text) in said.iter().enumerate() {
        match index % 2 {
            0 => assert!(text.starts_with("Is Kivik open?"), "{text}"),
            _ => assert_eq!(text, "Yes, Ada."),
        }
    }
    assert!(said[2].ends_with(" 1") && said[4].ends_with(" 2"), "{said:?}");
    let output = standin_in(folder.path(), &["check", "."]);
    assert_eq!(stdout(&output), "3 files checked, no problems\n", "{}", stderr(&output));
    let output = standin_in(folder.path(), &["run", ".", "--dry-run", "--vendor", "ebbot"]);
    assert!(stderr(&output).contains("people.toml (shared parts of scenarios)"));
}

#[test]
fn other_steps_do_not_change_the_values_of_a_group() {
    // The messages have ids and delays of their own.
    let values = |story: &str| {
        let bodies = run(folder(story).path(), &[]);
        let message = |body: &String| {
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            body["data"]["value"].is_string().then(|| body["data"]["id"].to_string())
        };
        bodies.iter().filter_map(message).collect::<Vec<_>>()
    };
    let more = "[[step]]\nsay = { by = 'ada', text = 'Hello' }\n[[step]]\nuse = \"greeting\"";
    let (few, many) =
        (values(STORY), values(&STORY.replacen("[[step]]\nuse = \"greeting\"", more, 1)));
    assert_eq!((few.len(), many.len()), (6, 7));
    assert_eq!(few, many[1..]);
}

#[test]
fn a_failure_names_the_line_of_the_included_file() {
    let folder = folder(STORY);
    let receiver = Receiver::responding_to_events(|_, received| {
        let status = if received.body.contains("Yes, Ada.") { 500 } else { 200 };
        crate::support::Reply::Status(status, "{}".into())
    });
    let to = receiver.url();
    let output =
        standin_in(folder.path(), &["run", "story.toml", "--vendor", "ebbot", "--to", &to]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("shared/groups.toml:17"), "{}", stdout(&output));
}

#[test]
fn a_change_of_an_included_file_makes_another_run() {
    let folder = folder(STORY);
    let receiver = Receiver::accepting();
    let to = receiver.url();
    // The number of requests that a run with a journal sends.
    let sent = || {
        let before = receiver.count();
        let run = ["run", "story.toml", "--vendor", "ebbot", "--to", &to];
        let journal = ["--journal", "runs.db", "--resume"];
        let output = standin_in(folder.path(), &[run.as_slice(), &journal].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        receiver.count() - before
    };
    let all = sent();
    assert_eq!((all, sent()), (7, 0), "the run has ended");
    let groups = GROUPS.replace("Yes", "No");
    for (file, text) in [("people", PEOPLE.replace("Lund", "Ystad")), ("groups", groups)] {
        fs::write(folder.path().join(format!("shared/{file}.toml")), text).unwrap();
        assert_eq!((sent(), sent()), (all, 0), "{file}");
    }
}

#[test]
fn an_included_file_that_two_files_name_is_included_once() {
    let folder =
        folder(&STORY.replace("include = [", "include = [\"./shared/../shared/people.toml\", "));
    assert_eq!(texts(&run(folder.path(), &[])).len(), 6);
}

#[cfg(unix)]
#[test]
fn watch_follows_included_files() {
    let folder = folder(STORY);
    let watching = "Press Ctrl-C to stop";
    let mut check = Background::start(folder.path(), &["check", "story.toml", "--watch"]);
    assert_eq!(check.line(), "1 file checked, no problems\n");
    check.read_stderr_until(watching);
    fs::write(
        folder.path().join("shared/groups.toml"),
        GROUPS.replace("by = \"bot\"", "by = \"bto\""),
    )
    .unwrap();
    assert!(check.read_stderr_until(watching).contains("did you mean `bot`?"));
    fs::remove_file(folder.path().join("shared/people.toml")).unwrap();
    assert!(check.read_stderr_until(watching).contains("cannot read `shared/people.toml`"));
    fs::write(folder.path().join("shared/people.toml"), PEOPLE).unwrap();
    fs::write(folder.path().join("shared/groups.toml"), GROUPS).unwrap();
    check.read_stderr_until(watching);
    check.interrupt();
}

/// Paths that lead out of the folder of a scenario, or to no regular file.
#[cfg(unix)]
#[test]
fn a_scenario_reads_no_file_that_is_not_below_its_folder() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret.toml");
    fs::write(&secret, "canary-424242 = 1\norder,canary-424242\n").unwrap();
    let absolute = secret.to_str().unwrap();
    for path in [
        absolute,
        "../secret.toml",
        "shared/../../secret.toml",
        "link.toml",
        "linked/secret.toml",
        &format!("file://{absolute}"),
        &format!("file:{absolute}"),
        "http://127.0.0.1:9/secret.toml",
        r"\\\\127.0.0.1\\share\\secret.toml",
        r"C:\\secret.toml",
        "%2e%2e/secret.toml",
        "/dev/zero",
        "/dev/stdin",
        "/proc/self/environ",
        "pipe.toml",
        "shared",
        "",
    ] {
        let say = "say = { by = \"visitor\", kind = \"image\", file";
        for (key, end, place) in [("include", "", ":1:"), ("rows", "", ":1:"), (say, " }", ":2:")] {
            let step = if end.is_empty() { "" } else { "[[step]]\n" };
            let story = format!("{step}{key} = \"{path}\"{end}\n[[step]]\nopen = {{}}\n");
            // Its parent is the folder of the secret.
            let folder = folder_in(outside.path(), &story);
            let at = |name: &str| folder.path().join(name);
            std::os::unix::fs::symlink(&secret, at("link.toml")).unwrap();
            std::os::unix::fs::symlink(outside.path(), at("linked")).unwrap();
            // Reading a pipe that nobody writes to would wait forever.
            let pipe = std::process::Command::new("mkfifo").arg(at("pipe.toml")).status();
            assert!(pipe.unwrap().success());
            let output = standin_in(folder.path(), &["check", "story.toml"]);
            let told = stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{key} {path}: {told}");
            assert!(told.contains(&format!("story.toml{place}")), "{key} {path}: {told}");
            assert!(!told.contains("canary-424242"), "{key} {path}: {told}");
        }
    }
}

#[test]
fn groups_that_grow_exponentially_are_refused() {
    let mut story = "[[step]]\nuse = \"g0\"\n".to_owned();
    for level in 0..30 {
        let used = format!("[[group.g{level}]]\nuse = \"g{}\"\n", level + 1);
        story += &used.repeat(4);
    }
    story += "[[group.g30]]\nopen = {}\n";
    let folder = folder(&story);
    let output = standin_in(folder.path(), &["check", "story.toml"]);
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{printed}");
    assert!(printed.contains("the scenario uses groups more than"), "{printed}");
}
