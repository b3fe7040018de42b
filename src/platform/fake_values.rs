//! Invented values where data of a message, an entity or an event is left out: `${fake.…}`, and
//! `${file.…}` for links that can be fetched while standin runs.

use rand::RngExt as _;

use crate::base::fake::{FAKES, Locale, fake};
use crate::base::file_store::FILES;
use crate::base::seed::SeedScope;
use crate::template::{Field, FieldType, Object, TableType, Value};

/// Invented values, drawn by name from one scope.
#[derive(Clone, Copy, Debug)]
pub struct InventedValues<'a> {
    locale: &'static Locale,
    seeds: &'a SeedScope,
    files: &'a str,
}

/// The `${fake.…}` of a scope.
#[derive(Clone, Copy, Debug)]
pub struct FakeRoot<'a>(InventedValues<'a>);

/// The `${file.…}` of a scope.
#[derive(Clone, Copy, Debug)]
pub struct FileRoot<'a>(InventedValues<'a>);

impl<'a> InventedValues<'a> {
    /// Values of this locale, drawn from this scope; `files` is the address below which files are.
    pub fn new(locale: &'static Locale, seeds: &'a SeedScope, files: &'a str) -> Self {
        Self { locale, seeds, files }
    }

    /// The `${fake.…}`.
    pub fn fakes(self) -> FakeRoot<'a> {
        FakeRoot(self)
    }

    /// The `${file.…}`.
    pub fn files(self) -> FileRoot<'a> {
        FileRoot(self)
    }

    /// What templates may name of them.
    pub fn names() -> Vec<Field> {
        let texts = |about, names: &mut dyn Iterator<Item = &str>| {
            let text = |name: &str| Field::always(name, FieldType::Text);
            FieldType::table(TableType::new(about, names.map(text).collect()))
        };
        let fakes = texts("the invented values", &mut FAKES.iter().map(|fake| fake.name));
        let files = texts("the built-in files", &mut FILES.iter().map(|file| file.ending));
        vec![Field::always("fake", fakes), Field::always("file", files)]
    }
}

impl Object for FakeRoot<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        fake(name, self.0.locale, self.0.seeds).map_or(Value::Absent, Value::from)
    }
}

impl Object for FileRoot<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        if !FILES.iter().any(|file| file.ending == name) {
            return Value::Absent;
        }
        let id: u64 = self.0.seeds.rng(&format!("file {name}")).random();
        Value::from(format!("{}/{id:016x}.{name}", self.0.files))
    }
}
