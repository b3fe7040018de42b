//! Chaos: a fault schedule generated from the seed, and its reduction to the smallest that fails.

use std::collections::BTreeSet;

use rand::RngExt as _;

use super::{DryRunItem, RunPlan, dry_run};
use crate::base::seed::SeedScope;
use crate::fault::{Chaos, ChaosProfile, Fault, PlannedFault};
use crate::platform::FaultInjector;

/// About one in this many steps gets a fault. Enough steps stay without one, so that a failure can
/// be attributed.
const ONE_IN: u32 = 3;

/// Generates the fault schedule of a profile. Each step that sends something and has no fault yet
/// gets one or none, independently of the other steps. The schedule is empty if the vendor supports
/// none of the profile's faults.
pub fn schedule(plan: &RunPlan, profile: ChaosProfile) -> Chaos {
    let can_be = |fault: &Fault| FaultInjector::of(&plan.account).unsupported(fault.kind).is_none();
    let faults: Vec<Fault> = profile.faults().into_iter().filter(can_be).collect();
    let seeds = SeedScope::of_run(plan.seed).within("chaos").within(profile.as_str());
    let steps = sending(plan);
    let candidate = |step: usize| {
        let mut rng = seeds.rng(&format!("step {step}"));
        let is_chosen = rng.random_range(0..ONE_IN) == 0;
        let fault = faults.get(rng.random_range(0..faults.len().max(1)))?.clone();
        Some((is_chosen, PlannedFault { step, fault }))
    };
    let candidates: Vec<_> = steps.into_iter().filter_map(candidate).collect();
    let chosen = candidates.iter().filter(|(is_chosen, _)| *is_chosen);
    let mut schedule: Vec<PlannedFault> = chosen.map(|(_, planned)| planned.clone()).collect();
    // A run with chaos must have at least one fault, or it would test nothing.
    if schedule.is_empty() && !candidates.is_empty() {
        let index = seeds.rng("only").random_range(0..candidates.len());
        schedule.push(candidates[index].1.clone());
    }
    Chaos { profile, schedule }
}

/// The steps for which the first conversation sends a request without a fault.
fn sending(plan: &RunPlan) -> BTreeSet<usize> {
    let requests = dry_run(plan).filter_map(|item| match item {
        DryRunItem::Request(request) => Some(request),
        _ => None,
    });
    let first =
        requests.take_while(|request| request.conversation.is_none_or(|number| number == 1));
    let first = first.filter(|request| !request.control);
    first.filter(|request| request.faults.is_empty()).filter_map(|request| request.step).collect()
}

/// Reduces a schedule to a minimal part for which `fails` still returns true (delta debugging:
/// removing any single fault would make it pass). Larger parts are removed first, so that few runs
/// are needed.
pub async fn smallest(
    schedule: &[PlannedFault],
    mut fails: impl AsyncFnMut(&[PlannedFault]) -> bool,
) -> Vec<PlannedFault> {
    let mut remaining = schedule.to_vec();
    if fails(&[]).await {
        return Vec::new();
    }
    let mut parts = 2;
    while remaining.len() > 1 {
        let size = remaining.len().div_ceil(parts);
        let mut smaller = None;
        for from in (0..remaining.len()).step_by(size) {
            let to = (from + size).min(remaining.len());
            let rest = [&remaining[..from], &remaining[to..]].concat();
            if fails(&rest).await {
                smaller = Some(rest);
                break;
            }
        }
        match smaller {
            Some(rest) => (remaining, parts) = (rest, (parts - 1).max(2)),
            None if size == 1 => break,
            None => parts = (parts * 2).min(remaining.len()),
        }
    }
    remaining
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps of the reduced schedule if `needed` must remain, and the number of runs it took.
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
    fn exactly_the_needed_faults_remain() {
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
