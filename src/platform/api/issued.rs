//! Tokens that calls have issued.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
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
#[derive(Clone, Debug, Default)]
pub struct IssuedTokens {
    /// By the name of the credential and the token.
    tokens: BTreeMap<(String, String), IssuedToken>,
    revoked: BTreeSet<String>,
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

impl fmt::Debug for IssuedToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl IssuedTokens {
    /// Returns a token of a credential that was issued and not revoked.
    pub fn get(&self, credential: &str, token: &str) -> Option<&IssuedToken> {
        self.tokens.get(&(credential.to_owned(), token.to_owned()))
    }

    /// Returns true if a token was revoked.
    pub fn is_revoked(&self, token: &str) -> bool {
        self.revoked.contains(token)
    }

    /// Adds a token of a credential. Returns false if it was known before.
    pub fn add(&mut self, credential: &str, issued: IssuedToken, now: Timestamp) -> bool {
        if self.tokens.len() >= MAX_TOKENS {
            self.tokens.retain(|_, known| !known.has_expired(now));
        }
        if self.tokens.len() >= MAX_TOKENS {
            self.tokens.pop_first();
        }
        self.revoked.remove(&issued.token);
        self.tokens.insert((credential.to_owned(), issued.token.clone()), issued).is_none()
    }

    /// Revokes a token of a credential.
    pub fn revoke(&mut self, credential: &str, token: String) {
        self.tokens.remove(&(credential.to_owned(), token.clone()));
        if self.revoked.len() >= MAX_TOKENS {
            self.revoked.pop_first();
        }
        self.revoked.insert(token);
    }
}
