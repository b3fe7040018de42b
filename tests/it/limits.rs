//! Limits: input just below a limit is accepted, input just above it is refusedquickly.

use std::fs;
use std::path::Path;
use std::process::Command;

use standin::base::limits::{
    MAX_CAST, MAX_ENTRIES, MAX_ERROR_RECOVERY, MAX_FILE, MAX_INCLUDES, MAX_KEYS, MAX_NAMED,
    MAX_OPTION_COMBINATIONS, MAX_PLACEHOLDERS, MAX_STEPS, MAX_TEMPLATE, MAX_TEXT,
    MAX_TEXT_PLACEHOLDERS, MAX_TOKENS,
};
use standin::diag::{Source, code, json, toml};
use standin::platform::{Catalog, VendorRef};
use standin::scenario;

use crate::support::{path, standin_in, stderr, stdout};

/// Whether a scenario exceeds a limit.
fn exceeds_a_limit(scenario: &str) -> bool {
    let catalog = Catalog::bundled().with_directory(&path("tests/minimal")).unwrap();
    let plain = catalog.load(&VendorRef::parse("plain")).unwrap();
    let draft = scenario::read(&Source::new("limits.toml", scenario));
    let checked = draft.and_then(|draft| scenario::check(draft, &[plain], &[]));
    let problems = checked.err().map(standin::diag::Problems::sorted).unwrap_or_default();
    problems.iter().any(|problem| problem.code == code::TOO_MANY)
}

/// The error output of `standin check` , if the filehas problems.
fn check_output(folder: &Path, file: &str) -> Option<String> {
    let minimal = path("tests/minimal");
    let arguments = ["check", file, "--templates", minimal.to_str().unwrap()];
    let output = standin_in(folder, &arguments);
    let told = stderr(&output);
    assert!(matches!(output.status.code(), Some(0 | 2)), "{told}");
    (output.status.code() == Some(2)).then_some(told)
}

#[test]
fn a_file_is_limited_to_256_kib() {
    let folder = tempfile::tempdir().unwrap();
    let story = "[[step]]\nopen = {}\n#";
    for (size, fits) in [(MAX_FILE - 1, true), (MAX_FILE, true), (MAX_FILE + 1, false)] {
        let text = format!("{story}{}", " ".repeat(size - story.len()));
        fs::write(folder.path().join("story.toml"), text).unwrap();
        let told = check_output(folder.path(), "story.toml");
        assert_eq!(told.is_none(), fits, "{size}: {told:?}");
        assert!(told.is_none_or(|told| told.contains("larger than 256 KiB")));
    }
}

#[test]
fn steps_and_texts_have_limits() {
    let steps = |count| exceeds_a_limit(&"[[step]]\n".repeat(count));
    assert_eq!([MAX_STEPS - 1, MAX_STEPS, MAX_STEPS + 1].map(steps), [false, false, true]);
    let say = |text: String| {
        let step =
            format!("[[step]]\nopen = {{}}\n[[step]]\nsay = {{ by = 'bot', text = '{text}' }}");
        exceeds_a_limit(&step)
    };
    let long = |bytes| say("x".repeat(bytes));
    assert_eq!([MAX_TEXT - 1, MAX_TEXT, MAX_TEXT + 1].map(long), [false, false, true]);
    let placeholders = |count| say("${fake.word}".repeat(count));
    let limit = MAX_TEXT_PLACEHOLDERS;
    assert_eq!([limit - 1, limit, limit + 1].map(placeholders), [false, false, true]);
}

/// A small file can be costly to check; these limits bound the cost.
#[test]
fn keys_entries_and_tokens_have_limits() {
    let around = |limit: usize, is_refused: &dyn Fn(usize) -> bool| {
        assert_eq!([limit - 1, limit, limit + 1].map(is_refused), [false, false, true], "{limit}");
    };
    let many =
        |count: usize, part: &dyn Fn(usize) -> String| -> String { (0..count).map(part).collect() };
    let story = "[[step]]\nopen = {}\n";
    // Empty lines fill up the number of tokens. The parser counts the end of the file as onetoo.
    let rest = "[[step]]open={}";
    let in_rest = toml_parser::Source::new(rest).lex().count();
    around(MAX_TOKENS, &|count| exceeds_a_limit(&("\n".repeat(count - in_rest) + rest)));
    around(MAX_KEYS, &|count| {
        let variables = many(count, &|key| format!("v{key} = 1, "));
        exceeds_a_limit(&format!("{story}[[step]]\nset = {{ variables = {{ {variables} }} }}\n"))
    });
    around(MAX_ENTRIES, &|count| {
        exceeds_a_limit(&format!("vendors = [{}]\n{story}", "'plain', ".repeat(count)))
    });
    around(MAX_NAMED, &|count| {
        let label = |at| format!("[[step]]\nlabel = {{ by = 'system', add = ['l{at}'] }}\n");
        exceeds_a_limit(&(story.to_owned() + &many(count, &label)))
    });
    around(MAX_NAMED, &|count| {
        let create = |at| format!("[[step]]\ncreate = {{ kind = 'x', as = 'e{at}' }}\n");
        exceeds_a_limit(&(story.to_owned() + &many(count, &create)))
    });
    around(MAX_CAST, &|count| {
        let member = |at| format!("[cast.p{at}]\nrole = 'agent'\n");
        exceeds_a_limit(&(story.to_owned() + &many(count, &member)))
    });
    // In a larger file , only the first syntax error is reported.
    let errors = |bytes: usize| {
        let text = "=\n".repeat(bytes / 2);
        toml::parse(&Source::new("a.toml", text)).1.len()
    };
    assert!(errors(MAX_ERROR_RECOVERY) > 1 && errors(MAX_ERROR_RECOVERY + 2) == 1);
    let keys = |count: usize| {
        let keys: Vec<String> = (0..count).map(|key| format!("\"k{key}\": 1")).collect();
        let (_, problems) = json::parse(&Source::new("a.json", format!("{{{}}}", keys.join(","))));
        problems.sorted().iter().any(|problem| problem.code == code::TOO_MANY)
    };
    around(MAX_KEYS, &keys);
}

#[test]
fn templates_have_limits() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = folder.path().join("own");
    fs::create_dir(&vendor).unwrap();
    fs::write(vendor.join("vendor.toml"), "id = 'own'\nname = 'Own'\nextends = 'plain'\n").unwrap();
    let check = |templates: &[(String, String)]| {
        for (name, text) in templates {
            fs::write(vendor.join(name), text).unwrap();
        }
        check_output(folder.path(), "own")
    };
    let line = |text: String| check(&[("line.json".into(), text)]);

    let choices = |options: u32, values: usize| {
        let values = vec!["'x'"; values].join(",");
        let option = |at| format!("[option.o{at}]\nvalues = [{values}]\nabout = 'x'\n");
        let options: String = (0..options).map(option).collect();
        let text = format!("id = 'own'\nname = 'Own'\nextends = 'plain'\n{options}");
        fs::write(vendor.join("vendor.toml"), text).unwrap();
        check(&[("line.json".into(), "{}".into())])
    };
    // The vendor below has an option with two values.
    assert!(choices(11, 2).is_none() && MAX_OPTION_COMBINATIONS == 1 << 12);
    assert!(choices(12, 2).unwrap().contains("more than 4096 combinations"));
    assert!(choices(500, 30).unwrap().ends_with("\n1 problem\n"));
    choices(0, 2);

    let long = |bytes| line(format!("{{}}{}", " ".repeat(bytes - 2))).is_some();
    let limit = MAX_TEMPLATE;
    assert_eq!([limit - 1, limit, limit + 1].map(long), [false, false, true]);

    let placeholders = |count| {
        let placeholders = vec!["\"${message.text}\""; count];
        line(format!("[{}]", placeholders.join(","))).is_some()
    };
    assert_eq!(
        [MAX_PLACEHOLDERS - 1, MAX_PLACEHOLDERS, MAX_PLACEHOLDERS + 1].map(placeholders),
        [false, false, true]
    );

    let nested = |depth: usize| {
        let include = |next: usize| format!("{{\"a\": {{\"$include\": \"{next}.json\"}}}}");
        let mut files: Vec<(String, String)> =
            (1..depth).map(|at| (format!("{at}.json"), include(at + 1))).collect();
        files.push((format!("{depth}.json"), "{}".into()));
        files.push(("line.json".into(), include(1)));
        check(&files).is_some()
    };
    let limit = MAX_INCLUDES;
    assert_eq!([limit - 1, limit, limit + 1].map(nested), [false, false, true]);

    let many = |files: usize| {
        // Each file includes the next one ten times , so that smallfiles expand to a large body.
        let each = |next: &str| {
            format!(
                "{{{}}}",
                (0..10)
                    .map(|key| format!("\"{key}\": {{\"$include\": \"{next}\"}}"))
                    .collect::<Vec<_>>()
                    .join(",")
            )
        };
        let mut all: Vec<(String, String)> = (1..files)
            .map(|at| (format!("{at}.json"), each(&format!("{}.json", at + 1))))
            .collect();
        all.push((format!("{files}.json"), "{\"x\": 1}".into()));
        all.push(("line.json".into(), each("1.json")));
        check(&all)
    };
    assert!(many(2).is_none());
    let told = many(MAX_INCLUDES).unwrap();
    assert!(
        told.contains("the template with its includes is larger")
            && told.ends_with("\n1 problem\n"),
        "{told}"
    );

    let deep = line("[".repeat(60_000)).unwrap();
    assert!(deep.contains("E003"), "{deep}");
}

#[test]
fn a_body_that_exceeds_the_render_limit_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = folder.path().join("own");
    fs::create_dir(&vendor).unwrap();
    fs::write(vendor.join("vendor.toml"), "id = 'own'\nname = 'Own'\nextends = 'ebbot'\n").unwrap();
    let mut walk = r#"{"$if": "a.kind", "$is": "image", "$then": "x"}"#.to_owned();
    for name in ["d", "c", "b", "a"] {
        walk = format!(r#"{{"$each": "{name} in conversation.messages", "$do": [{walk}]}}"#);
    }
    fs::write(vendor.join("message.json"), format!("[{walk}]")).unwrap();
    let run = ["run", "inventory", "--vendor", "own", "--templates", ".", "--dry-run", "--quiet"];
    let output = standin_in(folder.path(), &run);
    let told = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{told}{}", stderr(&output));
    assert!(told.contains("`say` cannot be rendered: "), "{told}");
    assert!(told.contains("iterates over more than 100000 list elements"), "{told}");
}

#[test]
fn a_delay_is_limited_to_thirty_days() {
    let after = |after: &str| {
        let text = format!("[[step]]\nafter = '{after}'\nopen = {{}}\n");
        scenario::read(&Source::new("limits.toml", text)).unwrap().problems.is_empty()
    };
    assert_eq!(["719h", "720h", "720h 1ns"].map(after), [true, true, false]);
}

#[test]
fn a_run_is_limited_to_a_million_steps_before_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let story = "[[step]]\nopen = {}\n".to_owned()
        + &"[[step]]\nsay = { by = 'bot', text = 'x' }\n".repeat(100);
    fs::write(folder.path().join("story.toml"), story).unwrap();
    let arguments = ["run", "story.toml", "--vendor", "ebbot", "--to", "http://127.0.0.1:1/"];
    let output =
        standin_in(folder.path(), &[&arguments[..], &["--conversations", "10000"]].concat());
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
    assert!(
        stderr(&output)
            .contains("1010000 steps in 10000 conversations, at most 1000000 are allowed")
    );
}

#[cfg(unix)]
#[test]
fn a_special_file_is_refused_without_blocking() {
    let folder = tempfile::tempdir().unwrap();
    let created = Command::new("mkfifo").arg(folder.path().join("pipe.toml")).status().unwrap();
    assert!(created.success());
    let sparse = fs::File::create(folder.path().join("sparse.toml")).unwrap();
    sparse.set_len(10 * 1024 * 1024 * 1024).unwrap();
    for (file, why) in [
        ("pipe.toml", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        ("sparse.toml", "larger than 256 KiB"),
    ] {
        let told = check_output(folder.path(), file).unwrap();
        assert!(told.contains("E001") && told.contains(why), "{file}: {told}");
    }
    let secret = "[vendor.plain]\nsecret = { token = 'file:/dev/zero' }\n";
    fs::write(folder.path().join("own.toml"), secret).unwrap();
    assert!(check_output(folder.path(), "own.toml").unwrap().contains("not a regular file"));
}
