//! Whether a vendor's folder says something about every act, and where each section comes from.

use super::event_rule::SilenceRules;
use super::forms::{EventForm, VendorForm, WhenForm};
use crate::conversation::{EventKind, Role};
use crate::diag::{Key, Problem, Problems, SourceSpan, Spanned, SyntaxNode, code};

/// The sections that need no source: they hold names and choices of ours, not facts.
const WITHOUT_SOURCE: &[&str] = &[
    "id", "name", "docs", "extends", "revision", "drop", "rename", "show", "source", "brand",
    "option",
];

/// For each act exactly one of the three is true: it sends an event, it is silent, it cannot be.
pub(super) fn check(
    node: &SyntaxNode,
    form: &VendorForm,
    quiet: &SilenceRules,
    problems: &mut Problems,
) {
    if !check_names(form, problems) {
        return;
    }
    let (mut silent_too, mut unsaid) = (Vec::new(), Vec::new());
    for on in EventKind::ALL.iter().filter(|on| **on != EventKind::Emitted) {
        for (what, sends, role) in cases(form, *on) {
            match (sends, quiet.of(*on, role).is_some()) {
                (true, true) => silent_too.push(format!("`{what}`")),
                (false, false) => unsaid.push(format!("`{what}`")),
                _ => {}
            }
        }
    }
    check_kinds(form, quiet, problems);
    let span = start_of(node);
    let problem = |message| Problem::at(&span, code::UNCOVERED_ACT, message);
    if !unsaid.is_empty() {
        let help = "give each an `[[event]]`, or a reason in `[silent]` or `[cannot]`";
        let unsaid = unsaid.join(", ");
        problems.push(problem(format!("nothing says what happens on {unsaid}")).help(help));
    }
    if !silent_too.is_empty() {
        let help = "take the `[[event]]` away, or the reason";
        let both = silent_too.join(", ");
        let message = format!("an event is sent, and silence said as well, on {both}");
        problems.push(problem(message).help(help));
    }
    if !form.kinds.contains("text") {
        let help = "every vendor has text messages: `word` and `body` say how they look";
        problems.push(problem("there is no `[kinds.text]`".into()).help(help));
    }
}

/// What is judged by itself on a neutral event: its name, whether something is sent for it, and the
/// role by which silence is looked up. Messages are judged by the role of who says them.
fn cases(form: &VendorForm, on: EventKind) -> Vec<(String, bool, Role)> {
    let rules = rules_on(form, on);
    if on != EventKind::MessageSent {
        return vec![(on.to_string(), !rules.is_empty(), Role::Agent)];
    }
    let sends = |role| rules.iter().any(|rule| allows(rule, |when| &when.by, role));
    Role::ALL.iter().map(|role| (format!("{on}:{role}"), sends(role), *role)).collect()
}

/// Where messages are sent at all, those of each kind are, or a reason says why not.
fn check_kinds(form: &VendorForm, quiet: &SilenceRules, problems: &mut Problems) {
    let on = EventKind::MessageSent;
    let rules = rules_on(form, on);
    let mut wanted = rules.iter().filter_map(|rule| rule.when.as_ref()).flat_map(|when| &when.kind);
    if rules.is_empty() || !wanted.all(|kind| form.kinds.contains(kind)) {
        return;
    }
    for (key, _) in form.kinds.iter().filter(|(_, kind)| kind.as_.is_none()) {
        let sends = rules.iter().any(|rule| allows(rule, |when| &when.kind, &key.name));
        if !sends && quiet.about(on, &key.name).is_none() {
            let message = format!("no event is sent for messages of the kind `{}`", key.name);
            problems.push(Problem::at(&key.span, code::UNCOVERED_ACT, message));
        }
    }
}

fn rules_on(form: &VendorForm, on: EventKind) -> Vec<&EventForm> {
    form.event.iter().filter(|rule| rule.on.value == on.word()).collect()
}

/// Whether a rule's condition on this field lets the value through.
fn allows<T: PartialEq>(
    rule: &EventForm,
    field: fn(&WhenForm) -> &Vec<Spanned<T>>,
    value: &T,
) -> bool {
    let wanted = rule.when.as_ref().map(field);
    wanted.is_none_or(|wanted| wanted.is_empty() || wanted.iter().any(|w| w.value == *value))
}

/// The keys of `[silent]` and `[cannot]` are neutral events, or those with a role or, for silence,
/// with a kind of message or entity. Gives whether all names of events are known, those of
/// `[[event]]` too.
fn check_names(form: &VendorForm, problems: &mut Problems) -> bool {
    let before = problems.len();
    for (key, _) in form.silent.0.iter().chain(&form.cannot.0) {
        let (event, precisely) = match key.name.split_once(':') {
            Some((event, precisely)) => (event, Some(precisely)),
            None => (key.name.as_str(), None),
        };
        let is_kind = |name: &str| {
            let known = form.kinds.contains(name) || form.entities.contains(name);
            known && form.silent.contains(&key.name)
        };
        if EventKind::of_word(event).is_none() {
            let message = format!("there is no neutral event `{event}`");
            let problem = Problem::at(&key.span, code::UNKNOWN_EVENT, message);
            problems.push(problem.known(event, EventKind::WORDS.iter().copied()));
        }
        let is_known = |name: &str| Role::of_word(name).is_some() || is_kind(name);
        if let Some(name) = precisely.filter(|name| !is_known(name)) {
            let message = format!("there is no role or kind `{name}`");
            let problem = Problem::at(&key.span, code::UNKNOWN_WORD, message);
            problems.push(problem.known(name, Role::WORDS.iter().copied()));
        }
    }
    let known = |rule: &EventForm| EventKind::of_word(&rule.on).is_some();
    problems.len() == before && form.event.iter().all(known)
}

/// The fields of which one must have changed are fields of every kind of entity that an event is
/// about.
pub(super) fn check_changed(form: &VendorForm, problems: &mut Problems) {
    let whens = form.event.iter().filter_map(|event| Some((event, event.when.as_ref()?)));
    for (event, when) in whens {
        for field in &when.changed {
            if event.on.value != EventKind::EntityUpdated.word() {
                let message = "only `entity.updated` is about fields that changed";
                problems.push(Problem::at(&field.span, code::UNKNOWN_DATA, message));
                continue;
            }
            let about =
                form.entities.iter().filter(|(kind, _)| allows(event, |w| &w.kind, &kind.name));
            for (kind, entity) in about {
                let optional = entity.optional.iter().map(|field| field.as_str());
                let mut fields = entity.data.names().chain(optional);
                if !fields.any(|known| known == field.value) {
                    let message = format!("`{}` has no `{}`", kind.name, field.value);
                    let problem = Problem::at(&field.span, code::UNKNOWN_DATA, message);
                    problems.push(problem.known(field, entity.data.names()));
                }
            }
        }
    }
}

/// Every section says where its facts come from.
pub(super) fn check_sources(node: &SyntaxNode, form: &VendorForm, problems: &mut Problems) {
    let Some(table) = node.as_table() else { return };
    for (key, _) in table.0.iter().filter(|(key, _)| needs_source(key)) {
        if !form.source.contains(&key.name) {
            problems.push(no_source(key));
        }
    }
    for (key, _) in form.source.iter().filter(|(key, _)| table.get(&key.name).is_none()) {
        let message = format!("there is no section `{}`", key.name);
        problems.push(Problem::at(&key.span, code::UNKNOWN_KEY, message));
    }
}

/// Whether a section has to say where its facts come from. Of one that nobody knows that is told.
fn needs_source(key: &Key) -> bool {
    let name = key.name.as_str();
    VendorForm::KEYS.contains(&name) && !WITHOUT_SOURCE.contains(&name)
}

/// A revision says itself where what it changes comes from.
pub(super) fn check_own_sources(overlay: &SyntaxNode, problems: &mut Problems) {
    let Some(table) = overlay.as_table() else { return };
    let own = table.get("source").and_then(SyntaxNode::as_table);
    for (key, _) in table.0.iter().filter(|(key, _)| needs_source(key)) {
        if own.is_none_or(|own| own.get(&key.name).is_none()) {
            problems.push(no_source(key));
        }
    }
}

fn no_source(key: &Key) -> Problem {
    let message = format!("`[source]` does not say where `{}` comes from", key.name);
    let help = format!("write `{} = {{ status = \"assumed\" }}` under `[source]`", key.name);
    Problem::at(&key.span, code::NO_SOURCE, message).help(help)
}

/// Problems about what is not there are told at the file's beginning.
fn start_of(node: &SyntaxNode) -> SourceSpan {
    node.span.source.span(0..0)
}
