//! What to type next, where a run shows what is missing.

use std::io::{self, Write};

use url::{Host, Url};

use crate::base::text::{escape, shell_word};
use crate::record::{AuthHint, RunStarted};

/// What a command line said that a run does not tell: without it, the run is another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RerunCommand {
    /// What was sent, where it was no scenario: the words of `send` behind the vendor.
    pub sent: Option<Vec<String>>,
    /// Whether the configuration says where to send to.
    pub is_configured: bool,
    /// Whether it said when the conversations begin.
    pub has_start: bool,
    /// Other flags and their values.
    pub flags: Vec<String>,
}

impl RerunCommand {
    /// The command that does a run again, and only that one.
    pub(super) fn command(&self, run: &RunStarted) -> String {
        let word = |text: &str| shell_word(&escape(text));
        let vendor = word(&run.vendor);
        let mut command = match &self.sent {
            Some(sent) => {
                let sent: Vec<String> = sent.iter().map(|text| word(text)).collect();
                format!("standin send {vendor} {}", sent.join(" "))
            }
            None => format!("standin run {} --vendor {vendor}", word(&run.file)),
        };
        if !self.is_configured {
            command += &format!(" --to {}", word(&run.url));
        }
        command += &format!(" --seed {}", run.seed);
        if run.conversations > 1 {
            command += &format!(" --conversations {}", run.conversations);
        }
        if self.has_start {
            command += &format!(" --start {}", run.start);
        }
        for flag in &self.flags {
            command += &format!(" {}", word(flag));
        }
        command
    }
}

/// How to start a receiver at this address: one's own, or ours where that can be there.
pub fn start_one(vendor: &str, url: &Url) -> String {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        _ => false,
    };
    match url.port_or_known_default().filter(|_| is_here) {
        Some(port) => format!(
            "start your receiver, or one that verifies: standin listen {vendor} --port {port}"
        ),
        None => "start your receiver".to_owned(),
    }
}

/// What a receiver that lets nothing in should find in a request, and what it finds if it is
/// mistaken.
pub(super) fn compare(hint: &AuthHint, out: &mut dyn Write) -> io::Result<()> {
    let AuthHint { event_type, status, expected: right, mistakes } = hint;
    let event = escape(event_type);
    if right.is_empty() {
        return writeln!(
            out,
            "help: the receiver answered {status}, but nothing in `{event}` can be verified by a header"
        );
    }
    writeln!(
        out,
        "help: the receiver answered {status}; let it print what it computes for the first `{event}`"
    )?;
    for (name, value) in right {
        writeln!(out, "  {}: {}  is right", escape(name), escape(value))?;
    }
    for mistake in mistakes {
        writeln!(out, "  {}  is made {}", escape(&mistake.value), mistake.computed)?;
    }
    Ok(())
}
