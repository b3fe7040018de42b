//! Chaos: a schedule of faults that is drawn from the seed, and the smallest one that still fails.

use std::collections::BTreeSet;

use rand::RngExt as _;

use super::{DryRunItem, RunPlan, dry_run};
use crate::base::seed::SeedScope;
use crate::fault::{Chaos, ChaosProfile, Fault, PlannedFault};

/// One step of so many has a fault.
const ONE_IN: u32 = 3;

/// The schedule of a profile for a plan: each step that sends something, and has no fault yet, has
/// one or none, whatever the other steps have. It is empty where none can be had.
pub fn schedule(plan: &RunPlan, profile: ChaosProfile) -> Chaos {
    let can_be = |fault: &Fault| plan.account.cannot(fault.kind).is_none();
    let faults: Vec<Fault> = profile.faults().into_iter().filter(can_be).collect();
    let seeds = SeedScope::of_run(plan.seed).within("chaos").within(profile.word());
    let steps = sending(plan);
    let drawn = |step: usize| {
        let mut rng = seeds.rng(&format!("step {step}"));
        let is_struck = rng.random_range(0..ONE_IN) == 0;
        let fault = faults.get(rng.random_range(0..faults.len().max(1)))?.clone();
        Some((is_struck, PlannedFault { step, fault }))
    };
    let drawn: Vec<_> = steps.into_iter().filter_map(drawn).collect();
    let struck =
        drawn.iter().filter(|(is_struck, _)| *is_struck).map(|(_, planned)| planned.clone());
    let mut schedule: Vec<PlannedFault> = struck.collect();
    if schedule.is_empty() && !drawn.is_empty() {
        let index = seeds.rng("only").random_range(0..drawn.len());
        schedule.push(drawn[index].1.clone());
    }
    Chaos { profile, schedule }
}

/// The steps of which the first conversation sends something without a fault.
fn sending(plan: &RunPlan) -> BTreeSet<usize> {
    let requests = dry_run(plan).filter_map(|item| match item {
        DryRunItem::Request(request) => Some(request),
        _ => None,
    });
    let first =
        requests.take_while(|request| request.conversation.is_none_or(|number| number == 1));
    first.filter(|request| request.faults.is_empty()).filter_map(|request| request.step).collect()
}

/// The smallest part of a schedule that `fails` as the whole did: without any one of it, it would
/// not. Larger parts are left out first, so that few runs are needed.
pub async fn smallest(
    schedule: &[PlannedFault],
    mut fails: impl AsyncFnMut(&[PlannedFault]) -> bool,
) -> Vec<PlannedFault> {
    let mut left = schedule.to_vec();
    if fails(&[]).await {
        return Vec::new();
    }
    let mut parts = 2;
    while left.len() > 1 {
        let size = left.len().div_ceil(parts);
        let mut smaller = None;
        for from in (0..left.len()).step_by(size) {
            let to = (from + size).min(left.len());
            let rest = [&left[..from], &left[to..]].concat();
            if fails(&rest).await {
                smaller = Some(rest);
                break;
            }
        }
        match smaller {
            Some(rest) => (left, parts) = (rest, (parts - 1).max(2)),
            None if size == 1 => break,
            None => parts = (parts * 2).min(left.len()),
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest of so many faults, where these are needed, and in how many runs.
    fn shrunk(many: usize, needed: &[usize]) -> (Vec<usize>, usize) {
        let fault = Fault::parse("reorder").unwrap();
        let planned = |step| PlannedFault { step, fault: fault.clone() };
        let schedule: Vec<PlannedFault> = (1..=many).map(planned).collect();
        let mut runs = 0;
        let fails = async |part: &[PlannedFault]| {
            runs += 1;
            needed.iter().all(|step| part.iter().any(|planned| planned.step == *step))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let smallest = runtime.block_on(smallest(&schedule, fails));
        (smallest.iter().map(|planned| planned.step).collect(), runs)
    }

    #[test]
    fn exactly_what_is_needed_is_left() {
        assert_eq!(shrunk(20, &[]), (vec![], 1));
        assert_eq!(shrunk(1, &[1]), (vec![1], 1));
        for needed in [&[7][..], &[1, 20], &[3, 4, 5], &[2, 9, 10, 17]] {
            let (left, runs) = shrunk(20, needed);
            assert_eq!(left, needed);
            assert!(runs < 70, "{needed:?} took {runs} runs");
        }
        assert_eq!(shrunk(6, &[1, 2, 3, 4, 5, 6]).0.len(), 6);
    }
}
