//! The API of an emulated vendor, served on a socket.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use standin::base::address::EgressPolicy;
use standin::base::clock::Clock;
use standin::config::receiver_url;
use standin::delivery::{AttemptSlots, ClockMode, Connector, DeliveryCheck, Http1Client};
use standin::emulator::{Emulator, EmulatorSlot, EndpointPlan, ScriptedRun};
use standin::platform::{Account, Subscription};
use standin::record::{CallRecord, PriorAttempts, Record, RecordKind, RecordLog};
use standin::scenario::Script;
use standin::server::{ApiPort, ServerHandle};

use super::{ReceivedRequest, Receiver, revisions};

/// A response of the API.
#[derive(Debug)]
pub(crate) struct ApiResponse {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl ApiResponse {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends a request. The head is written as it is.
pub(crate) fn request(address: &str, head: &str, body: &str) -> ApiResponse {
    let length = body.len();
    let more = format!("Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    exchange(address, &format!("{head}\r\nHost: {address}\r\n{more}"), Duration::from_secs(30))
}

/// Sends the handshake of a WebSocket, as clients do.
pub(crate) fn websocket_handshake(address: &str, target: &str) -> ApiResponse {
    let head = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n");
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    let request = format!("{head}Upgrade: websocket\r\n{key}\r\n");
    // Less than a request may take whose body does not arrive.
    exchange(address, &request, Duration::from_secs(5))
}

fn exchange(address: &str, request: &str, patience: Duration) -> ApiResponse {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(patience)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    ApiResponse { status, head: head.to_owned(), body: body.to_owned() }
}

/// An account that is live, and its API.
pub(crate) struct LiveApi {
    pub(crate) account: Arc<Account>,
    emulator: Emulator,
    server: Option<ServerHandle>,
    pub(crate) address: String,
    pub(crate) records: Arc<Mutex<Vec<Arc<Record>>>>,
    runtime: tokio::runtime::Runtime,
}

impl LiveApi {
    /// Starts an account with the default endpoint of a receiver, and serves its API.
    pub(crate) fn start(vendor: &str, receiver: &Receiver) -> Self {
        let platform = revisions().into_iter().find(|known| known.full_id() == vendor).unwrap();
        Self::of(Account::test(&platform), receiver)
    }

    /// Starts this account with the default endpoint of a receiver, and serves its API.
    pub(crate) fn of(account: Account, receiver: &Receiver) -> Self {
        let account = Arc::new(account);
        let platform = Arc::clone(&account.platform);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let endpoint = EndpointPlan::new(
            1,
            receiver_url(&receiver.url()).unwrap(),
            Subscription::check_plain(&["*".into()], &["any"]).unwrap(),
        );
        let slot = EmulatorSlot::default();
        let emulator = runtime.block_on(async {
            let connector = Connector::new(EgressPolicy::default());
            let client = Http1Client::new(connector, platform.wire.clone());
            let slots = AttemptSlots::default();
            Emulator::start(Arc::clone(&account), vec![endpoint], Arc::new(client), slots)
        });
        slot.set(emulator.clone());
        let server = ApiPort::plain([127, 0, 0, 1].into(), 0).serve(&slot).unwrap();
        let address = server.address.to_string();
        let records = Arc::default();
        let api = Self { account, emulator, server: Some(server), address, records, runtime };
        api.play(1, Script::without_steps("calls only"), 0);
        api
    }

    /// Plays a script at the account.
    pub(crate) fn play(&self, number: u32, script: Script, conversations: u32) {
        let log = RecordLog::new(number, Clock::System);
        let (mut reader, kept) = (log.subscribe(1).unwrap(), Arc::clone(&self.records));
        // The account waits for a reader that falls behind.
        self.runtime.spawn(async move {
            while let Some(record) = reader.next().await {
                kept.lock().unwrap().push(record);
            }
        });
        let run = ScriptedRun {
            number,
            script: Arc::new(script),
            plays: conversations,
            seed: 1,
            start: "2026-01-05T09:00:00Z".parse().unwrap(),
            clock: ClockMode::Virtual,
            check: DeliveryCheck::default(),
            lines: BTreeMap::new(),
            controls: BTreeSet::new(),
            prior: Arc::new(PriorAttempts::default()),
            log,
            is_paused: false,
            keeps_conversations: true,
            is_resumable: false,
        };
        drop(self.emulator.play(run));
    }

    pub(crate) fn secret(&self, name: &str) -> &str {
        self.account.secrets[name].expose()
    }

    /// POSTs JSON with the bearer token of this secret.
    pub(crate) fn post(&self, secret: &str, path: &str, body: &Json) -> ApiResponse {
        let token = self.secret(secret);
        let head = format!("POST {path} HTTP/1.1\r\nAuthorization: Bearer {token}");
        request(&self.address, &head, &body.to_string())
    }

    /// Waits until this many calls were recorded.
    pub(crate) fn calls(&self, count: usize) -> Vec<CallRecord> {
        self.recorded(|calls| (calls.len() >= count).then_some(calls))
    }

    /// Waits until such a call was recorded, which can be after its response.
    pub(crate) fn call_where(&self, is_it: impl Fn(&CallRecord) -> bool) -> CallRecord {
        self.recorded(|calls| calls.into_iter().rev().find(&is_it))
    }

    fn recorded<T>(&self, test: impl Fn(Vec<CallRecord>) -> Option<T>) -> T {
        let call = |record: &Arc<Record>| match &record.kind {
            RecordKind::CallReceived(call) => Some(call.clone()),
            _ => None,
        };
        let start = Instant::now();
        loop {
            let calls: Vec<_> = self.records.lock().unwrap().iter().filter_map(call).collect();
            let count = calls.len();
            if let Some(found) = test(calls) {
                return found;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{count} calls");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for LiveApi {
    fn drop(&mut self) {
        let server = self.server.take();
        self.runtime.block_on(async {
            self.emulator.stop().await;
            if let Some(server) = server {
                server.stop().await;
            }
        });
    }
}

/// Waits until the receiver has this many events.
pub(crate) fn wait_for_events(receiver: &Receiver, count: usize) -> Vec<Json> {
    let start = Instant::now();
    while receiver.events().len() < count {
        assert!(start.elapsed() < Duration::from_secs(20), "{} events", receiver.events().len());
        thread::sleep(Duration::from_millis(5));
    }
    receiver.events().iter().map(ReceivedRequest::json).collect()
}
