//! The network: each request goes out by the transport that can write it.

use super::connector::Connector;
use super::http1::Http1Client;
use super::reqwest_transport::ReqwestTransport;
use super::transport::{Request, Transport};
use crate::record::AttemptResult;

/// Both transports: the default one, and the one that writes to the byte.
#[derive(Debug)]
pub struct NetworkTransport {
    connector: Connector,
    http: ReqwestTransport,
    wire: Http1Client,
    exact: bool,
}

impl NetworkTransport {
    /// A network that is dialled so. `order` are the names of a request's head in the vendor's case
    /// and order, where they matter.
    pub fn new(connector: Connector, order: Option<&[String]>) -> Self {
        let exact = order.is_some();
        let order = order.unwrap_or_default().to_vec();
        let (http, wire) =
            (ReqwestTransport::new(connector.clone()), Http1Client::new(connector.clone(), order));
        Self { connector, http, wire, exact }
    }
}

impl Transport for NetworkTransport {
    async fn send(&self, request: Request) -> AttemptResult {
        self.connector.turn(&request.url).await;
        if self.exact || request.fault.is_some() {
            self.wire.send(request).await
        } else {
            self.http.send(request).await
        }
    }
}
