//! Compiles the members of objects: keys, includes, and the constructs as a member's value.

use super::compile::{MemberLead, OpBuffer, TemplateCompiler};
use super::expr::Expr;
use super::json_template::TemplateOp;
use super::placeholder::{self, TextPiece};
use crate::base::limits::{MAX_INCLUDES, MAX_WITH_INCLUDES};
use crate::diag::{Key, Problem, SourceSpan, SyntaxNode, Table, code};

/// The keys that are the template's own.
const CONSTRUCTS: &[&str] =
    &["$each", "$do", "$if", "$is", "$then", "$else", "$include", "$with", "$merge", "$json"];

/// The members of one object so far.
#[derive(Default)]
struct Members {
    /// Whether one of them is surely written.
    begun: bool,
    /// Their keys, as far as they are known.
    keys: Vec<Key>,
}

impl TemplateCompiler<'_> {
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
                "$with" if table.get("$include").is_some() => {}
                name if name.starts_with('$')
                    && !name.starts_with("$$")
                    && !name.starts_with("${") =>
                {
                    let message = format!("`{name}` is not a construct that can stand here");
                    let problem = Problem::at(&key.span, code::TEMPLATE_KEY, message);
                    let problem = problem.near(name, CONSTRUCTS.iter().copied());
                    let otherwise = "a key that begins with `$` is written with `$$`".to_owned();
                    let help = problem.help.clone().unwrap_or(otherwise);
                    self.problems.push(problem.help(help));
                }
                _ => {
                    self.once(key, &node.span, members);
                    let lead = self.key(key, members.begun);
                    members.begun |= self.item(&lead, value, out);
                }
            }
        }
    }

    fn key(&mut self, key: &Key, begun: bool) -> MemberLead {
        let pieces: Vec<TextPiece> = placeholder::split(&key.name, &key.span, self.problems);
        let name = self.parts(pieces);
        let mut ops = OpBuffer::default();
        ops.push(name);
        ops.chunk(self.style.colon());
        MemberLead { key: ops.ops().into(), ..MemberLead::after(begun) }
    }

    /// Reports a key that an included file has as well. Twice in one file is told by its reader.
    fn once(&mut self, key: &Key, own: &SourceSpan, members: &mut Members) {
        let first = members.keys.iter().find(|first| first.name == key.name);
        if let Some(first) = first
            && (first.span.source != own.source || !own.range.contains(&first.span.range.start))
        {
            let message = format!("the key `{}` is there twice", key.name);
            let problem = Problem::at(&key.span, code::DUPLICATE_KEY, message);
            self.problems.push(
                problem.also(&first.span, "first here").help("only one of the files can have it"),
            );
        }
        members.keys.push(key.clone());
    }

    /// Puts the members of another file here.
    fn include(
        &mut self,
        name: &SyntaxNode,
        table: &Table,
        members: &mut Members,
        out: &mut OpBuffer,
    ) {
        self.including(name, table, out, |own, included, entries, out| {
            own.members(included, entries, members, out);
        });
    }

    /// An object that is nothing but an include is whatever the other file holds.
    pub(super) fn include_whole(&mut self, name: &SyntaxNode, table: &Table, out: &mut OpBuffer) {
        self.including(name, table, out, |own, included, entries, out| {
            own.table(included, entries, out);
        });
    }

    /// Finds another file and compiles it with the names that are given to it.
    fn including(
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
            return self.problems.push(problem.help("this would have no end"));
        }
        if self.includes.len() == MAX_INCLUDES {
            let message = format!("includes are nested more than {MAX_INCLUDES} deep");
            return self.problem(&name.span, code::INCLUDE, message);
        }
        let Some(included) = (self.context.files)(file) else {
            let problem =
                Problem::at(&name.span, code::INCLUDE, format!("there is no file `{file}`"));
            return self.problems.push(problem.help("its path begins at the vendor's folder"));
        };
        if !self.has_room_for(&included, &name.span) {
            return;
        }
        let Some(entries) = included.as_table() else {
            let message = format!("`{file}` holds {}, not an object", included.kind());
            let problem = Problem::at(&name.span, code::INCLUDE, message);
            return self.problems.push(problem.help("an included file holds an object"));
        };
        let bound = self.scope.bound.len();
        let values = table.get("$with").map(|with| self.with(with)).unwrap_or_default();
        self.includes.push(file.to_owned());
        let mut inner = OpBuffer::default();
        compile(self, &included, entries, &mut inner);
        self.includes.pop();
        self.scope.bound.truncate(bound);
        if values.is_empty() {
            inner.ops().into_iter().for_each(|op| out.push(op));
        } else {
            out.push(TemplateOp::With(values.into(), inner.ops()));
        }
    }

    /// Whether a file can still be included. That it cannot is told once.
    fn has_room_for(&mut self, included: &SyntaxNode, span: &SourceSpan) -> bool {
        let before = self.included;
        self.included += included.span.range.len();
        if before <= MAX_WITH_INCLUDES && self.included > MAX_WITH_INCLUDES {
            let message = format!(
                "with its includes the template is larger than {} KiB",
                MAX_WITH_INCLUDES / 1024
            );
            let problem = Problem::at(span, code::TOO_MANY, message);
            self.problems.push(problem.help("a file counts each time that it is included"));
        }
        self.included <= MAX_WITH_INCLUDES
    }

    /// `"$with": { "name": "path" }`: the values, and their names in scope.
    fn with(&mut self, with: &SyntaxNode) -> Vec<Expr> {
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
                self.problem(&path.span, code::HOLE_SYNTAX, "`$with` takes paths");
                continue;
            };
            let placeholder = placeholder::bare(text, &path.span, self.problems);
            if let Some(checked) =
                placeholder.and_then(|placeholder| self.placeholder(&placeholder))
            {
                bound.push((name.name.clone(), checked.field_type));
                values.push(checked.expr);
            }
        }
        self.scope.bound.extend(bound);
        values
    }
}
