//! The structure of `vendor.toml`.
//!
//! These forms only describe the file. The `check` module checks how its parts fit together and
//! converts them to run-time types; nothing else uses the forms.

use std::ops::Deref;

use jiff::SignedDuration;

use super::api::{
    ApiForm, BotForm, CredentialForm, DocumentForm, OperationForm, RouteForm, ThrottleForm,
};
use super::numbers::NumberFormat;
pub(super) use super::pointer::Pointer;
use super::signature::KeyEncoding;
pub(super) use super::source_form::{Certainty, SourceForm};
use crate::base::duration::DurationRange;
use crate::conversation::{DialogKind, EventKind, LabelAction, ParticipantRole, Role};
use crate::diag::{Form, Key, NonEmpty, Problem, Problems, Spanned, SyntaxNode, TableOf, code};
use crate::form;
use crate::policy::{Blocks, InDoubt};
use crate::template::JsonSpacing;

form! {
    /// Definition of a vendor's platform. Payloads are JSON templates in the same folder.
    pub struct VendorForm {
        /// Vendor id, used on the command line and in scenarios.
        id: Spanned<String>,
        /// Display name of the vendor.
        name: Spanned<String>,
        /// URL of the vendor's webhook documentation.
        docs: Option<Spanned<String>>,
        /// Vendor that this one is based on. Keys and files here replace those of the other vendor.
        extends: Option<Spanned<String>>,
        /// Known differences between this revision and real servers.
        revision: Option<RevisionForm>,
        /// Event types of the lower file to remove.
        drop: Vec<Spanned<String>>,
        /// Event types of the lower file to rename, as old name and new name. `*` matches the same
        /// text on both sides.
        rename: TableOf<Spanned<String>>,
        /// Values of variants, by name of their list. An entry with `for` is repeated for each of a
        /// list, with the value in place of `<NAME>`.
        variants: TableOf<Vec<TableOf<Spanned<String>>>>,
        /// JSON style of payloads.
        json: JsonForm,
        /// Language whose spelling of numbers payloads use [default: javascript].
        numbers: Option<Spanned<NumberFormat>>,
        /// Names and addresses that differ between labels of one product: `brand.…`.
        brand: TableOf<SyntaxNode>,
        /// Values of the test account: `account.…`.
        account: TableOf<SyntaxNode>,
        /// Credentials of the test account: `secret.…`.
        secret: TableOf<Spanned<String>>,
        /// Settings that users can select where the documentation specifies nothing: `option.…`.
        option: TableOf<OptionForm>,
        /// Templates of generated ids, by owner.
        ids: TableOf<TableOf<Spanned<String>>>,
        /// Counters, by name: `counter.…`.
        counter: TableOf<CounterForm>,
        /// Rules of conversations.
        conversation: Option<ConversationForm>,
        /// Headers of every request, in the order in which they are sent.
        header: Vec<HeaderForm>,
        /// Signatures of requests, by name: `signature.NAME` in headers.
        signature: NamedSignatures,
        /// Test of an endpoint before the first event.
        handshake: HandshakeForm,
        /// Event types that an endpoint receives by default.
        subscription: SubscriptionForm,
        /// Delivery policy.
        delivery: DeliveryForm,
        /// Events that the vendor sends. All that match an action are sent, in this order.
        event: Vec<EventForm>,
        /// Neutral events for which the vendor sends nothing, with the reason.
        silent: TableOf<Spanned<String>>,
        /// Neutral events that cannot happen at the vendor, with the reason.
        cannot: TableOf<Spanned<String>>,
        /// Tables that map neutral values to the vendor's.
        words: TableOf<SyntaxNode>,
        /// Message kinds.
        kinds: TableOf<KindForm>,
        /// Entity kinds, such as customers, companies and articles.
        entities: TableOf<EntityForm>,
        /// Meaning of the fields of messages, entities and emitted events: by field, or by
        /// `KIND.FIELD` for the field of one kind.
        fields: TableOf<FieldForm>,
        /// The vendor's API.
        api: Option<ApiForm>,
        /// Kinds of documents: objects that only calls read and change.
        documents: TableOf<DocumentForm>,
        /// Credentials that calls to the API present.
        credential: Vec<CredentialForm>,
        /// Places of the API.
        route: Vec<RouteForm>,
        /// What is asked at the routes.
        operation: Vec<OperationForm>,
        /// Limits of calls.
        throttle: Vec<ThrottleForm>,
        /// A bot that responds through the API: `standin listen --echo`.
        bot: Option<BotForm>,
        /// JSON pointers to the parts of a payload that `listen` and `demo` display.
        show: Option<ShowForm>,
        /// Sources of the facts in each section.
        source: TableOf<SourceForm>,
    }
}

form! {
    /// Differences between a revision and real servers.
    pub struct RevisionForm {
        /// Description of the differences.
        differs: Spanned<String>,
        /// Revision that matches real servers.
        instead: Option<Spanned<String>>,
    }
}

impl RevisionForm {
    /// Returns the revision that matches real servers, if it is another one.
    pub(super) fn instead(&self) -> Option<String> {
        self.instead.as_ref().map(|instead| instead.value.clone())
    }

    /// Returns the differences and the revision to use instead, in one line.
    pub(super) fn summary(&self, vendor: &str) -> String {
        let differs = &self.differs.value;
        match &self.instead {
            Some(instead) => format!("{differs}; `{vendor}@{}` matches them", instead.value),
            None => differs.clone(),
        }
    }
}

form! {
    /// JSON style of payloads.
    pub struct JsonForm {
        /// Whitespace between tokens.
        spacing: Spanned<JsonSpacing>,
        /// Whether characters outside ASCII are escaped as `\u…`.
        ascii: Spanned<bool>,
    }
}

form! {
    /// Meaning of a field that a step can set.
    pub struct FieldForm {
        /// Meaning, in one sentence.
        about: Spanned<String>,
        /// Known values of a text, for completion. Other values are accepted too.
        values: Vec<Spanned<String>>,
    }
}

form! {
    /// A setting that users can select.
    pub struct OptionForm {
        /// Allowed values. The first is the default.
        values: NonEmpty<Spanned<String>>,
        /// Effect of the option.
        about: Spanned<String>,
    }
}

crate::string_enum! {
    /// The scope in which a counter counts.
    pub enum CounterScope {
        /// The counter restarts with each conversation.
        Conversation = "conversation",
        /// The counter restarts with each dialog.
        Dialog = "dialog",
    }
}

form! {
    /// A counter.
    pub struct CounterForm {
        /// Scope in which the counter counts.
        per: Spanned<CounterScope>,
        /// First number [default: 0].
        start: Option<Spanned<i64>>,
        /// Whether the number becomes the `number` of the message that an event is about [default:
        /// false].
        messages: Option<Spanned<bool>>,
    }
}

crate::string_enum! {
    /// When the first assignee is assigned.
    pub enum FirstAssignee {
        /// When the conversation is opened, without an event.
        AtOpen = "at-open",
        /// After the conversation was opened, with a separate event.
        AfterOpen = "after-open",
    }
}

form! {
    /// Rules of conversations.
    pub struct ConversationForm {
        /// When the first assignee is assigned.
        assignee: Spanned<FirstAssignee>,
        /// Whether an agent can be offered a conversation and accept it later [default: false].
        offers: Option<Spanned<bool>>,
        /// Time within which a visitor should get a reply; sets `conversation.reply_due`.
        reply_within: Option<Spanned<SignedDuration>>,
        /// Roles whose members join before they speak, type, read or write a note [default: agent
        /// and manager].
        joins: Vec<Spanned<Role>>,
        /// Whether a survey can follow a conversation: a separate dialog, with the ids of `[ids]
        /// survey` [default: false].
        surveys: Option<Spanned<bool>>,
        /// Whether staff acts in conversations that it has left, and assigns closed ones [default: false].
        shared_inbox: Option<Spanned<bool>>,
        /// Neutral events that set `conversation.updated_at` [default: all].
        updated_by: Vec<Spanned<EventKind>>,
    }
}

impl ConversationForm {
    /// Returns true if a survey can follow a conversation.
    pub(super) fn has_surveys(&self) -> bool {
        self.surveys.as_ref().is_some_and(|surveys| surveys.value)
    }
}

crate::string_enum! {
    /// The purpose of a request.
    pub enum Purpose {
        /// To test an endpoint.
        Handshake = "handshake",
        /// To send an event.
        Event = "event",
    }
}

form! {
    /// A header.
    pub struct HeaderForm {
        /// Header name, in the vendor's case.
        name: Spanned<String>,
        /// Header value; may contain placeholders.
        value: Spanned<String>,
        /// Requests that have the header [default: all].
        only: Option<Spanned<Purpose>>,
        /// Options with the values under which the header is sent.
        when: TableOf<Vec<Spanned<String>>>,
        /// Source of the facts about the header [default: the source of `header`].
        source: Option<SourceForm>,
    }
}

form! {
    /// A signature over each request.
    pub struct SignatureForm {
        /// Algorithm: `hmac-sha1`, `hmac-sha256` or `hmac-sha512`; may be `${option.…}`.
        algorithm: Spanned<String>,
        /// Key.
        key: Spanned<String>,
        /// Encoding of the key [default: text].
        key_encoding: Option<Spanned<KeyEncoding>>,
        /// Signed content.
        content: Spanned<String>,
        /// Encoding: `base64` or `hex`; may be `${option.…}`.
        encoding: Spanned<String>,
    }
}

/// The `[signature.NAME]` tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedSignatures(TableOf<SignatureForm>);

impl Deref for NamedSignatures {
    type Target = TableOf<SignatureForm>;

    fn deref(&self) -> &TableOf<SignatureForm> {
        &self.0
    }
}

impl Form for NamedSignatures {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        let is_unnamed = |(key, node): &&(Key, SyntaxNode)| {
            SignatureForm::KEYS.contains(&key.name.as_str()) && node.as_table().is_none()
        };
        let unnamed = node.as_table().and_then(|table| table.0.iter().find(is_unnamed));
        let Some((key, _)) = unnamed else {
            return TableOf::read(node, problems).map(Self);
        };
        // One problem instead of one for each key of the table.
        let problem = Problem::at(&key.span, code::MISSING_KEY, "the signature has no name");
        problems.push(problem.help("write `[signature.NAME]`, and `${signature.NAME}` in headers"));
        let name = Key { name: "NAME".into(), span: key.span.clone() };
        Some(Self(TableOf(vec![(name, SignatureForm::read(node, problems))])))
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    fn schema() -> serde_json::Value {
        TableOf::<SignatureForm>::schema()
    }
}

crate::string_enum! {
    /// Kinds of handshakes.
    pub enum HandshakeKind {
        /// No handshake.
        None = "none",
        /// The response needs a status that passes.
        Ping = "ping",
        /// The response also needs to contain a token.
        Echo = "echo",
    }
}

crate::string_enum! {
    /// What happens after a failed handshake.
    pub enum OnFailure {
        /// No event is sent to the endpoint.
        Refuse = "refuse",
        /// Events are sent to the endpoint.
        Continue = "continue",
    }
}

form! {
    /// Test of an endpoint before the first event.
    pub struct HandshakeForm {
        /// Kind of handshake.
        kind: Spanned<HandshakeKind>,
        /// Text that is generated for each handshake: `${challenge}` in `body` and `echo`.
        challenge: Option<Spanned<String>>,
        /// Request body, as an inline template.
        body: Option<SyntaxNode>,
        /// Statuses that pass [default: `delivery.success`].
        success: Vec<Spanned<String>>,
        /// Token that the response must contain; required for `echo`.
        echo: Option<Spanned<String>>,
        /// Key under which a JSON response may contain the token. Text is always allowed.
        echo_key: Option<Spanned<String>>,
        /// What happens after a failed handshake [default: refuse].
        on_failure: Option<Spanned<OnFailure>>,
    }
}

crate::string_enum! {
    /// How subscriptions select event types.
    pub enum Matching {
        /// Each event type is subscribed as a whole.
        Pair = "pair",
        /// The parts before and after the last dot are subscribed separately: a subscription to
        /// `a.x` and `b.y` also includes `a.y` and `b.x`.
        Cross = "cross",
    }
}

form! {
    /// Event types that an endpoint receives by default.
    pub struct SubscriptionForm {
        /// Patterns of event types. `!` excludes types; the last pattern that matches decides.
        default: Vec<Spanned<String>>,
        /// How subscriptions select event types [default: pair].
        matching: Option<Spanned<Matching>>,
    }
}

crate::string_enum! {
    /// How redirects are handled.
    pub enum Redirects {
        /// A redirect is a failed attempt.
        Fail = "fail",
        /// Redirects are followed.
        Follow = "follow",
    }
}

form! {
    /// Delivery policy.
    pub struct DeliveryForm {
        /// Statuses that complete a delivery.
        success: NonEmpty<Spanned<String>>,
        /// Words in the content type of a response that make the attempt fail.
        failing_types: Vec<Spanned<String>>,
        /// How redirects are handled.
        redirects: Spanned<Redirects>,
        /// Timeouts of an attempt.
        timeout: TimeoutForm,
        /// When a response counts as slow. It passes, with a note at the end of the run.
        slow: Option<SlowForm>,
        /// Retry rules. The first that matches applies; if none does, nothing is retried.
        retry: Vec<RetryForm>,
        /// When an endpoint is disabled.
        disable: Option<DisableForm>,
        /// What happens to an attempt that may have been sent before a run was interrupted
        /// [default: resend].
        in_doubt: Option<Spanned<InDoubt>>,
        /// Names of all headers in the order in which the vendor's HTTP client writes them
        /// [default: Host, the headers, Content-Length].
        wire: Option<Vec<Spanned<String>>>,
        /// Whether the vendor's HTTP client reuses connections [default: true].
        keep_alive: Option<Spanned<bool>>,
    }
}

form! {
    /// Timeouts of an attempt.
    pub struct TimeoutForm {
        /// Connection timeout.
        connect: Spanned<SignedDuration>,
        /// Timeout of the whole attempt.
        total: Spanned<SignedDuration>,
    }
}

form! {
    /// When a response counts as slow.
    pub struct SlowForm {
        /// Time after which a response is slow.
        after: Spanned<SignedDuration>,
        /// What the vendor does about slow responses.
        note: Spanned<String>,
    }
}

crate::string_enum! {
    /// Kinds of retry limits.
    pub enum RetryKind {
        /// No retries.
        None = "none",
        /// A number of retries.
        Count = "count",
        /// Retries for some time.
        Retention = "retention",
    }
}

form! {
    /// A retry rule.
    pub struct RetryForm {
        /// Patterns of event types to which the rule applies [default: all].
        types: Vec<Spanned<String>>,
        /// Options with the values under which the rule applies.
        when: TableOf<Vec<Spanned<String>>>,
        /// Kind of limit.
        kind: Spanned<RetryKind>,
        /// Number of retries, for `count`; may be `${option.…}`.
        times: Option<SyntaxNode>,
        /// Time after the delivery was due, for `retention`; may be `${option.…}`.
        within: Option<SyntaxNode>,
        /// Delay before the first retry [default: 0s].
        delay: Option<Spanned<SignedDuration>>,
        /// Factor by which each delay exceeds the previous one [default: 1].
        factor: Option<Spanned<u64>>,
        /// Maximum delay.
        cap: Option<Spanned<SignedDuration>>,
        /// Range of the random time added to each delay.
        jitter: Option<Spanned<DurationRange>>,
        /// Whether `Retry-After` is honoured [default: false].
        retry_after: Option<Spanned<bool>>,
        /// Maximum delay that `Retry-After` can request [default: 1h].
        retry_after_cap: Option<Spanned<SignedDuration>>,
        /// What a failure blocks [default: conversation].
        blocks: Option<Spanned<Blocks>>,
        /// How long a new delivery waits for blocked ones before it while they are retried.
        hold: Option<Spanned<SignedDuration>>,
    }
}

form! {
    /// When an endpoint is disabled: it receives no more requests.
    pub struct DisableForm {
        /// Statuses that disable the endpoint.
        status: Vec<Spanned<String>>,
        /// Number of consecutive failed deliveries that disables the endpoint.
        after: Option<Spanned<u64>>,
    }
}

form! {
    /// An event that the vendor sends.
    pub struct EventForm {
        /// List of `[variants]` for each of which the entry is repeated.
        repeated_for ("for"): Option<Spanned<String>>,
        /// Neutral event.
        on: Spanned<String>,
        /// Condition under which the event is sent.
        when: Option<WhenForm>,
        /// The vendor's name for the event, used in subscriptions.
        type_ ("type"): Spanned<String>,
        /// Names of the event in other revisions. Scenarios and subscriptions can use them.
        previous_names: Vec<Spanned<String>>,
        /// File name of the body's template.
        template: Spanned<String>,
        /// Counter whose next number the event takes.
        counter: Option<Spanned<String>>,
        /// Fields that an `emit` step may set, with their defaults; only for `on = "emit"`.
        data: TableOf<SyntaxNode>,
        /// Further fields that an `emit` step may set, without a default.
        optional: Vec<Spanned<String>>,
        /// Limits of these fields, by field.
        limits: TableOf<LimitForm>,
        /// Names of variables that the payload replaces with its own value; only for
        /// `on = "variables.set"`.
        reserved: Vec<Spanned<String>>,
        /// Whether the conversation keeps the data: later payloads can use it as
        /// `conversation.kept.…` [default: false].
        keep: Option<Spanned<bool>>,
        /// JSON style of this event, if it differs from the vendor's.
        json: Option<JsonForm>,
        /// Parts of the payload that are assumed, as a list of `$if` with a text for each part. If
        /// the list has an element, the payload is reported as assumed.
        assumed: Option<SyntaxNode>,
        /// Source of this event's facts, if it differs from that of the section.
        source: Option<SourceForm>,
    }
}

form! {
    /// Condition of an event. Each key must match one of its values.
    pub struct WhenForm {
        /// Role of the actor.
        by: Vec<Spanned<Role>>,
        /// Role of the actor in the conversation.
        part: Vec<Spanned<ParticipantRole>>,
        /// Role of the participant to whom the event is directed.
        to: Vec<Spanned<Role>>,
        /// Role of the assignee.
        assignee: Vec<Spanned<Role>>,
        /// Kind of message or entity.
        kind: Vec<Spanned<String>>,
        /// Channel of the conversation.
        channel: Vec<Spanned<String>>,
        /// Dialog in which it happens.
        dialog: Vec<Spanned<DialogKind>>,
        /// Whether the message is the speaker's first.
        first: Option<Spanned<bool>>,
        /// Fields of the entity, at least one of which must have changed.
        changed: Vec<Spanned<String>>,
        /// Fields of the entity, none of which must have changed.
        unchanged: Vec<Spanned<String>>,
        /// Fields of the entity, at least one of which the update sets, even to the same value.
        sets: Vec<Spanned<String>>,
        /// Fields of the entity, besides which the update sets no other.
        sets_only: Vec<Spanned<String>>,
        /// Fields of the entity, besides which the update sets at least one other.
        sets_other: Vec<Spanned<String>>,
        /// Whether the conversation has an assignee after the event.
        assigned: Option<Spanned<bool>>,
        /// Variables, at least one of which must be set.
        variable: Vec<Spanned<String>>,
        /// Whether labels are `added` or `removed`.
        action: Vec<Spanned<LabelAction>>,
    }
}

form! {
    /// Limits of a field of a message kind, an entity or an emitted event. `check` reports values outside
    /// them.
    pub struct LimitForm {
        /// Least number: a number, a field of the kind, or `asked.FIELD` of the question. Of a list, the
        /// least number of elements; of a date, another field that must not be later.
        min: Option<SyntaxNode>,
        /// Greatest number, as `min`.
        max: Option<SyntaxNode>,
        /// Formats of a date or time, with the codes of `strftime`. An empty text is valid too.
        formats: Vec<Spanned<String>>,
        /// Field with the weekday of this date, in English.
        weekday: Option<Spanned<String>>,
        /// Key of the elements of this list that must differ. An element that lacks it is compared by its
        /// first key.
        distinct: Option<Spanned<String>>,
        /// Field that cannot be true together with this one.
        excludes: Option<Spanned<String>>,
        /// Allowed texts. `*` at the end matches any rest.
        values: Vec<Spanned<String>>,
        /// Field with the media type that the extension of this file name must have.
        media_type: Option<Spanned<String>>,
        /// List of the question that must offer this text.
        offered: Option<Spanned<String>>,
    }
}

form! {
    /// A message kind.
    pub struct KindForm {
        /// The vendor's name for the kind: `message.type`.
        word: Option<Spanned<String>>,
        /// Body, as an inline template.
        body: Option<SyntaxNode>,
        /// File name of the body's template.
        template: Option<Spanned<String>>,
        /// Fields that a step may set, with their defaults.
        data: TableOf<SyntaxNode>,
        /// Fields that a step may set, without a default.
        optional: Vec<Spanned<String>>,
        /// Values for elements of the question, by list. The first element whose other keys match the
        /// one of the question applies: a text, or one of a list of texts, matches if it is part of it.
        suggest: TableOf<SyntaxNode>,
        /// Limits of fields, by field. `text` is the text of the message.
        limits: TableOf<LimitForm>,
        /// Message kind to which this one responds. Lists of the same name take over its elements.
        answers: Option<Spanned<String>>,
        /// Message kind that is sent instead; for a kind that the vendor does not support.
        as_ ("as"): Option<Spanned<String>>,
    }
}

crate::string_enum! {
    /// What an update stores for a field that it removes.
    pub enum UnsetValue {
        /// Nothing: the field is absent.
        Absent = "absent",
        /// The value `null`.
        Null = "null",
    }
}

form! {
    /// An entity kind.
    pub struct EntityForm {
        /// List of `[variants]` for each of which the entry is repeated.
        repeated_for ("for"): Option<Spanned<String>>,
        /// Fields with their defaults.
        data: TableOf<SyntaxNode>,
        /// Fields that can be absent. One that is also in `data` has a default, and a step can
        /// remove it.
        optional: Vec<Spanned<String>>,
        /// Optional fields of the lower file that have no default here.
        no_default: Vec<Spanned<String>>,
        /// Limits of fields, by field.
        limits: TableOf<LimitForm>,
        /// What an update stores for a field that it removes [default: absent].
        unset: Option<Spanned<UnsetValue>>,
        /// Optional fields that an update sets to its time, by field.
        stamps: TableOf<StampForm>,
        /// Optional fields that are copied from another entity, by field.
        copies: TableOf<CopyForm>,
        /// Fields that are the first element of a list, as field and list: if a step sets one of the
        /// two, the other follows.
        first_of: TableOf<Spanned<String>>,
        /// Lists to which an update adds. Elements that it does not name stay.
        accumulate: Vec<Spanned<String>>,
        /// Tables that a step replaces as a whole, with any keys [default: keys that it does not name
        /// keep their value].
        whole: Vec<Spanned<String>>,
        /// Fields that get a fixed value when an update changes others, by field.
        resets: TableOf<ResetForm>,
    }
}

form! {
    /// Condition of an update, after which a field has a fixed value.
    pub struct ResetForm {
        /// Fields, at least one of which must get another value [default: every update applies].
        /// Removing a value does not count.
        changed: Vec<Spanned<String>>,
        /// Value of the field.
        to: SyntaxNode,
        /// Whether a value that the update itself sets stays [default: false].
        unless_set: Option<Spanned<bool>>,
    }
}

form! {
    /// Condition of an update, after which a field has its time.
    pub struct StampForm {
        /// Fields, at least one of which must have changed.
        changed: Vec<Spanned<String>>,
        /// Fields, besides which the update sets no other [default: all fields].
        sets_only: Vec<Spanned<String>>,
    }
}

form! {
    /// A field of another entity, which a field of this one names.
    pub struct CopyForm {
        /// Field with the id of the other entity.
        id: Spanned<String>,
        /// Field of the other entity.
        field: Spanned<String>,
    }
}

form! {
    /// JSON pointers into a payload. The first that resolves is used.
    pub struct ShowForm {
        /// Name of the event.
        event: Vec<Spanned<Pointer>>,
        /// Text of the message.
        text: Vec<Spanned<Pointer>>,
        /// Id of the conversation.
        conversation: Vec<Spanned<Pointer>>,
        /// Time of the event, which never decreases in a conversation.
        time: Vec<Spanned<Pointer>>,
    }
}
