//! Checks a scenario against the vendors it is to be played at.
//!
//! Whether its acts can happen in their order is left to the dry run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ParsedScenario;
use super::actions::{ActionForm, read_action};
use super::cast::{self, CastMember};
use super::dry_check;
use super::faults;
use super::forms::{OverrideForm, ScenarioForm, StepForm};
use super::repeat::{self, StepRound};
use super::script::{Override, Script, Step};
use super::text::Texts;
use crate::diag::{Problem, Problems, SourceSpan, Spanned, TableOf, code};
use crate::fault::Faults;
use crate::platform::{Platform, Subscription, VendorRef};
use crate::policy::StatusSet;

/// Checks a scenario for the vendors that it is `played` at. What one of them lacks is left out
/// there; what none of the vendors has that are `known` is a problem.
pub fn check(
    draft: ParsedScenario,
    played: &[Arc<Platform>],
    known: &[Arc<Platform>],
) -> Result<Script, Problems> {
    let others = known.iter().filter(|v| !played.iter().any(|own| own.full_id() == v.full_id()));
    let vendors: Vec<Arc<Platform>> = played.iter().chain(others).cloned().collect();
    let ParsedScenario { source, form, mut problems } = draft;
    let (form, file) = (&form, source.name.as_str());
    let cast = cast::check(form, &mut problems);
    let texts = Texts::of(&cast);
    let mut checker = ScenarioChecker {
        form,
        cast: &cast,
        texts,
        vendors: &vendors,
        seen: BTreeMap::new(),
        counts: BTreeMap::new(),
        entities: BTreeMap::new(),
        labels: BTreeSet::new(),
        problems: &mut problems,
    };
    checker.declared_vendors();
    let steps = checker.steps();
    let subscribe = checker.subscriptions();
    let faults = checker.everywhere();
    let verify = checker.verify();
    let mut cannot = BTreeMap::new();
    if problems.is_empty() {
        let only_one = form.vendors.as_ref().is_some_and(|vendors| vendors.len() == 1);
        cannot = dry_check::run(&cast, &steps, played, only_one, &mut problems);
        cannot.extend(faults::cannot(form, &steps, played, &mut problems));
    }
    let name = form.name.as_ref().map_or(file, |name| name.as_str()).to_owned();
    let file = file.to_owned();
    let script = Script {
        name,
        file,
        cast,
        steps,
        only_last: false,
        subscribe,
        faults,
        chaos: None,
        verify,
        cannot,
    };
    problems.or(Some(script))
}

pub(super) struct ScenarioChecker<'a> {
    pub(super) form: &'a ScenarioForm,
    pub(super) cast: &'a [CastMember],
    pub(super) texts: Texts,
    pub(super) vendors: &'a [Arc<Platform>],
    /// Steps with an id so far.
    pub(super) seen: BTreeMap<String, DeclaredNames>,
    /// How many steps without an id there are so far, by act and doer.
    counts: BTreeMap<String, usize>,
    /// Entities that steps so far have created, with their kind.
    pub(super) entities: BTreeMap<String, String>,
    /// Labels that steps so far put on.
    pub(super) labels: BTreeSet<String>,
    pub(super) problems: &'a mut Problems,
}

/// A step with an id that has been read.
pub(super) struct DeclaredNames {
    span: SourceSpan,
    /// Whether somebody says something in it.
    pub(super) says: bool,
}

impl ScenarioChecker<'_> {
    fn declared_vendors(&mut self) {
        for name in self.form.vendors.iter().flat_map(|names| names.iter()) {
            self.known_vendor(&VendorRef::parse(name).id, &name.span);
        }
    }

    fn steps(&mut self) -> Vec<Step> {
        let form = self.form;
        let order = repeat::order(&form.step, self.problems);
        order.into_iter().filter_map(|entry| self.step(&form.step[entry.step], entry)).collect()
    }

    /// A step as it happens; what is wrong with it is told in the first round only.
    fn step(&mut self, step: &StepForm, entry: StepRound) -> Option<Step> {
        let told = (entry.round > 1).then(|| std::mem::take(self.problems));
        let checked = self.step_of(step, entry);
        if let Some(told) = told {
            *self.problems = told;
        }
        checked
    }

    fn step_of(&mut self, step: &StepForm, entry: StepRound) -> Option<Step> {
        let action = read_action(&step.action, &step.span, StepForm::KEYS, self.problems);
        for vendor in step.only.iter().flat_map(|only| only.iter()) {
            self.known_vendor(&vendor.value, &vendor.span);
        }
        let says = action.as_ref().is_none_or(|(_, action)| matches!(action, ActionForm::Say(_)));
        let overrides = self.overrides(&step.for_);
        let planned = action.and_then(|(key, action)| Some((self.plan(&action, &key)?, key)));
        if let Some(id) = &step.id {
            self.remember(id, says);
        }
        let (action, key) = planned?;
        let label = match &step.id {
            Some(id) if entry.round == 1 => id.value.clone(),
            Some(id) => format!("{} {}", id.value, entry.round),
            None => {
                let kind = format!("{}.{}", key.name, action.doer());
                let count = self.counts.entry(kind.clone()).or_default();
                *count += 1;
                format!("{kind}.{count}")
            }
        };
        Some(Step {
            number: entry.step + 1,
            round: entry.round,
            span: key.span,
            table: step.span.clone(),
            label,
            faults: step.fault.as_ref().map_or_else(Faults::default, |own| self.faults(own)),
            id: step.id.as_ref().map(|id| id.value.clone()),
            after: step.after.as_ref().map(|after| after.value),
            only: step
                .only
                .as_ref()
                .map(|only| only.iter().map(|vendor| vendor.value.clone()).collect()),
            action,
            overrides,
        })
    }

    fn remember(&mut self, id: &Spanned<String>, says: bool) {
        if let Some(first) = self.seen.get(&id.value).filter(|first| first.span != id.span) {
            let message = format!("another step has the id `{}`", id.value);
            let problem = Problem::at(&id.span, code::DUPLICATE_ID, message);
            self.problems.push(
                problem.also(&first.span, "first here").help("give each step an id of its own"),
            );
        }
        self.seen.insert(id.value.clone(), DeclaredNames { span: id.span.clone(), says });
    }

    fn overrides(&mut self, form: &TableOf<OverrideForm>) -> BTreeMap<String, Override> {
        let mut overrides = BTreeMap::new();
        for (vendor, own) in form.iter() {
            self.known_vendor(&vendor.name, &vendor.span);
            let action = if own.action.is_empty() {
                if own.skip.is_none() && own.after.is_none() {
                    let message = format!("nothing is different at `{}`", vendor.name);
                    let problem = Problem::at(&vendor.span, code::EMPTY, message);
                    self.problems.push(problem.help("give `skip`, `after` or another act"));
                }
                None
            } else {
                let action = read_action(&own.action, &own.span, OverrideForm::KEYS, self.problems);
                if let (Some((key, _)), Some(skip)) = (&action, &own.skip) {
                    let message =
                        format!("the step is skipped at `{}`, so this never happens", vendor.name);
                    let problem = Problem::at(&key.span, code::CONTRADICTION, message);
                    self.problems
                        .push(problem.also(&skip.span, "skipped here").help("keep one of the two"));
                }
                action.and_then(|(key, action)| self.plan(&action, &key))
            };
            let skip = own.skip.as_ref().map(|skip| skip.value.clone());
            let after = own.after.as_ref().map(|after| after.value);
            overrides.insert(vendor.name.clone(), Override { skip, after, action });
        }
        overrides
    }

    /// There must be such a vendor, and the scenario must be played there.
    fn known_vendor(&mut self, id: &str, span: &SourceSpan) {
        let problem = |message| Problem::at(span, code::UNKNOWN_VENDOR, message);
        if !self.vendors.iter().any(|vendor| vendor.id == id) {
            let known = self.vendors.iter().map(|vendor| vendor.id.as_str());
            let known: BTreeSet<&str> = known.collect();
            self.problems.push(problem(format!("unknown vendor `{id}`")).known(id, known));
        } else if !self.form.is_for(&VendorRef::parse(id)) {
            let problem = problem(format!("the scenario is not played at `{id}`"));
            self.problems
                .push(problem.help(format!("add `{id}` to `vendors`, or leave it out here")));
        }
    }

    fn subscriptions(&mut self) -> BTreeMap<String, Subscription> {
        let mut subscriptions = BTreeMap::new();
        for (vendor, patterns) in self.form.subscribe.iter() {
            self.known_vendor(&vendor.name, &vendor.span);
            if let Some(played) = self.vendors.iter().find(|played| played.id == vendor.name) {
                let checked = Subscription::check(patterns, &played.type_names(), self.problems);
                subscriptions.insert(vendor.name.clone(), checked);
            }
        }
        subscriptions
    }

    fn verify(&mut self) -> Option<StatusSet> {
        let parts = &self.form.verify.as_ref()?.status;
        for part in parts.iter() {
            if let Err(error) = StatusSet::parse([part.as_str()]) {
                let problem = Problem::at(&part.span, code::UNKNOWN_STATUS, error.to_string());
                self.problems.push(problem.help("for example: `status = [\"2xx\", \"410\"]`"));
            }
        }
        StatusSet::parse(parts.iter().map(|part| part.as_str())).ok()
    }
}
