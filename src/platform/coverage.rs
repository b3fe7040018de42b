//! Checks that a vendor file covers every neutral event and gives a source for every section.

use super::event_rule::SilenceRules;
use super::forms::{EventForm, VendorForm, WhenForm};
use crate::conversation::{EventKind, Role};
use crate::diag::{Key, NodeContent, Problem, Problems, SourceSpan, Spanned, SyntaxNode, code};

/// Sections that need no source: their values are our names and choices, not facts about a vendor.
const WITHOUT_SOURCE: &[&str] = &[
    "id", "name", "docs", "extends", "revision", "drop", "rename", "show", "source", "brand",
    "bot", "option", "fields", "variants",
];

/// Checks that exactly one of `[[event]]`, `[silent]` and `[cannot]` covers each neutral event.
pub(super) fn check(
    node: &SyntaxNode,
    form: &VendorForm,
    silence: &SilenceRules,
    problems: &mut Problems,
) {
    // With unknown names, the checks below would report the same mistake again.
    if !check_names(form, problems) || has_misread_condition(node, problems) {
        return;
    }
    let (mut contradictory, mut uncovered) = (Vec::new(), Vec::new());
    // A step emits such an event directly, so there is no cause to cover.
    for on in EventKind::ALL.iter().filter(|on| **on != EventKind::Emitted) {
        for case in cases(form, *on, silence) {
            match (case.sends, case.has_reason) {
                (true, true) => contradictory.push(case.name),
                (false, false) => uncovered.push(case.name),
                _ => {}
            }
        }
    }
    check_kinds(form, silence, problems);
    let problem = |span, message| Problem::at(&span, code::UNCOVERED_ACTION, message);
    // What is missing has no location: the first section that it can be added to.
    let span = ["silent", "cannot", "event"].iter().find_map(|section| header_of(node, section));
    let span = span.unwrap_or_else(|| start_of(node));
    if !uncovered.is_empty() {
        let help = "add an `[[event]]` for each, or a reason in `[silent]` or `[cannot]`";
        let message = format!("events without a rule or a reason: {}", quoted(&uncovered));
        problems.push(problem(span.clone(), message).help(help));
    }
    let reasons = || form.silent.iter().chain(form.cannot.iter());
    for name in contradictory {
        let event = name.split(':').next().unwrap_or_default();
        let reason = reasons().find(|(key, _)| key.name == name);
        let reason = reason.or_else(|| reasons().find(|(key, _)| key.name == event));
        let Some((key, _)) = reason else { continue };
        let message = format!("event with both a rule and a reason for silence: `{name}`");
        let mut problem = problem(key.span.clone(), message)
            .help("remove either the `[[event]]` or the reason in `[silent]` or `[cannot]`");
        if let Some(rule) = form.event.iter().find(|rule| rule.on.value == event) {
            problem = problem.also(&rule.on.span, "a rule");
        }
        problems.push(problem);
    }
    if !form.kinds.contains("text") {
        let help = "every vendor needs text messages: give their `word` and `body`";
        problems.push(problem(span, "missing section `[kinds.text]`".into()).help(help));
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A case of an event that needs coverage.
struct CoverageCase {
    /// The event; for a message, with the role of the sender.
    name: String,
    /// True if a rule sends it.
    sends: bool,
    /// True if there is a reason why nothing is sent.
    has_reason: bool,
}

/// Returns the cases of an event. Messages have one case per role of the sender.
fn cases(form: &VendorForm, on: EventKind, silence: &SilenceRules) -> Vec<CoverageCase> {
    let rules = rules_on(form, on);
    let has_reason = |role: &Role| silence.coverage(on, *role).is_some();
    if on != EventKind::MessageSent {
        let sends = !rules.is_empty();
        // A rule can be for some roles, beside reasons for the others.
        let has_reason =
            if sends { silence.is_about(on) } else { Role::ALL.iter().all(has_reason) };
        return vec![CoverageCase { name: on.to_string(), sends, has_reason }];
    }
    let case = |role: &Role| CoverageCase {
        name: format!("{on}:{role}"),
        sends: rules.iter().any(|rule| allows(rule, |when| &when.by, role)),
        has_reason: has_reason(role),
    };
    Role::ALL.iter().map(case).collect()
}

/// Checks that a vendor that sends messages sends those of each kind, or gives a reason.
fn check_kinds(form: &VendorForm, silence: &SilenceRules, problems: &mut Problems) {
    let on = EventKind::MessageSent;
    let rules = rules_on(form, on);
    let mut named = rules.iter().filter_map(|rule| rule.when.as_ref()).flat_map(|when| &when.kind);
    // An unknown kind in a rule is reported elsewhere; it is likely the one that is missing here.
    if rules.is_empty() || !named.all(|kind| form.kinds.contains(kind)) {
        return;
    }
    for (key, _) in form.kinds.iter().filter(|(_, kind)| kind.as_.is_none()) {
        let sends = rules.iter().any(|rule| allows(rule, |when| &when.kind, &key.name));
        if !sends && silence.reason_for_kind(on, &key.name).is_none() {
            let message = format!("no event rule sends messages of kind `{}`", key.name);
            problems.push(Problem::at(&key.span, code::UNCOVERED_ACTION, message));
        }
    }
}

fn rules_on(form: &VendorForm, on: EventKind) -> Vec<&EventForm> {
    form.event.iter().filter(|rule| rule.on.value == on.as_str()).collect()
}

/// Returns true if a rule's condition on one field admits the value.
fn allows<T: PartialEq>(
    rule: &EventForm,
    field: fn(&WhenForm) -> &Vec<Spanned<T>>,
    value: &T,
) -> bool {
    let list = rule.when.as_ref().map(field);
    list.is_none_or(|list| list.is_empty() || list.iter().any(|item| item.value == *value))
}

/// Checks the keys of `[silent]` and `[cannot]`: `event`, `event:role` or, in `[silent]` only,
/// `event:kind`. Returns true if all event names are known, including those of `[[event]]`.
fn check_names(form: &VendorForm, problems: &mut Problems) -> bool {
    let before = problems.len();
    for (key, _) in form.silent.0.iter().chain(&form.cannot.0) {
        let (event, detail) = match key.name.split_once(':') {
            Some((event, detail)) => (event, Some(detail)),
            None => (key.name.as_str(), None),
        };
        let is_kind = |name: &str| {
            let known = form.kinds.contains(name) || form.entities.contains(name);
            known && form.silent.contains(&key.name)
        };
        if EventKind::from_name(event).is_none() {
            let message = format!("unknown neutral event `{event}`");
            let problem = Problem::at(&key.span, code::UNKNOWN_EVENT, message);
            problems.push(problem.suggest_or_list(event, EventKind::NAMES.iter().copied()));
        }
        let is_known = |name: &str| Role::from_name(name).is_some() || is_kind(name);
        if let Some(name) = detail.filter(|name| !is_known(name)) {
            let message = format!("unknown role or kind `{name}`");
            let problem = Problem::at(&key.span, code::UNKNOWN_VALUE, message);
            problems.push(problem.suggest_or_list(name, Role::NAMES.iter().copied()));
        }
    }
    let known = |rule: &EventForm| EventKind::from_name(&rule.on).is_some();
    problems.len() == before && form.event.iter().all(known)
}

/// Checks that the fields in `when.changed` and the like exist in every entity kind that the rule
/// admits.
pub(super) fn check_changed(form: &VendorForm, problems: &mut Problems) {
    let whens = form.event.iter().filter_map(|event| Some((event, event.when.as_ref()?)));
    for (event, when) in whens {
        if let Some(name) = when.variable.first()
            && event.on.value != EventKind::VariablesSet.as_str()
        {
            let message = "`variable` is valid only for `variables.set`";
            problems.push(Problem::at(&name.span, code::UNKNOWN_DATA, message));
        }
        if let Some(action) = when.action.first()
            && event.on.value != EventKind::LabelsChanged.as_str()
        {
            let message = "`action` is valid only for `labels.changed`";
            problems.push(Problem::at(&action.span, code::UNKNOWN_DATA, message));
        }
        let keys = [
            ("changed", &when.changed),
            ("unchanged", &when.unchanged),
            ("sets", &when.sets),
            ("sets_only", &when.sets_only),
            ("sets_other", &when.sets_other),
        ];
        let fields = keys.iter().flat_map(|(key, fields)| fields.iter().map(move |f| (*key, f)));
        for (key, field) in fields {
            if event.on.value != EventKind::EntityUpdated.as_str() {
                let message = format!("`{key}` is valid only for `entity.updated`");
                problems.push(Problem::at(&field.span, code::UNKNOWN_DATA, message));
                continue;
            }
            let admitted =
                form.entities.iter().filter(|(kind, _)| allows(event, |w| &w.kind, &kind.name));
            for (kind, entity) in admitted {
                let optional = entity.optional.iter().map(|field| field.as_str());
                let mut fields = entity.data.names().chain(optional);
                if !fields.any(|known| known == field.value) {
                    let message =
                        format!("entity kind `{}` has no field `{}`", kind.name, field.value);
                    let problem = Problem::at(&field.span, code::UNKNOWN_DATA, message);
                    problems.push(problem.suggest_or_list(field, entity.data.names()));
                }
            }
        }
    }
}

/// Checks that `[source]` has an entry for each section that needs one, and no other entries.
pub(super) fn check_sources(node: &SyntaxNode, form: &VendorForm, problems: &mut Problems) {
    let Some(table) = node.as_table() else { return };
    let sections = table.0.iter().map(|(key, _)| key).filter(|key| needs_source(key));
    report_unsourced(sections.filter(|key| !form.source.contains(&key.name)), problems);
    for (key, _) in form.source.iter().filter(|(key, _)| table.get(&key.name).is_none()) {
        let message =
            format!("`[source]` names a section that the file does not have: `{}`", key.name);
        problems.push(Problem::at(&key.span, code::UNKNOWN_KEY, message));
    }
}

/// Returns true if a section needs a source. Unknown sections are reported elsewhere.
fn needs_source(key: &Key) -> bool {
    let name = key.name.as_str();
    VendorForm::KEYS.contains(&name) && !WITHOUT_SOURCE.contains(&name)
}

/// Checks that an overlay gives sources for its sections. Those of the lower file are for other
/// facts.
pub(super) fn check_overlay_sources(overlay: &SyntaxNode, problems: &mut Problems) {
    let Some(table) = overlay.as_table() else { return };
    let sources = table.get("source").and_then(SyntaxNode::as_table);
    let sections = table.0.iter().map(|(key, _)| key).filter(|key| needs_source(key));
    let has_source = |key: &&Key| sources.is_some_and(|sources| sources.get(&key.name).is_some());
    report_unsourced(sections.filter(|key| !has_source(key)), problems);
}

/// Reports sections without a source, at the first of them: a new file lacks all of them.
fn report_unsourced<'k>(sections: impl Iterator<Item = &'k Key>, problems: &mut Problems) {
    let sections: Vec<&Key> = sections.collect();
    let Some(first) = sections.first() else { return };
    let names: Vec<String> = sections.iter().map(|key| key.name.clone()).collect();
    let what = if names.len() == 1 { "the section" } else { "the sections" };
    let message = format!("`[source]` has no entry for {what} {}", quoted(&names));
    let help = format!("add `{} = {{ status = \"assumed\" }}` to `[source]`", first.name);
    let help = if names.len() == 1 { help } else { format!("{help}, and one for each other") };
    problems.push(Problem::at(&first.span, code::NO_SOURCE, message).help(help));
}

/// Returns the place of a section's name.
fn header_of(node: &SyntaxNode, section: &str) -> Option<SourceSpan> {
    let (key, _) = node.as_table()?.0.iter().find(|(key, _)| key.name == section)?;
    Some(key.span.clone())
}

/// Returns true if a mistake in the conditions of a rule was reported. The rule was then read
/// without them.
fn has_misread_condition(node: &SyntaxNode, problems: &Problems) -> bool {
    let events = node.as_table().and_then(|table| table.get("event")).map(|events| &events.content);
    let Some(NodeContent::List(events)) = events else { return false };
    let conditions = events.iter().filter_map(|event| event.as_table()?.get("when"));
    let mut places = conditions.map(|condition| &condition.span);
    places.any(|place| {
        problems
            .iter()
            .filter_map(|problem| problem.span.as_ref())
            .any(|span| span.source == place.source && place.range.contains(&span.range.start))
    })
}

/// Returns the start of the file, where problems about missing parts are reported.
fn start_of(node: &SyntaxNode) -> SourceSpan {
    node.span.source.span(0..0)
}
