//! Files that messages of a scenario link to (`say = { file = "./receipt.pdf" }`).
//!
//! The caller reads the files. A file replaces the sample file that its message links to, and sets the
//! fields that describe it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::forms::{SayForm, StepForm};
use super::read::{Attachments, ParsedScenario};
use super::script::{Script, Step, StepPlan};
use crate::base::attachment::Attachment;
use crate::base::limits::MAX_ATTACHMENTS;
use crate::base::text::one_of;
use crate::conversation::{Action, ActionKind};
use crate::diag::{Key, NodeContent, Problem, Problems, Spanned, SyntaxNode, code};
use crate::platform::{Account, FieldDefaults, Platform};

/// Field with the URL of a file. Only kinds of messages that have it can have an attachment.
pub(super) const LINK: &str = "link";

/// Reads the file of a path, which is relative to the file that contains it.
pub type AttachmentReader<'a> =
    dyn FnMut(&Spanned<String>) -> Result<Arc<Attachment>, Problem> + 'a;

impl ParsedScenario {
    /// Reads the files of the messages. Problems become those of the scenario.
    #[must_use]
    pub fn with_attachments(mut self, read: &mut AttachmentReader<'_>) -> Self {
        let groups = self.form.group.0.iter().flat_map(|(_, steps)| steps.iter().flatten());
        let files: Vec<_> = self.form.step.iter().chain(groups).flat_map(files_of).collect();
        let (mut attachments, mut names, mut bytes) = (Vec::new(), BTreeSet::new(), 0);
        for file in files {
            match read(&file) {
                Ok(attachment) => {
                    // Several messages may have the same file.
                    if names.insert(attachment.url_name.clone()) {
                        bytes += attachment.bytes.len();
                    }
                    if bytes > MAX_ATTACHMENTS {
                        self.problems.push(too_large(&file));
                        break;
                    }
                    attachments.push((file.span, attachment));
                }
                Err(problem) => self.problems.push(problem),
            }
        }
        self.attachments = Some(Arc::new(Attachments(attachments)));
        self
    }
}

fn too_large(file: &Spanned<String>) -> Problem {
    let most = MAX_ATTACHMENTS / 1024 / 1024;
    let message = format!("the files of the scenario are larger than {most} MiB together");
    Problem::at(&file.span, code::TOO_MANY, message).help("use smaller files, or fewer")
}

/// Returns the files that the messages of a step name, with those of its changes for vendors.
fn files_of(step: &StepForm) -> Vec<Spanned<String>> {
    let changes = step.for_.0.iter().filter_map(|(_, change)| change.as_ref());
    let actions = step.action.iter().chain(changes.flat_map(|change| &change.action));
    let says = actions.filter(|(key, _)| key.name == "say");
    let keys = says.filter_map(|(_, node)| node.as_table()).flat_map(|table| &table.0);
    let files = keys.filter(|(key, _)| key.name == "file");
    files
        .filter_map(|(_, node)| match &node.content {
            NodeContent::Text(path) => {
                Some(Spanned { value: path.clone(), span: node.span.clone() })
            }
            _ => None, // reported as a value of the wrong type
        })
        .collect()
}

/// Returns the fields that describe a file, where a kind of message has them.
fn fields(attachment: &Attachment, files_url: &str) -> [(&'static str, Json); 4] {
    [
        (LINK, format!("{files_url}/{}", attachment.url_name).into()),
        ("file_name", attachment.name.as_str().into()),
        ("mime_type", attachment.media_type.as_str().into()),
        ("size", attachment.bytes.len().into()),
    ]
}

/// Sets the fields of a message that describe its file, except those that its step sets.
pub(super) fn fill(action: &mut Action, attachment: &Attachment, account: &Account) {
    let ActionKind::Say { kind, data, .. } = &mut action.kind else { return };
    let Some(kind) = account.platform.kinds.get(kind.as_str()) else { return };
    fill_data(data, attachment, &account.files, &kind.data);
}

fn fill_data(
    data: &mut Map<String, Json>,
    attachment: &Attachment,
    files_url: &str,
    known: &FieldDefaults,
) {
    for (name, value) in fields(attachment, files_url) {
        if known.has(name) {
            data.entry(name).or_insert(value);
        }
    }
}

/// Adds to the data of a message what its file sets, for checks against the limits of a vendor.
pub(super) fn add_nodes(
    input: &mut Vec<(Key, SyntaxNode)>,
    attachment: &Attachment,
    file: &Spanned<String>,
    known: &FieldDefaults,
) {
    for (name, value) in fields(attachment, "http://localhost") {
        if !known.has(name) || input.iter().any(|(key, _)| key.name == name) {
            continue;
        }
        let content = match value {
            Json::String(text) => NodeContent::Text(text),
            value => NodeContent::Int(value.as_i64().unwrap_or(i64::MAX)),
        };
        let key = Key { name: name.to_owned(), span: file.span.clone() };
        input.push((key, SyntaxNode { span: file.span.clone(), content }));
    }
}

/// Reports a file in a message whose kind has no link, or whose step sets a link too.
pub(super) fn check(
    file: &Spanned<String>,
    form: &SayForm,
    vendors: &[Arc<Platform>],
    problems: &mut Problems,
) {
    let all = vendors.iter().flat_map(|vendor| &vendor.kinds);
    let linking: BTreeSet<&str> =
        all.filter(|(_, kind)| kind.data.has(LINK)).map(|(name, _)| name.as_str()).collect();
    let kind = form.kind.as_ref().map_or("text", |kind| kind.as_str());
    if !linking.contains(kind) {
        let message = format!("a message of kind `{kind}` does not link to a file");
        let problem = Problem::at(&file.span, code::UNKNOWN_DATA, message);
        problems.push(problem.help(format!("set `kind` to {}", one_of(linking))));
    }
    if let Some((link, _)) = form.data.iter().find(|(key, _)| key.name == LINK) {
        let message = "a message has either `file` or `link`";
        let problem = Problem::at(&link.span, code::CONTRADICTION, message);
        problems.push(problem.also(&file.span, "the file").help("remove one of them"));
    }
}

/// Reports a file in a place where files cannot be attached.
pub(super) fn not_readable(file: &Spanned<String>) -> Problem {
    let message = "files cannot be attached here";
    let problem = Problem::at(&file.span, code::FILE_UNREADABLE, message);
    problem.help("use a built-in file: remove `file`, or set `link` to a URL")
}

impl Script {
    /// Returns the files that its messages link to.
    pub fn attachments(&self) -> impl Iterator<Item = &Arc<Attachment>> {
        let plans = self.steps.iter().flat_map(|step: &Step| {
            let own = step.overrides.values().filter_map(|change| change.plan.as_ref());
            own.chain([&step.plan])
        });
        plans.filter_map(|plan| match plan {
            StepPlan::Act(plan) => plan.attachment.as_ref(),
            StepPlan::Expect(_) => None,
        })
    }
}
