//! A bot at an account: its calls with the values of the account.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::account::Account;
use super::api::{ApiCall, BotCall, BotMemory};
use crate::template::InputError;

/// A bot at an account.
#[derive(Clone, Copy, Debug)]
pub struct BotPlayer<'a>(pub &'a Account);

impl<'a> BotPlayer<'a> {
    /// Returns the call in response to a webhook, if there is one. The values of the webhook are
    /// remembered.
    pub fn reply(self, webhook: &Json, memory: &mut BotMemory) -> Option<&'a BotCall> {
        self.0.platform.bot.reply(webhook, self.0.roots(), memory)
    }

    /// Returns a call with the credentials of the account and the tokens of the bot.
    ///
    /// # Errors
    /// A value that the call needs is missing.
    pub fn render(
        self,
        call: &BotCall,
        memory: &BotMemory,
        at: Timestamp,
    ) -> Result<ApiCall, InputError> {
        call.render(self.0.roots(), &self.0.platform.api.credentials, memory, at)
    }
}
