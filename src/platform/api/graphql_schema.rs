//! Schemas of GraphQL APIs: reads a schema file, and builds the schema that executes queries.
//!
//! A field with an operation is resolved by it. Every other field is a value of the object above it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use async_graphql::dynamic::{
    Enum, Field, InputObject, InputValue, Object, Scalar, Schema, SchemaBuilder, TypeRef,
};
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, ServiceDocument, Type, TypeDefinition,
    TypeKind, TypeSystemDefinition,
};
use async_graphql::{Pos, Positioned, Value};

use super::graphql_field::{FieldResolution, field_future};
use crate::base::limits::MAX_QUERY_DEPTH;
use crate::base::text::nearest;

/// Type of the fields that read.
pub(super) const QUERY: &str = "Query";
/// Type of the fields that change something.
pub(super) const MUTATION: &str = "Mutation";

/// The types of the schema files of an API.
#[derive(Default)]
pub(super) struct SchemaFile {
    types: BTreeMap<String, TypeDefinition>,
}

/// A mistake in a schema file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SchemaMistake {
    pub(super) message: String,
    /// Line and column, from 1.
    pub(super) at: Option<Pos>,
}

impl SchemaFile {
    /// Adds the types of a file.
    pub(super) fn add(&mut self, text: &str) -> Result<(), SchemaMistake> {
        let mistake = |error: async_graphql::parser::Error| SchemaMistake {
            message: plain(&error.to_string()),
            at: error.positions().next(),
        };
        let ServiceDocument { definitions } = parse_schema(text).map_err(mistake)?;
        for definition in definitions {
            let (message, pos) = match definition {
                TypeSystemDefinition::Type(definition) if is_abstract(&definition.node) => {
                    ("a schema file cannot have interfaces and unions".to_owned(), definition.pos)
                }
                TypeSystemDefinition::Type(Positioned { pos, node }) => match self.add_type(node) {
                    Ok(()) => continue,
                    Err(message) => (message, pos),
                },
                TypeSystemDefinition::Schema(Positioned { pos, .. })
                | TypeSystemDefinition::Directive(Positioned { pos, .. }) => {
                    let message = "a schema file has types only: `Query`, `Mutation` and the types \
                                   that they use";
                    (message.to_owned(), pos)
                }
            };
            return Err(SchemaMistake { message, at: Some(pos) });
        }
        Ok(())
    }

    /// Adds a type, or the fields of `extend type` or `extend input` to one of an earlier file. They replace
    /// fields of the same name, so that a revision can change the type or the arguments of one field.
    fn add_type(&mut self, definition: TypeDefinition) -> Result<(), String> {
        let name = definition.name.node.to_string();
        match self.types.entry(name) {
            Entry::Vacant(entry) if definition.extend => {
                Err(format!("`{}` is extended before it is defined", entry.key()))
            }
            Entry::Vacant(entry) => {
                entry.insert(definition);
                Ok(())
            }
            Entry::Occupied(mut entry) => match (&mut entry.get_mut().kind, definition.kind) {
                (TypeKind::Object(known), TypeKind::Object(more)) if definition.extend => {
                    merge(&mut known.fields, more.fields, |field| &field.name.node);
                    Ok(())
                }
                (TypeKind::InputObject(known), TypeKind::InputObject(more))
                    if definition.extend =>
                {
                    merge(&mut known.fields, more.fields, |field| &field.name.node);
                    Ok(())
                }
                _ => Err(format!("the schema has two types `{}`", entry.key())),
            },
        }
    }

    /// Returns whether a type is there from which queries begin.
    pub(super) fn has_queries(&self) -> bool {
        self.types.contains_key(QUERY)
    }

    /// Returns the fields of a type of objects.
    fn fields(&self, name: &str) -> &[Positioned<FieldDefinition>] {
        match self.types.get(name).map(|definition| &definition.kind) {
            Some(TypeKind::Object(object)) => &object.fields,
            _ => &[],
        }
    }

    /// Returns a field of a type of objects.
    pub(super) fn field_of(&self, owner: &str, name: &str) -> Option<&FieldDefinition> {
        let mut fields = self.fields(owner).iter().map(|field| &field.node);
        fields.find(|known| known.name.node == name)
    }

    /// Returns whether a field, such as `Query.orders`, is there.
    pub(super) fn has_field(&self, field: &str) -> bool {
        field.split_once('.').is_some_and(|(name, field)| self.field_of(name, field).is_some())
    }

    /// Returns the fields of `Query` and `Mutation`, such as `Query.orders`.
    pub(super) fn root_fields(&self) -> Vec<String> {
        let of = |name: &'static str| {
            let fields = self.fields(name).iter();
            fields.map(move |field| format!("{name}.{}", field.node.name.node))
        };
        of(QUERY).chain(of(MUTATION)).collect()
    }

    /// Returns the field with the most similar name.
    pub(super) fn nearest_field(&self, field: &str) -> Option<String> {
        let names = self.types.keys();
        let all = names.flat_map(|name| {
            let fields = self.fields(name).iter();
            fields.map(move |field| format!("{name}.{}", field.node.name.node))
        });
        let all: Vec<String> = all.collect();
        nearest(field, all.iter().map(String::as_str)).map(str::to_owned)
    }

    /// Returns the names of the fields of a field's objects that are no objects themselves.
    pub(super) fn plain_fields(&self, field: &str) -> Vec<&str> {
        let Some((name, field)) = field.split_once('.') else { return Vec::new() };
        let field = self.field_of(name, field);
        let owner = field.map_or("", |field| base_name(&field.ty.node));
        let fields = self.fields(owner).iter().map(|field| &field.node);
        let plain = fields.filter(|field| !self.is_composite(base_name(&field.ty.node)));
        plain.map(|field| field.name.node.as_str()).collect()
    }

    /// Returns whether values of a field, such as `Query.orders`, are objects.
    fn has_objects(&self, field: &str) -> bool {
        let field = field.split_once('.').and_then(|(name, field)| self.field_of(name, field));
        field.is_some_and(|field| self.is_composite(base_name(&field.ty.node)))
    }

    /// Returns the type of a field whose objects have this type, as the file writes it: `[Order]`.
    pub(super) fn type_of(&self, field: &str, base: &str) -> String {
        let mut all = self.types.keys().flat_map(|name| self.fields(name));
        let is_it = |known: &&Positioned<FieldDefinition>| {
            known.node.name.node == field && base_name(&known.node.ty.node) == base
        };
        all.find(is_it).map_or_else(|| base.to_owned(), |known| known.node.ty.node.to_string())
    }

    /// Returns an argument of a field.
    pub(super) fn argument(&self, field: &str, argument: &str) -> Option<&InputValueDefinition> {
        let (name, field) = field.split_once('.')?;
        let mut arguments = self.field_of(name, field)?.arguments.iter().map(|known| &known.node);
        arguments.find(|known| known.name.node == argument)
    }

    /// Returns a query that selects a field with these arguments as variables, and all plain fields of its
    /// value, or `__typename` if it has none. `None` for a field of another type than `Query` and `Mutation`.
    pub(super) fn query(&self, field: &str, arguments: &[String]) -> Option<String> {
        let (owner, name) = field.split_once('.')?;
        let kind = match owner {
            QUERY => "query",
            MUTATION => "mutation",
            _ => return None,
        };
        let (mut declared, mut passed) = (String::new(), String::new());
        for argument in arguments {
            let found = self.argument(field, argument)?;
            let comma = if declared.is_empty() { "" } else { ", " };
            let _ = write!(declared, "{comma}${argument}: {}", found.ty.node);
            let _ = write!(passed, "{comma}{argument}: ${argument}");
        }
        let (declared, passed) = match declared.as_str() {
            "" => (String::new(), String::new()),
            _ => (format!("({declared})"), format!("({passed})")),
        };
        let selection = self.plain_fields(field);
        let selection = match selection.as_slice() {
            [] if self.has_objects(field) => " { __typename }".to_owned(),
            [] => String::new(),
            fields => format!(" {{ {} }}", fields.join(" ")),
        };
        Some(format!("{kind}{declared} {{ {name}{passed}{selection} }}"))
    }

    /// Returns the definition of a type.
    pub(super) fn definition(&self, name: &str) -> Option<&TypeDefinition> {
        self.types.get(name)
    }

    /// Returns whether values of a type are objects, of which a query selects fields.
    pub(super) fn is_composite(&self, name: &str) -> bool {
        let definition = self.types.get(name);
        definition.is_some_and(|definition| matches!(definition.kind, TypeKind::Object(_)))
    }

    /// Builds the schema that executes queries. `operations` are the fields that operations resolve.
    pub(super) fn build(&self, operations: &BTreeSet<String>) -> Result<Schema, String> {
        let mutation = self.types.contains_key(MUTATION).then_some(MUTATION);
        let mut builder = Schema::build(QUERY, mutation, None)
            .limit_depth(MAX_QUERY_DEPTH)
            .limit_recursive_depth(MAX_QUERY_DEPTH + 2);
        for (name, definition) in &self.types {
            builder = self.register(builder, name, definition, operations);
        }
        builder.finish().map_err(|error| error.to_string())
    }

    fn register(
        &self,
        builder: SchemaBuilder,
        name: &str,
        definition: &TypeDefinition,
        operations: &BTreeSet<String>,
    ) -> SchemaBuilder {
        match &definition.kind {
            TypeKind::Scalar => builder.register(Scalar::new(name)),
            TypeKind::Object(object) => {
                let mut made = Object::new(name);
                for field in &object.fields {
                    made = made.field(self.field(name, &field.node, operations));
                }
                builder.register(made)
            }
            // Refused by `parse`.
            TypeKind::Interface(_) | TypeKind::Union(_) => builder,
            TypeKind::Enum(known) => {
                let values = known.values.iter();
                builder.register(
                    values.fold(Enum::new(name), |made, value| {
                        made.item(value.node.value.node.as_str())
                    }),
                )
            }
            TypeKind::InputObject(input) => {
                let fields = input.fields.iter();
                builder.register(fields.fold(InputObject::new(name), |made, field| {
                    made.field(input_value(&field.node))
                }))
            }
        }
    }

    fn field(&self, owner: &str, field: &FieldDefinition, operations: &BTreeSet<String>) -> Field {
        let name = field.name.node.to_string();
        let key = format!("{owner}.{name}");
        let resolution = FieldResolution {
            is_operation: operations.contains(&key),
            key: key.into(),
            name: name.as_str().into(),
            is_composite: self.is_composite(base_name(&field.ty.node)),
            is_required: !field.ty.node.nullable,
            lists: lists(field),
        };
        let own = Field::new(name, type_ref(&field.ty.node), move |context| {
            field_future(resolution.clone(), context)
        });
        let arguments = field.arguments.iter();
        arguments.fold(own, |own, argument| own.argument(input_value(&argument.node)))
    }
}

/// Adds fields to those of a type. One with the name of a known field replaces it.
fn merge<T>(
    known: &mut Vec<Positioned<T>>,
    more: Vec<Positioned<T>>,
    name: impl Fn(&T) -> &async_graphql::Name,
) {
    for field in more {
        match known.iter_mut().find(|other| name(&other.node) == name(&field.node)) {
            Some(other) => *other = field,
            None => known.push(field),
        }
    }
}

fn is_abstract(definition: &TypeDefinition) -> bool {
    matches!(definition.kind, TypeKind::Interface(_) | TypeKind::Union(_))
}

/// Returns the name of a type without its lists.
pub(super) fn base_name(found: &Type) -> &str {
    match &found.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(inner) => base_name(inner),
    }
}

/// Returns the names of the arguments that are lists.
fn lists(field: &FieldDefinition) -> Arc<[String]> {
    let is_list = |argument: &&Positioned<InputValueDefinition>| {
        matches!(argument.node.ty.node.base, BaseType::List(_))
    };
    let lists = field.arguments.iter().filter(is_list);
    lists.map(|argument| argument.node.name.node.to_string()).collect()
}

fn type_ref(found: &Type) -> TypeRef {
    let base = match &found.base {
        BaseType::Named(name) => TypeRef::named(name.as_str()),
        BaseType::List(inner) => TypeRef::List(Box::new(type_ref(inner))),
    };
    if found.nullable { base } else { TypeRef::NonNull(Box::new(base)) }
}

fn input_value(definition: &InputValueDefinition) -> InputValue {
    let made = InputValue::new(definition.name.node.as_str(), type_ref(&definition.ty.node));
    match &definition.default_value {
        Some(value) => made.default_value(Value::clone(&value.node)),
        None => made,
    }
}

/// Returns the reason of a syntax error without the drawing around it.
pub(super) fn plain(message: &str) -> String {
    let reason = message.lines().rev().find_map(|line| line.trim().strip_prefix("= "));
    reason.unwrap_or(message).to_owned()
}
