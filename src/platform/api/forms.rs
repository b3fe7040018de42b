//! The structure of the sections about a vendor's API.

use crate::conversation::{Role, VariableScope};
use crate::diag::{OneOrMore, Spanned, SyntaxNode, TableOf};
use crate::form;
use crate::platform::source_form::SourceForm;

form! {
    /// The vendor's API as a whole.
    pub struct ApiForm {
        /// Parameter of paths that names the account [default: calls do not name it].
        account: Option<ApiAccountForm>,
        /// Host names at which clients expect the API, such as `api.acme.example` or `*.acme.example`.
        hosts: Vec<Spanned<String>>,
        /// Headers of every response.
        header: TableOf<Spanned<String>>,
        /// Responses to calls that fail, for all routes.
        error: Vec<ErrorForm>,
    }
}

form! {
    /// How a path names the account.
    pub struct ApiAccountForm {
        /// Name of the parameter.
        path: Spanned<String>,
        /// Value that it must have, such as `${account.id}`.
        is: Spanned<String>,
    }
}

crate::string_enum! {
    /// What a credential consists of.
    pub enum CredentialKind {
        /// The whole value.
        Raw = "raw",
        /// The value behind `Bearer `.
        Bearer = "bearer",
    }
}

form! {
    /// A credential that calls present.
    pub struct CredentialForm {
        /// Name, used in `auth` and in `missing.NAME` and `invalid.NAME`.
        name: Spanned<String>,
        /// What it consists of.
        kind: Spanned<CredentialKind>,
        /// Place in the call: `header:NAME` or `query:NAME`.
        place ("in"): Spanned<String>,
        /// The valid value.
        value: Spanned<String>,
    }
}

crate::string_enum! {
    /// How the body of a call is read.
    pub enum BodyProtocol {
        /// The body is ignored.
        None = "none",
        /// A JSON document: `call.body`.
        Json = "json",
    }
}

form! {
    /// A place of the API. Without an `[[operation]]`, it is an operation itself.
    pub struct RouteForm {
        /// Unique name.
        name: Spanned<String>,
        /// HTTP methods.
        method: OneOrMore<Spanned<String>>,
        /// Paths; `{name}` is a parameter.
        path: OneOrMore<Spanned<String>>,
        /// Credentials that a call needs, all of them.
        auth: Vec<Spanned<String>>,
        /// How the body is read.
        body: Spanned<BodyProtocol>,
        /// Neutral name of the call [default: the name].
        call: Option<Spanned<String>>,
        /// Named values of the call: `field.…`.
        fields: TableOf<SyntaxNode>,
        /// What the call is about, in order.
        find: Vec<FindForm>,
        /// Actions that the call causes: all of them, or none.
        act: Vec<ActForm>,
        /// Response, also of operations without their own.
        reply: Option<ReplyForm>,
        /// Responses to calls that fail.
        error: Vec<ErrorForm>,
        /// JSON pointers to secrets in the body. Records do not show them.
        secret: Vec<Spanned<String>>,
        /// A call that succeeds.
        example: Option<ExampleForm>,
        /// Source of the facts [default: that of the section].
        source: Option<SourceForm>,
    }
}

form! {
    /// What is asked at a route. The first operation that matches is performed.
    pub struct OperationForm {
        /// Name of the route.
        route: Spanned<String>,
        /// Unique name.
        name: Spanned<String>,
        /// Neutral name of the call [default: the name].
        call: Option<Spanned<String>>,
        /// Matchers, by JSON pointer into the body or by path. All must hold.
        matches ("match"): TableOf<SyntaxNode>,
        /// Named values of the call: `field.…`.
        fields: TableOf<SyntaxNode>,
        /// What the call is about, in order, after that of the route.
        find: Vec<FindForm>,
        /// Actions that the call causes: all of them, or none.
        act: Vec<ActForm>,
        /// Response [default: that of the route].
        reply: Option<ReplyForm>,
        /// Responses to calls that fail, before those of the route.
        error: Vec<ErrorForm>,
        /// JSON pointers to secrets in the body. Records do not show them.
        secret: Vec<Spanned<String>>,
        /// A call that succeeds.
        example: Option<ExampleForm>,
        /// Source of the facts [default: that of the section].
        source: Option<SourceForm>,
    }
}

form! {
    /// Something that a call is about: exactly one kind of thing, by the values of its fields.
    pub struct FindForm {
        /// A conversation, by one of its ids.
        conversation: Option<TableOf<SyntaxNode>>,
        /// A visitor, by an id, `external_key` or `email`.
        visitor: Option<TableOf<SyntaxNode>>,
        /// An agent, by an id, `external_key` or `email`.
        agent: Option<TableOf<SyntaxNode>>,
        /// A bot, by an id, `external_key` or `email`.
        bot: Option<TableOf<SyntaxNode>>,
        /// Name of what is found [default: its kind].
        name ("as"): Option<Spanned<String>>,
        /// Creates an unknown person with these data: `name`, `email`, `phone`, `variables`.
        create: Option<TableOf<SyntaxNode>>,
        /// Whether it may be missing [default: false].
        optional: Option<Spanned<bool>>,
    }
}

form! {
    /// An action that a call causes: exactly one key besides `when` and `each`.
    pub struct ActForm {
        /// Matchers, by JSON pointer into the body or by path. The action needs all of them.
        when: TableOf<SyntaxNode>,
        /// Performs the action for each element: `NAME in PATH`.
        each: Option<Spanned<String>>,
        /// Opens a conversation.
        open: Option<OpenActForm>,
        /// Sends a message.
        say: Option<SayActForm>,
        /// Assigns the conversation to a person or a queue.
        assign: Option<AssignActForm>,
        /// Stores variables.
        set: Option<SetActForm>,
        /// Closes the conversation.
        close: Option<CloseActForm>,
        /// Creates or changes a person of the account.
        person: Option<PersonActForm>,
        /// Subscribes a URL to events, after the vendor's handshake with it.
        subscribe: Option<SubscribeActForm>,
    }
}

form! {
    /// Opens a conversation.
    pub struct OpenActForm {
        /// Visitor: a name of `find`.
        by: Spanned<String>,
        /// Channel, such as `web`.
        channel: SyntaxNode,
        /// First assignee: a role, or a name of `find`.
        assignee: Option<Spanned<String>>,
    }
}

form! {
    /// Sends a message.
    pub struct SayActForm {
        /// Sender: a role, `assignee`, or a name of `find`.
        by: Spanned<String>,
        /// Kind of message [default: text].
        kind: Option<Spanned<String>>,
        /// Text of the message.
        text: Option<SyntaxNode>,
        /// Data of the kind.
        data: TableOf<SyntaxNode>,
    }
}

form! {
    /// Assigns the conversation to a person or a queue.
    pub struct AssignActForm {
        /// Who assigns: a role, `assignee`, or a name of `find`.
        by: Spanned<String>,
        /// New assignee: a role, or a name of `find` [default: a queue].
        to: Option<Spanned<String>>,
        /// Skill of the queue.
        skill: Option<SyntaxNode>,
    }
}

form! {
    /// Stores variables.
    pub struct SetActForm {
        /// Who sets them: a role, `assignee`, or a name of `find`.
        by: Spanned<String>,
        /// Owner of the variables.
        scope: Spanned<VariableScope>,
        /// A table of values by name, or a list of tables with `name` and `value`.
        variables: SyntaxNode,
    }
}

form! {
    /// Closes the conversation.
    pub struct CloseActForm {
        /// Who closes it: a role, `assignee`, or a name of `find`.
        by: Spanned<String>,
    }
}

form! {
    /// Creates or changes a person of the account.
    pub struct PersonActForm {
        /// Role.
        role: Spanned<Role>,
        /// Id of the person in the receiver's system.
        external_key: SyntaxNode,
        /// Data to set: `name`, `email`, `phone`, `variables`.
        with: TableOf<SyntaxNode>,
    }
}

form! {
    /// Subscribes a URL to events.
    pub struct SubscribeActForm {
        /// Subscriptions that this one replaces: those of the same group.
        group: SyntaxNode,
        /// URL of the receiver.
        url: SyntaxNode,
        /// List of patterns of event types [default: the vendor's default subscription].
        types: Option<SyntaxNode>,
        /// Whether events are sent [default: true].
        enabled: Option<SyntaxNode>,
        /// Secrets of the account that have another value for this URL.
        secret: TableOf<SyntaxNode>,
    }
}

form! {
    /// A response. At most one of `json`, `template` and `text` is its body.
    pub struct ReplyForm {
        /// Status [default: 200].
        status: Option<Spanned<u64>>,
        /// Headers besides those of `[api]`.
        header: TableOf<Spanned<String>>,
        /// Body as an inline template.
        json: Option<SyntaxNode>,
        /// Body as the file of a template.
        template: Option<Spanned<String>>,
        /// Values for the template: `with.…`.
        with: TableOf<SyntaxNode>,
        /// Body as a text.
        text: Option<Spanned<String>>,
    }
}

form! {
    /// A response to calls that fail.
    pub struct ErrorForm {
        /// A condition, a list of conditions, or a table of matchers.
        when: SyntaxNode,
        /// The response.
        reply: ReplyForm,
    }
}

form! {
    /// A call that succeeds in a conversation that has just been opened.
    pub struct ExampleForm {
        /// Parameters of the path.
        path: TableOf<SyntaxNode>,
        /// Parameters of the query.
        query: TableOf<SyntaxNode>,
        /// JSON body.
        json: Option<SyntaxNode>,
    }
}
