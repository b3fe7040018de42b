//! Fidelity: whether what a vendor's folder sends has the shape of what the vendor documents.
//!
//! A folder's `samples/` holds the documented shapes with invented values; `samples/index.toml`
//! says how each of them comes about. Nothing is sent here.

pub mod capability;
mod compare;

use std::sync::Arc;

use jiff::Timestamp;

use crate::base::seed::SeedScope;
use crate::conversation::Role;
use crate::diag::{Form as _, Problem, Problems, Source, Spanned, SyntaxNode, TableOf, code, toml};
use crate::form;
use crate::platform::{Account, EventQuery, Platform, Subscription};
use crate::scenario::{
    self, ParsedScenario, ScenarioForm, Script, ScriptState, SharedStaff, StepOutcome,
};

pub use compare::{Difference, compare};

/// The file that says how each sample comes about.
const INDEX: &str = "index.toml";

form! {
    /// The documented samples of a vendor.
    pub struct IndexForm {
        /// Each of them.
        sample: Vec<SampleForm>,
    }
}

form! {
    /// One documented sample: the last webhook of its type has its shape.
    pub struct SampleForm {
        /// The file beside the index.
        file: Spanned<String>,
        /// The vendor's name for the event.
        type_ ("type"): Spanned<String>,
        /// The kind of message or entity; the first that fits without this.
        kind: Option<Spanned<String>>,
        /// Who does it.
        by: Option<Spanned<Role>>,
        /// The data of the message, the entity or the event, where it differs from the folder's.
        with: TableOf<SyntaxNode>,
        /// What leads to it, where more than one act does.
        scenario: Option<ScenarioForm>,
    }
}

/// A documented sample, and the script that leads to a webhook of its shape.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The vendor's name for the event.
    pub event_type: String,
    /// What the vendor documents, with invented values.
    pub documented: Arc<Source>,
    /// What is wanted of the event.
    pub wanted: EventQuery,
    /// Whether a scenario leads to it, rather than the acts that cause such an event.
    pub told: bool,
    /// What leads to it.
    pub script: Script,
}

/// The samples of a vendor, in the order of its index; none where it documents none.
pub fn samples(vendor: &Arc<Platform>) -> Result<Vec<Sample>, Problems> {
    let index = vendor.samples.get(INDEX).filter(|_| vendor.samples.len() > 1);
    let Some(index) = index else { return Ok(Vec::new()) };
    let (node, mut problems) = toml::parse(index);
    if problems.broke_parsing() {
        return Err(problems);
    }
    let Some(form) = IndexForm::read(&node, &mut problems) else { return Err(problems) };
    let mut samples = Vec::new();
    for sample in form.sample {
        samples.extend(problems.note(check(sample, vendor, index)));
    }
    problems.or(Some(samples))
}

fn check(
    form: SampleForm,
    vendor: &Arc<Platform>,
    index: &Arc<Source>,
) -> Result<Sample, Problems> {
    let files = || vendor.samples.keys().map(String::as_str).filter(|name| *name != INDEX);
    let Some(documented) = vendor.samples.get(&form.file.value).cloned() else {
        let message = format!("there is no sample `{}`", form.file.value);
        let problem = Problem::at(&form.file.span, code::UNKNOWN_SAMPLE, message);
        return Err(problem.known(&form.file.value, files()).into());
    };
    let wanted = EventQuery {
        by: form.by.map(|by| by.value),
        kind: form.kind.map(|kind| kind.value),
        data: form.with.to_json(),
    };
    let Some(rule) = vendor.rule(&form.type_.value, &wanted) else {
        let message = format!("{} sends no such `{}`", vendor.name, form.type_.value);
        let problem = Problem::at(&form.type_.span, code::UNKNOWN_SAMPLE, message);
        return Err(problem.known(&form.type_.value, vendor.event_types()).into());
    };
    let told = form.scenario.is_some();
    let script = match form.scenario {
        Some(form) => {
            let problems = Problems::new();
            let draft = ParsedScenario { source: Arc::clone(index), form, problems };
            scenario::check(draft, &[Arc::clone(vendor)], &[])?
        }
        None => Script::sending(vendor, rule, &wanted),
    };
    Ok(Sample { event_type: form.type_.value, documented, wanted, told, script })
}

impl Sample {
    /// The webhook that has the sample's shape, from this seed; nothing where it is not sent.
    pub fn sent(&self, account: &Arc<Account>, seed: u64, start: Timestamp) -> Option<String> {
        sent(&self.script, account, &self.event_type, seed, start)
    }

    /// How that webhook differs from what is documented; nothing where it is not sent.
    pub fn differences(
        &self,
        account: &Arc<Account>,
        seed: u64,
        start: Timestamp,
    ) -> Option<Vec<Difference>> {
        let json = |text: &str| serde_json::from_str(text).unwrap_or_default();
        let sent = self.sent(account, seed, start)?;
        Some(compare(&json(&self.documented.text), &json(&sent)))
    }
}

/// The body of the last webhook of a type that a script leads to; nothing where none is sent.
pub fn sent(
    script: &Script,
    account: &Arc<Account>,
    event_type: &str,
    seed: u64,
    start: Timestamp,
) -> Option<String> {
    let subscription = Subscription::to(event_type);
    let staff = SharedStaff::new(script, account, SeedScope::of_run(seed), start);
    let stage = ScriptState::new(script, account, &subscription, (&staff, 1));
    let payloads = stage.flat_map(|scene| match scene.outcome {
        StepOutcome::Done { happened, .. } => happened.payloads,
        StepOutcome::Skipped { .. } | StepOutcome::Dropped { .. } => Vec::new(),
    });
    payloads.filter_map(|payload| payload.body).last()
}
