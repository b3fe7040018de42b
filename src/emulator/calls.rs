//! Handles calls to the vendor's API: the stages from the route to the response.
//!
//! Nothing changes until all stages have succeeded. Then the conversation, the people and the
//! subscriptions change together.

use std::sync::Arc;

use serde_json::Value as Json;

use super::actor::ConversationActor;
use super::call_acts::ActScope;
use super::call_work::{
    AccountContent, BatchElement, CallStop, CallWork, FoundEntity, NamedPerson, SeenEntity,
    WorkConversation, unreadable,
};
use super::handshake::HandshakeJob;
use super::host::AccountHost;
use super::incoming::{CallOutcome, CallPart, CallReply, IncomingCall, SentResponse};
use super::live_conversation::LiveConversation;
use super::people::{PersonKey, create, is_person};
use super::requested::{NamedByCall, PersonRef};
use super::router::Router;
use super::subscriptions::{NewSubscription, SubscriptionChange, merged};
use crate::base::redact::Redactor;
use crate::base::secret::Secret;
use crate::conversation::{Conversation, ConversationState, Entity, GeneratedIds, Person, Role};
use crate::delivery::{ConversationKey, HostCommand, RunTimes};
use crate::platform::api::{
    ActTemplate, ApiResponse, BodyProtocol, CallCondition, CallContent, CallError, FieldCall,
    FindKind, FindRule, NoRoute, RefusalReason, WhoRef, parse_body,
};
use crate::record::{RecordKind, RecordScope};

/// What an account does about a call, and what the driver has to do.
pub(super) struct CallResult {
    pub(super) outcome: CallOutcome,
    pub(super) commands: Vec<HostCommand>,
}

impl AccountHost {
    /// Handles a call.
    pub(super) fn call(&mut self, incoming: IncomingCall, times: &mut dyn RunTimes) -> CallResult {
        // Calls that name no conversation belong to the run that has been there longest.
        let Some(run) = self.runs.keys().min().copied() else {
            return CallResult { outcome: CallOutcome::NoRun, commands: Vec::new() };
        };
        self.calls += 1;
        let start = self.runs[&run].plan.start;
        let account = Arc::clone(&self.routes.account);
        let mut work = CallWork::new(account, self.content(), &incoming.call, self.calls, start);
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
                return self.finish_call(work, run, Some(stop));
            }
        };
        let is_graphql =
            work.route.as_ref().is_some_and(|route| route.body == BodyProtocol::Graphql);
        match &incoming.part {
            CallPart::Whole if is_graphql => {
                self.calls -= 1;
                let outcome = CallOutcome::Graphql(work.content.body().clone(), incoming.call);
                return CallResult { outcome, commands: Vec::new() };
            }
            CallPart::Invalid(message) => {
                let error = CallError::new(CallCondition::bad_body(), message.clone());
                return self.finish_call(work, run, Some(CallStop::Fail(error)));
            }
            CallPart::Whole | CallPart::Field(_) => {}
        }
        if let Some(elements) = batch {
            if incoming.only_known && !self.knows_batch(&work, &elements, &incoming, times) {
                return self.refuse_unknown();
            }
            self.count_call(&work);
            return self.call_batch(&work, &elements, &incoming, times);
        }
        let stopped = self.perform_call(&mut work, &incoming, run, times).err();
        if incoming.only_known && !self.knows(&work, stopped.as_ref()) {
            self.give_back(work);
            return self.refuse_unknown();
        }
        match stopped {
            Some(CallStop::Shake(new)) => {
                self.give_back(work);
                self.calls -= 1;
                self.shake(&new, run, incoming)
            }
            stopped => {
                self.count_call(&work);
                self.finish_call(work, run, stopped)
            }
        }
    }

    /// Counts a call that no limit has refused.
    fn count_call(&mut self, work: &CallWork) {
        for (rule, key) in work.throttles() {
            self.throttled.count(rule, key, work.received_at);
        }
    }

    /// Leaves a call to another account.
    fn refuse_unknown(&mut self) -> CallResult {
        self.calls -= 1;
        CallResult { outcome: CallOutcome::NoRun, commands: Vec::new() }
    }

    /// Returns whether an element of a batch belongs to a conversation, or a script waits for it.
    fn knows_batch(
        &mut self,
        work: &CallWork,
        elements: &[Json],
        incoming: &IncomingCall,
        times: &mut dyn RunTimes,
    ) -> bool {
        let (batch, number) = (work.content.body(), work.record.number);
        let Some(run) = self.runs.keys().min().copied() else { return false };
        elements.iter().zip(1..).any(|(body, index)| {
            let element = BatchElement { batch, body, index, number };
            let mut part = work.element(element, self.content());
            let stopped = self.perform_call(&mut part, incoming, run, times).err();
            let is_known = self.knows(&part, stopped.as_ref());
            self.give_back(part);
            is_known
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
            work.check_throttles(&self.throttled)?;
            work.content.set_body(arguments.clone());
            work.content.set_parent(parent);
            return Ok(work.split(&arguments));
        }
        let body = parse_body(protocol, &incoming.call);
        // A wrong credential is the first error, although the body can contain the credential.
        let json = body.as_ref().map_or(&Json::Null, |body| &body.json);
        work.authenticate(&incoming.call, json, &self.tokens, &auth)?;
        work.check_throttles(&self.throttled)?;
        let body = body?;
        work.content.set_body(body.json);
        work.upload = body.file;
        Ok(body.batch)
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
                logs.extend(reply.logs);
                change.extend(reply.change);
            }
            commands.extend(result.commands);
        }
        let (settling, is_error) = (None, failed.is_some());
        let response = failed.unwrap_or_else(|| work.respond_to_batch(responses));
        let change = change.into_option();
        let reply = CallReply { response, sent: all_sent, change, logs, settling, is_error };
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
        if let Some(end) = incoming.handshakes.first() {
            work.handshake = [("passed".to_owned(), end.passed.into())].into_iter().collect();
        }
        self.find_all(work, run, times)?;
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

    fn find_route(&self, work: &mut CallWork, incoming: &IncomingCall) -> Result<(), CallError> {
        let call = &incoming.call;
        let api = &self.routes.account.platform.api;
        let found = api.route(call).map_err(|none| match none {
            NoRoute::Path { nearest } => {
                let message = format!("no route has the path `{}`", call.path);
                work.record.nearest = nearest;
                CallError::new(CallCondition::not_found(), message)
            }
            NoRoute::Method(methods) => {
                let message = format!("`{}` takes {}", call.path, methods.join(", "));
                CallError::new(CallCondition::method_not_allowed(), message)
            }
        })?;
        let (number, at) = (work.record.number, work.at);
        work.content = CallContent::new(call, &found.parameters, number, at);
        work.content.set_ids(work.account.call_ids(number, call.received_at));
        work.record.route = Some(found.route.name.clone());
        work.route = Some(found.route);
        let Some(account) = &api.account else { return Ok(()) };
        let mut parameters = found.parameters.iter();
        let named = parameters.find(|(name, _)| *name == account.parameter);
        let expected = account.is.render(&self.routes.account.roots());
        match named.filter(|(_, value)| *value != expected) {
            Some((_, value)) => {
                let message = format!("there is no account `{value}`; this one is `{expected}`");
                Err(CallError::new(CallCondition::unknown("account"), message))
            }
            None => Ok(()),
        }
    }

    fn find_all(
        &mut self,
        work: &mut CallWork,
        run: u32,
        times: &mut dyn RunTimes,
    ) -> Result<(), CallError> {
        let Some(operation) = work.operation.clone() else { return Ok(()) };
        for rule in &operation.finds {
            let found = match self.find(work, rule, run, times) {
                Err(error) if rule.if_given && error.is_missing_field() => continue,
                Err(error) if rule.optional && !rule.if_given && error.is_absence() => continue,
                found => found?,
            };
            if let Some(person) = found {
                work.people.push(NamedPerson { name: rule.name.clone(), person });
            }
        }
        Ok(())
    }

    /// Finds one thing. A conversation becomes that of the call, a person is returned.
    fn find(
        &mut self,
        work: &mut CallWork,
        rule: &FindRule,
        run: u32,
        times: &mut dyn RunTimes,
    ) -> Result<Option<Person>, CallError> {
        let keys = work.keys(rule)?;
        let role = match rule.kind {
            FindKind::Person(role) => role,
            FindKind::Document => {
                work.find_document(rule, &keys).ok_or_else(|| unknown(rule, &keys))?;
                return Ok(None);
            }
            FindKind::Entity => {
                self.take_entity(work, rule, &keys, times)?;
                return Ok(None);
            }
            FindKind::File => {
                let found = work.find_file(rule, &keys);
                // Without the signature of the link, which is a secret.
                let path: Vec<_> = keys.into_iter().filter(|key| key.field == "path").collect();
                found.ok_or_else(|| unknown(rule, &path))?;
                return Ok(None);
            }
            FindKind::Conversation | FindKind::Dialog => {
                self.take_conversation(work, rule, &keys, times)?;
                return Ok(None);
            }
        };
        let cast = work.conversation.iter().flat_map(|known| &known.live.actor.conversation().cast);
        let staff = self.runs.get(&run).into_iter().flat_map(|run| run.staff.members());
        let made = work.changed_people.iter();
        let known = cast.chain(made).chain(staff).find(|person| is_person(person, role, &keys));
        if let Some(person) = known.or_else(|| self.people.find(role, &keys)) {
            return Ok(Some(person.clone()));
        }
        let everybody = self.conversations.values();
        let mut everybody = everybody.flat_map(|live| &live.actor.conversation().cast);
        if let Some(person) = everybody.find(|person| is_person(person, role, &keys)) {
            return Ok(Some(person.clone()));
        }
        let Some(template) = &rule.create else { return Err(unknown(rule, &keys)) };
        let data = match template.render(&work.roots()).map_err(|error| unreadable(&error))? {
            Some(Json::Object(data)) => data,
            _ => serde_json::Map::new(),
        };
        let person = create(&work.account, role, &keys, &data, work.at);
        work.unit.people.push(NamedByCall { role, keys, data, at: work.at });
        work.changed_people.push(person.clone());
        Ok(Some(person))
    }

    /// Takes the conversation with these ids out of the account, until the call has been handled.
    fn take_conversation(
        &mut self,
        work: &mut CallWork,
        rule: &FindRule,
        keys: &[PersonKey],
        times: &mut dyn RunTimes,
    ) -> Result<(), CallError> {
        let has_ids = |conversation: &Conversation| {
            let has = |ids: &GeneratedIds| {
                keys.iter().all(|key| ids.text(&key.field).as_ref() == Some(&key.value))
            };
            match rule.kind {
                FindKind::Dialog => conversation.dialogs.iter().any(|d| has(&d.head.ids)),
                _ => has(&conversation.ids),
            }
        };
        let get = |key: ConversationKey| {
            self.conversations.get(&key).map(|live| live.actor.conversation())
        };
        let key = keys.iter().find_map(|key| self.registry.find(&key.value, get));
        let has_ids = |key: &ConversationKey| {
            let live = self.conversations.get(key);
            live.is_some_and(|live| has_ids(live.actor.conversation()))
        };
        let key = key.filter(has_ids).ok_or_else(|| unknown(rule, keys))?;
        let at = times.now(key).ok_or_else(|| unknown(rule, keys))?;
        let Some(mut live) = self.conversations.remove(&key) else {
            return Err(unknown(rule, keys));
        };
        let unit = live.actor.begin_unit();
        work.at = at;
        work.found_as = Some(rule.name.clone());
        work.conversation = Some(WorkConversation { key, live, unit, is_new: false });
        Ok(())
    }

    /// Takes the conversation with this entity out of the account, until the call has been handled.
    fn take_entity(
        &mut self,
        work: &mut CallWork,
        rule: &FindRule,
        keys: &[PersonKey],
        times: &mut dyn RunTimes,
    ) -> Result<(), CallError> {
        let is_it = |entity: &&Entity| {
            Some(&entity.kind) == rule.document.as_ref()
                && keys.iter().all(|key| entity.text(&key.field).as_ref() == Some(&key.value))
        };
        let all = self.conversations.iter().filter_map(|(key, live)| {
            let entity = live.actor.conversation().entities.iter().find(is_it)?;
            Some((*key, entity.clone()))
        });
        // The first one: a call must find the same entity when it is replayed.
        let found = all.min_by_key(|(key, _)| *key);
        let (key, entity) = found.ok_or_else(|| unknown(rule, keys))?;
        // One that may be missing is only looked at, so that a call can look at several.
        if rule.optional {
            work.seen_entities.push(SeenEntity { name: rule.name.clone(), entity });
            return Ok(());
        }
        let at = times.now(key).ok_or_else(|| unknown(rule, keys))?;
        let Some(mut live) = self.conversations.remove(&key) else {
            return Err(unknown(rule, keys));
        };
        let unit = live.actor.begin_unit();
        work.at = at;
        work.found_entities.push(FoundEntity { name: rule.name.clone(), entity: entity.name });
        work.conversation = Some(WorkConversation { key, live, unit, is_new: false });
        Ok(())
    }

    /// Refuses to open a second conversation of a visitor, where the vendor admits one only.
    fn refuse_second_conversation(&self, work: &CallWork) -> Result<(), CallError> {
        let single = work.operation.iter().flat_map(|operation| &operation.acts);
        let single = single.filter_map(|rule| match &rule.act {
            ActTemplate::Open { by: WhoRef::Found(name), single: true, .. } => Some(name),
            _ => None,
        });
        for person in single.filter_map(|name| work.person(name)) {
            let is_open = |conversation: &Conversation| {
                conversation.state == Some(ConversationState::Open)
                    && conversation.visitor().is_some_and(|v| v.member.ids == person.member.ids)
            };
            if self.conversations.values().any(|live| is_open(live.actor.conversation())) {
                let message = "the visitor has an open conversation";
                return Err(CallError::new(CallCondition::refused(RefusalReason::Open), message));
            }
        }
        Ok(())
    }

    /// Finds or creates the conversation that the operation opens.
    fn open_conversation(&mut self, work: &mut CallWork, run: u32, times: &mut dyn RunTimes) {
        let opens = work.operation.as_ref().is_some_and(|operation| operation.opens());
        let creates = work.operation.as_ref().is_some_and(|operation| operation.creates_entity());
        if creates && !opens && work.conversation.is_none() {
            // The account keeps entities in conversations. This one is never opened.
            return self.open_unscripted(work, run, times);
        }
        if !opens || work.has_found_conversation() {
            return;
        }
        match self.conversation_to_open(work) {
            Some(key) => self.open_scripted(work, key, times),
            None => self.open_unscripted(work, run, times),
        }
    }

    /// Takes the conversation of a script that expects to be opened. The person whom the call names is
    /// its visitor.
    fn open_scripted(
        &mut self,
        work: &mut CallWork,
        key: ConversationKey,
        times: &mut dyn RunTimes,
    ) {
        let Some(mut live) = self.conversations.remove(&key) else { return };
        let unit = live.actor.begin_unit();
        let mut visitors = work.people.iter_mut();
        if let Some(caller) = visitors.find(|known| known.person.role() == Role::Visitor) {
            work.unit.adopts = Some(PersonRef::to(&caller.person));
            caller.person = live.actor.adopt_visitor(&caller.person);
        }
        work.at = times.now(key).unwrap_or(work.at);
        work.conversation = Some(WorkConversation { key, live, unit, is_new: false });
    }

    /// Creates a conversation without a script.
    fn open_unscripted(&self, work: &mut CallWork, run: u32, times: &mut dyn RunTimes) {
        let Some(live_run) = self.runs.get(&run) else { return };
        let number = live_run.next_opened();
        let key = ConversationKey { run, number };
        let seeds = live_run.opened_seeds(&work.account, number);
        let visitor = work.people.iter().map(|known| &known.person);
        let visitor = visitor.filter(|person| person.role() == Role::Visitor);
        work.unit.opens = Some(visitor.clone().map(PersonRef::to).collect());
        let cast = visitor.chain(live_run.staff.members()).cloned().collect();
        let mut actor = ConversationActor::without_script(&work.account, number, cast, seeds);
        let unit = actor.begin_unit();
        let live = Box::new(LiveConversation::of_actor(actor, live_run, number));
        work.at = times.now(key).unwrap_or(work.at);
        work.conversation = Some(WorkConversation { key, live, unit, is_new: true });
    }

    /// Returns the conversation of a call that does not succeed to its account, unchanged.
    fn give_back(&mut self, work: CallWork) {
        let Some(WorkConversation { key, mut live, unit, is_new }) = work.conversation else {
            return;
        };
        if !is_new {
            live.actor.roll_back(unit);
            self.conversations.insert(key, live);
        }
    }

    /// Asks for the handshake that a call needs.
    fn shake(&self, new: &NewSubscription, run: u32, incoming: IncomingCall) -> CallResult {
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
            at: plan.start,
            prior: Arc::clone(&plan.prior),
            log: plan.log.clone(),
        };
        let outcome = CallOutcome::Shake(Box::new(job), Box::new(incoming));
        CallResult { outcome, commands: Vec::new() }
    }

    fn finish_call(
        &mut self,
        mut work: CallWork,
        run: u32,
        stopped: Option<CallStop>,
    ) -> CallResult {
        let failed = match stopped {
            None => match work.respond(&work.state(&self.conversations)) {
                Ok(response) => {
                    let response = work.as_scripted(response);
                    return self.commit(work, run, response);
                }
                Err(error) => (work.respond_to(&error), error),
            },
            Some(CallStop::Respond(response, error)) => (response, error),
            Some(CallStop::Fail(error)) => (work.respond_to(&error), error),
            // The caller has handled it, except in a batch.
            Some(CallStop::Shake(_)) => {
                let message = "an element of a batch cannot subscribe a URL";
                let error = CallError::new(CallCondition::handshake_failed(), message);
                (work.respond_to(&error), error)
            }
        };
        let (response, error) = failed;
        work.record.error = Some(error.condition.to_string());
        work.record.why = Some(error.message);
        let (call, delay) = (work.kept_with(&response), work.delay(&response));
        let key = work.conversation.as_ref().filter(|known| !known.is_new).map(|known| known.key);
        let at = work.at;
        self.give_back(work);
        let sent = SentResponse {
            call: call.record.number,
            conversation: key,
            holds_deliveries: false,
            delay,
        };
        let record = call.record.clone();
        let run = key.map_or(run, |key| key.run);
        let noted = self.note_call(call, key).unwrap_or(run);
        let conversation = key.filter(|_| noted == run).map(|key| key.number);
        let run = noted;
        let scope = RecordScope { at, conversation, step: None };
        let commands =
            vec![HostCommand::Record(run, scope, Box::new(RecordKind::CallReceived(record)))];
        let mut reply = self.reply(response, vec![sent], None, &[run]);
        reply.is_error = true;
        CallResult { outcome: CallOutcome::Respond(reply), commands }
    }

    /// Applies what a call changes.
    fn commit(&mut self, mut work: CallWork, run: u32, response: ApiResponse) -> CallResult {
        for person in std::mem::take(&mut work.changed_people) {
            self.people.put(person);
        }
        self.keep_tokens(&mut work);
        self.documents = Arc::clone(&work.documents);
        self.files = Arc::clone(&work.files);
        let key = work.conversation.as_ref().map(|known| known.key);
        let run = key.map_or(run, |key| key.run);
        let number = key.map(|key| key.number);
        let scope = RecordScope { at: work.at, conversation: number, step: None };
        let record = |kind| HostCommand::Record(run, scope, Box::new(kind));
        let (call, delay) = (work.kept_with(&response), work.delay(&response));
        let number = call.record.number;
        let received = RecordKind::CallReceived(call.record.clone());
        let mut commands = Vec::new();
        let change = SubscriptionChange {
            new: merged(std::mem::take(&mut work.subscriptions)),
            ended: std::mem::take(&mut work.ended_groups),
        };
        self.redact_subscriptions(&change.new);
        commands.extend(self.routes.subscribe(&change).into_iter().map(record));
        if work.conversation.is_none() && self.is_resumable(run) && !work.unit.is_empty() {
            commands.push(record(RecordKind::ActionsRequested(work.unit.to_record())));
        }
        let opens = work.conversation.as_ref().is_some_and(|known| known.is_new);
        let settle = work.operation.as_ref().and_then(|operation| operation.settle);
        self.commit_conversation(&mut work, &mut commands);
        // A conversation that has just been opened has no script. Another one may wait for the call.
        let noted = self.note_call(call, key.filter(|_| !opens)).unwrap_or(run);
        // The conversation is one of `run`: its number means another one elsewhere.
        let conversation = scope.conversation.filter(|_| noted == run);
        let scope = RecordScope { conversation, ..scope };
        commands.insert(0, HostCommand::Record(noted, scope, Box::new(received)));
        let sent = SentResponse { call: number, conversation: key, holds_deliveries: true, delay };
        let mut reply = self.reply(response, vec![sent], change.into_option(), &[run, noted]);
        reply.settling = key.zip(settle).map(|(key, within)| self.settle(work, key, within));
        CallResult { outcome: CallOutcome::Respond(reply), commands }
    }

    /// The response of a call that these runs record.
    fn reply(
        &self,
        response: ApiResponse,
        sent: Vec<SentResponse>,
        change: Option<Box<SubscriptionChange>>,
        runs: &[u32],
    ) -> CallReply {
        let runs = runs.iter().filter_map(|run| self.runs.get(run));
        let resumable = runs.filter(|run| run.plan.is_resumable);
        let logs = resumable.map(|run| run.plan.log.clone()).collect();
        CallReply { response, sent, change, logs, settling: None, is_error: false }
    }

    fn is_resumable(&self, run: u32) -> bool {
        self.runs.get(&run).is_some_and(|run| run.plan.is_resumable)
    }

    /// Redacts the secrets of subscriptions in the records of all runs.
    pub(super) fn redact_subscriptions(&mut self, new: &[NewSubscription]) {
        let account = Arc::clone(&self.routes.account);
        new.iter().for_each(|new| self.redact(new.redactor(&account)));
    }

    /// Redacts secrets in the records of all runs, also of those that start later: they send to the
    /// same endpoints.
    fn redact(&mut self, redactor: Redactor) {
        self.runs.values().for_each(|run| run.plan.log.redact(redactor.clone()));
        self.routes.redactor = self.routes.redactor.merged(redactor);
    }

    /// Keeps the tokens that a call issues, and forgets those that it revokes.
    fn keep_tokens(&mut self, work: &mut CallWork) {
        for (credential, issued) in std::mem::take(&mut work.issued) {
            let secret = Secret::private(issued.token.clone());
            if self.tokens.add(&credential, issued, work.received_at) {
                // Known before the first record that can contain it.
                self.redact(Redactor::new([(format!("${{issued.{credential}}}"), &secret)]));
            }
        }
        for (credential, token) in std::mem::take(&mut work.revoked) {
            self.tokens.revoke(&credential, token);
        }
    }

    /// Returns the conversation of a call to its account, and holds its deliveries back.
    fn commit_conversation(&mut self, work: &mut CallWork, commands: &mut Vec<HostCommand>) {
        let Some(WorkConversation { key, mut live, unit, is_new }) = work.conversation.take()
        else {
            return;
        };
        live.actor.end_unit(&unit);
        let Some(run) = self.runs.get_mut(&key.run) else { return };
        if is_new {
            run.open_conversation();
        } else if live.reopen() {
            run.reopen_conversation();
        }
        let call = work.record.number;
        let mut router = Router::new(&self.routes, run, key);
        if run.plan.is_resumable && !work.unit.is_empty() {
            let scope = RecordScope { at: work.at, conversation: Some(key.number), step: None };
            router.record(scope, RecordKind::ActionsRequested(work.unit.to_record()));
        }
        live.route(std::mem::take(&mut work.outputs), &mut router, &mut self.registry);
        live.end_outbox(work.at, &mut router);
        let is_delivery = |command: &HostCommand| matches!(command, HostCommand::Submit(_));
        let (deliveries, others): (Vec<_>, Vec<_>) =
            router.commands.into_iter().partition(is_delivery);
        commands.extend(others);
        live.hold(call, deliveries);
        commands.extend(live.next_command(key));
        self.conversations.insert(key, live);
    }
}

fn unknown(rule: &FindRule, keys: &[PersonKey]) -> CallError {
    let keys = keys.iter().map(|key| format!("{} `{}`", key.field, key.value));
    let keys = keys.collect::<Vec<_>>().join(" and ");
    let message = format!("there is no {} with {keys}", rule.kind.as_str());
    CallError::new(CallCondition::unknown(&rule.name), message)
}
