//! What clients of erxes filter, merge and submit.

use serde_json::{Value as Json, json};

use crate::support::{LiveApi, Receiver, wait_for_events};
use crate::vendor_api_erxes::Client;

#[test]
fn conversations_are_filtered_as_the_inbox_does() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@0.23", &receiver);
    let (nobody, client) = (Client::unknown(&api), Client::of(&api));
    let integration = &api.account.values["integration_id"];
    let write = "mutation($integration: String!, $visitor: String) {
        widgetsInsertMessage(integrationId: $integration, visitorId: $visitor, message: \"Hello\") { conversationId }
    }";
    let open = |visitor: &str| {
        let variables = json!({"integration": integration, "visitor": visitor});
        nobody.field(write, &variables)["conversationId"].clone()
    };
    let (first, second) = (open("v1"), open("v2"));
    let reply = "mutation($id: String) { conversationMessageAdd(conversationId: $id, content: \"Hi\") { _id } }";
    client.field(reply, &json!({"id": first}));
    let me = client.field("{ currentUser { _id } }", &json!({}))["_id"].clone();
    let assign = "mutation($ids: [String]!, $user: String) { conversationsAssign(conversationIds: $ids, assignedUserId: $user) { _id } }";
    client.field(assign, &json!({"ids": [first], "user": me}));

    let list = |filter: &str| {
        let all = client.field(&format!("{{ conversations({filter}) {{ _id }} }}"), &json!({}));
        let total = client.field(&format!("{{ conversationsTotalCount({filter}) }}"), &json!({}));
        let ids = all.as_array().unwrap().iter().map(|found| found["_id"].clone());
        let ids = Json::Array(ids.collect());
        assert_eq!(total, ids.as_array().unwrap().len(), "{filter}");
        ids
    };
    assert_eq!(list("limit: 20"), json!([second, first]));
    assert_eq!(list("unassigned: \"true\""), json!([second]));
    assert_eq!(list("participating: \"true\""), json!([first]));
    assert_eq!(list("awaitingResponse: \"true\""), json!([second]));
    assert_eq!(list("integrationType: \"messenger\"").as_array().unwrap().len(), 2);
    for filter in ["integrationType: \"facebook\"", "tag: \"x\"", "starred: \"true\""] {
        assert_eq!(list(filter), json!([]), "{filter}");
    }
    let counts =
        |filter: &str| client.field(&format!("{{ conversationCounts({filter}) }}"), &json!({}));
    let counted = counts("only: \"byIntegrationTypes\"");
    let types = &counted["byIntegrationTypes"];
    assert_eq!((&types["messenger"], &types["lead"]), (&json!(2), &json!(0)));
    let expected = [("unassigned", 1), ("participating", 1), ("starred", 0), ("resolved", 0)];
    for (name, count) in expected.into_iter().chain([("awaitingResponse", 1)]) {
        assert_eq!(counted[name], count, "{name}");
    }
    let own = counts("participating: \"true\"");
    let expected = json!({"unassigned": 0, "participating": 1, "starred": 0, "resolved": 0, "awaitingResponse": 0});
    assert_eq!(own, expected);
    assert_eq!(counts("tag: \"x\"")["participating"], 0);
    assert_eq!(
        client.error("{ conversationCounts(channelId: \"x\") }", &json!({})),
        "Channel not found"
    );
    let last = "{ conversationsGetLast(participating: \"true\") { _id } }";
    assert_eq!(client.field(last, &json!({}))["_id"], first);
    // Both dates, or none.
    for (dates, count) in [
        ("startDate: \"2026-01-05\", endDate: \"2026-01-06\"", 2),
        ("startDate: \"2026-01-06\", endDate: \"2026-01-07\"", 0),
        ("startDate: \"2026-01-06\"", 2),
    ] {
        assert_eq!(list(dates).as_array().unwrap().len(), count, "{dates}");
    }
    let resolve = |filter: &str| {
        client.field(&format!("mutation {{ conversationResolveAll({filter}) }}"), &json!({}))
    };
    assert_eq!(resolve("startDate: \"2026-01-06\", endDate: \"2026-01-07\""), 0);
    assert_eq!(resolve("tag: \"x\""), 0);
    assert_eq!(list("limit: 9").as_array().unwrap().len(), 2);
    list("segment: \"x\", limit: 5"); // segments are not emulated, which the record says
    api.call_where(|call| call.path == "/graphql" && call.ignored == ["segment"]);
    assert_eq!(resolve("unassigned: \"true\""), 1);
    assert_eq!(counts("limit: 1")["resolved"], 1);
    let channel = "{ conversations(channelId: \"x\") { _id } }";
    assert_eq!(client.error(channel, &json!({})), "Channel not found");
}

#[test]
fn a_form_that_a_visitor_submits_is_sent_as_webhooks() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@0.23", &receiver);
    let nobody = Client::unknown(&api);
    let connect = "mutation($brand: String!, $form: String!) {
        widgetsLeadConnect(brandCode: $brand, formCode: $form) { form { _id title } integration { _id kind } }
    }";
    let form = &api.account.values["form_id"];
    let code: String = form.as_str().unwrap().chars().take(6).collect();
    let variables = json!({"brand": api.account.values["brand_code"], "form": code});
    let found = nobody.field(connect, &variables);
    assert_eq!((&found["form"]["_id"], &found["integration"]["kind"]), (form, &json!("lead")));
    let other = json!({"brand": api.account.values["brand_code"], "form": "none"});
    assert_eq!(nobody.error(connect, &other), "Invalid configuration");

    let save = "mutation($integration: String!, $form: String!, $submissions: [FieldValueInput], $browser: JSON!, $customer: String) {
        widgetsSaveLead(integrationId: $integration, formId: $form, submissions: $submissions, browserInfo: $browser, cachedCustomerId: $customer) {
            status messageId customerId errors { text }
        }
    }";
    let submissions = json!([{"_id": "f1", "type": "email", "text": "Mail", "value": "ada@example.test"}, {"_id": "f2", "text": "Tea"}]);
    let mut variables = json!({"integration": found["integration"]["_id"], "form": form, "submissions": submissions, "browser": {}});
    let saved = nobody.field(save, &variables);
    assert_eq!(saved["status"], "ok");
    // Conversations have no order among each other.
    wait_for_events(&receiver, 2);
    variables["customer"] = saved["customerId"].clone();
    assert_eq!(nobody.field(save, &variables)["customerId"], saved["customerId"]);
    variables["form"] = json!("none");
    assert_eq!(nobody.error(save, &variables), "Form not found");

    let sent = wait_for_events(&receiver, 4);
    let types: Vec<&str> = sent.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["conversation", "popupSubmitted", "conversation", "popupSubmitted"]);
    let data: Json = serde_json::from_str(sent[1]["data"].as_str().unwrap()).unwrap();
    assert_eq!(data["cachedCustomerId"], saved["customerId"]);
    let values: Vec<&Json> =
        data["submissions"].as_array().unwrap().iter().map(|field| &field["value"]).collect();
    assert_eq!(values, [&json!("ada@example.test"), &json!("")]);
}

#[test]
fn clients_look_up_the_brand_and_its_integrations() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@0.23", &receiver);
    let client = Client::of(&api);
    let brand = &api.account.values["brand_id"];
    let integrations = "query($kind: String, $page: Int) {
        integrations(kind: $kind, page: $page, perPage: 20) { _id kind brand { _id } channels { _id } tags { _id } }
    }";
    let kinds = |kind: Json| {
        let found = client.field(integrations, &json!({"kind": kind, "page": 1}));
        let kinds = found.as_array().unwrap().iter().map(|one| {
            assert_eq!(one["brand"]["_id"], *brand, "{one}");
            one["kind"].as_str().unwrap().to_owned()
        });
        kinds.collect::<Vec<_>>()
    };
    assert_eq!(kinds(Json::Null), ["webhook", "messenger"]);
    assert_eq!(kinds(json!("messenger")), ["messenger"]);
    let detail = "query($id: String!) { integrationDetail(_id: $id) { kind } }";
    let messenger = json!({"id": api.account.values["integration_id"]});
    assert_eq!(client.field(detail, &messenger), json!({"kind": "messenger"}));
    assert_eq!(client.field(detail, &json!({"id": "none"})), Json::Null);
    let rest = "query($id: String!) { brands { _id } brandDetail(_id: $id) { code } tags { _id } channels { _id } forms { title } }";
    let found = client.send(rest, &json!({"id": "none"}));
    let expected = json!({"brands": [{"_id": brand}], "brandDetail": null, "tags": [], "channels": [], "forms": [{"title": "Contact"}]});
    assert_eq!(found, json!({"data": expected}));

    let add = "mutation { customersAdd(primaryEmail: \"ada@example.test\") { _id } }";
    let id = client.field(add, &json!({}))["_id"].clone();
    let verify = "mutation($ids: [String]) {
        customersChangeVerificationStatus(customerIds: $ids, type: \"email\", status: \"valid\") { emailValidationStatus }
    }";
    let verified = client.field(verify, &json!({"ids": [id]}));
    assert_eq!(verified, json!([{"emailValidationStatus": "valid"}]));
}
