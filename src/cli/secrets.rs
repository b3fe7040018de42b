//! `standin secrets`: what a receiver must be given, and how it verifies with it.

use clap::Args;

use super::setup::Setup;
use super::{Exit, Failure, Global};
use crate::vendor::{Account, Choice, VendorRef};

/// Prints the fixed test credentials that a receiver must be given
#[derive(Debug, Args)]
pub(super) struct SecretsArgs {
    /// The vendor
    vendor: String,
    /// As lines of a shell or a `.env` file
    #[arg(long)]
    env: bool,
}

pub(super) fn secrets(args: &SecretsArgs, global: &Global) -> Result<Exit, Failure> {
    let setup = Setup::read(global)?;
    let vendor = setup.vendor(&VendorRef::parse(&args.vendor))?;
    let account = setup.account(&vendor)?;
    if args.env {
        anstream::print!("{}", env_lines(&account));
    } else {
        anstream::print!("{}", told(&account));
    }
    Ok(Exit::Passed)
}

/// Every value, by the name it has in `vendor.toml`.
fn values(account: &Account) -> Vec<(String, String)> {
    let text =
        |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut values: Vec<(String, String)> =
        account.secrets.iter().map(|(name, secret)| (name.clone(), shown(secret))).collect();
    values.extend(
        account.values.iter().map(|(name, value)| (format!("account {name}"), text(value))),
    );
    values
}

fn shown(secret: &crate::base::secret::Secret) -> String {
    if secret.is_public() {
        secret.expose().to_owned()
    } else {
        "(yours, from the configuration)".into()
    }
}

fn env_lines(account: &Account) -> String {
    let prefix = account.vendor.id.to_uppercase().replace('-', "_");
    let line = |(name, value): (String, String)| {
        let name = name.to_uppercase().replace([' ', '-'], "_");
        let value = if value.starts_with('(') { String::new() } else { value };
        format!("{prefix}_{name}={value}\n")
    };
    values(account).into_iter().map(line).collect()
}

fn told(account: &Account) -> String {
    let mut out = format!("{}: what a receiver must be given\n\n", account.vendor.name);
    for (name, value) in values(account) {
        out += &format!("  {name:<20} {value}\n");
    }
    out += "\nEach request is a POST of JSON with these headers:\n\n";
    for (name, value) in account.header_rules() {
        out += &format!("  {name}: {value}\n");
    }
    if let Some(signature) = account.signature_rule() {
        out += &format!("\n{signature}\n");
    }
    out += &format!("\n{}\n", account.handshake_rule());
    let choices = account.choices();
    if !choices.is_empty() {
        let id = &account.vendor.id;
        out +=
            &format!("\nWhat is not fixed can be chosen in standin.toml, under [vendor.{id}]:\n");
    }
    for Choice { name, chosen, others, about } in choices {
        let others: Vec<String> = others.iter().map(|other| format!("\"{other}\"")).collect();
        out += &format!("\n  option.{name} = \"{chosen}\"  # or {}\n", others.join(", "));
        out += &format!("    {about}\n");
    }
    out
}
