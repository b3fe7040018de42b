//! What the holes of a vendor's templates may name: the model's names with the vendor's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::account::Fixed;
use super::data::ItemNames;
use super::forms::VendorForm;
use super::ids::{self, Ids, Thing};
use super::invented::Invented;
use crate::base::draw::Draw;
use crate::conversation::{EventKind, Role, model};
use crate::diag::form::wrong_type;
use crate::diag::{At, Content, Key, Named, Node, Problems};
use crate::template::{Library, Line, LineRules, Name, Names, Shape, WordTable};

/// The names of a vendor, by what they belong to.
pub(super) struct Vocabulary {
    /// `account`, `brand`, `option` and `secret`.
    pub(super) base: Names,
    /// Anybody.
    pub(super) person: Names,
    /// The visitor.
    pub(super) visitor: Names,
    /// A message, without its kind's data.
    pub(super) message: Names,
    /// A conversation.
    pub(super) conversation: Names,
    /// What `[ids]` makes for an event.
    pub(super) event_ids: Vec<Name>,
    /// What `[ids]` makes for a table in a list of a message's data.
    pub(super) items: ItemNames,
    /// What `[ids]` makes for a label and for a flow.
    pub(super) named_ids: [Vec<Name>; 2],
    /// An entity, without its fields.
    pub(super) entity: Names,
    /// The `[words.…]` tables.
    pub(super) words: BTreeMap<String, Arc<WordTable>>,
}

/// The word of a table that stands for every value without one.
const OTHERWISE: &str = "*";

impl Vocabulary {
    /// The names that follow from a vendor's file, its checked ids and its fixed values.
    pub(super) fn of(form: &VendorForm, problems: &mut Problems) -> (Self, Ids, Fixed) {
        Ids::refuse_unknown(&form.ids, problems);
        let words = words(&form.id, &form.words, problems);
        let (base, fixed) = base(form, &words, problems);
        let mut made = Ids::default();
        let mut check = |(thing, as_name): (Thing, &str), own: &Names, outer: Names| {
            let library = Library::without_files(outer, &words);
            made.check((thing, as_name), &form.ids, own, (&library, problems))
        };

        let anybody =
            add(model::person(), check((Thing::Person, "person"), &model::person(), base.clone()));
        let mut roles = Vec::new();
        for role in Role::ALL {
            let thing = ids::of_role(*role);
            roles.push((*role, check((thing, "person"), &anybody, base.clone())));
        }
        let visitor = roles.iter().find(|(role, _)| *role == Role::Visitor);
        let visitor = add(anybody.clone(), visitor.map(|(_, ids)| ids.clone()).unwrap_or_default());
        let person = any_role(anybody, &roles);

        let outer = base.clone().always("visitor", Shape::table(visitor.clone()));
        let bare = model::conversation(&person, &Names::default(), &Names::default());
        let conversation_ids = check((Thing::Conversation, "conversation"), &bare, outer.clone());
        let conversation = Shape::table(add(bare, conversation_ids.clone()));
        let outer = outer.always("conversation", conversation);
        let dialog_ids = check((Thing::Dialog, "dialog"), &model::dialog_head(), outer.clone());
        let head = add(model::dialog_head(), dialog_ids.clone());
        let bare = model::message(&person, &head);
        let message_ids = check((Thing::Message, "message"), &bare, outer.clone());
        let message = add(bare, message_ids);
        let always = check((Thing::Item, "item"), &Names::default(), outer.clone());
        let bare = model::entity(&person);
        let entity_ids = check((Thing::Entity, "entity"), &bare, base.clone());
        let entity = add(bare, entity_ids);
        let named_ids = [Thing::Label, Thing::Flow]
            .map(|thing| check((thing, "named"), &Names::default(), base.clone()));
        let flow_id = |id: &Name| Name::maybe(format!("flow_{}", id.name), id.shape.clone());
        let items = ItemNames { always, with_flow: named_ids[1].iter().map(flow_id).collect() };
        let event_ids = check((Thing::Event, "event"), &Names::default(), outer);
        let dialog = add(model::dialog(&person), dialog_ids);
        let conversation = add(model::conversation(&person, &message, &dialog), conversation_ids);

        let vocabulary = Self {
            base,
            person,
            visitor,
            message,
            conversation,
            event_ids,
            items,
            named_ids,
            entity,
            words,
        };
        (vocabulary, made, fixed)
    }

    /// What a kind's body may name. `data` are the names of the kind's data.
    pub(super) fn of_kind(&self, data: &[Name]) -> Names {
        let message = add(self.message.clone(), data.to_vec());
        self.of_conversation().always("message", Shape::table(message))
    }

    /// What the body of an event may name. `data` are the names of the one kind of message or
    /// entity that it is about, where it is about one, or of what `emit` gives.
    pub(super) fn of_event(&self, kind: EventKind, data: &[Name], counter: Option<&str>) -> Names {
        let event = add(self.event(kind), self.event_ids.clone()).always("type", Shape::Text);
        let names = self.of_conversation().always("event", Shape::table(event));
        let with = |names: &Names| Shape::table(add(names.clone(), data.to_vec()));
        let names = match kind {
            EventKind::MessageSent => names.always("message", with(&self.message)),
            EventKind::EntityCreated | EventKind::EntityDeleted => {
                names.always("entity", with(&self.entity))
            }
            EventKind::EntityUpdated => {
                names.always("entity", with(&self.entity)).always("before", with(&self.entity))
            }
            EventKind::Emitted => {
                let given = Names { whole: true, ..Names::new("what is told", data.to_vec()) };
                names.always("data", Shape::table(given))
            }
            _ => names,
        };
        let Some(counter) = counter else { return names };
        let counters = Names::new("the counters", vec![Name::always(counter, Shape::Int)]);
        names.always("counter", Shape::table(counters))
    }

    /// The event itself; labels and flows have the ids that are made for them.
    fn event(&self, kind: EventKind) -> Names {
        let mut names = model::event(kind, &self.person, &self.message);
        let [label, flow] = &self.named_ids;
        for name in &mut names.names {
            match (&name.shape, kind) {
                (Shape::List(item), EventKind::LabelsChanged) => {
                    if let Shape::Table(table) = &**item {
                        let table = add((**table).clone(), label.clone());
                        name.shape = Shape::list(Shape::table(table));
                    }
                }
                (Shape::Table(table), EventKind::FlowStarted) if name.name == "flow" => {
                    name.shape = Shape::table(add((**table).clone(), flow.clone()));
                }
                _ => {}
            }
        }
        names
    }

    /// What data that is left out may name.
    pub(super) fn of_data(&self) -> Names {
        let asked = Name::maybe("asked", Shape::open_table());
        add(add(self.base.clone(), Invented::names()), vec![asked])
    }

    /// What a header or a signature may name.
    pub(super) fn of_request(&self) -> Names {
        self.base
            .clone()
            .always("body", Shape::Text)
            .always("signature", Shape::Text)
            .always("attempt", Shape::Int)
    }

    fn of_conversation(&self) -> Names {
        self.base
            .clone()
            .always("conversation", Shape::table(self.conversation.clone()))
            .always("visitor", Shape::table(self.visitor.clone()))
    }
}

fn add(mut names: Names, more: Vec<Name>) -> Names {
    more.into_iter().for_each(|name| names.set(name));
    names
}

/// What anybody has: what every role has is always there, what only some have can be absent.
fn any_role(anybody: Names, roles: &[(Role, Vec<Name>)]) -> Names {
    let mut names = anybody;
    for (_, ids) in roles {
        for id in ids {
            let same = |(_, others): &&(Role, Vec<Name>)| others.iter().any(|o| o.name == id.name);
            let everywhere = roles.iter().filter(same).count() == roles.len();
            let known = names.get(&id.name);
            let shape = match known {
                Some(known) if known.shape != id.shape => Shape::Any,
                _ => id.shape.clone(),
            };
            let optional = !everywhere && known.is_none_or(|known| known.optional);
            names.set(Name { name: id.name.clone(), shape, optional });
        }
    }
    names
}

/// The names that do not depend on a conversation, and the values behind the fixed ones.
fn base(
    form: &VendorForm,
    words: &BTreeMap<String, Arc<WordTable>>,
    problems: &mut Problems,
) -> (Names, Fixed) {
    let brand = data("the brand", &form.brand);
    let texts = |about, names: Vec<&str>| {
        let name = |name: &str| Name::always(name, Shape::Text);
        Names::new(about, names.into_iter().map(name).collect())
    };
    let names = Names::new("the vendor", Vec::new())
        .always("brand", Shape::table(brand))
        .always("option", Shape::table(texts("the options", form.option.names().collect())));
    let library = Library::without_files(names.clone(), words);
    let fixed = Fixed::check(form, &library, problems);
    let names = names
        .always("account", Shape::table(fixed.account_names()))
        .always("secret", Shape::table(texts("the secrets", form.secret.names().collect())));
    (names, fixed)
}

fn data(about: &'static str, nodes: &Named<Node>) -> Names {
    let name =
        |(key, node): (&Key, &Node)| Name::always(&key.name, Shape::of_json(&node.to_json()));
    Names::new(about, nodes.iter().map(name).collect())
}

/// The `[words.…]` tables. The word `*` stands for every value without one: it may make values,
/// which are the account's and not a run's.
fn words(
    id: &str,
    form: &Named<Node>,
    problems: &mut Problems,
) -> BTreeMap<String, Arc<WordTable>> {
    let scope = Draw::fixed(id).within("words");
    let mut tables = BTreeMap::new();
    for (key, node) in form.iter() {
        match &node.content {
            Content::Table(table) => {
                let own = table.0.iter().filter(|(word, _)| word.name != OTHERWISE);
                let own = own.map(|(word, node)| (word.name.clone(), node.to_json()));
                let line = table.get(OTHERWISE).and_then(|node| line_of_words(node, problems));
                let otherwise = line.map(|line| (line, scope.within(&key.name)));
                let table = WordTable::new(own.collect(), otherwise);
                tables.insert(key.name.clone(), Arc::new(table));
            }
            _ => problems.push(wrong_type(node, "a table of words")),
        }
    }
    tables
}

fn line_of_words(node: &Node, problems: &mut Problems) -> Option<Line> {
    let Some(text) = node.as_text() else {
        problems.push(wrong_type(node, "a text"));
        return None;
    };
    let text = At { value: text.to_owned(), place: node.place.clone() };
    let words = BTreeMap::new();
    let names = Names::new("a table of words", Vec::new());
    let library = Library::without_files(names, &words);
    Line::check(&text, &library, LineRules::MADE, problems)
}
