//! Conversations of the server: listing, reading and acting in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::LiveServer;
use super::error::LiveError;
use super::history_list::HistoryPage;
use super::past::unreadable;
use super::run::ServedRun;
use crate::base::limits::{MAX_PAGE, MAX_RUNS_PER_REQUEST};
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

/// A conversation in a list, with its run.
pub struct ListedConversation {
    /// The run.
    pub run: Arc<ServedRun>,
    /// What a list shows.
    pub overview: ConversationOverview,
}

/// A page of conversations.
type ConversationPage = HistoryPage<ListedConversation, ConversationKey>;

impl ConversationFilter {
    /// Returns a number that is greater than that of the first run to list.
    fn first_run(&self) -> i64 {
        self.before.map_or(i64::MAX, |before| i64::from(before.run) + 1)
    }
}

impl ConversationPage {
    /// Adds conversations of a run. Returns false if the page is full.
    fn add(
        &mut self,
        mut own: Vec<ListedConversation>,
        before: Option<ConversationKey>,
        limit: usize,
    ) -> bool {
        own.retain(|one| before.is_none_or(|before| one.overview.key < before));
        own.sort_by_key(|one| std::cmp::Reverse(one.overview.key));
        own.dedup_by_key(|one| one.overview.key);
        for one in own {
            if self.items.len() == limit {
                self.next = self.items.last().map(|last| last.overview.key);
                return false;
            }
            self.items.push(one);
        }
        true
    }
}

impl LiveServer {
    pub(super) async fn overviews(&self, run: &ServedRun) -> Vec<ConversationOverview> {
        let mut all = run.emulator.conversations().await;
        all.retain(|overview| overview.key.run == run.number);
        all
    }

    /// Returns conversations before one of them, the newest first. Runs that are not in memory are
    /// restored, up to a number of them, so that a page can be shorter than `limit`.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn conversations(
        &self,
        filter: &ConversationFilter,
        limit: usize,
    ) -> Result<ConversationPage, LiveError> {
        let mut page = ConversationPage::default();
        let mut in_memory = self.conversations_in_memory().await;
        let mut before = filter.first_run();
        let mut restored = 0;
        loop {
            let numbers = self.run_numbers(filter.run, before)?;
            let Some(last) = numbers.last() else { return Ok(page) };
            before = i64::from(*last);
            for number in numbers {
                let own = match in_memory.remove(&number) {
                    Some(own) => own,
                    // A redelivery, or a run whose handshakes have not ended.
                    None if self.runs.contains(number) => Vec::new(),
                    None if restored == MAX_RUNS_PER_REQUEST => {
                        page.next = Some(ConversationKey { run: number + 1, number: 0 });
                        return Ok(page);
                    }
                    None => {
                        restored += 1;
                        self.conversations_of(number).await?
                    }
                };
                if !page.add(own, filter.before, limit) {
                    return Ok(page);
                }
            }
        }
    }

    /// Returns numbers of runs that are smaller than `before`, the greatest first; none after the last.
    pub(super) fn run_numbers(&self, run: Option<u32>, before: i64) -> Result<Vec<u32>, LiveError> {
        if let Some(run) = run {
            return Ok(Some(run).filter(|run| i64::from(*run) < before).into_iter().collect());
        }
        let Some(journal) = &self.journal else {
            let all = self.runs.all().into_iter().rev().map(|run| run.number);
            return Ok(all.filter(|run| i64::from(*run) < before).collect());
        };
        let numbers = journal.read().served_runs(before, MAX_PAGE);
        let numbers = numbers.map_err(|error| unreadable(&error))?;
        Ok(numbers.into_iter().filter_map(|run| u32::try_from(run).ok()).collect())
    }

    /// Returns the conversations of a run that is not in memory; none if it cannot be restored.
    async fn conversations_of(&self, number: u32) -> Result<Vec<ListedConversation>, LiveError> {
        let run = match self.run(number).await {
            Ok(run) => run,
            Err(error @ LiveError::Unavailable { .. }) => return Err(error),
            // The list of runs says why it cannot be restored.
            Err(_) => return Ok(Vec::new()),
        };
        let mut all = self.overviews(&run).await;
        all.extend(run.kept().iter().map(|kept| kept.overview.clone()));
        let listed = |overview| ListedConversation { run: Arc::clone(&run), overview };
        Ok(all.into_iter().map(listed).collect())
    }

    /// Returns the conversations in memory, by their runs.
    async fn conversations_in_memory(&self) -> BTreeMap<u32, Vec<ListedConversation>> {
        let mut all = Vec::new();
        for vendor in self.vendors() {
            all.extend(vendor.emulator.conversations().await);
        }
        let runs: BTreeMap<u32, Arc<ServedRun>> =
            self.runs.all().into_iter().map(|run| (run.number, run)).collect();
        for run in runs.values() {
            all.extend(run.kept().iter().map(|kept| kept.overview.clone()));
        }
        let mut listed = BTreeMap::<u32, Vec<ListedConversation>>::new();
        for overview in all {
            let number = overview.key.run;
            if let Some(run) = runs.get(&number) {
                let one = ListedConversation { run: Arc::clone(run), overview };
                listed.entry(number).or_default().push(one);
            }
        }
        listed
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
