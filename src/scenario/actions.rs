//! The actions of a step: one key for each action, with its reader and its schema.

use serde_json::Value as Json;

use crate::base::text::one_of;
use crate::diag::{Form, Key, Problem, Problems, SourceSpan, SyntaxNode, code, form::unknown_key};

use super::call_form::{ExpectForm, ExpectNoneForm};
use super::expectation_form::{EventuallyForm, RequestForm};
use super::forms::{
    AssignForm, CloseForm, CreateForm, DeleteForm, EmitForm, FlowForm, LabelForm, NoteForm,
    OpenForm, PlainForm, RateForm, ReadForm, SayForm, SetForm, StepForm, TypingForm, UpdateForm,
};

/// An action as written in the file, before it is checked.
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
    Close(CloseForm),
    Reopen(PlainForm),
    Eventually(EventuallyForm),
    Request(RequestForm),
    Expect(ExpectForm),
    ExpectNone(ExpectNoneForm),
}

/// An action that a step can have.
struct ActionSpec {
    key: &'static str,
    read: fn(&SyntaxNode, &mut Problems) -> Option<ActionForm>,
    schema: fn() -> Json,
}

/// Declares the table of actions: key, form, variant and an optional schema description.
macro_rules! actions {
    ($($key:literal: $form:ident => $action:ident $(, $about:literal)?;)*) => {
        const ACTIONS: &[ActionSpec] = &[$(ActionSpec {
            key: $key,
            read: |node, problems| $form::read(node, problems).map(ActionForm::$action),
            schema: || actions!(@described $form::schema() $(, $about)?),
        }),*];
    };
    (@described $schema:expr) => { $schema };
    (@described $schema:expr, $about:literal) => {{
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
    "join": PlainForm => Join, "A participant joins the conversation.";
    "leave": PlainForm => Leave, "A participant leaves the conversation, which stays open.";
    "note": NoteForm => Note;
    "set": SetForm => Set;
    "label": LabelForm => Label;
    "flow": FlowForm => Flow;
    "rate": RateForm => Rate;
    "create": CreateForm => Create;
    "update": UpdateForm => Update;
    "delete": DeleteForm => Delete;
    "emit": EmitForm => Emit;
    "close": CloseForm => Close;
    "reopen": PlainForm => Reopen, "A closed conversation is reopened.";
    "eventually": EventuallyForm => Eventually;
    "request": RequestForm => Request;
    "expect": ExpectForm => Expect;
    "expect_none": ExpectNoneForm => ExpectNone;
}

/// The keys of steps that require something of the receiver.
pub(super) const EXPECTATIONS: [&str; 4] = ["eventually", "request", "expect", "expect_none"];

fn action_keys<'a>() -> impl Iterator<Item = &'a str> {
    ACTIONS.iter().map(|action| action.key)
}

/// Returns the JSON Schema of each action, by key.
pub(super) fn schemas() -> impl Iterator<Item = (&'static str, Json)> {
    ACTIONS.iter().map(|action| (action.key, (action.schema)()))
}

/// Reads the only action of a step.
///
/// `keys` are the keys of the step that its form does not declare. `step_keys` are the declared
/// ones; they are suggested for misspelled keys.
pub(super) fn read_action(
    keys: &[(Key, SyntaxNode)],
    step: &SourceSpan,
    step_keys: &[&str],
    problems: &mut Problems,
) -> Option<(Key, ActionForm)> {
    let mut found: Option<(Key, Option<ActionForm>)> = None;
    for (key, node) in keys {
        let Some(spec) = ACTIONS.iter().find(|action| action.key == key.name) else {
            problems.push(unknown(key, step_keys));
            continue;
        };
        if let Some((first, _)) = &found {
            let message =
                format!("a step has exactly one action, but `{}` is the second", key.name);
            let problem = Problem::at(&key.span, code::NO_ACTION, message);
            problems
                .push(problem.also(&first.span, "first action").help("move it to a separate step"));
            continue;
        }
        found = Some((key.clone(), (spec.read)(node, problems)));
    }
    let Some((key, action)) = found else {
        // Keys that are no actions have been reported above, most likely as misspelled actions.
        if keys.is_empty() {
            let words = one_of(action_keys());
            let problem = Problem::at(step, code::NO_ACTION, "the step has no action");
            problems.push(problem.help(format!("add one of {words}")));
        }
        return None;
    };
    Some((key, action?))
}

/// Explains that an unknown key of an action belongs to its step. `reported` is the number of the
/// problems that were found before this step.
pub(super) fn point_to_step(step: &StepForm, reported: usize, problems: &mut Problems) {
    let inside = |(action, node): &(Key, SyntaxNode), span: &SourceSpan| {
        let key = node.as_table()?.0.iter().find(|(key, _)| key.span == *span)?.0.name.clone();
        let help = format!("`{key}` is a key of the step: write it beside `{}`", action.name);
        StepForm::KEYS.contains(&key.as_str()).then_some(help)
    };
    let unknown =
        |problem: &&mut Problem| matches!(problem.code, code::UNKNOWN_KEY | code::UNKNOWN_DATA);
    for problem in problems.iter_mut().skip(reported).filter(unknown) {
        let help = problem
            .span
            .as_ref()
            .and_then(|span| step.action.iter().find_map(|action| inside(action, span)));
        problem.help = help.or_else(|| problem.help.take());
    }
}

fn unknown(key: &Key, step_keys: &[&str]) -> Problem {
    match key.name.as_str() {
        // Common words for something that has another name here. They are too far from that name
        // for the search for the nearest one.
        "wait" => unknown_key(key, []).help("to wait, add `after` to the next step"),
        "skip" => unknown_key(key, []).help(
            "to skip the step at one vendor, write `skip = \"reason\"` below `[step.for.VENDOR]`",
        ),
        "transfer" => unknown_key(key, []).help("to transfer a conversation, use `assign`"),
        _ => unknown_key(key, action_keys().chain(step_keys.iter().copied())),
    }
}
