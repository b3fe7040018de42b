//! What the widgets and other public programs of erxes need, found by running them.

use serde_json::{Value as Json, json};

use crate::support::{LiveApi, Receiver, wait_for_events};
use crate::vendor_api_erxes::Client;

#[test]
fn the_form_of_a_website_has_fields_rules_and_settings() {
    let receiver = Receiver::accepting();
    for vendor in ["erxes@0.23", "erxes@1.3", "erxes@2"] {
        let api = LiveApi::start(vendor, &receiver);
        let nobody = Client::unknown(&api);
        let values = &api.account.values;
        let form = &values["form_id"];
        let code: String = form.as_str().unwrap().chars().take(6).collect();
        let connect = json!({"brand": values["brand_code"], "form": code});
        let settings = if vendor == "erxes@2" {
            "form { languageCode leadData }"
        } else {
            "integration { leadData languageCode }"
        };
        let connected = nobody.field(
            &format!(
                "mutation($brand: String!, $form: String!) {{
                    widgetsLeadConnect(brandCode: $brand, formCode: $form) {{ {settings} }}
                }}"
            ),
            &connect,
        );
        let settings = connected.as_object().unwrap().values().next().unwrap();
        assert_eq!(settings["leadData"]["rules"], json!([]), "{vendor}: a widget iterates over it");
        let detail =
            "query($id: String!) { formDetail(_id: $id) { title fields { _id type text } } }";
        let fields = nobody.field(detail, &json!({"id": form}))["fields"].clone();
        let texts: Vec<&Json> =
            fields.as_array().unwrap().iter().map(|field| &field["text"]).collect();
        assert_eq!(texts, ["First name", "Mail"]);

        // The form of 2.x belongs to no integration.
        let (declared, passed) = match vendor {
            "erxes@2" => ("", ""),
            _ => ("$integration: String!, ", "integrationId: $integration, "),
        };
        let save = format!(
            "mutation({declared}$form: String!, $submissions: [FieldValueInput]) {{
                widgetsSaveLead({passed}formId: $form, submissions: $submissions, browserInfo: {{}}) {{ status customerId }}
            }}"
        );
        let submissions = json!([{"_id": fields[1]["_id"], "type": "email", "text": "Mail", "value": "ada@example.test"}]);
        let variables = json!({"integration": values["integration_id"], "form": form, "submissions": submissions});
        assert_eq!(nobody.field(&save, &variables)["status"], "ok");
    }
}

#[test]
fn visitors_read_the_knowledge_base_without_an_account() {
    let receiver = Receiver::accepting();
    for (vendor, drafts) in [("erxes@0.23", 0), ("erxes@1.3", 0), ("erxes@2", 1)] {
        let api = LiveApi::start(vendor, &receiver);
        let (nobody, operator) = (Client::unknown(&api), Client::of(&api));
        let add = |what: &str, doc: Json| {
            let kind = if what == "Categories" { "Category" } else { what.trim_end_matches('s') };
            let query = format!(
                "mutation($doc: KnowledgeBase{kind}Doc!) {{ knowledgeBase{what}Add(doc: $doc) {{ _id }} }}"
            );
            operator.field(&query, &json!({ "doc": doc }))["_id"].clone()
        };
        let brand = &api.account.values["brand_id"];
        let topic = add("Topics", json!({"title": "Help", "brandId": brand}));
        let category = |title: &str, parent: &Json| {
            add(
                "Categories",
                json!({"title": title, "icon": "book", "topicIds": [topic], "topicId": topic, "parentCategoryId": parent}),
            )
        };
        let returns = category("Returns", &Json::Null);
        category("Pots", &returns);
        for (title, status) in [("A", "publish"), ("B", "draft"), ("C", "publish")] {
            add(
                "Articles",
                json!({"title": title, "content": "x", "status": status, "categoryIds": [returns], "categoryId": returns}),
            );
        }
        let read = "query($id: String!) { knowledgeBaseTopicDetail(_id: $id) {
            brand { _id } categories { title } parentCategories { title numOfArticles }
        } }";
        let found = nobody.field(read, &json!({ "id": topic }));
        assert_eq!(&found["brand"]["_id"], brand);
        assert_eq!(found["categories"].as_array().unwrap().len(), 2);
        assert_eq!(
            found["parentCategories"],
            json!([{"title": "Returns", "numOfArticles": 2 + drafts}]),
            "{vendor}"
        );
        let read = "query($id: String!) { knowledgeBaseCategoryDetail(_id: $id) {
            articles { title } authors { details { fullName } }
        } }";
        let found = nobody.field(read, &json!({ "id": returns }));
        let titles: Vec<&Json> =
            found["articles"].as_array().unwrap().iter().map(|article| &article["title"]).collect();
        let expected: &[&str] = match vendor {
            "erxes@0.23" => &["A", "C"],
            "erxes@1.3" => &["C", "A"],
            _ => &["C", "B", "A"],
        };
        assert_eq!(titles, expected, "{vendor}");
        assert!(found["authors"][0]["details"]["fullName"].is_string(), "{found}");
        // The widget searches the published articles of its topic.
        let search = "query($id: String!) {
            widgetsKnowledgeBaseArticles(topicId: $id, searchString: \"x\") { title topicId }
        }";
        let own = nobody.field(search, &json!({ "id": topic }));
        assert_eq!(own.as_array().unwrap().len(), 2, "{own}");
        assert_eq!(own[0]["topicId"], topic);
        let other = add("Topics", json!({"title": "Shop", "brandId": brand}));
        assert_eq!(nobody.field(search, &json!({ "id": other })), json!([]));
    }
}

#[test]
fn the_location_of_a_customer_is_that_of_their_browser() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@0.23", &receiver);
    let (nobody, operator) = (Client::unknown(&api), Client::of(&api));
    let add = "mutation { customersAdd(firstName: \"Ada\") { _id } }";
    let ada = operator.field(add, &json!({}))["_id"].clone();
    let save = "mutation($customer: String, $browser: JSON!) {
        widgetsSaveBrowserInfo(customerId: $customer, visitorId: \"v1\", browserInfo: $browser) { _id }
    }";
    let browser = json!({"url": "/tea", "hostname": "https://shop.example.test", "language": "en"});
    for customer in [ada.clone(), json!("unknown"), json!(""), Json::Null] {
        let variables = json!({"customer": customer, "browser": browser});
        assert_eq!(nobody.field(save, &variables), Json::Null, "{customer}");
    }
    let read = "query($id: String!) { customerDetail(_id: $id) { location } }";
    let found = operator.field(read, &json!({ "id": ada }));
    assert_eq!(found["location"]["hostname"], "https://shop.example.test");
    // The vendor sends nothing for it.
    operator.field("mutation { customersAdd(firstName: \"Grace\") { _id } }", &json!({}));
    let sent = wait_for_events(&receiver, 2);
    assert!(sent.len() == 2 && sent.iter().all(|body| body["action"] == "create"), "{sent:?}");
}

#[test]
fn an_inbox_assigns_and_closes_in_any_order() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@0.23", &receiver);
    let (nobody, operator) = (Client::unknown(&api), Client::of(&api));
    assert_eq!(nobody.field("{ currentUser { _id } }", &json!({})), Json::Null);
    let me = operator.field("{ currentUser { _id } }", &json!({}))["_id"].clone();
    let integration = &api.account.values["integration_id"];
    let write = "mutation($integration: String!) {
        widgetsInsertMessage(integrationId: $integration, visitorId: \"v1\", message: \"Hello\") { conversationId customerId }
    }";
    let written = nobody.field(write, &json!({ "integration": integration }));
    let id = &written["conversationId"];
    let assign = "mutation($ids: [String]!, $user: String) { conversationsAssign(conversationIds: $ids, assignedUserId: $user) { assignedUserId } }";
    let unassign =
        "mutation($ids: [String]!) { conversationsUnassign(_ids: $ids) { assignedUserId } }";
    let close = "mutation($ids: [String]!) { conversationsChangeStatus(_ids: $ids, status: \"closed\") { status } }";
    let variables = json!({"ids": [id], "user": me});
    let assigned = json!([{ "assignedUserId": me }]);
    assert_eq!(operator.field(assign, &variables), assigned);
    assert_eq!(operator.field(assign, &variables), assigned, "the same once more");
    assert_eq!(operator.field(unassign, &variables)[0]["assignedUserId"], Json::Null);
    assert_eq!(operator.field(close, &variables)[0]["status"], "closed");
    assert_eq!(operator.field(assign, &variables), assigned);
    assert_eq!(operator.field(unassign, &variables)[0]["assignedUserId"], Json::Null);
    // A widget that is still open.
    let typing =
        "mutation($id: String!) { widgetsSendTypingInfo(conversationId: $id, text: \"Hm\") }";
    assert_eq!(nobody.field(typing, &json!({ "id": id })), "ok");
    let leave = "mutation($id: String) { widgetsSaveCustomerGetNotified(customerId: $id, type: \"email\", value: \"ada@example.test\") }";
    assert_eq!(nobody.field(leave, &json!({"id": written["customerId"]})), written["customerId"]);
}

#[test]
fn an_error_of_a_field_that_cannot_be_null_is_that_of_the_vendor() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@1.3", &receiver);
    let nobody = Client::unknown(&api);
    let portal = &api.account.values["portal_id"];
    let forgot = "mutation($id: String!, $email: String) { clientPortalForgotPassword(clientPortalId: $id, email: $email) }";
    let unknown = json!({"id": portal, "email": "nobody@example.test"});
    let body = nobody.send(forgot, &unknown);
    assert_eq!(body["data"], Json::Null, "{body}");
    assert_eq!(nobody.error(forgot, &unknown), "user not found");
    let register = "mutation($id: String, $email: String) {
        clientPortalRegister(clientPortalId: $id, email: $email, firstName: \"Ada\", password: \"Analytical-1\")
    }";
    let known = json!({"id": portal, "email": "ada@example.test"});
    nobody.field(register, &known);
    assert_eq!(nobody.field(forgot, &known), "sent");
}

/// Returns the fields of a type whose values are no objects.
fn plain_fields(client: &Client<'_>, name: &str) -> Vec<String> {
    let query = "query($name: String!) {
        __type(name: $name) { fields { name type { kind ofType { kind ofType { kind } } } } }
    }";
    let found = client.field(query, &json!({ "name": name }));
    let is_plain = |field: &&Json| !field["type"].to_string().contains("OBJECT");
    let fields = found["fields"].as_array().unwrap().iter().filter(is_plain);
    fields.map(|field| field["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_api_returns_what_webhooks_say() {
    let documents = [
        ("customer", "customerDetail", "Customer"),
        ("company", "companyDetail", "Company"),
        ("knowledgeBaseArticle", "knowledgeBaseArticleDetail", "KnowledgeBaseArticle"),
        ("engageMessages", "engageMessageDetail", "EngageMessage"),
        ("deal", "dealDetail", "Deal"),
    ];
    for (vendor, stages) in
        [("erxes@0.23", "stages"), ("erxes@1.3", "stages"), ("erxes@2", "salesStages")]
    {
        let receiver = Receiver::accepting();
        let api = LiveApi::start(vendor, &receiver);
        let client = Client::of(&api);
        let pipeline = &api.account.values["pipeline_id"];
        let stages =
            client.field(&format!("{{ {stages}(pipelineId: {pipeline}) {{ _id }} }}"), &json!({}));
        let integration = &api.account.values["integration_id"];
        for call in [
            "customersAdd(firstName: \"Ada\", primaryEmail: \"ada@example.test\", primaryPhone: \"+12025550123\") { _id }",
            "companiesAdd(primaryName: \"Tea\", primaryEmail: \"tea@example.test\", size: 5) { _id }",
            "knowledgeBaseArticlesAdd(doc: { title: \"T\", content: \"<p>c</p>\", status: \"publish\" }) { _id }",
            "engageMessageAdd(title: \"News\", kind: \"manual\", method: \"messenger\", messenger: { brandId: \"b\", content: \"Hi\", kind: \"post\" }) { _id }",
            &format!("dealsAdd(name: \"A deal\", stageId: {}) {{ _id }}", stages[0]["_id"]),
            &format!(
                "widgetsInsertMessage(integrationId: {integration}, visitorId: \"v1\", message: \"a < b\") {{ _id }}"
            ),
        ] {
            client.field(&format!("mutation {{ {call} }}"), &json!({}));
        }
        for event in wait_for_events(&receiver, 7) {
            let kind = event["type"].as_str().unwrap().rsplit(':').next().unwrap();
            let data: Json = serde_json::from_str(event["data"].as_str().unwrap()).unwrap();
            let said = data.get("object").unwrap_or(&data);
            let id = json!({ "id": said["_id"] });
            let read = match kind {
                "conversation" => continue,
                "customerMessages" => {
                    let fields = plain_fields(&client, "ConversationMessage").join(" ");
                    let query = format!(
                        "query($id: String!) {{ conversationMessages(conversationId: $id) {{ {fields} }} }}"
                    );
                    client.field(&query, &json!({ "id": said["conversationId"] }))[0].clone()
                }
                kind => {
                    let (_, query, owner) = documents.iter().find(|known| known.0 == kind).unwrap();
                    let fields = plain_fields(&client, owner).join(" ");
                    client.field(
                        &format!("query($id: String!) {{ {query}(_id: $id) {{ {fields} }} }}"),
                        &id,
                    )
                }
            };
            for (name, value) in read.as_object().unwrap_or_else(|| panic!("{vendor} {kind}: {id}"))
            {
                // A message of the messenger has no brand here.
                let Some(said) = said.get(name).filter(|_| name != "messenger") else { continue };
                assert_eq!(value, said, "{vendor} {kind} {name}");
            }
        }
    }
}
