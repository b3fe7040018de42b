//! Another version of the configuration and the vendors, while the server runs.

use std::sync::{Arc, PoisonError};

use super::deliveries::DeliverySummary;
use super::error::LiveError;
use super::vendor::{EndpointRequest, ServedVendor};
use super::{LiveServer, ScenariosOnOpen};
use crate::base::redact::Redactor;
use crate::platform::{Account, FaultInjector, Platform};

/// Another version of what a server was started with.
pub struct ReloadPlan {
    /// The accounts. Those of vendors that the server does not have are ignored.
    pub accounts: Vec<Arc<Account>>,
    /// All vendors whose names are valid in scenarios.
    pub known: Vec<Arc<Platform>>,
    /// The scenarios of conversations that clients open.
    pub on_open: ScenariosOnOpen,
    /// Replaces configured secrets in all records.
    pub redactor: Redactor,
    /// The endpoints that the command line and the configuration name, each with its vendor.
    pub endpoints: Vec<(String, EndpointRequest)>,
}

impl LiveServer {
    /// Uses another version of the configuration and the vendors. Runs in progress keep the version with
    /// which they started.
    ///
    /// # Errors
    /// An endpoint cannot be added, or the journal failed. The other changes are in effect.
    pub async fn reload(&self, plan: ReloadPlan) -> Result<(), LiveError> {
        let ReloadPlan { accounts, known, on_open, redactor, endpoints } = plan;
        self.redact(&redactor);
        *self.on_open.write().unwrap_or_else(PoisonError::into_inner) = on_open;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        for account in accounts {
            let Ok(vendor) = self.vendor(&account.platform.id) else { continue };
            let derived = FaultInjector::of(&account).derived_secrets();
            let derived = derived.iter().map(|(reference, secret)| (reference.clone(), secret));
            let own = account.secret_references().chain(derived);
            self.redact(&Redactor::new(own));
            vendor.reload(account);
        }
        self.served_scenarios().offered = None;
        for vendor in self.vendors() {
            let own = endpoints.iter().filter(|(id, _)| id == vendor.id());
            let own: Vec<&EndpointRequest> = own.map(|(_, request)| request).collect();
            for number in vendor.configured_besides(&own) {
                self.remove_endpoint(vendor.id(), number).await?;
            }
            for request in own {
                self.configure_endpoint(vendor.id(), request.clone()).await?;
            }
        }
        self.history.touch();
        Ok(())
    }

    /// Returns the account in the version with which a delivery was signed, if its run is in memory.
    ///
    /// # Errors
    /// Its vendor is not served.
    pub fn account_of(&self, delivery: &DeliverySummary) -> Result<Arc<Account>, LiveError> {
        let run = self.runs.peek(delivery.run);
        let own = run.map(|run| Arc::clone(&run.script.account));
        own.map_or_else(|| self.vendor(&delivery.vendor).map(ServedVendor::account), Ok)
    }

    /// Redacts secrets in the records of all runs.
    fn redact(&self, redactor: &Redactor) {
        let mut own = self.redactor.write().unwrap_or_else(PoisonError::into_inner);
        *own = own.merged(redactor.clone());
        drop(own);
        self.runs.all().iter().for_each(|run| run.log.redact(redactor.clone()));
    }

    /// Replaces configured secrets in all records.
    pub(super) fn redactor(&self) -> Redactor {
        self.redactor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All vendors whose names are valid in scenarios.
    pub(super) fn known(&self) -> Vec<Arc<Platform>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
