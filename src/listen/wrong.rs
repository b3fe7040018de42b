//! How the receiver misbehaves when it is asked to.

use std::fmt;
use std::time::Duration;

use crate::base::duration;

/// A way to misbehave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Answers with this status.
    Status(u16),
    /// Answers so late.
    Slow(Duration),
    /// Answers a handshake with another token.
    Token,
}

impl Wrong {
    /// Reads a way to misbehave: `status:500`, `slow:2s`, `token`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':').unwrap_or((text, "")) {
            ("status", status) => match status.parse() {
                Ok(status @ 200..=599) => Ok(Self::Status(status)),
                _ => Err(format!("`{status}` is no status from 200 to 599")),
            },
            ("slow", delay) => duration::parse(delay).map(|delay| Self::Slow(delay.unsigned_abs())),
            ("token", "") => Ok(Self::Token),
            _ => Err("one of `status:500`, `slow:2s`, `token`".into()),
        }
    }

    /// Whether it has to do with a request: another token comes back in handshakes only.
    pub(super) fn concerns(&self, is_handshake: bool) -> bool {
        is_handshake || *self != Self::Token
    }

    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Status(status) => Some(*status),
            _ => None,
        }
    }

    pub(super) fn delay(&self) -> Option<Duration> {
        match self {
            Self::Slow(delay) => Some(*delay),
            _ => None,
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(formatter, "status:{status}"),
            Self::Slow(delay) => write!(formatter, "slow:{delay:?}"),
            Self::Token => formatter.write_str("token"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_misbehave_are_read() {
        assert_eq!(Wrong::parse("status:500"), Ok(Wrong::Status(500)));
        assert_eq!(Wrong::parse("slow:1s"), Ok(Wrong::Slow(Duration::from_secs(1))));
        assert_eq!(Wrong::parse("token"), Ok(Wrong::Token));
        for wrong in ["", "status", "status:42", "slow:x", "token:1", "nothing"] {
            assert!(Wrong::parse(wrong).is_err(), "{wrong}");
        }
    }
}
