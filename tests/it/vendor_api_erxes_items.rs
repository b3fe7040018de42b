//! Board items, users and unread counts of the GraphQL API of erxes.

use serde_json::{Value as Json, json};

use crate::support::{LiveApi, Receiver, wait_for_events};
use crate::vendor_api_erxes::Client;

/// Returns `type.action` of webhooks.
fn kinds(sent: &[Json]) -> Vec<String> {
    let text = |body: &Json, key: &str| body[key].as_str().unwrap_or_default().to_owned();
    sent.iter().map(|body| format!("{}.{}", text(body, "type"), text(body, "action"))).collect()
}

fn data(sent: &Json) -> Json {
    serde_json::from_str(sent["data"].as_str().unwrap()).unwrap()
}

#[test]
fn items_are_added_edited_dragged_and_removed_with_their_webhooks() {
    for (revision, prefix, boards, item) in [
        ("0.23", "", "boards(type: \"ticket\")", "ticket"),
        ("1.3", "cards:", "boards(type: \"purchase\")", "purchase"),
        ("2", "sales:", "salesBoards(type: \"deal\")", "deal"),
    ] {
        let receiver = Receiver::accepting();
        let api = LiveApi::start(&format!("erxes@{revision}"), &receiver);
        let client = Client::of(&api);
        let board =
            client.field(&format!("{{ {boards} {{ _id type pipelines {{ _id }} }} }}"), &json!({}));
        assert_eq!(board[0]["type"], item);
        let stages = if revision == "2" { "salesStages" } else { "stages" };
        let query = format!("query($p: String!) {{ {stages}(pipelineId: $p) {{ _id name }} }}");
        let stages = client.field(&query, &json!({"p": board[0]["pipelines"][0]["_id"]}));
        let stage = |name: &str| {
            let mut all = stages.as_array().unwrap().iter();
            all.find(|stage| stage["name"] == name).unwrap()["_id"].clone()
        };
        let (new, won) = (stage("New"), stage("Won"));
        let add = format!("mutation($name: String!, $stage: String, $labels: [String], $assigned: [String]) {{
            {item}sAdd(name: $name, stageId: $stage, labelIds: $labels, assignedUserIds: $assigned, description: \"blue\") {{
                _id name stageId labelIds description stage {{ name }} customFieldsData status
            }}
        }}");
        let variables = json!({"name": "Felt", "stage": new, "labels": ["L1"], "assigned": ["u1"]});
        let added = client.field(&add, &variables);
        assert_eq!((&added["stageId"], &added["stage"]["name"]), (&new, &json!("New")));
        assert_eq!((&added["labelIds"], &added["status"]), (&json!(["L1"]), &json!("active")));
        let id = &added["_id"];
        let lost = client.error(&add, &json!({"name": "Felt", "stage": "none"}));
        assert_eq!(lost, "Stage not found");

        let edit = format!("mutation($id: String!, $name: String, $stage: String, $at: Date) {{
            {item}sEdit(_id: $id, name: $name, stageId: $stage, closeDate: $at, isComplete: true) {{ name stageId closeDate isComplete }}
        }}");
        let edited = client
            .field(&edit, &json!({"id": id, "name": "Wool", "at": "2026-12-01T10:00:00.000Z"}));
        let expected = json!({"name": "Wool", "stageId": new, "closeDate": "2026-12-01T10:00:00.000Z", "isComplete": true});
        assert_eq!(edited, expected);
        let change = format!("mutation($id: String!, $to: String!) {{
            {item}sChange(itemId: $id, destinationStageId: $to, proccessId: \"0.1\") {{ _id stageId }}
        }}");
        // The response is the item before the drag, as at erxes.
        let dragged = client.field(&change, &json!({"id": id, "to": won}));
        assert_eq!(dragged, json!({"_id": id, "stageId": new}));
        let moved = client.field(&edit, &json!({"id": id, "stage": new}));
        assert_eq!((&moved["stageId"], &moved["name"]), (&new, &json!("Wool")));

        let list = format!(
            "query($stage: String, $text: String) {{
            {item}sTotalCount(stageId: $stage, search: $text)
        }}"
        );
        let found =
            |stage: Json, text: &str| client.field(&list, &json!({"stage": stage, "text": text}));
        assert_eq!((found(new.clone(), ""), found(won.clone(), "")), (json!(1), json!(0)));
        assert_eq!((found(Json::Null, "WOO"), found(Json::Null, "felt")), (json!(1), json!(0)));
        let remove = format!("mutation($id: String!) {{ {item}sRemove(_id: $id) {{ _id name }} }}");
        assert_eq!(client.field(&remove, &json!({"id": id})), json!({"_id": id, "name": "Wool"}));
        assert_eq!(client.error(&remove, &json!({"id": id})), format!("{item} not found"));
        let detail = format!("query($id: String!) {{ {item}Detail(_id: $id) {{ _id }} }}");
        assert!(client.error(&detail, &json!({"id": id})).ends_with("not found"));

        let sent = wait_for_events(&receiver, 7);
        let moved = "createBoardItemMovementLog";
        let expected = ["create", "update", moved, "update", "update", moved, "delete"];
        let expected = expected.map(|action| format!("{prefix}{item}.{action}"));
        assert_eq!(kinds(&sent), expected);
        let created = data(&sent[0]);
        assert_eq!(created["newData"]["assignedUserIds"], json!(["u1"]));
        assert_eq!(
            (&created["object"]["_id"], &created["object"]["labelIds"]),
            (id, &json!(["L1"]))
        );
        assert_eq!(data(&sent[2])["data"]["activityLogContent"]["text"], "New to Won");
        assert_eq!(data(&sent[1])["updatedDocument"]["isComplete"], true);
    }
}

#[test]
fn all_conversations_are_resolved_at_once_and_unread_ones_are_counted() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@0.23", &receiver);
    let client = Client::of(&api);
    let say = "mutation($who: String) {
        widgetsInsertMessage(integrationId: \"x\", visitorId: $who, message: \"Hello\") { conversationId }
    }";
    let ids =
        ["v1", "v2"].map(|who| client.field(say, &json!({"who": who}))["conversationId"].clone());
    let count = |query: &str, variables: Json| client.field(query, &variables);
    let unread = "{ conversationsTotalUnreadCount }";
    assert_eq!(count(unread, json!({})), 2);
    let read = "mutation($id: String) { conversationMarkAsRead(_id: $id) { _id } }";
    for _ in 0..2 {
        assert_eq!(count(read, json!({"id": ids[0]})), json!({"_id": ids[0]}));
    }
    assert_eq!(count(unread, json!({})), 1);

    let reply = "mutation($id: String) { conversationMessageAdd(conversationId: $id, content: \"hi\") { userId } }";
    let user = client.field(reply, &json!({"id": ids[0]}))["userId"].clone();
    let of_widget = "query($id: String) { widgetsUnreadCount(conversationId: $id) }";
    assert_eq!(count(of_widget, json!({"id": ids[0]})), 1);
    let customer = "query($id: String!) { conversationDetail(_id: $id) { customerId } }";
    let customer = client.field(customer, &json!({"id": ids[0]}))["customerId"].clone();
    let total =
        "query($id: String) { widgetsTotalUnreadCount(integrationId: \"x\", customerId: $id) }";
    assert_eq!(count(total, json!({"id": customer})), 1);
    count(
        "mutation($id: String) { widgetsReadConversationMessages(conversationId: $id) }",
        json!({"id": ids[0]}),
    );
    assert_eq!(count(of_widget, json!({"id": ids[0]})), 0);

    let me = "{ currentUser { _id email details { fullName } } }";
    let me = client.field(me, &json!({}));
    assert_eq!(me["_id"], user);
    let users =
        "query($text: String, $ids: [String]) { users(searchValue: $text, ids: $ids) { _id } }";
    let support = json!([{"_id": user}]);
    assert_eq!(client.field(users, &json!({"text": "SUPPORT@"})), support);
    assert_eq!(client.field(users, &json!({"ids": [user]})), support);
    assert_eq!(client.field(users, &json!({"text": "nobody there"})), json!([]));
    let detail = "query($id: String) { userDetail(_id: $id) { email } }";
    assert_eq!(client.field(detail, &json!({"id": user}))["email"], me["email"]);

    let before = receiver.events().len();
    let resolve = "mutation { conversationResolveAll }";
    assert_eq!(client.field(resolve, &json!({})), 2);
    assert_eq!(client.field(resolve, &json!({})), 0);
    assert_eq!(Client::unknown(&api).error(resolve, &json!({})), "Login required");
    assert_eq!(client.field("{ conversations { _id } }", &json!({})), json!([]));
    let closed = client.field("{ conversations(status: \"closed\") { status } }", &json!({}));
    assert_eq!(closed, json!([{"status": "closed"}, {"status": "closed"}]));
    let sent = wait_for_events(&receiver, before + 2);
    assert_eq!(kinds(&sent[before..]), ["conversation.update"; 2]);
    let log = data(&sent[before]);
    assert_eq!(
        (&log["description"], &log["newData"]["closedUserId"]),
        (&json!("resolve all"), &user)
    );
    // Reopening tells who has closed it.
    let change = "mutation($ids: [String]!) { conversationsChangeStatus(_ids: $ids, status: \"open\") { status } }";
    client.field(change, &json!({"ids": [ids[0]]}));
    let sent = wait_for_events(&receiver, before + 3);
    assert_eq!(data(&sent[before + 2])["object"]["closedUserId"], user);
}

#[test]
fn items_are_copied_and_archived_in_silence_and_templates_are_kept() {
    for (revision, item) in [("0.23", "ticket"), ("1.3", "purchase"), ("2", "deal")] {
        let receiver = Receiver::accepting();
        let api = LiveApi::start(&format!("erxes@{revision}"), &receiver);
        let client = Client::of(&api);
        let stages = if revision == "2" { "salesStages" } else { "stages" };
        let query = format!("query($p: String!) {{ {stages}(pipelineId: $p) {{ _id }} }}");
        let stages = client.field(&query, &json!({"p": api.account.values["pipeline_id"]}));
        let [first, second] = [0, 1].map(|at| stages[at]["_id"].clone());
        let add = format!(
            "mutation($stage: String) {{ {item}sAdd(name: \"Felt\", stageId: $stage, priority: \"High\") {{ _id }} }}"
        );
        let id = client.field(&add, &json!({"stage": first}))["_id"].clone();
        client.field(&add, &json!({"stage": second}));
        let copy = format!(
            "mutation($id: String!) {{ {item}sCopy(_id: $id, proccessId: \"0.1\") {{ name stageId priority }} }}"
        );
        let copied = client.field(&copy, &json!({"id": id}));
        assert_eq!(copied, json!({"name": "Felt-copied", "stageId": first, "priority": "High"}));
        assert!(client.error(&copy, &json!({"id": "none"})).contains("of null"));
        let list = format!("{{ {item}s {{ name status }} }}");
        let names = |found: Json| -> Vec<Json> {
            found.as_array().unwrap().iter().map(|one| one["name"].clone()).collect()
        };
        assert_eq!(names(client.field(&list, &json!({}))), ["Felt", "Felt", "Felt-copied"]);
        let archive = format!(
            "mutation($stage: String!) {{ {item}sArchive(stageId: $stage, proccessId: \"0.1\") }}"
        );
        assert_eq!(client.field(&archive, &json!({"stage": first})), "ok");
        assert_eq!(client.error(&archive, &json!({"stage": "none"})), "Stage not found");
        let left = client.field(&list, &json!({}));
        assert_eq!(left, json!([{"name": "Felt", "status": "active"}]));
        if revision == "2" {
            let all = "{ deals(noSkipArchive: true) { name } }";
            assert_eq!(names(client.field(all, &json!({}))).len(), 3);
        }
        let sent = wait_for_events(&receiver, 2);
        assert!(kinds(&sent).iter().all(|kind| kind.ends_with(".create")), "{sent:#?}");

        let brand = &api.account.values["brand_id"];
        let add = "mutation($brand: String!, $text: String) { responseTemplatesAdd(brandId: $brand, name: \"Greeting\", content: $text) { _id brand { name } } }";
        let added = client.field(add, &json!({"brand": brand, "text": "Hello"}));
        assert_eq!(added["brand"]["name"], "Brand");
        let edit = "mutation($id: String!, $brand: String!) { responseTemplatesEdit(_id: $id, brandId: $brand, name: \"Farewell\", content: \"Bye\") { name } }";
        let named = client.field(edit, &json!({"id": added["_id"], "brand": brand}));
        assert_eq!(named["name"], "Farewell");
        let list = "query($text: String) { responseTemplates(searchValue: $text) { _id content } responseTemplatesTotalCount(searchValue: $text) }";
        let found = client.send(list, &json!({"text": "FARE"}))["data"].clone();
        let expected = json!({"responseTemplates": [{"_id": added["_id"], "content": "Bye"}], "responseTemplatesTotalCount": 1});
        assert_eq!(found, expected);
        let remove = "mutation($id: String!) { responseTemplatesRemove(_id: $id) }";
        client.field(remove, &json!({"id": added["_id"]}));
        assert_eq!(
            client.error(remove, &json!({"id": added["_id"]})),
            "Response template not found"
        );
        assert_eq!(receiver.events().len(), 2);
    }
}
