//! The command line: one file per command.
//!
//! Arguments, environment variables and files are read here and nowhere else. Data goes to
//! standard output, messages go to standard error.

mod act;
mod annotations;
mod api_addresses;
mod api_operations;
mod api_ports;
mod apis;
mod check;
mod client;
mod client_command;
mod completions;
mod connection_args;
mod demo;
mod demo_bots;
mod demo_page;
mod dry_run;
mod dry_run_json;
mod echo;
mod exit;
mod global;
mod healthcheck;
mod init;
mod inputs;
mod journal;
mod json_output;
mod listen;
mod man;
mod on_open;
mod other_revisions;
mod output;
mod own_body;
mod planned_runs;
mod play;
mod process;
mod progress;
mod receivers;
mod report;
mod reports;
mod run;
mod run_actions;
mod run_choice;
mod runs;
mod scenario_reader;
mod scenarios;
mod schema;
mod secrets;
mod send;
mod serve;
mod server_journal;
mod server_log;
mod server_reload;
mod server_run;
mod setup;
mod shell_variable;
mod shrink;
mod sign;
mod snippet;
mod terminal;
mod variables;
mod vendors;
mod watch;

use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use self::global::Global;
use self::terminal::report_error;
use crate::base::fail_points;

pub use exit::ExitStatus;

/// Stand-in for chat vendors: plays scripted conversations, sends the webhooks that the vendor
/// would send, and checks how the receiver responds.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Try `standin demo` first.\n\n\
    Exit codes: 0 passed, 1 failed or inconclusive, 2 invalid input, 3 standin could not work, \
    4 interrupted.")]
struct CliArgs {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play a sample conversation against the bundled receiver and show both sides
    Demo(demo::DemoArgs),
    /// Run scenarios: send their webhooks and check how the receiver responds
    Run(Box<run::RunArgs>),
    /// Start a server that people and programs steer: emulated vendors, control API and page
    Serve(serve::ServeArgs),
    /// Say something in a conversation of a running server
    Say(act::SayArgs),
    /// Perform actions in a conversation of a running server
    Act(act::ActArgs),
    /// List the runs of a running server, or steer one of them
    Runs(runs::RunsArgs),
    /// Send one webhook; the events that must precede it are simulated but not sent
    Send(send::SendArgs),
    /// Print a receiver that verifies the requests of a vendor, in a programming language
    Snippet(snippet::SnippetArgs),
    /// Print the headers with which a vendor sends a body, including its signature
    Sign(sign::SignArgs),
    /// Start a receiver that verifies webhooks, responds to handshakes and prints each request
    Listen(listen::ListenArgs),
    /// Check scenarios, vendor folders and configuration; report every problem with its source line
    Check(check::CheckArgs),
    /// List vendors, the event types of a vendor, or a sample webhook of one event type
    Vendors(vendors::VendorsArgs),
    /// List the bundled scenarios, or print one of them
    Scenarios(scenarios::ScenariosArgs),
    /// Write a commented scenario to start from, and its JSON Schema
    Init(init::InitArgs),
    /// Print the JSON Schema of a file format, for editors
    Schema(schema::SchemaArgs),
    /// Print the test credentials for your receiver, how to verify requests, and the API's addresses
    Secrets(secrets::SecretsArgs),
    /// List, show, export, check and redeliver the runs recorded in a journal
    Journal(journal::JournalCommandArgs),
    /// Merge the reports of several commands into one
    Report(report::ReportCommandArgs),
    /// Exit with 0 if a server accepts runs, for containers
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Print the completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Write the man pages, one per command
    Man(man::ManArgs),
}

/// Ignores environment variables that are empty. CI systems set a variable to nothing if its source
/// has no value.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &std::ffi::OsStr| {
        std::env::var_os(name).is_some_and(|value| value.to_string_lossy().trim().is_empty())
    };
    let command = command.mut_args(|arg| match arg.get_env() {
        Some(name) if is_empty(name) => arg.env(Resettable::Reset),
        _ => arg,
    });
    command.mut_subcommands(without_empty_variables)
}

/// Parses the command line, runs the command and returns the exit code.
pub fn main() -> ExitCode {
    process::prepare();
    // For crash tests. Only debug builds crash on purpose: a release must ignore the variable.
    if cfg!(debug_assertions)
        && let Ok(point) = std::env::var("STANDIN_CRASH_AT")
    {
        fail_points::arm(&point);
    }
    let mut command = without_empty_variables(CliArgs::command());
    let args: Vec<String> =
        std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    if let Some(fields) = vendors::help_of_event(&args) {
        command = command.mut_subcommand("send", |send| send.after_help(fields));
    }
    let matches = command.get_matches();
    let cli = CliArgs::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let exit = match cli.command {
        Command::Demo(args) => demo::demo(&args, &cli.global),
        Command::Run(args) => run::run(&args, &cli.global),
        Command::Serve(args) => serve::serve(&args, &cli.global),
        Command::Say(args) => act::say(&args),
        Command::Act(args) => act::act(&args),
        Command::Runs(args) => runs::runs(&args),
        Command::Send(args) => send::send(&args, &cli.global),
        Command::Snippet(args) => snippet::snippet(&args, &cli.global),
        Command::Sign(args) => sign::sign(&args, &cli.global),
        Command::Journal(args) => journal::journal(&args, &cli.global),
        Command::Listen(args) => listen::listen(&args, &cli.global),
        Command::Check(args) => check::check(&args, &cli.global),
        Command::Vendors(args) => vendors::vendors(&args, &cli.global),
        Command::Scenarios(args) => scenarios::scenarios(&args),
        Command::Init(args) => init::init(&args, &cli.global),
        Command::Schema(args) => schema::schema(&args, &cli.global),
        Command::Report(args) => report::report(&args),
        Command::Healthcheck(args) => healthcheck::healthcheck(&args),
        Command::Completions(args) => completions::completions(&args, CliArgs::command()),
        Command::Man(args) => man::man(&args, CliArgs::command()),
        Command::Secrets(args) => secrets::secrets(&args, &cli.global),
    };
    exit.unwrap_or_else(report_error).into()
}
