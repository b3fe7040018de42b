//! References to a vendor and one of its revisions, as users write them: `vendor@revision`.

use std::fmt;

/// The revision that follows the vendor's documentation as published.
pub(super) const DOCS: &str = "docs";

/// A vendor id with an optional revision, formatted as `id@revision`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VendorRef {
    /// Vendor id.
    pub id: String,
    /// Revision name; `None` means `docs`.
    pub revision: Option<String>,
}

impl VendorRef {
    /// Parses `id` or `id@revision`. The result is not checked against a catalog.
    pub fn parse(text: &str) -> Self {
        match text.split_once('@') {
            Some((id, revision)) => Self { id: id.into(), revision: Some(revision.into()) },
            None => Self { id: text.into(), revision: None },
        }
    }

    /// Returns true if both refer to the same vendor and no revision contradicts the other.
    pub fn covers(&self, other: &Self) -> bool {
        // A reference without a revision matches every revision: `vendors = ["acme"]` in a
        // scenario also admits `acme@2019`.
        let same_revision = match (&self.revision, &other.revision) {
            (Some(revision), Some(other)) => revision == other,
            _ => true,
        };
        same_revision && self.id == other.id
    }
}

impl fmt::Display for VendorRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.revision {
            Some(revision) => write!(formatter, "{}@{revision}", self.id),
            None => formatter.write_str(&self.id),
        }
    }
}
