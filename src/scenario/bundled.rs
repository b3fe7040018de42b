//! The scenarios that are compiled into the binary.

use std::sync::Arc;

use rust_embed::RustEmbed;

use crate::diag::Source;

#[derive(RustEmbed)]
#[folder = "scenarios/"]
struct BundledScenarios;

/// Returns the names of the bundled scenarios, such as `handover`.
pub fn names() -> Vec<String> {
    BundledScenarios::iter()
        .filter_map(|path| path.strip_suffix(".toml").map(str::to_owned))
        .collect()
}

/// Returns the bundled scenario with this name.
pub fn bundled(name: &str) -> Option<Arc<Source>> {
    let path = format!("{name}.toml");
    let file = BundledScenarios::get(&path)?;
    let text = String::from_utf8_lossy(&file.data).into_owned();
    Some(Source::new(name, text))
}
