//! The types of the roots that a vendor's templates can use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::account_template::AccountTemplate;
use super::fake_values::InventedValues;
use super::fields::ItemFields;
use super::forms::VendorForm;
use super::ids::{self, IdOwner, IdRules};
use crate::base::seed::SeedScope;
use crate::conversation::{EventKind, Role, model};
use crate::diag::scalar::unexpected_type;
use crate::diag::{Key, NodeContent, Problem, Problems, Spanned, SyntaxNode, TableOf, code};
use crate::template::{
    CompileContext, DefaultWord, Field, FieldType, GeneratedText, TableType, TextRules,
    TextTemplate, WordTable,
};

/// The types of a vendor's template roots: those of the model with the vendor's ids and data.
pub(super) struct RootTypes {
    /// `account`, `brand`, `option` and `secret`.
    pub(super) base: TableType,
    /// A person in any role.
    pub(super) person: TableType,
    /// A visitor.
    pub(super) visitor: TableType,
    /// A message, without its kind's data.
    pub(super) message: TableType,
    /// A dialog.
    pub(super) dialog: TableType,
    /// The constant part of a dialog.
    pub(super) dialog_head: TableType,
    /// A conversation.
    pub(super) conversation: TableType,
    /// Ids of an event.
    pub(super) event_ids: Vec<Field>,
    /// Ids of a call to the API.
    pub(super) call_ids: Vec<Field>,
    /// Ids of an object in a list of a message's data.
    pub(super) items: ItemFields,
    /// Ids of a label and of a flow.
    pub(super) named_ids: [Vec<Field>; 2],
    /// An entity, without its fields.
    pub(super) entity: TableType,
    /// The `[words.…]` tables.
    pub(super) words: BTreeMap<String, Arc<WordTable>>,
}

/// Key of the default word in a `[words.…]` table.
const DEFAULT_WORD: &str = "*";

impl RootTypes {
    /// Checks the sections that determine the types: `[words]`, `[ids]` and those of the account.
    pub(super) fn check(
        form: &VendorForm,
        problems: &mut Problems,
    ) -> (Self, IdRules, AccountTemplate) {
        IdRules::report_unknown_owners(&form.ids, problems);
        let words = words(&form.id, &form.words, problems);
        let (base, account) = base(form, &words, problems);
        let mut rules = IdRules::default();
        let mut check = |owner: IdOwner, own: &TableType, outer: TableType| {
            let context = CompileContext::without_files(outer, &words);
            rules.check(owner, &form.ids, own, &context, problems)
        };

        // The order follows the dependencies: the ids of an owner may use those of its parents.
        let any_person =
            add(model::person(), check(IdOwner::Person, &model::person(), base.clone()));
        let mut roles = Vec::new();
        for role in Role::ALL {
            roles.push((*role, check(ids::of_role(*role), &any_person, base.clone())));
        }
        let visitor = roles.iter().find(|(role, _)| *role == Role::Visitor);
        let visitor =
            add(any_person.clone(), visitor.map(|(_, ids)| ids.clone()).unwrap_or_default());
        let person = any_role(any_person, &roles);

        let outer = base.clone().always("visitor", FieldType::table(visitor.clone()));
        let bare = model::conversation(&person, &TableType::default(), &TableType::default());
        let conversation_ids = check(IdOwner::Conversation, &bare, outer.clone());
        let conversation = FieldType::table(add(bare, conversation_ids.clone()));
        let outer = outer.always("conversation", conversation);
        let dialog_ids = check(IdOwner::Dialog, &model::dialog_head(), outer.clone());
        let survey_ids = check(IdOwner::Survey, &model::dialog_head(), outer.clone());
        let head = add(model::dialog_head(), dialog_ids.clone());
        let bare = model::message(&person, &head);
        let message_ids = check(IdOwner::Message, &bare, outer.clone());
        let message = add(bare, message_ids);
        let always = check(IdOwner::Item, &TableType::default(), outer.clone());
        let bare = model::entity(&person);
        let entity_ids = check(IdOwner::Entity, &bare, base.clone());
        let entity = add(bare, entity_ids);
        let named_ids = [IdOwner::Label, IdOwner::Flow]
            .map(|owner| check(owner, &TableType::default(), base.clone()));
        // Optional: an object can have an empty `flow`.
        let flow_id = |id: &Field| Field::maybe(format!("flow_{}", id.name), id.field_type.clone());
        let items = ItemFields { always, with_flow: named_ids[1].iter().map(flow_id).collect() };
        let event_ids = check(IdOwner::Event, &TableType::default(), outer);
        let call_ids = check(IdOwner::Call, &TableType::default(), base.clone());
        let dialog = add(model::dialog(&person), dialog_ids.clone());
        let conversation = add(model::conversation(&person, &message, &dialog), conversation_ids);

        let types = Self {
            base,
            person,
            visitor,
            message,
            dialog,
            dialog_head: head,
            conversation,
            event_ids,
            call_ids,
            items,
            named_ids,
            entity,
            words,
        };
        check_survey_ids(form, &dialog_ids, &survey_ids, problems);
        (types, rules, account)
    }

    /// Returns the roots of a kind's body. `data` is the type of the kind's data.
    pub(super) fn of_kind(&self, data: &[Field]) -> TableType {
        let message = add(self.message.clone(), data.to_vec());
        self.of_conversation().always("message", FieldType::table(message))
    }

    /// Returns the roots of an event's body. `data` is the type of the data: that of the message or
    /// entity kind if the event is about only one, or that of an emitted event.
    pub(super) fn of_event(
        &self,
        kind: EventKind,
        data: &[Field],
        counter: Option<&str>,
    ) -> TableType {
        let event = add(self.event(kind), self.event_ids.clone()).always("type", FieldType::Text);
        let names = self.of_conversation().always("event", FieldType::table(event));
        let with = |names: &TableType| FieldType::table(add(names.clone(), data.to_vec()));
        let entity = || FieldType::table(model::entity_with(self.entity.clone(), data));
        let names = match kind {
            EventKind::MessageSent => names.always("message", with(&self.message)),
            EventKind::EntityCreated | EventKind::EntityDeleted => names.always("entity", entity()),
            EventKind::EntityUpdated => {
                // A step sets only some fields, so each can be absent.
                let set = |field: &Field| Field { optional: true, ..field.clone() };
                let changes = TableType::new("the changes", data.iter().map(set).collect());
                let names = names.always("entity", entity()).always("before", entity());
                names.always("changes", FieldType::table(changes))
            }
            EventKind::Emitted => {
                // `whole`: a template may also include all of the data with `${data}`.
                let data = TableType {
                    writable: true,
                    ..TableType::new("the event's data", data.to_vec())
                };
                names.always("data", FieldType::table(data))
            }
            _ => names,
        };
        let Some(counter) = counter else { return names };
        let counters = TableType::new("the counters", vec![Field::always(counter, FieldType::Int)]);
        names.always("counter", FieldType::table(counters))
    }

    /// Returns the type of `event`. Labels and flows in it have their generated ids.
    fn event(&self, kind: EventKind) -> TableType {
        let mut names = model::event(kind, &self.person, &self.message, &self.dialog_head);
        let [label, flow] = &self.named_ids;
        for name in &mut names.fields {
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

    /// Returns the roots of default values.
    pub(super) fn of_data(&self) -> TableType {
        let asked = Field::maybe("asked", FieldType::open_table());
        add(add(self.base.clone(), InventedValues::names()), vec![asked])
    }

    /// Returns the roots of the content that a signature covers. `event` is optional if the
    /// request can be a handshake.
    pub(super) fn of_signed(&self, has_event: bool) -> TableType {
        let event = TableType::new("the event", self.event_ids.clone())
            .always("type", FieldType::Text)
            .always("at", FieldType::Time);
        let event = FieldType::table(event);
        let event =
            if has_event { Field::always("event", event) } else { Field::maybe("event", event) };
        let roots = self
            .base
            .clone()
            .always("body", FieldType::Text)
            .always("attempt", FieldType::Int)
            .always("sent_at", FieldType::Time);
        add(roots, vec![event])
    }

    /// Returns the roots of headers: those of signed content, and the signatures by name.
    pub(super) fn of_header<'n>(
        &self,
        has_event: bool,
        signatures: impl Iterator<Item = &'n str>,
    ) -> TableType {
        let signature = |name: &str| Field::always(name, FieldType::Text);
        let signatures = TableType::new("the signatures", signatures.map(signature).collect());
        self.of_signed(has_event).always("signature", FieldType::table(signatures))
    }

    /// Returns the roots of the handshake: those of the account, and `challenge` if there is one.
    pub(super) fn of_handshake(&self, has_challenge: bool) -> TableType {
        let roots = self.base.clone();
        if has_challenge { roots.always("challenge", FieldType::Text) } else { roots }
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

/// Returns the type of a person in any role: ids that only some roles have are optional.
fn any_role(any_person: TableType, roles: &[(Role, Vec<Field>)]) -> TableType {
    let mut names = any_person;
    for (_, ids) in roles {
        for id in ids {
            let same = |(_, others): &&(Role, Vec<Field>)| others.iter().any(|o| o.name == id.name);
            let everywhere = roles.iter().filter(same).count() == roles.len();
            let known = names.get(&id.name);
            // Roles can give the same id different types. Templates then accept any.
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

/// Reports a vendor with surveys whose surveys have other ids than its dialogs: templates name both.
fn check_survey_ids(
    form: &VendorForm,
    dialog: &[Field],
    survey: &[Field],
    problems: &mut Problems,
) {
    let Some(rules) = &form.conversation else { return };
    let has_surveys = rules.surveys.as_ref().filter(|surveys| surveys.value);
    let names = |fields: &[Field]| fields.iter().map(|field| field.name.clone()).collect();
    let [dialog, survey]: [BTreeSet<String>; 2] = [names(dialog), names(survey)];
    if let Some(surveys) = has_surveys.filter(|_| dialog != survey) {
        let message = "a survey needs the same ids as other dialogs";
        let problem = Problem::at(&surveys.span, code::MISSING_KEY, message);
        let expected = dialog.iter().map(|name| format!("`survey.{name} = \"…\"`"));
        let expected = expected.collect::<Vec<_>>().join(", ");
        problems.push(problem.help(format!("`[ids]` must have {expected} and no other id of it")));
    }
}

/// Returns the roots that do not depend on a conversation, and the account's checked sections.
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
    // Account values and secrets may use `brand` and `option`, but not one another.
    let account = AccountTemplate::check(form, &context, problems);
    let names = names
        .always("account", FieldType::table(account.account_names()))
        .always("secret", FieldType::table(texts("the secrets", form.secret.names().collect())));
    (names, account)
}

fn data(about: &'static str, nodes: &TableOf<SyntaxNode>) -> TableType {
    let name = |(key, node): (&Key, &SyntaxNode)| {
        Field::always(&key.name, FieldType::of_json(&node.to_json()))
    };
    TableType::new(about, nodes.iter().map(name).collect())
}

/// Checks the `[words.…]` tables. The word `*` is for every other value. It may generate ids, which
/// belong to the account: they depend on the vendor, not on the seed of the run.
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
                let own = table.0.iter().filter(|(word, _)| word.name != DEFAULT_WORD);
                let own = own.map(|(word, node)| (word.name.clone(), node.to_json()));
                let default = table.get(DEFAULT_WORD);
                let default = default.and_then(|node| default_word(node, problems));
                let default =
                    default.map(|text| DefaultWord { text, seeds: scope.within(&key.name) });
                let table = WordTable::new(own.collect(), default);
                tables.insert(key.name.clone(), Arc::new(table));
            }
            _ => problems.push(unexpected_type(node, "a table of words")),
        }
    }
    tables
}

fn default_word(node: &SyntaxNode, problems: &mut Problems) -> Option<GeneratedText> {
    let Some(text) = node.as_text() else {
        problems.push(unexpected_type(node, "a text"));
        return None;
    };
    let text = Spanned { value: text.to_owned(), span: node.span.clone() };
    let words = BTreeMap::new();
    let names = TableType::new("a table of words", Vec::new());
    let context = CompileContext::without_files(names, &words);
    // The context has no names, so a text that passes the check has no paths.
    TextTemplate::check(&text, &context, TextRules::GENERATED, problems)?.into_generated()
}
