//! The API of a vendor of bots beside conversations: contacts of campaigns.

use serde_json::json;

use crate::support::{LiveApi, Receiver, request, wait_for_events};

#[test]
fn contacts_of_a_campaign_are_known_in_later_conversations() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("wotnot", &receiver);
    let key = api.account.values["key"].as_str().unwrap();
    let path = format!("/api/v1/outbound/{key}/campaign/c1");
    let contacts = json!([{"phone": "12025550123", "name": "Ada Hill", "order": "1017"}]);
    assert_eq!(api.post("api_token", &path, &contacts).json(), json!({"ok": true}));
    let other = api.post("api_token", "/api/v1/outbound/another/campaign/c1", &contacts);
    assert_eq!((other.status, &other.json()["error"]), (404, &json!("ACCOUNT_DETAILS_NOT_FOUND")));
    let nobody = request(&api.address, &format!("POST {path} HTTP/1.1"), &contacts.to_string());
    assert_eq!(nobody.status, 401);
    let nameless = api.post("api_token", &path, &json!([{"name": "Ada Hill"}]));
    assert_eq!((nameless.status, &nameless.json()["error"]), (400, &json!("BAD_REQUEST")));

    let open = json!({
        "channel": "WhatsApp",
        "to": {"phone": "12025550123"},
        "message": {"text": "Your class begins at nine"},
        "assignee": "grace@example.test",
    });
    let opened = api.post("api_token", "/api/v1/conversations", &open).json();
    assert_eq!(opened["contact"]["name"], "Ada Hill", "{opened}");
    let sent = wait_for_events(&receiver, 1);
    assert!(sent[0].to_string().contains("Ada Hill"), "{}", sent[0]);
}
