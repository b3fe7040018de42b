//! Annotations of GitHub Actions: failures, shown at the lines of the scenario.

use std::io::{self, Write};
use std::path::Path;

use crate::record::SourceLine;
use crate::report::{RunReport, StepCase};

/// Maximum number of annotations of a command: GitHub shows no more for a step of a workflow.
const MAX_ANNOTATIONS: usize = 10;

/// Writes an annotation for each failed case of a run. `written` counts them over all runs.
pub(super) fn write_annotations(
    run: &RunReport,
    written: &mut usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    for case in run.cases.iter().filter(|case| case.failed > 0) {
        if *written >= MAX_ANNOTATIONS {
            return Ok(());
        }
        *written += 1;
        write_annotation(case, run, out)?;
    }
    Ok(())
}

fn write_annotation(case: &StepCase, run: &RunReport, out: &mut dyn Write) -> io::Result<()> {
    let title = format!("{} at {}: {}", run.started.scenario, run.started.vendor, case.title());
    let mut properties = String::new();
    // A bundled scenario is not a file in the repository.
    let is_file = |source: &&SourceLine| Path::new(&*source.file).is_file();
    if let Some(SourceLine { file, line }) = case.source.as_ref().filter(is_file) {
        properties += &format!("file={},line={line},", property(file));
    }
    let help = run.advice.first().map(|advice| format!("\n{advice}")).unwrap_or_default();
    let message = data(&format!("{}{help}", case.message()));
    writeln!(out, "::error {properties}title={}::{message}", property(&title))
}

/// Escapes a message of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
