//! The filters, a closed list: what each takes, what it gives, and how.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use self::FilterName as F;
use super::compile::CompileContext;
use super::field_type::FieldType;
use super::json_style::JsonStyle;
use super::placeholder::FilterCall;
use super::value::Value;
use super::word_table::WordTable;
use crate::base::text::one_of;
use crate::diag::{Problem, SourceSpan, code};

crate::string_enum! {
    /// The names of the filters.
    pub(super) enum FilterName {
        /// A time as milliseconds since 1970, an integer.
        EpochMs = "epoch_ms",
        /// A time as whole seconds since 1970, an integer.
        EpochSecs = "epoch_secs",
        /// A time as seconds since 1970 with nine decimals, a text.
        EpochSecs9 = "epoch_secs9",
        /// A time as `2026-01-05T09:00:00.000Z`.
        IsoMs = "iso_ms",
        /// A time as `2026-01-05T09:00:00+00:00`.
        IsoOffset = "iso_offset",
        /// A time as `2026-01-05T09:00:00.000000+00:00`.
        IsoMicros = "iso_micros",
        /// A time as `2026-01-05 09:00:00.000000`, in UTC.
        NaiveMicros = "naive_micros",
        /// A text of digits as an integer; any other text as `null`.
        Int = "int",
        /// How many elements a list has.
        Count = "count",
        /// Any value as a text: its own, or its JSON.
        Text = "text",
        /// A text in lower case.
        Lower = "lower",
        /// A text in upper case.
        Upper = "upper",
        /// A text as HTML, a paragraph for each line.
        Html = "html",
        /// A text on one line.
        Plain = "plain",
        /// A text up to where this first stands in it; the whole where it does not.
        Before = "before",
        /// A text from behind where this first stands in it; the whole where it does not.
        After = "after",
        /// The first so many characters of a text.
        Cut = "cut",
        /// The JSON value behind the colon, where there is none.
        Or = "or",
        /// The vendor's word for a value, out of a `[words.…]` table.
        Word = "word",
        /// A list backwards.
        Reversed = "reversed",
    }
}

/// A filter with its argument.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    Plain(FilterName),
    Before(String),
    After(String),
    Cut(usize),
    Or(Json),
    Word(Arc<WordTable>),
}

/// Checks that a filter takes what comes to it; gives it and what it gives.
pub(super) fn check(
    call: &FilterCall,
    input: &FieldType,
    span: &SourceSpan,
    context: &CompileContext<'_>,
) -> Result<(Filter, FieldType), Problem> {
    let Some(name) = FilterName::of_word(&call.name) else {
        let problem =
            Problem::at(span, code::UNKNOWN_FILTER, format!("unknown filter `{}`", call.name));
        return Err(problem.known(&call.name, FilterName::WORDS.iter().copied()));
    };
    let problem = |message: String| Problem::at(span, code::WRONG_FILTER, message);
    let wrong = |message: String| Err(problem(message));
    let takes_argument = matches!(name, F::Before | F::After | F::Cut | F::Or | F::Word);
    if takes_argument != call.argument.is_some() {
        let takes =
            if takes_argument { "needs an argument behind `:`" } else { "takes no argument" };
        let help = "`cut:20`, `or:null` and `word:TABLE` take one, the others do not";
        return Err(problem(format!("the filter `{name}` {takes}")).help(help));
    }
    if let Some(expected) = refuses(name, input) {
        return wrong(format!("the filter `{name}` takes {expected}, not {}", input.about()));
    }
    let argument = call.argument.as_deref().unwrap_or_default();
    match name {
        F::Before | F::After if argument.is_empty() => wrong(format!("`{name}` takes a text")),
        F::Before => Ok((Filter::Before(argument.to_owned()), FieldType::Text)),
        F::After => Ok((Filter::After(argument.to_owned()), FieldType::Text)),
        F::Cut => match argument.parse() {
            Ok(length) if length > 0 => Ok((Filter::Cut(length), FieldType::Text)),
            _ => {
                let message = format!("`cut` takes a number of characters, not `{argument}`");
                Err(problem(message).help("for example: `cut:20`"))
            }
        },
        F::Or => {
            let json: Json = serde_json::from_str(argument).unwrap_or_default();
            let field_type =
                if FieldType::of_json(&json) == *input { input.clone() } else { mixed(input) };
            Ok((Filter::Or(json), field_type))
        }
        F::Word => word(argument, input, span, context),
        _ => Ok((Filter::Plain(name), gives(name, input))),
    }
}

/// What a filter takes, where it does not take the input.
fn refuses(name: FilterName, input: &FieldType) -> Option<&'static str> {
    let (takes, expected) = match name {
        F::EpochMs
        | F::EpochSecs
        | F::EpochSecs9
        | F::IsoMs
        | F::IsoOffset
        | F::IsoMicros
        | F::NaiveMicros => (*input == FieldType::Time, "a time"),
        F::Int
        | F::Lower
        | F::Upper
        | F::Html
        | F::Plain
        | F::Before
        | F::After
        | F::Cut
        | F::Word => (input.is_scalar(), "a text"),
        F::Text => (input.is_writable(), "a value that can be written"),
        F::Count | F::Reversed => (matches!(input, FieldType::List(_) | FieldType::Any), "a list"),
        F::Or => (true, ""),
    };
    (!takes).then_some(expected)
}

fn gives(name: FilterName, input: &FieldType) -> FieldType {
    match name {
        F::EpochMs | F::EpochSecs | F::Count => FieldType::Int,
        F::Int => FieldType::Any,
        F::Reversed => input.clone(),
        _ => FieldType::Text,
    }
}

/// What a value is when another may stand in its place. A time stays one, so that it still has to
/// be spelled; everything else is data.
fn mixed(input: &FieldType) -> FieldType {
    match input {
        FieldType::Time | FieldType::Table(_) | FieldType::List(_) => input.clone(),
        _ => FieldType::Any,
    }
}

fn word(
    table: &str,
    input: &FieldType,
    span: &SourceSpan,
    context: &CompileContext<'_>,
) -> Result<(Filter, FieldType), Problem> {
    let Some(words) = context.words.get(table) else {
        let message = format!("there is no table `[words.{table}]`");
        let problem = Problem::at(span, code::UNKNOWN_TABLE, message);
        return Err(problem.known(table, context.words.keys().map(String::as_str)));
    };
    if let FieldType::Word(possible) = input {
        let missing: Vec<&str> = possible.iter().copied().filter(|word| !words.has(word)).collect();
        if !missing.is_empty() {
            let message = format!("`[words.{table}]` lacks {}", one_of(missing));
            return Err(Problem::at(span, code::UNKNOWN_TABLE, message));
        }
    }
    Ok((Filter::Word(Arc::clone(words)), words.field_type()))
}

impl Filter {
    /// Whether the filter puts something in the place of an absent value.
    pub(super) fn replaces_absent(&self) -> bool {
        matches!(self, Self::Or(_))
    }

    /// The filtered value. An absent one stays absent, unless it is replaced.
    pub(super) fn apply<'a>(&'a self, value: Value<'a>) -> Value<'a> {
        match self {
            Self::Or(json) if value.is_absent() => Value::data(json),
            Self::Or(_) => value,
            _ if value.is_absent() => value,
            Self::Cut(length) => Value::from(cut(&value.into_text(), *length)),
            Self::Before(end) => {
                let text = value.into_text();
                Value::from(text.split(end.as_str()).next().unwrap_or_default().to_owned())
            }
            Self::After(start) => {
                let text = value.into_text();
                Value::from(
                    text.split_once(start.as_str()).map_or(&*text, |(_, rest)| rest).to_owned(),
                )
            }
            Self::Word(words) => words.word(value),
            Self::Plain(name) => plain(*name, value),
        }
    }
}

fn plain(name: FilterName, value: Value<'_>) -> Value<'_> {
    let time = match value {
        Value::Time(time) => time,
        other => return text_or_list(name, other),
    };
    match name {
        F::EpochMs => Value::Int(time.as_millisecond()),
        F::EpochSecs => Value::Int(time.as_second()),
        F::EpochSecs9 => {
            let nanos = time.as_nanosecond();
            let per_second = 1_000_000_000;
            Value::from(format!(
                "{}.{:09}",
                nanos.div_euclid(per_second),
                nanos.rem_euclid(per_second)
            ))
        }
        F::IsoMs => spell_time(time, "%Y-%m-%dT%H:%M:%S%.3fZ"),
        F::IsoOffset => spell_time(time, "%Y-%m-%dT%H:%M:%S+00:00"),
        F::IsoMicros => spell_time(time, "%Y-%m-%dT%H:%M:%S%.6f+00:00"),
        F::NaiveMicros => spell_time(time, "%Y-%m-%d %H:%M:%S%.6f"),
        _ => Value::Time(time),
    }
}

fn spell_time(time: Timestamp, format: &str) -> Value<'static> {
    Value::from(time.to_zoned(TimeZone::UTC).strftime(format).to_string())
}

fn text_or_list(name: FilterName, value: Value<'_>) -> Value<'_> {
    match name {
        F::Count => Value::from(value.items().len()),
        F::Reversed => {
            let mut items = value.items();
            items.reverse();
            Value::List(items)
        }
        F::Int => match value.into_text().parse() {
            Ok(int) => Value::Int(int),
            Err(_) => Value::Json(Cow::Owned(Json::Null)),
        },
        F::Text => match value {
            Value::Text(_) => value,
            Value::Json(ref json) if json.is_string() => value,
            other => Value::Text(JsonStyle::COMPACT.text_of(&other.into_json())),
        },
        F::Lower => Value::from(value.into_text().to_lowercase()),
        F::Upper => Value::from(value.into_text().to_uppercase()),
        F::Html => Value::from(html(&value.into_text())),
        F::Plain => Value::from(value.into_text().split_whitespace().collect::<Vec<_>>().join(" ")),
        _ => value,
    }
}

fn html(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let paragraphs: Vec<String> =
        escaped.split('\n').map(|line| format!("<p>{line}</p>")).collect();
    paragraphs.join("\n")
}

fn cut(text: &str, length: usize) -> String {
    text.chars().take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: FilterName, value: Value<'_>, expected: &str) {
        let json = plain(name, value).into_json();
        assert_eq!(json.to_string(), expected, "{name}");
    }

    #[test]
    fn times_are_spelled_as_each_vendor_does() {
        let time = || Value::Time("2023-08-29T04:27:48.236411954Z".parse().unwrap());
        check(FilterName::EpochMs, time(), "1693283268236");
        check(FilterName::EpochSecs, time(), "1693283268");
        check(FilterName::EpochSecs9, time(), "\"1693283268.236411954\"");
        check(FilterName::IsoMs, time(), "\"2023-08-29T04:27:48.236Z\"");
        check(FilterName::IsoOffset, time(), "\"2023-08-29T04:27:48+00:00\"");
        check(FilterName::IsoMicros, time(), "\"2023-08-29T04:27:48.236411+00:00\"");
        check(FilterName::NaiveMicros, time(), "\"2023-08-29 04:27:48.236411\"");
        let early = Value::Time("1969-12-31T23:59:59.9Z".parse().unwrap());
        check(FilterName::EpochSecs9, early, "\"-1.900000000\"");
    }

    #[test]
    fn texts_and_lists_are_changed() {
        check(FilterName::Html, "a<b\nc".into(), "\"<p>a&lt;b</p>\\n<p>c</p>\"");
        check(FilterName::Plain, " a\n b ".into(), "\"a b\"");
        check(FilterName::Int, "42".into(), "42");
        check(FilterName::Int, "x".into(), "null");
        check(FilterName::Upper, "ä".into(), "\"Ä\"");
        check(FilterName::Count, Value::List(vec![Value::Int(1), Value::Int(2)]), "2");
        check(FilterName::Reversed, Value::List(vec![Value::Int(1), Value::Int(2)]), "[2,1]");
        check(FilterName::Text, true_json(), "\"true\"");
    }

    fn true_json() -> Value<'static> {
        Value::Json(Cow::Owned(Json::Bool(true)))
    }

    #[test]
    fn an_absent_value_passes_through_until_it_is_replaced() {
        assert!(Filter::Cut(3).apply(Value::Absent).is_absent());
        assert!(!Filter::Or(Json::Null).apply(Value::Absent).is_absent());
    }
}
