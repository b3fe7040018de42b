//! How often a receiver is sent to that may be somebody else's: whoever got its address wrong floods
//! nobody. Which receivers those are is left to `dial`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::limits::MAX_PUBLIC_RATE;

/// When each host may be sent to again.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<HashMap<String, Instant>>);

impl Throttle {
    /// When a request to this host goes out that could go now; turns lie evenly apart.
    pub(super) fn turn(&self, host: &str, now: Instant) -> Instant {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let free = free.entry(host.to_owned()).or_insert(now);
        let turn = now.max(*free);
        *free = turn + Duration::from_secs(1) / MAX_PUBLIC_RATE;
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_requests_at_once_take_twenty_seconds_to_one_host_and_none_to_another() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let turns: Vec<Instant> = (0..1000).map(|_| throttle.turn("a", now)).collect();
        assert_eq!(turns[0], now);
        assert_eq!(turns[999] - now, Duration::from_millis(19_980));
        assert_eq!(throttle.turn("b", now), now);
        let later = now + Duration::from_secs(60);
        assert_eq!(throttle.turn("a", later), later, "what was not used is not saved up");
    }
}
