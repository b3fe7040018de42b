//! `standin secrets`: what a receiver must be given, and how it verifies with it.

use clap::Args;

use super::setup::Setup;
use super::{CommandError, ExitStatus, Global, print};
use crate::base::redact::Redactor;
use crate::base::secret::Secret;
use crate::base::text::shell_word;
use crate::platform::{Account, OptionChoice};

/// Prints the fixed test credentials that a receiver must be given
#[derive(Debug, Args)]
pub(super) struct SecretsArgs {
    /// The vendor
    vendor: String,
    /// As lines of a shell or a `.env` file
    #[arg(long)]
    env: bool,
}

pub(super) fn secrets(args: &SecretsArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let vendor = setup.vendor(&args.vendor)?;
    let account = setup.account(&vendor)?;
    let mut shown = if args.env { env_lines(&account) } else { told(&account) };
    // Headers and the handshake may hold secrets of the user's own.
    Redactor::new(account.secret_references()).text(&mut shown);
    print(shown)?;
    Ok(ExitStatus::Passed)
}

/// What a receiver must be given: each value by the name it has in `vendor.toml`. A secret of the
/// user's own is not shown to whoever looks over their shoulder.
fn given(account: &Account) -> Vec<(String, Option<String>)> {
    let shown = |secret: &Secret| secret.is_public().then(|| secret.expose().to_owned());
    account.secrets.iter().map(|(name, secret)| (name.clone(), shown(secret))).collect()
}

/// What stands in bodies and headers as well.
fn known(account: &Account) -> Vec<(String, String)> {
    let text =
        |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    account.values.iter().map(|(name, value)| (format!("account {name}"), text(value))).collect()
}

/// What stands in the place of a secret of the user's own.
const YOUR_OWN: &str = "(your own, from the configuration)";

/// The variable of a shell that holds something of a vendor's account.
pub(super) fn variable(vendor: &str, name: &str) -> String {
    format!("{vendor}_{name}").to_uppercase().replace([' ', '-', '.'], "_")
}

fn env_lines(account: &Account) -> String {
    let line = |(name, value): (String, Option<String>)| {
        let Some(value) = value else {
            return format!("# {}: {YOUR_OWN}\n", variable(&account.platform.id, &name));
        };
        format!("{}={}\n", variable(&account.platform.id, &name), shell_word(&value))
    };
    let known = known(account).into_iter().map(|(name, value)| (name, Some(value)));
    given(account).into_iter().chain(known).map(line).collect()
}

fn told(account: &Account) -> String {
    let vendor = &account.platform;
    let mut out = String::new();
    if !account.secrets.is_empty() {
        out += &format!("{}: give your receiver\n\n", vendor.name);
        for (name, value) in given(account) {
            let value = value.as_deref().unwrap_or(YOUR_OWN);
            out += &format!("  {name:<22} {value:<42} {}\n", variable(&account.platform.id, &name));
        }
        out += "\n";
    }
    let known = known(account);
    if !known.is_empty() {
        out += &format!("{}: for reference, in requests\n\n", vendor.name);
        for (name, value) in known {
            out += &format!("  {name:<22} {value:<42} {}\n", variable(&account.platform.id, &name));
        }
        out += "\n";
    }
    out += "Each event is a POST of JSON with these headers (names in any case):\n\n";
    for (name, value) in account.header_rules() {
        out += &format!("  {name}: {value}\n");
    }
    out += &format!("\n{}\n", account.verify_rule());
    out += &format!("\n{}\n", account.handshake_rule());
    out += &format!("\n{}\n", account.answer_rule());
    let choices = account.choices();
    if !choices.is_empty() {
        out += "\nTo choose otherwise, in standin.toml:\n\n";
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
