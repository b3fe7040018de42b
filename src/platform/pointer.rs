//! JSON pointers in files.

use crate::diag::{Problem, Scalar, SyntaxNode, code};

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
        let help = format!("a JSON pointer starts with a slash: `/{}`", text.replace('.', "/"));
        Err(Problem::at(&node.span, code::INVALID_POINTER, message).help(help))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "pattern": "^/"})
    }
}
