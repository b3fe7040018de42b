//! In which order the steps of a file happen: as written, but that some happen again.

use super::forms::{RepeatForm, StepForm};
use crate::base::limits::MAX_STEPS;
use crate::diag::{Problem, Problems, code};

/// A step as it happens: its place in the file, and in which round, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) step: usize,
    pub(super) round: u32,
}

/// The steps in the order they happen.
pub(super) fn order(steps: &[StepForm], problems: &mut Problems) -> Vec<Entry> {
    let mut order = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        order.push(Entry { step: at, round: 1 });
        let Some(repeat) = &step.repeat else { continue };
        let Some(first) = first(repeat, &steps[..=at], problems) else { continue };
        let many = usize::try_from(repeat.times.value).unwrap_or_default();
        if many == 0 || many.saturating_mul(at + 1 - first) > MAX_STEPS {
            let message = format!("from 1 round to {MAX_STEPS} steps in all");
            problems.push(Problem::at(&repeat.times.place, code::TOO_MANY, message));
            continue;
        }
        let rounds = (2..).take(many - 1);
        order.extend(rounds.flat_map(|round| (first..=at).map(move |step| Entry { step, round })));
    }
    if order.len() > MAX_STEPS {
        let message = format!("{} steps, more than {MAX_STEPS}", order.len());
        problems.push(Problem::at(&steps[order[MAX_STEPS].step].place, code::TOO_MANY, message));
        order.truncate(MAX_STEPS);
    }
    order
}

/// The first step of a round; the last of `steps` ends it.
fn first(repeat: &RepeatForm, steps: &[StepForm], problems: &mut Problems) -> Option<usize> {
    let last = steps.len() - 1;
    let Some(from) = &repeat.from else { return Some(last) };
    let has_id = |step: &StepForm| step.id.as_ref().is_some_and(|id| id.value == from.value);
    let Some(first) = steps.iter().position(has_id) else {
        let message = format!("no step up to here has the id `{}`", from.value);
        let ids = steps.iter().filter_map(|step| step.id.as_ref()).map(|id| id.as_str());
        problems.push(Problem::at(&from.place, code::NO_SUCH_STEP, message).known(from, ids));
        return None;
    };
    if let Some(inner) = steps[first..last].iter().find_map(|step| step.repeat.as_ref()) {
        let problem = Problem::at(&from.place, code::TOO_MANY, "rounds within rounds");
        problems.push(problem.also(&inner.place, "these steps repeat already"));
        return None;
    }
    Some(first)
}
