//! What a scenario file may hold.

use jiff::SignedDuration;

use crate::base::duration::DurationRange;
use crate::conversation::{Role, VariableScope};
use crate::diag::{NonEmpty, OneOrMore, Spanned, SyntaxNode, TableOf};
use crate::fault::Fault;
use crate::form;
use crate::platform::VendorRef;

form! {
    /// A scenario: one conversation, told step by step.
    pub struct ScenarioForm {
        /// What happens, in a few words.
        name: Option<Spanned<String>>,
        /// What the scenario is good for.
        about: Option<Spanned<String>>,
        /// The vendors it is played at; every vendor that can play it without this.
        vendors: Option<NonEmpty<Spanned<String>>>,
        /// The language of everybody who has none of their own, such as `sv`.
        locale: Option<Spanned<String>>,
        /// Who takes part beside the visitor, the bot and the system.
        cast: TableOf<CastForm>,
        /// What an endpoint is sent, by vendor; the vendor's default without this.
        subscribe: TableOf<NonEmpty<Spanned<String>>>,
        /// What counts as right.
        verify: Option<VerifyForm>,
        /// Wanted misbehaviour of deliveries, whatever step they are of.
        faults: Option<FaultsForm>,
        /// What happens, in order.
        step: Vec<StepForm>,
    }
}

impl ScenarioForm {
    /// Whether it names this vendor, or none in particular.
    pub fn is_for(&self, vendor: &VendorRef) -> bool {
        let named = self.vendors.as_deref();
        named.is_none_or(|named| named.iter().any(|name| VendorRef::parse(name).covers(vendor)))
    }
}

form! {
    /// A member of the cast. What is left out is drawn from the seed.
    pub struct CastForm {
        /// What they are.
        role: Spanned<Role>,
        /// Their full name.
        name: Option<Spanned<String>>,
        /// Their mail address.
        email: Option<Spanned<String>>,
        /// Their telephone number.
        phone: Option<Spanned<String>>,
        /// Their language, such as `sv`.
        locale: Option<Spanned<String>>,
        /// Whether they are here for the first time; true without this.
        is_new: Option<Spanned<bool>>,
        /// What else is known about them.
        variables: TableOf<SyntaxNode>,
    }
}

form! {
    /// What counts as right.
    pub struct VerifyForm {
        /// Which answers of the receiver are right; `2xx` that the vendor accepts without this.
        status: NonEmpty<Spanned<String>>,
    }
}

form! {
    /// Wanted misbehaviour of deliveries, whatever step they are of.
    pub struct FaultsForm {
        /// What is wrong with every delivery whose step has no `fault` of its own.
        every: OneOrMore<Spanned<Fault>>,
        /// Only with about one of so many, drawn from the seed.
        one_in: Option<Spanned<u64>>,
    }
}

form! {
    /// A step: one act, and when it happens.
    pub struct StepForm {
        /// A name by which other steps refer to this one.
        id: Option<Spanned<String>>,
        /// How long after the step before: a duration, or a range to draw one from.
        after: Option<Spanned<DurationRange>>,
        /// How often it happens, perhaps with the steps before it.
        repeat: Option<RepeatForm>,
        /// The vendors that the step is for; all of them without this.
        only: Option<NonEmpty<Spanned<String>>>,
        /// What is wrong on purpose with the deliveries of the step: one fault, or several.
        fault: Option<OneOrMore<Spanned<Fault>>>,
        /// What is different at a vendor.
        for_ ("for"): TableOf<OverrideForm>,
        ..action
    }
}

form! {
    /// Steps that happen more than once, one round after the other.
    pub struct RepeatForm {
        /// How many rounds there are.
        times: Spanned<i64>,
        /// The id of the first step of a round; a round is this step alone without it.
        from: Option<Spanned<String>>,
    }
}

form! {
    /// What is different at one vendor.
    pub struct OverrideForm {
        /// Why the step is left out there.
        skip: Option<Spanned<String>>,
        /// How long after the step before.
        after: Option<Spanned<DurationRange>>,
        ..action
    }
}

form! {
    /// The conversation begins.
    pub(super) struct OpenForm {
        /// Who begins it; the visitor without this.
        by: Option<Spanned<String>>,
        /// Over which channel; `web` without this.
        channel: Option<Spanned<String>>,
        /// Who answers first.
        assignee: Option<Spanned<String>>,
    }
}

form! {
    /// Somebody says something. The other keys are the data of the kind of message.
    pub(super) struct SayForm {
        /// Who.
        by: Spanned<String>,
        /// The kind of message; `text` without this.
        kind: Option<Spanned<String>>,
        /// The text.
        text: Option<Spanned<String>>,
        ..data
    }
}

form! {
    /// Somebody begins or stops typing.
    pub(super) struct TypingForm {
        /// Who.
        by: Spanned<String>,
        /// Whether they type now; true without this.
        on: Option<Spanned<bool>>,
    }
}

form! {
    /// Somebody reads all that they have not read.
    pub(super) struct ReadForm {
        /// Who.
        by: Spanned<String>,
        /// Only up to the message of the step with this id.
        upto: Option<Spanned<String>>,
    }
}

form! {
    /// The conversation is handed to somebody, or back to a queue.
    pub(super) struct AssignForm {
        /// To whom.
        to: Option<Spanned<String>>,
        /// To the queue of this skill, instead of to somebody.
        skill: Option<Spanned<String>>,
        /// By whom; the system without this.
        by: Option<Spanned<String>>,
        /// They are asked first, and accept after this long.
        accept: Option<Spanned<SignedDuration>>,
    }
}

form! {
    /// Somebody does something that takes nothing else.
    pub(super) struct PlainForm {
        /// Who.
        by: Spanned<String>,
    }
}

form! {
    /// Something becomes known about the visitor or the conversation.
    pub(super) struct SetForm {
        /// By whom; the system without this.
        by: Option<Spanned<String>>,
        /// What it is known about: `visitor`, also in later conversations, or `conversation`; the
        /// visitor without this.
        scope: Option<Spanned<VariableScope>>,
        /// What: values by name; a table with `type` and `value` declares the type.
        variables: TableOf<SyntaxNode>,
    }
}

form! {
    /// Labels are put on the conversation or taken off it.
    pub(super) struct LabelForm {
        /// By whom.
        by: Spanned<String>,
        /// Labels that are put on.
        add: Vec<Spanned<String>>,
        /// Labels that are taken off.
        remove: Vec<Spanned<String>>,
    }
}

form! {
    /// A flow begins.
    pub(super) struct FlowForm {
        /// Whose; the bot's without this.
        by: Option<Spanned<String>>,
        /// Its name.
        name: Spanned<String>,
        /// How many states it has; 1 without this.
        states: Option<Spanned<i64>>,
    }
}

form! {
    /// The conversation is rated.
    pub(super) struct RateForm {
        /// By whom; the visitor without this.
        by: Option<Spanned<String>>,
        /// From 1 to 5.
        score: Spanned<i64>,
        /// What was said with it.
        comment: Option<Spanned<String>>,
    }
}

form! {
    /// A customer, a company, an article comes to be.
    pub(super) struct CreateForm {
        /// What it is.
        kind: Spanned<String>,
        /// A name by which later steps refer to it.
        as_ ("as"): Spanned<String>,
        /// By whom; the system without this.
        by: Option<Spanned<String>>,
        /// Its fields; what is left out is invented.
        with: TableOf<SyntaxNode>,
    }
}

form! {
    /// One of them changes.
    pub(super) struct UpdateForm {
        /// Which.
        entity: Spanned<String>,
        /// By whom; the system without this.
        by: Option<Spanned<String>>,
        /// The fields that change.
        with: TableOf<SyntaxNode>,
        /// The fields that are taken away.
        unset: Vec<Spanned<String>>,
    }
}

form! {
    /// One of them goes.
    pub(super) struct DeleteForm {
        /// Which.
        entity: Spanned<String>,
        /// By whom; the system without this.
        by: Option<Spanned<String>>,
    }
}

form! {
    /// The vendor tells an event by its name, whatever led to it.
    pub(super) struct EmitForm {
        /// The vendor's name for it.
        type_ ("type"): Spanned<String>,
        /// By whom; the system without this.
        by: Option<Spanned<String>>,
        /// What it holds; what is left out is as the vendor's folder has it.
        data: TableOf<SyntaxNode>,
    }
}

form! {
    /// Somebody writes a note that the visitor does not see.
    pub(super) struct NoteForm {
        /// Who.
        by: Spanned<String>,
        /// The note.
        text: Spanned<String>,
    }
}
