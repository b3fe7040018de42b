//! `standin secrets`: prints the credentials of an account and how a receiver uses them.

use clap::Args;

use super::api_addresses::ApiAddresses;
use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::setup::Setup;
use super::shell_variable::variable;
use super::terminal::print;
use crate::base::redact::Redactor;
use crate::base::secret::Secret;
use crate::base::text::shell_word;
use crate::platform::{Account, OptionChoice, ReceiverGuide};

/// Print the test credentials for your receiver, how to verify requests, and the API's addresses
#[derive(Debug, Args)]
pub(super) struct SecretsArgs {
    /// Vendor of the account: VENDOR or VENDOR@REVISION
    vendor: String,
    /// Print NAME=value lines for a shell or a `.env` file
    #[arg(long)]
    env: bool,
}

pub(super) fn secrets(args: &SecretsArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let vendor = setup.vendor(&args.vendor)?;
    let account = setup.account(&vendor)?;
    let has_api = !vendor.api.is_empty();
    let api = has_api.then(|| ApiAddresses::configured(&vendor, &setup));
    let mut text = if args.env {
        api.iter().map(ApiAddresses::env_lines).chain([env_lines(&account)]).collect()
    } else {
        description(&account, api.as_ref())
    };
    // Headers and the handshake may contain configured secrets, which no output may show.
    Redactor::new(account.secret_references()).redact(&mut text);
    print(text)?;
    Ok(ExitStatus::Passed)
}

/// Returns the secrets by their name in `vendor.toml`. Configured secrets have no value here: only
/// the fixed test secrets are public.
fn secret_values(account: &Account) -> Vec<(String, Option<String>)> {
    let shown = |secret: &Secret| secret.is_public().then(|| secret.expose().to_owned());
    account.secrets.iter().map(|(name, secret)| (name.clone(), shown(secret))).collect()
}

/// Returns the other values of the account that appear in bodies and headers, such as ids.
fn account_values(account: &Account) -> Vec<(String, String)> {
    // Strings without quotes: they are copied from here.
    let text =
        |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    account.values.iter().map(|(name, value)| (format!("account {name}"), text(value))).collect()
}

/// Placeholder for a configured secret.
const CONFIGURED: &str = "(secret from your configuration)";

/// Returns the variables with the values of an account, by name. Configured secrets have no value.
pub(super) fn account_variables(account: &Account) -> Vec<(String, Option<String>)> {
    let values = account_values(account).into_iter().map(|(name, value)| (name, Some(value)));
    let named = |(name, value): (String, _)| (variable(&account.platform.id, &name), value);
    secret_values(account).into_iter().chain(values).map(named).collect()
}

fn env_lines(account: &Account) -> String {
    let line = |(name, value): (String, Option<String>)| match value {
        Some(value) => format!("{name}={}\n", shell_word(&value)),
        None => format!("# {name}: {CONFIGURED}\n"),
    };
    account_variables(account).into_iter().map(line).collect()
}

/// Describes the credentials, the headers, the verification and the handshake.
fn description(account: &Account, api: Option<&ApiAddresses>) -> String {
    let vendor = &account.platform;
    let mut out = String::new();
    if !account.secrets.is_empty() {
        out += &format!("{}: credentials for your receiver\n\n", vendor.name);
        for (name, value) in secret_values(account) {
            let value = value.as_deref().unwrap_or(CONFIGURED);
            out += &format!("  {name:<22} {value:<42} {}\n", variable(&account.platform.id, &name));
        }
        out += "\n";
    }
    let values = account_values(account);
    if !values.is_empty() {
        out += &format!("{}: other values that appear in requests\n\n", vendor.name);
        for (name, value) in values {
            out += &format!("  {name:<22} {value:<42} {}\n", variable(&account.platform.id, &name));
        }
        out += "\n";
    }
    if let Some(api) = api {
        let id = vendor.full_id();
        out += &api.description();
        out +=
            &format!("\n`standin vendors {id} --api` lists its calls with their credentials.\n\n");
    }
    out += "Each event is a POST request with a JSON body and these headers (names are \
            case-insensitive):\n\n";
    let guide = ReceiverGuide::of(account);
    for (name, value) in guide.headers() {
        out += &format!("  {name}: {value}\n");
    }
    out += &format!("\n{}\n", guide.verification());
    out += &format!("\n{}\n", guide.handshake());
    out += &format!("\n{}\n", guide.response());
    let choices = guide.options();
    if !choices.is_empty() {
        out += "\nOptions in standin.toml, with their current values:\n\n";
        out += &format!("  [vendor.{}.option]\n", vendor.id);
    }
    for OptionChoice { name, chosen, others, about } in choices {
        let others: Vec<String> = others.iter().map(|other| format!("\"{other}\"")).collect();
        out += &format!("  {name} = \"{chosen}\"  # or {}\n", others.join(", "));
        out += &format!("  # {about}\n");
    }
    out += &format!(
        "\nTry it: standin run handover --vendor {} --to http://localhost:3000/\n",
        vendor.full_id()
    );
    out
}
