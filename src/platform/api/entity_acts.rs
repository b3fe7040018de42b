//! Checks the actions about entities.

use super::act::ActTemplate;
use super::act_check::ActChecker;
use super::forms::CreateEntityActForm;
use crate::diag::{Problem, Spanned, code};
use crate::template::FieldType;

impl ActChecker<'_> {
    /// Checks the creation of an entity, which later actions can name.
    pub(super) fn create_entity(&mut self, form: &CreateEntityActForm) -> Option<ActTemplate> {
        let (kind, by, with) = (&form.entity, self.who(&form.by), self.input(&form.with));
        let Some(table) = self.entities.get(&kind.value) else {
            let message = format!("unknown kind of entity `{}`", kind.value);
            let problem = Problem::at(&kind.span, code::INVALID_ACT, message);
            let known = self.entities.keys().map(String::as_str);
            self.problems.push(problem.suggest_or_list(kind, known));
            return None;
        };
        self.created = Some((kind.value.clone(), FieldType::table(table.clone())));
        self.named_entities.push(kind.value.clone());
        Some(ActTemplate::CreateEntity { kind: kind.value.clone(), by: by?, with: with? })
    }

    /// Checks the name of an entity.
    pub(super) fn entity(&mut self, name: &Spanned<String>) -> Option<String> {
        if self.named_entities.contains(&name.value) {
            return Some(name.value.clone());
        }
        let message = format!("unknown entity `{}`", name.value);
        let problem = Problem::at(&name.span, code::INVALID_ACT, message);
        let known = self.named_entities.iter().map(String::as_str);
        self.problems.push(problem.suggest_or_list(name, known));
        None
    }
}
