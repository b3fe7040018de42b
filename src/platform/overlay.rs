//! Merges two `vendor.toml` files: a revision over its vendor, or a vendor over the one it extends.

use crate::diag::{Key, NodeContent, Problem, Problems, SourceSpan, SyntaxNode, Table, code};

/// Merges the upper file into the lower one. Tables merge key by key. An event replaces the one
/// with the same neutral event and type, and removes the lower file's reasons for silence about it.
/// A credential, a route or an operation replaces the one with its name. `drop` removes events,
/// routes and operations of the lower file, `rename` renames events. All other values are replaced.
pub(super) fn merge(
    mut lower: SyntaxNode,
    upper: SyntaxNode,
    problems: &mut Problems,
) -> SyntaxNode {
    if let (NodeContent::Table(lower), Some(upper)) = (&mut lower.content, upper.as_table()) {
        // Both refer to event types of the lower file, so they come before its events are replaced.
        drop_events(lower, upper, problems);
        rename_events(lower, upper, problems);
        remove_silence(lower, upper);
    }
    merge_nodes(lower, upper)
}

/// Returns a file without one of its sections.
pub(super) fn without(mut node: SyntaxNode, section: &str) -> SyntaxNode {
    if let NodeContent::Table(table) = &mut node.content {
        table.0.retain(|(key, _)| key.name != section);
    }
    node
}

/// Merges tables key by key; a value replaces the one below.
pub(super) fn merge_nodes(lower: SyntaxNode, upper: SyntaxNode) -> SyntaxNode {
    let span = upper.span.clone();
    match (lower.content, upper.content) {
        (NodeContent::Table(lower), NodeContent::Table(upper)) => {
            let mut merged = lower;
            for (key, node) in upper.0 {
                match merged.0.iter_mut().find(|(own, _)| own.name == key.name) {
                    Some((_, own)) if key.name == "event" => {
                        let below = own.clone();
                        *own = merge_events(below, node);
                    }
                    Some((_, own)) if NAMED.contains(&key.name.as_str()) => {
                        let below = own.clone();
                        *own = merge_named(below, node);
                    }
                    Some((own_key, own)) => {
                        let below = own.clone();
                        // Problems must be reported at the key in the upper file.
                        *own_key = key;
                        *own = merge_nodes(below, node);
                    }
                    None => merged.0.push((key, node)),
                }
            }
            SyntaxNode { span, content: NodeContent::Table(merged) }
        }
        (_, content) => SyntaxNode { span, content },
    }
}

/// Lists whose entries have names. An entry replaces the one of the lower file with its name.
const NAMED: [&str; 4] = ["credential", "route", "operation", "throttle"];

fn merge_named(lower: SyntaxNode, upper: SyntaxNode) -> SyntaxNode {
    let span = upper.span.clone();
    match (lower.content, upper.content) {
        (NodeContent::List(mut entries), NodeContent::List(upper)) => {
            for entry in upper {
                let name = text(&entry, "name");
                // In place, because the first operation that matches is performed.
                match entries.iter_mut().find(|own| name.is_some() && text(own, "name") == name) {
                    Some(own) => *own = entry,
                    None => entries.push(entry),
                }
            }
            SyntaxNode { span, content: NodeContent::List(entries) }
        }
        (_, content) => SyntaxNode { span, content },
    }
}

/// Returns the value of a key for modification.
fn entry<'a>(table: &'a mut Table, key: &str) -> Option<&'a mut NodeContent> {
    let found = table.0.iter_mut().find(|(own, _)| own.name == key);
    found.map(|(_, node)| &mut node.content)
}

fn events(table: &mut Table) -> &mut [SyntaxNode] {
    match entry(table, "event") {
        Some(NodeContent::List(events)) => events,
        _ => &mut [],
    }
}

fn drop_events(lower: &mut Table, upper: &Table, problems: &mut Problems) {
    let Some(NodeContent::List(dropped)) = upper.get("drop").map(|node| &node.content) else {
        return;
    };
    for (node, name) in dropped.iter().filter_map(|node| Some((node, node.as_text()?))) {
        if drop_named(lower, name) {
            continue;
        }
        if !events(lower).iter().any(|event| text(event, "type") == Some(name)) {
            problems.push(unknown_event(name, &node.span, lower));
        }
        if let Some(NodeContent::List(events)) = entry(lower, "event") {
            events.retain(|event| text(event, "type") != Some(name));
        }
    }
}

/// Removes a route with its operations, or an operation. Returns false if nothing has this name.
fn drop_named(lower: &mut Table, name: &str) -> bool {
    let mut was_there = false;
    for (list, keys) in [("route", ["name", "name"]), ("operation", ["name", "route"])] {
        if let Some(NodeContent::List(entries)) = entry(lower, list) {
            let before = entries.len();
            entries.retain(|own| keys.iter().all(|key| text(own, key) != Some(name)));
            was_there |= entries.len() < before;
        }
    }
    was_there
}

fn rename_events(lower: &mut Table, upper: &Table, problems: &mut Problems) {
    let Some(renamed) = upper.get("rename").and_then(SyntaxNode::as_table) else { return };
    for (old, new) in &renamed.0 {
        let Some(pattern) = new.as_text() else { continue }; // reported when the form is read
        let mut found = false;
        for event in events(lower) {
            let NodeContent::Table(event) = &mut event.content else { continue };
            let Some(name) = event.get("type").and_then(SyntaxNode::as_text).map(str::to_owned)
            else {
                continue;
            };
            if let Some(other) = renamed_as(&name, &old.name, pattern) {
                found = true;
                rename_event(event, name, other, new);
            }
        }
        if !found {
            problems.push(unknown_event(&old.name, &old.span, lower));
        }
    }
}

/// Returns the new name, or `None` if the old pattern does not match. `*` keeps its text.
fn renamed_as(name: &str, old: &str, new: &str) -> Option<String> {
    let Some((prefix, suffix)) = old.split_once('*') else {
        return (name == old).then(|| new.to_owned());
    };
    let rest = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
    Some(new.replacen('*', rest, 1))
}

/// Renames an event and adds the old name to `previous_names`.
fn rename_event(event: &mut Table, old: String, new: String, at: &SyntaxNode) {
    let node = |content| SyntaxNode { span: at.span.clone(), content };
    if let Some(name) = entry(event, "type") {
        *name = NodeContent::Text(new);
    }
    let old = node(NodeContent::Text(old));
    // Renamed more than once, an event keeps all earlier names.
    if let Some(NodeContent::List(previous_names)) = entry(event, "previous_names") {
        return previous_names.push(old);
    }
    let key = Key { name: "previous_names".into(), span: at.span.clone() };
    event.0.push((key, node(NodeContent::List(vec![old]))));
}

fn unknown_event(name: &str, span: &SourceSpan, lower: &mut Table) -> Problem {
    let message = format!("the file below has no event type `{name}`");
    let known = events(lower).iter().filter_map(|event| text(event, "type"));
    Problem::at(span, code::UNKNOWN_EVENT, message).suggest_or_list(name, known)
}

/// Removes the lower file's reasons for silence about events that the upper file sends.
fn remove_silence(lower: &mut Table, upper: &Table) {
    let Some(NodeContent::List(sent)) = upper.get("event").map(|node| &node.content) else {
        return;
    };
    for section in ["silent", "cannot"] {
        if let Some(NodeContent::Table(reasons)) = entry(lower, section) {
            let is_sent = |on: &str| sent.iter().any(|event| text(event, "on") == Some(on));
            reasons.0.retain(|(key, _)| !is_sent(&key.name));
        }
    }
}

fn merge_events(lower: SyntaxNode, upper: SyntaxNode) -> SyntaxNode {
    let (NodeContent::List(mut events), NodeContent::List(upper_events)) =
        (lower.content, &upper.content)
    else {
        return upper;
    };
    let key = |event: &SyntaxNode| ["on", "type"].map(|key| text(event, key).map(str::to_owned));
    let lower_keys: Vec<_> = events.iter().map(key).collect();
    let mut replaced = Vec::new();
    for event in upper_events {
        let same = |own: &SyntaxNode| key(own) == key(event);
        // Events that only the upper file has keep its order.
        if !lower_keys.contains(&key(event)) {
            events.push(event.clone());
            continue;
        }
        match (events.iter().position(same), events.iter().rposition(same)) {
            // In place, because the order of rules is the order of webhooks.
            (Some(at), _) if !replaced.contains(&key(event)) => events[at] = event.clone(),
            // The upper file has several rules for the event.
            (_, Some(last)) => events.insert(last + 1, event.clone()),
            _ => events.push(event.clone()),
        }
        replaced.push(key(event));
    }
    SyntaxNode { span: upper.span, content: NodeContent::List(events) }
}

fn text<'a>(event: &'a SyntaxNode, key: &str) -> Option<&'a str> {
    event.as_table()?.get(key)?.as_text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Source, toml};

    fn merged(lower: &str, upper: &str) -> (String, Vec<String>) {
        let read = |text| toml::parse(&Source::new("t.toml", text)).0;
        let mut problems = Problems::new();
        let node = merge(read(lower), read(upper), &mut problems);
        let messages = problems.sorted().into_iter().map(|problem| problem.message).collect();
        (node.to_json().to_string(), messages)
    }

    fn check(lower: &str, upper: &str, expected: &str) {
        assert_eq!(merged(lower, upper), (expected.to_owned(), Vec::new()));
    }

    #[test]
    fn tables_merge_and_events_are_replaced_or_dropped() {
        check("a.x = 1\na.y = [1, 2]\n", "a.y = [3]\na.z = 4\n", r#"{"a":{"x":1,"y":[3],"z":4}}"#);
        let event = |on: &str, name: &str, template: u32| {
            format!("[[event]]\non = '{on}'\ntype = '{name}'\nt = {template}\n")
        };
        check(
            &(event("a", "x", 1) + &event("a", "y", 2) + &event("b", "z", 3)),
            &("drop = ['z']\n".to_owned() + &event("a", "y", 4) + &event("c", "y", 5)),
            r#"{"event":[{"on":"a","type":"x","t":1},{"on":"a","type":"y","t":4},{"on":"c","type":"y","t":5}],"drop":["z"]}"#,
        );
        check(
            &(event("a", "x", 1) + &event("b", "z", 3)),
            &(event("a", "x", 2) + &event("a", "x", 4)),
            r#"{"event":[{"on":"a","type":"x","t":2},{"on":"a","type":"x","t":4},{"on":"b","type":"z","t":3}]}"#,
        );
        check(
            &(event("a", "x", 1) + &event("b", "z", 3)),
            "drop = ['x']\n",
            r#"{"event":[{"on":"b","type":"z","t":3}],"drop":["x"]}"#,
        );
    }

    #[test]
    fn routes_and_operations_are_replaced_or_dropped_by_name() {
        let route = |name: &str, path: u32| format!("[[route]]\nname = '{name}'\np = {path}\n");
        let operation = "[[operation]]\nroute = 'b'\nname = 'o'\n";
        check(
            &(route("a", 1) + &route("b", 2) + &route("c", 3) + operation),
            &("drop = ['b']\n".to_owned() + &route("a", 4) + &route("d", 5)),
            r#"{"route":[{"name":"a","p":4},{"name":"c","p":3},{"name":"d","p":5}],"operation":[],"drop":["b"]}"#,
        );
    }

    #[test]
    fn renamed_events_keep_their_previous_names() {
        let event = |name: &str| format!("[[event]]\non = 'a'\ntype = '{name}'\n");
        check(
            &(event("x.made") + &event("y.made")),
            "rename = { 'x.*' = 'new:x.*' }\n",
            r#"{"event":[{"on":"a","type":"new:x.made","previous_names":["x.made"]},{"on":"a","type":"y.made"}],"rename":{"x.*":"new:x.*"}}"#,
        );
        let (_, messages) = merged(&event("x"), "drop = ['z']\nrename = { 'y.*' = 'z.*' }\n");
        let message = |name: &str| format!("the file below has no event type `{name}`");
        assert_eq!(messages, [message("z"), message("y.*")]);
    }

    #[test]
    fn event_removes_the_silence_of_the_lower_file() {
        check(
            "silent = { a = 'no', b = 'no' }\n",
            "[[event]]\non = 'a'\ntype = 'x'\n",
            r#"{"silent":{"b":"no"},"event":[{"on":"a","type":"x"}]}"#,
        );
    }
}
