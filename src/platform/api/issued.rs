//! Tokens that calls have issued.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::base::seed::SeedScope;
use crate::template::{Object, Value};

/// Maximum number of tokens that an account remembers. A client needs a few at a time.
const MAX_TOKENS: usize = 10_000;

/// A token is dated back by up to this part of its life: a client that logs in before each call gets
/// few tokens, and each of them is searched for in every record.
const STEPS_PER_LIFE: i64 = 60;

/// A token that a call has issued.
#[derive(Clone)]
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// Its claims.
    pub claims: Map<String, Json>,
    /// Wall time at which it expires; `None` without a limit.
    pub expires_at: Option<Timestamp>,
}

/// A token that was issued or revoked, in the form in which it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub struct StoredToken {
    /// Name of the credential.
    pub credential: String,
    /// The token.
    pub token: String,
    claims: Map<String, Json>,
    expires_at: Option<Timestamp>,
    /// Number in the order of issues and revocations.
    number: u64,
    /// Whether it was revoked.
    pub is_revoked: bool,
}

/// What a token is issued from.
pub struct Issuing<'a> {
    /// Claims besides those of the credential.
    pub claims: Map<String, Json>,
    /// Wall time of the call.
    pub at: Timestamp,
    /// Number of the call.
    pub number: u64,
    /// Roots of the account.
    pub roots: &'a dyn Object,
    /// Seeds of the account.
    pub seeds: SeedScope,
}

/// The tokens that calls have issued at an account.
#[derive(Clone, Default)]
pub struct IssuedTokens {
    /// By the name of the credential and the token, each with its number in the order of issue.
    tokens: BTreeMap<(String, String), (u64, IssuedToken)>,
    /// Those that were revoked, with the number of each.
    revoked: BTreeMap<String, u64>,
    /// Number of tokens that were issued or revoked so far.
    count: u64,
}

impl fmt::Debug for IssuedTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "IssuedTokens({})", self.tokens.len())
    }
}

impl Issuing<'_> {
    /// Returns the times at which the token begins and ends to be valid.
    pub(super) fn period(&self, life: Option<SignedDuration>) -> (Timestamp, Option<Timestamp>) {
        let Some(life) = life else { return (self.at, None) };
        let step = (life.as_secs() / STEPS_PER_LIFE).max(1);
        let second = self.at.as_second();
        let begin = Timestamp::from_second(second - second.rem_euclid(step)).unwrap_or(self.at);
        (begin, begin.checked_add(life).ok())
    }

    /// Returns the seeds of the token. The call's time differs between runs.
    pub(super) fn seeds(&self, credential: &str) -> SeedScope {
        let seeds = self.seeds.within("issued token").within(credential);
        seeds.within(&self.at.to_string()).within(&self.number.to_string())
    }
}

impl IssuedToken {
    /// Returns true if the token has expired at this time.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// Returns the number of seconds from `now` during which it is valid.
    fn seconds_left(&self, now: Timestamp) -> Option<i64> {
        Some((self.expires_at?.as_second() - now.as_second()).max(0))
    }
}

/// A token as templates see it: the root `issued`.
pub struct IssuedRoot<'a> {
    /// The token.
    pub issued: &'a IssuedToken,
    /// Wall time of the call.
    pub now: Timestamp,
}

impl Object for IssuedRoot<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        match name {
            "token" => self.issued.token.as_str().into(),
            "expires_in" => self.issued.seconds_left(self.now).map_or(Value::Absent, Value::Int),
            "expires_at" => Value::maybe_time(self.issued.expires_at),
            _ => Value::Absent,
        }
    }
}

impl fmt::Debug for StoredToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl IssuedTokens {
    /// Returns a token of a credential that was issued and not revoked.
    pub fn get(&self, credential: &str, token: &str) -> Option<&IssuedToken> {
        self.tokens.get(&(credential.to_owned(), token.to_owned())).map(|(_, issued)| issued)
    }

    /// Returns true if a token was revoked.
    pub fn is_revoked(&self, token: &str) -> bool {
        self.revoked.contains_key(token)
    }

    /// Returns a token that was issued or revoked, to store it.
    pub fn stored(&self, credential: &str, token: &str) -> Option<StoredToken> {
        let (credential, token) = (credential.to_owned(), token.to_owned());
        if let Some(number) = self.revoked.get(&token) {
            let (claims, expires_at, number) = (Map::new(), None, *number);
            let is_revoked = true;
            return Some(StoredToken { credential, token, claims, expires_at, number, is_revoked });
        }
        let (number, issued) = self.tokens.get(&(credential.clone(), token.clone()))?;
        let (claims, expires_at) = (issued.claims.clone(), issued.expires_at);
        let (number, is_revoked) = (*number, false);
        Some(StoredToken { credential, token, claims, expires_at, number, is_revoked })
    }

    /// Restores tokens that were stored. Returns those that need not be stored any more.
    pub fn restore(&mut self, mut all: Vec<StoredToken>, now: Timestamp) -> Vec<StoredToken> {
        all.sort_by_key(|stored| stored.number);
        let mut dropped = Vec::new();
        for stored in all {
            self.count = self.count.max(stored.number);
            let StoredToken { credential, token, claims, expires_at, number, is_revoked } =
                stored.clone();
            let issued = IssuedToken { token: token.clone(), claims, expires_at };
            if issued.has_expired(now) {
                dropped.push(stored);
            } else if is_revoked {
                self.revoked.insert(token, number);
            } else {
                self.tokens.insert((credential, token), (number, issued));
            }
        }
        dropped
    }

    /// Adds a token of a credential. Returns false if it was known before.
    pub fn add(&mut self, credential: &str, issued: IssuedToken, now: Timestamp) -> bool {
        if self.tokens.len() >= MAX_TOKENS {
            self.tokens.retain(|_, (_, known)| !known.has_expired(now));
        }
        if self.tokens.len() >= MAX_TOKENS {
            let oldest = self.tokens.iter().min_by_key(|(_, (number, _))| *number);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.tokens.remove(&oldest);
            }
        }
        self.count += 1;
        self.revoked.remove(&issued.token);
        let key = (credential.to_owned(), issued.token.clone());
        self.tokens.insert(key, (self.count, issued)).is_none()
    }

    /// Revokes a token of a credential.
    pub fn revoke(&mut self, credential: &str, token: String) {
        self.tokens.remove(&(credential.to_owned(), token.clone()));
        if self.revoked.len() >= MAX_TOKENS {
            let oldest = self.revoked.iter().min_by_key(|(_, number)| **number);
            if let Some(oldest) = oldest.map(|(token, _)| token.clone()) {
                self.revoked.remove(&oldest);
            }
        }
        self.count += 1;
        self.revoked.insert(token, self.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str) -> IssuedToken {
        IssuedToken { token: name.to_owned(), claims: Map::new(), expires_at: None }
    }

    #[test]
    fn the_oldest_token_makes_room() {
        let (mut tokens, at) = (IssuedTokens::default(), Timestamp::UNIX_EPOCH);
        // The names count down, so that the newest one is the first in the alphabet.
        let name = |number: usize| format!("{:09}", MAX_TOKENS - number);
        for number in 0..=MAX_TOKENS {
            tokens.add("a", token(&name(number)), at);
        }
        assert!(tokens.get("a", &name(0)).is_none());
        assert!(tokens.get("a", &name(MAX_TOKENS)).is_some());
        for number in 0..=MAX_TOKENS {
            tokens.revoke("a", name(number));
        }
        assert!(!tokens.is_revoked(&name(0)));
        assert!(tokens.is_revoked(&name(MAX_TOKENS)));
    }

    #[test]
    fn no_token_is_shown_for_debugging() {
        let mut tokens = IssuedTokens::default();
        tokens.add("a", token("a-secret-token"), Timestamp::UNIX_EPOCH);
        tokens.revoke("a", "another-secret-token".to_owned());
        assert!(!format!("{tokens:?}").contains("secret"));
    }
}
