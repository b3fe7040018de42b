//! Any text as a scenario: it becomes a script that plays, or problems that can be drawn.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use standin::base::seed::Draw;
use standin::diag::{Source, render::render};
use standin::scenario::{self, Company, Stage};
use standin::platform::{Account, Catalog, Vendor, VendorRef};

static VENDORS: LazyLock<Vec<Arc<Vendor>>> = LazyLock::new(|| {
    let catalog = Catalog::bundled();
    catalog.ids().map(|id| catalog.load(&VendorRef::parse(id)).unwrap()).collect()
});

fuzz_target!(|text: &str| {
    let source = Source::new("fuzz.toml", text);
    match scenario::read(&source).and_then(|draft| scenario::check(draft, &VENDORS, &VENDORS)) {
        Ok(script) => {
            let vendor = &VENDORS[text.len() % VENDORS.len()];
            let account = Arc::new(Account::test(vendor));
            let start = "2026-01-05T09:00:00Z".parse().unwrap();
            let company = Company::new(&script, &account, Draw::of_run(1), start);
            let everything = &vendor.default_subscription;
            DeliveryStage::new(&script, &account, everything, (&company, 1)).take(200).for_each(drop);
        }
        Err(problems) => assert!(!render(problems).is_empty()),
    }
});
