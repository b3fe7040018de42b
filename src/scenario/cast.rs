//! The cast: checks the declared members and generates the people of a run from them.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;
use serde_json::{Map, Value as Json};

use super::forms::ScenarioForm;
use super::literal::refuse_placeholders_in;
use super::seeds::SeedScopes;
use super::variable_texts::with_variables;
use crate::base::fake::{LOCALES, Locale, Persona, locale};
use crate::base::limits::MAX_CAST;
use crate::base::text::{NAME_RULE, is_name, one_of};
use crate::conversation::{GeneratedIds, Member, Person, Role};
use crate::diag::{Key, Problem, Problems, Spanned, code};
use crate::platform::Account;

/// A member of the cast as declared in the file.
///
/// Fields that are not set are generated for each run.
#[derive(Clone, Debug)]
pub struct CastMember {
    /// Name that steps refer to.
    pub name: Arc<str>,
    /// Role in the conversation.
    pub role: Role,
    /// Full name; generated if not set.
    pub full_name: Option<String>,
    /// Email address; generated for staff if not set.
    pub email: Option<String>,
    /// Phone number; generated for staff if not set.
    pub phone: Option<String>,
    /// Locale of the generated name, city and language.
    pub locale: &'static Locale,
    /// Whether a visitor contacts the company for the first time.
    pub is_new: bool,
    /// Further variables, by name.
    pub variables: Map<String, Json>,
}

/// Names with a special meaning in steps.
const RESERVED: &[&str] = &["assignee"];

/// Checks the declared cast and completes it.
///
/// A visitor, a bot and a system member are added for roles that the file does not declare.
pub(super) fn check(
    form: &ScenarioForm,
    variables: &Map<String, Json>,
    problems: &mut Problems,
) -> Vec<CastMember> {
    let default_locale =
        form.locale.as_ref().map_or(&LOCALES[0], |tag| check_locale(tag, problems));
    let mut cast = Vec::new();
    for (key, member) in form.cast.iter() {
        if cast.len() == MAX_CAST {
            let message = format!("the cast has more than {MAX_CAST} members");
            let problem = Problem::at(&key.span, code::TOO_MANY, message);
            problems.push(problem.help("remove the members that no step uses"));
            break;
        }
        check_name(key, member.role.value, problems);
        let locale = member.locale.as_ref().map(|tag| check_locale(tag, problems));
        for (_, value) in member.variables.iter() {
            refuse_placeholders_in(value, problems);
        }
        let mut text = |text: &Option<Spanned<String>>| {
            text.as_ref().map(|text| with_variables(text, variables, problems))
        };
        cast.push(CastMember {
            name: key.name.as_str().into(),
            role: member.role.value,
            full_name: text(&member.name),
            email: text(&member.email),
            phone: text(&member.phone),
            locale: locale.unwrap_or(default_locale),
            is_new: member.is_new.as_ref().is_none_or(|is_new| is_new.value),
            variables: member.variables.to_json(),
        });
    }
    for role in [Role::Visitor, Role::Bot, Role::System] {
        if !cast.iter().any(|member| member.role == role) {
            cast.push(unnamed_member(role, default_locale));
        }
    }
    cast
}

/// Returns an undeclared cast member with this role.
pub(super) fn unnamed_member(role: Role, locale: &'static Locale) -> CastMember {
    CastMember {
        name: role.as_str().into(),
        role,
        full_name: None,
        email: None,
        phone: None,
        locale,
        is_new: true,
        variables: Map::new(),
    }
}

/// Returns the display name of an unnamed participant. People get a generated name instead.
fn default_name(role: Role) -> Option<&'static str> {
    match role {
        Role::Bot => Some("Assistant"),
        Role::System => Some("System"),
        Role::Visitor | Role::Agent | Role::Manager => None,
    }
}

fn check_locale(tag: &Spanned<String>, problems: &mut Problems) -> &'static Locale {
    if !LOCALES.iter().any(|locale| locale.tag == tag.value || locale.full_tag == tag.value) {
        let known = LOCALES.iter().map(|locale| locale.tag);
        let message = format!("unknown locale `{}`", tag.value);
        let problem = Problem::at(&tag.span, code::UNKNOWN_VALUE, message);
        // Other tags of a known language, such as `en-US` and `sv_SE`.
        let language = tag.value.split(['-', '_']).next().unwrap_or_default().to_lowercase();
        let same = LOCALES.iter().find(|locale| locale.tag == language);
        problems.push(match same {
            Some(same) => problem.help(format!("did you mean `{}` ({})?", same.tag, same.country)),
            None => problem.help(format!("known locales: {}", one_of(known))),
        });
    }
    locale(tag)
}

fn check_name(key: &Key, role: Role, problems: &mut Problems) {
    // `[cast.bot]` may declare the bot itself, but not an agent: steps refer to people by role too.
    let other_role = Role::from_name(&key.name).filter(|named| *named != role);
    if RESERVED.contains(&key.name.as_str()) || other_role.is_some() {
        let message =
            format!("`{}` cannot be the name of a cast member with role {role}", key.name);
        let problem = Problem::at(&key.span, code::RESERVED_NAME, message);
        problems.push(
            problem.help(match other_role {
                Some(named) => format!(
                    "`{named}` refers to the role; use another name or `role = \"{named}\"`"
                ),
                None => {
                    "`assignee` refers to the current assignee; use another name, such as `grace`"
                        .to_owned()
                }
            }),
        );
    }
    if !is_name(&key.name) {
        let message = format!("invalid cast name `{}`", key.name);
        let problem = Problem::at(&key.span, code::RESERVED_NAME, message);
        problems.push(problem.help(format!("a name is {NAME_RULE}")));
    }
}

impl CastMember {
    /// Generates the person for one conversation and issues their ids at the account.
    pub(super) fn invent(
        &self,
        account: &Account,
        scopes: &SeedScopes,
        start: Timestamp,
    ) -> Person {
        let is_visitor = self.role == Role::Visitor;
        let (seeds, ids) = if is_visitor {
            (&scopes.conversation, &scopes.ids)
        } else {
            (&scopes.staff, &scopes.staff_ids)
        };
        let seed = seeds.within("cast").within(&self.name);
        let persona = Persona::generate(self.locale, &seed);
        let name = self.full_name.as_deref().or_else(|| default_name(self.role));
        let persona = match name {
            Some(name) => persona.named(name, self.locale, &seed),
            None => persona,
        };
        // Visitors are anonymous until the scenario gives them an address; staff accounts always
        // have one.
        let staff_only = |value: &str| (!is_visitor).then(|| Box::from(value));
        // Days since the person was created at the vendor. The range is arbitrary:
        // clearly before the start of the run, and recent enough to be plausible.
        let age_days =
            if is_visitor && self.is_new { 0 } else { seed.rng("days").random_range(20..600) };
        let member = Member {
            name: self.name.clone(),
            role: self.role,
            email: self.email.as_deref().map(Into::into).or_else(|| staff_only(&persona.email)),
            phone: self.phone.as_deref().map(Into::into).or_else(|| staff_only(&persona.phone)),
            external_key: None,
            locale: self.locale,
            is_new: self.is_new,
            created_at: start - SignedDuration::from_hours(24 * age_days),
            persona,
            ids: GeneratedIds::default(),
        };
        let mut variables = self.variables.clone();
        account.platform.numbers.normalize_entries(&mut variables);
        Person::new(Arc::new(account.admit(member, &ids.within("cast"))), variables)
    }
}
