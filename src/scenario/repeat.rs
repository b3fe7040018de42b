//! The order in which the steps of a file run, with repetitions.

use super::forms::{RepeatForm, StepForm};
use crate::base::limits::MAX_STEPS;
use crate::diag::{Problem, Problems, code};

/// One execution of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StepRound {
    /// Index of the step in the file, from 0.
    pub(super) step: usize,
    /// Repetition, from 1.
    pub(super) round: u32,
}

/// Returns the executions of the steps in order.
///
/// Executions beyond [`MAX_STEPS`] are reported as a problem and not returned.
pub(super) fn order(steps: &[StepForm], problems: &mut Problems) -> Vec<StepRound> {
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
            let span = step.repeat.as_ref().map_or(&step.span, |repeat| &repeat.times.span);
            let message = format!("the scenario has more than {MAX_STEPS} steps");
            let problem = Problem::at(span, code::TOO_MANY, message);
            problems.push(problem.help("reduce `repeat`, or split it into several scenarios"));
        }
    }
    order
}

/// Returns the first repeated step and the number of rounds, if the last of `steps` has `repeat`.
fn rounds(steps: &[StepForm], problems: &mut Problems) -> Option<(usize, usize)> {
    let repeat = steps.last()?.repeat.as_ref()?;
    let first = first_step(repeat, steps, problems)?;
    match usize::try_from(repeat.times.value) {
        Ok(times) if times > 0 => Some((first, times)),
        _ => {
            let message = format!("`times` must be at least 1, found {}", repeat.times.value);
            let problem = Problem::at(&repeat.times.span, code::TOO_MANY, message);
            problems.push(problem.help("remove `repeat` to run the step once"));
            None
        }
    }
}

/// Returns the index of the first repeated step. The last of `steps` is the last repeated one.
fn first_step(repeat: &RepeatForm, steps: &[StepForm], problems: &mut Problems) -> Option<usize> {
    let last = steps.len() - 1;
    let Some(from) = &repeat.from else { return Some(last) };
    let has_id = |step: &StepForm| step.id.as_ref().is_some_and(|id| id.value == from.value);
    let Some(first) = steps.iter().position(has_id) else {
        let message = format!("no earlier step has the id `{}`", from.value);
        let ids = steps.iter().filter_map(|step| step.id.as_ref()).map(|id| id.as_str());
        problems
            .push(Problem::at(&from.span, code::NO_SUCH_STEP, message).suggest_or_list(from, ids));
        return None;
    };
    if let Some(inner) = steps[first..last].iter().find_map(|step| step.repeat.as_ref()) {
        // Nested repetitions would make the number of the round ambiguous.
        let problem = Problem::at(&from.span, code::TOO_MANY, "repetitions cannot be nested");
        problems.push(
            problem
                .also(&inner.span, "these steps are repeated already")
                .help("start the repetition after them"),
        );
        return None;
    }
    Some(first)
}
