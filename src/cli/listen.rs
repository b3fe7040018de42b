//! `standin listen`: runs the bundled receiver on a port of this machine.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use clap::Args;

use super::echo::EchoArgs;
use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::setup::{Setup, Signals, runtime};
use super::terminal::note;
use crate::base::text::count;
use crate::diag::Problems;
use crate::fault::{Fault, Faults};
use crate::listen::{BundledReceiver, Received, serve};
use crate::platform::Account;

/// Start a receiver that verifies webhooks, responds to handshakes and prints each request
#[derive(Debug, Args)]
#[command(
    after_help = "Press Ctrl-C to stop. The exit code is 0 even if requests failed verification; \
    each failure is printed, and the last line counts them."
)]
pub(super) struct ListenArgs {
    /// Vendor whose webhooks to receive [default: every vendor, each under the path /VENDOR]
    vendor: Option<String>,
    /// Port to listen on; 0 chooses a free one
    #[arg(long, allow_negative_numbers = true, default_value = "3000", env = "STANDIN_PORT")]
    port: u16,
    /// Misbehave on purpose: `status:500`, `slow:2s` or `token`; can be repeated
    #[arg(long, value_name = "FAULT", value_delimiter = ',', value_parser = Fault::parse_receiver_fault)]
    wrong: Vec<Fault>,
    #[command(flatten)]
    echo: EchoArgs,
}

pub(super) fn listen(args: &ListenArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let accounts = accounts(args.vendor.as_deref(), &setup)?;
    runtime(1)?.block_on(async {
        let bots = args.echo.start(&accounts, &setup)?;
        let receiver = BundledReceiver::new(accounts.clone(), args.wrong.clone());
        let receiver = bots
            .iter()
            .fold(receiver, |receiver, (vendor, bot)| receiver.with_bot(vendor, bot.clone()));
        // Before the address is printed: a script may send the signal as soon as it reads it.
        let mut signals = Signals::listen()?;
        let counts = Arc::new(ListenCounts::default());
        let counter = Arc::clone(&counts);
        let serving = serve(receiver, args.port, move |received| counter.print(received))
            .with_context(|| format!("cannot listen on port {}", args.port))?;
        for account in &accounts {
            let path =
                if args.vendor.is_some() { String::new() } else { account.platform.id.clone() };
            note(format_args!("{:<12} http://{}/{path}", account.platform.id, serving.address));
        }
        note(format_args!("{}. Press Ctrl-C to stop.", mode(&args.wrong)));
        // Its webhooks need the receiver.
        bots.iter().for_each(|(_, bot)| bot.open());
        signals.next().await;
        serving.stop().await;
        note(counts.summary());
        Ok(ExitStatus::Passed)
    })
}

/// Returns the account of one vendor, or the accounts of all vendors.
fn accounts(vendor: Option<&str>, setup: &Setup) -> Result<Vec<Arc<Account>>, Problems> {
    let names = match vendor {
        Some(vendor) => vec![vendor],
        None => setup.catalog.ids().collect(),
    };
    names.into_iter().map(|name| setup.account(&setup.vendor(name)?)).collect()
}

/// Describes how the receiver responds.
fn mode(faults: &[Fault]) -> String {
    if faults.is_empty() {
        return "verifying requests: 200 if valid, 401 if not".into();
    }
    format!("misbehaving on purpose: {}", Faults(faults.to_vec()))
}

/// Numbers of requests that passed and failed verification.
#[derive(Default)]
struct ListenCounts {
    passed: AtomicUsize,
    failed: AtomicUsize,
}

impl ListenCounts {
    /// Counts a request and prints it.
    fn print(&self, received: &Received) {
        let counter = if received.report.passed() { &self.passed } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        let mut out = anstream::stdout().lock();
        // A closed standard output must not stop the receiver.
        let _ = writeln!(out, "{}", received.summary());
    }

    fn summary(&self) -> String {
        let (passed, failed) =
            (self.passed.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed));
        let requests = count(passed + failed, "request", "requests");
        format!("{requests}: {passed} passed, {failed} failed")
    }
}
