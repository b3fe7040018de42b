//! The structure of the sections about a vendor's API.

use jiff::SignedDuration;

pub(super) use super::list_form::ListForm;
use crate::conversation::{Role, VariableScope};
use crate::diag::{OneOrMore, Spanned, SyntaxNode, TableOf};
use crate::form;
use crate::platform::pointer::Pointer;
use crate::platform::source_form::SourceForm;

form! {
    /// The vendor's API as a whole.
    pub struct ApiForm {
        /// Parameter of paths that names the account [default: calls do not name it].
        account: Option<ApiAccountForm>,
        /// The schema of its GraphQL API.
        graphql: Option<GraphqlForm>,
        /// Host names at which clients expect the API, such as `api.acme.example` or `*.acme.example`.
        hosts: Vec<Spanned<String>>,
        /// How web pages of this machine may call it [default: they may not].
        cors: Option<CorsForm>,
        /// Headers of every response.
        header: TableOf<Spanned<String>>,
        /// Lists that those of operations can be based on (`like`), by name.
        list: TableOf<ListForm>,
        /// Responses to calls that fail, for all routes.
        error: Vec<ErrorForm>,
    }
}

form! {
    /// A GraphQL API.
    pub struct GraphqlForm {
        /// Files with the types, relative to the folder.
        schema: Vec<Spanned<String>>,
        /// `extensions.code` of errors of fields [default: `INTERNAL_SERVER_ERROR`].
        code: Option<Spanned<String>>,
    }
}

form! {
    /// How web pages may call an API.
    pub struct CorsForm {
        /// Whether their calls may have cookies [default: false].
        credentials: Option<Spanned<bool>>,
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
    /// What the response to a call is that is performed for each element of a list.
    pub enum Gather {
        /// The list of the responses.
        List = "list",
        /// Their number.
        Count = "count",
    }
}

crate::string_enum! {
    /// How the body of a call is read.
    pub enum BodyProtocol {
        /// The body is ignored.
        None = "none",
        /// A JSON document: `call.body`.
        Json = "json",
        /// A list of JSON documents. Each is an operation with its own result: `call.body`.
        JsonBatch = "json-batch",
        /// A form: urlencoded, multipart, a JSON object, or nothing: `call.body`.
        Form = "form",
        /// A file: the body itself, or the first file of a multipart form.
        File = "file",
        /// A GraphQL request. Each field with an operation is a call: `call.body` are its arguments.
        Graphql = "graphql",
    }
}

form! {
    /// A place of the API. Without an `[[operation]]`, it is an operation itself.
    pub struct RouteForm {
        /// Unique name.
        name: Spanned<String>,
        /// HTTP methods.
        method: OneOrMore<Spanned<String>>,
        /// Paths; `{name}` is a parameter, `{name=one|two}` one that has these values only.
        path: OneOrMore<Spanned<String>>,
        /// Parameters of the query that a call must have, with their values.
        query: TableOf<Spanned<String>>,
        /// Credentials that a call needs, all of them. A list among them: one of them.
        auth: Vec<OneOrMore<Spanned<String>>>,
        /// Limits of its calls: names of `[[throttle]]`.
        throttle: Option<OneOrMore<Spanned<String>>>,
        /// How the body is read.
        body: Spanned<BodyProtocol>,
        /// Status of a response to a batch of which an element fails [default: the highest of the
        /// elements].
        batch_status: Option<Spanned<String>>,
        /// Neutral name of the call [default: the name].
        call: Option<Spanned<String>>,
        /// Named values of the call: `field.…`.
        fields: TableOf<SyntaxNode>,
        /// What the call is about, in order.
        find: Vec<FindForm>,
        /// Actions that the call causes: all of them, or none.
        act: Vec<ActForm>,
        /// A page of things for the response: `list.…`.
        list: Option<ListForm>,
        /// How long the response waits for the script of the conversation, which gives
        /// `settled.messages` [default: not at all].
        settle: Option<Spanned<SignedDuration>>,
        /// Response, also of operations without their own.
        reply: Option<ReplyForm>,
        /// Responses to calls that fail.
        error: Vec<ErrorForm>,
        /// Mistakes that the vendor accepts, and that are reported.
        warn: Vec<WarnForm>,
        /// JSON pointers to arguments that have no effect at the vendor either. Others that the
        /// operation does not read are noted.
        ignores: Vec<Spanned<Pointer>>,
        /// JSON pointers to secrets in the body. Records do not show them.
        secret: Vec<Spanned<String>>,
        /// A call that succeeds.
        example: Option<ExampleForm>,
        /// Source of the facts [default: that of the section].
        source: Option<SourceForm>,
    }
}

form! {
    /// A mistake that the vendor accepts.
    pub struct WarnForm {
        /// Matchers, by JSON pointer into the body or by path. All must hold.
        when: TableOf<SyntaxNode>,
        /// Description for the report.
        text: Spanned<String>,
    }
}

form! {
    /// What is asked at a route. The first operation that matches is performed.
    pub struct OperationForm {
        /// List of `[variants]` for each of which the entry is repeated.
        repeated_for ("for"): Option<Spanned<String>>,
        /// Name of the route.
        route: Spanned<String>,
        /// Unique name.
        name: Spanned<String>,
        /// Neutral name of the call [default: the name].
        call: Option<Spanned<String>>,
        /// Field of a GraphQL API, such as `Mutation.addOrder`.
        field: Option<Spanned<String>>,
        /// Credentials that it needs besides those of the route, all of them. A list among them: one
        /// of them.
        auth: Vec<OneOrMore<Spanned<String>>>,
        /// Matchers, by JSON pointer into the body or by path. All must hold.
        matches ("match"): TableOf<SyntaxNode>,
        /// JSON pointer to a list in the body: the operation is performed for each element, which takes
        /// the place of the list, and the response is the list of the responses.
        split: Option<Spanned<String>>,
        /// Conversations whose ids are the list of `split`, in place of one in the body.
        over: Option<ListForm>,
        /// What the response to a `split` call is [default: list].
        gather: Option<Spanned<Gather>>,
        /// Named values of the call: `field.…`.
        fields: TableOf<SyntaxNode>,
        /// What the call is about, in order, after that of the route.
        find: Vec<FindForm>,
        /// Actions that the call causes: all of them, or none.
        act: Vec<ActForm>,
        /// A page of things for the response: `list.…`.
        list: Option<ListForm>,
        /// How long the response waits for the script of the conversation, which gives
        /// `settled.messages` [default: not at all].
        settle: Option<Spanned<SignedDuration>>,
        /// Response [default: that of the route].
        reply: Option<ReplyForm>,
        /// Responses to calls that fail, before those of the route.
        error: Vec<ErrorForm>,
        /// Mistakes that the vendor accepts, and that are reported.
        warn: Vec<WarnForm>,
        /// JSON pointers to arguments that have no effect at the vendor either. Others that the
        /// operation does not read are noted.
        ignores: Vec<Spanned<Pointer>>,
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
        /// The conversation of a dialog, by one of the dialog's ids.
        dialog: Option<TableOf<SyntaxNode>>,
        /// A visitor, by an id, `external_key` or `email`.
        visitor: Option<TableOf<SyntaxNode>>,
        /// An agent, by an id, `external_key` or `email`.
        agent: Option<TableOf<SyntaxNode>>,
        /// A bot, by an id, `external_key` or `email`.
        bot: Option<TableOf<SyntaxNode>>,
        /// A file: its `path`, the signature of a `link` to it, and `stored = true` for one that was
        /// uploaded.
        file: Option<TableOf<SyntaxNode>>,
        /// An entity: its `kind`, and values of its ids or fields.
        entity: Option<TableOf<SyntaxNode>>,
        /// A document: its `kind`, and the values of its ids.
        document: Option<TableOf<SyntaxNode>>,
        /// Name of what is found [default: its kind].
        name ("as"): Option<Spanned<String>>,
        /// Whether all conversations or entities with these values are found [default: false]. A list
        /// means one of its values.
        all: Option<Spanned<bool>>,
        /// Creates an unknown person with these data: `name`, `email`, `phone`, `variables`.
        create: Option<TableOf<SyntaxNode>>,
        /// Whether it may be missing [default: false].
        optional: Option<Spanned<bool>>,
        /// Whether the call may lack the values by which it is found [default: false]. What it names
        /// must exist.
        if_given: Option<Spanned<bool>>,
    }
}

form! {
    /// An action that a call causes: exactly one key besides `when`, `each` and `quiet`.
    pub struct ActForm {
        /// Matchers, by JSON pointer into the body or by path. The action needs all of them.
        when: TableOf<SyntaxNode>,
        /// Performs the action for each element: `NAME in PATH`.
        each: Option<Spanned<String>>,
        /// Whether the vendor sends nothing for the action [default: false].
        quiet: Option<Spanned<bool>>,
        /// Opens a conversation.
        open: Option<OpenActForm>,
        /// Sends a message.
        say: Option<SayActForm>,
        /// Starts or stops typing.
        typing: Option<TypingActForm>,
        /// Joins the conversation.
        join: Option<JoinActForm>,
        /// Leaves the conversation.
        leave: Option<LeaveActForm>,
        /// Adds a note.
        note: Option<NoteActForm>,
        /// Adds or removes labels.
        label: Option<LabelActForm>,
        /// Marks the messages of the other side as read.
        read: Option<ReadActForm>,
        /// Assigns the conversation to a person or a queue.
        assign: Option<AssignActForm>,
        /// Starts a flow of the bot.
        flow: Option<FlowActForm>,
        /// Stores variables.
        set: Option<SetActForm>,
        /// Rates the conversation.
        rate: Option<RateActForm>,
        /// Sends an event that no other action causes.
        emit: Option<EmitActForm>,
        /// Closes the conversation.
        close: Option<CloseActForm>,
        /// Reopens the conversation.
        reopen: Option<ReopenActForm>,
        /// Creates or changes a person of the account.
        person: Option<PersonActForm>,
        /// Subscribes a URL to events, after the vendor's handshake with it.
        subscribe: Option<SubscribeActForm>,
        /// Ends the subscriptions of a group.
        unsubscribe: Option<UnsubscribeActForm>,
        /// Creates an entity.
        create_entity: Option<CreateEntityActForm>,
        /// Gives conversations to another visitor.
        hand_over: Option<HandOverActForm>,
        /// Changes an entity.
        update_entity: Option<UpdateEntityActForm>,
        /// Deletes an entity.
        delete_entity: Option<DeleteEntityActForm>,
        /// Creates a document.
        create: Option<CreateActForm>,
        /// Replaces the content of a document.
        replace: Option<ReplaceActForm>,
        /// Deletes a document.
        delete: Option<DeleteActForm>,
        /// Creates a link to a file: `link.…` and `file.…`.
        link: Option<LinkActForm>,
        /// Stores the file that the call transfers.
        store: Option<StoreActForm>,
        /// Issues a token: `issued.…`.
        issue: Option<IssueActForm>,
        /// Revokes the token that the call presents.
        revoke: Option<RevokeActForm>,
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
        /// Skill of the queue; a text that begins with `=` is the vendor's own word.
        skill: Option<SyntaxNode>,
        /// Refuses the call as `refused.open` if the visitor has an open conversation
        /// [default: false].
        single: Option<Spanned<bool>>,
        /// Ids that the client chooses, by their names in `[ids]`. An id without a value is
        /// generated.
        ids: TableOf<SyntaxNode>,
        /// Whether the vendor does not store the conversation: it sends nothing about it, no list has
        /// it, and no other call finds it [default: false].
        hidden: Option<SyntaxNode>,
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
    /// Starts or stops typing.
    pub struct TypingActForm {
        /// Who types: a role, `assignee`, or a name of `find`.
        by: Spanned<String>,
        /// True to start, false to stop.
        on: Spanned<bool>,
    }
}

form! {
    /// Joins the conversation.
    pub struct JoinActForm {
        /// Who joins: a role, or a name of `find`.
        by: Spanned<String>,
    }
}

form! {
    /// Leaves the conversation.
    pub struct LeaveActForm {
        /// Who leaves: a role, `assignee`, or a name of `find`.
        by: Spanned<String>,
    }
}

form! {
    /// Marks messages as read.
    pub struct ReadActForm {
        /// Who reads: a role, `assignee`, or a name of `find`.
        by: Spanned<String>,
    }
}

form! {
    /// Rates the conversation.
    pub struct RateActForm {
        /// Who rates: a role, or a name of `find`.
        by: Spanned<String>,
        /// Score from 1 to 5.
        score: SyntaxNode,
        /// Comment.
        comment: Option<SyntaxNode>,
    }
}

form! {
    /// Sends an event that no other action causes.
    pub struct EmitActForm {
        /// Whom the event is about: a role, `assignee`, or a name of `find`.
        by: Spanned<String>,
        /// The vendor's name of the event.
        event_type ("type"): Spanned<String>,
        /// Content of the event.
        data: TableOf<SyntaxNode>,
    }
}

form! {
    /// Adds or removes labels: exactly one of the two lists.
    pub struct LabelActForm {
        /// Who labels: a role, `assignee`, or a name of `find`.
        by: Spanned<String>,
        /// Labels to add: a list, or one of them.
        add: Option<SyntaxNode>,
        /// Labels to remove.
        remove: Option<SyntaxNode>,
    }
}

form! {
    /// Starts a flow of the bot.
    pub struct FlowActForm {
        /// Who starts it: a role, `assignee`, or a name of `find`.
        by: Spanned<String>,
        /// Name of the flow; a text that begins with `=` is the vendor's own id.
        name: SyntaxNode,
        /// Number of its states [default: 1].
        states: Option<Spanned<i64>>,
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
    /// Adds a note that is hidden from the visitor.
    pub struct NoteActForm {
        /// Who writes it: a role, `assignee`, or a name of `find`.
        by: Spanned<String>,
        /// Text.
        text: SyntaxNode,
    }
}

form! {
    /// Reopens a closed conversation.
    pub struct ReopenActForm {
        /// Who reopens it: a role, `assignee`, or a name of `find`.
        by: Spanned<String>,
    }
}

form! {
    /// Closes the conversation.
    pub struct CloseActForm {
        /// Who closes it: a role, `assignee`, or a name of `find`.
        by: Spanned<String>,
        /// Whether a survey follows [default: false].
        survey: Option<Spanned<bool>>,
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
        /// Whether the vendor tests the URL first [default: true].
        handshake: Option<Spanned<bool>>,
        /// Whether events are sent [default: true].
        enabled: Option<SyntaxNode>,
        /// Headers of its requests besides the vendor's: a list of tables with `name` and `value`.
        headers: Option<SyntaxNode>,
        /// Secrets of the account that have another value for this URL.
        secret: TableOf<SyntaxNode>,
    }
}

form! {
    /// Ends subscriptions.
    pub struct UnsubscribeActForm {
        /// Group whose subscriptions end.
        group: SyntaxNode,
    }
}

form! {
    /// Creates an entity.
    pub struct CreateEntityActForm {
        /// Kind of entity, which is its name for later actions and the response.
        entity: Spanned<String>,
        /// Who creates it: a role, or a name of `find`.
        by: Spanned<String>,
        /// Its fields. Others that can be absent are absent.
        with: SyntaxNode,
        /// Ids that are chosen, by their names in `[ids]`. An id without a value is generated.
        ids: TableOf<SyntaxNode>,
    }
}

form! {
    /// Gives conversations to another visitor, also what the earlier one has written.
    pub struct HandOverActForm {
        /// Name that `find` gives them.
        conversation: Spanned<String>,
        /// The visitor: a name of `find`.
        to: Spanned<String>,
    }
}

form! {
    /// Changes an entity.
    pub struct UpdateEntityActForm {
        /// Name that `find` gives the entity.
        entity: Spanned<String>,
        /// Who changes it: a role, or a name of `find`.
        by: Spanned<String>,
        /// Fields to set. Null removes a field.
        with: SyntaxNode,
    }
}

form! {
    /// Deletes an entity.
    pub struct DeleteEntityActForm {
        /// Name that `find` gives the entity.
        entity: Spanned<String>,
        /// Who deletes it: a role, or a name of `find`.
        by: Spanned<String>,
    }
}

form! {
    /// Creates a document.
    pub struct CreateActForm {
        /// Kind of document.
        document: Spanned<String>,
        /// Content.
        value: SyntaxNode,
    }
}

form! {
    /// Replaces the content of a document.
    pub struct ReplaceActForm {
        /// Name that `find` gives the document.
        document: Spanned<String>,
        /// Content.
        value: SyntaxNode,
    }
}

form! {
    /// Deletes a document.
    pub struct DeleteActForm {
        /// Name that `find` gives the document.
        document: Spanned<String>,
    }
}

form! {
    /// Creates a link with which a file is transferred.
    pub struct LinkActForm {
        /// Path of a new file. It can have generated values.
        path: Option<Spanned<String>>,
        /// Name that `find` gives the file [default: a new file].
        file: Option<Spanned<String>>,
        /// Secret part of the URL, such as `${new.hex:40}`.
        signature: Spanned<String>,
        /// How long the link is valid.
        life: Spanned<SignedDuration>,
    }
}

form! {
    /// Stores a file.
    pub struct StoreActForm {
        /// Name that `find` gives the file.
        file: Spanned<String>,
    }
}

form! {
    /// Issues a token.
    pub struct IssueActForm {
        /// Credential of the token.
        credential: Spanned<String>,
        /// Claims besides those of the credential.
        claims: TableOf<SyntaxNode>,
    }
}

form! {
    /// Revokes a token.
    pub struct RevokeActForm {
        /// Credential whose token the call presents.
        credential: Spanned<String>,
    }
}

form! {
    /// A response. At most one of `json`, `template`, `text` and `file` is its body.
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
        /// Body as a file: its name.
        file: Option<Spanned<String>>,
        /// Wall time before the response.
        delay: Option<Spanned<SignedDuration>>,
        /// Whether the call never gets a response [default: false].
        hang: Option<Spanned<bool>>,
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
        /// Headers.
        header: TableOf<Spanned<String>>,
        /// JSON body.
        json: Option<SyntaxNode>,
        /// Body as a form.
        form: TableOf<SyntaxNode>,
        /// Arguments of a field of a GraphQL API.
        args: TableOf<SyntaxNode>,
        /// Claims of the tokens that it presents, by credential [default: those of the credential].
        claims: TableOf<TableOf<Spanned<String>>>,
    }
}
