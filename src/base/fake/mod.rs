//! Invented data, in one place: people who look real and are not, and the closed list of
//! `${fake.NAME}`.
//!
//! Names come from the `fake` crate, or from word lists of ours for the locales it lacks. Every
//! address is out of a range or domain that nobody owns.

mod locale;
mod person;

use rand::RngExt as _;
use rand::rngs::ChaCha8Rng;

pub use locale::{LOCALES, Locale, locale};
pub use person::Persona;

use crate::base::seed::SeedScope;

/// The domain of every invented address; reserved, so that no mail ever arrives.
pub const DOMAIN: &str = "example.test";

/// One entry of the closed list: its name, what it is, and how it is made.
pub struct Fake {
    /// The name behind `fake.`.
    pub name: &'static str,
    /// What it gives, for the list of them.
    pub about: &'static str,
    make: fn(&Locale, &mut ChaCha8Rng) -> String,
}

/// Every `${fake.NAME}`.
pub const FAKES: &[Fake] = &[
    Fake { name: "first_name", about: "a given name", make: |locale, rng| locale.name(rng).0 },
    Fake { name: "last_name", about: "a family name", make: |locale, rng| locale.name(rng).1 },
    Fake { name: "name", about: "a full name", make: |locale, rng| full_name(locale, rng) },
    Fake {
        name: "email",
        about: "an address that no mail reaches",
        make: |_, rng| format!("{}.{}@{DOMAIN}", pick(WORDS, rng), rng.random_range(100..1000)),
    },
    Fake { name: "phone", about: "a telephone number", make: |locale, rng| locale.phone(rng) },
    Fake { name: "company", about: "a company", make: |locale, rng| company(locale, rng) },
    Fake { name: "city", about: "a city", make: |locale, rng| pick(locale.cities, rng).0.into() },
    Fake {
        name: "street",
        about: "a street with a number",
        make: |_, rng| format!("{} Street {}", capital(pick(WORDS, rng)), rng.random_range(1..200)),
    },
    Fake {
        name: "order_number",
        about: "five digits",
        make: |_, rng| rng.random_range(10_000..100_000).to_string(),
    },
    Fake {
        name: "product",
        about: "something to buy",
        make: |_, rng| format!("{} {}", pick(COLOURS, rng), pick(GOODS, rng)),
    },
    Fake { name: "word", about: "one word", make: |_, rng| pick(WORDS, rng).into() },
    Fake {
        name: "sentence",
        about: "a sentence of six to twelve words",
        make: |_, rng| sentence(rng),
    },
    Fake {
        name: "date",
        about: "a day of 2026, as 2026-03-14",
        make: |_, rng| {
            format!("2026-{:02}-{:02}", rng.random_range(1..=12), rng.random_range(1..=28))
        },
    },
    Fake {
        name: "time",
        about: "a time of day, as 14:30",
        make: |_, rng| format!("{:02}:{:02}", rng.random_range(8..18), rng.random_range(0..4) * 15),
    },
    Fake {
        name: "amount",
        about: "a price, as 149.90",
        make: |_, rng| format!("{}.{}0", rng.random_range(5..500), rng.random_range(0..10)),
    },
];

/// The invented value of this name, or nothing where the list has no such name.
pub fn fake(name: &str, locale: &Locale, seeds: &SeedScope) -> Option<String> {
    let fake = FAKES.iter().find(|fake| fake.name == name)?;
    Some((fake.make)(locale, &mut seeds.rng(&format!("fake {name}"))))
}

const WORDS: &[&str] = &[
    "amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "harbor", "island", "juniper",
    "kettle", "lantern", "meadow", "north", "orchard", "pebble", "quarry", "river", "saddle",
    "timber", "upland", "valley", "willow", "yonder",
];
const COLOURS: &[&str] = &["red", "blue", "green", "grey", "white", "black", "yellow", "brown"];
const GOODS: &[&str] = &[
    "kettle",
    "bicycle lamp",
    "raincoat",
    "desk chair",
    "headset",
    "garden hose",
    "rucksack",
    "teapot",
];

fn pick<T: Copy>(list: &[T], rng: &mut ChaCha8Rng) -> T {
    list[rng.random_range(0..list.len())]
}

fn full_name(locale: &Locale, rng: &mut ChaCha8Rng) -> String {
    let (first, last) = locale.name(rng);
    format!("{first} {last}")
}

fn company(locale: &Locale, rng: &mut ChaCha8Rng) -> String {
    let suffix = pick(&["Trading", "Studio", "Logistics", "Works"], rng);
    format!("{} {suffix}", locale.name(rng).1)
}

fn capital(word: &str) -> String {
    let mut characters = word.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn sentence(rng: &mut ChaCha8Rng) -> String {
    let words: Vec<&str> = (0..rng.random_range(6..=12)).map(|_| pick(WORDS, rng)).collect();
    format!("{}.", capital(&words.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_the_list_is_stable_and_another_is_nothing() {
        let seeds = SeedScope::of_run(1);
        for entry in FAKES {
            let value = fake(entry.name, locale("en"), &seeds).unwrap();
            assert_eq!(fake(entry.name, locale("en"), &seeds), Some(value));
        }
        assert_eq!(fake("nobody", locale("en"), &seeds), None);
    }

    #[test]
    fn every_locale_invents_people() {
        for locale in LOCALES {
            let person = Persona::invent(locale, &SeedScope::of_run(7));
            assert!(
                !person.first_name.is_empty() && !person.last_name.is_empty(),
                "{}",
                locale.tag
            );
            assert!(person.email.ends_with("@example.test") && person.email.is_ascii());
            assert!(jiff::tz::TimeZone::get(locale.timezone).is_ok(), "{}", locale.timezone);
        }
    }
}
