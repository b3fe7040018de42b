//! Template compiler: the members of objects, and included files.

use super::compile::TemplateCompiler;
use super::expr::{BoundName, Expr};
use super::json_template::TemplateOp;
use super::op_buffer::{MemberLead, OpBuffer};
use super::placeholder::{self, TextPiece};
use crate::base::limits::{MAX_INCLUDES, MAX_WITH_INCLUDES};
use crate::diag::{Key, Problem, SourceSpan, SyntaxNode, Table, code};

/// Keys with a meaning in templates, for suggestions.
const CONSTRUCTS: &[&str] = &[
    "$each",
    "$do",
    "$if",
    "$is",
    "$then",
    "$else",
    "$include",
    "$with",
    "$join",
    "$by",
    "$cut",
    "$merge",
    "$json",
    "$sum",
    "$concat",
    "$distinct",
];

/// Members of one object that were compiled so far.
#[derive(Default)]
struct Members {
    /// True if at least one of them is always written.
    has_first: bool,
    /// Source of their keys.
    keys: Vec<Key>,
}

impl TemplateCompiler<'_> {
    /// Compiles an object.
    pub(super) fn object(&mut self, node: &SyntaxNode, table: &Table, out: &mut OpBuffer) {
        out.chunk("{");
        self.members(node, table, &mut Members::default(), out);
        out.chunk("}");
    }

    fn members(
        &mut self,
        node: &SyntaxNode,
        table: &Table,
        members: &mut Members,
        out: &mut OpBuffer,
    ) {
        for (key, value) in &table.0 {
            match key.name.as_str() {
                "$include" => self.include(value, table, members, out),
                // Read together with `$include`.
                "$with" if table.get("$include").is_some() => {}
                name if name.starts_with('$')
                    && !name.starts_with("$$")
                    && !name.starts_with("${") =>
                {
                    let message = format!("the construct `{name}` is unknown or not allowed here");
                    let problem = Problem::at(&key.span, code::TEMPLATE_KEY, message);
                    let problem = problem.suggest(name, CONSTRUCTS.iter().copied());
                    let default = "write `$$` for a key that starts with `$`".to_owned();
                    let help = problem.help.clone().unwrap_or(default);
                    self.problems.push(problem.help(help));
                }
                _ => {
                    self.check_duplicate(key, &node.span, members);
                    let lead = self.key(key, members.has_first);
                    members.has_first |= self.item(&lead, value, out);
                }
            }
        }
    }

    fn key(&mut self, key: &Key, has_first: bool) -> MemberLead {
        let pieces: Vec<TextPiece> = placeholder::split(&key.name, &key.span, self.problems);
        let name = self.parts(pieces);
        let mut ops = OpBuffer::default();
        ops.push(name);
        ops.chunk(self.style.colon());
        MemberLead { key: ops.into_ops().into(), ..MemberLead::after(has_first) }
    }

    /// Reports a key that another file of the same object has, too.
    fn check_duplicate(&mut self, key: &Key, object: &SourceSpan, members: &mut Members) {
        // The JSON parser has reported duplicates within one object of one file.
        let first = members.keys.iter().find(|first| first.name == key.name);
        if let Some(first) = first
            && (first.span.source != object.source
                || !object.range.contains(&first.span.range.start))
        {
            let message = format!("duplicate key `{}`", key.name);
            let problem = Problem::at(&key.span, code::DUPLICATE_KEY, message);
            self.problems.push(
                problem.also(&first.span, "first here").help("remove it from one of the files"),
            );
        }
        members.keys.push(key.clone());
    }

    /// Inserts the members of another file.
    fn include(
        &mut self,
        name: &SyntaxNode,
        table: &Table,
        members: &mut Members,
        out: &mut OpBuffer,
    ) {
        self.compile_included(name, table, out, |compiler, included, entries, out| {
            compiler.members(included, entries, members, out);
        });
    }

    /// Compiles an object that consists of `$include` only. The other file may be a construct.
    pub(super) fn include_whole(&mut self, name: &SyntaxNode, table: &Table, out: &mut OpBuffer) {
        self.compile_included(name, table, out, |compiler, included, entries, out| {
            compiler.table(included, entries, out);
        });
    }

    /// Finds another file and compiles it with the names that `$with` binds.
    fn compile_included(
        &mut self,
        name: &SyntaxNode,
        table: &Table,
        out: &mut OpBuffer,
        compile: impl FnOnce(&mut Self, &SyntaxNode, &Table, &mut OpBuffer),
    ) {
        let Some(file) = name.as_text() else {
            return self.problem(&name.span, code::INCLUDE, "`$include` takes the name of a file");
        };
        if self.includes.iter().any(|including| including == file) {
            let problem =
                Problem::at(&name.span, code::INCLUDE, format!("`{file}` includes itself"));
            return self.problems.push(problem.help("remove the cycle of includes"));
        }
        if self.includes.len() == MAX_INCLUDES {
            let message = format!("includes are nested more than {MAX_INCLUDES} deep");
            return self.problem(&name.span, code::INCLUDE, message);
        }
        let Some(included) = (self.context.files)(file) else {
            let problem =
                Problem::at(&name.span, code::INCLUDE, format!("file `{file}` not found"));
            return self.problems.push(problem.help("the path is relative to the vendor's folder"));
        };
        if !self.has_room_for(&included, &name.span) {
            return;
        }
        let Some(entries) = included.as_table() else {
            let message = format!("`{file}` contains {}, expected an object", included.kind());
            let problem = Problem::at(&name.span, code::INCLUDE, message);
            return self.problems.push(problem.help("an included file must contain an object"));
        };
        let bound = self.scope.bound.len();
        let values = table.get("$with").map(|with| self.bind(with)).unwrap_or_default();
        self.includes.push(file.to_owned());
        let mut inner = OpBuffer::default();
        compile(self, &included, entries, &mut inner);
        self.includes.pop();
        self.scope.bound.truncate(bound);
        if values.is_empty() {
            inner.into_ops().into_iter().for_each(|op| out.push(op));
        } else {
            out.push(TemplateOp::With(values.into(), inner.into_ops()));
        }
    }

    /// Returns true if the size limit permits another file.
    fn has_room_for(&mut self, included: &SyntaxNode, span: &SourceSpan) -> bool {
        let before = self.included_bytes;
        self.included_bytes += included.span.range.len();
        // Reported once: every further include exceeds the limit as well.
        if before <= MAX_WITH_INCLUDES && self.included_bytes > MAX_WITH_INCLUDES {
            let message = format!(
                "the template with its includes is larger than {} KiB",
                MAX_WITH_INCLUDES / 1024
            );
            let problem = Problem::at(span, code::TOO_MANY, message);
            self.problems.push(problem.help("a file counts each time it is included"));
        }
        self.included_bytes <= MAX_WITH_INCLUDES
    }

    /// Compiles `"$with": { "name": "path" }` and binds the names.
    fn bind(&mut self, with: &SyntaxNode) -> Vec<Expr> {
        let Some(table) = with.as_table() else {
            self.problem(
                &with.span,
                code::TEMPLATE_KEY,
                "`$with` takes an object of names and paths",
            );
            return Vec::new();
        };
        let mut values = Vec::new();
        let mut bound = Vec::new();
        for (name, path) in &table.0 {
            let Some(text) = path.as_text() else {
                self.problem(&path.span, code::PLACEHOLDER_SYNTAX, "`$with` takes paths");
                let (name, field_type) = (name.name.clone(), None);
                bound.push(BoundName { name, field_type, optional: false });
                continue;
            };
            let placeholder = placeholder::parse_bare(text, &path.span, self.problems);
            let checked = placeholder.and_then(|placeholder| self.placeholder(&placeholder));
            bound.push(BoundName {
                name: name.name.clone(),
                optional: checked.as_ref().is_some_and(|checked| checked.optional),
                field_type: checked.as_ref().map(|checked| checked.field_type.clone()),
            });
            values.extend(checked.map(|checked| checked.expr));
        }
        // Bound together at the end: the paths refer to the outer names only.
        self.scope.bound.extend(bound);
        values
    }
}
