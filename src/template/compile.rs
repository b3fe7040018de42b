//! Compiles a JSON template: values, lists and the template's own constructs.
//!
//! Members of objects are compiled in `member`, holes are checked in `expr`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::expr::{self, Expr, ExprScope, TypedExpr};
use super::field_type::{FieldType, TableType};
use super::json_style::JsonStyle;
use super::json_template::{ConditionalOp, JsonTemplate, TemplateOp, TemplateOps, TextPart};
use super::placeholder::{self, TextPiece};
use super::word_table::WordTable;
use crate::base::limits::MAX_PLACEHOLDERS;
use crate::base::text::one_of;
use crate::diag::{Code, NodeContent, Problem, Problems, SourceSpan, SyntaxNode, Table, code};

/// What a template is compiled against.
pub struct CompileContext<'a> {
    /// What a hole may name.
    pub names: TableType,
    /// The `[words.…]` tables.
    pub words: &'a BTreeMap<String, Arc<WordTable>>,
    /// The files that `$include` may name.
    pub files: &'a dyn Fn(&str) -> Option<Arc<SyntaxNode>>,
}

impl<'a> CompileContext<'a> {
    /// What a text is compiled against that can include no files.
    pub fn without_files(names: TableType, words: &'a BTreeMap<String, Arc<WordTable>>) -> Self {
        Self { names, words, files: &|_| None }
    }
}

/// Compiles a template; where it has mistakes, all of them are added to the problems.
pub fn compile(
    node: &SyntaxNode,
    context: &CompileContext<'_>,
    style: JsonStyle,
    problems: &mut Problems,
) -> Option<JsonTemplate> {
    let mut compiler = TemplateCompiler {
        context,
        style,
        scope: ExprScope::default(),
        problems,
        placeholders: 0,
        included: 0,
        includes: Vec::new(),
    };
    let before = compiler.problems.len();
    let mut out = OpBuffer::default();
    if !compiler.item(&MemberLead::NONE, node, &mut out) {
        let message = "the body as a whole can be absent";
        compiler.problem(&node.span, code::OPTIONAL_PATH, message);
    }
    if compiler.placeholders > MAX_PLACEHOLDERS {
        let message = format!(
            "the template has {} holes, more than {MAX_PLACEHOLDERS}",
            compiler.placeholders
        );
        let problem = Problem::at(&node.span, code::TOO_MANY, message);
        compiler.problems.push(problem.help("its includes count as well"));
    }
    (compiler.problems.len() == before).then(|| JsonTemplate { ops: out.ops(), style })
}

pub(super) struct TemplateCompiler<'a> {
    pub(super) context: &'a CompileContext<'a>,
    pub(super) style: JsonStyle,
    pub(super) scope: ExprScope,
    pub(super) problems: &'a mut Problems,
    pub(super) placeholders: usize,
    /// Bytes of the files that were included so far.
    pub(super) included: usize,
    pub(super) includes: Vec<String>,
}

/// What is written in front of a value, once it is known that there is one.
#[derive(Clone, Default)]
pub(super) struct MemberLead {
    /// The comma.
    pub(super) comma: CommaState,
    /// The key with its colon.
    pub(super) key: Vec<TemplateOp>,
    /// Whether several values can follow one another: in a list, or as parts of a merge.
    pub(super) several: bool,
}

/// The comma in front of a value.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum CommaState {
    /// There can be none.
    #[default]
    Never,
    /// One, where something stands in front.
    Perhaps,
    /// One, since something surely stands in front.
    Always,
}

impl MemberLead {
    const NONE: Self = Self { comma: CommaState::Never, key: Vec::new(), several: false };

    /// A lead with the comma that follows from what stands in front.
    pub(super) fn after(begun: bool) -> Self {
        let comma = if begun { CommaState::Always } else { CommaState::Perhaps };
        Self { comma, ..Self::NONE }
    }
}

/// Writing steps in the making; chunks grow together.
#[derive(Default)]
pub(super) struct OpBuffer {
    ops: Vec<TemplateOp>,
    /// What the next chunk holds.
    chunk: String,
}

impl OpBuffer {
    pub(super) fn chunk(&mut self, text: &str) {
        self.chunk.push_str(text);
    }

    pub(super) fn push(&mut self, op: TemplateOp) {
        match op {
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

    pub(super) fn ops(mut self) -> TemplateOps {
        self.end_chunk();
        self.ops.into()
    }
}

impl TemplateCompiler<'_> {
    pub(super) fn problem(&mut self, span: &SourceSpan, code: Code, message: impl Into<String>) {
        self.problems.push(Problem::at(span, code, message));
    }

    /// Compiles what stands where a value may stand. Gives whether a value is surely written.
    pub(super) fn item(
        &mut self,
        lead: &MemberLead,
        node: &SyntaxNode,
        out: &mut OpBuffer,
    ) -> bool {
        match &node.content {
            NodeContent::Text(text) => self.text_item(lead, text, node, out),
            NodeContent::Table(table) => match own_key(table) {
                Some("$if") => self.choose(lead, node, table, out),
                Some("$each") => self.each(lead, node, table, out),
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
                out.chunk(&self.style.text_of(&node.to_json()));
                true
            }
        }
    }

    fn lead(&self, lead: &MemberLead, out: &mut OpBuffer) {
        match lead.comma {
            CommaState::Never => {}
            CommaState::Perhaps => out.push(TemplateOp::Comma),
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
        let [TextPiece::Hole(placeholder)] = pieces.as_slice() else {
            let parts = self.parts(pieces);
            self.lead(lead, out);
            out.push(parts);
            return true;
        };
        let Some(checked) = self.placeholder(placeholder) else { return true };
        if !checked.field_type.is_writable() {
            self.unwritable(&checked.field_type, &placeholder.span);
            return true;
        }
        if !checked.optional {
            self.lead(lead, out);
            out.push(TemplateOp::Value(checked.expr));
            return true;
        }
        let mut inner = OpBuffer::default();
        self.lead(lead, &mut inner);
        inner.push(TemplateOp::Value(checked.expr.clone()));
        out.push(TemplateOp::Maybe(checked.expr, inner.ops()));
        false
    }

    fn unwritable(&mut self, field_type: &FieldType, span: &SourceSpan) {
        let message = format!("{} cannot be written as it is", field_type.about());
        let help = match field_type {
            FieldType::List(_) => "walk through it with `$each`, or count it with `| count`",
            _ => instead_of(field_type),
        };
        self.problems.push(Problem::at(span, code::NOT_A_VALUE, message).help(help));
    }

    /// A text with holes in it, or without any; as one writing step.
    pub(super) fn parts(&mut self, pieces: Vec<TextPiece>) -> TemplateOp {
        let mut parts = Vec::new();
        for piece in pieces {
            match piece {
                TextPiece::Text(text) => {
                    let mut spelled = String::new();
                    self.style.inside(&text, &mut spelled);
                    parts.push(TextPart::Text(spelled.into()));
                }
                TextPiece::Hole(placeholder) => {
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
        if let Some(problem) = not_in_text(&checked, span) {
            self.problems.push(problem);
            return None;
        }
        Some(TextPart::Hole(checked.expr))
    }

    pub(super) fn placeholder(
        &mut self,
        placeholder: &placeholder::Placeholder,
    ) -> Option<TypedExpr> {
        self.placeholders += 1;
        if placeholder.made.is_some() {
            let message =
                "a made value stands in `[account]`, `[secret]` or `[ids]`, not in a template";
            let problem = Problem::at(&placeholder.span, code::MADE_VALUE, message);
            self.problems.push(problem.help("make it in `[ids]`, and name it here"));
            return None;
        }
        expr::check(placeholder, self.context, &self.scope, self.problems)
    }

    fn list(&mut self, items: &[SyntaxNode], out: &mut OpBuffer) {
        out.chunk("[");
        let mut begun = false;
        for item in items {
            begun |=
                self.item(&MemberLead { several: true, ..MemberLead::after(begun) }, item, out);
        }
        out.chunk("]");
    }

    /// `{"$each": "x in list", "$do": …}`
    fn each(
        &mut self,
        lead: &MemberLead,
        node: &SyntaxNode,
        table: &Table,
        out: &mut OpBuffer,
    ) -> bool {
        self.only(table, &["$each", "$do"]);
        let (Some(each), Some(body)) = (table.get("$each"), table.get("$do")) else {
            self.problem(&node.span, code::TEMPLATE_KEY, "`$each` needs `$do` beside it");
            return true;
        };
        if !lead.several {
            self.problem(&each.span, code::TEMPLATE_KEY, "`$each` stands in a list or in `$merge`");
            return true;
        }
        let Some((name, checked)) = self.each_head(each) else { return false };
        let Some(item) = checked.field_type.item() else {
            let message = format!("{} has no elements to walk through", checked.field_type.about());
            self.problem(&each.span, code::NOT_A_VALUE, message);
            return false;
        };
        self.scope.bound.push((name, item));
        let mut inner = OpBuffer::default();
        self.spliced(lead, body, &mut inner);
        self.scope.bound.pop();
        out.push(TemplateOp::Each(checked.expr, inner.ops()));
        false
    }

    fn each_head(&mut self, each: &SyntaxNode) -> Option<(String, TypedExpr)> {
        let split = each.as_text().and_then(|text| text.split_once(" in "));
        let Some((name, path)) = split else {
            self.problem(
                &each.span,
                code::HOLE_SYNTAX,
                "`$each` is written `name in path.to.list`",
            );
            return None;
        };
        let mut placeholder =
            placeholder::bare(path.trim(), &each.span.find(path.trim(), 0), self.problems)?;
        placeholder.optional |= self.is_optional(&placeholder);
        Some((name.trim().to_owned(), self.placeholder(&placeholder)?))
    }

    /// Whether a path can be absent. An absent list has no elements, and an absent value is what
    /// `$if` asks for, so neither demands a `?`.
    fn is_optional(&mut self, placeholder: &placeholder::Placeholder) -> bool {
        let mut asked = placeholder.clone();
        asked.optional = true;
        let mut ignored = Problems::new();
        expr::check(&asked, self.context, &self.scope, &mut ignored).is_some()
    }

    /// `{"$if": "path", "$is": …, "$then": …, "$else": …}`
    fn choose(
        &mut self,
        lead: &MemberLead,
        node: &SyntaxNode,
        table: &Table,
        out: &mut OpBuffer,
    ) -> bool {
        self.only(table, &["$if", "$is", "$then", "$else"]);
        let (Some(condition), then, otherwise) =
            (table.get("$if"), table.get("$then"), table.get("$else"))
        else {
            return true;
        };
        if then.is_none() && otherwise.is_none() {
            let message = "`$if` needs `$then` or `$else` beside it";
            self.problem(&node.span, code::TEMPLATE_KEY, message);
            return true;
        }
        let is = table.get("$is");
        let Some((path, expr)) = self.condition(condition, is) else { return true };
        let mut ways = [OpBuffer::default(), OpBuffer::default()];
        self.scope.present.push(path);
        let then_writes = then.is_some_and(|then| self.spliced(lead, then, &mut ways[0]));
        self.scope.present.pop();
        let else_writes = otherwise.is_some_and(|other| self.spliced(lead, other, &mut ways[1]));
        let [then, otherwise] = ways.map(OpBuffer::ops);
        let is = is.map(|is| wanted(is).iter().map(|node| node.to_json()).collect());
        out.push(TemplateOp::Choose(Box::new(ConditionalOp { expr, is, then, otherwise })));
        then_writes && else_writes
    }

    fn condition(
        &mut self,
        condition: &SyntaxNode,
        is: Option<&SyntaxNode>,
    ) -> Option<(String, Expr)> {
        let Some(path) = condition.as_text() else {
            self.problem(&condition.span, code::HOLE_SYNTAX, "`$if` takes a path");
            return None;
        };
        let mut placeholder = placeholder::bare(path, &condition.span, self.problems)?;
        placeholder.optional |= self.is_optional(&placeholder);
        let checked = self.placeholder(&placeholder)?;
        if !checked.optional && is.is_none() {
            let message = format!("`{path}` is always there, so `$if` needs `$is`");
            self.problem(&condition.span, code::NOT_OPTIONAL, message);
        }
        for node in is.map(wanted).unwrap_or_default() {
            if let (FieldType::Word(words), Some(word)) = (&checked.field_type, node.as_text())
                && !words.contains(&word)
            {
                let message = format!("`{path}` is never `{word}`");
                let problem = Problem::at(&node.span, code::UNKNOWN_WORD, message);
                self.problems.push(problem.known(word, words.iter().copied()));
            }
        }
        Some((placeholder.path.join("."), checked.expr))
    }

    /// What stands behind `$do`, `$then` and `$else`: inside a list, the elements of a list
    /// follow one another.
    fn spliced(&mut self, lead: &MemberLead, node: &SyntaxNode, out: &mut OpBuffer) -> bool {
        match &node.content {
            NodeContent::List(items) if lead.several => {
                let mut writes = false;
                for item in items {
                    writes |= self.item(lead, item, out);
                }
                writes
            }
            _ => self.item(lead, node, out),
        }
    }

    pub(super) fn table(&mut self, node: &SyntaxNode, table: &Table, out: &mut OpBuffer) {
        if let Some(file) = table.get("$include")
            && table.0.iter().all(|(key, _)| ["$include", "$with"].contains(&key.name.as_str()))
        {
            return self.include_whole(file, table, out);
        }
        match own_key(table) {
            Some("$json") => {
                self.only(table, &["$json"]);
                let mut inner = OpBuffer::default();
                if !self.item(&MemberLead::NONE, &table.0[0].1, &mut inner) {
                    self.problem(
                        &node.span,
                        code::OPTIONAL_PATH,
                        "what `$json` writes can be absent",
                    );
                }
                out.push(TemplateOp::Json(inner.ops()));
            }
            Some("$merge") => self.merge(table, out),
            _ => self.object(node, table, out),
        }
    }

    fn merge(&mut self, table: &Table, out: &mut OpBuffer) {
        self.only(table, &["$merge"]);
        let NodeContent::List(parts) = &table.0[0].1.content else {
            self.problem(
                &table.0[0].1.span,
                code::TEMPLATE_KEY,
                "`$merge` takes a list of objects",
            );
            return;
        };
        let mut merged = Vec::new();
        for part in parts {
            let is_hole = part.as_text().is_some_and(|text| text.starts_with("${"));
            if part.as_table().is_none() && !is_hole {
                let message = format!("`$merge` takes objects, not {}", part.kind());
                self.problem(&part.span, code::TEMPLATE_KEY, message);
            }
            let mut inner = OpBuffer::default();
            self.item(&MemberLead { several: true, ..MemberLead::NONE }, part, &mut inner);
            merged.push(inner.ops());
        }
        out.push(TemplateOp::Merge(merged.into()));
    }

    /// Reports the keys of a construct that do not belong to it.
    fn only(&mut self, table: &Table, keys: &[&str]) {
        for (key, _) in &table.0 {
            if !keys.contains(&key.name.as_str()) {
                let message = format!("`{}` cannot stand beside `{}`", key.name, keys[0]);
                let problem = Problem::at(&key.span, code::TEMPLATE_KEY, message);
                let known = one_of(keys.iter().copied());
                self.problems.push(problem.help(format!("here stand only {known}")));
            }
        }
    }
}

/// The construct that a table is, if it is one.
fn own_key(table: &Table) -> Option<&str> {
    let constructs = ["$if", "$each", "$merge", "$json"];
    table.0.iter().map(|(key, _)| key.name.as_str()).find(|key| constructs.contains(key))
}

/// The values behind `$is`: one, or each of a list.
fn wanted(node: &SyntaxNode) -> Vec<&SyntaxNode> {
    match &node.content {
        NodeContent::List(items) => items.iter().collect(),
        _ => vec![node],
    }
}

/// Why a checked hole cannot stand inside a longer text.
pub(super) fn not_in_text(checked: &TypedExpr, span: &SourceSpan) -> Option<Problem> {
    if checked.optional {
        let message = "a value that can be absent stands inside a longer text";
        return Some(Problem::at(span, code::OPTIONAL_IN_TEXT, message).help("use `| or:\"\"`"));
    }
    if !checked.field_type.is_scalar() {
        let message = format!("{} cannot stand inside a text", checked.field_type.about());
        let problem = Problem::at(span, code::NOT_A_VALUE, message);
        return Some(problem.help(instead_of(&checked.field_type)));
    }
    None
}

/// What to write instead of a value that has no spelling of its own.
fn instead_of(field_type: &FieldType) -> &'static str {
    match field_type {
        FieldType::Time => "say how it is spelled: `| epoch_ms`, `| iso_ms`, …",
        _ => "name one of its parts",
    }
}
