//! The vendor's API: routes, operations, credentials and responses, as data of its folder.
//!
//! `forms` describes the sections, `check` turns them into [`ApiRules`], and only those are used at
//! run time. This module is pure: it matches calls, reads what they contain and renders responses.
//! The emulator keeps the state that calls read and change.

mod act;
mod call;
mod call_match;
mod call_types;
mod calls;
mod check;
mod condition;
mod condition_check;
mod credential;
mod example;
mod find;
mod forms;
mod host_pattern;
mod openapi;
mod path_pattern;
mod response;
mod route;
mod rules;

pub use act::{ActRule, ActTemplate, WhoRef};
pub use call::{ApiCall, CallBody, CallContent};
pub use call_match::CallMatchers;
pub use condition::{CallCondition, CallError, RefusalReason};
pub use credential::{CredentialRule, Presented};
pub use example::{CallExample, ExampleCall};
pub use find::{FindKind, FindRule};
pub use forms::{ApiForm, BodyProtocol, CredentialForm, OperationForm, RouteForm};
pub use host_pattern::HostPattern;
pub use openapi::openapi;
pub use response::{ApiResponse, ErrorRule, ResponseRule};
pub use route::{NoRoute, RouteMatch};
pub use rules::{AccountCheck, ApiRules, OperationRule, RouteRule};

pub(super) use check::ApiChecker;
