//! Reports in files: what `--report` and `journal report` write, and what GitHub Actions shows.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;

use crate::support::{Receiver, Reply, accept, code, path, standin_in, stderr, stdout};

/// A scenario whose messages are markup, and whose second step requires a field of the response.
const SCENARIO: &str = r#"
name = "late <order> & co"

[[step]]
open = { by = "visitor" }

[[step]]
say = { by = "visitor", text = "<script>alert(1)</script> ]]> &amp; \u0001" }
want = { body = { "/ok" = true } }

[[step]]
say = { by = "bot", text = "Let me look" }
"#;

/// What a hostile receiver responds: markup, control characters, and no field `ok`.
const RESPONSE: &str = "<img src=x onerror=alert(2)>\u{1b}[2J\u{0}]]>";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("order.toml"), SCENARIO).unwrap();
    folder
}

fn hostile() -> Receiver {
    Receiver::responding(|_, _| Reply::Status(200, RESPONSE.into()))
}

/// Runs the scenario at Ebbot with these arguments.
fn run(folder: &Path, receiver: &Receiver, arguments: &[&str]) -> Output {
    let url = receiver.url();
    let fixed = ["run", "order.toml", "--vendor", "ebbot", "-q", "--to", &url];
    standin_in(folder, &[&fixed, arguments].concat())
}

fn read_file(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn junit_has_a_case_for_each_step_with_place_cause_and_bodies() {
    let (folder, receiver) = (folder(), hostile());
    let output = run(folder.path(), &receiver, &["--report", "junit=new/out.xml"]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let text = read_file(folder.path(), "new/out.xml");
    let document = roxmltree::Document::parse(&text).unwrap();
    let root = document.root_element();
    assert_eq!((root.attribute("tests"), root.attribute("failures")), (Some("3"), Some("1")));
    let suite = root.children().find(|node| node.has_tag_name("testsuite")).unwrap();
    assert_eq!(suite.attribute("name"), Some("late <order> & co at ebbot"));
    let cases: Vec<_> = suite.children().filter(|node| node.has_tag_name("testcase")).collect();
    let names: Vec<_> = cases.iter().filter_map(|case| case.attribute("name")).collect();
    assert_eq!(names, ["step 1: open", "step 2: say", "step 3: say"]);
    assert_eq!(
        (cases[1].attribute("file"), cases[1].attribute("line")),
        (Some("order.toml"), Some("8"))
    );
    let failure = cases[1].first_element_child().unwrap();
    assert!(failure.has_tag_name("failure"));
    let message = failure.attribute("message").unwrap();
    assert!(message.starts_with("`chat.user.message`: `want` of step 2: "), "{message}");
    let text = failure.text().unwrap();
    assert!(text.contains("order.toml:8: step 2: say\n"), "{text}");
    assert!(text.contains(r#""value":"<script>alert(1)</script> ]]> &amp; \u0001""#), "{text}");
    // XML has no character for the controls of a terminal.
    assert!(text.contains("response body: <img src=x onerror=alert(2)>]]>"), "{text}");
}

/// Prints what junitparser reads: the name of each case, the type of its result and its texts.
const READ_JUNIT: &str = "
import json, sys
from junitparser import JUnitXml
cases = [case for suite in JUnitXml.fromfile(sys.argv[1]) for case in suite]
result = lambda case: [[type(r).__name__, r.message, r.text] for r in case.result]
print(json.dumps([[case.name, case.classname, result(case)] for case in cases]))
";

#[test]
#[ignore = "requires junitparser: STANDIN_PYTHON is a Python that has it"]
fn junitparser_reads_a_report_without_loss() {
    let (folder, receiver) = (folder(), hostile());
    run(folder.path(), &receiver, &["--report", "junit=out.xml"]);
    let output = Command::new(std::env::var("STANDIN_PYTHON").unwrap())
        .args(["-c", READ_JUNIT, "out.xml"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let read: Json = serde_json::from_str(&stdout(&output)).unwrap();
    let text = read_file(folder.path(), "out.xml");
    let document = roxmltree::Document::parse(&text).unwrap();
    let cases: Vec<Json> = document
        .descendants()
        .filter(|node| node.has_tag_name("testcase"))
        .map(|case| {
            let failures = case.children().filter(|node| node.has_tag_name("failure"));
            let failures: Vec<Json> = failures
                .map(|node| serde_json::json!(["Failure", node.attribute("message"), node.text()]))
                .collect();
            serde_json::json!([case.attribute("name"), case.attribute("classname"), failures])
        })
        .collect();
    assert_eq!(read, Json::Array(cases), "{}", stderr(&output));
    assert!(text.contains("<failure"));
}

#[test]
fn what_fails_outside_a_step_fails_in_a_case_of_its_own() {
    let folder = folder();
    fs::write(folder.path().join("quiet.toml"), "[[step]]\nopen = {}\nfault = \"drop\"\n").unwrap();
    let receiver = Receiver::accepting();
    let cases = [
        ("handover", "wotnot", "http://127.0.0.1:1/", "handshake"),
        ("quiet.toml", "ebbot", &receiver.url(), "run"),
    ];
    for (scenario, vendor, url, expected) in cases {
        let output = standin_in(
            folder.path(),
            &["run", scenario, "--vendor", vendor, "-q", "--to", url, "--report", "junit=out.xml"],
        );
        assert_eq!(code(&output), 1, "{}", stderr(&output));
        let text = read_file(folder.path(), "out.xml");
        let document = roxmltree::Document::parse(&text).unwrap();
        let failed: Vec<&str> = document
            .descendants()
            .filter(|node| node.has_tag_name("failure") || node.has_tag_name("error"))
            .filter_map(|node| node.parent()?.attribute("name"))
            .collect();
        assert_eq!(failed, [expected], "{text}");
    }
}

#[test]
fn the_page_has_the_verdict_first_and_shows_untrusted_text_as_text() {
    let (folder, receiver) = (folder(), hostile());
    run(folder.path(), &receiver, &["--report", "html=out.html"]);
    let text = read_file(folder.path(), "out.html");
    let verdict = text.find("✗ Failed").unwrap();
    assert!(verdict < text.find("late &lt;order&gt;").unwrap());
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(text.contains("&lt;img src=x onerror=alert(2)&gt;"));
    assert!(!text.contains("<img") && text.matches("<script").count() == 1, "{text}");
    assert!(text.contains("Content-Security-Policy"));
    assert!(text.contains("<code>order.toml:8</code>"), "{text}");
    assert!(text.ends_with("</main></body></html>\n"));
}

#[test]
fn json_matches_its_schema_and_har_has_each_request() {
    let (folder, receiver) = (folder(), hostile());
    run(folder.path(), &receiver, &["--report", "json=out.json", "--report", "har=out.har"]);
    let report: Json = serde_json::from_str(&read_file(folder.path(), "out.json")).unwrap();
    let schema: Json =
        serde_json::from_str(&fs::read_to_string(path("schemas/report.json")).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = schema.iter_errors(&report).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0]);
    assert!(!schema.is_valid(&serde_json::json!({"version": 1, "runs": [{}]})));
    assert_eq!(
        (&report["verdict"], &report["totals"]["deliveries"]),
        (&"failed".into(), &3.into())
    );

    let har: Json = serde_json::from_str(&read_file(folder.path(), "out.har")).unwrap();
    let entries = har["log"]["entries"].as_array().unwrap();
    let sent: Vec<&str> = entries
        .iter()
        .map(|entry| entry["request"]["postData"]["text"].as_str().unwrap())
        .collect();
    let received: Vec<String> =
        receiver.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(sent, received);
    assert_eq!(entries[0]["response"]["content"]["text"], RESPONSE);
    assert_eq!(entries[0]["response"]["status"], 200);
}

#[test]
fn markdown_says_what_failed_without_markup_of_the_receiver() {
    let (folder, receiver) = (folder(), hostile());
    run(folder.path(), &receiver, &["--report", "md=out.md"]);
    let text = read_file(folder.path(), "out.md");
    assert!(text.starts_with("# standin: ❌ failed\n"), "{text}");
    assert!(text.contains("### step 2: say (order.toml:8)"), "{text}");
    assert!(text.contains("` <img src=x onerror=alert(2)>\\u{1b}[2J\\u{0}]]> `"), "{text}");
    assert!(text.contains("## ❌ late &lt;order&gt; &amp; co at ebbot: failed"), "{text}");
}

#[test]
fn the_text_of_an_error_page_stands_beside_the_failure() {
    let folder = folder();
    let page =
        "<html><head><title>500</title></head><body><p>KeyError: <b>order</b></p></body></html>";
    let receiver = Receiver::responding(move |_, _| Reply::Status(500, page.into()));
    run(folder.path(), &receiver, &["--report", "md=out.md", "--report", "html=out.html"]);
    let text = read_file(folder.path(), "out.md");
    assert!(text.contains("  response body: ` 500 KeyError: order `\n"), "{text}");
    let text = read_file(folder.path(), "out.html");
    let why = text.split("<ol class=\"log\">").next().unwrap();
    assert!(why.contains("<p>Response: <code>500 KeyError: order</code></p>"), "{why}");
}

#[test]
fn parallel_runs_stand_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::responding(|number, request| {
        // The runs end in another order than they begin.
        let pause = std::time::Duration::from_millis(u64::try_from(number % 7).unwrap() * 3);
        accept(request).after(pause)
    });
    for number in 0..8 {
        let file = folder.path().join(format!("s{number}.toml"));
        fs::write(file, format!("name = \"scenario {number}\"\n[[step]]\nopen = {{}}\n")).unwrap();
    }
    let url = receiver.url();
    let arguments = [
        "run",
        ".",
        "--vendor",
        "ebbot",
        "-q",
        "--jobs",
        "4",
        "--to",
        &url,
        "--report",
        "json=r.json",
    ];
    let output = standin_in(folder.path(), &arguments);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let report: Json = serde_json::from_str(&read_file(folder.path(), "r.json")).unwrap();
    let names: Vec<&str> = report["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["started"]["scenario"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = (0..8).map(|number| format!("scenario {number}")).collect();
    assert_eq!(names, expected);
}

#[test]
fn a_file_that_cannot_be_written_is_reported_before_anything_is_sent() {
    let (folder, receiver) = (folder(), Receiver::accepting());
    fs::create_dir(folder.path().join("taken")).unwrap();
    let output = run(folder.path(), &receiver, &["--report", "junit=taken"]);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).starts_with("error: cannot write report `taken`: "));
    let output = run(folder.path(), &receiver, &["--report", "xml=out.xml"]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("unknown kind of report `xml`, expected"),
        "{}",
        stderr(&output)
    );
    assert_eq!(receiver.requests().len(), 0);
}

#[test]
fn a_report_replaces_the_previous_one_only_when_it_is_complete() {
    let (folder, receiver) = (folder(), Receiver::accepting());
    fs::write(folder.path().join("out.md"), "previous").unwrap();
    let seen = folder.path().join("out.md");
    let watching = Receiver::responding(move |_, request| {
        assert_eq!(fs::read_to_string(&seen).unwrap(), "previous");
        accept(request)
    });
    run(folder.path(), &watching, &["--report", "md=out.md"]);
    assert_eq!(watching.requests().len(), 3);
    assert!(read_file(folder.path(), "out.md").starts_with("# standin: "));
    // Nothing else remains in the folder.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    drop(receiver);
}

#[test]
fn a_journal_yields_the_report_of_its_runs() {
    let (folder, receiver) = (folder(), hostile());
    let arguments =
        ["--journal", "runs.db", "--report", "json=live.json", "--report", "html=live.html"];
    run(folder.path(), &receiver, &arguments);
    let arguments = [
        "journal",
        "report",
        "runs.db",
        "--report",
        "json=later.json",
        "--report",
        "html=later.html",
    ];
    let output = standin_in(folder.path(), &arguments);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(read_file(folder.path(), "live.html"), read_file(folder.path(), "later.html"));
    assert_eq!(read_file(folder.path(), "live.json"), read_file(folder.path(), "later.json"));
}

#[test]
fn github_shows_failures_at_the_lines_of_the_scenario() {
    let (folder, receiver) = (folder(), hostile());
    let command = |on_github: &str| {
        let url = receiver.url();
        let output = Command::new(env!("CARGO_BIN_EXE_standin"))
            .args(["run", "order.toml", "--vendor", "ebbot", "-q", "--to", &url])
            .current_dir(folder.path())
            .env_clear()
            .env("GITHUB_ACTIONS", on_github)
            .env("GITHUB_STEP_SUMMARY", folder.path().join("summary.md"))
            .output()
            .unwrap();
        assert_eq!(code(&output), 1);
        stderr(&output)
    };
    assert_eq!(command(""), "");
    assert!(!folder.path().join("summary.md").exists());
    fs::write(folder.path().join("summary.md"), "of an earlier command\n").unwrap();
    let told = command("true");
    let line = "::error file=order.toml,line=8,title=late <order> & co at ebbot%3A step 2%3A \
                say::`chat.user.message`: `want` of step 2: ";
    assert!(told.starts_with(line), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    let summary = read_file(folder.path(), "summary.md");
    assert!(summary.starts_with("of an earlier command\n# standin: ❌ failed\n"), "{summary}");
}

#[test]
fn reports_contain_no_secret() {
    let folder = folder();
    let secret = "[vendor.wotnot]\nsecret = { token = \"canary-4711-canary-4711\" }\n";
    fs::write(folder.path().join("standin.toml"), secret).unwrap();
    let receiver =
        Receiver::responding_to_events(|_, request| Reply::Status(500, request.head.clone()));
    let formats = ["junit", "html", "json", "har", "md"];
    let arguments: Vec<String> = formats
        .iter()
        .flat_map(|format| ["--report".into(), format!("{format}=out.{format}")])
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let url = receiver.url();
    let fixed = ["run", "order.toml", "--vendor", "wotnot", "-q", "--to", &url];
    let output = standin_in(folder.path(), &[&fixed, arguments.as_slice()].concat());
    assert_eq!(code(&output), 1, "{}{}", stdout(&output), stderr(&output));
    assert!(receiver.requests().iter().any(|request| request.head.contains("canary-4711")));
    for format in formats {
        let text = read_file(folder.path(), &format!("out.{format}"));
        assert!(text.contains("500") && !text.contains("canary-4711"), "{text}");
    }
}
