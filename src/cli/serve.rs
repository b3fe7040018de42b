//! `standin serve`: emulated vendors, the control API and the page, until it is stopped.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::time::sleep;

use super::api_ports::{ApiPorts, ProxyArgs, reachable};
use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::inputs::offered;
use super::on_open::scenarios_on_open;
use super::receivers::TargetArgs;
use super::server_journal::{ServerJournalArgs, fate, restore};
use super::server_log::LogFormat;
use super::server_reload::{ServerFiles, scenario_names};
use super::setup::{
    Setup, Signals, check_headers, endpoint_subscription, header_names, runtime,
    while_serving_files,
};
use super::terminal::{note, print};
use crate::base::clock::Stopwatch;
use crate::base::limits::SERVER_PORT;
use crate::base::text::shell_quote;
use crate::config::{EndpointForm, ReceiverUrl};
use crate::diag::{Problem, Problems, code};
use crate::platform::Platform;
use crate::server::live::{EndpointRequest, LiveServer, ReloadPlan, ServedVendor, ServerPlan};
use crate::server::{AccessRules, ApiToken, ServerHandle, serve_api};

/// Start a server that people and programs steer: emulated vendors, control API and page
#[derive(Debug, Args)]
#[command(
    after_help = "The control API and the page need a token: that of the variable STANDIN_TOKEN, with at \
    least 32 characters, or a random one, which is printed.\n\nPress Ctrl-C to stop: requests in flight end, and the exit code is 0. A second Ctrl-C ends at \
    once. With the same journal, the next start continues everything: runs, conversations and endpoints."
)]
pub(super) struct ServeArgs {
    /// Scenarios to offer beside the bundled ones: files or folders
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Vendors to emulate: VENDOR or VENDOR@REVISION, separated by commas; can be repeated [default:
    /// every vendor]
    #[arg(long = "vendor", value_name = "VENDOR", value_delimiter = ',')]
    vendors: Vec<String>,
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    listener: ListenerArgs,
    #[command(flatten)]
    proxy: ProxyArgs,
    #[command(flatten)]
    journal: ServerJournalArgs,
    /// Form of the messages on standard error: `text` for people, `json` for a log
    #[arg(long, value_name = "FORMAT", env = "STANDIN_LOG", default_value = "text")]
    log: LogFormat,
}

/// Where the server listens, and who may use it.
#[derive(Debug, Args)]
pub(super) struct ListenerArgs {
    /// Address to listen on; 0.0.0.0 for all networks
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port of the control API and the page; 0 chooses a free one
    #[arg(long, default_value_t = SERVER_PORT, allow_negative_numbers = true)]
    pub(super) port: u16,
    /// Host name under which the server is reached, beside `localhost` and its address; can be repeated
    #[arg(long = "allow-host", value_name = "NAME")]
    allow_hosts: Vec<String>,
}

/// Environment variable with the token of the control API.
const TOKEN: &str = "STANDIN_TOKEN";

impl ListenerArgs {
    /// Returns the token of the environment, or a random one, and whether it was chosen.
    fn token() -> Result<(ApiToken, bool), CommandError> {
        // Empty counts as not set, as for every variable that standin reads.
        match std::env::var(TOKEN).ok().filter(|text| !text.trim().is_empty()) {
            Some(text) => {
                let token = ApiToken::chosen(&text).map_err(|message| {
                    let message = format!("{TOKEN} is not valid: {message}");
                    let problem = Problem::anywhere(code::SECRET_MISSING, message);
                    problem.help("generate one with `openssl rand -hex 32`")
                })?;
                Ok((token, true))
            }
            None => Ok((ApiToken::random().map_err(anyhow::Error::msg)?, false)),
        }
    }

    /// Listens on a free port of this machine.
    pub(super) fn local() -> Self {
        Self { host: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 0, allow_hosts: Vec::new() }
    }

    /// Refuses to send to the server itself, before it listens.
    fn refuse_own(&self, live: &LiveServer) {
        let own = SocketAddr::from((self.host, self.port));
        live.vendors().iter().for_each(|vendor| vendor.refuse(own));
    }

    /// Starts the control API and the page.
    pub(super) fn start(&self, live: &Arc<LiveServer>) -> Result<OpenServer, CommandError> {
        let (token, is_chosen) = Self::token()?;
        let address = SocketAddr::from((self.host, self.port));
        let listener = TcpListener::bind(address).with_context(|| {
            format!("cannot listen on {address}; choose another port with `--port`")
        })?;
        let rules = AccessRules { token: token.clone(), hosts: self.allow_hosts.clone() };
        let handle = serve_api(listener, Arc::clone(live), rules).context("cannot start")?;
        Ok(OpenServer { handle, token, is_chosen })
    }
}

/// A server that listens.
pub(super) struct OpenServer {
    pub(super) handle: ServerHandle,
    token: ApiToken,
    /// Whether the operator knows the token already.
    is_chosen: bool,
}

impl OpenServer {
    /// Returns the origin of the server, as a browser on this machine reaches it.
    fn origin(&self) -> String {
        let port = self.handle.address.port();
        match self.handle.address.ip() {
            // Not an address that a browser can open.
            ip if ip.is_unspecified() => format!("http://127.0.0.1:{port}"),
            ip => format!("http://{}", SocketAddr::from((ip, port))),
        }
    }

    /// Returns the URL of the page. The token is in the fragment, which browsers do not send.
    pub(super) fn page_url(&self) -> String {
        let token = if self.is_chosen { "" } else { self.token.expose() };
        match token {
            "" => format!("{}/", self.origin()),
            token => format!("{}/#token={token}", self.origin()),
        }
    }
}

pub(super) fn serve(args: &ServeArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let watch = Stopwatch::start();
    args.log.start();
    let read_plan = |setup: &Setup| args.plan(setup);
    let (setup, offered, plan) = in_own_thread(|| {
        let setup = Setup::read(global)?;
        let plan = read_plan(&setup)?;
        let offered = offered(&scenario_names(&args.scenarios, &plan))?;
        Ok::<_, CommandError>((setup, offered, plan))
    })??;
    let files_of_server = ServerFiles::new(&args.scenarios, &plan, global, &read_plan);
    let ReloadPlan { accounts, known, on_open, redactor, endpoints } = plan;
    let runtime = runtime(1)?;
    let exit = runtime.block_on(async {
        tokio::spawn(release_memory());
        let mut signals = Signals::listen()?;
        while_serving_files(&setup.config.files, async |files| {
            let live = LiveServer::start(ServerPlan {
                accounts,
                known,
                on_open,
                scenarios: offered,
                egress: args.targets.egress(),
                redactor,
                files,
                slots: setup.slots.clone(),
                journal: args.journal.plan(),
            });
            let live = live.map_err(anyhow::Error::from)?;
            args.listener.refuse_own(&live);
            restore(&live, endpoints).await?;
            let apis = serve_apis(&live, args.listener.host, args.proxy.serve_proxy, &setup)?;
            let server = args.listener.start(&live)?;
            print(welcome(&live, &server, &apis, watch.millis()))?;
            let (address, millis) = (server.handle.address.to_string(), watch.millis());
            tracing::info!(version = env!("CARGO_PKG_VERSION"), address, millis, "ready");
            tokio::select! {
                () = signals.next() => {}
                () = args.journal.clean(&live) => {}
                () = args.journal.mark(&live) => {}
                () = files_of_server.watch(&live) => {}
            }
            note(format_args!("ending: {}; press Ctrl-C again to end at once", fate(&live)));
            tokio::select! {
                () = live.drain() => {}
                () = signals.next() => return Ok(ExitStatus::Passed),
            }
            server.handle.stop().await;
            apis.ports.stop().await;
            live.close().await.map_err(anyhow::Error::from)?;
            tracing::info!("ended");
            Ok(ExitStatus::Passed)
        })
        .await
    });
    // After a second signal, requests may still be in flight.
    runtime.shutdown_background();
    exit
}

/// Does work that needs much memory for a short time, such as reading all vendors. The allocator keeps what a
/// thread has freed for this thread, until the thread ends.
fn in_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, CommandError> {
    thread::scope(|scope| {
        // As large as that of the main thread, because the readers of files are recursive.
        let builder = thread::Builder::new().stack_size(8 << 20);
        let thread = builder.spawn_scoped(scope, work).map_err(anyhow::Error::from)?;
        thread.join().map_err(|_| anyhow::anyhow!("reading the files failed").into())
    })
}

/// Lets the allocator return the memory of the start to the system. It keeps free pages for a second, and
/// looks for older ones when a thread ends. In an idle server, none does.
async fn release_memory() {
    sleep(Duration::from_millis(1_500)).await;
    // Without an allocation, the allocator does not know the thread.
    let _ = thread::spawn(|| drop(black_box(String::with_capacity(64)))).join();
}

/// Serves the APIs of the vendors that have one, on the configured ports, and the proxy to them.
pub(super) fn serve_apis(
    live: &Arc<LiveServer>,
    interface: IpAddr,
    proxy: Option<u16>,
    setup: &Setup,
) -> Result<ServedApis, CommandError> {
    let mut ports = ApiPorts::new(interface)?;
    for vendor in live.vendors() {
        let port = setup.api_port(&vendor.account().platform).unwrap_or(0);
        let Some(slot) = live.api_slot(vendor) else { continue };
        vendor.set_api(ports.add(&vendor.account().platform, port, slot)?);
    }
    let proxy = proxy.map(|port| ports.add_proxy(port)).transpose()?;
    ports.start()?;
    proxy.iter().for_each(|address| {
        live.vendors().iter().for_each(|vendor| vendor.refuse(*address));
    });
    Ok(ServedApis { ports, proxy })
}

/// The APIs of a server.
pub(super) struct ServedApis {
    ports: ApiPorts,
    /// Address of the proxy.
    proxy: Option<SocketAddr>,
}

impl ServedApis {
    /// Lists the addresses.
    fn lines(&self, live: &LiveServer) -> String {
        let mut text = String::new();
        for vendor in live.vendors() {
            for url in vendor.api().iter().flat_map(|address| self.ports.urls(*address)) {
                text += &format!("  vendor API {}: {url}\n", vendor.id());
            }
        }
        if let Some(proxy) = self.proxy {
            text += &format!("  proxy      http://{}\n", reachable(proxy));
        }
        if let Some(authority) = &self.ports.authority {
            text += &format!("  CA file    {}\n", authority.file.display());
        }
        text
    }
}

impl ServeArgs {
    /// Returns what the server plays at: the accounts and endpoints of the arguments and a setup.
    fn plan(&self, setup: &Setup) -> Result<ReloadPlan, Problems> {
        let vendors = self.vendors(setup)?;
        let endpoints = self.endpoints(&vendors, setup)?;
        let accounts: Result<Vec<_>, Problems> =
            vendors.iter().map(|vendor| setup.account(vendor)).collect();
        let mut known = setup.vendors().to_vec();
        // A scenario may list other revisions than a chosen one. They are not loaded without a choice: they
        // need four times as much memory as the server itself.
        let is_usual =
            |vendor: &Platform| known.iter().any(|usual| usual.full_id() == vendor.full_id());
        let chosen: Vec<_> = vendors.iter().filter(|vendor| !is_usual(vendor)).collect();
        for vendor in chosen {
            known.extend(setup.revisions_of(&vendor.id));
        }
        let (accounts, redactor) = (accounts?, setup.redactor());
        let on_open = scenarios_on_open(setup, &accounts, &known)?;
        Ok(ReloadPlan { accounts, known, on_open, redactor, endpoints })
    }

    fn vendors(&self, setup: &Setup) -> Result<Vec<Arc<Platform>>, Problems> {
        if self.vendors.is_empty() {
            return setup.all_vendors();
        }
        let mut problems = Problems::new();
        let vendors =
            self.vendors.iter().filter_map(|name| problems.note(setup.vendor(name.trim())));
        let vendors: Vec<Arc<Platform>> = vendors.collect();
        problems.into_result(Some(vendors))
    }

    /// Returns the endpoints of `--to` or the configuration, each with the id of its vendor.
    fn endpoints(
        &self,
        vendors: &[Arc<Platform>],
        setup: &Setup,
    ) -> Result<Vec<(String, EndpointRequest)>, Problems> {
        let mut problems = self.targets.check(&setup.catalog);
        let ids: Vec<&str> = vendors.iter().map(|vendor| vendor.id.as_str()).collect();
        problems.extend(self.targets.unused(&ids));
        if self.targets.has_any() && vendors.len() > 1 {
            let message = "one receiver cannot serve several vendors";
            let problem = Problem::anywhere(code::NOTHING_TO_RUN, message);
            problems.push(problem.help("write `--to VENDOR=URL`, or choose one with `--vendor`"));
        }
        let mut endpoints = Vec::new();
        for vendor in vendors {
            let targets = self.targets.targets(&vendor.id);
            for target in &targets {
                let to = problems.note(target.resolve(self.targets.egress()));
                let request = to.map(|to| EndpointRequest {
                    url: to.url.to_string(),
                    reference: to.reference,
                    ..EndpointRequest::default()
                });
                let request = request.and_then(|request| {
                    self.connected(request, vendor, None, setup, &mut problems)
                });
                endpoints.extend(request.map(|request| (vendor.id.clone(), request)));
            }
            if targets.is_empty() {
                for form in setup.endpoints(&vendor.id) {
                    let request = configured(form, vendor, setup, &mut problems);
                    let request = request.and_then(|request| {
                        self.connected(request, vendor, Some(form), setup, &mut problems)
                    });
                    endpoints.extend(request.map(|request| (vendor.id.clone(), request)));
                }
            }
        }
        problems.into_result(Some(endpoints))
    }

    /// Adds the options and headers of connections to an endpoint.
    fn connected(
        &self,
        mut request: EndpointRequest,
        vendor: &Arc<Platform>,
        form: Option<&EndpointForm>,
        setup: &Setup,
        problems: &mut Problems,
    ) -> Option<EndpointRequest> {
        let (connection, egress) = (&self.targets.connection, self.targets.egress());
        let account = problems.note(setup.account(vendor))?;
        connection.add_headers(&mut request.headers, &header_names(&account), problems);
        let options = problems.note(setup.connection(connection, form, egress))?;
        Some(EndpointRequest { options, ..request })
    }
}

/// Returns an endpoint of the configuration.
fn configured(
    form: &EndpointForm,
    vendor: &Arc<Platform>,
    setup: &Setup,
    problems: &mut Problems,
) -> Option<EndpointRequest> {
    endpoint_subscription(form, vendor, problems);
    let account = problems.note(setup.account(vendor));
    account.iter().for_each(|account| check_headers(form, account, problems));
    let events = form
        .events
        .as_ref()
        .map(|events| events.iter().map(|event| event.value.clone()).collect::<Vec<String>>());
    let headers = form.resolve_headers(problems);
    let to = form.url.resolve();
    let to = to.map_err(|problem| Problems::from(problem).with_default_span(&form.url.span));
    let ReceiverUrl { url, reference } = problems.note(to)?;
    Some(EndpointRequest {
        url: url.to_string(),
        reference,
        events,
        headers,
        is_configured: true,
        ..EndpointRequest::default()
    })
}

/// Describes a server that is ready, and how to use it.
fn welcome(live: &LiveServer, server: &OpenServer, apis: &ServedApis, millis: u64) -> String {
    let origin = server.origin();
    let mut text = format!("standin is ready after {millis} ms\n\n");
    text += &format!("  page       {}\n", server.page_url());
    text += &format!("  API        {origin}/api/v1 (OpenAPI: {origin}/api/openapi.json)\n");
    let ids: Vec<&str> = live.vendors().iter().map(ServedVendor::id).collect();
    text += &format!("  vendors    {}\n", ids.join(", "));
    text += &apis.lines(live);
    let mut receivers = String::new();
    for vendor in live.vendors() {
        for endpoint in vendor.endpoints() {
            receivers += &format!("  receiver   {}: {}\n", vendor.id(), endpoint.shown_url());
        }
    }
    if receivers.is_empty() {
        receivers += "  receiver   none; add one on the page, or with `--to VENDOR=URL`\n";
    }
    text += &receivers;
    if let Some(path) = live.journal_path() {
        text += &format!("  journal    {}\n", path.display());
    }
    let differs = live.vendors().iter().filter(|one| one.account().platform.differs.is_some());
    let differs: Vec<&str> = differs.map(ServedVendor::id).collect();
    if !differs.is_empty() {
        // The texts of the vendors name every revision, which is too long here.
        text += &format!(
            "  note       real servers of {} differ from their documentation, which is emulated: set \
             `revision` under\n             [vendor.NAME] in standin.toml; `standin vendors NAME` \
             describes the revisions\n",
            differs.join(" and ")
        );
    }
    let token = if server.is_chosen {
        format!("\"Authorization: Bearer ${TOKEN}\"")
    } else {
        shell_quote(&format!("Authorization: Bearer {}", server.token.expose()))
    };
    let with_receiver = live.vendors().iter().find(|vendor| !vendor.endpoints().is_empty());
    let vendor = with_receiver.map(ServedVendor::id).or(ids.first().copied()).unwrap_or_default();
    let body = shell_quote(&format!(r#"{{"vendor":"{vendor}","scenario":"handover"}}"#));
    text += &format!(
        "\nStart a run on the page, or with:\n  curl {origin}/api/v1/runs -H {token} \\\n    \
         --json {body}\n\nPress Ctrl-C to stop.\n"
    );
    text
}
