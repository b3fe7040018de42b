//! The checked `[delivery]` section: delivery policy and retry rules.

use jiff::SignedDuration;
use serde_json::{Map, Value as Json};

use super::account_template::AccountTemplate;
use super::context::TemplateContext;
use super::forms::{DeliveryForm, Redirects, RetryForm, RetryKind, VendorForm};
use super::request::OptionValues;
use super::subscription::Subscription;
use crate::base::duration::{self, DurationRange};
use crate::base::limits::{MAX_DELAY, MAX_REDIRECTS, MAX_RETRY_AFTER, MAX_TIMEOUT};
use crate::diag::{Problem, Problems, Spanned, SyntaxNode, code};
use crate::policy::{Backoff, Blocks, Disable, InDoubt, Policy, Retry, StatusSet};
use crate::template::{CompileContext, TextRules, TextTemplate};

/// When to retry a failed delivery, for some event types and accounts.
#[derive(Clone, Debug)]
pub(super) struct RetryRule {
    types: Option<Subscription>,
    when: OptionValues,
    limit: RetryLimit,
    backoff: Backoff,
    blocks: Blocks,
    hold: Option<SignedDuration>,
}

/// How often or how long to retry. The texts may use `${option.…}`.
#[derive(Clone, Debug)]
enum RetryLimit {
    None,
    Count(TextTemplate),
    Retention(TextTemplate),
}

/// When a response counts as slow: it passes, but the vendor may take measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowResponses {
    /// Time after which a response is slow.
    pub after: SignedDuration,
    /// What the vendor does about slow responses.
    pub note: String,
}

/// Checks `slow`. A limit of at least the timeout would never be reached.
pub(super) fn slow_responses(
    form: &DeliveryForm,
    problems: &mut Problems,
) -> Option<SlowResponses> {
    let slow = form.slow.as_ref()?;
    if slow.after.value >= form.timeout.total.value {
        let message = "`slow` must be shorter than the timeout";
        let problem = Problem::at(&slow.after.span, code::INVALID_DURATION, message);
        let problem = problem.also(&form.timeout.total.span, "timeout");
        problems.push(problem.help("a response after the timeout fails; it is never slow"));
    }
    Some(SlowResponses { after: slow.after.value, note: slow.note.value.clone() })
}

/// Checks the part of the policy that applies to every delivery.
pub(super) fn policy(form: &DeliveryForm, problems: &mut Problems) -> Option<Policy> {
    for timeout in [&form.timeout.connect, &form.timeout.total] {
        if timeout.value.unsigned_abs() > MAX_TIMEOUT {
            let message = format!("the timeout must be at most {} s", MAX_TIMEOUT.as_secs());
            problems.push(Problem::at(&timeout.span, code::TOO_MANY, message));
        }
        if timeout.value.is_zero() {
            let message = "the timeout must be greater than 0";
            problems.push(Problem::at(&timeout.span, code::INVALID_DURATION, message));
        }
    }
    let disable = form.disable.as_ref();
    Some(Policy {
        success: statuses(&form.success, problems)?,
        // Media types are case-insensitive; the check compares in lower case.
        failing_types: form.failing_types.iter().map(|word| word.to_ascii_lowercase()).collect(),
        redirects: if form.redirects.value == Redirects::Follow { MAX_REDIRECTS } else { 0 },
        retry: Retry::None,
        backoff: Backoff::default(),
        blocks: Blocks::Conversation,
        hold: None,
        disable: Disable {
            statuses: statuses(disable.map_or(&[], |form| form.status.as_slice()), problems)?,
            after: disable.and_then(|form| form.after.as_ref()).map(|after| saturate(after.value)),
        },
        in_doubt: form.in_doubt.as_ref().map_or(InDoubt::Resend, |in_doubt| in_doubt.value),
        connect: form.timeout.connect.value,
        total: form.timeout.total.value,
    })
}

/// Checks a list of statuses and status classes, such as `["200", "4xx"]`.
pub(super) fn statuses(list: &[Spanned<String>], problems: &mut Problems) -> Option<StatusSet> {
    for status in list {
        if let Err(error) = StatusSet::parse([status.as_str()]) {
            problems.push(Problem::at(&status.span, code::UNKNOWN_STATUS, error.to_string()));
        }
    }
    StatusSet::parse(list.iter().map(|status| status.as_str())).ok()
}

fn saturate(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl RetryRule {
    /// Checks a rule under every combination of options.
    pub(super) fn check(
        form: &RetryForm,
        vendor: &VendorForm,
        context: &CompileContext<'_>,
        account: &AccountTemplate,
        problems: &mut Problems,
    ) -> Option<Self> {
        let event_types: Vec<&str> =
            vendor.event.iter().map(|event| event.type_.as_str()).collect();
        let types = (!form.types.is_empty())
            .then(|| Subscription::check(&form.types, &event_types, problems));
        let when = OptionValues::check(&form.when, &vendor.option, problems);
        let limit = RetryLimit::check(form, context, problems)?;
        // A limit that depends on options is a number or a duration only once they are selected.
        let nodes = [&form.times, &form.within].into_iter().flatten();
        let texts = nodes.map(|node| node.span.text());
        let texts: Vec<&str> = texts.chain(form.when.names()).collect();
        for options in account.combinations_in(&texts).filter(|options| when.hold(options)) {
            let roots = TemplateContext::default().with("option", &options);
            if let Err(message) = limit.retry(&roots) {
                let node = form.times.as_ref().filter(|_| matches!(limit, RetryLimit::Count(_)));
                let node = node.or(form.within.as_ref()).map_or(&form.span, |node| &node.span);
                problems.push(Problem::at(node, code::INVALID_DURATION, message));
                break;
            }
        }
        check_delays(form, problems);
        let blocks = form.blocks.as_ref().map_or(Blocks::Conversation, |blocks| blocks.value);
        let hold = form.hold.as_ref().map(|hold| hold.value);
        Some(Self { types, when, limit, backoff: backoff(form), blocks, hold })
    }

    /// Returns true if the rule is for events of this type and accounts with these options.
    pub(super) fn applies(&self, event_type: &str, options: &Map<String, Json>) -> bool {
        let is_type = |types: &Subscription| types.covers(&[event_type].into_iter());
        self.types.as_ref().is_none_or(is_type) && self.when.hold(options)
    }

    /// Returns the base policy with the retries of this rule.
    pub(super) fn policy(&self, base: &Policy, roots: &TemplateContext<'_>) -> Policy {
        Policy {
            // Every combination of options was checked at load, so the fallback is not reached.
            retry: self.limit.retry(roots).unwrap_or(Retry::None),
            backoff: self.backoff,
            blocks: self.blocks,
            hold: self.hold,
            ..base.clone()
        }
    }
}

/// Checks that time passes between the attempts of a rule.
fn check_delays(form: &RetryForm, problems: &mut Problems) {
    if let Some(factor) = form.factor.as_ref().filter(|factor| factor.value == 0) {
        let message = "`factor` must be at least 1, found 0";
        problems.push(Problem::at(&factor.span, code::INVALID_DURATION, message));
    }
    let delay = form.delay.as_ref().map(|delay| delay.value);
    if let Some(within) = &form.within
        && delay.is_none_or(|delay| delay.is_zero())
    {
        let problem = Problem::at(&within.span, code::INVALID_DURATION, "`within` needs a `delay`");
        problems
            .push(problem.help("add the delay after the first attempt, such as `delay = \"2s\"`"));
    }
}

fn backoff(form: &RetryForm) -> Backoff {
    let duration = |value: &Option<Spanned<SignedDuration>>, default: SignedDuration| {
        value.as_ref().map_or(default, |value| value.value)
    };
    let honours = form.retry_after.as_ref().is_some_and(|honours| honours.value);
    let no_jitter = DurationRange { low: SignedDuration::ZERO, high: SignedDuration::ZERO };
    Backoff {
        delay: duration(&form.delay, SignedDuration::ZERO),
        factor: form.factor.as_ref().map_or(1, |factor| saturate(factor.value)),
        cap: duration(&form.cap, MAX_DELAY),
        jitter: form.jitter.as_ref().map_or(no_jitter, |jitter| jitter.value),
        retry_after: honours.then(|| duration(&form.retry_after_cap, MAX_RETRY_AFTER)),
    }
}

impl RetryLimit {
    fn check(
        form: &RetryForm,
        context: &CompileContext<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let mut text = |key: &str, node: Option<&SyntaxNode>| {
            let Some(node) = node else {
                let message = format!("a retry of kind `{}` requires `{key}`", form.kind.value);
                let help = "such as `times = 3` for `count`, or `within = \"72h\"` for `retention`";
                problems.push(Problem::at(&form.span, code::MISSING_KEY, message).help(help));
                return None;
            };
            // `times = 3` and `times = "${option.…}"` are both read as templates.
            let text = node.as_text().map_or_else(|| node.to_json().to_string(), str::to_owned);
            let text = Spanned { value: text, span: node.span.clone() };
            TextTemplate::check(&text, context, TextRules::default(), problems)
        };
        Some(match form.kind.value {
            RetryKind::None => Self::None,
            RetryKind::Count => Self::Count(text("times", form.times.as_ref())?),
            RetryKind::Retention => Self::Retention(text("within", form.within.as_ref())?),
        })
    }

    /// Evaluates the limit under the options of an account. The error is a message for the user.
    fn retry(&self, roots: &TemplateContext<'_>) -> Result<Retry, String> {
        match self {
            Self::None => Ok(Retry::None),
            Self::Count(times) => {
                let text = times.render(roots);
                let invalid =
                    |_| format!("`times` must be a whole number of 0 or more, found `{text}`");
                text.parse().map(Retry::Count).map_err(invalid)
            }
            Self::Retention(within) => duration::parse(&within.render(roots)).map(Retry::Retention),
        }
    }
}
