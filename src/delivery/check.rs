//! Judges a delivery: the only code that decides whether it passed.
//!
//! The result is stored in the settled record. Reports, the verdict and redelivery only show it.

use jiff::SignedDuration;

use crate::base::text::mask;
use crate::fault::Faults;
use crate::matcher::ResponseMatcher;
use crate::policy::StatusSet;
use crate::record::{AttemptOutcome, AttemptResult, Method, Mismatch};

/// Decides which responses pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryCheck {
    /// The statuses of the scenario's `[verify]`, which replace the default of `2xx`.
    pub verify: Option<StatusSet>,
    /// The statuses that the vendor counts as delivered.
    pub success: StatusSet,
    /// The maximum response time of the scenario's `[verify]`.
    pub within: Option<SignedDuration>,
    /// The requirements of the delivery's step.
    pub want: Option<StepWant>,
}

/// Requirements of a step for its deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepWant {
    /// Number of the step, from 1.
    pub step: usize,
    /// Statuses that pass. They replace all other rules about the status.
    pub status: Option<StatusSet>,
    /// Requirements for the final response.
    pub response: ResponseMatcher,
}

impl DeliveryCheck {
    /// Returns why a delivery failed, or `None` if it passed. `accepted` says whether the vendor
    /// counts the last of its `attempts` as delivered. `method` is that of the last request: a
    /// redirect can turn it into a `GET`.
    pub fn failure(
        &self,
        result: &AttemptResult,
        faults: &Faults,
        attempts: u32,
        accepted: bool,
        method: Method,
    ) -> Option<String> {
        // Whatever a step or a fault expects, a receiver that got nothing has not shown it.
        if !result.outcome.reached_receiver() {
            return Some(describe(result));
        }
        if method == Method::Get {
            let response = describe(result);
            return Some(format!("{response} to a GET: the redirect dropped the request body"));
        }
        let of_status = match &self.want {
            Some(StepWant { step, status: Some(expected), .. }) => {
                let passed = result.final_status().is_some_and(|status| expected.contains(status));
                let response = describe(result);
                (!passed).then(|| format!("`want` of step {step}: {response}, expected {expected}"))
            }
            _ => self.status_failure(result, faults, attempts, accepted),
        };
        of_status.or_else(|| self.response_failure(result, faults, attempts))
    }

    /// Returns the requirements of the step and of `[verify]` that the response does not meet.
    fn response_failure(
        &self,
        result: &AttemptResult,
        faults: &Faults,
        attempts: u32,
    ) -> Option<String> {
        let own = self.want.as_ref().map(|want| &want.response);
        // A fault can delay the request itself, so `[verify]` says nothing about its time.
        let is_timed = faults.is_empty() && own.is_none_or(|own| own.within.is_none());
        let within = self.within.filter(|_| is_timed);
        let verify = ResponseMatcher { within, ..ResponseMatcher::default() };
        let of_verify = describe_all(&verify.mismatches(result, attempts));
        let of_verify = of_verify.map(|mismatches| format!("`[verify]`: {mismatches}"));
        let want = self.want.as_ref().and_then(|StepWant { step, response, .. }| {
            let mismatches = describe_all(&response.mismatches(result, attempts))?;
            Some(format!("`want` of step {step}: {mismatches}"))
        });
        let failures: Vec<String> = want.into_iter().chain(of_verify).collect();
        (!failures.is_empty()).then(|| failures.join("; "))
    }

    fn status_failure(
        &self,
        result: &AttemptResult,
        faults: &Faults,
        attempts: u32,
        accepted: bool,
    ) -> Option<String> {
        let status = result.final_status();
        let response = describe(result);
        // A fault overrides `verify`: a receiver must reject an invalid token, whatever `verify` says.
        if let Some(passed) = faults.judge(status, attempts) {
            let expected = faults.expected_reaction(attempts);
            return (!passed).then(|| format!("{response}; a correct receiver {expected}"));
        }
        let is_in = |set: &StatusSet| status.is_some_and(|status| set.contains(status));
        let expected = match &self.verify {
            Some(verify) if !is_in(verify) => verify.to_string(),
            None if !accepted => self.success.to_string(),
            // Some vendors count a redirect or an error as delivered. The event is lost all the same.
            None if !is_in(&StatusSet::success()) => {
                format!("{} (this vendor counts {response} as delivered)", StatusSet::success())
            }
            _ => return None,
        };
        Some(if status.is_some() { format!("{response}, expected {expected}") } else { response })
    }
}

/// Lists mismatches in one line. Returns nothing if there are none.
fn describe_all(mismatches: &[Mismatch]) -> Option<String> {
    let lines: Vec<String> = mismatches.iter().map(ToString::to_string).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

/// Describes the response status, or the reason why there is no response.
fn describe(result: &AttemptResult) -> String {
    match (result.outcome, result.status, &result.location, &result.reason) {
        (AttemptOutcome::Responded, Some(status), Some(location), _) => {
            format!("status {status} with a redirect to `{}`", mask(location))
        }
        (AttemptOutcome::Responded, Some(status), None, _) => format!("status {status}"),
        (AttemptOutcome::BodyIncomplete, Some(status), ..) => {
            format!("status {status} (the response body was cut)")
        }
        (outcome, _, _, Some(reason)) => format!("no response ({outcome}): {reason}"),
        (outcome, ..) => format!("no response ({outcome})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;

    fn responded(status: u16) -> AttemptResult {
        let failure = AttemptResult::failure(AttemptOutcome::Responded, "", 1);
        AttemptResult { status: Some(status), reason: None, ..failure }
    }

    fn check(verify: Option<&str>) -> DeliveryCheck {
        let set = |text: &str| StatusSet::parse([text]).unwrap();
        DeliveryCheck { verify: verify.map(set), success: set("any"), ..DeliveryCheck::default() }
    }

    #[test]
    fn verify_replaces_the_default_in_both_directions() {
        let faults = Faults::default();
        let failure = |verify, status| {
            check(verify).failure(&responded(status), &faults, 1, true, Method::Post)
        };
        assert_eq!(failure(Some("410"), 410), None);
        assert_eq!(failure(Some("410"), 200).unwrap(), "status 200, expected 410");
        assert_eq!(failure(None, 204), None);
        assert_eq!(
            failure(None, 301).unwrap(),
            "status 301, expected 2xx (this vendor counts status 301 as delivered)"
        );
    }

    #[test]
    fn a_fault_decides_instead_of_verify() {
        let faults = Faults(vec![Fault::parse("wrong_token").unwrap()]);
        let failure = |status| {
            check(Some("2xx")).failure(&responded(status), &faults, 1, false, Method::Post)
        };
        assert_eq!(failure(401), None);
        assert!(failure(200).unwrap().starts_with("status 200; a correct receiver "));
    }

    #[test]
    fn a_response_whose_body_was_cut_is_judged_by_its_status() {
        let cut = |status| AttemptResult {
            outcome: AttemptOutcome::BodyIncomplete,
            reason: Some("cut".into()),
            ..responded(status)
        };
        let failure =
            |status| check(None).failure(&cut(status), &Faults::default(), 1, true, Method::Post);
        assert_eq!(failure(200), None);
        assert!(
            failure(500)
                .unwrap()
                .starts_with("status 500 (the response body was cut), expected 2xx"),
            "{:?}",
            failure(500)
        );
        let failure =
            check(Some("410")).failure(&cut(200), &Faults::default(), 1, true, Method::Post);
        assert_eq!(failure.unwrap(), "status 200 (the response body was cut), expected 410");
    }

    #[test]
    fn a_connection_failure_is_the_reason_itself() {
        let result = AttemptResult::failure(AttemptOutcome::Refused, "no server is listening", 1);
        let why = check(None).failure(&result, &Faults::default(), 1, false, Method::Post);
        assert_eq!(why.unwrap(), "no response (refused): no server is listening");
    }
}
