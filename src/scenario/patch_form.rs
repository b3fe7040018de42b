//! `patch` of a step, as it is written.

use serde_json::{Value as Json, json};

use crate::diag::{Form, Key, Problems, SourceSpan, SyntaxNode, TableOf};

/// Changes by JSON pointer, as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchForm {
    pub(super) span: SourceSpan,
    pub(super) changes: Vec<(Key, SyntaxNode)>,
}

impl Form for PatchForm {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        let table = TableOf::<SyntaxNode>::read(node, problems)?;
        Some(Self { span: node.span.clone(), changes: table.entries() })
    }

    fn schema() -> Json {
        let flag = |name: &str, about: &str| {
            json!({
                "type": "object",
                "description": about,
                "properties": {name: {"const": true}},
                "required": [name],
                "additionalProperties": false,
            })
        };
        json!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": "^(/([^~]|~[01])*)?$"},
            "additionalProperties": {"anyOf": [
                flag("null", "The value becomes null."),
                flag("remove", "The key or element is removed."),
                {"description": "The new value."},
            ]},
        })
    }
}
