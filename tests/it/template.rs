//! The template language: rendered output, and errors with their columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};
use standin::diag::{Problems, Source, SyntaxNode, json as json_file};
use standin::template::{
    CompileContext, Field, FieldType, JsonSpacing, JsonStyle, JsonTemplate, TableType, WordTable,
    compile,
};

const PYTHON: JsonStyle = JsonStyle { spacing: JsonSpacing::Spaced, ascii: true };

/// The values that the templates of these tests can name.
fn root() -> Map<String, Json> {
    let json = json!({
        "text": "a \"b\"", "int": 7, "flag": true, "role": "agent", "items": [1, 2],
        "people": [{"name": "A", "mail": "a@example.test"}, {"name": "B"}],
        "table": {"x": 1, "y": [2]}, "there": "here",
    });
    json.as_object().unwrap().clone()
}

fn names() -> TableType {
    let person = TableType::new("a person", vec![])
        .always("name", FieldType::Text)
        .maybe("mail", FieldType::Text);
    TableType::new("the root", vec![])
        .always("text", FieldType::Text)
        .always("int", FieldType::Int)
        .always("flag", FieldType::Bool)
        .always("time", FieldType::Time)
        .always("role", FieldType::Word(&["agent", "visitor"]))
        .always("items", FieldType::list(FieldType::Int))
        .always("people", FieldType::list(FieldType::table(person)))
        .always("table", FieldType::of_json(&json!({"x": 1, "y": [2]})))
        .maybe("there", FieldType::Text)
        .maybe("gone", FieldType::Text)
        .maybe("data", FieldType::Any)
}

fn words() -> BTreeMap<String, Arc<WordTable>> {
    let table = |pairs: Json| {
        Arc::new(WordTable::new(pairs.as_object().unwrap().clone().into_iter().collect(), None))
    };
    BTreeMap::from([
        ("role".to_owned(), table(json!({"agent": 1, "visitor": null}))),
        ("part".to_owned(), table(json!({"agent": "A"}))),
    ])
}

fn node(name: &str, text: &str) -> SyntaxNode {
    let (node, problems) = json_file::parse(&Source::new(name, text));
    assert!(problems.is_empty(), "{text}: {problems:?}");
    node.unwrap()
}

fn compiled(template: &str, style: JsonStyle) -> Result<JsonTemplate, Problems> {
    let words = words();
    let files = |name: &str| {
        let text = match name {
            "tail.json" => r#"{"tail": "${text}", "gone": "${gone?}"}"#,
            "person.json" => r#"{"called": "${who.name}"}"#,
            "loop.json" => r#"{"$include": "loop.json"}"#,
            "list.json" => "[]",
            _ => return None,
        };
        Some(Arc::new(node(name, text)))
    };
    let context = CompileContext { root: names(), words: &words, files: &files, reads: None };
    let mut problems = Problems::new();
    let body = compile(&node("t.json", template), &context, style, &mut problems);
    problems.into_result(body)
}

fn renders(template: &str, expected: &str) {
    let body =
        compiled(template, JsonStyle::COMPACT).unwrap_or_else(|p| panic!("{template}: {p:?}"));
    assert_eq!(body.render(&root()).unwrap(), expected, "{template}");
}

/// Checks that a one-line template has exactly these problems, as `column message`.
fn refuses(template: &str, expected: &[&str]) {
    let problems = compiled(template, JsonStyle::COMPACT).unwrap_err().sorted();
    let told: Vec<String> = problems
        .iter()
        .map(|problem| {
            let (_, column) = problem.span.as_ref().unwrap().line_column();
            format!("{column} {}", problem.message)
        })
        .collect();
    assert_eq!(told, expected, "{template}");
}

#[test]
fn a_lone_placeholder_keeps_the_type_and_surrounding_text_makes_a_string() {
    renders(
        r#"{"a":"${int}","b":"${int}!","c":"${flag}","d":"$5 $$ $${x}"}"#,
        r#"{"a":7,"b":"7!","c":true,"d":"$5 $ ${x}"}"#,
    );
    renders(
        r#"["${text}","<${text}>","${table}","${items}"]"#,
        r#"["a \"b\"","<a \"b\">",{"x":1,"y":[2]},[1,2]]"#,
    );
    renders(r#"{"${role}-${int}":1,"$$each":2}"#, r#"{"agent-7":1,"$each":2}"#);
    renders(
        r#"{"n":1.50,"o":{},"l":[],"e":"","z":null}"#,
        r#"{"n":1.50,"o":{},"l":[],"e":"","z":null}"#,
    );
}

#[test]
fn an_absent_value_omits_its_key_or_element() {
    renders(r#"{"a":"${gone?}","b":1,"c":"${gone?}","d":"${there?}"}"#, r#"{"b":1,"d":"here"}"#);
    renders(r#"["${gone?}","${there?}","${gone?}",1]"#, r#"["here",1]"#);
    renders(
        r#"{"a":"${gone | or:null}","b":"${gone | upper | or:{\"x\":[]}}"}"#,
        r#"{"a":null,"b":{"x":[]}}"#,
    );
    renders(r#"{"a":"${data.deep.er?}"}"#, "{}");
    renders(r#"{"a":"x ${gone | or:\"\"} y"}"#, r#"{"a":"x  y"}"#);
}

#[test]
fn each_iterates_over_lists_and_tables() {
    renders(r#"[0,{"$each":"n in items","$do":"${n}"},9]"#, "[0,1,2,9]");
    renders(
        r#"[{"$each":"p in people | reversed","$do":{"n":"${p.name}","m":"${p.mail?}"}}]"#,
        r#"[{"n":"B"},{"n":"A","m":"a@example.test"}]"#,
    );
    renders(r#"[{"$each":"e in table","$do":["${e.name}","${e.value}"]}]"#, r#"["x",1,"y",[2]]"#);
    renders(r#"[{"$each":"e in table","$do":[["${e.name}"]]}]"#, r#"[["x"],["y"]]"#);
    renders(
        r#"[{"$each":"a in items","$do":{"$each":"b in items","$do":"${a}${b}"}}]"#,
        r#"["11","12","21","22"]"#,
    );
    renders(r#"[{"$each":"d in data","$do":1}]"#, "[]");
}

#[test]
fn conditions_select_a_branch() {
    renders(
        r#"{"a":{"$if":"there","$then":"${there}","$else":0},"b":{"$if":"gone","$then":1}}"#,
        r#"{"a":"here"}"#,
    );
    renders(
        r#"{"a":{"$if":"role","$is":["agent"],"$then":{"$if":"gone","$then":1,"$else":2}}}"#,
        r#"{"a":2}"#,
    );
    renders(r#"[{"$if":"flag","$is":true,"$then":[1,2]},3]"#, "[1,2,3]");
    renders(
        r#"{"a":{"$if":"int","$is":8,"$else":"other"},"b":{"$if":"int","$is":7,"$else":1}}"#,
        r#"{"a":"other"}"#,
    );
    renders(r#"{"a":{"$if":"int","$is":7,"$then":"seven"},"b":1}"#, r#"{"a":"seven","b":1}"#);
}

#[test]
fn files_are_included_merged_and_embedded_as_text() {
    renders(r#"{"a":1,"$include":"tail.json","z":2}"#, r#"{"a":1,"tail":"a \"b\"","z":2}"#);
    renders(
        r#"[{"$each":"p in people","$do":{"$include":"person.json","$with":{"who":"p"}}}]"#,
        r#"[{"called":"A"},{"called":"B"}]"#,
    );
    renders(
        r#"{"$merge":[{"x":0,"a":1},"${table}",{"$if":"gone","$then":{"never":1}},{"a":2}]}"#,
        r#"{"x":1,"a":2,"y":[2]}"#,
    );
    renders(
        r#"{"$merge":[{"$each":"p in people","$do":{"${p.name}":"${p.mail?}"}}]}"#,
        r#"{"A":"a@example.test"}"#,
    );
    renders(r#"{"data":{"$json":{"a":["${text}"]}}}"#, r#"{"data":"{\"a\":[\"a \\\"b\\\"\"]}"}"#);
}

#[test]
fn word_tables_translate_values() {
    renders(r#"["${role | word:role}"]"#, "[1]");
    refuses(r#"["${role | word:part}"]"#, &["3 `[words.part]` has no word for `visitor`"]);
    refuses(r#"["${role | word:rolle}"]"#, &["3 unknown table `[words.rolle]`"]);
}

#[test]
fn every_mistake_is_reported_at_its_column() {
    refuses(
        r#"{"a":"${tetx}","b":"x ${int.y}"}"#,
        &["9 unknown name `tetx`", "29 `int` is an integer, which has no fields"],
    );
    refuses(r#"{"a":"${gone}"}"#, &["7 `gone` can be absent"]);
    refuses(r#"{"a":"${text?}"}"#, &["7 `text` is always present"]);
    refuses(r#"{"a":"${text | or:1}"}"#, &["7 `text` is always present"]);
    refuses(r#"{"a":"${time}"}"#, &["7 a time cannot be written as a value"]);
    refuses(r#"{"a":"${people}"}"#, &["7 a list cannot be written as a value"]);
    refuses(r#"{"a":"${text | epoch_ms}"}"#, &["7 the filter `epoch_ms` takes a time, not a text"]);
    refuses(r#"{"a":"${text | uper}"}"#, &["7 unknown filter `uper`"]);
    refuses(r#"{"a":"${text | cut}"}"#, &["7 the filter `cut` requires an argument after `:`"]);
    refuses(
        r#"{"a":"x ${gone?}"}"#,
        &["9 a value that can be absent is inserted into a longer text"],
    );
    refuses(
        r#"{"a":"${new.uuid4}"}"#,
        &["7 `${new.…}` is allowed only in `[account]`, `[secret]` and `[ids]`"],
    );
    refuses(r#""${gone?}""#, &["1 the whole body can be absent"]);
    refuses(r#"{"$include":"nowhere.json"}"#, &["13 file `nowhere.json` not found"]);
    refuses(r#"{"$include":"list.json"}"#, &["13 `list.json` contains a list, expected an object"]);
    refuses(
        r#"{"a":1,"$includ":"x"}"#,
        &["8 the construct `$includ` is unknown or not allowed here"],
    );
    refuses(r#"{"tail":1,"$include":"tail.json"}"#, &["2 duplicate key `tail`"]);
    refuses(
        r#"{"a":{"$each":"x in items","$do":1}}"#,
        &["15 `$each` is allowed only in a list and in `$merge`"],
    );
    refuses(r#"[{"$each":"x of items","$do":1}]"#, &["11 `$each` takes `name in path.to.list`"]);
    refuses(r#"[{"$each":"x in int","$do":1}]"#, &["11 cannot iterate over an integer"]);
    refuses(
        r#"{"a":{"$if":"role","$is":"agnet","$then":1}}"#,
        &["26 `role` never has the value `agnet`"],
    );
    refuses(
        r#"{"a":{"$if":"text","$then":1}}"#,
        &["13 `text` is always present, so `$if` requires `$is`"],
    );
    refuses(
        r#"{"a":{"$if":"gone","$the":1}}"#,
        &["6 `$if` requires `$then` or `$else`", "20 `$the` is not a key of `$if`"],
    );
}

#[test]
fn a_recursive_include_is_an_error() {
    let problems = compiled(r#"{"$include":"loop.json"}"#, JsonStyle::COMPACT).unwrap_err();
    assert_eq!(problems.sorted()[0].message, "`loop.json` includes itself");
}

/// Strings that are difficult to escape: quotes, backslashes, control characters, line separators,
/// emoji, right-to-left marks and arbitrary characters.
fn difficult_string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("\u{0}".to_owned()),
        Just("\u{1f}".to_owned()),
        Just("\u{7f}".to_owned()),
        Just("\u{2028}".to_owned()),
        Just("🙂👩‍👩‍👧".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("${int}".to_owned()),
        Just("a\u{300}".to_owned()),
        Just("\r\n".to_owned()),
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_string_value_survives_rendering_and_parsing(text in difficult_string(), there in difficult_string()) {
        let mut root = root();
        root.insert("text".into(), text.clone().into());
        root.insert("there".into(), there.clone().into());
        let template = r#"{
            "v": "${text}", "t": "<${text}|${text}>", "l": ["${there?}"], "k": {"${text}": 1},
            "j": {"$json": {"deep": {"$json": "${text}"}}},
            "m": {"$merge": [{"a": "${text}", "b": "old"}, {"b": "${there?}"}]}
        }"#;
        for style in [JsonStyle::COMPACT, PYTHON] {
            let out = compiled(template, style).unwrap().render(&root).unwrap();
            if style.ascii {
                prop_assert!(out.is_ascii());
            }
            let read: Json = serde_json::from_str(&out).unwrap();
            prop_assert_eq!(&read["v"], &json!(text));
            prop_assert_eq!(&read["t"], &json!(format!("<{text}|{text}>")));
            prop_assert_eq!(&read["l"], &json!([there]));
            let mut key = Map::new();
            key.insert(text.clone(), 1.into());
            prop_assert_eq!(&read["k"], &Json::Object(key));
            let deep: Json = serde_json::from_str(read["j"].as_str().unwrap()).unwrap();
            prop_assert_eq!(deep["deep"].as_str().unwrap(), render_in_style(&text, style));
            prop_assert_eq!(&read["m"], &json!({"a": text, "b": there}));
        }
    }
}

/// A string in a JSON style, rendered by a template that consists of one placeholder.
fn render_in_style(text: &str, style: JsonStyle) -> String {
    let mut root = Map::new();
    root.insert("text".into(), text.into());
    compiled(r#""${text}""#, style).unwrap().render(&root).unwrap()
}

#[test]
fn a_data_field_keeps_its_type() {
    let FieldType::Table(table) = FieldType::of_json(&json!({"x": 1})) else { panic!() };
    assert_eq!(table.get("x"), Some(&Field::always("x", FieldType::Int)));
}
