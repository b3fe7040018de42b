//! Output of the template compiler, under construction.

use super::json_template::{TemplateOp, TemplateOps};

/// Comma and key to write before a value. They must not be written if the value is absent.
#[derive(Clone, Default)]
pub(super) struct MemberLead {
    /// Comma before the value.
    pub(super) comma: CommaState,
    /// Operations that write the key and the colon; empty in a list.
    pub(super) key: Vec<TemplateOp>,
    /// True if the place accepts several values: in a list, and in the parts of `$merge`.
    pub(super) accepts_many: bool,
}

/// What is known, at compile time, about the comma before a value.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum CommaState {
    /// No comma: the value is not part of a list or object.
    #[default]
    Never,
    /// A comma unless the value is the first. This is decided when the template is rendered, since
    /// all values before it are optional.
    IfNotFirst,
    /// A comma: a value before it is always written.
    Always,
}

impl MemberLead {
    /// Lead of a value that is not part of a list or object.
    pub(super) const NONE: Self =
        Self { comma: CommaState::Never, key: Vec::new(), accepts_many: false };

    /// Creates the lead of a list or object member. `has_first` is true if a member before it is
    /// always written.
    pub(super) fn after(has_first: bool) -> Self {
        let comma = if has_first { CommaState::Always } else { CommaState::IfNotFirst };
        Self { comma, ..Self::NONE }
    }
}

/// A growing list of operations, which joins adjacent chunks of text.
#[derive(Default)]
pub(super) struct OpBuffer {
    ops: Vec<TemplateOp>,
    /// Text that is not part of an operation yet.
    chunk: String,
}

impl OpBuffer {
    pub(super) fn chunk(&mut self, text: &str) {
        self.chunk.push_str(text);
    }

    pub(super) fn push(&mut self, op: TemplateOp) {
        match op {
            // Adjacent text becomes one operation, so that rendering copies it in one piece.
            TemplateOp::Chunk(text) => self.chunk(&text),
            op => {
                self.end_chunk();
                self.ops.push(op);
            }
        }
    }

    fn end_chunk(&mut self) {
        if !self.chunk.is_empty() {
            self.ops.push(TemplateOp::Chunk(std::mem::take(&mut self.chunk).into()));
        }
    }

    /// Returns all operations.
    pub(super) fn into_ops(mut self) -> TemplateOps {
        self.end_chunk();
        self.ops.into()
    }
}
