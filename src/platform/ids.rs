//! Generated ids: the templates of `[ids]`, by owner.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::TemplateContext;
use crate::base::seed::SeedScope;
use crate::conversation::{GeneratedIds, Role};
use crate::diag::{Key, Problem, Problems, Spanned, TableOf, code};
use crate::template::{
    CompileContext, Field, FieldType, Object, TableType, TextRules, TextTemplate,
};

crate::string_enum! {
    /// What ids belong to.
    pub(super) enum IdOwner {
        /// A conversation.
        Conversation = "conversation",
        /// The main dialog of a conversation.
        Dialog = "dialog",
        /// A survey, which is a dialog.
        Survey = "survey",
        /// A person in any role.
        Person = "person",
        /// A visitor.
        Visitor = "visitor",
        /// A bot.
        Bot = "bot",
        /// An agent.
        Agent = "agent",
        /// A manager.
        Manager = "manager",
        /// The vendor's system.
        System = "system",
        /// A message.
        Message = "message",
        /// An object in a list of a message's data.
        Item = "item",
        /// A customer, company or article.
        Entity = "entity",
        /// A label. Its ids depend on its name only.
        Label = "label",
        /// A flow. Its ids depend on its name only.
        Flow = "flow",
        /// An event.
        Event = "event",
        /// A call to the API.
        Call = "call",
    }
}

impl IdOwner {
    /// Returns the root under which an id template reaches the other fields of its owner.
    fn root(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::Dialog | Self::Survey => "dialog",
            Self::Person
            | Self::Visitor
            | Self::Bot
            | Self::Agent
            | Self::Manager
            | Self::System => "person",
            Self::Message => "message",
            Self::Item => "item",
            Self::Entity => "entity",
            Self::Label | Self::Flow => "named",
            Self::Event => "event",
            Self::Call => "call",
        }
    }
}

/// The checked `[ids]` of a vendor.
#[derive(Clone, Debug, Default)]
pub(super) struct IdRules(BTreeMap<IdOwner, Vec<(Arc<str>, TextTemplate)>>);

impl IdRules {
    /// Checks the ids of one owner and returns their types. `owner_type` is the type of the owner
    /// without ids. An id may use those before it.
    pub(super) fn check(
        &mut self,
        owner: IdOwner,
        form: &TableOf<TableOf<Spanned<String>>>,
        owner_type: &TableType,
        context: &CompileContext<'_>,
        problems: &mut Problems,
    ) -> Vec<Field> {
        let mut owner_type = owner_type.clone();
        let mut generated = Vec::new();
        for (key, text) in form.get(owner.as_str()).into_iter().flat_map(TableOf::iter) {
            // Only ids before this one exist when it is generated.
            let own = FieldType::table(owner_type.clone());
            let root = context.root.clone().always(owner.root(), own);
            let inner = CompileContext { root, ..*context };
            let template = TextTemplate::check(text, &inner, TextRules::GENERATED, problems);
            // An invalid template keeps its name: templates that use it are not reported as well.
            let field_type =
                template.as_ref().map_or(FieldType::Any, |template| template.field_type().clone());
            let name = Field::always(&key.name, field_type);
            owner_type.set(name.clone());
            generated.push(name);
            let templates = self.0.entry(owner).or_default();
            templates.extend(template.map(|template| (key.name.as_str().into(), template)));
        }
        generated
    }

    /// Returns the types of an owner's ids.
    pub(super) fn names(&self, owner: IdOwner) -> Vec<Field> {
        let field = |(name, template): &(Arc<str>, TextTemplate)| {
            Field::always(&**name, template.field_type().clone())
        };
        self.0.get(&owner).into_iter().flatten().map(field).collect()
    }

    /// Reports keys of `[ids]` that are not owners.
    pub(super) fn report_unknown_owners(
        form: &TableOf<TableOf<Spanned<String>>>,
        problems: &mut Problems,
    ) {
        let unknown = |key: &&Key| IdOwner::from_name(&key.name).is_none();
        for key in form.0.iter().map(|(key, _)| key).filter(unknown) {
            let message = format!("`{}` cannot have ids", key.name);
            let problem = Problem::at(&key.span, code::UNKNOWN_KEY, message);
            problems.push(problem.suggest_or_list(&key.name, IdOwner::NAMES.iter().copied()));
        }
    }

    /// Generates the ids that an object does not have yet, and stores each in the map that `ids`
    /// returns, so that the next template can use it.
    pub(super) fn generate<T: Object>(
        &self,
        owner: IdOwner,
        object: &mut T,
        ids: impl Fn(&mut T) -> &mut GeneratedIds,
        outer: &TemplateContext<'_>,
        seeds: &SeedScope,
    ) {
        for (name, template) in self.0.get(&owner).into_iter().flatten() {
            if ids(object).has(name) {
                continue;
            }
            let value = template.value(&outer.clone().with(owner.root(), object), seeds, name);
            ids(object).insert(name, value);
        }
    }

    /// Generates the ids of an owner whose templates do not use its other fields.
    pub(super) fn generate_detached(
        &self,
        owner: IdOwner,
        outer: &TemplateContext<'_>,
        seeds: &SeedScope,
    ) -> GeneratedIds {
        let mut ids = GeneratedIds::default();
        for (name, template) in self.0.get(&owner).into_iter().flatten() {
            ids.insert(name, template.value(outer, seeds, name));
        }
        ids
    }
}

/// Returns the owner of the ids for people in this role.
pub(super) fn of_role(role: Role) -> IdOwner {
    match role {
        Role::Visitor => IdOwner::Visitor,
        Role::Bot => IdOwner::Bot,
        Role::Agent => IdOwner::Agent,
        Role::Manager => IdOwner::Manager,
        Role::System => IdOwner::System,
    }
}
