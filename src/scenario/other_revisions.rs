//! Help for what only other revisions of the vendors have.

use crate::base::text::one_of;
use crate::platform::{Catalog, Platform, VendorRef};

/// Returns the help that names the bundled revisions for which `has` is true, if there are any.
pub(super) fn help(has: impl Fn(&Platform) -> bool) -> Option<String> {
    let catalog = Catalog::bundled();
    let names = catalog.ids().flat_map(|id| {
        catalog.revisions(id).into_iter().map(move |revision| format!("{id}@{revision}"))
    });
    let has = |name: &String| {
        let platform = catalog.load(&VendorRef::parse(name));
        platform.is_ok_and(|platform| has(&platform))
    };
    let names: Vec<String> = names.filter(has).collect();
    let first = names.first()?;
    let all = one_of(names.iter().map(String::as_str));
    Some(format!("it exists at {all}: add `vendors = [\"{first}\"]` to the scenario"))
}
