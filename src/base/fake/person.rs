//! A fictional person: name, contact data, location and device, consistent within a locale.

use std::net::Ipv4Addr;

use rand::RngExt as _;

use super::locale::{City, Locale, pick};
use crate::base::seed::SeedScope;

/// Domain of all generated mail addresses. RFC 2606 reserves `.test`, so no mail is delivered.
pub const DOMAIN: &str = "example.test";

/// A generated person. The keys of a cast member override single fields.
// Thousands of conversations hold a person each: what many share is a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persona {
    /// Given name.
    pub first_name: Box<str>,
    /// Family name.
    pub last_name: Box<str>,
    /// Mail address, ASCII only.
    pub email: Box<str>,
    /// Telephone number with `+` and country calling code, valid for libphonenumber.
    pub phone: Box<str>,
    /// Address from a range reserved for documentation.
    pub ip: Ipv4Addr,
    /// Browser and operating system.
    pub device: &'static Device,
    /// City and region.
    pub city: &'static City,
    /// URL of the page that the person visits.
    pub page: &'static str,
}

/// Browser and operating system of a person.
#[derive(Debug, PartialEq, Eq)]
pub struct Device {
    /// Browser name, such as `Firefox`.
    pub browser: &'static str,
    /// Browser version, such as `145.0`.
    pub browser_version: &'static str,
    /// Operating system with its version, such as `iOS 18_7`.
    pub os: &'static str,
    /// Value of the browser's `User-Agent` header.
    pub user_agent: &'static str,
}

// The fields of a device must agree with each other: receivers parse the user agent.
const DEVICES: &[Device] = &[
    Device {
        browser: "Chrome",
        browser_version: "142.0.0.0",
        os: "Windows 10",
        user_agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    },
    Device {
        browser: "Chrome",
        browser_version: "142.0.0.0",
        os: "Mac OS X 10_15_7",
        user_agent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    },
    Device {
        browser: "Firefox",
        browser_version: "145.0",
        os: "Linux",
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    },
    Device {
        browser: "Safari",
        browser_version: "26.1",
        os: "iOS 18_7",
        user_agent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1",
    },
];

/// Website that generated people visit.
pub const HOST: &str = "https://shop.example.test";

/// Pages of [`HOST`].
const PAGES: &[&str] = &[
    "https://shop.example.test/",
    "https://shop.example.test/kettles",
    "https://shop.example.test/lamps/bicycle",
    "https://shop.example.test/basket",
    "https://shop.example.test/help/returns",
    "https://shop.example.test/stores",
];

/// The three networks that RFC 5737 reserves for documentation.
const NETWORKS: &[[u8; 3]] = &[[192, 0, 2], [198, 51, 100], [203, 0, 113]];

impl Persona {
    /// Generates a person of this locale.
    pub fn generate(locale: &Locale, seeds: &SeedScope) -> Self {
        let (first_name, last_name) = locale.name(&mut seeds.rng("name"));
        let device = pick(DEVICES, &mut seeds.rng("device"));
        let rng = &mut seeds.rng("ip");
        let [a, b, c] = *pick(NETWORKS, rng);
        Self {
            email: email(locale, &first_name, &last_name, seeds).into(),
            phone: locale.phone(&mut seeds.rng("phone")).into(),
            // Without 0 and 255, the network and broadcast addresses. `i32` as in earlier releases:
            // the type decides the number.
            ip: Ipv4Addr::new(a, b, c, u8::try_from(rng.random_range(1_i32..255)).unwrap_or(1)),
            device,
            page: *pick(PAGES, &mut seeds.rng("page")),
            first_name: first_name.into(),
            last_name: last_name.into(),
            city: pick(locale.cities, &mut seeds.rng("city")),
        }
    }

    /// Replaces the name, and the mail address derived from it.
    #[must_use]
    pub fn named(mut self, name: &str, locale: &Locale, seeds: &SeedScope) -> Self {
        let (first, last) = locale.split_name(name);
        self.email = email(locale, first, last, seeds).into();
        self.first_name = first.into();
        self.last_name = last.into();
        self
    }
}

/// Derives a mail address from a name: `Åsa Öberg` has `asa.oberg@example.test`. A name in a script
/// that has no known spelling in Latin letters gives an address such as `person4711@example.test`.
pub(super) fn email(
    locale: &Locale,
    first_name: &str,
    last_name: &str,
    seeds: &SeedScope,
) -> String {
    let parts = [first_name, last_name].map(|name| local_part(locale, name));
    let names: Vec<&str> = parts.iter().flatten().map(String::as_str).collect();
    let is_complete = parts.iter().all(Option::is_some);
    let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    if is_complete && !names.is_empty() {
        return format!("{}@{DOMAIN}", names.join("."));
    }
    format!("person{}@{DOMAIN}", seeds.rng("email").random_range(1_000..10_000))
}

/// Returns a name in lower-case ASCII letters and digits, or `None` if a letter has no equivalent.
fn local_part(locale: &Locale, name: &str) -> Option<String> {
    let name = locale.romanized(name).unwrap_or(name);
    let mut ascii = String::new();
    for letter in name.to_lowercase().chars() {
        match letter {
            _ if letter.is_ascii_alphanumeric() => ascii.push(letter),
            // Spaces, hyphens and apostrophes, and the dot that a lower-case `İ` leaves behind.
            _ if letter.is_ascii() || !letter.is_alphanumeric() => {}
            _ => ascii.push_str(LATIN.iter().find(|(letters, _)| letters.contains(letter))?.1),
        }
    }
    Some(ascii)
}

/// Letters outside ASCII, with their usual spelling in mail addresses.
const LATIN: &[(&str, &str)] = &[
    ("àáâãäåāăą", "a"),
    ("æ", "ae"),
    ("çćčĉ", "c"),
    ("ďđð", "d"),
    ("èéêëēėęě", "e"),
    ("ğģĝ", "g"),
    ("ìíîïīįı", "i"),
    ("ķ", "k"),
    ("łļľ", "l"),
    ("ñńňņ", "n"),
    ("òóôõöøōő", "o"),
    ("œ", "oe"),
    ("ŕř", "r"),
    ("śšşșŝ", "s"),
    ("ß", "ss"),
    ("ťțţ", "t"),
    ("þ", "th"),
    ("ùúûüūůűų", "u"),
    ("ýÿ", "y"),
    ("źżž", "z"),
];
