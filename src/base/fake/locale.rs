//! Locales of generated people: their country, cities, streets, names, currency and telephone numbers.

use std::fmt;

use fake::Fake as _;
use fake::faker::name::raw::{FirstName, LastName};
use fake::locales;
use rand::RngExt as _;
use rand::rngs::ChaCha8Rng;

/// A city of a locale, in its language.
#[derive(Debug, PartialEq, Eq)]
pub struct City {
    /// Name of the city.
    pub name: &'static str,
    /// Region of the city.
    pub region: &'static str,
}

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
    /// Currency code (ISO 4217).
    pub currency: &'static str,
    /// How amounts of the currency are written.
    money: MoneyFormat,
    /// Cities with their regions.
    pub cities: &'static [City],
    /// Texts of three buttons: for yes, for no, and to choose.
    pub(super) buttons: [&'static str; 3],
    /// Addresses with `{}` in place of the house number.
    pub(super) streets: &'static [&'static str],
    /// Company names with `{}` in place of a family name.
    pub(super) companies: &'static [&'static str],
    phones: PhoneRange,
    names: NameSource,
}

/// A range of telephone numbers: digits after `+`, then a number from a range with this many digits.
///
/// Every number of a range is valid for libphonenumber 9.0. The ranges of en (Ofcom), sv (PTS), de
/// (Bundesnetzagentur) and fr (Arcep) are reserved for fiction. The other countries reserve none, so
/// theirs are the lowest numbers of a mobile range.
struct PhoneRange {
    prefix: &'static str,
    numbers: std::ops::RangeInclusive<u32>,
    digits: usize,
}

/// How amounts of a currency are written in a locale, after the Unicode CLDR.
struct MoneyFormat {
    /// Text with `{}` in place of the number.
    pattern: &'static str,
    /// Separators of decimals and of thousands. Without decimals, the amount is a whole number.
    separators: (Option<char>, char),
    /// Value of a pound or a euro, so that prices are plausible.
    factor: u32,
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
    /// The same in another script, each with its spelling in Latin letters.
    Romanized(&'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]),
}

/// Locales whose family names come first, with what follows them.
const FAMILY_NAME_FIRST: &[(&str, &str)] = &[("ja", " "), ("zh", "")];

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
            NameSource::Romanized(first, last) => {
                (pick(first, rng).0.to_string(), pick(last, rng).0.to_string())
            }
        }
    }

    /// Joins a given name and a family name in the order of the locale.
    pub fn full_name(&self, first: &str, last: &str) -> String {
        match self.family_first(&[first, last].concat()) {
            Some(separator) if !first.is_empty() && !last.is_empty() => {
                format!("{last}{separator}{first}")
            }
            _ => format!("{first} {last}").trim().to_owned(),
        }
    }

    /// Splits a full name into a given name and a family name, which is empty if the name has no
    /// space.
    pub fn split_name<'n>(&self, name: &'n str) -> (&'n str, &'n str) {
        match name.split_once(' ') {
            Some((last, first)) if self.family_first(name).is_some() => (first, last),
            Some(parts) => parts,
            None => (name, ""),
        }
    }

    /// Returns what stands between family name and given name, if the family name comes first. In
    /// Latin letters, the order is that of English.
    fn family_first(&self, name: &str) -> Option<&'static str> {
        let order = FAMILY_NAME_FIRST.iter().find(|(tag, _)| *tag == self.tag);
        order.filter(|_| !name.is_ascii()).map(|(_, separator)| *separator)
    }

    /// Returns the spelling of a name in Latin letters, if the locale has one for it.
    pub(super) fn romanized(&self, name: &str) -> Option<&'static str> {
        let NameSource::Romanized(first, last) = &self.names else { return None };
        first.iter().chain(*last).find(|(native, _)| *native == name).map(|(_, roman)| *roman)
    }

    /// Generates a price, with the sign of the currency.
    pub(super) fn amount(&self, rng: &mut ChaCha8Rng) -> String {
        let MoneyFormat { pattern, separators: (decimal, group), factor } = &self.money;
        let (whole, tenths) = (rng.random_range(5..500) * factor, rng.random_range(0..10));
        let mut number = match whole {
            1000.. => format!("{}{group}{:03}", whole / 1000, whole % 1000),
            _ => whole.to_string(),
        };
        if let Some(decimal) = decimal {
            number += &format!("{decimal}{tenths}0");
        }
        pattern.replace("{}", &number)
    }

    /// Generates a telephone number.
    pub(super) fn phone(&self, rng: &mut ChaCha8Rng) -> String {
        let PhoneRange { prefix, numbers, digits } = &self.phones;
        format!("+{prefix}{:0digits$}", rng.random_range(numbers.clone()))
    }

    /// Generates a street with a house number.
    pub(super) fn street(&self, rng: &mut ChaCha8Rng) -> String {
        let street = pick(self.streets, rng);
        street.replace("{}", &rng.random_range(1..200).to_string())
    }

    /// Generates a company name.
    pub(super) fn company(&self, rng: &mut ChaCha8Rng) -> String {
        let company = pick(self.companies, rng);
        company.replace("{}", &self.name(rng).1)
    }
}

/// Selects a random element of a list.
pub(super) fn pick<'a, T>(list: &'a [T], rng: &mut ChaCha8Rng) -> &'a T {
    &list[rng.random_range(0..list.len())]
}

const fn city(name: &'static str, region: &'static str) -> City {
    City { name, region }
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
        currency: "GBP",
        money: MoneyFormat { pattern: "£{}", separators: (Some('.'), ','), factor: 1 },
        cities: &[city("Leeds", "England"), city("Cardiff", "Wales"), city("Dundee", "Scotland")],
        buttons: ["Yes", "No", "Choose"],
        streets: &["{} Orchard Street", "{} Harbour Road", "{} Willow Lane"],
        companies: &["{} Trading Ltd", "{} Studio Ltd", "{} Works LLP"],
        phones: PhoneRange { prefix: "442079460", numbers: 0..=999, digits: 3 },
        names: names_of!(EN),
    },
    Locale {
        tag: "sv",
        full_tag: "sv-SE",
        country: "Sweden",
        country_code: "SE",
        timezone: "Europe/Stockholm",
        calling_code: "46",
        currency: "SEK",
        money: MoneyFormat { pattern: "{}\u{a0}kr", separators: (Some(','), '\u{a0}'), factor: 10 },
        cities: &[
            city("Malmö", "Skåne"),
            city("Göteborg", "Västra Götaland"),
            city("Umeå", "Västerbotten"),
        ],
        buttons: ["Ja", "Nej", "Välj"],
        streets: &["Storgatan {}", "Hamngatan {}", "Björkvägen {}"],
        companies: &["{} Handel AB", "{} Bygg AB", "{} & Söner HB"],
        phones: PhoneRange { prefix: "46701740", numbers: 605..=699, digits: 3 },
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
        currency: "NOK",
        money: MoneyFormat { pattern: "{}\u{a0}kr", separators: (Some(','), '\u{a0}'), factor: 10 },
        cities: &[city("Bergen", "Vestland"), city("Tromsø", "Troms"), city("Bodø", "Nordland")],
        buttons: ["Ja", "Nei", "Velg"],
        streets: &["Storgata {}", "Havnegata {}", "Bjørkeveien {}"],
        companies: &["{} Handel AS", "{} Bygg AS", "{} & Sønner ANS"],
        phones: PhoneRange { prefix: "4740000", numbers: 0..=999, digits: 3 },
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
        currency: "DKK",
        money: MoneyFormat { pattern: "{}\u{a0}kr.", separators: (Some(','), '.'), factor: 7 },
        cities: &[
            city("Aarhus", "Midtjylland"),
            city("Odense", "Syddanmark"),
            city("Køge", "Sjælland"),
        ],
        buttons: ["Ja", "Nej", "Vælg"],
        streets: &["Storegade {}", "Havnegade {}", "Birkevej {}"],
        companies: &["{} Handel ApS", "{} Byg A/S", "{} & Sønner I/S"],
        phones: PhoneRange { prefix: "4520100", numbers: 0..=999, digits: 3 },
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
        currency: "EUR",
        money: MoneyFormat { pattern: "{}\u{a0}€", separators: (Some(','), '\u{a0}'), factor: 1 },
        cities: &[
            city("Tampere", "Pirkanmaa"),
            city("Oulu", "Pohjois-Pohjanmaa"),
            city("Jyväskylä", "Keski-Suomi"),
        ],
        buttons: ["Kyllä", "Ei", "Valitse"],
        streets: &["Satamakatu {}", "Koivutie {}", "Kauppakatu {}"],
        companies: &["{} Kauppa Oy", "{} Rakennus Oy", "Veljekset {} Ky"],
        phones: PhoneRange { prefix: "358400000", numbers: 0..=999, digits: 3 },
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
        currency: "MNT",
        money: MoneyFormat { pattern: "₮\u{a0}{}", separators: (None, ','), factor: 1000 },
        cities: &[
            city("Улаанбаатар", "Улаанбаатар"),
            city("Дархан", "Дархан-Уул"),
            city("Эрдэнэт", "Орхон"),
        ],
        buttons: ["Тийм", "Үгүй", "Сонгох"],
        streets: &["Энхтайвны өргөн чөлөө {}", "Сөүлийн гудамж {}", "Их тойруу {}"],
        companies: &["{} Трейд ХХК", "{} Групп ХК", "{} Констракшн ХХК"],
        phones: PhoneRange { prefix: "97688000", numbers: 0..=999, digits: 3 },
        names: NameSource::Romanized(
            &[
                ("Алтан", "Altan"),
                ("Болд", "Bold"),
                ("Ганзориг", "Ganzorig"),
                ("Нарантуяа", "Narantuyaa"),
                ("Оюун", "Oyuun"),
                ("Сарнай", "Sarnai"),
                ("Төгс", "Tugs"),
                ("Энхтуяа", "Enkhtuyaa"),
            ],
            &[
                ("Бат-Эрдэнэ", "Bat-Erdene"),
                ("Ганбаатар", "Ganbaatar"),
                ("Дорж", "Dorj"),
                ("Лхагва", "Lkhagva"),
                ("Мөнх", "Munkh"),
                ("Очир", "Ochir"),
                ("Пүрэв", "Purev"),
                ("Цэрэн", "Tseren"),
            ],
        ),
    },
    Locale {
        tag: "hi",
        full_tag: "hi-IN",
        country: "India",
        country_code: "IN",
        timezone: "Asia/Kolkata",
        calling_code: "91",
        currency: "INR",
        money: MoneyFormat { pattern: "₹{}", separators: (Some('.'), ','), factor: 90 },
        cities: &[city("पुणे", "महाराष्ट्र"), city("जयपुर", "राजस्थान"), city("इंदौर", "मध्य प्रदेश")],
        buttons: ["हाँ", "नहीं", "चुनें"],
        streets: &["{}, महात्मा गांधी मार्ग", "{}, स्टेशन रोड", "{}, नेहरू नगर"],
        companies: &["{} ट्रेडिंग प्रा. लि.", "{} एंड संस", "{} उद्योग लि."],
        phones: PhoneRange { prefix: "919000000", numbers: 0..=999, digits: 3 },
        names: NameSource::Romanized(
            &[
                ("अनन्या", "Ananya"),
                ("आरव", "Aarav"),
                ("ईशा", "Isha"),
                ("कबीर", "Kabir"),
                ("दीपक", "Deepak"),
                ("मीरा", "Meera"),
                ("राहुल", "Rahul"),
                ("सुनीता", "Sunita"),
            ],
            &[
                ("अग्रवाल", "Agrawal"),
                ("कुमार", "Kumar"),
                ("गुप्ता", "Gupta"),
                ("जोशी", "Joshi"),
                ("मेहता", "Mehta"),
                ("शर्मा", "Sharma"),
                ("सिंह", "Singh"),
                ("वर्मा", "Verma"),
            ],
        ),
    },
    Locale {
        tag: "de",
        full_tag: "de-DE",
        country: "Germany",
        country_code: "DE",
        timezone: "Europe/Berlin",
        calling_code: "49",
        currency: "EUR",
        money: MoneyFormat { pattern: "{}\u{a0}€", separators: (Some(','), '.'), factor: 1 },
        cities: &[
            city("Köln", "Nordrhein-Westfalen"),
            city("Leipzig", "Sachsen"),
            city("Lübeck", "Schleswig-Holstein"),
        ],
        buttons: ["Ja", "Nein", "Auswählen"],
        streets: &["Hafenstraße {}", "Birkenweg {}", "Marktplatz {}"],
        companies: &["{} Handel GmbH", "{} Bau GmbH & Co. KG", "{} & Söhne OHG"],
        phones: PhoneRange { prefix: "493023125", numbers: 0..=999, digits: 3 },
        names: names_of!(DE_DE),
    },
    Locale {
        tag: "fr",
        full_tag: "fr-FR",
        country: "France",
        country_code: "FR",
        timezone: "Europe/Paris",
        calling_code: "33",
        currency: "EUR",
        money: MoneyFormat {
            pattern: "{}\u{a0}€", separators: (Some(','), '\u{202f}'), factor: 1
        },
        cities: &[
            city("Nîmes", "Occitanie"),
            city("Lille", "Hauts-de-France"),
            city("Rennes", "Bretagne"),
        ],
        buttons: ["Oui", "Non", "Choisir"],
        streets: &["{} rue du Port", "{} avenue des Tilleuls", "{} place du Marché"],
        companies: &["{} Commerce SARL", "Ateliers {} SAS", "{} et Fils SA"],
        phones: PhoneRange { prefix: "3319900", numbers: 0..=9999, digits: 4 },
        names: names_of!(FR_FR),
    },
    Locale {
        tag: "ar",
        full_tag: "ar-SA",
        country: "Saudi Arabia",
        country_code: "SA",
        timezone: "Asia/Riyadh",
        calling_code: "966",
        currency: "SAR",
        money: MoneyFormat { pattern: "{}\u{a0}ر.س.", separators: (Some('.'), ','), factor: 4 },
        cities: &[city("جدة", "مكة المكرمة"), city("الدمام", "الشرقية"), city("أبها", "عسير")],
        buttons: ["نعم", "لا", "اختر"],
        streets: &["{} شارع الميناء", "{} طريق الملك فهد", "{} شارع النخيل"],
        companies: &["شركة {} للتجارة", "مؤسسة {}", "مجموعة {} المحدودة"],
        phones: PhoneRange { prefix: "966500000", numbers: 0..=999, digits: 3 },
        names: NameSource::Romanized(
            &[
                ("ليلى", "Layla"),
                ("عمر", "Omar"),
                ("نورة", "Noura"),
                ("سامي", "Sami"),
                ("هدى", "Huda"),
                ("خالد", "Khalid"),
                ("ريم", "Reem"),
                ("فيصل", "Faisal"),
            ],
            &[
                ("الحربي", "Alharbi"),
                ("القحطاني", "Alqahtani"),
                ("الزهراني", "Alzahrani"),
                ("العتيبي", "Alotaibi"),
                ("الغامدي", "Alghamdi"),
                ("الشمري", "Alshammari"),
                ("حداد", "Haddad"),
                ("منصور", "Mansour"),
            ],
        ),
    },
    Locale {
        tag: "ja",
        full_tag: "ja-JP",
        country: "Japan",
        country_code: "JP",
        timezone: "Asia/Tokyo",
        calling_code: "81",
        currency: "JPY",
        money: MoneyFormat { pattern: "￥{}", separators: (None, ','), factor: 150 },
        cities: &[city("札幌市", "北海道"), city("仙台市", "宮城県"), city("金沢市", "石川県")],
        buttons: ["はい", "いいえ", "選択"],
        streets: &["港町{}番地", "桜通り{}番地", "駅前{}番地"],
        companies: &["株式会社{}商店", "{}工業株式会社", "有限会社{}"],
        phones: PhoneRange { prefix: "819010000", numbers: 0..=999, digits: 3 },
        names: NameSource::Romanized(
            &[
                ("健太", "Kenta"),
                ("美咲", "Misaki"),
                ("翔", "Sho"),
                ("葵", "Aoi"),
                ("直樹", "Naoki"),
                ("陽子", "Yoko"),
                ("拓也", "Takuya"),
                ("さくら", "Sakura"),
            ],
            &[
                ("佐藤", "Sato"),
                ("鈴木", "Suzuki"),
                ("高橋", "Takahashi"),
                ("田中", "Tanaka"),
                ("渡辺", "Watanabe"),
                ("伊藤", "Ito"),
                ("中村", "Nakamura"),
                ("小林", "Kobayashi"),
            ],
        ),
    },
    Locale {
        tag: "zh",
        full_tag: "zh-TW",
        country: "Taiwan",
        country_code: "TW",
        timezone: "Asia/Taipei",
        calling_code: "886",
        currency: "TWD",
        money: MoneyFormat { pattern: "${}", separators: (None, ','), factor: 35 },
        cities: &[city("臺南市", "臺南市"), city("花蓮市", "花蓮縣"), city("新竹市", "新竹市")],
        buttons: ["是", "否", "選擇"],
        streets: &["中山路{}號", "海港街{}號", "柳樹巷{}號"],
        companies: &["{}貿易有限公司", "{}實業股份有限公司", "{}工作室"],
        phones: PhoneRange { prefix: "886900000", numbers: 0..=999, digits: 3 },
        names: NameSource::Romanized(
            &[
                ("志明", "Chih-ming"),
                ("淑芬", "Shu-fen"),
                ("家豪", "Chia-hao"),
                ("雅婷", "Ya-ting"),
                ("俊傑", "Chun-chieh"),
                ("美玲", "Mei-ling"),
                ("建宏", "Chien-hung"),
                ("怡君", "Yi-chun"),
            ],
            &[
                ("陳", "Chen"),
                ("林", "Lin"),
                ("黃", "Huang"),
                ("張", "Chang"),
                ("李", "Lee"),
                ("王", "Wang"),
                ("吳", "Wu"),
                ("蔡", "Tsai"),
            ],
        ),
    },
    Locale {
        tag: "tr",
        full_tag: "tr-TR",
        country: "Türkiye",
        country_code: "TR",
        timezone: "Europe/Istanbul",
        calling_code: "90",
        currency: "TRY",
        money: MoneyFormat { pattern: "₺{}", separators: (Some(','), '.'), factor: 40 },
        cities: &[city("İzmir", "Ege"), city("Bursa", "Marmara"), city("Trabzon", "Karadeniz")],
        buttons: ["Evet", "Hayır", "Seç"],
        streets: &["Liman Caddesi No: {}", "Söğüt Sokak No: {}", "Çarşı Caddesi No: {}"],
        companies: &["{} Ticaret A.Ş.", "{} İnşaat Ltd. Şti.", "{} ve Oğulları"],
        phones: PhoneRange { prefix: "905010000", numbers: 0..=999, digits: 3 },
        names: names_of!(TR_TR),
    },
    Locale {
        tag: "pt",
        full_tag: "pt-BR",
        country: "Brazil",
        country_code: "BR",
        timezone: "America/Sao_Paulo",
        calling_code: "55",
        currency: "BRL",
        money: MoneyFormat { pattern: "R$\u{a0}{}", separators: (Some(','), '.'), factor: 6 },
        cities: &[
            city("Curitiba", "Paraná"),
            city("Recife", "Pernambuco"),
            city("Goiânia", "Goiás"),
        ],
        buttons: ["Sim", "Não", "Escolher"],
        streets: &["Rua do Porto, {}", "Avenida das Palmeiras, {}", "Praça do Mercado, {}"],
        companies: &["{} Comércio Ltda.", "Indústrias {} S.A.", "{} e Filhos Ltda."],
        phones: PhoneRange { prefix: "5511900000", numbers: 0..=999, digits: 3 },
        names: names_of!(PT_BR),
    },
];
