//! `standin listen`: the bundled receiver on a port.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use clap::Args;

use super::setup::{Setup, Signals, runtime};
use super::{CommandError, ExitStatus, Global, note};
use crate::base::text::count;
use crate::diag::Problems;
use crate::fault::{Fault, Faults};
use crate::listen::{BundledReceiver, Received, serve};
use crate::platform::Account;

/// Receives webhooks: verifies them, answers handshakes, shows what came
#[derive(Debug, Args)]
#[command(
    after_help = "Ctrl-C ends it, with exit code 0 whatever came: what was wrong is told line \
    by line, and counted at the end."
)]
pub(super) struct ListenArgs {
    /// The vendor whose webhooks come; every vendor under a path of its own without it
    vendor: Option<String>,
    /// The port; 0 takes one that is free
    #[arg(long, allow_negative_numbers = true, default_value = "3000", env = "STANDIN_PORT")]
    port: u16,
    /// Misbehave: `status:500`, `slow:2s` or `token`; repeat it for more
    #[arg(long, value_name = "HOW", value_parser = Fault::of_receiver)]
    wrong: Vec<Fault>,
}

pub(super) fn listen(args: &ListenArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let accounts = accounts(args.vendor.as_deref(), &setup)?;
    runtime()?.block_on(async {
        let receiver = BundledReceiver::new(accounts.clone(), args.wrong.clone());
        let mut interrupts = Signals::listen()?;
        let counted = Arc::new(ListenCounts::default());
        let counting = Arc::clone(&counted);
        let serving = serve(receiver, args.port, move |received| counting.show(received))
            .with_context(|| format!("cannot listen on port {}", args.port))?;
        for account in &accounts {
            let path =
                if args.vendor.is_some() { String::new() } else { account.platform.id.clone() };
            note(format_args!("{:<12} http://{}/{path}", account.platform.id, serving.address));
        }
        note(format_args!("{}; Ctrl-C ends it", mode(&args.wrong)));
        interrupts.next().await;
        serving.stop().await;
        note(counted.told());
        Ok(ExitStatus::Passed)
    })
}

/// The account of one vendor, or those of all.
fn accounts(vendor: Option<&str>, setup: &Setup) -> Result<Vec<Arc<Account>>, Problems> {
    let names = match vendor {
        Some(vendor) => vec![vendor],
        None => setup.catalog.ids().collect(),
    };
    names.into_iter().map(|name| setup.account(&setup.vendor(name)?)).collect()
}

/// What is done with what comes.
fn mode(wrong: &[Fault]) -> String {
    if wrong.is_empty() {
        return "verifying: 200 where a request is right, 401 where not".into();
    }
    format!("wrong on purpose: {}", Faults(wrong.to_vec()))
}

/// How many requests came.
#[derive(Default)]
struct ListenCounts {
    right: AtomicUsize,
    wrong: AtomicUsize,
}

impl ListenCounts {
    fn show(&self, received: &Received) {
        let counter = if received.receipt.passed() { &self.right } else { &self.wrong };
        counter.fetch_add(1, Ordering::Relaxed);
        let mut out = anstream::stdout().lock();
        let _ = writeln!(out, "{}", received.told());
    }

    fn told(&self) -> String {
        let (right, wrong) =
            (self.right.load(Ordering::Relaxed), self.wrong.load(Ordering::Relaxed));
        format!("{}: {right} right, {wrong} wrong", count(right + wrong, "request", "requests"))
    }
}
