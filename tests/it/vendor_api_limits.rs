//! Limits of calls to the APIs of vendors, and calls at the edge: hanging up, ambiguous routes.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use standin::platform::Account;
use standin::record::CallAuth;

use crate::support::{LiveApi, Receiver, request, revisions, wait_for_events};
use crate::vendor_api::open_message;

#[test]
fn calls_beyond_a_limit_are_refused_or_get_no_response() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let path = format!("/{}/bell", api.account.values["house"].as_str().unwrap());
    let door = format!("X-Door: {}", api.secret("door"));
    let porter = BASE64.encode(format!("porter:{}", api.secret("door")));
    let porter = format!("Authorization: Basic {porter}");
    let ring = |credential: &str| {
        request(&api.address, &format!("POST {path} HTTP/1.1\r\n{credential}"), "")
    };
    let started = Instant::now();
    assert_eq!((ring(&door).status, ring(&door).status), (200, 200));
    assert!(started.elapsed() >= Duration::from_millis(200), "each response is delayed");
    let refused = ring(&door);
    assert_eq!(refused.status, 429);
    assert!(refused.head.contains("retry-after: 3600"));
    assert!(refused.body.contains("the limit `bell`: 2 calls in 1h"), "{}", refused.body);
    assert_eq!(ring(&porter).status, 200, "another credential is counted separately");
    // Calls that are refused for another reason are not counted.
    assert_eq!(ring("X-Door: wrong").status, 403);
    assert_eq!(ring(&porter).status, 200);
    assert_eq!(ring(&porter).status, 429);
}

#[test]
fn a_limit_can_depend_on_an_option_and_leave_the_client_without_a_response() {
    let receiver = Receiver::accepting();
    let platform = revisions().into_iter().find(|known| known.full_id() == "parlour").unwrap();
    let mut account = Account::test(&platform);
    account.options.insert("greeting".to_owned(), json!("cold"));
    let api = LiveApi::of(account, &receiver);
    let path = format!("/{}/bell", api.account.values["house"].as_str().unwrap());
    let call = |credential: &str| format!("POST {path} HTTP/1.1\r\n{credential}");
    let porter = BASE64.encode(format!("porter:{}", api.secret("door")));
    let porter = format!("Authorization: Basic {porter}");
    let door = format!("X-Door: {}", api.secret("door"));
    let status = |credential: &String| request(&api.address, &call(credential), "").status;
    assert_eq!([&door, &door, &porter].map(status), [200; 3]);
    let mut stream = TcpStream::connect(&api.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    write!(stream, "{}\r\nHost: x\r\nContent-Length: 0\r\n\r\n", call(&porter)).unwrap();
    let read = stream.read(&mut [0; 1]);
    let is_timeout =
        |error: std::io::Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
    assert!(read.is_err_and(is_timeout), "there is no response");
    let calls = api.calls(4);
    assert_eq!(calls[3].error.as_deref(), Some("throttled.evening"), "{calls:?}");
}

#[test]
fn a_limit_counts_graphql_requests_and_invalid_bodies() {
    let receiver = Receiver::accepting();
    let platform = revisions().into_iter().find(|known| known.full_id() == "parlour").unwrap();
    let mut account = Account::test(&platform);
    account.options.insert("greeting".to_owned(), json!("cold"));
    let api = LiveApi::of(account, &receiver);
    let send = |body: &str| request(&api.address, "POST /hall/of/questions HTTP/1.1", body);
    let query = "{ a: curios { name } b: curios { name } c: curios { name } d: curios { name } }";
    let seen = send(&json!({ "query": query }).to_string());
    // A request has as many fields as it likes.
    let data = seen.json()["data"].clone();
    assert_eq!((seen.status, data.as_object().unwrap().len()), (200, 4), "{}", seen.body);
    assert!(data["d"].is_array(), "{data}");
    assert_ne!(send("{").status, 429, "a body that cannot be read");
    assert_ne!(send(&json!({"query": "{ nothing }"}).to_string()).status, 429);
    let refused = send(&json!({ "query": query }).to_string());
    assert_eq!((refused.status, refused.body.as_str()), (429, "one at a time"));
}

#[test]
fn a_client_that_hangs_up_at_once_does_not_hold_back_what_its_call_causes() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("wotnot", &receiver);
    let token = api.secret("api_token");
    let body = open_message("Hello").to_string();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(&api.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST /api/v1/conversations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
    }
    api.calls(20);
    // The opening and the first message of each.
    wait_for_events(&receiver, 40);
}

#[test]
fn a_route_that_demands_more_of_the_query_comes_first() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let house = api.account.values["house"].as_str().unwrap();
    let get = |query: &str| {
        let head = format!("GET /{house}/salon{query} HTTP/1.1\r\nAuthorization: Nod x");
        request(&api.address, &format!("{head}\r\nX-Door: {}", api.secret("door")), "").body
    };
    assert_eq!(get(""), "the salon");
    assert_eq!(get("?dance=yes"), "a dance");
}

#[test]
fn a_credential_that_is_not_verified_is_reported_although_an_alternative_is_missing() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let house = api.account.values["house"].as_str().unwrap();
    let head = format!("GET /{house}/salon?hint={house} HTTP/1.1\r\nAuthorization: Nod x");
    assert_eq!(request(&api.address, &head, "").status, 200);
    assert_eq!(api.calls(1)[0].auth, CallAuth::NotVerified);
}

#[test]
fn pages_of_this_machine_may_call_an_api_and_pages_of_other_sites_may_not() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@0.23", &receiver);
    let ask = |origin: &str| {
        let head = format!(
            "OPTIONS /graphql HTTP/1.1\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
             Access-Control-Request-Headers: content-type"
        );
        request(&api.address, &head, "")
    };
    let allowed = "access-control-allow-origin: ";
    for page in ["http://localhost:3200", "http://[::1]", "https://shop.localhost:8443"] {
        let seen = ask(page);
        assert_eq!((seen.status, seen.body.as_str()), (204, ""));
        for line in [
            format!("{allowed}{page}"),
            "access-control-allow-credentials: true".to_owned(),
            "access-control-allow-methods: GET,HEAD,PUT,PATCH,POST,DELETE".to_owned(),
            "access-control-allow-headers: content-type".to_owned(),
        ] {
            assert!(seen.head.contains(&line), "{line}: {}", seen.head);
        }
    }
    for page in [
        "https://example.test",
        "http://localhost.example.test",
        "http://127.0.0.1.example.test:80",
        "null",
    ] {
        assert!(!ask(page).head.contains(allowed), "{page}");
    }
    let read = |vendor: &LiveApi, path: &str| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nOrigin: http://127.0.0.1:3200\r\nContent-Type: application/json"
        );
        request(&vendor.address, &head, &json!({"query": "{ __typename }"}).to_string())
    };
    let seen = read(&api, "/graphql");
    assert_eq!((seen.status, seen.head.contains(allowed)), (200, true), "{}", seen.head);
    assert!(api.calls(0).is_empty(), "no question of a browser is a call");

    // Without cookies, and at a vendor that does not say so.
    let parlour = LiveApi::start("parlour", &receiver);
    let seen = read(&parlour, "/hall/of/questions");
    assert!(seen.head.contains(allowed) && !seen.head.contains("allow-credentials"));
    let office = LiveApi::start("office", &receiver);
    assert!(read(&office, "/passes").head.contains("access-control-allow-credentials: true"));
    let liveperson = LiveApi::start("liveperson", &receiver);
    assert!(!read(&liveperson, "/").head.contains("access-control"));
}
