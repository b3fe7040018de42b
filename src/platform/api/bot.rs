//! The calls of a bot that responds to webhooks through the vendor's API.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::body::{parameters, parse_body};
use super::bot_form::{BotCallForm, BotForm, BotReplyForm};
use super::call::ApiCall;
use super::call_match::CallMatchers;
use super::credential::{AuthContext, CredentialRule};
use super::example::CallExample;
use super::example::text_of;
use super::forms::{BodyProtocol, ExampleForm};
use super::issued::IssuedTokens;
use super::rules::{ApiRules, OperationRule, RouteRule};
use super::token_place::TokenPlace;
use crate::diag::{Problem, Problems, Spanned, TableOf, code};
use crate::platform::context::TemplateContext;
use crate::platform::pointer::Pointer;
use crate::template::{CompileContext, Field, FieldType, InputError, TableType, Value};

/// The calls of a bot.
#[derive(Clone, Debug, Default)]
pub struct BotRules {
    /// Scenario that shows the bot.
    pub story: Option<String>,
    read: Vec<(String, Vec<String>)>,
    /// Calls that log in.
    pub log_in: Vec<BotCall>,
    /// Calls that open a conversation; empty if clients of the API do not open conversations.
    pub open: Vec<BotCall>,
    replies: Vec<BotReply>,
}

/// A call of a bot.
#[derive(Clone, Debug)]
pub struct BotCall {
    route: Arc<RouteRule>,
    /// The operation.
    pub operation: Arc<OperationRule>,
    call: CallExample,
    tokens: Vec<(String, TokenPlace)>,
    keep: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct BotReply {
    matches: CallMatchers,
    call: BotCall,
}

/// What a bot knows: its tokens and the values of webhooks and responses.
#[derive(Clone, Default)]
pub struct BotMemory {
    tokens: BTreeMap<String, String>,
    kept: Map<String, Json>,
}

/// The value of webhooks and responses that identifies a conversation.
const CONVERSATION: &str = "conversation";
/// A number that is different for each conversation.
const NUMBER: &str = "number";

/// Returns the first value that a webhook has at one of these pointers.
fn first_value(pointers: &[String], webhook: &Json) -> Option<Json> {
    let mut values = pointers.iter().filter_map(|pointer| value_at(pointer, webhook));
    values.find(|value| !value.is_null())
}

/// Returns the value at a pointer, which leads into texts that contain JSON too.
fn value_at(pointer: &str, json: &Json) -> Option<Json> {
    if let Some(value) = json.pointer(pointer) {
        return Some(value.clone());
    }
    let slashes = pointer.char_indices().filter(|(at, c)| *c == '/' && *at > 0);
    let mut parts = slashes.map(|(at, _)| pointer.split_at(at));
    let (text, rest) =
        parts.find_map(|(first, rest)| Some((json.pointer(first)?.as_str()?, rest)))?;
    value_at(rest, &serde_json::from_str(text).ok()?)
}

impl BotRules {
    /// Returns true if the vendor's folder describes no bot.
    pub fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }

    /// Returns the id of the conversation of a webhook.
    pub fn conversation(&self, webhook: &Json) -> Option<String> {
        let (_, pointers) = self.read.iter().find(|(known, _)| known == CONVERSATION)?;
        first_value(pointers, webhook).as_ref().map(text_of)
    }

    /// Returns the call in response to a webhook, if there is one. The values of the webhook are
    /// remembered. `account` are the roots of the account.
    pub(in crate::platform) fn reply(
        &self,
        webhook: &Json,
        account: TemplateContext<'_>,
        memory: &mut BotMemory,
    ) -> Option<&BotCall> {
        for (name, pointers) in &self.read {
            let value = first_value(pointers, webhook);
            memory.kept.insert(name.clone(), value.unwrap_or(Json::Null));
        }
        let roots = memory.roots(account);
        let found = self.replies.iter().find(|reply| reply.matches.hold(webhook, &roots))?;
        Some(&found.call)
    }
}

impl BotMemory {
    /// Creates a memory. Calls have this number as `bot.number`.
    pub fn new(number: i64) -> Self {
        let kept = Map::from_iter([(NUMBER.to_owned(), number.into())]);
        Self { kept, ..Self::default() }
    }

    /// Returns the id of the conversation that the bot has opened.
    pub fn conversation(&self) -> Option<String> {
        self.kept.get(CONVERSATION).filter(|value| !value.is_null()).map(text_of)
    }

    fn roots<'a>(&'a self, account: TemplateContext<'a>) -> TemplateContext<'a> {
        account.with_value("bot", Value::Object(&self.kept))
    }
}

impl BotCall {
    /// Returns the error of a response of GraphQL. Its status is that of a success.
    pub fn graphql_error<'r>(&self, response: &'r Json) -> Option<&'r str> {
        self.operation.field.as_ref()?;
        response.pointer("/errors/0/message")?.as_str()
    }

    /// Returns the call with the credentials of the account and the tokens of the bot.
    pub(in crate::platform) fn render(
        &self,
        account: TemplateContext<'_>,
        credentials: &BTreeMap<String, CredentialRule>,
        memory: &BotMemory,
        at: Timestamp,
    ) -> Result<ApiCall, InputError> {
        let roots = memory.roots(account);
        let mut call = self.route.render(&self.call, &roots)?.into_call(at);
        let body = parse_body(BodyProtocol::Form, &call).map(|body| body.json).unwrap_or_default();
        let params = parameters(&call, &body);
        // The first of alternatives.
        let names = self.route.auth.iter().chain(&self.operation.auth);
        let names = names.filter_map(|names| names.first());
        for rule in names.filter_map(|name| credentials.get(name)) {
            let tokens = IssuedTokens::default();
            // The call has its whole path.
            let (call_ref, path) = (&call, &[]);
            let auth = AuthContext {
                call: call_ref,
                path,
                params: &params,
                tokens: &tokens,
                roots: &roots,
            };
            if !rule.is_presented(&auth) {
                rule.add_to(&mut call, memory.tokens.get(&rule.name).map(String::as_str), &roots);
            }
        }
        Ok(call)
    }

    /// Remembers the tokens and values of the response. Returns the place of the first one that is
    /// missing.
    pub fn learn(
        &self,
        response: &Json,
        headers: &[(String, String)],
        memory: &mut BotMemory,
    ) -> Result<(), String> {
        for (credential, place) in &self.tokens {
            let token = place.find(response, headers).ok_or_else(|| place.text())?;
            memory.tokens.insert(credential.clone(), token.to_owned());
        }
        for (name, pointer) in &self.keep {
            let value = response.pointer(pointer).ok_or_else(|| pointer.clone())?;
            memory.kept.insert(name.clone(), value.clone());
        }
        Ok(())
    }
}

/// Checks `[bot]`.
pub(in crate::platform) struct BotChecker<'a> {
    pub(in crate::platform) rules: &'a ApiRules,
    /// Names of the operations that the file has, those with mistakes included.
    pub(in crate::platform) declared: Vec<&'a str>,
    /// Context of the account, without `bot`.
    pub(in crate::platform) context: CompileContext<'a>,
    pub(in crate::platform) problems: &'a mut Problems,
}

impl BotChecker<'_> {
    pub(in crate::platform) fn check(&mut self, form: &BotForm) -> BotRules {
        let read: Vec<(String, Vec<String>)> = form
            .read
            .iter()
            .map(|(key, all)| {
                (key.name.clone(), all.iter().map(|pointer| pointer.value.0.clone()).collect())
            })
            .collect();
        let opened = form.log_in.iter().chain(&form.open).flat_map(|call| call.keep.names());
        let names = read.iter().map(|(name, _)| name.as_str()).chain(opened).chain([NUMBER]);
        let fields = names.map(|name| Field::always(name, FieldType::Any)).collect();
        let bot = FieldType::table(TableType::new("the bot", fields));
        self.context.root = self.context.root.clone().always("bot", bot);
        let keeps_id = form.open.iter().any(|call| call.keep.contains(CONVERSATION));
        if let Some(first) = form.open.first()
            && !(form.read.contains(CONVERSATION) && keeps_id)
        {
            let message = "the bot cannot tell which conversations it has opened";
            let problem = Problem::at(&first.span, code::MISSING_KEY, message);
            let help = "add `conversation` with the id of the conversation to `read` of `[bot]`, and to `keep` \
                        of a call in `open`";
            self.problems.push(problem.help(help));
        }
        let story = form.story.as_ref().map(|story| story.value.clone());
        let log_in = form.log_in.iter().filter_map(|call| self.call_of(call)).collect();
        let open = form.open.iter().filter_map(|call| self.call_of(call)).collect();
        let replies = form.reply.iter().filter_map(|reply| self.reply(reply)).collect();
        BotRules { story, read, log_in, open, replies }
    }

    fn reply(&mut self, form: &BotReplyForm) -> Option<BotReply> {
        let matches = CallMatchers::check(&form.matches, &self.context, self.problems);
        let call = self.call(&form.operation, &form.call)?;
        Some(BotReply { matches, call })
    }

    fn call_of(&mut self, form: &BotCallForm) -> Option<BotCall> {
        let known: Vec<&str> = self.rules.credentials.keys().map(String::as_str).collect();
        for (key, _) in form.token.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            let message = format!("unknown credential `{}`", key.name);
            let problem = Problem::at(&key.span, code::INVALID_ROUTE, message);
            self.problems.push(problem.suggest_or_list(&key.name, known.iter().copied()));
        }
        let call = self.call(&form.operation, &form.call)?;
        let tokens = form.token.iter().map(|(key, place)| (key.name.clone(), place.value.clone()));
        Some(BotCall { tokens: tokens.collect(), keep: pointers(&form.keep), ..call })
    }

    fn call(&mut self, operation: &Spanned<String>, call: &ExampleForm) -> Option<BotCall> {
        let call = CallExample::check(call, &self.context, self.problems);
        let routes = self.rules.routes.iter();
        let mut all =
            routes.flat_map(|route| route.operations.iter().map(move |known| (route, known)));
        let Some((route, found)) = all.clone().find(|(_, known)| known.name == operation.value)
        else {
            // The mistake in the operation was reported.
            if self.declared.contains(&operation.value.as_str()) {
                return None;
            }
            let message = format!("unknown operation `{}`", operation.value);
            let problem = Problem::at(&operation.span, code::INVALID_ROUTE, message);
            let names = all.by_ref().map(|(_, known)| known.name.as_str());
            self.problems.push(problem.suggest_or_list(operation, names));
            return None;
        };
        let mut call = call?;
        if let Some((field, graphql)) = found.field.as_ref().zip(self.rules.graphql.as_ref()) {
            call.query_text = graphql.file.query(field, &call.arguments);
        }
        Some(BotCall {
            route: Arc::clone(route),
            operation: Arc::clone(found),
            call,
            tokens: Vec::new(),
            keep: Vec::new(),
        })
    }
}

fn pointers(table: &TableOf<Spanned<Pointer>>) -> Vec<(String, String)> {
    table.iter().map(|(key, pointer)| (key.name.clone(), pointer.value.0.clone())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::value_at;

    #[test]
    fn pointers_lead_into_texts_that_contain_json() {
        let webhook = json!({"plain": {"id": 1}, "data": r#"{"id":2,"inner":"{\"id\":3}"}"#});
        let id = |pointer: &str| value_at(pointer, &webhook).and_then(|value| value.as_i64());
        assert_eq!((id("/plain/id"), id("/data/id")), (Some(1), Some(2)));
        assert_eq!(id("/data/inner/id"), Some(3));
        assert_eq!((id("/data/other"), id("/plain/id/x")), (None, None));
        assert!(value_at("/data", &webhook).unwrap().is_string());
    }
}
