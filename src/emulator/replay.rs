//! Replays the facts of a conversation that is restored.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::actor::{ConversationActor, ScriptWait};
use super::call_inbox::KeptCall;
use super::host::AccountHost;
use super::live_conversation::LiveConversation;
use super::people::People;
use super::requested::{PersonRef, RequestedUnit, all_people, put_people};
use super::restore::{ConversationFact, RunFacts, hash};
use super::router::Router;
use super::scripted_run::{LiveRun, ScriptedRun};
use crate::conversation::Person;
use crate::delivery::{ConversationKey, Host as _, HostCommand};
use crate::fault::Faults;
use crate::platform::Subscription;
use crate::record::{ActionsRequested, EndpointSubscription, RecordKind, RecordLog};
use crate::scenario::ScriptInput;

/// Why a run cannot be restored.
type Diverged = String;

/// The replay of one conversation.
struct Replay<'a> {
    key: ConversationKey,
    facts: VecDeque<ConversationFact>,
    /// Facts about deliveries that stand between the outputs of one step.
    deferred: VecDeque<ConversationFact>,
    settled: &'a HashSet<String>,
    log: RecordLog,
    /// What the journal does not have yet.
    new: Vec<HostCommand>,
    /// The expectation that the script waits for.
    expect: Option<HostCommand>,
}

impl AccountHost {
    /// Restores a run. Returns what has to be done to continue it.
    pub(super) fn restore(
        &mut self,
        run: ScriptedRun,
        facts: RunFacts,
        done: oneshot::Sender<()>,
    ) -> Result<Vec<HostCommand>, Diverged> {
        let (number, scripted) = (run.number, run.scripted());
        run.log.redact(self.routes.redactor.clone());
        let mut live = LiveRun::new(run, &self.routes.account, done);
        for (at, number) in &facts.call_times {
            self.restored_calls.insert(*at, *number);
        }
        let before = facts.started.and_then(|at| self.restored_calls.range(..at).next_back());
        live.calls_before = before.map_or(0, |(_, number)| *number);
        while live.start_conversation().is_some() {}
        self.runs.insert(number, live);
        let people = self.people.clone();
        let current = self.routes.subscriptions.clone();
        let restored = self.restore_all(number, scripted, facts);
        self.people_to_come = People::default();
        self.routes.subscriptions = current;
        if let Some(live) = self.runs.get(&number) {
            // The subscriptions are those of now, and are recorded before they matter.
            live.known_routes.set(0);
        }
        if restored.is_err() {
            self.cancelled(number);
            self.people = people;
        }
        restored
    }

    fn restore_all(
        &mut self,
        run: u32,
        scripted: u32,
        mut facts: RunFacts,
    ) -> Result<Vec<HostCommand>, Diverged> {
        self.calls = self.calls.max(facts.calls);
        for requested in &facts.others {
            let unit = RequestedUnit::read(requested)?;
            put_people(&unit, &mut self.people, &self.routes.account);
        }
        for call in std::mem::take(&mut facts.calls_outside) {
            self.calls_outside.push(KeptCall::of_record(call));
        }
        self.people_to_come = self.people.clone();
        for requested in facts.requested() {
            let unit = RequestedUnit::read(requested)?;
            put_people(&unit, &mut self.people_to_come, &self.routes.account);
        }
        let mut commands = Vec::new();
        let opened: Vec<u32> =
            facts.conversations.keys().copied().filter(|number| *number > scripted).collect();
        for number in (1..=scripted).chain(opened) {
            let key = ConversationKey { run, number };
            if number <= scripted {
                let live = &self.runs[&run];
                let new = LiveConversation::of_script(live, &self.routes.account, number);
                self.conversations.insert(key, Box::new(new));
            }
            let own = facts.conversations.remove(&number).unwrap_or_default();
            self.runs[&run].faults.set_live(Faults::default());
            commands.extend(self.replay(key, own, &facts.settled)?);
        }
        let faults = facts.faults.as_deref().cloned();
        self.runs[&run].faults.set_live(faults.unwrap_or_default());
        Ok(commands)
    }

    /// Replays the facts of a conversation.
    fn replay(
        &mut self,
        key: ConversationKey,
        facts: VecDeque<ConversationFact>,
        settled: &HashSet<String>,
    ) -> Result<Vec<HostCommand>, Diverged> {
        let log = self.runs[&key.run].plan.log.clone();
        let deferred = VecDeque::new();
        let mut replay =
            Replay { key, facts, deferred, settled, log, new: Vec::new(), expect: None };
        while let Some(fact) = replay.next() {
            let commands = match fact {
                ConversationFact::Routes(routes) => {
                    self.set_routes(&routes);
                    Vec::new()
                }
                ConversationFact::Faults(faults) => {
                    self.runs[&key.run].faults.set_live(Faults::clone(&faults));
                    Vec::new()
                }
                ConversationFact::Responded(step, delivery, result) => {
                    if let Some(live) = self.conversations.get_mut(&key) {
                        live.actor.note_response(step, &delivery, &result);
                    }
                    Vec::new()
                }
                ConversationFact::Called(call) => {
                    let inbox =
                        self.conversations.get_mut(&key).and_then(|live| live.inbox.as_mut());
                    if let Some(inbox) = inbox {
                        inbox.push(KeptCall::of_record(*call));
                    }
                    Vec::new()
                }
                ConversationFact::Settled(step, at) => self.replay_settled(key, step, at),
                ConversationFact::Requested(requested, at) => {
                    self.replay_unit(key, &requested, at)?
                }
                ConversationFact::Awaited if replay.expect.is_some() => Vec::new(),
                ConversationFact::Awaited => match self.next_due(key) {
                    Some(at) => {
                        replay.facts.push_front(ConversationFact::Awaited);
                        self.due(key, at)
                    }
                    None => Vec::new(),
                },
                ConversationFact::Expected(result, at, output) => {
                    replay.facts.push_front(ConversationFact::Output(output));
                    replay.expect = None;
                    if let Some(call) = result.call {
                        self.drop_call(key, call);
                    }
                    self.settle_expectation(key, &result, at)
                }
                ConversationFact::Output(output) => {
                    replay.facts.push_front(ConversationFact::Output(output));
                    // The moment before a step has no record, so that several can come before one.
                    let Some(at) = self.next_due(key) else {
                        return Err(replay.diverged("it has a record that does not follow"));
                    };
                    self.due(key, at)
                }
            };
            replay.take(commands)?;
        }
        let mut commands = replay.new;
        let Some(live) = self.conversations.get_mut(&key) else { return Ok(commands) };
        commands.extend(replay.expect);
        commands.extend(live.wake_again(key));
        // A call that came before the restart may be the one that the script waits for.
        self.take_kept_call(key);
        Ok(commands)
    }

    /// When the script of a conversation continues.
    fn next_due(&self, key: ConversationKey) -> Option<Timestamp> {
        self.conversations.get(&key)?.next_due()
    }

    /// Drops a call that an expectation has taken.
    fn drop_call(&mut self, key: ConversationKey, number: u64) {
        self.calls_outside.take(number);
        let live = self.conversations.get_mut(&key);
        if let Some(inbox) = live.and_then(|live| live.inbox.as_mut()) {
            inbox.take(number);
        }
    }

    fn replay_settled(
        &mut self,
        key: ConversationKey,
        step: usize,
        at: Timestamp,
    ) -> Vec<HostCommand> {
        let Some(live) = self.conversations.get_mut(&key) else { return Vec::new() };
        live.settle_step(step);
        match live.wait {
            ScriptWait::Deliveries(awaited) if live.has_settled(awaited) => {
                self.continue_script(key, ScriptInput::Settled(at), at)
            }
            _ => Vec::new(),
        }
    }

    /// Performs the actions of a person or a program again.
    fn replay_unit(
        &mut self,
        key: ConversationKey,
        requested: &ActionsRequested,
        at: Timestamp,
    ) -> Result<Vec<HostCommand>, Diverged> {
        let unit = RequestedUnit::read(requested)?;
        put_people(&unit, &mut self.people, &self.routes.account);
        let known = KnownPeople { now: &self.people, later: &self.people_to_come };
        let Some(run) = self.runs.get_mut(&key.run) else { return Ok(Vec::new()) };
        if let Some(visitors) = &unit.opens {
            let staff = run.staff.members();
            let find = |visitor| known.find(&[], staff, visitor);
            let visitors = visitors.iter().map(find).collect::<Result<Vec<_>, _>>()?;
            let cast = visitors.into_iter().chain(staff.iter().cloned()).collect();
            let seeds = run.opened_seeds(&self.routes.account, key.number);
            let account = &self.routes.account;
            let actor = ConversationActor::without_script(account, key.number, cast, seeds);
            let live = LiveConversation::of_actor(actor, run, key.number);
            self.conversations.insert(key, Box::new(live));
            run.open_conversation();
        }
        let Some(live) = self.conversations.get_mut(&key) else {
            return Err(format!("conversation {} does not exist", key.number));
        };
        let (mut performing, mut outputs) = (live.actor.begin_unit(), Vec::new());
        if let Some(visitor) = &unit.adopts {
            let visitor = known.find(&[], &[], visitor)?;
            live.actor.adopt_visitor(&visitor);
        }
        for requested in &unit.actions {
            for person in &requested.people {
                let cast = &live.actor.conversation().cast;
                let person = known.find(cast, run.staff.members(), person)?;
                live.actor.admit(&person);
            }
            let subscriptions = &self.routes.subscriptions;
            let done = live.actor.perform(&mut performing, &requested.action, at, subscriptions);
            outputs.extend(done.map_err(|error| format!("an action is not possible: {error}"))?);
        }
        live.actor.end_unit(&performing);
        let mut router = Router::new(&self.routes, run, key);
        live.route(outputs, &mut router, &mut self.registry);
        if let Some(heir) = &unit.hands_over {
            let heir = known.find(&[], &[], heir)?;
            live.actor.hand_over(&heir);
        }
        live.end_outbox(at, &mut router);
        Ok(router.commands)
    }

    /// Sets the subscriptions to those of an earlier time.
    fn set_routes(&mut self, known: &Arc<Vec<EndpointSubscription>>) {
        let all = self.routes.endpoints.iter().zip(&mut self.routes.subscriptions);
        for (endpoint, subscription) in all {
            let number = endpoint.plan.number;
            let fact = known.iter().find(|fact| fact.endpoint == number);
            *subscription = fact.map(|fact| Subscription::of(&fact.events)).unwrap_or_default();
        }
    }
}

/// Whom a call can name: the people of calls up to now, and those of all calls of the run.
///
/// Conversations are restored one after the other. A person may be known from one that comes later.
struct KnownPeople<'a> {
    now: &'a People,
    later: &'a People,
}

impl KnownPeople<'_> {
    fn find(
        &self,
        cast: &[Person],
        staff: &[Person],
        person: &PersonRef,
    ) -> Result<Person, Diverged> {
        let found = person.find(all_people(cast, staff, self.now));
        let found = found.or_else(|| person.find(self.later.all()));
        found.cloned().ok_or_else(|| "a person of a call is not known any more".to_owned())
    }
}

impl Replay<'_> {
    fn next(&mut self) -> Option<ConversationFact> {
        self.deferred.pop_front().or_else(|| self.facts.pop_front())
    }

    /// Compares what happens again with the records. What they do not have is kept.
    fn take(&mut self, commands: Vec<HostCommand>) -> Result<(), Diverged> {
        for command in commands {
            match command {
                // The inputs are there already.
                HostCommand::Record(_, _, ref kind) if is_input(kind) => {}
                HostCommand::Record(run, scope, kind) => match self.next_output()? {
                    Some(stored) if stored == hash(&self.log.redacted((*kind).clone())) => {}
                    Some(_) => return Err(self.diverged("a record would be different now")),
                    None => self.new.push(HostCommand::Record(run, scope, kind)),
                },
                HostCommand::Submit(delivery) if self.settled.contains(&delivery.id) => {}
                HostCommand::Submit(delivery) => self.new.push(HostCommand::Submit(delivery)),
                HostCommand::Expect(_) => self.expect = Some(command),
                // Determined at the end.
                HostCommand::WaitUntil(..) | HostCommand::End(_) | HostCommand::Forget(_) => {}
            }
        }
        Ok(())
    }

    /// Takes the hash of the next output; `None` if the journal has no more.
    fn next_output(&mut self) -> Result<Option<u64>, Diverged> {
        loop {
            match self.facts.pop_front() {
                None => return Ok(None),
                Some(ConversationFact::Output(stored)) => return Ok(Some(stored)),
                Some(ConversationFact::Routes(_)) => {}
                Some(ConversationFact::Requested(..) | ConversationFact::Expected(..)) => {
                    return Err(self.diverged("a record is missing"));
                }
                Some(fact) => self.deferred.push_back(fact),
            }
        }
    }

    fn diverged(&self, reason: &str) -> Diverged {
        format!("conversation {}: {reason}", self.key.number)
    }
}

fn is_input(kind: &RecordKind) -> bool {
    matches!(kind, RecordKind::ActionsRequested(_) | RecordKind::EndpointsChanged { .. })
}
