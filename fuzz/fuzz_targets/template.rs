//! Compiles any text as an event template. It must render valid JSON or give problems that can be
//! rendered.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use standin::diag::{Source, render::render};
use standin::fidelity::sent;
use standin::platform::{Account, Catalog, EventQuery, PlatformFolder};
use standin::scenario::Script;

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::bundled);
static FOLDER: LazyLock<PlatformFolder> =
    LazyLock::new(|| PlatformFolder::bundled().remove("ebbot").unwrap());

fuzz_target!(|text: &str| {
    let mut folder = FOLDER.clone();
    folder.files.insert("message.json".into(), Source::new("message.json", text));
    match CATALOG.load_folder(&folder, "docs") {
        Ok(platform) => {
            let (query, event_type) = (EventQuery::default(), "chat.user.message");
            let script =
                Script::for_event(&platform, platform.rule(event_type, &query).unwrap(), &query);
            let account = Arc::new(Account::test(&platform));
            let start = "2026-01-05T09:00:00Z".parse().unwrap();
            let script = Arc::new(script);
            if let Some(body) = sent(&script, &account, event_type, 1, start) {
                serde_json::from_str::<serde_json::Value>(&body).expect("the body is valid JSON");
            }
        }
        Err(problems) => assert!(!render(problems).is_empty()),
    }
});
