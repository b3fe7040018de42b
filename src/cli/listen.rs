//! `standin listen`: runs the bundled receiver on a port of this machine.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use clap::Args;
use tokio::sync::watch;

use super::echo::EchoArgs;
use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::setup::{Setup, Signals, runtime};
use super::terminal::note;
use crate::base::text::{count, escape};
use crate::diag::Problems;
use crate::fault::{Fault, Faults};
use crate::listen::{BundledReceiver, Received, serve_on};
use crate::platform::Account;

/// Start a receiver that verifies webhooks, responds to handshakes and prints each request
#[derive(Debug, Args)]
#[command(
    after_help = "Press Ctrl-C to stop. The exit code is 0 if every request passed verification, and 1 if \
    one failed or fewer than `--exit-after` arrived. GET and HEAD requests do not count as webhooks: `/` describes the \
    receiver, and `/state` shows what it has received."
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
    /// Address to listen on; 0.0.0.0 for all networks [default: both loopback addresses]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<IpAddr>,
    /// Print each request as one line of JSON
    #[arg(long, conflicts_with = "verbose")]
    json: bool,
    /// Also print bodies
    #[arg(short, long)]
    verbose: bool,
    /// Stop after this number of requests
    #[arg(long, value_name = "N", allow_negative_numbers = true,
          value_parser = clap::value_parser!(u64).range(1..))]
    exit_after: Option<u64>,
}

pub(super) fn listen(args: &ListenArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let accounts = accounts(args.vendor.as_deref(), &setup)?;
    runtime(1)?.block_on(async {
        let bots = args.echo.start(&accounts, &setup, args.json)?;
        let receiver = BundledReceiver::new(accounts.clone(), args.wrong.clone());
        let receiver = bots
            .iter()
            .fold(receiver, |receiver, (vendor, bot)| receiver.with_bot(vendor, bot.clone()));
        // Before the address is printed: a script may send the signal as soon as it reads it.
        let mut signals = Signals::listen()?;
        let counts = Arc::new(ListenCounts::new(args));
        let counter = Arc::clone(&counts);
        let hosts = args.host.map_or_else(loopbacks, |host| vec![host]);
        let serving =
            serve_on(receiver, &hosts, args.port, move |received| counter.print(received))
                .with_context(|| format!("cannot listen on port {}", args.port))?;
        for account in &accounts {
            let path =
                if args.vendor.is_some() { String::new() } else { account.platform.id.clone() };
            note(format_args!("{:<12} http://{}/{path}", account.platform.id, serving.address));
        }
        note(format_args!("{}. Press Ctrl-C to stop.", mode(&args.wrong)));
        // Its webhooks need the receiver.
        bots.iter().for_each(|(_, bot)| bot.open());
        tokio::select! {
            () = signals.next() => {}
            () = counts.reached() => {}
        }
        // The response to the last request may not have been sent.
        serving.finish().await;
        note(counts.summary());
        Ok(counts.exit())
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

/// Escapes a text for the terminal, and keeps its lines.
fn lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

/// The loopback addresses of this machine: `localhost` can mean either.
fn loopbacks() -> Vec<IpAddr> {
    vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
}

/// Numbers of requests that passed and failed verification, and how they are printed.
struct ListenCounts {
    passed: AtomicUsize,
    failed: AtomicUsize,
    json: bool,
    verbose: bool,
    /// The number after which the receiver stops.
    most: Option<u64>,
    is_reached: watch::Sender<bool>,
}

impl ListenCounts {
    fn new(args: &ListenArgs) -> Self {
        Self {
            passed: AtomicUsize::default(),
            failed: AtomicUsize::default(),
            json: args.json,
            verbose: args.verbose,
            most: args.exit_after,
            is_reached: watch::Sender::default(),
        }
    }

    /// Counts a request and prints it.
    fn print(&self, received: &Received) {
        let counter = if received.report.passed() { &self.passed } else { &self.failed };
        counter.fetch_add(1, Ordering::SeqCst);
        let mut out = anstream::stdout().lock();
        // A closed standard output must not stop the receiver.
        let _ = if self.json {
            writeln!(out, "{}", received.to_json())
        } else if self.verbose {
            writeln!(out, "{}\n{}\n", received.summary(), lines(&received.body))
        } else {
            writeln!(out, "{}", received.summary())
        };
        if self.most.is_some_and(|most| self.total() as u64 >= most) {
            self.is_reached.send_replace(true);
        }
    }

    fn total(&self) -> usize {
        self.passed.load(Ordering::SeqCst) + self.failed.load(Ordering::SeqCst)
    }

    /// Waits until as many requests have come as `--exit-after` says.
    async fn reached(&self) {
        // The sender lives as long as this.
        let _ = self.is_reached.subscribe().wait_for(|is_reached| *is_reached).await;
    }

    /// The exit code: whether all requests passed, and as many came as `--exit-after` says.
    fn exit(&self) -> ExitStatus {
        let has_failed = self.failed.load(Ordering::SeqCst) > 0;
        let is_missing = self.most.is_some_and(|most| (self.total() as u64) < most);
        if has_failed || is_missing { ExitStatus::Failed } else { ExitStatus::Passed }
    }

    fn summary(&self) -> String {
        let (passed, failed) =
            (self.passed.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed));
        let requests = count(passed + failed, "request", "requests");
        format!("{requests}: {passed} passed, {failed} failed")
    }
}
