//! Vendor platforms: folders of data, checked at load, that turn neutral events into webhooks.
//!
//! No Rust code names a vendor. Everything specific to a vendor is in its folder; everything in
//! which vendors can differ is in the vocabulary of `forms`. `check` turns the parsed forms into a
//! [`Platform`], and only that is used at run time. The `delivery` module sends the requests and
//! the `run` module executes scenarios.

mod account;
mod account_name;
mod account_template;
mod altered_bodies;
pub mod api;
mod bot_player;
mod catalog;
mod check;
mod complete;
mod context;
mod coverage;
mod definition;
mod delivery;
mod entity_rules;
mod event_rule;
mod explain;
mod fake_values;
mod fault_injection;
mod field_info;
mod field_limits;
mod fields;
mod folder;
mod forms;
mod generate;
mod handshake;
mod ids;
mod limit_description;
mod losses;
mod message_kind;
mod mistakes;
mod numbers;
mod overlay;
mod pointer;
mod request;
mod request_check;
mod request_explanation;
mod request_facts;
mod root_types;
mod session;
mod session_error;
mod signature;
mod signing;
mod source_form;
mod subscription;
mod synthesize;
mod variants;
mod vendor_ref;
mod verification_scheme;
mod verify;

pub use account::Account;
pub use account_name::AccountName;
pub use bot_player::BotPlayer;
pub use catalog::Catalog;
pub use context::TemplateContext;
pub use definition::{FactSource, Platform};
pub use delivery::SlowResponses;
pub use event_rule::{Coverage, EventQuery, EventRule};
pub use explain::{OptionChoice, ReceiverGuide};
pub use fake_values::InventedValues;
pub use fault_injection::FaultInjector;
pub use field_info::FieldInfo;
pub use field_limits::{StepData, declared_type_problem};
pub use fields::{FieldDefaults, always_text, type_mismatch};
pub use folder::PlatformFolder;
pub use forms::VendorForm;
pub use handshake::{Handshake, Proof};
pub use losses::LostField;
pub use message_kind::MessageKind;
pub use numbers::NumberFormat;
pub use request_explanation::{RequestExplanation, RestoredRequest, SignatureExplanation};
pub use request_facts::RequestFacts;
pub use session::{ActionResult, Payload, Session, SessionCheckpoint};
pub use session_error::SessionError;
pub use signature::{Algorithm, Encoding, KeyEncoding, sign};
pub use signing::Signing;
pub use source_form::Certainty;
pub use subscription::Subscription;
pub use synthesize::synthesize;
pub use vendor_ref::VendorRef;
pub use verification_scheme::{CredentialHeader, EchoScheme, SecretEcho, VerificationScheme};
pub use verify::{Check, VerificationReport, Verifier};
