//! Diagnostics: `tests/diagnostics` contains invalid inputs, each with its exact output.
//!
//! `NAME.toml` is a scenario or configuration to check, `NAME/` a vendor folder to check, and
//! `NAME.args` a command line. `NAME.txt` is the expected output, which `STANDIN_BLESS=1` writes. A new
//! file is a new test case.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;
use standin::config::Config;
use standin::diag::code::CODES;
use standin::diag::render::render;
use standin::diag::{Problems, Source};
use standin::scenario;

use crate::support::{entries, in_parallel, is_blessing, path, standin_in, stderr, stdout};

/// A test case: its name, and the arguments that print its problems.
type Case = (String, Vec<String>);

fn folder() -> PathBuf {
    path("tests/diagnostics")
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for entry in entries("tests/diagnostics") {
        let file = entry.file_name().unwrap().to_str().unwrap().to_owned();
        let (name, extension) = file.rsplit_once('.').unwrap_or((&file, ""));
        let arguments = match extension {
            "toml" | "" => ["check", &file, "--templates", "../minimal"].map(str::to_owned).into(),
            "args" => {
                let words = fs::read_to_string(&entry).unwrap();
                words.split_whitespace().map(str::to_owned).collect()
            }
            "txt" => continue,
            other => panic!("{file}: a case is no .{other}"),
        };
        cases.push((name.to_owned(), arguments));
    }
    cases.sort();
    cases
}

/// The output of each case. Each starts a process, so that all cores share the cases.
static OUTPUTS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let cases = cases();
    let told = in_parallel(&cases, told);
    cases.into_iter().map(|(name, _)| name).zip(told).collect()
});

fn told((name, arguments): &Case) -> String {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = standin_in(&folder(), &arguments);
    let (told, code) = (stderr(&output), output.status.code());
    assert_eq!((code, stdout(&output).as_str()), (Some(2), ""), "{name}:\n{told}");
    told
}

#[test]
fn every_case_prints_its_recorded_output() {
    let bless = is_blessing();
    assert!(OUTPUTS.len() >= 60, "only {} cases", OUTPUTS.len());
    let mut wrong = Vec::new();
    for (name, told) in &*OUTPUTS {
        let golden = folder().join(format!("{name}.txt"));
        if bless {
            fs::write(&golden, told).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if *told != expected {
            wrong.push(format!("{name}: expected\n{expected}\nbut it is\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn output_has_no_control_characters_or_overlong_lines() {
    for (name, told) in &*OUTPUTS {
        let long = told.lines().find(|line| line.chars().count() > 1_000);
        assert_eq!(long, None, "{name}");
        assert!(!told.contains(['\u{1b}', '\r', '\u{202e}']), "{name}: {told:?}");
        assert!(!told.lines().any(|line| line.starts_with("::")), "{name}");
        assert!(!told.contains("canary-"), "{name}: {told}");
    }
}

/// The error codes in an output, each with its help line.
fn problems(told: &str) -> Vec<(&str, &str)> {
    let mut problems: Vec<(&str, &str)> = Vec::new();
    for line in told.lines() {
        if let Some((code, _)) = line.strip_prefix("error[").and_then(|rest| rest.split_once(']')) {
            problems.push((code, ""));
        }
        let help = line.trim_start_matches([' ', '=']).strip_prefix("help: ");
        if let (Some(help), Some(last)) = (help, problems.last_mut()) {
            last.1 = help;
        }
    }
    problems
}

#[test]
fn every_code_has_a_file() {
    let told: Vec<&str> =
        OUTPUTS.values().flat_map(|told| problems(told)).map(|(code, _)| code).collect();
    let codes = CODES.iter().map(|explained| explained.code.to_string());
    let missing: Vec<String> = codes.filter(|code| !told.contains(&code.as_str())).collect();
    assert!(missing.is_empty(), "nothing in tests/diagnostics gives {missing:?}");
}

#[test]
fn no_two_cases_print_the_same_problem() {
    let mut seen: BTreeMap<Vec<(&str, &str)>, &str> = BTreeMap::new();
    for (name, told) in &*OUTPUTS {
        let problems = problems(told);
        // Errors without a code are messages of clap.
        if let Some(other) = seen.insert(problems.clone(), name)
            && !problems.is_empty()
        {
            panic!("{name} and {other} give the same codes and help");
        }
    }
}

#[test]
fn every_golden_file_belongs_to_a_case() {
    for file in entries("tests/diagnostics") {
        if file.extension().is_some_and(|extension| extension == "txt") {
            let name = file.file_stem().unwrap().to_str().unwrap();
            assert!(OUTPUTS.contains_key(name), "{}", file.display());
        }
    }
}

/// Rendered problems without colors.
fn rendered(problems: Problems) -> String {
    anstream::adapter::strip_str(&render(problems)).to_string()
}

/// Whether untrusted text in an output starts no line and moves no cursor.
fn is_contained(told: &str) -> bool {
    let is_ours = |line: &str| {
        let begin = line.trim_start().chars().next();
        ["error[", "and ", "-->", ":::", "="].iter().any(|own| line.trim_start().starts_with(own))
            || begin.is_none_or(|c| c == '|' || c == '.' || c.is_ascii_digit())
    };
    !told.contains(|c: char| c.is_control() && c != '\n') && told.lines().all(is_ours)
}

proptest! {
    #[test]
    fn any_file_content_is_rendered_safely(text in any::<String>(), line in "\\PC*") {
        let quoted: Vec<String> =
            text.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
        let quoted = quoted.concat();
        for story in [
            text.clone(),
            format!("name = \"{text}"),
            format!("name = '''{line}''' x"),
            format!("\"{quoted}\" = 1\n[cast.\"{quoted}\"]\nrole = \"{quoted}\"\n"),
            format!("[[step]]\n\"{quoted}\" = 1\n[[step]]\nsay = {{ by = \"{quoted}\" }}\n"),
            format!("[[step]]\nopen = {{}}\nafter = \"{quoted}\"\n"),
            format!("[[endpoint]]\nvendor = \"{quoted}\"\nurl = \"{quoted}\"\n"),
        ] {
            let source = Source::new("a\u{1b}[2J\n::error::.toml", story);
            let scenario = scenario::read(&source).map(|draft| draft.problems);
            let told = rendered(scenario.unwrap_or_else(|problems| problems));
            prop_assert!(is_contained(&told), "{told:?}");
            let told = Config::read(Some(&source)).err().map(rendered).unwrap_or_default();
            prop_assert!(is_contained(&told), "{told:?}");
        }
    }
}
