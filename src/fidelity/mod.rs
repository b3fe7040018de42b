//! Fidelity: whether what a vendor's folder sends has the shape of what the vendor documents.
//!
//! A folder's `samples/` holds the documented shapes with invented values; `samples/index.toml`
//! says how each of them comes about. Nothing is sent here.

pub mod capability;
mod compare;

use std::sync::Arc;

use jiff::Timestamp;

use crate::base::draw::Draw;
use crate::conversation::Role;
use crate::diag::{At, Form as _, Named, Node, Problem, Problems, Source, code, toml};
use crate::form;
use crate::scenario::{self, Company, Draft, ScenarioForm, Script, Stage, Turn};
use crate::vendor::{Account, Subscription, Vendor, Wanted};

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
        file: At<String>,
        /// The vendor's name for the event.
        type_ ("type"): At<String>,
        /// The kind of message or entity; the first that fits without this.
        kind: Option<At<String>>,
        /// Who does it.
        by: Option<At<Role>>,
        /// The data of the message, the entity or the event, where it differs from the folder's.
        with: Named<Node>,
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
    pub wanted: Wanted,
    /// Whether a scenario leads to it, rather than the acts that cause such an event.
    pub told: bool,
    /// What leads to it.
    pub script: Script,
}

/// The samples of a vendor, in the order of its index; none where it documents none.
pub fn samples(vendor: &Arc<Vendor>) -> Result<Vec<Sample>, Problems> {
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

fn check(form: SampleForm, vendor: &Arc<Vendor>, index: &Arc<Source>) -> Result<Sample, Problems> {
    let files = || vendor.samples.keys().map(String::as_str).filter(|name| *name != INDEX);
    let Some(documented) = vendor.samples.get(&form.file.value).cloned() else {
        let message = format!("there is no sample `{}`", form.file.value);
        let problem = Problem::at(&form.file.place, code::UNKNOWN_SAMPLE, message);
        return Err(problem.known(&form.file.value, files()).into());
    };
    let wanted = Wanted {
        by: form.by.map(|by| by.value),
        kind: form.kind.map(|kind| kind.value),
        data: form.with.to_json(),
    };
    let Some(rule) = vendor.rule(&form.type_.value, &wanted) else {
        let message = format!("{} sends no such `{}`", vendor.name, form.type_.value);
        let problem = Problem::at(&form.type_.place, code::UNKNOWN_SAMPLE, message);
        return Err(problem.known(&form.type_.value, vendor.event_types()).into());
    };
    let told = form.scenario.is_some();
    let script = match form.scenario {
        Some(form) => {
            let problems = Problems::new();
            let draft = Draft { source: Arc::clone(index), form, problems };
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
    let company = Company::new(script, account, Draw::of_run(seed), start);
    let stage = Stage::new(script, account, &subscription, (&company, 1));
    let payloads = stage.flat_map(|scene| match scene.turn {
        Turn::Done { happened, .. } => happened.payloads,
        Turn::Skipped { .. } | Turn::Dropped { .. } => Vec::new(),
    });
    payloads.filter_map(|payload| payload.body).last()
}
