//! Checks a scenario against the vendors it is to be played at.
//!
//! Whether its acts can happen in their order is left to the dry run.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Draft;
use super::acts::{ActForm, read_act};
use super::cast::{self, CastMember};
use super::dry;
use super::forms::{AssignForm, OpenForm, SayForm, ScenarioForm};
use super::script::{ActPlan, Override, Script, Step};
use super::text::Texts;
use crate::base::limits::MAX_STEPS;
use crate::conversation::{Act, Role, Who};
use crate::diag::{At, Key, Place, Problem, Problems, code};
use crate::policy::StatusSet;
use crate::vendor::{Kind, Subscription, Vendor};

/// Checks a scenario for these vendors.
pub fn check(draft: Draft, vendors: &[Arc<Vendor>]) -> Result<Script, Problems> {
    let Draft { source, form, mut problems } = draft;
    let (form, file) = (&form, source.name.as_str());
    let cast = cast::check(form, &mut problems);
    let texts = Texts::of(&cast);
    let ids = vendors.iter().map(|vendor| vendor.id.as_str()).collect();
    let mut checker = Checker {
        form,
        cast: &cast,
        texts,
        vendors,
        ids,
        seen: BTreeMap::new(),
        problems: &mut problems,
    };
    let steps = checker.steps();
    let subscribe = checker.subscriptions();
    let verify = checker.verify();
    let mut cannot = BTreeMap::new();
    if problems.is_empty() {
        cannot = dry::run(&cast, &steps, vendors, form.vendors.is_some(), &mut problems);
    }
    let name = form.name.as_ref().map_or(file, |name| name.as_str()).to_owned();
    let script = Script { name, file: file.to_owned(), cast, steps, subscribe, verify, cannot };
    problems.or(Some(script))
}

struct Checker<'a> {
    form: &'a ScenarioForm,
    cast: &'a [CastMember],
    texts: Texts,
    vendors: &'a [Arc<Vendor>],
    ids: Vec<&'a str>,
    /// Ids of steps so far, with the place of each and how many messages were said before it.
    seen: BTreeMap<String, (Place, usize)>,
    problems: &'a mut Problems,
}

impl Checker<'_> {
    fn steps(&mut self) -> Vec<Step> {
        let form = self.form;
        if form.step.is_empty() {
            let problem = Problem::at(&form.place, code::EMPTY, "the scenario has no steps");
            self.problems.push(problem.help("begin with `[[step]]` and `open = {}`"));
        }
        if let Some(beyond) = form.step.get(MAX_STEPS) {
            let message = format!("{} steps, more than {MAX_STEPS}", form.step.len());
            self.problems.push(Problem::at(&beyond.place, code::TOO_MANY, message));
        }
        let mut steps = Vec::new();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut messages = 0;
        for (at, step) in form.step.iter().enumerate().take(MAX_STEPS) {
            if let Some(id) = &step.id {
                self.remember(id, messages);
            }
            let act =
                read_act(&step.act, &step.place, &["id", "after", "only", "for"], self.problems);
            for vendor in &step.only {
                self.known_vendor(&vendor.value, &vendor.place);
            }
            let overrides = self.overrides(&step.for_);
            let Some((key, act)) = act else { continue };
            messages += usize::from(matches!(act, ActForm::Say(_)));
            let Some(plan) = self.plan(&act, &key) else { continue };
            let label = match &step.id {
                Some(id) => id.value.clone(),
                None => {
                    let kind = format!("{}.{}", key.name, doer(&plan));
                    let count = counts.entry(kind.clone()).or_default();
                    *count += 1;
                    format!("{kind}.{count}")
                }
            };
            steps.push(Step {
                number: at + 1,
                place: key.place,
                label,
                after: step.after.as_ref().map(|after| after.value),
                only: step.only.iter().map(|vendor| vendor.value.clone()).collect(),
                act: plan,
                overrides,
            });
        }
        steps
    }

    fn remember(&mut self, id: &At<String>, messages: usize) {
        if let Some((first, _)) = self.seen.get(&id.value) {
            let message = format!("another step has the id `{}`", id.value);
            let problem = Problem::at(&id.place, code::DUPLICATE_ID, message);
            self.problems.push(problem.also(first, "first here"));
        }
        self.seen.insert(id.value.clone(), (id.place.clone(), messages));
    }

    fn overrides(
        &mut self,
        form: &crate::diag::Named<super::forms::OverrideForm>,
    ) -> BTreeMap<String, Override> {
        let mut overrides = BTreeMap::new();
        for (vendor, own) in form.iter() {
            self.known_vendor(&vendor.name, &vendor.place);
            let act = if own.act.is_empty() {
                if own.skip.is_none() && own.after.is_none() {
                    let message = format!("nothing is different at `{}`", vendor.name);
                    self.problems.push(Problem::at(&own.place, code::EMPTY, message));
                }
                None
            } else {
                let act = read_act(&own.act, &own.place, &["skip", "after"], self.problems);
                act.and_then(|(key, act)| self.plan(&act, &key))
            };
            let skip = own.skip.as_ref().map(|skip| skip.value.clone());
            let after = own.after.as_ref().map(|after| after.value);
            overrides.insert(vendor.name.clone(), Override { skip, after, act });
        }
        overrides
    }

    fn known_vendor(&mut self, id: &str, place: &Place) {
        let played_elsewhere = self.form.vendors.is_none();
        if !played_elsewhere && !self.ids.contains(&id) {
            let message = format!("the scenario is not played at `{id}`");
            let problem = Problem::at(place, code::UNKNOWN_VENDOR, message);
            self.problems.push(problem.known(id, self.ids.iter().copied()));
        }
    }

    fn plan(&mut self, act: &ActForm, key: &Key) -> Option<ActPlan> {
        let ready = match act {
            ActForm::Say(say) => return self.say(say),
            ActForm::Note(note) => {
                let by = self.who(&note.by);
                let text = self.texts.line(&note.text, self.problems);
                return Some(ActPlan::Note { by: by?, text: text? });
            }
            ActForm::Open(open) => self.open(open)?,
            ActForm::Assign(assign) => self.assign(assign, key)?,
            ActForm::Typing(typing) => {
                let on = typing.on.as_ref().is_none_or(|on| on.value);
                Act::Typing { by: self.who(&typing.by)?, on }
            }
            ActForm::Read(read) => {
                let by = self.who(&read.by);
                let upto = match &read.upto {
                    Some(id) => Some(self.messages_up_to(id)?),
                    None => None,
                };
                Act::Read { by: by?, upto }
            }
            ActForm::Join(form) => Act::Join { by: self.who(&form.by)? },
            ActForm::Leave(form) => Act::Leave { by: self.who(&form.by)? },
            ActForm::Close(form) => Act::Close { by: self.who(&form.by)? },
            ActForm::Reopen(form) => Act::Reopen { by: self.who(&form.by)? },
        };
        Some(ActPlan::Ready(ready))
    }

    fn open(&mut self, form: &OpenForm) -> Option<Act> {
        let by = match &form.by {
            Some(by) => self.who(by)?,
            None => Who::Member(self.of_role(Role::Visitor)?),
        };
        let assignee = match &form.assignee {
            Some(assignee) => Some(self.who(assignee)?),
            None => None,
        };
        let channel = form.channel.as_ref().map_or("web", |channel| channel.as_str()).to_owned();
        Some(Act::Open { by, channel, assignee })
    }

    fn assign(&mut self, form: &AssignForm, key: &Key) -> Option<Act> {
        if form.to.is_some() == form.skill.is_some() {
            let message = "`assign` hands the conversation to somebody or to a queue";
            let problem = Problem::at(&key.place, code::MISSING_KEY, message);
            self.problems.push(problem.help("give either `to` or `skill`"));
            return None;
        }
        let by = match &form.by {
            Some(by) => self.who(by)?,
            None => Who::Member(self.of_role(Role::System)?),
        };
        let to = match &form.to {
            Some(to) => Some(self.who(to)?),
            None => None,
        };
        let skill = form.skill.as_ref().map(|skill| skill.value.clone());
        Some(Act::Assign { to, skill, by, accept: form.accept.as_ref().map(|a| a.value) })
    }

    fn say(&mut self, form: &SayForm) -> Option<ActPlan> {
        let by = self.who(&form.by);
        let text = form.text.as_ref().map(|text| self.texts.line(text, self.problems));
        let data = self.texts.data(&form.data, &form.place, self.problems);
        let kind = form.kind.as_ref().map_or("text", |kind| kind.as_str());
        self.check_kind(form, kind);
        let text = match text {
            Some(text) => Some(text?),
            None => None,
        };
        Some(ActPlan::Say { by: by?, kind: kind.to_owned(), text, data: data? })
    }

    /// At least one vendor must know the kind and each piece of its data; one that knows it must be
    /// able to hold the value.
    fn check_kind(&mut self, form: &SayForm, kind: &str) {
        let known: Vec<&Kind> = self.vendors.iter().filter_map(|v| v.kinds.get(kind)).collect();
        if known.is_empty() {
            let place = form.kind.as_ref().map_or(&form.place, |kind| &kind.place);
            let message = format!("no vendor knows messages of the kind `{kind}`");
            let problem = Problem::at(place, code::UNKNOWN_KIND, message);
            let kinds = self.vendors.iter().flat_map(|vendor| vendor.kinds.keys());
            self.problems.push(problem.known(kind, kinds.map(String::as_str)));
            return;
        }
        for (key, node) in &form.data {
            let takers: Vec<&&Kind> =
                known.iter().filter(|k| k.data.contains_key(&key.name)).collect();
            if takers.is_empty() {
                let message = format!("messages of the kind `{kind}` have no `{}`", key.name);
                let problem = Problem::at(&key.place, code::UNKNOWN_DATA, message);
                let names = known.iter().flat_map(|kind| kind.data.keys()).map(String::as_str);
                self.problems.push(problem.known(&key.name, names.chain(["by", "kind", "text"])));
            }
            let misfit = takers.iter().find_map(|kind| kind.misfit(&key.name, node));
            misfit.into_iter().for_each(|problem| self.problems.push(problem));
        }
    }

    fn who(&mut self, name: &At<String>) -> Option<Who> {
        if name.value == "assignee" {
            return Some(Who::Assignee);
        }
        if self.cast.iter().any(|member| member.name == name.value) {
            return Some(Who::Member(name.value.clone()));
        }
        if self.form.cast.contains(&name.value) {
            return None; // told already, where the cast is read
        }
        let Some(role) = Role::of_word(&name.value) else {
            let message = format!("nobody is called `{}`", name.value);
            let problem = Problem::at(&name.place, code::UNKNOWN_PERSON, message);
            let cast = self.cast.iter().map(|member| member.name.as_str());
            let known = cast.chain(self.form.cast.names()).chain(["assignee"]);
            self.problems.push(problem.known(name, known));
            return None;
        };
        let named: Vec<&str> =
            self.cast.iter().filter(|m| m.role == role).map(|m| m.name.as_str()).collect();
        match named.as_slice() {
            [one] => Some(Who::Member((*one).to_owned())),
            [] => {
                let message = format!("the cast has no {role}");
                let problem = Problem::at(&name.place, code::UNKNOWN_PERSON, message);
                self.problems
                    .push(problem.help(format!("add one: `[cast.NAME]` with `role = \"{role}\"`")));
                None
            }
            many => {
                let message = format!("the cast has more than one {role}: {}", many.join(", "));
                let problem = Problem::at(&name.place, code::AMBIGUOUS_PERSON, message);
                self.problems.push(problem.help("use the name"));
                None
            }
        }
    }

    fn of_role(&self, role: Role) -> Option<String> {
        self.cast.iter().find(|member| member.role == role).map(|member| member.name.clone())
    }

    /// How many messages there are once the step of this id has happened.
    fn messages_up_to(&mut self, id: &At<String>) -> Option<usize> {
        let found = self.seen.get(&id.value).map(|(_, before)| before + 1);
        if found.is_none() {
            let message = format!("no earlier step has the id `{}`", id.value);
            let problem = Problem::at(&id.place, code::NO_SUCH_STEP, message);
            self.problems.push(problem.known(id, self.seen.keys().map(String::as_str)));
        }
        found
    }

    fn subscriptions(&mut self) -> BTreeMap<String, Subscription> {
        let mut subscriptions = BTreeMap::new();
        for (vendor, patterns) in self.form.subscribe.iter() {
            self.known_vendor(&vendor.name, &vendor.place);
            if let Some(played) = self.vendors.iter().find(|played| played.id == vendor.name) {
                let checked = Subscription::check(patterns, &played.event_types(), self.problems);
                subscriptions.insert(vendor.name.clone(), checked);
            }
        }
        subscriptions
    }

    fn verify(&mut self) -> Option<StatusSet> {
        let parts = &self.form.verify.as_ref()?.status;
        for part in parts {
            if let Err(error) = StatusSet::parse([part.as_str()]) {
                let problem = Problem::at(&part.place, code::UNKNOWN_STATUS, error.to_string());
                self.problems.push(problem);
            }
        }
        StatusSet::parse(parts.iter().map(|part| part.as_str())).ok()
    }
}

/// Who does it, for labels.
fn doer(plan: &ActPlan) -> String {
    let by = match plan {
        ActPlan::Say { by, .. } | ActPlan::Note { by, .. } => by,
        ActPlan::Ready(act) => act.by(),
    };
    match by {
        Who::Member(name) => name.clone(),
        Who::Assignee => "assignee".into(),
    }
}
