//! Limits of the values that a step sets: ranges, formats and choices, as data of the kinds.

use std::borrow::Cow;

use jiff::civil::{Date, Time};
use jiff::fmt::strtime;
use serde_json::{Map, Value as Json};
use url::Url;

use super::forms::LimitForm;
use crate::base::text::{count, one_of, slug};
use crate::diag::{Key, NodeContent, Problem, SourceSpan, Spanned, SyntaxNode, code};

/// Prefix of a reference to a field of the message that is answered.
pub(super) const ASKED: &str = "asked.";
/// Field of a step that has the text of the message.
pub(super) const TEXT: &str = "text";

/// The limits of one field.
#[derive(Clone, Debug)]
pub(super) struct FieldLimit {
    pub(super) field: String,
    pub(super) form: LimitForm,
}

/// What a step sets, and what it answers.
#[derive(Clone, Copy, Debug)]
pub struct StepData<'a> {
    /// The fields and the text that the step sets.
    pub input: &'a [(Key, SyntaxNode)],
    /// The data of the message that is answered; `None` if no earlier step sends one.
    pub asked: Option<&'a Map<String, Json>>,
}

impl<'a> StepData<'a> {
    fn node(self, field: &str) -> Option<&'a SyntaxNode> {
        self.input.iter().find(|(key, _)| key.name == field).map(|(_, node)| node)
    }
}

impl FieldLimit {
    /// Returns the problem with what a step sets. `defaults` are the values of the other fields.
    pub(super) fn problem(
        &self,
        step: StepData<'_>,
        defaults: &Map<String, Json>,
    ) -> Option<Problem> {
        let values = Values { step, defaults };
        self.problem_with_others(values).or_else(|| self.own_problem(values))
    }

    /// Returns the problem with the value of this field.
    fn own_problem(&self, values: Values<'_>) -> Option<Problem> {
        let Values { step, defaults } = values;
        let node = step.node(&self.field)?;
        // The value of a placeholder is unknown before rendering.
        let json = known(&node.to_json())?.clone();
        let at = Place { field: &self.field, span: &node.span };
        let range = at.range_problem(
            &json,
            values.bound(self.form.min.as_ref()),
            values.bound(self.form.max.as_ref()),
        );
        range
            .or_else(|| at.format_problem(&json, &self.form.formats))
            .or_else(|| {
                let key = self.form.distinct.as_ref()?;
                at.distinct_problem(node, key, first_key(defaults.get(&self.field)?)?)
            })
            .or_else(|| {
                at.choice_problem(&json, self.form.values.iter().map(|value| value.as_str()))
            })
            .or_else(|| {
                at.media_problem(&json, &values.text(&self.form.media_type.as_ref()?.value)?)
            })
            .or_else(|| {
                at.offer_problem(&json, step.asked?.get(&self.form.offered.as_ref()?.value)?)
            })
    }

    /// Returns the problem of values that contradict each other. One of them may be a default.
    fn problem_with_others(&self, values: Values<'_>) -> Option<Problem> {
        let LimitForm { min, weekday, excludes, formats, .. } = &self.form;
        let earliest = min.as_ref().and_then(SyntaxNode::as_text);
        let weekday = weekday.as_ref().map(|field| field.as_str());
        let excluded = excludes.as_ref().map(|field| field.as_str());
        let date = || parse_date(&values.text(&self.field)?, formats);
        let of_weekday =
            || self.place(values, weekday?)?.weekday_problem(&values.text(weekday?)?, date()?);
        let of_order = || {
            let first = values.text(earliest?)?;
            let is_before = date()? < parse_date(&first, formats)?;
            is_before.then_some(self.place(values, &self.field)?.problem(format!(
                "`{}` must not be before `{}`, which is {first}",
                self.field, earliest?
            )))
        };
        let of_excluded = || {
            let is_true = |field: &str| values.value(field) == Some(Json::Bool(true));
            let problem = self
                .place(values, &self.field)?
                .problem(format!("`{}` and `{}` cannot both be true", self.field, excluded?));
            let help = format!("set `{} = false`", excluded?);
            (is_true(&self.field) && is_true(excluded?)).then_some(problem.help(help))
        };
        of_weekday().or_else(of_order).or_else(of_excluded)
    }

    /// Returns the place of a field, or of this one if the other is not set.
    fn place<'v>(&'v self, values: Values<'v>, field: &'v str) -> Option<Place<'v>> {
        let node = values.step.node(field).or_else(|| values.step.node(&self.field))?;
        Some(Place { field, span: &node.span })
    }
}

/// Returns an example of a format of dates and times.
pub(super) fn example_of(format: &Spanned<String>) -> String {
    let example = Date::constant(2026, 1, 31).to_datetime(Time::constant(13, 15, 0, 0));
    example.strftime(format.as_str()).to_string()
}

/// Returns the date that a text is in one of the formats.
fn parse_date(text: &str, formats: &[Spanned<String>]) -> Option<Date> {
    let parsed = formats.iter().find_map(|format| strtime::parse(&**format, text).ok());
    parsed.and_then(|parsed| parsed.to_date().ok())
}

/// Returns a value without placeholders.
fn known(value: &Json) -> Option<&Json> {
    (!value.to_string().contains("${")).then_some(value)
}

/// The values to which a limit can refer.
#[derive(Clone, Copy)]
struct Values<'a> {
    step: StepData<'a>,
    defaults: &'a Map<String, Json>,
}

impl Values<'_> {
    /// Returns the value of a field, or of a field of the question.
    fn value(&self, reference: &str) -> Option<Json> {
        let value = match reference.strip_prefix(ASKED) {
            Some(field) => self.step.asked?.get(field)?.clone(),
            None => match self.step.node(reference) {
                Some(node) => node.to_json(),
                None => self.defaults.get(reference)?.clone(),
            },
        };
        known(&value).cloned()
    }

    /// Returns a bound of a range: a number, or the value of a field.
    fn bound(&self, form: Option<&SyntaxNode>) -> Option<i64> {
        let node = form?;
        match &node.content {
            NodeContent::Int(bound) => Some(*bound),
            _ => self.value(node.as_text()?)?.as_i64(),
        }
    }

    fn text(&self, reference: &str) -> Option<String> {
        self.value(reference)?.as_str().map(str::to_owned)
    }
}

/// A field that a step sets, with its place.
struct Place<'a> {
    field: &'a str,
    span: &'a SourceSpan,
}

impl Place<'_> {
    fn problem(&self, message: String) -> Problem {
        Problem::at(self.span, code::OUT_OF_RANGE, message)
    }

    /// Returns the problem with a number, or with the number of elements of a list.
    fn range_problem(&self, value: &Json, min: Option<i64>, max: Option<i64>) -> Option<Problem> {
        #[expect(clippy::cast_precision_loss, reason = "bounds are small numbers")]
        let is_outside = |number: f64| {
            min.is_some_and(|min| number < min as f64) || max.is_some_and(|max| number > max as f64)
        };
        let elements = value.as_array().map(Vec::len);
        #[expect(clippy::cast_precision_loss, reason = "lists are short")]
        let number = elements.map_or_else(|| value.as_f64(), |count| Some(count as f64));
        let number = number.filter(|number| is_outside(*number))?;
        let range = match (min, max) {
            (Some(min), Some(max)) => format!("from {min} to {max}"),
            (Some(min), None) => format!("at least {min}"),
            (_, Some(max)) => format!("at most {max}"),
            (None, None) => return None,
        };
        Some(self.problem(match elements {
            Some(_) => format!(
                "`{}` must have {range} {}, found {number}",
                self.field,
                elements_word(min, max)
            ),
            None => format!("`{}` must be {range}, found {number}", self.field),
        }))
    }

    /// Returns the problem with a text that is the name of another weekday than that of the date.
    fn weekday_problem(&self, day: &str, date: Date) -> Option<Problem> {
        let name = |date: Date| date.strftime("%A").to_string();
        let weekdays = (0..7).map(|days| name(date.saturating_add(jiff::Span::new().days(days))));
        // Names in other languages are not known.
        let is_other = weekdays.skip(1).any(|other| other.eq_ignore_ascii_case(day));
        is_other.then(|| {
            let (expected, field) = (name(date), self.field);
            let problem = self.problem(format!("`{field}` is {day}, but {date} is a {expected}"));
            problem.help(format!("set `{field} = \"{expected}\"`, or change the date"))
        })
    }

    /// Returns the problem with an element of a list that has the same name as an earlier one: in `key`,
    /// or in `first`, which a plain element sets.
    fn distinct_problem(&self, node: &SyntaxNode, key: &str, first: &str) -> Option<Problem> {
        let NodeContent::List(items) = &node.content else { return None };
        let names: Vec<Option<String>> =
            items.iter().map(|item| element_name(item, key, first)).collect();
        let is_repeated = |(index, name): &(usize, &Option<String>)| {
            name.as_ref().is_some_and(|name| {
                name.is_empty() || names[..*index].contains(&Some(name.clone()))
            })
        };
        let (index, name) = names.iter().enumerate().find(is_repeated)?;
        let (name, item) = (name.as_deref()?, &items[index]);
        let message = if name.is_empty() {
            format!("no {key} can be made of {}: it has no letters or digits", item.span.text())
        } else {
            format!("two elements of `{}` have the {key} `{name}`", self.field)
        };
        let problem = Problem::at(&item.span, code::OUT_OF_RANGE, message);
        let other = if name.is_empty() { "name".to_owned() } else { format!("{name}_2") };
        Some(problem.help(match item.as_text() {
            // A plain text has no place for the name.
            Some(_) => format!(
                "write a table in its place: `{{ {first} = {}, {key} = \"{other}\" }}`",
                item.span.text()
            ),
            None if name.is_empty() => format!("set `{key}`"),
            None => format!("give one of them another `{key}`"),
        }))
    }

    fn format_problem(&self, value: &Json, formats: &[Spanned<String>]) -> Option<Problem> {
        let first = formats.first()?;
        let text = match value {
            Json::Null => return None,
            Json::String(text) if text.is_empty() => return None,
            Json::String(text) => text.as_str(),
            other => &other.to_string(),
        };
        let is_valid = |format: &Spanned<String>| {
            strtime::parse(&**format, text).is_ok_and(|parsed| {
                let has_date = parsed.year().is_none() || parsed.to_date().is_ok();
                has_date && (parsed.hour().is_none() || parsed.to_time().is_ok())
            })
        };
        if formats.iter().any(is_valid) {
            return None;
        }
        let example = example_of(first);
        let problem = self.problem(format!("`{}` is not valid: `{text}`", self.field));
        Some(problem.help(format!("write it as `{example}`")))
    }

    fn choice_problem<'v>(
        &self,
        value: &Json,
        values: impl Iterator<Item = &'v str> + Clone,
    ) -> Option<Problem> {
        let text = match value {
            Json::Null => return None,
            Json::String(text) => text.as_str(),
            other => &other.to_string(),
        };
        let fits = |allowed: &str| match allowed.strip_suffix('*') {
            Some(prefix) => text.starts_with(prefix),
            None => text == allowed,
        };
        if values.clone().next().is_none() || values.clone().any(fits) {
            return None;
        }
        let message =
            format!("`{}` must be {}, found `{text}`", self.field, one_of(values.clone()));
        let problem = self.problem(message);
        if values.clone().all(|allowed| allowed.ends_with("/*")) {
            // The type of a file follows from its name.
            return Some(problem.help("use a kind of message for files of this type"));
        }
        Some(problem.suggest(text, values))
    }

    fn media_problem(&self, value: &Json, media_type: &str) -> Option<Problem> {
        let path = value.as_str()?;
        let link = Url::parse(path).ok();
        let path = link.as_ref().map_or(path, Url::path);
        let name = path.rsplit('/').next().unwrap_or(path);
        let guesses = mime_guess::from_path(name);
        // A link such as `/image.php` names a program, not the file that it gives.
        let is_media = |guess: &mime_guess::Mime| guess.type_() != "application" || link.is_none();
        let expected = guesses.first().filter(is_media)?;
        let fits = |guess: mime_guess::Mime| {
            // Names of audio and video formats vary, such as `audio/wav` and `audio/x-wav`.
            let (kind, _) = media_type.split_once('/').unwrap_or((media_type, ""));
            guess.essence_str() == media_type
                || (guess.type_() == kind && guess.type_() != mime_guess::mime::IMAGE)
        };
        if guesses.iter().any(fits) {
            return None;
        }
        let message = format!("`{name}` is not a file of the type `{media_type}`");
        Some(self.problem(message).help(format!(
            "set `mime_type = \"{expected}\"` with a kind that has such files, or use another file"
        )))
    }

    fn offer_problem(&self, value: &Json, offered: &Json) -> Option<Problem> {
        let text = value.as_str().filter(|text| !text.is_empty())?;
        let offered: Vec<Cow<'_, str>> = labels(known(offered)?);
        let is_offered = |text: &str| offered.iter().any(|label| label == text);
        // Several choices are one text.
        if offered.is_empty() || is_offered(text) || text.split(", ").all(is_offered) {
            return None;
        }
        let message = format!("`{text}` was not offered");
        let problem = self.problem(message);
        Some(problem.suggest_or_list(text, offered.iter().map(|label| &**label)))
    }
}

/// Returns the noun after a range.
fn elements_word(min: Option<i64>, max: Option<i64>) -> &'static str {
    if max.or(min) == Some(1) { "element" } else { "elements" }
}

/// Returns the first key of the elements of a default.
fn first_key(default: &Json) -> Option<&str> {
    default.as_array()?.first()?.as_object()?.keys().next().map(String::as_str)
}

/// Returns the name by which an element of a list is known: the text in `key`, or else that in `first`
/// in the notation of names. A plain text is that in `first`.
fn element_name(item: &SyntaxNode, key: &str, first: &str) -> Option<String> {
    let text = |name: &str| item.as_table()?.get(name)?.as_text();
    let own = text(key).filter(|own| !own.is_empty());
    let name = match own {
        Some(own) => own.to_owned(),
        None => slug(item.as_text().or_else(|| text(first))?),
    };
    // The value of a placeholder is unknown before rendering.
    (!item.to_json().to_string().contains("${")).then_some(name)
}

/// Returns the texts of the elements of a list, at any depth.
fn labels(offered: &Json) -> Vec<Cow<'_, str>> {
    match offered {
        Json::Array(items) => items.iter().flat_map(labels).collect(),
        Json::Object(item) => item.values().flat_map(labels).collect(),
        Json::String(text) if !text.is_empty() => vec![text.as_str().into()],
        _ => Vec::new(),
    }
}

/// Returns the problem with a value that declares its type as `{ type = "date", value = … }`.
pub fn declared_type_problem(node: &SyntaxNode) -> Option<Problem> {
    match &node.content {
        NodeContent::List(items) => items.iter().find_map(declared_type_problem),
        NodeContent::Table(table) => {
            let declared = table.get("type").and_then(SyntaxNode::as_text);
            let own = declared.zip(table.get("value"));
            let own = own.and_then(|(declared, value)| type_problem(declared, value));
            own.or_else(|| table.0.iter().find_map(|(_, node)| declared_type_problem(node)))
        }
        _ => None,
    }
}

/// Returns the problems with answers that do not have the type of the field that is answered.
pub(super) fn answer_problems(step: StepData<'_>) -> Vec<Problem> {
    let asked = |key: &Key| step.asked?.get(&key.name)?.as_array();
    let mut problems = Vec::new();
    for (key, node) in step.input {
        let NodeContent::List(answers) = &node.content else { continue };
        if let Some(questions) = asked(key)
            && let Some(more) = answers.get(questions.len())
        {
            let message = format!(
                "`{}` has {}, but the question has {}",
                key.name,
                count(answers.len(), "answer", "answers"),
                count(questions.len(), "field", "fields")
            );
            let problem = Problem::at(&more.span, code::OUT_OF_RANGE, message);
            problems.push(problem.help("remove the answers to which nothing was asked"));
        }
        for (answer, asked) in answers.iter().zip(asked(key).into_iter().flatten()) {
            let value = answer.as_table().map_or(Some(answer), |table| table.get("value"));
            let declared = asked.get("type").and_then(Json::as_str);
            problems.extend(
                declared.zip(value).and_then(|(declared, value)| type_problem(declared, value)),
            );
        }
    }
    problems
}

fn type_problem(declared: &str, value: &SyntaxNode) -> Option<Problem> {
    let help = invalid_as(declared, value)?;
    let message = format!("{} is not a valid {declared}", value.span.text());
    Some(Problem::at(&value.span, code::OUT_OF_RANGE, message).help(help))
}

/// Returns the help for a value that does not have its declared type. Texts in other notations than
/// those of ISO 8601 are accepted.
fn invalid_as(declared: &str, value: &SyntaxNode) -> Option<&'static str> {
    let text = value.as_text().filter(|text| !text.contains("${") && !text.is_empty());
    match declared {
        "date" => {
            let (day, _) = text?.split_once(['T', ' ']).unwrap_or((text?, ""));
            let is_iso = day.len() == 10 && day.chars().filter(|c| *c == '-').count() == 2;
            (is_iso && day.parse::<Date>().is_err()).then_some("write it as `2026-01-31`")
        }
        "time" => {
            let (hour, rest) = text?.split_once(':')?;
            let is_iso = hour.len() == 2 && rest.chars().all(|c| c.is_ascii_digit() || c == ':');
            (is_iso && text?.parse::<Time>().is_err()).then_some("write it as `13:15`")
        }
        "email" => (!text?.contains('@')).then_some("write it as `ada@example.test`"),
        "phone" => {
            let has_digits = text?.chars().any(|c| c.is_ascii_digit());
            (!has_digits).then_some("write it as `+442079460123`")
        }
        "number" => text?.parse::<f64>().is_err().then_some("write a number, such as `42`"),
        _ => None,
    }
}
