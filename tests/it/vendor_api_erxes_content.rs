//! The GraphQL API of erxes: knowledge base, campaigns and custom fields.

use serde_json::{Value as Json, json};

use crate::support::{LiveApi, Receiver, wait_for_events};
use crate::vendor_api_erxes::Client;

/// The types and actions of webhooks.
fn kinds(sent: &[Json]) -> Vec<String> {
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    sent.iter().map(|body| format!("{}.{}", text(&body["type"]), text(&body["action"]))).collect()
}

#[test]
fn articles_are_sent_as_webhooks_topics_and_categories_are_not() {
    for (vendor, prefix) in [("erxes@0.23", ""), ("erxes@1.3", "knowledgebase:")] {
        let receiver = Receiver::accepting();
        let api = LiveApi::start(vendor, &receiver);
        let client = Client::of(&api);
        let topic = "mutation($doc: KnowledgeBaseTopicDoc!) { knowledgeBaseTopicsAdd(doc: $doc) { _id title } }";
        let topic = client.field(topic, &json!({"doc": {"title": "Help", "brandId": "b"}}));
        assert_eq!(topic["title"], "Help");
        let edit = "mutation($_id: String!, $doc: KnowledgeBaseTopicDoc!) {
            knowledgeBaseTopicsEdit(_id: $_id, doc: $doc) { _id title description }
        }";
        let doc = json!({"title": "Help!", "brandId": "b", "description": "for all"});
        let edited = client.field(edit, &json!({"_id": topic["_id"], "doc": doc}));
        let expected = json!({"_id": topic["_id"], "title": "Help!", "description": "for all"});
        assert_eq!(edited, expected);
        let lost = client.error(edit, &json!({"_id": "none", "doc": doc}));
        assert_eq!(lost, "Knowledge base topic not found");
        let category = "mutation($doc: KnowledgeBaseCategoryDoc!) { knowledgeBaseCategoriesAdd(doc: $doc) { _id } }";
        let doc = json!({"title": "Returns", "icon": "undo", "topicIds": [topic["_id"]]});
        let category = client.field(category, &json!({"doc": doc}));
        let counts = "{ knowledgeBaseTopicsTotalCount knowledgeBaseCategoriesTotalCount }";
        let counts = client.send(counts, &json!({}));
        let expected =
            json!({"knowledgeBaseTopicsTotalCount": 1, "knowledgeBaseCategoriesTotalCount": 1});
        assert_eq!(counts["data"], expected);

        let add = "mutation($doc: KnowledgeBaseArticleDoc!) { knowledgeBaseArticlesAdd(doc: $doc) { _id title } }";
        let doc = json!({"title": "Parcels", "content": "<p>Print the label</p>", "status": "publish", "categoryIds": [category["_id"]]});
        let article = client.field(add, &json!({"doc": doc}));
        let tree = "query($id: String!) { widgetsKnowledgeBaseTopicDetail(_id: $id) {
            title categories { _id numOfArticles articles { title } firstTopic { title } }
        } }";
        let tree = client.field(tree, &json!({"id": topic["_id"]}));
        let of_category = json!([{"_id": category["_id"], "numOfArticles": 1, "articles": [{"title": "Parcels"}], "firstTopic": {"title": "Help!"}}]);
        assert_eq!(tree, json!({"title": "Help!", "categories": of_category}));
        let found = "query($topic: String!, $text: String, $in: [String]) {
            widgetsKnowledgeBaseArticles(topicId: $topic, searchString: $text) { _id }
            knowledgeBaseArticlesTotalCount(categoryIds: $in)
        }";
        let found = |text: &str, category: Json| {
            let body =
                client.send(found, &json!({"topic": topic["_id"], "text": text, "in": [category]}));
            let articles = body["data"]["widgetsKnowledgeBaseArticles"].as_array().unwrap().len();
            (articles, body["data"]["knowledgeBaseArticlesTotalCount"].clone())
        };
        assert_eq!(found("LABEL", category["_id"].clone()), (1, json!(1)));
        assert_eq!(found("stamp", json!("none")), (0, json!(0)));
        let edit = "mutation($_id: String!, $doc: KnowledgeBaseArticleDoc!) {
            knowledgeBaseArticlesEdit(_id: $_id, doc: $doc) { title status }
        }";
        let doc = json!({"title": "All parcels", "content": "<p>Print</p>", "status": "draft"});
        let edited = client.field(edit, &json!({"_id": article["_id"], "doc": doc}));
        assert_eq!(edited, json!({"title": "All parcels", "status": "draft"}));
        let detail =
            "query($_id: String!) { knowledgeBaseArticleDetail(_id: $_id) { title content } }";
        let read = client.field(detail, &json!({"_id": article["_id"]}));
        assert_eq!(read, json!({"title": "All parcels", "content": "<p>Print</p>"}));
        let sent = wait_for_events(&receiver, 2);
        let expected =
            ["create", "update"].map(|action| format!("{prefix}knowledgeBaseArticle.{action}"));
        assert_eq!(kinds(&sent), expected);
        let data: Json = serde_json::from_str(sent[1]["data"].as_str().unwrap()).unwrap();
        assert_eq!(data["updatedDocument"]["title"], "All parcels");
        let data: Json = serde_json::from_str(sent[0]["data"].as_str().unwrap()).unwrap();
        assert_eq!(data["newData"]["categoryIds"], json!([category["_id"]]));
        let remove = "mutation($_id: String!) { knowledgeBaseArticlesRemove(_id: $_id) }";
        client.field(remove, &json!({"_id": article["_id"]}));
        assert_eq!(client.field("{ knowledgeBaseArticles { _id } }", &json!({})), json!([]));
    }
}

#[test]
fn a_new_campaign_is_sent_as_a_webhook_and_follows_the_rules_of_campaigns() {
    for (vendor, kind) in
        [("erxes@0.23", "engageMessages.create"), ("erxes@2", "engages:engageMessages.create")]
    {
        let receiver = Receiver::accepting();
        let api = LiveApi::start(vendor, &receiver);
        let client = Client::of(&api);
        let add = "mutation($title: String!, $kind: String!, $messenger: EngageMessageMessenger, $brandIds: [String], $segmentIds: [String]) {
            engageMessageAdd(title: $title, kind: $kind, method: \"messenger\", messenger: $messenger, brandIds: $brandIds, segmentIds: $segmentIds) {
                _id title isLive messenger customerIds fromUser { _id }
            }
        }";
        let messenger = json!({"brandId": "b", "content": "<p>Sale</p>", "rules": []});
        let doc = json!({"title": "Summer", "kind": "manual", "messenger": messenger, "segmentIds": ["s1"]});
        let campaign = client.field(add, &doc);
        assert_eq!((&campaign["isLive"], &campaign["messenger"]), (&json!(false), &messenger));
        let automatic = json!({"title": "Winter", "kind": "auto"});
        assert_eq!(client.error(add, &automatic), "One of brand or segment or tag must be chosen");
        let sent = wait_for_events(&receiver, 1);
        assert_eq!(kinds(&sent), [kind]);
        let data: Json = serde_json::from_str(sent[0]["data"].as_str().unwrap()).unwrap();
        let expected = (&json!("Summer"), &json!("<p>Sale</p>"));
        assert_eq!((&data["title"], &data["messenger"]["content"]), expected);
        // A receiver reads the campaign of the webhook.
        assert_eq!((&data["_id"], &data["segmentIds"]), (&campaign["_id"], &json!(["s1"])));
        assert_eq!(campaign["customerIds"], json!([]));
        assert_eq!(campaign["fromUser"]["_id"], data["fromUserId"]);

        let id = json!({"_id": campaign["_id"]});
        let live = "mutation($_id: String!) { engageMessageSetLive(_id: $_id) { isLive } }";
        assert_eq!(client.field(live, &id), json!({"isLive": true}));
        assert_eq!(client.error(live, &id), "Campaign is already live");
        let edit = "mutation($_id: String!, $title: String!) {
            engageMessageEdit(_id: $_id, title: $title, kind: \"manual\", method: \"messenger\") { title }
        }";
        let change = json!({"_id": campaign["_id"], "title": "Autumn"});
        assert_eq!(client.error(edit, &change), "Can not update manual live campaign");
        let pause = "mutation($_id: String!) { engageMessageSetPause(_id: $_id) { isLive } }";
        client.field(pause, &id);
        assert_eq!(client.field(edit, &change), json!({"title": "Autumn"}));
        let query = "{ engageMessages(kind: \"manual\") { title } engageMessagesTotalCount }";
        let found = client.send(query, &json!({}));
        let expected =
            json!({"engageMessages": [{"title": "Autumn"}], "engageMessagesTotalCount": 1});
        assert_eq!(found["data"], expected);
        assert_eq!(receiver.events().len(), 1, "only a new one");
    }
}

#[test]
fn custom_fields_belong_to_groups() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("erxes@1.3", &receiver);
    let client = Client::of(&api);
    let group =
        "mutation { fieldsGroupsAdd(name: \"Delivery\", contentType: \"customer\") { _id } }";
    let group = client.field(group, &json!({}));
    let add = "mutation($group: String) {
        fieldsAdd(contentType: \"customer\", type: \"input\", text: \"Shoe size\", groupId: $group) { _id isVisible }
    }";
    let field = client.field(add, &json!({"group": group["_id"]}));
    assert_eq!(field["isVisible"], true);
    let groups = "{ fieldsGroups(contentType: \"customer\") { name fields { _id text } } }";
    let expected =
        json!([{"name": "Delivery", "fields": [{"_id": field["_id"], "text": "Shoe size"}]}]);
    assert_eq!(client.field(groups, &json!({})), expected);
    assert_eq!(client.field("{ fields(contentType: \"company\") { _id } }", &json!({})), json!([]));
    let edit =
        "mutation($_id: String!) { fieldsEdit(_id: $_id, text: \"Size\") { text contentType } }";
    let edited = client.field(edit, &json!({"_id": field["_id"]}));
    assert_eq!(edited, json!({"text": "Size", "contentType": "customer"}));
    let remove = "mutation($_id: String!) { fieldsRemove(_id: $_id) { text } }";
    client.field(remove, &json!({"_id": field["_id"]}));
    let lost = client.error(remove, &json!({"_id": "none"}));
    assert_eq!(lost, "Field not found with id none");
    assert!(receiver.events().is_empty());
}
