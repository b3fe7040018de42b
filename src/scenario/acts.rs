//! The acts of a step: which key is which act, and what each may hold.

use crate::base::text::one_of;
use crate::diag::{Form, Key, Node, Place, Problem, Problems, code, form::unknown_key};

use super::forms::{
    AssignForm, CreateForm, DeleteForm, EmitForm, FlowForm, LabelForm, NoteForm, OpenForm,
    PlainForm, RateForm, ReadForm, SayForm, SetForm, TypingForm, UpdateForm,
};

/// An act as the file writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ActForm {
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

/// How an act is read.
type Reader = fn(&Node, &mut Problems) -> Option<ActForm>;

/// Every act by its key.
const ACTS: &[(&str, Reader)] = &[
    ("open", |node, problems| OpenForm::read(node, problems).map(ActForm::Open)),
    ("say", |node, problems| SayForm::read(node, problems).map(ActForm::Say)),
    ("typing", |node, problems| TypingForm::read(node, problems).map(ActForm::Typing)),
    ("read", |node, problems| ReadForm::read(node, problems).map(ActForm::Read)),
    ("assign", |node, problems| AssignForm::read(node, problems).map(ActForm::Assign)),
    ("join", |node, problems| PlainForm::read(node, problems).map(ActForm::Join)),
    ("leave", |node, problems| PlainForm::read(node, problems).map(ActForm::Leave)),
    ("note", |node, problems| NoteForm::read(node, problems).map(ActForm::Note)),
    ("set", |node, problems| SetForm::read(node, problems).map(ActForm::Set)),
    ("label", |node, problems| LabelForm::read(node, problems).map(ActForm::Label)),
    ("flow", |node, problems| FlowForm::read(node, problems).map(ActForm::Flow)),
    ("rate", |node, problems| RateForm::read(node, problems).map(ActForm::Rate)),
    ("create", |node, problems| CreateForm::read(node, problems).map(ActForm::Create)),
    ("update", |node, problems| UpdateForm::read(node, problems).map(ActForm::Update)),
    ("delete", |node, problems| DeleteForm::read(node, problems).map(ActForm::Delete)),
    ("emit", |node, problems| EmitForm::read(node, problems).map(ActForm::Emit)),
    ("close", |node, problems| PlainForm::read(node, problems).map(ActForm::Close)),
    ("reopen", |node, problems| PlainForm::read(node, problems).map(ActForm::Reopen)),
];

/// Reads the one act among the keys of a step that are not the step's own; `own` are those.
pub(super) fn read_act(
    keys: &[(Key, Node)],
    step: &Place,
    own: &[&str],
    problems: &mut Problems,
) -> Option<(Key, ActForm)> {
    let mut found: Option<(Key, Option<ActForm>)> = None;
    for (key, node) in keys {
        let Some((_, reader)) = ACTS.iter().find(|(name, _)| *name == key.name) else {
            problems.push(unknown(key, own));
            continue;
        };
        if let Some((first, _)) = &found {
            let message = format!("`{}` is the step's second act", key.name);
            let problem = Problem::at(&key.place, code::NO_ACT, message);
            problems
                .push(problem.also(&first.place, "first here").help("make it a step of its own"));
            continue;
        }
        found = Some((key.clone(), reader(node, problems)));
    }
    let Some((key, act)) = found else {
        if keys.is_empty() {
            let words = one_of(ACTS.iter().map(|(name, _)| *name));
            let problem = Problem::at(step, code::NO_ACT, "the step has no act");
            problems.push(problem.help(format!("a step has one of {words}")));
        }
        return None;
    };
    Some((key, act?))
}

fn unknown(key: &Key, own: &[&str]) -> Problem {
    match key.name.as_str() {
        "wait" => unknown_key(key, [])
            .help("there is no `wait`: write `after` beside the act that follows"),
        "transfer" => unknown_key(key, []).help("there is no `transfer`: write `assign`"),
        _ => unknown_key(key, ACTS.iter().map(|(name, _)| *name).chain(own.iter().copied())),
    }
}
