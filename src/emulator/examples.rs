//! The examples of a vendor's API: calls that must succeed in a conversation that was just opened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use tokio::sync::oneshot;

use super::actor::ConversationActor;
use super::handshake::HandshakeEnd;
use super::host::AccountHost;
use super::incoming::{CallPart, IncomingCall};
use super::live_conversation::LiveConversation;
use super::people::{PersonKey, create};
use super::router::Router;
use super::scripted_run::{LiveRun, ScriptedRun};
use crate::base::address::EgressPolicy;
use crate::base::clock::Clock;
use crate::base::seed::SeedScope;
use crate::conversation::{ActionKind, Actor, Role};
use crate::delivery::{ClockMode, ConversationKey, DeliveryCheck, HostCommand, RunTimes};
use crate::diag::{Problem, Problems, code};
use crate::platform::Account;
use crate::platform::api::{
    ApiCall, AuthContext, BodyProtocol, CredentialRule, FieldCall, FieldResolver, Issuing,
    OperationRule, RouteRule, openapi, parameters, parse_body,
};
use crate::record::{PriorAttempts, RecordKind, RecordLog};
use crate::scenario::Script;

/// The example of an operation.
#[derive(Clone, Debug)]
pub struct OperationExample {
    /// Name of the operation.
    pub operation: String,
    /// The call, with valid credentials.
    pub call: ApiCall,
}

/// The conversation of the examples.
const KEY: ConversationKey = ConversationKey { run: 1, number: 1 };

/// More than the calls of an example need.
const MAX_HANDSHAKES: usize = 20;

/// Key of the visitor of the conversation.
const VISITOR: &str = "visitor-1";

/// Run time of the examples: any.
const AT: Timestamp = Timestamp::UNIX_EPOCH;

/// An account with one open conversation.
struct ExampleStage {
    host: AccountHost,
    /// Wall time of the calls.
    at: Timestamp,
}

/// Time stands still.
struct FixedTime;

/// Every field is null.
struct NoFields;

impl FieldResolver for NoFields {
    fn resolve(&self, _: FieldCall) -> BoxFuture<'_, Result<Json, String>> {
        ready(Ok(Json::Null)).boxed()
    }
}

impl RunTimes for FixedTime {
    fn now(&mut self, _: ConversationKey) -> Option<Timestamp> {
        Some(AT)
    }

    fn passing(&mut self, _: u32) -> Option<Timestamp> {
        None
    }
}

/// Returns the examples of the API of an account, in the order of the file.
///
/// `at` is the wall time of the calls, at which their tokens are valid.
pub fn examples(account: &Arc<Account>, at: Timestamp) -> Vec<OperationExample> {
    let mut stage = ExampleStage::new(account, at);
    let all = account.platform.api.routes.iter();
    let all =
        all.flat_map(|route| route.operations.iter().map(move |operation| (route, operation)));
    let example = |(route, operation): (&Arc<RouteRule>, &Arc<OperationRule>)| {
        let call = stage.call(account, route, operation)?.ok()?;
        Some(OperationExample { operation: operation.name.clone(), call })
    };
    all.filter_map(example).collect()
}

/// Returns the `OpenAPI` description of the API of an account, with its examples. `server` is the base
/// URL.
pub fn describe_api(account: &Arc<Account>, server: &str) -> Json {
    let stage = ExampleStage::new(account, AT);
    let conversation = stage.host.conversations.get(&KEY);
    let conversation = conversation.map(|live| live.actor.conversation());
    match conversation {
        Some(conversation) => openapi(account, &account.conversation_roots(conversation), server),
        None => openapi(account, &account.roots(), server),
    }
}

/// Makes the call of each example, and reports those that do not succeed.
pub fn check_examples(account: &Arc<Account>) -> Problems {
    let mut problems = Problems::new();
    for route in &account.platform.api.routes {
        for operation in &route.operations {
            let Some(example) = &operation.example else { continue };
            let mut credentials = credentials(account, route, operation).into_iter();
            if let Some(rule) = credentials.find(|rule| !rule.has_usable_key(&account.roots())) {
                let message = format!(
                    "the example of `{}` has no token: `{}` cannot sign one",
                    operation.name, rule.name
                );
                let problem = Problem::at(&example.span, code::EXAMPLE_FAILS, message);
                problems.push(problem.help(
                    "with `algorithm = \"RS256\"`, the key must be a PKCS#8 document in base64",
                ));
                continue;
            }
            // A new stage for each: an example may close the conversation.
            let mut stage = ExampleStage::new(account, AT);
            if operation.reopens() {
                stage.close();
            }
            let Some(call) = stage.call(account, route, operation) else { continue };
            let result = call.and_then(|call| stage.perform(call, operation));
            if let Err(reason) = result {
                let message = format!("the example of `{}` fails: {reason}", operation.name);
                let problem = Problem::at(&example.span, code::EXAMPLE_FAILS, message);
                let help = if operation.reopens() {
                    "write a call that succeeds right after a conversation was closed"
                } else {
                    "write a call that succeeds right after a visitor has opened a conversation"
                };
                problems.push(problem.help(help));
            }
        }
    }
    problems
}

/// Returns the credentials that the example of an operation presents: the first of alternatives.
fn credentials<'a>(
    account: &'a Account,
    route: &RouteRule,
    operation: &OperationRule,
) -> Vec<&'a CredentialRule> {
    let names = route.auth.iter().chain(&operation.auth);
    let names = names.filter_map(|names| names.first());
    names.filter_map(|name| account.platform.api.credentials.get(name)).collect()
}

impl ExampleStage {
    fn new(account: &Arc<Account>, at: Timestamp) -> Self {
        let mut host = AccountHost::new(Arc::clone(account), Vec::new(), Arc::default());
        let script = Arc::new(Script::without_steps("example"));
        let run = ScriptedRun {
            number: KEY.run,
            script: Arc::clone(&script),
            plays: 1,
            seed: 0,
            start: AT,
            clock: ClockMode::Virtual,
            check: DeliveryCheck::default(),
            lines: BTreeMap::new(),
            controls: BTreeSet::new(),
            prior: Arc::new(PriorAttempts::default()),
            log: RecordLog::new(KEY.run, Clock::Fixed(AT)),
            is_paused: false,
            keeps_conversations: true,
            is_resumable: false,
        };
        let (done, _) = oneshot::channel();
        let run = LiveRun::new(run, account, done);
        // Calls name this visitor by the key.
        let key = PersonKey { field: "external_key".into(), value: VISITOR.into() };
        let visitor = create(account, Role::Visitor, &[key], &Map::new(), AT);
        host.people.put(visitor.clone());
        let cast = [visitor].into_iter().chain(run.staff.members().iter().cloned()).collect();
        let seeds = SeedScope::fixed("example");
        let mut actor = ConversationActor::without_script(account, KEY.number, cast, seeds);
        let member = |role: Role| Actor::Member(role.as_str().to_owned());
        let open = ActionKind::open("web", Some(member(Role::Bot)));
        // A vendor whose conversations begin in another way has examples that need none.
        let outputs = actor.act(&[open.by(member(Role::Visitor))], AT, &[]).unwrap_or_default();
        let mut live = LiveConversation::of_actor(actor, &run, KEY.number);
        let mut router = Router::new(&host.routes, &run, KEY);
        live.route(outputs, &mut router, &mut host.registry);
        host.conversations.insert(KEY, Box::new(live));
        host.runs.insert(KEY.run, run);
        Self { host, at }
    }

    /// Closes the conversation, for an operation that reopens it.
    fn close(&mut self) {
        let Some(live) = self.host.conversations.get_mut(&KEY) else { return };
        let bot = Actor::Member(Role::Bot.as_str().to_owned());
        let close = ActionKind::Close { survey: false };
        // If the vendor refuses it, the example fails with the state as the reason.
        live.actor.act(&[close.by(bot)], AT, &[]).ok();
    }

    /// Returns the call of an example; `None` if the operation has none.
    fn call(
        &mut self,
        account: &Account,
        route: &RouteRule,
        operation: &OperationRule,
    ) -> Option<Result<ApiCall, String>> {
        let conversation = self.host.conversations.get(&KEY)?.actor.conversation();
        let example = route.example(operation, &account.conversation_roots(conversation))?;
        let example = match example {
            Ok(example) => example,
            Err(error) => return Some(Err(error.to_string())),
        };
        let mut call = example.into_call(self.at);
        let claims = |rule: &CredentialRule| {
            let conversation = self.host.conversations.get(&KEY);
            let conversation = conversation.map(|live| live.actor.conversation());
            match conversation {
                Some(found) => {
                    route.example_claims(operation, rule, &account.conversation_roots(found))
                }
                None => route.example_claims(operation, rule, &account.roots()),
            }
        };
        let rules = credentials(account, route, operation);
        let claims: Vec<_> = rules.iter().map(|rule| claims(rule)).collect();
        for (rule, claims) in rules.into_iter().zip(claims) {
            self.authorize(account, rule, claims, &mut call);
        }
        Some(Ok(call))
    }

    /// Adds a valid credential to a call, unless the example has it.
    fn authorize(
        &mut self,
        account: &Account,
        rule: &CredentialRule,
        claims: Map<String, Json>,
        call: &mut ApiCall,
    ) {
        let body = parse_body(BodyProtocol::Form, call).map(|body| body.json).unwrap_or_default();
        // Credentials of a GraphQL field are among its arguments.
        let body = body.get("variables").cloned().unwrap_or(body);
        let (params, roots) = (parameters(call, &body), account.roots());
        let tokens = &self.host.tokens;
        let route = account.platform.api.route(call);
        let path = route.map(|route| route.parameters).unwrap_or_default();
        let auth = AuthContext { call, path: &path, params: &params, tokens, roots: &roots };
        if rule.verify(&auth).is_ok() {
            return;
        }
        let at = call.received_at;
        let issued = rule.issue(Issuing {
            claims,
            at,
            number: 0,
            roots: &roots,
            seeds: account.fixed_seeds(),
        });
        rule.add_to(call, issued.as_ref().map(|issued| issued.token.as_str()), &roots);
        if let Some(issued) = issued {
            self.host.tokens.add(&rule.name, issued, at);
        }
    }

    /// Returns the field that a GraphQL request selects. Fails if the request is not valid.
    fn field_call(&self, call: &ApiCall, field: &str) -> Result<FieldCall, String> {
        let body = parse_body(BodyProtocol::Graphql, call).map_err(|error| error.message)?;
        let api = self.host.routes.account.platform.api.graphql.clone();
        let executed = api.and_then(|api| {
            // No field waits, so that the future is ready at once.
            api.execute(&body.json, Arc::new(NoFields)).now_or_never()
        });
        if let Some(reason) = executed.and_then(|executed| executed.invalid) {
            return Err(reason);
        }
        let arguments = body.json.get("variables").cloned().unwrap_or_default();
        Ok(FieldCall { field: field.into(), arguments, parent: Json::Null })
    }

    /// Makes a call. Fails if it does not succeed, or is one of another operation.
    fn perform(&mut self, call: ApiCall, rule: &OperationRule) -> Result<(), String> {
        let operation = rule.name.as_str();
        let part = match &rule.field {
            Some(field) => CallPart::Field(self.field_call(&call, field)?),
            None => CallPart::Whole,
        };
        let handshakes =
            vec![HandshakeEnd { error: None, continues: true, passed: true }; MAX_HANDSHAKES];
        let incoming =
            IncomingCall { handshakes, part, ..IncomingCall::new(call, EgressPolicy::default()) };
        let result = self.host.call(incoming, &mut FixedTime);
        let record = result.commands.into_iter().find_map(|command| match command {
            HostCommand::Record(_, _, kind) => match *kind {
                RecordKind::CallReceived(record) => Some(record),
                _ => None,
            },
            _ => None,
        });
        let Some(record) = record else { return Err("it is not answered".to_owned()) };
        if let (Some(error), Some(why)) = (record.error, record.why) {
            return Err(format!("{why} (`{error}`)"));
        }
        match record.operation {
            Some(found) if found == operation => Ok(()),
            Some(other) => Err(format!("it is a call of `{other}`, which stands before it")),
            None => Err("no operation matches".to_owned()),
        }
    }
}
