//! Reports in JSON, for programs. The schema is `schemas/report.json`.

use std::io::{self, Write};

use serde_json::json;

use super::run_report::RunReport;
use super::totals::ReportTotals;

/// Version of the format. Incompatible changes increase it.
pub(super) const VERSION: u32 = 1;
/// End of the file.
pub(super) const TAIL: &str = "]}\n";

pub(super) fn write_head(totals: &ReportTotals, out: &mut dyn Write) -> io::Result<()> {
    let verdict = if totals.all_passed() { "passed" } else { "failed" };
    let head = json!({
        "version": VERSION,
        "standin": env!("CARGO_PKG_VERSION"),
        "verdict": verdict,
        "totals": totals,
    });
    // The list of runs is the last key, so that its parts can follow.
    let head = head.to_string();
    let open = head.strip_suffix('}').unwrap_or(&head);
    write!(out, "{open},\"runs\":[")
}

pub(super) fn write_run(run: &RunReport, is_first: bool, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(if is_first { b"\n" } else { b",\n" })?;
    serde_json::to_writer(out, run).map_err(io::Error::from)
}
