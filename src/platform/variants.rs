//! Entries of a vendor's file that are stated once for several variants.

use super::overlay;
use crate::base::limits::MAX_VARIANTS;
use crate::diag::{Key, NodeContent, Problem, Problems, SyntaxNode, Table, code};

/// Section with the variants, by name.
const SECTION: &str = "variants";
/// Key of an entry that names the variants for which it is repeated.
const KEY: &str = "for";

/// The values of a variant: what stands in place of `<name>`, by name.
type VariantValues = Vec<(String, String)>;

/// Repeats each entry with `for = "NAME"` for each of `[variants] NAME`, with the values of the
/// variant in its keys and texts.
///
/// Revisions are merged before, so that one that adds a variant has all entries for it.
pub(super) fn repeat(mut node: SyntaxNode, problems: &mut Problems) -> SyntaxNode {
    let variants = variants(&node, problems);
    let mut repeating = Repeating { variants: &variants, problems };
    if let NodeContent::Table(file) = &mut node.content {
        for (_, section) in file.0.iter_mut().filter(|(key, _)| key.name != SECTION) {
            match &mut section.content {
                NodeContent::List(entries) => *entries = repeating.list(std::mem::take(entries)),
                NodeContent::Table(table) => *table = repeating.table(std::mem::take(table)),
                _ => {}
            }
        }
    }
    node
}

/// Reads the variants. What has another form is reported when the section is read.
fn variants(node: &SyntaxNode, problems: &mut Problems) -> Vec<(String, Vec<VariantValues>)> {
    let section = node.as_table().and_then(|file| file.get(SECTION)?.as_table());
    let values = |node: &SyntaxNode| -> Option<VariantValues> {
        let table = node.as_table()?.0.iter();
        Some(
            table
                .filter_map(|(key, value)| {
                    Some((format!("<{}>", key.name), value.as_text()?.to_owned()))
                })
                .collect(),
        )
    };
    let all = section.into_iter().flat_map(|section| &section.0);
    all.filter_map(|(key, node)| match &node.content {
        NodeContent::List(list) => {
            if list.len() > MAX_VARIANTS {
                let message = format!("more than {MAX_VARIANTS} variants in a list");
                problems.push(Problem::at(&node.span, code::TOO_MANY, message));
            }
            let list = list.iter().take(MAX_VARIANTS);
            Some((key.name.clone(), list.filter_map(values).collect()))
        }
        _ => None,
    })
    .collect()
}

/// Repeats the entries of sections.
struct Repeating<'a> {
    variants: &'a [(String, Vec<VariantValues>)],
    problems: &'a mut Problems,
}

impl Repeating<'_> {
    /// Repeats entries of a list. Neighbors for the same variants are repeated together, as a vendor's
    /// operations about one kind of thing follow each other.
    fn list(&mut self, entries: Vec<SyntaxNode>) -> Vec<SyntaxNode> {
        let mut repeated = Vec::new();
        let mut entries = entries.into_iter().peekable();
        while let Some(entry) = entries.next() {
            let Some(name) = named(&entry) else {
                repeated.push(entry);
                continue;
            };
            let mut group = vec![entry];
            while let Some(next) = entries.next_if(|next| named(next).as_ref() == Some(&name)) {
                group.push(next);
            }
            let variants = self.variants_of(&group[0], &name);
            repeated.extend(
                variants.iter().flat_map(|values| {
                    group.iter().map(|entry| filled(without_key(entry), values))
                }),
            );
        }
        repeated
    }

    /// Repeats entries of a table. An entry with the name of a repeated one changes it.
    fn table(&mut self, table: Table) -> Table {
        let mut repeated = Vec::new();
        let (entries, own): (Vec<_>, Vec<_>) =
            table.0.into_iter().partition(|(_, entry)| named(entry).is_some());
        for (key, entry) in entries {
            let name = named(&entry).unwrap_or_default();
            for values in self.variants_of(&entry, &name) {
                let key = Key { name: replaced(&key.name, values), span: key.span.clone() };
                repeated.push((key, filled(without_key(&entry), values)));
            }
        }
        for (key, entry) in own {
            match repeated.iter_mut().find(|(known, _)| known.name == key.name) {
                Some((_, below)) => *below = overlay::merge_nodes(below.clone(), entry),
                None => repeated.push((key, entry)),
            }
        }
        Table(repeated)
    }

    fn variants_of(&mut self, entry: &SyntaxNode, name: &str) -> &[VariantValues] {
        if let Some((_, values)) = self.variants.iter().find(|(known, _)| known == name) {
            return values;
        }
        let span = entry.as_table().and_then(|table| Some(&table.get(KEY)?.span));
        let message = format!("unknown variants `{name}`");
        let problem = Problem::at(span.unwrap_or(&entry.span), code::UNKNOWN_KEY, message);
        let known = self.variants.iter().map(|(known, _)| known.as_str());
        self.problems.push(problem.suggest_or_list(name, known));
        &[]
    }
}

/// Returns the name of the variants for which an entry is repeated.
fn named(entry: &SyntaxNode) -> Option<String> {
    Some(entry.as_table()?.get(KEY)?.as_text()?.to_owned())
}

fn without_key(entry: &SyntaxNode) -> SyntaxNode {
    let mut entry = entry.clone();
    if let NodeContent::Table(table) = &mut entry.content {
        table.0.retain(|(key, _)| key.name != KEY);
    }
    entry
}

fn filled(mut node: SyntaxNode, values: &VariantValues) -> SyntaxNode {
    fill(&mut node, values);
    node
}

fn fill(node: &mut SyntaxNode, values: &VariantValues) {
    match &mut node.content {
        NodeContent::Text(text) => *text = replaced(text, values),
        NodeContent::List(items) => items.iter_mut().for_each(|item| fill(item, values)),
        NodeContent::Table(table) => {
            for (key, node) in &mut table.0 {
                key.name = replaced(&key.name, values);
                fill(node, values);
            }
        }
        _ => {}
    }
}

fn replaced(text: &str, values: &VariantValues) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Source, toml};

    fn repeated(text: &str) -> (String, Vec<String>) {
        let mut problems = Problems::new();
        let node = repeat(toml::parse(&Source::new("t.toml", text)).0, &mut problems);
        let node = overlay::without(node, SECTION);
        let messages = problems.sorted().into_iter().map(|problem| problem.message).collect();
        (node.to_json().to_string(), messages)
    }

    #[test]
    fn entries_are_repeated_for_variants() {
        let variants = "variants.tea = [{ leaf = 'oolong', Leaf = 'Oolong' }, { leaf = 'mint' }]\n";
        let entry =
            |name: &str| format!("[[a]]\nfor = 'tea'\nb = {{ '<leaf>.x' = ['{name} <leaf>'] }}\n");
        let table = "[c.mint]\ne = 1\n[c.'<leaf>']\nfor = 'tea'\nd = '<Leaf>'\n";
        let (json, messages) = repeated(&(variants.to_owned() + &entry("1") + &entry("2") + table));
        let expected = r#"{"a":[{"b":{"oolong.x":["1 oolong"]}},{"b":{"oolong.x":["2 oolong"]}},{"b":{"mint.x":["1 mint"]}},{"b":{"mint.x":["2 mint"]}}],"c":{"oolong":{"d":"Oolong"},"mint":{"d":"<Leaf>","e":1}}}"#;
        assert_eq!((json.as_str(), messages.len()), (expected, 0));
        let (json, messages) = repeated("variants.tea = []\n[[a]]\nfor = 'coffee'\n");
        assert_eq!(
            (json.as_str(), &messages[..]),
            (r#"{"a":[]}"#, &["unknown variants `coffee`".to_owned()][..])
        );
        let many = format!("variants.tea = [{}]\n[[a]]\nfor = 'tea'\n", "{},".repeat(21));
        let (json, messages) = repeated(&many);
        assert_eq!(
            (json.matches("{}").count(), messages[0].as_str()),
            (20, "more than 20 variants in a list")
        );
    }
}
