//! How a vendor makes ids: lines by what they belong to, checked at load, made when it happens.

use std::collections::BTreeMap;

use super::context::TemplateContext;
use crate::base::seed::SeedScope;
use crate::conversation::{GeneratedIds, Role};
use crate::diag::{Key, Problem, Problems, Spanned, TableOf, code};
use crate::template::{
    CompileContext, Field, FieldType, Object, TableType, TextRules, TextTemplate,
};

crate::string_enum! {
    /// What ids can belong to.
    pub(super) enum IdOwner {
        /// A conversation.
        Conversation = "conversation",
        /// A conversation's main dialog.
        Dialog = "dialog",
        /// Anybody.
        Person = "person",
        /// A visitor.
        Visitor = "visitor",
        /// A bot.
        Bot = "bot",
        /// An agent.
        Agent = "agent",
        /// A manager.
        Manager = "manager",
        /// The vendor itself.
        System = "system",
        /// A message.
        Message = "message",
        /// A table in a list of a message's data.
        Item = "item",
        /// A customer, a company, an article.
        Entity = "entity",
        /// A label, by its name: the same whenever it occurs.
        Label = "label",
        /// A flow, by its name: the same whenever it occurs.
        Flow = "flow",
        /// An event.
        Event = "event",
    }
}

/// The checked `[ids]` of a vendor.
#[derive(Clone, Debug, Default)]
pub(super) struct IdRules(BTreeMap<IdOwner, Vec<(String, TextTemplate)>>);

impl IdRules {
    /// Checks the lines of one thing, whose own names are `own` under the name `as_name`, so that
    /// a later line may use an earlier one. Gives the names of what they make.
    pub(super) fn check(
        &mut self,
        (thing, as_name): (IdOwner, &str),
        form: &TableOf<TableOf<Spanned<String>>>,
        own: &TableType,
        (context, problems): (&CompileContext<'_>, &mut Problems),
    ) -> Vec<Field> {
        let mut own = own.clone();
        let mut made = Vec::new();
        for (key, text) in form.get(thing.word()).into_iter().flat_map(TableOf::iter) {
            let names = context.names.clone().always(as_name, FieldType::table(own.clone()));
            let inner = CompileContext { names, ..*context };
            let line = TextTemplate::check(text, &inner, TextRules::MADE, problems);
            // What is wrong with a line is told; that it has a name is known all the same.
            let field_type = line.as_ref().map_or(FieldType::Any, |line| line.field_type().clone());
            let name = Field::always(&key.name, field_type);
            own.set(name.clone());
            made.push(name);
            let lines = self.0.entry(thing).or_default();
            lines.extend(line.map(|line| (key.name.clone(), line)));
        }
        made
    }

    /// The names of what is made for a thing.
    pub(super) fn names(&self, thing: IdOwner) -> Vec<Field> {
        let lines = self.0.get(&thing).into_iter().flatten();
        lines.map(|(name, line)| Field::always(name, line.field_type().clone())).collect()
    }

    /// Reports the things that nothing has ids for.
    pub(super) fn refuse_unknown(
        form: &TableOf<TableOf<Spanned<String>>>,
        problems: &mut Problems,
    ) {
        let unknown = |key: &&Key| IdOwner::of_word(&key.name).is_none();
        for key in form.0.iter().map(|(key, _)| key).filter(unknown) {
            let message = format!("nothing called `{}` has ids", key.name);
            let problem = Problem::at(&key.span, code::UNKNOWN_KEY, message);
            problems.push(problem.known(&key.name, IdOwner::WORDS.iter().copied()));
        }
    }

    /// Makes the ids of a thing. `ids` says where in the thing they are kept; `name` is the
    /// thing's own in the scope that they are drawn from.
    pub(super) fn generate<T: Object>(
        &self,
        (thing, as_name): (IdOwner, &'static str),
        object: &mut T,
        ids: impl Fn(&mut T) -> &mut GeneratedIds,
        (outer, seeds): (&TemplateContext<'_>, &SeedScope),
    ) {
        for (name, line) in self.0.get(&thing).into_iter().flatten() {
            let value = line.value(&outer.with(as_name, object), (seeds, name));
            ids(object).insert(name, value);
        }
    }

    /// The lines of a thing that make a value without looking at the thing.
    pub(super) fn generate_detached(
        &self,
        thing: IdOwner,
        outer: &TemplateContext<'_>,
        seeds: &SeedScope,
    ) -> GeneratedIds {
        let mut made = GeneratedIds::default();
        for (name, line) in self.0.get(&thing).into_iter().flatten() {
            made.insert(name, line.value(outer, (seeds, name)));
        }
        made
    }
}

/// The thing that a person of this role is.
pub(super) fn of_role(role: Role) -> IdOwner {
    match role {
        Role::Visitor => IdOwner::Visitor,
        Role::Bot => IdOwner::Bot,
        Role::Agent => IdOwner::Agent,
        Role::Manager => IdOwner::Manager,
        Role::System => IdOwner::System,
    }
}
