//! Checks a parsed scenario against the vendors it runs at, and builds the script.
//!
//! Each step is checked by itself here. `dry_check` checks the order of the actions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use url::Url;

use super::actions::{ActionForm, point_to_step, read_action};
use super::call_check::{CallChecker, DeclaredCaptures};
use super::call_form::OnForm;
use super::capture::{Capture, CaptureSource, check_captures};
use super::cast;
use super::declared::Declared;
use super::delivery_want::check_delivery_want;
use super::dry_check::DryCheck;
use super::expectation::ExpectationPlan;
use super::expectation_check::{self, ExpectationChecker};
use super::faults;
use super::forms::{OverrideForm, ScenarioForm, StepForm};
use super::groups::{self, PlacedStep};
use super::patch::{PatchPlan, check_patch};
use super::patch_form::PatchForm;
use super::plan::{ActionPlanner, DeclaredStep};
use super::read::ParsedScenario;
use super::repeat::{self, StepRound};
use super::script::{Override, Reaction, Script, Step, StepPlan};
use super::script_conversations::ConversationNames;
use super::text::Texts;
use super::variable_inputs::Row;
use super::want::check_verify;
use super::when::{Conditions, check_conditions};
use super::when_form::ConditionsForm;
use crate::base::text::{NAME_RULE, is_name};
use crate::diag::{Key, Problem, Problems, SourceSpan, Spanned, TableOf, code};
use crate::fault::Faults;
use crate::platform::{Platform, Subscription, VendorRef};

/// Checks a scenario and returns its script.
///
/// `targets` are the vendors to run it at. A target skips what it does not support. `known` are
/// further vendors whose names, kinds and events are valid in the file.
///
/// # Errors
///
/// Returns all problems of the file, including those found while reading it.
pub fn check(
    parsed: ParsedScenario,
    targets: &[Arc<Platform>],
    known: &[Arc<Platform>],
) -> Result<Script, Problems> {
    let is_target =
        |vendor: &Platform| targets.iter().any(|target| target.full_id() == vendor.full_id());
    let others = known.iter().filter(|vendor| !is_target(vendor));
    let vendors: Vec<Arc<Platform>> = targets.iter().chain(others).cloned().collect();
    let mut problems = Problems::new();
    let variables = parsed.variables(&mut problems);
    if let Some(path) = parsed.form.include.as_ref().and_then(|paths| paths.first()) {
        let message = "files cannot be included here";
        let problem = Problem::at(&path.span, code::INCLUDE, message);
        problems.push(problem.help("write `vars`, `cast` and `group` into the scenario itself"));
    }
    let ParsedScenario { source, form, problems: read_problems, row, inputs, attachments } = parsed;
    problems.extend(read_problems);
    let (form, file) = (&form, source.name.as_str());
    let cast = cast::check(form, &variables.values, &mut problems);
    let texts = Texts::of(&cast, &variables.values);
    let is_only_vendor = form.vendors.as_ref().is_some_and(|vendors| vendors.len() == 1);
    let valid_names = if is_only_vendor { named_vendors(form, &vendors) } else { vendors.clone() };
    let mut planner = ActionPlanner::new(form, &cast, &valid_names, texts, &mut problems);
    planner.attachments = attachments;
    let mut checker = ScenarioChecker {
        form,
        vendors: &vendors,
        variables: &variables.values,
        origins: &inputs.origins,
        counts: BTreeMap::new(),
        captures: BTreeMap::new(),
        planner,
    };
    checker.check_vendor_names();
    let placed = groups::place(form, checker.problems());
    let names = ConversationNames::of(&placed, checker.problems());
    let steps = checker.steps(&placed, &names);
    let conversations = names.conversations(&steps, &cast);
    let subscribe = checker.subscriptions();
    let faults = faults::check_script_faults(form.faults.as_ref(), checker.problems());
    let verify = check_verify(form.verify.as_ref(), checker.problems());
    let reactions = checker.reactions(conversations.len());
    let captures = checker.captures;
    let expects = steps.iter().any(|step| matches!(step.plan, StepPlan::Expect(_)));
    let mut unsupported = BTreeMap::new();
    // Steps with problems are missing from the script, so the dry run would report their followers.
    if problems.is_empty() {
        let dry_run = DryCheck {
            cast: &cast,
            conversations: &conversations,
            steps: &steps,
            captures: &captures,
            variables: &variables.values,
            surveys: targets.iter().any(|vendor| vendor.rules().surveys),
            is_only_vendor,
        };
        unsupported = dry_run.run(targets, &mut problems);
        unsupported.extend(faults::unsupported(form, &steps, targets, &mut problems));
    }
    let script = Script {
        name: title(form, file, row.as_deref()),
        file: file.to_owned(),
        tags: check_tags(&form.tags, &mut problems),
        cast,
        steps,
        conversations,
        only_last: false,
        subscribe,
        faults,
        chaos: None,
        verify,
        awaits_deliveries: !captures.is_empty() || expects,
        captures,
        reactions,
        unsupported,
        variables: Arc::new(variables.values),
        environment: variables.environment,
        seed: form.seed.as_ref().map(|seed| seed.value),
        start: form.start.as_ref().map(|start| start.value),
    };
    problems.pointing_to_top(ScenarioForm::KEYS).into_result(Some(script))
}

/// Returns the vendors that the scenario names, or all if none of them exists.
// A step that its only vendor does not support is an error anyway. With the names of this vendor, the
// error points to the name and lists what could be meant.
fn named_vendors(form: &ScenarioForm, vendors: &[Arc<Platform>]) -> Vec<Arc<Platform>> {
    let named: Vec<_> =
        vendors.iter().filter(|vendor| form.is_for(&vendor.reference())).cloned().collect();
    if named.is_empty() { vendors.to_vec() } else { named }
}

/// Checks the tags of a scenario.
fn check_tags(tags: &[Spanned<String>], problems: &mut Problems) -> Vec<String> {
    for tag in tags.iter().filter(|tag| !is_name(tag)) {
        let message = format!("invalid tag `{}`", tag.value);
        let problem = Problem::at(&tag.span, code::RESERVED_NAME, message);
        problems.push(problem.help(format!("a tag is {NAME_RULE}")));
    }
    tags.iter().map(|tag| tag.value.clone()).collect()
}

/// Returns the name of the script of a row.
fn title(form: &ScenarioForm, file: &str, row: Option<&Row>) -> String {
    let title = form.name.as_ref().map_or(file, |name| name.as_str());
    row.map_or_else(|| title.to_owned(), |row| format!("{title}, {}", row.label))
}

struct ScenarioChecker<'a> {
    form: &'a ScenarioForm,
    vendors: &'a [Arc<Platform>],
    variables: &'a Map<String, Json>,
    /// The origins that the operator granted.
    origins: &'a [Url],
    /// Number of steps without an id so far, by action and actor.
    counts: BTreeMap<String, usize>,
    /// Captures of the steps so far, by step number.
    captures: BTreeMap<usize, Arc<[Capture]>>,
    planner: ActionPlanner<'a>,
}

impl ScenarioChecker<'_> {
    fn problems(&mut self) -> &mut Problems {
        self.planner.problems
    }

    fn check_vendor_names(&mut self) {
        for name in self.form.vendors.iter().flat_map(|names| names.iter()) {
            self.check_vendor(&VendorRef::parse(name).id, &name.span);
        }
    }

    /// Returns the steps of these places.
    fn steps(&mut self, placed: &[PlacedStep<'_>], names: &ConversationNames<'_>) -> Vec<Step> {
        let order = repeat::order(placed, self.planner.problems);
        let step = |entry: StepRound| {
            let placed = &placed[entry.step];
            self.planner.conversation = names.index(placed);
            self.step(placed, entry)
        };
        order.into_iter().filter_map(step).collect()
    }

    /// Checks one execution of a step.
    fn step(&mut self, step: &PlacedStep<'_>, entry: StepRound) -> Option<Step> {
        if entry.round == 1 {
            return self.check_step(step, entry);
        }
        // Repetitions have the same problems as the first round, which are reported already.
        let reported = std::mem::take(self.planner.problems);
        let checked = self.check_step(step, entry);
        *self.planner.problems = reported;
        checked
    }

    fn check_step(&mut self, placed: &PlacedStep<'_>, entry: StepRound) -> Option<Step> {
        let step = placed.form;
        let reported = self.problems().len();
        self.planner.scope.clone_from(&placed.scope);
        let action = read_action(&step.action, &step.span, StepForm::KEYS, self.planner.problems);
        for vendor in placed.only.iter().copied().flatten() {
            self.check_vendor(&vendor.value, &vendor.span);
        }
        // An unreadable action counts as a message, so that `upto` its id is not reported as well.
        let says = action.as_ref().is_none_or(|(_, action)| matches!(action, ActionForm::Say(_)));
        let overrides = self.overrides(&step.for_);
        let source = match &action {
            Some((_, ActionForm::Expect(_) | ActionForm::ExpectNone(_))) => CaptureSource::Call,
            _ => CaptureSource::Response,
        };
        let captures = check_captures(&step.capture, &step.example, source, self.planner.problems);
        let planned = action
            .and_then(|(key, action)| Some((self.plan(step, &key, &action, &captures)?, key)));
        point_to_step(step, reported, self.problems());
        let when = step.when.as_ref().map(|when| Arc::new(self.conditions(when)));
        // After the action is planned: a step cannot refer to itself.
        if let (Some(id), Some(full)) = (&step.id, placed.id()) {
            self.declare_step(id, full, says);
        }
        self.planner.texts.declare_captures(&captures, &step.capture, self.planner.problems);
        let (plan, key) = planned?;
        self.refuse_lost_captures(step, &plan, &overrides);
        if matches!(plan, StepPlan::Act(_)) && !captures.is_empty() {
            self.captures.insert(entry.step + 1, captures.into());
        }
        // Labels name the seed scopes of generated values. Ids and counts by actor, unlike step
        // numbers, keep the values of most other steps when a step is inserted.
        let scope =
            placed.scope.as_ref().map(|scope| format!("{}/", scope.name)).unwrap_or_default();
        let label = match &step.id {
            Some(id) if entry.round == 1 => format!("{scope}{}", id.value),
            Some(id) => format!("{scope}{} {}", id.value, entry.round),
            None => {
                let kind = format!("{scope}{}.{}", key.name, plan.actor_name());
                let count = self.counts.entry(kind.clone()).or_default();
                *count += 1;
                format!("{kind}.{count}")
            }
        };
        Some(Step {
            number: entry.step + 1,
            round: entry.round,
            conversation: self.planner.conversation,
            span: key.span,
            table: step.span.clone(),
            label,
            faults: step.fault.as_ref().map_or_else(Faults::default, |requested| {
                faults::check(requested, self.planner.problems)
            }),
            want: step.want.as_ref().map(|want| {
                Arc::new(check_delivery_want(want, self.variables, self.planner.problems))
            }),
            when,
            id: placed.id(),
            patch: self.patch(step.patch.as_ref()),
            after: placed.after,
            only: placed.only(),
            plan,
            overrides,
        })
    }

    /// Plans what a step does.
    fn plan(
        &mut self,
        step: &StepForm,
        key: &Key,
        action: &ActionForm,
        captures: &[Capture],
    ) -> Option<StepPlan> {
        let is_expectation = matches!(
            action,
            ActionForm::Eventually(_)
                | ActionForm::Request(_)
                | ActionForm::Expect(_)
                | ActionForm::ExpectNone(_)
        );
        if !is_expectation {
            return self.planner.plan(action, key).map(|plan| StepPlan::Act(Box::new(plan)));
        }
        self.refuse_keys_of_deliveries(step, key);
        let node = step.action.iter().find(|(own, _)| own.name == key.name);
        let node = node.map(|(_, node)| node.to_json()).unwrap_or_default();
        let declared = expectation_check::declared(&key.name, &node, captures);
        let plan = self.expectation(step, action, captures, declared)?;
        Some(StepPlan::Expect(plan))
    }

    fn expectation(
        &mut self,
        step: &StepForm,
        action: &ActionForm,
        captures: &[Capture],
        declared: Json,
    ) -> Option<ExpectationPlan> {
        let (texts, problems) = (&self.planner.texts, &mut *self.planner.problems);
        if matches!(action, ActionForm::Expect(_) | ActionForm::ExpectNone(_)) {
            let mut checker = CallChecker { texts, vendors: self.planner.vendors, problems };
            let captures = DeclaredCaptures { written: &step.capture, checked: captures };
            let plan = match action {
                ActionForm::Expect(form) => checker.expect(form, captures, declared),
                ActionForm::ExpectNone(form) => checker.expect_none(form, captures, declared),
                _ => None,
            };
            return Some(ExpectationPlan::Call(Arc::new(plan?)));
        }
        let mut checker = ExpectationChecker { texts, origins: self.origins, problems };
        let plan = match action {
            ActionForm::Eventually(form) => checker.eventually(form, captures.to_vec(), declared),
            ActionForm::Request(form) => checker.request(form, captures.to_vec(), declared),
            _ => None,
        };
        Some(ExpectationPlan::Request(Arc::new(plan?)))
    }

    /// Reports captures from a call or response that another action at a vendor replaces.
    fn refuse_lost_captures(
        &mut self,
        step: &StepForm,
        plan: &StepPlan,
        overrides: &BTreeMap<String, Override>,
    ) {
        let Some((first, _)) = step.capture.iter().next() else { return };
        let is_lost = |name: &str| overrides.get(name).is_some_and(|own| own.plan.is_some());
        if matches!(plan, StepPlan::Act(_)) {
            return;
        }
        for (vendor, changes) in step.for_.iter().filter(|(vendor, _)| is_lost(&vendor.name)) {
            let span = changes.action.first().map_or(&vendor.span, |(key, _)| &key.span);
            let message = format!(
                "`capture` of the step has no effect at `{}`, where this replaces its expectation",
                vendor.name
            );
            let problem = Problem::at(span, code::CONTRADICTION, message);
            let problem = problem.also(&first.span, "captured here");
            self.planner.problems.push(
                problem.help(
                    "write `skip = \"…\"` instead, and add a step with `only` for this vendor",
                ),
            );
        }
    }

    /// Reports keys of a step that have no effect, because it has no deliveries.
    fn refuse_keys_of_deliveries(&mut self, step: &StepForm, key: &Key) {
        let fault = step.fault.as_ref().and_then(|faults| faults.first());
        let keys = [
            ("fault", fault.map(|fault| &fault.span)),
            ("want", step.want.as_ref().map(Declared::span)),
            ("patch", step.patch.as_ref().map(|patch| &patch.span)),
        ];
        for (name, span) in keys {
            let Some(span) = span else { continue };
            let message = format!("`{}` causes no delivery, so `{name}` has no effect", key.name);
            let problem = Problem::at(span, code::CONTRADICTION, message);
            let help = if key.name == "request" && name == "want" {
                "write it into the table `request`"
            } else {
                "move it to a step with an action"
            };
            self.planner.problems.push(problem.help(help));
        }
    }

    /// Checks what happens whenever a call comes.
    fn reactions(&mut self, conversations: usize) -> Vec<Reaction> {
        if let (Some(reaction), true) = (self.form.on.first(), conversations > 1) {
            let message = "a scenario with several conversations cannot have `[[on]]`";
            let problem = Problem::at(&reaction.call.span, code::CONTRADICTION, message);
            self.problems().push(problem.help("wait for the calls with `expect` steps"));
        }
        self.planner.scope = None;
        // Reactions cannot have files.
        self.planner.attachments = None;
        self.form.on.iter().filter_map(|form| self.reaction(form)).collect()
    }

    fn reaction(&mut self, form: &OnForm) -> Option<Reaction> {
        let mut declared = Vec::new();
        let mut actions = Vec::new();
        for node in form.do_.iter() {
            declared.push(node.to_json());
            let Some(table) = node.as_table() else {
                let message = format!("expected an action, found {}", node.kind());
                let problem = Problem::at(&node.span, code::INVALID_TYPE, message);
                let help = "example: `do = [{ assign = { to = \"agent\" } }]`";
                self.planner.problems.push(problem.help(help));
                continue;
            };
            let action = read_action(&table.0, &node.span, &[], self.planner.problems);
            actions.extend(action.map(|(key, action)| self.planner.plan(&action, &key)));
        }
        let (texts, problems) = (&self.planner.texts, &mut *self.planner.problems);
        let mut checker = CallChecker { texts, vendors: self.planner.vendors, problems };
        let pattern = checker.pattern(&form.call, form.matches.as_ref());
        let matches = form.matches.as_ref().map(Declared::to_json);
        let declared = json!(["on", form.call.value, matches, declared]);
        let (pattern, span) = (pattern?, form.call.span.clone());
        Some(Reaction {
            pattern,
            actions: actions.into_iter().collect::<Option<_>>()?,
            span,
            declared,
        })
    }

    fn patch(&mut self, form: Option<&PatchForm>) -> Option<Arc<PatchPlan>> {
        form.map(|form| Arc::new(check_patch(form, &self.planner.texts, self.planner.problems)))
    }

    fn conditions(&mut self, form: &ConditionsForm) -> Conditions {
        for (name, span) in form.captured() {
            self.planner.texts.check_example(name, span, self.planner.problems);
        }
        check_conditions(form, self.variables, &self.planner.texts, self.planner.problems)
    }

    fn declare_step(&mut self, id: &Spanned<String>, full: String, says: bool) {
        if let Some(first) = self.planner.steps.get(&full).filter(|first| first.span != id.span) {
            let message = format!("another step has the id `{}`", id.value);
            let problem = Problem::at(&id.span, code::DUPLICATE_ID, message);
            self.planner
                .problems
                .push(problem.also(&first.span, "first step").help("each id must be unique"));
        }
        let declared =
            DeclaredStep { span: id.span.clone(), says, conversation: self.planner.conversation };
        self.planner.steps.insert(full, declared);
    }

    fn overrides(&mut self, form: &TableOf<OverrideForm>) -> BTreeMap<String, Override> {
        let mut overrides = BTreeMap::new();
        for (vendor, changes) in form.iter() {
            self.check_vendor(&vendor.name, &vendor.span);
            let action = if changes.action.is_empty() {
                if changes.skip.is_none() && changes.after.is_none() && changes.patch.is_none() {
                    let message = format!("no changes for vendor `{}`", vendor.name);
                    let problem = Problem::at(&vendor.span, code::EMPTY, message);
                    self.planner
                        .problems
                        .push(problem.help("add `skip`, `after`, `patch` or another action"));
                }
                None
            } else {
                let action = read_action(
                    &changes.action,
                    &changes.span,
                    OverrideForm::KEYS,
                    self.planner.problems,
                );
                if let (Some((key, _)), Some(skip)) = (&action, &changes.skip) {
                    let message =
                        format!("the step is skipped at `{}`, so this has no effect", vendor.name);
                    let problem = Problem::at(&key.span, code::CONTRADICTION, message);
                    self.planner
                        .problems
                        .push(problem.also(&skip.span, "skipped here").help("remove one of them"));
                }
                action.and_then(|(key, action)| self.planner.plan(&action, &key))
            };
            let skip = changes.skip.as_ref().map(|skip| skip.value.clone());
            let after = changes.after.as_ref().map(|after| after.value);
            let patch = self.patch(changes.patch.as_ref());
            overrides.insert(
                vendor.name.clone(),
                Override {
                    skip,
                    after,
                    patch,
                    plan: action.map(|plan| StepPlan::Act(Box::new(plan))),
                },
            );
        }
        overrides
    }

    /// Reports a vendor that does not exist or that `vendors` does not include.
    fn check_vendor(&mut self, id: &str, span: &SourceSpan) {
        let problem = |message| Problem::at(span, code::UNKNOWN_VENDOR, message);
        if !self.vendors.iter().any(|vendor| vendor.id == id) {
            let known = self.vendors.iter().map(|vendor| vendor.id.as_str());
            let known: BTreeSet<&str> = known.collect();
            self.planner
                .problems
                .push(problem(format!("unknown vendor `{id}`")).suggest_or_list(id, known));
        } else if !self.form.is_for(&VendorRef::parse(id)) {
            let problem = problem(format!("the scenario does not run at `{id}`"));
            self.planner
                .problems
                .push(problem.help(format!("add `{id}` to `vendors`, or remove it here")));
        }
    }

    fn subscriptions(&mut self) -> BTreeMap<String, Subscription> {
        let mut subscriptions = BTreeMap::new();
        for (vendor, patterns) in self.form.subscribe.iter() {
            self.check_vendor(&vendor.name, &vendor.span);
            if let Some(platform) = self.vendors.iter().find(|known| known.id == vendor.name) {
                let types = platform.type_names();
                let checked = Subscription::check(patterns, &types, self.planner.problems);
                subscriptions.insert(vendor.name.clone(), checked);
            }
        }
        subscriptions
    }
}
