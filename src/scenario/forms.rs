//! What a scenario file may hold.

use jiff::SignedDuration;

use crate::base::duration::Span;
use crate::conversation::{Role, VariableScope};
use crate::diag::{At, Named, Node, NonEmpty, OneOrMore};
use crate::fault::Fault;
use crate::form;
use crate::vendor::VendorRef;

form! {
    /// A scenario: one conversation, told step by step.
    pub struct ScenarioForm {
        /// What happens, in a few words.
        name: Option<At<String>>,
        /// What the scenario is good for.
        about: Option<At<String>>,
        /// The vendors it is played at; every vendor that can play it without this.
        vendors: Option<NonEmpty<At<String>>>,
        /// The language of everybody who has none of their own, such as `sv`.
        locale: Option<At<String>>,
        /// Who takes part beside the visitor, the bot and the system.
        cast: Named<CastForm>,
        /// What an endpoint is sent, by vendor; the vendor's default without this.
        subscribe: Named<NonEmpty<At<String>>>,
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
        role: At<Role>,
        /// Their full name.
        name: Option<At<String>>,
        /// Their mail address.
        email: Option<At<String>>,
        /// Their telephone number.
        phone: Option<At<String>>,
        /// Their language, such as `sv`.
        locale: Option<At<String>>,
        /// Whether they are here for the first time; true without this.
        is_new: Option<At<bool>>,
        /// What else is known about them.
        variables: Named<Node>,
    }
}

form! {
    /// What counts as right.
    pub struct VerifyForm {
        /// Which answers of the receiver are right; `2xx` that the vendor accepts without this.
        status: NonEmpty<At<String>>,
    }
}

form! {
    /// Wanted misbehaviour of deliveries, whatever step they are of.
    pub struct FaultsForm {
        /// What is wrong with every delivery whose step has no `fault` of its own.
        every: OneOrMore<At<Fault>>,
        /// Only with about one of so many, drawn from the seed.
        one_in: Option<At<u64>>,
    }
}

form! {
    /// A step: one act, and when it happens.
    pub struct StepForm {
        /// A name by which other steps refer to this one.
        id: Option<At<String>>,
        /// How long after the step before: a duration, or a range to draw one from.
        after: Option<At<Span>>,
        /// How often it happens, perhaps with the steps before it.
        repeat: Option<RepeatForm>,
        /// The vendors that the step is for; all of them without this.
        only: Option<NonEmpty<At<String>>>,
        /// What is wrong on purpose with the deliveries of the step: one fault, or several.
        fault: Option<OneOrMore<At<Fault>>>,
        /// What is different at a vendor.
        for_ ("for"): Named<OverrideForm>,
        ..act
    }
}

form! {
    /// Steps that happen more than once, one round after the other.
    pub struct RepeatForm {
        /// How many rounds there are.
        times: At<i64>,
        /// The id of the first step of a round; a round is this step alone without it.
        from: Option<At<String>>,
    }
}

form! {
    /// What is different at one vendor.
    pub struct OverrideForm {
        /// Why the step is left out there.
        skip: Option<At<String>>,
        /// How long after the step before.
        after: Option<At<Span>>,
        ..act
    }
}

form! {
    /// The conversation begins.
    pub(super) struct OpenForm {
        /// Who begins it; the visitor without this.
        by: Option<At<String>>,
        /// Over which channel; `web` without this.
        channel: Option<At<String>>,
        /// Who answers first.
        assignee: Option<At<String>>,
    }
}

form! {
    /// Somebody says something. The other keys are the data of the kind of message.
    pub(super) struct SayForm {
        /// Who.
        by: At<String>,
        /// The kind of message; `text` without this.
        kind: Option<At<String>>,
        /// The text.
        text: Option<At<String>>,
        ..data
    }
}

form! {
    /// Somebody begins or stops typing.
    pub(super) struct TypingForm {
        /// Who.
        by: At<String>,
        /// Whether they type now; true without this.
        on: Option<At<bool>>,
    }
}

form! {
    /// Somebody reads all that they have not read.
    pub(super) struct ReadForm {
        /// Who.
        by: At<String>,
        /// Only up to the message of the step with this id.
        upto: Option<At<String>>,
    }
}

form! {
    /// The conversation is handed to somebody, or back to a queue.
    pub(super) struct AssignForm {
        /// To whom.
        to: Option<At<String>>,
        /// To the queue of this skill, instead of to somebody.
        skill: Option<At<String>>,
        /// By whom; the system without this.
        by: Option<At<String>>,
        /// They are asked first, and accept after this long.
        accept: Option<At<SignedDuration>>,
    }
}

form! {
    /// Somebody does something that takes nothing else.
    pub(super) struct PlainForm {
        /// Who.
        by: At<String>,
    }
}

form! {
    /// Something becomes known about the visitor or the conversation.
    pub(super) struct SetForm {
        /// By whom; the system without this.
        by: Option<At<String>>,
        /// What it is known about: `visitor`, also in later conversations, or `conversation`; the
        /// visitor without this.
        scope: Option<At<VariableScope>>,
        /// What: values by name; a table with `type` and `value` declares the type.
        variables: Named<Node>,
    }
}

form! {
    /// Labels are put on the conversation or taken off it.
    pub(super) struct LabelForm {
        /// By whom.
        by: At<String>,
        /// Labels that are put on.
        add: Vec<At<String>>,
        /// Labels that are taken off.
        remove: Vec<At<String>>,
    }
}

form! {
    /// A flow begins.
    pub(super) struct FlowForm {
        /// Whose; the bot's without this.
        by: Option<At<String>>,
        /// Its name.
        name: At<String>,
        /// How many states it has; 1 without this.
        states: Option<At<i64>>,
    }
}

form! {
    /// The conversation is rated.
    pub(super) struct RateForm {
        /// By whom; the visitor without this.
        by: Option<At<String>>,
        /// From 1 to 5.
        score: At<i64>,
        /// What was said with it.
        comment: Option<At<String>>,
    }
}

form! {
    /// A customer, a company, an article comes to be.
    pub(super) struct CreateForm {
        /// What it is.
        kind: At<String>,
        /// A name by which later steps refer to it.
        as_ ("as"): At<String>,
        /// By whom; the system without this.
        by: Option<At<String>>,
        /// Its fields; what is left out is invented.
        with: Named<Node>,
    }
}

form! {
    /// One of them changes.
    pub(super) struct UpdateForm {
        /// Which.
        entity: At<String>,
        /// By whom; the system without this.
        by: Option<At<String>>,
        /// The fields that change.
        with: Named<Node>,
        /// The fields that are taken away.
        unset: Vec<At<String>>,
    }
}

form! {
    /// One of them goes.
    pub(super) struct DeleteForm {
        /// Which.
        entity: At<String>,
        /// By whom; the system without this.
        by: Option<At<String>>,
    }
}

form! {
    /// The vendor tells an event by its name, whatever led to it.
    pub(super) struct EmitForm {
        /// The vendor's name for it.
        type_ ("type"): At<String>,
        /// By whom; the system without this.
        by: Option<At<String>>,
        /// What it holds; what is left out is as the vendor's folder has it.
        data: Named<Node>,
    }
}

form! {
    /// Somebody writes a note that the visitor does not see.
    pub(super) struct NoteForm {
        /// Who.
        by: At<String>,
        /// The note.
        text: At<String>,
    }
}
