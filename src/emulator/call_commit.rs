//! Ends a call: applies what it changes, or nothing, and builds its response.

use std::sync::Arc;

use super::call_work::{CallStop, CallWork, OtherConversation, WorkConversation};
use super::host::AccountHost;
use super::incoming::{CallOutcome, CallReply, SentResponse};
use super::remember::AccountChange;
use super::requested::PersonRef;
use super::router::Router;
use super::settling::SettlingPlace;
use super::subscriptions::{NewSubscription, SubscriptionChange, merged};
use crate::base::redact::Redactor;
use crate::base::secret::Secret;
use crate::delivery::HostCommand;
use crate::platform::api::{ApiResponse, CallCondition, CallError};
use crate::record::{RecordKind, RecordScope};

/// What an account does about a call, and what the driver has to do.
pub(super) struct CallResult {
    pub(super) outcome: CallOutcome,
    pub(super) commands: Vec<HostCommand>,
}

impl AccountHost {
    /// Returns the conversations of a call that does not succeed to its account, unchanged.
    pub(super) fn give_back(&mut self, work: CallWork) {
        let others = work.others.into_iter().map(|other| other.conversation);
        for conversation in others.chain(work.conversation) {
            let WorkConversation { key, mut live, unit, is_new } = conversation;
            if !is_new {
                live.actor.roll_back(unit);
                self.conversations.insert(key, live);
            }
        }
    }

    pub(super) fn finish_call(
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
        let (record, delay) = (work.record_of(&response), work.delay(&response));
        let call = work.kept_with(record.clone(), &response);
        let key = work.conversation.as_ref().filter(|known| !known.is_new).map(|known| known.key);
        let at = work.at;
        self.give_back(work);
        let sent = SentResponse {
            call: call.record.number,
            conversation: key,
            holds_deliveries: false,
            delay,
        };
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
        let tokens = self.keep_tokens(&mut work);
        let documents = std::mem::replace(&mut self.documents, Arc::clone(&work.documents));
        let files = std::mem::replace(&mut self.files, Arc::clone(&work.files));
        let key = work.conversation.as_ref().map(|known| known.key);
        let run = key.map_or(run, |key| key.run);
        let number = key.map(|key| key.number);
        let scope = RecordScope { at: work.at, conversation: number, step: None };
        let record = |kind| HostCommand::Record(run, scope, Box::new(kind));
        let settle = work.operation.as_ref().and_then(|operation| operation.settle);
        let (mut received, delay) = (work.record_of(&response), work.delay(&response));
        let call = work.kept_with(received.clone(), &response);
        let number = received.number;
        // The response is not the one that is sent.
        received.response = received.response.filter(|_| settle.is_none() || key.is_none());
        let received = RecordKind::CallReceived(received);
        let mut commands = Vec::new();
        let change = SubscriptionChange {
            new: merged(std::mem::take(&mut work.subscriptions)),
            ended: std::mem::take(&mut work.ended_groups),
        };
        self.redact_subscriptions(&change.new);
        let endpoints = self.routes.subscribe(&change);
        let (subscribed, changed) = (&change.new, &endpoints);
        let kept = AccountChange { documents, files, tokens, subscribed, endpoints: changed };
        // Before its first record: a run that is restored needs the endpoints of its records.
        let is_kept = self.keep(&kept);
        commands.extend(endpoints.into_iter().map(record));
        if work.conversation.is_none() && self.is_resumable(run) && !work.unit.is_empty() {
            commands.push(record(RecordKind::ActionsRequested(work.unit.to_record())));
        }
        let opens = work.conversation.as_ref().is_some_and(|known| known.is_new);
        let mut sent =
            vec![SentResponse { call: number, conversation: key, holds_deliveries: true, delay }];
        let mut recorded = vec![run];
        for place in work.places() {
            if Some(place.conversation.key) != key {
                let conversation = Some(place.conversation.key);
                sent.push(SentResponse {
                    call: number,
                    conversation,
                    holds_deliveries: true,
                    delay,
                });
                recorded.push(place.conversation.key.run);
            }
            self.commit_conversation(place, number, &mut commands);
        }
        // A conversation that has just been opened has no script. Another one may wait for the call.
        let noted = self.note_call(call, key.filter(|_| !opens)).unwrap_or(run);
        // The conversation is one of `run`: its number means another one elsewhere.
        let conversation = scope.conversation.filter(|_| noted == run);
        let scope = RecordScope { conversation, ..scope };
        commands.insert(0, HostCommand::Record(noted, scope, Box::new(received)));
        recorded.push(noted);
        let mut reply = self.reply(response, sent, change.into_option(), &recorded);
        reply.is_kept = is_kept;
        let place = |key| SettlingPlace { conversation: key, run: noted };
        reply.settling = key.zip(settle).map(|(key, within)| self.settle(work, place(key), within));
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
        CallReply { response, sent, change, logs, settling: None, is_error: false, is_kept: true }
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
    pub(super) fn redact(&mut self, redactor: Redactor) {
        self.runs.values().for_each(|run| run.plan.log.redact(redactor.clone()));
        self.routes.redactor = self.routes.redactor.merged(redactor);
    }

    /// Keeps the tokens that a call issues, and forgets those that it revokes. Returns them.
    fn keep_tokens(&mut self, work: &mut CallWork) -> Vec<(String, String)> {
        let mut changed = Vec::new();
        for (credential, issued) in std::mem::take(&mut work.issued) {
            let secret = Secret::private(issued.token.clone());
            changed.push((credential.clone(), issued.token.clone()));
            if self.tokens.add(&credential, issued, work.received_at) {
                // Known before the first record that can contain it.
                self.redact(Redactor::new([(format!("${{issued.{credential}}}"), &secret)]));
            }
        }
        for (credential, token) in std::mem::take(&mut work.revoked) {
            changed.push((credential.clone(), token.clone()));
            self.tokens.revoke(&credential, token);
        }
        changed
    }

    /// Returns a conversation of a call to its account, and holds its deliveries back.
    fn commit_conversation(
        &mut self,
        place: OtherConversation,
        call: u64,
        commands: &mut Vec<HostCommand>,
    ) {
        let OtherConversation { conversation, unit: requested, outputs, at, heir } = place;
        let WorkConversation { key, mut live, unit, is_new } = conversation;
        live.actor.end_unit(&unit);
        let Some(run) = self.runs.get_mut(&key.run) else { return };
        if is_new {
            run.open_conversation();
        } else if live.reopen() {
            run.reopen_conversation();
        }
        let mut router = Router::new(&self.routes, run, key);
        if run.plan.is_resumable && !requested.is_empty() {
            let scope = RecordScope { at, conversation: Some(key.number), step: None };
            router.record(scope, RecordKind::ActionsRequested(requested.to_record()));
        }
        live.route(outputs, &mut router, &mut self.registry);
        if let Some(heir) = heir {
            live.actor.hand_over(&heir);
        }
        live.end_outbox(at, &mut router);
        let is_delivery = |command: &HostCommand| matches!(command, HostCommand::Submit(_));
        let (deliveries, others): (Vec<_>, Vec<_>) =
            router.commands.into_iter().partition(is_delivery);
        commands.extend(others);
        live.hold(call, deliveries);
        commands.extend(live.next_command(key));
        self.conversations.insert(key, live);
    }
}

impl CallWork {
    /// Takes the conversations that the call changes, its own first.
    fn places(&mut self) -> Vec<OtherConversation> {
        let people = self.unit.people.clone();
        let own = self.conversation.take().map(|conversation| OtherConversation {
            conversation,
            unit: std::mem::take(&mut self.unit),
            outputs: std::mem::take(&mut self.outputs),
            at: self.at,
            heir: self.heir.take(),
        });
        let others = std::mem::take(&mut self.others).into_iter().map(|mut other| {
            if other.heir.is_some() || !other.unit.is_empty() {
                // A conversation is restored on its own.
                other.unit.people.clone_from(&people);
            }
            other
        });
        let places = own.into_iter().chain(others).map(|mut place| {
            place.unit.hands_over = place.heir.as_ref().map(PersonRef::to);
            place
        });
        places.collect()
    }
}
