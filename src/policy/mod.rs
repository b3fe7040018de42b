//! Delivery rules as data: what counts as success, when to try again, how long to wait.
//!
//! Pure: what to do next follows from the rules and from what the attempts met. Waiting and
//! sending are left to `delivery`.

mod status;

use jiff::SignedDuration;

pub use status::{StatusSet, WrongStatus};

/// How a vendor treats one delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Which answers end a delivery well, in the vendor's eyes.
    pub success: StatusSet,
    /// Whether and when to try again.
    pub retry: Retry,
    /// How long a connection may take to be made.
    pub connect: SignedDuration,
    /// How long an attempt may take as a whole.
    pub total: SignedDuration,
}

/// Whether and when a failed delivery is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Never.
    None,
    /// So many times more, always after the same delay.
    Count {
        /// How many times more.
        times: u32,
        /// After how long.
        delay: SignedDuration,
    },
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The vendor is content.
    Done,
    /// Try again after this long.
    Retry(SignedDuration),
    /// The vendor gives up.
    GiveUp,
}

impl Policy {
    /// What follows from the attempt of this number, counted from 1. `status` is what the receiver
    /// answered; an attempt that met no answer has none.
    pub fn next(&self, attempt: u32, status: Option<u16>) -> Next {
        if status.is_some_and(|status| self.success.contains(status)) {
            return Next::Done;
        }
        match self.retry {
            Retry::Count { times, delay } if attempt <= times => Next::Retry(delay),
            _ => Next::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(retry: Retry) -> Policy {
        let success = StatusSet::parse(["200", "201"]).unwrap();
        let second = SignedDuration::from_secs(1);
        Policy { success, retry, connect: second, total: second }
    }

    #[test]
    fn without_retries_a_failure_ends_a_delivery() {
        let policy = policy(Retry::None);
        assert_eq!(policy.next(1, Some(201)), Next::Done);
        assert_eq!(policy.next(1, Some(204)), Next::GiveUp);
        assert_eq!(policy.next(1, None), Next::GiveUp);
    }

    #[test]
    fn a_count_is_how_often_more() {
        let delay = SignedDuration::from_secs(30);
        let policy = policy(Retry::Count { times: 2, delay });
        let met = [None, Some(500), Some(500)];
        let next: Vec<Next> =
            (1..).zip(met).map(|(attempt, status)| policy.next(attempt, status)).collect();
        assert_eq!(next, [Next::Retry(delay), Next::Retry(delay), Next::GiveUp]);
        assert_eq!(policy.next(2, Some(200)), Next::Done);
    }
}
