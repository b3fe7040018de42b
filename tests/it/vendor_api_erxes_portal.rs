//! The client portal of erxes, and what clients say about customers.

use serde_json::{Value as Json, json};

use crate::support::{ApiResponse, LiveApi, Receiver, request, wait_for_events};
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

/// A response to a call with a header.
fn call(api: &LiveApi, header: &str, query: &str, variables: &Json) -> ApiResponse {
    let head = format!("POST /graphql HTTP/1.1\r\nContent-Type: application/json\r\n{header}");
    request(&api.address, &head, &json!({"query": query, "variables": variables}).to_string())
}

/// Registers a user of the portal, and verifies the e-mail address with the code that the vendor sends.
fn register(api: &LiveApi, password: &str) -> Json {
    let nobody = Client::unknown(api);
    let portal = &api.account.values["portal_id"];
    let register = "mutation clientPortalRegister($id: String, $email: String, $password: String) {
        clientPortalRegister(clientPortalId: $id, email: $email, firstName: \"Ada\", password: $password)
    }";
    let variables = json!({"id": portal, "email": "Ada@example.test", "password": password});
    let user = nobody.field(register, &variables);
    assert_eq!(nobody.error(register, &variables), "user is already exists");
    let other = json!({"id": "none", "email": "x@example.test", "password": password});
    assert_eq!(nobody.error(register, &other), "Config not found");
    let without = json!({"id": portal, "email": "x@example.test"});
    assert_eq!(nobody.error(register, &without), "Password is required");
    let weak = json!({"id": portal, "email": "x@example.test", "password": "lovelace"});
    assert!(nobody.error(register, &weak).starts_with("Must contain at least one number"));

    let variables = json!({"id": portal, "login": "ada@example.test", "password": password});
    assert_eq!(nobody.error(LOG_IN, &variables), "User is not verified");
    let verify = "mutation($user: String!, $code: String) { clientPortalVerifyOTP(userId: $user, emailOtp: $code) }";
    let wrong = json!({"user": user, "code": "none"});
    assert_eq!(nobody.error(verify, &wrong), "Wrong code or code has expired");
    let right = json!({"user": user, "code": api.account.values["portal_code"]});
    assert_eq!(nobody.field(verify, &right), "verified");
    user
}

const LOG_IN: &str = "mutation($id: String!, $login: String!, $password: String!) {
    clientPortalLogin(clientPortalId: $id, login: $login, password: $password)
}";

#[test]
fn the_users_of_an_early_portal_have_a_cookie_and_no_cards() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@0.24", &receiver);
    let (nobody, client) = (Client::unknown(&api), Client::of(&api));
    let password = "Lovelace-1815";
    let user = register(&api, password);
    let log_in = |password: &str| {
        let variables = json!({"id": api.account.values["portal_id"], "login": "ada@example.test", "password": password});
        call(&api, "X: y", LOG_IN, &variables)
    };
    let response = log_in(password);
    assert_eq!(response.json()["data"]["clientPortalLogin"], "loggedin");
    let cookie = response.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    let me = "{ clientPortalCurrentUser { _id email clientPortal { name } } }";
    let found = call(&api, &cookie, me, &json!({})).json();
    assert_eq!(found["data"]["clientPortalCurrentUser"]["_id"], user, "{found}");
    assert_eq!(nobody.field(me, &json!({})), Json::Null);

    let change = "mutation($old: String!, $new: String!) {
        clientPortalUserChangePassword(currentPassword: $old, newPassword: $new) { _id }
    }";
    let refused = call(&api, &cookie, change, &json!({"old": "x", "new": "Analytical-1"})).json();
    assert_eq!(refused["errors"][0]["message"], "Incorrect current password");
    let changed = json!({"old": password, "new": "Analytical-1"});
    assert_eq!(call(&api, &cookie, change, &changed).json()["errors"], Json::Null);
    assert_eq!(log_in(password).json()["errors"][0]["message"], "Invalid login");
    assert_eq!(log_in("Analytical-1").json()["data"]["clientPortalLogin"], "loggedin");

    // As in 0.23, a card needs the e-mail address of a customer, and no session.
    let card = "mutation($stage: String!) {
        clientPortalCreateCard(type: \"ticket\", stageId: $stage, subject: \"A moth\", email: \"ada@example.test\") { name }
    }";
    let stages = nobody.field("{ clientPortalGetTaskStages { _id } }", &json!({}));
    let created = nobody.field(card, &json!({"stage": stages[0]["_id"]}));
    assert_eq!(created, json!({"name": "A moth"}));
    let own = "{ clientPortalTickets(email: \"ada@example.test\") { name } }";
    assert_eq!(nobody.field(own, &json!({})), json!([{"name": "A moth"}]));

    let edit = "mutation($id: String!) { clientPortalUsersEdit(_id: $id, lastName: \"Byrd\") { firstName lastName } }";
    let edited = client.field(edit, &json!({"id": user}));
    assert_eq!(edited, json!({"firstName": "Ada", "lastName": "Byrd"}));
    let list = "{ clientPortalUsersMain(searchValue: \"byrd\") { list { _id } totalCount } }";
    assert_eq!(client.field(list, &json!({})), json!({"list": [{"_id": user}], "totalCount": 1}));
    let remove = "mutation($ids: [String!]) { clientPortalUsersRemove(clientPortalUserIds: $ids) }";
    client.field(remove, &json!({"ids": [user]}));
    assert_eq!(client.field("{ clientPortalUserCounts }", &json!({})), 0);
}

/// Revisions with the arguments that configure a portal, and the response to a call without a session.
const CONFIGURATIONS: [(&str, &str, &str); 2] = [
    ("1.3", "_id: $id, tokenPassMethod: header", ""),
    (
        "2",
        "config: {_id: $id, name: \"Portal\", kind: client, tokenPassMethod: header}",
        "User is not logged in",
    ),
];

#[test]
fn the_users_of_a_portal_register_log_in_and_create_cards() {
    for (revision, config, refused) in CONFIGURATIONS {
        let receiver = Receiver::accepting();
        let api = LiveApi::start(&format!("erxes@{revision}"), &receiver);
        let (nobody, client) = (Client::unknown(&api), Client::of(&api));
        let portal = &api.account.values["portal_id"];
        let password = "Lovelace-1815";
        let user = register(&api, password);
        let variables =
            json!({"id": portal, "login": "ada@example.test", "password": "wrong-and-long"});
        assert_eq!(nobody.error(LOG_IN, &variables), "Invalid login");
        let variables = json!({"id": portal, "login": "ada@example.test", "password": password});
        let by_cookie = nobody.field(LOG_IN, &variables);
        assert_eq!(by_cookie.get("token"), None, "{by_cookie}");
        let update = format!(
            "mutation($id: String) {{ clientPortalConfigUpdate({config}) {{ tokenPassMethod }} }}"
        );
        assert_eq!(client.field(&update, &json!({"id": portal}))["tokenPassMethod"], "header");
        let token = nobody.field(LOG_IN, &variables)["token"].as_str().unwrap().to_owned();

        let me = "{ clientPortalCurrentUser { _id email fullName erxesCustomerId } }";
        for header in
            [format!("Authorization: Bearer {token}"), format!("Cookie: client-auth-token={token}")]
        {
            let body = call(&api, &header, me, &json!({})).json();
            let found = &body["data"]["clientPortalCurrentUser"];
            assert_eq!(
                (&found["_id"], &found["email"]),
                (&user, &json!("ada@example.test")),
                "{body}"
            );
        }
        for header in ["X: y".to_owned(), format!("Authorization: Bearer {token}x")] {
            let body = call(&api, &header, me, &json!({})).json();
            let message = &body["errors"][0]["message"];
            assert_eq!(message.as_str().unwrap_or_default(), refused, "{body}");
        }
        let bearer = format!("Authorization: Bearer {token}");
        let stages = nobody.field("{ clientPortalGetTaskStages { _id name } }", &json!({}));
        let card = "mutation($stage: String!) { clientPortalCreateCard(type: \"ticket\", stageId: $stage, subject: \"A moth\") }";
        let created = call(&api, &bearer, card, &json!({"stage": stages[0]["_id"]})).json();
        let created = &created["data"]["clientPortalCreateCard"];
        assert_eq!((&created["name"], &created["userId"]), (&json!("A moth"), &user), "{created}");
        let own = call(
            &api,
            &bearer,
            "{ clientPortalTickets { name } clientPortalDeals { name } }",
            &json!({}),
        )
        .json();
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
        let text = format!("{:?}", api.calls(22));
        assert!(
            !text.contains(password) && !text.contains(&token) && !text.contains("wrong-and-long"),
            "{text}"
        );
    }
}
