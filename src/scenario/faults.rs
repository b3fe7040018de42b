//! Checks the faults of a scenario: which can be combined, and which vendors support them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::forms::{FaultsForm, ScenarioForm};
use super::script::{ScriptFaults, Step};
use crate::diag::{Problem, Problems, Spanned, code};
use crate::fault::{Fault, FaultGroup, Faults};
use crate::platform::{Account, FaultInjector, Platform};

/// Checks the faults of one delivery.
///
/// A delivery can have several faults of the group `Body`, but only one of each other group.
pub(super) fn check(requested: &[Spanned<Fault>], problems: &mut Problems) -> Faults {
    for (index, fault) in requested.iter().enumerate() {
        let group = fault.kind.group();
        let first = requested[..index].iter().find(|first| {
            // Changes to a body add up. Two faults of another group would replace each other.
            let excluded = first.kind.group() == group && group != FaultGroup::Body;
            excluded || first.kind == fault.kind
        });
        if let Some(first) = first {
            let message = format!(
                "`{}` and `{}` cannot be combined in one delivery",
                first.value, fault.value
            );
            let problem = Problem::at(&fault.span, code::INVALID_FAULT, message);
            problems.push(
                problem.also(&first.span, "first fault").help("move one of them to another step"),
            );
        }
    }
    Faults(requested.iter().map(|fault| fault.value.clone()).collect())
}

/// Checks the faults of the whole script, which apply to steps without their own.
pub(super) fn check_script_faults(
    form: Option<&FaultsForm>,
    problems: &mut Problems,
) -> ScriptFaults {
    let Some(form) = form else { return ScriptFaults::default() };
    if let Some(one_in) = form.one_in.as_ref().filter(|one_in| one_in.value == 0) {
        let problem = Problem::at(&one_in.span, code::TOO_MANY, "`one_in` must be at least 1");
        problems.push(problem.help("`one_in = 1` injects the fault into every delivery"));
    }
    let one_in = form.one_in.as_ref().map(|one_in| one_in.value);
    ScriptFaults { faults: check(&form.every, problems), one_in }
}

/// Returns the vendors that do not support a fault of the scenario, with the reason.
///
/// A fault that none of the vendors supports is reported as a problem.
pub(super) fn unsupported(
    form: &ScenarioForm,
    steps: &[Step],
    vendors: &[Arc<Platform>],
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let mut unsupported = BTreeMap::new();
    let of_steps = form.step.iter().zip(1..).filter_map(|(step_form, number)| {
        Some((step_form.fault.as_ref()?, steps.iter().find(|step| step.number == number)))
    });
    let of_script = form.faults.iter().map(|form| (&form.every, None));
    for (faults, step) in of_steps.chain(of_script) {
        // A vendor that skips the step does not need its faults.
        let runs_step = |vendor: &&Arc<Platform>| {
            step.is_none_or(|step: &Step| step.skip_reason(&vendor.id).is_none())
        };
        let vendors: Vec<_> = vendors.iter().filter(runs_step).collect();
        for fault in faults.iter() {
            let reason = |vendor: &&Arc<Platform>| {
                let account = Account::test(vendor);
                let reason = FaultInjector::of(&account).unsupported(fault.kind)?;
                Some((
                    vendor.full_id(),
                    format!("{} {reason}, so fault `{}` is not possible", vendor.name, fault.value),
                ))
            };
            let reasons: Vec<_> = vendors.iter().filter_map(reason).collect();
            match reasons.first() {
                Some((_, first)) if reasons.len() == vendors.len() => {
                    let problem = Problem::at(&fault.span, code::VENDOR_CANNOT, first);
                    problems.push(
                        problem.help("remove the fault, or run the scenario at another vendor"),
                    );
                }
                _ => unsupported.extend(reasons),
            }
        }
    }
    unsupported
}
