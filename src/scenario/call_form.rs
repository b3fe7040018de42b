//! The tables of a scenario about calls of the receiver to the vendor's API.

use jiff::SignedDuration;
use serde_json::Value as Json;

use crate::diag::{Form, NodeContent, NonEmpty, OneOrMore, Problems, Spanned, SyntaxNode};
use crate::form;
use crate::matcher::ValueMatchers;

form! {
    /// A call of the receiver to the vendor's API that has to come.
    pub(super) struct ExpectForm {
        /// Neutral name of the call, such as `send_message`.
        call: Spanned<String>,
        /// Values of the call, by name or by JSON pointer into its body: a value, or conditions.
        matches ("match"): Option<CallMatchForm>,
        /// Maximum wall time until the call comes. Default: `5s`.
        within: Option<Spanned<SignedDuration>>,
        /// Status of the vendor's response. Default: `2xx`.
        status: Option<OneOrMore<Spanned<String>>>,
        /// What the call gets in place of the vendor's response.
        respond: Option<RespondForm>,
    }
}

form! {
    /// What a call gets in place of the vendor's response. With another status than 2xx, the call
    /// changes nothing.
    pub(super) struct RespondForm {
        /// Status. Default: that of the vendor.
        status: Option<Spanned<u64>>,
        /// Body: a text, or a table that is sent as JSON. Default: that of the vendor, or nothing for an
        /// error.
        body: Option<SyntaxNode>,
        /// Wall time before the response.
        delay: Option<Spanned<SignedDuration>>,
        /// `true` never responds. The connection stays open. Default: false.
        hang: Option<Spanned<bool>>,
    }
}

form! {
    /// What happens whenever a call of the receiver comes, until the end of the conversation.
    pub struct OnForm {
        /// Neutral name of the call, such as `send_message`.
        call: Spanned<String>,
        /// Values of the call, by name or by JSON pointer into its body: a value, or conditions.
        matches ("match"): Option<CallMatchForm>,
        /// Actions, each a table such as `{ assign = { to = "grace" } }`. They happen after the response.
        do_ ("do"): NonEmpty<SyntaxNode>,
    }
}

form! {
    /// A call of the receiver to the vendor's API that must not come.
    pub(super) struct ExpectNoneForm {
        /// Neutral name of the call; `*` is every call that changes something or fails.
        call: Spanned<String>,
        /// Values of the call, by name or by JSON pointer into its body: a value, or conditions.
        matches ("match"): Option<CallMatchForm>,
        /// Wall time during which no such call comes. Default: `1s`.
        for_ ("for"): Option<Spanned<SignedDuration>>,
    }
}

/// Matchers of a call, with the texts in them that have placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallMatchForm {
    pub(super) matchers: ValueMatchers,
    node: SyntaxNode,
}

impl CallMatchForm {
    /// Returns the matchers as they are written.
    pub(super) fn to_json(&self) -> Json {
        self.node.to_json()
    }

    /// Returns the texts with placeholders.
    pub(super) fn texts(&self) -> Vec<&SyntaxNode> {
        let mut texts = Vec::new();
        collect_texts(&self.node, &mut texts);
        texts
    }
}

impl Form for CallMatchForm {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        let matchers = ValueMatchers::read(node, problems)?;
        Some(Self { matchers, node: node.clone() })
    }

    fn schema() -> Json {
        ValueMatchers::schema()
    }
}

/// Collects the texts of a matcher that have placeholders. Regular expressions have none: `${` is valid
/// in them.
fn collect_texts<'a>(node: &'a SyntaxNode, texts: &mut Vec<&'a SyntaxNode>) {
    match &node.content {
        NodeContent::Text(text) if text.contains("${") => texts.push(node),
        NodeContent::List(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        NodeContent::Table(table) => {
            let values = table.0.iter().filter(|(key, _)| key.name != "regex");
            values.for_each(|(_, value)| collect_texts(value, texts));
        }
        _ => {}
    }
}
