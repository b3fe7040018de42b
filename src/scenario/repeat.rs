//! In which order the steps of a file happen: as written, but that some happen again.

use super::forms::{RepeatForm, StepForm};
use crate::base::limits::MAX_STEPS;
use crate::diag::{Problem, Problems, code};

/// A step as it happens: its place in the file, and in which round, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StepRound {
    pub(super) step: usize,
    pub(super) round: u32,
}

/// The steps in the order they happen. More than there may be are counted, never made.
pub(super) fn order(steps: &[StepForm], problems: &mut Problems) -> Vec<StepRound> {
    let mut order = Vec::new();
    let mut total: usize = 0;
    for (at, step) in steps.iter().enumerate() {
        let (first, rounds) = rounds(&steps[..=at], problems).unwrap_or((at, 1));
        let again = (at + 1 - first).saturating_mul(rounds - 1);
        let before = total;
        total = total.saturating_add(1).saturating_add(again);
        if total <= MAX_STEPS {
            order.push(StepRound { step: at, round: 1 });
            let rounds = (2..).take(rounds - 1);
            let round = |round| (first..=at).map(move |step| StepRound { step, round });
            order.extend(rounds.flat_map(round));
        } else if before <= MAX_STEPS {
            let span = step.repeat.as_ref().map_or(&step.span, |repeat| &repeat.times.span);
            let message = format!("more than {MAX_STEPS} steps");
            let problem = Problem::at(span, code::TOO_MANY, message);
            problems.push(problem.help("tell it in several scenarios, or in fewer rounds"));
        }
    }
    order
}

/// The first step of the rounds that the last of these steps ends, and how many rounds there are.
fn rounds(steps: &[StepForm], problems: &mut Problems) -> Option<(usize, usize)> {
    let repeat = steps.last()?.repeat.as_ref()?;
    let first = first(repeat, steps, problems)?;
    match usize::try_from(repeat.times.value) {
        Ok(times) if times > 0 => Some((first, times)),
        _ => {
            let message = format!("{} rounds are none", repeat.times.value);
            let problem = Problem::at(&repeat.times.span, code::TOO_MANY, message);
            problems.push(problem.help("a step happens once without `repeat`"));
            None
        }
    }
}

/// The first step of a round; the last of `steps` ends it.
fn first(repeat: &RepeatForm, steps: &[StepForm], problems: &mut Problems) -> Option<usize> {
    let last = steps.len() - 1;
    let Some(from) = &repeat.from else { return Some(last) };
    let has_id = |step: &StepForm| step.id.as_ref().is_some_and(|id| id.value == from.value);
    let Some(first) = steps.iter().position(has_id) else {
        let message = format!("no step up to here has the id `{}`", from.value);
        let ids = steps.iter().filter_map(|step| step.id.as_ref()).map(|id| id.as_str());
        problems.push(Problem::at(&from.span, code::NO_SUCH_STEP, message).known(from, ids));
        return None;
    };
    if let Some(inner) = steps[first..last].iter().find_map(|step| step.repeat.as_ref()) {
        let problem = Problem::at(&from.span, code::TOO_MANY, "rounds within rounds");
        problems.push(
            problem
                .also(&inner.span, "these steps repeat already")
                .help("begin the rounds behind it"),
        );
        return None;
    }
    Some(first)
}
