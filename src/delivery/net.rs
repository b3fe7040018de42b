//! The network: each request goes out by the transport that can write it.

use super::dial::Dial;
use super::http::Http;
use super::transport::{Request, Transport};
use super::wire::Wire;
use crate::record::Met;

/// Both transports: the default one, and the one that writes to the byte.
#[derive(Debug)]
pub struct Net {
    dial: Dial,
    http: Http,
    wire: Wire,
    exact: bool,
}

impl Net {
    /// A network that is dialled so. `order` are the names of a request's head in the vendor's case
    /// and order, where they matter.
    pub fn new(dial: Dial, order: Option<&[String]>) -> Self {
        let exact = order.is_some();
        let order = order.unwrap_or_default().to_vec();
        let (http, wire) = (Http::new(dial.clone()), Wire::new(dial.clone(), order));
        Self { dial, http, wire, exact }
    }
}

impl Transport for Net {
    async fn send(&self, request: Request) -> Met {
        self.dial.turn(&request.url).await;
        if self.exact || request.fault.is_some() {
            self.wire.send(request).await
        } else {
            self.http.send(request).await
        }
    }
}
