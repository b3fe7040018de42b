//! The control API: HTTP access to the live server. The page has no other access.

mod body;
mod calls;
mod conversations;
mod deliveries;
mod endpoints;
mod error;
mod export;
mod faults;
mod files;
mod guard;
mod health;
mod idempotency;
mod openapi;
mod records;
mod request_log;
mod reset;
mod runs;
mod scenarios;
mod stream;
mod stream_chunks;
mod vendors;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::error::{PathError, QueryPayloadError};
use actix_web::middleware::from_fn;
use actix_web::web::{Data, PathConfig, QueryConfig, ServiceConfig, get, head, resource, to};
use actix_web::{App, HttpServer};

use self::error::ApiError;
use self::guard::{Access, guard};
use self::idempotency::{KeyedResponses, idempotent};
use self::request_log::logged;
use self::stream::StreamLimit;
use super::live::LiveServer;
use super::page;
use super::{ServerHandle, run_in_thread};
use crate::base::limits::{API_KEEP_ALIVE, HEAD_TIMEOUT, MAX_CONNECTIONS};

pub use guard::{AccessRules, ApiToken};

/// Starts the control API and the page on a listener.
///
/// # Errors
///
/// Fails if the listener cannot be used.
pub fn serve_api(
    listener: TcpListener,
    live: Arc<LiveServer>,
    rules: AccessRules,
) -> io::Result<ServerHandle> {
    let address = listener.local_addr()?;
    live.vendors().iter().for_each(|vendor| vendor.refuse(address));
    let server = server(listener, address, live, rules)?;
    run_in_thread(server, address)
}

fn server(
    listener: TcpListener,
    address: SocketAddr,
    live: Arc<LiveServer>,
    rules: AccessRules,
) -> io::Result<Server> {
    let (live, streams) = (Data::from(live), Data::new(StreamLimit::default()));
    let access = Data::new(Access::new(rules, address));
    let keyed = Data::new(KeyedResponses::default());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(live.clone())
            .app_data(streams.clone())
            .app_data(access.clone())
            .app_data(PathConfig::default().error_handler(|error, _| invalid_path(&error)))
            .app_data(QueryConfig::default().error_handler(|error, _| invalid_query(&error)))
            .app_data(keyed.clone())
            // Inside the guard, which wraps everything.
            .wrap(from_fn(idempotent))
            .wrap(from_fn(guard))
            .wrap(from_fn(logged))
            .configure(routes)
            .default_service(to(|| async { ApiError::not_found("there is no such path") }))
    });
    let server = server
        .workers(1)
        .max_connections(MAX_CONNECTIONS)
        .client_request_timeout(HEAD_TIMEOUT)
        .keep_alive(API_KEEP_ALIVE)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?;
    Ok(server.run())
}

fn invalid_path(error: &PathError) -> actix_web::Error {
    ApiError::not_found(error.to_string()).into()
}

fn invalid_query(error: &QueryPayloadError) -> actix_web::Error {
    ApiError::invalid(error.to_string()).into()
}

fn routes(app: &mut ServiceConfig) {
    let public = |path: &str| resource(path);
    app.service(public("/healthz").route(get().to(health::alive)).route(head().to(health::alive)))
        .service(public("/readyz").route(get().to(health::ready)).route(head().to(health::ready)))
        .service(public("/metrics").route(get().to(health::metrics)))
        .service(resource("/api/openapi.json").route(get().to(openapi::document)))
        .configure(vendors::routes)
        .configure(scenarios::routes)
        .configure(runs::routes)
        .configure(conversations::routes)
        .configure(files::routes)
        .configure(endpoints::routes)
        .configure(deliveries::routes)
        .configure(calls::routes)
        .configure(records::routes)
        .configure(reset::routes)
        .configure(page::routes);
}
