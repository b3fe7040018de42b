//! The acts of a step: which key is which act, and what each may hold.

use serde_json::Value as Json;

use crate::base::text::one_of;
use crate::diag::{Form, Key, Problem, Problems, SourceSpan, SyntaxNode, code, form::unknown_key};

use super::forms::{
    AssignForm, CreateForm, DeleteForm, EmitForm, FlowForm, LabelForm, NoteForm, OpenForm,
    PlainForm, RateForm, ReadForm, SayForm, SetForm, TypingForm, UpdateForm,
};

/// An act as the file writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ActionForm {
    Open(OpenForm),
    Say(SayForm),
    Typing(TypingForm),
    Read(ReadForm),
    Assign(AssignForm),
    Join(PlainForm),
    Leave(PlainForm),
    Note(NoteForm),
    Set(SetForm),
    Label(LabelForm),
    Flow(FlowForm),
    Rate(RateForm),
    Create(CreateForm),
    Update(UpdateForm),
    Delete(DeleteForm),
    Emit(EmitForm),
    Close(PlainForm),
    Reopen(PlainForm),
}

/// An act: its key, how it is read, and the schema of what it holds.
struct ActionSpec {
    key: &'static str,
    read: fn(&SyntaxNode, &mut Problems) -> Option<ActionForm>,
    schema: fn() -> Json,
}

/// Declares the acts by their keys.
macro_rules! actions {
    ($($key:literal: $form:ident => $action:ident $(, $about:literal)?;)*) => {
        const ACTS: &[ActionSpec] = &[$(ActionSpec {
            key: $key,
            read: |node, problems| $form::read(node, problems).map(ActionForm::$action),
            schema: || actions!(@told $form::schema() $(, $about)?),
        }),*];
    };
    (@told $schema:expr) => { $schema };
    (@told $schema:expr, $about:literal) => {{
        let mut schema = $schema;
        schema["description"] = $about.into();
        schema
    }};
}

actions! {
    "open": OpenForm => Open;
    "say": SayForm => Say;
    "typing": TypingForm => Typing;
    "read": ReadForm => Read;
    "assign": AssignForm => Assign;
    "join": PlainForm => Join, "Somebody enters the conversation.";
    "leave": PlainForm => Leave, "Somebody leaves the conversation, which goes on.";
    "note": NoteForm => Note;
    "set": SetForm => Set;
    "label": LabelForm => Label;
    "flow": FlowForm => Flow;
    "rate": RateForm => Rate;
    "create": CreateForm => Create;
    "update": UpdateForm => Update;
    "delete": DeleteForm => Delete;
    "emit": EmitForm => Emit;
    "close": PlainForm => Close, "The conversation ends.";
    "reopen": PlainForm => Reopen, "A closed conversation goes on.";
}

fn action_keys<'a>() -> impl Iterator<Item = &'a str> {
    ACTS.iter().map(|action| action.key)
}

/// The schemas of the acts, by key.
pub(super) fn schemas() -> impl Iterator<Item = (&'static str, Json)> {
    ACTS.iter().map(|action| (action.key, (action.schema)()))
}

/// Reads the one act among the keys of a step that are not the step's own; `own` are those.
pub(super) fn read_action(
    keys: &[(Key, SyntaxNode)],
    step: &SourceSpan,
    own: &[&str],
    problems: &mut Problems,
) -> Option<(Key, ActionForm)> {
    let mut found: Option<(Key, Option<ActionForm>)> = None;
    for (key, node) in keys {
        let Some(known) = ACTS.iter().find(|action| action.key == key.name) else {
            problems.push(unknown(key, own));
            continue;
        };
        if let Some((first, _)) = &found {
            let message = format!("`{}` is the step's second act", key.name);
            let problem = Problem::at(&key.span, code::NO_ACT, message);
            problems
                .push(problem.also(&first.span, "first here").help("make it a step of its own"));
            continue;
        }
        found = Some((key.clone(), (known.read)(node, problems)));
    }
    let Some((key, action)) = found else {
        if keys.is_empty() {
            let words = one_of(action_keys());
            let problem = Problem::at(step, code::NO_ACT, "the step has no act");
            problems.push(problem.help(format!("a step has one of {words}")));
        }
        return None;
    };
    Some((key, action?))
}

fn unknown(key: &Key, own: &[&str]) -> Problem {
    match key.name.as_str() {
        "wait" => unknown_key(key, [])
            .help("there is no `wait`: write `after` beside the act that follows"),
        "transfer" => unknown_key(key, []).help("there is no `transfer`: write `assign`"),
        _ => unknown_key(key, action_keys().chain(own.iter().copied())),
    }
}
