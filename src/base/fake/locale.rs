//! Locales of generated people: their country, cities, names and telephone prefix.

use std::fmt;

use fake::Fake as _;
use fake::faker::name::raw::{FirstName, LastName};
use fake::locales;
use rand::RngExt as _;
use rand::rngs::ChaCha8Rng;

/// A locale: a language in a country.
pub struct Locale {
    /// Language tag, as a cast member specifies it: `sv`.
    pub tag: &'static str,
    /// Tag of language and country (BCP 47): `sv-SE`.
    pub full_tag: &'static str,
    /// English name of the country.
    pub country: &'static str,
    /// Country code (ISO 3166-1 alpha-2).
    pub country_code: &'static str,
    /// IANA name of a time zone in the country.
    pub timezone: &'static str,
    /// Country calling code, without `+`.
    pub calling_code: &'static str,
    /// Cities with their regions.
    pub cities: &'static [(&'static str, &'static str)],
    names: NameSource,
}

impl fmt::Debug for Locale {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.full_tag)
    }
}

/// Source of a locale's names.
enum NameSource {
    /// Names of the `fake` crate.
    Crate(fn(&mut ChaCha8Rng) -> (String, String)),
    /// Lists of given names and family names, for locales that the `fake` crate does not have.
    Lists(&'static [&'static str], &'static [&'static str]),
}

// A macro, because the locales of the `fake` crate are distinct types.
macro_rules! names_of {
    ($locale:ident) => {
        NameSource::Crate(|rng| {
            let locale = locales::$locale;
            // The order of the two calls determines the names for a seed.
            (FirstName(locale).fake_with_rng(rng), LastName(locale).fake_with_rng(rng))
        })
    };
}

impl Locale {
    /// Generates a given name and a family name.
    pub(super) fn name(&self, rng: &mut ChaCha8Rng) -> (String, String) {
        match &self.names {
            NameSource::Crate(names) => names(rng),
            NameSource::Lists(first, last) => {
                (pick(first, rng).to_string(), pick(last, rng).to_string())
            }
        }
    }

    /// Generates a telephone number.
    pub(super) fn phone(&self, rng: &mut ChaCha8Rng) -> String {
        // The prefix 555 is unassigned in most countries, so the number is unlikely to exist.
        format!("+{}555{:06}", self.calling_code, rng.random_range(0..1_000_000))
    }
}

/// Selects a random element of a list.
pub(super) fn pick<T: Copy>(list: &[T], rng: &mut ChaCha8Rng) -> T {
    list[rng.random_range(0..list.len())]
}

/// Returns the locale with this tag (`sv` or `sv-SE`), or English if the tag is unknown.
pub fn locale(tag: &str) -> &'static Locale {
    LOCALES.iter().find(|locale| locale.tag == tag || locale.full_tag == tag).unwrap_or(&LOCALES[0])
}

/// All locales. The first is the default.
pub const LOCALES: &[Locale] = &[
    Locale {
        tag: "en",
        full_tag: "en-GB",
        country: "United Kingdom",
        country_code: "GB",
        timezone: "Europe/London",
        calling_code: "44",
        cities: &[("Leeds", "England"), ("Cardiff", "Wales"), ("Dundee", "Scotland")],
        names: names_of!(EN),
    },
    Locale {
        tag: "sv",
        full_tag: "sv-SE",
        country: "Sweden",
        country_code: "SE",
        timezone: "Europe/Stockholm",
        calling_code: "46",
        cities: &[("Malmö", "Skåne"), ("Göteborg", "Västra Götaland"), ("Umeå", "Västerbotten")],
        names: NameSource::Lists(
            &["Åsa", "Björn", "Elin", "Göran", "Karin", "Lars", "Märta", "Nils", "Saga", "Viktor"],
            &["Ågren", "Björk", "Dahl", "Ekström", "Lindqvist", "Öberg", "Sandell", "Wiklund"],
        ),
    },
    Locale {
        tag: "nb",
        full_tag: "nb-NO",
        country: "Norway",
        country_code: "NO",
        timezone: "Europe/Oslo",
        calling_code: "47",
        cities: &[("Bergen", "Vestland"), ("Tromsø", "Troms"), ("Bodø", "Nordland")],
        names: NameSource::Lists(
            &["Astrid", "Bjørn", "Ingrid", "Kåre", "Liv", "Odd", "Sigrid", "Torbjørn"],
            &["Aas", "Berg", "Hauge", "Lie", "Moen", "Strand", "Ødegård", "Vik"],
        ),
    },
    Locale {
        tag: "da",
        full_tag: "da-DK",
        country: "Denmark",
        country_code: "DK",
        timezone: "Europe/Copenhagen",
        calling_code: "45",
        cities: &[("Aarhus", "Midtjylland"), ("Odense", "Syddanmark"), ("Køge", "Sjælland")],
        names: NameSource::Lists(
            &["Anders", "Birthe", "Freja", "Jørgen", "Maja", "Rasmus", "Søren", "Trine"],
            &["Bech", "Holm", "Kjær", "Lund", "Møller", "Skov", "Toft", "Winther"],
        ),
    },
    Locale {
        tag: "fi",
        full_tag: "fi-FI",
        country: "Finland",
        country_code: "FI",
        timezone: "Europe/Helsinki",
        calling_code: "358",
        cities: &[
            ("Tampere", "Pirkanmaa"),
            ("Oulu", "Pohjois-Pohjanmaa"),
            ("Jyväskylä", "Keski-Suomi"),
        ],
        names: NameSource::Lists(
            &["Aino", "Eero", "Hilkka", "Jyrki", "Kaisa", "Päivi", "Väinö", "Yrjö"],
            &["Halme", "Järvinen", "Koski", "Lehtonen", "Mäkelä", "Niemi", "Särkkä", "Virta"],
        ),
    },
    Locale {
        tag: "mn",
        full_tag: "mn-MN",
        country: "Mongolia",
        country_code: "MN",
        timezone: "Asia/Ulaanbaatar",
        calling_code: "976",
        cities: &[("Улаанбаатар", "Улаанбаатар"), ("Дархан", "Дархан-Уул"), ("Эрдэнэт", "Орхон")],
        names: NameSource::Lists(
            &["Алтан", "Болд", "Ганзориг", "Нарантуяа", "Оюун", "Сарнай", "Төгс", "Энхтуяа"],
            &["Бат-Эрдэнэ", "Ганбаатар", "Дорж", "Лхагва", "Мөнх", "Очир", "Пүрэв", "Цэрэн"],
        ),
    },
    Locale {
        tag: "hi",
        full_tag: "hi-IN",
        country: "India",
        country_code: "IN",
        timezone: "Asia/Kolkata",
        calling_code: "91",
        cities: &[("पुणे", "महाराष्ट्र"), ("जयपुर", "राजस्थान"), ("इंदौर", "मध्य प्रदेश")],
        names: NameSource::Lists(
            &["अनन्या", "आरव", "ईशा", "कबीर", "दीपक", "मीरा", "राहुल", "सुनीता"],
            &["अग्रवाल", "कुमार", "गुप्ता", "जोशी", "मेहता", "शर्मा", "सिंह", "वर्मा"],
        ),
    },
    Locale {
        tag: "de",
        full_tag: "de-DE",
        country: "Germany",
        country_code: "DE",
        timezone: "Europe/Berlin",
        calling_code: "49",
        cities: &[
            ("Köln", "Nordrhein-Westfalen"),
            ("Leipzig", "Sachsen"),
            ("Lübeck", "Schleswig-Holstein"),
        ],
        names: names_of!(DE_DE),
    },
    Locale {
        tag: "fr",
        full_tag: "fr-FR",
        country: "France",
        country_code: "FR",
        timezone: "Europe/Paris",
        calling_code: "33",
        cities: &[("Nîmes", "Occitanie"), ("Lille", "Hauts-de-France"), ("Rennes", "Bretagne")],
        names: names_of!(FR_FR),
    },
    Locale {
        tag: "ar",
        full_tag: "ar-SA",
        country: "Saudi Arabia",
        country_code: "SA",
        timezone: "Asia/Riyadh",
        calling_code: "966",
        cities: &[("جدة", "مكة المكرمة"), ("الدمام", "الشرقية"), ("أبها", "عسير")],
        names: names_of!(AR_SA),
    },
    Locale {
        tag: "ja",
        full_tag: "ja-JP",
        country: "Japan",
        country_code: "JP",
        timezone: "Asia/Tokyo",
        calling_code: "81",
        cities: &[("札幌市", "北海道"), ("仙台市", "宮城県"), ("金沢市", "石川県")],
        names: names_of!(JA_JP),
    },
    Locale {
        tag: "zh",
        full_tag: "zh-TW",
        country: "Taiwan",
        country_code: "TW",
        timezone: "Asia/Taipei",
        calling_code: "886",
        cities: &[("臺南市", "臺南市"), ("花蓮市", "花蓮縣"), ("新竹市", "新竹市")],
        names: names_of!(ZH_TW),
    },
    Locale {
        tag: "tr",
        full_tag: "tr-TR",
        country: "Türkiye",
        country_code: "TR",
        timezone: "Europe/Istanbul",
        calling_code: "90",
        cities: &[("İzmir", "Ege"), ("Bursa", "Marmara"), ("Trabzon", "Karadeniz")],
        names: names_of!(TR_TR),
    },
    Locale {
        tag: "pt",
        full_tag: "pt-BR",
        country: "Brazil",
        country_code: "BR",
        timezone: "America/Sao_Paulo",
        calling_code: "55",
        cities: &[("Curitiba", "Paraná"), ("Recife", "Pernambuco"), ("Goiânia", "Goiás")],
        names: names_of!(PT_BR),
    },
];
