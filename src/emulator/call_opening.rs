//! Opens the conversation of a call.

use super::actor::ConversationActor;
use super::call_work::{CallWork, WorkConversation};
use super::host::AccountHost;
use super::incoming::Opening;
use super::live_conversation::LiveConversation;
use super::people::text_of;
use super::requested::PersonRef;
use crate::conversation::{Conversation, ConversationState, Role};
use crate::delivery::{ConversationKey, RunTimes};
use crate::platform::api::{ActTemplate, CallCondition, CallError, RefusalReason, WhoRef};

impl CallWork {
    /// Returns whether the call opens a conversation, and has to wait for that.
    pub(super) fn waits_to_open(&self, opening: Opening) -> bool {
        let opens = self.operation.as_ref().is_some_and(|operation| operation.opens())
            && !self.has_found_conversation();
        let is_waiting = |known: &WorkConversation| match opening {
            Opening::WaitsForTurn => true,
            Opening::WaitsForRun => known.is_new,
            Opening::Opens => false,
        };
        opens && self.conversation.as_ref().is_some_and(is_waiting)
    }
}

impl AccountHost {
    /// Refuses to open a second conversation of a visitor, where the vendor admits one only, or with an
    /// id.
    pub(super) fn refuse_second_conversation(&self, work: &CallWork) -> Result<(), CallError> {
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
        self.refuse_ids_in_use(work)
    }

    /// Refuses to open a conversation under an id that another one has.
    fn refuse_ids_in_use(&self, work: &CallWork) -> Result<(), CallError> {
        if work.has_found_conversation() {
            return Ok(());
        }
        let get = |key| self.conversations.get(&key).map(|live| live.actor.conversation());
        let acts = work.operation.iter().flat_map(|operation| &operation.acts);
        let ids = acts.filter_map(|rule| match &rule.act {
            ActTemplate::Open { ids, .. } => Some(ids.values()),
            _ => None,
        });
        for template in ids.flatten() {
            // A value that cannot be an id is refused when the conversation is opened.
            let chosen = template.render(&work.roots()).ok().flatten();
            let chosen = chosen.filter(|id| !id.is_null());
            let Some(id) = chosen.as_ref().map(text_of) else { continue };
            if self.registry.find(&id, get).is_some() {
                let message = format!("there is a conversation with the id `{id}`");
                return Err(CallError::new(CallCondition::refused(RefusalReason::Open), message));
            }
        }
        Ok(())
    }

    /// Finds or creates the conversation that the operation opens.
    pub(super) fn open_conversation(
        &mut self,
        work: &mut CallWork,
        run: u32,
        times: &mut dyn RunTimes,
    ) {
        let opens = work.operation.as_ref().is_some_and(|operation| operation.opens());
        let acts = work.operation.as_ref();
        let acts = acts.is_some_and(|operation| operation.acts_without_conversation());
        if acts && !opens && work.conversation.is_none() {
            // The account keeps entities and counts events in conversations. This one is never opened.
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
}
