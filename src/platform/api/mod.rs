//! The vendor's API: routes, operations, credentials and responses, as data of its folder.
//!
//! `forms` describes the sections, `check` turns them into [`ApiRules`], and only those are used at
//! run time. This module is pure: it matches calls, reads what they contain and renders responses.
//! The emulator keeps the state that calls read and change.

mod act;
mod act_check;
mod body;
mod bot;
mod bot_form;
mod call;
mod call_help;
mod call_match;
mod call_types;
mod calls;
mod check;
mod condition;
mod condition_check;
mod credential;
mod credential_check;
mod credential_form;
mod documents;
mod entity_acts;
mod example;
mod find;
mod forms;
mod graphql;
mod graphql_check;
mod graphql_field;
mod graphql_messages;
mod graphql_positions;
mod graphql_schema;
mod graphql_secrets;
mod graphql_variables;
mod host_pattern;
mod hosted_files;
mod issued;
mod list;
mod list_form;
mod openapi;
mod operation_check;
mod operation_source;
mod path_pattern;
mod query_size;
mod read_arguments;
mod response;
mod route;
mod rules;
mod throttle;
mod throttle_form;
mod token;
mod token_place;

pub use act::{ActRule, ActTemplate, WhoRef};
pub use body::{CallFile, ParsedBody, parameters, parse_body};
pub use bot::{BotCall, BotMemory, BotRules};
pub use bot_form::BotForm;
pub use call::{ApiCall, CallBody, CallContent};
pub use call_match::CallMatchers;
pub use condition::{CallCondition, CallError, RefusalReason};
pub use credential::{AuthContext, CredentialRule, Presented};
pub use credential_form::CredentialForm;
pub use documents::{Document, DocumentForm, DocumentRule, DocumentShelf, Documents};
pub use example::{CallExample, ExampleCall};
pub use find::{FindExtent, FindKind, FindRule, STATE, VISITOR};
pub use forms::{ApiForm, BodyProtocol, Gather, OperationForm, RouteForm};
pub use graphql::{GraphqlApi, GraphqlResponse};
pub use graphql_field::{FieldCall, FieldResolver};
pub use graphql_secrets::argument_secrets;
pub use host_pattern::HostPattern;
pub use hosted_files::{FileLink, HostedFile, HostedFiles, StoredFile};
pub use issued::{IssuedRoot, IssuedToken, IssuedTokens, Issuing, StoredToken};
pub use list::{ListPage, ListRule, Listed, PeriodRule, SearchRule, SortRule};
pub use openapi::openapi;
pub use response::{ApiResponse, ErrorRule, ResponseRule};
pub use route::{NoRoute, RouteMatch};
pub use rules::{AccountCheck, ApiRules, CallWarning, CorsRule, OperationRule, RouteRule};
pub use throttle::{ThrottleKey, ThrottleRule, ThrottledCalls};
pub use throttle_form::{ThrottleForm, ThrottleScope};

pub(super) use bot::BotChecker;
pub(super) use check::ApiChecker;
