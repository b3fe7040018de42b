//! The stages of a call that need nothing of the account's state, and its response.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::call_inbox::KeptCall;
use super::call_work::{
    CallStop, CallWork, Conversations, FoundDocument, FoundFile, ResponseState, unreadable,
};
use super::handshake::HandshakeEnd;
use super::people::{PersonKey, text_of};
use super::settling::SettledMessages;
use crate::platform::api::{
    ApiCall, ApiResponse, AuthContext, BodyProtocol, CallCondition, CallError, CallMatchers,
    CredentialRule, Document, ErrorRule, FindRule, Gather, IssuedRoot, IssuedTokens, OperationRule,
    Presented, RefusalReason, RouteRule, ThrottleKey, ThrottleRule, ThrottleScope, ThrottledCalls,
    argument_secrets, parameters,
};
use crate::record::{CallAuth, CallRecord, CallSecrets, SentContent};
use crate::scenario::ScriptedResponse;
use crate::template::{InputTemplate, TooLarge};

/// Arguments without an effect that a record names: a body can have thousands.
const MAX_IGNORED: usize = 20;

impl CallWork {
    /// The state right after the actions of the call.
    pub(super) fn state<'a>(&'a self, conversations: &'a Conversations) -> ResponseState<'a> {
        let conversation = self.conversation.as_ref().map(|known| known.live.actor.conversation());
        let since = conversation.map_or(0, |conversation| conversation.messages.len());
        ResponseState { conversation, conversations, since }
    }

    fn route_rule(&self) -> Option<&Arc<RouteRule>> {
        self.route.as_ref()
    }

    /// Checks the credentials of a call, which can be in its body.
    ///
    /// `required` are the names of the credentials: one of each list.
    pub(super) fn authenticate(
        &mut self,
        call: &ApiCall,
        body: &Json,
        tokens: &IssuedTokens,
        required: &[Vec<String>],
    ) -> Result<(), CallError> {
        let account = Arc::clone(&self.account);
        let credentials = &account.platform.api.credentials;
        let params = parameters(call, body);
        let roots = account.roots();
        let path = self.content.path();
        let auth = AuthContext { call, path: &path, params: &params, tokens, roots: &roots };
        // All of them, so that none appears in a record.
        let all = required.iter().flatten().filter_map(|name| credentials.get(name));
        for rule in all {
            self.presented.extend(rule.presented(&auth));
            let token = rule.presented_token(&auth);
            self.tokens.extend(token.map(|token| (rule.name.clone(), token)));
            self.secret_names.extend(rule.parameter_names().map(str::to_owned));
        }
        for names in required {
            let rules: Vec<_> = names.iter().filter_map(|name| credentials.get(name)).collect();
            self.authenticate_one(&rules, &auth)?;
        }
        self.content.set_params(params);
        Ok(())
    }

    /// Checks that one of several credentials is valid. The error is that of the first one that the
    /// call presents, with its scheme.
    fn authenticate_one(
        &mut self,
        rules: &[&CredentialRule],
        auth: &AuthContext<'_>,
    ) -> Result<(), CallError> {
        let mut error: Option<(CallError, CallAuth)> = None;
        let mut has_presented = false;
        for rule in rules {
            match rule.verify(auth) {
                Ok(claims) => {
                    self.record.auth = match (rule.is_unverified(), self.record.auth) {
                        (true, _) | (_, CallAuth::NotVerified) => CallAuth::NotVerified,
                        _ => CallAuth::Valid,
                    };
                    self.auth.insert(rule.name.clone(), Json::Object(claims));
                    return Ok(());
                }
                Err(found) => {
                    let is_missing = found.condition == CallCondition::missing(&rule.name);
                    let is_presented = rule.is_presented(auth);
                    if error.is_none() || (is_presented && !has_presented) {
                        has_presented = is_presented;
                        let auth = if is_missing { CallAuth::Missing } else { CallAuth::Invalid };
                        error = Some((found, auth));
                    }
                }
            }
        }
        let Some((error, auth)) = error else { return Ok(()) };
        self.record.auth = auth;
        Err(error)
    }

    pub(super) fn select_operation(&mut self) -> Result<(), CallError> {
        let Some(route) = self.route_rule().cloned() else { return Ok(()) };
        let body = self.content.body();
        let field = self.graphql_field.as_ref().map(|field| &*field.field);
        let matches = |operation: &&Arc<OperationRule>| {
            operation.field.as_deref() == field && operation.matches.hold(body, &self.roots())
        };
        let Some(operation) = route.operations.iter().find(matches) else {
            let message = format!("no operation of the route `{}` matches", route.name);
            return Err(CallError::new(CallCondition::unknown_operation(), message));
        };
        self.record.operation = Some(operation.name.clone());
        self.record.call = Some(operation.call.clone());
        self.record.acts = operation.changes_something();
        self.operation = Some(Arc::clone(operation));
        Ok(())
    }

    /// Returns the operation of the field that is performed for each element of a list.
    pub(super) fn split_operation(&self) -> Option<&Arc<OperationRule>> {
        let field = self.graphql_field.as_ref().map(|field| &*field.field);
        let mut operations = self.route.iter().flat_map(|route| &route.operations);
        let operation = operations.find(|known| known.field.as_deref() == field)?;
        operation.split.is_some().then_some(operation)
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

    /// Notes the mistakes that the vendor accepts.
    pub(super) fn note_warnings(&mut self) {
        let Some(operation) = self.operation.clone() else { return };
        for warning in &operation.warnings {
            if warning.when.hold(self.content.body(), &self.roots()) {
                self.record.warnings.push(warning.text.clone());
            }
        }
    }

    /// Notes the arguments that have no effect.
    pub(super) fn note_ignored(&mut self, call: &ApiCall) {
        let Some(operation) = &self.operation else { return };
        // The query of a GraphQL request is its envelope.
        let is_field = self.graphql_field.is_some();
        let query = if is_field { Vec::new() } else { call.query_pairs() };
        let query = query.into_iter().map(|(name, value)| (name, value.into()));
        let required = self.route.iter().flat_map(|route| route.query_names());
        let required: Vec<String> = required.map(str::to_owned).collect();
        let query = query.filter(|(name, _)| !required.contains(name)).collect();
        self.record.ignored = operation.reads.unread(self.content.body(), &query);
        self.record.ignored.truncate(MAX_IGNORED);
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

    /// Demands the handshake with each URL that the call subscribes, in order. `ends` are those that
    /// were performed.
    pub(super) fn check_handshake(&self, ends: &[HandshakeEnd]) -> Result<(), CallStop> {
        if self.account.platform.handshake.proof.is_none() {
            return Ok(());
        }
        let tested = self.subscriptions.iter().filter(|new| new.enabled && new.has_handshake);
        for (index, new) in tested.enumerate() {
            match ends.get(index) {
                None => return Err(CallStop::Shake(Box::new(new.clone()))),
                Some(HandshakeEnd { continues: true, .. }) => {}
                Some(HandshakeEnd { error, .. }) => {
                    let message = error.clone().unwrap_or_default();
                    return Err(CallError::new(CallCondition::handshake_failed(), message).into());
                }
            }
        }
        Ok(())
    }

    /// Finds a document. Returns `None` if no document has these ids.
    pub(super) fn find_document(&mut self, rule: &FindRule, keys: &[PersonKey]) -> Option<()> {
        let kind = rule.document.clone()?;
        let has = |document: &&Document| {
            keys.iter().all(|key| document.text(&key.field).as_ref() == Some(&key.value))
        };
        let document = self.documents.all(&kind).iter().find(has)?.clone();
        self.found_documents.push(FoundDocument { name: rule.name.clone(), kind, document });
        Some(())
    }

    /// Finds a file. Returns `None` if no file has this path and a valid link.
    pub(super) fn find_file(&mut self, rule: &FindRule, keys: &[PersonKey]) -> Option<()> {
        let key = |field: &str| keys.iter().find(|key| key.field == field);
        let signature = key("link").map(|key| key.value.as_str());
        self.presented.extend(signature.map(|text| Presented(text.to_owned())));
        let path = &key("path")?.value;
        let file = self.files.find(path, signature, self.received_at)?;
        let file = file.clone();
        if rule.stored && file.content.is_none() {
            return None;
        }
        self.found_files.push(FoundFile { name: rule.name.clone(), file });
        Some(())
    }

    /// Fills the body of a response that is a file.
    fn add_file(&self, name: &str, response: &mut ApiResponse) {
        let mut files = self.found_files.iter().filter(|known| known.name == name);
        let Some(content) = files.find_map(|known| known.file.content.as_ref()) else { return };
        response.body.clone_from(&content.bytes);
        let media_type = content.media_type.as_deref().unwrap_or("application/octet-stream");
        response.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        response.headers.push(("Content-Type".to_owned(), media_type.to_owned()));
    }

    /// Renders the response.
    pub(super) fn respond(&self, state: &ResponseState<'_>) -> Result<ApiResponse, CallError> {
        let Some(operation) = &self.operation else {
            return Err(CallError::new(CallCondition::not_found(), "there is no operation"));
        };
        let subscription: Map<String, Json> =
            [("number".to_owned(), self.endpoint.into())].into_iter().collect();
        let issued = self.issued.last();
        let now = self.received_at;
        let issued = issued.map(|(_, issued)| IssuedRoot { issued, now });
        let event: Map<String, Json> = self
            .event_number()
            .map(|number| ("number".to_owned(), number.into()))
            .into_iter()
            .collect();
        let messages = state.conversation.and_then(|known| known.messages.get(state.since..));
        let settled = SettledMessages(messages.unwrap_or_default());
        let roots = self.roots_in(state.conversation).with("settled", &settled);
        // The one that the call has sent, if it has sent one.
        let last = state.conversation.and_then(|known| known.messages[..state.since].last());
        let roots = match last {
            Some(message) => roots.with("message", message),
            None => roots,
        };
        let mut roots = roots.with("subscription", &subscription).with("event", &event);
        if let Some(issued) = &issued {
            roots = roots.with("issued", issued);
        }
        let page = match &operation.list {
            Some(list) => Some(self.page(list, state)?),
            None => None,
        };
        if let Some(page) = &page {
            roots = roots.with("list", page);
        }
        let shared = &self.account.platform.api.header;
        let too_large =
            |error: TooLarge| CallError::new(CallCondition::too_large(), error.to_string());
        let mut response = operation.response.render(&roots, shared).map_err(too_large)?;
        if let Some(name) = operation.response.file() {
            self.add_file(name, &mut response);
        }
        Ok(response)
    }

    /// Returns the response to a batch: the list of the responses to its elements.
    pub(super) fn respond_to_batch(&self, responses: Vec<ApiResponse>) -> ApiResponse {
        let highest = responses.iter().map(|response| response.status).max().unwrap_or(200);
        let failed = self.route.as_ref().and_then(|route| route.batch_status.as_ref());
        let failed = failed.and_then(|text| text.render(&self.account.roots()).parse().ok());
        let status = if highest < 400 { highest } else { failed.unwrap_or(highest) };
        let mut headers = responses.first().map(|first| first.headers.clone()).unwrap_or_default();
        // The list is JSON, whatever its elements are.
        let is_type = |name: &str| name.eq_ignore_ascii_case("content-type");
        let mut shared = self.account.platform.api.header.iter();
        let shared = shared.find(|(name, _)| is_type(name));
        let shared = shared.map(|(_, text)| text.render(&self.account.roots()));
        headers.retain(|(name, _)| !is_type(name));
        let media_type = shared.unwrap_or_else(|| "application/json".to_owned());
        headers.push(("Content-Type".to_owned(), media_type));
        let delay = responses.iter().filter_map(|response| response.delay).max();
        let split = self.split_operation().and_then(|operation| operation.split.as_ref());
        if split.is_some_and(|split| split.gather == Gather::Count) {
            let body = responses.len().to_string().into_bytes();
            return ApiResponse { status, headers, body, delay };
        }
        let bodies = responses.into_iter();
        let bodies = bodies.map(|r| if r.body.is_empty() { b"null".to_vec() } else { r.body });
        let body = [&b"["[..], &bodies.collect::<Vec<_>>().join(&b','), b"]"].concat();
        ApiResponse { status, headers, body, delay }
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
            None => ApiResponse::empty(400),
        }
    }

    fn render_error(&self, rule: &ErrorRule, error: &CallError) -> ApiResponse {
        let root = error.root();
        let roots = self.roots().with("error", &root);
        let shared = &self.account.platform.api.header;
        let fallback = ApiResponse::empty(400);
        rule.response.render(&roots, shared).unwrap_or(fallback)
    }

    /// Notes what the call presents for the credentials of the route and of its operations: a limit
    /// applies before the operation is known, and a GraphQL request has several.
    pub(super) fn note_counted(&mut self, call: &ApiCall, body: &Json, tokens: &IssuedTokens) {
        let Some(route) = self.route_rule().cloned() else { return };
        let account = Arc::clone(&self.account);
        let params = parameters(call, body);
        let (roots, path) = (account.roots(), self.content.path());
        let auth = AuthContext { call, path: &path, params: &params, tokens, roots: &roots };
        let of_operations = route.operations.iter().flat_map(|operation| &operation.auth);
        let names: BTreeSet<&String> = route.auth.iter().chain(of_operations).flatten().collect();
        let rules = names.into_iter().filter_map(|name| account.platform.api.credentials.get(name));
        let presented: Vec<String> =
            rules.flat_map(|rule| rule.presented(&auth)).map(|presented| presented.0).collect();
        self.counted_by = presented.join("\n");
    }

    /// Checks that no limit of the route is exceeded.
    pub(super) fn check_throttles(&self, calls: &ThrottledCalls) -> Result<(), CallError> {
        for (rule, key) in self.throttles() {
            if !calls.admits(rule, &key, self.received_at) {
                let message =
                    format!("the call exceeds the limit `{}`: {}", rule.name, rule.describe());
                return Err(CallError::new(CallCondition::throttled(&rule.name), message));
            }
        }
        Ok(())
    }

    /// Returns the limits that apply to the call, each with what it counts together.
    pub(super) fn throttles(&self) -> impl Iterator<Item = (&ThrottleRule, ThrottleKey)> {
        let names = self.route.iter().flat_map(|route| &route.throttles);
        let rules = names.filter_map(|name| self.account.platform.api.throttles.get(name));
        let rules = rules.filter(|rule| rule.applies(&self.account.options));
        rules.map(|rule| {
            let is_counted = rule.scope == ThrottleScope::Credential;
            let credential = is_counted.then(|| self.counted_by.clone());
            (rule, ThrottleKey { throttle: rule.name.clone(), credential })
        })
    }

    /// Returns the wall time before a response: that of the script, or that of the vendor.
    pub(super) fn delay(&self, response: &ApiResponse) -> Option<Duration> {
        let scripted = self.scripted.as_ref().and_then(|expected| expected.respond.as_ref());
        scripted.and_then(|respond| respond.delay).or(response.delay)
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
        let response = ApiResponse::empty(status);
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
        let response = ApiResponse::empty(status);
        self.kept_with(self.record_of(&response), &response)
    }

    /// Returns the call for the scripts that can expect it, with its record and the delay of a response.
    pub(super) fn kept_with(&self, record: CallRecord, response: &ApiResponse) -> KeptCall {
        let operations = self.route.iter().flat_map(|route| &route.operations);
        let possible: BTreeSet<&String> = operations.map(|operation| &operation.call).collect();
        let names = match &self.operation {
            Some(operation) => vec![operation.call.clone()],
            None => possible.into_iter().cloned().collect(),
        };
        let scripted = self.scripted.as_ref();
        KeptCall {
            record: record.without_content(),
            names,
            // A script does not wait for a response that it delays.
            is_responded: self.delay(response).is_some(),
            responded_by: scripted.map(|expectation| (expectation.step, expectation.round)),
        }
    }

    /// Returns the record of the call with this response, without its secrets.
    pub(super) fn record_of(&self, response: &ApiResponse) -> CallRecord {
        let mut record = self.record.clone();
        record.status = response.status;
        record.fields.clone_from(&self.fields);
        record.body = self.content.body().clone();
        let pointers = match (&self.operation, &self.route) {
            (Some(operation), _) => operation.secret.as_slice(),
            (None, Some(route)) => route.secret.as_slice(),
            (None, None) => &[],
        };
        let issued = self.issued.iter().map(|(_, issued)| issued.token.as_str());
        let presented = self.presented.iter().map(|presented| presented.0.as_str());
        let account = self.account.secret_references();
        // Also what the call presents in a way that no credential of the route takes.
        let misplaced = account
            .map(|(_, secret)| secret.expose())
            .filter(|secret| record.headers.iter().any(|(_, value)| value.contains(*secret)));
        let is_invalid = matches!(&self.route, Some(route) if route.body == BodyProtocol::Graphql)
            && self.operation.is_none();
        let arguments = if is_invalid { argument_secrets(&record.body) } else { Vec::new() };
        let arguments = arguments.iter().map(String::as_str);
        // Who has the signature of a link can upload the file.
        let link = self.link.iter().map(|link| link.signature.as_str());
        let issued = issued.chain(link);
        let texts: Vec<&str> = presented.chain(issued).chain(misplaced).chain(arguments).collect();
        let secrets = CallSecrets { pointers, names: &self.secret_names, texts: &texts };
        let sent = SentContent { headers: &response.headers, body: &response.body };
        record.complete(secrets, sent);
        record
    }
}

/// Returns a response as a script changes it.
fn scripted_response(respond: &ScriptedResponse, response: ApiResponse) -> ApiResponse {
    let mut response = response;
    response.status = respond.status.unwrap_or(response.status);
    if let Some(body) = &respond.body {
        response.body = body.clone().into_bytes();
        let is_type = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-type");
        if respond.is_json && !response.headers.iter().any(is_type) {
            response.headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
    }
    response
}
