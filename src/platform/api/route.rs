//! The route of a call.

use std::cmp::Reverse;
use std::sync::Arc;

use super::call::ApiCall;
use super::path_pattern::segments;
use super::rules::{ApiRules, RouteRule};
use crate::base::text::nearest;

/// The route of a call.
#[derive(Clone, Debug)]
pub struct RouteMatch {
    /// The route.
    pub route: Arc<RouteRule>,
    /// Parameters of the path, decoded.
    pub parameters: Vec<(String, String)>,
}

/// Why a call has no route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// No route has the path.
    Path {
        /// The route with the most similar path, as method and path.
        nearest: Option<String>,
    },
    /// The path has routes with these methods only.
    Method(Vec<String>),
}

impl ApiRules {
    /// Returns the route of a call. A literal segment takes precedence over a parameter, then a route
    /// that demands more parameters of the query over one that demands fewer.
    pub fn route(&self, call: &ApiCall) -> Result<RouteMatch, NoRoute> {
        let (method, query) = (call.method.as_str(), call.query_pairs());
        let segments = segments(&call.path);
        let mut methods = Vec::new();
        let mut found: Option<((usize, Reverse<usize>), RouteMatch)> = None;
        for route in self.routes.iter().filter(|route| route.has_query(&query)) {
            for parameters in route.paths.iter().filter_map(|path| path.matches(&segments)) {
                let rank = (parameters.len(), Reverse(route.query.len()));
                if !route.methods.iter().any(|known| known == method) {
                    methods.extend(route.methods.iter().cloned());
                } else if found.as_ref().is_none_or(|(best, _)| rank < *best) {
                    let route = Arc::clone(route);
                    found = Some((rank, RouteMatch { route, parameters }));
                }
            }
        }
        match found {
            Some((_, found)) => Ok(found),
            None if !methods.is_empty() => Err(NoRoute::Method(methods)),
            None => Err(NoRoute::Path { nearest: self.nearest(method, &segments) }),
        }
    }

    /// Returns the route with the most similar path, as method and path.
    fn nearest(&self, method: &str, segments: &[String]) -> Option<String> {
        let mut known = Vec::new();
        for route in &self.routes {
            let method = route.methods.first().map_or("", String::as_str);
            for path in &route.paths {
                known.push((
                    format!("{method} {}", path.like(segments)),
                    format!("{method} {path}"),
                ));
            }
        }
        let call = format!("{method} /{}", segments.join("/"));
        let found = nearest(&call, known.iter().map(|(text, _)| text.as_str()))?;
        known.iter().find(|(text, _)| text == found).map(|(_, route)| route.clone())
    }
}

impl RouteRule {
    /// Returns true if a query has the parameters that calls of the route must have.
    fn has_query(&self, query: &[(String, String)]) -> bool {
        self.query.iter().all(|needed| query.contains(needed))
    }
}
