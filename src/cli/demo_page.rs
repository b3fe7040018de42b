//! `standin demo` on a terminal: a server with the page, and the bundled receiver for every vendor.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::Context as _;
use tempfile::NamedTempFile;

use super::demo_bots::{bots, open_when_awaited};
use super::exit::{CommandError, ExitStatus};
use super::inputs::offered;
use super::on_open::scenarios_on_open;
use super::serve::{ListenerArgs, serve_apis};
use super::setup::{Setup, Signals, runtime, while_serving_files};
use super::terminal::{note, print};
use crate::base::address::EgressPolicy;
use crate::delivery::ClockMode;
use crate::diag::{Problems, Source};
use crate::listen::{BundledReceiver, serve};
use crate::platform::{Account, Platform};
use crate::server::live::{EndpointRequest, LiveServer, RunRequest, ServerPlan};

/// What the demo shows first.
pub(super) struct PageDemo {
    pub(super) vendor: Arc<Platform>,
    pub(super) source: Arc<Source>,
    pub(super) speed: f64,
    /// Whether a browser is opened.
    pub(super) opens: bool,
}

/// Starts everything, and waits for Ctrl-C.
pub(super) fn show_page(demo: &PageDemo, setup: &Setup) -> Result<ExitStatus, CommandError> {
    let accounts = accounts(&demo.vendor, setup)?;
    let scenarios = offered(&[])?;
    let runtime = runtime(1)?;
    let exit = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        while_serving_files(&setup.config.files, async |files| {
            let live = LiveServer::start(ServerPlan {
                accounts: accounts.clone(),
                known: setup.vendors().to_vec(),
                on_open: scenarios_on_open(setup, &accounts, setup.vendors())?,
                scenarios,
                egress: EgressPolicy::default(),
                redactor: setup.redactor(),
                files,
                slots: setup.slots.clone(),
                journal: None,
            });
            let live = live.map_err(anyhow::Error::from)?;
            let _apis = serve_apis(&live, Ipv4Addr::LOCALHOST.into(), None, setup)?;
            let bots = bots(&live)?;
            let receiver = BundledReceiver::new(accounts.clone(), Vec::new());
            let receiver = bots
                .iter()
                .fold(receiver, |receiver, (id, bot)| receiver.with_bot(id, bot.clone()));
            let receiver = serve(receiver, 0, |_| {}).context("cannot start the receiver")?;
            for account in &accounts {
                let id = &account.platform.id;
                let url = format!("http://{}/{id}", receiver.address);
                let endpoint = EndpointRequest { url, ..EndpointRequest::default() };
                live.add_endpoint(id, endpoint).await.map_err(anyhow::Error::from)?;
            }
            let server = ListenerArgs::local().start(&live)?;
            let run = RunRequest {
                vendor: demo.vendor.id.clone(),
                source: Arc::clone(&demo.source),
                seed: None,
                clock: ClockMode::Real(demo.speed),
                conversations: 1,
                is_paused: false,
            };
            live.start_run(&run).await.map_err(anyhow::Error::from)?;
            let url = server.page_url();
            print(welcome(&demo.vendor, &url))?;
            // Kept until the end, because the browser reads it later.
            let _opened = demo.opens.then(|| open_in_browser(&url));
            tokio::select! {
                () = signals.next() => {}
                () = open_when_awaited(&live, &bots) => {}
            }
            note("ending");
            tokio::select! {
                () = live.drain() => {}
                () = signals.next() => {}
            }
            Ok(ExitStatus::Passed)
        })
        .await
    });
    runtime.shutdown_background();
    exit
}

/// Returns the accounts of all vendors, with the requested revision of one of them.
fn accounts(vendor: &Arc<Platform>, setup: &Setup) -> Result<Vec<Arc<Account>>, Problems> {
    let chosen = |platform: &Arc<Platform>| {
        if platform.id == vendor.id { Arc::clone(vendor) } else { Arc::clone(platform) }
    };
    let vendors = setup.all_vendors()?;
    vendors.iter().map(|platform| setup.account(&chosen(platform))).collect()
}

fn welcome(vendor: &Platform, url: &str) -> String {
    let bot = if vendor.bot.is_empty() {
        ""
    } else {
        ".\nA bot of the receiver responds through the vendor's API"
    };
    format!(
        "standin plays a conversation at {} and sends its webhooks to the bundled receiver{bot}.\n\n  \
         {url}\n\nOpen this page: watch each request, pause and step, speak as the visitor or the agent.\n\
         Press Ctrl-C to stop. `standin demo --once` prints both sides here instead.\n",
        vendor.name
    )
}

/// Opens a URL in the browser of the desktop, if there is one. Returns the file that leads there.
// Through a private file: arguments, and so the token in the URL, are visible to all users of a machine.
fn open_in_browser(url: &str) -> Option<NamedTempFile> {
    let opener = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "explorer",
        _ if has_desktop() => "xdg-open",
        _ => return None,
    };
    let mut file = tempfile::Builder::new().prefix("standin-").suffix(".html").tempfile().ok()?;
    write!(file, "<!doctype html><meta http-equiv=\"refresh\" content=\"0;url={url}\">").ok()?;
    let mut command = Command::new(opener);
    command.arg(file.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().ok()?;
    Some(file)
}

/// Returns whether a graphical desktop is running, on systems where that is a choice.
fn has_desktop() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some())
}
