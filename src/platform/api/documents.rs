//! Documents: objects of an account that only calls read and change, such as its configuration.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::find::table_template;
use crate::base::limits::MAX_DOCUMENTS;
use crate::base::seed::SeedScope;
use crate::diag::{Problem, Problems, Spanned, SyntaxNode, TableOf, code};
use crate::form;
use crate::template::{
    CompileContext, Field, FieldType, InputTemplate, Object, TableType, TextRules, TextTemplate,
    Value,
};

form! {
    /// A kind of documents.
    pub struct DocumentForm {
        /// Generated ids of a document, by name.
        ids: TableOf<Spanned<String>>,
        /// Documents that every account has.
        seed: Vec<DocumentSeedForm>,
    }
}

form! {
    /// A document that every account has.
    pub struct DocumentSeedForm {
        /// Ids that it has instead of generated ones.
        ids: TableOf<Spanned<String>>,
        /// Its content.
        value: TableOf<SyntaxNode>,
    }
}

/// A kind of documents.
#[derive(Clone, Debug)]
pub struct DocumentRule {
    ids: Vec<(String, TextTemplate)>,
    seed: Vec<DocumentSeed>,
}

/// A document that every account has.
#[derive(Clone, Debug)]
struct DocumentSeed {
    ids: Vec<(String, TextTemplate)>,
    value: InputTemplate,
}

/// A document of an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Document {
    ids: Map<String, Json>,
    value: Json,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// The documents of an account, by kind.
#[derive(Clone, Debug)]
pub struct Documents {
    kinds: BTreeMap<String, DocumentShelf>,
    /// Seeds of the account.
    seeds: SeedScope,
}

/// The documents of a kind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DocumentShelf {
    documents: Vec<Document>,
    /// Number of changes, from 1.
    revision: i64,
}

impl DocumentRule {
    pub(super) fn check(
        form: &DocumentForm,
        context: &CompileContext<'_>,
        problems: &mut Problems,
    ) -> Self {
        let texts = |table: &TableOf<Spanned<String>>, problems: &mut Problems| {
            let mut texts = Vec::new();
            for (key, text) in table.iter() {
                let text = TextTemplate::check(text, context, TextRules::GENERATED, problems);
                texts.extend(text.map(|text| (key.name.clone(), text)));
            }
            texts
        };
        let ids = texts(&form.ids, problems);
        let mut seed = Vec::new();
        let own = form;
        for form in &own.seed {
            let known: Vec<&str> = own.ids.names().collect();
            for (key, _) in form.ids.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
                let message = format!("the documents have no id `{}`", key.name);
                let problem = Problem::at(&key.span, code::UNKNOWN_KEY, message);
                problems.push(problem.suggest_or_list(&key.name, known.iter().copied()));
            }
            let ids = texts(&form.ids, problems);
            let value = table_template(&form.value, &form.span, context, problems);
            seed.extend(value.map(|value| DocumentSeed { ids, value }));
        }
        Self { ids, seed }
    }

    /// Returns the type of a document.
    pub(super) fn table(&self) -> TableType {
        let ids =
            self.ids.iter().map(|(name, text)| Field::always(name, text.field_type().clone()));
        TableType::new("a document", ids.collect())
            .always("value", FieldType::Any)
            .always("created_at", FieldType::Time)
            .always("updated_at", FieldType::Time)
    }

    /// Returns the names of the ids.
    pub(super) fn id_names(&self) -> Vec<Field> {
        self.ids.iter().map(|(name, text)| Field::always(name, text.field_type().clone())).collect()
    }

    fn generate(&self, roots: &dyn Object, seeds: &SeedScope) -> Map<String, Json> {
        let ids = self.ids.iter();
        ids.map(|(name, text)| (name.clone(), text.value(roots, seeds, name))).collect()
    }
}

impl Documents {
    /// Returns the documents that every account has.
    pub fn new(
        rules: &BTreeMap<String, DocumentRule>,
        roots: &dyn Object,
        seeds: &SeedScope,
    ) -> Self {
        let mut all = Self { kinds: BTreeMap::new(), seeds: seeds.within("document") };
        for (kind, rule) in rules {
            let shelf = all
                .kinds
                .entry(kind.clone())
                .or_insert(DocumentShelf { documents: Vec::new(), revision: 1 });
            for (seed, number) in rule.seed.iter().zip(1..) {
                let seeds = all.seeds.within(kind).within(&format!("{number}"));
                let mut ids = rule.generate(roots, &seeds);
                for (name, text) in &seed.ids {
                    ids.insert(name.clone(), text.value(roots, &seeds, name));
                }
                let value = seed.value.render(roots).ok().flatten().unwrap_or_default();
                let at = Timestamp::UNIX_EPOCH;
                shelf.documents.push(Document { ids, value, created_at: at, updated_at: at });
            }
        }
        all
    }

    /// Returns the kinds that have changed since an earlier state, with their documents.
    pub fn changed_since<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (&'a String, &'a DocumentShelf)> {
        let revision = |kind: &String| before.kinds.get(kind).map(|shelf| shelf.revision);
        self.kinds.iter().filter(move |(kind, shelf)| revision(kind) != Some(shelf.revision))
    }

    /// Adds the kinds of others that it does not have.
    pub fn add_kinds(&mut self, others: Self) {
        for (kind, shelf) in others.kinds {
            self.kinds.entry(kind).or_insert(shelf);
        }
        self.seeds = others.seeds;
    }

    /// Replaces the documents of a kind with those that were stored.
    pub fn restore(&mut self, kind: String, shelf: DocumentShelf) {
        self.kinds.insert(kind, shelf);
    }

    /// Returns the documents of a kind.
    pub fn all(&self, kind: &str) -> &[Document] {
        self.kinds.get(kind).map_or(&[], |shelf| shelf.documents.as_slice())
    }

    /// Creates a document.
    pub fn create(
        &mut self,
        rule: &DocumentRule,
        kind: &str,
        value: Json,
        at: Timestamp,
        roots: &dyn Object,
    ) -> Document {
        let shelf = self.kinds.entry(kind.to_owned()).or_default();
        shelf.revision += 1;
        let seeds = self.seeds.within(kind);
        let seeds = seeds.within("created").within(&shelf.revision.to_string());
        let ids = rule.generate(roots, &seeds);
        let document = Document { ids, value, created_at: at, updated_at: at };
        // Documents that every account has come first, and stay.
        let seeded = rule.seed.len();
        if shelf.documents.len() >= seeded + MAX_DOCUMENTS {
            shelf.documents.remove(seeded.min(shelf.documents.len() - 1));
        }
        shelf.documents.push(document.clone());
        document
    }

    /// Replaces the content of a document. Returns what it is now.
    pub fn replace(
        &mut self,
        kind: &str,
        document: &Document,
        value: Json,
        at: Timestamp,
    ) -> Document {
        let changed = Document { value, updated_at: at, ..document.clone() };
        if let Some(shelf) = self.kinds.get_mut(kind) {
            shelf.revision += 1;
            if let Some(own) = shelf.documents.iter_mut().find(|own| own.ids == document.ids) {
                *own = changed.clone();
            }
        }
        changed
    }

    /// Deletes a document.
    pub fn delete(&mut self, kind: &str, document: &Document) {
        if let Some(shelf) = self.kinds.get_mut(kind) {
            shelf.revision += 1;
            shelf.documents.retain(|own| own.ids != document.ids);
        }
    }
}

impl Document {
    /// Returns an id, or the value at a JSON pointer into the content, as text.
    pub fn text(&self, field: &str) -> Option<String> {
        let value = if field.starts_with('/') {
            self.value.pointer(field).filter(|value| !value.is_null())?
        } else {
            self.ids.get(field)?
        };
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }
}

impl Object for Document {
    fn get(&self, name: &str) -> Value<'_> {
        match name {
            "value" => Value::data(&self.value),
            "created_at" => Value::Time(self.created_at),
            "updated_at" => Value::Time(self.updated_at),
            id => self.ids.get(id).map_or(Value::Absent, Value::data),
        }
    }
}

/// The number of changes of each kind: the root `revision`.
impl Object for Documents {
    fn get(&self, name: &str) -> Value<'_> {
        self.kinds.get(name).map_or(Value::Absent, |shelf| Value::Int(shelf.revision))
    }
}
