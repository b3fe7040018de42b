//! What the holes of a vendor's templates may name: the model's names with the vendor's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::account::AccountTemplate;
use super::fake_values::InventedValues;
use super::fields::ItemFields;
use super::forms::VendorForm;
use super::ids::{self, IdOwner, IdRules};
use crate::base::seed::SeedScope;
use crate::conversation::{EventKind, Role, model};
use crate::diag::form::wrong_type;
use crate::diag::{Key, NodeContent, Problems, Spanned, SyntaxNode, TableOf};
use crate::template::{
    CompileContext, Field, FieldType, TableType, TextRules, TextTemplate, WordTable,
};

/// The names of a vendor, by what they belong to.
pub(super) struct RootTypes {
    /// `account`, `brand`, `option` and `secret`.
    pub(super) base: TableType,
    /// Anybody.
    pub(super) person: TableType,
    /// The visitor.
    pub(super) visitor: TableType,
    /// A message, without its kind's data.
    pub(super) message: TableType,
    /// A conversation.
    pub(super) conversation: TableType,
    /// What `[ids]` makes for an event.
    pub(super) event_ids: Vec<Field>,
    /// What `[ids]` makes for a table in a list of a message's data.
    pub(super) items: ItemFields,
    /// What `[ids]` makes for a label and for a flow.
    pub(super) named_ids: [Vec<Field>; 2],
    /// An entity, without its fields.
    pub(super) entity: TableType,
    /// The `[words.…]` tables.
    pub(super) words: BTreeMap<String, Arc<WordTable>>,
}

/// The word of a table that stands for every value without one.
const OTHERWISE: &str = "*";

impl RootTypes {
    /// The names that follow from a vendor's file, its checked ids and its fixed values.
    pub(super) fn of(
        form: &VendorForm,
        problems: &mut Problems,
    ) -> (Self, IdRules, AccountTemplate) {
        IdRules::refuse_unknown(&form.ids, problems);
        let words = words(&form.id, &form.words, problems);
        let (base, fixed) = base(form, &words, problems);
        let mut made = IdRules::default();
        let mut check = |(thing, as_name): (IdOwner, &str), own: &TableType, outer: TableType| {
            let context = CompileContext::without_files(outer, &words);
            made.check((thing, as_name), &form.ids, own, (&context, problems))
        };

        let anybody = add(
            model::person(),
            check((IdOwner::Person, "person"), &model::person(), base.clone()),
        );
        let mut roles = Vec::new();
        for role in Role::ALL {
            let thing = ids::of_role(*role);
            roles.push((*role, check((thing, "person"), &anybody, base.clone())));
        }
        let visitor = roles.iter().find(|(role, _)| *role == Role::Visitor);
        let visitor = add(anybody.clone(), visitor.map(|(_, ids)| ids.clone()).unwrap_or_default());
        let person = any_role(anybody, &roles);

        let outer = base.clone().always("visitor", FieldType::table(visitor.clone()));
        let bare = model::conversation(&person, &TableType::default(), &TableType::default());
        let conversation_ids = check((IdOwner::Conversation, "conversation"), &bare, outer.clone());
        let conversation = FieldType::table(add(bare, conversation_ids.clone()));
        let outer = outer.always("conversation", conversation);
        let dialog_ids = check((IdOwner::Dialog, "dialog"), &model::dialog_head(), outer.clone());
        let head = add(model::dialog_head(), dialog_ids.clone());
        let bare = model::message(&person, &head);
        let message_ids = check((IdOwner::Message, "message"), &bare, outer.clone());
        let message = add(bare, message_ids);
        let always = check((IdOwner::Item, "item"), &TableType::default(), outer.clone());
        let bare = model::entity(&person);
        let entity_ids = check((IdOwner::Entity, "entity"), &bare, base.clone());
        let entity = add(bare, entity_ids);
        let named_ids = [IdOwner::Label, IdOwner::Flow]
            .map(|thing| check((thing, "named"), &TableType::default(), base.clone()));
        let flow_id = |id: &Field| Field::maybe(format!("flow_{}", id.name), id.field_type.clone());
        let items = ItemFields { always, with_flow: named_ids[1].iter().map(flow_id).collect() };
        let event_ids = check((IdOwner::Event, "event"), &TableType::default(), outer);
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
    pub(super) fn of_kind(&self, data: &[Field]) -> TableType {
        let message = add(self.message.clone(), data.to_vec());
        self.of_conversation().always("message", FieldType::table(message))
    }

    /// What the body of an event may name. `data` are the names of the one kind of message or
    /// entity that it is about, where it is about one, or of what `emit` gives.
    pub(super) fn of_event(
        &self,
        kind: EventKind,
        data: &[Field],
        counter: Option<&str>,
    ) -> TableType {
        let event = add(self.event(kind), self.event_ids.clone()).always("type", FieldType::Text);
        let names = self.of_conversation().always("event", FieldType::table(event));
        let with = |names: &TableType| FieldType::table(add(names.clone(), data.to_vec()));
        let names = match kind {
            EventKind::MessageSent => names.always("message", with(&self.message)),
            EventKind::EntityCreated | EventKind::EntityDeleted => {
                names.always("entity", with(&self.entity))
            }
            EventKind::EntityUpdated => {
                names.always("entity", with(&self.entity)).always("before", with(&self.entity))
            }
            EventKind::Emitted => {
                let given =
                    TableType { whole: true, ..TableType::new("what is told", data.to_vec()) };
                names.always("data", FieldType::table(given))
            }
            _ => names,
        };
        let Some(counter) = counter else { return names };
        let counters = TableType::new("the counters", vec![Field::always(counter, FieldType::Int)]);
        names.always("counter", FieldType::table(counters))
    }

    /// The event itself; labels and flows have the ids that are made for them.
    fn event(&self, kind: EventKind) -> TableType {
        let mut names = model::event(kind, &self.person, &self.message);
        let [label, flow] = &self.named_ids;
        for name in &mut names.names {
            match (&name.field_type, kind) {
                (FieldType::List(item), EventKind::LabelsChanged) => {
                    if let FieldType::Table(table) = &**item {
                        let table = add((**table).clone(), label.clone());
                        name.field_type = FieldType::list(FieldType::table(table));
                    }
                }
                (FieldType::Table(table), EventKind::FlowStarted) if name.name == "flow" => {
                    name.field_type = FieldType::table(add((**table).clone(), flow.clone()));
                }
                _ => {}
            }
        }
        names
    }

    /// What data that is left out may name.
    pub(super) fn of_data(&self) -> TableType {
        let asked = Field::maybe("asked", FieldType::open_table());
        add(add(self.base.clone(), InventedValues::names()), vec![asked])
    }

    /// What a header or a signature may name.
    pub(super) fn of_request(&self) -> TableType {
        self.base
            .clone()
            .always("body", FieldType::Text)
            .always("signature", FieldType::Text)
            .always("attempt", FieldType::Int)
    }

    fn of_conversation(&self) -> TableType {
        self.base
            .clone()
            .always("conversation", FieldType::table(self.conversation.clone()))
            .always("visitor", FieldType::table(self.visitor.clone()))
    }
}

fn add(mut names: TableType, more: Vec<Field>) -> TableType {
    more.into_iter().for_each(|name| names.set(name));
    names
}

/// What anybody has: what every role has is always there, what only some have can be absent.
fn any_role(anybody: TableType, roles: &[(Role, Vec<Field>)]) -> TableType {
    let mut names = anybody;
    for (_, ids) in roles {
        for id in ids {
            let same = |(_, others): &&(Role, Vec<Field>)| others.iter().any(|o| o.name == id.name);
            let everywhere = roles.iter().filter(same).count() == roles.len();
            let known = names.get(&id.name);
            let field_type = match known {
                Some(known) if known.field_type != id.field_type => FieldType::Any,
                _ => id.field_type.clone(),
            };
            let optional = !everywhere && known.is_none_or(|known| known.optional);
            names.set(Field { name: id.name.clone(), field_type, optional });
        }
    }
    names
}

/// The names that do not depend on a conversation, and the values behind the fixed ones.
fn base(
    form: &VendorForm,
    words: &BTreeMap<String, Arc<WordTable>>,
    problems: &mut Problems,
) -> (TableType, AccountTemplate) {
    let brand = data("the brand", &form.brand);
    let texts = |about, names: Vec<&str>| {
        let name = |name: &str| Field::always(name, FieldType::Text);
        TableType::new(about, names.into_iter().map(name).collect())
    };
    let names = TableType::new("the vendor", Vec::new())
        .always("brand", FieldType::table(brand))
        .always("option", FieldType::table(texts("the options", form.option.names().collect())));
    let context = CompileContext::without_files(names.clone(), words);
    let fixed = AccountTemplate::check(form, &context, problems);
    let names = names
        .always("account", FieldType::table(fixed.account_names()))
        .always("secret", FieldType::table(texts("the secrets", form.secret.names().collect())));
    (names, fixed)
}

fn data(about: &'static str, nodes: &TableOf<SyntaxNode>) -> TableType {
    let name = |(key, node): (&Key, &SyntaxNode)| {
        Field::always(&key.name, FieldType::of_json(&node.to_json()))
    };
    TableType::new(about, nodes.iter().map(name).collect())
}

/// The `[words.…]` tables. The word `*` stands for every value without one: it may make values,
/// which are the account's and not a run's.
fn words(
    id: &str,
    form: &TableOf<SyntaxNode>,
    problems: &mut Problems,
) -> BTreeMap<String, Arc<WordTable>> {
    let scope = SeedScope::fixed(id).within("words");
    let mut tables = BTreeMap::new();
    for (key, node) in form.iter() {
        match &node.content {
            NodeContent::Table(table) => {
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

fn line_of_words(node: &SyntaxNode, problems: &mut Problems) -> Option<TextTemplate> {
    let Some(text) = node.as_text() else {
        problems.push(wrong_type(node, "a text"));
        return None;
    };
    let text = Spanned { value: text.to_owned(), span: node.span.clone() };
    let words = BTreeMap::new();
    let names = TableType::new("a table of words", Vec::new());
    let context = CompileContext::without_files(names, &words);
    TextTemplate::check(&text, &context, TextRules::MADE, problems)
}
