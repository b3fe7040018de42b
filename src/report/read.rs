//! Reads reports in JSON again, one run at a time.

use std::fmt;
use std::io;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::json_file::VERSION;
use super::run_report::RunReport;

/// Gets each run of a report.
type RunConsumer<'a> = dyn FnMut(RunReport) -> io::Result<()> + 'a;

/// Reads a report in JSON and passes each of its runs on, so that memory does not grow with their number.
///
/// # Errors
/// The text is not a report in JSON of this version, or a run could not be passed on.
pub fn read_json_report(input: impl io::Read, each: &mut RunConsumer<'_>) -> io::Result<()> {
    let mut json = serde_json::Deserializer::from_reader(input);
    json.deserialize_map(ReportVisitor(each))?;
    Ok(json.end()?)
}

struct ReportVisitor<'a, 'b>(&'a mut RunConsumer<'b>);

impl<'de> Visitor<'de> for ReportVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a report written with `--report json=FILE`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut has_version, mut has_runs) = (false, false);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "version" => {
                    let version: u32 = map.next_value()?;
                    if version != VERSION {
                        let message =
                            format!("version {version} of the format, expected {VERSION}");
                        return Err(A::Error::custom(message));
                    }
                    has_version = true;
                }
                "runs" if has_version => {
                    map.next_value_seed(ReportedRuns(&mut *self.0))?;
                    has_runs = true;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if has_runs { Ok(()) } else { Err(A::Error::custom("`version` or `runs` is missing")) }
    }
}

/// The list of runs.
struct ReportedRuns<'a, 'b>(&'a mut RunConsumer<'b>);

impl<'de> DeserializeSeed<'de> for ReportedRuns<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ReportedRuns<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of runs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut runs: A) -> Result<(), A::Error> {
        while let Some(run) = runs.next_element()? {
            (self.0)(run).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}
