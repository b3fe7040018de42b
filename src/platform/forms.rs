//! What a vendor's `vendor.toml` may hold.
//!
//! Only the form of the file; whether it fits together is checked in `check`.

use jiff::SignedDuration;

use crate::base::duration::DurationRange;
use crate::conversation::{ParticipantRole, Role};
use crate::diag::{NonEmpty, Problem, Scalar, Spanned, SyntaxNode, TableOf, code};
use crate::form;
use crate::policy::{Blocks, InDoubt};
use crate::template::JsonSpacing;

form! {
    /// A vendor: choices here, shapes in the templates beside it.
    pub struct VendorForm {
        /// The id by which the vendor is called on the command line.
        id: Spanned<String>,
        /// The vendor's name.
        name: Spanned<String>,
        /// Where the vendor documents its webhooks.
        docs: Option<Spanned<String>>,
        /// Another vendor that this one is like; the files and keys of this one replace its own.
        extends: Option<Spanned<String>>,
        /// Where known servers differ from what this revision sends.
        revision: Option<RevisionForm>,
        /// Event types of the vendor below that are left out.
        drop: Vec<Spanned<String>>,
        /// Event types of the vendor below that are called something else: `*` stands for the same
        /// on both sides.
        rename: TableOf<Spanned<String>>,
        /// How the vendor spells JSON.
        json: JsonForm,
        /// Names and addresses that differ between labels of one product: `brand.…`.
        brand: TableOf<SyntaxNode>,
        /// The fixed test account: `account.…`.
        account: TableOf<SyntaxNode>,
        /// The fixed test credentials: `secret.…`.
        secret: TableOf<Spanned<String>>,
        /// What a user can choose where nothing is documented: `option.…`.
        option: TableOf<OptionForm>,
        /// How ids are made, by what they belong to.
        ids: TableOf<TableOf<Spanned<String>>>,
        /// Counters, by name: `counter.…`.
        counter: TableOf<CounterForm>,
        /// How conversations behave.
        conversation: Option<ConversationForm>,
        /// The headers of every request, in order.
        header: Vec<HeaderForm>,
        /// The signature: `signature`, for headers.
        signature: Option<SignatureForm>,
        /// How an endpoint proves that it agrees.
        handshake: HandshakeForm,
        /// What an endpoint is sent unless the user says otherwise.
        subscription: SubscriptionForm,
        /// How deliveries are treated.
        delivery: DeliveryForm,
        /// Which events are sent, in the order they are sent.
        event: Vec<EventForm>,
        /// Neutral events that the vendor sends nothing for, and why.
        silent: TableOf<Spanned<String>>,
        /// Neutral events that cannot happen at the vendor, and why.
        cannot: TableOf<Spanned<String>>,
        /// The vendor's words for neutral values.
        words: TableOf<SyntaxNode>,
        /// The kinds of messages.
        kinds: TableOf<KindForm>,
        /// The kinds of entities: customers, companies, articles.
        entities: TableOf<EntityForm>,
        /// Where to find things in a body, for those who watch.
        show: Option<ShowForm>,
        /// Where the facts of each section come from.
        source: TableOf<SourceForm>,
    }
}

form! {
    /// A revision that is known to differ from real servers.
    pub struct RevisionForm {
        /// What differs.
        differs: Spanned<String>,
        /// The revision that is as real servers are.
        instead: Option<Spanned<String>>,
    }
}

impl RevisionForm {
    /// What differs from real servers, and which revision of the vendor does not, in a line.
    pub(super) fn told(&self, vendor: &str) -> String {
        let differs = &self.differs.value;
        match &self.instead {
            Some(instead) => format!("{differs}; `{vendor}@{}` is like them", instead.value),
            None => differs.clone(),
        }
    }
}

form! {
    /// How JSON is spelled.
    pub struct JsonForm {
        /// Where the spaces are.
        spacing: Spanned<JsonSpacing>,
        /// Whether what is not ASCII is written as `\u…`.
        ascii: Spanned<bool>,
    }
}

form! {
    /// One choice of the user.
    pub struct OptionForm {
        /// What can be chosen; the first is the default.
        values: NonEmpty<Spanned<String>>,
        /// What it changes.
        about: Spanned<String>,
    }
}

crate::string_enum! {
    /// How far a counter counts before it begins again.
    pub enum CounterScope {
        /// Over the conversation.
        Conversation = "conversation",
        /// Over one dialog.
        Dialog = "dialog",
    }
}

form! {
    /// A counter.
    pub struct CounterForm {
        /// How far it counts before it begins again.
        per: Spanned<CounterScope>,
        /// Its first number; 0 without it.
        start: Option<Spanned<i64>>,
        /// Whether its number is the `message.number` of a message that takes one; false without
        /// it.
        messages: Option<Spanned<bool>>,
    }
}

crate::string_enum! {
    /// When the first assignee is assigned.
    pub enum FirstAssignee {
        /// With the conversation's opening.
        AtOpen = "at-open",
        /// After it, by an event of its own.
        AfterOpen = "after-open",
    }
}

form! {
    /// How conversations behave.
    pub struct ConversationForm {
        /// When the first assignee is assigned.
        assignee: Spanned<FirstAssignee>,
        /// Whether somebody can be asked first and accept later; false without this.
        offers: Option<Spanned<bool>>,
        /// How soon a visitor should have an answer; gives `conversation.reply_due`.
        reply_within: Option<Spanned<SignedDuration>>,
    }
}

crate::string_enum! {
    /// What a request is for.
    pub enum Purpose {
        /// To ask an endpoint whether it agrees.
        Handshake = "handshake",
        /// To tell an event.
        Event = "event",
    }
}

form! {
    /// A header.
    pub struct HeaderForm {
        /// Its name, in the vendor's case.
        name: Spanned<String>,
        /// Its value, with holes.
        value: Spanned<String>,
        /// What requests it is sent with; all of them without it.
        only: Option<Spanned<Purpose>>,
        /// It is sent only where these options have these values.
        when: TableOf<Vec<Spanned<String>>>,
    }
}

form! {
    /// A signature over each request.
    pub struct SignatureForm {
        /// The algorithm; a hole may name an option.
        algorithm: Spanned<String>,
        /// The key.
        key: Spanned<String>,
        /// What is signed.
        content: Spanned<String>,
        /// How the signature is written: `base64` or `hex`; a hole may name an option.
        encoding: Spanned<String>,
    }
}

crate::string_enum! {
    /// What proves that an endpoint agrees.
    pub enum HandshakeKind {
        /// Nothing; there is no handshake.
        None = "none",
        /// A good answer.
        Ping = "ping",
        /// A good answer with the secret in it.
        Echo = "echo",
    }
}

crate::string_enum! {
    /// What follows where an endpoint does not agree.
    pub enum OnFailure {
        /// Nothing is sent to it.
        Refuse = "refuse",
        /// It is sent to all the same.
        Continue = "continue",
    }
}

form! {
    /// How an endpoint proves that it agrees.
    pub struct HandshakeForm {
        /// What proves it.
        kind: Spanned<HandshakeKind>,
        /// The request's body: a template in place.
        body: Option<SyntaxNode>,
        /// Which answers are good; those of `[delivery]` without it.
        success: Vec<Spanned<String>>,
        /// What must come back, for `echo`.
        echo: Option<Spanned<String>>,
        /// The key of a JSON answer in which it may come back; it may always come back as text.
        echo_key: Option<Spanned<String>>,
        /// What follows where it does not agree.
        on_failure: Option<Spanned<OnFailure>>,
    }
}

crate::string_enum! {
    /// How event types are compared with what an endpoint subscribed to.
    pub enum Matching {
        /// As a whole.
        Pair = "pair",
        /// What stands in front of the last dot and what stands behind it each by itself: whoever
        /// wants `a.x` and `b.y` gets `a.y` as well.
        Cross = "cross",
    }
}

form! {
    /// What an endpoint is sent.
    pub struct SubscriptionForm {
        /// Patterns of event types; a later one that begins with `!` takes away.
        default: Vec<Spanned<String>>,
        /// How event types are compared with them; as a whole without it.
        matching: Option<Spanned<Matching>>,
    }
}

crate::string_enum! {
    /// What happens on a redirect.
    pub enum Redirects {
        /// It is a failed attempt.
        Fail = "fail",
        /// It is followed, as a browser does.
        Follow = "follow",
    }
}

form! {
    /// How deliveries are treated.
    pub struct DeliveryForm {
        /// Which answers end a delivery well.
        success: NonEmpty<Spanned<String>>,
        /// Words in an answer's content type that make it a failure all the same.
        failing_types: Vec<Spanned<String>>,
        /// What happens on a redirect.
        redirects: Spanned<Redirects>,
        /// How long an attempt may take.
        timeout: TimeoutForm,
        /// Whether and when to try again: the first rule that fits counts, none without one.
        retry: Vec<RetryForm>,
        /// What switches an endpoint off.
        disable: Option<DisableForm>,
        /// What becomes of an attempt that may have gone out before a run was interrupted; it is
        /// sent without this.
        in_doubt: Option<Spanned<InDoubt>>,
        /// The names of a request's head in the vendor's order and case, where they matter.
        wire: Option<Vec<Spanned<String>>>,
    }
}

form! {
    /// How long an attempt may take.
    pub struct TimeoutForm {
        /// To connect.
        connect: Spanned<SignedDuration>,
        /// As a whole.
        total: Spanned<SignedDuration>,
    }
}

crate::string_enum! {
    /// The kinds of retrying.
    pub enum RetryKind {
        /// Never.
        None = "none",
        /// A number of times.
        Count = "count",
        /// For some time.
        Retention = "retention",
    }
}

form! {
    /// Whether and when to try again.
    pub struct RetryForm {
        /// It is for event types that these patterns fit; for all without them.
        types: Vec<Spanned<String>>,
        /// It is for accounts where these options have these values.
        when: TableOf<Vec<Spanned<String>>>,
        /// How.
        kind: Spanned<RetryKind>,
        /// How many times more, for `count`; a hole may name an option.
        times: Option<SyntaxNode>,
        /// How long after it was due, for `retention`; a hole may name an option.
        within: Option<SyntaxNode>,
        /// After how long; at once without it.
        delay: Option<Spanned<SignedDuration>>,
        /// How many times longer each delay is than the one before; 1 without it.
        factor: Option<Spanned<u64>>,
        /// The longest delay, where they grow.
        cap: Option<Spanned<SignedDuration>>,
        /// What is drawn and added to each delay.
        jitter: Option<Spanned<DurationRange>>,
        /// Whether the receiver's `Retry-After` is honoured; it is not without this.
        retry_after: Option<Spanned<bool>>,
        /// How long `Retry-After` may make it wait; an hour without it.
        retry_after_cap: Option<Spanned<SignedDuration>>,
        /// What a failure holds up; the conversation without it.
        blocks: Option<Spanned<Blocks>>,
        /// How long a delivery is held for what was parked before it, while that drains.
        hold: Option<Spanned<SignedDuration>>,
    }
}

form! {
    /// What switches an endpoint off: nothing more is sent to it.
    pub struct DisableForm {
        /// One of these answers.
        status: Vec<Spanned<String>>,
        /// So many deliveries in a row that were given up.
        after: Option<Spanned<u64>>,
    }
}

form! {
    /// An event that the vendor sends.
    pub struct EventForm {
        /// The neutral event.
        on: Spanned<String>,
        /// Only where these fields have one of these values.
        when: Option<WhenForm>,
        /// The vendor's name for it, by which a user subscribes.
        type_ ("type"): Spanned<String>,
        /// Names that other revisions have for it; users may go on using them.
        previous_names: Vec<Spanned<String>>,
        /// The body: a template.
        template: Spanned<String>,
        /// The counter that it takes a number of.
        counter: Option<Spanned<String>>,
        /// What `emit` may give, with what it is otherwise; only for `on = "emit"`.
        data: TableOf<SyntaxNode>,
        /// How this one spells JSON, where it differs.
        json: Option<JsonForm>,
        /// Where its facts come from, where they differ from those of the section.
        source: Option<SourceForm>,
    }
}

form! {
    /// When an event is sent: every field that is given must have one of its values.
    pub struct WhenForm {
        /// The role of who does it.
        by: Vec<Spanned<Role>>,
        /// The part of who does it.
        part: Vec<Spanned<ParticipantRole>>,
        /// The role of who it is done to.
        to: Vec<Spanned<Role>>,
        /// The role of whoever is assigned.
        assignee: Vec<Spanned<Role>>,
        /// The kind of message, or of entity.
        kind: Vec<Spanned<String>>,
        /// The channel.
        channel: Vec<Spanned<String>>,
        /// Whether it is the speaker's first message.
        first: Option<Spanned<bool>>,
        /// Fields of the entity, one of which must have changed.
        changed: Vec<Spanned<String>>,
    }
}

form! {
    /// A kind of message.
    pub struct KindForm {
        /// The vendor's word for it.
        word: Option<Spanned<String>>,
        /// The body, where it is short: a template in place.
        body: Option<SyntaxNode>,
        /// The body, where it is long: a template's file.
        template: Option<Spanned<String>>,
        /// What a step may give, with what it is otherwise.
        data: TableOf<SyntaxNode>,
        /// What a step may give, and is absent otherwise.
        optional: Vec<Spanned<String>>,
        /// The kind of message that this one answers: data of the same name goes on from it.
        answers: Option<Spanned<String>>,
        /// The kind that stands in for it at this vendor, which has none of its own.
        as_ ("as"): Option<Spanned<String>>,
    }
}

form! {
    /// A kind of entity.
    pub struct EntityForm {
        /// Its fields, with what they are otherwise.
        data: TableOf<SyntaxNode>,
        /// Fields that are absent unless a step gives them.
        optional: Vec<Spanned<String>>,
    }
}

form! {
    /// Where to find things in a body: JSON pointers, the first that leads somewhere counts.
    pub struct ShowForm {
        /// What names the event.
        event: Vec<Spanned<Pointer>>,
        /// What was said.
        text: Vec<Spanned<Pointer>>,
    }
}

/// A JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(pub String);

impl Scalar for Pointer {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        let text = String::parse_node(node)?;
        if text.starts_with('/') {
            return Ok(Self(text));
        }
        let message = format!("`{text}` is not a JSON pointer");
        let help = format!("a pointer begins with a slash: `/{}`", text.replace('.', "/"));
        Err(Problem::at(&node.span, code::WRONG_POINTER, message).help(help))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "pattern": "^/"})
    }
}

crate::string_enum! {
    /// How well something is known.
    pub enum Certainty {
        /// The vendor's documentation says so.
        Documented = "documented",
        /// It was seen at a real server or in its source code.
        Observed = "observed",
        /// It follows from what is documented or was observed.
        Inferred = "inferred",
        /// Nothing is known; a likely choice was made.
        Assumed = "assumed",
    }
}

form! {
    /// Where facts come from.
    pub struct SourceForm {
        /// How well they are known.
        status: Spanned<Certainty>,
        /// When they were last looked at: `2026-11`.
        seen: Option<Spanned<String>>,
        /// The page.
        url: Option<Spanned<String>>,
        /// What else there is to say.
        note: Option<Spanned<String>>,
    }
}
