//! Lays one `vendor.toml` over another: a revision over its vendor, a label over its product.

use crate::diag::{Content, Node, Table};

/// The lower file with the upper one over it. Tables merge key by key; an event replaces the one
/// on the same neutral event and of the same type; everything else is replaced. `drop` takes
/// events of the lower file away.
pub(super) fn lay(lower: Node, upper: Node) -> Node {
    let place = upper.place.clone();
    match (lower.content, upper.content) {
        (Content::Table(lower), Content::Table(upper)) => {
            let mut merged = lower;
            drop_events(&mut merged, &dropped_types(&upper));
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
            Node { place, content: Content::Table(merged) }
        }
        (_, content) => Node { place, content },
    }
}

fn drop_events(table: &mut Table, dropped: &[String]) {
    let events = table.0.iter_mut().find(|(key, _)| key.name == "event");
    if let Some(Content::List(events)) = events.map(|(_, node)| &mut node.content) {
        let is_dropped = |name: &str| dropped.iter().any(|dropped| dropped == name);
        events.retain(|event| !text(event, "type").is_some_and(is_dropped));
    }
}

fn lay_events(lower: Node, upper: Node) -> Node {
    let (Content::List(mut events), Content::List(upper_events)) = (lower.content, &upper.content)
    else {
        return upper;
    };
    for event in upper_events {
        let same = |own: &Node| {
            text(own, "on") == text(event, "on") && text(own, "type") == text(event, "type")
        };
        match events.iter().position(same) {
            Some(at) => events[at] = event.clone(),
            None => events.push(event.clone()),
        }
    }
    Node { place: upper.place, content: Content::List(events) }
}

fn dropped_types(upper: &Table) -> Vec<String> {
    match upper.get("drop").map(|node| &node.content) {
        Some(Content::List(types)) => {
            types.iter().filter_map(|node| node.as_text().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

fn text<'a>(event: &'a Node, key: &str) -> Option<&'a str> {
    event.as_table()?.get(key)?.as_text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Source, toml};

    fn check(lower: &str, upper: &str, expected: &str) {
        let read = |text| toml::parse(&Source::new("t.toml", text)).0;
        assert_eq!(lay(read(lower), read(upper)).to_json().to_string(), expected);
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
}
