//! The dry run: plays a script on the conversation model, so that nothing is refused later.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::cast::CastMember;
use super::script::{ReadMarks, SeedScopes, Step};
use crate::base::seed::SeedScope;
use crate::conversation::{Action, Actor, Conversation, InvalidAction};
use crate::diag::{Problem, Problems, code};
use crate::platform::{Account, Coverage, Platform};

/// Plays the script on the conversation model for each vendor, without texts or times that mean
/// anything: whatever cannot happen is told at its step. A vendor that leaves an act out, and so
/// cannot play what comes after it, is given with the reason.
pub(super) fn run(
    cast: &[CastMember],
    steps: &[Step],
    vendors: &[Arc<Platform>],
    only_one: bool,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let mut cannot = BTreeMap::new();
    for vendor in vendors {
        if let Some(reason) = run_at(cast, steps, vendor, only_one, problems) {
            cannot.insert(vendor.full_id(), reason);
        }
    }
    cannot
}

/// Plays the script for one vendor; gives why it cannot play the whole.
fn run_at(
    cast: &[CastMember],
    steps: &[Step],
    vendor: &Arc<Platform>,
    only_this: bool,
    problems: &mut Problems,
) -> Option<String> {
    let scopes = SeedScopes::new(&SeedScope::of_run(0), "", "", 1);
    let account = Account::test(vendor);
    let people = cast.iter().map(|m| m.invent(&account, &scopes, Timestamp::UNIX_EPOCH)).collect();
    let mut conversation = Conversation::new(1, people, vendor.rules());
    let (mut left_out, mut played, mut mended) = (None, false, false);
    let mut heard = ReadMarks::default();
    for step in steps {
        heard.begin(step, conversation.messages.len());
        if step.skipped_at(&vendor.id).is_some() {
            continue;
        }
        let plan = step.plan_at(&vendor.id);
        let mut action = plan.action.clone();
        heard.narrow(&mut action, plan);
        if let Some(reason) = unplayable(&account, &action, &conversation) {
            let told = format!("{} cannot play `{}`: {reason}", vendor.name, action.word());
            if only_this {
                let problem = Problem::at(&step.span, code::VENDOR_CANNOT, &told);
                problems.push(problem.help(format!(
                    "`standin vendors {id}` shows what it has; otherwise name another vendor beside `{id}` in `vendors`",
                    id = vendor.id
                )));
            }
            left_out.get_or_insert(told);
            continue;
        }
        match play(&mut conversation, action.clone()) {
            Ok(()) => played = true,
            Err(_) if left_out.is_some() => return left_out,
            Err(InvalidAction::AlreadyOpen) if mended => {}
            Err(refusal) => {
                problems.push(refused(step, &refusal));
                mended |= mend(&mut conversation, &refusal, action);
            }
        }
    }
    left_out.filter(|_| !played)
}

/// Lets the conversation go on as if it were open, so that the steps that follow are not told for
/// the same reason.
fn mend(conversation: &mut Conversation, refusal: &InvalidAction, action: Action) -> bool {
    let Some(by) = conversation.visitor().map(|visitor| visitor.member.name.clone()) else {
        return false;
    };
    let by = Actor::Member(by);
    let open = match refusal {
        InvalidAction::NotOpened => Action::Open { by, channel: String::new(), assignee: None },
        InvalidAction::Closed => Action::Reopen { by },
        _ => return false,
    };
    let opened = play(conversation, open).is_ok();
    opened && play(conversation, action).is_ok()
}

/// Why a vendor leaves an act out, if it does.
pub(super) fn unplayable(
    account: &Account,
    action: &Action,
    conversation: &Conversation,
) -> Option<String> {
    let vendor = &account.platform;
    let gone = |name: &String| !conversation.entities.iter().any(|entity| entity.name == *name);
    match action {
        Action::Say { kind, .. } if !vendor.kinds.contains_key(kind) => {
            return Some(format!("it has no messages of the kind `{kind}`"));
        }
        Action::Emit { event_type, .. } => {
            let sends = vendor.events.iter().any(|rule| rule.is_called(event_type));
            return (!sends).then(|| format!("it does not send `{event_type}`"));
        }
        _ => {}
    }
    let role = match action.by() {
        Actor::Member(name) => conversation.person(name)?.role(),
        Actor::Assignee => conversation.assignee()?.role(),
    };
    if let Coverage::Cannot(reason) = vendor.coverage(action.causes(), role) {
        return Some(reason.to_owned());
    }
    match action {
        Action::Create { kind, .. } if !vendor.entities.contains_key(kind) => {
            Some(format!("it has no entities of the kind `{kind}`"))
        }
        Action::Update { name, .. } | Action::Delete { name, .. } if gone(name) => {
            Some(format!("`{name}` was not created there"))
        }
        _ => None,
    }
}

/// Plays an act with those that it implies.
fn play(conversation: &mut Conversation, action: Action) -> Result<(), InvalidAction> {
    if let Some(before) = conversation.implied_before(&action) {
        conversation.apply(&before, Timestamp::UNIX_EPOCH)?;
    }
    let mut next = Some(action);
    while let Some(action) = next {
        conversation.apply(&action, Timestamp::UNIX_EPOCH)?;
        next = conversation.implied_after(&action).map(|(_, action)| action);
    }
    Ok(())
}

fn refused(step: &Step, refusal: &InvalidAction) -> Problem {
    let problem =
        Problem::at(&step.span, code::WRONG_ORDER, format!("this cannot happen here: {refusal}"));
    match refusal {
        InvalidAction::NotOpened => problem.help("begin with `open = {}`"),
        InvalidAction::Closed => problem.help("`reopen = { by = \"visitor\" }` lets it go on"),
        InvalidAction::NobodyAssigned => {
            problem.help("`assign` it to somebody, or name an `assignee` in `open`")
        }
        InvalidAction::AlreadyOpen => problem.help("it is opened once; `reopen` follows a `close`"),
        InvalidAction::NothingToRead(_) => problem.help("somebody else says something first"),
        InvalidAction::TakesNoPart(_) => problem.help("`join` comes first, or `assign`"),
        _ => problem.help("leave the step out"),
    }
}
