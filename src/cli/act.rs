//! `standin say` and `standin act`: act in a conversation of a running server.

use clap::Args;
use serde_json::{Value as Json, json};

use super::client::{Client, ClientArgs};
use super::exit::{CommandError, ExitStatus};
use super::terminal::print;
use crate::diag::{Problem, code};

/// Say something in a conversation of a running server
#[derive(Debug, Args)]
pub(super) struct SayArgs {
    /// What to say
    text: String,
    /// Participant who says it, by the name in the scenario
    #[arg(long = "as", value_name = "NAME", default_value = "visitor")]
    by: String,
    #[command(flatten)]
    conversation: ConversationArgs,
}

/// Perform actions in a conversation of a running server
#[derive(Debug, Args)]
pub(super) struct ActArgs {
    /// An action as in a step of a scenario, in JSON, such as `{"close": {"by": "agent"}}`, or a list
    /// of actions, which happens as a whole or not at all
    actions: String,
    #[command(flatten)]
    conversation: ConversationArgs,
}

/// A conversation of a running server.
#[derive(Debug, Args)]
struct ConversationArgs {
    /// Id of the conversation, such as 3-1 [default: the newest]
    #[arg(long, value_name = "ID", value_parser = conversation_id)]
    conversation: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) fn say(args: &SayArgs) -> Result<ExitStatus, CommandError> {
    // What people type is no template.
    let text = args.text.replace('$', "$$");
    args.conversation.act(&json!({"say": {"by": args.by, "text": text}}).to_string())
}

pub(super) fn act(args: &ActArgs) -> Result<ExitStatus, CommandError> {
    args.conversation.act(&args.actions)
}

/// Checks an id of a conversation, which becomes a part of a path. clap prints the error.
fn conversation_id(text: &str) -> Result<String, String> {
    let is_id = text
        .split_once('-')
        .is_some_and(|(run, number)| run.parse::<u32>().is_ok() && number.parse::<u32>().is_ok());
    let valid = is_id && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    valid
        .then(|| text.to_owned())
        .ok_or_else(|| "expected a run and a number, such as `3-1`".into())
}

impl ConversationArgs {
    /// Performs actions, and prints what happened.
    fn act(&self, actions: &str) -> Result<ExitStatus, CommandError> {
        let client = self.client.client()?;
        let id = match &self.conversation {
            Some(id) => id.clone(),
            None => newest(&client)?,
        };
        let done = client.post(&format!("/conversations/{id}/actions"), actions)?;
        let line = |action: &Json| {
            let text = |key: &str| action[key].as_str().unwrap_or_default().to_owned();
            format!("{id}  {} {}\n", text("by"), text("summary"))
        };
        let lines = done["actions"].as_array().into_iter().flatten().map(line);
        print(lines.collect::<Vec<_>>().concat())?;
        Ok(ExitStatus::Passed)
    }
}

/// Returns the id of the newest conversation.
fn newest(client: &Client) -> Result<String, CommandError> {
    let list = client.get("/conversations?limit=1")?;
    let id = list["items"][0]["id"].as_str().map(str::to_owned);
    id.ok_or_else(|| {
        let problem = Problem::anywhere(code::NOTHING_TO_RUN, "the server has no conversation");
        problem.help("start a run on the page, or with `POST /api/v1/runs`").into()
    })
}
