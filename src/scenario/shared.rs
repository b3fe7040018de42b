//! Files that scenarios include: cast, variables and groups of steps.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::forms::{CastForm, ScenarioForm, StepForm};
use super::read::ParsedScenario;
use crate::base::limits::MAX_SHARED_FILES;
use crate::diag::{
    Form as _, Key, NodeContent, OneOrMore, Problem, Problems, Source, Spanned, SyntaxNode, Table,
    TableOf, code, toml,
};
use crate::form;

form! {
    /// Parts that several scenarios include.
    pub struct SharedForm {
        /// Further files to include, below the folder of the scenario: one, or a list.
        include: Option<OneOrMore<Spanned<String>>>,
        /// Variables for texts and data, by name, with their defaults.
        vars: TableOf<SyntaxNode>,
        /// Members of the cast, by name.
        cast: TableOf<CastForm>,
        /// Steps by the name of their group. A step with `use` inserts the steps of a group.
        group: TableOf<Vec<StepForm>>,
    }
}

/// Reads the file of a path in a source. The name of the file is the same for every path to it.
pub type IncludeReader<'a> =
    dyn FnMut(&Spanned<String>, &Arc<Source>) -> Result<Arc<Source>, Problem> + 'a;

/// Reads a file that scenarios include, without the files that it includes.
///
/// # Errors
///
/// Returns all problems of the file.
pub fn read_shared(source: &Arc<Source>) -> Result<SharedForm, Problems> {
    let mut problems = Problems::new();
    let form = read_form(source, &mut problems);
    problems.into_result(form)
}

fn read_form(source: &Arc<Source>, problems: &mut Problems) -> Option<SharedForm> {
    let (mut node, syntax) = toml::parse(source);
    let is_broken = syntax.broke_parsing();
    problems.extend(syntax);
    if is_broken {
        return None;
    }
    if let NodeContent::Table(Table(entries)) = &mut node.content {
        let is_shared = |name: &str| SharedForm::KEYS.contains(&name);
        entries.retain(|(key, _)| {
            let is_foreign =
                ScenarioForm::KEYS.contains(&key.name.as_str()) && !is_shared(&key.name);
            if is_foreign {
                problems.push(foreign_key(key));
            }
            !is_foreign
        });
    }
    SharedForm::read(&node, problems)
}

fn foreign_key(key: &Key) -> Problem {
    let message = format!("an included file cannot have `{}`", key.name);
    Problem::at(&key.span, code::UNKNOWN_KEY, message).help(match key.name.as_str() {
        "step" => "write steps that scenarios share as `[[group.NAME]]`".to_owned(),
        name => format!("`{name}` belongs to the scenario: move it there"),
    })
}

impl ParsedScenario {
    /// Adds the files that the scenario includes. Their problems become those of the scenario.
    #[must_use]
    pub fn with_included(mut self, read: &mut IncludeReader<'_>) -> Self {
        // Taken: `check` reports files that nobody read.
        let Some(paths) = self.form.include.take() else { return self };
        let source = Arc::clone(&self.source);
        let mut includer =
            Includer { parsed: &mut self, read, seen: BTreeSet::new(), chain: Vec::new() };
        includer.include(&paths, &source);
        self
    }
}

struct Includer<'a, 'r> {
    parsed: &'a mut ParsedScenario,
    read: &'a mut IncludeReader<'r>,
    /// Names of the files so far.
    seen: BTreeSet<String>,
    /// The files around the current one.
    chain: Vec<Arc<Source>>,
}

impl Includer<'_, '_> {
    fn include(&mut self, paths: &OneOrMore<Spanned<String>>, from: &Arc<Source>) {
        self.chain.push(Arc::clone(from));
        for path in paths.iter() {
            match (self.read)(path, from) {
                Ok(source) => self.add(path, &source),
                Err(problem) => self.parsed.problems.push(problem),
            }
        }
        self.chain.pop();
    }

    fn add(&mut self, path: &Spanned<String>, source: &Arc<Source>) {
        if let Some(at) = self.chain.iter().position(|outer| is_same(outer, source)) {
            let chain = self.chain[at..].iter().chain([source]).map(|file| file.name.as_str());
            let chain = chain.collect::<Vec<_>>().join(" → ");
            let message = format!("`{}` includes itself: {chain}", source.name);
            let problem = Problem::at(&path.span, code::INCLUDE, message);
            return self
                .parsed
                .problems
                .push(problem.help("remove one of these `include` entries"));
        }
        // Two files may include the same third one.
        if !self.seen.insert(source.name.clone()) {
            return;
        }
        if self.seen.len() > MAX_SHARED_FILES {
            let message = format!("the scenario includes more than {MAX_SHARED_FILES} files");
            let problem = Problem::at(&path.span, code::TOO_MANY, message);
            return self.parsed.problems.push(problem.help("combine some of them"));
        }
        let Some(form) = read_form(source, &mut self.parsed.problems) else { return };
        let (own, problems) = (&mut self.parsed.form, &mut self.parsed.problems);
        merge("variable", &mut own.vars, form.vars, problems);
        merge("cast member", &mut own.cast, form.cast, problems);
        merge("group", &mut own.group, form.group, problems);
        if let Some(paths) = &form.include {
            self.include(paths, source);
        }
    }
}

/// Returns whether two sources are one file. The scenario itself is named as the user wrote it.
fn is_same(one: &Source, other: &Source) -> bool {
    let plain =
        |name: &str| std::path::Path::new(name).components().collect::<std::path::PathBuf>();
    one.name == other.name || (plain(&one.name) == plain(&other.name) && one.text == other.text)
}

/// Adds the entries of an included file. A name that exists already is a problem.
fn merge<T>(what: &str, own: &mut TableOf<T>, included: TableOf<T>, problems: &mut Problems) {
    for (key, value) in included.0 {
        if let Some((first, _)) = own.0.iter().find(|(own, _)| own.name == key.name) {
            let message = format!("{what} `{}` is defined twice", key.name);
            let problem = Problem::at(&key.span, code::DUPLICATE_ID, message);
            problems.push(problem.also(&first.span, "defined here").help("rename one of them"));
        } else {
            own.0.push((key, value));
        }
    }
}
