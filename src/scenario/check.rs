//! Checks a scenario against the vendors it is to be played at.
//!
//! Whether its acts can happen in their order is left to the dry run.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Draft;
use super::acts::{ActForm, read_act};
use super::cast::{self, CastMember};
use super::dry;
use super::forms::{OverrideForm, ScenarioForm};
use super::script::{Override, Script, Step};
use super::text::Texts;
use crate::base::limits::MAX_STEPS;
use crate::diag::{At, Named, Place, Problem, Problems, code};
use crate::policy::StatusSet;
use crate::vendor::{Subscription, Vendor};

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
        entities: BTreeMap::new(),
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
                    let kind = format!("{}.{}", key.name, plan.doer());
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
        let played_elsewhere = self.form.vendors.is_none();
        if !played_elsewhere && !self.ids.contains(&id) {
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
