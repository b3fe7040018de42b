//! Commands for discovery: `vendors`, `init`, completions and man pages, and the table in the README.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use standin::base::text::count;
use standin::fidelity::samples;
use standin::platform::{Account, Catalog, FieldDefaults, Platform, ReceiverGuide};

use crate::support::{
    Receiver, assert_document_contains, bundled_vendors, code, entries, path, play, standin,
    standin_in, stderr, stdout,
};

#[test]
fn vendors_lists_what_each_vendor_supports() {
    let told = stdout(&standin(&["vendors"]));
    for vendor in &bundled_vendors() {
        assert!(told.lines().any(|line| line.starts_with(&format!("{} ", vendor.id))), "{told}");
    }
    let row = |name: &str| -> Vec<String> {
        let line = told.lines().find(|line| line.starts_with(name)).unwrap();
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(Into::into).collect()
    };
    let head = row("EVENT ");
    let erxes = head.iter().position(|cell| cell == "erxes").unwrap();
    assert_eq!(row("message.sent")[erxes], "not by bot, system");
    assert_eq!(row("entity.created")[erxes], "yes");
    assert_eq!(row("typing.changed")[erxes], "silent");
    assert_eq!(row("form  ")[erxes], "yes");
    assert_eq!(row("audio")[erxes], "as image");
}

#[test]
fn every_event_type_and_kind_of_every_vendor_has_a_sample() {
    for vendor in &bundled_vendors() {
        let told = stdout(&standin(&["vendors", &vendor.id]));
        for event_type in vendor.event_types() {
            assert!(told.contains(event_type), "{event_type}: {told}");
            let output = standin(&["vendors", &vendor.id, event_type]);
            let shown = stdout(&output);
            let body = shown.split("\n\nThe format is ").next().unwrap();
            let body: Json = serde_json::from_str(body).unwrap_or_default();
            assert!(body.is_object(), "{} {event_type}: {shown}{}", vendor.id, stderr(&output));
        }
        for kind in vendor.kinds.keys() {
            assert!(told.contains(kind.as_str()), "{kind}: {told}");
        }
    }
}

#[test]
fn help_of_send_lists_the_fields_of_the_event() {
    for (arguments, parts) in [
        (
            &["send", "wotnot", "message", "--kind", "form", "--help"][..],
            &["Fields of message for `--set`:", "fields", "Each has another `variable`."][..],
        ),
        (
            &["send", "ebbot", "chat.bot.message", "-h"],
            &["Text of the message or note.", "Kinds: audio, ", "(select one with `--kind`)"],
        ),
        (&["send", "ebbot", "chat.data.update", "-h"], &["Fields: variables with any names"]),
        (&["send", "ebbot", "-h"], &["Event types: chat.create, "]),
        (&["send", "ebbot", "chat.crate", "-h"], &["Event types: chat.create, "]),
    ] {
        let output = standin(arguments);
        // Lines are wrapped.
        let told = stdout(&output).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(code(&output), 0, "{told}");
        assert!(told.contains("Usage: standin send"), "{told}");
        assert!(parts.iter().all(|part| told.contains(part)), "{parts:?}: {told}");
    }
    assert!(!stdout(&standin(&["run", "--help"])).contains("Event types:"));
}

#[test]
fn limits_of_fields_are_in_the_lists_and_in_the_schema() {
    let told = stdout(&standin(&["vendors", "wotnot"]));
    for part in [
        "Status of the message. Allowed values: sent, delivered, read, failed.",
        "Chosen number. From `min` of the question to `max` of the question.",
        "Day of the appointment as `DD/MM/YYYY`. Written as `31/01/2026`.",
        "Duration of the appointment in minutes. At least 1.",
        "or a flow to start. At least one element.",
        "Not before `start`.",
    ] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    let told = stdout(&standin(&["vendors", "erxes"]));
    let part = "visitor, a lead or a customer. Allowed values: visitor, lead, customer.";
    assert!(told.contains(part) && !told.contains("Known values: visitor, lead"), "{told}");
    let schema = stdout(&standin(&["schema", "scenario"]));
    let schema: Json = serde_json::from_str(&schema).unwrap();
    let definition = |name: &str| schema["definitions"][name].to_string();
    let status = definition("event.message_status.status");
    assert!(status.contains(r#"{"enum":["sent","delivered","read","failed"]}"#), "{status}");
    let score = definition("message.rating.score");
    assert!(score.contains(r#""minimum":1,"maximum":5"#), "{score}");
    let options = definition("message.buttons.options");
    assert!(options.contains(r#""minItems":1"#), "{options}");
}

#[test]
fn fidelity_reports_sample_coverage_and_sources() {
    let told = stdout(&standin(&["vendors", "--fidelity"]));
    assert!(told.contains("28 documented samples, 28 with the same format"), "{told}");
    let told = stdout(&standin(&["vendors", "ebbot", "--fidelity"]));
    let line = |section: &str| told.lines().find(|line| line.trim().starts_with(section)).unwrap();
    assert!(line("event").contains("documented") && line("event").contains("https://"), "{told}");
    assert!(line("header").contains("assumed"), "{told}");
}

#[test]
fn fake_values_are_listed_with_examples() {
    let told = stdout(&standin(&["vendors", "--fake"]));
    assert!(told.contains("${fake.order_number}") && told.contains("five digits"), "{told}");
    assert!(told.contains("${file.pdf}") && told.contains("locales: en sv"), "{told}");
}

#[test]
fn mistyped_event_type_suggests_the_nearest() {
    let output = standin(&["vendors", "ebbot", "chat.crate"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean `chat.create`?"), "{}", stderr(&output));
}

#[test]
fn init_writes_a_passing_scenario_and_never_overwrites() {
    for vendor in &bundled_vendors() {
        let folder = tempfile::tempdir().unwrap();
        let output = standin_in(folder.path(), &["init", &vendor.id]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let story = fs::read_to_string(folder.path().join("scenario.toml")).unwrap();
        assert!(folder.path().join("scenario.schema.json").exists());
        let receiver = Receiver::accepting();
        let played = play(&story).at(&vendor.id).to(&receiver);
        assert_eq!(played.finished.reason, None, "{}", vendor.id);
        assert!(!receiver.events().is_empty());
        let again = standin_in(folder.path(), &["init", &vendor.id]);
        assert_eq!(again.status.code(), Some(2));
        assert!(stderr(&again).contains("`scenario.toml` already exists"), "{}", stderr(&again));
    }
}

#[test]
fn completions_and_man_pages_cover_every_command() {
    let help = stdout(&standin(&["--help"]));
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    let names = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
    let script = stdout(&standin(&["completions", "bash"]));
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(standin_in(folder.path(), &["man", "pages"]).status.code(), Some(0));
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        assert!(script.contains(&format!("standin__subcmd__{name}")), "{name}");
        assert!(folder.path().join(format!("pages/standin-{name}.1")).exists(), "{name}");
    }
}

const BEGIN: &str = "<!-- what `standin vendors` knows; a test writes it -->\n";

/// The vendor tableof the README, generated from the vendors' folders.
fn table() -> String {
    let mut table = String::from(
        "| vendor | called | revisions | sends | kinds of messages | verified by | handshake | documented samples |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for vendor in &bundled_vendors() {
        let samples = match samples(vendor).unwrap().len() {
            0 => "none".to_owned(),
            all => format!("{all} of {all}"),
        };
        table += &format!(
            "| {} | `{}` | {} | {} | {} | {} | {} | {samples} |\n",
            vendor.name,
            vendor.id,
            Catalog::bundled().revisions(&vendor.id).join(", "),
            count(vendor.event_types().len(), "event type", "event types"),
            vendor.kinds.len(),
            ReceiverGuide::of(&Account::test(vendor)).verified_by(),
            if vendor.handshake.proof.is_some() { "yes" } else { "no" },
        );
    }
    table
}

#[test]
fn readme_has_the_table_of_vendors() {
    assert_document_contains("README.md", BEGIN, &table());
}

/// A table of fields, by kind or by event type.
fn field_table<'a>(
    vendor: &Platform,
    head: &str,
    owners: impl Iterator<Item = (&'a String, &'a FieldDefaults)>,
) -> String {
    let mut table = format!("| {head} | field | default | meaning |\n|---|---|---|---|\n");
    let empty = table.len();
    for (owner, data) in owners {
        for key in data.keys() {
            let default = data.defaults.get(key);
            let default = default.map_or_else(String::new, |default| {
                // A bar would end the cell, even in code.
                format!("`{}`", default.to_string().replace('|', "\\|"))
            });
            // A data URL would fill the page.
            let default = if default.len() > 200 { "…".to_owned() } else { default };
            let about = vendor.field_about(owner, key, data);
            table += &format!("| `{owner}` | `{key}` | {default} | {about} |\n");
        }
    }
    if table.len() == empty { String::new() } else { table }
}

/// The fields of the kinds and emitted events of each vendor as tables.
fn field_tables() -> String {
    let mut document = String::new();
    let mut known: Vec<(String, String)> = Vec::new();
    for vendor in &bundled_vendors() {
        let kinds = vendor.kinds.iter().map(|(kind, rule)| (kind, &rule.data));
        let table = field_table(vendor, "kind", kinds.chain(vendor.entities.iter()));
        document += &format!("\n## {}\n\n", vendor.name);
        match known.iter().find(|(_, other)| *other == table) {
            Some((name, _)) => document += &format!("As at {name}.\n"),
            None => document += &table,
        }
        known.push((vendor.name.clone(), table));
        let emitted = field_table(vendor, "emitted event", vendor.emitted_data());
        document += &if emitted.is_empty() { emitted } else { format!("\n{emitted}") };
    }
    document + "\n"
}

#[test]
fn the_fields_of_every_kind_are_documented() {
    const BEGIN: &str = "<!-- what the vendor folders describe; a test writes it -->\n";
    assert_document_contains("docs/fields.md", BEGIN, &field_tables());
    let told = stdout(&standin(&["vendors", "wotnot"]));
    let line = |field: &str| told.lines().find(|line| line.contains(field)).unwrap().to_owned();
    for (field, part) in [
        ("layout ", "horizontal"),
        ("picker ", "single"),
        ("order ", "Order of the buttons"),
        ("formatter ", "MM/DD/YYYY"),
    ] {
        assert!(line(field).contains(part) && line(field).ends_with('.'), "{}", line(field));
    }
    let emitted = line("first reply");
    let of_event = emitted.starts_with("sla_breach ") && emitted.contains("Name of the rule");
    assert!(of_event, "{emitted}");
}

#[test]
fn scenarios_lists_the_bundled_ones_and_prints_one() {
    let listed = stdout(&standin(&["scenarios"]));
    for file in entries("scenarios").iter().filter(|file| file.is_file()) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(
            listed.lines().any(|line| line.starts_with(&format!("{name} "))),
            "{name}: {listed}"
        );
    }
    let printed = stdout(&standin(&["scenarios", "handover"]));
    assert_eq!(printed, fs::read_to_string(path("scenarios/handover.toml")).unwrap());
    let shared = stdout(&standin(&["scenarios", "shared/shop.toml"]));
    assert_eq!(shared, fs::read_to_string(path("scenarios/shared/shop.toml")).unwrap());
    let unknown = standin(&["scenarios", "handver"]);
    assert_eq!(code(&unknown), 2);
    assert!(stderr(&unknown).contains("`handover`"), "{}", stderr(&unknown));
}

#[test]
fn a_scenario_is_read_from_standard_input() {
    let run = |arguments: &[&str], input: &[u8]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_standin"))
            .args(arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The command may end without reading, which closes the pipe.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    };
    let receiver = Receiver::accepting();
    let fixed = ["run", "-", "--vendor", "ebbot", "--to", &receiver.url()];
    let played = run(&fixed, b"[[step]]\nopen = {}\n");
    assert_eq!(code(&played), 0, "{}", stderr(&played));
    assert_eq!(receiver.requests().len(), 1);
    let checked = run(&["check", "-"], b"[[step]]\nopne = {}\n");
    assert_eq!(code(&checked), 2);
    assert!(stderr(&checked).contains("--> -:2:1"), "{}", stderr(&checked));
    let too_large = run(&["check", "-"], &vec![b'#'; 300 * 1024]);
    assert!(stderr(&too_large).contains("larger than 256 KiB"), "{}", stderr(&too_large));
    let watched = run(&["check", "-", "--watch"], b"");
    assert!(stderr(&watched).contains("standard input cannot be watched"), "{}", stderr(&watched));
}
