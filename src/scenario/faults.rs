//! What a scenario wants to go wrong: whether it can go together, and at which vendors.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::check::ScenarioChecker;
use super::forms::ScenarioForm;
use super::script::{ScriptFaults, Step};
use crate::diag::{Problem, Problems, Spanned, code};
use crate::fault::{Fault, FaultGroup, Faults};
use crate::platform::{Account, Platform};

impl ScenarioChecker<'_> {
    /// The faults of one delivery; all but those of its body are of a group of their own.
    pub(super) fn faults(&mut self, wanted: &[Spanned<Fault>]) -> Faults {
        for (at, fault) in wanted.iter().enumerate() {
            let group = fault.kind.group();
            let first = wanted[..at].iter().find(|first| {
                let same = first.kind.group() == group && group != FaultGroup::Body;
                same || first.kind == fault.kind
            });
            if let Some(first) = first {
                let message = format!("`{}` and `{}` cannot meet", first.value, fault.value);
                let problem = Problem::at(&fault.span, code::WRONG_FAULT, message);
                self.problems.push(
                    problem.also(&first.span, "first here").help("give the two to different steps"),
                );
            }
        }
        Faults(wanted.iter().map(|fault| fault.value.clone()).collect())
    }

    /// The faults of deliveries whose step has none.
    pub(super) fn everywhere(&mut self) -> ScriptFaults {
        let Some(form) = &self.form.faults else { return ScriptFaults::default() };
        if let Some(one_in) = form.one_in.as_ref().filter(|one_in| one_in.value == 0) {
            let problem = Problem::at(&one_in.span, code::TOO_MANY, "one in 0 is none");
            self.problems.push(problem.help("`one_in = 1` is every delivery"));
        }
        let one_in = form.one_in.as_ref().map(|one_in| one_in.value);
        ScriptFaults { faults: self.faults(&form.every), one_in }
    }
}

/// The vendors that lack what a fault is about, and why; a fault that none of them can have is a
/// problem at its place.
pub(super) fn cannot(
    form: &ScenarioForm,
    steps: &[Step],
    vendors: &[Arc<Platform>],
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let mut cannot = BTreeMap::new();
    let own = form.step.iter().zip(1..).filter_map(|(step, number)| {
        let step = (step.fault.as_ref()?, steps.iter().find(|own| own.number == number));
        Some(step)
    });
    let everywhere = form.faults.iter().map(|form| (&form.every, None));
    for (faults, step) in own.chain(everywhere) {
        let plays = |vendor: &&Arc<Platform>| {
            step.is_none_or(|step: &Step| step.skipped_at(&vendor.id).is_none())
        };
        let playing: Vec<_> = vendors.iter().filter(plays).collect();
        for fault in faults.iter() {
            let lacks = |vendor: &&Arc<Platform>| {
                let reason = Account::test(vendor).cannot(fault.kind)?;
                Some((
                    vendor.full_id(),
                    format!("{} {reason}, so there is no `{}`", vendor.name, fault.value),
                ))
            };
            let lacking: Vec<_> = playing.iter().filter_map(lacks).collect();
            match lacking.first() {
                Some((_, first)) if lacking.len() == playing.len() => {
                    let problem = Problem::at(&fault.span, code::VENDOR_CANNOT, first);
                    problems.push(problem.help(
                        "leave the fault out, or play the scenario at a vendor that has one",
                    ));
                }
                _ => cannot.extend(lacking),
            }
        }
    }
    cannot
}
