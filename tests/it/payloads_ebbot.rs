//! Ebbot: what the official client reads, and what the documentation shows.

use serde_json::{Value as Json, json};
use standin::emulator::StepOutcome;
use standin::record::RecordKind;

use crate::support::{ReceivedRequest, Receiver, play};

/// The bodies that a scenario sends, with all events subscribed to but the duplicates.
fn sent(steps: &str, options: &[(&str, &str)]) -> Vec<Json> {
    let receiver = Receiver::accepting();
    let mut run = play(steps).at("ebbot").subscribing(&["*", "!chat.message"]);
    for (option, value) in options {
        run = run.option(option, value);
    }
    run.to(&receiver);
    receiver.events().iter().map(ReceivedRequest::json).collect()
}

/// The data of the messages that a scenario sends.
fn messages(steps: &str, options: &[(&str, &str)]) -> Vec<Json> {
    let is_message = |event: &Json| event["topic"].as_str().unwrap().ends_with(".message");
    sent(steps, options).into_iter().filter(is_message).map(|event| event["data"].clone()).collect()
}

/// A conversation with these steps.
fn conversation(steps: &str) -> String {
    format!(
        "[cast.ada]\nrole = 'agent'\n[[step]]\nopen = {{ assignee = 'bot' }}\n{steps}\n\
         [[step]]\nclose = {{ by = 'system' }}\n"
    )
}

const BUTTONS: &str = "[[step]]\n[step.say]\nby = 'bot'\nkind = 'buttons'\ntext = 'Which?'\noptions = [\n\
    'Track it', { label = 'Shop', url = 'https://shop.example.test/' },\n\
    { label = 'Gold', variable = 'plan', value = 'gold' }, { label = 'Neither', flow = '' } ]\n";

#[test]
fn buttons_have_what_the_client_reads() {
    let urls = messages(&conversation(BUTTONS), &[])[0]["value"]["urls"].clone();
    for button in urls.as_array().unwrap() {
        assert_eq!(button["buttonId"], button["id"], "{button}");
        assert!(button["id"].is_string());
    }
    assert!(urls[0]["next"]["scenario"].is_string() && urls[0]["type"] == "scenario", "{urls}");
    assert_eq!([&urls[1]["type"], &urls[1]["value"]], ["url", "https://shop.example.test/"]);
    assert!(urls[1].get("next").is_none());
    let variable = [&urls[2]["type"], &urls[2]["name"], &urls[2]["value"]];
    assert_eq!(variable, ["variable", "plan", "gold"]);
    assert!(urls[3].get("next").is_none() && urls[3]["type"] == "scenario");
    let documented = messages(&conversation(BUTTONS), &[("button_id", "documented")]);
    let keys = documented[0]["value"]["urls"][0].as_object().unwrap().keys();
    assert_eq!(keys.collect::<Vec<_>>(), ["id", "label", "type", "next"]);
}

#[test]
fn plain_options_lead_to_different_flows() {
    let step = "[[step]]\nsay = { by = 'bot', kind = 'buttons', text = '?', options = ['A', 'B'] }";
    let urls = messages(&conversation(step), &[])[0]["value"]["urls"].clone();
    assert_ne!(urls[0]["next"]["scenario"], urls[1]["next"]["scenario"]);
}

#[test]
fn every_bundled_button_can_be_clicked_in_the_client() {
    for story in ["menu", "handover"] {
        let receiver = Receiver::accepting();
        play(story).at("ebbot").to(&receiver);
        let events = receiver.events();
        let events: Vec<Json> = events.iter().map(ReceivedRequest::json).collect();
        let buttons = events.iter().filter_map(|event| event["data"]["value"]["urls"].as_array());
        for button in buttons.flatten() {
            let works = button["next"]["scenario"].is_string() || button["value"].is_string();
            assert!(works && button["buttonId"].is_string(), "{story}: {button}");
        }
    }
}

#[test]
fn a_click_contains_what_was_clicked() {
    let click = |kind: &str, text: &str| {
        let click =
            format!("[[step]]\nsay = {{ by = 'visitor', kind = '{kind}', text = '{text}' }}\n");
        let sent = messages(&conversation(&format!("{BUTTONS}{click}")), &[]);
        assert_eq!(sent[1]["sender"], "user");
        (sent[0]["value"]["urls"].clone(), sent[1]["type"].clone(), sent[1]["value"].clone())
    };
    let (urls, word, value) = click("button_response", "Track it");
    assert_eq!((word, &value["scenario"]), ("scenario".into(), &urls[0]["next"]["scenario"]));
    let (_, word, value) = click("button_response", "Shop");
    assert_eq!((word, value), ("url_click".into(), "https://shop.example.test/".into()));
    let (_, word, value) = click("button_response", "Gold");
    assert_eq!((word, value), ("variable".into(), json!({"name": "plan", "value": "gold"})));
    let (_, word, value) = click("button_response", "Neither");
    assert_eq!((word, value), ("button_click".into(), "Neither".into()));
    let (_, word, value) = click("button_click", "Track it");
    assert_eq!((word, value), ("button_click".into(), "Track it".into()));
}

#[test]
fn message_types_of_the_client_can_be_sent() {
    let steps = "[[step]]\nsay = { by = 'bot', kind = 'gpt', text = 'As a model, I …' }\n\
        [[step]]\nsay = { by = 'visitor', kind = 'url_click', url = 'https://x.example.test/' }\n\
        [[step]]\nsay = { by = 'visitor', kind = 'file_list', files = ['a.png', 'b.png'] }\n\
        [[step]]\nsay = { by = 'system', kind = 'image' }\n\
        [[step]]\nsay = { by = 'system', text = 'Somebody joined' }\n";
    let sent = messages(&conversation(steps), &[]);
    assert_eq!([&sent[0]["type"], &sent[0]["value"]], ["gpt", "As a model, I …"]);
    assert_eq!([&sent[1]["type"], &sent[1]["value"]], ["url_click", "https://x.example.test/"]);
    assert_eq!(sent[2]["type"], "file_list");
    assert_eq!(sent[2]["value"]["messageId"], sent[2]["id"]);
    let files = sent[2]["value"]["files"].as_array().unwrap();
    assert_eq!([&files[0]["filename"], &files[1]["filename"]], ["a.png", "b.png"]);
    assert_ne!(files[0]["key"], files[1]["key"]);
    // Only texts of the system have a type of their own.
    assert_eq!([&sent[3]["type"], &sent[4]["type"]], ["image", "text_info"]);
}

#[test]
fn lost_texts_are_reported() {
    let steps = "[[step]]\nsay = { by = 'visitor', kind = 'image', text = 'Look' }\n\
        [[step]]\nsay = { by = 'visitor', kind = 'document', text = 'Read' }\n\
        [[step]]\nsay = { by = 'bot', kind = 'rating_request', text = 'Well?' }\n\
        [[step]]\nsay = { by = 'visitor', kind = 'rating', text = 'Two', score = 2 }\n\
        [[step]]\nsay = { by = 'bot', kind = 'list', text = 'See', header = 'Shop',\n\
          sections = [{ title = 'A', items = [{ title = 'B', description = 'C' }] }] }\n\
        [[step]]\nrate = { by = 'visitor', score = 2, comment = 'Slow' }\n";
    let lost: Vec<(String, String)> = play(&conversation(steps))
        .at("ebbot")
        .step_outputs()
        .into_iter()
        .filter_map(|output| match output.outcome {
            StepOutcome::Skipped { action, reason } => Some((action.to_owned(), reason)),
            _ => None,
        })
        .collect();
    let parts: Vec<&str> = lost.iter().map(|(part, _)| part.as_str()).collect();
    let data = "say.data";
    assert_eq!(
        parts,
        ["say.text", "say.text", "say.text", data, data, data, "rate.comment"],
        "{lost:?}"
    );
    for (at, name) in
        [(3, "`header`"), (4, "`sections.items.description`"), (5, "`sections.title`")]
    {
        assert!(lost[at].1.contains(name), "{lost:?}");
    }
    let receiver = Receiver::accepting();
    let run = play(&conversation(steps)).at("ebbot").to(&receiver);
    let is_loss = |kind: &RecordKind| matches!(kind, RecordKind::ActionSkipped { .. });
    assert_eq!(run.records.iter().filter(|record| is_loss(&record.kind)).count(), 7);
}

#[test]
fn a_handover_shows_the_skill_and_the_agents() {
    let steps = "[[step]]\nassign = { skill = 'returns', by = 'bot' }\n\
        [[step]]\nassign = { to = 'ada' }\n\
        [[step]]\nafter = '9s'\nrate = { score = 4 }\n";
    let sent = sent(&conversation(steps), &[]);
    let chats: Vec<&Json> = sent.iter().filter_map(|event| event.get("chat")).collect();
    let [queued, handed, rated, closed] = chats.as_slice() else { panic!("{chats:#?}") };
    assert!(queued["transferSkillId"].is_string());
    assert_eq!(queued["agents"], json!([]));
    assert_eq!(handed["agents"], json!([handed["userId"]]));
    assert!(handed["userId"].is_string());
    assert_eq!(rated["statusTimestamp"], handed["statusTimestamp"]);
    assert_ne!(closed["statusTimestamp"], rated["statusTimestamp"]);
    assert_ne!(rated["updatedAt"], handed["updatedAt"]);
}

#[test]
fn an_option_selects_the_documented_timestamps() {
    let steps = conversation(
        "[[step]]\nsay = { by = 'visitor', text = 'A' }\n[[step]]\nassign = { to = 'ada' }\n\
         [[step]]\nsay = { by = 'ada', text = 'B' }\n",
    );
    let digits = |option: &[(&str, &str)]| -> Vec<usize> {
        let times = messages(&steps, option).into_iter();
        times.map(|m| m["timestamp"].as_str().unwrap().find('.').unwrap()).collect()
    };
    assert_eq!(digits(&[]), [10, 10]);
    assert_eq!(digits(&[("message_time", "documented")]), [13, 10]);
    let at = |option: &[(&str, &str)]| -> f64 {
        messages(&steps, option)[0]["timestamp"].as_str().unwrap().parse().unwrap()
    };
    let difference = at(&[("message_time", "documented")]) / 1000.0 - at(&[]);
    assert!(difference.abs() < 0.001, "{difference}");
}

#[test]
fn a_variable_does_not_replace_the_id_of_the_chat() {
    let steps =
        conversation("[[step]]\nset = { variables = { id = '7', os = 'BeOS', seats = 4.0 } }\n");
    let run = play(&steps).at("ebbot").to(&Receiver::accepting());
    let lost = run.find(|kind| match kind {
        RecordKind::ActionSkipped { action, reason } => Some(format!("{action}: {reason}")),
        _ => None,
    });
    assert_eq!(lost.unwrap(), "set.variables: Ebbot sends its own `id`");
    let sent = sent(&steps, &[]);
    let data = &sent.iter().find(|event| event["topic"] == "chat.data.update").unwrap()["data"];
    assert_eq!(data["id"], sent[0]["data"]["id"]);
    assert_eq!(data.as_object().unwrap().keys().next().unwrap(), "id");
    assert_eq!(data["os"], "BeOS");
    assert_eq!(data["seats"].to_string(), "4", "as JavaScript writes it");
}
