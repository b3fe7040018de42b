//! A bot of the bundled receiver: it responds to webhooks through the vendor's API.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use url::Url;

use super::bot_call::BotCallReport;
use crate::base::address::EgressPolicy;
use crate::base::clock::Clock;
use crate::base::limits::{BOT_PATIENCE, MAX_KEPT_REQUESTS, STATE_REQUEST_TIMEOUT};
use crate::delivery::{ApiRequest, Connector, Http1Client, Transport as _};
use crate::platform::api::{ApiCall, BotCall, BotMemory, CallBody};
use crate::platform::{Account, BotPlayer};
use crate::record::{AttemptOutcome, AttemptResult, Method};

/// A bot at one account. It works until the last handle is dropped.
#[derive(Clone, Debug)]
pub struct EchoBot {
    tasks: mpsc::UnboundedSender<BotTask>,
}

#[derive(Debug)]
enum BotTask {
    Open,
    Respond(Json),
}

/// Called with each call of a bot after its response.
type CalledCallback = Box<dyn Fn(&BotCallReport) + Send + Sync>;

struct BotWorker {
    account: Arc<Account>,
    /// Base URL of the API.
    api: Url,
    client: Http1Client,
    /// What it knows where it opens no conversations; `None` before it has logged in.
    memory: Option<BotMemory>,
    /// What it knows in each conversation that it has opened, by its id.
    conversations: BTreeMap<String, BotMemory>,
    /// Their ids, in the order in which they were opened.
    opened: VecDeque<String>,
    show: CalledCallback,
}

const UNAUTHORIZED: u16 = 401;
/// Response of an API without a run.
const UNAVAILABLE: u16 = 503;
/// Pause before a call to an API that is not there yet is repeated.
const PAUSE: Duration = Duration::from_millis(200);

impl EchoBot {
    /// Starts a bot that calls the API at this base URL. `show` is called for each call.
    ///
    /// Must be called in an asynchronous runtime.
    pub fn start(
        account: &Arc<Account>,
        api: Url,
        show: impl Fn(&BotCallReport) + Send + Sync + 'static,
    ) -> Self {
        let wire = account.platform.wire.clone();
        let worker = BotWorker {
            account: Arc::clone(account),
            api,
            client: Http1Client::new(Connector::new(EgressPolicy::default()), wire),
            memory: None,
            conversations: BTreeMap::new(),
            opened: VecDeque::new(),
            show: Box::new(show),
        };
        let (tasks, queue) = mpsc::unbounded_channel();
        tokio::spawn(worker.work(queue));
        Self { tasks }
    }

    /// Opens a conversation, if clients of the API open conversations.
    pub fn open(&self) {
        // Without a receiver, the runtime has ended.
        let _ = self.tasks.send(BotTask::Open);
    }

    /// Responds to a webhook, if the bot has something to say.
    pub(super) fn respond(&self, body: &str) {
        if let Ok(webhook) = serde_json::from_str(body) {
            let _ = self.tasks.send(BotTask::Respond(webhook));
        }
    }
}

impl BotWorker {
    async fn work(mut self, mut queue: mpsc::UnboundedReceiver<BotTask>) {
        while let Some(task) = queue.recv().await {
            match task {
                BotTask::Open => self.open().await,
                BotTask::Respond(webhook) => self.respond(&webhook).await,
            }
        }
    }

    async fn open(&mut self) {
        let account = Arc::clone(&self.account);
        let calls = &account.platform.bot.open;
        if calls.is_empty() {
            return;
        }
        let mut memory = Self::new_memory();
        if !self.make_all(&account.platform.bot.log_in, &mut memory).await
            || !self.make_all(calls, &mut memory).await
        {
            return;
        }
        if let Some(id) = memory.conversation() {
            if self.opened.len() >= MAX_KEPT_REQUESTS
                && let Some(oldest) = self.opened.pop_front()
            {
                self.conversations.remove(&oldest);
            }
            self.opened.push_back(id.clone());
            self.conversations.insert(id, memory);
        }
    }

    async fn respond(&mut self, webhook: &Json) {
        let account = Arc::clone(&self.account);
        let rules = &account.platform.bot;
        if rules.open.is_empty() {
            let known = self.memory.take();
            let is_logged_in = known.is_some();
            let mut memory = known.unwrap_or_else(Self::new_memory);
            if let Some(call) = BotPlayer(&account).reply(webhook, &mut memory)
                && (is_logged_in || self.make_all(&rules.log_in, &mut memory).await)
            {
                self.make(call, &mut memory).await;
                self.memory = Some(memory);
            } else if is_logged_in {
                self.memory = Some(memory);
            }
            return;
        }
        // In a conversation that it has not opened, it is not the one who speaks through the API.
        let id = rules.conversation(webhook);
        let Some(mut memory) = id.as_ref().and_then(|id| self.conversations.remove(id)) else {
            return;
        };
        if let Some(call) = BotPlayer(&account).reply(webhook, &mut memory) {
            self.make(call, &mut memory).await;
        }
        self.conversations.extend(id.map(|id| (id, memory)));
    }

    fn new_memory() -> BotMemory {
        // A different one for each conversation, also after a restart.
        BotMemory::new(Clock::System.now().as_millisecond())
    }

    /// Makes calls until one fails. Returns false then.
    async fn make_all(&self, calls: &[BotCall], memory: &mut BotMemory) -> bool {
        for call in calls {
            if !self.make(call, memory).await {
                return false;
            }
        }
        true
    }

    /// Makes a call, and logs in again if the token is no longer valid. Returns whether it succeeded.
    async fn make(&self, call: &BotCall, memory: &mut BotMemory) -> bool {
        let log_in = &self.account.platform.bot.log_in;
        let is_log_in = log_in.iter().any(|known| known.operation.name == call.operation.name);
        let mut report = self.call(call, memory).await;
        if report.status == Some(UNAUTHORIZED) && !is_log_in && !log_in.is_empty() {
            (self.show)(&report);
            for first in log_in {
                let report = self.call(first, memory).await;
                (self.show)(&report);
            }
            report = self.call(call, memory).await;
        }
        (self.show)(&report);
        report.error.is_none()
    }

    async fn call(&self, call: &BotCall, memory: &mut BotMemory) -> BotCallReport {
        let mut report = BotCallReport::new(&self.account.platform.id, &call.operation.name);
        let rendered = match BotPlayer(&self.account).render(call, memory, Clock::System.now()) {
            Ok(rendered) => rendered,
            Err(error) => return report.failed(error.to_string()),
        };
        let request = match self.request(rendered) {
            Ok(request) => request,
            Err(error) => return report.failed(error),
        };
        report.url = request.url.to_string();
        let result = self.send(request).await;
        report.status = result.status;
        let body = String::from_utf8_lossy(result.body.as_bytes()).into_owned();
        match (result.status, result.reason) {
            (Some(200..300), None) => {}
            (Some(_), None) => return report.failed(body),
            (_, reason) => return report.failed(reason.unwrap_or_default()),
        }
        let json = serde_json::from_str(&body).unwrap_or_default();
        if let Some(error) = call.graphql_error(&json) {
            return report.failed(error.to_owned());
        }
        match call.learn(&json, &result.headers, memory) {
            Ok(()) => report,
            Err(place) => report.failed(format!("no `{place}` in the response {body}")),
        }
    }

    /// Sends a request, and repeats it while the API is not there yet.
    async fn send(&self, request: ApiRequest) -> AttemptResult {
        let deadline = Instant::now() + BOT_PATIENCE;
        loop {
            let result = self.client.call_api(request.clone(), STATE_REQUEST_TIMEOUT).await;
            // Only a request that nobody has handled is repeated: the bot must not say a thing twice.
            let is_unhandled = result.status == Some(UNAVAILABLE)
                || matches!(
                    result.outcome,
                    AttemptOutcome::Refused
                        | AttemptOutcome::Unreachable
                        | AttemptOutcome::Dns
                        | AttemptOutcome::TimeoutConnect
                );
            if !is_unhandled || Instant::now() + PAUSE >= deadline {
                return result;
            }
            sleep(PAUSE).await;
        }
    }

    fn request(&self, call: ApiCall) -> Result<ApiRequest, String> {
        let method = Method::from_name(&call.method)
            .ok_or_else(|| format!("the method {} is not supported", call.method))?;
        let mut url = self.api.clone();
        url.set_path(&format!("{}{}", self.api.path().trim_end_matches('/'), call.path));
        url.set_query(Some(call.query.as_str()).filter(|query| !query.is_empty()));
        let body = match call.body {
            CallBody::Whole(body) if !body.is_empty() => {
                Some(String::from_utf8_lossy(&body).into_owned())
            }
            _ => None,
        };
        let options = Arc::default();
        Ok(ApiRequest { method, url, headers: call.headers, json: body, options })
    }
}
