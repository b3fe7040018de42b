//! Template compiler: the constructs `$concat`, `$each`, `$if`, `$join`, `$json`, `$merge` and `$sum`.

use super::compile::{TemplateCompiler, construct_of};
use super::expr::{self, BoundName, Expr, TypedExpr};
use super::field_type::FieldType;
use super::json_template::{
    BranchCondition, ConcatOp, ConditionalOp, JoinOp, TakenBranch, TemplateOp, TemplateOps,
};
use super::op_buffer::{MemberLead, OpBuffer};
use super::placeholder::{self, Placeholder};
use crate::base::text::one_of;
use crate::diag::{NodeContent, Problem, Problems, SyntaxNode, Table, code};

impl TemplateCompiler<'_> {
    /// Compiles `{"$each": "x in list", "$do": …}`.
    pub(super) fn each_construct(
        &mut self,
        lead: &MemberLead,
        node: &SyntaxNode,
        table: &Table,
        out: &mut OpBuffer,
    ) -> bool {
        self.check_keys(table, &["$each", "$do"]);
        let (Some(each), Some(body)) = (table.get("$each"), table.get("$do")) else {
            self.problem(&node.span, code::TEMPLATE_KEY, "`$each` requires `$do`");
            return true;
        };
        if !lead.accepts_many {
            let message = "`$each` is allowed only in a list and in `$merge`";
            let problem = Problem::at(&each.span, code::TEMPLATE_KEY, message);
            let help = "write `[{ \"$each\": … }]` for a list, `{ \"$merge\": [{ \"$each\": … }] }` \
                        for an object";
            self.problems.push(problem.help(help));
            return true;
        }
        let Some((name, checked)) = self.each_head(each) else { return false };
        let Some(item) = checked.field_type.item() else {
            let message = format!("cannot iterate over {}", checked.field_type.about());
            self.problem(&each.span, code::NOT_A_VALUE, message);
            return false;
        };
        self.scope.bound.push(BoundName { name, field_type: Some(item), optional: false });
        let mut inner = OpBuffer::default();
        self.spliced(lead, body, &mut inner);
        self.scope.bound.pop();
        out.push(TemplateOp::Each(checked.expr, inner.into_ops()));
        // An empty list writes nothing.
        false
    }

    /// Parses and compiles `name in path`.
    fn each_head(&mut self, each: &SyntaxNode) -> Option<(String, TypedExpr)> {
        let split = each.as_text().and_then(|text| text.split_once(" in "));
        let Some((name, path)) = split else {
            self.problem(
                &each.span,
                code::PLACEHOLDER_SYNTAX,
                "`$each` takes `name in path.to.list`",
            );
            return None;
        };
        let mut placeholder =
            placeholder::parse_bare(path.trim(), &each.span.find(path.trim(), 0), self.problems)?;
        placeholder.optional |= self.is_optional(&placeholder);
        Some((name.trim().to_owned(), self.placeholder(&placeholder)?))
    }

    /// Returns true if a path can be absent.
    ///
    /// `$each` and `$if` accept optional paths without `?`: an absent list has no elements, and an
    /// absent value fails the condition.
    fn is_optional(&mut self, placeholder: &Placeholder) -> bool {
        // With `?`, the check fails for a path that is always present.
        let mut asked = placeholder.clone();
        asked.optional = true;
        let mut ignored = Problems::new();
        expr::check(&asked, self.context, &self.scope, &mut ignored).is_some()
    }

    /// Compiles `{"$if": "path", "$is": …, "$then": …, "$else": …}`.
    pub(super) fn if_construct(
        &mut self,
        lead: &MemberLead,
        node: &SyntaxNode,
        table: &Table,
        out: &mut OpBuffer,
    ) -> bool {
        self.check_keys(table, &["$if", "$is", "$then", "$else"]);
        let Some(condition) = table.get("$if") else { return true };
        let (then_node, else_node) = (table.get("$then"), table.get("$else"));
        if then_node.is_none() && else_node.is_none() {
            let message = "`$if` requires `$then` or `$else`";
            self.problem(&node.span, code::TEMPLATE_KEY, message);
            return true;
        }
        let is = table.get("$is");
        let Some((path, expr)) = self.condition(condition, is) else { return true };
        let values = is.map(|is| list_of(is).iter().map(|node| node.to_json()).collect());
        let condition = BranchCondition { expr, values };
        let (mut then_out, mut else_out) = (OpBuffer::default(), OpBuffer::default());
        let before = self.required.len();
        // Only `$then` runs with the path present, so only there is it usable without `?`.
        self.scope.present.push(path);
        let then_writes = then_node.is_some_and(|node| self.spliced(lead, node, &mut then_out));
        self.scope.present.pop();
        let needed_then = self.required.len();
        let else_writes = else_node.is_some_and(|node| self.spliced(lead, node, &mut else_out));
        // Required values are looked up outside loops, where bound names have no value.
        let conditional = condition.expr.is_of_root();
        let required = self.required.iter_mut().enumerate().skip(before);
        for (index, needed) in required.filter(|_| conditional) {
            let is_then = index < needed_then;
            needed.branches.push(TakenBranch { condition: condition.clone(), is_then });
        }
        out.push(TemplateOp::Choose(Box::new(ConditionalOp {
            condition,
            then_ops: then_out.into_ops(),
            else_ops: else_out.into_ops(),
        })));
        then_writes && else_writes
    }

    /// Compiles the path of `$if`; returns it with its source.
    fn condition(
        &mut self,
        condition: &SyntaxNode,
        is: Option<&SyntaxNode>,
    ) -> Option<(String, Expr)> {
        let Some(path) = condition.as_text() else {
            self.problem(&condition.span, code::PLACEHOLDER_SYNTAX, "`$if` takes a path");
            return None;
        };
        let mut placeholder = placeholder::parse_bare(path, &condition.span, self.problems)?;
        placeholder.optional |= self.is_optional(&placeholder);
        let checked = self.placeholder(&placeholder)?;
        if !checked.optional && is.is_none() {
            let message = format!("`{path}` is always present, so `$if` requires `$is`");
            self.problem(&condition.span, code::NOT_OPTIONAL, message);
        }
        for node in is.map(list_of).unwrap_or_default() {
            if let (FieldType::Word(words), Some(word)) = (&checked.field_type, node.as_text())
                && !words.contains(&word)
            {
                let message = format!("`{path}` never has the value `{word}`");
                let problem = Problem::at(&node.span, code::UNKNOWN_VALUE, message);
                self.problems.push(problem.suggest_or_list(word, words.iter().copied()));
            }
        }
        Some((placeholder.path.join("."), checked.expr))
    }

    /// Compiles the value of `$do`, `$then` or `$else`. Inside a list, the elements of a list value
    /// become elements of the outer list.
    fn spliced(&mut self, lead: &MemberLead, node: &SyntaxNode, out: &mut OpBuffer) -> bool {
        match &node.content {
            NodeContent::List(items) if lead.accepts_many => {
                let mut writes = false;
                for item in items {
                    writes |= self.item(lead, item, out);
                }
                writes
            }
            _ => self.item(lead, node, out),
        }
    }

    /// Compiles an object, an included file, `$join`, `$json`, `$merge` or `$sum`.
    pub(super) fn table(&mut self, node: &SyntaxNode, table: &Table, out: &mut OpBuffer) {
        if let Some(file) = table.get("$include")
            && table.0.iter().all(|(key, _)| ["$include", "$with"].contains(&key.name.as_str()))
        {
            return self.include_whole(file, table, out);
        }
        match construct_of(table) {
            Some("$json") => {
                self.check_keys(table, &["$json"]);
                let mut inner = OpBuffer::default();
                if !self.item(&MemberLead::NONE, &table.0[0].1, &mut inner) {
                    let message = "the value of `$json` can be absent";
                    self.problem(&node.span, code::OPTIONAL_PATH, message);
                }
                out.push(TemplateOp::Json(inner.into_ops()));
            }
            Some("$merge") => self.merge(table, out),
            Some("$join") => {
                self.check_keys(table, &["$join", "$by", "$cut"]);
                let by = table.get("$by");
                let separator = by.and_then(SyntaxNode::as_text).unwrap_or_default();
                if let Some(by) = by.filter(|by| by.as_text().is_none()) {
                    let message = format!("`$by` takes a text, found {}", by.kind());
                    self.problem(&by.span, code::TEMPLATE_KEY, message);
                }
                let length = table.get("$cut").and_then(|cut| self.length(cut));
                let list = self.folded("$join", table);
                let join = JoinOp { list, separator: separator.into(), length };
                out.push(TemplateOp::Join(Box::new(join)));
            }
            Some("$sum") => {
                self.check_keys(table, &["$sum"]);
                let list = self.folded("$sum", table);
                out.push(TemplateOp::Sum(list));
            }
            Some("$concat") => {
                self.check_keys(table, &["$concat", "$distinct"]);
                let distinct = table.get("$distinct").map(|distinct| &distinct.content);
                let distinct = distinct == Some(&NodeContent::Bool(true));
                let list = self.folded("$concat", table);
                out.push(TemplateOp::Concat(Box::new(ConcatOp { list, distinct })));
            }
            _ => self.object(node, table, out),
        }
    }

    /// Reads the length of `$cut`.
    fn length(&mut self, cut: &SyntaxNode) -> Option<usize> {
        let length = match cut.content {
            NodeContent::Int(length) => usize::try_from(length).ok().filter(|length| *length > 0),
            _ => None,
        };
        if length.is_none() {
            let message = "`$cut` takes a number of characters, at least 1";
            self.problem(&cut.span, code::TEMPLATE_KEY, message);
        }
        length
    }

    /// Compiles the list of `$join`, `$sum` or `$concat`.
    fn folded(&mut self, construct: &str, table: &Table) -> TemplateOps {
        let mut inner = OpBuffer::default();
        if let Some(list) = table.get(construct) {
            if !matches!(list.content, NodeContent::List(_)) {
                let message = format!("`{construct}` takes a list, found {}", list.kind());
                self.problem(&list.span, code::TEMPLATE_KEY, message);
            }
            self.item(&MemberLead::NONE, list, &mut inner);
        }
        inner.into_ops()
    }

    fn merge(&mut self, table: &Table, out: &mut OpBuffer) {
        self.check_keys(table, &["$merge"]);
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
            let is_placeholder = part.as_text().is_some_and(|text| text.starts_with("${"));
            if part.as_table().is_none() && !is_placeholder {
                let message = format!("`$merge` takes objects, found {}", part.kind());
                self.problem(&part.span, code::TEMPLATE_KEY, message);
            }
            let mut inner = OpBuffer::default();
            // No commas: `merge` parses the objects of a part one after the other.
            self.item(&MemberLead { accepts_many: true, ..MemberLead::NONE }, part, &mut inner);
            merged.push(inner.into_ops());
        }
        out.push(TemplateOp::Merge(merged.into()));
    }

    /// Reports keys that a construct does not have.
    fn check_keys(&mut self, table: &Table, keys: &[&str]) {
        for (key, _) in &table.0 {
            if !keys.contains(&key.name.as_str()) {
                let message = format!("`{}` is not a key of `{}`", key.name, keys[0]);
                let problem = Problem::at(&key.span, code::TEMPLATE_KEY, message);
                let names = one_of(keys.iter().copied());
                self.problems.push(problem.help(format!("allowed keys: {names}")));
            }
        }
    }
}

/// Returns the values of `$is`: the elements of a list, or a single value.
fn list_of(node: &SyntaxNode) -> Vec<&SyntaxNode> {
    match &node.content {
        NodeContent::List(items) => items.iter().collect(),
        _ => vec![node],
    }
}
