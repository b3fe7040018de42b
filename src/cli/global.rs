//! The options that every command accepts.

use std::path::PathBuf;

use clap::Args;

use crate::config::FilesHost;
use crate::platform::AccountName;

/// Options that every command accepts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Configuration file [default: standin.toml in the working folder, if there is one]
    #[arg(long, global = true, display_order = 100, value_name = "FILE", env = "STANDIN_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Folder of vendor folders; they extend or replace the bundled vendors
    #[arg(long, global = true, display_order = 101, value_name = "DIR", env = "STANDIN_TEMPLATES")]
    pub(super) templates: Option<PathBuf>,
    /// Use an account with separate ids and secrets instead of the vendor's test account, so that
    /// runs that share a receiver do not meet; the same name gives the same account
    #[arg(long, global = true, display_order = 102, value_name = "NAME", env = "STANDIN_ACCOUNT",
          value_parser = AccountName::parse)]
    pub(super) account: Option<AccountName>,
    /// Port that serves the sample attachments; it appears in attachment URLs [default: 4999]
    #[arg(long, global = true, display_order = 103, value_name = "PORT", env = "STANDIN_FILES_PORT",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) files_port: Option<u16>,
    /// Host in attachment URLs, such as host.docker.internal for a receiver in a container; the files
    /// are then served on all network interfaces [default: 127.0.0.1]
    #[arg(long, global = true, display_order = 104, value_name = "HOST", env = "STANDIN_FILES_HOST",
          value_parser = FilesHost::parse)]
    pub(super) files_host: Option<FilesHost>,
}

impl Global {
    /// Returns the options with which a help text finds the vendors.
    pub(super) fn for_help(config: Option<&str>, templates: Option<&str>) -> Self {
        let set = |value: Option<&str>, variable: &str| {
            let text = value.map(str::to_owned).or_else(|| std::env::var(variable).ok());
            text.filter(|text| !text.trim().is_empty()).map(PathBuf::from)
        };
        Self {
            config: set(config, "STANDIN_CONFIG"),
            templates: set(templates, "STANDIN_TEMPLATES"),
            account: None,
            files_port: None,
            files_host: None,
        }
    }

    /// Returns the options that are set as command-line arguments.
    pub(super) fn to_args(&self) -> Vec<String> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let options = [
            ("--config", path(&self.config)),
            ("--templates", path(&self.templates)),
            ("--account", self.account.as_ref().map(|name| name.as_str().to_owned())),
            ("--files-port", self.files_port.map(|port| port.to_string())),
            ("--files-host", self.files_host.as_ref().map(ToString::to_string)),
        ];
        let set = options.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
        set.flatten().collect()
    }
}
