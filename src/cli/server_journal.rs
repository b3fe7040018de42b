//! The journal of `standin serve`: its arguments, and what happens with it at the start and the end.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::exit::CommandError;
use super::journal::durability;
use super::terminal::note;
use crate::base::clock::Clock;
use crate::base::text::{count, escape};
use crate::journal::{Durability, WriteOptions};
use crate::server::live::{EndpointRequest, JournalPlan, LiveServer};

/// Where a server stores its state.
#[derive(Debug, Args)]
pub(super) struct ServerJournalArgs {
    /// Journal file with the whole state of the server, from which it continues after a restart
    #[arg(long, value_name = "FILE", env = "STANDIN_JOURNAL", default_value = "standin.db")]
    journal: PathBuf,
    /// Keep everything in memory only
    // Not in conflict with `journal`, which the environment may set.
    #[arg(long, conflicts_with = "durability")]
    no_journal: bool,
    /// Failure that the journal survives: a crash of the `process`, or loss of `power` too
    #[arg(long, value_name = "LEVEL", default_value = "process", value_parser = durability)]
    durability: Durability,
    /// Delete runs in whose conversations nothing has happened for this long, such as `30d` [default:
    /// keep all]
    #[arg(long, value_name = "DURATION", value_parser = age, allow_hyphen_values = true,
          conflicts_with = "no_journal")]
    keep: Option<SignedDuration>,
}

/// Parses an age. Other durations of standin have no days, because no scenario is that long. clap prints
/// the error.
fn age(text: &str) -> Result<SignedDuration, String> {
    let days = SpanRelativeTo::days_are_24_hours();
    let parsed = text.parse::<Span>().and_then(|span| span.to_duration(days));
    let valid = parsed.ok().filter(SignedDuration::is_positive);
    valid.ok_or_else(|| "expected a duration such as `30d`, `12h` or `90m`".to_owned())
}

/// Time between two records of the time of a clock: what a run may lose when the process is killed.
const MARK_INTERVAL: Duration = Duration::from_secs(10);

/// Time between two deletions of old runs.
const CLEANING_INTERVAL: Duration = Duration::from_secs(3_600);

impl ServerJournalArgs {
    /// Stores the times of the clocks at intervals. Never returns.
    pub(super) async fn mark(&self, live: &LiveServer) {
        loop {
            tokio::time::sleep(MARK_INTERVAL).await;
            live.mark_clocks().await;
        }
    }

    /// Deletes old runs now and every hour. Never returns.
    pub(super) async fn clean(&self, live: &LiveServer) {
        let Some(keep) = self.keep else { return std::future::pending().await };
        let mut interval = tokio::time::interval(CLEANING_INTERVAL);
        loop {
            interval.tick().await;
            let Ok(time) = Clock::System.now().checked_sub(keep) else { continue };
            match live.delete_before(time).await {
                Ok(0) => {}
                Ok(deleted) => {
                    let runs = count(deleted, "run", "runs");
                    note(format_args!("deleted {runs} older than {keep:#}"));
                }
                Err(error) => note(format_args!("old runs cannot be deleted: {error}")),
            }
        }
    }

    /// Returns where the state is stored.
    pub(super) fn plan(&self) -> Option<JournalPlan> {
        let options = WriteOptions { durability: self.durability, ..WriteOptions::default() };
        (!self.no_journal).then(|| JournalPlan { path: self.journal.clone(), options })
    }
}

/// Restores the state of an earlier process, and adds the endpoints of the command.
pub(super) async fn restore(
    live: &LiveServer,
    endpoints: Vec<(String, EndpointRequest)>,
) -> Result<(), CommandError> {
    let mut notes = live.restore_endpoints().map_err(anyhow::Error::from)?;
    for (vendor, endpoint) in endpoints {
        live.configure_endpoint(&vendor, endpoint).await.map_err(anyhow::Error::from)?;
    }
    notes.extend(live.restore_runs().await.map_err(anyhow::Error::from)?);
    notes.iter().for_each(|text| note(format_args!("note: {}", escape(text))));
    Ok(())
}

/// Describes what happens to runs in progress when the server ends.
pub(super) fn fate(live: &LiveServer) -> &'static str {
    if live.journal_path().is_some() {
        "runs in progress continue after the next start"
    } else {
        "runs in progress are cancelled"
    }
}
