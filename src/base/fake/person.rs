//! One invented person: a name, a place, a device, all of one locale.

use rand::RngExt as _;

use super::{DOMAIN, Locale, pick};
use crate::base::seed::SeedScope;

/// What is known of an invented person. A cast member's own keys replace it one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persona {
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// Mail address, ASCII.
    pub email: String,
    /// Telephone number with its country's prefix.
    pub phone: String,
    /// IPv4 address out of a range for documentation.
    pub ip: String,
    /// The browser's name, such as `Firefox`.
    pub browser: &'static str,
    /// The browser's version, such as `145.0`.
    pub browser_version: &'static str,
    /// The system's name with its version.
    pub os: &'static str,
    /// What the browser calls itself.
    pub user_agent: &'static str,
    /// City.
    pub city: &'static str,
    /// The city's region.
    pub region: &'static str,
    /// The site that they are on.
    pub host: &'static str,
    /// The page of it that they look at.
    pub page: String,
}

/// Browser, version, system and user agent that belong together.
type Device = (&'static str, &'static str, &'static str, &'static str);

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

/// The site that invented visitors are on.
const HOST: &str = "https://shop.example.test";
const PAGES: &[&str] = &["", "kettles", "lamps/bicycle", "basket", "help/returns", "stores"];

/// The three networks that RFC 5737 keeps for documentation.
const NETWORKS: &[&str] = &["192.0.2", "198.51.100", "203.0.113"];

impl Persona {
    /// Invents a person of this locale.
    pub fn invent(locale: &Locale, seeds: &SeedScope) -> Self {
        let (first_name, last_name) = locale.name(&mut seeds.rng("name"));
        let device = pick(DEVICES, &mut seeds.rng("device"));
        let (city, region) = pick(locale.cities, &mut seeds.rng("city"));
        let rng = &mut seeds.rng("ip");
        let page = pick(PAGES, &mut seeds.rng("page"));
        Self {
            host: HOST,
            page: format!("{HOST}/{page}"),
            email: email(&first_name, &last_name, seeds),
            phone: locale.phone(&mut seeds.rng("phone")),
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

    /// The same person under another name, the mail address with it.
    #[must_use]
    pub fn named(mut self, name: &str, seeds: &SeedScope) -> Self {
        let (first, last) = name.split_once(' ').unwrap_or((name, ""));
        self.email = email(first, last, seeds);
        self.first_name = first.into();
        self.last_name = last.into();
        self
    }
}

/// The mail address of somebody of this name; a name that is not ASCII gives way to a number.
pub(super) fn email(first_name: &str, last_name: &str, seeds: &SeedScope) -> String {
    let plain = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    if first_name.is_ascii() && last_name.is_ascii() && !plain(first_name).is_empty() {
        let dot = if last_name.is_empty() { "" } else { "." };
        return format!("{}{dot}{}@{DOMAIN}", plain(first_name), plain(last_name));
    }
    format!("person{}@{DOMAIN}", seeds.rng("email").random_range(1_000..10_000))
}
