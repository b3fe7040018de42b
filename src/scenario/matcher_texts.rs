//! Placeholders in the texts of matchers: `{ contains = "${vars.order}" }`.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::text::Texts;
use crate::diag::{Key, NodeContent, Problems, SyntaxNode};
use crate::template::{JsonTemplate, Object, TooLarge};

/// The texts of matchers that have placeholders.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct MatcherTexts {
    /// The texts as they are written, by the key of the template.
    written: BTreeMap<String, String>,
    /// A table of the texts; `None` if there are none.
    template: Option<JsonTemplate>,
}

/// The values of the texts that have placeholders, by the text as it is written.
#[derive(Debug, Default)]
pub(super) struct RenderedTexts(BTreeMap<String, Json>);

impl MatcherTexts {
    /// Compiles the texts of matchers. Returns `None` if one has problems.
    pub(super) fn compile(
        matchers: &SyntaxNode,
        texts: &Texts,
        problems: &mut Problems,
    ) -> Option<Self> {
        let (mut nodes, mut written) = (Vec::new(), BTreeMap::new());
        collect_texts(matchers, &mut nodes);
        let mut entries: Vec<(Key, SyntaxNode)> = Vec::new();
        for (number, node) in nodes.into_iter().enumerate() {
            let name = number.to_string();
            written.extend(node.as_text().map(|text| (name.clone(), text.to_owned())));
            entries.push((Key { name, span: node.span.clone() }, node.clone()));
        }
        let Some((first, _)) = entries.first() else { return Some(Self::default()) };
        let span = first.span.clone();
        let template = texts.compile_data(&entries, &span, problems)?;
        Some(Self { written, template: Some(template) })
    }

    /// Returns the values of this moment; `None` if no text has placeholders.
    ///
    /// # Errors
    ///
    /// Fails if the texts are too large.
    pub(super) fn render(&self, root: &dyn Object) -> Result<Option<RenderedTexts>, TooLarge> {
        let Some(template) = &self.template else { return Ok(None) };
        let mut values: Map<String, Json> =
            serde_json::from_str(&template.render(root)?).unwrap_or_default();
        let value = |(key, text): (&String, &String)| Some((text.clone(), values.remove(key)?));
        Ok(Some(RenderedTexts(self.written.iter().filter_map(value).collect())))
    }

    /// Returns the texts as they are written.
    pub(super) fn written(&self) -> impl Iterator<Item = &str> {
        self.written.values().map(String::as_str)
    }
}

impl RenderedTexts {
    /// Returns the value of a text as it is written.
    pub(super) fn get(&self, written: &str) -> Option<Json> {
        self.0.get(written).cloned()
    }

    /// Returns matchers as they are written, with the values.
    pub(super) fn fill(&self, declared: Json) -> Json {
        match declared {
            Json::String(text) => self.get(&text).unwrap_or(Json::String(text)),
            Json::Array(items) => items.into_iter().map(|item| self.fill(item)).collect(),
            Json::Object(table) => {
                let entry = |(key, value): (String, Json)| match key.as_str() {
                    "regex" => (key, value),
                    _ => (key, self.fill(value)),
                };
                table.into_iter().map(entry).collect()
            }
            other => other,
        }
    }
}

/// Collects the texts of matchers that have placeholders. Regular expressions have none: `${` is valid
/// in them.
fn collect_texts<'a>(node: &'a SyntaxNode, texts: &mut Vec<&'a SyntaxNode>) {
    match &node.content {
        NodeContent::Text(text) if text.contains("${") => texts.push(node),
        NodeContent::List(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        NodeContent::Table(table) => {
            let values = table.0.iter().filter(|(key, _)| key.name != "regex");
            values.for_each(|(_, value)| collect_texts(value, texts));
        }
        _ => {}
    }
}
