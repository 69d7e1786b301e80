//! Who speaks.

use crate::model::{ServerRole, UserId, Username};

/// Somebody who is logged in: an account, or a guest for as long as the connection lives.
#[derive(Clone, Debug)]
pub struct User {
    /// The identity behind the name.
    pub id: UserId,
    /// The name that others see.
    pub name: Username,
    /// The role on the server.
    pub role: ServerRole,
}

impl User {
    /// Whether this is a guest.
    pub fn is_guest(&self) -> bool {
        self.id.is_guest()
    }
}
