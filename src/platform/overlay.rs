//! Lays one `vendor.toml` over another: a revision over its vendor, a label over its product.

use crate::diag::{Key, NodeContent, Problem, Problems, SourceSpan, SyntaxNode, Table, code};

/// The lower file with the upper one over it. Tables merge key by key; an event replaces the one
/// on the same neutral event and of the same type; everything else is replaced. `drop` takes
/// events of the lower file away, `rename` calls them something else, and an event of the upper
/// file breaks the lower one's silence about it.
pub(super) fn over(
    mut lower: SyntaxNode,
    upper: SyntaxNode,
    problems: &mut Problems,
) -> SyntaxNode {
    if let (NodeContent::Table(lower), Some(upper)) = (&mut lower.content, upper.as_table()) {
        drop_events(lower, upper, problems);
        rename_events(lower, upper, problems);
        break_silence(lower, upper);
    }
    lay(lower, upper)
}

/// A file without one of its sections.
pub(super) fn without(mut node: SyntaxNode, section: &str) -> SyntaxNode {
    if let NodeContent::Table(table) = &mut node.content {
        table.0.retain(|(key, _)| key.name != section);
    }
    node
}

fn lay(lower: SyntaxNode, upper: SyntaxNode) -> SyntaxNode {
    let span = upper.span.clone();
    match (lower.content, upper.content) {
        (NodeContent::Table(lower), NodeContent::Table(upper)) => {
            let mut merged = lower;
            for (key, node) in upper.0 {
                match merged.0.iter_mut().find(|(own, _)| own.name == key.name) {
                    Some((_, own)) if key.name == "event" => {
                        let below = own.clone();
                        *own = lay_events(below, node);
                    }
                    Some((own_key, own)) => {
                        let below = own.clone();
                        *own_key = key;
                        *own = lay(below, node);
                    }
                    None => merged.0.push((key, node)),
                }
            }
            SyntaxNode { span, content: NodeContent::Table(merged) }
        }
        (_, content) => SyntaxNode { span, content },
    }
}

/// The value of a key, to be changed.
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
        if !events(lower).iter().any(|event| text(event, "type") == Some(name)) {
            problems.push(not_there(name, &node.span, lower));
        }
        if let Some(NodeContent::List(events)) = entry(lower, "event") {
            events.retain(|event| text(event, "type") != Some(name));
        }
    }
}

fn rename_events(lower: &mut Table, upper: &Table, problems: &mut Problems) {
    let Some(renamed) = upper.get("rename").and_then(SyntaxNode::as_table) else { return };
    for (old, new) in &renamed.0 {
        let Some(pattern) = new.as_text() else { continue }; // told when the form is read
        let mut found = false;
        for event in events(lower) {
            let NodeContent::Table(event) = &mut event.content else { continue };
            let Some(name) = event.get("type").and_then(SyntaxNode::as_text).map(str::to_owned)
            else {
                continue;
            };
            if let Some(other) = renamed_as(&name, &old.name, pattern) {
                found = true;
                call(event, name, other, new);
            }
        }
        if !found {
            problems.push(not_there(&old.name, &old.span, lower));
        }
    }
}

/// What a name becomes: `*` stands for the same on both sides.
fn renamed_as(name: &str, old: &str, new: &str) -> Option<String> {
    let Some((front, behind)) = old.split_once('*') else {
        return (name == old).then(|| new.to_owned());
    };
    let rest = name.strip_prefix(front)?.strip_suffix(behind)?;
    Some(new.replacen('*', rest, 1))
}

/// Calls an event something else; what it was called until now it was called formerly.
fn call(event: &mut Table, old: String, new: String, at: &SyntaxNode) {
    let node = |content| SyntaxNode { span: at.span.clone(), content };
    if let Some(name) = entry(event, "type") {
        *name = NodeContent::Text(new);
    }
    let old = node(NodeContent::Text(old));
    if let Some(NodeContent::List(previous_names)) = entry(event, "previous_names") {
        return previous_names.push(old);
    }
    let key = Key { name: "previous_names".into(), span: at.span.clone() };
    event.0.push((key, node(NodeContent::List(vec![old]))));
}

fn not_there(name: &str, span: &SourceSpan, lower: &mut Table) -> Problem {
    let message = format!("nothing below is called `{name}`");
    let known = events(lower).iter().filter_map(|event| text(event, "type"));
    Problem::at(span, code::UNKNOWN_EVENT, message).known(name, known)
}

/// What the upper file has events for, the lower one is no longer silent about.
fn break_silence(lower: &mut Table, upper: &Table) {
    let Some(NodeContent::List(spoken)) = upper.get("event").map(|node| &node.content) else {
        return;
    };
    for section in ["silent", "cannot"] {
        if let Some(NodeContent::Table(reasons)) = entry(lower, section) {
            let is_spoken = |on: &str| spoken.iter().any(|event| text(event, "on") == Some(on));
            reasons.0.retain(|(key, _)| !is_spoken(&key.name));
        }
    }
}

fn lay_events(lower: SyntaxNode, upper: SyntaxNode) -> SyntaxNode {
    let (NodeContent::List(mut events), NodeContent::List(upper_events)) =
        (lower.content, &upper.content)
    else {
        return upper;
    };
    for event in upper_events {
        let same = |own: &SyntaxNode| {
            text(own, "on") == text(event, "on") && text(own, "type") == text(event, "type")
        };
        match events.iter().position(same) {
            Some(at) => events[at] = event.clone(),
            None => events.push(event.clone()),
        }
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

    fn laid(lower: &str, upper: &str) -> (String, Vec<String>) {
        let read = |text| toml::parse(&Source::new("t.toml", text)).0;
        let mut problems = Problems::new();
        let node = over(read(lower), read(upper), &mut problems);
        let told = problems.sorted().into_iter().map(|problem| problem.message).collect();
        (node.to_json().to_string(), told)
    }

    fn check(lower: &str, upper: &str, expected: &str) {
        assert_eq!(laid(lower, upper), (expected.to_owned(), Vec::new()));
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
            "drop = ['x']\n",
            r#"{"event":[{"on":"b","type":"z","t":3}],"drop":["x"]}"#,
        );
    }

    #[test]
    fn events_are_called_something_else_and_keep_their_old_names() {
        let event = |name: &str| format!("[[event]]\non = 'a'\ntype = '{name}'\n");
        check(
            &(event("x.made") + &event("y.made")),
            "rename = { 'x.*' = 'new:x.*' }\n",
            r#"{"event":[{"on":"a","type":"new:x.made","previous_names":["x.made"]},{"on":"a","type":"y.made"}],"rename":{"x.*":"new:x.*"}}"#,
        );
        let (_, told) = laid(&event("x"), "drop = ['z']\nrename = { 'y.*' = 'z.*' }\n");
        assert_eq!(told, ["nothing below is called `z`", "nothing below is called `y.*`"]);
    }

    #[test]
    fn an_event_breaks_the_silence_below() {
        check(
            "silent = { a = 'no', b = 'no' }\n",
            "[[event]]\non = 'a'\ntype = 'x'\n",
            r#"{"silent":{"b":"no"},"event":[{"on":"a","type":"x"}]}"#,
        );
    }
}
