//! What the texts of a scenario may name: `${fake.…}`, `${cast.…}`, `${entity.…}`, `${round}`.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::cast::CastMember;
use crate::base::fake::{FAKES, Locale, fake};
use crate::base::limits::{MAX_TEXT, MAX_TEXT_PLACEHOLDERS};
use crate::base::seed::SeedScope;
use crate::conversation::{Entity, Person, Role, model};
use crate::diag::{Key, NodeContent, Problems, SourceSpan, Spanned, SyntaxNode, Table};
use crate::platform::Platform;
use crate::template::{
    CompileContext, Field, FieldType, JsonStyle, JsonTemplate, Object, TableType, TextRules,
    TextTemplate, Value, WordTable, compile,
};

const RULES: TextRules =
    TextRules { made: false, bytes: Some(MAX_TEXT), placeholders: Some(MAX_TEXT_PLACEHOLDERS) };

/// Checks the texts of one scenario.
pub(super) struct Texts {
    names: TableType,
    words: BTreeMap<String, Arc<WordTable>>,
}

impl Texts {
    /// Texts of a scenario with this cast.
    pub(super) fn of(cast: &[CastMember]) -> Self {
        let text = |name: &str| Field::always(name, FieldType::Text);
        let fakes =
            TableType::new("the invented values", FAKES.iter().map(|f| text(f.name)).collect());
        let member = |member: &CastMember| {
            let mut names = model::person();
            let is_staff = member.role != Role::Visitor;
            for (name, known) in
                [("email", member.email.is_some()), ("phone", member.phone.is_some())]
            {
                let is_there = is_staff || known;
                names.set(Field { optional: !is_there, ..Field::always(name, FieldType::Text) });
            }
            Field::always(&member.name, FieldType::table(names))
        };
        let cast = TableType::new("the cast", cast.iter().map(member).collect());
        let names = TableType::new("a scenario", Vec::new())
            .always("fake", FieldType::table(fakes))
            .always("cast", FieldType::table(cast))
            .always("round", FieldType::Int);
        let entities = TableType::new("what was created", Vec::new());
        let names = names.always("entity", FieldType::table(entities));
        Self { names, words: BTreeMap::new() }
    }

    /// Lets later texts name an entity of this kind: what every vendor that has the kind knows of
    /// it is always there.
    pub(super) fn name_entity(&mut self, name: &str, vendors: &[Arc<Platform>], kind: &str) {
        let known: Vec<TableType> = vendors.iter().filter_map(|v| v.entity_names(kind)).collect();
        let mut names = TableType::new("an entity", Vec::new());
        for part in known.iter().flat_map(|names| &names.names) {
            let sure = |names: &TableType| names.get(&part.name).is_some_and(|own| !own.optional);
            names.set(Field { optional: !known.iter().all(sure), ..part.clone() });
        }
        let entities = self.names.names.iter_mut().find(|known| known.name == "entity");
        if let Some(Field { field_type: FieldType::Table(entities), .. }) = entities {
            Arc::make_mut(entities).set(Field::always(name, FieldType::table(names)));
        }
    }

    /// Checks a text.
    pub(super) fn line(
        &self,
        text: &Spanned<String>,
        problems: &mut Problems,
    ) -> Option<TextTemplate> {
        TextTemplate::check(text, &self.context(), RULES, problems)
    }

    /// Checks the data of a message: any strings in it may have holes.
    pub(super) fn data(
        &self,
        entries: &[(Key, SyntaxNode)],
        span: &SourceSpan,
        problems: &mut Problems,
    ) -> Option<JsonTemplate> {
        let content = NodeContent::Table(Table(entries.to_vec()));
        let node = SyntaxNode { span: span.clone(), content };
        compile(&node, &self.context(), JsonStyle::COMPACT, problems)
    }

    fn context(&self) -> CompileContext<'_> {
        CompileContext::without_files(self.names.clone(), &self.words)
    }
}

/// What the texts of one conversation are rendered from, whenever it is.
pub(super) struct ConversationTexts {
    fakes: ConversationFakes,
    cast: Participants,
}

/// The invented values of a conversation. Each is drawn by its name, so that it is the same
/// whenever it is asked for.
struct ConversationFakes {
    locale: &'static Locale,
    seeds: SeedScope,
}

struct Participants(Vec<Person>);

/// What the texts of one step are rendered from.
pub(super) struct TextContext<'a> {
    story: &'a ConversationTexts,
    entities: NamedEntities<'a>,
    round: u32,
}

/// The entities that there are now, and the name of one that was asked for and is not there.
struct NamedEntities<'a> {
    now: &'a [Entity],
    missing: OnceLock<String>,
}

impl ConversationTexts {
    /// The invented values of a conversation, and its cast.
    pub(super) fn new(cast: &[Person], locale: &'static Locale, seeds: &SeedScope) -> Self {
        Self {
            fakes: ConversationFakes { locale, seeds: seeds.clone() },
            cast: Participants(cast.to_vec()),
        }
    }

    /// What is told in this round, while there are these entities.
    pub(super) fn now<'a>(&'a self, entities: &'a [Entity], round: u32) -> TextContext<'a> {
        let entities = NamedEntities { now: entities, missing: OnceLock::new() };
        TextContext { story: self, entities, round }
    }
}

impl TextContext<'_> {
    /// The first entity that was named although there is none of the name.
    pub(super) fn missing(&self) -> Option<&str> {
        self.entities.missing.get().map(String::as_str)
    }
}

impl Object for TextContext<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        match name {
            "fake" => Value::Object(&self.story.fakes),
            "cast" => Value::Object(&self.story.cast),
            "entity" => Value::Object(&self.entities),
            "round" => Value::Int(i64::from(self.round)),
            _ => Value::Absent,
        }
    }
}

impl Object for ConversationFakes {
    fn get(&self, name: &str) -> Value<'_> {
        let drawn = fake(name, self.locale, &self.seeds);
        drawn.map_or(Value::Absent, |drawn| Value::Text(drawn.into()))
    }
}

impl Object for Participants {
    fn get(&self, name: &str) -> Value<'_> {
        Value::maybe_object(self.0.iter().find(|person| person.member.name == name))
    }
}

impl Object for NamedEntities<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        let found = self.now.iter().find(|entity| entity.name == name);
        if found.is_none() {
            self.missing.get_or_init(|| name.to_owned());
        }
        Value::maybe_object(found)
    }
}
