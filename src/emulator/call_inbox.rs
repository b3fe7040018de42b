//! Calls of the receiver that no expectation has taken, and the call that a conversation waits for.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use crate::base::limits::MAX_KEPT_CALLS;
use crate::record::{CallRecord, ExpectationResult, Mismatch};
use crate::scenario::CallExpectation;

/// A call that an expectation can take.
#[derive(Clone, Debug)]
pub(super) struct KeptCall {
    pub(super) record: CallRecord,
    /// The neutral names that it can have: several, if it failed before its operation was known.
    pub(super) names: Vec<String>,
    /// Whether the response was sent. The script must not continue before that: what it does next
    /// would overtake the response.
    pub(super) is_responded: bool,
    /// The step and round whose response the call got in place of the vendor's.
    pub(super) responded_by: Option<(usize, u32)>,
}

/// Calls in the order in which they came.
// An expectation can take every call that no other one has taken, also one that came long before. A
// receiver that does two things at once may make its calls in any order.
#[derive(Debug, Default)]
pub(super) struct CallInbox {
    calls: VecDeque<KeptCall>,
    /// Calls to which the script reacts as soon as the response has been sent.
    reacting: Vec<KeptCall>,
}

/// A call that a conversation waits for.
#[derive(Debug)]
pub(super) struct AwaitedCall {
    expectation: CallExpectation,
    /// The call that meets the expectation.
    taken: Option<KeptCall>,
    /// Ends the wait.
    signal: Option<oneshot::Sender<()>>,
}

impl KeptCall {
    /// Returns what of the call does not meet an expectation.
    fn mismatches(&self, expectation: &CallExpectation) -> Vec<Mismatch> {
        let mut mismatches = expectation.mismatches(&self.record, &self.names);
        let own = expectation.respond.as_ref().map(|_| (expectation.step, expectation.round));
        if self.responded_by != own && !expectation.is_absence() {
            let of = |step: Option<(usize, u32)>| match step {
                Some((step, _)) => format!("the response of step {step}"),
                None => "the response of the vendor".to_owned(),
            };
            mismatches.push(Mismatch {
                field: "response".to_owned(),
                expected: of(own),
                found: of(self.responded_by),
            });
        }
        mismatches
    }

    /// A call of an earlier process. Its response was sent, or can no longer be sent.
    pub(super) fn of_record(record: CallRecord) -> Self {
        let names = record.call.iter().cloned().collect();
        Self { record, names, is_responded: true, responded_by: None }
    }

    fn describe(&self) -> String {
        let CallRecord { number, method, path, operation, status, .. } = &self.record;
        let operation = operation.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        format!("call {number}, {method} {path}{operation}, status {status}")
    }
}

impl CallInbox {
    pub(super) fn push(&mut self, call: KeptCall) {
        if self.calls.len() == MAX_KEPT_CALLS {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    /// Keeps a call until the script reacts to it.
    pub(super) fn push_reacting(&mut self, call: KeptCall) {
        self.reacting.push(call);
    }

    /// Takes the call of this number to which the script reacts.
    pub(super) fn take_reacting(&mut self, number: u64) -> Option<KeptCall> {
        let index = self.reacting.iter().position(|call| call.record.number == number)?;
        Some(self.reacting.swap_remove(index))
    }

    /// Returns whether a call has got the response of a step.
    pub(super) fn has_response_of(&self, expectation: &CallExpectation) -> bool {
        let step = Some((expectation.step, expectation.round));
        self.calls.iter().any(|call| call.responded_by == step)
    }

    /// Notes that the response to a call was sent. Returns whether the call is here.
    pub(super) fn note_response(&mut self, number: u64) -> bool {
        let found = self.calls.iter_mut().find(|call| call.record.number == number);
        found.map(|call| call.is_responded = true).is_some()
    }

    /// The calls with a number above `after`.
    fn calls(&self, after: u64) -> impl Iterator<Item = &KeptCall> {
        self.calls.iter().filter(move |call| call.record.number > after)
    }

    /// Returns the number of the first call above `after` that meets an expectation.
    fn first(&self, expectation: &CallExpectation, after: u64) -> Option<u64> {
        let meets = |call: &&KeptCall| call.mismatches(expectation).is_empty();
        self.calls(after).find(meets).map(|call| call.record.number)
    }

    pub(super) fn take(&mut self, number: u64) -> Option<KeptCall> {
        let index = self.calls.iter().position(|call| call.record.number == number)?;
        self.calls.remove(index)
    }
}

/// Calls among which a conversation looks.
pub(super) struct KeptCalls<'a> {
    /// Those in the conversation.
    pub(super) own: &'a mut CallInbox,
    /// Those in no conversation, or in one without a script.
    pub(super) shared: &'a mut CallInbox,
    /// Number of the last shared call before the run.
    pub(super) before_run: u64,
}

impl AwaitedCall {
    pub(super) fn new(expectation: CallExpectation, signal: oneshot::Sender<()>) -> Self {
        Self { expectation, taken: None, signal: Some(signal) }
    }

    /// Returns the expectation, unless a call has been taken.
    pub(super) fn open_expectation(&self) -> Option<&CallExpectation> {
        Some(&self.expectation).filter(|_| self.taken.is_none())
    }

    /// Returns whether a call would end the wait.
    pub(super) fn accepts(&self, call: &KeptCall) -> bool {
        self.taken.is_none() && call.mismatches(&self.expectation).is_empty()
    }

    /// Takes the first call that meets the expectation. Returns whether there is one.
    pub(super) fn take(&mut self, calls: &mut KeptCalls<'_>) -> bool {
        if self.taken.is_some() {
            return false;
        }
        let own = calls.own.first(&self.expectation, 0);
        let shared = calls.shared.first(&self.expectation, calls.before_run);
        self.taken = match (own, shared) {
            (Some(own), Some(shared)) if shared < own => calls.shared.take(shared),
            (Some(own), _) => calls.own.take(own),
            (None, Some(shared)) => calls.shared.take(shared),
            (None, None) => None,
        };
        self.end_if_responded();
        self.taken.is_some()
    }

    /// Notes that the response to a call was sent. Returns whether it is the one that was taken.
    pub(super) fn note_response(&mut self, number: u64) -> bool {
        let Some(taken) = self.taken.as_mut().filter(|taken| taken.record.number == number) else {
            return false;
        };
        taken.is_responded = true;
        self.end_if_responded();
        true
    }

    fn end_if_responded(&mut self) {
        if self.taken.as_ref().is_some_and(|taken| taken.is_responded)
            && let Some(signal) = self.signal.take()
        {
            // Without a receiver, the time was over at the same moment.
            let _ = signal.send(());
        }
    }

    /// Returns the result at the end of the wait.
    pub(super) fn result(&self, waited_ms: u64, calls: &KeptCalls<'_>) -> ExpectationResult {
        let found = match &self.taken {
            Some(call) if self.expectation.is_absence() => {
                self.expectation.violated_by(&call.record, call.describe())
            }
            Some(call) => self.expectation.met_by(&call.record),
            None if self.expectation.is_absence() => self.expectation.met_by_none(),
            None => self.unmet(calls),
        };
        ExpectationResult { waited_ms, ..found }
    }

    /// Compares the most similar call with the expectation.
    fn unmet(&self, calls: &KeptCalls<'_>) -> ExpectationResult {
        let compare = |call: &KeptCall| {
            let mismatches = call.mismatches(&self.expectation);
            (!call.names.contains(&self.expectation.call), mismatches, call.describe())
        };
        let calls = calls.own.calls(0).chain(calls.shared.calls(calls.before_run));
        // Of equally similar calls, the last one: it is the most recent.
        let key = |found: &(bool, Vec<Mismatch>, String)| (found.0, found.1.len());
        let nearest = calls.map(compare).reduce(
            |best, next| {
                if key(&next) <= key(&best) { next } else { best }
            },
        );
        match nearest {
            Some((_, mismatches, nearest)) => {
                ExpectationResult { mismatches, nearest: Some(nearest), ..Default::default() }
            }
            None => self.expectation.met_by_none(),
        }
    }
}
