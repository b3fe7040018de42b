//! A script with a schedule of faults, and its file with them written at their steps.

use super::script::{Script, Step};
use crate::fault::{Chaos, Faults};

impl Script {
    /// The script with this schedule, in place of one that it may have.
    #[must_use]
    pub fn with_chaos(&self, chaos: Chaos) -> Self {
        let mut script = self.clone();
        let own = |chaos: &Chaos, step: &Step| {
            chaos.schedule.iter().find(|planned| planned.step == step.number).cloned()
        };
        for step in &mut script.steps {
            if let Some(planned) = own(&chaos, step) {
                step.faults = Faults(vec![planned.fault]);
            } else if self.chaos.as_ref().is_some_and(|before| own(before, step).is_some()) {
                step.faults = Faults::default();
            }
        }
        script.chaos = Some(chaos);
        script
    }

    /// The script's file with its schedule written at the steps, so that it plays by itself. All
    /// else stays as it is, comments too; `about` is the first of them.
    pub fn written(&self, about: &str) -> String {
        let source = self.steps.first().map(|step| &step.span.source);
        let mut text = source.map_or_else(String::new, |source| source.text.clone());
        let mut schedule = self.chaos.clone().map_or_else(Vec::new, |chaos| chaos.schedule);
        schedule.sort_by_key(|planned| std::cmp::Reverse(planned.step));
        for planned in schedule {
            let Some(step) = self.steps.iter().find(|step| step.number == planned.step) else {
                continue;
            };
            let from = step.table.range.start;
            if text[from..].starts_with('{') {
                text.insert_str(from + 1, &format!(" fault = \"{}\",", planned.fault));
            } else {
                let line = text[from..].find('\n').map_or(text.len(), |end| from + end);
                text.insert_str(line, &format!("\nfault = \"{}\"", planned.fault));
            }
        }
        // Values are drawn by the scenario's name, which is the file's where it has none.
        let is_named = source
            .is_none_or(|source| super::read(source).is_ok_and(|draft| draft.form.name.is_some()));
        let name = if is_named {
            String::new()
        } else {
            format!("name = {}\n", serde_json::Value::from(self.name.as_str()))
        };
        format!("{about}{name}{}", text.trim_start_matches('\u{feff}'))
    }
}
