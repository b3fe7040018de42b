//! Follows redirects, for vendors that do.
//!
//! Each hop is a separate request. Only hops within the endpoint's origin are followed: the operator
//! has not allowed any other, and the request carries a secret.

use url::Url;

use super::Delivery;
use crate::record::{AttemptResult, Method};

/// The next request of an attempt, if its response is a redirect that the vendor follows.
pub(super) fn follow(
    delivery: &Delivery,
    hops: u32,
    from: Option<&(Method, Url)>,
    result: &AttemptResult,
) -> Option<(Method, Url)> {
    let status = result.final_status().filter(|_| hops < delivery.policy.redirects)?;
    let endpoint = (Method::Post, delivery.endpoint.url.clone());
    let (method, url) = from.unwrap_or(&endpoint);
    // Only 307 and 308 keep method and body. HTTP clients turn the others into a GET.
    let method = match status {
        301..=303 => Method::Get,
        307 | 308 => *method,
        _ => return None,
    };
    let next = url.join(result.location.as_ref()?).ok()?;
    // Compared with the endpoint, not with the previous hop: two hops must not leave the origin.
    (next.origin() == endpoint.1.origin()).then_some((method, next))
}
