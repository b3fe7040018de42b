//! Checks the data of an `emit` step against the events that vendors send by that name.

use std::collections::BTreeSet;

use super::forms::EmitForm;
use crate::conversation::EventKind;
use crate::diag::{Key, Problem, Problems, SyntaxNode, code};
use crate::platform::{EventQuery, EventRule, FieldDefaults, Platform, StepData, type_mismatch};

/// Field of an `emit` step that selects the kind of message or entity.
const KIND: &str = "kind";

/// A rule that an `emit` step can use.
pub(super) struct EmittedEvent<'a> {
    pub(super) vendor: &'a Platform,
    pub(super) rule: &'a EventRule,
}

impl EmittedEvent<'_> {
    /// Returns the kinds for which the vendor sends the event.
    fn kinds(&self, event_type: &str) -> impl Iterator<Item = &str> {
        let kinds = self.vendor.kinds.keys().chain(self.vendor.entities.keys());
        let sends = |kind: &&String| {
            let kind = Some((*kind).clone());
            self.vendor.rule(event_type, &EventQuery { kind, ..EventQuery::default() }).is_some()
        };
        kinds.filter(sends).map(String::as_str).collect::<Vec<_>>().into_iter()
    }

    /// Returns the declared data: of the event, or of the message or entity.
    fn data(&self, query: &EventQuery) -> Option<&FieldDefaults> {
        let text = EventQuery { kind: Some("text".to_owned()), ..EventQuery::default() };
        match self.rule.on {
            EventKind::Emitted => self.rule.data.as_ref(),
            EventKind::MessageSent => self
                .vendor
                .data_of(self.rule, query)
                .or_else(|| self.vendor.data_of(self.rule, &text)),
            on if on.has_kind() => self.vendor.data_of(self.rule, query),
            _ => None,
        }
    }

    fn fields(&self, query: &EventQuery) -> Vec<String> {
        let kind = self.rule.on.has_kind().then_some(KIND);
        let own = self.rule.action_fields().into_iter().map(|(key, _)| key);
        let data = self.data(query).into_iter().flat_map(FieldDefaults::keys);
        kind.into_iter().chain(own).chain(data).map(str::to_owned).collect()
    }

    /// Checks the value of a field; `None` if the event has no such field.
    fn check_field(
        &self,
        key: &str,
        node: &SyntaxNode,
        input: &[(Key, SyntaxNode)],
        query: &EventQuery,
    ) -> Option<Result<(), Problem>> {
        // Variables may have any name.
        if self.rule.on == EventKind::VariablesSet {
            return Some(Ok(()));
        }
        if let Some((_, example)) = self.rule.action_fields().iter().find(|(own, _)| *own == key) {
            return Some(result(type_mismatch(example, node)));
        }
        if key == KIND && self.rule.on.has_kind() {
            return Some(result(type_mismatch(&"".into(), node)));
        }
        let data = self.data(query).filter(|data| data.has(key))?;
        let mismatch = data.type_mismatch(key, node);
        let is_here = |problem: &Problem| problem.span.as_ref() == Some(&node.span);
        let mut limits = data.limit_problems(StepData { input, asked: None });
        Some(result(mismatch.or_else(|| limits.find(is_here))))
    }
}

fn result(problem: Option<Problem>) -> Result<(), Problem> {
    problem.map_or(Ok(()), Err)
}

/// Checks that a vendor sends the event with each field and for the kind.
pub(super) fn check_data(form: &EmitForm, known: &[EmittedEvent<'_>], problems: &mut Problems) {
    let (data, event_type) = (form.data.entries(), &form.type_.value);
    // The value of a placeholder is unknown before rendering.
    let kind = data.iter().find(|(key, _)| key.name == KIND).and_then(|(_, node)| {
        let kind = node.as_text().filter(|text| !text.contains("${"))?;
        Some((node, kind))
    });
    let query = EventQuery { kind: kind.map(|(_, kind)| kind.to_owned()), ..EventQuery::default() };
    let is_field = |event: &EmittedEvent<'_>| event.rule.emits_field(KIND);
    if let Some((node, kind)) = kind.filter(|_| !known.iter().any(is_field))
        && !known.iter().any(|event| event.vendor.rule(event_type, &query).is_some())
    {
        let message = format!("no vendor sends `{event_type}` for the kind `{kind}`");
        let problem = Problem::at(&node.span, code::UNKNOWN_KIND, message);
        let kinds: BTreeSet<&str> =
            known.iter().flat_map(|event| event.kinds(event_type)).collect();
        problems.push(problem.suggest_or_list(kind, kinds));
        return;
    }
    let before = problems.len();
    for (key, node) in &data {
        let checked: Vec<Result<(), Problem>> = known
            .iter()
            .filter_map(|event| event.check_field(&key.name, node, &data, &query))
            .collect();
        if checked.is_empty() {
            let message = format!("`{event_type}` has no field `{}`", key.name);
            let names: BTreeSet<String> =
                known.iter().flat_map(|event| event.fields(&query)).collect();
            let problem = Problem::at(&key.span, code::UNKNOWN_DATA, message);
            let names = names.iter().map(String::as_str);
            problems.push(problem.suggest_or_list(&key.name, names));
        }
        // An event type can have several rules; one that accepts the value is enough.
        if checked.iter().all(Result::is_err)
            && let Some(Err(problem)) = checked.into_iter().next()
        {
            problems.push(problem);
        }
    }
    // Fields of different rules would be ignored: one webhook has the fields of one rule.
    let has_all = |event: &EmittedEvent<'_>| {
        data.iter().all(|(key, node)| event.check_field(&key.name, node, &data, &query).is_some())
    };
    if problems.len() == before && !data.is_empty() && !known.iter().any(has_all) {
        let message = format!("no vendor sends `{event_type}` with all of these fields");
        let problem = Problem::at(&data[0].0.span, code::UNKNOWN_DATA, message);
        problems.push(problem.help("remove the fields that belong to another event of this type"));
    }
}
