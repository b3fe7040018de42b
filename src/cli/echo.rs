//! `listen --echo`: a bot that responds through the vendor's API.

use std::io::Write as _;
use std::sync::Arc;

use clap::Args;
use url::Url;

use super::setup::Setup;
use super::shell_variable::variable;
use super::terminal::note;
use crate::diag::{Problem, Problems, code};
use crate::listen::EchoBot;
use crate::platform::Account;

/// Options of the bot.
#[derive(Debug, Args)]
pub(super) struct EchoArgs {
    /// Also play a bot that responds to messages through the vendor's API, as far as the vendor has
    /// one; where clients of the API open conversations, it opens one
    #[arg(long)]
    echo: bool,
    /// Base URL of the vendor's API [default: the variable `VENDOR_API_URL` or `STANDIN_URL`, then the port
    /// of the configuration]
    #[arg(long, value_name = "URL", requires = "echo", requires = "vendor", value_parser = api_url)]
    api: Option<Url>,
}

/// Parses the base URL of an API. clap prints the error.
fn api_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(url)
    } else {
        Err("expected a URL such as `http://127.0.0.1:8080`".to_owned())
    }
}

/// Variable with the address of the only API of a run.
const ONLY_URL: &str = "STANDIN_URL";

impl EchoArgs {
    /// Starts a bot for each account whose vendor has one. Returns them with the ids of the vendors.
    pub(super) fn start(
        &self,
        accounts: &[Arc<Account>],
        setup: &Setup,
        is_json: bool,
    ) -> Result<Vec<(String, EchoBot)>, Problems> {
        if !self.echo {
            return Ok(Vec::new());
        }
        let mut bots = Vec::new();
        let mut problems = Problems::new();
        for account in accounts {
            let vendor = &account.platform;
            if vendor.bot.is_empty() {
                if accounts.len() == 1 {
                    let message = format!("the folder of {} describes no bot", vendor.name);
                    let problem = Problem::anywhere(code::NOTHING_TO_RUN, message);
                    problems.push(
                        problem
                            .help("remove `--echo`, or describe the calls of the bot in `[bot]`"),
                    );
                }
                continue;
            }
            match self.url(account, accounts.len() == 1, setup) {
                Ok(Some(url)) => bots.push((vendor.id.clone(), Self::bot(account, url, is_json))),
                Ok(None) if accounts.len() == 1 => problems.push(unknown_address(account)),
                Ok(None) => note(format_args!(
                    "note: no bot at {}: the address of its API is not known",
                    vendor.name
                )),
                Err(problem) => problems.push(problem),
            }
        }
        problems.into_result(Some(bots))
    }

    fn bot(account: &Arc<Account>, url: Url, is_json: bool) -> EchoBot {
        note(format_args!("bot at {}: calls {url}", account.platform.name));
        EchoBot::start(account, url, move |report| {
            let line = if is_json { report.to_json().to_string() } else { report.summary() };
            // A closed standard output must not stop the bot.
            let _ = writeln!(anstream::stdout().lock(), "{line}");
        })
    }

    /// Returns the base URL of the API of an account.
    fn url(&self, account: &Account, is_only: bool, setup: &Setup) -> Result<Option<Url>, Problem> {
        if let Some(url) = &self.api {
            return Ok(Some(url.clone()));
        }
        let own = variable(&account.platform.id, "api url");
        let names = [Some(own.as_str()), Some(ONLY_URL).filter(|_| is_only)];
        for name in names.into_iter().flatten() {
            // Empty counts as not set, as for every variable that standin reads.
            let Some(text) = std::env::var(name).ok().filter(|text| !text.trim().is_empty()) else {
                continue;
            };
            return api_url(text.trim()).map(Some).map_err(|error| {
                let message = format!("the variable {name} is not a URL: {error}");
                let problem = Problem::anywhere(code::INVALID_URL, message);
                problem.help("example: `http://127.0.0.1:8080`")
            });
        }
        let port = setup.api_port(&account.platform);
        Ok(port.and_then(|port| Url::parse(&format!("http://127.0.0.1:{port}")).ok()))
    }
}

fn unknown_address(account: &Account) -> Problem {
    let id = &account.platform.id;
    let message = format!("the address of the API of {} is not known", account.platform.name);
    Problem::anywhere(code::API_NOT_SERVED, message).help(format!(
        "add `--api URL` with the address that `standin serve` or `standin run --listen` prints, or set the \
         variable {} or `port` in [vendor.{id}]",
        variable(id, "api url")
    ))
}
