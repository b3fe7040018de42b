//! Generated data: fictional people, and the values of `${fake.NAME}` placeholders.
//!
//! Names come from the `fake` crate, or from lists in this module for locales that it does not
//! have. IP and mail addresses are in ranges and domains reserved for documentation and tests.

mod locale;
mod person;

use rand::RngExt as _;
use rand::rngs::ChaCha8Rng;

pub use locale::{LOCALES, Locale, locale};
pub use person::{DOMAIN, Device, HOST, Persona};

use locale::pick;
use person::email;

use crate::base::seed::SeedScope;

/// A `${fake.NAME}` placeholder.
pub struct Fake {
    /// Name after `fake.`.
    pub name: &'static str,
    /// Description of the value, for the list of placeholders.
    pub about: &'static str,
    generate: fn(&Locale, &mut ChaCha8Rng) -> String,
}

/// All `${fake.NAME}` placeholders.
pub const FAKES: &[Fake] = &[
    Fake { name: "first_name", about: "a given name", generate: |locale, rng| locale.name(rng).0 },
    Fake { name: "last_name", about: "a family name", generate: |locale, rng| locale.name(rng).1 },
    Fake { name: "name", about: "a full name", generate: |locale, rng| full_name(locale, rng) },
    Fake {
        name: "email",
        about: "the mail address of that person, in a reserved domain",
        generate: |locale, rng| {
            let (first, last) = locale.name(rng);
            email(locale, &first, &last, &SeedScope::fixed(&first))
        },
    },
    Fake {
        name: "phone",
        about: "a telephone number of the country",
        generate: |locale, rng| locale.phone(rng),
    },
    Fake {
        name: "company",
        about: "a company name with a legal form of the country",
        generate: |locale, rng| locale.company(rng),
    },
    Fake {
        name: "city",
        about: "a city",
        generate: |locale, rng| pick(locale.cities, rng).name.into(),
    },
    Fake {
        name: "street",
        about: "a street name with a house number",
        generate: |locale, rng| locale.street(rng),
    },
    Fake {
        name: "currency",
        about: "the currency of the country, such as SEK",
        generate: |locale, _| locale.currency.into(),
    },
    Fake {
        name: "yes",
        about: "the text of a button to agree",
        generate: |locale, _| locale.buttons[0].into(),
    },
    Fake {
        name: "no",
        about: "the text of a button to refuse",
        generate: |locale, _| locale.buttons[1].into(),
    },
    Fake {
        name: "choose",
        about: "the text of a button that opens a list",
        generate: |locale, _| locale.buttons[2].into(),
    },
    Fake {
        name: "order_number",
        about: "an order number of five digits",
        generate: |_, rng| rng.random_range(10_000..100_000).to_string(),
    },
    Fake {
        name: "product",
        about: "a product name",
        generate: |_, rng| format!("{} {}", pick(COLOURS, rng), pick(GOODS, rng)),
    },
    Fake { name: "word", about: "one word", generate: |_, rng| (*pick(WORDS, rng)).into() },
    Fake {
        name: "sentence",
        about: "a sentence of six to twelve words",
        generate: |_, rng| sentence(rng),
    },
    Fake {
        name: "date",
        about: "a date in 2026, such as 2026-03-14",
        generate: |_, rng| {
            // At most 28: a valid day in every month.
            format!("2026-{:02}-{:02}", rng.random_range(1..=12), rng.random_range(1..=28))
        },
    },
    Fake {
        name: "time",
        about: "a time of day, such as 14:30",
        generate: |_, rng| {
            format!("{:02}:{:02}", rng.random_range(8..18), rng.random_range(0..4) * 15)
        },
    },
    Fake {
        name: "amount",
        about: "a price in the currency of the country, such as £149.90",
        generate: |locale, rng| locale.amount(rng),
    },
];

/// Names of the placeholders that describe the same person.
const PERSON: [&str; 4] = ["first_name", "last_name", "name", "email"];

/// Names of the placeholders whose values depend on the locale only.
const OF_LOCALE: [&str; 4] = ["currency", "yes", "no", "choose"];

/// Replaces the placeholders of a text whose values depend on the locale only.
pub fn fill_localized(text: &str, locale: &Locale) -> String {
    OF_LOCALE.iter().fold(text.to_owned(), |text, name| {
        let value = fake(name, locale, &SeedScope::fixed(name)).unwrap_or_default();
        text.replace(&format!("${{fake.{name}}}"), &value)
    })
}

/// Generates the value of `${fake.NAME}`, or returns `None` for an unknown name.
pub fn fake(name: &str, locale: &Locale, seeds: &SeedScope) -> Option<String> {
    let fake = FAKES.iter().find(|fake| fake.name == name)?;
    // The parts of a name and the mail address belong to one person.
    let value = if PERSON.contains(&name) { "person" } else { name };
    // The prefix keeps these values apart from those of a persona in the same scope.
    Some((fake.generate)(locale, &mut seeds.rng(&format!("fake {value}"))))
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

fn full_name(locale: &Locale, rng: &mut ChaCha8Rng) -> String {
    let (first, last) = locale.name(rng);
    locale.full_name(&first, &last)
}

fn capitalize(word: &str) -> String {
    let mut characters = word.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn sentence(rng: &mut ChaCha8Rng) -> String {
    let words: Vec<&str> = (0..rng.random_range(6..=12)).map(|_| *pick(WORDS, rng)).collect();
    format!("{}.", capitalize(&words.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_stable_and_unknown_names_have_no_value() {
        let seeds = SeedScope::of_run(1);
        for entry in FAKES {
            let value = fake(entry.name, locale("en"), &seeds).unwrap();
            assert_eq!(fake(entry.name, locale("en"), &seeds), Some(value));
        }
        assert_eq!(fake("nobody", locale("en"), &seeds), None);
    }

    #[test]
    fn names_and_mail_address_belong_to_one_person() {
        let seeds = SeedScope::of_run(3);
        for locale in LOCALES {
            let value = |name| fake(name, locale, &seeds).unwrap();
            let (first, last) = (value("first_name"), value("last_name"));
            let full = match locale.tag {
                "ja" => format!("{last} {first}"),
                "zh" => format!("{last}{first}"),
                _ => format!("{first} {last}"),
            };
            assert_eq!(value("name"), full);
            let mail = value("email");
            assert!(mail.contains('.') && !mail.starts_with("person"), "{mail}");
        }
        let swedish = locale("sv");
        assert_eq!(email(swedish, "Åsa", "Öberg", &seeds), "asa.oberg@example.test");
        assert_eq!(email(locale("tr"), "İnci", "Şahin", &seeds), "inci.sahin@example.test");
        assert_eq!(email(locale("ja"), "健太", "佐藤", &seeds), "kenta.sato@example.test");
        assert!(email(swedish, "Ωμέγα", "", &seeds).starts_with("person"));
    }

    #[test]
    fn companies_streets_and_buttons_follow_the_locale() {
        let seeds = SeedScope::of_run(3);
        let value = |tag: &str, name: &str| fake(name, locale(tag), &seeds).unwrap();
        assert_eq!([value("de", "yes"), value("de", "no")], ["Ja", "Nein"]);
        assert_eq!([value("sv", "currency"), value("ja", "currency")], ["SEK", "JPY"]);
        for name in ["company", "street"] {
            let values: std::collections::BTreeSet<String> =
                LOCALES.iter().map(|locale| value(locale.tag, name)).collect();
            assert_eq!(values.len(), LOCALES.len(), "{name}: {values:?}");
        }
    }

    #[test]
    fn every_locale_generates_people() {
        for locale in LOCALES {
            let person = Persona::generate(locale, &SeedScope::of_run(7));
            assert!(
                !person.first_name.is_empty() && !person.last_name.is_empty(),
                "{}",
                locale.tag
            );
            assert!(person.email.ends_with("@example.test") && person.email.is_ascii());
            // Derived from the name in every locale, in whatever script.
            assert!(!person.email.starts_with("person"), "{}", person.email);
            assert!(jiff::tz::TimeZone::get(locale.timezone).is_ok(), "{}", locale.timezone);
        }
    }
}
