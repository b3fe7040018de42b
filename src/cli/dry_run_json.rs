//! `--dry-run --json`: what a run would send, as lines of JSON.

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::report::write_json_line;
use crate::run::{DryRunItem, DryRunRequest, RunPlan, dry_run};

/// Version of the format, which is that of the records.
const VERSION: u32 = 1;

/// Writes everything that a plan would send; `run` is its number, from 1. Returns whether every webhook
/// could be rendered.
pub(super) fn write_dry_run_json(
    plan: &RunPlan,
    run: usize,
    out: &mut dyn Write,
) -> io::Result<bool> {
    let script = &plan.script;
    let urls: Vec<String> = (0..plan.endpoints.len()).map(|index| plan.shown_url(index)).collect();
    let started = json!({
        "scenario": script.name,
        "file": script.file,
        "vendor": plan.account.platform.full_id(),
        "seed": plan.seed,
        "start": plan.start,
        "urls": urls,
    });
    write_line("dry_run.started", run, plan.start, &started, out)?;
    let (mut requests, mut bytes, mut dropped) = (0_u64, 0_usize, 0_u64);
    for item in dry_run(plan) {
        match item {
            DryRunItem::Request(request) => {
                requests += u64::from(request.is_sent());
                bytes += if request.is_sent() { request.body.len() } else { 0 };
                write_request(plan, run, &request, out)?;
            }
            DryRunItem::Nothing { at, conversation, summary } => {
                let data = json!({"conversation": conversation, "reason": summary});
                write_line("dry_run.nothing", run, at, &data, out)?;
            }
            DryRunItem::Dropped { action, reason } => {
                dropped += 1;
                let data = json!({"action": action, "reason": reason});
                write_line("dry_run.dropped", run, plan.start, &data, out)?;
            }
        }
    }
    let data = json!({"requests": requests, "bytes": bytes, "dropped": dropped});
    write_line("dry_run.finished", run, plan.start, &data, out)?;
    out.flush()?;
    Ok(dropped == 0)
}

fn write_request(
    plan: &RunPlan,
    run: usize,
    request: &DryRunRequest,
    out: &mut dyn Write,
) -> io::Result<()> {
    let data = json!({
        "conversation": request.conversation,
        "step": request.step,
        "endpoint": plan.endpoints[request.endpoint].number,
        "url": plan.shown_url(request.endpoint),
        "event_type": request.event_type,
        "faults": request.faults,
        "control": request.control,
        "sent": request.is_sent(),
        "headers": request.headers,
        "body": request.body,
    });
    write_line("dry_run.request", run, request.at, &data, out)
}

fn write_line(
    kind: &str,
    run: usize,
    at: Timestamp,
    data: &Json,
    out: &mut dyn Write,
) -> io::Result<()> {
    let line = json!({"v": VERSION, "kind": kind, "run": run, "run_time": at, "data": data});
    write_json_line(&line, out)
}
