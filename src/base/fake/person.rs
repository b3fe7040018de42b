//! A fictional person: name, contact data, location and device, consistent within a locale.

use rand::RngExt as _;

use super::locale::{Locale, pick};
use crate::base::seed::SeedScope;

/// Domain of all generated mail addresses. RFC 2606 reserves `.test`, so no mail is delivered.
pub const DOMAIN: &str = "example.test";

/// A generated person. The keys of a cast member override single fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persona {
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// Mail address, ASCII only.
    pub email: String,
    /// Telephone number with `+` and country calling code, valid for libphonenumber.
    pub phone: String,
    /// IPv4 address from a range reserved for documentation.
    pub ip: String,
    /// Browser name, such as `Firefox`.
    pub browser: &'static str,
    /// Browser version, such as `145.0`.
    pub browser_version: &'static str,
    /// Operating system with its version, such as `iOS 18_7`.
    pub os: &'static str,
    /// Value of the browser's `User-Agent` header.
    pub user_agent: &'static str,
    /// City, in the language of the locale.
    pub city: &'static str,
    /// Region of the city, in the language of the locale.
    pub region: &'static str,
    /// Website that the person visits: scheme and host.
    pub host: &'static str,
    /// URL of the page that the person visits.
    pub page: String,
}

/// Browser, browser version, operating system and user agent.
type Device = (&'static str, &'static str, &'static str, &'static str);

// The fields of a device must agree with each other: receivers parse the user agent.
const DEVICES: &[Device] = &[
    (
        "Chrome",
        "142.0.0.0",
        "Windows 10",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    ),
    (
        "Chrome",
        "142.0.0.0",
        "Mac OS X 10_15_7",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    ),
    (
        "Firefox",
        "145.0",
        "Linux",
        "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    ),
    (
        "Safari",
        "26.1",
        "iOS 18_7",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1",
    ),
];

/// Website that generated people visit.
const HOST: &str = "https://shop.example.test";
const PAGES: &[&str] = &["", "kettles", "lamps/bicycle", "basket", "help/returns", "stores"];

/// The three networks that RFC 5737 reserves for documentation.
const NETWORKS: &[&str] = &["192.0.2", "198.51.100", "203.0.113"];

impl Persona {
    /// Generates a person of this locale.
    pub fn generate(locale: &Locale, seeds: &SeedScope) -> Self {
        let (first_name, last_name) = locale.name(&mut seeds.rng("name"));
        let device = pick(DEVICES, &mut seeds.rng("device"));
        let (city, region) = pick(locale.cities, &mut seeds.rng("city"));
        let rng = &mut seeds.rng("ip");
        let page = pick(PAGES, &mut seeds.rng("page"));
        Self {
            host: HOST,
            page: format!("{HOST}/{page}"),
            email: email(locale, &first_name, &last_name, seeds),
            phone: locale.phone(&mut seeds.rng("phone")),
            // Without 0 and 255, the network and broadcast addresses.
            ip: format!("{}.{}", pick(NETWORKS, rng), rng.random_range(1..255)),
            browser: device.0,
            browser_version: device.1,
            os: device.2,
            user_agent: device.3,
            first_name,
            last_name,
            city,
            region,
        }
    }

    /// Replaces the name, and the mail address derived from it.
    #[must_use]
    pub fn named(mut self, name: &str, locale: &Locale, seeds: &SeedScope) -> Self {
        let (first, last) = name.split_once(' ').unwrap_or((name, ""));
        self.email = email(locale, first, last, seeds);
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
