//! What a script requires of the receiver besides responses to deliveries: responses of the receiver's
//! API (`eventually`, `request`), and calls to the vendor's API (`expect`).

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::call_expectation::{CallExpectation, CallPlan};
use super::capture::Capture;
use super::request_expectation::{RequestExpectation, RequestPlan};
use super::text::TextContext;
use crate::platform::Platform;
use crate::template::TooLarge;

/// A step that requires something of the receiver.
#[derive(Clone, Debug)]
pub(super) enum ExpectationPlan {
    /// The response to a request to the receiver's own API.
    Request(Arc<RequestPlan>),
    /// A call to the vendor's API.
    Call(Arc<CallPlan>),
}

/// An expectation of a conversation.
#[derive(Clone, Debug)]
pub enum Expectation {
    /// The response to a request to the receiver's own API.
    Request(RequestExpectation),
    /// A call to the vendor's API.
    Call(CallExpectation),
}

impl ExpectationPlan {
    /// Returns the TOML key of the step.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::Request(plan) => plan.key,
            Self::Call(plan) => plan.key,
        }
    }

    /// Returns the step as it is written.
    pub(super) fn declared(&self) -> &Json {
        match self {
            Self::Request(plan) => &plan.declared,
            Self::Call(plan) => &plan.declared,
        }
    }

    /// Returns the values that the step captures.
    pub(super) fn captures(&self) -> &[Capture] {
        match self {
            Self::Request(plan) => plan.captures(),
            Self::Call(plan) => &plan.captures,
        }
    }

    /// Returns why the expectation cannot be met at a vendor; `None` if it can.
    pub(super) fn unsupported(&self, vendor: &Platform) -> Option<String> {
        match self {
            Self::Request(_) => None,
            Self::Call(plan) => plan.unsupported(vendor),
        }
    }

    /// Renders the expectation of a step at a run time.
    ///
    /// # Errors
    ///
    /// Fails if the body of a request is too large.
    pub(super) fn render(
        &self,
        step: usize,
        round: u32,
        context: &TextContext<'_>,
        at: Timestamp,
    ) -> Result<Expectation, TooLarge> {
        Ok(match self {
            Self::Request(plan) => Expectation::Request(plan.render(step, round, context, at)?),
            Self::Call(plan) => Expectation::Call(plan.render(step, round, context, at)?),
        })
    }
}

impl Expectation {
    /// Returns the number of the step in the file, from 1.
    pub fn step(&self) -> usize {
        match self {
            Self::Request(request) => request.step,
            Self::Call(call) => call.step,
        }
    }

    /// Returns the run time.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Request(request) => request.at,
            Self::Call(call) => call.at,
        }
    }
}
