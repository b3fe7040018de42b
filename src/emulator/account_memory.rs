//! What calls have made at an account, beyond the end of the process: tokens, subscriptions, documents
//! and files.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use url::Url;

use super::subscriptions::NewSubscription;
use crate::base::secret::Secret;
use crate::journal::{AccountItem, AccountStore, JournalError};
use crate::platform::api::{DocumentShelf, StoredFile, StoredToken};

pub(super) const TOKEN: &str = "token";
pub(super) const SUBSCRIPTION: &str = "subscription";
/// The end of a subscription. Runs that were played during it need its endpoint.
pub(super) const ENDED: &str = "ended subscription";
pub(super) const DOCUMENTS: &str = "documents";
pub(super) const FILE: &str = "file";
pub(super) const CONTENT: &str = "content";

/// Maximum number of ended subscriptions that an account keeps. A client needs few, but one that subscribes
/// at each start leaves one behind each time.
const MAX_ENDED: usize = 1_000;

/// What an account has kept, with the file in which it keeps more.
#[derive(Debug)]
pub(super) struct AccountMemory {
    pub(super) store: AccountStore,
    pub(super) tokens: Vec<StoredToken>,
    pub(super) documents: Vec<(String, DocumentShelf)>,
    pub(super) files: Vec<StoredFile>,
    /// The contents of the files, by path.
    pub(super) contents: BTreeMap<String, Vec<u8>>,
    /// By the number of the endpoint.
    pub(super) subscriptions: BTreeMap<u32, StoredSubscription>,
    pub(super) ended: BTreeSet<u32>,
}

/// A subscription that a call has made, in the form in which it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredSubscription {
    group: String,
    url: String,
    types: Option<Vec<String>>,
    headers: Vec<(String, String)>,
    secrets: Vec<(String, String)>,
}

impl std::fmt::Debug for StoredSubscription {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StoredSubscription").finish_non_exhaustive()
    }
}

impl StoredSubscription {
    pub(super) fn of(new: &NewSubscription) -> Self {
        let exposed = |all: &[(String, Secret)]| {
            let exposed = all.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
            exposed.collect()
        };
        Self {
            group: new.group.clone(),
            url: new.url.to_string(),
            types: new.types.clone(),
            headers: exposed(&new.headers),
            secrets: exposed(&new.secrets),
        }
    }

    /// Returns the subscription; `None` if its URL was changed in the file.
    pub(super) fn into_new(self) -> Option<NewSubscription> {
        let Self { group, url, types, headers, secrets } = self;
        let url = Url::parse(&url).ok()?;
        let secret = |all: Vec<(String, String)>| {
            all.into_iter().map(|(name, value)| (name, Secret::private(value))).collect()
        };
        let (headers, secrets) = (secret(headers), secret(secrets));
        let (enabled, has_handshake) = (true, false);
        Some(NewSubscription { group, url, types, enabled, has_handshake, headers, secrets })
    }
}

impl AccountMemory {
    /// Reads what an account has kept.
    pub(super) fn read(store: AccountStore) -> Result<Self, JournalError> {
        let mut memory = Self {
            tokens: Vec::new(),
            documents: Vec::new(),
            files: Vec::new(),
            contents: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            ended: BTreeSet::new(),
            store,
        };
        for AccountItem { kind, key, value } in memory.store.items()? {
            memory.add(&kind, key, &value.unwrap_or_default());
        }
        Ok(memory)
    }

    /// Adds an item. One that a later version has stored is not understood, and skipped.
    fn add(&mut self, kind: &str, key: String, value: &[u8]) {
        match kind {
            TOKEN => self.tokens.extend(parse(value)),
            DOCUMENTS => self.documents.extend(parse(value).map(|shelf| (key, shelf))),
            FILE => self.files.extend(parse(value)),
            CONTENT => {
                self.contents.insert(key, value.to_vec());
            }
            SUBSCRIPTION => self.subscriptions.extend(key.parse().ok().zip(parse(value))),
            ENDED => self.ended.extend(key.parse::<u32>().ok()),
            _ => {}
        }
    }

    /// Forgets the oldest ended subscriptions if there are too many. Returns what need not be stored any
    /// more. A run that was played at such an endpoint can be read, but not continued.
    pub(super) fn forget_ended(&mut self) -> Vec<AccountItem> {
        let surplus = self.ended.len().saturating_sub(MAX_ENDED);
        let oldest: Vec<u32> = self.ended.iter().take(surplus).copied().collect();
        let mut forgotten = Vec::new();
        for number in oldest {
            self.ended.remove(&number);
            self.subscriptions.remove(&number);
            let key = number.to_string();
            forgotten.extend([removed(SUBSCRIPTION, &key), removed(ENDED, &key)]);
        }
        forgotten
    }

    /// Returns the highest number of an endpoint.
    pub(super) fn last_endpoint(&self) -> u32 {
        self.subscriptions.keys().last().copied().unwrap_or(0)
    }
}

fn parse<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Option<T> {
    serde_json::from_slice(value).ok()
}

pub(super) fn item<T: Serialize>(kind: &str, key: impl Into<String>, value: &T) -> AccountItem {
    let value = Some(serde_json::to_vec(value).unwrap_or_default());
    AccountItem { kind: kind.to_owned(), key: key.into(), value }
}

pub(super) fn removed(kind: &str, key: &str) -> AccountItem {
    AccountItem { kind: kind.to_owned(), key: key.to_owned(), value: None }
}

pub(super) fn token_item(token: &StoredToken) -> AccountItem {
    item(TOKEN, token_key(token), token)
}

pub(super) fn token_key(token: &StoredToken) -> String {
    format!("{} {}", token.credential, token.token)
}
