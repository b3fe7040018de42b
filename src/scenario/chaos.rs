//! Adds a schedule of faults to a script, and writes the schedule into the scenario file.

use super::read::read;
use super::script::{Script, Step};
use crate::fault::{Chaos, Faults};

impl Script {
    /// Returns the script with this schedule instead of its current one.
    #[must_use]
    pub fn with_chaos(&self, chaos: Chaos) -> Self {
        let mut script = self.clone();
        let planned_for = |chaos: &Chaos, step: &Step| {
            chaos.schedule.iter().find(|planned| planned.step == step.number).cloned()
        };
        for step in &mut script.steps {
            if let Some(planned) = planned_for(&chaos, step) {
                step.faults = Faults(vec![planned.fault]);
            } else if self.chaos.as_ref().is_some_and(|old| planned_for(old, step).is_some()) {
                // Faults of the file stay. Only those of the old schedule are removed.
                step.faults = Faults::default();
            }
        }
        script.chaos = Some(chaos);
        script
    }

    /// Returns the scenario file with the schedule written as `fault` keys of the steps.
    ///
    /// The file keeps its comments and can be run without the chaos profile. `header` is inserted
    /// before the first line.
    pub fn to_toml(&self, header: &str) -> String {
        let source = self.steps.first().map(|step| &step.span.source);
        let mut text = source.map_or_else(String::new, |source| source.text.to_string());
        let mut schedule = self.chaos.clone().map_or_else(Vec::new, |chaos| chaos.schedule);
        // From the last step to the first: an insertion moves everything after it.
        schedule.sort_by_key(|planned| std::cmp::Reverse(planned.step));
        for planned in schedule {
            let Some(step) = self.steps.iter().find(|step| step.number == planned.step) else {
                continue;
            };
            let start = step.table.range.start;
            if text[start..].starts_with('{') {
                text.insert_str(start + 1, &format!(" fault = \"{}\",", planned.fault));
            } else {
                let line_end = text[start..].find('\n').map_or(text.len(), |end| start + end);
                text.insert_str(line_end, &format!("\nfault = \"{}\"", planned.fault));
            }
        }
        // The name determines the generated values. Its default is the name of the file, which
        // differs for the new file.
        let is_named =
            source.is_none_or(|source| read(source).is_ok_and(|parsed| parsed.form.name.is_some()));
        let name = if is_named {
            String::new()
        } else {
            format!("name = {}\n", serde_json::Value::from(self.name.as_str()))
        };
        // The new file can be in another folder, where the path of the schema leads to nothing.
        let schema = text.lines().find(|line| line.starts_with("#:schema .")).map(str::to_owned);
        if let Some(line) = schema {
            text = text.replacen(&format!("{line}\n"), "", 1);
        }
        // A byte order mark is valid only at the start of a file.
        format!("{header}{name}{}", text.trim_start_matches('\u{feff}'))
    }
}
