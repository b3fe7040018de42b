//! Annotations of GitHub Actions: failures, shown at the lines of the scenario.

use std::io::{self, Write};
use std::path::Path;

use crate::base::text::excerpt;
use crate::diag::{Problem, Problems};
use crate::record::{SourceLine, Verdict};
use crate::report::{RunReport, StepCase};

/// Maximum number of annotations of a command: GitHub shows no more for a step of a workflow.
const MAX_ANNOTATIONS: usize = 10;

/// Maximum number of characters of a response body: enough for a typical JSON error.
const MAX_BODY: usize = 200;

/// Returns whether the command runs on GitHub Actions.
pub(super) fn is_on_github() -> bool {
    std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true")
}

/// Returns an annotation about the whole command.
pub(super) fn command_annotation(message: &str) -> String {
    format!("::error title=standin::{}", data(message))
}

/// Returns an annotation for each problem, at its place if it has one.
pub(super) fn problem_annotations(problems: &Problems) -> Vec<String> {
    let annotation = |problem: &Problem| {
        let place = problem.span.as_ref().map(|span| {
            let (file, line) = (property(&span.source.name), span.line_column().0);
            format!("file={file},line={line},")
        });
        let help = problem.help.iter().map(|help| format!("\n{help}"));
        let text: String = std::iter::once(problem.message.clone()).chain(help).collect();
        format!("::error {}title=standin::{}", place.unwrap_or_default(), data(&text))
    };
    problems.clone().sorted().iter().take(MAX_ANNOTATIONS).map(annotation).collect()
}

/// Writes an annotation for each failed case of a run. `written` counts them over all runs.
pub(super) fn write_annotations(
    run: &RunReport,
    written: &mut usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let failed: Vec<&StepCase> = run.cases.iter().filter(|case| case.failed > 0).collect();
    let finished = run.finished.as_ref();
    let has_failed = finished.is_none_or(|run| run.verdict != Verdict::Passed);
    if failed.is_empty() && has_failed && *written < MAX_ANNOTATIONS {
        *written += 1;
        let reason = finished.and_then(|run| run.reason.as_deref()).unwrap_or("not finished");
        let title = format!("{} at {}", run.started.scenario, run.started.vendor);
        return writeln!(out, "::error title={}::{}", property(&title), data(reason));
    }
    for case in failed {
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
    let mut text = case.message();
    let response = case.failures.first().and_then(|failure| failure.response.as_deref());
    let lines = [
        case.cause().map(|cause| format!("likely cause: {cause}")),
        response.map(|body| format!("response body: {}", excerpt(body, MAX_BODY))),
        run.advice.first().cloned(),
    ];
    for line in lines.into_iter().flatten() {
        text += &format!("\n{line}");
    }
    let message = data(&text);
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
