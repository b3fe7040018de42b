//! Named groups of steps. `use` inserts the steps of a group in its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::forms::{RepeatForm, ScenarioForm, StepForm};
use crate::base::duration::DurationRange;
use crate::base::limits::MAX_STEPS;
use crate::diag::{Problem, Problems, SourceSpan, Spanned, code};

/// A step in the order of the file, with the steps of groups in place of their uses.
#[derive(Clone, Debug)]
pub(super) struct PlacedStep<'a> {
    pub(super) form: &'a StepForm,
    /// Name of the use of a group that the step belongs to, such as `greeting` or `greeting.2`.
    pub(super) scope: Option<Arc<UseScope>>,
    /// Name of its conversation: its own, or that of the innermost use with one.
    pub(super) conversation: Option<&'a Spanned<String>>,
    /// Time since the previous step.
    pub(super) after: Option<DurationRange>,
    /// Lists of vendors, all of which limit the step.
    pub(super) only: Vec<&'a [Spanned<String>]>,
    /// Repetitions that end with the step. More than one is an error.
    pub(super) repeats: Vec<PlacedRepeat<'a>>,
}

/// A repetition of steps, or of a group.
#[derive(Clone, Debug)]
pub(super) struct PlacedRepeat<'a> {
    pub(super) form: &'a RepeatForm,
    /// Index of the first step if `from` is not set.
    pub(super) first: usize,
    /// The use of a group in which `from` is looked up.
    pub(super) scope: Option<Arc<UseScope>>,
}

impl PlacedStep<'_> {
    /// Returns the id of the step, with the use of its group before it.
    pub(super) fn id(&self) -> Option<String> {
        self.form.id.as_ref().map(|id| scoped(self.scope.as_deref(), &id.value))
    }

    /// Returns the vendors at which the step runs; `None` for all.
    pub(super) fn only(&self) -> Option<Vec<String>> {
        let (first, others) = self.only.split_first()?;
        let is_in = |id: &&Spanned<String>, list: &&[Spanned<String>]| {
            list.iter().any(|other| other.value == id.value)
        };
        let common = first.iter().filter(|id| others.iter().all(|list| is_in(id, list)));
        Some(common.map(|id| id.value.clone()).collect())
    }
}

/// A use of a group, in which the ids of its steps are unique.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UseScope {
    /// Its name, such as `greeting`, with that of the use around it.
    pub(super) name: String,
    outer: Option<Arc<Self>>,
}

/// Returns the name of something in the use of a group.
pub(super) fn scoped(scope: Option<&UseScope>, name: &str) -> String {
    scope.map_or_else(|| name.to_owned(), |scope| format!("{}.{name}", scope.name))
}

/// Returns the names that an id can stand for, from the innermost use of a group outwards.
pub(super) fn candidates<'a>(
    scope: Option<&'a UseScope>,
    id: &'a str,
) -> impl Iterator<Item = String> {
    let scopes = std::iter::successors(scope, |scope| scope.outer.as_deref());
    scopes.map(|scope| scoped(Some(scope), id)).chain([id.to_owned()])
}

/// Returns the steps of a scenario with the steps of its groups in their places.
pub(super) fn place<'a>(form: &'a ScenarioForm, problems: &mut Problems) -> Vec<PlacedStep<'a>> {
    let mut placer = GroupPlacer {
        form,
        placed: Vec::new(),
        scopes: BTreeMap::new(),
        chain: Vec::new(),
        uses: 0,
        problems,
    };
    for step in &form.step {
        placer.place(step, &UseContext::default());
    }
    placer.placed
}

struct GroupPlacer<'a, 'p> {
    form: &'a ScenarioForm,
    placed: Vec<PlacedStep<'a>>,
    /// Number of uses so far, by name, with the id of the last one.
    scopes: BTreeMap<String, (usize, SourceSpan)>,
    /// The groups around the current step.
    chain: Vec<&'a str>,
    /// Number of uses of groups so far.
    uses: usize,
    problems: &'p mut Problems,
}

/// What the uses around a step add to it.
#[derive(Clone, Debug, Default)]
struct UseContext<'a> {
    scope: Option<Arc<UseScope>>,
    conversation: Option<&'a Spanned<String>>,
    only: Vec<&'a [Spanned<String>]>,
}

impl<'a> GroupPlacer<'a, '_> {
    fn place(&mut self, step: &'a StepForm, around: &UseContext<'a>) {
        self.uses += usize::from(step.use_.is_some());
        // Groups that use others several times grow exponentially.
        if self.uses > MAX_STEPS {
            return self.report_uses(step);
        }
        let mut context = around.clone();
        context.conversation = step.conversation.as_ref().or(around.conversation);
        context.only.extend(step.only.iter().map(|only| only.as_slice()));
        let first = self.placed.len();
        match &step.use_ {
            Some(name) => self.place_group(step, name, context),
            // One more than allowed, which `repeat::order` reports.
            None if first > MAX_STEPS => return,
            None => self.placed.push(PlacedStep {
                form: step,
                scope: context.scope,
                conversation: context.conversation,
                after: step.after.as_ref().map(|after| after.value),
                only: context.only,
                repeats: Vec::new(),
            }),
        }
        if let (Some(repeat), Some(last)) = (&step.repeat, self.placed[first..].last_mut()) {
            let scope = around.scope.clone();
            last.repeats.push(PlacedRepeat { form: repeat, first, scope });
        }
    }

    /// Reports once that there are too many uses.
    fn report_uses(&mut self, step: &StepForm) {
        if let (Some(name), true) = (&step.use_, self.uses == MAX_STEPS + 1) {
            let message = format!("the scenario uses groups more than {MAX_STEPS} times");
            let problem = Problem::at(&name.span, code::TOO_MANY, message);
            self.problems.push(problem.help("write some of the steps without a group"));
        }
    }

    fn place_group(
        &mut self,
        step: &'a StepForm,
        name: &'a Spanned<String>,
        around: UseContext<'a>,
    ) {
        self.check_keys(step, name);
        let Some(steps) = self.form.group.get(&name.value) else {
            if !self.form.group.contains(&name.value) {
                let message = format!("there is no group `{}`", name.value);
                let problem = Problem::at(&name.span, code::NO_SUCH_STEP, message);
                self.problems.push(if self.form.group.0.is_empty() {
                    problem.help(format!("write its steps as `[[group.{}]]`", name.value))
                } else {
                    problem.suggest_or_list(name, self.form.group.names())
                });
            }
            return;
        };
        if let Some(at) = self.chain.iter().position(|outer| *outer == name.value) {
            let chain = [&self.chain[at..], &[name.as_str()]].concat().join(" → ");
            let message = format!("the group `{}` uses itself: {chain}", name.value);
            let problem = Problem::at(&name.span, code::INCLUDE, message);
            return self.problems.push(problem.help("remove one of these `use` steps"));
        }
        if steps.is_empty() {
            let message = format!("the group `{}` has no steps", name.value);
            let problem = Problem::at(&name.span, code::EMPTY, message);
            self.problems.push(problem.help(format!("add `[[group.{}]]` tables", name.value)));
        }
        let scope = self.scope(step, name, around.scope.clone());
        let (context, first) = (UseContext { scope: Some(scope), ..around }, self.placed.len());
        self.chain.push(name);
        steps.iter().for_each(|step| self.place(step, &context));
        self.chain.pop();
        if let (Some(after), Some(placed)) = (&step.after, self.placed.get_mut(first)) {
            placed.after = Some(after.value);
        }
    }

    /// Returns the name of a use: its id, or the name of the group with the number of the use.
    // Names begin the seed scopes of the steps, so that other steps do not change their values.
    fn scope(
        &mut self,
        step: &StepForm,
        name: &Spanned<String>,
        outer: Option<Arc<UseScope>>,
    ) -> Arc<UseScope> {
        let own = step.id.as_ref().unwrap_or(name);
        let full = scoped(outer.as_deref(), own);
        let known = self.scopes.get(&full).cloned();
        let number = known.as_ref().map_or(1, |(number, _)| number + 1);
        self.scopes.insert(full.clone(), (number, own.span.clone()));
        let Some((_, first)) = known else { return Arc::new(UseScope { name: full, outer }) };
        if step.id.is_some() && first != own.span {
            let message = format!("another step has the id `{}`", own.value);
            let problem = Problem::at(&own.span, code::DUPLICATE_ID, message);
            let problem = problem.also(&first, "first step");
            self.problems.push(problem.help("each id must be unique"));
        }
        Arc::new(UseScope { name: format!("{full}.{number}"), outer })
    }

    /// Reports keys that a step with `use` cannot have.
    fn check_keys(&mut self, step: &StepForm, name: &Spanned<String>) {
        let keys = [
            ("fault", step.fault.is_some()),
            ("want", step.want.is_some()),
            ("patch", step.patch.is_some()),
            ("when", step.when.is_some()),
            ("capture", !step.capture.0.is_empty()),
            ("example", !step.example.0.is_empty()),
            ("for", !step.for_.0.is_empty()),
        ];
        let given = keys.iter().filter(|(_, is_set)| *is_set).map(|(key, _)| *key);
        let actions = step.action.iter().map(|(key, _)| key.name.as_str());
        for key in actions.chain(given) {
            let message = format!("a step with `use` cannot have `{key}`");
            let problem = Problem::at(&name.span, code::CONTRADICTION, message);
            self.problems.push(problem.help(format!(
                "move `{key}` into the steps of the group; beside `use`, a step can have `id`, \
                 `conversation`, `after`, `only` and `repeat`"
            )));
        }
    }
}
