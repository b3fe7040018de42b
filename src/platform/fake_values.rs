//! Generated default values for the data of messages, entities and events: `${fake.…}`, and
//! `${file.…}` for URLs of sample files that standin serves during a run.

use rand::RngExt as _;

use crate::base::fake::{FAKES, Locale, fake};
use crate::base::file_store::FILES;
use crate::base::seed::SeedScope;
use crate::conversation::Person;
use crate::template::{Field, FieldType, Object, TableType, Value};

/// Generated values. Within one seed scope, each name always gives the same value.
#[derive(Clone, Copy, Debug)]
pub struct InventedValues<'a> {
    locale: &'static Locale,
    seeds: &'a SeedScope,
    files: &'a str,
    /// The person whom names and contacts describe; `None` for a generated one.
    person: Option<&'a Person>,
}

/// The root `fake`.
#[derive(Clone, Copy, Debug)]
pub struct FakeRoot<'a>(InventedValues<'a>);

/// The root `file`.
#[derive(Clone, Copy, Debug)]
pub struct FileRoot<'a>(InventedValues<'a>);

impl<'a> InventedValues<'a> {
    /// Generates values in this locale from this scope. `files` is the base URL of sample files.
    pub fn new(locale: &'static Locale, seeds: &'a SeedScope, files: &'a str) -> Self {
        Self { locale, seeds, files, person: None }
    }

    /// Uses the names and contacts of this person.
    #[must_use]
    pub fn about(self, person: Option<&'a Person>) -> Self {
        Self { person, ..self }
    }

    /// Returns the root `fake`.
    pub fn fakes(self) -> FakeRoot<'a> {
        FakeRoot(self)
    }

    /// Returns the root `file`.
    pub fn files(self) -> FileRoot<'a> {
        FileRoot(self)
    }

    /// Returns the types of both roots.
    pub fn names() -> Vec<Field> {
        let texts = |about, names: &mut dyn Iterator<Item = &str>| {
            let text = |name: &str| Field::always(name, FieldType::Text);
            FieldType::table(TableType::new(about, names.map(text).collect()))
        };
        let fakes = texts("the generated values", &mut FAKES.iter().map(|fake| fake.name));
        let files = texts("the built-in files", &mut FILES.iter().map(|file| file.extension));
        vec![Field::always("fake", fakes), Field::always("file", files)]
    }
}

impl Object for FakeRoot<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        let stated = self.0.person.and_then(|person| person.stated(name));
        let value = stated.or_else(|| fake(name, self.0.locale, self.0.seeds));
        value.map_or(Value::Absent, Value::from)
    }
}

impl Object for FileRoot<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        if !FILES.iter().any(|file| file.extension == name) {
            return Value::Absent;
        }
        // The id makes the URLs of different messages differ, as those of a vendor do.
        let id: u64 = self.0.seeds.rng(&format!("file {name}")).random();
        Value::from(format!("{}/{id:016x}.{name}", self.0.files))
    }
}
