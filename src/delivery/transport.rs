//! The wire, as the engine's driver sees it.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::record::Met;

/// One request, ready to go out.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where to.
    pub url: Url,
    /// The headers, in order, with the vendor's own names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Arc<str>,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// How long everything may take.
    pub total: Duration,
}

/// Something that sends requests. One call is one request on the wire: no redirect is followed, no
/// request sent again. It never fails; what it meets is what it gives.
pub trait Transport: Send + Sync + 'static {
    /// Sends a request, and gives what it met.
    fn send(&self, request: Request) -> impl Future<Output = Met> + Send;
}
