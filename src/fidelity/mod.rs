//! Fidelity: compares the payloads of a platform with the samples that the vendor documents.
//!
//! The `samples/` folder contains the documented payloads with invented values.
//! `samples/index.toml` specifies the actions that cause each of them. Nothing is sent here.

pub mod capability;
mod compare;

use std::sync::Arc;

use jiff::Timestamp;

use crate::base::seed::SeedScope;
use crate::conversation::{EventKind, Role};
use crate::diag::{Form as _, Problem, Problems, Source, Spanned, SyntaxNode, TableOf, code, toml};
use crate::emulator::{StepOutcome, rehearse};
use crate::form;
use crate::platform::{Account, EventQuery, Platform, Subscription};
use crate::scenario::{self, ParsedScenario, ScenarioForm, Script, SharedStaff};

pub use compare::{Difference, compare};

/// File that specifies the actions for each sample.
const INDEX: &str = "index.toml";

form! {
    /// Index of a vendor's documented samples.
    pub struct IndexForm {
        /// The samples.
        sample: Vec<SampleForm>,
    }
}

form! {
    /// A documented sample. The last webhook of its type must have its structure.
    pub struct SampleForm {
        /// File name, relative to the index.
        file: Spanned<String>,
        /// The vendor's name for the event.
        type_ ("type"): Spanned<String>,
        /// Neutral event that causes the webhook [default: the first that matches].
        on: Option<Spanned<EventKind>>,
        /// Kind of message or entity [default: the first that matches].
        kind: Option<Spanned<String>>,
        /// Role of the actor.
        by: Option<Spanned<Role>>,
        /// Data of the message, entity or event, where it differs from the defaults.
        with: TableOf<SyntaxNode>,
        /// Options of the account under which the documentation describes the webhook [default: the
        /// selected ones].
        options: TableOf<Spanned<String>>,
        /// Scenario that causes the webhook, if a single action is not enough.
        scenario: Option<ScenarioForm>,
    }
}

/// A documented sample with the script that causes a webhook of the same structure.
#[derive(Clone, Debug)]
pub struct DocumentedSample {
    /// The vendor's name for the event.
    pub event_type: String,
    /// The documented payload, with invented values.
    pub documented: Arc<Source>,
    /// The requested event.
    pub query: EventQuery,
    /// Whether the index has a scenario; if not, the script is synthesised from the query.
    pub has_scenario: bool,
    /// The script that causes the webhook.
    pub script: Arc<Script>,
    /// Options of the account, by name.
    options: Vec<(String, String)>,
}

/// Returns the samples of a vendor in the order of its index; empty if it has none.
pub fn samples(platform: &Arc<Platform>) -> Result<Vec<DocumentedSample>, Problems> {
    // An index alone is inherited: a vendor that extends another has its index, but no samples.
    let index = platform.samples.get(INDEX).filter(|_| platform.samples.len() > 1);
    let Some(index) = index else { return Ok(Vec::new()) };
    let (node, mut problems) = toml::parse(index);
    if problems.broke_parsing() {
        return Err(problems);
    }
    let Some(form) = IndexForm::read(&node, &mut problems) else { return Err(problems) };
    let mut samples = Vec::new();
    for sample in form.sample {
        samples.extend(problems.note(check(sample, platform, index)));
    }
    problems.into_result(Some(samples))
}

fn check(
    form: SampleForm,
    platform: &Arc<Platform>,
    index: &Arc<Source>,
) -> Result<DocumentedSample, Problems> {
    let files = || platform.samples.keys().map(String::as_str).filter(|name| *name != INDEX);
    let Some(documented) = platform.samples.get(&form.file.value).cloned() else {
        let message = format!("unknown sample `{}`", form.file.value);
        let problem = Problem::at(&form.file.span, code::UNKNOWN_SAMPLE, message);
        return Err(problem.suggest_or_list(&form.file.value, files()).into());
    };
    let query = EventQuery {
        on: form.on.map(|on| on.value),
        by: form.by.map(|by| by.value),
        kind: form.kind.map(|kind| kind.value),
        data: form.with.to_json(),
    };
    let Some(rule) = platform.rule(&form.type_.value, &query) else {
        let message = format!(
            "{} sends no event `{}` of this kind or by this role",
            platform.name, form.type_.value
        );
        let problem = Problem::at(&form.type_.span, code::UNKNOWN_SAMPLE, message);
        return Err(problem.suggest_or_list(&form.type_.value, platform.event_types()).into());
    };
    let has_scenario = form.scenario.is_some();
    let script = match form.scenario {
        Some(form) => {
            let problems = Problems::new();
            let draft = ParsedScenario::new(Arc::clone(index), form, problems);
            scenario::check(draft, &[Arc::clone(platform)], &[])?
        }
        None => Script::for_event(platform, rule, &query),
    };
    let mut options = Vec::new();
    for (key, value) in form.options.iter() {
        let known = platform.option_values(&key.name);
        if !known.contains(&value.value) {
            let message = format!("option `{}` has no value `{}`", key.name, value.value);
            let problem = Problem::at(&value.span, code::UNKNOWN_SAMPLE, message);
            return Err(problem.suggest_or_list(value, known.iter().map(String::as_str)).into());
        }
        options.push((key.name.clone(), value.value.clone()));
    }
    let event_type = form.type_.value;
    let script = Arc::new(script);
    Ok(DocumentedSample { event_type, documented, query, has_scenario, script, options })
}

impl DocumentedSample {
    /// Returns the webhook body to compare, generated from this seed; `None` if it is not sent.
    pub fn sent(&self, account: &Arc<Account>, seed: u64, start: Timestamp) -> Option<String> {
        let mut account = Arc::clone(account);
        if !self.options.is_empty() {
            let selected =
                self.options.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
            Arc::make_mut(&mut account).options.extend(selected);
        }
        let account = &account;
        sent(&self.script, account, &self.event_type, seed, start)
    }

    /// Returns the structural differences from the documentation; `None` if nothing is sent.
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

/// Returns the body of the last webhook of a type that a script causes; `None` if it causes none.
pub fn sent(
    script: &Arc<Script>,
    account: &Arc<Account>,
    event_type: &str,
    seed: u64,
    start: Timestamp,
) -> Option<String> {
    let subscription = [Subscription::to(event_type)];
    let staff = SharedStaff::new(script, account, SeedScope::of_run(seed), start);
    let outputs = rehearse(script, account, &subscription, &staff, 1);
    let payloads = outputs.flat_map(|rehearsed| match rehearsed.output.outcome {
        StepOutcome::Done { result, .. } => result.payloads,
        StepOutcome::Skipped { .. } | StepOutcome::Dropped { .. } | StepOutcome::Expected(_) => {
            Vec::new()
        }
    });
    // Actions before the last one can cause the same type while they set up the conversation.
    payloads.filter_map(|payload| payload.body).last()
}
