//! Checks a scenario against the vendors it is to be played at.
//!
//! Whether its acts can happen in their order is left to the dry run.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Draft;
use super::acts::{ActForm, read_act};
use super::cast::{self, CastMember};
use super::dry;
use super::forms::{OverrideForm, ScenarioForm, StepForm};
use super::rounds::{self, Entry};
use super::script::{Override, Script, Step};
use super::text::Texts;
use crate::diag::{At, Named, Place, Problem, Problems, code};
use crate::policy::StatusSet;
use crate::vendor::{Subscription, Vendor};

/// Checks a scenario for the vendors that it is `played` at. What one of them lacks is left out
/// there; what none of the vendors has that are `known` is a problem.
pub fn check(
    draft: Draft,
    played: &[Arc<Vendor>],
    known: &[Arc<Vendor>],
) -> Result<Script, Problems> {
    let others = known.iter().filter(|vendor| !played.iter().any(|own| own.id == vendor.id));
    let vendors: Vec<Arc<Vendor>> = played.iter().chain(others).cloned().collect();
    let Draft { source, form, mut problems } = draft;
    let (form, file) = (&form, source.name.as_str());
    let cast = cast::check(form, &mut problems);
    let texts = Texts::of(&cast);
    let ids = vendors.iter().map(|vendor| vendor.id.as_str()).collect();
    let mut checker = Checker {
        form,
        cast: &cast,
        texts,
        vendors: &vendors,
        ids,
        seen: BTreeMap::new(),
        messages: 0,
        counts: BTreeMap::new(),
        entities: BTreeMap::new(),
        problems: &mut problems,
    };
    let steps = checker.steps();
    let subscribe = checker.subscriptions();
    let verify = checker.verify();
    let mut cannot = BTreeMap::new();
    if problems.is_empty() {
        cannot = dry::run(&cast, &steps, played, form.vendors.is_some(), &mut problems);
    }
    let name = form.name.as_ref().map_or(file, |name| name.as_str()).to_owned();
    let file = file.to_owned();
    let script = Script { name, file, cast, steps, from: 1, subscribe, verify, cannot };
    problems.or(Some(script))
}

pub(super) struct Checker<'a> {
    pub(super) form: &'a ScenarioForm,
    pub(super) cast: &'a [CastMember],
    pub(super) texts: Texts,
    pub(super) vendors: &'a [Arc<Vendor>],
    ids: Vec<&'a str>,
    /// Ids of steps so far, with the place of each and how many messages were said before it.
    pub(super) seen: BTreeMap<String, (Place, usize)>,
    messages: usize,
    /// How many steps without an id there are so far, by act and doer.
    counts: BTreeMap<String, usize>,
    /// Entities that steps so far have created, with their kind.
    pub(super) entities: BTreeMap<String, String>,
    pub(super) problems: &'a mut Problems,
}

impl Checker<'_> {
    fn steps(&mut self) -> Vec<Step> {
        let form = self.form;
        if form.step.is_empty() {
            let problem = Problem::at(&form.place, code::EMPTY, "the scenario has no steps");
            self.problems.push(problem.help("begin with `[[step]]` and `open = {}`"));
        }
        let order = rounds::order(&form.step, self.problems);
        order.into_iter().filter_map(|entry| self.step(&form.step[entry.step], entry)).collect()
    }

    /// A step as it happens; what is wrong with it is told in the first round only.
    fn step(&mut self, step: &StepForm, entry: Entry) -> Option<Step> {
        let told = (entry.round > 1).then(|| std::mem::take(self.problems));
        let checked = self.step_of(step, entry);
        if let Some(told) = told {
            *self.problems = told;
        }
        checked
    }

    fn step_of(&mut self, step: &StepForm, entry: Entry) -> Option<Step> {
        if let Some(id) = &step.id {
            self.remember(id);
        }
        let own = ["id", "after", "repeat", "only", "for"];
        let act = read_act(&step.act, &step.place, &own, self.problems);
        for vendor in &step.only {
            self.known_vendor(&vendor.value, &vendor.place);
        }
        let overrides = self.overrides(&step.for_);
        let (key, act) = act?;
        self.messages += usize::from(matches!(act, ActForm::Say(_)));
        let act = self.plan(&act, &key)?;
        let label = match &step.id {
            Some(id) if entry.round == 1 => id.value.clone(),
            Some(id) => format!("{} {}", id.value, entry.round),
            None => {
                let kind = format!("{}.{}", key.name, act.doer());
                let count = self.counts.entry(kind.clone()).or_default();
                *count += 1;
                format!("{kind}.{count}")
            }
        };
        Some(Step {
            number: entry.step + 1,
            round: entry.round,
            place: key.place,
            label,
            after: step.after.as_ref().map(|after| after.value),
            only: step.only.iter().map(|vendor| vendor.value.clone()).collect(),
            act,
            overrides,
        })
    }

    fn remember(&mut self, id: &At<String>) {
        if let Some((first, _)) = self.seen.get(&id.value).filter(|(first, _)| *first != id.place) {
            let message = format!("another step has the id `{}`", id.value);
            let problem = Problem::at(&id.place, code::DUPLICATE_ID, message);
            self.problems.push(problem.also(first, "first here"));
        }
        self.seen.insert(id.value.clone(), (id.place.clone(), self.messages));
    }

    fn overrides(&mut self, form: &Named<OverrideForm>) -> BTreeMap<String, Override> {
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
        if !self.form.is_for(id) || !self.ids.contains(&id) {
            let message = format!("the scenario is not played at `{id}`");
            let problem = Problem::at(place, code::UNKNOWN_VENDOR, message);
            self.problems.push(problem.known(id, self.ids.iter().copied()));
        }
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
