//! Checks conditions: that the words exist, and that each condition that can occur has a response.

use std::collections::BTreeSet;

use super::act::ActTemplate;
use super::condition::{CallCondition, ConditionWord, RefusalReason};
use super::forms::{BodyProtocol, FindForm};
use super::rules::{ApiRules, OperationRule, RouteRule};
use crate::diag::{NodeContent, Problem, Problems, SourceSpan, SyntaxNode, code};
use crate::platform::forms::VendorForm;

/// What `unknown.` can be followed by, besides the names of `find`.
const ACCOUNT: &str = "account";

/// Reads the conditions of an error response: a word or a list of words.
pub(super) fn check_triggers(
    node: &SyntaxNode,
    form: &VendorForm,
    problems: &mut Problems,
) -> Option<Vec<CallCondition>> {
    let nodes = match &node.content {
        NodeContent::List(items) => items.iter().collect(),
        _ => vec![node],
    };
    let before = problems.len();
    let mut conditions = Vec::new();
    for node in nodes {
        let Some(text) = node.as_text() else {
            let message = format!("`when` takes conditions or matchers, found {}", node.kind());
            let problem = Problem::at(&node.span, code::UNKNOWN_CONDITION, message);
            problems
                .push(problem.help("for example `\"not_found\"` or `[\"bad_body\", \"refused\"]`"));
            continue;
        };
        conditions.extend(problems.note(parse(text, &node.span, form)));
    }
    (problems.len() == before).then_some(conditions)
}

fn parse(text: &str, span: &SourceSpan, form: &VendorForm) -> Result<CallCondition, Problem> {
    let (word, detail) = match text.split_once('.') {
        Some((word, detail)) => (word, Some(detail)),
        None => (text, None),
    };
    let unknown = || {
        let message = format!("unknown condition `{text}`");
        Problem::at(span, code::UNKNOWN_CONDITION, message)
    };
    let Some(word) = ConditionWord::from_name(word) else {
        return Err(unknown().suggest_or_list(word, ConditionWord::NAMES.iter().copied()));
    };
    let Some(detail) = detail else { return Ok(CallCondition::plain(word)) };
    let known = details(word, form);
    if known.contains(&detail) {
        return Ok(CallCondition::about(word, detail));
    }
    if known.is_empty() {
        let help = if word.has_credential() {
            "declare the credential with `[[credential]]`"
        } else {
            "nothing follows this word"
        };
        return Err(unknown().help(help));
    }
    let all: Vec<String> = known.iter().map(|name| format!("{word}.{name}")).collect();
    Err(unknown().suggest_or_list(text, all.iter().map(String::as_str)))
}

/// Returns what can follow a word.
fn details(word: ConditionWord, form: &VendorForm) -> Vec<&str> {
    match word {
        ConditionWord::Missing | ConditionWord::Invalid | ConditionWord::Expired => {
            form.credential.iter().map(|credential| credential.name.as_str()).collect()
        }
        ConditionWord::Throttled => {
            form.throttle.iter().map(|throttle| throttle.name.as_str()).collect()
        }
        ConditionWord::Refused => RefusalReason::NAMES.to_vec(),
        ConditionWord::Unknown => {
            let finds = form.route.iter().flat_map(|route| &route.find);
            let finds = finds.chain(form.operation.iter().flat_map(|operation| &operation.find));
            let names = finds.filter_map(|find| match &find.name {
                Some(own) => Some(own.value.as_str()),
                None => name_of(find),
            });
            names.chain([ACCOUNT]).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the default name of what an entry of `find` looks for.
fn name_of(find: &FindForm) -> Option<&str> {
    let kinds = [
        ("conversation", find.conversation.is_some()),
        ("dialog", find.dialog.is_some()),
        ("visitor", find.visitor.is_some()),
        ("agent", find.agent.is_some()),
        ("bot", find.bot.is_some()),
        ("file", find.file.is_some()),
    ];
    let document = find.document.as_ref().or(find.entity.as_ref());
    let document = document.and_then(|table| table.get("kind")?.as_text());
    let kind = kinds.into_iter().find(|(_, is_it)| *is_it).map(|(kind, _)| kind);
    document.or(kind)
}

/// Reports conditions that can occur and have no response.
pub(super) fn check_conditions(form: &VendorForm, rules: &ApiRules, problems: &mut Problems) {
    if rules.is_empty() {
        return;
    }
    let start = form.route.first().map(|route| &route.span);
    let general = [CallCondition::not_found(), CallCondition::method_not_allowed()];
    report(rules, &[], &general, start, problems);
    for route in &rules.routes {
        let span = form.route.iter().find(|known| known.name.value == route.name);
        let span = span.map(|route| &route.span);
        report(rules, &route.errors, &of_route(route, rules), span, problems);
        for operation in &route.operations {
            let own = form.operation.iter().find(|known| known.name.value == operation.name);
            let span = own.map(|operation| &operation.span).or(span);
            report(rules, &operation.errors, &of_operation(operation, rules), span, problems);
        }
    }
}

fn report(
    rules: &ApiRules,
    own: &[super::response::ErrorRule],
    conditions: &[CallCondition],
    span: Option<&SourceSpan>,
    problems: &mut Problems,
) {
    let unanswered: Vec<String> = conditions
        .iter()
        .filter(|condition| rules.error(own, condition).is_none())
        .map(|condition| format!("`{condition}`"))
        .collect();
    if unanswered.is_empty() {
        return;
    }
    let message = format!("no response for {}", unanswered.join(", "));
    let problem = match span {
        Some(span) => Problem::at(span, code::UNANSWERED_CONDITION, message),
        None => Problem::anywhere(code::UNANSWERED_CONDITION, message),
    };
    problems.push(problem.help("add an `[[api.error]]` with the condition in `when`"));
}

/// Returns the conditions under which a call fails before its operation is known.
fn of_route(route: &RouteRule, rules: &ApiRules) -> Vec<CallCondition> {
    let mut conditions = vec![CallCondition::too_large()];
    if let Some(account) = &rules.account
        && route.paths().any(|path| path.contains(&format!("{{{}}}", account.parameter)))
    {
        conditions.push(CallCondition::unknown(ACCOUNT));
    }
    conditions.extend(of_auth(&route.auth, rules));
    conditions.extend(route.throttles.iter().map(|name| CallCondition::throttled(name)));
    if route.body != BodyProtocol::None {
        conditions.push(CallCondition::bad_body());
    }
    if !covers_all_calls(route) {
        conditions.push(CallCondition::unknown_operation());
    }
    conditions
}

/// Returns true if an operation without conditions takes the calls that no other takes: one for each
/// field of a GraphQL route.
fn covers_all_calls(route: &RouteRule) -> bool {
    let fields: BTreeSet<_> = route.operations.iter().map(|operation| &operation.field).collect();
    !fields.is_empty()
        && fields.into_iter().all(|field| {
            let mut own = route.operations.iter().filter(|operation| operation.field == *field);
            own.any(|operation| operation.matches.is_empty())
        })
}

/// Returns the conditions of credentials.
fn of_auth(auth: &[Vec<String>], rules: &ApiRules) -> Vec<CallCondition> {
    let mut conditions = Vec::new();
    for rule in auth.iter().flatten().filter_map(|name| rules.credentials.get(name)) {
        conditions.push(CallCondition::missing(&rule.name));
        if !rule.is_unverified() || rule.needs_scheme() {
            conditions.push(CallCondition::invalid(&rule.name));
        }
        if rule.life.is_some() {
            conditions.push(CallCondition::expired(&rule.name));
        }
    }
    conditions
}

fn of_operation(operation: &OperationRule, rules: &ApiRules) -> Vec<CallCondition> {
    let mut conditions = vec![CallCondition::missing_field()];
    conditions.extend(of_auth(&operation.auth, rules));
    for find in operation.finds.iter().filter(|find| find.must_exist()) {
        conditions.push(CallCondition::unknown(&find.name));
    }
    if operation.acts.iter().any(|rule| rule.act.needs_conversation() || rule.act.is_about_entity())
    {
        conditions.extend(RefusalReason::ALL.iter().map(|reason| CallCondition::refused(*reason)));
    }
    if operation.acts.iter().any(|rule| matches!(rule.act, ActTemplate::Subscribe { .. })) {
        conditions.push(CallCondition::refused(RefusalReason::Address));
        conditions.push(CallCondition::handshake_failed());
    }
    conditions.dedup();
    conditions
}
