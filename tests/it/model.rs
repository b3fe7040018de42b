//! The conversation model: which actions it refuses, and that its field tables match its values.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, json};
use standin::base::fake::{Persona, locale};
use standin::base::seed::SeedScope;
use standin::conversation::{
    Action, ActionKind, Actor, Conversation, ConversationRules, EventKind, GeneratedIds,
    InvalidAction, Member, Person, Role, StaffAccess, model,
};
use standin::template::{FieldType, Object, TableType, Value};

fn person(name: &str, role: Role) -> Person {
    let member = Member {
        name: name.into(),
        role,
        persona: Persona::generate(locale("sv"), &SeedScope::of_run(1).within(name)),
        email: Some("somebody@example.test".into()),
        phone: Some("+46555000000".into()),
        external_key: None,
        locale: locale("sv"),
        is_new: true,
        created_at: Timestamp::UNIX_EPOCH,
        ids: GeneratedIds::default(),
    };
    let variables = json!({"age": 7}).as_object().unwrap().clone();
    Person::new(Arc::new(member), variables)
}

fn conversation(rules: ConversationRules) -> Conversation {
    let cast = vec![
        person("visitor", Role::Visitor),
        person("bot", Role::Bot),
        person("system", Role::System),
        person("grace", Role::Agent),
        person("omar", Role::Agent),
    ];
    Conversation::new(1, cast, Arc::new(rules))
}

fn actor(name: &str) -> Actor {
    if name == "assignee" { Actor::Assignee } else { Actor::Member(name.into()) }
}

fn open(assignee: &str) -> Action {
    ActionKind::open("web", Some(actor(assignee))).by(actor("visitor"))
}

fn say(by: &str) -> Action {
    let (kind, text) = ("text".into(), "Hello".into());
    ActionKind::Say { kind, text, data: Map::new() }.by(actor(by))
}

fn assign(to: &str) -> Action {
    ActionKind::Assign { to: Some(actor(to)), skill: None, accept: None }.by(actor("system"))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Plays actions, one per second. Returns the result of the last one.
fn play(actions: &[Action]) -> (Conversation, Result<EventKind, InvalidAction>) {
    let mut conversation =
        conversation(ConversationRules { offers: true, ..ConversationRules::default() });
    let mut last = Ok(EventKind::ConversationOpened);
    for (second, action) in (1..).zip(actions) {
        last = conversation.apply(action, at(second)).map(|event| event.kind);
    }
    (conversation, last)
}

#[test]
fn an_invalid_action_is_refused_and_changes_nothing() {
    let close = || ActionKind::Close { survey: false }.by(actor("visitor"));
    let check = |actions: &[Action], refusal: InvalidAction| {
        assert_eq!(play(actions).1, Err(refusal), "{actions:?}");
    };
    check(&[say("visitor")], InvalidAction::NotOpened);
    check(&[open("bot"), open("bot")], InvalidAction::AlreadyOpen);
    check(&[open("bot"), close(), say("visitor")], InvalidAction::Closed);
    check(&[open("bot"), close(), close()], InvalidAction::Closed);
    check(&[open("bot"), assign("bot")], InvalidAction::AlreadyAssigned("bot".into()));
    check(&[open("bot"), say("nobody")], InvalidAction::UnknownPerson("nobody".into()));
    check(
        &[open("bot"), ActionKind::Read { upto: None }.by(actor("grace"))],
        InvalidAction::NothingToRead("grace".into()),
    );
    check(
        &[open("bot"), ActionKind::Leave.by(actor("grace"))],
        InvalidAction::NotJoined("grace".into()),
    );
    check(
        &[open("bot"), ActionKind::Leave.by(actor("bot")), say("assignee")],
        InvalidAction::NoAssignee,
    );
    let (refused, _) = play(&[open("bot"), close(), say("visitor")]);
    assert!(refused.messages.is_empty());
}

#[test]
fn staff_of_a_shared_inbox_acts_in_conversations_that_it_has_left() {
    let close = || ActionKind::Close { survey: false }.by(actor("grace"));
    let left = [open("grace"), ActionKind::Leave.by(actor("grace")), close(), assign("omar")];
    for staff_access in [StaffAccess::Participants, StaffAccess::SharedInbox] {
        let rules = ConversationRules { staff_access, ..ConversationRules::default() };
        let mut conversation = conversation(rules);
        let results: Vec<bool> =
            left.iter().map(|action| conversation.apply(action, at(1)).is_ok()).collect();
        // Where nobody may close it, it is still open when it is assigned.
        let is_shared = staff_access == StaffAccess::SharedInbox;
        assert_eq!(results, [true, true, is_shared, true]);
        assert_eq!(conversation.assignee().map(|who| &*who.member.name), Some("omar"));
    }
}

#[test]
fn participants_change_with_actions() {
    let joined = |actions: &[Action]| {
        let (conversation, last) = play(actions);
        assert!(last.is_ok());
        conversation
            .participants()
            .map(|p| format!("{}:{}", p.member.name, p.participant_role))
            .collect::<Vec<_>>()
    };
    assert_eq!(joined(&[open("bot")]), ["visitor:visitor", "bot:assignee"]);
    assert_eq!(joined(&[open("bot"), assign("grace")]), ["visitor:visitor", "grace:assignee"]);
    let to_queue = ActionKind::Assign { to: None, skill: Some("billing".into()), accept: None }
        .by(actor("bot"));
    assert_eq!(joined(&[open("bot"), to_queue]), ["visitor:visitor"]);
    let offer = ActionKind::Assign {
        to: Some(actor("omar")),
        skill: None,
        accept: Some(jiff::SignedDuration::from_secs(2)),
    }
    .by(actor("bot"));
    assert_eq!(joined(&[open("bot"), offer.clone()]), ["visitor:visitor", "omar:suggested"]);
    let accept = ActionKind::Accept.by(actor("omar"));
    assert_eq!(joined(&[open("bot"), offer, accept]), ["visitor:visitor", "omar:assignee"]);
}

#[test]
fn missing_actions_are_implied() {
    let (conversation, _) = play(&[open("bot")]);
    assert_eq!(
        conversation.implied_before(&say("grace")),
        Some(ActionKind::Join.by(actor("grace")))
    );
    assert_eq!(conversation.implied_before(&say("visitor")), None);
    let types = ActionKind::Typing { on: true }.by(actor("bot"));
    let (conversation, _) = play(&[open("bot"), types, say("bot")]);
    let stops = ActionKind::Typing { on: false }.by(actor("bot"));
    assert_eq!(conversation.implied_after(&say("bot")), Some((None, stops)));
}

#[test]
fn a_read_mark_names_the_unread_messages_of_the_other_side() {
    let (mut conversation, _) = play(&[open("bot"), say("visitor"), say("bot"), say("visitor")]);
    let read = ActionKind::Read { upto: None }.by(actor("grace"));
    assert_eq!(conversation.apply(&read, at(9)).unwrap().messages, [0, 2]);
    conversation.apply(&say("visitor"), at(10)).unwrap();
    assert_eq!(conversation.apply(&read, at(11)).unwrap().messages, [3]);
    let read = ActionKind::Read { upto: None }.by(actor("visitor"));
    assert_eq!(conversation.apply(&read, at(12)).unwrap().messages, [1]);
}

#[test]
fn a_reply_is_due_until_it_is_sent() {
    let within = jiff::SignedDuration::from_secs(60);
    let mut conversation = conversation(ConversationRules {
        reply_within: Some(within),
        ..ConversationRules::default()
    });
    let due = |conversation: &Conversation| conversation.reply_due.map(Timestamp::as_second);
    conversation.apply(&open("bot"), at(1)).unwrap();
    assert_eq!(due(&conversation), Some(61));
    conversation.apply(&say("visitor"), at(5)).unwrap();
    assert_eq!(due(&conversation), Some(61));
    conversation.apply(&say("bot"), at(6)).unwrap();
    assert_eq!(due(&conversation), None);
    conversation.apply(&say("visitor"), at(10)).unwrap();
    assert_eq!(due(&conversation), Some(70));
}

/// Every field of a table has a value of the declared type. Fields that are not optional are
/// always present.
fn check_names(path: &str, names: &TableType, object: &dyn Object) {
    for name in &names.fields {
        let value = object.get(&name.name);
        let path = format!("{path}.{}", name.name);
        assert!(name.optional || !value.is_absent(), "{path} is absent");
        check_value(&path, &name.field_type, value);
    }
}

fn check_value(path: &str, shape: &FieldType, value: Value<'_>) {
    match (shape, value) {
        (_, Value::Absent)
        | (FieldType::Any, _)
        | (FieldType::Bool, Value::Bool(_))
        | (FieldType::Text, Value::Text(_))
        | (FieldType::Int, Value::Int(_))
        | (FieldType::Time, Value::Time(_)) => {}
        (FieldType::Bool, Value::Json(json)) => assert!(json.is_boolean(), "{path}"),
        (FieldType::Text, Value::Json(json)) => assert!(json.is_string(), "{path}"),
        (FieldType::Word(words), Value::Text(word)) => {
            assert!(words.contains(&&*word), "{path}: {word}");
        }
        (FieldType::Table(names), Value::Object(object)) => check_names(path, names, object),
        (FieldType::Table(names), Value::Json(json)) => {
            assert!(names.writable && json.is_object(), "{path}");
        }
        (FieldType::List(item), Value::List(items)) => {
            items.into_iter().for_each(|value| check_value(path, item, value));
        }
        (shape, _) => panic!("{path} is not {}", shape.about()),
    }
}

#[test]
fn the_field_tables_match_the_values() {
    let person = model::person();
    let head = model::dialog_head();
    let message = model::message(&person, &head);
    let names = model::conversation(&person, &message, &model::dialog(&person));
    let stories: [&[Action]; 3] = [
        &[open("bot")],
        &[open("bot"), say("visitor"), assign("grace"), say("grace")],
        &[open("bot"), say("visitor"), ActionKind::Close { survey: false }.by(actor("bot"))],
    ];
    for actions in stories {
        let (conversation, last) = play(actions);
        assert!(last.is_ok());
        check_names("conversation", &names, &conversation);
        check_names("visitor", &person, conversation.visitor().unwrap());
    }
    let mut conversation = play(&[open("bot"), say("visitor")]).0;
    for action in [
        ActionKind::Typing { on: true }.by(actor("bot")),
        ActionKind::Note { text: "x".into() }.by(actor("bot")),
        assign("grace"),
        ActionKind::Close { survey: false }.by(actor("grace")),
    ] {
        let event = conversation.apply(&action, at(100)).unwrap();
        check_names(
            "event",
            &model::event(event.kind, &person, &message, &model::dialog_head()),
            &event,
        );
    }
}
