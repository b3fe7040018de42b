//! Checks any text as a scenario. It must give a script that runs or problems that can be rendered.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use standin::base::seed::SeedScope;
use standin::diag::{Source, render::render};
use standin::emulator::rehearse;
use standin::platform::{Account, Catalog, Platform, VendorRef};
use standin::scenario::{self, SharedStaff};

static VENDORS: LazyLock<Vec<Arc<Platform>>> = LazyLock::new(|| {
    let catalog = Catalog::bundled();
    catalog.ids().map(|id| catalog.load(&VendorRef::parse(id)).unwrap()).collect()
});

fuzz_target!(|text: &str| {
    let source = Source::new("fuzz.toml", text);
    match scenario::read(&source).and_then(|parsed| scenario::check(parsed, &VENDORS, &VENDORS)) {
        Ok(script) => {
            // Chosen by the length, so that the corpus covers every vendor.
            let vendor = &VENDORS[text.len() % VENDORS.len()];
            let account = Arc::new(Account::test(vendor));
            let start = "2026-01-05T09:00:00Z".parse().unwrap();
            let staff = SharedStaff::new(&script, &account, SeedScope::of_run(1), start);
            let subscriptions = std::slice::from_ref(&vendor.default_subscription);
            // A valid scenario may have far more steps than one iteration should run.
            let script = Arc::new(script);
            rehearse(&script, &account, subscriptions, &staff, 1).take(200).for_each(drop);
        }
        Err(problems) => assert!(!render(problems).is_empty()),
    }
});
