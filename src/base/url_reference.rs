//! URLs that a user gives as a reference, `env:NAME` or `file:PATH`. Like a secret, such a URL never
//! appears in output: neither whole nor the parts of it that may be secret.

use url::{Position, Url};

use super::address::{ip_host, is_localhost};
use super::redact::{Redactor, query_secrets};
use super::secret::Secret;

/// Minimum length, in bytes, of a path or a part of it that is removed from output. Short ones, such
/// as `/hooks`, are no secrets, and occur in other texts.
const MIN_PART: usize = 8;

/// Returns what must not appear in output of a URL, each with the reference in its place. `source` is the
/// reference that the user wrote, if there is one; else only the query may have secrets.
pub fn url_secrets(url: &Url, source: Option<&str>) -> Vec<(String, Secret)> {
    let Some(source) = source else { return query_secrets(url) };
    // These characters would end the reference in a record.
    let source = source.replace(['\'', '}', '{', '$'], "_");
    let mut parts = vec![(String::new(), url.as_str().to_owned())];
    // The text of the user may have no slash at its end.
    parts.extend(url.as_str().strip_suffix('/').map(|text| ("#url".to_owned(), text.to_owned())));
    if ip_host(url).is_none()
        && let Some(host) = url.domain().filter(|host| !is_localhost(host))
    {
        parts.push(("#host".to_owned(), host.to_owned()));
    }
    let path = &url[Position::BeforePath..Position::AfterQuery];
    parts.push(("#path".to_owned(), path.to_owned()));
    let segments = path.split(['/', '?', '&', '=']).zip(1..);
    parts.extend(segments.map(|(segment, number)| (format!("#{number}"), segment.to_owned())));
    let is_part = |(name, text): &(String, String)| {
        !name.starts_with('#') || name == "#host" || name == "#url" || text.len() >= MIN_PART
    };
    let parts = parts.into_iter().filter(is_part);
    parts.map(|(part, text)| (format!("${{{source}{part}}}"), Secret::private(text))).collect()
}

/// Returns a URL as output shows it: with references in place of what may be secret.
pub fn shown_url(url: &Url, source: Option<&str>) -> String {
    let (secrets, mut text) = (url_secrets(url, source), url.to_string());
    let secrets = secrets.iter().map(|(reference, secret)| (reference.clone(), secret));
    Redactor::new(secrets).redact(&mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_that_may_be_secret_has_a_reference() {
        let url = Url::parse("https://hooks.example.test/in/canary-4711?k=v").unwrap();
        assert_eq!(shown_url(&url, Some("env:HOOK")), "${env:HOOK}");
        let secrets = url_secrets(&url, Some("env:HOOK"));
        let redactor = Redactor::new(secrets.iter().map(|(name, secret)| (name.clone(), secret)));
        for (text, shown) in [
            ("POST /in/canary-4711?k=v HTTP/1.1", "POST ${env:HOOK#path} HTTP/1.1"),
            ("no canary-4711 at hooks.example.test", "no ${env:HOOK#3} at ${env:HOOK#host}"),
            ("plain", "plain"),
        ] {
            let mut redacted = text.to_owned();
            redactor.redact(&mut redacted);
            assert_eq!(redacted, shown);
        }
        let local = Url::parse("http://localhost:3000/hooks").unwrap();
        assert_eq!(url_secrets(&local, Some("file:a'b")).len(), 1);
        assert_eq!(shown_url(&local, Some("file:a'b")), "${file:a_b}");
        assert_eq!(shown_url(&local, None), "http://localhost:3000/hooks");
    }
}
