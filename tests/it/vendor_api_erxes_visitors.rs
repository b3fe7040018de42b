//! What the visitors of erxes call: the messenger of a website, and other systems through the incoming
//! webhook.

use serde_json::{Value as Json, json};

use crate::support::{ApiResponse, LiveApi, Receiver, request, wait_for_events};
use crate::vendor_api_erxes::Client;

const CONNECT: &str = "mutation($code: String!, $email: String, $cached: String) {
    widgetsMessengerConnect(brandCode: $code, email: $email, cachedCustomerId: $cached, visitorId: \"v1\") {
        integrationId customerId visitorId brand { code }
    }
}";

const INSERT: &str = "mutation($integration: String!, $customer: String, $visitor: String, $conversation: String, $message: String) {
    widgetsInsertMessage(integrationId: $integration, customerId: $customer, visitorId: $visitor, conversationId: $conversation, message: $message) {
        _id conversationId customerId content
    }
}";

fn types(sent: &[Json]) -> Vec<&str> {
    sent.iter().map(|body| body["type"].as_str().unwrap()).collect()
}

#[test]
fn a_widget_connects_writes_reads_and_leaves_an_address() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@0.23", &receiver);
    let nobody = Client::unknown(&api);
    let code = &api.account.values["brand_code"];
    assert_eq!(nobody.error(CONNECT, &json!({"code": "no"})), "Invalid configuration");
    let anonymous = nobody.field(CONNECT, &json!({"code": code}));
    assert_eq!((&anonymous["customerId"], &anonymous["visitorId"]), (&Json::Null, &json!("v1")));
    let known = json!({"code": code, "email": "ada@example.test"});
    let customer = nobody.field(CONNECT, &known)["customerId"].clone();
    assert_eq!(nobody.field(CONNECT, &known)["customerId"], customer, "the same one again");
    let cached = json!({"code": code, "cached": customer});
    assert_eq!(nobody.field(CONNECT, &cached)["customerId"], customer);

    let integration = anonymous["integrationId"].clone();
    let first = json!({"integration": integration, "customer": customer, "message": "Hello"});
    let message = nobody.field(INSERT, &first);
    assert_eq!(message["customerId"], customer);
    let conversation = message["conversationId"].clone();
    let next = json!({"integration": integration, "customer": customer, "conversation": conversation, "message": "Anybody?"});
    assert_eq!(nobody.field(INSERT, &next)["conversationId"], conversation);
    let sent = wait_for_events(&receiver, 3);
    assert_eq!(types(&sent), ["conversation", "customerMessages", "customerMessages"]);

    let operator = Client::of(&api);
    let reply = "mutation($id: String) { conversationMessageAdd(conversationId: $id, content: \"Yes\") { _id } }";
    operator.field(reply, &json!({"id": conversation}));
    let detail = "query($id: String, $integration: String!) {
        widgetsConversationDetail(_id: $id, integrationId: $integration) { isOnline messages { content } }
    }";
    let read = nobody.field(detail, &json!({"id": conversation, "integration": integration}));
    assert_eq!(read["messages"].as_array().unwrap().len(), 3);
    let list = "query($integration: String!, $customer: String) {
        widgetsConversations(integrationId: $integration, customerId: $customer) { _id }
    }";
    let list = nobody.field(list, &json!({"integration": integration, "customer": customer}));
    assert_eq!(list, json!([{"_id": conversation}]));

    let of_nobody = "query($integration: String!) {
        widgetsConversations(integrationId: $integration, visitorId: \"unknown\") { _id }
    }";
    assert_eq!(nobody.field(of_nobody, &json!({"integration": integration})), json!([]));

    // A message reopens a closed conversation. No webhook tells so.
    let close = "mutation($ids: [String]!) { conversationsChangeStatus(_ids: $ids, status: \"closed\") { status } }";
    operator.field(close, &json!({"ids": [conversation]}));
    nobody.field(INSERT, &next);
    let leave = "mutation($id: String) {
        widgetsSaveCustomerGetNotified(customerId: $id, type: \"email\", value: \"new@example.test\")
    }";
    assert_eq!(nobody.field(leave, &json!({"id": customer})), customer);
    let sent = wait_for_events(&receiver, 7);
    let expected = ["userMessages", "conversation", "customerMessages", "customer"];
    assert_eq!(types(&sent)[3..], expected);
    let data: Json = serde_json::from_str(sent[6]["data"].as_str().unwrap()).unwrap();
    assert_eq!(data["newData"], json!({"email": "new@example.test"}));
    let other = json!({"integration": integration, "visitor": "v2", "message": "Hi"});
    let other = nobody.field(INSERT, &other);
    assert_ne!((&other["conversationId"], &other["customerId"]), (&conversation, &customer));
    let own = "query($integration: String!) {
        widgetsConversations(integrationId: $integration, visitorId: \"v2\") { _id }
    }";
    let own = nobody.field(own, &json!({"integration": integration}));
    assert_eq!(own, json!([{"_id": other["conversationId"]}]));
}

/// What the widgets of the vendor select.
const MESSAGE: &str = "_id conversationId customerId user { _id details { avatar fullName } } content createdAt
    internal fromBot contentType isCustomerRead engageData { content kind sentAs messageId brandId } botData
    messengerAppData attachments { url name size type }";

#[test]
fn a_widget_reads_who_takes_part() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@2", &receiver);
    let (nobody, operator) = (Client::unknown(&api), Client::of(&api));
    let code = &api.account.values["brand_code"];
    let customer = nobody.field(CONNECT, &json!({"code": code, "email": "ada@example.test"}));
    let (customer, integration) = (&customer["customerId"], &customer["integrationId"]);
    let first = json!({"integration": integration, "customer": customer, "message": "Hello"});
    let id = nobody.field(INSERT, &first)["conversationId"].clone();
    let reply = "mutation($id: String) { conversationMessageAdd(conversationId: $id, content: \"Yes\") { user { _id details { fullName } } } }";
    let user = operator.field(reply, &json!({"id": id}))["user"].clone();
    assert!(!user["details"]["fullName"].as_str().unwrap().is_empty());

    let detail = format!(
        "query($id: String, $integration: String!) {{
            widgetsConversationDetail(_id: $id, integrationId: $integration) {{
                _id messages {{ {MESSAGE} }} isOnline operatorStatus persistentMenus supporters {{ _id }}
                participatedUsers {{ _id details {{ fullName shortName }} links isOnline }}
            }}
        }}"
    );
    let detail = nobody.field(&detail, &json!({"id": id, "integration": integration}));
    assert_eq!(
        detail["participatedUsers"].as_array().unwrap().len(),
        1,
        "no visitor is among them"
    );
    assert_eq!(detail["participatedUsers"][0]["_id"], user["_id"]);
    let messages = detail["messages"].as_array().unwrap();
    assert_eq!((&messages[0]["user"], &messages[1]["user"]["_id"]), (&Json::Null, &user["_id"]));
    assert_eq!(messages[1]["attachments"], json!([]));

    let conversation = "query($id: String!) { conversationDetail(_id: $id) {
        customer { _id firstName } integration { _id kind } participatedUserIds participatedUsers { _id }
    } }";
    let conversation = operator.field(conversation, &json!({"id": id}));
    assert_eq!(&conversation["customer"]["_id"], customer);
    assert_eq!(&conversation["integration"]["_id"], integration);
    assert_eq!(conversation["participatedUserIds"], json!([user["_id"]]));

    let supporters = "query($id: String!) { widgetsMessengerSupporters(integrationId: $id) { isOnline supporters { _id } } }";
    let supporters = nobody.field(supporters, &json!({"id": integration}));
    assert_eq!(supporters, json!({"isOnline": true, "supporters": []}));
    let browser = "mutation($info: JSON!) { widgetsSaveBrowserInfo(visitorId: \"v1\", browserInfo: $info) { _id } }";
    assert_eq!(nobody.field(browser, &json!({"info": {"url": "/"}})), Json::Null);
    let found =
        "query($code: String!) { widgetsGetMessengerIntegration(brandCode: $code) { _id } }";
    assert_eq!(&nobody.field(found, &json!({"code": code}))["_id"], integration);
    assert_eq!(nobody.error(found, &json!({"code": "no"})), "Brand not found");
}

#[test]
fn what_the_widgets_of_each_release_read_when_they_connect() {
    let receiver = Receiver::accepting();
    for vendor in ["erxes@0.22", "erxes@0.23", "erxes@0.24", "erxes@1.3", "erxes@2"] {
        let api = LiveApi::start(vendor, &receiver);
        let nobody = Client::unknown(&api);
        let code = &api.account.values["brand_code"];
        let settings = "mutation($code: String!) {
            widgetsMessengerConnect(brandCode: $code, visitorId: \"v1\") { messengerData }
        }";
        let settings = nobody.field(settings, &json!({"code": code}))["messengerData"].clone();
        // Without these, a widget shows nothing, or fails.
        assert_eq!(
            (&settings["showLauncher"], &settings["showChat"]),
            (&json!(true), &json!(true))
        );
        assert_eq!((&settings["websiteApps"], &settings["formCodes"]), (&json!([]), &json!([])));
        assert!(settings["messages"]["greetings"]["title"].is_string(), "{settings}");
        let campaign = "query($browser: JSON!) {
            widgetsGetEngageMessage(visitorId: \"v1\", browserInfo: $browser) { _id content }
        }";
        assert_eq!(nobody.field(campaign, &json!({"browser": {"url": "/"}})), Json::Null);
        if !vendor.starts_with("erxes@0.2") || vendor == "erxes@0.24" {
            let services = nobody.field("{ enabledServices }", &json!({}));
            assert_eq!(services["inbox"], true, "{vendor}");
        }

        // A customer is no visitor. Somebody whom the account does not know is a new customer.
        let known = nobody.field(CONNECT, &json!({"code": code, "email": "ada@example.test"}));
        assert_eq!(known["visitorId"], Json::Null);
        let both =
            json!({"code": code, "email": "ada@example.test", "cached": "of-another-account"});
        assert_eq!(nobody.field(CONNECT, &both)["customerId"], known["customerId"]);
        let cached = json!({"code": code, "cached": "of-another-account"});
        let new = nobody.field(CONNECT, &cached)["customerId"].clone();
        assert!(new.is_string() && new != known["customerId"], "{new}");
        assert_eq!(nobody.field(CONNECT, &json!({"code": code, "cached": new}))["customerId"], new);
    }
}

#[test]
fn another_system_sends_messages_of_its_customers_to_the_incoming_webhook() {
    for (vendor, path) in [("erxes@0.23", "/webhooks"), ("erxes@2", "/pl:inbox/webhooks")] {
        let receiver = Receiver::accepting();
        let api = LiveApi::start(vendor, &receiver);
        let id = api.account.values["webhook_id"].as_str().unwrap();
        let token = api.secret("webhook_token");
        let post = |id: &str, headers: &str, body: &str| -> ApiResponse {
            let head = format!("POST {path}/{id} HTTP/1.1\r\n{headers}");
            request(&api.address, &head, body)
        };
        let from_ada = |text: &str| {
            json!({"content": text, "customerPrimaryEmail": "ada@example.test", "customerFirstName": "Ada"}).to_string()
        };
        // The token may be in any header.
        let as_json = format!("Content-Type: application/json\r\nX-Anything: {token}");
        let first = post(id, &as_json, &from_ada("Hello"));
        assert_eq!((first.status, first.body.as_str()), (200, "ok"), "{first:?}");
        let as_form =
            format!("Content-Type: application/x-www-form-urlencoded\r\nErxes-Token: {token}");
        post(id, &as_form, "content=Anybody%3F&customerPrimaryEmail=ada%40example.test");
        let sent = wait_for_events(&receiver, 3);
        let types: Vec<&str> =
            types(&sent).into_iter().map(|kind| kind.rsplit(':').next().unwrap()).collect();
        assert_eq!(
            types,
            ["conversation", "customerMessages", "customerMessages"],
            "one conversation"
        );
        post(id, &as_json, &json!({"content": "Hi", "customerCode": "c7"}).to_string());
        wait_for_events(&receiver, 5);
        for (id, headers) in [
            (id, "Content-Type: application/json\r\nX-Token: made-up"),
            (id, "Content-Type: application/json"),
            ("none", as_json.as_str()),
        ] {
            let refused = post(id, headers, &from_ada("Hello"));
            assert_eq!(
                (refused.status, refused.body.as_str()),
                (500, "Invalid request"),
                "{refused:?}"
            );
        }
        let text = format!("{:?}", api.calls(6));
        assert!(!text.contains(token), "{text}");
    }
}
