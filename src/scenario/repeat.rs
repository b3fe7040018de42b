//! The order in which the steps of a file run, with repetitions.

use super::groups::{PlacedRepeat, PlacedStep, scoped};
use crate::base::limits::MAX_STEPS;
use crate::diag::{Problem, Problems, code};

/// One execution of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StepRound {
    /// Index of the step, from 0.
    pub(super) step: usize,
    /// Repetition, from 1.
    pub(super) round: u32,
}

/// Returns the executions of the steps in order.
///
/// Executions beyond [`MAX_STEPS`] are reported as a problem and not returned.
pub(super) fn order(steps: &[PlacedStep<'_>], problems: &mut Problems) -> Vec<StepRound> {
    let mut order = Vec::new();
    let mut total: usize = 0;
    for (index, step) in steps.iter().enumerate() {
        let (first, rounds) = rounds(&steps[..=index], problems).unwrap_or((index, 1));
        // `times` can be as large as an integer: count first, and saturate, before anything is
        // allocated.
        let repeated = (index + 1 - first).saturating_mul(rounds - 1);
        let before = total;
        total = total.saturating_add(1).saturating_add(repeated);
        if total <= MAX_STEPS {
            order.push(StepRound { step: index, round: 1 });
            let rounds = (2..).take(rounds - 1);
            let round = |round| (first..=index).map(move |step| StepRound { step, round });
            order.extend(rounds.flat_map(round));
        } else if before <= MAX_STEPS {
            let repeat = step.repeats.first();
            let span = repeat.map_or(&step.form.span, |repeat| &repeat.form.times.span);
            let message = format!("the scenario has more than {MAX_STEPS} steps");
            let problem = Problem::at(span, code::TOO_MANY, message);
            problems.push(problem.help("reduce `repeat`, or split it into several scenarios"));
        }
    }
    order
}

/// Returns the first repeated step and the number of rounds, if the last of `steps` has `repeat`.
fn rounds(steps: &[PlacedStep<'_>], problems: &mut Problems) -> Option<(usize, usize)> {
    let repeats = &steps.last()?.repeats;
    let repeat = repeats.last()?;
    let first = first_step(repeat, steps, problems)?;
    // Nested repetitions would make the number of the round ambiguous.
    let before = steps[first..steps.len() - 1].iter().flat_map(|step| &step.repeats);
    if let Some(inner) = before.chain(&repeats[..repeats.len() - 1]).next() {
        let span = repeat.form.from.as_ref().map_or(&repeat.form.span, |from| &from.span);
        let problem = Problem::at(span, code::TOO_MANY, "repetitions cannot be nested");
        problems.push(
            problem
                .also(&inner.form.span, "these steps are repeated already")
                .help("start the repetition after them"),
        );
        return None;
    }
    match usize::try_from(repeat.form.times.value) {
        Ok(times) if times > 0 => Some((first, times)),
        _ => {
            let message = format!("`times` must be at least 1, found {}", repeat.form.times.value);
            let problem = Problem::at(&repeat.form.times.span, code::TOO_MANY, message);
            problems.push(problem.help("remove `repeat` to run the step once"));
            None
        }
    }
}

/// Returns the index of the first repeated step. The last of `steps` is the last repeated one.
fn first_step(
    repeat: &PlacedRepeat<'_>,
    steps: &[PlacedStep<'_>],
    problems: &mut Problems,
) -> Option<usize> {
    let Some(from) = &repeat.form.from else { return Some(repeat.first) };
    let id = scoped(repeat.scope.as_deref(), from);
    let first = steps.iter().position(|step| step.id().as_ref() == Some(&id));
    if first.is_none() {
        let message = format!("no earlier step has the id `{}`", from.value);
        let is_near = |step: &&PlacedStep<'_>| step.scope == repeat.scope;
        let near = steps.iter().filter(is_near).filter_map(|step| step.form.id.as_ref());
        let problem = Problem::at(&from.span, code::NO_SUCH_STEP, message);
        problems.push(problem.suggest_or_list(from, near.map(|id| id.as_str())));
    }
    first
}
