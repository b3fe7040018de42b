//! Parses any text as a configuration. It must give settings or problems that can be rendered.
#![no_main]

use libfuzzer_sys::fuzz_target;
use standin::config::Config;
use standin::diag::{Source, render::render};

fuzz_target!(|text: &str| {
    if let Err(problems) = Config::read(Some(&Source::new("fuzz.toml", text))) {
        assert!(!render(problems).is_empty());
    }
});
