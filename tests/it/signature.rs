//! Signatures and tokens, verified by independent code.
//!
//! The verifier gets what a receiver gets: the output of `standin secrets VENDOR --env`. OpenSSL
//! computed the test vectors; `tests/vectors.toml` has the commands.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use ring::hmac;
use standin::platform::{Algorithm, Encoding, sign};
use standin::record::{AuthHint, RecordKind};

use crate::support::{ReceivedRequest, Receiver, Reply, path, play, standin, stdout};

/// The credentials of a vendorfrom `standin secrets --env`.
fn credentials(vendor: &str) -> BTreeMap<String, String> {
    let vendors = path("tests/vendors");
    let arguments = ["--templates", vendors.to_str().unwrap(), "secrets", vendor, "--env"];
    let prefix = format!("{}_", vendor.to_uppercase());
    let line = |line: &str| {
        let (name, value) = line.split_once('=').unwrap();
        (name.strip_prefix(&prefix).unwrap().to_owned(), value.to_owned())
    };
    stdout(&standin(&arguments)).lines().map(line).collect()
}

fn run(vendor: &str) -> (Vec<ReceivedRequest>, BTreeMap<String, String>) {
    let receiver = Receiver::accepting();
    let played = play("handover").at(vendor).to(&receiver);
    assert_eq!(played.finished.reason, None, "{vendor}");
    (receiver.requests(), credentials(vendor))
}

#[test]
fn liveperson_signs_the_raw_body_with_the_client_secret() {
    let (received, given) = run("liveperson");
    assert!(received.len() > 10);
    let key =
        hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, given["CLIENT_SECRET"].as_bytes());
    for request in received {
        let signature = request.header("x-liveperson-signature").unwrap();
        let signature = signature.strip_prefix("sha1=").unwrap();
        let signature = base64::engine::general_purpose::STANDARD.decode(signature).unwrap();
        hmac::verify(&key, request.body.as_bytes(), &signature).unwrap();
        assert_eq!(request.header("x-liveperson-account-id"), given.get("ACCOUNT_ID").cloned());
        assert_eq!(
            request.header("x-liveperson-client-id"),
            given.get("ACCOUNT_CLIENT_ID").cloned()
        );
    }
}

#[test]
fn wotnot_and_swiftsell_send_the_token_in_the_authorization_header() {
    for vendor in ["wotnot", "swiftsell"] {
        let (received, given) = run(vendor);
        assert_eq!(received[0].token().as_ref(), given.get("TOKEN"));
        for request in &received[1..] {
            assert_eq!(request.header("authorization").as_ref(), given.get("TOKEN"));
        }
    }
}

#[test]
fn erxes_sends_the_token_in_a_custom_header() {
    let (received, given) = run("erxes");
    assert_eq!(received[0].body, "{}");
    assert!(
        received.iter().all(|request| request.header("erxes-token").as_ref() == given.get("TOKEN"))
    );
}

#[test]
fn ebbot_sends_no_credentials() {
    let (received, given) = run("ebbot");
    assert!(given.keys().all(|name| name.starts_with("ACCOUNT_")));
    for request in received {
        let names: Vec<&str> =
            request.head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0)).collect();
        assert_eq!(
            names,
            ["Accept", "Content-Type", "User-Agent", "Content-Length", "Host", "Connection"]
        );
        assert_eq!(
            request.json()["botId"].as_str(),
            given.get("ACCOUNT_BOT_ID").map(String::as_str)
        );
    }
}

#[test]
fn an_invented_vendor_can_be_verified() {
    let (received, given) = run("parlour");
    let key = hmac::Key::new(hmac::HMAC_SHA256, given["KEY"].as_bytes());
    for request in received {
        let signature = request.header("x-parlour-key").unwrap();
        let signature = hex::decode(signature.strip_prefix("v1,").unwrap()).unwrap();
        let content = format!("{}.{}", given["ACCOUNT_HOUSE"], request.body);
        hmac::verify(&key, content.as_bytes(), &signature).unwrap();
    }
}

#[test]
fn test_vectors_match() {
    let text = fs::read_to_string(path("tests/vectors.toml")).unwrap();
    let vectors: toml::Table = text.parse().unwrap();
    let vectors = vectors["vector"].as_array().unwrap();
    assert!(vectors.len() >= 8);
    for vector in vectors {
        let text = |key: &str| vector[key].as_str().unwrap();
        let algorithm = Algorithm::from_name(text("algorithm")).unwrap();
        let encoding = Encoding::from_name(text("encoding")).unwrap();
        let signature = sign(algorithm, text("key").as_bytes(), text("body").as_bytes(), encoding);
        assert_eq!(signature, text("signature"), "{}", text("command"));
    }
}

/// The authentication hint of a run at a receiver that refuses some requests, and the first of them.
fn hint(vendor: &str, refuses: fn(&ReceivedRequest) -> bool) -> (AuthHint, ReceivedRequest) {
    let receiver = Receiver::responding_to_events(move |_, received| {
        if refuses(received) { Reply::Status(403, "no".into()) } else { Reply::good() }
    });
    let played = play("handover").at(vendor).to(&receiver);
    let is_hint = |what: &RecordKind| matches!(what, RecordKind::AuthHint(_));
    assert_eq!(played.count(is_hint), 1, "{vendor}: one hint for all of a run");
    let hint = played.find(|what| match what {
        RecordKind::AuthHint(hint) => Some(hint.clone()),
        _ => None,
    });
    let refused = receiver.events().into_iter().find(refuses).unwrap();
    (hint.unwrap(), refused)
}

#[test]
fn a_refused_signature_is_compared_with_common_mistakes() {
    let (hint, received) = hint("liveperson", |received| !received.body.is_ascii());
    let secret = &credentials("liveperson")["CLIENT_SECRET"];
    let made = |algorithm, secret: &str, body: &str| {
        let key = hmac::Key::new(algorithm, secret.as_bytes());
        hmac::sign(&key, body.as_bytes()).as_ref().to_vec()
    };
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let sha1 = hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY;
    let ascii: String = received.body.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    let right = received.header("x-liveperson-signature").unwrap();
    assert_eq!(hint.expected, [("x-liveperson-signature".to_owned(), right)]);
    for (told, signature) in [
        ("in hex instead of base64", hex::encode(made(sha1, secret, &received.body))),
        ("over the body in ASCII", encode(&made(sha1, secret, &ascii))),
        ("over an empty body", encode(&made(sha1, secret, ""))),
        ("a newline after the secret", encode(&made(sha1, &format!("{secret}\n"), &received.body))),
        ("with hmac-sha256", encode(&made(hmac::HMAC_SHA256, secret, &received.body))),
    ] {
        let mistake = hint.mistakes.iter().find(|mistake| mistake.computed.contains(told));
        let mistake = mistake.unwrap_or_else(|| panic!("{told}: {:?}", hint.mistakes));
        assert_eq!(mistake.value, format!("sha1={signature}"), "{told}");
    }
    let python = hint.mistakes.iter().any(|mistake| mistake.computed.contains("json.dumps"));
    let javascript =
        hint.mistakes.iter().any(|mistake| mistake.computed.contains("JSON.stringify"));
    assert!(python && !javascript, "only what would differ is told: {:?}", hint.mistakes);
}

#[test]
fn a_refused_token_is_compared_with_common_mistakes() {
    let (hint, received) = hint("erxes", |_| true);
    let token = received.header("Erxes-token").unwrap();
    assert_eq!(hint.expected, [("Erxes-token".to_owned(), token.clone())]);
    let values: Vec<&str> = hint.mistakes.iter().map(|mistake| mistake.value.as_str()).collect();
    assert_eq!(values, [format!("Bearer {token}"), format!("{token}\n")]);
    let (open, _) = self::hint("ebbot", |_| true);
    assert!(open.expected.is_empty() && open.mistakes.is_empty(), "{open:?}");
}
