//! How a vendor makes ids: lines by what they belong to, checked at load, made when it happens.

use std::collections::BTreeMap;

use super::roots::Roots;
use crate::base::draw::Draw;
use crate::conversation::{Made, Role};
use crate::diag::{At, Key, Named, Problem, Problems, code};
use crate::template::{Library, Line, LineRules, Name, Names, Object, Shape};

crate::words! {
    /// What ids can belong to.
    pub(super) enum Thing {
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
pub(super) struct Ids(BTreeMap<Thing, Vec<(String, Line)>>);

impl Ids {
    /// Checks the lines of one thing, whose own names are `own` under the name `as_name`, so that
    /// a later line may use an earlier one. Gives the names of what they make.
    pub(super) fn check(
        &mut self,
        (thing, as_name): (Thing, &str),
        form: &Named<Named<At<String>>>,
        own: &Names,
        (library, problems): (&Library<'_>, &mut Problems),
    ) -> Vec<Name> {
        let mut own = own.clone();
        let mut made = Vec::new();
        for (key, text) in form.get(thing.word()).into_iter().flat_map(Named::iter) {
            let names = library.names.clone().always(as_name, Shape::table(own.clone()));
            let inner = Library { names, ..*library };
            let line = Line::check(text, &inner, LineRules::MADE, problems);
            // What is wrong with a line is told; that it has a name is known all the same.
            let shape = line.as_ref().map_or(Shape::Any, |line| line.shape().clone());
            let name = Name::always(&key.name, shape);
            own.set(name.clone());
            made.push(name);
            let lines = self.0.entry(thing).or_default();
            lines.extend(line.map(|line| (key.name.clone(), line)));
        }
        made
    }

    /// The names of what is made for a thing.
    pub(super) fn names(&self, thing: Thing) -> Vec<Name> {
        let lines = self.0.get(&thing).into_iter().flatten();
        lines.map(|(name, line)| Name::always(name, line.shape().clone())).collect()
    }

    /// Reports the things that nothing has ids for.
    pub(super) fn refuse_unknown(form: &Named<Named<At<String>>>, problems: &mut Problems) {
        let unknown = |key: &&Key| Thing::of_word(&key.name).is_none();
        for key in form.0.iter().map(|(key, _)| key).filter(unknown) {
            let message = format!("nothing called `{}` has ids", key.name);
            let problem = Problem::at(&key.place, code::UNKNOWN_KEY, message);
            problems.push(problem.known(&key.name, Thing::WORDS.iter().copied()));
        }
    }

    /// Makes the ids of a thing. `ids` says where in the thing they are kept; `name` is the
    /// thing's own in the scope that they are drawn from.
    pub(super) fn make<T: Object>(
        &self,
        (thing, as_name): (Thing, &'static str),
        object: &mut T,
        ids: impl Fn(&mut T) -> &mut Made,
        (outer, draw): (&Roots<'_>, &Draw),
    ) {
        for (name, line) in self.0.get(&thing).into_iter().flatten() {
            let value = line.value(&outer.with(as_name, object), (draw, name));
            ids(object).insert(name, value);
        }
    }

    /// The lines of a thing that make a value without looking at the thing.
    pub(super) fn make_plain(&self, thing: Thing, outer: &Roots<'_>, draw: &Draw) -> Made {
        let mut made = Made::default();
        for (name, line) in self.0.get(&thing).into_iter().flatten() {
            made.insert(name, line.value(outer, (draw, name)));
        }
        made
    }
}

/// The thing that a person of this role is.
pub(super) fn of_role(role: Role) -> Thing {
    match role {
        Role::Visitor => Thing::Visitor,
        Role::Bot => Thing::Bot,
        Role::Agent => Thing::Agent,
        Role::Manager => Thing::Manager,
        Role::System => Thing::System,
    }
}
