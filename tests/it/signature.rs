//! Signatures and tokens, verified by independent code.
//!
//! The verifier gets what a receiver gets: the output of `standin secrets VENDOR --env`. OpenSSL
//! computed the test vectors; `tests/vectors.toml` has the commands.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use ring::hmac;
use standin::platform::{Algorithm, Encoding, sign};
use standin::record::{AuthHint, Record, RecordKind};

use crate::support::{ReceivedRequest, Receiver, Reply, RunBuilder, path, play, standin, stdout};

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
    // Its credentials belong to its API.
    let credentials: Vec<&String> = given
        .iter()
        .filter(|(name, _)| !name.starts_with("ACCOUNT_"))
        .map(|(_, text)| text)
        .collect();
    for request in received {
        assert!(!credentials.iter().any(|text| request.body.contains(*text)), "{}", request.body);
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

/// A message whose body differs in every JSON library.
const STORY: &str = "[[step]]\nopen = {}\n\
                     [[step]]\nsay = { by = 'visitor', text = 'plain' }\n\
                     [[step]]\nsay = { by = 'visitor', text = 'Señor 🙂 a/b <i>' }\n";

/// The authentication hints of a run at a receiver that refuses some requests, and the requests.
fn hints(
    run: RunBuilder,
    refuses: fn(&ReceivedRequest) -> bool,
) -> (Vec<AuthHint>, Vec<ReceivedRequest>) {
    let receiver = Receiver::responding_to_events(move |_, received| {
        if refuses(received) { Reply::Status(403, "no".into()) } else { Reply::good() }
    });
    let played = run.to(&receiver);
    let hint = |record: &Record| match &record.kind {
        RecordKind::AuthHint(hint) => Some(hint.clone()),
        _ => None,
    };
    (played.records.iter().filter_map(hint).collect(), receiver.events())
}

/// The only hint of a run, and the first refused request.
fn hint(run: RunBuilder, refuses: fn(&ReceivedRequest) -> bool) -> (AuthHint, ReceivedRequest) {
    let (mut hints, received) = hints(run, refuses);
    assert_eq!(hints.len(), 1, "one hint for all of a run");
    (hints.remove(0), received.into_iter().find(refuses).unwrap())
}

fn sha1(secret: &str, content: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    hmac::sign(&key, content).as_ref().to_vec()
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn a_refused_signature_is_compared_with_common_mistakes() {
    // Only the message is sent: no accepted request excludes a mistake.
    let story =
        "[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor', text = 'Señor 🙂 a/b <i>' }\n";
    let run = play(story).at("liveperson").subscribing(&["*.ContentEvent"]);
    let (hint, received) = hint(run, |_| true);
    let secret = &credentials("liveperson")["CLIENT_SECRET"];
    let body = received.body.as_str();
    let ascii: String = body.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    let latin1: Vec<u8> = body.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
    let php = escaped_unicode(body).replace('/', "\\/");
    let go = body.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let code = sha1(secret, body.as_bytes());
    let right = received.header("x-liveperson-signature").unwrap();
    assert_eq!(hint.expected, [("x-liveperson-signature".to_owned(), right)]);
    let of = |content: &[u8]| format!("sha1={}", base64(sha1(secret, content)));
    let with_key = |key: &str| format!("sha1={}", base64(sha1(key, body.as_bytes())));
    let sha256 = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    for (told, value) in [
        ("in hex instead of base64", format!("sha1={}", hex::encode(&code))),
        ("in base64 of the hex text", format!("sha1={}", base64(hex::encode(&code)))),
        ("without the prefix `sha1=`", base64(&code)),
        ("over the body in ASCII", of(ascii.as_bytes())),
        ("over the body in Latin-1", of(&latin1)),
        ("over an empty body", of(b"")),
        ("over `[object Object]`", of(b"[object Object]")),
        ("json_encode", of(php.as_bytes())),
        ("json.Marshal(parsed body)", of(go.as_bytes())),
        ("separators", of(escaped_unicode(body).as_bytes())),
        ("JSON.stringify(parsed body, null, 2)", {
            let json: serde_json::Value = serde_json::from_str(body).unwrap();
            of(serde_json::to_string_pretty(&json).unwrap().as_bytes())
        }),
        ("JSON_UNESCAPED_UNICODE", of(body.replace('/', "\\/").as_bytes())),
        ("JSON.stringify(body), where the body is text", {
            of(serde_json::to_string(body).unwrap().as_bytes())
        }),
        ("over the body in base64", of(base64(body).as_bytes())),
        ("in base64url instead", format!("sha1={}", URL_SAFE.encode(&code))),
        ("with an empty secret", with_key("")),
        ("with the secret `app_secret`", with_key(&credentials("liveperson")["APP_SECRET"])),
        ("a carriage return after the secret", with_key(&format!("{secret}\r"))),
        ("as a plain hash of secret and body", {
            let content = format!("{secret}{body}");
            let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, content.as_bytes());
            format!("sha1={}", base64(hash))
        }),
        ("with the secret in place of the body", {
            format!("sha1={}", base64(sha1(body, secret.as_bytes())))
        }),
        ("a newline after the secret", with_key(&format!("{secret}\n"))),
        ("quotes around the secret", with_key(&format!("\"{secret}\""))),
        ("with hmac-sha256", format!("sha1={}", base64(hmac::sign(&sha256, body.as_bytes())))),
    ] {
        let mistake = hint.mistakes.iter().find(|mistake| mistake.computed.contains(told));
        let mistake = mistake.unwrap_or_else(|| panic!("{told}: {:?}", hint.mistakes));
        assert_eq!(mistake.value, value, "{told}");
    }
    let javascript = hint
        .mistakes
        .iter()
        .any(|mistake| mistake.computed.contains("JSON.stringify(parsed body);"));
    assert!(!javascript, "only what would differ is reported: {:?}", hint.mistakes);
}

/// A compact JSON text in ASCII.
fn escaped_unicode(text: &str) -> String {
    let units = |c: char| -> Vec<String> {
        c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
    };
    let escape = |c: char| if c.is_ascii() { c.to_string() } else { units(c).concat() };
    text.chars().map(escape).collect()
}

#[test]
fn a_mistake_that_contradicts_accepted_requests_is_not_suggested() {
    let (hint, _) = hint(play(STORY).at("liveperson"), |received| !received.body.is_ascii());
    let has = |told: &str| hint.mistakes.iter().any(|mistake| mistake.computed.contains(told));
    assert!(has("over the body in ASCII") && has("Latin-1"), "{:?}", hint.mistakes);
    // With these, the receiver would have refused the earlier requests as well.
    for told in ["secret", "in hex", "empty body", "hmac-sha256", "prefix"] {
        assert!(!has(told), "{told}: {:?}", hint.mistakes);
    }
}

#[test]
fn accepted_credentials_are_not_questioned() {
    let (hints, received) = hints(play(STORY).at("erxes"), |received| !received.body.is_ascii());
    assert!(received.len() > 1);
    assert_eq!(hints, [], "the token was accepted before");
}

#[test]
fn a_refusal_of_a_request_with_a_fault_gives_no_hint() {
    // The accepted message is the control, so that no other one is sent.
    let story = "[[step]]\nopen = {}\n[[step]]\nsay = { by = 'visitor', text = 'accepted' }\n\
                 [[step]]\nfault = 'wrong_token'\n\
                 say = { by = 'visitor', text = 'refused' }\n";
    for vendor in ["erxes", "liveperson", "parlour"] {
        let (hints, _) =
            hints(play(story).at(vendor), |received| received.body.contains("refused"));
        assert_eq!(hints, [], "{vendor}");
    }
}

#[test]
fn a_refused_token_is_compared_with_common_mistakes() {
    let (hint, received) = hint(play("handover").at("erxes"), |_| true);
    let token = received.header("Erxes-token").unwrap();
    assert_eq!(hint.expected, [("Erxes-token".to_owned(), token.clone())]);
    let values: Vec<&str> = hint.mistakes.iter().map(|mistake| mistake.value.as_str()).collect();
    assert_eq!(values, [format!("Bearer {token}"), format!("{token}\n"), format!("\"{token}\"")]);
    let (open, _) = self::hint(play("handover").at("ebbot"), |_| true);
    assert!(open.expected.is_empty() && open.mistakes.is_empty(), "{open:?}");
}
