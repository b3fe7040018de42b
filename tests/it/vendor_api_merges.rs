//! Calls about several conversations and entities at once: merges, and entities with chosen ids.

use serde_json::{Value as Json, json};

use crate::support::{LiveApi, Receiver, request, wait_for_events};
use crate::vendor_api_erxes::Client;

/// Says something as a visitor of erxes.
const SAY: &str = "mutation($who: String) {
    widgetsInsertMessage(integrationId: \"x\", visitorId: $who, message: \"Hello\") { conversationId customerId }
}";

/// Asks the hall of Parlour. Returns the values of the fields.
fn ask(api: &LiveApi, query: &str, variables: &Json) -> Json {
    let body = json!({"query": query, "variables": variables}).to_string();
    request(&api.address, "POST /hall/of/questions HTTP/1.1", &body).json()
}

/// Says something as a guest. Returns the room.
fn knock(api: &LiveApi, guest: &str, text: &str) -> Json {
    let head = format!("POST /back/{}/knock HTTP/1.1", api.secret("door"));
    request(&api.address, &head, &json!({"who": guest, "text": text}).to_string()).json()["room"]
        .clone()
}

/// Waits for this many webhooks whose types begin like this.
fn wait_for(receiver: &Receiver, prefix: &str, count: usize) -> Vec<Json> {
    for all in 1.. {
        let sent = wait_for_events(receiver, all);
        let is_it = |body: &&Json| body["what"].as_str().unwrap().starts_with(prefix);
        let found: Vec<Json> = sent.iter().filter(is_it).cloned().collect();
        if found.len() >= count {
            return found;
        }
    }
    unreachable!()
}

#[test]
fn one_call_combines_entities_and_conversations_of_several_people() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let rooms = ["ada", "grace", "alan"].map(|guest| knock(&api, guest, "hello"));
    let lit = "mutation { a: light(owner: \"Ada\") b: light(owner: \"Grace\") c: light(owner: \"Alan\") }";
    assert_eq!(ask(&api, lit, &json!({}))["data"]["c"], "Alan");
    let said = wait_for(&receiver, "line.said", 3);
    let card = |room: &Json| {
        let body = said.iter().find(|body| body["room"] == *room && body["by"]["card"].is_string());
        body.unwrap_or_else(|| panic!("{said:#?}"))["by"]["card"].clone()
    };
    let guests = [card(&rooms[0]), card(&rooms[1])];
    let inherit = "mutation($owners: [String!], $guests: [String!], $heir: String!, $tag: String) {
        inherit(owners: $owners, guests: $guests, heir: $heir, tag: $tag) { tag lenders rooms card hat }
    }";
    let all = json!({"owners": ["Ada", "Grace", "Ada"], "guests": guests, "heir": "Kim", "tag": "lamp-7"});
    // Nothing happens if one is missing.
    let lost = json!({"owners": ["Ada", "Nobody"], "heir": "Kim"});
    let refused = ask(&api, inherit, &lost);
    assert_eq!(refused["errors"][0]["message"], "nobody has such a lamp", "{refused}");
    let left = || ask(&api, "{ lamps }", &json!({}))["data"]["lamps"].clone();
    let many: Vec<String> = (0..1001).map(|number| format!("owner {number}")).collect();
    let refused = ask(&api, inherit, &json!({"owners": many, "heir": "Kim"}));
    assert!(refused.to_string().contains("too_large"), "{refused}");
    assert_eq!(left(), json!(["Ada", "Grace", "Alan"]));
    let heir = ask(&api, inherit, &all)["data"]["inherit"].clone();
    let lenders = json!(["Kim", "Ada", "Grace"]);
    assert_eq!((&heir["tag"], &heir["lenders"]), (&json!("lamp-7"), &lenders), "{heir}");
    assert_eq!(heir["rooms"], 2);
    assert_eq!(left(), json!(["Alan", "Kim"]));
    let sent = wait_for(&receiver, "thing.", 6);
    let count = |what: &str| sent.iter().filter(|body| body["what"] == what).count();
    assert_eq!((count("thing.made"), count("thing.gone"), sent.len()), (4, 2, 6), "{sent:#?}");
    assert!(sent.iter().any(|body| body["thing"] == "lamp-7"), "{sent:#?}");
    // The rooms are those of the heir now. Two ids of the heir find them once.
    let ids = [&heir["card"], &heir["hat"]];
    let again = json!({"owners": ["Kim", "Alan"], "guests": ids, "heir": "Ellis"});
    let heir = ask(&api, inherit, &again)["data"]["inherit"].clone();
    assert_eq!(
        (&heir["rooms"], &heir["lenders"]),
        (&json!(2), &json!(["Ellis", "Kim", "Alan", "Ada", "Grace"]))
    );
    let will = "mutation($room: String!) { will(room: $room, owner: \"Ellis\", heir: \"Robin\") }";
    let given = ask(&api, will, &json!({"room": rooms[2]}));
    assert_eq!(given["data"]["will"], json!(["Robin", "Robin", "Ellis"]), "{given}");
    let sent = wait_for(&receiver, "thing.", 11);
    let changed = sent.iter().find(|body| body["what"] == "thing.changed").unwrap();
    assert_eq!(changed["owner"], "Robin");
    let made = sent.iter().find(|body| body["what"] == "thing.made" && body["room"] == rooms[2]);
    assert!(made.is_some(), "it stands in the room of the call: {sent:#?}");
}

#[test]
fn customers_and_companies_of_erxes_are_merged() {
    for revision in ["0.22", "0.23", "0.24", "2"] {
        let receiver = Receiver::accepting();
        let api = LiveApi::start(&format!("erxes@{revision}"), &receiver);
        let client = Client::of(&api);
        let said = client.field(SAY, &json!({"who": "v1"}));
        let add = "mutation($name: String, $email: String, $state: String) {
            customersAdd(firstName: $name, primaryEmail: $email, state: $state) { _id }
        }";
        let added = |name: &str, state: &str| {
            let email = format!("{name}@example.test");
            client.field(add, &json!({"name": name, "email": email, "state": state}))["_id"].clone()
        };
        let (ada, kim) = (added("ada", "lead"), added("kim", "customer"));
        let other = added("grace", "customer");
        let merge = "mutation($ids: [String], $with: JSON) {
            customersMerge(customerIds: $ids, customerFields: $with) { _id firstName primaryEmail emails state ownerId }
        }";
        let ids = json!([ada, said["customerId"], "unknown", kim]);
        let refused = json!({"ids": ids, "with": {"primaryEmail": "grace@example.test"}});
        assert_eq!(client.error(merge, &refused), "Duplicated email");
        let with = json!({"firstName": "Ada Kim", "primaryEmail": "kim@example.test"});
        let merged = client.field(merge, &json!({"ids": ids, "with": with}));
        let emails = merged["emails"].as_array().unwrap().iter();
        let emails: Vec<&Json> = emails.map(|one| one.get("email").unwrap_or(one)).collect();
        assert_eq!(emails, ["kim@example.test", "ada@example.test"], "{merged}");
        assert_eq!(
            (&merged["state"], &merged["firstName"]),
            (&json!("customer"), &json!("Ada Kim"))
        );
        // The merged are not listed, but read. Conversations of a visitor are those of the customer.
        let all = client.field("{ customers { _id } }", &json!({}));
        assert_eq!(all, json!([{"_id": merged["_id"]}, {"_id": other}]));
        let read = "query($id: String!) { customerDetail(_id: $id) { _id } }";
        assert_eq!(client.field(read, &json!({"id": ada})), json!({"_id": ada}));
        let talk = "query($id: String!) { conversationDetail(_id: $id) { customerId messages { customerId } } }";
        let moved =
            json!({"customerId": merged["_id"], "messages": [{"customerId": merged["_id"]}]});
        assert_eq!(client.field(talk, &json!({"id": said["conversationId"]})), moved);
        // The old address is free, and the new customer can be changed: the webhook knows the merge.
        added("ada", "customer");
        let edit = "mutation($id: String!) { customersEdit(_id: $id, position: \"Lead\") { _id } }";
        client.field(edit, &json!({"id": merged["_id"]}));

        let add = "mutation($name: String) { companiesAdd(primaryName: $name) { _id } }";
        let company = |name: &str| client.field(add, &json!({"name": name}))["_id"].clone();
        let companies = json!([company("Felt"), company("Wool")]);
        let merge = "mutation($ids: [String], $with: JSON) {
            companiesMerge(companyIds: $ids, companyFields: $with) { primaryName names mergedIds }
        }";
        let lost = json!({"ids": [companies[0], "unknown"], "with": {"primaryName": "Felt"}});
        assert_eq!(client.error(merge, &lost), "Company not found");
        let merged_company =
            client.field(merge, &json!({"ids": companies, "with": {"primaryName": "Wool"}}));
        let expected =
            json!({"primaryName": "Wool", "names": ["Felt", "Wool"], "mergedIds": companies});
        assert_eq!(merged_company, expected);
        let listed = client.field("{ companies { primaryName } }", &json!({}));
        assert_eq!(listed, json!([{"primaryName": "Wool"}]));

        // Nothing else was sent: one webhook for each customer and company, the edit and the message.
        let sent = wait_for_events(&receiver, 9);
        let of = |kind: &str| -> Vec<Json> {
            let is_it = |body: &&Json| body["type"].as_str().unwrap().ends_with(kind);
            sent.iter().filter(is_it).cloned().collect()
        };
        assert_eq!((of("customer").len(), of("company").len()), (5, 2), "{sent:#?}");
        let edited = of("customer").into_iter().find(|body| body["action"] == "update").unwrap();
        let data: Json = serde_json::from_str(edited["data"].as_str().unwrap()).unwrap();
        assert_eq!(data["object"]["mergedIds"], ids, "{data:#}");
        assert_eq!(data["object"]["status"], "Active");
    }
}

#[test]
fn conversations_of_erxes_become_items() {
    for (revision, prefix, item) in [
        ("0.23", "", "ticket"),
        ("0.24", "cards:", "deal"),
        ("1.3", "cards:", "purchase"),
        ("2", "tasks:", "task"),
    ] {
        let receiver = Receiver::accepting();
        let api = LiveApi::start(&format!("erxes@{revision}"), &receiver);
        let client = Client::of(&api);
        let [said, other] = ["v1", "v2"].map(|who| client.field(SAY, &json!({"who": who})));
        let stages = if revision == "2" { "tasksStages" } else { "stages" };
        let query = format!("query($p: String!) {{ {stages}(pipelineId: $p) {{ _id }} }}");
        let stage =
            client.field(&query, &json!({"p": api.account.values["pipeline_id"]}))[0]["_id"]
                .clone();
        let convert = "mutation($id: String!, $type: String!, $item: String, $stage: String) {
            conversationConvertToCard(_id: $id, type: $type, itemId: $item, itemName: \"Felt\", stageId: $stage)
        }";
        let all = json!({"id": said["conversationId"], "type": item, "stage": stage});
        let id = client.field(convert, &all);
        assert_eq!(id == said["conversationId"], revision != "0.23", "{revision}: {id} {said}");
        assert_eq!(client.error(convert, &all), format!("Already converted a {item}"));
        let detail = format!(
            "query($id: String!) {{ {item}Detail(_id: $id) {{ name stageId customers {{ _id }} assignedUserIds }} }}"
        );
        let read = client.field(&detail, &json!({"id": id}));
        assert_eq!((&read["name"], &read["stageId"]), (&json!("Felt"), &stage));
        assert_eq!(read["customers"], json!([{"_id": said["customerId"]}]));
        if revision != "2" {
            let info = format!(
                "query($id: String!) {{ convertToInfo(conversationId: $id) {{ {item}Url }} }}"
            );
            let url = client.field(&info, &json!({"id": said["conversationId"]}))
                [format!("{item}Url")]
            .clone();
            let end = format!("&itemId={}", id.as_str().unwrap());
            assert!(url.as_str().unwrap().ends_with(&end), "{url}");
        }
        // The item is in another conversation than that of the call.
        let more = json!({"id": other["conversationId"], "type": item, "item": id});
        if revision == "0.24" {
            assert!(client.error(convert, &more).contains("immutable field"));
        } else {
            assert_eq!(client.field(convert, &more), id);
            let read = client.field(&detail, &json!({"id": id}));
            let customers = json!([{"_id": said["customerId"]}, {"_id": other["customerId"]}]);
            assert_eq!(read["customers"], customers);
            let new = json!({"id": other["conversationId"], "type": item, "stage": stage});
            assert_eq!(client.error(convert, &new), format!("Already converted a {item}"));
        }
        let lost = json!({"id": said["conversationId"], "type": item, "item": "unknown"});
        assert!(client.error(convert, &lost).starts_with("Cannot read propert"));
        // One webhook: an item that was there changes in silence. Its next webhook has the conversations.
        let edit = format!(
            "mutation($id: String!) {{ {item}sEdit(_id: $id, description: \"blue\") {{ _id }} }}"
        );
        client.field(&edit, &json!({"id": id}));
        let sent = wait_for_events(&receiver, 6);
        let of = |action: &str| -> Vec<Json> {
            let kind = format!("{prefix}{item}");
            let is_it = |body: &&Json| body["type"] == kind && body["action"] == action;
            let found = sent.iter().filter(is_it).map(|body| body["data"].as_str().unwrap());
            found.map(|data| serde_json::from_str(data).unwrap()).collect()
        };
        let (created, updated) = (of("create"), of("update"));
        assert_eq!((sent.len(), created.len(), updated.len()), (6, 1, 1), "{sent:#?}");
        let (new, object) = (&created[0]["newData"], &created[0]["object"]);
        let from = json!([said["conversationId"]]);
        assert_eq!((&object["sourceConversationIds"], &object["_id"]), (&from, &id));
        assert_eq!((&new["sourceConversationIds"], &new["proccessId"]), (&from, &Json::Null));
        assert_eq!(new["customerIds"], json!([said["customerId"]]));
        assert_eq!(new.get("_id"), (revision != "0.23").then_some(&id));
        let count = if revision == "0.24" { 1 } else { 2 };
        let updated = &updated[0]["updatedDocument"];
        let sources = updated["sourceConversationIds"].as_array().unwrap();
        assert_eq!(sources.len(), count, "{updated:#}");
    }
}
