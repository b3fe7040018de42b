//! Invented values where data of a message, an entity or an event is left out: `${fake.…}`, and
//! `${file.…}` for links that can be fetched while standin runs.

use rand::RngExt as _;

use crate::base::draw::Draw;
use crate::base::fake::{FAKES, Locale, fake};
use crate::base::shelf::FILES;
use crate::template::{Name, Names, Object, Shape, Value};

/// Invented values, drawn by name from one scope.
#[derive(Clone, Copy, Debug)]
pub struct Invented<'a> {
    locale: &'static Locale,
    draw: &'a Draw,
    files: &'a str,
}

/// The `${fake.…}` of a scope.
#[derive(Clone, Copy, Debug)]
pub struct Fakes<'a>(Invented<'a>);

/// The `${file.…}` of a scope.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a>(Invented<'a>);

impl<'a> Invented<'a> {
    /// Values of this locale, drawn from this scope; `files` is the address below which files are.
    pub fn new(locale: &'static Locale, draw: &'a Draw, files: &'a str) -> Self {
        Self { locale, draw, files }
    }

    /// The `${fake.…}`.
    pub fn fakes(self) -> Fakes<'a> {
        Fakes(self)
    }

    /// The `${file.…}`.
    pub fn files(self) -> Files<'a> {
        Files(self)
    }

    /// What templates may name of them.
    pub fn names() -> Vec<Name> {
        let texts = |about, names: &mut dyn Iterator<Item = &str>| {
            let text = |name: &str| Name::always(name, Shape::Text);
            Shape::table(Names::new(about, names.map(text).collect()))
        };
        let fakes = texts("the invented values", &mut FAKES.iter().map(|fake| fake.name));
        let files = texts("the built-in files", &mut FILES.iter().map(|file| file.ending));
        vec![Name::always("fake", fakes), Name::always("file", files)]
    }
}

impl Object for Fakes<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        fake(name, self.0.locale, self.0.draw).map_or(Value::Absent, Value::from)
    }
}

impl Object for Files<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        if !FILES.iter().any(|file| file.ending == name) {
            return Value::Absent;
        }
        let id: u64 = self.0.draw.rng(&format!("file {name}")).random();
        Value::from(format!("{}/{id:016x}.{name}", self.0.files))
    }
}
