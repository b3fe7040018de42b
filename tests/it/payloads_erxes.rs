//! Payloads of erxes: documents before and after a change, arguments, and computed fields.

use serde_json::{Value as Json, json};

use crate::support::{Receiver, play, standin, stdout};

const REVISIONS: [&str; 6] = ["0.19", "0.22", "0.23", "0.24", "1.3", "2"];
const WITH_ITEMS: [&str; 4] = ["0.23", "0.24", "1.3", "2"];

/// The events of these steps, with `data` parsed.
fn events(steps: &str, revision: &str) -> Vec<Json> {
    let story = format!("vendors = ['erxes@{revision}']\n[cast.mira]\nrole = 'agent'\n{steps}");
    let receiver = Receiver::accepting();
    play(&story).at(&format!("erxes@{revision}")).to(&receiver);
    let parsed = |mut event: Json| {
        let data = event["data"].as_str().map(|data| serde_json::from_str(data).unwrap());
        event["data"] = data.unwrap_or_default();
        event
    };
    receiver.events().iter().map(|request| parsed(request.json())).collect()
}

/// `data` of the events with this action.
fn data(events: &[Json], action: &str) -> Vec<Json> {
    let of = events.iter().filter(|event| event["action"] == action);
    of.map(|event| event["data"].clone()).collect()
}

fn keys(json: &Json) -> Vec<&str> {
    json.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A step, a minute after the one before it.
fn step(action: &str) -> String {
    format!("[[step]]\nafter = '1m'\n{action}\n")
}

fn create(kind: &str, more: &str) -> String {
    step(&format!("create = {{ kind = '{kind}', as = 'it', by = 'mira'{more} }}"))
}

fn update(more: &str) -> String {
    step(&format!("update = {{ entity = 'it', by = 'mira', {more} }}"))
}

#[test]
fn the_log_of_a_moved_item_has_the_item_before_the_move() {
    for revision in WITH_ITEMS {
        for kind in ["deal", "task", "ticket"] {
            let steps = create(kind, "") + &update("with = { stage = 'Won', name = 'Other' }");
            let events = events(&steps, revision);
            let (updated, moved) =
                (&data(&events, "update")[0], &data(&events, "createBoardItemMovementLog")[0]);
            let log = &moved["data"];
            assert_eq!(log["item"], updated["object"], "{kind} at {revision}");
            assert_eq!(log["item"]["stageId"], log["activityLogContent"]["oldStageId"]);
            let now = &updated["updatedDocument"]["stageId"];
            assert_eq!(now, &log["activityLogContent"]["destinationStageId"]);
            let content = events[2]["content"].as_str().unwrap();
            assert!(!content.contains("Other"), "{content}");
        }
    }
}

#[test]
fn a_dragged_item_is_moved_first_and_an_edited_one_updated_first() {
    for revision in WITH_ITEMS {
        for (changes, expected) in [
            ("stage = 'Won'", ["createBoardItemMovementLog", "update"]),
            ("stage = 'Won', order = 50", ["createBoardItemMovementLog", "update"]),
            ("stage = 'Won', name = 'Other'", ["update", "createBoardItemMovementLog"]),
        ] {
            let steps = create("deal", "") + &update(&format!("with = {{ {changes} }}"));
            let events = events(&steps, revision);
            let actions: Vec<&str> =
                events[1..].iter().map(|event| event["action"].as_str().unwrap()).collect();
            assert_eq!(actions, expected, "{changes} at {revision}");
        }
    }
}

#[test]
fn extra_descriptions_name_the_parent_of_a_company() {
    for revision in ["0.24", "1.3"] {
        let mother = step("create = { kind = 'company', as = 'mother', by = 'mira' }");
        let parent = "parentCompanyId = '${entity.mother.id}', \
                      parentCompanyName = '${entity.mother.primaryName}'";
        let steps = mother
            + &create("company", &format!(", with = {{ {parent} }}"))
            + &update("with = { size = 9 }");
        let events = events(&steps, revision);
        let [mother, daughter] = &data(&events, "create")[..] else { panic!("{events:?}") };
        assert_eq!(mother["extraDesc"].as_array().unwrap().len(), 1);
        let named = &daughter["extraDesc"][0];
        assert_eq!(keys(named), ["parentCompanyId", "name"], "before the owner");
        assert_eq!(named["parentCompanyId"], mother["object"]["_id"]);
        assert_eq!(named["name"], mother["object"]["primaryName"]);
        let updated = data(&events, "update");
        let entries = updated[0]["extraDesc"].as_array().unwrap().iter();
        let listed: Vec<&str> = entries.map(|entry| keys(entry)[0]).collect();
        assert_eq!(listed, ["parentCompanyId", "ownerId", "parentCompanyId", "ownerId"]);
    }
}

#[test]
fn an_update_of_an_item_sends_its_arguments_only() {
    for revision in WITH_ITEMS {
        let steps = create("task", "")
            + &update("with = { name = 'Renamed' }")
            + &update("with = { stage = 'Won' }");
        let events = events(&steps, revision);
        let created = &data(&events, "create")[0];
        assert_eq!(created["object"]["watchedUserIds"], created["newData"]["watchedUserIds"]);
        assert_eq!(created["object"]["watchedUserIds"].as_array().unwrap().len(), 1);
        let updates = data(&events, "update");
        assert_eq!(keys(&updates[0]["newData"]), ["name", "modifiedAt", "modifiedBy"]);
        let dragged = ["modifiedAt", "modifiedBy", "stageId", "order", "stageChangedDate"];
        assert_eq!(keys(&updates[1]["newData"]), dragged);
        for update in &updates {
            let document = &update["updatedDocument"];
            assert_eq!(update["newData"]["modifiedAt"], document["modifiedAt"]);
        }
        let changed = |document: &Json| document["stageChangedDate"].clone();
        let [renamed, moved] = [0, 1].map(|index| changed(&updates[index]["updatedDocument"]));
        assert_eq!(renamed, changed(&created["object"]), "a rename is no change of stage");
        assert_eq!(moved, updates[1]["updatedDocument"]["modifiedAt"]);
        assert_eq!(updates[0]["updatedDocument"]["searchText"], "Renamed ");
    }
}

#[test]
fn descriptions_have_the_name_before_the_change() {
    for revision in ["0.24", "1.3", "2"] {
        for (kind, field) in [
            ("deal", "name"),
            ("company", "primaryName"),
            ("customer", "firstName"),
            ("article", "title"),
        ] {
            if revision == "2" && ["company", "customer"].contains(&kind) {
                continue;
            }
            let steps = create(kind, &format!(", with = {{ {field} = 'Old' }}"))
                + &update(&format!("with = {{ {field} = 'New' }}"));
            let events = events(&steps, revision);
            assert_eq!(data(&events, "create")[0]["description"], "\"Old\" has been created");
            assert_eq!(data(&events, "update")[0]["description"], "\"Old\" has been updated");
        }
    }
}

#[test]
fn the_core_service_describes_no_contacts() {
    for kind in ["customer", "company"] {
        let steps = create(kind, "") + &update("with = { description = 'Other' }");
        let events = events(&steps, "2");
        let (created, updated) = (&data(&events, "create")[0], &data(&events, "update")[0]);
        for log in [created, updated] {
            assert_eq!((&log["description"], &log["extraDesc"]), (&"".into(), &json!([])));
        }
        assert_eq!(keys(created), ["type", "newData", "object", "extraDesc", "description"]);
    }
}

#[test]
fn extra_descriptions_list_users_labels_and_stages() {
    for revision in ["0.24", "1.3", "2"] {
        let steps =
            create("task", ", with = { labels = ['urgent'] }") + &update("with = { name = 'B' }");
        let events = events(&steps, revision);
        let created = &data(&events, "create")[0];
        let listed: Vec<&str> =
            created["extraDesc"].as_array().unwrap().iter().map(|entry| keys(entry)[0]).collect();
        let expected =
            ["userId", "watchedUserIds", "labelIds", "stageId", "initialStageId", "modifiedBy"];
        assert_eq!(listed, expected);
        assert_eq!(created["extraDesc"][2]["name"], "urgent");
        assert_eq!(created["extraDesc"][2]["labelIds"], created["object"]["labelIds"][0]);
        assert!(created["extraDesc"][0]["name"].as_str().unwrap().contains('@'));
        let updated = data(&events, "update")[0]["extraDesc"].as_array().unwrap().len();
        assert_eq!(updated, 12, "those of the item before and after");
    }
}

#[test]
fn an_update_contains_changed_addresses_names_and_state() {
    for revision in REVISIONS {
        let steps = create("customer", ", with = { state = 'lead' }")
            + &update(
                "with = { state = 'customer', primaryEmail = 'a@x.example.test', primaryPhone = '+4670' }",
            );
        let update_of = &data(&events(&steps, revision), "update")[0];
        let (new, document) = (&update_of["newData"], &update_of["updatedDocument"]);
        for key in ["state", "primaryEmail", "emails", "primaryPhone", "phones"] {
            assert_eq!(new[key], document[key], "{key} at {revision}");
        }
        let email = json!({"email": "a@x.example.test", "type": "primary", "status": "unknown"});
        let email = if revision == "2" { email } else { "a@x.example.test".into() };
        assert_eq!(new["emails"], json!([email]), "{revision}");

        let steps = create("company", ", with = { primaryName = 'Old' }")
            + &update("with = { primaryName = 'New' }");
        let update_of = &data(&events(&steps, revision), "update")[0];
        let (new, document) = (&update_of["newData"], &update_of["updatedDocument"]);
        assert_eq!((&new["primaryName"], &document["primaryName"]), (&"New".into(), &"New".into()));
        let names = if revision < "0.23" { json!(["New"]) } else { json!(["Old", "New"]) };
        assert_eq!(update_of["object"]["names"], json!(["Old"]));
        assert_eq!((&new["names"], &document["names"]), (&names, &names), "{revision}");
        let text = document["searchText"].as_str().unwrap();
        assert!(text.contains(names.as_array().unwrap()[0].as_str().unwrap()), "{text}");
    }
}

#[test]
fn an_update_contains_nothing_about_addresses_that_do_not_change() {
    for revision in ["0.19", "0.22", "0.23", "0.24", "1.3"] {
        let steps = create("customer", "") + &update("with = { position = 'Buyer' }");
        let update_of = &data(&events(&steps, revision), "update")[0];
        let new = keys(&update_of["newData"]);
        assert!(!new.iter().any(|key| key.contains("mails") || key.contains("primary")), "{new:?}");
    }
}

#[test]
fn a_customer_without_addresses_has_empty_lists() {
    let unset = ", with = { firstName = 'Ada' }, unset = ['primaryEmail', 'primaryPhone', 'lastName', 'code']";
    let empty = ", with = { firstName = 'Ada', primaryEmail = '', primaryPhone = '', lastName = '', code = '' }";
    let null = ", with = { firstName = 'Ada', primaryEmail = { null = true }, primaryPhone = { null = true }, lastName = '', code = '' }";
    for revision in REVISIONS {
        for more in [unset, empty, null] {
            let events = events(&create("customer", more), revision);
            let created = &data(&events, "create")[0];
            let object = &created["object"];
            assert_eq!((&object["emails"], &object["phones"]), (&json!([]), &json!([])));
            assert_eq!(object["searchText"], "  Ada", "{revision}");
            assert_eq!(object["profileScore"], 10);
            let absent = object.get("primaryEmail").is_none();
            assert_eq!(absent, more == unset);
            assert_eq!(created["newData"].get("emails"), None);
        }
    }
    let created = &data(&events(&create("customer", ""), "1.3"), "create")[0]["object"];
    assert_eq!((&created["sex"], created.get("links")), (&Json::Null, None));
}

#[test]
fn null_and_empty_fields_are_sent_as_such() {
    for revision in REVISIONS {
        let more = ", with = { sex = { null = true }, birthDate = { null = true }, middleName = 'M', location = { city = 'Visby' } }";
        let object = &data(&events(&create("customer", more), revision), "create")[0]["object"];
        assert_eq!(object["location"], json!({"city": "Visby"}));
        assert_eq!(object["middleName"], "M");
        let null = object.as_object().unwrap();
        assert!(["sex", "birthDate"].iter().all(|key| null[*key].is_null()), "{object}");
        let steps = create("customer", ", with = { code = 'A1' }") + &update("unset = ['code']");
        let updated = &data(&events(&steps, revision), "update")[0];
        assert_eq!(updated["object"]["code"], "A1");
        assert!(updated["newData"].as_object().unwrap()["code"].is_null());
        assert!(updated["updatedDocument"].as_object().unwrap()["code"].is_null());
    }
}

#[test]
fn profile_score_and_state_follow_from_the_fields() {
    for revision in REVISIONS {
        let more = ", with = { state = 'visitor', firstName = 'A', lastName = 'B', code = 'C', primaryEmail = 'a@x.example.test', primaryPhone = '1' }";
        let object = &data(&events(&create("customer", more), revision), "create")[0]["object"];
        assert_eq!((&object["profileScore"], &object["state"]), (&50.into(), &"lead".into()));
        assert_eq!(object["searchText"], "a@x.example.test 1 A B C");
    }
}

#[test]
fn a_created_customer_has_the_key_order_of_captured_bodies() {
    let steps = create("customer", "") + &update("with = { primaryEmail = 'a@x.example.test' }");
    let events = events(&steps, "0.24");
    let created = &data(&events, "create")[0];
    assert_eq!(keys(created), ["type", "newData", "object", "description", "extraDesc"]);
    let arguments = [
        "state",
        "firstName",
        "lastName",
        "middleName",
        "hasAuthority",
        "isSubscribed",
        "links",
        "sex",
        "emailValidationStatus",
        "phoneValidationStatus",
        "ownerId",
    ];
    assert_eq!(keys(&created["newData"]), arguments);
    let object = [
        "_id",
        "state",
        "sex",
        "emails",
        "emailValidationStatus",
        "phones",
        "phoneValidationStatus",
        "status",
        "hasAuthority",
        "doNotDisturb",
        "isSubscribed",
        "relatedIntegrationIds",
        "tagIds",
        "mergedIds",
        "deviceTokens",
        "scopeBrandIds",
        "createdAt",
        "modifiedAt",
        "firstName",
        "lastName",
        "middleName",
        "ownerId",
        "customFieldsData",
        "profileScore",
        "searchText",
        "trackedData",
        "__v",
    ];
    assert_eq!(keys(&created["object"]), object);
    let updated = &data(&events, "update")[0];
    // Keys that an update adds come last, in alphabetical order.
    let more = ["avatar", "birthDate", "links", "primaryEmail"];
    assert_eq!(keys(&updated["updatedDocument"]), [object.as_slice(), &more].concat());
    assert_eq!(updated["extraDesc"].as_array().unwrap().len(), 2);
}

#[test]
fn assigning_and_closing_update_the_conversation() {
    let steps = step("open = {}")
        + &step("say = { by = 'visitor', text = 'Hello' }")
        + &step("assign = { to = 'mira', by = 'mira' }")
        + &step("close = { by = 'mira' }")
        + &step("reopen = { by = 'mira' }");
    let expected = [
        ("0.23", "conversation", ["assignee Changed", "change status", "change status"]),
        ("0.24", "inbox:conversation", ["\"undefined\" has been updated"; 3]),
        ("1.3", "inbox:conversation", ["\"undefined\" has been updated"; 3]),
        ("2", "inbox:conversation", ["\"undefined\" has been updated"; 3]),
    ];
    for (revision, kind, descriptions) in expected {
        let events = events(&steps, revision);
        let updates = data(&events, "update");
        assert_eq!(updates.len(), 3);
        assert!(events.iter().filter(|e| e["action"] == "update").all(|e| e["type"] == kind));
        for (update, description) in updates.iter().zip(descriptions) {
            assert_eq!(
                (&update["type"], &update["description"]),
                (&kind.into(), &description.into())
            );
        }
        let assigned = &updates[0];
        assert_eq!(assigned["object"].get("assignedUserId"), None);
        let agent = &assigned["newData"]["assignedUserId"];
        assert_eq!(&assigned["updatedDocument"]["assignedUserId"], agent);
        assert!(agent.is_string());
        let status = |index: usize, part: &str| updates[index][part]["status"].clone();
        assert_eq!([status(1, "object"), status(1, "newData")], ["open", "closed"].map(Json::from));
        assert_eq!(&updates[1]["updatedDocument"]["closedUserId"], agent);
        assert_eq!([status(2, "object"), status(2, "newData")], ["closed", "open"].map(Json::from));
    }
    for revision in ["0.19", "0.22"] {
        assert!(data(&events(&steps, revision), "update").is_empty());
    }
}

#[test]
fn a_visitor_who_leaves_an_address_updates_the_customer() {
    let set =
        |variable: &str| step(&format!("set = {{ by = 'visitor', variables = {{ {variable} }} }}"));
    let steps = step("open = {}") + &set("email = 'ada@x.example.test'") + &set("plan = 'gold'");
    for (revision, kind) in [
        ("0.23", "customer"),
        ("0.24", "contacts:customer"),
        ("1.3", "contacts:customer"),
        ("2", "core:customer"),
    ] {
        let events = events(&steps, revision);
        let updates: Vec<&Json> = events.iter().filter(|e| e["action"] == "update").collect();
        assert_eq!((updates.len(), &updates[0]["type"]), (1, &kind.into()), "{revision}");
        let saved = &updates[0]["data"];
        assert_eq!(keys(saved), ["type", "object", "newData", "updatedDocument"]);
        assert_eq!(saved["type"], "customer", "without a prefix at every revision");
        assert_eq!(saved["newData"], json!({"email": "ada@x.example.test"}));
        let email = if revision == "2" { "/emails/0/email" } else { "/emails/0" };
        assert_eq!(saved["object"]["emails"], json!([]));
        assert_eq!(saved["updatedDocument"].pointer(email), Some(&"ada@x.example.test".into()));
        assert_eq!(saved["updatedDocument"]["visitorContactInfo"]["email"], "ada@x.example.test");
        // As stored: computed when the customer was created, with a location as its schema has it.
        let (score, text) = if revision == "2" { (5, "  ") } else { (0, " ") };
        let known = &saved["object"];
        assert_eq!((&known["profileScore"], &known["searchText"]), (&score.into(), &text.into()));
        assert!(
            known["location"]["hostname"].is_string() && known["location"].get("url").is_none()
        );
    }
}

#[test]
fn notes_name_the_server_versions_of_each_revision() {
    let receiver = Receiver::accepting();
    let note = |vendor: &str| {
        stdout(&standin(&[
            "run",
            "handover",
            "--vendor",
            vendor,
            "--to",
            &receiver.url(),
            "--json",
        ]))
        .lines()
        .find(|line| line.contains("run.started"))
        .unwrap()
        .to_owned()
    };
    let erxes = note("erxes");
    for revision in REVISIONS {
        assert!(erxes.contains(&format!("erxes@{revision}")), "{erxes}");
    }
    assert!(erxes.contains("contacts:customer") && erxes.contains("core:customer"));
    assert!(erxes.contains("1.6 to 1.17.7"), "types of 1.3, headers of 2: {erxes}");
    for vendor in ["liveperson", "liveperson@2019"] {
        assert!(note(vendor).contains("messageAudience"), "{vendor}");
    }
}

#[test]
fn users_who_write_take_part_in_the_conversation() {
    for revision in WITH_ITEMS {
        let steps = [
            step("open = {}"),
            step("say = { by = 'visitor', text = 'Hello' }"),
            step("assign = { to = 'mira', by = 'mira' }"),
            step("say = { by = 'mira', text = 'Hi' }"),
            step("say = { by = 'mira', text = 'Still there?' }"),
            step("close = { by = 'mira' }"),
        ];
        let events = events(&steps.concat(), revision);
        let of = |event: &Json| event["data"]["object"]["participatedUserIds"].clone();
        let changes: Vec<&Json> =
            events.iter().filter(|event| event["data"]["description"].is_string()).collect();
        let (assigned, closed) = (changes[0], changes[changes.len() - 1]);
        assert_eq!(of(assigned), json!([]), "{revision}");
        let mira = &assigned["data"]["newData"]["assignedUserId"];
        assert_eq!(of(closed), json!([mira]), "{revision}");
        assert_eq!(closed["data"]["updatedDocument"]["participatedUserIds"], json!([mira]));
    }
}

#[test]
fn resolving_all_conversations_logs_who_closed_them_and_when() {
    for revision in WITH_ITEMS {
        let steps = step("open = {}")
            + &step("say = { by = 'visitor', text = 'Hello' }")
            + &step(
                "emit = { type = 'conversation.update', by = 'mira', data = { resolve_all = true } }",
            );
        let events = events(&steps, revision);
        let data = &events.last().unwrap()["data"];
        // Since 1.3, the log computes the description itself, from a name that there is none of.
        let expected =
            if revision == "0.23" { "resolve all" } else { "\"undefined\" has been updated" };
        assert_eq!(data["description"], expected, "{revision}");
        assert_eq!(keys(&data["newData"]), ["status", "closedUserId", "closedAt"]);
        assert_eq!(data["object"]["status"], "open");
        let after = &data["updatedDocument"];
        assert_eq!(after["status"], "closed");
        assert_eq!(after["closedUserId"], data["newData"]["closedUserId"]);
        assert_eq!(after["closedAt"], data["newData"]["closedAt"]);
    }
}
