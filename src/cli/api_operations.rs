//! The operations of a vendor's API, with an example call for each.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::text::shell_word;
use crate::emulator::{OperationExample, examples};
use crate::platform::Account;
use crate::platform::api::{ApiCall, CallBody};

/// Describes the API of an account: each operation with its route, and a `curl` command that makes
/// the call. `server` is the base URL.
pub(super) fn operations(account: &Arc<Account>, server: &str) -> String {
    let platform = &account.platform;
    let examples = examples(account, Clock::System.now());
    let mut out = format!("{}: operations of the API\n", platform.name);
    for route in &platform.api.routes {
        let paths: Vec<String> = route.paths().collect();
        let methods = route.methods.join(", ");
        let _ = writeln!(out, "\n{methods} {}", paths.join(", "));
        for operation in &route.operations {
            let is_same = operation.call == operation.name;
            let call = if is_same { String::new() } else { format!(" ({})", operation.call) };
            let fields = route.fields.iter().chain(&operation.fields);
            let fields: Vec<&str> = fields.map(|(name, _)| name.as_str()).collect();
            let values = if fields.is_empty() {
                String::new()
            } else {
                format!("; values: {}", fields.join(", "))
            };
            let _ = writeln!(out, "\n  {}{call}, {}{values}", operation.name, operation.certainty);
            let example = examples.iter().find(|known| known.operation == operation.name);
            if let Some(OperationExample { call, .. }) = example {
                let _ = writeln!(out, "    {}", curl(call, server));
            }
        }
    }
    let _ = writeln!(
        out,
        "\nThe ids of conversations are examples: use those of your run.\n\
         Next: standin run SCENARIO --vendor {} --to URL --listen",
        platform.full_id()
    );
    out
}

/// Returns the command that makes a call.
fn curl(call: &ApiCall, server: &str) -> String {
    let query = if call.query.is_empty() { String::new() } else { format!("?{}", call.query) };
    let mut command = format!("curl -X {}", call.method);
    for (name, value) in &call.headers {
        let _ = write!(command, " -H {}", shell_word(&format!("{name}: {value}")));
    }
    if let CallBody::Whole(body) = &call.body
        && !body.is_empty()
    {
        let _ = write!(command, " -d {}", shell_word(&String::from_utf8_lossy(body)));
    }
    let _ = write!(command, " {}", shell_word(&format!("{server}{}{query}", call.path)));
    command
}
