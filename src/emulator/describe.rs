//! Descriptions of actions in a few words, for reports.

use std::sync::Arc;

use crate::base::text::{count, excerpt};
use crate::conversation::{Action, ActionKind, Conversation, DialogKind, Event, Variable};
use crate::platform::ActionResult;
use crate::record::ActionSummary;

/// Characters of a text that a description shows: one line of a terminal.
const MAX_TEXT: usize = 80;

/// The summary of an action, for its record.
pub(super) fn summarize(
    action: &Action,
    result: &ActionResult,
    conversation: &Conversation,
) -> ActionSummary {
    let event = &result.event;
    let said = matches!(action.kind, ActionKind::Say { .. });
    let said = event.messages.first().filter(|_| said).map(|index| &conversation.messages[*index]);
    let text = match &action.kind {
        ActionKind::Note { text } => Some(text.as_str()),
        _ => said.map(|message| message.text.as_str()),
    };
    let unsubscribed = result.payloads.iter().filter(|payload| payload.endpoints.is_empty());
    ActionSummary {
        action: action.kind.as_str().to_owned(),
        by: event.by.member.name.to_string(),
        role: event.by.member.role.to_string(),
        event: event.kind.to_string(),
        summary: describe(action, event, conversation),
        text: text.map(Arc::from),
        message_kind: said.map(|message| message.kind.clone()),
        unsubscribed: unsubscribed.map(|payload| payload.event_type.clone()).collect(),
    }
}

/// Describes an action without naming its actor, such as `joins`.
fn describe(action: &Action, event: &Event, conversation: &Conversation) -> String {
    match &action.kind {
        ActionKind::Open { channel, .. } => format!("opens a conversation on {channel}"),
        ActionKind::Say { .. } => event.messages.first().map_or_else(String::new, |index| {
            let message = &conversation.messages[*index];
            let text = excerpt(&message.text, MAX_TEXT);
            // The usual kind is not worth a word.
            match message.kind.as_str() {
                "text" => format!("“{text}”"),
                kind => format!("“{text}” ({kind})"),
            }
        }),
        ActionKind::Typing { on: true } => "types".into(),
        ActionKind::Typing { on: false } => "stops typing".into(),
        ActionKind::Read { .. } => {
            format!("reads {}", count(event.messages.len(), "message", "messages"))
        }
        ActionKind::Assign { .. } => {
            let to = event.to.as_ref().map_or("the queue", |person| &*person.member.name);
            format!("assigns the conversation to {to}")
        }
        ActionKind::Accept => "accepts the conversation".into(),
        ActionKind::Join => "joins".into(),
        ActionKind::Leave => "leaves".into(),
        ActionKind::Note { text } => format!("adds the note “{}”", excerpt(text, MAX_TEXT)),
        ActionKind::Set { variables, .. } => {
            let value = |v: &Variable| {
                // A string without its quotes, as people write it in the scenario.
                let text = v.value.as_str().map_or_else(|| v.value.to_string(), str::to_owned);
                format!("{} to {}", v.name, excerpt(&text, MAX_TEXT))
            };
            format!("sets {}", variables.iter().map(value).collect::<Vec<_>>().join(", "))
        }
        ActionKind::Label { add: true, labels } => format!("adds the label {}", quoted(labels)),
        ActionKind::Label { add: false, labels } => format!("removes the label {}", quoted(labels)),
        ActionKind::Flow { name, .. } => format!("starts the flow “{}”", excerpt(name, MAX_TEXT)),
        ActionKind::Rate { score, comment: None } => format!("rates {score} of 5"),
        ActionKind::Rate { score, comment: Some(comment) } => {
            format!("rates {score} of 5, “{}”", excerpt(comment, MAX_TEXT))
        }
        ActionKind::Create { name, kind, .. } => format!("creates the {kind} `{name}`"),
        ActionKind::Update { name, fields, unset, .. } => {
            let changed: Vec<&str> = fields.keys().chain(unset).map(String::as_str).collect();
            format!("updates `{name}`: {}", changed.join(", "))
        }
        ActionKind::Delete { name } => format!("deletes `{name}`"),
        ActionKind::Emit { event_type, .. } => format!("emits {event_type}"),
        ActionKind::Close { survey: true } => "closes the conversation; a survey follows".into(),
        ActionKind::Close { survey: false } => {
            let kind = event.dialog.as_ref().map(|dialog| dialog.kind);
            let what = if kind == Some(DialogKind::Survey) { "survey" } else { "conversation" };
            format!("closes the {what}")
        }
        ActionKind::Reopen => "reopens the conversation".into(),
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("“{}”", excerpt(name, MAX_TEXT))).collect::<Vec<_>>().join(", ")
}
