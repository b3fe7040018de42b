//! Whether a vendor's folder says something about every act, and where each section comes from.

use super::forms::{EventForm, VendorForm, WhenForm};
use super::rule::Quiet;
use crate::conversation::{EventKind, Role};
use crate::diag::{At, Node, Place, Problem, Problems, code};

/// The sections that need no source: they hold names and choices of ours, not facts.
const WITHOUT_SOURCE: &[&str] =
    &["id", "name", "docs", "extends", "revision", "drop", "show", "source", "brand", "option"];

/// For each act exactly one of the three is true: it sends an event, it is silent, it cannot be.
pub(super) fn check(node: &Node, form: &VendorForm, quiet: &Quiet, problems: &mut Problems) {
    check_names(form, problems);
    for on in EventKind::ALL {
        let rules: Vec<&EventForm> =
            form.event.iter().filter(|rule| rule.on.value == on.word()).collect();
        if *on != EventKind::MessageSent {
            judge((*on, None), !rules.is_empty(), quiet, node, problems);
            continue;
        }
        for role in Role::ALL {
            let sends = rules.iter().any(|rule| allows(rule, |when| &when.by, role));
            judge((*on, Some(*role)), sends, quiet, node, problems);
        }
        let own = form.kinds.iter().filter(|(_, kind)| kind.as_.is_none());
        for (key, _) in own.filter(|_| !rules.is_empty()) {
            if !rules.iter().any(|rule| allows(rule, |when| &when.kind, &key.name)) {
                let message = format!("no event is sent for messages of the kind `{}`", key.name);
                problems.push(Problem::at(&key.place, code::UNCOVERED_ACT, message));
            }
        }
    }
}

/// Whether a rule's condition on this field lets the value through.
fn allows<T: PartialEq>(rule: &EventForm, field: fn(&WhenForm) -> &Vec<At<T>>, value: &T) -> bool {
    let wanted = rule.when.as_ref().map(field);
    wanted.is_none_or(|wanted| wanted.is_empty() || wanted.iter().any(|w| w.value == *value))
}

fn judge(
    (on, role): (EventKind, Option<Role>),
    sends: bool,
    quiet: &Quiet,
    node: &Node,
    problems: &mut Problems,
) {
    let said = quiet.of(on, role.unwrap_or(Role::Agent)).is_some();
    if sends == said {
        let what = role.map_or_else(|| on.to_string(), |role| format!("{on}:{role}"));
        let message = if sends {
            format!("`{what}` sends an event and is silent as well")
        } else {
            format!("nothing says what `{what}` does")
        };
        let problem = Problem::at(&start_of(node), code::UNCOVERED_ACT, message);
        problems
            .push(problem.help("give it an `[[event]]`, or a reason in `[silent]` or `[cannot]`"));
    }
}

/// The keys of `[silent]` and `[cannot]` are neutral events, or those with a role.
fn check_names(form: &VendorForm, problems: &mut Problems) {
    for (key, _) in form.silent.0.iter().chain(&form.cannot.0) {
        let (event, role) = match key.name.split_once(':') {
            Some((event, role)) => (event, Some(role)),
            None => (key.name.as_str(), None),
        };
        if EventKind::of_word(event).is_none() {
            let message = format!("there is no neutral event `{event}`");
            let problem = Problem::at(&key.place, code::UNKNOWN_EVENT, message);
            problems.push(problem.known(event, EventKind::WORDS.iter().copied()));
        }
        if let Some(role) = role.filter(|role| Role::of_word(role).is_none()) {
            let message = format!("there is no role `{role}`");
            let problem = Problem::at(&key.place, code::UNKNOWN_WORD, message);
            problems.push(problem.known(role, Role::WORDS.iter().copied()));
        }
    }
}

/// Every section says where its facts come from.
pub(super) fn check_sources(node: &Node, form: &VendorForm, problems: &mut Problems) {
    let Some(table) = node.as_table() else { return };
    for (key, _) in &table.0 {
        let name = key.name.as_str();
        if !WITHOUT_SOURCE.contains(&name) && !form.source.contains(name) {
            let message = format!("`[source]` does not say where `{name}` comes from");
            problems.push(Problem::at(&key.place, code::NO_SOURCE, message));
        }
    }
    for (key, _) in form.source.iter().filter(|(key, _)| table.get(&key.name).is_none()) {
        let message = format!("there is no section `{}`", key.name);
        problems.push(Problem::at(&key.place, code::UNKNOWN_KEY, message));
    }
}

/// Problems about what is not there are told at the file's beginning.
fn start_of(node: &Node) -> Place {
    node.place.source.place(0..0)
}
