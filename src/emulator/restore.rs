//! Restores a run after a restart: performs again what its records say, without recording or sending
//! it again.
//!
//! A run is a function of its script, seed and inputs. The records hold the inputs, and show that the
//! same comes out.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use jiff::Timestamp;

use super::scripted_run::ScriptedRun;
use crate::base::references::KnownSecrets;
use crate::fault::{FaultKind, Faults};
use crate::record::{
    ActionsRequested, AttemptResult, CallRecord, EndpointSubscription, ExpectationResult, Record,
    RecordKind, RunSteered,
};

/// A run to restore.
#[derive(Debug)]
pub struct RunRestore {
    /// The run, with a log that continues after its last record.
    pub run: ScriptedRun,
    /// The run time at which its clock continues.
    pub at: Timestamp,
    /// What its records say.
    pub facts: RunFacts,
}

/// What the records of a run say about its conversations.
#[derive(Debug, Default)]
pub struct RunFacts {
    /// By the number of the conversation, in order.
    pub(super) conversations: BTreeMap<u32, VecDeque<ConversationFact>>,
    /// Inputs that concern no conversation.
    pub(super) others: Vec<ActionsRequested>,
    /// The last known subscriptions.
    pub(super) routes: Option<Arc<Vec<EndpointSubscription>>>,
    /// The last faults that somebody has turned on.
    pub(super) faults: Option<Arc<Faults>>,
    /// Ids of the deliveries that have settled.
    pub(super) settled: HashSet<String>,
    /// Number of the last call.
    pub(super) calls: u64,
    /// Wall times and numbers of all calls.
    pub(super) call_times: Vec<(Timestamp, u64)>,
    /// Wall time of the first record.
    pub(super) started: Option<Timestamp>,
    /// Calls in no conversation.
    pub(super) calls_outside: Vec<CallRecord>,
    /// The latest run time of a record.
    until: Option<Timestamp>,
    /// Whether responses are kept, because the script captures values from them.
    keeps_responses: bool,
    /// Replace their references in the inputs.
    secrets: KnownSecrets,
}

/// One thing that happened in a conversation.
#[derive(Debug)]
pub(super) enum ConversationFact {
    /// The subscriptions from now on.
    Routes(Arc<Vec<EndpointSubscription>>),
    /// The faults that somebody has turned on, from now on.
    Faults(Arc<Faults>),
    /// Somebody acted.
    Requested(Box<ActionsRequested>, Timestamp),
    /// What followed from the script or an input, as a hash of its record.
    Output(u64),
    /// The script waits for something. Nothing that it did before needs to have a record.
    Awaited,
    /// The result of an expectation, and the hash of its record.
    Expected(Box<ExpectationResult>, Timestamp, u64),
    /// The receiver has called the vendor's API.
    Called(Box<CallRecord>),
    /// The response to a delivery of a step.
    Responded(usize, String, Box<AttemptResult>),
    /// A delivery of a step has settled.
    Settled(usize, Timestamp),
}

impl RunFacts {
    /// Facts of a run whose script captures values from responses, or does not. Its inputs may contain
    /// these secrets.
    pub fn new(keeps_responses: bool, secrets: KnownSecrets) -> Self {
        Self { keeps_responses, secrets, ..Self::default() }
    }

    /// Adds a record of the run. Records must come in order.
    pub fn add(&mut self, record: &Record) {
        let at = record.run_time;
        self.until = self.until.max(Some(at));
        self.started.get_or_insert(record.wall_time);
        let fact = match &record.kind {
            RecordKind::EndpointsChanged { endpoints } => {
                self.routes = Some(Arc::new(endpoints.clone()));
                return;
            }
            RecordKind::RunSteered(RunSteered { faults: Some(faults), .. }) => {
                self.faults = Some(Arc::new(faults.clone()));
                return;
            }
            RecordKind::CallReceived(call) => {
                self.calls = self.calls.max(call.number);
                self.call_times.push((record.wall_time, call.number));
                let call = call.clone().without_content();
                if record.conversation.is_none() {
                    self.calls_outside.push(call.clone());
                }
                ConversationFact::Called(Box::new(call))
            }
            RecordKind::ActionsRequested(requested) if record.conversation.is_none() => {
                self.others.push(requested.filled(&self.secrets));
                return;
            }
            RecordKind::ActionsRequested(requested) => {
                ConversationFact::Requested(Box::new(requested.filled(&self.secrets)), at)
            }
            RecordKind::ExpectationStarted { .. } => ConversationFact::Awaited,
            RecordKind::ExpectationFinished(settled) => {
                let result = Box::new(settled.result.clone());
                ConversationFact::Expected(result, at, hash(&record.kind))
            }
            RecordKind::AttemptFinished { delivery, result, .. } if self.keeps_responses => {
                let Some(step) = record.step else { return };
                let result = Box::new(result.clone());
                ConversationFact::Responded(step, delivery.clone(), result)
            }
            RecordKind::DeliverySettled(settled) if !settled.faults.has(FaultKind::Drop) => {
                self.settled.insert(settled.delivery.clone());
                let Some(step) = record.step.filter(|_| self.keeps_responses) else { return };
                ConversationFact::Settled(step, at)
            }
            kind if is_output(kind) => ConversationFact::Output(hash(kind)),
            _ => return,
        };
        let Some(number) = record.conversation else { return };
        let routes = self.routes.clone();
        let facts = self.conversations.entry(number).or_default();
        let last = facts.iter().rev().find_map(|fact| match fact {
            ConversationFact::Routes(routes) => Some(routes),
            _ => None,
        });
        if let Some(routes) = routes
            && last.is_none_or(|last| !Arc::ptr_eq(last, &routes))
        {
            facts.push_back(ConversationFact::Routes(routes));
        }
        let last = facts.iter().rev().find_map(|fact| match fact {
            ConversationFact::Faults(faults) => Some(faults),
            _ => None,
        });
        if let Some(faults) = &self.faults
            && last.is_none_or(|last| !Arc::ptr_eq(last, faults))
        {
            facts.push_back(ConversationFact::Faults(Arc::clone(faults)));
        }
        facts.push_back(fact);
    }

    /// Returns what people and programs did in conversations.
    pub(super) fn requested(&self) -> impl Iterator<Item = &ActionsRequested> {
        self.conversations.values().flatten().filter_map(|fact| match fact {
            ConversationFact::Requested(requested, _) => Some(&**requested),
            _ => None,
        })
    }

    /// Returns whether anything has happened in a conversation.
    pub fn have_begun(&self) -> bool {
        !self.conversations.is_empty()
    }

    /// Returns the run time of the latest record.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Returns whether a delivery has settled.
    pub fn has_settled(&self, delivery: &str) -> bool {
        self.settled.contains(delivery)
    }
}

/// Whether the account writes such a record, and not the delivery engine.
fn is_output(kind: &RecordKind) -> bool {
    matches!(
        kind,
        RecordKind::ActionDone(_)
            | RecordKind::ActionImplied(_)
            | RecordKind::ActionSkipped { .. }
            | RecordKind::ActionDropped { .. }
            | RecordKind::ActionSilent { .. }
            | RecordKind::DeliveryPlanned { .. }
            | RecordKind::DeliverySettled(_)
    )
}

/// A hash of a record as it is stored.
pub(super) fn hash(kind: &RecordKind) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(kind).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}
