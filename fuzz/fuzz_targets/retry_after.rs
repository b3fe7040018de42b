//! Any text as `Retry-After` and `Date`: it asks for a wait that is not negative, or for none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use standin::policy::retry_after;
use standin::record::{Met, Outcome};

fuzz_target!(|text: &str| {
    let (asked, date) = text.split_once('\n').unwrap_or((text, ""));
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut met = AttemptResult::failure(AttemptOutcome::Answered, "", 0);
    met.headers = vec![header("Retry-After", asked), header("Date", date)];
    assert!(retry_after(&met).is_none_or(|wait| !wait.is_negative()));
});
