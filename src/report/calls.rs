//! Calls of the receiver to the vendor's API, as text.

use crate::base::text::escape;
use crate::record::{CallAuth, CallRecord};

/// Describes a call in one line: what was asked, and the response.
pub(super) fn describe_call(call: &CallRecord) -> String {
    let operation = match (&call.operation, &call.route) {
        (Some(name), _) | (None, Some(name)) => format!(" ({})", escape(name)),
        (None, None) => String::new(),
    };
    let (method, path) = (escape(&call.method), escape(&call.path));
    format!("{method} {path}{operation}, status {}", call.status)
}

/// Describes why a call failed, and what to do about it.
pub(super) fn describe_call_error(call: &CallRecord) -> Option<String> {
    let (error, why) = (call.error.as_deref()?, call.why.as_deref()?);
    let mut text = format!("{} ({})", escape(why), escape(error));
    if let Some(nearest) = &call.nearest {
        text += &format!("; the nearest route is `{}`", escape(nearest));
    }
    if matches!(call.auth, CallAuth::Missing | CallAuth::Invalid) {
        text += "; `standin secrets` prints the credentials";
    }
    Some(text)
}

/// Returns what the vendor accepted although it is a mistake, and what has no effect here.
pub(super) fn call_warnings(call: &CallRecord) -> impl Iterator<Item = String> {
    let ignored = (!call.ignored.is_empty()).then(|| {
        let names = call.ignored.iter().map(|name| format!("`{}`", escape(name)));
        format!("without effect here: {}", names.collect::<Vec<_>>().join(", "))
    });
    call.warnings.iter().map(|warning| escape(warning)).chain(ignored)
}
