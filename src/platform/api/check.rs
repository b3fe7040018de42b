//! Checks the sections about the API, and compiles their templates.

use std::sync::Arc;

use super::act::ActChecker;
use super::call_match::CallMatchers;
use super::call_types::{of_call, with_conversation, with_error, with_fields, with_subscription};
use super::condition_check::{check_conditions, check_triggers};
use super::credential::CredentialRule;
use super::example::CallExample;
use super::find::{FindKind, FindRule, found_type};
use super::forms::{
    ActForm, ApiForm, ErrorForm, ExampleForm, FindForm, OperationForm, ReplyForm, RouteForm,
};
use super::host_pattern::HostPattern;
use super::path_pattern::{PathPattern, parameter_fields};
use super::response::{ErrorRule, ErrorTrigger, ResponseChecker, ResponseRule};
use super::rules::{AccountCheck, ApiRules, OperationRule, RouteRule};
use crate::diag::{
    Key, NodeContent, Problem, Problems, SourceSpan, Spanned, SyntaxNode, TableOf, code,
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
    pub(in crate::platform) problems: &'a mut Problems,
}

/// An operation with the keys of its route, as the file has them.
struct OperationSource<'f> {
    span: &'f SourceSpan,
    name: &'f str,
    call: Option<&'f Spanned<String>>,
    matches: Option<&'f TableOf<SyntaxNode>>,
    fields: Option<&'f TableOf<SyntaxNode>>,
    find: Vec<&'f FindForm>,
    act: &'f [ActForm],
    reply: Option<&'f ReplyForm>,
    errors: Vec<&'f ErrorForm>,
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
            matches: None,
            fields: None,
            find: route.find.iter().collect(),
            act: &route.act,
            reply: route.reply.as_ref(),
            errors: route.error.iter().collect(),
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
            matches: Some(&operation.matches),
            fields: Some(&operation.fields),
            find: route.find.iter().chain(&operation.find).collect(),
            act: &operation.act,
            reply: operation.reply.as_ref().or(route.reply.as_ref()),
            errors: operation.error.iter().chain(&route.error).collect(),
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
            let checked = CredentialRule::check(credential, &context, self.problems);
            rules.credentials.extend(checked.map(|rule| (rule.name.clone(), rule)));
        }
        for route in &form.route {
            let route = self.route(route);
            rules.routes.push(route);
        }
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
        let credentials: Vec<&str> =
            self.form.credential.iter().map(|credential| credential.name.as_str()).collect();
        for name in form.auth.iter().filter(|name| !credentials.contains(&name.as_str())) {
            let message = format!("unknown credential `{}`", name.value);
            let problem = Problem::at(&name.span, code::INVALID_ROUTE, message);
            self.problems.push(problem.suggest_or_list(name, credentials.iter().copied()));
        }
        let roots = of_call(self.types, Some(&parameter_fields(&paths)));
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
        let mut checker = ApiChecker { problems: &mut ignored, ..*self };
        let errors = checker.errors(&form.error.iter().collect::<Vec<_>>(), &roots, &roots);
        Arc::new(RouteRule {
            name: form.name.value.clone(),
            methods: form.method.iter().map(|method| method.value.clone()).collect(),
            paths,
            auth: form.auth.iter().map(|name| name.value.clone()).collect(),
            body: form.body.value,
            fields,
            operations: operations.into_iter().map(Arc::new).collect(),
            errors,
            secret: form.secret.iter().map(|pointer| pointer.value.clone()).collect(),
        })
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
        let (finds, found) = self.finds(&source.find, roots);
        let people: Vec<String> = finds
            .iter()
            .filter(|find| find.kind != FindKind::Conversation)
            .map(|find| find.name.clone())
            .collect();
        let mut acts = ActChecker {
            context: self.context(found.clone()),
            people,
            kinds: self.form.kinds.names().collect(),
            secrets: self.form.secret.names().collect(),
            problems: &mut *self.problems,
        };
        let acts: Vec<_> = source.act.iter().filter_map(|act| acts.check(act)).collect();
        let finds_conversation =
            finds.iter().any(|find| find.kind == FindKind::Conversation && !find.optional);
        self.check_conversation(source, finds_conversation);
        let mut after = found.clone();
        if source.act.iter().any(|act| act.open.is_some()) {
            after = with_conversation(self.types, after);
        }
        if source.act.iter().any(|act| act.subscribe.is_some()) {
            after = with_subscription(after);
        }
        let response = self.response(source, after);
        let errors = self.errors(&source.errors, &found, &of_errors(&found, &types));
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
            matches,
            fields,
            finds,
            acts,
            response: response?,
            errors,
            secret: source.secret.iter().map(|pointer| pointer.value.clone()).collect(),
            example,
            certainty,
        })
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
            let ids = self.ids;
            let names = |kind: FindKind| match kind {
                FindKind::Conversation => ids.names(IdOwner::Conversation),
                FindKind::Person(role) => {
                    [ids.names(IdOwner::Person), ids.names(of_role(role))].concat()
                }
            };
            let context = self.context(roots.clone());
            let Some(rule) = FindRule::check(form, &context, &names, self.problems) else {
                continue;
            };
            match found_type(rule.kind, &self.types.visitor, &self.types.person) {
                Some(person) => {
                    let (name, field_type) = (rule.name.clone(), FieldType::table(person));
                    roots.set(Field { name, field_type, optional: rule.optional });
                }
                None if !rule.optional => roots = with_conversation(self.types, roots),
                None => {}
            }
            finds.push(rule);
        }
        (finds, roots)
    }

    /// Reports actions that have no conversation to happen in.
    fn check_conversation(&mut self, source: &OperationSource<'_>, is_found: bool) {
        let is_elsewhere = |act: &&ActForm| act.person.is_some() || act.subscribe.is_some();
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
/// is certain to be there.
fn of_errors(roots: &TableType, fields: &[Field]) -> TableType {
    let known = ["call", "account", "brand", "option", "secret"];
    let fields: Vec<Field> =
        fields.iter().map(|field| Field { optional: true, ..field.clone() }).collect();
    let mut outer = roots.clone();
    outer.fields.retain(|field| known.contains(&field.name.as_str()));
    with_fields(outer, &fields)
}
