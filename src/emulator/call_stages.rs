//! The stages of a call that need nothing of the account's state, and its response.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::call_inbox::KeptCall;
use super::call_work::{CallStop, CallWork, unreadable};
use super::handshake::HandshakeEnd;
use super::incoming::IncomingCall;
use super::people::{PersonKey, text_of};
use crate::platform::api::{
    ApiResponse, BodyProtocol, CallBody, CallCondition, CallError, CallMatchers, ErrorRule,
    FindRule, OperationRule, RefusalReason, RouteRule,
};
use crate::record::{CallAuth, CallRecord};
use crate::scenario::ScriptedResponse;
use crate::template::{InputTemplate, TooLarge};

impl CallWork {
    fn route_rule(&self) -> Option<&Arc<RouteRule>> {
        self.route.as_ref()
    }

    pub(super) fn authenticate(&mut self, incoming: &IncomingCall) -> Result<(), CallError> {
        let account = Arc::clone(&self.account);
        let Some(route) = self.route_rule().cloned() else { return Ok(()) };
        let credentials = &account.platform.api.credentials;
        let needed: Vec<_> = route.auth.iter().filter_map(|name| credentials.get(name)).collect();
        // All of them, so that none appears in a record.
        self.presented = needed.iter().filter_map(|rule| rule.presented(&incoming.call)).collect();
        for rule in &needed {
            rule.verify(&incoming.call, &account.roots()).inspect_err(|error| {
                let is_missing = error.condition == CallCondition::missing(&rule.name);
                self.record.auth = if is_missing { CallAuth::Missing } else { CallAuth::Invalid };
            })?;
        }
        if !needed.is_empty() {
            self.record.auth = CallAuth::Valid;
        }
        Ok(())
    }

    pub(super) fn read_body(&mut self, incoming: &IncomingCall) -> Result<(), CallError> {
        let bytes = match &incoming.call.body {
            CallBody::Whole(bytes) => bytes,
            CallBody::TooLarge => {
                let message = "the body is larger than the limit";
                return Err(CallError::new(CallCondition::too_large(), message));
            }
            CallBody::Incomplete => {
                let message = "the end of the body did not arrive";
                return Err(CallError::new(CallCondition::bad_body(), message));
            }
        };
        if self.route_rule().is_none_or(|route| route.body == BodyProtocol::None) {
            return Ok(());
        }
        let body = serde_json::from_slice(bytes).map_err(|error| {
            CallError::new(CallCondition::bad_body(), format!("the body is not JSON: {error}"))
        })?;
        self.content.set_body(body);
        Ok(())
    }

    pub(super) fn select_operation(&mut self) -> Result<(), CallError> {
        let Some(route) = self.route_rule().cloned() else { return Ok(()) };
        let body = self.content.body();
        let matches = |operation: &&Arc<OperationRule>| operation.matches.hold(body, &self.roots());
        let Some(operation) = route.operations.iter().find(matches) else {
            let message = format!("no operation of the route `{}` matches", route.name);
            return Err(CallError::new(CallCondition::unknown_operation(), message));
        };
        self.record.operation = Some(operation.name.clone());
        self.record.call = Some(operation.call.clone());
        self.record.acts = !operation.acts.is_empty();
        self.operation = Some(Arc::clone(operation));
        Ok(())
    }

    pub(super) fn read_fields(
        &mut self,
        fields: &[(String, InputTemplate)],
    ) -> Result<(), CallError> {
        for (name, template) in fields {
            let value = template.render(&self.roots()).map_err(|error| unreadable(&error))?;
            self.fields.extend(value.map(|value| (name.clone(), value)));
        }
        Ok(())
    }

    /// Reads the values by which something is found.
    pub(super) fn keys(&self, rule: &FindRule) -> Result<Vec<PersonKey>, CallError> {
        let mut keys = Vec::new();
        for (field, template) in &rule.by {
            let value = template.render(&self.roots()).map_err(|error| unreadable(&error))?;
            let value = value.filter(|value| !value.is_null()).ok_or_else(|| {
                let message = format!("`{field}` of `{}` has no value", rule.name);
                CallError::new(CallCondition::missing_field(), message)
            })?;
            keys.push(PersonKey { field: field.clone(), value: text_of(&value) });
        }
        Ok(keys)
    }

    /// Applies the error rules that have matchers.
    pub(super) fn check_error_rules(&self, general: &[ErrorRule]) -> Result<(), CallStop> {
        let own = self.operation.as_ref().map_or(&[][..], |operation| &operation.errors);
        for rule in own.iter().chain(general) {
            let holds = |matchers: &CallMatchers| matchers.hold(self.content.body(), &self.roots());
            if rule.matchers().is_some_and(holds) {
                let message = "a rule for such calls refuses it";
                let state = RefusalReason::State;
                let error = CallError::new(CallCondition::refused(state), message);
                let response = self.render_error(rule, &error);
                return Err(CallStop::Respond(response, error));
            }
        }
        Ok(())
    }

    /// Demands the handshake with a URL that the call subscribes.
    pub(super) fn check_handshake(&self, end: Option<&HandshakeEnd>) -> Result<(), CallStop> {
        let Some(new) = self.subscription.as_ref().filter(|new| new.enabled) else {
            return Ok(());
        };
        match end {
            _ if self.account.platform.handshake.proof.is_none() => Ok(()),
            None => Err(CallStop::Shake(Box::new(new.clone()))),
            Some(HandshakeEnd { continues: true, .. }) => Ok(()),
            Some(HandshakeEnd { error, .. }) => {
                let message = error.clone().unwrap_or_default();
                Err(CallError::new(CallCondition::handshake_failed(), message).into())
            }
        }
    }

    pub(super) fn respond(&self) -> Result<ApiResponse, CallError> {
        let Some(operation) = &self.operation else {
            return Err(CallError::new(CallCondition::not_found(), "there is no operation"));
        };
        let subscription: Map<String, Json> =
            [("number".to_owned(), self.endpoint.into())].into_iter().collect();
        let roots = self.roots().with("subscription", &subscription);
        let shared = &self.account.platform.api.header;
        let too_large =
            |error: TooLarge| CallError::new(CallCondition::too_large(), error.to_string());
        operation.response.render(&roots, shared).map_err(too_large)
    }

    /// Returns the response to a call that fails.
    pub(super) fn respond_to(&self, error: &CallError) -> ApiResponse {
        let api = &self.account.platform.api;
        let own = match (&self.operation, &self.route) {
            (Some(operation), _) => operation.errors.as_slice(),
            (None, Some(route)) => route.errors.as_slice(),
            (None, None) => &[],
        };
        match api.error(own, &error.condition) {
            Some(rule) => self.render_error(rule, error),
            // The check of the folder demands a rule for each condition.
            None => ApiResponse { status: 400, headers: Vec::new(), body: String::new() },
        }
    }

    fn render_error(&self, rule: &ErrorRule, error: &CallError) -> ApiResponse {
        let root = error.root();
        let roots = self.roots().with("error", &root);
        let shared = &self.account.platform.api.header;
        let fallback = ApiResponse { status: 400, headers: Vec::new(), body: String::new() };
        rule.response.render(&roots, shared).unwrap_or(fallback)
    }

    /// Returns the wall time before the response.
    pub(super) fn delay(&self) -> Option<Duration> {
        self.scripted.as_ref()?.respond.as_ref()?.delay
    }

    /// Fails if the script responds with an error. The call changes nothing then.
    pub(super) fn check_scripted(&self) -> Result<(), CallStop> {
        let respond = self.scripted.as_ref().and_then(|expectation| expectation.respond.as_ref());
        let Some(respond) = respond else { return Ok(()) };
        let Some(status) = respond.status.filter(|status| !(200..300).contains(status)) else {
            return Ok(());
        };
        let message = format!("the scenario responds with status {status}");
        let error = CallError::new(CallCondition::refused(RefusalReason::State), message);
        let response = ApiResponse { status, headers: Vec::new(), body: String::new() };
        Err(CallStop::Respond(scripted_response(respond, response), error))
    }

    /// Returns the response to a call that succeeds, as the script changes it.
    pub(super) fn as_scripted(&self, response: ApiResponse) -> ApiResponse {
        match self.scripted.as_ref().and_then(|expectation| expectation.respond.as_ref()) {
            Some(respond) => scripted_response(respond, response),
            None => response,
        }
    }

    /// Returns the call for the scripts that can expect it, without its secrets. `status` is that of the
    /// response.
    pub(super) fn kept(&self, status: u16) -> KeptCall {
        let operations = self.route.iter().flat_map(|route| &route.operations);
        let possible: BTreeSet<&String> = operations.map(|operation| &operation.call).collect();
        let names = match &self.operation {
            Some(operation) => vec![operation.call.clone()],
            None => possible.into_iter().cloned().collect(),
        };
        let scripted = self.scripted.as_ref();
        KeptCall {
            record: self.record_of(status),
            names,
            // A script does not wait for a response that it delays.
            is_responded: self.delay().is_some(),
            responded_by: scripted.map(|expectation| (expectation.step, expectation.round)),
        }
    }

    /// Returns the record of the call, without its secrets.
    fn record_of(&self, status: u16) -> CallRecord {
        let mut record = self.record.clone();
        record.status = status;
        record.fields.clone_from(&self.fields);
        record.body = self.content.body().clone();
        let pointers = match (&self.operation, &self.route) {
            (Some(operation), _) => operation.secret.as_slice(),
            (None, Some(route)) => route.secret.as_slice(),
            (None, None) => &[],
        };
        record.redact(pointers, self.presented.iter().map(|presented| presented.0.as_str()));
        record
    }
}

/// Returns a response as a script changes it.
fn scripted_response(respond: &ScriptedResponse, response: ApiResponse) -> ApiResponse {
    let mut response = response;
    response.status = respond.status.unwrap_or(response.status);
    if let Some(body) = &respond.body {
        response.body.clone_from(body);
        let is_type = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-type");
        if respond.is_json && !response.headers.iter().any(is_type) {
            response.headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
    }
    response
}
