//! Text with generated values, such as `tok_${new.hex:32}`.

use rand::rngs::ChaCha8Rng;
use serde_json::Value as Json;

use super::field_type::FieldType;
use crate::base::generator::{GeneratedValue, ValueGenerator};
use crate::base::seed::SeedScope;

/// A text without paths: its value depends only on the seed.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneratedText {
    pub(super) parts: Vec<GeneratedPart>,
    pub(super) field_type: FieldType,
}

/// A part of a text with generated values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum GeneratedPart {
    /// Literal text.
    Text(String),
    /// Generated value.
    Generated(ValueGenerator),
}

impl GeneratedText {
    /// Returns the value for a name: the same for every use of the name within the scope.
    ///
    /// A text that consists of one generator has the type of the generated value.
    pub(super) fn value(&self, seeds: &SeedScope, name: &str) -> Json {
        if let [GeneratedPart::Generated(generator)] = self.parts.as_slice() {
            return generated_json(generator, seeds, name);
        }
        let part = |(index, part): (usize, &GeneratedPart)| match part {
            GeneratedPart::Text(text) => text.clone(),
            GeneratedPart::Generated(generator) => generated(generator, seeds, name, index),
        };
        self.parts.iter().enumerate().map(part).collect::<String>().into()
    }
}

/// Generates the value of the part at this index of a text.
pub(super) fn generated(
    generator: &ValueGenerator,
    seeds: &SeedScope,
    name: &str,
    index: usize,
) -> String {
    generator.generate(&mut part_rng(seeds, name, index)).to_string()
}

/// Generates the value of a text that consists of one generator, with its own type.
pub(super) fn generated_json(generator: &ValueGenerator, seeds: &SeedScope, name: &str) -> Json {
    match generator.generate(&mut part_rng(seeds, name, 0)) {
        GeneratedValue::Text(text) => text.into(),
        GeneratedValue::Int(int) => int.into(),
    }
}

// Each part has a separate generator, so that a change to one part does not change the others.
fn part_rng(seeds: &SeedScope, name: &str, index: usize) -> ChaCha8Rng {
    seeds.within(name).rng(&index.to_string())
}
