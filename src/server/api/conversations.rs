//! Conversations: list, read, and act in them.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json, Path, Payload, Query, ServiceConfig, get, post, resource};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::body;
use super::error::{ApiError, ErrorResponse};
use super::runs::RunSummary;
use crate::base::limits::{MAX_PAGE, PAGE_SIZE};
use crate::conversation::{Conversation, ConversationState, Message, Person};
use crate::delivery::ConversationKey;
use crate::emulator::ConversationOverview;
use crate::record::ActionSummary;
use crate::scenario::UpcomingStep;
use crate::server::live::{
    ConversationCounts, ConversationFilter, HistoryPage, ListedConversation, LiveServer, ServedRun,
};

pub(super) fn routes(app: &mut ServiceConfig) {
    app.service(resource("/api/v1/conversations").route(get().to(list)))
        .service(resource("/api/v1/conversations/{conversation}").route(get().to(read)))
        .service(resource("/api/v1/conversations/{conversation}/actions").route(post().to(act)));
}

/// Which conversations to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ConversationQuery {
    /// Only those of this run.
    run: Option<u32>,
    /// Only those before this one in the list: the next page.
    before: Option<String>,
    /// Number of entries, at most 500. Default: 100.
    limit: Option<usize>,
}

/// What of a conversation to return.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TranscriptQuery {
    /// Number of messages, from the first, to omit: those that the client has already. Default: 0.
    messages_from: Option<usize>,
}

/// A page of conversations.
#[derive(Serialize, ToSchema)]
pub(super) struct ConversationList {
    items: Vec<ConversationSummary>,
    /// Value of `before` for the next page, if there may be one.
    next: Option<String>,
}

/// A conversation in a list.
#[derive(Serialize, ToSchema)]
pub(super) struct ConversationSummary {
    /// Its id at the server: run and number.
    id: String,
    /// Its run.
    run: RunSummary,
    /// Name of the visitor.
    visitor: Option<String>,
    /// `open` or `closed`; absent before it is opened.
    #[schema(value_type = Option<String>)]
    state: Option<ConversationState>,
    /// Name of the current assignee.
    assignee: Option<String>,
    /// Number of messages.
    messages: usize,
    /// The beginning of the last message.
    last_text: Option<String>,
    /// Its deliveries.
    deliveries: ConversationCounts,
}

/// A conversation with its transcript.
#[derive(Serialize, ToSchema)]
pub(super) struct ConversationDetail {
    /// Its id at the server: run and number.
    id: String,
    /// Its run.
    run: RunSummary,
    /// `open` or `closed`; absent before it is opened.
    #[schema(value_type = Option<String>)]
    state: Option<ConversationState>,
    /// Whether its survey is open, in which people can still write. The conversation itself is closed.
    survey: bool,
    /// The vendor's ids, by name.
    #[schema(value_type = Object)]
    ids: Value,
    /// Channel.
    channel: String,
    /// Cast name of the current assignee.
    assignee: Option<String>,
    /// Everybody who can act in it.
    cast: Vec<CastEntry>,
    /// The messages, in order, from `messages_from` on.
    messages: Vec<MessageEntry>,
    /// Its labels.
    labels: Vec<String>,
    /// What the script does next; absent at its end.
    next: Option<NextStep>,
}

/// What a script does next.
#[derive(Serialize, ToSchema)]
pub(super) struct NextStep {
    /// Number of the step, from 1.
    step: usize,
    /// The action or expectation, such as `say`.
    action: &'static str,
    /// Cast name of who does it.
    by: Option<String>,
    /// Text of the message or note.
    text: Option<String>,
    /// Milliseconds of run time until it is due; absent if it waits for the receiver.
    due_in_ms: Option<i64>,
}

impl NextStep {
    /// Describes a step at a run time.
    fn of(upcoming: UpcomingStep, now: Option<Timestamp>) -> Self {
        let UpcomingStep { step, action, by, text, due } = upcoming;
        let wait = due.zip(now).map(|(due, now)| due.as_millisecond() - now.as_millisecond());
        Self { step, action, by, text, due_in_ms: wait.map(|wait| wait.max(0)) }
    }
}

/// Somebody who can act in a conversation.
#[derive(Serialize, ToSchema)]
pub(super) struct CastEntry {
    /// Name that actions use.
    name: String,
    /// Full name.
    full_name: String,
    /// Role: `visitor`, `bot`, `agent`, `manager` or `system`.
    role: &'static str,
}

/// A message.
#[derive(Serialize, ToSchema)]
pub(super) struct MessageEntry {
    /// Cast name of the sender.
    by: String,
    /// Kind.
    kind: String,
    /// Text.
    text: String,
    /// Data of the kind.
    #[schema(value_type = Object)]
    data: Value,
    /// Run time of sending.
    at: String,
}

/// What happened.
#[derive(Serialize, ToSchema)]
pub(super) struct ActionResults {
    /// The performed actions, with those that they imply.
    #[schema(value_type = Vec<Object>)]
    actions: Vec<ActionSummary>,
}

/// Returns the id of a conversation at the server.
fn id_of(key: ConversationKey) -> String {
    format!("{}-{}", key.run, key.number)
}

/// Parses an id of a conversation.
fn key_of(id: &str) -> Result<ConversationKey, ApiError> {
    let parse = |(run, number): (&str, &str)| {
        Some(ConversationKey { run: run.parse().ok()?, number: number.parse().ok()? })
    };
    id.split_once('-').and_then(parse).ok_or_else(|| {
        let error = ApiError::not_found(format!("there is no conversation `{id}`"));
        error.hint("an id is a run and a number, such as `3-1`")
    })
}

impl ConversationSummary {
    fn of(run: &ServedRun, overview: ConversationOverview, live: &LiveServer) -> Self {
        let id = id_of(overview.key);
        let deliveries = live.history.counts(overview.key);
        let ConversationOverview { visitor, state, assignee, messages, last_text, .. } = overview;
        let run = RunSummary::of(run);
        Self { id, run, visitor, state, assignee, messages, last_text, deliveries }
    }
}

impl ConversationDetail {
    /// The conversation without its first messages.
    fn of(id: String, run: &ServedRun, conversation: &Conversation, from: usize) -> Self {
        let cast = |person: &Person| CastEntry {
            name: person.member.name.to_string(),
            full_name: person.name(),
            role: person.role().as_str(),
        };
        let message = |message: &Message| MessageEntry {
            by: message.by.member.name.to_string(),
            kind: message.kind.clone(),
            text: message.text.clone(),
            data: Value::Object(message.data.table()),
            at: message.at.to_string(),
        };
        Self {
            id,
            run: RunSummary::of(run),
            state: conversation.state,
            survey: conversation.is_in_survey(),
            ids: Value::Object(conversation.ids.clone().into_entries().collect()),
            channel: conversation.channel.clone(),
            assignee: conversation.assignee().map(|person| person.member.name.to_string()),
            cast: conversation.cast.iter().map(cast).collect(),
            messages: conversation.messages.iter().skip(from).map(message).collect(),
            labels: conversation.labels.clone(),
            next: None,
        }
    }
}

/// Lists conversations, the newest first.
#[utoipa::path(get, path = "/api/v1/conversations", tag = "conversations",
    params(ConversationQuery),
    responses((status = 200, body = ConversationList), (status = 404, body = ErrorResponse),
              (status = 503, body = ErrorResponse)))]
pub(super) async fn list(
    live: Data<LiveServer>,
    query: Query<ConversationQuery>,
) -> Result<Json<ConversationList>, ApiError> {
    let before = query.before.as_deref().map(key_of).transpose()?;
    let limit = query.limit.unwrap_or(PAGE_SIZE).clamp(1, MAX_PAGE);
    let filter = ConversationFilter { run: query.run, before };
    let HistoryPage { items, next } = live.conversations(&filter, limit).await?;
    let summary = |one: ListedConversation| ConversationSummary::of(&one.run, one.overview, &live);
    let items = items.into_iter().map(summary).collect();
    Ok(Json(ConversationList { items, next: next.map(id_of) }))
}

/// Returns a conversation with its transcript.
#[utoipa::path(get, path = "/api/v1/conversations/{conversation}", tag = "conversations",
    params(("conversation" = String, Path, description = "Id, such as `3-1`"), TranscriptQuery),
    responses((status = 200, body = ConversationDetail), (status = 404, body = ErrorResponse),
              (status = 409, body = ErrorResponse), (status = 503, body = ErrorResponse)))]
pub(super) async fn read(
    live: Data<LiveServer>,
    id: Path<String>,
    query: Query<TranscriptQuery>,
) -> Result<Json<ConversationDetail>, ApiError> {
    let key = key_of(&id)?;
    let (run, conversation) = live.conversation(key).await?;
    let next = match live.upcoming(&run, key).await {
        Some(upcoming) => Some(NextStep::of(upcoming, live.run_time(&run, key).await)),
        None => None,
    };
    let from = query.messages_from.unwrap_or_default();
    let detail = ConversationDetail::of(id_of(key), &run, &conversation, from);
    Ok(Json(ConversationDetail { next, ..detail }))
}

/// Performs actions in a conversation: all of them, or none.
///
/// The body is one action as in a step of a scenario, such as `{"say": {"by": "visitor", "text":
/// "Hi"}}`, or a list of actions.
#[utoipa::path(post, path = "/api/v1/conversations/{conversation}/actions", tag = "conversations",
    params(("conversation" = String, Path, description = "Id, such as `3-1`")),
    request_body = serde_json::Value,
    responses((status = 200, body = ActionResults), (status = 400, body = ErrorResponse),
              (status = 404, body = ErrorResponse), (status = 409, body = ErrorResponse),
              (status = 422, body = ErrorResponse), (status = 503, body = ErrorResponse)))]
pub(super) async fn act(
    live: Data<LiveServer>,
    id: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<ActionResults>, ApiError> {
    let key = key_of(&id)?;
    let actions = body::document(&request, payload).await?;
    let actions = live.act(key, &actions).await.map_err(|error| ApiError::about(error, &actions));
    Ok(Json(ActionResults { actions: actions? }))
}
