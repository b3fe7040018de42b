//! Conversations of the server: listing, reading and acting in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::LiveServer;
use super::error::LiveError;
use super::run::ServedRun;
use crate::conversation::Conversation;
use crate::delivery::ConversationKey;
use crate::diag::SyntaxNode;
use crate::emulator::{ActError, ConversationOverview};
use crate::record::ActionSummary;

/// Which conversations to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConversationFilter {
    /// Only those of this run.
    pub run: Option<u32>,
    /// Only those before this one in the list.
    pub before: Option<ConversationKey>,
}

impl LiveServer {
    pub(super) async fn overviews(&self, run: &ServedRun) -> Vec<ConversationOverview> {
        let mut all = run.emulator.conversations().await;
        all.retain(|overview| overview.key.run == run.number);
        all
    }

    /// Returns conversations before one of them, the newest first. There are more than `limit` if
    /// others follow. Runs that are not in memory are restored, up to a number of them.
    pub async fn conversations(
        &self,
        filter: &ConversationFilter,
        limit: usize,
    ) -> Vec<(Arc<ServedRun>, ConversationOverview)> {
        if let Some(run) = filter.run {
            // If it cannot be restored, it has no conversations.
            let _ = self.run(run).await;
        }
        let mut found = self.conversations_in_memory(filter).await;
        let mut oldest = found.last().map(|(_, overview)| overview.key.run);
        if filter.run.is_none() && found.len() <= limit {
            oldest = oldest.or(filter.before.map(|key| key.run));
            self.restore_before(oldest.map_or(i64::MAX, i64::from)).await;
            found = self.conversations_in_memory(filter).await;
        }
        found.truncate(limit + 1);
        found
    }

    async fn conversations_in_memory(
        &self,
        filter: &ConversationFilter,
    ) -> Vec<(Arc<ServedRun>, ConversationOverview)> {
        let runs: BTreeMap<u32, Arc<ServedRun>> =
            self.runs.all().into_iter().map(|run| (run.number, run)).collect();
        let mut found = Vec::new();
        for vendor in self.vendors() {
            found.extend(vendor.emulator.conversations().await);
        }
        for run in runs.values() {
            found.extend(run.kept().iter().map(|kept| kept.overview.clone()));
        }
        found.retain(|overview| {
            filter.run.is_none_or(|run| overview.key.run == run)
                && filter.before.is_none_or(|before| overview.key < before)
        });
        found.sort_by_key(|overview| std::cmp::Reverse(overview.key));
        found.dedup_by_key(|overview| overview.key);
        let with_run = |overview: ConversationOverview| {
            Some((Arc::clone(runs.get(&overview.key.run)?), overview))
        };
        found.into_iter().filter_map(with_run).collect()
    }

    /// Returns a conversation with its run.
    ///
    /// # Errors
    /// There is no such conversation.
    pub async fn conversation(
        &self,
        key: ConversationKey,
    ) -> Result<(Arc<ServedRun>, Box<Conversation>), LiveError> {
        let id = format!("{}-{}", key.run, key.number);
        let unknown = || LiveError::unknown("conversation", &id, &[]);
        let run = self.run(key.run).await.map_err(|error| match error {
            LiveError::Unknown { .. } => unknown(),
            other => other,
        })?;
        let live = run.emulator.conversation(key).await;
        let kept = run.kept().iter().find(|kept| kept.overview.key == key).cloned();
        let found = live.or(kept.map(|kept| kept.state));
        found.map(|state| (run, state)).ok_or_else(unknown)
    }

    /// Performs actions in a conversation: all of them, or none.
    ///
    /// # Errors
    /// The actions have problems, or are not possible in its state.
    pub async fn act(
        &self,
        key: ConversationKey,
        actions: &SyntaxNode,
    ) -> Result<Vec<ActionSummary>, LiveError> {
        let (run, conversation) = self.conversation(key).await?;
        let steps = run.script.read(actions, &conversation)?;
        let rendered = run.script.render(&steps, &conversation, key.number);
        let rendered =
            rendered.map_err(|reason| LiveError::Conflict { message: reason, help: None })?;
        self.readiness()?;
        let done = run.emulator.act(key, rendered).await.map_err(|error| match error {
            ActError::UnknownConversation => LiveError::conflict(
                "the run was cancelled, so nobody can act in its conversations",
                "start another run",
            ),
            ActError::Refused(message) => LiveError::Conflict { message, help: None },
            ActError::Stopped => {
                LiveError::conflict("the server is about to end", "start it again")
            }
        })?;
        // A client must find after a crash what was confirmed before it.
        if !run.is_stored().await {
            return Err(self.not_stored());
        }
        Ok(done)
    }
}
