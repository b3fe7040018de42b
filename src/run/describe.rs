//! Acts in a few words, for whoever watches.

use crate::base::text::{count, excerpt};
use crate::conversation::{Action, Conversation, Event, Variable};
use crate::record::ActionSummary;

/// How much of what is said is told.
const TOLD: usize = 80;

/// An act as it is told.
pub(super) fn summarize(
    action: &Action,
    event: &Event,
    conversation: &Conversation,
) -> ActionSummary {
    ActionSummary {
        action: action.word().to_owned(),
        by: event.by.member.name.clone(),
        event: event.kind.to_string(),
        summary: words(action, event, conversation),
    }
}

/// An act in a few words, without the name of who does it.
fn words(action: &Action, event: &Event, conversation: &Conversation) -> String {
    match action {
        Action::Open { channel, .. } => format!("opens a conversation on {channel}"),
        Action::Say { .. } => event.messages.first().map_or_else(String::new, |index| {
            let message = &conversation.messages[*index];
            let text = excerpt(&message.text, TOLD);
            match message.kind.as_str() {
                "text" => format!("“{text}”"),
                kind => format!("“{text}” ({kind})"),
            }
        }),
        Action::Typing { on: true, .. } => "types".into(),
        Action::Typing { on: false, .. } => "stops typing".into(),
        Action::Read { .. } => {
            format!("reads {}", count(event.messages.len(), "message", "messages"))
        }
        Action::Assign { .. } => {
            let to = event.to.as_ref().map_or("the queue", |person| &person.member.name);
            format!("hands the conversation to {to}")
        }
        Action::Accept { .. } => "accepts the conversation".into(),
        Action::Join { .. } => "joins".into(),
        Action::Leave { .. } => "leaves".into(),
        Action::Note { text, .. } => format!("notes “{}”", excerpt(text, TOLD)),
        Action::Set { variables, .. } => {
            let value = |v: &Variable| {
                let text = v.value.as_str().map_or_else(|| v.value.to_string(), str::to_owned);
                format!("{} to {}", v.name, excerpt(&text, TOLD))
            };
            format!("sets {}", variables.iter().map(value).collect::<Vec<_>>().join(", "))
        }
        Action::Label { add: true, labels, .. } => format!("puts on {}", quoted(labels)),
        Action::Label { add: false, labels, .. } => format!("takes off {}", quoted(labels)),
        Action::Flow { name, .. } => format!("begins the flow “{}”", excerpt(name, TOLD)),
        Action::Rate { score, comment: None, .. } => format!("rates {score} of 5"),
        Action::Rate { score, comment: Some(comment), .. } => {
            format!("rates {score} of 5, “{}”", excerpt(comment, TOLD))
        }
        Action::Create { name, kind, .. } => format!("creates the {kind} `{name}`"),
        Action::Update { name, fields, unset, .. } => {
            let changed: Vec<&str> = fields.keys().chain(unset).map(String::as_str).collect();
            format!("changes `{name}`: {}", changed.join(", "))
        }
        Action::Delete { name, .. } => format!("deletes `{name}`"),
        Action::Emit { event_type, .. } => format!("emits {event_type}"),
        Action::Close { .. } => "closes the conversation".into(),
        Action::Reopen { .. } => "reopens the conversation".into(),
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("“{}”", excerpt(name, TOLD))).collect::<Vec<_>>().join(", ")
}
