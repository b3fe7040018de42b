//! The structure of `[bot]`: what the bundled receiver calls when it plays a bot.

use super::forms::ExampleForm;
use super::token_place::TokenPlace;
use crate::diag::{OneOrMore, Spanned, SyntaxNode, TableOf};
use crate::form;
use crate::platform::pointer::Pointer;

form! {
    /// The calls of a bot that responds to webhooks through the API.
    pub struct BotForm {
        /// Scenario that shows the bot: a bundled scenario or a file.
        story: Option<Spanned<String>>,
        /// Values of a webhook, as JSON pointers into its body: `bot.…`. They lead into texts that
        /// contain JSON too. The first pointer with a value is used.
        read: TableOf<OneOrMore<Spanned<Pointer>>>,
        /// Calls that log in. They are repeated after a response with the status 401.
        log_in: Vec<BotCallForm>,
        /// Calls that open a conversation, if clients of the API open conversations.
        open: Vec<BotCallForm>,
        /// Calls in response to webhooks. The first that matches is made.
        reply: Vec<BotReplyForm>,
    }
}

form! {
    /// A call of a bot.
    pub struct BotCallForm {
        /// Name of the operation, or of the route without operations.
        operation: Spanned<String>,
        /// The call. Its credentials are added.
        call: ExampleForm,
        /// Tokens in the response, as JSON pointers or `cookie:NAME`, by credential. Later calls
        /// present them.
        token: TableOf<Spanned<TokenPlace>>,
        /// Values of the response, as JSON pointers: `bot.…` in later calls.
        keep: TableOf<Spanned<Pointer>>,
    }
}

form! {
    /// A call of a bot in response to a webhook.
    pub struct BotReplyForm {
        /// Matchers of the webhook, by JSON pointer into its body or by path. All must hold.
        matches ("match"): TableOf<SyntaxNode>,
        /// Name of the operation, or of the route without operations.
        operation: Spanned<String>,
        /// The call. Its credentials are added.
        call: ExampleForm,
    }
}
