//! The page of conversations, messages, agents or documents that a response contains.

use std::cmp::Ordering;
use std::str::FromStr;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::call_work::{CallWork, Conversations, ResponseState, unreadable};
use super::people::text_of;
use crate::conversation::{Conversation, Entity, Message, Person, Role};
use crate::platform::api::{
    CallError, ListPage, ListRule, Listed, PeriodRule, SearchRule, SortRule,
};
use crate::template::{InputTemplate, Object, Value, parse_instant};

/// A value that things of a page must have: one of these texts.
struct ListKey {
    field: String,
    values: Vec<String>,
}

/// What things are sorted by.
#[derive(Debug, PartialEq, PartialOrd)]
enum SortKey {
    Absent,
    Number(f64),
    Time(Timestamp),
    Text(String),
}

impl SortKey {
    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Time(at) => Self::Time(at),
            value => match value.into_json() {
                Json::Null => Self::Absent,
                Json::Number(number) => number.as_f64().map_or(Self::Absent, Self::Number),
                json => Self::Text(text_of(&json).to_lowercase()),
            },
        }
    }
}

/// A text that one of some fields must contain.
struct ListSearch<'a> {
    /// In small letters.
    text: String,
    fields: &'a [String],
}

impl ListSearch<'_> {
    fn is_in(&self, text: &dyn Fn(&str) -> Option<String>) -> bool {
        let mut texts = self.fields.iter().filter_map(|field| text(field));
        texts.any(|text| text.to_lowercase().contains(&self.text))
    }
}

impl CallWork {
    /// Returns the page that an operation lists.
    pub(super) fn page<'a>(
        &'a self,
        rule: &'a ListRule,
        state: &ResponseState<'a>,
    ) -> Result<ListPage<'a>, CallError> {
        let mut all = self.listed(rule, &rule.by, state)?;
        if !self.sort(rule.sort.as_ref(), &mut all)? && rule.newest {
            all.reverse();
        }
        let size = self.number(rule.size.as_ref())?.unwrap_or(rule.default).min(rule.most);
        let offset = match self.number::<usize>(rule.page.as_ref())? {
            Some(page) => page.saturating_sub(1).saturating_mul(size),
            None => self.number(rule.offset.as_ref())?.unwrap_or(0),
        };
        let mut page = ListPage::new(all, offset, size);
        for count in &rule.counts {
            let number = self.listed(rule, &count.by, state)?.len();
            page.counts.0.insert(count.name.clone(), number);
        }
        Ok(page)
    }

    /// Gives the things of a list the order that the call wants, and returns whether it wants one.
    /// Things without the field come first.
    fn sort(&self, rule: Option<&SortRule>, all: &mut [&dyn Object]) -> Result<bool, CallError> {
        let Some(rule) = rule else { return Ok(false) };
        let given = |template: &Option<InputTemplate>| -> Result<Option<String>, CallError> {
            let value = self.value(template.as_ref())?.filter(|value| !value.is_null());
            Ok(value.map(|value| text_of(&value)).filter(|text| !text.is_empty()))
        };
        let (by, order) = (given(&rule.by)?, given(&rule.order)?);
        let is_requested = by.is_some() || order.is_some();
        if let Some(name) = by {
            let field = rule.names.get(&name).unwrap_or(&name);
            let mut keyed: Vec<_> =
                all.iter().map(|thing| (SortKey::of(thing.get(field)), *thing)).collect();
            // Numbers of JSON have an order: none is NaN.
            keyed.sort_by(|(one, _), (other, _)| one.partial_cmp(other).unwrap_or(Ordering::Equal));
            all.iter_mut().zip(keyed).for_each(|(place, (_, thing))| *place = thing);
        }
        if order.is_some_and(|order| order.starts_with(['d', 'D', '-'])) {
            all.reverse();
        }
        Ok(is_requested)
    }

    /// Returns everything with these values, and the text and times that a list requires.
    fn listed<'a>(
        &'a self,
        rule: &'a ListRule,
        by: &[(String, InputTemplate)],
        state: &ResponseState<'a>,
    ) -> Result<Vec<&'a dyn Object>, CallError> {
        let mut all = self.admitted(rule, by, state)?;
        if let Some(period) = &rule.period {
            self.retain_within(period, &mut all)?;
        }
        Ok(all)
    }

    /// Returns everything with these values and the text that a list requires.
    fn admitted<'a>(
        &'a self,
        rule: &'a ListRule,
        by: &[(String, InputTemplate)],
        state: &ResponseState<'a>,
    ) -> Result<Vec<&'a dyn Object>, CallError> {
        let keys = self.list_keys(by)?;
        let search = match &rule.search {
            Some(search) => self.search(search)?,
            None => None,
        };
        let admits = |text: &dyn Fn(&str) -> Option<String>| {
            let has = |key: &ListKey| text(&key.field).is_some_and(|text| key.admits(&text));
            keys.iter().all(has) && search.as_ref().is_none_or(|search| search.is_in(text))
        };
        // What has no value is found by an empty text.
        let none = || Some(String::new());
        Ok(match &rule.of {
            Listed::Documents(kind) => {
                let documents = self.documents.all(kind).iter();
                documents
                    .filter(|document| admits(&|field| document.text(field).or_else(none)))
                    .map(|document| document as &dyn Object)
                    .collect()
            }
            Listed::Messages => {
                let messages = state.conversation.iter().flat_map(|known| &known.messages);
                let from = self.number(rule.from.as_ref())?;
                let is_there = |message: &&Message| {
                    from.is_none_or(|from| message.number >= from)
                        && self.found_dialog.is_none_or(|kind| message.dialog.kind == kind)
                        && admits(&|field| message.ids.text(field))
                };
                messages.filter(is_there).map(|message| message as &dyn Object).collect()
            }
            Listed::Entities(kind) => {
                let mut conversations: Vec<_> = state.conversations.iter().collect();
                conversations.sort_by_key(|(key, _)| **key);
                let all = conversations.into_iter();
                let all = all.flat_map(|(_, live)| &live.actor.conversation().entities);
                let is_there = |entity: &&Entity| {
                    entity.kind == *kind && admits(&|field| entity.text(field).or_else(none))
                };
                all.filter(is_there).map(|entity| entity as &dyn Object).collect()
            }
            Listed::Agents => {
                let agents = self.agents.iter();
                agents
                    .filter(|agent| admits(&|field| text_of_person(agent, field)))
                    .map(|agent| agent as &dyn Object)
                    .collect()
            }
            Listed::Conversations => of_conversations(state.conversations, &keys),
        })
    }

    /// Reads the values that the things of a list must have.
    fn list_keys(&self, by: &[(String, InputTemplate)]) -> Result<Vec<ListKey>, CallError> {
        let mut keys = Vec::new();
        for (field, template) in by {
            let values = match self.value(Some(template))? {
                None | Some(Json::Null) => continue,
                Some(Json::Array(values)) => values.iter().map(text_of).collect(),
                Some(value) => vec![text_of(&value)],
            };
            keys.push(ListKey { field: field.clone(), values });
        }
        Ok(keys)
    }

    /// Keeps what has one of its times in a period.
    fn retain_within(
        &self,
        rule: &PeriodRule,
        all: &mut Vec<&dyn Object>,
    ) -> Result<(), CallError> {
        let (from, to) = (self.instant(rule.from.as_ref())?, self.instant(rule.to.as_ref())?);
        let is_within =
            |at: Timestamp| from.is_none_or(|from| at >= from) && to.is_none_or(|to| at <= to);
        all.retain(|thing| {
            let has_time = |name: &String| match thing.get(name) {
                Value::Time(at) => is_within(at),
                _ => false,
            };
            rule.times.iter().any(has_time)
        });
        Ok(())
    }

    /// Returns the text that things of a page must contain.
    fn search<'a>(&self, rule: &'a SearchRule) -> Result<Option<ListSearch<'a>>, CallError> {
        let text = self.value(Some(&rule.text))?.filter(|value| !value.is_null());
        let text = text.map(|text| text_of(&text).to_lowercase()).filter(|text| !text.is_empty());
        Ok(text.map(|text| ListSearch { text, fields: &rule.fields }))
    }

    fn value(&self, template: Option<&InputTemplate>) -> Result<Option<Json>, CallError> {
        let Some(template) = template else { return Ok(None) };
        template.render(&self.roots()).map_err(|error| unreadable(&error))
    }

    /// Reads an instant, a date, or a number of milliseconds since 1970; `None` for anything else.
    fn instant(&self, template: Option<&InputTemplate>) -> Result<Option<Timestamp>, CallError> {
        let Some(value) = self.value(template)? else { return Ok(None) };
        Ok(match value.as_i64() {
            Some(millis) => Timestamp::from_millisecond(millis).ok(),
            None => parse_instant(&text_of(&value)),
        })
    }

    /// Reads a number; `None` for anything else, as in a query that a client wrote by hand.
    fn number<N: FromStr>(&self, template: Option<&InputTemplate>) -> Result<Option<N>, CallError> {
        Ok(self.value(template)?.and_then(|value| text_of(&value).parse().ok()))
    }
}

impl ListKey {
    fn admits(&self, value: &str) -> bool {
        self.values.iter().any(|known| known == value)
    }

    /// Returns whether a value is an id of a person.
    fn names(&self, person: &Person) -> bool {
        self.values.iter().any(|id| person.member.ids.include(id))
    }
}

/// Returns whether the visitor has written the last message.
fn is_unanswered(conversation: &Conversation) -> bool {
    conversation.messages.last().is_some_and(|message| message.by.role() == Role::Visitor)
}

fn text_of_person(person: &Person, field: &str) -> Option<String> {
    let member = &person.member;
    match field {
        "external_key" => member.external_key.as_deref().map(str::to_owned),
        "email" => member.email.as_deref().map(str::to_owned),
        "name" => Some(person.name().clone()),
        id => member.ids.text(id),
    }
}

/// Returns the conversations with these values, the oldest first.
fn of_conversations<'a>(conversations: &'a Conversations, keys: &[ListKey]) -> Vec<&'a dyn Object> {
    let admits = |conversation: &Conversation, key: &ListKey| match key.field.as_str() {
        "visitor" => conversation.visitor().is_some_and(|visitor| key.names(visitor)),
        "assignee" => conversation.assignee().map_or_else(|| key.admits(""), |who| key.names(who)),
        "participant" => {
            let mut all = conversation.speakers().chain(conversation.assignee());
            all.any(|person| key.names(person))
        }
        "unanswered" => key.admits(if is_unanswered(conversation) { "true" } else { "false" }),
        "state" => conversation.state.is_some_and(|state| key.admits(state.as_str())),
        id => conversation.ids.text(id).is_some_and(|id| key.admits(&id)),
    };
    let opened = conversations.iter().filter_map(|(key, live)| {
        let conversation = live.actor.conversation();
        let is_listed = conversation.state.is_some()
            && !conversation.hidden
            && keys.iter().all(|key| admits(conversation, key));
        is_listed.then_some((conversation.opened_at, *key, conversation))
    });
    let mut opened: Vec<_> = opened.collect();
    opened.sort_by_key(|(at, key, _)| (*at, *key));
    opened.into_iter().map(|(_, _, conversation)| conversation as &dyn Object).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn things_are_sorted_by_kind_and_value() {
        let key = |json: &Json| SortKey::of(Value::data(json));
        let ascending =
            [json!(null), json!(-2), json!(1), json!(1.5), json!(10), json!("A"), json!("b")];
        assert!(ascending.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])));
        assert!(key(&json!("B")) == key(&json!("b")));
    }
}
