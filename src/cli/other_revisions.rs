//! Help for what only other revisions of the vendors have: event types, and kinds of entities.
//!
//! Only for problems that are printed: to load all revisions takes much longer than the check itself.

use std::cell::OnceCell;
use std::sync::Arc;

use super::setup::Setup;
use crate::base::text::one_of;
use crate::diag::{Problem, Problems, code};
use crate::platform::{Platform, VendorRef};

impl Setup {
    /// Names the revisions that have what a scenario's vendors lack.
    pub(super) fn naming_revisions(&self, problems: Problems) -> Problems {
        let revisions = OnceCell::new();
        problems.helped(|problem| self.revisions_help(problem, &revisions))
    }

    /// Names the revisions of a vendor that send an event type which this one does not send.
    pub(super) fn naming_revisions_of(
        &self,
        problem: Problem,
        vendor: &Platform,
        event_type: &str,
    ) -> Problem {
        if problem.code != code::UNKNOWN_EVENT {
            return problem;
        }
        let all = self.revisions_of(&vendor.id);
        let sending = all.iter().filter(|other| other.type_names().contains(&event_type));
        let names: Vec<String> = sending.map(|other| other.full_id()).collect();
        if names.is_empty() {
            return problem;
        }
        let all = one_of(names.iter().map(String::as_str));
        problem.help(format!("it exists at {all}; name the revision in place of `{}`", vendor.id))
    }

    fn revisions_help(
        &self,
        problem: &Problem,
        revisions: &OnceCell<Vec<Arc<Platform>>>,
    ) -> Option<String> {
        let word = problem.span.as_ref()?.text().trim_matches(['"', '\'']);
        let has: &dyn Fn(&Platform) -> bool = match problem.code {
            code::UNKNOWN_EVENT => &|vendor| vendor.events.iter().any(|rule| rule.has_name(word)),
            code::UNKNOWN_KIND => &|vendor| vendor.entities.contains_key(word),
            _ => return None,
        };
        let all = revisions.get_or_init(|| self.all_revisions());
        let names: Vec<String> =
            all.iter().filter(|vendor| has(vendor)).map(|vendor| vendor.full_id()).collect();
        let first = names.first()?;
        let all = one_of(names.iter().map(String::as_str));
        Some(format!("it exists at {all}: add `vendors = [\"{first}\"]` to the scenario"))
    }

    /// Loads every revision of every vendor. One that has problems is skipped.
    fn all_revisions(&self) -> Vec<Arc<Platform>> {
        self.catalog.ids().flat_map(|id| self.revisions_of(id)).collect()
    }

    /// Loads every revision of a vendor. One that has problems is skipped.
    pub(super) fn revisions_of(&self, id: &str) -> Vec<Arc<Platform>> {
        let revisions = self.catalog.revisions(id).into_iter();
        let references =
            revisions.map(|revision| VendorRef { id: id.to_owned(), revision: Some(revision) });
        references.filter_map(|reference| self.catalog.load(&reference).ok()).collect()
    }
}
