//! The client portal of erxes, and what clients say about customers.

use serde_json::{Value as Json, json};

use crate::support::{LiveApi, Receiver, request, wait_for_events};
use crate::vendor_api_erxes::Client;

/// Adds a customer that is sent as a webhook, so that a test sees what has been sent before.
fn add_customer(client: &Client<'_>, email: &str) -> Json {
    let add = "mutation($email: String) { customersAdd(primaryEmail: $email) { _id } }";
    client.field(add, &json!({"email": email}))["_id"].clone()
}

#[test]
fn a_portal_creates_customers_companies_and_cards_without_webhooks() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@0.23", &receiver);
    let (nobody, client) = (Client::unknown(&api), Client::of(&api));
    let portal = nobody.field(
        "{ clientPortalGetLast { _id name ticketStageId taskPublicPipelineId } }",
        &json!({}),
    );
    assert_eq!(portal["_id"], api.account.values["portal_id"]);
    // The public client passes a variable that its query does not declare.
    let create = "mutation createCustomer($configId: String!, $firstName: String!, $lastName: String, $email: String!) {
        clientPortalCreateCustomer(configId: $configId, firstName: $firstName, lastName: $lastName, email: $email) { _id }
    }";
    let variables = json!({"configId": portal["_id"], "firstName": "Ada", "lastName": "Byrd", "email": "ada@example.test", "code": "7"});
    let customer = nobody.field(create, &variables);
    assert_eq!(nobody.error(create, &variables), "Duplicated email");
    let mut other = variables.clone();
    other["configId"] = json!("none");
    assert_eq!(nobody.error(create, &other), "Config not found");
    let company = "mutation($configId: String!, $companyName: String!, $email: String!) {
        clientPortalCreateCompany(configId: $configId, companyName: $companyName, email: $email) { _id }
    }";
    let variables = json!({"configId": portal["_id"], "companyName": "Tea & Sons", "email": "tea@example.test"});
    nobody.field(company, &variables);
    assert_eq!(nobody.error(company, &variables), "Duplicated name");
    let card = "mutation($type: String!, $stage: String!, $email: String!) {
        clientPortalCreateCard(type: $type, stageId: $stage, subject: \"A moth\", email: $email, priority: \"High\") { _id name userId priority }
    }";
    let variables =
        json!({"type": "ticket", "stage": portal["ticketStageId"], "email": "ada@example.test"});
    let ticket = nobody.field(card, &variables);
    assert_eq!((&ticket["userId"], &ticket["priority"]), (&customer["_id"], &json!("High")));
    let mut unknown = variables.clone();
    unknown["email"] = json!("nobody@example.test");
    assert_eq!(nobody.error(card, &unknown), "Customer not registered");
    let tickets = "query($email: String!) { clientPortalTickets(email: $email) { _id name } }";
    let own = nobody.field(tickets, &json!({"email": "ada@example.test"}));
    assert_eq!(own, json!([{"_id": ticket["_id"], "name": "A moth"}]));
    assert_eq!(nobody.field(tickets, &json!({"email": "x@example.test"})), json!([]));

    let group = client.field(
        "mutation { fieldsGroupsAdd(name: \"coffee\", contentType: \"customer\") { _id } }",
        &json!({}),
    );
    let add = "mutation($id: String) { fieldsAdd(contentType: \"customer\", groupId: $id, text: \"Sugar\", type: \"input\") { _id } }";
    client.field(add, &json!({"id": group["_id"]}));
    let fields = "query clientPortalFieldsGroup($contentType: String, $name: String!) {
        clientPortalFieldsGroup(contentType: $contentType, name: $name) { _id fields { text type } }
    }";
    let found = nobody.field(fields, &json!({"name": "coffee", "type": "customer"}));
    assert_eq!(found["fields"], json!([{"text": "Sugar", "type": "input"}]));
    assert_eq!(nobody.field(fields, &json!({"name": "tea"})), Json::Null);

    let update = "mutation($id: String, $name: String) { clientPortalConfigUpdate(_id: $id, name: $name) { _id name } }";
    assert_eq!(nobody.error(update, &json!({"name": "Second"})), "Login required");
    let second = client.field(update, &json!({"name": "Second"}));
    let renamed = client.field(update, &json!({"id": second["_id"], "name": "2nd"}));
    assert_eq!(renamed, json!({"_id": second["_id"], "name": "2nd"}));
    assert_eq!(nobody.field("{ clientPortalConfigsTotalCount }", &json!({})), 2);
    client.field(
        "mutation($id: String!) { clientPortalRemove(_id: $id) }",
        &json!({"id": second["_id"]}),
    );
    assert_eq!(
        nobody.field("{ clientPortalGetConfigs { name } }", &json!({})).as_array().unwrap().len(),
        1
    );

    // What the portal has created is there, but no webhook was sent for it.
    let known = "query($text: String) { customersMain(searchValue: $text) { list { _id firstName emails } totalCount } }";
    let known = client.field(known, &json!({"text": "byrd"}));
    let expected =
        json!([{"_id": customer["_id"], "firstName": "Ada", "emails": ["ada@example.test"]}]);
    assert_eq!(known, json!({"list": expected, "totalCount": 1}));
    let change =
        "mutation($id: String!) { customersChangeState(_id: $id, value: \"lead\") { state } }";
    assert_eq!(client.field(change, &json!({"id": customer["_id"]})), json!({"state": "lead"}));
    add_customer(&client, "grace@example.test");
    let sent = wait_for_events(&receiver, 1);
    assert!(sent[0]["data"].as_str().unwrap().contains("grace@example.test"), "{sent:?}");
    assert_eq!(receiver.events().len(), 1);
}

/// Revisions with the arguments that configure a portal.
const CONFIGURATIONS: [(&str, &str); 3] = [
    ("0.24", "_id: $id, tokenPassMethod: \"header\""),
    ("1.3", "_id: $id, tokenPassMethod: \"header\""),
    ("2", "config: {_id: $id, tokenPassMethod: \"header\"}"),
];

#[test]
fn the_users_of_a_portal_register_log_in_and_create_cards() {
    for (revision, config) in CONFIGURATIONS {
        let receiver = Receiver::accepting();
        let api = LiveApi::start(&format!("erxes@{revision}"), &receiver);
        let (nobody, client) = (Client::unknown(&api), Client::of(&api));
        let portal = &api.account.values["portal_id"];
        let register = "mutation clientPortalRegister($id: String, $email: String, $password: String) {
            clientPortalRegister(clientPortalId: $id, email: $email, firstName: \"Ada\", password: $password)
        }";
        let password = "Lovelace-1815";
        let variables = json!({"id": portal, "email": "Ada@example.test", "password": password});
        let user = nobody.field(register, &variables);
        assert_eq!(nobody.error(register, &variables), "user is already exists");
        let other = json!({"id": "none", "email": "x@example.test", "password": password});
        assert_eq!(nobody.error(register, &other), "Config not found");
        let without = json!({"id": portal, "email": "x@example.test"});
        assert_eq!(nobody.error(register, &without), "Password is required");

        let login = "mutation($id: String!, $login: String!, $password: String!) {
            clientPortalLogin(clientPortalId: $id, login: $login, password: $password)
        }";
        let variables =
            json!({"id": portal, "login": "ada@example.test", "password": "wrong-and-long"});
        assert_eq!(nobody.error(login, &variables), "Invalid login");
        let variables = json!({"id": portal, "login": "ada@example.test", "password": password});
        let by_cookie = nobody.field(login, &variables);
        assert_eq!(by_cookie.get("token"), None, "{by_cookie}");
        let update = format!(
            "mutation($id: String) {{ clientPortalConfigUpdate({config}) {{ tokenPassMethod }} }}"
        );
        assert_eq!(client.field(&update, &json!({"id": portal}))["tokenPassMethod"], "header");
        let token = nobody.field(login, &variables)["token"].as_str().unwrap().to_owned();

        let send = |header: &str, query: &str, variables: Json| {
            let head =
                format!("POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\n{header}");
            request(
                &api.address,
                &head,
                &json!({"query": query, "variables": variables}).to_string(),
            )
            .json()
        };
        let me = "{ clientPortalCurrentUser { _id email fullName erxesCustomerId } }";
        for header in
            [format!("Authorization: Bearer {token}"), format!("Cookie: client-auth-token={token}")]
        {
            let body = send(&header, me, json!({}));
            let found = &body["data"]["clientPortalCurrentUser"];
            assert_eq!(
                (&found["_id"], &found["email"]),
                (&user, &json!("ada@example.test")),
                "{body}"
            );
        }
        for header in ["X: y".to_owned(), format!("Authorization: Bearer {token}x")] {
            let body = send(&header, me, json!({}));
            assert_eq!(body["errors"][0]["message"], "You are not logged in", "{body}");
        }
        let bearer = format!("Authorization: Bearer {token}");
        let stages = nobody.field("{ clientPortalGetTaskStages { _id name } }", &json!({}));
        let card = "mutation($stage: String!) { clientPortalCreateCard(type: \"ticket\", stageId: $stage, subject: \"A moth\") }";
        let created = send(&bearer, card, json!({"stage": stages[0]["_id"]}));
        let created = &created["data"]["clientPortalCreateCard"];
        assert_eq!((&created["name"], &created["userId"]), (&json!("A moth"), &user), "{created}");
        let own =
            send(&bearer, "{ clientPortalTickets { name } clientPortalDeals { name } }", json!({}));
        assert_eq!(
            own["data"],
            json!({"clientPortalTickets": [{"name": "A moth"}], "clientPortalDeals": []})
        );

        // The customer exists, and no webhook was sent.
        let known =
            client.field("{ customers(searchValue: \"ADA@\") { primaryEmail state } }", &json!({}));
        assert_eq!(known, json!([{"primaryEmail": "ada@example.test", "state": "lead"}]));
        add_customer(&client, "grace@example.test");
        wait_for_events(&receiver, 1);
        assert_eq!(receiver.events().len(), 1);
        let text = format!("{:?}", api.calls(18));
        assert!(
            !text.contains(password) && !text.contains(&token) && !text.contains("wrong-and-long"),
            "{text}"
        );
    }
}
