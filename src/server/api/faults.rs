//! Faults in requests.

use super::error::ApiError;
use crate::fault::{Fault, Faults};

/// Reads the value of `faults`.
pub(super) fn read_faults(names: &[String]) -> Result<Faults, ApiError> {
    let parse = |(index, text): (usize, &String)| {
        Fault::parse(text).map_err(|reason| {
            let error = ApiError::invalid(reason).pointer(format!("/faults/{index}"));
            error.hint("`GET /api/v1/vendors/VENDOR` lists the faults")
        })
    };
    Ok(Faults(names.iter().enumerate().map(parse).collect::<Result<_, _>>()?))
}
