//! Maps whose keys nobody outside chooses.

use std::collections::HashMap;

/// A map for keys that standin numbers itself.
///
/// The hash of the standard library resists keys that an attacker chooses, and takes several times as
/// long. Each delivery needs about twenty look-ups.
pub type FastMap<K, V> = HashMap<K, V, foldhash::fast::FixedState>;
