//! What a command did not show about the receiver: each fact once, however many runs it concerns.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::base::text::{count, escape};
use crate::record::{Record, RecordKind};

const DIM: Style = Style::new().dimmed();
const NOTE: Style = AnsiColor::Yellow.on_default();

/// Collects the caveats of one or more runs.
#[derive(Debug, Default)]
pub struct Caveats {
    /// How real servers differ from the formats that were sent.
    differs: BTreeSet<String>,
    /// What was not tested.
    untested: BTreeSet<String>,
    /// Number of payloads without a subscription.
    unsubscribed: u64,
}

impl Caveats {
    /// Takes a record into account.
    pub(super) fn count(&mut self, record: &Record) {
        match &record.kind {
            RecordKind::RunStarted(run) => self.differs.extend(run.differs.clone()),
            RecordKind::RunFinished(run) => {
                self.untested.extend(run.untested.iter().cloned());
                self.unsubscribed += run.unsubscribed;
            }
            _ => {}
        }
    }

    /// Writes the caveats.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.unsubscribed > 0 {
            let events = count(self.unsubscribed, "event", "events");
            writeln!(out, "{DIM}{events} not sent (no subscription){DIM:#}")?;
        }
        for untested in &self.untested {
            writeln!(out, "{DIM}not tested: {}{DIM:#}", escape(untested))?;
        }
        for differs in &self.differs {
            writeln!(out, "{NOTE}note:{NOTE:#} {}", escape(differs))?;
        }
        Ok(())
    }
}
