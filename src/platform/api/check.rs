//! Checks the sections about the API, and compiles their templates.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::act::{ActChecker, ActRule};
use super::call_match::CallMatchers;
use super::call_types::{
    of_call, with_auth, with_conversation, with_error, with_event, with_fields, with_handshake,
    with_issued, with_link, with_possible_conversation, with_revision, with_settled,
    with_subscription,
};
use super::condition_check::{check_conditions, check_triggers};
use super::credential::CredentialRule;
use super::credential_check::check_credential;
use super::documents::DocumentRule;
use super::example::CallExample;
use super::find::{FindKind, FindRule, found_type};
use super::forms::{
    ActForm, ApiForm, ErrorForm, ExampleForm, FindForm, ListForm, OperationForm, ReplyForm,
    RouteForm, WarnForm,
};
use super::graphql_check::check_graphql;
use super::host_pattern::HostPattern;
use super::list::{ListRule, Listed, list_type};
use super::path_pattern::{PathPattern, parameter_fields};
use super::response::{ErrorRule, ErrorTrigger, ResponseChecker, ResponseRule};
use super::rules::{AccountCheck, ApiRules, CallWarning, OperationRule, RouteRule};
use super::throttle::ThrottleRule;
use crate::diag::{
    Key, NodeContent, OneOrMore, Problem, Problems, SourceSpan, Spanned, SyntaxNode, TableOf, code,
};
use crate::platform::forms::VendorForm;
use crate::platform::ids::{IdOwner, IdRules, of_role};
use crate::platform::request_check::Templates;
use crate::platform::root_types::RootTypes;
use crate::platform::source_form::{Certainty, SourceForm};
use crate::template::{
    CompileContext, Field, FieldType, InputTemplate, JsonStyle, TableType, TextRules, TextTemplate,
};

/// Methods of routes.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Checks the sections about the API.
pub(in crate::platform) struct ApiChecker<'a> {
    pub(in crate::platform) form: &'a VendorForm,
    pub(in crate::platform) types: &'a RootTypes,
    pub(in crate::platform) ids: &'a IdRules,
    pub(in crate::platform) templates: &'a Templates,
    pub(in crate::platform) style: JsonStyle,
    /// Types of entities, by kind.
    pub(in crate::platform) entities: &'a BTreeMap<String, TableType>,
    /// The checked kinds of documents, by name.
    pub(in crate::platform) documents: BTreeMap<String, DocumentRule>,
    /// The checked credentials, by name.
    pub(in crate::platform) credentials: BTreeMap<String, CredentialRule>,
    pub(in crate::platform) problems: &'a mut Problems,
}

/// An operation with the keys of its route, as the file has them.
struct OperationSource<'f> {
    span: &'f SourceSpan,
    name: &'f str,
    call: Option<&'f Spanned<String>>,
    field: Option<&'f Spanned<String>>,
    split: Option<&'f Spanned<String>>,
    auth: &'f [OneOrMore<Spanned<String>>],
    matches: Option<&'f TableOf<SyntaxNode>>,
    fields: Option<&'f TableOf<SyntaxNode>>,
    find: Vec<&'f FindForm>,
    list: Option<&'f ListForm>,
    act: &'f [ActForm],
    settle: Option<&'f Spanned<SignedDuration>>,
    reply: Option<&'f ReplyForm>,
    errors: Vec<&'f ErrorForm>,
    warn: Vec<&'f WarnForm>,
    secret: Vec<&'f Spanned<String>>,
    example: Option<&'f ExampleForm>,
    source: Option<&'f SourceForm>,
}

impl<'f> OperationSource<'f> {
    /// Returns the operation that a route without `[[operation]]` is.
    fn of_route(route: &'f RouteForm) -> Self {
        Self {
            span: &route.span,
            name: &route.name.value,
            call: route.call.as_ref(),
            field: None,
            split: None,
            auth: &[],
            matches: None,
            fields: None,
            find: route.find.iter().collect(),
            list: route.list.as_ref(),
            act: &route.act,
            settle: route.settle.as_ref(),
            reply: route.reply.as_ref(),
            errors: route.error.iter().collect(),
            warn: route.warn.iter().collect(),
            secret: route.secret.iter().collect(),
            example: route.example.as_ref(),
            source: route.source.as_ref(),
        }
    }

    fn new(route: &'f RouteForm, operation: &'f OperationForm) -> Self {
        Self {
            span: &operation.span,
            name: &operation.name.value,
            call: operation.call.as_ref(),
            field: operation.field.as_ref(),
            split: operation.split.as_ref(),
            auth: &operation.auth,
            matches: Some(&operation.matches),
            fields: Some(&operation.fields),
            find: route.find.iter().chain(&operation.find).collect(),
            list: operation.list.as_ref().or(route.list.as_ref()),
            act: &operation.act,
            settle: operation.settle.as_ref().or(route.settle.as_ref()),
            reply: operation.reply.as_ref().or(route.reply.as_ref()),
            errors: operation.error.iter().chain(&route.error).collect(),
            warn: route.warn.iter().chain(&operation.warn).collect(),
            secret: route.secret.iter().chain(&operation.secret).collect(),
            example: operation.example.as_ref(),
            source: operation.source.as_ref().or(route.source.as_ref()),
        }
    }
}

impl<'a> ApiChecker<'a> {
    /// Checks all sections.
    pub(in crate::platform) fn rules(&mut self) -> ApiRules {
        let form = self.form;
        let before = self.problems.len();
        self.check_names();
        let mut rules = ApiRules::default();
        if let Some(api) = &form.api {
            self.api(api, &mut rules);
        }
        for credential in &form.credential {
            let context = self.context(of_call(self.types, None));
            let checked = check_credential(credential, &context, self.problems);
            rules.credentials.extend(checked.map(|rule| (rule.name.clone(), rule)));
        }
        for throttle in &form.throttle {
            let rule = ThrottleRule::check(throttle, form, self.problems);
            rules.throttles.insert(rule.name.clone(), rule);
        }
        for (key, form) in self.form.documents.iter() {
            let context = self.context(self.types.base.clone());
            let rule = DocumentRule::check(form, &context, self.problems);
            self.documents.insert(key.name.clone(), rule);
        }
        self.credentials = rules.credentials;
        for route in &form.route {
            let route = self.route(route);
            rules.routes.push(route);
        }
        rules.credentials = std::mem::take(&mut self.credentials);
        check_graphql(form, self.templates, &mut rules, self.problems);
        rules.documents = std::mem::take(&mut self.documents);
        // After a mistake, it is unknown which conditions can occur and which have a response.
        if self.problems.len() == before {
            check_conditions(form, &rules, self.problems);
        }
        rules
    }

    fn context(&self, root: TableType) -> CompileContext<'a> {
        CompileContext::without_files(root, &self.types.words)
    }

    /// Reports names that stand twice, and operations without a route.
    fn check_names(&mut self) {
        let form = self.form;
        let mut check = |what: &str, names: Vec<&Spanned<String>>| {
            for (index, name) in names.iter().enumerate() {
                if names[..index].iter().any(|other| other.value == name.value) {
                    let message = format!("another {what} is called `{}`", name.value);
                    let problem = Problem::at(&name.span, code::DUPLICATE_ID, message);
                    self.problems.push(problem.help("give each of them a separate name"));
                }
            }
        };
        check("credential", form.credential.iter().map(|credential| &credential.name).collect());
        check("throttle", form.throttle.iter().map(|throttle| &throttle.name).collect());
        check("route", form.route.iter().map(|route| &route.name).collect());
        check("operation", form.operation.iter().map(|operation| &operation.name).collect());
        let routes: Vec<&str> = form.route.iter().map(|route| route.name.as_str()).collect();
        for operation in form.operation.iter().filter(|o| !routes.contains(&o.route.as_str())) {
            let message = format!("unknown route `{}`", operation.route.value);
            let problem = Problem::at(&operation.route.span, code::INVALID_ROUTE, message);
            self.problems.push(problem.suggest_or_list(&operation.route, routes.iter().copied()));
        }
    }

    fn api(&mut self, api: &ApiForm, rules: &mut ApiRules) {
        if let Some(account) = &api.account {
            let context = self.context(self.types.base.clone());
            let is =
                TextTemplate::check(&account.is, &context, TextRules::default(), self.problems);
            let parameter = account.path.value.clone();
            rules.account = is.map(|is| AccountCheck { parameter, is });
        }
        let hosts = api.hosts.iter();
        rules.hosts = hosts.filter_map(|host| HostPattern::check(host, self.problems)).collect();
        for (key, text) in api.header.iter() {
            let context = self.context(of_call(self.types, None));
            let text = TextTemplate::check(text, &context, TextRules::default(), self.problems);
            rules.header.extend(text.map(|text| (key.name.clone(), text)));
        }
        let roots = of_call(self.types, None);
        rules.errors = self.errors(&api.error.iter().collect::<Vec<_>>(), &roots, &roots);
    }

    fn route(&mut self, form: &RouteForm) -> Arc<RouteRule> {
        let mut paths = Vec::new();
        for path in &*form.path {
            paths.extend(PathPattern::check(path, self.problems));
        }
        for method in form.method.iter().filter(|method| !METHODS.contains(&method.as_str())) {
            let message = format!("unknown method `{}`", method.value);
            let problem = Problem::at(&method.span, code::INVALID_ROUTE, message);
            self.problems.push(problem.suggest_or_list(method, METHODS));
        }
        let auth = self.auth(&form.auth);
        let own = self.form.operation.iter().filter(|known| known.route.value == form.name.value);
        let all = form.auth.iter().chain(own.flat_map(|operation| &operation.auth));
        let names = all.flat_map(|names| names.iter()).map(|name| name.value.as_str());
        let roots = with_auth(of_call(self.types, Some(&parameter_fields(&paths))), names);
        let roots = with_revision(roots, self.documents.keys());
        let all = &self.form.operation;
        let own: Vec<&OperationForm> =
            all.iter().filter(|operation| operation.route.value == form.name.value).collect();
        let (fields, types) = self.fields(Some(&form.fields), Vec::new(), &roots);
        let mut operations = Vec::new();
        if own.is_empty() {
            let source = OperationSource::of_route(form);
            operations.extend(self.operation(&source, &roots, &types));
        } else {
            self.refuse_operation_keys(form);
        }
        for operation in own {
            let source = OperationSource::new(form, operation);
            operations.extend(self.operation(&source, &roots, &types));
        }
        // Their problems were reported with the operations.
        let mut ignored = Problems::new();
        let credentials = self.credentials.clone();
        let documents = self.documents.clone();
        let mut checker = ApiChecker { problems: &mut ignored, credentials, documents, ..*self };
        let errors = checker.errors(&form.error.iter().collect::<Vec<_>>(), &roots, &roots);
        let query = form.query.iter().map(|(key, value)| (key.name.clone(), value.value.clone()));
        let batch_status = form.batch_status.as_ref().and_then(|text| {
            let context = self.context(self.types.base.clone());
            TextTemplate::check(text, &context, TextRules::default(), self.problems)
        });
        Arc::new(RouteRule {
            name: form.name.value.clone(),
            methods: form.method.iter().map(|method| method.value.clone()).collect(),
            paths,
            query: query.collect(),
            auth,
            throttles: self.throttles(form),
            body: form.body.value,
            batch_status,
            fields,
            operations: operations.into_iter().map(Arc::new).collect(),
            errors,
            secret: form.secret.iter().map(|pointer| pointer.value.clone()).collect(),
        })
    }

    /// Checks the names of credentials.
    fn auth(&mut self, auth: &[OneOrMore<Spanned<String>>]) -> Vec<Vec<String>> {
        let known: Vec<&str> =
            self.form.credential.iter().map(|credential| credential.name.as_str()).collect();
        let names = auth.iter().flat_map(|names| names.iter());
        for name in names.filter(|name| !known.contains(&name.as_str())) {
            let message = format!("unknown credential `{}`", name.value);
            let problem = Problem::at(&name.span, code::INVALID_ROUTE, message);
            self.problems.push(problem.suggest_or_list(name, known.iter().copied()));
        }
        auth.iter().map(|names| names.iter().map(|name| name.value.clone()).collect()).collect()
    }

    /// Reports keys of a route that belong to its operations.
    fn refuse_operation_keys(&mut self, form: &RouteForm) {
        let keys = [
            ("call", form.call.as_ref().map(|call| &call.span)),
            ("act", form.act.first().map(|act| &act.span)),
            ("example", form.example.as_ref().map(|example| &example.span)),
        ];
        for (key, span) in keys {
            let Some(span) = span else { continue };
            let message = format!("`{key}` belongs to the operations of the route");
            let problem = Problem::at(span, code::CONTRADICTION, message);
            self.problems.push(problem.help("move it to the `[[operation]]` that it describes"));
        }
    }

    /// Checks an operation. `shared` are the fields of its route.
    fn operation(
        &mut self,
        source: &OperationSource<'_>,
        roots: &TableType,
        shared: &[Field],
    ) -> Option<OperationRule> {
        let before = self.problems.len();
        let auth = self.auth(source.auth);
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
        let (finds, mut found) = self.finds(&source.find, roots);
        if source.act.iter().any(|act| act.subscribe.is_some()) {
            found = with_handshake(found);
        }
        let performed = self.acts(source, &finds, &found);
        let finds_conversation =
            finds.iter().any(|find| find.kind.is_conversation() && !find.optional);
        self.check_conversation(source, finds_conversation);
        let list = source.list.and_then(|list| self.list(list, &found));
        let after = self.after_acts(source, found.clone(), list.as_ref(), finds_conversation);
        let response = self.response(source, after);
        let matched = with_possible_conversation(self.types, found.clone());
        let errors = self.errors(&source.errors, &matched, &of_errors(&matched, &types));
        let mut warnings = Vec::new();
        for form in &source.warn {
            let when = CallMatchers::check(&form.when, &self.context(found.clone()), self.problems);
            warnings.push(CallWarning { when, text: form.text.value.clone() });
        }
        let example_roots = with_conversation(self.types, self.types.base.clone());
        let example = source.example.and_then(|example| {
            CallExample::check(example, &self.context(example_roots), self.problems)
        });
        let section = self.form.source.get("operation").or(self.form.source.get("route"));
        let certainty = source.source.or(section).map_or(Certainty::Assumed, |s| s.status.value);
        if self.problems.len() > before {
            return None;
        }
        Some(OperationRule {
            name: source.name.to_owned(),
            call: source.call.map_or(source.name, |call| &call.value).to_owned(),
            field: source.field.map(|field| field.value.clone()),
            split: source.split.map(|split| split.value.clone()),
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
            let finds = finds.filter(|find| find.kind != FindKind::Entity || !find.optional);
            finds.map(|find| find.name.clone()).collect()
        };
        let mut acts = ActChecker {
            context: self.context(found.clone()),
            people: names(&|kind| matches!(kind, FindKind::Person(_))),
            kinds: self.form.kinds.names().collect(),
            event_types: self.form.event.iter().map(|event| event.type_.as_str()).collect(),
            secrets: self.form.secret.names().collect(),
            files: names(&|kind| kind == FindKind::File),
            entities: self.entities,
            named_entities: names(&|kind| kind == FindKind::Entity),
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
            let item = match &list.of {
                Listed::Documents(kind) => self.documents.get(kind).map(DocumentRule::table),
                Listed::Entities(kind) => self.entities.get(kind).cloned(),
                Listed::Messages => Some(self.types.message.clone()),
                Listed::Conversations => Some(self.types.conversation.clone()),
            };
            after = after.always("list", list_type(item.unwrap_or_default()));
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

    fn list(&mut self, form: &ListForm, roots: &TableType) -> Option<ListRule> {
        let (ids, documents) = (self.ids, &self.documents);
        let has_conversation =
            roots.get("conversation").is_some_and(|conversation| !conversation.optional);
        let names = |of: &Listed| match of {
            Listed::Conversations => Some(ids.names(IdOwner::Conversation)),
            Listed::Messages => has_conversation.then(|| ids.names(IdOwner::Message)),
            Listed::Documents(kind) => documents.get(kind).map(DocumentRule::id_names),
            Listed::Entities(kind) => self.entities.get(kind).map(|table| table.fields.clone()),
        };
        let context = self.context(roots.clone());
        ListRule::check(form, &context, self.entities, &names, self.problems)
    }

    /// Checks named values. Each can use those before it, `types` included.
    fn fields(
        &mut self,
        table: Option<&TableOf<SyntaxNode>>,
        mut types: Vec<Field>,
        roots: &TableType,
    ) -> (Vec<(String, InputTemplate)>, Vec<Field>) {
        let mut fields = Vec::new();
        for (key, node) in table.iter().flat_map(|table| table.iter()) {
            let context = self.context(with_fields(roots.clone(), &types));
            let Some(template) = InputTemplate::check(node, &context, self.problems) else {
                continue;
            };
            let (name, field_type) = (key.name.clone(), FieldType::Any);
            types.push(Field { name: name.clone(), field_type, optional: template.is_optional() });
            fields.push((name, template));
        }
        (fields, types)
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
            let document = match (&rule.document, rule.kind) {
                (Some(kind), FindKind::Entity) => self.entities.get(kind).cloned(),
                (Some(kind), _) => self.documents.get(kind).map(DocumentRule::table),
                (None, _) => None,
            };
            let found = found_type(rule.kind, &self.types.visitor, &self.types.person);
            match document.or(found) {
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

    /// Adds the conversation that a rule finds, under its own name too.
    fn with_found_conversation(&self, rule: &FindRule, mut roots: TableType) -> TableType {
        if rule.name != rule.kind.as_str() {
            let conversation = FieldType::table(self.types.conversation.clone());
            let (name, optional) = (rule.name.clone(), rule.optional);
            roots.set(Field { name, field_type: conversation, optional });
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

    /// Returns the names of the limits of a route.
    fn throttles(&mut self, form: &RouteForm) -> Vec<String> {
        let known: Vec<&str> =
            self.form.throttle.iter().map(|throttle| throttle.name.as_str()).collect();
        let names: Vec<_> = form.throttle.iter().flat_map(|names| names.iter()).collect();
        for name in names.iter().filter(|name| !known.contains(&name.as_str())) {
            let message = format!("unknown throttle `{}`", name.value);
            let problem = Problem::at(&name.span, code::INVALID_ROUTE, message);
            self.problems.push(problem.suggest_or_list(name, known.iter().copied()));
        }
        names.into_iter().map(|name| name.value.clone()).collect()
    }

    /// Reports actions that have no conversation to happen in.
    fn check_conversation(&mut self, source: &OperationSource<'_>, is_found: bool) {
        let is_elsewhere = |act: &&ActForm| {
            let people = act.person.is_some();
            let subscriptions = act.subscribe.is_some() || act.unsubscribe.is_some();
            let tokens = act.issue.is_some() || act.revoke.is_some();
            let documents = act.create.is_some() || act.replace.is_some() || act.delete.is_some();
            let files = act.link.is_some() || act.store.is_some();
            let entities = act.create_entity.is_some()
                || act.update_entity.is_some()
                || act.delete_entity.is_some();
            files || people || subscriptions || tokens || documents || entities
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
        self.responses(roots, |checker| checker.check(reply))
    }

    /// Checks error responses. `matched` are the roots of matchers, `roots` those of responses.
    fn errors(
        &mut self,
        forms: &[&ErrorForm],
        matched: &TableType,
        roots: &TableType,
    ) -> Vec<ErrorRule> {
        let mut rules = Vec::new();
        for form in forms {
            let when = match &form.when.content {
                NodeContent::Table(table) => {
                    let entry = |(key, node): &(Key, SyntaxNode)| (key.clone(), Some(node.clone()));
                    let table = TableOf(table.0.iter().map(entry).collect());
                    let context = self.context(matched.clone());
                    let matchers = CallMatchers::check(&table, &context, self.problems);
                    Some(ErrorTrigger::Matchers(matchers))
                }
                _ => check_triggers(&form.when, self.form, self.problems)
                    .map(ErrorTrigger::Conditions),
            };
            let roots = with_error(roots.clone());
            let response = self.responses(roots, |checker| checker.check(&form.reply));
            if let (Some(when), Some(response)) = (when, response) {
                rules.push(ErrorRule { when, response });
            }
        }
        rules
    }

    fn responses<T>(
        &mut self,
        root: TableType,
        check: impl FnOnce(&mut ResponseChecker<'_>) -> Option<T>,
    ) -> Option<T> {
        let templates = self.templates;
        let files = |name: &str| templates.get(name).cloned();
        let context = CompileContext { root, words: &self.types.words, files: &files };
        let (style, problems) = (self.style, &mut *self.problems);
        check(&mut ResponseChecker { context, style, problems })
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
