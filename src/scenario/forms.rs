//! The tables of a scenario file, as they are read.
//!
//! Doc comments of fields become the descriptions in the JSON Schema, which editors show.

use jiff::SignedDuration;

use super::call_form::OnForm;
use super::declared::Declared;
use super::patch_form::PatchForm;
use super::want::{VerifyForm, WantForm};
use super::when_form::ConditionsForm;
use crate::base::duration::DurationRange;
use crate::config::StartTime;
use crate::conversation::{DialogKind, Role, VariableScope};
use crate::diag::{NonEmpty, OneOrMore, Spanned, SyntaxNode, TableOf};
use crate::fault::Fault;
use crate::form;
use crate::platform::VendorRef;

form! {
    /// A scenario: one conversation as a list of steps.
    pub struct ScenarioForm {
        /// Title of the scenario. Generated values depend on it. Default: the file name.
        name: Option<Spanned<String>>,
        /// What the scenario is for, in one sentence.
        about: Option<Spanned<String>>,
        /// Vendors to run the scenario at, such as `acme` or `acme@2`. Default: every vendor that
        /// supports it.
        vendors: Option<NonEmpty<Spanned<String>>>,
        /// Tags by which `--tag` chooses scenarios.
        tags: Vec<Spanned<String>>,
        /// Default locale of the cast, such as `sv`.
        locale: Option<Spanned<String>>,
        /// Seed of the generated values. Default: that of the command or the configuration.
        seed: Option<Spanned<u64>>,
        /// Run time at which conversations begin. Default: that of the command or the configuration.
        start: Option<Spanned<StartTime>>,
        /// Files with shared parts (`vars`, `cast`, `group`), below the folder of this file: one, or a
        /// list.
        include: Option<OneOrMore<Spanned<String>>>,
        /// Variables for texts and data, by name, with their defaults. `--set NAME=VALUE` and
        /// `STANDIN_VAR_NAME` replace a default.
        vars: TableOf<SyntaxNode>,
        /// Rows of values for the variables. The scenario runs once for each row.
        row: Vec<TableOf<SyntaxNode>>,
        /// CSV file with rows, whose first line names the variables; below the folder of this file.
        rows: Option<Spanned<String>>,
        /// Members of the cast, by name. A visitor, a bot and the system are always present.
        cast: TableOf<CastForm>,
        /// Steps by the name of their group. A step with `use` inserts the steps of a group.
        group: TableOf<Vec<StepForm>>,
        /// Event types that endpoints subscribe to, by vendor. Default: the vendor's default
        /// subscription.
        subscribe: TableOf<NonEmpty<Spanned<String>>>,
        /// Requirements for every delivery of the scenario.
        verify: Option<Declared<VerifyForm>>,
        /// Faults injected into the deliveries of every step without its own `fault`.
        faults: Option<FaultsForm>,
        /// What happens whenever a call of the receiver comes, until the end of the conversation.
        on: Vec<OnForm>,
        /// The steps, in order.
        step: Vec<StepForm>,
    }
}

impl ScenarioForm {
    /// Returns whether `vendors` includes this vendor, or is not set.
    pub fn is_for(&self, vendor: &VendorRef) -> bool {
        let named = self.vendors.as_deref();
        named.is_none_or(|named| named.iter().any(|name| VendorRef::parse(name).covers(vendor)))
    }
}

form! {
    /// A member of the cast. Fields that are not set are generated from the seed.
    pub struct CastForm {
        /// Role in the conversation.
        role: Spanned<Role>,
        /// Full name.
        name: Option<Spanned<String>>,
        /// Email address.
        email: Option<Spanned<String>>,
        /// Phone number.
        phone: Option<Spanned<String>>,
        /// Locale, such as `sv`. Default: the locale of the scenario.
        locale: Option<Spanned<String>>,
        /// Whether a visitor is new to the company. Default: true.
        is_new: Option<Spanned<bool>>,
        /// Further variables of the person, by name.
        variables: TableOf<SyntaxNode>,
    }
}

form! {
    /// Faults injected into the deliveries of every step without its own `fault`.
    pub struct FaultsForm {
        /// The faults: one, or a list.
        every: OneOrMore<Spanned<Fault>>,
        /// Inject the faults into about one of this many deliveries. Default: into every one.
        one_in: Option<Spanned<u64>>,
    }
}

form! {
    /// A step: one action and its time.
    pub struct StepForm {
        /// Name that other steps refer to.
        id: Option<Spanned<String>>,
        /// Inserts the steps of this group, instead of an action.
        use_ ("use"): Option<Spanned<String>>,
        /// Name of the conversation in which the step happens, if the scenario has several. Default: the
        /// conversation without a name.
        conversation: Option<Spanned<String>>,
        /// Time since the previous step: a duration, or a range to choose from by the seed.
        after: Option<Spanned<DurationRange>>,
        /// Repeats this step, or all steps from an earlier one up to this one.
        repeat: Option<RepeatForm>,
        /// Vendors to run the step at. Default: all.
        only: Option<NonEmpty<Spanned<String>>>,
        /// Faults injected into the deliveries of the step: one, or a list.
        fault: Option<OneOrMore<Spanned<Fault>>>,
        /// Requirements for the deliveries of the step, beside those of `[verify]`.
        want: Option<Declared<WantForm>>,
        /// Exact changes of the bodies of the step before they are signed, by JSON pointer: the new
        /// value, `{ null = true }` or `{ remove = true }`.
        patch: Option<PatchForm>,
        /// Conditions on variables and captured values. The step is skipped unless all of them hold.
        when: Option<ConditionsForm>,
        /// Values to keep from the responses to the deliveries of the step: names, each with a JSON
        /// pointer into the body. Later steps use them as `${captured.NAME}`.
        capture: TableOf<Spanned<String>>,
        /// Examples of the captured values, by name, for dry runs. A captured value has the type of
        /// its example.
        example: TableOf<SyntaxNode>,
        /// Changes to the step for single vendors, by vendor.
        for_ ("for"): TableOf<OverrideForm>,
        ..action
    }
}

form! {
    /// Repetition of consecutive steps.
    pub struct RepeatForm {
        /// Number of times the steps run, at least 1.
        // Signed, so that a negative number gets the same message as zero.
        times: Spanned<i64>,
        /// Id of the first step to repeat. Default: this step only.
        from: Option<Spanned<String>>,
    }
}

form! {
    /// Changes to a step for one vendor. An action replaces the action of the step.
    pub struct OverrideForm {
        /// Skips the step, for this reason.
        skip: Option<Spanned<String>>,
        /// Time since the previous step: a duration, or a range to choose from by the seed.
        after: Option<Spanned<DurationRange>>,
        /// Exact changes of the bodies, instead of the `patch` of the step.
        patch: Option<PatchForm>,
        ..action
    }
}

form! {
    /// A conversation starts.
    pub(super) struct OpenForm {
        /// Participant who starts it. Default: the visitor.
        by: Option<Spanned<String>>,
        /// Channel of the conversation. Default: `web`.
        channel: Option<Spanned<String>>,
        /// First assignee.
        assignee: Option<Spanned<String>>,
    }
}

form! {
    /// A participant sends a message. Further keys are the data of its kind.
    pub(super) struct SayForm {
        /// Sender.
        by: Spanned<String>,
        /// Dialog of the message: `survey` after `close = { survey = true }`. Default: `main`.
        in_ ("in"): Option<Spanned<DialogKind>>,
        /// Kind of message. Default: `text`.
        kind: Option<Spanned<String>>,
        /// Text of the message.
        text: Option<Spanned<String>>,
        /// File that the message links to, instead of a built-in one: its path, relative to this file
        /// and below the folder of the scenario. Kinds with a `link` can have it.
        file: Option<Spanned<String>>,
        ..data
    }
}

form! {
    /// A participant starts or stops typing.
    pub(super) struct TypingForm {
        /// Participant who performs the action.
        by: Spanned<String>,
        /// Dialog in which the participant types: `survey` after `close = { survey = true }`. Default:
        /// `main`.
        in_ ("in"): Option<Spanned<DialogKind>>,
        /// `true` to start typing, `false` to stop. Default: true.
        on: Option<Spanned<bool>>,
    }
}

form! {
    /// A participant reads all unread messages.
    pub(super) struct ReadForm {
        /// Participant who performs the action.
        by: Spanned<String>,
        /// Dialog whose messages are read: `survey` after `close = { survey = true }`. Default: `main`.
        in_ ("in"): Option<Spanned<DialogKind>>,
        /// Id of the step with the last message to read. Default: the newest message.
        upto: Option<Spanned<String>>,
    }
}

form! {
    /// The conversation is assigned to a participant or to a queue.
    pub(super) struct AssignForm {
        /// New assignee.
        to: Option<Spanned<String>>,
        /// Skill of the queue to assign to, instead of `to`.
        skill: Option<Spanned<String>>,
        /// Participant who performs the action. Default: the system.
        by: Option<Spanned<String>>,
        /// Offers the conversation first; the assignee accepts after this time.
        accept: Option<Spanned<SignedDuration>>,
    }
}

form! {
    /// An action without further details.
    pub(super) struct PlainForm {
        /// Participant who performs the action.
        by: Spanned<String>,
    }
}

form! {
    /// The conversation is closed, or its survey.
    pub(super) struct CloseForm {
        /// Participant who closes it.
        by: Spanned<String>,
        /// Whether a survey follows, at vendors that have one. Default: false.
        survey: Option<Spanned<bool>>,
    }
}

form! {
    /// Variables of the visitor or the conversation are set.
    pub(super) struct SetForm {
        /// Participant who performs the action. Default: the system.
        by: Option<Spanned<String>>,
        /// `visitor` keeps the variables for later conversations, `conversation` does not. Default:
        /// `visitor`.
        scope: Option<Spanned<VariableScope>>,
        /// Values by name. A table with `type` and `value` declares the type.
        variables: TableOf<SyntaxNode>,
    }
}

form! {
    /// Labels are added to the conversation or removed from it.
    pub(super) struct LabelForm {
        /// Participant who performs the action.
        by: Spanned<String>,
        /// Labels to add.
        add: Vec<Spanned<String>>,
        /// Labels to remove.
        remove: Vec<Spanned<String>>,
    }
}

form! {
    /// A flow starts.
    pub(super) struct FlowForm {
        /// Participant who runs the flow. Default: the bot.
        by: Option<Spanned<String>>,
        /// Name of the flow.
        name: Spanned<String>,
        /// Number of states. Default: 1.
        states: Option<Spanned<i64>>,
    }
}

form! {
    /// The conversation is rated.
    pub(super) struct RateForm {
        /// Participant who rates. Default: the visitor.
        by: Option<Spanned<String>>,
        /// Score from 1 to 5.
        score: Spanned<i64>,
        /// Comment on the rating.
        comment: Option<Spanned<String>>,
    }
}

form! {
    /// An entity is created, such as a customer, a company or an article.
    pub(super) struct CreateForm {
        /// Kind of entity.
        kind: Spanned<String>,
        /// Name that later steps refer to.
        as_ ("as"): Spanned<String>,
        /// Participant who performs the action. Default: the system.
        by: Option<Spanned<String>>,
        /// Fields of the entity. Fields that are not set are generated.
        with: TableOf<SyntaxNode>,
        /// Fields that have no value, not even a generated one.
        unset: Vec<Spanned<String>>,
    }
}

form! {
    /// An entity is updated.
    pub(super) struct UpdateForm {
        /// Name of the entity, as in `create`.
        entity: Spanned<String>,
        /// Participant who performs the action. Default: the system.
        by: Option<Spanned<String>>,
        /// Fields to set.
        with: TableOf<SyntaxNode>,
        /// Fields to remove.
        unset: Vec<Spanned<String>>,
    }
}

form! {
    /// An entity is deleted.
    pub(super) struct DeleteForm {
        /// Name of the entity, as in `create`.
        entity: Spanned<String>,
        /// Participant who performs the action. Default: the system.
        by: Option<Spanned<String>>,
    }
}

form! {
    /// The vendor sends an event by its own name, whatever causes it.
    pub(super) struct EmitForm {
        /// Event type, as named by the vendor.
        type_ ("type"): Spanned<String>,
        /// Participant who performs the action. Default: the system.
        by: Option<Spanned<String>>,
        /// Data of the event. Default: the values in the vendor's folder.
        data: TableOf<SyntaxNode>,
    }
}

form! {
    /// A participant writes a note that the visitor does not see.
    pub(super) struct NoteForm {
        /// Author.
        by: Spanned<String>,
        /// Text of the note.
        text: Spanned<String>,
    }
}
