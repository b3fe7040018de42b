//! A script around one webhook: what must have happened before it, and the act that causes it.

use std::collections::BTreeMap;

use super::cast::{CastMember, unnamed};
use super::script::{ActionPlan, Script, ScriptFaults, Step};
use crate::base::fake::LOCALES;
use crate::conversation::Role;
use crate::diag::Source;
use crate::fault::Faults;
use crate::platform::{EventQuery, EventRule, Platform};

impl Script {
    /// The shortest script whose last step makes a vendor send this event. The steps before it
    /// happen, and nothing of them is sent.
    pub fn sending(vendor: &Platform, rule: &EventRule, wanted: &EventQuery) -> Self {
        let cast: Vec<CastMember> =
            Role::ALL.iter().map(|role| unnamed(*role, &LOCALES[0])).collect();
        let actions = vendor.synthesize(rule, wanted, &|role| Some(role.word().to_owned()));
        let span = Source::new(&rule.event_type, "").span(0..0);
        let steps: Vec<Step> = actions
            .into_iter()
            .zip(1..)
            .map(|(action, number)| Step {
                number,
                round: 1,
                span: span.clone(),
                table: span.clone(),
                label: format!("{}.{number}", action.word()),
                faults: Faults::default(),
                id: None,
                after: None,
                only: None,
                action: ActionPlan::ready(action),
                overrides: BTreeMap::new(),
            })
            .collect();
        Self {
            name: rule.event_type.clone(),
            file: rule.event_type.clone(),
            cast,
            steps,
            only_last: true,
            subscribe: BTreeMap::new(),
            faults: ScriptFaults::default(),
            chaos: None,
            verify: None,
            cannot: BTreeMap::new(),
        }
    }
}
