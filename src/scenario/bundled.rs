//! The scenarios that are compiled into the binary, with the files that they name.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rust_embed::RustEmbed;

use super::read::{self, ParsedScenario};
use crate::base::attachment::Attachment;
use crate::diag::{Problem, Problems, Source, Spanned, code};

#[derive(RustEmbed)]
#[folder = "scenarios/"]
struct BundledScenarios;

/// Returns the names of the bundled scenarios, such as `handover`.
pub fn names() -> Vec<String> {
    let names =
        BundledScenarios::iter().filter_map(|path| path.strip_suffix(".toml").map(str::to_owned));
    names.filter(|name| !name.contains('/')).collect()
}

/// Returns the bundled scenario with this name, or the file that bundled scenarios include, such as
/// `shared/shop.toml`.
pub fn bundled(name: &str) -> Option<Arc<Source>> {
    let is_toml = Path::new(name).extension().is_some_and(|extension| extension == "toml");
    let path = if is_toml { name.to_owned() } else { format!("{name}.toml") };
    let file = BundledScenarios::get(&path)?;
    let text = String::from_utf8_lossy(&file.data).into_owned();
    Some(Source::new(name, text))
}

/// Reads a scenario without checking its meaning, a bundled one with the files that it names.
///
/// # Errors
///
/// Returns the problems if the TOML cannot be parsed or a required key is missing.
pub fn read(source: &Arc<Source>) -> Result<ParsedScenario, Problems> {
    let parsed = read::read(source)?;
    if bundled(&source.name).is_none_or(|bundled| bundled.text != source.text) {
        return Ok(parsed);
    }
    let parsed =
        parsed.with_included(&mut |path, _| bundled(&located(path)).ok_or_else(|| missing(path)));
    Ok(parsed.with_attachments(&mut |path| {
        let name = located(path);
        let file = BundledScenarios::get(&name).ok_or_else(|| missing(path))?;
        Ok(Arc::new(Attachment::new(Path::new(&name), file.data.into_owned())))
    }))
}

/// Returns the name of the bundled file at a path, which is relative to the file that contains it.
fn located(path: &Spanned<String>) -> String {
    let folder = Path::new(&path.span.source.name).parent().unwrap_or(Path::new(""));
    let path: PathBuf = folder.join(path.as_str());
    let path = path.components().filter(|component| *component != Component::CurDir);
    path.collect::<PathBuf>().to_string_lossy().replace('\\', "/")
}

fn missing(path: &Spanned<String>) -> Problem {
    let message = format!("there is no bundled file `{}`", path.value);
    Problem::at(&path.span, code::FILE_UNREADABLE, message)
}
