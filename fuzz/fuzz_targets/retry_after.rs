//! Parses any text as `Retry-After` and `Date` headers. The wait must not be negative.
#![no_main]

use libfuzzer_sys::fuzz_target;
use standin::policy::retry_after;
use standin::record::{AttemptOutcome, AttemptResult};

fuzz_target!(|text: &str| {
    // The first line is `Retry-After`, the rest is `Date`.
    let (wait, date) = text.split_once('\n').unwrap_or((text, ""));
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut result = AttemptResult::failure(AttemptOutcome::Responded, "", 0);
    result.headers = vec![header("Retry-After", wait), header("Date", date)];
    assert!(retry_after(&result).is_none_or(|wait| !wait.is_negative()));
});
