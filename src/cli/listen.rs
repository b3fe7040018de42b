//! `standin listen`: the bundled receiver on a port.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use super::setup::{Setup, runtime};
use super::{Exit, Failure, Global};
use crate::diag::Problems;
use crate::listen::{Received, Receiver, Wrong, serve};
use crate::vendor::{Account, VendorRef};

/// Receives webhooks: verifies them, answers handshakes, shows what came
#[derive(Debug, Args)]
pub(super) struct ListenArgs {
    /// The vendor whose webhooks come; every vendor under a path of its own without it
    vendor: Option<String>,
    /// The port; 0 takes one that is free
    #[arg(long, default_value = "3000", env = "STANDIN_PORT")]
    port: u16,
    /// Misbehave: `status:500`, `slow:2s` or `token`; repeat it for more
    #[arg(long, value_name = "HOW", value_parser = Wrong::parse)]
    wrong: Vec<Wrong>,
}

pub(super) fn listen(args: &ListenArgs, global: &Global) -> Result<Exit, Failure> {
    let setup = Setup::read(global)?;
    let accounts = accounts(args.vendor.as_deref(), &setup)?;
    runtime()?.block_on(async {
        let receiver = Receiver::new(accounts.clone(), args.wrong.clone());
        let serving = serve(receiver, args.port, show)
            .with_context(|| format!("cannot listen on port {}", args.port))?;
        for account in &accounts {
            let path =
                if args.vendor.is_some() { String::new() } else { account.vendor.id.clone() };
            anstream::eprintln!("{:<12} http://{}/{path}", account.vendor.id, serving.address);
        }
        anstream::eprintln!("waiting for webhooks; Ctrl-C ends it");
        tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
        serving.stop().await;
        Ok(Exit::Passed)
    })
}

/// The account of one vendor, or those of all.
pub(super) fn accounts(vendor: Option<&str>, setup: &Setup) -> Result<Vec<Arc<Account>>, Problems> {
    let references: Vec<VendorRef> = match vendor {
        Some(vendor) => vec![VendorRef::parse(vendor)],
        None => setup.catalog.ids().map(VendorRef::parse).collect(),
    };
    let account = |reference: &VendorRef| setup.account(&setup.vendor(reference)?);
    references.iter().map(account).collect()
}

fn show(received: &Received) {
    let mut out = anstream::stdout().lock();
    let _ = writeln!(out, "{}", received.told());
}
