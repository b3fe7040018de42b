//! How a vendor treats deliveries: its `[delivery]`, checked, and what follows for an account.

use jiff::SignedDuration;

use super::Account;
use super::account::AccountTemplate;
use super::check::statuses;
use super::context::TemplateContext;
use super::forms::{DeliveryForm, Redirects, RetryForm, RetryKind, VendorForm};
use super::request::OptionValues;
use super::subscription::Subscription;
use crate::base::duration::{self, DurationRange};
use crate::base::limits::{MAX_REDIRECTS, MAX_TIMEOUT, RETRY_AFTER};
use crate::diag::{Problem, Problems, Spanned, SyntaxNode, code};
use crate::policy::{Backoff, Blocks, Disable, InDoubt, Policy, Retry};
use crate::template::{CompileContext, TextRules, TextTemplate};

/// When a failed delivery is tried again, for some event types and accounts.
#[derive(Clone, Debug)]
pub(super) struct RetryRule {
    types: Option<Subscription>,
    when: OptionValues,
    limit: RetryLimit,
    backoff: Backoff,
    blocks: Blocks,
    hold: Option<SignedDuration>,
}

/// How long it is tried again; texts may name options.
#[derive(Clone, Debug)]
enum RetryLimit {
    None,
    Count(TextTemplate),
    Retention(TextTemplate),
}

/// Checks what holds for every delivery.
pub(super) fn policy(form: &DeliveryForm, problems: &mut Problems) -> Option<Policy> {
    for limit in [&form.timeout.connect, &form.timeout.total] {
        if limit.value.unsigned_abs() > MAX_TIMEOUT {
            let message = format!("a time limit is at most {} s", MAX_TIMEOUT.as_secs());
            problems.push(Problem::at(&limit.span, code::TOO_MANY, message));
        }
        if limit.value.is_zero() {
            let problem =
                Problem::at(&limit.span, code::WRONG_DURATION, "nothing answers in no time");
            problems.push(problem.help("a time limit is longer than `0s`"));
        }
    }
    let disable = form.disable.as_ref();
    Some(Policy {
        success: statuses(&form.success, problems)?,
        failing_types: form.failing_types.iter().map(|word| word.to_ascii_lowercase()).collect(),
        redirects: if form.redirects.value == Redirects::Follow { MAX_REDIRECTS } else { 0 },
        retry: Retry::None,
        backoff: Backoff::default(),
        blocks: Blocks::Conversation,
        hold: None,
        disable: Disable {
            statuses: statuses(disable.map_or(&[], |form| form.status.as_slice()), problems)?,
            after: disable.and_then(|form| form.after.as_ref()).map(|after| number(after.value)),
        },
        in_doubt: form.in_doubt.as_ref().map_or(InDoubt::Resend, |told| told.value),
        connect: form.timeout.connect.value,
        total: form.timeout.total.value,
    })
}

fn number(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl RetryRule {
    /// Checks a rule under every choice of options.
    pub(super) fn check(
        form: &RetryForm,
        vendor: &VendorForm,
        (context, fixed): (&CompileContext<'_>, &AccountTemplate),
        problems: &mut Problems,
    ) -> Option<Self> {
        let event_types: Vec<&str> =
            vendor.event.iter().map(|event| event.type_.as_str()).collect();
        let types = (!form.types.is_empty())
            .then(|| Subscription::check(&form.types, &event_types, problems));
        let when = OptionValues::check(&form.when, &vendor.option, problems);
        let mut line = |key: &str, node: Option<&SyntaxNode>| {
            let Some(node) = node else {
                let message = format!("retrying by `{}` needs `{key}`", form.kind.value);
                let help = "such as `times = 3`, or `within = \"72h\"` for `retention`";
                problems.push(Problem::at(&form.span, code::MISSING_KEY, message).help(help));
                return None;
            };
            let text = node.as_text().map_or_else(|| node.to_json().to_string(), str::to_owned);
            let text = Spanned { value: text, span: node.span.clone() };
            TextTemplate::check(&text, context, TextRules::default(), problems)
        };
        let limit = match form.kind.value {
            RetryKind::None => RetryLimit::None,
            RetryKind::Count => RetryLimit::Count(line("times", form.times.as_ref())?),
            RetryKind::Retention => RetryLimit::Retention(line("within", form.within.as_ref())?),
        };
        for options in fixed.every_choice().iter().filter(|options| when.hold(options)) {
            if let Err(message) = limit.retry(&TemplateContext::default().with("option", options)) {
                let limit = form.times.as_ref().filter(|_| matches!(limit, RetryLimit::Count(_)));
                let limit = limit.or(form.within.as_ref()).map_or(&form.span, |node| &node.span);
                problems.push(Problem::at(limit, code::WRONG_DURATION, message));
                break;
            }
        }
        let blocks = form.blocks.as_ref().map_or(Blocks::Conversation, |blocks| blocks.value);
        let hold = form.hold.as_ref().map(|hold| hold.value);
        Some(Self { types, when, limit, backoff: backoff(form), blocks, hold })
    }
}

fn backoff(form: &RetryForm) -> Backoff {
    let duration = |given: &Option<Spanned<SignedDuration>>, otherwise: SignedDuration| {
        given.as_ref().map_or(otherwise, |given| given.value)
    };
    let honours = form.retry_after.as_ref().is_some_and(|honours| honours.value);
    let delay = duration(&form.delay, SignedDuration::ZERO);
    let none = DurationRange { low: SignedDuration::ZERO, high: SignedDuration::ZERO };
    Backoff {
        delay,
        factor: form.factor.as_ref().map_or(1, |factor| number(factor.value)),
        cap: duration(&form.cap, crate::base::limits::MAX_DELAY),
        jitter: form.jitter.as_ref().map_or(none, |jitter| jitter.value),
        retry_after: honours.then(|| duration(&form.retry_after_cap, RETRY_AFTER)),
    }
}

impl RetryLimit {
    /// What it is under these options, or what is wrong with it.
    fn retry(&self, roots: &TemplateContext<'_>) -> Result<Retry, String> {
        match self {
            Self::None => Ok(Retry::None),
            Self::Count(times) => {
                let text = times.render(roots);
                let wrong = |_| format!("`{text}` is not how many times more");
                text.parse().map(Retry::Count).map_err(wrong)
            }
            Self::Retention(within) => duration::parse(&within.render(roots)).map(Retry::Retention),
        }
    }
}

impl Account {
    /// How deliveries of an event type are treated.
    pub fn policy(&self, event_type: &str) -> Policy {
        let base = &self.platform.policy;
        let rule = self.platform.retries.iter().find(|rule| {
            rule.types.as_ref().is_none_or(|types| types.covers(&[event_type].into_iter()))
                && rule.when.hold(&self.options)
        });
        let Some(rule) = rule else { return base.clone() };
        Policy {
            retry: rule.limit.retry(&self.roots()).unwrap_or(Retry::None),
            backoff: rule.backoff,
            blocks: rule.blocks,
            hold: rule.hold,
            ..base.clone()
        }
    }
}
