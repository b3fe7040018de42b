//! Handles calls to the vendor's API: the stages from the route to the response.
//!
//! Nothing changes until all stages have succeeded. Then the conversation, the people and the
//! subscriptions change together.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::call_acts::ActScope;
use super::call_commit::CallResult;
use super::call_work::{AccountContent, BatchElement, CallStop, CallWork};
use super::handshake::HandshakeJob;
use super::host::AccountHost;
use super::incoming::{CallOutcome, CallPart, CallReply, IncomingCall, Opening};
use super::subscriptions::{NewSubscription, SubscriptionChange};
use crate::delivery::RunTimes;
use crate::platform::api::{
    ApiCall, BodyProtocol, CallCondition, CallError, FieldCall, parse_body,
};

impl AccountHost {
    /// Handles a call.
    pub(super) fn call(&mut self, incoming: IncomingCall, times: &mut dyn RunTimes) -> CallResult {
        // Calls that name no conversation belong to the run that has been there longest.
        let Some(run) = self.runs.keys().min().copied() else {
            return CallResult { outcome: CallOutcome::NoRun, commands: Vec::new() };
        };
        self.calls += 1;
        // A virtual clock belongs to a conversation. Outside of it, its run has no other time.
        let at = times.passing(run).unwrap_or(self.runs[&run].plan.start);
        let account = Arc::clone(&self.routes.account);
        let mut work = CallWork::new(account, self.content(), &incoming.call, self.calls, at);
        if let CallPart::Field(field) = &incoming.part {
            work.graphql_field = Some(field.clone());
        }
        let batch = match self.begin_call(&mut work, &incoming) {
            Ok(batch) => batch,
            Err(error) => {
                let stop = CallStop::Fail(error);
                if incoming.only_known && !self.knows(&work, Some(&stop)) {
                    return self.refuse_unknown();
                }
                self.count_call(&work);
                return self.finish_call(work, run, Some(stop));
            }
        };
        let is_graphql =
            work.route.as_ref().is_some_and(|route| route.body == BodyProtocol::Graphql);
        match &incoming.part {
            CallPart::Whole if is_graphql => {
                self.calls -= 1;
                // One request, however many fields it has.
                self.count_call(&work);
                let outcome = CallOutcome::Graphql(work.content.body().clone(), incoming.call);
                return CallResult { outcome, commands: Vec::new() };
            }
            CallPart::Invalid { reason, body } => {
                let error = CallError::new(CallCondition::bad_body(), reason.clone());
                let response = work.respond_to(&error).with_json(body.clone());
                return self.finish_call(work, run, Some(CallStop::Respond(response, error)));
            }
            CallPart::Whole | CallPart::Field(_) => {}
        }
        if let Some(elements) = batch {
            return self.call_elements(&work, &elements, incoming, times);
        }
        let stopped = self.perform_call(&mut work, &incoming, run, times).err();
        if incoming.only_known && !self.knows(&work, stopped.as_ref()) {
            self.give_back(work);
            return self.refuse_unknown();
        }
        if stopped.is_none() && work.waits_to_open(incoming.opening) {
            self.give_back(work);
            return self.wait_to_open(incoming);
        }
        match stopped {
            Some(CallStop::Shake(new)) => {
                self.give_back(work);
                self.calls -= 1;
                self.shake(&new, run, at, incoming)
            }
            stopped => {
                self.count_call(&work);
                self.finish_call(work, run, stopped)
            }
        }
    }

    /// Handles the elements of a batch, which wait for a conversation or are refused as a whole.
    fn call_elements(
        &mut self,
        work: &CallWork,
        elements: &[Json],
        incoming: IncomingCall,
        times: &mut dyn RunTimes,
    ) -> CallResult {
        if incoming.only_known && !self.any_element(work, elements, &incoming, times, Self::knows) {
            return self.refuse_unknown();
        }
        let opening = incoming.opening;
        let waits = |_: &Self, part: &CallWork, stopped: Option<&CallStop>| {
            stopped.is_none() && part.waits_to_open(opening)
        };
        if opening != Opening::Opens && self.any_element(work, elements, &incoming, times, waits) {
            return self.wait_to_open(incoming);
        }
        self.count_call(work);
        self.call_batch(work, elements, &incoming, times)
    }

    /// Counts a call that has reached the limits, and that none of them has refused.
    fn count_call(&mut self, work: &CallWork) {
        if !work.is_admitted {
            return;
        }
        for (rule, key) in work.throttles() {
            self.throttled.count(rule, key, work.received_at);
        }
    }

    /// Leaves a call to another account.
    fn refuse_unknown(&mut self) -> CallResult {
        self.calls -= 1;
        CallResult { outcome: CallOutcome::NoRun, commands: Vec::new() }
    }

    /// Lets a call wait for its turn to open a conversation, or for a run.
    fn wait_to_open(&mut self, incoming: IncomingCall) -> CallResult {
        self.calls -= 1;
        CallResult { outcome: CallOutcome::Wait(Box::new(incoming)), commands: Vec::new() }
    }

    /// Returns whether the test is true of an element of a batch, were it handled alone.
    fn any_element(
        &mut self,
        work: &CallWork,
        elements: &[Json],
        incoming: &IncomingCall,
        times: &mut dyn RunTimes,
        test: impl Fn(&Self, &CallWork, Option<&CallStop>) -> bool,
    ) -> bool {
        let (batch, number) = (work.content.body(), work.record.number);
        let Some(run) = self.runs.keys().min().copied() else { return false };
        elements.iter().zip(1..).any(|(body, index)| {
            let element = BatchElement { batch, body, index, number };
            let mut part = work.element(element, self.content());
            let stopped = self.perform_call(&mut part, incoming, run, times).err();
            let is_true = test(self, &part, stopped.as_ref());
            self.give_back(part);
            is_true
        })
    }

    /// Handles what comes before the operation. Returns the elements of a batch.
    fn begin_call(
        &mut self,
        work: &mut CallWork,
        incoming: &IncomingCall,
    ) -> Result<Option<Vec<Json>>, CallError> {
        self.find_route(work, incoming)?;
        let protocol = work.route.as_ref().map_or(BodyProtocol::None, |route| route.body);
        let auth = work.route.as_ref().map(|route| route.auth.clone()).unwrap_or_default();
        if let Some(FieldCall { arguments, parent, .. }) = work.graphql_field.clone() {
            work.authenticate(&incoming.call, &arguments, &self.tokens, &auth)?;
            work.content.set_body(arguments.clone());
            work.content.set_parent(parent);
            return self.split_call(work, &incoming.call, &arguments);
        }
        let body = parse_body(protocol, &incoming.call);
        // A wrong credential is the first error, although the body can contain the credential.
        let json = body.as_ref().map_or(&Json::Null, |body| &body.json);
        work.authenticate(&incoming.call, json, &self.tokens, &auth)?;
        // The fields of a GraphQL request, and one that is invalid, have passed this stage before.
        if matches!(incoming.part, CallPart::Whole) {
            work.note_counted(&incoming.call, json, &self.tokens);
            work.check_throttles(&self.throttled)?;
            work.is_admitted = true;
        }
        let body = body?;
        work.content.set_body(body.json);
        work.upload = body.file;
        Ok(body.batch)
    }

    /// Returns the bodies of the calls that a field makes, if it makes several.
    fn split_call(
        &self,
        work: &mut CallWork,
        call: &ApiCall,
        arguments: &Json,
    ) -> Result<Option<Vec<Json>>, CallError> {
        let Some(operation) = work.split_operation().cloned() else { return Ok(None) };
        let Some(split) = &operation.split else { return Ok(None) };
        let elements = match &split.over {
            Some(list) => {
                let page = work.page(list, &work.state(&self.conversations))?;
                let ids = page.items.iter().map(|one| one.get(&split.id).into_json());
                ids.collect()
            }
            None => match arguments.pointer(&split.pointer).and_then(Json::as_array) {
                Some(elements) => elements.clone(),
                None => return Ok(None),
            },
        };
        if elements.is_empty() {
            // No element presents the credentials.
            work.authenticate(call, arguments, &self.tokens, &operation.auth)?;
        }
        let elements = elements.into_iter();
        Ok(Some(elements.map(|element| split.with_element(arguments, element)).collect()))
    }

    /// Handles each element of a batch as a separate call, in order.
    fn call_batch(
        &mut self,
        work: &CallWork,
        elements: &[Json],
        incoming: &IncomingCall,
        times: &mut dyn RunTimes,
    ) -> CallResult {
        let (mut responses, mut all_sent, mut commands) = (Vec::new(), Vec::new(), Vec::new());
        let mut is_kept = true;
        let (mut logs, mut failed, mut change) = (Vec::new(), None, SubscriptionChange::default());
        for (body, index) in elements.iter().zip(1..) {
            // A conversation can have ended meanwhile, and its run with it.
            let Some(run) = self.runs.keys().min().copied() else { break };
            self.calls += u64::from(index > 1);
            let number = self.calls;
            let batch = work.content.body();
            let element = BatchElement { batch, body, index, number };
            let mut part = work.element(element, self.content());
            let stopped = self.perform_call(&mut part, incoming, run, times).err();
            let result = self.finish_call(part, run, stopped);
            if let CallOutcome::Respond(reply) = result.outcome {
                // A field has one error.
                if reply.is_error && work.graphql_field.is_some() {
                    failed.get_or_insert(reply.response);
                } else {
                    responses.push(reply.response);
                }
                all_sent.extend(reply.sent);
                is_kept &= reply.is_kept;
                logs.extend(reply.logs);
                change.extend(reply.change);
            }
            commands.extend(result.commands);
        }
        let (settling, is_error) = (None, failed.is_some());
        let response = failed.unwrap_or_else(|| work.respond_to_batch(responses));
        let change = change.into_option();
        let sent = all_sent;
        let reply = CallReply { response, sent, change, logs, settling, is_error, is_kept };
        CallResult { outcome: CallOutcome::Respond(reply), commands }
    }

    fn content(&self) -> AccountContent<'_> {
        AccountContent { documents: &self.documents, files: &self.files }
    }

    fn perform_call(
        &mut self,
        work: &mut CallWork,
        incoming: &IncomingCall,
        run: u32,
        times: &mut dyn RunTimes,
    ) -> Result<(), CallStop> {
        if let Some(route) = work.route.clone() {
            work.read_fields(&route.fields)?;
        }
        work.select_operation()?;
        if let Some(operation) = work.operation.clone() {
            let body = work.content.body().clone();
            work.authenticate(&incoming.call, &body, &self.tokens, &operation.auth)?;
            work.read_fields(&operation.fields)?;
        }
        work.note_warnings();
        work.note_ignored(&incoming.call);
        if let Some(end) = incoming.handshakes.first() {
            work.handshake = [("passed".to_owned(), end.passed.into())].into_iter().collect();
        }
        self.find_all(work, run, times)?;
        self.find_agents(work, run);
        work.check_error_rules(&self.routes.account.platform.api.errors)?;
        self.refuse_second_conversation(work)?;
        self.open_conversation(work, run, times);
        work.scripted = self.scripted_response(work);
        work.check_scripted()?;
        let scope = ActScope {
            subscriptions: &self.routes.subscriptions,
            people: &self.people,
            egress: incoming.egress,
        };
        work.perform(&scope)?;
        work.endpoint = self.routes.next_number();
        work.check_handshake(&incoming.handshakes)
    }

    /// Asks for the handshake that a call needs.
    fn shake(
        &self,
        new: &NewSubscription,
        run: u32,
        at: Timestamp,
        incoming: IncomingCall,
    ) -> CallResult {
        let Some(live_run) = self.runs.get(&run) else {
            return CallResult { outcome: CallOutcome::NoRun, commands: Vec::new() };
        };
        let (plan, account) = (&live_run.plan, &self.routes.account);
        // Known before the first record that can contain them.
        plan.log.redact(new.redactor(account));
        let job = HandshakeJob {
            endpoint: new.endpoint(self.routes.next_number(), account),
            account: new.account(account),
            seed: plan.seed,
            at,
            prior: Arc::clone(&plan.prior),
            log: plan.log.clone(),
        };
        let outcome = CallOutcome::Shake(Box::new(job), Box::new(incoming));
        CallResult { outcome, commands: Vec::new() }
    }
}
