//! Any text as the body of an event: it compiles and renders JSON, or its problems can be drawn.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use standin::diag::{Source, render::render};
use standin::fidelity::sent;
use standin::scenario::Script;
use standin::platform::{Account, Catalog, Folder, Wanted};

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::bundled);
static FOLDER: LazyLock<Folder> = LazyLock::new(|| Folder::bundled().remove("ebbot").unwrap());

fuzz_target!(|text: &str| {
    let mut folder = FOLDER.clone();
    folder.files.insert("message.json".into(), Source::new("message.json", text));
    match CATALOG.load_folder(&folder, "docs") {
        Ok(vendor) => {
            let (wanted, event_type) = (Wanted::default(), "chat.user.message");
            let script = Script::sending(&vendor, vendor.rule(event_type, &wanted).unwrap(), &wanted);
            let account = Arc::new(Account::test(&vendor));
            let start = "2026-01-05T09:00:00Z".parse().unwrap();
            if let Some(body) = sent(&script, &account, event_type, 1, start) {
                serde_json::from_str::<serde_json::Value>(&body).expect("what is rendered is JSON");
            }
        }
        Err(problems) => assert!(!render(problems).is_empty()),
    }
});
