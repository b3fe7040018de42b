//! Checks the actions about entities.

use super::act::{ActTemplate, WhoRef};
use super::act_check::ActChecker;
use super::forms::{CreateEntityActForm, HandOverActForm};
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
        let known = self.entity_ids.clone();
        let ids = self.chosen_ids(&form.ids, "entities", &known);
        Some(ActTemplate::CreateEntity { kind: kind.value.clone(), by: by?, with: with?, ids })
    }

    /// Checks who gets conversations.
    pub(super) fn hand_over(&mut self, form: &HandOverActForm) -> Option<ActTemplate> {
        let (name, to) = (&form.conversation, self.who(&form.to));
        if !self.conversations.contains(&name.value) {
            let message = format!("`find` gives no conversation `{}`", name.value);
            let problem = Problem::at(&name.span, code::INVALID_ACT, message);
            let known = self.conversations.iter().map(String::as_str);
            self.problems.push(problem.suggest_or_list(name, known));
        }
        if to.as_ref().is_some_and(|to| !matches!(to, WhoRef::Found(_))) {
            let message = "`hand_over` needs a visitor that `find` gives";
            let problem = Problem::at(&form.to.span, code::INVALID_ACT, message);
            self.problems.push(problem.help("add `{ visitor = { … } }` to `find`"));
        }
        Some(ActTemplate::HandOver { conversation: name.value.clone(), to: to? })
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
