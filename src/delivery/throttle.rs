//! Rate limit for public receivers: a wrong address must not flood a stranger's server. `connector`
//! decides which receivers are public.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::limits::MAX_PUBLIC_RATE;

/// When the next request to each host may go out.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<HashMap<String, Instant>>);

impl Throttle {
    /// Reserves the next turn for a host. Turns are evenly spaced.
    pub(super) fn turn(&self, host: &str, now: Instant) -> Instant {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let free = free.entry(host.to_owned()).or_insert(now);
        // A host that was idle does not save up turns for a burst.
        let turn = now.max(*free);
        *free = turn + Duration::from_secs(1) / MAX_PUBLIC_RATE;
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_requests_to_one_host_take_twenty_seconds_and_do_not_delay_another_host() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let turns: Vec<Instant> = (0..1000).map(|_| throttle.turn("a", now)).collect();
        assert_eq!(turns[0], now);
        assert_eq!(turns[999] - now, Duration::from_millis(19_980));
        assert_eq!(throttle.turn("b", now), now);
        let later = now + Duration::from_secs(60);
        assert_eq!(throttle.turn("a", later), later, "unused turns are not saved up");
    }
}
