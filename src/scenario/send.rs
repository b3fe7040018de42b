//! A script that sends one webhook: the steps it depends on, and the action that causes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::cast::{CastMember, unnamed_member};
use super::patch::PatchPlan;
use super::script::{ActionPlan, Script, ScriptConversation, ScriptFaults, Step, StepPlan};
use super::want::Verification;
use crate::base::fake::LOCALES;
use crate::conversation::Role;
use crate::diag::Source;
use crate::fault::Faults;
use crate::platform::{EventQuery, EventRule, Platform, synthesize};

impl Script {
    /// Returns the shortest script whose last step makes a vendor send this event.
    ///
    /// The earlier steps are executed, but nothing of them is sent.
    pub fn for_event(vendor: &Platform, rule: &EventRule, query: &EventQuery) -> Self {
        let cast: Vec<CastMember> =
            Role::ALL.iter().map(|role| unnamed_member(*role, &LOCALES[0])).collect();
        let actions = synthesize(vendor, rule, query, &|role| Some(role.as_str().to_owned()));
        let count = actions.len();
        // Ids depend on the request, so that two different messages are not one with the same id.
        let EventQuery { on, by, kind, data } = query;
        let request = json!([on, by, kind, data]).to_string();
        // The script has no file. Reports show the event type in its place.
        let span = Source::new(&rule.event_type, "").span(0..0);
        let steps: Vec<Step> = actions
            .into_iter()
            .zip(1..)
            .map(|(action, number)| Step {
                number,
                round: 1,
                span: span.clone(),
                table: span.clone(),
                label: if number == count {
                    format!("{}.{number} {request}", action.kind.as_str())
                } else {
                    format!("{}.{number}", action.kind.as_str())
                },
                conversation: 0,
                faults: Faults::default(),
                want: None,
                when: None,
                id: None,
                after: None,
                only: None,
                patch: None,
                plan: StepPlan::Act(Box::new(ActionPlan::ready(action))),
                overrides: BTreeMap::new(),
            })
            .collect();
        Self { cast, steps, only_last: true, ..Self::without_steps(&rule.event_type) }
    }

    /// Creates a script in which nothing happens. Its cast has one person for each role.
    pub fn without_steps(name: &str) -> Self {
        let cast = Role::ALL.iter().map(|role| unnamed_member(*role, &LOCALES[0])).collect();
        Self {
            name: name.to_owned(),
            file: name.to_owned(),
            tags: Vec::new(),
            cast,
            steps: Vec::new(),
            conversations: vec![ScriptConversation::default()],
            only_last: false,
            subscribe: BTreeMap::new(),
            faults: ScriptFaults::default(),
            chaos: None,
            verify: Verification::default(),
            captures: BTreeMap::new(),
            reactions: Vec::new(),
            awaits_deliveries: false,
            unsupported: BTreeMap::new(),
            variables: Arc::default(),
            environment: BTreeMap::new(),
            seed: None,
            start: None,
        }
    }

    /// Changes the bodies of the last step.
    #[must_use]
    pub fn with_patch(mut self, patch: Option<PatchPlan>) -> Self {
        if let Some(last) = self.steps.last_mut() {
            last.patch = patch.map(Arc::new);
        }
        self
    }
}
