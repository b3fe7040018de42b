//! `standin listen`: runs the bundled receiver on a port of this machine.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

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
use crate::listen::{BundledReceiver, Received, RequestCounts, serve_on};
use crate::platform::Account;

/// Start a receiver that verifies webhooks, responds to handshakes and prints each request
#[derive(Debug, Args)]
#[command(
    after_help = "Press Ctrl-C to stop. The exit code is 0 if every request passed verification, and 1 if \
    one failed or fewer than `--exit-after` arrived. GET and HEAD requests do not count as webhooks: in a browser, `/` \
    shows what was received; `/state`, `/requests?after=N`, `/requests/N` and `/events/N` return it as JSON."
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
    /// Host name under which the page and the state are shown, beside `localhost` and addresses; can be
    /// repeated
    #[arg(long = "allow-host", value_name = "NAME")]
    allow_hosts: Vec<String>,
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
        let receiver = BundledReceiver::new(accounts.clone(), args.wrong.clone())
            .with_exit_after(args.exit_after)
            .with_hosts(args.allow_hosts.clone());
        let receiver = bots
            .iter()
            .fold(receiver, |receiver, (vendor, bot)| receiver.with_bot(vendor, bot.clone()));
        // Before the address is printed: a script may send the signal as soon as it reads it.
        let mut signals = Signals::listen()?;
        let printer = Arc::new(ListenPrinter::new(args, receiver.clone()));
        let show = Arc::clone(&printer);
        let hosts = args.host.map_or_else(loopbacks, |host| vec![host]);
        let serving =
            serve_on(receiver.clone(), &hosts, args.port, move |received| show.print(received))
                .with_context(|| format!("cannot listen on port {}", args.port))?;
        for account in &accounts {
            let path =
                if args.vendor.is_some() { String::new() } else { account.platform.id.clone() };
            note(format_args!("{:<12} http://{}/{path}", account.platform.id, serving.address));
        }
        note(format_args!("{:<12} http://{}/", "page", serving.address));
        note(format_args!("{}. Press Ctrl-C to stop.", mode(&args.wrong)));
        // Its webhooks need the receiver.
        bots.iter().for_each(|(_, bot)| bot.open());
        tokio::select! {
            () = signals.next() => {}
            () = printer.reached() => {}
        }
        // The response to the last request may not have been sent.
        serving.finish().await;
        note(printer.summary());
        Ok(if receiver.has_passed() { ExitStatus::Passed } else { ExitStatus::Failed })
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

/// Prints requests, and notices the last one.
struct ListenPrinter {
    receiver: BundledReceiver,
    json: bool,
    verbose: bool,
    /// The number after which the receiver stops.
    most: Option<u64>,
    is_reached: watch::Sender<bool>,
}

impl ListenPrinter {
    fn new(args: &ListenArgs, receiver: BundledReceiver) -> Self {
        Self {
            receiver,
            json: args.json,
            verbose: args.verbose,
            most: args.exit_after,
            is_reached: watch::Sender::default(),
        }
    }

    fn print(&self, received: &Received) {
        let mut out = anstream::stdout().lock();
        // A closed standard output must not stop the receiver.
        let _ = if self.json {
            writeln!(out, "{}", received.to_json())
        } else if self.verbose {
            writeln!(out, "{}\n{}\n", received.summary(), lines(&received.body))
        } else {
            writeln!(out, "{}", received.summary())
        };
        if self.most.is_some_and(|most| self.receiver.counts().requests as u64 >= most) {
            self.is_reached.send_replace(true);
        }
    }

    /// Waits until as many requests have come as `--exit-after` says.
    async fn reached(&self) {
        // The sender lives as long as this.
        let _ = self.is_reached.subscribe().wait_for(|is_reached| *is_reached).await;
    }

    fn summary(&self) -> String {
        let RequestCounts { requests, passed, failed, .. } = self.receiver.counts();
        format!("{}: {passed} passed, {failed} failed", count(requests, "request", "requests"))
    }
}
