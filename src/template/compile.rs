//! Template compiler: values, lists and strings.
//!
//! `construct` compiles the constructs such as `$each`, `member` the members of objects, and `expr`
//! the placeholders.

use super::context::CompileContext;
use super::expr::{self, ExprScope, TypedExpr};
use super::json_style::JsonStyle;
use super::json_template::{JsonTemplate, RequiredValue, TemplateOp, TextPart};
use super::op_buffer::{CommaState, MemberLead, OpBuffer};
use super::placeholder::{self, Placeholder, TextPiece};
use crate::base::limits::MAX_PLACEHOLDERS;
use crate::diag::{Code, NodeContent, Problem, Problems, SourceSpan, SyntaxNode, Table, code};

/// Compiles a template. If it has mistakes, all of them are added to `problems`.
pub fn compile(
    node: &SyntaxNode,
    context: &CompileContext<'_>,
    style: JsonStyle,
    problems: &mut Problems,
) -> Option<JsonTemplate> {
    compile_in(ExprScope::default(), node, context, style, problems)
}

/// Compiles data in which the elements of a list have positions: an absent element is null.
pub fn compile_positional(
    node: &SyntaxNode,
    context: &CompileContext<'_>,
    style: JsonStyle,
    problems: &mut Problems,
) -> Option<JsonTemplate> {
    let scope = ExprScope { null_in_lists: true, ..ExprScope::default() };
    compile_in(scope, node, context, style, problems)
}

fn compile_in(
    scope: ExprScope,
    node: &SyntaxNode,
    context: &CompileContext<'_>,
    style: JsonStyle,
    problems: &mut Problems,
) -> Option<JsonTemplate> {
    let compiled = compile_value(scope, node, context, style, problems);
    if compiled.as_ref().is_some_and(|compiled| compiled.optional) {
        let message = "the whole body can be absent";
        problems.push(Problem::at(&node.span, code::OPTIONAL_PATH, message));
        return None;
    }
    compiled.map(|compiled| compiled.template)
}

/// A compiled template of one value.
pub(super) struct CompiledValue {
    pub(super) template: JsonTemplate,
    /// True if the template can write nothing.
    pub(super) optional: bool,
    /// Values that rendering needs, although they can be absent.
    pub(super) required: Vec<RequiredValue>,
}

/// Compiles a template of a value that can be absent.
pub(super) fn compile_value(
    scope: ExprScope,
    node: &SyntaxNode,
    context: &CompileContext<'_>,
    style: JsonStyle,
    problems: &mut Problems,
) -> Option<CompiledValue> {
    let before = problems.len();
    let mut compiler = TemplateCompiler {
        context,
        style,
        scope,
        problems,
        placeholders: 0,
        included_bytes: 0,
        includes: Vec::new(),
        required: Vec::new(),
    };
    let mut out = OpBuffer::default();
    let optional = !compiler.item(&MemberLead::NONE, node, &mut out);
    let (placeholders, required) = (compiler.placeholders, compiler.required);
    if placeholders > MAX_PLACEHOLDERS {
        let message =
            format!("the template has {placeholders} placeholders, more than {MAX_PLACEHOLDERS}");
        let problem = Problem::at(&node.span, code::TOO_MANY, message);
        problems.push(problem.help("placeholders of included files count as well"));
    }
    let template = (problems.len() == before).then(|| JsonTemplate::new(out.into_ops(), style))?;
    Some(CompiledValue { template, optional, required })
}

/// State of the compilation of one template.
pub(super) struct TemplateCompiler<'a> {
    pub(super) context: &'a CompileContext<'a>,
    pub(super) style: JsonStyle,
    pub(super) scope: ExprScope,
    pub(super) problems: &'a mut Problems,
    /// Number of placeholders so far, includes counted.
    pub(super) placeholders: usize,
    /// Size of the included files so far, in bytes.
    pub(super) included_bytes: usize,
    /// Files that are being included, outermost first.
    pub(super) includes: Vec<String>,
    /// Values that rendering needs, although they can be absent.
    pub(super) required: Vec<RequiredValue>,
}

impl TemplateCompiler<'_> {
    pub(super) fn problem(&mut self, span: &SourceSpan, code: Code, message: impl Into<String>) {
        self.problems.push(Problem::at(span, code, message));
    }

    /// Compiles a node at a place for a value. Returns true if a value is always written.
    pub(super) fn item(
        &mut self,
        lead: &MemberLead,
        node: &SyntaxNode,
        out: &mut OpBuffer,
    ) -> bool {
        match &node.content {
            NodeContent::Text(text) => self.text_item(lead, text, node, out),
            NodeContent::Table(table) => match construct_of(table) {
                Some("$if") => self.if_construct(lead, node, table, out),
                Some("$each") => self.each_construct(lead, node, table, out),
                _ => {
                    self.lead(lead, out);
                    self.table(node, table, out);
                    true
                }
            },
            NodeContent::List(items) => {
                self.lead(lead, out);
                self.list(items, out);
                true
            }
            NodeContent::Null
            | NodeContent::Bool(_)
            | NodeContent::Int(_)
            | NodeContent::Number(_) => {
                self.lead(lead, out);
                // Formatted now, so that rendering only copies it.
                out.chunk(&self.style.format(&node.to_json()));
                true
            }
        }
    }

    /// Writes the comma and the key.
    fn lead(&self, lead: &MemberLead, out: &mut OpBuffer) {
        match lead.comma {
            CommaState::Never => {}
            CommaState::IfNotFirst => out.push(TemplateOp::Comma),
            CommaState::Always => out.chunk(self.style.comma()),
        }
        for op in &lead.key {
            out.push(op.clone());
        }
    }

    fn text_item(
        &mut self,
        lead: &MemberLead,
        text: &str,
        node: &SyntaxNode,
        out: &mut OpBuffer,
    ) -> bool {
        let pieces = placeholder::split(text, &node.span, self.problems);
        let [TextPiece::Placeholder(placeholder)] = pieces.as_slice() else {
            let parts = self.parts(pieces);
            self.lead(lead, out);
            out.push(parts);
            return true;
        };
        // After a mistake, assume that a value is written: a report that it can be absent would
        // only follow from the mistake.
        let Some(checked) = self.placeholder(placeholder) else { return true };
        if let Some(problem) = checked.problem_as_value(&placeholder.span) {
            self.problems.push(problem);
            return true;
        }
        // The elements of a list in a scenario have positions, so an absent one is null.
        let is_null_if_absent = lead.accepts_many && self.scope.null_in_lists;
        if !checked.optional || is_null_if_absent {
            self.lead(lead, out);
            out.push(TemplateOp::Value(checked.expr));
            return true;
        }
        // The comma and the key depend on the value: an absent value omits all three.
        let mut inner = OpBuffer::default();
        self.lead(lead, &mut inner);
        inner.push(TemplateOp::Value(checked.expr.clone()));
        out.push(TemplateOp::IfPresent(checked.expr, inner.into_ops()));
        false
    }

    /// Compiles a string to one operation.
    pub(super) fn parts(&mut self, pieces: Vec<TextPiece>) -> TemplateOp {
        let mut parts = Vec::new();
        for piece in pieces {
            match piece {
                TextPiece::Text(text) => {
                    let mut escaped = String::new();
                    self.style.write_escaped(&text, &mut escaped);
                    parts.push(TextPart::Text(escaped.into()));
                }
                TextPiece::Placeholder(placeholder) => {
                    let checked = self.placeholder(&placeholder);
                    parts.extend(
                        checked.and_then(|checked| self.inside_text(checked, &placeholder.span)),
                    );
                }
            }
        }
        match parts.as_slice() {
            [] => TemplateOp::Chunk("\"\"".into()),
            [TextPart::Text(text)] => TemplateOp::Chunk(format!("\"{text}\"").into()),
            _ => TemplateOp::Text(parts.into()),
        }
    }

    fn inside_text(&mut self, checked: TypedExpr, span: &SourceSpan) -> Option<TextPart> {
        if let Some(problem) = checked.problem_in_text(span) {
            self.problems.push(problem);
            return None;
        }
        Some(TextPart::Value(checked.expr))
    }

    /// Compiles a placeholder.
    pub(super) fn placeholder(&mut self, placeholder: &Placeholder) -> Option<TypedExpr> {
        self.placeholders += 1;
        // A generated value must be stored: several bodies can contain the same id.
        if placeholder.generator.is_some() {
            let message = "`${new.…}` is allowed only in `[account]`, `[secret]` and `[ids]`";
            let problem = Problem::at(&placeholder.span, code::GENERATED_VALUE, message);
            self.problems.push(problem.help("generate the value in `[ids]` and use its name here"));
            return None;
        }
        let checked = expr::check(placeholder, self.context, &self.scope, self.problems)?;
        if checked.required {
            let expr = checked.expr.clone();
            self.required.push(RequiredValue { expr, branches: Vec::new() });
        }
        Some(checked)
    }

    fn list(&mut self, items: &[SyntaxNode], out: &mut OpBuffer) {
        out.chunk("[");
        let mut has_first = false;
        for item in items {
            let lead = MemberLead { accepts_many: true, ..MemberLead::after(has_first) };
            has_first |= self.item(&lead, item, out);
        }
        out.chunk("]");
    }
}

/// Returns the construct that a table is, if any.
pub(super) fn construct_of(table: &Table) -> Option<&str> {
    let constructs = ["$if", "$each", "$join", "$merge", "$json", "$sum", "$concat"];
    table.0.iter().map(|(key, _)| key.name.as_str()).find(|key| constructs.contains(key))
}
