//! A call while it is handled: what is known of it so far, and what it will change.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::actor::{ActUnit, StepOutcome, StepOutput};
use super::live_conversation::LiveConversation;
use super::requested::RequestedUnit;
use super::subscriptions::NewSubscription;
use crate::base::fast_map::FastMap;
use crate::conversation::{Conversation, DialogKind, Entity, Person};
use crate::delivery::ConversationKey;
use crate::platform::api::{
    ApiCall, ApiResponse, CallCondition, CallContent, CallError, CallFile, Document, Documents,
    FieldCall, FileLink, HostedFile, HostedFiles, IssuedToken, OperationRule, Presented, RouteRule,
};
use crate::platform::{Account, TemplateContext};
use crate::record::{CallAuth, CallRecord};
use crate::scenario::CallExpectation;
use crate::template::{InputError, Value};

/// A call while it is handled.
pub(super) struct CallWork {
    pub(super) account: Arc<Account>,
    pub(super) content: CallContent,
    pub(super) route: Option<Arc<RouteRule>>,
    pub(super) operation: Option<Arc<OperationRule>>,
    /// The field of a GraphQL request that it is.
    pub(super) graphql_field: Option<FieldCall>,
    pub(super) fields: Map<String, Json>,
    /// People that were found, by name.
    pub(super) people: Vec<NamedPerson>,
    /// People to add to the account if the call succeeds.
    pub(super) changed_people: Vec<Person>,
    /// The agents and managers of the account, for an operation that lists them.
    pub(super) agents: Vec<Person>,
    pub(super) conversation: Option<WorkConversation>,
    /// Other conversations that it changes.
    pub(super) others: Vec<OtherConversation>,
    /// The visitor who gets the conversation.
    pub(super) heir: Option<Person>,
    /// Name of the entry of `find` that gave the conversation.
    pub(super) found_as: Option<String>,
    /// The dialog that the call names.
    pub(super) found_dialog: Option<DialogKind>,
    /// Entities that were found or created.
    pub(super) found_entities: Vec<FoundEntity>,
    /// Entities that are only looked at, by name.
    pub(super) seen_entities: Vec<SeenEntity>,
    /// Everything with some values, by name.
    pub(super) found_lists: Vec<FoundList>,
    /// Documents that were found or created, by name.
    pub(super) found_documents: Vec<FoundDocument>,
    /// The documents of the account, with the changes of the call.
    pub(super) documents: Arc<Documents>,
    /// Files that were found or linked, by name.
    pub(super) found_files: Vec<FoundFile>,
    /// The files of the account, with the changes of the call.
    pub(super) files: Arc<HostedFiles>,
    /// The link that the call creates.
    pub(super) link: Option<FileLink>,
    /// The file that the call transfers.
    pub(super) upload: Option<CallFile>,
    pub(super) subscriptions: Vec<NewSubscription>,
    /// Groups whose subscriptions end.
    pub(super) ended_groups: Vec<String>,
    /// The result of the vendor's test of the first URL that the call subscribes.
    pub(super) handshake: Map<String, Json>,
    /// Number of the first endpoint that the call subscribes.
    pub(super) endpoint: u32,
    pub(super) outputs: Vec<StepOutput>,
    /// What the call does, for the journal.
    pub(super) unit: RequestedUnit,
    pub(super) at: Timestamp,
    /// Wall time of arrival.
    pub(super) received_at: Timestamp,
    /// What the call presents for the credentials of its route and of all operations there, by which
    /// limits count it.
    pub(super) counted_by: String,
    /// Whether no limit of calls refuses it.
    pub(super) is_admitted: bool,
    /// What stood in the places of credentials.
    pub(super) presented: Vec<Presented>,
    /// Names of the parameters that are credentials.
    pub(super) secret_names: Vec<String>,
    /// The claims of the credentials, by name.
    pub(super) auth: Map<String, Json>,
    /// The tokens that it presents, by credential.
    pub(super) tokens: Vec<(String, String)>,
    /// The tokens that it issues, by credential.
    pub(super) issued: Vec<(String, IssuedToken)>,
    /// The tokens that it revokes, by credential.
    pub(super) revoked: Vec<(String, String)>,
    pub(super) record: CallRecord,
    /// The expectation whose response it gets in place of the vendor's.
    pub(super) scripted: Option<CallExpectation>,
}

/// An element of a batch.
#[derive(Clone, Copy)]
pub(super) struct BatchElement<'a> {
    pub(super) batch: &'a Json,
    pub(super) body: &'a Json,
    /// Number among the elements, from 1.
    pub(super) index: usize,
    /// Number among the calls of the account.
    pub(super) number: u64,
}

/// A person with the name under which the operation refers to them.
pub(super) struct NamedPerson {
    pub(super) name: String,
    pub(super) person: Person,
}

/// An entity that a call changes, with the name under which the operation refers to it.
#[derive(Clone)]
pub(super) struct FoundEntity {
    pub(super) name: String,
    /// Name in the conversation.
    pub(super) entity: String,
    /// Its conversation, among the others of the call; `None` for the conversation of the call.
    pub(super) other: Option<usize>,
}

/// Everything with the values of an entry of `find`, as it was before the actions of the call.
pub(super) enum FoundList {
    Entities(String, Vec<Entity>),
    Conversations(String, Vec<FoundConversation>),
}

/// A conversation of a list.
pub(super) struct FoundConversation {
    pub(super) state: Conversation,
    /// Its number among the others of the call; `None` for the conversation of the call.
    pub(super) other: Option<usize>,
}

/// An entity of any conversation that a call looks at, with the name under which the operation refers
/// to it.
pub(super) struct SeenEntity {
    pub(super) name: String,
    pub(super) entity: Entity,
}

/// A document with the name under which the operation refers to it.
pub(super) struct FoundDocument {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) document: Document,
}

/// A file with the name under which the operation refers to it.
pub(super) struct FoundFile {
    pub(super) name: String,
    pub(super) file: HostedFile,
}

/// What an account has besides conversations and people. A call changes copies.
#[derive(Clone, Copy)]
pub(super) struct AccountContent<'a> {
    pub(super) documents: &'a Arc<Documents>,
    pub(super) files: &'a Arc<HostedFiles>,
}

/// The conversation of a call, taken out of the account while the call is handled.
pub(super) struct WorkConversation {
    pub(super) key: ConversationKey,
    pub(super) live: Box<LiveConversation>,
    pub(super) unit: ActUnit,
    /// Whether the call opens it.
    pub(super) is_new: bool,
}

/// A conversation that a call changes besides its own.
pub(super) struct OtherConversation {
    pub(super) conversation: WorkConversation,
    /// What the call does there, for the journal.
    pub(super) unit: RequestedUnit,
    pub(super) outputs: Vec<StepOutput>,
    pub(super) at: Timestamp,
    /// The visitor who gets it.
    pub(super) heir: Option<Person>,
}

impl OtherConversation {
    pub(super) fn new(conversation: WorkConversation, at: Timestamp) -> Self {
        let (unit, outputs) = (RequestedUnit::default(), Vec::new());
        Self { conversation, unit, outputs, at, heir: None }
    }

    pub(super) fn state(&self) -> &Conversation {
        self.conversation.live.actor.conversation()
    }
}

/// The conversations of an account.
pub(super) type Conversations = FastMap<ConversationKey, Box<LiveConversation>>;

/// The state from which a response is rendered.
pub(super) struct ResponseState<'a> {
    /// The conversation of the call.
    pub(super) conversation: Option<&'a Conversation>,
    /// Those of the account that the call has not taken.
    pub(super) conversations: &'a Conversations,
    /// Number of messages after the actions of the call.
    pub(super) since: usize,
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
    /// Creates the work on a call.
    pub(super) fn new(
        account: Arc<Account>,
        content: AccountContent<'_>,
        call: &ApiCall,
        number: u64,
        at: Timestamp,
    ) -> Self {
        let record = CallRecord {
            number,
            method: call.method.clone(),
            path: call.path.clone(),
            query: call.query.clone(),
            element: None,
            route: None,
            nearest: None,
            operation: None,
            call: None,
            auth: CallAuth::NotNeeded,
            acts: false,
            status: 0,
            error: None,
            why: None,
            warnings: Vec::new(),
            ignored: Vec::new(),
            fields: Map::new(),
            headers: call.headers.clone(),
            body: Json::Null,
            response: None,
        };
        let mut own = CallContent::new(call, &[], number, at);
        // The response to a call that has no route has the ids too.
        own.set_ids(account.call_ids(number, call.received_at));
        Self::begin(account, content, own, record, at, call.received_at)
    }

    /// Creates the work on a call before its first stage.
    fn begin(
        account: Arc<Account>,
        stored: AccountContent<'_>,
        content: CallContent,
        record: CallRecord,
        at: Timestamp,
        received_at: Timestamp,
    ) -> Self {
        Self {
            account,
            content,
            route: None,
            operation: None,
            graphql_field: None,
            fields: Map::new(),
            people: Vec::new(),
            changed_people: Vec::new(),
            agents: Vec::new(),
            conversation: None,
            others: Vec::new(),
            heir: None,
            found_as: None,
            found_dialog: None,
            found_entities: Vec::new(),
            seen_entities: Vec::new(),
            found_lists: Vec::new(),
            found_documents: Vec::new(),
            documents: Arc::clone(stored.documents),
            found_files: Vec::new(),
            files: Arc::clone(stored.files),
            link: None,
            upload: None,
            subscriptions: Vec::new(),
            ended_groups: Vec::new(),
            handshake: Map::new(),
            endpoint: 0,
            outputs: Vec::new(),
            unit: RequestedUnit::default(),
            at,
            received_at,
            counted_by: String::new(),
            is_admitted: false,
            presented: Vec::new(),
            secret_names: Vec::new(),
            auth: Map::new(),
            tokens: Vec::new(),
            issued: Vec::new(),
            revoked: Vec::new(),
            record,
            scripted: None,
        }
    }

    /// Returns the work on an element of the batch that a call is.
    pub(super) fn element(&self, element: BatchElement<'_>, account: AccountContent<'_>) -> Self {
        let mut content = self.content.clone();
        content.set_body(element.body.clone());
        content.set_batch(element.batch.clone(), element.number);
        let record = CallRecord {
            number: element.number,
            element: Some(element.index),
            // Those of the whole request: once is enough.
            headers: if element.index == 1 { self.record.headers.clone() } else { Vec::new() },
            ..self.record.clone().without_content()
        };
        let (at, received_at) = (self.at, self.received_at);
        let own = Arc::clone(&self.account);
        Self {
            route: self.route.clone(),
            graphql_field: self.graphql_field.clone(),
            presented: self.presented.clone(),
            secret_names: self.secret_names.clone(),
            auth: self.auth.clone(),
            tokens: self.tokens.clone(),
            ..Self::begin(own, account, content, record, at, received_at)
        }
    }

    /// Returns the number that the vendor's counter gives to the last event of the call.
    pub(super) fn event_number(&self) -> Option<i64> {
        let numbers = self.outputs.iter().rev().filter_map(|output| match &output.outcome {
            StepOutcome::Done { implied: false, result, .. } => {
                result.payloads.iter().find_map(|payload| payload.number)
            }
            _ => None,
        });
        numbers.into_iter().next()
    }

    /// Returns the entities with this name: all of a list, or the last one, because an action may have
    /// created another one of the same name.
    pub(super) fn entities(&self, name: &str) -> Vec<FoundEntity> {
        let is_list = |list: &FoundList| matches!(list, FoundList::Entities(own, _) if own == name);
        let named = self.found_entities.iter().filter(|known| known.name == name).cloned();
        let mut named: Vec<_> = named.collect();
        if !self.found_lists.iter().any(is_list) {
            named.drain(..named.len().saturating_sub(1));
        }
        named
    }

    /// Returns the state of the conversation of the call, or of one of the others.
    pub(super) fn state_of(&self, other: Option<usize>) -> Option<&Conversation> {
        match other {
            Some(other) => self.others.get(other).map(OtherConversation::state),
            None => self.conversation.as_ref().map(|known| known.live.actor.conversation()),
        }
    }

    /// Returns the person whom the operation calls by this name.
    pub(super) fn person(&self, name: &str) -> Option<&Person> {
        self.people.iter().find(|known| known.name == name).map(|known| &known.person)
    }

    /// Returns true if the call names its conversation.
    pub(super) fn has_found_conversation(&self) -> bool {
        self.found_as.is_some()
    }

    /// The roots of the templates of the call.
    pub(super) fn roots(&self) -> TemplateContext<'_> {
        let conversation = self.conversation.as_ref();
        self.roots_in(conversation.map(|known| known.live.actor.conversation()))
    }

    /// Adds the conversation or dialog that the call names, under the name that `find` gives it.
    fn with_found<'a>(
        &'a self,
        roots: TemplateContext<'a>,
        state: &'a Conversation,
    ) -> TemplateContext<'a> {
        let Some(name) = &self.found_as else { return roots };
        let Some(kind) = self.found_dialog else { return roots.with(name, state) };
        match state.dialogs.iter().rfind(|dialog| dialog.head.kind == kind) {
            Some(dialog) => roots.with(name, dialog),
            None => roots,
        }
    }

    /// The roots of the templates of the call, in this state of its conversation.
    pub(super) fn roots_in<'a>(&'a self, state: Option<&'a Conversation>) -> TemplateContext<'a> {
        let roots = match state {
            Some(state) => {
                let roots = self.account.conversation_roots(state);
                self.with_found(roots, state)
            }
            None => self.account.roots(),
        };
        let entities = self.found_entities.iter().filter_map(|known| {
            let state = match known.other {
                Some(other) => self.others.get(other)?.state(),
                None => state?,
            };
            let mut all = state.entities.iter();
            Some((&known.name, all.find(|entity| entity.name == known.entity)?))
        });
        let roots = entities.fold(roots, |roots, (name, entity)| roots.with(name, entity));
        let lists = self.found_lists.iter();
        let roots = lists.fold(roots, |roots, list| match list {
            FoundList::Entities(name, all) => roots.with_value(name, Value::objects(all)),
            FoundList::Conversations(name, all) => {
                roots.with_value(name, Value::objects(all.iter().map(|one| &one.state)))
            }
        });
        let roots = roots.with("call", &self.content).with("field", &self.fields);
        let roots = roots.with("auth", &self.auth).with("revision", &*self.documents);
        let documents = self.found_documents.iter();
        let roots = documents.fold(roots, |roots, known| roots.with(&known.name, &known.document));
        let seen = self.seen_entities.iter();
        let roots = seen.fold(roots, |roots, known| roots.with(&known.name, &known.entity));
        let files = self.found_files.iter();
        let roots = files.fold(roots, |roots, known| roots.with(&known.name, &known.file));
        let roots = if self.handshake.is_empty() {
            roots
        } else {
            roots.with("handshake", &self.handshake)
        };
        let roots = match &self.link {
            Some(link) => roots.with("link", link),
            None => roots,
        };
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
