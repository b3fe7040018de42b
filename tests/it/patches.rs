//! `patch`: exact changes of bodies before they are signed.

use standin::platform::{Account, Verifier};
use standin::record::{RecordKind, Verdict};

use crate::support::{
    ReceivedRequest, Receiver, Reply, configured, play, standin_in, stderr, stdout, vendors,
};

/// A message whose step has these keys in addition.
fn story(keys: &str) -> String {
    let say = "[[step]]\nsay = { by = 'visitor', text = 'Grüße' }\n";
    format!("[vars]\nwho = 'Ödön'\n[[step]]\nopen = {{}}\n{say}{keys}\n{say}")
}

/// Plays a story at a signing vendor, whose receiver rejects invalid signatures.
fn received(story: &str) -> Vec<ReceivedRequest> {
    let vendor = vendors().into_iter().find(|own| own.id == "parlour").unwrap();
    let account = Account::test(&vendor);
    let receiver = Receiver::responding_to_events(move |_, received| {
        let receipt = Verifier::of(&account).verify(&received.body, &|name| received.header(name));
        Reply::Status(if receipt.passed() { 200 } else { 401 }, "{}".into())
    });
    let played = play(story).at("parlour").to(&receiver);
    assert_eq!(played.finished.verdict, Verdict::Passed, "{:?}", played.finished);
    receiver.events()
}

#[test]
fn a_patch_changes_every_delivery_of_its_step_before_it_is_signed() {
    let (plain, patched) = (
        received(&story("")),
        received(&story(
            "patch = { '/html' = '${vars.who}', '/said' = { null = true }, '/by' = { remove = true }, \
         '/line' = 1.50, '/uid2' = [{ 'ä' = 1 }] }",
        )),
    );
    assert_eq!(plain.len(), patched.len());
    for (index, (plain, patched)) in plain.iter().zip(&patched).enumerate() {
        // The event that opens the room, the two of the step, and those of the next message.
        if ![1, 2].contains(&index) {
            assert_eq!(plain.body, patched.body);
            continue;
        }
        let mut expected = plain.json();
        let body = expected.as_object_mut().unwrap();
        body.shift_remove("by").unwrap();
        for (key, value) in [
            ("html", "\"\\u00d6d\\u00f6n\""),
            ("said", "null"),
            ("line", "1.50"),
            ("uid2", "[{\"\\u00e4\":1}]"),
        ] {
            if body.contains_key(key) {
                body.insert(key.into(), serde_json::from_str(value).unwrap());
                assert!(patched.body.contains(&format!("\"{key}\":{value}")), "{}", patched.body);
            }
        }
        assert_eq!(patched.json().to_string(), expected.to_string());
    }
}

#[test]
fn all_other_bytes_of_a_patched_body_stay() {
    let (plain, patched) = (received(&story("")), received(&story("patch = { '/number' = 7 }")));
    let number = plain[1].json()["number"].to_string();
    let from = format!("\"number\":{number}");
    assert_eq!(patched[1].body, plain[1].body.replacen(&from, "\"number\":7", 1));
    assert_ne!(patched[1].body, plain[1].body);
}

#[test]
fn a_pointer_that_matches_nothing_while_a_run_lasts_fails_it() {
    let played = play(&story("patch = { '/html' = 1, '/htm' = 2 }"));
    let played = played.at("parlour").to(&Receiver::accepting());
    let dropped = played.find(|record| match record {
        RecordKind::ActionDropped { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    let expected = "no body has `/htm`, which `patch` changes; did you mean `\"/html\"`?";
    assert!(dropped.as_deref().unwrap().starts_with("no body has `/htm`"), "{dropped:?}");
    assert_eq!(played.finished.verdict, Verdict::Failed);
    assert!(played.finished.reason.unwrap().contains(&expected[..40]));
}

#[test]
fn check_and_run_report_a_pointer_at_its_place_with_its_vendors() {
    let folder = configured("");
    let file = folder.path().join("story.toml");
    std::fs::write(&file, story("patch = { '/data/txt' = 1 }\nonly = ['ebbot', 'erxes']")).unwrap();
    for arguments in [&["check", "story.toml"][..], &["run", "story.toml", "--dry-run"]] {
        let output = standin_in(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
        let told = stderr(&output);
        assert!(told.contains("no body of this step has `/data/txt` at ebbot, erxes"), "{told}");
        assert!(told.contains("story.toml:7:11"), "{told}");
    }
    // A vendor can have a patch of its own, and a step that sends nothing is not patched.
    let own = "only = ['ebbot']\n[step.for.ebbot]\npatch = { '/data/value' = 'x' }";
    std::fs::write(&file, story(own)).unwrap();
    let output =
        standin_in(folder.path(), &["run", "story.toml", "--dry-run", "-v", "--vendor", "ebbot"]);
    assert!(stdout(&output).contains("\"value\":\"x\""), "{}", stderr(&output));
}

#[test]
fn send_patches_the_body() {
    let dry = |patch: &[&str]| {
        let arguments = [&["send", "ebbot", "chat.create", "--dry-run", "-v"], patch].concat();
        let output = standin_in(configured("").path(), &arguments);
        (output.status.code(), stdout(&output) + &stderr(&output))
    };
    let (code, told) = dry(&[
        "--patch",
        "/data/user/last_name=null",
        "--patch",
        "/data/type={ remove = true }",
        "--patch",
        "/botId=007",
        "--patch",
        "/timestamp=1.50",
    ]);
    assert_eq!(code, Some(0), "{told}");
    for part in ["\"last_name\":null", "\"botId\":\"007\"", "\"timestamp\":1.50}"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("\"type\""), "{told}");
    for (patch, expected) in [
        ("/data/usr=1", "did you mean `\"/data/user\"`?"),
        ("/botId", "expected POINTER=VALUE"),
        ("botId=1", "did you mean `\"/botId\"`?"),
    ] {
        let (code, told) = dry(&["--patch", patch]);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(expected), "{told}");
    }
}
