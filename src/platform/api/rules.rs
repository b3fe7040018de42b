//! The checked API of a vendor.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::act::{ActRule, ActTemplate};
use super::call_match::CallMatchers;
use super::condition::CallCondition;
use super::credential::CredentialRule;
use super::documents::DocumentRule;
use super::example::{CallExample, ExampleCall};
use super::find::FindRule;
use super::forms::{BodyProtocol, Gather};
use super::graphql::GraphqlApi;
use super::host_pattern::HostPattern;
use super::list::ListRule;
use super::path_pattern::PathPattern;
use super::read_arguments::ReadArguments;
use super::response::{ErrorRule, ResponseRule};
use super::throttle::ThrottleRule;
use crate::platform::source_form::Certainty;
use crate::template::{InputError, InputTemplate, Object, TextTemplate};

/// The checked API of a vendor.
#[derive(Clone, Debug, Default)]
pub struct ApiRules {
    /// How paths name the account.
    pub account: Option<AccountCheck>,
    /// Host names at which clients expect the API.
    pub hosts: Vec<HostPattern>,
    /// How web pages may call it; `None` if browsers should not let them.
    pub cors: Option<CorsRule>,
    /// The GraphQL API.
    pub graphql: Option<Arc<GraphqlApi>>,
    /// Headers of every response.
    pub header: Vec<(String, TextTemplate)>,
    /// Credentials, by name.
    pub credentials: BTreeMap<String, CredentialRule>,
    /// Limits of calls, by name.
    pub throttles: BTreeMap<String, ThrottleRule>,
    /// Kinds of documents, by name.
    pub documents: BTreeMap<String, DocumentRule>,
    /// The routes, in the order of the file.
    pub routes: Vec<Arc<RouteRule>>,
    /// Responses to calls that fail, for all routes.
    pub errors: Vec<ErrorRule>,
}

/// How web pages may call an API.
#[derive(Clone, Copy, Debug)]
pub struct CorsRule {
    /// Whether their calls may have cookies.
    pub has_credentials: bool,
}

/// How a path names the account.
#[derive(Clone, Debug)]
pub struct AccountCheck {
    /// Parameter of the path.
    pub parameter: String,
    /// Value that it must have.
    pub is: TextTemplate,
}

/// A place of the API.
#[derive(Clone, Debug)]
pub struct RouteRule {
    /// Unique name.
    pub name: String,
    /// HTTP methods.
    pub methods: Vec<String>,
    pub(super) paths: Vec<PathPattern>,
    /// Parameters of the query that a call must have, with their values.
    pub(super) query: Vec<(String, String)>,
    /// Names of the credentials that a call needs: one of each list.
    pub auth: Vec<Vec<String>>,
    /// Names of the limits of its calls.
    pub throttles: Vec<String>,
    /// How the body is read.
    pub body: BodyProtocol,
    /// Status of a batch of which an element fails.
    pub batch_status: Option<TextTemplate>,
    /// Named values of its calls.
    pub fields: Vec<(String, InputTemplate)>,
    /// What can be asked, in the order of the file.
    pub operations: Vec<Arc<OperationRule>>,
    /// Responses to calls that fail.
    pub errors: Vec<ErrorRule>,
    /// JSON pointers to secrets in the body.
    pub secret: Vec<String>,
}

/// What is asked at a route, with what it inherits from the route.
#[derive(Clone, Debug)]
pub struct OperationRule {
    /// Unique name.
    pub name: String,
    /// Neutral name of the call.
    pub call: String,
    /// Field of the GraphQL API, such as `Mutation.addOrder`.
    pub field: Option<String>,
    /// Pointer to the list for whose elements it is performed.
    pub split: Option<SplitRule>,
    /// Names of the credentials that it needs besides those of its route: one of each list.
    pub auth: Vec<Vec<String>>,
    /// Matchers that select the operation.
    pub matches: CallMatchers,
    /// Named values of the call, besides those of the route.
    pub fields: Vec<(String, InputTemplate)>,
    /// What the call is about.
    pub finds: Vec<FindRule>,
    /// A page of things for the response.
    pub list: Option<ListRule>,
    /// Actions that the call causes.
    pub acts: Vec<ActRule>,
    /// How long the response waits for the script of the conversation.
    pub settle: Option<Duration>,
    /// Response to a call that succeeds.
    pub response: ResponseRule,
    /// Responses to calls that fail: its own, then those of the route.
    pub errors: Vec<ErrorRule>,
    /// Mistakes that the vendor accepts.
    pub warnings: Vec<CallWarning>,
    /// The arguments that it reads.
    pub reads: ReadArguments,
    /// JSON pointers to secrets in the body.
    pub secret: Vec<String>,
    /// A call that succeeds.
    pub example: Option<CallExample>,
    /// How well the facts are known.
    pub certainty: Certainty,
}

/// A list for whose elements an operation is performed, each with its own record.
#[derive(Clone, Debug)]
pub struct SplitRule {
    /// JSON pointer to the list, whose place each element takes.
    pub pointer: String,
    /// Conversations whose ids are the list, in place of one in the body.
    pub over: Option<ListRule>,
    /// Name of the id of a conversation that the elements are.
    pub id: String,
    /// What the response is.
    pub gather: Gather,
}

impl SplitRule {
    /// Returns the body of the call about an element.
    pub fn with_element(&self, body: &Json, element: Json) -> Json {
        let mut body = body.clone();
        match (body.pointer_mut(&self.pointer), self.pointer.strip_prefix('/')) {
            (Some(list), _) => *list = element,
            // A body need not have a place for what the account lists itself.
            (None, Some(name)) => {
                if let Some(table) = body.as_object_mut() {
                    table.insert(name.to_owned(), element);
                }
            }
            (None, None) => {}
        }
        body
    }
}

/// A mistake that the vendor accepts.
#[derive(Clone, Debug)]
pub struct CallWarning {
    /// When it is made.
    pub when: CallMatchers,
    /// Description for the report.
    pub text: String,
}

impl RouteRule {
    /// Renders the example of one of its operations; `None` if it has none.
    pub fn example(
        &self,
        operation: &OperationRule,
        roots: &dyn Object,
    ) -> Option<Result<ExampleCall, InputError>> {
        Some(self.render(operation.example.as_ref()?, roots))
    }

    /// Renders a call of one of its operations.
    pub(super) fn render(
        &self,
        call: &CallExample,
        roots: &dyn Object,
    ) -> Result<ExampleCall, InputError> {
        let first = self.methods.first().map_or("GET", String::as_str);
        let takes_post = self.methods.iter().any(|method| method == "POST");
        let method = if call.query_text.is_some() && takes_post { "POST" } else { first };
        let graphql = call.query_text.as_ref();
        let mut call = call.render(method, self.paths.first(), roots)?;
        if let Some(query) = graphql {
            let arguments = call.json.take().unwrap_or_else(|| json!({}));
            call.json = Some(json!({"query": query, "variables": arguments}));
        }
        // What the route demands need not be repeated.
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query);
        let given = std::mem::take(&mut call.query);
        query.extend_pairs(url::form_urlencoded::parse(given.as_bytes()));
        call.query = query.finish();
        Ok(call)
    }

    /// Returns the claims of the token that the example of an operation presents.
    pub fn example_claims(
        &self,
        operation: &OperationRule,
        credential: &CredentialRule,
        roots: &dyn Object,
    ) -> Map<String, Json> {
        let own = operation.example.as_ref().and_then(|e| e.claims(&credential.name, roots));
        own.unwrap_or_else(|| credential.example_claims(roots))
    }

    /// Returns the names of the parameters of the query that a call must have.
    pub fn query_names(&self) -> impl Iterator<Item = &str> {
        self.query.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the paths, as they are written in the file.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        self.paths.iter().map(ToString::to_string)
    }
}

impl OperationRule {
    /// Returns true if the operation subscribes a URL.
    pub fn subscribes(&self) -> bool {
        self.acts.iter().any(|rule| matches!(rule.act, ActTemplate::Subscribe { .. }))
    }

    /// Returns true if the operation changes more than who can call, and with which links.
    pub fn changes_something(&self) -> bool {
        let is_access = |act: &ActTemplate| {
            matches!(
                act,
                ActTemplate::Issue { .. } | ActTemplate::Revoke { .. } | ActTemplate::Link { .. }
            )
        };
        self.acts.iter().any(|rule| !is_access(&rule.act))
    }

    /// Returns true if the operation does something that needs no open conversation: it creates an
    /// entity or emits an event.
    pub fn acts_without_conversation(&self) -> bool {
        let is_independent = |act: &ActTemplate| {
            matches!(act, ActTemplate::CreateEntity { .. } | ActTemplate::Emit { .. })
        };
        self.acts.iter().any(|rule| is_independent(&rule.act))
    }

    /// Returns true if the operation only reopens a conversation.
    pub fn reopens(&self) -> bool {
        let is_any =
            |is_it: fn(&ActTemplate) -> bool| self.acts.iter().any(|rule| is_it(&rule.act));
        is_any(|act| matches!(act, ActTemplate::Reopen { .. }))
            && !is_any(|act| matches!(act, ActTemplate::Close { .. }))
    }

    /// Returns true if the operation opens a conversation.
    pub fn opens(&self) -> bool {
        self.acts.iter().any(|rule| matches!(rule.act, ActTemplate::Open { .. }))
    }
}

impl ApiRules {
    /// Returns true if calls can subscribe URLs.
    pub fn can_subscribe(&self) -> bool {
        let operations = self.routes.iter().flat_map(|route| &route.operations);
        operations.into_iter().any(|operation| operation.subscribes())
    }

    /// Returns true if the vendor's folder describes no API.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Returns the response to a call that fails before its operation is known.
    pub fn error<'r>(
        &'r self,
        own: &'r [ErrorRule],
        condition: &CallCondition,
    ) -> Option<&'r ErrorRule> {
        own.iter().chain(&self.errors).find(|rule| rule.covers(condition))
    }
}
