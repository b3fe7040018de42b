//! Matchers of a call: conditions on values of its body or of its roots.

use serde_json::Value as Json;

use super::call_help::helped_matcher;
use super::read_arguments::path_of_pointer;
use crate::diag::{Form as _, NodeContent, Problems, SyntaxNode, TableOf};
use crate::matcher::Matcher;
use crate::template::{CompileContext, InputTemplate, Object, ValuePath};

/// Matchers of a call. All must hold.
#[derive(Clone, Debug, Default)]
pub struct CallMatchers(Vec<CallMatcher>);

/// A matcher of one value.
#[derive(Clone, Debug)]
struct CallMatcher {
    place: MatchPlace,
    matcher: Matcher,
    /// The texts of the matcher with placeholders.
    holes: Vec<MatchHole>,
}

/// A text of a matcher with placeholders.
#[derive(Clone, Debug)]
struct MatchHole {
    text: String,
    template: InputTemplate,
}

/// Where the value of a matcher is.
#[derive(Clone, Debug)]
enum MatchPlace {
    /// JSON pointer into the body.
    Pointer(String),
    /// Path from the roots.
    Path(ValuePath),
}

impl CallMatchers {
    /// Checks a table of matchers. A key that starts with `/` is a JSON pointer into the body, any
    /// other a path.
    pub(super) fn check(
        form: &TableOf<SyntaxNode>,
        context: &CompileContext<'_>,
        problems: &mut Problems,
    ) -> Self {
        let mut matchers = Vec::new();
        for (key, node) in form.iter() {
            let place = if key.name.starts_with('/') {
                context.note_read(&path_of_pointer("body", &key.name));
                Some(MatchPlace::Pointer(key.name.clone()))
            } else {
                let mut of_path = Problems::new();
                let path = ValuePath::check(&key.name, &key.span, context, &mut of_path);
                problems.extend(helped_matcher(of_path));
                path.map(MatchPlace::Path)
            };
            let mut holes = Vec::new();
            collect_holes(node, context, problems, &mut holes);
            let matcher = Matcher::read(node, problems);
            if let (Some(place), Some(matcher)) = (place, matcher) {
                matchers.push(CallMatcher { place, matcher, holes });
            }
        }
        Self(matchers)
    }

    /// Returns true if there are no matchers.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if all matchers hold.
    pub fn hold(&self, body: &Json, root: &dyn Object) -> bool {
        self.0.iter().all(|matcher| matcher.holds(body, root))
    }
}

impl CallMatcher {
    fn holds(&self, body: &Json, root: &dyn Object) -> bool {
        let value = match &self.place {
            MatchPlace::Pointer(pointer) => body.pointer(pointer).cloned(),
            MatchPlace::Path(path) => path.value(root),
        };
        if self.holes.is_empty() {
            return self.matcher.holds(value.as_ref());
        }
        let rendered = |text: &str| {
            let hole = self.holes.iter().find(|hole| hole.text == text)?;
            Some(hole.template.render(root).ok().flatten().unwrap_or(Json::Null))
        };
        self.matcher.with_texts(&rendered).holds(value.as_ref())
    }
}

/// Compiles the texts of a matcher that have placeholders.
fn collect_holes(
    node: &SyntaxNode,
    context: &CompileContext<'_>,
    problems: &mut Problems,
    holes: &mut Vec<MatchHole>,
) {
    match &node.content {
        NodeContent::Text(text) if text.contains("${") => {
            let template = InputTemplate::check(node, context, problems);
            holes.extend(template.map(|template| MatchHole { text: text.clone(), template }));
        }
        NodeContent::List(items) => {
            items.iter().for_each(|item| collect_holes(item, context, problems, holes));
        }
        NodeContent::Table(table) => {
            let values = table.0.iter().filter(|(key, _)| key.name != "regex");
            values.for_each(|(_, value)| collect_holes(value, context, problems, holes));
        }
        _ => {}
    }
}
