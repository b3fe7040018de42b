//! Names of shell variables for the values of an account.

/// Returns the name of the shell variable for a value of an account, such as `ACME_TOKEN`.
pub(super) fn variable(vendor: &str, name: &str) -> String {
    format!("{vendor}_{name}").to_uppercase().replace([' ', '-', '.'], "_")
}
