//! Checks an operation.

use super::act::ActRule;
use super::act_check::ActChecker;
use super::call_help::{helped_example, helped_operation};
use super::call_match::CallMatchers;
use super::call_types::{
    with_conversation, with_event, with_fields, with_handshake, with_issued, with_link,
    with_possible_conversation, with_settled, with_subscription,
};
use super::check::ApiChecker;
use super::documents::DocumentRule;
use super::example::CallExample;
use super::find::{FindKind, FindRule, found_type};
use super::forms::{ActForm, FindForm, Gather, ListForm};
use super::list::{ListRule, Listed, PeriodRule, list_type};
use super::operation_source::OperationSource;
use super::read_arguments::{ReadArguments, path_of_pointer};
use super::response::ResponseRule;
use super::rules::{CallWarning, OperationRule, SplitRule};
use crate::diag::{Problem, Problems, TableOf, code};
use crate::platform::forms::{ConversationForm, EventForm};
use crate::platform::ids::{IdOwner, of_role};
use crate::platform::source_form::Certainty;
use crate::template::{Field, FieldType, TableType};

impl ApiChecker<'_> {
    /// Checks an operation. `shared` are the fields of its route.
    pub(super) fn operation(
        &mut self,
        source: &OperationSource<'_>,
        roots: &TableType,
        shared: &[Field],
    ) -> Option<OperationRule> {
        let before = self.problems.len();
        let earlier = std::mem::take(self.problems);
        let auth = self.auth(source.auth);
        self.note_credentials(&auth);
        // An operation is selected before its own fields are read.
        let matches = match source.matches {
            Some(matches) => {
                let context = self.context(with_fields(roots.clone(), shared));
                CallMatchers::check(matches, &context, self.problems)
            }
            None => CallMatchers::default(),
        };
        let (fields, types) = self.fields(source.fields, shared.to_vec(), roots);
        let roots = with_fields(roots.clone(), &types);
        let split = self.split(source, &roots);
        let (finds, mut found) = self.finds(&source.find, roots);
        if source.act.iter().any(|act| act.subscribe.is_some()) {
            found = with_handshake(found);
        }
        if let Some(settle) = source.settle.filter(|_| source.is_repeated) {
            let message = "`settle` does not apply to the elements of a list";
            let problem = Problem::at(&settle.span, code::CONTRADICTION, message);
            self.problems.push(problem.help("remove `settle`: the elements get one response"));
        }
        let performed = self.acts(source, &finds, &found);
        let finds_conversation = finds
            .iter()
            .any(|find| find.kind.is_conversation() && !find.optional && !find.is_list());
        self.check_conversation(source, finds_conversation);
        let list = source.list.and_then(|list| self.list(list, &found));
        let after = self.after_acts(source, found.clone(), list.as_ref(), finds_conversation);
        let response = self.response(source, after);
        let own = std::mem::replace(self.problems, earlier);
        self.problems.extend(helped_operation(own));
        let matched = with_possible_conversation(self.types, found.clone());
        let errors = self.errors(&source.errors, &matched, &of_errors(&matched, &types));
        let mut warnings = Vec::new();
        for form in &source.warn {
            let when = CallMatchers::check(&form.when, &self.context(found.clone()), self.problems);
            warnings.push(CallWarning { when, text: form.text.value.clone() });
        }
        let reads = self.read_arguments(source);
        let example_roots = with_conversation(self.types, self.types.base.clone());
        let mut of_example = Problems::new();
        let example = source.example.and_then(|example| {
            CallExample::check(example, &self.context(example_roots), &mut of_example)
        });
        self.problems.extend(helped_example(of_example));
        let section = self.form.source.get("operation").or(self.form.source.get("route"));
        let certainty = source.source.or(section).map_or(Certainty::Assumed, |s| s.status.value);
        if self.problems.len() > before {
            return None;
        }
        Some(OperationRule {
            name: source.name.to_owned(),
            call: source.call.map_or(source.name, |call| &call.value).to_owned(),
            field: source.field.map(|field| field.value.clone()),
            split,
            auth,
            matches,
            fields,
            finds,
            list,
            acts: performed,
            settle: source.settle.map(|settle| settle.value.unsigned_abs()),
            response: response?,
            errors,
            warnings,
            reads,
            secret: source.secret.iter().map(|pointer| pointer.value.clone()).collect(),
            example,
            certainty,
        })
    }

    /// Checks the actions of an operation. `found` are the roots with what it finds.
    fn acts(
        &mut self,
        source: &OperationSource<'_>,
        finds: &[FindRule],
        found: &TableType,
    ) -> Vec<ActRule> {
        let names = |is_it: &dyn Fn(FindKind) -> bool| -> Vec<String> {
            let finds = finds.iter().filter(|find| is_it(find.kind));
            // An optional entity is only looked at.
            let finds = finds
                .filter(|find| find.kind != FindKind::Entity || !find.optional || find.is_list());
            finds.map(|find| find.name.clone()).collect()
        };
        let ids_of =
            |owner: &str| self.form.ids.get(owner).into_iter().flat_map(TableOf::names).collect();
        let mut acts = ActChecker {
            context: self.context(found.clone()),
            people: names(&|kind| matches!(kind, FindKind::Person(_))),
            kinds: self.form.kinds.names().collect(),
            event_types: self.form.event.iter().flat_map(event_names).collect(),
            has_surveys: self.form.conversation.as_ref().is_some_and(ConversationForm::has_surveys),
            secrets: self.form.secret.names().collect(),
            conversation_ids: ids_of("conversation"),
            files: names(&|kind| kind == FindKind::File),
            entities: self.entities,
            named_entities: names(&|kind| kind == FindKind::Entity),
            entity_ids: ids_of("entity"),
            conversations: names(&FindKind::is_conversation),
            documents: &self.documents,
            named_documents: names(&|kind| kind == FindKind::Document),
            credentials: &self.credentials,
            created: None,
            problems: &mut *self.problems,
        };
        source.act.iter().filter_map(|act| acts.check(act)).collect()
    }

    /// Returns the roots of the response: those of the actions, with what these give.
    fn after_acts(
        &self,
        source: &OperationSource<'_>,
        found: TableType,
        list: Option<&ListRule>,
        finds_conversation: bool,
    ) -> TableType {
        let mut after = found;
        let created = source.act.iter().filter_map(|act| act.create.as_ref());
        for kind in created.map(|create| &create.document.value) {
            if let Some(rule) = self.documents.get(kind) {
                after = after.always(kind, FieldType::table(rule.table()));
            }
        }
        let created = source.act.iter().filter_map(|act| act.create_entity.as_ref());
        for kind in created.map(|create| &create.entity.value) {
            if let Some(table) = self.entities.get(kind) {
                after = after.always(kind, FieldType::table(table.clone()));
            }
        }
        if let Some(list) = list {
            after = after.always("list", list_type(self.item_type(&list.of), &list.counts));
        }
        if source.act.iter().any(|act| act.open.is_some()) {
            after = with_conversation(self.types, after);
        }
        if source.act.iter().any(|act| act.subscribe.is_some()) {
            after = with_subscription(after);
        }
        if source.act.iter().any(|act| act.say.is_some()) {
            after = after.always("message", FieldType::table(self.types.message.clone()));
        }
        if source.act.iter().any(|act| act.link.is_some()) {
            after = with_link(after);
        }
        let issued = source.act.iter().filter_map(|act| act.issue.as_ref()).next_back();
        if let Some(rule) = issued.and_then(|form| self.credentials.get(&form.credential.value)) {
            after = with_issued(after, rule.life.is_some());
        }
        if finds_conversation || source.act.iter().any(|act| act.open.is_some()) {
            after = with_event(after);
        }
        if source.settle.is_some() {
            after = with_settled(self.types, after);
        }
        after
    }

    /// Returns the type of what a list contains.
    fn item_type(&self, of: &Listed) -> TableType {
        let item = match of {
            Listed::Documents(kind) => self.documents.get(kind).map(DocumentRule::table),
            Listed::Entities(kind) => self.entities.get(kind).cloned(),
            Listed::Messages => Some(self.types.message.clone()),
            Listed::Conversations => Some(self.types.conversation.clone()),
            Listed::Agents => Some(self.types.person.clone()),
        };
        item.unwrap_or_default()
    }

    /// Returns the arguments that the operation reads, or says that it ignores as the vendor does.
    fn read_arguments(&self, source: &OperationSource<'_>) -> ReadArguments {
        let mut paths = self.reads.take();
        let pointers = source.ignores.iter().map(|pointer| pointer.value.0.as_str());
        for pointer in pointers.chain(source.split.map(|pointer| pointer.value.as_str())) {
            paths.insert(path_of_pointer("params", pointer));
        }
        ReadArguments::of(&paths)
    }

    /// Checks what an operation is performed for.
    fn split(&mut self, source: &OperationSource<'_>, roots: &TableType) -> Option<SplitRule> {
        let Some(pointer) = source.split else {
            let over = source.over.map(|over| (&over.span, "over"));
            let gather = source.gather.map(|gather| (&gather.span, "gather"));
            if let Some((span, key)) = over.or(gather) {
                let message = format!("`{key}` without `split`");
                let problem = Problem::at(span, code::MISSING_KEY, message);
                let help = "add `split` with the place of one element: `\"/conversation\"`";
                self.problems.push(problem.help(help));
            }
            return None;
        };
        let over = match source.over {
            Some(form) => {
                let list = self.list(form, roots)?;
                if list.of != Listed::Conversations {
                    let message = "`over` lists conversations";
                    let problem = Problem::at(&form.span, code::UNKNOWN_VALUE, message);
                    self.problems.push(problem.help("write `of = \"conversations\"`"));
                }
                Some(list)
            }
            None => None,
        };
        let gather = source.gather.map_or(Gather::List, |gather| gather.value);
        let ids = self.ids.names(IdOwner::Conversation);
        let id = ids.first().map(|id| id.name.clone()).unwrap_or_default();
        Some(SplitRule { pointer: pointer.value.clone(), over, id, gather })
    }

    fn list(&mut self, form: &ListForm, roots: &TableType) -> Option<ListRule> {
        let form = &self.based_on_named(form)?;
        let (ids, documents) = (self.ids, &self.documents);
        let has_conversation =
            roots.get("conversation").is_some_and(|conversation| !conversation.optional);
        let names = |of: &Listed| match of {
            Listed::Conversations => Some(ids.names(IdOwner::Conversation)),
            Listed::Messages => has_conversation.then(|| ids.names(IdOwner::Message)),
            Listed::Agents => {
                Some([ids.names(IdOwner::Person), ids.names(IdOwner::Agent)].concat())
            }
            Listed::Documents(kind) => documents.get(kind).map(DocumentRule::id_names),
            Listed::Entities(kind) => self.entities.get(kind).map(|table| table.fields.clone()),
        };
        let context = self.context(roots.clone());
        let rule = ListRule::check(form, &context, self.entities, &names, self.problems)?;
        if let Some(period) = &form.period {
            PeriodRule::check_times(period, &self.item_type(&rule.of), self.problems);
        }
        Some(rule)
    }

    /// Returns a list with the keys of the one that it names.
    fn based_on_named(&mut self, form: &ListForm) -> Option<ListForm> {
        let Some(like) = &form.like else { return Some(form.clone()) };
        let api = self.form.api.as_ref();
        let Some(base) = api.and_then(|api| api.list.get(&like.value)) else {
            let message = format!("unknown list `{}`", like.value);
            let problem = Problem::at(&like.span, code::UNKNOWN_VALUE, message);
            let known = api.into_iter().flat_map(|api| api.list.names());
            self.problems.push(problem.suggest_or_list(like, known));
            return None;
        };
        Some(form.based_on(base))
    }

    /// Checks the entries of `find`, each with those before it. Returns the roots with all of them.
    fn finds(&mut self, forms: &[&FindForm], roots: TableType) -> (Vec<FindRule>, TableType) {
        let (mut finds, mut roots) = (Vec::new(), roots);
        for form in forms {
            let (ids, documents) = (self.ids, &self.documents);
            let names = |kind: FindKind, document: Option<&str>| match kind {
                FindKind::Document => {
                    let rule = document.and_then(|document| documents.get(document));
                    rule.map(DocumentRule::id_names).unwrap_or_default()
                }
                FindKind::Entity => {
                    let table = document.and_then(|kind| self.entities.get(kind));
                    table.map(|table| table.fields.clone()).unwrap_or_default()
                }
                FindKind::Conversation => ids.names(IdOwner::Conversation),
                FindKind::Dialog => ids.names(IdOwner::Dialog),
                FindKind::File => Vec::new(),
                FindKind::Person(role) => {
                    [ids.names(IdOwner::Person), ids.names(of_role(role))].concat()
                }
            };
            let context = self.context(roots.clone());
            let Some(rule) = FindRule::check(form, &context, &names, self.problems) else {
                continue;
            };
            self.check_order(form, &rule, &finds);
            let document = match (&rule.document, rule.kind) {
                (Some(kind), FindKind::Entity) => self.entities.get(kind).cloned(),
                (Some(kind), _) => self.documents.get(kind).map(DocumentRule::table),
                (None, _) => None,
            };
            let found = found_type(rule.kind, &self.types.visitor, &self.types.person);
            let found = match (rule.is_list(), rule.kind) {
                (true, FindKind::Conversation) => Some(self.types.conversation.clone()),
                _ => document.or(found),
            };
            match found {
                Some(thing) if rule.is_list() => {
                    let list = FieldType::list(FieldType::table(thing));
                    roots.set(Field::always(&rule.name, list));
                }
                Some(person) => {
                    let (name, field_type) = (rule.name.clone(), FieldType::table(person));
                    roots.set(Field { name, field_type, optional: rule.optional });
                }
                None if rule.kind == FindKind::Document => self.unknown_document(form),
                None if rule.kind == FindKind::Entity => self.unknown_entity(form),
                None => roots = self.with_found_conversation(&rule, roots),
            }
            finds.push(rule);
        }
        (finds, roots)
    }

    /// Reports a conversation that stands after what takes conversations too: they would not be those of
    /// the call.
    fn check_order(&mut self, form: &FindForm, rule: &FindRule, earlier: &[FindRule]) {
        let takes =
            |rule: &FindRule| rule.is_list() || (rule.kind == FindKind::Entity && !rule.optional);
        if rule.kind.is_conversation() && !rule.is_list() && earlier.iter().any(takes) {
            let message = "a conversation is found before entities and `all`";
            let problem = Problem::at(&form.span, code::INVALID_ACT, message);
            self.problems.push(problem.help("move the entry to the front of `find`"));
        }
    }

    /// Adds the conversation that a rule finds, and the dialog, under their own names too.
    fn with_found_conversation(&self, rule: &FindRule, mut roots: TableType) -> TableType {
        let own = match rule.kind {
            FindKind::Dialog => Some(&self.types.dialog),
            _ => (rule.name != rule.kind.as_str()).then_some(&self.types.conversation),
        };
        if let Some(table) = own {
            let (name, optional) = (rule.name.clone(), rule.optional);
            roots.set(Field { name, field_type: FieldType::table(table.clone()), optional });
        }
        if rule.optional { roots } else { with_conversation(self.types, roots) }
    }

    fn unknown_entity(&mut self, form: &FindForm) {
        let message = "`entity` needs the `kind` of an entity";
        let problem = Problem::at(&form.span, code::INVALID_ACT, message);
        let known = self.entities.keys().cloned().collect::<Vec<_>>().join(", ");
        self.problems.push(problem.help(format!("kinds of `[entities]`: {known}")));
    }

    fn unknown_document(&mut self, form: &FindForm) {
        let message = "`document` needs the `kind` of a document";
        let problem = Problem::at(&form.span, code::INVALID_ACT, message);
        let known = self.documents.keys().cloned().collect::<Vec<_>>().join(", ");
        self.problems.push(problem.help(format!("kinds of `[documents]`: {known}")));
    }

    /// Reports actions that have no conversation to happen in.
    fn check_conversation(&mut self, source: &OperationSource<'_>, is_found: bool) {
        let is_elsewhere = |act: &&ActForm| {
            let people = act.person.is_some();
            let subscriptions = act.subscribe.is_some() || act.unsubscribe.is_some();
            let tokens = act.issue.is_some() || act.revoke.is_some();
            let documents = act.create.is_some() || act.replace.is_some() || act.delete.is_some();
            let files = act.link.is_some() || act.store.is_some();
            let entities = act.hand_over.is_some()
                || act.create_entity.is_some()
                || act.update_entity.is_some()
                || act.delete_entity.is_some();
            let events = act.emit.is_some();
            files || people || subscriptions || tokens || documents || entities || events
        };
        let mut in_conversation = source.act.iter().filter(|act| !is_elsewhere(act));
        let Some(first) = in_conversation.next() else { return };
        if is_found == first.open.is_some() {
            let (message, help) = if is_found {
                ("the conversation is found, and cannot be opened", "remove `open`")
            } else {
                (
                    "the action has no conversation",
                    "add `{ conversation = { … } }` to `find`, or open one first",
                )
            };
            let problem = Problem::at(&first.span, code::INVALID_ACT, message);
            self.problems.push(problem.help(help));
        }
        if let Some(second) = in_conversation.find(|act| act.open.is_some()) {
            let message = "the conversation is open already";
            let problem = Problem::at(&second.span, code::INVALID_ACT, message);
            self.problems.push(problem.help("a call can open one conversation, first of all"));
        }
    }

    fn response(&mut self, source: &OperationSource<'_>, roots: TableType) -> Option<ResponseRule> {
        let Some(reply) = source.reply else {
            let message = format!("the operation `{}` has no `reply`", source.name);
            let problem = Problem::at(source.span, code::MISSING_KEY, message);
            self.problems.push(problem.help("add `reply = { … }` to it or to its route"));
            return None;
        };
        self.responses(roots, &reply.span, |checker| checker.check(reply))
    }
}

/// Returns the roots of the error responses of an operation: any stage can fail, so that no field
/// and nothing that `find` looks for is certain to be there.
fn of_errors(roots: &TableType, fields: &[Field]) -> TableType {
    let known = ["call", "account", "brand", "option", "secret"];
    let fields: Vec<Field> =
        fields.iter().map(|field| Field { optional: true, ..field.clone() }).collect();
    let mut outer = roots.clone();
    for field in outer.fields.iter_mut().filter(|field| !known.contains(&field.name.as_str())) {
        field.optional = true;
    }
    with_fields(outer, &fields)
}

/// Returns the names of an event, those in other revisions included.
fn event_names(event: &EventForm) -> impl Iterator<Item = &str> {
    let previous = event.previous_names.iter().map(|name| name.value.as_str());
    [event.type_.as_str()].into_iter().chain(previous)
}
