//! `WotNot` and its labels: assumed shapes, forms, and numbers as Python writes them.

use serde_json::{Value as Json, json};
use standin::record::RecordKind;

use crate::support::{ReceivedRequest, Receiver, play, standin, stdout};

fn events(scenario: &str, vendor: &str) -> Vec<Json> {
    let receiver = Receiver::accepting();
    play(scenario).at(vendor).to(&receiver);
    receiver.events().iter().map(|event| event.json()["events"][0]["event"].clone()).collect()
}

/// The certainty of each delivery of an event type.
fn certainties(scenario: &str, vendor: &str, of: &str) -> Vec<String> {
    let receiver = Receiver::accepting();
    let run = play(scenario).at(vendor).to(&receiver);
    let planned = run.records.into_iter().filter_map(|record| match record.kind {
        RecordKind::DeliveryPlanned { event_type, certainty, .. } if event_type == of => {
            Some(certainty.clone())
        }
        _ => None,
    });
    planned.collect()
}

const CAST: &str = "[cast.ada]\nrole = 'agent'\n[cast.bo]\nrole = 'agent'\n";

#[test]
fn undocumented_shapes_are_reported_as_assumed() {
    for vendor in ["wotnot", "swiftsell", "replycx"] {
        let scenario = format!(
            "{CAST}[[step]]\nopen = {{ assignee = 'bot' }}\n[[step]]\nassign = {{ to = 'ada' }}\n\
             [[step]]\nassign = {{ skill = 'returns' }}\n[[step]]\nassign = {{ to = 'bo' }}\n\
             [[step]]\nlabel = {{ by = 'bo', add = ['vip'] }}\n\
             [[step]]\nlabel = {{ by = 'bo', remove = ['vip'] }}\n[[step]]\nclose = {{ by = 'bo' }}\n"
        );
        let of = |event_type: &str| certainties(&scenario, vendor, event_type);
        assert_eq!(of("conversation_create"), ["documented"], "{vendor}");
        assert_eq!(of("assignee_change"), ["documented", "assumed", "assumed"], "{vendor}");
        assert_eq!(of("conversation_labels"), ["assumed", "documented"], "{vendor}");
        let unassigned = "[[step]]\nopen = {}\n[[step]]\nclose = { by = 'system' }\n";
        assert_eq!(certainties(unassigned, vendor, "conversation_create"), ["assumed"]);
    }
    let set = |value: &str| {
        let scenario = format!(
            "[[step]]\nopen = {{}}\n[[step]]\nset = {{ variables = {{ it = {value} }} }}\n"
        );
        certainties(&scenario, "wotnot", "variables").join(" ")
    };
    for value in ["'gold'", "3", "true"] {
        assert_eq!(set(value), "documented", "{value}");
    }
    for value in ["['a', 'b']", "{ a = 1 }", "{ type = 'date', value = '2026-01-05' }"] {
        assert_eq!(set(value), "assumed", "{value}");
    }
    let told =
        stdout(&standin(&["send", "wotnot", "assignee_change", "--set", "skill=x", "--dry-run"]));
    assert!(told.contains("assignee_change"), "{told}");
}

const FORM: &str = "[cast.visitor]\nrole = 'visitor'\nlocale = 'sv'\nname = 'Åsa Öberg'\n\
    [[step]]\nopen = { assignee = 'bot' }\n\
    [[step]]\nsay = { by = 'bot', kind = 'form', text = '?', fields = ['Your name', 'Invoice number', 'email', 'What happened?'] }\n";

fn form(responses: &str) -> [Json; 2] {
    let scenario = format!(
        "{FORM}[[step]]\nsay = {{ by = 'visitor', kind = 'form_response'{responses} }}\n[[step]]\nclose = {{ by = 'bot' }}\n"
    );
    let events = events(&scenario, "wotnot");
    let fields = events.iter().filter(|event| event["type"] == "message");
    let fields: Vec<Json> =
        fields.map(|event| event["payload"]["message"]["payload"]["fields"].clone()).collect();
    fields.try_into().unwrap()
}

#[test]
fn plain_form_fields_have_variables_and_answers_of_their_own() {
    let [asked, answered] = form("");
    let variable = |field: &Json| field["variable"].as_str().unwrap().to_owned();
    let names: Vec<String> = asked.as_array().unwrap().iter().map(variable).collect();
    let name = |slug: &str| format!("¿·$user.info.{slug}·?");
    assert_eq!(names, ["your_name", "invoice_number", "email", "what_happened"].map(name));
    let answers: Vec<String> = answered.as_array().unwrap().iter().map(variable).collect();
    assert_eq!(answers, names);
    let value = |at: usize| answered[at]["value"].as_str().unwrap();
    assert_eq!(value(0), "Åsa Öberg");
    assert!(value(1).len() == 5 && value(1).parse::<u32>().is_ok(), "{answered}");
    assert_eq!(value(2), "asa.oberg@example.test");
    assert_eq!(asked[2]["type"], "email", "a plain text finds the default field of that label");
    assert!(value(3).ends_with('.'), "a sentence: {answered}");
}

#[test]
fn an_absent_value_keeps_its_place_in_a_list() {
    let [_, answered] =
        form(", fields = ['${cast.visitor.email?}', 'My invoice', '${cast.visitor.phone?}']");
    let values: Vec<&Json> =
        answered.as_array().unwrap().iter().map(|field| &field["value"]).collect();
    assert_eq!(values[..3], [&Json::Null, &json!("My invoice"), &Json::Null]);
}

#[test]
fn numbers_are_written_as_in_the_language_of_the_vendor() {
    let scenario = "[cast.visitor]\nrole = 'visitor'\nvariables = { age = 41.0 }\n[[step]]\nopen = {}\n\
        [[step]]\nset = { variables = { seats = 30.0, share = { type = 'text', value = 1e-6 } } }\n\
        [[step]]\nclose = { by = 'system' }\n";
    let bodies = |vendor: &str| -> String {
        let receiver = Receiver::accepting();
        play(scenario).at(vendor).to(&receiver);
        receiver.events().iter().map(|event: &ReceivedRequest| event.body.clone()).collect()
    };
    let python = bodies("wotnot");
    for part in [r#""value": 41.0"#, r#""value": "30.0""#, r#""value": 1e-06"#] {
        assert!(python.contains(part), "{part} in {python}");
    }
    let javascript = bodies("ebbot");
    for part in [r#""age":41,"#, r#""seats":30,"#, r#""share":0.000001"#] {
        assert!(javascript.contains(part), "{part} in {javascript}");
    }
}

#[test]
fn buttons_have_texts_in_the_language_of_the_visitor() {
    let scenario = "locale = 'de'\n[[step]]\nopen = { assignee = 'bot' }\n\
        [[step]]\nsay = { by = 'bot', kind = 'buttons', text = '?' }\n[[step]]\nclose = { by = 'bot' }\n";
    for vendor in ["wotnot", "ebbot", "liveperson"] {
        let receiver = Receiver::accepting();
        play(scenario).at(vendor).to(&receiver);
        let told: String = receiver.events().iter().map(|event| event.body.clone()).collect();
        assert!(told.contains("\"Ja\"") && told.contains("\"Nein\""), "{vendor}: {told}");
    }
    let list = scenario.replace("'buttons', text = '?'", "'list'");
    let list = events(&list, "wotnot").iter().map(Json::to_string).collect::<String>();
    for text in ["Auswählen", "Ja", "Nein"] {
        assert!(list.contains(&format!("\"{text}\"")), "{text} in {list}");
    }
}

#[test]
fn an_actor_without_an_address_and_undocumented_types_of_variables_are_assumed() {
    let of = |steps: &str, event: &str| {
        certainties(
            &format!("{CAST}[[step]]\nopen = {{ assignee = 'bo' }}\n{steps}"),
            "wotnot",
            event,
        )
    };
    for (by, expected) in [("bo", "documented"), ("visitor", "assumed"), ("system", "assumed")] {
        assert_eq!(
            of(&format!("[[step]]\nclose = {{ by = '{by}' }}\n"), "status"),
            [expected],
            "{by}"
        );
    }
    for (value, expected) in [
        ("'x'", "documented"),
        ("4", "documented"),
        ("{ type = 'date', value = '2026-01-05' }", "assumed"),
        ("{ type = 'table', value = ['x'] }", "assumed"),
    ] {
        let steps = format!(
            "[[step]]\nset = {{ variables = {{ v = {value} }} }}\n[[step]]\nclose = {{ by = 'bo' }}\n"
        );
        assert_eq!(of(&steps, "variables"), [expected], "{value}");
    }
}
