//! Idle connections that wait for the next request to their origin.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::{Position, Url};

use super::connection::Connection;
use super::connection_options::ConnectionOptions;
use crate::base::limits::MAX_IN_FLIGHT_PER_HOST;

/// Idle connections by origin.
#[derive(Debug, Default)]
pub(super) struct ConnectionPool(Mutex<BTreeMap<String, Vec<IdleConnection>>>);

#[derive(Debug)]
struct IdleConnection {
    connection: Connection,
    /// How it was made. A request with other options needs another connection.
    options: Arc<ConnectionOptions>,
    since: Instant,
}

/// How long a connection stays in the pool. Most servers close idle connections after five
/// seconds; a request that is on its way at that moment would be lost.
const MAX_IDLE: Duration = Duration::from_secs(3);

impl ConnectionPool {
    /// Takes an idle connection to the URL's origin, made with these options. Connections that the receiver has closed, or
    /// that hold unrequested bytes, are dropped.
    pub(super) fn take(&self, url: &Url, options: &Arc<ConnectionOptions>) -> Option<Connection> {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = pool.get_mut(origin(url))?;
        // The most recently used first: it is the least likely to be closed soon.
        let is_usable = |idle: &IdleConnection| idle.options.shares_with(options);
        while let Some(last) = idle.iter().rposition(is_usable) {
            let IdleConnection { mut connection, since, .. } = idle.remove(last);
            if since.elapsed() < MAX_IDLE && connection.is_idle() {
                return Some(connection);
            }
        }
        None
    }

    /// Closes all idle connections.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Keeps a connection for the next request to the URL's origin.
    pub(super) fn put(&self, url: &Url, options: &Arc<ConnectionOptions>, connection: Connection) {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = origin(url);
        if !pool.contains_key(origin) {
            pool.insert(origin.to_owned(), Vec::new());
        }
        let Some(idle) = pool.get_mut(origin) else { return };
        // The oldest is at the front; without this, a burst would leave its connections open.
        while idle.first().is_some_and(|oldest| oldest.since.elapsed() >= MAX_IDLE) {
            idle.remove(0);
        }
        if idle.len() < MAX_IN_FLIGHT_PER_HOST {
            let (options, since) = (Arc::clone(options), Instant::now());
            idle.push(IdleConnection { connection, options, since });
        }
    }
}

/// Scheme, host and port.
fn origin(url: &Url) -> &str {
    &url[..Position::AfterPort]
}
