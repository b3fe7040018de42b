//! Reports in `JUnit` XML: a suite for each run, a case for each step with checks.

use std::io::{self, Write};
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::run_report::RunReport;
use super::step_case::{CaseFailure, StepCase};
use super::totals::ReportTotals;
use crate::record::{RunFinished, Verdict};

/// End of the file.
pub(super) const TAIL: &str = "</testsuites>\n";
/// Name of the case for what belongs to no step.
const RUN_CASE: &str = "run";

pub(super) fn write_head(totals: &ReportTotals, out: &mut dyn Write) -> io::Result<()> {
    let ReportTotals { tests, failures, errors, duration_ms, .. } = totals;
    let seconds = Duration::from_millis(*duration_ms).as_secs_f64();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<testsuites name=\"standin\" tests=\"{tests}\" failures=\"{failures}\" \
         errors=\"{errors}\" time=\"{seconds:.3}\">"
    )
}

pub(super) fn write_run(
    run: &RunReport,
    totals: &mut ReportTotals,
    out: &mut dyn Write,
) -> io::Result<()> {
    let suite = suite(run);
    totals.tests += u64::try_from(suite.tests).unwrap_or_default();
    totals.failures += u64::try_from(suite.failures).unwrap_or_default();
    totals.errors += u64::try_from(suite.errors).unwrap_or_default();
    let mut document = Document::new("standin");
    document.add_test_suite(suite);
    let text = document.to_string().map_err(io::Error::other)?;
    // The library writes whole documents. The file has one root for the suites of all runs.
    let begin = text.find("    <testsuite ").unwrap_or_default();
    let end = text.rfind(TAIL.trim_end()).unwrap_or(text.len());
    out.write_all(&text.as_bytes()[begin..end])
}

fn suite(run: &RunReport) -> TestSuite {
    let started = &run.started;
    let mut suite = TestSuite::new(format!("{} at {}", started.scenario, started.vendor));
    suite.set_time(duration(run.finished.as_ref().map_or(0, |run| run.duration_ms * 1_000)));
    suite.add_property(("file", started.file.as_str()));
    suite.add_property(("vendor", started.vendor.as_str()));
    suite.add_property(("seed", started.seed.to_string().as_str()));
    suite.add_property(("start", started.start.to_string().as_str()));
    for url in &started.urls {
        suite.add_property(("receiver", url.as_str()));
    }
    for case in &run.cases {
        suite.add_test_case(test_case(case, run));
    }
    // A run can fail although all its checks passed, for example if it was interrupted.
    let has_failed = run.cases.iter().any(|case| case.failed > 0);
    suite.add_test_cases(run_case(run, has_failed));
    suite
}

fn test_case(case: &StepCase, run: &RunReport) -> TestCase {
    let mut status = TestCaseStatus::success();
    if let Some(first) = case.failures.first() {
        let is_error = case.failures.iter().all(|failure| failure.is_error);
        let kind = if is_error { NonSuccessKind::Error } else { NonSuccessKind::Failure };
        status = TestCaseStatus::non_success(kind);
        status.set_message(case.message());
        status.set_type(first.subject.as_str());
        status.set_description(description(case, run));
    } else if case.passed == 0
        && let Some(reason) = &case.skipped
    {
        status = TestCaseStatus::skipped();
        status.set_message(reason.as_str());
    }
    let mut test = TestCase::new(case.title(), status);
    test.set_classname(run.started.scenario.as_str());
    test.set_time(duration(case.duration_us));
    if let Some(source) = &case.source {
        test.extra.insert("file".into(), (*source.file).into());
        test.extra.insert("line".into(), source.line.to_string().into());
    }
    test
}

/// Returns the case of a run that did not pass, although every case did.
fn run_case(run: &RunReport, has_failed: bool) -> Option<TestCase> {
    let finished = run.finished.as_ref();
    if has_failed || finished.is_some_and(|run| run.verdict == Verdict::Passed) {
        return None;
    }
    let is_failure = finished.is_some_and(|run| {
        !run.local_error && matches!(run.verdict, Verdict::Failed | Verdict::Inconclusive)
    });
    let kind = if is_failure { NonSuccessKind::Failure } else { NonSuccessKind::Error };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(finished.map_or_else(|| "not finished".to_owned(), reason_of));
    status.set_description(run.advice.join("\n"));
    let mut test = TestCase::new(RUN_CASE, status);
    test.set_classname(run.started.scenario.as_str());
    Some(test)
}

fn reason_of(run: &RunFinished) -> String {
    let verdict = run.verdict;
    run.reason.as_ref().map_or_else(|| verdict.to_string(), |why| format!("{verdict}: {why}"))
}

/// Describes the failures of a case with the likely causes.
fn description(case: &StepCase, run: &RunReport) -> String {
    let mut lines = Vec::new();
    lines.extend(case.source.as_ref().map(|source| format!("{source}: {}", case.title())));
    for CaseFailure { subject, why, cause, request, response, .. } in &case.failures {
        lines.push(format!("{subject}: {why}"));
        lines.extend(cause.as_ref().map(|cause| format!("likely cause: {cause}")));
        lines.extend(request.as_ref().map(|body| format!("request body: {body}")));
        lines.extend(response.as_ref().map(|body| format!("response body: {body}")));
    }
    lines.extend(case.more_failures());
    lines.extend(run.advice.iter().map(|advice| format!("help: {advice}")));
    lines.join("\n")
}

fn duration(micros: u64) -> Duration {
    Duration::from_micros(micros)
}
