//! Checks that the variables of a GraphQL operation fit the types of the arguments in which they are used.
//!
//! The library has this rule, but its visitor does not pass values on to it, so that it finds nothing.

use std::collections::BTreeSet;
use std::convert::Infallible;

use async_graphql::parser::types::{
    BaseType, Directive, ExecutableDocument, Field, OperationDefinition, OperationType, Selection,
    SelectionSet, Type, TypeKind, VariableDefinition,
};
use async_graphql::{Name, Pos, Positioned, Value};

use super::graphql_schema::{MUTATION, QUERY, SchemaFile, base_name};

/// A variable that does not fit the place where it is used.
pub(super) struct MisplacedVariable {
    /// The message of GraphQL.js.
    pub(super) message: String,
    /// Where the variable is declared, and where it is used.
    pub(super) at: [Pos; 2],
}

/// Returns the variables of an operation that do not fit the places where they are used.
pub(super) fn misplaced_variables(
    file: &SchemaFile,
    document: &ExecutableDocument,
    operation: &OperationDefinition,
) -> Vec<MisplacedVariable> {
    let root = match operation.ty {
        OperationType::Query => QUERY,
        OperationType::Mutation => MUTATION,
        OperationType::Subscription => return Vec::new(),
    };
    let mut check = PositionCheck {
        file,
        document,
        variables: &operation.variable_definitions,
        fragments: BTreeSet::new(),
        found: Vec::new(),
    };
    check.selection_set(&operation.selection_set.node, root);
    check.found
}

struct PositionCheck<'a> {
    file: &'a SchemaFile,
    document: &'a ExecutableDocument,
    variables: &'a [Positioned<VariableDefinition>],
    /// The fragments that are checked already.
    fragments: BTreeSet<&'a str>,
    found: Vec<MisplacedVariable>,
}

/// A place in a query for a value.
#[derive(Clone, Copy)]
struct ArgumentPlace<'a> {
    declared: &'a Type,
    has_default: bool,
    at: Pos,
}

impl<'a> PositionCheck<'a> {
    fn selection_set(&mut self, set: &'a SelectionSet, owner: &str) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => self.field(&field.node, owner),
                Selection::InlineFragment(inline) => {
                    self.directives(&inline.node.directives);
                    let condition = inline.node.type_condition.as_ref();
                    let owner = condition.map_or(owner, |on| on.node.on.node.as_str());
                    self.selection_set(&inline.node.selection_set.node, owner);
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.node.directives);
                    let name = spread.node.fragment_name.node.as_str();
                    let fragment = self.document.fragments.get(name);
                    if let Some(fragment) = fragment.filter(|_| self.fragments.insert(name)) {
                        let owner = fragment.node.type_condition.node.on.node.as_str();
                        self.selection_set(&fragment.node.selection_set.node, owner);
                    }
                }
            }
        }
    }

    fn field(&mut self, field: &'a Field, owner: &str) {
        self.directives(&field.directives);
        let file = self.file;
        // Unknown fields and arguments are refused by the validation of the library.
        let Some(known) = file.field_of(owner, &field.name.node) else { return };
        for (name, value) in &field.arguments {
            let mut arguments = known.arguments.iter().map(|argument| &argument.node);
            if let Some(argument) = arguments.find(|known| known.name.node == name.node) {
                let has_default = argument.default_value.is_some();
                let place =
                    ArgumentPlace { declared: &argument.ty.node, has_default, at: value.pos };
                let value = value.node.clone().into_const_with(mark());
                self.value(&value.unwrap_or_default(), place);
            }
        }
        self.selection_set(&field.selection_set.node, base_name(&known.ty.node));
    }

    /// Checks `@skip` and `@include`, the only directives that schemas have.
    fn directives(&mut self, directives: &[Positioned<Directive>]) {
        let Some(declared) = Type::new("Boolean!") else { return };
        for (_, value) in directives.iter().flat_map(|directive| &directive.node.arguments) {
            let place = ArgumentPlace { declared: &declared, has_default: false, at: value.pos };
            let value = value.node.clone().into_const_with(mark());
            self.value(&value.unwrap_or_default(), place);
        }
    }

    fn value(&mut self, value: &Value, place: ArgumentPlace<'_>) {
        match (value, &place.declared.base) {
            (Value::Enum(name), _) => {
                if let Some(variable) = name.strip_prefix('$') {
                    self.variable(variable, place);
                }
            }
            (Value::List(items), BaseType::List(inner)) => {
                for item in items {
                    let place = ArgumentPlace { declared: inner, has_default: false, ..place };
                    self.value(item, place);
                }
            }
            // An object can stand for a list of it.
            (Value::Object(entries), _) => {
                let definition = self.file.definition(base_name(place.declared));
                let Some(TypeKind::InputObject(input)) = definition.map(|known| &known.kind) else {
                    return;
                };
                for field in input.fields.iter().map(|field| &field.node) {
                    if let Some(value) = entries.get(&field.name.node) {
                        let has_default = field.default_value.is_some();
                        let declared = &field.ty.node;
                        self.value(value, ArgumentPlace { declared, has_default, at: place.at });
                    }
                }
            }
            _ => {}
        }
    }

    fn variable(&mut self, name: &str, place: ArgumentPlace<'_>) {
        let mut variables = self.variables.iter();
        let Some(variable) = variables.find(|known| known.node.name.node == name) else { return };
        let used = &variable.node.var_type.node;
        // The validation of the library refuses variables of types that no input has.
        if self.file.is_composite(base_name(used)) {
            return;
        }
        let default = variable.node.default_value.as_ref();
        let has_default = default.is_some_and(|value| value.node != Value::Null);
        // A place that needs a value takes a variable that can be absent, if one of the two has a default.
        let fits = if place.has_default || has_default {
            fits_base(used, place.declared)
        } else {
            fits(used, place.declared)
        };
        if !fits {
            let declared = place.declared;
            let message = format!(
                "Variable \"${name}\" of type \"{used}\" used in position expecting type \"{declared}\"."
            );
            self.found.push(MisplacedVariable { message, at: [variable.pos, place.at] });
        }
    }
}

/// Replaces a variable by an enum value such as `$name`, which no enum can have.
// The library does not export the type of values with variables, so that they cannot be read.
fn mark() -> impl Fn(Name) -> Result<Value, Infallible> {
    |name| Ok(Value::Enum(Name::new(format!("${name}"))))
}

/// Returns whether values of a type can be used where another one is expected.
fn fits(used: &Type, expected: &Type) -> bool {
    (expected.nullable || !used.nullable) && fits_base(used, expected)
}

fn fits_base(used: &Type, expected: &Type) -> bool {
    match (&used.base, &expected.base) {
        (BaseType::Named(used), BaseType::Named(expected)) => used == expected,
        (BaseType::List(used), BaseType::List(expected)) => fits(used, expected),
        _ => false,
    }
}
