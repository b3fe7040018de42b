//! Checks the sections about the API, and compiles their templates.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::call_help::helped;
use super::call_match::CallMatchers;
use super::call_types::{of_call, with_auth, with_error, with_fields, with_revision};
use super::condition_check::{check_conditions, check_triggers};
use super::credential::CredentialRule;
use super::credential_check::check_credential;
use super::documents::DocumentRule;
use super::example::check_path;
use super::forms::{ApiForm, ErrorForm, OperationForm, RouteForm};
use super::graphql_check::check_graphql;
use super::host_pattern::HostPattern;
use super::operation_source::OperationSource;
use super::path_pattern::{PathPattern, parameter_fields};
use super::read_arguments::ArgumentPaths;
use super::response::{ErrorRule, ErrorTrigger, ResponseChecker};
use super::rules::{AccountCheck, ApiRules, CorsRule, RouteRule};
use super::throttle::ThrottleRule;
use crate::diag::{
    Key, NodeContent, OneOrMore, Problem, Problems, SourceSpan, Spanned, SyntaxNode, TableOf, code,
};
use crate::platform::forms::VendorForm;
use crate::platform::ids::IdRules;
use crate::platform::request_check::Templates;
use crate::platform::root_types::RootTypes;
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
    /// The paths that the templates of the operation that is being checked read.
    pub(in crate::platform) reads: &'a RefCell<ArgumentPaths>,
    pub(in crate::platform) problems: &'a mut Problems,
}

impl<'a> ApiChecker<'a> {
    /// Checks all sections.
    pub(in crate::platform) fn rules(&mut self) -> ApiRules {
        let earlier = std::mem::take(self.problems);
        let rules = self.sections();
        let own = std::mem::replace(self.problems, earlier);
        self.problems.extend(helped(own));
        rules
    }

    fn sections(&mut self) -> ApiRules {
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

    pub(super) fn context(&self, root: TableType) -> CompileContext<'a> {
        let reads = Some(self.reads);
        CompileContext { reads, ..CompileContext::without_files(root, &self.types.words) }
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
        rules.cors = api.cors.as_ref().map(|cors| CorsRule {
            has_credentials: cors.credentials.as_ref().is_some_and(|allowed| allowed.value),
        });
        let hosts = api.hosts.iter();
        rules.hosts = hosts.filter_map(|host| HostPattern::check(host, self.problems)).collect();
        for (key, text) in api.header.iter() {
            let context = self.context(of_call(self.types, None));
            let text = TextTemplate::check(text, &context, TextRules::default(), self.problems);
            rules.header.extend(text.map(|text| (key.name.clone(), text)));
        }
        for like in api.list.iter().filter_map(|(_, list)| list.like.as_ref()) {
            let message = "a list of `[api.list]` cannot have `like`";
            let problem = Problem::at(&like.span, code::CONTRADICTION, message);
            self.problems.push(problem.help("write all keys of the list"));
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
        let examples = own.iter().filter_map(|operation| operation.example.as_ref());
        for example in form.example.iter().chain(examples) {
            check_path(example, &paths, self.problems);
        }
        self.reads.take();
        let (fields, types) = self.fields(Some(&form.fields), Vec::new(), &roots);
        self.note_credentials(&auth);
        let shared = self.reads.take();
        let mut operations = Vec::new();
        if own.is_empty() {
            let source = OperationSource::of_route(form);
            self.reads.replace(shared.clone());
            operations.extend(self.operation(&source, &roots, &types).map(Arc::new));
        } else {
            self.refuse_operation_keys(form);
        }
        for operation in own {
            let source = OperationSource::new(form, operation);
            self.reads.replace(shared.clone());
            operations.extend(self.operation(&source, &roots, &types).map(Arc::new));
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
            operations,
            errors,
            secret: form.secret.iter().map(|pointer| pointer.value.clone()).collect(),
        })
    }

    /// Checks the names of credentials.
    pub(super) fn auth(&mut self, auth: &[OneOrMore<Spanned<String>>]) -> Vec<Vec<String>> {
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

    /// Notes the parameters that are credentials.
    pub(super) fn note_credentials(&self, auth: &[Vec<String>]) {
        let rules = auth.iter().flatten().filter_map(|name| self.credentials.get(name));
        let names = rules.flat_map(CredentialRule::parameter_names);
        let paths = names.map(|name| ["call", "params", name].map(str::to_owned).to_vec());
        self.reads.borrow_mut().extend(paths);
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

    /// Checks named values. Each can use those before it, `types` included.
    pub(super) fn fields(
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

    /// Checks error responses. `matched` are the roots of matchers, `roots` those of responses.
    pub(super) fn errors(
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
            let response =
                self.responses(roots, &form.when.span, |checker| checker.check(&form.reply));
            if let (Some(when), Some(response)) = (when, response) {
                rules.push(ErrorRule { when, response });
            }
        }
        rules
    }

    /// Checks a response. `place` is where the file has it.
    pub(super) fn responses<T>(
        &mut self,
        root: TableType,
        place: &SourceSpan,
        check: impl FnOnce(&mut ResponseChecker<'_>) -> Option<T>,
    ) -> Option<T> {
        let (templates, reads) = (self.templates, Some(self.reads));
        let files = |name: &str| templates.get(name).cloned();
        let context = CompileContext { root, words: &self.types.words, files: &files, reads };
        let (style, mut problems) = (self.style, Problems::new());
        let checked = check(&mut ResponseChecker { context, style, problems: &mut problems });
        let codes = [code::UNKNOWN_PATH, code::OPTIONAL_PATH];
        self.problems.extend(problems.used_at(place, "in this response", &codes));
        checked
    }
}
