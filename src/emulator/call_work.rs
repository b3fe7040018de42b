//! A call while it is handled: what is known of it so far, and what it will change.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::actor::{ActUnit, StepOutput};
use super::host::LiveConversation;
use super::subscriptions::NewSubscription;
use crate::conversation::Person;
use crate::delivery::ConversationKey;
use crate::platform::api::{
    ApiCall, ApiResponse, CallCondition, CallContent, CallError, OperationRule, Presented,
    RouteRule,
};
use crate::platform::{Account, TemplateContext};
use crate::record::{CallAuth, CallRecord};
use crate::scenario::CallExpectation;
use crate::template::InputError;

/// A call while it is handled.
pub(super) struct CallWork {
    pub(super) account: Arc<Account>,
    pub(super) content: CallContent,
    pub(super) route: Option<Arc<RouteRule>>,
    pub(super) operation: Option<Arc<OperationRule>>,
    pub(super) fields: Map<String, Json>,
    /// People that were found, by name.
    pub(super) people: Vec<NamedPerson>,
    /// People to add to the account if the call succeeds.
    pub(super) changed_people: Vec<Person>,
    pub(super) conversation: Option<WorkConversation>,
    pub(super) subscription: Option<NewSubscription>,
    /// Number of the endpoint that the call subscribes.
    pub(super) endpoint: u32,
    pub(super) outputs: Vec<StepOutput>,
    pub(super) at: Timestamp,
    /// What stood in the places of credentials.
    pub(super) presented: Vec<Presented>,
    pub(super) record: CallRecord,
    /// The expectation whose response it gets in place of the vendor's.
    pub(super) scripted: Option<CallExpectation>,
}

/// A person with the name under which the operation refers to them.
pub(super) struct NamedPerson {
    pub(super) name: String,
    pub(super) person: Person,
}

/// The conversation of a call, taken out of the account while the call is handled.
pub(super) struct WorkConversation {
    pub(super) key: ConversationKey,
    pub(super) live: Box<LiveConversation>,
    pub(super) unit: ActUnit,
    /// Whether the call opens it.
    pub(super) is_new: bool,
}

/// Why a call does not succeed yet.
pub(super) enum CallStop {
    /// It fails.
    Fail(CallError),
    /// It fails with the response of a rule with matchers.
    Respond(ApiResponse, CallError),
    /// It needs a handshake.
    Shake(Box<NewSubscription>),
}

impl From<CallError> for CallStop {
    fn from(error: CallError) -> Self {
        Self::Fail(error)
    }
}

impl CallWork {
    pub(super) fn new(account: Arc<Account>, call: &ApiCall, number: u64, at: Timestamp) -> Self {
        let record = CallRecord {
            number,
            method: call.method.clone(),
            path: call.path.clone(),
            query: call.query.clone(),
            route: None,
            nearest: None,
            operation: None,
            call: None,
            auth: CallAuth::NotNeeded,
            acts: false,
            status: 0,
            error: None,
            why: None,
            fields: Map::new(),
            body: Json::Null,
        };
        Self {
            account,
            content: CallContent::new(call, &[], number, at),
            route: None,
            operation: None,
            fields: Map::new(),
            people: Vec::new(),
            changed_people: Vec::new(),
            conversation: None,
            subscription: None,
            endpoint: 0,
            outputs: Vec::new(),
            at,
            presented: Vec::new(),
            record,
            scripted: None,
        }
    }

    /// Returns the person whom the operation calls by this name.
    pub(super) fn person(&self, name: &str) -> Option<&Person> {
        self.people.iter().find(|known| known.name == name).map(|known| &known.person)
    }

    /// The roots of the templates of the call.
    pub(super) fn roots(&self) -> TemplateContext<'_> {
        let roots = match &self.conversation {
            Some(conversation) => {
                self.account.conversation_roots(conversation.live.actor.conversation())
            }
            None => self.account.roots(),
        };
        let roots = roots.with("call", &self.content).with("field", &self.fields);
        self.people.iter().fold(roots, |roots, known| roots.with(&known.name, &known.person))
    }
}

/// Returns the error of a value that cannot be read from a call.
pub(super) fn unreadable(error: &InputError) -> CallError {
    let condition = match error {
        InputError::Missing(_) => CallCondition::missing_field(),
        InputError::TooLarge(_) => CallCondition::too_large(),
    };
    CallError::new(condition, error.to_string())
}
