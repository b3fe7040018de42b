//! Commands and hints that a report suggests after a failed run.

use url::{Host, Url};

use crate::base::address::is_localhost;
use crate::base::text::{escape, shell_word};
use crate::record::RunStarted;

/// Flag that selects event types.
const EVENTS: &str = "--events";

/// Arguments that repeat a run and are not part of its record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RerunCommand {
    /// Arguments of `standin send` after the vendor; absent for `standin run`.
    pub send_args: Option<Vec<String>>,
    /// The receiver comes from the configuration, so `--to` is not needed.
    pub is_configured: bool,
    /// `--start` was set.
    pub has_start: bool,
    /// Other flags with their values.
    pub flags: Vec<String>,
    /// The journal that has the deliveries.
    pub journal: Option<String>,
}

impl RerunCommand {
    /// Returns the shell command that repeats exactly this run.
    pub(super) fn command(&self, run: &RunStarted) -> String {
        // Escaped and quoted: the command is pasted into a shell, and URLs contain `&`.
        let word = |text: &str| shell_word(&escape(text));
        let vendor = word(&run.vendor);
        let mut command = match &self.send_args {
            Some(args) => {
                let args: Vec<String> = args.iter().map(|text| word(text)).collect();
                format!("standin send {vendor} {}", args.join(" "))
            }
            None => format!("standin run {} --vendor {vendor}", word(&run.file)),
        };
        if !self.is_configured {
            for url in &run.urls {
                command += &format!(" --to {}", word(url));
            }
        }
        command += &format!(" --seed {}", run.seed);
        // Journals of earlier versions have no number of plays.
        let plays = if run.plays == 0 { run.conversations } else { run.plays };
        if plays > 1 {
            command += &format!(" --conversations {plays}");
        }
        if let Some(row) = row_of(&run.scenario).filter(|_| self.send_args.is_none()) {
            command += &format!(" --filter {}", word(row));
        }
        if self.has_start {
            command += &format!(" --start {}", run.start);
        }
        for flag in &self.flags {
            command += &format!(" {}", word(flag));
        }
        command
    }

    /// Returns the value of `--events` that excludes further event types. A list that begins with an
    /// exclusion extends the vendor's default.
    pub(super) fn events_without(&self, types: &[String]) -> String {
        let position = self.flags.iter().position(|flag| flag == EVENTS);
        let current = position.and_then(|position| self.flags.get(position + 1)).cloned();
        let excluded = types.iter().map(|name| format!("!{name}"));
        current.into_iter().chain(excluded).collect::<Vec<_>>().join(",")
    }

    /// Returns the shell command that sends a delivery again; `None` without a journal.
    pub(super) fn redeliver_command(&self, delivery: &str) -> Option<String> {
        let journal = shell_word(&escape(self.journal.as_ref()?));
        Some(format!("standin journal redeliver {journal} {}", shell_word(&escape(delivery))))
    }
}

/// Returns the part of the name of a run that names its row, such as `row 12:`.
fn row_of(name: &str) -> Option<&str> {
    let row = &name[name.rfind(", row ")? + 2..];
    Some(&row[..=row.find(':')?])
}

/// Explains how to start a receiver at a URL, without a full stop. It suggests `standin listen` if
/// the URL is on this machine.
pub fn start_receiver_hint(vendor: &str, url: &Url) -> String {
    // `standin listen` accepts connections from this machine only.
    let is_here = match url.host() {
        Some(Host::Domain(name)) => is_localhost(name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        _ => false,
    };
    match url.port_or_known_default().filter(|_| is_here) {
        Some(port) => {
            format!("Start your receiver, or run `standin listen {vendor} --port {port}`")
        }
        None => "Start your receiver".to_owned(),
    }
}
