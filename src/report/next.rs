//! What to type next, where a run shows what is missing.

use std::io::{self, Write};

use url::{Host, Url};

use crate::base::text::escape;
use crate::record::AuthHint;

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
    let AuthHint { event_type, status, right, mistakes } = hint;
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
        writeln!(out, "  {}  is made {}", escape(&mistake.value), mistake.made)?;
    }
    Ok(())
}
