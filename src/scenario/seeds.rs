//! The seed scopes that the values of a conversation are generated from.

use crate::base::seed::SeedScope;

/// Seed scopes of one conversation of a scenario at one vendor.
///
/// People and their texts are the same at every vendor. Ids differ between vendors and between
/// scenarios. Staff are the same in every conversation.
#[derive(Clone, Debug)]
pub(super) struct SeedScopes {
    /// Scope of the visitors, texts and times of the conversation.
    pub(super) conversation: SeedScope,
    /// Scope of the ids of the conversation.
    pub(super) ids: SeedScope,
    /// Scope of staff.
    pub(super) staff: SeedScope,
    /// Scope of the ids of staff.
    pub(super) staff_ids: SeedScope,
}

impl SeedScopes {
    /// Returns the scopes of conversation `number`, counted from 1; 0 is used for shared staff.
    pub(super) fn new(run: &SeedScope, vendor: &str, scenario: &str, number: u32) -> Self {
        // The names of the scopes decide every generated value. Changing one changes all payloads.
        let name = format!("conversation {number}");
        let conversation = run.within(scenario).within(&name);
        let staff_ids = run.within("vendor").within(vendor);
        let ids = staff_ids.within(scenario).within(&name);
        Self { conversation, ids, staff: run.within("staff"), staff_ids }
    }
}
