//! Variables of a scenario: their defaults, values from outside, and the rows of a table.
//!
//! A value from outside is text. It gets the type of the variable's default, so that a number stays
//! a number in a payload.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::literal::refuse_placeholders_in;
use super::read::ParsedScenario;
use super::variable_inputs::{Row, VariableInputs, VariableText, typed};
use crate::base::limits::MAX_ROWS;
use crate::base::text::{NAME_RULE, count, excerpt, is_name};
use crate::diag::{Key, NodeContent, Problem, Problems, Source, SourceSpan, SyntaxNode, code};

/// The variables of a scenario for one run.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables {
    pub(super) values: Map<String, Json>,
    /// Values of environment variables in them, by the name of the variable.
    pub(super) environment: BTreeMap<String, String>,
}

/// Characters of a value that name its row.
const MAX_LABEL: usize = 40;

impl ParsedScenario {
    /// Returns one scenario for each row of its table; without a table, the scenario itself. `table`
    /// is the file that `rows` names.
    ///
    /// # Errors
    ///
    /// Returns the problems of the table.
    // One after the other: the parsed form of a file is large, and a table has up to a thousand rows.
    pub fn into_rows(
        self,
        table: Option<&Arc<Source>>,
    ) -> Result<impl Iterator<Item = Self> + use<>, Problems> {
        let mut problems = Problems::new();
        let rows = match (&self.form.rows, table) {
            (Some(rows), _) if !self.form.row.is_empty() => {
                let message = "a scenario has either `rows` or `[[row]]`";
                let problem = Problem::at(&rows.span, code::CONTRADICTION, message);
                problems.push(problem.help("keep the rows of the file or those in the scenario"));
                Vec::new()
            }
            (Some(_), Some(table)) => csv_rows(table, &mut problems),
            _ => self.inline_rows(&mut problems),
        };
        if !problems.is_empty() {
            problems.extend(self.problems);
            return Err(problems);
        }
        let rows: Vec<_> = if rows.is_empty() {
            vec![None]
        } else {
            rows.into_iter().map(|row| Some(Arc::new(row))).collect()
        };
        Ok(rows.into_iter().map(move |row| Self { row, ..self.clone() }))
    }

    fn inline_rows(&self, problems: &mut Problems) -> Vec<Row> {
        let mut rows = Vec::new();
        for (table, number) in self.form.row.iter().zip(1..) {
            let values = table.entries();
            let Some((first, _)) = values.first() else {
                let start = self.source.span(0..0);
                let problem = Problem::at(&start, code::EMPTY, format!("row {number} is empty"));
                problems.push(problem.help("write `variable = value` below `[[row]]`"));
                continue;
            };
            for (key, value) in &values {
                check_name(&key.name, &key.span, problems);
                refuse_placeholders_in(value, problems);
            }
            let span = first.span.clone();
            let label = label(number, &values);
            rows.push(Row { label, span, values, is_typed: true });
        }
        check_number(rows.len(), rows.last().map(|row| &row.span), problems);
        rows
    }

    /// Returns the values of the variables for this row. Reports names and values that do not fit.
    pub(super) fn variables(&self, problems: &mut Problems) -> Variables {
        let mut variables = Variables::default();
        let row = self.row.as_deref();
        for (key, node) in self.form.vars.iter() {
            check_name(&key.name, &key.span, problems);
            let node = self.with_environment(node, &mut variables.environment, problems);
            let default = node.to_json();
            let value = match row.and_then(|row| row.get(&key.name)) {
                Some(value) => {
                    self.refuse_unused_value(key, problems);
                    row.and_then(|row| row.value(value, &node, problems))
                }
                None => self.given(key, &default, problems),
            };
            variables.values.insert(key.name.clone(), value.unwrap_or(default));
        }
        let others = row.into_iter().flat_map(|row| &row.values);
        for (key, node) in others.filter(|(key, _)| !self.form.vars.contains(&key.name)) {
            variables.values.insert(key.name.clone(), node.to_json());
        }
        variables
    }

    /// The value from outside, if there is one and it fits.
    fn given(&self, key: &Key, default: &Json, problems: &mut Problems) -> Option<Json> {
        let VariableText { text, origin } = self.inputs.values.get(&key.name)?;
        let value = typed(text, default);
        if let Err(expected) = &value {
            let message = format!("`{origin}` must be {expected}, found `{text}`");
            let problem = Problem::at(&key.span, code::INVALID_VARIABLE, message);
            problems.push(problem.help("its default determines the type"));
        }
        value.ok()
    }

    /// Reports a value of the command line that a row replaces.
    fn refuse_unused_value(&self, key: &Key, problems: &mut Problems) {
        let given = self.inputs.values.get(&key.name);
        if let Some(given) = given.filter(|given| given.is_of_command_line()) {
            let message = format!("`{}`: the table sets this variable", given.origin);
            let problem = Problem::at(&key.span, code::INVALID_VARIABLE, message);
            problems.push(problem.help("run one row with `--filter 'row 1'`, or remove the flag"));
        }
    }

    /// Replaces `${env.NAME}` in the texts of a value.
    fn with_environment(
        &self,
        node: &SyntaxNode,
        used: &mut BTreeMap<String, String>,
        problems: &mut Problems,
    ) -> SyntaxNode {
        let mut replace = |node: &SyntaxNode| self.with_environment(node, used, problems);
        let content = match &node.content {
            NodeContent::List(items) => NodeContent::List(items.iter().map(replace).collect()),
            NodeContent::Table(table) => {
                let mut table = table.clone();
                table.0.iter_mut().for_each(|(_, value)| *value = replace(value));
                NodeContent::Table(table)
            }
            NodeContent::Text(text) => {
                NodeContent::Text(self.expand(text, &node.span, used, problems))
            }
            other => other.clone(),
        };
        SyntaxNode { content, ..node.clone() }
    }

    fn expand(
        &self,
        text: &str,
        span: &SourceSpan,
        used: &mut BTreeMap<String, String>,
        problems: &mut Problems,
    ) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            expanded.push_str(before);
            let (path, after) = after.split_once('}').unwrap_or((after, ""));
            match self.environment_value(path) {
                Ok((name, value)) => {
                    expanded.push_str(value);
                    used.insert(name.to_owned(), value.to_owned());
                }
                Err((message, help)) => {
                    let at = span.find(&format!("${{{path}"), 0);
                    problems.push(Problem::at(&at, code::INVALID_VARIABLE, message).help(help));
                }
            }
            rest = after;
        }
        expanded + rest
    }

    /// Returns the name and value of the environment variable that a placeholder reads, or a message
    /// and help.
    fn environment_value<'a>(
        &'a self,
        path: &'a str,
    ) -> Result<(&'a str, &'a str), (String, String)> {
        let Some(name) = path.strip_prefix("env.") else {
            let message = format!("`${{{path}}}` is not replaced here");
            return Err((message, "the default of a variable may only use `${env.NAME}`".into()));
        };
        match self.inputs.environment.get(name) {
            Some(Some(value)) => Ok((name, value)),
            Some(None) => {
                let message = format!("the environment variable `{name}` is not set");
                Err((message, format!("set it: `export {name}=…`")))
            }
            None => {
                let message = format!("this file may not read the environment variable `{name}`");
                let help = format!(
                    "allow it with `--allow-env {name}`, or with `allow_env` in the configuration"
                );
                Err((message, help))
            }
        }
    }
}

/// Reads the rows of a CSV file. Its first line has the names of the variables.
fn csv_rows(table: &Arc<Source>, problems: &mut Problems) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(table.text.as_bytes());
    let start = table.span(0..0);
    let names = match reader.headers() {
        Ok(names) if !names.is_empty() => names.clone(),
        Ok(_) => {
            let problem = Problem::at(&start, code::EMPTY, "the table has no columns");
            problems.push(problem.help("name the variables in its first line"));
            return Vec::new();
        }
        Err(error) => {
            problems.push(Problem::at(&start, code::INVALID_VARIABLE, error.to_string()));
            return Vec::new();
        }
    };
    if names.len() == 1 && names[0].contains([';', '\t']) {
        let message = "the first line of the table has only one column";
        let problem = Problem::at(&line_at(table, None), code::INVALID_VARIABLE, message);
        problems.push(problem.help("separate columns with commas"));
        return Vec::new();
    }
    names.iter().for_each(|name| check_name(name, &start, problems));
    for (index, name) in names.iter().enumerate() {
        if names.iter().take(index).any(|earlier| earlier == name) {
            let message = format!("two columns are named `{name}`");
            let problem = Problem::at(&line_at(table, None), code::INVALID_VARIABLE, message);
            problems.push(problem.help("rename one of them"));
        }
    }
    let mut rows = Vec::new();
    for (record, number) in reader.records().zip(1..) {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let span = line_at(table, error.position());
                let csv::ErrorKind::UnequalLengths { expected_len, len, .. } = error.kind() else {
                    problems.push(Problem::at(&span, code::INVALID_VARIABLE, error.to_string()));
                    break;
                };
                let (values, columns) =
                    (count(*len, "value", "values"), count(*expected_len, "column", "columns"));
                let message = format!("the row has {values}, and the table has {columns}");
                let problem = Problem::at(&span, code::INVALID_VARIABLE, message);
                problems.push(problem.help(
                    "separate values with commas, and put a value that contains one in quotes",
                ));
                break;
            }
        };
        let span = line_at(table, record.position());
        let values: Vec<_> = names
            .iter()
            .zip(record.iter())
            .map(|(name, cell)| {
                let key = Key { name: name.to_owned(), span: span.clone() };
                let content = NodeContent::Text(cell.to_owned());
                (key, SyntaxNode { span: span.clone(), content })
            })
            .collect();
        rows.push(Row { label: label(number, &values), span, values, is_typed: false });
    }
    check_quotes(table, &rows, problems);
    if rows.is_empty() && problems.is_empty() {
        let problem = Problem::at(&start, code::EMPTY, "the table has no rows");
        problems.push(problem.help("add a line with a value for each column"));
    }
    check_number(rows.len(), rows.last().map(|row| &row.span), problems);
    rows
}

/// Reports rows with an odd number of quotation marks. The reader accepts them, and an open one takes
/// all later rows into its value.
fn check_quotes(table: &Arc<Source>, rows: &[Row], problems: &mut Problems) {
    let starts = std::iter::once(0).chain(rows.iter().map(|row| row.span.range.start));
    let ends = rows.iter().map(|row| row.span.range.start).chain([table.text.len()]);
    for (start, end) in starts.zip(ends) {
        let text = &table.text[start..end];
        if text.matches('"').count() % 2 == 1 {
            let line = text.lines().next().unwrap_or_default();
            let span = table.span(start..start + line.len());
            let problem = Problem::at(&span, code::INVALID_VARIABLE, "unbalanced quotation marks");
            problems.push(problem.help(
                "put the whole value in quotation marks, and write each one inside it twice: \
                 `\"5\"\" pipe\"`",
            ));
        }
    }
}

fn check_name(name: &str, span: &SourceSpan, problems: &mut Problems) {
    if !is_name(name) {
        let message = format!("invalid variable name `{name}`");
        let problem = Problem::at(span, code::RESERVED_NAME, message);
        problems.push(problem.help(format!("a name is {NAME_RULE}")));
    }
}

fn check_number(rows: usize, last: Option<&SourceSpan>, problems: &mut Problems) {
    if let Some(last) = last.filter(|_| rows > MAX_ROWS) {
        let message = format!("the table has more than {MAX_ROWS} rows");
        problems.push(Problem::at(last, code::TOO_MANY, message).help("split it into several"));
    }
}

/// The line at a position of a CSV file.
fn line_at(table: &Arc<Source>, position: Option<&csv::Position>) -> SourceSpan {
    let at = position.and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or(0);
    let rest = table.text.get(at..).unwrap_or_default();
    // A record may begin after the line break of the one before it.
    let start = at + (rest.len() - rest.trim_start_matches(['\r', '\n']).len());
    let line = table.text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
    table.span(start..start + line.len())
}

/// The name of a row: its number, and its first value.
fn label(number: usize, values: &[(Key, SyntaxNode)]) -> String {
    let first = values.first().map(|(_, node)| match &node.content {
        NodeContent::Text(text) => text.clone(),
        _ => node.to_json().to_string(),
    });
    format!("row {number}: {}", excerpt(&first.unwrap_or_default(), MAX_LABEL))
}

/// Reports values of the command line for variables that none of the scenarios has. `names` are the
/// variables of all of them.
pub fn check_names(inputs: &VariableInputs, names: &BTreeSet<String>) -> Problems {
    let mut problems = Problems::new();
    for (name, given) in &inputs.values {
        // A variable of the environment may be for another scenario.
        if given.is_of_command_line() && !names.contains(name) {
            let message = format!("`{}`: no scenario has this variable", given.origin);
            let problem = Problem::anywhere(code::INVALID_VARIABLE, message);
            problems.push(if names.is_empty() {
                problem.help(format!("declare it with its default: `[vars]` with `{name} = …`"))
            } else {
                problem.suggest_or_list(name, names.iter().map(String::as_str))
            });
        }
    }
    problems
}
