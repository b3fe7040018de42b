//! Help for mistakes in the templates of an API.

use crate::diag::{Problem, Problems, code};

/// Values of the body that a template names.
const BODY: &str = "call.body.";
/// Start of the help of an unknown name that is similar to no known one.
const LISTED: &str = "expected ";

/// Returns the problems of all sections.
pub(super) fn helped(problems: Problems) -> Problems {
    problems.helped(|problem| {
        let text = problem.span.as_ref()?.text();
        let is_parameter = problem.message.starts_with("`call.path` has no field");
        is_parameter
            .then(|| format!("write the segment of `path` that has the value as `{{{text}}}`"))
    })
}

/// Returns the problems of an operation before its error responses, which know less.
pub(super) fn helped_operation(problems: Problems) -> Problems {
    problems.helped(|problem| required_field(problem).or_else(|| unknown_name(problem)))
}

/// Returns the problems of the templates of an example, which knows one conversation only.
pub(super) fn helped_example(problems: Problems) -> Problems {
    problems.helped(|problem| {
        let is_person = ["agent", "bot", "manager", "system"].contains(&name_of(problem)?);
        is_person.then(|| {
            "examples know a `conversation` and its `visitor`; for another person write a value, \
             and let `find` create who is unknown: `create = { name = \"…\" }`"
                .to_owned()
        })
    })
}

/// Returns the problems of the keys of matchers.
pub(super) fn helped_matcher(problems: Problems) -> Problems {
    problems.helped(|problem| {
        let name = name_of(problem)?;
        Some(format!("for a value of the body, write the JSON pointer: `\"/{name}\"`"))
    })
}

/// A response names a value of the body that the call may lack.
fn required_field(problem: &Problem) -> Option<String> {
    if problem.code != code::OPTIONAL_PATH {
        return None;
    }
    let path = problem.message.strip_prefix('`')?.split('`').next()?;
    let name = path.strip_prefix(BODY)?.rsplit('.').next()?;
    Some(format!(
        "a value of `fields` is required: add `fields = {{ {name} = \"${{{path}}}\" }}` and write \
         `${{field.{name}}}`; or write `${{{path}?}}` to omit it"
    ))
}

fn unknown_name(problem: &Problem) -> Option<String> {
    match name_of(problem)? {
        name @ ("conversation" | "dialog") => Some(format!(
            "add `{{ {name} = {{ … }} }}` to `find`, or open a conversation with `open` in `act`"
        )),
        name @ ("visitor" | "agent" | "bot") => {
            Some(format!("add `{{ {name} = {{ … }} }}` to `find`"))
        }
        "message" => Some("`message` is what `say` in `act` has sent".to_owned()),
        _ => None,
    }
}

/// Returns the unknown name that a problem reports, if it is similar to no known one.
fn name_of(problem: &Problem) -> Option<&str> {
    let name = problem.message.strip_prefix("unknown name `")?.strip_suffix('`')?;
    let is_listed = problem.help.as_ref().is_none_or(|help| help.starts_with(LISTED));
    (problem.code == code::UNKNOWN_PATH && is_listed).then_some(name)
}
