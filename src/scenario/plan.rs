//! From the form of an act to what can be played: who it is, what texts and data it has, and
//! whether any vendor knows what it asks for.

use std::collections::BTreeSet;
use std::ops::Range;

use super::actions::ActionForm;
use super::check::ScenarioChecker;
use super::forms::{
    AssignForm, CreateForm, EmitForm, LabelForm, OpenForm, RateForm, SayForm, SetForm, UpdateForm,
};
use super::script::ActionPlan;
use crate::base::limits::MAX_NAMED;
use crate::conversation::{Action, Actor, Role, VariableScope};
use crate::diag::{Key, Problem, SourceSpan, Spanned, SyntaxNode, code};
use crate::platform::FieldDefaults;

/// Whoever is assigned.
const ASSIGNEE: &str = "assignee";

impl ScenarioChecker<'_> {
    /// What can be played of an act; nothing where it has problems.
    pub(super) fn plan(&mut self, action: &ActionForm, key: &Key) -> Option<ActionPlan> {
        let ready = match action {
            ActionForm::Say(say) => return self.say(say),
            ActionForm::Note(form) => {
                let by = self.who(&form.by);
                let text = self.texts.line(&form.text, self.problems);
                let action = Action::Note { by: by?, text: String::new() };
                return Some(ActionPlan { text: Some(text?), ..ActionPlan::ready(action) });
            }
            ActionForm::Set(form) => return self.set(form),
            ActionForm::Rate(form) => return self.rate(form),
            ActionForm::Create(form) => return self.create(form),
            ActionForm::Update(form) => return self.update(form),
            ActionForm::Emit(form) => return self.emit(form),
            ActionForm::Open(form) => self.open(form)?,
            ActionForm::Assign(form) => self.assign(form, key)?,
            ActionForm::Label(form) => self.label(form, key)?,
            ActionForm::Flow(form) => {
                let by = self.who_or(form.by.as_ref(), Role::Bot)?;
                let states = form.states.as_ref().map_or(1, |states| states.value);
                Action::Flow { by, name: form.name.value.clone(), states }
            }
            ActionForm::Delete(form) => {
                let by = self.who_or(form.by.as_ref(), Role::System)?;
                self.entity_kind(&form.entity)?;
                Action::Delete { by, name: form.entity.value.clone() }
            }
            ActionForm::Typing(form) => {
                let on = form.on.as_ref().is_none_or(|on| on.value);
                Action::Typing { by: self.who(&form.by)?, on }
            }
            ActionForm::Read(form) => {
                let by = self.who(&form.by);
                let upto = match &form.upto {
                    Some(id) => Some(self.said_in(id)?),
                    None => None,
                };
                let action = Action::Read { by: by?, upto: None };
                return Some(ActionPlan { upto, ..ActionPlan::ready(action) });
            }
            ActionForm::Join(form) => Action::Join { by: self.who(&form.by)? },
            ActionForm::Leave(form) => Action::Leave { by: self.who(&form.by)? },
            ActionForm::Close(form) => Action::Close { by: self.who(&form.by)? },
            ActionForm::Reopen(form) => Action::Reopen { by: self.who(&form.by)? },
        };
        Some(ActionPlan::ready(ready))
    }

    fn open(&mut self, form: &OpenForm) -> Option<Action> {
        let by = self.who_or(form.by.as_ref(), Role::Visitor)?;
        let assignee = match &form.assignee {
            Some(assignee) => Some(self.member(assignee, &[])?),
            None => None,
        };
        let channel = form.channel.as_ref().map_or("web", |channel| channel.as_str()).to_owned();
        Some(Action::Open { by, channel, assignee })
    }

    fn assign(&mut self, form: &AssignForm, key: &Key) -> Option<Action> {
        if form.to.is_some() == form.skill.is_some() {
            let message = "`assign` hands the conversation to somebody or to a queue";
            let problem = Problem::at(&key.span, code::MISSING_KEY, message);
            self.problems.push(problem.help("give either `to` or `skill`"));
            return None;
        }
        let by = self.who_or(form.by.as_ref(), Role::System)?;
        let to = match &form.to {
            Some(to) => Some(self.who(to)?),
            None => None,
        };
        let skill = form.skill.as_ref().map(|skill| skill.value.clone());
        Some(Action::Assign { to, skill, by, accept: form.accept.as_ref().map(|a| a.value) })
    }

    fn label(&mut self, form: &LabelForm, key: &Key) -> Option<Action> {
        let by = self.who(&form.by);
        if form.add.is_empty() == form.remove.is_empty() {
            let message = "`label` puts labels on or takes labels off";
            let problem = Problem::at(&key.span, code::MISSING_KEY, message);
            self.problems.push(problem.help("give either `add` or `remove`"));
            return None;
        }
        let before = self.labels.len();
        self.labels.extend(form.add.iter().map(|label| label.value.clone()));
        self.few_enough(&key.span, before..self.labels.len(), "labels")?;
        let labels = form.add.iter().chain(&form.remove).map(|label| label.value.clone());
        Some(Action::Label { by: by?, add: !form.add.is_empty(), labels: labels.collect() })
    }

    fn say(&mut self, form: &SayForm) -> Option<ActionPlan> {
        let by = self.who(&form.by);
        let text = form.text.as_ref().and_then(|text| self.texts.line(text, self.problems));
        let data = self.texts.data(&form.data, &form.span, self.problems);
        let kind = form.kind.as_ref().map_or("text", |kind| kind.as_str()).to_owned();
        let span = form.kind.as_ref().map_or(&form.span, |kind| &kind.span);
        let known = self.vendors.iter().filter_map(|vendor| vendor.kinds.get(&kind));
        let known: Vec<&FieldDefaults> = known.map(|kind| &kind.data).collect();
        if known.is_empty() {
            let message = format!("no vendor knows messages of the kind `{kind}`");
            let kinds = self.vendors.iter().flat_map(|vendor| vendor.kinds.keys());
            let kinds: BTreeSet<&str> = kinds.map(String::as_str).collect();
            self.problems.push(Problem::at(span, code::UNKNOWN_KIND, message).known(&kind, kinds));
        } else {
            let what = format!("a message of the kind `{kind}`");
            self.check_data(&form.data, &known, &what, &["by", "kind", "text"]);
        }
        let action =
            Action::Say { by: by?, kind, text: String::new(), data: serde_json::Map::new() };
        Some(ActionPlan { text, data: Some(data?), ..ActionPlan::ready(action) })
    }

    fn set(&mut self, form: &SetForm) -> Option<ActionPlan> {
        let by = self.who_or(form.by.as_ref(), Role::System);
        if form.variables.0.is_empty() {
            self.problems.push(Problem::at(&form.span, code::EMPTY, "`set` sets nothing"));
        }
        let data = self.texts.data(&form.variables.entries(), &form.span, self.problems);
        let scope = form.scope.as_ref().map_or(VariableScope::Visitor, |scope| scope.value);
        let action = Action::Set { by: by?, variables: Vec::new(), scope };
        Some(ActionPlan { data: Some(data?), ..ActionPlan::ready(action) })
    }

    fn rate(&mut self, form: &RateForm) -> Option<ActionPlan> {
        let by = self.who_or(form.by.as_ref(), Role::Visitor);
        if !(1..=5).contains(&form.score.value) {
            let message = format!("a score is from 1 to 5, not {}", form.score.value);
            self.problems.push(Problem::at(&form.score.span, code::WRONG_TYPE, message));
        }
        let text = form.comment.as_ref().and_then(|text| self.texts.line(text, self.problems));
        let action = Action::Rate { by: by?, score: form.score.value, comment: None };
        Some(ActionPlan { text, ..ActionPlan::ready(action) })
    }

    fn create(&mut self, form: &CreateForm) -> Option<ActionPlan> {
        let by = self.who_or(form.by.as_ref(), Role::System);
        let kind = form.kind.value.clone();
        let known: Vec<&FieldDefaults> =
            self.vendors.iter().filter_map(|vendor| vendor.entities.get(&kind)).collect();
        if known.is_empty() {
            let message = format!("no vendor has entities of the kind `{kind}`");
            let kinds = self.vendors.iter().flat_map(|vendor| vendor.entities.keys());
            let kinds: BTreeSet<&str> = kinds.map(String::as_str).collect();
            let problem = Problem::at(&form.kind.span, code::UNKNOWN_KIND, message);
            self.problems.push(problem.known(&kind, kinds));
        } else {
            self.check_data(&form.with.entries(), &known, &format!("a {kind}"), &[]);
        }
        let data = self.texts.data(&form.with.entries(), &form.span, self.problems);
        self.texts.name_entity(&form.as_.value, self.vendors, &kind);
        let before = self.entities.len();
        self.entities.insert(form.as_.value.clone(), kind.clone());
        self.few_enough(&form.as_.span, before..self.entities.len(), "things to create")?;
        let fields = serde_json::Map::new();
        let action = Action::Create { by: by?, name: form.as_.value.clone(), kind, fields };
        Some(ActionPlan { data: Some(data?), ..ActionPlan::ready(action) })
    }

    fn update(&mut self, form: &UpdateForm) -> Option<ActionPlan> {
        let by = self.who_or(form.by.as_ref(), Role::System);
        let kind = self.entity_kind(&form.entity)?;
        let known: Vec<&FieldDefaults> =
            self.vendors.iter().filter_map(|vendor| vendor.entities.get(&kind)).collect();
        self.check_data(&form.with.entries(), &known, &format!("a {kind}"), &[]);
        for field in form.unset.iter().filter(|field| !known.iter().any(|data| data.has(field))) {
            let message = format!("a {kind} has no `{}`", field.value);
            let problem = Problem::at(&field.span, code::UNKNOWN_DATA, message);
            self.problems.push(problem.known(field, known.iter().flat_map(|data| data.keys())));
        }
        let data = self.texts.data(&form.with.entries(), &form.span, self.problems);
        let unset = form.unset.iter().map(|field| field.value.clone()).collect();
        let (name, fields) = (form.entity.value.clone(), serde_json::Map::new());
        let action = Action::Update { by: by?, name, fields, unset };
        Some(ActionPlan { data: Some(data?), ..ActionPlan::ready(action) })
    }

    fn emit(&mut self, form: &EmitForm) -> Option<ActionPlan> {
        let by = self.who_or(form.by.as_ref(), Role::System);
        let event_type = form.type_.value.clone();
        let rules = self.vendors.iter().flat_map(|vendor| &vendor.events);
        let known: Vec<_> = rules.filter(|rule| rule.is_called(&event_type)).collect();
        if known.is_empty() {
            let message = format!("no vendor sends `{event_type}`");
            let types = self.vendors.iter().flat_map(|vendor| vendor.event_types());
            let types: BTreeSet<&str> = types.collect();
            let problem = Problem::at(&form.type_.span, code::UNKNOWN_EVENT, message);
            self.problems.push(problem.known(&event_type, types));
        }
        let data: Vec<&FieldDefaults> =
            known.iter().filter_map(|rule| rule.data.as_ref()).collect();
        if !data.is_empty() {
            self.check_data(&form.data.entries(), &data, &format!("`{event_type}`"), &[]);
        }
        let body = self.texts.data(&form.data.entries(), &form.span, self.problems);
        let action = Action::Emit { by: by?, event_type, data: serde_json::Map::new() };
        Some(ActionPlan { data: Some(body?), ..ActionPlan::ready(action) })
    }

    /// At least one vendor must know each key; those that know it must be able to hold the value.
    fn check_data(
        &mut self,
        given: &[(Key, SyntaxNode)],
        known: &[&FieldDefaults],
        what: &str,
        others: &[&str],
    ) {
        for (key, node) in given {
            let takers: Vec<&&FieldDefaults> =
                known.iter().filter(|data| data.has(&key.name)).collect();
            if takers.is_empty() {
                let message = format!("{what} has no `{}`", key.name);
                let problem = Problem::at(&key.span, code::UNKNOWN_DATA, message);
                let names: BTreeSet<&str> = known
                    .iter()
                    .flat_map(|data| data.keys())
                    .chain(others.iter().copied())
                    .collect();
                self.problems.push(problem.known(&key.name, names));
            }
            if let Some(problem) =
                takers.iter().find_map(|data| data.type_mismatch(&key.name, node))
            {
                self.problems.push(problem);
            }
        }
    }

    /// Nothing where a scenario names more of something than it may; it is told where they become
    /// too many.
    fn few_enough(&mut self, span: &SourceSpan, named: Range<usize>, what: &str) -> Option<()> {
        if named.end <= MAX_NAMED {
            return Some(());
        }
        if named.start <= MAX_NAMED {
            let message = format!("more than {MAX_NAMED} {what}");
            let problem = Problem::at(span, code::TOO_MANY, message);
            self.problems.push(problem.help("tell it in several scenarios"));
        }
        None
    }

    fn entity_kind(&mut self, name: &Spanned<String>) -> Option<String> {
        let known = self.entities.get(&name.value).cloned();
        if known.is_none() {
            let message = format!("no earlier step creates `{}`", name.value);
            let problem = Problem::at(&name.span, code::NO_SUCH_STEP, message);
            self.problems.push(problem.known(name, self.entities.keys().map(String::as_str)));
        }
        known
    }

    fn who_or(&mut self, by: Option<&Spanned<String>>, otherwise: Role) -> Option<Actor> {
        match by {
            Some(by) => self.who(by),
            None => {
                let found = self.cast.iter().find(|member| member.role == otherwise);
                found.map(|member| Actor::Member(member.name.clone()))
            }
        }
    }

    fn who(&mut self, name: &Spanned<String>) -> Option<Actor> {
        if name.value == ASSIGNEE {
            return Some(Actor::Assignee);
        }
        self.member(name, &[ASSIGNEE])
    }

    /// Somebody of the cast, by name or role. `others` are the names that would do as well.
    fn member(&mut self, name: &Spanned<String>, others: &[&str]) -> Option<Actor> {
        if self.cast.iter().any(|member| member.name == name.value) {
            return Some(Actor::Member(name.value.clone()));
        }
        if self.form.cast.contains(&name.value) {
            return None; // told already, where the cast is read
        }
        let Some(role) = Role::of_word(&name.value) else {
            let message = format!("nobody is called `{}`", name.value);
            let problem = Problem::at(&name.span, code::UNKNOWN_PERSON, message);
            let cast = self.cast.iter().map(|member| member.name.as_str());
            let known = cast.chain(self.form.cast.names()).chain(others.iter().copied());
            let known: BTreeSet<&str> = known.collect();
            self.problems.push(problem.known(name, known));
            return None;
        };
        let named: Vec<&str> =
            self.cast.iter().filter(|m| m.role == role).map(|m| m.name.as_str()).collect();
        match named.as_slice() {
            [one] => Some(Actor::Member((*one).to_owned())),
            [] => {
                let message = format!("the cast has no {role}");
                let problem = Problem::at(&name.span, code::UNKNOWN_PERSON, message);
                self.problems
                    .push(problem.help(format!("add one: `[cast.NAME]` with `role = \"{role}\"`")));
                None
            }
            many => {
                let message = format!("the cast has more than one {role}: {}", many.join(", "));
                let problem = Problem::at(&name.span, code::AMBIGUOUS_PERSON, message);
                self.problems.push(problem.help("use the name"));
                None
            }
        }
    }

    /// The id, where an earlier step has it and somebody says something in that.
    fn said_in(&mut self, id: &Spanned<String>) -> Option<String> {
        let seen = self.seen.get(&id.value);
        if seen.is_some_and(|seen| seen.says) {
            return Some(id.value.clone());
        }
        let is_it = |own: &Spanned<String>| own.value == id.value;
        let later =
            self.form.step.iter().filter_map(|step| step.id.as_ref()).find(|own| is_it(own));
        let said = self.seen.iter().filter(|(_, seen)| seen.says);
        let problem = |message| Problem::at(&id.span, code::NO_SUCH_STEP, message);
        let problem = match (seen, later) {
            (Some(_), _) => problem(format!("the step `{}` says nothing", id.value))
                .help("give the id of a step with `say`"),
            (None, Some(later)) => problem(format!("the step `{}` comes later", id.value))
                .also(&later.span, "here")
                .help("only what has been said can be read"),
            (None, None) => problem(format!("no earlier step has the id `{}`", id.value))
                .known(id, said.map(|(name, _)| name.as_str())),
        };
        self.problems.push(problem);
        None
    }
}
