//! What the texts of a scenario may name: `${fake.…}`, `${cast.…}`, `${entity.…}`, `${round}`.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::cast::CastMember;
use crate::base::draw::Draw;
use crate::base::fake::{FAKES, Locale, fake};
use crate::base::limits::{MAX_TEXT, MAX_TEXT_HOLES};
use crate::conversation::{Entity, Person, Role, model};
use crate::diag::{At, Content, Key, Node, Place, Problems, Table};
use crate::template::{
    Body, Library, Line, LineRules, Name, Names, Object, Shape, Spelling, Value, WordTable, compile,
};
use crate::vendor::Vendor;

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
        let text = |name: &str| Name::always(name, Shape::Text);
        let fakes = Names::new("the invented values", FAKES.iter().map(|f| text(f.name)).collect());
        let member = |member: &CastMember| {
            let mut names = model::person();
            let is_staff = member.role != Role::Visitor;
            for (name, known) in
                [("email", member.email.is_some()), ("phone", member.phone.is_some())]
            {
                let is_there = is_staff || known;
                names.set(Name { optional: !is_there, ..Name::always(name, Shape::Text) });
            }
            Name::always(&member.name, Shape::table(names))
        };
        let cast = Names::new("the cast", cast.iter().map(member).collect());
        let names = Names::new("a scenario", Vec::new())
            .always("fake", Shape::table(fakes))
            .always("cast", Shape::table(cast))
            .always("round", Shape::Int);
        let entities = Names::new("what was created", Vec::new());
        let names = names.always("entity", Shape::table(entities));
        Self { names, words: BTreeMap::new() }
    }

    /// Lets later texts name an entity of this kind: what every vendor that has the kind knows of
    /// it is always there.
    pub(super) fn name_entity(&mut self, name: &str, vendors: &[Arc<Vendor>], kind: &str) {
        let known: Vec<Names> = vendors.iter().filter_map(|v| v.entity_names(kind)).collect();
        let mut names = Names::new("an entity", Vec::new());
        for part in known.iter().flat_map(|names| &names.names) {
            let sure = |names: &Names| names.get(&part.name).is_some_and(|own| !own.optional);
            names.set(Name { optional: !known.iter().all(sure), ..part.clone() });
        }
        let entities = self.names.names.iter_mut().find(|known| known.name == "entity");
        if let Some(Name { shape: Shape::Table(entities), .. }) = entities {
            Arc::make_mut(entities).set(Name::always(name, Shape::table(names)));
        }
    }

    /// Checks a text.
    pub(super) fn line(&self, text: &At<String>, problems: &mut Problems) -> Option<Line> {
        Line::check(text, &self.library(), RULES, problems)
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
        compile(&node, &self.library(), Spelling::COMPACT, problems)
    }

    fn library(&self) -> Library<'_> {
        Library::without_files(self.names.clone(), &self.words)
    }
}

/// What the texts of one conversation are rendered from, whenever it is.
pub(super) struct Story {
    fakes: Fakes,
    cast: Cast,
}

/// The invented values of a conversation. Each is drawn by its name, so that it is the same
/// whenever it is asked for.
struct Fakes {
    locale: &'static Locale,
    draw: Draw,
}

struct Cast(Vec<Person>);

/// What the texts of one step are rendered from.
pub(super) struct Told<'a> {
    story: &'a Story,
    entities: Entities<'a>,
    round: u32,
}

/// The entities that there are now, and the name of one that was asked for and is not there.
struct Entities<'a> {
    now: &'a [Entity],
    missing: OnceLock<String>,
}

impl Story {
    /// The invented values of a conversation, and its cast.
    pub(super) fn new(cast: &[Person], locale: &'static Locale, draw: &Draw) -> Self {
        Self { fakes: Fakes { locale, draw: draw.clone() }, cast: Cast(cast.to_vec()) }
    }

    /// What is told in this round, while there are these entities.
    pub(super) fn now<'a>(&'a self, entities: &'a [Entity], round: u32) -> Told<'a> {
        let entities = Entities { now: entities, missing: OnceLock::new() };
        Told { story: self, entities, round }
    }
}

impl Told<'_> {
    /// The first entity that was named although there is none of the name.
    pub(super) fn missing(&self) -> Option<&str> {
        self.entities.missing.get().map(String::as_str)
    }
}

impl Object for Told<'_> {
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

impl Object for Fakes {
    fn get(&self, name: &str) -> Value<'_> {
        let drawn = fake(name, self.locale, &self.draw);
        drawn.map_or(Value::Absent, |drawn| Value::Text(drawn.into()))
    }
}

impl Object for Cast {
    fn get(&self, name: &str) -> Value<'_> {
        Value::maybe_object(self.0.iter().find(|person| person.member.name == name))
    }
}

impl Object for Entities<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        let found = self.now.iter().find(|entity| entity.name == name);
        if found.is_none() {
            self.missing.get_or_init(|| name.to_owned());
        }
        Value::maybe_object(found)
    }
}
