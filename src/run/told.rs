//! Acts in a few words, for whoever watches.

use crate::base::text::{count, excerpt};
use crate::conversation::{Act, Conversation, Event, Variable};
use crate::record::ActTold;

/// How much of what is said is told.
const TOLD: usize = 80;

/// An act as it is told.
pub(super) fn told(act: &Act, event: &Event, conversation: &Conversation) -> ActTold {
    ActTold {
        act: act.word().to_owned(),
        by: event.by.member.name.clone(),
        event: event.kind.to_string(),
        told: words(act, event, conversation),
    }
}

/// An act in a few words, without the name of who does it.
fn words(act: &Act, event: &Event, conversation: &Conversation) -> String {
    match act {
        Act::Open { channel, .. } => format!("opens a conversation on {channel}"),
        Act::Say { .. } => event.messages.first().map_or_else(String::new, |place| {
            let message = &conversation.messages[*place];
            let text = excerpt(&message.text, TOLD);
            match message.kind.as_str() {
                "text" => format!("“{text}”"),
                kind => format!("“{text}” ({kind})"),
            }
        }),
        Act::Typing { on: true, .. } => "types".into(),
        Act::Typing { on: false, .. } => "stops typing".into(),
        Act::Read { .. } => {
            format!("reads {}", count(event.messages.len(), "message", "messages"))
        }
        Act::Assign { .. } => {
            let to = event.to.as_ref().map_or("the queue", |person| &person.member.name);
            format!("hands the conversation to {to}")
        }
        Act::Accept { .. } => "accepts the conversation".into(),
        Act::Join { .. } => "joins".into(),
        Act::Leave { .. } => "leaves".into(),
        Act::Note { text, .. } => format!("notes “{}”", excerpt(text, TOLD)),
        Act::Set { variables, .. } => {
            let value = |v: &Variable| {
                let text = v.value.as_str().map_or_else(|| v.value.to_string(), str::to_owned);
                format!("{} to {}", v.name, excerpt(&text, TOLD))
            };
            format!("sets {}", variables.iter().map(value).collect::<Vec<_>>().join(", "))
        }
        Act::Label { add: true, labels, .. } => format!("puts on {}", quoted(labels)),
        Act::Label { add: false, labels, .. } => format!("takes off {}", quoted(labels)),
        Act::Flow { name, .. } => format!("begins the flow “{}”", excerpt(name, TOLD)),
        Act::Rate { score, comment: None, .. } => format!("rates {score} of 5"),
        Act::Rate { score, comment: Some(comment), .. } => {
            format!("rates {score} of 5, “{}”", excerpt(comment, TOLD))
        }
        Act::Create { name, kind, .. } => format!("creates the {kind} `{name}`"),
        Act::Update { name, fields, unset, .. } => {
            let changed: Vec<&str> = fields.keys().chain(unset).map(String::as_str).collect();
            format!("changes `{name}`: {}", changed.join(", "))
        }
        Act::Delete { name, .. } => format!("deletes `{name}`"),
        Act::Emit { event_type, .. } => format!("emits {event_type}"),
        Act::Close { .. } => "closes the conversation".into(),
        Act::Reopen { .. } => "reopens the conversation".into(),
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("“{}”", excerpt(name, TOLD))).collect::<Vec<_>>().join(", ")
}
