//! Filters: a closed list, with the input type, the output type and the effect of each.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use self::FilterName as F;
use super::context::CompileContext;
use super::field_type::FieldType;
use super::json_style::JsonStyle;
use super::placeholder::FilterCall;
use super::value::Value;
use super::word_table::WordTable;
use crate::base::text::{one_of, slug};
use crate::diag::{Problem, SourceSpan, code};

crate::string_enum! {
    /// Name of a filter.
    pub(super) enum FilterName {
        /// Converts a time to milliseconds since 1970, as an integer.
        EpochMs = "epoch_ms",
        /// Converts a time to whole seconds since 1970, as an integer.
        EpochSecs = "epoch_secs",
        /// Converts a time to seconds since 1970 with nine decimals, as a text.
        EpochSecs9 = "epoch_secs9",
        /// Converts a time to milliseconds since 1970 with nine decimals, as a text.
        EpochMs9 = "epoch_ms9",
        /// Formats a time as `2026-01-05T09:00:00.000Z`.
        IsoMs = "iso_ms",
        /// Formats a time as `2026-01-05T09:00:00+00:00`.
        IsoOffset = "iso_offset",
        /// Formats a time as `2026-01-05T09:00:00.000000+00:00`.
        IsoMicros = "iso_micros",
        /// Formats a time as `2026-01-05 09:00:00.000000`, in UTC.
        NaiveMicros = "naive_micros",
        /// Formats a time, in UTC, with the codes of `strftime`.
        Strftime = "strftime",
        /// Converts a text to an integer, or to `null` if it is not one.
        Int = "int",
        /// Keeps a number; replaces any other value with `null`.
        Number = "number",
        /// Formats a text that is a date, with or without a time, in ISO 8601, as
        /// `2026-01-05T09:00:00.000Z`; replaces any other value with `null`.
        Instant = "instant",
        /// Counts the elements of a list.
        Count = "count",
        /// Converts a value that is not a text to its JSON form, as a text.
        Text = "text",
        /// Converts a text to lower case.
        Lower = "lower",
        /// Converts a text to upper case.
        Upper = "upper",
        /// Converts a text to a name: lower-case letters and digits, with `_` between words.
        Slug = "slug",
        /// Converts a text to HTML, with a paragraph for each line.
        Html = "html",
        /// Takes the text of HTML: without tags, with a line for each paragraph.
        Untag = "untag",
        /// Replaces each run of whitespace with one space.
        Plain = "plain",
        /// Takes the text before the first match of the argument, or all of it without a match.
        Before = "before",
        /// Takes the text after the first match of the argument, or all of it without a match.
        After = "after",
        /// Takes the first N characters of a text.
        Cut = "cut",
        /// Multiplies an integer by the argument; replaces any other value with `null`.
        Times = "times",
        /// Replaces an absent value with the JSON value in the argument.
        Or = "or",
        /// Looks up the vendor's word for a value in a `[words.…]` table.
        Word = "word",
        /// Looks up the neutral value for a vendor's word, or for each word of a list.
        Neutral = "neutral",
        /// Reverses a list.
        Reversed = "reversed",
        /// Takes the first element of a list; any other value stays as it is.
        First = "first",
        /// Drops the first element of a list.
        Rest = "rest",
    }
}

/// A compiled filter with its argument.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    Plain(FilterName),
    Before(String),
    After(String),
    Cut(usize),
    Times(i64),
    Strftime(String),
    Or(Json),
    Word(Arc<WordTable>),
    Neutral(Arc<WordTable>),
}

/// Compiles a filter; returns it with its output type.
pub(super) fn check(
    call: &FilterCall,
    input: &FieldType,
    span: &SourceSpan,
    context: &CompileContext<'_>,
) -> Result<(Filter, FieldType), Problem> {
    let Some(name) = FilterName::from_name(&call.name) else {
        let problem =
            Problem::at(span, code::UNKNOWN_FILTER, format!("unknown filter `{}`", call.name));
        return Err(problem.suggest_or_list(&call.name, FilterName::NAMES.iter().copied()));
    };
    let problem = |message: String| Problem::at(span, code::INVALID_FILTER, message);
    let invalid = |message: String| Err(problem(message));
    let takes_argument = matches!(
        name,
        F::Before | F::After | F::Cut | F::Or | F::Strftime | F::Times | F::Word | F::Neutral
    );
    if takes_argument != call.argument.is_some() {
        let rule =
            if takes_argument { "requires an argument after `:`" } else { "takes no argument" };
        let help = "filters with an argument: `after`, `before`, `cut`, `or`, `strftime`, \
                    `times`, `word` and `neutral`";
        return Err(problem(format!("the filter `{name}` {rule}")).help(help));
    }
    if let Some(expected) = expected_input(name, input) {
        return invalid(format!("the filter `{name}` takes {expected}, not {}", input.about()));
    }
    let argument = call.argument.as_deref().unwrap_or_default();
    match name {
        F::Before | F::After if argument.is_empty() => {
            invalid(format!("the argument of `{name}` must not be empty"))
        }
        F::Before => Ok((Filter::Before(argument.to_owned()), FieldType::Text)),
        F::After => Ok((Filter::After(argument.to_owned()), FieldType::Text)),
        F::Cut => match argument.parse() {
            Ok(length) if length > 0 => Ok((Filter::Cut(length), FieldType::Text)),
            _ => {
                let message =
                    format!("`cut` takes a number of characters from 1, found `{argument}`");
                Err(problem(message).help("for example: `cut:20`"))
            }
        },
        F::Times => match argument.parse() {
            Ok(factor) => Ok((Filter::Times(factor), FieldType::Any)),
            Err(_) => {
                let message = format!("`times` takes a whole number, found `{argument}`");
                Err(problem(message).help("for example: `times:1000`"))
            }
        },
        F::Strftime => {
            // The codes do not depend on the time, so any time shows an invalid one.
            let zoned = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
            match jiff::fmt::strtime::format(argument, &zoned) {
                Ok(_) => Ok((Filter::Strftime(argument.to_owned()), FieldType::Text)),
                Err(_) => {
                    let message = format!("`{argument}` is not a format of `strftime`");
                    Err(problem(message).help("for example: `strftime:%Y-%m-%d`"))
                }
            }
        }
        F::Or => {
            // Cannot fail: the placeholder parser has checked the JSON.
            let json: Json = serde_json::from_str(argument).unwrap_or_default();
            let field_type =
                if FieldType::of_json(&json) == *input { input.clone() } else { mixed(input) };
            Ok((Filter::Or(json), field_type))
        }
        F::Word => word(argument, input, span, context),
        F::Neutral => Ok((Filter::Neutral(words_of(argument, span, context)?), FieldType::Any)),
        _ => Ok((Filter::Plain(name), output_type(name, input))),
    }
}

/// Returns true if a filter takes an element of the model from a list, which can have none. An
/// element of data is treated as plain data, of which a template knows the form.
pub(super) fn takes_from_empty(call: &FilterCall, input: &FieldType) -> bool {
    let is_model = matches!(input, FieldType::List(item) if !item.is_writable());
    is_model && FilterName::from_name(&call.name) == Some(F::First)
}

/// Returns the expected input if a filter does not accept this type.
fn expected_input(name: FilterName, input: &FieldType) -> Option<&'static str> {
    let (is_accepted, expected) = match name {
        F::EpochMs
        | F::EpochSecs
        | F::EpochSecs9
        | F::EpochMs9
        | F::IsoMs
        | F::IsoOffset
        | F::IsoMicros
        | F::NaiveMicros
        | F::Strftime => (*input == FieldType::Time, "a time"),
        F::Int
        | F::Number
        | F::Instant
        | F::Lower
        | F::Upper
        | F::Slug
        | F::Html
        | F::Untag
        | F::Plain
        | F::Before
        | F::After
        | F::Cut
        | F::Times
        | F::Word => (input.is_scalar(), "a text"),
        F::Text => (input.is_writable(), "a value with a JSON form"),
        F::Count | F::Reversed | F::First | F::Rest => {
            (matches!(input, FieldType::List(_) | FieldType::Any), "a list")
        }
        F::Or => (true, ""),
        F::Neutral => (input.is_writable(), "a text or a list"),
    };
    (!is_accepted).then_some(expected)
}

fn output_type(name: FilterName, input: &FieldType) -> FieldType {
    match name {
        F::EpochMs | F::EpochSecs | F::Count => FieldType::Int,
        F::Int | F::Number | F::Instant => FieldType::Any,
        F::First => input.item().unwrap_or(FieldType::Any),
        F::Reversed | F::Rest => input.clone(),
        _ => FieldType::Text,
    }
}

/// Returns the type of a value that `or:` may replace with a value of another type.
// A time, list or object keeps its type, so that it must still be formatted or iterated.
fn mixed(input: &FieldType) -> FieldType {
    match input {
        FieldType::Time | FieldType::Table(_) | FieldType::List(_) => input.clone(),
        _ => FieldType::Any,
    }
}

/// Returns the table of words with this name.
fn words_of(
    table: &str,
    span: &SourceSpan,
    context: &CompileContext<'_>,
) -> Result<Arc<WordTable>, Problem> {
    context.words.get(table).cloned().ok_or_else(|| {
        let message = format!("unknown table `[words.{table}]`");
        let problem = Problem::at(span, code::UNKNOWN_TABLE, message);
        problem.suggest_or_list(table, context.words.keys().map(String::as_str))
    })
}

fn word(
    table: &str,
    input: &FieldType,
    span: &SourceSpan,
    context: &CompileContext<'_>,
) -> Result<(Filter, FieldType), Problem> {
    let words = words_of(table, span, context)?;
    if let FieldType::Word(possible) = input {
        let missing: Vec<&str> =
            possible.iter().copied().filter(|word| !words.covers(word)).collect();
        if !missing.is_empty() {
            let message = format!("`[words.{table}]` has no word for {}", one_of(missing));
            return Err(Problem::at(span, code::UNKNOWN_TABLE, message));
        }
    }
    let field_type = words.field_type();
    Ok((Filter::Word(words), field_type))
}

impl Filter {
    /// Returns the name of a filter without an argument.
    pub(super) fn plain_name(&self) -> Option<FilterName> {
        match self {
            Self::Plain(name) => Some(*name),
            _ => None,
        }
    }

    /// Returns true if the filter replaces an absent value.
    pub(super) fn replaces_absent(&self) -> bool {
        matches!(self, Self::Or(_))
    }

    /// Applies the filter. An absent value stays absent unless the filter replaces it.
    pub(super) fn apply<'a>(&'a self, value: Value<'a>) -> Value<'a> {
        match self {
            Self::Or(json) if value.is_absent() => Value::data(json),
            Self::Or(_) => value,
            _ if value.is_absent() => value,
            Self::Cut(length) => Value::from(cut(&value.into_text(), *length)),
            Self::Times(factor) => {
                let product = value.into_json().as_i64().map(|int| int.saturating_mul(*factor));
                product.map_or(Value::Json(Cow::Owned(Json::Null)), Value::Int)
            }
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
            Self::Strftime(format) => match value {
                Value::Time(time) => format_time(time, format),
                other => other,
            },
            Self::Word(words) => words.word(value),
            Self::Neutral(words) => match value {
                Value::Json(json) if json.is_array() => {
                    let words = Value::Json(json).items().into_iter();
                    Value::List(words.map(|word| self.apply(word)).collect())
                }
                value => words.neutral(value),
            },
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
        // `div_euclid` and `rem_euclid` keep the decimals positive for times before 1970.
        F::EpochSecs9 => {
            let nanos = time.as_nanosecond();
            let per_second = 1_000_000_000;
            Value::from(format!(
                "{}.{:09}",
                nanos.div_euclid(per_second),
                nanos.rem_euclid(per_second)
            ))
        }
        F::EpochMs9 => {
            let nanos = time.as_nanosecond();
            let per_millisecond = 1_000_000;
            Value::from(format!(
                "{}.{:06}000",
                nanos.div_euclid(per_millisecond),
                nanos.rem_euclid(per_millisecond)
            ))
        }
        F::IsoMs => format_time(time, "%Y-%m-%dT%H:%M:%S%.3fZ"),
        F::IsoOffset => format_time(time, "%Y-%m-%dT%H:%M:%S+00:00"),
        F::IsoMicros => format_time(time, "%Y-%m-%dT%H:%M:%S%.6f+00:00"),
        F::NaiveMicros => format_time(time, "%Y-%m-%d %H:%M:%S%.6f"),
        _ => Value::Time(time),
    }
}

fn format_time(time: Timestamp, format: &str) -> Value<'static> {
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
        F::Rest => Value::List(value.items().into_iter().skip(1).collect()),
        F::First => match value {
            Value::List(_) => value.items().into_iter().next().unwrap_or(Value::Absent),
            Value::Json(ref json) if json.is_array() => {
                value.items().into_iter().next().unwrap_or(Value::Absent)
            }
            other => other,
        },
        F::Int => match value.into_text().parse() {
            Ok(int) => Value::Int(int),
            Err(_) => Value::Json(Cow::Owned(Json::Null)),
        },
        F::Number => match value {
            Value::Int(_) => value,
            Value::Json(ref json) if json.is_number() => value,
            _ => Value::Json(Cow::Owned(Json::Null)),
        },
        F::Instant => match parse_instant(&value.into_text()) {
            Some(time) => format_time(time, "%Y-%m-%dT%H:%M:%S%.3fZ"),
            None => Value::Json(Cow::Owned(Json::Null)),
        },
        F::Text => match value {
            Value::Text(_) => value,
            Value::Json(ref json) if json.is_string() => value,
            other => Value::Text(JsonStyle::COMPACT.format(&other.into_json())),
        },
        F::Lower => Value::from(value.into_text().to_lowercase()),
        F::Upper => Value::from(value.into_text().to_uppercase()),
        F::Slug => Value::from(slug(&value.into_text())),
        F::Html => Value::from(html(&value.into_text())),
        F::Untag => Value::from(untag(&value.into_text())),
        F::Plain => Value::from(value.into_text().split_whitespace().collect::<Vec<_>>().join(" ")),
        _ => value,
    }
}

/// Parses an instant, or a date with or without a time, which is in UTC. Returns `None` for any other text.
pub fn parse_instant(text: &str) -> Option<Timestamp> {
    let civil = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    text.parse().ok().or_else(|| Some(civil()?.timestamp()))
}

fn html(text: &str) -> String {
    // `&` first, since the other replacements insert it.
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let paragraphs: Vec<String> =
        escaped.split('\n').map(|line| format!("<p>{line}</p>")).collect();
    paragraphs.join("\n")
}

fn untag(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let Some(end) = rest[start..].find('>') else { break };
        text.push_str(&rest[..start]);
        let tag = rest[start + 1..start + end].trim().to_lowercase();
        if ["/p", "/div", "/li", "br", "br/", "br /"].contains(&tag.as_str()) {
            text.push('\n');
        }
        rest = &rest[start + end + 1..];
    }
    text.push_str(rest);
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let text = text.replace("&#39;", "'").replace("&nbsp;", " ");
    // `&` last, since the others contain it.
    text.replace("&amp;", "&").trim().to_owned()
}

/// Returns the first characters of a text.
pub(super) fn cut(text: &str, length: usize) -> String {
    // Characters, not bytes: a cut within a character would not be valid UTF-8.
    text.chars().take(length).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn check(name: FilterName, value: Value<'_>, expected: &str) {
        let json = plain(name, value).into_json();
        assert_eq!(json.to_string(), expected, "{name}");
    }

    #[test]
    fn times_are_formatted_for_each_vendor() {
        let time = || Value::Time("2023-08-29T04:27:48.236411954Z".parse().unwrap());
        check(FilterName::EpochMs, time(), "1693283268236");
        check(FilterName::EpochSecs, time(), "1693283268");
        check(FilterName::EpochSecs9, time(), "\"1693283268.236411954\"");
        check(FilterName::IsoMs, time(), "\"2023-08-29T04:27:48.236Z\"");
        check(FilterName::IsoOffset, time(), "\"2023-08-29T04:27:48+00:00\"");
        check(FilterName::IsoMicros, time(), "\"2023-08-29T04:27:48.236411+00:00\"");
        check(FilterName::NaiveMicros, time(), "\"2023-08-29 04:27:48.236411\"");
        let format = Filter::Strftime("%d-%m-%Y_%H-%M-%S-%3f".into());
        assert_eq!(format.apply(time()).into_text(), "29-08-2023_04-27-48-236");
        check(FilterName::EpochMs9, time(), "\"1693283268236.411954000\"");
        let early = Value::Time("1969-12-31T23:59:59.9Z".parse().unwrap());
        check(FilterName::EpochSecs9, early, "\"-1.900000000\"");
    }

    #[test]
    fn texts_and_lists_are_converted() {
        let html = "<p>How <b>are</b> you?</p><p>a &lt; b &amp;lt; c</p>";
        check(FilterName::Untag, html.into(), "\"How are you?\\na < b &lt; c\"");
        check(FilterName::Untag, "1 < 2".into(), "\"1 < 2\"");
        check(FilterName::Html, "a<b\nc".into(), "\"<p>a&lt;b</p>\\n<p>c</p>\"");
        check(FilterName::Plain, " a\n b ".into(), "\"a b\"");
        check(FilterName::Int, "42".into(), "42");
        check(FilterName::Int, "x".into(), "null");
        check(FilterName::Number, Value::Int(7), "7");
        check(FilterName::Number, "7".into(), "null");
        check(FilterName::Slug, " Your name? (full)".into(), "\"your_name_full\"");
        check(FilterName::Upper, "ä".into(), "\"Ä\"");
        check(FilterName::Count, Value::List(vec![Value::Int(1), Value::Int(2)]), "2");
        check(FilterName::Reversed, Value::List(vec![Value::Int(1), Value::Int(2)]), "[2,1]");
        check(FilterName::Text, true_json(), "\"true\"");
        let list = || Value::Json(Cow::Owned(serde_json::json!(["a", "b"])));
        check(FilterName::First, list(), "\"a\"");
        check(FilterName::First, Value::List(vec![Value::Int(1)]), "1");
        check(FilterName::First, true_json(), "true");
        assert!(plain(FilterName::First, Value::List(Vec::new())).is_absent());
    }

    #[test]
    fn neutral_values_are_looked_up_by_word() {
        let words = BTreeMap::from([("open".to_owned(), Json::from("OPEN"))]);
        let filter = Filter::Neutral(Arc::new(WordTable::new(words, None)));
        let neutral = |json: Json| filter.apply(Value::Json(Cow::Owned(json))).into_json();
        assert_eq!(neutral("OPEN".into()), "open");
        assert_eq!(
            neutral(serde_json::json!(["OPEN", "other"])),
            serde_json::json!(["open", "other"])
        );
    }

    #[test]
    fn times_multiplies_integers_only() {
        let product = |value| Filter::Times(1000).apply(value).into_json().to_string();
        assert_eq!([product(Value::Int(300)), product("x".into())], ["300000", "null"]);
    }

    fn true_json() -> Value<'static> {
        Value::Json(Cow::Owned(Json::Bool(true)))
    }

    #[test]
    fn an_absent_value_stays_absent_until_a_default_replaces_it() {
        assert!(Filter::Cut(3).apply(Value::Absent).is_absent());
        assert!(!Filter::Or(Json::Null).apply(Value::Absent).is_absent());
    }
}
