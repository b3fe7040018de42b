//! Generated values: telephone numbers and prices of each locale.

use phonenumber::Mode;
use standin::base::fake::{LOCALES, fake, locale};
use standin::base::seed::SeedScope;

fn values(name: &str, tag: &str, number: u64) -> Vec<String> {
    let locale = LOCALES.iter().find(|locale| locale.tag == tag).unwrap();
    let value = |seed| fake(name, locale, &SeedScope::of_run(seed)).unwrap();
    (0..number).map(value).collect()
}

#[test]
fn telephone_numbers_are_valid_numbers_of_their_country() {
    for locale in LOCALES {
        for number in values("phone", locale.tag, 300) {
            let parsed = phonenumber::parse(None, &number).unwrap();
            assert!(phonenumber::is_valid(&parsed), "{}: {number}", locale.tag);
            assert_eq!(parsed.code().value().to_string(), locale.calling_code, "{number}");
            // One notation everywhere: E.164.
            assert_eq!(parsed.format().mode(Mode::E164).to_string(), number);
        }
    }
}

#[test]
fn telephone_numbers_are_reserved_for_fiction_where_a_range_exists() {
    for (tag, prefix) in
        [("en", "+442079460"), ("sv", "+46701740"), ("de", "+493023125"), ("fr", "+3319900")]
    {
        let numbers = values("phone", tag, 300);
        assert!(numbers.iter().all(|number| number.starts_with(prefix)), "{tag}: {numbers:?}");
    }
}

#[test]
fn family_names_come_first_where_the_language_has_them_first() {
    for (tag, separator) in [("ja", " "), ("zh", "")] {
        for seed in 1..20 {
            let seeds = SeedScope::of_run(seed);
            let of = |name| fake(name, locale(tag), &seeds).unwrap();
            assert_eq!(of("name"), [of("last_name"), of("first_name")].join(separator));
        }
    }
    let [ja, zh, mn] = ["ja", "zh", "mn"].map(locale);
    assert_eq!(ja.full_name("葵", "佐藤"), "佐藤 葵");
    assert_eq!(ja.full_name("Aoi", "Sato"), "Aoi Sato");
    assert_eq!(ja.full_name("葵", ""), "葵");
    assert_eq!(mn.full_name("Оюун", "Бат"), "Оюун Бат");
    assert_eq!(ja.split_name("佐藤 葵"), ("葵", "佐藤"));
    assert_eq!(ja.split_name("Aoi Sato"), ("Aoi", "Sato"));
    assert_eq!(zh.split_name("王志明"), ("王志明", ""));
}

#[test]
fn prices_are_written_as_in_the_country() {
    for (tag, start, end, decimals) in [
        ("en", "£", "", Some('.')),
        ("sv", "", "\u{a0}kr", Some(',')),
        ("de", "", "\u{a0}€", Some(',')),
        ("fr", "", "\u{a0}€", Some(',')),
        ("ja", "￥", "", None),
        ("mn", "₮\u{a0}", "", None),
        ("pt", "R$\u{a0}", "", Some(',')),
    ] {
        for price in values("amount", tag, 100) {
            let number = price.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
            let number = number.unwrap_or_else(|| panic!("{tag}: {price}"));
            let digits = decimals.and_then(|sign| number.rsplit_once(sign)).map(|(_, d)| d.len());
            assert_eq!(digits, decimals.map(|_| 2), "{tag}: {price}");
        }
    }
    assert!(
        values("amount", "sv", 100)
            .iter()
            .any(|price| price.contains("\u{a0}0") || price.matches('\u{a0}').count() == 2),
        "thousands are grouped"
    );
}
