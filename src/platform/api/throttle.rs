//! Limits of calls, and the calls that they count.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};

use super::throttle_form::{ThrottleForm, ThrottleScope};
use crate::base::limits::MAX_THROTTLE;
use crate::diag::{Problem, Problems, code};
use crate::platform::forms::VendorForm;
use crate::platform::request::OptionValues;

/// A limit of calls.
#[derive(Clone, Debug)]
pub struct ThrottleRule {
    /// Unique name.
    pub name: String,
    limit: usize,
    period: SignedDuration,
    /// Whose calls are counted together.
    pub scope: ThrottleScope,
    when: OptionValues,
}

/// The latest calls that limits have counted, by limit and credential.
#[derive(Default)]
pub struct ThrottledCalls(BTreeMap<ThrottleKey, VecDeque<Timestamp>>);

/// What a limit counts together: its name, and the credential if it counts by credential.
// No `Debug`: it contains credentials.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ThrottleKey {
    /// Name of the limit.
    pub throttle: String,
    /// The credentials that the call presents.
    pub credential: Option<String>,
}

/// Maximum number of credentials whose calls are counted.
const MAX_COUNTED: usize = 10_000;

impl ThrottleRule {
    pub(super) fn check(form: &ThrottleForm, vendor: &VendorForm, problems: &mut Problems) -> Self {
        let limit = usize::try_from(form.limit.value).unwrap_or(usize::MAX);
        if !(1..=MAX_THROTTLE).contains(&limit) {
            let message =
                format!("`limit` must be from 1 to {MAX_THROTTLE}, found {}", form.limit.value);
            problems.push(Problem::at(&form.limit.span, code::OUT_OF_RANGE, message));
        }
        if form.per.value.is_zero() {
            let message = "`per` must be greater than 0";
            let problem = Problem::at(&form.per.span, code::INVALID_DURATION, message);
            problems.push(problem.help("write the period of the limit, such as `\"1m\"`"));
        }
        Self {
            name: form.name.value.clone(),
            limit,
            period: form.per.value,
            scope: form.by.as_ref().map_or(ThrottleScope::Account, |by| by.value),
            when: OptionValues::check(&form.when, &vendor.option, problems),
        }
    }

    /// Returns true if the limit applies with these options of the account.
    pub fn applies(&self, options: &Map<String, Json>) -> bool {
        self.when.hold(options)
    }

    /// Describes the limit, such as `20 calls in 1m`.
    pub fn describe(&self) -> String {
        format!("{} calls in {:#}", self.limit, self.period)
    }
}

impl ThrottledCalls {
    /// Returns true if a limit admits another call at this wall time.
    pub fn admits(&self, rule: &ThrottleRule, key: &ThrottleKey, now: Timestamp) -> bool {
        let Some(calls) = self.0.get(key) else { return true };
        let is_recent = |at: &&Timestamp| now.duration_since(**at) < rule.period;
        calls.iter().filter(is_recent).count() < rule.limit
    }

    /// Counts a call at this wall time.
    pub fn count(&mut self, rule: &ThrottleRule, key: ThrottleKey, now: Timestamp) {
        if self.0.len() >= MAX_COUNTED && !self.0.contains_key(&key) {
            // The one whose last call was longest ago.
            let oldest = self.0.iter().min_by_key(|(_, calls)| calls.back().copied());
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&oldest);
            }
        }
        let calls = self.0.entry(key).or_default();
        calls.push_back(now);
        if calls.len() > rule.limit {
            calls.pop_front();
        }
    }
}
