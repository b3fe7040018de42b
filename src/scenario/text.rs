//! Placeholders in the texts of a scenario: `${fake.…}`, `${cast.…}`, `${entity.…}`, `${vars.…}`,
//! `${captured.…}`, `${round}`.
//!
//! [`Texts`] checks and compiles texts. [`TextContext`] supplies the values when one is rendered.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value as Json};

use super::capture::{Capture, NamedCaptures};
use super::cast::CastMember;
use super::variable_texts::{RULES, variables_type};
use crate::base::fake::{FAKES, LOCALES, fake};
use crate::base::seed::SeedScope;
use crate::conversation::{Conversation, Entity, Person, Role, model};
use crate::diag::{
    Key, NodeContent, Problem, Problems, SourceSpan, Spanned, SyntaxNode, Table, TableOf, code,
};
use crate::platform::Platform;
use crate::template::{
    CompileContext, Field, FieldType, JsonStyle, JsonTemplate, Object, TableType, TextTemplate,
    Value, WordTable, compile_positional,
};

/// Checks and compiles the texts of one scenario.
pub(super) struct Texts {
    /// Types of the values that placeholders can refer to.
    names: TableType,
    words: BTreeMap<String, Arc<WordTable>>,
    /// The captured values so far, with the types of their examples.
    captured: BTreeMap<String, Option<FieldType>>,
}

/// Returns the names of the captured values that a text uses.
pub(super) fn captured_names(text: &str) -> impl Iterator<Item = &str> {
    let name = |rest: &'_ str| -> usize {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        rest.find(|c| !is_part(c)).unwrap_or(rest.len())
    };
    text.split("${captured.").skip(1).map(move |rest| &rest[..name(rest)])
}

/// Returns help for `${env.NAME}` in a text.
fn help_for_environment(problem: &Problem) -> Option<String> {
    let is_environment = problem.code == code::UNKNOWN_PATH
        && problem.span.as_ref().is_some_and(|span| span.text() == "env");
    is_environment.then(|| {
        "read the variable in a default of `[vars]`, such as `home = \"${env.HOME}\"`, and write \
         `${vars.home}` here"
            .to_owned()
    })
}

impl Texts {
    /// Creates the checker for a scenario with this cast and these variables, and no entities.
    pub(super) fn of(cast: &[CastMember], variables: &Map<String, Json>) -> Self {
        let text = |name: &str| Field::always(name, FieldType::Text);
        let fakes =
            TableType::new("the generated values", FAKES.iter().map(|f| text(f.name)).collect());
        let member = |member: &CastMember| {
            let mut names = model::person();
            let is_staff = member.role != Role::Visitor;
            for (name, is_set) in
                [("email", member.email.is_some()), ("phone", member.phone.is_some())]
            {
                // Staff always have both. A visitor has only what the file declares.
                let optional = !is_staff && !is_set;
                names.set(Field { optional, ..Field::always(name, FieldType::Text) });
            }
            Field::always(&*member.name, FieldType::table(names))
        };
        let cast = TableType::new("the cast", cast.iter().map(member).collect());
        let names = TableType::new("a scenario", Vec::new())
            .always("fake", FieldType::table(fakes))
            .always("cast", FieldType::table(cast))
            .always("round", FieldType::Int)
            .always("vars", FieldType::table(variables_type(variables)));
        let entities = TableType::new("the created entities", Vec::new());
        let names = names.always("entity", FieldType::table(entities));
        let captured = TableType::new("the values that earlier steps capture", Vec::new());
        let names = names.always("captured", FieldType::table(captured));
        Self { names, words: BTreeMap::new(), captured: BTreeMap::new() }
    }

    /// Creates the checker of texts that may only use these variables.
    pub(super) fn of_variables(variables: &Map<String, Json>) -> Self {
        let names = TableType::new("the requirements for a delivery", Vec::new())
            .always("vars", FieldType::table(variables_type(variables)));
        Self { names, words: BTreeMap::new(), captured: BTreeMap::new() }
    }

    /// Allows later texts to refer to captured values. Reports a name whose type changes.
    pub(super) fn declare_captures(
        &mut self,
        captures: &[Capture],
        declared: &TableOf<Spanned<String>>,
        problems: &mut Problems,
    ) {
        for (capture, (key, _)) in captures.iter().zip(declared.iter()) {
            let field_type = capture.example.as_ref().map(FieldType::of_json);
            let earlier = self.captured.insert(capture.name.clone(), field_type.clone());
            if let (Some(Some(earlier)), Some(later)) = (earlier, &field_type)
                && earlier.about() != later.about()
            {
                let message =
                    format!("`{}` is {} in an earlier step", capture.name, earlier.about());
                let problem = Problem::at(&key.span, code::INVALID_TYPE, message);
                problems.push(problem.help("use another name, or an example of the same type"));
            }
            let field = Field::always(&capture.name, field_type.unwrap_or(FieldType::Any));
            let names = self.names.fields.iter_mut().find(|field| field.name == "captured");
            if let Some(Field { field_type: FieldType::Table(names), .. }) = names {
                Arc::make_mut(names).set(field);
            }
        }
    }

    /// Returns the names of the captured values so far.
    pub(super) fn captured(&self) -> Vec<&str> {
        self.captured.keys().map(String::as_str).collect()
    }

    /// Reports captured values in a text that have no example: a dry run could not render it.
    fn check_examples(&self, text: &str, span: &SourceSpan, problems: &mut Problems) {
        for name in captured_names(text) {
            self.check_example(name, &span.find(&format!("captured.{name}"), 0), problems);
        }
    }

    /// Reports a captured value without an example.
    pub(super) fn check_example(&self, name: &str, span: &SourceSpan, problems: &mut Problems) {
        if self.captured.get(name).is_some_and(Option::is_none) {
            let message = format!("`captured.{name}` has no example");
            let problem = Problem::at(span, code::MISSING_KEY, message);
            problems.push(problem.help(format!(
                "dry runs need one: add `example = {{ {name} = \"…\" }}` to the step that captures it"
            )));
        }
    }

    /// Allows later texts to refer to an entity of this kind.
    ///
    /// A field is optional unless it is always present, or has a default, at every vendor that has
    /// the kind.
    pub(super) fn declare_entity(&mut self, name: &str, vendors: &[Arc<Platform>], kind: &str) {
        let types: Vec<TableType> = vendors.iter().filter_map(|v| v.entity_names(kind)).collect();
        let mut names = TableType::new("an entity", Vec::new());
        for field in types.iter().flat_map(|table| &table.fields) {
            let is_required =
                |table: &TableType| table.get(&field.name).is_some_and(|same| !same.optional);
            let mut defaults = vendors.iter().filter_map(|v| v.entities.get(kind));
            let has_default = defaults.all(|data| data.defaults.contains_key(&field.name));
            let optional = !has_default && !types.iter().all(is_required);
            names.set(Field { optional, ..field.clone() });
        }
        let entities = self.names.fields.iter_mut().find(|field| field.name == "entity");
        if let Some(Field { field_type: FieldType::Table(entities), .. }) = entities {
            Arc::make_mut(entities).set(Field::always(name, FieldType::table(names)));
        }
    }

    /// Records that a step sets or removes fields of an entity, for later texts.
    pub(super) fn declare_fields(
        &mut self,
        name: &str,
        with: &[(Key, SyntaxNode)],
        unset: &[Spanned<String>],
    ) {
        let entities = self.names.fields.iter_mut().find(|field| field.name == "entity");
        let Some(Field { field_type: FieldType::Table(entities), .. }) = entities else { return };
        let entity = Arc::make_mut(entities).fields.iter_mut().find(|field| field.name == name);
        let Some(Field { field_type: FieldType::Table(entity), .. }) = entity else { return };
        for field in &mut Arc::make_mut(entity).fields {
            if let Some((_, node)) = with.iter().find(|(key, _)| key.name == field.name) {
                field.optional = node.content == NodeContent::Null;
            }
            field.optional |= unset.iter().any(|removed| removed.value == field.name);
        }
    }

    /// Checks and compiles one text.
    pub(super) fn compile_text(
        &self,
        text: &Spanned<String>,
        problems: &mut Problems,
    ) -> Option<TextTemplate> {
        self.check_examples(&text.value, &text.span, problems);
        let mut found = Problems::new();
        let template = TextTemplate::check(text, &self.context(), RULES, &mut found);
        problems.extend(found.helped(help_for_environment));
        template
    }

    /// Checks and compiles data. Every string in it may have placeholders.
    pub(super) fn compile_data(
        &self,
        entries: &[(Key, SyntaxNode)],
        span: &SourceSpan,
        problems: &mut Problems,
    ) -> Option<JsonTemplate> {
        let content = NodeContent::Table(Table(entries.to_vec()));
        let node = SyntaxNode { span: span.clone(), content };
        self.check_examples_in(&node, problems);
        // `fields = ["${cast.ada.email?}", "Invoice"]`: the second must stay the second.
        let mut found = Problems::new();
        let style = JsonStyle::COMPACT;
        let template = compile_positional(&node, &self.context(), style, &mut found);
        problems.extend(found.helped(help_for_environment));
        template
    }

    fn check_examples_in(&self, node: &SyntaxNode, problems: &mut Problems) {
        match &node.content {
            NodeContent::Text(text) => self.check_examples(text, &node.span, problems),
            NodeContent::List(items) => {
                items.iter().for_each(|item| self.check_examples_in(item, problems));
            }
            NodeContent::Table(table) => {
                table.0.iter().for_each(|(_, value)| self.check_examples_in(value, problems));
            }
            _ => {}
        }
    }

    fn context(&self) -> CompileContext<'_> {
        CompileContext::without_files(self.names.clone(), &self.words)
    }
}

/// Values of `${fake.NAME}`.
///
/// Each value is generated from the seed and its name, so it is the same for every use. Names and
/// contacts are those of the visitor.
struct ConversationFakes<'a> {
    seeds: &'a SeedScope,
    visitor: Option<&'a Person>,
}

/// Values of `${cast.NAME}`.
struct Participants<'a>(&'a [Person]);

/// The values that a scenario computes with.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScriptValues<'a> {
    pub(super) variables: &'a Map<String, Json>,
    pub(super) captured: &'a Map<String, Json>,
}

/// Values for the texts of one step. They are those of this moment.
pub(super) struct TextContext<'a> {
    fakes: ConversationFakes<'a>,
    cast: Participants<'a>,
    entities: NamedEntities<'a>,
    variables: &'a Map<String, Json>,
    captured: NamedCaptures<'a>,
    round: u32,
}

/// Values of `${entity.NAME}`. Records the first name that does not exist.
struct NamedEntities<'a> {
    current: &'a [Entity],
    // `Object::get` takes `&self`, hence the interior mutability.
    missing: OnceLock<String>,
}

impl<'a> TextContext<'a> {
    /// Returns the values for a step in this round. `seeds` is the scope of the conversation.
    pub(super) fn new(
        conversation: &'a Conversation,
        seeds: &'a SeedScope,
        values: ScriptValues<'a>,
        round: u32,
    ) -> Self {
        let (current, missing) = (&*conversation.entities, OnceLock::new());
        Self {
            fakes: ConversationFakes { seeds, visitor: conversation.visitor() },
            cast: Participants(&conversation.cast),
            entities: NamedEntities { current, missing },
            captured: NamedCaptures::new(values.captured),
            variables: values.variables,
            round,
        }
    }

    /// Returns the first entity that a text used although it does not exist.
    pub(super) fn missing_entity(&self) -> Option<&str> {
        self.entities.missing.get().map(String::as_str)
    }

    /// Returns the first captured value that a text used although it does not exist.
    pub(super) fn missing_capture(&self) -> Option<&str> {
        self.captured.missing()
    }
}

impl Object for TextContext<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        match name {
            "fake" => Value::Object(&self.fakes),
            "cast" => Value::Object(&self.cast),
            "entity" => Value::Object(&self.entities),
            "round" => Value::Int(i64::from(self.round)),
            "vars" => Value::Object(self.variables),
            "captured" => Value::Object(&self.captured),
            _ => Value::Absent,
        }
    }
}

impl Object for ConversationFakes<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        let stated = self.visitor.and_then(|visitor| visitor.stated(name));
        let locale = self.visitor.map_or(&LOCALES[0], |visitor| visitor.member.locale);
        let value = stated.or_else(|| fake(name, locale, self.seeds));
        value.map_or(Value::Absent, Value::from)
    }
}

impl Object for Participants<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        Value::maybe_object(self.0.iter().find(|person| *person.member.name == *name))
    }
}

impl Object for NamedEntities<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        let found = self.current.iter().find(|entity| entity.name == name);
        if found.is_none() {
            self.missing.get_or_init(|| name.to_owned());
        }
        Value::maybe_object(found)
    }
}
