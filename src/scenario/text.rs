//! What the texts of a scenario may name: `${fake.…}` and `${cast.…}`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::cast::CastMember;
use crate::base::draw::Draw;
use crate::base::fake::{FAKES, Locale, fake};
use crate::base::limits::{MAX_TEXT, MAX_TEXT_HOLES};
use crate::conversation::{Model, Person, Role};
use crate::diag::{At, Key, Node, Problems, Table};
use crate::diag::{Content, Place};
use crate::template::{
    Body, Library, Line, LineRules, Name, Names, Object, Shape, Spelling, Value, WordTable, compile,
};

const RULES: LineRules =
    LineRules { made: false, bytes: Some(MAX_TEXT), holes: Some(MAX_TEXT_HOLES) };

/// Checks the texts of one scenario.
pub(super) struct Texts {
    names: Names,
    words: BTreeMap<String, Arc<WordTable>>,
}

impl Texts {
    /// Texts of a scenario with this cast.
    pub(super) fn of(cast: &[CastMember]) -> Self {
        let text = |name: &str| Name::new(name, Shape::Text, false);
        let fakes = Names::new("the invented values", FAKES.iter().map(|f| text(f.name)).collect());
        let member = |member: &CastMember| {
            let mut names = Model::person();
            let is_staff = member.role != Role::Visitor;
            for (name, known) in
                [("email", member.email.is_some()), ("phone", member.phone.is_some())]
            {
                names.set(Name::new(name, Shape::Text, !(is_staff || known)));
            }
            Name::new(&member.name, Shape::table(names), false)
        };
        let cast = Names::new("the cast", cast.iter().map(member).collect());
        let names = Names::new("a scenario", Vec::new())
            .with("fake", Shape::table(fakes), false)
            .with("cast", Shape::table(cast), false);
        Self { names, words: BTreeMap::new() }
    }

    /// Checks a text.
    pub(super) fn line(&self, text: &At<String>, problems: &mut Problems) -> Option<Line> {
        self.with_library(|library| Line::check(text, library, RULES, problems))
    }

    /// Checks the data of a message: any strings in it may have holes.
    pub(super) fn data(
        &self,
        entries: &[(Key, Node)],
        place: &Place,
        problems: &mut Problems,
    ) -> Option<Body> {
        let content = Content::Table(Table(entries.to_vec()));
        let node = Node { place: place.clone(), content };
        self.with_library(|library| compile(&node, library, Spelling::COMPACT, problems))
    }

    fn with_library<T>(&self, use_it: impl FnOnce(&Library<'_>) -> T) -> T {
        let library = Library { names: self.names.clone(), words: &self.words, files: &|_| None };
        use_it(&library)
    }
}

/// What the texts of one conversation are rendered from.
pub(super) struct Told {
    fakes: Map<String, Json>,
    cast: Cast,
}

struct Cast(Vec<Person>);

impl Told {
    /// The invented values of a conversation, and its cast.
    pub(super) fn new(cast: &[Person], locale: &Locale, draw: &Draw) -> Self {
        let value =
            |name: &str| fake(name, locale, draw).map(|value| (name.to_owned(), value.into()));
        let fakes = FAKES.iter().filter_map(|fake| value(fake.name)).collect();
        Self { fakes, cast: Cast(cast.to_vec()) }
    }
}

impl Object for Told {
    fn get(&self, name: &str) -> Value<'_> {
        match name {
            "fake" => Value::Object(&self.fakes),
            "cast" => Value::Object(&self.cast),
            _ => Value::Absent,
        }
    }
}

impl Object for Cast {
    fn get(&self, name: &str) -> Value<'_> {
        Value::maybe_object(self.0.iter().find(|person| person.member.name == name))
    }
}
