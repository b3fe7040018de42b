//! How connections to receivers are made: flags, and the keys of `[[endpoint]]` that they override.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use jiff::SignedDuration;

use super::inputs::unreadable_file;
use crate::base::address::EgressPolicy;
use crate::base::duration;
use crate::base::file;
use crate::base::redact::is_credential_name;
use crate::base::route::{ForwardProxy, ResolveRule};
use crate::base::secret::{MIN_SECRET, Reference, Secret};
use crate::config::{EndpointForm, HEADER_VALUE_RULE, check_header_name, is_header_value};
use crate::delivery::{ConnectionOptions, TlsSettings};
use crate::diag::{Problem, Problems, SourceSpan, Spanned, code};

/// How connections to receivers are made. A flag overrides the key of the same name of every receiver in
/// the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Connections to receivers")]
pub(super) struct ConnectionArgs {
    /// Header to add to those of the vendor: `NAME: VALUE`, `NAME: env:VARIABLE` or `NAME: file:PATH`;
    /// can be repeated
    // Parsed later: clap would print an invalid one, which may be secret.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Timeout of a request, such as `5s` [default: that of the vendor]
    #[arg(long, value_name = "DURATION", value_parser = positive, allow_hyphen_values = true)]
    timeout: Option<SignedDuration>,
    /// PEM file with CA certificates that are trusted in addition to those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Accept every certificate of a receiver
    #[arg(long)]
    insecure: bool,
    /// PEM file with a client certificate and its chain
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// PEM file with the key of the client certificate [default: in the file of --cert]
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Address in place of those of a host name, as curl does: HOST:PORT:ADDRESS; can be repeated
    #[arg(long, value_name = "RULE", value_parser = ResolveRule::parse)]
    resolve: Vec<ResolveRule>,
    /// Forward proxy for requests to receivers: URL, `env:NAME` or `file:PATH`
    // Parsed later, because it may contain a password.
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
}

/// Value of `--header`.
struct HeaderArg {
    name: String,
    value: Reference,
}

/// Parses a timeout. clap prints the error.
fn positive(text: &str) -> Result<SignedDuration, String> {
    let parsed = duration::parse(text)?;
    if parsed.is_positive() { Ok(parsed) } else { Err("the timeout must be greater than 0".into()) }
}

impl HeaderArg {
    /// Parses `NAME: VALUE`. The error does not contain the value, which may be secret.
    fn parse(text: &str) -> Result<Self, String> {
        let (name, value) = text
            .split_once(':')
            .ok_or_else(|| "expected NAME: VALUE, such as `X-Env: test`".to_owned())?;
        check_header_name(name)?;
        let value = Reference(value.trim().to_owned());
        if let Some(help) = value.mistaken() {
            return Err(help.to_owned());
        }
        if !value.is_external() && !is_header_value(&value.0) {
            return Err(HEADER_VALUE_RULE.to_owned());
        }
        Ok(Self { name: name.to_owned(), value })
    }

    fn resolve(&self) -> Result<(String, Secret), Problem> {
        let name = self.name.clone();
        if !self.value.is_external() {
            let is_secret = is_credential_name(&name) && self.value.0.len() >= MIN_SECRET;
            let secret = if is_secret { Secret::private } else { Secret::public };
            return Ok((name, secret(self.value.0.clone())));
        }
        let secret = self.value.resolve().map_err(|error| {
            Problem::anywhere(code::SECRET_MISSING, error.to_string()).help(error.help())
        })?;
        if !is_header_value(secret.expose()) {
            let problem = Problem::anywhere(code::INVALID_HEADER, "invalid header value");
            return Err(problem.help(HEADER_VALUE_RULE));
        }
        Ok((name, secret))
    }
}

/// A value with its place, if it comes from a file.
struct Placed<T> {
    value: T,
    span: Option<SourceSpan>,
}

impl<T> Placed<T> {
    /// The value of a flag, or else that of a key.
    fn choose(flag: Option<T>, key: Option<&Spanned<T>>) -> Option<Self>
    where
        T: Clone,
    {
        let of_key = || {
            let key = key?;
            Some(Self { value: key.value.clone(), span: Some(key.span.clone()) })
        };
        flag.map(|value| Self { value, span: None }).or_else(of_key)
    }

    fn problem(&self, problem: Problem) -> Problems {
        let problems = Problems::from(problem);
        match &self.span {
            Some(span) => problems.with_default_span(span),
            None => problems,
        }
    }
}

impl ConnectionArgs {
    /// Returns the options of connections to a receiver: of the flags, and of its keys in the
    /// configuration.
    pub(super) fn options(
        &self,
        form: Option<&EndpointForm>,
        egress: EgressPolicy,
    ) -> Result<Arc<ConnectionOptions>, Problems> {
        let mut problems = Problems::new();
        let timeout = Placed::choose(self.timeout, form.and_then(|form| form.timeout.as_ref()));
        let mut options = ConnectionOptions::default();
        if let Some(timeout) = timeout {
            options.timeout = Some(timeout.value.unsigned_abs());
            if !timeout.value.is_positive() {
                let message = "the timeout must be greater than 0";
                problems
                    .extend(timeout.problem(Problem::anywhere(code::INVALID_DURATION, message)));
            }
        }
        options.resolve = self.resolve_rules(form, egress, &mut problems);
        let proxy = self.proxy.clone().map(Reference);
        let proxy = Placed::choose(proxy, form.and_then(|form| form.proxy.as_ref()));
        options.proxy = proxy.and_then(|proxy| {
            let read = read_proxy(&proxy.value, egress).map_err(|problem| proxy.problem(problem));
            problems.note(read)
        });
        let tls = problems.note(self.tls(form));
        let options = tls.and_then(|tls| problems.note(with_tls(options, tls)));
        problems.into_result(options).map(Arc::new)
    }

    fn resolve_rules(
        &self,
        form: Option<&EndpointForm>,
        egress: EgressPolicy,
        problems: &mut Problems,
    ) -> Vec<ResolveRule> {
        let flags = self.resolve.iter().map(|rule| Placed { value: rule.clone(), span: None });
        let mut rules: Vec<Placed<ResolveRule>> = flags.collect();
        // The first rule for a name applies, so that flags override keys.
        let keys = form.into_iter().flat_map(|form| &form.resolve);
        rules.extend(
            keys.map(|key| Placed { value: key.value.clone(), span: Some(key.span.clone()) }),
        );
        for rule in &rules {
            for address in &rule.value.addresses {
                if let Err(blocked) = egress.check(*address) {
                    let message = format!("sending to `{}` is not allowed: {blocked}", rule.value);
                    let problem = Problem::anywhere(code::FORBIDDEN_ADDRESS, message);
                    problems.extend(rule.problem(problem.help(blocked.help())));
                }
            }
        }
        rules.into_iter().map(|rule| rule.value).collect()
    }

    /// Reads the files of the TLS settings.
    fn tls(&self, form: Option<&EndpointForm>) -> Result<PlacedTls, Problems> {
        let mut problems = Problems::new();
        let path = |flag: &Option<PathBuf>| flag.as_ref().map(|path| path.display().to_string());
        let ca = Placed::choose(path(&self.ca), form.and_then(|form| form.ca.as_ref()));
        // A pair: the key of another certificate would never fit.
        let keys = form.filter(|_| self.cert.is_none());
        let cert = Placed::choose(path(&self.cert), keys.and_then(|form| form.cert.as_ref()));
        let key = Placed::choose(path(&self.key), keys.and_then(|form| form.key.as_ref()));
        if let (Some(key), None) = (&key, &cert) {
            let problem =
                Problem::anywhere(code::CONTRADICTION, "`key` has no effect without `cert`");
            problems.extend(key.problem(problem.help("add `cert` with the client certificate")));
        }
        let mut read = |file: &Option<Placed<String>>| {
            let file = file.as_ref()?;
            let path = Path::new(&file.value);
            let text = file::read(path).map_err(|error| unreadable_file(path, &error));
            problems.note(text.map_err(|problem| file.problem(problem)))
        };
        let settings = TlsSettings {
            ca: read(&ca),
            insecure: self.insecure
                || form.and_then(|form| form.insecure.as_ref()).is_some_and(|key| key.value),
            cert: read(&cert),
            key: read(&key),
        };
        problems.into_result(Some(PlacedTls { settings, ca, cert, key }))
    }

    /// Adds the headers of the flags to those of a receiver.
    pub(super) fn add_headers(
        &self,
        headers: &mut Vec<(String, Secret)>,
        existing: &[String],
        problems: &mut Problems,
    ) {
        for text in &self.headers {
            let parsed = HeaderArg::parse(text).map_err(|message| {
                let message = format!("invalid `--header`: {message}");
                Problem::anywhere(code::INVALID_HEADER, message)
                    .help("for example `--header 'X-Env: test'`, or `--header 'X-Key: env:NAME'`")
            });
            let Some(arg) = problems.note(parsed) else { continue };
            let is_same = |name: &str| name.eq_ignore_ascii_case(&arg.name);
            if existing.iter().any(|name| is_same(name)) {
                let message = format!("requests already have a header `{}`", arg.name);
                let problem = Problem::anywhere(code::INVALID_HEADER, message);
                problems.push(problem.help("remove `--header`: the header would be sent twice"));
                continue;
            }
            headers.retain(|(name, _)| !is_same(name));
            headers.extend(problems.note(arg.resolve()));
        }
    }

    /// Returns the flags that repeat these options. Credentials are omitted.
    pub(super) fn to_args(&self) -> Vec<String> {
        let mut flags: Vec<String> = Vec::new();
        let mut add = |name: &str, value: String| flags.extend([name.to_owned(), value]);
        let headers = self.headers.iter().filter_map(|text| HeaderArg::parse(text).ok());
        for HeaderArg { name, value } in headers {
            let is_shown = value.is_external() || !is_credential_name(&name);
            let value = if is_shown { value.0.as_str() } else { "env:VARIABLE" };
            add("--header", format!("{name}: {value}"));
        }
        if let Some(timeout) = self.timeout {
            add("--timeout", format!("{timeout:#}").replace(' ', ""));
        }
        for (name, file) in [("--ca", &self.ca), ("--cert", &self.cert), ("--key", &self.key)] {
            file.iter().for_each(|file| add(name, file.display().to_string()));
        }
        self.resolve.iter().for_each(|rule| add("--resolve", rule.to_string()));
        if let Some(proxy) = &self.proxy {
            let without_password = ForwardProxy::parse(proxy).map(|proxy| proxy.url.to_string());
            add("--proxy", without_password.unwrap_or_else(|_| proxy.clone()));
        }
        flags.extend(self.insecure.then(|| "--insecure".to_owned()));
        flags
    }
}

/// TLS settings with the places of their files.
struct PlacedTls {
    settings: TlsSettings,
    ca: Option<Placed<String>>,
    cert: Option<Placed<String>>,
    key: Option<Placed<String>>,
}

fn with_tls(options: ConnectionOptions, tls: PlacedTls) -> Result<ConnectionOptions, Problems> {
    options.with_tls(&tls.settings).map_err(|error| {
        let file = match error.setting {
            "ca" => tls.ca,
            "key" => tls.key,
            _ => tls.cert,
        };
        let name = file.as_ref().map(|file| file.value.as_str()).unwrap_or_default();
        let message = format!("`{name}` cannot be used as `{}`: {error}", error.setting);
        let problem = Problem::anywhere(code::INVALID_TLS_FILE, message).help(error.help);
        file.map_or_else(|| Problems::from(problem.clone()), |file| file.problem(problem.clone()))
    })
}

/// Reads a proxy and checks that the policy allows its address. Names are checked when they are resolved.
fn read_proxy(reference: &Reference, egress: EgressPolicy) -> Result<ForwardProxy, Problem> {
    let text = if reference.is_external() {
        let secret = reference.resolve();
        let secret = secret.map_err(|error| {
            Problem::anywhere(code::SECRET_MISSING, error.to_string()).help(error.help())
        })?;
        secret.expose().trim().to_owned()
    } else {
        reference.0.clone()
    };
    let proxy = ForwardProxy::parse(&text)
        .map_err(|message| Problem::anywhere(code::INVALID_URL, message))
        .map_err(|problem| problem.help("for example `proxy = \"http://127.0.0.1:3128\"`"))?;
    egress.check_url(&proxy.url).map_err(|blocked| {
        let message = format!("the proxy `{}` is not allowed: {blocked}", proxy.host_and_port());
        Problem::anywhere(code::FORBIDDEN_ADDRESS, message).help(blocked.help())
    })?;
    Ok(proxy)
}
