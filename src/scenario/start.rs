//! What the conversations of a script begin with: people and seeds.

use std::sync::Arc;

use jiff::Timestamp;

use super::cast::CastMember;
use super::script::Script;
use super::script_state::ScriptState;
use super::seeds::SeedScopes;
use crate::base::seed::SeedScope;
use crate::conversation::{Person, Role};
use crate::platform::Account;

/// Staff, start time and seed that all conversations of a run share.
#[derive(Clone, Debug)]
pub struct SharedStaff {
    run_seed: SeedScope,
    members: Vec<Person>,
    start: Timestamp,
}

impl SharedStaff {
    /// Generates the staff of a script at an account.
    pub fn new(script: &Script, account: &Account, run_seed: SeedScope, start: Timestamp) -> Self {
        // The scopes of staff do not depend on the conversation, so any number will do.
        let scopes = SeedScopes::new(&run_seed, &account.platform.id, &script.name, 0);
        let staff = script.cast.iter().filter(|member| member.role != Role::Visitor);
        let members = staff.map(|member| member.invent(account, &scopes, start)).collect();
        Self { run_seed, members, start }
    }

    /// Returns the run time at which the conversations begin.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// Returns the people, in the order of the cast.
    pub fn members(&self) -> &[Person] {
        &self.members
    }
}

/// What one conversation of a script begins with.
pub struct ConversationStart {
    /// The people of the conversation.
    pub cast: Vec<Person>,
    /// Seed scope of the ids.
    pub ids: SeedScope,
    /// The script; `None` for a conversation that is not the first of a play.
    pub state: Option<ScriptState>,
}

impl ConversationStart {
    /// Starts conversation `number`, from 1, of a script at an account.
    pub fn new(
        script: &Arc<Script>,
        account: &Arc<Account>,
        staff: &SharedStaff,
        number: u32,
    ) -> Self {
        let count = script.conversation_count();
        let index = (number - 1) % count;
        let scopes =
            |number| SeedScopes::new(&staff.run_seed, &account.platform.id, &script.name, number);
        // The people, texts and times of one play are those of its first conversation.
        let play = scopes(number - index);
        // The people stay in the order of the cast: staff were generated in that order too.
        let mut members = staff.members.iter();
        let person = |member: &CastMember| match member.role {
            Role::Visitor => Some(member.invent(account, &play, staff.start)),
            _ => members.next().cloned(),
        };
        // Without free capacity: thousands of conversations hold their people.
        let mut cast = Vec::with_capacity(script.cast.len());
        cast.extend(script.cast.iter().filter_map(person));
        let own = usize::try_from(index).ok().and_then(|index| script.conversations.get(index));
        let cast = match own {
            Some(own) => own.people(cast),
            None => cast,
        };
        let seeds = play.conversation;
        // The script begins in the first conversation, and goes to the others when their steps come.
        let state = (index == 0).then(|| ScriptState::new(script, account, seeds, staff.start));
        Self { cast, ids: scopes(number).ids, state }
    }
}
